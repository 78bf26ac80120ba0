/* random_forest.h - forests of any shape, with splits and values that lie on each other,
 * one step beside, at zero and at the ends of the number line. */
#ifndef REDRESS_TESTS_RANDOM_FOREST_H
#define REDRESS_TESTS_RANDOM_FOREST_H

#include "base/rng.h"
#include "model/forest.h"

#include <stdbool.h>

struct forest_shape {
    enum forest_dialect dialect;
    int feature_count;
    int tree_count; /* rounded up to whole rounds */
    int group_count;
    int depth_max;
    int leaf_count_max; /* of a tree; 0: as many as the depth allows */
    int grid; /* thresholds are so many points in [-1, 1] and their neighbours; 0: any
                            number */
    int category_permille; /* of splits */
    bool is_full;          /* no leaf above depth_max */
    bool has_weights;      /* dart; XGBoost only */
    bool is_one_way;       /* all missing values of a feature go the same way */
    bool leaves_are_ids;   /* a leaf's value is its id */
};

/* A shape drawn from all that the readers let through. */
struct forest_shape forest_shape_random(struct rng *rng);

/* The caller frees it with forest_free. Fails the test when memory is out. */
struct forest *forest_random(struct rng *rng, const struct forest_shape *shape);

/* A row for it (feature): often a threshold of the forest or the number beside it,
 * sometimes NaN, a zero of some kind, an infinity or a category. */
void row_random(struct rng *rng, const struct forest *forest, double *row);

/* A seed from the environment variable SEED, else from the clock; printed. */
void rng_seed_printed(struct rng *rng);

#endif
