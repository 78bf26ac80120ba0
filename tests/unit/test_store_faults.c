/* test_store_faults.c - the disk fails, memory ends, the process is killed: no money is
 * lost, none is made.
 *
 * Each sweep lets the first, second, third ... call fail, once and for good, until the
 * operation goes through untouched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "../support/store_fault_vfs.h"
#include "../support/store_fixture.h"
#include "../support/torture.h"

#include "base/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BEFORE_COUNT = 3 };

/* A database with all but the last of the decisions there are before, closed: making it
 * anew for each fault would take most of the time. */
static struct {
    char *bytes;
    size_t count;
} prepared;

static void decide_before(struct fixture *f, struct budget *budget, int number)
{
    struct decision_row row;

    assert_ok(f, decide_once(f->store, budget, number, 10, &row, &f->err));
}

static void make_prepared(void)
{
    struct budget budget = budget_of("bud_all", 1000);
    struct fixture f;

    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    for (int i = 1; i < BEFORE_COUNT; i++)
        decide_before(&f, &budget, i);
    assert_ok(&f, store_commit(f.store, &f.err));
    store_close(f.store);
    f.store = NULL;
    assert_ok(&f, file_read(f.path, SIZE_MAX, &prepared.bytes, &prepared.count, &f.err));
    fixture_close(&f);
}

/* A folder with nothing in it. */
static void prepare_folder(struct fixture *f)
{
    *f = (struct fixture){0};
    assert_true(folder_for_store(f->folder));
    snprintf(f->path, sizeof f->path, "%s/redress.db", f->folder);
    arena_init(&f->arena, NULL, 0, 64 << 20);
}

/* The last decision stands in the log, the others in the database file. */
static void prepare(struct fixture *f, struct budget *budget)
{
    FILE *file;

    prepare_folder(f);
    file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(prepared.bytes, 1, prepared.count, file), prepared.count);
    assert_int_equal(fclose(file), 0);
    assert_ok(f, store_open(f->path, STORE_WRITER, &f->store, NULL, &f->err));
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_find(f->store, "bud_all", budget, &f->err));
    decide_before(f, budget, BEFORE_COUNT);
    assert_ok(f, store_commit(f->store, &f->err));
}

static bool is_clean_failure(enum status rc)
{
    return rc == STATUS_IO || rc == STATUS_EXHAUSTED || rc == STATUS_UNAVAILABLE;
}

/* What this connection finds: all sums agree, and so many decisions. */
static int64_t decisions_seen(struct fixture *f, struct store *store)
{
    struct store_report report;

    assert_ok(f, store_check(store, &report, &f->err));
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.entry_count, report.decision_count + 1);
    return report.decision_count;
}

/* What a reader that opens now finds. */
static int64_t decisions_found(struct fixture *f)
{
    struct store *reader;
    int64_t count;

    assert_ok(f, store_open(f->path, STORE_READER, &reader, NULL, &f->err));
    count = decisions_seen(f, reader);
    store_close(reader);
    return count;
}

static enum status decide_and_commit(struct fixture *f, int64_t number, int count)
{
    struct budget budget;
    struct decision_row row;
    enum status rc = store_begin(f->store, &f->err);

    if (rc)
        return rc;
    rc = budget_find(f->store, "bud_all", &budget, &f->err);
    for (int i = 0; !rc && i < count; i++)
        rc = decide_once(f->store, &budget, number + i, 1, &row, &f->err);
    if (!rc)
        return store_commit(f->store, &f->err);
    store_rollback(f->store);
    return rc;
}

/* What is committed under faults. */
struct load {
    int count;         /* decisions */
    bool is_restarted; /* the log begins again at its front */
};

/* One batch under one fault. False when the fault did not come to strike. */
static bool commit_under(enum fault_kind kind, long nth, bool is_lasting,
                         struct load load)
{
    struct fixture f;
    struct budget budget;
    enum status rc;
    int64_t found;
    bool has_struck;

