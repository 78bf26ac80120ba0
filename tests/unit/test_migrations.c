/* test_migrations.c - data folders of every released schema, made by the programs of
 * their time (scripts/schema-fixture), opened with today's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/api_call.h"
#include "../support/folder.h"
#include "../support/store_fault_vfs.h"
#include "../support/store_fixture.h"
#include "../support/torture.h"

#include "base/clock.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURES "tests/schemas/"

enum { PATH_TEXT_BYTES = 160, DECISION_COUNT = 7, ASKED_COUNT = 6 };

static char *file_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;

    if (!file)
        return NULL;
    assert_true(getdelim(&text, &room, '\0', file) > 0);
    fclose(file);
    return text;
}

/* The folder as that program left it. */
static void fixture_of(int schema, struct fixture *f)
{
    *f = (struct fixture){0};
    assert_true(folder_for_store(f->folder));
    snprintf(f->path, sizeof f->path, "%s/redress.db", f->folder);
    schema_make(schema, f->path);
}

/* One number out of the file, by plain SQLite. */
static int64_t asked(const struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t number;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

static void assert_checks(struct fixture *f)
{
    struct store_report report;

    assert_ok(f, store_open(f->path, STORE_READER, &f->store, NULL, &f->err));
    assert_ok(f, store_check(f->store, &report, &f->err));
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.decision_count, DECISION_COUNT);
    assert_true(report.entry_count > 10 && report.audit_count > 3);
    store_close(f->store);
    f->store = NULL;
}

/* --- served by today's program ---------------------------------------------------------------- */

/* What was answered then, byte by byte. */
static void assert_same_answers(struct fixture *f, struct service *service)
{
    char *body = file_read(FIXTURES "case.json");

    assert_non_null(body);
    for (int i = 1; i <= ASKED_COUNT; i++) {
        struct answer answer;
        struct api_reply reply;
        struct store *reader = service_reader_take(service);
        char key[32], scope_key[64];

        snprintf(key, sizeof key, "fixture-%d", i);
        snprintf(scope_key, sizeof scope_key, "cli POST /v1/decisions - %s", key);
        assert_ok(f,
                  answer_find(reader, text_of(scope_key), &f->arena, &answer, &f->err));
        service_reader_give(service, reader);
        reply = api_call(service, "POST", "/v1/decisions", key, NULL, body);
        assert_int_equal(reply.status, 201);
        assert_true(reply.is_replayed);
        assert_int_equal(strlen(reply.text), answer.body.bytes);
        assert_memory_equal(reply.text, answer.body.at, answer.body.bytes);
        api_reply_free(&reply);
    }
    free(body);
}

static void assert_replays(struct service *service)
{
    struct api_reply list = api_call(service, "GET", "/v1/decisions", NULL, NULL, NULL);
    const json_t *decision;
    size_t i;

    assert_int_equal(json_array_size(json_object_get(list.json, "data")), DECISION_COUNT);
    json_array_foreach(json_object_get(list.json, "data"), i, decision)
    {
        struct api_reply reply;
        char path[96];

        snprintf(path, sizeof path, "/v1/decisions/%s/replay",
                 json_string_value(json_object_get(decision, "id")));
        reply = api_call(service, "POST", path, NULL, NULL, NULL);
        assert_int_equal(reply.status, 200);
        if (!json_is_true(json_object_get(reply.json, "match")))
            fail_msg("%s", reply.text);
        api_reply_free(&reply);
    }
    api_reply_free(&list);
}

static void assert_decides(struct service *service)
{
    char *body = file_read(FIXTURES "case.json");
    struct api_reply reply =
        api_call(service, "POST", "/v1/decisions", "today-1", NULL, body);

    assert_int_equal(reply.status, 201);
    assert_false(reply.is_replayed);
    assert_non_null(strstr(reply.text, "\"model\":\"credit_uplift@1\""));
    api_reply_free(&reply);
    free(body);
}

