/* order.h - the order of many doubles, by radix sort. Pure. */
#ifndef REDRESS_BASE_ORDER_H
#define REDRESS_BASE_ORDER_H

#include "base/err.h"

#include <stdint.h>

/* order (count): the indices of keys (count), largest key first, equal ones as they stand; -0 and 0
 * are equal. Keys are no NaN. count is below 2^32; takes 16 bytes for each meanwhile, and 32 when many
 * keys differ in their last bits only. EXHAUSTED. */
enum status order_falling(const double *keys, int64_t count, uint32_t *order,
                          struct err *err);

#endif