    prepare(&f, &budget);
    if (load.is_restarted)
        assert_ok(&f, store_checkpoint(f.store, NULL, &f.err));
    fault_arm(kind, nth, is_lasting);
    rc = decide_and_commit(&f, BEFORE_COUNT + 1, load.count);
    has_struck = fault_disarm();
    found = decisions_found(&f);
    if (rc && (!has_struck || !is_clean_failure(rc)))
        fail_msg("kind %d, call %ld: status %d: %s", kind, nth, rc, f.err.text);
    assert_int_equal(found, rc ? BEFORE_COUNT : BEFORE_COUNT + load.count);
    /* After a sync that failed only opening again helps; else the same store goes on. */
    if (rc && kind == FAULT_SYNC) {
        assert_status(&f, store_begin(f.store, &f.err), STATUS_IO);
        fixture_reopen(&f);
        assert_int_equal(decisions_found(&f), BEFORE_COUNT);
    }
    assert_ok(&f, decide_and_commit(&f, 1000, 1));
    fixture_reopen(&f);
    assert_int_equal(decisions_seen(&f, f.store), found + 1);
    fixture_close(&f);
    return has_struck;
}

/* Every write and sync; of the calls of malloc every one in the long form, else each of
 * some that follow each other, from a first one that differs from run to run. *tried
 * counts what struck; the last one is returned. */
static long sweep(enum fault_kind kind, bool is_lasting, struct load load,
                  struct rng *rng, long *tried)
{
    long step = kind == FAULT_MEMORY ? (long)torture_sample(3, 6, 1) : 1;
    long nth = 1 + (long)rng_below(rng, (uint64_t)step);

    for (*tried = 0; commit_under(kind, nth, is_lasting, load); nth += step)
        ++*tried;
    return nth - step;
}

static void a_commit_under_faults_happens_or_does_not(void **state)
{
    static const struct load loads[] = {{1, false}, {1, true}, {300, false}, {300, true}};
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("a_commit_under_faults_happens_or_does_not"));
    for (int kind = FAULT_WRITE; kind < FAULT_KIND_COUNT; kind++)
        for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
            long once, lasting, once_last, lasting_last;

            /* The large batch is for the pieces the log is written in. */
            if (kind == FAULT_MEMORY && loads[i].count > 1)
                continue;
            once_last = sweep(kind, false, loads[i], &rng, &once);
            lasting_last = sweep(kind, true, loads[i], &rng, &lasting);
            printf(
                "  kind %d, %d decisions: %ld of %ld faults once, %ld of %ld for good\n",
                kind, loads[i].count, once, once_last, lasting, lasting_last);
            /* A commit does not cut files, and finds its pages in memory. */
            if (kind != FAULT_TRUNCATE && kind != FAULT_READ)
                assert_true(once > 0 && lasting > 0);
        }
}

/* Open a store, new or not, under one fault. */
static bool open_under(enum fault_kind kind, long nth, bool is_lasting, bool is_new)
{
    struct fixture f;
    struct budget budget;
    struct store *store = NULL;
    enum status rc;
    bool has_struck;

    if (is_new) {
        prepare_folder(&f);
    } else {
        prepare(&f, &budget);
        store_close(f.store);
        f.store = NULL;
    }
    fault_arm(kind, nth, is_lasting);
    rc = store_open(f.path, STORE_WRITER, &store, NULL, &f.err);
    store_close(store);
    has_struck = fault_disarm();
    if (rc && (!has_struck || !is_clean_failure(rc) || store))
        fail_msg("kind %d, call %ld: status %d: %s", kind, nth, rc, f.err.text);
    assert_ok(&f, store_open(f.path, STORE_WRITER, &f.store, NULL, &f.err));
    if (is_new) {
        struct store_stats stats;

        assert_ok(&f, store_stats(f.store, &stats, &f.err));
        assert_int_equal(stats.decision_count, 0);
    } else {
        assert_int_equal(decisions_found(&f), BEFORE_COUNT);
        assert_ok(&f, decide_and_commit(&f, BEFORE_COUNT + 1, 1));
    }
    fixture_close(&f);
    return has_struck;
}

