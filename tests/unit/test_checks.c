/* test_checks.c - damage is found when a row is read, when a service starts, and by the
 * look at everything beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/api_call.h"
#include "../support/store_fixture.h"

#include "base/clock.h"
#include "decide/service.h"
#include "store/outcomes.h"
#include "store/sql.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LONG_TEXT_BYTES = 6000,
    ENTRY_COUNT = 10500,
    HOLD_COUNT = 460,
    HOLD_DAMAGED_COUNT = 450,
};

#define HOUR_US (3600 * SECOND_US)

#define DECISION_ID "dec_00000000000000000000000001"

static char long_text[LONG_TEXT_BYTES + 1];

/* A budget and a decision with a context and an answer that are longer than a page. */
static void one_decision(struct fixture *f)
{
    struct budget budget = budget_of("bud_all", 1000);
    struct answer answer = answer_of("key_1 POST /v1/decisions - k1");
    struct decision_row row = decision_of(DECISION_ID);

    snprintf(long_text, sizeof long_text, "{\"text\": \"%0*d\"}", LONG_TEXT_BYTES - 12,
             0);
    fixture_open(f);
    answer.body = row.context = text_of(long_text);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_open(f->store, &budget, &f->err));
    assert_ok(f, answer_insert(f->store, &answer, &f->err));
    row.answer_number = answer.number;
    row.amount = row.goodwill = 10;
    assert_ok(f, decision_insert(f->store, &row, &f->err));
    assert_ok(f, budget_move(f->store, &budget, ENTRY_HOLD, 10, row.id, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
    store_close(f->store);
    f->store = NULL;
}

static void one_outcome(struct fixture *f)
{
    struct outcome_row row = {
        .decision_number = 1, .metric = "value_90d", .occurred_at_us = 5};

    assert_ok(f, store_open(f->path, STORE_WRITER, &f->store, NULL, &f->err));
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, outcome_row_insert(f->store, &row, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
    store_close(f->store);
    f->store = NULL;
}

static enum status read_answer(struct fixture *f)
{
    struct answer answer;

    return answer_find(f->store, text_of("key_1 POST /v1/decisions - k1"), &f->arena,
                       &answer, &f->err);
}

static enum status read_decision(struct fixture *f)
{
    struct decision_row row;

    return decision_find(f->store, DECISION_ID, &f->arena, &row, &f->err);
}

static enum status read_decision_brief(struct fixture *f)
{
    struct decision_row row;

    return decision_find_brief(f->store, DECISION_ID, &f->arena, &row, &f->err);
}

static enum status read_list(struct fixture *f)
{
    const struct decision_filter filter = {.outcome = -1, .limit = 10};
    struct decision_row *rows;
    bool has_more;
    int count;

    return decision_list(f->store, &filter, &f->arena, &rows, &count, &has_more, &f->err);
}

static enum status read_budget(struct fixture *f)
{
    struct budget budget;

    return budget_find(f->store, "bud_all", &budget, &f->err);
}

static void a_damaged_row_is_refused_when_it_is_read(void **state)
{
    static const struct {
        const char *sql;
        enum status (*read)(struct fixture *f);
    } rows[] = {
        {"UPDATE answers SET http_status = 200", read_answer},
        {"UPDATE answers SET body = substr(body, 1, 3000) || 'b' || substr(body, 3002)",
         read_answer},
        {"UPDATE answers SET body = substr(body, 1, 3000) || 'b' || substr(body, 3002)",
         read_decision},
        {"UPDATE answers SET body = body || ' '", read_list},
        {"UPDATE decisions SET amount = 11", read_decision},
        {"UPDATE decisions SET amount = 11", read_decision_brief},
        {"UPDATE decisions SET amount = 11", read_list},
        {"UPDATE decisions SET case_id = 'case-', issue = '1late_delivery'",
         read_decision},
        {"UPDATE decisions SET issue = issue || char(0)", read_decision},
        {"UPDATE decisions SET context = substr(context, 2) || 'b'", read_decision},
        {"UPDATE budgets SET limit_minor = 1000000", read_budget},
        {"UPDATE budgets SET scope_currency = 'USD'", read_budget},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;

        one_decision(&f);
        assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
        assert_ok(&f, rows[i].read(&f));
        store_close(f.store);
        tamper(f.path, rows[i].sql);
        assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
        if (rows[i].read(&f) != STATUS_CORRUPT)
            fail_msg("%s: was read", rows[i].sql);
        fixture_close(&f);
    }
}

/* --- the start ---------------------------------------------------------------------------------- */

static const struct clock *clock_served = &system_clock;

static enum status serve(struct fixture *f, bool has_keepers, struct service **service)
{
    const struct service_settings settings = {
        .folder = f->folder,
        .clock = clock_served,
        .build = "redress test",
        .reader_count = 1,
        .queue_capacity = 8,
        .has_keepers = has_keepers,
        .price_interval_ms = 60000,
    };
    bool was_created;

    return service_open(&settings, service, &was_created, &f->err);
}

static void a_service_does_not_start_on_damage(void **state)
{
    static const struct {
        const char *sql, *said;
    } rows[] = {
        {"UPDATE entries SET amount = 11 WHERE seq = 2", "Ledger entry 2 was changed"},
        {"DELETE FROM entries WHERE seq = 2", "row 2 was written last"},
        {"UPDATE answers SET http_status = 200", "Row 1 of 'answers' was changed"},
        {"UPDATE decisions SET case_id = 'x'", "Row 1 of 'decisions' was changed"},
        {"UPDATE budgets SET issue = 'x'", "Row 1 of 'budgets' was changed"},
        {"UPDATE budgets SET held_minor = 0",
         "says that 1000 remain, but its newest ledger entry left 990"},
        {"CREATE TABLE theirs (x)", "The schema is not the one"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct service *service = NULL;

        one_decision(&f);
        assert_ok(&f, serve(&f, false, &service));
        service_close(service);
        service = NULL;
        tamper(f.path, rows[i].sql);
        assert_status(&f, serve(&f, false, &service), STATUS_CORRUPT);
        if (!strstr(f.err.text, rows[i].said))
            fail_msg("%s: %s", rows[i].sql, f.err.text);
        fixture_close(&f);
    }
}

static void a_folder_has_one_process_at_a_time(void **state)
{
    struct fixture f;
    struct service *service = NULL, *other = NULL;
    char process[48];

    (void)state;
    one_decision(&f);
    assert_ok(&f, serve(&f, false, &service));
    assert_status(&f, serve(&f, false, &other), STATUS_UNAVAILABLE);
    assert_string_equal(f.err.code, "folder_in_use");
    snprintf(process, sizeof process, "in use by process %ld", (long)getpid());
    assert_non_null(strstr(f.err.text, process));
    service_close(service);
    assert_ok(&f, serve(&f, false, &other));
    service_close(other);
    fixture_close(&f);
}

/* A budget that was adjusted many times. */
static void many_entries(struct fixture *f)
{
    struct budget budget = budget_of("bud_all", 1000);

    fixture_open(f);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_open(f->store, &budget, &f->err));
    for (int i = 1; i < ENTRY_COUNT; i++)
        assert_ok(f, budget_move(f->store, &budget, ENTRY_ADJUST, 1, "", &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
}

/* However much is stored. */
static void a_start_looks_at_a_bounded_part(void **state)
{
    struct fixture f;
    struct store_report report;

    (void)state;
    many_entries(&f);
    assert_ok(&f, store_check_recent(f.store, &report, &f.err));
    assert_int_equal(report.fault_count, 0);
    assert_int_equal(report.entry_count, 10000);
    store_close(f.store);
    tamper(f.path, "UPDATE entries SET note = 'x' WHERE seq = 501");
    assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
    assert_ok(&f, store_check_recent(f.store, &report, &f.err));
    assert_int_equal(report.fault_count, 1);
    fixture_close(&f);
}

/* --- beside the service ------------------------------------------------------------------------- */

/* What it says in the end; the SQL, if any, comes before it looks. */
static const char *check_of(struct fixture *f, const char *sql)
{
    struct service *service = NULL;
    const char *result = NULL;

    assert_ok(f, serve(f, true, &service));
    assert_string_equal(service_check(service), "running");
    if (sql)
        tamper(f->path, sql);
    for (int i = 0; i < 12000 && (!result || strcmp(result, "running") == 0); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        result = service_check(service);
    }
    service_close(service);
    return result;
}

static void everything_is_looked_at_beside_the_service(void **state)
{
    struct fixture f;

    (void)state;
    one_decision(&f);
    assert_string_equal(check_of(&f, NULL), "passed");
    /* What a start does not look at. */
    tamper(f.path, "INSERT INTO traffic_cells VALUES (7, '', '', '', '', 'USD', 1)");
    assert_string_equal(check_of(&f, NULL), "failed");
    fixture_close(&f);
}

static void a_look_that_cannot_be_done_is_said_to_be_none(void **state)
{
    struct fixture f;

    (void)state;
    one_decision(&f);
    assert_string_equal(check_of(&f, "ALTER TABLE traffic_cells RENAME TO elsewhere"),
                        "not_done");
    fixture_close(&f);
}

static void assert_unavailable(struct service *service, const char *code)
{
    struct api_reply reply =
        api_call(service, "GET", "/v1/audit-events/verify", NULL, NULL, NULL);

    assert_int_equal(reply.status, code ? 503 : 200);
    if (code)
        assert_string_equal(json_string_value(json_object_get(reply.json, "code")), code);
    api_reply_free(&reply);
}

static void a_verification_is_alone_and_ends_with_the_service(void **state)
{
    struct claim other = {.key = text_of("/v1/audit-events/verify")};
    struct service *service;
    struct fixture f;

    (void)state;
    many_entries(&f);
    store_close(f.store);
    f.store = NULL;
    assert_ok(&f, serve(&f, false, &service));
    assert_unavailable(service, NULL);
    assert_true(service_claim(service, &other)); /* another one is under way */
    assert_unavailable(service, "overloaded");
    service_unclaim(service, &other);
    assert_unavailable(service, NULL);
    service_wind_up(service);
    assert_unavailable(service, "verification_unfinished");
    service_close(service);
    fixture_close(&f);
}

/* --- keys and tables ------------------------------------------------------------------------------ */

/* Change the last byte of a text in the first page of an index that has it. */
static void damage_index(const char *path, const char *text)
{
    enum { PAGE_BYTES = 4096, LEAF_OF_INDEX = 0x0a };
    unsigned char page[PAGE_BYTES], *at = NULL;
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    while (!at && fread(page, 1, sizeof page, file) == sizeof page)
        if (page[0] == LEAF_OF_INDEX)
            at = memmem(page, sizeof page, text, strlen(text));
    assert_non_null(at);
    at[strlen(text) - 1]++;
    assert_int_equal(fseek(file, -PAGE_BYTES, SEEK_CUR), 0);
    assert_int_equal(fwrite(page, 1, sizeof page, file), sizeof page);
    assert_int_equal(fclose(file), 0);
}

/* It would be decided once more. */
static void a_row_that_its_key_does_not_find_is_reported(void **state)
{
    static const struct {
        const char *key, *said;
        int fault_count;
    } rows[] = {
        {"key_1 POST /v1/decisions - k1", "Row 1 of 'answers' is not found by its key",
         1},
        /* The entry misses it before the decision misses itself. */
        {DECISION_ID,
         "Ledger entry 2 is of decision '" DECISION_ID "', which is not found", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct store_report report;
        struct fixture f;

        one_decision(&f);
        damage_index(f.path, rows[i].key);
        assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
        assert_ok(&f, store_check_recent(f.store, &report, &f.err));
        assert_non_null(strstr(report.first_fault, rows[i].said));
        assert_int_equal(report.fault_count, rows[i].fault_count);
        assert_ok(&f, store_check_rows(f.store, NULL, NULL, &report, &f.err));
        assert_true(report.fault_count > 0);
        fixture_close(&f);
    }
}

/* Inserts do not look references up. */
static void a_row_that_refers_to_none_is_found_beside_the_service(void **state)
{
    static const struct {
        const char *sql, *said;
    } rows[] = {
        {"DELETE FROM decisions; UPDATE chains SET seq = 0 WHERE name = 'decisions'",
         "Ledger entry 2 is of decision '" DECISION_ID "', which is not found."},
        {"DELETE FROM answers; UPDATE chains SET seq = 0 WHERE name = 'answers'",
         "Row 1 of 'decisions' refers to a row that is not found."},
        {"INSERT INTO outcomes VALUES (1, 2, 'returned', 1.0, 5, 5,"
         " row_digest(2, 'returned', 1.0, 5, 5));"
         "UPDATE chains SET seq = 1 WHERE name = 'outcomes'",
         "Row 1 of 'outcomes' refers to a row that is not found."},
        {"INSERT INTO model_files VALUES ('m', 1, 'f', x'00',"
         " row_digest('m', 1, 'f', x'00'))",
         "Row 1 of 'model_files' refers to a row that is not found."},
        {"INSERT INTO alias_moves VALUES (1, 'm', 'champion', 1, 5, 'x', 'y',"
         " row_digest('m', 'champion', 1, 5, 'x', 'y'))",
         "Row 1 of 'alias_moves' refers to a row that is not found."},
        {"INSERT INTO traffic_curves VALUES (1, 5, 7, x'00', row_digest(5, 7, x'00'))",
         "Row 1 of 'traffic_curves' refers to a row that is not found."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct store_report report;
        struct fixture f;

        one_decision(&f);
        assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
        assert_ok(&f, sql_run(f.store, rows[i].sql, "make an orphan", &f.err));
        assert_ok(&f, store_check_rows(f.store, NULL, NULL, &report, &f.err));
        assert_int_equal(report.fault_count, 1);
        assert_string_equal(report.first_fault, rows[i].said);
        fixture_close(&f);
    }
}

/* As whole as if they had never been. */
static void rows_that_are_lost_from_the_end_are_missed(void **state)
{
    static const struct {
        const char *sql, *said;
    } rows[] = {
        {"DELETE FROM outcomes",
         "The last row of 'outcomes' is 0, but row 1 was written last."},
        {"DELETE FROM answers",
         "The last row of 'answers' is 0, but row 1 was written last."},
        {"DELETE FROM entries WHERE decision_id IS NOT NULL; DELETE FROM outcomes;"
         "DELETE FROM decisions; DELETE FROM answers; UPDATE chains SET seq = 0"
         " WHERE name IN ('answers', 'outcomes');"
         "UPDATE chains SET (seq, hash) = (SELECT seq, hash FROM entries"
         " ORDER BY seq DESC LIMIT 1) WHERE name = 'entries'",
         "The last row of 'decisions' is 0, but row 1 was written last."},
        {"DELETE FROM chains WHERE name = 'decisions'",
         "Where 'decisions' ends is not recorded any more."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct store_report report;
        struct fixture f;

        one_decision(&f);
        one_outcome(&f);
        tamper(f.path, rows[i].sql);
        assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
        assert_ok(&f, store_check_recent(f.store, &report, &f.err));
        assert_string_equal(report.first_fault, rows[i].said);
        assert_ok(&f, store_check_rows(f.store, NULL, NULL, &report, &f.err));
        assert_true(report.fault_count > 0);
        fixture_close(&f);
    }
}

static void a_decision_whose_answer_is_lost_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    one_decision(&f);
    tamper(f.path, "DELETE FROM answers");
    assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
    assert_status(&f, read_decision(&f), STATUS_CORRUPT);
    assert_status(&f, read_list(&f), STATUS_CORRUPT);
    fixture_close(&f);
}

static void a_damaged_budget_is_not_removed(void **state)
{
    struct fixture f;

    (void)state;
    one_decision(&f);
    tamper(f.path, "UPDATE budgets SET limit_minor = 1000000");
    assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_status(&f, budget_remove(f.store, "bud_all", 1, &f.err), STATUS_CORRUPT);
    assert_status(&f, budget_remove(f.store, "bud_none", 1, &f.err), STATUS_NOT_FOUND);
    store_rollback(f.store);
    fixture_close(&f);
}

static void statistics_of_an_operator_are_no_damage(void **state)
{
    struct store_report report;
    struct fixture f;

    (void)state;
    one_decision(&f);
    tamper(f.path, "ANALYZE");
    assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
    assert_ok(&f, store_check(f.store, &report, &f.err));
    assert_string_equal(report.first_fault, "");
    fixture_close(&f);
}

/* --- damage while it runs ------------------------------------------------------------------------ */

static _Atomic int64_t ahead_us;

static int64_t wall_ahead(void *context)
{
    (void)context;
    return clock_wall_us(&system_clock) + ahead_us;
}

static int64_t monotonic(void *context)
{
    (void)context;
    return clock_monotonic_us(&system_clock);
}

/* Holds of 1 each that end in an hour. */
static void hold_some(struct fixture *f, int count)
{
    struct budget budget = budget_of("bud_all", 1000);

    fixture_open(f);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_open(f->store, &budget, &f->err));
    for (int i = 0; i < count; i++) {
        char id[ID_BYTES];
        struct decision_row row;

        snprintf(id, sizeof id, "dec_%d", i);
        row = decision_of(id);
        row.amount = row.goodwill = 1;
        row.hold_expires_at_us = clock_wall_us(&system_clock) + HOUR_US + i;
        assert_ok(f, decision_insert(f->store, &row, &f->err));
        assert_ok(f, budget_move(f->store, &budget, ENTRY_HOLD, 1, row.id, &f->err));
    }
    assert_ok(f, store_commit(f->store, &f->err));
    store_close(f->store);
    f->store = NULL;
}

/* More of them than are ended at a time, before those that are whole. */
static void damaged_holds_stop_the_end_of_no_other(void **state)
{
    static const struct clock ahead = {wall_ahead, monotonic, NULL};
    struct service *service = NULL;
    struct budget budget = {0};
    struct fixture f;

    (void)state;
    hold_some(&f, HOLD_COUNT);
    clock_served = &ahead;
    assert_ok(&f, serve(&f, true, &service));
    tamper(f.path, "UPDATE decisions SET case_id = 'other' WHERE number <= 450");
    assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
    ahead_us = 2 * HOUR_US;
    for (int i = 0; i < 12000 && budget.held != HOLD_DAMAGED_COUNT; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        assert_ok(&f, budget_find(f.store, "bud_all", &budget, &f.err));
    }
    assert_int_equal(budget.held, HOLD_DAMAGED_COUNT);
    service_close(service);
    clock_served = &system_clock;
    ahead_us = 0;
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_row_is_refused_when_it_is_read),
        cmocka_unit_test(a_service_does_not_start_on_damage),
        cmocka_unit_test(a_folder_has_one_process_at_a_time),
        cmocka_unit_test(a_start_looks_at_a_bounded_part),
        cmocka_unit_test(everything_is_looked_at_beside_the_service),
        cmocka_unit_test(a_look_that_cannot_be_done_is_said_to_be_none),
        cmocka_unit_test(a_verification_is_alone_and_ends_with_the_service),
        cmocka_unit_test(a_row_that_its_key_does_not_find_is_reported),
        cmocka_unit_test(a_row_that_refers_to_none_is_found_beside_the_service),
        cmocka_unit_test(rows_that_are_lost_from_the_end_are_missed),
        cmocka_unit_test(a_decision_whose_answer_is_lost_is_refused),
        cmocka_unit_test(a_damaged_budget_is_not_removed),
        cmocka_unit_test(statistics_of_an_operator_are_no_damage),
        cmocka_unit_test(damaged_holds_stop_the_end_of_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
