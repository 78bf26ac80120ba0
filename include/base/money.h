/* money.h - amounts in integer minor units, and the currencies there are.
 *
 * Never a double. All functions are pure. */
#ifndef REDRESS_BASE_MONEY_H
#define REDRESS_BASE_MONEY_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* The largest integer that every JSON reader keeps exactly. */
#define MONEY_MINOR_MAX ((INT64_C(1) << 53) - 1)

enum { CURRENCY_BYTES = 4, BPS_WHOLE = 10000 };

enum rounding { ROUND_DOWN, ROUND_NEAREST, ROUND_UP };

/* Whether it is a current ISO 4217 code of a national currency, in upper case. */
bool currency_exists(struct text code);

/* minor x bps / 10000, to the multiple of step that rounding picks (halves go up) without
 * an intermediate rounding, but never more than minor. 0 <= minor <= MONEY_MINOR_MAX, 0
 * <= bps <= 10000, step > 0. */
int64_t money_share(int64_t minor, int bps, int64_t step, enum rounding rounding);

#endif
