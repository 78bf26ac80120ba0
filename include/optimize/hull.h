/* hull.h - of the options of a case, those that some price >= 0 makes the best: the upper
 * left hull of value over cost. Pure. */
#ifndef REDRESS_OPTIMIZE_HULL_H
#define REDRESS_OPTIMIZE_HULL_H

#include "optimize/pacer.h"

/* Values and costs are finite. Keeps the hull, in place, by rising cost and value; the
 * first is the cheapest option, of equals the most valuable. Returns how many: at least
 * one of one or more. For short menus that come nearly sorted. */
int hull_keep(struct pacer_option *options, int count);

/* Value gained per unit of cost, from one option of a hull to a later one. */
double hull_slope(const struct pacer_option *from, const struct pacer_option *to);

#endif
