/* kernel_row_walk.c - trees of any shape, walked node by node in portable C: eight of
 * them abreast, so that the latency of a step is hidden, with no branch that depends on
 * the row.
 *
 * The two children of a node stand side by side; a leaf leads to itself, so that trees
 * may wait for each other. */
#include "infer/kernel.h"

#include <string.h>

enum { LANE_COUNT = 8 };

struct step {
    uint16_t slot;
    uint8_t rank;
    uint32_t left; /* and right is left + 1 */
};

/* The compiled form begins with this; positions are bytes from its beginning. */
struct walk {
    bool is_float;
    int32_t
        tree_count;    /* in whole groups of lanes: those over walk the last tree again */
    int32_t sum_count; /* trees that are added */
    int32_t group_count;
    size_t roots; /* uint32_t (tree) */
    /* uint32_t (group of lanes): steps until all its trees are at a leaf */
    size_t depths;
    size_t groups;  /* int32_t (tree) */
    size_t margins; /* double (group) */
    size_t steps;   /* struct step (node) */
    size_t leaves;  /* float or double (node): set for leaves */
    size_t bytes;
};

static size_t after(size_t position, size_t count, size_t item_bytes)
{
    return kernel_aligned(position + count * item_bytes);
}

static struct walk layout(const struct kernel_forest *source)
{
    const struct forest *forest = source->forest;
    size_t lanes =
        ((size_t)forest->tree_count + LANE_COUNT - 1) / LANE_COUNT * LANE_COUNT;
    size_t nodes = (size_t)forest->node_count;
    struct walk walk = {
        .is_float = forest->dialect == FOREST_XGBOOST,
        .tree_count = (int32_t)lanes,
        .sum_count = forest->tree_count,
        .group_count = forest->group_count,
    };

    walk.roots = after(0, 1, sizeof walk);
    walk.depths = after(walk.roots, lanes, sizeof(uint32_t));
    walk.groups = after(walk.depths, lanes / LANE_COUNT, sizeof(uint32_t));
    walk.margins = after(walk.groups, lanes, sizeof(int32_t));
    walk.steps = after(walk.margins, (size_t)forest->group_count, sizeof(double));
    walk.leaves = after(walk.steps, nodes, sizeof(struct step));
    walk.bytes =
        after(walk.leaves, nodes, walk.is_float ? sizeof(float) : sizeof(double));
    return walk;
}

static size_t walk_measure(const struct kernel_forest *source)
{
    return layout(source).bytes;
}

/* Level by level from steps[first]: a step's left holds the node it stands for until its
 * turn comes. */
static void lay_tree(const struct kernel_forest *source, int tree, uint32_t first,
                     const struct walk *walk, char *compiled)
{
    const struct forest *forest = source->forest;
    struct step *steps = (struct step *)(compiled + walk->steps);
    uint32_t end = first + 1;

    steps[first].left = (uint32_t)forest->roots[tree];
    for (uint32_t at = first; at < end; at++) {
        uint32_t index = steps[at].left;
        const struct forest_node *node = &forest->nodes[index];
        double value;

        if (node->feature >= 0) {
            steps[at] = (struct step){source->splits[index].slot,
                                      source->splits[index].rank, end};
            steps[end++].left = (uint32_t)node->left;
            steps[end++].left = (uint32_t)node->right;
            continue;
        }
        steps[at] = (struct step){0, RANK_ALWAYS_LEFT, at};
        value = leaf_value(forest, tree, node);
        if (walk->is_float)
            ((float *)(compiled + walk->leaves))[at] = (float)value;
        else
            ((double *)(compiled + walk->leaves))[at] = value;
    }
}

