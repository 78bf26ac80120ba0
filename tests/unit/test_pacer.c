/* test_pacer.c - prices while a period runs, on streams whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
    pacer_note(stage->pacer, &(struct pacer_case){.cell = cell,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_day_spends_its_money_evenly_and_whole),
        cmocka_unit_test(a_first_day_without_any_history_spends_its_money_evenly_too),
        cmocka_unit_test(a_fast_stream_does_not_empty_a_new_budget),
        cmocka_unit_test(budgets_that_share_cases_all_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
