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
        .groups = kernel_aligned(struct_bytes),
    };

    head.margins =
        head.groups + kernel_aligned((size_t)forest->tree_count * sizeof(int32_t));
    head.end =
        head.margins + kernel_aligned((size_t)forest->group_count * sizeof(double));
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

/* A float, or the lower half of a double and, behind the lower halves of all leaf_count,
 * the upper one. */
static void put_leaf(double value, bool is_float, int leaf_count, int index, void *leaves)
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

void block_put_leaves(const struct kernel_forest *source, int tree, const int32_t *nodes,
                      int leaf_count, void *leaves)
{
    const struct forest *forest = source->forest;

    for (int i = 0; i < leaf_count; i++)
        if (nodes[i] >= 0)
            put_leaf(leaf_value(forest, tree, &forest->nodes[nodes[i]]),
                     forest->dialect == FOREST_XGBOOST, leaf_count, i, leaves);
}

/* ---- shapes of trees ---- */

struct tree_size largest_tree(const struct kernel_forest *source, int first,
                              int tree_count)
{
    struct tree_size size = {.depth = 0, .leaf_count = 1};

    for (int t = first; t < first + tree_count; t++) {
        if (source->tree_depths[t] > size.depth)
            size.depth = source->tree_depths[t];
        if (source->tree_leaf_counts[t] > size.leaf_count)
            size.leaf_count = source->tree_leaf_counts[t];
    }
    return size;
}

void tree_complete(const struct forest *forest, int tree, int levels, int32_t *nodes,
                   int32_t *leaves)
{
    int32_t below
        [2 *
         BLOCK_LEAF_COUNT_MAX]; /* the node at each place, a leaf again below itself */

    below[1] = forest->roots[tree];
    for (int i = 1; i < 1 << levels; i++) {
        const struct forest_node *node = below[i] < 0 ? NULL : &forest->nodes[below[i]];
        bool is_split = node && node->feature >= 0;

        nodes[i] = is_split ? below[i] : -1;
        below[2 * i] = is_split ? node->left : below[i];
        below[2 * i + 1] = is_split ? node->right : -1;
    }
    for (int i = 0; i < BLOCK_LEAF_COUNT_MAX; i++)
        leaves[i] = i < 1 << levels ? below[(1 << levels) + i] : -1;
}

int tree_sweep(const struct forest *forest, int tree, struct sweep *nodes,
               int32_t *leaves)
{
    struct sweep waiting[BLOCK_LEAF_COUNT_MAX];
    int32_t at = forest->roots[tree];
    int depth = 0, leaf = 0;

    for (int i = 0; i < BLOCK_LEAF_COUNT_MAX; i++)
        leaves[i] = -1;
    for (;;) {
        for (; forest->nodes[at].feature >= 0; at = forest->nodes[at].left)
            waiting[depth++] = (struct sweep){at, leaf};
        leaves[leaf] = at;
        if (depth == 0)
            return leaf;
        nodes[leaf] = waiting[--depth];
        at = forest->nodes[nodes[leaf].node].right;
        leaf++;
    }
}
