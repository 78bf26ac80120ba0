/* test_forest_xgboost.c - what the XGBoost reader accepts, and how it refuses. */
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

/* One edit of the small model, and what the reader says. */
struct edit {
    const char *from, *to, *message;
};

static void check_edit(const struct edit *edit)
{
    char *text = text_replaced(xgboost_small, edit->from, edit->to);
    struct forest *forest = NULL;
    struct err err;
    enum status rc;

    err_clear(&err);
    rc = forest_read_xgboost(text, strlen(text), &forest, &err);
    free(text);
    if (!rc) {
        forest_free(forest);
        fail_msg("'%s' as '%s' was accepted", edit->from, edit->to);
    }
    if (!strstr(err.text, edit->message))
        fail_msg("'%s' as '%s': '%s' does not say '%s'", edit->from, edit->to, err.text,
                 edit->message);
}

static void every_unsound_file_is_refused_with_its_place(void **)
{
    static const struct edit edits[] = {
        /* children */
        {"[1,-1,3,-1,-1]", "[1,-1,93,-1,-1]", "trees[0].left_children[2]: 93 of 5 nodes"},
        {"[1,-1,3,-1,-1]", "[1,-1,-3,-1,-1]", "trees[0].left_children[2]: -3 of 5 nodes"},
        {"[1,-1,3,-1,-1]", "[1,-1,0,-1,-1]",
         "trees[0].left_children[2]: node 0 is met twice"},
        {"[1,-1,3,-1,-1]", "[1,-1,4,-1,-1]",
         "trees[0].right_children[2]: node 4 is met twice"},
        {"[2,-1,4,-1,-1]", "[2,4,4,-1,-1]", "trees[0].right_children[1]: 4, but"},
        {"[1,-1,3,-1,-1]", "[1,-1,3.0,-1,-1]", "trees[0].left_children[2]: byte"},
        {"[1,-1,3,-1,-1]", "[1,-1,\"3\",-1,-1]", "trees[0].left_children[2]: byte"},
        {"[1,-1,3,-1,-1]", "[1,-1,4294967299,-1,-1]", "does not fit into 32 bits"},
        {"[1,-1,3,-1,-1]", "[1,-1,03,-1,-1]", "trees[0].left_children"},
        {"[1,-1,3,-1,-1]", "[1,-1,3,-1]", "trees[0].left_children: has 4 entries for 5"},
        {"[1,-1,3,-1,-1]", "[1,-1,3,-1,-1,]", "trees[0].left_children"},
        {"\"left_children\":[1,-1,3,-1,-1],", "", "trees[0].left_children: is missing"},
        {"\"id\":0", "\"id\":1", "trees[0].id: byte"},
        /* splits */
        {"\"split_indices\":[0,0,1,0,0]", "\"split_indices\":[0,0,2,0,0]",
         "trees[0].split_indices[2]: feature 2 of 2"},
        {"\"split_indices\":[0,0,1,0,0]", "\"split_indices\":[0,0,-1,0,0]",
         "trees[0].split_indices[2]: feature -1"},
        {"[5E-1,1E0,-2E0", "[NaN,1E0,-2E0",
         "trees[0].split_conditions[0]: is not finite"},
        {"[5E-1,1E0,-2E0", "[5E-1,Infinity,-2E0", "trees[0].split_conditions[1]: is not"},
        {"[5E-1,1E0,-2E0", "[5E-1,1E39,-2E0",
         "trees[0].split_conditions[1]: is not finite"},
        {"[5E-1,1E0,-2E0", "[5E-1,1E999,-2E0", "trees[0].split_conditions[1]: byte"},
        {"[5E-1,1E0,-2E0", "[nan,1E0,-2E0", "trees[0].split_conditions[0]: byte"},
        {"\"default_left\":[0,0,1,0,0]", "\"default_left\":[0,0,2,0,0]",
         "trees[0].default_left[2]: byte"},
        {"\"split_type\":[0,0,0,0,0]", "\"split_type\":[0,0,2,0,0]",
         "trees[0].split_type[2]: 2 is not known"},
        {"\"split_type\":[0,0,0,0,0]", "\"split_type\":[0,0,1,0,0]",
         "trees[0].split_type[2]: no categories"},
        {"\"sum_hessian\":[4,2,2,1,1]", "\"sum_hessian\":[4,2,2,1]",
         "trees[0].sum_hessian: has 4 entries"},
        {"\"num_nodes\":\"5\"", "\"num_nodes\":\"6\"", "has 5 entries for 6 nodes"},
        {"\"num_nodes\":\"5\"", "\"num_nodes\":5", "trees[0].tree_param.num_nodes: byte"},
        {"\"num_nodes\":\"5\"", "\"num_nodes\":\"0\"", "0 is not in [1"},
        {"\"num_nodes\":\"5\",\"size_leaf_vector\":\"0\"",
         "\"num_nodes\":\"5\",\"size_leaf_vector\":\"3\"",
         "trees[0].base_weights: has 5 entries for 5 nodes with 3 numbers"},
        /* counts over trees */
        {"\"num_trees\":\"2\"", "\"num_trees\":\"3\"", "trees: 2, but num_trees is 3"},
        {"\"num_trees\":\"2\"", "\"num_trees\":\"9999999999\"", "is not in [0, 100000]"},
        {"\"tree_info\":[0,0]", "\"tree_info\":[0]",
         "tree_info: has 1 entries for 2 trees"},
        {"\"tree_info\":[0,0]", "\"tree_info\":[0,1]", "tree_info[1]: group 1 of 1"},
        {"\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"iteration_indptr\":[0,2]",
         "iteration_indptr[1]: is 2, not 1"},
        {"\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"iteration_indptr\":[0,1]",
         "iteration_indptr: has 2 entries"},
        {"\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"weight_drop\":[1]",
         "weight_drop: has 1 entries for 2 trees"},
        {"\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"weight_drop\":[1,NaN]",
         "weight_drop[1]: is not finite"},
        {"\"num_parallel_tree\":\"1\"", "\"num_parallel_tree\":\"4\"",
         "not whole rounds of 4"},
        {"\"tree_info\":[0,0]",
         "\"cats\":{\"enc\":[{}],\"feature_segments\":[],\"sorted_idx\":[]},"
         "\"tree_info\":[0,0]",
         "encoded categories are not supported"},
        /* the learner */
        {"\"name\":\"gbtree\"", "\"name\":\"other\"", "'other' is not supported"},
        {"\"name\":\"gbtree\"", "\"name\":\"gblinear\"",
         "trees: the booster is gblinear"},
        {"\"tree_info\":[0,0]", "\"tree_info\":[0,0],\"weights\":[1,2,3]",
         "weights: the booster is not gblinear"},
        {"\"name\":\"gbtree\"", "\"name\":\"dart\"", "weight_drop: is missing"},
        {"binary:logistic", "binary:other", "'binary:other' is not supported"},
        {"\"base_score\":\"5E-1\"", "\"base_score\":\"1E0\"", "is not in (0, 1)"},
        {"\"base_score\":\"5E-1\"", "\"base_score\":\"[5E-1,5E-1]\"",
         "2 numbers for 1 outputs"},
        {"\"base_score\":\"5E-1\"", "\"base_score\":\"[]\"", "0 numbers for 1 outputs"},
        {"\"base_score\":\"5E-1\"", "\"base_score\":\"nan\"",
         "base_score: 'nan' is not a number"},
        {"\"base_score\":\"5E-1\"", "\"base_score\":\"5E-1 \\u0000\"", "base_score"},
        {"\"num_feature\":\"2\",\"num_target\"", "\"num_feature\":\"1\",\"num_target\"",
         "trees[0].split_indices[2]: feature 1 of 1"},
        {"\"num_feature\":\"2\",\"num_target\"",
         "\"num_feature\":\"99999999\",\"num_target\"", "is not in [0, 65536]"},
        {"\"feature_names\":[]", "\"feature_names\":[\"a\"]",
         "feature_names: 1 for 2 features"},
        {"\"feature_names\":[]", "\"feature_names\":[\"a\",\"b\\u0000\"]", "holds a NUL"},
        {"\"feature_names\":[]", "\"feature_names\":[\"a\",\"a\"]",
         "feature_names[1]: 'a' is given twice"},
        {"\"version\":[1,7,4]", "\"version\":[4,0,0]", "XGBoost 4.0.0 is not supported"},
        {"\"version\":[1,7,4]", "\"version\":[0,9,0]", "XGBoost 0.9.0 is not supported"},
        {",\"version\":[1,7,4]", "", "version: is missing"},
        {"\"version\":[1,7,4]", "\"version\":[1,7,4],\"version\":[1,7,4]",
         "is given twice"},
        {"\"version\":[1,7,4]}", "\"version\":[1,7,4]", "byte"},
        {"\"version\":[1,7,4]}", "\"version\":[1,7,4]}}", "byte"},
        {"\"learner\":{\"attributes\"", "\"other\":{\"attributes\"",
         "learner: is missing"},
    };

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
        check_edit(&edits[i]);
}

