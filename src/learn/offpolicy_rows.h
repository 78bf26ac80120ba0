/* offpolicy_rows.h - what a row adds to an estimate. Private to learn/offpolicy*.c. */
#ifndef REDRESS_LEARN_OFFPOLICY_ROWS_H
#define REDRESS_LEARN_OFFPOLICY_ROWS_H

#include "learn/offpolicy.h"

enum { OFFPOLICY_TERM_COUNT = 3 };

/* One term: the estimate is its mean. Two: the sum of the first over that of the second. Three: that,
 * and the mean of the third. Returns how many. */
int offpolicy_terms(const struct offpolicy_log *log, enum offpolicy_kind kind,
                    double parameter, int64_t row, double terms[OFFPOLICY_TERM_COUNT]);

double offpolicy_value(int term_count, const double sums[OFFPOLICY_TERM_COUNT],
                       double row_count);

#endif
