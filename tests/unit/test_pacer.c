/* test_pacer.c - prices while a period runs, on streams whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/pacer_day.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void a_second_day_spends_its_money_evenly_and_whole(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 200000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY, 4000);
    pacer_day_roll(&stage);
    pacer_day_run(&stage, START + DAY, START + DAY + DAY / 2, 2000);
    assert_true(fabs(pacer_day_share_left(&stage, 0) - 0.5) < 0.05);
    pacer_day_run(&stage, START + DAY + DAY / 2, START + 2 * DAY, 2000);
    assert_true(pacer_day_share_left(&stage, 0) < 0.01);
    pacer_day_close(&stage);
}

static void a_first_day_without_any_history_spends_its_money_evenly_too(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 200000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY / 2, 2000);
    assert_true(fabs(pacer_day_share_left(&stage, 0) - 0.5) < 0.08);
    pacer_day_run(&stage, START + DAY / 2, START + DAY, 2000);
    assert_true(pacer_day_share_left(&stage, 0) < 0.01);
    pacer_day_close(&stage);
}

static void a_fast_stream_does_not_empty_a_new_budget(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 200000);
    stage.budgets[0].expected_cases = 4000;
    pacer_day_run(&stage, START + DAY / 3, START + DAY / 3 + SECOND, 2000);
    assert_true(fabs(pacer_day_share_left(&stage, 0) - 0.5) < 0.05);
    pacer_day_run(&stage, START + DAY / 3 + SECOND, START + DAY / 3 + 2 * SECOND, 2000);
    assert_true(pacer_day_share_left(&stage, 0) < 0.02);
    pacer_day_close(&stage);
}

static void budgets_that_share_cases_all_fit(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 4, 60000);
    stage.limits[0] = stage.budgets[0].remaining = 150000;
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY, 4000);
    pacer_day_roll(&stage);
    pacer_day_run(&stage, START + DAY, START + DAY + DAY / 2, 2000);
    assert_true(stage.outlooks[0].price > 0);
    assert_true(fabs(pacer_day_share_left(&stage, 0) - 0.5) < 0.05);
    for (int b = 0; b < 4; b++)
        assert_true(stage.budgets[b].remaining >= 0);
    pacer_day_close(&stage);
}

static void an_even_plan_follows_the_clock_whatever_the_cases_do(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 200000);
    stage.budgets[0].plan = PACER_EVEN;
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY, 4000);
    pacer_day_roll(&stage);
    pacer_day_run(&stage, START + DAY, START + DAY + DAY / 2, 1000);
    assert_true(fabs(pacer_day_share_left(&stage, 0) - 0.5) < 0.08);
    pacer_day_run(&stage, START + DAY + DAY / 2, START + 2 * DAY, 3000);
    assert_true(pacer_day_share_left(&stage, 0) < 0.01);
    pacer_day_close(&stage);
}

/* What is told at noon of the second half of the day is what then happens. */
static void an_outlook_foretells_what_is_spent(void **state)
{
    struct pacer_day stage;
    struct pacer_outlook noon[PACER_DAY_BUDGET_COUNT_MAX];
    int64_t remaining[PACER_DAY_BUDGET_COUNT_MAX];

    (void)state;
    pacer_day_open(&stage, 4, 60000);
    stage.limits[0] = stage.budgets[0].remaining = 150000;
    stage.limits[3] = stage.budgets[3].remaining = 10000000;
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY, 4000);
    pacer_day_roll(&stage);
    pacer_day_run(&stage, START + DAY, START + DAY + DAY / 2, 2000);
    pacer_day_solve(&stage, START + DAY + DAY / 2);
    memcpy(noon, stage.outlooks, sizeof noon);
    for (int b = 0; b < 4; b++)
        remaining[b] = stage.budgets[b].remaining;
    pacer_day_run(&stage, START + DAY + DAY / 2, START + 2 * DAY, 2000);
    for (int b = 0; b < 4; b++) {
        double spent = (double)(remaining[b] - stage.budgets[b].remaining);

        if (fabs(noon[b].planned_share - 0.5) > 0.05)
            fail_msg("budget %d: %.3f of the plan at noon", b, noon[b].planned_share);
        /* Some 75 credits of each kind: chance alone moves their sum by an eighth. */
        if (fabs(noon[b].spend_left - spent) > (b == 0 ? 0.03 : 0.4) * spent)
            fail_msg("budget %d: %.0f foretold, %.0f spent", b, noon[b].spend_left,
                     spent);
    }
    pacer_day_close(&stage);
}

