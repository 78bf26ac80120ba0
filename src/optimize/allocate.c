/* allocate.c - budgeted choice for a batch: prices, then whole choices, then better ones. */
#include "optimize/allocate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_work.h"

enum {
    SMALL_ACTION_COUNT = 4096, /* searched until it is exact, or too long */
    FIX_REQUEST_COUNT = 6000,  /* so many and more are bracketed */
    SEARCH_STATE_COUNT = 600,  /* of large ones */
    SEARCH_REQUEST_COUNT = 60,
};

#define GAP_SMALL 1e-9 /* of the bound; not worth a search in a large problem */
#define GAP_LARGE 1e-4 /* one big action may be worth more */

static enum status work_open(const struct allocation *problem,
                             struct allocation_result *result, struct work *work,
                             struct err *err)
{
    size_t budget_count = (size_t)problem->budget_count + 1;
    size_t cell_count = (size_t)problem->cell_count + 1;
    size_t charge_count = (size_t)problem->cell_starts[problem->cell_count] + 1;

    *work = (struct work){
        .problem = problem,
        .choices = result->choices,
        .prices = result->prices,
        .rooms = calloc(budget_count, sizeof *work->rooms),
        .parents = calloc(budget_count, sizeof *work->parents),
        .chain = calloc(charge_count, sizeof *work->chain),
        .mus = calloc(cell_count, sizeof *work->mus),
        .lows = calloc(cell_count, sizeof *work->lows),
        .highs = calloc(cell_count, sizeof *work->highs),
    };
    if (!work->rooms || !work->parents || !work->chain || !work->mus || !work->lows ||
        !work->highs)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %d budgets",
                       problem->budget_count);
    return tree_find(work, err);
}

static void work_close(struct work *work)
{
    core_free(&work->core);
    free(work->rooms);
    free(work->parents);
    free(work->chain);
    free(work->mus);
    free(work->lows);
    free(work->highs);
}

/* Everybody on the cheapest action: if even that is too much, nothing fits. */
static void check_feasible(const struct allocation *problem, __int128 *cell_costs,
                           __int128 *spend, struct allocation_result *result)
{
    for (int64_t i = 0; i < problem->request_count; i++) {
        int64_t cheapest = problem->costs[problem->starts[i]];

        for (int64_t k = problem->starts[i] + 1; k < problem->starts[i + 1]; k++)
            cheapest = problem->costs[k] < cheapest ? problem->costs[k] : cheapest;
        cell_costs[problem->cells[i]] += cheapest;
    }
    for (int g = 0; g < problem->cell_count; g++)
        for (int k = problem->cell_starts[g]; k < problem->cell_starts[g + 1]; k++)
            spend[problem->cell_budgets[k]] += cell_costs[g];
    for (int b = 0; b < problem->budget_count && !result->is_infeasible; b++) {
        result->is_infeasible = spend[b] > problem->limits[b];
        result->infeasible_budget = b;
        result->infeasible_cost = spend[b];
    }
}

static enum status find_infeasible(const struct allocation *problem,
                                   struct allocation_result *result, struct err *err)
{
    __int128 *cell_costs = calloc((size_t)problem->cell_count + 1, sizeof *cell_costs);
    __int128 *spend = calloc((size_t)problem->budget_count + 1, sizeof *spend);
    enum status rc = STATUS_OK;

    result->is_infeasible = false;
    if (cell_costs && spend)
        check_feasible(problem, cell_costs, spend, result);
    else
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for %d budgets",
                     problem->budget_count);
    free(cell_costs);
    free(spend);
    return rc;
}

/* The prices, the core and the bound. */
static enum status relax(struct work *work, struct err *err)
{
    const struct allocation *problem = work->problem;
    enum status rc;

