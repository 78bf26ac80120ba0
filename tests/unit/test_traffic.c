/* test_traffic.c - what cases wanted: by kinds of cases, learned once it is on disk, kept
 * over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "decide/cells.h"
#include "decide/traffic.h"
#include "decide/traffic_state.h"
#include "support/store_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HOUR_US (INT64_C(3600) * SECOND_US)
#define DAY_US  (24 * HOUR_US)

/* --- kinds of cases --------------------------------------------------------------------------- */

static struct refund_case case_of(const char *market, const char *issue,
                                  const char *currency)
{
    struct refund_case asked = {.market = text_of(market), .issue = text_of(issue)};

    snprintf(asked.currency, sizeof asked.currency, "%s", currency);
    return asked;
}

static struct cells *cells_new(void)
{
    struct cells *cells;
    struct err err;

    err_clear(&err);
    assert_int_equal(cells_open(&cells, &err), STATUS_OK);
    return cells;
}

static void cases_alike_are_one_kind(void **state)
{
    const struct refund_case cases[] = {
        case_of("us", "late", "USD"), case_of("us", "late", "EUR"),
        case_of("us", "", "USD"),     case_of("", "us", "USD"),
        case_of("late", "us", "USD"), case_of("", "", "USD"),
    };
    enum { CASE_COUNT = sizeof cases / sizeof *cases };
    struct cells *cells = cells_new();

    (void)state;
    for (int i = 0; i < CASE_COUNT; i++) {
        uint64_t hash = cells_note(cells, &cases[i]);

        assert_true(hash != 0 && cells_note(cells, &cases[i]) == hash);
        assert_true(
            text_equal(text_of(cells_find(cells, hash)->market), cases[i].market));
        for (int k = 0; k < i; k++)
            assert_true(cells_note(cells, &cases[k]) != hash);
    }
    assert_null(cells_find(cells, 12345));
    cells_close(cells);
}

/* It is kept in databases: this number stays what it is. */
static void a_hash_is_the_same_for_ever(void **state)
{
    struct refund_case asked = case_of("us-ca", "late_delivery", "USD");
    struct cells *cells = cells_new();

    (void)state;
    asked.segment = text_of("new");
    asked.channel = text_of("chat");
    assert_true((int64_t)cells_note(cells, &asked) == INT64_C(-8705674720319490781));
    cells_close(cells);
}

static void a_kind_finds_the_budgets_there_are_now(void **state)
{
    struct refund_case asked = case_of("us", "late", "USD");
    struct cells *cells = cells_new();
    const struct traffic_cell *cell = cells_find(cells, cells_note(cells, &asked));
    struct budget budgets[] = {budget_of("bud_all", 1), budget_of("bud_eu", 1),
                               budget_of("bud_euro", 1), budget_of("bud_us_late", 1)};
    int found[4];

    (void)state;
    strcpy(budgets[1].market, "eu");
    strcpy(budgets[2].currency, "EUR");
    strcpy(budgets[3].market, "us");
    strcpy(budgets[3].issue, "late");
    assert_int_equal(cell_budgets(NULL, cell, budgets, 4, found, 4), 2);
    assert_int_equal(found[0], 0);
    assert_int_equal(found[1], 3);
    strcpy(budgets[1].market, "us");
    assert_int_equal(cell_budgets(NULL, cell, budgets, 4, found, 4), 3);
    assert_int_equal(cell_budgets(NULL, cell, budgets, 4, found, 2), 2);
    cells_close(cells);
}

static void beyond_the_limit_only_the_currency_counts(void **state)
{
    struct cells *cells = cells_new();
    uint64_t hashes[2] = {0};

    (void)state;
    for (int i = 0; i < PACER_CELL_COUNT_MAX + 100; i++) {
        char market[16];
        struct refund_case asked;

        snprintf(market, sizeof market, "m%d", i);
        asked = case_of(market, "late", i % 2 ? "EUR" : "USD");
        hashes[i % 2] = cells_note(cells, &asked);
        assert_true(hashes[i % 2] != 0);
    }
    assert_string_equal(cells_find(cells, hashes[0])->market, "");
    assert_string_equal(cells_find(cells, hashes[0])->currency, "USD");
    assert_string_equal(cells_find(cells, hashes[1])->currency, "EUR");
    cells_close(cells);
}

