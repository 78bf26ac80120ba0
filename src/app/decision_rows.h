/* decision_rows.h - a table that may be an exported decision log: which of its rows a
 * policy decided, and happened.
 *
 * The rule is passed_over.h's; a table with the columns parent_id, overridden and mode is
 * such a log. */
#ifndef REDRESS_APP_DECISION_ROWS_H
#define REDRESS_APP_DECISION_ROWS_H

#include "app/passed_over.h"
#include "app/report.h"
#include "base/err.h"
#include "table/columns.h"

enum { DECISION_ROWS_WISH_COUNT = 4 };

/* Of columns that may be there. */
void decision_rows_wish(struct column_wish wishes[DECISION_ROWS_WISH_COUNT]);

/* Whether a column is one of those: who compares by it, as live decisions with held-out
 * ones, wants all rows. */
bool decision_rows_is_mark(const char *column);

/* Of a table that is such a log; all of it is zero of any other, and where all rows are
 * asked for. */
struct decision_rows {
    bool are_decisions;
    struct passed_over passed_over;
};

/* Leave out decisions by a person and those that were not live, and count them; none in a
 * table that is no decision log, or with takes_all_rows. first: of the wishes, among the
 * columns, of which no row was left out yet; they are freed. INVALID when no row is left,
 * a decision is there twice (decision_ids.h), or a field is none that a log has.
 * EXHAUSTED. */
enum status decision_rows_pick(struct columns *columns, int first, bool takes_all_rows,
                               struct decision_rows *rows, struct err *err);

/* "passed_over" and "overridden", as evaluate policy has them; nothing of a table that is
 * no log. */
void decision_rows_put(const struct decision_rows *rows, struct report *report);

/* Lines for people about what was left out, and what was changed later; none where
 * nothing was. */
void decision_rows_print(const struct decision_rows *rows);

/* What the option says that asks for all rows: "--all-rows". */
#define DECISION_ROWS_ALL_HELP                                                           \
    "Of a decision log also what people decided and what was not live."

#endif
