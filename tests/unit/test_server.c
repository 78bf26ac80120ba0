/* test_server.c - what the server carries: heads, bodies and replies, over real
 * sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "unit/server_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void send_row(struct http_client *client, const char *row)
{
    size_t count = strlen(row);
    char *bytes = strdup(row);

    for (size_t i = 0; i < count; i++)
        if (bytes[i] == '`')
            bytes[i] = '\0';
    assert_true(http_send(client, bytes, count));
    free(bytes);
}

static void a_head_with_two_meanings_hides_no_request(void **state)
{
#define HIDDEN "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST   "POST /echo HTTP/1.1\r\nHost: a\r\n"
    static const struct {
        const char *name, *bytes; /* ` stands for NUL */
        int status;               /* 0: any error, or none at all */
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
        {"a length on a folded line", POST "Content-Length:\r\n 34\r\n\r\n" HIDDEN, 400},
        {"a name that a folded line completes",
         POST "Content-Len: 34\r\n gth\r\n\r\n" HIDDEN, 400},
        {"a folded line without words",
         POST "Content-Length: 34\r\n \r\nX: y\r\n\r\n" HIDDEN, 400},
        {"a line without a name", POST "Content-Length: 34\r\n: y\r\n\r\n" HIDDEN, 400},
        {"a line that ends with a bare line feed",
         POST "X: y\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
        {"a head that ends with a bare line feed", POST "Content-Length: 34\r\n\n" HIDDEN,
         400},
        {"a NUL in a value", POST "Content-Length: 34\r\nX: a`b\r\n\r\n" HIDDEN, 400},
        {"a NUL after a length", POST "Content-Length: 34`, 0\r\n\r\n" HIDDEN, 400},
        {"a NUL in a name", POST "Content-Length: 34\r\nX`Y: a\r\n\r\n" HIDDEN, 400},
        {"a NUL in a path", "GET /echo`/../x HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN, 400},
        {"a NUL in a path before a query",
         "GET /echo`/x?a=b HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN, 400},
        {"a NUL in a method", "GE`T /echo HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN, 400},
        {"two spaces in the first line", "GET  /echo HTTP/1.1\r\nHost: a\r\n\r\n" HIDDEN,
         400},
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
    struct server *server = stage_start(2, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_client *client = stage_connect(server_address(server));
        struct http_response response = {0};

        atomic_store(&stage.begun_count, 0);
        send_row(client, rows[i].bytes);
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
        if (!http_is_closed(client, PATIENCE_S * 1000))
            fail_msg("%s: more came, or it stayed open", rows[i].name);
        if (atomic_load(&stage.begun_count) != 0)
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
    struct server *server = stage_start(2, NULL);
    struct http_client *client = stage_connect(server_address(server));
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

/* Wherever the head is cut on its way, and whatever lies before and behind it in
 * memory. */
static void an_honest_head_is_believed_in_any_pieces(void **state)
{
    static const char *const queries[] = {"", "?", "?a", "?a=b&c=%20d+e", "?&a=1&"};
    unsigned seed = (unsigned)clock_wall_us(&system_clock);
    struct server *server = stage_start(1, NULL);
    struct http_client *client = stage_connect(server_address(server));
    char *head = malloc(8192);

    (void)state;
    print_message("SEED=%u\n", seed);
    for (int i = 0; i < 200; i++) {
        size_t count = (size_t)snprintf(
            head, 8192,
            "POST /echo%s HTTP/1.%d\r\nHost:a\r\nConnection: keep-alive\r\n"
            "Cookie: b=c; d=\"e\"\r\nX-Empty:\r\nX-Blanks: \t a \t \r\nX: %0*d\r\n"
            "Content-Length: 3\r\n\r\none",
            queries[i % 5], i % 2, (int)(rand_r(&seed) % 5000) + 1, 0);
        struct http_response response;

        for (size_t at = 0; at < count;) {
            size_t piece = 1 + (size_t)rand_r(&seed) % (i % 10 == 0 ? 40 : 3000);

            if (piece > count - at)
                piece = count - at;
            assert_true(http_send(client, head + at, piece));
            at += piece;
        }
        assert_true(http_receive(client, true, &response));
        assert_int_equal(response.status, 200);
        assert_string_equal(response.body, "one");
        http_response_free(&response);
    }
    free(head);
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
    struct server *server = stage_start(1, NULL);
    struct http_client *client = stage_connect(server_address(server));
    struct http_response response;
    char body[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_call(client, rows[i].method, rows[i].path, headers, "{}", 2, &response);
        response.body[strlen(rows[i].start)] = 0;
        assert_string_equal(response.body, rows[i].start);
        http_response_free(&response);
    }
    /* Nothing of it is left for the next request on the connection. */
    assert_int_equal(stage_get(client, "/show", body, sizeof body), 200);
    assert_string_equal(body, "GET /show  authorization=(none) key=(none) match=(none) "
                              "type=(none) id= body=0");
    http_client_close(client);
    server_stop(server, 1000);
}

static void paths_stay_as_they_were_sent(void **state)
{
    struct server *server = stage_start(1, NULL);
    struct http_client *client = stage_connect(server_address(server));
    char body[512];

    (void)state;
    /* Not the path of the fake's route: it is echoed empty. */
    assert_int_equal(stage_get(client, "/sh%6fw", body, sizeof body), 200);
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
    struct server *server = stage_start(2, NULL);
    struct http_client *client = stage_connect(server_address(server));
    struct http_response response;
    const char *trace;

    (void)state;
    stage_call(client, "GET", "/headers", sent, NULL, 0, &response);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const char *value = http_response_header(&response, expected[i].name);
        if (!value || strcmp(value, expected[i].value) != 0)
            fail_msg("%s: %s", expected[i].name, value ? value : "(none)");
    }
    trace = http_response_header(&response, "traceparent");
    assert_non_null(trace);
    assert_int_equal(strlen(trace), 55);
    assert_int_equal(strncmp(trace, "00-0af7651916cd43dd8448eb211c80319c-", 36), 0);
    assert_int_not_equal(strncmp(trace + 36, "b7ad6b7169203331", 16), 0);
    http_response_free(&response);

    stage_call(client, "GET", "/secret", NULL, NULL, 0, &response);
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
    struct server *server = stage_start(2, NULL);
    struct http_client *client = stage_connect(server_address(server));
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

/* The answer is there although the client had not finished, or not even begun, to
 * send. */
static void a_body_that_is_too_large_is_refused_by_its_announcement(void **state)
{
    static const char *const paths[] = {"/echo", "/secret"};
    struct server *server = stage_start(2, NULL);
    size_t bytes = 4 << 20;
    char *body = calloc(1, bytes);

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int sends = 0; sends < 2; sends++) {
            struct http_client *client = stage_connect(server_address(server));
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
            assert_int_equal(response.status, i == 0 ? 413 : 401);
            assert_true(response.is_last);
            http_response_free(&response);
            http_client_close(client);
        }
    assert_int_equal(atomic_load(&stage.run_count), 0);
    free(body);
    server_stop(server, 1000);
}

static void expectations_are_met_before_the_body(void **state)
{
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                               "Expect: 100-continue\r\n\r\n";
    struct server *server = stage_start(2, NULL);
    struct http_client *client = stage_connect(server_address(server));
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
    struct server *server = stage_start(2, NULL);
    struct http_client *client = stage_connect(server_address(server));
    struct http_response response;
    char body[256];

    (void)state;
    stage_call(client, "HEAD", "/show", NULL, NULL, 0, &response);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body_bytes, 0);
    assert_int_equal(atoi(http_response_header(&response, "Content-Length")),
                     strlen("GET /show  authorization=(none) key=(none) match=(none) "
                            "type=(none) id= body=0"));
    http_response_free(&response);
    assert_int_equal(stage_get(client, "/show", body, sizeof body), 200);
    http_client_close(client);
    server_stop(server, 1000);
}

static void a_request_may_be_answered_by_another_thread_at_any_moment(void **state)
{
    struct server *server = stage_start(2, NULL);
    struct http_client *client = stage_connect(server_address(server));

    (void)state;
    for (int round = 0; round < 50; round++) {
        assert_int_equal(stage_get(client, "/later", NULL, 0), 201);
        assert_int_equal(stage_get(client, "/later?us=300", NULL, 0), 201);
        assert_int_equal(stage_get(client, "/at-once", NULL, 0), 202);
        assert_int_equal(stage_get(client, "/changed-mind", NULL, 0), 203);
    }
    http_client_close(client);
    server_stop(server, 1000);
    assert_int_equal(atomic_load(&stage.logged_count), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_with_two_meanings_hides_no_request),
        cmocka_unit_test(two_honest_requests_in_one_packet_are_both_answered),
        cmocka_unit_test(an_honest_head_is_believed_in_any_pieces),
        cmocka_unit_test(what_the_head_says_arrives),
        cmocka_unit_test(paths_stay_as_they_were_sent),
        cmocka_unit_test(replies_carry_their_headers),
        cmocka_unit_test(bodies_arrive_whole_in_any_pieces),
        cmocka_unit_test(a_body_that_is_too_large_is_refused_by_its_announcement),
        cmocka_unit_test(expectations_are_met_before_the_body),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(a_request_may_be_answered_by_another_thread_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
