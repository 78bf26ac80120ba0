/* forest_fixture.c - models small enough to check by eye. */
#include "support/forest_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "infer/evaluate.h"
#include "table/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char xgboost_small[] =
    "{\"learner\":{\"attributes\":{},\"feature_names\":[],\"feature_types\":[],"
    "\"gradient_booster\":{\"model\":{"
    "\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"2\","
    "\"size_leaf_vector\":\"0\"},"
    "\"tree_info\":[0,0],\"trees\":["
    "{\"base_weights\":[0,0,0,0,0],\"categories\":[],\"categories_nodes\":[],"
    "\"categories_segments\":[],\"categories_sizes\":[],\"default_left\":[0,0,1,0,0],"
    "\"id\":0,\"left_children\":[1,-1,3,-1,-1],\"loss_changes\":[0,0,0,0,0],"
    "\"parents\":[2147483647,0,0,2,2],\"right_children\":[2,-1,4,-1,-1],"
    "\"split_conditions\":[5E-1,1E0,-2E0,2E0,4E0],\"split_indices\":[0,0,1,0,0],"
    "\"split_type\":[0,0,0,0,0],\"sum_hessian\":[4,2,2,1,1],"
    "\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"2\",\"num_nodes\":\"5\","
    "\"size_leaf_vector\":\"0\"}},"
    "{\"base_weights\":[0],\"categories\":[],\"categories_nodes\":[],"
    "\"categories_segments\":[],\"categories_sizes\":[],\"default_left\":[0],\"id\":1,"
    "\"left_children\":[-1],\"loss_changes\":[0],\"parents\":[2147483647],"
    "\"right_children\":[-1],\"split_conditions\":[2.5E-1],\"split_indices\":[0],"
    "\"split_type\":[0],\"sum_hessian\":[4],"
    "\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"2\",\"num_nodes\":\"1\","
    "\"size_leaf_vector\":\"0\"}}"
    "]},\"name\":\"gbtree\"},"
    "\"learner_model_param\":{\"base_score\":\"5E-1\",\"boost_from_average\":\"1\","
    "\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"1\"},"
    "\"objective\":{\"name\":\"binary:logistic\","
    "\"reg_loss_param\":{\"scale_pos_weight\":\"1\"}}},\"version\":[1,7,4]}";

const char lightgbm_small[] = "tree\n"
                              "version=v4\n"
                              "num_class=1\n"
                              "num_tree_per_iteration=1\n"
                              "label_index=0\n"
                              "max_feature_idx=1\n"
                              "objective=regression\n"
                              "feature_names=tenure orders\n"
                              "feature_infos=[0:9] [0:9]\n"
                              "tree_sizes=300\n"
                              "\n"
                              "Tree=0\n"
                              "num_leaves=3\n"
                              "num_cat=0\n"
                              "split_feature=0 1\n"
                              "split_gain=2 1\n"
                              "threshold=1.5 0\n"
                              "decision_type=8 8\n"
                              "left_child=-1 -2\n"
                              "right_child=1 -3\n"
                              "leaf_value=10 20 30\n"
                              "leaf_weight=1 1 1\n"
                              "leaf_count=1 1 1\n"
                              "internal_value=0 0\n"
                              "internal_weight=0 0\n"
                              "internal_count=3 2\n"
                              "is_linear=0\n"
                              "shrinkage=1\n"
                              "\n"
                              "\n"
                              "end of trees\n"
                              "\n"
                              "parameters:\n"
                              "[boosting: gbdt]\n"
                              "end of parameters\n";

char *text_replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *copy = NULL;

    if (!at) {
        fprintf(stderr, "'%s' does not occur in the text\n", from);
        abort();
    }
    if (asprintf(&copy, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) < 0)
        abort();
    return copy;
}

const char *fixtures_folder(void)
{
    static char path[512];
    const char *shared = getenv("REDRESS_SHARED");

    snprintf(path, sizeof path, "%s/fixtures/trees", shared ? shared : "../shared");
    if (folder_exists(path))
        return path;
    printf("SKIPPED: no fixtures in %s\n", path);
    return NULL;
}

void path_of(char path[static PATH_BYTES], const char *format, ...)
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

/* Raw scores within 1e-6 (1 + |raw|); returns how many are not the same to the bit once
 * printed as the fixture prints them. */
