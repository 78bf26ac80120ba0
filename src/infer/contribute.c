/* contribute.c - Shapley values of forests, tree by tree, and of XGBoost's linear
 * booster.
 *
 * In the game of one tree and one row, a coalition S of features reaches a leaf with the
 * weight prod_{j in S} one_j prod_{j not in S} zero_j over the features j on the path to
 * the leaf: one_j is 1 when the row passes all splits on j towards the leaf and else 0;
 * zero_j is the share of the training data that does. Averaging over all orders is an
 * integral over the chance t that a feature is in the coalition (Owen 1972, "Multilinear
 * extensions of games"):
 *
 *     phi_i = sum over leaves of value (one_i - zero_i) integral_0^1 prod_{j != i} f_j(t) dt,
 *     f_j(t) = t one_j + (1 - t) zero_j
 *
 * The integrand is a polynomial of a degree below the number of features on the path, so
 * a Gauss-Legendre rule of half as many points is exact. These are the very values of
 * Lundberg et al. (2018), algorithm 2, but every term is positive, so nothing cancels in
 * deep trees, and a tree costs (nodes x points) instead of (leaves x depth^2): products
 * over the path are carried down, sums over the leaves are carried up. */
#include "infer/contribute.h"

#include "infer/evaluate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    POINT_COUNT_MAX = CONTRIBUTE_DEPTH_MAX / 2,
    LEVEL_COUNT_MAX = CONTRIBUTE_DEPTH_MAX + 1, /* a root is at level 0 */
};

/* A share of the data below which a leaf that the row does not reach counts for
 * nothing. */
static const double share_min = 1e-300;

/* Where the walk is: a node, and the feature that the edge to it asked for. */
struct level {
    int32_t node;
    int32_t feature;  /* of the edge above */
    int earlier;      /* the next level above with that feature; 0: none */
    int visited;      /* children so far */
    double one, zero; /* of that feature, over all its edges down to here */
    double reach;     /* the share of the training data that comes here */
};

struct walk {
    const struct forest *forest;
    const double *row;
    double *contributions; /* (feature + 1) */
    double weight;         /* of the tree */
    int depth;
    struct level levels[LEVEL_COUNT_MAX];
    int point_count;
    double points[POINT_COUNT_MAX], weights[POINT_COUNT_MAX];
    /* (level, point): the rule's weight x f of all features on the path */
    double *products;
    double *sums; /* (level, point): products x value, over the leaves met below */
};

/* ---- the rule ---- */

/* Legendre's polynomial of a degree at x, and its derivative. */
static double legendre(int degree, double x, double *slope)
{
    double before = 1, value = x;

    for (int i = 2; i <= degree; i++) {
        double next = ((2 * i - 1) * x * value - (i - 1) * before) / i;

        before = value;
        value = next;
    }
    *slope = degree * (x * value - before) / (x * x - 1);
    return value;
}

/* Gauss and Legendre's rule on (0, 1). */
static void rule_init(struct walk *walk, int count)
{
    enum { NEWTON_STEPS = 8 }; /* four do, from these starts */

    walk->point_count = count;
    for (int i = 0; i < count; i++) {
        double x = cos(M_PI * (i + 0.75) / (count + 0.5));
        double slope = 1;

        for (int step = 0; step < NEWTON_STEPS; step++)
            x -= legendre(count, x, &slope) / slope;
        walk->points[i] = (1 + x) / 2;
        walk->weights[i] = 1 / ((1 - x * x) * slope * slope);
    }
}

/* ---- one tree ---- */

static double factor(const struct level *level, double point)
{
    return point * level->one + (1 - point) * level->zero;
}

static double *products_of(const struct walk *walk, int depth)
{
    return walk->products + (size_t)depth * (size_t)walk->point_count;
}

static double *sums_of(const struct walk *walk, int depth)
{
    return walk->sums + (size_t)depth * (size_t)walk->point_count;
}

static const struct forest_node *node_of(const struct walk *walk, int depth)
{
    return &walk->forest->nodes[walk->levels[depth].node];
}

/* The share of a node's data that goes to a child; nobody knows where none ever came. */
static double child_share(const struct forest *forest, int32_t node, int32_t child)
{
    return forest->covers[node] > 0 ? forest->covers[child] / forest->covers[node] : 0.5;
}

static int level_of_feature(const struct walk *walk, int32_t feature)
{
    int depth = walk->depth;

    while (depth > 0 && walk->levels[depth].feature != feature)
        depth--;
    return depth;
}

