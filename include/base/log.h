/* log.h - what happened, for operators: one line of JSON per event on stderr.
 *
 * Never put a secret, a customer id, an order id or a case body into a line. Any thread;
 * a line is written with one write(2). Control bytes are escaped, so that no value can
 * forge a line. Who logs writes the line, and waits for whoever reads it; between
 * log_start and log_end a thread of the log's own does, and nobody else waits. */
#ifndef REDRESS_BASE_LOG_H
#define REDRESS_BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name; /* NULL ends the list */
    const char *text; /* NULL: the number counts */
    int64_t number;
};

static inline struct log_field log_text_field(const char *name, const char *text)
{
    return (struct log_field){name, text ? text : "", 0};
}

#define LOG_TEXT(name, text)  log_text_field((name), (text))
#define LOG_INT(name, number) ((struct log_field){(name), 0, (number)})

/* log_event(LOG_INFO, "server_started", LOG_TEXT("listen", address)). Lines below the set
 * level cost a call and what their fields are made from. */
#define log_event(level, event, ...)                                                     \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Whether lines of the level are written, for who would make fields for nothing. */
bool log_wants(enum log_level level);

/* Default INFO. */
void log_level_set(enum log_level level);

/* From now on lines wait, in their order, for a thread that writes them. One that finds
 * no room among LOG_WAITING_BYTES_MAX that wait, or that cannot be written, is lost;
 * log_lines_lost says how many were, behind the lines that went before them. Not while
 * others log. */
enum { LOG_WAITING_BYTES_MAX = 256 << 10 };
enum status log_start(struct err *err);

/* Until nothing waits, at most so long. False when something still does. Before an end
 * that gives the thread no time. */
bool log_flush(int wait_ms);

/* The same, and the thread ends. False: it still hangs in a line, and will end with the
 * process. For who started it, once nobody else logs. */
bool log_end(int wait_ms);

#endif
