/* routes.c - every path there is, one line each, and the handlers behind them. */
#include "http/api.h"

#include "base/clock.h"
#include "decide/admin.h"
#include "decide/cases.h"
#include "decide/keyring.h"
#include "decide/outcomes.h"
#include "http/head.h"
#include "http/health.h"
#include "http/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALL_BODY_MAX = 16 << 10,
    MODEL_BODY_MAX = BUNDLE_BYTES_MAX,
};

static enum status read_limit(const struct exchange *exchange, int *limit,
                              struct err *err)
{
    int64_t value;
    enum status rc =
        query_int(exchange, "limit", 1, LIST_COUNT_MAX, LIST_COUNT_DEFAULT, &value, err);

    *limit = (int)value;
    return rc;
}

static struct text query_slice(const struct exchange *exchange, const char *name)
{
    const char *text = query_text(exchange, name);

    return text ? text_of(text) : (struct text){0};
}

/* Shows end alike: the JSON, perhaps an ETag, or the error. */
static enum status show(struct exchange *exchange, enum status rc, struct text json,
                        int64_t revision)
{
    if (rc)
        return rc;
    if (revision > 0)
        snprintf(exchange->reply.etag, sizeof exchange->reply.etag, "\"%lld\"",
                 (long long)revision);
    return exchange_show(exchange, json);
}

/* The same for a list that is made whole: the page that was asked for. */
static enum status show_page(struct exchange *exchange, enum status rc, struct text whole,
                             const struct page_order *order, struct err *err)
{
    struct text page = {0};

    if (!rc)
        rc = page_cut(exchange, whole, order, &page, err);
    return show(exchange, rc, page, 0);
}

/* --- decisions -------------------------------------------------------------------------------- */

static enum status decide(struct exchange *exchange,
                          enum status (*prepare)(struct action *action, bool is_dry_run,
                                                 struct err *err),
                          struct err *err)
{
    struct action *action = exchange_action(exchange);
    bool is_dry_run;
    enum status rc;

    if (!action)
        return arena_exhausted(err);
    rc = query_bool(exchange, "dry_run", &is_dry_run, err);
    if (!rc)
        rc = prepare(action, is_dry_run, err);
    if (rc) {
        action_drop(action);
        return rc;
    }
    return exchange_submit(exchange, action, err);
}

static enum status decision_create(struct exchange *exchange, struct err *err)
{
    return decide(exchange, case_prepare, err);
}

static enum status batch_create(struct exchange *exchange, struct err *err)
{
    return decide(exchange, batch_prepare, err);
}

static enum status read_filter(const struct exchange *exchange,
                               struct decision_filter *filter, struct err *err)
{
    struct text outcome = query_slice(exchange, "outcome");
    enum outcome found;
    bool is_descending;
    enum status rc = read_limit(exchange, &filter->limit, err);

    if (!rc)
        rc = query_order(exchange, true, &is_descending, err);
    if (!rc)
        rc = query_time(exchange, "created_after", &filter->created_after_us, err);
    if (!rc)
        rc = query_time(exchange, "created_before", &filter->created_before_us, err);
    if (rc)
        return rc;
    filter->is_ascending = !is_descending;
    filter->customer_id = query_slice(exchange, "customer_id");
    filter->order_id = query_slice(exchange, "order_id");
    filter->after = query_slice(exchange, "after");
    filter->outcome = -1;
    if (outcome.bytes > 0 && !outcome_find(outcome, &found))
        return err_fault(err, "", "invalid_parameter",
                         "'outcome' must be credit, no_credit, review or fallback");
    if (outcome.bytes > 0)
        filter->outcome = (int)found;
    return STATUS_OK;
}

static enum status decision_list_get(struct exchange *exchange, struct err *err)
{
    struct decision_filter filter = {0};
    struct text json = {0};
    enum status rc = read_filter(exchange, &filter, err);

    if (!rc)
        rc = decision_list_show(exchange->service, &filter, &exchange->arena, &json, err);
    return show(exchange, rc, json, 0);
}

static enum status customer_decisions(struct exchange *exchange, struct err *err)
{
    struct decision_filter filter = {0};
    struct text json = {0};
    enum status rc = read_filter(exchange, &filter, err);

    filter.customer_id = text_of(exchange->params[0]);
    if (!rc)
        rc = customer_decisions_show(exchange->service, &filter, &exchange->arena, &json,
                                     err);
    return show(exchange, rc, json, 0);
}

static enum status decision_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = decision_show(exchange->service, exchange->params[0],
                                   &exchange->arena, &json, err);

    return show(exchange, rc, json, 0);
}

static enum status decision_explanation(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = decision_explain(exchange->service, exchange->params[0],
                                      &exchange->arena, &json, err);

    return show(exchange, rc, json, 0);
}

