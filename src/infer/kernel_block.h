/* kernel_block.h - what the kernels for blocks of rows have in common: the sums of up to 64 rows,
 * group by group, until they go to where the caller wants them.
 *
 * Private to kernel_block_*.c. */
#ifndef REDRESS_INFER_KERNEL_BLOCK_H
#define REDRESS_INFER_KERNEL_BLOCK_H

#include "infer/kernel.h"

#include <stdalign.h>
#include <string.h>

/* Sums are on the stack. */
enum { BLOCK_GROUP_COUNT_MAX = 64 };

/* Functions of kernels are put together from parts that are always inlined, so that what is known
 * when compiling (how many levels, which number type) is worked out once. */
#define BLOCK_INLINE static inline __attribute__((always_inline))

/* The beginning of every compiled form; positions are bytes from there. */
struct block_head {
    bool is_float;
    int32_t tree_count;
    int32_t group_count;
    size_t groups;  /* int32_t (tree) */
    size_t margins; /* double (group) */
    size_t end;     /* of these */
};

static inline size_t block_aligned(size_t bytes)
{
    return (bytes + KERNEL_ALIGNMENT - 1) / KERNEL_ALIGNMENT * KERNEL_ALIGNMENT;
}

/* The head of a form whose own struct, which begins with it, has so many bytes. */
struct block_head block_head_layout(const struct kernel_forest *source,
                                    size_t struct_bytes);

/* Write what the head's positions name. */
void block_head_compile(const struct kernel_forest *source, const struct block_head *head,
                        void *compiled);

/* Write a leaf's value into the room of its tree: a float, or the lower half of a double and, behind
 * the lower halves of all leaf_count, the upper one. */
void block_put_leaf(double value, bool is_float, int leaf_count, int index, void *leaves);

/* The bytes of a number of this forest's leaves. */
static inline size_t block_number_bytes(const struct kernel_forest *source)
{
    return source->forest->dialect == FOREST_XGBOOST ? sizeof(float) : sizeof(double);
}

#endif
