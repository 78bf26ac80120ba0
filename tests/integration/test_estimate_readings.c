/* test_estimate_readings.c - what people read of estimates that rest on too little:
 * warnings by name, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/table_call.h"

#include <stdio.h>
#include <string.h>

enum { TABLE_BYTES = 1 << 15 };

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* ---- surrogates ---- */

#define SURROGATE                                                                        \
    "estimate surrogate --history a.csv --experiment b.csv --treatment t --outcome y "   \
    "--surrogates "

/* In the history b is twice a, and c always 4; the treatment moves a by 1, b by 6 and c
 * by its row. */
static const char *history(int row_count)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "a,b,c,y\n");

    for (int i = 0; i < row_count; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,4,%d\n",
                                  i % 10, i % 10 * 2, i % 10 * 2 + i / 10 % 3);
    return table;
}

/* Outcomes that are known already: twice a, and `beside` for the treated. */
static const char *experiment(int beside)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "t,a,b,c,y\n");

    for (int i = 0; i < 80; i++) {
        int t = i % 2, a = i / 2 % 9 + t;

        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d,%d,%d\n",
                                  t, a, i / 2 % 9 * 2 + 6 * t, i % 5,
                                  2 * a + beside * t + i / 4 % 2);
    }
    return table;
}

static void surrogates_that_the_history_does_not_tell_apart_are_named(void **)
{
    static const struct {
        const char *surrogates, *said;
    } rows[] = {
        {"a", "\"dropped_columns\":[],"},
        {"a", "\"warnings\":[]"},
        {"a,b", "\"estimate\":2,"},
        {"a,b", "\"dropped_columns\":[\"b\"],"},
        {"a,b", "\"warnings\":[\"dropped_columns\""},
        {"a,b", "redress: dropped_columns: in the history 'b' is constant or follows "
                "from the columns before, left out: "},
        {"b,a", "\"estimate\":6,"},
        {"b,a", "\"dropped_columns\":[\"a\"],"},
        {"b,a", "redress: dropped_columns: in the history 'a' is constant or follows"},
        {"a --covariates c", "\"dropped_columns\":[\"c\"],"},
        {"c,a,b", "redress: dropped_columns: in the history 'c', 'b' are constant or "
                  "follow from the columns before"},
    };
    char command[200];

    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(command, sizeof command, SURROGATE "%s --json", rows[i].surrogates);
        table_expect(command, history(120), experiment(0), 0, rows[i].said, NULL);
    }
    table_expect(SURROGATE "c --json", history(120), experiment(0), 1,
                 "a.csv column 'c': every surrogate is constant or follows from the "
                 "covariates, so that there is no index",
                 "estimate\":");
    table_expect(SURROGATE "b,c --covariates a", history(120), experiment(0), 1,
                 "a.csv columns 'b', 'c': every surrogate is constant", NULL);
}

/* History and experiment in one. */
static const char *four_columns(int row_count)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "t,a,b,c,d,y\n");

    for (int i = 0; i < row_count; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes,
                                  "%d,%d,%d,%d,%d,%d\n", i % 2, i * 3 % 7, i * 5 % 11,
                                  i * 2 % 13, i * i % 5, i * 3 % 7 + i * 5 % 11 + i % 3);
    return table;
}

static void an_index_of_few_rows_is_told(void **)
{
    table_expect(SURROGATE "a --json", history(30), experiment(0), 0, "\"warnings\":[]",
                 "redress:");
    table_expect(SURROGATE "a --json", history(29), experiment(0), 0,
                 "\"warnings\":[\"few_rows\"]", NULL);
    table_expect(SURROGATE "a", history(29), experiment(0), 0,
                 "redress: few_rows: the index is learned from 29 rows with 1 columns",
                 NULL);
    /* Ten rows a column: of four columns forty. */
    table_expect(SURROGATE "a,b,c,d --json", four_columns(39), four_columns(39), 0,
                 "\"warnings\":[\"few_rows\"]", NULL);
    table_expect(SURROGATE "a,b,c,d --json", four_columns(40), four_columns(40), 0,
                 "\"warnings\":[]", NULL);
}

static void a_treatment_that_acts_beside_the_surrogates_is_told(void **)
{
    table_expect(SURROGATE "a --json", history(120), experiment(3), 0,
                 "\"warnings\":[\"direct_effect\"]", NULL);
    table_expect(SURROGATE "a --json", history(120), experiment(3), 0,
                 "\"direct_effect\":{\"estimate\":2.99", NULL);
    table_expect(SURROGATE "a", history(120), experiment(3), 0,
                 "redress: direct_effect: where the outcome is known, the treatment acts "
                 "beside the surrogates (p = ",
                 NULL);
    table_expect(SURROGATE "a", history(120), experiment(0), 0, "direct effect",
                 "redress:");
}

