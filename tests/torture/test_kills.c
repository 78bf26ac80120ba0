/* test_kills.c - the real program, killed at random moments: under load, while it starts,
 * migrates or copies. What was acknowledged is there, byte for byte; what was in doubt
 * becomes exactly one decision; nothing is overspent; and it is soon back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/bulk_folder.h"
#include "support/folder.h"
#include "support/money_load.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENT_COUNT = 4,
    RECORD_COUNT_MAX = 60000, /* of each client */
    STRIDE = 5,
    PATIENCE_MS = 60000, /* with clients on a busy machine */
    PATH_BYTES = 4096,
    READY_MS_MAX = 2000,   /* or, where a machine is slow or busy, */
    READY_SMALL_COUNT = 5, /* as many times what a folder with nothing in it takes */
    LOG_BYTES = 64 << 20,  /* of the write-ahead log that is made ahead */
    FILL_MS = 500,
    FILL_MS_LONG = 300000, /* at most, until it is full */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_us(int64_t us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000},
              NULL);
}

static int run_on(const char *folder, const char *word, const char *what)
{
    const char *const arguments[] = {word, what, "--data", folder, NULL};
    char *output = NULL, *messages = NULL;
    int code = program_run_messages(arguments, NULL, &output, &messages);

    if (code != 0)
        fprintf(stderr, "%s %s: exit code %d\n%s%s", word, what, code, output, messages);
    free(output);
    free(messages);
    return code;
}

static void check_folder(const char *folder)
{
    assert_int_equal(run_on(folder, "db", "check"), 0);
}

/* Kill a program between now and at most so many us later; when it ended before that, it
 * is well. */
static void start_and_kill(struct rng *rng, const char *const *arguments, int64_t us_max)
{
    pid_t child = program_start(arguments);
    int code;

    assert_true(child > 0);
    sleep_us((int64_t)rng_below(rng, (uint64_t)us_max));
    code = program_end(child, SIGKILL);
    if (code != 128 + SIGKILL)
        assert_int_equal(code, 0);
}

/* --- under load ------------------------------------------------------------------------------- */

struct life {
    struct rng rng;
    char *folder;
    struct money_load *load;
    struct live_server server;
    struct money_counts counts;
    int64_t kill_count, term_count, early_count;
};

static void live_under_load(struct life *life)
{
    int64_t sent_count =
        money_load_sent_count(life->load) + 10 + (int64_t)rng_below(&life->rng, 110);

    money_load_begin(life->load, life->server.listen);
    for (int ms = 0; money_load_sent_count(life->load) < sent_count &&
                     !money_load_is_over(life->load) && ms < PATIENCE_MS;
         ms++)
        sleep_us(1000);
    sleep_us((int64_t)rng_below(&life->rng, 5000));
    if (rng_below(&life->rng, 5) == 0) {
        assert_int_equal(live_server_stop(&life->server), 0);
        life->term_count++;
    } else {
        live_server_kill(&life->server);
        life->kill_count++;
    }
    money_load_end(life->load);
}

/* Some starts do not even come to an end. */
static void start_again(struct life *life)
{
    const char *const serve[] = {"serve",    "--data",      life->folder,
                                 "--listen", "127.0.0.1:0", NULL};

    while (rng_below(&life->rng, 3) == 0) {
        pid_t child = program_start(serve);

        assert_true(child > 0);
        sleep_us((int64_t)rng_below(&life->rng, 120000));
        assert_int_equal(program_end(child, SIGKILL), 128 + SIGKILL);
        life->early_count++;
        life->kill_count++;
    }
    assert_true(live_server_start(life->folder, NULL, &life->server));
}

static void print_life(const struct life *life)
{
    print_message(
        "%lld kills (%lld of them while it started), %lld ends by TERM, %lld "
        "requests, %lld answers found, %lld in doubt (%lld recorded), %lld "
        "granted, %lld refused\n",
        (long long)life->kill_count, (long long)life->early_count,
        (long long)life->term_count, (long long)money_load_sent_count(life->load),
        (long long)life->counts.answer_count, (long long)life->counts.doubt_count,
        (long long)life->counts.doubt_kept_count, (long long)life->counts.granted_count,
        (long long)life->counts.refused_count);
}

