/* instrument.c - two regressions, one on what the other explains. */
#include "learn/instrument.h"

#include "learn/distribution.h"
#include "learn/exact.h"
#include "learn/instrument_reduced.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Designs side by side: columns that are there in each. */
enum { CONSTANT_COUNT = 1 };

struct stages {
    const struct instrument_data *data;
    int exogenous_count;       /* 1 and the covariates */
    struct regressor *columns; /* (column): of one design at a time */
    double *coefficients;      /* (column) */
    double *first_residuals;   /* (row): of the treatment on instruments and covariates */
    double *residuals;         /* (row) */
    double *scratch;           /* (row) */
    struct basis basis;
    struct covariance_rule rule;
    struct reduced reduced; /* of robust errors */
};

static enum status stages_open(const struct instrument_data *data, struct stages *stages,
                               struct err *err)
{
    size_t n = (size_t)data->row_count;
    size_t k = 3 + (size_t)data->column_count + (size_t)data->instrument_count;

    *stages = (struct stages){
        .data = data,
        .exogenous_count = CONSTANT_COUNT + data->column_count,
        .columns = calloc(k, sizeof *stages->columns),
        .coefficients = malloc(k * sizeof(double)),
        .first_residuals = malloc(n * sizeof(double)),
        .residuals = malloc(n * sizeof(double)),
        .scratch = malloc(n * sizeof(double)),
    };
    if (!stages->columns || !stages->coefficients || !stages->first_residuals ||
        !stages->residuals || !stages->scratch)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for two stages");
    if (data->column_count > 0)
        memcpy(stages->columns + CONSTANT_COUNT, data->covariates,
               (size_t)data->column_count * sizeof *stages->columns);
    return STATUS_OK;
}

static void stages_close(struct stages *stages)
{
    basis_close(&stages->basis);
    reduced_close(&stages->reduced);
    free(stages->columns);
    free(stages->coefficients);
    free(stages->first_residuals);
    free(stages->residuals);
    free(stages->scratch);
}

/* A design of 1, the covariates, and more. */
static enum status set_basis(struct stages *stages, const struct regressor *more,
                             int more_count, struct err *err)
{
    basis_close(&stages->basis);
    if (more_count > 0)
        memcpy(stages->columns + stages->exogenous_count, more,
               (size_t)more_count * sizeof *more);
    return basis_open(
        &(struct regression_design){.row_count = stages->data->row_count,
                                    .column_count = stages->exogenous_count + more_count,
                                    .columns = stages->columns},
        &stages->basis, err);
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

/* What y and t leave beyond the covariates, and beyond the instruments too: sums of
 * squares and products. */
struct remains {
    double yy, yt, tt;
};

static enum status find_remains(struct stages *stages, const struct regressor *more,
                                int more_count, double *y, double *t,
                                struct remains *remains, struct err *err)
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

static bool is_robust(const struct stages *stages)
{
    return stages->rule.clusters || stages->rule.kind != COVARIANCE_CLASSICAL;
}

/* The same numbers by the errors that are asked for. */
static enum status find_robust(struct stages *stages, struct instrument_effect *effect,
                               struct err *err)
{
    enum status rc =
        reduced_open(&stages->basis, stages->exogenous_count, stages->data, stages->rule,
                     stages->first_residuals, stages->residuals, stages->scratch,
                     &stages->reduced, err);

    if (rc)
        return rc;
    effect->effective_f = reduced_effective_f(&stages->reduced);
    if (stages->data->clusters)
        effect->first_stage_f = reduced_f(&stages->reduced);
    reduced_set(&stages->reduced, effect);
    return STATUS_OK;
}

/* The first stage: how the instruments move the treatment, and what they do not explain
 * of it. */
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
    effect->effective_f = effect->first_stage_f;
    if (is_robust(stages))
        return find_robust(stages, effect, err);
    set_anderson_rubin(&without, &with, effect->used_count, freedom, effect);
    return STATUS_OK;
}

/* The second stage; residuals are those of the treatment itself. */
static enum status second_stage(struct stages *stages, struct instrument_effect *effect,
                                struct err *err)
{
    const struct instrument_data *data = stages->data;
    const struct regressor explained = {.numbers = stages->scratch};
    int64_t n = data->row_count;
    int at = stages->exogenous_count;
    double variance;
    enum status rc;

