/* traffic.h - what cases wanted, as it is kept over restarts: cells and their curves.
 *
 * A cell is a kind of case, as far as budgets care: its attributes, under their hash. A
 * curve is the demand of a cell in one quarter of an hour, as bytes of the pacer's
 * (optimize/pacer.h). Nothing here is money, and nothing is lost for good when it
 * goes. */
#ifndef REDRESS_STORE_TRAFFIC_H
#define REDRESS_STORE_TRAFFIC_H

#include "base/money.h"
#include "base/text.h"
#include "store/ledger.h"

struct traffic_cell {
    uint64_t hash;
    char market[SCOPE_TEXT_BYTES], issue[SCOPE_TEXT_BYTES], segment[SCOPE_TEXT_BYTES],
        channel[SCOPE_TEXT_BYTES], currency[CURRENCY_BYTES]; /* empty: not said */
};

struct traffic_curve {
    uint64_t cell;
    int64_t slot; /* quarters of an hour since 1970, UTC */
    struct text content;
};

/* Nothing is changed when it is there. */
enum status traffic_cell_put(struct store *store, const struct traffic_cell *cell,
                             struct err *err);

/* By hash, at most count_max. *count. */
enum status traffic_cell_list(struct store *store, int count_max,
                              struct traffic_cell *cells, int *count, struct err *err);

/* In place of the one there was. Its cell has to be there. */
enum status traffic_curve_put(struct store *store, const struct traffic_curve *curve,
                              struct err *err);

/* Newest slots first, before a curve (slot INT64_MAX begins), at most limit; they belong
 * to the arena. */
enum status traffic_curve_list(struct store *store, int64_t before_slot,
                               uint64_t before_cell, int limit, struct arena *arena,
                               struct traffic_curve **curves, int *count,
                               struct err *err);

/* Delete curves of slots before the first or after the last, and cells without any; at
 * most limit of each. */
enum status traffic_forget(struct store *store, int64_t first_slot, int64_t last_slot,
                           int limit, struct err *err);

#endif