static void life_open(struct life *life, uint64_t seed)
{
    *life = (struct life){.folder = folder_temporary()};
    rng_seed(&life->rng, seed);
    assert_true(demo_make(life->folder));
    life->load =
        money_load_open(&(struct money_settings){.folder = life->folder,
                                                 .seed = seed,
                                                 .client_count = CLIENT_COUNT,
                                                 .record_count_max = RECORD_COUNT_MAX});
    assert_true(live_server_start(life->folder, NULL, &life->server));
    money_load_prepare(life->load, life->server.listen);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    uint64_t seed = seed_print("what_was_acknowledged_survives_kill_9");
    int64_t kill_count = torture_count(8, 200), checked_to = 0;
    struct life life;

    (void)state;
    life_open(&life, seed);
    /* By chance, all that was in doubt may have been asked for again by the clients: then
     * on. */
    while (life.kill_count < kill_count || life.counts.doubt_count == 0) {
        live_under_load(&life);
        start_again(&life);
        money_load_assert_fine(life.load);
        /* Else the clients themselves ask again. */
        if (rng_below(&life.rng, 2)) {
            int64_t now = money_place_now(life.load);

            money_load_check(life.load, life.server.listen, checked_to, now, true, STRIDE,
                             &life.counts);
            checked_to = now;
        }
    }
    money_load_check(life.load, life.server.listen, 0, INT64_MAX, true, 1, &life.counts);
    assert_int_equal(live_server_stop(&life.server), 0);
    check_folder(life.folder);
    assert_int_equal(run_on(life.folder, "audit", "verify"), 0);
    assert_int_equal(run_on(life.folder, "replay", "--all"), 0);
    print_life(&life);
    /* Without all of these the run would have shown nothing. */
    assert_true(life.counts.granted_count > 0 && life.counts.refused_count > 0);
    torture_report("kills of a server", life.kill_count);
    torture_report("kills of a server that starts", life.early_count);
    torture_report("answers checked after kills", life.counts.answer_count);
    money_load_close(life.load);
    free(life.folder);
}

/* --- while it does something else ------------------------------------------------------------- */

static void a_first_start_that_was_killed_is_begun_again(void **state)
{
    struct rng rng;
    int64_t count = torture_count(3, 100);

    (void)state;
    rng_seed(&rng, seed_print("a_first_start_that_was_killed_is_begun_again"));
    for (int64_t i = 0; i < count; i++) {
        char *folder = folder_temporary();
        const char *const serve[] = {"serve",    "--data",      folder,
                                     "--listen", "127.0.0.1:0", NULL};
        struct live_server server;

        for (int attempt = 0; attempt < 3; attempt++)
            start_and_kill(&rng, serve, 60000);
        assert_true(live_server_start(folder, NULL, &server));
        assert_int_equal(live_server_stop(&server), 0);
        check_folder(folder);
        folder_remove(folder);
        free(folder);
    }
    torture_report("kills of a first start", 3 * count);
}

static void a_migration_that_was_killed_is_begun_again(void **state)
{
    int64_t count = torture_count(3, 100);
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("a_migration_that_was_killed_is_begun_again"));
    for (int64_t i = 0; i < count; i++) {
        char *folder = folder_temporary(), path[PATH_BYTES], *before, *after;
        const char *const migrate[] = {"db", "migrate", "--data", folder, NULL};
        struct live_server server;

        snprintf(path, sizeof path, "%s/redress.db", folder);
        schema_make(1 + (int)(i % (STORE_SCHEMA_VERSION - 1)), path);
        before = stored_answers(path);
        start_and_kill(&rng, migrate, 30000);
        assert_true(live_server_start(folder, NULL, &server));
        assert_int_equal(live_server_stop(&server), 0);
        check_folder(folder);
        after = stored_answers(path);
        assert_string_equal(before, after);
        free(before);
        free(after);
        folder_remove(folder);
        free(folder);
    }
    torture_report("kills of a migration", count);
}

/* A demo folder on which one client has worked, and no server runs. */
static void life_of_one_client(struct life *life, uint64_t seed, int record_count)
{
    *life = (struct life){.folder = folder_temporary()};
    rng_seed(&life->rng, seed);
    assert_true(demo_make(life->folder));
    life->load =
        money_load_open(&(struct money_settings){.folder = life->folder,
                                                 .seed = seed,
                                                 .client_count = 1,
                                                 .record_count_max = record_count});
    assert_true(live_server_start(life->folder, NULL, &life->server));
    money_load_prepare(life->load, life->server.listen);
    money_load_begin(life->load, life->server.listen);
    while (!money_load_is_over(life->load))
        sleep_us(10000);
    money_load_end(life->load);
    assert_int_equal(live_server_stop(&life->server), 0);
}

/* Its name is there only when it is whole; the service it copies from does not notice. */
static void a_backup_that_was_killed_is_whole_or_not_there(void **state)
{
    uint64_t seed = seed_print("a_backup_that_was_killed_is_whole_or_not_there");
    int64_t count = torture_count(3, 100), whole_count = 0;
    struct life life;

    (void)state;
    life_of_one_client(&life, seed, 40);
    assert_true(live_server_start(life.folder, NULL, &life.server));
    for (int64_t i = 0; i < count; i++) {
        char *restored = folder_temporary(), path[PATH_BYTES];
        const char *const backup[] = {"db", "backup", path, "--data", life.folder, NULL};

        snprintf(path, sizeof path, "%s/redress.db", restored);
        start_and_kill(&life.rng, backup, 60000);
        if (access(path, F_OK) == 0) {
            check_folder(restored);
            whole_count++;
        }
        folder_remove(restored);
        free(restored);
    }
    money_load_check(life.load, life.server.listen, 0, INT64_MAX, true, STRIDE,
                     &life.counts);
    assert_int_equal(live_server_stop(&life.server), 0);
    check_folder(life.folder);
    print_message("%lld of %lld backups were whole\n", (long long)whole_count,
                  (long long)count);
    torture_report("kills of a backup", count);
    money_load_close(life.load);
    free(life.folder);
}

