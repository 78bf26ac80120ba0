/* lightgbm_text.c - the text files that LightGBM saves, versions 3 and 4.
 *
 * A header of key=value lines up to the first blank line, a block per tree, then "end of
 * trees"; what follows does not matter. The byte counts of tree_sizes are hints that
 * edited files get wrong: only their number is believed. */
#include "model/lightgbm_tree.h"
#include "model/objective.h"
#include "model/scalar.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LINE_COUNT_MAX = 4 << 20, /* 100,000 trees have half as many */
    OBJECTIVE_BYTES_MAX = 1000,
};

enum header_line {
    HEADER_VERSION,
    HEADER_CLASS_COUNT,
    HEADER_GROUP_COUNT,
    HEADER_FEATURE_INDEX_MAX,
    HEADER_OBJECTIVE,
    HEADER_AVERAGE,
    HEADER_FEATURE_NAMES,
    HEADER_TREE_SIZES,
    HEADER_COUNT
};

static const char *const header_names[HEADER_COUNT] = {
    [HEADER_VERSION] = "version",
    [HEADER_CLASS_COUNT] = "num_class",
    [HEADER_GROUP_COUNT] = "num_tree_per_iteration",
    [HEADER_FEATURE_INDEX_MAX] = "max_feature_idx",
    [HEADER_OBJECTIVE] = "objective",
    [HEADER_AVERAGE] = "average_output",
    [HEADER_FEATURE_NAMES] = "feature_names",
    [HEADER_TREE_SIZES] = "tree_sizes",
};

struct reader {
    struct text rest; /* of the file, from the next line on */
    long line_number; /* of the line read last, from 1 */
    struct text header[HEADER_COUNT];
    int64_t announced_tree_count; /* -1: not announced */
    struct forest_builder builder;
    struct lightgbm_tree tree;
    struct err *err;
};

/* Take the next line, without its end. False at the end of the file, and after more lines
 * than a model can have. */
static bool next_line(struct reader *reader, struct text *line)
{
    const char *end;

    if (reader->rest.bytes == 0 || reader->line_number >= LINE_COUNT_MAX)
        return false;
    end = memchr(reader->rest.at, '\n', reader->rest.bytes);
    line->at = reader->rest.at;
    line->bytes = end ? (size_t)(end - reader->rest.at) : reader->rest.bytes;
    reader->rest.at += line->bytes + (end != NULL);
    reader->rest.bytes -= line->bytes + (end != NULL);
    if (line->bytes && line->at[line->bytes - 1] == '\r')
        line->bytes--;
    reader->line_number++;
    return true;
}

/* Split "key=value"; a line without '=' is a key with an empty value. */
static void split_line(struct text line, struct text *key, struct text *value)
{
    const char *equals = memchr(line.at, '=', line.bytes);

    key->at = line.at;
    key->bytes = equals ? (size_t)(equals - line.at) : line.bytes;
    value->at = equals ? equals + 1 : line.at + line.bytes;
    value->bytes = line.bytes - key->bytes - (equals != NULL);
}

