/* offpolicy.h - what another policy would have earned, from a log that knows the
 * probabilities of what was done.
 *
 * For row i: w = pi(a | x) / propensity, r the reward, q a model's reward of the action
 * that was taken, dm the same averaged over pi. Estimators and their errors:
 *
 *     ipw        mean(w r)                          Horvitz and Thompson (1952)
 *     ipw_clip   mean(min(w, L) r)
 *     snipw      sum(w r) / sum(w)                  Hajek; its error is linearised
 *     dm         mean(dm)
 *     dr         mean(dm + w (r - q))               Dudik, Langford and Li (2011)
 *     sndr       mean(dm) + sum(w (r - q)) / sum(w)
 *     switch_dr  dr with w = 0 where w > L          Wang, Agarwal and Dudik (2017)
 *     dros       dr with L w / (w^2 + L)            Su et al. (2020)
 *     sgipw sgdr with w / (1 - L + L w)             Metelli, Russo and Restelli (2021)
 *     replay     sum(pi r) / sum(pi)                Li et al. (2011); uniform logs only
 *
 * Those that change weights are off by a bias that no interval of theirs knows of: they
 * have none.
 *
 * Pure; any thread. */
#ifndef REDRESS_LEARN_OFFPOLICY_H
#define REDRESS_LEARN_OFFPOLICY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum offpolicy_kind {
    OFFPOLICY_IPW,
    OFFPOLICY_SNIPW,
    OFFPOLICY_REPLAY,
    OFFPOLICY_IPW_CLIP,
    OFFPOLICY_SGIPW,
    OFFPOLICY_DM, /* from here on with a model */
    OFFPOLICY_DR,
    OFFPOLICY_SNDR,
    OFFPOLICY_SWITCH_DR,
    OFFPOLICY_DROS,
    OFFPOLICY_SGDR,
    OFFPOLICY_KIND_COUNT
};

enum { OFFPOLICY_ESTIMATOR_COUNT_MAX = 128 };

/* "switch_dr". */
const char *offpolicy_kind_name(enum offpolicy_kind kind);
bool offpolicy_kind_needs_model(enum offpolicy_kind kind);

/* Whether it estimates something else than the value when weights are large. */
bool offpolicy_kind_is_biased(enum offpolicy_kind kind);

/* The log, (row) each; borrowed. */
struct offpolicy_log {
    int64_t row_count;
    const double
        *numerators;   /* of w, finite, at least 0: pi(a | x); w where propensity is 0 */
    double propensity; /* of every row, where it is the same; else 0 */
    const double *rewards;
    const double *logged_model; /* q; NULL: there is no model */
    const double *policy_model; /* dm; NULL: there is no model */
    const int32_t *clusters;    /* from 0; NULL: each row is its own */
    int32_t cluster_count;
};

static inline double offpolicy_weight(const struct offpolicy_log *log, int64_t row)
{
    return log->propensity > 0 ? log->numerators[row] / log->propensity
                               : log->numerators[row];
}

/* What is estimated, and how well; NaN where it is not defined. */
struct offpolicy_estimate {
    enum offpolicy_kind kind; /* given */
    double parameter;         /* L; given where the kind has one */

    double value, se;
    double draws;     /* that se rests on (learn/draws.h) */
    double low, high; /* 95 %; NaN for biased kinds */
    double sequence_low,
        sequence_high; /* 95 % at every look, tightest at SEQUENCE_ROWS_TIGHTEST rows; the same,
                                         * and while there are fewer than DRAWS_SEQUENCE_MIN draws */
    double bootstrap_low, bootstrap_high; /* NaN unless asked for; also the same */
};

/* How much the log has to say about the policy. Where rows are clusters' they are not
 * each a draw: then the error of the mean, what is effective and the largest share are
 * those of sums over clusters. */
struct offpolicy_weights {
    double effective_rows;     /* (sum w)^2 / sum w^2 */
    double effective_clusters; /* the same of clusters' sums; NaN without clusters */
    double mean, mean_se,
        max; /* the mean is 1 where the log has seen all that the policy does */
    /* of the largest weight, or sum of a cluster, in the sum of all */
    double largest_share;
};

/* EXHAUSTED. */
enum status offpolicy_weigh(const struct offpolicy_log *log,
                            struct offpolicy_weights *weights, struct err *err);

/* Fill in the estimates (count) whose kinds and parameters are given; those that need a
 * model must have one. EXHAUSTED; INVALID with fewer than two rows or clusters. */
enum status offpolicy_estimate(const struct offpolicy_log *log,
                               struct offpolicy_estimate *estimates, int count,
                               struct err *err);

struct offpolicy_progress {
    void (*tell)(void *context, double done);
    void *context;
};

/* Percentile intervals of those without bias from resamples of rows, or of clusters. The
 * same seed gives the same intervals. EXHAUSTED. */
enum status offpolicy_bootstrap(const struct offpolicy_log *log,
                                struct offpolicy_estimate *estimates, int count,
                                int resample_count, uint64_t seed,
                                struct offpolicy_progress progress, struct err *err);

/* The value of what was done, and the difference of an estimate (of a kind without bias)
 * to it, with its error, from the same rows; both 0 where rounding alone tells the two
 * apart. */
enum status offpolicy_compare(const struct offpolicy_log *log,
                              const struct offpolicy_estimate *estimate, double *logged,
                              double *difference, double *difference_se, struct err *err);

/* A log on which no estimate can be trusted. */
enum {
    OFFPOLICY_EFFECTIVE_MIN = 50, /* rows, and clusters */
    OFFPOLICY_MEAN_ERRORS_MAX = 4,
};
#define OFFPOLICY_SHARE_MAX 0.05

/* What is less likely is never seen: with it, and rewards of at most COLUMNS_NUMBER_MAX,
 * sums of squares are finite. */
#define OFFPOLICY_PROPENSITY_MIN 1e-30

enum { OFFPOLICY_REASON_COUNT_MAX = 5, OFFPOLICY_REASON_BYTES = 200 };

/* Sentences why it cannot, returns how many: 0 when it can. What is no number is a
 * reason, too. */
int offpolicy_refuse(const struct offpolicy_log *log,
                     const struct offpolicy_weights *weights,
                     char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES]);

#endif
