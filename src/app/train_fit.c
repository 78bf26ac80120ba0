/* train_fit.c - from rows to a learner that was chosen, and what it is worth on rows held
 * out. */
#include "app/train.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
}

/* How far sums of propensities may be below one, by rounding. */
#define PROPENSITY_SUM_ERROR 1e-6

static uint32_t *all_rows(int64_t count)
{
    uint32_t *rows = malloc((size_t)count * sizeof *rows + 1);

    for (uint32_t row = 0; rows && row < count; row++)
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
    if ((options->round_count || options->depth || options->rate) && !is_trees)
        return err_set(err, STATUS_INVALID, "--%s needs --base xgboost: %s has no trees",
                       options->round_count ? "trees"
                       : options->depth     ? "depth"
                                            : "rate",
                       options->base);
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
        .settings = {.round_count =
                         options->round_count ? (int)options->round_count : 100,
                     .depth = options->depth ? (int)options->depth : 3,
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
    for (int64_t row = 0; row < table->row_count && !table->billionths; row++) {
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
    rc = learner_fit_propensities(&data, &result->settings, result->propensities,
                                  &result->propensity_fit, err);
    result->data.propensities = result->judged.propensities = result->propensities;
    return rc ? err_wrap(err, "propensities") : rc;
}

static enum status settle_propensities(const struct train_options *options,
                                       const struct train_table *table,
                                       struct train_result *result, struct err *err)
{
    if (options->is_randomised) {
        share_propensities(table, result->shares);
        result->data.shares = result->judged.shares = result->shares;
        return STATUS_OK;
    }
    if (are_known(table)) {
        result->data.propensities = result->judged.propensities = table->propensities;
        result->data.billionths = result->judged.billionths = table->billionths;
        return STATUS_OK;
    }
    return estimate_propensities(table, result, err);
}

/* Where too few rows could have been either, auto does without the learners that need
 * them. */
static enum status check_overlap(const struct train_options *options,
                                 const struct train_table *table,
                                 struct train_result *result, struct err *err)
{
    for (int arm = 1; arm < table->arm_count; arm++) {
        int64_t counts[2], own = 0;

        for (int64_t row = 0; row < table->row_count; row++)
            own += table->arms[row] == 0 || table->arms[row] == arm;
        learner_count_overlap(&result->data, arm, counts);
        result->apart_counts[arm] = own - counts[0] - counts[1];
        if (counts[0] >= TRAIN_ARM_ROWS_MIN && counts[1] >= TRAIN_ARM_ROWS_MIN)
            continue;
        for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++) {
            if (!result->wanted[kind] || !learner_needs_overlap((enum learner_kind)kind))
                continue;
            if (strcmp(options->learner, "auto") != 0)
                return err_set(err, STATUS_INVALID,
                               "--learner %s: %lld rows of '%s' and %lld of '%s' could "
                               "have been the other, at least %d of each are needed; the "
                               "rest have propensities of 0 or 1, which s, t and dr take",
                               options->learner, (long long)counts[0],
                               table->arm_names[0], (long long)counts[1],
                               table->arm_names[arm], TRAIN_ARM_ROWS_MIN);
            result->wanted[kind] = false;
        }
    }
    return STATUS_OK;
}

/* How much of the weight of the rows of an arm is that of few of them; room (row). */
static enum status weigh_rows(const struct train_table *table,
                              struct train_result *result, int arm, double *room,
                              struct err *err)
{
    struct offpolicy_log log = {.numerators = room};

    for (int64_t row = 0; row < table->row_count; row++)
        if (table->arms[row] == arm)
            room[log.row_count++] = (table->weights ? table->weights[row] : 1) /
                                    learner_propensity(&result->data, row, arm);
    return offpolicy_weigh(&log, &result->row_weights[arm], err);
}

/* Rows of an arm by the inverse of their propensities stand for all rows; those that
 * could not have been of it for themselves. */
static enum status weigh_arms(const struct train_table *table,
                              struct train_result *result, struct err *err)
{
    double *inverse = malloc((size_t)table->row_count * sizeof *inverse + 1);
    enum status rc = inverse ? STATUS_OK : refuse_memory(err);

    for (int arm = 0; arm < table->arm_count && !rc; arm++) {
        for (int64_t row = 0; row < table->row_count; row++) {
            double p = learner_propensity(&result->data, row, arm);

            inverse[row] = p == 0 ? 1 : table->arms[row] == arm ? 1 / p : 0;
        }
        rc = judge_gains(&result->judged, inverse, NULL, &result->arm_weights[arm], err);
        result->balances[arm] = balance_of_arm(&result->data, arm);
        if (!rc)
            rc = weigh_rows(table, result, arm, inverse, err);
    }
    free(inverse);
    return rc;
}

/* ---- how far it is ---- */

/* What is being trained, and how many models before the present one. */
struct training_progress {
    struct progress progress;
    const char *what;
    int done;
};

static void tell(void *context, double done)
{
    struct training_progress *progress = context;
    char what[80];

    snprintf(what, sizeof what, "%s, model %d", progress->what, progress->done + 1);
    progress_show(&progress->progress, what, done);
    progress->done += done >= 1;
}

/* What one step freed among what lives on would be there beside what the next one
 * takes. */
static void return_small_pieces(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

static void begin_step(struct train_result *result, const char *what)
{
    struct training_progress *progress = result->settings.progress.context;

    progress->what = what;
    progress->done = 0;
    return_small_pieces();
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
                     .names = table->names,
                     .keys = table->keys},
        .arm_count = table->arm_count,
        .arms = table->arms,
        .doses = table->doses,
        .outcomes =
            result->maturity.outcomes ? result->maturity.outcomes : table->outcomes,
        .held_out = result->maturity.held_out,
        .weights = table->weights,
        .keys = table->keys,
        .is_binary = result->is_logistic,
        .weighs_inversely = table->has_propensities && !options->is_randomised,
    };
    result->judged = result->data;
    if (result->maturity.judged)
        result->judged.outcomes = result->maturity.judged;
}

