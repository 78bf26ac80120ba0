/* uplift_bootstrap.c - intervals by drawing the rows again. */
#include "learn/uplift_walk.h"

#include "base/rng.h"
#include "learn/percentile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of one resample, as numbers in a row. */
struct resample {
    struct uplift_metrics metrics;
    struct bands bands;
};

enum { RESAMPLE_NUMBERS = sizeof(struct resample) / sizeof(double) };

static_assert(sizeof(struct resample) % sizeof(double) == 0, "only doubles are in it");
static_assert(sizeof(struct uplift_intervals) == 2 * sizeof(struct resample),
              "an interval for each number of a resample");

static void find_interval(const struct resample *resamples, int count, int number,
                          double *scratch, double *low, double *high)
{
    int defined = 0;

    for (int i = 0; i < count; i++) {
        double value = ((const double *)&resamples[i])[number];

        if (isfinite(value))
            scratch[defined++] = value;
    }
    percentile_interval(scratch, defined, low, high);
}

static void find_intervals(const struct resample *resamples, int count, double *scratch,
                           struct uplift_intervals *intervals)
{
    struct resample low, high;

    for (int i = 0; i < RESAMPLE_NUMBERS; i++)
        find_interval(resamples, count, i, scratch, (double *)&low + i,
                      (double *)&high + i);
    intervals->low = low.metrics;
    intervals->high = high.metrics;
    memcpy(intervals->qini_low, low.bands.qini, sizeof low.bands.qini);
    memcpy(intervals->qini_high, high.bands.qini, sizeof high.bands.qini);
    memcpy(intervals->uplift_low, low.bands.uplift, sizeof low.bands.uplift);
    memcpy(intervals->uplift_high, high.bands.uplift, sizeof high.bands.uplift);
}

/* What a resample has of each row; both bootstraps draw rows so. */
static void draw_rows(struct rng *rng, int64_t row_count, uint32_t *draws)
{
    memset(draws, 0, (size_t)row_count * sizeof *draws);
    for (int64_t n = 0; n < row_count; n++)
        draws[rng_below(rng, (uint64_t)row_count)]++;
}

static void walk(const struct uplift *uplift, const uint32_t *draws,
                 struct resample *resample)
{
    memset(&resample->bands, 0, sizeof resample->bands);
    uplift_walk(uplift, draws, &resample->metrics, &resample->bands);
}

enum status uplift_bootstrap(const struct uplift *uplift, int resample_count,
                             uint64_t seed, struct uplift_progress progress,
                             struct uplift_intervals *intervals, struct err *err)
{
    uint32_t *draws = malloc((size_t)uplift->row_count * sizeof *draws);
    struct resample *resamples = malloc((size_t)resample_count * sizeof *resamples);
    double *scratch = malloc((size_t)resample_count * sizeof *scratch);
    enum status rc = STATUS_OK;
    struct rng rng;

    rng_seed(&rng, seed);
    if (!draws || !resamples || !scratch)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d resamples",
                     resample_count);
    for (int i = 0; i < resample_count && !rc; i++) {
        draw_rows(&rng, uplift->row_count, draws);
        walk(uplift, draws, &resamples[i]);
        if (progress.tell)
            progress.tell(progress.context, (double)(i + 1) / resample_count);
    }
    if (!rc)
        find_intervals(resamples, resample_count, scratch, intervals);
    free(draws);
    free(resamples);
    free(scratch);
    return rc;
}

/* ---- several scores ---- */

enum { METRIC_NUMBERS = sizeof(struct uplift_metrics) / sizeof(double) };

/* Of metrics less the first one's, resample by resample. */
static void find_differences(const struct resample *own, const struct resample *first,
                             int count, double *scratch, struct uplift_rival *rival)
{
    for (int number = 0; number < METRIC_NUMBERS; number++) {
        int defined = 0;

        for (int i = 0; i < count; i++) {
            double less = ((const double *)&own[i].metrics)[number] -
                          ((const double *)&first[i].metrics)[number];

            if (isfinite(less))
                scratch[defined++] = less;
        }
        percentile_interval(scratch, defined, (double *)&rival->difference_low + number,
                            (double *)&rival->difference_high + number);
    }
}

static void resample_all(const struct uplift_rival *rivals, int count, int resample_count,
                         uint64_t seed, struct uplift_progress progress, uint32_t *draws,
                         struct resample *resamples)
{
    int64_t rows = rivals[0].uplift->row_count;
    uint32_t *placed = draws + rows;
    struct rng rng;

    rng_seed(&rng, seed);
    for (int i = 0; i < resample_count; i++) {
        draw_rows(&rng, rows, draws);
        for (int k = 0; k < count; k++) {
            for (int64_t place = 0; place < rows; place++)
                placed[place] = draws[rivals[k].order[place]];
            walk(rivals[k].uplift, placed, &resamples[k * resample_count + i]);
        }
        if (progress.tell)
            progress.tell(progress.context, (double)(i + 1) / resample_count);
    }
}

enum status uplift_bootstrap_paired(struct uplift_rival *rivals, int count,
                                    int resample_count, uint64_t seed,
                                    struct uplift_progress progress, struct err *err)
{
    size_t total = (size_t)count * (size_t)resample_count;
    uint32_t *draws = malloc(2 * (size_t)rivals[0].uplift->row_count * sizeof *draws);
    struct resample *resamples = malloc(total * sizeof *resamples);
    double *scratch = malloc((size_t)resample_count * sizeof *scratch);
    enum status rc = draws && resamples && scratch
                         ? STATUS_OK
                         : err_set(err, STATUS_EXHAUSTED,
                                   "out of memory for %d resamples of %d scores",
                                   resample_count, count);

    if (!rc)
        resample_all(rivals, count, resample_count, seed, progress, draws, resamples);
    for (int k = 0; k < count && !rc; k++) {
        const struct resample *own = resamples + (size_t)k * (size_t)resample_count;

        find_intervals(own, resample_count, scratch, rivals[k].intervals);
        find_differences(own, resamples, resample_count, scratch, &rivals[k]);
    }
    free(draws);
    free(resamples);
    free(scratch);
    return rc;
}
