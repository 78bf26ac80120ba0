/* experiment.c - means, variances, and what follows from them. */
#include "learn/experiment.h"

#include "learn/clusters.h"
#include "learn/distribution.h"
#include "learn/draws.h"
#include "learn/sequence.h"

#include <math.h>
#include <stdbool.h>

/* A line that is taken off the values: slope (x - mean). */
struct line {
    const double *x; /* (row); NULL: nothing is taken off */
    double slope, mean;
};

static double value_at(const struct contrast *contrast, const struct line *line,
                       int64_t row)
{
    return contrast->values[row] -
           (line->x ? line->slope * (line->x[row] - line->mean) : 0);
}

/* Of the values less the line, without writing them down. */
static struct sample sample_beside(const struct contrast *contrast,
                                   const struct line *line, int32_t code)
{
    struct sample sample = {};
    struct draws draws = {};
    double sum = 0;

    for (int64_t i = 0; i < contrast->row_count; i++) {
        double value = value_at(contrast, line, i);

        if (contrast->codes[i] == code && !isnan(value)) {
            sample.count++;
            sample.other_count += value != 0;
            sum += value;
        }
    }
    sample.mean = sum / (double)sample.count;
    for (int64_t i = 0; i < contrast->row_count; i++) {
        double off = value_at(contrast, line, i) - sample.mean;

        if (contrast->codes[i] == code && !isnan(off))
            draws_add(&draws, off);
    }
    sample.variance = sample.count > 1 ? draws.squares / (double)(sample.count - 1) : NAN;
    sample.fourths = draws.fourths;
    return sample;
}

struct sample sample_of(const double *values, const int32_t *codes, int64_t row_count,
                        int32_t code)
{
    const struct contrast contrast = {
        .values = values, .codes = codes, .row_count = row_count};

    return sample_beside(&contrast, &(struct line){0}, code);
}

static double plain_error(struct sample arm, struct sample control)
{
    return sqrt(arm.variance / (double)arm.count +
                control.variance / (double)control.count);
}

/* How each row of two samples moves their difference. */
static double plain_draws(struct sample arm, struct sample control)
{
    double n1 = (double)arm.count, n0 = (double)control.count;

    return draws_effective((struct draws){
        .squares =
            arm.variance * (n1 - 1) / (n1 * n1) + control.variance * (n0 - 1) / (n0 * n0),
        .fourths = arm.fourths / pow(n1, 4) + control.fourths / pow(n0, 4),
    });
}

struct precision {
    double se, freedom, draws; /* see struct difference */
};

static void set_difference(struct sample arm, struct sample control,
                           struct precision precision, double tightest_at,
                           struct difference *difference)
{
    double n = (double)(arm.count + control.count),
           reach = student_95(precision.freedom) * precision.se, radius;

    *difference = (struct difference){
        .value = arm.mean - control.mean,
        .se = precision.se,
        .freedom = precision.freedom,
        .draws = precision.draws,
        .relative_lift = control.mean != 0 ? arm.mean / control.mean - 1 : NAN,
    };
    difference->low = difference->value - reach;
    difference->high = difference->value + reach;
    difference->z = difference->value / precision.se;
    difference->p = student_two_sided(difference->z, precision.freedom);
    radius =
        sequence_radius(precision.se * sqrt(n), n, sequence_rho(tightest_at, 0.05), 0.05);
    if (precision.draws < DRAWS_SEQUENCE_MIN)
        radius = NAN;
    difference->sequence_low = difference->value - radius;
    difference->sequence_high = difference->value + radius;
}

/* What each row moves the difference by, in the sums of its cluster. */
static void add_moves(const struct contrast *contrast, const struct line *line,
                      struct sample sample, int32_t code)
{
    double sign = code == contrast->arm ? 1 : -1;

    for (int64_t i = 0; i < contrast->row_count; i++) {
        double off = value_at(contrast, line, i) - sample.mean, *sum;

        if (contrast->codes[i] != code || isnan(off))
            continue;
        sum = &contrast->clusters->sums[contrast->clusters->of[i]];
        *sum = (isnan(*sum) ? 0 : *sum) + sign * off / (double)sample.count;
    }
}

