/* test_linear.c - linear models of our own: reading and scoring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "infer/contribute.h"
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

static void a_code_counts_as_its_level_and_any_other_as_missing(void **)
{
    struct linear *linear =
        read_linear("{\"format\":\"redress-linear/1\",\"weights\":[[1,10],[-2,0]],"
                    "\"levels\":[[0.5,-4,8],[]],\"fill\":[3,7]}");
    const double codes[] = {0, 1, 2, 3, -1, 0.5, NAN, INFINITY, -0.0},
                 counts[] = {0.5, -4, 8, 3, 3, 3, 3, 3, 0.5};

    for (int i = 0; i < 9; i++) {
        const double row[] = {codes[i], 1};
        double raw[2], fast[2], contributions[3], scratch[2];

        assert_true(linear_input(linear, 0, codes[i]) == counts[i]);
        linear_raw(linear, row, 1, raw, scratch);
        assert_true(raw[0] == counts[i] + 10 && raw[1] == -2 * counts[i]);
        linear_raw_fast(linear, row, 1, fast, scratch);
        assert_true(fast[0] == raw[0] && fast[1] == raw[1]);
        contribute_linear(linear, row, 1, contributions);
        assert_true(contributions[0] == raw[1] && contributions[1] == 0);
    }
    linear_free(linear);
}

static void unsound_files_are_refused(void **)
{
    static const struct {
        const char *text, *message;
    } files[] = {
        {"{}", "format: is missing"},
        {"{\"format\":\"redress-linear/2\",\"weights\":[1]}", "is not redress-linear/1"},
        {"{\"format\":\"redress-bundle/1\"}", "the folder around it"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[\"zz\"]}",
         "weights[0]: expected a number"},
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
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"levels\":[]}",
         "levels: of 0 features for 1 weights"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"levels\":[1]}", "expected"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"levels\":[[\"a\"]]}",
         "expected"},
        {"{\"format\":\"redress-linear/1\",\"weights\":[1],\"levels\":[[1]],"
         "\"levels\":[[1]]}",
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

/* ---- drawn models ---- */

enum { ROWS = 37, FEATURES_MAX = 41, OUTPUTS = 3 };

struct drawn {
    double weights[OUTPUTS * FEATURES_MAX], intercepts[OUTPUTS], fill[FEATURES_MAX];
    double rows[ROWS * FEATURES_MAX];
    struct linear linear;
};

static void draw(struct drawn *drawn, int feature_count, struct rng *rng)
{
    for (int i = 0; i < OUTPUTS * feature_count; i++)
        drawn->weights[i] = rng_normal(rng);
    for (int i = 0; i < OUTPUTS; i++)
        drawn->intercepts[i] = rng_normal(rng);
    for (int i = 0; i < feature_count; i++)
        drawn->fill[i] = rng_normal(rng);
    for (int i = 0; i < ROWS * feature_count; i++)
        drawn->rows[i] = rng_below(rng, 10) ? rng_normal(rng) * 100 : NAN;
    drawn->linear = (struct linear){.feature_count = feature_count,
                                    .output_count = OUTPUTS,
                                    .weights = drawn->weights,
                                    .intercepts = drawn->intercepts,
                                    .fill = drawn->fill};
}

static void seed(struct rng *rng)
{
    const char *given = getenv("SEED");
    uint64_t number = given ? strtoull(given, NULL, 10) : 20261122;

    printf("SEED=%llu\n", (unsigned long long)number);
    rng_seed(rng, number);
}

/* The order that the scores of recorded decisions have, one product at a time. */
static double in_order(const struct linear *linear, const double *row, int output)
{
    const double *weights = linear->weights + output * linear->feature_count;
    double sums[8] = {0};

    for (int i = 0; i < linear->feature_count; i++) {
        double product = weights[i] * (isnan(row[i]) ? linear->fill[i] : row[i]);

        sums[i % 8] += product;
    }
    for (int apart = 4; apart > 0; apart /= 2)
        for (int k = 0; k < apart; k++)
            sums[k] += sums[k + apart];
    return linear->intercepts[output] + sums[0];
}

static void scores_are_eight_sums_in_one_order_alone_and_in_any_batch(void **)
{
    struct drawn drawn;
    struct rng rng;

    seed(&rng);
    for (int n = 1; n <= FEATURES_MAX; n++) {
        double together[ROWS * OUTPUTS], alone[OUTPUTS], scratch[FEATURES_MAX];

        draw(&drawn, n, &rng);
        linear_raw(&drawn.linear, drawn.rows, ROWS, together, scratch);
        for (int i = 0; i < ROWS; i++) {
            const double *row = drawn.rows + i * n;

            linear_raw(&drawn.linear, row, 1, alone, scratch);
            assert_memory_equal(alone, together + i * OUTPUTS, sizeof alone);
            for (int j = 0; j < OUTPUTS; j++)
                assert_true(alone[j] == in_order(&drawn.linear, row, j));
        }
    }
}

/* BLAS adds in whatever order it likes on this machine: alone by DGEMV, in a batch by
 * DGEMM. */
static void fast_scores_are_the_same_but_for_rounding(void **)
{
    struct drawn drawn;
    struct rng rng;

    seed(&rng);
    for (int n = 1; n <= FEATURES_MAX; n++) {
        double exact[ROWS * OUTPUTS], fast[ROWS * OUTPUTS], alone[OUTPUTS],
            scratch[FEATURES_MAX], filled[ROWS * FEATURES_MAX];

        draw(&drawn, n, &rng);
        linear_raw(&drawn.linear, drawn.rows, ROWS, exact, scratch);
        linear_raw_fast(&drawn.linear, drawn.rows, ROWS, fast, filled);
        for (int i = 0; i < ROWS * OUTPUTS; i++) {
            linear_raw_fast(&drawn.linear, drawn.rows + i / OUTPUTS * n, 1, alone,
                            filled);
            assert_true(fabs(fast[i] - exact[i]) <= 1e-11 * (1 + fabs(exact[i])));
            assert_true(fabs(alone[i % OUTPUTS] - exact[i]) <=
                        1e-11 * (1 + fabs(exact[i])));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_weighted_sums_with_missing_values_filled),
        cmocka_unit_test(a_flat_list_is_one_output_and_defaults_are_zero),
        cmocka_unit_test(a_code_counts_as_its_level_and_any_other_as_missing),
        cmocka_unit_test(unsound_files_are_refused),
        cmocka_unit_test(scores_are_eight_sums_in_one_order_alone_and_in_any_batch),
        cmocka_unit_test(fast_scores_are_the_same_but_for_rounding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
