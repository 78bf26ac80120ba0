/* test_train_log.c - logs as they come: arms in any order, words for amounts, rows that
 * were sure of their treatment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/folder.h"
#include "support/server.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 1500, ARGUMENT_COUNT_MAX = 40 };

static const char *const words[] = {"none", "large", "small"};
static const double shares[] = {0.5, 0.2, 0.3}; /* none, large, small */

/* Effects are 10 x and 4 x; one row in seven, when some are sure, got what it got with
 * certainty. */
static void write_log(const char *name, int first, bool some_are_sure)
{
    FILE *file = fopen(group_path(name), "w");
    struct rng rng;

    assert_non_null(file);
    rng_seed(&rng, 3);
    fputs("t,y,x,p,p_large,p_none,p_small\n", file);
    for (int row = 0; row < ROW_COUNT; row++) {
        double u = rng_uniform(&rng), x = rng_uniform(&rng);
        bool is_sure = some_are_sure && row % 7 == 0;
        int arm = u < shares[0] ? 0 : u < shares[0] + shares[1] ? 1 : 2;

        if (row < 3)
            arm = (first + row) % 3;
        fprintf(file, "%s,%.6f,%.6f,%.17g,0.2,0.5,0.3\n", words[arm],
                (arm == 1   ? 10 * x
                 : arm == 2 ? 4 * x
                            : 0) +
                    0.1 * rng_normal(&rng),
                x, is_sure ? 1 : shares[arm]);
    }
    assert_int_equal(fclose(file), 0);
}

/* The report, or NULL with *messages. Words of more are apart by blanks; without
 * --control among them it is none. */
static json_t *report_of(const char *data, const char *more, char **messages)
{
    const char *arguments[ARGUMENT_COUNT_MAX] = {
        "train",       "--data", group_path(data), "--output", group_path("model"),
        "--treatment", "t",      "--outcome",      "y",        "--features",
        "x",           "--json"};
    char *copy, *printed = NULL, *said = NULL, *rest = NULL;
    json_t *report = NULL;
    int count = 12, code;

    assert_true(asprintf(&copy, "%s%s", more,
                         strstr(more, "--control") ? "" : " --control none") >= 0);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        arguments[count++] = word;
    code = program_run_messages(arguments, NULL, &printed, &said);
    if (code == 0)
        report = json_loads(printed, 0, NULL);
    else if (!messages)
        fail_msg("train %s: %s", more, said);
    if (messages)
        *messages = said;
    else
        free(said);
    free(printed);
    free(copy);
    return report;
}

static json_t *arm_of(json_t *report, size_t arm)
{
    return json_array_get(json_object_get(report, "arms"), arm);
}

