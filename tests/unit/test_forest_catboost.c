/* test_forest_catboost.c - what the CatBoost reader accepts, how it refuses, and small
 * models worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forest_fixture.h"
#include "infer/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Leaf: bit 0 is tenure > 0.5 (NaN counts as larger), bit 1 is orders > -2.25 (NaN does
 * not). Half of the sum, and 10. tenure is the second column. */
static const char small[] =
    "{\"features_info\":{\"float_features\":["
    "{\"borders\":[0.5,1.5],\"feature_index\":0,\"flat_feature_index\":1,"
    "\"has_nans\":true,\"nan_value_treatment\":\"AsTrue\",\"feature_id\":\"tenure\"},"
    "{\"borders\":[-2.25],\"feature_index\":1,\"flat_feature_index\":0,"
    "\"has_nans\":false,\"nan_value_treatment\":\"AsIs\",\"feature_id\":\"orders\"}]},"
    "\"model_info\":{\"params\":{\"loss_function\":{\"params\":{},\"type\":\"RMSE\"}}},"
    "\"oblivious_trees\":["
    "{\"leaf_values\":[1,2,4,8],\"leaf_weights\":[1,1,1,1],\"splits\":["
    "{\"border\":0.5,\"float_feature_index\":0,\"split_index\":0,"
    "\"split_type\":\"FloatFeature\"},"
    "{\"border\":-2.25,\"float_feature_index\":1,\"split_index\":2,"
    "\"split_type\":\"FloatFeature\"}]},"
    "{\"leaf_values\":[16],\"splits\":null}],"
    "\"scale_and_bias\":[0.5,[10]]}";

static struct forest *read_text(const char *text)
{
    struct bundle_model model;
    struct err err;

    err_clear(&err);
    if (model_read(text, strlen(text), &model, &err))
        fail_msg("%s", err.text);
    assert_non_null(model.forest);
    return model.forest;
}

static struct forest *read_edited(const char *from, const char *to)
{
    char *text = text_replaced(small, from, to);
    struct forest *forest = read_text(text);

    free(text);
    return forest;
}

static void a_small_model_scores_as_worked_out_by_hand(void **)
{
    static const struct {
        double features[2]; /* orders, tenure */
        int leaf;
    } rows[] = {
        {{-3, 0}, 0},
        {{-3, 0.5}, 0},        /* on the border: not larger */
        {{-3, 0.50000001}, 0}, /* 0.5 as float32 */
        {{-3, 0.5000001}, 1},
        {{-2.25, 0}, 0},
        {{0, 0}, 2},
        {{0, 1}, 3},
        {{-3, NAN}, 1},
        {{NAN, 0}, 0},
        {{INFINITY, INFINITY}, 3},
        {{-INFINITY, -INFINITY}, 0},
    };
    static const double values[] = {1, 2, 4, 8};
    struct forest *forest = read_text(small);

    assert_int_equal(forest->dialect, FOREST_CATBOOST);
    assert_true(forest->needs_evaluator);
    assert_int_equal(forest_round_count(forest), 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int32_t leaves[2];
        double raw;

        forest_leaves(forest, rows[i].features, 1, 0, 2, leaves);
        assert_int_equal(leaves[0], rows[i].leaf);
        assert_int_equal(leaves[1], 0);
        forest_raw(forest, rows[i].features, 1, 0, 2, &raw);
        assert_true(raw == (values[rows[i].leaf] + 16) / 2 + 10);
    }
    forest_free(forest);
}

static void a_border_of_zero_tells_the_smallest_number_from_zero(void **)
{
    struct forest *forest = read_edited("\"border\":0.5", "\"border\":0");
    const double rows[][2] = {{-3, 0.0}, {-3, -0.0}, {-3, 0x1p-149}, {-3, 1e-320}};
    const int leaves[] = {0, 0, 1, 0}; /* 1e-320 is 0 as float32 */

    for (int i = 0; i < 4; i++) {
        int32_t leaf[2];

        forest_leaves(forest, rows[i], 1, 0, 2, leaf);
        assert_int_equal(leaf[0], leaves[i]);
    }
    forest_free(forest);
}

