/* test_ranking_readings.c - what people read when a ranking is judged: whether there are
 * rows enough, whether the treated are like the others, and whether weights can be
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/table_call.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { TABLE_BYTES = 1 << 16 };

#define UPLIFT                                                                           \
    "evaluate uplift --data a.csv --score score --treatment t --outcome y --bootstrap "

static void a_ranking_is_judged_on_enough_rows_and_resamples(void **)
{
    char table[TABLE_BYTES] = "score,t,y\n";
    size_t bytes = strlen(table);

    table_expect(UPLIFT "100", "score,t,y\n1,0,1\n2,1,0\n", NULL, 0,
                 "Too few rows for a verdict: 1 treated and 1 others", "chance (");
    table_expect(UPLIFT "100 --baseline other", "score,other,t,y\n1,5,0,1\n2,3,1,0\n",
                 NULL, 0, "Too few rows for a verdict", "The score ranks");
    table_expect(UPLIFT "2 --baseline other",
                 "score,other,t,y\n1,5,0,1\n2,3,1,0\n3,1,0,1\n1,2,1,3\n", NULL, 0,
                 "auuc (causalml)  ", NULL); /* a difference is 0 at random */
    for (int i = 0; i < 200; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d\n", i,
                                  i % 2, i % 2 ? i : 200 - i);
    table_expect(UPLIFT "1", table, NULL, 0, "Too few resamples for a verdict: 1, 40 are",
                 "chance (");
    table_expect(UPLIFT "1", table, NULL, 0, "auuc (causalml; -0.5 at random) ",
                 "causalml; 0.5");
    table_expect(UPLIFT "1 --control 1", table, NULL, 0,
                 "auuc (causalml; 0.5 at random) ", "-0.5 at");
    table_expect(UPLIFT "40", table, NULL, 0, "ranks better than chance (", "Too few");
    table_expect(UPLIFT "40", table, NULL, 0, "weighted_average_uplift", NULL);
    table_expect(UPLIFT "40 --calibration", table, NULL, 0,
                 ", [2, 2]; 1 when scores are effects)", NULL);
    table_expect(UPLIFT "40", table, NULL, 0,
                 "first rows   uplift overall    by group   95 %", NULL);
}

/* Every second row is treated, or those with the largest x, which the scores do not show;
 * zone c is only among the treated. */
static const char *treated_rows(bool is_by_chance)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "score,t,y,x,zone\n");

    for (int i = 0; i < 400; i++) {
        bool is_treated = is_by_chance ? i % 2 : i >= 200;

        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d,%d,%s\n",
                                  i / 2 % 50, is_treated, i % 3 == 0, i / 2,
                                  i % 4 < 2                     ? "a"
                                  : i == 3                      ? ""
                                  : is_treated && !is_by_chance ? "c"
                                                                : "b");
    }
    return table;
}

#define UPLIFT_ONCE "evaluate uplift --data a.csv --score score --treatment t --outcome y"

static void a_treatment_that_can_be_foreseen_is_told(void **)
{
    table_expect(UPLIFT_ONCE, treated_rows(true), NULL, 0, NULL, "redress:");
    table_expect(UPLIFT_ONCE " --features x,zone", treated_rows(true), NULL, 0, NULL,
                 "redress:");
    table_expect(UPLIFT_ONCE, treated_rows(false), NULL, 0, NULL, "redress:");
    table_expect(
        UPLIFT_ONCE " --features zone,x", treated_rows(false), NULL, 0,
        "redress: not a randomised log: 'x' differs by 3.5 standard deviations between "
        "the treated and the others (2 of 3 columns are off)",
        NULL);
    table_expect(UPLIFT_ONCE " --features zone", treated_rows(false), NULL, 0,
                 "redress: not a randomised log: 'zone=", NULL);
    table_expect(UPLIFT_ONCE " --features x --json", treated_rows(false), NULL, 0,
                 "\"balance\":{\"columns\":2,\"off\":1,\"worst\":\"x\",", NULL);
    /* A score that knows what was done. */
    table_expect("evaluate uplift --data a.csv --score x --treatment t --outcome y",
                 treated_rows(false), NULL, 0, "redress: not a randomised log: 'x'",
                 NULL);
}

