/* test_store_guards.c - how SQLite is opened: every guard against damaged and hostile
 * files is on, on all connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"

#include "store/sql.h"

#include <stdio.h>
#include <string.h>

static struct store *opened(struct fixture *f, enum store_mode mode)
{
    struct store *store;

    assert_ok(f, store_open(f->path, mode, &store, NULL, &f->err));
    return store;
}

static void every_connection_has_every_guard(void **state)
{
    static const struct {
        int option, value;
    } guards[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},       {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 0},     {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},     {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},         {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
    };
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int mode = STORE_WRITER; mode <= STORE_READER; mode++) {
        struct store *store = opened(&f, mode);

        for (size_t i = 0; i < sizeof guards / sizeof *guards; i++) {
            int value = -1;

            assert_int_equal(sqlite3_db_config(store->db, guards[i].option, -1, &value),
                             SQLITE_OK);
            assert_int_equal(value, guards[i].value);
        }
        store_close(store);
    }
    fixture_close(&f);
}

static int64_t pragma(struct store *store, const char *name)
{
    char text[64];
    sqlite3_stmt *statement = NULL;
    int64_t value;

    snprintf(text, sizeof text, "PRAGMA %s", name);
    assert_int_equal(sqlite3_prepare_v2(store->db, text, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void commits_are_synced_and_memory_is_not_mapped(void **state)
{
    static const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"synchronous", 2},  {"mmap_size", 0},       {"cell_size_check", 1},
        {"foreign_keys", 0}, {"cache_spill", 0},     {"wal_autocheckpoint", 0},
        {"temp_store", 2},   {"writable_schema", 0},
    };
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int mode = STORE_WRITER; mode <= STORE_READER; mode++) {
        struct store *store = opened(&f, mode);

        sqlite3_set_authorizer(store->db, NULL, NULL); /* so that it can be asked */
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (mode == STORE_WRITER || strcmp(rows[i].name, "cache_spill") != 0)
                assert_int_equal(pragma(store, rows[i].name), rows[i].value);
        assert_int_equal(pragma(store, "query_only"), mode == STORE_READER);
        store_close(store);
    }
    fixture_close(&f);
}

/* What a file could make SQLite do is bounded. */
static void nothing_grows_without_bounds(void **state)
{
    static const struct {
        int limit, most;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, 80 << 20},
        {SQLITE_LIMIT_SQL_LENGTH, 64 << 10},
        {SQLITE_LIMIT_COLUMN, 64},
        {SQLITE_LIMIT_EXPR_DEPTH, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 10},
        {SQLITE_LIMIT_VDBE_OP, 25000},
        {SQLITE_LIMIT_FUNCTION_ARG, 32},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 32},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 4},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int mode = STORE_WRITER; mode <= STORE_READER; mode++) {
        struct store *store = opened(&f, mode);

        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
            assert_in_range(sqlite3_limit(store->db, limits[i].limit, -1), 0,
                            limits[i].most);
        store_close(store);
    }
    fixture_close(&f);
}

static void a_reader_reads_and_nothing_else(void **state)
{
    static const char *const refused[] = {
        "INSERT INTO audit (seq) VALUES (9)",
        "UPDATE budgets SET held_minor = 0",
        "DELETE FROM answers",
        "CREATE TABLE theirs (x)",
        "CREATE TEMP TABLE theirs (x)",
        "DROP TABLE budgets",
        "ATTACH 'other.db' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA query_only = OFF; DELETE FROM answers",
        "PRAGMA journal_mode = DELETE",
        "SELECT load_extension('other.so')",
        "VACUUM",
    };
    struct fixture f;
    struct store *reader;

    (void)state;
    fixture_open(&f);
    reader = opened(&f, STORE_READER);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (sqlite3_exec(reader->db, refused[i], NULL, NULL, NULL) == SQLITE_OK)
            fail_msg("%s", refused[i]);
    assert_int_equal(
        sqlite3_exec(reader->db, "SELECT count(*) FROM answers", NULL, NULL, NULL),
        SQLITE_OK);
    store_close(reader);
    fixture_close(&f);
}

