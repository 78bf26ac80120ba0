/* balance.c - means of features, of all rows and of those of an arm by their inverse
 * propensities; and of one arm beside another. */
#include "learn/balance.h"

#include <stdlib.h>

enum { ERRORS_MAX = 5 };

static const double difference_max = 0.1; /* Austin and Stuart 2015 */

bool balance_is_off(double difference, double se)
{
    return fabs(difference) > difference_max && fabs(difference) > ERRORS_MAX * se;
}

/* ---- an arm beside all rows ---- */

/* A feature as a number; of a category whether it is that text. */
struct column {
    const struct learner_data *data;
    int arm, feature, code; /* code -1: the number itself */
};

static double column_value(const struct column *column, int64_t row)
{
    float value = feature_at(&column->data->features, row, column->feature);

    if (isnan(value) || column->code < 0)
        return (double)value;
    return (int)value == column->code;
}

/* NaN leaves the row out. */
static double row_weight(const struct column *column, int64_t row)
{
    const struct learner_data *data = column->data;
    double p = learner_propensity(data, row, column->arm);

    return p > 0 ? (data->weights ? data->weights[row] : 1) : NAN;
}

static double arm_weight(const struct column *column, int64_t row)
{
    const struct learner_data *data = column->data;

    if (data->arms[row] != column->arm)
        return 0;
    return row_weight(column, row) / learner_propensity(data, row, column->arm);
}

static struct balance compare(const struct column *column)
{
    double all = 0, sum = 0, squares = 0, own_all = 0, own_sum = 0, own_squares = 0;
    struct balance balance = {.feature = column->feature};

    for (int64_t row = 0; row < column->data->row_count; row++) {
        double value = column_value(column, row), weight = row_weight(column, row), own;

        if (isnan(value) || isnan(weight))
            continue;
        own = arm_weight(column, row);
        all += weight;
        sum += weight * value;
        own_all += own;
        own_sum += own * value;
        own_squares += own * own;
    }
    for (int64_t row = 0; row < column->data->row_count; row++) {
        double value = column_value(column, row), weight = row_weight(column, row);

        if (!isnan(value) && !isnan(weight))
            squares += weight * pow(value - sum / all, 2);
    }
    if (!(squares > 0) || !(own_all > 0))
        return (struct balance){.feature = -1};
    balance.difference = (own_sum / own_all - sum / all) / sqrt(squares / all);
    balance.se = sqrt(own_squares) / own_all;
    return balance;
}

static int code_count(const struct learner_data *data, int feature)
{
    int count = 0;

    for (int64_t row = 0; row < data->row_count; row++) {
        float value = feature_at(&data->features, row, feature);

        if (!isnan(value) && (int)value >= count)
            count = (int)value + 1;
    }
    return count < PREDICTOR_CATEGORY_COUNT_MAX ? count : PREDICTOR_CATEGORY_COUNT_MAX;
}

struct balance balance_of_arm(const struct learner_data *data, int arm)
{
    struct balance worst = {.feature = -1};

    for (int feature = 0; feature < data->features.feature_count; feature++) {
        bool is_nominal = data->features.is_nominal && data->features.is_nominal[feature];
        int last = is_nominal ? code_count(data, feature) - 1 : -1;

        for (int code = is_nominal ? 0 : -1; code <= last; code++) {
            const struct column column = {data, arm, feature, code};
            struct balance found = compare(&column);

            if (found.feature >= 0 && fabs(found.difference) > fabs(worst.difference))
                worst = found;
        }
    }
    return worst;
}

/* ---- an arm beside another ---- */

/* Of the rows of an arm that have the column; square_sum is around the mean (Welford
 * 1962). */
struct side {
    double rows, count, count_squares, mean, square_sum;
};

static void side_count(struct side *side, double weight)
{
    side->rows++;
    side->count += weight;
    side->count_squares += weight * weight;
}

static void side_add(struct side *side, double value, double weight)
{
    double off = value - side->mean;

    side_count(side, weight);
    side->mean += off * (weight / side->count); /* only the product waits for the mean */
    side->square_sum += weight * off * (value - side->mean);
}

static double variance_of(const struct side *side)
{
    return side->square_sum / side->count * side->rows / (side->rows - 1);
}

static struct balance_gap gap_between(const struct side *one, const struct side *other)
{
    double difference = one->mean - other->mean, deviation, error;

