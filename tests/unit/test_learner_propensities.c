/* test_learner_propensities.c - probabilities that nobody wrote down, found again from
 * who got what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/balance.h"
#include "learn/learner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 6000, ARM_COUNT = 4, FEATURE_COUNT = 4 };

static const char *const names[] = {"a", "b", "c", "d", "dose"};
static const double doses[ARM_COUNT] = {0, 1, 2, 3};

static struct {
    float features[ROW_COUNT * FEATURE_COUNT];
    double propensities[ROW_COUNT * ARM_COUNT], fitted[ROW_COUNT * ARM_COUNT];
    double weights[ROW_COUNT]; /* 1 and 2 in turn */
    int32_t arms[ROW_COUNT];
    uint64_t keys[ROW_COUNT];
    struct learner_data data;
} world;

/* A rule: the arm by which quarter of its range a sum of two features lies in, but 3 in
 * 10 drawn evenly. */
static void draw_rule(double *p, const float *x)
{
    int grade = (int)(2 * (x[0] + x[1]));

    for (int arm = 0; arm < ARM_COUNT; arm++)
        p[arm] = 0.3 / ARM_COUNT + 0.7 * (arm == grade);
}

static void draw_evenly(double *p, const float *x)
{
    (void)x;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        p[arm] = 1.0 / ARM_COUNT;
}

/* What a logistic regression of each arm can find. */
static void draw_by_one(double *p, const float *x)
{
    p[1] = p[2] = p[3] = 0.05 + 0.2 * (double)(x[0] > 0.5F);
    p[0] = 1 - 3 * p[1];
}

static void draw_world(void (*draw)(double *p, const float *x), int row_count)
{
    struct rng rng;

    rng_seed(&rng, 17);
    memset(&world, 0, sizeof world);
    for (int row = 0; row < row_count; row++) {
        float *x = world.features + row * FEATURE_COUNT;
        double *p = world.propensities + row * ARM_COUNT, u = rng_uniform(&rng), sum;
        int arm = 0;

        for (int i = 0; i < FEATURE_COUNT; i++)
            x[i] = (float)rng_uniform(&rng);
        draw(p, x);
        for (sum = p[0]; u >= sum && arm + 1 < ARM_COUNT; sum += p[arm])
            arm++;
        world.arms[row] = arm;
        world.keys[row] = (uint64_t)row;
        world.weights[row] = 1 + row % 2;
    }
    world.data = (struct learner_data){
        .row_count = row_count,
        .features = {.feature_count = FEATURE_COUNT,
                     .values = world.features,
                     .names = names},
        .arm_count = ARM_COUNT,
        .arms = world.arms,
        .doses = doses,
        .keys = world.keys,
        .weights = world.weights,
    };
}

static struct learner_propensity_fit fit(enum predictor_base base)
{
    struct learner_propensity_fit found;
    struct err err = {0};

    if (learner_fit_propensities(&world.data,
                                 &(struct learner_settings){.base = base, .seed = 1},
                                 world.fitted, &found, &err))
        fail_msg("%s", err.text);
    printf("trees %d, calibrated %d, log loss %.4f, %lld clipped\n", found.has_trees,
           found.is_calibrated, found.log_loss, (long long)found.clipped_count);
    return found;
}

/* Root of the mean squared error over rows and arms. */
static double error_of_fit(void)
{
    double sum = 0;
    int64_t count = world.data.row_count * ARM_COUNT;

    for (int64_t i = 0; i < count; i++)
        sum += pow(world.fitted[i] - world.propensities[i], 2);
    return sqrt(sum / (double)count);
}

/* How many rows those of an arm stand for, over all rows. */
static double weight_of_arm(int arm)
{
    double sum = 0, all = 0;

    for (int row = 0; row < world.data.row_count; row++) {
        if (world.arms[row] == arm)
            sum += world.weights[row] / world.fitted[row * ARM_COUNT + arm];
        all += world.weights[row];
    }
    return sum / all;
}

static void print_balance(int arm, struct balance found)
{
    printf("arm %d: feature %d differs by %.3f (se %.3f)\n", arm, found.feature,
           found.difference, found.se);
}

static bool has_library(void)
{
    struct learner_propensity_fit found;
    struct err err = {0};

    draw_world(draw_evenly, 200);
    if (learner_fit_propensities(
            &world.data, &(struct learner_settings){.base = PREDICTOR_TREES, .seed = 1},
            world.fitted, &found, &err) != STATUS_UNAVAILABLE)
        return true;
    printf("SKIPPED: %s\n", err.text);
    return false;
}

