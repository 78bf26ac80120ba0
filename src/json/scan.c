/* scan.c - the strict JSON reader: one pass, no recursion. */
#include "json/scan.h"

#include "base/number.h"
#include "plain.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

/* A string as written, between its quotes. */
struct quoted {
    struct text text;
    bool has_escapes;
};

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

/* The first refusal counts; reading stops there. */
__attribute__((format(printf, 4, 5), cold)) static bool refuse(struct json_scan *scan,
                                                               const char *at,
                                                               enum status status,
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

__attribute__((cold)) static bool expected(struct json_scan *scan, const char *what)
{
    return refuse(scan, scan->at, STATUS_MALFORMED, "expected %s%s", what,
                  scan->at == scan->end ? ", but the text ends" : "");
}

void json_scan_init(struct json_scan *scan, const char *text, size_t bytes, int depth_max,
                    struct err *err)
{
    scan->start = scan->at = text;
    scan->end = bytes ? text + bytes : text;
    scan->depth = 0;
    scan->depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
    scan->status = STATUS_OK;
    scan->err = err;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Move to the next byte that is no white space, and return it; 0 at the end and after a
 * failure. (A NUL in the text fits nowhere either.) */
static inline char next_byte(struct json_scan *scan)
{
    if (scan->status)
        return 0;
    scan->at = skip_spaces(scan->at, scan->end);
    return scan->at < scan->end ? *scan->at : 0;
}

static enum json_kind kind_of(char first)
{
    switch (first) {
    case '{':
        return JSON_KIND_OBJECT;
    case '[':
        return JSON_KIND_ARRAY;
    case '"':
        return JSON_KIND_STRING;
    case 't':
    case 'f':
        return JSON_KIND_BOOL;
    case 'n':
        return JSON_KIND_NULL;
    case '-':
        return JSON_KIND_NUMBER;
    default:
        return first >= '0' && first <= '9' ? JSON_KIND_NUMBER : JSON_KIND_NONE;
    }
}

enum json_kind json_peek(struct json_scan *scan)
{
    const char *at = skip_spaces(scan->at, scan->end);
    enum json_kind kind;

    if (scan->status || (at == scan->end && scan->depth == 0))
        return JSON_KIND_NONE;
    kind = kind_of(at < scan->end ? *at : 0);
    if (kind == JSON_KIND_NONE) {
        scan->at = at;
        expected(scan, "a value");
    }
    return kind;
}

/* Another kind of value stands here than the caller can use, or none at all. */
__attribute__((cold)) static bool wrong_kind(struct json_scan *scan, const char *wanted)
{
    static const char *const names[] = {
        [JSON_KIND_NULL] = "null",       [JSON_KIND_BOOL] = "true or false",
        [JSON_KIND_NUMBER] = "a number", [JSON_KIND_STRING] = "a string",
        [JSON_KIND_ARRAY] = "an array",  [JSON_KIND_OBJECT] = "an object",
    };
    enum json_kind kind;

    if (scan->status)
        return false;
    kind = kind_of(next_byte(scan));
    if (kind == JSON_KIND_NONE)
        return expected(scan, wanted);
    return refuse(scan, scan->at, STATUS_INVALID, "expected %s, found %s", wanted,
                  names[kind]);
}

/* Containers */

static bool enter(struct json_scan *scan)
{
    if (scan->depth >= scan->depth_max)
        return refuse(scan, scan->at, STATUS_MALFORMED, "nested deeper than %d",
                      scan->depth_max);
    scan->depth++;
    scan->at++;
    return true;
}

void json_enter_object(struct json_scan *scan, struct json_level *level)
{
    level->has_items = false;
    if (next_byte(scan) != '{')
        wrong_kind(scan, "an object");
    else
        enter(scan);
}

void json_enter_array(struct json_scan *scan, struct json_level *level)
{
    level->has_items = false;
    if (next_byte(scan) != '[')
        wrong_kind(scan, "an array");
    else
        enter(scan);
}

/* Go to the next item, past the comma, or leave the container at its closing byte. */
static bool next_item(struct json_scan *scan, bool *has_items, char closing)
{
    char next = next_byte(scan);

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
        return expected(scan, closing == '}' ? "',' or '}'" : "',' or ']'");
    scan->at++;
    return true;
}

bool json_item(struct json_scan *scan, struct json_level *level)
{
    return next_item(scan, &level->has_items, ']');
}

/* Strings */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of four hexadecimal digits, or -1. */
static int read_hex(const char *at, const char *end)
{
    int value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Read the escape at `at` (a backslash). Returns its end, or NULL. */
static const char *read_escape(const char *at, const char *end, uint32_t *code_point)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *name;

    if (end - at < 2)
        return NULL;
    if (at[1] != 'u') {
        name = memchr(names, at[1], sizeof names - 1);
        if (!name)
            return NULL;
        *code_point = (unsigned char)meanings[name - names];
        return at + 2;
    }
    int unit = read_hex(at + 2, end);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return NULL;
    *code_point = (uint32_t)unit;
    if (unit < 0xd800 || unit > 0xdbff)
        return at + 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u')
        return NULL;
    int low = read_hex(at + 8, end);
    if (low < 0xdc00 || low > 0xdfff)
        return NULL;
    *code_point = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return at + 12;
}

__attribute__((cold)) static bool refuse_byte(struct json_scan *scan, const char *at)
{
    unsigned char byte = (unsigned char)*at;

    if (byte == '\\')
        return refuse(scan, at, STATUS_MALFORMED,
                      "an escape that does not exist, or half a surrogate pair");
    if (byte < 0x20)
        return refuse(scan, at, STATUS_MALFORMED, "control byte 0x%02x in a string",
                      byte);
    return refuse(scan, at, STATUS_MALFORMED, "byte 0x%02x is not valid UTF-8", byte);
}

/* Read and check the string whose opening quote is here. */
static bool read_quoted(struct json_scan *scan, struct quoted *quoted)
{
    const char *start = scan->at + 1, *at = start, *end = scan->end, *next;
    uint32_t code_point;

    quoted->has_escapes = false;
    for (;;) {
        at = plain_end(at, end);
        if (at == end)
            return refuse(scan, at, STATUS_MALFORMED, "a string does not end");
        if (*at == '"')
            break;
        if (*at == '\\') {
            quoted->has_escapes = true;
            next = read_escape(at, end, &code_point);
        } else {
            int bytes = (unsigned char)*at < 0x20 ? 0 : utf8_bytes(at, end);
            next = bytes ? at + bytes : NULL;
        }
        if (!next)
            return refuse_byte(scan, at);
        at = next;
    }
    quoted->text = (struct text){start, (size_t)(at - start)};
    scan->at = at + 1;
    return true;
}

static char *put_utf8(char *to, uint32_t code_point)
{
    if (code_point < 0x80) {
        *to++ = (char)code_point;
    } else if (code_point < 0x800) {
        *to++ = (char)(0xc0 | code_point >> 6);
        *to++ = (char)(0x80 | (code_point & 0x3f));
    } else if (code_point < 0x10000) {
        *to++ = (char)(0xe0 | code_point >> 12);
        *to++ = (char)(0x80 | (code_point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code_point & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code_point >> 18);
        *to++ = (char)(0x80 | (code_point >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code_point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code_point & 0x3f));
    }
    return to;
}

/* Write a checked string without its escapes; it never grows. */
static struct text unescape(struct text written, char *buffer)
{
    const char *at = written.at, *end = at + written.bytes;
    char *to = buffer;

    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t bytes = (size_t)((backslash ? backslash : end) - at);
        uint32_t code_point = 0;

        memcpy(to, at, bytes);
        to += bytes;
        at += bytes;
        if (backslash) {
            at = read_escape(at, end, &code_point);
            assert(at);
            to = put_utf8(to, code_point);
        }
    }
    return (struct text){buffer, (size_t)(to - buffer)};
}

bool json_text(struct json_scan *scan, struct arena *arena, struct text *value)
{
    struct quoted quoted = {0};
    char *buffer;

    if (next_byte(scan) != '"')
        return wrong_kind(scan, "a string");
    if (!read_quoted(scan, &quoted))
        return false;
    *value = quoted.text;
    if (!quoted.has_escapes)
        return true;
    buffer = arena_alloc(arena, quoted.text.bytes, 1);
    if (!buffer)
        return json_refuse(scan, STATUS_EXHAUSTED, "no memory for a string");
    *value = unescape(quoted.text, buffer);
    return true;
}

/* Read a key and its colon. */
static bool read_key(struct json_scan *scan, struct quoted *key)
{
    if (next_byte(scan) != '"')
        return expected(scan, "a key in quotes");
    const char *start = scan->at;
    if (!read_quoted(scan, key))
        return false;
    if (key->text.bytes > JSON_KEY_BYTES_MAX)
        return refuse(scan, start, STATUS_MALFORMED, "a key has more than %d bytes",
                      JSON_KEY_BYTES_MAX);
    if (next_byte(scan) != ':')
        return expected(scan, "':'");
    scan->at++;
    return true;
}

bool json_member(struct json_scan *scan, struct json_level *level, struct text *key)
{
    struct quoted quoted = {0};

    if (!next_item(scan, &level->has_items, '}') || !read_key(scan, &quoted))
        return false;
    *key = quoted.has_escapes ? unescape(quoted.text, scan->key) : quoted.text;
    return true;
}

/* Numbers */

/* 0x10, 1_000, 2.5.1, 3e4f: what goes on where a number ends is no slip between two values. */
static bool goes_on(const struct json_scan *scan, const char *end)
{
    return end < scan->end &&
           (isalnum((unsigned char)*end) || *end == '_' || *end == '.');
}

static bool read_number(struct json_scan *scan, const char *wanted, struct number *number)
{
    if (kind_of(next_byte(scan)) != JSON_KIND_NUMBER)
        return wrong_kind(scan, wanted);
    switch (number_read(scan->at, scan->end, number)) {
    case NUMBER_GOOD:
        if (goes_on(scan, number->end))
            return refuse(scan, number->end, STATUS_MALFORMED, "not a decimal number");
        break;
    case NUMBER_LEADING_ZERO:
        return refuse(scan, number->end, STATUS_MALFORMED, "a number begins with 0");
    case NUMBER_NO_DIGIT:
        scan->at = number->end;
        return expected(scan, "a digit");
    }
    scan->at = number->end;
    return true;
}

enum { SHORT_DIGIT_COUNT = 18 }; /* so many do not overflow */

/* A plain integer of few digits, as nearly all are; false when it takes a closer look. */
static bool read_short_int(struct json_scan *scan, int64_t *value)
{
    const char *at = scan->at, *end = scan->end, *first;
    bool is_negative = at < end && *at == '-';
    int64_t size = 0;

    first = at += is_negative;
    for (; at < end && at - first < SHORT_DIGIT_COUNT && *at >= '0' && *at <= '9'; at++)
        size = size * 10 + (*at - '0');
    if (at == first || at - first == SHORT_DIGIT_COUNT || at == end || *at == '.' ||
        *at == 'e' || *at == 'E' || (*first == '0' && at - first > 1))
        return false;
    *value = is_negative ? -size : size;
    scan->at = at;
    return true;
}

bool json_int(struct json_scan *scan, int64_t *value)
{
    const uint64_t size_max = INT64_MAX;
    struct number number = {0};

    if (next_byte(scan) && read_short_int(scan, value))
        return true;
    if (!read_number(scan, "an integer", &number))
        return false;
    if (!number.is_integer)
        return refuse(scan, number.start, STATUS_INVALID,
                      "expected an integer, without fraction and exponent");
    if (number.digit_count > NUMBER_DIGITS_EXACT ||
        number.digits > size_max + number.is_negative)
        return refuse(scan, number.start, STATUS_INVALID,
                      "the integer is beyond 64 bits");
    *value = (int64_t)(number.is_negative ? -number.digits : number.digits);
    return true;
}

bool json_double(struct json_scan *scan, double *value)
{
    struct number number = {0};

    if (!read_number(scan, "a number", &number))
        return false;
    if (!number_double(&number, value))
        return refuse(scan, number.start, STATUS_INVALID, "the number is too large");
    return true;
}

bool json_number(struct json_scan *scan, struct text *written)
{
    struct number number = {0};

    if (!read_number(scan, "a number", &number))
        return false;
    *written = (struct text){number.start, (size_t)(number.end - number.start)};
    return true;
}

/* Only the few numbers that might overflow are worth converting. */
static bool skip_number(struct json_scan *scan)
{
    struct number number = {0};
    double value;

    if (!read_number(scan, "a number", &number))
        return false;
    if (number.digit_count + number.exponent > 300 && !number_double(&number, &value))
        return refuse(scan, number.start, STATUS_INVALID, "the number is too large");
    return true;
}

/* Literals */

static bool read_literal(struct json_scan *scan, const char *literal)
{
    size_t bytes = strlen(literal);

    if ((size_t)(scan->end - scan->at) < bytes || memcmp(scan->at, literal, bytes) != 0)
        return expected(scan, "a value");
    scan->at += bytes;
    return true;
}

bool json_bool(struct json_scan *scan, bool *value)
{
    char first = next_byte(scan);

    if (first != 't' && first != 'f')
        return wrong_kind(scan, "true or false");
    *value = first == 't';
    return read_literal(scan, *value ? "true" : "false");
}

bool json_take_null(struct json_scan *scan)
{
    return next_byte(scan) == 'n' ? read_literal(scan, "null") : wrong_kind(scan, "null");
}

/* Anything */

static bool skip_scalar(struct json_scan *scan)
{
    struct quoted quoted = {0};

    switch (kind_of(next_byte(scan))) {
    case JSON_KIND_NULL:
        return read_literal(scan, "null");
    case JSON_KIND_BOOL:
        return read_literal(scan, *scan->at == 't' ? "true" : "false");
    case JSON_KIND_NUMBER:
        return skip_number(scan);
    case JSON_KIND_STRING:
        return read_quoted(scan, &quoted);
    case JSON_KIND_NONE:
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        break;
    }
    return scan->status ? false : expected(scan, "a value");
}

bool json_skip(struct json_scan *scan)
{
    const int depth_outside = scan->depth;
    uint64_t are_objects = 0; /* one bit per open level, the innermost lowest */
    bool has_items = false;

    do {
        /* Here a value begins. */
        char first = next_byte(scan);

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
    next_byte(scan);

    const char *start = scan->at;

    if (!json_skip(scan))
        return false;
    *value = (struct text){start, (size_t)(scan->at - start)};
    return true;
}

enum status json_scan_end(struct json_scan *scan)
{
    next_byte(scan);
    if (scan->status)
        return scan->status;
    if (scan->at < scan->end)
        expected(scan, scan->depth ? "the end of an object or array" : "nothing more");
    else if (scan->depth > 0)
        expected(scan, "the end of an object or array");
    else if (skip_spaces(scan->start, scan->end) == scan->end)
        expected(scan, "a value");
    return scan->status;
}
