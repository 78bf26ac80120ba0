/* head.c - the checks of head.h (RFC 9110, RFC 9112; W3C Trace Context). */
#include "http/head.h"

#include <assert.h>
#include <limits.h>
#include <strings.h>

static const struct {
    const char *code, *detail;
} faults[] = {
#define X(name, code, detail) {code, detail},
    HEAD_FAULTS(X)
#undef X
};

#define NAME(literal)                                                                    \
    {                                                                                    \
        literal, sizeof literal - 1                                                      \
    }
static const struct text header_names[HEADER_COUNT] = {
    [HEADER_CONTENT_LENGTH] = NAME("Content-Length"),
    [HEADER_HOST] = NAME("Host"),
    [HEADER_AUTHORIZATION] = NAME("Authorization"),
    [HEADER_IDEMPOTENCY_KEY] = NAME("Idempotency-Key"),
    [HEADER_CONTENT_TYPE] = NAME("Content-Type"),
    [HEADER_CONTENT_ENCODING] = NAME("Content-Encoding"),
    [HEADER_IF_MATCH] = NAME("If-Match"),
    [HEADER_REQUEST_ID] = NAME("X-Request-Id"),
    [HEADER_TRACEPARENT] = NAME("traceparent"),
    [HEADER_EXPECT] = NAME("Expect"),
    [HEADER_TRANSFER_ENCODING] = NAME("Transfer-Encoding"),
};
#undef NAME

const char *head_fault_code(enum head_fault fault)
{
    assert(fault < HEAD_FAULT_COUNT);
    return faults[fault].code;
}

const char *head_fault_detail(enum head_fault fault)
{
    assert(fault < HEAD_FAULT_COUNT);
    return faults[fault].detail;
}

static void refuse(struct head *head, enum head_fault fault)
{
    if (head->fault == HEAD_FAULT_NONE)
        head->fault = fault;
}

/* --- characters ----------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const bool token_chars[UCHAR_MAX + 1] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
    ['#'] = true,         ['$'] = true,         ['%'] = true,         ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true,
    ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true,
    ['|'] = true,         ['~'] = true,
};

static bool is_token(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (!token_chars[(unsigned char)text.at[i]])
            return false;
    return text.bytes > 0;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Tabs are allowed between words; bytes over 127 are opaque. */
static bool is_field_value(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (is_control(text.at[i]) && text.at[i] != '\t')
            return false;
    return true;
}

static bool is_target(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if ((unsigned char)text.at[i] <= ' ' || (unsigned char)text.at[i] >= 0x7f)
            return false;
    return text.bytes > 0;
}

/* In upper or lower case. */
static bool is_word(struct text text, const char *word)
{
    return text.bytes == strlen(word) && strncasecmp(text.at, word, text.bytes) == 0;
}

/* --- lines ---------------------------------------------------------------------------------- */

void head_begin(struct head *head, const char *method, const char *target,
                const char *version)
{
    if (!is_token(text_of(method)))
        refuse(head, HEAD_FAULT_METHOD);
    if (!is_target(text_of(target)))
        refuse(head, HEAD_FAULT_TARGET);
    if (!version ||
        (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0))
        refuse(head, HEAD_FAULT_VERSION);
}

static enum head_header find_header(struct text name)
{
    for (int i = 0; i < HEADER_COUNT; i++)
        if (header_names[i].bytes == name.bytes &&
            strncasecmp(header_names[i].at, name.at, name.bytes) == 0)
            return (enum head_header)i;
    return HEADER_COUNT;
}

/* Digits only: no sign, no space, no list. So long that it cannot be meant: refused as
 * well. */
static bool read_length(struct text text, int64_t *length)
{
    int64_t value = 0;

    if (text.bytes == 0 || text.bytes > 18)
        return false;
    for (size_t i = 0; i < text.bytes; i++) {
        if (!is_digit(text.at[i]))
            return false;
        value = value * 10 + (text.at[i] - '0');
    }
    *length = value;
    return true;
}

void head_add(struct head *head, struct text name, struct text value)
{
    enum head_header header = find_header(name);

    if (!is_token(name))
        refuse(head, HEAD_FAULT_NAME);
    if (!is_field_value(value))
        refuse(head, HEAD_FAULT_VALUE);
    if (header == HEADER_COUNT)
        return;
    if (head->values[header] && header < HEADER_ONCE_COUNT)
        refuse(head, HEAD_FAULT_REPEATED);
    if (header == HEADER_CONTENT_LENGTH && !read_length(value, &head->content_length))
        refuse(head, HEAD_FAULT_LENGTH);
    if (header == HEADER_TRANSFER_ENCODING)
        refuse(head, HEAD_FAULT_CODING);
    if (header == HEADER_EXPECT && !is_word(value, "100-continue"))
        refuse(head, HEAD_FAULT_EXPECT);
    if (!head->values[header])
        head->values[header] = value.bytes > 0 ? value.at : "";
}

