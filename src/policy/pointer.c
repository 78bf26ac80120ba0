/* pointer.c - RFC 6901 pointers and the checks of texts that come from outside. */
#include "policy/pointer.h"

#include <stdio.h>

/* Whether a byte continues a UTF-8 character. */
static bool is_continued(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

struct text text_clip(struct text text, size_t bytes_max)
{
    if (text.bytes <= bytes_max)
        return text;
    text.bytes = bytes_max;
    while (text.bytes > 0 && is_continued(text.at[text.bytes]))
        text.bytes--;
    return text;
}

void pointer_member(char pointer[static POINTER_BYTES], const char *parent,
                    struct text name)
{
    int length = snprintf(pointer, POINTER_BYTES, "%s/", parent);
    size_t used = length < POINTER_BYTES ? (size_t)length : POINTER_BYTES - 1;
    size_t at = 0;

    while (at < name.bytes) {
        size_t bytes = 1;
        bool is_escaped = name.at[at] == '~' || name.at[at] == '/';

        while (at + bytes < name.bytes && is_continued(name.at[at + bytes]))
            bytes++;
        if (used + bytes + is_escaped > POINTER_BYTES - 1)
            break;
        if (is_escaped) {
            pointer[used++] = '~';
            pointer[used++] = name.at[at] == '~' ? '0' : '1';
        } else {
            memcpy(pointer + used, name.at + at, bytes);
            used += bytes;
        }
        at += bytes;
    }
    pointer[used] = '\0';
}

void pointer_index(char pointer[static POINTER_BYTES], const char *parent, int index)
{
    if (snprintf(pointer, POINTER_BYTES, "%s/%d", parent, index) >= POINTER_BYTES)
        pointer[POINTER_BYTES - 1] = '\0';
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
