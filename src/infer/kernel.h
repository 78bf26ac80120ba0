/* kernel.h - one way of scoring a forest from the codes of quantize.h; the engine picks
 * the fastest of those that take a forest.
 *
 * Every kernel gives the bits of forest_raw (evaluate.h): XGBoost's leaves, times the
 * tree's weight, are added in float from the base margin in the order of the trees;
 * LightGBM's likewise in double. So the choice among kernels, which is made by the clock,
 * never shows.
 *
 * A kernel is plugged in by its line in kernels.c. Private to infer/. */
#ifndef REDRESS_INFER_KERNEL_H
#define REDRESS_INFER_KERNEL_H

#include "infer/cpu.h"
#include "infer/quantize.h"
#include "model/forest.h"

#include <stddef.h>

enum {
    KERNEL_ALIGNMENT = 64,
    CODE_SLACK = 256,       /* bytes that may be read beyond a row's codes */
    RANK_ALWAYS_LEFT = 255, /* no code is above it */
};

/* A forest as kernels see it. */
struct kernel_forest {
    const struct forest *forest; /* with at least one tree */
    const struct split *splits;  /* (node) */
    int slot_count;              /* over all forests of the quantizer */
    int32_t *tree_depths;        /* (tree): splits on the longest path */
    int32_t *tree_leaf_counts;   /* (tree) */
    int depth_max, leaf_count_max;
};

/* Either row or block is set. Both may write raw (.., group) only, and read the compiled
 * form and the codes only; any number of threads. */
struct kernel {
    const char *name;
    enum isa isa;           /* the least it needs */
    enum isa superseded_at; /* from here on another does the same faster; 0: nowhere */

    /* Bytes of the compiled form; 0 for a forest that this kernel does not take. */
    size_t (*measure)(const struct kernel_forest *forest);

    /* Write it into so many zeroed bytes, aligned to KERNEL_ALIGNMENT. It holds no
     * pointers: the engine moves it. */
    void (*compile)(const struct kernel_forest *forest, void *compiled);

    /* codes (slot), readable for CODE_SLACK bytes beyond its last -> raw (group). */
    void (*row)(const void *compiled, const uint8_t *codes, double *raw);

    /* codes (slot, 64), aligned to row_count_max, a power of two; 1 <= row_count <=
     * row_count_max
     * -> raw (row, group), rows raw_stride numbers apart. Codes beyond row_count may be
     * anything. */
    void (*block)(const void *compiled, const uint8_t *codes, int row_count, double *raw,
                  size_t raw_stride);
    int row_count_max; /* of block: up to 64 */
};

/* All there are, ended by NULL. The first takes every forest on every machine. */
extern const struct kernel *const kernels[];

extern const struct kernel kernel_walk; /* anything, in portable C */
#if defined(__x86_64__)
extern const struct kernel kernel_mux, kernel_twig; /* up to 8 levels */
extern const struct kernel kernel_scan_avx2, kernel_scan_avx512,
    kernel_scan_vbmi; /* up to 128 leaves */

/* For blocks of rows, with up to 64 leaves: a few rows, many rows. */
extern const struct kernel kernel_team_avx512, kernel_team_vbmi;
extern const struct kernel kernel_planes_avx2, kernel_lanes_avx512;
#endif

/* ---- what kernels have in common ---- */

/* Functions of kernels are put together from parts that are always inlined, so that what
 * is known when compiling (how many slots or levels, which number type) is worked out
 * once. */
#define KERNEL_INLINE static inline __attribute__((always_inline))

/* Rounded up to KERNEL_ALIGNMENT. */
static inline size_t kernel_aligned(size_t bytes)
{
    return (bytes + KERNEL_ALIGNMENT - 1) / KERNEL_ALIGNMENT * KERNEL_ALIGNMENT;
}

/* The node after the last one of a tree, whose nodes stand together. */
static inline int32_t tree_end(const struct forest *forest, int tree)
{
    return tree + 1 < forest->tree_count ? forest->roots[tree + 1] : forest->node_count;
}

/* What a leaf adds: XGBoost's in float, with the tree's weight. */
static inline double leaf_value(const struct forest *forest, int tree,
                                const struct forest_node *leaf)
{
    float value = (float)leaf->threshold;

    if (forest->dialect == FOREST_LIGHTGBM)
        return leaf->threshold;
    return forest->tree_weights ? value * forest->tree_weights[tree] : value;
}

/* What a group's sum starts from. */
static inline double margin_of(const struct forest *forest, int group)
{
    return forest->dialect == FOREST_XGBOOST ? (float)forest->base_margin[group]
                                             : forest->base_margin[group];
}

#endif
