/* test_model_fixtures.c - models of all libraries score as the libraries score them:
 * every folder of fixtures, when they are there, and small models worked out by hand. */
#include "infer/evaluate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forest_fixture.h"
#include "base/file.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_optional(const char *folder)
{
    struct err err = {0};
    char path[PATH_BYTES];
    char *content = NULL;
    size_t bytes = 0;
    bool is;

    path_of(path, "%s/meta.json", folder);
    if (access(path, R_OK) != 0)
        return false;
    if (file_read(path, 1 << 20, &content, &bytes, &err))
        fail_msg("%s", err.text);
    is = strstr(content, "\"optional\": true") != NULL;
    free(content);
    return is;
}

/* No library that trained a fixture adds up in an order of its own: nothing is
 * excepted. */
static void check_comparison(const char *folder, struct comparison comparison)
{
    if (comparison.model_count)
        printf("%s: %d files, %d rows, %d trees\n", folder, comparison.model_count,
               comparison.row_count, comparison.tree_count);
    assert_int_equal(comparison.differing_leaf_count, 0);
    assert_int_equal(comparison.inexact_count, 0);
}

/* Each folder below parent/group; returns how many. */
static int check_group(const char *parent, const char *group)
{
    char path[PATH_BYTES], folder[PATH_BYTES];
    struct dirent *entry;
    DIR *directory;
    int count = 0;

    path_of(path, "%s/%s", parent, group);
    directory = opendir(path);
    if (!directory)
        fail_msg("%s is missing", path);
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        path_of(folder, "%s/%s", path, entry->d_name);
        check_comparison(folder, compare_folder(folder, is_optional(folder)));
        count++;
    }
    closedir(directory);
    return count;
}

static void fixtures_score_as_their_libraries_do(void **)
{
    static const char *const groups[] = {"own/xgboost-1.7.4", "own/xgboost-3.5.0-dev",
                                         "own/lightgbm-4.6.0.99", "third_party",
                                         "catboost_third_party"};
    const char *folder = fixtures_folder();

    for (size_t i = 0; folder && i < sizeof groups / sizeof *groups; i++)
        assert_true(check_group(folder, groups[i]) > 0);
}

static void the_malformed_fixture_is_refused(void **)
{
    const char *folder = fixtures_folder();
    struct bundle_model model = {0};
    struct err err = {0};
    char path[PATH_BYTES];
    char *content = NULL;
    size_t bytes = 0;

    if (!folder)
        return;
    path_of(path, "%s/third_party_malformed/lleaves-mtpl2-small/model.txt", folder);
    assert_int_equal(file_read(path, MODEL_BYTES_MAX, &content, &bytes, &err), STATUS_OK);
    assert_int_equal(model_read(content, bytes, &model, &err), STATUS_INVALID);
    assert_string_equal(err.text, "tree_sizes: announces 1000 trees, 200 are there");
    free(content);
}

struct row {
    double features[2];
    double raw;
    int leaves[2];
};

static void check_rows(const struct forest *forest, const struct row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        int32_t leaves[2] = {-1, -1};
        double raw;

        forest_raw(forest, rows[i].features, 1, 0, forest_round_count(forest), &raw);
        forest_leaves(forest, rows[i].features, 1, 0, forest_round_count(forest), leaves);
        if (raw != rows[i].raw || leaves[0] != rows[i].leaves[0] ||
            (forest->tree_count > 1 && leaves[1] != rows[i].leaves[1]))
            fail_msg("row %d: %g by leaf %d", i, raw, leaves[0]);
    }
}

static void a_small_xgboost_model_scores_as_worked_out_by_hand(void **)
{
    const struct row rows[] = {
        {{0, 0}, 1.25, {1, 0}},
        {{0.5, 0}, 4.25, {4, 0}},        /* on the threshold: not less */
        {{0.49999999, 0}, 4.25, {4, 0}}, /* 0.5 as float32 */
        {{0.4999999, 0}, 1.25, {1, 0}},  /* less than 0.5 as float32 too */
        {{1, -2}, 4.25, {4, 0}},
        {{1, -2.5}, 2.25, {3, 0}},
        {{NAN, -2.5}, 2.25, {3, 0}},    /* missing goes right */
        {{NAN, NAN}, 2.25, {3, 0}},     /* then left */
        {{1e300, 1e300}, 4.25, {4, 0}}, /* infinite as float32 */
        {{-1e300, 1e300}, 1.25, {1, 0}},
    };
    struct forest *forest = NULL;
    struct err err = {0};
    double raw = 1.25, prediction;

    if (forest_read_xgboost(xgboost_small, strlen(xgboost_small), &forest, &err))
        fail_msg("%s", err.text);
    check_rows(forest, rows, sizeof rows / sizeof *rows);
    forest_predict(forest, &raw, 1, 2, &prediction);
    assert_true(fabs(prediction - 1 / (1 + exp(-1.25))) < 1e-7);
    assert_true(prediction == (float)prediction);
    forest_free(forest);
}

static void a_small_lightgbm_model_scores_as_worked_out_by_hand(void **)
{
    const struct row rows[] = {
        {{1.5, 0}, 10, {0}},                    /* on the threshold: left */
        {{nextafter(1.5, 2), 0}, 20, {1}},      /* one ulp of a double beyond */
        {{2, 1e-36}, 20, {1}},                  /* counts as zero */
        {{2, 1.0000000180025095e-35}, 20, {1}}, /* just about zero */
        {{2, 1.1e-35}, 30, {2}},
        {{2, -5}, 20, {1}},
        {{NAN, -5}, 20, {1}},
        {{NAN, NAN}, 30, {2}},
    };
    struct forest *forest = NULL;
    struct err err = {0};

    if (forest_read_lightgbm(lightgbm_small, strlen(lightgbm_small), &forest, &err))
        fail_msg("%s", err.text);
    assert_string_equal(forest->feature_names[1], "orders");
    check_rows(forest, rows, sizeof rows / sizeof *rows);
    forest_free(forest);
}

static void rounds_can_be_scored_in_part(void **)
{
    const double row[] = {0, 0};
    struct forest *forest = NULL;
    struct err err = {0};
    int32_t leaves[2];
    double raw;

    assert_int_equal(
        forest_read_xgboost(xgboost_small, strlen(xgboost_small), &forest, &err),
        STATUS_OK);
    assert_int_equal(forest_round_count(forest), 2);
    forest_raw(forest, row, 1, 0, 1, &raw);
    assert_true(raw == 1);
    forest_raw(forest, row, 1, 1, 2, &raw);
    assert_true(raw == 0.25);
    forest_raw(forest, row, 1, 1, 1, &raw);
    assert_true(raw == 0);
    forest_leaves(forest, row, 1, 0, 1, leaves);
    assert_int_equal(leaves[0], 1);
    forest_free(forest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_xgboost_model_scores_as_worked_out_by_hand),
        cmocka_unit_test(a_small_lightgbm_model_scores_as_worked_out_by_hand),
        cmocka_unit_test(rounds_can_be_scored_in_part),
        cmocka_unit_test(fixtures_score_as_their_libraries_do),
        cmocka_unit_test(the_malformed_fixture_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
