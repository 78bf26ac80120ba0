/* xgboost_reader.c - values and trees of XGBoost's files. */
#include "model/xgboost_reader.h"

#include "model/scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void read_members(struct xgboost_reader *reader, const char *path,
                  const struct xgboost_member *members, int count)
{
    const char *outer_path = reader->path, *outer_member = reader->member;
    struct source_level level;
    struct text key;
    uint32_t seen = 0;

    source_enter_object(&reader->source, &level);
    if (reader_status(reader))
        return;
    reader->path = path;
    while (source_member(&reader->source, &level, &key)) {
        int i = 0;

        while (i < count && !text_is(key, members[i].name))
            i++;
        reader->member = i < count ? members[i].name : NULL;
        if (i == count)
            source_skip(&reader->source);
        else if (seen >> i & 1)
            reader_refuse(reader, STATUS_INVALID, "is given twice");
        else
            members[i].read(reader, members[i].argument);
        seen |= i < count ? UINT32_C(1) << i : 0;
        if (reader_status(reader))
            return; /* and stay where the failure is */
        reader->member = NULL;
    }
    if (reader_status(reader))
        return;
    reader->path = outer_path;
    reader->member = outer_member;
}

void read_parameter(struct xgboost_reader *reader, int64_t min, int64_t max,
                    int64_t *value)
{
    struct text text;

    if (!source_text(&reader->source, &reader->arena, &text))
        return;
    if (!text_int(text, value))
        reader_refuse(reader, STATUS_INVALID, "'%.*s' is not a whole number",
                      TEXT_ARG(scalar_shown(text)));
    else if (*value < min || *value > max)
        reader_refuse(reader, STATUS_INVALID, "%lld is not in [%lld, %lld]",
                      (long long)*value, (long long)min, (long long)max);
}

void xgboost_name(struct xgboost_reader *reader, char *buffer, size_t buffer_bytes)
{
    struct text text;

    if (source_text(&reader->source, &reader->arena, &text) &&
        !text_copy(text, buffer, buffer_bytes))
        reader_refuse(reader, STATUS_INVALID, "'%.*s' is not known",
                      TEXT_ARG(scalar_shown(text)));
}

/* The place of a failure stays. */
static void leave_array(struct xgboost_reader *reader)
{
    if (!reader_status(reader))
        reader->item = -1;
}

static void refuse_memory(struct xgboost_reader *reader)
{
    reader_refuse(reader, STATUS_EXHAUSTED, "out of memory for a model");
}

static void refuse_length(struct xgboost_reader *reader, struct xgboost_room room)
{
    reader_refuse(reader, STATUS_TOO_LARGE, "more than %d %s", room.stated_count,
                  room.stated_things);
}

/* Most items are plain: take them many at a time, within the room. */
static void take_plain_ints(struct xgboost_reader *reader, struct source_level *level,
                            struct int_column *column, struct xgboost_room room)
{
    while (column->count < room.count && int_column_grow(column)) {
        size_t end = column->capacity < room.count ? column->capacity : room.count;

        column->count += source_plain_ints(
            &reader->source, level, column->items + column->count, end - column->count);
        if (column->count < end)
            return;
    }
}

void read_ints(struct xgboost_reader *reader, struct int_column *column,
               struct xgboost_room room)
{
    struct source_level level;
    int64_t value;

    column->count = 0;
    source_enter_array(&reader->source, &level);
    for (;;) {
        take_plain_ints(reader, &level, column, room);
        if (!source_item(&reader->source, &level))
            break;
        reader->item = (long)column->count;
        if (!source_int(&reader->source, &value))
            return;
        if (value != (int32_t)value)
            reader_refuse(reader, STATUS_INVALID, "%lld does not fit into 32 bits",
                          (long long)value);
        else if (column->count >= room.count)
            refuse_length(reader, room);
        else if (!int_column_push(column, (int32_t)value))
            refuse_memory(reader);
        if (reader_status(reader))
            return;
    }
    leave_array(reader);
}

void read_floats(struct xgboost_reader *reader, struct float_column *column,
                 struct xgboost_room room)
{
    struct source_level level;
    float value;

    column->count = 0;
    source_enter_array(&reader->source, &level);
    while (source_item(&reader->source, &level)) {
        reader->item = (long)column->count;
        if (!source_float(&reader->source, &value))
            return;
        if (column->count >= room.count)
            refuse_length(reader, room);
        else if (!float_column_push(column, value))
            refuse_memory(reader);
        if (reader_status(reader))
            return;
    }
    leave_array(reader);
}

enum status wrap_place(struct xgboost_reader *reader)
{
    char place[128] = "";
    int bytes = 0;

    if (reader->is_in_tree)
        bytes = snprintf(place, sizeof place, "trees[%d]", reader->tree_index);
    if (reader->path)
        bytes += snprintf(place + bytes, sizeof place - (size_t)bytes, "%s%s",
                          bytes ? "." : "", reader->path);
    if (reader->member)
        bytes += snprintf(place + bytes, sizeof place - (size_t)bytes, "%s%s",
                          bytes ? "." : "", reader->member);
    if (reader->member && reader->item >= 0)
        snprintf(place + bytes, sizeof place - (size_t)bytes, "[%ld]", reader->item);
    if (!place[0])
        return reader_status(reader);
    return err_wrap(reader->err, "%s", place);
}

