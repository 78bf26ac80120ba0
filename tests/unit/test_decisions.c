/* test_decisions.c - answers and decisions: written once, found, listed, counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"
#include "base/clock.h"

#include <stdio.h>

static void insert(struct fixture *f, struct decision_row row)
{
    assert_ok(f, decision_insert(f->store, &row, &f->err));
}

static void an_answer_comes_back_byte_for_byte(void **state)
{
    struct fixture f;
    struct answer written = answer_of("key_1 POST /v1/decisions abc"), read;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, answer_find(f.store, written.scope_key, &f.arena, &read, &f.err));
    assert_int_equal(read.number, 0);
    assert_ok(&f, answer_insert(f.store, &written, &f.err));
    assert_ok(&f, answer_find(f.store, written.scope_key, &f.arena, &read, &f.err));
    assert_int_equal(read.number, written.number);
    assert_true(text_equal(read.body, written.body));
    assert_true(text_equal(read.scope_key, written.scope_key));
    assert_memory_equal(read.request_hash, written.request_hash, REQUEST_HASH_BYTES);
    assert_int_equal(read.http_status, 201);
    assert_int_equal(read.created_at_us, FIXTURE_TIME_US);
    store_rollback(f.store);
    fixture_close(&f);
}

static void a_key_is_taken_once_and_no_key_any_number_of_times(void **state)
{
    struct fixture f;
    struct answer first = answer_of("k"), second = answer_of("k"), none = answer_of("");
    struct answer found;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, answer_insert(f.store, &first, &f.err));
    assert_status(&f, answer_insert(f.store, &second, &f.err), STATUS_CONFLICT);
    assert_ok(&f, answer_insert(f.store, &none, &f.err));
    assert_ok(&f, answer_insert(f.store, &none, &f.err));
    assert_ok(&f, answer_find(f.store, text_of(""), &f.arena, &found, &f.err));
    assert_int_equal(found.number, 0);
    /* The refused statement has left nothing, and the transaction goes on. */
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(&f, answer_find(f.store, text_of("k"), &f.arena, &found, &f.err));
    assert_int_equal(found.number, first.number);
    fixture_close(&f);
}

static void every_column_of_a_decision_comes_back(void **state)
{
    struct fixture f;
    struct answer answer = answer_of("k");
    struct decision_row parent = decision_of("dec_parent"),
                        written = decision_of("dec_1"), read;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, answer_insert(f.store, &answer, &f.err));
    insert(&f, parent);
    snprintf(written.parent_id, sizeof written.parent_id, "dec_parent");
    written.answer_number = answer.number;
    written.outcome = OUTCOME_FALLBACK;
    written.mode = MODE_HOLDOUT;
    written.goodwill = 400;
    written.settled_amount = 300;
    written.external_ref = text_of("ref");
    written.context = text_of("{\"seed\":1}");
    assert_ok(&f, decision_insert(f.store, &written, &f.err));
    assert_ok(&f, decision_find(f.store, "dec_1", &f.arena, &read, &f.err));
    assert_int_equal(read.number, written.number);
    assert_string_equal(read.parent_id, "dec_parent");
    assert_int_equal(read.answer_number, answer.number);
    assert_int_equal(read.created_at_us, written.created_at_us);
    assert_int_equal(read.updated_at_us, written.updated_at_us);
    assert_int_equal(read.hold_expires_at_us, written.hold_expires_at_us);
    assert_true(read.outcome == OUTCOME_FALLBACK && read.mode == MODE_HOLDOUT);
    assert_true(read.amount == 1000 && read.goodwill == 400 &&
                read.settled_amount == 300);
    assert_string_equal(read.currency, "USD");
    assert_true(text_is(read.customer_id, "c_1") && text_is(read.order_id, "o_1"));
    assert_true(text_is(read.case_id, "case-1") && text_is(read.issue, "late_delivery"));
    assert_true(text_is(read.external_ref, "ref"));
    assert_true(text_is(read.context, "{\"seed\":1}"));
    assert_true(text_equal(read.body, answer.body));
    assert_status(&f, decision_find(f.store, "dec_2", &f.arena, &read, &f.err),
                  STATUS_NOT_FOUND);
    assert_status(&f, decision_insert(f.store, &written, &f.err), STATUS_CONFLICT);
    store_rollback(f.store);
    fixture_close(&f);
}

