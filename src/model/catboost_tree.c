/* catboost_tree.c - oblivious trees as ordinary nodes. */
#include "model/catboost_tree.h"

#include <math.h>
#include <stdlib.h>

void catboost_tree_free(struct catboost_tree *tree)
{
    free(tree->values);
}

bool catboost_value_push(struct catboost_tree *tree, double value)
{
    if (!array_reserve((void **)&tree->values, &tree->value_capacity,
                       tree->value_count + 1, sizeof value))
        return false;
    tree->values[tree->value_count++] = value;
    return true;
}

static enum status check_values(const struct catboost_tree *tree, struct forest *forest,
                                struct err *err)
{
    size_t leaf_count = (size_t)1 << tree->split_count;
    size_t outputs = tree->value_count / leaf_count;

    if (outputs == 0 || tree->value_count % leaf_count != 0 ||
        outputs > FOREST_GROUP_COUNT_MAX)
        return err_set(err, STATUS_INVALID, "leaf_values: has %zu entries for %zu leaves",
                       tree->value_count, leaf_count);
    if (forest->tree_count == 0)
        forest->group_count = (int)outputs;
    if (forest->group_count != (int)outputs)
        return err_set(err, STATUS_INVALID,
                       "leaf_values: %zu outputs, the first tree has %d", outputs,
                       forest->group_count);
    if (outputs > 1)
        forest->form = FOREST_OF_VECTORS;
    return STATUS_OK;
}

/* The node that decides bit height - 1. Below it on the left are 2^height - 1 nodes. */
static enum status add_split(const struct catboost_tree *tree, int height,
                             struct forest_builder *builder, struct err *err)
{
    const struct catboost_split *split = &tree->splits[height - 1];
    int32_t place = -1;
    enum status rc = forest_builder_node(builder, &place, err);

    if (!rc)
        builder->forest->nodes[place] = (struct forest_node){
            .feature = split->feature,
            .threshold = nextafterf(split->border, INFINITY), /* x <= border is x < it */
            .left = place + 1,
            .right = place + (1 << height),
            .missing = MISSING_IS_NAN,
            .values = -1,
        };
    return rc;
}

static enum status add_leaf(const struct catboost_tree *tree, int32_t index,
                            struct forest_builder *builder, struct err *err)
{
    size_t size = (size_t)builder->forest->group_count;
    struct forest_node leaf = {.feature = -1, .id = index, .values = -1};
    int32_t place = -1;
    enum status rc = forest_builder_node(builder, &place, err);

    if (!rc && size == 1)
        leaf.threshold = tree->values[index];
    else if (!rc)
        rc = forest_builder_values(builder, size, &leaf.values, err);
    if (rc)
        return rc;
    if (size > 1)
        memcpy(builder->forest->leaf_values + leaf.values,
               tree->values + (size_t)index * size, size * sizeof *tree->values);
    builder->forest->nodes[place] = leaf;
    return STATUS_OK;
}

enum status catboost_tree_add(const struct catboost_tree *tree,
                              struct forest_builder *builder, struct err *err)
{
    enum status rc = check_values(tree, builder->forest, err);

    if (!rc)
        rc = forest_builder_tree(builder, err);
    /* The root decides the highest bit: a walk, left first, meets the leaves in order,
     * and before each of them the nodes of the bits that its index has just turned
     * over. */
    for (int32_t leaf = 0; leaf < 1 << tree->split_count && !rc; leaf++) {
        int height = leaf ? __builtin_ctz((unsigned)leaf) : tree->split_count;

        for (; height > 0 && !rc; height--)
            rc = add_split(tree, height, builder, err);
        if (!rc)
            rc = add_leaf(tree, leaf, builder, err);
    }
    return rc;
}
