/* test_bench.c - redress bench score, the program: what it reports is of the answers that
 * model score gives, and it measures what it was asked to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/forest_fixture.h"
#include "support/server.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char linear[] =
    "{\"format\": \"redress-linear/1\", \"weights\": [2, -3], \"intercept\": 0.5,"
    " \"fill\": [0, 1]}";
static const char rows[] = "1,2\n0.25,nan\n-4,8\n10,0.125\n3,3\n";

static char linear_path[512], forest_path[512], rows_path[512], bundle_rows_path[512];

static int write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    fputs(text, file);
    return fclose(file);
}

/* The table of the sample models: a header, and rows of which only a few features are
 * set. */
static int write_bundle_rows(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    fputs("tenure_days,orders_90d,avg_order_minor,claims_90d,credits_90d_minor,minutes_"
          "late,"
          "items_missing,days_since_order,last_rating,discount_share,contacts,"
          "app_sessions_7d,is_member,channel,issue\n",
          file);
    for (int i = 0; i < 100; i++)
        fprintf(file, "%d,%d,%d,%d,0,%d,%d,,%d,0.%d,1,4,%s,chat,%s\n", i * 7, i % 20,
                1000 + 37 * i, i % 4, 3 * i, i % 3, 1 + i % 5, i % 10,
                i % 2 ? "true" : "false", i % 3 ? "late_delivery" : "quality");
    return fclose(file);
}

static int make_files(void **)
{
    char *folder = folder_temporary();

    if (!folder)
        return -1;
    snprintf(linear_path, sizeof linear_path, "%s/linear.json", folder);
    snprintf(forest_path, sizeof forest_path, "%s/forest.json", folder);
    snprintf(rows_path, sizeof rows_path, "%s/rows.csv", folder);
    snprintf(bundle_rows_path, sizeof bundle_rows_path, "%s/bundle.csv", folder);
    free(folder);
    if (write_text(linear_path, linear) || write_text(forest_path, xgboost_small) ||
        write_text(rows_path, rows))
        return -1;
    return write_bundle_rows(bundle_rows_path);
}

/* The report of a run that has to succeed. */
static json_t *report_of(const char *const *arguments)
{
    char *output = NULL;
    json_t *report;

    assert_int_equal(program_run(arguments, NULL, &output), 0);
    report = json_loads(output, 0, NULL);
    free(output);
    assert_non_null(report);
    return report;
}

/* The sum over what model score prints, a header line aside. */
static double sum_of(const char *const *arguments)
{
    double sum = 0;
    char *output = NULL, *at;

    assert_int_equal(program_run(arguments, NULL, &output), 0);
    at = output;
    if (strpbrk(at, "\n") && (*at < '+' || *at > '9'))
        at = strchr(at, '\n') + 1;
    while (*at) {
        char *end;

        sum += strtod(at, &end);
        assert_true(end > at);
        at = end + (*end == ',' || *end == '\n');
    }
    free(output);
    return sum;
}

static void check_batches(const json_t *report, double sum, const int *row_counts,
                          size_t count, json_int_t calls)
{
    const json_t *batches = json_object_get(report, "batches");

    assert_int_equal(json_array_size(batches), count);
    for (size_t i = 0; i < count; i++) {
        const json_t *batch = json_array_get(batches, i);
        double checksum = json_number_value(json_object_get(batch, "checksum"));

        assert_int_equal(json_integer_value(json_object_get(batch, "rows")),
                         row_counts[i]);
        assert_int_equal(json_integer_value(json_object_get(batch, "calls")), calls);
        assert_true(json_number_value(json_object_get(batch, "ns_per_call")) > 0);
        assert_true(json_is_number(json_object_get(batch, "ns_per_call_cold")));
        assert_true(fabs(checksum - sum) <= 1e-9 * (1 + fabs(sum)));
    }
}

/* The report's kernel, which is that of its first batch. */
static const char *kernel_of(const json_t *report)
{
    const json_t *batches = json_object_get(report, "batches"), *batch;
    const char *kernel = json_string_value(json_object_get(report, "kernel"));
    size_t i;

    assert_non_null(kernel);
    json_array_foreach(batches, i, batch)
    {
        const char *name = json_string_value(json_object_get(batch, "kernel"));

        assert_non_null(name);
        assert_true(*name);
        if (i == 0)
            assert_string_equal(name, kernel);
    }
    return kernel;
}

