/* train_complete.c - what is known of rows whose outcome is still to come. */
#include "app/train.h"

#include <stdlib.h>
#include <string.h>

/* Features, what was done and its cost of every row, with the arm as a category; and with
 * surrogates behind them. */
struct history {
    int plain_width, width;
    float *plain, *values;      /* (row, plain_width), (row, width) */
    bool *is_nominal, *is_bare; /* (width), (row) */
    int64_t bare_count;
};

static enum status open_history(const struct train_table *table, struct history *history,
                                struct err *err)
{
    size_t n = (size_t)table->row_count + 1;

    history->plain_width = table->feature_count + 3;
    history->width = history->plain_width + table->surrogate_count;
    history->plain = malloc(n * (size_t)history->plain_width * sizeof(float));
    history->values = malloc(n * (size_t)history->width * sizeof(float));
    history->is_nominal = calloc((size_t)history->width, sizeof(bool));
    history->is_bare = calloc(n, sizeof(bool));
    if (history->plain && history->values && history->is_nominal && history->is_bare)
        return STATUS_OK;
    return err_set(err, STATUS_EXHAUSTED, "out of memory for completing outcomes");
}

static void close_history(struct history *history)
{
    free(history->plain);
    free(history->values);
    free(history->is_nominal);
    free(history->is_bare);
}

static void put_row(const struct train_table *table, int64_t row, struct history *history)
{
    const float *surrogates = table->surrogates + row * table->surrogate_count;
    float *plain = history->plain + row * history->plain_width;
    float *values = history->values + row * history->width;
    int features = table->feature_count;

    memcpy(plain, table->values + row * features, (size_t)features * sizeof *plain);
    plain[features] = (float)table->doses[table->arms[row]];
    plain[features + 1] = (float)table->arms[row];
    plain[features + 2] = table->costs ? (float)table->costs[row] : 0;
    memcpy(values, plain, (size_t)history->plain_width * sizeof *values);
    memcpy(values + history->plain_width, surrogates,
           (size_t)table->surrogate_count * sizeof *values);
    for (int i = 0; i < table->surrogate_count; i++)
        history->is_bare[row] |= isnan(surrogates[i]);
    history->bare_count += history->is_bare[row] && isnan(table->outcomes[row]);
}

static void put_history(const struct train_table *table, struct history *history)
{
    for (int64_t row = 0; row < table->row_count; row++)
        put_row(table, row, history);
    memcpy(history->is_nominal, table->is_nominal,
           (size_t)table->feature_count * sizeof *history->is_nominal);
    history->is_nominal[table->feature_count + 1] = true;
}

static enum status complete(const struct train_table *table,
                            const struct history *history, struct train_result *result,
                            struct err *err)
{
    const struct maturity_data data = {
        .row_count = table->row_count,
        .features = {.feature_count = history->width,
                     .values = history->values,
                     .is_nominal = history->is_nominal,
                     .keys = table->keys},
        .plain = {.feature_count = history->plain_width,
                  .values = history->plain,
                  .is_nominal = history->is_nominal,
                  .keys = table->keys},
        .is_bare = history->is_bare,
        .outcomes = table->outcomes,
        .weights = table->weights,
        .keys = table->keys,
        .is_binary = result->is_logistic,
    };
    enum status rc = maturity_complete(&data, result->settings.base,
                                       result->settings.seed, &result->maturity, err);

    result->bare_count = history->bare_count;
    return rc == STATUS_INVALID ? err_wrap(err, "surrogates") : rc;
}

enum status train_complete(const struct train_table *table, struct train_result *result,
                           struct err *err)
{
    struct history history = {0};
    enum status rc;

    if (table->immature_count == 0)
        return STATUS_OK;
    rc = open_history(table, &history, err);
    if (!rc) {
        put_history(table, &history);
        rc = complete(table, &history, result, err);
    }
    close_history(&history);
    return rc;
}
