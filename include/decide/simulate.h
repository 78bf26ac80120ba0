/* simulate.h - days of cases run through the prices, the choice and the book of the
 * service, on a simulated clock: what prices would have earned, beside what could have
 * been known in hindsight.
 *
 * Shared with the service: decide/prices.h and all below it (the list of cases, the
 * pacer, when prices are due, publishing), decision_finish, exploration, and the book
 * over a store in a temporary folder. Not run: policy rules and models (actions are
 * given), the commit thread and the keeper's (their work is done in turn, and takes no
 * time), and scopes (a kind of case is a set of budgets). Holds do not end.
 *
 * A choice depends on the cases before it, the history day and the forecast only; where
 * memory lacks, prices know less of demand, as in the service. One thread at a time. */
#ifndef REDRESS_DECIDE_SIMULATE_H
#define REDRESS_DECIDE_SIMULATE_H

#include "base/err.h"
#include "base/money.h"
#include "base/text.h"
#include "optimize/pacer.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SIMULATION_BUDGET_COUNT_MAX = PACER_BUDGET_COUNT_MAX,
    SIMULATION_CASE_BUDGET_COUNT_MAX = PACER_CELL_BUDGET_COUNT_MAX,
    SIMULATION_ACTION_COUNT_MAX = 32,
    SIMULATION_CASE_COUNT_MAX = 10000000, /* of a day */
    SIMULATION_SAMPLE_COUNT = 240,        /* moments of the day that are recorded */
    SIMULATION_ID_BYTES = 64,
};
#define SIMULATION_COST_MAX MONEY_MINOR_MAX /* of a limit, too */

struct simulation_action {
    double value; /* at price 0 */
    int64_t cost; /* minor units: what its budgets are charged */
};

struct simulation_case {
    double at; /* share of the day, [0, 1) */
    int cell;  /* which budgets it is charged to */
    int action_count;
    int64_t action_start;
};

struct simulation_day {
    struct simulation_case *cases; /* by time */
    struct simulation_action *actions;
    int64_t case_count, action_count;
    int64_t case_capacity, action_capacity;
};

struct simulation_budget {
    char id[SIMULATION_ID_BYTES];
    int64_t limit;
};

/* What is simulated; zeroed at first, freed by simulation_free. */
struct simulation {
    struct simulation_budget *budgets;
    int budget_count;
    int *cell_starts;  /* (cell + 1) into cell_budgets */
    int *cell_budgets; /* rising within a cell */
    int cell_count, cell_capacity, cell_budget_capacity;
    int *cell_table; /* of cells by their budgets, open addressing; -1: free */
    int cell_table_count;
    int64_t expected_cases;               /* of the day, as was forecast; 0: not said */
    struct simulation_day today, history; /* history may be empty */
};

void simulation_free(struct simulation *simulation);

/* A copy of the budget is added. CONFLICT when the id is taken, TOO_LARGE beyond
 * SIMULATION_BUDGET_COUNT_MAX, EXHAUSTED without memory. */
enum status simulation_add_budget(struct simulation *simulation, struct text id,
                                  int64_t limit, struct err *err);

/* Index of a budget; -1 when there is none. */
int simulation_find_budget(const struct simulation *simulation, struct text id);

/* Append a case to one of the days. budgets: indices in any order, without repetition.
 * One action at least has to cost nothing. EXHAUSTED without memory, TOO_LARGE beyond
 * SIMULATION_CASE_COUNT_MAX. */
enum status simulation_add_case(struct simulation *simulation, struct simulation_day *day,
                                double at, const int *budgets, int budget_count,
                                const struct simulation_action *actions, int action_count,
                                struct err *err);

/* --- running ------------------------------------------------------------------------ */

enum simulation_rule {
    SIMULATION_PACED,    /* the pacer's prices */
    SIMULATION_STATIC,   /* the price that was best on the history day, all day long */
    SIMULATION_UNPRICED, /* price 0: first come, first served */
};

struct simulation_sample {
    double at;
    int64_t *spend; /* (budget) so far */
    double *prices; /* (budget) */
};

/* What a run came to; zeroed at first, freed by simulation_result_free. */
struct simulation_result {
    double value;
    int64_t *spend;        /* (budget) */
    int64_t overspend;     /* the most that a budget spent over its limit */
    int64_t clipped_count; /* cases whose best option did not fit what was left */
    int64_t solve_count;
    double solve_cpu_us; /* in all, of this thread */
    struct simulation_sample samples[SIMULATION_SAMPLE_COUNT + 1];
    int sample_count;
};

void simulation_result_free(struct simulation_result *result);

/* Told of each case of the day after it was decided, by its index.
 * propensities (action). */
typedef enum status simulation_decided(void *context, int64_t number, int choice,
                                       const double *propensities, struct err *err);

struct simulation_settings {
    enum simulation_rule rule;
    enum pacer_plan plan; /* of all budgets; SIMULATION_PACED only */
    const struct policy
        *exploring;              /* what chance may do, SIMULATION_PACED only; or NULL */
    uint64_t seed;               /* of the draws */
    simulation_decided *decided; /* NULL: nobody */
    void *context;
};

/* Run today. */
enum status simulate(const struct simulation *simulation,
                     const struct simulation_settings *settings,
                     struct simulation_result *result, struct err *err);

/* The most that anybody could have earned on a day who knew it beforehand, by the dual of
 * choice, and prices (budget) that show it. */
enum status simulation_bound(const struct simulation *simulation,
                             const struct simulation_day *day, double *bound,
                             double *prices, struct err *err);

/* --- made-up days ------------------------------------------------------------------- */

enum simulation_profile {
    SIMULATION_STATIONARY, /* every hour is like the day before */
    SIMULATION_DRIFT,  /* cases are worth more as the day goes on, as the day before */
    SIMULATION_BURST,  /* a fifth of the cases come in three short incidents unheard of */
    SIMULATION_VOLUME, /* two fifths more cases than were forecast */
};

/* Fill a zeroed simulation with budgets and two days: the same seed, the same days. */
enum status simulation_generate(struct simulation *simulation,
                                enum simulation_profile profile, int64_t case_count,
                                int budget_count, uint64_t seed, struct err *err);

#endif