static double effective_of(const struct contrast *contrast, const struct line *line,
                           int32_t code)
{
    const struct row_clusters *clusters = contrast->clusters;
    double effective;

    for (int64_t i = 0; i < contrast->row_count; i++) {
        double *size = &clusters->sums[clusters->of[i]];

        if (contrast->codes[i] == code && !isnan(value_at(contrast, line, i)))
            *size = (isnan(*size) ? 0 : *size) + 1;
    }
    effective = clusters_effective(clusters->sums, clusters->count);
    for (int32_t g = 0; g < clusters->count; g++)
        clusters->sums[g] = NAN;
    return effective;
}

double contrast_clusters(const struct contrast *contrast, int32_t code)
{
    return effective_of(contrast, &(struct line){0}, code);
}

static struct precision precision_of(const struct contrast *contrast,
                                     const struct line *line, struct sample arm,
                                     struct sample control)
{
    double n = (double)(arm.count + control.count);
    struct draws draws = {};
    int32_t clusters = 0;

    if (!contrast->clusters)
        return (struct precision){plain_error(arm, control), INFINITY,
                                  plain_draws(arm, control)};
    add_moves(contrast, line, arm, contrast->arm);
    add_moves(contrast, line, control, contrast->control);
    for (int32_t g = 0; g < contrast->clusters->count; g++) {
        double *sum = &contrast->clusters->sums[g];

        if (isnan(*sum))
            continue;
        draws_add(&draws, *sum);
        clusters++;
        *sum = NAN;
    }
    return (struct precision){
        .se = sqrt(draws.squares * clusters / (clusters - 1) * (n - 1) / (n - 2)),
        .freedom =
            clusters_freedom(effective_of(contrast, line, contrast->arm),
                             effective_of(contrast, line, contrast->control), clusters),
        .draws = draws_effective(draws),
    };
}

void difference_between(const struct contrast *contrast, struct difference *difference)
{
    const struct line none = {0};
    struct sample arm = sample_beside(contrast, &none, contrast->arm),
                  control = sample_beside(contrast, &none, contrast->control);

    set_difference(arm, control, precision_of(contrast, &none, arm, control),
                   contrast->tightest_at, difference);
}

/* Sums over both arms around the means: x, y, and their products. */
struct moments {
    double count, mean_x, mean_y, var_x, cov_xy;
};

static bool is_either(const struct contrast *contrast, int64_t row)
{
    return contrast->codes[row] == contrast->arm ||
           contrast->codes[row] == contrast->control;
}

static struct moments moments_of(const struct contrast *contrast, const double *x)
{
    const double *y = contrast->values;
    struct moments m = {};

    for (int64_t i = 0; i < contrast->row_count; i++)
        if (is_either(contrast, i) && !isnan(x[i] + y[i])) {
            m.count++;
            m.mean_x += x[i];
            m.mean_y += y[i];
        }
    m.mean_x /= m.count;
    m.mean_y /= m.count;
    for (int64_t i = 0; i < contrast->row_count; i++)
        if (is_either(contrast, i) && !isnan(x[i] + y[i])) {
            m.var_x += (x[i] - m.mean_x) * (x[i] - m.mean_x);
            m.cov_xy += (x[i] - m.mean_x) * (y[i] - m.mean_y);
        }
    return m;
}

void difference_cuped(const struct contrast *contrast, const double *covariates,
                      double *theta, double *variance, struct difference *difference)
{
    struct moments m = moments_of(contrast, covariates);
    struct line line = {covariates, m.var_x > 0 ? m.cov_xy / m.var_x : 0, m.mean_x};
    struct sample arm = sample_beside(contrast, &line, contrast->arm),
                  control = sample_beside(contrast, &line, contrast->control);
    double plain = plain_error(arm, control);

    *theta = line.slope;
    set_difference(arm, control, precision_of(contrast, &line, arm, control),
                   contrast->tightest_at, difference);
    *variance = (arm.variance + control.variance) / 2;
    if (contrast->clusters && plain > 0)
        *variance *= difference->se * difference->se / (plain * plain);
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

    return fmax(2, ceil(2 * variance * z * z / (size * size)));
}
