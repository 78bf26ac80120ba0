/* test_learner_overlap.c - what learners make of rows that were sure of their treatment,
 * and how the two halves of an x-learner are weighed; and propensities in four bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/learner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 3000, ARM_COUNT = 3, WIDTH = ARM_COUNT - 1 };

static const char *const names[] = {"x", "dose"};
static const double doses[ARM_COUNT] = {0, 1, 2};

static struct {
    float features[ROW_COUNT];
    double outcomes[ROW_COUNT], propensities[ROW_COUNT * ARM_COUNT];
    double mu[ROW_COUNT * ARM_COUNT], effects[ROW_COUNT * WIDTH];
    int32_t arms[ROW_COUNT];
    uint64_t keys[ROW_COUNT];
    uint32_t all[ROW_COUNT];
    struct learner_data data;
} world;

static const struct learner_settings linear = {.base = PREDICTOR_LINEAR, .seed = 1};

/* Arms drawn alike by p; the effect of an arm is its dose. mu is the truth but for an
 * error per arm. */
static void draw_world(int arm_count, const double *p, const double *errors)
{
    struct rng rng;

    rng_seed(&rng, 5);
    memset(&world, 0, sizeof world);
    for (int row = 0; row < ROW_COUNT; row++) {
        double u = rng_uniform(&rng), *own = world.propensities + row * arm_count;
        int arm = 0;

        world.features[row] = (float)(rng_uniform(&rng) - 0.5);
        for (double sum = p[0]; u >= sum && arm + 1 < arm_count; sum += p[arm])
            arm++;
        memcpy(own, p, (size_t)arm_count * sizeof *own);
        world.arms[row] = arm;
        world.outcomes[row] = doses[arm] + 0.1 * rng_normal(&rng);
        for (int k = 0; k < arm_count; k++)
            world.mu[row * arm_count + k] = doses[k] + errors[k];
        world.keys[row] = (uint64_t)row;
        world.all[row] = (uint32_t)row;
    }
    world.data = (struct learner_data){
        .row_count = ROW_COUNT,
        .features = {.feature_count = 1, .values = world.features, .names = names},
        .arm_count = arm_count,
        .arms = world.arms,
        .doses = doses,
        .outcomes = world.outcomes,
        .keys = world.keys,
        .propensities = world.propensities};
}

/* One row in six was sure of its treatment, and has an outcome that would mislead. */
static void make_some_sure(void)
{
    for (int row = 0; row < ROW_COUNT; row += 6) {
        double *own = world.propensities + row * ARM_COUNT;

        memset(own, 0, ARM_COUNT * sizeof *own);
        own[world.arms[row]] = 1;
        world.outcomes[row] += 100 * world.arms[row];
    }
}

static double mean_effect(enum learner_kind kind, int arm)
{
    const struct row_set all = {ROW_COUNT, world.all};
    int width = world.data.arm_count - 1;
    struct learner *learner;
    struct err err = {0};
    double sum = 0;

    if (learner_fit(kind, &world.data, &linear, all, world.mu, &learner, &err))
        fail_msg("%s: %s", learner_kind_name(kind), err.text);
    assert_int_equal(learner_effects(learner, &world.data, all, world.effects, &err), 0);
    learner_close(learner);
    for (int row = 0; row < ROW_COUNT; row++)
        sum += world.effects[row * width + arm - 1];
    return sum / ROW_COUNT;
}

static void rows_that_were_sure_of_their_treatment_are_left_out_of_x_and_r(void **state)
{
    const double p[] = {0.5, 0.3, 0.2}, none[ARM_COUNT] = {0};
    int64_t counts[2], sure = 0;

    (void)state;
    draw_world(ARM_COUNT, p, none);
    make_some_sure();
    for (int arm = 1; arm < ARM_COUNT; arm++) {
        assert_true(fabs(mean_effect(LEARNER_X, arm) - arm) < 0.02);
        assert_true(fabs(mean_effect(LEARNER_R, arm) - arm) < 0.02);
        learner_count_overlap(&world.data, arm, counts);
        sure = 0;
        for (int row = 0; row < ROW_COUNT; row++)
            sure += row % 6 != 0 && world.arms[row] == arm;
        assert_int_equal(counts[1], sure);
    }
    assert_true(learner_needs_overlap(LEARNER_R) && !learner_needs_overlap(LEARNER_DR));
}

