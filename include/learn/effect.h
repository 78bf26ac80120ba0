/* effect.h - the average effect of a treatment, from logs with or without an experiment.
 * Pure; any thread.
 *
 * Outcomes y, treatment t of 0 and 1, covariates X without a constant, where they are:
 * beside them it takes three numbers a row, and one more with folds or weights. */
#ifndef REDRESS_LEARN_EFFECT_H
#define REDRESS_LEARN_EFFECT_H

#include "learn/regression.h"

enum effect_method {
    EFFECT_DIFFERENCE, /* of the means */
    EFFECT_OLS,        /* y on 1, t, X */
    /* y on 1, t, X - mean X, t (X - mean X): Lin (2013); the means are those of whom the
     * effect is of. */
    EFFECT_LIN,
    EFFECT_IPW, /* normalised weights from a logistic regression: Hajek */
    /* The same with a linear model per arm: Robins, Rotnitzky and Zhao (1994). */
    EFFECT_AIPW,
    EFFECT_METHOD_COUNT
};

/* "aipw". INVALID names all. */
enum status effect_method_read(const char *name, enum effect_method *method,
                               struct err *err);
const char *effect_method_name(enum effect_method method);

struct effect_data {
    int64_t row_count;
    int column_count;
    const double *treatments;           /* (row): 0 or 1 */
    const double *outcomes;             /* (row) */
    const struct regressor *covariates; /* (column) */
    const int32_t *clusters;            /* (row) from 0; NULL: each row is its own */
    int32_t cluster_count;
};

struct effect_rule {
    enum effect_method method;
    bool is_att; /* of the treated, instead of all; lin, ipw and aipw only */
    enum covariance_kind kind; /* of difference, ols and lin */
    /* Of aipw: models see other rows than those they are used on; 0: the whole sample. */
    int fold_count;
    uint64_t seed; /* of the folds; rows of a cluster share one */
    /* Of lin: the effect is that of these very rows, so that the means of their
     * covariates add nothing to its error. */
    bool are_means_known;
    bool has_risks; /* outcomes are 0 or 1: find log_ratio_se, too */
};

struct effect {
    double value, se;
    double treated_mean, control_mean; /* plain ones */
    /* Adjusted: of those the effect is of, had they not been treated. */
    double untreated_mean;
    /* Of log((untreated_mean + value) / untreated_mean), from what each row moves it by
     * (delta method); NaN without has_risks, or where one of the two is not above 0. */
    double log_ratio_se;
    int64_t treated_count, control_count;
    int64_t treated_others, control_others; /* of these, with outcomes that are not 0 */
    double clusters_treated,
        clusters_control; /* effective (learn/clusters.h); NaN without clusters */
    double draws;         /* that se rests on (learn/draws.h); NaN of classical errors */
    double freedom;       /* of Student's t for value / se; INFINITY without clusters */

    /* How alike the arms are, by the fitted probability p of being treated; of ipw and
     * aipw, else NaN and 0. */
    double p_min, p_max;
    double effective_treated, effective_control; /* rows, of the estimand's weights */
    int64_t outside_count;                       /* of p outside of 0.1 to 0.9 */
    int64_t certain_count,
        certain_row; /* of p within 1e-15 of 0 or 1; the first of them */

    /* It was INVALID because the covariates say who was treated. */
    bool is_determined;
    /* It was INVALID because the error is one of rounding. */
    bool is_exact;
};

/* dropped (column): may be NULL; which covariates depend on others or do not vary.
 * Errors: difference, ols and lin by the kind or CR1, lin with what each row moves the
 * means of covariates by, times how the effect differs with them (Negi and Wooldridge
 * 2021), unless are_means_known; the others by what each row adds, for ipw also
 * through the probabilities that are fitted. INVALID: one arm is empty, or outside of
 * a fold; a regression goes through a row that moves the effect, whatever its outcome
 * (leverage 1), or has covariates that the treatment follows from (for lin within what
 * each arm has of them); the covariates tell the arms apart perfectly; a row is in an
 * arm that it has a probability below 1e-15 of; the error is one of rounding. */
enum status effect_estimate(const struct effect_data *data, struct effect_rule rule,
                            struct effect *effect, bool *dropped, struct err *err);

/* The first covariate that alone tells rows of one arm from all of the other: no
 * treated row has less of it than any other, or none more, and some differ; -1 when
 * there is none. */
int effect_separating(const struct effect_data *data);

/* How strongly something unseen would have to go with treatment and outcome, as a
 * ratio of risks each, to explain away the effect: VanderWeele and Ding (2017).
 * Outcomes of 0 and 1 by their risks, others by exp(0.91 effect / sd). limit: of the
 * end nearer to none of the interval, that of the logarithm of the ratio for outcomes
 * of 0 and 1; 1 when that, or the interval of the effect, holds none. */
void effect_e_value(const struct effect *effect, bool is_binary, double outcome_sd,
                    double *value, double *limit);

#endif