/* Go down an edge, unless whatever lies below counts for nothing. */
static void enter(struct walk *walk, int32_t child, bool is_hot)
{
    const struct level *parent = &walk->levels[walk->depth];
    struct level *level = &walk->levels[walk->depth + 1];
    int32_t feature = walk->forest->nodes[parent->node].feature;
    int earlier = level_of_feature(walk, feature);
    double share = child_share(walk->forest, parent->node, child);
    const double *above = products_of(walk, walk->depth);
    double *products = products_of(walk, walk->depth + 1);

    *level = (struct level){
        .node = child,
        .feature = feature,
        .earlier = earlier,
        .one = is_hot ? walk->levels[earlier].one : 0,
        .zero = walk->levels[earlier].zero * share,
        .reach = parent->reach * share,
    };
    if (level->one == 0 && level->zero < share_min)
        return;
    for (int i = 0; i < walk->point_count; i++)
        products[i] = above[i] * (factor(level, walk->points[i]) /
                                  factor(&walk->levels[earlier], walk->points[i]));
    memset(sums_of(walk, ++walk->depth), 0, (size_t)walk->point_count * sizeof *products);
}

/* What the feature of one level is worth for the leaves whose sums these are. */
static double worth(const struct walk *walk, const struct level *level,
                    const double *sums)
{
    double integral = 0;

    for (int i = 0; i < walk->point_count; i++)
        integral += sums[i] / factor(level, walk->points[i]);
    return (level->one - level->zero) * integral;
}

/* Go up an edge. Its leaves have been, or will be, counted once more for the same feature
 * higher up, where less of the path was known: that is taken back. */
static void leave(struct walk *walk)
{
    const struct level *level = &walk->levels[walk->depth];
    const double *sums = sums_of(walk, walk->depth);
    double *above = sums_of(walk, walk->depth - 1);
    double *contribution = &walk->contributions[level->feature];

    *contribution += worth(walk, level, sums);
    if (level->earlier)
        *contribution -= worth(walk, &walk->levels[level->earlier], sums);
    for (int i = 0; i < walk->point_count; i++)
        above[i] += sums[i];
    walk->depth--;
}

static void add_leaf(struct walk *walk, double value)
{
    const double *products = products_of(walk, walk->depth);
    double *sums = sums_of(walk, walk->depth);

    for (int i = 0; i < walk->point_count; i++)
        sums[i] = products[i] * value;
    walk->contributions[walk->forest->feature_count] +=
        value * walk->levels[walk->depth].reach;
}

/* Depth first; every node that counts is entered and left once. */
static void walk_tree(struct walk *walk, int32_t root)
{
    const struct forest *forest = walk->forest;

    /* Level 0 stands for "no such edge": its factor is 1. */
    walk->levels[0] =
        (struct level){.node = root, .feature = -1, .one = 1, .zero = 1, .reach = 1};
    memcpy(products_of(walk, 0), walk->weights,
           (size_t)walk->point_count * sizeof *walk->weights);
    memset(sums_of(walk, 0), 0, (size_t)walk->point_count * sizeof *walk->sums);
    walk->depth = 0;
    for (;;) {
        const struct forest_node *node = node_of(walk, walk->depth);
        struct level *level = &walk->levels[walk->depth];

        if (node->feature >= 0 && level->visited < 2) {
            bool is_left = level->visited++ == 0;
            bool goes_left = forest_goes_left(forest, node, walk->row[node->feature]);

            enter(walk, is_left ? node->left : node->right, is_left == goes_left);
            continue;
        }
        if (node->feature < 0)
            add_leaf(walk, node->threshold * walk->weight);
        if (walk->depth == 0)
            return;
        leave(walk);
    }
}

/* ---- a forest ---- */

/* Levels below a root; CONTRIBUTE_DEPTH_MAX + 1 stands for all that is more. */
static int tree_depth(const struct forest *forest, int32_t root)
{
    int32_t waiting[LEVEL_COUNT_MAX]; /* right children, one at most per level */
    int depths[LEVEL_COUNT_MAX];
    int waiting_count = 0, deepest = 0, depth = 0;
    int32_t node = root;

    for (;;) {
        if (depth > deepest)
            deepest = depth;
        if (deepest > CONTRIBUTE_DEPTH_MAX)
            return deepest;
        if (forest->nodes[node].feature >= 0) {
            waiting[waiting_count] = forest->nodes[node].right;
            depths[waiting_count++] = ++depth;
            node = forest->nodes[node].left;
            continue;
        }
        if (waiting_count == 0)
            return deepest;
        node = waiting[--waiting_count];
        depth = depths[waiting_count];
    }
}

static enum status forest_depth(const struct forest *forest, int group, int *depth,
                                struct err *err)
{
    *depth = 0;
    for (int t = 0; t < forest->tree_count; t++) {
        int here =
            forest->tree_groups[t] == group ? tree_depth(forest, forest->roots[t]) : 0;

        if (here > CONTRIBUTE_DEPTH_MAX)
            return err_set(err, STATUS_INVALID, "tree %d is deeper than %d", t,
                           CONTRIBUTE_DEPTH_MAX);
        if (here > *depth)
            *depth = here;
    }
    return STATUS_OK;
}

