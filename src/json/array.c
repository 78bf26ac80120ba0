/* array.c - long arrays of plain numbers, many items at a time: most of a model file. */
#include "json/scan.h"

enum { PLAIN_INT_DIGITS = 9, PLAIN_DIGITS = 100, PLAIN_EXPONENT_DIGITS = 2 };

static inline const char *skip_digits(const char *at, const char *end, long count_max)
{
    const char *stop = end - at > count_max ? at + count_max : end;

    while (at < stop && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* Where the next item begins: after a comma and at most one space; NULL: a closer look is
 * due. */
static inline const char *item_start(const char *at, const char *end, bool has_items)
{
    if (has_items && (at == end || *at++ != ','))
        return NULL;
    return at < end && *at == ' ' ? at + 1 : at;
}

static inline bool ends_item(const char *at, const char *end)
{
    return at < end && (*at == ',' || *at == ']');
}

/* The end of the digits before a point; NULL: none, too many, or a 0 before others. */
static inline const char *skip_whole(const char *at, const char *end, long count_max)
{
    const char *after = skip_digits(at, end, count_max);

    return after == at || (*at == '0' && after - at > 1) ? NULL : after;
}

size_t json_plain_ints(struct json_scan *scan, struct json_level *level, int32_t *values,
                       size_t count_max)
{
    const char *end = scan->end;
    size_t count = 0;

    while (!scan->status && count < count_max) {
        const char *at = item_start(scan->at, end, level->has_items), *after;
        bool is_negative = at && at < end && *at == '-';
        int32_t size = 0;

        after = at ? skip_whole(at + is_negative, end, PLAIN_INT_DIGITS) : NULL;
        if (!after || !ends_item(after, end))
            break;
        for (const char *digit = at + is_negative; digit < after; digit++)
            size = size * 10 + (*digit - '0');
        values[count++] = is_negative ? -size : size;
        scan->at = after;
        level->has_items = true;
    }
    return count;
}

/* The end of a number that is far from overflowing; NULL: a closer look is due. */
static const char *skip_plain(const char *at, const char *end)
{
    const char *digits;

    at = skip_whole(at + (at < end && *at == '-'), end, PLAIN_DIGITS);
    if (at && at < end && *at == '.') {
        digits = at + 1;
        at = skip_digits(digits, end, PLAIN_DIGITS);
        at = at > digits ? at : NULL;
    }
    if (at && at < end && (*at | 0x20) == 'e') {
        digits = at + 1;
        digits += digits < end && (*digits == '-' || *digits == '+');
        at = skip_digits(digits, end, PLAIN_EXPONENT_DIGITS);
        at = at > digits ? at : NULL;
    }
    return at && ends_item(at, end) ? at : NULL;
}

size_t json_skip_plain(struct json_scan *scan, struct json_level *level, size_t count_max)
{
    size_t count = 0;

    while (!scan->status && count < count_max) {
        const char *at = item_start(scan->at, scan->end, level->has_items);

        at = at ? skip_plain(at, scan->end) : NULL;
        if (!at)
            break;
        scan->at = at;
        level->has_items = true;
        count++;
    }
    return count;
}