static void an_update_changes_what_it_names(void **state)
{
    struct fixture f;
    struct decision_row row = decision_of("dec_1"), read;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    insert(&f, row);
    row.status = DECISION_SETTLED;
    row.settled_amount = 700;
    row.goodwill = 600;
    row.external_ref = text_of("psp-1");
    row.updated_at_us++;
    row.amount = 1; /* not among them */
    assert_ok(&f, decision_update(f.store, &row, &f.err));
    assert_ok(&f, decision_find(f.store, "dec_1", &f.arena, &read, &f.err));
    assert_true(read.status == DECISION_SETTLED && read.settled_amount == 700);
    assert_true(read.goodwill == 600 && read.amount == 1000);
    assert_true(text_is(read.external_ref, "psp-1"));
    assert_int_equal(read.updated_at_us, FIXTURE_TIME_US + 1);
    row.settled_amount = 1001;
    assert_status(&f, decision_update(f.store, &row, &f.err), STATUS_INVALID);
    snprintf(row.id, sizeof row.id, "dec_2");
    assert_status(&f, decision_update(f.store, &row, &f.err), STATUS_NOT_FOUND);
    store_rollback(f.store);
    fixture_close(&f);
}

#define HOUR_US (3600 * SECOND_US)

enum { LISTED_COUNT = 60, LISTED_COUNT_LONG = 1200 };

static int listed_count;

/* In the order in which they were written. */
static struct {
    int64_t at_us;
    char id[ID_BYTES];
} listed[LISTED_COUNT_LONG];

/* As id_make would have it: by a time, and rising within it. */
static void list_at(int i, int64_t at_us, int64_t id_us)
{
    size_t bytes;

    listed[i].at_us = at_us;
    id_floor("dec_", id_us, listed[i].id);
    bytes = strlen(listed[i].id);
    snprintf(listed[i].id + bytes, ID_BYTES - bytes, "%016d", i);
}

/* Several at one moment, and several moments in a millisecond. */
static void list_evenly(int count)
{
    listed_count = count;
    for (int i = 0; i < listed_count; i++)
        list_at(i, FIXTURE_TIME_US + i / 3 * 300, FIXTURE_TIME_US + i / 3 * 300);
}

/* Written under clocks that were set between starts, and some with ids of a later
 * time. */
static void list_in_leaps(void)
{
    static const int64_t leaps_us[] = {0, HOUR_US, -HOUR_US, 2 * HOUR_US, 1200, 0};

    listed_count = LISTED_COUNT;
    for (int i = 0; i < LISTED_COUNT; i++) {
        int64_t at_us = FIXTURE_TIME_US + leaps_us[i / 10] + i * 300;

        list_at(i, at_us, at_us + (i % 4 == 0 ? 3 * HOUR_US : 0));
    }
}

/* Every page of every filter against a plain loop. */
static bool wanted(const struct decision_filter *filter, int i)
{
    int64_t at = listed[i].at_us;
    char customer[16], order[16];

    snprintf(customer, sizeof customer, "c_%d", i % 4);
    snprintf(order, sizeof order, "o_%d", i % 7);
    return (!filter->customer_id.bytes || text_is(filter->customer_id, customer)) &&
           (!filter->order_id.bytes || text_is(filter->order_id, order)) &&
           (filter->outcome < 0 || filter->outcome == i % 3) &&
           (!filter->created_after_us || at > filter->created_after_us) &&
           (!filter->created_before_us || at < filter->created_before_us);
}

static void check_pages(struct fixture *f, struct decision_filter filter)
{
    int next = filter.is_ascending ? 0 : listed_count - 1,
        step = filter.is_ascending ? 1 : -1;
    char after[ID_BYTES];
    bool has_more = true;

    while (has_more) {
        struct decision_row *rows;
        int count;

        assert_ok(f, decision_list(f->store, &filter, &f->arena, &rows, &count, &has_more,
                                   &f->err));
        assert_true(count <= filter.limit);
        assert_true(count == filter.limit || !has_more);
        for (int i = 0; i < count; i++) {
            while (next >= 0 && next < listed_count && !wanted(&filter, next))
                next += step;
            assert_true(next >= 0 && next < listed_count);
            assert_string_equal(rows[i].id, listed[next].id);
            next += step;
        }
        if (count) {
            snprintf(after, sizeof after, "%s", rows[count - 1].id);
            filter.after = text_of(after);
        }
    }
    for (; next >= 0 && next < listed_count; next += step)
        assert_false(wanted(&filter, next));
}

static void insert_listed(struct fixture *f)
{
    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < listed_count; i++) {
        char customer[16], order[16];
        struct decision_row row = decision_of(listed[i].id);

        snprintf(customer, sizeof customer, "c_%d", i % 4);
        snprintf(order, sizeof order, "o_%d", i % 7);
        row.customer_id = text_of(customer);
        row.order_id = text_of(order);
        row.outcome = i % 3;
        row.created_at_us = listed[i].at_us;
        insert(f, row);
    }
    assert_ok(f, store_commit(f->store, &f->err));
}

