/* decision_ids.h - whether a decision log has a decision twice, as one does that was put behind itself, or pieces whose
 * ends overlap: each of its rows would count for two.
 *
 * Ids are compared by 64 bits of their hash: of a million different ones two are taken for the same with a probability
 * of 3e-8. Takes eight bytes a row; ids that rise, as those of an export do, need no more. */
#ifndef REDRESS_APP_DECISION_IDS_H
#define REDRESS_APP_DECISION_IDS_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct decision_ids; /* opaque */

/* EXHAUSTED. The caller closes *ids. */
enum status decision_ids_open(struct decision_ids **ids, struct err *err);
void decision_ids_close(struct decision_ids *ids); /* NULL is fine */

/* The id of the next row, not NULL bytes; an empty one is no decision's. EXHAUSTED. */
enum status decision_ids_add(struct decision_ids *ids, struct text id, struct err *err);

/* INVALID when a row has the id of another: the first of which there are two, and the next, counted from 1 as units
 * ("line") of the file. EXHAUSTED. NULL is fine. */
enum status decision_ids_check(const struct decision_ids *ids, const char *file,
                               const char *unit, struct err *err);

#endif
