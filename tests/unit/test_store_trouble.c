/* test_store_trouble.c - reads, checks, copies and the care for the files in trouble:
 * what cannot be done says so, what was found is whole, and the next try finds it all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/failing_memory.h"
#include "../support/service_requests.h"
#include "../support/store_fault_vfs.h"
#include "../support/store_fixture.h"
#include "../support/torture.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_BYTES = 1 << 20, NTH_MAX = 100000 };

/* What fails: a fault_kind of the store, or one of these. */
enum { OWN_MEMORY = FAULT_KIND_COUNT, ARENA_ROOM };

static void arm(int kind, long nth, bool is_lasting)
{
    if (kind == OWN_MEMORY)
        memory_arm(nth, is_lasting);
    else if (kind < OWN_MEMORY)
        fault_arm((enum fault_kind)kind, nth, is_lasting);
}

static bool disarm(int kind)
{
    return kind == OWN_MEMORY ? memory_disarm() : fault_disarm();
}

static bool is_clean_failure(enum status rc)
{
    return rc == STATUS_IO || rc == STATUS_EXHAUSTED || rc == STATUS_UNAVAILABLE;
}

static long step_of(int kind, long nth)
{
    return kind == FAULT_MEMORY ? 1 + nth / torture_count(2, 32) : 1;
}

/* A store in which every table has rows. */
static struct running *running;
static char decision[64];

static int stage_open(void **state)
{
    static const struct service_request key = {
        "POST", "/v1/api-keys", "{\"name\": \"n\", \"scopes\": [\"read\"]}",
        NULL,   NULL,           NULL};
    struct request_subject subject = {0};
    struct api_reply reply;

    (void)state;
    running = requests_open();
    subject_renew(running, NULL, &subject);
    snprintf(decision, sizeof decision, "%s", subject.decision);
    reply = request_call(running, &key, &subject, NULL);
    assert_int_equal(reply.status, 201);
    api_reply_free(&reply);
    service_close(running->service);
    running->service = NULL;
    return 0;
}

static int stage_close(void **state)
{
    (void)state;
    running_close(running);
    return 0;
}

/* --- looks ------------------------------------------------------------------------------------ */

/* *found tells what was seen from something else. */
typedef enum status look(struct store *store, struct arena *arena, int64_t *found,
                         struct err *err);

static enum status look_at_everything(struct store *store, struct arena *arena,
                                      int64_t *found, struct err *err)
{
    struct store_report report;
    enum status rc = store_check(store, &report, err);

    (void)arena;
    *found = report.entry_count * 1000 + report.decision_count;
    /* To SQLite what it cannot read is damage, too. */
    if (!rc && report.fault_count > 0)
        rc = err_set(err, STATUS_IO, "%s", report.first_fault);
    return rc;
}

static enum status look_at_recent(struct store *store, struct arena *arena,
                                  int64_t *found, struct err *err)
{
    struct store_report report;
    enum status rc = store_check_recent(store, &report, err);

    (void)arena;
    *found = report.fault_count * 1000000 + report.entry_count;
    return rc;
}

static enum status look_for_heads(struct store *store, struct arena *arena,
                                  int64_t *found, struct err *err)
{
    struct store_heads heads;
    const char *missing = NULL;
    enum status rc = store_heads(store, &heads, err);

    (void)arena;
    if (!rc)
        rc = store_has_heads(store, &heads, &missing, err);
    *found = heads.entries.seq + (missing ? 1000 : 0);
    return rc;
}

static enum status look_at_budgets(struct store *store, struct arena *arena,
                                   int64_t *found, struct err *err)
{
    struct budget *budgets;
    int count = 0;
    enum status rc = budget_list(store, arena, &budgets, &count, err);

    *found = count;
    for (int i = 0; !rc && i < count; i++)
        *found += budgets[i].held;
    return rc;
}

static enum status look_at_models(struct store *store, struct arena *arena,
                                  int64_t *found, struct err *err)
{
    struct model_version *versions, version;
    struct model_alias *aliases;
    struct bundle_file *files;
    int count, alias_count, file_count;
    enum status rc = model_list(store, NULL, arena, &versions, &count, err);

    if (!rc)
        rc = model_find_live(store, "m", 1, arena, &version, err);
    if (!rc)
        rc = model_files(store, "m", 1, arena, &files, &file_count, err);
    if (!rc)
        rc = alias_list(store, NULL, arena, &aliases, &alias_count, err);
    if (!rc)
        rc = alias_history(store, "m", 0, arena, &aliases, &alias_count, err);
    if (!rc)
        *found = count + 10 * file_count + 100 * alias_count;
    return rc;
}