static void money_at_once_has_no_price(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 200000);
    stage.budgets[0].plan = PACER_ASAP;
    pacer_day_run(&stage, START, START + DAY / 2, 2000);
    assert_true(stage.outlooks[0].price == 0);
    assert_true(stage.outlooks[0].planned_share == 1);
    assert_true(isnan(stage.outlooks[0].spend_left));
    assert_true(pacer_day_share_left(&stage, 0) < 0.01);
    pacer_day_close(&stage);
}

static void money_for_all_has_no_price(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 1, 100000000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY / 2, 2000);
    assert_true(stage.outlooks[0].price == 0);
    pacer_day_close(&stage);
}

/* Budget 1 has a week, budget 0 a day: each spends over its own time. */
static void budgets_of_a_day_and_of_a_week_each_keep_their_own_time(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 2, 150000);
    stage.budgets[1].period_ends_us = START + 7 * DAY;
    stage.budgets[1].remaining = stage.limits[1] = 150000;
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY, 4000);
    assert_true(pacer_day_share_left(&stage, 0) < 0.01);
    assert_true(fabs(pacer_day_share_left(&stage, 1) - 6.0 / 7) < 0.05);
    for (int day = 1; day < 7; day++) {
        stage.budgets[0].remaining = stage.limits[0];
        stage.budgets[0].case_count = 0;
        stage.budgets[0].period_starts_us += DAY;
        stage.budgets[0].period_ends_us += DAY;
        pacer_day_run(&stage, START + day * DAY, START + (day + 1) * DAY, 4000);
        assert_true(pacer_day_share_left(&stage, 0) < 0.01);
    }
    assert_true(pacer_day_share_left(&stage, 1) < 0.02);
    pacer_day_close(&stage);
}

static void a_limit_that_changes_while_a_day_runs_is_priced_at_once(void **state)
{
    struct pacer_day stage;
    double before, scarce;

    (void)state;
    pacer_day_open(&stage, 1, 200000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY / 2, 2000);
    before = stage.outlooks[0].price;
    stage.budgets[0].remaining /= 4;
    pacer_day_solve(&stage, START + DAY / 2);
    scarce = stage.outlooks[0].price;
    assert_true(scarce > 1.2 * before);
    stage.budgets[0].remaining *= 16;
    pacer_day_solve(&stage, START + DAY / 2);
    assert_true(stage.outlooks[0].price < 0.8 * before);
    stage.budgets[0].remaining = -100;
    pacer_day_solve(&stage, START + DAY / 2);
    assert_true(stage.outlooks[0].price > scarce && isfinite(stage.outlooks[0].price));
    pacer_day_close(&stage);
}

static void what_is_expected_back_makes_budget_cheaper(void **state)
{
    struct pacer_day stage;
    double before;

    (void)state;
    pacer_day_open(&stage, 1, 200000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY / 2, 2000);
    pacer_day_solve(&stage, START + DAY / 2);
    before = stage.outlooks[0].price;
    stage.budgets[0].open = 50000;
    pacer_day_solve(&stage, START + DAY / 2);
    assert_true(stage.outlooks[0].price < 0.9 * before);
    pacer_day_close(&stage);
}

static void a_budget_that_no_case_was_charged_to_keeps_its_price(void **state)
{
    struct pacer_day stage;

    (void)state;
    pacer_day_open(&stage, 6, 200000); /* no case is of cells 4 and 5 */
    stage.outlooks[5].price = 0.75;
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY / 2, 1000);
    assert_true(stage.outlooks[4].price == 0);
    assert_true(stage.outlooks[5].price == 0.75);
    pacer_day_close(&stage);
}

static void a_burst_in_one_cell_is_noticed_and_raises_its_price(void **state)
{
    struct pacer_day stage;
    double before;
    bool was_noticed = false;

    (void)state;
    pacer_day_open(&stage, 4, 80000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY, 8000);
    pacer_day_roll(&stage);
    pacer_day_run(&stage, START + DAY, START + DAY + DAY / 2, 4000);
    before = pacer_day_price(&stage, 2);
    for (int i = 0; i < 400; i++) {
        int64_t at_us = START + DAY + DAY / 2 + i * 2 * SECOND;

        (void)pacer_day_decide(&stage, 2, at_us);
        pacer_day_solve(&stage, at_us);
        was_noticed = was_noticed || stage.outlooks[2].is_incident;
        assert_false(stage.outlooks[1].is_incident);
    }
    assert_true(was_noticed);
    assert_true(pacer_day_price(&stage, 2) > 1.02 * before);
    /* An hour later it is over. */
    pacer_day_run(&stage, START + DAY + DAY / 2 + DAY / 24,
                  START + DAY + DAY / 2 + DAY / 12, 400);
    assert_false(stage.outlooks[2].is_incident);
    pacer_day_close(&stage);
}

