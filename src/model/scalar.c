/* scalar.c - strict numbers: what strtod accepts beyond decimals is refused. */
#include "model/scalar.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBER_BYTES_MAX = 256, CLIP_BYTES_MAX = 60 };

bool text_int(struct text text, int64_t *value)
{
    bool is_negative = text.bytes && text.at[0] == '-';
    int64_t sum = 0;

    if (text.bytes == is_negative)
        return false;
    for (size_t i = is_negative; i < text.bytes; i++) {
        int digit = text.at[i] - '0';

        if (digit < 0 || digit > 9)
            return false;
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, digit, &sum))
            return false;
    }
    /* Summed below zero, where there is one number more. */
    if (!is_negative && __builtin_sub_overflow(0, sum, &sum))
        return false;
    *value = sum;
    return true;
}

bool text_double(struct text text, double *value)
{
    char copy[NUMBER_BYTES_MAX];
    char *end;

    if (text.bytes == 0 || text.bytes >= sizeof copy)
        return false;
    for (size_t i = 0; i < text.bytes; i++)
        if (!strchr("0123456789+-.eE", text.at[i]) || !text.at[i])
            return false;
    memcpy(copy, text.at, text.bytes);
    copy[text.bytes] = 0;
    *value = strtod(copy, &end);
    return *end == 0 && isfinite(*value);
}

bool text_word(struct text *rest, struct text *word)
{
    const char *space;

    while (rest->bytes && *rest->at == ' ') {
        rest->at++;
        rest->bytes--;
    }
    if (rest->bytes == 0)
        return false;
    space = memchr(rest->at, ' ', rest->bytes);
    word->at = rest->at;
    word->bytes = space ? (size_t)(space - rest->at) : rest->bytes;
    rest->at += word->bytes;
    rest->bytes -= word->bytes;
    return true;
}

struct text scalar_shown(struct text text)
{
    size_t bytes = 0;

    while (bytes < text.bytes && bytes < CLIP_BYTES_MAX &&
           (unsigned char)text.at[bytes] >= ' ')
        bytes++;
    return (struct text){text.at, bytes};
}