/* --- learning --------------------------------------------------------------------------------- */

struct stage {
    struct fixture fixture;
    struct traffic *traffic;
    int64_t now_us;
};

static void stage_open(struct stage *stage)
{
    struct fixture *f = &stage->fixture;

    stage->now_us = FIXTURE_TIME_US / DAY_US * DAY_US;
    fixture_open(f);
    assert_ok(f, traffic_open(cell_budgets, NULL, &stage->traffic, &f->err));
}

static void stage_close(struct stage *stage)
{
    traffic_close(stage->traffic);
    fixture_close(&stage->fixture);
}

/* 500 for 900, at a cost of 500. */
static void note(struct stage *stage, int count)
{
    struct commit commit = {.store = stage->fixture.store, .now_us = stage->now_us};
    struct refund_case asked = case_of("us", "late", "USD");
    struct decision decision = {.menu.count = 2};

    decision.menu.options[0] = (struct option){.is_allowed = true, .is_scored = true};
    decision.menu.options[1] = (struct option){.amount = 500,
                                               .goodwill = 500,
                                               .effect = 900,
                                               .cost = 500,
                                               .is_allowed = true,
                                               .is_scored = true};
    for (int i = 0; i < count; i++)
        traffic_note(stage->traffic, &commit, &asked, &decision);
}

static struct pacer_outlook solve(struct stage *stage, int64_t limit)
{
    struct fixture *f = &stage->fixture;
    struct budget budget = budget_of("bud_all", limit);
    struct pacer_outlook outlook = {0};

    budget.pacing = PACING_PROFILE;
    budget.period = PERIOD_DAY;
    budget.period_starts_at_us = stage->now_us / DAY_US * DAY_US;
    budget.period_ends_at_us = budget.period_starts_at_us + DAY_US;
    assert_ok(
        f, traffic_solve(stage->traffic, stage->now_us, &budget, 1, &outlook, &f->err));
    return outlook;
}

/* Returns how many transactions it took. */
static int save(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    int64_t cursor = 0;
    bool is_all = false;
    int count = 0;

    for (; !is_all; count++) {
        assert_ok(f, store_begin(f->store, &f->err));
        assert_ok(f, traffic_save(stage->traffic, f->store, stage->now_us, &cursor,
                                  &is_all, &f->err));
        assert_ok(f, store_commit(f->store, &f->err));
    }
    traffic_saved(stage->traffic);
    return count;
}

static void restart(struct stage *stage)
{
    struct fixture *f = &stage->fixture;

    traffic_close(stage->traffic);
    fixture_reopen(f);
    assert_ok(f, traffic_open(cell_budgets, NULL, &stage->traffic, &f->err));
    assert_ok(f, traffic_load(stage->traffic, f->store, stage->now_us, &f->err));
}

static int curve_count(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct traffic_curve *curves;
    struct arena arena;
    int count;

    arena_init(&arena, NULL, 0, 1 << 20);
    assert_ok(f, traffic_curve_list(f->store, INT64_MAX, 0, 1000, &arena, &curves, &count,
                                    &f->err));
    arena_reset(&arena);
    return count;
}

static void what_is_undone_is_not_learned(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    note(&stage, 5);
    assert_true(solve(&stage, 1000).cases_left == 0); /* not known to be on disk */
    traffic_end(stage.traffic, false);
    stage.now_us += HOUR_US;
    assert_true(solve(&stage, 1000).cases_left == 0);
    note(&stage, 5);
    traffic_end(stage.traffic, true);
    stage.now_us += HOUR_US;
    assert_true(solve(&stage, 1000).cases_left > 10);
    stage_close(&stage);
}

