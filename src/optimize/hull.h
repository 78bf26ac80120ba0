/* hull.h - what one case takes as the price falls: the upper hull of value over cost. */
#ifndef REDRESS_OPTIMIZE_HULL_H
#define REDRESS_OPTIMIZE_HULL_H

#include "optimize/price.h"

/* One step up the hull: taken at every price below the threshold. */
struct increment {
    double threshold; /* more value per more cost */
    double amount;    /* more that budgets are charged */
};

/* The increments of a case by falling threshold, those with a threshold above zero; options
 * and nothing compete. *base: what is charged at any price. Returns how many; at most
 * option_count. points: room for option_count + 1. */
int hull_of(const struct price_option *options, int option_count,
            const struct price_option **points, struct increment *increments,
            double *base);

#endif
