/* effect_weights.c - probabilities of being treated, as weights and beside
 * regressions. */
#include "learn/effect_weights.h"

#include "base/rng.h"
#include "learn/draws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double overlap_low = 0.1, overlap_high = 0.9;
static const double chance_min = 1e-15;

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for an effect");
}

/* ---- work ---- */

/* What ipw and aipw work with, all (row). */
struct work {
    const struct effect_data *data;
    struct regressor *columns; /* (1 + column): 1, X */
    double *probabilities;     /* of being treated */
    double *models[2];         /* expected outcomes without and with treatment */
    /* what each row adds to what an error is of: in the place of models[0], which is
     * known by then */
    double *moved;
    const uint8_t *folds; /* which each row is in; NULL: models see all rows */
    bool *is_used;        /* what a model sees; NULL: all */
    bool is_determined;   /* no logistic regression: the covariates say who was treated */
};

static enum status work_open(const struct effect_data *data, bool has_parts,
                             struct work *work, struct err *err)
{
    size_t n = (size_t)data->row_count, k = (size_t)data->column_count;

    *work = (struct work){
        .data = data,
        .columns = calloc(k + 1, sizeof *work->columns),
        .probabilities = malloc(n * sizeof(double)),
        .models = {malloc(n * sizeof(double)), malloc(n * sizeof(double))},
        .is_used = has_parts ? malloc(n) : NULL,
    };
    work->moved = work->models[0];
    if (!work->columns || !work->probabilities || !work->models[0] || !work->models[1] ||
        (has_parts && !work->is_used))
        return refuse_memory(err);
    if (k > 0)
        memcpy(work->columns + 1, data->covariates, k * sizeof *work->columns);
    return STATUS_OK;
}

static void work_close(struct work *work)
{
    free(work->columns);
    free(work->probabilities);
    free(work->models[0]);
    free(work->models[1]);
    free(work->is_used);
}

/* ---- models ---- */

enum which { WHICH_ALL, WHICH_CONTROL, WHICH_TREATED };

/* roots (row): of weights, or NULL. */
static struct regression_design design_of(const struct work *work, const double *roots)
{
    return (struct regression_design){
        .row_count = work->data->row_count,
        .column_count = work->data->column_count + 1,
        .columns = work->columns,
        .is_used = work->is_used,
        .roots = roots,
    };
}

static void set_used(const struct work *work, enum which which, int fold)
{
    for (int64_t i = 0; work->is_used && i < work->data->row_count; i++)
        work->is_used[i] = !(work->folds && work->folds[i] == fold) &&
                           (which == WHICH_ALL ||
                            (work->data->treatments[i] != 0) == (which == WHICH_TREATED));
}

/* What a linear form says of the rows of a fold; of all rows without folds. */
static void predict(const struct work *work, const double *coefficients, int fold,
                    double *predictions)
{
    for (int64_t i = 0; i < work->data->row_count; i++) {
        double sum = 0;

        if (work->folds && work->folds[i] != fold)
            continue;
        for (int c = 0; c <= work->data->column_count; c++)
            sum += coefficients[c] * regressor_value(&work->columns[c], i);
        predictions[i] = sum;
    }
}

static bool is_separating(const struct effect_data *data, const struct regressor *column)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};

    for (int64_t i = 0; i < data->row_count; i++) {
        double value = regressor_value(column, i);
        int arm = data->treatments[i] != 0;

        low[arm] = fmin(low[arm], value);
        high[arm] = fmax(high[arm], value);
    }
    return (high[0] <= low[1] && low[0] < high[1]) ||
           (high[1] <= low[0] && low[1] < high[0]);
}

int effect_separating(const struct effect_data *data)
{
    for (int c = 0; c < data->column_count; c++)
        if (is_separating(data, &data->covariates[c]))
            return c;
    return -1;
}

/* Coefficients of the probability of being treated; scores (row): room. dropped: as in
 * effect_estimate, or NULL. */
static enum status fit_chances(struct work *work, double *coefficients, double *scores,
                               bool *dropped, struct err *err)
{
    struct regression_design design = design_of(work, NULL);
    struct basis basis = {};
    enum status rc = basis_open(&design, &basis, err);

    if (rc)
        return rc;
    rc = basis_logit(&basis, work->data->treatments, coefficients, scores, err);
    work->is_determined = rc == STATUS_INVALID;
    if (work->is_determined)
        rc = err_set(err, rc,
                     "the covariates tell the treated from the others perfectly, so "
                     "that no row is like one of the other arm: leave out those that "
                     "say who was treated");
    for (int c = 1; !rc && dropped && c < design.column_count; c++)
        dropped[c - 1] = !basis_keeps(&basis, c);
    basis_close(&basis);
    return rc;
}

