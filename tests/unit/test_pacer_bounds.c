/* test_pacer_bounds.c - how much room and time a pacer takes, whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/pacer_day.h"
#include "support/slowness.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void more_cells_than_there_is_room_for_share_one(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 1000000);
    pacer_day_solve(&stage, START);
    for (uint64_t i = 0; i < PACER_CELL_COUNT_MAX + 1000; i++)
        (void)pacer_day_decide(&stage, i * UINT64_C(0x9E3779B97F4A7C15) + 1,
                               START + (int64_t)i * SECOND);
    pacer_day_solve(&stage, START + 6000 * SECOND);
    assert_true(stage.outlooks[0].price > 0 && isfinite(stage.outlooks[0].price));
    assert_true(stage.outlooks[0].cases_left > 40000);
    pacer_day_close(&stage);
}

/* Ten cases that differ as much as they can. Returns how many bytes they are. */
static int widest_curve(unsigned char *bytes)
{
    const struct {
        uint32_t format, bin_count;
        double case_count, base;
    } head = {1, 320, 10, 0};
    const float charge = 100;

    memcpy(bytes, &head, sizeof head);
    for (uint32_t bin = 0; bin < head.bin_count; bin++) {
        memcpy(bytes + sizeof head + 8 * (size_t)bin, &bin, sizeof bin);
        memcpy(bytes + sizeof head + 8 * (size_t)bin + 4, &charge, sizeof charge);
    }
    return (int)(sizeof head + 8 * head.bin_count);
}

/* Two weeks that take 200 MB. Those that find no room are not known, rather than
 * empty. */
static void the_past_takes_no_more_than_its_share_of_memory(void **state)
{
    enum { CELL_COUNT = 60, SLOT_COUNT = PACER_HISTORY_DAYS * 96 };
    unsigned char bytes[PACER_CURVE_BYTES_MAX];
    struct pacer_curve curve = {.bytes = bytes, .byte_count = widest_curve(bytes)};
    size_t before_bytes = mallinfo2().uordblks;
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 60000);
    for (int i = 1; i <= SLOT_COUNT; i++)
        for (uint64_t cell = 1; cell <= CELL_COUNT; cell++) {
            curve.cell = cell;
            curve.slot = START / (DAY / 96) - i;
            assert_int_equal(pacer_load(stage.pacer, &curve, &stage.err), STATUS_OK);
        }
    stage.budgets[0].period_ends_us = START + 10 * DAY;
    pacer_day_solve(&stage, START);
    printf("%.0f cases, %zu MB\n", stage.outlooks[0].cases_left,
           (mallinfo2().uordblks - before_bytes) >> 20);
    assert_true(mallinfo2().uordblks - before_bytes < (size_t)160 << 20);
    assert_true(fabs(stage.outlooks[0].cases_left / (10 * CELL_COUNT * 960) - 1) < 0.05);
    pacer_day_close(&stage);
}

static void options_that_are_no_numbers_do_not_count(void **state)
{
    const struct pacer_option options[] = {
        {0},         {NAN, 10, 10}, {5, INFINITY, 10}, {INFINITY, 3, 3},
        {5, -1, 10}, {40, 10, 10}};
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 5);
    for (int i = 0; i < 10; i++)
        (void)pacer_note(stage.pacer, &(struct pacer_case){.cell = 1,
                                                           .at_us = START + i * SECOND,
                                                           .options = options,
                                                           .option_count = 6});
    pacer_day_solve(&stage, START + 10 * SECOND);
    assert_true(stage.outlooks[0].price > 3.5 && stage.outlooks[0].price < 4.5);
    pacer_day_close(&stage);
}

/* Thirty cells of eight budgets, 100,000 cases of two days. */
static int crowd_budgets_of(void *context, uint64_t cell, int *budgets)
{
    (void)context;
    budgets[0] = 0;
    budgets[1] = 1 + (int)(cell % 10);
    budgets[2] = 11 + (int)(cell / 10 % 9);
    return 3;
}

/* Median of what solves take after 100,000 cases, ms of CPU. Budgets end a quarter of a
 * day on, those with another remainder by end_count a quarter of a day later each. */
static double crowd_solve_ms(int budget_count, int end_count, pacer_budgets_of *charged)
{
    enum { CELLS = 250, SOLVES = 51, CROWD_MAX = 100 };
    struct pacer_budget budgets[CROWD_MAX];
    struct pacer_outlook outlooks[CROWD_MAX] = {0};
    struct pacer_option options[PACER_DAY_OPTION_COUNT];
    struct pacer *pacer;
    struct rng rng;
    struct err err;
    double times[SOLVES];

    rng_seed(&rng, 11);
    assert_int_equal(pacer_open(&pacer, &err), STATUS_OK);
    for (int64_t i = 0; i < 100000; i++) {
        pacer_day_options(&rng, options);
        (void)pacer_note(pacer,
                         &(struct pacer_case){.cell = 1 + rng_below(&rng, CELLS),
                                              .at_us = START + i * (DAY / 80000),
                                              .options = options,
                                              .option_count = PACER_DAY_OPTION_COUNT});
    }
    for (int b = 0; b < budget_count; b++)
        budgets[b] = (struct pacer_budget){.plan = PACER_PROFILE,
                                           .remaining = b ? 300000 : 2000000,
                                           .period_starts_us = START + DAY,
                                           .period_ends_us = START + 2 * DAY +
                                                             b % end_count * (DAY / 4)};
    for (int i = 0; i < SOLVES; i++) {
        struct timespec from, to;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        assert_int_equal(pacer_solve(pacer, START + DAY + DAY / 4 + i * SECOND, budgets,
                                     budget_count, charged, NULL, outlooks, &err),
                         STATUS_OK);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        times[i] = (double)(to.tv_sec - from.tv_sec) * 1e3 +
                   (double)(to.tv_nsec - from.tv_nsec) / 1e6;
        budgets[0].remaining -= 1000;
    }
    for (int i = 1; i < SOLVES; i++)
        for (int j = i; j > 0 && times[j - 1] > times[j]; j--) {
            double swap = times[j];

            times[j] = times[j - 1];
            times[j - 1] = swap;
        }
    printf("a solve: %.2f ms of CPU (median), %.2f ms at most\n", times[SOLVES / 2],
           times[SOLVES - 1]);
    pacer_close(pacer);
    return times[SOLVES / 2];
}

static void a_solve_after_100000_cases_takes_less_than_5_ms(void **state)
{
    (void)state;
    assert_true(crowd_solve_ms(20, 1, crowd_budgets_of) < 5 * machine_slowness());
}

/* One for all, one of 49 and one of 50. */
static int many_budgets_of(void *context, uint64_t cell, int *budgets)
{
    (void)context;
    budgets[0] = 0;
    budgets[1] = 1 + (int)(cell % 49);
    budgets[2] = 50 + (int)(cell % 50);
    return 3;
}

static void a_hundred_budgets_with_24_ends_are_solved_in_20_ms(void **state)
{
    (void)state;
    assert_true(crowd_solve_ms(100, 24, many_budgets_of) < 20 * machine_slowness());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_cells_than_there_is_room_for_share_one),
        cmocka_unit_test(the_past_takes_no_more_than_its_share_of_memory),
        cmocka_unit_test(options_that_are_no_numbers_do_not_count),
        cmocka_unit_test(a_solve_after_100000_cases_takes_less_than_5_ms),
        cmocka_unit_test(a_hundred_budgets_with_24_ends_are_solved_in_20_ms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
