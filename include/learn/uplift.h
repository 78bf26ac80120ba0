/* uplift.h - how well a score ranks cases by what the treatment does to them, on a
 * randomised log.
 *
 * Rows are ranked by score, the largest first. N_t, N_c, Y_t, Y_c are counts and sums of
 * outcomes of the treated and the others so far, k = N_t + N_c. Names and definitions are
 * those of the libraries that people compare with: the same word is not the same number
 * everywhere. Where rows have weights, a row counts as much as its weight says, in counts
 * as in sums.
 *
 * Pure; one thread per object. */
#ifndef REDRESS_LEARN_UPLIFT_H
#define REDRESS_LEARN_UPLIFT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { UPLIFT_SHARE_COUNT = 10, UPLIFT_BAND_POINT_COUNT = 101 };

/* Each NaN where it is not defined. */
struct uplift_metrics {
    /* Areas (trapezoids over k) between a curve and the diagonal to its last point, over
     * the same of the perfect curve, at the ends of groups of equal scores; outcomes 0
     * and 1 only. Qini curve: Y_t - Y_c N_t / N_c; uplift curve: (Y_t / N_t - Y_c / N_c)
     * k. As scikit-uplift's qini_auc_score and uplift_auc_score (Radcliffe 2007;
     * Devriendt et al. 2020). */
    double qini, uplift_auc;

    /* Mean over k = 0..N of (Y_t / N_t - Y_c / N_c) k over its size at N, row by row,
     * equal scores in the order of the rows; at random 0.5. As causalml's auuc_score. */
    double auuc;

    /* The same of the Qini curve, less the diagonal. As causalml's qini_score. */
    double qini_normalized;

    /* Difference of the means among the first tenth, two tenths .. all rows; equal scores
     * in reverse order of the rows. by_group: the first of each arm instead. */
    double overall[UPLIFT_SHARE_COUNT], by_group[UPLIFT_SHARE_COUNT];

    /* Differences of the means of ten bins, weighted by their treated. */
    double weighted_overall, weighted_by_group;

    /* Yadlowsky et al. (2021): the mean over q of TOC(q), the effect among the first q
     * less that of all, weighted 1 and q. The effect of a row is that of all and what its
     * outcome is off the mean of its arm, by the inverse share of the arm: a constant
     * added to all outcomes changes nothing. Equal scores share their mean. */
    double autoc, rate_qini;

    double effect; /* difference of the means of all rows */
};

struct uplift; /* opaque: the rows in their order */

/* scores, outcomes, is_treated (row): borrowed for the call, finite. Takes 9 bytes a row,
 * and 24 more meanwhile. INVALID when an arm is empty or all scores are equal. The caller
 * closes *uplift. */
enum status uplift_open(const double *scores, const double *outcomes,
                        const bool *is_treated, int64_t row_count, struct uplift **uplift,
                        struct err *err);

/* The same of rows that had not the same chance of the treatment: weights (row), above 0,
 * are inverse probabilities of what was done, up to a factor; each arm's are made to sum
 * to its rows (Hajek 1971). 8 more bytes a row; NULL: none. */
enum status uplift_open_weighted(const double *scores, const double *outcomes,
                                 const bool *is_treated, const double *weights,
                                 int64_t row_count, struct uplift **uplift,
                                 struct err *err);
void uplift_close(struct uplift *uplift); /* NULL is fine */

void uplift_measure(const struct uplift *uplift, struct uplift_metrics *metrics);

/* A curve has point_count points, the first at (0, 0). x and value: as many. */
int64_t uplift_point_count(const struct uplift *uplift);
void uplift_curves(const struct uplift *uplift, double *x, double *qini, double *uplifts);

/* What resampling the rows gives: the ends of the 95 % (percentile) intervals of all
 * metrics, and bands of both curves at k = N i / 100. A metric that a resample does not
 * define is left out there. */
struct uplift_intervals {
    struct uplift_metrics low, high;
    double qini_low[UPLIFT_BAND_POINT_COUNT], qini_high[UPLIFT_BAND_POINT_COUNT];
    double uplift_low[UPLIFT_BAND_POINT_COUNT], uplift_high[UPLIFT_BAND_POINT_COUNT];
};

/* Called after each resample with the share done; NULL is fine. */
struct uplift_progress {
    void (*tell)(void *context, double done);
    void *context;
};

/* The same seed gives the same intervals. EXHAUSTED. */
enum status uplift_bootstrap(const struct uplift *uplift, int resample_count,
                             uint64_t seed, struct uplift_progress progress,
                             struct uplift_intervals *intervals, struct err *err);

/* The same where rows of one key come together: clusters are drawn. scores, keys (row):
 * as they were opened. */
enum status uplift_bootstrap_clusters(const struct uplift *uplift, const double *scores,
                                      const uint64_t *keys, int resample_count,
                                      uint64_t seed, struct uplift_progress progress,
                                      struct uplift_intervals *intervals,
                                      struct err *err);

#endif