/* More cases than the list has room for, in one transaction or in many. */
static void nothing_is_dropped_when_many_come_at_once(void **state)
{
    struct stage once, often;

    (void)state;
    stage_open(&once);
    stage_open(&often);
    note(&once, 5000);
    traffic_end(once.traffic, true);
    for (int i = 0; i < 500; i++) {
        note(&often, 10);
        traffic_end(often.traffic, true);
    }
    once.now_us += HOUR_US;
    often.now_us += HOUR_US;
    assert_true(solve(&once, 1000).cases_left > 5000);
    assert_true(fabs(solve(&once, 1000).cases_left - solve(&often, 1000).cases_left) <
                1e-6);
    stage_close(&once);
    stage_close(&often);
}

/* A day of 20 cases an hour, saved and read again: the next morning is expected to be the
 * same. */
static void a_restart_knows_what_was_learned(void **state)
{
    struct pacer_outlook before, after;
    struct stage stage;

    (void)state;
    stage_open(&stage);
    for (int hour = 0; hour < 24; hour++) {
        note(&stage, 20);
        traffic_end(stage.traffic, true);
        stage.now_us += HOUR_US;
    }
    before = solve(&stage, 20000);
    assert_int_equal(save(&stage), 1); /* few curves */
    assert_int_equal(curve_count(&stage), 24);
    restart(&stage);
    after = solve(&stage, 20000);
    printf("%.1f cases at %.4f; after the restart %.1f at %.4f\n", before.cases_left,
           before.price, after.cases_left, after.price);
    assert_true(fabs(before.cases_left - 480) < 25);
    assert_true(fabs(after.cases_left - before.cases_left) < 0.01 * before.cases_left);
    /* 240000 are wanted, and there are 20000: none at 0.8. */
    assert_true(before.price >= 0.75 && before.price < 0.84);
    assert_true(fabs(after.price - before.price) < 0.002);
    stage_close(&stage);
}

static void many_curves_are_saved_in_small_transactions(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    for (int i = 0; i < 300; i++) {
        note(&stage, 1);
        traffic_end(stage.traffic, true);
        stage.now_us += HOUR_US;
    }
    assert_true(save(&stage) >= 300 / 64);
    assert_int_equal(curve_count(&stage), 300);
    assert_int_equal(save(&stage), 1); /* and not again */
    stage_close(&stage);
}

static void what_is_too_old_is_forgotten(void **state)
{
    struct stage stage;
    struct traffic_cell cell;
    int count;

    (void)state;
    stage_open(&stage);
    note(&stage, 3);
    traffic_end(stage.traffic, true);
    save(&stage);
    assert_int_equal(curve_count(&stage), 1);
    stage.now_us += PACER_HISTORY_DAYS * DAY_US;
    save(&stage);
    assert_int_equal(curve_count(&stage), 1);
    stage.now_us += HOUR_US;
    save(&stage);
    assert_int_equal(curve_count(&stage), 0);
    assert_ok(&stage.fixture, traffic_cell_list(stage.fixture.store, 1, &cell, &count,
                                                &stage.fixture.err));
    assert_int_equal(count, 0);
    stage_close(&stage);
}

/* A curve that cannot be read costs what it said, and nothing else. */
static void a_damaged_curve_is_left_out(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    for (int hour = 0; hour < 24; hour++) {
        note(&stage, 20);
        traffic_end(stage.traffic, true);
        stage.now_us += HOUR_US;
    }
    save(&stage);
    store_close(stage.fixture.store);
    tamper(stage.fixture.path, "UPDATE traffic_curves SET content = x'0102'"
                               " WHERE number % 2 = 0");
    assert_ok(&stage.fixture, store_open(stage.fixture.path, STORE_WRITER,
                                         &stage.fixture.store, NULL, &stage.fixture.err));
    restart(&stage);
    assert_true(solve(&stage, 20000).cases_left > 150);
    assert_true(solve(&stage, 20000).cases_left < 350);
    stage_close(&stage);
}

/* Saved while the clock was five days ahead: neither kept nor in the way once it is set
 * right. */
