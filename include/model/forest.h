/* forest.h - a forest of decision trees as read from a model file, and the rules it
 * follows.
 *
 * One form for XGBoost and LightGBM, as plain and close to the files as possible: engines
 * compile it into something faster. Immutable after loading; any number of threads may
 * read it. */
#ifndef REDRESS_MODEL_FOREST_H
#define REDRESS_MODEL_FOREST_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FOREST_FEATURE_COUNT_MAX = 65536,
    FOREST_TREE_COUNT_MAX = 100000,
    FOREST_NODE_COUNT_MAX = 2500000, /* over all trees: about 100 MB */
    FOREST_GROUP_COUNT_MAX = 4096,
    FOREST_CATEGORY_WORD_COUNT_MAX = 4 << 20, /* over all trees: 16 MB of bit sets */
    MODEL_BYTES_MAX = 256 << 20,              /* of a model file */
};

/* How a split compares.
 * XGBOOST: x and threshold are float32, left iff x < threshold, the sum is float32 in
 * tree order. LIGHTGBM: doubles, left iff x <= threshold, |x| <= 1e-35f is 0 first. */
enum forest_dialect { FOREST_XGBOOST, FOREST_LIGHTGBM };

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
};

struct forest {
    enum forest_dialect dialect;
    char library[24];   /* "xgboost-1.7.4", "lightgbm-v4", for people */
    char objective[48]; /* as the file names it */
    enum link link;
    double link_slope;
    bool
        is_average; /* predictions, not raw scores, are divided by the number of rounds */
    int feature_count;
    int group_count; /* outputs */
    int tree_count;
    int trees_per_round; /* iterations are counted in rounds of so many trees */
    int node_count;
    char **feature_names; /* feature_count of them, or NULL */
    double *base_margin;  /* (group); already in margin space */
    int32_t *roots;       /* (tree): index of the root node; rising, the nodes of a tree
                             stand together in the order of a walk, parents first */
    int32_t *tree_groups; /* (tree) */
    float *tree_weights;  /* (tree), dart; or NULL */
    struct forest_node *nodes;
    double *covers; /* (node): the training data that came by, >= 0, for explanations; or
                       NULL where the file does not say */
    uint32_t *category_words;
    uint32_t category_word_count;
};

/* Read XGBoost's JSON, refuse what is not sound or not supported, and say where.
 * The caller frees *forest with forest_free. */
enum status forest_read_xgboost(const char *text, size_t bytes, struct forest **forest,
                                struct err *err);

/* The same for LightGBM's text. */
enum status forest_read_lightgbm(const char *text, size_t bytes, struct forest **forest,
                                 struct err *err);

void forest_free(struct forest *forest); /* NULL is fine */

#endif
