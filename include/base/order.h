/* order.h - the order of many doubles, by radix sort. Pure. */
#ifndef REDRESS_BASE_ORDER_H
#define REDRESS_BASE_ORDER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* order (count): the indices of keys (count), largest key first, equal ones as they
 * stand; -0 and 0 are equal. Keys are no NaN. count is below 2^32; takes 16 bytes for
 * each meanwhile. EXHAUSTED. */
enum status order_falling(const double *keys, int64_t count, uint32_t *order,
                          struct err *err);

/* The same, and where groups of equal keys end. ends (count): whether the key at the
 * place is the last of its group; NULL: not asked for. */
enum status order_falling_groups(const double *keys, int64_t count, uint32_t *order,
                                 bool *ends, struct err *err);

#endif
