/* catboost_json.c - the models that CatBoost saves as JSON, with numeric splits.
 *
 * Members come in any order: splits name their features by number until all is read. */
#include "model/catboost_tree.h"
#include "model/objective.h"
#include "model/scalar.h"
#include "model/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES_MAX = 4 << 20 /* strings with escapes, and names */ };

/* A numeric feature. */
struct catboost_feature {
    int32_t column;     /* of the input; -1: not said */
    bool nan_is_larger; /* than every border */
    struct text name;
};

struct reader {
    struct source source;
    struct json_scan *scan; /* of the source */
    struct arena arena;
    struct forest_builder builder;
    struct catboost_tree tree;
    struct catboost_feature *features;
    size_t feature_count, feature_capacity;
    int64_t column_count; /* also those of features that are not numeric */
    double scale, *biases;
    size_t bias_count, bias_capacity;
    char loss[48];
    bool has_trees, has_features, has_scale;
    char place[96]; /* of what is being read, for messages */
    struct err *err;
};

/* What reads a member's value. */
typedef void read_value(struct reader *reader);

struct catboost_member {
    const char *name;
    read_value *read;
};

/* Known members by the table, each at most once; others are skipped. */
static void read_members(struct reader *reader, const struct catboost_member *members,
                         int count)
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

#define READ_MEMBERS(reader, members)                                                    \
    read_members((reader), (members), sizeof(members) / sizeof *(members))

/* Say where the items are that are read next. The place of a failure stays. */
__attribute__((format(printf, 2, 3))) static void go_to(struct reader *reader,
                                                        const char *format, ...)
{
    va_list arguments;

    if (reader->scan->status)
        return;
    va_start(arguments, format);
    vsnprintf(reader->place, sizeof reader->place, format, arguments);
    va_end(arguments);
}

/* ---- trees ---- */

static struct catboost_split *split_of(struct reader *reader)
{
    return &reader->tree.splits[reader->tree.split_count];
}

static void read_split_type(struct reader *reader)
{
    struct text type;

    if (json_text(reader->scan, &reader->arena, &type) && !text_is(type, "FloatFeature"))
        json_refuse(reader->scan, STATUS_INVALID,
                    "splits of type '%.*s' are not supported, only FloatFeature",
                    TEXT_ARG(scalar_shown(type)));
}

static void read_split_feature(struct reader *reader)
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

static void read_border(struct reader *reader)
{
    double border;

    if (!json_double(reader->scan, &border))
        return;
    split_of(reader)->border = (float)border;
    if (!isfinite(split_of(reader)->border))
        json_refuse(reader->scan, STATUS_INVALID, "a border of %g is not finite", border);
}

static void read_splits(struct reader *reader)
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
        go_to(reader, "oblivious_trees[%d].splits[%d]", tree, reader->tree.split_count);
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
    go_to(reader, "oblivious_trees[%d]", tree);
}

static void read_leaf_values(struct reader *reader)
{
    struct json_level level;
    double value;

    json_enter_array(reader->scan, &level);
    while (json_item(reader->scan, &level)) {
        if (!json_double(reader->scan, &value))
            return;
        if (reader->tree.value_count >= FOREST_VALUE_COUNT_MAX)
            json_refuse(reader->scan, STATUS_TOO_LARGE, "more than %d leaf_values",
                        FOREST_VALUE_COUNT_MAX);
        else if (!catboost_value_push(&reader->tree, value))
            json_refuse(reader->scan, STATUS_EXHAUSTED, "out of memory for a tree");
    }
}

static void read_trees(struct reader *reader)
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
        go_to(reader, "oblivious_trees[%d]", reader->builder.forest->tree_count);
        READ_MEMBERS(reader, members);
        if (!reader->scan->status)
            reader->scan->status =
                catboost_tree_add(&reader->tree, &reader->builder, reader->err);
    }
    go_to(reader, "%s", "");
}

static void refuse_trees(struct reader *reader)
{
    json_refuse(reader->scan, STATUS_INVALID,
                "trees: only oblivious trees (grow_policy SymmetricTree) are supported");
}

/* ---- features ---- */

static struct catboost_feature *feature_of(struct reader *reader)
{
    return &reader->features[reader->feature_count];
}

