/* admin.h - the use cases of ops, data scientists and whoever holds the keys: budgets,
 * policies, models, API keys. Prepared and submitted like those of cases.h.
 *
 * The *_show functions only read, on a connection of the service's own: any thread may
 * call them at any time. *json belongs to the arena and is set on success only; it is the
 * answer whole. *revision is of what was shown, for the ETag. What is not there is
 * NOT_FOUND with a code of its own (budget_not_found, ...); an answer for which the arena
 * has no room is EXHAUSTED; IO and CORRUPT come from the store. */
#ifndef REDRESS_DECIDE_ADMIN_H
#define REDRESS_DECIDE_ADMIN_H

#include "decide/action.h"

/* --- budgets -------------------------------------------------------------------------------- */

enum status budget_create_prepare(struct action *action, struct err *err);
enum status budget_change_prepare(struct action *action, struct err *err); /* If-Match */
enum status budget_delete_prepare(struct action *action, struct err *err); /* If-Match */
/* {"amount", "reason_code", "note"}: append-only change of the limit. If-Match only when
 * given. */
enum status budget_adjust_prepare(struct action *action, struct err *err);

enum status budget_show(struct service *service, const char *id, struct arena *arena,
                        struct text *json, int64_t *revision, struct err *err);
enum status budget_list_show(struct service *service, struct arena *arena,
                             struct text *json, struct err *err);
/* Plan, spend, price and forecast of a budget, as of the prices in force. */
enum status budget_pacing_show(struct service *service, const char *id,
                               struct arena *arena, struct text *json, struct err *err);
/* Entries of a budget; of the whole ledger when id is NULL. */
enum status entry_list_show(struct service *service, const char *id, struct text after,
                            int limit, bool is_descending, struct arena *arena,
                            struct text *json, struct err *err);

/* --- policies ------------------------------------------------------------------------------- */

enum status policy_put_prepare(struct action *action,
                               struct err *err); /* If-Match, or new */
/* {"revision", "reason"}: its document as a new revision. If-Match only when given. */
enum status policy_rollback_prepare(struct action *action, struct err *err);
/* revision 0: the newest. */
enum status policy_show(struct service *service, const char *id, int64_t revision,
                        struct arena *arena, struct text *json, int64_t *found_revision,
                        struct err *err);
enum status policy_list_show(struct service *service, struct arena *arena,
                             struct text *json, struct err *err);
enum status policy_revisions_show(struct service *service, const char *id,
                                  struct arena *arena, struct text *json,
                                  struct err *err);

/* --- models --------------------------------------------------------------------------------- */

/* subject: the name. The bundle is read and its examples are checked here, before
 * submission. */
enum status model_push_prepare(struct action *action, struct err *err);
/* subject: "NAME/VERSION". */
enum status model_delete_prepare(struct action *action, struct err *err);
/* subject: "NAME/ALIAS"; {"version", "reason"}. Loads and checks before submission. */
enum status alias_put_prepare(struct action *action, struct err *err);
enum status model_list_show(struct service *service, struct arena *arena,
                            struct text *json, struct err *err);
enum status model_version_show(struct service *service, const char *name, int64_t version,
                               struct arena *arena, struct text *json, struct err *err);
/* Every move of its aliases, newest first; with at_us > 0 only what was in force then. */
enum status model_history_show(struct service *service, const char *name, int64_t at_us,
                               struct arena *arena, struct text *json, struct err *err);

/* --- API keys ------------------------------------------------------------------------------- */

/* {"name", "scopes": [..], "expires_at"}: the answer has the key's text, once: it is
 * never kept, an Idempotency-Key is not used. */
enum status key_create_prepare(struct action *action, struct err *err);
enum status key_revoke_prepare(struct action *action, struct err *err);
/* A new key of the same name, scopes and length of life; the old one ends after
 * {"overlap_s"}, a day when that is not given. */
enum status key_rotate_prepare(struct action *action, struct err *err);
enum status key_list_show(struct service *service, struct arena *arena, struct text *json,
                          struct err *err);

/* --- audit ---------------------------------------------------------------------------------- */

/* Both hash chains gone through from the first row: {"ok", "chains", "faults",
 * "first_fault"}. Takes some seconds for a million rows. */
enum status audit_verify_show(struct service *service, struct arena *arena,
                              struct text *json, struct err *err);

enum status audit_list_show(struct service *service, struct text after, int limit,
                            bool is_descending, struct arena *arena, struct text *json,
                            struct err *err);

#endif
