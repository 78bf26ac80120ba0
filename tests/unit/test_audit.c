/* test_audit.c - the audit trail: appended, read back, never changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>

static void append(struct fixture *f, int i)
{
    struct audit_event event = {.created_at_us = FIXTURE_TIME_US + i,
                                .actor = "key_1",
                                .action = "budget.updated",
                                .detail = text_of("{\"a\":1}")};

    snprintf(event.subject, sizeof event.subject, "budgets/bud_%d", i);
    assert_ok(f, audit_append(f->store, &event, &f->err));
    assert_int_equal(event.seq, i);
}

static void events_are_chained_as_the_header_says(void **state)
{
    struct fixture f;
    struct audit_event *events;
    unsigned char prev[32] = {0};
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 1; i <= 10; i++)
        append(&f, i);
    assert_ok(&f, store_commit(f.store, &f.err));
    fixture_reopen(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    append(&f, 11);
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(&f, audit_list(f.store, 0, 200, false, &f.arena, &events, &count, &f.err));
    assert_int_equal(count, 11);
    for (int i = 0; i < count; i++) {
        const struct audit_event *e = &events[i];
        unsigned char bytes[512], hash[32];
        int n;

        memcpy(bytes, prev, 32);
        n = snprintf((char *)bytes + 32, sizeof bytes - 32,
                     "%lld|%lld|5:key_1|14:budget.updated|%zu:%s|7:{\"a\":1}",
                     (long long)e->seq, (long long)e->created_at_us, strlen(e->subject),
                     e->subject);
        crypto_hash_sha256(hash, bytes, (unsigned long long)n + 32);
        assert_memory_equal(e->prev_hash, prev, 32);
        assert_memory_equal(e->hash, hash, 32);
        assert_true(text_is(e->detail, "{\"a\":1}"));
        memcpy(prev, hash, 32);
    }
    fixture_close(&f);
}

static void events_are_listed_both_ways(void **state)
{
    struct fixture f;
    struct audit_event *events;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 1; i <= 10; i++)
        append(&f, i);
    assert_ok(&f, audit_list(f.store, 0, 3, true, &f.arena, &events, &count, &f.err));
    assert_int_equal(count, 3);
    assert_int_equal(events[0].seq, 10);
    assert_ok(&f, audit_list(f.store, 8, 30, true, &f.arena, &events, &count, &f.err));
    assert_int_equal(count, 7);
    assert_ok(&f, audit_list(f.store, 8, 30, false, &f.arena, &events, &count, &f.err));
    assert_int_equal(count, 2);
    assert_string_equal(events[0].subject, "budgets/bud_9");
    store_rollback(f.store);
    fixture_close(&f);
}

/* Also for somebody with plain sqlite3, as long as the triggers are there. */
static void rows_that_never_change_refuse_to(void **state)
{
    static const char *const attempts[] = {
        "UPDATE audit SET actor = 'x'",
        "DELETE FROM audit",
        "UPDATE entries SET amount = 0",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
        "UPDATE policy_revisions SET document = ''",
        "DELETE FROM alias_moves",
    };
    struct fixture f;
    struct budget budget = budget_of("bud_a", 10);
    struct policy_revision policy = {.id = "p", .document = text_of("{}")};
    struct model_alias alias = {.name = "m", .alias = "champion"};
    sqlite3 *db;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    append(&f, 1);
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    assert_ok(&f, policy_insert(f.store, &policy, &f.err));
    assert_ok(&f, alias_set(f.store, &alias, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    store_close(f.store);
    f.store = NULL;
    assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA recursive_triggers = ON", NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        assert_int_equal(sqlite3_exec(db, attempts[i], NULL, NULL, NULL),
                         SQLITE_CONSTRAINT);
    sqlite3_close(db);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_chained_as_the_header_says),
        cmocka_unit_test(events_are_listed_both_ways),
        cmocka_unit_test(rows_that_never_change_refuse_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
