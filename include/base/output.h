/* output.h - a result written piece by piece that is seen whole or not at all.
 *
 * A file is written beside its place and renamed when it is complete; until then it has
 * no name, so that nothing is left of it however the program ends (where the file system
 * knows files without a name, as ext4, xfs, btrfs and tmpfs do). Standard output, and
 * what is no plain file (a pipe, /dev/null), are written as they are. One thread at a
 * time. */
#ifndef REDRESS_BASE_OUTPUT_H
#define REDRESS_BASE_OUTPUT_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>

struct output; /* opaque */

/* "-" is standard output. A file that is there keeps its mode; a link stays, and what it
 * points at is replaced. IO and NOT_FOUND name the path. */
enum status output_open(const char *path, struct output **output, struct err *err);

/* Through a buffer. After a failure nothing more is written; output_finish tells of
 * it. */
void output_put(struct output *output, const void *bytes, size_t count);
void output_string(struct output *output, const char *string);
void output_format(struct output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether a piece could not be written, so that more of them are in vain. */
bool output_has_failed(const struct output *output);

/* Write what is left and sync, so that only the rename is still to come: of two results
 * that belong together, make both ready before either is finished. Nothing more is put
 * then. */
enum status output_ready(struct output *output, struct err *err);

/* Write what is left, sync, rename and sync the name; frees output either way. */
enum status output_finish(struct output *output, struct err *err);

/* Leave everything as it was, and free output; NULL is fine. */
void output_abandon(struct output *output);

#endif
