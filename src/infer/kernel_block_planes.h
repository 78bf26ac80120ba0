/* kernel_block_planes.h - the compiled form of the kernels that score a block of rows by
 * bits: one comparison per node tells for every row of the block whether it turns right
 * there, one bit for each row; then bitwise operations on whole words turn these into the
 * leaves of all rows, as planes: bit b of the leaf of every row.
 *
 * Eight trees make a bunch, whose masks stand side by side in a register. The leaves of a
 * tree of n levels are numbers of n bits, found by a binary search among its masks:
 *
 *     bit 0 = mask 1;  bit 1 = mask (bit 0 ? 3 : 2);  bit 2 = mask (4 + bits 0 and 1) ...
 *
 * where the first bit is the most significant. Trees are prepared for this in either of
 * two ways:
 *
 * - complete: the tree is completed to n levels; a mask is a node's.
 * - ordered: leaves are numbered from left to right, whatever the shape. The mask in the place of
 *   border i says whether a row ends at leaf i or right of it. Border i is that of the node between
 *   leaves i - 1 and i: right of it are rows that are right of the border at the right end of the
 *   node's subtree, and, of those right of the border at its left end, the ones that turn right.
 *
 * Private to kernel_block_planes*.c. */
#ifndef REDRESS_INFER_KERNEL_BLOCK_PLANES_H
#define REDRESS_INFER_KERNEL_BLOCK_PLANES_H

#include "infer/kernel_block.h"

enum {
    PLANE_TREE_COUNT = 8,
    PLANE_LEVEL_MAX = 6,
    PLANE_LEAF_COUNT_MAX = 1 << PLANE_LEVEL_MAX,
    MASK_NONE = 0,                   /* no row is right of the last leaf's end */
    MASK_ALL = 1 << PLANE_LEVEL_MAX, /* all are right of the first leaf's beginning */
    MASK_UNUSED,                     /* for trees with fewer nodes than others */
    MASK_COUNT,
};

/* Nodes of the eight trees take turns, so that none waits for the one before and masks
 * are stored line by line. Positions are packed, since loads are what bounds these
 * kernels: where a slot's codes begin, in steps of eight bytes. */
enum { CODES_STEP = 8, TURN_GROUP = 4 };

/* One comparison in each of four trees, each rank repeated over four bytes. */
struct turns {
    uint32_t ranks[TURN_GROUP];
    uint16_t codes[TURN_GROUP];
};

/* One comparison, and where masks of the same tree are: those of both ends of the
 * subtree, and its own. */
struct border {
    uint32_t ranks;
    uint16_t codes;
    uint16_t left, right, at;
};

struct plane_bunch {
    /* struct turn (tree, 1 .. 2^levels - 1), or struct border, tree by tree */
    uint32_t nodes;
    uint32_t leaves; /* float (tree, leaf), or double; see leaf_count */
    int32_t levels;
    int32_t tree_count;
    bool is_complete;
    int32_t node_count; /* of each tree: places, or the most that one has */
};

struct planes {
    struct block_head head;
    size_t bunches; /* struct plane_bunch */
    int32_t bunch_count;
};

/* Room for the leaves of a tree. */
static inline int plane_leaf_count(int levels)
{
    return levels <= PLANE_LEVEL_MAX - 1 ? 32 : PLANE_LEAF_COUNT_MAX;
}

/* The parts of a border, or the codes of four turns, in one load: 16 bits each. */
static inline uint64_t packed_load(const uint16_t *parts)
{
    uint64_t packed;

    memcpy(&packed, parts, sizeof packed);
    return packed;
}

static inline size_t packed_part(uint64_t packed, int part)
{
    return (uint16_t)(packed >> 16 * part);
}

/* Trees of up to 64 leaves. */
size_t planes_measure(const struct kernel_forest *source);

void planes_compile(const struct kernel_forest *source, void *compiled);

#endif
