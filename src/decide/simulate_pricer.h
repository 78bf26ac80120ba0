/* simulate_pricer.h - the prices of the service (decide/prices.h) on a simulated clock:
 * what the commit thread does after a case, and what the keeper would have done until the
 * next. Private to simulate.c. */
#ifndef REDRESS_DECIDE_SIMULATE_PRICER_H
#define REDRESS_DECIDE_SIMULATE_PRICER_H

#include "decide/prices.h"
#include "decide/simulate.h"

struct simulate_pricer {
    const struct simulation *simulation;
    struct commit *commit;
    int *places;         /* (budget): in the book, which goes by id */
    int64_t looked_us;   /* for bursts */
    int64_t solve_count; /* prices solved, */
    double solve_cpu_us; /* and what that took of this thread */
};

/* A zeroed pricer gets prices for commit, which it borrows and which has no case yet. To
 * be closed in any case. */
enum status simulate_pricer_open(struct simulate_pricer *pricer,
                                 const struct simulation *simulation,
                                 struct commit *commit, struct err *err);
void simulate_pricer_close(struct simulate_pricer *pricer); /* zeroed is fine */

/* A case was decided, and written, at the commit's time. cell: of the simulation. Solves
 * prices when they are due. */
enum status simulate_pricer_note(struct simulate_pricer *pricer, int cell,
                                 const struct decision *decision, struct err *err);

/* Solve, and publish. */
enum status simulate_pricer_solve(struct simulate_pricer *pricer, struct err *err);

/* A case of a day before that nobody had to decide: only its menu. */
void simulate_pricer_look_back(struct simulate_pricer *pricer, int cell,
                               const struct decision *decision);

#endif
