/* young.h - the prices of budgets that have only just begun.
 *
 * Until a budget has a price its money goes to whoever comes first. The keeper solves prices now and
 * then, from a sample worth the name; by the time it gets to a new budget, a fast stream has taken a
 * good part of it. So a young budget is priced here, on the commit thread, after its very first case
 * and, while they are few, after each; then less and less often, until the keeper takes over. */
#ifndef REDRESS_DECIDE_YOUNG_H
#define REDRESS_DECIDE_YOUNG_H

#include "decide/commit.h"
#include "decide/decision.h"

/* After a decision was recorded and charged. Trouble is logged: the prices then stay as they are. */
void young_budgets_price(struct commit *commit, const struct decision *decision);

#endif
