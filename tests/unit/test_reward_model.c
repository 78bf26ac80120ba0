/* test_reward_model.c - what rewards are expected on rows that the model has not seen,
 * and estimates with it beside the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/reward_table.h"
#include "base/rng.h"
#include "learn/offpolicy.h"
#include "learn/reward_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns: the action that was taken, then two of the case; an option for each action. */
enum { ROWS = 2000, WIDTH = 3, ACTIONS = 3 };

static struct stage {
    float values[ROWS * (WIDTH - 1)], option_values[ACTIONS];
    double rewards[ROWS], logged[ROWS], expected[ROWS];
    uint16_t folds[ROWS];
    int64_t menu_ends[ROWS];
    int32_t options[ROWS * ACTIONS];
    double probabilities[ROWS * ACTIONS];
    double weights[ROWS];
    int32_t clusters[ROWS], actions[ROWS];
    bool is_nominal[WIDTH];
    struct reward_rows rows;
} stage;

static const double logging[ACTIONS] = {0.5, 0.3, 0.2};
static const double target[2][ACTIONS] = {{0.1, 0.3, 0.6}, {0.6, 0.3, 0.1}}; /* by x0 */

static uint64_t seed_of_run(void)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 23;

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* x0 is 0 or 1 and decides which action is good, which no sum of columns can say. */
static double truly(int x0, double x1, int action)
{
    return 4 * x1 + (x0 ? 1 - action : action);
}

static double true_value(void)
{
    double sum = 0;

    for (int x0 = 0; x0 < 2; x0++)
        for (int a = 0; a < ACTIONS; a++)
            sum += 0.5 * target[x0][a] * truly(x0, 0, a);
    return sum;
}

static void draw_row(struct rng *rng, int row, double owner_effect)
{
    float *values = stage.values + row * (WIDTH - 1);
    int x0 = (int)rng_below(rng, 2), action = 0;
    double u = rng_uniform(rng);

    while (action < ACTIONS - 1 && u >= logging[action])
        u -= logging[action++];
    stage.actions[row] = action;
    values[0] = (float)x0;
    values[1] = (float)rng_normal(rng);
    stage.rewards[row] =
        truly(x0, (double)values[1], action) + owner_effect + 0.5 * rng_normal(rng);
    stage.weights[row] = target[x0][action] / logging[action];
    for (int a = 0; a < ACTIONS; a++) {
        stage.options[row * ACTIONS + a] = a;
        stage.probabilities[row * ACTIONS + a] = target[x0][a];
    }
    stage.menu_ends[row] = (row + 1) * ACTIONS;
}

/* Owners have so many rows each, and an effect of their own when they have several. */
static void draw_log(struct rng *rng, int rows_of_owner)
{
    double owner_effect = 0;

    for (int row = 0; row < ROWS; row++) {
        if (rows_of_owner > 1 && row % rows_of_owner == 0)
            owner_effect = rng_normal(rng);
        draw_row(rng, row, owner_effect);
        stage.folds[row] = reward_folds(rng_next(rng), 1);
        stage.clusters[row] = row / rows_of_owner;
        if (row % rows_of_owner)
            stage.folds[row] = stage.folds[row - 1];
    }
    for (int a = 0; a < ACTIONS; a++)
        stage.option_values[a] = (float)a;
    stage.is_nominal[0] = true;
    stage.rows = (struct reward_rows){
        .row_count = ROWS,
        .features = {.feature_count = WIDTH,
                     .values = stage.values,
                     .is_nominal = stage.is_nominal,
                     .shared_count = 1,
                     .shared = stage.option_values,
                     .shared_of = stage.actions},
        .rewards = stage.rewards,
        .folds = stage.folds,
        .menu_ends = stage.menu_ends,
        .options = stage.options,
        .probabilities = stage.probabilities,
    };
}

static void fit(enum predictor_base base)
{
    const struct reward_settings settings = {.base = base, .seed = 1};
    struct err err;

    if (reward_model_fit(&stage.rows, &settings, (struct reward_progress){0},
                         stage.logged, stage.expected, &err))
        fail_msg("%s", err.text);
}

/* Owners of several rows are clusters. */
static struct offpolicy_log log_of(int rows_of_owner)
{
    bool has_clusters = rows_of_owner > 1;