static void a_forest_is_summed_over_the_margins_that_model_score_prints(void **)
{
    const int row_counts[] = {1, 2, 64};
    double sum = sum_of((const char *[]){"model", "score", forest_path, "--rows",
                                         rows_path, "--no-header", NULL});
    json_t *report = report_of((const char *[]){
        "bench", "score", forest_path, "--rows", rows_path, "--no-header", "--batch",
        "1,2,64", "--calls", "30", "--json", NULL});

    assert_true(sum == 4.25 + 1.25 + 1.25 + 4.25 + 4.25);
    assert_int_equal(json_integer_value(json_object_get(report, "trees")), 2);
    assert_int_equal(json_integer_value(json_object_get(report, "features")), 2);
    assert_string_equal(json_string_value(json_object_get(report, "output")), "raw");
    assert_string_not_equal(kernel_of(report), "scorer");
    assert_string_not_equal(kernel_of(report), "linear");
    check_batches(report, sum, row_counts, 3, 30);
    json_decref(report);
}

static void a_linear_model_is_summed_over_all_rows(void **)
{
    const int row_counts[] = {1, 2, 64};
    json_t *report = report_of((const char *[]){
        "bench", "score", linear_path, "--rows", rows_path, "--no-header", "--batch",
        "1,2,64", "--calls", "30", "--json", NULL});

    assert_int_equal(json_integer_value(json_object_get(report, "trees")), 0);
    assert_int_equal(json_integer_value(json_object_get(report, "features")), 2);
    assert_string_equal(kernel_of(report), "linear");
    /* 2 x (1 + 0.25 - 4 + 10 + 3) - 3 x (2 + 1 + 8 + 0.125 + 3) + 5 x 0.5 */
    check_batches(report, 2 * 10.25 - 3 * 14.125 + 2.5, row_counts, 3, 30);
    json_decref(report);
}

static void a_bundle_is_summed_over_the_effects_that_model_score_prints(void **)
{
    const int row_counts[] = {1, 8, 100};
    double sum = sum_of((const char *[]){"model", "score", "models/credit_uplift",
                                         "--rows", bundle_rows_path, NULL});
    json_t *report = report_of((const char *[]){
        "bench", "score", "models/credit_uplift", "--rows", bundle_rows_path, "--batch",
        "1,8,100", "--calls", "20", "--json", NULL});

    assert_int_equal(json_integer_value(json_object_get(report, "trees")), 800);
    assert_string_equal(json_string_value(json_object_get(report, "output")), "effect");
    assert_string_equal(kernel_of(report), "scorer");
    check_batches(report, sum, row_counts, 3, 20);
    json_decref(report);
}

static void without_a_number_of_calls_a_tenth_of_a_second_is_measured(void **)
{
    json_t *report =
        report_of((const char *[]){"bench", "score", linear_path, "--rows", rows_path,
                                   "--no-header", "--batch", "64", "--json", NULL});
    const json_t *batch = json_array_get(json_object_get(report, "batches"), 0);
    double ns = json_number_value(json_object_get(batch, "ns_per_call"));

    assert_true(ns * (double)json_integer_value(json_object_get(batch, "calls")) >=
                0.99e8);
    json_decref(report);
}

static void what_cannot_be_measured_is_refused(void **)
{
    const struct {
        const char *arguments[10];
        int code;
    } cases[] = {
        {{"bench", "score", linear_path}, 2},
        {{"bench", "score", linear_path, "--rows", rows_path, "--batch", "1,,2"}, 2},
        {{"bench", "score", linear_path, "--rows", rows_path, "--batch", "0"}, 2},
        {{"bench", "score", linear_path, "--rows", rows_path, "--batch", "1,"}, 2},
        {{"bench", "score", linear_path, "--rows", rows_path, "--calls", "0"}, 2},
        {{"bench", "score", "models/credit_linear", "--rows", rows_path, "--no-header"},
         2},
        {{"bench", "score", rows_path, "--rows", rows_path}, 1},
        {{"bench", "score", linear_path, "--rows", bundle_rows_path, "--no-header"}, 1},
        {{"bench", "score", linear_path, "--rows", "/dev/null", "--no-header"}, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *output = NULL;

        assert_int_equal(program_run(cases[i].arguments, NULL, &output), cases[i].code);
        assert_string_equal(output, "");
        free(output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forest_is_summed_over_the_margins_that_model_score_prints),
        cmocka_unit_test(a_linear_model_is_summed_over_all_rows),
        cmocka_unit_test(a_bundle_is_summed_over_the_effects_that_model_score_prints),
        cmocka_unit_test(without_a_number_of_calls_a_tenth_of_a_second_is_measured),
        cmocka_unit_test(what_cannot_be_measured_is_refused),
    };

    return cmocka_run_group_tests(tests, make_files, NULL);
}
