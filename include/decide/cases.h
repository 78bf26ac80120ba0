/* cases.h - the use cases of support tooling: decide, settle, release, override; and
 * reading what was decided. Each *_prepare decodes action->body and readies the action to
 * be submitted. */
#ifndef REDRESS_DECIDE_CASES_H
#define REDRESS_DECIDE_CASES_H

#include "decide/action.h"

/* Decide one case and hold the money; a dry run decides and keeps nothing. */
enum status case_prepare(struct action *action, bool is_dry_run, struct err *err);

/* {"cases": [..]}: decide up to 1,000 cases together, so that the sum of their net values
 * is the largest within the budgets; all in one transaction, or none. At most a few
 * batches at a time: then UNAVAILABLE. */
enum { BATCH_BYTES_MAX = 4 << 20 };
enum status batch_prepare(struct action *action, bool is_dry_run, struct err *err);

/* {"amount", "external_ref"}: what was held becomes spent, the rest goes back. */
enum status settle_prepare(struct action *action, struct err *err);

/* {"reason_code"}: what was held goes back. */
enum status release_prepare(struct action *action, struct err *err);

/* {"amount", "reason_code", "note"}: a person decides otherwise. */
enum status override_prepare(struct action *action, struct err *err);

/* End holds whose time is over, from a place on ({0}: the first); at most limit at a
 * time. For the keeper: an action without body. A hold whose row is damaged stays, and
 * stops no other. */
struct expiry {
    int ended_count, damaged_count;
    char damaged_id[ID_BYTES]; /* the first of them */
    bool has_more;             /* beyond next */
    struct hold_place next;
};
enum status expire_prepare(struct action *action, struct hold_place after, int limit,
                           struct err *err);
const struct expiry *expire_result(const struct action *action); /* once it has run */

/* --- reading; texts belong to the arena ----------------------------------------------------- */

enum status decision_show(struct service *service, const char *id, struct arena *arena,
                          struct text *json, struct err *err);
enum status decision_list_show(struct service *service,
                               const struct decision_filter *filter, struct arena *arena,
                               struct text *json, struct err *err);

/* The same for filter->customer_id; NOT_FOUND, code customer_not_found, when nothing was
 * ever decided for that customer, whatever the rest of the filter. */
enum status customer_decisions_show(struct service *service,
                                    const struct decision_filter *filter,
                                    struct arena *arena, struct text *json,
                                    struct err *err);

/* Make it again from what was stored: {"match": true, "diff": []}. */
enum status decision_replay(struct service *service, const char *id, struct arena *arena,
                            struct text *json, bool *is_match, struct err *err);

/* How it came about: features, arms, components, each option's value, cost and prices. */
enum status decision_explain(struct service *service, const char *id, struct arena *arena,
                             struct text *json, struct err *err);

#endif
