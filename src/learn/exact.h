/* exact.h - what counts as nothing left of outcomes. Private to learn/. */
#ifndef REDRESS_LEARN_EXACT_H
#define REDRESS_LEARN_EXACT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether an effect explains outcomes (row) to the last digits: the sum over rows of
 * squares of what is left of them is that of rounding, of which nothing can be tested.
 * treatments (row). */
bool exact_fit(const double *outcomes, const double *treatments, int64_t row_count,
               double value, double squares);

#endif
