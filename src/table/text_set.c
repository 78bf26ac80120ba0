/* text_set.c - texts one behind the other, and a table of their hashes with open
 * addressing.
 *
 * A search reads a byte a slot, a part of the hash, so that what it walks through stays
 * in the caches far longer than the indices would; most searches are for what is not
 * there, and need no more. */
#include "table/text_set.h"

#include "base/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOT_COUNT_MIN = 64, TEXT_COUNT_MIN = 32, POOL_BYTES_MIN = 512 };

struct text_set {
    uint64_t key[2];
    uint8_t *tags;       /* (slot): 0 free, else some bits of the hash, the lowest set */
    int32_t *indices;    /* (slot) */
    uint32_t slot_count; /* a power of two; at most half are taken */
    int64_t *ends;       /* (name): where its bytes end in the pool */
    int32_t count, capacity, count_max;
    char *pool;
    int64_t pool_capacity, bytes_max;
};

/* ---- the hash ---- */

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes at a time, each multiplied with what came before, under a secret key. */
static uint32_t hash_of(const struct text_set *set, struct text text)
{
    uint64_t hash = set->key[0] ^ text.bytes;
    const char *at = text.at;
    size_t left = text.bytes;

    for (; left > 8; left -= 8, at += 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        hash = fold(hash ^ word, set->key[1]);
    }
    if (left > 0) {
        uint64_t word = 0;

        memcpy(&word, at, left);
        hash = fold(hash ^ word, set->key[1]);
    }
    return (uint32_t)(fold(hash, set->key[0]) >> 16);
}

/* ---- the table ---- */

static uint8_t tag_of(uint32_t hash)
{
    return (uint8_t)(hash >> 24 | 1);
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t slot_of(const struct text_set *set, uint32_t hash, struct text text)
{
    uint32_t mask = set->slot_count - 1, at = hash & mask;
    uint8_t tag = tag_of(hash);

    while (
        set->tags[at] != 0 &&
        (set->tags[at] != tag || !text_equal(text_set_text(set, set->indices[at]), text)))
        at = (at + 1) & mask;
    return at;
}

static void put_slot(struct text_set *set, uint32_t slot, uint32_t hash, int32_t index)
{
    set->tags[slot] = tag_of(hash);
    set->indices[slot] = index;
}

/* A table of another size, with all texts that are there. */
static enum status make_slots(struct text_set *set, uint32_t count, struct err *err)
{
    uint8_t *tags = pages_alloc(count);
    int32_t *indices = pages_alloc(count * sizeof *indices);

    if (!tags || !indices) {
        free(tags);
        free(indices);
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a set of texts");
    }
    memset(tags, 0, count);
    free(set->tags);
    free(set->indices);
    set->tags = tags;
    set->indices = indices;
    set->slot_count = count;
    for (int32_t i = 0; i < set->count; i++) {
        uint32_t hash = hash_of(set, text_set_text(set, i)), at = hash & (count - 1);

        while (tags[at] != 0)
            at = (at + 1) & (count - 1);
        put_slot(set, at, hash, i);
    }
    return STATUS_OK;
}

enum status text_set_open(int32_t count_max, int64_t bytes_max, struct text_set **set,
                          struct err *err)
{
    struct text_set *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a set of texts");
    opened->count_max = count_max;
    opened->bytes_max = bytes_max;
    if (getrandom(opened->key, sizeof opened->key, 0) != sizeof opened->key)
        rc = err_set(err, STATUS_IO, "no random numbers for a set of texts");
    else
        rc = make_slots(opened, SLOT_COUNT_MIN, err);
    opened->key[1] |= 1;
    if (rc)
        text_set_close(opened);
    else
        *set = opened;
    return rc;
}

void text_set_close(struct text_set *set)
{
    if (!set)
        return;
    free(set->tags);
    free(set->indices);
    free(set->ends);
    free(set->pool);
    free(set);
}

int32_t text_set_count(const struct text_set *set)
{
    return set->count;
}

struct text text_set_text(const struct text_set *set, int32_t index)
{
    int64_t start = index > 0 ? set->ends[index - 1] : 0;

    return (struct text){set->pool + start, (size_t)(set->ends[index] - start)};
}

int32_t text_set_find(const struct text_set *set, struct text text)
{
    uint32_t slot;

    assert(set->tags);
    slot = slot_of(set, hash_of(set, text), text);
    return set->tags[slot] != 0 ? set->indices[slot] : -1;
}

void text_set_expect(const struct text_set *set, struct text text)
{
    __builtin_prefetch(&set->tags[hash_of(set, text) & (set->slot_count - 1)], 1);
}

/* ---- adding ---- */

static int64_t larger(int64_t capacity, int64_t least)
{
    return capacity < least ? least : capacity + capacity / 2;
}

static enum status make_room(struct text_set *set, int64_t pool_bytes, struct err *err)
{
    if (set->count == set->capacity) {
        int64_t capacity = larger(set->capacity, TEXT_COUNT_MIN);
        int64_t *ends = realloc(set->ends, (size_t)capacity * sizeof *ends);

        if (!ends)
            return err_set(err, STATUS_EXHAUSTED, "out of memory for a set of texts");
        set->ends = ends;
        set->capacity = (int32_t)(capacity < INT32_MAX ? capacity : INT32_MAX);
    }
    if (pool_bytes > set->pool_capacity || !set->pool) {
        int64_t capacity = larger(set->pool_capacity, POOL_BYTES_MIN);
        char *pool;

        capacity = capacity > pool_bytes ? capacity : pool_bytes;
        pool = realloc(set->pool, (size_t)capacity);
        if (!pool)
            return err_set(err, STATUS_EXHAUSTED, "out of memory for a set of texts");
        set->pool = pool;
        set->pool_capacity = capacity;
    }
    return STATUS_OK;
}

static enum status append(struct text_set *set, struct text text, struct err *err)
{
    int64_t start = set->count > 0 ? set->ends[set->count - 1] : 0;
    int64_t end = start + (int64_t)text.bytes;
    enum status rc;

    if (set->count >= set->count_max)
        return err_set(err, STATUS_TOO_LARGE, "more than %d different texts",
                       set->count_max);
    if (end > set->bytes_max)
        return err_set(err, STATUS_TOO_LARGE, "texts of more than %lld bytes together",
                       (long long)set->bytes_max);
    rc = make_room(set, end, err);
    if (rc)
        return rc;
    if (text.bytes > 0)
        memcpy(set->pool + start, text.at, text.bytes);
    set->ends[set->count++] = end;
    return STATUS_OK;
}

enum status text_set_add(struct text_set *set, struct text text, int32_t *index,
                         bool *is_new, struct err *err)
{
    uint32_t hash = hash_of(set, text), slot;
    enum status rc;

    assert(set->tags);
    slot = slot_of(set, hash, text);
    *is_new = set->tags[slot] == 0;
    if (!*is_new) {
        *index = set->indices[slot];
        return STATUS_OK;
    }
    rc = append(set, text, err);
    if (rc)
        return rc;
    *index = set->count - 1;
    put_slot(set, slot, hash, *index);
    return (uint32_t)set->count * 2 > set->slot_count
               ? make_slots(set, set->slot_count * 2, err)
               : STATUS_OK;
}

void text_set_seal(struct text_set *set)
{
    free(set->tags);
    free(set->indices);
    set->tags = NULL;
    set->indices = NULL;
    set->slot_count = 0;
}
