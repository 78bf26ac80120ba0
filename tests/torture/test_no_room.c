/* test_no_room.c - the real server on a disk that is full, and with too few descriptors: what it has
 * acknowledged is kept, what it cannot do it says, and with room it goes on.
 *
 * The disk is a small file system in memory, which only root may mount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault_stage.h"
#include "support/folder.h"
#include "support/torture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ANSWER_COUNT_MAX = 4000,
    CONNECTION_COUNT = 64,
    DESCRIPTORS_SPARE = 8, /* beyond those that are open: too few for all connections */
};

static struct {
    struct request request;
    char *answer;
} said[ANSWER_COUNT_MAX];
static int said_count, refused_count;

/* Decide; keep what was acknowledged. Returns whether it was. */
static bool decide(void)
{
    struct request request = request_make(&operations[0]);
    struct live_reply reply;
    bool is_done = request_send(&request, &reply) && answer_judge(&request, &reply);

    if (is_done && said_count < ANSWER_COUNT_MAX) {
        said[said_count].request = request;
        said[said_count++].answer = strdup(reply.response.body);
    } else {
        request_free(&request);
    }
    refused_count += !is_done;
    live_reply_free(&reply);
    return is_done;
}

static void see_that_it_is_kept(const char *what)
{
    char counted[96];

    for (int i = 0; i < said_count; i++) {
        struct live_reply reply = request_insist(&said[i].request);

        assert_string_equal(reply.response.body, said[i].answer);
        live_reply_free(&reply);
        request_free(&said[i].request);
        free(said[i].answer);
    }
    snprintf(counted, sizeof counted, "answers found again after %s", what);
    torture_report(counted, said_count);
    assert_true(said_count > 0);
    said_count = 0;
}

/* --- the disk --------------------------------------------------------------------------------- */

/* Take all the room there is. */
static void fill(const char *path)
{
    static const char bytes[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

/* So many decisions, or until so many more were refused, or the server has given up. */
static void decide_without_room(int count, int refused_max)
{
    int code;

    for (int i = 0; i < count && refused_max > 0; i++) {
        if (decide())
            continue;
        refused_max--;
        if (live_server_ended(&stage.server, 2000, &code)) {
            assert_int_equal(code, 1);
            return;
        }
    }
}

static void fill_disk(const char *disk)
{
    char ballast[256];
    int code;

    snprintf(ballast, sizeof ballast, "%s/ballast", disk);
    for (int i = 0; i < 20; i++)
        assert_true(decide());
    fill(ballast);
    refused_count = 0;
    /* The log has room for a thousand or so, which was reserved. */
    decide_without_room(ANSWER_COUNT_MAX - said_count,
                        (int)torture_count(1, ANSWER_COUNT_MAX));
    torture_report("decisions refused on a full disk", refused_count);
    assert_true(refused_count > 0);
    /* A start without room comes up or ends with 1. */
    if (stage.server.pid)
        live_server_kill(&stage.server);
    code = live_server_try(stage.folder, NULL, &stage.server);
    assert_true(code == 0 || code == 1);
    if (code == 0) {
        stage_meet();
        decide_without_room(20, 20);
    }
    assert_int_equal(unlink(ballast), 0);
    if (stage.server.pid)
        live_server_kill(&stage.server);
    stage_start();
    assert_true(decide());
    see_that_it_is_kept("a full disk");
    stage_check();
}

static void a_full_disk_loses_nothing(void **state)
{
    char *disk = folder_temporary();

    (void)state;
    /* The reserved log alone takes 64 MB. */
    if (mount("tmpfs", disk, "tmpfs", 0, "size=80m") != 0) {
        print_message("SKIPPED: no file system can be mounted: %s\n", strerror(errno));
        free(disk);
        skip();
    }
    snprintf(stage.what, sizeof stage.what, "full disk");
    stage_open(disk);
    fill_disk(disk);
    stage_close();
    assert_int_equal(umount2(disk, MNT_DETACH), 0);
    free(disk);
}

/* --- descriptors ------------------------------------------------------------------------------ */

/* How many it has open. */
static int descriptors_of(pid_t pid)
{
    char path[64];
    DIR *listing;
    int count = 0;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    listing = opendir(path);
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2;
}

/* Clock ticks of user and system time of a process. */
static long ticks_of(pid_t pid)
{
    char path[64], line[1024], *at;
    unsigned long user, system;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    at = strrchr(line, ')');
    assert_int_equal(sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                            &user, &system),
                     2);
    return (long)(user + system);
}

/* What a second takes of them. */
static long ticks_in_a_second(void)
{
    long ticks = ticks_of(stage.server.pid);

    sleep(1);
    return ticks_of(stage.server.pid) - ticks;
}

/* More connections than it has descriptors: those it has are served. The HTTP library's threads try
 * again at once meanwhile, and rest when there are some. */
static void a_crowd_without_descriptors(void)
{
    struct http_client *crowd[CONNECTION_COUNT];
    struct rlimit few;
    long ticks;

    assert_true(decide());
    few.rlim_cur = few.rlim_max =
        (rlim_t)descriptors_of(stage.server.pid) + DESCRIPTORS_SPARE;
    assert_int_equal(prlimit(stage.server.pid, RLIMIT_NOFILE, &few, NULL), 0);
    for (int i = 0; i < CONNECTION_COUNT; i++) {
        crowd[i] = http_client_open(stage.server.listen);
        assert_non_null(crowd[i]);
        (void)http_send(crowd[i], "G", 1);
    }
    ticks = ticks_in_a_second();
    printf("  CPU in a second of waiting connections: %ld of %ld ticks\n", ticks,
           sysconf(_SC_CLK_TCK));
    for (int i = 0; i < 20; i++)
        assert_true(decide());
    for (int i = 0; i < CONNECTION_COUNT; i++)
        http_client_close(crowd[i]);
    http_disconnect(stage.client);
    assert_false(stage_recover());
    assert_true(decide());
    ticks = ticks_in_a_second();
    printf("  and with descriptors: %ld\n", ticks);
    assert_true(ticks < sysconf(_SC_CLK_TCK) / 4);
}

static void too_few_descriptors_lose_nothing(void **state)
{
    (void)state;
    snprintf(stage.what, sizeof stage.what, "few descriptors");
    stage_open(NULL);
    a_crowd_without_descriptors();
    live_server_kill(&stage.server);
    stage_start();
    see_that_it_is_kept("too few descriptors");
    stage_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(too_few_descriptors_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