static struct forest *read_edited(const char *from, const char *to)
{
    char *text = text_replaced(xgboost_small, from, to);
    struct forest *forest = NULL;
    struct err err;

    err_clear(&err);
    if (forest_read_xgboost(text, strlen(text), &forest, &err))
        fail_msg("%s", err.text);
    free(text);
    return forest;
}

static void nodes_out_of_reach_do_not_matter(void **)
{
    /* Node 2 becomes a leaf: 3 and 4 were pruned. */
    char *left = text_replaced(xgboost_small, "[1,-1,3,-1,-1]", "[1,-1,-1,99,-1]");
    char *text = text_replaced(left, "[2,-1,4,-1,-1]", "[2,-1,-1,99,-1]");
    struct forest *forest = NULL;
    struct err err;

    err_clear(&err);
    assert_int_equal(forest_read_xgboost(text, strlen(text), &forest, &err), STATUS_OK);
    assert_int_equal(forest->node_count, 4);
    forest_free(forest);
    free(left);
    free(text);
}

static void every_form_of_the_base_score_is_understood(void **)
{
    static const struct {
        const char *score;
        double margin;
    } scores[] = {
        {"5E-1", 0}, {"[5E-1]", 0}, {"0.25", -1.0986123}, {"[2.5e-1]", -1.0986123}};

    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        char to[64];
        struct forest *forest;

        snprintf(to, sizeof to, "\"base_score\":\"%s\"", scores[i].score);
        forest = read_edited("\"base_score\":\"5E-1\"", to);
        assert_true(fabs(forest->base_margin[0] - scores[i].margin) < 1e-6);
        forest_free(forest);
    }
}

