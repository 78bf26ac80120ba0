/* number.c - decimal texts to doubles: several ways that round correctly, the fastest
 * that applies. */
#include "base/number.h"

#include "base/number_powers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* No double needs more digits than 767 to be told from its neighbours' middle. */
enum {
    DIGITS_NEEDED = 800,
    POWER_EXACT = 22,
    POWER_LEAP = 28, /* from one rounded power to the next */
    POWER_SCALED = 345,
    POWER_OF_ZERO = -324, /* what is below this power of ten is 0 as a double */
};

#define DIGITS_EXACT_MAX (UINT64_C(1) << 53) /* as integers */

/* Beyond this every number is 0 or overflows, and sums of two still fit. */
static const int64_t exponent_max = INT64_C(1) << 40;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* The next eight bytes, the first one lowest. */
static inline uint64_t load_eight(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* The same of four to seven bytes, which become the highest. */
static inline uint64_t load_few(const char *at, const char *end)
{
    uint32_t first, last;

    memcpy(&first, at, sizeof first);
    memcpy(&last, end - sizeof last, sizeof last);
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        first = __builtin_bswap32(first);
        last = __builtin_bswap32(last);
    }
    return (uint64_t)last << 32 | (uint64_t)first << (64 - 8 * (end - at));
}

/* Eight digits at once, in pairs, fours, and all, of which the lowest bytes were written
 * first; false when one of them is no digit. */
static inline bool sum_eight(uint64_t word, uint64_t *eight)
{
    if (((word + EACH_BYTE(0x7f - 9)) | word) & EACH_BYTE(0x80))
        return false;
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000ffff0000ffff);
    *eight = (word * 10000 + (word >> 32)) & UINT32_MAX;
    return true;
}

static inline bool read_eight(const char *at, uint64_t *eight)
{
    return sum_eight(load_eight(at) ^ EACH_BYTE('0'), eight);
}

