/* surrogate.c - a regression on the past, a difference now. */
#include "learn/surrogate.h"

#include "learn/distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a surrogate index");
}

/* ---- the index ---- */

/* 1, the regressors, and one more. (column) */
static struct regressor *make_design(const struct regressor *regressors, int count,
                                     const double *more)
{
    struct regressor *columns = calloc((size_t)count + 2, sizeof *columns);

    if (!columns)
        return NULL;
    memcpy(columns + 1, regressors, (size_t)count * sizeof *columns);
    columns[count + 1].numbers = more;
    return columns;
}

static double share_explained(const struct surrogate_data *data, const double *residuals)
{
    double mean = 0, all = 0, rest = 0, n = (double)data->history_count;

    for (int64_t i = 0; i < data->history_count; i++)
        mean += data->outcomes[i] / n;
    for (int64_t i = 0; i < data->history_count; i++) {
        all += (data->outcomes[i] - mean) * (data->outcomes[i] - mean);
        rest += residuals[i] * residuals[i];
    }
    return 1 - rest / all;
}

/* An index of the history: basis is opened with its columns, which the caller frees;
 * coefficients (k + 1) with the constant first; residuals (row of the history). */
static enum status fit_index(const struct surrogate_data *data,
                             const struct regressor *columns, struct basis *basis,
                             double *coefficients, double *residuals, struct err *err)
{
    enum status rc =
        basis_open(&(struct regression_design){.row_count = data->history_count,
                                               .column_count = data->column_count + 1,
                                               .columns = columns},
                   basis, err);

    if (!rc)
        basis_solve(basis, data->outcomes, coefficients, residuals);
    return rc;
}

/* What the history does not tell from the columns before it moves the index by
 * nothing. */
static enum status find_dropped(const struct surrogate_data *data,
                                const struct basis *basis,
                                struct surrogate_effect *effect, bool *dropped,
                                struct err *err)
{
    for (int c = 0; c < data->column_count; c++) {
        dropped[c] = !basis_keeps(basis, c + 1);
        if (c >= data->column_count - data->surrogate_count)
            effect->used_count += !dropped[c];
    }
    if (effect->used_count > 0)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "every surrogate is constant or follows from the covariates, so that "
                   "there is no index");
}

static double index_of(const struct surrogate_data *data, const double *coefficients,
                       int64_t row)
{
    double sum = coefficients[0];

    for (int c = 0; c < data->column_count; c++)
        sum += coefficients[c + 1] * regressor_value(&data->experiment[c], row);
    return sum;
}

/* ---- the experiment ---- */

struct side {
    double count, mean, variance;
};

static void set_sides(const struct surrogate_data *data, const double *coefficients,
                      struct side sides[2])
{
    memset(sides, 0, 2 * sizeof *sides);
    for (int64_t i = 0; i < data->experiment_count; i++) {
        struct side *side = &sides[data->treatments[i] != 0];

        side->count++;
        side->mean += index_of(data, coefficients, i);
    }
    for (int arm = 0; arm < 2; arm++)
        sides[arm].mean /= sides[arm].count;
    for (int64_t i = 0; i < data->experiment_count; i++) {
        struct side *side = &sides[data->treatments[i] != 0];
        double off = index_of(data, coefficients, i) - side->mean;

        side->variance += off * off / (side->count - 1);
    }
}

/* d (k + 1): the difference of mean regressors; that of the constant is none. */
static void set_difference(const struct surrogate_data *data, const struct side sides[2],
                           double *difference)
{
    memset(difference, 0, ((size_t)data->column_count + 1) * sizeof *difference);
    for (int c = 0; c < data->column_count; c++)
        for (int64_t i = 0; i < data->experiment_count; i++) {
            int arm = data->treatments[i] != 0;

            difference[c + 1] += (arm ? 1 : -1) / sides[arm].count *
                                 regressor_value(&data->experiment[c], i);
        }
}

/* The coefficient of the treatment in a regression of the outcomes that are known on 1,
 * the regressors and the treatment, with HC1. */
static enum status fit_direct(const struct surrogate_data *data,
                              const struct regression_design *design,
                              struct surrogate_effect *effect, struct err *err)
{
    int at = design->column_count - 1;
    double *residuals = malloc((size_t)design->row_count * sizeof *residuals);
    double *coefficients = malloc((size_t)design->column_count * sizeof *coefficients),
           variance;
    struct basis basis = {};
    enum status rc = residuals && coefficients ? STATUS_OK : refuse_memory(err);

