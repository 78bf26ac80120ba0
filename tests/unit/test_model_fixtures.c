/* test_model_fixtures.c - models of both libraries score as the libraries score them:
 * every folder of fixtures, when they are there, and small models worked out by hand. */
#include "infer/evaluate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "../support/forest_fixture.h"
#include "table/csv.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_BYTES = 1024 };

__attribute__((format(printf, 2, 3))) static void path_of(char path[static PATH_BYTES],
                                                          const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    assert_true(vsnprintf(path, PATH_BYTES, format, arguments) < PATH_BYTES);
    va_end(arguments);
}

/* A table of numbers. */
struct table {
    double *numbers; /* (row, column) */
    int row_count, column_count;
};

static struct table table_read(const char *path)
{
    struct table table = {0};
    struct csv *csv = NULL;
    struct err err = {0};
    size_t capacity = 0;
    bool has_row = true;

    if (csv_open(path, false, &csv, &err))
        fail_msg("%s", err.text);
    table.column_count = csv_column_count(csv);
    while (csv_next(csv, &has_row, &err) == STATUS_OK && has_row) {
        size_t used = (size_t)table.row_count * (size_t)table.column_count;

        if (used + (size_t)table.column_count > capacity) {
            capacity = (used + (size_t)table.column_count) * 2;
            table.numbers = realloc(table.numbers, capacity * sizeof(double));
            assert_non_null(table.numbers);
        }
        for (int i = 0; i < table.column_count; i++)
            if (csv_number(csv, i, &table.numbers[used + (size_t)i], &err))
                fail_msg("%s", err.text);
        table.row_count++;
    }
    assert_false(has_row);
    csv_close(csv);
    return table;
}

/* False when the model is refused, which only optional ones may be. */
static bool model_open(const char *path, bool may_be_refused, struct bundle_model *model)
{
    struct err err = {0};
    char *content = NULL;
    size_t bytes = 0;
    enum status rc;

    if (file_read(path, MODEL_BYTES_MAX, &content, &bytes, &err))
        fail_msg("%s: %s", path, err.text);
    rc = model_read(content, bytes, model, &err);
    free(content);
    if (rc && !may_be_refused)
        fail_msg("%s: %s", path, err.text);
    if (rc)
        printf("%s: refused, as it may be: %s\n", path, err.text);
    return rc == STATUS_OK;
}

static bool is_optional(const char *folder)
{
    struct err err = {0};
    char path[PATH_BYTES];
    char *content = NULL;
    size_t bytes = 0;
    bool is;

    path_of(path, "%s/meta.json", folder);
    if (file_read(path, 1 << 20, &content, &bytes, &err))
        fail_msg("%s", err.text);
    is = strstr(content, "\"optional\": true") != NULL;
    free(content);
    return is;
}

/* Raw scores and predictions within 1e-6 (1 + |raw|); returns how many raw scores are not
 * the same to the bit once printed as the fixture prints them. */
static int compare_scores(const char *folder, const struct forest *forest,
                          struct table rows)
{
    char path[PATH_BYTES];
    int rounds = forest_round_count(forest);
    int columns = forest_prediction_count(forest);
    int inexact = 0;
    double *raw =
        calloc((size_t)rows.row_count * (size_t)forest->group_count, sizeof *raw);
    double *prediction = calloc((size_t)rows.row_count * (size_t)columns, sizeof *raw);
    struct table expected;

    assert_non_null(raw);
    assert_non_null(prediction);
    forest_raw(forest, rows.numbers, rows.row_count, 0, rounds, raw);
    forest_predict(forest, raw, rows.row_count, rounds, prediction);
    path_of(path, "%s/raw.csv", folder);
    expected = table_read(path);
    assert_int_equal(expected.row_count, rows.row_count);
    assert_int_equal(expected.column_count, forest->group_count);
    for (int i = 0; i < rows.row_count * forest->group_count; i++) {
        if (!(fabs(raw[i] - expected.numbers[i]) <=
              1e-6 * (1 + fabs(expected.numbers[i]))))
            fail_msg("%s raw %d: %.17g, expected %.17g", folder, i, raw[i],
                     expected.numbers[i]);
        inexact += raw[i] != expected.numbers[i] &&
                   (forest->dialect != FOREST_XGBOOST ||
                    (float)raw[i] != (float)expected.numbers[i]);
    }
    free(expected.numbers);
    path_of(path, "%s/pred.csv", folder);
    expected = table_read(path);
    assert_int_equal(expected.row_count, rows.row_count);
    assert_int_equal(expected.column_count, columns);
    for (int i = 0; i < rows.row_count * columns; i++)
        if (!(fabs(prediction[i] - expected.numbers[i]) <=
              1e-6 * (1 + fabs(raw[columns == forest->group_count ? i : 0]))))
            fail_msg("%s prediction %d: %.17g, expected %.17g", folder, i, prediction[i],
                     expected.numbers[i]);
    free(expected.numbers);
    free(raw);
    free(prediction);
    return inexact;
}

static void compare_leaves(const char *folder, const struct forest *forest,
                           struct table rows)
{
    char path[PATH_BYTES];
    size_t count = (size_t)rows.row_count * (size_t)forest->tree_count;
    int32_t *leaves = calloc(count + 1, sizeof *leaves);
    struct table expected;
    int differing = 0;

    path_of(path, "%s/leaf.csv", folder);
    if (access(path, R_OK) == 0) {
        expected = table_read(path);
        assert_int_equal(expected.row_count, rows.row_count);
        assert_int_equal(expected.column_count, forest->tree_count);
        forest_leaves(forest, rows.numbers, rows.row_count, 0, forest_round_count(forest),
                      leaves);
        for (size_t i = 0; i < count; i++)
            differing += leaves[i] != expected.numbers[i];
        free(expected.numbers);
    }
    free(leaves);
    assert_int_equal(differing, 0);
}

static void check_folder(const char *folder)
{
    char path[PATH_BYTES];
    struct bundle_model model = {0};
    struct table rows;
    int inexact;

    path_of(path, "%s/model.json", folder);
    if (access(path, R_OK) != 0)
        path_of(path, "%s/model.txt", folder);
    if (!model_open(path, is_optional(folder), &model))
        return;
    assert_non_null(model.forest);
    path_of(path, "%s/X.csv", folder);
    rows = table_read(path);
    assert_int_equal(rows.column_count, model.forest->feature_count);
    assert_true(rows.row_count > 0);
    compare_leaves(folder, model.forest, rows);
    inexact = compare_scores(folder, model.forest, rows);
    printf("%s: %d rows, %d trees, %d raw scores not the same to the bit\n", folder,
           rows.row_count, model.forest->tree_count, inexact);
    free(rows.numbers);
    model_release(&model);
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
        check_folder(folder);
        count++;
    }
    closedir(directory);
    return count;
}

static void fixtures_score_as_their_libraries_do(void **)
{
    static const char *const groups[] = {"own/xgboost-1.7.4", "own/xgboost-3.5.0-dev",
                                         "own/lightgbm-4.6.0.99", "third_party"};
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
