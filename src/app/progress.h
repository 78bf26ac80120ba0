/* progress.h - how far a long command is, on a terminal, after two seconds. */
#ifndef REDRESS_APP_PROGRESS_H
#define REDRESS_APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t due_us; /* not before */
    bool is_terminal, was_shown;
};

void progress_start(struct progress *progress);

/* A line on stderr in place of the one before, at most five times a second: "reading 42.0
 * %". share: 0 to 1, below 0 when it is not known. */
void progress_show(struct progress *progress, const char *what, double share);

/* The same whatever time has passed, for a step that cannot be asked how far it is. */
void progress_announce(struct progress *progress, const char *what);

/* Take the line away. */
void progress_end(struct progress *progress);

#endif
