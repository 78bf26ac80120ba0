/* experiment.c - means, variances, and what follows from them. */
#include "learn/experiment.h"

#include "learn/distribution.h"
#include "learn/sequence.h"

#include <math.h>

struct sample sample_of(const double *values, const int32_t *codes, int64_t row_count,
                        int32_t code)
{
    struct sample sample = {};
    double sum = 0, squares = 0;

    for (int64_t i = 0; i < row_count; i++)
        if (codes[i] == code && !isnan(values[i])) {
            sample.count++;
            sum += values[i];
        }
    sample.mean = sum / (double)sample.count;
    for (int64_t i = 0; i < row_count; i++)
        if (codes[i] == code && !isnan(values[i]))
            squares += (values[i] - sample.mean) * (values[i] - sample.mean);
    sample.variance = sample.count > 1 ? squares / (double)(sample.count - 1) : NAN;
    return sample;
}

void difference_of(struct sample arm, struct sample control, double tightest_at,
                   struct difference *difference)
{
    double n1 = (double)arm.count, n0 = (double)control.count, n = n1 + n0, radius;

    *difference = (struct difference){
        .value = arm.mean - control.mean,
        .se = sqrt(arm.variance / n1 + control.variance / n0),
        .relative_lift = control.mean != 0 ? arm.mean / control.mean - 1 : NAN,
    };
    difference->low = difference->value - NORMAL_95 * difference->se;
    difference->high = difference->value + NORMAL_95 * difference->se;
    difference->z = difference->value / difference->se;
    difference->p = normal_two_sided(difference->z);
    radius = sequence_radius(difference->se * sqrt(n), n, sequence_rho(tightest_at, 0.05),
                             0.05);
    difference->sequence_low = difference->value - radius;
    difference->sequence_high = difference->value + radius;
}

/* Sums over both arms around the means: x, y, and their products. */
struct moments {
    double count, mean_x, mean_y, var_x, cov_xy;
};

static struct moments moments_of(const double *x, const double *y, const int32_t *codes,
                                 int64_t row_count, int32_t arm, int32_t control)
{
    struct moments m = {};

    for (int64_t i = 0; i < row_count; i++)
        if ((codes[i] == arm || codes[i] == control) && !isnan(x[i] + y[i])) {
            m.count++;
            m.mean_x += x[i];
            m.mean_y += y[i];
        }
    m.mean_x /= m.count;
    m.mean_y /= m.count;
    for (int64_t i = 0; i < row_count; i++)
        if ((codes[i] == arm || codes[i] == control) && !isnan(x[i] + y[i])) {
            m.var_x += (x[i] - m.mean_x) * (x[i] - m.mean_x);
            m.cov_xy += (x[i] - m.mean_x) * (y[i] - m.mean_y);
        }
    return m;
}

/* A sample of y - theta (x - mean_x), without writing it down. */
static struct sample adjusted(const double *x, const double *y, const int32_t *codes,
                              int64_t row_count, int32_t code, double theta,
                              double mean_x)
{
    struct sample sample = {};
    double sum = 0, squares = 0;

    for (int64_t i = 0; i < row_count; i++)
        if (codes[i] == code && !isnan(x[i] + y[i])) {
            sample.count++;
            sum += y[i] - theta * (x[i] - mean_x);
        }
    sample.mean = sum / (double)sample.count;
    for (int64_t i = 0; i < row_count; i++)
        if (codes[i] == code && !isnan(x[i] + y[i])) {
            double off = y[i] - theta * (x[i] - mean_x) - sample.mean;

            squares += off * off;
        }
    sample.variance = sample.count > 1 ? squares / (double)(sample.count - 1) : NAN;
    return sample;
}

void difference_cuped(const double *values, const double *covariates,
                      const int32_t *codes, int64_t row_count, int32_t arm,
                      int32_t control, double tightest_at, double *theta,
                      double variances[2], struct difference *difference)
{
    struct moments m = moments_of(covariates, values, codes, row_count, arm, control);
    struct sample of_arm, of_control;

    *theta = m.var_x > 0 ? m.cov_xy / m.var_x : 0;
    of_arm = adjusted(covariates, values, codes, row_count, arm, *theta, m.mean_x);
    of_control =
        adjusted(covariates, values, codes, row_count, control, *theta, m.mean_x);
    difference_of(of_arm, of_control, tightest_at, difference);
    if (variances) {
        variances[0] = of_arm.variance;
        variances[1] = of_control.variance;
    }
}

void sample_ratio(const int64_t *counts, const double *shares, int count, double *chi2,
                  double *p)
{
    double sum = 0;

    *chi2 = 0;
    for (int i = 0; i < count; i++)
        sum += (double)counts[i];
    for (int i = 0; i < count; i++) {
        double expected = sum * shares[i], off = (double)counts[i] - expected;

        *chi2 += off * off / expected;
    }
    *p = chi_square_tail(*chi2, count - 1);
}

void attrition(const int64_t *missing, const int64_t *counts, int count, double *chi2,
               double *p)
{
    double lost = 0, rows = 0, least = INFINITY;

    *chi2 = 0;
    for (int i = 0; i < count; i++) {
        lost += (double)missing[i];
        rows += (double)counts[i];
    }
    for (int i = 0; i < count; i++) {
        double expected = (double)counts[i] * lost / rows,
               others = (double)counts[i] - expected, off = (double)missing[i] - expected;

        least = fmin(least, fmin(expected, others));
        if (lost > 0 && lost < rows)
            *chi2 += off * off * (1 / expected + 1 / others);
    }
    *p = least >= EXPERIMENT_MISSING_MIN ? chi_square_tail(*chi2, count - 1) : NAN;
}

double sample_size(double variance, double size, double alpha, double power)
{
    double z = normal_quantile(1 - alpha / 2) + normal_quantile(power);

    return ceil(2 * variance * z * z / (size * size));
}
