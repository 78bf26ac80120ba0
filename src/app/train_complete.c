/* train_complete.c - what is known of rows whose outcome is still to come. */
#include "app/train.h"

#include <stdlib.h>
#include <string.h>

/* Features, what was done, its cost and the surrogates of every row, with the arm as a category. */
static void put_history(const struct train_table *table, int width, float *values)
{
    int features = table->feature_count;

    for (int64_t row = 0; row < table->row_count; row++) {
        float *out = values + row * width;

        memcpy(out, table->values + row * features, (size_t)features * sizeof *out);
        out += features;
        *out++ = (float)table->doses[table->arms[row]];
        *out++ = (float)table->arms[row];
        *out++ = table->costs ? (float)table->costs[row] : 0;
        memcpy(out, table->surrogates + row * table->surrogate_count,
               (size_t)table->surrogate_count * sizeof *out);
    }
}

enum status train_complete(const struct train_table *table, struct train_result *result,
                           struct err *err)
{
    int features = table->feature_count, width = features + 3 + table->surrogate_count;
    float *values;
    bool *is_nominal;
    enum status rc;

    if (table->immature_count == 0)
        return STATUS_OK;
    values = malloc(((size_t)table->row_count * (size_t)width + 1) * sizeof *values);
    is_nominal = calloc((size_t)width, sizeof *is_nominal);
    if (values && is_nominal) {
        const struct maturity_data data = {
            .row_count = table->row_count,
            .features = {.feature_count = width,
                         .values = values,
                         .is_nominal = is_nominal,
                         .keys = table->keys},
            .outcomes = table->outcomes,
            .weights = table->weights,
            .keys = table->keys,
            .is_binary = result->is_logistic,
        };

        put_history(table, width, values);
        memcpy(is_nominal, table->is_nominal, (size_t)features * sizeof *is_nominal);
        is_nominal[features + 1] = true;
        rc = maturity_complete(&data, result->settings.base, result->settings.seed,
                               &result->maturity, err);
        if (rc == STATUS_INVALID)
            rc = err_wrap(err, "surrogates");
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for completing outcomes");
    }
    free(values);
    free(is_nominal);
    return rc;
}