enum {
    ALL_OF_FIRST = 50,   /* as many as there are writes of a new database */
    FIRST_OF_MEMORY = 8, /* of calls of malloc, of which there are thousands */
};

/* The next fault, after the nth and so many in all: all at first, then some of them, a
 * share of n apart; in the long form all. */
static long step_after(enum fault_kind kind, long nth, long count, struct rng *rng)
{
    bool is_first = count < (kind == FAULT_MEMORY ? FIRST_OF_MEMORY : ALL_OF_FIRST);
    int64_t share = torture_sample(3, 2, 0);

    return is_first || share == 0
               ? 1
               : 1 + (long)rng_below(rng, 2 * (uint64_t)(nth / share + 1));
}

static void opening_under_faults_works_or_leaves_nothing_broken(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("opening_under_faults_works_or_leaves_nothing_broken"));
    for (int kind = FAULT_WRITE; kind < FAULT_KIND_COUNT; kind++)
        for (int is_new = 0; is_new < 2; is_new++) {
            long nth = 1, count = 0;

            /* Each fails once or for good. */
            while (open_under(kind, nth, count % 2, is_new))
                nth += step_after((enum fault_kind)kind, nth, ++count, &rng);
            printf("  kind %d, %s: %ld of %ld faults\n", kind, is_new ? "new" : "old",
                   count, nth - 1);
        }
}

static void reserving_and_copying_under_faults_harms_nothing(void **state)
{
    (void)state;
    for (int kind = FAULT_WRITE; kind < FAULT_KIND_COUNT; kind++)
        for (long nth = 1, struck = 1; struck && nth < 200; nth += 1 + nth / 10) {
            struct fixture f;
            struct budget budget;
            char copy[128];
            enum status rc;

            prepare(&f, &budget);
            snprintf(copy, sizeof copy, "%s/copy.db", f.folder);
            fault_arm(kind, nth, false);
            rc = store_wal_reserve(f.store, 1 << 20, &f.err);
            if (!rc)
                rc = store_backup(f.store, copy, &f.err);
            struck = fault_disarm();
            /* A copy that is there is whole. */
            if (rc)
                assert_int_equal(access(copy, F_OK), -1);
            if (rc && kind == FAULT_SYNC)
                fixture_reopen(&f);
            assert_ok(&f, decide_and_commit(&f, BEFORE_COUNT + 1, 1));
            assert_int_equal(decisions_found(&f), BEFORE_COUNT + 1);
            fixture_close(&f);
        }
}

/* Look for what is there, and for what is not, under one fault. */
static bool look_under(struct fixture *f, enum fault_kind kind, long nth)
{
    struct store *reader;
    struct budget budget;
    bool exists = false, other_exists = true, has_struck;
    enum status rc[3];

    assert_ok(f, store_open(f->path, STORE_READER, &reader, NULL, &f->err));
    fault_arm(kind, nth, true);
    rc[0] = decision_customer_exists(reader, text_of("c_1"), &exists, &f->err);
    rc[1] = decision_customer_exists(reader, text_of("c_2"), &other_exists, &f->err);
    rc[2] = budget_find(reader, "bud_all", &budget, &f->err);
    has_struck = fault_disarm();
    store_close(reader);
    for (int i = 0; i < 3; i++)
        if (rc[i] && (!has_struck || !is_clean_failure(rc[i])))
            fail_msg("kind %d, call %ld, look %d: status %d: %s", kind, nth, i, rc[i],
                     f->err.text);
    if (!rc[0])
        assert_true(exists);
    if (!rc[1])
        assert_false(other_exists);
    return has_struck;
}

static void what_cannot_be_read_is_not_taken_for_missing(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_READ, FAULT_MEMORY};
    struct fixture f;
    struct budget budget;

    (void)state;
    prepare(&f, &budget);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        long nth = 1;

        while (look_under(&f, kinds[i], nth))
            nth++;
        assert_true(nth > 1);
    }
    fixture_close(&f);
}

/* --- kill ----------------------------------------------------------------------------------- */

/* Commit one decision after another, in batches, and say each number once it is
 * durable. */
