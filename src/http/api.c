/* api.c - from an exchange to its reply: route, access, body, handler. */
#include "http/api.h"

#include "base/clock.h"
#include "base/log.h"
#include "decide/keyring.h"
#include "http/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- life ------------------------------------------------------------------------------------- */

void exchange_init(struct exchange *exchange, struct service *service)
{
    exchange->service = service;
    arena_init(&exchange->arena, exchange->buffer, sizeof exchange->buffer,
               EXCHANGE_ARENA_BYTES_MAX);
}

void exchange_reset(struct exchange *exchange)
{
    struct service *service = exchange->service;

    reply_close(&exchange->reply);
    arena_reset(&exchange->arena);
    memset(exchange, 0, offsetof(struct exchange, buffer));
    exchange_init(exchange, service);
}

/* --- before the body -------------------------------------------------------------------------- */

static enum status authenticate(struct exchange *exchange, int64_t now_us,
                                struct err *err)
{
    unsigned enough = 1u << ACCESS_ADMIN;
    enum status rc;

    if (exchange->is_local) {
        exchange->principal =
            (struct principal){.id = KEY_ID_OWN, .scopes = (unsigned)SCOPE_SET_ALL};
        return STATUS_OK;
    }
    if (exchange->route->access == ACCESS_PUBLIC)
        return STATUS_OK;
    rc = keyring_check(service_keyring(exchange->service), exchange->authorization,
                       now_us, exchange->principal.id, &exchange->principal.scopes,
                       &exchange->principal.number, err);
    if (!rc)
        rc = keyring_admit(service_keyring(exchange->service), exchange->principal.id,
                           exchange->started_us, err);
    if (rc)
        return rc;
    enough |= 1u << exchange->route->access;
    if (exchange->principal.scopes & enough)
        return STATUS_OK;
    return err_code(err, STATUS_FORBIDDEN, "insufficient_scope",
                    "this key may not do that: it needs the scope %s",
                    access_name((enum access)exchange->route->access));
}

/* Nothing is unpacked here: bytes that were packed would be taken for broken JSON. */
static enum status judge_coding(const struct exchange *exchange, struct err *err)
{
    const char *coding = exchange->content_encoding;

    if (!coding || strcasecmp(coding, "identity") == 0)
        return STATUS_OK;
    return err_code(err, STATUS_MALFORMED, "unsupported_media_type",
                    "send the body as it is: no Content-Encoding is taken but identity");
}

/* A body of which nothing is said is taken for JSON. */
static enum status judge_type(const struct exchange *exchange, struct err *err)
{
    const char *type = exchange->content_type;
    bool takes_lines = route_takes_lines(exchange->route);

    if (!type || head_is_type(type, "application/json") ||
        (takes_lines && head_is_type(type, "application/x-ndjson")))
        return STATUS_OK;
    return err_code(err, STATUS_MALFORMED, "unsupported_media_type",
                    "send the body as application/json%s, in UTF-8",
                    takes_lines ? " or application/x-ndjson" : "");
}

static enum status judge_body(const struct exchange *exchange, struct err *err)
{
    size_t body_max = exchange->route->body_max;
    enum status rc;

    if (exchange->content_length == 0)
        return STATUS_OK;
    if ((uint64_t)exchange->content_length > body_max)
        return err_code(err, STATUS_TOO_LARGE, "payload_too_large",
                        "the body has %lld bytes, at most %zu are taken here",
                        (long long)exchange->content_length, body_max);
    rc = judge_coding(exchange, err);
    return rc ? rc : judge_type(exchange, err);
}

/* Whether name is one of the words. */
static bool is_word_of(const char *name, const char *words)
{
    size_t bytes = strlen(name);

    while (*words) {
        size_t word = strcspn(words, " ");

        if (word == bytes && memcmp(words, name, bytes) == 0)
            return true;
        words += word;
        words += *words == ' ';
    }
    return false;
}

static enum status judge_queries(const struct exchange *exchange, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < exchange->query_count; i++) {
        const char *name = exchange->queries[i].name;

