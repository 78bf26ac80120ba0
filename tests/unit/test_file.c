/* test_file.c - base/file.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <signal.h>
#include <unistd.h>

static char folder[] = "/tmp/redress_file_XXXXXX";
static char path[200];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int entry_count(void)
{
    DIR *listing = opendir(folder);
    int count = 0;

    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2;
}

static void what_is_written_is_read(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *content = malloc(sizes[i] + 1), *again;
        size_t bytes;

        assert_non_null(content);
        for (size_t k = 0; k < sizes[i]; k++)
            content[k] = (char)(k * 7 + i);
        in_folder("data");
        assert_int_equal(file_write(path, content, sizes[i], 0640, NULL), STATUS_OK);
        assert_int_equal(file_read(path, sizes[i], &again, &bytes, NULL), STATUS_OK);
        assert_int_equal(bytes, sizes[i]);
        assert_int_equal(again[bytes], 0);
        assert_memory_equal(again, content, bytes);
        free(content);
        free(again);
    }
    assert_int_equal(entry_count(), 1); /* nothing is left beside */
}

static void the_mode_is_kept(void **state)
{
    struct stat info;
    mode_t mask = umask(022);

    (void)state;
    assert_int_equal(file_write(in_folder("secret"), "x", 1, 0600, NULL), STATUS_OK);
    umask(mask);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void more_than_the_limit_is_too_large(void **state)
{
    struct err err;
    char *content = NULL;
    size_t bytes;

    (void)state;
    err_clear(&err);
    assert_int_equal(file_write(in_folder("long"), "12345", 5, 0600, &err), STATUS_OK);
    assert_int_equal(file_read(path, 5, &content, &bytes, &err), STATUS_OK);
    free(content);
    for (size_t limit = 0; limit < 5; limit++)
        assert_int_equal(file_read(path, limit, &content, &bytes, &err),
                         STATUS_TOO_LARGE);
    assert_non_null(strstr(err.text, path));
}

static const char *handed_over(int fd)
{
    static char name[32];

    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    return name;
}

static void a_pipe_or_device_is_read_only_when_it_was_handed_over(void **state)
{
    int ends[2], zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    struct err err;
    char *content;
    size_t bytes;

    (void)state;
    err_clear(&err);
    /* Nobody writes into it: reading it would never return. */
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(file_read(path, 9, &content, &bytes, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "it is a pipe"));
    assert_int_equal(file_read("/dev/zero", 9, &content, &bytes, &err), STATUS_IO);

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    close(ends[1]);
    assert_int_equal(file_read(handed_over(ends[0]), 9, &content, &bytes, &err),
                     STATUS_OK);
    assert_string_equal(content, "hello");
    free(content);
    close(ends[0]);
    /* Without a size of its own, and without an end. */
    assert_int_equal(file_read(handed_over(zero), 300000, &content, &bytes, &err),
                     STATUS_TOO_LARGE);
    close(zero);
}

static void failures_name_the_path(void **state)
{
    struct err err;
    char *content;
    size_t bytes;

    (void)state;
    err_clear(&err);
    assert_int_equal(file_read(in_folder("missing"), 9, &content, &bytes, &err),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(file_read(folder, 9, &content, &bytes, &err), STATUS_IO);
    assert_non_null(strstr(err.text, folder));
    assert_int_equal(file_write(in_folder("missing/x"), "x", 1, 0600, &err),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, path));
}

/* A limit on file sizes stands in for a full disk. */
static void a_failed_write_leaves_the_old_file(void **state)
{
    const struct rlimit small = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    struct rlimit usual;
    char big[1000] = "", *content;
    size_t bytes;
    struct err err;

    (void)state;
    err_clear(&err);
    assert_int_equal(file_write(in_folder("kept"), "old", 3, 0600, NULL), STATUS_OK);
    int count_before = entry_count();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &usual);
    setrlimit(RLIMIT_FSIZE, &small);
    enum status rc = file_write(path, big, sizeof big, 0600, &err);
    setrlimit(RLIMIT_FSIZE, &usual);
    assert_int_equal(rc, STATUS_IO);
    assert_int_equal(file_read(path, 99, &content, &bytes, NULL), STATUS_OK);
    assert_string_equal(content, "old");
    assert_int_equal(entry_count(), count_before);
    free(content);
}

