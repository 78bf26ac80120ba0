/* allocate_node.c - see allocate_branch.h. */
#include "optimize/allocate_branch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_hull.h"

enum { ACTION_EFFORT = 10 /* of a node */ };

#define ROUNDING 1e-17L /* of all that is added up */

const int32_t *node_budgets(const struct branch *branch, int t, int *count)
{
    return budgets_of(branch->work->problem, branch->menus[t].cell, count);
}

void node_charge(struct branch *branch, int t, int from, int to)
{
    int64_t cost = branch->costs[to] - branch->costs[from];
    int count;
    const int32_t *budgets = node_budgets(branch, t, &count);

    for (int i = 0; i < count; i++)
        branch->rooms[budgets[i]] -= cost;
}

static void move_first(struct branch *branch, int t, int first)
{
    struct menu *menu = &branch->menus[t];

    node_charge(branch, t, menu->first, first);
    branch->base += branch->values[first] - branch->values[menu->first];
    menu->first = first;
}

void node_narrow(struct branch *branch, int t, int first, int last)
{
    struct menu *menu = &branch->menus[t];

    if (branch->change_count == branch->change_room) {
        int room = branch->change_room * 2 + 256;
        struct change *grown = realloc(branch->changes, (size_t)room * sizeof *grown);

        if (!grown) {
            branch->is_cut = true;
            return;
        }
        branch->changes = grown;
        branch->change_room = room;
    }
    branch->changes[branch->change_count++] = (struct change){t, menu->first, menu->last};
    move_first(branch, t, first);
    menu->last = last;
}

void node_undo(struct branch *branch, int change_count)
{
    while (branch->change_count > change_count) {
        const struct change *change = &branch->changes[--branch->change_count];

        move_first(branch, change->menu, change->first);
        branch->menus[change->menu].last = change->last;
    }
}

__int128 node_room(const struct branch *branch, int t)
{
    int count;
    const int32_t *budgets = node_budgets(branch, t, &count);
    __int128 room = (__int128)1 << 100;

    for (int i = 0; i < count; i++)
        if (branch->rooms[budgets[i]] < room)
            room = branch->rooms[budgets[i]];
    return room;
}

bool node_fit(struct branch *branch)
{
    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];
        __int128 room = node_room(branch, t);
        int last = menu->last;

        if (room < 0)
            return false;
        while (branch->costs[last] - branch->costs[menu->first] > room)
            last--;
        if (last < menu->last)
            node_narrow(branch, t, menu->first, last);
    }
    return true;
}

/* --- the bound of a node --------------------------------------------------------------------- */

void node_hull(struct branch *branch, int t)
{
    struct menu *menu = &branch->menus[t];
    const int64_t *costs = branch->costs + menu->first;
    const int64_t *values = branch->values + menu->first;
    int32_t *points = branch->hulls + menu->start;
    double *slopes = branch->slopes + menu->start, slope = INFINITY;
    double *own_costs = branch->sums + 2 * (size_t)menu->start;
    double *own_values =
        branch->sums + 2 * (size_t)menu->start + (menu->last - menu->first) + 1;
    int count = allocate_hull(costs, values, menu->last - menu->first + 1, points),
        budget_count;
    const int32_t *budgets = node_budgets(branch, t, &budget_count);

    for (int k = 0; k < count; k++) {
        own_costs[k] = (double)costs[points[k]];
        own_values[k] = (double)values[points[k]];
        if (k > 0) {
            double own =
                (own_values[k] - own_values[k - 1]) / (own_costs[k] - own_costs[k - 1]);

            slopes[k - 1] = slope = own < slope ? own : slope;
        }
        points[k] += menu->first;
    }
    branch->cells[t] = (struct dual_cell){budgets, budget_count, count - 1,
                                          slopes,  own_costs,    own_values};
    menu->hull_first = menu->first;
    menu->hull_last = menu->last;
}

enum status node_solve(struct branch *branch, const double *prices, struct err *err)
{
    struct dual_search *search = &branch->search;

    for (int t = 0; t < branch->menu_count; t++)
        if (branch->menus[t].hull_first != branch->menus[t].first ||
            branch->menus[t].hull_last != branch->menus[t].last) {
            node_hull(branch, t);
            search->here.counts[t] = 0;
        }
    memcpy(search->here.prices, prices,
           (size_t)branch->dual.budget_count * sizeof *prices);
    search->is_exact = false;
    (void)dual_spend(search, (int64_t)ACTION_EFFORT * branch->action_count);
    dual_evaluate(search, &search->here);
    return dual_descend_edges(search, err);
}

static long double price_of(const struct branch *branch, int t)
{
    int count;
    const int32_t *budgets = node_budgets(branch, t, &count);
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

double node_bound(const struct branch *branch)
{
    long double sum = (long double)branch->base, size = fabsl(sum);

    for (int b = 0; b < branch->dual.budget_count; b++) {
        long double term =
            (long double)branch->search.here.prices[b] * (long double)branch->rooms[b];

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

bool node_is_hopeless(const struct branch *branch, double bound)
{
    return (__int128)floor(bound) < branch->best + 1 /* values are whole */;
}

void node_fix(struct branch *branch, double bound)
{
    for (int t = 0; t < branch->menu_count; t++) {
        const struct menu *menu = &branch->menus[t];
        long double mu = price_of(branch, t),
                    most = (long double)bound - worth_most(branch, t, mu);
        int first = menu->first, last = menu->last;

        while (last > first &&
               node_is_hopeless(branch, (double)(most + worth(branch, t, last, mu))))
            last--;
        while (first < last &&
               node_is_hopeless(branch, (double)(most + worth(branch, t, first, mu))))
            first++;
        if (first > menu->first || last < menu->last)
            node_narrow(branch, t, first, last);
    }
}
