/* decision_ids.c - see decision_ids.h. */
#include "app/decision_ids.h"

#include <stdlib.h>
#include <string.h>

enum { ID_BYTES_MAX = 64, NO_ID = 0 };

struct decision_ids {
    uint64_t *hashes; /* (row) */
    int64_t count, capacity;
    char last[ID_BYTES_MAX]; /* the id before, while they rise */
    bool is_rising;
};

static enum status refuse_memory(const struct decision_ids *ids, struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for the ids of %lld decisions",
                   (long long)ids->count);
}

enum status decision_ids_open(struct decision_ids **ids, struct err *err)
{
    *ids = calloc(1, sizeof **ids);
    if (!*ids)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for the ids of decisions");
    (*ids)->is_rising = true;
    return STATUS_OK;
}

void decision_ids_close(struct decision_ids *ids)
{
    if (!ids)
        return;
    free(ids->hashes);
    free(ids);
}

/* By a quarter, as the columns of a log. */
static enum status grow(struct decision_ids *ids, struct err *err)
{
    int64_t capacity = ids->capacity + ids->capacity / 4 + 4096;
    uint64_t *grown;

    if (ids->count < ids->capacity)
        return STATUS_OK;
    grown = realloc(ids->hashes, (size_t)capacity * sizeof *grown);
    if (!grown)
        return refuse_memory(ids, err);
    ids->hashes = grown;
    ids->capacity = capacity;
    return STATUS_OK;
}

enum status decision_ids_add(struct decision_ids *ids, struct text id, struct err *err)
{
    uint64_t hash = text_hash(id);
    char own[ID_BYTES_MAX];
    enum status rc = grow(ids, err);

    if (rc)
        return rc;
    ids->hashes[ids->count++] = id.bytes == 0 ? NO_ID : hash == NO_ID ? 1 : hash;
    if (id.bytes == 0 || !ids->is_rising)
        return STATUS_OK;
    ids->is_rising = text_copy(id, own, sizeof own) && strcmp(own, ids->last) > 0;
    if (ids->is_rising)
        memcpy(ids->last, own, sizeof own);
    return STATUS_OK;
}

static int compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

/* Whether a hash stands twice in a row. sorted (row). */
static bool is_twice(const uint64_t *sorted, int64_t count, uint64_t hash)
{
    const uint64_t *at = bsearch(&hash, sorted, (size_t)count, sizeof *sorted, compare);

    return hash != NO_ID && ((at > sorted && at[-1] == hash) ||
                             (at + 1 < sorted + count && at[1] == hash));
}

static int64_t first_of(const struct decision_ids *ids, uint64_t hash)
{
    int64_t row = 0;

    while (ids->hashes[row] != hash)
        row++;
    return row;
}

enum status decision_ids_find(const struct decision_ids *ids, bool *is_found,
                              int64_t *again, int64_t *before, struct err *err)
{
    size_t bytes = (size_t)ids->count * sizeof *ids->hashes;
    uint64_t *sorted;

    *is_found = false;
    if (ids->is_rising)
        return STATUS_OK;
    sorted = malloc(bytes);
    if (!sorted)
        return refuse_memory(ids, err);
    memcpy(sorted, ids->hashes, bytes);
    qsort(sorted, (size_t)ids->count, sizeof *sorted, compare);
    for (int64_t row = 0; row < ids->count && !*is_found; row++) {
        if (!is_twice(sorted, ids->count, ids->hashes[row]))
            continue;
        *before = first_of(ids, ids->hashes[row]);
        *again = row;
        *is_found = *before < row;
    }
    free(sorted);
    return STATUS_OK;
}
