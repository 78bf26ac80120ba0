/* decimal.h - decimal numbers as they are written, exactly: no detour through floating
 * point.
 *
 * A number of a file is read into digits and decimals; many of them become integers of
 * one common scale; sums of those are written back with their decimals. Pure
 * functions. */
#ifndef REDRESS_BASE_DECIMAL_H
#define REDRESS_BASE_DECIMAL_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DECIMAL_DIGITS_MAX = 18, /* before and behind the point together */
    DECIMAL_TEXT_BYTES = 48, /* a 128-bit integer with sign, point and NUL */
};

/* Its value is digits / 10^decimals. */
struct decimal {
    int64_t digits; /* of size below 10^DECIMAL_DIGITS_MAX */
    int decimals;   /* 0 to DECIMAL_DIGITS_MAX; no more than the number needs */
    bool is_exact; /* false: digits were cut off; what is left lies between the number and
                     * zero or ends in a digit that is no tie, so that it may be rounded once
                     * more to fewer decimals as if it were whole */
};

enum decimal_fault { DECIMAL_GOOD, DECIMAL_NO_NUMBER, DECIMAL_TOO_LARGE };

/* All of the text: [+-] digits [. digits] [e [+-] digits]; a side of the point may be
 * empty. DECIMAL_TOO_LARGE from 10^DECIMAL_DIGITS_MAX on. */
enum decimal_fault decimal_read(struct text text, struct decimal *decimal);

/* 10^power, for powers from 0 to DECIMAL_DIGITS_MAX. */
int64_t decimal_power(int power);

/* digits / 10^from as an integer of 10^-to, halves away from zero. Exact when to >= from.
 * Both from 0 to DECIMAL_DIGITS_MAX. */
__int128 decimal_scale(int64_t digits, int from, int to);

/* The same towards minus infinity. */
__int128 decimal_floor(int64_t digits, int from, int to);

/* number / 10^decimals, without trailing zeros behind the point: "12.5", "-3", "0.07".
 * Returns text, which is ended by NUL. */
const char *decimal_text(__int128 number, int decimals,
                         char text[static DECIMAL_TEXT_BYTES]);

#endif
