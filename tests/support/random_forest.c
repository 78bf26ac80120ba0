/* random_forest.c - trees grown by chance. */
#include "support/random_forest.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CATEGORY_WORD_COUNT_MAX = 4, WORD_BITS = 32 };

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);

    if (!memory)
        abort();
    return memory;
}

void rng_seed_printed(struct rng *rng)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(rng, seed);
}

struct forest_shape forest_shape_random(struct rng *rng)
{
    static const int features[] = {1, 5, 28, 70, 150};
    static const int grids[] = {0, 2, 9, 100, 400};
    struct forest_shape shape = {
        .dialect = rng_below(rng, 2) ? FOREST_XGBOOST : FOREST_LIGHTGBM,
        .feature_count = features[rng_below(rng, 5)],
        .tree_count = 1 + (int)rng_below(rng, 150),
        .group_count = rng_below(rng, 4) ? 1 : 1 + (int)rng_below(rng, 4),
        .depth_max = (int)rng_below(rng, 13),
        .grid = grids[rng_below(rng, 5)],
        .category_permille = rng_below(rng, 4) ? 0 : 100,
        .is_full = rng_below(rng, 3) == 0,
        .is_one_way = rng_below(rng, 2),
    };

    if (rng_below(rng, 2))
        shape.leaf_count_max = 1 + (int)rng_below(rng, 70);
    if (shape.depth_max > 8)
        shape.is_full = false;
    shape.has_weights = shape.dialect == FOREST_XGBOOST && rng_below(rng, 4) == 0;
    return shape;
}

/* A point of the grid, or anything. */
static double point(struct rng *rng, const struct forest_shape *shape)
{
    static const double special[] = {
        0,       -0.0,     1e-36,  -1e-36, (double)1e-35f,  1e-34,   -1e-34,
        DBL_MAX, -DBL_MAX, 5e-324, 1e-45,  -(double)1e-35f, FLT_MAX, -FLT_MAX};

    if (rng_below(rng, 40) == 0)
        return special[rng_below(rng, sizeof special / sizeof special[0])];
    if (shape->grid == 0)
        return rng_normal(rng);
    return 2.0 * (double)rng_below(rng, (uint64_t)shape->grid) / shape->grid - 1;
}

static double threshold_random(struct rng *rng, const struct forest_shape *shape)
{
    double threshold = point(rng, shape);

    if (shape->dialect == FOREST_XGBOOST)
        return isinf((float)threshold) ? 1 : (float)threshold;
    if (rng_below(rng, 100) == 0)
        return rng_below(rng, 2) ? INFINITY : -INFINITY;
    return threshold;
}

static void make_categorical(struct rng *rng, struct forest *forest,
                             struct forest_node *node)
{
    node->is_categorical = true;
    node->category = forest->category_word_count;
    node->category_word_count = 1 + (uint32_t)rng_below(rng, CATEGORY_WORD_COUNT_MAX);
    for (uint32_t i = 0; i < node->category_word_count; i++)
        forest->category_words[forest->category_word_count++] = (uint32_t)rng_next(rng);
}

static struct forest_node split_random(struct rng *rng, struct forest *forest,
                                       const struct forest_shape *shape)
{
    struct forest_node node = {
        .feature = (int32_t)rng_below(rng, (uint64_t)shape->feature_count),
        .threshold = threshold_random(rng, shape),
        .goes_left_by_default = rng_below(rng, 2),
    };

    if (shape->dialect == FOREST_LIGHTGBM)
        node.missing = (uint8_t)rng_below(rng, 3);
    if (shape->is_one_way) {
        node.goes_left_by_default = node.feature & 1;
        if (shape->dialect == FOREST_LIGHTGBM)
            node.missing = (uint8_t)(node.feature % 3);
    }
    if ((int)rng_below(rng, 1000) < shape->category_permille)
        make_categorical(rng, forest, &node);
    return node;
}

/* Room for every node that can come up. */
static size_t node_count_max(const struct forest_shape *shape)
{
    size_t per_tree = shape->leaf_count_max ? 2 * (size_t)shape->leaf_count_max - 1
                                            : (2u << shape->depth_max) - 1;

    return per_tree * (size_t)(shape->tree_count + shape->group_count);
}

