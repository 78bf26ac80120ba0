/* test_server_edge.c - what stands before the server: who may connect, how often and for
 * how long, and health while others hold every connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "unit/server_stage.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLOOD_COUNT = 180, TRY_COUNT_MAX = 20 };

static void settings_that_do_not_go_together_are_refused(void **state)
{
    const struct {
        int threads, connections, idle_s;
        const char *cert, *words;
    } rows[] = {
        {0, 100, 1, NULL, "1 to 64 threads, not 0"},
        {65, 100, 1, NULL, "1 to 64 threads, not 65"},
        {4, 3, 1, NULL, "4 threads needs as many connections or more, not 3"},
        {4, SERVER_CONNECTION_COUNT_MAX + 1, 1, NULL, "at most 100000 connections"},
        {4, 100, 0, NULL, "one second or more"},
        {4, 100, 1, "cert.pem", "need each other"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct server_settings settings = stage_settings(rows[i].threads, NULL);
        struct server *server = NULL;
        struct err err = {0};

        settings.connection_count_max = rows[i].connections;
        settings.idle_timeout_s = rows[i].idle_s;
        settings.tls_cert = rows[i].cert;
        assert_int_equal(server_start(&settings, &stage, &server, &err), STATUS_INVALID);
        if (!strstr(err.text, rows[i].words))
            fail_msg("'%s' does not say '%s'", err.text, rows[i].words);
    }
}

/* --- how long, and how many ---------------------------------------------------------------------- */

/* Ask until told that this answer is the last. False: cut off, as one is who, on a busy
 * machine, does not ask for a second. */
static bool is_told_to_go(const char *address)
{
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct http_client *client = stage_connect(address);
    struct http_response response = {0};
    bool is_last = false;

    while (!is_last && stage_seconds_since(start_us) < PATIENCE_S &&
           http_call(client, "GET", "/show", NULL, NULL, 0, &response)) {
        assert_int_equal(response.status, 200);
        is_last = response.is_last;
        assert_int_equal(is_last && stage_seconds_since(start_us) < 1, false);
        http_response_free(&response);
        usleep(20000);
    }
    http_client_close(client);
    return is_last;
}

static void a_connection_is_told_to_go_when_its_life_is_over(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct server *server;
    int tries = 1;

    (void)state;
    settings.connection_deadline_s = 1;
    server = stage_start_with(&settings);
    while (!is_told_to_go(server_address(server)))
        assert_true(++tries < TRY_COUNT_MAX);
    server_stop(server, 1000);
}

static void a_connection_that_rests_ends_with_its_life(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct server *server;
    struct http_client *client;

    (void)state;
    settings.connection_deadline_s = 1;
    settings.idle_timeout_s = 3 * PATIENCE_S;
    server = stage_start_with(&settings);
    client = stage_connect(server_address(server));
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    assert_true(http_is_closed(client, PATIENCE_S * 1000));
    http_client_close(client);
    server_stop(server, 1000);
}

static void an_answer_under_way_outlives_its_connection(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct http_response response;
    struct server *server;
    struct http_client *client;

    (void)state;
    settings.connection_deadline_s = 1;
    server = stage_start_with(&settings);
    client = stage_connect(server_address(server));
    stage_call(client, "POST", "/later?us=1700000", NULL, "late", 4, &response);
    assert_int_equal(response.status, 201);
    assert_string_equal(response.body, "late");
    assert_true(response.is_last);
    http_response_free(&response);
    http_client_close(client);
    server_stop(server, 1000);
}

static void an_address_with_enough_connections_gets_no_more(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct http_client *clients[4];
    struct server_stats stats;
    struct server *server;
    int status = 0;

    (void)state;
    settings.connections_per_address = 3;
    server = stage_start_with(&settings);
    for (int i = 0; i < 3; i++) {
        clients[i] = stage_connect(server_address(server));
        assert_int_equal(stage_get(clients[i], "/show", NULL, 0), 200);
    }
    clients[3] = stage_connect(server_address(server));
    assert_true(http_send(clients[3], "", 0));
    assert_true(http_is_closed(clients[3], PATIENCE_S * 1000));
    server_stats(server, &stats);
    assert_int_equal(stats.refused_connection_count, 1);
    http_client_close(clients[0]);
    for (int i = 0; i < PATIENCE_S * 10 && status != 200; i++)
        status = stage_try_get(clients[3], "/show");
    assert_int_equal(status, 200);
    for (int i = 1; i < 4; i++)
        http_client_close(clients[i]);
    server_stop(server, 1000);
}

static void wrong_keys_are_told_to_wait_and_right_ones_are_not(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct http_response response;
    struct server_stats stats;
    struct http_client *client;
    struct server *server;

    (void)state;
    settings.failed_logins_per_min = 3;
    server = stage_start_with(&settings);
    client = stage_connect(server_address(server));
    for (int i = 0; i < 6; i++) {
        bool is_shed = i >= 3;

        stage_call(client, "GET", "/secret", NULL, NULL, 0, &response);
        assert_int_equal(response.status, is_shed ? 429 : 401);
        assert_int_equal(response.is_last, is_shed);
        if (is_shed) {
            int wait_s = atoi(http_response_header(&response, "Retry-After"));

            assert_true(wait_s > 0 && wait_s <= 20);
        }
        http_response_free(&response);
    }
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    server_stats(server, &stats);
    assert_int_equal(stats.failed_login_count, 6);
    assert_int_equal(stats.shed_login_count, 3);
    http_client_close(client);
    server_stop(server, 1000);
}

