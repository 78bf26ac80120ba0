/* test_power_cut.c - the power goes at any moment: what was answered before is there,
 * byte for byte.
 *
 * The real program works while all that it does to its disk is recorded
 * (preload/disk_recorder.c). For many moments the disks are made as they could be then
 * (support/disk_image.h says by which model), and the real program starts on each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/folder.h"
#include "support/money_load.h"
#include "support/power_cut.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENT_COUNT = 4,
    LIFE_MS = 900, /* or longer, until so many requests were sent: */
    LIFE_REQUEST_COUNT = 100,
    BURST_MS = 150, /* then the log comes to an end and begins anew */
    PAUSE_MS = 200,
    STRIDE = 7,
};

/* A slow disk: kills come while a sync is under way. */
#define SYNC_US "3000"

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L},
              NULL);
}

static char *read_file(const char *folder, const char *name)
{
    char path[POWER_PATH_BYTES], *content = NULL;
    size_t bytes;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_read(path, SIZE_MAX, &content, &bytes, NULL) ? NULL : content;
}

static void serve(const char *folder, struct live_server *server)
{
    assert_true(live_server_start(folder, NULL, server));
}

/* In one of the two ways in which servers end; the folder checks. */
static void end_and_check(struct rng *rng, struct live_server *server, const char *folder)
{
    if (rng_below(rng, 2))
        assert_int_equal(live_server_stop(server), 0);
    else
        live_server_kill(server);
    assert_int_equal(POWER_COMMAND(folder, "db", "check"), 0);
}

/* --- a server under load ---------------------------------------------------------------------- */

/* Its milestones are places in the journal. */
struct work {
    struct power_cuts cuts;
    struct money_load *load;
    char *demo;                   /* demo.json, once the folder was made */
    int64_t made_at, prepared_at; /* the folder; the budgets */
    int64_t backed_up_at;
    struct money_counts counts;
};

/* A backup that has its name is whole; once the command said so, it has its name. */
static void check_backup(const struct work *work, const char *image, int64_t place)
{
    char path[POWER_PATH_BYTES], folder[POWER_FOLDER_BYTES], restored[POWER_PATH_BYTES];

    snprintf(path, sizeof path, "%s/backup.db", image);
    if (place >= work->backed_up_at)
        assert_int_equal(access(path, F_OK), 0);
    if (access(path, F_OK) != 0)
        return;
    snprintf(folder, sizeof folder, "%s/restored", image);
    snprintf(restored, sizeof restored, "%s/redress.db", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(rename(path, restored), 0);
    assert_int_equal(POWER_COMMAND(folder, "db", "check"), 0);
}

static void check_demo(const struct work *work, const char *folder)
{
    char *demo = read_file(folder, "demo.json");

    assert_non_null(demo);
    assert_string_equal(demo, work->demo);
    free(demo);
}

static void check_work(void *context, const char *image, int64_t place)
{
    struct work *work = context;
    char folder[POWER_FOLDER_BYTES];
    struct live_server server;

    snprintf(folder, sizeof folder, "%s/data", image);
    if (place >= work->made_at)
        check_demo(work, folder);
    if (place >= work->made_at && rng_below(&work->cuts.rng, 2))
        assert_int_equal(POWER_COMMAND(folder, "db", "check"), 0);
    serve(folder, &server);
    if (place >= work->prepared_at)
        money_load_check(work->load, server.listen, 0, place, false, STRIDE,
                         &work->counts);
    end_and_check(&work->cuts.rng, &server, folder);
    check_backup(work, image, place);
}

static void back_up(struct work *work)
{
    char path[POWER_PATH_BYTES];

    snprintf(path, sizeof path, "%s/backup.db", work->cuts.root);
    assert_int_equal(POWER_COMMAND(work->cuts.folder, "db", "backup", path), 0);
    work->backed_up_at = power_cuts_milestone(&work->cuts);
}

/* Until requests are under way. */
static void wait_for_burst(void)
{
    struct timespec now;

    do {
        sleep_ms(5);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - BURST_MS / 3) %
                 (BURST_MS + PAUSE_MS) >
             BURST_MS / 3);
}

