/* predictor.h - a regression of something on features, by boosted trees or a linear
 * model: what the learners are made of.
 *
 * Pure but for the library of trees; one thread per object. */
#ifndef REDRESS_LEARN_PREDICTOR_H
#define REDRESS_LEARN_PREDICTOR_H

#include "base/err.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PREDICTOR_COLUMN_COUNT_MAX = 1024,
    PREDICTOR_CATEGORY_COUNT_MAX = 64,
    PREDICTOR_FOLD_COUNT = 5 /* by which the penalty of a linear model is chosen */
};

enum predictor_base { PREDICTOR_TREES, PREDICTOR_LINEAR };

/* Features of rows, borrowed, and one more input behind them where there is a last: of
 * each row, or the same for all. */
struct feature_rows {
    int feature_count;
    const float *values;    /* (row, feature), NaN where missing; without those shared */
    const bool *is_nominal; /* (feature): codes from 0 without an order; NULL: none */
    bool has_last;
    const float *last; /* (row), NULL: last_value for all */
    float last_value;
    const char *const *names; /* (feature, and the last) for model files */

    /* The first features, where many rows have the same ones. */
    int shared_count;
    const float *shared;      /* (which, shared feature) */
    const int32_t *shared_of; /* (row): which */

    /* Rows of one key are in one fold. NULL: by row. Where folds are there they were
     * drawn before, by predictor_fold: folds[row] / fold_place, of which the last digit
     * to the base of their count is taken. */
    const uint64_t *keys;  /* (row) */
    const uint16_t *folds; /* (row) */
    int fold_place;
};

/* Which rows, by their index, which is below 2^32; shared by whatever goes on on them. */
struct row_set {
    int64_t count;
    const uint32_t *rows; /* (count) */
};

/* Of place i, in eight bytes, since it is about to be multiplied. */
static inline int64_t row_set_at(struct row_set set, int64_t i)
{
    return set.rows[i];
}

/* The rows of a set for which choose says so; rows: room for them. */
static inline struct row_set row_set_pick(struct row_set set, uint32_t *rows,
                                          bool (*choose)(const void *context,
                                                         int64_t row),
                                          const void *context)
{
    int64_t count = 0;

    for (int64_t i = 0; i < set.count; i++)
        if (choose(context, set.rows[i]))
            rows[count++] = set.rows[i];
    return (struct row_set){count, rows};
}

/* Told how far a model is while it is fitted, 0 to 1 at its end; NULL is fine. */
struct predictor_progress {
    void (*tell)(void *context, double done);
    void *context;
};

struct predictor_settings {
    enum predictor_base base;
    bool is_logistic; /* targets 0 to 1, predictions through a logistic link */

    /* Trees. Leaves hold at least leaf_share of the rows' weight. */
    int round_count, depth;
    double rate, leaf_share, row_share, column_share, ridge;
    bool is_rising; /* in the last input */

    uint64_t seed;
    struct predictor_progress progress;
};

struct predictor; /* opaque */

/* The fold of a key under the seed of settings, from 0. */
int predictor_fold(uint64_t key, uint64_t seed);

/* targets (row), weights (row; NULL for 1): by the index of the row. The penalty of a
 * linear model is the one of a few with the least error in PREDICTOR_FOLD_COUNT folds
 * by keys and seed; a logistic one has a fixed one. What is learned does not depend
 * on the units of targets, or of the features of a linear model. A category has a weight
 * for each of its texts, up to PREDICTOR_CATEGORY_COUNT_MAX of them, the most frequent;
 * others, and texts that no row of the set has, count as missing. INVALID without rows,
 * or with targets or weights that are no floats; TOO_LARGE beyond
 * PREDICTOR_COLUMN_COUNT_MAX columns. The caller closes *predictor. */
enum status predictor_fit(const struct predictor_settings *settings,
                          const struct feature_rows *features, struct row_set set,
                          const double *targets, const double *weights,
                          struct predictor **predictor, struct err *err);
void predictor_close(struct predictor *predictor); /* NULL is fine */

/* Predictions, after the link, of the rows of a set: to predictions[row] when spread,
 * else in the order of the set. */
enum status predictor_predict(const struct predictor *predictor,
                              const struct feature_rows *features, struct row_set set,
                              bool is_spread, double *predictions, struct err *err);

/* As XGBoost JSON, or as our own linear model (model/linear.h). The caller frees
 * *text. */
enum status predictor_save(const struct predictor *predictor,
                           const struct feature_rows *features, char **text,
                           size_t *bytes, struct err *err);

/* gains (feature, and the last): how much each explains; of trees the gain of their
 * splits, of linear models the size of the weights of standardised features. */
enum status predictor_gains(const struct predictor *predictor, double *gains,
                            struct err *err);

static inline int feature_rows_width(const struct feature_rows *features)
{
    return features->feature_count + features->has_last;
}

static inline float feature_at(const struct feature_rows *features, int64_t row,
                               int index)
{
    int shared = features->shared_count, own = features->feature_count - shared;

    if (index < shared)
        return features->shared[(int64_t)features->shared_of[row] * shared + index];
    if (index < features->feature_count)
        return features->values[row * own + index - shared];
    return features->last ? features->last[row] : features->last_value;
}

#endif
