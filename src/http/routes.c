/* routes.c - every path there is, one line each, and the handlers behind them. */
#include "http/api.h"

#include "base/clock.h"
#include "decide/admin.h"
#include "decide/cases.h"
#include "decide/keyring.h"
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
                             bool is_descending, struct err *err)
{
    struct text page;

    if (!rc)
        rc = page_cut(exchange, whole, is_descending, &page, err);
    return show(exchange, rc, page, 0);
}

/* --- decisions -------------------------------------------------------------------------------- */

static enum status decision_create(struct exchange *exchange, struct err *err)
{
    struct action *action = exchange_action(exchange, NULL);
    bool is_dry_run;
    enum status rc;

    if (!action)
        return err_set(err, STATUS_EXHAUSTED, "request arena is full");
    rc = query_bool(exchange, "dry_run", &is_dry_run, err);
    if (!rc)
        rc = case_prepare(action, is_dry_run, err);
    if (rc) {
        action_drop(action);
        return rc;
    }
    return exchange_submit(exchange, action, err);
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
    struct text json;
    enum status rc = read_filter(exchange, &filter, err);

    if (!rc)
        rc = decision_list_show(exchange->service, &filter, &exchange->arena, &json, err);
    return show(exchange, rc, json, 0);
}

static enum status customer_decisions(struct exchange *exchange, struct err *err)
{
    struct decision_filter filter = {0};
    struct text json;
    enum status rc = read_filter(exchange, &filter, err);

    filter.customer_id = text_of(exchange->params[0]);
    if (!rc)
        rc = customer_decisions_show(exchange->service, &filter, &exchange->arena, &json,
                                     err);
    return show(exchange, rc, json, 0);
}

static enum status decision_get(struct exchange *exchange, struct err *err)
{
    struct text json;
    enum status rc = decision_show(exchange->service, exchange->params[0],
                                   &exchange->arena, &json, err);

    return show(exchange, rc, json, 0);
}

static enum status decision_explanation(struct exchange *exchange, struct err *err)
{
    struct text json;
    enum status rc = decision_explain(exchange->service, exchange->params[0],
                                      &exchange->arena, &json, err);

    return show(exchange, rc, json, 0);
}

static enum status decision_replay_post(struct exchange *exchange, struct err *err)
{
    struct text json;
    bool is_match;
    enum status rc = decision_replay(exchange->service, exchange->params[0],
                                     &exchange->arena, &json, &is_match, err);

    return show(exchange, rc, json, 0);
}

static enum status decision_settle(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], settle_prepare, err);
}

static enum status decision_release(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], release_prepare, err);
}

static enum status decision_override(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], override_prepare, err);
}

/* --- budgets ---------------------------------------------------------------------------------- */

static enum status budget_list_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = budget_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, false, err);
}

static enum status budget_get(struct exchange *exchange, struct err *err)
{
    struct text json;
    int64_t revision;
    enum status rc = budget_show(exchange->service, exchange->params[0], &exchange->arena,
                                 &json, &revision, err);

    return show(exchange, rc, json, revision);
}

static enum status budget_post(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, NULL, budget_create_prepare, err);
}

static enum status budget_put(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], budget_change_prepare, err);
}

static enum status budget_delete(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], budget_delete_prepare, err);
}

static enum status budget_adjust(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], budget_adjust_prepare, err);
}

static enum status show_entries(struct exchange *exchange, const char *id,
                                struct err *err)
{
    struct text json;
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
    struct text json = {0};
    enum status rc = policy_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, false, err);
}

static enum status policy_get(struct exchange *exchange, struct err *err)
{
    struct text json;
    int64_t revision, found;
    enum status rc = query_int(exchange, "revision", 1, INT64_MAX, 0, &revision, err);

    if (!rc)
        rc = policy_show(exchange->service, exchange->params[0], revision,
                         &exchange->arena, &json, &found, err);
    return show(exchange, rc, json, rc ? 0 : found);
}

static enum status policy_put(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], policy_put_prepare, err);
}

static enum status policy_revisions_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = policy_revisions_show(exchange->service, exchange->params[0],
                                           &exchange->arena, &json, err);

    return show_page(exchange, rc, json, true, err);
}

