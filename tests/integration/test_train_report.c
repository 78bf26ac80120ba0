/* test_train_report.c - what training says of a log and of what it learned, and logs that
 * nothing can be learned from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/train_call.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

/* ---- what the report says ---- */

static json_t *report_of(const char *data, const char *name, const char *options)
{
    char *output = NULL, *messages = NULL;
    json_t *report;

    if (train_call(data, name, options, &output, &messages) != 0)
        fail_msg("train %s: %s", options, messages);
    report = json_loads(output, 0, NULL);
    assert_non_null(report);
    free(output);
    free(messages);
    return report;
}

/* Effects differ between rows, which s on a linear model cannot say, and the others say
 * as well as each other. */
static void auto_leaves_the_simplest_learner_where_another_is_told_from_it(void **state)
{
    json_t *report = report_of(train_log_path, "auto",
                               TRAIN_COMMON "--base ridge --propensity p --cost cost "
                                            "--cluster customer --json");
    json_t *policies = json_object_get(report, "held_out_policy_values"), *policy;
    const char *why = json_string_value(json_object_get(report, "why")), *key;
    const char *learner = json_string_value(json_object_get(report, "learner"));
    double chosen, s;

    (void)state;
    assert_int_equal(json_object_size(policies), 5);
    assert_string_not_equal(learner, "s");
    chosen =
        json_number_value(json_object_get(json_object_get(policies, learner), "value"));
    s = json_number_value(json_object_get(json_object_get(policies, "s"), "value"));
    assert_true(chosen > 1.5 * s);
    json_object_foreach(policies, key, policy)
        assert_true(json_number_value(json_object_get(policy, "value")) <
                    chosen + 0.2 * json_number_value(json_object_get(policy, "se")));
    if (!strstr(why, "is the simplest that is not told") &&
        !strstr(why, "any simpler one"))
        fail_msg("%s", why);
    json_decref(report);
}

static void average_effects_are_those_of_the_log(void **state)
{
    json_t *report = report_of(train_log_path, "average",
                               TRAIN_COMMON "--learner dr --base ridge --propensity p "
                                            "--cluster customer --json");
    json_t *arms = json_object_get(report, "arms");

    (void)state;
    for (size_t arm = 0; arm < 2; arm++) {
        json_t *average = json_object_get(json_array_get(arms, arm), "average_effect");
        double se = json_number_value(json_object_get(average, "se"));

        /* credit x (30 / 30 - 0.4) */
        assert_true(fabs(json_number_value(json_object_get(average, "value")) -
                         500 * (double)(arm + 1) * 0.6) < 4 * se);
        assert_true(se < 40);
    }
    json_decref(report);
}

/* The log with the outcome taken from each row whose number says so. */
static void blank_outcomes(const char *path, int every)
{
    char line[400];
    FILE *from = fopen(train_log_path, "r"), *to = fopen(path, "w");

    assert_non_null(from);
    assert_non_null(to);
    for (int row = 0; fgets(line, sizeof line, from); row++) {
        char *end = line + strlen(line), *value, *after;

        if (row == 0 || row % every != 0) {
            fputs(line, to);
            continue;
        }
        /* value is the sixth from the end */
        for (int comma = 0; comma < 6;)
            comma += *--end == ',';
        value = end + 1;
        after = strchr(value, ',');
        fprintf(to, "%.*s%s", (int)(value - line), line, after);
    }
    fclose(from);
    fclose(to);
}

static void rows_without_an_outcome_are_completed_or_counted(void **state)
{
    json_t *report, *rows;
    const char *path = group_path("young.csv");

    (void)state;
    blank_outcomes(path, 3);
    report =
        report_of(path, "young", TRAIN_COMMON "--learner dr --base ridge --quick --json");
    rows = json_object_get(report, "rows");
    assert_int_equal(json_integer_value(json_object_get(rows, "read")), TRAIN_ROW_COUNT);
    assert_int_equal(json_integer_value(json_object_get(rows, "dropped_without_outcome")),
                     1000);
    json_decref(report);
    report =
        report_of(group_path("young.csv"), "completed",
                  TRAIN_COMMON "--learner dr --base ridge --quick --surrogates early "
                               "--propensity p --json");
    rows = json_object_get(report, "rows");
    assert_int_equal(json_integer_value(json_object_get(rows, "trained_on")),
                     TRAIN_ROW_COUNT);
    assert_int_equal(json_integer_value(json_object_get(rows, "completed_by_surrogates")),
                     1000);
    json_decref(report);
}

