/* test_readings.c - what people read when a command that estimates or evaluates is done:
 * verdicts, warnings, and the exit code that goes with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/table_call.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum { TABLE_BYTES = 1 << 16 };

static void expect(const char *command, const char *a, const char *b, int code,
                   const char *said, const char *not_said)
{
    table_expect(command, a, b, code, said, not_said);
}

/* ---- panels ---- */

#define PANEL_BY                                                                         \
    "estimate panel --data a.csv --unit u --time p --outcome y --treated T --method "
#define PANEL PANEL_BY "did "

/* The months of a year, written without leading zeros. */
static void periods_are_in_the_order_of_time(void **)
{
    char table[TABLE_BYTES] = "u,p,y\n";
    size_t bytes = strlen(table);

    for (int month = 12; month >= 1; month--)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes,
                                  "T,2026-%d,%d\nA,2026-%d,0\n", month,
                                  month >= 10 ? 7 : 2, month);
    expect(PANEL "--from 2026-10", table, NULL, 0,
           "'T' from 2026-10 on, 9 periods before", "redress:");
    expect(PANEL "--from 2026-10 --json", table, NULL, 0, "\"estimate\":5", NULL);
}

#define YEARS "u,p,y\nT,1987,1\nT,1988,2\nT,1989,3\nA,1987,1\nA,1988,2\nA,1989,2\n"

static void a_start_between_periods_is_said(void **)
{
    expect(PANEL "--from 1988.5", YEARS, NULL, 0,
           "--from: there is no period 1988.5, the first after it is 1989", NULL);
    expect(PANEL "--from 1989", YEARS, NULL, 0, "from 1989 on", "redress:");
    expect(PANEL "--from 2026",
           "u,p,y\nT,2025-12,1\nT,2026-01,2\nA,2025-12,1\nA,2026-01,2\n", NULL, 0,
           "from 2026-01 on", "redress:");
}

/* Ten units that move by a little; T by 99 more after the only period before. */
static const char *short_panel(int other_count)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "u,p,y\nT,1,0\nT,2,100\n");

    for (int i = 1; i <= other_count; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes,
                                  "%c,1,%d\n%c,2,%d\n", 'A' + i, i, 'A' + i, i + i % 3);
    return table;
}

static void placebos_of_one_period_before_are_ranked_by_their_effects(void **)
{
    expect(PANEL "--from 2 --placebo", short_panel(9), NULL, 0,
           "rank 1 of 10 by the effect, p 0.1", "nan");
    expect(PANEL "--from 2 --placebo --json", short_panel(9), NULL, 0,
           "\"placebo_by\":\"effect\"", NULL);
    expect(PANEL "--from 2 --placebo --json", short_panel(9), NULL, 0,
           "\"warnings\":[\"rank_by_effect\",\"few_units\"]", NULL);
    expect(PANEL "--from 2 --placebo", short_panel(2), NULL, 0,
           "redress: no_error: 2 other units have no error", " se ");
    expect(PANEL "--from 2 --placebo --json", short_panel(2), NULL, 0,
           "\"se\":null,\"ci\":null", NULL);
}

/* T grows by 3 in each of eight periods, the others shake on one level. */
static void a_unit_that_the_others_cannot_stand_for_is_told(void **)
{
    char table[TABLE_BYTES] = "u,p,y\n";
    size_t bytes = strlen(table);

    for (int p = 1; p <= 8; p++)
        for (int u = 0; u < 8; u++)
            bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%c,%d,%d\n",
                                      u ? 'A' + u : 'T', p,
                                      u ? (p * 7 + u * 5) % 4 : 50 + 3 * p);
    expect(PANEL "--from 6", table, NULL, 0, "redress: poor_fit: ", "nan");
    expect(PANEL "--from 6", table, NULL, 0, "redress: trend_before: ", "nan");
    expect(PANEL_BY "sc --from 6 --placebo --json", table, NULL, 0,
           "\"warnings\":[\"poor_fit\",\"outside_of_others\",\"trend_before\",", NULL);
    expect(PANEL_BY "sc --from 6 --placebo", table, NULL, 0, "   [", NULL);
}

/* ---- experiments ---- */

