/* lightgbm_linear.c - leaves of LightGBM that are linear functions (linear_tree):
 * constants, how many features each leaf has, then all leaves' features and coefficients
 * one after the other. */
#include "model/lightgbm_tree.h"

enum status lightgbm_linear_read(struct lightgbm_tree *tree, int64_t leaf_count,
                                 struct err *err)
{
    enum status rc =
        lightgbm_line_read(tree, LINE_LEAF_CONSTANT, true, (size_t)leaf_count, err);
    int64_t term_count = 0;

    if (!rc)
        rc = lightgbm_line_read(tree, LINE_TERM_COUNT, false, (size_t)leaf_count, err);
    for (int64_t i = 0; i < leaf_count && !rc; i++) {
        int64_t count = tree->ints[LINE_TERM_COUNT][i];

        if (count < 0 || count > FOREST_FEATURE_COUNT_MAX)
            rc = err_set(err, STATUS_INVALID, "num_features[%lld]: %lld of at most %d",
                         (long long)i, (long long)count, FOREST_FEATURE_COUNT_MAX);
        term_count += count;
        if (!rc && term_count > FOREST_TERM_COUNT_MAX)
            rc = err_set(err, STATUS_TOO_LARGE, "num_features: more than %d in all",
                         FOREST_TERM_COUNT_MAX);
        tree->ints[LINE_TERM_COUNT][i] =
            term_count; /* from now on: where its terms end */
    }
    if (!rc)
        rc = lightgbm_line_read(tree, LINE_TERM_FEATURE, false, (size_t)term_count, err);
    if (!rc)
        rc = lightgbm_line_read(tree, LINE_TERM_COEFFICIENT, true, (size_t)term_count,
                                err);
    return rc;
}

enum status lightgbm_linear_add(const struct lightgbm_tree *tree, int64_t leaf,
                                struct forest_builder *builder, int32_t *line,
                                struct err *err)
{
    const int64_t *ends = tree->ints[LINE_TERM_COUNT];
    int features = builder->forest->feature_count;
    enum status rc =
        forest_builder_line(builder, tree->doubles[LINE_LEAF_CONSTANT][leaf], line, err);

    for (int64_t i = leaf ? ends[leaf - 1] : 0; i < ends[leaf] && !rc; i++) {
        int64_t feature = tree->ints[LINE_TERM_FEATURE][i];

        if (feature < 0 || feature >= features)
            return err_set(err, STATUS_INVALID, "leaf_features[%lld]: feature %lld of %d",
                           (long long)i, (long long)feature, features);
        rc = forest_builder_term(
            builder,
            (struct forest_term){tree->doubles[LINE_TERM_COEFFICIENT][i],
                                 (int32_t)feature},
            err);
    }
    return rc;
}