static double error_of_average(json_t *report)
{
    return json_number_value(json_object_get(
        json_object_get(json_array_get(json_object_get(report, "arms"), 1),
                        "average_effect"),
        "se"));
}

/* Every other row is too young (heavy is 1): what it has for an outcome is not used. */
static void an_outcome_whose_window_is_open_counts_as_missing(void **state)
{
    json_t *old =
        report_of(train_log_path, "old",
                  TRAIN_COMMON "--learner dr --base ridge --quick --propensity p "
                               "--json");
    json_t *young =
        report_of(train_log_path, "windowed",
                  TRAIN_COMMON "--learner dr --base ridge --quick --propensity p "
                               "--age heavy --window 2 --surrogates visit --json");
    json_t *rows = json_object_get(young, "rows");
    char *messages;

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(rows, "younger_than_window")),
                     TRAIN_ROW_COUNT / 2);
    assert_int_equal(json_integer_value(json_object_get(rows, "completed_by_surrogates")),
                     TRAIN_ROW_COUNT / 2);
    /* Half of what was known is not, and the interval says so. */
    assert_true(error_of_average(young) > 1.02 * error_of_average(old));
    json_decref(old);
    json_decref(young);
    assert_int_equal(train_call(train_log_path, "bad",
                                TRAIN_COMMON "--learner dr --age heavy", NULL, &messages),
                     2);
    assert_non_null(strstr(messages, "need each other"));
    free(messages);
}

static void outcomes_are_summed_by_their_weights(void **state)
{
    json_t *once = report_of(train_log_path, "one",
                             TRAIN_COMMON "--learner t --base ridge --quick "
                                          "--propensity p --json");
    json_t *twice =
        report_of(train_log_path, "two",
                  "--treatment credit --outcome value,early --outcome-weights 2,0 "
                  "--features " TRAIN_FEATURES
                  " --learner t --base ridge --quick --propensity p --json");

    (void)state;
    for (size_t arm = 0; arm < 2; arm++) {
        double a = json_number_value(json_object_get(
            json_object_get(json_array_get(json_object_get(once, "arms"), arm),
                            "average_effect"),
            "value"));
        double b = json_number_value(json_object_get(
            json_object_get(json_array_get(json_object_get(twice, "arms"), arm),
                            "average_effect"),
            "value"));

        assert_true(fabs(b - 2 * a) < 1e-6 * fabs(b));
    }
    json_decref(once);
    json_decref(twice);
}

static void an_experiment_has_a_qini_and_pictures(void **state)
{
    static const char *const pictures[] = {"gain", "qini", "calibration", "dose",
                                           "importance"};
    json_t *report, *experiment;

    (void)state;
    report = report_of(train_log_path, "pictures",
                       "--treatment credit --outcome visit --features " TRAIN_FEATURES
                       " --learner r --base ridge --randomised --json");
    experiment =
        json_object_get(json_array_get(json_object_get(report, "arms"), 1), "experiment");
    assert_true(json_number_value(json_object_get(experiment, "qini")) > 0);
    assert_true(
        json_number_value(json_array_get(json_object_get(experiment, "qini_ci"), 0)) > 0);
    json_decref(report);
    if (system("command -v gnuplot > /dev/null") != 0) {
        printf("SKIPPED: gnuplot is not installed\n");
        return;
    }
    for (int i = 0; i < 5; i++) {
        char path[2 * PATH_BYTES], *content;
        size_t bytes;

        snprintf(path, sizeof path, "%s/plot_%s.png", group_path("pictures"),
                 pictures[i]);
        assert_int_equal(file_read(path, 1 << 20, &content, &bytes, NULL), 0);
        assert_true(bytes > 4000);
        assert_memory_equal(content, "\211PNG", 4);
        free(content);
    }
}

static void propensities_of_something_else_are_noticed(void **state)
{
    char *messages;

    (void)state;
    assert_int_equal(train_call(train_log_path, "noticed",
                                TRAIN_COMMON
                                "--learner t --base ridge --quick --propensity p",
                                NULL, &messages),
                     0);
    assert_null(strstr(messages, "cannot be right"));
    free(messages);
    assert_int_equal(train_call(train_log_path, "noticed",
                                TRAIN_COMMON
                                "--learner t --base ridge --quick --propensity "
                                "treated_p",
                                NULL, &messages),
                     0);
    assert_non_null(strstr(messages, "cannot be right"));
    free(messages);
}

