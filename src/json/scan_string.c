/* scan_string.c - strings of the JSON reader: valid UTF-8, and escapes. */
#include "plain.h"
#include "reading.h"

#include <string.h>

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
        return scan_refuse(scan, at, STATUS_MALFORMED,
                           "an escape that does not exist, or half a surrogate pair");
    if (byte < 0x20)
        return scan_refuse(scan, at, STATUS_MALFORMED, "control byte 0x%02x in a string",
                           byte);
    return scan_refuse(scan, at, STATUS_MALFORMED, "byte 0x%02x is not valid UTF-8",
                       byte);
}

bool scan_quoted(struct json_scan *scan, struct quoted *quoted)
{
    const char *start = scan->at + 1, *at = start, *end = scan->end, *next;
    uint32_t code_point;

    quoted->has_escapes = false;
    scan->is_plain = true;
    for (;;) {
        at = plain_end(at, end);
        if (at == end)
            return scan_refuse(scan, at, STATUS_MALFORMED, "a string does not end");
        if (*at == '"')
            break;
        scan->is_plain = false;
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

struct text scan_unescape(struct text written, char *buffer)
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
            if (!at)
                return (struct text){0};
            to = put_utf8(to, code_point);
        }
    }
    return (struct text){buffer, (size_t)(to - buffer)};
}

bool json_text(struct json_scan *scan, struct arena *arena, struct text *value)
{
    struct quoted quoted = {0};
    char *buffer;

    if (scan_next(scan) != '"')
        return scan_wrong_kind(scan, "a string");
    if (!scan_quoted(scan, &quoted))
        return false;
    *value = quoted.text;
    if (!quoted.has_escapes)
        return true;
    buffer = arena_alloc(arena, quoted.text.bytes, 1);
    if (!buffer)
        return json_refuse(scan, STATUS_EXHAUSTED, "no memory for a string");
    *value = scan_unescape(quoted.text, buffer);
    return true;
}
