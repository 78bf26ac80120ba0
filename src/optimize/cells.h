/* cells.h - cases that are charged to the same budgets see one price, so they are one cell:
 * its increments sorted once, its spend at any price one binary search. */
#ifndef REDRESS_OPTIMIZE_CELLS_H
#define REDRESS_OPTIMIZE_CELLS_H

#include "optimize/hull.h"
#include "optimize/price.h"

struct cell {
    const int *budgets; /* rising; in struct cells */
    int budget_count;
    int start, count;      /* of its increments */
    const double *charged; /* (count + 1): by the first k increments and the base */

    /* Of a search for one budget's price: what the other budgets' prices add up to, and the
     * increments whose threshold is still between its bounds. */
    double rest;
    int from, to;
};

struct cells {
    struct cell *items;
    int count;
    double *thresholds; /* (increment): falling within a cell */
    int increment_count;
    int *budget_cells; /* indices of the cells of each budget, */
    int *cell_starts;  /* as compressed rows (budget + 1) */

    int *sets;       /* each case's budgets, sorted */
    double *charges; /* behind cell.charged */
};

/* EXHAUSTED when there is no memory. Free with cells_free also after a failure. */
enum status cells_make(const struct price_problem *problem, struct cells *cells,
                       struct err *err);
void cells_free(struct cells *cells);

/* How many of a cell's increments in [from, to) have a threshold over the price, and from. */
int cell_count_over(const struct cells *cells, const struct cell *cell, double price,
                    int from, int to);

#endif
