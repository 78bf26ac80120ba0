/* pacer_solve.c - prices: every budget's money against the demand of its own stretch of
 * time. */
#include "optimize/clearing.h"
#include "optimize/pacer_state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US  (24 * HOUR_US)
#define SAID_TIMES_MIN                                                                   \
    0.1 /* people's forecast counts at most so far from that of days before */
#define SAID_TIMES_MAX 10
#define MOVED_ENOUGH   1e-4 /* what moves a price by less needs no further round */
#define CASES_LEFT_MIN 8.0  /* a forecast that has run out still leaves a few to come */

enum {
    EVEN_STRETCH_COUNT = 24, /* a period has so many stretches of equal money */
    ROUND_COUNT = 3,         /* over budgets that look ahead to different ends */
    CASE_COUNT_MAX = 512,    /* a price stands for at most so many */
    LEFT_PRICE_COUNT =
        256, /* about so many prices for each halving or so of what is left */
    EACH_CASE_COUNT = 32, /* so many first cases bring a new price each */
};

/* A budget as it is solved. */
struct plan {
    bool is_solved;
    int64_t ends_us;           /* of the stretch it is solved for */
    double money;              /* for the stretch */
    double case_count, charge; /* forecast of the stretch; base charges of it */
    double case_share;         /* of all cases, those charged to it */
    double cases_left;         /* of the same, as people's forecast corrects it */
    double top;                /* demand at price 0 */
    double spend;              /* expected of the stretch, at the prices solved */
    int number;                /* in the clearing of its group */
};

struct member {
    int cell;
    int start, count;  /* its budgets */
    double case_count; /* forecast of its group */
};

struct solving {
    struct pacer *pacer;
    const struct pacer_budget *budgets;
    struct pacer_outlook *outlooks;
    int budget_count;
    int64_t now_us;
    struct plan *plans; /* (budget) */
    double *prices;     /* (budget) */
    double moved;       /* the most that one has in this round, of 1 + price */
    int64_t *ends;      /* (budget): those there are */
    struct member *members;
    int member_count;
    int *charged; /* the budgets of all members */
    int64_t period_starts_us, period_ends_us;
    double period_cases; /* of all kinds in that period, by the days before */
    struct demand *forecast;
    struct clearing_cell *cells;
    int *cell_budgets;
    double *curves, *limits, *group_prices;
};

/* --- what is solved --------------------------------------------------------------------------- */

static bool ends(const struct pacer_budget *budget)
{
    return budget->period_ends_us != INT64_MAX;
}

/* Until when a budget looks ahead, and the share of its money that is for it. */
static void plan_stretch(const struct pacer_budget *budget, int64_t now_us,
                         struct plan *plan)
{
    int64_t ends_us = ends(budget) ? budget->period_ends_us : now_us + DAY_US;
    int64_t stretch_us = (ends_us - budget->period_starts_us) / EVEN_STRETCH_COUNT;
    double money = (double)budget->remaining + (double)budget->open;

    plan->is_solved = budget->plan != PACER_ASAP && ends_us > now_us &&
                      (ends(budget) || budget->expected_cases > 0);
    plan->ends_us = ends_us;
    plan->money = money > 0 ? money : 0;
    if (budget->plan != PACER_EVEN || !ends(budget) ||
        now_us + stretch_us + PACER_SLOT_US >= ends_us)
        return;
    plan->ends_us =
        (now_us + stretch_us + PACER_SLOT_US - 1) / PACER_SLOT_US * PACER_SLOT_US;
    plan->money *= (double)(plan->ends_us - now_us) / (double)(ends_us - now_us);
}

static void plan_budgets(struct solving *solving)
{
    for (int b = 0; b < solving->budget_count; b++) {
        plan_stretch(&solving->budgets[b], solving->now_us, &solving->plans[b]);
        solving->prices[b] =
            solving->budgets[b].plan == PACER_ASAP ? 0 : solving->outlooks[b].price;
        solving->outlooks[b].is_incident = false;
    }
}

