/* scalar.c - strict numbers, none of which takes long to read. */
#include "model/scalar.h"

enum { CLIP_BYTES_MAX = 60 };

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
    struct json_scan scan;
    struct err unheard;

    if (text.bytes == 0 || text.bytes > SCALAR_BYTES_MAX ||
        (text.at[0] != '-' && (text.at[0] < '0' || text.at[0] > '9')))
        return false;
    err_clear(&unheard);
    json_scan_init(&scan, text.at, text.bytes, 1, &unheard);
    return json_double(&scan, value) && scan.at == scan.end;
}

bool scalar_double(struct json_scan *scan, double *value)
{
    const char *start;

    if (json_peek(scan) != JSON_KIND_NUMBER)
        return json_double(scan, value);
    while (*scan->at != '-' && (*scan->at < '0' || *scan->at > '9'))
        scan->at++; /* white space */
    start = scan->at;
    if (!json_double(scan, value))
        return false;
    if (scan->at - start > SCALAR_BYTES_MAX)
        return json_refuse(scan, STATUS_INVALID, "a number has more than %d bytes",
                           SCALAR_BYTES_MAX);
    return true;
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
