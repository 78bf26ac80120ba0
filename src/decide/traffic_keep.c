/* traffic_keep.c - what was learned of demand, kept in the store over restarts. */
#include "decide/traffic_state.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

enum {
    SAVE_CURVE_COUNT = 64, /* written in one transaction */
    LOAD_PAGE_COUNT = 512,
    LOAD_US_MAX = 2000000,
    SLOT_COUNT_A_DAY = 96,
    FORGET_COUNT = 256,
};
#define SLOT_US (INT64_C(900) * SECOND_US)

/* --- what was learned before this start ----------------------------------------------------- */

static enum status load_cells(struct traffic *traffic, struct store *store,
                              struct err *err)
{
    struct traffic_cell *cells = calloc(PACER_CELL_COUNT_MAX, sizeof *cells);
    enum status rc;
    int count = 0;

    if (!cells)
        return err_set(err, STATUS_EXHAUSTED, "no memory for cells of traffic");
    rc = traffic_cell_list(store, PACER_CELL_COUNT_MAX, cells, &count, err);
    for (int i = 0; i < count && !rc; i++)
        cells_put(traffic->cells, &cells[i]);
    free(cells);
    return rc;
}

static int64_t oldest_slot(int64_t now_us)
{
    return now_us / SLOT_US - PACER_HISTORY_DAYS * SLOT_COUNT_A_DAY;
}

struct loading {
    struct traffic *traffic;
    struct store *store;
    int64_t slot; /* of the last curve read */
    uint64_t cell;
    int64_t count, left_out_count;
    bool is_over; /* there are no more */
};

/* One page of curves. One that cannot be read is left out. */
static enum status load_page(struct loading *loading, struct arena *arena,
                             struct err *err)
{
    struct traffic_curve *curves;
    int count;
    enum status rc = traffic_curve_list(loading->store, loading->slot, loading->cell,
                                        LOAD_PAGE_COUNT, arena, &curves, &count, err);

    for (int i = 0; i < count && !rc; i++) {
        const struct pacer_curve curve = {.cell = curves[i].cell,
                                          .slot = curves[i].slot,
                                          .bytes = curves[i].content.at,
                                          .byte_count = (int)curves[i].content.bytes};
        struct err of_curve;

        err_clear(&of_curve);
        loading->left_out_count +=
            pacer_load(loading->traffic->pacer, &curve, &of_curve) != STATUS_OK;
        loading->slot = curves[i].slot;
        loading->cell = curves[i].cell;
    }
    loading->count += count;
    loading->is_over = count < LOAD_PAGE_COUNT;
    return rc;
}

/* Newest first, so that what time does not allow is the oldest. */
enum status traffic_load(struct traffic *traffic, struct store *store, int64_t now_us,
                         struct err *err)
{
    int64_t until_us = clock_monotonic_us(&system_clock) + LOAD_US_MAX;
    struct loading loading = {
        .traffic = traffic,
        .store = store,
        .slot = now_us / SLOT_US + 1, /* what is later, the clock was ahead for */
        .cell = (uint64_t)INT64_MIN,
    };
    enum status rc = load_cells(traffic, store, err);

    while (!rc && !loading.is_over && loading.slot >= oldest_slot(now_us) &&
           clock_monotonic_us(&system_clock) < until_us) {
        struct arena arena;

        arena_init(&arena, NULL, 0, LOAD_PAGE_COUNT * (PACER_CURVE_BYTES_MAX + 256));
        rc = load_page(&loading, &arena, err);
        arena_reset(&arena);
    }
    if (loading.left_out_count > 0)
        log_event(LOG_WARN, "traffic_left_out",
                  LOG_INT("curves", loading.left_out_count));
    if (!rc && !loading.is_over && loading.slot >= oldest_slot(now_us))
        log_event(LOG_WARN, "traffic_read_in_part", LOG_INT("curves", loading.count));
    return rc;
}

/* --- saving --------------------------------------------------------------------------------- */

/* A curve, after its cell. The cell that the pacer shares among those it has no room for
 * is none of ours, and is not kept. */
static enum status put_curve(struct traffic *traffic, struct store *store,
                             const struct pacer_curve *curve, struct err *err)
{
    const struct traffic_curve put = {
        .cell = curve->cell,
        .slot = curve->slot,
        .content = {curve->bytes, (size_t)curve->byte_count}};
    const struct traffic_cell *cell = cells_find(traffic->cells, curve->cell);
    enum status rc;

    if (!cell)
        return STATUS_OK;
    rc = traffic_cell_put(store, cell, err);
    return rc ? rc : traffic_curve_put(store, &put, err);
}

enum status traffic_save(struct traffic *traffic, struct store *store, int64_t now_us,
                         int64_t *cursor, bool *is_all, struct err *err)
{
    struct pacer_curve curve;
    enum status rc = STATUS_OK;

    *is_all = false;
    if (*cursor == 0)
        traffic_look(traffic);
    pthread_mutex_lock(&traffic->pacer_lock);
    for (int i = 0; i < SAVE_CURVE_COUNT && !rc && !*is_all; i++) {
        *is_all = !pacer_next_changed(traffic->pacer, cursor, &curve);
        if (!*is_all)
            rc = put_curve(traffic, store, &curve, err);
    }
    pthread_mutex_unlock(&traffic->pacer_lock);
    return rc ? rc
              : traffic_forget(store, oldest_slot(now_us),
                               now_us / SLOT_US + PACER_BACK_SLOTS, FORGET_COUNT, err);
}

void traffic_saved(struct traffic *traffic)
{
    pthread_mutex_lock(&traffic->pacer_lock);
    pacer_saved(traffic->pacer);
    pthread_mutex_unlock(&traffic->pacer_lock);
}
