/* allocate_prices.c - the prices of the core, and the bound they prove. */
#include <math.h>
#include <stdlib.h>

#include "optimize/allocate_hull.h"
#include "optimize/allocate_work.h"

void prices_sum(struct work *work)
{
    for (int g = 0; g < work->problem->cell_count; g++) {
        int count;
        const int32_t *budgets = budgets_of(work->problem, g, &count);

        work->mus[g] = 0;
        for (int i = 0; i < count; i++)
            work->mus[g] += work->prices[budgets[i]];
    }
}

enum status prices_solve(struct work *work, struct err *err)
{
    int budget_count = work->problem->budget_count;
    double *rooms = calloc((size_t)budget_count + 1, sizeof *rooms);
    struct dual_problem dual = {.cells = work->core.cells,
                                .cell_count = work->problem->cell_count,
                                .limits = rooms,
                                .budget_count = budget_count,
                                .effort_max = work->problem->effort_max / 2};
    struct dual_result result;
    enum status rc = STATUS_OK;

    if (!rooms)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %d budgets", budget_count);
    for (int b = 0; b < budget_count; b++)
        rooms[b] = fmax(0, (double)work->rooms[b]);
    if (work->is_tree)
        rc = tree_solve(work, rooms, work->prices, err);
    else
        rc = dual_solve(&dual, work->prices, &result, err);
    if (!rc)
        prices_sum(work);
    free(rooms);
    return rc;
}

/* Doubles will do: which action is best by a hair does not matter. */
int32_t best_action(const struct allocation *problem, int64_t request, double mu)
{
    const int64_t *costs = problem->costs + problem->starts[request];
    const int64_t *values = problem->values + problem->starts[request];
    int count = (int)(problem->starts[request + 1] - problem->starts[request]);
    double best_worth = -INFINITY;
    int32_t best = 0;

    for (int j = 0; j < count; j++) {
        double worth = (double)values[j] - mu * (double)costs[j];

        if (worth > best_worth) {
            best_worth = worth;
            best = j;
        }
    }
    return best;
}

double prices_bound(const struct work *work)
{
    const struct allocation *problem = work->problem;
    const struct core *core = &work->core;
    __int128 value = 0;
    long double bound = 0, size = 0;

    /* What is left of each budget when everybody is served at the price, times its price. */
    for (int64_t i = 0; i < core->request_count; i++) {
        int64_t request = core_request(core, i);
        const int64_t *values = problem->values + problem->starts[request];
        const int64_t *costs = problem->costs + problem->starts[request];
        double mu = work->mus[problem->cells[request]];
        int32_t best = best_action(problem, request, mu), chosen = work->choices[request];

        value += values[best] - values[chosen];
        bound -= (long double)mu * (long double)(costs[best] - costs[chosen]);
    }
    for (int b = 0; b < problem->budget_count; b++) {
        bound += (long double)work->prices[b] * (long double)work->rooms[b];
        size += (long double)work->prices[b] * (long double)problem->limits[b];
    }
    value += choices_value(work);
    bound += (long double)value;
    size += fabsl(bound);
    bound += size * 4e-16L; /* rounding is on the safe side */
    return (double)bound;
}

__int128 choices_value(const struct work *work)
{
    const struct allocation *problem = work->problem;
    __int128 value = work->outside_value;

    for (int64_t i = 0; i < work->core.request_count; i++) {
        int64_t request = core_request(&work->core, i);

        value += problem->values[problem->starts[request] + work->choices[request]];
    }
    return value;
}
