/* allocate.c - budgeted choice for a batch: prices, then whole choices, then better
 * ones. */
#include "optimize/allocate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_work.h"

enum {
    SMALL_ACTION_COUNT = 4096, /* searched until it is exact, or too long */
    FIX_REQUEST_COUNT = 6000,  /* so many and more are bracketed */
};

#define GAP_SMALL  5e-8 /* of the bound; not worth the time in a large problem */
#define GAP_MIDDLE 4e-7 /* worth it, of one budget */
#define GAP_NEAR   1e-5 /* moves and pairs did enough */
#define GAP_LARGE  1e-4 /* one big action may be worth more */

static enum status work_open(const struct allocation *problem,
                             struct allocation_result *result, struct work *work,
                             struct err *err)
{
    size_t budget_count = (size_t)problem->budget_count + 1;
    size_t cell_count = (size_t)problem->cell_count + 1;
    size_t charge_count = (size_t)problem->cell_starts[problem->cell_count] + 1;

    *work = (struct work){
        .problem = problem,
        .bound_searched = INFINITY,
        .choices = result->choices,
        .prices = result->prices,
        .effort = problem->effort_max > 0 ? problem->effort_max / 2 : INT64_MAX,
        .rooms = calloc(budget_count, sizeof *work->rooms),
        .parents = calloc(budget_count, sizeof *work->parents),
        .chain = calloc(charge_count, sizeof *work->chain),
        .mus = calloc(cell_count, sizeof *work->mus),
        .taken = calloc(cell_count, sizeof *work->taken),
        .lows = calloc(cell_count, sizeof *work->lows),
        .highs = calloc(cell_count, sizeof *work->highs),
    };
    if (!work->rooms || !work->parents || !work->chain || !work->mus || !work->taken ||
        !work->lows || !work->highs)
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
    free(work->taken);
    free(work->lows);
    free(work->highs);
}

/* With everybody on the cheapest action, a budget without room says that nothing fits. */
static bool find_infeasible(const struct work *work, struct allocation_result *result)
{
    for (int b = 0; b < work->problem->budget_count; b++) {
        if (work->rooms[b] >= 0)
            continue;
        result->is_infeasible = true;
        result->infeasible_budget = b;
        result->infeasible_cost = work->problem->limits[b] - work->rooms[b];
        return true;
    }
    return false;
}

/* The prices, the core and the bound. */
static enum status relax(struct work *work, struct allocation_result *result,
                         struct err *err)
{
    const struct allocation *problem = work->problem;
    bool is_done = false;
    enum status rc = STATUS_OK;

    if (problem->request_count >= FIX_REQUEST_COUNT)
        rc = fix_and_solve(work, &is_done, err);
    if (!rc && !is_done) {
        core_reset(work, 0, INFINITY);
        rc = core_make(work, NULL, problem->request_count, err);
        if (rc || find_infeasible(work, result))
            return rc;
        rc = prices_solve(work, err);
    }
    if (!rc)
        work->bound = prices_bound(work);
    return rc;
}

static double gap_of(const struct work *work)
{
    return work->bound - (double)choices_value(work);
}

/* Search small problems with more and more states until nothing better is possible. Where
 * several budgets are short there are too many states: then node by node. */
static enum status search_small(struct work *work, bool *is_exact, struct err *err)
{
    static const struct search_effort efforts[] = {
        {200, INT32_MAX, false},
        {4000, INT32_MAX, false},
        {60000, INT32_MAX, true},
    };
    int count = sizeof efforts / sizeof *efforts;
    enum status rc = STATUS_OK;

    for (int i = 0; !rc && !*is_exact && i < count; i++) {
        if (i == count - 1 && work->problem->budget_count > 1)
            rc = branch_improve(work, is_exact, err);
        if (!rc && !*is_exact)
            rc = search_improve(work, &efforts[i], is_exact, err);
    }
    return rc;
}

static bool is_close(const struct work *work, double gap)
{
    return gap_of(work) < fmax(1, gap * fabs(work->bound)); /* values are whole */
}

/* Moves and pairs of them; where that leaves much, many tie and no two moves make up for
 * the rooms of several budgets: all are moved at once, then as before. */
static enum status improve_moves(struct work *work, struct err *err)
{
    enum status rc = STATUS_OK;

    if (!is_close(work, GAP_SMALL))
        rc = swap_improve(work, err);
    if (rc || work->problem->budget_count < 2 || is_close(work, GAP_NEAR))
        return rc;
    rc = settle_improve(work, err);
    return rc ? rc : swap_improve(work, err);
}

/* Where one budget is short and moves leave much, a search. */
static enum status improve_large(struct work *work, bool *is_exact, struct err *err)
{
    static const struct search_effort effort = {400, 60, false};
    enum status rc = improve_moves(work, err);

    if (!rc && work->problem->budget_count == 1 && !is_close(work, GAP_MIDDLE))
        rc = search_improve(work, &effort, is_exact, err);
    if (!rc && !is_close(work, GAP_LARGE))
        rc = recover_single(work, err);
    return rc;
}

static enum status improve(struct work *work, bool *is_exact, struct err *err)
{
    const struct allocation *problem = work->problem;
    enum status rc;

    if (problem->starts[problem->request_count] > SMALL_ACTION_COUNT)
        return improve_large(work, is_exact, err);
    rc = improve_moves(work, err);
    if (!rc)
        rc = search_small(work, is_exact, err);
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
    result->bound = fmax(fmin(work->bound, work->bound_searched), value);
    /* Values are whole: no room for one more. */
    result->is_exact = is_exact || (__int128)floor(result->bound) <= result->value;
    if (result->is_exact)
        result->bound = value;
    result->gap = result->bound != 0 ? (result->bound - value) / fabs(result->bound) : 0;
}

enum status allocation_solve(const struct allocation *allocation,
                             struct allocation_result *result, struct err *err)
{
    struct work work;
    bool is_exact = false;
    enum status rc = work_open(allocation, result, &work, err);

    result->is_infeasible = false;
    if (!rc)
        rc = relax(&work, result, err);
    if (rc || result->is_infeasible) {
        work_close(&work);
        return rc;
    }
    rc = recover(&work, err);
    if (!rc && !is_close(&work, GAP_SMALL)) {
        rc = rooms_round(&work, err);
        work.bound = prices_bound(&work);
    }
    if (!rc)
        rc = improve(&work, &is_exact, err);
    if (!rc)
        rc = sum_up(allocation, result, err);
    if (!rc)
        judge(&work, is_exact, result);
    work_close(&work);
    return rc;
}