    if (one->rows < 2 || other->rows < 2 || difference == 0)
        return (struct balance_gap){0};
    deviation = sqrt((variance_of(one) + variance_of(other)) / 2);
    if (!(deviation > 0))
        return (struct balance_gap){copysign(INFINITY, difference), 0};
    error = sqrt(variance_of(one) * one->count_squares / one->count / one->count +
                 variance_of(other) * other->count_squares / other->count / other->count);
    return (struct balance_gap){difference / deviation, error / deviation};
}

/* 1 of one arm, 0 of the other, -1 of neither; without a branch, which would be guessed
 * wrong half the time. */
static int side_of(const struct balance_arms *arms, int64_t row)
{
    int arm = arms->arms[row], is_one = arm == arms->one;

    return is_one - (!is_one & (arm != arms->other));
}

static double weight_of(const struct balance_arms *arms, int64_t row)
{
    return arms->weights ? arms->weights[row] : 1;
}

/* A column of numbers, or whether rows have a code. */
struct values {
    const double *numbers;
    const int32_t *codes; /* NULL: numbers */
    int32_t code;
};

static double value_at(const struct values *values, int64_t row)
{
    if (!values->codes)
        return values->numbers[row];
    return values->codes[row] < 0 ? NAN : values->codes[row] == values->code;
}

/* With clusters the error is CR1, as in learn/experiment.h: of what each row, by its
 * weight, moves the difference. */
static void cluster_gap(const struct values *values, const struct balance_arms *arms,
                        const struct side sides[2], struct balance_gap *gap)
{
    double n = sides[0].rows + sides[1].rows, squares = 0, clusters = 0;

    if (!arms->clusters || gap->difference == 0 || !isfinite(gap->difference))
        return;
    for (int64_t row = 0; row < arms->row_count; row++) {
        int side = side_of(arms, row);
        double value = value_at(values, row), *sum;

        if (isnan(value) || side < 0)
            continue;
        sum = &arms->clusters->sums[arms->clusters->of[row]];
        *sum = (isnan(*sum) ? 0 : *sum) + (side ? 1 : -1) * weight_of(arms, row) *
                                              (value - sides[side].mean) /
                                              sides[side].count;
    }
    for (int32_t g = 0; g < arms->clusters->count; g++) {
        double *sum = &arms->clusters->sums[g];

        if (isnan(*sum))
            continue;
        squares += *sum * *sum;
        clusters++;
        *sum = NAN;
    }
    gap->se = sqrt(squares * clusters / (clusters - 1) * (n - 1) / (n - 2)) *
              gap->difference / (sides[1].mean - sides[0].mean);
}

struct balance_gap balance_of_numbers(const double *numbers,
                                      const struct balance_arms *arms)
{
    struct side sides[2] = {};
    struct balance_gap gap;

    for (int64_t row = 0; row < arms->row_count; row++) {
        int side = side_of(arms, row);

        if (!isnan(numbers[row]) && side >= 0)
            side_add(&sides[side], numbers[row], weight_of(arms, row));
    }
    gap = gap_between(&sides[1], &sides[0]);
    cluster_gap(&(struct values){.numbers = numbers}, arms, sides, &gap);
    return gap;
}

/* The share of an arm with a code. */
static struct side share_of(const struct side *all, double with)
{
    struct side side = *all;

    side.mean = all->count > 0 ? with / all->count : 0;
    side.square_sum = with * (1 - side.mean);
    return side;
}

enum status balance_of_codes(const int32_t *codes, int32_t code_count,
                             const struct balance_arms *arms, struct balance_gap *worst,
                             int32_t *worst_code, struct err *err)
{
    double(*counts)[2] = calloc((size_t)code_count + 1, sizeof *counts);
    struct side all[2] = {}, sides[2] = {};

    if (!counts)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d texts",
                       (int)code_count);
    for (int64_t row = 0; row < arms->row_count; row++) {
        int side = side_of(arms, row);

        if (codes[row] < 0 || side < 0)
            continue;
        counts[codes[row]][side] += weight_of(arms, row);
        side_count(&all[side], weight_of(arms, row));
    }
    *worst = (struct balance_gap){0};
    *worst_code = 0;
    for (int32_t code = 0; code < code_count; code++) {
        struct side one = share_of(&all[1], counts[code][1]),
                    other = share_of(&all[0], counts[code][0]);
        struct balance_gap gap = gap_between(&one, &other);

        if (fabs(gap.difference) > fabs(worst->difference)) {
            *worst = gap;
            *worst_code = code;
            sides[0] = other;
            sides[1] = one;
        }
    }
    cluster_gap(&(struct values){.codes = codes, .code = *worst_code}, arms, sides,
                worst);
    free(counts);
    return STATUS_OK;
}