/* A slow machine gets the time that it needs, within reason. */
static void live_on(const struct work *work, int64_t request_count)
{
    for (int i = 0; i < 100 && money_load_sent_count(work->load) < request_count; i++)
        sleep_ms(LIFE_MS / 10);
}

static void live_once(struct work *work, int life)
{
    struct live_server server;

    serve(work->cuts.folder, &server);
    /* Who hears after a restart what was never said before has heard it, too. */
    if (money_load_ask_in_doubt(work->load, server.listen))
        power_cuts_milestone(&work->cuts);
    if (life == 0) {
        money_load_prepare(work->load, server.listen);
        work->prepared_at = power_cuts_milestone(&work->cuts);
    }
    money_load_begin(work->load, server.listen);
    sleep_ms(LIFE_MS / 2);
    if (life == 1)
        back_up(work);
    sleep_ms(LIFE_MS / 2);
    live_on(work, (int64_t)(life + 1) * LIFE_REQUEST_COUNT);
    if (life % 2 == 0) {
        wait_for_burst();
        disk_recording_hold(work->cuts.recording);
        live_server_kill(&server);
        disk_recording_release(work->cuts.recording);
    } else {
        assert_int_equal(live_server_stop(&server), 0);
    }
    money_load_end(work->load);
}

static void print_work(const struct work *work)
{
    const struct money_counts *counts = &work->counts;

    print_message("%lld requests; on all disks %lld answers found, %lld in doubt (%lld "
                  "recorded), %lld granted, %lld refused; %lld disks lack something\n",
                  (long long)money_load_sent_count(work->load),
                  (long long)counts->answer_count, (long long)counts->doubt_count,
                  (long long)counts->doubt_kept_count, (long long)counts->granted_count,
                  (long long)counts->refused_count, (long long)work->cuts.lossy_count);
}

static void what_was_answered_survives_the_loss_of_power(void **state)
{
    uint64_t seed = seed_print("what_was_answered_survives_the_loss_of_power");
    int life_count = (int)torture_count(3, 7);
    struct work work = {
        .made_at = INT64_MAX, .prepared_at = INT64_MAX, .backed_up_at = INT64_MAX};

    (void)state;
    power_cuts_begin(&work.cuts, seed);
    work.cuts.check = check_work;
    work.cuts.context = &work;
    power_cuts_record(&work.cuts);
    assert_true(demo_make(work.cuts.folder));
    work.made_at = power_cuts_milestone(&work.cuts);
    work.demo = read_file(work.cuts.folder, "demo.json");
    work.load = money_load_open(&(struct money_settings){
        .folder = work.cuts.folder,
        .seed = seed,
        .client_count = CLIENT_COUNT,
        .record_count_max = (int)torture_count(120, 600),
        .burst_ms = BURST_MS,
        .pause_ms = PAUSE_MS,
        .place = power_cuts_place,
        .context = &work.cuts,
    });
    setenv("DISK_RECORDER_SYNC_US", SYNC_US, 1);
    for (int life = 0; life < life_count; life++)
        live_once(&work, life);
    unsetenv("DISK_RECORDER_SYNC_US");
    power_cuts_stop(&work.cuts);
    power_cuts_try(&work.cuts, (int)torture_count(3, 200), torture_count(0, 1));
    print_work(&work);
    print_message("the log began %d times in %d lives\n",
                  power_cuts_beginnings(&work.cuts, "redress.db-wal"), life_count);
    /* Without all of these the run would have shown nothing. */
    assert_true(work.counts.answer_count > 0);
    assert_true(work.counts.granted_count > 0 && work.counts.refused_count > 0);
    assert_true(power_cuts_beginnings(&work.cuts, "redress.db-wal") > life_count);
    power_cuts_report(&work.cuts, "a server under load");
    torture_report("answers checked after power cuts", work.counts.answer_count);
    money_load_close(work.load);
    power_cuts_end(&work.cuts);
    free(work.demo);
}

/* --- the first start -------------------------------------------------------------------------- */

