/* lightgbm_tree.h - one block "Tree=i" of a LightGBM file: its lines, and the checks that
 * turn them into nodes. */
#ifndef REDRESS_MODEL_LIGHTGBM_TREE_H
#define REDRESS_MODEL_LIGHTGBM_TREE_H

#include "model/forest_build.h"

enum lightgbm_line {
    LINE_LEAF_COUNT,
    LINE_CATEGORY_SET_COUNT,
    LINE_FEATURE,
    LINE_THRESHOLD,
    LINE_DECISION_TYPE,
    LINE_LEFT,
    LINE_RIGHT,
    LINE_LEAF_VALUE,
    LINE_LEAF_COVER,
    LINE_SPLIT_COVER,
    LINE_CATEGORY_BOUNDARIES,
    LINE_CATEGORY_WORDS,
    LINE_IS_LINEAR,
    LINE_COUNT
};

/* What the file calls each of them. */
extern const char *const lightgbm_line_names[LINE_COUNT];

/* The parsed arrays are reused from tree to tree. */
struct lightgbm_tree {
    struct text lines[LINE_COUNT]; /* values, borrowed; at is NULL where missing */
    /* private */
    int64_t *ints[LINE_COUNT];
    double *doubles[LINE_COUNT];
    size_t counts[LINE_COUNT], capacities[LINE_COUNT];
    unsigned char *is_met;
    struct lightgbm_step *steps;
    size_t met_capacity, step_capacity;
};

void lightgbm_tree_free(struct lightgbm_tree *tree);

/* Check the lines and add the tree to the forest, whose feature_count is known. Messages
 * name the line and the item, e.g. "left_child[4]: 93 of 30 nodes". */
enum status lightgbm_tree_add(struct lightgbm_tree *tree, struct forest_builder *builder,
                              struct err *err);

#endif