/* Before anything else is there, since this takes the most memory. */
static enum status hold_out(const struct train_table *table, struct train_result *result,
                            struct err *err)
{
    size_t count = (size_t)table->row_count * ((size_t)table->arm_count - 1) + 1;
    enum status rc = STATUS_OK;

    begin_step(result, "rows held out");
    for (int kind = 0; kind < LEARNER_KIND_COUNT && !rc; kind++) {
        if (!result->wanted[kind])
            continue;
        result->effects[kind] = malloc(count * sizeof *result->effects[kind]);
        rc = result->effects[kind] ? STATUS_OK : refuse_memory(err);
    }
    if (!rc)
        rc = learner_hold_out(&result->data, &result->settings, result->wanted,
                              result->effects, err);
    return rc;
}

/* Expected outcomes become scores. */
static enum status score(const struct train_table *table, struct train_result *result,
                         struct row_set all, struct err *err)
{
    enum status rc;

    result->scores = malloc(
        (size_t)table->row_count * (size_t)table->arm_count * sizeof *result->scores + 1);
    result->own = malloc((size_t)table->row_count * sizeof *result->own + 1);
    if (!result->scores || !result->own)
        return refuse_memory(err);
    begin_step(result, "expected outcomes");
    rc = learner_cross_fit(&result->data, &result->settings, all, result->scores, err);
    for (int64_t row = 0; row < table->row_count && !rc; row++)
        result->own[row] = result->scores[row * table->arm_count + table->arms[row]];
    if (!rc)
        judge_score(&result->judged, result->scores);
    for (int arm = 1; arm < table->arm_count && !rc; arm++)
        rc = judge_average(&result->judged, result->scores, arm, &result->averages[arm],
                           err);
    return rc;
}

/* Expected outcomes and scores differ only in what was done: they take turns in one
 * table. */
static void exchange(const struct train_table *table, struct train_result *result)
{
    for (int64_t row = 0; row < table->row_count; row++) {
        double *here = &result->scores[row * table->arm_count + table->arms[row]];
        double other = *here;

        *here = result->own[row];
        result->own[row] = other;
    }
}

static void drop(double **numbers)
{
    free(*numbers);
    *numbers = NULL;
}

