/* test_claim.c - a database is of one folder, one process, and may be written, or no
 * service opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "decide/service.h"
#include "store/store.h"
#include "support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 256, NOBODY = 65534 };

struct place {
    char *folder, path[PATH_BYTES];
    struct service *service;
    struct err err;
};

static enum status open_service(struct place *place)
{
    const struct service_settings settings = {
        .folder = place->folder,
        .clock = &system_clock,
        .build = "redress test",
        .reader_count = 1,
        .queue_capacity = 4,
    };
    bool was_created;

    err_clear(&place->err);
    place->service = NULL;
    return service_open(&settings, &place->service, &was_created, &place->err);
}

/* A folder with a database that a service has made and closed. */
static void place_make(struct place *place)
{
    place->folder = folder_temporary();
    assert_non_null(place->folder);
    snprintf(place->path, sizeof place->path, "%s/redress.db", place->folder);
    assert_int_equal(open_service(place), STATUS_OK);
    service_close(place->service);
}

static void place_free(struct place *place)
{
    folder_remove(place->folder);
    free(place->folder);
}

static void assert_refused(struct place *place, const char *code, const char *word)
{
    assert_int_not_equal(open_service(place), STATUS_OK);
    assert_string_equal(place->err.code, code);
    assert_non_null(strstr(place->err.text, place->path));
    assert_non_null(strstr(place->err.text, word));
}

static void put_aside(struct place *place, char aside[static PATH_BYTES + 8])
{
    snprintf(aside, PATH_BYTES + 8, "%s.aside", place->path);
    assert_int_equal(rename(place->path, aside), 0);
}

static void a_symbolic_link_to_a_database_is_refused(void **state)
{
    char aside[PATH_BYTES + 8];
    struct place place;

    (void)state;
    place_make(&place);
    put_aside(&place, aside);
    assert_int_equal(symlink(aside, place.path), 0);
    assert_refused(&place, "data_shared", "symbolic link");
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(symlink("/nowhere/redress.db", place.path), 0);
    assert_refused(&place, "data_shared", "symbolic link");
    place_free(&place);
}

static void a_database_with_two_names_is_refused_by_both(void **state)
{
    struct place place, other;

    (void)state;
    place_make(&place);
    place_make(&other);
    assert_int_equal(unlink(other.path), 0);
    assert_int_equal(link(place.path, other.path), 0);
    assert_refused(&place, "data_shared", "2 names");
    assert_refused(&other, "data_shared", "2 names");
    assert_int_equal(unlink(other.path), 0);
    assert_int_equal(open_service(&place), STATUS_OK);
    service_close(place.service);
    place_free(&place);
    place_free(&other);
}

/* As through a folder that is mounted twice, or a file that was moved under a service. */
static void a_database_in_use_is_refused_by_whatever_path(void **state)
{
    struct place place, other;
    struct service *first;

    (void)state;
    place_make(&place);
    place_make(&other);
    assert_int_equal(unlink(other.path), 0);
    assert_int_equal(open_service(&place), STATUS_OK);
    first = place.service;
    assert_int_equal(rename(place.path, other.path), 0);
    assert_refused(&other, "folder_in_use", "another process");
    service_close(first);
    assert_int_equal(open_service(&other), STATUS_OK);
    service_close(other.service);
    place_free(&place);
    place_free(&other);
}

/* Where branches are counted, a process writes its counts when it ends, which only the
 * owner of the files may: there it is somebody else for a while only. */
#if IS_COUNTED
void __gcov_dump(void);

static int become_somebody(void)
{
    return seteuid(NOBODY);
}

static void end_child(int code)
{
    (void)!seteuid(getuid());
    __gcov_dump();
    _exit(code);
}
#else
static int become_somebody(void)
{
    return setuid(NOBODY);
}

static void end_child(int code)
{
    _exit(code);
}
#endif

/* As somebody whom the modes of files concern. Returns what the child says. */
static int as_somebody(struct place *place, int (*look)(struct place *place))
{
    int wait_status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        end_child(geteuid() == 0 && become_somebody() != 0 ? 99 : look(place));
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_true(WIFEXITED(wait_status));
    return WEXITSTATUS(wait_status);
}

/* What is beside the database: its log, and the index of that. */
static bool has_left(const struct place *place)
{
    static const char *const endings[] = {"-wal", "-shm"};
    bool has_any = false;

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char beside[PATH_BYTES + 8];

        snprintf(beside, sizeof beside, "%s%s", place->path, endings[i]);
        has_any = has_any || access(beside, F_OK) == 0;
    }
    return has_any;
}

/* 0: refused with file, mode and owner, and nothing was made. */
static int look_unwritable(struct place *place)
{
    char owner[32];

    snprintf(owner, sizeof owner, "owner user %ju", (uintmax_t)geteuid());
    if (open_service(place) != STATUS_FORBIDDEN)
        return 1;
    if (strcmp(place->err.code, "data_not_writable") != 0)
        return 2;
    if (!strstr(place->err.text, place->path) || !strstr(place->err.text, "0400") ||
        !strstr(place->err.text, owner))
        return 3;
    return has_left(place) ? 4 : 0;
}

/* 0: what only reads refuses as a start does, and leaves nothing behind. */
static int read_unwritable(struct place *place)
{
    const struct service_settings settings = {.folder = place->folder,
                                              .clock = &system_clock};
    struct store *store = NULL;
    struct folder_look look;
    int64_t version;

    if (service_look(&settings, &look, &place->err) != STATUS_FORBIDDEN || look.is_new)
        return 1;
    if (strcmp(place->err.code, "data_not_writable") != 0)
        return 2;
    if (store_open(place->path, STORE_READER, &store, NULL, NULL) != STATUS_FORBIDDEN)
        return 3;
    if (store_schema_version(place->path, &version, NULL) != STATUS_FORBIDDEN)
        return 4;
    return has_left(place) ? 5 : 0;
}