/* Keep the value if the key is one of the names; each may come once. */
static enum status keep_line(struct reader *reader, struct text line,
                             const char *const *names, struct text *values, int count)
{
    struct text key, value;

    split_line(line, &key, &value);
    for (int i = 0; i < count; i++) {
        if (!text_is(key, names[i]))
            continue;
        if (values[i].at)
            return err_set(reader->err, STATUS_INVALID, "line %ld: %s is given twice",
                           reader->line_number, names[i]);
        values[i] = value;
        return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status read_header_lines(struct reader *reader)
{
    struct text line;
    enum status rc = STATUS_OK;

    if (!next_line(reader, &line) || !text_is(line, "tree"))
        return err_set(reader->err, STATUS_MALFORMED,
                       "line 1: a LightGBM model starts with "
                       "'tree'");
    while (!rc) {
        if (!next_line(reader, &line))
            return err_set(reader->err, STATUS_MALFORMED,
                           "line %ld: the file ends in the header", reader->line_number);
        if (line.bytes == 0)
            return STATUS_OK;
        rc = keep_line(reader, line, header_names, reader->header, HEADER_COUNT);
    }
    return rc;
}

static enum status header_count(struct reader *reader, enum header_line line, int64_t min,
                                int64_t max, int64_t *value)
{
    struct text text = reader->header[line];

    if (!text.at)
        return err_set(reader->err, STATUS_INVALID, "%s: is missing", header_names[line]);
    if (!text_int(text, value) || *value < min || *value > max)
        return err_set(reader->err, STATUS_INVALID,
                       "%s: '%.*s' is not a number in [%lld, %lld]", header_names[line],
                       TEXT_ARG(scalar_shown(text)), (long long)min, (long long)max);
    return STATUS_OK;
}

static enum status read_version(struct reader *reader)
{
    struct text version = reader->header[HEADER_VERSION];
    struct forest *forest = reader->builder.forest;

    if (!version.at)
        return err_set(reader->err, STATUS_INVALID, "version: is missing");
    if (!text_is(version, "v3") && !text_is(version, "v4"))
        return err_set(reader->err, STATUS_INVALID, "version: '%.*s' is not supported",
                       TEXT_ARG(scalar_shown(version)));
    snprintf(forest->library, sizeof forest->library, "lightgbm-%.2s", version.at);
    return STATUS_OK;
}

/* LightGBM names features Column_0, Column_1, ... when it knows no names: that is
 * none. */
static bool is_default_name(struct text name, int index)
{
    char text[24];

    snprintf(text, sizeof text, "Column_%d", index);
    return text_is(name, text);
}

static enum status read_feature_names(struct reader *reader)
{
    struct text rest = reader->header[HEADER_FEATURE_NAMES];
    struct forest_builder *builder = &reader->builder;
    struct text name;
    bool are_default = true;
    enum status rc = STATUS_OK;

    if (!rest.at)
        return STATUS_OK;
    while (!rc && text_word(&rest, &name)) {
        are_default &= is_default_name(name, builder->name_count);
        rc = forest_builder_name(builder, name, reader->err);
    }
    if (!rc && builder->name_count != builder->forest->feature_count)
        rc = err_set(reader->err, STATUS_INVALID, "feature_names: %d for %d features",
                     builder->name_count, builder->forest->feature_count);
    if (are_default)
        builder->name_count = 0;
    return rc;
}

static enum status read_header(struct reader *reader)
{
    struct forest *forest = reader->builder.forest;
    struct text sizes, word;
    int64_t class_count = 0, group_count = 0, feature_index_max = 0;
    enum status rc = read_header_lines(reader);

    if (!rc)
        rc = read_version(reader);
    if (!rc)
        rc = header_count(reader, HEADER_CLASS_COUNT, 1, FOREST_GROUP_COUNT_MAX,
                          &class_count);
    if (!rc)
        rc = header_count(reader, HEADER_GROUP_COUNT, 1, FOREST_GROUP_COUNT_MAX,
                          &group_count);
    if (!rc)
        rc = header_count(reader, HEADER_FEATURE_INDEX_MAX, 0,
                          FOREST_FEATURE_COUNT_MAX - 1, &feature_index_max);
    if (!rc && class_count != group_count)
        rc = err_set(reader->err, STATUS_INVALID,
                     "num_tree_per_iteration: is %lld, but num_class is %lld",
                     (long long)group_count, (long long)class_count);
    if (rc)
        return rc;
    forest->feature_count = (int)feature_index_max + 1;
    forest->group_count = forest->trees_per_round = (int)group_count;
    forest->is_average = reader->header[HEADER_AVERAGE].at != NULL;
    sizes = reader->header[HEADER_TREE_SIZES];
    if (!sizes.at)
        reader->announced_tree_count = -1;
    while (reader->announced_tree_count <= FOREST_TREE_COUNT_MAX &&
           text_word(&sizes, &word))
        reader->announced_tree_count++;
    if (reader->announced_tree_count > FOREST_TREE_COUNT_MAX)
        return err_set(reader->err, STATUS_TOO_LARGE, "tree_sizes: more than %d trees",
                       FOREST_TREE_COUNT_MAX);
    rc = read_feature_names(reader);
    if (!rc && reader->header[HEADER_OBJECTIVE].bytes > OBJECTIVE_BYTES_MAX)
        rc = err_set(reader->err, STATUS_TOO_LARGE, "objective: has more than %d bytes",
                     OBJECTIVE_BYTES_MAX);
    /* A custom objective leaves no line. */
    if (!rc && reader->header[HEADER_OBJECTIVE].at)
        rc = lightgbm_objective_read(reader->header[HEADER_OBJECTIVE], forest,
                                     reader->err);
    else if (!rc)
        memcpy(forest->objective, "none", sizeof "none");
    return rc;
}

/* The lines up to the next blank one. */
static enum status read_tree(struct reader *reader)
{
    int index = reader->builder.forest->tree_count;
    struct text line;
    enum status rc = STATUS_OK;

    memset(reader->tree.lines, 0, sizeof reader->tree.lines);
    while (!rc && next_line(reader, &line) && line.bytes)
        rc = keep_line(reader, line, lightgbm_line_names, reader->tree.lines, LINE_COUNT);
    if (!rc)
        rc = lightgbm_tree_add(&reader->tree, &reader->builder, reader->err);
    return rc ? err_wrap(reader->err, "Tree=%d", index) : STATUS_OK;
}

static enum status read_trees(struct reader *reader)
{
    struct text line, key, value;
    int64_t index;
    enum status rc = STATUS_OK;

    while (!rc) {
        if (!next_line(reader, &line))
            return err_set(reader->err, STATUS_MALFORMED,
                           "line %ld: the file ends without 'end of trees'",
                           reader->line_number);
        if (line.bytes == 0)
            continue;
        if (text_is(line, "end of trees"))
            return STATUS_OK;
        split_line(line, &key, &value);
        if (!text_is(key, "Tree") || !text_int(value, &index))
            return err_set(reader->err, STATUS_MALFORMED,
                           "line %ld: '%.*s' where Tree=%d or 'end of trees' is expected",
                           reader->line_number, TEXT_ARG(scalar_shown(line)),
                           reader->builder.forest->tree_count);
        if (index != reader->builder.forest->tree_count)
            return err_set(reader->err, STATUS_INVALID,
                           "line %ld: Tree=%lld comes where Tree=%d "
                           "is expected",
                           reader->line_number, (long long)index,
                           reader->builder.forest->tree_count);
        rc = read_tree(reader);
    }
    return rc;
}

static enum status check_trees(struct reader *reader)
{
    struct forest *forest = reader->builder.forest;

    if (reader->announced_tree_count >= 0 &&
        reader->announced_tree_count != forest->tree_count)
        return err_set(reader->err, STATUS_INVALID,
                       "tree_sizes: announces %lld trees, %d are there",
                       (long long)reader->announced_tree_count, forest->tree_count);
    if (forest->tree_count % forest->trees_per_round != 0)
        return err_set(reader->err, STATUS_INVALID,
                       "trees: %d are not whole rounds of %d", forest->tree_count,
                       forest->trees_per_round);
    forest->base_margin = calloc((size_t)forest->group_count, sizeof(double));
    forest->tree_groups = calloc((size_t)forest->tree_count + 1, sizeof(int32_t));
    if (!forest->base_margin || !forest->tree_groups)
        return err_set(reader->err, STATUS_EXHAUSTED, "out of memory for a model");
    for (int i = 0; i < forest->tree_count; i++)
        forest->tree_groups[i] = i % forest->trees_per_round;
    return STATUS_OK;
}

enum status forest_read_lightgbm(const char *text, size_t bytes, struct forest **forest,
                                 struct err *err)
{
    struct err unheard;
    struct reader reader = {.rest = {text, bytes}, .err = err ? err : &unheard};
    const char *nul = bytes ? memchr(text, 0, bytes) : NULL;
    enum status rc;

    if (bytes > MODEL_BYTES_MAX)
        return err_set(reader.err, STATUS_TOO_LARGE, "the model is over %d bytes",
                       MODEL_BYTES_MAX);
    if (nul)
        return err_set(reader.err, STATUS_MALFORMED, "byte %zu: is a NUL",
                       (size_t)(nul - text));
    rc = forest_builder_init(&reader.builder, FOREST_LIGHTGBM, reader.err);
    if (!rc)
        rc = read_header(&reader);
    if (!rc)
        rc = read_trees(&reader);
    if (!rc)
        rc = check_trees(&reader);
    if (!rc)
        rc = forest_builder_finish(&reader.builder, forest, reader.err);
    forest_builder_free(&reader.builder);
    lightgbm_tree_free(&reader.tree);
    return rc;
}
