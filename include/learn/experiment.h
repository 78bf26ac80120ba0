/* experiment.h - arms of a randomised experiment beside one another. Pure; any thread. */
#ifndef REDRESS_LEARN_EXPERIMENT_H
#define REDRESS_LEARN_EXPERIMENT_H

#include "base/err.h"

#include <stdint.h>

#define EXPERIMENT_SRM_P_MIN                                                             \
    0.001 /* below it arms do not have the sizes they should have */

struct sample {
    int64_t count;
    double mean, variance; /* with count - 1; NaN of fewer than two */
};

/* Of the rows (count) whose codes are `code` and whose value is not missing (NaN). */
struct sample sample_of(const double *values, const int32_t *codes, int64_t row_count,
                        int32_t code);

/* One arm less another. */
struct difference {
    double value;         /* of the means */
    double se;            /* sqrt(s1^2 / n1 + s0^2 / n0) */
    double low, high;     /* value -+ 1.959964 se */
    double z, p;          /* two-sided, normal */
    double relative_lift; /* m1 / m0 - 1; NaN where m0 is 0 */
    double sequence_low,
        sequence_high; /* 95 % at every look (learn/sequence.h), tightest at tightest_at rows */
};
void difference_of(struct sample arm, struct sample control, double tightest_at,
                   struct difference *difference);

/* Less of the noise that a covariate from before explains (Deng et al. 2013): theta = cov(y, x) / var(x)
 * over both arms, y' = y - theta (x - mean x); 0 when x does not vary. Of rows that have both. variances:
 * of y' in arm and control; may be NULL. */
void difference_cuped(const double *values, const double *covariates,
                      const int32_t *codes, int64_t row_count, int32_t arm,
                      int32_t control, double tightest_at, double *theta,
                      double variances[2], struct difference *difference);

/* Sample ratio mismatch: chi-square of the counts against shares, which sum to 1. */
void sample_ratio(const int64_t *counts, const double *shares, int count, double *chi2,
                  double *p);

/* Whether values are missing alike in all arms, of which counts has the rows: chi-square of arms by missing or
 * not. *p is NaN where fewer than EXPERIMENT_MISSING_MIN would be missing, or there, in some arm. */
enum { EXPERIMENT_MISSING_MIN = 5 };
void attrition(const int64_t *missing, const int64_t *counts, int count, double *chi2,
               double *p);

/* Rows per arm so that a true difference of that size is found with that power in a two-sided test at
 * alpha: 2 s^2 (z(1 - alpha / 2) + z(power))^2 / size^2, rounded up. */
double sample_size(double variance, double size, double alpha, double power);

#endif
