/* balance.c - means of features, of all rows and of those of an arm by their inverse propensities; and of one
 * arm beside another. */
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

/* Of the rows of an arm that have the column. */
struct side {
    double count, mean, square_sum; /* around the mean (Welford 1962) */
};

static void side_add(struct side *side, double value)
{
    double off = value - side->mean;

    side->mean += off / ++side->count;
    side->square_sum += off * (value - side->mean);
}

static struct balance_gap gap_between(const struct side *one, const struct side *other)
{
    double difference = one->mean - other->mean, deviation, one_variance, other_variance;

    if (one->count < 2 || other->count < 2 || difference == 0)
        return (struct balance_gap){0};
    one_variance = one->square_sum / (one->count - 1);
    other_variance = other->square_sum / (other->count - 1);
    deviation = sqrt((one_variance + other_variance) / 2);
    if (!(deviation > 0))
        return (struct balance_gap){copysign(INFINITY, difference), 0};
    return (struct balance_gap){
        difference / deviation,
        sqrt(one_variance / one->count + other_variance / other->count) / deviation,
    };
}

struct balance_gap balance_of_numbers(const double *numbers, const int32_t *arms,
                                      int64_t row_count, int one, int other)
{
    struct side sides[2] = {};

    for (int64_t row = 0; row < row_count; row++)
        if (!isnan(numbers[row]) && (arms[row] == one || arms[row] == other))
            side_add(&sides[arms[row] == one], numbers[row]);
    return gap_between(&sides[1], &sides[0]);
}

/* The share of the rows with a code. */
static struct side share_of(int64_t with, int64_t count)
{
    double share = count > 0 ? (double)with / (double)count : 0;

    return (struct side){(double)count, share, (double)with * (1 - share)};
}

enum status balance_of_codes(const int32_t *codes, int32_t code_count,
                             const int32_t *arms, int64_t row_count, int one, int other,
                             struct balance_gap *worst, int32_t *worst_code,
                             struct err *err)
{
    int64_t(*counts)[2] = calloc((size_t)code_count + 1, sizeof *counts);
    int64_t totals[2] = {0};

    if (!counts)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d texts",
                       (int)code_count);
    for (int64_t row = 0; row < row_count; row++) {
        if (codes[row] < 0 || (arms[row] != one && arms[row] != other))
            continue;
        counts[codes[row]][arms[row] == one]++;
        totals[arms[row] == one]++;
    }
    *worst = (struct balance_gap){0};
    *worst_code = 0;
    for (int32_t code = 0; code < code_count; code++) {
        struct side own = share_of(counts[code][1], totals[1]),
                    others = share_of(counts[code][0], totals[0]);
        struct balance_gap gap = gap_between(&own, &others);

        if (fabs(gap.difference) > fabs(worst->difference)) {
            *worst = gap;
            *worst_code = code;
        }
    }
    free(counts);
    return STATUS_OK;
}
