/* uplift_bootstrap.c - intervals by drawing the rows again. */
#include "learn/uplift_walk.h"

#include "base/order.h"
#include "base/rng.h"
#include "learn/judge_parts.h"
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

enum status uplift_bootstrap(const struct uplift *uplift, int resample_count,
                             uint64_t seed, struct uplift_progress progress,
                             struct uplift_intervals *intervals, struct err *err)
{
    size_t draws_bytes = (size_t)uplift->row_count * sizeof(uint32_t);
    uint32_t *draws = malloc(draws_bytes);
    struct resample *resamples = malloc((size_t)resample_count * sizeof *resamples);
    double *scratch = malloc((size_t)resample_count * sizeof *scratch);
    enum status rc = STATUS_OK;
    struct rng rng;

    rng_seed(&rng, seed);
    if (!draws || !resamples || !scratch)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d resamples",
                     resample_count);
    for (int i = 0; i < resample_count && !rc; i++) {
        memset(draws, 0, draws_bytes);
        for (int64_t n = 0; n < uplift->row_count; n++)
            draws[rng_below(&rng, (uint64_t)uplift->row_count)]++;
        memset(&resamples[i].bands, 0, sizeof resamples[i].bands);
        uplift_walk(uplift, draws, &resamples[i].metrics, &resamples[i].bands);
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

/* ---- clusters ---- */

/* cluster_of (place): which cluster the row at a place is of. */
static enum status place_clusters(const struct uplift *uplift, const double *scores,
                                  const uint64_t *keys, uint32_t *cluster_of,
                                  int64_t *cluster_count, struct err *err)
{
    const struct learner_data rows = {.row_count = uplift->row_count, .keys = keys};
    uint32_t *order = malloc((size_t)uplift->row_count * sizeof *order + 1);
    struct clusters clusters;
    enum status rc = clusters_open(&rows, &clusters, err);

    if (!rc && !order)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for resamples");
    if (!rc)
        rc = order_falling(scores, uplift->row_count, order, err);
    for (int64_t place = 0; place < uplift->row_count && !rc; place++)
        cluster_of[place] = (uint32_t)clusters_find(&clusters, order[place]);
    *cluster_count = clusters.count;
    clusters_close(&clusters);
    free(order);
    return rc;
}

enum status uplift_bootstrap_clusters(const struct uplift *uplift, const double *scores,
                                      const uint64_t *keys, int resample_count,
                                      uint64_t seed, struct uplift_progress progress,
                                      struct uplift_intervals *intervals, struct err *err)
{
    size_t rows = (size_t)uplift->row_count;
    uint32_t *room = malloc(3 * rows * sizeof *room);
    uint32_t *cluster_of = room, *times_drawn = room + rows, *draws = room + 2 * rows;
    struct resample *resamples = malloc((size_t)resample_count * sizeof *resamples);
    double *scratch = malloc((size_t)resample_count * sizeof *scratch);
    int64_t cluster_count = 0;
    enum status rc = STATUS_OK;
    struct rng rng;

    rng_seed(&rng, seed);
    if (!room || !resamples || !scratch)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d resamples",
                     resample_count);
    if (!rc)
        rc = place_clusters(uplift, scores, keys, cluster_of, &cluster_count, err);
    for (int i = 0; i < resample_count && !rc; i++) {
        memset(times_drawn, 0, rows * sizeof *times_drawn);
        for (int64_t n = 0; n < cluster_count; n++)
            times_drawn[rng_below(&rng, (uint64_t)cluster_count)]++;
        for (size_t place = 0; place < rows; place++)
            draws[place] = times_drawn[cluster_of[place]];
        memset(&resamples[i].bands, 0, sizeof resamples[i].bands);
        uplift_walk(uplift, draws, &resamples[i].metrics, &resamples[i].bands);
        if (progress.tell)
            progress.tell(progress.context, (double)(i + 1) / resample_count);
    }
    if (!rc)
        find_intervals(resamples, resample_count, scratch, intervals);
    free(room);
    free(resamples);
    free(scratch);
    return rc;
}
