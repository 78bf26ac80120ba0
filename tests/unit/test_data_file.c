/* test_data_file.c - what is synced, and when, while the log is moved into the database
 * file, and what may be written meanwhile: seen from below, by a file layer that counts
 * and interferes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/store_fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 512 << 10, /* as in data_file.c */
    PAGE_BYTES_MAX = 64 << 10,
    CONTEXT_BYTES = 1 << 20, /* of one decision */
};

/* --- the layer that counts ---------------------------------------------------------------------- */

static struct {
    int64_t written_bytes, unsynced_bytes, unsynced_bytes_max;
    int sync_count, log_sync_count;
} seen; /* of the database file; of its log where it says so */

static sqlite3_vfs *original, counting;
static const sqlite3_io_methods *real;
static sqlite3_io_methods data_methods, log_methods;

static int data_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    seen.written_bytes += count;
    seen.unsynced_bytes += count;
    if (seen.unsynced_bytes > seen.unsynced_bytes_max)
        seen.unsynced_bytes_max = seen.unsynced_bytes;
    return real->xWrite(file, bytes, count, at);
}

static int data_sync(sqlite3_file *file, int flags)
{
    seen.sync_count++;
    seen.unsynced_bytes = 0;
    return real->xSync(file, flags);
}

static int log_sync(sqlite3_file *file, int flags)
{
    seen.log_sync_count++;
    return real->xSync(file, flags);
}

/* SQLite has looked at the end of the log that it is about to move, and not yet at what
 * was moved. */
static void (*in_between)(void *context);
static void *in_between_context;

static int data_unfetch(sqlite3_file *file, sqlite3_int64 at, void *page)
{
    void (*interfere)(void *context) = in_between;

    in_between = NULL;
    if (interfere)
        interfere(in_between_context);
    return real->xUnfetch(file, at, page);
}

/* What is called here is the same for all files of the original layer; a log has no
 * index. */