static enum status look_at_policies(struct store *store, struct arena *arena,
                                    int64_t *found, struct err *err)
{
    struct policy_revision *policies, *revisions, newest;
    int count, revision_count;
    enum status rc = policy_list(store, arena, &policies, &count, err);

    if (!rc)
        rc = policy_revisions(store, "goodwill", arena, &revisions, &revision_count, err);
    if (!rc)
        rc = policy_find(store, "goodwill", 0, arena, &newest, err);
    if (!rc)
        *found = count + 10 * revision_count;
    return rc;
}

static enum status look_at_keys(struct store *store, struct arena *arena, int64_t *found,
                                struct err *err)
{
    struct api_key *keys, key;
    int count;
    enum status rc = api_key_list(store, arena, &keys, &count, err);

    if (!rc)
        rc = api_key_find(store, keys[0].id, &key, err);
    if (!rc)
        *found = count;
    return rc;
}

static enum status look_at_decisions(struct store *store, struct arena *arena,
                                     int64_t *found, struct err *err)
{
    const struct decision_filter filter = {.outcome = -1, .limit = 10};
    struct decision_row *rows, row;
    bool has_more, is_known, has_child;
    int count;
    enum status rc = decision_list(store, &filter, arena, &rows, &count, &has_more, err);

    if (!rc)
        rc = decision_find(store, decision, arena, &row, err);
    if (!rc)
        rc = decision_customer_exists(store, row.customer_id, &is_known, err);
    if (!rc)
        rc = decision_has_child(store, decision, &has_child, err);
    if (!rc)
        *found = count + 100 * is_known + 1000 * has_child;
    return rc;
}

static enum status look_at_holds(struct store *store, struct arena *arena, int64_t *found,
                                 struct err *err)
{
    struct ended_hold *holds;
    struct charge *charges;
    int count, charge_count;
    enum status rc = decision_expired(store, INT64_MAX, (struct hold_place){0}, 10, arena,
                                      &holds, &count, err);

    if (!rc)
        rc = entry_open_charges(store, decision, arena, &charges, &charge_count, err);
    if (!rc)
        *found = count + 100 * charge_count;
    return rc;
}

static look *const looks[] = {
    look_at_everything, look_at_recent, look_for_heads, look_at_budgets,   look_at_models,
    look_at_policies,   look_at_keys,   look_at_holds,  look_at_decisions,
};

enum { LOOK_COUNT = sizeof looks / sizeof *looks };

static struct store *reader_open(void)
{
    struct store *reader;
    struct err err;

    if (store_open(running->path, STORE_READER, &reader, NULL, &err))
        fail_msg("%s", err.text);
    return reader;
}

/* Looked through a connection of its own, so that nothing is in its memory yet. */
static bool look_under(int number, int kind, long nth, bool is_lasting, int64_t wanted)
{
    struct store *reader = reader_open();
    struct arena arena;
    struct err err;
    int64_t found = -1;
    enum status rc;
    bool has_struck;

    err_clear(&err);
    arena_init(&arena, NULL, 0, kind == ARENA_ROOM ? (size_t)nth * 64 : ARENA_BYTES);
    arm(kind, nth, is_lasting);
    rc = looks[number](reader, &arena, &found, &err);
    has_struck = kind == ARENA_ROOM ? rc != STATUS_OK : disarm(kind);
    if (rc ? !has_struck || !is_clean_failure(rc) || !err.text[0] : found != wanted)
        fail_msg("look %d, kind %d, call %ld: status %d (%s), %lld", number, kind, nth,
                 rc, rc ? err.text : "", (long long)found);
    /* The same connection finds it all, once it is well. */
    arena_reset(&arena);
    arena_init(&arena, NULL, 0, ARENA_BYTES);
    if (looks[number](reader, &arena, &found, &err))
        fail_msg("look %d, kind %d, after call %ld: %s", number, kind, nth, err.text);
    assert_int_equal(found, wanted);
    arena_reset(&arena);
    store_close(reader);
    return has_struck;
}