        if (!is_word_of(name, exchange->route->queries))
            rc = err_fault(err, "", "unknown_parameter",
                           "there is no query parameter '%.64s'", name);
        else if (exchange->queries[i].value[0] == '\0')
            rc = err_fault(err, "", "invalid_parameter",
                           "'%.64s' is empty: leave it away, or give it a value", name);
        for (int j = 0; j < i; j++)
            if (strcmp(name, exchange->queries[j].name) == 0)
                rc = err_fault(err, "", "duplicate_parameter", "'%.64s' is given twice",
                               name);
    }
    return rc;
}

static enum status judge(struct exchange *exchange, int64_t now_us,
                         char allow[static ALLOW_BYTES], struct err *err)
{
    enum status rc;

    exchange->route =
        route_find(exchange->method, exchange->path, exchange->params, allow);
    if (!exchange->route && allow[0])
        return err_code(err, STATUS_MALFORMED, "method_not_allowed",
                        "%s is not possible here, only %s", exchange->method, allow);
    if (!exchange->route)
        return err_code(err, STATUS_NOT_FOUND, "route_not_found",
                        "there is nothing at this path");
    rc = authenticate(exchange, now_us, err);
    if (!rc)
        rc = judge_body(exchange, err);
    if (!rc)
        rc = judge_queries(exchange, err);
    return rc;
}

bool api_begin(struct exchange *exchange)
{
    int64_t now_us = clock_wall_us(service_clock(exchange->service));
    char allow[ALLOW_BYTES] = "";
    struct err err;

    err_clear(&err);
    exchange->started_us = clock_monotonic_us(service_clock(exchange->service));
    if (!exchange->request_id[0])
        id_make("req_", now_us, exchange->request_id);
    if (judge(exchange, now_us, allow, &err) == STATUS_OK)
        return true;
    exchange_refuse(exchange, &err);
    if (!exchange->route)
        memcpy(exchange->reply.allow, allow, sizeof exchange->reply.allow);
    return false;
}

/* --- the answer ------------------------------------------------------------------------------- */

struct action *exchange_action(struct exchange *exchange)
{
    const char *path = exchange->route->path, *first = exchange->params[0];
    const char *name = strchr(path, '{');
    bool has_two = name && strchr(name + 1, '{');
    struct action *action = action_new(&exchange->arena);
    const char *route = arena_join(&exchange->arena, exchange->route->method, " ", path);
    const char *both =
        has_two ? arena_join(&exchange->arena, first, "/", exchange->params[1]) : first;

    if (!action || !route || !both)
        return NULL;
    action->service = exchange->service;
    action->actor = exchange->principal.id;
    action->request_id = exchange->request_id;
    action->route = route;
    action->subject = name ? both : NULL;
    action->idempotency_key = exchange->idempotency_key;
    action->if_match = exchange->if_match;
    action->body = exchange->body;
    action->owner = exchange;
    return action;
}

/* Once: a request that took long may have to wait for the commit thread too. */
static void defer(struct exchange *exchange)
{
    if (!exchange->is_deferred)
        exchange->defer(exchange);
    exchange->is_deferred = true;
}

/* When it is too late to begin with it; 0: never. */
static int64_t late_at(const struct exchange *exchange)
{
    int64_t wait_us = exchange->queue_wait_us;

    return wait_us > 0 ? clock_monotonic_us(service_clock(exchange->service)) + wait_us
                       : 0;
}

/* The commit thread is through with it. */
static void action_over(struct action *action)
{
    struct exchange *exchange = action->owner;

    if (action->job.status) {
        struct err err =
            action->job.err; /* it lies in the arena, which a refusal empties */

        exchange_refuse(exchange, &err);
    } else {
        exchange->reply.status = action->http_status;
        exchange->reply.body = action->answer;
        exchange->reply.location = action->location;
        exchange->reply.is_replayed = action->is_replayed;
        if (action->revision > 0)
            snprintf(exchange->reply.etag, sizeof exchange->reply.etag, "\"%lld\"",
                     (long long)action->revision);
    }
    exchange->done(exchange);
}

enum status exchange_submit(struct exchange *exchange, struct action *action,
                            struct err *err)
{
    enum status rc;

    action->done = action_over;
    action->job.late_at_us = late_at(exchange);
    defer(exchange);
    rc = action_submit(action, err);
    if (rc) {
        /* Already deferred: answer by the same way. */
        exchange_refuse(exchange, err);
        exchange->done(exchange);
    }
    return STATUS_PENDING;
}

