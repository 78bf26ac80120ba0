/* xgboost_check.c - what several members of an XGBoost file say together, and the forest
 * they make. */
#include "model/objective.h"
#include "model/scalar.h"
#include "model/xgboost_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { VERSION_MIN = 1, VERSION_MAX = 3 };

static enum status check_version(const struct xgboost_reader *reader, struct err *err)
{
    const int32_t *numbers = reader->version.items;

    if (reader->version.count != 3)
        return err_set(err, STATUS_INVALID, "version: is missing");
    if (numbers[0] < VERSION_MIN || numbers[0] > VERSION_MAX)
        return err_set(err, STATUS_INVALID, "version: XGBoost %d.%d.%d is not supported",
                       numbers[0], numbers[1], numbers[2]);
    if (!reader->has_learner)
        return err_set(err, STATUS_INVALID, "learner: is missing");
    return STATUS_OK;
}

/* Weights of trees, dart: beside the model up to 3.x, then inside of it. */
static enum status check_tree_weights(const struct xgboost_reader *reader, bool is_dart,
                                      struct err *err)
{
    bool has_weights = reader->has_weights_beside || reader->has_weights_inside;
    size_t tree_count = (size_t)reader->builder.forest->tree_count;

    if (is_dart != reader->has_weights_beside && !reader->has_weights_inside)
        return err_set(err, STATUS_INVALID, "weight_drop: %s",
                       is_dart ? "is missing" : "the booster is not dart");
    if (has_weights && reader->weights.count != tree_count)
        return err_set(err, STATUS_INVALID, "weight_drop: has %zu entries for %zu trees",
                       reader->weights.count, tree_count);
    if (has_weights && reader->tree_vector_size > 1)
        return err_set(err, STATUS_INVALID,
                       "weight_drop: is not supported for trees with vector leaves");
    for (size_t i = 0; i < reader->weights.count; i++)
        if (!isfinite(reader->weights.items[i]))
            return err_set(err, STATUS_INVALID, "weight_drop[%zu]: is not finite", i);
    return STATUS_OK;
}

static enum status check_trees(const struct xgboost_reader *reader, bool is_dart,
                               struct err *err)
{
    size_t tree_count = (size_t)reader->builder.forest->tree_count;

    if (reader->has_linear_weights)
        return err_set(err, STATUS_INVALID, "weights: the booster is not gblinear");
    if (reader->leaf_vector_size > 1 &&
        reader->leaf_vector_size != reader->tree_vector_size)
        return err_set(err, STATUS_INVALID,
                       "gbtree_model_param.size_leaf_vector: is %lld, in the trees %lld",
                       (long long)reader->leaf_vector_size,
                       (long long)reader->tree_vector_size);
    if (reader->announced_tree_count != (int64_t)tree_count)
        return err_set(err, STATUS_INVALID, "trees: %zu, but num_trees is %lld",
                       tree_count, (long long)reader->announced_tree_count);
    if (reader->tree_groups.count != tree_count)
        return err_set(err, STATUS_INVALID, "tree_info: has %zu entries for %zu trees",
                       reader->tree_groups.count, tree_count);
    return check_tree_weights(reader, is_dart, err);
}

static enum status check_booster(const struct xgboost_reader *reader, struct err *err)
{
    struct forest *forest = reader->builder.forest;
    bool is_dart = strcmp(reader->booster, "dart") == 0;
    bool is_linear = strcmp(reader->booster, "gblinear") == 0;

