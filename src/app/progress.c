/* progress.c - one line that is written over. */
#include "app/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { LINE_COLUMNS = 60 };

void progress_start(struct progress *progress)
{
    *progress = (struct progress){
        .due_us = clock_monotonic_us(&system_clock) + 2 * SECOND_US,
        .is_terminal = isatty(STDERR_FILENO),
    };
}

static void put(struct progress *progress, const char *what, double share)
{
    if (share < 0)
        fprintf(stderr, "\r%-*.*s", LINE_COLUMNS, LINE_COLUMNS, what);
    else
        fprintf(stderr, "\r%.40s %5.1f %%  ", what, 100 * share);
    progress->was_shown = true;
}

void progress_show(struct progress *progress, const char *what, double share)
{
    int64_t now_us;

    if (!progress->is_terminal)
        return;
    now_us = clock_monotonic_us(&system_clock);
    if (now_us < progress->due_us)
        return;
    progress->due_us = now_us + SECOND_US / 5;
    put(progress, what, share);
}

void progress_announce(struct progress *progress, const char *what)
{
    if (progress->is_terminal)
        put(progress, what, -1);
}

void progress_end(struct progress *progress)
{
    if (progress->was_shown)
        fprintf(stderr, "\r%*s\r", LINE_COLUMNS, "");
    progress->was_shown = false;
}
