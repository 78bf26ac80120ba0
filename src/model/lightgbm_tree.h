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
    LINE_LEAF_CONSTANT,
    LINE_TERM_COUNT,
    LINE_TERM_FEATURE,
    LINE_TERM_COEFFICIENT,
    LINE_COUNT
};

/* What the file calls each of them. */
extern const char *const lightgbm_line_names[LINE_COUNT];

/* The parsed arrays are reused from tree to tree. */
struct lightgbm_tree {
    struct text lines[LINE_COUNT]; /* values, borrowed; at is NULL where missing */
    /* private to the readers of trees */
    bool is_linear;
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

/* Read a line of exactly count numbers into ints or doubles. */
enum status lightgbm_line_read(struct lightgbm_tree *tree, enum lightgbm_line line,
                               bool is_double, size_t count, struct err *err);

/* The lines of a tree with linear leaves; then one leaf of it, *line its index. */
enum status lightgbm_linear_read(struct lightgbm_tree *tree, int64_t leaf_count,
                                 struct err *err);
enum status lightgbm_linear_add(const struct lightgbm_tree *tree, int64_t leaf,
                                struct forest_builder *builder, int32_t *line,
                                struct err *err);

#endif