static int compare_raw(const char *path, const struct forest *forest, const double *raw,
                       int row_count)
{
    struct table expected = table_read(path);
    int inexact = 0;

    assert_int_equal(expected.row_count, row_count);
    assert_int_equal(expected.column_count, forest->group_count);
    for (int i = 0; i < row_count * forest->group_count; i++) {
        if (!(fabs(raw[i] - expected.numbers[i]) <=
              1e-6 * (1 + fabs(expected.numbers[i]))))
            fail_msg("%s %d: %.17g, expected %.17g", path, i, raw[i],
                     expected.numbers[i]);
        inexact += raw[i] != expected.numbers[i] &&
                   (forest->dialect != FOREST_XGBOOST ||
                    (float)raw[i] != (float)expected.numbers[i]);
    }
    free(expected.numbers);
    return inexact;
}

static void compare_predictions(const char *path, const struct forest *forest,
                                const double *raw, int row_count)
{
    int columns = forest_prediction_count(forest);
    double *prediction = calloc((size_t)row_count * (size_t)columns, sizeof *prediction);
    struct table expected = table_read(path);

    assert_non_null(prediction);
    assert_int_equal(expected.row_count, row_count);
    assert_int_equal(expected.column_count, columns);
    forest_predict(forest, raw, row_count, forest_round_count(forest), prediction);
    for (int i = 0; i < row_count * columns; i++)
        if (!(fabs(prediction[i] - expected.numbers[i]) <=
              1e-6 * (1 + fabs(raw[columns == forest->group_count ? i : 0]))))
            fail_msg("%s %d: %.17g, expected %.17g", path, i, prediction[i],
                     expected.numbers[i]);
    free(expected.numbers);
    free(prediction);
}

/* Returns how many raw scores are not the same to the bit. */
static int compare_scores(const char *folder, const struct forest *forest,
                          struct table rows)
{
    char path[PATH_BYTES];
    int inexact;
    double *raw =
        calloc((size_t)rows.row_count * (size_t)forest->group_count, sizeof *raw);

    assert_non_null(raw);
    forest_raw(forest, rows.numbers, rows.row_count, 0, forest_round_count(forest), raw);
    path_of(path, "%s/raw.csv", folder);
    inexact = compare_raw(path, forest, raw, rows.row_count);
    path_of(path, "%s/pred.csv", folder);
    if (access(path, R_OK) == 0)
        compare_predictions(path, forest, raw, rows.row_count);
    path_of(path, "%s/raw_2_7.csv", folder);
    if (access(path, R_OK) == 0) {
        forest_raw(forest, rows.numbers, rows.row_count, 2, 7, raw);
        inexact += compare_raw(path, forest, raw, rows.row_count);
    }
    free(raw);
    return inexact;
}

static int compare_leaves(const char *folder, const struct forest *forest,
                          struct table rows)
{
    char path[PATH_BYTES];
    size_t count = (size_t)rows.row_count * (size_t)forest->tree_count;
    int32_t *leaves = calloc(count + 1, sizeof *leaves);
    struct table expected;
    int differing = 0;

    assert_non_null(leaves);
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
    return differing;
}

static void compare_model(const char *folder, const char *file, bool may_be_refused,
                          struct comparison *comparison)
{
    struct bundle_model model = {0};
    char path[PATH_BYTES];
    struct table rows;

    path_of(path, "%s/%s", folder, file);
    if (access(path, R_OK) != 0 || !model_open(path, may_be_refused, &model))
        return;
    assert_non_null(model.forest);
    path_of(path, "%s/X.csv", folder);
    rows = table_read(path);
    assert_int_equal(rows.column_count, model.forest->feature_count);
    assert_true(rows.row_count > 0);
    comparison->model_count++;
    comparison->row_count = rows.row_count;
    comparison->tree_count = model.forest->tree_count;
    comparison->differing_leaf_count += compare_leaves(folder, model.forest, rows);
    comparison->inexact_count += compare_scores(folder, model.forest, rows);
    free(rows.numbers);
    model_release(&model);
}

struct comparison compare_folder(const char *folder, bool may_be_refused)
{
    static const char *const files[] = {"model.json", "model.ubj", "model.txt",
                                        "model.catboost.json"};
    struct comparison comparison = {0};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        compare_model(folder, files[i], may_be_refused, &comparison);
    assert_true(comparison.model_count > 0 || may_be_refused);
    return comparison;
}