static void a_look_in_trouble_says_so_or_is_whole(void **state)
{
    static const int kinds[] = {OWN_MEMORY, FAULT_MEMORY, FAULT_READ, ARENA_ROOM};

    (void)state;
    for (int i = 0; i < LOOK_COUNT; i++) {
        struct store *reader = reader_open();
        struct arena arena;
        struct err err;
        int64_t wanted;
        long struck_count = 0;

        arena_init(&arena, NULL, 0, ARENA_BYTES);
        assert_int_equal(looks[i](reader, &arena, &wanted, &err), STATUS_OK);
        arena_reset(&arena);
        store_close(reader);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            for (int is_lasting = 0; is_lasting < 2; is_lasting++)
                for (long nth = 1; look_under(i, kinds[k], nth, is_lasting, wanted);
                     nth += step_of(kinds[k], nth)) {
                    assert_true(nth < NTH_MAX);
                    struck_count++;
                }
        assert_true(struck_count > 0);
    }
}

/* --- opening and copying ---------------------------------------------------------------------- */

static void a_store_that_cannot_be_opened_for_want_of_memory_opens_afterwards(
    void **state)
{
    static const enum store_mode modes[] = {STORE_READER, STORE_WRITER};

    (void)state;
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++)
        for (int kind = FAULT_MEMORY; kind <= OWN_MEMORY; kind++)
            for (long nth = 1, has_struck = 1; has_struck;
                 nth += 1 + nth / torture_count(2, 32)) {
                struct store *store = NULL;
                struct err err;
                enum status rc;

                err_clear(&err);
                arm(kind, nth, true);
                rc = store_open(running->path, modes[m], &store, NULL, &err);
                has_struck = disarm(kind);
                assert_int_equal(rc == STATUS_OK, store != NULL);
                if (rc && (!has_struck || !is_clean_failure(rc)))
                    fail_msg("mode %d, kind %d, call %ld: status %d: %s", modes[m], kind,
                             nth, rc, err.text);
                store_close(store);
            }
    store_close(reader_open());
}

static void path_in_folder(const char *name, char path[160])
{
    snprintf(path, 160, "%s/%s", running->folder, name);
}

/* Both files of a copy are gone. */
static void assert_no_copy(const char *path)
{
    char partial[200];

    snprintf(partial, sizeof partial, "%s.partial", path);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(partial, F_OK), -1);
}

static void a_copy_in_trouble_is_whole_or_not_there(void **state)
{
    static const int kinds[] = {FAULT_READ, FAULT_WRITE, FAULT_FULL, FAULT_MEMORY,
                                OWN_MEMORY};
    char path[160];

    (void)state;
    path_in_folder("copy.db", path);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (long nth = 1, has_struck = 1; has_struck;
             nth += 1 + nth / torture_count(2, 32)) {
            struct store *reader = reader_open(), *copy;
            struct err err;
            enum status rc;

            err_clear(&err);
            arm(kinds[k], nth, nth % 2);
            rc = store_backup(reader, path, &err);
            has_struck = disarm(kinds[k]);
            store_close(reader);
            if (rc) {
                if (!has_struck || !err.text[0])
                    fail_msg("kind %d, call %ld: %s", kinds[k], nth, err.text);
                assert_no_copy(path);
                continue;
            }
            if (store_open(path, STORE_READER, &copy, NULL, &err))
                fail_msg("kind %d, call %ld: the copy: %s", kinds[k], nth, err.text);
            store_close(copy);
            assert_int_equal(unlink(path), 0);
        }
}

static enum status copy_to(const char *path, struct err *err)
{
    struct store *reader = reader_open();
    enum status rc = store_backup(reader, path, err);

    store_close(reader);
    return rc;
}

static void a_copy_takes_nobody_s_place(void **state)
{
    char path[160], partial[200], longest[5000];
    struct err err;

    (void)state;
    path_in_folder("taken.db", path);
    snprintf(partial, sizeof partial, "%s.partial", path);
    assert_int_equal(copy_to(path, &err), STATUS_OK);
    assert_int_equal(copy_to(path, &err), STATUS_CONFLICT);
    assert_int_equal(rename(path, partial), 0);
    assert_int_equal(copy_to(path, &err), STATUS_CONFLICT);
    assert_non_null(strstr(err.text, "interrupted"));
    assert_int_equal(access(partial, F_OK), 0);
    assert_int_equal(unlink(partial), 0);
    assert_int_equal(copy_to("/nowhere/copy.db", &err), STATUS_IO);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(copy_to(longest, &err), STATUS_INVALID);
}

