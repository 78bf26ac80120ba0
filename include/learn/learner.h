/* learner.h - what each of several treatments changes, for whom: the S-, T-, X-, R- and
 * DR-learners.
 *
 * Arms are numbered from 0, the control; "arm k" is a treatment against it. mu_k(x) is
 * the expected outcome in an arm, p_k(x) the probability of it, e = p_k / (p_k + p_0),
 * tau_k the effect.
 *
 *   s   f(x, dose) on all rows; tau = f(x, dose) - f(x, 0)
 *   t   mu_k on the rows of each arm; tau = mu_k - mu_0
 *   x   y - mu_0 of the treated and mu_k - y of the control, regressed together with weights (t - e)^2:
 *       among rows alike e tau_0 + (1 - e) tau_1, as Kunzel et al. (2019) sum the two regressions, and
 *       those of little overlap count little
 *   r   (y - m) / (t - e) with weights (t - e)^2 on the rows of both: Nie and Wager (2021), with
 *       m = (1 - e) mu_0 + e mu_k
 *   dr  mu_k - mu_0 + [a = k](y - mu_k) / p_k - [a = 0](y - mu_0) / p_0 on all rows:
 *       Kennedy (2023), for each arm
 *
 * x and r leave out rows of arm and control that could hardly have been the other (e
 * within LEARNER_OVERLAP_MIN of 0 or 1): they say nothing of the difference.
 *
 * x, r and dr see mu and p that were fitted on other folds. Folds are drawn by a hash of
 * each row's key and the seed, never by the order of rows; rows of one key share theirs.
 *
 * Pure but for the library of trees; one thread per object. */
#ifndef REDRESS_LEARN_LEARNER_H
#define REDRESS_LEARN_LEARNER_H

#include "learn/predictor.h"

enum { LEARNER_ARM_COUNT_MAX = 33, LEARNER_FOLD_COUNT = 5, LEARNER_HELD_OUT_COUNT = 3 };

enum learner_kind {
    LEARNER_S,
    LEARNER_T,
    LEARNER_X,
    LEARNER_R,
    LEARNER_DR,
    LEARNER_KIND_COUNT
};

/* "dr". INVALID names all. */
const char *learner_kind_name(enum learner_kind kind);
enum status learner_kind_read(const char *name, enum learner_kind *kind, struct err *err);

struct learner_data {
    int64_t row_count;
    struct feature_rows features; /* has_last is false; names has one more, of the dose */
    int arm_count;                /* with the control */
    const int32_t *arms;          /* (row) */
    const double *doses;          /* (arm), 0 of the control */
    const double *outcomes;       /* (row), finite */
    const double *held_out;       /* (fold, row): outcomes to learn from while a fold of
                                     learner_hold_out is held out; NULL: those above */
    const double *weights;        /* (row), above 0; NULL for 1 */
    const uint64_t *keys;         /* (row); NULL: every row has its own */
    const double *propensities;   /* (row, arm), above 0 for what was done; or NULL and */
    const uint32_t *billionths;   /* the same, where all are whole numbers of them; or */
    const double *shares;         /* (arm): the same for every row */
    bool is_binary;               /* outcomes from 0 to 1 */
    bool weighs_inversely;        /* s and t count rows by 1 / p too */
};

struct learner_settings {
    enum predictor_base base;
    int round_count, depth; /* of the trees of effects */
    double rate, leaf_share;
    /* effects never fall with the dose: trees, not t; one model of all doses */
    bool is_rising;
    uint64_t seed;
    struct predictor_progress progress; /* of each model in its turn */
};

static inline uint64_t learner_key(const struct learner_data *data, int64_t row)
{
    return data->keys ? data->keys[row] : (uint64_t)row;
}

/* A number of at most nine digits behind the point is the quotient that is nearest to it:
 * both are rounded once. */
#define LEARNER_BILLION 1e9

