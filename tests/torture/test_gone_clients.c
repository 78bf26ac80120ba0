/* test_gone_clients.c - clients that go without waiting for what they asked for: by a
 * reset while their decision is being written, or by closing the side that speaks while
 * they read an export slowly. What was asked for is done once, answered when it is asked
 * for again, and nothing of them stays.
 *
 * The disk is slow by tests/preload/slow_disk.c, so that every reset comes before an
 * answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/folder.h"
#include "support/live_call.h"
#include "support/process.h"
#include "support/server.h"
#include "support/torture.h"
#include "support/wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { HAS_SLOW_DISK = 0 }; /* a sanitizer and a preload do not mix */
#else
enum { HAS_SLOW_DISK = 1 };
#endif

enum {
    BURST = 64,
    BURST_COUNT = 3,
    BURST_COUNT_LONG = 100,
    BURST_COUNT_MAX = 150, /* on a machine that stalls each time */
    FLUSH_MS = 40,         /* each takes at least so much longer, */
    GONE_MS = 10,          /* and who has sent everything goes after so long */
    BATCH_COUNT = 8,
    BATCH_CASE_COUNT = 200,
    PATIENCE_MS = 60000,
    REQUEST_BYTES = 4096,
    PIECE_BYTES = 64 << 10,
    PIECE_PAUSE_MS = 5,
    EXPORT_BYTES_MAX = 64 << 20,
};

static struct {
    char *support, *audit;
    struct live_server server;
    struct http_client *client;
} stage;

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void start(bool is_slow, const char *const *extra)
{
    if (is_slow && HAS_SLOW_DISK) {
        char ms[16];

        snprintf(ms, sizeof ms, "%d", FLUSH_MS);
        setenv("SLOW_DISK_MS", ms, 1);
        setenv("LD_PRELOAD", PRELOAD_FOLDER "/slow_disk.so", 1);
    }
    assert_true(live_server_start(group_folder(), extra, &stage.server));
    unsetenv("LD_PRELOAD");
    stage.client = http_client_open(stage.server.listen);
    assert_non_null(stage.client);
}

/* And see that what is stored is whole. */
static void stop(void)
{
    const char *const check[] = {"db", "check", "--data", group_folder(), NULL};

    char *output;

    http_client_close(stage.client);
    assert_int_equal(live_server_stop(&stage.server), 0);
    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
}

/* --- resets ------------------------------------------------------------------------------------- */

