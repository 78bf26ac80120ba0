/* log_line.h - a line of the log between who makes it and who writes it. Private to
 * base/. */
#ifndef REDRESS_BASE_LOG_LINE_H
#define REDRESS_BASE_LOG_LINE_H

#include "base/log.h"

#include <stddef.h>

/* A pipe takes this much without mixing lines of several writers. */
enum { LOG_LINE_BYTES_MAX = 4096 };

struct log_line {
    char text[LOG_LINE_BYTES_MAX]; /* ends with a line feed, not with a NUL */
    size_t bytes;
    bool is_full;
};

void log_line_make(struct log_line *line, enum log_level level, const char *event,
                   const struct log_field *fields);

/* Write it, or leave it to the log's thread. Any thread. */
void log_line_put(const struct log_line *line);

#endif