static void a_base_score_per_group_is_kept_apart(void **)
{
    char *score = text_replaced(xgboost_small, "\"base_score\":\"5E-1\"",
                                "\"base_score\":\"[1E0,-2E0]\"");
    char *groups = text_replaced(score, "\"num_class\":\"0\"", "\"num_class\":\"2\"");
    char *info = text_replaced(groups, "\"tree_info\":[0,0]", "\"tree_info\":[0,1]");
    char *text = text_replaced(info, "binary:logistic", "multi:softprob");
    const double row[] = {0, 0};
    struct forest *forest = NULL;
    struct err err;
    double raw[2];

    err_clear(&err);
    assert_int_equal(forest_read_xgboost(text, strlen(text), &forest, &err), STATUS_OK);
    assert_int_equal(forest_round_count(forest), 1);
    forest_raw(forest, row, 1, 0, 1, raw);
    assert_true(raw[0] == 2);
    assert_true(raw[1] == -1.75);
    forest_free(forest);
    free(score);
    free(groups);
    free(info);
    free(text);
}

static void dart_is_read_as_both_versions_save_it(void **)
{
    const double row[] = {0, 0};
    char *model = text_replaced(xgboost_small, "\"gradient_booster\":{\"model\":",
                                "\"gradient_booster\":{\"gbtree\":{\"model\":");
    char *old = text_replaced(model, "\"name\":\"gbtree\"}",
                              "\"name\":\"gbtree\"},\"name\":\"dart\","
                              "\"weight_drop\":[5E-1,2E0]}");
    struct forest *forest = NULL;
    struct err err;
    double raw;

    err_clear(&err);
    if (forest_read_xgboost(old, strlen(old), &forest, &err))
        fail_msg("%s", err.text);
    forest_raw(forest, row, 1, 0, 2, &raw);
    assert_true(raw == 1); /* 1 x 0.5 + 0.25 x 2 */
    forest_free(forest);
    forest = read_edited("\"tree_info\":[0,0]",
                         "\"tree_info\":[0,0],\"weight_drop\":[5E-1,2E0]");
    forest_raw(forest, row, 1, 0, 2, &raw);
    assert_true(raw == 1);
    forest_free(forest);
    free(model);
    free(old);
}