/* Which budgets each cell with demand is charged to. */
static void find_members(struct solving *solving, pacer_budgets_of *budgets_of,
                         void *context)
{
    struct pacer *pacer = solving->pacer;
    int start = 0;

    incident_pools_begin(pacer, solving->budget_count, solving->now_us);
    for (int i = 0; i < pacer->cell_count; i++) {
        int *charged = solving->charged + start;
        int count = budgets_of(context, pacer->cells[i]->hash, charged);

        incident_pools_add(pacer, pacer->cells[i], charged, count, solving->now_us);
        for (int k = 0; k < count && pacer->cells[i]->incident > 0; k++)
            solving->outlooks[charged[k]].is_incident = true;
        if (count == 0)
            continue;
        solving->members[solving->member_count++] =
            (struct member){.cell = i, .start = start, .count = count};
        start += count;
    }
}

/* --- one group of budgets that look ahead to the same end ------------------------------------- */

static int number_group(struct solving *solving, int64_t ends_us)
{
    int count = 0;

    for (int b = 0; b < solving->budget_count; b++) {
        struct plan *plan = &solving->plans[b];

        plan->number = plan->is_solved && plan->ends_us == ends_us ? count++ : -1;
        plan->case_count = plan->number >= 0 ? 0 : plan->case_count;
        plan->charge = plan->number >= 0 ? 0 : plan->charge;
        plan->top = plan->number >= 0 ? 0 : plan->top;
        plan->spend = plan->number >= 0 ? 0 : plan->spend;
    }
    return count;
}

/* A member as a cell of the clearing; false when none of its budgets is in the group. */
static bool add_member(struct solving *solving, struct member *member,
                       const struct horizon *horizon, struct clearing_cell *cell,
                       int *budgets, double *room)
{
    const struct demand *forecast = solving->forecast;

    *cell = (struct clearing_cell){.budgets = budgets};
    member->case_count = 0;
    for (int i = 0; i < member->count; i++) {
        int b = solving->charged[member->start + i];

        if (solving->plans[b].number >= 0)
            budgets[cell->budget_count++] = solving->plans[b].number;
        else
            cell->given += solving->prices[b];
    }
    if (cell->budget_count == 0)
        return false;
    pacer_forecast(solving->pacer, horizon, member->cell, solving->now_us,
                   solving->forecast);
    member->case_count = forecast->case_count;
    cell->curve = clearing_curve_make(forecast, room);
    assert(cell->curve.above);
    for (int i = 0; i < member->count; i++) {
        struct plan *plan = &solving->plans[solving->charged[member->start + i]];

        if (plan->number < 0)
            continue;
        plan->case_count += forecast->case_count;
        plan->charge += forecast->base;
        plan->top += cell->curve.above[0];
    }
    return true;
}

/* Cases of all kinds in a period, by the days before. */
static double period_cases(struct pacer *pacer, const struct pacer_budget *budget)
{
    int64_t ends_us = budget->period_ends_us;
    double count = 0;

    for (int64_t n = budget->period_starts_us / PACER_SLOT_US;
         n * PACER_SLOT_US < ends_us; n++) {
        const struct slot *slot = pacer_slot(pacer, pacer_reference(pacer, n));

        count += slot ? slot->case_count : 0;
    }
    return count;
}

/* The days before tell how a period goes, people how much it is: their word is held
 * against theirs with the weight that theirs has beside what was seen. */
