/* batch_plan.c - the cases of a batch as one problem of allocation. */
#include "decide/batch_plan.h"

#include "optimize/allocate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Net values are weighed in steps of a millionth of a minor unit, as everywhere. */
#define VALUE_STEPS 1e6

enum {
    EFFORT_MAX = 16000000, /* about 16 ms of the thread that moves all money */
    BUDGET_SLOT_COUNT = 4 * BUDGET_COUNT_MAX,
    CELL_SLOT_COUNT = 4 * BATCH_CASE_COUNT_MAX,
};

struct item {
    int64_t entitled;
    int64_t fallback; /* goodwill that the policy gives without a model, not weighed */
    int64_t planned;  /* goodwill */
    bool is_review;   /* what is planned is recommended to a person, and takes no room */
};

struct batch_plan {
    struct arena *arena;
    struct item *items;
    struct batch_budget *budgets;
    int64_t *starts, *costs, *values, *limits;
    int32_t *cells, *cell_starts, *cell_budgets;
    int32_t *choices;
    int item_count, budget_count, cell_count;
    int16_t budget_slots[BUDGET_SLOT_COUNT]; /* index + 1; 0: free */
    int16_t cell_slots[CELL_SLOT_COUNT];
};

static_assert(BUDGET_COUNT_MAX < INT16_MAX && BATCH_CASE_COUNT_MAX < INT16_MAX);

enum status batch_plan_open(int case_count_max, struct arena *arena,
                            struct batch_plan **plan, struct err *err)
{
    struct batch_plan *opened = arena_new(arena, struct batch_plan);
    size_t cases = (size_t)case_count_max + 1;

    if (!opened)
        return arena_exhausted(err);
    opened->arena = arena;
    opened->items = arena_array(arena, struct item, cases);
    opened->budgets = arena_array(arena, struct batch_budget, BUDGET_COUNT_MAX);
    opened->starts = arena_array(arena, int64_t, cases);
    opened->costs = arena_array(arena, int64_t, cases * OPTION_COUNT_MAX);
    opened->values = arena_array(arena, int64_t, cases * OPTION_COUNT_MAX);
    opened->limits = arena_array(arena, int64_t, BUDGET_COUNT_MAX);
    opened->cells = arena_array(arena, int32_t, cases);
    opened->cell_starts = arena_array(arena, int32_t, cases + 1);
    opened->cell_budgets = arena_array(arena, int32_t, cases * DECISION_BUDGET_COUNT_MAX);
    opened->choices = arena_array(arena, int32_t, cases);
    if (!opened->items || !opened->budgets || !opened->starts || !opened->costs ||
        !opened->values || !opened->limits || !opened->cells || !opened->cell_starts ||
        !opened->cell_budgets || !opened->choices)
        return arena_exhausted(err);
    *plan = opened;
    return STATUS_OK;
}

/* --- adding ----------------------------------------------------------------------------------- */

static int32_t budget_index(struct batch_plan *plan, const struct budget_view *view)
{
    size_t slot = text_hash(text_of(view->id)) % BUDGET_SLOT_COUNT;
    struct batch_budget *budget;

    for (; plan->budget_slots[slot]; slot = (slot + 1) % BUDGET_SLOT_COUNT)
        if (strcmp(plan->budgets[plan->budget_slots[slot] - 1].id, view->id) == 0)
            return plan->budget_slots[slot] - 1;
    budget = &plan->budgets[plan->budget_count];
    memcpy(budget->id, view->id, sizeof budget->id);
    budget->room = view->remaining;
    budget->unfunded = 0;
    plan->budget_slots[slot] = (int16_t)++plan->budget_count;
    return plan->budget_count - 1;
}

static void insert_rising(int32_t *indices, int count, int32_t index)
{
    int i = count;

    for (; i > 0 && indices[i - 1] > index; i--)
        indices[i] = indices[i - 1];
    indices[i] = index;
}

/* The cell of a set of budgets, made when it is new. */
static int32_t cell_index(struct batch_plan *plan, const struct circumstances *seen)
{
    int32_t *budgets = plan->cell_budgets + plan->cell_starts[plan->cell_count];
    size_t bytes = (size_t)seen->budget_count * sizeof *budgets, slot;

    for (int i = 0; i < seen->budget_count; i++)
        insert_rising(budgets, i, budget_index(plan, &seen->budgets[i]));
    slot = text_hash((struct text){(const char *)budgets, bytes}) % CELL_SLOT_COUNT;
    for (; plan->cell_slots[slot]; slot = (slot + 1) % CELL_SLOT_COUNT) {
        int32_t cell = plan->cell_slots[slot] - 1;
        int32_t start = plan->cell_starts[cell];

        if (plan->cell_starts[cell + 1] - start == seen->budget_count &&
            memcmp(plan->cell_budgets + start, budgets, bytes) == 0)
            return cell;
    }
    plan->cell_slots[slot] = (int16_t)++plan->cell_count;
    plan->cell_starts[plan->cell_count] =
        plan->cell_starts[plan->cell_count - 1] + seen->budget_count;
    return plan->cell_count - 1;
}

