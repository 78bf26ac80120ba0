/* test_xgboost_parity.c - models that XGBoost trains now, on this machine, score here as
 * they do there: no leaf differs and raw scores are the same to the bit, also for rows
 * exactly on thresholds and one float beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forest_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_SKIP = 77, CASE_COUNT_MIN = 36 };

static char folder[] = "/tmp/redress-parity-XXXXXX";
static bool is_skipped;

/* Run Debian's Python, which has python3-xgboost, whatever else is first in PATH. */
static int train_models(void **)
{
    const char *seed = getenv("SEED");
    char command[512];
    int status;

    if (!mkdtemp(folder))
        return -1;
    snprintf(command, sizeof command,
             "/usr/bin/python3 scripts/xgboost_parity.py %s %lld", folder,
             seed ? atoll(seed) : (long long)time(NULL));
    fflush(stdout);
    status = system(command);
    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == EXIT_SKIP || WEXITSTATUS(status) == 127)) {
        printf("SKIPPED: python3-xgboost is not installed\n");
        is_skipped = true;
        return 0;
    }
    return status;
}

static int remove_models(void **)
{
    char command[512];

    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void every_model_scores_to_the_bit(void **)
{
    struct dirent *entry;
    char path[PATH_BYTES];
    int count = 0;
    DIR *directory;

    if (is_skipped)
        skip();
    directory = opendir(folder);
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        struct comparison comparison;

        if (entry->d_name[0] == '.')
            continue;
        path_of(path, "%s/%s", folder, entry->d_name);
        comparison = compare_folder(path, false);
        printf("%-16s %d rows, %3d trees: %d leaves differ, %d raw scores\n",
               entry->d_name, comparison.row_count, comparison.tree_count,
               comparison.differing_leaf_count, comparison.inexact_count);
        assert_int_equal(comparison.model_count, 2); /* JSON and UBJ */
        assert_int_equal(comparison.differing_leaf_count, 0);
        assert_int_equal(comparison.inexact_count, 0);
        count++;
    }
    closedir(directory);
    assert_true(count >= CASE_COUNT_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_scores_to_the_bit),
    };

    return cmocka_run_group_tests(tests, train_models, remove_models);
}
