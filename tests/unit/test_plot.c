/* test_plot.c - a picture is there as a whole, or the one before it is. A script stands in for gnuplot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/plot.h"
#include "support/folder.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 512 };

static struct {
    char *folder;
    char gnuplot[PATH_BYTES], picture[PATH_BYTES];
} stage;

static int set_stage(void **)
{
    stage.folder = folder_temporary();
    if (!stage.folder)
        return -1;
    snprintf(stage.gnuplot, PATH_BYTES, "%s/gnuplot", stage.folder);
    snprintf(stage.picture, PATH_BYTES, "%s/a.png", stage.folder);
    return 0;
}

static int forget_stage(void **)
{
    free(stage.folder);
    return 0;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Draws what it is told to be called, and then ends so. */
static void set_gnuplot(const char *ending)
{
    char script[4 * PATH_BYTES], path[2 * PATH_BYTES];

    snprintf(script, sizeof script,
             "#!/bin/sh\nsed -n \"s/^set output '\\\\(.*\\\\)'$/\\\\1/p\" |"
             " while read -r f; do echo new > \"$f\"; done\n%s\n",
             ending);
    write_text(stage.gnuplot, script);
    assert_int_equal(chmod(stage.gnuplot, 0700), 0);
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", stage.folder);
    assert_int_equal(setenv("PATH", path, 1), 0);
}

static enum status draw(void)
{
    struct plot *plot;
    struct err err;

    assert_int_equal(plot_open(stage.folder, &plot, &err), STATUS_OK);
    plot_begin(plot, "a", "A", "x", "y");
    return plot_finish(plot, &err);
}

static int file_count(void)
{
    DIR *folder = opendir(stage.folder);
    int count = -2; /* . and .. */

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void assert_picture(const char *text)
{
    char found[16] = {0};
    FILE *file = fopen(stage.picture, "r");

    assert_non_null(file);
    assert_non_null(fgets(found, sizeof found, file));
    fclose(file);
    assert_string_equal(found, text);
    assert_int_equal(file_count(), 2); /* and gnuplot */
}

static void a_picture_that_fails_leaves_the_one_before_it(void **)
{
    write_text(stage.picture, "old\n");
    set_gnuplot("exit 1");
    assert_int_equal(draw(), STATUS_IO);
    assert_picture("old\n");
    set_gnuplot("exit 0");
    assert_int_equal(draw(), STATUS_OK);
    assert_picture("new\n");
}

static void a_picture_that_was_not_made_is_an_error(void **)
{
    write_text(stage.picture, "old\n");
    write_text(stage.gnuplot, "#!/bin/sh\ncat > /dev/null\n");
    assert_int_equal(draw(), STATUS_IO);
    assert_picture("old\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_that_fails_leaves_the_one_before_it),
        cmocka_unit_test(a_picture_that_was_not_made_is_an_error),
    };

    return cmocka_run_group_tests(tests, set_stage, forget_stage);
}
