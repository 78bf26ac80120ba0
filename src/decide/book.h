/* book.h - the budgets in memory, as the commit thread knows them, and the moves of
 * money.
 *
 * Owned by the commit thread. Every move appends its entries to the ledger at once; the
 * rows of the budgets are written by book_flush, once per transaction. After a rollback
 * book_load makes the book what the store says. Private to decide/. */
#ifndef REDRESS_DECIDE_BOOK_H
#define REDRESS_DECIDE_BOOK_H

#include "decide/decision.h"
#include "store/ledger.h"

struct book; /* opaque */

enum status book_open(struct store *store, struct book **book, struct err *err);
void book_close(struct book *book); /* NULL is fine */
enum status book_load(struct book *book, struct store *store, struct err *err);

/* Begin the new period of every budget whose period has ended; *has_rolled says whether
 * one has. */
enum status book_roll(struct book *book, struct store *store, int64_t now_us,
                      bool *has_rolled, struct err *err);
enum status book_flush(struct book *book, struct store *store, struct err *err);

/* Whether a case is in the scope of a budget, and in its currency, which is part of every
 * scope. */
bool budget_covers(const struct budget *budget, const struct refund_case *asked);

/* What a decision sees of the budgets: those whose scope matches, by id, and the snapshot
 * their prices are of. INVALID when there are more than DECISION_BUDGET_COUNT_MAX, as
 * scopes that have only some cases in common may come to (overlap.h), and when no budget
 * has the case's currency, but some would cover it in another. */
enum status book_match(const struct book *book, const struct refund_case *asked,
                       struct circumstances *seen, struct err *err);

/* The prices in force are a snapshot with an id: publishing gives them a new one. */
const char *book_snapshot(const struct book *book);
void book_price(struct book *book, struct budget *budget, double price);
void book_publish(struct book *book, int64_t now_us);

/* A budget as a decision sees it. */
void book_view(const struct budget *budget, struct budget_view *view);

/* The budget to look at or to change with book_touch; NULL when there is none. */
struct budget *book_find(struct book *book, const char *id);
void book_touch(struct book *book, struct budget *budget);
int book_count(const struct book *book);
struct budget *book_at(struct book *book, int index);
enum status book_insert(struct book *book, struct store *store,
                        const struct budget *budget, struct err *err);
/* CONFLICT while something is held. */
enum status book_remove(struct book *book, struct store *store, const char *id,
                        int64_t now_us, struct err *err);

/* Whether so much more can be noted as unfunded: CONFLICT, code unfunded_out_of_range,
 * when the figure would pass the largest amount. To be asked before the first write of a
 * decision. */
enum status budget_check_unfunded(const struct budget *budget, int64_t amount,
                                  struct err *err);

/* The same of all that the decision finds no room for. */
enum status book_check(struct book *book, const struct decision *decision,
                       struct err *err);

/* Reserve what the decision charges to each of its budgets (kind HOLD or OVERRIDE), count
 * the case, and note what found no room as unfunded, whole: refused as by book_check. */
enum status book_hold(struct book *book, struct store *store,
                      const struct decision *decision, enum entry_kind kind,
                      int64_t now_us, struct err *err);

/* How the open charges of a decision end: settled of each goes to spent, the rest
 * back. */
struct closing {
    const char *decision_id;
    int64_t settled;
    enum entry_kind rest; /* RELEASE or EXPIRE */
    const char *note;     /* of the rest's entries; why it went back */
    int64_t now_us;
};

/* What a decision has open, and where; charges are the arena's, budgets the book's. */
struct open_charges {
    struct charge *charges;
    struct budget *budgets[DECISION_BUDGET_COUNT_MAX]; /* NULL: gone, and owed nothing */
    int count;
};

/* Only looks. CORRUPT when it cannot be ended as it is. */
enum status book_find_charges(struct book *book, struct store *store,
                              const char *decision_id, struct arena *arena,
                              struct open_charges *open, struct err *err);
enum status book_close_charges(struct store *store, const struct open_charges *open,
                               const struct closing *closing, struct err *err);

/* Both. */
enum status book_close_hold(struct book *book, struct store *store, struct arena *arena,
                            const struct closing *closing, struct err *err);

/* Change a budget's limit by amount, as an adjust entry. */
enum status book_adjust(struct book *book, struct store *store, struct budget *budget,
                        int64_t amount, const char *note, int64_t now_us,
                        struct err *err);

#endif