static double said_with_history(struct solving *solving, const struct horizon *horizon,
                                int budget)
{
    struct pacer *pacer = solving->pacer;
    const struct pacer_budget *asked = &solving->budgets[budget];
    double forecast = solving->plans[budget].case_count;
    double volume = pacer_volume(pacer, solving->now_us), times;
    double weight = pacer_volume_weight(pacer), seen = pacer_volume_seen(pacer);

    if (asked->period_starts_us != solving->period_starts_us ||
        asked->period_ends_us != solving->period_ends_us) {
        solving->period_starts_us = asked->period_starts_us;
        solving->period_ends_us = asked->period_ends_us;
        solving->period_cases = period_cases(pacer, asked);
    }
    if (solving->period_cases <= 0 || forecast <= 0 || weight + seen <= 0)
        return forecast;
    times = (double)asked->expected_cases * volume / forecast *
            pacer_cases_ahead(pacer, horizon, solving->now_us) / solving->period_cases;
    times = times < SAID_TIMES_MIN   ? SAID_TIMES_MIN
            : times > SAID_TIMES_MAX ? SAID_TIMES_MAX
                                     : times;
    return forecast * (times * weight + seen) / (weight + seen);
}

/* Without days before: what was said less what came; a rate is no guide as long as little
 * of the period has been seen. */
static double said_without_history(const struct solving *solving, int budget)
{
    const struct pacer_budget *asked = &solving->budgets[budget];
    double left = (double)(asked->expected_cases - asked->case_count), share = 0;

    if (ends(asked)) {
        int64_t since_us = asked->period_starts_us > solving->pacer->noted_since_us
                               ? asked->period_starts_us
                               : solving->pacer->noted_since_us;

        share = (double)(solving->now_us - since_us) /
                (double)(asked->period_ends_us - since_us);
        share = share < 0 ? 0 : share > 1 ? 1 : share * share;
    }
    return (1 - share) * fmax(left, 0) + share * solving->plans[budget].case_count;
}

/* Cases still to come, as people's forecast corrects it. */
static double said_cases_left(struct solving *solving, const struct horizon *horizon,
                              int budget)
{
    bool has_history = ends(&solving->budgets[budget]) && horizon->unknown_us == 0 &&
                       solving->pacer->reference_now >= 0;
    double left = has_history ? said_with_history(solving, horizon, budget)
                              : said_without_history(solving, budget);

    return fmax(left, CASES_LEFT_MIN);
}

/* What the group's cases may be charged beyond their base. Where people said how many are
 * to come, and the days before do not say it better, the money is scaled instead of the
 * cases. */
static void set_limits(struct solving *solving, const struct horizon *horizon)
{
    double all = 0;

    for (int i = 0; i < solving->member_count; i++)
        all += solving->members[i].case_count;
    for (int b = 0; b < solving->budget_count; b++) {
        struct plan *plan = &solving->plans[b];
        double money = plan->money;

        if (plan->number < 0)
            continue;
        plan->case_share = all > 0 ? plan->case_count / all : 1;
        plan->cases_left = plan->case_count;
        if (solving->budgets[b].expected_cases > 0 && plan->case_count > 0) {
            plan->cases_left = said_cases_left(solving, horizon, b);
            money *= plan->case_count / plan->cases_left;
        }
        solving->limits[plan->number] = fmax(money - plan->charge, 0);
        solving->group_prices[plan->number] = solving->prices[b];
    }
}

/* What the group's cases are expected to be charged, in proportion to the cases that are
 * expected. */
static void add_spend(struct solving *solving, const struct clearing *clearing)
{
    const double *prices = solving->group_prices;

    memset(solving->limits, 0, (size_t)clearing->budget_count * sizeof *solving->limits);
    for (int i = 0; i < clearing->cell_count; i++) {
        const struct clearing_cell *cell = &clearing->cells[i];
        double price = cell->given;

        for (int k = 0; k < cell->budget_count; k++)
            price += prices[cell->budgets[k]];
        for (int k = 0; k < cell->budget_count; k++)
            solving->limits[cell->budgets[k]] += clearing_demand(&cell->curve, price);
    }
    for (int b = 0; b < solving->budget_count; b++) {
        struct plan *plan = &solving->plans[b];

        if (plan->number >= 0 && plan->case_count > 0)
            plan->spend = (plan->charge + solving->limits[plan->number]) *
                          plan->cases_left / plan->case_count;
    }
}

