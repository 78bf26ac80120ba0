/* test_store.c - opening, transactions, readers, checkpoints, reserve, backup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct budget decided(struct fixture *f, int count)
{
    struct budget budget = budget_of("bud_all", 1000000);
    struct decision_row row;

    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_open(f->store, &budget, &f->err));
    for (int i = 1; i <= count; i++)
        assert_ok(f, decide_once(f->store, &budget, i, 10, &row, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
    return budget;
}

static void clean(struct fixture *f)
{
    struct store_report report;

    assert_ok(f, store_check(f->store, &report, &f->err));
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.fault_count, 0);
}

static void a_new_file_is_private_and_has_the_schema(void **state)
{
    struct fixture f;
    struct store_stats stats;
    struct stat info;

    (void)state;
    fixture_open(&f);
    assert_int_equal(stat(f.path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(&f, store_stats(f.store, &stats, &f.err));
    assert_int_equal(stats.schema_version, STORE_SCHEMA_VERSION);
    assert_int_equal(stats.decision_count, 0);
    clean(&f);
    fixture_reopen(&f);
    clean(&f);
    fixture_close(&f);
}

static void a_newer_schema_is_refused_with_both_numbers(void **state)
{
    struct fixture f;
    char said[96], pragma[40];

    (void)state;
    snprintf(said, sizeof said,
             "database has schema %d, this program knows %d: use a newer redress",
             STORE_SCHEMA_VERSION + 4, STORE_SCHEMA_VERSION);
    fixture_open(&f);
    store_close(f.store);
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", STORE_SCHEMA_VERSION + 4);
    tamper(f.path, pragma);
    for (int mode = STORE_WRITER; mode <= STORE_READER; mode++) {
        assert_status(&f, store_open(f.path, mode, &f.store, NULL, &f.err),
                      STATUS_INVALID);
        assert_non_null(strstr(f.err.text, said));
    }
    fixture_close(&f);
}

static void a_secret_is_made_once_and_stays(void **state)
{
    unsigned char secret[SECRET_BYTES] = "first";
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, secret_insert(f.store, "draws", secret, &f.err));
    assert_status(&f, secret_insert(f.store, "draws", secret, &f.err), STATUS_CONFLICT);
    assert_ok(&f, store_commit(f.store, &f.err));
    fixture_close(&f);
}

static void the_database_of_another_program_is_left_alone(void **state)
{
    struct fixture f;
    char path[128];

    (void)state;
    fixture_open(&f);
    snprintf(path, sizeof path, "%s/other.db", f.folder);
    tamper(path, "CREATE TABLE theirs (x); PRAGMA user_version = 1");
    store_close(f.store);
    assert_status(&f, store_open(path, STORE_WRITER, &f.store, NULL, &f.err),
                  STATUS_INVALID);
    tamper(path, "INSERT INTO theirs VALUES (1); PRAGMA user_version = 0");
    assert_status(&f, store_open(path, STORE_WRITER, &f.store, NULL, &f.err),
                  STATUS_INVALID);
    fixture_close(&f);
}

static void a_file_that_is_no_database_is_corrupt(void **state)
{
    struct fixture f;
    char path[128];
    FILE *file;

    (void)state;
    fixture_open(&f);
    snprintf(path, sizeof path, "%s/text.db", f.folder);
    file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("no database ", file);
    fclose(file);
    store_close(f.store);
    for (int mode = STORE_WRITER; mode <= STORE_READER; mode++) {
        assert_status(&f, store_open(path, mode, &f.store, NULL, &f.err), STATUS_CORRUPT);
        assert_non_null(strstr(f.err.text, "is not a database: restore a backup"));
    }
    fixture_close(&f);
}

static void an_emptied_file_is_refused_and_a_failed_start_leaves_none(void **state)
{
    const struct rlimit usual = {RLIM_INFINITY, RLIM_INFINITY},
                        small = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    struct fixture f;
    char path[128];

    (void)state;
    fixture_open(&f);
    decided(&f, 3);
    store_close(f.store);
    assert_int_equal(truncate(f.path, 0), 0);
    for (int mode = STORE_WRITER; mode <= STORE_READER; mode++) {
        assert_status(&f, store_open(f.path, mode, &f.store, NULL, &f.err),
                      STATUS_CORRUPT);
        assert_non_null(
            strstr(f.err.text, "is empty: restore a backup, or delete it to begin anew"));
    }
    /* A limit on file sizes stands in for a full disk. */
    snprintf(path, sizeof path, "%s/new.db", f.folder);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(store_open(path, STORE_WRITER, &f.store, NULL, &f.err) != STATUS_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(&f, store_open(path, STORE_WRITER, &f.store, NULL, &f.err));
    fixture_close(&f);
}

