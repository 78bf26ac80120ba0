/* store_fixture.c - stores in folders that go away, and rows that are right. */
#include "store_fixture.h"

#include "base/file.h"
#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void fixture_open(struct fixture *fixture)
{
    bool was_created;

    *fixture = (struct fixture){0};
    assert_true(folder_for_store(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/redress.db", fixture->folder);
    arena_init(&fixture->arena, NULL, 0, 64 << 20);
    assert_ok(fixture, store_open(fixture->path, STORE_WRITER, &fixture->store,
                                  &was_created, &fixture->err));
    assert_true(was_created);
}

void fixture_close(struct fixture *fixture)
{
    store_close(fixture->store);
    arena_reset(&fixture->arena);
    folder_remove(fixture->folder);
}

void fixture_reopen(struct fixture *fixture)
{
    bool was_created;

    store_close(fixture->store);
    fixture->store = NULL;
    assert_ok(fixture, store_open(fixture->path, STORE_WRITER, &fixture->store,
                                  &was_created, &fixture->err));
    assert_false(was_created);
}

struct budget budget_of(const char *id, int64_t limit)
{
    struct budget budget = {
        .currency = "USD",
        .period = PERIOD_TOTAL,
        .time_zone = "UTC",
        .limit = limit,
        .period_ends_at_us = INT64_MAX,
        .created_at_us = FIXTURE_TIME_US,
        .updated_at_us = FIXTURE_TIME_US,
        .revision = 1,
    };

    snprintf(budget.id, sizeof budget.id, "%s", id);
    return budget;
}

struct decision_row decision_of(const char *id)
{
    struct decision_row row = {
        .created_at_us = FIXTURE_TIME_US,
        .updated_at_us = FIXTURE_TIME_US,
        .hold_expires_at_us = FIXTURE_TIME_US + 3600000000,
        .outcome = OUTCOME_CREDIT,
        .mode = MODE_LIVE,
        .status = DECISION_HELD,
        .amount = 1000,
        .goodwill = 1000,
        .currency = "USD",
        .customer_id = text_of("c_1"),
        .order_id = text_of("o_1"),
        .case_id = text_of("case-1"),
        .issue = text_of("late_delivery"),
        .context = text_of("{}"),
    };

    snprintf(row.id, sizeof row.id, "%s", id);
    return row;
}

struct answer answer_of(const char *scope_key)
{
    return (struct answer){
        .scope_key = text_of(scope_key),
        .request_hash = {1, 2, 3},
        .http_status = 201,
        .body = text_of("{\"object\":\"decision\"}"),
        .created_at_us = FIXTURE_TIME_US,
    };
}

static enum status entry_write(struct store *store, struct budget *budget,
                               enum entry_kind kind, int64_t amount,
                               const char *decision_id, struct err *err)
{
    struct entry entry = {
        .kind = kind,
        .amount = amount,
        .balance_after = budget->limit - budget->held - budget->spent,
        .created_at_us = FIXTURE_TIME_US,
    };

    snprintf(entry.budget_id, sizeof entry.budget_id, "%s", budget->id);
    snprintf(entry.decision_id, sizeof entry.decision_id, "%s", decision_id);
    return entry_append(store, &entry, err);
}

enum status budget_open(struct store *store, struct budget *budget, struct err *err)
{
    enum status rc = budget_insert(store, budget, err);

    if (!rc)
        rc = entry_write(store, budget, ENTRY_ADJUST, budget->limit, "", err);
    return rc;
}

enum status budget_move(struct store *store, struct budget *budget, enum entry_kind kind,
                        int64_t amount, const char *decision_id, struct err *err)
{
    enum status rc;

    switch (kind) {
    case ENTRY_HOLD:
    case ENTRY_OVERRIDE:
        budget->held += amount;
        break;
    case ENTRY_SETTLE:
        budget->held -= amount;
        budget->spent += amount;
        break;
    case ENTRY_RELEASE:
    case ENTRY_EXPIRE:
        budget->held -= amount;
        break;
    case ENTRY_ADJUST:
        budget->limit += amount;
        break;
    case ENTRY_ROLL:
        budget->spent -= amount;
        break;
    case ENTRY_UNFUNDED:
        budget->unfunded += amount;
        break;
    case ENTRY_KIND_COUNT:
        break;
    }
    rc = entry_write(store, budget, kind, amount, decision_id, err);
    if (!rc)
        rc = budget_update(store, budget, err);
    return rc;
}

enum status decide_once(struct store *store, struct budget *budget, int64_t number,
                        int64_t amount, struct decision_row *row, struct err *err)
{
    char scope_key[64], id[ID_BYTES];
    struct answer answer;
    enum status rc;

    snprintf(scope_key, sizeof scope_key, "key_1 POST /v1/decisions k%lld",
             (long long)number);
    snprintf(id, sizeof id, "dec_%026lld", (long long)number);
    answer = answer_of(scope_key);
    *row = decision_of(id);
    row->amount = row->goodwill = amount;
    rc = answer_insert(store, &answer, err);
    row->answer_number = answer.number;
    if (!rc)
        rc = decision_insert(store, row, err);
    if (!rc)
        rc = budget_move(store, budget, ENTRY_HOLD, amount, row->id, err);
    return rc;
}

void schema_make(int schema, const char *path)
{
    char name[64], *sql, *message = NULL;
    sqlite3 *db = NULL;
    size_t bytes;

    snprintf(name, sizeof name, "tests/schemas/%d.sql", schema);
    if (file_read(name, SIZE_MAX, &sql, &bytes, NULL))
        fail_msg("%s: every released schema has a fixture (scripts/schema-fixture)",
                 name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", name, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    free(sql);
}

char *stored_answers(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    char *text;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT group_concat(scope_key || ' ' || body, "
                                        "char(10)) FROM answers",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    text = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return text;
}

/* The statements that make all triggers, or those that drop them; freed by the caller. */
static char *trigger_sql(sqlite3 *db, const char *each)
{
    sqlite3_stmt *statement = NULL;
    char query[160], *sql;

    snprintf(query, sizeof query,
             "SELECT group_concat(%s, ';') FROM sqlite_schema WHERE type = 'trigger'",
             each);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    sql = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return sql;
}

static void must_run(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

enum { BUSY_MS = 10000 };

void tamper(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *made, *dropped;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, BUSY_MS); /* a service may be writing */
    made = trigger_sql(db, "sql");
    dropped = trigger_sql(db, "'DROP TRIGGER ' || name");
    if (made)
        must_run(db, dropped);
    must_run(db, sql);
    if (made)
        must_run(db, made);
    sqlite3_free(made);
    sqlite3_free(dropped);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

uint64_t seed_print(const char *test)
{
    const char *given = getenv("REDRESS_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED %llu of %s (set REDRESS_SEED to repeat)\n", (unsigned long long)seed,
           test);
    return seed;
}
