/* simulate_ledger.h - the book and the store of a simulated day, in a temporary folder:
 * the ones that the service keeps its money in, without the commit thread. Private to
 * simulate.c. */
#ifndef REDRESS_DECIDE_SIMULATE_LEDGER_H
#define REDRESS_DECIDE_SIMULATE_LEDGER_H

#include "base/clock.h"
#include "decide/book.h"
#include "decide/commit.h"
#include "decide/simulate.h"

#define SIMULATE_CURRENCY "USD"
#define SIMULATE_DAY_US   (86400 * SECOND_US)
#define SIMULATE_START_US (20000 * SIMULATE_DAY_US) /* any midnight will do */

struct simulate_ledger {
    char folder[64];
    struct commit commit; /* what a job of the commit thread has, but for worlds */
};

/* A zeroed ledger gets an empty store, a book, and a transaction at a time. To be closed
 * in any case. */
enum status simulate_ledger_open(struct simulate_ledger *ledger, int64_t now_us,
                                 struct err *err);

/* The budgets, of one day each. budgets (budget) point into the book. */
enum status simulate_ledger_fill(struct simulate_ledger *ledger,
                                 const struct simulation *simulation, enum pacing pacing,
                                 struct budget **budgets, struct err *err);

/* Removes the folder. A zeroed ledger is fine. */
void simulate_ledger_close(struct simulate_ledger *ledger);

/* Hold what was decided, now; the decision gets an id. */
enum status simulate_ledger_hold(struct simulate_ledger *ledger,
                                 struct decision *decision, struct err *err);

/* End the transaction, and begin another unless it is the last. */
enum status simulate_ledger_commit(struct simulate_ledger *ledger, bool is_last,
                                   struct err *err);

#endif