/* A subtree of at most so many leaves; returns its root. */
static int32_t grow(struct rng *rng, struct forest *forest,
                    const struct forest_shape *shape, int depth, int leaf_count_max,
                    int32_t *leaf_id)
{
    int32_t index = forest->node_count++;
    struct forest_node node = {.feature = -1};

    if (depth == 0 || leaf_count_max == 1 ||
        (!shape->is_full && rng_below(rng, 6) == 0)) {
        node.id = (*leaf_id)++;
        node.threshold = shape->leaves_are_ids ? node.id : (float)rng_normal(rng);
        if (shape->dialect == FOREST_LIGHTGBM && !shape->leaves_are_ids)
            node.threshold = rng_normal(rng);
    } else {
        int left_leaves =
            leaf_count_max ? 1 + (int)rng_below(rng, (uint64_t)leaf_count_max - 1) : 0;

        node = split_random(rng, forest, shape);
        node.left = grow(rng, forest, shape, depth - 1, left_leaves, leaf_id);
        node.right = grow(rng, forest, shape, depth - 1,
                          leaf_count_max ? leaf_count_max - left_leaves : 0, leaf_id);
    }
    forest->nodes[index] = node;
    return index;
}

struct forest *forest_random(struct rng *rng, const struct forest_shape *shape)
{
    struct forest *forest = allocate(1, sizeof *forest);
    int rounds = (shape->tree_count + shape->group_count - 1) / shape->group_count;
    size_t tree_count = (size_t)rounds * (size_t)shape->group_count;

    forest->dialect = shape->dialect;
    forest->link_slope = 1;
    forest->feature_count = shape->feature_count;
    forest->group_count = shape->group_count;
    forest->trees_per_round = shape->group_count;
    forest->tree_count = (int)tree_count;
    forest->roots = allocate(tree_count, sizeof *forest->roots);
    forest->tree_groups = allocate(tree_count, sizeof *forest->tree_groups);
    forest->base_margin = allocate((size_t)shape->group_count, sizeof(double));
    forest->nodes = allocate(node_count_max(shape), sizeof *forest->nodes);
    forest->category_words = allocate(
        shape->category_permille ? node_count_max(shape) * CATEGORY_WORD_COUNT_MAX : 0,
        sizeof(uint32_t));
    if (shape->has_weights)
        forest->tree_weights = allocate(tree_count, sizeof(float));
    for (size_t t = 0; t < tree_count; t++) {
        int32_t leaf_id = 0;

        forest->roots[t] =
            grow(rng, forest, shape, shape->depth_max, shape->leaf_count_max, &leaf_id);
        forest->tree_groups[t] = (int32_t)(t % (size_t)shape->group_count);
        if (shape->has_weights)
            forest->tree_weights[t] = (float)rng_uniform(rng);
    }
    for (int g = 0; g < shape->group_count && !shape->leaves_are_ids; g++)
        forest->base_margin[g] = (float)rng_normal(rng);
    return forest;
}

static double value_random(struct rng *rng, const struct forest *forest)
{
    static const double special[] = {
        0,       -0.0,      1e-36,  -1e-36, (double)1e-35f,  1e-34, -1e-46, INFINITY,
        DBL_MAX, -INFINITY, 5e-324, 1e-46,  -(double)1e-35f, 2.5,   -0.5};
    const struct forest_node *node =
        &forest->nodes[rng_below(rng, (uint64_t)forest->node_count)];
    double step = rng_below(rng, 2) ? INFINITY : -INFINITY;

    switch (rng_below(rng, 12)) {
    case 0:
        return NAN;
    case 1:
        return special[rng_below(rng, sizeof special / sizeof special[0])];
    case 2:
        return (double)rng_below(rng, 140);
    case 3:
    case 4:
        return rng_normal(rng);
    case 5:
        return nextafterf((float)node->threshold, (float)step);
    case 6:
        return nextafter(node->threshold, step);
    case 7: /* where rounding to float decides */
        return (node->threshold + nextafterf((float)node->threshold, (float)step)) / 2;
    default:
        return node->threshold;
    }
}

void row_random(struct rng *rng, const struct forest *forest, double *row)
{
    for (int i = 0; i < forest->feature_count; i++)
        row[i] = value_random(rng, forest);
}
