/* kernel_block.c - what the compiled forms of block kernels begin with. */
#include "infer/kernel_block.h"

struct block_head block_head_layout(const struct kernel_forest *source,
                                    size_t struct_bytes)
{
    const struct forest *forest = source->forest;
    struct block_head head = {
        .is_float = forest->dialect == FOREST_XGBOOST,
        .tree_count = forest->tree_count,
        .group_count = forest->group_count,
        .groups = block_aligned(struct_bytes),
    };

    head.margins =
        head.groups + block_aligned((size_t)forest->tree_count * sizeof(int32_t));
    head.end = head.margins + block_aligned((size_t)forest->group_count * sizeof(double));
    return head;
}

void block_head_compile(const struct kernel_forest *source, const struct block_head *head,
                        void *compiled)
{
    const struct forest *forest = source->forest;
    double *margins = (double *)((char *)compiled + head->margins);

    memcpy((char *)compiled + head->groups, forest->tree_groups,
           (size_t)forest->tree_count * sizeof(int32_t));
    for (int g = 0; g < forest->group_count; g++)
        margins[g] = margin_of(forest, g);
}

void block_put_leaf(double value, bool is_float, int leaf_count, int index, void *leaves)
{
    uint32_t *halves = leaves;
    uint64_t bits;

    if (is_float) {
        ((float *)leaves)[index] = (float)value;
        return;
    }
    memcpy(&bits, &value, sizeof bits);
    halves[index] = (uint32_t)bits;
    halves[leaf_count + index] = (uint32_t)(bits >> 32);
}