/* --- how soon it is back ---------------------------------------------------------------------- */

/* As long as somebody reads, the log cannot begin anew: it grows. In a process that is
 * killed, since the last one to close a store moves its log. */
static pid_t hold_log(const char *path)
{
    pid_t child = fork();
    struct store *store;
    struct store_stats stats;
    struct err err;

    if (child != 0)
        return child;
    if (store_open(path, STORE_READER, &store, NULL, &err) ||
        store_read_begin(store, &err) || store_stats(store, &stats, &err))
        _exit(1);
    for (;;)
        pause();
}

static int64_t size_of(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 ? (int64_t)info.st_size : 0;
}

/* Under load until the log is full, and killed. It begins at the front of its file: full
 * is what makes that longer. In the quick form it comes as far as it does. */
static void fill_log_and_kill(struct life *life)
{
    char path[PATH_BYTES], log_path[PATH_BYTES];
    int64_t until_ms = now_ms() + torture_count(FILL_MS, FILL_MS_LONG), full_bytes;
    pid_t reader;

    snprintf(path, sizeof path, "%s/redress.db", life->folder);
    snprintf(log_path, sizeof log_path, "%s/redress.db-wal", life->folder);
    full_bytes = size_of(log_path) > LOG_BYTES ? size_of(log_path) : LOG_BYTES;
    reader = hold_log(path);
    assert_true(reader > 0);
    money_load_begin(life->load, life->server.listen);
    while (now_ms() < until_ms && size_of(log_path) <= full_bytes &&
           !money_load_is_over(life->load))
        sleep_us(20000);
    live_server_kill(&life->server);
    money_load_end(life->load);
    assert_int_equal(program_end(reader, SIGKILL), 128 + SIGKILL);
    if (torture_count(0, 1))
        assert_true(size_of(log_path) > full_bytes);
}

static int64_t start_timed(struct life *life)
{
    int64_t began_ms = now_ms();

    assert_true(live_server_start(life->folder, NULL, &life->server));
    return now_ms() - began_ms;
}

static void a_killed_server_is_back_within_two_seconds(void **state)
{
    uint64_t seed = seed_print("a_killed_server_is_back_within_two_seconds");
    int64_t decision_count = torture_count(20000, 1000000), best_ms = INT64_MAX;
    int64_t small_ms = INT64_MAX, ms_max;
    char log_path[PATH_BYTES];
    struct life life;

    (void)state;
    life_open(&life, seed);
    for (int i = 0; i < 3; i++) {
        int64_t ms;

        assert_int_equal(live_server_stop(&life.server), 0);
        ms = start_timed(&life);
        small_ms = ms < small_ms ? ms : small_ms;
    }
    ms_max = READY_SMALL_COUNT * small_ms;
    if (ms_max < READY_MS_MAX)
        ms_max = READY_MS_MAX;
    assert_int_equal(live_server_stop(&life.server), 0);
    bulk_folder_fill(life.folder, decision_count);
    snprintf(log_path, sizeof log_path, "%s/redress.db-wal", life.folder);
    assert_true(live_server_start(life.folder, NULL, &life.server));
    /* The best of some: others use the machine, too. */
    for (int i = 0; i < (int)torture_count(1, 3) || (best_ms > ms_max && i < 10); i++) {
        int64_t log_bytes, ms;

        fill_log_and_kill(&life);
        log_bytes = size_of(log_path);
        ms = start_timed(&life);
        print_message(
            "ready after %lld ms, with %lld decisions and a log of %lld MB; with "
            "none after %lld ms\n",
            (long long)ms, (long long)decision_count, (long long)(log_bytes >> 20),
            (long long)small_ms);
        best_ms = ms < best_ms ? ms : best_ms;
    }
    assert_in_range(best_ms, 0, ms_max);
    money_load_check(life.load, life.server.listen, 0, INT64_MAX, true, STRIDE,
                     &life.counts);
    assert_int_equal(live_server_stop(&life.server), 0);
    torture_report("decisions beside which a killed server started", decision_count);
    torture_report("ms until it was ready, at best", best_ms);
    money_load_close(life.load);
    free(life.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
        cmocka_unit_test(a_first_start_that_was_killed_is_begun_again),
        cmocka_unit_test(a_migration_that_was_killed_is_begun_again),
        cmocka_unit_test(a_backup_that_was_killed_is_whole_or_not_there),
        cmocka_unit_test(a_killed_server_is_back_within_two_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
