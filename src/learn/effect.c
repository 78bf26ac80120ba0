/* effect.c - regressions, weights, and both. */
#include "learn/effect.h"

#include "base/rng.h"
#include "learn/distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double overlap_low = 0.1, overlap_high = 0.9;

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
    if (!rc) {
        effect->value = coefficients[1];
        effect->se = sqrt(covariance[k + 1]);
        for (int c = 0;
             dropped && rule.method != EFFECT_DIFFERENCE && c < data->column_count; c++)
            dropped[c] = !basis_keeps(&basis, 2 + c);
    }
    basis_close(&basis);
    free(numbers);
    return rc;
}

/* ---- weights ---- */

/* What ipw and aipw work with, all (row). */
struct work {
    const struct effect_data *data;
    double *design;        /* (1 + column, row): 1, X */
    double *probabilities; /* of being treated */
    double *models[2];     /* expected outcomes without and with treatment */
    double *moved;         /* what each row adds, around 0 */
};

static enum status work_open(const struct effect_data *data, struct work *work,
                             struct err *err)
{
    size_t n = (size_t)data->row_count, k = (size_t)data->column_count;

    *work = (struct work){
        .data = data,
        .design = malloc((k + 1) * n * sizeof(double)),
        .probabilities = malloc(n * sizeof(double)),
        .models = {malloc(n * sizeof(double)), malloc(n * sizeof(double))},
        .moved = malloc(n * sizeof(double)),
    };
    if (!work->design || !work->probabilities || !work->models[0] || !work->models[1] ||
        !work->moved)
        return refuse_memory(err);
    for (size_t i = 0; i < n; i++)
        work->design[i] = 1;
    if (k > 0)
        memcpy(work->design + n, data->covariates, k * n * sizeof *work->design);
    return STATUS_OK;
}

static void work_close(struct work *work)
{
    free(work->design);
    free(work->probabilities);
    free(work->models[0]);
    free(work->models[1]);
    free(work->moved);
}

/* Rows of the design for which pick says so, and their columns, one behind the other. */
struct subset {
    int64_t count;
    double *design, *treatments, *outcomes;
};

enum which { WHICH_ALL, WHICH_CONTROL, WHICH_TREATED };

static bool is_picked(const struct work *work, int64_t row, enum which which,
                      const uint8_t *folds, int fold)
{
    if (folds && folds[row] == fold)
        return false;
    return which == WHICH_ALL ||
           (work->data->treatments[row] != 0) == (which == WHICH_TREATED);
}

static enum status subset_open(const struct work *work, enum which which,
                               const uint8_t *folds, int fold, struct subset *subset,
                               struct err *err)
{
    int64_t n = work->data->row_count, at = 0;
    int k = work->data->column_count + 1;

    *subset = (struct subset){};
    for (int64_t i = 0; i < n; i++)
        subset->count += is_picked(work, i, which, folds, fold);
    subset->design =
        malloc(((size_t)subset->count * (size_t)(k + 2) + 1) * sizeof(double));
    if (!subset->design)
        return refuse_memory(err);
    subset->treatments = subset->design + subset->count * k;
    subset->outcomes = subset->treatments + subset->count;
    for (int64_t i = 0; i < n; i++) {
        if (!is_picked(work, i, which, folds, fold))
            continue;
        for (int c = 0; c < k; c++)
            subset->design[subset->count * c + at] = work->design[n * c + i];
        subset->treatments[at] = work->data->treatments[i];
        subset->outcomes[at++] = work->data->outcomes[i];
    }
    return STATUS_OK;
}

/* What a linear form says of the rows of a fold; of all rows without folds. */
static void predict(const struct work *work, const double *coefficients,
                    const uint8_t *folds, int fold, double *predictions)
{
    int64_t n = work->data->row_count;

    for (int64_t i = 0; i < n; i++) {
        double sum = 0;

        if (folds && folds[i] != fold)
            continue;
        for (int c = 0; c <= work->data->column_count; c++)
            sum += coefficients[c] * work->design[n * c + i];
        predictions[i] = sum;
    }
}

/* Fit on the rows outside of the fold, predict those in it: the probability of being treated when which is
 * WHICH_ALL, else the outcome. dropped: as in effect_estimate, or NULL. */
