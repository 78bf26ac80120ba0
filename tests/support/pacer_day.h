/* pacer_day.h - a day of made-up cases, its budgets, and what a pacer makes of them. Not
 * for threads.
 *
 * What cannot be is an assertion that fails. */
#ifndef REDRESS_TESTS_PACER_DAY_H
#define REDRESS_TESTS_PACER_DAY_H

#include "base/rng.h"
#include "optimize/pacer.h"

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)
#define START  (20000 * DAY)

enum { PACER_DAY_OPTION_COUNT = 4, PACER_DAY_BUDGET_COUNT_MAX = 8 };

struct pacer_day {
    struct pacer *pacer;
    struct pacer_budget budgets[PACER_DAY_BUDGET_COUNT_MAX];
    struct pacer_outlook outlooks[PACER_DAY_BUDGET_COUNT_MAX];
    int64_t limits[PACER_DAY_BUDGET_COUNT_MAX];
    int budget_count;
    struct rng rng;
    struct err err;
};

/* So many budgets with this limit, from START on; the same seed each time. */
void pacer_day_open(struct pacer_day *day, int budget_count, int64_t limit);
void pacer_day_close(struct pacer_day *day);

/* Cell c is charged to budget 0 and, when there is one, to budget c. The context is the
 * day. */
int pacer_day_budgets_of(void *context, uint64_t cell, int *budgets);

/* Nothing, or credits of 100, 200 and 300 whose worth falls. */
void pacer_day_options(struct rng *rng, struct pacer_option *options);

void pacer_day_solve(struct pacer_day *day, int64_t at_us);

/* The sum over the budgets of a cell. */
double pacer_day_price(const struct pacer_day *day, uint64_t cell);

/* Decide a case at the prices in force, note it, and charge it. Returns its value. */
double pacer_day_decide(struct pacer_day *day, uint64_t cell, int64_t at_us);

/* So many cases from one moment to another; prices solved as often as the pacer wants it.
 * Returns their value. */
double pacer_day_run(struct pacer_day *day, int64_t from_us, int64_t to_us,
                     int case_count);

/* The next day: all budgets are full again. */
void pacer_day_roll(struct pacer_day *day);

/* Of the limit of a budget. */
double pacer_day_share_left(const struct pacer_day *day, int budget);

#endif
