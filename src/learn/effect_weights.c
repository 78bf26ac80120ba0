/* effect_weights.c - probabilities of being treated, as weights and beside regressions. */
#include "learn/effect_weights.h"

#include "base/rng.h"

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
    if (!rc && subset.count == 0)
        rc = err_set(err, STATUS_INVALID,
                     "all %s rows are in one fold, so that nothing predicts them: take "
                     "fewer folds",
                     which == WHICH_CONTROL ? "control" : "treated");
    if (!rc)
        rc = basis_open(subset.design, subset.count, k, &basis, err);
    if (!rc && which == WHICH_ALL) {
        rc = basis_logit(&basis, subset.treatments, NULL, coefficients, subset.outcomes,
                         err);
        if (rc == STATUS_INVALID)
            rc = err_set(err, rc,
                         "the covariates tell the treated from the others perfectly, so "
                         "that no row is like one of the other arm: leave out those that "
                         "say who was treated");
    } else if (!rc) {
        basis_solve(&basis, subset.outcomes, coefficients, subset.outcomes);
    }
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

/* A weight that is as good as infinite: of a row that cannot have been treated as it was. */
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

/* The probabilities were fitted to these very rows, which moves the estimate by D'(b - beta): add s'H^-1 D
 * to what each row adds, s = (t - p) x its score, H the sum of p (1 - p) x x', D the derivative of the
 * estimate (stacked estimating equations: Newey and McFadden 1994, section 6; Lunceford and Davidian
 * 2004). H^-1 D are the coefficients of a regression with weights p (1 - p), of slope / (p (1 - p)).
 *
 * slopes (row): D is the sum of slope x. */
static enum status add_scores(struct work *work, double *slopes, struct err *err)
{
    int64_t n = work->data->row_count;
    int k = work->data->column_count + 1;
    double *rest = malloc((size_t)(n + k) * sizeof *rest);
    struct basis basis = {};
    enum status rc = rest ? STATUS_OK : refuse_memory(err);

    for (int64_t i = 0; i < n && !rc; i++) {
        double p = work->probabilities[i], root = sqrt(p * (1 - p));

        for (int c = 0; c < k; c++)
            work->design[n * c + i] *= root;
        slopes[i] = root > 0 ? slopes[i] / root : 0;
    }
    if (!rc)
        rc = basis_open(work->design, n, k, &basis, err);
    if (!rc)
        basis_solve(&basis, slopes, rest + n, rest);
    for (int64_t i = 0; i < n && !rc; i++) {
        double p = work->probabilities[i], root = sqrt(p * (1 - p));

        if (root > 0)
            work->moved[i] +=
                (work->data->treatments[i] - p) * (slopes[i] - rest[i]) / root;
    }
    basis_close(&basis);
    free(rest);
    return rc;
}

/* How the weight of a row moves with its score x'b, over what all weights of its arm sum to. */
static double weight_slope(const struct work *work, int64_t i, bool is_att)
{
    double p = work->probabilities[i];

    if (work->data->treatments[i] != 0)
        return is_att ? 0 : -(1 - p) / p;
    return p / (1 - p);
}

static enum status weigh(struct work *work, struct effect_rule rule,
                         struct effect *effect, bool *dropped, struct err *err)
{
    const struct effect_data *data = work->data;
    double sums[2] = {}, means[2] = {}, n = (double)data->row_count;
    double *slopes = work->models[0]; /* nothing else is in it */
    enum status rc = fit(work, WHICH_ALL, NULL, 0, work->probabilities, dropped, err);

    if (!rc)
        rc = check_chances(work, rule.is_att, err);
    if (rc)
        return rc;
    set_overlap(work, rule.is_att, effect);
    for (int64_t i = 0; i < data->row_count; i++) {
        double w = weight_of(work, i, rule.is_att);

        sums[data->treatments[i] != 0] += w;
        means[data->treatments[i] != 0] += w * data->outcomes[i];
    }
    means[0] /= sums[0];
    means[1] /= sums[1];
    for (int64_t i = 0; i < data->row_count; i++) {
        int arm = data->treatments[i] != 0;
        double off = (arm ? n : -n) / sums[arm] * (data->outcomes[i] - means[arm]);

        work->moved[i] = weight_of(work, i, rule.is_att) * off;
        slopes[i] = weight_slope(work, i, rule.is_att) * off;
    }
    effect->value = means[1] - means[0];
    effect->untreated_mean = means[0];
    rc = add_scores(work, slopes, err);
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
        for (int arm = 0; arm < 2 && !rc; arm++)
            rc = fit(work, arm ? WHICH_TREATED : WHICH_CONTROL, folds, fold,
                     work->models[arm], NULL, err);
        if (!rc)
            rc = fit(work, WHICH_ALL, folds, fold, work->probabilities, dropped, err);
    }
    free(folds);
    return rc;
}

static enum status augment(struct work *work, struct effect_rule rule,
                           struct effect *effect, bool *dropped, struct err *err)
{
    const struct effect_data *data = work->data;
    double share = (double)effect->treated_count / (double)data->row_count;
    double n = (double)data->row_count, sum = 0, untreated = 0;
    enum status rc = fit_all(work, rule, dropped, err);

    if (!rc)
        rc = check_chances(work, rule.is_att, err);
    if (rc)
        return rc;
    set_overlap(work, rule.is_att, effect);
    for (int64_t i = 0; i < data->row_count; i++) {
        double q0 = work->models[0][i], q1 = work->models[1][i];
        bool is_treated = data->treatments[i] != 0;
        double rest = weight_of(work, i, rule.is_att) *
                      (data->outcomes[i] - (is_treated && !rule.is_att ? q1 : q0));

        work->moved[i] = rule.is_att ? (is_treated ? rest : -rest) / share
                                     : q1 - q0 + (is_treated ? rest : -rest);
        untreated += (q0 + (is_treated ? 0 : rest)) / n;
        sum += work->moved[i];
    }
    effect->value = sum / n;
    effect->untreated_mean =
        rule.is_att ? effect->treated_mean - effect->value : untreated;
    for (int64_t i = 0; i < data->row_count; i++)
        work->moved[i] -= (rule.is_att ? data->treatments[i] / share : 1) * effect->value;
    return set_error(work, effect, err);
}

enum status effect_by_weights(const struct effect_data *data, struct effect_rule rule,
                              struct effect *effect, bool *dropped, struct err *err)
{
    struct work work;
    enum status rc = work_open(data, &work, err);

    if (!rc)
        rc = rule.method == EFFECT_IPW ? weigh(&work, rule, effect, dropped, err)
                                       : augment(&work, rule, effect, dropped, err);
    work_close(&work);
    return rc;
}
