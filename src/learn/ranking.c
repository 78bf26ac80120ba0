/* ranking.c - rows in the order of a score, drawn again, and two scores beside one
 * another. */
#include "learn/ranking_parts.h"

#include "base/order.h"
#include "base/rng.h"
#include "learn/percentile.h"
#include "learn/uplift_walk.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum status refuse_memory(int64_t row_count, struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                   (long long)row_count);
}

/* In their order. */
static enum status place_scores(const struct scored_rows *rows, struct ranking *ranking,
                                struct err *err)
{
    size_t count = (size_t)rows->row_count;

    if (rows->is_ranked_only)
        return STATUS_OK;
    ranking->scores = malloc(count * sizeof *ranking->scores);
    if (!ranking->scores)
        return refuse_memory(rows->row_count, err);
    for (size_t i = 0; i < count; i++)
        ranking->scores[i] = rows->scores[ranking->order[i]];
    return STATUS_OK;
}

static enum status place_rows(const struct scored_rows *rows, struct ranking *ranking,
                              struct err *err)
{
    bool *ends = malloc((size_t)rows->row_count * sizeof *ends);
    enum status rc = ends ? order_falling_groups(rows->scores, rows->row_count,
                                                 ranking->order, ends, err)
                          : refuse_memory(rows->row_count, err);

    if (!rc)
        rc = uplift_open_ordered(rows->scores, rows->outcomes, rows->is_treated,
                                 rows->weights, ranking->order, ends, rows->row_count,
                                 &ranking->uplift, err);
    free(ends);
    return rc ? rc : place_scores(rows, ranking, err);
}

static enum status open_into(const struct scored_rows *rows, struct ranking *ranking,
                             struct err *err)
{
    size_t count = (size_t)rows->row_count;

    ranking->order = malloc(count * sizeof *ranking->order);
    ranking->clusters = rows->clusters;
    ranking->cluster_count = rows->cluster_count;
    ranking->sums = malloc(((size_t)rows->cluster_count + 1) * sizeof *ranking->sums);
    if (!ranking->order || !ranking->sums)
        return refuse_memory(rows->row_count, err);
    for (int32_t g = 0; g < rows->cluster_count; g++)
        ranking->sums[g] = NAN;
    return place_rows(rows, ranking, err);
}

enum status ranking_open(const struct scored_rows *rows, struct ranking **ranking,
                         struct err *err)
{
    struct ranking *opened = calloc(1, sizeof *opened);
    enum status rc =
        opened ? open_into(rows, opened, err) : refuse_memory(rows->row_count, err);

    if (rc)
        ranking_close(opened);
    else
        *ranking = opened;
    return rc;
}

void ranking_close(struct ranking *ranking)
{
    if (!ranking)
        return;
    uplift_close(ranking->uplift);
    free(ranking->order);
    free(ranking->scores);
    free(ranking->sums);
    free(ranking);
}

const struct uplift *ranking_uplift(const struct ranking *ranking)
{
    return ranking->uplift;
}

/* by_row (row): how often a resample has it; draws (place). */
static void ranking_draw(const struct ranking *ranking, const uint32_t *by_row,
                         uint32_t *draws)
{
    for (int64_t i = 0; i < ranking->uplift->row_count; i++)
        draws[i] = by_row[ranking->order[i]];
}

/* ---- resampling ---- */

/* What a resample of the rows gives, in a row of doubles. draws (place): room. */
typedef void measure(const struct ranking *const *rankings, const uint32_t *by_row,
                     uint32_t *draws, double *numbers);

static void draw_units(uint32_t *times, int64_t count, struct rng *rng)
{
    memset(times, 0, (size_t)count * sizeof *times);
    for (int64_t i = 0; i < count; i++)
        times[rng_below(rng, (uint64_t)count)]++;
}

/* by_row (row), then room (cluster). */
static void draw_rows(const struct ranking *ranking, struct rng *rng, uint32_t *by_row)
{
    int64_t row_count = ranking->uplift->row_count;
    uint32_t *by_cluster = by_row + row_count;

    if (!ranking->clusters) {
        draw_units(by_row, row_count, rng);
        return;
    }
    draw_units(by_cluster, ranking->cluster_count, rng);
    for (int64_t row = 0; row < row_count; row++)
        by_row[row] = by_cluster[ranking->clusters[row]];
}

/* Of each number (number) the ends of its interval; a resample that does not define it is
 * left out. */
