/* judge_shape.c - calibration and ranking of effects by doubly robust scores. */
#include "learn/judge_parts.h"

#include "base/order.h"

#include <stdlib.h>
#include <string.h>

/* Rows by an arm's effect, and what goes on on them. */
struct ranked {
    const struct learner_data *data;
    const double *scores;
    int arm;
    double *effects; /* (row) */
    uint32_t *order; /* largest first */
    double weight;   /* of all */
    struct clusters clusters;
};

static void ranked_close(struct ranked *ranked)
{
    free(ranked->effects);
    free(ranked->order);
    clusters_close(&ranked->clusters);
}

/* The caller closes it, also after a failure. */
static enum status ranked_open(const struct learner_data *data, const double *scores,
                               const float *effects, int arm, struct ranked *ranked,
                               struct err *err)
{
    size_t n = (size_t)data->row_count;
    enum status rc;

    *ranked = (struct ranked){.data = data,
                              .scores = scores,
                              .arm = arm,
                              .effects = calloc(n + 1, sizeof(double)),
                              .order = malloc(n * sizeof(uint32_t) + 1)};
    if (!ranked->effects || !ranked->order)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for judging effects");
    for (int64_t row = 0; row < data->row_count; row++) {
        ranked->effects[row] = (double)effects[row * (data->arm_count - 1) + arm - 1];
        ranked->weight += judge_weight(data, row);
    }
    rc = order_falling(ranked->effects, data->row_count, ranked->order, err);
    return rc ? rc : clusters_open(data, &ranked->clusters, err);
}

/* ---- calibration ---- */

/* The rows at some places, whose effects are alike. */
static void measure_bin(struct ranked *ranked, int64_t first, int64_t end,
                        struct judge_bin *bin)
{
    const struct learner_data *data = ranked->data;
    double weight = judge_weight_of(data, ranked->order, first, end);

    *bin = (struct judge_bin){.row_count = end - first};
    for (int64_t i = first; i < end; i++) {
        int64_t row = ranked->order[i];
        double share = judge_weight(data, row) / weight;

        bin->predicted += share * ranked->effects[row];
        bin->found += share * judge_gain(data, ranked->scores, row, ranked->arm);
    }
    for (int64_t i = first; i < end; i++) {
        int64_t row = ranked->order[i];

        clusters_add(
            &ranked->clusters, row,
            judge_weight(data, row) / weight *
                (judge_gain(data, ranked->scores, row, ranked->arm) - bin->found));
    }
    bin->se = sqrt(clusters_square(&ranked->clusters));
}

/* Rows of equal effects go where the middle of them is. */
static void measure_bins(struct ranked *ranked, struct judge_bin bins[JUDGE_BIN_COUNT])
{
    int64_t n = ranked->data->row_count, bin_first = 0;
    int open = JUDGE_BIN_COUNT - 1;
    double done = 0;

    memset(bins, 0, JUDGE_BIN_COUNT * sizeof *bins);
    for (int64_t place = 0, end; place < n; place = end) {
        double weight, middle;
        int bin;

        end = judge_tie_end(ranked->effects, ranked->order, place, n);
        weight = judge_weight_of(ranked->data, ranked->order, place, end);
        middle = 1 - (done + weight / 2) / ranked->weight;
        bin = (int)fmin(fmax(middle, 0) * JUDGE_BIN_COUNT, JUDGE_BIN_COUNT - 1);
        if (bin != open && place > bin_first) {
            measure_bin(ranked, bin_first, place, &bins[open]);
            bin_first = place;
        }
        open = bin;
        done += weight;
    }
    measure_bin(ranked, bin_first, n, &bins[open]);
}

enum status judge_calibrate(const struct learner_data *data, const double *scores,
                            const float *effects, int arm, uint64_t seed,
                            struct judge_bin bins[JUDGE_BIN_COUNT],
                            struct judge_line *line, struct err *err)
{
    struct ranked ranked;
    enum status rc = ranked_open(data, scores, effects, arm, &ranked, err);