static enum status fit(struct work *work, enum which which, const uint8_t *folds,
                       int fold, double *predictions, bool *dropped, struct err *err)
{
    int k = work->data->column_count + 1;
    double *coefficients = calloc((size_t)k, sizeof *coefficients);
    struct subset subset = {};
    struct basis basis = {};
    enum status rc = coefficients ? STATUS_OK : refuse_memory(err);

    if (!rc)
        rc = subset_open(work, which, folds, fold, &subset, err);
    if (!rc)
        rc = basis_open(subset.design, subset.count, k, &basis, err);
    if (!rc && which == WHICH_ALL)
        rc = basis_logit(&basis, subset.treatments, NULL, coefficients, subset.outcomes,
                         err);
    else if (!rc)
        basis_solve(&basis, subset.outcomes, coefficients, subset.outcomes);
    if (!rc) {
        predict(work, coefficients, folds, fold, predictions);
        for (int64_t i = 0; which == WHICH_ALL && i < work->data->row_count; i++)
            if (!folds || folds[i] == fold)
                predictions[i] = 1 / (1 + exp(-predictions[i]));
        for (int c = 1; dropped && c < k; c++)
            dropped[c - 1] = !basis_keeps(&basis, c);
    }
    basis_close(&basis);
    free(subset.design);
    free(coefficients);
    return rc;
}

static void set_overlap(const struct work *work, struct effect *effect)
{
    double sums[2] = {}, squares[2] = {};

    effect->p_min = 1;
    effect->p_max = 0;
    for (int64_t i = 0; i < work->data->row_count; i++) {
        double p = work->probabilities[i];
        int arm = work->data->treatments[i] != 0;
        double w = arm ? 1 / p : 1 / (1 - p);

        effect->p_min = fmin(effect->p_min, p);
        effect->p_max = fmax(effect->p_max, p);
        effect->outside_count += p < overlap_low || p > overlap_high;
        sums[arm] += w;
        squares[arm] += w * w;
    }
    effect->effective_control = sums[0] * sums[0] / squares[0];
    effect->effective_treated = sums[1] * sums[1] / squares[1];
}

/* The error of a mean whose rows move it so. */
static enum status set_error(const struct work *work, struct effect *effect,
                             struct err *err)
{
    const struct effect_data *data = work->data;
    double n = (double)data->row_count, mean = 0, squares = 0;
    double *sums = calloc((size_t)data->cluster_count + 1, sizeof *sums);

    if (!sums)
        return refuse_memory(err);
    for (int64_t i = 0; i < data->row_count; i++)
        mean += work->moved[i] / n;
    for (int64_t i = 0; i < data->row_count; i++) {
        double by = work->moved[i] - mean;

        if (data->clusters)
            sums[data->clusters[i]] += by;
        else
            squares += by * by;
    }
    for (int32_t g = 0; g < data->cluster_count; g++)
        squares += sums[g] * sums[g];
    free(sums);
    if (data->clusters)
        n = data->cluster_count;
    effect->se = sqrt(squares * n / (n - 1)) / (double)data->row_count;
    return STATUS_OK;
}

/* ---- ipw ---- */

/* Weights of row i in its arm. */
static double weight_of(const struct work *work, int64_t i, bool is_att)
{
    double p = work->probabilities[i];

    if (work->data->treatments[i] != 0)
        return is_att ? 1 : 1 / p;
    return is_att ? p / (1 - p) : 1 / (1 - p);
}

/* What the scores of the logistic regression, (t - p) x, explain of what rows add is no error: the
 * probabilities were fitted to these very rows (Hirano, Imbens and Ridder 2003). */
static enum status take_scores_off(struct work *work, struct err *err)
{
    int64_t n = work->data->row_count;
    int k = work->data->column_count + 1;
    double *unused = malloc((size_t)k * sizeof *unused);
    struct basis basis = {};
    enum status rc = unused ? STATUS_OK : refuse_memory(err);

    for (int c = 0; c < k && !rc; c++)
        for (int64_t i = 0; i < n; i++)
            work->design[n * c + i] *= work->data->treatments[i] - work->probabilities[i];
    if (!rc)
        rc = basis_open(work->design, n, k, &basis, err);
    if (!rc)
        basis_solve(&basis, work->moved, unused, work->moved);
    basis_close(&basis);
    free(unused);
    return rc;
}

static enum status weigh(struct work *work, struct effect_rule rule,
                         struct effect *effect, bool *dropped, struct err *err)
{
    const struct effect_data *data = work->data;
    double sums[2] = {}, means[2] = {}, n = (double)data->row_count;
    enum status rc = fit(work, WHICH_ALL, NULL, 0, work->probabilities, dropped, err);

