/* input.c - a window over a file: what is used leaves in front, what is read comes
 * behind. */
#include "table/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW_BYTES_MIN = 1 << 18 };

static int64_t count_lines(const char *at, const char *end)
{
    int64_t count = 0;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        count++;
    }
    return count;
}

int64_t input_line(const struct input *input, const char *position)
{
    return input->window_line + count_lines(input->window, position);
}

/* Drop what was used. */
static void slide(struct input *input)
{
    size_t bytes = (size_t)(input->end - input->at);

    if (input->has_lines)
        input->window_line += count_lines(input->window, input->at);
    memmove(input->window, input->at, bytes);
    input->at = input->window;
    input->end = input->window + bytes;
}

static enum status grow(struct input *input, struct err *err)
{
    size_t used = (size_t)(input->end - input->at), bytes = input->window_bytes * 2;
    char *grown;

    if (input->window_bytes >= INPUT_WINDOW_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "has more than %d bytes",
                       INPUT_WINDOW_BYTES_MAX);
    grown = realloc(input->window, bytes + INPUT_MARGIN_BYTES);
    if (!grown)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for what is read");
    input->window = grown;
    input->window_bytes = bytes;
    input->at = grown;
    input->end = grown + used;
    return STATUS_OK;
}

enum status input_fill(struct input *input, struct err *err)
{
    size_t room;
    ssize_t bytes;
    enum status rc;

    slide(input);
    if (input->end == input->window + input->window_bytes) {
        rc = grow(input, err);
        if (rc)
            return rc;
    }
    room = input->window_bytes - (size_t)(input->end - input->window);
    assert(room > 0);
    do
        bytes = read(input->file, input->window + (input->end - input->window), room);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return err_set(err, STATUS_IO, "%s: %s", input->name, strerror(errno));
    input->is_at_end = bytes == 0;
    input->end += bytes;
    input->read_bytes += bytes;
    return STATUS_OK;
}

static enum status skip_byte_order_mark(struct input *input, struct err *err)
{
    enum status rc = STATUS_OK;

    while (!rc && input->end - input->at < 3 && !input->is_at_end)
        rc = input_fill(input, err);
    if (!rc && input->end - input->at >= 3 && memcmp(input->at, "\xef\xbb\xbf", 3) == 0)
        input->at += 3;
    return rc;
}

enum status input_open(const char *path, struct input *input, struct err *err)
{
    struct stat info;

    *input = (struct input){.file = -1,
                            .has_lines = true,
                            .window_line = 1,
                            .window_bytes = WINDOW_BYTES_MIN};
    input->is_stdin = strcmp(path, "-") == 0;
    input->name = input->is_stdin ? "standard input" : path;
    input->file = input->is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->file < 0)
        return err_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
                       path, strerror(errno));
    input->window = calloc(1, input->window_bytes + INPUT_MARGIN_BYTES);
    if (!input->window)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for what is read");
    input->at = input->end = input->window;
    input->file_bytes =
        fstat(input->file, &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : -1;
    return skip_byte_order_mark(input, err);
}

void input_close(struct input *input)
{
    if (input->file >= 0 && !input->is_stdin && input->window)
        close(input->file);
    free(input->window);
    *input = (struct input){.file = -1};
}

double input_progress(const struct input *input)
{
    off_t used = input->read_bytes - (off_t)(input->end - input->at);

    if (input->file_bytes <= 0)
        return -1;
    return used < input->file_bytes ? (double)used / (double)input->file_bytes : 1;
}
