/* xgboost_tree.h - one tree as XGBoost saves it, an array per property, and the checks
 * that turn it into nodes. Knows nothing of how the arrays were encoded. */
#ifndef REDRESS_MODEL_XGBOOST_TREE_H
#define REDRESS_MODEL_XGBOOST_TREE_H

#include "model/forest_build.h"

enum { XGBOOST_CATEGORY_COUNT_MAX = 4 << 20 }; /* listed by one tree */

/* An array as it was read. */
struct int_column {
    int32_t *items;
    size_t count, capacity;
};
struct float_column {
    float *items;
    size_t count, capacity;
};

enum xgboost_column {
    COLUMN_LEFT,
    COLUMN_RIGHT,
    COLUMN_FEATURE,
    COLUMN_DEFAULT_LEFT,
    COLUMN_SPLIT_TYPE,
    COLUMN_CATEGORIES,
    COLUMN_CATEGORY_NODES,
    COLUMN_CATEGORY_SEGMENTS,
    COLUMN_CATEGORY_SIZES,
    COLUMN_COUNT
};

/* What the file calls each of them. */
extern const char *const xgboost_column_names[COLUMN_COUNT];

/* Reused from tree to tree. */
struct xgboost_tree {
    struct int_column columns[COLUMN_COUNT];
    struct float_column condition;    /* of a leaf: its value */
    struct float_column cover;        /* sum_hessian, which may be missing */
    unsigned columns_present;         /* bit per column */
    struct float_column node_weights; /* of some vector leaves: (node, group) */
    struct float_column leaf_weights; /* of some vector leaves: (row, group) */
    bool has_condition, has_cover, has_node_weights, has_leaf_weights;
    int64_t node_count;       /* as the file says; -1: it does not */
    int64_t leaf_vector_size; /* numbers per leaf, 0 and 1 mean one */
    /* private */
    int32_t *set_of_node;
    unsigned char *is_met;
    struct walk_step *steps;
    size_t set_capacity, met_capacity, step_capacity;
};

void xgboost_tree_reset(struct xgboost_tree *tree);
void xgboost_tree_free(struct xgboost_tree *tree);

bool int_column_grow(
    struct int_column *column); /* when it is full: room for one more, or several */
bool int_column_push(struct int_column *column, int32_t value);
bool float_column_push(struct float_column *column, float value);

/* Check the tree and add what its root reaches to the forest. Features are only checked
 * against the limit of forest.h: how many there are may be said later in a file. Messages
 * name the array and the item, e.g. "left_children[4]: 93 of 31 nodes". */
enum status xgboost_tree_add(struct xgboost_tree *tree, struct forest_builder *builder,
                             struct err *err);

#endif