    for (int64_t i = 0; i < n; i++)
        stages->scratch[i] = data->treatments[i] - stages->first_residuals[i];
    rc = set_basis(stages, &explained, 1, err);
    if (rc)
        return rc;
    if (!basis_keeps(&stages->basis, at))
        return err_set(err, STATUS_INVALID,
                       "the instruments do not move the treatment beyond the covariates");
    basis_solve(&stages->basis, data->outcomes, stages->coefficients, stages->residuals);
    effect->value = stages->coefficients[at];
    for (int64_t i = 0; i < n; i++)
        stages->residuals[i] -= effect->value * stages->first_residuals[i];
    rc = basis_variance(&stages->basis, stages->residuals, stages->rule, at, &variance,
                        err);
    if (!rc)
        effect->se = sqrt(variance);
    return rc;
}

static bool is_exact(const struct stages *stages, double value)
{
    const struct instrument_data *data = stages->data;

    return exact_fit(data->outcomes, data->treatments, data->row_count, value,
                     sum_squares(stages->residuals, data->row_count));
}

/* Whether the instruments explain what the effect does not. */
static enum status test_instruments(struct stages *stages,
                                    struct instrument_effect *effect, struct err *err)
{
    const struct instrument_data *data = stages->data;
    int64_t n = data->row_count;
    double all = sum_squares(stages->residuals, n);
    enum status rc;

    effect->sargan = effect->sargan_p = effect->hansen = effect->hansen_p = NAN;
    if (effect->used_count < 2 || is_exact(stages, effect->value))
        return STATUS_OK;
    rc = set_basis(stages, data->instruments, data->instrument_count, err);
    if (rc)
        return rc;
    if (is_robust(stages)) {
        rc = reduced_hansen(&stages->reduced, &stages->basis, stages->rule,
                            stages->residuals, &effect->hansen, err);
        effect->hansen_p = chi_square_tail(effect->hansen, effect->used_count - 1);
    }
    if (rc || data->clusters)
        return rc;
    basis_solve(&stages->basis, stages->residuals, stages->coefficients, stages->scratch);
    effect->sargan = (double)n * (1 - sum_squares(stages->scratch, n) / all);
    effect->sargan_p = chi_square_tail(effect->sargan, effect->used_count - 1);
    return STATUS_OK;
}

/* Whether instruments were needed: what they leave of the treatment, beside the treatment
 * itself. */
static enum status test_treatment(struct stages *stages, struct instrument_effect *effect,
                                  struct err *err)
{
    const struct instrument_data *data = stages->data;
    const struct regressor both[] = {{.numbers = data->treatments},
                                     {.numbers = stages->first_residuals}};
    bool can_tell = !is_exact(stages, effect->value);
    double *residuals = stages->residuals, variance;
    int at = stages->exogenous_count;
    enum status rc = set_basis(stages, both, 1, err);

    effect->wu_hausman_t = effect->wu_hausman_p = NAN;
    if (!rc) {
        basis_solve(&stages->basis, data->outcomes, stages->coefficients, NULL);
        effect->least_squares = stages->coefficients[at];
        rc = set_basis(stages, both, 2, err);
    }
    if (!rc) {
        basis_solve(&stages->basis, data->outcomes, stages->coefficients, residuals);
        rc = basis_variance(&stages->basis, residuals, stages->rule, at + 1, &variance,
                            err);
    }
    if (!rc && can_tell) {
        effect->wu_hausman_t = stages->coefficients[at + 1] / sqrt(variance);
        effect->wu_hausman_p = student_two_sided(
            effect->wu_hausman_t, data->clusters
                                      ? (double)data->cluster_count - 1
                                      : (double)(data->row_count - stages->basis.rank));
    }
    return rc;
}

enum status instrument_estimate(const struct instrument_data *data,
                                enum covariance_kind kind,
                                struct instrument_effect *effect, bool *dropped,
                                struct err *err)
{
    struct stages stages;
    enum status rc = stages_open(data, &stages, err);

    *effect = (struct instrument_effect){0};
    stages.rule = (struct covariance_rule){
        .kind = kind, .clusters = data->clusters, .cluster_count = data->cluster_count};
    if (!rc)
        rc = first_stage(&stages, effect, dropped, err);
    if (!rc)
        rc = second_stage(&stages, effect, err);
    if (!rc)
        rc = test_instruments(&stages, effect, err);
    if (!rc)
        rc = test_treatment(&stages, effect, err);
    stages_close(&stages);
    return rc;
}