/* Also what no root reaches takes time to read. */
static struct xgboost_room nodes_left(const struct xgboost_reader *reader)
{
    return (struct xgboost_room){FOREST_NODE_COUNT_MAX - reader->node_total,
                                 FOREST_NODE_COUNT_MAX, "nodes in all trees"};
}

static struct xgboost_room values_left(const struct xgboost_reader *reader)
{
    return (struct xgboost_room){FOREST_VALUE_COUNT_MAX - reader->value_total,
                                 FOREST_VALUE_COUNT_MAX, "values in all leaves"};
}

static void read_column(struct xgboost_reader *reader, int column)
{
    bool is_categories = column == COLUMN_CATEGORIES;

    reader->tree.columns_present |= 1u << column;
    read_ints(reader, &reader->tree.columns[column],
              is_categories ? ENTRIES(XGBOOST_CATEGORY_COUNT_MAX) : nodes_left(reader));
}

static void read_conditions(struct xgboost_reader *reader, int)
{
    reader->tree.has_condition = true;
    read_floats(reader, &reader->tree.condition, nodes_left(reader));
}

static void read_covers(struct xgboost_reader *reader, int)
{
    reader->tree.has_cover = true;
    read_floats(reader, &reader->tree.cover, nodes_left(reader));
}

#define FLAG_REFUSAL "%lld is neither 0 nor 1"

/* 0 and 1; false and true in files before 1.5. */
static bool read_flag(struct xgboost_reader *reader, int64_t *value)
{
    bool flag = false;

    if (source_peek(&reader->source) == JSON_KIND_BOOL) {
        if (!source_bool(&reader->source, &flag))
            return false;
        *value = flag;
        return true;
    }
    if (!source_int(&reader->source, value))
        return false;
    if (*value != 0 && *value != 1)
        return reader_refuse(reader, STATUS_INVALID, FLAG_REFUSAL, (long long)*value);
    return true;
}

/* Those that were taken many at a time. */
static void check_flags(struct xgboost_reader *reader)
{
    const struct int_column *column = &reader->tree.columns[COLUMN_DEFAULT_LEFT];

    for (size_t i = 0; i < column->count && !reader_status(reader); i++)
        if (column->items[i] != 0 && column->items[i] != 1) {
            reader->item = (long)i;
            reader_refuse(reader, STATUS_INVALID, FLAG_REFUSAL,
                          (long long)column->items[i]);
        }
}

static void read_default_left(struct xgboost_reader *reader, int)
{
    struct int_column *column = &reader->tree.columns[COLUMN_DEFAULT_LEFT];
    struct xgboost_room room = nodes_left(reader);
    struct source_level level;
    int64_t value;

    reader->tree.columns_present |= 1u << COLUMN_DEFAULT_LEFT;
    source_enter_array(&reader->source, &level);
    for (;;) {
        take_plain_ints(reader, &level, column, room);
        if (!source_item(&reader->source, &level))
            break;
        reader->item = (long)column->count;
        if (!read_flag(reader, &value))
            return;
        if (column->count >= room.count)
            refuse_length(reader, room);
        else if (!int_column_push(column, (int32_t)value))
            refuse_memory(reader);
        if (reader_status(reader))
            return;
    }
    check_flags(reader);
    leave_array(reader);
}

static void read_leaf_weights(struct xgboost_reader *reader, int)
{
    reader->tree.has_leaf_weights = true;
    read_floats(reader, &reader->tree.leaf_weights, values_left(reader));
}

static const char *const statistic_names[STATISTIC_COUNT] = {
    [NODE_WEIGHTS] = "base_weights",
    [LOSS_CHANGES] = "loss_changes",
    [PARENTS] = "parents",
};

/* Numbers that nobody needs: only how many they are. */
static void read_statistic(struct xgboost_reader *reader, int statistic)
{
    struct source_level level;
    int64_t count = 0;

    source_enter_array(&reader->source, &level);
    for (;;) {
        count += (int64_t)source_skip_plain(&reader->source, &level,
                                            (size_t)(FOREST_VALUE_COUNT_MAX - count));
        if (!source_item(&reader->source, &level))
            break;
        reader->item = (long)count++;
        if (count > FOREST_VALUE_COUNT_MAX)
            reader_refuse(reader, STATUS_TOO_LARGE, "more than %d entries",
                          FOREST_VALUE_COUNT_MAX);
        else
            source_skip_float(&reader->source);
        if (reader_status(reader))
            return;
    }
    leave_array(reader);
    reader->statistic_counts[statistic] = count;
}

/* A statistic too, unless the leaves turn out to be in it: then they are read later. */
static void read_node_weights(struct xgboost_reader *reader, int statistic)
{
    reader->node_weights = reader->source;
    read_statistic(reader, statistic);
}

/* Go back for the leaves, when they are nowhere else. */
static enum status read_vectors(struct xgboost_reader *reader)
{
    struct source source = reader->source;
    struct xgboost_tree *tree = &reader->tree;

