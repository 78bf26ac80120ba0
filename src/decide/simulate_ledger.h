/* simulate_ledger.h - the book and the store of a simulated day, in a temporary folder:
 * the ones that the service keeps its money in, without the commit thread. Private to
 * simulate.c. */
#ifndef REDRESS_DECIDE_SIMULATE_LEDGER_H
#define REDRESS_DECIDE_SIMULATE_LEDGER_H

#include "base/clock.h"
#include "decide/book.h"
#include "decide/simulate.h"

#define SIMULATE_CURRENCY "USD"
#define SIMULATE_DAY_US   (86400 * SECOND_US)
#define SIMULATE_START_US (20000 * SIMULATE_DAY_US) /* any midnight will do */

struct simulate_ledger {
    char folder[64];
    struct store *store;
    struct book *book;
};

/* A zeroed ledger gets the budgets, of one day each, and a transaction. budgets (budget)
 * point into the book. To be closed in any case. */
enum status simulate_ledger_open(struct simulate_ledger *ledger,
                                 const struct simulation *simulation,
                                 struct budget **budgets, struct err *err);

/* Removes the folder. A zeroed ledger is fine. */
void simulate_ledger_close(struct simulate_ledger *ledger);

/* Hold what was decided; the decision gets an id. */
enum status simulate_ledger_hold(struct simulate_ledger *ledger,
                                 struct decision *decision, int64_t at_us,
                                 struct err *err);

/* End the transaction, and begin another unless it is the last. */
enum status simulate_ledger_commit(struct simulate_ledger *ledger, bool is_last,
                                   struct err *err);

#endif