/* Where a feature stands in the input. */
static bool take_column(struct reader *reader, int64_t *column)
{
    if (!json_int(reader->scan, column))
        return false;
    if (*column < 0 || *column >= FOREST_FEATURE_COUNT_MAX)
        return json_refuse(reader->scan, STATUS_INVALID,
                           "flat_feature_index is %lld of at most %d", (long long)*column,
                           FOREST_FEATURE_COUNT_MAX);
    if (*column >= reader->column_count)
        reader->column_count = *column + 1;
    return true;
}

static void read_column(struct reader *reader)
{
    int64_t column;

    if (take_column(reader, &column))
        feature_of(reader)->column = (int32_t)column;
}

static void read_other_column(struct reader *reader)
{
    int64_t column;

    take_column(reader, &column);
}

static void read_index(struct reader *reader)
{
    int64_t index;

    if (json_int(reader->scan, &index) && index != (int64_t)reader->feature_count)
        json_refuse(reader->scan, STATUS_INVALID, "feature_index is %lld",
                    (long long)index);
}

static void read_nan_treatment(struct reader *reader)
{
    struct text treatment;

    if (!json_text(reader->scan, &reader->arena, &treatment))
        return;
    if (text_is(treatment, "AsTrue"))
        feature_of(reader)->nan_is_larger = true;
    else if (!text_is(treatment, "AsFalse") && !text_is(treatment, "AsIs"))
        json_refuse(reader->scan, STATUS_INVALID, "nan_value_treatment '%.*s'",
                    TEXT_ARG(scalar_shown(treatment)));
}

static void read_name(struct reader *reader)
{
    struct text name;

    if (json_text(reader->scan, &reader->arena, &name) && name.bytes)
        feature_of(reader)->name = name;
}

static void read_float_features(struct reader *reader)
{
    static const struct catboost_member members[] = {
        {"flat_feature_index", read_column},
        {"feature_index", read_index},
        {"nan_value_treatment", read_nan_treatment},
        {"feature_id", read_name},
        {"feature_name", read_name},
    };
    struct json_level level;

    json_enter_array(reader->scan, &level);
    while (json_item(reader->scan, &level)) {
        go_to(reader, "float_features[%zu]", reader->feature_count);
        if (reader->feature_count >= FOREST_FEATURE_COUNT_MAX)
            json_refuse(reader->scan, STATUS_TOO_LARGE, "more than %d features",
                        FOREST_FEATURE_COUNT_MAX);
        else if (!array_reserve((void **)&reader->features, &reader->feature_capacity,
                                reader->feature_count + 1, sizeof *reader->features))
            json_refuse(reader->scan, STATUS_EXHAUSTED, "out of memory for a model");
        if (reader->scan->status)
            return;
        *feature_of(reader) = (struct catboost_feature){.column = -1};
        READ_MEMBERS(reader, members);
        if (feature_of(reader)->column < 0)
            json_refuse(reader->scan, STATUS_INVALID, "flat_feature_index is missing");
        reader->feature_count++;
    }
    go_to(reader, "%s", "");
}

/* They only take up columns: splits on them are refused. */
static void read_other_features(struct reader *reader)
{
    static const struct catboost_member members[] = {
        {"flat_feature_index", read_other_column},
    };
    struct json_level level;

    json_enter_array(reader->scan, &level);
    while (json_item(reader->scan, &level))
        READ_MEMBERS(reader, members);
}

static void read_features(struct reader *reader)
{
    static const struct catboost_member members[] = {
        {"float_features", read_float_features},
        {"categorical_features", read_other_features},
    };

    reader->has_features = true;
    READ_MEMBERS(reader, members);
}

/* ---- what becomes of the sum ---- */

static void read_loss_type(struct reader *reader)
{
    struct text type;

    if (json_text(reader->scan, &reader->arena, &type) &&
        !text_copy(type, reader->loss, sizeof reader->loss))
        json_refuse(reader->scan, STATUS_INVALID, "'%.*s' is not known",
                    TEXT_ARG(scalar_shown(type)));
}

static void read_loss(struct reader *reader)
{
    static const struct catboost_member members[] = {{"type", read_loss_type}};

    go_to(reader, "loss_function");
    READ_MEMBERS(reader, members);
    go_to(reader, "%s", "");
}

