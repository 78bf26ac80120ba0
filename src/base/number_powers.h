/* number_powers.h - powers of five for base/number.c, made by
 * scripts/number_powers.py. */
#ifndef REDRESS_BASE_NUMBER_POWERS_H
#define REDRESS_BASE_NUMBER_POWERS_H

#include <stdint.h>

enum { NUMBER_POWER_LOW = -60, NUMBER_POWER_HIGH = 60 };

/* The first 128 bits of 5^power, the larger half first, the top bit set: cut off, but
 * those of a negative power rounded up. */
extern const uint64_t number_powers[NUMBER_POWER_HIGH - NUMBER_POWER_LOW + 1][2];

#endif