static void a_leaf_may_have_a_number_for_every_class(void **)
{
    char *first = text_replaced(small, "[1,2,4,8]", "[1,-1,2,-2,4,-4,8,-8]");
    char *second = text_replaced(first, "[16]", "[16,0]");
    char *loss = text_replaced(second, "RMSE", "MultiClass");
    char *text = text_replaced(loss, "[0.5,[10]]", "[1,[]]");
    const double row[] = {0, 0};
    struct forest *forest = read_text(text);
    double raw[2], prediction[2];

    assert_int_equal(forest->form, FOREST_OF_VECTORS);
    forest_raw(forest, row, 1, 0, 2, raw);
    assert_true(raw[0] == 20);
    assert_true(raw[1] == -4);
    forest_predict(forest, raw, 1, 2, prediction);
    assert_true(fabs(prediction[1] - 1 / (1 + exp(24))) < 1e-15);
    forest_free(forest);
    free(first);
    free(second);
    free(loss);
    free(text);
}

static void old_files_have_no_scale_and_no_names(void **)
{
    struct forest *forest = read_edited(",\"scale_and_bias\":[0.5,[10]]", "");
    const double row[] = {0, 0};
    double raw;

    forest_raw(forest, row, 1, 0, 2, &raw);
    assert_true(raw == 20);
    assert_null(forest->feature_names); /* not in the order of the columns */
    forest_free(forest);
    forest = read_edited("[0.5,[10]]", "[0.5,10]");
    forest_raw(forest, row, 1, 0, 2, &raw);
    assert_true(raw == 20);
    forest_free(forest);
}

static void names_are_those_of_the_columns(void **)
{
    char *first =
        text_replaced(small, "\"flat_feature_index\":1", "\"flat_feature_index\":9");
    char *second =
        text_replaced(first, "\"flat_feature_index\":0", "\"flat_feature_index\":1");
    char *text =
        text_replaced(second, "\"flat_feature_index\":9", "\"flat_feature_index\":0");
    struct forest *forest = read_text(text);

    assert_string_equal(forest->feature_names[0], "tenure");
    assert_string_equal(forest->feature_names[1], "orders");
    forest_free(forest);
    free(first);
    free(second);
    free(text);
}

static void links_follow_the_loss(void **)
{
    static const struct {
        const char *loss;
        double prediction;
    } losses[] = {{"RMSE", 1},
                  {"Poisson", 2.718281828459045},
                  {"Logloss", 0.7310585786300049},
                  {"CrossEntropy", 0.7310585786300049}};

    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        struct forest *forest = read_edited("RMSE", losses[i].loss);
        double raw = 1, prediction;

        forest_predict(forest, &raw, 1, 2, &prediction);
        assert_true(fabs(prediction - losses[i].prediction) < 1e-14);
        forest_free(forest);
    }
}

