/* allocate.h - one action for each of many requests, within budgets: the multiple-choice
 * knapsack problem with several, possibly overlapping budgets. Integer in, integer out; a
 * pure function of arrays, the same on every machine.
 *
 *     max sum value[choice]   such that   sum cost[choice] <= limit   for every budget
 *
 * A request whose actions all cost something has to be given one all the same. Actions
 * that lose value, that are dominated, or that no price would choose are allowed, and
 * chosen where that is best. */
#ifndef REDRESS_OPTIMIZE_ALLOCATE_H
#define REDRESS_OPTIMIZE_ALLOCATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ALLOCATION_BUDGET_COUNT_MAX = 10000,
    ALLOCATION_ACTION_COUNT_MAX = 4096, /* of one request */
};
#define ALLOCATION_NUMBER_MAX ((int64_t)1 << 53) /* costs, and values of either sign */

struct allocation {
    int64_t request_count;
    const int64_t *starts;       /* (request + 1): its actions, at least one */
    const int64_t *costs;        /* (action): 0 to ALLOCATION_NUMBER_MAX */
    const int64_t *values;       /* (action) */
    const int32_t *cells;        /* (request): the set of budgets it is charged to */
    const int32_t *cell_starts;  /* (cell + 1) into cell_budgets; a set may be empty */
    const int32_t *cell_budgets; /* indices, rising within a cell */
    int32_t cell_count;
    const int64_t *limits; /* (budget): >= 0 */
    int32_t budget_count;

    /* How much work may go into prices and into better choices, in steps of about a
     * nanosecond; 0: as much as it takes. Counted, not timed, so that the answer is the
     * same on every machine. A bound that took less work is no less a bound. On top comes
     * a time in proportion to the actions; from 6000 requests on, prices are solved
     * several times, each with half of it. */
    int64_t effort_max;
};

struct allocation_result {
    int32_t *choices; /* (request): index among its actions; room is the caller's */
    int64_t *spend;   /* (budget); room is the caller's */
    double *prices;   /* (budget): shadow prices, value per cost; room is the caller's.
                       * In: a warm start, zeros will do. */
    __int128 value;   /* summed again from the choices */
    double bound;     /* no choice within the limits is worth more; >= value */
    double gap;       /* (bound - value) / |bound|; 0 when both are 0 */
    bool is_exact;    /* the value is known to be the optimum */

    /* Set when there is no choice within the limits: the budget that the cheapest actions
     * alone exceed, and what they cost. The rest is then not set. */
    bool is_infeasible;
    int32_t infeasible_budget;
    __int128 infeasible_cost;
};

/* Memory beside the problem, measured with 8 actions a request: 10 to 20 bytes a request
 * where a bracket of the price decides most of them (refund-like values, from 6000
 * requests on), up to 90 where many tie; 150 to 250 where it cannot, which is the most. A
 * search in problems of up to 4096 actions takes tens of megabytes at most.
 *
 * EXHAUSTED when there is no memory. Infeasible is an answer, not an error. What is not
 * within the limits stated above is the caller's to refuse. */
enum status allocation_solve(const struct allocation *allocation,
                             struct allocation_result *result, struct err *err);

#endif
