/* reward_model.h - what reward to expect of each thing that could have been done, by
 * models fitted on a log itself: the q and dm of offpolicy.h.
 *
 * Cross-fitted (Chernozhukov et al. 2018): rows are divided into folds by a hash of their
 * keys, never by their order, rows of a key share theirs, and each fold is judged by a
 * model that saw the others only. So a row's own reward is not in its q, and the errors
 * of dr and sndr are those of the rows.
 *
 * Pure but for the library of trees; any thread. */
#ifndef REDRESS_LEARN_REWARD_MODEL_H
#define REDRESS_LEARN_REWARD_MODEL_H

#include "learn/predictor.h"

enum { REWARD_FOLD_COUNT = 5 };

/* All borrowed. A row of features: what was done, which is among those shared, then the
 * case. */
struct reward_rows {
    int64_t row_count;
    struct feature_rows features; /* without a last input, keys and folds */
    const double *rewards;        /* (row) */
    const uint16_t *folds;        /* (row): reward_folds of its key */

    /* What the policy would do: the places of menu i end where those of the next
     * begin. */
    const int32_t *menus;     /* (row): which is the row's; NULL: each row has its own */
    const int64_t *menu_ends; /* (menu) */
    const int32_t *options;   /* (place): which of features.shared */
    const double *probabilities; /* (place) */
};

struct reward_settings {
    enum predictor_base base;
    bool is_logistic; /* rewards are 0 or 1 */
    uint64_t seed;
};

struct reward_progress {
    void (*tell)(void *context, double done); /* NULL is fine */
    void *context;
};

/* All the folds of a key, which are kept in place of it: that of the rows, and that
 * within each model of the others. */
uint16_t reward_folds(uint64_t key, uint64_t seed);

/* The one of the rows, from 0. */
int reward_fold(uint16_t folds);

/* logged (row): of what was done; expected (row): the mean over what the policy would do.
 * INVALID when all rows are in one fold; else as predictor_fit. */
enum status reward_model_fit(const struct reward_rows *rows,
                             const struct reward_settings *settings,
                             struct reward_progress progress, double *logged,
                             double *expected, struct err *err);

#endif
