/* allocate_fix.c - most requests choose the same at every price that is likely: only the
 * others need hulls. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_work.h"

enum {
    SAMPLE_COUNT_MIN = 2048,
    SAMPLE_SHARE = 64, /* of requests of one cell; of more twice as many */
    SHIFT_COUNT = 4,   /* of the sample's charges; of one cell two, up and down */
    ATTEMPT_COUNT = 3,
};

#define WIDTH_OF_ERROR 4.0 /* of the bracket, either side, in standard errors */
#define WIDER          3.0

/* --- a sample -------------------------------------------------------------------------------- */

/* One request of each stretch, anywhere in it, so that no rhythm of the data is
 * caught. */
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

/* How far a sample may be off; each for (cell) but the prices. */
struct spread {
    double *charges; /* standard error of what the cell is charged */
    double *mus;     /* prices of the sample */
    double *errors;  /* their standard error */
    double *prices;  /* (budget) of the sample */
};

/* Standard errors of what each cell of the sample is charged at its prices. */
static void spread_charges(const struct work *work, struct spread *spread)
{
    const struct core *core = &work->core;
    double *sums = spread->errors; /* not in use yet */

    for (int64_t i = 0; i < core->request_count; i++) {
        int64_t request = core_request(core, i);
        int32_t cell = work->problem->cells[request];
        int32_t action = best_action(work->problem, request, work->mus[cell]);
        double cost =
            (double)work->problem->costs[work->problem->starts[request] + action];

        sums[cell] += cost;
        spread->charges[cell] += cost * cost;
    }
    for (int g = 0; g < work->problem->cell_count; g++) {
        double square = sums[g] * (sums[g] / (double)core->request_count);

        spread->charges[g] = sqrt(fmax(0, spread->charges[g] - square));
        sums[g] = 0;
    }
}

/* Charge each cell a standard error more or less, as chance has it: the first cell more
 * in even shifts and less in odd ones. sign -1 takes it back. */
static void shift_charges(struct work *work, const struct spread *spread, int shift,
                          double sign)
{
    uint64_t chance = (uint64_t)shift << 63;

    for (int g = 0; g < work->problem->cell_count; g++) {
        charge(work, g, (__int128)((chance >> 63 ? -sign : sign) * spread->charges[g]));
        chance =
            (chance + (uint64_t)shift + 1) * 6364136223846793005u + 1442695040888963407u;
    }
}

/* Standard errors of the prices: what they would be had chance charged the sample
 * otherwise. */
static enum status spread_prices(struct work *work, struct spread *spread,
                                 struct err *err)
{
    int count = work->problem->cell_count > 1 ? SHIFT_COUNT : 2;
    enum status rc = STATUS_OK;

    for (int i = 0; !rc && i < count; i++) {
        shift_charges(work, spread, i, 1);
        rc = prices_solve(work, err);
        shift_charges(work, spread, i, -1);
        for (int g = 0; g < work->problem->cell_count; g++) {
            double off = work->mus[g] - spread->mus[g];

            spread->errors[g] += off * off / count;
        }
        memcpy(work->prices, spread->prices,
               (size_t)work->problem->budget_count * sizeof *work->prices);
    }
    return rc;
}

/* Few shifts say little of one cell: none is taken to be surer, beside its price, than
 * all are. */
static void bracket_spread(struct work *work, const struct spread *spread)
{
    int cell_count = work->problem->cell_count;
    double errors = 0, squares = 0, usual = 0;

    for (int g = 0; g < cell_count; g++) {
        errors += spread->errors[g];
        squares += spread->mus[g] * spread->mus[g];
        usual += spread->mus[g] / cell_count;
    }
    for (int g = 0; g < cell_count; g++) {
        double mu = spread->mus[g], own = fmax(mu, usual / 4), width;

        width = squares > 0 ? errors / squares * own * own : errors / cell_count;
        width = WIDTH_OF_ERROR * sqrt(fmax(width, spread->errors[g]));
        work->mus[g] = mu;
        work->lows[g] = fmax(0, mu - fmax(width, 1e-9 * mu));
        work->highs[g] = fmax(DBL_MIN, mu + fmax(width, 1e-9 * mu));
    }
}

/* Brackets as wide as the sample is uncertain. */
static enum status bracket_sample(struct work *work, struct err *err)
{
    size_t room = (size_t)work->problem->cell_count + 1;
    size_t price_bytes = (size_t)work->problem->budget_count * sizeof *work->prices;
    struct spread spread = {calloc(room, sizeof(double)), calloc(room, sizeof(double)),
                            calloc(room, sizeof(double)), malloc(price_bytes + 1)};
    enum status rc;

    if (spread.charges && spread.mus && spread.errors && spread.prices) {
        memcpy(spread.mus, work->mus, (room - 1) * sizeof *spread.mus);
        memcpy(spread.prices, work->prices, price_bytes);
        spread_charges(work, &spread);
        rc = spread_prices(work, &spread, err);
        bracket_spread(work, &spread);
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for a sample");
    }
    free(spread.charges);
    free(spread.mus);
    free(spread.errors);
    free(spread.prices);
    return rc;
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

/* Even the least that the core takes is too much: the price is over the bracket. */
static bool is_overspent(const struct work *work)
{
    for (int b = 0; b < work->problem->budget_count; b++)
        if (work->rooms[b] < 0)
            return true;
    return false;
}

static bool holds(const struct work *work, int g)
{
    return work->mus[g] < work->highs[g] &&
           (work->mus[g] > work->lows[g] || work->lows[g] <= 0);
}

/* Whether the prices lie within the brackets, so that what was left out of them does not
 * matter. */
static bool is_within(const struct work *work)
{
    for (int g = 0; g < work->problem->cell_count; g++)
        if (!holds(work, g))
            return false;
    return true;
}

/* Those that were missed most, but where one price is off others may be. */
static void widen(struct work *work, bool is_missed)
{
    for (int g = 0; g < work->problem->cell_count; g++) {
        double wider = is_missed || !holds(work, g) ? WIDER : WIDER / 2;
        double width = wider * (work->highs[g] - work->lows[g]);
        double middle = (work->lows[g] + work->highs[g]) / 2;

        work->lows[g] = fmax(0, fmin(work->mus[g], middle) - width / 2);
        work->highs[g] = fmax(work->mus[g], middle) + width / 2;
    }
}

static enum status try_brackets(struct work *work, bool *is_done, struct err *err)
{
    enum status rc = STATUS_OK;
    bool fits = true;

    for (int i = 0; !rc && !*is_done && i < ATTEMPT_COUNT; i++) {
        if (i > 0)
            widen(work, !fits);
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
    int64_t share = work->problem->cell_count > 1 ? SAMPLE_SHARE / 2 : SAMPLE_SHARE;
    int64_t sample_count = work->problem->request_count / share;
    enum status rc = solve_sample(
        work, sample_count > SAMPLE_COUNT_MIN ? sample_count : SAMPLE_COUNT_MIN, err);

    if (!rc)
        rc = bracket_sample(work, err);
    if (!rc)
        rc = try_brackets(work, is_done, err);
    return rc;
}
