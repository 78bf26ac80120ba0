/* xgboost_reader.c - values and trees of XGBoost's JSON. */
#include "model/xgboost_reader.h"

#include "model/scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SKIPPED_BYTES_MAX = 32 << 20 };

/* Members that do not matter are read past, up to so many bytes in a file: reading on
 * would take seconds, and no trainer writes as much beside its trees. */
static void skip_member(struct xgboost_reader *reader)
{
    struct json_scan *scan = &reader->scan;
    const char *start = scan->at, *end = scan->end;
    size_t left = SKIPPED_BYTES_MAX - reader->skipped_bytes;
    bool is_cut = (size_t)(end - start) > left;

    if (is_cut)
        scan->end = start + left;
    if (!json_skip(scan) && is_cut && scan->at >= scan->end)
        scan->status = err_set(reader->err, STATUS_TOO_LARGE,
                               "byte %zu: more than %d bytes of unknown members",
                               json_offset(scan), SKIPPED_BYTES_MAX);
    scan->end = end;
    reader->skipped_bytes += (size_t)(scan->at - start);
}

void read_members(struct xgboost_reader *reader, const char *path,
                  const struct xgboost_member *members, int count)
{
    const char *outer_path = reader->path, *outer_member = reader->member;
    struct json_level level;
    struct text key;
    uint32_t seen = 0;

    json_enter_object(&reader->scan, &level);
    reader->path = path;
    while (json_member(&reader->scan, &level, &key)) {
        int i = 0;

        while (i < count && !text_is(key, members[i].name))
            i++;
        reader->member = i < count ? members[i].name : NULL;
        if (i == count)
            skip_member(reader);
        else if (seen >> i & 1)
            json_refuse(&reader->scan, STATUS_INVALID, "is given twice");
        else
            members[i].read(reader, members[i].argument);
        seen |= i < count ? UINT32_C(1) << i : 0;
        if (reader->scan.status)
            return; /* and stay where the failure is */
        reader->member = NULL;
    }
    if (reader->scan.status)
        return;
    reader->path = outer_path;
    reader->member = outer_member;
}

void read_parameter(struct xgboost_reader *reader, int64_t min, int64_t max,
                    int64_t *value)
{
    struct text text;

    if (!json_text(&reader->scan, &reader->arena, &text))
        return;
    if (!text_int(text, value))
        json_refuse(&reader->scan, STATUS_INVALID, "'%.*s' is not a whole number",
                    TEXT_ARG(scalar_shown(text)));
    else if (*value < min || *value > max)
        json_refuse(&reader->scan, STATUS_INVALID, "%lld is not in [%lld, %lld]",
                    (long long)*value, (long long)min, (long long)max);
}

void xgboost_name(struct xgboost_reader *reader, char *buffer, size_t buffer_bytes)
{
    struct text text;

    if (json_text(&reader->scan, &reader->arena, &text) &&
        !text_copy(text, buffer, buffer_bytes))
        json_refuse(&reader->scan, STATUS_INVALID, "'%.*s' is not known",
                    TEXT_ARG(scalar_shown(text)));
}

/* The place of a failure stays. */
static void leave_array(struct xgboost_reader *reader)
{
    if (!reader->scan.status)
        reader->item = -1;
}

static void refuse_memory(struct xgboost_reader *reader)
{
    json_refuse(&reader->scan, STATUS_EXHAUSTED, "out of memory for a model");
}

void read_ints(struct xgboost_reader *reader, struct int_column *column, size_t count_max)
{
    struct json_level level;
    int64_t value;

    column->count = 0;
    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level)) {
        reader->item = (long)column->count;
        if (!json_int(&reader->scan, &value))
            return;
        if (value != (int32_t)value)
            json_refuse(&reader->scan, STATUS_INVALID, "%lld does not fit into 32 bits",
                        (long long)value);
        else if (column->count >= count_max)
            json_refuse(&reader->scan, STATUS_TOO_LARGE, "more than %zu entries",
                        count_max);
        else if (!int_column_push(column, (int32_t)value))
            refuse_memory(reader);
        if (reader->scan.status)
            return;
    }
    leave_array(reader);
}

/* XGBoost writes NaN and Infinity bare, which is not JSON: take them where they can
 * stand, in arrays of numbers. */
static bool take_literal(struct json_scan *scan, const char *literal)
{
    size_t bytes = strlen(literal);
    const char *at = scan->at;

    while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    if ((size_t)(scan->end - at) < bytes || memcmp(at, literal, bytes) != 0)
        return false;
    scan->at = at + bytes;
    return true;
}

static bool take_non_finite(struct json_scan *scan, float *value)
{
    if (take_literal(scan, "NaN"))
        *value = NAN;
    else if (take_literal(scan, "Infinity"))
        *value = INFINITY;
    else if (take_literal(scan, "-Infinity"))
        *value = -INFINITY;
    else
        return false;
    return true;
}

/* Correctly rounded to float. Rounding twice, through double, differs only where the
 * double lies in the middle between two floats, or among the denormal floats. */
static float float_of(const struct json_scan *scan, const char *start, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x1fffffff) != 0x10000000 && !(fabs(value) < 0x1p-126))
        return (float)value;
    /* Something that ends a number follows, or the text is cut off and refused. */
    if (value == 0 || scan->at == scan->end)
        return (float)value;
    while (*start == ' ' || *start == '\n' || *start == '\t' || *start == '\r')
        start++;
    return strtof(start, NULL);
}

