/* catboost_tree.h - one oblivious tree of CatBoost, and the nodes it becomes.
 *
 * It has one split per level, the same for all nodes there; bit i of a leaf's index says
 * on which side of split i a row is: 1, right, when float32(x) > border. */
#ifndef REDRESS_MODEL_CATBOOST_TREE_H
#define REDRESS_MODEL_CATBOOST_TREE_H

#include "model/forest_build.h"

enum { CATBOOST_DEPTH_MAX = 16 };

struct catboost_split {
    int32_t feature; /* of the numeric ones, as the file counts them */
    float border;
};

/* Reused from tree to tree. */
struct catboost_tree {
    struct catboost_split splits[CATBOOST_DEPTH_MAX];
    int split_count;
    double *values; /* (leaf, output) */
    size_t value_count, value_capacity;
};

void catboost_tree_free(struct catboost_tree *tree);

bool catboost_value_push(struct catboost_tree *tree, double value);

/* Add the tree to the forest; the first one settles group_count and form, the others must
 * have as many outputs. Features and where NaN goes are settled later. */
enum status catboost_tree_add(const struct catboost_tree *tree,
                              struct forest_builder *builder, struct err *err);

#endif
