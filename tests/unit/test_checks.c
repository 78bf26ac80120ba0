/* test_checks.c - damage is found when a row is read, when a service starts, and by the look at
 * everything beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"

#include "base/clock.h"
#include "decide/service.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LONG_TEXT_BYTES = 6000, ENTRY_COUNT = 10500 };

#define DECISION_ID "dec_00000000000000000000000001"

static char long_text[LONG_TEXT_BYTES + 1];

/* A budget and a decision with a context and an answer that are longer than a page. */
static void one_decision(struct fixture *f)
{
    struct budget budget = budget_of("bud_all", 1000);
    struct answer answer = answer_of("key_1 POST /v1/decisions - k1");
    struct decision_row row = decision_of(DECISION_ID);

    memset(long_text, 'a', LONG_TEXT_BYTES);
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

static enum status serve(struct fixture *f, bool has_keepers, struct service **service)
{
    const struct service_settings settings = {
        .folder = f->folder,
        .clock = &system_clock,
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

/* However much is stored. */
static void a_start_looks_at_a_bounded_part(void **state)
{
    struct fixture f;
    struct budget budget = budget_of("bud_all", 1000);
    struct store_report report;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    for (int i = 1; i < ENTRY_COUNT; i++)
        assert_ok(&f, budget_move(f.store, &budget, ENTRY_ADJUST, 1, "", &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
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

static const char *check_of(struct fixture *f)
{
    struct service *service = NULL;
    const char *result = NULL;

    assert_ok(f, serve(f, true, &service));
    assert_string_equal(service_check(service), "running");
    for (int i = 0; i < 1000 && (!result || strcmp(result, "running") == 0); i++) {
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
    assert_string_equal(check_of(&f), "passed");
    /* What a start does not look at. */
    tamper(f.path, "INSERT INTO traffic_cells VALUES (7, '', '', '', '', 'USD', 1)");
    assert_string_equal(check_of(&f), "failed");
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