void read_floats(struct xgboost_reader *reader, struct float_column *column,
                 size_t count_max)
{
    struct json_level level;
    float value;
    double number;

    column->count = 0;
    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level)) {
        const char *start = reader->scan.at;

        reader->item = (long)column->count;
        if (!take_non_finite(&reader->scan, &value)) {
            if (!json_double(&reader->scan, &number))
                return;
            value = float_of(&reader->scan, start, number);
        }
        if (column->count >= count_max)
            json_refuse(&reader->scan, STATUS_TOO_LARGE, "more than %zu entries",
                        count_max);
        else if (!float_column_push(column, value))
            refuse_memory(reader);
        if (reader->scan.status)
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
        return reader->scan.status;
    return err_wrap(reader->err, "%s", place);
}

static void read_column(struct xgboost_reader *reader, int column)
{
    bool is_categories = column == COLUMN_CATEGORIES;

    reader->tree.columns_present |= 1u << column;
    read_ints(reader, &reader->tree.columns[column],
              is_categories ? (size_t)XGBOOST_CATEGORY_COUNT_MAX
                            : (size_t)FOREST_NODE_COUNT_MAX);
}

static void read_conditions(struct xgboost_reader *reader, int)
{
    reader->tree.has_condition = true;
    read_floats(reader, &reader->tree.condition, FOREST_NODE_COUNT_MAX);
}

static void read_covers(struct xgboost_reader *reader, int)
{
    reader->tree.has_cover = true;
    read_floats(reader, &reader->tree.cover, FOREST_NODE_COUNT_MAX);
}

/* 0 and 1; false and true in files before 1.5. */
static bool read_flag(struct xgboost_reader *reader, int64_t *value)
{
    bool flag = false;

    if (json_peek(&reader->scan) == JSON_KIND_BOOL) {
        if (!json_bool(&reader->scan, &flag))
            return false;
        *value = flag;
        return true;
    }
    if (!json_int(&reader->scan, value))
        return false;
    if (*value != 0 && *value != 1)
        return json_refuse(&reader->scan, STATUS_INVALID, "%lld is neither 0 nor 1",
                           (long long)*value);
    return true;
}

static void read_default_left(struct xgboost_reader *reader, int)
{
    struct int_column *column = &reader->tree.columns[COLUMN_DEFAULT_LEFT];
    struct json_level level;
    int64_t value;

    reader->tree.columns_present |= 1u << COLUMN_DEFAULT_LEFT;
    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level)) {
        reader->item = (long)column->count;
        if (!read_flag(reader, &value))
            return;
        if (column->count >= FOREST_NODE_COUNT_MAX)
            json_refuse(&reader->scan, STATUS_TOO_LARGE, "more than %d entries",
                        FOREST_NODE_COUNT_MAX);
        else if (!int_column_push(column, (int32_t)value))
            refuse_memory(reader);
        if (reader->scan.status)
            return;
    }
    leave_array(reader);
}

static const char *const statistic_names[STATISTIC_COUNT] = {
    "base_weights",
    "loss_changes",
    "parents",
};

static void read_statistic(struct xgboost_reader *reader, int statistic)
{
    struct json_level level;
    float value;
    int64_t count = 0;

    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level)) {
        reader->item = (long)count++;
        if (count > FOREST_NODE_COUNT_MAX)
            json_refuse(&reader->scan, STATUS_TOO_LARGE, "more than %d entries",
                        FOREST_NODE_COUNT_MAX);
        if (!take_non_finite(&reader->scan, &value) && !json_skip(&reader->scan))
            return;
    }
    leave_array(reader);
    reader->statistic_counts[statistic] = count;
}

static enum status check_statistics(struct xgboost_reader *reader)
{
    for (int i = 0; i < STATISTIC_COUNT; i++)
        if (reader->statistic_counts[i] >= 0 &&
            reader->statistic_counts[i] != reader->tree.node_count)
            return err_set(reader->err, STATUS_INVALID,
                           "%s: has %lld entries for %lld nodes", statistic_names[i],
                           (long long)reader->statistic_counts[i],
                           (long long)reader->tree.node_count);
    return STATUS_OK;
}

static void read_node_count(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 1, FOREST_NODE_COUNT_MAX, &reader->tree.node_count);
}

static void read_leaf_vector(struct xgboost_reader *reader, int)
{
    read_parameter(reader, 0, INT32_MAX, &reader->tree.leaf_vector_size);
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

    if (json_int(&reader->scan, &id) && id != reader->tree_index)
        json_refuse(&reader->scan, STATUS_INVALID, "is %lld", (long long)id);
}

/* What is wrong with a whole tree begins with the array: "trees[17].left_children[4]: ". */
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
        {"base_weights", read_statistic, 0},
        {"loss_changes", read_statistic, 1},
        {"parents", read_statistic, 2},
        {"sum_hessian", read_covers, 0},
        {"id", read_id, 0},
        {"tree_param", read_tree_parameters, 0},
    };

    xgboost_tree_reset(&reader->tree);
    for (int i = 0; i < STATISTIC_COUNT; i++)
        reader->statistic_counts[i] = -1;
    reader->is_in_tree = true;
    reader->tree_index = reader->builder.forest->tree_count;
    READ_MEMBERS(reader, NULL, members);
    if (reader->scan.status)
        return;
    reader->path = reader->member = NULL;
    reader->is_in_tree = false;
    reader->scan.status = xgboost_tree_add(&reader->tree, &reader->builder, reader->err);
    if (!reader->scan.status)
        reader->scan.status = check_statistics(reader);
    if (reader->scan.status)
        place_tree_fault(reader);
}