    if (!rc)
        measure_bins(&ranked, bins);
    ranked_close(&ranked);
    return rc ? rc : judge_line_fit(data, scores, effects, arm, -1, seed, line, err);
}

/* ---- ranking ---- */

/* The sum over the first rows, and what its error takes: of the clusters' sums s and
 * weights w, sums of s^2, s w and w^2. */
struct walk {
    double sum, ss, sw, ww;
};

/* What the next rows, of equal effects, add: s is as it is before them, d what they
 * bring. */
struct step {
    double weight, d, sd, dd, dw;
};

static struct step step_over(struct ranked *ranked, const double *weights, double *fresh,
                             int64_t first, int64_t end)
{
    const struct learner_data *data = ranked->data;
    double *sums = ranked->clusters.sums;
    struct step step = {0};

    for (int64_t i = first; i < end; i++) {
        int64_t row = ranked->order[i];

        step.weight += judge_weight(data, row);
        fresh[clusters_find(&ranked->clusters, row)] +=
            judge_weight(data, row) * judge_gain(data, ranked->scores, row, ranked->arm);
    }
    for (int64_t i = first; i < end; i++) {
        int64_t cluster = clusters_find(&ranked->clusters, ranked->order[i]);
        double d = fresh[cluster];

        step.d += d;
        step.sd += sums[cluster] * d;
        step.dd += d * d;
        step.dw += d * weights[cluster];
        sums[cluster] += d;
        fresh[cluster] = 0; /* once, however many rows it has here */
    }
    return step;
}

/* The walk with a share of a step taken. */
static struct walk walk_on(const struct walk *walk, const struct step *step, double share)
{
    return (struct walk){walk->sum + share * step->d,
                         walk->ss + 2 * share * step->sd + share * share * step->dd,
                         walk->sw + share * step->dw, walk->ww};
}

static void put_point(struct judge_curve *curve, int point, const struct walk *walk,
                      double weight)
{
    double mean = walk->sum / weight;

    curve->gains[point] = mean;
    curve->errors[point] =
        sqrt(fmax(walk->ss - 2 * mean * walk->sw + mean * mean * walk->ww, 0)) / weight;
}

/* weights, fresh (cluster): room, 0. */
static void walk_over(struct ranked *ranked, double *weights, double *fresh,
                      struct judge_curve *curve)
{
    int64_t n = ranked->data->row_count;
    double done = 0, at;
    struct walk walk = {0};
    int point = 0;

    for (int64_t row = 0; row < n; row++)
        weights[clusters_find(&ranked->clusters, row)] += judge_weight(ranked->data, row);
    for (int64_t i = 0; i < ranked->clusters.count; i++)
        walk.ww += weights[i] * weights[i];
    for (int64_t first = 0, end; first < n; first = end) {
        struct step step;

        end = judge_tie_end(ranked->effects, ranked->order, first, n);
        step = step_over(ranked, weights, fresh, first, end);
        while (point < JUDGE_POINT_COUNT &&
               (at = ranked->weight * point / (JUDGE_POINT_COUNT - 1)) <
                   done + step.weight) {
            struct walk here = walk_on(&walk, &step, fmax(at - done, 0) / step.weight);

            put_point(curve, point++, &here, ranked->weight);
        }
        walk = walk_on(&walk, &step, 1);
        done += step.weight;
    }
    while (point < JUDGE_POINT_COUNT)
        put_point(curve, point++, &walk, ranked->weight);
}

enum status judge_rank(const struct learner_data *data, const double *scores,
                       const float *effects, int arm, struct judge_curve *curve,
                       struct err *err)
{
    struct ranked ranked;
    enum status rc = ranked_open(data, scores, effects, arm, &ranked, err);
    size_t count = rc ? 0 : (size_t)ranked.clusters.count;
    double *weights = calloc(count + 1, sizeof *weights),
           *fresh = calloc(count + 1, sizeof *fresh);

    if (!rc && (!weights || !fresh))
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for judging effects");
    if (!rc)
        walk_over(&ranked, weights, fresh, curve);
    free(weights);
    free(fresh);
    ranked_close(&ranked);
    return rc;
}
