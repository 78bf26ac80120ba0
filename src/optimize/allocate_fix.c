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

static void forget(struct work *work)
{
    const struct allocation *problem = work->problem;

    core_free(&work->core);
    work->outside_value = 0;
    for (int b = 0; b < problem->budget_count; b++)
        work->rooms[b] = problem->limits[b];
}

static void set_all(const struct work *work, double low, double high)
{
    for (int g = 0; g < work->problem->cell_count; g++) {
        work->lows[g] = low;
        work->highs[g] = high;
    }
}

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
    forget(work);
    set_all(work, 0, INFINITY);
    for (int b = 0; b < work->problem->budget_count; b++)
        work->rooms[b] =
            (__int128)work->problem->limits[b] * sample_count / request_count;
    rc = core_make(work, requests, sample_count, err);
    if (!rc)
        rc = prices_solve(work, 1, err);
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

/* The action that is best at both prices, or -1 when they differ. */
static inline int32_t same_action(const int64_t *costs, const int64_t *values, int count,
                                  double low, double high)
{
    double low_best = (double)values[0] - low * (double)costs[0];
    double high_best = (double)values[0] - high * (double)costs[0];
    int32_t low_action = 0, high_action = 0;

    for (int32_t j = 1; j < count; j++) {
        double cost = (double)costs[j], value = (double)values[j];
        double low_worth = value - low * cost, high_worth = value - high * cost;

        low_action = low_worth > low_best ? j : low_action;
        low_best = low_worth > low_best ? low_worth : low_best;
        high_action = high_worth > high_best ? j : high_action;
        high_best = high_worth > high_best ? high_worth : high_best;
    }
    return low_action == high_action ? low_action : -1;
}

/* Those that choose the same at both ends of their bracket have their choice; the rest is listed. */
static int64_t fix(struct work *work, int64_t *rest, __int128 *cell_costs)
{
    const struct allocation *problem = work->problem;
    int64_t rest_count = 0;

    for (int64_t i = 0; i < problem->request_count; i++) {
        int64_t start = problem->starts[i];
        int32_t cell = problem->cells[i];
        int32_t action = same_action(problem->costs + start, problem->values + start,
                                     (int)(problem->starts[i + 1] - start),
                                     work->lows[cell], work->highs[cell]);

        if (action < 0) {
            rest[rest_count++] = i;
            continue;
        }
        work->choices[i] = action;
        work->outside_value += problem->values[start + action];
        cell_costs[cell] += problem->costs[start + action];
    }
    return rest_count;
}

static enum status fix_and_core(struct work *work, struct err *err)
{
    const struct allocation *problem = work->problem;
    int64_t *rest = malloc(((size_t)problem->request_count + 1) * sizeof *rest), *less;
    __int128 *cell_costs = calloc((size_t)problem->cell_count + 1, sizeof *cell_costs);
    int64_t rest_count;

    forget(work);
    if (!rest || !cell_costs) {
        free(rest);
        free(cell_costs);
        return err_set(err, STATUS_EXHAUSTED, "no memory for %lld requests",
                       (long long)problem->request_count);
    }
    rest_count = fix(work, rest, cell_costs);
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
            rc = prices_solve(work, 1, err);
        *is_done = fits && is_within(work);
    }
    return rc;
}

enum status fix_and_solve(struct work *work, struct err *err)
{
    int64_t sample_count = work->problem->request_count / SAMPLE_SHARE;
    enum status rc = STATUS_OK;
    bool is_done = false;

    if (is_warm(work)) {
        bracket_warm(work);
        rc = try_brackets(work, 1, &is_done, err);
    }
    if (!rc && !is_done) {
        rc = solve_sample(
            work, sample_count > SAMPLE_COUNT_MIN ? sample_count : SAMPLE_COUNT_MIN, err);
        if (!rc)
            rc = bracket_sample(work, err);
        if (!rc)
            rc = try_brackets(work, ATTEMPT_COUNT, &is_done, err);
    }
    if (!rc && !is_done) {
        forget(work);
        set_all(work, 0, INFINITY);
        rc = core_make(work, NULL, work->problem->request_count, err);
        if (!rc)
            rc = prices_solve(work, 1, err);
    }
    return rc;
}
