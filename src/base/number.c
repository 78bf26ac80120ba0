/* number.c - decimal texts to doubles: four ways that round correctly, the fastest that applies. */
#include "base/number.h"

#include <math.h>
#include <stdlib.h>

/* No double needs more digits than 767 to be told from its neighbours' middle. */
enum {
    DIGITS_NEEDED = 800,
    POWER_EXACT = 22,
    POWER_INTEGER = 19,
    POWER_LEAP = 28, /* from one rounded power to the next */
    POWER_SCALED = 345,
    POWER_OF_ZERO = -324, /* what is below this power of ten is 0 as a double */
};

/* Beyond this every number is 0 or overflows, and sums of two still fit. */
static const int64_t exponent_max = INT64_C(1) << 40;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read a run of digits into number; false when there is none. */
static inline bool read_digits(const char **at, const char *end, struct number *number)
{
    const char *start = *at, *p = *at, *first;
    uint64_t digits = number->digits;

    while (number->digit_count == 0 && p < end && *p == '0')
        p++;
    first = p;
    for (; p < end && is_digit(*p); p++)
        digits = digits * 10 + (uint64_t)(*p - '0');
    if (number->digit_count == 0 && p > first)
        number->first_digit = first;
    number->digits = digits;
    number->digit_count += p - first;
    *at = p;
    return p > start;
}

static bool read_exponent(const char **at, const char *end, int64_t *exponent)
{
    const char *p = *at + 1;
    int64_t value = 0;
    bool is_negative = p < end && *p == '-';

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    const char *start = p;
    for (; p < end && is_digit(*p); p++)
        if (value < exponent_max)
            value = value * 10 + (*p - '0');
    *exponent += is_negative ? -value : value;
    *at = p;
    return p > start;
}

enum number_fault number_read(const char *at, const char *end, struct number *number)
{
    *number = (struct number){.start = at, .first_digit = end, .is_integer = true};
    number->is_negative = at < end && *at == '-';
    at += number->is_negative;

    const char *integer = at;
    enum number_fault fault = NUMBER_GOOD;

    if (!read_digits(&at, end, number))
        fault = NUMBER_NO_DIGIT;
    else if (*integer == '0' && at - integer > 1)
        fault = NUMBER_LEADING_ZERO;
    if (!fault && at < end && *at == '.') {
        const char *fraction = ++at;

        number->is_integer = false;
        if (!read_digits(&at, end, number))
            fault = NUMBER_NO_DIGIT;
        number->exponent = fraction - at;
    }
    if (!fault && at < end && (*at == 'e' || *at == 'E')) {
        number->is_integer = false;
        if (!read_exponent(&at, end, &number->exponent))
            fault = NUMBER_NO_DIGIT;
    }
    number->end = fault == NUMBER_LEADING_ZERO ? integer : at;
    return fault;
}

/* mantissa x 2^exponent, rounded to nearest, halves to even; has_more: the true mantissa
 * is a little larger. mantissa has its top bit or the one below set, so at least nine bits
 * are dropped and has_more can never stand alone on a half. */
static double round_to_double(uint64_t mantissa, int exponent, bool has_more)
{
    int dropped_bits = 64 - __builtin_clzll(mantissa) - 53;
    uint64_t kept = mantissa >> dropped_bits;
    uint64_t dropped = mantissa & ((UINT64_C(1) << dropped_bits) - 1);
    uint64_t half = UINT64_C(1) << (dropped_bits - 1);

    if (dropped > half || (dropped == half && (has_more || (kept & 1))))
        kept++;
    return ldexp((double)kept, exponent + dropped_bits);
}

/* Up to 19 digits and a power of ten within 64 bits: one product or quotient of 128 by 64
 * bits, whose remainder decides halves. digits > 0. */
static double from_integers(uint64_t digits, int power)
{
    static const uint64_t tens[POWER_INTEGER + 1] = {
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
        10000000000000000000U,
    };
    uint64_t ten = tens[power < 0 ? -power : power];
    int digits_shift = __builtin_clzll(digits), ten_shift = __builtin_clzll(ten);
    unsigned __int128 a = digits << digits_shift, b = ten << ten_shift;

    if (power >= 0) {
        unsigned __int128 product = a * b; /* the top bit or the one below is set */

        return round_to_double((uint64_t)(product >> 64), 64 - digits_shift - ten_shift,
                               (uint64_t)product != 0);
    }
    unsigned __int128 numerator = a << 63; /* the quotient has 63 or 64 bits */

    return round_to_double((uint64_t)(numerator / b), ten_shift - digits_shift - 63,
                           numerator % b != 0);
}

/* mantissa x 2^exponent; the top bit of mantissa is set. */
struct scaled {
    uint64_t mantissa;
    int exponent;
};

static struct scaled product(struct scaled a, struct scaled b)
{
    unsigned __int128 whole = (unsigned __int128)a.mantissa * b.mantissa;
    int is_short = !(whole >> 127);

    return (struct scaled){(uint64_t)(whole << is_short >> 64),
                           a.exponent + b.exponent + 64 - is_short};
}

static struct scaled quotient(struct scaled a, struct scaled b)
{
    int shift = a.mantissa < b.mantissa ? 64 : 63; /* so that it has 64 bits */

    return (struct scaled){
        (uint64_t)(((unsigned __int128)a.mantissa << shift) / b.mantissa),
        a.exponent - b.exponent - shift};
}

