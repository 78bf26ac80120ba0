/* allocate_branch.c - the very best choice of a small problem with several budgets:
 * branch and bound.
 *
 * A node leaves each request a range of its actions, by cost. Its bound is the dual's,
 * from prices that are warm from the node above; the range of a request that a divisible
 * choice splits in two is split there (special ordered sets; Beale and Tomlin, 1970).
 * Nothing rests on how well prices are found: whatever they are, they give a bound. */
#include "optimize/allocate_branch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200 };

#define EFFORT_MAX 5000000000 /* some seconds */

struct point {
    int64_t cost, value;
    int32_t action;
};

/* --- choices --------------------------------------------------------------------------------- */

/* How many increments a divisible choice takes; without one, those over the price. */
static int taken_of(const struct branch *branch, int t)
{
    const struct dual_search *search = &branch->search;

    return search->is_exact ? search->taken[t] : search->here.counts[t];
}

static void take(struct branch *branch, int t, int action, __int128 *value)
{
    *value += branch->values[action] - branch->values[branch->taken[t]];
    node_charge(branch, t, branch->taken[t], action);
    branch->taken[t] = action;
}

/* The dearest action that there is room for. */
static int dearest(const struct branch *branch, int t)
{
    __int128 room = node_room(branch, t);
    int action = branch->menus[t].last;

    while (action > branch->taken[t] &&
           branch->costs[action] - branch->costs[branch->taken[t]] > room)
        action--;
    return action;
}

/* Of a divisible choice what is whole, then what else there is room for. */
static void note(struct branch *branch)
{
    __int128 value = branch->base;
    bool fits = true;

    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];

        branch->taken[t] = menu->first;
        take(branch, t, branch->hulls[menu->start + taken_of(branch, t)], &value);
    }
    for (int b = 0; b < branch->dual.budget_count; b++)
        fits = fits && branch->rooms[b] >= 0;
    for (int t = 0; fits && t < branch->menu_count; t++)
        take(branch, t, dearest(branch, t), &value);
    if (fits && value > branch->best) {
        branch->best = value;
        branch->is_found = true;
        memcpy(branch->found, branch->taken,
               (size_t)branch->menu_count * sizeof *branch->found);
    }
    for (int t = 0; t < branch->menu_count; t++)
        take(branch, t, branch->menus[t].first, &value);
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* Where a range is split: after an action; the half that is looked at first. */
struct split {
    int menu, after;
    bool is_up;
};

/* The request whose increment is split most, by value. */
static bool split_part(const struct branch *branch, struct split *split)
{
    double most = 0;

    for (int t = 0; branch->search.is_exact && t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];
        const struct dual_cell *cell = &branch->cells[t];
        int taken = branch->search.taken[t], after = menu->first;
        double part = branch->search.parts[t], rest;

        if (taken >= cell->increment_count || menu->first == menu->last)
            continue;
        rest = cell->costs[taken + 1] - cell->costs[taken] - part;
        if (fmin(part, rest) * cell->slopes[taken] <= most)
            continue;
        while (after + 1 < menu->last &&
               (double)branch->costs[after + 1] <= cell->costs[taken] + part)
            after++;
        most = fmin(part, rest) * cell->slopes[taken];
        *split = (struct split){t, after, part > rest};
    }
    return most > 0;
}

/* The widest range, in the middle; false when all are down to one. */
static bool split_widest(const struct branch *branch, struct split *split)
{
    int widest = 0;

    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];

        if (menu->last - menu->first <= widest)
            continue;
        widest = menu->last - menu->first;
        *split = (struct split){t, menu->first + (widest - 1) / 2, false};
    }
    return widest > 0;
}

static enum status explore(struct branch *branch, int depth, double above,
                           const double *prices, struct err *err);

/* Both halves of a range. */
static enum status explore_halves(struct branch *branch, int depth, double bound,
                                  const struct split *split, struct err *err)
{
    const struct menu *menu = &branch->menus[split->menu];
    double prices[BRANCH_BUDGET_COUNT_MAX];
    enum status rc = STATUS_OK;

    memcpy(prices, branch->search.here.prices,
           (size_t)branch->dual.budget_count * sizeof *prices);
    for (int side = 0; !rc && side < 2; side++) {
        int change_count = branch->change_count;
        bool is_upper = (side == 0) == split->is_up;
        int first = menu->first, last = menu->last;

        if (is_upper)
            first = split->after + 1 > first ? split->after + 1 : first;
        else
            last = split->after < last ? split->after : last;
        if (first > last)
            continue;
        node_narrow(branch, split->menu, first, last);
        rc = explore(branch, depth + 1, bound, prices, err);
        node_undo(branch, change_count);
    }
    return rc;
}

/* What is not looked at may be worth as much as the node above. */
static bool is_left_out(struct branch *branch, int depth, double above)
{
    branch->is_cut = branch->is_cut || depth > DEPTH_MAX || branch->search.effort <= 0;
    if (branch->is_cut)
        branch->open = fmax(branch->open, above);
    return branch->is_cut;
}

