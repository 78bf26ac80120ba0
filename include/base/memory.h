/* memory.h - a share of memory that many take from, so that all together stay within a
 * bound. */
#ifndef REDRESS_BASE_MEMORY_H
#define REDRESS_BASE_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct memory_share {
    size_t bytes_max; /* 0: no limit */
    atomic_size_t bytes;
    /* What is taken here is taken there too; NULL: this is all. */
    struct memory_share *whole;
};

static inline void memory_give(struct memory_share *share, size_t bytes)
{
    for (; share; share = share->whole)
        atomic_fetch_sub(&share->bytes, bytes);
}

/* False when they do not fit any more, here or in the whole. Any thread. */
static inline bool memory_take(struct memory_share *share, size_t bytes)
{
    size_t before = atomic_fetch_add(&share->bytes, bytes);

    if ((share->bytes_max == 0 ||
         (bytes <= share->bytes_max && before <= share->bytes_max - bytes)) &&
        (!share->whole || memory_take(share->whole, bytes)))
        return true;
    atomic_fetch_sub(&share->bytes, bytes);
    return false;
}

/* Whether they would fit now. */
static inline bool memory_has(struct memory_share *share, size_t bytes)
{
    bool fits =
        share->bytes_max == 0 || (bytes <= share->bytes_max &&
                                  atomic_load(&share->bytes) <= share->bytes_max - bytes);

    return fits && (!share->whole || memory_has(share->whole, bytes));
}

#endif
