/* test_compare_learners.c - learners beside each other: what a public experiment shows of them, and that what
 * scripts/compare_learners.py calls more than noise is.
 *
 * Hillstrom's e-mail experiment of 2008 is expected in ../shared/data/hillstrom (REDRESS_SHARED
 * overrides ../shared). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SPLIT_COUNT = 3, PATH_BYTES = 512 };

static bool has_python(void)
{
    if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
        printf("SKIPPED: python3-numpy is not installed\n");
        return false;
    }
    return true;
}

static bool has_xgboost(void)
{
    if (access("/usr/lib/x86_64-linux-gnu/libxgboost.so.0", R_OK) != 0 &&
        system("ldconfig -p | grep -q libxgboost.so.0") != 0) {
        printf("SKIPPED: libxgboost0 is not installed\n");
        return false;
    }
    return true;
}

/* "dr        0.0591  0.0112": the mean. */
static double mean_of(const char *printed, const char *learner)
{
    const char *line = strstr(printed, learner);

    assert_non_null(line);
    return strtod(line + strlen(learner), NULL);
}

static double hillstrom_qini(const char *arm)
{
    const char *shared = getenv("REDRESS_SHARED");
    char command[4 * PATH_BYTES], printed[4096];
    size_t bytes;
    FILE *pipe;

    snprintf(
        command, sizeof command,
        "/usr/bin/python3 scripts/compare_learners.py --data "
        "'%s/data/hillstrom/hillstrom.csv' --treatment segment --control 'No E-Mail' "
        "--arm '%s' --outcome visit --features recency,history_segment,history,mens,"
        "womens,zip_code,newbie,channel --learners dr --splits %d",
        shared && *shared ? shared : "../shared", arm, SPLIT_COUNT);
    fflush(NULL);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    bytes = fread(printed, 1, sizeof printed - 1, pipe);
    printed[bytes] = '\0';
    assert_int_equal(pclose(pipe), 0);
    printf("%s", printed);
    return mean_of(printed, "\ndr");
}

static void the_womens_mail_is_worth_more_to_some(void **state)
{
    const char *shared = getenv("REDRESS_SHARED");
    char path[PATH_BYTES];

    (void)state;
    snprintf(path, sizeof path, "%s/data/hillstrom/hillstrom.csv",
             shared && *shared ? shared : "../shared");
    if (access(path, R_OK) != 0) {
        printf("SKIPPED: no %s\n", path);
        skip();
    }
    if (!has_python() || !has_xgboost())
        skip();
    assert_true(hillstrom_qini("Womens E-Mail") >= 0.05);
}

static void equal_learners_are_not_told_apart_and_better_ones_are(void **state)
{
    const char *seed = getenv("SEED");
    char command[PATH_BYTES];

    (void)state;
    if (!has_python())
        skip();
    snprintf(command, sizeof command,
             "/usr/bin/python3 tests/integration/noise_rule.py %lld",
             seed ? atoll(seed) : (long long)time(NULL));
    fflush(NULL);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_learners_are_not_told_apart_and_better_ones_are),
        cmocka_unit_test(the_womens_mail_is_worth_more_to_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