static void every_unsound_file_is_refused_with_its_place(void **)
{
    static const struct {
        const char *from, *to, *message;
    } edits[] = {
        {"\"split_type\":\"FloatFeature\"}]}", "\"split_type\":\"OnlineCtr\"}]}",
         "oblivious_trees[0].splits[1]: byte 611: splits of type 'OnlineCtr'"},
        {"\"split_type\":\"FloatFeature\"}]}", "\"split_type\":\"OneHotFeature\"}]}",
         "splits of type 'OneHotFeature' are not supported"},
        {"\"oblivious_trees\"", "\"trees\"", "only oblivious trees"},
        {"\"oblivious_trees\"", "\"other\"", "oblivious_trees: is missing"},
        {"\"features_info\"", "\"model_infos\"", "features_info: is missing"},
        {"\"border\":0.5", "\"border\":1e39", "oblivious_trees[0].splits[0]: byte"},
        {"\"border\":0.5", "\"border\":null", "oblivious_trees[0].splits[0]: byte"},
        {"\"border\":0.5,", "", "oblivious_trees[0].splits[0]: byte"},
        {"\"float_feature_index\":1", "\"float_feature_index\":2",
         "oblivious_trees[0].splits: feature 2 of 2"},
        {"\"float_feature_index\":1", "\"float_feature_index\":-1", "feature -1 of"},
        {"\"float_feature_index\":1", "\"float_feature_index\":1.5",
         "oblivious_trees[0].splits[1]: byte"},
        {"[1,2,4,8]", "[1,2,4]", "oblivious_trees[0]: leaf_values: has 3 entries for 4"},
        {"[1,2,4,8]", "[]", "leaf_values: has 0 entries for 4 leaves"},
        {"[1,2,4,8]", "[1,2,4,1e999]", "oblivious_trees[0]: byte"},
        {"[16]", "[16,17]", "oblivious_trees[1]: leaf_values: 2 outputs, the first"},
        {"\"flat_feature_index\":1", "\"flat_feature_index\":0",
         "float_features[1]: flat_feature_index 0 is taken"},
        {"\"flat_feature_index\":1", "\"flat_feature_index\":65536",
         "float_features[0]: byte"},
        {"\"flat_feature_index\":1,", "", "float_features[0]: byte"},
        {"\"feature_index\":1", "\"feature_index\":0", "float_features[1]: byte"},
        {"AsTrue", "AsMaybe", "nan_value_treatment 'AsMaybe'"},
        {"RMSE", "Other", "loss_function: 'Other' is not supported"},
        {"[0.5,[10]]", "[0.5,[10,11]]", "scale_and_bias: 2 biases for 1 outputs"},
        {"[0.5,[10]]", "[0.5,[10],1]", "scale_and_bias: byte"},
        {"[0.5,[10]]", "[]", "scale_and_bias: byte"},
        {"\"scale_and_bias\":[0.5,[10]]",
         "\"scale_and_bias\":[0.5,[10]],\"scale_and_bias\":[1,[1]]", "is given twice"},
        {"[0.5,[10]]}", "[0.5,[10]]}}", "byte"},
    };

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char *text = text_replaced(small, edits[i].from, edits[i].to);
        struct forest *forest = NULL;
        struct err err;

        err_clear(&err);
        if (!forest_read_catboost(text, strlen(text), &forest, &err))
            fail_msg("'%s' as '%s' was accepted", edits[i].from, edits[i].to);
        if (!strstr(err.text, edits[i].message))
            fail_msg("'%s': '%s' does not say '%s'", edits[i].to, err.text,
                     edits[i].message);
        free(text);
    }
}

static void a_deeper_tree_than_catboost_grows_is_refused(void **)
{
    enum { SPLIT_COUNT = 17 };
    static const char split[] = "{\"border\":0,\"float_feature_index\":0,"
                                "\"split_type\":\"FloatFeature\"}";
    char splits[SPLIT_COUNT * sizeof split + 8] = "[";
    struct forest *forest = NULL;
    struct err err;
    char *text;

    for (int i = 0; i < SPLIT_COUNT; i++) {
        strcat(splits, i ? "," : "");
        strcat(splits, split);
    }
    strcat(splits, "]");
    text = text_replaced(small, "null", splits);
    err_clear(&err);
    assert_int_equal(forest_read_catboost(text, strlen(text), &forest, &err),
                     STATUS_TOO_LARGE);
    assert_non_null(strstr(err.text, "oblivious_trees[1].splits[16]: byte"));
    free(text);
}

static void no_prefix_of_a_file_is_accepted(void **)
{
    for (size_t bytes = 0; bytes < strlen(small); bytes++) {
        char *prefix = malloc(bytes + 1); /* its own block, so that ASan sees the end */
        struct forest *forest = NULL;
        struct err err;

        assert_non_null(prefix);
        memcpy(prefix, small, bytes);
        err_clear(&err);
        assert_int_not_equal(forest_read_catboost(prefix, bytes, &forest, &err),
                             STATUS_OK);
        assert_true(err.text[0] != 0);
        free(prefix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_model_scores_as_worked_out_by_hand),
        cmocka_unit_test(a_border_of_zero_tells_the_smallest_number_from_zero),
        cmocka_unit_test(a_leaf_may_have_a_number_for_every_class),
        cmocka_unit_test(old_files_have_no_scale_and_no_names),
        cmocka_unit_test(names_are_those_of_the_columns),
        cmocka_unit_test(links_follow_the_loss),
        cmocka_unit_test(every_unsound_file_is_refused_with_its_place),
        cmocka_unit_test(a_deeper_tree_than_catboost_grows_is_refused),
        cmocka_unit_test(no_prefix_of_a_file_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