/* Coefficients of a linear model of an outcome (row). */
static enum status fit_line(const struct work *work, const double *outcomes,
                            const double *roots, double *coefficients, struct err *err)
{
    struct regression_design design = design_of(work, roots);
    struct basis basis = {};
    enum status rc = basis_open(&design, &basis, err);

    if (!rc)
        basis_solve(&basis, outcomes, coefficients, NULL);
    basis_close(&basis);
    return rc;
}

/* Fit on the rows outside of the fold, predict those in it: the probability of being
 * treated when which is WHICH_ALL (models[0] is room for it), else the outcome. */
static enum status fit(struct work *work, enum which which, int fold, double *predictions,
                       bool *dropped, struct err *err)
{
    double *coefficients =
        calloc((size_t)work->data->column_count + 1, sizeof *coefficients);
    enum status rc = coefficients ? STATUS_OK : refuse_memory(err);

    set_used(work, which, fold);
    if (!rc)
        rc = which == WHICH_ALL
                 ? fit_chances(work, coefficients, work->models[0], dropped, err)
                 : fit_line(work, work->data->outcomes, NULL, coefficients, err);
    if (!rc)
        predict(work, coefficients, fold, predictions);
    for (int64_t i = 0; !rc && which == WHICH_ALL && i < work->data->row_count; i++)
        if (!work->folds || work->folds[i] == fold)
            predictions[i] = 1 / (1 + exp(-predictions[i]));
    free(coefficients);
    return rc;
}

/* Weight of a row in its arm. */
static double weight_of(const struct work *work, int64_t i, bool is_att)
{
    double p = work->probabilities[i];

    if (work->data->treatments[i] != 0)
        return is_att ? 1 : 1 / p;
    return is_att ? p / (1 - p) : 1 / (1 - p);
}

static void set_overlap(const struct work *work, bool is_att, struct effect *effect)
{
    double sums[2] = {}, squares[2] = {};

    effect->p_min = 1;
    effect->p_max = 0;
    for (int64_t i = 0; i < work->data->row_count; i++) {
        double p = work->probabilities[i];
        int arm = work->data->treatments[i] != 0;
        double w = weight_of(work, i, is_att);

        effect->p_min = fmin(effect->p_min, p);
        effect->p_max = fmax(effect->p_max, p);
        effect->outside_count += p < overlap_low || p > overlap_high;
        if (fmin(p, 1 - p) < chance_min)
            effect->certain_row = effect->certain_count++ ? effect->certain_row : i;
        sums[arm] += w;
        squares[arm] += w * w;
    }
    effect->effective_control = sums[0] * sums[0] / squares[0];
    effect->effective_treated = sums[1] * sums[1] / squares[1];
}

/* A weight that is as good as infinite: of a row that cannot have been treated as it
 * was. */
static enum status check_chances(const struct work *work, bool is_att, struct err *err)
{
    for (int64_t i = 0; i < work->data->row_count; i++) {
        double p = work->probabilities[i], t = work->data->treatments[i];

        if ((t != 0 ? p : 1 - p) < chance_min && !(is_att && t != 0))
            return err_set(err, STATUS_INVALID,
                           "row %lld of %lld is %s, with a probability of being treated "
                           "that is %d to 1e-15: nothing like it tells what it would be",
                           (long long)i + 1, (long long)work->data->row_count,
                           t != 0 ? "treated" : "a control", t == 0);
    }
    return STATUS_OK;
}

/* The error of a mean whose rows move it so. */
static enum status find_error(const struct work *work, double *se, double *draw_count,
                              struct err *err)
{
    const struct effect_data *data = work->data;
    double n = (double)data->row_count, mean = 0;
    struct draws draws = {};
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
            draws_add(&draws, by);
    }
    for (int32_t g = 0; g < data->cluster_count; g++)
        draws_add(&draws, sums[g]);
    free(sums);
    if (data->clusters)
        n = data->cluster_count;
    *se = sqrt(draws.squares * n / (n - 1)) / (double)data->row_count;
    *draw_count = draws_effective(draws);
    return STATUS_OK;
}

/* ---- ipw ---- */

/* How the weight of a row moves with its score x'b, over what all weights of its arm sum
 * to. */
