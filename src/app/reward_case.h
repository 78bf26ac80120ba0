/* reward_case.h - a logged case as a row of what rewards are expected from. */
#ifndef REDRESS_APP_REWARD_CASE_H
#define REDRESS_APP_REWARD_CASE_H

#include "app/decision_log.h"
#include "app/reward_table.h"

/* Begin the table's next row with all that was known of the case, and take what was done.
 * The amounts of the case, its words (issue, market, segment, channel, currency) and its
 * features are columns; a truth value is 0 or 1. arena: scratch. */
enum status reward_case_begin(struct reward_table *table, const struct logged_row *row,
                              struct arena *arena, struct err *err);

/* The logged option of an amount; one that no model scored when there is none. */
struct reward_option reward_case_option(const struct logged_row *row, int64_t amount);

#endif
