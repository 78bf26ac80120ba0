/* budget_json.h - a budget as it is shown, and what a body says of one. Private to
 * decide/. */
#ifndef REDRESS_DECIDE_BUDGET_JSON_H
#define REDRESS_DECIDE_BUDGET_JSON_H

#include "decide/action.h"
#include "store/ledger.h"

#include <stdbool.h>

/* What a body says; what it does not say is zero, and stays as it is. */
struct budget_request {
    struct budget said;
    bool has_currency, has_period, has_scope, has_time_zone, has_limit, has_pacing,
        has_expected_cases;
};

/* Decode action->body and check each member for itself. is_new: what a budget cannot do
 * without has to be there. *request belongs to the action's arena. */
enum status budget_decode(struct action *action, bool is_new,
                          struct budget_request **request, struct err *err);

/* What the parts of a budget must be to each other. */
enum status budget_check(const struct budget *budget, struct err *err);

const char *pacing_name(enum pacing pacing); /* NULL for none */
void budget_put(struct json_writer *writer, const struct budget *budget);
size_t budget_bytes(const struct budget *budget); /* the most that budget_put writes */

#endif
