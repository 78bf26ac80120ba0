/* names.c - texts one behind the other, and a table of their hashes with open addressing. */
#include "table/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOT_COUNT_MIN = 64, NAME_COUNT_MIN = 32, POOL_BYTES_MIN = 512 };

struct slot {
    uint32_t hash;
    int32_t index; /* -1: free */
};

struct names {
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
static uint32_t hash_of(const struct names *names, struct text text)
{
    uint64_t hash = names->key[0] ^ text.bytes;
    const char *at = text.at;
    size_t left = text.bytes;

    for (; left > 8; left -= 8, at += 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        hash = fold(hash ^ word, names->key[1]);
    }
    if (left > 0) {
        uint64_t word = 0;

        memcpy(&word, at, left);
        hash = fold(hash ^ word, names->key[1]);
    }
    return (uint32_t)(fold(hash, names->key[0]) >> 16);
}

/* ---- the table ---- */

static struct slot *slot_of(const struct names *names, uint32_t hash, struct text text)
{
    uint32_t mask = names->slot_count - 1;

    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        struct slot *slot = &names->slots[at];

        if (slot->index < 0 ||
            (slot->hash == hash && text_equal(names_text(names, slot->index), text)))
            return slot;
    }
}

static enum status make_slots(struct names *names, uint32_t count, struct err *err)
{
    struct slot *slots = malloc(count * sizeof *slots), *old = names->slots;
    uint32_t old_count = names->slot_count, mask = count - 1;

    if (!slots)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
    memset(slots, 0xff, count * sizeof *slots);
    for (uint32_t i = 0; i < old_count; i++) {
        uint32_t at = old[i].hash & mask;

        if (old[i].index < 0)
            continue;
        while (slots[at].index >= 0)
            at = (at + 1) & mask;
        slots[at] = old[i];
    }
    free(old);
    names->slots = slots;
    names->slot_count = count;
    return STATUS_OK;
}

enum status names_open(int32_t count_max, int64_t bytes_max, struct names **names,
                       struct err *err)
{
    struct names *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
    opened->count_max = count_max;
    opened->bytes_max = bytes_max;
    if (getrandom(opened->key, sizeof opened->key, 0) != sizeof opened->key)
        rc = err_set(err, STATUS_IO, "no random numbers for a table of names");
    else
        rc = make_slots(opened, SLOT_COUNT_MIN, err);
    opened->key[1] |= 1;
    if (rc)
        names_close(opened);
    else
        *names = opened;
    return rc;
}

void names_close(struct names *names)
{
    if (!names)
        return;
    free(names->slots);
    free(names->ends);
    free(names->pool);
    free(names);
}

int32_t names_count(const struct names *names)
{
    return names->count;
}

struct text names_text(const struct names *names, int32_t index)
{
    int64_t start = index > 0 ? names->ends[index - 1] : 0;

    return (struct text){names->pool + start, (size_t)(names->ends[index] - start)};
}

int32_t names_find(const struct names *names, struct text text)
{
    assert(names->slots);
    return slot_of(names, hash_of(names, text), text)->index;
}

/* ---- adding ---- */

static int64_t larger(int64_t capacity, int64_t least)
{
    return capacity > least ? capacity + capacity / 2 : least;
}

static enum status make_room(struct names *names, int64_t pool_bytes, struct err *err)
{
    if (names->count == names->capacity) {
        int64_t capacity = larger(names->capacity, NAME_COUNT_MIN);
        int64_t *ends = realloc(names->ends, (size_t)capacity * sizeof *ends);

        if (!ends)
            return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
        names->ends = ends;
        names->capacity = (int32_t)(capacity < INT32_MAX ? capacity : INT32_MAX);
    }
    if (pool_bytes > names->pool_capacity || !names->pool) {
        int64_t capacity = larger(names->pool_capacity, POOL_BYTES_MIN);
        char *pool;

        capacity = capacity > pool_bytes ? capacity : pool_bytes;
        pool = realloc(names->pool, (size_t)capacity);
        if (!pool)
            return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
        names->pool = pool;
        names->pool_capacity = capacity;
    }
    return STATUS_OK;
}

static enum status append(struct names *names, struct text text, struct err *err)
{
    int64_t start = names->count > 0 ? names->ends[names->count - 1] : 0;
    int64_t end = start + (int64_t)text.bytes;
    enum status rc;

    if (names->count >= names->count_max)
        return err_set(err, STATUS_TOO_LARGE, "more than %d different names",
                       names->count_max);
    if (end > names->bytes_max)
        return err_set(err, STATUS_TOO_LARGE, "names of more than %lld bytes together",
                       (long long)names->bytes_max);
    rc = make_room(names, end, err);
    if (rc)
        return rc;
    if (text.bytes > 0)
        memcpy(names->pool + start, text.at, text.bytes);
    names->ends[names->count++] = end;
    return STATUS_OK;
}

enum status names_add(struct names *names, struct text text, int32_t *index, bool *is_new,
                      struct err *err)
{
    uint32_t hash = hash_of(names, text);
    struct slot *slot;
    enum status rc;

    assert(names->slots);
    slot = slot_of(names, hash, text);
    *is_new = slot->index < 0;
    if (!*is_new) {
        *index = slot->index;
        return STATUS_OK;
    }
    rc = append(names, text, err);
    if (rc)
        return rc;
    *index = names->count - 1;
    *slot = (struct slot){hash, *index};
    return (uint32_t)names->count * 2 > names->slot_count
               ? make_slots(names, names->slot_count * 2, err)
               : STATUS_OK;
}

void names_seal(struct names *names)
{
    free(names->slots);
    names->slots = NULL;
    names->slot_count = 0;
}
