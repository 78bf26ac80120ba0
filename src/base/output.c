/* output.c - a buffer, a file beside, and a rename at the end. */
#include "base/output.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16, FORMAT_BYTES = 1024, MODE_NEW = 0666 };

struct output {
    int file;
    bool is_stdout;
    char path[PATH_MAX];   /* where it will stand */
    char beside[PATH_MAX]; /* where it is written; empty: in its place */
    bool is_unnamed;       /* has not its name beside yet */
    int failure;           /* the first errno; 0: none */
    size_t used;
    char buffer[BUFFER_BYTES];
};

static enum status failed(struct err *err, const char *what, const char *path)
{
    return err_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
                   "cannot %s %s: %s", what, path, strerror(errno));
}

/* A file without a name, which is given one through /proc; false when there is no such
 * thing. */
static bool open_unnamed(struct output *output, mode_t mode)
{
    char parent[PATH_MAX];

    file_parent(output->path, parent);
    if (access("/proc/self/fd", X_OK) == 0)
        output->file = open(parent, O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
    return output->file >= 0;
}

static enum status open_beside(struct output *output, mode_t mode, bool is_there,
                               struct err *err)
{
    uint64_t chance;

    if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
        return failed(err, "name a file beside", output->path);
    if (snprintf(output->beside, sizeof output->beside, "%s.%016" PRIx64 ".tmp",
                 output->path, chance) >= (int)sizeof output->beside) {
        output->beside[0] = '\0';
        return err_set(err, STATUS_INVALID, "the path '%.64s...' is too long",
                       output->path);
    }
    output->is_unnamed = open_unnamed(output, mode);
    if (!output->is_unnamed)
        output->file =
            open(output->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (output->file < 0) {
        output->beside[0] = '\0';
        return failed(err, "create a file beside", output->path);
    }
    if (is_there && fchmod(output->file, mode) != 0)
        return failed(err, "set the mode of", output->beside);
    return STATUS_OK;
}

static enum status open_path(struct output *output, const char *path, struct err *err)
{
    struct stat info;
    bool is_there = stat(path, &info) == 0;

    if (!is_there || !realpath(path, output->path))
        snprintf(output->path, sizeof output->path, "%s", path);
    if (strlen(path) >= sizeof output->path)
        return err_set(err, STATUS_INVALID, "the path '%.64s...' is too long", path);
    if (!is_there || S_ISREG(info.st_mode))
        return open_beside(output, is_there ? info.st_mode & 07777 : MODE_NEW, is_there,
                           err);
    output->file = open(path, O_WRONLY | O_CLOEXEC);
    return output->file < 0 ? failed(err, "write", path) : STATUS_OK;
}

enum status output_open(const char *path, struct output **output, struct err *err)
{
    struct output *opened = malloc(sizeof *opened);
    enum status rc = STATUS_OK;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a file to write");
    opened->is_stdout = strcmp(path, "-") == 0;
    opened->file = opened->is_stdout ? STDOUT_FILENO : -1;
    opened->beside[0] = '\0';
    opened->is_unnamed = false;
    opened->failure = 0;
    opened->used = 0;
    if (opened->is_stdout)
        strcpy(opened->path, "standard output");
    else
        rc = open_path(opened, path, err);
    if (rc)
        output_abandon(opened);
    else
        *output = opened;
    return rc;
}

static void write_out(struct output *output, const char *at, size_t bytes)
{
    while (bytes > 0 && !output->failure) {
        ssize_t put = write(output->file, at, bytes);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            output->failure = errno;
            return;
        }
        at += put;
        bytes -= (size_t)put;
    }
}

static void flush(struct output *output)
{
    write_out(output, output->buffer, output->used);
    output->used = 0;
}

void output_put(struct output *output, const void *bytes, size_t count)
{
    if (count > sizeof output->buffer - output->used)
        flush(output);
    if (count > sizeof output->buffer) {
        write_out(output, bytes, count);
        return;
    }
    if (count > 0)
        memcpy(output->buffer + output->used, bytes, count);
    output->used += count;
}

void output_string(struct output *output, const char *string)
{
    output_put(output, string, strlen(string));
}

void output_format(struct output *output, const char *format, ...)
{
    char text[FORMAT_BYTES];
    va_list arguments;
    int bytes;

    va_start(arguments, format);
    bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (bytes < 0 || bytes >= (int)sizeof text)
        output->failure = output->failure ? output->failure : EOVERFLOW;
    else
        output_put(output, text, (size_t)bytes);
}

bool output_has_failed(const struct output *output)
{
    return output->failure != 0;
}

/* Give the file its name beside, if it has none. */
static enum status name_beside(struct output *output, struct err *err)
{
    char number[64];

    if (!output->is_unnamed)
        return STATUS_OK;
    snprintf(number, sizeof number, "/proc/self/fd/%d", output->file);
    if (linkat(AT_FDCWD, number, AT_FDCWD, output->beside, AT_SYMLINK_FOLLOW) != 0)
        return failed(err, "name", output->beside);
    output->is_unnamed = false;
    return STATUS_OK;
}

enum status output_ready(struct output *output, struct err *err)
{
    flush(output);
    errno = output->failure;
    if (errno || (output->beside[0] && fsync(output->file) != 0))
        return failed(err, "write", output->path);
    return name_beside(output, err);
}

enum status output_finish(struct output *output, struct err *err)
{
    bool is_beside = output->beside[0] != '\0';
    enum status rc = output_ready(output, err);

    if (!output->is_stdout && close(output->file) != 0 && !rc)
        rc = failed(err, "close", output->path);
    output->file = -1;
    if (!rc && is_beside && rename(output->beside, output->path) != 0)
        rc = failed(err, "replace", output->path);
    if (!rc && is_beside) {
        output->beside[0] = '\0';
        rc = file_name_sync(output->path, err);
    }
    output_abandon(output);
    return rc;
}

void output_abandon(struct output *output)
{
    if (!output)
        return;
    if (output->file >= 0 && !output->is_stdout)
        close(output->file);
    if (output->beside[0] && !output->is_unnamed)
        unlink(output->beside);
    free(output);
}
