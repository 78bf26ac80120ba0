/* evaluate.c - forests row by row and tree by tree, as their libraries do it. */
#include "infer/evaluate.h"

#include "infer/values.h"

#include <assert.h>
#include <math.h>

enum { WORD_BITS = 32 };

static bool set_holds(const struct forest *forest, const struct forest_node *node,
                      uint32_t category)
{
    uint32_t word = category / WORD_BITS;

    if (word >= node->category_word_count)
        return false;
    return forest->category_words[node->category + word] >> category % WORD_BITS & 1;
}

/* In the set goes right; negative, unseen and too large ones are in no set. */
static bool goes_left_xgboost(const struct forest *forest, const struct forest_node *node,
                              double value)
{
    double x = (float)value;

    if (isnan(x))
        return node->goes_left_by_default;
    if (!node->is_categorical)
        return x < node->threshold;
    return !(x >= 0 && x < category_end && set_holds(forest, node, (uint32_t)x));
}

/* LightGBM's values so close to 0 are 0, in splits and in leaves. */
static double folded(double value)
{
    return fabs(value) <= zero_threshold ? 0 : value;
}

/* In the set goes left; -0.5 is truncated to category 0. */
static bool goes_left_lightgbm(const struct forest *forest,
                               const struct forest_node *node, double value)
{
    bool is_nan = isnan(value);

    if (node->is_categorical)
        return value > -1 && value <= INT32_MAX &&
               set_holds(forest, node, (uint32_t)(int32_t)value);
    if (node->missing == MISSING_IS_NAN && is_nan)
        return node->goes_left_by_default;
    value = is_nan ? 0 : folded(value);
    if (node->missing == MISSING_IS_ZERO && value == 0)
        return node->goes_left_by_default;
    return value <= node->threshold;
}

/* CatBoost's splits are written as XGBoost's. */
bool forest_goes_left(const struct forest *forest, const struct forest_node *node,
                      double value)
{
    return forest->dialect == FOREST_LIGHTGBM ? goes_left_lightgbm(forest, node, value)
                                              : goes_left_xgboost(forest, node, value);
}

static const struct forest_node *leaf_of(const struct forest *forest, int tree,
                                         const double *row)
{
    const struct forest_node *node = &forest->nodes[forest->roots[tree]];

    while (node->feature >= 0)
        node = &forest->nodes[forest_goes_left(forest, node, row[node->feature])
                                  ? node->left
                                  : node->right];
    return node;
}

/* ---- sums over trees ---- */

/* float32, in tree order, from the base margin: bit for bit XGBoost's own sum. */
static void raw_xgboost(const struct forest *forest, const double *row, int tree_from,
                        int tree_to, double *raw)
{
    float sums[FOREST_GROUP_COUNT_MAX];

    for (int g = 0; g < forest->group_count; g++)
        sums[g] = (float)forest->base_margin[g];
    for (int t = tree_from; t < tree_to; t++) {
        const struct forest_node *leaf = leaf_of(forest, t, row);
        float value = (float)leaf->threshold;

        if (forest->tree_weights)
            value *= forest->tree_weights[t];
        if (forest->form == FOREST_OF_NUMBERS)
            sums[forest->tree_groups[t]] += value;
        else
            for (int g = 0; g < forest->group_count; g++)
                sums[g] += (float)forest->leaf_values[leaf->values + g];
    }
    for (int g = 0; g < forest->group_count; g++)
        raw[g] = sums[g];
}

/* A leaf that may be a linear function: its plain number where a feature is missing. */
static double line_value(const struct forest *forest, const struct forest_node *leaf,
                         const double *row)
{
    const struct forest_line *line;
    double sum;

    if (forest->form != FOREST_OF_LINES || leaf->values < 0)
        return leaf->threshold;
    line = &forest->lines[leaf->values];
    sum = line->constant;
    for (uint32_t i = 0; i < line->term_count; i++) {
        const struct forest_term *term = &forest->terms[line->first_term + i];

        if (isnan(row[term->feature]))
            return leaf->threshold;
        sum += term->coefficient * folded(row[term->feature]);
    }
    return sum;
}

/* double, in tree order; CatBoost scales the sum before it adds the base. */
static void raw_double(const struct forest *forest, const double *row, int tree_from,
                       int tree_to, double *raw)
{
    bool is_catboost = forest->dialect == FOREST_CATBOOST;

    for (int g = 0; g < forest->group_count; g++)
        raw[g] = is_catboost ? 0 : forest->base_margin[g];
    for (int t = tree_from; t < tree_to; t++) {
        const struct forest_node *leaf = leaf_of(forest, t, row);

        if (forest->form == FOREST_OF_VECTORS)
            for (int g = 0; g < forest->group_count; g++)
                raw[g] += forest->leaf_values[leaf->values + g];
        else
            raw[forest->tree_groups[t]] += line_value(forest, leaf, row);
    }
    if (is_catboost)
        for (int g = 0; g < forest->group_count; g++)
            raw[g] = raw[g] * forest->sum_scale + forest->base_margin[g];
}

/* gblinear: float32, from bias and base margin, feature by feature; missing adds
 * nothing. */
static void raw_weights(const struct forest *forest, const double *row, double *raw)
{
    int n = forest->feature_count, groups = forest->group_count;

    for (int g = 0; g < groups; g++) {
        float sum = forest->weights[n * groups + g] + (float)forest->base_margin[g];

        for (int i = 0; i < n; i++)
            if (!isnan(row[i]))
                sum += (float)row[i] * forest->weights[i * groups + g];
        raw[g] = sum;
    }
}

int forest_round_count(const struct forest *forest)
{
    return forest->trees_per_round ? forest->tree_count / forest->trees_per_round : 0;
}

void forest_raw(const struct forest *forest, const double *rows, int row_count,
                int round_from, int round_to, double *raw)
{
    int from = round_from * forest->trees_per_round;
    int to = round_to * forest->trees_per_round;

    assert(round_from >= 0);
    assert(round_to <= forest_round_count(forest));
    for (int i = 0; i < row_count; i++) {
        const double *row = rows + (size_t)i * (size_t)forest->feature_count;
        double *sums = raw + (size_t)i * (size_t)forest->group_count;

        if (forest->form == FOREST_OF_NO_TREES)
            raw_weights(forest, row, sums);
        else if (forest->dialect == FOREST_XGBOOST)
            raw_xgboost(forest, row, from, to, sums);
        else
            raw_double(forest, row, from, to, sums);
    }
}

void forest_leaves(const struct forest *forest, const double *rows, int row_count,
                   int round_from, int round_to, int32_t *leaves)
{
    int from = round_from * forest->trees_per_round;
    int to = round_to * forest->trees_per_round;

    assert(round_from >= 0);
    assert(round_to <= forest_round_count(forest));
    for (int i = 0; i < row_count; i++) {
        const double *row = rows + (size_t)i * (size_t)forest->feature_count;

        for (int t = from; t < to; t++)
            *leaves++ = leaf_of(forest, t, row)->id;
    }
}
