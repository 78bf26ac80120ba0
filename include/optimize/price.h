/* price.h - shadow prices of budgets: what a unit of cost must earn, above itself, to be worth
 * spending now rather than on a later case. Pure functions of arrays. */
#ifndef REDRESS_OPTIMIZE_PRICE_H
#define REDRESS_OPTIMIZE_PRICE_H

#include "base/err.h"

#include <stdint.h>

enum { PRICE_BUDGET_COUNT_MAX = 4096, PRICE_CASE_COUNT_MAX = 1 << 20 };

#define PRICE_MAX 1e6

struct price_option {
    double effect;  /* minor units */
    double cost;    /* expected, minor units: what the price multiplies */
    int64_t amount; /* what the budgets are charged */
};

/* Cases in the sample and the budgets they are charged to, as compressed rows. Every case may also
 * take nothing (effect, cost, amount 0). */
struct price_problem {
    const struct price_option *options;
    const int *option_starts; /* (case + 1) */
    const int *budgets;       /* indices, each case's without repetition */
    const int *budget_starts; /* (case + 1) */
    int case_count;
    const double
        *limits; /* (budget): what the cases of this sample may be charged; < 0 is 0 */
    int budget_count;
};

/* Prices (budget), >= 0 and <= PRICE_MAX, at which greedy choice over the sample keeps within every
 * limit and no price could be lower alone: coordinate by coordinate, each the exact step that no
 * longer fits, swept until nothing moves. Cases that tie at that step all go without: a price alone
 * cannot part equals. What costs nothing is taken at any price; a budget that this alone exceeds
 * ends at PRICE_MAX. In: a warm start, out: the result. EXHAUSTED when there is no memory. */
enum status price_solve(const struct price_problem *problem, double *prices,
                        struct err *err);

/* What the greedy choice at the given prices is charged to each budget: (budget). */
void price_spend(const struct price_problem *problem, const double *prices,
                 double *spend);

/* How much the cases of a sample may spend of what remains: remaining x sample / expected, where
 * expected = cases per second x seconds left, at least 1. seconds_left <= 0: all of it. */
double price_sample_limit(double remaining, double cases_per_second, double seconds_left,
                          double sample_cases);

#endif
