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

/* Of the history: coefficients (k + 1) with the constant first, covariance (k + 1, k + 1). */
static enum status fit_index(const struct surrogate_data *data, double *coefficients,
                             double *covariance, double *r_squared, struct err *err)
{
    int64_t n = data->history_count;
    int k = data->column_count + 1;
    double *design = malloc((size_t)(k + 1) * (size_t)n * sizeof *design), *residuals,
           mean = 0, all = 0, rest = 0;
    struct basis basis = {};
    enum status rc = design ? STATUS_OK : refuse_memory(err);

    if (!rc) {
        residuals = design + (int64_t)k * n;
        for (int64_t i = 0; i < n; i++)
            design[i] = 1;
        memcpy(design + n, data->history, (size_t)(k - 1) * (size_t)n * sizeof *design);
        rc = basis_open(design, n, k, &basis, err);
    }
    if (!rc) {
        basis_solve(&basis, data->outcomes, coefficients, residuals);
        rc = basis_covariance(&basis, residuals,
                              (struct covariance_rule){.kind = COVARIANCE_HC0},
                              covariance, err);
        for (int64_t i = 0; i < n; i++)
            mean += data->outcomes[i] / (double)n;
        for (int64_t i = 0; i < n; i++) {
            all += (data->outcomes[i] - mean) * (data->outcomes[i] - mean);
            rest += residuals[i] * residuals[i];
        }
        *r_squared = 1 - rest / all;
    }
    basis_close(&basis);
    free(design);
    return rc;
}

static double index_of(const struct surrogate_data *data, const double *coefficients,
                       int64_t row)
{
    double sum = coefficients[0];

    for (int c = 0; c < data->column_count; c++)
        sum += coefficients[c + 1] *
               data->experiment[(int64_t)c * data->experiment_count + row];
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

/* d'Vd: the error of the coefficients in the difference of means; the constant cancels. */
static double first_stage_variance(const struct surrogate_data *data,
                                   const double *covariance, const struct side sides[2],
                                   double *difference)
{
    int k = data->column_count + 1;
    double sum = 0;

    memset(difference, 0, (size_t)k * sizeof *difference);
    for (int c = 0; c < data->column_count; c++)
        for (int64_t i = 0; i < data->experiment_count; i++) {
            int arm = data->treatments[i] != 0;

            difference[c + 1] +=
                (arm ? 1 : -1) / sides[arm].count *
                data->experiment[(int64_t)c * data->experiment_count + i];
        }
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++)
            sum += difference[i] * difference[j] * covariance[i * k + j];
    return sum;
}

/* Whether the treatment does something beside the surrogates, where outcomes are known: its coefficient in a
 * regression of these on 1, the regressors and the treatment, with HC1. */
static enum status test_direct(const struct surrogate_data *data,
                               struct surrogate_effect *effect, struct err *err)
{
    int64_t n = effect->matured_count, at = 0, all = data->experiment_count;
    int k = data->column_count + 2;
    size_t numbers =
        (size_t)k * (size_t)n + 2 * (size_t)n + (size_t)k + (size_t)k * (size_t)k;
    double *design = malloc((numbers + 1) * sizeof *design), *y, *residuals,
           *coefficients, *covariance;
    struct basis basis = {};
    enum status rc = design ? STATUS_OK : refuse_memory(err);

    if (rc)
        return rc;
    y = design + (int64_t)k * n;
    residuals = y + n;
    coefficients = residuals + n;
    covariance = coefficients + k;
    for (int64_t i = 0; i < all; i++) {
        if (isnan(data->matured[i]))
            continue;
        design[at] = 1;
        for (int c = 0; c < data->column_count; c++)
            design[(int64_t)(c + 1) * n + at] = data->experiment[(int64_t)c * all + i];
        design[(int64_t)(k - 1) * n + at] = data->treatments[i];
        y[at++] = data->matured[i];
    }
    rc = basis_open(design, n, k, &basis, err);
    if (!rc && basis_keeps(&basis, k - 1)) {
        basis_solve(&basis, y, coefficients, residuals);
        rc = basis_covariance(&basis, residuals,
                              (struct covariance_rule){.kind = COVARIANCE_HC1},
                              covariance, err);
    }
    if (!rc && basis_keeps(&basis, k - 1)) {
        effect->direct = coefficients[k - 1];
        effect->direct_se = sqrt(covariance[k * k - 1]);
        effect->direct_p = normal_two_sided(effect->direct / effect->direct_se);
    }
    basis_close(&basis);
    free(design);
    return rc;
}

enum status surrogate_estimate(const struct surrogate_data *data,
                               struct surrogate_effect *effect, struct err *err)
{
    int k = data->column_count + 1;
    double *numbers = calloc(2 * (size_t)k + (size_t)k * (size_t)k, sizeof *numbers);
    double *coefficients = numbers, *difference = numbers + k,
           *covariance = numbers + 2 * k;
    struct side sides[2];
    enum status rc = numbers ? STATUS_OK : refuse_memory(err);

    *effect = (struct surrogate_effect){.direct = NAN, .direct_se = NAN, .direct_p = NAN};
    if (!rc)
        rc = fit_index(data, coefficients, covariance, &effect->r_squared, err);
    if (rc)
        goto out;
    set_sides(data, coefficients, sides);
    if (sides[0].count < 2 || sides[1].count < 2) {
        rc = err_set(err, STATUS_INVALID, "two rows of each arm are needed at least");
        goto out;
    }
    effect->control_count = (int64_t)sides[0].count;
    effect->treated_count = (int64_t)sides[1].count;
    effect->value = sides[1].mean - sides[0].mean;
    effect->se_sampling =
        sqrt(sides[0].variance / sides[0].count + sides[1].variance / sides[1].count);
    effect->se = sqrt(effect->se_sampling * effect->se_sampling +
                      first_stage_variance(data, covariance, sides, difference));
    for (int64_t i = 0; data->matured && i < data->experiment_count; i++)
        effect->matured_count += !isnan(data->matured[i]);
    if (effect->matured_count > k + 1)
        rc = test_direct(data, effect, err);
out:
    free(numbers);
    return rc;
}