/* One row of a third of all, whose propensity says that it is one of a million. */
static void write_heavy(const char *path, int treatment, double propensity)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs("t,y,x,p\n", file);
    for (int row = 0; row < 900; row++)
        fprintf(file, "%d,%d,%d,%.17g\n", (row % 3 - 1) * treatment,
                row * 7 % 5 + row % 3, row % 11, row == 300 ? propensity : 1.0 / 3);
    assert_int_equal(fclose(file), 0);
}

#define HEAVY                                                                            \
    "--treatment t --outcome y --features x --base ridge --learner dr --quick "          \
    "--propensity p --control "

/* Row 300 is of the first arm, which is the control or none. */
static void one_row_with_all_the_weight_is_noticed(void **state)
{
    static const char *const controls[] = {"-1", "0"};
    char *messages, *output;

    (void)state;
    for (int i = 0; i < 2; i++)
        for (int heavy = 0; heavy < 2; heavy++) {
            char options[200];
            json_t *report, *weights;
            double share;

            snprintf(options, sizeof options, HEAVY "%s --doses 1,2 --json", controls[i]);
            write_heavy(group_path("heavy.csv"), 1, heavy ? 1e-6 : 1.0 / 3);
            assert_int_equal(
                train_call(group_path("heavy.csv"), "heavy", options, &output, &messages),
                0);
            report = json_loads(output, 0, NULL);
            assert_non_null(report);
            weights =
                i == 0
                    ? json_object_get(report, "control_row_weights")
                    : json_object_get(json_array_get(json_object_get(report, "arms"), 0),
                                      "row_weights");
            share = json_number_value(json_object_get(weights, "largest_share"));
            assert_true(heavy ? share > 0.999 : fabs(share - 1.0 / 300) < 1e-9);
            share = json_number_value(json_object_get(weights, "effective_rows"));
            assert_true(heavy ? share < 1.01 : fabs(share - 300) < 1e-6);
            assert_true(heavy == !!strstr(messages, "one of the rows of '-1' has 99.9 % "
                                                    "of all their weight, at most 5 %"));
            assert_true(heavy == !!strstr(messages, "the rows of '-1' weigh as much as 1 "
                                                    "that are alike, fewer than 50"));
            assert_null(strstr(messages, "rows of '1' "));
            json_decref(report);
            free(output);
            free(messages);
        }
}

static void an_amount_that_is_no_dose_is_named(void **state)
{
    char *messages;

    (void)state;
    write_heavy(group_path("below.csv"), 500, 1.0 / 3);
    assert_int_equal(
        train_call(group_path("below.csv"), "below", HEAVY "0", NULL, &messages), 0);
    assert_non_null(strstr(messages, "'t' has the amount -500, which is not above 0: the "
                                     "arms are given the doses 1 to 2"));
    free(messages);
}

/* ---- logs that nothing can be learned from ---- */

struct refusal {
    const char *rows, *options, *says;
    int code;
};

