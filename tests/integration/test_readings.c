/* test_readings.c - what people read when a command that estimates or evaluates is done: verdicts, warnings,
 * and the exit code that goes with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/table_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_BYTES = 1 << 16 };

/* One run, and what it must and must not say; output and messages together. */
static void expect(const char *command, const char *a, const char *b, int code,
                   const char *said, const char *not_said)
{
    char *output, *messages, *all;
    int found =
        table_call(command, (const char *const[]){a, b, NULL}, &output, &messages);

    assert_true(asprintf(&all, "%s%s", output ? output : "", messages ? messages : "") >=
                0);
    if (found != code || (said && !strstr(all, said)) ||
        (not_said && strstr(all, not_said)))
        fail_msg("%s\nexit code %d, not %d, or not '%s', or '%s':\n%s", command, found,
                 code, said ? said : "", not_said ? not_said : "", all);
    free(all);
    free(output);
    free(messages);
}

/* ---- rankings ---- */

#define UPLIFT                                                                           \
    "evaluate uplift --data a.csv --score score --treatment t --outcome y --bootstrap "

static void a_ranking_is_judged_on_enough_rows_and_resamples(void **)
{
    char table[TABLE_BYTES] = "score,t,y\n";
    size_t bytes = strlen(table);

    expect(UPLIFT "100", "score,t,y\n1,0,1\n2,1,0\n", NULL, 0,
           "Too few rows to tell from chance: 1 treated and 1 others", "chance (");
    for (int i = 0; i < 200; i++)
        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes, "%d,%d,%d\n", i,
                                  i % 2, i % 2 ? i : 200 - i);
    expect(UPLIFT "1", table, NULL, 0, "Too few resamples to tell from chance: 1, 40 are",
           "chance (");
    expect(UPLIFT "40", table, NULL, 0, "ranks better than chance (", "Too few");
}

/* ---- panels ---- */

#define PANEL                                                                            \
    "estimate panel --data a.csv --unit u --time p --outcome y --treated T --method "    \
    "did "

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ranking_is_judged_on_enough_rows_and_resamples),
        cmocka_unit_test(periods_are_in_the_order_of_time),
        cmocka_unit_test(a_start_between_periods_is_said),
    };

    return cmocka_run_group_tests(tests, table_call_open, table_call_close);
}
