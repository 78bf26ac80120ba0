/* overlap.h - whether a case can be covered by more budgets than a decision may be charged to.
 * Private to decide/. */
#ifndef REDRESS_DECIDE_OVERLAP_H
#define REDRESS_DECIDE_OVERLAP_H

#include "decide/book.h"

/* Whether the book with this budget, in place of the one with its id if there is one, leaves no case that
 * more than DECISION_BUDGET_COUNT_MAX cover, as far as they did not before: CONFLICT, code
 * too_many_budgets. */
enum status overlap_check(struct book *book, const struct budget *budget,
                          struct err *err);

#endif