static void a_store_has_a_path_that_can_be(void **state)
{
    struct store *store = NULL;
    char path[160], longest[5000];
    struct err err;

    (void)state;
    path_in_folder("redress.db/below", path);
    assert_int_equal(store_open(path, STORE_READER, &store, NULL, &err), STATUS_IO);
    assert_int_equal(store_open(path, STORE_WRITER, &store, NULL, &err), STATUS_IO);
    memset(longest, 'x', sizeof longest - 1);
    for (int i = 200; i < (int)sizeof longest; i += 200)
        longest[i] = '/'; /* no part of it is too long */
    longest[4090] = '\0';
    assert_int_equal(store_open(longest, STORE_WRITER, &store, NULL, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "is too long"));
    assert_null(store);
}

/* --- the files -------------------------------------------------------------------------------- */

/* What was moved in part is moved again. */
static void a_log_that_cannot_be_moved_says_so_and_loses_nothing(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_WRITE, FAULT_SYNC, FAULT_READ,
                                            FAULT_MEMORY};

    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (long nth = 1, has_struck = 1; has_struck; nth++) {
            struct budget budget = budget_of("bud_all", 1000);
            struct store_report report;
            struct decision_row row;
            struct store *reader;
            struct fixture f;
            enum status rc;

            fixture_open(&f);
            assert_ok(&f, store_begin(f.store, &f.err));
            assert_ok(&f, budget_open(f.store, &budget, &f.err));
            assert_ok(&f, decide_once(f.store, &budget, 1, 10, &row, &f.err));
            assert_ok(&f, store_commit(f.store, &f.err));
            assert_ok(&f, store_open(f.path, STORE_READER, &reader, NULL, &f.err));
            fault_arm(kinds[k], nth, true);
            rc = store_checkpoint(reader, NULL, &f.err);
            has_struck = fault_disarm();
            if (rc && (!has_struck || !is_clean_failure(rc)))
                fail_msg("kind %d, call %ld: status %d: %s", kinds[k], nth, rc,
                         f.err.text);
            assert_int_equal(store_has_failed(reader), rc && kinds[k] == FAULT_SYNC);
            store_close(reader);
            fixture_reopen(&f);
            assert_ok(&f, store_checkpoint(f.store, NULL, &f.err));
            assert_ok(&f, store_check(f.store, &report, &f.err));
            assert_string_equal(report.first_fault, "");
            assert_int_equal(report.decision_count, 1);
            fixture_close(&f);
        }
}

/* Nothing is written, or read as one state, on top of what should be over. */
static void a_transaction_that_cannot_be_ended_is_not_gone_on_with(void **state)
{
    struct budget budget = budget_of("bud_all", 1000);
    struct store_report report;
    struct store *reader;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    fault_arm(FAULT_MEMORY, 1, true);
    store_rollback(f.store);
    assert_status(&f, store_begin(f.store, &f.err), STATUS_IO);
    assert_non_null(strstr(f.err.text, "could not be ended"));
    assert_true(fault_disarm());
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(&f, store_check(f.store, &report, &f.err));
    assert_int_equal(report.budget_count, 0);

    assert_ok(&f, store_open(f.path, STORE_READER, &reader, NULL, &f.err));
    assert_ok(&f, store_read_begin(reader, &f.err));
    fault_arm(FAULT_MEMORY, 1, true);
    store_read_end(reader);
    assert_status(&f, store_read_begin(reader, &f.err), STATUS_IO);
    assert_true(fault_disarm());
    assert_ok(&f, store_read_begin(reader, &f.err));
    store_read_end(reader);
    store_close(reader);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_in_trouble_says_so_or_is_whole),
        cmocka_unit_test(
            a_store_that_cannot_be_opened_for_want_of_memory_opens_afterwards),
        cmocka_unit_test(a_copy_in_trouble_is_whole_or_not_there),
        cmocka_unit_test(a_copy_takes_nobody_s_place),
        cmocka_unit_test(a_store_has_a_path_that_can_be),
        cmocka_unit_test(a_log_that_cannot_be_moved_says_so_and_loses_nothing),
        cmocka_unit_test(a_transaction_that_cannot_be_ended_is_not_gone_on_with),
    };

    fault_install();
    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
