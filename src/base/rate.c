/* rate.c - see rate.h. */
#include "base/rate.h"

#include <stdatomic.h>

struct rate rate_of(long count, long seconds, long burst)
{
    return (struct rate){
        .interval_ns = count > 0 ? seconds * INT64_C(1000000000) / count : 0,
        .burst = burst > 0 ? burst : 1,
    };
}

bool rate_take(const struct rate *rate, _Atomic int64_t *full_at_ns, int64_t now_us,
               int64_t *wait_us)
{
    int64_t now_ns = now_us * 1000, room_ns = rate->interval_ns * rate->burst;
    int64_t full_ns = atomic_load(full_at_ns), next_ns;

    *wait_us = 0;
    if (rate->interval_ns == 0)
        return true;
    do {
        next_ns = (full_ns > now_ns ? full_ns : now_ns) + rate->interval_ns;
        if (next_ns - now_ns > room_ns) {
            *wait_us = (next_ns - now_ns - room_ns + 999) / 1000;
            return false;
        }
    } while (!atomic_compare_exchange_weak(full_at_ns, &full_ns, next_ns));
    return true;
}