static enum status decision_replay_post(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    bool is_match;
    enum status rc = decision_replay(exchange->service, exchange->params[0],
                                     &exchange->arena, &json, &is_match, err);

    return show(exchange, rc, json, 0);
}

/* --- budgets ---------------------------------------------------------------------------------- */

static enum status budget_list_get(struct exchange *exchange, struct err *err)
{
    static const struct page_order order = {.key = "id", .key_start = "bud_"};
    struct text json = {0};
    enum status rc = budget_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, &order, err);
}

static enum status budget_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    int64_t revision;
    enum status rc = budget_show(exchange->service, exchange->params[0], &exchange->arena,
                                 &json, &revision, err);

    return show(exchange, rc, json, revision);
}

static enum status budget_pacing(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = budget_pacing_show(exchange->service, exchange->params[0],
                                        &exchange->arena, &json, err);

    return show(exchange, rc, json, 0);
}

static enum status show_entries(struct exchange *exchange, const char *id,
                                struct err *err)
{
    struct text json = {0};
    bool is_descending;
    int limit;
    enum status rc = read_limit(exchange, &limit, err);

    if (!rc)
        rc = query_order(exchange, false, &is_descending, err);
    if (!rc)
        rc = entry_list_show(exchange->service, id, query_slice(exchange, "after"), limit,
                             is_descending, &exchange->arena, &json, err);
    return show(exchange, rc, json, 0);
}

static enum status budget_entries(struct exchange *exchange, struct err *err)
{
    return show_entries(exchange, exchange->params[0], err);
}

static enum status ledger_entries(struct exchange *exchange, struct err *err)
{
    return show_entries(exchange, NULL, err);
}

/* --- policies --------------------------------------------------------------------------------- */

static enum status policy_list_get(struct exchange *exchange, struct err *err)
{
    static const struct page_order order = {.key = "id", .key_start = ""};
    struct text json = {0};
    enum status rc = policy_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, &order, err);
}

static enum status policy_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    int64_t revision, found;
    enum status rc = query_int(exchange, "revision", 1, INT64_MAX, 0, &revision, err);

    if (!rc)
        rc = policy_show(exchange->service, exchange->params[0], revision,
                         &exchange->arena, &json, &found, err);
    return show(exchange, rc, json, rc ? 0 : found);
}

static enum status policy_revisions_get(struct exchange *exchange, struct err *err)
{
    static const struct page_order order = {
        .key = "revision", .is_numbered = true, .is_descending = true, .key_start = ""};
    struct text json = {0};
    enum status rc = policy_revisions_show(exchange->service, exchange->params[0],
                                           &exchange->arena, &json, err);

    return show_page(exchange, rc, json, &order, err);
}

/* --- models ----------------------------------------------------------------------------------- */

static enum status model_list_get(struct exchange *exchange, struct err *err)
{
    static const struct page_order order = {.key = "name", .key_start = ""};
    struct text json = {0};
    enum status rc = model_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, &order, err);
}

static enum status read_version(const struct exchange *exchange, int64_t *version,
                                struct err *err)
{
    const char *text = exchange->params[1];
    char *end;

    if (text[0] >= '1' && text[0] <= '9' && strlen(text) <= 18) {
        *version = strtoll(text, &end, 10);
        if (*end == '\0')
            return STATUS_OK;
    }
    return err_code(err, STATUS_NOT_FOUND, "model_version_not_found",
                    "there is no version '%s'", text);
}

static enum status model_version_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    int64_t version = 0;
    enum status rc = read_version(exchange, &version, err);

    if (!rc)
        rc = model_version_show(exchange->service, exchange->params[0], version,
                                &exchange->arena, &json, err);
    return show(exchange, rc, json, 0);
}

static enum status model_history(struct exchange *exchange, struct err *err)
{
    static const struct page_order order = {
        .key = "seq", .is_numbered = true, .is_descending = true, .key_start = ""};
    struct text json = {0};
    int64_t at_us;
    enum status rc = query_time(exchange, "at", &at_us, err);

    if (!rc)
        rc = model_history_show(exchange->service, exchange->params[0], at_us,
                                &exchange->arena, &json, err);
    return show_page(exchange, rc, json, &order, err);
}

/* --- keys and audit --------------------------------------------------------------------------- */

static enum status key_list_get(struct exchange *exchange, struct err *err)
{
    static const struct page_order order = {.key = "id", .key_start = "key_"};
    struct text json = {0};
    enum status rc = key_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, &order, err);
}

static enum status audit_list_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    bool is_descending;
    int limit;
    enum status rc = read_limit(exchange, &limit, err);

    if (!rc)
        rc = query_order(exchange, false, &is_descending, err);
    if (!rc)
        rc = audit_list_show(exchange->service, query_slice(exchange, "after"), limit,
                             is_descending, &exchange->arena, &json, err);
    return show(exchange, rc, json, 0);
}

