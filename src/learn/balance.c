/* balance.c - means of features, of all rows and of those of an arm by their inverse propensities. */
#include "learn/balance.h"

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
