/* catboost_json.c - the models that CatBoost saves as JSON, with numeric splits. */
#include "model/catboost_reader.h"

#include "model/objective.h"
#include "model/scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES_MAX = 4 << 20 /* strings with escapes, and names */ };

void catboost_members(struct catboost_reader *reader,
                      const struct catboost_member *members, int count)
{
    struct json_level level;
    struct text key;
    uint32_t seen = 0;

    json_enter_object(reader->scan, &level);
    while (json_member(reader->scan, &level, &key)) {
        int i = 0;

        while (i < count && !text_is(key, members[i].name))
            i++;
        if (i == count) {
            source_skip(&reader->source);
            continue;
        }
        if (seen >> i & 1)
            json_refuse(reader->scan, STATUS_INVALID, "%s is given twice",
                        members[i].name);
        else
            members[i].read(reader);
        seen |= UINT32_C(1) << i;
    }
}

void catboost_go_to(struct catboost_reader *reader, const char *format, ...)
{
    va_list arguments;

    if (reader->scan->status)
        return;
    va_start(arguments, format);
    vsnprintf(reader->place, sizeof reader->place, format, arguments);
    va_end(arguments);
}

/* ---- trees ---- */

static struct catboost_split *split_of(struct catboost_reader *reader)
{
    return &reader->tree.splits[reader->tree.split_count];
}

static void read_split_type(struct catboost_reader *reader)
{
    struct text type;

    if (json_text(reader->scan, &reader->arena, &type) && !text_is(type, "FloatFeature"))
        json_refuse(reader->scan, STATUS_INVALID,
                    "splits of type '%.*s' are not supported, only FloatFeature",
                    TEXT_ARG(scalar_shown(type)));
}

static void read_split_feature(struct catboost_reader *reader)
{
    int64_t feature;

    if (!json_int(reader->scan, &feature))
        return;
    if (feature < 0 || feature >= FOREST_FEATURE_COUNT_MAX)
        json_refuse(reader->scan, STATUS_INVALID, "feature %lld of at most %d",
                    (long long)feature, FOREST_FEATURE_COUNT_MAX);
    else
        split_of(reader)->feature = (int32_t)feature;
}

static void read_border(struct catboost_reader *reader)
{
    double border;

    if (!scalar_double(reader->scan, &border))
        return;
    split_of(reader)->border = (float)border;
    if (!isfinite(split_of(reader)->border))
        json_refuse(reader->scan, STATUS_INVALID, "a border of %g is not finite", border);
}

static void read_splits(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {
        {"split_type", read_split_type},
        {"float_feature_index", read_split_feature},
        {"border", read_border},
    };
    int tree = reader->builder.forest->tree_count;
    struct json_level level;

    if (json_peek(reader->scan) ==
        JSON_KIND_NULL) { /* what an empty list is written as */
        json_take_null(reader->scan);
        return;
    }
    json_enter_array(reader->scan, &level);
    while (json_item(reader->scan, &level)) {
        catboost_go_to(reader, "oblivious_trees[%d].splits[%d]", tree,
                       reader->tree.split_count);
        if (reader->tree.split_count >= CATBOOST_DEPTH_MAX) {
            json_refuse(reader->scan, STATUS_TOO_LARGE, "more than %d splits",
                        CATBOOST_DEPTH_MAX);
            return;
        }
        *split_of(reader) = (struct catboost_split){.feature = -1, .border = NAN};
        READ_MEMBERS(reader, members);
        if (reader->scan->status)
            return;
        if (split_of(reader)->feature < 0 || isnan(split_of(reader)->border))
            json_refuse(reader->scan, STATUS_INVALID,
                        "float_feature_index or border is missing");
        reader->tree.split_count++;
    }
    catboost_go_to(reader, "oblivious_trees[%d]", tree);
}

static void read_leaf_values(struct catboost_reader *reader)
{
    struct json_level level;
    double value;

    json_enter_array(reader->scan, &level);
    while (json_item(reader->scan, &level)) {
        if (!scalar_double(reader->scan, &value))
            return;
        if (reader->tree.value_count >= FOREST_VALUE_COUNT_MAX)
            json_refuse(reader->scan, STATUS_TOO_LARGE, "more than %d leaf_values",
                        FOREST_VALUE_COUNT_MAX);
        else if (!catboost_value_push(&reader->tree, value))
            json_refuse(reader->scan, STATUS_EXHAUSTED, "out of memory for a tree");
    }
}

static void read_trees(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {
        {"splits", read_splits},
        {"leaf_values", read_leaf_values},
    };
    struct json_level level;

    reader->has_trees = true;
    json_enter_array(reader->scan, &level);
    while (json_item(reader->scan, &level)) {
        reader->tree.split_count = 0;
        reader->tree.value_count = 0;
        catboost_go_to(reader, "oblivious_trees[%d]", reader->builder.forest->tree_count);
        READ_MEMBERS(reader, members);
        if (!reader->scan->status)
            reader->scan->status =
                catboost_tree_add(&reader->tree, &reader->builder, reader->err);
    }
    catboost_go_to(reader, "%s", "");
}

static void refuse_trees(struct catboost_reader *reader)
{
    json_refuse(reader->scan, STATUS_INVALID,
                "trees: only oblivious trees (grow_policy SymmetricTree) are supported");
}

/* ---- what becomes of the sum ---- */

static void read_loss_type(struct catboost_reader *reader)
{
    struct text type;

    if (json_text(reader->scan, &reader->arena, &type) &&
        !text_copy(type, reader->loss, sizeof reader->loss))
        json_refuse(reader->scan, STATUS_INVALID, "'%.*s' is not known",
                    TEXT_ARG(scalar_shown(type)));
}

