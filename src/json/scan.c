/* scan.c - the strict JSON reader: one pass, no recursion. Refusals, containers and what
 * is skipped. */
#include "reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool refuse_list(struct json_scan *scan, const char *at, enum status status,
                        const char *format, va_list arguments)
{
    char message[sizeof scan->err->text];

    if (scan->status)
        return false;
    vsnprintf(message, sizeof message, format, arguments);
    scan->at = at;
    scan->status = err_set(scan->err, status, "byte %zu: %s", json_offset(scan), message);
    return false;
}

bool scan_refuse(struct json_scan *scan, const char *at, enum status status,
                 const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    refuse_list(scan, at, status, format, arguments);
    va_end(arguments);
    return false;
}

bool json_refuse(struct json_scan *scan, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    refuse_list(scan, scan->at, status, format, arguments);
    va_end(arguments);
    return false;
}

bool scan_expected(struct json_scan *scan, const char *what)
{
    return scan_refuse(scan, scan->at, STATUS_MALFORMED, "expected %s%s", what,
                       scan->at == scan->end ? ", but the text ends" : "");
}

bool scan_wrong_kind(struct json_scan *scan, const char *wanted)
{
    static const char *const names[] = {
        [JSON_KIND_NULL] = "null",       [JSON_KIND_BOOL] = "true or false",
        [JSON_KIND_NUMBER] = "a number", [JSON_KIND_STRING] = "a string",
        [JSON_KIND_ARRAY] = "an array",  [JSON_KIND_OBJECT] = "an object",
    };
    enum json_kind kind;

    if (scan->status)
        return false;
    kind = scan_kind(scan_next(scan));
    if (kind == JSON_KIND_NONE)
        return scan_expected(scan, wanted);
    scan->fault = "wrong_type";
    return scan_refuse(scan, scan->at, STATUS_INVALID, "expected %s, found %s", wanted,
                       names[kind]);
}

void json_scan_init(struct json_scan *scan, const char *text, size_t bytes, int depth_max,
                    struct err *err)
{
    scan->start = scan->at = text;
    scan->end = bytes ? text + bytes : text;
    scan->depth = 0;
    scan->depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
    scan->status = STATUS_OK;
    scan->fault = "bad_value";
    scan->err = err;
}

enum json_kind json_peek(struct json_scan *scan)
{
    const char *at = skip_spaces(scan->at, scan->end);
    enum json_kind kind;

    if (scan->status || (at == scan->end && scan->depth == 0))
        return JSON_KIND_NONE;
    kind = scan_kind(at < scan->end ? *at : 0);
    if (kind == JSON_KIND_NONE) {
        scan->at = at;
        scan_expected(scan, "a value");
    }
    return kind;
}

/* Containers */

static bool enter(struct json_scan *scan)
{
    if (scan->depth >= scan->depth_max)
        return scan_refuse(scan, scan->at, STATUS_MALFORMED, "nested deeper than %d",
                           scan->depth_max);
    scan->depth++;
    scan->at++;
    return true;
}

void json_enter_object(struct json_scan *scan, struct json_level *level)
{
    level->has_items = false;
    if (scan_next(scan) != '{')
        scan_wrong_kind(scan, "an object");
    else
        enter(scan);
}

void json_enter_array(struct json_scan *scan, struct json_level *level)
{
    level->has_items = false;
    if (scan_next(scan) != '[')
        scan_wrong_kind(scan, "an array");
    else
        enter(scan);
}

/* Go to the next item, past the comma, or leave the container at its closing byte. */
static bool next_item(struct json_scan *scan, bool *has_items, char closing)
{
    char next = scan_next(scan);

    if (scan->status)
        return false;
    if (next == closing) {
        scan->at++;
        scan->depth--;
        return false;
    }
    if (!*has_items) {
        *has_items = true;
        return true;
    }
    if (next != ',')
        return scan_expected(scan, closing == '}' ? "',' or '}'" : "',' or ']'");
    scan->at++;
    return true;
}

bool json_item(struct json_scan *scan, struct json_level *level)
{
    return next_item(scan, &level->has_items, ']');
}