    if (!is_dart && !is_linear && strcmp(reader->booster, "gbtree") != 0)
        return err_set(err, STATUS_INVALID,
                       "gradient_booster.name: '%s' is not supported", reader->booster);
    if (!reader->has_model)
        return err_set(err, STATUS_INVALID, "gradient_booster.model: is missing");
    if (!is_linear)
        return check_trees(reader, is_dart, err);
    forest->form = FOREST_OF_NO_TREES;
    if (reader->has_trees || reader->tree_groups.count || reader->weights.count)
        return err_set(err, STATUS_INVALID, "trees: the booster is gblinear");
    if (!reader->has_linear_weights)
        return err_set(err, STATUS_INVALID, "weights: are missing");
    for (size_t i = 0; i < reader->linear_weights.count; i++)
        if (!isfinite(reader->linear_weights.items[i]))
            return err_set(err, STATUS_INVALID, "weights[%zu]: is not finite", i);
    return STATUS_OK;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum status check_groups(const struct xgboost_reader *reader, struct err *err)
{
    struct forest *forest = reader->builder.forest;
    int64_t groups = larger(1, larger(reader->class_count, reader->target_count));
    bool has_vectors = reader->tree_vector_size > 1;
    int64_t per_round =
        (has_vectors ? 1 : groups) * larger(1, reader->parallel_tree_count);

    if (has_vectors && reader->tree_vector_size != groups)
        return err_set(err, STATUS_INVALID,
                       "tree_param.size_leaf_vector: is %lld for %lld outputs",
                       (long long)reader->tree_vector_size, (long long)groups);
    for (int i = 0; i < forest->tree_count; i++)
        if (reader->tree_groups.items[i] < 0 ||
            reader->tree_groups.items[i] >= (has_vectors ? 1 : groups))
            return err_set(err, STATUS_INVALID, "tree_info[%d]: group %d of %lld", i,
                           reader->tree_groups.items[i], (long long)groups);
    if (per_round > INT32_MAX || forest->tree_count % per_round != 0)
        return err_set(err, STATUS_INVALID, "trees: %d are not whole rounds of %lld",
                       forest->tree_count, (long long)per_round);
    for (size_t i = 0; i < reader->round_ends.count; i++)
        if (reader->round_ends.items[i] != (int64_t)i * per_round)
            return err_set(err, STATUS_INVALID, "iteration_indptr[%zu]: is %d, not %lld",
                           i, reader->round_ends.items[i],
                           (long long)((int64_t)i * per_round));
    if (reader->has_round_ends &&
        (int64_t)reader->round_ends.count != forest->tree_count / per_round + 1)
        return err_set(
            err, STATUS_INVALID, "iteration_indptr: has %zu entries for %lld rounds",
            reader->round_ends.count, (long long)(forest->tree_count / per_round));
    forest->group_count = (int)groups;
    forest->trees_per_round = (int)per_round;
    if (has_vectors)
        forest->form = FOREST_OF_VECTORS;
    forest->best_round = (int)reader->best_round;
    return STATUS_OK;
}

static enum status check_features(const struct xgboost_reader *reader, struct err *err)
{
    struct forest *forest = reader->builder.forest;
    int tree = 0;

    if (reader->feature_count < 0)
        return err_set(err, STATUS_INVALID,
                       "learner_model_param.num_feature: is missing");
    if (reader->builder.name_count && reader->builder.name_count != reader->feature_count)
        return err_set(err, STATUS_INVALID, "feature_names: %d for %lld features",
                       reader->builder.name_count, (long long)reader->feature_count);
    forest->feature_count = (int)reader->feature_count;
    if (forest->form == FOREST_OF_NO_TREES &&
        (int64_t)reader->linear_weights.count !=
            (reader->feature_count + 1) * forest->group_count)
        return err_set(err, STATUS_INVALID,
                       "weights: has %zu entries for %d features and %d outputs",
                       reader->linear_weights.count, forest->feature_count,
                       forest->group_count);
    for (int i = 0; i < forest->node_count; i++) {
        while (tree + 1 < forest->tree_count && forest->roots[tree + 1] <= i)
            tree++;
        if (forest->nodes[i].feature >= forest->feature_count)
            return err_set(err, STATUS_INVALID,
                           "trees[%d].split_indices[%d]: feature %d of %d", tree,
                           forest->nodes[i].id, forest->nodes[i].feature,
                           forest->feature_count);
    }
    return STATUS_OK;
}

/* From output space to margin space, in float as XGBoost does it. */
static enum status base_margin_of(enum base_space space, double score, double *margin,
                                  struct err *err)
{
    float base = (float)score;

