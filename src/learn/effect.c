/* effect.c - regressions; weights are in effect_weights.c. */
#include "learn/effect.h"

#include "learn/distribution.h"
#include "learn/effect_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVERAGE_REST_MIN 1e-9 /* what is left of 1 */

static const char *const method_names[EFFECT_METHOD_COUNT] = {"difference", "ols", "lin",
                                                              "ipw", "aipw"};

enum status effect_method_read(const char *name, enum effect_method *method,
                               struct err *err)
{
    for (int i = 0; i < EFFECT_METHOD_COUNT; i++)
        if (strcmp(name, method_names[i]) == 0) {
            *method = (enum effect_method)i;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID,
                   "'%.40s' is no method: difference, ols, lin, ipw or aipw", name);
}

const char *effect_method_name(enum effect_method method)
{
    return method_names[method];
}

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for an effect");
}

static void set_means(const struct effect_data *data, struct effect *effect)
{
    double sums[2] = {};
    int64_t counts[2] = {};

    for (int64_t i = 0; i < data->row_count; i++) {
        int arm = data->treatments[i] != 0;

        counts[arm]++;
        sums[arm] += data->outcomes[i];
    }
    effect->control_count = counts[0];
    effect->treated_count = counts[1];
    effect->control_mean = sums[0] / (double)counts[0];
    effect->treated_mean = sums[1] / (double)counts[1];
}

/* ---- regressions ---- */

/* 1, t, then X, or X - mean X and its products with t. (column, row) */
static double *make_design(const struct effect_data *data, enum effect_method method,
                           int *column_count)
{
    int64_t n = data->row_count;
    int k = method == EFFECT_DIFFERENCE ? 0 : data->column_count;
    double *design;

    *column_count = 2 + k * (method == EFFECT_LIN ? 2 : 1);
    design = malloc((size_t)*column_count * (size_t)n * sizeof *design);
    for (int64_t i = 0; design && i < n; i++) {
        design[i] = 1;
        design[n + i] = data->treatments[i];
    }
    for (int c = 0; design && c < k; c++) {
        const double *x = data->covariates + (int64_t)c * n;
        double *own = design + (int64_t)(2 + c) * n, mean = 0;

        for (int64_t i = 0; i < n && method == EFFECT_LIN; i++)
            mean += x[i] / (double)n;
        for (int64_t i = 0; i < n; i++) {
            own[i] = x[i] - mean;
            if (method == EFFECT_LIN)
                own[(int64_t)k * n + i] = data->treatments[i] * own[i];
        }
    }
    return design;
}

/* What a regression whose residuals sum to 0 expects of all rows, had none been treated. */
static double mean_without(const struct effect_data *data, double value)
{
    double sum = 0;

    for (int64_t i = 0; i < data->row_count; i++)
        sum += data->outcomes[i] - value * data->treatments[i];
    return sum / (double)data->row_count;
}

/* A row that nothing else is compared with, and that moves the effect: how far it may be off is not known. A
 * row of leverage 1 that only decides the coefficient of a covariate does no harm. */
static enum status refuse_lone_row(const struct basis *basis, double *numbers,
                                   struct err *err)
{
    int64_t n = basis->row_count;
    double *leverages = numbers, *unit = numbers + n, *coefficients = numbers + 2 * n;

    basis_leverages(basis, leverages);
    for (int64_t row = 0; row < n; row++) {
        if (1 - leverages[row] > LEVERAGE_REST_MIN)
            continue;
        memset(unit, 0, (size_t)n * sizeof *unit);
        unit[row] = 1;
        basis_solve(basis, unit, coefficients, unit);
        if (fabs(coefficients[1]) > LEVERAGE_REST_MIN)
            return err_set(err, STATUS_INVALID,
                           "one row alone decides a part of the effect (the leverage of "
                           "row %lld of those used is 1), so that its error is not "
                           "known: take fewer covariates",
                           (long long)row + 1);
    }
    return STATUS_OK;
}

static enum status check_rows(const struct basis *basis, struct err *err)
{
    double *numbers = malloc(
        (2 * (size_t)basis->row_count + (size_t)basis->column_count) * sizeof *numbers);
    enum status rc = numbers ? refuse_lone_row(basis, numbers, err) : refuse_memory(err);

    free(numbers);
    return rc;
}

static enum status regress(const struct effect_data *data, struct effect_rule rule,
                           struct effect *effect, bool *dropped, struct err *err)
{
    int k;
    double *design = make_design(data, rule.method, &k);
    double *numbers =
        malloc(((size_t)k * (size_t)(k + 1) + (size_t)data->row_count) * sizeof *numbers);
    double *coefficients = numbers, *covariance = numbers + k,
           *residuals = numbers + k + (size_t)k * (size_t)k;
    struct basis basis = {};
    enum status rc = design && numbers ? STATUS_OK : refuse_memory(err);

    if (!rc)
        rc = basis_open(design, data->row_count, k, &basis, err);
    free(design);
    if (!rc) {
        basis_solve(&basis, data->outcomes, coefficients, residuals);
        rc = basis_covariance(
            &basis, residuals,
            (struct covariance_rule){rule.kind, data->clusters, data->cluster_count},
            covariance, err);
    }
    if (!rc)
        rc = check_rows(&basis, err);
    if (!rc) {
        effect->value = coefficients[1];
        effect->untreated_mean = rule.method == EFFECT_LIN
                                     ? coefficients[0]
                                     : mean_without(data, coefficients[1]);
        effect->se = sqrt(covariance[k + 1]);
        for (int c = 0;
             dropped && rule.method != EFFECT_DIFFERENCE && c < data->column_count; c++)
            dropped[c] = !basis_keeps(&basis, 2 + c);
    }
    basis_close(&basis);
    free(numbers);
    return rc;
}

enum status effect_estimate(const struct effect_data *data, struct effect_rule rule,
                            struct effect *effect, bool *dropped, struct err *err)
{
    *effect = (struct effect){
        .p_min = NAN, .p_max = NAN, .effective_treated = NAN, .effective_control = NAN};
    set_means(data, effect);
    if (effect->treated_count == 0 || effect->control_count == 0)
        return err_set(err, STATUS_INVALID, "no row is %s",
                       effect->treated_count ? "a control" : "treated");
    if (rule.method != EFFECT_IPW && rule.method != EFFECT_AIPW)
        return regress(data, rule, effect, dropped, err);
    return effect_by_weights(data, rule, effect, dropped, err);
}

/* ---- sensitivity ---- */

static double e_value(double ratio)
{
    if (ratio < 1)
        ratio = 1 / ratio;
    return ratio + sqrt(ratio * (ratio - 1));
}

static double ratio_of(const struct effect *effect, double value, bool is_binary,
                       double outcome_sd)
{
    return is_binary ? (effect->untreated_mean + value) / effect->untreated_mean
                     : exp(0.91 * value / outcome_sd);
}

void effect_e_value(const struct effect *effect, bool is_binary, double outcome_sd,
                    double *value, double *limit)
{
    double reach = NORMAL_95 * effect->se;
    double near = effect->value > 0 ? effect->value - reach : effect->value + reach;
    double ratio = ratio_of(effect, effect->value, is_binary, outcome_sd);
    double near_ratio = ratio_of(effect, near, is_binary, outcome_sd);

    *value = ratio > 0 && isfinite(ratio) ? e_value(ratio) : NAN;
    *limit = near * effect->value <= 0                ? 1
             : near_ratio > 0 && isfinite(near_ratio) ? e_value(near_ratio)
                                                      : NAN;
}
