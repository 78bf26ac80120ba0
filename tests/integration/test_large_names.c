/* test_large_names.c - numbers that name something, as clusters, arms and units, are told
 * apart however large they are: results are those of the same names with a letter in
 * front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/table_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_BYTES = 1 << 17, CLUSTERS = 300, ROWS_OF_ONE = 3 };

static const long long first_name =
    4611686018427387904; /* 2^62: the next double is 1024 more */

static const char *answer_to(const char *command, const char *table, char **output)
{
    char *messages;
    int code =
        table_call(command, (const char *const[]){table, NULL, NULL}, output, &messages);

    if (code)
        fail_msg("%s\nexit code %d: %s", command, code, messages);
    free(messages);
    return *output;
}

/* ---- clusters ---- */

/* What a cluster has in common is large, so that errors tell whether clusters were
 * merged. */
static const char *clustered(const char *letter)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "t,y,x,z,s,e,g\n");

    for (int cluster = 0; cluster < CLUSTERS; cluster++)
        for (int i = 0; i < ROWS_OF_ONE; i++) {
            int row = cluster * ROWS_OF_ONE + i, z = cluster * 7 % 2,
                t = row % 5 ? z : !z;

            bytes += (size_t)snprintf(
                table + bytes, TABLE_BYTES - bytes, "%d,%d,%d,%d,%d,%d,%s%lld\n", t,
                t + cluster * 31 % 17 + i, cluster * 11 % 13, z, row * 13 % 29,
                1 + row % 7, letter, first_name + 97LL * cluster);
        }
    assert_true(bytes < TABLE_BYTES);
    return table;
}

static void clusters_with_large_numbers_stay_apart(void **)
{
    static const char *const commands[] = {
        "estimate ate --data a.csv --json --treatment t --outcome y --method ols "
        "--cluster g",
        "estimate iv --data a.csv --json --outcome y --treatment t --instruments z "
        "--cluster "
        "g",
        "evaluate uplift --data a.csv --json --score s --treatment t --outcome y "
        "--cluster g "
        "--bootstrap 20",
        "evaluate curve --data a.csv --json --effects e --scores y --costs 1 --cluster g",
        "evaluate experiment --data a.csv --json --arm t --metric y --cluster g",
        "evaluate experiment --data a.csv --json --arm t --metric y --covariate x "
        "--cluster "
        "g",
    };

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char *numbers, *texts;

        answer_to(commands[i], clustered(""), &numbers);
        answer_to(commands[i], clustered("c"), &texts);
        assert_string_equal(numbers, texts);
        free(numbers);
        free(texts);
    }
}

/* A cluster of letters, of a row that has no outcome, makes texts of all and changes
 * nothing else. */
static void clusters_of_what_is_learned_from_stay_apart(void **)
{
    char *reports[2];

    for (int i = 0; i < 2; i++) {
        char table[TABLE_BYTES], command[300];

        snprintf(table, sizeof table, "%s0,,1,1,1,1,%s\n", clustered(""), i ? "z" : "7");
        snprintf(
            command, sizeof command,
            "train --data a.csv --treatment t --outcome y --features x,s --cluster g "
            "--learner t --base ridge --quick --json --output %s",
            group_path("model"));
        answer_to(command, table, &reports[i]);
    }
    assert_string_equal(reports[0], reports[1]);
    for (int i = 0; i < 2; i++)
        free(reports[i]);
}

/* ---- arms and units ---- */

static void arms_with_large_numbers_are_found_by_their_names(void **)
{
    char table[4096] = "t,y\n", *output, *messages;
    size_t bytes = strlen(table);

    for (int i = 0; i < 60; i++)
        bytes +=
            (size_t)snprintf(table + bytes, sizeof table - bytes,
                             "154181560360603648%d,%d\n", i % 3, 10 * (i % 3) + i % 4);
    answer_to("estimate ate --data a.csv --json --treatment t --outcome y --method "
              "difference --control 1541815603606036480 --arm 1541815603606036482",
              table, &output);
    assert_non_null(strstr(output, "\"estimate\":20"));
    free(output);
    /* Of another name that would be the same number there is no row. */
    assert_int_equal(table_call("estimate ate --data a.csv --treatment t --outcome y "
                                "--method difference --control 1541815603606036483",
                                (const char *const[]){table, NULL, NULL}, &output,
                                &messages),
                     1);
    assert_non_null(strstr(messages, "--control: no row is '1541815603606036483'; there "
                                     "are '1541815603606036480', '1541815603606036481', "
                                     "'1541815603606036482'"));
    free(output);
    free(messages);
}

static void units_with_large_numbers_are_found_by_their_names(void **)
{
    char table[4096] = "u,time,y\n", *output;
    size_t bytes = strlen(table);

    for (int unit = 0; unit < 5; unit++)
        for (int time = 0; time < 6; time++)
            bytes += (size_t)snprintf(table + bytes, sizeof table - bytes,
                                      "154181560360603648%d,%d,%d\n", unit, time,
                                      unit * time % 7 + (unit == 3 && time > 3 ? 9 : 0));
    answer_to("estimate panel --data a.csv --json --unit u --time time --outcome y "
              "--treated 1541815603606036483 --from 4 --method did",
              table, &output);
    assert_non_null(strstr(output, "\"units\":5"));
    free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_with_large_numbers_stay_apart),
        cmocka_unit_test(clusters_of_what_is_learned_from_stay_apart),
        cmocka_unit_test(arms_with_large_numbers_are_found_by_their_names),
        cmocka_unit_test(units_with_large_numbers_are_found_by_their_names),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
