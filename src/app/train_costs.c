/* train_costs.c - what each arm costs, by features. */
#include "app/train.h"

#include <stdlib.h>

enum { SALT_COST = 4, SEED_COST = 600 };

/* Rows whose cost speaks of an arm; of one fold, or of all others, unless fold is -1. */
struct cost_choice {
    const struct train_table *table;
    uint64_t seed;
    int arm, fold;
};

static int fold_of(const struct cost_choice *choice, int64_t row)
{
    const uint64_t *keys = choice->table->keys;

    return learner_fold(keys ? keys[row] : (uint64_t)row, choice->seed, SALT_COST,
                        LEARNER_FOLD_COUNT);
}

static bool has_cost(const void *context, int64_t row)
{
    const struct cost_choice *choice = context;

    return choice->table->arms[row] == choice->arm && !isnan(choice->table->costs[row]) &&
           (choice->fold < 0 || fold_of(choice, row) != choice->fold);
}

static bool is_in_fold(const void *context, int64_t row)
{
    const struct cost_choice *choice = context;

    return fold_of(choice, row) == choice->fold;
}

static enum status fit(const struct cost_choice *choice,
                       const struct train_result *result, struct row_set set,
                       struct predictor **predictor, struct err *err)
{
    const struct predictor_settings settings = {
        .base = result->settings.base,
        .round_count = 60,
        .depth = 3,
        .rate = 0.08,
        .leaf_share = 1.0 / 40,
        .row_share = 0.7,
        .column_share = 0.7,
        .ridge = 10,
        .progress = result->settings.progress,
        .seed = result->settings.seed * 1000 + SEED_COST + (uint64_t)choice->arm,
    };
    enum status rc =
        predictor_fit(&settings, &result->data.features, set, choice->table->costs,
                      choice->table->weights, predictor, err);

    return rc ? err_wrap(err, "costs of '%s'", choice->table->arm_names[choice->arm])
              : rc;
}

static double mean_cost(const struct train_table *table, struct row_set set)
{
    double sum = 0, weight_sum = 0;

    for (int64_t i = 0; i < set.count; i++) {
        double weight = table->weights ? table->weights[set.rows[i]] : 1;

        sum += weight * table->costs[set.rows[i]];
        weight_sum += weight;
    }
    return sum / weight_sum;
}

enum status train_fit_costs(const struct train_table *table, struct train_result *result,
                            struct row_set all, uint32_t *room, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int arm = 1; arm < table->arm_count && !rc && table->costs; arm++) {
        const struct cost_choice choice = {table, result->settings.seed, arm, -1};
        struct row_set set = row_set_pick(all, room, has_cost, &choice);

        if (set.count < TRAIN_ARM_ROWS_MIN)
            return err_set(err, STATUS_INVALID,
                           "--cost: known in %lld rows of '%s', %d are needed: a credit "
                           "that is still held has none yet; wait, or leave --cost out",
                           (long long)set.count, table->arm_names[arm],
                           TRAIN_ARM_ROWS_MIN);
        result->arm_costs[arm - 1] = mean_cost(table, set);
        rc = fit(&choice, result, set, &result->costs[arm], err);
    }
    return rc;
}

/* Of the rows of a fold, by the others; the mean of the arm where these say nothing. */
static enum status expect_fold(const struct cost_choice *choice,
                               struct train_result *result, struct row_set all,
                               uint32_t *room, double *numbers, struct err *err)
{
    int width = choice->table->arm_count - 1;
    struct row_set set = row_set_pick(all, room, has_cost, choice);
    struct judge_costs *expected = &result->expected;
    struct predictor *predictor = NULL;
    enum status rc =
        set.count == 0 ? STATUS_OK : fit(choice, result, set, &predictor, err);

    set = row_set_pick(all, room, is_in_fold, choice);
    if (!rc && predictor)
        rc = predictor_predict(predictor, &result->data.features, set, false, numbers,
                               err);
    for (int64_t i = 0; i < set.count && !rc; i++) {
        int64_t at = row_set_at(set, i) * width + choice->arm - 1;
        double cost = predictor ? numbers[i] : result->arm_costs[choice->arm - 1];

        if (expected->expected)
            expected->expected[at] = cost;
        else
            expected->expected_narrow[at] = (float)cost;
    }
    predictor_close(predictor);
    return rc;
}

/* The most rows of a fold. */
static int64_t most_rows(const struct train_table *table,
                         const struct train_result *result)
{
    const struct cost_choice choice = {table, result->settings.seed, 0, 0};
    int64_t counts[LEARNER_FOLD_COUNT] = {0}, most = 0;

    for (int64_t row = 0; row < table->row_count; row++)
        counts[fold_of(&choice, row)]++;
    for (int fold = 0; fold < LEARNER_FOLD_COUNT; fold++)
        most = counts[fold] > most ? counts[fold] : most;
    return most;
}

/* Of trees, whose predictions have no more, in four bytes; to which the mean of an arm is
 * rounded where the other folds have no model. */
static bool open_expected(const struct train_table *table, struct train_result *result)
{
    size_t count = (size_t)table->row_count * ((size_t)table->arm_count - 1) + 1;
    struct judge_costs *expected = &result->expected;

    expected->paid = table->costs;
    if (result->settings.base == PREDICTOR_TREES)
        expected->expected_narrow = malloc(count * sizeof *expected->expected_narrow);
    else
        expected->expected = malloc(count * sizeof *expected->expected);
    return expected->expected || expected->expected_narrow;
}

enum status train_expect_costs(const struct train_table *table,
                               struct train_result *result, struct row_set all,
                               uint32_t *room, struct err *err)
{
    double *numbers;
    enum status rc = STATUS_OK;

    if (!table->costs)
        return STATUS_OK;
    numbers = malloc((size_t)most_rows(table, result) * sizeof *numbers + 1);
    if (!open_expected(table, result) || !numbers)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for training");
    for (int arm = 1; arm < table->arm_count && !rc; arm++)
        for (int fold = 0; fold < LEARNER_FOLD_COUNT && !rc; fold++) {
            const struct cost_choice choice = {table, result->settings.seed, arm, fold};

            rc = expect_fold(&choice, result, all, room, numbers, err);
        }
    free(numbers);
    return rc;
}