static void folders_of_every_schema_are_served(void **state)
{
    (void)state;
    for (int schema = 1; schema < STORE_SCHEMA_VERSION; schema++) {
        struct fixture f;
        struct service_settings settings = {.clock = &system_clock,
                                            .build = "redress test",
                                            .reader_count = 2,
                                            .queue_capacity = 8};
        struct service *service;
        struct folder_look look;
        bool was_created = true;

        fixture_of(schema, &f);
        arena_init(&f.arena, NULL, 0, 8 << 20);
        assert_int_equal(asked(&f, "PRAGMA user_version"), schema);
        assert_status(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err),
                      STATUS_UNAVAILABLE);
        assert_non_null(strstr(f.err.text, "run 'redress db migrate'"));
        settings.folder = f.folder;
        assert_ok(&f, service_look(&settings, &look, &f.err));
        assert_false(look.is_new);
        assert_int_equal(look.schema_version, schema);
        assert_int_equal(asked(&f, "PRAGMA user_version"), schema);
        assert_ok(&f, service_open(&settings, &service, &was_created, &f.err));
        assert_false(was_created);
        assert_checks(&f);
        assert_same_answers(&f, service);
        assert_replays(service);
        assert_decides(service);
        service_close(service);
        assert_int_equal(asked(&f, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
        fixture_close(&f);
    }
}

/* What the first schema forbade. */
static void an_old_budget_takes_what_new_ones_can(void **state)
{
    struct fixture f;
    struct budget budget;

    (void)state;
    fixture_of(1, &f);
    assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_find(f.store, "bud_late", &budget, &f.err));
    assert_int_equal(budget.pacing, PACING_EVEN);
    budget.pacing = PACING_PROFILE;
    assert_ok(&f, budget_update(f.store, &budget, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    store_close(f.store);
    f.store = NULL;
    assert_checks(&f);
    fixture_close(&f);
}

/* The old schema as a whole, and all that it had. */
static void assert_untouched(struct fixture *f, int schema)
{
    assert_int_equal(asked(f, "PRAGMA user_version"), schema);
    assert_int_equal(asked(f, "SELECT count(*) FROM decisions"), DECISION_COUNT);
    assert_int_equal(asked(f, "SELECT count(*) FROM pragma_table_info('answers')"
                              " WHERE name = 'digest'"),
                     schema >= 4);
    assert_int_equal(asked(f, "SELECT count(*) FROM sqlite_schema"
                              " WHERE name = 'decisions_created'"),
                     schema < 5);
    assert_int_equal(
        asked(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'outcomes'"),
        schema >= 6);
    assert_int_equal(asked(f, "SELECT count(*) FROM chains WHERE name = 'outcomes'"), 0);
}

/* --- damaged ---------------------------------------------------------------------------------- */

/* What a migration would change, as one number. */
static int64_t digests_of(const struct fixture *f)
{
    return asked(f, "SELECT sum(digest % 1000003) FROM (SELECT digest FROM answers"
                    " UNION ALL SELECT digest FROM decisions"
                    " UNION ALL SELECT digest FROM budgets"
                    " UNION ALL SELECT digest FROM api_keys)");
}

/* Digests made anew would say that it was always so. */
static void a_damaged_folder_is_refused_and_left_as_it_was(void **state)
{
    static const struct {
        const char *sql, *asks, *said;
    } rows[] = {
        {"UPDATE decisions SET customer_id = 'other' WHERE number = 3",
         "SELECT count(*) FROM decisions WHERE customer_id = 'other'",
         "row 3 of 'decisions' was changed: its digest does not match"},
        {"UPDATE decisions SET goodwill = goodwill + 1, amount = amount + 1"
         " WHERE number = 7",
         "SELECT goodwill > 0 FROM decisions WHERE number = 7",
         "row 7 of 'decisions' was changed"},
        {"UPDATE api_keys SET scopes = 'admin' WHERE number = 1",
         "SELECT count(*) FROM api_keys WHERE scopes = 'admin' AND number = 1",
         "row 1 of 'api_keys' was changed"},
        {"UPDATE policy_revisions SET reason = 'theirs' WHERE rowid = 1",
         "SELECT count(*) FROM policy_revisions WHERE reason = 'theirs'",
         "row 1 of 'policy_revisions' was changed"},
        {"CREATE TABLE theirs (x)",
         "SELECT count(*) FROM sqlite_schema WHERE name = 'theirs'",
         "the schema is not the one that was made"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        int64_t digests;

        fixture_of(4, &f);
        tamper(f.path, rows[i].sql);
        assert_int_equal(asked(&f, rows[i].asks), 1);
        digests = digests_of(&f);
        assert_status(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err),
                      STATUS_CORRUPT);
        if (!strstr(f.err.text, rows[i].said))
            fail_msg("%s: %s", rows[i].sql, f.err.text);
        assert_non_null(strstr(f.err.text, "nothing was migrated: restore a backup"));
        assert_untouched(&f, 4);
        assert_int_equal(asked(&f, rows[i].asks), 1);
        assert_int_equal(digests_of(&f), digests);
        fixture_close(&f);
    }
}

/* --- interrupted ------------------------------------------------------------------------------ */

/* From one write or sync to the next that is tried: from the newest of the old schemas,
 * and in the long form, all of them; else about every third, and under sanitizers every
 * sixth. */
static long step_after(int schema, struct rng *rng)
{
    int64_t most = schema == STORE_SCHEMA_VERSION - 1 ? 1 : torture_sample(5, 11, 1);

    return 1 + (long)rng_below(rng, (uint64_t)most);
}

/* False when the fault did not come to strike. */
static bool migrate_under(int schema, enum fault_kind kind, long nth)
{
    struct fixture f;
    bool has_struck;
    enum status rc;

    fixture_of(schema, &f);
    fault_arm(kind, nth, true);
    rc = store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err);
    has_struck = fault_disarm();
    store_close(f.store);
    f.store = NULL;
    if (rc)
        assert_untouched(&f, schema);
    assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
    store_close(f.store);
    f.store = NULL;
    assert_checks(&f);
    fixture_close(&f);
    return has_struck;
}

static void a_migration_is_whole_or_not_at_all_under_any_fault(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_WRITE, FAULT_FULL, FAULT_SYNC};
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("a_migration_is_whole_or_not_at_all_under_any_fault"));
    for (int schema = 1; schema < STORE_SCHEMA_VERSION; schema++)
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            long nth = 1, count = 0;

            for (; migrate_under(schema, kinds[i], nth); nth += step_after(schema, &rng))
                count++;
            assert_true(count > 0);
        }
}

