/* plot.c - a pipe to gnuplot. */
#include "app/plot.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct plot {
    FILE *script;
    char folder[PATH_MAX];
    const char *names[PLOT_COUNT_MAX];
    int count;
};

enum { PICTURE_BYTES = PATH_MAX + 64 };

static bool has_gnuplot(void)
{
    char path[PATH_MAX];
    const char *at = getenv("PATH");

    while (at && *at) {
        size_t bytes = strcspn(at, ":");

        if (snprintf(path, sizeof path, "%.*s/gnuplot", (int)bytes, at) <
                (int)sizeof path &&
            access(path, X_OK) == 0)
            return true;
        at += bytes + (at[bytes] == ':');
    }
    return false;
}

enum status plot_open(const char *folder, struct plot **plot, struct err *err)
{
    struct plot *opened;
    enum status rc;

    if (!has_gnuplot())
        return err_set(
            err, STATUS_UNAVAILABLE,
            "--plot needs gnuplot, which is not installed (Debian: gnuplot-nox)");
    if (strpbrk(folder, "'\"\\\n\r`") || strlen(folder) >= sizeof opened->folder)
        return err_set(err, STATUS_INVALID,
                       "--plot: the folder's name is too long or has quotes");
    rc = folder_make(folder, 0777, err);
    if (rc)
        return rc;
    opened = calloc(1, sizeof *opened);
    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a picture");
    strcpy(opened->folder, folder);
    signal(SIGPIPE, SIG_IGN);
    opened->script = popen("gnuplot", "w");
    if (!opened->script) {
        free(opened);
        return err_set(err, STATUS_IO, "gnuplot: %s", strerror(errno));
    }
    *plot = opened;
    return STATUS_OK;
}

void plot_begin(struct plot *plot, const char *name, const char *title,
                const char *x_label, const char *y_label)
{
    assert(plot->count < PLOT_COUNT_MAX);
    plot->names[plot->count++] = name;
    fprintf(
        plot->script,
        "reset\nset terminal pngcairo size 900,520 font 'sans,11'\n"
        "set output '%s/.%s.png.part'\nset title '%s'\nset xlabel '%s'\nset ylabel '%s'\n"
        "set grid lc rgb '#dddddd'\n",
        plot->folder, name, title, x_label, y_label);
}

FILE *plot_script(struct plot *plot)
{
    return plot->script;
}

void plot_put_quoted(struct plot *plot, struct text text)
{
    fputc('\'', plot->script);
    for (size_t i = 0; i < text.bytes; i++)
        fputc((unsigned char)text.at[i] < ' ' || strchr("'\"\\`", text.at[i])
                  ? '?'
                  : text.at[i],
              plot->script);
    fputc('\'', plot->script);
}

static enum status put_in_place(const struct plot *plot, const char *name, bool is_good,
                                struct err *err)
{
    char part[PICTURE_BYTES], picture[PICTURE_BYTES];

    snprintf(part, sizeof part, "%s/.%s.png.part", plot->folder, name);
    snprintf(picture, sizeof picture, "%s/%s.png", plot->folder, name);
    if (is_good && rename(part, picture) == 0)
        return STATUS_OK;
    if (is_good)
        return err_set(err, STATUS_IO, "%s: %s", picture, strerror(errno));
    unlink(part);
    return STATUS_OK;
}

enum status plot_finish(struct plot *plot, struct err *err)
{
    int code = pclose(plot->script);
    bool is_good = WIFEXITED(code) && WEXITSTATUS(code) == 0;
    enum status rc = is_good ? STATUS_OK : err_set(err, STATUS_IO, "gnuplot failed");

    for (int i = 0; i < plot->count; i++) {
        enum status placed = put_in_place(plot, plot->names[i], is_good && !rc, err);

        rc = rc ? rc : placed;
    }
    free(plot);
    return rc;
}
