/* outcomes.h - what became of decisions, as it is reported: one measurement, or up to a
 * thousand in one body, a line each. */
#ifndef REDRESS_DECIDE_OUTCOMES_H
#define REDRESS_DECIDE_OUTCOMES_H

#include "decide/action.h"

enum {
    OUTCOME_COUNT_MAX = 1000,       /* in one body */
    OUTCOMES_BYTES_MAX = 256 << 10, /* of the body */
    OUTCOMES_OF_DECISION_MAX = 256,
};

/* {"decision_id", "metric", "value", "occurred_at"}, or such objects a line each: all are
 * recorded, or none. What was recorded before, with the same value, counts as done; with
 * another value it is CONFLICT, code outcome_conflict. A decision that is not there is a
 * fault, code decision_not_found; one that has OUTCOMES_OF_DECISION_MAX takes no more,
 * code too_many_outcomes. Answers 201, or 200 when there was nothing new. An
 * Idempotency-Key may be given. */
enum status outcome_prepare(struct action *action, struct err *err);

#endif