static void read_parameters(struct reader *reader)
{
    static const struct catboost_member members[] = {{"loss_function", read_loss}};

    if (json_peek(reader->scan) == JSON_KIND_OBJECT)
        READ_MEMBERS(reader, members);
    else
        source_skip(&reader->source);
}

static void read_info(struct reader *reader)
{
    static const struct catboost_member members[] = {{"params", read_parameters}};

    READ_MEMBERS(reader, members);
}

static void read_bias(struct reader *reader)
{
    double bias;

    if (!json_double(reader->scan, &bias))
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
static void read_scale_and_bias(struct reader *reader)
{
    struct json_level level, biases;

    go_to(reader, "scale_and_bias");
    json_enter_array(reader->scan, &level);
    for (int i = 0; json_item(reader->scan, &level); i++) {
        if (i == 0 && json_double(reader->scan, &reader->scale)) {
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
    go_to(reader, "%s", "");
}

/* ---- all of it ---- */

static enum status read_document(struct reader *reader)
{
    static const struct catboost_member members[] = {
        {"oblivious_trees", read_trees},         {"trees", refuse_trees},
        {"features_info", read_features},        {"model_info", read_info},
        {"scale_and_bias", read_scale_and_bias},
    };

    READ_MEMBERS(reader, members);
    if (json_scan_end(reader->scan) && reader->place[0])
        return err_wrap(reader->err, "%s", reader->place);
    return reader->scan->status;
}

/* Columns are different, and splits are on features that are listed. */
static enum status place_features(struct reader *reader)
{
    struct forest *forest = reader->builder.forest;
    bool *is_taken = calloc((size_t)reader->column_count + 1, sizeof *is_taken);
    int tree = 0;
    enum status rc = STATUS_OK;

    if (!is_taken)
        return err_set(reader->err, STATUS_EXHAUSTED, "out of memory for a model");
    for (size_t i = 0; i < reader->feature_count && !rc; i++) {
        if (is_taken[reader->features[i].column])
            rc = err_set(reader->err, STATUS_INVALID,
                         "float_features[%zu]: flat_feature_index %d is taken", i,
                         reader->features[i].column);
        is_taken[reader->features[i].column] = true;
    }
    free(is_taken);
    forest->feature_count = (int)reader->column_count;
    for (int i = 0; i < forest->node_count && !rc; i++) {
        struct forest_node *node = &forest->nodes[i];

        while (tree + 1 < forest->tree_count && forest->roots[tree + 1] <= i)
            tree++;
        if (node->feature < 0)
            continue;
        if ((size_t)node->feature >= reader->feature_count)
            return err_set(reader->err, STATUS_INVALID,
                           "oblivious_trees[%d].splits: feature %d of %zu", tree,
                           node->feature, reader->feature_count);
        node->goes_left_by_default = !reader->features[node->feature].nan_is_larger;
        node->feature = reader->features[node->feature].column;
    }
    return rc;
}

/* When all columns are numeric features in order and have names. */
static enum status take_names(struct reader *reader)
{
    enum status rc = STATUS_OK;

    if (reader->feature_count != (size_t)reader->column_count)
        return STATUS_OK;
    for (size_t i = 0; i < reader->feature_count; i++)
        if (!reader->features[i].name.bytes || reader->features[i].column != (int32_t)i)
            return STATUS_OK;
    for (size_t i = 0; i < reader->feature_count && !rc; i++)
        rc = forest_builder_name(&reader->builder, reader->features[i].name, reader->err);
    return rc;
}

static enum status settle_sum(struct reader *reader)
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

static enum status check(struct reader *reader)
{
    enum status rc;

    if (!reader->has_trees)
        return err_set(reader->err, STATUS_INVALID, "oblivious_trees: is missing");
    if (!reader->has_features)
        return err_set(reader->err, STATUS_INVALID, "features_info: is missing");
    rc = place_features(reader);
    if (!rc)
        rc = take_names(reader);
    if (!rc)
        rc = settle_sum(reader);
    return rc;
}

enum status forest_read_catboost(const char *text, size_t bytes, struct forest **forest,
                                 struct err *err)
{
    struct err unheard;
    struct reader reader = {.scale = 1, .err = err ? err : &unheard};
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
