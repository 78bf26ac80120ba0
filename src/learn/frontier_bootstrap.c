/* frontier_bootstrap.c - intervals of gains by drawing the rows again. */
#include "learn/frontier_steps.h"

#include "base/order.h"
#include "base/rng.h"
#include "learn/percentile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct resampling {
    const double *spends;
    int spend_count;
    uint32_t *rising; /* (spend): the spends' places in rising order */
    uint32_t *draws;  /* (row) */
    uint32_t *times;  /* (cluster): how often it was drawn */
    double row_count; /* of the resample */
    double *gains;    /* (resample, spend) */
    double *scratch;  /* (resample) */
};

static enum status rise(const double *spends, int count, uint32_t *rising,
                        struct err *err)
{
    double *negative = malloc((size_t)count * sizeof *negative);
    enum status rc = STATUS_OK;

    if (!negative)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d spends", count);
    for (int i = 0; i < count; i++)
        negative[i] = -spends[i];
    rc = order_falling(negative, count, rising, err);
    free(negative);
    return rc;
}

static enum status resampling_open(struct resampling *of, const struct frontier *frontier,
                                   int resample_count, struct err *err)
{
    size_t spends = (size_t)of->spend_count, resamples = (size_t)resample_count;

    of->rising = malloc((spends + 1) * sizeof *of->rising);
    of->draws = malloc((size_t)frontier->row_count * sizeof *of->draws);
    of->times = malloc(((size_t)frontier->cluster_count + 1) * sizeof *of->times);
    of->gains = calloc(spends * resamples + 1, sizeof *of->gains);
    of->scratch = malloc(resamples * sizeof *of->scratch);
    if (!of->rising || !of->draws || !of->times || !of->gains || !of->scratch)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d resamples",
                       resample_count);
    return rise(of->spends, of->spend_count, of->rising, err);
}

static void resampling_close(struct resampling *of)
{
    free(of->rising);
    free(of->draws);
    free(of->times);
    free(of->gains);
    free(of->scratch);
}

static void draw_units(uint32_t *times, int64_t count, struct rng *rng)
{
    memset(times, 0, (size_t)count * sizeof *times);
    for (int64_t i = 0; i < count; i++)
        times[rng_below(rng, (uint64_t)count)]++;
}

/* Clusters have different numbers of rows, and so have resamples of them. */
static void draw_rows(struct resampling *of, const struct frontier *frontier,
                      struct rng *rng)
{
    of->row_count = (double)frontier->row_count;
    if (!frontier->clusters) {
        draw_units(of->draws, frontier->row_count, rng);
        return;
    }
    draw_units(of->times, frontier->cluster_count, rng);
    of->row_count = 0;
    for (int64_t row = 0; row < frontier->row_count; row++) {
        of->draws[row] = of->times[frontier->clusters[row]];
        of->row_count += of->draws[row];
    }
}

/* Add sign times the gain at each spend, where the rows are there as often as they were
 * drawn. */
static void add_gains(const struct frontier *frontier, const struct resampling *of,
                      double sign, double *gains)
{
    double n = of->row_count, spent = 0, gain = 0;
    int next = 0;

    for (int64_t i = 0; i < frontier->step_count && next < of->spend_count; i++) {
        const struct step *step = &frontier->steps[i];
        double times = of->draws[step->row], cost = times * frontier_cost(frontier, step);

        for (; next < of->spend_count && of->spends[of->rising[next]] * n < spent + cost;
             next++) {
            double share = (of->spends[of->rising[next]] * n - spent) / cost;

            gains[of->rising[next]] += sign * (gain + share * times * step->score) / n;
        }
        spent += cost;
        gain += times * step->score;
    }
    for (; next < of->spend_count; next++)
        gains[of->rising[next]] += sign * gain / n;
}

enum status frontier_bootstrap(const struct frontier *frontier,
                               const struct frontier *other, const double *spends,
                               int spend_count, int resample_count, uint64_t seed,
                               struct frontier_progress progress,
                               struct frontier_interval *intervals, struct err *err)
{
    struct resampling of = {.spends = spends, .spend_count = spend_count};
    enum status rc = resampling_open(&of, frontier, resample_count, err);
    struct rng rng;

    rng_seed(&rng, seed);
    for (int i = 0; i < resample_count && !rc; i++) {
        double *gains = of.gains + (int64_t)i * spend_count;

        draw_rows(&of, frontier, &rng);
        add_gains(frontier, &of, 1, gains);
        if (other)
            add_gains(other, &of, -1, gains);
        if (progress.tell)
            progress.tell(progress.context, (double)(i + 1) / resample_count);
    }
    for (int k = 0; k < spend_count && !rc; k++) {
        for (int i = 0; i < resample_count; i++)
            of.scratch[i] = of.gains[(int64_t)i * spend_count + k];
        percentile_interval(of.scratch, resample_count, &intervals[k].low,
                            &intervals[k].high);
    }
    resampling_close(&of);
    return rc;
}
