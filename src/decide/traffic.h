/* traffic.h - what the last cases wanted from which budgets: the sample prices are solved on.
 *
 * A ring of fixed size. The commit thread adds, the keeper copies out. Private
 * to decide/. */
#ifndef REDRESS_DECIDE_TRAFFIC_H
#define REDRESS_DECIDE_TRAFFIC_H

#include "decide/decision.h"

enum {
    TRAFFIC_CASE_COUNT = 4096,
    TRAFFIC_CASE_COUNT_MIN = 32, /* with fewer a budget's price stays as it is */
    TRAFFIC_OPTION_COUNT = 12,
    TRAFFIC_BUDGET_COUNT = DECISION_BUDGET_COUNT_MAX,
};

struct traffic_case {
    int64_t at_us;
    int64_t entitled; /* paid whatever the prices */
    int option_count, budget_count;
    struct traffic_option {
        float effect, cost;
        int64_t amount; /* of the goodwill */
    } options
        [TRAFFIC_OPTION_COUNT]; /* those that some price makes the best, by rising cost */
    uint64_t budgets[TRAFFIC_BUDGET_COUNT]; /* hashes of their ids */
};

struct traffic; /* opaque */

enum status traffic_open(struct traffic **traffic, struct err *err);
void traffic_close(struct traffic *traffic); /* NULL is fine */

/* Note a decided case: its options that policy allowed, whatever the budgets said. */
void traffic_add(struct traffic *traffic, const struct decision *decision);

/* Copy of what is in the ring, oldest first, into cases (TRAFFIC_CASE_COUNT). Returns how many. */
int traffic_copy(struct traffic *traffic, struct traffic_case *cases);

/* For the thread that adds: copy the newest cases that are charged to any of these budgets (hashes),
 * newest first, until there are counts (budget) of each or count_max in all. Returns how many. */
int traffic_find(const struct traffic *traffic, const uint64_t *budgets,
                 const int64_t *counts, int budget_count, struct traffic_case *cases,
                 int count_max);

/* Wait until so many cases came since the last copy, or the time is over, or traffic_wake. */
void traffic_wait(struct traffic *traffic, int count, int64_t wait_us);
void traffic_wake(struct traffic *traffic);

/* Prices (budget) of the paced ones among budgets at now_us, from this sample; others 0. prices
 * comes in with the current ones, which stay where the sample is too thin. */
enum status traffic_prices(const struct traffic_case *cases, int case_count,
                           const struct budget *budgets, int budget_count, int64_t now_us,
                           double *prices, struct err *err);

/* The same for the young among them (budget) alone, from however few cases; the other prices are
 * taken as they are. */
enum status traffic_young_prices(const struct traffic_case *cases, int case_count,
                                 const struct budget *budgets, int budget_count,
                                 const bool *is_young, int64_t now_us, double *prices,
                                 struct err *err);

#endif
