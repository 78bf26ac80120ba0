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

/* Each step is a bijection of the hash, so that no byte's influence is lost; the high
 * bits, where products mix best, are folded into the low ones, by which tables take their
 * places. */
static inline uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

uint64_t text_quick_hash(struct text text)
{
    uint64_t hash = text.bytes, word;
    size_t i = 0;

    for (; text.bytes - i > sizeof word; i += sizeof word) {
        memcpy(&word, text.at + i, sizeof word);
        hash = mix(hash, word);
    }
    if (text.bytes >= sizeof word) {
        memcpy(&word, text.at + text.bytes - sizeof word, sizeof word);
        return mix(hash, word);
    }
    for (word = 0; i < text.bytes; i++)
        word = word << 8 | (unsigned char)text.at[i];
    return mix(hash, word);
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

static bool is_control(const unsigned char *at, size_t bytes, bool allows_lines)
{
    if (at[0] < 0x20)
        return !allows_lines || (at[0] != '\n' && at[0] != '\r' && at[0] != '\t');
    return at[0] == 0x7f || (at[0] == 0xc2 && bytes > 1 && at[1] < 0xa0);
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Whether eight bytes are free of all that a control character can begin with; no false
 * "yes". */
static inline bool is_clean(uint64_t word)
{
    uint64_t del = word ^ EACH_BYTE(0x7f), c1 = word ^ EACH_BYTE(0xc2);
    uint64_t found = ((word - EACH_BYTE(0x20)) & ~word) | ((del - EACH_BYTE(1)) & ~del) |
                     ((c1 - EACH_BYTE(1)) & ~c1);

    return (found & EACH_BYTE(0x80)) == 0;
}

bool text_has_control(struct text text, bool allows_lines)
{
    const unsigned char *at = (const unsigned char *)text.at, *end = at + text.bytes;
    const ptrdiff_t word_bytes = sizeof(uint64_t);
    uint64_t word;

    while (at < end) {
        /* The last word of a longer text is looked at whole. */
        if ((ptrdiff_t)text.bytes >= word_bytes) {
            const unsigned char *from = end - at >= word_bytes ? at : end - word_bytes;

            memcpy(&word, from, sizeof word);
            if (is_clean(word)) {
                at = from + word_bytes;
                continue;
            }
        }
        if (is_control(at, (size_t)(end - at), allows_lines))
            return true;
        at++;
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

static int least(int a, int b)
{
    return a < b ? a : b;
}

int text_distance(const char *a, const char *b)
{
    int rows[3][TEXT_DISTANCE_BYTES + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    int a_bytes = (int)strnlen(a, TEXT_DISTANCE_BYTES + 1),
        b_bytes = (int)strnlen(b, TEXT_DISTANCE_BYTES + 1);

    if (a_bytes > TEXT_DISTANCE_BYTES || b_bytes > TEXT_DISTANCE_BYTES)
        return TEXT_DISTANCE_BYTES;
    for (int j = 0; j <= b_bytes; j++)
        above[j] = j;
    for (int i = 1; i <= a_bytes; i++) {
        int *oldest = before;

        row[0] = i;
        for (int j = 1; j <= b_bytes; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_bytes];
}
