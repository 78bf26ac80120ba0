/* check.h - a check under way: what was seen so far, and what was found. Private to store/. */
#ifndef REDRESS_STORE_CHECK_H
#define REDRESS_STORE_CHECK_H

#include "store/ledger.h"
#include "store/sql.h"

enum { CHECK_RANGE_ROWS = 1000 };

/* A budget as its entries make it. */
struct balance {
    int64_t number; /* row of the budget */
    int64_t limit, held, spent, unfunded;
};

struct check {
    struct store *store;
    struct store_report *report;
    bool (*goes_on)(void *context); /* or NULL */
    void *context;
    struct balance *balances; /* by number */
    int balance_count, balance_capacity;
    struct chain_end entries, audit; /* the last ones seen */
    bool is_recent;                  /* not from the first entry on: there are no sums */
    int64_t decision_number;
};

/* Note a fault; the first one is kept as a complete sentence. */
__attribute__((format(printf, 2, 3))) void check_fault(struct check *check,
                                                       const char *format, ...);

/* Up to CHECK_RANGE_ROWS more; *is_last when there are none behind them. */
typedef enum status check_range(struct check *check, bool *is_last, struct err *err);

/* Range after range until the last, as long as it may go on. */
enum status check_ranges(struct check *check, check_range *range, struct err *err);

/* Ledger (check_ledger.c): entries with the sums they make, what decisions say of them, and, once all
 * entries were seen, what budgets say. */
check_range check_entries, check_decisions;
enum status check_budgets(struct check *check, struct err *err);

/* Where a chain ends by its own account. */
enum status check_end(struct check *check, enum chain_name name, struct err *err);

/* Digests, keys and references (check_rows.c): of all rows, or of what a start can afford. */
enum status check_rows(struct check *check, struct err *err);
enum status check_rows_recent(struct check *check, struct err *err);

#endif