/* Conversions fall from 60 % to 40 %, and y does not move; 200 rows an arm. */
static void a_broken_guardrail_fails_the_experiment(void **)
{
    const char *ask =
        "evaluate experiment --data a.csv --arm arm --metric y --guardrail ";
    char table[TABLE_BYTES] = "arm,y,conversion\n", command[200];
    size_t bytes = strlen(table);
    static const struct {
        const char *guardrail;
        int code;
        const char *said;
    } rows[] = {
        {"conversion:0", 1,
         "GUARDRAIL BROKEN: 'conversion' is worse by more than the margin of 0"},
        {"conversion:0.05", 1, "GUARDRAIL BROKEN"},
        {"conversion:0.2", 0, "guardrail conversion: undecided"},
        {"conversion:0.5", 0, "guardrail conversion: held"},
        {"conversion:-0", 0, "guardrail conversion: held"},
    };

    for (int i = 0; i < 400; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d\n",
                                  i % 2, i / 2 % 7, i / 2 % 10 < (i % 2 ? 4 : 6));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(command, sizeof command, "%s%s", ask, rows[i].guardrail);
        expect(command, table, NULL, rows[i].code, rows[i].said,
               rows[i].code ? NULL : "BROKEN");
    }
}

/* ---- policies ---- */

/* Two actions drawn alike; b earns 2 more. */
static void a_policy_is_told_from_what_was_done(void **)
{
    const char *ask = "evaluate policy --log a.csv --policy b.csv";
    char table[TABLE_BYTES] = "action,propensity,reward\n";
    size_t bytes = strlen(table);

    for (int i = 0; i < 400; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%s,0.5,%d\n",
                                  i % 2 ? "b" : "a", i / 2 % 5 + i % 2 * 2);
    expect(ask, table, "action,prob\nb,1\n", 0, "by snipw: better than what was done",
           NULL);
    expect(ask, table, "action,prob\na,1\n", 0, "by snipw: worse than what was done",
           NULL);
    expect(ask, table, "action,prob\na,0.5\nb,0.5\n", 0,
           "by snipw: not told from what was done", NULL);
    expect(ask, table, "action,prob\nb,1\n", 0, "at every look", NULL);
    expect(ask, "action,propensity,reward\na,0.5,1\nb,0.5,2\n", "action,prob\nb,1\n", 1,
           "not to be trusted", "better than");
}

/* Three actions as likely as they were: what a value is off by is rounding. */
static void a_policy_that_does_what_was_done_is_no_different(void **)
{
    static const char *const chances[] = {"0.1", "0.7", "0.2"};
    const char *ask = "evaluate policy --log a.csv --policy b.csv --json";
    char table[TABLE_BYTES] = "action,propensity,reward\n";
    size_t bytes = strlen(table);

    for (int i = 0; i < 1000; i++) {
        int action = i % 10 == 0 ? 0 : i % 10 < 8 ? 1 : 2;

        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%s,%d.%d\n",
                                  action, chances[action], i * 7919 % 83, i % 7);
    }
    expect(ask, table, "action,prob\n0,0.1\n1,0.7\n2,0.2\n", 0,
           "\"difference\":{\"of\":\"snipw\",\"value\":0,\"se\":0,\"ci\":[0,0]}", NULL);
    expect("evaluate policy --log a.csv --policy b.csv", table,
           "action,prob\n0,0.1\n1,0.7\n2,0.2\n", 0, "not told from what was done", NULL);
}

/* 60 rows: q and r are the scores s and z under other names, w in all rows but one. */
static void a_curve_chosen_by_what_judges_it_is_the_best_there_is_and_told_so(void **)
{
    static const struct {
        const char *ask, *said, *not_said;
    } rows[] = {
        {"--effects s,z", "redress: effects_are_scores: --effects 's' is --scores 's'",
         "baseline_is_scores"},
        {"--effects x,r", "redress: effects_are_scores: --effects 'r' is --scores 'z'",
         "baseline_is_scores"},
        {"--effects s,z --json", "\"predicted_gain\":1.5,\"gain\":1.5", NULL},
        {"--effects s,z --json", "\"warnings\":[\"effects_are_scores\"]", NULL},
        {"--effects x,w --baseline q,x",
         "redress: baseline_is_scores: --baseline 'q' is --scores 's'",
         "effects_are_scores"},
        {"--effects s,q --baseline s,z --json",
         "\"warnings\":[\"effects_are_scores\",\"baseline_is_scores\"]", NULL},
        {"--effects x,w --json", "\"warnings\":[]", "redress:"},
    };
    char table[TABLE_BYTES] = "s,z,q,r,x,w\n", command[200];
    size_t bytes = strlen(table);

    for (int i = 0; i < 60; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes,
                                  "%d,%d,%d,%d,%d,%d\n", i % 4, i % 3, i % 4, i % 3,
                                  i * 7 % 11, i == 59 ? 99 : i % 4);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(command, sizeof command,
                 "evaluate curve --data a.csv --scores s,z --costs 1,2 --spend 0.75 %s",
                 rows[i].ask);
        expect(command, table, NULL, 0, rows[i].said, rows[i].not_said);
    }
}

