/* test_pacer.c - prices while a period runs, on streams whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "optimize/pacer.h"

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)
#define START  (20000 * DAY)

enum { OPTION_COUNT = 4, BUDGET_COUNT_MAX = 8 };

/* A day of cases, budgets, and what a pacer makes of them. */
struct stage {
    struct pacer *pacer;
    struct pacer_budget budgets[BUDGET_COUNT_MAX];
    struct pacer_outlook outlooks[BUDGET_COUNT_MAX];
    int64_t limits[BUDGET_COUNT_MAX];
    int budget_count;
    struct rng rng;
    struct err err;
};

/* Cell c is charged to budget 0 and, when there is one, to budget c. */
static int budgets_of(void *context, uint64_t cell, int *budgets)
{
    const struct stage *stage = context;
    int count = 0;

    budgets[count++] = 0;
    if (cell > 0 && cell < (uint64_t)stage->budget_count)
        budgets[count++] = (int)cell;
    return count;
}

static void stage_open(struct stage *stage, int budget_count, int64_t limit)
{
    *stage = (struct stage){.budget_count = budget_count};
    assert_int_equal(pacer_open(&stage->pacer, &stage->err), STATUS_OK);
    rng_seed(&stage->rng, 5);
    for (int b = 0; b < budget_count; b++) {
        stage->limits[b] = limit;
        stage->budgets[b] = (struct pacer_budget){.plan = PACER_PROFILE,
                                                  .remaining = limit,
                                                  .period_starts_us = START,
                                                  .period_ends_us = START + DAY};
    }
}

static void stage_close(struct stage *stage)
{
    pacer_close(stage->pacer);
}

/* Nothing, or credits of 100, 200 and 300 whose worth falls. */
static void make_options(struct rng *rng, struct pacer_option *options)
{
    double worth = 400 * -log(1 - rng_uniform(rng));

    options[0] = (struct pacer_option){0};
    for (int i = 1; i < OPTION_COUNT; i++)
        options[i] = (struct pacer_option){
            .value = worth * sqrt(i), .cost = 100 * i, .amount = 100 * i};
}

static void solve(struct stage *stage, int64_t at_us)
{
    assert_int_equal(pacer_solve(stage->pacer, at_us, stage->budgets, stage->budget_count,
                                 budgets_of, stage, stage->outlooks, &stage->err),
                     STATUS_OK);
}

static double price_of(const struct stage *stage, uint64_t cell)
{
    int budgets[PACER_CELL_BUDGET_COUNT_MAX];
    double price = 0;

    for (int i = budgets_of((void *)stage, cell, budgets) - 1; i >= 0; i--)
        price += stage->outlooks[budgets[i]].price;
    return price;
}

static int best_option(const struct pacer_option *options, double price, int64_t room)
{
    int best = 0;

    for (int i = 1; i < OPTION_COUNT; i++)
        if (options[i].amount <= room &&
            options[i].value - price * options[i].cost >
                options[best].value - price * options[best].cost)
            best = i;
    return best;
}

/* Decide a case at the prices in force, note it, and charge it. Returns its value. */
static double decide(struct stage *stage, uint64_t cell, int64_t at_us)
{
    struct pacer_option options[OPTION_COUNT];
    int budgets[PACER_CELL_BUDGET_COUNT_MAX];
    int count = budgets_of(stage, cell, budgets), best;
    int64_t room = INT64_MAX;

    make_options(&stage->rng, options);
    for (int i = 0; i < count; i++)
        if (stage->budgets[budgets[i]].remaining < room)
            room = stage->budgets[budgets[i]].remaining;
    best = best_option(options, price_of(stage, cell), room);
    for (int i = 0; i < count; i++) {
        stage->budgets[budgets[i]].remaining -= options[best].amount;
        stage->budgets[budgets[i]].case_count++;
    }
    (void)pacer_note(stage->pacer, &(struct pacer_case){.cell = cell,
                                                        .at_us = at_us,
                                                        .options = options,
                                                        .option_count = OPTION_COUNT});
    return options[best].value;
}

/* So many cases from one moment to another; prices solved as often as the pacer wants it. */
static double run(struct stage *stage, int64_t from_us, int64_t to_us, int case_count)
{
    int64_t left = 0;
    double value = 0;

    for (int i = 0; i < case_count; i++) {
        int64_t at_us = from_us + (to_us - from_us) * i / case_count;

        value += decide(stage, rng_below(&stage->rng, 4), at_us);
        if (--left > 0)
            continue;
        solve(stage, at_us);
        left = pacer_case_count(stage->budgets, stage->outlooks, stage->budget_count);
    }
    return value;
}