static void standard_input_is_a_dash(void **state)
{
    int ends[2], old = dup(STDIN_FILENO);
    char *content;
    size_t bytes;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    enum status rc = file_read("-", 100, &content, &bytes, NULL);
    dup2(old, STDIN_FILENO);
    close(old);
    close(ends[0]);
    assert_int_equal(rc, STATUS_OK);
    assert_string_equal(content, "hello");
    free(content);
}

static void folders_are_made_with_their_parents(void **state)
{
    struct err err;

    (void)state;
    err_clear(&err);
    in_folder("a/b//c/");
    assert_false(folder_exists(path));
    assert_int_equal(folder_make(path, 0750, &err), STATUS_OK);
    assert_true(folder_exists(path));
    assert_int_equal(folder_make(path, 0750, &err), STATUS_OK);
    assert_int_equal(folder_make("/", 0750, &err), STATUS_OK);
    assert_int_equal(folder_make("", 0750, &err), STATUS_INVALID);
    assert_int_equal(file_write(in_folder("file"), "", 0, 0600, &err), STATUS_OK);
    assert_false(folder_exists(path));
    assert_int_equal(folder_make(path, 0750, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "is not a folder"));
    assert_int_equal(folder_make(in_folder("file/below"), 0750, &err), STATUS_INVALID);
}

/* Before that of the C library. */
static int rename_errno;
int renameat2(int from_folder, const char *from, int to_folder, const char *to,
              unsigned flags)
{
    if (rename_errno == 0)
        return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    errno = rename_errno;
    return -1;
}

static void expect_content(const char *name, const char *expected)
{
    char *content = NULL;
    size_t bytes;

    assert_int_equal(file_read(name, 100, &content, &bytes, NULL), STATUS_OK);
    assert_string_equal(content, expected);
    free(content);
}

static void a_new_name_replaces_nothing_on_any_file_system(void **state)
{
    static const int refusals[] = {0, EINVAL, ENOSYS, EOPNOTSUPP};
    char from[200], to[200];
    struct err err = {0};

    (void)state;
    snprintf(from, sizeof from, "%s/from", folder);
    snprintf(to, sizeof to, "%s/to", folder);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        rename_errno = refusals[i];
        assert_int_equal(file_write(from, "one", 3, 0600, NULL), STATUS_OK);
        assert_int_equal(file_rename_new(from, to, &err), STATUS_OK);
        assert_int_equal(access(from, F_OK), -1);
        expect_content(to, "one");
        assert_int_equal(file_write(from, "two", 3, 0600, NULL), STATUS_OK);
        assert_int_equal(file_rename_new(from, to, &err), STATUS_CONFLICT);
        assert_non_null(strstr(err.text, to));
        expect_content(to, "one");
        expect_content(from, "two");
        assert_int_equal(unlink(to), 0);
    }
    rename_errno = EIO;
    assert_int_equal(file_rename_new(from, to, &err), STATUS_IO);
    assert_int_equal(access(to, F_OK), -1);
    rename_errno = 0;
    assert_int_equal(unlink(from), 0);
    assert_int_equal(file_rename_new(from, to, &err), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_mode_is_kept),
        cmocka_unit_test(more_than_the_limit_is_too_large),
        cmocka_unit_test(a_pipe_or_device_is_read_only_when_it_was_handed_over),
        cmocka_unit_test(failures_name_the_path),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(standard_input_is_a_dash),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(a_new_name_replaces_nothing_on_any_file_system),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
