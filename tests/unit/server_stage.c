/* server_stage.c - see server_stage.h. */
#include "unit/server_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "decide/service.h"
#include "support/wire.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct service stage;

const char *service_trouble(const struct service *asked)
{
    return atomic_load(&asked->trouble);
}

const char *service_check(const struct service *asked)
{
    return atomic_load(&asked->trouble) ? "failed" : "passed";
}

const char *service_build(const struct service *asked)
{
    (void)asked;
    return "redress 1.2.3 (abcdef123456)";
}

const struct clock *service_clock(const struct service *asked)
{
    (void)asked;
    return &system_clock;
}

void exchange_init(struct exchange *exchange, struct service *of)
{
    exchange->service = of;
    arena_init(&exchange->arena, exchange->buffer, sizeof exchange->buffer,
               EXCHANGE_ARENA_BYTES_MAX);
}

void exchange_reset(struct exchange *exchange)
{
    reply_close(&exchange->reply);
    arena_reset(&exchange->arena);
}

void exchange_refuse(struct exchange *exchange, const struct err *err)
{
    static const struct {
        const char *code;
        int number;
    } numbers[] = {
        {"unauthorized", 401},           {"length_required", 411},
        {"payload_too_large", 413},      {"expectation_failed", 417},
        {"too_many_failed_logins", 429}, {"too_much_at_once", 429},
        {"out_of_memory", 503},          {"http_version_not_supported", 505},
    };
    int number = 400;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(numbers[i].code, err->code) == 0)
            number = numbers[i].number;
    exchange->reply = (struct reply){
        .status = number,
        .content_type = "application/problem+json",
        .body = text_of(arena_format(&exchange->arena, "%s: %s", err->code, err->text)),
    };
}

void exchange_log(const struct exchange *exchange)
{
    assert_true(exchange->reply.status >= 200);
    atomic_fetch_add(&exchange->service->logged_count, 1);
}

static bool path_is(const struct exchange *exchange, const char *path)
{
    return strcmp(exchange->path, path) == 0;
}

bool api_begin(struct exchange *exchange)
{
    struct err err = {0};

    atomic_fetch_add(&exchange->service->begun_count, 1);
    if (exchange->authorization)
        exchange->principal.number = atoi(exchange->authorization);
    if (path_is(exchange, "/secret"))
        (void)err_set(&err, STATUS_UNAUTHORIZED, "who are you");
    else if (exchange->content_length > BODY_MAX)
        (void)err_set(&err, STATUS_TOO_LARGE, "too much");
    if (!err.status)
        return true;
    exchange_refuse(exchange, &err);
    return false;
}

static const char *or_none(const char *text)
{
    return text ? text : "(none)";
}

static void show(struct exchange *exchange)
{
    const char *queries = "";

    for (int i = 0; i < exchange->query_count; i++)
        queries = arena_format(&exchange->arena, "%s[%s=%s]", queries,
                               exchange->queries[i].name, exchange->queries[i].value);
    exchange->reply.body = text_of(arena_format(
        &exchange->arena,
        "%s %s %s authorization=%s key=%s match=%s type=%s id=%s body=%zu",
        exchange->method, exchange->path, queries, or_none(exchange->authorization),
        or_none(exchange->idempotency_key), or_none(exchange->if_match),
        or_none(exchange->content_type), exchange->request_id, exchange->body.bytes));
}

static void *answer_later(void *context)
{
    struct exchange *exchange = context;
    int64_t wait_us = exchange->query_count > 0 ? atoi(exchange->queries[0].value) : 0;

    if (wait_us > 0)
        usleep((useconds_t)wait_us);
    exchange->reply.status = 201;
    exchange->reply.body = exchange->body;
    atomic_fetch_sub(&exchange->service->waiting_count, 1);
    exchange->done(exchange);
    return NULL;
}

static bool run_later(struct exchange *exchange)
{
    pthread_t thread;

    atomic_fetch_add(&exchange->service->waiting_count, 1);
    exchange->defer(exchange);
    assert_int_equal(pthread_create(&thread, NULL, answer_later, exchange), 0);
    pthread_detach(thread);
    return false;
}

/* A stream without end. */
static enum status stream_next(void *of, struct text *bytes, struct err *err)
{
    static const char piece[STREAM_PIECE_BYTES];

    (void)of;
    (void)err;
    *bytes = (struct text){piece, sizeof piece};
    return STATUS_OK;
}

static void stream_close(void *of)
{
    struct service *service = of;

    atomic_fetch_sub(&service->stream_count, 1);
}

