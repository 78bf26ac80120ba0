/* test_scorer.c - effects, costs and what lies between the doses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/bundle_fixture.h"
#include "support/forest_fixture.h"
#include "infer/scorer.h"

#include <math.h>
#include <stdlib.h>

static struct scorer *scorer_of(const char *text)
{
    struct bundle *bundle = NULL;
    struct scorer *scorer = NULL;
    struct err err;

    err_clear(&err);
    if (bundle_read_json(text, strlen(text), &bundle, &err) ||
        scorer_open(bundle, &scorer, &err))
        fail_msg("%s", err.text);
    return scorer;
}

static void effects_of_two_models_are_their_difference_in_value(void **)
{
    struct scorer *scorer = scorer_of(bundle_small);
    const double rows[] = {3, 0, 1, 10, NAN, NAN};
    double effects[4], costs[4];
    struct err err;

    err_clear(&err);
    assert_int_equal(scorer_effects(scorer, rows, 2, effects, costs, &err), STATUS_OK);
    assert_true(effects[0] == 2 * (3 * 3 + 10 - 3)); /* small first: by rising dose */
    assert_true(effects[1] == 2 * (5 * 3 + 20 - 3));
    assert_true(effects[2] == 2 * (3 * 10 + 10 - 10));
    assert_true(effects[3] == 2 * (5 * 10 - 10));
    assert_true(costs[0] == 300);
    assert_true(costs[3] == 800);
    scorer_close(scorer);
}

static void a_single_learner_is_asked_with_and_without_the_dose(void **)
{
    struct scorer *scorer = scorer_of(bundle_s_learner);
    const double row[] = {3};
    double effects[2], costs[2], score;
    struct err err;

    err_clear(&err);
    assert_int_equal(scorer_effects(scorer, row, 1, effects, costs, &err), STATUS_OK);
    assert_true(effects[0] == 0.25);
    assert_true(effects[1] == 0.5);
    assert_true(isnan(costs[0]));
    assert_int_equal(scorer_components(scorer, row, &score, &err), STATUS_OK);
    assert_true(score == 10); /* without a dose */
    scorer_close(scorer);
}

static void rows_scored_together_get_what_they_get_alone(void **)
{
    static const char *const bundles[] = {bundle_small, bundle_s_learner};
    enum { ROW_COUNT = 150 };

    for (size_t b = 0; b < 2; b++) {
        struct scorer *scorer = scorer_of(bundles[b]);
        size_t width = (size_t)scorer_bundle(scorer)->feature_count;
        size_t arms = (size_t)scorer_bundle(scorer)->arm_count;
        double rows[ROW_COUNT * 8], together[ROW_COUNT * 8], alone[8];
        struct err err;

        assert_true(width <= 8 && arms <= 8);
        err_clear(&err);
        for (size_t i = 0; i < ROW_COUNT * width; i++)
            rows[i] = (double)(i * 7 % 31) / 4 - 1;
        assert_int_equal(scorer_effects(scorer, rows, ROW_COUNT, together, NULL, &err),
                         STATUS_OK);
        for (size_t r = 0; r < ROW_COUNT; r++) {
            assert_int_equal(
                scorer_effects(scorer, rows + r * width, 1, alone, NULL, &err),
                STATUS_OK);
            assert_memory_equal(alone, together + r * arms, arms * sizeof *alone);
        }
        scorer_close(scorer);
    }
}

static void examples_are_reproduced_or_refused(void **)
{
    static const char *const good[] = {bundle_small, bundle_s_learner};
    char *text = text_replaced(bundle_small, "[[64,32],[8,24]]", "[[64,32],[8,24.1]]");
    struct scorer *scorer;
    struct err err;

    err_clear(&err);
    for (size_t i = 0; i < 2; i++) {
        scorer = scorer_of(good[i]);
        if (scorer_check_examples(scorer, &err))
            fail_msg("%s", err.text);
        scorer_close(scorer);
    }
    scorer = scorer_of(text);
    assert_int_equal(scorer_check_examples(scorer, &err), STATUS_INVALID);
    assert_string_equal(err.text,
                        "/examples/effects/1: row 1, arm 'small': the effect is "
                        "24, not 24.100000000000001");
    scorer_close(scorer);
    free(text);
}

