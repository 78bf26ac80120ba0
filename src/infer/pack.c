#include "infer/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANE_COUNT = 8, /* trees walked abreast: enough to hide the latency of a step */
    PACK_FEATURE_COUNT_MAX = 1024, /* of a row's copy on the stack */
    FEATURE_MASK = (1 << 24) - 1,
    LEFT_BY_DEFAULT = 1 << 24,
    ZERO_IS_MISSING = 1 << 25,
};

/* Left iff x < threshold. A leaf leads to itself, so that lanes may wait for each other. */
struct step {
    double threshold; /* of a leaf: its value */
    uint32_t feature; /* and flags */
    uint32_t left, right;
};

struct pack {
    const struct forest *forest;
    uint32_t *roots; /* (tree), padded to whole groups of lanes */
    uint8_t *depths; /* (group of lanes): steps until all its trees are at a leaf */
    struct step *steps;
};

/* ---- packing ---- */

static struct step step_of(const struct forest *forest, int index)
{
    const struct forest_node *node = &forest->nodes[index];
    bool is_lightgbm = forest->dialect == FOREST_LIGHTGBM;
    struct step step = {.threshold = node->threshold};
    bool goes_left = node->goes_left_by_default;

    if (node->feature < 0) {
        step.left = step.right = (uint32_t)index;
        return step;
    }
    /* x <= t is x < the next double after t. */
    if (is_lightgbm)
        step.threshold = nextafter(node->threshold, INFINITY);
    /* Where NaN counts as 0, it goes where 0 goes. */
    if (is_lightgbm && node->missing == MISSING_NONE)
        goes_left = 0 < step.threshold;
    step.feature = (uint32_t)node->feature;
    if (goes_left)
        step.feature |= LEFT_BY_DEFAULT;
    if (is_lightgbm && node->missing == MISSING_IS_ZERO)
        step.feature |= ZERO_IS_MISSING;
    step.left = (uint32_t)node->left;
    step.right = (uint32_t)node->right;
    return step;
}

/* Levels below a node, at most depth_max + 1: recursion ends there, however deep the tree. */
static int depth_below(const struct forest *forest, int index, int depth_max)
{
    const struct forest_node *node = &forest->nodes[index];
    int left, right;

    if (node->feature < 0)
        return 0;
    if (depth_max == 0)
        return 1;
    left = depth_below(forest, node->left, depth_max - 1);
    right = depth_below(forest, node->right, depth_max - 1);
    return 1 + (left > right ? left : right);
}

static bool can_pack(const struct forest *forest)
{
    if (forest->needs_evaluator || forest->feature_count > PACK_FEATURE_COUNT_MAX ||
        forest->tree_count == 0)
        return false;
    for (int i = 0; i < forest->node_count; i++) {
        const struct forest_node *node = &forest->nodes[i];

        /* x <= infinity has no threshold that x < could use. */
        if (node->feature >= 0 && (node->is_categorical || node->threshold == INFINITY))
            return false;
    }
    for (int t = 0; t < forest->tree_count; t++)
        if (depth_below(forest, forest->roots[t], UINT8_MAX) > UINT8_MAX)
            return false;
    return true;
}

enum status pack_open(const struct forest *forest, struct pack **pack, struct err *err)
{
    size_t group_count = ((size_t)forest->tree_count + LANE_COUNT - 1) / LANE_COUNT;
    struct pack *opened;

