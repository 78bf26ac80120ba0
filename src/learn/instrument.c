/* instrument.c - two regressions, one on what the other explains. */
#include "learn/instrument.h"

#include "learn/distribution.h"
#include "learn/lapack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Designs side by side: columns that are there in each. */
enum { CONSTANT_COUNT = 1 };

/* Of a sum of squares. */
static const double rounding = 1e-24;

struct stages {
    const struct instrument_data *data;
    int exogenous_count;     /* 1 and the covariates */
    double *design;          /* (column, row): one at a time */
    double *coefficients;    /* (column) */
    double *covariance;      /* (column, column) */
    double *first_residuals; /* (row): of the treatment on instruments and covariates */
    double *residuals;       /* (row) */
    double *numbers;         /* all of the above */
    struct basis basis;
};

static enum status stages_open(const struct instrument_data *data, struct stages *stages,
                               struct err *err)
{
    size_t n = (size_t)data->row_count;
    size_t k = 2 + (size_t)data->column_count + (size_t)data->instrument_count;

    *stages = (struct stages){.data = data,
                              .exogenous_count = CONSTANT_COUNT + data->column_count};
    stages->numbers = malloc((k * n + k + k * k + 2 * n) * sizeof *stages->numbers);
    if (!stages->numbers)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for two stages");
    stages->design = stages->numbers;
    stages->coefficients = stages->design + k * n;
    stages->covariance = stages->coefficients + k;
    stages->first_residuals = stages->covariance + k * k;
    stages->residuals = stages->first_residuals + n;
    return STATUS_OK;
}

static void stages_close(struct stages *stages)
{
    basis_close(&stages->basis);
    free(stages->numbers);
}

/* A design of 1, the covariates, and more (more_count, row). */
static enum status set_basis(struct stages *stages, const double *more, int more_count,
                             struct err *err)
{
    int64_t n = stages->data->row_count;
    double *at = stages->design;

    basis_close(&stages->basis);
    for (int64_t i = 0; i < n; i++)
        *at++ = 1;
    memcpy(at, stages->data->covariates,
           (size_t)stages->data->column_count * (size_t)n * sizeof *at);
    at += stages->data->column_count * n;
    if (more_count > 0)
        memcpy(at, more, (size_t)more_count * (size_t)n * sizeof *at);
    return basis_open(stages->design, n, stages->exogenous_count + more_count,
                      &stages->basis, err);
}

static struct covariance_rule rule_of(const struct instrument_data *data,
                                      enum covariance_kind kind)
{
    return (struct covariance_rule){kind, data->clusters, data->cluster_count};
}

static double sum_squares(const double *values, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += values[i] * values[i];
    return sum;
}

