/* kernel_block_team.h - the compiled form of the kernels that score a few rows together: trees in
 * the lanes of registers, one register for a node of each of them, row after row while they are in
 * the nearest cache.
 *
 * Trees of a bunch are prepared in either of two ways:
 *
 * - complete: all are completed to the same number of levels, and the node that a row asks at a
 *   level is chosen by blending all of them under the turns so far.
 * - swept: nodes are visited from left to right. With leaves numbered in the same order, and the
 *   nodes up to i visited, the row ends at `leaf` unless a later node says otherwise; the node
 *   between leaves i - 1 and i moves it to leaf i if the row turns right there and `leaf` is in its
 *   left subtree, that is, not left of its first leaf.
 *
 * Private to kernel_block_team*.c. */
#ifndef REDRESS_INFER_KERNEL_BLOCK_TEAM_H
#define REDRESS_INFER_KERNEL_BLOCK_TEAM_H

#include "infer/kernel_block.h"

enum {
    TEAM_LEVEL_MAX = 6,
    TEAM_LEAF_COUNT_MAX = 64,
    TEAM_SLOT_COUNT_MAX = 256,
    TEAM_TREE_COUNT_MAX = 64,
};

struct team_bunch {
    uint32_t nodes;  /* (node, part, tree) */
    uint32_t leaves; /* float (tree, leaf), or halves of double */
    int32_t tree_count;
    int32_t size;       /* levels, or nodes */
    int32_t leaf_count; /* room: 32 or 64 */
    bool is_complete;
};

/* Parts of a node. Lanes of bytes: all three, the last when swept. Lanes of 16 bits: rank above
 * slot, then the first leaf. */
enum team_part { TEAM_SLOT, TEAM_RANK, TEAM_FIRST };

struct team {
    struct block_head head;
    size_t bunches; /* struct team_bunch */
    int32_t bunch_count;
    int32_t lane_bytes;
    int32_t slot_count; /* room: 64, 128 or 256 */
    int32_t used_count;
    uint16_t used[TEAM_SLOT_COUNT_MAX]; /* the slots of the forest */
};

size_t team_measure(const struct kernel_forest *source, int lane_bytes);
void team_compile(const struct kernel_forest *source, int lane_bytes, void *compiled);

/* Codes of the forest's own slots (row, slot_count), from those of a block. */
void team_codes(const struct team *team, const uint8_t *block_codes, int row_count,
                uint8_t *codes);

#endif
