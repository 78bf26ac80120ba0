/* reward_model.h - what reward to expect of each thing that could have been done, by models fitted on a log
 * itself: the q and dm of offpolicy.h.
 *
 * Cross-fitted (Chernozhukov et al. 2018): rows are divided into folds by a hash of their keys, never by
 * their order, rows of a key share theirs, and each fold is judged by a model that saw the others only.
 * So a row's own reward is not in its q, and the errors of dr and sndr are those of the rows.
 *
 * Pure but for the library of trees; any thread. */
#ifndef REDRESS_LEARN_REWARD_MODEL_H
#define REDRESS_LEARN_REWARD_MODEL_H

#include "learn/predictor.h"

enum { REWARD_FOLD_COUNT = 5 };

/* All borrowed. A row of features: option_width columns of what was done, then those of the case. */
struct reward_rows {
    int64_t row_count;
    struct feature_rows features; /* without a last input */
    int option_width;
    const double *rewards; /* (row) */
    const uint64_t *keys;  /* (row) */

    /* What the policy would do: the options of menu i end where those of the next begin. */
    const int32_t *menus; /* (row): which is the row's; NULL: each row has its own */
    const int64_t *option_ends;  /* (menu) */
    const float *option_values;  /* (option, option_width) */
    const double *probabilities; /* (option) */
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

/* Which fold a key is in, from 0. */
int reward_fold(uint64_t key, uint64_t seed);

/* logged (row): of what was done; expected (row): the mean over what the policy would do. INVALID when all
 * rows are in one fold; else as predictor_fit. */
enum status reward_model_fit(const struct reward_rows *rows,
                             const struct reward_settings *settings,
                             struct reward_progress progress, double *logged,
                             double *expected, struct err *err);

#endif