/* Read a key and its colon. */
static bool read_key(struct json_scan *scan, struct quoted *key)
{
    if (scan_next(scan) != '"')
        return scan_expected(scan, "a key in quotes");
    const char *start = scan->at;
    if (!scan_quoted(scan, key))
        return false;
    if (key->text.bytes > JSON_KEY_BYTES_MAX)
        return scan_refuse(scan, start, STATUS_MALFORMED, "a key has more than %d bytes",
                           JSON_KEY_BYTES_MAX);
    if (scan_next(scan) != ':')
        return scan_expected(scan, "':'");
    scan->at++;
    return true;
}

bool json_member(struct json_scan *scan, struct json_level *level, struct text *key)
{
    struct quoted quoted = {0};

    if (!next_item(scan, &level->has_items, '}') || !read_key(scan, &quoted))
        return false;
    *key = quoted.has_escapes ? scan_unescape(quoted.text, scan->key) : quoted.text;
    return true;
}

/* Literals */

static bool read_literal(struct json_scan *scan, const char *literal)
{
    size_t bytes = strlen(literal);

    if ((size_t)(scan->end - scan->at) < bytes || memcmp(scan->at, literal, bytes) != 0)
        return scan_expected(scan, "a value");
    scan->at += bytes;
    return true;
}

bool json_bool(struct json_scan *scan, bool *value)
{
    char first = scan_next(scan);

    if (first != 't' && first != 'f')
        return scan_wrong_kind(scan, "true or false");
    *value = first == 't';
    return read_literal(scan, *value ? "true" : "false");
}

bool json_take_null(struct json_scan *scan)
{
    return scan_next(scan) == 'n' ? read_literal(scan, "null")
                                  : scan_wrong_kind(scan, "null");
}

/* Anything */

static bool skip_scalar(struct json_scan *scan)
{
    struct quoted quoted = {0};

    switch (scan_kind(scan_next(scan))) {
    case JSON_KIND_NULL:
        return read_literal(scan, "null");
    case JSON_KIND_BOOL:
        return read_literal(scan, *scan->at == 't' ? "true" : "false");
    case JSON_KIND_NUMBER:
        return scan_skip_number(scan);
    case JSON_KIND_STRING:
        return scan_quoted(scan, &quoted);
    case JSON_KIND_NONE:
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        break;
    }
    return scan->status ? false : scan_expected(scan, "a value");
}

bool json_skip(struct json_scan *scan)
{
    const int depth_outside = scan->depth;
    uint64_t are_objects = 0; /* one bit per open level, the innermost lowest */
    bool has_items = false;

    do {
        /* Here a value begins. */
        char first = scan_next(scan);

        if (first == '{' || first == '[') {
            if (!enter(scan))
                return false;
            are_objects = are_objects << 1 | (first == '{');
            has_items = false;
        } else if (!skip_scalar(scan)) {
            return false;
        } else {
            has_items = true;
        }
        /* Here it has ended, or its items begin: close what can be closed. */
        while (scan->depth > depth_outside &&
               !next_item(scan, &has_items, are_objects & 1 ? '}' : ']')) {
            if (scan->status)
                return false;
            are_objects >>= 1;
            has_items = true;
        }
        if (scan->depth > depth_outside && (are_objects & 1)) {
            struct quoted key = {0};

            if (!read_key(scan, &key))
                return false;
        }
    } while (scan->depth > depth_outside);
    return true;
}

bool json_raw(struct json_scan *scan, struct text *value)
{
    scan_next(scan);

    const char *start = scan->at;

    if (!json_skip(scan))
        return false;
    *value = (struct text){start, (size_t)(scan->at - start)};
    return true;
}

enum status json_scan_end(struct json_scan *scan)
{
    scan_next(scan);
    if (scan->status)
        return scan->status;
    if (scan->at < scan->end)
        scan_expected(scan,
                      scan->depth ? "the end of an object or array" : "nothing more");
    else if (scan->depth > 0)
        scan_expected(scan, "the end of an object or array");
    else if (skip_spaces(scan->start, scan->end) == scan->end)
        scan_expected(scan, "a value");
    return scan->status;
}
