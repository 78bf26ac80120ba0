/* test_ledger_check.c - ledgers that a wrong program could have written, hashes and all:
 * the check of the store names what cannot be true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/store_fixture.h"

#include <stdio.h>
#include <string.h>

#define DECISION_ID "dec_00000000000000000000000001"

enum { LIMIT = 1000, HELD = 10, MANY_BUDGET_COUNT = 150 };

/* A budget of LIMIT and one decision that holds HELD of it. */
static struct budget one_decision(struct fixture *f)
{
    struct budget budget = budget_of("bud_all", LIMIT);
    struct decision_row row;

    fixture_open(f);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_open(f->store, &budget, &f->err));
    assert_ok(f, decide_once(f->store, &budget, 1, HELD, &row, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
    return budget;
}

static struct store_report checked(struct fixture *f)
{
    struct store_report report;

    assert_ok(f, store_check(f->store, &report, &f->err));
    return report;
}

/* --- entries ---------------------------------------------------------------------------------- */

struct forged {
    enum entry_kind kind;
    int64_t amount, balance_after;
};

static void append_later(struct fixture *f, const struct forged *forged, int64_t later_us)
{
    bool is_of_decision = forged->kind != ENTRY_ADJUST && forged->kind != ENTRY_ROLL;
    struct entry entry = {.budget_id = "bud_all",
                          .kind = forged->kind,
                          .amount = forged->amount,
                          .balance_after = forged->balance_after,
                          .created_at_us = FIXTURE_TIME_US + later_us};

    if (is_of_decision)
        snprintf(entry.decision_id, sizeof entry.decision_id, "%s", DECISION_ID);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, entry_append(f->store, &entry, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
}

static void append(struct fixture *f, const struct forged *forged)
{
    append_later(f, forged, 0);
}

/* The first is entry 3. */
static void entries_that_cannot_be_true_are_named(void **state)
{
    static const struct {
        struct forged entries[2];
        int count;
        const char *said;
    } ledgers[] = {
        {{{ENTRY_HOLD, 5, 990}},
         1,
         "Ledger entry 3 leaves 990 in budget 'bud_all' by its own account, but its "
         "entries add up to 985."},
        {{{ENTRY_RELEASE, 20, 1010}},
         1,
         "Ledger entry 3 takes more out of budget 'bud_all' than was in."},
        {{{ENTRY_EXPIRE, 11, 1001}},
         1,
         "Ledger entry 3 takes more out of budget 'bud_all' than was in."},
        {{{ENTRY_SETTLE, 20, 990}},
         1,
         "Ledger entry 3 takes more out of budget 'bud_all' than was in."},
        {{{ENTRY_ROLL, 1, 991}},
         1,
         "Ledger entry 3 takes more out of budget 'bud_all' than was in."},
        {{{ENTRY_SETTLE, 10, 990}, {ENTRY_ROLL, 4, 994}},
         2,
         "Ledger entry 4 begins a period of budget 'bud_all' with 6 spent."},
        {{{ENTRY_HOLD, 991, -1}},
         1,
         "Ledger entry 3 holds more than budget 'bud_all' had left."},
        {{{ENTRY_OVERRIDE, 991, -1}},
         1,
         "Ledger entry 3 holds more than budget 'bud_all' had left."},
        {{{ENTRY_HOLD, INT64_MAX, 0}},
         1,
         "The amount of ledger entry 3 is beyond reason."},
        {{{ENTRY_ADJUST, INT64_MAX, 0}},
         1,
         "The amount of ledger entry 3 is beyond reason."},
        {{{ENTRY_ADJUST, INT64_MIN, 0}},
         1,
         "The amount of ledger entry 3 is beyond reason."},
        {{{ENTRY_SETTLE, 10, 990}, {ENTRY_SETTLE, INT64_MAX, 0}},
         2,
         "The amount of ledger entry 4 is beyond reason."},
        {{{ENTRY_UNFUNDED, 1, 990}, {ENTRY_UNFUNDED, INT64_MAX, 990}},
         2,
         "The amount of ledger entry 4 is beyond reason."},
        {{{ENTRY_ADJUST, -INT64_MAX, 990 - INT64_MAX}, {ENTRY_HOLD, INT64_MAX - 10, 0}},
         2,
         "The amount of ledger entry 4 is beyond reason."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ledgers / sizeof *ledgers; i++) {
        struct store_report report;
        struct fixture f;

        one_decision(&f);
        for (int k = 0; k < ledgers[i].count; k++)
            append(&f, &ledgers[i].entries[k]);
        report = checked(&f);
        if (strcmp(report.first_fault, ledgers[i].said) != 0)
            fail_msg("ledger %zu: '%s'", i, report.first_fault);
        fixture_close(&f);
    }
}

/* From a budget with less than nothing left: what a decision gave back, another may not
 * take later. */
static void what_was_given_back_is_there_for_the_override_it_was_for(void **state)
{
    static const char said[] =
        "Ledger entry 5 holds more than budget 'bud_all' had left.";

    (void)state;
    for (int64_t later_us = 0; later_us < 2; later_us++) {
        struct store_report report;
        struct fixture f;

        one_decision(&f);
        append(&f, &(struct forged){ENTRY_ADJUST, -995, -5});
        append(&f, &(struct forged){ENTRY_RELEASE, HELD, 5});
        append_later(&f, &(struct forged){ENTRY_OVERRIDE, 8, -3}, later_us);
        report = checked(&f);
        assert_int_equal(strcmp(report.first_fault, said) == 0, later_us > 0);
        fixture_close(&f);
    }
}

/* What was settled, expired, held or lowered in the same microsecond was given back to
 * nobody. */
static void nothing_but_what_was_given_back_makes_room_for_an_override(void **state)
{
    static const struct forged ledgers[][3] = {
        {{ENTRY_ADJUST, -995, -5}, {ENTRY_SETTLE, HELD, -5}, {ENTRY_OVERRIDE, 8, -13}},
        {{ENTRY_ADJUST, -995, -5}, {ENTRY_EXPIRE, HELD, 5}, {ENTRY_OVERRIDE, 8, -3}},
        {{ENTRY_ADJUST, -985, 5}, {ENTRY_HOLD, 5, 0}, {ENTRY_OVERRIDE, 4, -4}},
        {{ENTRY_ADJUST, -985, 5}, {ENTRY_OVERRIDE, 5, 0}, {ENTRY_OVERRIDE, 4, -4}},
        {{ENTRY_ADJUST, -1000, -10}, {ENTRY_ADJUST, 9, -1}, {ENTRY_OVERRIDE, 8, -9}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ledgers / sizeof *ledgers; i++) {
        struct store_report report;
        struct fixture f;

        one_decision(&f);
        for (int k = 0; k < 3; k++)
            append(&f, &ledgers[i][k]);
        report = checked(&f);
        if (strcmp(report.first_fault,
                   "Ledger entry 5 holds more than budget 'bud_all' had left.") != 0)
            fail_msg("ledger %zu: '%s'", i, report.first_fault);
        fixture_close(&f);
    }
}

/* Nothing is granted from it, but it may be lowered. */
static void a_limit_below_what_is_held_is_no_fault(void **state)
{
    struct fixture f;
    struct budget budget = one_decision(&f);

    (void)state;
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_move(f.store, &budget, ENTRY_ADJUST, 5 - LIMIT, "", &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_string_equal(checked(&f).first_fault, "");
    fixture_close(&f);
}

static void however_many_budgets_each_is_added_up(void **state)
{
    struct budget budgets[MANY_BUDGET_COUNT];
    struct store_report report;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 0; i < MANY_BUDGET_COUNT; i++) {
        char id[BUDGET_ID_BYTES];

        snprintf(id, sizeof id, "bud_%d", i);
        budgets[i] = budget_of(id, 100);
        assert_ok(&f, budget_insert(f.store, &budgets[i], &f.err));
    }
    for (int i = MANY_BUDGET_COUNT - 1; i >= 0; i--) {
        budgets[i].limit = 0;
        assert_ok(&f, budget_move(f.store, &budgets[i], ENTRY_ADJUST, i, "", &f.err));
    }
    assert_ok(&f, store_commit(f.store, &f.err));
    report = checked(&f);
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.budget_count, MANY_BUDGET_COUNT);
    budgets[77].limit++;
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_update(f.store, &budgets[77], &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    report = checked(&f);
    assert_string_equal(report.first_fault,
                        "Budget 'bud_77' says limit 78, held 0, spent 0, but its entries "
                        "add up to 77, 0, 0.");
    assert_int_equal(report.fault_count, 1);
    fixture_close(&f);
}

/* --- rows beside entries ---------------------------------------------------------------------- */

static enum status release_all(struct fixture *f, struct budget *budget)
{
    return budget_move(f->store, budget, ENTRY_RELEASE, HELD, DECISION_ID, &f->err);
}

static enum status hold_more(struct fixture *f, struct budget *budget)
{
    return budget_move(f->store, budget, ENTRY_HOLD, 5, DECISION_ID, &f->err);
}

static enum status settle_all(struct fixture *f, struct budget *budget)
{
    return budget_move(f->store, budget, ENTRY_SETTLE, HELD, DECISION_ID, &f->err);
}

static enum status forget_unfunded(struct fixture *f, struct budget *budget)
{
    budget->unfunded = 7;
    return budget_update(f->store, budget, &f->err);
}

static enum status lower_silently(struct fixture *f, struct budget *budget)
{
    budget->limit -= 100;
    return budget_update(f->store, budget, &f->err);
}

static enum status hold_silently(struct fixture *f, struct budget *budget)
{
    budget->held += 1;
    return budget_update(f->store, budget, &f->err);
}

static enum status spend_silently(struct fixture *f, struct budget *budget)
{
    budget->spent += 1;
    return budget_update(f->store, budget, &f->err);
}

static void rows_that_their_entries_do_not_bear_out_are_named(void **state)
{
    static const struct {
        enum status (*make)(struct fixture *f, struct budget *budget);
        const char *said;
    } rows[] = {
        {release_all,
         "Decision " DECISION_ID " is held, but nothing is open in the ledger."},
        {settle_all,
         "Decision " DECISION_ID " is held, but nothing is open in the ledger."},
        {hold_more, "Decision " DECISION_ID " says 10, but asked the ledger for 15."},
        {forget_unfunded,
         "Budget 'bud_all' says that 7 were unfunded, but its entries add up to 0."},
        {lower_silently, "Budget 'bud_all' says limit 900, held 10, spent 0, but its "
                         "entries add up to 1000, 10, 0."},
        {hold_silently, "Budget 'bud_all' says limit 1000, held 11, spent 0, but its "
                        "entries add up to 1000, 10, 0."},
        {spend_silently, "Budget 'bud_all' says limit 1000, held 10, spent 1, but its "
                         "entries add up to 1000, 10, 0."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct store_report report;
        struct fixture f;
        struct budget budget = one_decision(&f);

        assert_ok(&f, store_begin(f.store, &f.err));
        assert_ok(&f, rows[i].make(&f, &budget));
        assert_ok(&f, store_commit(f.store, &f.err));
        report = checked(&f);
        if (strcmp(report.first_fault, rows[i].said) != 0)
            fail_msg("row %zu: '%s'", i, report.first_fault);
        fixture_close(&f);
    }
}

/* What a context says of the budgets, for a decision of HELD over all. */
static void what_a_decision_says_of_budgets_is_compared(void **state)
{
    static const struct {
        const char *context;
        const char *said;         /* of a hold of HELD in bud_all */
        const char *said_of_none; /* of no entry at all */
    } rows[] = {
        {"{\"budgets\": [{\"id\": \"bud_all\", \"remaining\": 1000}]}", "",
         "Decision " DECISION_ID " holds 10 of budget 'bud_all' and found no room for 0, "
         "but its entries say 0 and 0."},
        {"{\"budgets\": [{\"id\": \"bud_all\", \"remaining\": 4}]}",
         "Decision " DECISION_ID " holds 4 of budget 'bud_all' and found no room for 6, "
         "but its entries say 10 and 0.",
         "Decision " DECISION_ID " holds 4 of budget 'bud_all' and found no room for 6, "
         "but its entries say 0 and 0."},
        {"{\"budgets\": [{\"id\": \"bud_all\", \"remaining\": 1000}, {\"id\": "
         "\"bud_gone\", \"remaining\": -3}]}",
         "Decision " DECISION_ID
         " holds 0 of budget 'bud_gone' and found no room for 10, "
         "but its entries say 0 and 0.",
         "Decision " DECISION_ID " holds 10 of budget 'bud_all' and found no room for 0, "
         "but its entries say 0 and 0."},
        {"{\"budgets\": []}",
         "Decision " DECISION_ID
         " has entries in budget 'bud_all', which it does not name.",
         ""},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        bool has_entry = i % 2 == 0;
        const char *said = has_entry ? rows[i / 2].said : rows[i / 2].said_of_none;
        struct budget budget = budget_of("bud_all", LIMIT);
        struct decision_row row = decision_of(DECISION_ID);
        struct fixture f;

        fixture_open(&f);
        row.amount = row.goodwill = HELD;
        row.context = text_of(rows[i / 2].context);
        assert_ok(&f, store_begin(f.store, &f.err));
        assert_ok(&f, budget_open(f.store, &budget, &f.err));
        assert_ok(&f, decision_insert(f.store, &row, &f.err));
        if (has_entry)
            assert_ok(&f,
                      budget_move(f.store, &budget, ENTRY_HOLD, HELD, row.id, &f.err));
        assert_ok(&f, store_commit(f.store, &f.err));
        assert_string_equal(checked(&f).first_fault, said);
        fixture_close(&f);
    }
}

static void a_context_that_cannot_be_read_is_a_fault(void **state)
{
    static const char *const contexts[] = {
        "{\"budgets\": [{\"id\": \"bud_all\", \"remaining\": 1000}]",
        "{\"budgets\": [{\"id\": 5, \"remaining\": 1000}]}",
        "",
    };
    static const char said[] =
        "Decision " DECISION_ID " has a context that cannot be read: ";

    (void)state;
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
        struct decision_row row = decision_of(DECISION_ID);
        struct store_report report;
        struct fixture f;

        fixture_open(&f);
        row.context = text_of(contexts[i]);
        assert_ok(&f, store_begin(f.store, &f.err));
        assert_ok(&f, decision_insert(f.store, &row, &f.err));
        assert_ok(&f, store_commit(f.store, &f.err));
        report = checked(&f);
        if (strncmp(report.first_fault, said, sizeof said - 1) != 0)
            fail_msg("context %zu: '%s'", i, report.first_fault);
        fixture_close(&f);
    }
}

static void a_decision_without_a_budget_is_held_without_entries(void **state)
{
    struct decision_row row = decision_of(DECISION_ID);
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, decision_insert(f.store, &row, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_string_equal(checked(&f).first_fault, "");
    fixture_close(&f);
}

/* --- the ends --------------------------------------------------------------------------------- */

static void an_end_that_was_exchanged_is_named(void **state)
{
    static const char *const names[] = {"entries", "audit", "answers", "decisions",
                                        "outcomes"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct store_report report;
        char sql[96], said[96];
        struct fixture f;

        one_decision(&f);
        snprintf(sql, sizeof sql,
                 "UPDATE chains SET hash = randomblob(32)"
                 " WHERE name = '%s'",
                 names[i]);
        tamper(f.path, sql);
        report = checked(&f);
        snprintf(said, sizeof said,
                 "The last row of '%s' is not the one that was written last.", names[i]);
        assert_string_equal(report.first_fault, said);
        assert_ok(&f, store_check_recent(f.store, &report, &f.err));
        assert_string_equal(report.first_fault, said);
        fixture_close(&f);
    }
}

static const char *missing_of(struct fixture *f, const struct store_heads *heads)
{
    const char *missing;

    assert_ok(f, store_has_heads(f->store, heads, &missing, &f->err));
    return missing;
}

static void a_head_that_was_kept_is_found_in_its_chain_or_named(void **state)
{
    const struct store_heads none = {0};
    struct store_heads heads, other;
    struct fixture f;

    (void)state;
    one_decision(&f);
    assert_ok(&f, store_heads(f.store, &heads, &f.err));
    assert_int_equal(heads.entries.seq, 2);
    assert_null(missing_of(&f, &heads));
    assert_null(missing_of(&f, &none)); /* of when there was nothing */
    append(&f, &(struct forged){ENTRY_ADJUST, 1, LIMIT - HELD + 1});
    assert_null(missing_of(&f, &heads)); /* it goes on from there */
    other = heads;
    other.entries.hash[31] ^= 1;
    assert_string_equal(missing_of(&f, &other), "entries");
    other = heads;
    other.entries.seq = 1000;
    assert_string_equal(missing_of(&f, &other), "entries");
    other = heads;
    other.audit.hash[0] ^= 1; /* of no row */
    assert_string_equal(missing_of(&f, &other), "audit");
    fixture_close(&f);
}

/* --- beside a busy writer --------------------------------------------------------------------- */

enum { RANGE_ROWS = 1000, CALL_COUNT_MAX = 40 };

struct busy {
    struct fixture *f;
    struct budget budget;
    int call_count, decision_count;
};

/* While the check rests, more is written than it reads at once. */
static bool write_more(void *context)
{
    struct busy *busy = context;
    struct fixture *f = busy->f;
    struct decision_row row;

    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < RANGE_ROWS + RANGE_ROWS / 2; i++)
        assert_ok(f, decide_once(f->store, &busy->budget, ++busy->decision_count, 1, &row,
                                 &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
    return ++busy->call_count < CALL_COUNT_MAX;
}

static void a_check_ends_however_fast_rows_are_added(void **state)
{
    struct store *reader = NULL;
    struct store_report report;
    struct fixture f;
    struct busy busy = {.f = &f, .budget = budget_of("bud_all", 1000000)};

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &busy.budget, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_true(write_more(&busy));
    assert_ok(&f, store_open(f.path, STORE_READER, &reader, NULL, &f.err));
    assert_ok(&f, store_check_rows(reader, write_more, &busy, &report, &f.err));
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.decision_count, RANGE_ROWS + RANGE_ROWS / 2);
    assert_ok(&f, store_check_rows(reader, NULL, NULL, &report, &f.err));
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.decision_count, busy.decision_count);
    store_close(reader);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_that_cannot_be_true_are_named),
        cmocka_unit_test(what_was_given_back_is_there_for_the_override_it_was_for),
        cmocka_unit_test(nothing_but_what_was_given_back_makes_room_for_an_override),
        cmocka_unit_test(a_limit_below_what_is_held_is_no_fault),
        cmocka_unit_test(however_many_budgets_each_is_added_up),
        cmocka_unit_test(rows_that_their_entries_do_not_bear_out_are_named),
        cmocka_unit_test(what_a_decision_says_of_budgets_is_compared),
        cmocka_unit_test(a_context_that_cannot_be_read_is_a_fault),
        cmocka_unit_test(a_decision_without_a_budget_is_held_without_entries),
        cmocka_unit_test(an_end_that_was_exchanged_is_named),
        cmocka_unit_test(a_head_that_was_kept_is_found_in_its_chain_or_named),
        cmocka_unit_test(a_check_ends_however_fast_rows_are_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