static double weight_slope(const struct work *work, int64_t i, bool is_att)
{
    double p = work->probabilities[i];

    if (work->data->treatments[i] != 0)
        return is_att ? 0 : -(1 - p) / p;
    return p / (1 - p);
}

/* Of each arm: what its weights sum to, and the mean outcome by them. */
struct hajek {
    double sums[2], means[2];
    double slopes[2]; /* of what an error is of, by the means */
    bool is_att;
};

static struct hajek weigh_arms(const struct work *work, bool is_att)
{
    const struct effect_data *data = work->data;
    struct hajek arms = {.slopes = {-1, 1}, .is_att = is_att};

    for (int64_t i = 0; i < data->row_count; i++) {
        double w = weight_of(work, i, is_att);

        arms.sums[data->treatments[i] != 0] += w;
        arms.means[data->treatments[i] != 0] += w * data->outcomes[i];
    }
    for (int arm = 0; arm < 2; arm++)
        arms.means[arm] /= arms.sums[arm];
    return arms;
}

/* What a row's weight counts in the estimate, times the rows. */
static double row_off(const struct work *work, const struct hajek *arms, int64_t i)
{
    int arm = work->data->treatments[i] != 0;
    double n = (double)work->data->row_count;

    return arms->slopes[arm] * n / arms->sums[arm] *
           (work->data->outcomes[i] - arms->means[arm]);
}

/* The probabilities were fitted to these very rows, which moves the estimate by D'(b -
 * beta): add s'H^-1 D to what each row adds, s = (t - p) x its score, H the sum of p (1 -
 * p) x x', D the derivative of the estimate (stacked estimating equations: Newey and
 * McFadden 1994, section 6; Lunceford and Davidian 2004). H^-1 D are the coefficients of
 * a regression with weights p (1 - p), of slope / (p (1 - p)). */
static enum status fit_slopes(struct work *work, const struct hajek *arms,
                              double *coefficients, struct err *err)
{
    double *slopes = work->models[0], *roots = work->models[1];

    for (int64_t i = 0; i < work->data->row_count; i++) {
        double p = work->probabilities[i],
               slope = weight_slope(work, i, arms->is_att) * row_off(work, arms, i);

        roots[i] = sqrt(p * (1 - p));
        slopes[i] = roots[i] > 0 ? slope / roots[i] : 0;
    }
    return fit_line(work, slopes, roots, coefficients, err);
}

static enum status set_moved(struct work *work, const struct hajek *arms, struct err *err)
{
    double *coefficients =
        calloc((size_t)work->data->column_count + 1, sizeof *coefficients);
    enum status rc = coefficients ? STATUS_OK : refuse_memory(err);

    if (!rc)
        rc = fit_slopes(work, arms, coefficients, err);
    if (!rc)
        predict(work, coefficients, 0, work->models[1]);
    for (int64_t i = 0; i < work->data->row_count && !rc; i++) {
        double p = work->probabilities[i];

        work->moved[i] = weight_of(work, i, arms->is_att) * row_off(work, arms, i);
        if (p * (1 - p) > 0)
            work->moved[i] += (work->data->treatments[i] - p) * work->models[1][i];
    }
    free(coefficients);
    return rc;
}

static enum status weigh(struct work *work, struct effect_rule rule,
                         struct effect *effect, bool *dropped, struct err *err)
{
    enum status rc = fit(work, WHICH_ALL, 0, work->probabilities, dropped, err);
    struct effect_slopes slopes;
    struct hajek arms;
    double draws;

    if (!rc)
        rc = check_chances(work, rule.is_att, err);
    if (rc)
        return rc;
    set_overlap(work, rule.is_att, effect);
    arms = weigh_arms(work, rule.is_att);
    effect->value = arms.means[1] - arms.means[0];
    effect->untreated_mean = arms.means[0];
    rc = set_moved(work, &arms, err);
    if (!rc)
        rc = find_error(work, &effect->se, &effect->draws, err);
    if (rc || !effect_log_ratio(effect, rule, &slopes))
        return rc;
    arms.slopes[1] = slopes.value;
    arms.slopes[0] = slopes.untreated - slopes.value;
    rc = set_moved(work, &arms, err);
    return rc ? rc : find_error(work, &effect->log_ratio_se, &draws, err);
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

/* Whether each arm has rows outside of each fold, by which those in it are predicted. */
static enum status check_folds(const struct work *work, int fold_count, struct err *err)
{
    int64_t totals[2] = {0}, counts[UINT8_MAX + 1][2] = {0};