static void set_price(struct solving *solving, int budget, double price)
{
    double moved = fabs(price - solving->prices[budget]) / (1 + price);

    solving->moved = fmax(solving->moved, moved);
    solving->prices[budget] = price;
}

static enum status solve_group(struct solving *solving, int64_t ends_us, struct err *err)
{
    const struct horizon *horizon = pacer_horizon(solving->pacer, ends_us);
    struct clearing clearing = {.cells = solving->cells, .limits = solving->limits};
    int *budgets = solving->cell_budgets;
    double *room = solving->curves;
    enum status rc;

    if (!horizon)
        return err_set(err, STATUS_EXHAUSTED, "no memory to look ahead");
    clearing.budget_count = number_group(solving, ends_us);
    for (int i = 0; i < solving->member_count; i++) {
        struct clearing_cell *cell = &solving->cells[clearing.cell_count];

        if (!add_member(solving, &solving->members[i], horizon, cell, budgets, room))
            continue;
        budgets += cell->budget_count;
        room += clearing_curve_room(solving->forecast);
        clearing.cell_count++;
    }
    set_limits(solving, horizon);
    rc = clearing_solve(&clearing, solving->group_prices, err);
    for (int b = 0; b < solving->budget_count && !rc; b++)
        if (solving->plans[b].number >= 0 && solving->plans[b].top > 0)
            set_price(solving, b, solving->group_prices[solving->plans[b].number]);
    if (!rc)
        add_spend(solving, &clearing);
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The different ends that budgets look ahead to, rising. Returns how many. */
static int find_ends(struct solving *solving)
{
    int count = 0, kept = 0;

    for (int b = 0; b < solving->budget_count; b++)
        if (solving->plans[b].is_solved)
            solving->ends[count++] = solving->plans[b].ends_us;
    qsort(solving->ends, (size_t)count, sizeof *solving->ends, by_time);
    for (int i = 0; i < count; i++)
        if (kept == 0 || solving->ends[i] != solving->ends[kept - 1])
            solving->ends[kept++] = solving->ends[i];
    return kept;
}

/* Group after group, the prices of the others given, until they agree; once when there is
 * one end for all. */
static enum status solve_groups(struct solving *solving, struct err *err)
{
    int group_count = find_ends(solving);
    enum status rc = STATUS_OK;

    solving->moved = INFINITY;
    for (int round = 0; round < (group_count > 1 ? ROUND_COUNT : 1); round++) {
        if (solving->moved < MOVED_ENOUGH)
            break;
        solving->moved = 0;
        for (int i = 0; i < group_count && !rc; i++)
            rc = solve_group(solving, solving->ends[i], err);
    }
    return rc;
}

/* --- all together ----------------------------------------------------------------------------- */

/* By the clock when the same money is for every hour, else by the cases that were to
 * come. */
static double planned_share(const struct solving *solving, int b)
{
    const struct pacer_budget *budget = &solving->budgets[b];
    double seen = (double)budget->case_count, left = solving->plans[b].cases_left;

    if (budget->plan == PACER_ASAP)
        return 1;
    if (budget->plan == PACER_EVEN && ends(budget))
        return fmax(0, (double)(solving->now_us - budget->period_starts_us) /
                           (double)(budget->period_ends_us - budget->period_starts_us));
    return seen + left > 0 ? seen / (seen + left) : 0;
}

static void tell(const struct solving *solving)
{
    for (int b = 0; b < solving->budget_count; b++) {
        struct pacer_outlook *outlook = &solving->outlooks[b];

        outlook->price = solving->prices[b];
        outlook->case_share = solving->plans[b].case_share;
        outlook->cases_left = solving->plans[b].cases_left;
        outlook->planned_share = planned_share(solving, b);
        outlook->spend_left = solving->plans[b].is_solved ? solving->plans[b].spend : NAN;
    }
}

/* The next so many bytes of the room, which is aligned to 16. */
static void *take(char **room, size_t count, size_t item_bytes)
{
    void *taken = *room;

    *room += (count * item_bytes + 15) / 16 * 16;
    return taken;
}

/* Room is kept from solve to solve: as fresh memory it would cost more than the solve. */
static enum status solving_open(struct solving *solving, struct err *err)
{
    struct pacer *pacer = solving->pacer;
    size_t cells = (size_t)pacer->cell_count, budgets = (size_t)solving->budget_count + 1;
    size_t charged = cells * PACER_CELL_BUDGET_COUNT_MAX;
    size_t bytes = budgets * (sizeof *solving->plans + 3 * sizeof *solving->prices +
                              sizeof *solving->ends) +
                   cells * (sizeof *solving->members + sizeof *solving->cells) +
                   2 * charged * sizeof *solving->charged + sizeof *solving->forecast +
                   2 * (DEMAND_BIN_COUNT + 1) * cells * sizeof *solving->curves + 11 * 16;
    char *room = pacer->room;

