/* simplex.h - the weights, none below 0 and summing to 1, that make a sum of squares
 * least. Pure. */
#ifndef REDRESS_LEARN_SIMPLEX_H
#define REDRESS_LEARN_SIMPLEX_H

#include "base/err.h"

/* weights (count): least w'Gw, G (count, count) symmetric and positive semidefinite,
 * exactly: an active set, each step of which solves the equations of its support. gap:
 * how much less the best single direction could make it, an upper bound of what is missed
 * (Frank and Wolfe 1956). EXHAUSTED. */
enum status simplex_least_squares(const double *gram, int count, double *weights,
                                  double *value, double *gap, struct err *err);

#endif
