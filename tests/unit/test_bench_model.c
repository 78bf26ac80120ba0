/* test_bench_model.c - what bench score takes for the same answer as the reference's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/bench.h"
#include "base/file.h"
#include "support/bundle_fixture.h"
#include "support/folder.h"
#include "support/forest_fixture.h"

#include <math.h>
#include <stdlib.h>

/* A model as the command opens it, for calls of one row; the caller closes it. */
static struct bench_model open_model(const char *text)
{
    struct bench_model model;
    char path[PATH_BYTES], *folder = folder_temporary();
    struct err err = {0};

    assert_non_null(folder);
    path_of(path, "%s/model", folder);
    if (file_write(path, text, strlen(text), 0600, &err) ||
        bench_model_open(path, 1, &model, &err))
        fail_msg("%s", err.text);
    free(folder);
    return model;
}

static void a_forest_answers_to_the_bit(void **)
{
    struct bench_model model = open_model(xgboost_small);

    assert_true(bench_is_same(&model, 1.25, 1.25));
    assert_true(bench_is_same(&model, NAN, NAN));
    assert_false(bench_is_same(&model, nextafter(1.25, 2), 1.25));
    assert_false(bench_is_same(&model, nextafter(1.25, 1), 1.25));
    assert_false(bench_is_same(&model, 0x1p-1074, 0));
    assert_false(bench_is_same(&model, NAN, 1.25));
    assert_false(bench_is_same(&model, 1.25, NAN));
    bench_model_close(&model);
}

static void sums_in_another_order_may_differ_in_their_last_digits(void **)
{
    const char *const texts[] = {"{\"format\":\"redress-linear/1\",\"weights\":[1]}",
                                 bundle_small};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bench_model model = open_model(texts[i]);

        assert_true(bench_is_same(&model, nextafter(1000, 1001), 1000));
        assert_true(bench_is_same(&model, 1000 + 1e-6, 1000));
        assert_false(bench_is_same(&model, 1000 + 1.1e-6, 1000));
        assert_true(bench_is_same(&model, INFINITY, INFINITY));
        assert_false(bench_is_same(&model, INFINITY, 1000));
        assert_false(bench_is_same(&model, 1000, INFINITY));
        assert_false(bench_is_same(&model, -INFINITY, INFINITY));
        assert_false(bench_is_same(&model, NAN, 1000));
        assert_false(bench_is_same(&model, 1000, NAN));
        bench_model_close(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forest_answers_to_the_bit),
        cmocka_unit_test(sums_in_another_order_may_differ_in_their_last_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
