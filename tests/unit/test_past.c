/* test_past.c - what a batch remembers of customers and orders is what the store would
 * say, and nobody's past is long enough to keep the others waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/store_fixture.h"

#include "base/clock.h"
#include "decide/past.h"

#include <stdio.h>
#include <string.h>

enum { CASE_COUNT = 300 };

static const char *const customers[] = {"c_1", "c_2", "c_3", "o_1"};
static const char *const orders[] = {"o_1", "o_2", "c_1", ""};
static const char *const issues[] = {"late_delivery", "cold"};
static const char *const currencies[] = {"USD", "EUR"};

#define PICK(rng, of) ((of)[rng_below((rng), sizeof(of) / sizeof *(of))])

/* A case, and what some policy wants to know for it. */
static void make_case(struct rng *rng, struct refund_case *asked,
                      struct circumstances *seen)
{
    static const int64_t windows[] = {1, 3600, 86400};

    memset(asked, 0, sizeof *asked);
    memset(seen, 0, sizeof *seen);
    asked->customer_id = text_of(PICK(rng, customers));
    asked->order_id = text_of(PICK(rng, orders));
    asked->issue = text_of(PICK(rng, issues));
    snprintf(asked->currency, sizeof asked->currency, "%s", PICK(rng, currencies));
    seen->now_us = FIXTURE_TIME_US;
    seen->needs.window_count = (int)rng_below(rng, 4);
    for (int i = 0; i < seen->needs.window_count; i++)
        seen->needs.window_seconds[i] = windows[i];
    seen->needs.needs_order = rng_below(rng, 2);
    seen->needs.duplicate_seconds = rng_below(rng, 2) ? 3600 : 0;
}

static void write_row(struct fixture *f, const struct refund_case *asked,
                      const struct decision *decision, int64_t created_at_us, int number)
{
    char id[ID_BYTES];
    struct decision_row row;

    snprintf(id, sizeof id, "dec_%d", number);
    row = decision_of(id);
    row.created_at_us = created_at_us;
    row.status = decision->status;
    row.amount = decision->amount;
    row.goodwill = decision->goodwill;
    row.settled_amount = row.status == DECISION_SETTLED ? decision->amount / 2 : 0;
    row.customer_id = asked->customer_id;
    row.order_id = asked->order_id;
    row.issue = asked->issue;
    memcpy(row.currency, asked->currency, sizeof row.currency);
    assert_ok(f, decision_insert(f->store, &row, &f->err));
}

static void make_decision(struct rng *rng, struct decision *decision)
{
    memset(decision, 0, sizeof *decision);
    decision->status = rng_below(rng, 3) ? DECISION_HELD : DECISION_NONE;
    if (decision->status == DECISION_HELD)
        decision->amount = 1 + (int64_t)rng_below(rng, 1000);
    decision->goodwill = rng_below(rng, 3) ? decision->amount : 0;
}

/* Rows of before, some of them older than a window. */
static void write_history(struct fixture *f, struct rng *rng)
{
    struct decision decision;
    struct refund_case asked;
    struct circumstances seen;

    for (int i = 0; i < 50; i++) {
        make_case(rng, &asked, &seen);
        make_decision(rng, &decision);
        if (decision.status == DECISION_HELD && rng_below(rng, 2))
            decision.status = DECISION_SETTLED;
        write_row(f, &asked, &decision,
                  FIXTURE_TIME_US - (int64_t)rng_below(rng, 200000) * SECOND_US,
                  1000 + i);
    }
}

static void a_batch_remembers_what_the_store_would_say(void **state)
{
    static struct refund_case asked[CASE_COUNT];
    struct circumstances remembered, stored;
    struct decision decision;
    struct past *past;
    struct fixture f;
    struct rng rng;

    (void)state;
    fixture_open(&f);
    rng_seed(&rng, seed_print("past"));
    assert_ok(&f, store_begin(f.store, &f.err));
    write_history(&f, &rng);
    assert_ok(&f, past_open(CASE_COUNT, &f.arena, &past, &f.err));
    for (int i = 0; i < CASE_COUNT; i++) {
        make_case(&rng, &asked[i], &remembered);
        stored = remembered;
        assert_ok(&f, past_look(past, f.store, &asked[i], &remembered, &f.err));
        assert_ok(&f, past_look(NULL, f.store, &asked[i], &stored, &f.err));
        assert_memory_equal(&remembered.history, &stored.history, sizeof stored.history);
        make_decision(&rng, &decision);
        write_row(&f, &asked[i], &decision, FIXTURE_TIME_US + i, i);
        past_add(past, &asked[i], &decision);
    }
    store_rollback(f.store);
    fixture_close(&f);
}