/* ---- panels ---- */

#define PANEL                                                                            \
    "estimate panel --data a.csv --unit u --time p --outcome y --treated T --from 7 "    \
    "--json --method "

/* Six periods before, which two others do not tell apart, and six do. */
static const char *panel(int other_count)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "u,p,y\n");

    for (int p = 1; p <= 8; p++)
        for (int u = 0; u <= other_count; u++)
            bytes +=
                (size_t)snprintf(table + bytes, sizeof table - bytes, "%c,%d,%d\n",
                                 u ? 'A' + u : 'T', p, (p * 7 + u * 5 + p * u * u) % 11);
    return table;
}

static void periods_that_the_others_do_not_tell_apart_are_told(void **)
{
    table_expect(PANEL "sdid", panel(2), NULL, 0, "\"warnings\":[\"loose_periods\"",
                 NULL);
    table_expect(PANEL "sdid", panel(2), NULL, 0,
                 "redress: loose_periods: more periods than the 2 others can tell apart",
                 NULL);
    table_expect(PANEL "sdid", panel(9), NULL, 0, "\"estimate\"", "loose_periods");
    table_expect(PANEL "sc", panel(2), NULL, 0, "\"estimate\"", "loose_periods");
}

/* B, a thousand times as far from T as A, could make the misfit less, but by less than
 * its last digit where it lies in A's direction nearly as A does: there the search
 * ends. */
static void weights_that_are_not_the_best_are_told(void **)
{
#define FAR_AWAY(b)                                                                      \
    "u,p,y\nT,5,0\nT,6,0\nT,7,5\nA,5,1000\nA,6,0\nA,7,3\nB,5," b "\nB,6,1000000\nB,7,"   \
    "2\n"

    table_expect(PANEL "sc", FAR_AWAY("999.998"), NULL, 0,
                 "\"warnings\":[\"not_the_best_weights\"]", NULL);
    table_expect(PANEL "sc", FAR_AWAY("999.998"), NULL, 0,
                 "redress: not_the_best_weights: the weights are not the best there are "
                 "(gap 4e-06)",
                 NULL);
    table_expect(PANEL "sc", FAR_AWAY("900"), NULL, 0, "\"warnings\":[]", "redress:");
}

/* ---- what has no error ---- */

#define ATE "estimate ate --data a.csv --treatment t --outcome y --method "

/* y is 3 t + 2 x; z is 5 x, w anything. */
static const char *exact_rows(void)
{
    static char table[TABLE_BYTES];
    size_t bytes = (size_t)sprintf(table, "t,x,y,z,w\n");

    for (int i = 0; i < 60; i++) {
        int x = i * 7 % 11;

        bytes +=
            (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d,%d,%d\n",
                             i % 2, x, 3 * (i % 2) + 2 * x, 5 * x, i * i % 17 + i % 2);
    }
    return table;
}

static void an_outcome_without_a_rest_is_refused(void **)
{
    static const char *const asks[] = {ATE "ols --covariates x", ATE "lin --covariates x",
                                       ATE "aipw --covariates x",
                                       ATE "aipw --covariates x --estimand att --json"};

    for (size_t i = 0; i < COUNT(asks); i++)
        table_expect(asks[i], exact_rows(), NULL, 1,
                     "a.csv column 'y': what rows say of the effect differs by rounding "
                     "only, as where the outcome follows exactly from arm and "
                     "covariates: no error can be estimated",
                     "effect  ");
    table_expect(ATE "difference", exact_rows(), NULL, 0, "effect ", "rounding");
    table_expect(ATE "difference", "t,y\n0,1\n0,1\n1,4\n1,4\n", NULL, 1,
                 "a.csv column 'y': what rows say", NULL);
    table_expect("estimate ate --data a.csv --treatment t --outcome w --method ols "
                 "--covariates x --placebo z",
                 exact_rows(), NULL, 1, "a.csv column 'z': what rows say", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surrogates_that_the_history_does_not_tell_apart_are_named),
        cmocka_unit_test(an_index_of_few_rows_is_told),
        cmocka_unit_test(a_treatment_that_acts_beside_the_surrogates_is_told),
        cmocka_unit_test(periods_that_the_others_do_not_tell_apart_are_told),
        cmocka_unit_test(weights_that_are_not_the_best_are_told),
        cmocka_unit_test(an_outcome_without_a_rest_is_refused),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}
