/* dual.h - prices of budgets that cases share: the dual of budgeted choice. Pure
 * functions of arrays.
 *
 * Cases that are charged to the same budgets see one price, so together they are one
 * cell. What a cell takes at a price is a staircase: increments by falling slope (value
 * per cost), each taken while its slope is over the price. For prices lambda >= 0
 *
 *     D(lambda) = sum_b lambda_b limit_b + sum_g (value_g[k_g] - mu_g cost_g[k_g])
 *     mu_g = sum of lambda_b over the budgets of g,   k_g = increments of g whose slope is over mu_g
 *
 * is an upper bound of what any choice within the limits is worth (Lagrange duality), and
 * prices that make it smallest are the shadow prices. An evaluation costs a binary search
 * per cell, whatever the number of cases. */
#ifndef REDRESS_OPTIMIZE_DUAL_H
#define REDRESS_OPTIMIZE_DUAL_H

#include "base/err.h"

#include <stdint.h>

struct dual_cell {
    const int *budgets; /* rising */
    int budget_count;
    int increment_count;
    const double *slopes; /* (increment): falling; > 0 */
    const double *costs;  /* (increment + 1): of the base and the first k increments */
    const double *values; /* likewise */
};

struct dual_problem {
    const struct dual_cell *cells;
    int cell_count;
    const double *limits; /* (budget): >= 0 */
    int budget_count;
    int64_t effort_max; /* steps of about a nanosecond, counted; 0: as many as it takes */
};

struct dual_result {
    /* NULL, or the caller's room (cell) for whole increments to take: where all ends
     * exactly (2 to 256 budgets), those of a divisible choice that is worth D, so that
     * limits hold, also where many increments tie; else those over the price */
    int *counts;
    double bound; /* D at the prices: the least found */
    int evaluation_count;
};

/* Prices (budget), >= 0, that make D smallest. In: a warm start, zeros will do. One
 * budget: exact. A budget whose bases alone exceed its limit gets the price at which
 * nothing but bases is left. EXHAUSTED when there is no memory; the prices are then as
 * they came. */
enum status dual_solve(const struct dual_problem *problem, double *prices,
                       struct dual_result *result, struct err *err);

/* D at any prices >= 0, and what each budget is charged there (budget); spend may be
 * NULL. */
double dual_bound(const struct dual_problem *problem, const double *prices,
                  double *spend);

#endif