/* value is the reward before the cost of what was done, billed nearly so, settled what
 * was paid out, follow_up there only where all went well; x was known before and is a
 * good part of it. */
static const char *rewarded_rows(void)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(
        table, "action,propensity,reward,well,x,value,billed,settled,follow_up\n");

    for (int i = 0; i < 400; i++) {
        int action = i % 2 * 500, value = (i / 2 * 7919) % 200 * 10;

        bytes += (size_t)snprintf(
            table + bytes, sizeof table - bytes, "%d,0.5,%d,%d,%d,%d,%d,%d,%s\n", action,
            value - action, value > 1000, value / 400 * 400, value, value + i / 2 % 3,
            action - i % 3, value > 1000 ? "7" : "");
    }
    return table;
}

static void a_feature_that_was_known_only_afterwards_is_named(void **)
{
#define FITTED "evaluate policy --log a.csv --policy b.csv --features "
    const char *policy = "action,prob\n500,1\n", *rows = rewarded_rows();

    expect(FITTED "x,settled", rows, policy, 0, "verdict: usable", "redress:");
    expect(FITTED "x,value", rows, policy, 0,
           "redress: 'value' alone explains 100.0 % of the reward", NULL);
    expect(FITTED "x,follow_up --reward well", rows, policy, 0,
           "redress: 'follow_up' alone explains 100.0 % of the reward", NULL);
    expect(FITTED "value --json", rows, policy, 0,
           "\"explained_alone\":{\"column\":\"value\",\"share\":1", NULL);
    /* Nothing is fitted then. */
    expect(FITTED "value --base none", rows, policy, 0, NULL, "redress:");
}

static void such_a_feature_is_named_in_training_as_well(void **)
{
#define TRAIN                                                                            \
    "train --data a.csv --treatment action --outcome reward --learner t --base ridge "   \
    "--randomised --quick --output plots --features "

    expect(TRAIN "x,settled", rewarded_rows(), NULL, 0, "learner t", "alone explains");
    expect(TRAIN "x,value", rewarded_rows(), NULL, 0,
           "redress: 'value' alone explains 100.0 % of the outcome", NULL);
    expect(TRAIN "x,value --json", rewarded_rows(), NULL, 0,
           "\"explained_alone\":{\"feature\":\"value\",\"share\":1", NULL);
}

static void such_a_covariate_is_named_in_estimates_and_experiments_as_well(void **)
{
#define OF_ACTION                                                                        \
    "estimate ate --data a.csv --treatment action --outcome reward --control 0 "         \
    "--method "
#define EXPERIMENT                                                                       \
    "evaluate experiment --data a.csv --arm action --metric reward --covariate "

    expect(OF_ACTION "ols --covariates x,billed", rewarded_rows(), NULL, 0,
           "redress: 'billed' alone explains 100.0 % of 'reward'", NULL);
    expect(OF_ACTION "lin --covariates x,billed --json", rewarded_rows(), NULL, 0,
           "\"explained_alone\":{\"column\":\"billed\",\"share\":0.9999", NULL);
    expect(OF_ACTION "ols --covariates x", rewarded_rows(), NULL, 0, "effect", "alone");
    expect(EXPERIMENT "value", rewarded_rows(), NULL, 0,
           "redress: 'value' alone explains 100.0 % of 'reward'", NULL);
    expect(EXPERIMENT "value --json", rewarded_rows(), NULL, 0,
           "\"explained_alone\":{\"column\":\"value\",\"share\":1", NULL);
    expect(EXPERIMENT "x", rewarded_rows(), NULL, 0, "difference", "alone");
}

