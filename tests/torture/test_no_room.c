/* test_no_room.c - the real server on a disk that is full, and with too few descriptors:
 * what it has acknowledged is kept, what it cannot do it says, and with room it goes on.
 *
 * The disk is a small file system in memory, or one in a file whose blocks are smaller
 * than pages: only root may mount them. */
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
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANSWER_COUNT_MAX = 4000,
    CONNECTION_COUNT = 64,
    DESCRIPTORS_SPARE = 8, /* beyond those that are open: too few for all connections */
    RESERVED_FRAME_COUNT = (64 << 20) / (24 + 4096), /* of the log */
    COMMIT_FRAME_COUNT = 256,                        /* at most, of one decision */
    BLOCK_BYTES = 1024,                              /* the smaller ones */
    TAKEN_COUNT = 20,
};

static const char make_room[] = "make room, and delete nothing in the data folder";

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

/* Whether the log of the server has these words from there on; *from (may be NULL) is
 * then where it ends. */
static bool log_has(const char *words, long *from)
{
    char path[256], line[4096];
    bool is_there = false;
    FILE *file;

    snprintf(path, sizeof path, "%s/serve.log", stage.folder);
    file = fopen(path, "re");
    assert_non_null(file);
    fseek(file, from ? *from : 0, SEEK_SET);
    while (fgets(line, sizeof line, file))
        is_there |= strstr(line, words) != NULL;
    if (from)
        *from = ftell(file);
    fclose(file);
    return is_there;
}

/* How many frames the log has in use, as its index says: the fifth number. */
static uint32_t frames_in_log(void)
{
    uint32_t numbers[5];
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/redress.db-shm", stage.folder);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(numbers, sizeof numbers, 1, file), 1);
    fclose(file);
    return numbers[4];
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

/* It comes up, or ends with 1 and says what to do. */
static void start_without_room(void)
{
    long from = 0;
    int code;

    if (stage.server.pid)
        live_server_kill(&stage.server);
    (void)log_has("", &from);
    code = live_server_try(stage.folder, NULL, &stage.server);
    assert_true(code == 0 || code == 1);
    if (code == 0) {
        stage_meet();
        decide_without_room(20, 20);
    } else {
        assert_true(log_has(make_room, &from));
    }
}

static void make_room_again(const char *ballast, const char *what)
{
    assert_int_equal(unlink(ballast), 0);
    if (stage.server.pid)
        live_server_kill(&stage.server);
    stage_start();
    assert_true(decide());
    see_that_it_is_kept(what);
    stage_check();
}

static void fill_disk(const char *disk)
{
    char ballast[256];
    uint32_t frame_count;

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
    frame_count = frames_in_log();
    printf("  %u frames in the log, reserved are %d\n", frame_count,
           RESERVED_FRAME_COUNT);
    assert_true(frame_count > RESERVED_FRAME_COUNT - COMMIT_FRAME_COUNT);
    start_without_room();
    make_room_again(ballast, "a full disk");
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

/* SQLite makes the index of its log by one byte for each page: of blocks that are smaller
 * than pages most are missing then, and writing them without room is SIGBUS. */
static bool mount_small_blocks(const char *image, const char *disk)
{
    char *command;
    bool is_done = asprintf(&command,
                            "PATH=$PATH:/sbin:/usr/sbin; truncate -s 100M %s &&"
                            " mkfs.ext4 -q -m 0 -b %d %s && mount -o loop %s %s",
                            image, BLOCK_BYTES, image, image, disk) > 0 &&
                   system(command) == 0;

    free(command);
    return is_done;
}

/* Nothing but the database is there: a command makes the log's index, with some blocks
 * more room each time, until there is enough. */
static void ask_with_ever_more_room(const char *ballast)
{
    const char *const arguments[] = {"db", "stats", "--data", stage.folder, NULL};
    struct stat info;
    off_t step = torture_count(4, 1) * BLOCK_BYTES;
    int code = 1, refused = 0;

    assert_int_equal(stat(ballast, &info), 0);
    for (off_t bytes = info.st_size; code != 0; bytes -= step) {
        char *output, *messages;

        assert_true(bytes > 0);
        assert_int_equal(truncate(ballast, bytes), 0);
        code = program_run_messages(arguments, NULL, &output, &messages);
        if (code != 0 && (code != 1 || !strstr(messages, make_room)))
            fail_msg("%jd bytes of room: %d %s", (intmax_t)(info.st_size - bytes), code,
                     messages);
        refused += code != 0;
        free(output);
        free(messages);
    }
    torture_report("commands refused on a disk of small blocks", refused);
    assert_true(refused > 0);
}

static void fill_small_blocks(const char *disk)
{
    char ballast[256];

    snprintf(ballast, sizeof ballast, "%s/ballast", disk);
    assert_true(decide());
    fill(ballast);
    for (int i = 0; i < TAKEN_COUNT; i++)
        assert_true(decide());
    start_without_room();
    make_room_again(ballast, "a full disk of small blocks");
    assert_int_equal(live_server_stop(&stage.server), 0);
    fill(ballast);
    ask_with_ever_more_room(ballast);
    assert_int_equal(unlink(ballast), 0);
}

static void a_full_disk_of_small_blocks_loses_nothing(void **state)
{
    char *folder = folder_temporary(), *disk = folder_temporary(), image[256];

    (void)state;
    snprintf(image, sizeof image, "%s/image", folder);
    if (!mount_small_blocks(image, disk)) {
        print_message("SKIPPED: no file system in a file can be made and mounted\n");
        free(folder);
        free(disk);
        skip();
    }
    snprintf(stage.what, sizeof stage.what, "full disk of small blocks");
    stage_open(disk);
    fill_small_blocks(disk);
    stage_close();
    assert_int_equal(umount2(disk, MNT_DETACH), 0);
    free(folder);
    free(disk);
}

/* Where the system does not give room beforehand, or the disk fails, touching the index
 * is SIGBUS. So it is when somebody cuts it. */
static void an_index_that_cannot_be_had_ends_the_service_with_words(void **state)
{
    char path[256];
    int code;

    (void)state;
    snprintf(stage.what, sizeof stage.what, "cut index");
    stage_open(NULL);
    assert_true(decide());
    snprintf(path, sizeof path, "%s/redress.db-shm", stage.folder);
    assert_int_equal(truncate(path, 0), 0);
    assert_false(decide());
    assert_true(live_server_ended(&stage.server, 2000, &code));
    assert_int_equal(code, 1);
    assert_true(log_has("redress.db-shm", NULL));
    stage_start();
    see_that_it_is_kept("a cut index");
    stage_close();
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

/* More connections than it has descriptors: those it has are served. The HTTP library's
 * threads try again at once meanwhile, and rest when there are some. */
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
        cmocka_unit_test(a_full_disk_of_small_blocks_loses_nothing),
        cmocka_unit_test(an_index_that_cannot_be_had_ends_the_service_with_words),
        cmocka_unit_test(too_few_descriptors_lose_nothing),
    };

    /* What is mounted here nobody else sees, and it ends with this process, however that
     * ends. */
    if (unshare(CLONE_NEWNS) == 0)
        (void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
