/* offpolicy_bootstrap.c - intervals by drawing rows, or clusters, again. All that the
 * estimates without bias need are a few sums, which fit into one cache line a row. */
#include "learn/offpolicy.h"

#include "base/rng.h"
#include "learn/percentile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum sum {
    SUM_WEIGHTED,    /* w r */
    SUM_WEIGHT,      /* w */
    SUM_REPLAYED,    /* pi r */
    SUM_PROBABILITY, /* pi */
    SUM_CORRECTION,  /* w (r - q) */
    SUM_MODEL,       /* dm */
    SUM_ROWS,        /* 1 */
    SUM_COUNT = 8
};

typedef double sums __attribute__((vector_size(SUM_COUNT * sizeof(double))));

enum { TELLING_COUNT = 64, DRAWS_PER_NUMBER = 2 };

static void add_row(const struct offpolicy_log *log, int64_t i, sums *to)
{
    double w = offpolicy_weight(log, i), r = log->rewards[i], pi = log->numerators[i];

    (*to)[SUM_WEIGHTED] += w * r;
    (*to)[SUM_WEIGHT] += w;
    (*to)[SUM_REPLAYED] += pi * r;
    (*to)[SUM_PROBABILITY] += pi;
    (*to)[SUM_ROWS] += 1;
    if (log->logged_model) {
        (*to)[SUM_CORRECTION] += w * (r - log->logged_model[i]);
        (*to)[SUM_MODEL] += log->policy_model[i];
    }
}

static double value_of(enum offpolicy_kind kind, const sums *of)
{
    double rows = (*of)[SUM_ROWS];

    switch (kind) {
    case OFFPOLICY_IPW:
        return (*of)[SUM_WEIGHTED] / rows;
    case OFFPOLICY_SNIPW:
        return (*of)[SUM_WEIGHTED] / (*of)[SUM_WEIGHT];
    case OFFPOLICY_REPLAY:
        return (*of)[SUM_REPLAYED] / (*of)[SUM_PROBABILITY];
    case OFFPOLICY_DR:
        return ((*of)[SUM_MODEL] + (*of)[SUM_CORRECTION]) / rows;
    case OFFPOLICY_SNDR:
        return (*of)[SUM_MODEL] / rows + (*of)[SUM_CORRECTION] / (*of)[SUM_WEIGHT];
    case OFFPOLICY_IPW_CLIP:
    case OFFPOLICY_SGIPW:
    case OFFPOLICY_DM:
    case OFFPOLICY_SWITCH_DR:
    case OFFPOLICY_DROS:
    case OFFPOLICY_SGDR:
    case OFFPOLICY_KIND_COUNT:
        break;
    }
    return NAN;
}

/* Which of several is right for this machine is asked while the program is loaded, before
 * ThreadSanitizer can be called, as what it has compiled does. */
#ifdef __SANITIZE_THREAD__
#define FOR_EACH_MACHINE
#else
#define FOR_EACH_MACHINE __attribute__((target_clones("avx512f", "avx2", "default")))
#endif

/* As many draws as there are units, two from each number of the generator; a unit is more
 * likely than another by less than count / 2^32. */
FOR_EACH_MACHINE static void draw(const sums *units, uint32_t count, struct rng *rng,
                                  sums *total)
{
    sums even = {}, odd = {};
    struct rng own = *rng; /* in registers */

    for (uint32_t i = 0; i + 1 < count; i += DRAWS_PER_NUMBER) {
        uint64_t number = rng_next(&own);

        even += units[(number >> 32) * count >> 32];
        odd += units[(number & UINT32_MAX) * count >> 32];
    }
    if (count % DRAWS_PER_NUMBER)
        even += units[(rng_next(&own) >> 32) * count >> 32];
    *rng = own;
    *total = even + odd;
}

/* Resamples (count) that do not define the estimate are left out. */
static void set_interval(const sums *resamples, int count, double *scratch,
                         struct offpolicy_estimate *estimate)
{
    int defined = 0;

    for (int i = 0; i < count; i++) {
        double value = value_of(estimate->kind, &resamples[i]);

        if (isfinite(value))
            scratch[defined++] = value;
    }
    percentile_interval(scratch, defined, &estimate->bootstrap_low,
                        &estimate->bootstrap_high);
}

enum status offpolicy_bootstrap(const struct offpolicy_log *log,
                                struct offpolicy_estimate *estimates, int count,
                                int resample_count, uint64_t seed,
                                struct offpolicy_progress progress, struct err *err)
{
    uint32_t unit_count = (uint32_t)(log->clusters ? log->cluster_count : log->row_count);
    sums *units = aligned_alloc(sizeof *units, unit_count * sizeof *units);
    sums *resamples =
        aligned_alloc(sizeof *resamples, (size_t)resample_count * sizeof *resamples);
    double *scratch = malloc((size_t)resample_count * sizeof *scratch);
    enum status rc = STATUS_OK;
    struct rng rng;

    rng_seed(&rng, seed);
    if (!units || !resamples || !scratch) {
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d resamples",
                     resample_count);
    } else {
        memset(units, 0, unit_count * sizeof *units);
        for (int64_t i = 0; i < log->row_count; i++)
            add_row(log, i, &units[log->clusters ? log->clusters[i] : i]);
    }
    for (int i = 0; i < resample_count && !rc; i++) {
        draw(units, unit_count, &rng, &resamples[i]);
        if (progress.tell && i % TELLING_COUNT == 0)
            progress.tell(progress.context, (double)i / resample_count);
    }
    for (int i = 0; i < count && !rc; i++)
        if (!isnan(estimates[i].low))
            set_interval(resamples, resample_count, scratch, &estimates[i]);
    free(units);
    free(resamples);
    free(scratch);
    return rc;
}