/* Nothing in the past of an order but what the batch gives: what it remembers, and what
 * the store says. */
static void look_twice(struct fixture *f, struct past *past,
                       const struct refund_case *asked, struct circumstances *seen)
{
    struct circumstances stored;

    *seen =
        (struct circumstances){.now_us = FIXTURE_TIME_US,
                               .needs = {.duplicate_seconds = 3600, .needs_order = true}};
    stored = *seen;
    assert_ok(f, past_look(past, f->store, asked, seen, &f->err));
    assert_ok(f, past_look(NULL, f->store, asked, &stored, &f->err));
    assert_memory_equal(&seen->history, &stored.history, sizeof stored.history);
}

static void another_issue_of_an_order_is_no_duplicate(void **state)
{
    const struct decision given = {.status = DECISION_HELD, .amount = 5, .goodwill = 5};
    const struct refund_case late = {.customer_id = text_of("c_1"),
                                     .order_id = text_of("o_1"),
                                     .issue = text_of("late_delivery"),
                                     .currency = "USD"};
    struct refund_case cold = late;
    struct circumstances seen;
    struct past *past;
    struct fixture f;

    (void)state;
    cold.issue = text_of("cold");
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, past_open(4, &f.arena, &past, &f.err));
    look_twice(&f, past, &cold, &seen); /* remembered from here on */
    look_twice(&f, past, &late, &seen);
    write_row(&f, &late, &given, FIXTURE_TIME_US, 1);
    past_add(past, &late, &given);
    look_twice(&f, past, &cold, &seen);
    assert_false(seen.history.has_duplicate);
    assert_int_equal(seen.history.order_amount, 5);
    look_twice(&f, past, &late, &seen);
    assert_true(seen.history.has_duplicate);
    store_rollback(f.store);
    fixture_close(&f);
}

/* As many decisions of one customer and order, without a credit. */
static void write_many(struct fixture *f, const struct refund_case *asked, int count)
{
    struct decision none = {.status = DECISION_NONE};

    for (int i = 0; i < count; i++)
        write_row(f, asked, &none, FIXTURE_TIME_US, i);
}

static void who_has_too_long_a_past_has_reached_every_limit(void **state)
{
    struct refund_case asked = {.customer_id = text_of("guest"),
                                .order_id = text_of("all"),
                                .issue = text_of("cold"),
                                .currency = "USD"};
    struct circumstances seen = {.now_us = FIXTURE_TIME_US,
                                 .needs = {.window_seconds = {3600},
                                           .window_count = 1,
                                           .duplicate_seconds = 3600,
                                           .needs_order = true}};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    write_many(&f, &asked, DECISION_PAST_MAX);
    assert_ok(&f, past_look(NULL, f.store, &asked, &seen, &f.err));
    assert_int_equal(seen.history.window_counts[0], 0);
    assert_int_equal(seen.history.window_amounts[0], 0);
    assert_int_equal(seen.history.order_amount, 0);
    assert_false(seen.history.has_duplicate);
    write_row(&f, &asked, &(struct decision){.status = DECISION_NONE}, FIXTURE_TIME_US,
              DECISION_PAST_MAX);
    assert_ok(&f, past_look(NULL, f.store, &asked, &seen, &f.err));
    assert_int_equal(seen.history.window_counts[0], MONEY_MINOR_MAX);
    assert_int_equal(seen.history.window_amounts[0], MONEY_MINOR_MAX);
    assert_int_equal(seen.history.order_amount, MONEY_MINOR_MAX);
    assert_true(seen.history.has_duplicate);
    store_rollback(f.store);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_remembers_what_the_store_would_say),
        cmocka_unit_test(another_issue_of_an_order_is_no_duplicate),
        cmocka_unit_test(who_has_too_long_a_past_has_reached_every_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
