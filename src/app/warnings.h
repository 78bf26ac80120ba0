/* warnings.h - doubts about a result, each with a name that programs can ask for. */
#ifndef REDRESS_APP_WARNINGS_H
#define REDRESS_APP_WARNINGS_H

#include "app/report.h"

enum { WARNING_COUNT_MAX = 16 };

struct warnings {
    int count;
    const char *names[WARNING_COUNT_MAX]; /* literals of the program */
};

/* A line on standard error: "redress: NAME: ...". At most WARNING_COUNT_MAX of a
 * result. */
[[gnu::format(printf, 3, 4)]] void warnings_add(struct warnings *warnings,
                                                const char *name, const char *format,
                                                ...);

/* "warnings": the names, in the order they came. */
void warnings_put(const struct warnings *warnings, struct report *report);

#endif