static void bad_logs_are_refused_with_what_and_where(void **state)
{
#define ASK "--treatment t --outcome y --features x --base ridge --learner t"
    static const struct refusal refusals[] = {
        {"t,y,x\n", ASK, "no rows", 1},
        {"", ASK, "empty", 1},
        {"t,outcome,x\n0,1,2\n", "--treatment t --outcome outcom --features x",
         "'outcome'", 1},
        {"t,y,x\n0,one,2\n", ASK, "line 2 column 'y'", 1},
        {"t,y,x\n1,1,2\n1,2,2\n", ASK, "one arm only", 1},
        {"t,y,x\n0,1,2\n1,1,2\n", ASK, "is 1 in every row", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK, "at least 50 are needed", 1},
        {"t,y,x\n0,1e-20,2\n1,2e-20,2\n",
         "--treatment t --outcome y --features x --learner t",
         "differs by 1e-20 between rows, which is too little for trees", 1},
        {"t,y,x\n0,,2\n1,,2\n", ASK, "is missing in every row", 1},
        {"t,y,x,p\n0,1,2,0.5\n1,2,2,0\n", ASK " --propensity p", "line 3 column 'p'", 1},
        {"t,y,x,p\n0,1,2,0.5\n1,2,2,1.5\n", ASK " --propensity p", "1.5", 1},
        {"t,y,x,p,q\n0,1,2,0.5,0.5\n1,2,2,0.5,0.4\n", ASK " --propensity p,q",
         "line 3: the propensities sum to 0.9", 1},
        {"t,y,x,w\n0,1,2,1\n1,2,2,-1\n", ASK " --weights w", "is no weight above 0", 1},
        {"t,y,x,w\n0,1,2,1\n1,2,2,-1\n", ASK " --age w --window 3",
         "line 3 column 'w': -1 is no age", 1},
        {"t,y,x,w\n0,1,2,1\n1,2,2,1\n", ASK " --age w --window -3",
         "--window: -3 is not above 0", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --control 5", "no row is '5'", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome y --features x,y --base ridge",
         "--outcome: 'y' is also --features", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --surrogates z", "'z'", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --surrogates y", "'y' is also --surrogates", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --surrogates t", "'t' is also --surrogates", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome t --features x --base ridge",
         "'t' is also --outcome", 2},
        {"t,y,x\n0,1,2\n1,2,1e300\n", ASK, "line 3 column 'x': 1", 1},
        {"t,y,x\n0,1,b\n1,2,a\xff\n", ASK, "line 3 column 'x': 'a?' is not UTF-8", 1},
        {"t,y,x\n0,1,2\na\xff,2,3\n", ASK, "line 3 column 't': 'a?' is not UTF-8", 1},
        {"t,y,x\n0,1,b\n1,2,\"a\nc\"\n", ASK,
         "line 3 column 'x': 'a c' holds a line break, which no category", 1},
        {"t,y,x\n0,1,b\n1,2,a\tc\n", ASK,
         "line 3 column 'x': 'a c' holds a control character", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome y --features x --base tree",
         "none of xgboost", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome y --features x --learner q",
         "none of auto", 2},
        {"t,y,x\n0,1,2\n1,2,2\n",
         "--treatment t --outcome y --features x --base ridge --monotone", "--monotone",
         2},
        {"t,y,x\n", "--treatment t --outcome y", "--features", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        const char *path = group_path("bad.csv");
        char *messages;
        int code;

        assert_int_equal(
            file_write(path, refusal->rows, strlen(refusal->rows), 0666, NULL), 0);
        code = train_call(path, "bad", refusal->options, NULL, &messages);
        if (code != refusal->code || !strstr(messages, refusal->says))
            fail_msg("row %zu: exit %d, \"%s\" instead of \"%s\"", i, code, messages,
                     refusal->says);
        assert_int_not_equal(access(group_path("bad"), F_OK), 0);
        free(messages);
    }
}

static void more_arms_than_a_bundle_has_are_refused(void **state)
{
    char *messages;
    FILE *file = fopen(group_path("many.csv"), "w");

    (void)state;
    assert_non_null(file);
    fputs("t,y,x\n", file);
    for (int i = 0; i < 34 * 60; i++)
        fprintf(file, "%d,%d,%d\n", i % 34, i % 7, i % 5);
    fclose(file);
    assert_int_equal(train_call(group_path("many.csv"), "bad",
                                "--treatment t --outcome y --features x --base ridge",
                                NULL, &messages),
                     1);
    assert_non_null(strstr(messages, "at most 32"));
    free(messages);
}

static void a_folder_of_something_else_is_left_alone(void **state)
{
    char *messages;

    (void)state;
    assert_int_equal(mkdir(group_path("precious"), 0777), 0);
    assert_int_equal(file_write(group_path("precious/letters.txt"), "x", 1, 0666, NULL),
                     0);
    assert_int_equal(train_call(train_log_path, "precious",
                                TRAIN_COMMON "--learner t --base ridge --quick", NULL,
                                &messages),
                     1);
    assert_non_null(strstr(messages, "letters.txt"));
    assert_int_equal(access(group_path("precious/letters.txt"), F_OK), 0);
    assert_int_not_equal(access(group_path("precious/manifest.json"), F_OK), 0);
    free(messages);
}

static void train_again(const char *name, int code, const char *said)
{
    char *messages;

    assert_int_equal(train_call(train_log_path, name,
                                TRAIN_COMMON "--learner t --base ridge --quick", NULL,
                                &messages),
                     code);
    assert_non_null(strstr(messages, said));
    free(messages);
}

static void a_link_stays_and_the_folder_it_points_to_is_replaced(void **state)
{
    struct stat before, after, link;

    (void)state;
    train_again("linked", 0, "");
    assert_int_equal(symlink("linked", group_path("current")), 0);
    assert_int_equal(stat(group_path("linked"), &before), 0);
    train_again("current", 0, "before was replaced");
    assert_int_equal(lstat(group_path("current"), &link), 0);
    assert_true(S_ISLNK(link.st_mode));
    assert_int_equal(stat(group_path("linked"), &after), 0);
    assert_int_not_equal(after.st_ino, before.st_ino);
    assert_int_equal(access(group_path("linked/manifest.json"), F_OK), 0);
}

static void a_link_to_nothing_is_refused(void **state)
{
    struct stat link;

    (void)state;
    assert_int_equal(symlink("nowhere", group_path("dangling")), 0);
    train_again("dangling", 1, "symbolic link to nothing");
    assert_int_equal(lstat(group_path("dangling"), &link), 0);
    assert_true(S_ISLNK(link.st_mode));
    assert_int_not_equal(access(group_path("nowhere"), F_OK), 0);
}

/* So early that the log has not even been looked for. */
static void where_nothing_can_be_written_nothing_is_trained(void **state)
{
    static const char *const refused[][2] = {
        {"to_nothing", "symbolic link to nothing"},
        {"of_letters", "holds 'letters.txt'"},
        {"of_letters/letters.txt", "Not a directory"},
        {"of_letters/letters.txt/bundle", "Not a directory"},
        {"made/for/it", "no_log.csv"},
    };

    (void)state;
    assert_int_equal(symlink("nowhere", group_path("to_nothing")), 0);
    assert_int_equal(mkdir(group_path("of_letters"), 0777), 0);
    assert_int_equal(file_write(group_path("of_letters/letters.txt"), "x", 1, 0666, NULL),
                     0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *messages;

        assert_int_equal(train_call(group_path("no_log.csv"), refused[i][0],
                                    "--treatment t --outcome y --features x", NULL,
                                    &messages),
                         1);
        if (!strstr(messages, refused[i][1]))
            fail_msg("%s: %s", refused[i][0], messages);
        free(messages);
    }
}

/* From within the folder, so that nothing stands before the first name. */
static void folders_above_are_made_however_short_their_names(void **state)
{
    static const char *const outputs[] = {"m", "m/for/it", "./m/it", "made/for/it"};
    char *before = getcwd(NULL, 0);

    (void)state;
    assert_non_null(before);
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        const char *const arguments[] = {
            "train", "--data",    "no_log.csv", "--output",   outputs[i], "--treatment",
            "t",     "--outcome", "y",          "--features", "x",        NULL};
        char *output, *messages;
        int code;

        assert_int_equal(chdir(group_folder()), 0);
        code = program_run_messages(arguments, NULL, &output, &messages);
        assert_int_equal(chdir(before), 0);
        assert_int_equal(code, 1);
        if (!strstr(messages, "no_log.csv"))
            fail_msg("%s: %s", outputs[i], messages);
        free(output);
        free(messages);
    }
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_leaves_the_simplest_learner_where_another_is_told_from_it),
        cmocka_unit_test(average_effects_are_those_of_the_log),
        cmocka_unit_test(rows_without_an_outcome_are_completed_or_counted),
        cmocka_unit_test(an_outcome_whose_window_is_open_counts_as_missing),
        cmocka_unit_test(outcomes_are_summed_by_their_weights),
        cmocka_unit_test(an_experiment_has_a_qini_and_pictures),
        cmocka_unit_test(propensities_of_something_else_are_noticed),
        cmocka_unit_test(one_row_with_all_the_weight_is_noticed),
        cmocka_unit_test(an_amount_that_is_no_dose_is_named),
        cmocka_unit_test(bad_logs_are_refused_with_what_and_where),
        cmocka_unit_test(more_arms_than_a_bundle_has_are_refused),
        cmocka_unit_test(a_folder_of_something_else_is_left_alone),
        cmocka_unit_test(a_link_stays_and_the_folder_it_points_to_is_replaced),
        cmocka_unit_test(a_link_to_nothing_is_refused),
        cmocka_unit_test(where_nothing_can_be_written_nothing_is_trained),
        cmocka_unit_test(folders_above_are_made_however_short_their_names),
    };

    return cmocka_run_group_tests(tests, train_log_open, group_folder_close);
}
