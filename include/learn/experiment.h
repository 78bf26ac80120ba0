/* experiment.h - arms of a randomised experiment beside one another. Pure; any thread. */
#ifndef REDRESS_LEARN_EXPERIMENT_H
#define REDRESS_LEARN_EXPERIMENT_H

#include "base/err.h"

#include <stdint.h>

#define EXPERIMENT_SRM_P_MIN                                                             \
    0.001 /* below it arms do not have the sizes they should have */

struct sample {
    int64_t count, other_count; /* the latter of values that are not 0 */
    double mean, variance;      /* with count - 1; NaN of fewer than two */
    double fourths; /* sum of the fourth powers of what values are off the mean */
};

/* Of the rows (count) whose codes are `code` and whose value is not missing (NaN). */
struct sample sample_of(const double *values, const int32_t *codes, int64_t row_count,
                        int32_t code);

/* One arm less another. */
struct difference {
    double value;     /* of the means */
    double se;        /* sqrt(s1^2 / n1 + s0^2 / n0), or of clusters, as below */
    double freedom;   /* of Student's t, by learn/clusters.h; INFINITY without clusters */
    double draws;     /* that the error rests on (learn/draws.h) */
    double low, high; /* 95 % */
    double z, p; /* value / se, and how likely one as large is by chance; two-sided */
    double relative_lift; /* m1 / m0 - 1; NaN where m0 is 0 */
    double sequence_low,
        sequence_high; /* 95 % at every look (learn/sequence.h), tightest at tightest_at rows; NaN while there are
                        * fewer than DRAWS_SEQUENCE_MIN draws */
};

/* Rows that come together, as those of a customer do. */
struct row_clusters {
    const int32_t *of; /* (row), from 0 to count - 1; borrowed */
    int32_t count;
    double *sums; /* (cluster): room, NaN between uses */
};

/* EXHAUSTED. The caller frees it, also after a failure; one that is zero is fine. */
enum status row_clusters_init(const int32_t *of, int32_t count,
                              struct row_clusters *clusters, struct err *err);
void row_clusters_free(struct row_clusters *clusters);

/* The rows of two arms: codes say which, values are NaN where they are missing. */
struct contrast {
    const double *values;
    const int32_t *codes; /* (row) */
    int64_t row_count;
    int32_t arm, control;
    struct row_clusters *clusters; /* NULL: each row is its own */
    double tightest_at;
};

/* With clusters se is CR1, as of a regression on a constant and the arm: what rows are
 * off the mean of their arm, by its count, summed over clusters, squared and summed,
 * times G / (G - 1) (n - 1) / (n - 2) (Liang and Zeger 1986); G clusters and n rows of
 * both arms together. Each arm has at least two rows and, with clusters, two of these. */
void difference_between(const struct contrast *contrast, struct difference *difference);

/* The effective clusters of an arm's rows that have a value (learn/clusters.h). There are
 * clusters. */
double contrast_clusters(const struct contrast *contrast, int32_t code);

/* Less of the noise that a covariate from before explains (Deng et al. 2013): theta =
 * cov(y, x) / var(x) over both arms, y' = y - theta (x - mean x); 0 when x does not vary.
 * Of rows that have both. *variance: of y', the mean of both arms', for sample_size: with
 * clusters as many times larger as they make that of the difference. */
void difference_cuped(const struct contrast *contrast, const double *covariates,
                      double *theta, double *variance, struct difference *difference);

/* Sample ratio mismatch: chi-square of the counts against shares, which sum to 1. */
void sample_ratio(const int64_t *counts, const double *shares, int count, double *chi2,
                  double *p);

/* Whether values are missing alike in all arms, of which counts has the rows: chi-square
 * of arms by missing or not. *p is NaN where fewer than EXPERIMENT_MISSING_MIN would be
 * missing, or there, in some arm. */
enum { EXPERIMENT_MISSING_MIN = 5 };
void attrition(const int64_t *missing, const int64_t *counts, int count, double *chi2,
               double *p);

/* The same where clusters are the draws. What rows of cluster g have above the shares p
 * is d_ga = s_ga - p_a s_g, s being counts of rows, or sums of how far these are off the
 * share that is missing of all; chi-square is D' (sum d_g d_g')^-1 D with D = sum d_g, of
 * all arms but the last: the score test of independent clusters, whose rows may be in one
 * arm or in several. It takes 12 bytes a row meanwhile. NaN where it is not defined.
 * values (row): NaN where missing; *p stays NaN where it is without clusters.
 * EXHAUSTED. */
struct arm_rows {
    const int32_t *codes; /* (row): the arm */
    int64_t row_count;
    const double *shares; /* (arm): sum to 1 */
    int arm_count;
};
enum status sample_ratio_clustered(const struct arm_rows *rows,
                                   const struct row_clusters *clusters, double *chi2,
                                   double *p, struct err *err);
enum status attrition_clustered(const struct arm_rows *rows, const double *values,
                                const struct row_clusters *clusters, double *chi2,
                                double *p, struct err *err);

/* Rows per arm so that a true difference of that size is found with that power in a
 * two-sided test at alpha: 2 s^2 (z(1 - alpha / 2) + z(power))^2 / size^2, rounded up; at
 * least two, since one has no error. */
double sample_size(double variance, double size, double alpha, double power);

#endif
