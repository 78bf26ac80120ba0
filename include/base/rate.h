/* rate.h - how many in a second: a bucket of tokens, as the one moment at which it is
 * full again (the virtual scheduling form of the generic cell rate algorithm, ITU-T
 * I.371). */
#ifndef REDRESS_BASE_RATE_H
#define REDRESS_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    int64_t interval_ns; /* a token comes so often; 0: no limit */
    int64_t burst;       /* tokens that fit in */
};

/* So many in so many seconds, and a burst of at least one; count 0: no limit. */
struct rate rate_of(long count, long seconds, long burst);

/* Take a token: full_at_ns is the bucket's, 0 at first. False: there is none for
 * *wait_us. Any thread; now_us is monotonic. */
bool rate_take(const struct rate *rate, _Atomic int64_t *full_at_ns, int64_t now_us,
               int64_t *wait_us);

#endif