static enum status audit_verify_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = audit_verify_show(exchange->service, &exchange->arena, &json, err);

    return show(exchange, rc, json, 0);
}

/* --- health: also on a listener of its own ---------------------------------------------------- */

static enum status health_get(struct exchange *exchange, struct err *err)
{
    char *buffer = arena_alloc(&exchange->arena, 1, HEALTH_BYTES);

    if (!buffer)
        return arena_exhausted(err);
    health_answer(exchange->path, service_build(exchange->service),
                  service_check(exchange->service), service_trouble(exchange->service),
                  buffer, &exchange->reply.status, &exchange->reply.body);
    return STATUS_OK;
}

/* --- the table -------------------------------------------------------------------------------- */

#define LISTED   "limit after order"
#define FILTERED LISTED " order_id outcome created_after created_before"

static const struct route routes[] = {
    {"POST", "/v1/decisions", ACCESS_DECIDE, decision_create, NULL, CASE_BYTES_MAX,
     "dry_run", AT_ONCE},
    {"GET", "/v1/decisions", ACCESS_READ, decision_list_get, NULL, 0,
     FILTERED " customer_id", AT_ONCE},
    {"POST", "/v1/decision-batches", ACCESS_DECIDE, batch_create, NULL, BATCH_BYTES_MAX,
     "dry_run", LATER},
    {"GET", "/v1/decisions/{id}", ACCESS_READ, decision_get, NULL, 0, "", AT_ONCE},
    {"GET", "/v1/decisions/{id}/explanation", ACCESS_READ, decision_explanation, NULL, 0,
     "", LATER},
    {"POST", "/v1/decisions/{id}/settle", ACCESS_SETTLE, NULL, settle_prepare,
     SMALL_BODY_MAX, "", AT_ONCE},
    {"POST", "/v1/decisions/{id}/release", ACCESS_SETTLE, NULL, release_prepare,
     SMALL_BODY_MAX, "", AT_ONCE},
    {"POST", "/v1/decisions/{id}/override", ACCESS_OVERRIDE, NULL, override_prepare,
     SMALL_BODY_MAX, "", AT_ONCE},
    {"POST", "/v1/decisions/{id}/replay", ACCESS_READ, decision_replay_post, NULL,
     SMALL_BODY_MAX, "", LATER},
    {"POST", "/v1/outcomes", ACCESS_OUTCOME_WRITE, NULL, outcome_prepare,
     OUTCOMES_BYTES_MAX, "", AT_ONCE},
    {"GET", "/v1/customers/{id}/decisions", ACCESS_READ, customer_decisions, NULL, 0,
     FILTERED, AT_ONCE},
    {"GET", "/v1/budgets", ACCESS_READ, budget_list_get, NULL, 0, LISTED, AT_ONCE},
    {"POST", "/v1/budgets", ACCESS_BUDGET_WRITE, NULL, budget_create_prepare,
     SMALL_BODY_MAX, "", AT_ONCE},
    {"GET", "/v1/budgets/{id}", ACCESS_READ, budget_get, NULL, 0, "", AT_ONCE},
    {"PUT", "/v1/budgets/{id}", ACCESS_BUDGET_WRITE, NULL, budget_change_prepare,
     SMALL_BODY_MAX, "", AT_ONCE},
    {"DELETE", "/v1/budgets/{id}", ACCESS_BUDGET_WRITE, NULL, budget_delete_prepare, 0,
     "", AT_ONCE},
    {"POST", "/v1/budgets/{id}/adjustments", ACCESS_BUDGET_WRITE, NULL,
     budget_adjust_prepare, SMALL_BODY_MAX, "", AT_ONCE},
    {"GET", "/v1/budgets/{id}/entries", ACCESS_READ, budget_entries, NULL, 0, LISTED,
     AT_ONCE},
    {"GET", "/v1/budgets/{id}/pacing", ACCESS_READ, budget_pacing, NULL, 0, "", AT_ONCE},
    {"GET", "/v1/ledger-entries", ACCESS_READ, ledger_entries, NULL, 0, LISTED, AT_ONCE},
    {"GET", "/v1/policies", ACCESS_READ, policy_list_get, NULL, 0, LISTED, AT_ONCE},
    {"GET", "/v1/policies/{id}", ACCESS_READ, policy_get, NULL, 0, "revision", AT_ONCE},
    {"PUT", "/v1/policies/{id}", ACCESS_POLICY_WRITE, NULL, policy_put_prepare,
     POLICY_BYTES_MAX, "", AT_ONCE},
    {"GET", "/v1/policies/{id}/revisions", ACCESS_READ, policy_revisions_get, NULL, 0,
     LISTED, AT_ONCE},
    {"POST", "/v1/policies/{id}/rollback", ACCESS_POLICY_WRITE, NULL,
     policy_rollback_prepare, SMALL_BODY_MAX, "", AT_ONCE},
    {"GET", "/v1/models", ACCESS_READ, model_list_get, NULL, 0, LISTED, AT_ONCE},
    {"POST", "/v1/models/{name}/versions", ACCESS_MODEL_WRITE, NULL, model_push_prepare,
     MODEL_BODY_MAX, "", LATER},
    {"GET", "/v1/models/{name}/versions/{v}", ACCESS_READ, model_version_get, NULL, 0, "",
     AT_ONCE},
    {"DELETE", "/v1/models/{name}/versions/{v}", ACCESS_MODEL_WRITE, NULL,
     model_delete_prepare, 0, "", AT_ONCE},
    {"PUT", "/v1/models/{name}/aliases/{alias}", ACCESS_MODEL_PROMOTE, NULL,
     alias_put_prepare, SMALL_BODY_MAX, "", LATER},
    {"GET", "/v1/models/{name}/history", ACCESS_READ, model_history, NULL, 0,
     LISTED " at", AT_ONCE},
    {"GET", "/v1/audit-events", ACCESS_AUDIT_READ, audit_list_get, NULL, 0, LISTED,
     AT_ONCE},
    {"GET", "/v1/audit-events/verify", ACCESS_AUDIT_READ, audit_verify_get, NULL, 0, "",
     LATER_ALONE},
    {"GET", "/v1/exports/decisions", ACCESS_AUDIT_READ, export_decisions_get, NULL, 0,
     "format", LATER},
    {"GET", "/v1/exports/ledger", ACCESS_AUDIT_READ, export_ledger_get, NULL, 0, "format",
     LATER},
    {"GET", "/v1/exports/audit", ACCESS_AUDIT_READ, export_audit_get, NULL, 0, "format",
     LATER},
    {"GET", "/v1/api-keys", ACCESS_ADMIN, key_list_get, NULL, 0, LISTED, AT_ONCE},
    {"POST", "/v1/api-keys", ACCESS_ADMIN, NULL, key_create_prepare, SMALL_BODY_MAX, "",
     AT_ONCE},
    {"DELETE", "/v1/api-keys/{id}", ACCESS_ADMIN, NULL, key_revoke_prepare, 0, "",
     AT_ONCE},
    {"POST", "/v1/api-keys/{id}/rotate", ACCESS_ADMIN, NULL, key_rotate_prepare,
     SMALL_BODY_MAX, "", AT_ONCE},
    {"GET", "/healthz", ACCESS_PUBLIC, health_get, NULL, 0, "", AT_ONCE},
    {"GET", "/readyz", ACCESS_PUBLIC, health_get, NULL, 0, "", AT_ONCE},
    {"GET", "/openapi.json", ACCESS_PUBLIC, openapi_get, NULL, 0, "", AT_ONCE},
    {"GET", "/version", ACCESS_PUBLIC, health_get, NULL, 0, "", AT_ONCE},
};

