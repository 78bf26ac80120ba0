/* allocate_hull.h - the actions of a request that some price chooses: the upper left hull
 * of value over cost (Sinha and Zoltners, 1979), in whole numbers. */
#ifndef REDRESS_OPTIMIZE_ALLOCATE_HULL_H
#define REDRESS_OPTIMIZE_ALLOCATE_HULL_H

#include <stdint.h>

/* Indices of the hull's actions by rising cost and value, into points, which has room for
 * action_count. The first is the cheapest action, of equals the most valuable, then the
 * first. Returns how many, at least one. */
int allocate_hull(const int64_t *costs, const int64_t *values, int action_count,
                  int32_t *points);

#endif
