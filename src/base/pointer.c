/* pointer.c - pointers, with the two characters escaped that have a meaning in them. */
#include "base/pointer.h"

#include <stdio.h>

/* Whether a byte continues a UTF-8 character. */
static bool is_continued(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

void pointer_member(char pointer[static POINTER_BYTES], const char *parent,
                    struct text name)
{
    bool is_said = !text_holds_nul(name);
    int length = snprintf(pointer, POINTER_BYTES, "%s%s", parent, is_said ? "/" : "");
    size_t used = length < POINTER_BYTES ? (size_t)length : POINTER_BYTES - 1;
    size_t at = 0;

    while (is_said && at < name.bytes) {
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

void pointer_faults(struct err *err, const char *parent, const char *but)
{
    char pointer[2 * POINTER_BYTES];

    for (int i = 0; i < err->fault_count; i++) {
        if (but && strncmp(err->faults[i].pointer, but, strlen(but)) == 0)
            continue;
        snprintf(pointer, sizeof pointer, "%s%s", parent, err->faults[i].pointer);
        text_copy(text_clip(text_of(pointer), POINTER_BYTES - 1), err->faults[i].pointer,
                  POINTER_BYTES);
    }
    if (err->fault_count > 0)
        snprintf(err->text, sizeof err->text, "%s: %s", err->faults[0].pointer,
                 err->faults[0].detail);
}