/* --- finding ---------------------------------------------------------------------------------- */

/* One segment of a path, decoded once it is cut out, so that an escaped slash belongs to
 * the name. Empty ones do not match. */
static bool decode_segment(const char *from, size_t bytes, char param[PARAM_BYTES])
{
    char decoded[3 * PARAM_BYTES];

    return bytes < sizeof decoded && head_decode((struct text){from, bytes}, decoded) &&
           decoded[0] && text_copy(text_of(decoded), param, PARAM_BYTES);
}

/* Two names are told apart by a slash, as the subject of an action. */
static bool are_apart(char params[PARAM_COUNT_MAX][PARAM_BYTES], int count)
{
    for (int i = 0; i < count && count > 1; i++)
        if (strchr(params[i], '/'))
            return false;
    return true;
}

static bool path_matches(const char *pattern, const char *path,
                         char params[PARAM_COUNT_MAX][PARAM_BYTES])
{
    int count = 0;

    while (*pattern) {
        if (*pattern == '{') {
            size_t bytes = strcspn(path, "/");

            if (!decode_segment(path, bytes, params[count++]))
                return false;
            path += bytes;
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0' && are_apart(params, count);
}

bool route_takes_lines(const struct route *route)
{
    return route->prepare == outcome_prepare;
}

const struct route *route_at(int index)
{
    const int count = sizeof routes / sizeof routes[0];

    return index >= 0 && index < count ? &routes[index] : NULL;
}

const struct route *route_find(const char *method, const char *path,
                               char params[PARAM_COUNT_MAX][PARAM_BYTES],
                               char allowed[static ALLOW_BYTES])
{
    allowed[0] = '\0';
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_matches(routes[i].path, path, params))
            continue;
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
        if (allowed[0])
            strcat(allowed, ", ");
        strcat(allowed, routes[i].method);
    }
    return NULL;
}