static void stream(struct exchange *exchange)
{
    atomic_fetch_add(&exchange->service->stream_count, 1);
    exchange->reply.stream = (struct reply_stream){
        .next = stream_next, .close = stream_close, .of = exchange->service};
}

bool api_run(struct exchange *exchange)
{
    atomic_fetch_add(&exchange->service->run_count, 1);
    if (path_is(exchange, "/later"))
        return run_later(exchange);
    if (path_is(exchange, "/at-once")) {
        /* Deferred, and answered before the handler has returned. */
        exchange->defer(exchange);
        exchange->reply.status = 202;
        exchange->done(exchange);
        return false;
    }
    if (path_is(exchange, "/changed-mind")) {
        exchange->defer(exchange);
        exchange->reply.status = 203;
        return true;
    }
    exchange->reply.status = 200;
    if (path_is(exchange, "/show"))
        show(exchange);
    else if (path_is(exchange, "/stream"))
        stream(exchange);
    else if (path_is(exchange, "/headers"))
        exchange->reply = (struct reply){.status = 201,
                                         .body = text_of("{}"),
                                         .etag = "\"7\"",
                                         .location = "/v1/things/1",
                                         .allow = "GET",
                                         .retry_after_s = 3,
                                         .is_replayed = true};
    else
        exchange->reply.body = exchange->body;
    return true;
}

/* --- a server and a client -------------------------------------------------------------------- */

struct server_settings stage_settings(int thread_count, const char *health_listen)
{
    return (struct server_settings){
        .listen = "127.0.0.1:0",
        .health_listen = health_listen,
        .thread_count = thread_count,
        .connection_count_max = STAGE_CONNECTION_COUNT_MAX,
        .idle_timeout_s = IDLE_S,
        .deadline_s = DEADLINE_S,
    };
}

struct server_settings stage_settings_short(int thread_count, const char *health_listen)
{
    struct server_settings settings = stage_settings(thread_count, health_listen);

    settings.idle_timeout_s = SHORT_IDLE_S;
    settings.deadline_s = SHORT_DEADLINE_S;
    return settings;
}

enum status stage_try(const char *listen, const char *health_listen, struct err *err)
{
    struct server_settings settings = stage_settings(1, health_listen);

    settings.listen = listen;
    return server_addresses_try(&settings, err);
}

struct server *stage_start_with(const struct server_settings *settings)
{
    struct server *server = NULL;
    struct err err = {0};

    memset(&stage, 0, sizeof stage);
    if (server_start(settings, &stage, &server, &err))
        fail_msg("%s", err.text);
    return server;
}

struct server *stage_start(int thread_count, const char *health_listen)
{
    const struct server_settings settings = stage_settings(thread_count, health_listen);

    return stage_start_with(&settings);
}

struct http_client *stage_connect(const char *address)
{
    struct http_client *client = http_client_open(address);

    assert_non_null(client);
    return client;
}

void stage_call(struct http_client *client, const char *method, const char *path,
                const struct http_header *headers, const char *body, size_t body_bytes,
                struct http_response *response)
{
    if (!http_call(client, method, path, headers, body, body_bytes, response))
        fail_msg("%s %s: %s", method, path, http_client_trouble(client));
}

int stage_get(struct http_client *client, const char *path, char *body, size_t body_size)
{
    struct http_response response;

    stage_call(client, "GET", path, NULL, NULL, 0, &response);
    if (body)
        snprintf(body, body_size, "%s", response.body);
    int status = response.status;
    http_response_free(&response);
    return status;
}

int stage_try_get(struct http_client *client, const char *path)
{
    struct http_response response;
    int status = 0;

    if (http_call(client, "GET", path, NULL, NULL, 0, &response))
        status = response.status;
    else
        usleep(100000);
    http_response_free(&response);
    return status;
}

double stage_seconds_since(int64_t start_us)
{
    return (double)(clock_monotonic_us(&system_clock) - start_us) / SECOND_US;
}

int stage_await_cut(struct wire *wire, int64_t start_us)
{
    char answers[16384];
    size_t bytes;
    int count = 0;
    enum wire_end end = wire_receive(wire, answers, sizeof answers, &bytes);

    /* Over TLS, a reset: without a last word. */
    assert_true(end == WIRE_CLOSED || end == WIRE_RESET);
    print_message("cut off after %.2f s\n", stage_seconds_since(start_us));
    assert_true(stage_seconds_since(start_us) >= SHORT_DEADLINE_S);
    for (const char *at = answers; (at = strstr(at, "HTTP/1.1 20")); at++)
        count++;
    wire_close(wire, false);
    return count;
}