/* 0: a copy without a log may be read by whoever can, and nothing is left behind. */
static int read_copy(struct place *place)
{
    struct store *store = NULL;
    enum status rc = store_open(place->path, STORE_READER, &store, NULL, &place->err);

    store_close(store);
    return rc ? 1 : has_left(place) ? 2 : 0;
}

/* 0: refused, by a start and by its check, with the name that the rest of the folder's
 * has. */
static int look_refused(struct place *place, const char *name)
{
    const struct service_settings settings = {.folder = place->folder,
                                              .clock = &system_clock};
    struct folder_look look;

    if (open_service(place) != STATUS_FORBIDDEN || !strstr(place->err.text, name) ||
        !strstr(place->err.text, "chown"))
        return 1;
    if (service_look(&settings, &look, &place->err) != STATUS_FORBIDDEN ||
        !strstr(place->err.text, name))
        return 2;
    return has_left(place) ? 3 : 0;
}

static int look_folder(struct place *place)
{
    return look_refused(place, place->folder);
}

static int look_lock(struct place *place)
{
    return look_refused(place, "/lock'");
}

static int look_log(struct place *place)
{
    return open_service(place) == STATUS_FORBIDDEN && strstr(place->err.text, "-wal") ? 0
                                                                                      : 1;
}

static int look_writable(struct place *place)
{
    return open_service(place) == STATUS_OK ? 0 : 1;
}

static void give_away(struct place *place)
{
    char lock[PATH_BYTES];

    snprintf(lock, sizeof lock, "%s/lock", place->folder);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(place->folder, NOBODY, NOBODY), 0);
    assert_int_equal(chown(place->path, NOBODY, NOBODY), 0);
    assert_int_equal(chown(lock, NOBODY, NOBODY), 0);
}

static void a_database_that_may_not_be_written_is_refused(void **state)
{
    char log[PATH_BYTES + 8];
    struct place place;
    int fd;

    (void)state;
    place_make(&place);
    give_away(&place);
    assert_int_equal(as_somebody(&place, look_writable), 0);
    snprintf(log, sizeof log, "%s-shm", place.path);
    (void)unlink(log); /* may be gone with the last connection */
    snprintf(log, sizeof log, "%s-wal", place.path);
    (void)unlink(log); /* may be gone with the last connection */
    assert_int_equal(chmod(place.path, 0400), 0);
    assert_int_equal(as_somebody(&place, look_unwritable), 0);
    assert_int_equal(as_somebody(&place, read_unwritable), 0);
    assert_int_equal(chmod(place.path, 0600), 0);
    fd = open(log, O_RDWR | O_CREAT | O_CLOEXEC, 0400);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(as_somebody(&place, look_log), 0);
    place_free(&place);
}

/* A backup that was put away. */
static void a_copy_that_may_not_be_written_is_read_and_left_as_it_is(void **state)
{
    char copy[PATH_BYTES + 8];
    struct place place;
    struct store *store;

    (void)state;
    place_make(&place);
    snprintf(copy, sizeof copy, "%s.copy", place.path);
    assert_int_equal(store_open(place.path, STORE_READER, &store, NULL, &place.err),
                     STATUS_OK);
    assert_int_equal(store_backup(store, copy, &place.err), STATUS_OK);
    store_close(store);
    assert_int_equal(rename(copy, place.path), 0);
    give_away(&place);
    assert_int_equal(chmod(place.path, 0400), 0);
    assert_int_equal(chmod(place.folder, 0500), 0);
    assert_int_equal(as_somebody(&place, read_copy), 0);
    assert_int_equal(chmod(place.folder, 0700), 0);
    place_free(&place);
}

static void a_folder_that_may_not_be_written_is_refused_by_name(void **state)
{
    char lock[PATH_BYTES];
    struct place place;

    (void)state;
    place_make(&place);
    give_away(&place);
    assert_int_equal(chmod(place.folder, 0500), 0);
    assert_int_equal(as_somebody(&place, look_folder), 0);
    assert_int_equal(chmod(place.folder, 0700), 0);
    snprintf(lock, sizeof lock, "%s/lock", place.folder);
    assert_int_equal(chmod(lock, 0400), 0);
    assert_int_equal(as_somebody(&place, look_lock), 0);
    place_free(&place);
}

static void a_file_in_place_of_a_folder_is_named(void **state)
{
    struct place place, inside;
    struct folder_look look;

    (void)state;
    place_make(&place);
    inside = place;
    inside.folder = place.path;
    const struct service_settings settings = {.folder = inside.folder,
                                              .clock = &system_clock};

    assert_int_equal(open_service(&inside), STATUS_INVALID);
    assert_non_null(strstr(inside.err.text, "redress.db' is not a folder"));
    err_clear(&inside.err);
    assert_int_equal(service_look(&settings, &look, &inside.err), STATUS_INVALID);
    assert_non_null(strstr(inside.err.text, "redress.db' is not a folder"));
    place_free(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_symbolic_link_to_a_database_is_refused),
        cmocka_unit_test(a_database_with_two_names_is_refused_by_both),
        cmocka_unit_test(a_database_in_use_is_refused_by_whatever_path),
        cmocka_unit_test(a_database_that_may_not_be_written_is_refused),
        cmocka_unit_test(a_copy_that_may_not_be_written_is_read_and_left_as_it_is),
        cmocka_unit_test(a_folder_that_may_not_be_written_is_refused_by_name),
        cmocka_unit_test(a_file_in_place_of_a_folder_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