static void roll(struct stage *stage)
{
    for (int b = 0; b < stage->budget_count; b++) {
        struct pacer_budget *budget = &stage->budgets[b];

        budget->remaining = stage->limits[b];
        budget->period_starts_us += DAY;
        budget->period_ends_us += DAY;
        budget->case_count = 0;
    }
}

static double share_left(const struct stage *stage, int budget)
{
    return (double)stage->budgets[budget].remaining / (double)stage->limits[budget];
}

/* --- the tests -------------------------------------------------------------------------------- */

static void a_second_day_spends_its_money_evenly_and_whole(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 200000);
    solve(&stage, START);
    run(&stage, START, START + DAY, 4000);
    roll(&stage);
    run(&stage, START + DAY, START + DAY + DAY / 2, 2000);
    assert_true(fabs(share_left(&stage, 0) - 0.5) < 0.05);
    run(&stage, START + DAY + DAY / 2, START + 2 * DAY, 2000);
    assert_true(share_left(&stage, 0) < 0.01);
    stage_close(&stage);
}

static void a_first_day_without_any_history_spends_its_money_evenly_too(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 200000);
    solve(&stage, START);
    run(&stage, START, START + DAY / 2, 2000);
    assert_true(fabs(share_left(&stage, 0) - 0.5) < 0.08);
    run(&stage, START + DAY / 2, START + DAY, 2000);
    assert_true(share_left(&stage, 0) < 0.01);
    stage_close(&stage);
}

static void a_fast_stream_does_not_empty_a_new_budget(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 200000);
    stage.budgets[0].expected_cases = 4000;
    run(&stage, START + DAY / 3, START + DAY / 3 + SECOND, 2000);
    assert_true(fabs(share_left(&stage, 0) - 0.5) < 0.05);
    run(&stage, START + DAY / 3 + SECOND, START + DAY / 3 + 2 * SECOND, 2000);
    assert_true(share_left(&stage, 0) < 0.02);
    stage_close(&stage);
}

static void budgets_that_share_cases_all_fit(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 4, 60000);
    stage.limits[0] = stage.budgets[0].remaining = 150000;
    solve(&stage, START);
    run(&stage, START, START + DAY, 4000);
    roll(&stage);
    run(&stage, START + DAY, START + DAY + DAY / 2, 2000);
    assert_true(stage.outlooks[0].price > 0);
    assert_true(fabs(share_left(&stage, 0) - 0.5) < 0.05);
    for (int b = 0; b < 4; b++)
        assert_true(stage.budgets[b].remaining >= 0);
    stage_close(&stage);
}

static void an_even_plan_follows_the_clock_whatever_the_cases_do(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 200000);
    stage.budgets[0].plan = PACER_EVEN;
    solve(&stage, START);
    run(&stage, START, START + DAY, 4000);
    roll(&stage);
    run(&stage, START + DAY, START + DAY + DAY / 2, 1000);
    assert_true(fabs(share_left(&stage, 0) - 0.5) < 0.08);
    run(&stage, START + DAY + DAY / 2, START + 2 * DAY, 3000);
    assert_true(share_left(&stage, 0) < 0.01);
    stage_close(&stage);
}

/* What is told at noon of the second half of the day is what then happens. */
static void an_outlook_foretells_what_is_spent(void **state)
{
    struct stage stage;
    struct pacer_outlook noon[BUDGET_COUNT_MAX];
    int64_t remaining[BUDGET_COUNT_MAX];

    (void)state;
    stage_open(&stage, 4, 60000);
    stage.limits[0] = stage.budgets[0].remaining = 150000;
    stage.limits[3] = stage.budgets[3].remaining = 10000000;
    solve(&stage, START);
    run(&stage, START, START + DAY, 4000);
    roll(&stage);
    run(&stage, START + DAY, START + DAY + DAY / 2, 2000);
    solve(&stage, START + DAY + DAY / 2);
    memcpy(noon, stage.outlooks, sizeof noon);
    for (int b = 0; b < 4; b++)
        remaining[b] = stage.budgets[b].remaining;
    run(&stage, START + DAY + DAY / 2, START + 2 * DAY, 2000);
    for (int b = 0; b < 4; b++) {
        double spent = (double)(remaining[b] - stage.budgets[b].remaining);

        if (fabs(noon[b].planned_share - 0.5) > 0.05)
            fail_msg("budget %d: %.3f of the plan at noon", b, noon[b].planned_share);
        /* Some 75 credits of each kind: chance alone moves their sum by an eighth. */
        if (fabs(noon[b].spend_left - spent) > (b == 0 ? 0.03 : 0.4) * spent)
            fail_msg("budget %d: %.0f foretold, %.0f spent", b, noon[b].spend_left,
                     spent);
    }
    stage_close(&stage);
}