/* Where the metric is missing there is nothing to explain, alike in both arms. */
static void a_metric_with_holes_is_explained_by_the_rows_that_have_it(void **)
{
    char table[TABLE_BYTES] = "action,reward,x\n";
    size_t bytes = strlen(table);

    for (int i = 0; i < 400; i++) {
        int x = (i / 2 * 7919) % 200, has_reward = i / 2 % 5;

        bytes += has_reward ? (size_t)sprintf(table + bytes, "%d,%d,%d\n", i % 2, x, x)
                            : (size_t)sprintf(table + bytes, "%d,,%d\n", i % 2, 999 - x);
    }
    expect(EXPERIMENT "x --json", table, NULL, 0,
           "\"explained_alone\":{\"column\":\"x\",\"share\":1", NULL);
}

/* ---- delays ---- */

static void a_log_in_which_all_have_converted_is_not_too_young(void **)
{
    const char *ask =
        "estimate delayed --data a.csv --arm a --elapsed e --converted c --delay d";

    expect(ask, "a,e,c,d\n0,9,1,2\n0,9,1,4\n1,9,1,3\n1,9,1,1\n", NULL, 0,
           "redress: every row of arm '1' has converted", "too young");
    expect(ask, "a,e,c,d\n0,9,1,2\n0,9,1,4\n1,9,1,3\n1,9,1,1\n", NULL, 0,
           "in the end (mixture cure)  0   at the edge: no error is known\n", NULL);
    expect("estimate delayed --data a.csv --arm a --elapsed e --converted c --delay d "
           "--json",
           "a,e,c,d\n0,9,1,2\n0,9,0,\n0,9,1,4\n1,9,1,3\n1,9,1,1\n", NULL, 0,
           "\"se\":null,\"ci\":null", "[null,null]");
    expect(ask, "a,e,c,d\n0,9,1,2\n0,9,0,\n0,9,1,4\n1,9,1,3\n1,9,0,\n1,9,1,1\n", NULL, 0,
           "]\nso far (naive)", "edge");
    expect(ask, "a,e,c,d\n0,9,0,\n0,9,1,8.9\n0,9,1,8.8\n1,9,0,\n1,9,1,8.9\n1,9,1,8.8\n",
           NULL, 0, "redress: the log is too young", "every row");
}

/* Neither does an arm of which all have, nor one of which nobody has within the
 * window. */
static void a_share_of_all_or_of_nobody_has_no_error(void **)
{
    const char *ask = "estimate delayed --data a.csv --arm a --elapsed e --converted c "
                      "--delay d --json --window 2";
    const char *all = "a,e,c,d\n0,9,1,1\n0,9,1,1\n1,9,1,1\n1,9,1,2\n";
    const char *some = "a,e,c,d\n0,9,1,1\n0,9,0,\n0,9,1,5\n1,9,1,1\n1,9,0,\n1,9,1,5\n";
    const char *none = "a,e,c,d\n0,9,1,1\n0,9,0,\n1,9,1,5\n1,9,0,\n";

    expect(ask, all, NULL, 0,
           "\"kaplan_meier\":{\"horizon\":9,\"difference\":0,\"se\":null,\"ci\":null}",
           "\"se\":0");
    expect(ask, all, NULL, 0,
           "\"windowed\":{\"window\":2,\"difference\":0,\"se\":null,\"ci\":null,", "[0");
    expect(ask, some, NULL, 0, "\"horizon\":9,\"difference\":0,\"se\":0.38", NULL);
    expect(ask, none, NULL, 0, "\"difference\":-0.5,\"se\":null,\"ci\":null,",
           "\"horizon\":9,\"difference\":0,\"se\":null");
}

/* Three of ten convert, in arm 1 twice as late; watched for up to 60. */
static const char *delayed_rows(bool is_exponential)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "a,e,c,d\n");

    for (int i = 0; i < 2000; i++) {
        double watched = 60 * (i / 2 * 617 % 1000 + 0.5) / 1000,
               chance = (i / 2 * 389 % 1000 + 0.5) / 1000,
               delay =
                   (1 + i % 2) * (is_exponential ? -10 * log(chance) : 8 + 4 * chance);

        if (i / 2 * 211 % 10 < 3 && delay <= watched)
            bytes += (size_t)sprintf(table + bytes, "%d,%.4g,1,%.4g\n", i % 2,
                                     watched + 0.01, delay);
        else
            bytes += (size_t)sprintf(table + bytes, "%d,%.4g,0,\n", i % 2, watched);
    }
    return table;
}

