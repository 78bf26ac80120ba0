/* decision_ids.c - see decision_ids.h. */
#include "app/decision_ids.h"

#include <stdlib.h>
#include <string.h>

enum { ID_BYTES_MAX = 64, NO_ID = 0, BLOCK_IDS = 8000 };

/* They are never moved, since the columns of a log that grow beside them would leave holes in memory. */
struct block {
    struct block *next;
    uint64_t hashes[BLOCK_IDS];
};

struct decision_ids {
    struct block *first, *last; /* NULL: none */
    int64_t count;
    char before[ID_BYTES_MAX]; /* the id before, while they rise */
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
    for (struct block *block = ids->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(ids);
}

static enum status grow(struct decision_ids *ids, struct err *err)
{
    struct block *block;

    if (ids->count % BLOCK_IDS != 0)
        return STATUS_OK;
    block = malloc(sizeof *block);
    if (!block)
        return refuse_memory(ids, err);
    block->next = NULL;
    *(ids->last ? &ids->last->next : &ids->first) = block;
    ids->last = block;
    return STATUS_OK;
}

enum status decision_ids_add(struct decision_ids *ids, struct text id, struct err *err)
{
    uint64_t hash = text_hash(id);
    char own[ID_BYTES_MAX];
    enum status rc = grow(ids, err);

    if (rc)
        return rc;
    ids->last->hashes[ids->count++ % BLOCK_IDS] = id.bytes == 0   ? NO_ID
                                                  : hash == NO_ID ? 1
                                                                  : hash;
    if (id.bytes == 0 || !ids->is_rising)
        return STATUS_OK;
    ids->is_rising = text_copy(id, own, sizeof own) && strcmp(own, ids->before) > 0;
    if (ids->is_rising)
        memcpy(ids->before, own, sizeof own);
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

/* The first row whose hash a later one has, too. rows, sorted (row). */
static bool find_twice(const uint64_t *rows, const uint64_t *sorted, int64_t count,
                       int64_t *again, int64_t *before)
{
    for (*before = 0; *before < count; ++*before)
        if (is_twice(sorted, count, rows[*before])) {
            *again = *before + 1;
            while (rows[*again] != rows[*before])
                ++*again;
            return true;
        }
    return false;
}

/* In the order of rows, and sorted: the caller frees both at once. */
static uint64_t *flatten(const struct decision_ids *ids)
{
    size_t bytes = (size_t)ids->count * sizeof(uint64_t);
    uint64_t *rows = malloc(2 * bytes);
    int64_t at = 0;

    if (!rows)
        return NULL;
    for (const struct block *block = ids->first; block; block = block->next)
        for (int i = 0; i < BLOCK_IDS && at < ids->count; i++)
            rows[at++] = block->hashes[i];
    memcpy(rows + ids->count, rows, bytes);
    qsort(rows + ids->count, (size_t)ids->count, sizeof *rows, compare);
    return rows;
}

enum status decision_ids_check(const struct decision_ids *ids, const char *file,
                               const char *unit, struct err *err)
{
    uint64_t *rows;
    int64_t again = 0, before = 0;
    enum status rc = STATUS_OK;

    if (!ids || ids->is_rising)
        return STATUS_OK;
    rows = flatten(ids);
    if (!rows)
        return refuse_memory(ids, err);
    if (find_twice(rows, rows + ids->count, ids->count, &again, &before))
        rc = err_set(err, STATUS_INVALID,
                     "%s %s %lld: is the decision of %s %lld again: the log is there "
                     "twice, or pieces of it overlap; take each decision once",
                     file, unit, (long long)again + 1, unit, (long long)before + 1);
    free(rows);
    return rc;
}
