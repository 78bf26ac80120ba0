/* catboost_features.c - which columns of the input CatBoost's splits are on. */
#include "model/catboost_reader.h"

#include "model/scalar.h"

#include <stdlib.h>

static struct catboost_feature *feature_of(struct catboost_reader *reader)
{
    return &reader->features[reader->feature_count];
}

/* Where a feature stands in the input. */
static bool take_column(struct catboost_reader *reader, int64_t *column)
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

static void read_column(struct catboost_reader *reader)
{
    int64_t column;

    if (take_column(reader, &column))
        feature_of(reader)->column = (int32_t)column;
}

static void read_other_column(struct catboost_reader *reader)
{
    int64_t column;

    take_column(reader, &column);
}

static void read_index(struct catboost_reader *reader)
{
    int64_t index;

    if (json_int(reader->scan, &index) && index != (int64_t)reader->feature_count)
        json_refuse(reader->scan, STATUS_INVALID, "feature_index is %lld",
                    (long long)index);
}

static void read_nan_treatment(struct catboost_reader *reader)
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

static void read_name(struct catboost_reader *reader)
{
    struct text name;

    if (json_text(reader->scan, &reader->arena, &name) && name.bytes)
        feature_of(reader)->name = name;
}

static void read_float_features(struct catboost_reader *reader)
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
        catboost_go_to(reader, "float_features[%zu]", reader->feature_count);
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
    catboost_go_to(reader, "%s", "");
}

/* They only take up columns: splits on them are refused. */
static void read_other_features(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {
        {"flat_feature_index", read_other_column},
    };
    struct json_level level;

    json_enter_array(reader->scan, &level);
    while (json_item(reader->scan, &level))
        READ_MEMBERS(reader, members);
}

void catboost_features_read(struct catboost_reader *reader)
{
    static const struct catboost_member members[] = {
        {"float_features", read_float_features},
        {"categorical_features", read_other_features},
    };

    reader->has_features = true;
    READ_MEMBERS(reader, members);
}

/* Columns are different, and splits are on features that are listed. */
static enum status place_columns(struct catboost_reader *reader)
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
static enum status take_names(struct catboost_reader *reader)
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

enum status catboost_features_place(struct catboost_reader *reader)
{
    enum status rc = place_columns(reader);

    return rc ? rc : take_names(reader);
}
