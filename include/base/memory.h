/* memory.h - a share of memory that many take from, so that all together stay within a bound. */
#ifndef REDRESS_BASE_MEMORY_H
#define REDRESS_BASE_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct memory_share {
    size_t bytes_max; /* 0: no limit */
    atomic_size_t bytes;
};

/* False when they do not fit any more. Any thread. */
static inline bool memory_take(struct memory_share *share, size_t bytes)
{
    size_t before = atomic_fetch_add(&share->bytes, bytes);

    if (share->bytes_max == 0 ||
        (bytes <= share->bytes_max && before <= share->bytes_max - bytes))
        return true;
    atomic_fetch_sub(&share->bytes, bytes);
    return false;
}

/* Whether they would fit now. */
static inline bool memory_has(struct memory_share *share, size_t bytes)
{
    return share->bytes_max == 0 ||
           (bytes <= share->bytes_max &&
            atomic_load(&share->bytes) <= share->bytes_max - bytes);
}

static inline void memory_give(struct memory_share *share, size_t bytes)
{
    atomic_fetch_sub(&share->bytes, bytes);
}

#endif
