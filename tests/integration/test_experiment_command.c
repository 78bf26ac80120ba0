/* test_experiment_command.c - what evaluate experiment says of arms whose sizes, or whose
 * missing values, should make nobody believe a difference, and of plans before there is
 * data. */
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

enum { ROWS = 4000 };

/* Arms of one size but for the share that never came into arm 1; of those who did, some
 * have no y. */
static void write_rows(double never_came, double lost_of_0, double lost_of_1)
{
    FILE *file = fopen(group_path("rows.csv"), "w");
    struct rng rng;

    assert_non_null(file);
    rng_seed(&rng, 7);
    fputs("arm,y,z\n", file);
    for (int i = 0; i < ROWS; i++) {
        int arm = i % 2;
        double y = rng_normal(&rng), z = rng_normal(&rng);

        if (arm && rng_uniform(&rng) < never_came)
            continue;
        fprintf(file, "%d,", arm);
        if (rng_uniform(&rng) >= (arm ? lost_of_1 : lost_of_0))
            fprintf(file, "%g", y);
        fprintf(file, ",%g\n", z);
    }
    assert_int_equal(fclose(file), 0);
}

/* evaluate experiment with these words ends so; the caller frees what it wrote to
 * both. */
static void run(const char *const *arguments, int code, char **output, char **messages)
{
    int ended = program_run_messages(arguments, NULL, output, messages);

    if (ended != code)
        fail_msg("wanted %d, got %d: %s%s", code, ended, *output, *messages);
}

static void expect_warnings(int code, bool is_mismatch, bool is_attrition)
{
    char *output, *messages;

    run((const char *[]){"evaluate", "experiment", "--data", group_path("rows.csv"),
                         "--arm", "arm", "--metric", "y", "--guardrail", "z:0.5", NULL},
        code, &output, &messages);
    assert_int_equal(strstr(messages, "SAMPLE RATIO MISMATCH") != NULL, is_mismatch);
    assert_int_equal(strstr(messages, "DIFFERENTIAL ATTRITION") != NULL, is_attrition);
    free(output);
    free(messages);
}

static void who_was_assigned_and_who_was_lost_are_two_questions(void **)
{
    write_rows(0, 0.1, 0.1);
    expect_warnings(0, false, false);
    write_rows(0, 0, 0.1);
    expect_warnings(1, false, true);
    write_rows(0.2, 0.1, 0.1);
    expect_warnings(1, true, false);
}

/* A guardrail has all its rows, whatever the metric lacks. */
static void each_metric_is_judged_by_its_own_rows(void **)
{
    char *output, *messages;

    write_rows(0, 0.5, 0.5);
    run((const char *[]){"evaluate", "experiment", "--data", group_path("rows.csv"),
                         "--arm", "arm", "--metric", "y", "--guardrail", "z:0.5",
                         "--json", NULL},
        0, &output, &messages);
    assert_non_null(strstr(output, "\"n\":2000,\"margin\":0.5"));
    assert_non_null(strstr(output, "\"counts\":{\"0\":2000,\"1\":2000}"));
    free(output);
    free(messages);
}

static void shares_are_parts_of_one_or_weights(void **)
{
    static const struct {
        const char *shares;
        int code;
        const char *says;
    } rows[] = {
        {"0.5,0.5", 0, "sample ratio: chi-square 0,"},
        {"3,3", 0, "sample ratio: chi-square 0,"},
        {"1,2", 1, "SAMPLE RATIO MISMATCH"},
        {"0.5,0.6", 2, "--shares: sum to 1.1, not to 1; or give weights"},
        {"0,1", 2, "--shares: 0 is not above 0"},
    };

    write_rows(0, 0, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *output, *messages;

        run((const char *[]){"evaluate", "experiment", "--data", group_path("rows.csv"),
                             "--arm", "arm", "--metric", "y", "--shares", rows[i].shares,
                             NULL},
            rows[i].code, &output, &messages);
        if (!strstr(output, rows[i].says) && !strstr(messages, rows[i].says))
            fail_msg("no '%s' in %s%s", rows[i].says, output, messages);
        free(output);
        free(messages);
    }
}

static void a_plan_needs_no_data_but_a_guess(void **)
{
    static const struct {
        const char *words[11];
        int code;
        const char *says;
    } rows[] = {
        {{"--plan", "0.1", "--sd", "1"}, 0, "1570 rows per arm find 0.1"},
        {{"--plan", "0.1", "--sd", "1", "--correlation", "0.5"},
         0,
         "1178 with the covariate"},
        {{"--plan", "0.1", "--sd", "1", "--alpha", "0.01", "--power", "0.9"},
         0,
         "2976 rows per arm"},
        /* (0.09 + 0.12 0.88) / 2 = 0.0978 */
        {{"--plan", "0.02", "--rate", "0.1"}, 0, "3839 rows per arm"},
        {{"--plan", "0.1"}, 2, "one of --sd and --rate"},
        {{"--plan", "0.1", "--sd", "1", "--rate", "0.1"}, 2, "one of --sd and --rate"},
        {{"--sd", "1"}, 2, "go with --plan"},
        {{"--plan", "0.95", "--rate", "0.1"}, 2, "1.05 is no rate"},
        {{"--plan", "0.1", "--sd", "1", "--power", "1"},
         2,
         "--power: '1' is not a number"},
        {{"--plan", "0.1", "--sd", "1", "--cluster", "customer"},
         2,
         "--cluster goes with --data"},
        {{"--plan", "0.1", "--sd", "1", "--arm", "a", "--shares", "1,2", "--tightest-at",
          "500"},
         2,
         "--arm, --shares and --tightest-at go with --data"},
        {{"--plan", "0.1", "--sd", "1", "--power", "0.04"},
         2,
         "--power: 0.04 is not above the 0.05 of --alpha"},
        {{"--plan", "0", "--sd", "1"}, 2, "--plan: '0' is not a number above 0"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *arguments[13] = {"evaluate", "experiment"};
        char *output, *messages;

        memcpy(arguments + 2, rows[i].words, sizeof rows[i].words);
        run(arguments, rows[i].code, &output, &messages);
        if (!strstr(output, rows[i].says) && !strstr(messages, rows[i].says))
            fail_msg("no '%s' in %s%s", rows[i].says, output, messages);
        free(output);
        free(messages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_assigned_and_who_was_lost_are_two_questions),
        cmocka_unit_test(each_metric_is_judged_by_its_own_rows),
        cmocka_unit_test(shares_are_parts_of_one_or_weights),
        cmocka_unit_test(a_plan_needs_no_data_but_a_guess),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
