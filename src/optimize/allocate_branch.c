/* allocate_branch.c - the very best choice of a small problem with several budgets: branch and bound.
 *
 * A node leaves each request a range of its actions, by cost. Its bound is the dual's, from prices
 * that are warm from the node above; the range of a request that a divisible choice splits in two is
 * split there (special ordered sets; Beale and Tomlin, 1970). Nothing rests on how well prices are
 * found: whatever they are, they give a bound. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_hull.h"
#include "optimize/allocate_work.h"
#include "optimize/dual_point.h"

enum {
    BRANCH_BUDGET_COUNT_MAX = 64,
    DEPTH_MAX = 200,
    ACTION_EFFORT = 10, /* of a node */
};

#define EFFORT_MAX 3000000000 /* some seconds */
#define ROUNDING   1e-17L     /* of all that is added up */

/* The actions of a request that can be best, by rising cost and value, and what a node leaves. */
struct menu {
    int64_t request;
    int32_t cell;
    int start, first, last;
    int hull_first, hull_last; /* the range of the hull at hand */
};

/* A range as it was. */
struct change {
    int menu, first, last;
};

struct branch {
    struct work *work;
    struct menu *menus;
    int menu_count;
    int64_t *costs, *values; /* (action) */
    int32_t *actions;        /* (action): of the request */
    int32_t *hulls;          /* (action): of each menu, its hull, from the menu's start on */
    __int128 *rooms;         /* (budget): with everybody on the first action that is left */
    __int128 base;           /* what those, and all others, are worth */
    __int128 best;
    int *taken, *found; /* (menu): actions; those of the best */
    bool is_found, is_cut;
    double open; /* no node that was left out is worth more */
    int64_t effort;

    struct dual_problem dual;
    struct dual_search search;
    struct dual_cell *cells; /* (menu) */
    double *limits, *slopes, *sums;
    struct change *changes;
    int change_count, change_room;
};

/* --- ranges ---------------------------------------------------------------------------------- */

static const int32_t *menu_budgets(const struct branch *branch, int t, int *count)
{
    return budgets_of(branch->work->problem, branch->menus[t].cell, count);
}

static void move_first(struct branch *branch, int t, int first)
{
    struct menu *menu = &branch->menus[t];
    int64_t cost = branch->costs[first] - branch->costs[menu->first];
    int count;
    const int32_t *budgets = menu_budgets(branch, t, &count);

    for (int i = 0; i < count; i++)
        branch->rooms[budgets[i]] -= cost;
    branch->base += branch->values[first] - branch->values[menu->first];
    menu->first = first;
}

/* Narrow a range; false when there is no memory to remember it. */
static bool narrow(struct branch *branch, int t, int first, int last)
{
    struct menu *menu = &branch->menus[t];

    if (branch->change_count == branch->change_room) {
        int room = branch->change_room * 2 + 256;
        struct change *grown = realloc(branch->changes, (size_t)room * sizeof *grown);

        if (!grown)
            return false;
        branch->changes = grown;
        branch->change_room = room;
    }
    branch->changes[branch->change_count++] =
        (struct change){t, menu->first, menu->last};
    move_first(branch, t, first);
    menu->last = last;
    return true;
}

static void undo(struct branch *branch, int change_count)
{
    while (branch->change_count > change_count) {
        const struct change *change = &branch->changes[--branch->change_count];

        move_first(branch, change->menu, change->first);
        branch->menus[change->menu].last = change->last;
    }
}

/* The least room of a menu's budgets. */
static __int128 room_of(const struct branch *branch, int t)
{
    int count;
    const int32_t *budgets = menu_budgets(branch, t, &count);
    __int128 room = (__int128)1 << 100;

    for (int i = 0; i < count; i++)
        if (branch->rooms[budgets[i]] < room)
            room = branch->rooms[budgets[i]];
    return room;
}

/* Leave out what is too dear; false when nothing fits. */
static bool fit(struct branch *branch)
{
    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];
        __int128 room = room_of(branch, t);
        int last = menu->last;

        if (room < 0)
            return false;
        while (branch->costs[last] - branch->costs[menu->first] > room)
            last--;
        if (last < menu->last && !narrow(branch, t, menu->first, last))
            branch->is_cut = true;
    }
    return true;
}

/* --- the bound of a node --------------------------------------------------------------------- */

