/* surrogate.h - a long-term effect from short-term outcomes: the surrogate index of
 * Athey, Chetty, Imbens and Kang (2019). Assumes that the treatment changes the outcome
 * through the surrogates only, and that history and experiment are alike. Pure; any
 * thread. */
#ifndef REDRESS_LEARN_SURROGATE_H
#define REDRESS_LEARN_SURROGATE_H

#include "learn/regression.h"

/* Regressors are a constant, covariates and surrogates, in the same order in both. */
struct surrogate_data {
    int column_count;
    int surrogate_count; /* of these: the last ones */

    int64_t history_count;
    const struct regressor *history; /* (column) */
    const double *outcomes;          /* (row) of the history */

    int64_t experiment_count;
    const struct regressor *experiment; /* (column) */
    const double *treatments;           /* (row): 0 or 1 */
    /* (row): the outcome where it is known already, NaN elsewhere; or NULL */
    const double *matured;
};

struct surrogate_effect {
    double value, se;   /* of the predicted index */
    double se_sampling; /* without the error of the first stage */
    double r_squared;   /* of the first stage */
    int used_count; /* surrogates that do not depend on other columns of the history */
    int64_t treated_count, control_count;

    /* rows whose outcome is known; the rest NaN with too few of them */
    int64_t matured_count;
    double direct, direct_se,
        direct_p; /* of the treatment beside the surrogates: should be 0 */
};

/* se^2 = the two-sample variance + d'Vd: d the difference of mean regressors, V the HC0
 * covariance of the first stage. dropped (column): which are constant in the history, or
 * depend on those before them there. INVALID: no surrogate is left (used_count is 0), an
 * arm has fewer than two rows, or the history too few. */
enum status surrogate_estimate(const struct surrogate_data *data,
                               struct surrogate_effect *effect, bool *dropped,
                               struct err *err);

#endif
