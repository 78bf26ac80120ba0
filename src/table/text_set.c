/* text_set.c - texts one behind the other, and a table of their hashes with open addressing. */
#include "table/text_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { SLOT_COUNT_MIN = 64, TEXT_COUNT_MIN = 32, POOL_BYTES_MIN = 512, HUGE_PAGE_BYTES = 2 << 20 };

struct slot {
    uint32_t hash;
    int32_t index; /* -1: free */
};

struct text_set {
    uint64_t key[2];
    struct slot *slots; /* slot_count of them, a power of two; at most half are taken */
    uint32_t slot_count;
    int64_t *ends; /* (name): where its bytes end in the pool */
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

static struct slot *slot_of(const struct text_set *set, uint32_t hash, struct text text)
{
    uint32_t mask = set->slot_count - 1;

    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        struct slot *slot = &set->slots[at];

        if (slot->index < 0 ||
            (slot->hash == hash && text_equal(text_set_text(set, slot->index), text)))
            return slot;
    }
}

/* Every search goes to another place of the table: with huge pages most of them do without a walk
 * through the page tables, which took longer than all the rest. */
static struct slot *alloc_slots(uint32_t count)
{
    size_t bytes = count * sizeof(struct slot);
    void *slots = bytes < HUGE_PAGE_BYTES ? malloc(bytes) : aligned_alloc(HUGE_PAGE_BYTES, bytes);

    if (slots && bytes >= HUGE_PAGE_BYTES)
        madvise(slots, bytes, MADV_HUGEPAGE);
    if (slots)
        memset(slots, 0xff, bytes);
    return slots;
}

static enum status make_slots(struct text_set *set, uint32_t count, struct err *err)
{
    struct slot *slots = alloc_slots(count), *old = set->slots;
    uint32_t old_count = set->slot_count, mask = count - 1;

    if (!slots)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a set of texts");
    for (uint32_t i = 0; i < old_count; i++) {
        uint32_t at = old[i].hash & mask;

        if (old[i].index < 0)
            continue;
        while (slots[at].index >= 0)
            at = (at + 1) & mask;
        slots[at] = old[i];
    }
    free(old);
    set->slots = slots;
    set->slot_count = count;
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
    free(set->slots);
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
    assert(set->slots);
    return slot_of(set, hash_of(set, text), text)->index;
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
    uint32_t hash = hash_of(set, text);
    struct slot *slot;
    enum status rc;

    assert(set->slots);
    slot = slot_of(set, hash, text);
    *is_new = slot->index < 0;
    if (!*is_new) {
        *index = slot->index;
        return STATUS_OK;
    }
    rc = append(set, text, err);
    if (rc)
        return rc;
    *index = set->count - 1;
    *slot = (struct slot){hash, *index};
    return (uint32_t)set->count * 2 > set->slot_count
               ? make_slots(set, set->slot_count * 2, err)
               : STATUS_OK;
}

void text_set_seal(struct text_set *set)
{
    free(set->slots);
    set->slots = NULL;
    set->slot_count = 0;
}
