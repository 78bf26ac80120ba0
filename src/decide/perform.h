/* perform.h - what a use case needs while it is prepared and performed. Private to
 * decide/. */
#ifndef REDRESS_DECIDE_PERFORM_H
#define REDRESS_DECIDE_PERFORM_H

#include "decide/action.h"
#include "json/write.h"

/* MALFORMED with code idempotency_key_missing or _invalid. */
enum status action_require_key(struct action *action, struct err *err);

/* For preparations: a refusal that depends on what is in force now must not stand before
 * an answer given earlier. It is kept, and given once the key turned out to be new.
 * Returns OK, or rc itself when there is no key to look up. */
enum status action_refuse_later(struct action *action, enum status rc, struct err *err);

/* Start an answer of at most so many bytes; then give it. action_answer records it
 * under the idempotency key, when there is one or is_kept says so. */
enum status action_writer(struct action *action, size_t bytes, struct json_writer *writer,
                          struct err *err);
enum status action_answer(struct action *action, struct commit *commit, int http_status,
                          const struct json_writer *writer, bool is_kept,
                          struct err *err);

/* The body as a JSON object; the caller decrefs. MALFORMED or INVALID else. */
struct json_t;
enum status action_object(const struct action *action, struct json_t **root,
                          struct err *err);

/* Compare If-Match ("3" with its quotes, or *) with the revision there is. */
enum status action_match(const struct action *action, const char *what, int64_t revision,
                         struct err *err);

/* Note it in the audit trail; detail is JSON or empty. */
enum status action_audit(struct action *action, struct commit *commit, const char *verb,
                         const char *subject, struct text detail, struct err *err);

#endif
