/* plot.c - a pipe to gnuplot. */
#include "app/plot.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct plot {
    FILE *script;
    char folder[PATH_MAX];
    int count;
    char names[PLOT_PICTURE_COUNT_MAX][PLOT_NAME_BYTES];
};

/* Where a picture is and, while it is drawn, where that is. */
struct picture_paths {
    char whole[PATH_MAX + PLOT_NAME_BYTES + 8], drawn[PATH_MAX + PLOT_NAME_BYTES + 32];
};

static struct picture_paths paths_of(const struct plot *plot, int picture)
{
    struct picture_paths paths;

    snprintf(paths.whole, sizeof paths.whole, "%s/%s.png", plot->folder,
             plot->names[picture]);
    snprintf(paths.drawn, sizeof paths.drawn, "%s.new-%ld", paths.whole, (long)getpid());
    return paths;
}

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
    struct picture_paths paths;

    assert(plot->count < PLOT_PICTURE_COUNT_MAX && strlen(name) < PLOT_NAME_BYTES);
    strcpy(plot->names[plot->count], name);
    paths = paths_of(plot, plot->count++);
    fprintf(plot->script,
            "reset\nset terminal pngcairo size 900,520 font 'sans,11'\n"
            "set output '%s'\nset title '%s'\nset xlabel '%s'\nset ylabel '%s'\n"
            "set grid lc rgb '#dddddd'\n",
            paths.drawn, title, x_label, y_label);
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

/* gnuplot does not say when the disk is full: a picture is whole when its last piece is there. */
static bool is_whole(int file)
{
    static const unsigned char end[] = {0,   0,   0,    0,    'I',  'E',
                                        'N', 'D', 0xae, 0x42, 0x60, 0x82};
    unsigned char found[sizeof end];
    off_t bytes = lseek(file, 0, SEEK_END);

    return bytes > (off_t)sizeof end &&
           pread(file, found, sizeof found, bytes - (off_t)sizeof end) ==
               (ssize_t)sizeof found &&
           memcmp(found, end, sizeof end) == 0 && fsync(file) == 0;
}

static enum status check_picture(const struct plot *plot, int picture, struct err *err)
{
    struct picture_paths paths = paths_of(plot, picture);
    int file = open(paths.drawn, O_RDONLY | O_CLOEXEC);
    bool is_fine = file >= 0 && is_whole(file);

    if (file >= 0)
        close(file);
    return is_fine
               ? STATUS_OK
               : err_set(err, STATUS_IO,
                         "%s: could not be drawn whole; is the disk full?", paths.whole);
}

static enum status put_in_place(const struct plot *plot, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < plot->count && !rc; i++)
        rc = check_picture(plot, i, err);
    for (int i = 0; i < plot->count && !rc; i++) {
        struct picture_paths paths = paths_of(plot, i);

        if (rename(paths.drawn, paths.whole) != 0)
            rc = err_set(err, STATUS_IO, "%s: %s", paths.whole, strerror(errno));
        else
            rc = file_name_sync(paths.whole, err);
    }
    return rc;
}

enum status plot_finish(struct plot *plot, struct err *err)
{
    int code = pclose(plot->script);
    enum status rc = WIFEXITED(code) && WEXITSTATUS(code) == 0
                         ? put_in_place(plot, err)
                         : err_set(err, STATUS_IO, "gnuplot failed");

    for (int i = 0; i < plot->count && rc; i++)
        unlink(paths_of(plot, i).drawn);
    free(plot);
    return rc;
}