static void delays_that_are_not_exponential_are_told(void **)
{
    const char *ask =
        "estimate delayed --data a.csv --arm a --elapsed e --converted c --delay d";
    const char *ask_json = "estimate delayed --data a.csv --arm a --elapsed e "
                           "--converted c --delay d --json";

    expect(ask, delayed_rows(true), NULL, 0, "'1' against '0'\nin the end", "redress:");
    expect(ask, delayed_rows(false), NULL, 0, "'1' against '0'\nKaplan-Meier", "nan");
    expect(ask, delayed_rows(false), NULL, 0, "redress: delays_not_exponential: ", "nan");
    expect(ask_json, delayed_rows(false), NULL, 0,
           "\"lead\":\"kaplan_meier\",\"warnings\":[\"delays_not_exponential\"]", NULL);
    expect(ask_json, delayed_rows(true), NULL, 0,
           "\"lead\":\"mixture_cure\",\"warnings\":[]", NULL);
}

/* ---- surrogates ---- */

/* s from 0 to 9 was worth twice itself, where it was worth anything; the second table's
 * is higher by as much. */
static void expect_of_surrogates(int worth, int shift, const char *said)
{
    char past[TABLE_BYTES] = "s,y\n", now[TABLE_BYTES] = "t,s\n";
    size_t past_bytes = strlen(past), now_bytes = strlen(now);

    for (int i = 0; i < 200; i++) {
        past_bytes += (size_t)snprintf(past + past_bytes, sizeof past - past_bytes,
                                       "%d,%d\n", i % 10, worth * (i % 10) + i / 10 % 2);
        now_bytes += (size_t)snprintf(now + now_bytes, sizeof now - now_bytes, "%d,%d\n",
                                      i % 2, i / 2 % 10 + shift);
    }
    expect("estimate surrogate --history a.csv --experiment b.csv --surrogates s "
           "--treatment t --outcome y --json",
           past, now, 0, said, NULL);
}

static void histories_unlike_the_experiment_are_told(void **)
{
    expect_of_surrogates(2, 0, "\"outside_share\":0,\"warnings\":[]");
    expect_of_surrogates(2, 5,
                         "\"outside_share\":0.5,\"warnings\":[\"outside_of_history\"]");
    expect_of_surrogates(0, 0, "\"warnings\":[\"weak_index\"]");
    expect_of_surrogates(2, 5, "redress: outside_of_history: 50 % of the experiment's");
}

/* ---- texts ---- */

/* RFC 4180: spaces are part of a field. */
static void spaces_belong_to_a_text(void **)
{
    const char *table = "t,y\n\" Control\",1\n Control,2\nGiven,3\nGiven,5\nControl,9\n";
    char *output, *messages;

    expect(
        "estimate ate --data a.csv --treatment t --outcome y --arm Given --control Cntrl",
        table, NULL, 1, "there are ' Control', 'Control', 'Given'", NULL);
    assert_int_equal(table_call("evaluate policy --log a.csv --policy b.csv",
                                (const char *const[]){"x,action,propensity,reward\n"
                                                      " 1,a,0.5,1\n",
                                                      "x,action,prob\n1,a,1\n", NULL},
                                &output, &messages),
                     1);
    assert_non_null(strstr(messages, "a.csv line 2"));
    free(output);
    free(messages);
}

/* ---- warnings and pictures ---- */

/* y is the same in both arms on average, before is not. */
static void a_placebo_with_an_effect_is_told(void **)
{
    const char *ask = "estimate ate --data a.csv --treatment t --outcome";
    char table[TABLE_BYTES] = "t,y,before\n", command[200];
    size_t bytes = strlen(table);

    for (int i = 0; i < 100; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d\n",
                                  i % 2, i / 2 % 5, i / 2 % 4 + i % 2 * 2);
    snprintf(command, sizeof command, "%s y --placebo before", ask);
    expect(command, table, NULL, 0,
           "redress: the placebo 'before' has an effect (2, se 0.2", NULL);
    expect(command, table, NULL, 0, "placebo      2   se 0.2", NULL);
    snprintf(command, sizeof command, "%s before --placebo y", ask);
    expect(command, table, NULL, 0, "effect       2   se 0.2", "redress: the placebo");
}

