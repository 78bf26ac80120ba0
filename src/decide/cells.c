/* cells.c - a hash table that only grows. */
#include "decide/cells.h"

#include "base/log.h"
#include "decide/book.h"
#include "optimize/pacer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* The last ones are kept for cases that are told apart by their currency alone. */
    FINE_CELL_COUNT = PACER_CELL_COUNT_MAX - 256,
    PLACE_COUNT = 2 * PACER_CELL_COUNT_MAX,
};

struct cells {
    pthread_mutex_t lock;
    struct traffic_cell at[PACER_CELL_COUNT_MAX];
    int count;
    bool is_told;                 /* that there is no room for more */
    uint16_t places[PLACE_COUNT]; /* index + 1; 0: free */
};

enum status cells_open(struct cells **cells, struct err *err)
{
    *cells = calloc(1, sizeof **cells);
    if (!*cells)
        return err_set(err, STATUS_EXHAUSTED, "no memory for kinds of cases");
    pthread_mutex_init(&(*cells)->lock, NULL);
    return STATUS_OK;
}

void cells_close(struct cells *cells)
{
    if (!cells)
        return;
    pthread_mutex_destroy(&cells->lock);
    free(cells);
}

/* Never 0. The same on every machine and in every build: it is kept in the store. */
static uint64_t hash_of(const struct refund_case *asked)
{
    const struct text parts[] = {asked->market, asked->issue, asked->segment,
                                 asked->channel, text_of(asked->currency)};
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        hash = (hash ^ text_hash(parts[i])) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ? hash : 1;
}

/* Where the cell is, or should be put. */
static uint16_t *place_of(struct cells *cells, uint64_t hash)
{
    for (size_t at = hash >> 40;; at++) {
        uint16_t *place = &cells->places[at % PLACE_COUNT];

        if (*place == 0 || cells->at[*place - 1].hash == hash)
            return place;
    }
}

static void add(struct cells *cells, uint16_t *place, const struct traffic_cell *cell)
{
    cells->at[cells->count] = *cell;
    *place = (uint16_t)++cells->count;
}

/* The attributes of a case fit: they are no longer than those of a scope. */
static struct traffic_cell cell_of(const struct refund_case *asked, uint64_t hash)
{
    struct traffic_cell cell = {.hash = hash};
    bool fits = text_copy(asked->market, cell.market, sizeof cell.market) &&
                text_copy(asked->issue, cell.issue, sizeof cell.issue) &&
                text_copy(asked->segment, cell.segment, sizeof cell.segment) &&
                text_copy(asked->channel, cell.channel, sizeof cell.channel);

    assert(fits);
    memcpy(cell.currency, asked->currency, sizeof cell.currency);
    return cell;
}

/* 0 when it is not there and there is no room for it among so many. Under the lock. */
static uint64_t find_or_add(struct cells *cells, const struct refund_case *asked,
                            int count_max)
{
    uint64_t hash = hash_of(asked);
    uint16_t *place = place_of(cells, hash);
    struct traffic_cell cell;

    if (*place)
        return hash;
    if (cells->count >= count_max)
        return 0;
    cell = cell_of(asked, hash);
    add(cells, place, &cell);
    return hash;
}

/* A line for operators, once. */
static void tell_full(struct cells *cells)
{
    if (!cells->is_told)
        log_event(LOG_WARN, "kinds_of_cases_full", LOG_INT("kinds", FINE_CELL_COUNT));
    cells->is_told = true;
}

uint64_t cells_note(struct cells *cells, const struct refund_case *asked)
{
    struct refund_case coarse = {0};
    uint64_t hash;

    memcpy(coarse.currency, asked->currency, sizeof coarse.currency);
    pthread_mutex_lock(&cells->lock);
    hash = find_or_add(cells, asked, FINE_CELL_COUNT);
    if (hash == 0) {
        tell_full(cells);
        hash = find_or_add(cells, &coarse, PACER_CELL_COUNT_MAX);
    }
    pthread_mutex_unlock(&cells->lock);
    return hash;
}

void cells_put(struct cells *cells, const struct traffic_cell *cell)
{
    uint16_t *place;

    pthread_mutex_lock(&cells->lock);
    place = place_of(cells, cell->hash);
    if (*place == 0 && cells->count < PACER_CELL_COUNT_MAX)
        add(cells, place, cell);
    pthread_mutex_unlock(&cells->lock);
}

const struct traffic_cell *cells_find(struct cells *cells, uint64_t hash)
{
    uint16_t place;

    pthread_mutex_lock(&cells->lock);
    place = *place_of(cells, hash);
    pthread_mutex_unlock(&cells->lock);
    return place ? &cells->at[place - 1] : NULL;
}

int cell_budgets(void *context, const struct traffic_cell *cell,
                 const struct budget *budgets, int budget_count, int *found,
                 int count_max)
{
    struct refund_case asked = {.market = text_of(cell->market),
                                .issue = text_of(cell->issue),
                                .segment = text_of(cell->segment),
                                .channel = text_of(cell->channel)};
    int count = 0;

    (void)context;
    assert(cell);
    memcpy(asked.currency, cell->currency, sizeof asked.currency);
    for (int i = 0; i < budget_count && count < count_max; i++)
        if (budget_covers(&budgets[i], &asked))
            found[count++] = i;
    return count;
}
