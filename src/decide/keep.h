/* keep.h - writing a decision down: its answer, its row, its holds. Private to decide/. */
#ifndef REDRESS_DECIDE_KEEP_H
#define REDRESS_DECIDE_KEEP_H

#include "decide/action.h"
#include "decide/decision.h"

/* All that can be refused must have been refused before. kind: HOLD or OVERRIDE. */
enum status decision_keep(struct action *action, struct commit *commit,
                          const struct decision *decision,
                          const struct refund_case *asked, struct text case_body,
                          enum entry_kind kind, struct err *err);

#endif