    *pack = NULL;
    if (!can_pack(forest))
        return STATUS_OK;
    opened = calloc(1, sizeof *opened);
    if (opened) {
        opened->forest = forest;
        opened->roots = calloc(group_count * LANE_COUNT, sizeof *opened->roots);
        opened->depths = calloc(group_count, sizeof *opened->depths);
        opened->steps = calloc((size_t)forest->node_count, sizeof *opened->steps);
    }
    if (!opened || !opened->roots || !opened->depths || !opened->steps) {
        pack_close(opened);
        return err_set(err, STATUS_EXHAUSTED, "out of memory to pack a forest");
    }
    for (int i = 0; i < forest->node_count; i++)
        opened->steps[i] = step_of(forest, i);
    for (size_t t = 0; t < group_count * LANE_COUNT; t++) {
        /* The lanes over walk the last tree once more; nobody looks at where they end. */
        int tree = t < (size_t)forest->tree_count ? (int)t : forest->tree_count - 1;
        int depth = depth_below(forest, forest->roots[tree], UINT8_MAX);

        opened->roots[t] = (uint32_t)forest->roots[tree];
        if (depth > opened->depths[t / LANE_COUNT])
            opened->depths[t / LANE_COUNT] = (uint8_t)depth;
    }
    *pack = opened;
    return STATUS_OK;
}

void pack_close(struct pack *pack)
{
    if (!pack)
        return;
    free(pack->roots);
    free(pack->depths);
    free(pack->steps);
    free(pack);
}

/* ---- walking ---- */

static inline uint32_t advance(const struct step *step, const double *row)
{
    double x = row[step->feature & FEATURE_MASK];
    unsigned is_missing =
        (unsigned)(x != x) |
        ((step->feature & ZERO_IS_MISSING) != 0 ? (unsigned)(x == 0) : 0u);
    unsigned by_default = (step->feature & LEFT_BY_DEFAULT) != 0;
    unsigned is_left = is_missing ? by_default : (unsigned)(x < step->threshold);

    return is_left ? step->left : step->right;
}

/* The row as the library sees it: rounded to float, or with what is as good as zero at zero. */
static void round_row(const struct forest *forest, const double *row, double *rounded)
{
    static const double zero_threshold = 1e-35f; /* LightGBM's kZeroThreshold */

    for (int i = 0; i < forest->feature_count; i++)
        if (forest->dialect == FOREST_XGBOOST)
            rounded[i] = (float)row[i];
        else
            rounded[i] = fabs(row[i]) <= zero_threshold ? 0 : row[i];
}

static void walk_group(const struct pack *pack, int group, const double *row,
                       double leaves[LANE_COUNT])
{
    uint32_t at[LANE_COUNT];

    memcpy(at, pack->roots + (size_t)group * LANE_COUNT, sizeof at);
    for (int depth = pack->depths[group]; depth > 0; depth--)
        for (int lane = 0; lane < LANE_COUNT; lane++)
            at[lane] = advance(&pack->steps[at[lane]], row);
    for (int lane = 0; lane < LANE_COUNT; lane++)
        leaves[lane] = pack->steps[at[lane]].threshold;
}

/* float32, in tree order, from the base margin: bit for bit XGBoost's own sum. */
static void add_xgboost(const struct forest *forest, int tree, double leaf, double *raw)
{
    float value = (float)leaf;
    double *sum = &raw[forest->tree_groups[tree]];

    if (forest->tree_weights)
        value *= forest->tree_weights[tree];
    *sum = (float)((float)*sum + value);
}

void pack_raw(const struct pack *pack, const double *row, double *raw)
{
    const struct forest *forest = pack->forest;
    double rounded[PACK_FEATURE_COUNT_MAX];
    double leaves[LANE_COUNT];

    round_row(forest, row, rounded);
    for (int g = 0; g < forest->group_count; g++)
        raw[g] = forest->dialect == FOREST_XGBOOST ? (float)forest->base_margin[g]
                                                   : forest->base_margin[g];
    for (int t = 0; t < forest->tree_count; t++) {
        if (t % LANE_COUNT == 0)
            walk_group(pack, t / LANE_COUNT, rounded, leaves);
        if (forest->dialect == FOREST_XGBOOST)
            add_xgboost(forest, t, leaves[t % LANE_COUNT], raw);
        else
            raw[forest->tree_groups[t]] += leaves[t % LANE_COUNT];
    }
}
