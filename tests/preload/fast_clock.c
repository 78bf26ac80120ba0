/* fast_clock.c - preloaded into a program, wall time runs faster for it: the day of a test takes
 * minutes. The monotonic clock, by which it waits, stays as it is.
 *
 * FAST_CLOCK="SPEED FROM AT SPAN": at the true second FROM it is AT, and for SPAN seconds of its own
 * it is SPEED times as fast; before and after it is as fast as the true clock. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static int (*true_clock)(clockid_t id, struct timespec *now);
static double speed = 1, from, at, span;

/* Other libraries ask for the time before anything else of this one runs. */
__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAST_CLOCK");

    if (true_clock)
        return;
    true_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (!text || sscanf(text, "%lf %lf %lf %lf", &speed, &from, &at, &span) != 4) {
        fprintf(stderr, "FAST_CLOCK is not \"SPEED FROM AT SPAN\"\n");
        exit(2);
    }
}

static double fast_time(const struct timespec *wall)
{
    double passed = (double)wall->tv_sec - from + (double)wall->tv_nsec / 1e9;

    if (passed <= 0)
        return at + passed;
    return passed * speed < span ? at + passed * speed
                                 : at + span + passed - span / speed;
}

/* Both clocks that time is recorded by, so that one agrees with the other. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    struct timespec wall;
    double seconds;

    begin();
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE && id != CLOCK_BOOTTIME)
        return true_clock(id, now);
    true_clock(CLOCK_REALTIME, &wall);
    seconds = fast_time(&wall);
    now->tv_sec = (time_t)seconds;
    now->tv_nsec = (long)((seconds - (double)now->tv_sec) * 1e9);
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec wall;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &wall);
    *now = (struct timeval){wall.tv_sec, wall.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    if (now)
        *now = wall.tv_sec;
    return wall.tv_sec;
}