    if (rc)
        return rc;
    set_overlap(work, effect);
    for (int64_t i = 0; i < data->row_count; i++) {
        double w = weight_of(work, i, rule.is_att);

        sums[data->treatments[i] != 0] += w;
        means[data->treatments[i] != 0] += w * data->outcomes[i];
    }
    means[0] /= sums[0];
    means[1] /= sums[1];
    for (int64_t i = 0; i < data->row_count; i++) {
        int arm = data->treatments[i] != 0;

        work->moved[i] = (arm ? 1 : -1) * weight_of(work, i, rule.is_att) * n /
                         sums[arm] * (data->outcomes[i] - means[arm]);
    }
    effect->value = means[1] - means[0];
    rc = take_scores_off(work, err);
    return rc ? rc : set_error(work, effect, err);
}

/* ---- aipw ---- */

/* Which part each row is in, by chance; rows of a cluster together. */
static enum status draw_folds(const struct effect_data *data, struct effect_rule rule,
                              uint8_t **folds, struct err *err)
{
    int64_t unit_count = data->clusters ? data->cluster_count : data->row_count;
    uint8_t *of_units = malloc((size_t)unit_count);
    struct rng rng;

    *folds = malloc((size_t)data->row_count);
    if (!of_units || !*folds) {
        free(of_units);
        return refuse_memory(err);
    }
    rng_seed(&rng, rule.seed);
    for (int64_t i = 0; i < unit_count; i++)
        of_units[i] = (uint8_t)(i % rule.fold_count);
    for (int64_t i = unit_count - 1; i > 0; i--) {
        int64_t j = (int64_t)rng_below(&rng, (uint64_t)i + 1);
        uint8_t kept = of_units[i];

        of_units[i] = of_units[j];
        of_units[j] = kept;
    }
    for (int64_t i = 0; i < data->row_count; i++)
        (*folds)[i] = of_units[data->clusters ? data->clusters[i] : i];
    free(of_units);
    return STATUS_OK;
}

static enum status fit_all(struct work *work, struct effect_rule rule, bool *dropped,
                           struct err *err)
{
    uint8_t *folds = NULL;
    enum status rc = STATUS_OK;

    if (rule.fold_count > 1)
        rc = draw_folds(work->data, rule, &folds, err);
    for (int fold = 0; fold < (folds ? rule.fold_count : 1) && !rc; fold++) {
        rc = fit(work, WHICH_ALL, folds, fold, work->probabilities, dropped, err);
        for (int arm = 0; arm < 2 && !rc; arm++)
            rc = fit(work, arm ? WHICH_TREATED : WHICH_CONTROL, folds, fold,
                     work->models[arm], NULL, err);
    }
    free(folds);
    return rc;
}

static enum status augment(struct work *work, struct effect_rule rule,
                           struct effect *effect, bool *dropped, struct err *err)
{
    const struct effect_data *data = work->data;
    double share = (double)effect->treated_count / (double)data->row_count, sum = 0;
    enum status rc = fit_all(work, rule, dropped, err);

    if (rc)
        return rc;
    set_overlap(work, effect);
    for (int64_t i = 0; i < data->row_count; i++) {
        double t = data->treatments[i], y = data->outcomes[i], p = work->probabilities[i];
        double q0 = work->models[0][i], q1 = work->models[1][i];

        work->moved[i] = rule.is_att
                             ? (t - (1 - t) * p / (1 - p)) * (y - q0) / share
                             : q1 - q0 + t * (y - q1) / p - (1 - t) * (y - q0) / (1 - p);
        sum += work->moved[i];
    }
    effect->value = sum / (double)data->row_count;
    for (int64_t i = 0; i < data->row_count; i++)
        work->moved[i] -= (rule.is_att ? data->treatments[i] / share : 1) * effect->value;
    return set_error(work, effect, err);
}

enum status effect_estimate(const struct effect_data *data, struct effect_rule rule,
                            struct effect *effect, bool *dropped, struct err *err)
{
    struct work work;
    enum status rc;

    *effect = (struct effect){
        .p_min = NAN, .p_max = NAN, .effective_treated = NAN, .effective_control = NAN};
    set_means(data, effect);
    if (effect->treated_count == 0 || effect->control_count == 0)
        return err_set(err, STATUS_INVALID, "no row is %s",
                       effect->treated_count ? "a control" : "treated");
    if (rule.method != EFFECT_IPW && rule.method != EFFECT_AIPW)
        return regress(data, rule, effect, dropped, err);
    rc = work_open(data, &work, err);
    if (!rc)
        rc = rule.method == EFFECT_IPW ? weigh(&work, rule, effect, dropped, err)
                                       : augment(&work, rule, effect, dropped, err);
    work_close(&work);
    return rc;
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
    return is_binary ? (effect->control_mean + value) / effect->control_mean
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
