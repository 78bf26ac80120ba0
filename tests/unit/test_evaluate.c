/* test_evaluate.c - links, widths of sums, and rows that do not see each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "infer/evaluate.h"

#include <math.h>
#include <stdio.h>

/* Trees that are single leaves, all of one group. */
static struct forest constant_forest(enum forest_dialect dialect,
                                     struct forest_node *leaves, int32_t *roots,
                                     int32_t *groups, double *base, int count)
{
    for (int i = 0; i < count; i++) {
        leaves[i].feature = -1;
        roots[i] = i;
        groups[i] = 0;
    }
    return (struct forest){
        .dialect = dialect,
        .link_slope = 1,
        .feature_count = 1,
        .group_count = 1,
        .tree_count = count,
        .trees_per_round = 1,
        .node_count = count,
        .base_margin = base,
        .roots = roots,
        .tree_groups = groups,
        .nodes = leaves,
    };
}

static void xgboost_sums_in_float_and_lightgbm_in_double(void **)
{
    struct forest_node leaves[3] = {
        {.threshold = 16777216}, {.threshold = 1}, {.threshold = 1}};
    int32_t roots[3], groups[3];
    double base = 0, row = 0, raw;
    struct forest forest =
        constant_forest(FOREST_XGBOOST, leaves, roots, groups, &base, 3);

    forest_raw(&forest, &row, 1, 0, 3, &raw);
    assert_true(raw == 16777216); /* 2^24 + 1 rounds back, twice */
    forest.dialect = FOREST_LIGHTGBM;
    forest_raw(&forest, &row, 1, 0, 3, &raw);
    assert_true(raw == 16777218);
}

static void weights_of_trees_multiply_leaves_in_float(void **)
{
    struct forest_node leaves[2] = {{.threshold = 0.1f}, {.threshold = 0.3f}};
    float weights[2] = {0.7f, 0.9f}, expected;
    int32_t roots[2], groups[2];
    double base = 0.5, row = 0, raw;
    struct forest forest =
        constant_forest(FOREST_XGBOOST, leaves, roots, groups, &base, 2);

    forest.tree_weights = weights;
    forest_raw(&forest, &row, 1, 0, 2, &raw);
    expected = 0.5f + weights[0] * 0.1f;
    expected += weights[1] * 0.3f;
    assert_true(raw == expected);
}

static void single_numbers_go_through_links(void **)
{
    static const struct {
        enum link link;
        double slope, raw, value;
    } points[] = {
        {LINK_IDENTITY, 1, -2, -2}, {LINK_SIGMOID, 1, 0, 0.5},
        {LINK_SIGMOID, 2, 800, 1},  {LINK_SIGMOID, 2, -800, 0},
        {LINK_EXP, 1, 0, 1},        {LINK_STEP, 1, 0, 0},
        {LINK_STEP, 1, 1e-300, 1},  {LINK_SQUARE, 1, -3, -9},
        {LINK_SQUARE, 1, 3, 9},     {LINK_LOG1P_EXP, 1, 0, 0.69314718055994529},
    };

    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        assert_true(fabs(link_apply(points[i].link, points[i].slope, points[i].raw) -
                         points[i].value) < 1e-15);
}

static void links_over_groups_see_the_whole_row(void **)
{
    const double raw[] = {1, 3, 2, 5, 5, 4};
    double prediction[6];
    struct forest forest = {.dialect = FOREST_LIGHTGBM, .group_count = 3};

    forest.link = LINK_SOFTMAX;
    forest_predict(&forest, raw, 2, 1, prediction);
    assert_true(fabs(prediction[0] + prediction[1] + prediction[2] - 1) < 1e-15);
    assert_true(fabs(prediction[1] / prediction[0] - exp(2)) < 1e-12);
    forest.link = LINK_SORT;
    forest_predict(&forest, raw, 2, 1, prediction);
    assert_true(prediction[0] == 1);
    assert_true(prediction[1] == 2);
    assert_true(prediction[2] == 3);
    assert_true(prediction[3] == 4);
    forest.link = LINK_ARGMAX;
    assert_int_equal(forest_prediction_count(&forest), 1);
    forest_predict(&forest, raw, 2, 1, prediction);
    assert_true(prediction[0] == 1);
    assert_true(prediction[1] == 0); /* the first of equals */
}

static void softmax_of_large_scores_does_not_overflow(void **)
{
    const double raw[] = {1e5, -1e5};
    double prediction[2];
    struct forest forest = {.group_count = 2, .link = LINK_SOFTMAX};

    forest_predict(&forest, raw, 1, 1, prediction);
    assert_true(prediction[0] == 1);
    assert_true(prediction[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xgboost_sums_in_float_and_lightgbm_in_double),
        cmocka_unit_test(weights_of_trees_multiply_leaves_in_float),
        cmocka_unit_test(single_numbers_go_through_links),
        cmocka_unit_test(links_over_groups_see_the_whole_row),
        cmocka_unit_test(softmax_of_large_scores_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