static void what_a_clock_that_was_ahead_saved_is_forgotten(void **state)
{
    struct stage stage;
    double before;

    (void)state;
    stage_open(&stage);
    for (int hour = 0; hour < 24; hour++) {
        note(&stage, 20);
        traffic_end(stage.traffic, true);
        stage.now_us += HOUR_US;
    }
    before = solve(&stage, 20000).cases_left;
    stage.now_us += 5 * DAY_US;
    note(&stage, 300);
    traffic_end(stage.traffic, true);
    save(&stage);
    assert_int_equal(curve_count(&stage), 25);
    restart(&stage);
    stage.now_us -= 5 * DAY_US;
    assert_true(fabs(solve(&stage, 20000).cases_left - before) < 0.01 * before);
    restart(&stage);
    assert_true(fabs(solve(&stage, 20000).cases_left - before) < 0.01 * before);
    save(&stage);
    assert_int_equal(curve_count(&stage), 24);
    stage_close(&stage);
}

/* Milliseconds until prices are wanted, at most so many. */
static int64_t wait_ms(struct stage *stage, int64_t at_most_ms)
{
    int64_t began_us = clock_monotonic_us(&system_clock);

    traffic_wait(stage->traffic, at_most_ms * 1000);
    return (clock_monotonic_us(&system_clock) - began_us) / 1000;
}

/* Budgets without prices ask for no solve soon, and 100 cases in an hour of 20 are a
 * burst. */
static void a_burst_asks_for_prices_within_seconds(void **state)
{
    struct budget budget = budget_of("bud_all", 20000);
    struct pacer_outlook outlook = {0};
    struct stage stage;

    (void)state;
    stage_open(&stage);
    for (int hour = 0; hour < 24; hour++) {
        note(&stage, 20);
        traffic_end(stage.traffic, true);
        stage.now_us += HOUR_US;
    }
    budget.pacing = PACING_ASAP;
    assert_ok(&stage.fixture, traffic_solve(stage.traffic, stage.now_us, &budget, 1,
                                            &outlook, &stage.fixture.err));
    note(&stage, 3);
    traffic_end(stage.traffic, true);
    assert_true(wait_ms(&stage, 1200) >= 1199);
    note(&stage, 100);
    traffic_end(stage.traffic, true);
    assert_true(wait_ms(&stage, 240000) < 200000);
    stage_close(&stage);
}

static void the_commit_thread_does_not_wait_for_who_solves(void **state)
{
    struct budget budget = budget_of("bud_all", 20000);
    struct pacer_outlook outlook = {0};
    struct stage stage;
    struct err err;

    (void)state;
    stage_open(&stage);
    note(&stage, 20);
    pthread_mutex_lock(&stage.traffic->pacer_lock); /* as who solves has it */
    assert_int_equal(
        traffic_solve_now(stage.traffic, stage.now_us, &budget, 1, &outlook, &err),
        STATUS_UNAVAILABLE);
    pthread_mutex_unlock(&stage.traffic->pacer_lock);
    assert_ok(&stage.fixture, traffic_solve_now(stage.traffic, stage.now_us, &budget, 1,
                                                &outlook, &stage.fixture.err));
    traffic_end(stage.traffic, true);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_alike_are_one_kind),
        cmocka_unit_test(a_hash_is_the_same_for_ever),
        cmocka_unit_test(a_kind_finds_the_budgets_there_are_now),
        cmocka_unit_test(beyond_the_limit_only_the_currency_counts),
        cmocka_unit_test(what_is_undone_is_not_learned),
        cmocka_unit_test(nothing_is_dropped_when_many_come_at_once),
        cmocka_unit_test(a_restart_knows_what_was_learned),
        cmocka_unit_test(many_curves_are_saved_in_small_transactions),
        cmocka_unit_test(what_is_too_old_is_forgotten),
        cmocka_unit_test(a_damaged_curve_is_left_out),
        cmocka_unit_test(what_a_clock_that_was_ahead_saved_is_forgotten),
        cmocka_unit_test(a_burst_asks_for_prices_within_seconds),
        cmocka_unit_test(the_commit_thread_does_not_wait_for_who_solves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
