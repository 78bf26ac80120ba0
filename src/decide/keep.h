/* keep.h - deciding a prepared case on the commit thread, and writing it down: its
 * answer, its row, its holds. Private to decide/. */
#ifndef REDRESS_DECIDE_KEEP_H
#define REDRESS_DECIDE_KEEP_H

#include "decide/action.h"
#include "decide/decision.h"

struct past;

/* Look at the budgets and the past as they are now, draw, and choose. decision comes as
 * decision_prepare left it, with what was planned for it, if anything. past: of a batch;
 * else NULL. */
enum status case_decide(struct action *action, struct commit *commit,
                        const struct refund_case *asked, struct past *past,
                        struct decision *decision, struct err *err);

/* Give it an id and the time of the transaction, in which order decisions are
 * recorded. */
void decision_stamp(struct decision *decision, const struct commit *commit);

/* Answer what was decided without keeping it. */
enum status case_foretell(struct action *action, struct commit *commit,
                          const struct refund_case *asked, struct decision *decision,
                          struct err *err);

/* All that can be refused must have been refused before. kind: HOLD or OVERRIDE. */
enum status decision_keep(struct action *action, struct commit *commit,
                          const struct decision *decision,
                          const struct refund_case *asked, struct text case_body,
                          enum entry_kind kind, struct err *err);

#endif
