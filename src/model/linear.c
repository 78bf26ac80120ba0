/* linear.c - reading linear models of our own. */
#include "model/linear.h"

#include "json/scan.h"
#include "model/forest_build.h"
#include "model/scalar.h"

#include <stdlib.h>

enum {
    OUTPUT_COUNT_MAX = FOREST_GROUP_COUNT_MAX,
    WEIGHT_COUNT_MAX = 4 << 20,
    LINEAR_DEPTH_MAX = 16,
};

/* A list of numbers as it was read. */
struct numbers {
    double *items;
    size_t count, capacity;
};

/* How many values the levels of each feature have. */
struct counts {
    int *items;
    size_t count, capacity;
};

struct reader {
    struct json_scan scan;
    struct arena arena;
    struct forest_builder names; /* only for its names */
    struct numbers weights, intercepts, fill, level_values;
    struct counts level_counts;
    int output_count;   /* lists in "weights" */
    size_t list_length; /* of each of them */
    bool has_format, has_weights, has_intercept, has_intercepts, has_fill, has_features,
        has_levels;
    bool has_link;
    enum link link;
};

static void push(struct reader *reader, struct numbers *numbers, size_t count_max,
                 double value)
{
    if (numbers->count >= count_max)
        json_refuse(&reader->scan, STATUS_TOO_LARGE, "more than %zu numbers", count_max);
    else if (!array_reserve((void **)&numbers->items, &numbers->capacity,
                            numbers->count + 1, sizeof value))
        json_refuse(&reader->scan, STATUS_EXHAUSTED, "out of memory for a model");
    else
        numbers->items[numbers->count++] = value;
}

static void read_numbers(struct reader *reader, struct numbers *numbers, size_t count_max)
{
    struct json_level level;
    double value;

    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level))
        if (scalar_double(&reader->scan, &value))
            push(reader, numbers, count_max, value);
}

/* A list per output, or one flat list. */
static void read_weights(struct reader *reader)
{
    struct json_level level;
    double value;
    bool is_flat = false;

    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level)) {
        size_t before = reader->weights.count;

        if (json_peek(&reader->scan) == JSON_KIND_NUMBER) {
            if (reader->output_count > 0 && !is_flat)
                json_refuse(&reader->scan, STATUS_INVALID, "weights: expected a list");
            is_flat = true;
            reader->output_count = 1;
            if (scalar_double(&reader->scan, &value))
                push(reader, &reader->weights, WEIGHT_COUNT_MAX, value);
            reader->list_length = reader->weights.count;
            continue;
        }
        if (is_flat)
            json_refuse(&reader->scan, STATUS_INVALID, "weights: expected a number");
        else if (json_peek(&reader->scan) != JSON_KIND_ARRAY)
            json_refuse(&reader->scan, STATUS_INVALID,
                        "weights[%d]: expected a number or a list of numbers",
                        reader->output_count);
        read_numbers(reader, &reader->weights, WEIGHT_COUNT_MAX);
        if (reader->output_count++ == 0)
            reader->list_length = reader->weights.count;
        else if (reader->weights.count - before != reader->list_length)
            json_refuse(&reader->scan, STATUS_INVALID,
                        "weights[%d]: has %zu entries, the first has %zu",
                        reader->output_count - 1, reader->weights.count - before,
                        reader->list_length);
        if (reader->output_count > OUTPUT_COUNT_MAX)
            json_refuse(&reader->scan, STATUS_TOO_LARGE, "weights: more than %d outputs",
                        OUTPUT_COUNT_MAX);
    }
}

/* A list per feature, of which those of numbers are empty. */
static void read_levels(struct reader *reader)
{
    struct counts *counts = &reader->level_counts;
    struct json_level level;

    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level)) {
        size_t before = reader->level_values.count;

        read_numbers(reader, &reader->level_values, WEIGHT_COUNT_MAX);
        if (counts->count >= FOREST_FEATURE_COUNT_MAX)
            json_refuse(&reader->scan, STATUS_TOO_LARGE,
                        "levels: of more than %d features", FOREST_FEATURE_COUNT_MAX);
        else if (!array_reserve((void **)&counts->items, &counts->capacity,
                                counts->count + 1, sizeof *counts->items))
            json_refuse(&reader->scan, STATUS_EXHAUSTED, "out of memory for a model");
        else
            counts->items[counts->count++] = (int)(reader->level_values.count - before);
    }
}