static struct scaled scaled_of(uint64_t integer)
{
    int shift = __builtin_clzll(integer);

    return (struct scaled){integer << shift, -shift};
}

/* Up to the error of the leaps and of rounding. */
static struct scaled power_of_five(int power)
{
    /* 5^28, 5^56, 5^112, 5^224, rounded to 64 bits; 5^27 is the last that fits whole. */
    static const struct scaled leaps[] = {{0x813f3978f8940984, 2},
                                          {0x82818f1281ed44a0, 67},
                                          {0x850fadc09923329e, 197},
                                          {0x8a5296ffe33cc930, 457}};
    uint64_t rest = 1;
    struct scaled result;

    for (int i = power % POWER_LEAP; i > 0; i--)
        rest *= 5;
    result = scaled_of(rest);
    for (int i = 0; i < 4; i++)
        if (power / POWER_LEAP >> i & 1)
            result = product(result, leaps[i]);
    return result;
}

/* mantissa x 2^exponent to nearest, also among the denormals; false when the last bits of mantissa,
 * DOUBT of which mean nothing, could decide. */
static bool round_scaled(struct scaled value, double *size)
{
    enum { DOUBT = 32, BITS_DROPPED = 11, EXPONENT_MIN = -1074 };
    int dropped_bits = value.exponent + BITS_DROPPED < EXPONENT_MIN
                           ? EXPONENT_MIN - value.exponent
                           : BITS_DROPPED;

    if (dropped_bits > 64) { /* below half of the smallest */
        *size = 0;
        return dropped_bits > 65 || value.mantissa < UINT64_MAX - DOUBT;
    }

    uint64_t half = UINT64_C(1) << (dropped_bits - 1);
    uint64_t kept = dropped_bits < 64 ? value.mantissa >> dropped_bits : 0;
    uint64_t dropped = value.mantissa & (half | (half - 1));

    if (dropped > half - DOUBT && dropped < half + DOUBT)
        return false;
    *size = ldexp((double)(kept + (dropped > half)), value.exponent + dropped_bits);
    return true;
}

/* Up to 19 digits and any power of ten that a double can have, with 64 bits throughout. The
 * factors are off by up to half a unit of the last bit, each of at most five operations by up to
 * two: false when that could decide the rounding. digits > 0. */
static bool from_scaled(uint64_t digits, int64_t power, double *size)
{
    struct scaled value, five;

    if (power < -POWER_SCALED || power > POWER_SCALED)
        return false;
    five = power_of_five((int)(power < 0 ? -power : power));
    value =
        power < 0 ? quotient(scaled_of(digits), five) : product(scaled_of(digits), five);
    value.exponent += (int)power;
    return round_scaled(value, size);
}

/* More digits: when the first 19, and these and one more, are the same double, so is the number. */
static bool from_first_digits(const struct number *number, double *size)
{
    uint64_t digits = 0;
    int count = 0;
    int64_t power = number->exponent + number->digit_count - NUMBER_DIGITS_EXACT;
    double above;

    for (const char *p = number->first_digit; count < NUMBER_DIGITS_EXACT; p++)
        if (*p != '.') {
            digits = digits * 10 + (uint64_t)(*p - '0');
            count++;
        }
    return from_scaled(digits, power, size) && from_scaled(digits + 1, power, &above) &&
           *size == above;
}

/* "e-123", ended. */
static void put_exponent(char *to, int exponent)
{
    int size = exponent < 0 ? -exponent : exponent, unit = 10000;

    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    for (; unit > 0; unit /= 10)
        *to++ = (char)('0' + size / unit % 10);
    *to = 0;
}

/* Anything else through the C library, which reads a point because the program never sets
 * a locale. Digits beyond those needed only matter by being not all zero. */
static double from_text(const struct number *number)
{
    char text[DIGITS_NEEDED + 32];
    int count = 0;
    int64_t exponent = number->exponent + number->digit_count;
    bool has_more = false;

    for (const char *p = number->first_digit; p < number->end && (*p | 0x20) != 'e';
         p++) {
        if (*p == '.')
            continue;
        if (count < DIGITS_NEEDED)
            text[count++] = *p;
        else
            has_more = has_more || *p != '0';
    }
    if (has_more)
        text[count++] = '1';
    exponent -= count;
    if (exponent > 10000)
        exponent = 10000;
    if (exponent < -10000)
        exponent = -10000;
    put_exponent(text + count, (int)exponent);
    return strtod(text, NULL);
}

bool number_double(const struct number *number, double *value)
{
    static const double powers[POWER_EXACT + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const uint64_t exact_max = UINT64_C(1) << 53;
    int64_t power = number->exponent;
    double size;

    if (number->digit_count == 0 || power + number->digit_count <= POWER_OF_ZERO)
        size = 0;
    else if (number->digit_count > NUMBER_DIGITS_EXACT)
        size = from_first_digits(number, &size) ? size : from_text(number);
    else if (number->digits <= exact_max && power >= -POWER_EXACT && power <= POWER_EXACT)
        /* Both are exact, so that one operation rounds once. */
        size = power < 0 ? (double)number->digits / powers[-power]
                         : (double)number->digits * powers[power];
    else if (power >= -POWER_INTEGER && power <= POWER_INTEGER)
        size = from_integers(number->digits, (int)power);
    else if (!from_scaled(number->digits, power, &size))
        size = from_text(number);
    *value = number->is_negative ? -size : size;
    return isfinite(size);
}