    for (int64_t i = 0; i < work->data->row_count; i++) {
        int arm = work->data->treatments[i] != 0;

        totals[arm]++;
        counts[work->folds[i]][arm]++;
    }
    for (int fold = 0; fold < fold_count; fold++)
        for (int arm = 0; arm < 2; arm++)
            if (counts[fold][arm] == totals[arm])
                return err_set(err, STATUS_INVALID,
                               "all %s rows are in one fold, so that nothing predicts "
                               "them: take fewer folds",
                               arm ? "treated" : "control");
    return STATUS_OK;
}

static enum status fit_all(struct work *work, struct effect_rule rule, bool *dropped,
                           struct err *err)
{
    int fold_count = rule.fold_count > 1 ? rule.fold_count : 1;
    uint8_t *folds = NULL;
    enum status rc = STATUS_OK;

    if (fold_count > 1)
        rc = draw_folds(work->data, rule, &folds, err);
    work->folds = folds;
    if (!rc && folds)
        rc = check_folds(work, fold_count, err);
    for (int fold = 0; fold < fold_count && !rc; fold++)
        rc = fit(work, WHICH_ALL, fold, work->probabilities, dropped, err);
    for (int fold = 0; fold < fold_count && !rc; fold++)
        for (int arm = 0; arm < 2 && !rc; arm++)
            rc = fit(work, arm ? WHICH_TREATED : WHICH_CONTROL, fold, work->models[arm],
                     NULL, err);
    work->folds = NULL;
    free(folds);
    return rc;
}

/* What each row adds to the effect and to the mean without treatment: in the places of
 * the models. */
static void set_parts(struct work *work, bool is_att, double share)
{
    const struct effect_data *data = work->data;

    for (int64_t i = 0; i < data->row_count; i++) {
        double q0 = work->models[0][i], q1 = work->models[1][i], gain;
        bool is_treated = data->treatments[i] != 0;
        double rest = weight_of(work, i, is_att) *
                      (data->outcomes[i] - (is_treated && !is_att ? q1 : q0));

        gain = is_treated ? rest : -rest;
        work->models[0][i] = is_att ? gain / share : q1 - q0 + gain;
        work->models[1][i] = !is_att      ? q0 + (is_treated ? 0 : rest)
                             : is_treated ? (data->outcomes[i] - gain) / share
                                          : -gain / share;
    }
}

static double mean_of_rows(const double *values, int64_t row_count)
{
    double sum = 0;

    for (int64_t i = 0; i < row_count; i++)
        sum += values[i];
    return sum / (double)row_count;
}

/* How far each row adds other than the mean; of the treated, to each of these. */
static void center(const struct work *work, double *parts, double mean, bool is_att,
                   double share)
{
    for (int64_t i = 0; i < work->data->row_count; i++)
        parts[i] -= (is_att ? work->data->treatments[i] / share : 1) * mean;
}

static enum status augment(struct work *work, struct effect_rule rule,
                           struct effect *effect, bool *dropped, struct err *err)
{
    int64_t n = work->data->row_count;
    double share = (double)effect->treated_count / (double)n;
    struct effect_slopes slopes;
    double draws;
    enum status rc = fit_all(work, rule, dropped, err);

    if (!rc)
        rc = check_chances(work, rule.is_att, err);
    if (rc)
        return rc;
    set_overlap(work, rule.is_att, effect);
    set_parts(work, rule.is_att, share);
    effect->value = mean_of_rows(work->models[0], n);
    effect->untreated_mean = mean_of_rows(work->models[1], n);
    center(work, work->models[0], effect->value, rule.is_att, share);
    center(work, work->models[1], effect->untreated_mean, rule.is_att, share);
    rc = find_error(work, &effect->se, &effect->draws, err);
    if (rc || !effect_log_ratio(effect, rule, &slopes))
        return rc;
    for (int64_t i = 0; i < n; i++)
        work->moved[i] =
            slopes.value * work->moved[i] + slopes.untreated * work->models[1][i];
    return find_error(work, &effect->log_ratio_se, &draws, err);
}

enum status effect_by_weights(const struct effect_data *data, struct effect_rule rule,
                              struct effect *effect, bool *dropped, struct err *err)
{
    struct work work;
    enum status rc = work_open(data, rule.method == EFFECT_AIPW, &work, err);

    if (!rc)
        rc = rule.method == EFFECT_IPW ? weigh(&work, rule, effect, dropped, err)
                                       : augment(&work, rule, effect, dropped, err);
    effect->is_determined = work.is_determined;
    work_close(&work);
    return rc;
}
