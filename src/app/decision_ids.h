/* decision_ids.h - whether a decision log has a decision twice, as one does that was put
 * behind itself, or pieces whose ends overlap: each of its rows would count for two.
 *
 * Ids are compared by 64 bits of their hash: of a million different ones two are taken
 * for the same with a probability of 3e-8. Takes twelve bytes a decision, and up to
 * sixteen more while ids are compared that do not rise, as those of an export do. */
#ifndef REDRESS_APP_DECISION_IDS_H
#define REDRESS_APP_DECISION_IDS_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { DECISION_ID_COUNT_MAX = 100000000 };

struct decision_ids; /* opaque */

/* EXHAUSTED. The caller closes *ids. */
enum status decision_ids_open(struct decision_ids **ids, struct err *err);
void decision_ids_close(struct decision_ids *ids); /* NULL is fine */

/* The id at a line of the file; an empty one is no decision's. EXHAUSTED, TOO_LARGE. */
enum status decision_ids_add(struct decision_ids *ids, struct text id, int64_t line,
                             struct err *err);

/* INVALID when there is an id twice: the first of which there are two, and where it comes
 * again, by lines of the file. EXHAUSTED. NULL is fine. */
enum status decision_ids_check(const struct decision_ids *ids, const char *file,
                               struct err *err);

/* The same of hashes of ids (text_hash; 0: no decision's) that stand in an array: where
 * the first is of which there are two, and where it comes again; both 0 when none does.
 * EXHAUSTED. */
enum status decision_ids_find_twice(const uint64_t *hashes, int64_t count,
                                    int64_t *before, int64_t *again, struct err *err);

/* INVALID: "log.csv line 302: is the decision of line 2 again", or rows where lines are
 * not known. */
enum status decision_ids_refuse(const char *file, const char *unit, int64_t again,
                                int64_t before, struct err *err);

#endif