static void errors_that_are_not_used_are_said(void **)
{
    const char *table = "t,y,c\n0,1,1\n0,2,2\n0,5,3\n1,4,4\n1,5,5\n1,7,6\n";
    const char *ask = "estimate ate --data a.csv --treatment t --outcome y";
    char command[200];

    expect(ask, table, NULL, 0, "hc2", "is not used");
    snprintf(command, sizeof command, "%s --cluster c", ask);
    expect(command, table, NULL, 0, "cr1", "is not used");
    snprintf(command, sizeof command, "%s --cluster c --se hc3", ask);
    expect(command, table, NULL, 0,
           "--se hc3 is not used: the errors are those of clusters", NULL);
    snprintf(command, sizeof command, "%s --method ipw --se hc1", ask);
    expect(command, table, NULL, 0,
           "--se hc1 is not used: the errors are by the influence", NULL);
}

/* 400 rows in ten clusters; of the metric y 4 are 1 in arm 1, and 196. */
static void samples_too_small_for_their_intervals_are_said(void **)
{
    static const struct {
        const char *ask, *said;
    } rows[] = {
        {"estimate ate --data a.csv --treatment t --outcome y",
         "redress: few events of 'y' in arm '1' (4 of at least 10)"},
        {"estimate ate --data a.csv --treatment t --outcome z --cluster c",
         "redress: few clusters of 'c' in arm '1' (10 of at least 15): its intervals are "
         "likely too narrow"},
        {"estimate ate --data a.csv --treatment t --outcome z --cluster c",
         "cr1 of 10 clusters, Student's t with 9 degrees of freedom"},
        {"estimate ate --data a.csv --treatment t --outcome z --cluster c --json",
         "\"few\":[{\"what\":\"clusters\",\"column\":\"c\",\"arm\":\"1\",\"count\":10,"
         "\"limit\":15},"},
        {"estimate ate --data a.csv --treatment t --outcome z --cluster c --json",
         "\"degrees_of_freedom\":9,"},
        {"estimate iv --data a.csv --treatment t --outcome z --instruments y --cluster c "
         "--json",
         "\"degrees_of_freedom\":9,"},
        {"evaluate experiment --data a.csv --arm t --metric z --guardrail y:1",
         "redress: few events of 'y' in arm '1' (4 of at least 10)"},
        {"evaluate experiment --data a.csv --arm t --metric z --cluster c",
         "redress: few clusters of 'c' in arm '0' (10 of at least 15)"},
        {"evaluate experiment --data a.csv --arm t --metric z --cluster c --json",
         "\"degrees_of_freedom\":9,"},
        {"evaluate experiment --data a.csv --arm t --metric y --json",
         "\"few\":[{\"what\":\"events\",\"column\":\"y\",\"arm\":\"1\",\"count\":4,"
         "\"limit\":"
         "10}]"},
    };
    char table[TABLE_BYTES] = "t,y,z,c\n";
    size_t bytes = strlen(table);

    for (int i = 0; i < 400; i++)
        bytes +=
            (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d,%d\n", i % 2,
                             i % 2 ? i < 8 : i / 2 % 2, i * 3 % 11, i / 2 % 10);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].ask, table, NULL, 0, rows[i].said, NULL);
    expect("evaluate experiment --data a.csv --arm t --metric z", table, NULL, 0,
           "difference", "few ");
    expect("estimate ate --data a.csv --treatment t --outcome z",
           "t,z\n0,1\n0,2\n0,5\n1,4\n1,5\n1,7\n", NULL, 0,
           "few rows of 'z' in arm '0' (3 of at least 30)", NULL);
}

static void a_plan_for_a_rate_beyond_1_is_refused(void **)
{
    const char *table = "a,m\n0,0\n0,1\n0,0\n1,1\n1,0\n1,1\n";

    expect("evaluate experiment --data a.csv --arm a --metric m --plan 5", table, NULL, 1,
           "a.csv column 'm': is 0 or 1, in the control 1 in a share of 0.3333, which "
           "cannot rise by the 5 of --plan",
           "rows per arm");
    expect("evaluate experiment --data a.csv --arm a --metric m --plan 0.6", table, NULL,
           0, "rows per arm find 0.6", NULL);
    expect("evaluate experiment --data a.csv --arm a --metric m", table, NULL, 0,
           "control '0': 3 rows, mean 0.333333, sd 0.5774", NULL);
    expect("evaluate experiment --plan 5 --sd 1", table, NULL, 0, "2 rows per arm find 5",
           NULL);
}

