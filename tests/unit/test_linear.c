/* test_linear.c - linear models of our own: reading and scoring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "infer/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct linear *read_linear(const char *text)
{
    struct linear *linear = NULL;
    struct err err;

    err_clear(&err);
    if (linear_read(text, strlen(text), &linear, &err))
        fail_msg("%s: %s", text, err.text);
    return linear;
}

static void outputs_are_weighted_sums_with_missing_values_filled(void **)
{
    struct linear *linear =
        read_linear("{\"format\":\"redress-linear/1\",\"features\":[\"a\",\"b\"],"
                    "\"weights\":[[2,-1],[0.5,4]],\"intercepts\":[10,0],\"fill\":[3,7],"
                    "\"link\":\"exp\"}");
    const double rows[] = {1, 2, NAN, NAN};
    double raw[4], scratch[2];

    assert_string_equal(linear->feature_names[1], "b");
    assert_int_equal(linear->link, LINK_EXP);
    linear_raw(linear, rows, 2, raw, scratch);
    assert_true(raw[0] == 10);
    assert_true(raw[1] == 8.5);
    assert_true(raw[2] == 9);
    assert_true(raw[3] == 29.5);
    linear_free(linear);
}

static void a_flat_list_is_one_output_and_defaults_are_zero(void **)
{
    struct linear *linear =
        read_linear("{\"weights\":[2,3],\"format\":\"redress-linear/1\"}");
    const double row[] = {5, NAN};
    double raw, scratch[2];

    assert_int_equal(linear->output_count, 1);
    assert_null(linear->feature_names);
    linear_raw(linear, row, 1, &raw, scratch);
    assert_true(raw == 10);
    linear_free(linear);
}

static void unsound_files_are_refused(void **)
{
    static const struct {
        const char *text, *message;
    } files[] = {
        {"{}", "format: is missing"},
        {"{\"format\":\"redress-linear/2\",\"weights\":[1]}", "is not redress-linear/1"},
        {"{\"format\":\"redress-linear/1\"}", "weights: are missing"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[]}", "weights: are missing"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[[]]}", "weights: are missing"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[[1],[1,2]]}",
         "weights[1]: has 2"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1,[1]]}", "expected a number"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[[1],1]}", "expected a list"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1e999]}", "byte"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"fill\":[1,2]}",
         "fill: 2 values"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"features\":[]}",
         "features: 0"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"intercepts\":[1,2]}",
         "intercepts: 2 for 1"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[[1],[1]],\"intercept\":1}",
         "one number for 2"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"weights\":[1]}",
         "given twice"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"wieghts\":[1]}",
         "'wieghts'"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"link\":\"probit\"}",
         "link:"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1]} x", "byte"},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct linear *linear = NULL;
        struct err err;

        err_clear(&err);
        assert_int_not_equal(
            linear_read(files[i].text, strlen(files[i].text), &linear, &err), STATUS_OK);
        if (!strstr(err.text, files[i].message))
            fail_msg("%s: '%s' does not say '%s'", files[i].text, err.text,
                     files[i].message);
    }
}

static void a_row_scores_the_same_alone_and_in_any_batch(void **)
{
    enum { ROWS = 37, FEATURES = 29, OUTPUTS = 3 };
    double weights[OUTPUTS * FEATURES], intercepts[OUTPUTS], fill[FEATURES] = {0};
    double rows[ROWS * FEATURES], together[ROWS * OUTPUTS], alone[OUTPUTS];
    double scratch[FEATURES];
    struct linear linear = {FEATURES, OUTPUTS,    LINK_IDENTITY, NULL,
                            weights,  intercepts, fill};
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20261122;
    struct rng rng;

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int i = 0; i < OUTPUTS * FEATURES; i++)
        weights[i] = rng_normal(&rng);
    for (int i = 0; i < OUTPUTS; i++)
        intercepts[i] = rng_normal(&rng);
    for (int i = 0; i < ROWS * FEATURES; i++)
        rows[i] = rng_normal(&rng) * 100;
    linear_raw(&linear, rows, ROWS, together, scratch);
    for (int i = 0; i < ROWS; i++) {
        linear_raw(&linear, rows + i * FEATURES, 1, alone, scratch);
        assert_memory_equal(alone, together + i * OUTPUTS, sizeof alone);
        for (int j = 0; j < OUTPUTS; j++) {
            double sum = intercepts[j];

            for (int k = 0; k < FEATURES; k++)
                sum += weights[j * FEATURES + k] * rows[i * FEATURES + k];
            assert_true(fabs(sum - alone[j]) < 1e-9 * (1 + fabs(sum)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_weighted_sums_with_missing_values_filled),
        cmocka_unit_test(a_flat_list_is_one_output_and_defaults_are_zero),
        cmocka_unit_test(unsound_files_are_refused),
        cmocka_unit_test(a_row_scores_the_same_alone_and_in_any_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
