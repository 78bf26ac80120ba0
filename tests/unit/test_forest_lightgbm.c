/* test_forest_lightgbm.c - what the LightGBM reader accepts, and how it refuses. */
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

static void every_unsound_file_is_refused_with_its_place(void **)
{
    static const struct {
        const char *from, *to, *message;
    } edits[] = {
        {"tree\nversion", "trees\nversion", "line 1: "},
        {"version=v4\n", "", "version: is missing"},
        {"version=v4", "version=v9", "version: 'v9' is not supported"},
        {"version=v4", "version=v4\nversion=v4", "line 3: version is given twice"},
        {"num_class=1", "num_class=0", "num_class: '0'"},
        {"num_class=1", "num_class=2",
         "num_tree_per_iteration: is 1, but num_class is 2"},
        {"max_feature_idx=1", "max_feature_idx=0", "feature_names: 2 for 1 features"},
        {"max_feature_idx=1", "max_feature_idx=99999999", "max_feature_idx"},
        {"objective=regression", "objective=unheard_of", "'unheard_of' is not supported"},
        {"objective=regression", "objective=binary sigmoid:0", "sigmoid is 0"},
        {"objective=regression", "objective=multiclass num_class:3", "num_class is 3"},
        {"objective=regression", "objective=regression root", "'root' is not known"},
        {"feature_names=tenure orders", "feature_names=tenure", "feature_names: 1 for 2"},
        {"feature_names=tenure orders", "feature_names=tenure tenure",
         "feature_names[1]: 'tenure' is given twice"},
        {"tree_sizes=300", "tree_sizes=300 300",
         "tree_sizes: announces 2 trees, 1 are there"},
        {"\n\nTree=0", "\n\nTree=1", "Tree=1 comes where Tree=0"},
        {"\n\nTree=0", "\n\nTrees=0", "where Tree=0 or 'end of trees' is expected"},
        {"num_leaves=3\n", "", "Tree=0: num_leaves: is missing"},
        {"num_leaves=3", "num_leaves=4", "Tree=0: leaf_value: has 3 entries, not 4"},
        {"num_leaves=3", "num_leaves=2", "Tree=0: leaf_value: has more than 2 entries"},
        {"num_leaves=3", "num_leaves=0", "Tree=0: num_leaves: 0"},
        {"num_leaves=3", "num_leaves=2147483647", "Tree=0: num_leaves: 2147483647"},
        {"num_leaves=3", "num_leaves=3\nnum_leaves=3", "num_leaves is given twice"},
        {"split_feature=0 1", "split_feature=0 2", "split_feature[1]: feature 2 of 2"},
        {"split_feature=0 1", "split_feature=0 1.0", "split_feature[1]: '1.0'"},
        {"threshold=1.5 0", "threshold=1.5 nan", "threshold[1]: 'nan'"},
        {"threshold=1.5 0", "threshold=0x1p3 0", "threshold[0]: '0x1p3'"},
        {"threshold=1.5 0", "threshold=1.5", "threshold: has 1 entries, not 2"},
        {"decision_type=8 8", "decision_type=8 12", "decision_type[1]: 12 is not known"},
        {"decision_type=8 8", "decision_type=8 9", "threshold[1]: 0 of 0 category sets"},
        {"left_child=-1 -2", "left_child=-1 2",
         "left_child[1]: 2 of 2 nodes and 3 leaves"},
        {"left_child=-1 -2", "left_child=-4 -2", "left_child[0]: -4 of"},
        {"left_child=-1 -2", "left_child=-1 0", "left_child[1]: 0 is met twice"},
        {"left_child=-1 -2", "left_child=-1 -1", "left_child[1]: -1 is met twice"},
        {"right_child=1 -3", "right_child=-2 -3", "reach 3 of 5 nodes"},
        {"leaf_value=10 20 30", "leaf_value=10 inf 30", "leaf_value[1]: 'inf'"},
        {"leaf_value=10 20 30", "leaf_value=10 1e400 30", "leaf_value[1]: '1e400'"},
        {"num_cat=0", "num_cat=1", "cat_boundaries: is missing"},
        {"num_cat=0", "num_cat=1\ncat_boundaries=1 2\ncat_threshold=1 1",
         "cat_boundaries[0]: 1"},
        {"num_cat=0",
         "num_cat=1\ncat_boundaries=0 0\ncat_threshold=", "cat_boundaries[1]: 0"},
        {"num_cat=0", "num_cat=1\ncat_boundaries=0 9999999999\ncat_threshold=1",
         "cat_boundaries[1]: 9999999999"},
        {"num_cat=0", "num_cat=1\ncat_boundaries=0 2\ncat_threshold=1",
         "cat_threshold: has 1 entries, not 2"},
        {"num_cat=0", "num_cat=1\ncat_boundaries=0 1\ncat_threshold=4294967296",
         "cat_threshold[0]: 4294967296 is not a 32-bit word"},
        {"num_cat=0", "num_cat=3", "num_cat: 3 sets for 2 splits"},
        {"is_linear=0", "is_linear=2", "Tree=0: is_linear: is 2"},
        {"is_linear=0", "is_linear=1", "Tree=0: leaf_const: is missing"},
        {"is_linear=0",
         "is_linear=1\nleaf_const=1 2 3\nnum_features=1 0\nleaf_features=0\nleaf_coeff=1",
         "Tree=0: num_features: has 2 entries, not 3"},
        {"is_linear=0",
         "is_linear=1\nleaf_const=1 2 nan\nnum_features=1 0 "
         "0\nleaf_features=0\nleaf_coeff=1",
         "Tree=0: leaf_const[2]: 'nan' is not a finite number"},
        {"is_linear=0",
         "is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 "
         "-1\nleaf_features=0\nleaf_coeff=1",
         "Tree=0: num_features[2]: -1 of at most"},
        {"is_linear=0",
         "is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 "
         "1\nleaf_features=0\nleaf_coeff=1",
         "Tree=0: leaf_features: has 1 entries, not 2"},
        {"is_linear=0",
         "is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 "
         "0\nleaf_features=2\nleaf_coeff=1",
         "Tree=0: leaf_features[0]: feature 2 of 2"},
        {"is_linear=0",
         "is_linear=1\nleaf_const=1 2 3\nnum_features=1 0 "
         "0\nleaf_features=0\nleaf_coeff=inf",
         "Tree=0: leaf_coeff[0]: 'inf' is not a finite number"},
        {"is_linear=0",
         "is_linear=1\nleaf_const=1 2 3\nnum_features=99999 0 "
         "0\nleaf_features=0\nleaf_coeff=1",
         "Tree=0: num_features[0]: 99999 of at most"},
        {"end of trees\n", "", "where Tree=1 or 'end of trees' is expected"},
    };

    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char *text = text_replaced(lightgbm_small, edits[i].from, edits[i].to);
        struct forest *forest = NULL;
        struct err err;
        enum status rc;

        err_clear(&err);
        rc = forest_read_lightgbm(text, strlen(text), &forest, &err);
        free(text);
        forest_free(forest);
        if (!rc || !strstr(err.text, edits[i].message))
            fail_msg("'%s': '%s' does not say '%s'", edits[i].to,
                     rc ? err.text : "accepted", edits[i].message);
    }
}

