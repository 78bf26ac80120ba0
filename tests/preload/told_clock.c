/* told_clock.c - preloaded into a program, its calendar stands where a test says: a day
 * passes as fast as the test moves it on, and waits while the machine does. The monotonic
 * clock, by which it waits, stays as it is.
 *
 * TOLD_CLOCK names a file of eight bytes, an int64_t: the wall time in microseconds. */
#include "clock_file.h"

__attribute__((constructor)) static void begin(void)
{
    clock_file_open("TOLD_CLOCK");
}

/* Both clocks that time is recorded by, so that one agrees with the other. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    int64_t us;

    begin();
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE && id != CLOCK_BOOTTIME)
        return true_clock(id, now);
    us = atomic_load(set_us);
    *now = (struct timespec){us / 1000000, us % 1000000 * 1000};
    return 0;
}