/* A migration by a process that is killed at its nth write, and then one by another.
 * Returns whether it came to so many; counts in untouched when it left the old schema. */
static bool migrate_killed(int schema, long nth, int *untouched)
{
    struct fixture f;
    int ending = 0;
    pid_t child;

    fixture_of(schema, &f);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fault_arm(FAULT_KILL, nth, false);
        (void)!store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ending, 0), child);
    if (asked(&f, "PRAGMA user_version") == schema) {
        assert_true(WIFSIGNALED(ending));
        assert_untouched(&f, schema);
        (*untouched)++;
    }
    assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
    store_close(f.store);
    f.store = NULL;
    assert_checks(&f);
    fixture_close(&f);
    return WIFSIGNALED(ending);
}

static void a_migration_that_is_killed_leaves_the_old_or_the_new_schema(void **state)
{
    int kill_count = 0, untouched = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng,
             seed_print("a_migration_that_is_killed_leaves_the_old_or_the_new_schema"));
    for (int schema = 1; schema < STORE_SCHEMA_VERSION; schema++)
        for (long nth = 1; migrate_killed(schema, nth, &untouched);
             nth += step_after(schema, &rng))
            kill_count++;
    printf("  %d kills at writes: %d left the old schema\n", kill_count, untouched);
    assert_true(untouched > 0 && untouched < kill_count);
}

/* --- a large store ------------------------------------------------------------------------------ */

/* Exit code of a process that opens the folder with 112 MB more than it has. */
static int open_with_little_memory(struct fixture *f)
{
    struct rlimit limit;
    long pages;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &pages), 1);
    fclose(file);
    limit.rlim_cur = limit.rlim_max = (rlim_t)pages * 4096 + (112 << 20);
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 2;
    if (store_open(f->path, STORE_WRITER, &f->store, NULL, &f->err) == STATUS_OK)
        return 0;
    fprintf(stderr, "%s\n", f->err.text);
    return 1;
}

static void a_large_store_is_migrated_with_little_memory(void **state)
{
    struct fixture f;
    sqlite3 *db = NULL;
    int code = 0;
    pid_t pid;

    (void)state;
    fixture_of(3, &f);
    assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                     " WHERE i < 60000) INSERT INTO answers (scope_key, request_hash,"
                     " http_status, body, revision, created_at_us) SELECT 'k' || i,"
                     " zeroblob(32), 201, hex(zeroblob(1700)), 0, 1 FROM n",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    pid = fork();
    if (pid == 0)
        _exit(open_with_little_memory(&f));
    assert_int_equal(waitpid(pid, &code, 0), pid);
    assert_int_equal(code, 0);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_of_every_schema_are_served),
        cmocka_unit_test(an_old_budget_takes_what_new_ones_can),
        cmocka_unit_test(a_damaged_folder_is_refused_and_left_as_it_was),
        cmocka_unit_test(a_migration_is_whole_or_not_at_all_under_any_fault),
        cmocka_unit_test(a_migration_that_is_killed_leaves_the_old_or_the_new_schema),
        cmocka_unit_test(a_large_store_is_migrated_with_little_memory),
    };

    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