static enum status policy_rollback(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], policy_rollback_prepare, err);
}

/* --- models ----------------------------------------------------------------------------------- */

static enum status model_list_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = model_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, false, err);
}

static enum status model_push(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], model_push_prepare, err);
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
    struct text json;
    int64_t version = 0;
    enum status rc = read_version(exchange, &version, err);

    if (!rc)
        rc = model_version_show(exchange->service, exchange->params[0], version,
                                &exchange->arena, &json, err);
    return show(exchange, rc, json, 0);
}

/* "NAME/REST": what the use cases of versions and aliases are about. */
static char *two_params(struct exchange *exchange)
{
    return arena_format(&exchange->arena, "%s/%s", exchange->params[0],
                        exchange->params[1]);
}

static enum status model_version_delete(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, two_params(exchange), model_delete_prepare, err);
}

static enum status model_alias_put(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, two_params(exchange), alias_put_prepare, err);
}

static enum status model_history(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    int64_t at_us;
    enum status rc = query_time(exchange, "at", &at_us, err);

    if (!rc)
        rc = model_history_show(exchange->service, exchange->params[0], at_us,
                                &exchange->arena, &json, err);
    return show_page(exchange, rc, json, true, err);
}

/* --- keys and audit --------------------------------------------------------------------------- */

static enum status key_list_get(struct exchange *exchange, struct err *err)
{
    struct text json = {0};
    enum status rc = key_list_show(exchange->service, &exchange->arena, &json, err);

    return show_page(exchange, rc, json, false, err);
}

static enum status key_post(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, NULL, key_create_prepare, err);
}

static enum status key_delete(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], key_revoke_prepare, err);
}

static enum status key_rotate(struct exchange *exchange, struct err *err)
{
    return exchange_perform(exchange, exchange->params[0], key_rotate_prepare, err);
}

static enum status audit_list_get(struct exchange *exchange, struct err *err)
{
    struct text json;
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

/* --- health: also on a listener of its own ---------------------------------------------------- */

static enum status health_get(struct exchange *exchange, struct err *err)
{
    char *buffer = arena_alloc(&exchange->arena, 1, HEALTH_BYTES);

