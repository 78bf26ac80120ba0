/* test_server_life.c - how connections and servers begin and end: time-outs, addresses,
 * stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/deadline.h"
#include "http/listen.h"
#include "support/wire.h"
#include "unit/server_stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRY_COUNT_MAX = 20 };

/* How long the server bears a client that sends these bytes, then one more every 100
 * ms. */
static double seconds_borne(struct server *server, const char *bytes)
{
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct http_client *client = stage_connect(server_address(server));
    double seconds;

    assert_true(http_send(client, bytes, strlen(bytes)));
    while (!http_is_closed(client, 100)) {
        if (clock_monotonic_us(&system_clock) - start_us > PATIENCE_S * SECOND_US)
            fail_msg("it is borne for ever");
        (void)http_send(client, "x", 1);
    }
    seconds = (double)(clock_monotonic_us(&system_clock) - start_us) / SECOND_US;
    http_client_close(client);
    return seconds;
}

/* Never before its time is over; and within a second, in one of some tries: on a machine
 * that stalls, it may be later. */
static double seconds_borne_at_least(struct server *server, const char *bytes,
                                     double seconds_min)
{
    double seconds = INFINITY;

    for (int i = 0; i < TRY_COUNT_MAX && seconds >= seconds_min + 1; i++) {
        seconds = seconds_borne(server, bytes);
        assert_true(seconds >= seconds_min);
    }
    assert_true(seconds < seconds_min + 1);
    return seconds;
}

static void clients_that_drip_are_cut_off(void **state)
{
    const struct server_settings settings = stage_settings_short(2, NULL);
    struct server *server = stage_start_with(&settings);
    double line, head, body;

    (void)state;
    line = seconds_borne_at_least(server, "GET /sl", SHORT_DEADLINE_S);
    head = seconds_borne_at_least(
        server, "GET /slow HTTP/1.1\r\nHost: a\r\nX-Slow: ", SHORT_DEADLINE_S);
    body = seconds_borne_at_least(
        server, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n",
        SHORT_DEADLINE_S);
    print_message("cut off after %.2f s (first line), %.2f s (head), %.2f s (body)\n",
                  line, head, body);
    assert_int_equal(atomic_load(&stage.run_count), 0);
    server_stop(server, 1000);
}

/* Whether a connection bears an answer that takes longer than its idle time. */
static bool is_waiting_borne(const struct server *server)
{
    struct http_client *client = stage_connect(server_address(server));
    struct http_response response;
    bool is_borne =
        http_call(client, "GET", "/later?us=2600000", NULL, NULL, 0, &response);

    if (is_borne) {
        assert_int_equal(response.status, 201);
        http_response_free(&response);
        assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    }
    http_client_close(client);
    return is_borne;
}

/* On a machine that stalls, the request itself may come too slowly: then once more. */
static void waiting_for_an_answer_is_no_dripping(void **state)
{
    const struct server_settings settings = stage_settings_short(2, NULL);
    struct server *server = stage_start_with(&settings);
    int tries = 1;

    (void)state;
    while (!is_waiting_borne(server))
        assert_true(++tries < TRY_COUNT_MAX);
    server_stop(server, 1000);
}

/* --- clients that stop sending -------------------------------------------------------------------- */

#define LATE "POST /later?us=200000 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"

/* What comes back to who closes the sending side behind these bytes, in two packets if
 * there is a second part. */
static void ask_and_fall_silent(const char *address, const char *first,
                                const char *second, char answer[static 4096])
{
    struct wire *wire = wire_open(address, false, PATIENCE_S * 1000);
    size_t count;

    assert_non_null(wire);
    assert_true(wire_send(wire, first, strlen(first)));
    if (second) {
        usleep(50000);
        assert_true(wire_send(wire, second, strlen(second)));
    }
    wire_half_close(wire);
    assert_int_equal(wire_receive(wire, answer, 4096, &count), WIRE_CLOSED);
    wire_close(wire, false);
}

static void who_has_nothing_more_to_say_is_answered(void **state)
{
    static const struct {
        const char *first, *second, *status, *body;
    } rows[] = {
        {"GET /show HTTP/1.1\r\nHost: a\r\n\r\n", NULL, "HTTP/1.1 200 ", "GET /show"},
        {LATE "late", NULL, "HTTP/1.1 201 ", "\r\n\r\nlate"},
        {LATE, "late", "HTTP/1.1 201 ", "\r\n\r\nlate"},
        {LATE "la", "te", "HTTP/1.1 201 ", "\r\n\r\nlate"},
        {"GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n", NULL, "HTTP/1.1 202 ", ""},
        {"GET /changed-mind HTTP/1.1\r\nHost: a\r\n\r\n", NULL, "HTTP/1.1 203 ", ""},
        {"GET /show HTTP/1.1\r\nHost: a\r\n\r\n" LATE "late", NULL, "HTTP/1.1 200 ",
         "\r\n\r\nlate"},
        {LATE "lateGET /show HTTP/1.1\r\nHost: a\r\n\r\n", NULL, "HTTP/1.1 201 ",
         "GET /show"},
    };
    struct server *server = stage_start(2, NULL);
    char answer[4096];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask_and_fall_silent(server_address(server), rows[i].first, rows[i].second,
                            answer);
        if (strncmp(answer, rows[i].status, strlen(rows[i].status)) != 0 ||
            !strstr(answer, rows[i].body))
            fail_msg("row %zu: '%s'", i, answer);
    }
    server_stop(server, 1000);
}

