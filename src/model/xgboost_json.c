/* xgboost_json.c - the model files that XGBoost 1.x to 3.x saves as JSON, in one pass.
 *
 * Members come in any order, so what depends on several of them is checked at the end. */
#include "model/objective.h"
#include "model/scalar.h"
#include "model/xgboost_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    UNESCAPED_BYTES_MAX = 4 << 20, /* strings with escapes, of a whole file */
    VERSION_MIN = 1,
    VERSION_MAX = 3,
};

/* ---- the members, from the outside in ---- */

static void read_booster(struct xgboost_reader *reader, int)
{
    xgboost_name(reader, reader->booster, sizeof reader->booster);
}

static void read_tree_count(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 0, FOREST_TREE_COUNT_MAX, &reader->announced_tree_count);
}

static void read_parallel_trees(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 0, FOREST_TREE_COUNT_MAX, &reader->parallel_tree_count);
}

static void read_model_leaf_vector(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 0, INT32_MAX, &reader->leaf_vector_size);
}

static void read_model_parameters(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"num_trees", read_tree_count, 0},
        {"num_parallel_tree", read_parallel_trees, 0},
        {"size_leaf_vector", read_model_leaf_vector, 0},
    };
    READ_MEMBERS(reader, "gbtree_model_param", members);
}

static void read_tree_groups(struct xgboost_reader *reader, int)
{
    read_ints(reader, &reader->tree_groups, FOREST_TREE_COUNT_MAX);
}

static void read_round_ends(struct xgboost_reader *reader, int)
{
    reader->has_round_ends = true;
    read_ints(reader, &reader->round_ends, FOREST_TREE_COUNT_MAX + 1);
}

static void read_weights(struct xgboost_reader *reader, int is_inside)
{
    if (is_inside)
        reader->has_weights_inside = true;
    else
        reader->has_weights_beside = true;
    if (reader->has_weights_inside && reader->has_weights_beside)
        json_refuse(&reader->scan, STATUS_INVALID, "is given twice");
    read_floats(reader, &reader->weights, FOREST_TREE_COUNT_MAX);
}

static void read_trees(struct xgboost_reader *reader, int)
{
    const char *path = reader->path;
    struct json_level level;

    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level))
        read_tree(reader);
    if (!reader->scan.status)
        reader->path = path;
}

/* An encoding of categories by name or number, that inputs would have to go through. */
static void read_category_encoding(struct xgboost_reader *reader, int)
{
    struct json_level level;

    if (json_peek(&reader->scan) == JSON_KIND_NULL) {
        json_take_null(&reader->scan);
        return;
    }
    json_enter_array(&reader->scan, &level);
    if (json_item(&reader->scan, &level))
        json_refuse(&reader->scan, STATUS_INVALID,
                    "models with encoded categories are not supported");
}

static void read_cats(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"enc", read_category_encoding, 0},
        {"sorted_idx", read_category_encoding, 0},
    };

    if (json_peek(&reader->scan) == JSON_KIND_NULL)
        json_take_null(&reader->scan);
    else
        READ_MEMBERS(reader, "cats", members);
}

static void read_model(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"gbtree_model_param", read_model_parameters, 0},
        {"trees", read_trees, 0},
        {"tree_info", read_tree_groups, 0},
        {"iteration_indptr", read_round_ends, 0},
        {"weight_drop", read_weights, true},
        {"cats", read_cats, 0},
    };

    if (reader->has_model)
        json_refuse(&reader->scan, STATUS_INVALID, "is given twice");
    reader->has_model = true;
    READ_MEMBERS(reader, "gradient_booster.model", members);
}

/* dart, up to 3.x, keeps a whole gbtree inside. */
static void read_inner_booster(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {{"model", read_model, 0}};

    READ_MEMBERS(reader, "gradient_booster.gbtree", members);
}

static void read_gradient_booster(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"name", read_booster, 0},
        {"model", read_model, 0},
        {"gbtree", read_inner_booster, 0},
        {"weight_drop", read_weights, false},
    };
    READ_MEMBERS(reader, "gradient_booster", members);
}

static void read_base_score(struct xgboost_reader *reader, int)
{
    struct text text;

    /* As many numbers as there are groups: the text stays where it is until then. */
    if (json_text(&reader->scan, &reader->arena, &text))
        reader->base_score = text;
}

static void read_group_count(struct xgboost_reader *reader, int is_target)
{
    read_parameter(reader, 0, FOREST_GROUP_COUNT_MAX,
                   is_target ? &reader->target_count : &reader->class_count);
}

static void read_feature_count(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 0, FOREST_FEATURE_COUNT_MAX, &reader->feature_count);
}

static void read_learner_parameters(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"base_score", read_base_score, 0},
        {"num_class", read_group_count, false},
        {"num_target", read_group_count, true},
        {"num_feature", read_feature_count, 0},
    };
    READ_MEMBERS(reader, "learner_model_param", members);
}

static void read_objective_name(struct xgboost_reader *reader, int)
{
    xgboost_name(reader, reader->objective, sizeof reader->objective);
}

static void read_objective(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {{"name", read_objective_name, 0}};

    READ_MEMBERS(reader, "objective", members);
}

static void read_feature_names(struct xgboost_reader *reader, int)
{
    struct json_level level;
    struct text name;

    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level)) {
        reader->item = reader->builder.name_count;
        if (!json_text(&reader->scan, &reader->arena, &name))
            return;
        reader->scan.status = forest_builder_name(&reader->builder, name, reader->err);
        if (reader->scan.status)
            return;
    }
    if (!reader->scan.status)
        reader->item = -1;
}

