/* clock.h - time, handed in: wall time for what is recorded, monotonic time for
 * durations.
 *
 * Also the texts of times: RFC 3339 in UTC. All functions may be called from any thread.
 */
#ifndef REDRESS_BASE_CLOCK_H
#define REDRESS_BASE_CLOCK_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define SECOND_US INT64_C(1000000)

struct clock {
    int64_t (*wall_us)(void *context);      /* since 1970-01-01T00:00:00Z */
    int64_t (*monotonic_us)(void *context); /* since some moment; never goes back */
    void *context;
};

/* The machine's clocks. */
extern const struct clock system_clock;

/* The wall clock as money needs it: it does not follow a clock that is set. Small
 * corrections (up to STEADY_STEP_US) are taken over, larger ones are logged and left
 * until the next start; it never goes back. Time that the machine slept counts. */
extern const struct clock steady_clock;

#define STEADY_STEP_US (5 * SECOND_US)

struct steady {
    bool is_started, is_stepped;
    int64_t offset_us; /* wall - elapsed, as believed */
    int64_t last_us;
};

/* What steady_clock believes, given what the clocks say now. Zeroed at first. Pure. */
int64_t steady_time(struct steady *steady, int64_t wall_us, int64_t elapsed_us);

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock->context);
}

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->context);
}

/* Time the processor has spent on the calling thread, in nanoseconds. */
int64_t clock_thread_ns(void);

enum { TIME_TEXT_BYTES = sizeof "2026-11-20T18:02:11.123456Z" };

/* Microseconds as RFC 3339, with a fraction of six digits unless it is zero. Moments
 * outside the years 0000 to 9999 are shown as the nearest inside. */
void time_format(int64_t us, char text[static TIME_TEXT_BYTES]);

/* RFC 3339, with Z or a numeric offset, years 1970 to 9999; fractions are cut at 1 us. A
 * leap second is the second after it. INVALID otherwise. */
enum status time_parse(struct text text, int64_t *us, struct err *err);

/* A length like "90s", "15m", "24h", "30d", "2w" in seconds, at most ten years; INVALID
 * otherwise. */
enum status duration_parse(struct text text, int64_t *seconds, struct err *err);

#endif
