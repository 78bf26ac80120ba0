/* test_judge.c - what is said of effects does not depend on the order of rows, on the
 * unit of weights, or on how often a customer came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/judge.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 2000, ARM_COUNT = 2 };

/* Scores are given: the effect of a row is its score of arm 1. */
static struct table {
    float effects[ROW_COUNT];
    double scores[ROW_COUNT * ARM_COUNT], weights[ROW_COUNT],
        propensities[ROW_COUNT * ARM_COUNT], expected[ROW_COUNT], paid[ROW_COUNT],
        gains[ROW_COUNT];
    int32_t arms[ROW_COUNT];
    uint64_t keys[ROW_COUNT];
    struct learner_data data;
} table, other;

static void point_at_rows(struct table *rows)
{
    rows->data = (struct learner_data){.row_count = ROW_COUNT,
                                       .arm_count = ARM_COUNT,
                                       .arms = rows->arms,
                                       .keys = rows->keys,
                                       .propensities = rows->propensities};
}

/* Rows stand in the order of what they gain; effects are one of so many values. */
static void draw_table(int effect_count)
{
    struct rng rng;

    rng_seed(&rng, 9);
    memset(&table, 0, sizeof table);
    for (int row = 0; row < ROW_COUNT; row++) {
        table.effects[row] = (float)rng_below(&rng, (uint64_t)effect_count);
        table.scores[row * ARM_COUNT + 1] =
            1 - 2.0 * row / ROW_COUNT + (double)table.effects[row];
        table.weights[row] = 0.5 + rng_uniform(&rng);
        table.arms[row] = rng_uniform(&rng) < 0.5;
        table.propensities[row * ARM_COUNT] = table.propensities[row * ARM_COUNT + 1] =
            0.5;
        table.expected[row] = 0.3 * rng_uniform(&rng);
        table.paid[row] = table.expected[row] + 0.1 * rng_normal(&rng);
        table.keys[row] = (uint64_t)row / 4;
    }
    point_at_rows(&table);
}

/* The rows of table, once the other way round, in other. */
static void turn_round(void)
{
    for (int row = 0; row < ROW_COUNT; row++) {
        int from = ROW_COUNT - 1 - row;

        memcpy(other.scores + row * ARM_COUNT, table.scores + from * ARM_COUNT,
               ARM_COUNT * sizeof(double));
        memcpy(other.propensities + row * ARM_COUNT,
               table.propensities + from * ARM_COUNT, ARM_COUNT * sizeof(double));
        other.effects[row] = table.effects[from];
        other.weights[row] = table.weights[from];
        other.expected[row] = table.expected[from];
        other.paid[row] = table.paid[from];
        other.arms[row] = table.arms[from];
        other.keys[row] = table.keys[from];
    }
    point_at_rows(&other);
    if (table.data.weights)
        other.data.weights = other.weights;
}

struct judged {
    struct judge_mean average, policy, costly;
    struct judge_curve curve;
    struct judge_bin bins[JUDGE_BIN_COUNT];
    struct judge_line line;
};

static void judge(struct table *rows, struct judged *judged)
{
    const struct judge_costs costs = {.expected = rows->expected, .paid = rows->paid};
    struct err err = {0};

    memset(judged, 0, sizeof *judged);
    assert_int_equal(judge_average(&rows->data, rows->scores, 1, &judged->average, &err),
                     0);
    assert_int_equal(judge_policy(&rows->data, rows->scores, rows->effects, NULL, 1,
                                  rows->gains, &judged->policy, &err),
                     0);
    assert_int_equal(judge_policy(&rows->data, rows->scores, rows->effects, &costs, 1,
                                  rows->gains, &judged->costly, &err),
                     0);
    assert_int_equal(
        judge_rank(&rows->data, rows->scores, rows->effects, 1, &judged->curve, &err), 0);
    assert_int_equal(judge_calibrate(&rows->data, rows->scores, rows->effects, 1, 1,
                                     judged->bins, &judged->line, &err),
                     0);
}

static void expect_within(double slack, double a, double b)
{
    if (!(fabs(a - b) <= slack * (1 + fabs(b))) && !(isnan(a) && isnan(b)))
        fail_msg("%.17g, not %.17g", a, b);
}

static void expect_near(double a, double b)
{
    expect_within(1e-10, a, b);
}

static void expect_means(double slack, struct judge_mean a, struct judge_mean b)
{
    expect_within(slack, a.value, b.value);
    expect_within(slack, a.se, b.se);
}

static void expect_same(double slack, const struct judged *a, const struct judged *b)
{
    expect_means(slack, a->average, b->average);
    expect_means(slack, a->policy, b->policy);
    expect_means(slack, a->costly, b->costly);
    expect_within(slack, a->line.slope, b->line.slope);
    expect_within(slack, a->line.slope_se, b->line.slope_se);
    for (int i = 0; i < JUDGE_POINT_COUNT; i++) {
        expect_within(slack, a->curve.gains[i], b->curve.gains[i]);
        expect_within(slack, a->curve.errors[i], b->curve.errors[i]);
    }
    for (int i = 0; i < JUDGE_BIN_COUNT; i++) {
        assert_int_equal(a->bins[i].row_count, b->bins[i].row_count);
        expect_within(slack, a->bins[i].predicted, b->bins[i].predicted);
        expect_within(slack, a->bins[i].found, b->bins[i].found);
        expect_within(slack, a->bins[i].se, b->bins[i].se);
    }
}

