/* test_server_memory.c - the memory of requests: what bodies may hold, and who is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/server_stage.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BODY_BYTES = 60000, BODIES_BYTES_MAX = 100000 };

static const char large_body[BODY_BYTES];

static struct server *start_with_memory(size_t bytes, size_t key_bytes)
{
    struct server_settings settings = stage_settings(2, NULL);

    settings.request_memory_bytes = bytes;
    settings.key_memory_bytes = key_bytes;
    return stage_start_with(&settings);
}

static struct server *start_with_little_memory(void)
{
    return start_with_memory(BODIES_BYTES_MAX, 0);
}

/* Announce a body with the key of that number, and send so much of it. */
static struct http_client *announce_with(const struct server *server, int key,
                                         size_t bytes)
{
    int begun_count = atomic_load(&stage.begun_count);
    struct http_client *client = stage_connect(server_address(server));
    char head[200];

    snprintf(head, sizeof head,
             "POST /echo HTTP/1.1\r\nHost: a\r\nAuthorization: %d\r\n"
             "Content-Length: %d\r\n\r\n",
             key, BODY_BYTES);
    assert_true(http_send(client, head, strlen(head)));
    while (atomic_load(&stage.begun_count) == begun_count)
        usleep(1000);
    assert_true(http_send(client, large_body, bytes));
    return client;
}

static struct http_client *announce(const struct server *server, size_t bytes)
{
    return announce_with(server, 0, bytes);
}

static int receive_status(struct http_client *client)
{
    struct http_response response;
    int status;

    assert_true(http_receive(client, true, &response));
    status = response.status;
    http_response_free(&response);
    return status;
}

static int post_with(struct http_client *client, const char *key)
{
    const struct http_header headers[] = {{"Authorization", key}, {NULL, NULL}};
    struct http_response response;
    int status;

    stage_call(client, "POST", "/echo", headers, large_body, sizeof large_body,
               &response);
    status = response.status;
    http_response_free(&response);
    return status;
}

static int post_body(struct http_client *client)
{
    return post_with(client, "0");
}

/* Until a body is answered so: what another has sent is there then, or what it had is
 * free. */
static void wait_until(struct http_client *client, const char *key, int wanted)
{
    int status = 0;

    for (int i = 0; i < PATIENCE_S * 100 && status != wanted; i++) {
        status = post_with(client, key);
        if (status != wanted)
            usleep(10000);
    }
    assert_int_equal(status, wanted);
}

static void wait_until_held(struct http_client *client)
{
    wait_until(client, "0", 503);
}

static void bodies_beyond_the_memory_for_all_are_refused(void **state)
{
    struct server *server = start_with_little_memory();
    struct http_client *waiting, *client = stage_connect(server_address(server));
    int good_count = 0;

    (void)state;
    waiting = announce(server, sizeof large_body - 1);
    wait_until_held(client);
    http_client_close(waiting);
    /* The place comes free once the server has seen it; and what was taken is given back
     * each time. */
    for (int i = 0; i < PATIENCE_S * 10 && good_count < 5; i++) {
        int status = post_body(client);

        good_count += status == 200;
        if (status != 200)
            usleep(100000);
    }
    assert_int_equal(good_count, 5);
    http_client_close(client);
    server_stop(server, 1000);
}

static void who_only_announces_a_body_holds_no_memory(void **state)
{
    struct server *server = start_with_little_memory();
    struct http_client *waiting[8], *client = stage_connect(server_address(server));

    (void)state;
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
        waiting[i] = announce(server, i);
    assert_int_equal(post_body(client), 200);
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
        http_client_close(waiting[i]);
    http_client_close(client);
    server_stop(server, 1000);
}

static void a_body_that_finds_no_memory_on_its_way_is_refused_at_its_end(void **state)
{
    struct server *server = start_with_little_memory();
    struct http_client *late = announce(server, 0), *first, *client;
    int run_count;

    (void)state;
    first = announce(server, sizeof large_body - 1);
    client = stage_connect(server_address(server));
    wait_until_held(client);
    run_count = atomic_load(&stage.run_count);
    assert_true(http_send(late, large_body, sizeof large_body));
    assert_int_equal(receive_status(late), 503);
    assert_int_equal(atomic_load(&stage.run_count), run_count);
    assert_int_equal(stage_get(late, "/show", NULL, 0), 200);
    assert_true(http_send(first, large_body, 1));
    assert_int_equal(receive_status(first), 200);
    http_client_close(late);
    http_client_close(first);
    http_client_close(client);
    server_stop(server, 1000);
}

/* Sent and stalled, it is what its key may hold; the rest is for others. */
static void one_key_holds_no_more_than_its_share(void **state)
{
    struct server *server = start_with_memory(5 * BODIES_BYTES_MAX, BODIES_BYTES_MAX);
    struct http_client *late = announce_with(server, 1, 0),
                       *stalled = announce_with(server, 1, sizeof large_body - 1),
                       *client = stage_connect(server_address(server));

    (void)state;
    wait_until(client, "1", 429);
    assert_int_equal(post_with(client, "2"), 200);
    assert_int_equal(post_with(client, "65536"), 200); /* the last that there can be */
    assert_int_equal(post_with(client, "0"), 200);     /* no key at all */
    assert_int_equal(post_with(client, "1"), 429);
    assert_true(http_send(late, large_body, sizeof large_body));
    assert_int_equal(receive_status(late), 429);
    assert_int_equal(stage_get(late, "/show", NULL, 0), 200);
    http_client_close(stalled);
    wait_until(client, "1", 200);
    assert_int_equal(post_with(client, "1"), 200);
    http_client_close(late);
    http_client_close(client);
    server_stop(server, 1000);
}

/* What the key may have, but others hold, is no fault of the key. */
static void who_finds_all_memory_held_by_others_hears_so(void **state)
{
    struct server *server = start_with_memory(BODIES_BYTES_MAX, BODIES_BYTES_MAX);
    struct http_client *stalled = announce_with(server, 1, sizeof large_body - 1),
                       *client = stage_connect(server_address(server));

    (void)state;
    wait_until(client, "2", 503);
    http_client_close(stalled);
    wait_until(client, "2", 200);
    http_client_close(client);
    server_stop(server, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_beyond_the_memory_for_all_are_refused),
        cmocka_unit_test(who_only_announces_a_body_holds_no_memory),
        cmocka_unit_test(a_body_that_finds_no_memory_on_its_way_is_refused_at_its_end),
        cmocka_unit_test(one_key_holds_no_more_than_its_share),
        cmocka_unit_test(who_finds_all_memory_held_by_others_hears_so),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
