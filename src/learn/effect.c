/* effect.c - regressions; weights are in effect_weights.c. */
#include "learn/effect.h"

#include "learn/clusters.h"
#include "learn/distribution.h"
#include "learn/effect_weights.h"
#include "learn/exact.h"

#include <assert.h>
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
    int64_t counts[2] = {}, others[2] = {};

    for (int64_t i = 0; i < data->row_count; i++) {
        int arm = data->treatments[i] != 0;

        counts[arm]++;
        others[arm] += data->outcomes[i] != 0;
        sums[arm] += data->outcomes[i];
    }
    effect->control_count = counts[0];
    effect->treated_count = counts[1];
    effect->control_others = others[0];
    effect->treated_others = others[1];
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

/* 1, then X, or X - mean X and its products with t, then t: the last, so that it is t
 * which is left out when it follows from the others. (column) */
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

/* What a regression whose residuals sum to 0 expects of all rows, had none been
 * treated. */
static double mean_without(const struct effect_data *data, double value)
{
    double sum = 0;

    for (int64_t i = 0; i < data->row_count; i++)
        sum += data->outcomes[i] - value * data->treatments[i];
    return sum / (double)data->row_count;
}

/* A row that nothing else is compared with, and that moves the effect: how far it may be
 * off is not known. A row of leverage 1 that only decides the coefficient of a covariate
 * does no harm. */
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

/* Else which of the columns that depend on one another is left out would decide the
 * effect. */
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

/* A regression that was solved, and room for its errors. */
struct fit {
    const struct effect_data *data;
    struct effect_rule rule;
    struct basis basis;
    int column_count;     /* the treatment is the last */
    double *coefficients; /* (column) */
    double *residuals;    /* (row) */
    double *direction;    /* (column) */
    double *line;         /* (column); see struct covariance_rule */
};

static enum status fit_open(const struct effect_data *data, struct effect_rule rule,
                            int column_count, struct fit *fit, struct err *err)
{
    size_t k = (size_t)column_count;

    *fit = (struct fit){
        .data = data,
        .rule = rule,
        .column_count = column_count,
        .coefficients = malloc(k * sizeof(double)),
        .residuals = malloc((size_t)data->row_count * sizeof(double)),
        .direction = malloc(k * sizeof(double)),
        .line = malloc(k * sizeof(double)),
    };
    return fit->coefficients && fit->residuals && fit->direction && fit->line
               ? STATUS_OK
               : refuse_memory(err);
}

static void fit_close(struct fit *fit)
{
    basis_close(&fit->basis);
    free(fit->coefficients);
    free(fit->residuals);
    free(fit->direction);
    free(fit->line);
}

/* The effect, times its share: each row of those whom lin's effect is of moves the means
 * of the covariates, which the effect differs with. */
static void add_value(const struct fit *fit, double share, double row_count)
{
    int k = fit->data->column_count, means = fit->rule.is_att ? 1 + k : 1;

    fit->direction[fit->column_count - 1] += share;
    for (int c = 0; fit->rule.method == EFFECT_LIN && c < k; c++)
        fit->line[means + c] += share * fit->coefficients[1 + k + c] / row_count;
}

/* The same of the adjusted mean without treatment. */
static void add_untreated(const struct fit *fit, double share, double row_count)
{
    int k = fit->rule.method == EFFECT_DIFFERENCE ? 0 : fit->data->column_count,
        means = fit->rule.is_att ? 1 + k : 1;

    fit->direction[0] += share;
    for (int c = 0; c < k; c++) {
        double moved = share * fit->coefficients[1 + c] / row_count, mean;

        fit->line[means + c] += moved;
        if (fit->rule.method == EFFECT_LIN) /* whose covariates have a mean of 0 */
            continue;
        mean = mean_of(fit->data, c, false);
        fit->direction[1 + c] += share * mean;
        fit->line[0] -= moved * mean;
    }
}

/* Of `value` times the effect and `untreated` times the mean without treatment. */
static enum status error_of(const struct fit *fit, const struct effect *effect,
                            double value, double untreated, double *se, double *draws,
                            struct err *err)
{
    const struct effect_data *data = fit->data;
    size_t bytes = (size_t)fit->column_count * sizeof(double);
    double row_count =
        (double)(fit->rule.is_att ? effect->treated_count : data->row_count);
    struct covariance_rule rule = {fit->rule.kind, data->clusters, data->cluster_count,
                                   fit->rule.are_means_known ? NULL : fit->line};
    double variance;
    enum status rc;

    memset(fit->direction, 0, bytes);
    memset(fit->line, 0, bytes);
    add_value(fit, value, row_count);
    if (untreated != 0)
        add_untreated(fit, untreated, row_count);
    rc = basis_error(&fit->basis, fit->residuals, rule, fit->direction, &variance, draws,
                     err);
    *se = rc ? NAN : sqrt(variance);
    return rc;
}