static void a_nul_is_refused_wherever_it_stands(void **)
{
    char *text = strdup(lightgbm_small);
    struct forest *forest = NULL;
    struct err err;

    assert_non_null(text);
    text[strlen(text) - 2] = 0;
    err_clear(&err);
    assert_int_equal(forest_read_lightgbm(text, strlen(lightgbm_small), &forest, &err),
                     STATUS_MALFORMED);
    assert_non_null(strstr(err.text, "is a NUL"));
    free(text);
}

static struct forest *read_edited(const char *from, const char *to)
{
    char *text = text_replaced(lightgbm_small, from, to);
    struct forest *forest = NULL;
    struct err err;

    err_clear(&err);
    if (forest_read_lightgbm(text, strlen(text), &forest, &err))
        fail_msg("%s", err.text);
    free(text);
    return forest;
}

/* The leaf a value of the first feature leads to; the second one goes left. */
static int leaf_of(const struct forest *forest, double value)
{
    const double row[] = {value, -1};
    int32_t leaf;

    forest_leaves(forest, row, 1, 0, 1, &leaf);
    return leaf;
}

static void missing_values_follow_the_missing_type(void **)
{
    static const struct {
        const char *types;
        int nan, zero; /* leaves; threshold 1.5, so zero compares to the left */
    } types[] = {
        {"0 0", 0, 0},  /* none: NaN is 0.0 */
        {"2 0", 0, 0},  /* none, default left */
        {"4 0", 1, 1},  /* zero goes right by default, and NaN with it */
        {"6 0", 0, 0},  /* zero goes left */
        {"8 0", 1, 0},  /* NaN goes right */
        {"10 0", 0, 0}, /* NaN goes left */
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char to[40];
        struct forest *forest;

        snprintf(to, sizeof to, "decision_type=%s", types[i].types);
        forest = read_edited("decision_type=8 8", to);
        assert_int_equal(leaf_of(forest, NAN), types[i].nan);
        assert_int_equal(leaf_of(forest, 0), types[i].zero);
        assert_int_equal(leaf_of(forest, -0.0), types[i].zero);
        assert_int_equal(leaf_of(forest, 1e-36), types[i].zero);
        assert_int_equal(leaf_of(forest, 1), 0);
        assert_int_equal(leaf_of(forest, 2), 1);
        forest_free(forest);
    }
}