static inline double learner_propensity(const struct learner_data *data, int64_t row,
                                        int arm)
{
    if (data->propensities)
        return data->propensities[row * data->arm_count + arm];
    return data->billionths
               ? data->billionths[row * data->arm_count + arm] / LEARNER_BILLION
               : data->shares[arm];
}

/* The fold of a key, from 0; salt sets different divisions apart. */
int learner_fold(uint64_t key, uint64_t seed, uint64_t salt, int fold_count);

/* That of learner_hold_out. */
int learner_held_out_fold(uint64_t key, uint64_t seed);

/* How propensities were estimated. */
struct learner_propensity_fit {
    bool has_trees, is_calibrated;
    double log_loss; /* mean of -log p of what was done, on rows not seen */
    /* rows whose own is below LEARNER_PROPENSITY_MIN, where it is put */
    int64_t clipped_count;
};

/* Fit p on the other folds, each arm against the rest, made to sum to one: by logistic
 * regressions and, when the base is of trees and none is known, by boosted trees; each as
 * it is, and calibrated: isotonic regression on the other folds' rows (van der Laan,
 * Ulloa-Perez, Carone and Luedtke 2023), one row of the arm's share added to each step.
 * The one with the least log loss is taken. Those that are known (above 0) stay, and the
 * others of their row share what is left. propensities (row, arm). */
#define LEARNER_PROPENSITY_MIN 0.01
enum status learner_fit_propensities(const struct learner_data *data,
                                     const struct learner_settings *settings,
                                     double *propensities,
                                     struct learner_propensity_fit *fit, struct err *err);

/* mu, cross-fitted within a set: outcomes (row, arm) at the rows of the set. */
enum status learner_cross_fit(const struct learner_data *data,
                              const struct learner_settings *settings, struct row_set set,
                              double *outcomes, struct err *err);

/* Of the rows of an arm and the control, how many could have been either: counts[0] of
 * the control, counts[1] of the arm. */
#define LEARNER_OVERLAP_MIN 1e-6
void learner_count_overlap(const struct learner_data *data, int arm, int64_t counts[2]);

/* Whether a learner leaves out the other rows: x and r. */
bool learner_needs_overlap(enum learner_kind kind);

enum learner_role { LEARNER_OUTCOME, LEARNER_MU, LEARNER_TAU };

/* One model of a learner. */
struct learner_part {
    enum learner_role role;
    int arm; /* of mu and tau; 0 of an outcome, which is for all */
    struct predictor *predictor;
};

struct learner {
    enum learner_kind kind;
    int part_count;
    struct learner_part parts[LEARNER_ARM_COUNT_MAX];
};

/* Whether a learner is made from the outcomes of learner_cross_fit: x, r and dr. */
bool learner_needs_outcomes(enum learner_kind kind);

/* From the rows of a set. outcomes (row, arm) of learner_cross_fit; NULL where they are
 * not needed. The caller closes *learner. */
enum status learner_fit(enum learner_kind kind, const struct learner_data *data,
                        const struct learner_settings *settings, struct row_set set,
                        const double *outcomes, struct learner **learner,
                        struct err *err);
void learner_close(struct learner *learner); /* NULL is fine */

/* effects (place in the set, arm - 1). */
enum status learner_effects(const struct learner *learner,
                            const struct learner_data *data, struct row_set set,
                            double *effects, struct err *err);

/* The effects of all rows by learners that have not seen them nor any of their fold:
 * LEARNER_HELD_OUT_COUNT times all of the above on the other rows. wanted, effects
 * (kind): which learners, and where to, (row, arm - 1); in four bytes, since those of all
 * learners are kept until they are judged. */
enum status learner_hold_out(const struct learner_data *data,
                             const struct learner_settings *settings,
                             const bool wanted[LEARNER_KIND_COUNT],
                             float *effects[LEARNER_KIND_COUNT], struct err *err);

#endif