    if (!isfinite(base))
        return err_set(err, STATUS_INVALID, "base_score: %g is out of range", score);
    switch (space) {
    case BASE_AS_IS:
        *margin = base;
        return STATUS_OK;
    case BASE_PROBABILITY:
        if (!(base > 0 && base < 1))
            return err_set(err, STATUS_INVALID, "base_score: %g is not in (0, 1)", score);
        *margin = -logf(1.0f / base - 1.0f);
        return STATUS_OK;
    case BASE_POSITIVE:
        if (!(base > 0))
            return err_set(err, STATUS_INVALID, "base_score: %g is not positive", score);
        *margin = logf(base);
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* "5E-1", or from 3.1 "[5E-1]" or one number per group. */
static enum status base_score_read(struct text text, enum base_space space,
                                   struct forest *forest, struct err *err)
{
    struct json_scan scan;
    struct json_level level;
    double score;
    int count = 0;
    enum status rc = STATUS_OK;

    json_scan_init(&scan, text.at, text.bytes, 2, err);
    if (json_peek(&scan) == JSON_KIND_ARRAY) {
        json_enter_array(&scan, &level);
        while (!rc && json_item(&scan, &level)) {
            if (!scalar_double(&scan, &score))
                break;
            if (count < forest->group_count)
                rc = base_margin_of(space, score, &forest->base_margin[count], err);
            count++;
        }
    } else if (scalar_double(&scan, &score)) {
        count = 1;
        rc = base_margin_of(space, score, &forest->base_margin[0], err);
    }
    if (rc)
        return rc;
    if (json_scan_end(&scan))
        return err_set(err, STATUS_INVALID, "base_score: '%.*s' is not a number",
                       TEXT_ARG(scalar_shown(text)));
    if (count != 1 && count != forest->group_count)
        return err_set(err, STATUS_INVALID, "base_score: %d numbers for %d outputs",
                       count, forest->group_count);
    for (int i = 1; count == 1 && i < forest->group_count; i++)
        forest->base_margin[i] = forest->base_margin[0];
    return STATUS_OK;
}

static enum status check_objective(const struct xgboost_reader *reader, struct err *err)
{
    const struct xgboost_objective *objective = xgboost_objective_find(reader->objective);
    struct forest *forest = reader->builder.forest;

    if (!reader->objective[0])
        return err_set(err, STATUS_INVALID, "objective.name: is missing");
    if (!objective)
        return err_set(err, STATUS_INVALID, "objective.name: '%s' is not supported",
                       reader->objective);
    if (!reader->base_score.at)
        return err_set(err, STATUS_INVALID, "learner_model_param.base_score: is missing");
    memcpy(forest->objective, reader->objective, sizeof forest->objective);
    forest->link = objective->link;
    forest->base_margin = calloc((size_t)forest->group_count, sizeof(double));
    if (!forest->base_margin)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a model");
    return base_score_read(reader->base_score, objective->base, forest, err);
}

/* The columns over trees become the forest's. */
static void take_columns(struct xgboost_reader *reader)
{
    struct forest *forest = reader->builder.forest;
    const int32_t *version = reader->version.items;

    snprintf(forest->library, sizeof forest->library, "xgboost-%u.%u.%u",
             (unsigned)version[0] % 1000, (unsigned)version[1] % 1000,
             (unsigned)version[2] % 1000);
    forest->weights = reader->linear_weights.items;
    reader->linear_weights.items = NULL;
    forest->tree_groups = reader->tree_groups.items;
    reader->tree_groups.items = NULL;
    if (reader->has_weights_beside || reader->has_weights_inside) {
        forest->tree_weights = reader->weights.items;
        reader->weights.items = NULL;
    }
}

enum status xgboost_document_check(struct xgboost_reader *reader)
{
    enum status rc = check_version(reader, reader->err);

    if (!rc)
        rc = check_booster(reader, reader->err);
    if (!rc)
        rc = check_groups(reader, reader->err);
    if (!rc)
        rc = check_features(reader, reader->err);
    if (!rc)
        rc = check_objective(reader, reader->err);
    if (!rc)
        take_columns(reader);
    return rc;
}