static void money_at_once_has_no_price(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 200000);
    stage.budgets[0].plan = PACER_ASAP;
    run(&stage, START, START + DAY / 2, 2000);
    assert_true(stage.outlooks[0].price == 0);
    assert_true(stage.outlooks[0].planned_share == 1);
    assert_true(isnan(stage.outlooks[0].spend_left));
    assert_true(share_left(&stage, 0) < 0.01);
    stage_close(&stage);
}

static void money_for_all_has_no_price(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 100000000);
    solve(&stage, START);
    run(&stage, START, START + DAY / 2, 2000);
    assert_true(stage.outlooks[0].price == 0);
    stage_close(&stage);
}

/* Budget 1 has a week, budget 0 a day: each spends over its own time. */
static void budgets_of_a_day_and_of_a_week_each_keep_their_own_time(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 2, 150000);
    stage.budgets[1].period_ends_us = START + 7 * DAY;
    stage.budgets[1].remaining = stage.limits[1] = 150000;
    solve(&stage, START);
    run(&stage, START, START + DAY, 4000);
    assert_true(share_left(&stage, 0) < 0.01);
    assert_true(fabs(share_left(&stage, 1) - 6.0 / 7) < 0.05);
    for (int day = 1; day < 7; day++) {
        stage.budgets[0].remaining = stage.limits[0];
        stage.budgets[0].case_count = 0;
        stage.budgets[0].period_starts_us += DAY;
        stage.budgets[0].period_ends_us += DAY;
        run(&stage, START + day * DAY, START + (day + 1) * DAY, 4000);
        assert_true(share_left(&stage, 0) < 0.01);
    }
    assert_true(share_left(&stage, 1) < 0.02);
    stage_close(&stage);
}

static void a_limit_that_changes_while_a_day_runs_is_priced_at_once(void **state)
{
    struct stage stage;
    double before, scarce;

    (void)state;
    stage_open(&stage, 1, 200000);
    solve(&stage, START);
    run(&stage, START, START + DAY / 2, 2000);
    before = stage.outlooks[0].price;
    stage.budgets[0].remaining /= 4;
    solve(&stage, START + DAY / 2);
    scarce = stage.outlooks[0].price;
    assert_true(scarce > 1.2 * before);
    stage.budgets[0].remaining *= 16;
    solve(&stage, START + DAY / 2);
    assert_true(stage.outlooks[0].price < 0.8 * before);
    stage.budgets[0].remaining = -100;
    solve(&stage, START + DAY / 2);
    assert_true(stage.outlooks[0].price > scarce && isfinite(stage.outlooks[0].price));
    stage_close(&stage);
}

static void what_is_expected_back_makes_budget_cheaper(void **state)
{
    struct stage stage;
    double before;

    (void)state;
    stage_open(&stage, 1, 200000);
    solve(&stage, START);
    run(&stage, START, START + DAY / 2, 2000);
    solve(&stage, START + DAY / 2);
    before = stage.outlooks[0].price;
    stage.budgets[0].open = 50000;
    solve(&stage, START + DAY / 2);
    assert_true(stage.outlooks[0].price < 0.9 * before);
    stage_close(&stage);
}

static void a_budget_that_no_case_was_charged_to_keeps_its_price(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 6, 200000); /* no case is of cells 4 and 5 */
    stage.outlooks[5].price = 0.75;
    solve(&stage, START);
    run(&stage, START, START + DAY / 2, 1000);
    assert_true(stage.outlooks[4].price == 0);
    assert_true(stage.outlooks[5].price == 0.75);
    stage_close(&stage);
}