static void lists_page_through_every_filter(void **state)
{
    static const char *const customers[] = {NULL, "c_2", "c_9"};
    static const char *const orders[] = {NULL, "o_3"};
    struct fixture f;
    struct decision_row *rows;
    struct decision_filter unknown = {
        .outcome = -1, .limit = 5, .after = text_of("dec_x")};
    int count;
    bool has_more;

    (void)state;
    fixture_open(&f);
    list_evenly(LISTED_COUNT);
    insert_listed(&f);
    for (int n = 0; n < 3 * 2 * 2 * 2 * 2 * 2; n++) {
        struct decision_filter filter = {
            .customer_id = text_of(customers[n % 3]),
            .order_id = text_of(orders[n / 3 % 2]),
            .outcome = n / 6 % 2 ? 1 : -1,
            .is_ascending = n / 12 % 2,
            .created_after_us = n / 24 % 2 ? FIXTURE_TIME_US + 1200 : 0,
            .created_before_us = n / 48 % 2 ? FIXTURE_TIME_US + 4500 : 0,
            .limit = 1 + n % 7,
        };

        check_pages(&f, filter);
    }
    assert_status(
        &f, decision_list(f.store, &unknown, &f.arena, &rows, &count, &has_more, &f.err),
        STATUS_INVALID);
    fixture_close(&f);
}

/* What a span of time leaves out is left out by the times in the rows, whatever the ids
 * say. */
static void lists_of_everybody_go_in_the_order_of_writing(void **state)
{
    static const int64_t moments_us[] = {
        -2 * HOUR_US, -HOUR_US + 7000,     0,          1200, 7500, HOUR_US + 4000,
        2 * HOUR_US,  2 * HOUR_US + 11000, 9 * HOUR_US};
    enum { MOMENT_COUNT = sizeof moments_us / sizeof *moments_us };
    struct fixture f;

    (void)state;
    fixture_open(&f);
    list_in_leaps();
    insert_listed(&f);
    for (int n = 0; n < 2 * 2 * (MOMENT_COUNT + 1) * (MOMENT_COUNT + 1); n++) {
        int after = n / 4 % (MOMENT_COUNT + 1), before = n / 4 / (MOMENT_COUNT + 1);
        struct decision_filter filter = {
            .outcome = n / 2 % 2 ? 1 : -1,
            .is_ascending = n % 2,
            .created_after_us =
                after < MOMENT_COUNT ? FIXTURE_TIME_US + moments_us[after] : 0,
            .created_before_us =
                before < MOMENT_COUNT ? FIXTURE_TIME_US + moments_us[before] : 0,
            .limit = 1 + n % 7,
        };

        check_pages(&f, filter);
    }
    fixture_close(&f);
}

static void lists_up_to_a_moment_long_ago_are_whole(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    list_evenly(LISTED_COUNT_LONG);
    for (int i = 30; i < LISTED_COUNT; i++) /* under a clock that was set back */
        list_at(i, listed[i].at_us - HOUR_US, listed[i].at_us);
    insert_listed(&f);
    for (int n = 0; n < 2 * 3; n++)
        check_pages(&f, (struct decision_filter){
                            .outcome = -1,
                            .is_ascending = n % 2,
                            .created_before_us = FIXTURE_TIME_US + n / 2 * 2100 - HOUR_US,
                            .limit = 7,
                        });
    fixture_close(&f);
}

static void assert_order_past(struct fixture *f, const char *order, const char *currency,
                              const char *issue, int64_t later_us,
                              int64_t expected_amount, bool expected_duplicate)
{
    int64_t amount;
    bool has;

    assert_ok(f, decision_order_past(f->store, text_of(order), currency, text_of(issue),
                                     FIXTURE_TIME_US + later_us, &amount, &has, &f->err));
    assert_int_equal(amount, expected_amount);
    assert_int_equal(has, expected_duplicate);
}