    if (bytes > pacer->room_bytes) {
        room = realloc(pacer->room, bytes);
        if (!room)
            return err_set(err, STATUS_EXHAUSTED, "no memory to solve prices");
        pacer->room = room;
        pacer->room_bytes = bytes;
    }
    solving->plans = take(&room, budgets, sizeof *solving->plans);
    solving->prices = take(&room, budgets, sizeof *solving->prices);
    solving->limits = take(&room, budgets, sizeof *solving->limits);
    solving->group_prices = take(&room, budgets, sizeof *solving->group_prices);
    solving->ends = take(&room, budgets, sizeof *solving->ends);
    solving->members = take(&room, cells, sizeof *solving->members);
    solving->cells = take(&room, cells, sizeof *solving->cells);
    solving->charged = take(&room, charged, sizeof *solving->charged);
    solving->cell_budgets = take(&room, charged, sizeof *solving->cell_budgets);
    solving->forecast = take(&room, 1, sizeof *solving->forecast);
    solving->curves = take(&room, 2 * (DEMAND_BIN_COUNT + 1) * cells, sizeof(double));
    memset(solving->plans, 0, budgets * sizeof *solving->plans);
    return STATUS_OK;
}

enum status pacer_solve(struct pacer *pacer, int64_t now_us,
                        const struct pacer_budget *budgets, int budget_count,
                        pacer_budgets_of *budgets_of, void *context,
                        struct pacer_outlook *outlooks, struct err *err)
{
    struct solving solving = {.pacer = pacer,
                              .budgets = budgets,
                              .outlooks = outlooks,
                              .budget_count = budget_count};
    enum status rc;

    solving.now_us = pacer_advance(pacer, now_us);
    rc = solving_open(&solving, err);
    if (!rc) {
        plan_budgets(&solving);
        find_members(&solving, budgets_of, context);
        rc = solve_groups(&solving, err);
    }
    if (!rc)
        tell(&solving);
    return rc;
}

/* --- how long a price lasts ------------------------------------------------------------------- */

int64_t pacer_case_count(const struct pacer_budget *budgets,
                         const struct pacer_outlook *outlooks, int budget_count)
{
    double count = CASE_COUNT_MAX;

    for (int b = 0; b < budget_count; b++) {
        double own = fmin((double)budgets[b].case_count / EACH_CASE_COUNT,
                          outlooks[b].cases_left / LEFT_PRICE_COUNT);

        if (budgets[b].plan != PACER_ASAP)
            count = fmin(count, fmax(own, 1) / fmax(outlooks[b].case_share, 1e-6));
    }
    return count < 1 ? 1 : (int64_t)count;
}
