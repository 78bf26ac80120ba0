/* cells.h - kinds of cases, as far as budgets care: market, issue, segment, channel and
 * currency. They have hashes, by which the pacer knows them, and from which the budgets
 * are found that they are charged to: whatever budgets there are when somebody asks. Any
 * thread. Private to decide/. */
#ifndef REDRESS_DECIDE_CELLS_H
#define REDRESS_DECIDE_CELLS_H

#include "policy/case.h"
#include "store/traffic.h"

struct cells; /* opaque */

enum status cells_open(struct cells **cells, struct err *err);
void cells_close(struct cells *cells); /* NULL is fine */

/* The cell of a case, made when it is new. When there are too many kinds of cases, what
 * is new is told apart by its currency alone, as if nothing else had been said of it, and
 * a line is logged once; 0 when even that does not help. */
uint64_t cells_note(struct cells *cells, const struct refund_case *asked);

/* One that was kept in the store. */
void cells_put(struct cells *cells, const struct traffic_cell *cell);

/* NULL when there is none. It stays as and where it is. */
const struct traffic_cell *cells_find(struct cells *cells, uint64_t hash);

/* Indices of the budgets that cover the cell, rising, at most count_max. Returns how
 * many. */
typedef int cell_covers(void *context, const struct traffic_cell *cell,
                        const struct budget *budgets, int budget_count, int *found,
                        int count_max);

/* Those whose scope says so. No context. */
cell_covers cell_budgets;

#endif