/* A node: what the ranges leave. above: no less than what that is worth. */
static enum status explore(struct branch *branch, int depth, double above,
                           const double *prices, struct err *err)
{
    int change_count = branch->change_count;
    struct split split;
    double bound;
    enum status rc = STATUS_OK;

    if (is_left_out(branch, depth, above))
        return STATUS_OK;
    if (node_fit(branch)) {
        rc = node_solve(branch, prices, err);
        bound = rc ? above : fmin(above, node_bound(branch));
        if (!rc && !node_is_hopeless(branch, bound))
            note(branch);
        if (!rc && !node_is_hopeless(branch, bound) &&
            (split_part(branch, &split) || split_widest(branch, &split))) {
            node_fix(branch, bound);
            rc = explore_halves(branch, depth, bound, &split, err);
        }
    }
    node_undo(branch, change_count);
    return rc;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int by_cost(const void *a, const void *b)
{
    const struct point *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->action - y->action;
}

/* The menu of a request: what is dearer is worth more, or it is never better. Returns
 * where the next begins. */
static int fill_menu(struct branch *branch, int64_t request, int start)
{
    const struct allocation *problem = branch->work->problem;
    int64_t from = problem->starts[request];
    int count = (int)(problem->starts[request + 1] - from), end = start;
    struct point points[ALLOCATION_ACTION_COUNT_MAX];

    for (int j = 0; j < count; j++)
        points[j] =
            (struct point){problem->costs[from + j], problem->values[from + j], j};
    qsort(points, (size_t)count, sizeof *points, by_cost);
    for (int j = 0; j < count; j++) {
        if (end > start && points[j].value <= branch->values[end - 1])
            continue;
        branch->costs[end] = points[j].cost;
        branch->values[end] = points[j].value;
        branch->actions[end++] = points[j].action;
    }
    branch->menus[branch->menu_count++] =
        (struct menu){request, problem->cells[request], start, start, end - 1, -1, -1};
    return end;
}

/* Everybody on the first action; what that costs belongs to the limits of the dual. */
static void fill(struct branch *branch)
{
    const struct work *work = branch->work;
    int next = 0, count;

    memcpy(branch->rooms, work->rooms,
           (size_t)work->problem->budget_count * sizeof *branch->rooms);
    branch->base = work->outside_value;
    for (int64_t i = 0; i < work->core.request_count; i++) {
        int64_t request = core_request(&work->core, i);
        const int32_t *budgets =
            budgets_of(work->problem, work->problem->cells[request], &count);
        int64_t now = work->problem->starts[request] + work->choices[request];

        for (int k = 0; k < count; k++)
            branch->rooms[budgets[k]] += work->problem->costs[now];
        next = fill_menu(branch, request, next);
    }
    branch->action_count = next;
    for (int b = 0; b < work->problem->budget_count; b++)
        branch->limits[b] = (double)branch->rooms[b];
    for (int t = 0; t < branch->menu_count; t++) {
        int first = branch->menus[t].first;
        const int32_t *budgets = node_budgets(branch, t, &count);

        for (int k = 0; k < count; k++)
            branch->rooms[budgets[k]] -= branch->costs[first];
        branch->base += branch->values[first];
        node_hull(branch, t);
    }
    branch->dual = (struct dual_problem){.cells = branch->cells,
                                         .cell_count = branch->menu_count,
                                         .limits = branch->limits,
                                         .budget_count = work->problem->budget_count};
}

static bool branch_alloc(struct branch *branch)
{
    const struct allocation *problem = branch->work->problem;
    size_t menus = (size_t)problem->request_count + 1;
    size_t budgets = (size_t)problem->budget_count + 1;
    size_t actions = (size_t)problem->starts[problem->request_count] + 1;

    branch->menus = calloc(menus, sizeof *branch->menus);
    branch->taken = calloc(menus, sizeof *branch->taken);
    branch->found = calloc(menus, sizeof *branch->found);
    branch->cells = calloc(menus, sizeof *branch->cells);
    branch->rooms = calloc(budgets, sizeof *branch->rooms);
    branch->limits = calloc(budgets, sizeof *branch->limits);
    branch->costs = calloc(actions, sizeof *branch->costs);
    branch->values = calloc(actions, sizeof *branch->values);
    branch->actions = calloc(actions, sizeof *branch->actions);
    branch->hulls = calloc(actions, sizeof *branch->hulls);
    branch->slopes = calloc(actions, sizeof *branch->slopes);
    branch->sums = calloc(2 * actions, sizeof *branch->sums);
    return branch->menus && branch->taken && branch->found && branch->cells &&
           branch->rooms && branch->limits && branch->costs && branch->values &&
           branch->actions && branch->hulls && branch->slopes && branch->sums;
}

static void branch_free(struct branch *branch)
{
    dual_search_free(&branch->search);
    free(branch->menus);
    free(branch->taken);
    free(branch->found);
    free(branch->cells);
    free(branch->rooms);
    free(branch->limits);
    free(branch->costs);
    free(branch->values);
    free(branch->actions);
    free(branch->hulls);
    free(branch->slopes);
    free(branch->sums);
    free(branch->changes);
}

static enum status run(struct branch *branch, struct err *err)
{
    struct work *work = branch->work;
    int64_t effort = work->effort < EFFORT_MAX ? work->effort : EFFORT_MAX;
    enum status rc;

    fill(branch);
    rc = dual_search_open(&branch->dual, work->prices, &branch->search, err);
    if (rc)
        return rc;
    branch->search.effort = effort;
    rc = explore(branch, 0, work->bound, work->prices, err);
    (void)work_spend(work, effort - branch->search.effort);
    return rc;
}

enum status branch_improve(struct work *work, bool *is_exact, struct err *err)
{
    struct branch branch = {.work = work, .best = choices_value(work), .open = -INFINITY};
    enum status rc = STATUS_OK;

    if (work->core.requests || work->problem->budget_count > BRANCH_BUDGET_COUNT_MAX)
        return STATUS_OK;
    if (branch_alloc(&branch))
        rc = run(&branch, err);
    else
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for a search");
    for (int t = 0; branch.is_found && t < branch.menu_count; t++)
        choose(work, branch.menus[t].request, branch.actions[branch.found[t]]);
    *is_exact = !rc && !branch.is_cut;
    if (!rc && branch.is_cut)
        work->bound_searched = branch.open;
    branch_free(&branch);
    return rc;
}
