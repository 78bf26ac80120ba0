/* booster.h - boosted trees from libxgboost, which is loaded when the first is trained.
 *
 * The only door to that library: neither the service nor anything else links it. Its C
 * interface as of 1.7 (xgboost/c_api.h), declared by hand. One thread per call and per
 * booster: the same rows, settings and seed give the same bytes. */
#ifndef REDRESS_LEARN_BOOSTER_H
#define REDRESS_LEARN_BOOSTER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct booster; /* opaque */

struct booster_settings {
    int round_count, depth;
    double rate;            /* eta */
    double leaf_weight_min; /* min_child_weight: sum of second derivatives */
    double row_share;       /* of rows each tree sees */
    double column_share;    /* of features each tree sees */
    double ridge;           /* lambda */
    bool is_logistic;       /* targets 0 to 1, through a logistic link */
    int rising_feature;     /* predictions never fall in it; -1: none */
    uint32_t seed;
    void (*tell)(void *context, double done); /* after each tree, 0 to 1; NULL is fine */
    void *context;
};

/* Room for some rows: features (row, feature), NaN where missing; targets and weights
 * (row). */
struct booster_block {
    float *features, *targets, *weights;
};

/* What to learn from; borrowed for the call. */
struct booster_rows {
    int64_t row_count;
    int feature_count;
    bool has_weights; /* else all are 1, and none are asked for */
    double mean;      /* of the targets, by weight: where scores begin */
    const char *const
        *names; /* (feature), as the model file will have them; NULL: none */

    /* Put count rows from `first` on into a block; asked for all of them several times
     * over. */
    void (*put)(const void *context, int64_t first, int count,
                struct booster_block *block);

    /* A feature of one row: asked for each of them once. */
    float (*at)(const void *context, int64_t row, int feature);
    const void *context;
};

/* The library is given the rows a block at a time, so that there is never a copy of them,
 * and puts them into bins (at most 256 of each feature) that are the rows' quantiles.
 * UNAVAILABLE, with the name of the Debian package, when the library is not there or is
 * older than 1.7. The caller closes *booster. */
enum status booster_train(const struct booster_rows *rows,
                          const struct booster_settings *settings,
                          struct booster **booster, struct err *err);
void booster_close(struct booster *booster); /* NULL is fine */

/* Raw scores (row) before any link, as the library adds them up: features (row,
 * feature). */
enum status booster_raw(const struct booster *booster, const float *features,
                        int64_t row_count, int feature_count, float *raw,
                        struct err *err);

/* The model file, XGBoost JSON. The caller frees *text. */
enum status booster_save(const struct booster *booster, char **text, size_t *bytes,
                         struct err *err);

/* gains (feature): how much of the loss the splits on each feature took away, over all
 * trees. */
enum status booster_gains(const struct booster *booster, int feature_count, double *gains,
                          struct err *err);

/* "1.7.4"; empty before the first was trained. */
const char *booster_version(void);

#endif