bool head_end(struct head *head, const char *version)
{
    if (head->fault == HEAD_FAULT_NONE && !head->values[HEADER_HOST] &&
        strcmp(version, "HTTP/1.1") == 0)
        refuse(head, HEAD_FAULT_HOST);
    return head->fault == HEAD_FAULT_NONE;
}

/* --- values --------------------------------------------------------------------------------- */

void head_request_id(const struct head *head, char id[static 65])
{
    struct text text = text_of(head->values[HEADER_REQUEST_ID]);

    id[0] = 0;
    for (size_t i = 0; i < text.bytes; i++)
        if (text.at[i] < ' ' || text.at[i] > '~')
            return;
    if (!text_copy(text, id, 65))
        id[0] = 0;
}

/* So many lower-case hexadecimal digits, not all of them the given one. */
static bool is_hex(const char *at, int count, char but)
{
    bool is_other = false;

    for (int i = 0; i < count; i++) {
        if (!is_digit(at[i]) && !(at[i] >= 'a' && at[i] <= 'f'))
            return false;
        is_other = is_other || at[i] != but;
    }
    return is_other;
}

/* version "-" trace-id "-" parent-id "-" flags; later versions may go on after another
 * "-". */
void head_trace_id(const struct head *head, char id[static 33])
{
    enum { VERSION_AT = 0, TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, BYTES = 55 };
    const char *at = head->values[HEADER_TRACEPARENT];
    size_t bytes = at ? strlen(at) : 0;

    id[0] = 0;
    if (bytes < BYTES || at[TRACE_AT - 1] != '-' || at[PARENT_AT - 1] != '-' ||
        at[FLAGS_AT - 1] != '-')
        return;
    if (!is_hex(at + VERSION_AT, 2, 'f') || !is_hex(at + TRACE_AT, 32, '0') ||
        !is_hex(at + PARENT_AT, 16, '0') || !is_hex(at + FLAGS_AT, 2, 0))
        return;
    if (bytes > BYTES && (memcmp(at, "00", 2) == 0 || at[BYTES] != '-'))
        return;
    memcpy(id, at + TRACE_AT, 32);
    id[32] = 0;
}

static struct text take_token(const char **at)
{
    struct text token = {*at, 0};

    while (token_chars[(unsigned char)token.at[token.bytes]])
        token.bytes++;
    *at += token.bytes;
    return token;
}

/* What stands between quotes; none when they are not closed. */
static struct text take_quoted(const char **at)
{
    struct text inside = {*at + 1, 0};
    const char *end = inside.at;

    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    if (!*end)
        return (struct text){0};
    inside.bytes = (size_t)(end - inside.at);
    *at = end + 1;
    return inside;
}

/* name "=" value, or nothing at all. */
static bool take_parameter(const char **at)
{
    struct text name = take_token(at), value;

    if (name.bytes == 0)
        return true;
    if (**at != '=')
        return false;
    ++*at;
    value = **at == '"' ? take_quoted(at) : take_token(at);
    return value.at && (!is_word(name, "charset") || is_word(value, "utf-8"));
}

bool head_is_type(const char *value, const char *type)
{
    size_t bytes = strlen(type);
    const char *at = value;

    if (strncasecmp(value, type, bytes) != 0)
        return false;
    for (at += bytes + strspn(at + bytes, " \t"); *at == ';'; at += strspn(at, " \t")) {
        at++;
        at += strspn(at, " \t");
        if (!take_parameter(&at))
            return false;
    }
    return *at == '\0';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_printable_utf8(const char *at, const char *end)
{
    while (at < end) {
        int bytes = utf8_bytes(at, end);

        if (bytes == 0 || is_control(*at))
            return false;
        at += bytes;
    }
    return true;
}

bool head_decode(struct text text, char *out)
{
    char *to = out;

    for (size_t i = 0; i < text.bytes; i++) {
        if (text.at[i] != '%') {
            *to++ = text.at[i];
            continue;
        }
        if (text.bytes - i < 3)
            return false;
        int high = hex_value(text.at[i + 1]), low = hex_value(text.at[i + 2]);
        if (high < 0 || low < 0)
            return false;
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    *to = 0;
    return is_printable_utf8(out, to);
}