static void hull(struct branch *branch, int t)
{
    struct menu *menu = &branch->menus[t];
    const int64_t *costs = branch->costs + menu->first;
    const int64_t *values = branch->values + menu->first;
    int32_t *points = branch->hulls + menu->start;
    double *slopes = branch->slopes + menu->start, slope = INFINITY;
    double *own_costs = branch->sums + 2 * (size_t)menu->start;
    double *own_values = branch->sums + 2 * (size_t)menu->start + (menu->last - menu->first) + 1;
    int count = allocate_hull(costs, values, menu->last - menu->first + 1, points), budget_count;
    const int32_t *budgets = menu_budgets(branch, t, &budget_count);

    for (int k = 0; k < count; k++) {
        own_costs[k] = (double)costs[points[k]];
        own_values[k] = (double)values[points[k]];
        if (k > 0) {
            double own = (own_values[k] - own_values[k - 1]) / (own_costs[k] - own_costs[k - 1]);

            slopes[k - 1] = slope = own < slope ? own : slope;
        }
        points[k] += menu->first;
    }
    branch->cells[t] = (struct dual_cell){budgets, budget_count, count - 1, slopes, own_costs, own_values};
    menu->hull_first = menu->first;
    menu->hull_last = menu->last;
}

static enum status solve_prices(struct branch *branch, const double *prices, struct err *err)
{
    struct dual_search *search = &branch->search;

    for (int t = 0; t < branch->menu_count; t++)
        if (branch->menus[t].hull_first != branch->menus[t].first ||
            branch->menus[t].hull_last != branch->menus[t].last) {
            hull(branch, t);
            search->here.counts[t] = 0;
        }
    memcpy(search->here.prices, prices, (size_t)branch->dual.budget_count * sizeof *prices);
    search->is_exact = false;
    dual_evaluate(search, &search->here);
    return dual_descend_edges(search, err);
}

static long double price_of(const struct branch *branch, int t)
{
    int count;
    const int32_t *budgets = menu_budgets(branch, t, &count);
    long double mu = 0;

    for (int i = 0; i < count; i++)
        mu += (long double)branch->search.here.prices[budgets[i]];
    return mu;
}

/* What an action is worth at a price more than the first of its range. */
static long double worth(const struct branch *branch, int t, int k, long double mu)
{
    int first = branch->menus[t].first;

    return (long double)(branch->values[k] - branch->values[first]) -
           mu * (long double)(branch->costs[k] - branch->costs[first]);
}

static long double worth_most(const struct branch *branch, int t, long double mu)
{
    long double most = 0;

    for (int k = branch->menus[t].first + 1; k <= branch->menus[t].last; k++) {
        long double own = worth(branch, t, k, mu);

        most = own > most ? own : most;
    }
    return most;
}

/* No choice that the node leaves is worth more. */
static double bound_of(const struct branch *branch)
{
    long double sum = (long double)branch->base, size = fabsl(sum);

    for (int b = 0; b < branch->dual.budget_count; b++) {
        long double term = (long double)branch->search.here.prices[b] * (long double)branch->rooms[b];

        sum += term;
        size += fabsl(term);
    }
    for (int t = 0; t < branch->menu_count; t++) {
        long double mu = price_of(branch, t);

        sum += worth_most(branch, t, mu);
        size += mu * (long double)branch->costs[branch->menus[t].last] +
                fabsl((long double)branch->values[branch->menus[t].last]);
    }
    return nextafter((double)(sum + size * ROUNDING), INFINITY);
}

static bool is_hopeless(const struct branch *branch, double bound)
{
    return (__int128)floor(bound) < branch->best + branch->work->unit;
}

/* Leave out the ends of ranges that would lose what the bound is over the best. */
static void fix(struct branch *branch, double bound)
{
    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];
        long double mu = price_of(branch, t), most = (long double)bound - worth_most(branch, t, mu);
        int first = menu->first, last = menu->last;

        while (last > first && is_hopeless(branch, (double)(most + worth(branch, t, last, mu))))
            last--;
        while (first < last && is_hopeless(branch, (double)(most + worth(branch, t, first, mu))))
            first++;
        if ((first > menu->first || last < menu->last) && !narrow(branch, t, first, last))
            branch->is_cut = true;
    }
}

/* --- choices --------------------------------------------------------------------------------- */

