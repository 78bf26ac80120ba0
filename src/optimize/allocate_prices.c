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
    struct dual_result result = {.counts = work->taken};
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

/* A sum, and the size of what was added up, which its rounding is a part of. */
struct sum {
    long double value, size;
};

static void add(struct sum *sum, long double term)
{
    sum->value += term;
    sum->size += fabsl(term);
}

/* A cell's price, all but exactly. */
static long double cell_price(const struct work *work, int32_t cell)
{
    long double mu = 0;
    int count;
    const int32_t *budgets = budgets_of(work->problem, cell, &count);

    for (int i = 0; i < count; i++)
        mu += (long double)work->prices[budgets[i]];
    return mu;
}

/* The most that an action of the request is worth at a price, beside the one that is
 * chosen. */
static void add_best(const struct work *work, int64_t request, long double mu,
                     struct sum *sum)
{
    const struct allocation *problem = work->problem;
    int64_t start = problem->starts[request], end = problem->starts[request + 1];
    int64_t chosen = start + work->choices[request], best = chosen;
    long double best_worth = 0;

    for (int64_t k = start; k < end; k++) {
        long double worth =
            (long double)(problem->values[k] - problem->values[chosen]) -
            mu * (long double)(problem->costs[k] - problem->costs[chosen]);

        if (worth > best_worth) {
            best_worth = worth;
            best = k;
        }
    }
    add(sum, (long double)(problem->values[best] - problem->values[chosen]));
    add(sum, -mu * (long double)(problem->costs[best] - problem->costs[chosen]));
    sum->size += fabsl((long double)problem->values[chosen]);
}

/* What is left of each budget when everybody is served at the price, times its price.
 * Rounding is on the safe side: long doubles have 64 bits, so that most of it is of the
 * double that is returned. Those who are not of the core were compared in doubles. */
double prices_bound(const struct work *work)
{
    const struct allocation *problem = work->problem;
    const struct core *core = &work->core;
    struct sum sum = {0, 0};
    long double slack, spend = 0;

    for (int64_t i = 0; i < core->request_count; i++) {
        int64_t request = core_request(core, i);

        add_best(work, request, cell_price(work, problem->cells[request]), &sum);
    }
    for (int b = 0; b < problem->budget_count; b++) {
        add(&sum, (long double)work->prices[b] * (long double)work->rooms[b]);
        spend += (long double)work->prices[b] * (long double)problem->limits[b];
    }
    add(&sum, (long double)choices_value(work));
    slack = sum.size * 4e-16L;
    if (core->requests)
        slack += (spend + fabsl((long double)work->outside_value)) * 4e-15L;
    return (double)(sum.value + slack);
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