static void rows_in_another_order_are_judged_the_same(void **state)
{
    static const int effect_counts[] = {1, 3, 1000000};
    struct judged one, two;

    (void)state;
    for (int i = 0; i < 6; i++) {
        draw_table(effect_counts[i / 2]);
        if (i % 2)
            table.data.weights = table.weights;
        turn_round();
        judge(&table, &one);
        judge(&other, &two);
        expect_same(1e-10, &one, &two);
    }
}

/* Budgets for a tenth .. all rows reach 0.55 of rows that are alike. */
static void effects_that_are_all_equal_are_worth_a_share_of_the_average(void **state)
{
    struct judged judged;

    (void)state;
    draw_table(1);
    judge(&table, &judged);
    expect_near(judged.policy.value, 0.55 * judged.average.value);
    expect_near(judged.curve.gains[40], 0.4 * judged.average.value);
    assert_int_equal(judged.bins[5].row_count, ROW_COUNT);
    assert_true(isnan(judged.line.slope));
}

/* As the predictions that they are differences of. */
static void effects_that_differ_by_rounding_only_are_equal(void **state)
{
    struct judged one, two;

    (void)state;
    draw_table(3);
    judge(&table, &one);
    for (int row = 0; row < ROW_COUNT; row++)
        table.effects[row] *= row % 2 ? 1 : 1 + FLT_EPSILON;
    judge(&table, &two);
    expect_same(1e-6, &one, &two);
}

/* One effect for all rows, which is fitted anew for each fold: the folds of low scores
 * have the low effects. */
static void effects_that_differ_between_folds_only_tell_no_rows_apart(void **state)
{
    struct judge_correction correction;
    struct judge_line line;
    struct judged judged;
    struct err err = {0};

    (void)state;
    draw_table(1);
    for (int row = 0; row < ROW_COUNT; row++) {
        int fold = learner_held_out_fold(table.keys[row], 1);

        table.effects[row] =
            (float)(5 + 0.1 * fold) * (1 + (float)(row % 2) * FLT_EPSILON);
        table.scores[row * ARM_COUNT + 1] = 20 + 4 * fold;
    }
    judge(&table, &judged);
    assert_true(isnan(judged.line.slope) && isnan(judged.line.slope_se));
    for (int without = 0; without < LEARNER_HELD_OUT_COUNT; without++) {
        assert_int_equal(judge_line_fit(&table.data, table.scores, table.effects, 1,
                                        without, 1, &line, &err),
                         0);
        assert_true(isnan(line.slope));
        correction = judge_line_correct(&line);
        assert_true(correction.slope == 1 && correction.intercept > 10);
    }
    /* One row that differs in a fold is enough. */
    table.effects[0] += 1;
    judge(&table, &judged);
    assert_false(isnan(judged.line.slope));
}

static void the_unit_of_weights_changes_nothing(void **state)
{
    struct judged one, two;

    (void)state;
    draw_table(50);
    table.data.weights = table.weights;
    judge(&table, &one);
    for (int row = 0; row < ROW_COUNT; row++)
        table.weights[row] /= 1234;
    judge(&table, &two);
    expect_same(1e-10, &one, &two);
    assert_true(one.curve.errors[50] > 0);
}

/* A row that counts twice is two rows of one customer. */
static void a_row_of_weight_two_is_two_rows_of_one_key(void **state)
{
    struct judged one, two;

    (void)state;
    draw_table(1000000);
    for (int row = 0; row < ROW_COUNT; row++)
        table.weights[row] = row % 2 ? 1e-300 : 2;
    table.data.weights = table.weights;
    judge(&table, &one);
    for (int row = 1; row < ROW_COUNT; row += 2) {
        memcpy(table.scores + row * ARM_COUNT, table.scores + (row - 1) * ARM_COUNT,
               ARM_COUNT * sizeof(double));
        table.effects[row] = table.effects[row - 1];
        table.expected[row] = table.expected[row - 1];
        table.paid[row] = table.paid[row - 1];
        table.arms[row] = table.arms[row - 1];
    }
    table.data.weights = NULL;
    judge(&table, &two);
    expect_means(1e-10, one.average, two.average);
    expect_means(1e-10, one.policy, two.policy);
    expect_means(1e-10, one.costly, two.costly);
    expect_near(one.line.slope_se, two.line.slope_se);
    for (int i = 0; i < JUDGE_POINT_COUNT; i++)
        expect_near(one.curve.errors[i], two.curve.errors[i]);
    for (int i = 0; i < JUDGE_BIN_COUNT; i++)
        expect_near(one.bins[i].se, two.bins[i].se);
}

