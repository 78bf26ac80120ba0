/* clearing.h - prices at which smooth demand fits into budgets: the dual of budgeted
 * choice on curves instead of cases. Pure.
 *
 *     D(lambda) = sum_b lambda_b limit_b + sum_g integral of demand_g from mu_g up
 *     mu_g = given_g + sum of lambda_b over the budgets of g
 *
 * Demand falls evenly within each bin of the price, so D is convex and its gradient is
 * piecewise linear: a damped Newton step on the prices that are free settles it in a few
 * rounds. Private to optimize/. */
#ifndef REDRESS_OPTIMIZE_CLEARING_H
#define REDRESS_OPTIMIZE_CLEARING_H

#include "optimize/demand.h"

/* A demand as it is searched: from low up to high, at the lower edge of each bin. */
struct clearing_curve {
    int low, high;
    const double *above; /* (high - low + 1): what is taken at the edge */
    const double *area;  /* (high - low + 1): its integral from the edge up */
};

struct clearing_cell {
    const int *budgets; /* rising indices into limits */
    int budget_count;
    double given; /* what other prices add */
    struct clearing_curve curve;
};

struct clearing {
    const struct clearing_cell *cells;
    int cell_count;
    const double *limits; /* (budget): >= 0 */
    int budget_count;
};

/* Doubles that the curve of a demand takes. */
int clearing_curve_room(const struct demand *demand);

/* room: clearing_curve_room doubles, borrowed by the curve. */
struct clearing_curve clearing_curve_make(const struct demand *demand, double *room);

/* What is taken at a price. */
double clearing_demand(const struct clearing_curve *curve, double price);

/* Prices (budget), >= 0. In: a warm start, zeros will do. EXHAUSTED when there is no
 * memory; the prices are then as they came. */
enum status clearing_solve(const struct clearing *clearing, double *prices,
                           struct err *err);

#endif
