/* report.h - a JSON document of any length, on standard output or in a file, written as
 * it is made.
 *
 * Nesting order is the caller's; keys are literals of the program, NULL within an array.
 * Numbers have 17 significant digits, those that are not finite become null. One thread
 * at a time. */
#ifndef REDRESS_APP_REPORT_H
#define REDRESS_APP_REPORT_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct report; /* opaque */

enum status report_open(struct report **report, struct err *err);

/* The same into a file, which is there when it is finished. */
enum status report_open_file(const char *path, struct report **report, struct err *err);

/* Write what is left; frees report either way. IO when not all was taken. */
enum status report_finish(struct report *report, struct err *err);
void report_abandon(
    struct report *report); /* NULL is fine; what was written stays written */

void report_object(struct report *report, const char *key);
void report_object_end(struct report *report);
void report_array(struct report *report, const char *key);
void report_array_end(struct report *report);

/* A key that comes from outside: the next value is its own, with NULL as key. */
void report_key(struct report *report, struct text key);

void report_number(struct report *report, const char *key, double value);
void report_count(struct report *report, const char *key, int64_t value);
void report_bool(struct report *report, const char *key, bool value);
void report_string(struct report *report, const char *key, const char *value);
void report_text(struct report *report, const char *key, struct text value);
void report_null(struct report *report, const char *key);

/* [a, b] */
void report_pair(struct report *report, const char *key, double a, double b);

#endif