enum { CROWD_CELLS = 40 };

/* Forty cells each to budgets 1 and 2, and all to budget 0. */
static int halves_of(void *context, uint64_t cell, int *budgets)
{
    (void)context;
    if (cell == 0 || cell > 2 * CROWD_CELLS)
        return 0;
    budgets[0] = 0;
    budgets[1] = cell <= CROWD_CELLS ? 1 : 2;
    return 2;
}

static void solve_halves(struct pacer_day *stage, int64_t at_us)
{
    assert_int_equal(pacer_solve(stage->pacer, at_us, stage->budgets, 3, halves_of, NULL,
                                 stage->outlooks, &stage->err),
                     STATUS_OK);
}

static bool note_one(struct pacer_day *stage, uint64_t cell, int64_t at_us)
{
    struct pacer_option options[PACER_DAY_OPTION_COUNT];

    pacer_day_options(&stage->rng, options);
    return pacer_note(stage->pacer,
                      &(struct pacer_case){.cell = cell,
                                           .at_us = at_us,
                                           .options = options,
                                           .option_count = PACER_DAY_OPTION_COUNT});
}

/* 1600 cases a day, evenly; prices solved now and then. How many bursts were thought to
 * begin. */
static int run_halves(struct pacer_day *stage, int64_t from_us, int64_t to_us)
{
    int begun = 0;

    for (int64_t at_us = from_us; at_us < to_us; at_us += 54 * SECOND) {
        begun += note_one(stage, 1 + rng_below(&stage->rng, 2 * CROWD_CELLS), at_us);
        if (at_us / SECOND % 10 == 0)
            solve_halves(stage, at_us);
    }
    return begun;
}

/* Each of the cells has one or two cases only by the time that all together are too
 * many. */
static void a_burst_in_many_cells_of_a_budget_is_noticed_by_all_of_them(void **state)
{
    int64_t noon = START + DAY + DAY / 2, at_us = noon;
    struct pacer_day stage;
    int count = 0;
    double usual;

    (void)state;
    pacer_day_open(&stage, 3, 80000);
    solve_halves(&stage, START);
    assert_int_equal(run_halves(&stage, START, START + DAY), 0);
    pacer_day_roll(&stage);
    assert_int_equal(run_halves(&stage, START + DAY, noon), 0);
    solve_halves(&stage, noon);
    usual = stage.outlooks[1].cases_left;
    for (bool has_begun = false; !has_begun && count < 100; count++) {
        at_us += 5 * SECOND; /* one in 108 is usual */
        has_begun = note_one(&stage, 1 + rng_below(&stage.rng, CROWD_CELLS), at_us);
    }
    printf("noticed after %d cases in %d cells\n", count, CROWD_CELLS);
    assert_true(count <= 20);
    solve_halves(&stage, at_us);
    assert_true(stage.outlooks[1].is_incident);
    assert_false(stage.outlooks[2].is_incident);
    /* Its rate is known at once: 540 more cases in the 45 minutes that are thought of
     * first. */
    assert_true(stage.outlooks[1].cases_left > usual + 250);
    assert_true(stage.outlooks[1].cases_left < usual + 1000);
    /* Soon after its end it is over, and does not begin again. */
    assert_int_equal(run_halves(&stage, at_us + 60 * SECOND, at_us + DAY / 24), 0);
    solve_halves(&stage, at_us + DAY / 24);
    assert_false(stage.outlooks[1].is_incident);
    pacer_day_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_day_spends_its_money_evenly_and_whole),
        cmocka_unit_test(a_first_day_without_any_history_spends_its_money_evenly_too),
        cmocka_unit_test(a_fast_stream_does_not_empty_a_new_budget),
        cmocka_unit_test(budgets_that_share_cases_all_fit),
        cmocka_unit_test(an_even_plan_follows_the_clock_whatever_the_cases_do),
        cmocka_unit_test(an_outlook_foretells_what_is_spent),
        cmocka_unit_test(money_at_once_has_no_price),
        cmocka_unit_test(money_for_all_has_no_price),
        cmocka_unit_test(budgets_of_a_day_and_of_a_week_each_keep_their_own_time),
        cmocka_unit_test(a_limit_that_changes_while_a_day_runs_is_priced_at_once),
        cmocka_unit_test(what_is_expected_back_makes_budget_cheaper),
        cmocka_unit_test(a_budget_that_no_case_was_charged_to_keeps_its_price),
        cmocka_unit_test(a_burst_in_one_cell_is_noticed_and_raises_its_price),
        cmocka_unit_test(a_burst_in_many_cells_of_a_budget_is_noticed_by_all_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
