/* key_memory.c - blocks of shares, made for whoever comes first. */
#include "http/key_memory.h"

#include <assert.h>
#include <stdlib.h>

static struct memory_share *make_block(const struct key_memory *memory)
{
    struct memory_share *block =
        calloc(KEY_MEMORY_BLOCK_SHARE_COUNT, sizeof(struct memory_share));

    for (int i = 0; block && i < KEY_MEMORY_BLOCK_SHARE_COUNT; i++) {
        block[i].bytes_max = memory->bytes_max;
        block[i].whole = memory->whole;
    }
    return block;
}

static struct memory_share *block_of(struct key_memory *memory, int index)
{
    struct memory_share *block = atomic_load(&memory->blocks[index]), *made;

    if (block)
        return block;
    made = make_block(memory);
    if (!made || atomic_compare_exchange_strong(&memory->blocks[index], &block, made))
        return made;
    free(made);
    return block;
}

struct memory_share *key_memory_share(struct key_memory *memory, int number)
{
    struct memory_share *block;

    assert(number >= 0);
    assert(number <= KEYRING_COUNT_MAX);
    if (number == 0 || memory->bytes_max == 0)
        return memory->whole;
    block = block_of(memory, number / KEY_MEMORY_BLOCK_SHARE_COUNT);
    return block ? &block[number % KEY_MEMORY_BLOCK_SHARE_COUNT] : NULL;
}

void key_memory_close(struct key_memory *memory)
{
    for (int i = 0; i < KEY_MEMORY_BLOCK_COUNT; i++)
        free(atomic_load(&memory->blocks[i]));
}