static double number_of(json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *const options_of_order[] = {
    "--learner dr --base ridge --quick --doses 900,400 --propensity "
    "p_large,p_none,p_small",
    "--learner dr --base ridge --quick --doses small=400,large=900 --propensity p",
};

static void arms_do_not_depend_on_which_row_comes_first(void **state)
{
    (void)state;
    for (int first = 0; first < 3; first++)
        for (int way = 0; way < 2; way++) {
            json_t *report;

            write_log("log.csv", first, false);
            report = report_of("log.csv", options_of_order[way], NULL);
            assert_string_equal(
                json_string_value(json_object_get(arm_of(report, 0), "arm")), "large");
            assert_true(number_of(arm_of(report, 0), "dose") == 900);
            assert_true(number_of(arm_of(report, 1), "dose") == 400);
            for (size_t arm = 0; arm < 2; arm++) {
                json_t *mean = json_object_get(arm_of(report, arm), "inverse_propensity");

                assert_true(fabs(number_of(mean, "value") - 1) <
                            4 * number_of(mean, "se"));
            }
            json_decref(report);
        }
}

static void amounts_without_an_arm_are_refused_by_its_name(void **state)
{
    static const char *const wrong[] = {"900", "900,400,1", "small=400,small=900",
                                        "none=1,small=2", "big=900,small=400"};
    char options[200], *messages;

    (void)state;
    write_log("log.csv", 0, false);
    for (int i = 0; i < 5; i++) {
        snprintf(options, sizeof options, "--learner dr --base ridge --quick --doses %s",
                 wrong[i]);
        assert_null(report_of("log.csv", options, &messages));
        assert_non_null(strstr(messages, "is not one number for each of 'large', 'none', "
                                         "'small' but 'none'"));
        free(messages);
    }
}

/* An exported decision log: every tenth row a person's, with an amount of his own, every
 * eleventh held out; every twelfth of the rest was changed later. */
static void write_decisions(const char *name)
{
    FILE *file = fopen(group_path(name), "w");
    struct rng rng;

    assert_non_null(file);
    rng_seed(&rng, 3);
    fputs("parent_id,overridden,mode,t,y,x,p\n", file);
    for (int row = 0; row < ROW_COUNT; row++) {
        bool is_by_person = row % 10 == 0, is_held_out = !is_by_person && row % 11 == 0;
        double u = rng_uniform(&rng), x = rng_uniform(&rng);
        int arm = is_held_out || u < 0.5 ? 0 : 500;

        fprintf(file, "%s,%d,%s,%d,%.6f,%.6f,%g\n", is_by_person ? "dec_1" : "",
                row % 12 == 0, is_held_out ? "holdout" : "live", is_by_person ? 777 : arm,
                (is_by_person ? 1000 : arm / 100 * x) + 0.1 * rng_normal(&rng), x,
                is_by_person || is_held_out ? 1 : 0.5);
    }
    assert_int_equal(fclose(file), 0);
}

static void what_no_policy_gave_is_left_out_and_counted(void **state)
{
    const char *options = "--learner t --base ridge --quick --control 0 --propensity p";
    int by_person = 0, held_out = 0, changed = 0;
    json_t *report, *rows, *passed;
    char *messages;

    (void)state;
    write_decisions("decisions.csv");
    for (int row = 0; row < ROW_COUNT; row++) {
        by_person += row % 10 == 0;
        held_out += row % 10 != 0 && row % 11 == 0;
        changed += row % 10 != 0 && row % 11 != 0 && row % 12 == 0;
    }
    report = report_of("decisions.csv", options, NULL);
    rows = json_object_get(report, "rows");
    assert_int_equal(number_of(rows, "read"), ROW_COUNT);
    assert_int_equal(number_of(rows, "trained_on"), ROW_COUNT - by_person - held_out);
    passed = json_object_get(rows, "passed_over");
    assert_int_equal(number_of(passed, "by_person"), by_person);
    assert_int_equal(number_of(passed, "not_live"), held_out);
    assert_int_equal(number_of(rows, "overridden"), changed);
    assert_int_equal(json_array_size(json_object_get(report, "arms")), 1);
    assert_true(
        fabs(number_of(json_object_get(arm_of(report, 0), "average_effect"), "value") -
             2.5) < 0.3);
    json_decref(report);

    report = report_of("decisions.csv",
                       "--learner t --base ridge --quick --control 0 --propensity p "
                       "--all-rows",
                       &messages);
    assert_non_null(report);
    free(messages);
    rows = json_object_get(report, "rows");
    assert_int_equal(number_of(rows, "trained_on"), ROW_COUNT);
    assert_null(json_object_get(rows, "passed_over"));
    assert_int_equal(json_array_size(json_object_get(report, "arms")), 2);
    json_decref(report);
}

/* What a command that reads the log says as JSON; words of more are apart by blanks. */
static json_t *answer_of(const char *command, const char *more)
{
    const char *arguments[ARGUMENT_COUNT_MAX];
    char *copy, *output = NULL, *rest = NULL;
    int count = 0;
    json_t *answer;

    assert_true(asprintf(&copy, "%s --json --outcome y --data %s %s", command,
                         group_path("decisions.csv"), more) > 0);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        arguments[count++] = word;
    arguments[count] = NULL;
    assert_int_equal(program_run(arguments, NULL, &output), 0);
    answer = json_loads(output, 0, NULL);
    assert_non_null(answer);
    free(output);
    free(copy);
    return answer;
}

/* As training does, and judging policies: whoever judges effects takes the same rows. */
static void what_no_policy_gave_is_judged_by_nobody(void **state)
{
    static const char *const commands[] = {"estimate ate", "evaluate uplift --score x"};

    (void)state;
    write_decisions("decisions.csv");
    for (int i = 0; i < 2; i++) {
        json_t *own = answer_of(commands[i], "--treatment t --control 0 --arm 500");
        json_t *all =
            answer_of(commands[i], "--treatment t --control 0 --arm 500 --all-rows");
        json_t *held =
            answer_of(commands[i], "--treatment mode --control holdout --arm live");
        json_t *passed = json_object_get(own, "passed_over");
        double person = number_of(passed, "by_person"),
               not_live = number_of(passed, "not_live");

        assert_true(person == ROW_COUNT / 10 && not_live > 100);
        assert_true(number_of(own, "overridden") > 50);
        assert_true(number_of(own, "n") == ROW_COUNT - person - not_live);
        /* What people gave is an arm of its own; those held out are controls. */
        assert_true(number_of(all, "n") == ROW_COUNT - person);
        assert_null(json_object_get(all, "passed_over"));
        assert_true(number_of(held, "n") == ROW_COUNT);
        json_decref(own);
        json_decref(all);
        json_decref(held);
    }
}

static void a_log_in_which_nothing_counts_is_refused(void **state)
{
    FILE *file = fopen(group_path("decisions.csv"), "w");
    char *messages;

    (void)state;
    assert_non_null(file);
    fputs("parent_id,overridden,mode,t,y,x\ndec_1,0,live,0,1,1\n,0,holdout,0,1,1\n",
          file);
    assert_int_equal(fclose(file), 0);
    assert_null(report_of("decisions.csv", "--learner t --base ridge", &messages));
    assert_non_null(strstr(messages,
                           "no decision was made by a policy and live (1 by a person, 1 "
                           "not live)"));
    free(messages);
}

static void shares_of_an_experiment_belong_to_its_arms(void **state)
{
    static const char *const given[] = {"20,50,30", "none=50,small=30,large=20"};

    (void)state;
    for (int first = 0; first < 3; first++)
        for (int way = 0; way < 2; way++) {
            char *output;

            write_log("log.csv", first, false);
            assert_int_equal(
                program_run((const char *[]){"evaluate", "experiment", "--data",
                                             group_path("log.csv"), "--arm", "t",
                                             "--metric", "y", "--control", "none",
                                             "--shares", given[way], "--json", NULL},
                            NULL, &output),
                0);
            free(output);
        }
}

static void a_log_with_rows_that_were_sure_is_learned_from(void **state)
{
    static const char *const learners[] = {"auto", "x", "r", "s", "t", "dr"};
    char options[200], *messages;
    json_t *report;

    (void)state;
    write_log("sure.csv", 0, true);
    for (int base = 0; base < 2; base++)
        for (int i = 0; i < (base ? 3 : 6); i++) {
            snprintf(options, sizeof options, "--learner %s --base %s --propensity p%s",
                     learners[i], base ? "xgboost --trees 10" : "ridge",
                     base && i ? " --quick" : "");
            report = report_of("sure.csv", options, &messages);
            if (!report && strstr(messages, "libxgboost0")) {
                printf("SKIPPED: libxgboost0 is not installed\n");
                free(messages);
                return;
            }
            if (!report)
                fail_msg("train %s: %s", options, messages);
            assert_null(strstr(messages, "cannot be right"));
            assert_true(number_of(arm_of(report, 0), "rows_without_overlap") > 100);
            assert_true(
                fabs(number_of(json_object_get(arm_of(report, 0), "average_effect"),
                               "value") -
                     5) < 0.5);
            free(messages);
            json_decref(report);
        }
}

/* As a server without exploration writes it. */
static void a_log_of_certainties_is_left_to_models_and_says_so(void **state)
{
    FILE *file = fopen(group_path("all_sure.csv"), "w");
    json_t *report;
    char *messages;

    (void)state;
    assert_non_null(file);
    fputs("t,y,x,p\n", file);
    for (int row = 0; row < ROW_COUNT; row++)
        fprintf(file, "%s,%d,%d,1\n", words[row % 3], row % 5 + row % 3, row % 11);
    assert_int_equal(fclose(file), 0);
    assert_null(
        report_of("all_sure.csv", "--learner r --base ridge --propensity p", &messages));
    assert_non_null(strstr(messages, "0 rows of 'none' and 0 of 'large'"));
    free(messages);
    report = report_of("all_sure.csv", "--base ridge --propensity p", &messages);
    assert_non_null(report);
    assert_int_equal(json_object_size(json_object_get(report, "held_out_policy_values")),
                     3);
    assert_non_null(strstr(messages, "rest on models"));
    free(messages);
    json_decref(report);
}

/* So many rows of the credit have a cost: the others are still held. */
static void write_costs(const char *name, int known_count)
{
    FILE *file = fopen(group_path(name), "w");

    assert_non_null(file);
    fputs("t,y,x,cost\n", file);
    for (int row = 0; row < 400; row++) {
        bool has_credit = row % 2, is_known = has_credit && row / 2 < known_count;

        fprintf(file, "%s,%d,%d,%s\n", has_credit ? "credit" : "none", row % 7, row % 11,
                is_known ? "450" : "");
    }
    assert_int_equal(fclose(file), 0);
}

static void costs_that_few_rows_of_an_arm_have_are_refused(void **state)
{
    const char *options = "--learner t --base ridge --quick --randomised --cost cost";
    char *messages;

    (void)state;
    write_costs("costs.csv", 49);
    assert_null(report_of("costs.csv", options, &messages));
    assert_non_null(
        strstr(messages, "--cost: known in 49 rows of 'credit', 50 are needed"));
    free(messages);
    write_costs("costs.csv", 50);
    json_decref(report_of("costs.csv", options, NULL));
}

/* Effects are the same for all rows: whichever learner leads does so by luck. */
static void write_even_log(const char *name, uint64_t seed)
{
    FILE *file = fopen(group_path(name), "w");
    struct rng rng;

    assert_non_null(file);
    rng_seed(&rng, seed);
    fputs("t,y,x,z\n", file);
    for (int row = 0; row < 600; row++) {
        double x = rng_uniform(&rng);
        int arm = (int)rng_below(&rng, 3);

        fprintf(file, "%s,%.6f,%.6f,%.6f\n", words[arm], x + arm + rng_normal(&rng), x,
                rng_uniform(&rng));
    }
    assert_int_equal(fclose(file), 0);
}

/* A linear model with one number for each arm, fitted anew for each third of the rows. */
static void one_effect_for_all_rows_is_no_ranking(void **state)
{
    json_t *report;

    (void)state;
    write_even_log("even.csv", 5);
    report =
        report_of("even.csv", "--learner s --base ridge --randomised --calibrate", NULL);
    for (size_t arm = 0; arm < 2; arm++) {
        json_t *calibration = json_object_get(arm_of(report, arm), "calibration");

        assert_true(json_is_null(json_object_get(calibration, "slope")));
        assert_true(number_of(json_object_get(calibration, "applied"), "slope") == 1);
    }
    json_decref(report);
}

static void auto_does_not_chase_luck(void **state)
{
    int plain = 0, lucky = 0;

    (void)state;
    for (int log = 0; log < 12; log++) {
        json_t *report, *policies, *policy;
        const char *key, *best = NULL;
        double most = -INFINITY;

        write_even_log("even.csv", 100 + (uint64_t)log);
        report = report_of("even.csv", "--base ridge --randomised", NULL);
        policies = json_object_get(report, "held_out_policy_values");
        json_object_foreach(policies, key, policy)
        {
            double value = number_of(policy, "value");

            if (value > most) {
                most = value;
                best = key;
            }
        }
        plain += strcmp(json_string_value(json_object_get(report, "learner")), "s") == 0;
        lucky += strcmp(best, "s") == 0;
        json_decref(report);
    }
    printf("s is taken in %d of 12 logs, and has the largest value in %d\n", plain,
           lucky);
    assert_true(plain >= 8 && plain > lucky);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arms_do_not_depend_on_which_row_comes_first),
        cmocka_unit_test(amounts_without_an_arm_are_refused_by_its_name),
        cmocka_unit_test(what_no_policy_gave_is_left_out_and_counted),
        cmocka_unit_test(what_no_policy_gave_is_judged_by_nobody),
        cmocka_unit_test(a_log_in_which_nothing_counts_is_refused),
        cmocka_unit_test(shares_of_an_experiment_belong_to_its_arms),
        cmocka_unit_test(a_log_with_rows_that_were_sure_is_learned_from),
        cmocka_unit_test(a_log_of_certainties_is_left_to_models_and_says_so),
        cmocka_unit_test(costs_that_few_rows_of_an_arm_have_are_refused),
        cmocka_unit_test(one_effect_for_all_rows_is_no_ranking),
        cmocka_unit_test(auto_does_not_chase_luck),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