/* What rounding left between the sum and the score, in XGBoost's case of float32, is the
 * base's. */
static void settle(double raw, int count, double *contributions)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += contributions[i];
    contributions[count - 1] += raw - sum;
}

static enum status check_finite(const double *contributions, int count, struct err *err)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(contributions[i]))
            return err_set(err, STATUS_INVALID,
                           "the contribution of input %d is not finite", i);
    return STATUS_OK;
}

/* Room for a walk that goes so deep; the caller frees *walk. */
static enum status walk_new(const struct forest *forest, int depth, struct walk **walk,
                            struct err *err)
{
    int feature_count = depth < forest->feature_count ? depth : forest->feature_count;
    int point_count = feature_count < 2 ? 1 : (feature_count + 1) / 2;
    size_t numbers = (size_t)(depth + 1) * (size_t)point_count;

    *walk = malloc(sizeof **walk + 2 * numbers * sizeof(double));
    if (!*walk)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for contributions");
    (*walk)->forest = forest;
    (*walk)->products = (double *)(*walk + 1);
    (*walk)->sums = (*walk)->products + numbers;
    rule_init(*walk, point_count);
    return STATUS_OK;
}

/* Weight times value, as XGBoost takes them: a missing value adds nothing. */
static void contribute_weights(const struct forest *forest, const double *row, int group,
                               double *contributions)
{
    int n = forest->feature_count, groups = forest->group_count;

    for (int i = 0; i < n; i++)
        contributions[i] =
            isnan(row[i])
                ? 0
                : (double)(float)row[i] * (double)forest->weights[i * groups + group];
    contributions[n] =
        (double)forest->weights[n * groups + group] + forest->base_margin[group];
}

/* Of a forest that only the plain evaluator scores. */
static const char *what_is_special(const struct forest *forest)
{
    if (forest->dialect == FOREST_CATBOOST)
        return "CatBoost";
    return forest->form == FOREST_OF_LINES ? "linear functions in its leaves"
                                           : "several numbers in each leaf";
}

static enum status contribute_group(const struct forest *forest, const double *row,
                                    int group, double raw, double *contributions,
                                    struct err *err)
{
    size_t count = (size_t)forest->feature_count + 1;
    bool has_splits = forest->node_count > forest->tree_count;
    struct walk *walk;
    int depth;
    enum status rc;

    if (forest->form == FOREST_OF_NO_TREES) {
        contribute_weights(forest, row, group, contributions);
        settle(raw, (int)count, contributions);
        return check_finite(contributions, (int)count, err);
    }
    if (forest->needs_evaluator)
        return err_set(err, STATUS_INVALID, "there are no contributions to a model of %s",
                       what_is_special(forest));
    if (has_splits && !forest->covers)
        return err_set(err, STATUS_INVALID,
                       "the model's file does not say how much data came by each node");
    rc = forest_depth(forest, group, &depth, err);
    if (!rc)
        rc = walk_new(forest, depth, &walk, err);
    if (rc)
        return rc;
    walk->row = row;
    walk->contributions = contributions;
    memset(contributions, 0, count * sizeof *contributions);
    contributions[count - 1] = forest->base_margin[group];
    for (int t = 0; t < forest->tree_count; t++) {
        walk->weight = forest->tree_weights ? forest->tree_weights[t] : 1;
        if (forest->tree_groups[t] == group)
            walk_tree(walk, forest->roots[t]);
    }
    free(walk);
    settle(raw, (int)count, contributions);
    rc = check_finite(contributions, (int)count, err);
    return rc ? err_wrap(err, "the model's covers do not fit together") : STATUS_OK;
}

enum status contribute_output(const struct forest *forest, const double *row, int group,
                              double *contributions, struct err *err)
{
    double raw[FOREST_GROUP_COUNT_MAX];

    assert(group >= 0);
    assert(group < forest->group_count);
    forest_raw(forest, row, 1, 0, forest_round_count(forest), raw);
    return contribute_group(forest, row, group, raw[group], contributions, err);
}

enum status contribute_forest(const struct forest *forest, const double *row,
                              double *contributions, struct err *err)
{
    double raw[FOREST_GROUP_COUNT_MAX];
    size_t count = (size_t)forest->feature_count + 1;
    enum status rc = STATUS_OK;

    forest_raw(forest, row, 1, 0, forest_round_count(forest), raw);
    for (int g = 0; g < forest->group_count && !rc; g++)
        rc = contribute_group(forest, row, g, raw[g], contributions + (size_t)g * count,
                              err);
    return rc;
}
