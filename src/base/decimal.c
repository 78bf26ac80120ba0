/* decimal.c - digits and where their point stands. */
#include "base/decimal.h"

#include <assert.h>

/* Beyond this every number is too large or nothing is left of it. */
enum { EXPONENT_MAX = 1 << 20 };

int64_t decimal_power(int power)
{
    static const int64_t powers[DECIMAL_DIGITS_MAX + 1] = {
        1,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
    };

    assert(power >= 0);
    assert(power <= DECIMAL_DIGITS_MAX);
    return powers[power];
}

/* ---- reading ---- */

/* A number cut into its parts: digits x 10^exponent, and a little more when has_more. */
struct parts {
    int64_t digits; /* the first DECIMAL_DIGITS_MAX, from the first that is not zero */
    int digit_count;
    int64_t exponent;
    bool is_negative, has_more;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A run of digits; those that do not fit move the exponent instead. */
static const char *read_digits(const char *at, const char *end, struct parts *parts)
{
    for (; at < end && is_digit(*at); at++) {
        int digit = *at - '0';

        if (parts->digit_count < DECIMAL_DIGITS_MAX) {
            parts->digits = parts->digits * 10 + digit;
            parts->digit_count += parts->digits != 0;
        } else {
            parts->has_more = parts->has_more || digit != 0;
            parts->exponent++;
        }
    }
    return at;
}

/* What follows the letter e; NULL when it is no number. */
static const char *read_exponent(const char *at, const char *end, int64_t *exponent)
{
    bool is_negative = at < end && *at == '-';
    int64_t size = 0;

    at += at < end && (*at == '-' || *at == '+');
    if (at == end || !is_digit(*at))
        return NULL;
    for (; at < end && is_digit(*at); at++)
        size = size < EXPONENT_MAX ? size * 10 + (*at - '0') : EXPONENT_MAX;
    *exponent += is_negative ? -size : size;
    return at;
}

static bool read_parts(struct text text, struct parts *parts)
{
    const char *at = text.at, *end = at + text.bytes, *start, *point;
    ptrdiff_t written;

    if (text.bytes == 0)
        return false;
    parts->is_negative = *at == '-';
    at += *at == '-' || *at == '+';
    start = at;
    at = read_digits(at, end, parts);
    written = at - start;
    if (at < end && *at == '.') {
        point = ++at;
        at = read_digits(at, end, parts);
        parts->exponent -= at - point;
        written += at - point;
    }
    if (written == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E'))
        at = read_exponent(at + 1, end, &parts->exponent);
    return at == end;
}

/* Cut off digits until no more than the allowed decimals are left. The last one kept is
 * moved off 0 and 5 when something was lost behind it: a tie is then never seen where
 * there is none. */
static void cut(struct parts *parts)
{
    while (parts->exponent < -DECIMAL_DIGITS_MAX && parts->digits != 0) {
        parts->has_more = parts->has_more || parts->digits % 10 != 0;
        parts->digits /= 10;
        parts->exponent++;
    }
    if (parts->digits == 0)
        parts->exponent = 0;
    else if (parts->has_more && parts->digits % 5 == 0)
        parts->digits++;
}

/* Nearly all numbers are short and plain. False: left to the general way. */
static bool read_short(struct text text, struct decimal *decimal)
{
    const char *at = text.at, *end = at + text.bytes, *point = NULL;
    bool is_negative = text.bytes > 0 && *at == '-';
    int64_t digits = 0;
    int decimals;

    at += is_negative;
    if (at == end || end - at > DECIMAL_DIGITS_MAX || !is_digit(*at) ||
        !is_digit(end[-1]))
        return false;
    for (; at < end; at++) {
        unsigned digit = (unsigned)(*at - '0');

        if (digit <= 9)
            digits = digits * 10 + digit;
        else if (*at == '.' && !point)
            point = at + 1;
        else
            return false;
    }
    decimals = point ? (int)(end - point) : 0;
    while (decimals > 0 && digits % 10 == 0) {
        digits /= 10;
        decimals--;
    }
    *decimal = (struct decimal){is_negative ? -digits : digits, decimals, true};
    return true;
}

enum decimal_fault decimal_read(struct text text, struct decimal *decimal)
{
    struct parts parts = {0};

    if (read_short(text, decimal))
        return DECIMAL_GOOD;
    *decimal = (struct decimal){.is_exact = true};
    if (!read_parts(text, &parts))
        return DECIMAL_NO_NUMBER;
    if (parts.digits == 0)
        return DECIMAL_GOOD;
    if (parts.exponent + parts.digit_count > DECIMAL_DIGITS_MAX)
        return DECIMAL_TOO_LARGE;
    while (parts.exponent < 0 && parts.digits % 10 == 0 && !parts.has_more) {
        parts.digits /= 10;
        parts.exponent++;
    }
    if (parts.exponent < -DECIMAL_DIGITS_MAX || parts.has_more)
        cut(&parts);
    if (parts.exponent > 0) {
        parts.digits *= decimal_power((int)parts.exponent);
        parts.exponent = 0;
    }
    decimal->digits = parts.is_negative ? -parts.digits : parts.digits;
    decimal->decimals = (int)-parts.exponent;
    decimal->is_exact = !parts.has_more;
    return DECIMAL_GOOD;
}

/* ---- scales ---- */

__int128 decimal_scale(int64_t digits, int from, int to)
{
    int64_t power, rest;

    if (to >= from)
        return (__int128)digits * decimal_power(to - from);
    power = decimal_power(from - to);
    rest = digits % power;
    return digits / power + (rest >= power - rest) - (-rest >= power + rest);
}

__int128 decimal_floor(int64_t digits, int from, int to)
{
    int64_t power;

    if (to >= from)
        return (__int128)digits * decimal_power(to - from);
    power = decimal_power(from - to);
    return digits / power - (digits % power < 0);
}

/* ---- writing ---- */

const char *decimal_text(__int128 number, int decimals,
                         char text[static DECIMAL_TEXT_BYTES])
{
    unsigned __int128 size =
        number < 0 ? -(unsigned __int128)number : (unsigned __int128)number;
    char reversed[DECIMAL_TEXT_BYTES], *to = text;
    int count = 0;

    assert(decimals >= 0);
    assert(decimals <= DECIMAL_DIGITS_MAX);
    while (decimals > 0 && size % 10 == 0) {
        size /= 10;
        decimals--;
    }
    do {
        if (decimals > 0 && count == decimals)
            reversed[count++] = '.';
        reversed[count++] = (char)('0' + (int)(size % 10));
        size /= 10;
    } while (size != 0 || (decimals > 0 && count <= decimals + 1));
    if (number < 0)
        *to++ = '-';
    while (count > 0)
        *to++ = reversed[--count];
    *to = '\0';
    return text;
}