static void a_database_that_was_half_made_is_made_again(void **state)
{
    struct fixture f;
    char path[128], fresh[160], staged[160];

    (void)state;
    fixture_open(&f);
    store_close(f.store);
    snprintf(path, sizeof path, "%s/new.db", f.folder);
    snprintf(fresh, sizeof fresh, "%s/.new.db.being-made", f.folder);
    snprintf(staged, sizeof staged, "%s.new", path);
    tamper(fresh, "CREATE TABLE budgets (x); PRAGMA user_version = 99");
    tamper(staged, "CREATE TABLE budgets (x)");
    assert_ok(&f, store_open(path, STORE_WRITER, &f.store, NULL, &f.err));
    assert_int_equal(access(fresh, F_OK), -1);
    /* A copy that somebody is about to put back. */
    assert_int_equal(access(staged, F_OK), 0);
    assert_int_equal(unlink(staged), 0);
    clean(&f);
    fixture_close(&f);
}

static void a_log_without_its_database_is_refused_and_kept(void **state)
{
    static const char *const endings[] = {"-wal", "-journal"};
    struct fixture f;
    char path[128], beside[160];
    FILE *file;

    (void)state;
    fixture_open(&f);
    store_close(f.store);
    snprintf(path, sizeof path, "%s/new.db", f.folder);
    for (int i = 0; i < 2; i++) {
        snprintf(beside, sizeof beside, "%s%s", path, endings[i]);
        file = fopen(beside, "w");
        assert_non_null(file);
        fclose(file);
        assert_status(&f, store_open(path, STORE_WRITER, &f.store, NULL, &f.err),
                      STATUS_CORRUPT);
        assert_non_null(strstr(f.err.text, "is missing, but its log"));
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(unlink(beside), 0);
    }
    assert_ok(&f, store_open(path, STORE_WRITER, &f.store, NULL, &f.err));
    fixture_close(&f);
}

static void a_reader_of_a_missing_file_finds_nothing(void **state)
{
    struct err err;
    struct store *store;

    (void)state;
    assert_int_equal(store_open("/nowhere/redress.db", STORE_READER, &store, NULL, &err),
                     STATUS_NOT_FOUND);
    assert_null(store);
    assert_int_equal(store_open("/nowhere/redress.db", STORE_WRITER, &store, NULL, &err),
                     STATUS_IO);
}

static void a_reader_sees_only_what_is_committed(void **state)
{
    struct fixture f;
    struct store *reader;
    struct budget budget = budget_of("bud_all", 500), seen;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_open(f.path, STORE_READER, &reader, NULL, &f.err));
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    assert_status(&f, budget_find(reader, "bud_all", &seen, &f.err), STATUS_NOT_FOUND);
    assert_ok(&f, store_read_begin(reader, &f.err));
    assert_status(&f, budget_find(reader, "bud_all", &seen, &f.err), STATUS_NOT_FOUND);
    assert_ok(&f, store_commit(f.store, &f.err));
    /* Its view began before the commit. */
    assert_status(&f, budget_find(reader, "bud_all", &seen, &f.err), STATUS_NOT_FOUND);
    store_read_end(reader);
    assert_ok(&f, budget_find(reader, "bud_all", &seen, &f.err));
    assert_int_equal(seen.limit, 500);
    store_close(reader);
    fixture_close(&f);
}

static void writing_outside_a_transaction_or_through_a_reader_fails(void **state)
{
    struct fixture f;
    struct store *reader;
    struct budget budget = budget_of("bud_all", 500);

    (void)state;
    fixture_open(&f);
    assert_status(&f, budget_insert(f.store, &budget, &f.err), STATUS_IO);
    assert_ok(&f, store_open(f.path, STORE_READER, &reader, NULL, &f.err));
    assert_status(&f, budget_insert(reader, &budget, &f.err), STATUS_IO);
    assert_status(&f, budget_find(f.store, "bud_all", &budget, &f.err), STATUS_NOT_FOUND);
    store_close(reader);
    fixture_close(&f);
}

