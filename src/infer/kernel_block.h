/* kernel_block.h - what the kernels for blocks of rows have in common: the sums of up to
 * 64 rows, group by group, until they go to where the caller wants them.
 *
 * Private to kernel_block_*.c. */
#ifndef REDRESS_INFER_KERNEL_BLOCK_H
#define REDRESS_INFER_KERNEL_BLOCK_H

#include "infer/kernel.h"

#include <stdalign.h>
#include <string.h>

enum {
    BLOCK_GROUP_COUNT_MAX = 64, /* sums are on the stack */
    BLOCK_LEAF_COUNT_MAX = 64,  /* of trees, also when completed */
    SIGN_OF_32 = 96, /* carries the sixth bit of a leaf, as a byte, into its sign */
    SWEPT_COST = 3,  /* a swept node costs about as much as so many of a complete tree */
};

/* The beginning of every compiled form; positions are bytes from there. */
struct block_head {
    bool is_float;
    int32_t tree_count;
    int32_t group_count;
    size_t groups;  /* int32_t (tree) */
    size_t margins; /* double (group) */
    size_t end;     /* of these */
};

/* The head of a form whose own struct, which begins with it, has so many bytes. */
struct block_head block_head_layout(const struct kernel_forest *source,
                                    size_t struct_bytes);

/* Write what the head's positions name. */
void block_head_compile(const struct kernel_forest *source, const struct block_head *head,
                        void *compiled);

/* Write a tree's leaves into its room: floats, or the lower halves of doubles and then
 * the upper ones. nodes (leaf_count): where they stand in the forest, -1 where there is
 * none. */
void block_put_leaves(const struct kernel_forest *source, int tree, const int32_t *nodes,
                      int leaf_count, void *leaves);

/* The bytes of a number of this forest's leaves. */
static inline size_t block_number_bytes(const struct kernel_forest *source)
{
    return source->forest->dialect == FOREST_XGBOOST ? sizeof(float) : sizeof(double);
}

/* ---- shapes of trees ---- */

struct tree_size {
    int depth, leaf_count;
};

/* The greatest depth and the greatest number of leaves among some trees. */
struct tree_size largest_tree(const struct kernel_forest *source, int first,
                              int tree_count);

/* The tree completed to so many levels: nodes (2^level + index), -1 where all go left;
 * leaves (BLOCK_LEAF_COUNT_MAX), -1 where no row ends. */
void tree_complete(const struct forest *forest, int tree, int levels, int32_t *nodes,
                   int32_t *leaves);

/* A node visited from left to right: the one between leaves i and i + 1, and the first
 * leaf of its left subtree. With the nodes before it visited, a row ends at `leaf` unless
 * a later node says otherwise; this one moves it to leaf i + 1 if the row turns right
 * there and `leaf` is in the left subtree, that is, not left of its first leaf. */
struct sweep {
    int32_t node;
    int first;
};

/* The nodes of a tree of up to BLOCK_LEAF_COUNT_MAX leaves from left to right, and its
 * leaves, as above; how many nodes. */
int tree_sweep(const struct forest *forest, int tree, struct sweep *nodes,
               int32_t *leaves);

#endif