    if (tree->leaf_vector_size <= 1 || tree->has_leaf_weights ||
        reader->statistic_counts[NODE_WEIGHTS] < 0)
        return STATUS_OK;
    tree->has_node_weights = true;
    reader->source = reader->node_weights;
    reader->member = "base_weights";
    read_floats(reader, &tree->node_weights, values_left(reader));
    if (reader_status(reader))
        return reader_status(reader);
    reader->member = NULL;
    reader->source = source;
    return STATUS_OK;
}

static enum status check_statistics(struct xgboost_reader *reader)
{
    /* Where leaves are vectors, nodes may have vectors of their own length. */
    int first = reader->tree_vector_size > 1 ? NODE_WEIGHTS + 1 : 0;

    for (int i = first; i < STATISTIC_COUNT; i++)
        if (reader->statistic_counts[i] >= 0 &&
            reader->statistic_counts[i] != reader->tree.node_count)
            return err_set(reader->err, STATUS_INVALID,
                           "%s: has %lld entries for %lld nodes", statistic_names[i],
                           (long long)reader->statistic_counts[i],
                           (long long)reader->tree.node_count);
    return STATUS_OK;
}

/* The leaves of all trees have as many numbers. */
static enum status check_vector_size(struct xgboost_reader *reader)
{
    int64_t size = reader->tree.leaf_vector_size > 1 ? reader->tree.leaf_vector_size : 1;

    if (reader->tree_index == 0)
        reader->tree_vector_size = size;
    if (size != reader->tree_vector_size)
        return err_set(reader->err, STATUS_INVALID,
                       "tree_param.size_leaf_vector: is %lld, in the first tree %lld",
                       (long long)size, (long long)reader->tree_vector_size);
    return STATUS_OK;
}

static void read_node_count(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 1, FOREST_NODE_COUNT_MAX, &reader->tree.node_count);
}

static void read_leaf_vector(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 0, FOREST_GROUP_COUNT_MAX, &reader->tree.leaf_vector_size);
}

static void read_tree_parameters(struct xgboost_reader *reader, int)
{
    static const struct xgboost_member members[] = {
        {"num_nodes", read_node_count, 0},
        {"size_leaf_vector", read_leaf_vector, 0},
    };
    READ_MEMBERS(reader, "tree_param", members);
}

/* XGBoost puts each tree where its id says; we take them in order and check that this is
 * the same. */
static void read_id(struct xgboost_reader *reader, int)
{
    int64_t id;

    if (source_int(&reader->source, &id) && id != reader->tree_index)
        reader_refuse(reader, STATUS_INVALID, "is %lld", (long long)id);
}

/* What is wrong with a whole tree begins with the array: "trees[17].left_children[4]:
 * ". */
static void place_tree_fault(struct xgboost_reader *reader)
{
    struct err *err = reader->err;
    char text[sizeof err->text + 32];

    snprintf(text, sizeof text, "trees[%d].%s", reader->tree_index, err->text);
    memcpy(err->text, text, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = 0;
}

void read_tree(struct xgboost_reader *reader)
{
    static const struct xgboost_member members[] = {
        {"left_children", read_column, COLUMN_LEFT},
        {"right_children", read_column, COLUMN_RIGHT},
        {"split_indices", read_column, COLUMN_FEATURE},
        {"split_conditions", read_conditions, 0},
        {"default_left", read_default_left, 0},
        {"split_type", read_column, COLUMN_SPLIT_TYPE},
        {"categories", read_column, COLUMN_CATEGORIES},
        {"categories_nodes", read_column, COLUMN_CATEGORY_NODES},
        {"categories_segments", read_column, COLUMN_CATEGORY_SEGMENTS},
        {"categories_sizes", read_column, COLUMN_CATEGORY_SIZES},
        {"base_weights", read_node_weights, NODE_WEIGHTS},
        {"leaf_weights", read_leaf_weights, 0},
        {"loss_changes", read_statistic, LOSS_CHANGES},
        {"parents", read_statistic, PARENTS},
        {"sum_hessian", read_covers, 0},
        {"id", read_id, 0},
        {"tree_param", read_tree_parameters, 0},
    };

    enum status rc;

    xgboost_tree_reset(&reader->tree);
    for (int i = 0; i < STATISTIC_COUNT; i++)
        reader->statistic_counts[i] = -1;
    reader->is_in_tree = true;
    reader->tree_index = reader->builder.forest->tree_count;
    READ_MEMBERS(reader, NULL, members);
    if (reader_status(reader) || read_vectors(reader))
        return;
    reader->path = reader->member = NULL;
    reader->is_in_tree = false;
    rc = check_vector_size(reader);
    if (!rc)
        rc = xgboost_tree_add(&reader->tree, &reader->builder, reader->err);
    if (!rc)
        rc = check_statistics(reader);
    if (rc)
        place_tree_fault(reader);
    else
        reader->node_total += (size_t)reader->tree.node_count;
    reader->value_total +=
        reader->tree.leaf_weights.count + reader->tree.node_weights.count;
    reader->source.scan.status = rc;
}