static int64_t steps_of(double net_value)
{
    double steps = nearbyint(net_value * VALUE_STEPS);
    const double most = (double)ALLOCATION_NUMBER_MAX;

    return (int64_t)(steps > most ? most : steps < -most ? -most : steps);
}

void batch_plan_add(struct batch_plan *plan, const struct decision *alone)
{
    struct item *item = &plan->items[plan->item_count];
    int64_t end = plan->starts[plan->item_count];

    item->entitled = alone->entitled;
    item->fallback = alone->is_fallback ? alone->goodwill : 0;
    item->is_review = alone->outcome == OUTCOME_REVIEW;
    if (item->is_review)
        item->planned = alone->recommended - alone->entitled;
    plan->cells[plan->item_count] = cell_index(plan, &alone->seen);
    for (int i = 0; i < alone->menu.count; i++) {
        const struct option *option = &alone->menu.options[i];

        if (!option->is_allowed || (i > 0 && (alone->is_fallback || item->is_review)))
            continue;
        plan->costs[end] = option->goodwill;
        plan->values[end++] = steps_of(option->net_value);
    }
    plan->starts[++plan->item_count] = end;
}

/* --- solving ---------------------------------------------------------------------------------- */

/* Take an amount out of the room of all budgets of a cell. A thousand of the largest are
 * within 64 bits. */
static void take(struct batch_plan *plan, int32_t cell, int64_t amount)
{
    static_assert(MONEY_MINOR_MAX <= INT64_MAX / BATCH_CASE_COUNT_MAX);
    for (int32_t i = plan->cell_starts[cell]; i < plan->cell_starts[cell + 1]; i++) {
        struct batch_budget *budget = &plan->budgets[plan->cell_budgets[i]];
        int64_t room = budget->room > 0 ? budget->room : 0;

        budget->unfunded += amount > room ? amount - room : 0;
        budget->room = room > amount ? room - amount : 0;
    }
}

static bool has_room(const struct batch_plan *plan, int32_t cell, int64_t amount)
{
    for (int32_t i = plan->cell_starts[cell]; i < plan->cell_starts[cell + 1]; i++)
        if (plan->budgets[plan->cell_budgets[i]].room < amount)
            return false;
    return true;
}

/* What is owed comes first, then what policies give where no model answers, in the order
 * of the cases; the rest is weighed. */
static void take_given(struct batch_plan *plan)
{
    for (int i = 0; i < plan->item_count; i++)
        take(plan, plan->cells[i], plan->items[i].entitled);
    for (int i = 0; i < plan->item_count; i++) {
        struct item *item = &plan->items[i];

        if (item->fallback == 0 || !has_room(plan, plan->cells[i], item->fallback))
            continue;
        take(plan, plan->cells[i], item->fallback);
        item->planned = item->fallback;
    }
    for (int b = 0; b < plan->budget_count; b++) {
        if (plan->budgets[b].room < 0)
            plan->budgets[b].room = 0;
        plan->limits[b] = plan->budgets[b].room;
    }
}

static enum status allocate(struct batch_plan *plan, struct allocation_result *result,
                            struct err *err)
{
    struct allocation allocation = {
        .request_count = plan->item_count,
        .starts = plan->starts,
        .costs = plan->costs,
        .values = plan->values,
        .cells = plan->cells,
        .cell_starts = plan->cell_starts,
        .cell_budgets = plan->cell_budgets,
        .cell_count = plan->cell_count,
        .limits = plan->limits,
        .budget_count = plan->budget_count,
        .effort_max = EFFORT_MAX,
    };
    size_t budgets = (size_t)plan->budget_count + 1;

    result->choices = plan->choices;
    result->spend = arena_array(plan->arena, int64_t, budgets);
    result->prices = arena_array(plan->arena, double, budgets);
    if (!result->spend || !result->prices)
        return arena_exhausted(err);
    return allocation_solve(&allocation, result, err);
}

enum status batch_plan_solve(struct batch_plan *plan, struct batch_outcome *outcome,
                             struct err *err)
{
    struct allocation_result result = {0};
    enum status rc;

    take_given(plan);
    rc = allocate(plan, &result, err);
    if (rc)
        return rc;
    for (int i = 0; i < plan->item_count; i++)
        if (plan->items[i].planned == 0 && !plan->items[i].is_review)
            plan->items[i].planned = plan->costs[plan->starts[i] + plan->choices[i]];
    for (int b = 0; b < plan->budget_count; b++)
        plan->budgets[b].price = result.prices[b] / VALUE_STEPS;
    *outcome = (struct batch_outcome){
        .value = (double)result.value / VALUE_STEPS,
        .bound = result.bound / VALUE_STEPS,
        .gap = result.gap,
        .is_exact = result.is_exact,
    };
    return STATUS_OK;
}

int64_t batch_plan_amount(const struct batch_plan *plan, int index)
{
    return plan->items[index].entitled + plan->items[index].planned;
}

bool batch_plan_is_review(const struct batch_plan *plan, int index)
{
    return plan->items[index].is_review;
}

int batch_plan_budget_count(const struct batch_plan *plan)
{
    return plan->budget_count;
}

const struct batch_budget *batch_plan_budget(const struct batch_plan *plan, int index)
{
    return &plan->budgets[index];
}