    if (!buffer)
        return err_set(err, STATUS_EXHAUSTED, "request arena is full");
    health_answer(exchange->path, service_trouble(exchange->service), buffer,
                  &exchange->reply.status, &exchange->reply.body);
    return STATUS_OK;
}

/* --- the table -------------------------------------------------------------------------------- */

#define LISTED   "limit after order"
#define FILTERED LISTED " order_id outcome created_after created_before"

static const struct route routes[] = {
    {"POST", "/v1/decisions", ACCESS_DECIDE, decision_create, CASE_BYTES_MAX, "dry_run"},
    {"GET", "/v1/decisions", ACCESS_READ, decision_list_get, 0, FILTERED " customer_id"},
    {"GET", "/v1/decisions/{id}", ACCESS_READ, decision_get, 0, ""},
    {"GET", "/v1/decisions/{id}/explanation", ACCESS_READ, decision_explanation, 0, ""},
    {"POST", "/v1/decisions/{id}/settle", ACCESS_SETTLE, decision_settle, SMALL_BODY_MAX,
     ""},
    {"POST", "/v1/decisions/{id}/release", ACCESS_SETTLE, decision_release,
     SMALL_BODY_MAX, ""},
    {"POST", "/v1/decisions/{id}/override", ACCESS_OVERRIDE, decision_override,
     SMALL_BODY_MAX, ""},
    {"POST", "/v1/decisions/{id}/replay", ACCESS_READ, decision_replay_post,
     SMALL_BODY_MAX, ""},
    {"GET", "/v1/customers/{id}/decisions", ACCESS_READ, customer_decisions, 0, FILTERED},
    {"GET", "/v1/budgets", ACCESS_READ, budget_list_get, 0, LISTED},
    {"POST", "/v1/budgets", ACCESS_BUDGET_WRITE, budget_post, SMALL_BODY_MAX, ""},
    {"GET", "/v1/budgets/{id}", ACCESS_READ, budget_get, 0, ""},
    {"PUT", "/v1/budgets/{id}", ACCESS_BUDGET_WRITE, budget_put, SMALL_BODY_MAX, ""},
    {"DELETE", "/v1/budgets/{id}", ACCESS_BUDGET_WRITE, budget_delete, 0, ""},
    {"POST", "/v1/budgets/{id}/adjustments", ACCESS_BUDGET_WRITE, budget_adjust,
     SMALL_BODY_MAX, ""},
    {"GET", "/v1/budgets/{id}/entries", ACCESS_READ, budget_entries, 0, LISTED},
    {"GET", "/v1/ledger-entries", ACCESS_READ, ledger_entries, 0, LISTED},
    {"GET", "/v1/policies", ACCESS_READ, policy_list_get, 0, LISTED},
    {"GET", "/v1/policies/{id}", ACCESS_READ, policy_get, 0, "revision"},
    {"PUT", "/v1/policies/{id}", ACCESS_POLICY_WRITE, policy_put, POLICY_BYTES_MAX, ""},
    {"GET", "/v1/policies/{id}/revisions", ACCESS_READ, policy_revisions_get, 0, LISTED},
    {"POST", "/v1/policies/{id}/rollback", ACCESS_POLICY_WRITE, policy_rollback,
     SMALL_BODY_MAX, ""},
    {"GET", "/v1/models", ACCESS_READ, model_list_get, 0, LISTED},
    {"POST", "/v1/models/{name}/versions", ACCESS_MODEL_WRITE, model_push, MODEL_BODY_MAX,
     ""},
    {"GET", "/v1/models/{name}/versions/{v}", ACCESS_READ, model_version_get, 0, ""},
    {"DELETE", "/v1/models/{name}/versions/{v}", ACCESS_MODEL_WRITE, model_version_delete,
     0, ""},
    {"PUT", "/v1/models/{name}/aliases/{alias}", ACCESS_MODEL_PROMOTE, model_alias_put,
     SMALL_BODY_MAX, ""},
    {"GET", "/v1/models/{name}/history", ACCESS_READ, model_history, 0, LISTED " at"},
    {"GET", "/v1/audit-events", ACCESS_AUDIT_READ, audit_list_get, 0, LISTED},
    {"GET", "/v1/api-keys", ACCESS_ADMIN, key_list_get, 0, LISTED},
    {"POST", "/v1/api-keys", ACCESS_ADMIN, key_post, SMALL_BODY_MAX, ""},
    {"DELETE", "/v1/api-keys/{id}", ACCESS_ADMIN, key_delete, 0, ""},
    {"POST", "/v1/api-keys/{id}/rotate", ACCESS_ADMIN, key_rotate, SMALL_BODY_MAX, ""},
    {"GET", "/healthz", ACCESS_PUBLIC, health_get, 0, ""},
    {"GET", "/readyz", ACCESS_PUBLIC, health_get, 0, ""},
    {"GET", "/openapi.json", ACCESS_PUBLIC, openapi_get, 0, ""},
    {"GET", "/version", ACCESS_PUBLIC, health_get, 0, ""},
};

/* --- finding ---------------------------------------------------------------------------------- */

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* One segment of a path, percent-decoded; empty ones and control characters do not match. */
static bool decode_segment(const char *from, size_t bytes, char param[PARAM_BYTES])
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i++) {
        int byte = (unsigned char)from[i];

        if (byte == '%') {
            if (i + 2 >= bytes || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0)
                return false;
            byte = hex(from[i + 1]) * 16 + hex(from[i + 2]);
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f || byte == '/' || count == PARAM_BYTES - 1)
            return false;
        param[count++] = (char)byte;
    }
    param[count] = '\0';
    return count > 0;
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
    return *path == '\0';
}

const struct route *route_at(int index)
{
    const int count = sizeof routes / sizeof routes[0];

    return index >= 0 && index < count ? &routes[index] : NULL;
}

const struct route *route_find(const char *method, const char *path,
                               char params[PARAM_COUNT_MAX][PARAM_BYTES],
                               char allowed[64])
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
