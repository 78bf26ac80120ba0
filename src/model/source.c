/* source.c - values from JSON, or through ubj.c from UBJ. */
#include "model/source.h"

#include "model/scalar.h"
#include "model/ubj.h"

#include <math.h>
#include <stdlib.h>

enum { SKIPPED_BYTES_MAX = 32 << 20 };

bool source_is_ubj(const char *bytes, size_t count)
{
    return count >= 2 && bytes[0] == '{' && memchr("iUIlL$#", bytes[1], 7) != NULL;
}

void source_init(struct source *source, const char *bytes, size_t count, struct err *err)
{
    *source = (struct source){.is_ubj = source_is_ubj(bytes, count)};
    json_scan_init(&source->scan, bytes, count, JSON_DEPTH_MAX, err);
}

enum json_kind source_peek(struct source *source)
{
    return source->is_ubj ? ubj_peek(source) : json_peek(&source->scan);
}

void source_enter_object(struct source *source, struct source_level *level)
{
    if (source->is_ubj)
        ubj_enter_object(source, level);
    else
        json_enter_object(&source->scan, &level->json);
}

bool source_member(struct source *source, struct source_level *level, struct text *key)
{
    return source->is_ubj ? ubj_member(source, level, key)
                          : json_member(&source->scan, &level->json, key);
}

void source_enter_array(struct source *source, struct source_level *level)
{
    if (source->is_ubj)
        ubj_enter_array(source, level);
    else
        json_enter_array(&source->scan, &level->json);
}

bool source_item(struct source *source, struct source_level *level)
{
    return source->is_ubj ? ubj_item(source, level)
                          : json_item(&source->scan, &level->json);
}

size_t source_plain_ints(struct source *source, struct source_level *level,
                         int32_t *values, size_t count_max)
{
    return source->is_ubj
               ? 0
               : json_plain_ints(&source->scan, &level->json, values, count_max);
}

size_t source_skip_plain(struct source *source, struct source_level *level,
                         size_t count_max)
{
    return source->is_ubj ? 0 : json_skip_plain(&source->scan, &level->json, count_max);
}

bool source_int(struct source *source, int64_t *value)
{
    return source->is_ubj ? ubj_int(source, value) : json_int(&source->scan, value);
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
    /* Hardly ever, and asked for every number: one look at a digit is enough. */
    if (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        return false;
    if (scan->end - scan->at > 1 && scan->at[0] == '-' && scan->at[1] != 'I')
        return false;
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

/* Is it the middle between two floats? */
static bool is_between_floats(double value)
{
    double halves = fabs(value) * 0x1p150; /* of the smallest denormal float; exact */
    uint64_t bits;

    if (halves < 0x1p25) { /* among the denormals, which are all as far apart */
        uint32_t whole = (uint32_t)halves;

        return whole % 2 && whole == halves;
    }
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x1fffffff) == 0x10000000;
}

/* Correctly rounded to float. Rounding twice, through double, differs only where the
 * double lies in the middle. */
static float float_of(const struct json_scan *scan, const char *start, double value)
{
    /* Something that ends a number follows, or the text is cut off and refused. */
    if (!is_between_floats(value) || scan->at == scan->end)
        return (float)value;
    while (*start == ' ' || *start == '\n' || *start == '\t' || *start == '\r')
        start++;
    return strtof(start, NULL);
}

bool source_float(struct source *source, float *value)
{
    const char *start = source->scan.at;
    double number;

    if (source->is_ubj)
        return ubj_float(source, value);
    if (source->scan.status)
        return false;
    if (take_non_finite(&source->scan, value))
        return true;
    if (!scalar_double(&source->scan, &number))
        return false;
    *value = float_of(&source->scan, start, number);
    return true;
}

bool source_bool(struct source *source, bool *value)
{
    return source->is_ubj ? ubj_bool(source, value) : json_bool(&source->scan, value);
}

bool source_null(struct source *source)
{
    return source->is_ubj ? ubj_null(source) : json_take_null(&source->scan);
}

bool source_text(struct source *source, struct arena *arena, struct text *value)
{
    return source->is_ubj ? ubj_text(source, value)
                          : json_text(&source->scan, arena, value);
}

bool source_skip_float(struct source *source)
{
    float value;

    if (source->is_ubj)
        return ubj_float(source, &value);
    if (source->scan.status)
        return false;
    if (take_non_finite(&source->scan, &value))
        return true;
    return json_peek(&source->scan) == JSON_KIND_NUMBER ? json_skip(&source->scan)
                                                        : source_float(source, &value);
}

bool source_skip(struct source *source)
{
    struct json_scan *scan = &source->scan;
    const char *start = scan->at, *end = scan->end;
    size_t left = SKIPPED_BYTES_MAX - source->skipped;
    bool is_cut = (size_t)(end - start) > left;

    if (source->is_ubj)
        return ubj_skip(source);
    if (is_cut)
        scan->end = start + left;
    if (!json_skip(scan) && is_cut && scan->at >= scan->end)
        scan->status = err_set(scan->err, STATUS_TOO_LARGE,
                               "byte %zu: more than %d bytes of unknown members",
                               json_offset(scan), SKIPPED_BYTES_MAX);
    scan->end = end;
    source->skipped += (size_t)(scan->at - start);
    return !scan->status;
}

enum status source_end(struct source *source)
{
    return source->is_ubj ? ubj_end(source) : json_scan_end(&source->scan);
}
