/* forest.h - a forest of decision trees as read from a model file, and the rules it
 * follows.
 *
 * One form for XGBoost, LightGBM and CatBoost, as plain and close to the files as
 * possible: engines compile it into something faster. What few models have and what does
 * not pay to compile is marked with needs_evaluator: an engine must leave such a forest
 * to the plain evaluator (infer/evaluate.h), and need not know more of it. Immutable
 * after loading; any number of threads may read it. */
#ifndef REDRESS_MODEL_FOREST_H
#define REDRESS_MODEL_FOREST_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FOREST_FEATURE_COUNT_MAX = 65536,
    FOREST_NAME_BYTES_MAX = 16 << 20, /* of all features */
    FOREST_TREE_COUNT_MAX = 100000,
    FOREST_NODE_COUNT_MAX = 2500000, /* over all trees: about 100 MB */
    FOREST_GROUP_COUNT_MAX = 4096,
    FOREST_CATEGORY_WORD_COUNT_MAX = 4 << 20, /* over all trees: 16 MB of bit sets */
    FOREST_VALUE_COUNT_MAX = 4 << 20,         /* of vector leaves over all trees: 32 MB */
    FOREST_TERM_COUNT_MAX = 2 << 20,          /* of linear leaves over all trees: 32 MB */
    MODEL_BYTES_MAX = 64 << 20,               /* of a model file */
};

/* How a split compares.
 * XGBOOST: x and threshold are float32, left iff x < threshold, the sum is float32 in
 * tree order. LIGHTGBM: doubles, left iff x <= threshold, |x| <= 1e-35f is 0 first.
 * CATBOOST: splits as XGBOOST (a threshold is the next float after the file's border, so
 * that x < threshold is x <= border), the sum is double, times sum_scale, plus the
 * base. */
enum forest_dialect { FOREST_XGBOOST, FOREST_LIGHTGBM, FOREST_CATBOOST };

/* What the trees give. */
enum forest_form {
    FOREST_OF_NUMBERS,  /* a leaf has one number, for the tree's group */
    FOREST_OF_VECTORS,  /* a leaf has a number for every group */
    FOREST_OF_LINES,    /* a leaf has a linear function of the features, or one number */
    FOREST_OF_NO_TREES, /* only weights: XGBoost's gblinear */
};

enum missing_rule {
    MISSING_IS_NAN,  /* NaN goes by default */
    MISSING_IS_ZERO, /* NaN and 0 go by default (LightGBM) */
    MISSING_NONE,    /* NaN is 0.0 and compares (LightGBM) */
};

/* What turns the raw sum (margin) into a prediction. */
enum link {
    LINK_IDENTITY,
    LINK_SIGMOID, /* 1 / (1 + exp(-slope x)) */
    LINK_EXP,
    LINK_SOFTMAX,
    LINK_ARGMAX,    /* one column: the largest group */
    LINK_STEP,      /* raw > 0 (XGBoost binary:hinge) */
    LINK_SQUARE,    /* sign(x) x^2 (LightGBM regression sqrt) */
    LINK_LOG1P_EXP, /* log(1 + exp(x)) (LightGBM cross_entropy_lambda) */
    LINK_SORT,      /* ascending over groups (XGBoost reg:quantileerror) */
};
extern const char *const link_names[]; /* as our own files and answers call them */

struct forest_node {
    double threshold; /* inner: split point, in LightGBM also +-inf; leaf: its value */
    int32_t feature;  /* -1: a leaf */
    int32_t left;     /* of the same array, absolute */
    int32_t right;
    int32_t id;        /* what the library calls it: XGBoost node, LightGBM leaf index */
    uint32_t category; /* first bit word in category_words, for categorical splits */
    uint32_t category_word_count;
    bool is_categorical;
    bool goes_left_by_default;
    uint8_t missing; /* enum missing_rule */
    int32_t values;  /* leaf: of VECTORS its first number in leaf_values, of LINES its
                        index in lines, -1: only the number in threshold */
};

/* constant + sum of coefficient x feature; the number in the leaf's threshold when one of
 * these features is missing. */
struct forest_line {
    double constant;
    uint32_t first_term, term_count;
};

struct forest_term {
    double coefficient;
    int32_t feature;
};

struct forest {
    enum forest_dialect dialect;
    enum forest_form form;
    /* for infer/evaluate.h only: any form but NUMBERS, and CATBOOST; no engine may
     * compile it */
    bool needs_evaluator;
    char library[24];   /* "xgboost-1.7.4", "lightgbm-v4", for people */
    char objective[48]; /* as the file names it */
    enum link link;
    double link_slope;
    /* predictions, not raw scores, are divided by the number of rounds */
    bool is_average;
    int feature_count;
    int group_count; /* outputs */
    int tree_count;
    int trees_per_round; /* iterations are counted in rounds of so many trees */
    int best_round;      /* where training would have stopped early; -1: the file does not
                            say. Advice: all trees count */
    int node_count;
    char **feature_names; /* feature_count of them, or NULL */
    double *base_margin;  /* (group); already in margin space */
    int32_t *roots;       /* (tree): index of the root node; rising, the nodes of a tree
                             stand together in the order of a walk, parents first */
    int32_t *tree_groups; /* (tree) */
    float *tree_weights;  /* (tree), dart; or NULL */
    double sum_scale;     /* CATBOOST; else 1 */
    struct forest_node *nodes;
    double *covers; /* (node): the training data that came by, >= 0, for explanations; or
                       NULL where the file does not say */
    uint32_t *category_words;
    uint32_t category_word_count;
    double *leaf_values;       /* VECTORS: (leaf, group) */
    struct forest_line *lines; /* LINES */
    struct forest_term *terms; /* LINES */
    float *weights;            /* NO_TREES: (feature, group), the last row is the bias */
};

/* Read XGBoost's JSON or UBJ, refuse what is not sound or not supported, and say where.
 * The caller frees *forest with forest_free. */
enum status forest_read_xgboost(const char *text, size_t bytes, struct forest **forest,
                                struct err *err);

/* The same for LightGBM's text. */
enum status forest_read_lightgbm(const char *text, size_t bytes, struct forest **forest,
                                 struct err *err);

/* The same for CatBoost's JSON with numeric splits. */
enum status forest_read_catboost(const char *text, size_t bytes, struct forest **forest,
                                 struct err *err);

void forest_free(struct forest *forest); /* NULL is fine */

#endif
