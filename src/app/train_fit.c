/* train_fit.c - from rows to a learner that was chosen, and what it is worth on rows held out. */
#include "app/train.h"

#include "learn/booster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
}

/* How far sums of propensities may be below one, by rounding. */
#define PROPENSITY_SUM_ERROR 1e-6

static int64_t *all_rows(int64_t count)
{
    int64_t *rows = malloc((size_t)count * sizeof *rows + 1);

    for (int64_t row = 0; rows && row < count; row++)
        rows[row] = row;
    return rows;
}

/* ---- what was asked for ---- */

static enum status read_base(const struct train_options *options,
                             struct train_result *result, struct err *err)
{
    bool is_trees = strcmp(options->base, "xgboost") == 0;

    result->settings.base = is_trees ? PREDICTOR_TREES : PREDICTOR_LINEAR;
    if (!is_trees && strcmp(options->base, "logistic") != 0 &&
        strcmp(options->base, "ridge") != 0)
        return err_set(err, STATUS_INVALID,
                       "--base: '%.40s' is none of xgboost, ridge, logistic",
                       options->base);
    if (options->is_rising && !is_trees)
        return err_set(err, STATUS_INVALID, "--monotone needs --base xgboost");
    return STATUS_OK;
}

static enum status read_learner(const struct train_options *options,
                                struct train_result *result, struct err *err)
{
    enum learner_kind kind;
    enum status rc;

    if (strcmp(options->learner, "auto") == 0) {
        for (int i = 0; i < LEARNER_KIND_COUNT; i++)
            result->wanted[i] = i != LEARNER_T || !options->is_rising;
        return STATUS_OK;
    }
    rc = learner_kind_read(options->learner, &kind, err);
    if (rc)
        return err_set(err, rc, "--learner: '%.40s' is none of auto, s, t, x, r, dr",
                       options->learner);
    if (kind == LEARNER_T && options->is_rising)
        return err_set(err, STATUS_INVALID,
                       "--monotone: a t-learner has a model for each arm; s, x, r and dr "
                       "can");
    result->wanted[kind] = true;
    result->kind = kind;
    return STATUS_OK;
}

static enum status read_number(const char *option, const char *text, double *number,
                               struct err *err)
{
    char *end;

    if (!text)
        return STATUS_OK;
    *number = strtod(text, &end);
    if (end == text || *end || !isfinite(*number) || *number <= 0)
        return err_set(err, STATUS_INVALID, "%s: '%.40s' is no number above 0", option,
                       text);
    return STATUS_OK;
}

enum status train_settle(const struct train_options *options, struct train_result *result,
                         struct err *err)
{
    enum status rc;

    *result = (struct train_result){
        .scale = 1,
        .settings = {.round_count = (int)options->round_count,
                     .depth = (int)options->depth,
                     .rate = 0.03,
                     .leaf_share = 1.0 / 40,
                     .is_rising = options->is_rising,
                     .seed = (uint64_t)options->seed},
    };
    rc = read_base(options, result, err);
    if (!rc)
        rc = read_learner(options, result, err);
    if (!rc)
        rc = read_number("--rate", options->rate, &result->settings.rate, err);
    if (!rc)
        rc = read_number("--scale", options->scale, &result->scale, err);
    if (!rc && options->is_quick && strcmp(options->learner, "auto") == 0)
        rc = err_set(err, STATUS_INVALID,
                     "--quick: --learner auto needs rows held out to choose by");
    return rc;
}

static enum status settle_link(const struct train_options *options,
                               const struct train_table *table,
                               struct train_result *result, struct err *err)
{
    if (strcmp(options->base, "logistic") == 0 && !table->is_binary)
        return err_set(err, STATUS_INVALID,
                       "--base logistic: '%s' has other values than 0 and 1; ridge "
                       "takes them",
                       options->outcome);
    result->is_logistic = table->is_binary && strcmp(options->base, "ridge") != 0;
    return STATUS_OK;
}

/* ---- outcomes that are still to come ---- */

/* Features, what was done, its cost and the surrogates of every row, with the arm as a category. */
struct history {
    float *values;
    bool *is_nominal;
    int width;
    int64_t *mature, *immature;
    int64_t mature_count, immature_count;
};