static int counting_open(sqlite3_vfs *self, const char *name, sqlite3_file *file,
                         int flags, int *flags_out)
{
    int code = original->xOpen(original, name, file, flags, flags_out);

    (void)self;
    if (code != SQLITE_OK || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
        return code;
    real = file->pMethods;
    if (flags & SQLITE_OPEN_WAL) {
        log_methods = *real;
        log_methods.xSync = log_sync;
        file->pMethods = &log_methods;
    } else {
        data_methods = *real;
        data_methods.xWrite = data_write;
        data_methods.xSync = data_sync;
        data_methods.xUnfetch = data_unfetch;
        file->pMethods = &data_methods;
    }
    return code;
}

static int counting_install(void **state)
{
    (void)state;
    original = sqlite3_vfs_find(NULL);
    counting = *original;
    counting.zName = "counting";
    counting.xOpen = counting_open;
    return sqlite3_vfs_register(&counting, 1);
}

/* --- decisions ---------------------------------------------------------------------------------- */

struct stage {
    struct fixture fixture;
    struct store *keeper, *reader;
    struct budget budget;
    int decision_count;
    char *context;
};

static void stage_open(struct stage *stage)
{
    struct fixture *f = &stage->fixture;

    *stage = (struct stage){.budget = budget_of("bud_all", 1000000)};
    stage->context = malloc(CONTEXT_BYTES);
    assert_non_null(stage->context);
    memset(stage->context, 'c', CONTEXT_BYTES);
    fixture_open(f);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_open(f->store, &stage->budget, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
    assert_ok(f, store_open(f->path, STORE_READER, &stage->keeper, NULL, &f->err));
    assert_ok(f, store_open(f->path, STORE_READER, &stage->reader, NULL, &f->err));
    assert_ok(f, store_checkpoint(stage->keeper, NULL, &f->err));
}

static void stage_close(struct stage *stage)
{
    store_close(stage->reader);
    store_close(stage->keeper);
    fixture_close(&stage->fixture);
    free(stage->context);
}

/* A decision with a megabyte, and its commit. */
static void decide_large(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct decision_row row;

    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, decide_once(f->store, &stage->budget, ++stage->decision_count, 10, &row,
                             &f->err));
    row.context = (struct text){stage->context, CONTEXT_BYTES};
    snprintf(row.id, sizeof row.id, "dec_large_%d", stage->decision_count);
    assert_ok(f, decision_insert(f->store, &row, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
}

/* The reader's view is of now: what comes later stays in the log, so that SQLite does not
 * sync. */
static void look(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct store_stats stats;

    assert_ok(f, store_read_begin(stage->reader, &f->err));
    assert_ok(f, store_stats(stage->reader, &stats, &f->err));
}

/* --- tests -------------------------------------------------------------------------------------- */

static void what_is_moved_is_synced_in_pieces(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;

    (void)state;
    stage_open(&stage);
    for (int i = 0; i < 3; i++)
        decide_large(&stage);
    look(&stage);
    decide_large(&stage);
    memset(&seen, 0, sizeof seen);
    assert_ok(f, store_checkpoint(stage.keeper, NULL, &f->err));
    assert_true(seen.written_bytes >= 3 * CONTEXT_BYTES);
    assert_in_range(seen.unsynced_bytes_max, 1, PIECE_BYTES + PAGE_BYTES_MAX);
    assert_int_equal(seen.sync_count, seen.written_bytes / PIECE_BYTES);
    stage_close(&stage);
}

/* A disk whose syncs take long would not keep up with pieces of one size. */
static void pieces_grow_with_what_is_moved(void **state)
{
    enum { DECISION_COUNT = 40, SYNC_COUNT_MAX = 30 };
    struct stage stage;
    struct fixture *f = &stage.fixture;

    (void)state;
    stage_open(&stage);
    for (int i = 0; i < DECISION_COUNT; i++)
        decide_large(&stage);
    memset(&seen, 0, sizeof seen);
    assert_ok(f, store_checkpoint(stage.keeper, NULL, &f->err));
    assert_true(seen.written_bytes >= (int64_t)DECISION_COUNT * CONTEXT_BYTES);
    assert_in_range(seen.unsynced_bytes_max, PIECE_BYTES, seen.written_bytes / 8);
    assert_in_range(seen.sync_count, 8, SYNC_COUNT_MAX);
    stage_close(&stage);
}

static void of_a_long_log_nothing_moved_is_left_to_sync_for_the_writer(void **state)
{
    enum { DECISION_COUNT = 100 };
    struct stage stage;
    struct fixture *f = &stage.fixture;
    bool is_long = false;

    (void)state;
    stage_open(&stage);
    for (int i = 0; i < DECISION_COUNT; i++)
        decide_large(&stage);
    look(&stage);
    decide_large(&stage);
    memset(&seen, 0, sizeof seen);
    assert_ok(f, store_checkpoint(stage.keeper, &is_long, &f->err));
    assert_true(is_long && seen.written_bytes > 0);
    assert_int_equal(seen.unsynced_bytes, 0);
    stage_close(&stage);
}

/* The writer waits once, for the database, and not in pieces; who has written nothing
 * cannot know what is synced. */
static void the_writer_does_not_sync_again_what_it_has_synced(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;

    (void)state;
    stage_open(&stage);
    for (int i = 0; i < 3; i++)
        decide_large(&stage);
    memset(&seen, 0, sizeof seen);
    assert_ok(f, store_checkpoint_rest(f->store, &f->err));
    assert_true(seen.written_bytes >= 3 * CONTEXT_BYTES);
    assert_int_equal(seen.log_sync_count, 0);
    assert_int_equal(seen.sync_count, 1);
    assert_int_equal(seen.unsynced_bytes, 0);
    decide_large(&stage);
    assert_int_equal(seen.log_sync_count,
                     2); /* the log that begins anew, and the commit */
    assert_ok(f, store_checkpoint(stage.keeper, NULL, &f->err));
    assert_int_equal(seen.log_sync_count, 3);
    stage_close(&stage);
}

/* --- commits meanwhile -------------------------------------------------------------------------- */

static void decide(struct stage *stage, int count)
{
    struct fixture *f = &stage->fixture;
    struct decision_row row;

    for (int i = 0; i < count; i++) {
        assert_ok(f, store_begin(f->store, &f->err));
        assert_ok(f, decide_once(f->store, &stage->budget, ++stage->decision_count, 10,
                                 &row, &f->err));
        assert_ok(f, store_commit(f->store, &f->err));
    }
}

static int interference_count;

static void decide_twice(void *context)
{
    interference_count++;
    decide(context, 2);
}

static void assert_all_there(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct store_report report;
    struct store *other;

    assert_ok(f, store_open(f->path, STORE_READER, &other, NULL, &f->err));
    assert_ok(f, store_check(other, &report, &f->err));
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.decision_count, stage->decision_count);
    store_close(other);
}

/* The writer would begin the log anew while the keeper believes to know where it ends:
 * frames that are written later would be taken for moved, and overwritten. */
static void a_log_does_not_begin_anew_while_it_is_moved(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;

    (void)state;
    stage_open(&stage);
    decide(&stage, 60);
    assert_ok(f, store_checkpoint_rest(f->store, &f->err));
    interference_count = 0;
    in_between_context = &stage;
    in_between = decide_twice;
    assert_ok(f, store_checkpoint(stage.keeper, NULL, &f->err));
    assert_int_equal(interference_count, 1);
    for (int i = 0; i < 40; i++) {
        decide(&stage, 5);
        assert_ok(f, store_checkpoint(stage.keeper, NULL, &f->err));
    }
    assert_all_there(&stage);
    stage_close(&stage);
}

/* What a former process left in the log may be nowhere but in memory. */
static void a_log_that_is_found_is_moved_before_anything_is_answered(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;

    (void)state;
    stage_open(&stage);
    decide_large(&stage);
    store_close(f->store); /* others have it open: the log stays */
    f->store = NULL;
    assert_ok(f, store_open(f->path, STORE_WRITER, &f->store, NULL, &f->err));
    memset(&seen, 0, sizeof seen);
    assert_ok(f, store_wal_reserve(f->store, 0, &f->err));
    assert_true(seen.log_sync_count > 0);
    assert_true(seen.written_bytes >= CONTEXT_BYTES);
    assert_int_equal(seen.unsynced_bytes, 0);
    stage_close(&stage);
}

/* And begins anew once it is moved: it would grow for ever. */
static void a_log_that_was_moved_begins_anew(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;
    struct store_stats stats;
    int64_t bytes;

    (void)state;
    stage_open(&stage);
    decide_large(&stage);
    assert_ok(f, store_stats(f->store, &stats, &f->err));
    bytes = stats.wal_bytes;
    for (int i = 0; i < 10; i++) {
        assert_ok(f, store_checkpoint(stage.keeper, NULL, &f->err));
        decide_large(&stage);
    }
    assert_ok(f, store_stats(f->store, &stats, &f->err));
    assert_in_range(stats.wal_bytes, bytes, 2 * bytes);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_moved_is_synced_in_pieces),
        cmocka_unit_test(pieces_grow_with_what_is_moved),
        cmocka_unit_test(of_a_long_log_nothing_moved_is_left_to_sync_for_the_writer),
        cmocka_unit_test(the_writer_does_not_sync_again_what_it_has_synced),
        cmocka_unit_test(a_log_does_not_begin_anew_while_it_is_moved),
        cmocka_unit_test(a_log_that_is_found_is_moved_before_anything_is_answered),
        cmocka_unit_test(a_log_that_was_moved_begins_anew),
    };

    return cmocka_run_group_tests(tests, counting_install, NULL);
}