static enum status set_found(const struct fit *fit, struct effect *effect, bool *dropped,
                             struct err *err)
{
    struct effect_slopes slopes;
    double draws;
    enum status rc;

    effect->value = fit->coefficients[fit->column_count - 1];
    effect->untreated_mean = fit->rule.method == EFFECT_LIN
                                 ? fit->coefficients[0]
                                 : mean_without(fit->data, effect->value);
    for (int c = 0;
         dropped && fit->rule.method != EFFECT_DIFFERENCE && c < fit->data->column_count;
         c++)
        dropped[c] = !basis_keeps(&fit->basis, 1 + c);
    rc = error_of(fit, effect, 1, 0, &effect->se, &effect->draws, err);
    if (!rc && effect_log_ratio(effect, fit->rule, &slopes))
        rc = error_of(fit, effect, slopes.value, slopes.untreated, &effect->log_ratio_se,
                      &draws, err);
    return rc;
}

static enum status regress(const struct effect_data *data, struct effect_rule rule,
                           struct effect *effect, bool *dropped, struct err *err)
{
    int k;
    struct regressor *columns = make_design(data, rule, &k);
    struct fit fit;
    enum status rc = fit_open(data, rule, k, &fit, err);

    if (!rc && !columns)
        rc = refuse_memory(err);
    if (!rc)
        rc = basis_open(&(struct regression_design){.row_count = data->row_count,
                                                    .column_count = k,
                                                    .columns = columns},
                        &fit.basis, err);
    if (!rc)
        rc = check_treatment(&fit.basis, k - 1, rule.method, effect, err);
    if (!rc) {
        basis_solve(&fit.basis, data->outcomes, fit.coefficients, fit.residuals);
        rc = set_found(&fit, effect, dropped, err);
    }
    if (!rc)
        rc = refuse_lone_row(&fit.basis, k - 1, err);
    fit_close(&fit);
    free(columns);
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

/* The error, as that of a difference of means, is one of rows that are off by
 * rounding. */
static enum status check_error(const struct effect_data *data, struct effect *effect,
                               struct err *err)
{
    double of_one = 1 / (double)effect->treated_count + 1 / (double)effect->control_count;
    double squares = (double)data->row_count * effect->se * effect->se / of_one;

    effect->is_exact = exact_fit(data->outcomes, data->treatments, data->row_count,
                                 effect->value, squares);
    if (!effect->is_exact)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "what %s say of the effect differs by rounding only, as where the "
                   "outcome follows exactly from arm and covariates: no error can be "
                   "estimated",
                   data->clusters ? "clusters" : "rows");
}

enum status effect_estimate(const struct effect_data *data, struct effect_rule rule,
                            struct effect *effect, bool *dropped, struct err *err)
{
    enum status rc;

    assert(!rule.is_att || rule.method >= EFFECT_LIN);
    *effect = (struct effect){
        .p_min = NAN,
        .p_max = NAN,
        .effective_treated = NAN,
        .effective_control = NAN,
        .log_ratio_se = NAN,
        .draws = NAN,
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
        rc = regress(data, rule, effect, dropped, err);
    else
        rc = effect_by_weights(data, rule, effect, dropped, err);
    return rc ? rc : check_error(data, effect, err);
}

/* ---- sensitivity ---- */

bool effect_log_ratio(const struct effect *effect, struct effect_rule rule,
                      struct effect_slopes *slopes)
{
    double treated = effect->untreated_mean + effect->value;

    if (!rule.has_risks || !(treated > 0) || !(effect->untreated_mean > 0))
        return false;
    *slopes = (struct effect_slopes){
        .value = 1 / treated,
        .untreated = 1 / treated - 1 / effect->untreated_mean,
    };
    return true;
}

static double e_value(double ratio)
{
    if (ratio < 1)
        ratio = 1 / ratio;
    return ratio + sqrt(ratio * (ratio - 1));
}

/* An end of an interval that is nearer to none than the middle; 0 when that holds
 * none. */
static double near_end(double middle, double reach)
{
    return fabs(middle) <= reach ? 0 : middle - copysign(reach, middle);
}

void effect_e_value(const struct effect *effect, bool is_binary, double outcome_sd,
                    double *value, double *limit)
{
    double reach = student_95(effect->freedom), unit = 0.91 / outcome_sd;
    double middle =
        is_binary ? log((effect->untreated_mean + effect->value) / effect->untreated_mean)
                  : unit * effect->value;
    double se = is_binary ? effect->log_ratio_se : unit * effect->se;
    double near = near_end(effect->value, reach * effect->se) == 0
                      ? 0
                      : near_end(middle, reach * se);

    *value = e_value(exp(middle));
    if (isinf(*value))
        *value = NAN;
    *limit = isnan(*value) ? NAN : e_value(exp(near));
}
