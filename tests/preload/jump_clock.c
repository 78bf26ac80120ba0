/* jump_clock.c - preloaded into a program, its wall clock can be set from outside, as
 * date(1) would: the clocks by which it waits and measures go on as they are.
 *
 * JUMP_CLOCK names a file of eight bytes, an int64_t: microseconds to add to the wall
 * time from now on. Whoever sets the clock writes there. */
#include "clock_file.h"

__attribute__((constructor)) static void begin(void)
{
    clock_file_open("JUMP_CLOCK");
}

/* CLOCK_BOOTTIME counts on when the clock is set, as CLOCK_MONOTONIC does. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    int64_t us;
    int rc;

    begin();
    rc = true_clock(id, now);
    if (rc != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return rc;
    us = now->tv_sec * INT64_C(1000000) + now->tv_nsec / 1000 + atomic_load(set_us);
    *now = (struct timespec){us / 1000000, us % 1000000 * 1000};
    return 0;
}
