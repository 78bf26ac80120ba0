/* test_forest_forms.c - models that are more than a number per leaf: vector leaves,
 * linear leaves, no trees at all; worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forest_fixture.h"
#include "support/ubj_fixture.h"
#include "infer/evaluate.h"
#include "infer/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What stands around the trees of a model of two targets. */
#define VECTOR_MODEL(version, leaves)                                                    \
    "{\"learner\":{\"gradient_booster\":{\"model\":{\"gbtree_model_param\":{"            \
    "\"num_parallel_tree\":\"1\",\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":["     \
    "{\"default_left\":[1,0,0],\"id\":0,\"left_children\":[1,-1,-1],"                    \
    "\"split_conditions\":[5E-1,0,0],\"split_indices\":[0,0,0]," leaves                  \
    ",\"tree_param\":{\"num_feature\":\"1\",\"num_nodes\":\"3\","                        \
    "\"size_leaf_vector\":\"2\"}}]},\"name\":\"gbtree\"},\"learner_model_param\":{"      \
    "\"base_score\":\"[5E-1,0]\",\"num_class\":\"0\",\"num_feature\":\"1\","             \
    "\"num_target\":\"2\"},\"objective\":{\"name\":\"reg:squarederror\"}},"              \
    "\"version\":" version "}"

static const char vectors_in_nodes[] =
    VECTOR_MODEL("[2,1,0]", "\"right_children\":[2,-1,-1],"
                            "\"base_weights\":[NaN,9,1,2,3,4]");

/* The right child of a leaf is its row; nodes have one number of their own. */
static const char vectors_in_a_table[] =
    VECTOR_MODEL("[3,5,0]", "\"right_children\":[2,1,0],\"base_weights\":[7,8,9],"
                            "\"leaf_weights\":[3,4,1,2]");

#define LINEAR_MODEL(weights)                                                            \
    "{\"learner\":{\"gradient_booster\":{\"model\":{\"boosted_rounds\":3,"               \
    "\"weights\":" weights "},\"name\":\"gblinear\"},\"learner_model_param\":{"          \
    "\"base_score\":\"5E-1\",\"num_class\":\"2\",\"num_feature\":\"2\","                 \
    "\"num_target\":\"1\"},\"objective\":{\"name\":\"multi:softprob\"}},"                \
    "\"version\":[1,7,4]}"

static const char linear_model[] = LINEAR_MODEL("[1,10,2,-20,0.25,-1]");

static struct forest *read_text(const char *text, size_t bytes)
{
    struct bundle_model model;
    struct err err;

    err_clear(&err);
    if (model_read(text, bytes, &model, &err))
        fail_msg("%s", err.text);
    assert_non_null(model.forest);
    return model.forest;
}

static void check_refused(const char *text, const char *message)
{
    struct bundle_model model;
    struct err err;

    err_clear(&err);
    assert_int_not_equal(model_read(text, strlen(text), &model, &err), STATUS_OK);
    if (!strstr(err.text, message))
        fail_msg("'%s' does not say '%s'", err.text, message);
}

static void check_vectors(const struct forest *forest)
{
    static const struct {
        double x, raw[2];
        int leaf;
    } rows[] = {{0, {1.5, 2}, 1}, {0.5, {3.5, 4}, 2}, {NAN, {1.5, 2}, 1}};

    assert_int_equal(forest->form, FOREST_OF_VECTORS);
    assert_int_equal(forest_round_count(forest), 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double raw[2];
        int32_t leaf = -1;

        forest_raw(forest, &rows[i].x, 1, 0, 1, raw);
        forest_leaves(forest, &rows[i].x, 1, 0, 1, &leaf);
        assert_true(raw[0] == rows[i].raw[0]);
        assert_true(raw[1] == rows[i].raw[1]);
        assert_int_equal(leaf, rows[i].leaf);
    }
}

static void vector_leaves_are_read_as_both_versions_save_them(void **)
{
    struct forest *forest = read_text(vectors_in_nodes, strlen(vectors_in_nodes));
    char *ubj;
    size_t bytes;

    check_vectors(forest);
    forest_free(forest);
    forest = read_text(vectors_in_a_table, strlen(vectors_in_a_table));
    check_vectors(forest);
    forest_free(forest);
    ubj = ubj_of(vectors_in_a_table, 1, &bytes);
    forest = read_text(ubj, bytes);
    check_vectors(forest);
    forest_free(forest);
    free(ubj);
}

static void unsound_vector_leaves_are_refused(void **)
{
    static const struct {
        const char *from, *to, *message;
    } edits[] = {
        {"[2,1,0]", "[2,2,0]", "trees[0].right_children[1]: row 2 of 2 leaves"},
        {"[2,1,0]", "[2,-1,0]", "trees[0].right_children[1]: row -1 of 2 leaves"},
        {"[3,4,1,2]", "[3,4,1]", "trees[0].leaf_weights: 3 entries are no rows of 2"},
        {"[3,4,1,2]", "[3,4,1,NaN]", "trees[0].leaf_weights[3]: is not finite"},
        {"[3,4,1,2]", "[3,4,1,1E39]", "trees[0].leaf_weights[3]: is not finite"},
        {"\"size_leaf_vector\":\"2\"", "\"size_leaf_vector\":\"1\"",
         "trees[0].leaf_weights: tree_param.size_leaf_vector is 1"},
        {"\"num_target\":\"2\"", "\"num_target\":\"1\"",
         "tree_param.size_leaf_vector: is 2 for 1 outputs"},
        {"\"tree_info\":[0]", "\"tree_info\":[1]", "tree_info[0]: group 1 of 2"},
        {"\"tree_info\":[0]", "\"weight_drop\":[1],\"tree_info\":[0]",
         "weight_drop: is not supported for trees with vector leaves"},
    };

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char *text = text_replaced(vectors_in_a_table, edits[i].from, edits[i].to);

        check_refused(text, edits[i].message);
        free(text);
    }
}

static void a_linear_booster_adds_up_what_is_not_missing(void **)
{
    static const struct {
        double features[2], raw[2];
    } rows[] = {{{0, 0}, {0.75, -0.5}},
                {{1, 0.5}, {2.75, -0.5}},
                {{NAN, 2}, {4.75, -40.5}},
                {{NAN, NAN}, {0.75, -0.5}}};
    struct forest *forest = read_text(linear_model, strlen(linear_model));

    assert_int_equal(forest->form, FOREST_OF_NO_TREES);
    assert_int_equal(forest_round_count(forest), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double raw[2], prediction[2];

        forest_raw(forest, rows[i].features, 1, 0, 0, raw);
        assert_true(raw[0] == rows[i].raw[0]);
        assert_true(raw[1] == rows[i].raw[1]);
        forest_predict(forest, raw, 1, 0, prediction);
        assert_true(fabs(prediction[0] + prediction[1] - 1) < 1e-6);
    }
    forest_free(forest);
}

static void an_unsound_linear_booster_is_refused(void **)
{
    check_refused(LINEAR_MODEL("[1,10,2,-20,0.25]"),
                  "weights: has 5 entries for 2 features and 2 outputs");
    check_refused(LINEAR_MODEL("[1,10,2,-20,0.25,NaN]"), "weights[5]: is not finite");
    check_refused(LINEAR_MODEL("[1,10,2,-20,0.25,1E39]"), "weights[5]: is not finite");
    check_refused(LINEAR_MODEL("[1,1],\"trees\":[]"), "trees: the booster is gblinear");
}

/* Leaves: 1 + 0.5 f0 - 2 f1 | 2 | 3 + 4 f1, and 10, 20, 30 where one of them is
 * missing. */
static void linear_leaves_give_their_number_where_a_feature_is_missing(void **)
{
    static const struct {
        double features[2], raw;
    } rows[] = {{{1, 0.25}, 1}, {{1, NAN}, 10}, {{-1e9, 0}, -499999999}, {{2, -3}, 2},
                {{2, NAN}, 30}, {{2, 0.5}, 5},  {{NAN, -1}, 2},          {{NAN, 2}, 11}};
    char *text = text_replaced(lightgbm_small, "is_linear=0",
                               "is_linear=1\n"
                               "leaf_const=1 2 3\n"
                               "num_features=2 0 1\n"
                               "leaf_features=0 1   1  \n"
                               "leaf_coeff=0.5 -2   4  ");
    struct forest *forest = read_text(text, strlen(text));

    assert_int_equal(forest->form, FOREST_OF_LINES);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double raw;

        forest_raw(forest, rows[i].features, 1, 0, 1, &raw);
        if (raw != rows[i].raw)
            fail_msg("row %zu: %.17g, not %.17g", i, raw, rows[i].raw);
    }
    forest_free(forest);
    free(text);
}

