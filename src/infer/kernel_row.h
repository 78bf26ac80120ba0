/* kernel_row.h - what the vector kernels for single rows have in common: few slots per
 * forest, so that the codes stay in registers, trees in the lanes of registers, and the
 * sum of their leaves in the order of the trees.
 *
 * Private to kernel_row_*.c. */
#ifndef REDRESS_INFER_KERNEL_ROW_H
#define REDRESS_INFER_KERNEL_ROW_H

#include "infer/kernel_slots.h"

/* ---- trees side by side ---- */

/* As many trees as there are lanes. Positions are bytes from the beginning of the
 * compiled form. */
struct bunch {
    uint32_t nodes;
    uint32_t leaves;     /* float or double (tree, leaf_stride) */
    int32_t leaf_stride; /* leaves of a tree */
    int32_t tree_count;
    int32_t size;   /* levels, or nodes of a tree: the most of any tree */
    int32_t cursor; /* for put_tree; 0 at first */
};

/* The compiled form of a row kernel begins with this. */
struct lanes {
    bool is_float;
    int32_t bunch_count;
    int32_t group_count;
    size_t bunches; /* struct bunch */
    size_t groups;  /* int32_t (tree) */
    size_t margins; /* double (group) */
    size_t bytes;   /* of the whole form */
    struct local_slots slots;
};

/* How a kernel's bunches are made. */
struct lanes_shape {
    int lane_count;
    size_t (*node_bytes)(int size); /* of a bunch */
    int (*size)(const struct kernel_forest *source, int tree);
    int (*leaf_stride)(int size); /* that is enough for trees of that size */
    /* Room for so many leaves more behind those of the bunch, for one tree of it; or
     * NULL. */
    size_t (*further_leaves)(const struct kernel_forest *source, int tree, int size);
    void (*put_tree)(const struct kernel_forest *source, const struct lanes *lanes,
                     struct bunch *bunch, int tree, int lane, void *compiled);
};

/* Everything but the trees is laid out; false when the forest is too large or looks at
 * too many slots. */
bool lanes_layout(const struct kernel_forest *source, const struct lanes_shape *shape,
                  struct lanes *lanes);

/* Write the form, tree by tree. */
void lanes_compile(const struct kernel_forest *source, const struct lanes_shape *shape,
                   void *compiled);

/* A leaf's value into its place. */
void lanes_put_leaf(const struct kernel_forest *source, const struct lanes *lanes,
                    const struct bunch *bunch, int tree, int lane, int32_t node, int leaf,
                    void *compiled);

/* ---- sums ---- */

/* Of one group of outputs: the sum stays in a register. */
struct lanes_sum {
    float single;
    double twofold;
};

/* The leaves of a bunch, one byte for each tree, onto the sum of its group. */
KERNEL_INLINE void lanes_add(const struct lanes *lanes, const struct bunch *bunch,
                             int first_tree, const uint8_t *found, struct lanes_sum *sum,
                             double *raw)
{
    const char *base = (const char *)lanes;
    const char *leaves = base + bunch->leaves;
    const int32_t *groups = (const int32_t *)(base + lanes->groups) + first_tree;
    size_t stride = (size_t)bunch->leaf_stride;

    if (lanes->group_count == 1 && lanes->is_float) {
        for (int i = 0; i < bunch->tree_count; i++)
            sum->single += ((const float *)leaves + (size_t)i * stride)[found[i]];
    } else if (lanes->group_count == 1) {
        for (int i = 0; i < bunch->tree_count; i++)
            sum->twofold += ((const double *)leaves + (size_t)i * stride)[found[i]];
    } else if (lanes->is_float) {
        for (int i = 0; i < bunch->tree_count; i++) {
            double *of_group = &raw[groups[i]];

            *of_group =
                (float)*of_group + ((const float *)leaves + (size_t)i * stride)[found[i]];
        }
    } else {
        for (int i = 0; i < bunch->tree_count; i++)
            raw[groups[i]] += ((const double *)leaves + (size_t)i * stride)[found[i]];
    }
}

KERNEL_INLINE struct lanes_sum lanes_begin(const struct lanes *lanes, double *raw)
{
    const double *margins = (const double *)((const char *)lanes + lanes->margins);

    for (int g = 0; g < lanes->group_count; g++)
        raw[g] = margins[g];
    return (struct lanes_sum){(float)margins[0], margins[0]};
}

KERNEL_INLINE void lanes_end(const struct lanes *lanes, const struct lanes_sum *sum,
                             double *raw)
{
    if (lanes->group_count == 1)
        raw[0] = lanes->is_float ? sum->single : sum->twofold;
}

#endif