static void read_features(struct reader *reader)
{
    struct json_level level;
    struct text name;

    json_enter_array(&reader->scan, &level);
    while (json_item(&reader->scan, &level))
        if (json_text(&reader->scan, &reader->arena, &name))
            reader->scan.status =
                forest_builder_name(&reader->names, name, reader->scan.err);
}

static void read_link(struct reader *reader)
{
    static const enum link links[] = {LINK_IDENTITY, LINK_SIGMOID, LINK_EXP};
    struct text name;

    if (!json_text(&reader->scan, &reader->arena, &name))
        return;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (text_is(name, link_names[links[i]])) {
            reader->link = links[i];
            return;
        }
    json_refuse(&reader->scan, STATUS_INVALID, "link: is none of %s, %s, %s",
                link_names[links[0]], link_names[links[1]], link_names[links[2]]);
}

static void read_format(struct reader *reader)
{
    struct text format;

    if (!json_text(&reader->scan, &reader->arena, &format))
        return;
    if (text_is(format, "redress-bundle/1"))
        json_refuse(
            &reader->scan, STATUS_INVALID,
            "format: is that of a bundle's manifest; the bundle is the folder around "
            "it");
    else if (!text_is(format, "redress-linear/1"))
        json_refuse(&reader->scan, STATUS_INVALID, "format: is not redress-linear/1");
}

static void read_intercept(struct reader *reader)
{
    double value;

    if (scalar_double(&reader->scan, &value))
        push(reader, &reader->intercepts, 1, value);
}

/* False when the member was there before. */
static bool mark(struct reader *reader, bool *seen, const char *name)
{
    if (*seen)
        return json_refuse(&reader->scan, STATUS_INVALID, "%s: is given twice", name);
    *seen = true;
    return true;
}

static void read_member(struct reader *reader, struct text key)
{
    if (text_is(key, "format")) {
        if (mark(reader, &reader->has_format, "format"))
            read_format(reader);
    } else if (text_is(key, "features")) {
        if (mark(reader, &reader->has_features, "features"))
            read_features(reader);
    } else if (text_is(key, "weights")) {
        if (mark(reader, &reader->has_weights, "weights"))
            read_weights(reader);
    } else if (text_is(key, "intercepts")) {
        if (mark(reader, &reader->has_intercepts, "intercepts"))
            read_numbers(reader, &reader->intercepts, OUTPUT_COUNT_MAX);
    } else if (text_is(key, "intercept")) {
        if (mark(reader, &reader->has_intercept, "intercept"))
            read_intercept(reader);
    } else if (text_is(key, "fill")) {
        if (mark(reader, &reader->has_fill, "fill"))
            read_numbers(reader, &reader->fill, FOREST_FEATURE_COUNT_MAX);
    } else if (text_is(key, "levels")) {
        if (mark(reader, &reader->has_levels, "levels"))
            read_levels(reader);
    } else if (text_is(key, "link")) {
        if (mark(reader, &reader->has_link, "link"))
            read_link(reader);
    } else {
        json_refuse(&reader->scan, STATUS_INVALID, "'%.*s' is not known", TEXT_ARG(key));
    }
}

static enum status check(const struct reader *reader, struct err *err)
{
    size_t n = reader->list_length;
    size_t intercept_count = reader->intercepts.count;

