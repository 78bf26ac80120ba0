/* xgboost_document.c - the model files that XGBoost 1.x to 3.x saves, in one pass; here
 * the members from the inside out, as their table names them.
 *
 * Members come in any order, so what depends on several of them is checked at the end, in
 * xgboost_check.c. */
#include "model/scalar.h"
#include "model/xgboost_reader.h"

#include <stdlib.h>

enum { UNESCAPED_BYTES_MAX = 4 << 20 /* strings with escapes, of a whole file */ };

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
    read_ints(reader, &reader->tree_groups, ENTRIES(FOREST_TREE_COUNT_MAX));
}

static void read_round_ends(struct xgboost_reader *reader, int)
{
    reader->has_round_ends = true;
    read_ints(reader, &reader->round_ends, ENTRIES(FOREST_TREE_COUNT_MAX + 1));
}

static void read_weights(struct xgboost_reader *reader, int is_inside)
{
    if (is_inside)
        reader->has_weights_inside = true;
    else
        reader->has_weights_beside = true;
    if (reader->has_weights_inside && reader->has_weights_beside)
        reader_refuse(reader, STATUS_INVALID, "is given twice");
    read_floats(reader, &reader->weights, ENTRIES(FOREST_TREE_COUNT_MAX));
}

static void read_linear_weights(struct xgboost_reader *reader, int)
{
    reader->has_linear_weights = true;
    read_floats(reader, &reader->linear_weights, ENTRIES(FOREST_VALUE_COUNT_MAX));
}

static void read_trees(struct xgboost_reader *reader, int)
{
    const char *path = reader->path;
    struct source_level level;

    reader->has_trees = true;
    source_enter_array(&reader->source, &level);
    while (source_item(&reader->source, &level))
        read_tree(reader);
    if (!reader_status(reader))
        reader->path = path;
}

/* An encoding of categories by name or number, that inputs would have to go through. */
static void read_category_encoding(struct xgboost_reader *reader, int)
{
    struct source_level level;

    if (source_peek(&reader->source) == JSON_KIND_NULL) {
        source_null(&reader->source);
        return;
    }
    source_enter_array(&reader->source, &level);
    if (source_item(&reader->source, &level))
        reader_refuse(reader, STATUS_INVALID,
                      "models with encoded categories are not supported");
}

static void read_cats(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"enc", read_category_encoding, 0},
        {"sorted_idx", read_category_encoding, 0},
    };

    if (source_peek(&reader->source) == JSON_KIND_NULL)
        source_null(&reader->source);
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
        {"weights", read_linear_weights, 0},
    };

    if (reader->has_model)
        reader_refuse(reader, STATUS_INVALID, "is given twice");
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
    if (source_text(&reader->source, &reader->arena, &text))
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
    struct source_level level;
    struct text name;

    source_enter_array(&reader->source, &level);
    while (source_item(&reader->source, &level)) {
        reader->item = reader->builder.name_count;
        if (!source_text(&reader->source, &reader->arena, &name))
            return;
        reader->source.scan.status =
            forest_builder_name(&reader->builder, name, reader->err);
        if (reader_status(reader))
            return;
    }
    if (!reader_status(reader))
        reader->item = -1;
}

/* What may be said here besides does not matter, and is anybody's to say. */
static void read_best_round(struct xgboost_reader *reader, int)
{
    struct text text;
    int64_t round;

    if (source_peek(&reader->source) != JSON_KIND_STRING)
        source_skip(&reader->source);
    else if (source_text(&reader->source, &reader->arena, &text) &&
             text_int(text, &round) && round >= 0 && round < FOREST_TREE_COUNT_MAX)
        reader->best_round = round;
}

static void read_attributes(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"best_iteration", read_best_round, 0}};

    if (source_peek(&reader->source) == JSON_KIND_OBJECT)
        READ_MEMBERS(reader, "attributes", members);
    else
        source_skip(&reader->source);
}

static void read_learner(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"gradient_booster", read_gradient_booster, 0},
        {"learner_model_param", read_learner_parameters, 0},
        {"objective", read_objective, 0},
        {"feature_names", read_feature_names, 0},
        {"attributes", read_attributes, 0},
    };

    reader->has_learner = true;
    READ_MEMBERS(reader, "learner", members);
}

static void read_version(struct xgboost_reader *reader, int)
{
    read_ints(reader, &reader->version, ENTRIES(3));
}

enum status xgboost_document_read(struct xgboost_reader *reader)
{
    static const struct xgboost_member members[] = {
        {"learner", read_learner, 0},
        {"version", read_version, 0},
    };

    READ_MEMBERS(reader, NULL, members);
    if (reader_status(reader))
        return wrap_place(reader);
    return source_end(&reader->source);
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
    free(reader->linear_weights.items);
}

enum status forest_read_xgboost(const char *text, size_t bytes, struct forest **forest,
                                struct err *err)
{
    struct err unheard;
    struct xgboost_reader reader = {
        .err = err ? err : &unheard,
        .item = -1,
        .feature_count = -1,
        .best_round = -1,
        .announced_tree_count = -1,
    };
    enum status rc;

    err_clear(reader.err);
    if (bytes > MODEL_BYTES_MAX)
        return err_set(reader.err, STATUS_TOO_LARGE, "the model is over %d bytes",
                       MODEL_BYTES_MAX);
    source_init(&reader.source, text, bytes, reader.err);
    arena_init(&reader.arena, NULL, 0, UNESCAPED_BYTES_MAX);
    rc = forest_builder_init(&reader.builder, FOREST_XGBOOST, reader.err);
    if (!rc)
        rc = xgboost_document_read(&reader);
    if (!rc)
        rc = xgboost_document_check(&reader);
    if (!rc)
        rc = forest_builder_finish(&reader.builder, forest, reader.err);
    reader_free(&reader);
    return rc;
}