/* Of a divisible choice what is whole, then what else there is room for. */
static void note(struct branch *branch)
{
    __int128 value = branch->base;
    bool fits = true;
    int count;

    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];
        const int32_t *budgets = menu_budgets(branch, t, &count);
        int k = branch->hulls[menu->start + (branch->search.is_exact ? branch->search.taken[t] : branch->search.here.counts[t])];

        branch->taken[t] = k;
        value += branch->values[k] - branch->values[menu->first];
        for (int i = 0; i < count; i++)
            branch->rooms[budgets[i]] -= branch->costs[k] - branch->costs[menu->first];
    }
    for (int b = 0; b < branch->dual.budget_count; b++)
        fits = fits && branch->rooms[b] >= 0;
    for (int t = 0; fits && t < branch->menu_count; t++) {
        const int32_t *budgets = menu_budgets(branch, t, &count);
        __int128 room = room_of(branch, t);
        int k = branch->menus[t].last, now = branch->taken[t];

        while (k > now && branch->costs[k] - branch->costs[now] > room)
            k--;
        branch->taken[t] = k;
        value += branch->values[k] - branch->values[now];
        for (int i = 0; i < count; i++)
            branch->rooms[budgets[i]] -= branch->costs[k] - branch->costs[now];
    }
    for (int t = 0; t < branch->menu_count; t++) {
        const int32_t *budgets = menu_budgets(branch, t, &count);

        for (int i = 0; i < count; i++)
            branch->rooms[budgets[i]] += branch->costs[branch->taken[t]] - branch->costs[branch->menus[t].first];
    }
    if (!fits || value <= branch->best)
        return;
    branch->best = value;
    branch->is_found = true;
    memcpy(branch->found, branch->taken, (size_t)branch->menu_count * sizeof *branch->found);
}

/* Which range to split, after which action; false when all are down to one. */
static bool choose_split(const struct branch *branch, int *menu, int *at, bool *is_up)
{
    double most = 0;
    int widest = 0;

    *menu = -1;
    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *own = &branch->menus[t];
        int taken = branch->search.taken[t], k = own->first;
        const struct dual_cell *cell = &branch->cells[t];
        double part = branch->search.parts[t], rest, score;

        if (own->first == own->last || !branch->search.is_exact || !(part > 0) || taken >= cell->increment_count)
            continue;
        rest = cell->costs[taken + 1] - cell->costs[taken] - part;
        score = fmin(part, rest) * cell->slopes[taken];
        if (score <= most)
            continue;
        while (k + 1 < own->last && (double)branch->costs[k + 1] <= cell->costs[taken] + part)
            k++;
        most = score;
        *menu = t;
        *at = k;
        *is_up = part > rest;
    }
    for (int t = 0; *menu < 0 && t < branch->menu_count; t++)
        if (branch->menus[t].last - branch->menus[t].first > widest) {
            widest = branch->menus[t].last - branch->menus[t].first;
            *at = branch->menus[t].first + widest / 2;
            *is_up = false;
        }
    for (int t = 0; *menu < 0 && t < branch->menu_count; t++)
        if (widest > 0 && branch->menus[t].last - branch->menus[t].first == widest)
            *menu = t;
    if (*menu >= 0 && most <= 0)
        *at = branch->menus[*menu].first + (widest - 1) / 2;
    return *menu >= 0;
}

static long nodes;
#include <stdio.h>
static enum status explore(struct branch *branch, int depth, double above, const double *start, struct err *err)
{
    double prices[BRANCH_BUDGET_COUNT_MAX], bound;
    int change_count = branch->change_count, menu, at;
    bool is_up;
    enum status rc;