static void half_a_request_is_never_run(void **state)
{
    struct server *server = stage_start(2, NULL);
    char answer[4096];

    (void)state;
    ask_and_fall_silent(server_address(server), LATE "la", NULL, answer);
    assert_string_equal(answer, "");
    ask_and_fall_silent(server_address(server), "GET /show HTTP/1.1\r\nHost: a\r\n", NULL,
                        answer);
    assert_string_equal(answer, "");
    assert_int_equal(atomic_load(&stage.run_count), 0);
    server_stop(server, 1000);
}

/* --- slow readers ----------------------------------------------------------------------------- */

enum {
    READ_EVERY_MS = 100,
    READ_WINDOW_BYTES = 1, /* the least there is */
    SLOW_DEADLINE_S = 2,
    SLOW_BORNE_S_MAX = 5,
    SLOW_CUT_S_MAX =
        /* on a machine that stalls; what the system holds is read in twice that time */
    15,
};

/* A connection on which little fits between server and client. */
static int connect_narrow(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int window = READ_WINDOW_BYTES, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Read so many bytes at a time until there are no streams any more, or for so long.
 * Returns how long it was. */
static double read_slowly(struct server *server, int bytes_per_s, double seconds_max)
{
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    int64_t start_us = clock_monotonic_us(&system_clock), read_bytes = 0;
    char piece[STREAM_PIECE_BYTES];
    double seconds = 0;
    int fd = connect_narrow(server_address(server));

    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    do {
        int64_t due = (int64_t)(seconds * bytes_per_s) - read_bytes;
        ssize_t got = due <= 0
                          ? 0
                          : recv(fd, piece,
                                 due < (int64_t)sizeof piece ? (size_t)due : sizeof piece,
                                 MSG_DONTWAIT);

        read_bytes += got > 0 ? got : 0;
        if (due <= (int64_t)sizeof piece || got <= 0)
            usleep(READ_EVERY_MS * 1000);
        seconds = (double)(clock_monotonic_us(&system_clock) - start_us) / SECOND_US;
    } while (seconds < seconds_max && (seconds < 1 || atomic_load(&stage.stream_count)));
    print_message("%lld bytes in %.2f s\n", (long long)read_bytes, seconds);
    close(fd);
    return seconds;
}

/* Each piece comes in time: all of them do not. */
static void a_stream_is_cut_off_whose_reader_does_not_keep_up(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct server *server;
    double slow_s;
    int tries = 1;

    (void)state;
    settings.deadline_s = SLOW_DEADLINE_S;
    server = stage_start_with(&settings);
    slow_s = read_slowly(server, REPLY_BYTES_PER_S_MIN / 5, PATIENCE_S);
    assert_true(slow_s >= SLOW_DEADLINE_S);
    assert_true(slow_s < SLOW_CUT_S_MAX);
    /* A machine that stalls keeps the reader from reading: then once more. */
    while (read_slowly(server, 2 * REPLY_BYTES_PER_S_MIN, SLOW_BORNE_S_MAX) <
           SLOW_BORNE_S_MAX)
        assert_true(++tries < TRY_COUNT_MAX);
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
        {"GET", "/readyz", NULL, 200, "{\"status\":\"ok\",\"check\":\"passed\"}"},
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
    struct server *server = stage_start(2, "127.0.0.1:0");

    (void)state;
    assert_string_not_equal(server_health_address(server), server_address(server));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_client *client = stage_connect(server_health_address(server));
        struct http_response response;

        atomic_store(&stage.trouble, rows[i].trouble);
        stage_call(client, rows[i].method, rows[i].path, NULL, NULL, 0, &response);
        assert_int_equal(response.status, rows[i].status);
        if (rows[i].body)
            assert_string_equal(response.body, rows[i].body);
        assert_true(response.is_last);
        http_response_free(&response);
        http_client_close(client);
    }
    assert_int_equal(atomic_load(&stage.begun_count), 0);
    server_stop(server, 1000);
}

