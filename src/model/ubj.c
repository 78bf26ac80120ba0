/* ubj.c - Universal Binary JSON, as XGBoost writes it and a little more. */
#include "model/ubj.h"

#include <assert.h>

enum { NOT_COUNTED = -1, SKIPPED_COUNT_MAX = 16 << 20 };

/* Bytes of a number of this type; 0 when it is none. */
static size_t number_bytes(char type)
{
    switch (type) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static enum json_kind kind_of(char type)
{
    switch (type) {
    case '{':
        return JSON_KIND_OBJECT;
    case '[':
        return JSON_KIND_ARRAY;
    case 'S':
        return JSON_KIND_STRING;
    case 'T':
    case 'F':
        return JSON_KIND_BOOL;
    case 'Z':
        return JSON_KIND_NULL;
    default:
        return number_bytes(type) ? JSON_KIND_NUMBER : JSON_KIND_NONE;
    }
}

static size_t bytes_left(const struct source *source)
{
    return (size_t)(source->scan.end - source->scan.at);
}

__attribute__((cold)) static bool cut_off(struct source *source)
{
    return json_refuse(&source->scan, STATUS_MALFORMED, "the file ends within a value");
}

/* Take the type of the next value. */
static bool take_marker(struct source *source, char *type)
{
    if (source->scan.status)
        return false;
    if (source->marker) {
        *type = source->marker;
        source->marker = 0;
        return true;
    }
    if (source->scan.at == source->scan.end)
        return cut_off(source);
    *type = *source->scan.at++;
    return true;
}

__attribute__((cold)) static bool wrong_type(struct source *source, const char *wanted,
                                             char type)
{
    if (kind_of(type) == JSON_KIND_NONE)
        return json_refuse(&source->scan, STATUS_MALFORMED,
                           "expected %s, found the unknown type 0x%02x", wanted,
                           (unsigned)(unsigned char)type);
    return json_refuse(&source->scan, STATUS_INVALID, "expected %s, found type '%c'",
                       wanted, type);
}

/* A big-endian number of so many bytes. */
static bool take_bits(struct source *source, size_t bytes, uint64_t *bits)
{
    const unsigned char *at = (const unsigned char *)source->scan.at;
    uint64_t sum = 0;

    if (bytes_left(source) < bytes)
        return cut_off(source);
    for (size_t i = 0; i < bytes; i++)
        sum = sum << 8 | at[i];
    source->scan.at += bytes;
    *bits = sum;
    return true;
}

static bool take_int(struct source *source, char type, int64_t *value)
{
    uint64_t bits = 0;

    if (!take_bits(source, number_bytes(type), &bits))
        return false;
    switch (type) {
    case 'i':
        *value = (int64_t)bits - (bits > INT8_MAX ? UINT8_MAX + 1 : 0);
        return true;
    case 'U':
        *value = (uint8_t)bits;
        return true;
    case 'I':
        *value = (int16_t)bits;
        return true;
    case 'l':
        *value = (int32_t)bits;
        return true;
    default:
        *value = (int64_t)bits;
        return true;
    }
}

static bool is_int_type(char type)
{
    return number_bytes(type) && type != 'd' && type != 'D';
}

/* A length or count: not negative, and no more of so many bytes each than are left. */
static bool take_length(struct source *source, size_t item_bytes, int64_t *length)
{
    char type = 0;

    if (!take_marker(source, &type))
        return false;
    if (!is_int_type(type))
        return wrong_type(source, "a length", type);
    if (!take_int(source, type, length))
        return false;
    if (*length < 0)
        return json_refuse(&source->scan, STATUS_MALFORMED, "a length is %lld",
                           (long long)*length);
    if ((uint64_t)*length > bytes_left(source) / item_bytes)
        return json_refuse(&source->scan, STATUS_MALFORMED,
                           "a length is %lld, but only %zu bytes follow",
                           (long long)*length, bytes_left(source));
    return true;
}

static bool next_is(const struct source *source, char type)
{
    return source->scan.at < source->scan.end && *source->scan.at == type;
}

/* What follows the bracket: nothing, '#' and a count, or '$', a type, '#' and a count. */
static bool take_header(struct source *source, struct source_level *level)
{
    /* A key has a length, an item at least a type: a byte or more. */
    size_t item_bytes = 1;

    level->left = NOT_COUNTED;
    level->type = 0;
    if (next_is(source, '$')) {
        source->scan.at++;
        if (source->scan.at == source->scan.end)
            return cut_off(source);
        level->type = *source->scan.at++;
        item_bytes = number_bytes(level->type);
        if (!item_bytes)
            return json_refuse(&source->scan, STATUS_MALFORMED,
                               "an array of type 0x%02x is not supported",
                               (unsigned)(unsigned char)level->type);
        if (!next_is(source, '#'))
            return json_refuse(&source->scan, STATUS_MALFORMED, "a type without a count");
    }
    if (!next_is(source, '#'))
        return true;
    source->scan.at++;
    return take_length(source, item_bytes, &level->left);
}

static void enter(struct source *source, struct source_level *level, char opening)
{
    char type = 0;

    if (!take_marker(source, &type))
        return;
    /* level may lie behind the last one there is room for: only touch it below the
     * limit. */
    if (type != opening)
        wrong_type(source, opening == '{' ? "an object" : "an array", type);
    else if (source->scan.depth >= source->scan.depth_max)
        json_refuse(&source->scan, STATUS_MALFORMED, "nested deeper than %d",
                    source->scan.depth_max);
    else if (take_header(source, level))
        source->scan.depth++;
}

/* Is there one more item? Otherwise leave the container. */
static bool advance(struct source *source, struct source_level *level, char closing)
{
    if (source->scan.status)
        return false;
    if (level->left == NOT_COUNTED && !next_is(source, closing))
        return true;
    if (level->left > 0) {
        level->left--;
        return true;
    }
    if (level->left == NOT_COUNTED)
        source->scan.at++;
    source->scan.depth--;
    return false;
}

static bool take_bytes(struct source *source, size_t bytes_max, struct text *text)
{
    int64_t length = 0;

    if (!take_length(source, 1, &length))
        return false;
    if ((uint64_t)length > bytes_max)
        return json_refuse(&source->scan, STATUS_MALFORMED,
                           "a key has more than %zu bytes", bytes_max);
    *text = (struct text){source->scan.at, (size_t)length};
    source->scan.at += length;
    return true;
}

enum json_kind ubj_peek(struct source *source)
{
    enum json_kind kind;

    if (source->scan.status)
        return JSON_KIND_NONE;
    if (!source->marker && !take_marker(source, &source->marker))
        return JSON_KIND_NONE;
    kind = kind_of(source->marker);
    if (kind == JSON_KIND_NONE)
        wrong_type(source, "a value", source->marker);
    return kind;
}

void ubj_enter_object(struct source *source, struct source_level *level)
{
    enter(source, level, '{');
}

void ubj_enter_array(struct source *source, struct source_level *level)
{
    enter(source, level, '[');
}

bool ubj_member(struct source *source, struct source_level *level, struct text *key)
{
    if (!advance(source, level, '}') || !take_bytes(source, JSON_KEY_BYTES_MAX, key))
        return false;
    source->marker = level->type;
    return true;
}

bool ubj_item(struct source *source, struct source_level *level)
{
    if (!advance(source, level, ']'))
        return false;
    source->marker = level->type;
    return true;
}

bool ubj_int(struct source *source, int64_t *value)
{
    char type = 0;

    if (!take_marker(source, &type))
        return false;
    return is_int_type(type) ? take_int(source, type, value)
                             : wrong_type(source, "an integer", type);
}

bool ubj_float(struct source *source, float *value)
{
    char type = 0;
    uint64_t bits = 0;
    uint32_t half;
    int64_t integer = 0;
    double number;

    if (!take_marker(source, &type))
        return false;
    if (is_int_type(type)) {
        if (!take_int(source, type, &integer))
            return false;
        *value = (float)integer;
        return true;
    }
    if (type != 'd' && type != 'D')
        return wrong_type(source, "a number", type);
    if (!take_bits(source, number_bytes(type), &bits))
        return false;
    if (type == 'd') {
        half = (uint32_t)bits;
        memcpy(value, &half, sizeof half);
    } else {
        memcpy(&number, &bits, sizeof number);
        *value = (float)number;
    }
    return true;
}

bool ubj_bool(struct source *source, bool *value)
{
    char type = 0;

    if (!take_marker(source, &type))
        return false;
    *value = type == 'T';
    return type == 'T' || type == 'F' || wrong_type(source, "true or false", type);
}

bool ubj_null(struct source *source)
{
    char type = 0;

    return take_marker(source, &type) &&
           (type == 'Z' || wrong_type(source, "null", type));
}

bool ubj_text(struct source *source, struct text *value)
{
    const char *at, *end;
    char type = 0;

    if (!take_marker(source, &type))
        return false;
    if (type != 'S')
        return wrong_type(source, "a string", type);
    if (!take_bytes(source, SIZE_MAX, value))
        return false;
    at = value->at;
    end = at + value->bytes;
    while (at < end) {
        int bytes = utf8_bytes(at, end);

        if (!bytes)
            return json_refuse(&source->scan, STATUS_MALFORMED,
                               "a string is not valid UTF-8");
        at += bytes;
    }
    return true;
}

/* Past a value that is no container. */
static bool skip_scalar(struct source *source, char type)
{
    struct text text;
    size_t bytes = number_bytes(type);

    if (type == 'S')
        return take_bytes(source, SIZE_MAX, &text);
    if (!bytes)
        return kind_of(type) != JSON_KIND_NONE || wrong_type(source, "a value", type);
    if (bytes_left(source) < bytes)
        return cut_off(source);
    source->scan.at += bytes;
    return true;
}

bool ubj_skip(struct source *source)
{
    struct source_level levels[JSON_DEPTH_MAX] = {0};
    bool are_objects[JSON_DEPTH_MAX];
    int open = 0;

    do {
        struct source_level *level = &levels[open];
        enum json_kind kind = ubj_peek(source);
        char type = 0;

        if (++source->skipped > SKIPPED_COUNT_MAX)
            return json_refuse(&source->scan, STATUS_TOO_LARGE,
                               "more than %d values of unknown members",
                               SKIPPED_COUNT_MAX);
        /* Here a value begins. */
        if (kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY) {
            enter(source, level, kind == JSON_KIND_OBJECT ? '{' : '[');
            if (source->scan.status)
                return false;
            assert(open < JSON_DEPTH_MAX);
            are_objects[open++] = kind == JSON_KIND_OBJECT;
            if (kind == JSON_KIND_ARRAY && level->type) {
                source->scan.at += (size_t)level->left * number_bytes(level->type);
                level->left = 0;
            }
        } else if (!take_marker(source, &type) || !skip_scalar(source, type)) {
            return false;
        }
        /* Here it has ended, or its items begin: close what can be closed. */
        while (open > 0) {
            struct text key;

            level = &levels[open - 1];
            if (are_objects[open - 1] ? ubj_member(source, level, &key)
                                      : ubj_item(source, level))
                break;
            if (source->scan.status)
                return false;
            open--;
        }
    } while (open > 0);
    return true;
}

enum status ubj_end(struct source *source)
{
    if (!source->scan.status && source->scan.at != source->scan.end)
        json_refuse(&source->scan, STATUS_MALFORMED, "expected nothing more");
    return source->scan.status;
}
