/* test_policy_memory.c - what evaluate policy takes of a long log that a model is fitted
 * on: so many bytes a row, beyond what a short one takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/folder.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = true };
#else
enum { IS_SANITIZED = false };
#endif

enum { FEW_ROWS = 4000, MANY_ROWS = 204000, CONTEXTS = 100, ACTIONS = 5 };

/* Contexts in no order, and propensities of as many digits as they have. */
static void write_log(const char *path, int row_count)
{
    FILE *file = fopen(path, "we");
    struct rng rng;

    assert_non_null(file);
    rng_seed(&rng, 5);
    fputs("x,action,propensity,reward\n", file);
    for (int i = 0; i < row_count; i++) {
        int context = (int)rng_below(&rng, CONTEXTS);

        fprintf(file, "%d,%d,%.17g,%.17g\n", context, (int)rng_below(&rng, ACTIONS),
                0.2 + 0.001 * rng_uniform(&rng), rng_uniform(&rng));
    }
    assert_int_equal(fclose(file), 0);
}

static void write_policy(const char *path)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs("x,action,prob\n", file);
    for (int i = 0; i < CONTEXTS * ACTIONS; i++)
        fprintf(file, "%d,%d,%g\n", i / ACTIONS, i % ACTIONS,
                i % ACTIONS == 0 ? 0.4 : 0.15);
    assert_int_equal(fclose(file), 0);
}

/* The most that any program took which was run so far. */
static long peak_bytes(int row_count)
{
    const char *log = group_path("log.csv"), *policy = group_path("policy.csv");
    const char *const words[] = {"evaluate", "policy",     "--log", log,      "--policy",
                                 policy,     "--features", "x",     "--json", NULL};
    struct rusage usage;
    char *output = NULL;

    write_log(log, row_count);
    write_policy(policy);
    assert_int_equal(program_run(words, NULL, &output), 0);
    assert_non_null(strstr(output, "\"base\":\"ridge\""));
    free(output);
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return usage.ru_maxrss * 1024;
}

/* Sixteen of the log, sixteen of what the model says, four of the feature, and of how
 * rows hang together thirteen. */
static void a_row_with_one_feature_takes_some_fifty_bytes(void **)
{
    enum { BYTES_A_ROW_MAX = 58 };
    long few, many;

    if (IS_SANITIZED) {
        print_message("skipped: the sanitizer's own memory is not ours\n");
        skip();
    }
    few = peak_bytes(FEW_ROWS);
    many = peak_bytes(MANY_ROWS);
    printf("%.1f bytes a row\n", (double)(many - few) / (MANY_ROWS - FEW_ROWS));
    assert_true(many > few);
    assert_true(many - few <= (long)BYTES_A_ROW_MAX * (MANY_ROWS - FEW_ROWS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_with_one_feature_takes_some_fifty_bytes),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