static void a_rollback_restores_the_heads_of_the_chains(void **state)
{
    struct fixture f;
    struct budget budget, before;
    struct decision_row row;
    struct audit_event event = {.actor = "cli", .action = "test", .subject = "x"};

    (void)state;
    fixture_open(&f);
    before = budget = decided(&f, 3);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, decide_once(f.store, &budget, 4, 10, &row, &f.err));
    assert_ok(&f, audit_append(f.store, &event, &f.err));
    store_rollback(f.store);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, decide_once(f.store, &before, 4, 10, &row, &f.err));
    assert_ok(&f, audit_append(f.store, &event, &f.err));
    assert_int_equal(event.seq, 1);
    assert_ok(&f, store_commit(f.store, &f.err));
    clean(&f);
    fixture_close(&f);
}

static void two_writers_take_turns_and_share_one_chain(void **state)
{
    struct fixture f;
    struct store *other;
    struct budget budget;
    struct decision_row row;

    (void)state;
    fixture_open(&f);
    budget = decided(&f, 1);
    assert_ok(&f, store_open(f.path, STORE_WRITER, &other, NULL, &f.err));
    for (int i = 2; i < 20; i++) {
        struct store *turn = i % 3 ? f.store : other;

        assert_ok(&f, store_begin(turn, &f.err));
        assert_ok(&f, decide_once(turn, &budget, i, 10, &row, &f.err));
        assert_ok(&f, store_commit(turn, &f.err));
    }
    clean(&f);
    store_close(other);
    fixture_close(&f);
}