static enum status fit_costs(const struct train_options *options,
                             const struct train_table *table, struct train_result *result,
                             struct row_set all, struct err *err)
{
    uint32_t *room = malloc((size_t)table->row_count * sizeof *room + 1);
    enum status rc = room ? STATUS_OK : refuse_memory(err);

    begin_step(result, "costs");
    if (!rc)
        rc = train_fit_costs(table, result, all, room, err);
    if (!rc && !options->is_quick)
        rc = train_expect_costs(table, result, all, room, err);
    free(room);
    return rc;
}

/* What only judging needs makes room for the models that are kept. */
static void drop_judged(struct train_result *result)
{
    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++) {
        free(result->effects[kind]);
        result->effects[kind] = NULL;
    }
    drop(&result->expected.expected);
    free(result->expected.expected_narrow);
    result->expected.expected_narrow = NULL;
}

/* The models that are kept, of all rows. */
static enum status fit_chosen(const struct train_table *table,
                              struct train_result *result, struct err *err)
{
    uint32_t *rows = all_rows(table->row_count);
    const struct row_set all = {table->row_count, rows};
    enum status rc = rows ? STATUS_OK : refuse_memory(err);

    begin_step(result, "effects");
    exchange(table, result);
    drop(&result->own);
    if (!learner_needs_outcomes(result->kind))
        drop(&result->scores);
    if (!rc)
        rc = learner_fit(result->kind, &result->data, &result->settings, all,
                         result->scores, &result->learner, err);
    drop(&result->scores);
    free(rows);
    return rc;
}

static enum status judge_all(const struct train_options *options,
                             const struct train_table *table, struct train_result *result,
                             struct err *err)
{
    enum status rc = train_choose(options, table, result, err);

    result->is_held_out = !rc;
    return rc ? rc : train_judge(options, table, result, err);
}

/* What judging needs besides effects. */
static enum status expect(const struct train_options *options,
                          const struct train_table *table, struct train_result *result,
                          struct err *err)
{
    uint32_t *rows = all_rows(table->row_count);
    const struct row_set all = {table->row_count, rows};
    enum status rc = rows ? score(table, result, all, err) : refuse_memory(err);

    if (!rc && table->costs)
        rc = fit_costs(options, table, result, all, err);
    free(rows);
    return_small_pieces();
    return rc;
}

static enum status fit_all(const struct train_options *options,
                           const struct train_table *table, struct train_result *result,
                           struct err *err)
{
    enum status rc;

    begin_step(result, "propensities");
    rc = settle_propensities(options, table, result, err);
    if (!rc)
        rc = check_overlap(options, table, result, err);
    if (!rc)
        rc = weigh_arms(table, result, err);
    if (!rc && !options->is_quick)
        rc = hold_out(table, result, err);
    if (!rc)
        rc = expect(options, table, result, err);
    if (!rc && !options->is_quick)
        rc = judge_all(options, table, result, err);
    drop_judged(result);
    if (!rc)
        rc = fit_chosen(table, result, err);
    return rc ? rc : train_find_importance(table, result, err);
}

static void open_result(const struct train_options *options,
                        const struct train_table *table, struct train_result *result)
{
    open_data(options, table, result);
    result->giveaway = giveaway_find(&result->data.features, 0, table->row_count,
                                     table->arms, result->data.outcomes);
    snprintf(result->why, sizeof result->why, "asked for");
}

enum status train_fit(const struct train_options *options,
                      const struct train_table *table, struct train_result *result,
                      struct err *err)
{
    struct training_progress progress = {.what = ""};
    enum status rc;

    progress_start(&progress.progress);
    result->settings.progress = (struct predictor_progress){tell, &progress};
    rc = settle_link(options, table, result, err);
    if (!rc)
        rc = train_complete(table, result, err);
    if (!rc) {
        open_result(options, table, result);
        rc = fit_all(options, table, result, err);
    }
    progress_end(&progress.progress);
    result->settings.progress = (struct predictor_progress){0};
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
    free(result->expected.expected);
    free(result->expected.expected_narrow);
    free(result->scores);
    free(result->own);
    free(result->judgements);
    maturity_free(&result->maturity);
    free(result->importance);
    *result = (struct train_result){0};
}