static double sum_products(const double *a, const double *b, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* What y and t leave beyond the covariates, and beyond the instruments too: sums of squares and products. */
struct remains {
    double yy, yt, tt;
};

static enum status find_remains(struct stages *stages, const double *more, int more_count,
                                double *y, double *t, struct remains *remains,
                                struct err *err)
{
    int64_t n = stages->data->row_count;
    enum status rc = set_basis(stages, more, more_count, err);

    if (rc)
        return rc;
    basis_solve(&stages->basis, stages->data->outcomes, stages->coefficients, y);
    basis_solve(&stages->basis, stages->data->treatments, stages->coefficients, t);
    *remains =
        (struct remains){sum_squares(y, n), sum_products(y, t, n), sum_squares(t, n)};
    return STATUS_OK;
}

/* The x that an F is exceeded by with a probability of 5 %. */
static double f_critical(double used, double freedom)
{
    double low = 0, high = 1;

    while (f_tail(high, used, freedom) > 0.05)
        high *= 2;
    for (int i = 0; i < 200; i++) {
        double middle = (low + high) / 2;

        if (f_tail(middle, used, freedom) > 0.05)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* b with q(b) = (n - k) e'Pe - q F e'Me <= 0, where e = y - b t: a quadratic form. */
static void set_anderson_rubin(const struct remains *without, const struct remains *with,
                               double used, double freedom,
                               struct instrument_effect *effect)
{
    double critical = used * f_critical(used, freedom) / freedom;
    double a = without->tt - with->tt - critical * with->tt;
    double b = -2 * (without->yt - with->yt - critical * with->yt);
    double c = without->yy - with->yy - critical * with->yy;
    double discriminant = b * b - 4 * a * c;
    double low, high;

    effect->set_low = effect->set_high = NAN;
    if (discriminant < 0 || a == 0) {
        effect->set = a > 0 ? INSTRUMENT_SET_EMPTY : INSTRUMENT_SET_ALL;
        return;
    }
    low = (-b - sqrt(discriminant)) / (2 * a);
    high = (-b + sqrt(discriminant)) / (2 * a);
    effect->set = a > 0 ? INSTRUMENT_SET_INTERVAL : INSTRUMENT_SET_OUTSIDE;
    effect->set_low = fmin(low, high);
    effect->set_high = fmax(low, high);
}

/* Of the instruments that are kept: coefficients twice, then their covariance; returns how many. */
static int gather(const struct stages *stages, double *given, double *solved,
                  double *block)
{
    int first = stages->exogenous_count, k = first + stages->data->instrument_count,
        used = 0;

    for (int i = first; i < k; i++) {
        if (!basis_keeps(&stages->basis, i))
            continue;
        given[used] = solved[used] = stages->coefficients[i];
        used++;
        for (int j = first; j < k; j++)
            if (basis_keeps(&stages->basis, j))
                *block++ = stages->covariance[i * k + j];
    }
    return used;
}

/* Wald's statistic of the instruments' coefficients in the first stage, over their number. */
static enum status find_clustered_f(struct stages *stages, double *f, struct err *err)
{
    const struct instrument_data *data = stages->data;
    size_t q = (size_t)data->instrument_count;
    double *given = malloc((q + 2) * q * sizeof *given);
    int used, one = 1, info = 0;
    enum status rc =
        basis_covariance(&stages->basis, stages->first_residuals,
                         rule_of(data, COVARIANCE_CLASSICAL), stages->covariance, err);

    if (!rc && !given)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a test");
    if (!rc) {
        double *solved = given + q, *block = solved + q;

        used = gather(stages, given, solved, block);
        dposv_("L", &used, &one, block, &used, solved, &used, &info, 1);
        *f = sum_products(given, solved, used) / used;
    }
    /* What clusters add sums to 0: so many directions less one. */
    if (!rc && (info != 0 || data->cluster_count <= used))
        rc = err_set(err, STATUS_INVALID, "%d clusters are too few for %d instruments",
                     data->cluster_count, used);
    free(given);
    return rc;
}

/* The first stage: how the instruments move the treatment, and what they do not explain of it. */
static enum status first_stage(struct stages *stages, struct instrument_effect *effect,
                               bool *dropped, struct err *err)
{
    const struct instrument_data *data = stages->data;
    struct remains without, with;
    double freedom;
    enum status rc = find_remains(stages, NULL, 0, stages->residuals,
                                  stages->first_residuals, &without, err);

    if (!rc)
        rc = find_remains(stages, data->instruments, data->instrument_count,
                          stages->residuals, stages->first_residuals, &with, err);
    if (rc)
        return rc;
    for (int i = 0; i < data->instrument_count; i++) {
        dropped[i] = !basis_keeps(&stages->basis, stages->exogenous_count + i);
        effect->used_count += !dropped[i];
    }
    for (int c = 0; c < data->column_count; c++)
        dropped[data->instrument_count + c] =
            !basis_keeps(&stages->basis, CONSTANT_COUNT + c);
    freedom = (double)(data->row_count - stages->basis.rank);
    if (effect->used_count == 0)
        return err_set(err, STATUS_INVALID,
                       "every instrument is constant or follows from the covariates");
    if (freedom <= 0)
        return err_set(err, STATUS_INVALID, "%lld rows for %d columns",
                       (long long)data->row_count, stages->basis.rank);
    if (!(with.tt > 1e-18 * without.tt))
        return err_set(err, STATUS_INVALID,
                       "the treatment follows from instruments and covariates exactly");
    effect->first_stage_f =
        (without.tt - with.tt) / effect->used_count / (with.tt / freedom);
    set_anderson_rubin(&without, &with, effect->used_count, freedom, effect);
    return data->clusters ? find_clustered_f(stages, &effect->first_stage_f, err)
                          : STATUS_OK;
}

/* The second stage; residuals are those of the treatment itself. */
static enum status second_stage(struct stages *stages, enum covariance_kind kind,
                                double *scratch, struct instrument_effect *effect,
                                struct err *err)
{
    const struct instrument_data *data = stages->data;
    int64_t n = data->row_count;
    int at = stages->exogenous_count, k = at + 1;
    enum status rc;

    for (int64_t i = 0; i < n; i++)
        scratch[i] = data->treatments[i] - stages->first_residuals[i];
    rc = set_basis(stages, scratch, 1, err);
    if (rc)
        return rc;
    if (!basis_keeps(&stages->basis, at))
        return err_set(err, STATUS_INVALID,
                       "the instruments do not move the treatment beyond the covariates");
    basis_solve(&stages->basis, data->outcomes, stages->coefficients, stages->residuals);
    effect->value = stages->coefficients[at];
    for (int64_t i = 0; i < n; i++)
        stages->residuals[i] -= effect->value * stages->first_residuals[i];
    rc = basis_covariance(&stages->basis, stages->residuals, rule_of(data, kind),
                          stages->covariance, err);
    if (!rc)
        effect->se = sqrt(stages->covariance[at * k + at]);
    return rc;
}

/* Whether the effect explains the outcome to the last digits: what it leaves is rounding, of which nothing can be
 * tested. */
static bool is_exact(const struct stages *stages, double value)
{
    const struct instrument_data *data = stages->data;
    double size = fmax(sum_squares(data->outcomes, data->row_count),
                       value * value * sum_squares(data->treatments, data->row_count));

    return sum_squares(stages->residuals, data->row_count) <= rounding * size;
}

/* Whether the instruments explain what the effect does not. */
static enum status test_instruments(struct stages *stages, double *scratch,
                                    struct instrument_effect *effect, struct err *err)
{
    const struct instrument_data *data = stages->data;
    int64_t n = data->row_count;
    double all = sum_squares(stages->residuals, n);
    enum status rc;

    effect->sargan = effect->sargan_p = NAN;
    if (effect->used_count < 2 || is_exact(stages, effect->value))
        return STATUS_OK;
    rc = set_basis(stages, data->instruments, data->instrument_count, err);
    if (rc)
        return rc;
    basis_solve(&stages->basis, stages->residuals, stages->coefficients, scratch);
    effect->sargan = (double)n * (1 - sum_squares(scratch, n) / all);
    effect->sargan_p = chi_square_tail(effect->sargan, effect->used_count - 1);
    return STATUS_OK;
}

/* Whether instruments were needed: what they leave of the treatment, beside the treatment itself. */
static enum status test_treatment(struct stages *stages, double *scratch,
                                  struct instrument_effect *effect, struct err *err)
{
    const struct instrument_data *data = stages->data;
    size_t n = (size_t)data->row_count;
    int at = stages->exogenous_count, k = at + 2;
    double *both = malloc(2 * n * sizeof *both);
    enum status rc;

    effect->wu_hausman_t = effect->wu_hausman_p = NAN;
    rc = both ? STATUS_OK : err_set(err, STATUS_EXHAUSTED, "out of memory for a test");

    if (!rc) {
        memcpy(both, data->treatments, n * sizeof *both);
        memcpy(both + n, stages->first_residuals, n * sizeof *both);
        rc = set_basis(stages, both, 1, err);
    }
    if (!rc) {
        basis_solve(&stages->basis, data->outcomes, stages->coefficients, scratch);
        effect->least_squares = stages->coefficients[at];
        rc = set_basis(stages, both, 2, err);
    }
    if (!rc) {
        basis_solve(&stages->basis, data->outcomes, stages->coefficients, scratch);
        rc =
            basis_covariance(&stages->basis, scratch, rule_of(data, COVARIANCE_CLASSICAL),
                             stages->covariance, err);
    }
    if (!rc && !is_exact(stages, effect->value)) {
        effect->wu_hausman_t = stages->coefficients[at + 1] /
                               sqrt(stages->covariance[(at + 1) * k + at + 1]);
        effect->wu_hausman_p = student_two_sided(
            effect->wu_hausman_t, (double)(data->row_count - stages->basis.rank));
    }
    free(both);
    return rc;
}

enum status instrument_estimate(const struct instrument_data *data,
                                enum covariance_kind kind,
                                struct instrument_effect *effect, bool *dropped,
                                struct err *err)
{
    double *scratch = malloc((size_t)data->row_count * sizeof *scratch);
    struct stages stages;
    enum status rc = stages_open(data, &stages, err);

    *effect = (struct instrument_effect){0};
    if (!rc && !scratch)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for two stages");
    if (!rc)
        rc = first_stage(&stages, effect, dropped, err);
    if (!rc)
        rc = second_stage(&stages, kind, scratch, effect, err);
    if (!rc)
        rc = test_instruments(&stages, scratch, effect, err);
    if (!rc)
        rc = test_treatment(&stages, scratch, effect, err);
    stages_close(&stages);
    free(scratch);
    return rc;
}
