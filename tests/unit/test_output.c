/* test_output.c - a file is seen whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/output.h"
#include "support/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

static char *folder;

static int make_folder(void **)
{
    folder = folder_temporary();
    return folder ? 0 : -1;
}

static int forget_folder(void **)
{
    free(folder);
    return 0;
}

static int file_count(void)
{
    DIR *opened = opendir(folder);
    struct dirent *entry;
    int count = 0;

    assert_non_null(opened);
    while ((entry = readdir(opened)))
        count += entry->d_name[0] != '.';
    closedir(opened);
    return count;
}

static void expect_content(const char *path, const char *wanted)
{
    char *content;
    size_t bytes;

    assert_int_equal(file_read(path, 1 << 20, &content, &bytes, NULL), STATUS_OK);
    assert_string_equal(content, wanted);
    free(content);
}

static void what_is_abandoned_was_never_there(void **)
{
    char path[PATH_BYTES];
    struct output *output = NULL;
    struct err err;

    err_clear(&err);
    snprintf(path, sizeof path, "%s/abandoned", folder);
    assert_int_equal(file_write(path, "before", 6, 0600, &err), STATUS_OK);
    assert_int_equal(output_open(path, &output, &err), STATUS_OK);
    for (int i = 0; i < 20000; i++)
        output_format(output, "line %d\n", i);
    expect_content(path, "before");
    output_abandon(output);
    expect_content(path, "before");
    assert_int_equal(file_count(), 1);
    unlink(path);
}

static bool knows_files_without_a_name(void)
{
    int file = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

    if (file >= 0)
        close(file);
    return file >= 0;
}

/* Write without an end in sight, until the signal. */
static void write_until(const char *path, int signal_number)
{
    struct output *output = NULL;
    struct err err;

    err_clear(&err);
    if (output_open(path, &output, &err))
        _exit(2);
    for (int i = 0; i < 50000; i++)
        output_format(output, "line %d\n", i);
    raise(signal_number);
    _exit(3);
}

static void nothing_is_left_of_what_a_signal_cut_short(void **)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGKILL};
    char path[PATH_BYTES];
    int status;

    if (!knows_files_without_a_name()) {
        print_message("SKIPPED: %s has no files without a name\n", folder);
        return;
    }
    snprintf(path, sizeof path, "%s/cut", folder);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            write_until(path, numbers[i]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i]);
        assert_int_equal(file_count(), 0);
    }
}

static void a_finished_file_replaces_what_a_link_points_at_and_keeps_its_mode(void **)
{
    char path[PATH_BYTES], link[PATH_BYTES];
    struct output *output = NULL;
    struct stat info;
    struct err err;

    err_clear(&err);
    snprintf(path, sizeof path, "%s/real", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(file_write(path, "before", 6, 0640, &err), STATUS_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(output_open(link, &output, &err), STATUS_OK);
    output_string(output, "after");
    assert_int_equal(output_finish(output, &err), STATUS_OK);
    expect_content(path, "after");
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(file_count(), 2);
    unlink(link);
    unlink(path);
}

static void more_than_the_buffer_arrives_in_order(void **)
{
    enum { BYTES = 300000 };
    char path[PATH_BYTES], *content, *large = malloc(BYTES);
    struct output *output = NULL;
    struct err err;
    size_t bytes;

    err_clear(&err);
    assert_non_null(large);
    for (int i = 0; i < BYTES; i++)
        large[i] = (char)('a' + i % 26);
    snprintf(path, sizeof path, "%s/large", folder);
    assert_int_equal(output_open(path, &output, &err), STATUS_OK);
    output_string(output, "x");
    output_put(output, large, BYTES);
    output_string(output, "y");
    assert_int_equal(output_finish(output, &err), STATUS_OK);
    assert_int_equal(file_read(path, 1 << 20, &content, &bytes, &err), STATUS_OK);
    assert_int_equal(bytes, BYTES + 2);
    assert_memory_equal(content + 1, large, BYTES);
    assert_int_equal(content[BYTES + 1], 'y');
    free(content);
    free(large);
    unlink(path);
}

static void what_cannot_be_written_is_told(void **)
{
    struct output *output = NULL;
    struct err err;

    err_clear(&err);
    assert_int_equal(output_open("/nowhere/at/all", &output, &err), STATUS_NOT_FOUND);
    assert_int_equal(output_open("/dev/full", &output, &err), STATUS_OK);
    output_string(output, "x");
    assert_int_equal(output_finish(output, &err), STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_abandoned_was_never_there),
        cmocka_unit_test(nothing_is_left_of_what_a_signal_cut_short),
        cmocka_unit_test(
            a_finished_file_replaces_what_a_link_points_at_and_keeps_its_mode),
        cmocka_unit_test(more_than_the_buffer_arrives_in_order),
        cmocka_unit_test(what_cannot_be_written_is_told),
    };

    return cmocka_run_group_tests(tests, make_folder, forget_folder);
}
