/* allocate_fix.c - most requests choose the same at every price that is likely: only the others need
 * hulls. */
#include <math.h>
#include <stdlib.h>

#include "optimize/allocate_work.h"

enum { SAMPLE_COUNT_MIN = 2048, SAMPLE_SHARE = 32, ATTEMPT_COUNT = 3 };

#define WIDTH_OF_ERROR 5.0 /* of the bracket, in 1 / sqrt(cases of the sample) */
#define WIDTH_MAX      0.6
#define WIDTH_WARM     0.05
#define WIDER          4.0

/* --- a sample -------------------------------------------------------------------------------- */

/* One request of each stretch, anywhere in it, so that no rhythm of the data is caught. */
static int64_t *sample_requests(int64_t request_count, int64_t sample_count)
{
    int64_t *requests = malloc((size_t)sample_count * sizeof *requests);
    uint64_t state = 1;

    for (int64_t i = 0; requests && i < sample_count; i++) {
        int64_t from = request_count * i / sample_count;
        int64_t to = request_count * (i + 1) / sample_count;

        state = state * 6364136223846793005u + 1442695040888963407u;
        requests[i] = from + (int64_t)((state >> 33) % (uint64_t)(to - from));
    }
    return requests;
}

static enum status solve_sample(struct work *work, int64_t sample_count, struct err *err)
{
    int64_t request_count = work->problem->request_count;
    int64_t *requests = sample_requests(request_count, sample_count);
    enum status rc;

    if (!requests)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a sample");
    core_reset(work, 0, INFINITY);
    for (int b = 0; b < work->problem->budget_count; b++)
        work->rooms[b] =
            (__int128)work->problem->limits[b] * sample_count / request_count;
    rc = core_make(work, requests, sample_count, err);
    if (!rc)
        rc = prices_solve(work, err);
    return rc;
}

/* How many of the sample are charged to each budget. */
static void count_sampled(const struct work *work, double *counts)
{
    for (int64_t i = 0; i < work->core.request_count; i++) {
        int count;
        const int32_t *budgets = budgets_of(
            work->problem, work->problem->cells[work->core.requests[i]], &count);

        for (int k = 0; k < count; k++)
            counts[budgets[k]]++;
    }
}

/* Brackets as wide as the sample is uncertain, from the budget it saw least of. */
static enum status bracket_sample(struct work *work, struct err *err)
{
    double *counts = calloc((size_t)work->problem->budget_count + 1, sizeof *counts);
    double usual = 0;

    if (!counts)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a sample");
    count_sampled(work, counts);
    for (int g = 0; g < work->problem->cell_count; g++)
        usual += work->mus[g] / work->problem->cell_count;
    for (int g = 0; g < work->problem->cell_count; g++) {
        double least = (double)work->core.request_count, width;
        int count;
        const int32_t *budgets = budgets_of(work->problem, g, &count);

        for (int i = 0; i < count; i++)
            if (work->prices[budgets[i]] > 0)
                least = fmin(least, counts[budgets[i]]);
        width = fmin(WIDTH_MAX, WIDTH_OF_ERROR / sqrt(fmax(1, least)));
        work->lows[g] = fmax(0, work->mus[g] - width * fmax(work->mus[g], usual / 4));
        work->highs[g] = work->mus[g] + width * fmax(work->mus[g], usual / 4);
    }
    free(counts);
    return STATUS_OK;
}

/* --- the pass over all ----------------------------------------------------------------------- */

static enum status fix_and_core(struct work *work, struct err *err)
{
    const struct allocation *problem = work->problem;
    int64_t *rest = malloc(((size_t)problem->request_count + 1) * sizeof *rest), *less;
    __int128 *cell_costs = calloc((size_t)problem->cell_count + 1, sizeof *cell_costs);
    int64_t rest_count;

    core_forget(work);
    if (!rest || !cell_costs) {
        free(rest);
        free(cell_costs);
        return err_set(err, STATUS_EXHAUSTED, "no memory for %lld requests",
                       (long long)problem->request_count);
    }
    rest_count = scan_same(work, rest, cell_costs);
    for (int g = 0; g < problem->cell_count; g++)
        charge(work, g, cell_costs[g]);
    free(cell_costs);
    less = realloc(rest, ((size_t)rest_count + 1) * sizeof *rest);
    return core_make(work, less ? less : rest, rest_count, err);
}

/* Whether the prices lie within the brackets, so that what was left out of them does not matter. */
static bool is_within(const struct work *work)
{
    for (int g = 0; g < work->problem->cell_count; g++)
        if (!(work->mus[g] < work->highs[g] &&
              (work->mus[g] > work->lows[g] || work->lows[g] <= 0)))
            return false;
    return true;
}

/* Even the least that the core takes is too much: the price is over the bracket. */
static bool is_overspent(const struct work *work)
{
    for (int b = 0; b < work->problem->budget_count; b++)
        if (work->rooms[b] < 0)
            return true;
    return false;
}

static void widen(struct work *work)
{
    for (int g = 0; g < work->problem->cell_count; g++) {
        double width = WIDER * (work->highs[g] - work->lows[g]);
        double middle = (work->lows[g] + work->highs[g]) / 2;

        work->lows[g] = fmax(0, fmin(work->mus[g], middle) - width / 2);
        work->highs[g] = fmax(work->mus[g], middle) + width / 2;
    }
}

static bool is_warm(const struct work *work)
{
    for (int b = 0; b < work->problem->budget_count; b++)
        if (work->prices[b] > 0)
            return true;
    return false;
}

static void bracket_warm(struct work *work)
{
    prices_sum(work);
    for (int g = 0; g < work->problem->cell_count; g++) {
        work->lows[g] = work->mus[g] * (1 - WIDTH_WARM);
        work->highs[g] = work->mus[g] * (1 + WIDTH_WARM);
    }
}

static enum status try_brackets(struct work *work, int attempt_count, bool *is_done,
                                struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; !rc && !*is_done && i < attempt_count; i++) {
        bool fits;

        if (i > 0)
            widen(work);
        rc = fix_and_core(work, err);
        fits = !rc && !is_overspent(work);
        if (fits)
            rc = prices_solve(work, err);
        *is_done = fits && is_within(work);
    }
    return rc;
}

enum status fix_and_solve(struct work *work, bool *is_done, struct err *err)
{
    int64_t sample_count = work->problem->request_count / SAMPLE_SHARE;
    enum status rc = STATUS_OK;

    if (is_warm(work)) {
        bracket_warm(work);
        rc = try_brackets(work, 1, is_done, err);
    }
    if (!rc && !*is_done) {
        rc = solve_sample(
            work, sample_count > SAMPLE_COUNT_MIN ? sample_count : SAMPLE_COUNT_MIN, err);
        if (!rc)
            rc = bracket_sample(work, err);
        if (!rc)
            rc = try_brackets(work, ATTEMPT_COUNT, is_done, err);
    }
    return rc;
}