struct first_start {
    struct power_cuts cuts;
    int64_t has_key_at;
};

/* The disk lacks the folder, or has some of it: the server starts as if it were the first
 * time, and what a command had made by then is there. */
static void check_first_start(void *context, const char *image, int64_t place)
{
    struct first_start *start = context;
    char folder[POWER_FOLDER_BYTES], *output = NULL;
    const char *const list[] = {"key", "list", "--json", "--data", folder, NULL};
    struct live_server server;

    snprintf(folder, sizeof folder, "%s/data", image);
    serve(folder, &server);
    assert_int_equal(program_run(list, NULL, &output), 0);
    if (place >= start->has_key_at)
        assert_non_null(strstr(output, "the first key"));
    free(output);
    end_and_check(&start->cuts.rng, &server, folder);
}

static void a_first_start_can_be_repeated(void **state)
{
    uint64_t seed = seed_print("a_first_start_can_be_repeated");
    struct first_start start;
    struct live_server server;

    (void)state;
    start = (struct first_start){0};
    power_cuts_begin(&start.cuts, seed);
    start.cuts.check = check_first_start;
    start.cuts.context = &start;
    assert_int_equal(mkdir(start.cuts.folder, 0700), 0); /* for the log */
    power_cuts_record(&start.cuts);
    serve(start.cuts.folder, &server);
    assert_int_equal(POWER_COMMAND(start.cuts.folder, "key", "create", "--name",
                                   "the first key", "--scope", "read"),
                     0);
    start.has_key_at = power_cuts_milestone(&start.cuts);
    assert_int_equal(live_server_stop(&server), 0);
    power_cuts_stop(&start.cuts);
    power_cuts_try_each(&start.cuts, DISK_MAKE_FILE, DISK_RENAME, torture_count(0, 1));
    power_cuts_report(&start.cuts, "the first start");
    power_cuts_end(&start.cuts);
}

/* --- a migration ------------------------------------------------------------------------------ */

struct migration {
    struct power_cuts cuts;
    char *answers;
};

/* The old schema or the new: the server starts, and all that was answered is there. */
static void check_migration(void *context, const char *image, int64_t place)
{
    struct migration *migration = context;
    char folder[POWER_FOLDER_BYTES], path[POWER_PATH_BYTES], *answers;
    struct live_server server;

    (void)place;
    snprintf(folder, sizeof folder, "%s/data", image);
    snprintf(path, sizeof path, "%s/redress.db", folder);
    serve(folder, &server);
    end_and_check(&migration->cuts.rng, &server, folder);
    answers = stored_answers(path);
    assert_string_equal(answers, migration->answers);
    free(answers);
}

static void cut_migration(int schema, uint64_t seed)
{
    struct migration migration = {0};
    char path[POWER_PATH_BYTES];

    power_cuts_begin(&migration.cuts, seed);
    migration.cuts.check = check_migration;
    migration.cuts.context = &migration;
    snprintf(path, sizeof path, "%s/redress.db", migration.cuts.folder);
    assert_int_equal(mkdir(migration.cuts.folder, 0700), 0);
    schema_make(schema, path);
    migration.answers = stored_answers(path);
    power_cuts_record(&migration.cuts);
    assert_int_equal(POWER_COMMAND(migration.cuts.folder, "db", "migrate"), 0);
    power_cuts_stop(&migration.cuts);
    power_cuts_try_each(&migration.cuts, DISK_SYNC, DISK_UNLINK, torture_count(0, 1));
    power_cuts_report(&migration.cuts, "a migration");
    free(migration.answers);
    power_cuts_end(&migration.cuts);
}

static void a_migration_is_done_or_not_begun(void **state)
{
    uint64_t seed = seed_print("a_migration_is_done_or_not_begun");

    (void)state;
    for (int schema = 1; schema <= (int)torture_count(1, STORE_SCHEMA_VERSION - 1);
         schema++)
        cut_migration(schema, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_survives_the_loss_of_power),
        cmocka_unit_test(a_first_start_can_be_repeated),
        cmocka_unit_test(a_migration_is_done_or_not_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