static void a_writer_does_not_load_or_attach_either(void **state)
{
    static const char *const refused[] = {
        "ATTACH 'other.db' AS other",
        "SELECT load_extension('other.so')",
        "SELECT \"no such column\" FROM budgets",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ''",
    };
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (sqlite3_exec(f.store->db, refused[i], NULL, NULL, NULL) == SQLITE_OK)
            fail_msg("%s", refused[i]);
    fixture_close(&f);
}

/* Not even by the writer's own connection. */
static void what_never_changes_refuses_to(void **state)
{
    static const char *const refused[] = {
        "UPDATE entries SET amount = 0",
        "DELETE FROM entries",
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "UPDATE policy_revisions SET document = '{}'",
        "DELETE FROM policy_revisions",
        "UPDATE secrets SET value = zeroblob(32)",
        "DELETE FROM secrets",
    };
    struct fixture f;
    struct budget budget = budget_of("bud_all", 1000);
    struct audit_event event = {.actor = "cli", .action = "test", .subject = "x"};
    struct policy_revision policy = {
        .id = "goodwill", .created_by = "cli", .document = text_of("{}")};
    unsigned char secret[SECRET_BYTES] = "secret";

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    assert_ok(&f, audit_append(f.store, &event, &f.err));
    assert_ok(&f, policy_insert(f.store, &policy, &f.err));
    assert_ok(&f, secret_insert(f.store, "draws", secret, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (sqlite3_exec(f.store->db, refused[i], NULL, NULL, NULL) !=
            SQLITE_CONSTRAINT_TRIGGER)
            fail_msg("%s: %s", refused[i], sqlite3_errmsg(f.store->db));
    fixture_close(&f);
}

/* As a ROLLBACK that failed for want of memory leaves it. */
static void a_transaction_that_was_left_open_is_ended_before_the_next(void **state)
{
    struct fixture f;
    struct budget budget = budget_of("bud_all", 1000), found;

    (void)state;
    fixture_open(&f);
    assert_int_equal(
        sqlite3_exec(f.store->db, "BEGIN; DELETE FROM chains", NULL, NULL, NULL),
        SQLITE_OK);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    fixture_reopen(&f);
    assert_ok(&f, budget_find(f.store, "bud_all", &found, &f.err));
    assert_int_equal(found.limit, 1000);
    fixture_close(&f);
}

static void writes_outside_of_a_transaction_are_refused(void **state)
{
    struct fixture f;
    struct budget budget = budget_of("bud_all", 1000);

    (void)state;
    fixture_open(&f);
    assert_status(&f, budget_insert(f.store, &budget, &f.err), STATUS_IO);
    assert_ok(&f, store_begin(f.store, &f.err));
    /* SQLite ends it by itself when the disk is full. */
    assert_int_equal(sqlite3_exec(f.store->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_status(&f, budget_insert(f.store, &budget, &f.err), STATUS_IO);
    store_rollback(f.store);
    fixture_close(&f);
}

static void where_no_store_is_none_has_failed(void **state)
{
    struct fixture f;

    (void)state;
    assert_false(store_has_failed(NULL));
    fixture_open(&f);
    assert_false(store_has_failed(f.store));
    f.store->has_failed = true;
    assert_true(store_has_failed(f.store));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_connection_has_every_guard),
        cmocka_unit_test(commits_are_synced_and_memory_is_not_mapped),
        cmocka_unit_test(nothing_grows_without_bounds),
        cmocka_unit_test(a_reader_reads_and_nothing_else),
        cmocka_unit_test(a_writer_does_not_load_or_attach_either),
        cmocka_unit_test(what_never_changes_refuses_to),
        cmocka_unit_test(a_transaction_that_was_left_open_is_ended_before_the_next),
        cmocka_unit_test(writes_outside_of_a_transaction_are_refused),
        cmocka_unit_test(where_no_store_is_none_has_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
