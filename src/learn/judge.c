/* judge.c - policy values, average effects and calibration from doubly robust scores. */
#include "learn/judge.h"

#include "base/order.h"

#include <stdlib.h>
#include <string.h>

enum { BUDGET_COUNT = 10 };

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for judging effects");
}

static double weight_of(const struct learner_data *data, int64_t row)
{
    return data->weights ? data->weights[row] : 1;
}

/* What the score of an arm is above that of the control. */
static double gain_of(const struct learner_data *data, const double *outcomes,
                      int64_t row, int arm)
{
    const double *mu = outcomes + row * data->arm_count;
    int own = data->arms[row];
    double gain = mu[arm] - mu[0],
           rest = (data->outcomes[row] - mu[own]) / learner_propensity(data, row, own);

    return own == arm ? gain + rest : own == 0 ? gain - rest : gain;
}

/* ---- means ---- */

struct deviation {
    uint64_t key;
    double value;
};

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = ((const struct deviation *)a)->key,
             y = ((const struct deviation *)b)->key;

    return (x > y) - (x < y);
}

/* The sum of squares of deviations, which are summed within keys first. */
static double sum_squares(struct deviation *deviations, int64_t count)
{
    double sum = 0, group = 0;

    qsort(deviations, (size_t)count, sizeof *deviations, compare_keys);
    for (int64_t i = 0; i < count; i++) {
        group += deviations[i].value;
        if (i + 1 < count && deviations[i + 1].key == deviations[i].key)
            continue;
        sum += group * group;
        group = 0;
    }
    return sum;
}

/* The weighted mean, its error from sums of deviations over keys. */
enum status judge_gains(const struct learner_data *data, const double *gains,
                        const double *other, struct judge_mean *mean, struct err *err)
{
    int64_t n = data->row_count;
    size_t room = data->keys ? (size_t)n : 0;
    struct deviation *deviations = malloc(room * sizeof *deviations + 1);
    double sum = 0, weight_sum = 0, square_sum = 0;

    if (!deviations)
        return refuse_memory(err);
    for (int64_t row = 0; row < n; row++) {
        sum += weight_of(data, row) * (gains[row] - (other ? other[row] : 0));
        weight_sum += weight_of(data, row);
    }
    mean->value = sum / weight_sum;
    for (int64_t row = 0; row < n; row++) {
        double value =
            weight_of(data, row) * (gains[row] - (other ? other[row] : 0) - mean->value);

        if (data->keys)
            deviations[row] = (struct deviation){data->keys[row], value};
        else
            square_sum += value * value;
    }
    if (data->keys)
        square_sum = sum_squares(deviations, n);
    mean->se = sqrt(square_sum) / weight_sum;
    free(deviations);
    return STATUS_OK;
}

enum status judge_average(const struct learner_data *data, const double *outcomes,
                          int arm, struct judge_mean *mean, struct err *err)
{
    double *gains = malloc((size_t)data->row_count * sizeof *gains + 1);
    enum status rc;

    if (!gains)
        return refuse_memory(err);
    for (int64_t row = 0; row < data->row_count; row++)
        gains[row] = gain_of(data, outcomes, row, arm);
    rc = judge_gains(data, gains, NULL, mean, err);
    free(gains);
    return rc;
}

/* ---- policies ---- */

/* The arm whose effect less cost is most; *worth is that. */
static int best_arm(const struct learner_data *data, const double *effects,
                    const double *costs, double scale, double *worth)
{
    int best = 1;

    *worth = -INFINITY;
    for (int arm = 1; arm < data->arm_count; arm++) {
        double own = scale * effects[arm - 1] - (costs ? costs[arm - 1] : 0);

        if (own > *worth) {
            *worth = own;
            best = arm;
        }
    }
    return best;
}

enum status judge_policy(const struct learner_data *data, const double *outcomes,
                         const double *effects, const double *costs, double scale,
                         double *gains, struct judge_mean *policy, struct err *err)
{
    int64_t n = data->row_count;
    uint32_t *order = malloc((size_t)n * sizeof *order + 1);
    double *worths = calloc((size_t)n + 1, sizeof *worths);
    int width = data->arm_count - 1;
    enum status rc = order && worths ? STATUS_OK : refuse_memory(err);

    for (int64_t row = 0; row < n && !rc; row++) {
        int arm = best_arm(data, effects + row * width, costs, scale, &worths[row]);

        gains[row] =
            scale * gain_of(data, outcomes, row, arm) - (costs ? costs[arm - 1] : 0);
        if (costs && worths[row] <= 0)
            gains[row] = 0;
    }
    if (!rc)
        rc = order_falling(worths, n, order, err);
    /* A row at place i is within the budgets for more than i rows. */
    for (int64_t i = 0; i < n && !rc; i++) {
        int missed = (int)((double)i * BUDGET_COUNT / (double)n);

        gains[order[i]] *= (double)(BUDGET_COUNT - missed) / BUDGET_COUNT;
    }
    if (!rc)
        rc = judge_gains(data, gains, NULL, policy, err);
    free(order);
    free(worths);
    return rc;
}