static void a_broken_reference_is_found(void **state)
{
    struct fixture f;
    struct store_report report;
    struct budget budget;

    (void)state;
    fixture_open(&f);
    budget = decided(&f, 1);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_move(f.store, &budget, ENTRY_HOLD, 5, "dec_none", &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(&f, store_check(f.store, &report, &f.err));
    assert_string_equal(report.first_fault,
                        "Row 3 of 'entries' refers to a row of 'decisions' that is not "
                        "there.");
    fixture_close(&f);
}

static void the_log_keeps_its_reserved_size_over_checkpoints(void **state)
{
    struct fixture f;
    struct store *keeper;
    struct store_stats stats;
    struct budget budget;
    struct decision_row row;

    (void)state;
    fixture_open(&f);
    budget = decided(&f, 1);
    assert_ok(&f, store_open(f.path, STORE_READER, &keeper, NULL, &f.err));
    assert_ok(&f, store_wal_reserve(f.store, 4 << 20, &f.err));
    for (int i = 2; i < 100; i++) {
        assert_ok(&f, store_begin(f.store, &f.err));
        assert_ok(&f, decide_once(f.store, &budget, i, 10, &row, &f.err));
        assert_ok(&f, store_commit(f.store, &f.err));
        if (i % 7 == 0)
            assert_ok(&f, store_checkpoint(keeper, NULL, &f.err));
        assert_ok(&f, store_stats(f.store, &stats, &f.err));
        assert_int_equal(stats.wal_bytes, 4 << 20);
    }
    /* Reserving less, or again, cuts nothing. */
    assert_ok(&f, store_wal_reserve(f.store, 1 << 20, &f.err));
    assert_ok(&f, store_stats(f.store, &stats, &f.err));
    assert_int_equal(stats.wal_bytes, 4 << 20);
    assert_int_equal(stats.decision_count, 99);
    clean(&f);
    store_close(keeper);
    fixture_reopen(&f);
    clean(&f);
    fixture_close(&f);
}

static void the_index_of_a_reserved_log_has_room_for_all_its_frames(void **state)
{
    static const struct {
        int frame_count, part_count;
    } rows[] = {{0, 1}, {4062, 1}, {4063, 2}, {4062 + 4096, 2}, {4063 + 4096, 3}};
    struct fixture f;
    struct stat index;
    char path[128];

    (void)state;
    fixture_open(&f);
    snprintf(path, sizeof path, "%s-shm", f.path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(&f,
                  store_wal_reserve(f.store, rows[i].frame_count * (24 + 4096), &f.err));
        assert_int_equal(stat(path, &index), 0);
        assert_int_equal(index.st_size, rows[i].part_count * (32 << 10));
    }
    clean(&f);
    fixture_close(&f);
}

static void see(struct fixture *f, struct store *reader)
{
    struct store_stats stats;

    assert_ok(f, store_read_begin(reader, &f->err));
    assert_ok(f, store_stats(reader, &stats, &f->err));
}

/* Decisions of a megabyte; checkpoints on another connection are always one decision
 * behind, since somebody reads, so that the log never starts again by itself. */
static void a_long_log_starts_again_when_the_writer_moves_the_rest(void **state)
{
    enum { CONTEXT_BYTES = 1 << 20, DECISION_COUNT = 260 };
    struct fixture f;
    struct store *keeper, *reader;
    struct store_stats stats;
    struct budget budget;
    struct decision_row row;
    int restart_count = 0;
    char *context = calloc(1, CONTEXT_BYTES);

    (void)state;
    assert_non_null(context);
    memset(context, 'c', CONTEXT_BYTES);
    fixture_open(&f);
    budget = decided(&f, 1);
    assert_ok(&f, store_open(f.path, STORE_READER, &keeper, NULL, &f.err));
    assert_ok(&f, store_open(f.path, STORE_READER, &reader, NULL, &f.err));
    see(&f, reader);
    for (int i = 2; i < DECISION_COUNT; i++) {
        bool is_long = false;

        assert_ok(&f, store_begin(f.store, &f.err));
        assert_ok(&f, decide_once(f.store, &budget, i, 10, &row, &f.err));
        row.context = (struct text){context, CONTEXT_BYTES};
        snprintf(row.id, sizeof row.id, "dec_long_%d", i);
        assert_ok(&f, decision_insert(f.store, &row, &f.err));
        assert_ok(&f, store_commit(f.store, &f.err));
        assert_ok(&f, store_checkpoint(keeper, &is_long, &f.err));
        store_read_end(reader);
        if (is_long)
            assert_ok(&f, store_checkpoint_rest(f.store, &f.err));
        restart_count += is_long;
        see(&f, reader);
    }
    assert_ok(&f, store_stats(f.store, &stats, &f.err));
    assert_true(restart_count > 0 && restart_count < DECISION_COUNT / 10);
    assert_true(stats.wal_bytes < 128 << 20);
    free(context);
    store_close(reader);
    store_close(keeper);
    fixture_close(&f);
}

static void a_backup_holds_what_was_committed_and_opens(void **state)
{
    struct fixture f;
    struct store *copy;
    struct store_report report;
    struct stat info;
    char path[128];

    (void)state;
    fixture_open(&f);
    decided(&f, 50);
    snprintf(path, sizeof path, "%s/copy.db", f.folder);
    assert_ok(&f, store_backup(f.store, path, &f.err));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_status(&f, store_backup(f.store, path, &f.err), STATUS_CONFLICT);
    assert_ok(&f, store_open(path, STORE_WRITER, &copy, NULL, &f.err));
    assert_ok(&f, store_check(copy, &report, &f.err));
    assert_int_equal(report.fault_count, 0);
    assert_int_equal(report.decision_count, 50);
    assert_int_equal(report.entry_count, 51);
    store_close(copy);
    assert_status(&f, store_backup(f.store, "/nowhere/copy.db", &f.err), STATUS_IO);
    fixture_close(&f);
}

static void a_backup_through_a_reader_works_while_others_write(void **state)
{
    struct fixture f;
    struct store *reader, *copy;
    struct store_report report;
    struct budget budget;
    struct decision_row row;
    char path[128];

    (void)state;
    fixture_open(&f);
    budget = decided(&f, 5);
    assert_ok(&f, store_open(f.path, STORE_READER, &reader, NULL, &f.err));
    snprintf(path, sizeof path, "%s/copy.db", f.folder);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, decide_once(f.store, &budget, 6, 10, &row, &f.err));
    assert_ok(&f, store_backup(reader, path, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(&f, store_open(path, STORE_READER, &copy, NULL, &f.err));
    assert_ok(&f, store_check(copy, &report, &f.err));
    assert_int_equal(report.decision_count, 5);
    assert_int_equal(report.fault_count, 0);
    store_close(copy);
    store_close(reader);
    fixture_close(&f);
}

/* Each edit through plain sqlite3 is found, and named. */
static void every_tampered_row_is_found(void **state)
{
    static const struct {
        const char *sql, *fault;
    } edits[] = {
        {"UPDATE entries SET amount = 11 WHERE seq = 4", "entry 4 was changed"},
        {"UPDATE entries SET created_at_us = 5 WHERE seq = 4", "entry 4 was changed"},
        {"UPDATE entries SET decision_id = 'dec_00000000000000000000000009' WHERE seq = "
         "4",
         "entry 4 was changed"},
        {"UPDATE entries SET hash = randomblob(32) WHERE seq = 4", "entry 4 was changed"},
        {"DELETE FROM entries WHERE seq = 4", "entry 4 is missing"},
        {"DELETE FROM entries WHERE seq = 11", "entry 11 is missing"},
        {"DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)",
         "held 110, spent 0, but its entries add up to 1000000, 100, 0"},
        {"DELETE FROM entries WHERE seq > 11; UPDATE budgets SET held_minor = 100",
         "The last row of 'entries' is 11, but row 12 was written last"},
        {"UPDATE entries SET seq = 1000 WHERE seq = 4; UPDATE entries SET seq = 4 WHERE "
         "seq = "
         "5; UPDATE entries SET seq = 5 WHERE seq = 1000",
         "entry 4 was changed"},
        {"UPDATE budgets SET spent_minor = 10, held_minor = held_minor - 10", "add up"},
        {"UPDATE budgets SET limit_minor = 2000000", "add up"},
        {"UPDATE decisions SET status = 1 WHERE number = 3",
         "is settled, but 10 is still"},
        {"UPDATE decisions SET answer_number = 999 WHERE number = 3",
         "Row 3 of 'decisions' refers to a row of 'answers'"},
        {"DELETE FROM chains WHERE name = 'audit'", "'audit' ends is not recorded"},
        {"UPDATE audit SET actor = 'nobody' WHERE seq = 2", "Audit event 2 was changed"},
        {"UPDATE audit SET detail = '{}' WHERE seq = 2", "Audit event 2 was changed"},
        /* The same bytes in a row, cut at another place. */
        {"UPDATE audit SET actor = 'cl', action = 'itest' WHERE seq = 2",
         "Audit event 2 was changed"},
        {"DELETE FROM audit WHERE seq = 1", "Audit event 1 is missing"},
        {"DELETE FROM audit WHERE seq = 3", "The last row of 'audit' is 2, but row 3"},
        /* Rows that are in no chain. */
        {"UPDATE answers SET body = '{\"object\":\"Decision\"}' WHERE number = 3",
         "Row 3 of 'answers' was changed"},
        {"UPDATE answers SET http_status = 200 WHERE number = 3",
         "Row 3 of 'answers' was changed"},
        {"UPDATE decisions SET context = '{\"a\": 1}' WHERE number = 3",
         "Row 3 of 'decisions' was changed"},
        {"UPDATE decisions SET context = '[]' WHERE number = 3",
         "has a context that cannot be read"},
        {"UPDATE decisions SET customer_id = 'c_2' WHERE number = 3",
         "Row 3 of 'decisions' was changed"},
        {"UPDATE budgets SET issue = 'late'", "Row 1 of 'budgets' was changed"},
        {"UPDATE budgets SET digest = digest + 1", "Row 1 of 'budgets' was changed"},
        {"PRAGMA foreign_keys = OFF; UPDATE decisions SET answer_number = NULL;"
         "DELETE FROM answers WHERE number = 2",
         "Row 2 of 'answers' is missing"},
        {"DROP INDEX decisions_order", "The schema is not the one"},
        {"CREATE TRIGGER theirs AFTER INSERT ON entries BEGIN SELECT 1; END",
         "The schema is not the one"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct fixture f;
        struct store_report report;
        struct audit_event event = {.actor = "cli",
                                    .action = "test",
                                    .subject = "x",
                                    .detail = text_of("{\"a\":1}")};

        fixture_open(&f);
        decided(&f, 11);
        assert_ok(&f, store_begin(f.store, &f.err));
        for (int k = 0; k < 3; k++)
            assert_ok(&f, audit_append(f.store, &event, &f.err));
        assert_ok(&f, store_commit(f.store, &f.err));
        clean(&f);
        store_close(f.store);
        tamper(f.path, edits[i].sql);
        assert_ok(&f, store_open(f.path, STORE_READER, &f.store, NULL, &f.err));
        assert_ok(&f, store_check(f.store, &report, &f.err));
        if (report.fault_count == 0 || !strstr(report.first_fault, edits[i].fault))
            fail_msg("%s: %lld faults, '%s'", edits[i].sql, (long long)report.fault_count,
                     report.first_fault);
        assert_int_equal(report.first_fault[strlen(report.first_fault) - 1], '.');
        fixture_close(&f);
    }
}

/* Also by the writer that would go on: it does not append to a ledger that was cut. */
static void nothing_is_appended_to_a_chain_that_was_cut(void **state)
{
    struct fixture f;
    struct budget budget;

    (void)state;
    fixture_open(&f);
    budget = decided(&f, 3);
    store_close(f.store);
    tamper(f.path, "DELETE FROM entries WHERE seq = 4");
    assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_status(&f, budget_move(f.store, &budget, ENTRY_ADJUST, 5, "", &f.err),
                  STATUS_CORRUPT);
    store_rollback(f.store);
    fixture_close(&f);
}

static void damage_to_any_page_never_crashes(void **state)
{
    struct fixture f;
    struct rng rng;
    FILE *file;
    long bytes;
    int found_count = 0;

    (void)state;
    rng_seed(&rng, seed_print("damage_to_any_page_never_crashes"));
    for (int round = 0; round < 40; round++) {
        struct store_report report = {0};
        enum status rc;

        fixture_open(&f);
        decided(&f, 100);
        store_close(f.store);
        f.store = NULL;
        file = fopen(f.path, "r+");
        fseek(file, 0, SEEK_END);
        bytes = ftell(file);
        for (int i = 0; i < 20; i++) {
            fseek(file, (long)rng_below(&rng, (uint64_t)bytes), SEEK_SET);
            fputc((int)rng_below(&rng, 256), file);
        }
        fclose(file);
        rc = store_open(f.path, STORE_READER, &f.store, NULL, &f.err);
        if (!rc)
            rc = store_check(f.store, &report, &f.err);
        found_count += rc || report.fault_count;
        fixture_close(&f);
    }
    assert_true(found_count > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_is_private_and_has_the_schema),
        cmocka_unit_test(a_newer_schema_is_refused_with_both_numbers),
        cmocka_unit_test(a_secret_is_made_once_and_stays),
        cmocka_unit_test(the_database_of_another_program_is_left_alone),
        cmocka_unit_test(a_file_that_is_no_database_is_corrupt),
        cmocka_unit_test(an_emptied_file_is_refused_and_a_failed_start_leaves_none),
        cmocka_unit_test(a_database_that_was_half_made_is_made_again),
        cmocka_unit_test(a_log_without_its_database_is_refused_and_kept),
        cmocka_unit_test(a_reader_of_a_missing_file_finds_nothing),
        cmocka_unit_test(a_reader_sees_only_what_is_committed),
        cmocka_unit_test(writing_outside_a_transaction_or_through_a_reader_fails),
        cmocka_unit_test(a_rollback_restores_the_heads_of_the_chains),
        cmocka_unit_test(two_writers_take_turns_and_share_one_chain),
        cmocka_unit_test(a_broken_reference_is_found),
        cmocka_unit_test(the_log_keeps_its_reserved_size_over_checkpoints),
        cmocka_unit_test(the_index_of_a_reserved_log_has_room_for_all_its_frames),
        cmocka_unit_test(a_long_log_starts_again_when_the_writer_moves_the_rest),
        cmocka_unit_test(a_backup_holds_what_was_committed_and_opens),
        cmocka_unit_test(a_backup_through_a_reader_works_while_others_write),
        cmocka_unit_test(every_tampered_row_is_found),
        cmocka_unit_test(nothing_is_appended_to_a_chain_that_was_cut),
        cmocka_unit_test(damage_to_any_page_never_crashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