    if (problem->request_count >= FIX_REQUEST_COUNT) {
        rc = fix_and_solve(work, err);
    } else {
        for (int b = 0; b < problem->budget_count; b++)
            work->rooms[b] = problem->limits[b];
        for (int g = 0; g < problem->cell_count; g++)
            work->highs[g] = INFINITY;
        rc = core_make(work, NULL, problem->request_count, err);
        if (!rc)
            rc = prices_solve(work, 1, err);
    }
    if (!rc)
        work->bound = prices_bound(work);
    return rc;
}

static double gap_of(const struct work *work)
{
    return work->bound - (double)choices_value(work);
}

/* Search small problems with more and more states until nothing better is possible. */
static enum status search_small(struct work *work, bool *is_exact, struct err *err)
{
    static const int state_counts[] = {200, 4000, 60000};
    enum status rc = STATUS_OK;

    for (size_t i = 0;
         !rc && !*is_exact && i < sizeof state_counts / sizeof *state_counts; i++)
        rc = search_improve(work, state_counts[i], INT32_MAX, is_exact, err);
    return rc;
}

static enum status improve(struct work *work, bool *is_exact, struct err *err)
{
    const struct allocation *problem = work->problem;
    enum status rc = swap_improve(work, err);

    *is_exact = false;
    if (rc)
        return rc;
    if (problem->starts[problem->request_count] <= SMALL_ACTION_COUNT)
        return search_small(work, is_exact, err);
    if (gap_of(work) > GAP_LARGE * fabs(work->bound))
        rc = recover_single(work, err);
    if (!rc && gap_of(work) > GAP_SMALL * fabs(work->bound))
        rc =
            search_improve(work, SEARCH_STATE_COUNT, SEARCH_REQUEST_COUNT, is_exact, err);
    return rc;
}

/* What the choices are worth and cost, from nothing but the choices. */
static enum status sum_up(const struct allocation *problem,
                          struct allocation_result *result, struct err *err)
{
    __int128 *cell_costs = calloc((size_t)problem->cell_count + 1, sizeof *cell_costs);

    if (!cell_costs)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %d cells",
                       problem->cell_count);
    result->value = 0;
    for (int64_t i = 0; i < problem->request_count; i++) {
        int64_t at = problem->starts[i] + result->choices[i];

        result->value += problem->values[at];
        cell_costs[problem->cells[i]] += problem->costs[at];
    }
    for (int b = 0; b < problem->budget_count; b++)
        result->spend[b] = 0;
    for (int g = 0; g < problem->cell_count; g++)
        for (int k = problem->cell_starts[g]; k < problem->cell_starts[g + 1]; k++)
            result->spend[problem->cell_budgets[k]] += (int64_t)cell_costs[g];
    for (int b = 0; b < problem->budget_count; b++)
        assert(result->spend[b] <= problem->limits[b]);
    free(cell_costs);
    return STATUS_OK;
}

static void judge(const struct work *work, bool is_exact,
                  struct allocation_result *result)
{
    double value = (double)result->value;

    if ((__int128)value < result->value)
        value = nextafter(value, INFINITY);
    result->bound = fmax(work->bound, value);
    result->gap = result->bound != 0 ? (result->bound - value) / fabs(result->bound) : 0;
    /* Values are whole: no room for one more. */
    result->is_exact = is_exact || (__int128)floor(result->bound) <= result->value;
}

enum status allocation_solve(const struct allocation *allocation,
                             struct allocation_result *result, struct err *err)
{
    struct work work;
    bool is_exact = false;
    enum status rc = find_infeasible(allocation, result, err);

    if (rc || result->is_infeasible)
        return rc;
    rc = work_open(allocation, result, &work, err);
    if (!rc)
        rc = relax(&work, err);
    if (!rc)
        rc = recover(&work, err);
    if (!rc)
        rc = improve(&work, &is_exact, err);
    if (!rc)
        rc = sum_up(allocation, result, err);
    if (!rc)
        judge(&work, is_exact, result);
    work_close(&work);
    return rc;
}