/* ---- calibration ---- */

struct bin_sums {
    double weight, predicted, found, square;
};

static void add_to_bin(struct bin_sums *sums, double weight, double predicted,
                       double found)
{
    sums->weight += weight;
    sums->predicted += weight * predicted;
    sums->found += weight * found;
    sums->square += weight * found * found;
}

static void finish_bin(const struct bin_sums *sums, struct judge_bin *bin)
{
    double mean = sums->found / sums->weight;
    double variance = sums->square / sums->weight - mean * mean;

    bin->predicted = sums->predicted / sums->weight;
    bin->found = mean;
    bin->se = sqrt(fmax(variance, 0) / (double)bin->row_count);
}

/* What the scores say on what was predicted: 1 when it is neither too bold nor too timid. Its error
 * is HC0. */
static void find_slope(const struct learner_data *data, const double *predicted,
                       const double *found, double *slope, double *slope_se)
{
    double weight = 0, x_sum = 0, y_sum = 0, xx = 0, xy = 0, meat = 0;

    for (int64_t row = 0; row < data->row_count; row++) {
        weight += weight_of(data, row);
        x_sum += weight_of(data, row) * predicted[row];
        y_sum += weight_of(data, row) * found[row];
    }
    for (int64_t row = 0; row < data->row_count; row++) {
        double x = predicted[row] - x_sum / weight;

        xx += weight_of(data, row) * x * x;
        xy += weight_of(data, row) * x * (found[row] - y_sum / weight);
    }
    *slope = xx > 0 ? xy / xx : NAN;
    for (int64_t row = 0; row < data->row_count; row++) {
        double x = predicted[row] - x_sum / weight;
        double rest = found[row] - y_sum / weight - *slope * x;

        meat += weight_of(data, row) * weight_of(data, row) * x * x * rest * rest;
    }
    *slope_se = xx > 0 ? sqrt(meat) / xx : NAN;
}

enum status judge_calibrate(const struct learner_data *data, const double *outcomes,
                            const double *effects, int arm,
                            struct judge_bin bins[JUDGE_BIN_COUNT], double *slope,
                            double *slope_se, struct err *err)
{
    int64_t n = data->row_count;
    uint32_t *order = malloc((size_t)n * sizeof *order + 1);
    double *predicted = calloc((size_t)n + 1, sizeof *predicted),
           *found = calloc((size_t)n + 1, sizeof *found);
    enum status rc = order && predicted && found ? STATUS_OK : refuse_memory(err);
    struct bin_sums sums[JUDGE_BIN_COUNT] = {0};

    for (int64_t row = 0; row < n && !rc; row++) {
        predicted[row] = effects[row * (data->arm_count - 1) + arm - 1];
        found[row] = gain_of(data, outcomes, row, arm);
    }
    if (!rc)
        rc = order_falling(predicted, n, order, err);
    memset(bins, 0, JUDGE_BIN_COUNT * sizeof *bins);
    for (int64_t i = 0; i < n && !rc; i++) {
        int bin = (int)((n - 1 - i) * JUDGE_BIN_COUNT / n);

        add_to_bin(&sums[bin], weight_of(data, order[i]), predicted[order[i]],
                   found[order[i]]);
        bins[bin].row_count++;
    }
    for (int bin = 0; bin < JUDGE_BIN_COUNT && !rc; bin++)
        finish_bin(&sums[bin], &bins[bin]);
    if (!rc)
        find_slope(data, predicted, found, slope, slope_se);
    free(order);
    free(predicted);
    free(found);
    return rc;
}

/* ---- ranking ---- */

/* Sums over the rows so far: of what they add, and of its square. */
static void put_point(struct judge_curve *curve, int point, double sum, double square_sum,
                      double weight)
{
    double mean = sum / weight;

    curve->gains[point] = mean;
    curve->errors[point] = sqrt(fmax(square_sum - mean * mean * weight, 0)) / weight;
}

enum status judge_rank(const struct learner_data *data, const double *outcomes,
                       const double *effects, int arm, struct judge_curve *curve,
                       struct err *err)
{
    int64_t n = data->row_count, done = 0;
    uint32_t *order = malloc((size_t)n * sizeof *order + 1);
    double *keys = calloc((size_t)n + 1, sizeof *keys);
    double weight = 0, sum = 0, square_sum = 0;
    enum status rc = order && keys ? STATUS_OK : refuse_memory(err);

    for (int64_t row = 0; row < n && !rc; row++) {
        keys[row] = effects[row * (data->arm_count - 1) + arm - 1];
        weight += weight_of(data, row);
    }
    if (!rc)
        rc = order_falling(keys, n, order, err);
    for (int point = 0; point < JUDGE_POINT_COUNT && !rc; point++) {
        for (; done < n * point / (JUDGE_POINT_COUNT - 1); done++) {
            double w = weight_of(data, order[done]),
                   gain = gain_of(data, outcomes, order[done], arm);

            sum += w * gain;
            square_sum += w * w * gain * gain;
        }
        put_point(curve, point, sum, square_sum, weight);
    }
    free(order);
    free(keys);
    return rc;
}
