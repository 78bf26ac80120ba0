/* portable.c - the argument is made small, a series does the rest. */
#include "base/portable.h"

#include <assert.h>
#include <math.h>

enum { EXP_TERM_COUNT = 14, LOG_TERM_COUNT = 11 };

/* ln 2 as a number of 32 bits, whose multiples by an exponent are exact, and the rest of
 * it. */
static const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
static const double ln2_inverse = 0x1.71547652b82fep+0;
static const double inverses[EXP_TERM_COUNT + 1] = {
    0,       1.0 / 1, 1.0 / 2,  1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6, 1.0 / 7,
    1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13, 1.0 / 14};
static const double sqrt_half = 0x1.6a09e667f3bcdp-1;

/* e^x = 2^k e^r with |r| <= ln 2 / 2, and e^r = 1 + r (1 + r/2 (1 + r/3 (...))). */
double portable_exp(double x)
{
    double bounded = x > 700 ? 700 : x < -700 ? -700 : x;
    double k = floor(bounded * ln2_inverse + 0.5);
    double r = (bounded - k * ln2_high) - k * ln2_low, sum = 1;

    for (int i = EXP_TERM_COUNT; i > 0; i--)
        sum = 1 + sum * r * inverses[i];
    return ldexp(sum, (int)k);
}

/* x = 2^k m with m around 1, and log m = 2 (s + s^3/3 + s^5/5 + ...) for s = (m - 1) / (m
 * + 1). */
double portable_log(double x)
{
    int k;
    double m = frexp(x, &k), s, square, sum = 0;

    assert(x > 0);
    if (m < sqrt_half) {
        m *= 2;
        k--;
    }
    s = (m - 1) / (m + 1);
    square = s * s;
    for (int i = LOG_TERM_COUNT; i > 0; i--)
        sum = sum * square + 1.0 / (2 * i - 1);
    return k * ln2_high + (2 * s * sum + k * ln2_low);
}