/* What was done in a column of its own: no number of standard deviations. */
static void a_column_that_says_what_was_done_is_named(void **)
{
    char table[TABLE_BYTES] = "score,t,y,was\n";
    size_t bytes = strlen(table);

    for (int i = 0; i < 200; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d,%d\n",
                                  i / 2, i % 2, i % 3, i % 2 + 4);
    table_expect(UPLIFT_ONCE " --features was", table, NULL, 0,
                 "'was' tells the treated from the others perfectly\n", "inf ");
    table_expect(
        UPLIFT_ONCE " --features was", table, NULL, 0,
        "redress: not a randomised log: 'was' perfectly tells apart the treated and "
        "the others (1 of 2 columns are off)",
        "standard deviations");
    table_expect(UPLIFT_ONCE " --features was --json", table, NULL, 0,
                 "\"worst\":\"was\",\"difference\":null,\"se\":0,\"perfect\":true", NULL);
}

/* Of six rows four are treated, of the next six two; the chances are these, or wrong. */
static const char *weighted_rows(int count, bool are_right)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "score,t,y,p\n");

    for (int i = 0; i < count; i++) {
        bool is_treated = i % 12 < 6 ? i % 3 < 2 : i % 3 < 1;

        bytes +=
            (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d,%s\n", i,
                             is_treated, is_treated ? i : count - i,
                             are_right && (is_treated == (i % 12 < 6)) ? "0.6666666667"
                             : are_right                               ? "0.3333333333"
                                                                       : "0.2");
    }
    return table;
}

static void weights_that_cannot_be_believed_are_refused(void **)
{
    table_expect(UPLIFT "100 --propensity p", weighted_rows(600, true), NULL, 0,
                 "The score ranks", "verdict: refused");
    table_expect(UPLIFT "100 --propensity p --json", weighted_rows(600, true), NULL, 0,
                 "\"verdict\":\"usable\",\"why\":[]", NULL);
    table_expect(UPLIFT "100 --propensity p", weighted_rows(600, false), NULL, 1,
                 "verdict: refused\n  '0' for everybody: the mean weight is 2.5 (",
                 "ranks");
    table_expect(
        UPLIFT "100 --propensity p --json", weighted_rows(600, false), NULL, 1,
        "\"mean_weight\":{\"treated\":2.5,\"control\":2.5},\"verdict\":\"refused\"",
        NULL);
    table_expect(
        UPLIFT "100 --propensity p", weighted_rows(72, true), NULL, 1,
        "'1' for everybody: the weights leave 32.0 effective rows of 72, at least 50",
        "than chance (");
}

/* Three arms in turn, each with the chance of one in three; customers c of per_customer
 * rows in a row have one arm. */
static const char *three_arms(int count, int per_customer)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "score,t,y,p,c\n");

    for (int i = 0; i < count; i++) {
        int customer = i / per_customer, arm = customer % 3;

        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes,
                                  "%d,%d,%d,0.3333333333,c%d\n", i % 97, arm,
                                  arm * i % 97, customer);
    }
    return table;
}

/* Weights have a mean of 1 over the rows of all arms, those that are left out, too. */
static void weights_are_judged_with_the_rows_of_other_arms(void **)
{
    table_expect(UPLIFT "2 --propensity p --control 0 --arm 1 --json", three_arms(600, 1),
                 NULL, 0, "\"mean_weight\":{\"treated\":1.0000000001", "refused");
    table_expect(UPLIFT "2 --propensity p --control 0 --arm 2", three_arms(600, 1), NULL,
                 0, "200 rows of other arms left out", "verdict: refused");
}

/* Where customers are the draws their weights have to be believed, not those of their
 * rows. */
static void weights_of_clusters_are_judged(void **)
{
    table_expect(UPLIFT "2 --propensity p --control 0 --arm 1 --cluster c",
                 three_arms(1800, 3), NULL, 0, "400 clusters are the draws",
                 "verdict: refused");
    table_expect(UPLIFT "2 --propensity p --control 0 --arm 1", three_arms(1800, 15),
                 NULL, 0, "first rows", "verdict: refused");
    table_expect(
        UPLIFT "2 --propensity p --control 0 --arm 1 --cluster c", three_arms(1800, 15),
        NULL, 1,
        "'1' for everybody: the weights leave 40.0 effective clusters of 120, at least "
        "50",
        "than chance (");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ranking_is_judged_on_enough_rows_and_resamples),
        cmocka_unit_test(a_treatment_that_can_be_foreseen_is_told),
        cmocka_unit_test(a_column_that_says_what_was_done_is_named),
        cmocka_unit_test(weights_that_cannot_be_believed_are_refused),
        cmocka_unit_test(weights_are_judged_with_the_rows_of_other_arms),
        cmocka_unit_test(weights_of_clusters_are_judged),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
