/* overlap.h - whether all that a budget covers has more budgets than a decision may be
 * charged to. Private to decide/. */
#ifndef REDRESS_DECIDE_OVERLAP_H
#define REDRESS_DECIDE_OVERLAP_H

#include "decide/book.h"

/* CONFLICT, code too_many_budgets, when this budget, in place of the one with its id if
 * there is one, and those of its currency that cover every case it covers are more than
 * DECISION_BUDGET_COUNT_MAX: no such case could be decided. A scope within the one that
 * the budget has is taken whatever there is: it covers nothing new. Budgets that cover
 * but some of these cases do not count: a case in which too many of them meet is refused
 * by itself (book_match). Looks at each budget once. */
enum status overlap_check(struct book *book, const struct budget *budget,
                          struct err *err);

#endif
