/* effect.c - regressions; weights are in effect_weights.c. */
#include "learn/effect.h"

#include "learn/clusters.h"
#include "learn/distribution.h"
#include "learn/effect_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Of those whom the effect is of. */
static double mean_of(const struct effect_data *data, int column, bool is_att)
{
    double sum = 0, count = 0;

    for (int64_t i = 0; i < data->row_count; i++)
        if (!is_att || data->treatments[i] != 0) {
            sum += regressor_value(&data->covariates[column], i);
            count++;
        }
    return sum / count;
}

/* 1, then X, or X - mean X and its products with t, then t: the last, so that it is t which is left out when it
 * follows from the others. (column) */
static struct regressor *make_design(const struct effect_data *data,
                                     struct effect_rule rule, int *column_count)
{
    enum effect_method method = rule.method;
    int k = method == EFFECT_DIFFERENCE ? 0 : data->column_count;
    struct regressor *columns;

    *column_count = 2 + k * (method == EFFECT_LIN ? 2 : 1);
    columns = calloc((size_t)*column_count, sizeof *columns);
    if (!columns)
        return NULL;
    columns[*column_count - 1].numbers = data->treatments;
    for (int c = 0; c < k; c++) {
        columns[1 + c] = data->covariates[c];
        if (method != EFFECT_LIN)
            continue;
        columns[1 + c].shift += mean_of(data, c, rule.is_att);
        columns[1 + k + c] = columns[1 + c];
        columns[1 + k + c].times = data->treatments;
    }
    return columns;
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
static enum status refuse_lone_row(const struct basis *basis, int treatment,
                                   struct err *err)
{
    int64_t row = basis_lone_row(basis, treatment);

    if (row < 0)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "one row alone decides a part of the effect (the leverage of row %lld "
                   "of those used is 1), so that its error is not known: take fewer "
                   "covariates",
                   (long long)row + 1);
}

/* Else which of the columns that depend on one another is left out would decide the effect. */
static enum status check_treatment(const struct basis *basis, int treatment,
                                   enum effect_method method, struct effect *effect,
                                   struct err *err)
{
    effect->is_determined = !basis_keeps(basis, treatment);
    if (!effect->is_determined)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   method == EFFECT_LIN
                       ? "a covariate follows from the others in one arm and not in the "
                         "other, so that nothing tells what rows of the one would be in "
                         "the other: leave it out"
                       : "the covariates together tell the treated from the others "
                         "perfectly, so that no row is like one of the other arm: leave "
                         "out those that say who was treated");
}

static enum status regress(const struct effect_data *data, struct effect_rule rule,
                           struct effect *effect, bool *dropped, struct err *err)
{
    int k;
    struct regressor *columns = make_design(data, rule, &k);
    double *coefficients = malloc((size_t)k * sizeof *coefficients);
    double *residuals = malloc((size_t)data->row_count * sizeof *residuals), variance = 0;
    struct basis basis = {};
    enum status rc =
        columns && coefficients && residuals ? STATUS_OK : refuse_memory(err);

    if (!rc)
        rc = basis_open(&(struct regression_design){.row_count = data->row_count,
                                                    .column_count = k,
                                                    .columns = columns},
                        &basis, err);
    if (!rc)
        rc = check_treatment(&basis, k - 1, rule.method, effect, err);
    if (!rc) {
        basis_solve(&basis, data->outcomes, coefficients, residuals);
        rc = basis_variance(
            &basis, residuals,
            (struct covariance_rule){rule.kind, data->clusters, data->cluster_count},
            k - 1, &variance, err);
    }
    if (!rc)
        rc = refuse_lone_row(&basis, k - 1, err);
    if (!rc) {
        effect->value = coefficients[k - 1];
        effect->untreated_mean = rule.method == EFFECT_LIN
                                     ? coefficients[0]
                                     : mean_without(data, effect->value);
        effect->se = sqrt(variance);
        for (int c = 0;
             dropped && rule.method != EFFECT_DIFFERENCE && c < data->column_count; c++)
            dropped[c] = !basis_keeps(&basis, 1 + c);
    }
    basis_close(&basis);
    free(columns);
    free(coefficients);
    free(residuals);
    return rc;
}

static double effective_of(const struct effect_data *data, bool is_treated, double *sizes)
{
    memset(sizes, 0, (size_t)data->cluster_count * sizeof *sizes);
    for (int64_t i = 0; i < data->row_count; i++)
        sizes[data->clusters[i]] += (data->treatments[i] != 0) == is_treated;
    return clusters_effective(sizes, data->cluster_count);
}

static enum status set_freedom(const struct effect_data *data, struct effect *effect,
                               struct err *err)
{
    double *sizes;

    if (!data->clusters)
        return STATUS_OK;
    sizes = malloc(((size_t)data->cluster_count + 1) * sizeof *sizes);
    if (!sizes)
        return refuse_memory(err);
    effect->clusters_treated = effective_of(data, true, sizes);
    effect->clusters_control = effective_of(data, false, sizes);
    effect->freedom = clusters_freedom(effect->clusters_treated, effect->clusters_control,
                                       data->cluster_count);
    free(sizes);
    return STATUS_OK;
}

enum status effect_estimate(const struct effect_data *data, struct effect_rule rule,
                            struct effect *effect, bool *dropped, struct err *err)
{
    enum status rc;

    *effect = (struct effect){
        .p_min = NAN,
        .p_max = NAN,
        .effective_treated = NAN,
        .effective_control = NAN,
        .clusters_treated = NAN,
        .clusters_control = NAN,
        .freedom = INFINITY,
    };
    set_means(data, effect);
    if (effect->treated_count == 0 || effect->control_count == 0)
        return err_set(err, STATUS_INVALID, "no row is %s",
                       effect->treated_count ? "a control" : "treated");
    rc = set_freedom(data, effect, err);
    if (rc)
        return rc;
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
    double reach = student_95(effect->freedom) * effect->se;
    double near = effect->value > 0 ? effect->value - reach : effect->value + reach;
    double ratio = ratio_of(effect, effect->value, is_binary, outcome_sd);
    double near_ratio = ratio_of(effect, near, is_binary, outcome_sd);

    *value = ratio > 0 && isfinite(ratio) ? e_value(ratio) : NAN;
    *limit = near * effect->value <= 0                ? 1
             : near_ratio > 0 && isfinite(near_ratio) ? e_value(near_ratio)
                                                      : NAN;
}