    return (struct offpolicy_log){
        .row_count = ROWS,
        .numerators = stage.weights,
        .rewards = stage.rewards,
        .logged_model = stage.logged,
        .policy_model = stage.expected,
        .clusters = has_clusters ? stage.clusters : NULL,
        .cluster_count = has_clusters ? ROWS / rows_of_owner : 0,
    };
}

/* ---- what is expected ---- */

static void a_reward_is_in_nothing_that_is_expected_of_its_owner(void **state)
{
    static double logged[ROWS], expected[ROWS];
    int same = 0, changed = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    draw_log(&rng, 2);
    fit(PREDICTOR_LINEAR);
    memcpy(logged, stage.logged, sizeof logged);
    memcpy(expected, stage.expected, sizeof expected);
    stage.rewards[100] += 1e6;
    fit(PREDICTOR_LINEAR);
    for (int row = 0; row < ROWS; row++) {
        bool is_same =
            stage.logged[row] == logged[row] && stage.expected[row] == expected[row];

        assert_int_equal(is_same,
                         reward_fold(stage.folds[row]) == reward_fold(stage.folds[100]));
        same += is_same;
        changed += !is_same;
    }
    assert_true(stage.logged[101] == logged[101]); /* the owner's other row */
    assert_true(same > ROWS / 8 && changed > ROWS / 2);
}

static void the_mean_over_options_is_that_of_what_each_is_expected_to_bring(void **state)
{
    static double each[ROWS][ACTIONS];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 4);
    draw_log(&rng, 1);
    fit(PREDICTOR_LINEAR);
    for (int a = 0; a < ACTIONS; a++) {
        for (int i = 0; i < ROWS * ACTIONS; i++)
            stage.probabilities[i] = i % ACTIONS == a;
        fit(PREDICTOR_LINEAR);
        for (int row = 0; row < ROWS; row++)
            each[row][a] = stage.expected[row];
    }
    for (int row = 0; row < ROWS; row++) {
        int x0 = stage.values[row * (WIDTH - 1)] > 0;

        assert_true(each[row][stage.actions[row]] == stage.logged[row]);
        for (int a = 0; a < ACTIONS; a++)
            stage.probabilities[row * ACTIONS + a] = target[x0][a];
    }
    fit(PREDICTOR_LINEAR);
    for (int row = 0; row < ROWS; row++) {
        const double *p = stage.probabilities + row * ACTIONS;
        double mean = 0;

        for (int a = 0; a < ACTIONS; a++)
            mean += p[a] * each[row][a];
        assert_true(fabs(mean - stage.expected[row]) < 1e-12 * (1 + fabs(mean)));
    }
}

static void owners_of_one_fold_are_too_few(void **state)
{
    const struct reward_settings settings = {.seed = 1};
    struct err err;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 4);
    draw_log(&rng, ROWS);
    assert_int_equal(reward_model_fit(&stage.rows, &settings, (struct reward_progress){0},
                                      stage.logged, stage.expected, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "too few"));
}

/* ---- beside the truth ---- */

/* The model lacks what decides, so that it alone is wrong and its corrections are not. */
static void intervals_with_a_fitted_model_hold_the_truth_as_often_as_they_say(
    void **state)
{
    static const struct {
        int rows_of_owner, logs;
        double least, most;
    } worlds[] = {{1, 500, 0.93, 0.97}, {4, 200, 0.91, 0.98}};
    double truth = true_value();
    struct err err;
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (size_t w = 0; w < sizeof worlds / sizeof *worlds; w++) {
        int held[3] = {0}, off = 0, logs = worlds[w].logs;
        double model_errors = 0, weight_errors = 0;

        for (int i = 0; i < logs; i++) {
            struct offpolicy_estimate found[] = {{.kind = OFFPOLICY_DR},
                                                 {.kind = OFFPOLICY_SNDR},
                                                 {.kind = OFFPOLICY_SNIPW},
                                                 {.kind = OFFPOLICY_DM}};
            struct offpolicy_log log;

            draw_log(&rng, worlds[w].rows_of_owner);
            fit(PREDICTOR_LINEAR);
            log = log_of(worlds[w].rows_of_owner);
            assert_int_equal(offpolicy_estimate(&log, found, 4, &err), STATUS_OK);
            for (int k = 0; k < 3; k++)
                held[k] += found[k].low <= truth && truth <= found[k].high;
            off += fabs(found[3].value - truth) > 1.96 * found[3].se;
            model_errors += found[0].se / logs;
            weight_errors += found[2].se / logs;
        }
        printf(
            "%d rows an owner: dr %.3f sndr %.3f snipw %.3f; se %.4f, of weights alone "
            "%.4f; dm is off in %d\n",
            worlds[w].rows_of_owner, (double)held[0] / logs, (double)held[1] / logs,
            (double)held[2] / logs, model_errors, weight_errors, off);
        for (int k = 0; k < 3; k++)
            assert_true(held[k] >= worlds[w].least * logs &&
                        held[k] <= worlds[w].most * logs);
        assert_true(off > 0.9 * logs);
        assert_true(model_errors < 0.9 * weight_errors);
    }
}