/* 200 rows with fair draws, 3 of which earned 1: whose lower limit lies below 0. */
static void a_policy_of_few_rewards_is_said_to_be_one(void **)
{
    static const struct {
        const char *ask, *said;
    } rows[] = {
        {"",
         "redress: the error of snipw rests on few draws (on as much as 3 of one size, "
         "at least 15 are needed)"},
        {"", "verdict: usable, with an interval that is likely too narrow"},
        {"", "none yet at every look: the error rests on 3."},
        {" --json", "\"few\":[{\"what\":\"draws\",\"column\":\"reward\",\"of\":\"snipw\","
                    "\"count\":3,\"limit\":15}]"},
        {" --json", "\"sequential\":null"},
    };
    char table[TABLE_BYTES] = "action,propensity,reward\n", ask[200];
    size_t bytes = strlen(table);

    for (int i = 0; i < 200; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,0.5,%d\n",
                                  i % 2, i % 2 && i < 6);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(ask, sizeof ask, "evaluate policy --log a.csv --policy b.csv%s",
                 rows[i].ask);
        expect(ask, table, "action,prob\n1,1\n", 0, rows[i].said, NULL);
    }
}

/* Of 200 treated one bought, of 1,800 others 18; and a metric of which one row is nearly
 * all. */
static void money_of_few_buyers_is_said_to_be(void **)
{
    static const struct {
        const char *ask, *said;
    } rows[] = {
        {"evaluate experiment --data a.csv --arm t --metric y --shares 9,1",
         "redress: few events of 'y' in arm '1' (1 of at least 10)"},
        {"evaluate experiment --data a.csv --arm t --metric y --shares 9,1",
         "at every look      none yet: the error rests on"},
        {"evaluate experiment --data a.csv --arm t --metric y --shares 9,1 --json",
         "\"sequential\":{\"lower\":null,\"upper\":null,\"why\":\"the error rests on too "
         "few draws"},
        {"estimate ate --data a.csv --treatment t --outcome y",
         "redress: few events of 'y' in arm '1' (1 of at least 10)"},
        {"evaluate experiment --data a.csv --arm t --metric z --shares 9,1",
         "redress: the error of 'z' in arm '1' rests on few draws (on as much as 1 of "
         "one "
         "size, at least 15 are needed)"},
        {"estimate ate --data a.csv --treatment t --outcome z --method lin --covariates "
         "x",
         "redress: the error of 'z' in arm '1' rests on few draws"},
        {"estimate ate --data a.csv --treatment t --outcome z --method aipw --covariates "
         "x",
         "redress: the error of 'z' in arm '1' rests on few draws"},
        {"estimate ate --data a.csv --treatment t --outcome z --method ipw --covariates "
         "x "
         "--json",
         "\"few\":[{\"what\":\"draws\",\"column\":\"z\",\"arm\":\"1\",\"count\":1,"
         "\"limit\":15}]"},
    };
    char table[TABLE_BYTES] = "t,y,z,x\n";
    size_t bytes = strlen(table);

    for (int i = 0; i < 2000; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d,%d\n",
                                  i % 10 == 0, i % 100 == 1 || i == 10 ? 40 + i % 7 : 0,
                                  i == 20 ? 9000 : 1 + i / 10 % 5, i % 13);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].ask, table, NULL, 0, rows[i].said, NULL);
}