/* Read a run of digits into number; false when there is none. */
static inline bool read_digits(const char **at, const char *end, struct number *number)
{
    const char *start = *at, *p = *at, *first;
    uint64_t digits = number->digits, eight;

    while (number->digit_count == 0 && p < end && *p == '0')
        p++;
    first = p;
    for (; end - p >= 8 && read_eight(p, &eight); p += 8)
        digits = digits * 100000000 + eight;
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

static inline enum number_fault cut(const char *at, const char *end,
                                    struct number *number)
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

/* A double of 53 bits (the top one set) times 2^exponent, in the range without
 * denormals. */
static inline double assemble(uint64_t mantissa, int exponent)
{
    enum { EXPONENT_BIAS = 1075, MANTISSA_BITS = 52 };
    uint64_t bits = (mantissa & ((UINT64_C(1) << MANTISSA_BITS) - 1)) |
                    (uint64_t)(exponent + EXPONENT_BIAS) << MANTISSA_BITS;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* digits x 10^power by one product with the first 64 bits of the power of five, or two
 * when those are too few to decide: Eisel and Lemire's method (Lemire 2021, "Number
 * parsing at a gigabyte per second"). False when 128 bits are too few as well. digits >
 * 0; the power is in the table, so that nothing overflows. */
static inline bool from_product(uint64_t digits, int power, double *size)
{
    enum { SPARE_BITS = 9, KEPT_BITS = 54 }; /* one bit more, to round by */
    const uint64_t *five = number_powers[power - NUMBER_POWER_LOW];
    int shift = __builtin_clzll(digits), is_long, exponent, drop;
    unsigned __int128 product, second;
    uint64_t high, low, mantissa;

    digits <<= shift;
    product = (unsigned __int128)digits * five[0];
    high = (uint64_t)(product >> 64);
    low = (uint64_t)product;
    if ((~high & ((UINT64_C(1) << SPARE_BITS) - 1)) == 0) {
        second = (unsigned __int128)digits * five[1];
        product += (uint64_t)(second >> 64);
        high = (uint64_t)(product >> 64);
        low = (uint64_t)product;
        if (low == UINT64_MAX && (power < -27 || power > 55))
            return false;
    }
    is_long = (int)(high >> 63);
    drop = is_long + 64 - 1 - KEPT_BITS;
    mantissa = high >> drop;
    /* floor(power log2(10)) is the exponent of the power of ten. */
    exponent = (217706 * power >> 16) - shift + is_long - 52 + 63;
    /* A half, exactly: to even. Other powers have none among 64 bits of digits. */
    if (low <= 1 && power >= -4 && power <= 23 && (mantissa & 3) == 1 &&
        mantissa << drop == high)
        mantissa--;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa >>= 1;
        exponent++;
    }
    *size = assemble(mantissa, exponent);
    return true;
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

/* mantissa x 2^exponent to nearest, also among the denormals; false when the last bits of
 * mantissa, DOUBT of which mean nothing, could decide. */
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

/* Up to 19 digits and any power of ten that a double can have, with 64 bits throughout.
 * The factors are off by up to half a unit of the last bit, each of at most five
 * operations by up to two: false when that could decide the rounding. digits > 0. */
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

/* More digits: when the first 19, and these and one more, are the same double, so is the
 * number. */
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

/* Both are exact, so that one operation rounds once. */
static inline double from_exact(uint64_t digits, int power)
{
    static const double powers[POWER_EXACT + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    return power < 0 ? (double)digits / powers[-power] : (double)digits * powers[power];
}

static bool convert(const struct number *number, double *value)
{
    int64_t power = number->exponent;
    double size;

    if (number->digit_count == 0 || power + number->digit_count <= POWER_OF_ZERO)
        size = 0;
    else if (number->digit_count > NUMBER_DIGITS_EXACT)
        size = from_first_digits(number, &size) ? size : from_text(number);
    else if (number->digits <= DIGITS_EXACT_MAX && power >= -POWER_EXACT &&
             power <= POWER_EXACT)
        size = from_exact(number->digits, (int)power);
    else if ((power < NUMBER_POWER_LOW || power > NUMBER_POWER_HIGH ||
              !from_product(number->digits, (int)power, &size)) &&
             !from_scaled(number->digits, power, &size))
        size = from_text(number);
    *value = number->is_negative ? -size : size;
    return isfinite(size);
}

/* The digits of a fraction, all of them up to end, after those before the point. The text
 * from `start` on may be read. */
static inline bool read_fraction(const char *start, const char *at, const char *end,
                                 uint64_t *digits)
{
    static const uint64_t tens[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    uint64_t eight, word;
    int rest;

    for (; end - at >= 8; at += 8) {
        if (!read_eight(at, &eight))
            return false;
        *digits = *digits * 100000000 + eight;
    }
    rest = (int)(end - at);
    if (rest == 0)
        return true;
    if (end - start < 4) {
        for (; at < end && is_digit(*at); at++)
            *digits = *digits * 10 + (uint64_t)(*at - '0');
        return at == end;
    }
    /* What stands before them counts as zeros. */
    word = end - start >= 8 ? load_eight(end - 8) : load_few(start, end);
    word = (word ^ EACH_BYTE('0')) & ~UINT64_C(0) << (64 - 8 * rest);
    if (!sum_eight(word, &eight))
        return false;
    *digits = *digits * tens[rest] + eight;
    return true;
}

/* Signs are as good as chance, so that a branch would often be guessed wrong. */
static inline double with_sign(double size, bool is_negative)
{
    uint64_t bits;

    memcpy(&bits, &size, sizeof bits);
    bits |= (uint64_t)is_negative << 63;
    memcpy(&size, &bits, sizeof size);
    return size;
}

/* A sign, digits, a point and digits: as tables hold them. False when it takes a closer
 * look. */
static inline bool parse_plain(const char *start, const char *end, double *value)
{
    bool is_negative = start < end && *start == '-';
    const char *at = start + is_negative, *integer = at;
    uint64_t digits = 0;
    int64_t fraction = 0;
    double size;

    for (; at < end && is_digit(*at); at++)
        digits = digits * 10 + (uint64_t)(*at - '0');
    if (at == integer || (*integer == '0' && at - integer > 1))
        return false;
    if (at < end) {
        fraction = end - at - 1;
        if (*at != '.' || fraction == 0 ||
            fraction + (digits ? at - integer : 0) > NUMBER_DIGITS_EXACT ||
            !read_fraction(start, at + 1, end, &digits))
            return false;
    } else if (at - integer > NUMBER_DIGITS_EXACT) {
        return false;
    }
    if (digits <= DIGITS_EXACT_MAX)
        size = from_exact(digits, (int)-fraction);
    else if (!from_product(digits, (int)-fraction, &size))
        return false;
    *value = with_sign(size, is_negative);
    return true;
}

enum number_fault number_read(const char *at, const char *end, struct number *number)
{
    return cut(at, end, number);
}

bool number_double(const struct number *number, double *value)
{
    return convert(number, value);
}

bool number_parse(const char *at, const char *end, double *value)
{
    struct number number;

    if (parse_plain(at, end, value))
        return true;
    return cut(at, end, &number) == NUMBER_GOOD && number.end == end &&
           convert(&number, value);
}
