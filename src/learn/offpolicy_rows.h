/* offpolicy_rows.h - what a row adds to an estimate. Private to learn/offpolicy*.c. */
#ifndef REDRESS_LEARN_OFFPOLICY_ROWS_H
#define REDRESS_LEARN_OFFPOLICY_ROWS_H

#include "learn/offpolicy.h"

enum { OFFPOLICY_TERM_COUNT = 3 };

/* What some rows add, (term, row). */
enum { OFFPOLICY_BLOCK_ROWS = 512 };
struct offpolicy_terms {
    double of[OFFPOLICY_TERM_COUNT][OFFPOLICY_BLOCK_ROWS];
};

/* One term: the estimate is its mean. Two: the sum of the first over that of the second.
 * Three: that, and the mean of the third. Of count rows from `from` on; returns how many
 * terms. */
int offpolicy_terms(const struct offpolicy_log *log, enum offpolicy_kind kind,
                    double parameter, int64_t from, int count,
                    struct offpolicy_terms *terms);

double offpolicy_value(int term_count, const double sums[OFFPOLICY_TERM_COUNT],
                       double row_count);

#endif