static void categories_in_the_set_go_right(void **)
{
    static const struct {
        double value;
        int leaf;
    } rows[] = {{1, 2},  {40, 2}, {40.9, 2}, {0, 1},  {39, 1},
                {41, 1}, {-1, 1}, {1e9, 1},  {NAN, 1}};
    char *type = text_replaced(xgboost_small, "\"split_type\":[0,0,0,0,0]",
                               "\"split_type\":[1,0,0,0,0]");
    char *sets = text_replaced(type,
                               "\"categories\":[],\"categories_nodes\":[],"
                               "\"categories_segments\":[],\"categories_sizes\":[],"
                               "\"default_left\":[0,0,1,0,0]",
                               "\"categories\":[1,40],\"categories_nodes\":[0],"
                               "\"categories_segments\":[0],\"categories_sizes\":[2],"
                               "\"default_left\":[1,0,1,0,0]");
    char *text = text_replaced(sets, "[5E-1,1E0,-2E0", "[NaN,1E0,-2E0");
    struct forest *forest = NULL;
    struct err err;

    err_clear(&err);
    if (forest_read_xgboost(text, strlen(text), &forest, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double row[] = {rows[i].value, -5};
        int32_t leaves[2];

        forest_leaves(forest, row, 1, 0, 2, leaves);
        assert_int_equal(leaves[0] == 1 ? 1 : 2, rows[i].leaf);
    }
    forest_free(forest);
    free(type);
    free(sets);
    free(text);
}

static void a_category_beyond_the_limit_is_refused_before_it_takes_memory(void **)
{
    static const struct edit edit = {
        "\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[],"
        "\"categories_sizes\":[],\"default_left\":[0,0,1,0,0],\"id\":0,"
        "\"left_children\":[1,-1,3,-1,-1],\"loss_changes\":[0,0,0,0,0],"
        "\"parents\":[2147483647,0,0,2,2],\"right_children\":[2,-1,4,-1,-1],"
        "\"split_conditions\":[5E-1,1E0,-2E0,2E0,4E0],\"split_indices\":[0,0,1,0,0],"
        "\"split_type\":[0,0,0,0,0]",
        "\"categories\":[16777216],\"categories_nodes\":[0],\"categories_segments\":[0],"
        "\"categories_sizes\":[1],\"default_left\":[0,0,1,0,0],\"id\":0,"
        "\"left_children\":[1,-1,3,-1,-1],\"right_children\":[2,-1,4,-1,-1],"
        "\"split_conditions\":[5E-1,1E0,-2E0,2E0,4E0],\"split_indices\":[0,0,1,0,0],"
        "\"split_type\":[1,0,0,0,0]",
        "trees[0].categories[0]: 16777216 is not in [0, 2^24)"};

    check_edit(&edit);
}

static void the_limit_of_nodes_is_said_as_that_of_all_trees(void **)
{
    enum { COUNT = FOREST_NODE_COUNT_MAX + 1 };
    char *list = malloc(2 * (size_t)COUNT + 2), *at = list;

    assert_non_null(list);
    *at++ = '[';
    for (int i = 0; i < COUNT; i++) {
        *at++ = '0';
        *at++ = ',';
    }
    memcpy(at - 1, "]", sizeof "]");
    check_edit(
        &(struct edit){"[1,-1,3,-1,-1]", list, "more than 2500000 nodes in all trees"});
    free(list);
}

static void the_best_iteration_is_read_and_all_trees_count(void **)
{
    static const struct {
        const char *attributes;
        int best_round;
    } cases[] = {
        {"{\"best_iteration\":\"0\",\"best_score\":\"0.25\"}", 0},
        {"{\"best_score\":\"0.25\",\"best_iteration\":\"1\"}", 1},
        /* Attributes are strings that anybody may set: what is no round is no advice. */
        {"{\"best_iteration\":\"-1\"}", -1},
        {"{\"best_iteration\":\"soon\"}", -1},
        {"{\"best_iteration\":\"99999999999999999999\"}", -1},
        {"{\"best_iteration\":1}", -1},
        {"{}", -1},
        {"null", -1},
    };
    const double row[2] = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char attributes[128], *text;
        struct forest *forest = NULL;
        struct err err;
        double raw;

        err_clear(&err);
        snprintf(attributes, sizeof attributes, "\"attributes\":%s", cases[i].attributes);
        text = text_replaced(xgboost_small, "\"attributes\":{}", attributes);
        if (forest_read_xgboost(text, strlen(text), &forest, &err))
            fail_msg("%s: %s", attributes, err.text);
        assert_int_equal(forest->best_round, cases[i].best_round);
        forest_raw(forest, row, 1, 0, forest_round_count(forest), &raw);
        assert_true(raw == 1.25);
        forest_free(forest);
        free(text);
    }
}

static void no_prefix_of_a_file_is_accepted(void **)
{
    struct forest *forest = NULL;
    struct err err;

    for (size_t bytes = 0; bytes < strlen(xgboost_small); bytes++) {
        char *prefix = malloc(bytes + 1); /* its own block, so that ASan sees the end */

        assert_non_null(prefix);
        memcpy(prefix, xgboost_small, bytes);
        err_clear(&err);
        assert_int_not_equal(forest_read_xgboost(prefix, bytes, &forest, &err),
                             STATUS_OK);
        assert_true(err.text[0] != 0);
        free(prefix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unsound_file_is_refused_with_its_place),
        cmocka_unit_test(nodes_out_of_reach_do_not_matter),
        cmocka_unit_test(every_form_of_the_base_score_is_understood),
        cmocka_unit_test(a_base_score_per_group_is_kept_apart),
        cmocka_unit_test(dart_is_read_as_both_versions_save_it),
        cmocka_unit_test(categories_in_the_set_go_right),
        cmocka_unit_test(a_category_beyond_the_limit_is_refused_before_it_takes_memory),
        cmocka_unit_test(the_limit_of_nodes_is_said_as_that_of_all_trees),
        cmocka_unit_test(the_best_iteration_is_read_and_all_trees_count),
        cmocka_unit_test(no_prefix_of_a_file_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
