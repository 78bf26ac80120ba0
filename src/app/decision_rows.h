/* decision_rows.h - a table that may be an exported decision log: which of its rows a policy decided, and happened.
 *
 * The rule is passed_over.h's; a table with the columns parent_id, overridden and mode is such a log. */
#ifndef REDRESS_APP_DECISION_ROWS_H
#define REDRESS_APP_DECISION_ROWS_H

#include "app/passed_over.h"
#include "base/err.h"
#include "table/columns.h"

enum { DECISION_ROWS_WISH_COUNT = 3 };

/* Of columns that may be there. */
void decision_rows_wish(struct column_wish wishes[DECISION_ROWS_WISH_COUNT]);

/* Leave out decisions by a person and those that were not live, and count them; none in a table that is no decision log.
 * first: of the wishes, among the columns; they are freed. INVALID when no row is left, EXHAUSTED. */
enum status decision_rows_pick(struct columns *columns, int first,
                               struct passed_over *passed_over, struct err *err);

#endif