/* Each customer four times over: four times the rows, and the error of the customers. */
static void copies_of_a_customers_rows_add_nothing_to_what_is_known(void **state)
{
    struct judged alone, copied;

    (void)state;
    draw_table(1000000);
    for (int row = 0; row < ROW_COUNT; row++) {
        int first = row / 4 * 4;

        memcpy(table.scores + row * ARM_COUNT, table.scores + first * ARM_COUNT,
               ARM_COUNT * sizeof(double));
        table.effects[row] = table.effects[first];
    }
    judge(&table, &copied);
    for (int row = 0; row < ROW_COUNT; row++)
        table.keys[row] = (uint64_t)row;
    judge(&table, &alone);
    expect_near(copied.average.se, 2 * alone.average.se);
    expect_near(copied.policy.se, 2 * alone.policy.se);
    expect_near(copied.line.slope_se, 2 * alone.line.slope_se);
    for (int i = 0; i < JUDGE_POINT_COUNT; i++)
        expect_near(copied.curve.errors[i], 2 * alone.curve.errors[i]);
    for (int i = 0; i < JUDGE_BIN_COUNT; i++)
        expect_near(copied.bins[i].se, 2 * alone.bins[i].se);
}

/* Arms are weighed by what they cost for the row, not by what they cost on average. */
static void who_is_dear_is_left_out(void **state)
{
    const struct judge_costs costs = {.expected = table.expected, .paid = table.paid};
    struct judge_mean mean;
    struct err err = {0};
    double gained = 0;

    (void)state;
    draw_table(1);
    for (int row = 0; row < ROW_COUNT; row++) {
        table.effects[row] = 1;
        table.scores[row * ARM_COUNT + 1] = 1;
        table.expected[row] = row % 2 ? 0.5 : 1.5; /* 1 on average */
        table.paid[row] = NAN;
    }
    assert_int_equal(judge_policy(&table.data, table.scores, table.effects, &costs, 1,
                                  table.gains, &mean, &err),
                     0);
    /* Half of the rows gain a half each, the others nothing: reached before these. */
    for (int tenth = 0; tenth < 5; tenth++)
        gained += 0.1 * 0.5 * (10 - tenth) / 10;
    expect_near(mean.value, gained);
    /* What was paid speaks for its arm by the inverse of its propensity. */
    for (int row = 0; row < ROW_COUNT; row++)
        table.paid[row] = 1 + table.expected[row];
    assert_int_equal(judge_policy(&table.data, table.scores, table.effects, &costs, 1,
                                  table.gains, &mean, &err),
                     0);
    assert_true(mean.value < gained - 0.2);
}

/* Effects twice as bold as they should be and 3 too high, with little noise; then with
 * none but noise. */
static void effects_are_set_right_as_far_as_chance_allows(void **state)
{
    struct judge_correction correction;
    struct judge_line line;
    struct err err = {0};
    struct rng rng;

    (void)state;
    draw_table(1000);
    rng_seed(&rng, 6);
    for (int row = 0; row < ROW_COUNT; row++)
        table.scores[row * ARM_COUNT + 1] =
            ((double)table.effects[row] - 3) / 2 + 5 * rng_normal(&rng);
    assert_int_equal(
        judge_line_fit(&table.data, table.scores, table.effects, 1, 0, 1, &line, &err),
        0);
    correction = judge_line_correct(&line);
    assert_true(fabs(correction.slope - 0.5) < 0.01);
    assert_true(fabs(correction.intercept + 1.5) < 4 * line.offset_se);
    for (int row = 0; row < ROW_COUNT; row++)
        table.scores[row * ARM_COUNT + 1] =
            (double)table.effects[row] + 1e5 * rng_normal(&rng);
    assert_int_equal(
        judge_line_fit(&table.data, table.scores, table.effects, 1, -1, 1, &line, &err),
        0);
    correction = judge_line_correct(&line);
    assert_true(fabs(correction.slope - 1) < fabs(line.slope - 1));
    assert_true(fabs(correction.intercept) < 2e4);
    /* Those that rank the wrong way say nothing any more. */
    for (int row = 0; row < ROW_COUNT; row++)
        table.scores[row * ARM_COUNT + 1] = -(double)table.effects[row];
    assert_int_equal(
        judge_line_fit(&table.data, table.scores, table.effects, 1, -1, 1, &line, &err),
        0);
    correction = judge_line_correct(&line);
    assert_true(correction.slope == 0);
    assert_true(fabs(correction.intercept - line.mean - line.offset) < line.offset_se);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_another_order_are_judged_the_same),
        cmocka_unit_test(effects_that_are_all_equal_are_worth_a_share_of_the_average),
        cmocka_unit_test(effects_that_differ_by_rounding_only_are_equal),
        cmocka_unit_test(effects_that_differ_between_folds_only_tell_no_rows_apart),
        cmocka_unit_test(the_unit_of_weights_changes_nothing),
        cmocka_unit_test(a_row_of_weight_two_is_two_rows_of_one_key),
        cmocka_unit_test(copies_of_a_customers_rows_add_nothing_to_what_is_known),
        cmocka_unit_test(who_is_dear_is_left_out),
        cmocka_unit_test(effects_are_set_right_as_far_as_chance_allows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