static void put_history(const struct train_table *table, struct history *history)
{
    int features = table->feature_count;

    for (int64_t row = 0; row < table->row_count; row++) {
        float *out = history->values + row * history->width;

        memcpy(out, table->values + row * features, (size_t)features * sizeof *out);
        out += features;
        *out++ = (float)table->doses[table->arms[row]];
        *out++ = (float)table->arms[row];
        *out++ = table->costs ? (float)table->costs[row] : 0;
        memcpy(out, table->surrogates + row * table->surrogate_count,
               (size_t)table->surrogate_count * sizeof *out);
        if (isnan(table->outcomes[row]))
            history->immature[history->immature_count++] = row;
        else
            history->mature[history->mature_count++] = row;
    }
    memcpy(history->is_nominal, table->is_nominal,
           (size_t)features * sizeof *history->is_nominal);
    history->is_nominal[features + 1] = true;
}

static enum status complete(struct train_table *table, const struct train_result *result,
                            const struct history *history, struct err *err)
{
    const struct feature_rows features = {.feature_count = history->width,
                                          .values = history->values,
                                          .is_nominal = history->is_nominal};
    const struct predictor_settings settings = {
        .base = result->settings.base,
        .is_logistic = result->is_logistic,
        .round_count = 150,
        .depth = 4,
        .rate = 0.08,
        .leaf_share = 1e-3,
        .row_share = 0.7,
        .column_share = 0.7,
        .ridge = 10,
        .seed = result->settings.seed * 1000 + 900,
    };
    struct predictor *predictor = NULL;
    enum status rc = predictor_fit(
        &settings, &features, (struct row_set){history->mature_count, history->mature},
        table->outcomes, table->weights, &predictor, err);

    if (!rc)
        rc = predictor_predict(
            predictor, &features,
            (struct row_set){history->immature_count, history->immature}, true,
            table->outcomes, err);
    predictor_close(predictor);
    return rc ? err_wrap(err, "surrogates") : rc;
}

static enum status complete_outcomes(struct train_table *table,
                                     const struct train_result *result, struct err *err)
{
    struct history history = {.width = table->feature_count + 3 + table->surrogate_count};
    size_t n = (size_t)table->row_count + 1, width = (size_t)history.width;
    enum status rc = STATUS_OK;

    if (table->immature_count == 0)
        return STATUS_OK;
    history.values = malloc(n * width * sizeof *history.values);
    history.is_nominal = calloc(width, sizeof *history.is_nominal);
    history.mature = malloc(n * sizeof *history.mature);
    history.immature = malloc(n * sizeof *history.immature);
    if (history.values && history.is_nominal && history.mature && history.immature) {
        put_history(table, &history);
        rc = complete(table, result, &history, err);
    } else {
        rc = refuse_memory(err);
    }
    free(history.values);
    free(history.is_nominal);
    free(history.mature);
    free(history.immature);
    return rc;
}

/* ---- propensities ---- */

/* By the shares of the arms, as if each row had been drawn alike. */
static void share_propensities(const struct train_table *table,
                               double shares[LEARNER_ARM_COUNT_MAX])
{
    double sum = 0;

    for (int64_t row = 0; row < table->row_count; row++) {
        double weight = table->weights ? table->weights[row] : 1;

        shares[table->arms[row]] += weight;
        sum += weight;
    }
    for (int arm = 0; arm < table->arm_count; arm++)
        shares[arm] /= sum;
}

/* Whether those that are known leave nothing to be estimated. */
static bool are_known(const struct train_table *table)
{
    for (int64_t row = 0; row < table->row_count; row++) {
        double sum = 0;

        for (int arm = 0; arm < table->arm_count; arm++)
            sum += table->propensities[row * table->arm_count + arm];
        if (sum < 1 - PROPENSITY_SUM_ERROR)
            return false;
    }
    return table->has_propensities;
}

static enum status estimate_propensities(const struct train_table *table,
                                         struct train_result *result, struct err *err)
{
    struct learner_data data = result->data;
    enum status rc;

    result->propensities = calloc((size_t)table->row_count * (size_t)table->arm_count + 1,
                                  sizeof *result->propensities);
    if (!result->propensities)
        return refuse_memory(err);
    data.propensities = table->has_propensities ? table->propensities : NULL;
    rc = learner_fit_propensities(&data, result->settings.seed, result->propensities,
                                  &result->clipped_count, err);
    result->data.propensities = result->propensities;
    return rc ? err_wrap(err, "propensities") : rc;
}

