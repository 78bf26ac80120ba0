/* key_memory.h - of the memory of all requests, what those of one API key may hold: else
 * one of them could hold all of it, and the others were refused. Private to http/.
 *
 * As many shares are kept as keys have asked, in blocks. Any thread. */
#ifndef REDRESS_HTTP_KEY_MEMORY_H
#define REDRESS_HTTP_KEY_MEMORY_H

#include "base/memory.h"
#include "decide/keyring.h"

enum {
    KEY_MEMORY_BLOCK_SHARE_COUNT = 256,
    KEY_MEMORY_BLOCK_COUNT = KEYRING_COUNT_MAX / KEY_MEMORY_BLOCK_SHARE_COUNT + 1,
};

struct key_memory {
    struct memory_share *whole;
    size_t bytes_max; /* of one key; 0: the whole is all there is */
    _Atomic(struct memory_share *) blocks[KEY_MEMORY_BLOCK_COUNT];
};

/* The share of the key of that number, for as long as it is open; of number 0, which is
 * no key, the whole. NULL: no memory for it. */
struct memory_share *key_memory_share(struct key_memory *memory, int number);

/* Nothing of it is held any more. Fine for one that is zeroed. */
void key_memory_close(struct key_memory *memory);

#endif
