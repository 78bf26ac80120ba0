/* clusters.h - how much clusters of rows tell, when there are few of them or few large
 * ones. Pure; any thread. */
#ifndef REDRESS_LEARN_CLUSTERS_H
#define REDRESS_LEARN_CLUSTERS_H

#include <stdint.h>

/* (sum n)^2 / sum n^2 of the rows n that each cluster has: as many clusters of one size
 * tell as much. sizes (cluster): 0 and NaN are none. 0 without any. */
double clusters_effective(const double *sizes, int32_t count);

/* Degrees of freedom of Student's t for what two arms differ by, from what is effective
 * in each and how many clusters there are in both together: (1/a + 1/b)^2 / (1/(a^2
 * (a-1)) + 1/(b^2 (b-1))), as Welch (1947) has them for means of a and b draws with one
 * variance; at most G - 1, where clusters have rows in both arms (Cameron and Miller
 * 2015), and at least 1. G - 2 for halves, one less than the smaller arm has when the
 * other is large. */
double clusters_freedom(double one, double other, int32_t count);

#endif