    nodes++;
    branch->search.effort = branch->effort;
    if (depth > DEPTH_MAX || branch->effort <= 0 || branch->is_cut) {
        branch->is_cut = true;
        branch->open = fmax(branch->open, above);
        return STATUS_OK;
    }
    if (!fit(branch))
        goto out;
    rc = solve_prices(branch, start, err);
    branch->effort = branch->search.effort - ACTION_EFFORT * (branch->menus[branch->menu_count-1].start + 8);
    if (rc)
        return rc;
    bound = fmin(above, bound_of(branch));
    if (is_hopeless(branch, bound))
        goto out;
    note(branch);
    if (is_hopeless(branch, bound))
        goto out;
    memcpy(prices, branch->search.here.prices, sizeof(double) * (size_t)branch->dual.budget_count);
    if (!choose_split(branch, &menu, &at, &is_up))
        goto out;
    fix(branch, bound);
    for (int side = 0; side < 2; side++) {
        const struct menu *own = &branch->menus[menu];
        int before = branch->change_count;
        int first = own->first, last = own->last;
        if ((side == 0) == is_up) first = at + 1 > first ? at + 1 : first;
        else last = at < last ? at : last;

        if (first > last)
            continue;
        if (!narrow(branch, menu, first, last))
            branch->is_cut = true;
        rc = explore(branch, depth + 1, bound, prices, err);
        if (rc)
            return rc;
        undo(branch, before);
    }
out:
    undo(branch, change_count);
    return STATUS_OK;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int by_cost(const void *a, const void *b, void *of)
{
    const struct branch *branch = of;
    const int32_t *x = a, *y = b;
    int64_t start = branch->work->problem->starts[branch->menus[branch->menu_count].request];
    int64_t cx = branch->work->problem->costs[start + *x], cy = branch->work->problem->costs[start + *y];
    int64_t vx = branch->work->problem->values[start + *x], vy = branch->work->problem->values[start + *y];

    if (cx != cy)
        return cx < cy ? -1 : 1;
    if (vx != vy)
        return vx > vy ? -1 : 1;
    return *x - *y;
}

/* Menus of what is not dominated: dearer is worth more. */
static void fill_menu(struct branch *branch, int64_t request, int *used)
{
    const struct allocation *problem = branch->work->problem;
    int64_t start = problem->starts[request];
    int count = (int)(problem->starts[request + 1] - start), kept = *used;
    struct menu *menu = &branch->menus[branch->menu_count];
    int32_t *actions = branch->actions + *used;

    *menu = (struct menu){request, problem->cells[request], *used, *used, *used, -1, -1};
    for (int j = 0; j < count; j++)
        actions[j] = j;
    qsort_r(actions, (size_t)count, sizeof *actions, by_cost, branch);
    for (int j = 0; j < count; j++) {
        int64_t value = problem->values[start + actions[j]];

        if (kept > *used && value <= branch->values[kept - 1])
            continue;
        branch->costs[kept] = problem->costs[start + actions[j]];
        branch->values[kept] = value;
        branch->actions[kept++] = actions[j];
    }
    menu->last = kept - 1;
    branch->base += branch->values[menu->first];
    for (int i = 0, n; i < (budgets_of(problem, menu->cell, &n), n); i++)
        branch->rooms[budgets_of(problem, menu->cell, &n)[i]] += problem->costs[start + branch->work->choices[request]] - branch->costs[menu->first];
    branch->menu_count++;
    *used = kept;
}

static bool open_all(struct branch *branch)
{
    struct work *work = branch->work;
    size_t n = (size_t)work->core.request_count + 1, m = (size_t)work->problem->budget_count + 1;
    size_t k = (size_t)work->problem->starts[work->problem->request_count] + n;
    int used = 0;

    branch->menus = calloc(n, sizeof *branch->menus);
    branch->costs = calloc(k, 8);
    branch->values = calloc(k, 8);
    branch->actions = calloc(k, 4);
    branch->hulls = calloc(k, 4);
    branch->rooms = calloc(m, sizeof *branch->rooms);
    branch->taken = calloc(n, sizeof(int));
    branch->found = calloc(n, sizeof(int));
    branch->cells = calloc(n, sizeof *branch->cells);
    branch->limits = calloc(m, 8);
    branch->slopes = calloc(k, 8);
    branch->sums = calloc(2 * k + 2, 8);
    memcpy(branch->rooms, work->rooms, (m - 1) * sizeof *branch->rooms);
    branch->base = work->outside_value;
    for (int64_t i = 0; i < work->core.request_count; i++)
        fill_menu(branch, core_request(&work->core, i), &used);
    for (size_t b = 0; b + 1 < m; b++)
        branch->limits[b] = (double)branch->rooms[b];
    for (int t = 0; t < branch->menu_count; t++) {
        int count;
        const int32_t *budgets = menu_budgets(branch, t, &count);
        for (int i = 0; i < count; i++)
            branch->limits[budgets[i]] += (double)branch->costs[branch->menus[t].first];
        hull(branch, t);
    }
    branch->dual = (struct dual_problem){branch->cells, branch->menu_count, branch->limits, work->problem->budget_count, 0};
    return true;
}

enum status branch_improve(struct work *work, bool *is_exact, struct err *err)
{
    struct branch branch = {.work = work, .open = -INFINITY, .effort = work->effort < EFFORT_MAX ? work->effort : EFFORT_MAX};
    enum status rc;

    if (work->problem->budget_count > BRANCH_BUDGET_COUNT_MAX || work->core.requests)
        return STATUS_OK;
    (void)open_all(&branch);
    branch.best = choices_value(work);
    nodes = 0;
    rc = dual_search_open(&branch.dual, work->prices, &branch.search, err);
    if (!rc)
        rc = explore(&branch, 0, work->bound, work->prices, err);
    if (branch.is_found)
        for (int t = 0; t < branch.menu_count; t++)
            choose(work, branch.menus[t].request, branch.actions[branch.found[t]]);
    *is_exact = !rc && !branch.is_cut;
    if (getenv("DBG"))
        fprintf(stderr, "nodes %ld best %ld bound %.1f open %.1f exact %d effort %ld\n", nodes, (long)branch.best, work->bound, branch.open, *is_exact, (long)branch.effort);
    if (branch.is_cut) work->bound = fmin(work->bound, branch.open);
    dual_search_free(&branch.search);
    free(branch.menus); free(branch.costs); free(branch.values); free(branch.actions); free(branch.hulls); free(branch.rooms); free(branch.taken); free(branch.found); free(branch.cells); free(branch.limits); free(branch.slopes); free(branch.sums); free(branch.changes);
    return rc;
}
