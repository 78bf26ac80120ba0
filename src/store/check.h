/* check.h - a check under way: what was seen so far, and what was found. Private to
 * store/. */
#ifndef REDRESS_STORE_CHECK_H
#define REDRESS_STORE_CHECK_H

#include "store/ledger.h"
#include "store/sql.h"

enum { CHECK_RANGE_ROWS = 1000 };

struct balance {
    int64_t limit, held, spent, unfunded;
    int64_t freed,
        freed_at_us; /* by the release before, for the override that may come of it */
};

/* A budget by its own account, and as its entries make it. */
struct account {
    int64_t number; /* row of the budget */
    char id[BUDGET_ID_BYTES];
    bool is_in_service;
    struct balance said, entered;
};

struct check {
    struct store *store;
    struct store_report *report;
    bool (*goes_on)(void *context); /* or NULL */
    void *context;
    struct account *accounts; /* by number */
    int account_count;
    struct store_stats newest; /* rows there are */
    struct chain_end
        ends[CHAIN_COUNT];           /* where each ends by its own account; -1: unknown */
    struct chain_end entries, audit; /* the last ones seen */
    bool is_recent;                  /* not from the first entry on: there are no sums */
    int64_t decision_number;
};

/* Note a fault; the first one is kept as a complete sentence. */
__attribute__((format(printf, 2, 3))) void check_fault(struct check *check,
                                                       const char *format, ...);

/* Up to CHECK_RANGE_ROWS more; *is_last when there are none behind them that were there
 * when the check began. */
typedef enum status check_range(struct check *check, bool *is_last, struct err *err);

/* Range after range until the last, as long as it may go on. */
enum status check_ranges(struct check *check, check_range *range, struct err *err);

/* Rows come in the order of their numbers; where they do not, a check would go round for
 * ever. */
static inline void expect_after(struct query *query, int64_t number, int64_t before)
{
    if (query->code == SQLITE_ROW && number <= before)
        query->code = SQLITE_CORRUPT;
}

/* How many rows the next range takes, of those from the number-th on up to the newest. */
static inline int range_rows(int64_t number, int64_t newest)
{
    if (newest <= number)
        return 0;
    return number >= newest - CHECK_RANGE_ROWS ? (int)(newest - number)
                                               : CHECK_RANGE_ROWS;
}

/* Ledger (check_ledger.c): entries with the sums they make, and, once all entries were
 * seen, what budgets say. */
check_range check_entries;
enum status accounts_open(struct check *check, struct err *err);
void check_accounts(struct check *check);

/* What decisions say of their entries (check_decisions.c). */
check_range check_decisions;

/* Digests, keys and references (check_rows.c): of all rows, or of what a start can
 * afford. */
enum status check_rows(struct check *check, struct err *err);
enum status check_rows_recent(struct check *check, struct err *err);

#endif