static void commit_forever(const char *path, int64_t number, int fd)
{
    struct store *store;
    struct err err = {0};
    struct budget budget;

    if (store_open(path, STORE_WRITER, &store, NULL, &err))
        _exit(1);
    if (number % 2)
        (void)!store_wal_reserve(store, 1 << 20, &err);
    for (;;) {
        int64_t last = number + 1 + number % 5;
        struct decision_row row;

        if (store_begin(store, &err) || budget_find(store, "bud_all", &budget, &err))
            _exit(2);
        for (; number < last; number++)
            if (decide_once(store, &budget, number, 1, &row, &err))
                _exit(3);
        if (store_commit(store, &err))
            _exit(4);
        if (write(fd, &number, sizeof number) != sizeof number)
            _exit(5);
        if (number % 11 == 0 && store_checkpoint(store, NULL, &err))
            _exit(6);
    }
}

static void every_decision_that_was_reported_survives_kill(void **state)
{
    struct fixture f;
    struct rng rng;
    struct budget budget = budget_of("bud_all", 10000000);
    int64_t reported = 1;

    (void)state;
    rng_seed(&rng, seed_print("every_decision_that_was_reported_survives_kill"));
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    store_close(f.store);
    f.store = NULL;
    for (int round = 0; round < 20; round++) {
        int64_t number, found;
        int pipes[2];
        pid_t child;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            close(pipes[0]);
            commit_forever(f.path, reported, pipes[1]);
        }
        close(pipes[1]);
        /* Not before it has committed once. */
        assert_int_equal(read(pipes[0], &number, sizeof number), sizeof number);
        reported = number;
        usleep((useconds_t)rng_below(&rng, 30000));
        kill(child, SIGKILL);
        while (read(pipes[0], &number, sizeof number) == sizeof number)
            reported = number;
        close(pipes[0]);
        waitpid(child, NULL, 0);
        found = decisions_found(&f);
        /* The last batch may have been committed and not been reported. */
        assert_in_range(found, reported - 1, reported - 1 + 5);
        reported = found + 1;
    }
    printf("  %lld decisions survived\n", (long long)reported - 1);
    fixture_close(&f);
}

static void a_log_that_finds_no_room_says_how_much_it_takes(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fault_arm(FAULT_FULL, 1, true);
    assert_int_equal(store_wal_reserve(f.store, 4 << 20, &f.err), STATUS_IO);
    assert_true(fault_disarm());
    assert_non_null(strstr(f.err.text, "cannot reserve room for the log"));
    assert_non_null(strstr(f.err.text, "takes 4 MB: make room"));
    assert_ok(&f, store_wal_reserve(f.store, 4 << 20, &f.err));
    fixture_close(&f);
}

static void a_full_disk_is_told_with_what_to_do(void **state)
{
    struct fixture f;
    struct budget budget;

    (void)state;
    prepare(&f, &budget);
    fault_arm(FAULT_FULL, 1, true);
    assert_status(&f, decide_and_commit(&f, BEFORE_COUNT + 1, 1), STATUS_EXHAUSTED);
    assert_true(fault_disarm());
    assert_non_null(strstr(f.err.text, "the disk is full: make room, and delete nothing "
                                       "in the data folder"));
    fixture_close(&f);
}

static int install(void **state)
{
    (void)state;
    fault_install();
    make_prepared();
    return 0;
}

static int forget(void **state)
{
    (void)state;
    free(prepared.bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_under_faults_happens_or_does_not),
        cmocka_unit_test(opening_under_faults_works_or_leaves_nothing_broken),
        cmocka_unit_test(reserving_and_copying_under_faults_harms_nothing),
        cmocka_unit_test(a_log_that_finds_no_room_says_how_much_it_takes),
        cmocka_unit_test(a_full_disk_is_told_with_what_to_do),
        cmocka_unit_test(what_cannot_be_read_is_not_taken_for_missing),
        cmocka_unit_test(every_decision_that_was_reported_survives_kill),
    };

    return cmocka_run_group_tests(tests, install, forget);
}