static void lines_about_wrong_keys_are_bounded_and_all_are_counted(void **state)
{
    enum { WRONG_COUNT = 100 };
    struct server_settings settings = stage_settings(2, NULL);
    struct server *server = stage_start_with(&settings);
    struct http_client *client = stage_connect(server_address(server));
    struct server_stats stats;
    int line_count;

    (void)state;
    atomic_store(&stage.logged_count, 0);
    for (int i = 0; i < WRONG_COUNT; i++)
        assert_int_equal(stage_get(client, "/secret", NULL, 0), 401);
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    http_client_close(client);
    server_stats(server, &stats);
    assert_int_equal(stats.failed_login_count, WRONG_COUNT);
    server_stop(server, 1000);
    line_count = atomic_load(&stage.logged_count);
    assert_true(line_count > 1);
    assert_true(line_count < WRONG_COUNT / 2); /* one more a second */
}

/* --- health -------------------------------------------------------------------------------------- */

/* So many clients connect and send half a line; the earlier ones are closed by then,
 * perhaps. */
static void flood(const char *address, struct http_client *clients[static FLOOD_COUNT])
{
    for (int i = 0; i < FLOOD_COUNT; i++) {
        clients[i] = stage_connect(address);
        (void)http_send(clients[i], "GET /hea", 8);
    }
}

/* Seconds of the slowest of 30 answers while they hold it. */
static double health_beside_a_flood_s(const struct server *server)
{
    static struct http_client *clients[FLOOD_COUNT];
    double worst_s = 0;

    flood(server_health_address(server), clients);
    for (int i = 0; i < 30; i++) {
        struct http_client *client = stage_connect(server_health_address(server));
        int64_t start_us = clock_monotonic_us(&system_clock);

        assert_int_equal(stage_get(client, "/healthz", NULL, 0), 200);
        worst_s = stage_seconds_since(start_us) > worst_s ? stage_seconds_since(start_us)
                                                          : worst_s;
        http_client_close(client);
    }
    print_message("the slowest of 30 answers took %.1f ms\n", worst_s * 1000);
    for (int i = 0; i < FLOOD_COUNT; i++)
        http_client_close(clients[i]);
    return worst_s;
}

/* Who waits for them waits for a second or more each time; a machine that stalls does
 * not. */
static void health_answers_while_slow_clients_hold_its_listener(void **state)
{
    struct server *server = stage_start(2, "127.0.0.1:0");
    int tries = 1;

    (void)state;
    while (health_beside_a_flood_s(server) >= 1)
        assert_true(++tries < TRY_COUNT_MAX);
    server_stop(server, 1000);
}

static void health_answers_while_all_connections_are_taken(void **state)
{
    struct server *server = stage_start(2, "127.0.0.1:0");
    static struct http_client *clients[STAGE_CONNECTION_COUNT_MAX];
    struct http_client *client = stage_connect(server_health_address(server));

    (void)state;
    for (int i = 0; i < STAGE_CONNECTION_COUNT_MAX; i++) {
        clients[i] = stage_connect(server_address(server));
        assert_true(http_send(clients[i], "GET /sh", 7));
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(stage_get(client, "/healthz", NULL, 0), 200);
    for (int i = 0; i < STAGE_CONNECTION_COUNT_MAX; i++)
        http_client_close(clients[i]);
    http_client_close(client);
    server_stop(server, 1000);
}

/* Put a full pipe in place of stderr; returns what was there. */
static int block_log(int ends[static 2])
{
    static const char filler[4096];
    int kept = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof filler) > 0)
        ;
    while (write(ends[1], filler, 1) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    return kept;
}

static void health_answers_while_nobody_reads_the_log(void **state)
{
    struct server *server = stage_start(2, "127.0.0.1:0");
    struct http_client *client = stage_connect(server_health_address(server));
    int ends[2], kept = block_log(ends), answered_count = 0;

    (void)state;
    /* Each of these makes the library say something. */
    for (int i = 0; i < 20; i++) {
        struct http_client *other = stage_connect(server_health_address(server));

        (void)http_send(other, "GET /hea", 8);
        http_client_close(other);
        answered_count += stage_try_get(client, "/healthz") == 200;
        if (answered_count <= i)
            break;
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(answered_count, 20);
    http_client_close(client);
    server_stop(server, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_do_not_go_together_are_refused),
        cmocka_unit_test(a_connection_is_told_to_go_when_its_life_is_over),
        cmocka_unit_test(a_connection_that_rests_ends_with_its_life),
        cmocka_unit_test(an_answer_under_way_outlives_its_connection),
        cmocka_unit_test(an_address_with_enough_connections_gets_no_more),
        cmocka_unit_test(wrong_keys_are_told_to_wait_and_right_ones_are_not),
        cmocka_unit_test(lines_about_wrong_keys_are_bounded_and_all_are_counted),
        cmocka_unit_test(health_answers_while_slow_clients_hold_its_listener),
        cmocka_unit_test(health_answers_while_all_connections_are_taken),
        cmocka_unit_test(health_answers_while_nobody_reads_the_log),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