static void read_loss(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {{"type", read_loss_type}};

    catboost_go_to(reader, "loss_function");
    READ_MEMBERS(reader, members);
    catboost_go_to(reader, "%s", "");
}

static void read_parameters(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {{"loss_function", read_loss}};

    if (json_peek(reader->scan) == JSON_KIND_OBJECT)
        READ_MEMBERS(reader, members);
    else
        source_skip(&reader->source);
}

static void read_info(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {{"params", read_parameters}};

    READ_MEMBERS(reader, members);
}

static void read_bias(struct catboost_reader *reader)
{
    double bias;

    if (!scalar_double(reader->scan, &bias))
        return;
    if (reader->bias_count >= FOREST_GROUP_COUNT_MAX)
        json_refuse(reader->scan, STATUS_TOO_LARGE, "more than %d biases",
                    FOREST_GROUP_COUNT_MAX);
    else if (!array_reserve((void **)&reader->biases, &reader->bias_capacity,
                            reader->bias_count + 1, sizeof bias))
        json_refuse(reader->scan, STATUS_EXHAUSTED, "out of memory for a model");
    else
        reader->biases[reader->bias_count++] = bias;
}

/* [scale, [bias, ..]], before 2020 [scale, bias]. */
static void read_scale_and_bias(struct catboost_reader *reader)
{
    struct json_level level, biases;

    catboost_go_to(reader, "scale_and_bias");
    json_enter_array(reader->scan, &level);
    for (int i = 0; json_item(reader->scan, &level); i++) {
        if (i == 0 && scalar_double(reader->scan, &reader->scale)) {
            reader->has_scale = true;
        } else if (i == 1 && json_peek(reader->scan) == JSON_KIND_ARRAY) {
            json_enter_array(reader->scan, &biases);
            while (json_item(reader->scan, &biases))
                read_bias(reader);
        } else if (i == 1) {
            read_bias(reader);
        } else {
            json_refuse(reader->scan, STATUS_INVALID, "has more than two entries");
        }
    }
    if (!reader->has_scale)
        json_refuse(reader->scan, STATUS_INVALID, "is empty");
    catboost_go_to(reader, "%s", "");
}

/* ---- all of it ---- */

static enum status read_document(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {
        {"oblivious_trees", read_trees},           {"trees", refuse_trees},
        {"features_info", catboost_features_read}, {"model_info", read_info},
        {"scale_and_bias", read_scale_and_bias},
    };

    READ_MEMBERS(reader, members);
    if (json_scan_end(reader->scan) && reader->place[0])
        return err_wrap(reader->err, "%s", reader->place);
    return reader->scan->status;
}

static enum status settle_sum(struct catboost_reader *reader)
{
    struct forest *forest = reader->builder.forest;

    if (forest->tree_count == 0)
        forest->group_count = reader->bias_count ? (int)reader->bias_count : 1;
    if (reader->bias_count && reader->bias_count != (size_t)forest->group_count)
        return err_set(reader->err, STATUS_INVALID,
                       "scale_and_bias: %zu biases for %d outputs", reader->bias_count,
                       forest->group_count);
    if (reader->has_scale)
        forest->sum_scale = reader->scale;
    forest->trees_per_round = 1;
    forest->base_margin = calloc((size_t)forest->group_count, sizeof(double));
    forest->tree_groups = calloc((size_t)forest->tree_count + 1, sizeof(int32_t));
    if (!forest->base_margin || !forest->tree_groups)
        return err_set(reader->err, STATUS_EXHAUSTED, "out of memory for a model");
    if (reader->bias_count)
        memcpy(forest->base_margin, reader->biases,
               reader->bias_count * sizeof *reader->biases);
    memcpy(forest->library, "catboost", sizeof "catboost");
    return catboost_objective_read(reader->loss[0] ? reader->loss : "none", forest,
                                   reader->err);
}

static enum status check(struct catboost_reader *reader)
{
    enum status rc;

    if (!reader->has_trees)
        return err_set(reader->err, STATUS_INVALID, "oblivious_trees: is missing");
    if (!reader->has_features)
        return err_set(reader->err, STATUS_INVALID, "features_info: is missing");
    rc = catboost_features_place(reader);
    if (!rc)
        rc = settle_sum(reader);
    return rc;
}

enum status forest_read_catboost(const char *text, size_t bytes, struct forest **forest,
                                 struct err *err)
{
    struct err unheard;
    struct catboost_reader reader = {.scale = 1, .err = err ? err : &unheard};
    enum status rc;

    err_clear(reader.err);
    if (bytes > MODEL_BYTES_MAX)
        return err_set(reader.err, STATUS_TOO_LARGE, "the model is over %d bytes",
                       MODEL_BYTES_MAX);
    if (source_is_ubj(text, bytes))
        return err_set(reader.err, STATUS_MALFORMED, "byte 1: expected a key in quotes");
    source_init(&reader.source, text, bytes, reader.err);
    reader.scan = &reader.source.scan;
    arena_init(&reader.arena, NULL, 0, TEXT_BYTES_MAX);
    rc = forest_builder_init(&reader.builder, FOREST_CATBOOST, reader.err);
    if (!rc)
        rc = read_document(&reader);
    if (!rc)
        rc = check(&reader);
    if (!rc)
        rc = forest_builder_finish(&reader.builder, forest, reader.err);
    forest_builder_free(&reader.builder);
    catboost_tree_free(&reader.tree);
    arena_reset(&reader.arena);
    free(reader.features);
    free(reader.biases);
    return rc;
}
