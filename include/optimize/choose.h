/* choose.h - the best option at given prices: pure functions of arrays. */
#ifndef REDRESS_OPTIMIZE_CHOOSE_H
#define REDRESS_OPTIMIZE_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

/* effect - cost x (1 + price), price the sum over the budgets charged. */
static inline double net_value(double effect, double cost, double price)
{
    return effect - cost * (1 + price);
}

/* The allowed option of the largest net value; of equals the cheaper amount, then the
 * lower index. Net values are compared after rounding to 1e-6, so that the last bits
 * never flip a decision.
 * -1 when none is allowed. All arrays (option). */
int choose_greedy(const double *net_values, const int64_t *amounts, const bool *allowed,
                  int option_count);

#endif