static void a_burst_in_one_cell_is_noticed_and_raises_its_price(void **state)
{
    struct stage stage;
    double before;
    bool was_noticed = false;

    (void)state;
    stage_open(&stage, 4, 80000);
    solve(&stage, START);
    run(&stage, START, START + DAY, 8000);
    roll(&stage);
    run(&stage, START + DAY, START + DAY + DAY / 2, 4000);
    before = price_of(&stage, 2);
    for (int i = 0; i < 400; i++) {
        int64_t at_us = START + DAY + DAY / 2 + i * 2 * SECOND;

        (void)decide(&stage, 2, at_us);
        solve(&stage, at_us);
        was_noticed = was_noticed || stage.outlooks[2].is_incident;
        assert_false(stage.outlooks[1].is_incident);
    }
    assert_true(was_noticed);
    assert_true(price_of(&stage, 2) > 1.02 * before);
    /* An hour later it is over. */
    run(&stage, START + DAY + DAY / 2 + DAY / 24, START + DAY + DAY / 2 + DAY / 12, 400);
    assert_false(stage.outlooks[2].is_incident);
    stage_close(&stage);
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

static void solve_halves(struct stage *stage, int64_t at_us)
{
    assert_int_equal(pacer_solve(stage->pacer, at_us, stage->budgets, 3, halves_of, NULL,
                                 stage->outlooks, &stage->err),
                     STATUS_OK);
}

static bool note_one(struct stage *stage, uint64_t cell, int64_t at_us)
{
    struct pacer_option options[OPTION_COUNT];

    make_options(&stage->rng, options);
    return pacer_note(stage->pacer, &(struct pacer_case){.cell = cell,
                                                         .at_us = at_us,
                                                         .options = options,
                                                         .option_count = OPTION_COUNT});
}

/* 1600 cases a day, evenly; prices solved now and then. How many bursts were thought to begin. */
static int run_halves(struct stage *stage, int64_t from_us, int64_t to_us)
{
    int begun = 0;

    for (int64_t at_us = from_us; at_us < to_us; at_us += 54 * SECOND) {
        begun += note_one(stage, 1 + rng_below(&stage->rng, 2 * CROWD_CELLS), at_us);
        if (at_us / SECOND % 10 == 0)
            solve_halves(stage, at_us);
    }
    return begun;
}

/* Each of the cells has one or two cases only by the time that all together are too many. */
static void a_burst_in_many_cells_of_a_budget_is_noticed_by_all_of_them(void **state)
{
    int64_t noon = START + DAY + DAY / 2, at_us = noon;
    struct stage stage;
    int count = 0;
    double usual;

    (void)state;
    stage_open(&stage, 3, 80000);
    solve_halves(&stage, START);
    assert_int_equal(run_halves(&stage, START, START + DAY), 0);
    roll(&stage);
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
    /* Its rate is known at once: 540 more cases in the 45 minutes that are thought of first. */
    assert_true(stage.outlooks[1].cases_left > usual + 250);
    assert_true(stage.outlooks[1].cases_left < usual + 1000);
    /* Soon after its end it is over, and does not begin again. */
    assert_int_equal(run_halves(&stage, at_us + 60 * SECOND, at_us + DAY / 24), 0);
    solve_halves(&stage, at_us + DAY / 24);
    assert_false(stage.outlooks[1].is_incident);
    stage_close(&stage);
}

/* --- keeping what was learned ------------------------------------------------------------------ */

static struct pacer *copy_of_pacer(struct pacer *from)
{
    struct pacer_curve curve;
    struct pacer *to;
    struct err err;
    int64_t cursor = 0, last_slot = 0;

    assert_int_equal(pacer_open(&to, &err), STATUS_OK);
    while (pacer_next_changed(from, &cursor, &curve)) {
        assert_true(curve.slot >= last_slot);
        last_slot = curve.slot;
        assert_int_equal(pacer_load(to, &curve, &err), STATUS_OK);
    }
    return to;
}

static void what_was_saved_and_loaded_gives_the_same_prices(void **state)
{
    struct stage stage, again;

    (void)state;
    stage_open(&stage, 4, 60000);
    solve(&stage, START);
    run(&stage, START, START + DAY, 4000);
    again = stage;
    again.pacer = copy_of_pacer(stage.pacer);
    roll(&stage);
    roll(&again);
    solve(&stage, START + DAY);
    solve(&again, START + DAY);
    for (int b = 0; b < 4; b++)
        assert_true(fabs(stage.outlooks[b].price - again.outlooks[b].price) <=
                    1e-6 * (1 + stage.outlooks[b].price));
    stage_close(&again);
    stage_close(&stage);
}

static void only_what_changed_since_it_was_saved_is_told_again(void **state)
{
    struct pacer_curve curve;
    struct stage stage;
    int64_t cursor = 0;
    int count = 0;

    (void)state;
    stage_open(&stage, 4, 60000);
    solve(&stage, START);
    run(&stage, START, START + DAY / 4, 1000);
    while (pacer_next_changed(stage.pacer, &cursor, &curve))
        count++;
    assert_true(count > 4 * 20);
    pacer_saved(stage.pacer);
    cursor = 0;
    assert_false(pacer_next_changed(stage.pacer, &cursor, &curve));
    (void)decide(&stage, 3, START + DAY / 4);
    cursor = 0;
    assert_true(pacer_next_changed(stage.pacer, &cursor, &curve));
    assert_int_equal(curve.cell, 3);
    assert_false(pacer_next_changed(stage.pacer, &cursor, &curve));
    stage_close(&stage);
}

static void curves_that_were_tampered_with_are_refused_or_harmless(void **state)
{
    unsigned char bytes[PACER_CURVE_BYTES_MAX];
    struct pacer_curve curve;
    struct stage stage;
    int64_t cursor = 0;

    (void)state;
    stage_open(&stage, 1, 60000);
    run(&stage, START, START + DAY / 96, 100);
    assert_true(pacer_next_changed(stage.pacer, &cursor, &curve));
    memcpy(bytes, curve.bytes, (size_t)curve.byte_count);
    curve.bytes = bytes;
    for (int count = 0; count < curve.byte_count; count++) {
        struct pacer_curve cut = curve;
        struct stage other = stage;

        cut.byte_count = count;
        assert_int_equal(pacer_open(&other.pacer, &other.err), STATUS_OK);
        assert_int_equal(pacer_load(other.pacer, &cut, &other.err), STATUS_INVALID);
        bytes[count] ^= 0x80;
        if (pacer_load(other.pacer, &curve, &other.err) == STATUS_OK) {
            solve(&other, START + DAY / 96);
            assert_true(isfinite(other.outlooks[0].price));
        }
        bytes[count] ^= 0x80;
        stage_close(&other);
    }
    curve.slot = -1;
    assert_int_equal(pacer_load(stage.pacer, &curve, &stage.err), STATUS_INVALID);
    stage_close(&stage);
}

/* As after a leap of a year, that is taken back: nothing of the time between is left. */
static void a_clock_that_was_ahead_and_is_set_right_costs_nothing(void **state)
{
    struct stage stage, leapt;
    struct pacer_curve curve;
    int64_t cursor = 0;

    (void)state;
    stage_open(&stage, 4, 60000);
    stage_open(&leapt, 4, 60000);
    run(&stage, START, START + DAY, 4000);
    run(&leapt, START, START + DAY, 4000);
    for (int i = 0; i < 100; i++)
        (void)decide(&leapt, 2, START + 400 * DAY + i * SECOND);
    solve(&leapt, START + 400 * DAY);
    memcpy(leapt.budgets, stage.budgets, sizeof leapt.budgets);
    memcpy(leapt.outlooks, stage.outlooks, sizeof leapt.outlooks);
    leapt.rng = stage.rng;
    roll(&stage);
    roll(&leapt);
    solve(&stage, START + DAY);
    solve(&leapt, START + DAY);
    for (int b = 0; b < 4; b++)
        assert_true(fabs(stage.outlooks[b].price - leapt.outlooks[b].price) <=
                    1e-6 * (1 + stage.outlooks[b].price));
    run(&stage, START + DAY, START + DAY + DAY / 8, 500);
    run(&leapt, START + DAY, START + DAY + DAY / 8, 500);
    assert_true(stage.outlooks[0].price > 0);
    assert_true(fabs(stage.outlooks[0].price - leapt.outlooks[0].price) <=
                0.02 * stage.outlooks[0].price);
    while (pacer_next_changed(leapt.pacer, &cursor, &curve))
        assert_true(curve.slot <= (START + DAY + DAY / 8) / (DAY / 96));
    stage_close(&stage);
    stage_close(&leapt);
}

/* --- bounds ------------------------------------------------------------------------------------ */

static void more_cells_than_there_is_room_for_share_one(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 1000000);
    solve(&stage, START);
    for (uint64_t i = 0; i < PACER_CELL_COUNT_MAX + 1000; i++)
        (void)decide(&stage, i * UINT64_C(0x9E3779B97F4A7C15) + 1,
                     START + (int64_t)i * SECOND);
    solve(&stage, START + 6000 * SECOND);
    assert_true(stage.outlooks[0].price > 0 && isfinite(stage.outlooks[0].price));
    assert_true(stage.outlooks[0].cases_left > 40000);
    stage_close(&stage);
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

/* Two weeks that take 200 MB. Those that find no room are not known, rather than empty. */
static void the_past_takes_no_more_than_its_share_of_memory(void **state)
{
    enum { CELL_COUNT = 60, SLOT_COUNT = PACER_HISTORY_DAYS * 96 };
    unsigned char bytes[PACER_CURVE_BYTES_MAX];
    struct pacer_curve curve = {.bytes = bytes, .byte_count = widest_curve(bytes)};
    size_t before_bytes = mallinfo2().uordblks;
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 60000);
    for (int i = 1; i <= SLOT_COUNT; i++)
        for (uint64_t cell = 1; cell <= CELL_COUNT; cell++) {
            curve.cell = cell;
            curve.slot = START / (DAY / 96) - i;
            assert_int_equal(pacer_load(stage.pacer, &curve, &stage.err), STATUS_OK);
        }
    stage.budgets[0].period_ends_us = START + 10 * DAY;
    solve(&stage, START);
    printf("%.0f cases, %zu MB\n", stage.outlooks[0].cases_left,
           (mallinfo2().uordblks - before_bytes) >> 20);
    assert_true(mallinfo2().uordblks - before_bytes < (size_t)160 << 20);
    assert_true(fabs(stage.outlooks[0].cases_left / (10 * CELL_COUNT * 960) - 1) < 0.05);
    stage_close(&stage);
}

