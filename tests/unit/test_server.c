/* test_server.c - http/server.h over real sockets, with a tiny API in place of the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "decide/service.h"
#include "http/listen.h"
#include "http/server.h"
#include "support/http_client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BODY_MAX = 64 << 10, DEADLINE_S = 1, IDLE_S = 2 };

/* --- the API: one path for each thing a carrier must do --------------------------------------- */

struct service {
    _Atomic(const char *) trouble;
    atomic_int begun_count, run_count, logged_count, waiting_count;
};

static struct service service;

const char *service_trouble(const struct service *asked)
{
    return atomic_load(&asked->trouble);
}

const char *service_build(const struct service *asked)
{
    (void)asked;
    return "redress 1.2.3 (abcdef123456)";
}

void exchange_init(struct exchange *exchange, struct service *of)
{
    exchange->service = of;
    arena_init(&exchange->arena, exchange->buffer, sizeof exchange->buffer,
               EXCHANGE_ARENA_BYTES_MAX);
}

void exchange_reset(struct exchange *exchange)
{
    arena_reset(&exchange->arena);
}

void exchange_refuse(struct exchange *exchange, const struct err *err)
{
    static const struct {
        const char *code;
        int number;
    } numbers[] = {
        {"unauthorized", 401},
        {"length_required", 411},
        {"payload_too_large", 413},
        {"expectation_failed", 417},
        {"http_version_not_supported", 505},
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

size_t exchange_body_max(const struct exchange *exchange)
{
    (void)exchange;
    return BODY_MAX;
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
    if (path_is(exchange, "/secret"))
        (void)err_set(&err, STATUS_UNAUTHORIZED, "who are you");
    else if (exchange->content_length > BODY_MAX && !path_is(exchange, "/careless"))
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

static struct server *start(int thread_count, const char *health_listen)
{
    const struct server_settings settings = {
        .listen = "127.0.0.1:0",
        .health_listen = health_listen,
        .thread_count = thread_count,
        .connection_count_max = 200,
        .idle_timeout_s = IDLE_S,
        .deadline_s = DEADLINE_S,
    };
    struct server *server = NULL;
    struct err err = {0};

    memset(&service, 0, sizeof service);
    if (server_start(&settings, &service, &server, &err))
        fail_msg("%s", err.text);
    return server;
}

static struct http_client *connect_to(const char *address)
{
    struct http_client *client = http_client_open(address);

    assert_non_null(client);
    return client;
}

static void call(struct http_client *client, const char *method, const char *path,
                 const struct http_header *headers, const char *body, size_t body_bytes,
                 struct http_response *response)
{
    if (!http_call(client, method, path, headers, body, body_bytes, response))
        fail_msg("%s %s: %s", method, path, http_client_trouble(client));
}

static int get(struct http_client *client, const char *path, char *body, size_t body_size)
{
    struct http_response response;

    call(client, "GET", path, NULL, NULL, 0, &response);
    if (body)
        snprintf(body, body_size, "%s", response.body);
    int status = response.status;
    http_response_free(&response);
    return status;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_head_with_two_meanings_hides_no_request(void **state)
{
#define HIDDEN "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST   "POST /echo HTTP/1.1\r\nHost: a\r\n"
    static const struct {
        const char *name, *bytes;
        int status; /* 0: any error, or none at all */
    } rows[] = {
        {"length and coding",
         POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN,
         411},
        {"odd case",
         POST "Content-Length: 5\r\ntRANSFER-eNCODING: cHUNKED\r\n\r\n0\r\n\r\n" HIDDEN,
         411},
        {"chunked alone", POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN, 411},
        {"chunked twice",
         POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
              "0\r\n\r\n" HIDDEN,
         411},
        {"unknown coding", POST "Transfer-Encoding: xchunked\r\n\r\n" HIDDEN, 0},
        {"a line feed in a chunk extension",
         POST "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n4a\r\n0\r\n\r\n" HIDDEN, 411},
        {"two lengths", POST "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" HIDDEN, 0},
        {"two equal lengths",
         POST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" HIDDEN, 0},
        {"a list of lengths", POST "Content-Length: 0, 5\r\n\r\n" HIDDEN, 0},
        {"a signed length", POST "Content-Length: +0\r\n\r\n" HIDDEN, 0},
        {"a hexadecimal length", POST "Content-Length: 0x0\r\n\r\n" HIDDEN, 0},
        {"a negative length", POST "Content-Length: -1\r\n\r\n" HIDDEN, 0},
        {"a huge length",
         POST "Content-Length: 99999999999999999999999999\r\n\r\n" HIDDEN, 0},
        {"space before the colon",
         POST "Content-Length : 37\r\nContent-Length: 0\r\n\r\n" HIDDEN, 400},
        {"tab before the colon", POST "Content-Length\t: 37\r\n\r\n" HIDDEN, 0},
        {"two hosts", "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" HIDDEN, 400},
        {"no host", "GET /echo HTTP/1.1\r\n\r\n" HIDDEN, 400},
        {"two authorizations",
         "GET /echo HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nAuthorization: "
         "c\r\n\r\n" HIDDEN,
         400},
        {"two keys",
         POST
         "Idempotency-Key: a\r\nidempotency-key: b\r\nContent-Length: 0\r\n\r\n" HIDDEN,
         400},
        {"two types",
         POST "Content-Type: a\r\nContent-Type: b\r\nContent-Length: 0\r\n\r\n" HIDDEN,
         400},
        {"two matches",
         POST "If-Match: a\r\nIf-Match: b\r\nContent-Length: 0\r\n\r\n" HIDDEN, 400},
        {"a control byte in a value", "GET /echo HTTP/1.1\r\nHost: a\001\r\n\r\n" HIDDEN,
         400},
        {"a strange expectation",
         POST "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n" HIDDEN, 417},
        {"another version", "GET /echo HTTP/1.2\r\nHost: a\r\n\r\n" HIDDEN, 0},
        {"a broken query", "GET /echo?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN, 400},
        {"a NUL in a query", "GET /echo?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN, 400},
    };
#undef HIDDEN
#undef POST
    struct server *server = start(2, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_client *client = connect_to(server_address(server));
        struct http_response response = {0};

        atomic_store(&service.begun_count, 0);
        assert_true(http_send(client, rows[i].bytes, strlen(rows[i].bytes)));
        if (http_receive(client, true, &response)) {
            if (rows[i].status ? response.status != rows[i].status
                               : response.status < 400)
                fail_msg("%s: answered %d", rows[i].name, response.status);
            if (!response.is_last)
                fail_msg("%s: the connection stays open", rows[i].name);
            http_response_free(&response);
        } else if (rows[i].status) {
            fail_msg("%s: %s", rows[i].name, http_client_trouble(client));
        }
        if (!http_is_closed(client, 2000))
            fail_msg("%s: more came, or it stayed open", rows[i].name);
        if (atomic_load(&service.begun_count) != 0)
            fail_msg("%s: a request was believed", rows[i].name);
        http_client_close(client);
    }
    server_stop(server, 1000);
}

static void two_honest_requests_in_one_packet_are_both_answered(void **state)
{
    static const char both[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
        "GET /show HTTP/1.1\r\nHost: a\r\n\r\n";
    struct server *server = start(2, NULL);
    struct http_client *client = connect_to(server_address(server));
    struct http_response response;

    (void)state;
    assert_true(http_send(client, both, sizeof both - 1));
    assert_true(http_receive(client, true, &response));
    assert_string_equal(response.body, "one");
    http_response_free(&response);
    assert_true(http_receive(client, true, &response));
    assert_int_equal(strncmp(response.body, "GET /show", 9), 0);
    http_response_free(&response);
    http_client_close(client);
    server_stop(server, 1000);
}

static void what_the_head_says_arrives(void **state)
{
    static const struct http_header headers[] = {
        {"Authorization", "Bearer a.b"}, {"Idempotency-Key", "k"}, {"If-Match", "\"3\""},
        {"Content-Type", "text/x"},      {"X-Request-Id", "r-1"},  {NULL, NULL},
    };
    static const struct {
        const char *method, *path, *start;
    } rows[] = {
        {"PUT", "/show",
         "PUT /show  authorization=Bearer a.b key=k match=\"3\" type=text/x "
         "id=r-1 body=2"},
        {"POST", "/show?a=1&b=%C3%A9+x%2B&c", "POST /show [a=1][b=\303\251 x+][c=] "},
    };
    struct server *server = start(1, NULL);
    struct http_client *client = connect_to(server_address(server));
    struct http_response response;
    char body[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        call(client, rows[i].method, rows[i].path, headers, "{}", 2, &response);
        response.body[strlen(rows[i].start)] = 0;
        assert_string_equal(response.body, rows[i].start);
        http_response_free(&response);
    }
    /* Nothing of it is left for the next request on the connection. */
    assert_int_equal(get(client, "/show", body, sizeof body), 200);
    assert_string_equal(body, "GET /show  authorization=(none) key=(none) match=(none) "
                              "type=(none) id= body=0");
    http_client_close(client);
    server_stop(server, 1000);
}

static void paths_stay_as_they_were_sent(void **state)
{
    struct server *server = start(1, NULL);
    struct http_client *client = connect_to(server_address(server));
    char body[512];

    (void)state;
    /* Not the path of the fake's route: it is echoed empty. */
    assert_int_equal(get(client, "/sh%6fw", body, sizeof body), 200);
    assert_string_equal(body, "");
    http_client_close(client);
    server_stop(server, 1000);
}

static void replies_carry_their_headers(void **state)
{
    static const struct http_header sent[] = {
        {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        {"X-Request-Id", "r-2"},
        {NULL, NULL},
    };
    static const struct http_header expected[] = {
        {"Content-Type", "application/json"},
        {"ETag", "\"7\""},
        {"Location", "/v1/things/1"},
        {"Allow", "GET"},
        {"Retry-After", "3"},
        {"Idempotency-Replayed", "true"},
        {"X-Request-Id", "r-2"},
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
    };
    struct server *server = start(2, NULL);
    struct http_client *client = connect_to(server_address(server));
    struct http_response response;
    const char *trace;

    (void)state;
    call(client, "GET", "/headers", sent, NULL, 0, &response);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const char *value = http_response_header(&response, expected[i].name);
        if (!value || strcmp(value, expected[i].value) != 0)
            fail_msg("%s: %s", expected[i].name, or_none(value));
    }
    trace = http_response_header(&response, "traceparent");
    assert_non_null(trace);
    assert_int_equal(strlen(trace), 55);
    assert_int_equal(strncmp(trace, "00-0af7651916cd43dd8448eb211c80319c-", 36), 0);
    assert_int_not_equal(strncmp(trace + 36, "b7ad6b7169203331", 16), 0);
    http_response_free(&response);

    call(client, "GET", "/secret", NULL, NULL, 0, &response);
    assert_int_equal(response.status, 401);
    assert_string_equal(http_response_header(&response, "WWW-Authenticate"), "Bearer");
    assert_string_equal(http_response_header(&response, "Content-Type"),
                        "application/problem+json");
    assert_null(http_response_header(&response, "traceparent"));
    assert_null(http_response_header(&response, "ETag"));
    assert_false(response.is_last);
    http_response_free(&response);
    http_client_close(client);
    server_stop(server, 1000);
}

static void bodies_arrive_whole_in_any_pieces(void **state)
{
    static const size_t sizes[] = {0, 1, 1023, 7000, 8191, 8192, 8193, 40000, BODY_MAX};
    unsigned seed = (unsigned)clock_wall_us(&system_clock);
    struct server *server = start(2, NULL);
    struct http_client *client = connect_to(server_address(server));
    char *body = malloc(BODY_MAX), head[128];

    (void)state;
    print_message("SEED=%u\n", seed);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *path = i % 2 ? "/later" : "/echo";
        struct http_response response;

        for (size_t at = 0; at < sizes[i]; at++)
            body[at] = (char)rand_r(&seed);
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path,
                 sizes[i]);
        assert_true(http_send(client, head, strlen(head)));
        for (size_t at = 0; at < sizes[i];) {
            size_t piece = 1 + (size_t)rand_r(&seed) % 9000;

            if (piece > sizes[i] - at)
                piece = sizes[i] - at;
            assert_true(http_send(client, body + at, piece));
            at += piece;
        }
        assert_true(http_receive(client, true, &response));
        assert_int_equal(response.body_bytes, sizes[i]);
        assert_memory_equal(response.body, body, sizes[i]);
        http_response_free(&response);
    }
    free(body);
    http_client_close(client);
    server_stop(server, 1000);
}

/* The answer is there although the client had not finished, or not even begun, to send. */
static void a_body_that_is_too_large_is_refused_by_its_announcement(void **state)
{
    static const char *const paths[] = {"/echo", "/careless", "/secret"};
    struct server *server = start(2, NULL);
    size_t bytes = 4 << 20;
    char *body = calloc(1, bytes);

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (int sends = 0; sends < 2; sends++) {
            struct http_client *client = connect_to(server_address(server));
            struct http_response response;
            char head[128];

            snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                     paths[i], bytes);
            assert_true(http_send(client, head, strlen(head)));
            if (sends)
                assert_true(http_send(client, body, bytes));
            if (!http_receive(client, true, &response))
                fail_msg("%s %d: %s", paths[i], sends, http_client_trouble(client));
            assert_int_equal(response.status, i < 2 ? 413 : 401);
            assert_true(response.is_last);
            http_response_free(&response);
            http_client_close(client);
        }
    assert_int_equal(atomic_load(&service.run_count), 0);
    free(body);
    server_stop(server, 1000);
}

static void expectations_are_met_before_the_body(void **state)
{
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                               "Expect: 100-continue\r\n\r\n";
    struct server *server = start(2, NULL);
    struct http_client *client = connect_to(server_address(server));
    struct http_response response;

    (void)state;
    assert_true(http_send(client, head, sizeof head - 1));
    usleep(50000);
    assert_true(http_send(client, "ok", 2));
    assert_true(http_receive(client, true, &response));
    if (response.status == 100) {
        http_response_free(&response);
        assert_true(http_receive(client, true, &response));
    }
    assert_int_equal(response.status, 200);
    assert_string_equal(response.body, "ok");
    http_response_free(&response);
    http_client_close(client);
    server_stop(server, 1000);
}

static void head_is_get_without_the_body(void **state)
{
    struct server *server = start(2, NULL);
    struct http_client *client = connect_to(server_address(server));
    struct http_response response;
    char body[256];

    (void)state;
    call(client, "HEAD", "/show", NULL, NULL, 0, &response);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body_bytes, 0);
    assert_int_equal(atoi(http_response_header(&response, "Content-Length")),
                     strlen("GET /show  authorization=(none) key=(none) match=(none) "
                            "type=(none) id= body=0"));
    http_response_free(&response);
    assert_int_equal(get(client, "/show", body, sizeof body), 200);
    http_client_close(client);
    server_stop(server, 1000);
}

static void a_request_may_be_answered_by_another_thread_at_any_moment(void **state)
{
    struct server *server = start(2, NULL);
    struct http_client *client = connect_to(server_address(server));

    (void)state;
    for (int round = 0; round < 50; round++) {
        assert_int_equal(get(client, "/later", NULL, 0), 201);
        assert_int_equal(get(client, "/later?us=300", NULL, 0), 201);
        assert_int_equal(get(client, "/at-once", NULL, 0), 202);
        assert_int_equal(get(client, "/changed-mind", NULL, 0), 203);
    }
    http_client_close(client);
    server_stop(server, 1000);
    assert_int_equal(atomic_load(&service.logged_count), 200);
}

/* How long the server bears a client that sends these bytes, then one more every 100 ms. */
static double seconds_borne(struct server *server, const char *bytes)
{
    struct http_client *client = connect_to(server_address(server));
    int64_t start_us = clock_monotonic_us(&system_clock);
    double seconds;

    assert_true(http_send(client, bytes, strlen(bytes)));
    while (!http_is_closed(client, 100)) {
        if (clock_monotonic_us(&system_clock) - start_us > 10 * SECOND_US)
            fail_msg("it is borne for ever");
        (void)http_send(client, "x", 1);
    }
    seconds = (double)(clock_monotonic_us(&system_clock) - start_us) / SECOND_US;
    http_client_close(client);
    return seconds;
}

static void clients_that_drip_are_cut_off(void **state)
{
    struct server *server = start(2, NULL);
    double line, head, body;

    (void)state;
    line = seconds_borne(server, "GET /sl");
    head = seconds_borne(server, "GET /slow HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    body = seconds_borne(
        server, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n");
    print_message("cut off after %.2f s (first line), %.2f s (head), %.2f s (body)\n",
                  line, head, body);
    assert_true(line >= IDLE_S + DEADLINE_S && line < IDLE_S + DEADLINE_S + 1);
    assert_true(head >= DEADLINE_S && head < DEADLINE_S + 1);
    assert_true(body >= DEADLINE_S && body < DEADLINE_S + 1);
    assert_int_equal(atomic_load(&service.run_count), 0);
    server_stop(server, 1000);
}

static void waiting_for_an_answer_is_no_dripping(void **state)
{
    struct server *server = start(2, NULL);
    struct http_client *client = connect_to(server_address(server));

    (void)state;
    assert_int_equal(get(client, "/later?us=2600000", NULL, 0), 201);
    assert_int_equal(get(client, "/show", NULL, 0), 200);
    http_client_close(client);
    server_stop(server, 1000);
}

static void health_has_a_listener_of_its_own(void **state)
{
    static const struct {
        const char *method, *path, *trouble;
        int status;
        const char *body;
    } rows[] = {
        {"GET", "/healthz", "the disk is full", 200, "{\"status\":\"ok\"}"},
        {"GET", "/readyz", NULL, 200, "{\"status\":\"ok\"}"},
        {"GET", "/readyz", "the disk is full", 503,
         "{\"status\":\"unavailable\",\"detail\":\"the disk is full\"}"},
        {"GET", "/version", NULL, 200,
         "{\"object\":\"version\",\"version\":\"1.2.3\","
         "\"build\":\"redress 1.2.3 (abcdef123456)\"}"},
        {"HEAD", "/healthz", NULL, 200, ""},
        {"POST", "/healthz", NULL, 405, NULL},
        {"GET", "/v1/decisions", NULL, 404, NULL},
        {"GET", "/", NULL, 404, NULL},
    };
    struct server *server = start(2, "127.0.0.1:0");

    (void)state;
    assert_string_not_equal(server_health_address(server), server_address(server));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_client *client = connect_to(server_health_address(server));
        struct http_response response;

        atomic_store(&service.trouble, rows[i].trouble);
        call(client, rows[i].method, rows[i].path, NULL, NULL, 0, &response);
        assert_int_equal(response.status, rows[i].status);
        if (rows[i].body)
            assert_string_equal(response.body, rows[i].body);
        assert_true(response.is_last);
        http_response_free(&response);
        http_client_close(client);
    }
    assert_int_equal(atomic_load(&service.begun_count), 0);
    server_stop(server, 1000);
}

static void addresses_that_cannot_be_listened_on_are_named(void **state)
{
    struct server *server = start(1, NULL), *second = NULL;
    const char *const addresses[] = {
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "1.2.3:80",
        "example.com:1",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "[::1:80",
        "127.0.0.1:8x",
        "[]:80",
        "203.0.113.1:1",
        server_address(server),
    };

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        const struct server_settings settings = {
            .listen = addresses[i],
            .thread_count = 1,
            .connection_count_max = 10,
            .idle_timeout_s = 1,
            .deadline_s = 1,
        };
        struct err err = {0};

        if (server_start(&settings, &service, &second, &err) == STATUS_OK)
            fail_msg("listens on '%s'", addresses[i]);
        assert_non_null(strstr(err.text, addresses[i]));
    }
    server_stop(server, 0);
}

static void addresses_are_written_as_they_are_read(void **state)
{
    static const struct {
        const char *text, *written;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"localhost:80", "127.0.0.1:80"},
        {"0.0.0.0:65535", "0.0.0.0:65535"},
        {"[::1]:1", "[::1]:1"},
        {"[::]:443", "[::]:443"},
    };
    char text[ADDRESS_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sockaddr_storage address;

        assert_int_equal(address_parse(rows[i].text, &address, NULL), STATUS_OK);
        address_format(&address, atoi(strrchr(rows[i].text, ':') + 1), text);
        assert_string_equal(text, rows[i].written);
    }
}

/* --- stopping --------------------------------------------------------------------------------- */

struct caller {
    pthread_t thread;
    char address[ADDRESS_BYTES];
    const char *path;
    int answered_count, status;
    bool is_last;
};

static void *call_once(void *context)
{
    struct caller *caller = context;
    struct http_client *client = http_client_open(caller->address);
    struct http_response response;

    if (http_call(client, "GET", caller->path, NULL, NULL, 0, &response)) {
        caller->status = response.status;
        caller->is_last = response.is_last;
        http_response_free(&response);
    }
    http_client_close(client);
    return NULL;
}

static void begin_call(struct caller *caller, const struct server *server,
                       void *(*run)(void *))
{
    snprintf(caller->address, sizeof caller->address, "%s", server_address(server));
    assert_int_equal(pthread_create(&caller->thread, NULL, run, caller), 0);
}

static void stopping_lets_what_is_under_way_finish(void **state)
{
    struct server *server = start(2, NULL);
    struct http_client *idle = connect_to(server_address(server)), *late;
    struct caller caller = {.path = "/later?us=400000"};
    char address[ADDRESS_BYTES];
    struct http_response response;

    (void)state;
    snprintf(address, sizeof address, "%s", server_address(server));
    assert_int_equal(get(idle, "/show", NULL, 0), 200);
    begin_call(&caller, server, call_once);
    while (atomic_load(&service.waiting_count) == 0)
        usleep(1000);
    server_stop(server, 5000);
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.status, 201);
    assert_true(caller.is_last);
    assert_true(http_is_closed(idle, 0));
    late = connect_to(address);
    assert_false(http_call(late, "GET", "/show", NULL, NULL, 0, &response));
    http_client_close(late);
    http_client_close(idle);
}

/* done is the one who lets go of the connection, so it has to be awaited. */
static void stopping_in_a_hurry_still_waits_for_done(void **state)
{
    struct server *server = start(2, NULL);
    struct caller caller = {.path = "/later?us=300000"};
    int64_t start_us;

    (void)state;
    begin_call(&caller, server, call_once);
    while (atomic_load(&service.waiting_count) == 0)
        usleep(1000);
    start_us = clock_monotonic_us(&system_clock);
    server_stop(server, 0);
    assert_true(clock_monotonic_us(&system_clock) - start_us >= 200000);
    assert_int_equal(atomic_load(&service.waiting_count), 0);
    pthread_join(caller.thread, NULL);
}

static void *call_until_closed(void *context)
{
    struct caller *caller = context;
    struct http_client *client = http_client_open(caller->address);
    struct http_response response;

    while (http_call(client, "GET", caller->path, NULL, NULL, 0, &response)) {
        if (response.status == 200 || response.status == 201)
            caller->answered_count++;
        http_response_free(&response);
    }
    http_client_close(client);
    return NULL;
}

static void stopping_under_load_loses_no_answer(void **state)
{
    enum { CALLER_COUNT = 12, ROUND_COUNT = 5 };

    (void)state;
    for (int round = 0; round < ROUND_COUNT; round++) {
        struct server *server = start(2, "127.0.0.1:0");
        struct caller callers[CALLER_COUNT] = {0};
        int answered_count = 0;

        for (int i = 0; i < CALLER_COUNT; i++) {
            callers[i].path = i % 2 ? "/later?us=200" : "/show";
            begin_call(&callers[i], server, call_until_closed);
        }
        usleep(100000);
        server_stop(server, 3000);
        for (int i = 0; i < CALLER_COUNT; i++) {
            pthread_join(callers[i].thread, NULL);
            answered_count += callers[i].answered_count;
        }
        assert_true(answered_count > CALLER_COUNT);
        assert_int_equal(answered_count, atomic_load(&service.run_count));
        assert_int_equal(answered_count, atomic_load(&service.logged_count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_with_two_meanings_hides_no_request),
        cmocka_unit_test(two_honest_requests_in_one_packet_are_both_answered),
        cmocka_unit_test(what_the_head_says_arrives),
        cmocka_unit_test(paths_stay_as_they_were_sent),
        cmocka_unit_test(replies_carry_their_headers),
        cmocka_unit_test(bodies_arrive_whole_in_any_pieces),
        cmocka_unit_test(a_body_that_is_too_large_is_refused_by_its_announcement),
        cmocka_unit_test(expectations_are_met_before_the_body),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(a_request_may_be_answered_by_another_thread_at_any_moment),
        cmocka_unit_test(clients_that_drip_are_cut_off),
        cmocka_unit_test(waiting_for_an_answer_is_no_dripping),
        cmocka_unit_test(health_has_a_listener_of_its_own),
        cmocka_unit_test(addresses_that_cannot_be_listened_on_are_named),
        cmocka_unit_test(addresses_are_written_as_they_are_read),
        cmocka_unit_test(stopping_lets_what_is_under_way_finish),
        cmocka_unit_test(stopping_in_a_hurry_still_waits_for_done),
        cmocka_unit_test(stopping_under_load_loses_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