/* ---- tables ---- */

static void put(struct reward_table *table, const char *name, const char *value)
{
    struct err err;

    assert_int_equal(reward_table_text(table, text_of(name), text_of(value), &err),
                     STATUS_OK);
}

static void put_number(struct reward_table *table, const char *name, double value)
{
    struct err err;

    assert_int_equal(reward_table_number(table, text_of(name), value, &err), STATUS_OK);
}

/* Ten groups, one of a row's names each, whose rewards differ; a column of the wrong kind
 * now and then. */
static struct reward_table *table_of_groups(int row_count, double *rewards)
{
    struct reward_table *table;
    struct err err;
    char name[32];

    assert_int_equal(reward_table_open(1, &table, &err), STATUS_OK);
    for (int row = 0; row < row_count; row++) {
        struct reward_option none = {.effect = NAN, .cost = NAN};

        snprintf(name, sizeof name, "%d", row);
        assert_int_equal(reward_table_begin(table, text_of(name), &err), STATUS_OK);
        snprintf(name, sizeof name, "group %d", row % 10);
        put(table, "group", name);
        snprintf(name, sizeof name, "only of %d", row % 30); /* columns come late */
        put_number(table, name, 1);
        if (row % 7 == 0)
            put_number(table, "group", 3);
        assert_int_equal(reward_table_take(table, &none, &err), STATUS_OK);
        assert_int_equal(reward_table_add(table, &none, 1, &err), STATUS_OK);
        rewards[row] = row % 10;
    }
    return table;
}

static void columns_come_as_they_are_named(void **state)
{
    static double rewards[1200], logged[1200], expected[1200];
    struct reward_table *table = table_of_groups(1200, rewards);
    struct reward_fit fitted;
    struct err err;

    (void)state;
    assert_int_equal(reward_table_fit(table, REWARD_BASE_AUTO, rewards, logged, expected,
                                      &fitted, &err),
                     STATUS_OK);
    assert_int_equal(fitted.base, REWARD_BASE_RIDGE);
    assert_int_equal(fitted.column_count, 31);
    assert_true(fitted.explained > 0.9999);
    for (int row = 0; row < 1200; row++) {
        assert_true(fabs(logged[row] - rewards[row]) < 0.05);
        assert_true(expected[row] == logged[row]);
    }
    reward_table_close(table);
}

static void rewards_of_0_and_1_get_chances_and_few_rows_no_model(void **state)
{
    static double rewards[600], logged[600], expected[600];
    struct reward_table *table = table_of_groups(600, rewards);
    struct reward_fit fitted;
    struct err err;

    (void)state;
    assert_int_equal(reward_table_fit(table, REWARD_BASE_LOGISTIC, rewards, logged,
                                      expected, &fitted, &err),
                     STATUS_INVALID);
    for (int row = 0; row < 600; row++)
        rewards[row] = row % 10 == 3;
    assert_int_equal(reward_table_fit(table, REWARD_BASE_AUTO, rewards, logged, expected,
                                      &fitted, &err),
                     STATUS_OK);
    assert_int_equal(fitted.base, REWARD_BASE_LOGISTIC);
    for (int row = 0; row < 600; row++)
        assert_true(logged[row] > 0 && logged[row] < 1);
    assert_true(fitted.explained > 0.9);
    reward_table_close(table);
    table = table_of_groups(OFFPOLICY_EFFECTIVE_MIN - 1, rewards);
    assert_int_equal(reward_table_fit(table, REWARD_BASE_AUTO, rewards, logged, expected,
                                      &fitted, &err),
                     STATUS_OK);
    assert_int_equal(fitted.base, REWARD_BASE_NONE);
    reward_table_close(table);
}

