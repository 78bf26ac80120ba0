/* quantize_build.h - how the splits of all forests become the tables of a quantizer: they
 * are collected and sorted (quantize_asks.c), their thresholds gathered into scales
 * (quantize_scales.c), their category sets told apart (quantize_sets.c), and all is laid
 * out (quantize.c).
 *
 * Private to quantize*.c. */
#ifndef REDRESS_INFER_QUANTIZE_BUILD_H
#define REDRESS_INFER_QUANTIZE_BUILD_H

#include "infer/quantize_tables.h"

#include <assert.h>
#include <stddef.h>

enum {
    RULE_COUNT = 5,
    SET_BUCKET_COUNT = 2 * QUANTIZE_SLOT_COUNT_MAX,
    ASK_COUNT_MAX = 2 << 20,        /* about 120 MB while tables are built */
    SET_PROBE_COUNT_MAX = 16 << 20, /* comparisons of sets: bounds what collisions cost */
};

/* A numeric split on its way to a slot. */
struct ask {
    uint64_t key;   /* T, as an integer of the same order */
    uint32_t place; /* feature << 16 | forest */
    uint32_t node : 24;
    uint32_t rule : 8;
};

static_assert(FOREST_NODE_COUNT_MAX < 1 << 24);

/* A scale before its thresholds are laid out. */
struct draft {
    size_t first; /* of keys */
    int count;
    int32_t slots[RULE_COUNT]; /* -1: none yet */
};

struct builder {
    const struct forest *const *forests;
    int forest_count;
    struct quantizer *quantizer;
    struct ask *asks, *spare;
    size_t ask_count;
    uint64_t *keys;        /* of all drafts; as many as asks */
    struct draft *drafts;  /* (scale) */
    uint16_t *slot_scales; /* (slot), and the rule of each */
    uint8_t *slot_rules;
    uint16_t *set_buckets; /* index of a set + 1; 0: free */
    size_t probe_count;
    bool is_full; /* more slots would be needed, or more work */
};

/* The threshold that a key stands for. */
double key_threshold(uint64_t key);

/* The numeric splits of all forests. */
size_t builder_count_asks(const struct builder *builder);

/* Into builder->asks, by feature, forest and threshold. */
void builder_collect_asks(struct builder *builder);

/* Scales of sorted thresholds with their slots, and the splits that look at them. */
void builder_add_scales(struct builder *builder);

/* Slots of category sets, after those of scales, and the splits that look at them; false
 * when memory is out. */
bool builder_add_sets(struct builder *builder);

#endif