static enum status settle_propensities(const struct train_options *options,
                                       const struct train_table *table,
                                       struct train_result *result, struct err *err)
{
    if (options->is_randomised) {
        share_propensities(table, result->shares);
        result->data.shares = result->shares;
        return STATUS_OK;
    }
    if (are_known(table)) {
        result->data.propensities = table->propensities;
        return STATUS_OK;
    }
    return estimate_propensities(table, result, err);
}

/* Rows of an arm by the inverse of their propensities stand for all rows. */
static enum status weigh_arms(const struct train_table *table,
                              struct train_result *result, struct err *err)
{
    double *inverse = malloc((size_t)table->row_count * sizeof *inverse + 1);
    enum status rc = inverse ? STATUS_OK : refuse_memory(err);

    for (int arm = 0; arm < table->arm_count && !rc; arm++) {
        for (int64_t row = 0; row < table->row_count; row++)
            inverse[row] = table->arms[row] == arm
                               ? 1 / learner_propensity(&result->data, row, arm)
                               : 0;
        rc = judge_gains(&result->data, inverse, NULL, &result->arm_weights[arm], err);
    }
    free(inverse);
    return rc;
}

/* ---- costs ---- */

struct cost_choice {
    const struct train_table *table;
    int arm;
};

static bool has_cost(const void *context, int64_t row)
{
    const struct cost_choice *choice = context;

    return choice->table->arms[row] == choice->arm && !isnan(choice->table->costs[row]);
}

static enum status fit_arm_costs(const struct train_table *table,
                                 struct train_result *result, struct row_set all,
                                 int64_t *room, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int arm = 1; arm < table->arm_count && !rc; arm++) {
        const struct cost_choice choice = {table, arm};
        const struct predictor_settings settings = {
            .base = result->settings.base,
            .round_count = 60,
            .depth = 3,
            .rate = 0.08,
            .leaf_share = 1.0 / 40,
            .row_share = 0.7,
            .column_share = 0.7,
            .ridge = 10,
            .seed = result->settings.seed * 1000 + 600 + (uint64_t)arm,
        };
        struct row_set set = row_set_pick(all, room, has_cost, &choice);
        double sum = 0;

        if (set.count == 0)
            return err_set(err, STATUS_INVALID, "--cost: is missing in every row of '%s'",
                           table->arm_names[arm]);
        for (int64_t i = 0; i < set.count; i++)
            sum += table->costs[set.rows[i]];
        result->arm_costs[arm - 1] = sum / (double)set.count;
        rc = predictor_fit(&settings, &result->data.features, set, table->costs,
                           table->weights, &result->costs[arm], err);
        if (rc)
            rc = err_wrap(err, "costs of '%s'", table->arm_names[arm]);
    }
    return rc;
}

static enum status fit_costs(const struct train_table *table, struct train_result *result,
                             struct row_set all, struct err *err)
{
    int64_t *room;
    enum status rc;

    if (!table->costs)
        return STATUS_OK;
    room = malloc((size_t)table->row_count * sizeof *room + 1);
    rc = room ? fit_arm_costs(table, result, all, room, err) : refuse_memory(err);
    free(room);
    return rc;
}

/* ---- rows held out ---- */

static void choose(struct train_result *result, const struct train_options *options,
                   const struct judge_mean *lead, int second)
{
    const char *name = learner_kind_name(result->kind);
    const struct judge_mean *best = &result->policies[result->kind];

    if (strcmp(options->learner, "auto") != 0)
        snprintf(result->why, sizeof result->why, "asked for");
    else if (second < 0)
        snprintf(result->why, sizeof result->why, "no other could be compared");
    else
        snprintf(
            result->why, sizeof result->why,
            "%s has the largest policy value on rows held out, %.6g per row (se %.3g); "
            "%s is second, %.3g behind (se %.3g), which %s",
            name, best->value, best->se, learner_kind_name((enum learner_kind)second),
            lead->value, lead->se,
            lead->value > 1.959964 * lead->se ? "is more than chance"
                                              : "may be chance: they are not told apart");
}

static enum status judge(const struct train_options *options,
                         const struct train_table *table, struct train_result *result,
                         struct err *err)
{
    size_t n = (size_t)table->row_count + 1;
    const double *costs = table->costs ? result->arm_costs : NULL;
    double *gains[LEARNER_KIND_COUNT] = {0};
    struct judge_mean lead = {0};
    int best = -1, second = -1;
    enum status rc = STATUS_OK;