static void examples_are_compared_as_closely_as_the_bundle_says(void **)
{
    static const struct {
        const char *effects;
        enum status wanted;
    } rows[] = {
        {"[[64,32],[8,24]],\"tolerance\":0", STATUS_OK},
        {"[[64,32],[8,24.000000000000004]],\"tolerance\":0", STATUS_INVALID},
        {"[[64.000000000000014,32],[8,24]],\"tolerance\":0", STATUS_INVALID},
        {"[[64,32],[8,24.000000000000004]],\"tolerance\":1e-15", STATUS_OK},
        {"[[64,32],[8,24.00002]]", STATUS_OK},
        {"[[64,32],[8,24.00003]]", STATUS_INVALID},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = text_replaced(bundle_small, "[[64,32],[8,24]]", rows[i].effects);
        struct scorer *scorer = scorer_of(text);
        struct err err;

        err_clear(&err);
        if (scorer_check_examples(scorer, &err) != rows[i].wanted)
            fail_msg("%s: %s", rows[i].effects, err.text);
        scorer_close(scorer);
        free(text);
    }
}

static void amounts_between_doses_are_interpolated(void **)
{
    struct scorer *scorer = scorer_of(bundle_small);
    const double effects[] = {100, 160}, costs[] = {300, 900};
    static const struct {
        int64_t amount;
        double effect, cost;
    } points[] = {
        {0, 0, 0},       {-5, 0, 0},      {1, 0.25, 0.75},  {200, 50, 150},
        {400, 100, 300}, {700, 130, 600}, {1000, 160, 900}, {2000, 160, 1800},
    };

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        assert_true(scorer_effect_at(scorer, effects, points[i].amount, 5000) ==
                    points[i].effect);
        assert_true(fabs(scorer_cost_at(scorer, costs, points[i].amount, 5000) -
                         points[i].cost) < 1e-9);
    }
    scorer_close(scorer);
}

static void a_cost_is_never_negative_nor_above_the_amount(void **)
{
    struct scorer *scorer = scorer_of(bundle_small);
    const double costs[] = {-300, 9000};

    for (int64_t amount = 1; amount < 3000; amount += 7) {
        double cost = scorer_cost_at(scorer, costs, amount, 5000);

        assert_true(cost >= 0);
        assert_true(cost <= (double)amount);
    }
    scorer_close(scorer);
}

static void doses_may_be_shares_of_the_order(void **)
{
    struct scorer *scorer = scorer_of(bundle_s_learner);
    const double effects[] = {100, 160};

    assert_true(scorer_effect_at(scorer, effects, 1000, 2000) == 100);
    assert_true(scorer_effect_at(scorer, effects, 1500, 2000) == 130);
    assert_true(scorer_effect_at(scorer, effects, 9000, 2000) == 160);
    assert_true(scorer_effect_at(scorer, effects, 10, 0) == 160);
    assert_true(scorer_cost_at(scorer, NULL, 1000, 2000) == 900);
    scorer_close(scorer);
}

static void an_effect_that_is_not_finite_is_refused(void **)
{
    char *text = text_replaced(bundle_small, "\"value\":{\"scale\":2}",
                               "\"value\":{\"feature\":\"vip\"}");
    char *plain = text_replaced(text, "[[64,32],[8,24]]", "[[32,16],[4,12]]");
    struct scorer *scorer = scorer_of(plain);
    const double row[] = {3, 0, NAN};
    double effects[2];
    struct err err;

    err_clear(&err);
    assert_int_equal(scorer_effects(scorer, row, 1, effects, NULL, &err), STATUS_INVALID);
    scorer_close(scorer);
    free(text);
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effects_of_two_models_are_their_difference_in_value),
        cmocka_unit_test(a_single_learner_is_asked_with_and_without_the_dose),
        cmocka_unit_test(rows_scored_together_get_what_they_get_alone),
        cmocka_unit_test(examples_are_reproduced_or_refused),
        cmocka_unit_test(examples_are_compared_as_closely_as_the_bundle_says),
        cmocka_unit_test(amounts_between_doses_are_interpolated),
        cmocka_unit_test(a_cost_is_never_negative_nor_above_the_amount),
        cmocka_unit_test(doses_may_be_shares_of_the_order),
        cmocka_unit_test(an_effect_that_is_not_finite_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