static void read_learner(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"gradient_booster", read_gradient_booster, 0},
        {"learner_model_param", read_learner_parameters, 0},
        {"objective", read_objective, 0},
        {"feature_names", read_feature_names, 0},
    };

    reader->has_learner = true;
    READ_MEMBERS(reader, "learner", members);
}

static void read_version(struct xgboost_reader *reader, int)
{
    read_ints(reader, &reader->version, 3);
}

static enum status read_document(struct xgboost_reader *reader)
{
    static const struct xgboost_member members[] = {
        {"learner", read_learner, 0},
        {"version", read_version, 0},
    };

    READ_MEMBERS(reader, NULL, members);
    if (reader->scan.status)
        return wrap_place(reader);
    return json_scan_end(&reader->scan);
}

/* ---- what depends on several members ---- */

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

static enum status check_booster(const struct xgboost_reader *reader, struct err *err)
{
    bool is_dart = strcmp(reader->booster, "dart") == 0;
    size_t tree_count = (size_t)reader->builder.forest->tree_count;

    if (!is_dart && strcmp(reader->booster, "gbtree") != 0)
        return err_set(err, STATUS_INVALID,
                       "gradient_booster.name: '%s' is not supported", reader->booster);
    if (!reader->has_model)
        return err_set(err, STATUS_INVALID, "gradient_booster.model: is missing");
    if (reader->leaf_vector_size > 1)
        return err_set(
            err, STATUS_INVALID,
            "gbtree_model_param.size_leaf_vector: vector leaves are not supported");
    if (reader->announced_tree_count != (int64_t)tree_count)
        return err_set(err, STATUS_INVALID, "trees: %zu, but num_trees is %lld",
                       tree_count, (long long)reader->announced_tree_count);
    if (reader->tree_groups.count != tree_count)
        return err_set(err, STATUS_INVALID, "tree_info: has %zu entries for %zu trees",
                       reader->tree_groups.count, tree_count);
    if (is_dart != reader->has_weights_beside && !reader->has_weights_inside)
        return err_set(err, STATUS_INVALID, "weight_drop: %s",
                       is_dart ? "is missing" : "the booster is not dart");
    if ((reader->has_weights_beside || reader->has_weights_inside) &&
        reader->weights.count != tree_count)
        return err_set(err, STATUS_INVALID, "weight_drop: has %zu entries for %zu trees",
                       reader->weights.count, tree_count);
    for (size_t i = 0; i < reader->weights.count; i++)
        if (!isfinite(reader->weights.items[i]))
            return err_set(err, STATUS_INVALID, "weight_drop[%zu]: is not finite", i);
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
    int64_t per_round = groups * larger(1, reader->parallel_tree_count);

    for (int i = 0; i < forest->tree_count; i++)
        if (reader->tree_groups.items[i] < 0 || reader->tree_groups.items[i] >= groups)
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
            if (!json_double(&scan, &score))
                break;
            if (count < forest->group_count)
                rc = base_margin_of(space, score, &forest->base_margin[count], err);
            count++;
        }
    } else if (json_double(&scan, &score)) {
        count = 1;
        rc = base_margin_of(space, score, &forest->base_margin[0], err);
    }
    if (rc)
        return rc;
    if (json_scan_end(&scan))
        return err_wrap(err, "base_score");
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

/* ---- all of it ---- */

static void reader_free(struct xgboost_reader *reader)
{
    forest_builder_free(&reader->builder);
    xgboost_tree_free(&reader->tree);
    arena_reset(&reader->arena);
    free(reader->version.items);
    free(reader->tree_groups.items);
    free(reader->round_ends.items);
    free(reader->weights.items);
}

/* The columns over trees become the forest's. */
static void take_columns(struct xgboost_reader *reader)
{
    struct forest *forest = reader->builder.forest;
    const int32_t *version = reader->version.items;

    snprintf(forest->library, sizeof forest->library, "xgboost-%u.%u.%u",
             (unsigned)version[0] % 1000, (unsigned)version[1] % 1000,
             (unsigned)version[2] % 1000);
    forest->tree_groups = reader->tree_groups.items;
    reader->tree_groups.items = NULL;
    if (reader->has_weights_beside || reader->has_weights_inside) {
        forest->tree_weights = reader->weights.items;
        reader->weights.items = NULL;
    }
}

enum status forest_read_xgboost(const char *text, size_t bytes, struct forest **forest,
                                struct err *err)
{
    struct err unheard;
    struct xgboost_reader reader = {
        .err = err ? err : &unheard,
        .item = -1,
        .feature_count = -1,
        .announced_tree_count = -1,
    };
    enum status rc;

    err_clear(reader.err);
    if (bytes > MODEL_BYTES_MAX)
        return err_set(reader.err, STATUS_TOO_LARGE, "the model is over %d bytes",
                       MODEL_BYTES_MAX);
    json_scan_init(&reader.scan, text, bytes, JSON_DEPTH_MAX, reader.err);
    arena_init(&reader.arena, NULL, 0, UNESCAPED_BYTES_MAX);
    rc = forest_builder_init(&reader.builder, FOREST_XGBOOST, reader.err);
    if (!rc)
        rc = read_document(&reader);
    if (!rc)
        rc = check_version(&reader, reader.err);
    if (!rc)
        rc = check_booster(&reader, reader.err);
    if (!rc)
        rc = check_groups(&reader, reader.err);
    if (!rc)
        rc = check_features(&reader, reader.err);
    if (!rc)
        rc = check_objective(&reader, reader.err);
    if (!rc)
        take_columns(&reader);
    if (!rc)
        rc = forest_builder_finish(&reader.builder, forest, reader.err);
    reader_free(&reader);
    return rc;
}