static void no_row_that_overlaps_is_a_clean_refusal(void **state)
{
    const double p[] = {0.5, 0.3, 0.2}, none[ARM_COUNT] = {0};
    struct learner *learner;
    struct err err = {0};

    (void)state;
    draw_world(ARM_COUNT, p, none);
    for (int row = 0; row < ROW_COUNT; row++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            world.propensities[row * ARM_COUNT + arm] = world.arms[row] == arm;
    assert_int_equal(learner_fit(LEARNER_R, &world.data, &linear,
                                 (struct row_set){ROW_COUNT, world.all}, world.mu,
                                 &learner, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "no rows to learn from"));
}

/* mu_0 is wrong by a and mu_1 by b: tau_1 comes out a too low, tau_0 b too high. */
static void an_x_learner_sums_its_halves_by_the_propensity(void **state)
{
    static const double shares[] = {0.2, 0.5, 0.8};
    const double errors[] = {1, 3};

    (void)state;
    for (int i = 0; i < 3; i++) {
        double e = shares[i], p[] = {1 - e, e}, taken = 0, share;

        draw_world(2, p, errors);
        for (int row = 0; row < ROW_COUNT; row++)
            taken += world.arms[row];
        share = taken / ROW_COUNT; /* of this sample, which moves the sum a little */
        assert_true(fabs(mean_effect(LEARNER_X, 1) - (1 + e * 3 - (1 - e) * 1)) <
                    0.05 + 4 * fabs(share - e));
    }
}

static void outcomes_that_no_float_holds_are_refused(void **state)
{
    const double p[] = {0.5, 0.3, 0.2}, none[ARM_COUNT] = {0};
    struct learner *learner;
    struct err err = {0};

    (void)state;
    draw_world(ARM_COUNT, p, none);
    world.outcomes[7] = 1e300;
    assert_int_equal(learner_fit(LEARNER_DR, &world.data, &linear,
                                 (struct row_set){ROW_COUNT, world.all}, world.mu,
                                 &learner, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "a target of "));
}

/* ---- propensities in four bytes ---- */

static void nine_digits_behind_the_point_are_so_many_billionths(void **state)
{
    const struct learner_data *data = &world.data;
    uint32_t billionths[1];
    struct rng rng;
    char text[32];

    (void)state;
    rng_seed(&rng, 12);
    world.data = (struct learner_data){.arm_count = 1, .billionths = billionths};
    for (int i = 0; i < 1000000; i++) {
        billionths[0] = (uint32_t)rng_below(&rng, 1000000001);
        snprintf(text, sizeof text, "%u.%09u", billionths[0] / 1000000000,
                 billionths[0] % 1000000000);
        assert_true(learner_propensity(data, 0, 0) == strtod(text, NULL));
    }
}

static void learners_say_the_same_of_propensities_in_billionths(void **state)
{
    static uint32_t billionths[ROW_COUNT * ARM_COUNT];
    const double p[] = {0.5, 0.3, 0.2}, errors[] = {0.3, -0.2, 0.1};

    (void)state;
    draw_world(ARM_COUNT, p, errors);
    for (int i = 0; i < ROW_COUNT * ARM_COUNT; i++)
        billionths[i] = (uint32_t)rint(world.propensities[i] * LEARNER_BILLION);
    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++) {
        double known = mean_effect((enum learner_kind)kind, 1);

        world.data.propensities = NULL;
        world.data.billionths = billionths;
        assert_true(mean_effect((enum learner_kind)kind, 1) == known);
        world.data.propensities = world.propensities;
        world.data.billionths = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_were_sure_of_their_treatment_are_left_out_of_x_and_r),
        cmocka_unit_test(no_row_that_overlaps_is_a_clean_refusal),
        cmocka_unit_test(an_x_learner_sums_its_halves_by_the_propensity),
        cmocka_unit_test(outcomes_that_no_float_holds_are_refused),
        cmocka_unit_test(nine_digits_behind_the_point_are_so_many_billionths),
        cmocka_unit_test(learners_say_the_same_of_propensities_in_billionths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