static void a_rule_is_found_again_by_trees(void **state)
{
    struct learner_propensity_fit straight, found;

    (void)state;
    if (!has_library())
        return;
    draw_world(draw_rule, ROW_COUNT);
    straight = fit(PREDICTOR_LINEAR);
    found = fit(PREDICTOR_TREES);
    assert_true(found.has_trees);
    assert_true(found.is_calibrated);
    assert_true(found.log_loss < straight.log_loss - 0.02);
    printf("error %.4f\n", error_of_fit());
    assert_true(error_of_fit() < 0.12);
    world.data.propensities = world.fitted;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        struct balance left = balance_of_arm(&world.data, arm);

        printf("arm %d stands for %.3f\n", arm, weight_of_arm(arm));
        assert_true(fabs(weight_of_arm(arm) - 1) < 0.1);
        print_balance(arm, left);
        assert_true(fabs(left.difference) < 4 * left.se);
    }
}

/* A model that does not see the rule leaves the rows of some arm unlike all rows. */
static void rows_that_were_weighted_wrongly_show(void **state)
{
    (void)state;
    draw_world(draw_rule, ROW_COUNT);
    for (int i = 0; i < ROW_COUNT * ARM_COUNT; i++)
        world.fitted[i] = 1.0 / ARM_COUNT;
    world.data.propensities = world.fitted;
    for (int arm = 0; arm < ARM_COUNT; arm += ARM_COUNT - 1) {
        struct balance found = balance_of_arm(&world.data, arm);

        print_balance(arm, found);
        assert_in_range(found.feature, 0, 1);
        assert_true((arm ? found.difference : -found.difference) > 0.3);
    }
    world.data.propensities = world.propensities;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        struct balance found = balance_of_arm(&world.data, arm);

        print_balance(arm, found);
        assert_true(fabs(found.difference) < 4 * found.se);
    }
}

/* Of the text that only the first arm's rows have. */
static void a_category_is_compared_by_its_texts(void **state)
{
    static const bool is_nominal[FEATURE_COUNT] = {false, false, true, false};

    (void)state;
    draw_world(draw_evenly, 2000);
    for (int row = 0; row < 2000; row++) {
        float *code = &world.features[row * FEATURE_COUNT + 2];

        *code = world.arms[row] == 0 && row % 3 ? 5 : (float)(row % 5);
        if (row % 11 == 0)
            *code = NAN;
    }
    world.data.features.is_nominal = is_nominal;
    world.data.propensities = world.propensities;
    for (int arm = 0; arm < 2; arm++) {
        struct balance found = balance_of_arm(&world.data, arm);

        print_balance(arm, found);
        assert_int_equal(found.feature, 2);
        assert_true((arm ? -found.difference : found.difference) > 0.3);
    }
}

static void features_that_are_the_same_everywhere_are_balanced(void **state)
{
    (void)state;
    draw_world(draw_evenly, 200);
    for (int i = 0; i < 200 * FEATURE_COUNT; i++)
        world.features[i] = i % FEATURE_COUNT ? 3 : NAN;
    world.data.propensities = world.propensities;
    assert_int_equal(balance_of_arm(&world.data, 1).feature, -1);
}

/* Nothing to be found is not found: chance stays chance. */
static void an_experiment_keeps_its_shares(void **state)
{
    (void)state;
    if (!has_library())
        return;
    draw_world(draw_evenly, 2000);
    fit(PREDICTOR_TREES);
    printf("error %.4f\n", error_of_fit());
    assert_true(error_of_fit() < 0.05);
}

static void a_simple_rule_needs_no_trees(void **state)
{
    struct learner_propensity_fit found;

    (void)state;
    draw_world(draw_by_one, ROW_COUNT);
    found = fit(PREDICTOR_LINEAR);
    assert_false(found.has_trees);
    printf("error %.4f\n", error_of_fit());
    /* The step in it is bent by the link, and straightened by the calibration. */
    assert_true(found.is_calibrated);
    assert_true(error_of_fit() < 0.05);
}

static void count_models(void *context, double done)
{
    *(int *)context += done >= 1;
}

static void every_model_is_told(void **state)
{
    int told = 0;
    const struct learner_settings settings = {
        .base = PREDICTOR_LINEAR, .seed = 1, .progress = {count_models, &told}};
    struct learner_propensity_fit found;
    struct err err = {0};

    (void)state;
    draw_world(draw_evenly, 400);
    assert_int_equal(
        learner_fit_propensities(&world.data, &settings, world.fitted, &found, &err), 0);
    assert_int_equal(told, LEARNER_FOLD_COUNT * ARM_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_found_again_by_trees),
        cmocka_unit_test(an_experiment_keeps_its_shares),
        cmocka_unit_test(a_simple_rule_needs_no_trees),
        cmocka_unit_test(rows_that_were_weighted_wrongly_show),
        cmocka_unit_test(a_category_is_compared_by_its_texts),
        cmocka_unit_test(every_model_is_told),
        cmocka_unit_test(features_that_are_the_same_everywhere_are_balanced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
