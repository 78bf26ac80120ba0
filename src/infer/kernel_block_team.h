/* kernel_block_team.h - the compiled form of the kernels that score a few rows together:
 * trees in the lanes of registers, one register for a node of each of them, row after row
 * while they are in the nearest cache.
 *
 * Trees of a bunch are prepared in either of two ways:
 *
 * - complete: all are completed to the same number of levels, and the node that a row asks at a
 *   level is chosen by blending all of them under the turns so far.
 * - swept: nodes are visited from left to right (see tree_sweep).
 *
 * Private to kernel_block_team*.c. */
#ifndef REDRESS_INFER_KERNEL_BLOCK_TEAM_H
#define REDRESS_INFER_KERNEL_BLOCK_TEAM_H

#include "infer/kernel_block.h"
#include "infer/kernel_slots.h"

enum {
    TEAM_LEVEL_MAX = 6,
    TEAM_LEAF_COUNT_MAX = 64,
    TEAM_LANE_COUNT = 64, /* trees of a bunch */
    TEAM_ROW_COUNT = 16,  /* rows whose leaves are found before they are added */
};

struct team_bunch {
    uint32_t nodes;  /* (node, part, tree) */
    uint32_t leaves; /* float (tree, leaf), or halves of double */
    int32_t tree_count;
    int32_t size;       /* levels, or nodes */
    int32_t leaf_count; /* room: 32 or 64 */
    /* lanes of 16 bits: from the nodes of the first 32 trees to the others' */
    uint32_t half_bytes;
    bool is_complete;
};

/* Parts of a node. Lanes of bytes: all three, the last when swept. Lanes of 16 bits: rank
 * above slot, then the first leaf; all nodes of 32 trees, then those of the others. */
enum team_part { TEAM_SLOT, TEAM_RANK, TEAM_FIRST };

struct team {
    struct block_head head;
    size_t bunches; /* struct team_bunch */
    int32_t bunch_count;
    int32_t lane_bytes;
    struct local_slots slots; /* as a list */
};

size_t team_measure(const struct kernel_forest *source, int lane_bytes);
void team_compile(const struct kernel_forest *source, int lane_bytes, void *compiled);

/* Codes of the forest's own slots (row, slots.count), from those of a block. */
void team_codes(const struct team *team, const uint8_t *block_codes, int row_count,
                uint8_t *codes);

/* Leaves (row, tree), each a byte as kernel_block_avx512.h has them. */
struct found {
    alignas(KERNEL_ALIGNMENT) uint8_t leaves[TEAM_ROW_COUNT * TEAM_LANE_COUNT];
};

/* The leaves of row_count rows, up to TEAM_ROW_COUNT, in the trees of a bunch; those of
 * other rows may be anything. codes (row, slots.count of the team). */
typedef void find_leaves_fn(const struct team *team, const struct team_bunch *bunch,
                            const uint8_t *codes, int row_count, struct found *found);

/* The block function of a kernel; needs AVX-512. */
void team_score(const void *compiled, const uint8_t *codes, int row_count, double *raw,
                size_t raw_stride, find_leaves_fn *find_leaves);

#endif
