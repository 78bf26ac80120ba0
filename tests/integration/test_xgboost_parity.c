/* test_xgboost_parity.c - models that XGBoost trains now, on this machine, score here as
 * they do there: no leaf differs and raw scores are the same to the bit, also for rows
 * exactly on thresholds and one float beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forest_fixture.h"
#include "support/trained_models.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { CASE_COUNT_MIN = 36 };

static char *folder; /* NULL: nothing could be trained */

static int train_models(void **)
{
    return trained_models("scripts/xgboost_parity.py", &folder);
}

static int forget_models(void **)
{
    free(folder);
    return 0;
}

static void every_model_scores_to_the_bit(void **)
{
    struct dirent *entry;
    char path[PATH_BYTES];
    int count = 0;
    DIR *directory;

    if (!folder)
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

    return cmocka_run_group_tests(tests, train_models, forget_models);
}