static void walk_compile(const struct kernel_forest *source, void *compiled)
{
    const struct forest *forest = source->forest;
    struct walk walk = layout(source);
    char *base = compiled;
    uint32_t *roots = (uint32_t *)(base + walk.roots);
    uint32_t *depths = (uint32_t *)(base + walk.depths);
    int32_t *groups = (int32_t *)(base + walk.groups);
    double *margins = (double *)(base + walk.margins);

    memcpy(compiled, &walk, sizeof walk);
    for (int g = 0; g < forest->group_count; g++)
        margins[g] = margin_of(forest, g);
    for (int t = 0; t < walk.tree_count; t++) {
        int tree = t < forest->tree_count ? t : forest->tree_count - 1;
        uint32_t depth = (uint32_t)source->tree_depths[tree];

        roots[t] = (uint32_t)forest->roots[tree];
        groups[t] = forest->tree_groups[tree];
        if (depth > depths[t / LANE_COUNT])
            depths[t / LANE_COUNT] = depth;
        if (t < forest->tree_count)
            lay_tree(source, tree, roots[t], &walk, base);
    }
}

/* A step, taken from eight trees at once. The positions are named one by one, so that
 * they stay in registers. */
#define STEP(lane)                                                                       \
    step = steps[at_##lane];                                                             \
    at_##lane = step.left + (codes[step.slot] > step.rank);

/* Eight trees from their roots to their leaves. */
static inline void walk_lanes(const struct walk *walk, int lanes, const uint8_t *codes,
                              uint32_t at[LANE_COUNT])
{
    const char *base = (const char *)walk;
    const struct step *steps = (const struct step *)(base + walk->steps);
    const uint32_t *roots =
        (const uint32_t *)(base + walk->roots) + (size_t)lanes * LANE_COUNT;
    uint32_t depth = ((const uint32_t *)(base + walk->depths))[lanes];
    uint32_t at_0 = roots[0], at_1 = roots[1], at_2 = roots[2], at_3 = roots[3];
    uint32_t at_4 = roots[4], at_5 = roots[5], at_6 = roots[6], at_7 = roots[7];
    struct step step;

    for (; depth > 0; depth--) {
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
        STEP(4)
        STEP(5)
        STEP(6)
        STEP(7)
    }
    at[0] = at_0, at[1] = at_1, at[2] = at_2, at[3] = at_3;
    at[4] = at_4, at[5] = at_5, at[6] = at_6, at[7] = at_7;
}

static void add_floats(const struct walk *walk, const uint8_t *codes, double *raw)
{
    const char *base = (const char *)walk;
    const float *leaves = (const float *)(base + walk->leaves);
    const int32_t *groups = (const int32_t *)(base + walk->groups);
    uint32_t at[LANE_COUNT];

    for (int first = 0; first < walk->sum_count; first += LANE_COUNT) {
        int end =
            walk->sum_count - first < LANE_COUNT ? walk->sum_count - first : LANE_COUNT;

        walk_lanes(walk, first / LANE_COUNT, codes, at);
        for (int lane = 0; lane < end; lane++) {
            double *sum = &raw[groups[first + lane]];

            *sum = (float)*sum + leaves[at[lane]];
        }
    }
}

static void add_doubles(const struct walk *walk, const uint8_t *codes, double *raw)
{
    const char *base = (const char *)walk;
    const double *leaves = (const double *)(base + walk->leaves);
    const int32_t *groups = (const int32_t *)(base + walk->groups);
    uint32_t at[LANE_COUNT];

    for (int first = 0; first < walk->sum_count; first += LANE_COUNT) {
        int end =
            walk->sum_count - first < LANE_COUNT ? walk->sum_count - first : LANE_COUNT;

        walk_lanes(walk, first / LANE_COUNT, codes, at);
        for (int lane = 0; lane < end; lane++)
            raw[groups[first + lane]] += leaves[at[lane]];
    }
}

static void walk_row(const void *compiled, const uint8_t *codes, double *raw)
{
    const struct walk *walk = compiled;

    memcpy(raw, (const char *)compiled + walk->margins,
           (size_t)walk->group_count * sizeof *raw);
    if (walk->is_float)
        add_floats(walk, codes, raw);
    else
        add_doubles(walk, codes, raw);
}

const struct kernel kernel_walk = {
    .name = "walk",
    .isa = ISA_PORTABLE,
    .measure = walk_measure,
    .compile = walk_compile,
    .row = walk_row,
};
