/* test_contributions_parity.c - models that XGBoost trains now, on this machine: each
 * feature contributes here what XGBoost's predict(pred_contribs=True) says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "infer/contribute.h"
#include "infer/evaluate.h"
#include "support/forest_fixture.h"
#include "support/trained_models.h"
#include "table/csv.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CASE_COUNT_MIN = 17, INPUT_COUNT_MAX = 16, GROUP_COUNT_MAX = 8 };

static char *folder; /* NULL: nothing could be trained */

static int train_models(void **)
{
    return trained_models("scripts/xgboost_contributions.py", &folder);
}

static int forget_models(void **)
{
    free(folder);
    return 0;
}

static struct csv *csv_of(const char *name, const char *file)
{
    char path[PATH_BYTES];
    struct csv *csv = NULL;
    struct err err;

    err_clear(&err);
    path_of(path, "%s/%s/%s", folder, name, file);
    if (csv_open(path, false, &csv, &err))
        fail_msg("%s", err.text);
    return csv;
}

/* The next line into numbers; false at the end. */
static bool next_numbers(struct csv *csv, double numbers[static INPUT_COUNT_MAX])
{
    bool has_row = true;
    struct err err;

    err_clear(&err);
    assert_int_equal(csv_next(csv, &has_row, &err), STATUS_OK);
    assert_true(csv_column_count(csv) <= INPUT_COUNT_MAX);
    for (int i = 0; has_row && i < csv_column_count(csv); i++)
        assert_int_equal(csv_number(csv, i, &numbers[i], &err), STATUS_OK);
    return has_row;
}

static struct bundle_model model_of(const char *name)
{
    struct bundle_model model = {0};
    char path[PATH_BYTES];
    char *content = NULL;
    size_t bytes = 0;
    struct err err;

    err_clear(&err);
    path_of(path, "%s/%s/model.json", folder, name);
    if (file_read(path, MODEL_BYTES_MAX, &content, &bytes, &err) ||
        model_read(content, bytes, &model, &err))
        fail_msg("%s: %s", path, err.text);
    free(content);
    assert_non_null(model.forest);
    assert_true(model.forest->group_count <= GROUP_COUNT_MAX);
    return model;
}

/* XGBoost counts in float32; by the size of the largest contribution, that is 1e-4 at
 * worst. */
static double worst_difference(const double *ours, const double *theirs, int count)
{
    double scale = 1, worst = 0;

    for (int i = 0; i < count; i++)
        scale = fmax(scale, fabs(theirs[i]));
    for (int i = 0; i < count; i++)
        worst = fmax(worst, fabs(ours[i] - theirs[i]) / scale);
    return worst;
}

static double compare(const char *name)
{
    struct bundle_model model = model_of(name);
    struct csv *rows = csv_of(name, "X.csv"), *expected = csv_of(name, "contribs.csv");
    int count = model.forest->feature_count + 1, row_count = 0;
    double row[INPUT_COUNT_MAX], theirs[INPUT_COUNT_MAX], worst = 0;
    double ours[GROUP_COUNT_MAX * INPUT_COUNT_MAX];
    struct err err;

    err_clear(&err);
    assert_true(count <= INPUT_COUNT_MAX);
    for (; next_numbers(rows, row); row_count++) {
        if (contribute_forest(model.forest, row, ours, &err))
            fail_msg("%s: %s", name, err.text);
        for (int g = 0; g < model.forest->group_count; g++) {
            assert_true(next_numbers(expected, theirs));
            worst = fmax(worst, worst_difference(ours + g * count, theirs, count));
        }
    }
    assert_false(next_numbers(expected, theirs));
    assert_true(row_count > 0);
    csv_close(rows);
    csv_close(expected);
    model_release(&model);
    return worst;
}

static void every_feature_contributes_what_xgboost_says(void **)
{
    struct dirent *entry;
    int count = 0;
    DIR *directory;

    if (!folder)
        skip();
    directory = opendir(folder);
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        double worst;

        if (entry->d_name[0] == '.')
            continue;
        worst = compare(entry->d_name);
        printf("%-16s largest difference %.1e\n", entry->d_name, worst);
        assert_true(worst <= 1e-4);
        count++;
    }
    closedir(directory);
    assert_true(count >= CASE_COUNT_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_feature_contributes_what_xgboost_says),
    };

    return cmocka_run_group_tests(tests, train_models, forget_models);
}