static void usage_counts_goodwill_that_is_held_or_settled(void **state)
{
    struct fixture f;
    int64_t count, goodwill;
    bool has;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 0; i < 10; i++) {
        char id[ID_BYTES];
        struct decision_row row;

        snprintf(id, sizeof id, "dec_%d", i);
        row = decision_of(id);
        row.created_at_us += i;
        row.status = i % 5;
        row.goodwill = i < 5 ? 100 : 10;
        row.settled_amount = row.status == DECISION_SETTLED ? 40 : 0;
        insert(&f, row);
    }
    /* Held: 0 and 5; settled: 1 and 6. */
    assert_ok(&f, decision_usage(f.store, text_of("c_1"), "USD", FIXTURE_TIME_US, &count,
                                 &goodwill, &f.err));
    assert_int_equal(count, 4);
    assert_int_equal(goodwill, 220);
    assert_ok(&f, decision_usage(f.store, text_of("c_1"), "USD", FIXTURE_TIME_US + 1,
                                 &count, &goodwill, &f.err));
    assert_int_equal(count, 3);
    assert_int_equal(goodwill, 120);
    assert_ok(
        &f, decision_usage(f.store, text_of("c_2"), "USD", 0, &count, &goodwill, &f.err));
    assert_int_equal(count, 0);
    assert_int_equal(goodwill, 0);
    /* 1000 for each hold, what was paid for the settled ones. */
    assert_order_past(&f, "o_1", "USD", "late_delivery", 6, 2 * 1000 + 2 * 40, true);
    assert_order_past(&f, "o_1", "USD", "late_delivery", 7, 2 * 1000 + 2 * 40, false);
    assert_order_past(&f, "o_1", "EUR", "late_delivery", 6, 0, true);
    assert_order_past(&f, "o_1", "USD", "cold", 0, 2 * 1000 + 2 * 40, false);
    assert_order_past(&f, "o_2", "USD", "late_delivery", 0, 0, false);
    assert_ok(&f, decision_customer_exists(f.store, text_of("c_1"), &has, &f.err));
    assert_true(has);
    assert_ok(&f, decision_customer_exists(f.store, text_of("c_2"), &has, &f.err));
    assert_false(has);
    store_rollback(f.store);
    fixture_close(&f);
}

static void expired_holds_come_oldest_first(void **state)
{
    struct fixture f;
    const struct hold_place first = {0};
    struct ended_hold *holds;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 0; i < 5; i++) {
        char id[ID_BYTES];
        struct decision_row row;

        snprintf(id, sizeof id, "dec_%d", i);
        row = decision_of(id);
        row.hold_expires_at_us = 100 - i;
        row.status = i == 3 ? DECISION_SETTLED : DECISION_HELD;
        insert(&f, row);
    }
    assert_ok(&f,
              decision_expired(f.store, 99, first, 10, &f.arena, &holds, &count, &f.err));
    assert_int_equal(count, 3);
    assert_string_equal(holds[0].id, "dec_4");
    assert_string_equal(holds[2].id, "dec_1");
    assert_ok(&f, decision_expired(f.store, 99, holds[1].place, 10, &f.arena, &holds,
                                   &count, &f.err));
    assert_int_equal(count, 1);
    assert_string_equal(holds[0].id, "dec_1");
    assert_ok(&f,
              decision_expired(f.store, 100, first, 2, &f.arena, &holds, &count, &f.err));
    assert_int_equal(count, 2);
    assert_ok(&f,
              decision_expired(f.store, 95, first, 2, &f.arena, &holds, &count, &f.err));
    assert_int_equal(count, 0);
    store_rollback(f.store);
    fixture_close(&f);
}

static void a_full_arena_is_said_and_harms_nothing(void **state)
{
    struct fixture f;
    struct answer written = answer_of("k"), read;
    struct arena small;
    char buffer[8];

    (void)state;
    fixture_open(&f);
    arena_init(&small, buffer, sizeof buffer, 0);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, answer_insert(f.store, &written, &f.err));
    assert_status(&f, answer_find(f.store, text_of("k"), &small, &read, &f.err),
                  STATUS_EXHAUSTED);
    assert_ok(&f, answer_find(f.store, text_of("k"), &f.arena, &read, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    fixture_close(&f);
}

static void names_are_those_of_the_interface(void **state)
{
    enum outcome outcome;

    (void)state;
    assert_string_equal(outcome_name(OUTCOME_NO_CREDIT), "no_credit");
    assert_true(outcome_find(text_of("review"), &outcome));
    assert_int_equal(outcome, OUTCOME_REVIEW);
    assert_false(outcome_find(text_of("Review"), &outcome));
    assert_string_equal(decision_status_name(DECISION_NONE), "none");
    assert_string_equal(decision_mode_name(MODE_DRY_RUN), "dry_run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_byte_for_byte),
        cmocka_unit_test(a_key_is_taken_once_and_no_key_any_number_of_times),
        cmocka_unit_test(every_column_of_a_decision_comes_back),
        cmocka_unit_test(an_update_changes_what_it_names),
        cmocka_unit_test(lists_page_through_every_filter),
        cmocka_unit_test(lists_of_everybody_go_in_the_order_of_writing),
        cmocka_unit_test(lists_up_to_a_moment_long_ago_are_whole),
        cmocka_unit_test(usage_counts_goodwill_that_is_held_or_settled),
        cmocka_unit_test(expired_holds_come_oldest_first),
        cmocka_unit_test(a_full_arena_is_said_and_harms_nothing),
        cmocka_unit_test(names_are_those_of_the_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
