/* ridge_columns.c - from features to standardised columns: numbers as they are,
 * categories as the texts they have. */
#include "learn/ridge.h"

#include <stdlib.h>

/* More codes than a bundle can have texts. */
enum { CODE_COUNT_MAX = 1 << 16 };

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a linear model");
}

/* ---- which columns ---- */

static enum status add_column(struct ridge *ridge, int feature, int code, struct err *err)
{
    if (ridge->column_count == PREDICTOR_COLUMN_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "a linear model of more than %d columns",
                       PREDICTOR_COLUMN_COUNT_MAX);
    ridge->columns[ridge->column_count++] =
        (struct ridge_column){.feature = feature, .code = code};
    return STATUS_OK;
}

/* The code of a row, -1 where it is missing. */
static int code_at(const struct feature_rows *features, int64_t row, int feature)
{
    float code = feature_at(features, row, feature);

    return code >= 0 && code < CODE_COUNT_MAX ? (int)code : -1;
}

static int code_count(const struct feature_rows *features, struct row_set set,
                      int feature)
{
    int count = 0;

    for (int64_t i = 0; i < set.count; i++) {
        int code = code_at(features, set.rows[i], feature);

        if (code >= count)
            count = code + 1;
    }
    return count;
}

struct frequency {
    int64_t row_count;
    int code;
};

static int compare_frequencies(const void *a, const void *b)
{
    const struct frequency *x = a, *y = b;

    if (x->row_count != y->row_count)
        return x->row_count < y->row_count ? 1 : -1;
    return (x->code > y->code) - (x->code < y->code);
}

/* The codes (count) of the rows, the most frequent first. */
static void count_codes(const struct feature_rows *features, struct row_set set,
                        int feature, struct frequency *frequencies, int count)
{
    for (int code = 0; code < count; code++)
        frequencies[code].code = code;
    for (int64_t i = 0; i < set.count; i++) {
        int code = code_at(features, set.rows[i], feature);

        if (code >= 0)
            frequencies[code].row_count++;
    }
    qsort(frequencies, (size_t)count, sizeof *frequencies, compare_frequencies);
}

/* A column for each of the most frequent codes: the penalty shares out what they have in
 * common, so that no code is special, and nothing depends on how they are numbered. */
static enum status add_category(struct ridge *ridge, const struct feature_rows *features,
                                struct row_set set, int feature, struct err *err)
{
    struct ridge_levels *levels = &ridge->levels[feature];
    struct frequency *frequencies;
    enum status rc = STATUS_OK;

    levels->count = code_count(features, set, feature);
    levels->is_known = calloc((size_t)levels->count + 1, sizeof *levels->is_known);
    frequencies = calloc((size_t)levels->count + 1, sizeof *frequencies);
    if (!levels->is_known || !frequencies) {
        free(frequencies);
        return refuse_memory(err);
    }
    count_codes(features, set, feature, frequencies, levels->count);
    for (int i = 0; i < levels->count && i < PREDICTOR_CATEGORY_COUNT_MAX && !rc; i++) {
        if (frequencies[i].row_count == 0)
            break;
        levels->is_known[frequencies[i].code] = true;
        rc = add_column(ridge, feature, frequencies[i].code, err);
    }
    free(frequencies);
    return rc;
}

static enum status add_feature(struct ridge *ridge, const struct feature_rows *features,
                               struct row_set set, int feature, struct err *err)
{
    ridge->levels[feature].is_category = features->is_nominal &&
                                         feature < features->feature_count &&
                                         features->is_nominal[feature];
    return ridge->levels[feature].is_category
               ? add_category(ridge, features, set, feature, err)
               : add_column(ridge, feature, -1, err);
}

/* ---- their values ---- */

/* NaN where it is missing, or a code that has no column of its own. */
static double plain_value(const struct ridge *ridge, const struct ridge_column *column,
                          const struct feature_rows *features, int64_t row)
{
    const struct ridge_levels *levels = &ridge->levels[column->feature];
    int code;

    if (!levels->is_category)
        return (double)feature_at(features, row, column->feature);
    code = code_at(features, row, column->feature);
    return code >= 0 && code < levels->count && levels->is_known[code]
               ? code == column->code
               : NAN;
}

double ridge_column_value(const struct ridge *ridge, int index,
                          const struct feature_rows *features, int64_t row)
{
    const struct ridge_column *column = &ridge->columns[index];
    double value = plain_value(ridge, column, features, row);

    return isnan(value) || column->spread == 0 ? 0
                                               : (value - column->mean) / column->spread;
}

static void measure(const struct ridge *ridge, struct ridge_column *column,
                    const struct feature_rows *features, struct row_set set,
                    const double *weights)
{
    double sum = 0, square_sum = 0, weight_sum = 0, low = INFINITY, high = -INFINITY;

    for (int64_t i = 0; i < set.count; i++) {
        double value = plain_value(ridge, column, features, set.rows[i]);

        if (isnan(value))
            continue;
        sum += ridge_weight(weights, set.rows[i]) * value;
        weight_sum += ridge_weight(weights, set.rows[i]);
        low = fmin(low, value);
        high = fmax(high, value);
    }
    column->mean = weight_sum > 0 ? sum / weight_sum : 0;
    for (int64_t i = 0; i < set.count; i++) {
        double value = plain_value(ridge, column, features, set.rows[i]);

        if (!isnan(value))
            square_sum += ridge_weight(weights, set.rows[i]) * (value - column->mean) *
                          (value - column->mean);
    }
    column->spread = weight_sum > 0 ? sqrt(square_sum / weight_sum) : 0;
    /* What is the same in all rows may be off its mean by rounding. */
    if (!(low < high) || column->spread < 1e-12 * fabs(column->mean))
        column->spread = 0;
}

enum status ridge_open_columns(struct ridge *ridge, const struct feature_rows *features,
                               struct row_set set, const double *weights, struct err *err)
{
    enum status rc = STATUS_OK;

    ridge->feature_count = feature_rows_width(features);
    ridge->levels = calloc((size_t)ridge->feature_count, sizeof *ridge->levels);
    ridge->columns = calloc(PREDICTOR_COLUMN_COUNT_MAX, sizeof *ridge->columns);
    ridge->weights = calloc(PREDICTOR_COLUMN_COUNT_MAX + 1, sizeof *ridge->weights);
    if (!ridge->levels || !ridge->columns || !ridge->weights)
        return refuse_memory(err);
    for (int i = 0; i < ridge->feature_count && !rc; i++)
        rc = add_feature(ridge, features, set, i, err);
    for (int i = 0; i < ridge->column_count && !rc; i++)
        measure(ridge, &ridge->columns[i], features, set, weights);
    return rc;
}

void ridge_put_row(const struct ridge *ridge, const struct feature_rows *features,
                   int64_t row, double *values)
{
    values[0] = 1;
    for (int i = 0; i < ridge->column_count; i++)
        values[1 + i] = ridge_column_value(ridge, i, features, row);
}
