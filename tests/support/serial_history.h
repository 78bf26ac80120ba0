/* serial_history.h - what several callers did to two budgets at the same time, and
 * whether there is a serial order of it that a plain ledger of integers explains.
 *
 * Every call has the moments when it was made and when its answer was there. An order
 * explains a history when each call stands in it after all calls that had returned before
 * it was made, and when the ledger, taking them one by one, says to each exactly what was
 * said. The search is that of J. M. Wing and C. Gong, "Testing and verifying concurrent
 * objects" (1993), with the memo of G. Lowe, "Testing for linearizability" (2017): which
 * calls are done already, and the limits, is all that what follows depends on. */
#ifndef REDRESS_TESTS_SERIAL_HISTORY_H
#define REDRESS_TESTS_SERIAL_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SERIAL_BUDGET_COUNT = 2,
    SERIAL_CALL_COUNT_MAX = 64,
};

enum call_kind {
    CALL_DECIDE,     /* hold what there is room for: 1000, 500, or nothing */
    CALL_SAME_AGAIN, /* the decision of another call, by its idempotency key */
    CALL_SETTLE,     /* amount of a hold */
    CALL_RELEASE,
    CALL_OVERRIDE, /* a hold, or what is over, by another of amount */
    CALL_LIMIT,    /* set */
    CALL_ADJUST,   /* the limit by amount */
    CALL_READ,     /* one budget */
    CALL_READ_ALL, /* both at once */
    CALL_KIND_COUNT
};

struct balance {
    int64_t limit, held, spent, revision;
};

struct call {
    enum call_kind kind;
    int64_t called_ns, returned_ns;
    int budget; /* of LIMIT, ADJUST, READ */
    int of;     /* index of the call that made the decision: of SAME_AGAIN .. OVERRIDE */
    bool is_narrow;   /* of DECIDE: budget 1 covers the case, too; budget 0 covers all */
    bool is_in_need;  /* of DECIDE: else nothing is given */
    int64_t amount;   /* of SETTLE, OVERRIDE, LIMIT, ADJUST; of DECIDE: what was given */
    int64_t if_match; /* of LIMIT: the revision it is for; 0: any */
    int status;       /* what was said: HTTP's number, */
    char code[48];    /* and the code of a refusal */
    int64_t remaining[SERIAL_BUDGET_COUNT]; /* of a decision, an adjustment */
    /* of a read; of budget 0 for one budget */
    struct balance balances[SERIAL_BUDGET_COUNT];
    bool is_replayed;
};

struct serial_history {
    struct balance start[SERIAL_BUDGET_COUNT];
    struct call calls[SERIAL_CALL_COUNT_MAX];
    int count;
};

/* Whether there is such an order; *step_count rises by the calls that were tried. */
bool serial_history_is_explained(const struct serial_history *history,
                                 int64_t *step_count);

/* All of it on stderr, by the time of the call. */
void serial_history_show(const struct serial_history *history);

#endif