static void categories_in_the_set_go_left(void **)
{
    char *sets = text_replaced(lightgbm_small, "num_cat=0",
                               "num_cat=1\ncat_boundaries=0 2\ncat_threshold=5 256");
    char *types = text_replaced(sets, "decision_type=8 8", "decision_type=9 8");
    char *text = text_replaced(types, "threshold=1.5 0", "threshold=0 0");
    static const struct {
        double value;
        int leaf;
    } rows[] = {{0, 0},  {2, 0},  {40, 0},  {40.9, 0}, {-0.5, 0},      {1, 1},
                {64, 1}, {-1, 1}, {NAN, 1}, {1e18, 1}, {-INFINITY, 1}, {INFINITY, 1}};
    struct forest *forest = NULL;
    struct err err;

    err_clear(&err);
    /* "threshold=1.5 0" also ends cat_threshold's name: the first match must be the
     * line. */
    if (forest_read_lightgbm(text, strlen(text), &forest, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(leaf_of(forest, rows[i].value), rows[i].leaf);
    forest_free(forest);
    free(sets);
    free(types);
    free(text);
}

static void links_are_applied_in_double(void **)
{
    static const struct {
        const char *objective;
        double raw, prediction;
    } links[] = {
        {"binary sigmoid:0.7", 2, 0.80218388855858169},
        {"regression sqrt", -3, -9},
        {"regression_l1", -3, -3},
        {"poisson", 1, 2.7182818284590451},
        {"tweedie", 1, 2.7182818284590451},
        {"cross_entropy", 0, 0.5},
        {"cross_entropy_lambda", 0, 0.69314718055994529},
        {"lambdarank", 7, 7},
    };

    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        char to[64];
        double prediction;
        struct forest *forest;

        snprintf(to, sizeof to, "objective=%s", links[i].objective);
        forest = read_edited("objective=regression", to);
        forest_predict(forest, &links[i].raw, 1, 1, &prediction);
        assert_true(fabs(prediction - links[i].prediction) < 1e-14);
        forest_free(forest);
    }
}

static void an_average_counts_the_rounds_it_was_summed_over(void **)
{
    struct forest *forest =
        read_edited("objective=regression\n", "objective=regression\naverage_output\n");
    double raw = 12, prediction;

    forest_predict(forest, &raw, 1, 4, &prediction);
    assert_true(prediction == 3);
    forest_free(forest);
}

static void default_names_are_no_names(void **)
{
    struct forest *forest =
        read_edited("feature_names=tenure orders", "feature_names=Column_0 Column_1");

    assert_null(forest->feature_names);
    forest_free(forest);
}

static void no_prefix_before_the_end_of_trees_is_accepted(void **)
{
    size_t needed = (size_t)(strstr(lightgbm_small, "end of trees") - lightgbm_small) +
                    strlen("end of trees");
    struct forest *forest = NULL;
    struct err err;

    for (size_t bytes = 0; bytes < needed; bytes++) {
        char *prefix = malloc(bytes + 1);

        assert_non_null(prefix);
        memcpy(prefix, lightgbm_small, bytes);
        err_clear(&err);
        assert_int_not_equal(forest_read_lightgbm(prefix, bytes, &forest, &err),
                             STATUS_OK);
        assert_true(err.text[0] != 0);
        free(prefix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unsound_file_is_refused_with_its_place),
        cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(missing_values_follow_the_missing_type),
        cmocka_unit_test(categories_in_the_set_go_left),
        cmocka_unit_test(links_are_applied_in_double),
        cmocka_unit_test(an_average_counts_the_rounds_it_was_summed_over),
        cmocka_unit_test(default_names_are_no_names),
        cmocka_unit_test(no_prefix_before_the_end_of_trees_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