    if (!rc)
        rc = basis_open(design, &basis, err);
    if (!rc && basis_keeps(&basis, at)) {
        basis_solve(&basis, data->matured, coefficients, residuals);
        rc = basis_variance(&basis, residuals,
                            (struct covariance_rule){.kind = COVARIANCE_HC1}, at,
                            &variance, err);
        if (!rc) {
            effect->direct = coefficients[at];
            effect->direct_se = sqrt(variance);
            effect->direct_p = normal_two_sided(effect->direct / effect->direct_se);
        }
    }
    basis_close(&basis);
    free(residuals);
    free(coefficients);
    return rc;
}

/* Whether the treatment does something beside the surrogates, where outcomes are
 * known. */
static enum status test_direct(const struct surrogate_data *data,
                               struct surrogate_effect *effect, struct err *err)
{
    int64_t n = data->experiment_count;
    struct regressor *columns =
        make_design(data->experiment, data->column_count, data->treatments);
    bool *is_used = malloc((size_t)n);
    enum status rc = columns && is_used ? STATUS_OK : refuse_memory(err);

    for (int64_t i = 0; i < n && !rc; i++)
        is_used[i] = !isnan(data->matured[i]);
    if (!rc)
        rc =
            fit_direct(data,
                       &(struct regression_design){.row_count = n,
                                                   .column_count = data->column_count + 2,
                                                   .columns = columns,
                                                   .is_used = is_used},
                       effect, err);
    free(columns);
    free(is_used);
    return rc;
}

/* The difference of the index; its error is that of two samples, and that of the
 * coefficients: d'Vd, with HC0. */
static enum status compare(const struct surrogate_data *data, const struct basis *basis,
                           const double *coefficients, const double *residuals,
                           double *difference, struct surrogate_effect *effect,
                           struct err *err)
{
    struct side sides[2];
    double variance;
    enum status rc;

    set_sides(data, coefficients, sides);
    effect->control_count = (int64_t)sides[0].count;
    effect->treated_count = (int64_t)sides[1].count;
    if (sides[0].count < 2 || sides[1].count < 2)
        return err_set(err, STATUS_INVALID, "two rows of each arm are needed at least");
    set_difference(data, sides, difference);
    rc = basis_covariance(basis, residuals,
                          (struct covariance_rule){.kind = COVARIANCE_HC0}, difference, 1,
                          &variance, err);
    if (rc)
        return rc;
    effect->value = sides[1].mean - sides[0].mean;
    effect->se_sampling =
        sqrt(sides[0].variance / sides[0].count + sides[1].variance / sides[1].count);
    effect->se = sqrt(effect->se_sampling * effect->se_sampling + variance);
    return STATUS_OK;
}

enum status surrogate_estimate(const struct surrogate_data *data,
                               struct surrogate_effect *effect, bool *dropped,
                               struct err *err)
{
    int k = data->column_count + 1;
    struct regressor *columns = make_design(data->history, data->column_count, NULL);
    double *numbers = calloc(2 * (size_t)k, sizeof *numbers); /* (k + 1), twice */
    double *residuals = malloc((size_t)data->history_count * sizeof *residuals);
    struct basis basis = {};
    enum status rc = columns && numbers && residuals ? STATUS_OK : refuse_memory(err);

    *effect = (struct surrogate_effect){.direct = NAN, .direct_se = NAN, .direct_p = NAN};
    if (!rc)
        rc = fit_index(data, columns, &basis, numbers, residuals, err);
    if (!rc)
        rc = find_dropped(data, &basis, effect, dropped, err);
    if (!rc)
        rc = compare(data, &basis, numbers, residuals, numbers + k, effect, err);
    if (!rc)
        effect->r_squared = share_explained(data, residuals);
    basis_close(&basis);
    free(columns);
    free(numbers);
    free(residuals);
    for (int64_t i = 0; !rc && data->matured && i < data->experiment_count; i++)
        effect->matured_count += !isnan(data->matured[i]);
    if (!rc && effect->matured_count > k + 1)
        rc = test_direct(data, effect, err);
    return rc;
}
