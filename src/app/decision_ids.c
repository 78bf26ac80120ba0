/* decision_ids.c - see decision_ids.h. */
#include "app/decision_ids.h"

#include <stdlib.h>
#include <string.h>

enum { ID_BYTES_MAX = 64, BLOCK_IDS = 8000 };

/* They are never moved, since the columns of a log that grow beside them would leave
 * holes in memory. */
struct block {
    struct block *next;
    uint64_t hashes[BLOCK_IDS];
    uint32_t lines[BLOCK_IDS];
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

enum status decision_ids_add(struct decision_ids *ids, struct text id, int64_t line,
                             struct err *err)
{
    char own[ID_BYTES_MAX];
    enum status rc;

    if (id.bytes == 0)
        return STATUS_OK;
    if (ids->count == DECISION_ID_COUNT_MAX || line > UINT32_MAX)
        return err_set(err, STATUS_TOO_LARGE, "a log of more than %d decisions",
                       DECISION_ID_COUNT_MAX);
    rc = grow(ids, err);
    if (rc)
        return rc;
    ids->last->hashes[ids->count % BLOCK_IDS] = text_hash(id);
    ids->last->lines[ids->count++ % BLOCK_IDS] = (uint32_t)line;
    if (!ids->is_rising)
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

/* All hashes, sorted; the caller frees them. */
static uint64_t *sort_hashes(const struct decision_ids *ids)
{
    uint64_t *sorted = malloc((size_t)ids->count * sizeof *sorted);
    int64_t at = 0;

    if (!sorted)
        return NULL;
    for (const struct block *block = ids->first; block; block = block->next)
        for (int i = 0; i < BLOCK_IDS && at < ids->count; i++)
            sorted[at++] = block->hashes[i];
    qsort(sorted, (size_t)ids->count, sizeof *sorted, compare);
    return sorted;
}

/* 0 is no decision's. */
static bool is_any_twice(const uint64_t *sorted, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (sorted[i] == sorted[i - 1] && sorted[i] != 0)
            return true;
    return false;
}

static bool is_twice(const uint64_t *sorted, int64_t count, uint64_t hash)
{
    const uint64_t *at = bsearch(&hash, sorted, (size_t)count, sizeof *sorted, compare);

    return (at > sorted && at[-1] == hash) || (at + 1 < sorted + count && at[1] == hash);
}

/* Where the first id stands that comes again, and where again. */
static bool find_twice(const struct decision_ids *ids, const uint64_t *sorted,
                       uint32_t *before, uint32_t *again)
{
    int64_t left = ids->count;
    uint64_t wanted = 0;
    bool is_found = false;

    for (const struct block *block = ids->first; block; block = block->next)
        for (int i = 0; i < BLOCK_IDS && left > 0; i++, left--)
            if (is_found && block->hashes[i] == wanted) {
                *again = block->lines[i];
                return true;
            } else if (!is_found && is_twice(sorted, ids->count, block->hashes[i])) {
                is_found = true;
                wanted = block->hashes[i];
                *before = block->lines[i];
            }
    return false;
}

enum status decision_ids_check(const struct decision_ids *ids, const char *file,
                               struct err *err)
{
    uint32_t before = 0, again = 0;
    enum status rc = STATUS_OK;
    uint64_t *sorted;

    if (!ids || ids->is_rising)
        return STATUS_OK;
    sorted = sort_hashes(ids);
    if (!sorted)
        return refuse_memory(ids, err);
    if (find_twice(ids, sorted, &before, &again))
        rc = decision_ids_refuse(file, "line", again, before, err);
    free(sorted);
    return rc;
}

/* Of rows by their hashes: the first that comes again, and where again. */
static void find_rows(const uint64_t *hashes, const uint64_t *sorted, int64_t count,
                      int64_t *before, int64_t *again)
{
    *before = 0;
    while (hashes[*before] == 0 || !is_twice(sorted, count, hashes[*before]))
        ++*before;
    *again = *before + 1;
    while (hashes[*again] != hashes[*before])
        ++*again;
}

enum status decision_ids_find_twice(const uint64_t *hashes, int64_t count,
                                    int64_t *before, int64_t *again, struct err *err)
{
    uint64_t *sorted = malloc((size_t)count * sizeof *sorted + 1);

    *before = *again = 0;
    if (!sorted)
        return err_set(err, STATUS_EXHAUSTED,
                       "out of memory for the ids of %lld decisions", (long long)count);
    memcpy(sorted, hashes, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    if (is_any_twice(sorted, count))
        find_rows(hashes, sorted, count, before, again);
    free(sorted);
    return STATUS_OK;
}

enum status decision_ids_refuse(const char *file, const char *unit, int64_t again,
                                int64_t before, struct err *err)
{
    return err_set(err, STATUS_INVALID,
                   "%s %s %lld: is the decision of %s %lld again: the log is there "
                   "twice, or pieces of it overlap; take each decision once",
                   file, unit, (long long)again, unit, (long long)before);
}