    if (!reader->has_format)
        return err_set(err, STATUS_INVALID, "format: is missing");
    if (reader->output_count == 0 || n == 0)
        return err_set(err, STATUS_INVALID, "weights: are missing");
    if (n > FOREST_FEATURE_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "weights: for more than %d features",
                       FOREST_FEATURE_COUNT_MAX);
    if (reader->has_intercept && reader->has_intercepts)
        return err_set(err, STATUS_INVALID, "intercept: is given beside intercepts");
    if (reader->has_intercept && reader->output_count > 1)
        return err_set(err, STATUS_INVALID, "intercept: is one number for %d outputs",
                       reader->output_count);
    if (reader->has_intercepts && intercept_count != (size_t)reader->output_count)
        return err_set(err, STATUS_INVALID, "intercepts: %zu for %d outputs",
                       intercept_count, reader->output_count);
    if (reader->has_features && (size_t)reader->names.name_count != n)
        return err_set(err, STATUS_INVALID, "features: %d names for %zu weights",
                       reader->names.name_count, n);
    if (reader->has_fill && reader->fill.count != n)
        return err_set(err, STATUS_INVALID, "fill: %zu values for %zu weights",
                       reader->fill.count, n);
    if (reader->has_levels && reader->level_counts.count != n)
        return err_set(err, STATUS_INVALID, "levels: of %zu features for %zu weights",
                       reader->level_counts.count, n);
    return STATUS_OK;
}

/* The numbers read, or zeros; the reader's list is left empty. */
static double *take_numbers(struct numbers *numbers, size_t count)
{
    double *items = numbers->items;

    numbers->items = NULL;
    return items ? items : calloc(count, sizeof *items);
}

static enum status take_levels(struct reader *reader, struct linear *linear,
                               struct err *err)
{
    const struct counts *counts = &reader->level_counts;
    const double *values = reader->level_values.items;

    if (!values)
        return STATUS_OK;
    linear->level_values = reader->level_values.items;
    reader->level_values.items = NULL;
    linear->levels = calloc(counts->count, sizeof *linear->levels);
    if (!linear->levels)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a model");
    for (size_t i = 0; i < counts->count; i++) {
        linear->levels[i] = (struct linear_levels){counts->items[i], values};
        values += counts->items[i];
    }
    return STATUS_OK;
}

static enum status build(struct reader *reader, struct linear **linear, struct err *err)
{
    struct linear *built = calloc(1, sizeof *built);
    struct forest *names = NULL;
    enum status rc = STATUS_OK;

    if (!built)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a model");
    built->feature_count = (int)reader->list_length;
    built->output_count = reader->output_count;
    built->link = reader->link;
    built->weights = take_numbers(&reader->weights, reader->list_length);
    built->intercepts = take_numbers(&reader->intercepts, (size_t)reader->output_count);
    built->fill = take_numbers(&reader->fill, reader->list_length);
    if (!built->weights || !built->intercepts || !built->fill)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a model");
    if (!rc)
        rc = take_levels(reader, built, err);
    if (!rc)
        rc = forest_builder_finish(&reader->names, &names, err);
    if (!rc) {
        built->feature_names = names->feature_names;
        names->feature_names = NULL;
        *linear = built;
    } else {
        linear_free(built);
    }
    forest_free(names);
    return rc;
}

enum status linear_read(const char *text, size_t bytes, struct linear **linear,
                        struct err *err)
{
    struct err unheard;
    struct reader reader = {.link = LINK_IDENTITY};
    struct json_level level;
    struct text key;
    enum status rc;

    err = err ? err : &unheard;
    if (bytes > MODEL_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "the model is over %d bytes",
                       MODEL_BYTES_MAX);
    arena_init(&reader.arena, NULL, 0, 4 << 20);
    rc = forest_builder_init(&reader.names, FOREST_XGBOOST, err);
    json_scan_init(&reader.scan, text, bytes, LINEAR_DEPTH_MAX, err);
    if (!rc) {
        json_enter_object(&reader.scan, &level);
        while (json_member(&reader.scan, &level, &key))
            read_member(&reader, key);
        rc = json_scan_end(&reader.scan);
    }
    if (!rc)
        rc = check(&reader, err);
    if (!rc)
        rc = build(&reader, linear, err);
    forest_builder_free(&reader.names);
    arena_reset(&reader.arena);
    free(reader.weights.items);
    free(reader.intercepts.items);
    free(reader.fill.items);
    free(reader.level_values.items);
    free(reader.level_counts.items);
    return rc;
}

void linear_free(struct linear *linear)
{
    if (!linear)
        return;
    free(linear->feature_names);
    free(linear->weights);
    free(linear->intercepts);
    free(linear->fill);
    free(linear->levels);
    free(linear->level_values);
    free(linear);
}