static void names_beyond_the_limit_are_refused(void **state)
{
    struct reward_table *table;
    struct err err;
    char name[32];

    (void)state;
    assert_int_equal(reward_table_open(1, &table, &err), STATUS_OK);
    assert_int_equal(reward_table_begin(table, text_of("a"), &err), STATUS_OK);
    for (int i = 0; i < REWARD_COLUMN_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "x%d", i);
        put_number(table, name, i);
    }
    assert_int_equal(reward_table_number(table, text_of("more"), 1, &err),
                     STATUS_TOO_LARGE);
    assert_non_null(strstr(err.text, "--base none"));
    reward_table_close(table);
}

enum { SHARING_ROWS = 700, KIND_COUNT = 3 };

/* Rows of three kinds, in no order, whose options are their kind's; said once for each
 * kind, or for each row. */
static struct reward_table *table_of_kinds(bool is_shared, double *rewards)
{
    struct reward_table *table;
    struct err err;
    bool is_said[KIND_COUNT] = {false};
    struct rng rng;

    rng_seed(&rng, 7);
    assert_int_equal(reward_table_open(1, &table, &err), STATUS_OK);
    for (int row = 0; row < SHARING_ROWS; row++) {
        int kind = (int)rng_below(&rng, KIND_COUNT);
        struct reward_option taken = {
            .amount = (double)rng_below(&rng, 3), .effect = NAN, .cost = NAN};
        char name[32];
        bool has_options = false;

        snprintf(name, sizeof name, "%d", row);
        assert_int_equal(reward_table_begin(table, text_of(name), &err), STATUS_OK);
        put_number(table, "kind", kind);
        assert_int_equal(reward_table_take(table, &taken, &err), STATUS_OK);
        if (is_shared)
            assert_int_equal(reward_table_share(table, 1000 * kind, &has_options, &err),
                             STATUS_OK);
        assert_int_equal(has_options, is_shared && is_said[kind]);
        is_said[kind] = true;
        for (int a = 0; a <= kind && !has_options; a++) {
            struct reward_option option = {.amount = a, .effect = NAN, .cost = NAN};

            assert_int_equal(reward_table_add(table, &option, 1.0 / (kind + 1), &err),
                             STATUS_OK);
        }
        rewards[row] = taken.amount * kind + rng_normal(&rng);
    }
    return table;
}

static void rows_that_share_their_options_expect_what_they_would_with_their_own(
    void **state)
{
    static double rewards[SHARING_ROWS], logged[2][SHARING_ROWS],
        expected[2][SHARING_ROWS];

    (void)state;
    for (int is_shared = 0; is_shared < 2; is_shared++) {
        struct reward_table *table = table_of_kinds(is_shared, rewards);
        struct reward_fit fitted;
        struct err err;

        assert_int_equal(reward_table_fit(table, REWARD_BASE_RIDGE, rewards,
                                          logged[is_shared], expected[is_shared], &fitted,
                                          &err),
                         STATUS_OK);
        assert_int_equal(fitted.base, REWARD_BASE_RIDGE);
        reward_table_close(table);
    }
    assert_memory_equal(logged[0], logged[1], sizeof logged[0]);
    assert_memory_equal(expected[0], expected[1], sizeof expected[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reward_is_in_nothing_that_is_expected_of_its_owner),
        cmocka_unit_test(the_mean_over_options_is_that_of_what_each_is_expected_to_bring),
        cmocka_unit_test(owners_of_one_fold_are_too_few),
        cmocka_unit_test(
            intervals_with_a_fitted_model_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(columns_come_as_they_are_named),
        cmocka_unit_test(rewards_of_0_and_1_get_chances_and_few_rows_no_model),
        cmocka_unit_test(
            rows_that_share_their_options_expect_what_they_would_with_their_own),
        cmocka_unit_test(names_beyond_the_limit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