/* The sample case, of a customer of its own; freed by the caller. */
static char *case_of(int number)
{
    json_t *asked = demo_case(group_folder());
    char *text;

    json_object_set_new(asked, "case_id", json_sprintf("gone_%d", number));
    json_object_set_new(asked, "customer_id", json_sprintf("gone_%d", number));
    text = json_dumps(asked, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(asked);
    return text;
}

static void send_case(struct wire *wire, int number)
{
    char request[REQUEST_BYTES], *body = case_of(number);
    int bytes = snprintf(request, sizeof request,
                         "POST /v1/decisions HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n"
                         "Idempotency-Key: gone-%d\r\nContent-Length: %zu\r\n\r\n%s",
                         stage.support, number, strlen(body), body);

    assert_true(bytes < REQUEST_BYTES);
    assert_true(wire_send(wire, request, (size_t)bytes));
    free(body);
}

/* All at once, and all gone before a flush can have ended; false when this machine took
 * longer. */
static bool send_and_go(int first)
{
    struct wire *wires[BURST];
    int64_t start_us;

    for (int i = 0; i < BURST; i++) {
        wires[i] = wire_open(stage.server.listen, false, PATIENCE_MS);
        assert_non_null(wires[i]);
    }
    start_us = clock_monotonic_us(&system_clock);
    for (int i = 0; i < BURST; i++)
        send_case(wires[i], first + i);
    sleep_ms(GONE_MS);
    for (int i = 0; i < BURST; i++)
        wire_close(wires[i], true);
    return clock_monotonic_us(&system_clock) - start_us < FLUSH_MS * INT64_C(1000);
}

/* With its key again, until it is no longer under way. */
static struct live_reply ask_again(int number)
{
    char key[32], *body = case_of(number);
    const struct live_request request = {.method = "POST",
                                         .path = "/v1/decisions",
                                         .authorization = stage.support,
                                         .key = key,
                                         .body = body};
    struct live_reply reply;

    snprintf(key, sizeof key, "gone-%d", number);
    for (int waited_ms = 0;; waited_ms += 10) {
        reply = live_ask(stage.client, &request);
        if (reply.response.status != 409 || waited_ms > PATIENCE_MS)
            break;
        live_reply_free(&reply);
        sleep_ms(10);
    }
    free(body);
    assert_int_equal(reply.response.status, 201);
    return reply;
}

static void assert_decided_once(int number)
{
    char path[80];
    struct live_reply list;

    snprintf(path, sizeof path, "/v1/customers/gone_%d/decisions", number);
    list = live_ask(stage.client, &(struct live_request){.method = "GET",
                                                         .path = path,
                                                         .authorization = stage.support});
    assert_int_equal(list.response.status, 200);
    assert_int_equal(json_array_size(json_object_get(list.json, "data")), 1);
    live_reply_free(&list);
}

/* Returns how many were decided though nobody waited. */
static int see_that_each_is_decided_once(int first)
{
    int decided_count = 0;

    for (int i = first; i < first + BURST; i++) {
        struct live_reply answer = ask_again(i), again = ask_again(i);

        decided_count += reply_is_replayed(&answer);
        assert_true(reply_is_replayed(&again));
        assert_string_equal(again.response.body, answer.response.body);
        assert_decided_once(i);
        live_reply_free(&answer);
        live_reply_free(&again);
    }
    return decided_count;
}

static void await_descriptors(int wanted)
{
    for (int i = 0;
         i < PATIENCE_MS / 10 && process_descriptor_count(stage.server.pid) != wanted;
         i++)
        sleep_ms(10);
    assert_int_equal(process_descriptor_count(stage.server.pid), wanted);
}

static void who_goes_before_the_answer_is_decided_once_and_leaves_nothing(void **state)
{
    int burst_count = (int)torture_count(BURST_COUNT, BURST_COUNT_LONG);
    int descriptor_count, gone_count = 0, decided_count = 0, unanswered_count = 0;

    (void)state;
    start(true, NULL);
    (void)see_that_each_is_decided_once(0); /* all that is opened once is open then */
    descriptor_count = process_descriptor_count(stage.server.pid);
    for (int i = 1; i <= burst_count ||
                    (HAS_SLOW_DISK && unanswered_count == 0 && i < BURST_COUNT_MAX);
         i++) {
        bool is_before = send_and_go(i * BURST);
        int count = see_that_each_is_decided_once(i * BURST);

        gone_count += BURST;
        decided_count += count;
        unanswered_count += is_before ? count : 0;
    }
    await_descriptors(descriptor_count);
    stop();
    assert_true(decided_count > 0);
    if (HAS_SLOW_DISK)
        assert_true(unanswered_count > 0);
    torture_report("clients that went by a reset", gone_count);
    torture_report("of them decided all the same, once", decided_count);
}

/* --- the side that speaks is closed ------------------------------------------------------------- */

static void decide_many(void)
{
    for (int i = 0; i < BATCH_COUNT; i++) {
        json_t *asked = demo_case(group_folder()), *cases = json_array(), *root;
        char key[32], *body;

        for (int k = 0; k < BATCH_CASE_COUNT; k++) {
            json_t *copy = json_deep_copy(asked);

            json_object_set_new(copy, "case_id", json_sprintf("many_%d_%d", i, k));
            json_array_append_new(cases, copy);
        }
        root = json_pack("{s:o}", "cases", cases);
        body = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
        snprintf(key, sizeof key, "many-%d", i);
        struct live_reply reply =
            live_ask(stage.client, &(struct live_request){.method = "POST",
                                                          .path = "/v1/decision-batches",
                                                          .authorization = stage.support,
                                                          .key = key,
                                                          .body = body});
        assert_int_equal(reply.response.status, 201);
        live_reply_free(&reply);
        free(body);
        json_decref(root);
        json_decref(asked);
    }
}

/* Ask as HTTP/1.0, whose answer ends with the connection, and read in pieces with a pause
 * behind each. All that came, its length in *bytes; freed by the caller. */
static char *read_export(bool closes_its_side, int pause_ms, size_t *bytes)
{
    struct wire *wire = wire_open(stage.server.listen, false, PATIENCE_MS);
    char request[512], *all = malloc(EXPORT_BYTES_MAX);
    enum wire_end end = WIRE_FULL;
    size_t count;

    assert_non_null(wire);
    assert_non_null(all);
    snprintf(request, sizeof request,
             "GET /v1/exports/ledger?format=ndjson HTTP/1.0\r\nAuthorization: %s\r\n\r\n",
             stage.audit);
    assert_true(wire_send(wire, request, strlen(request)));
    if (closes_its_side)
        wire_half_close(wire);
    for (*bytes = 0; end == WIRE_FULL; *bytes += count) {
        assert_true(*bytes + PIECE_BYTES < EXPORT_BYTES_MAX);
        sleep_ms(pause_ms);
        end = wire_receive(wire, all + *bytes, PIECE_BYTES, &count);
    }
    assert_int_equal(end, WIRE_CLOSED);
    wire_close(wire, false);
    return all;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    assert_int_equal(strncmp(answer, "HTTP/1.", 7), 0);
    assert_non_null(strstr(answer, " 200 OK\r\n"));
    assert_non_null(end);
    return end + 4;
}

/* Over a local socket, which holds little of what is not yet read. */
static void an_export_read_slowly_by_who_says_no_more_is_whole(void **state)
{
    char address[200];
    const char *const extra[] = {"--listen", address, "--health-listen", "127.0.0.1:0",
                                 NULL};
    size_t whole_bytes, slow_bytes;
    char *whole, *slow;
    int descriptor_count;

    (void)state;
    snprintf(address, sizeof address, "unix:%s/gone.sock", group_folder());
    start(false, extra);
    decide_many();
    descriptor_count = process_descriptor_count(stage.server.pid);
    whole = read_export(false, 0, &whole_bytes);
    slow = read_export(true, PIECE_PAUSE_MS, &slow_bytes);
    print_message("%zu bytes\n", slow_bytes);
    assert_true(slow_bytes > 8 * PIECE_BYTES);
    assert_int_equal(slow_bytes, whole_bytes);
    assert_string_equal(body_of(slow), body_of(whole));
    await_descriptors(descriptor_count);
    free(whole);
    free(slow);
    stop();
}

static int make_world(void **state)
{
    if (group_folder_open(state) != 0 || !demo_make(group_folder()))
        return -1;
    stage.support = demo_authorization(group_folder(), "support");
    stage.audit = demo_authorization(group_folder(), "audit");
    return stage.support && stage.audit ? 0 : -1;
}

static int forget_world(void **state)
{
    free(stage.support);
    free(stage.audit);
    return group_folder_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_goes_before_the_answer_is_decided_once_and_leaves_nothing),
        cmocka_unit_test(an_export_read_slowly_by_who_says_no_more_is_whole),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_world, forget_world);
}