static void addresses_that_cannot_be_listened_on_are_named(void **state)
{
    struct server *server = stage_start(1, NULL), *second = NULL;
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

        if (server_start(&settings, &stage, &second, &err) == STATUS_OK)
            fail_msg("listens on '%s'", addresses[i]);
        assert_non_null(strstr(err.text, addresses[i]));
    }
    server_stop(server, 0);
}

static void an_address_that_is_taken_is_named_with_its_setting(void **state)
{
    struct server *server = stage_start(1, "127.0.0.1:0"), *second = NULL;
    const struct {
        const char *setting, *taken, *listen, *health_listen;
    } rows[] = {
        {"listen", server_address(server), server_address(server), NULL},
        {"health_listen", server_address(server), "127.0.0.1:0", server_address(server)},
        {"health_listen", server_health_address(server), "127.0.0.1:0",
         server_health_address(server)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct server_settings settings = stage_settings(1, rows[i].health_listen);
        struct err err = {0};
        char text[200];

        settings.listen = rows[i].listen;
        assert_int_equal(server_start(&settings, &stage, &second, &err),
                         STATUS_UNAVAILABLE);
        assert_string_equal(err.code, "cannot_listen");
        snprintf(text, sizeof text, "%s: cannot listen on %s: Address already in use",
                 rows[i].setting, rows[i].taken);
        assert_string_equal(err.text, text);
        assert_int_equal(stage_try(rows[i].taken, NULL, &err), STATUS_UNAVAILABLE);
        assert_non_null(strstr(err.text, text + strlen(rows[i].setting) + 2));
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
    struct server *server = stage_start(2, NULL);
    struct http_client *idle = stage_connect(server_address(server)), *late;
    struct caller caller = {.path = "/later?us=400000"};
    char address[ADDRESS_BYTES];
    struct http_response response;

    (void)state;
    snprintf(address, sizeof address, "%s", server_address(server));
    assert_int_equal(stage_get(idle, "/show", NULL, 0), 200);
    begin_call(&caller, server, call_once);
    while (atomic_load(&stage.waiting_count) == 0)
        usleep(1000);
    server_stop(server, PATIENCE_S * 1000);
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.status, 201);
    assert_true(caller.is_last);
    assert_true(http_is_closed(idle, 0));
    late = stage_connect(address);
    assert_false(http_call(late, "GET", "/show", NULL, NULL, 0, &response));
    http_client_close(late);
    http_client_close(idle);
}

/* done is the one who lets go of the connection, so it has to be awaited. */
static void stopping_in_a_hurry_still_waits_for_done(void **state)
{
    struct server *server = stage_start(2, NULL);
    struct caller caller = {.path = "/later?us=300000"};

    (void)state;
    begin_call(&caller, server, call_once);
    while (atomic_load(&stage.waiting_count) == 0)
        usleep(1000);
    server_stop(server, 0);
    assert_int_equal(atomic_load(&stage.waiting_count), 0);
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
        struct server *server = stage_start(2, "127.0.0.1:0");
        struct caller callers[CALLER_COUNT] = {0};
        int answered_count = 0;

        for (int i = 0; i < CALLER_COUNT; i++) {
            callers[i].path = i % 2 ? "/later?us=200" : "/show";
            begin_call(&callers[i], server, call_until_closed);
        }
        for (int ms = 0; atomic_load(&stage.run_count) <= 2 * CALLER_COUNT; ms++) {
            assert_true(ms < PATIENCE_S * 1000);
            usleep(1000);
        }
        server_stop(server, PATIENCE_S * 1000);
        for (int i = 0; i < CALLER_COUNT; i++) {
            pthread_join(callers[i].thread, NULL);
            answered_count += callers[i].answered_count;
        }
        assert_true(answered_count > CALLER_COUNT);
        assert_int_equal(answered_count, atomic_load(&stage.run_count));
        assert_int_equal(answered_count, atomic_load(&stage.logged_count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_drip_are_cut_off),
        cmocka_unit_test(waiting_for_an_answer_is_no_dripping),
        cmocka_unit_test(who_has_nothing_more_to_say_is_answered),
        cmocka_unit_test(half_a_request_is_never_run),
        cmocka_unit_test(a_stream_is_cut_off_whose_reader_does_not_keep_up),
        cmocka_unit_test(health_has_a_listener_of_its_own),
        cmocka_unit_test(addresses_that_cannot_be_listened_on_are_named),
        cmocka_unit_test(an_address_that_is_taken_is_named_with_its_setting),
        cmocka_unit_test(addresses_are_written_as_they_are_read),
        cmocka_unit_test(stopping_lets_what_is_under_way_finish),
        cmocka_unit_test(stopping_in_a_hurry_still_waits_for_done),
        cmocka_unit_test(stopping_under_load_loses_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
