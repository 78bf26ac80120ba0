/* plot.c - a pipe to gnuplot. */
#include "app/plot.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_BYTES = 200 };

struct plot {
    FILE *script; /* what gnuplot reads */
    int said;     /* a file of its complaints */
    pid_t gnuplot;
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

/* gnuplot, which reads from a pipe and complains into a file. Where it cannot open a
 * picture it draws on its standard output, which is nobody's here. */
static int spawn(struct plot *plot, const int pipe_ends[2])
{
    static char name[] = "gnuplot", *const words[] = {name, NULL};
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);

    if (code)
        return code;
    code = posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], STDIN_FILENO);
    if (!code)
        code = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
                                                O_WRONLY, 0);
    if (!code)
        code = posix_spawn_file_actions_adddup2(&actions, plot->said, STDERR_FILENO);
    if (!code)
        code = posix_spawnp(&plot->gnuplot, name, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static enum status start(struct plot *plot, struct err *err)
{
    int ends[2], code;

    plot->said = memfd_create("gnuplot", MFD_CLOEXEC);
    if (plot->said < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, STATUS_IO, "gnuplot: %s", strerror(errno));
    code = spawn(plot, ends);
    close(ends[0]);
    plot->script = code ? NULL : fdopen(ends[1], "w");
    if (!plot->script)
        close(ends[1]);
    return plot->script
               ? STATUS_OK
               : err_set(err, STATUS_IO, "gnuplot: %s", strerror(code ? code : errno));
}

static void plot_free(struct plot *plot)
{
    if (plot->said >= 0)
        close(plot->said);
    free(plot);
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
    rc = start(opened, err);
    if (rc)
        plot_free(opened);
    else
        *plot = opened;
    return rc;
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

/* gnuplot does not say when the disk is full: a picture is whole when its last piece is
 * there. */
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

/* The last line of the complaints that is not empty; "" when there was none. */
static void read_said(const struct plot *plot, char said[static SAID_BYTES])
{
    char tail[SAID_BYTES];
    off_t end = lseek(plot->said, 0, SEEK_END);
    ssize_t bytes = pread(plot->said, tail, sizeof tail - 1,
                          end < (off_t)sizeof tail ? 0 : end - (off_t)sizeof tail + 1);
    char *line;

    tail[bytes > 0 ? bytes : 0] = '\0';
    for (char *last = tail + strlen(tail); last > tail && strchr(" \n\r", last[-1]);)
        *--last = '\0';
    line = strrchr(tail, '\n');
    line = line ? line + 1 : tail;
    line += strspn(line, " ");
    strcpy(said, line);
    text_plain(said);
}

/* Why a picture is not there, and what to do. */
static enum status refuse_picture(const struct plot *plot, const char *picture,
                                  struct err *err)
{
    char said[SAID_BYTES];

    read_said(plot, said);
    if (said[0])
        return err_set(err, STATUS_IO,
                       "%s: gnuplot could not draw it: \"%s\"; it needs to write into "
                       "the folder, and its terminal pngcairo (Debian: gnuplot-nox)",
                       picture, said);
    return err_set(err, STATUS_IO,
                   "%s: could not be drawn whole, and gnuplot said nothing: make room on "
                   "the disk of the folder, or take another folder",
                   picture);
}

static enum status check_picture(const struct plot *plot, int picture, struct err *err)
{
    struct picture_paths paths = paths_of(plot, picture);
    int file = open(paths.drawn, O_RDONLY | O_CLOEXEC);
    bool is_fine = file >= 0 && is_whole(file);

    if (file >= 0)
        close(file);
    return is_fine ? STATUS_OK : refuse_picture(plot, paths.whole, err);
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

static enum status wait_for(struct plot *plot, struct err *err)
{
    int code = 0;

    fclose(plot->script); /* a pipe that gnuplot closed shows in the pictures */
    while (waitpid(plot->gnuplot, &code, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(code))
        return err_set(err, STATUS_IO, "gnuplot was ended by signal %d", WTERMSIG(code));
    return WIFEXITED(code) && WEXITSTATUS(code) == 0
               ? STATUS_OK
               : refuse_picture(plot, paths_of(plot, 0).whole, err);
}

enum status plot_finish(struct plot *plot, struct err *err)
{
    enum status rc = wait_for(plot, err);

    if (!rc)
        rc = put_in_place(plot, err);
    for (int i = 0; i < plot->count && rc; i++)
        unlink(paths_of(plot, i).drawn);
    plot_free(plot);
    return rc;
}