/* The usual way of an action: made, prepared, handed over. */
static enum status perform(struct exchange *exchange, struct err *err)
{
    struct action *action = exchange_action(exchange);
    enum status rc;

    if (!action)
        return arena_exhausted(err);
    rc = exchange->route->prepare(action, err);
    if (rc) {
        action_drop(action);
        return rc;
    }
    return exchange_submit(exchange, action, err);
}

/* --- now, or on the thread for what takes long ------------------------------------------------ */

static enum status handle(struct exchange *exchange, struct err *err)
{
    const struct route *route = exchange->route;

    return route->handle ? route->handle(exchange, err) : perform(exchange, err);
}

struct exchange_chore {
    struct chore chore;
    struct exchange *exchange;
    struct claim alone; /* by the path, which no scope key is */
    int64_t late_at_us;
};

static bool is_crowded(struct exchange_chore *work)
{
    const struct route *route = work->exchange->route;

    work->alone.key = text_of(route->path);
    return route->pace == LATER_ALONE &&
           !service_claim(work->exchange->service, &work->alone);
}

static void leave(struct exchange_chore *work)
{
    if (work->exchange->route->pace == LATER_ALONE)
        service_unclaim(work->exchange->service, &work->alone);
}

static void run_chore(struct chore *chore)
{
    struct exchange_chore *work = (struct exchange_chore *)chore;
    struct exchange *exchange = work->exchange;
    int64_t now_us = clock_monotonic_us(service_clock(exchange->service));
    struct err err;
    enum status rc;

    err_clear(&err);
    if (work->late_at_us > 0 && now_us > work->late_at_us)
        rc = err_waited_too_long(&err);
    else
        rc = handle(exchange, &err);
    if (rc == STATUS_PENDING)
        return;
    leave(work);
    if (rc)
        exchange_refuse(exchange, &err); /* empties the arena, and with it the chore */
    exchange->done(exchange);
}

static enum status handle_later(struct exchange *exchange, struct err *err)
{
    struct exchange_chore *work = arena_new(&exchange->arena, struct exchange_chore);

    if (!work)
        return arena_exhausted(err);
    work->chore.run = run_chore;
    work->exchange = exchange;
    work->late_at_us = late_at(exchange);
    if (is_crowded(work))
        return err_code(err, STATUS_UNAVAILABLE, "overloaded",
                        "another such request is under way: try again when it is over");
    defer(exchange);
    if (service_chore(exchange->service, &work->chore, err)) {
        leave(work);
        exchange_refuse(exchange, err);
        exchange->done(exchange);
    }
    return STATUS_PENDING;
}

bool api_run(struct exchange *exchange)
{
    struct err err;
    enum status rc;

    err_clear(&err);
    rc = exchange->route->pace == AT_ONCE ? handle(exchange, &err)
                                          : handle_later(exchange, &err);
    if (rc == STATUS_PENDING)
        return false;
    if (rc)
        exchange_refuse(exchange, &err);
    return true;
}

enum status exchange_show(struct exchange *exchange, struct text json)
{
    exchange->reply.status = 200;
    exchange->reply.body = json;
    return STATUS_OK;
}

/* Trouble of ours and attempts without the right key stand out; the rest is for those who
 * look. */
static enum log_level level_of(int status)
{
    return status >= 500 || status == 401 || status == 403 ? LOG_WARN : LOG_DEBUG;
}

void exchange_log(const struct exchange *exchange)
{
    enum log_level level = level_of(exchange->reply.status);
    int64_t now_us;

    if (!log_wants(level))
        return;
    now_us = clock_monotonic_us(service_clock(exchange->service));
    log_event(level, "request", LOG_TEXT("method", exchange->method),
              LOG_TEXT("route", exchange->route ? exchange->route->path : "(none)"),
              LOG_INT("status", exchange->reply.status),
              LOG_INT("duration_us", now_us - exchange->started_us),
              LOG_TEXT("key", exchange->principal.id),
              LOG_TEXT("request_id", exchange->request_id),
              LOG_TEXT("trace_id", exchange->trace_id));
}
