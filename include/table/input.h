/* input.h - a file or standard input, read through a window: it may be larger than
 * memory.
 *
 * One thread at a time. */
#ifndef REDRESS_TABLE_INPUT_H
#define REDRESS_TABLE_INPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    INPUT_WINDOW_BYTES_MAX = 16 << 20,
    INPUT_MARGIN_BYTES = 64, /* behind `end` that may be read too: any bytes */
};

/* Read by anybody; `at` may be moved up to `end` by the owner, the rest by the calls
 * below. */
struct input {
    const char *at, *end; /* what was read and not yet used */
    bool is_at_end;       /* nothing comes behind `end` */
    const char *name;     /* the path, or "standard input" */

    bool has_lines; /* input_line is wanted: set unless the owner counts lines himself */

    char *window; /* private from here on */
    size_t window_bytes;
    int64_t window_line; /* where the window begins, from 1 */
    off_t file_bytes;    /* -1: not known */
    off_t read_bytes;
    int file;
    bool is_stdin;
};

/* "-" is standard input. The path is borrowed. A byte order mark is skipped. */
enum status input_open(const char *path, struct input *input, struct err *err);

/* Any zeroed or opened input, also after a failed input_open. */
void input_close(struct input *input);

/* Read more behind `end`. What was read moves, and the window grows when it is full of
 * what is not used: up to INPUT_WINDOW_BYTES_MAX, then TOO_LARGE. */
enum status input_fill(struct input *input, struct err *err);

/* The line of a position from the window's beginning to `end`, from 1. Not of what was
 * used before the last input_fill. */
int64_t input_line(const struct input *input, const char *position);

/* How far through the file `at` is, 0 to 1; -1 when its size is not known. */
double input_progress(const struct input *input);

#endif