/* LightGBM takes what lies within 1e-35f of 0 for 0, also as an input of a leaf. */
static void linear_leaves_take_tiny_values_for_zero(void **)
{
    static const struct {
        double feature, raw;
    } rows[] = {{1e-35, 1}, {-1.0000000180025095e-35, 1}, {2e-35, 3}};
    char *text = text_replaced(lightgbm_small, "is_linear=0",
                               "is_linear=1\n"
                               "leaf_const=1 2 3\n"
                               "num_features=1 0 0\n"
                               "leaf_features=0   \n"
                               "leaf_coeff=1e35   ");
    struct forest *forest = read_text(text, strlen(text));

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double row[2] = {rows[i].feature, 0};
        double raw;

        forest_raw(forest, row, 1, 0, 1, &raw);
        if (!(fabs(raw - rows[i].raw) < 1e-6))
            fail_msg("%g: %.17g, not %.17g", rows[i].feature, raw, rows[i].raw);
    }
    forest_free(forest);
    free(text);
}

static void check_engine(const char *text, bool needs_evaluator)
{
    struct forest *forest = read_text(text, strlen(text));
    const struct forest *forests[] = {forest};
    struct engine *engine;
    struct err err;

    err_clear(&err);
    assert_int_equal(forest->needs_evaluator, needs_evaluator);
    assert_int_equal(engine_open(forests, 1, &engine, &err), STATUS_OK);
    assert_int_equal(strcmp(engine_kernel_name(engine, 0, 1), "plain") == 0,
                     needs_evaluator);
    engine_close(engine);
    forest_free(forest);
}

static void engines_leave_such_models_to_the_plain_evaluator(void **)
{
    char *lines = text_replaced(lightgbm_small, "is_linear=0",
                                "is_linear=1\nleaf_const=1 2 3\nnum_features=0 0 0\n"
                                "leaf_features=   \nleaf_coeff=   ");

    check_engine(xgboost_small, false);
    check_engine(lightgbm_small, false);
    check_engine(vectors_in_nodes, true);
    check_engine(linear_model, true);
    check_engine(lines, true);
    free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_leaves_are_read_as_both_versions_save_them),
        cmocka_unit_test(unsound_vector_leaves_are_refused),
        cmocka_unit_test(a_linear_booster_adds_up_what_is_not_missing),
        cmocka_unit_test(an_unsound_linear_booster_is_refused),
        cmocka_unit_test(linear_leaves_give_their_number_where_a_feature_is_missing),
        cmocka_unit_test(linear_leaves_take_tiny_values_for_zero),
        cmocka_unit_test(engines_leave_such_models_to_the_plain_evaluator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
