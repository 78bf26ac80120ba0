/* test_request_memory.c - the memory that one key's requests hold, announced or sent:
 * others go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/http_client.h"
#include "support/live_call.h"
#include "support/server.h"
#include "support/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ANNOUNCED_COUNT = 8,
    ANNOUNCED_BYTES = 32 << 20,
    STALLED_COUNT = 2, /* 64 of the 72 MB that a key has at least */
    BATCH_CASE_COUNT = 200,
    SHORT_MS = 100,
    LONG_MS = 60000,
};

/* Nothing but the head of a model that is to come. */
static struct wire *announce(const char *address, const char *authorization, int wait_ms)
{
    struct wire *wire = wire_open(address, false, wait_ms);
    char head[512];

    assert_non_null(wire);
    snprintf(head, sizeof head,
             "POST /v1/models/m/versions HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n"
             "Idempotency-Key: k\r\nContent-Length: %d\r\n\r\n{",
             authorization, ANNOUNCED_BYTES);
    assert_true(wire_send(wire, head, strlen(head)));
    return wire;
}

/* It was taken for what it is: nobody has answered, or hung up. */
static void assert_awaited(struct wire *wire)
{
    char answer[4096];
    size_t bytes;

    assert_int_equal(wire_receive(wire, answer, sizeof answer, &bytes), WIRE_TIMED_OUT);
    assert_int_equal(bytes, 0);
    wire_close(wire, false);
}

static char *batch_of_cases(void)
{
    json_t *asked = demo_case(group_folder()), *cases = json_array(), *root;
    char *text;

    for (int i = 0; i < BATCH_CASE_COUNT; i++) {
        json_t *copy = json_deep_copy(asked);

        json_object_set_new(copy, "case_id", json_sprintf("a_%d", i));
        json_array_append_new(cases, copy);
    }
    root = json_pack("{s:o}", "cases", cases);
    text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(root);
    json_decref(asked);
    return text;
}

struct stage {
    struct live_server server;
    char *science, *support, *batch;
};

static struct stage start(void)
{
    static const char *const extra[] = {"--request-memory-mb", "128", "--deadline-s",
                                        "60", NULL};
    struct stage stage = {.science = demo_authorization(group_folder(), "science"),
                          .support = demo_authorization(group_folder(), "support"),
                          .batch = batch_of_cases()};

    assert_true(live_server_start(group_folder(), extra, &stage.server));
    return stage;
}

static void stop(struct stage *stage)
{
    assert_int_equal(live_server_stop(&stage->server), 0);
    free(stage->science);
    free(stage->support);
    free(stage->batch);
}

/* With another key, a body of some 100 KB; and health. */
static void assert_others_go_on(const struct stage *stage, const char *idempotency_key)
{
    const struct live_request request = {.method = "POST",
                                         .path = "/v1/decision-batches",
                                         .authorization = stage->support,
                                         .key = idempotency_key,
                                         .body = stage->batch};
    struct http_client *client = http_client_open(stage->server.listen),
                       *health = http_client_open(stage->server.health_listen);
    struct http_response response;
    struct live_reply reply = live_ask(client, &request);

    assert_int_equal(reply.response.status, 201);
    live_reply_free(&reply);
    assert_true(http_call(health, "GET", "/readyz", NULL, NULL, 0, &response));
    assert_int_equal(response.status, 200);
    http_response_free(&response);
    http_client_close(client);
    http_client_close(health);
}

/* Twice what all requests together may hold is announced with one key, none of it
 * sent. */
static void who_announces_much_with_one_key_holds_up_no_other(void **state)
{
    struct stage stage = start();
    struct wire *waiting[ANNOUNCED_COUNT];

    (void)state;
    for (int i = 0; i < ANNOUNCED_COUNT; i++)
        waiting[i] = announce(stage.server.listen, stage.science, SHORT_MS);
    assert_others_go_on(&stage, "announced");
    for (int i = 0; i < ANNOUNCED_COUNT; i++)
        assert_awaited(waiting[i]);
    stop(&stage);
}

static void send_all_but_the_end(struct wire *wire)
{
    static char spaces[1 << 20];

    memset(spaces, ' ', sizeof spaces);
    for (int i = 0; i < ANNOUNCED_BYTES / (int)sizeof spaces; i++)
        assert_true(wire_send(wire, spaces, sizeof spaces - (i == 0 ? 2 : 0)));
}

/* What it may hold is sent with one key, but for the last byte of each. What it sends
 * beyond that is refused; all that others need is there. */
static void who_sends_much_with_one_key_and_stalls_holds_up_no_other(void **state)
{
    struct stage stage = start();
    struct wire *stalled[STALLED_COUNT];
    char answer[4096] = "";

    (void)state;
    for (int i = 0; i < STALLED_COUNT; i++) {
        stalled[i] = announce(stage.server.listen, stage.science, LONG_MS);
        send_all_but_the_end(stalled[i]);
    }
    for (int i = 0; i < LONG_MS / SHORT_MS && !answer[0]; i++) {
        struct wire *wire = announce(stage.server.listen, stage.science, SHORT_MS);
        size_t bytes;

        (void)wire_receive(wire, answer, sizeof answer, &bytes);
        wire_close(wire, false);
    }
    assert_int_equal(strncmp(answer, "HTTP/1.1 429 ", 13), 0);
    assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
    assert_non_null(strstr(answer, "\"code\":\"too_much_at_once\""));
    assert_others_go_on(&stage, "stalled");
    for (int i = 0; i < STALLED_COUNT; i++)
        wire_close(stalled[i], true);
    stop(&stage);
}

static int make_world(void **state)
{
    return group_folder_open(state) == 0 && demo_make(group_folder()) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_announces_much_with_one_key_holds_up_no_other),
        cmocka_unit_test(who_sends_much_with_one_key_and_stalls_holds_up_no_other),
    };

    return cmocka_run_group_tests(tests, make_world, group_folder_close);
}