/* gnuplot takes what it is sent, names with quotes, too. */
/* What is not known is "-", and has no interval; small numbers have their digits. */
static void what_is_not_known_is_no_number(void **)
{
    char table[TABLE_BYTES], policy[TABLE_BYTES] = "x,action,prob\n";
    size_t bytes = (size_t)sprintf(table, "x,action,propensity,reward\n"),
           policy_bytes = strlen(policy);

    for (int i = 0; i < 100; i++) {
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%c,0.5,%d\n",
                                  i, "ab"[i % 2], i * 7 % 10);
        policy_bytes += (size_t)snprintf(policy + policy_bytes,
                                         sizeof policy - policy_bytes, "%d,c,1\n", i);
    }
    expect(
        "evaluate policy --log a.csv --policy b.csv --bootstrap 20", table, policy, 1,
        "replay                            -            -   no action of the policy is "
        "in the log",
        "nan");
    expect("evaluate policy --log a.csv --policy b.csv", table, policy, 1,
           "difference                        -            -   no action", "none yet");
    bytes = (size_t)sprintf(table, "score,t,y\n");
    for (int i = 0; i < 400; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%de-7\n", i,
                                  i > 350 || i % 2, i * 37 % 19);
    expect("evaluate uplift --data a.csv --score score --treatment t --outcome y "
           "--bootstrap 20 --calibration",
           table, NULL, 0, "      10 %                - -1.2086e-07\n", "nan");
    expect("evaluate uplift --data a.csv --score score --treatment t --outcome y "
           "--bootstrap 20",
           table, NULL, 0, "effect (difference of means)     -1.5179e-08   [-",
           "0.00000");
    expect("evaluate curve --data a.csv --effects e --scores s --costs 1 --baseline f "
           "--bootstrap 5",
           "e,s,f\n1,2,3\n", NULL, 0, "gains 2 (se -)", "nan");
    expect("evaluate curve --data a.csv --effects e --scores s --costs 1 --bootstrap 5",
           "e,s,f\n1,2,3\n", NULL, 0, "gains 2 (se -)", "[");
}

static void a_covariate_that_is_constant_is_said_to_be_of_no_use(void **)
{
    const char *table =
        "arm,y,k,x\n0,1,3,1\n0,2,3,2\n0,5,3,1\n1,3,3,2\n1,4,3,1\n1,9,3,2\n";

    expect("evaluate experiment --data a.csv --arm arm --metric y --covariate k", table,
           NULL, 0, "the covariate 'k' is the same in every row", NULL);
    expect("evaluate experiment --data a.csv --arm arm --metric y --covariate x", table,
           NULL, 0, NULL, "is the same in every row");
}

static void a_panel_is_drawn_with_its_periods(void **)
{
    char path[512];
    struct stat about;

    if (system("command -v gnuplot > /dev/null") != 0) {
        printf("SKIPPED: gnuplot is not installed\n");
        skip();
    }
    expect(PANEL "--from 1989 --plot plots", YEARS, NULL, 0, "from 1989 on", "redress:");
    snprintf(path, sizeof path, "%s/plots/panel.png", group_folder());
    assert_int_equal(stat(path, &about), 0);
    assert_true(about.st_size > 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods_are_in_the_order_of_time),
        cmocka_unit_test(a_broken_guardrail_fails_the_experiment),
        cmocka_unit_test(a_policy_is_told_from_what_was_done),
        cmocka_unit_test(a_policy_that_does_what_was_done_is_no_different),
        cmocka_unit_test(
            a_curve_chosen_by_what_judges_it_is_the_best_there_is_and_told_so),
        cmocka_unit_test(a_feature_that_was_known_only_afterwards_is_named),
        cmocka_unit_test(such_a_feature_is_named_in_training_as_well),
        cmocka_unit_test(such_a_covariate_is_named_in_estimates_and_experiments_as_well),
        cmocka_unit_test(a_metric_with_holes_is_explained_by_the_rows_that_have_it),
        cmocka_unit_test(a_log_in_which_all_have_converted_is_not_too_young),
        cmocka_unit_test(a_share_of_all_or_of_nobody_has_no_error),
        cmocka_unit_test(delays_that_are_not_exponential_are_told),
        cmocka_unit_test(histories_unlike_the_experiment_are_told),
        cmocka_unit_test(spaces_belong_to_a_text),
        cmocka_unit_test(a_placebo_with_an_effect_is_told),
        cmocka_unit_test(errors_that_are_not_used_are_said),
        cmocka_unit_test(samples_too_small_for_their_intervals_are_said),
        cmocka_unit_test(a_plan_for_a_rate_beyond_1_is_refused),
        cmocka_unit_test(a_policy_of_few_rewards_is_said_to_be_one),
        cmocka_unit_test(money_of_few_buyers_is_said_to_be),
        cmocka_unit_test(what_is_not_known_is_no_number),
        cmocka_unit_test(a_covariate_that_is_constant_is_said_to_be_of_no_use),
        cmocka_unit_test(a_panel_is_drawn_with_its_periods),
        cmocka_unit_test(placebos_of_one_period_before_are_ranked_by_their_effects),
        cmocka_unit_test(a_unit_that_the_others_cannot_stand_for_is_told),
        cmocka_unit_test(a_start_between_periods_is_said),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
