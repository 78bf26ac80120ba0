/* test_moved_files.c - the files of a running service are moved, deleted or replaced: it
 * ends with 1 instead of answering from files that nobody finds again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512, END_MS_MAX = 10000 };

static void path_of(const char *folder, const char *name, char path[static PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

static void move_away(const char *folder, const char *name)
{
    char path[PATH_BYTES], aside[PATH_BYTES + 8];

    path_of(folder, name, path);
    snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
}

static void move_database(const char *folder)
{
    move_away(folder, "redress.db");
}

static void delete_database(const char *folder)
{
    char path[PATH_BYTES];

    path_of(folder, "redress.db", path);
    assert_int_equal(unlink(path), 0);
}

/* As a backup that is put back under the service. */
static void replace_database(const char *folder)
{
    char copy[PATH_BYTES], path[PATH_BYTES];
    const char *const backup[] = {"db", "backup", copy, "--data", folder, NULL};

    path_of(folder, "copy.db", copy);
    path_of(folder, "redress.db", path);
    assert_int_equal(program_run(backup, NULL, NULL), 0);
    assert_int_equal(rename(copy, path), 0);
}

static void delete_log(const char *folder)
{
    char path[PATH_BYTES];

    path_of(folder, "redress.db-wal", path);
    assert_int_equal(unlink(path), 0);
}

static void move_folder(const char *folder)
{
    char aside[PATH_BYTES];

    snprintf(aside, sizeof aside, "%s.aside", folder);
    assert_int_equal(rename(folder, aside), 0);
}

static void put_folder_back(const char *folder)
{
    char aside[PATH_BYTES];

    snprintf(aside, sizeof aside, "%s.aside", folder);
    assert_int_equal(rename(aside, folder), 0);
}

static void what_was_moved_ends_the_service(void **state)
{
    static const struct {
        void (*move)(const char *folder), (*put_back)(const char *folder);
    } rows[] = {
        {move_database, NULL}, {delete_database, NULL},        {replace_database, NULL},
        {delete_log, NULL},    {move_folder, put_folder_back},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *folder = folder_temporary();
        struct live_server server;
        int code = -1;

        assert_true(live_server_start(folder, NULL, &server));
        rows[i].move(folder);
        if (!live_server_ended(&server, END_MS_MAX, &code))
            fail_msg("row %zu: the service goes on", i);
        assert_int_equal(code, 1);
        if (rows[i].put_back)
            rows[i].put_back(folder);
        folder_remove(folder);
        free(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_moved_ends_the_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
