/* ubj_fixture.c - a writer of UBJ on top of jansson. */
#include "support/ubj_fixture.h"

#include "base/rng.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    char *at;
    size_t count, capacity;
    struct rng rng;
};

static bool toss(struct writer *writer)
{
    return rng_next(&writer->rng) >> 63;
}

static void put(struct writer *writer, const void *bytes, size_t count)
{
    if (writer->count + count > writer->capacity) {
        writer->capacity = 2 * (writer->count + count);
        writer->at = realloc(writer->at, writer->capacity);
        if (!writer->at)
            abort();
    }
    memcpy(writer->at + writer->count, bytes, count);
    writer->count += count;
}

static void put_char(struct writer *writer, char c)
{
    put(writer, &c, 1);
}

static void put_bits(struct writer *writer, uint64_t bits, int bytes)
{
    while (bytes-- > 0)
        put_char(writer, (char)(bits >> 8 * bytes));
}

static const struct int_type {
    char type;
    int bytes;
    int64_t min, max;
} int_types[] = {
    {'i', 1, INT8_MIN, INT8_MAX},   {'U', 1, 0, UINT8_MAX},
    {'I', 2, INT16_MIN, INT16_MAX}, {'l', 4, INT32_MIN, INT32_MAX},
    {'L', 8, INT64_MIN, INT64_MAX},
};
enum { INT_TYPE_COUNT = sizeof int_types / sizeof *int_types };

/* Any type that holds both ends. */
static const struct int_type *int_type_for(struct writer *writer, int64_t min,
                                           int64_t max)
{
    const struct int_type *type;

    do
        type = &int_types[rng_next(&writer->rng) % INT_TYPE_COUNT];
    while (min < type->min || max > type->max);
    return type;
}

static void put_int(struct writer *writer, int64_t value)
{
    const struct int_type *type = int_type_for(writer, value, value);

    put_char(writer, type->type);
    put_bits(writer, (uint64_t)value, type->bytes);
}

static void put_real(struct writer *writer, double value, bool is_double)
{
    float narrow = (float)value;
    uint32_t narrow_bits;
    uint64_t bits;

    memcpy(&narrow_bits, &narrow, sizeof narrow);
    memcpy(&bits, &value, sizeof bits);
    put_bits(writer, is_double ? bits : narrow_bits, is_double ? 8 : 4);
}

static void put_text(struct writer *writer, const char *text)
{
    put_int(writer, (int64_t)strlen(text));
    put(writer, text, strlen(text));
}

/* One type for all numbers of a list, without saying it for each of them. */
static bool put_typed(struct writer *writer, json_t *list)
{
    size_t count = json_array_size(list);
    bool are_ints = true, is_double = toss(writer);
    int64_t min = 0, max = 0;
    const struct int_type *type;
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (!json_is_number(item))
            return false;
        are_ints &= json_is_integer(item);
        if (json_integer_value(item) < min)
            min = json_integer_value(item);
        if (json_integer_value(item) > max)
            max = json_integer_value(item);
    }
    type = int_type_for(writer, min, max);
    put_char(writer, '$');
    put_char(writer, are_ints ? type->type : is_double ? 'D' : 'd');
    put_char(writer, '#');
    put_int(writer, (int64_t)count);
    json_array_foreach(list, i, item)
    {
        if (are_ints)
            put_bits(writer, (uint64_t)json_integer_value(item), type->bytes);
        else
            put_real(writer, json_number_value(item), is_double);
    }
    return true;
}

static void put_value(struct writer *writer, json_t *value);

static void put_array(struct writer *writer, json_t *list)
{
    bool is_counted = toss(writer);
    size_t i;
    json_t *item;

    put_char(writer, '[');
    if (toss(writer) && put_typed(writer, list))
        return;
    if (is_counted) {
        put_char(writer, '#');
        put_int(writer, (int64_t)json_array_size(list));
    }
    json_array_foreach(list, i, item)
    {
        put_value(writer, item);
    }
    if (!is_counted)
        put_char(writer, ']');
}

static void put_object(struct writer *writer, json_t *object)
{
    bool is_counted = toss(writer);
    const char *key;
    json_t *member;

    put_char(writer, '{');
    if (is_counted) {
        put_char(writer, '#');
        put_int(writer, (int64_t)json_object_size(object));
    }
    json_object_foreach(object, key, member)
    {
        put_text(writer, key);
        put_value(writer, member);
    }
    if (!is_counted)
        put_char(writer, '}');
}

static void put_value(struct writer *writer, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(writer, value);
        break;
    case JSON_ARRAY:
        put_array(writer, value);
        break;
    case JSON_STRING:
        put_char(writer, 'S');
        put_text(writer, json_string_value(value));
        break;
    case JSON_INTEGER:
        put_int(writer, json_integer_value(value));
        break;
    case JSON_REAL:
        put_char(writer, 'd');
        put_real(writer, json_real_value(value), false);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        put_char(writer, json_is_true(value) ? 'T' : 'F');
        break;
    case JSON_NULL:
        put_char(writer, 'Z');
        break;
    }
}

char *ubj_of(const char *json, uint64_t seed, size_t *bytes)
{
    struct writer writer = {0};
    json_error_t error;
    json_t *root = json_loads(json, 0, &error);

    if (!root) {
        fprintf(stderr, "line %d: %s\n", error.line, error.text);
        abort();
    }
    rng_seed(&writer.rng, seed);
    put_value(&writer, root);
    json_decref(root);
    *bytes = writer.count;
    return writer.at;
}
