/* text.c - copying, hashing and checking pieces of text. */
#include "base/text.h"

static bool continues(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

bool text_copy(struct text text, char *buffer, size_t buffer_bytes)
{
    if (buffer_bytes == 0)
        return false;
    buffer[0] = 0;
    if (text.bytes >= buffer_bytes || (text.bytes && memchr(text.at, 0, text.bytes)))
        return false;
    if (text.bytes)
        memcpy(buffer, text.at, text.bytes);
    buffer[text.bytes] = 0;
    return true;
}

size_t int_format(int64_t value, char text[static INT_TEXT_BYTES])
{
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char digits[INT_TEXT_BYTES];
    size_t count = 0, bytes = 0;

    do
        digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        text[bytes++] = '-';
    while (count > 0)
        text[bytes++] = digits[--count];
    text[bytes] = 0;
    return bytes;
}

uint64_t text_hash(struct text text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < text.bytes; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The table of well-formed sequences of the Unicode standard (3-7). */
int utf8_bytes(const char *at, const char *end)
{
    const unsigned char *s = (const unsigned char *)at;
    ptrdiff_t room = end - at;

    if (room <= 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return room >= 2 && continues(s[1]) ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        if (room < 3 || !continues(s[1]) || !continues(s[2]))
            return 0;
        bool is_overlong = s[0] == 0xe0 && s[1] < 0xa0;
        bool is_surrogate = s[0] == 0xed && s[1] > 0x9f;
        return is_overlong || is_surrogate ? 0 : 3;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        if (room < 4 || !continues(s[1]) || !continues(s[2]) || !continues(s[3]))
            return 0;
        bool is_overlong = s[0] == 0xf0 && s[1] < 0x90;
        bool is_beyond = s[0] == 0xf4 && s[1] > 0x8f;
        return is_overlong || is_beyond ? 0 : 4;
    }
    return 0;
}

struct text text_clip(struct text text, size_t bytes_max)
{
    if (text.bytes <= bytes_max)
        return text;
    text.bytes = bytes_max;
    while (text.bytes > 0 && continues((unsigned char)text.at[text.bytes]))
        text.bytes--;
    return text;
}

bool text_has_control(struct text text, bool allows_lines)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (byte < 0x20) {
            if (!allows_lines || (byte != '\n' && byte != '\r' && byte != '\t'))
                return true;
        } else if (byte == 0x7F) {
            return true;
        } else if (byte == 0xC2 && i + 1 < text.bytes &&
                   (unsigned char)text.at[i + 1] < 0xA0) {
            return true;
        }
    }
    return false;
}

void text_plain(char *string)
{
    const char *end = string + strlen(string);

    while (string < end) {
        int bytes = utf8_bytes(string, end);
        struct text character = {string, bytes > 0 ? (size_t)bytes : 1};

        if (bytes == 0 || text_has_control(character, false))
            memset(string, strchr("\n\r\t", *string) ? ' ' : '?', character.bytes);
        string += character.bytes;
    }
}