static void options_that_are_no_numbers_do_not_count(void **state)
{
    const struct pacer_option options[] = {
        {0},         {NAN, 10, 10}, {5, INFINITY, 10}, {INFINITY, 3, 3},
        {5, -1, 10}, {40, 10, 10}};
    struct stage stage;

    (void)state;
    stage_open(&stage, 1, 5);
    for (int i = 0; i < 10; i++)
        (void)pacer_note(stage.pacer, &(struct pacer_case){.cell = 1,
                                                           .at_us = START + i * SECOND,
                                                           .options = options,
                                                           .option_count = 6});
    solve(&stage, START + 10 * SECOND);
    assert_true(stage.outlooks[0].price > 3.5 && stage.outlooks[0].price < 4.5);
    stage_close(&stage);
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

/* Median of what solves take after 100,000 cases, ms of CPU. Budgets end a quarter of a day on, those with
 * another remainder by end_count a quarter of a day later each. */
static double crowd_solve_ms(int budget_count, int end_count, pacer_budgets_of *charged)
{
    enum { CELLS = 250, SOLVES = 51, CROWD_MAX = 100 };
    struct pacer_budget budgets[CROWD_MAX];
    struct pacer_outlook outlooks[CROWD_MAX] = {0};
    struct pacer_option options[OPTION_COUNT];
    struct pacer *pacer;
    struct rng rng;
    struct err err;
    double times[SOLVES];

    rng_seed(&rng, 11);
    assert_int_equal(pacer_open(&pacer, &err), STATUS_OK);
    for (int64_t i = 0; i < 100000; i++) {
        make_options(&rng, options);
        (void)pacer_note(pacer, &(struct pacer_case){.cell = 1 + rng_below(&rng, CELLS),
                                                     .at_us = START + i * (DAY / 80000),
                                                     .options = options,
                                                     .option_count = OPTION_COUNT});
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
    assert_true(crowd_solve_ms(20, 1, crowd_budgets_of) < 5);
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
    assert_true(crowd_solve_ms(100, 24, many_budgets_of) < 20);
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
        cmocka_unit_test(what_was_saved_and_loaded_gives_the_same_prices),
        cmocka_unit_test(only_what_changed_since_it_was_saved_is_told_again),
        cmocka_unit_test(curves_that_were_tampered_with_are_refused_or_harmless),
        cmocka_unit_test(more_cells_than_there_is_room_for_share_one),
        cmocka_unit_test(a_clock_that_was_ahead_and_is_set_right_costs_nothing),
        cmocka_unit_test(the_past_takes_no_more_than_its_share_of_memory),
        cmocka_unit_test(options_that_are_no_numbers_do_not_count),
        cmocka_unit_test(a_solve_after_100000_cases_takes_less_than_5_ms),
        cmocka_unit_test(a_hundred_budgets_with_24_ends_are_solved_in_20_ms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