    for (int kind = 0; kind < LEARNER_KIND_COUNT && !rc; kind++) {
        if (!result->wanted[kind])
            continue;
        gains[kind] = malloc(n * sizeof(double));
        rc = gains[kind] ? judge_policy(&result->data, result->outcomes,
                                        result->effects[kind], costs, result->scale,
                                        gains[kind], &result->policies[kind], err)
                         : refuse_memory(err);
        if (best < 0 || result->policies[kind].value > result->policies[best].value) {
            second = best;
            best = kind;
        } else if (second < 0 ||
                   result->policies[kind].value > result->policies[second].value) {
            second = kind;
        }
    }
    if (!rc && second >= 0)
        rc = judge_gains(&result->data, gains[best], gains[second], &lead, err);
    if (!rc) {
        result->kind = (enum learner_kind)best;
        choose(result, options, &lead, second);
    }
    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++)
        free(gains[kind]);
    return rc;
}

static enum status hold_out(const struct train_options *options,
                            const struct train_table *table, struct train_result *result,
                            struct err *err)
{
    size_t count = (size_t)table->row_count * (size_t)table->arm_count + 1;
    struct analysis_progress progress = {.what = "training on rows held out"};
    enum status rc = STATUS_OK;

    for (int kind = 0; kind < LEARNER_KIND_COUNT && !rc; kind++) {
        if (!result->wanted[kind])
            continue;
        result->effects[kind] = malloc(count * sizeof(double));
        rc = result->effects[kind] ? STATUS_OK : refuse_memory(err);
    }
    progress_start(&progress.progress);
    if (!rc)
        rc = learner_hold_out(&result->data, &result->settings, result->wanted,
                              result->effects,
                              (struct learner_progress){analysis_tell, &progress}, err);
    progress_end(&progress.progress);
    if (!rc)
        rc = judge(options, table, result, err);
    result->is_held_out = !rc;
    return rc;
}

/* ---- all of it ---- */

static void open_data(const struct train_options *options,
                      const struct train_table *table, struct train_result *result)
{
    result->data = (struct learner_data){
        .row_count = table->row_count,
        .features = {.feature_count = table->feature_count,
                     .values = table->values,
                     .is_nominal = table->is_nominal,
                     .names = table->names},
        .arm_count = table->arm_count,
        .arms = table->arms,
        .doses = table->doses,
        .outcomes = table->outcomes,
        .weights = table->weights,
        .keys = table->keys,
        .is_binary = result->is_logistic,
        .weighs_inversely = table->has_propensities && !options->is_randomised,
    };
}

static enum status fit_all(const struct train_options *options, struct train_table *table,
                           struct train_result *result, struct row_set all,
                           struct err *err)
{
    enum status rc = settle_propensities(options, table, result, err);

    if (!rc)
        rc = weigh_arms(table, result, err);
    if (!rc)
        rc = learner_cross_fit(&result->data, &result->settings, all, result->outcomes,
                               err);
    if (!rc)
        rc = fit_costs(table, result, all, err);
    for (int arm = 1; arm < table->arm_count && !rc; arm++)
        rc = judge_average(&result->data, result->outcomes, arm, &result->averages[arm],
                           err);
    if (!rc && !options->is_quick)
        rc = hold_out(options, table, result, err);
    if (!rc)
        rc = learner_fit(result->kind, &result->data, &result->settings, all,
                         result->outcomes, &result->learner, err);
    return rc;
}

enum status train_fit(const struct train_options *options, struct train_table *table,
                      struct train_result *result, struct err *err)
{
    int64_t *rows = all_rows(table->row_count);
    enum status rc;

    rc = rows ? settle_link(options, table, result, err) : refuse_memory(err);
    if (!rc)
        rc = complete_outcomes(table, result, err);
    if (!rc) {
        open_data(options, table, result);
        snprintf(result->why, sizeof result->why, "asked for");
        result->outcomes = malloc(
            (size_t)table->row_count * (size_t)table->arm_count * sizeof(double) + 1);
        rc = result->outcomes ? fit_all(options, table, result,
                                        (struct row_set){table->row_count, rows}, err)
                              : refuse_memory(err);
    }
    free(rows);
    return rc;
}

void train_result_free(struct train_result *result)
{
    learner_close(result->learner);
    for (int arm = 0; arm < LEARNER_ARM_COUNT_MAX; arm++)
        predictor_close(result->costs[arm]);
    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++)
        free(result->effects[kind]);
    free(result->propensities);
    free(result->outcomes);
    free(result->judgements);
    free(result->importance);
    *result = (struct train_result){0};
}
