/* quantize_tables.h - what quantize.c builds, and quantize_row.c, quantize_codes.c and
 * quantize_block.c read.
 *
 * Every comparison of either library becomes T <= x in double: XGBoost's rounding to
 * float and LightGBM's <= and its zero are folded into T (see the cutpoints of
 * quantize_asks.c). */
#ifndef REDRESS_INFER_QUANTIZE_TABLES_H
#define REDRESS_INFER_QUANTIZE_TABLES_H

#include "infer/cpu.h"
#include "infer/quantize.h"
#include "infer/values.h"

enum {
    SCALE_FAN = 16,   /* thresholds per block, blocks per scale */
    CODE_RIGHT = 255, /* above every rank */
    IS_NAN = 1,       /* flags of a value */
    IS_ZERO = 2,      /* |x| <= 1e-35f */
    SEARCH_LEVEL_MIN = 4,
    SEARCH_LEVEL_MAX = 8,
};

/* Sorted thresholds of one feature. At `first` there are 16 doubles, the last threshold
 * of each block, then the blocks of 16: threshold_count / 16 + 1 of them, filled up with
 * NaN, which is never <= x. */
struct scale {
    uint32_t first;
    uint32_t feature;
    uint16_t slot_from, slot_to;
};

/* The same thresholds for blocks of rows: a balanced search tree of 2^levels floats, of
 * which the first is unused; node i has the children 2i and 2i + 1. Exact: T <= x is
 * float(T) <= (float)x. Otherwise floats are rounded down on both sides, which tells
 * unless the two are equal. */
struct search {
    uint32_t first;
    uint8_t levels;
    bool is_exact;
};

/* A value whose flags meet missing_flags has missing_code. */
struct slot {
    uint8_t missing_flags;
    uint8_t missing_code;
};

/* One set of categories: slot = category_slot_from + its index. */
struct category_set {
    uint32_t feature;
    uint32_t first; /* of words */
    uint32_t word_count;
    bool is_xgboost;
    uint8_t missing_code; /* of NaN */
    uint8_t code_inside, code_outside;
};

struct quantizer {
    enum isa isa;
    int feature_count;
    int scale_count, scale_slot_count, set_count, slot_count;
    struct scale *scales;    /* by feature */
    struct search *searches; /* (scale); of ISA_AVX512 and above */
    struct slot *slots;      /* of scales */
    struct category_set *sets;
    uint32_t *words;
    double *thresholds;            /* aligned to 64 */
    size_t threshold_count;        /* with what fills them up */
    struct row_tables *row_tables; /* of quantize_row.c; NULL: they would not do */
    float *trees;                  /* aligned to 64 */
    struct split **splits;         /* (forest) */
    int forest_count;
};

/* The smallest double that rounds to t or above: (float)x >= t is x >= it. */
double cutpoint_xgboost(float t);

/* The floats of a search tree over so many thresholds. */
size_t search_floats(int threshold_count);

/* Ascending thresholds as a search tree. */
void search_init(const double *thresholds, int count, struct search *search, float *tree);

/* Once all else is laid out; false when memory is out. */
bool row_tables_open(struct quantizer *quantizer);
void row_tables_close(struct row_tables *tables); /* NULL is fine */

/* row (feature) -> codes (slot of a scale), and zeros up to a multiple of 64. */
void row_tables_code(const struct quantizer *quantizer, const double *row,
                     uint8_t *codes);

/* row (feature) -> codes (set). */
void code_sets(const struct quantizer *quantizer, const double *row, uint8_t *codes);

#endif