static enum status resample(const struct ranking *const *rankings, measure *of,
                            size_t number_count, int resample_count, uint64_t seed,
                            struct uplift_progress progress, double *low, double *high,
                            struct err *err)
{
    int64_t row_count = rankings[0]->uplift->row_count,
            unit_count = row_count + rankings[0]->cluster_count;
    uint32_t *draws = malloc((size_t)(row_count + unit_count) * sizeof *draws),
             *by_row = draws ? draws + row_count : NULL;
    double *all = malloc((size_t)resample_count * number_count * sizeof *all),
           *scratch = malloc((size_t)resample_count * sizeof *scratch);
    enum status rc = draws && all && scratch ? STATUS_OK : refuse_memory(row_count, err);
    struct rng rng;

    rng_seed(&rng, seed);
    for (int i = 0; i < resample_count && !rc; i++) {
        draw_rows(rankings[0], &rng, by_row);
        of(rankings, by_row, draws, all + (size_t)i * number_count);
        if (progress.tell)
            progress.tell(progress.context, (double)(i + 1) / resample_count);
    }
    for (size_t k = 0; k < number_count && !rc; k++) {
        int defined = 0;

        for (int i = 0; i < resample_count; i++)
            if (isfinite(all[(size_t)i * number_count + k]))
                scratch[defined++] = all[(size_t)i * number_count + k];
        percentile_interval(scratch, defined, &low[k], &high[k]);
    }
    free(draws);
    free(all);
    free(scratch);
    return rc;
}

#define NUMBERS_OF(type) (sizeof(type) / sizeof(double))

static void measure_calibration(const struct ranking *const *rankings,
                                const uint32_t *by_row, uint32_t *draws, double *numbers)
{
    ranking_draw(rankings[0], by_row, draws);
    ranking_calibrate(rankings[0], draws, (struct calibration *)numbers);
}

enum status calibration_measure(const struct ranking *ranking, int resample_count,
                                uint64_t seed, struct uplift_progress progress,
                                struct calibration *calibration,
                                struct calibration_intervals *intervals, struct err *err)
{
    assert(ranking->scores);
    ranking_calibrate(ranking, NULL, calibration);
    if (resample_count == 0)
        return STATUS_OK;
    return resample(&ranking, measure_calibration, NUMBERS_OF(struct calibration),
                    resample_count, seed, progress, (double *)&intervals->low,
                    (double *)&intervals->high, err);
}

/* ---- two scores ---- */

static struct ranking_numbers numbers_of(const struct ranking *ranking,
                                         const uint32_t *draws)
{
    struct ranking_numbers numbers;
    struct calibration calibration;

    uplift_walk(ranking->uplift, draws, &numbers.metrics, NULL);
    ranking_calibrate(ranking, draws, &calibration);
    numbers.calibration_slope = calibration.slope;
    numbers.calibration_error = calibration.error;
    return numbers;
}

static void subtract(const struct ranking_numbers *a, const struct ranking_numbers *b,
                     double *difference)
{
    for (size_t i = 0; i < NUMBERS_OF(struct ranking_numbers); i++)
        difference[i] = ((const double *)a)[i] - ((const double *)b)[i];
}

static void measure_difference(const struct ranking *const *rankings,
                               const uint32_t *by_row, uint32_t *draws, double *numbers)
{
    struct ranking_numbers both[2];

    for (int i = 0; i < 2; i++) {
        ranking_draw(rankings[i], by_row, draws);
        both[i] = numbers_of(rankings[i], draws);
    }
    subtract(&both[0], &both[1], numbers);
}

enum status ranking_compare(const struct ranking *ranking, const struct ranking *other,
                            int resample_count, uint64_t seed,
                            struct uplift_progress progress,
                            struct ranking_comparison *comparison, struct err *err)
{
    const struct ranking *const both[] = {ranking, other};
    struct ranking_numbers own;

    assert(ranking->scores && other->scores);
    own = numbers_of(ranking, NULL);
    comparison->other = numbers_of(other, NULL);
    subtract(&own, &comparison->other, (double *)&comparison->difference);
    for (size_t i = 0; i < NUMBERS_OF(struct ranking_numbers); i++)
        ((double *)&comparison->low)[i] = ((double *)&comparison->high)[i] = NAN;
    if (resample_count == 0)
        return STATUS_OK;
    return resample(both, measure_difference, NUMBERS_OF(struct ranking_numbers),
                    resample_count, seed, progress, (double *)&comparison->low,
                    (double *)&comparison->high, err);
}
