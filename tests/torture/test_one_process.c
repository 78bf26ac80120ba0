/* test_one_process.c - one process per data folder: many that want it at once, one that
 * gets it; a lock of one that is dead, or that somebody took away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/server.h"
#include "support/torture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RACER_COUNT = 20, PATH_BYTES = 4096, RACE_MS_MAX = 120000 };

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static int check_folder(const char *folder)
{
    const char *const check[] = {"db", "check", "--data", folder, NULL};
    char *output = NULL, *messages = NULL;
    int code = program_run_messages(check, NULL, &output, &messages);

    if (code != 0)
        fprintf(stderr, "db check: %d\n%s%s", code, output, messages);
    free(output);
    free(messages);
    return code;
}

/* --- many at once ----------------------------------------------------------------------------- */

struct race {
    pid_t racers[RACER_COUNT];
    int alive_count, refused_count, done_count, odd_count;
};

/* Take those that have ended out. */
static void look(struct race *race)
{
    for (int i = 0; i < RACER_COUNT; i++) {
        int wait_status;

        if (race->racers[i] <= 0 ||
            waitpid(race->racers[i], &wait_status, WNOHANG) != race->racers[i])
            continue;
        race->racers[i] = 0;
        race->alive_count--;
        if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
            race->done_count++;
        else if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 1)
            race->refused_count++;
        else
            race->odd_count++;
    }
}

/* Only servers, which are of the last kind, stay; a demo comes to its end. */
static bool is_on(const struct race *race, int kind_count, int left_count)
{
    if (race->alive_count > left_count)
        return true;
    for (int i = 0; i < RACER_COUNT; i++)
        if (race->racers[i] > 0 && i % kind_count != kind_count - 1)
            return true;
    return false;
}

/* Start all, and wait until at most so many are left. */
static void run(struct race *race, const char *const *const *arguments, int kind_count,
                int left_count)
{
    *race = (struct race){0};
    for (int i = 0; i < RACER_COUNT; i++) {
        race->racers[i] = program_start(arguments[i % kind_count]);
        assert_true(race->racers[i] > 0);
        race->alive_count++;
    }
    for (int ms = 0; is_on(race, kind_count, left_count) && ms < RACE_MS_MAX; ms += 10) {
        look(race);
        sleep_ms(10);
    }
    sleep_ms(100); /* the last one is not on its way out */
    look(race);
}

static void end_all(struct race *race)
{
    for (int i = 0; i < RACER_COUNT; i++)
        if (race->racers[i] > 0)
            assert_int_equal(program_end(race->racers[i], SIGTERM), 0);
}

static void of_many_servers_one_gets_the_folder(void **state)
{
    int64_t count = torture_count(2, 50);

    (void)state;
    setenv("REDRESS_HEALTH_LISTEN", "127.0.0.1:0", 0);
    for (int64_t i = 0; i < count; i++) {
        char *folder = folder_temporary();
        const char *const serve[] = {"serve",    "--data",      folder,
                                     "--listen", "127.0.0.1:0", NULL};
        const char *const *const kinds[] = {serve};
        struct race race;

        /* Half of the folders are there already. */
        if (i % 2)
            assert_true(demo_make(folder));
        run(&race, kinds, 1, 1);
        assert_int_equal(race.alive_count, 1);
        assert_int_equal(race.refused_count, RACER_COUNT - 1);
        end_all(&race);
        assert_int_equal(check_folder(folder), 0);
        folder_remove(folder);
        free(folder);
    }
    torture_report("servers that raced for a folder", count * RACER_COUNT);
}

/* Who loses leaves what the winner makes. */
static void of_many_demos_and_servers_one_makes_the_folder(void **state)
{
    int64_t count = torture_count(2, 50);

    (void)state;
    setenv("REDRESS_HEALTH_LISTEN", "127.0.0.1:0", 0);
    for (int64_t i = 0; i < count; i++) {
        char *folder = folder_temporary(), path[PATH_BYTES];
        const char *const demo[] = {"demo", "--data", folder, NULL};
        const char *const serve[] = {"serve",    "--data",      folder,
                                     "--listen", "127.0.0.1:0", NULL};
        const char *const *const kinds[] = {demo, serve};
        struct race race;

        run(&race, kinds, i % 2 ? 2 : 1, i % 2);
        assert_int_equal(race.odd_count, 0);
        if (i % 2 == 0)
            assert_int_equal(race.done_count, 1);
        end_all(&race);
        snprintf(path, sizeof path, "%s/redress.db", folder);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(check_folder(folder), 0);
        folder_remove(folder);
        free(folder);
    }
    torture_report("demos and servers that raced for a folder", count * RACER_COUNT);
}

/* --- the lock --------------------------------------------------------------------------------- */

/* It ends by itself, with 1: one that is let in would run on. */
static void expect_refused(const char *folder)
{
    const char *const serve[] = {"serve",    "--data",      folder,
                                 "--listen", "127.0.0.1:0", NULL};
    pid_t child = program_start(serve);
    int wait_status = -1;

    assert_true(child > 0);
    for (int ms = 0; ms < RACE_MS_MAX; ms += 10) {
        if (waitpid(child, &wait_status, WNOHANG) == child) {
            assert_true(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 1);
            return;
        }
        sleep_ms(10);
    }
    (void)program_end(child, SIGKILL);
    fail_msg("a second server runs on %s", folder);
}

static void write_lock(const char *folder, const char *owner)
{
    char path[PATH_BYTES];
    FILE *file;

    snprintf(path, sizeof path, "%s/lock", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(owner, file);
    assert_int_equal(fclose(file), 0);
}

/* What the file says is for people: only who holds it counts. */
static void a_lock_of_the_dead_holds_nobody_up(void **state)
{
    char *folder = folder_temporary(), living[32];
    const char *const owners[] = {"1", "999999999", "-1", "rubbish", "", living};
    struct live_server server;

    (void)state;
    snprintf(living, sizeof living, "%ld", (long)getpid());
    assert_true(live_server_start(folder, NULL, &server));
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        live_server_kill(&server);
        write_lock(folder, owners[i]);
        assert_true(live_server_start(folder, NULL, &server));
        expect_refused(folder);
    }
    assert_int_equal(live_server_stop(&server), 0);
    assert_int_equal(check_folder(folder), 0);
    free(folder);
}

/* Somebody who tidies up does not let a second process in. */
static void a_lock_file_taken_away_lets_nobody_in(void **state)
{
    char *folder = folder_temporary(), path[PATH_BYTES];
    struct live_server server;

    (void)state;
    snprintf(path, sizeof path, "%s/lock", folder);
    assert_true(live_server_start(folder, NULL, &server));
    assert_int_equal(unlink(path), 0);
    expect_refused(folder);
    expect_refused(folder);
    assert_int_equal(live_server_stop(&server), 0);
    assert_true(live_server_start(folder, NULL, &server));
    assert_int_equal(live_server_stop(&server), 0);
    assert_int_equal(check_folder(folder), 0);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_many_servers_one_gets_the_folder),
        cmocka_unit_test(of_many_demos_and_servers_one_makes_the_folder),
        cmocka_unit_test(a_lock_of_the_dead_holds_nobody_up),
        cmocka_unit_test(a_lock_file_taken_away_lets_nobody_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
