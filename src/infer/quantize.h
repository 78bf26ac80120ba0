/* quantize.h - feature values become small codes, once per row for all trees of all
 * forests, so that the compares, which must be exact, happen here in double and the trees
 * work on bytes.
 *
 * A slot is what one kind of split looks at: a feature, where its missing values go,
 * whether zero counts as missing, and either up to 254 sorted distinct thresholds or one
 * category set. A split is (slot, rank): a row goes left iff code[slot] <= rank, rank 0
 * .. 253.
 *
 *     code(x) = how many thresholds of the slot x does not stay left of:
 *               XGBoost: t <= (float)x;  LightGBM: t < x
 *     missing:  0 where it goes left at every split of the slot, 255 where it goes right
 *     category: 0 for values that go left, 255 for those that go right
 *
 * A feature with more thresholds has several slots, each with a range of them; codes
 * saturate, so a split finds the right answer in the one slot that holds its threshold.
 * Features split both ways on missing values have a slot for each way.
 *
 * Immutable after opening; any number of threads. Private to infer/. */
#ifndef REDRESS_INFER_QUANTIZE_H
#define REDRESS_INFER_QUANTIZE_H

#include "base/err.h"
#include "model/forest.h"

#include <stdint.h>

enum {
    QUANTIZE_SLOT_COUNT_MAX = 4096,
    QUANTIZE_RANK_COUNT = 254, /* thresholds per slot */
    QUANTIZE_BLOCK = 64,       /* rows of a block */
};

struct quantizer; /* opaque */

/* What a node asks. */
struct split {
    uint16_t slot;
    uint8_t rank;
};

/* Over all nodes of all forests (which all take the same features); NULL entries are
 * skipped. splits receives, per forest, an array (node) of its splits, owned by the
 * quantizer; entries of leaves are unset. *quantizer is NULL, and the status OK, when
 * more slots would be needed, or more memory or time than sound models take. */
enum status quantizer_open(const struct forest *const *forests, int forest_count,
                           struct quantizer **quantizer, const struct split **splits,
                           struct err *err);
void quantizer_close(struct quantizer *quantizer); /* NULL is fine */

/* Free the splits, once everything is compiled that needs them. */
void quantizer_release_splits(struct quantizer *quantizer);

int quantizer_slot_count(const struct quantizer *quantizer);

/* Features of a row: the most that a forest takes. */
int quantizer_feature_count(const struct quantizer *quantizer);

/* row (feature) -> codes (slot), padded with zeros to a multiple of 64. */
void quantize_row(const struct quantizer *quantizer, const double *row, uint8_t *codes);

/* rows (row, feature), row_count <= 64 -> codes (slot, 64): all rows of a slot side by
 * side; rows beyond row_count are zero. codes is aligned to 64 bytes. */
void quantize_block(const struct quantizer *quantizer, const double *rows, int row_count,
                    uint8_t *codes);

#endif
