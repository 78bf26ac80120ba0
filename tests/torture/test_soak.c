/* test_soak.c - mixed traffic for as long as one wants, five seconds or twenty minutes:
 * what a service that runs for months must not do is grow. Memory, descriptors and the
 * write-ahead log are sampled from the end of a warm-up on. Where the caches of the
 * database still fill, in the quick form, a small leak is lost in them: so requests that
 * add no row are repeated alone, too, with a close bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/door.h"
#include "support/folder.h"
#include "support/live_call.h"
#include "support/process.h"
#include "support/server.h"
#include "support/torture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CLIENT_COUNT = 6,
    SOAK_MS = 5000,
    SOAK_MS_LONG = 20 * 60 * 1000,
    DECISION_COUNT_MIN = 100, /* in the warm-up, and after it */
    WARM_UP_SHARE = 5,        /* one part in so many is the warm-up */
    SAMPLE_MS = 200,
    CALLS_PER_CONNECTION = 200,
    GROWTH_PER_1000_MAX = 64 << 10,
    GROWTH_FREE =
        64 << 20, /* the caches of the database: full only after a long warm-up */
    GROWTH_FREE_LONG = 0,
    ROUND_COUNT_WARM = 150, /* until all that is kept for later is there */
    ROUND_COUNT = 600,
    ROUND_COUNT_LONG = 20000,
    REPEATED_GROWTH_MAX = 512 << 10, /* 170 bytes a request of the quick form */
    LOG_BYTES_MAX = 256 << 20,
    DESCRIPTOR_GROWTH_MAX = CLIENT_COUNT + 2,
};

static struct {
    char *folder, *admin;
    struct live_server server;
    _Atomic int64_t decision_count, call_count, trouble_count;
    atomic_bool is_over;
} stage;

struct client {
    pthread_t thread;
    int number;
    int64_t turn;
    struct http_client *http;
    char id[64]; /* of the last decision */
};

/* --- traffic ------------------------------------------------------------------------------------ */

static int call(struct client *client, const struct live_request *request)
{
    struct live_reply reply;
    int status = 0;

    if (!live_call(client->http, request, &reply))
        return 0;
    status = reply.response.status;
    if (status == 201 && strcmp(request->path, "/v1/decisions") == 0)
        snprintf(client->id, sizeof client->id, "%s", reply_text(&reply, "id"));
    live_reply_free(&reply);
    atomic_fetch_add(&stage.call_count, 1);
    return status;
}

static int decide(struct client *client, int64_t number)
{
    char body[CASE_TEXT_BYTES], customer[32], key[64];

    snprintf(customer, sizeof customer, "c%d-%" PRId64, client->number, number % 1000);
    snprintf(key, sizeof key, "soak-%d-%" PRId64, client->number, number);
    case_text(body, customer, "other", true);
    return call(client, &(struct live_request){.method = "POST",
                                               .path = "/v1/decisions",
                                               .authorization = stage.admin,
                                               .key = key,
                                               .body = body});
}

static int end(struct client *client, const char *how, const char *body)
{
    char path[128], key[128];

    snprintf(path, sizeof path, "/v1/decisions/%s/%s", client->id, how);
    snprintf(key, sizeof key, "%s-%s", how, client->id);
    return call(client, &(struct live_request){.method = "POST",
                                               .path = path,
                                               .authorization = stage.admin,
                                               .key = key,
                                               .body = body});
}

static int get(struct client *client, const char *path, const char *authorization)
{
    return call(client, &(struct live_request){.method = "GET",
                                               .path = path,
                                               .authorization = authorization});
}

/* One round of what clients do, good and bad; a turn is wrong when an answer is not the
 * expected. */
static bool take_turn(struct client *client)
{
    char path[128];
    bool is_fine = decide(client, client->turn) == 201;

    atomic_fetch_add(&stage.decision_count, 1);
    snprintf(path, sizeof path, "/v1/decisions/%s", client->id);
    switch (client->turn % 8) {
    case 0:
        return is_fine && end(client, "settle", "{\"amount\": 1}") == 200;
    case 1:
        return is_fine && end(client, "release", "{\"reason_code\": \"x\"}") == 200;
    case 2:
        return is_fine && decide(client, client->turn) == 201;
    case 3:
        return is_fine && get(client, path, stage.admin) == 200;
    case 4:
        return is_fine && get(client, "/v1/decisions?limit=20", stage.admin) == 200;
    case 5:
        return is_fine && get(client, path, "Bearer key_x.y") == 401;
    case 6:
        return is_fine && end(client, "settle", "{\"amount\": -1}") == 422;
    default:
        return is_fine && get(client, "/v1/budgets?limit=x", stage.admin) == 422;
    }
}

static void *client_run(void *argument)
{
    struct client *client = argument;

    client->http = http_client_open(stage.server.listen);
    for (; !atomic_load(&stage.is_over); client->turn++) {
        if (!take_turn(client)) {
            fprintf(stderr, "turn %" PRId64 " of client %d: %s\n", client->turn,
                    client->number, http_client_trouble(client->http));
            atomic_fetch_add(&stage.trouble_count, 1);
        }
        if (client->turn % CALLS_PER_CONNECTION == 0)
            http_disconnect(client->http);
    }
    http_client_close(client->http);
    return NULL;
}

/* --- samples ------------------------------------------------------------------------------------ */

static int64_t log_bytes(void)
{
    char path[4096];
    struct stat file;

    snprintf(path, sizeof path, "%s/redress.db-wal", stage.folder);
    return stat(path, &file) == 0 ? file.st_size : 0;
}

struct course {
    int64_t resident, log_max, decision_count;
    int descriptors, descriptors_max;
};

/* So long, and until so many decisions were made. */
static void follow(struct course *course, int64_t ms, int64_t decision_count)
{
    int64_t until_us = clock_monotonic_us(&system_clock) + ms * 1000;

    course->descriptors = process_descriptor_count(stage.server.pid);
    while (clock_monotonic_us(&system_clock) < until_us ||
           atomic_load(&stage.decision_count) < decision_count) {
        int descriptors = process_descriptor_count(stage.server.pid);
        int64_t log = log_bytes();

        if (descriptors > course->descriptors_max)
            course->descriptors_max = descriptors;
        if (log > course->log_max)
            course->log_max = log;
        usleep(SAMPLE_MS * 1000);
    }
    course->resident = process_resident_bytes(stage.server.pid);
    course->decision_count = atomic_load(&stage.decision_count);
}

static void assert_bounded(const struct course *warm, const struct course *soak)
{
    int64_t decisions = soak->decision_count - warm->decision_count;
    int64_t growth = soak->resident - warm->resident;
    int64_t growth_max = decisions * GROWTH_PER_1000_MAX / 1000 +
                         torture_count(GROWTH_FREE, GROWTH_FREE_LONG);

    print_message(
        "%" PRId64 " decisions in %" PRId64 " calls: memory %" PRId64 " -> %" PRId64
        " kB (%.2f kB per 1,000 decisions), descriptors at most %d, log at most "
        "%" PRId64 " kB\n",
        decisions, atomic_load(&stage.call_count), warm->resident >> 10,
        soak->resident >> 10,
        (double)growth / 1024 * 1000 / (double)(decisions ? decisions : 1),
        soak->descriptors_max, soak->log_max >> 10);
    if (process_memory_is_told())
        assert_true(growth < growth_max);
    assert_true(soak->descriptors_max <= warm->descriptors_max + DESCRIPTOR_GROWTH_MAX);
    assert_true(soak->log_max < LOG_BYTES_MAX);
}

/* --- the same again ------------------------------------------------------------------------------ */

/* Requests of every kind that leave no row behind, and what answers them. */
static void repeat(struct client *client, int rounds)
{
    char path[128], body[CASE_TEXT_BYTES];
    const struct live_request dry = {.method = "POST",
                                     .path = "/v1/decisions?dry_run=true",
                                     .authorization = stage.admin,
                                     .key = "soak-dry",
                                     .body = body};

    case_text(body, "c-again", "other", true);
    snprintf(path, sizeof path, "/v1/decisions/%s", client->id);
    for (int i = 0; i < rounds; i++) {
        assert_int_equal(decide(client, 0), 201);
        assert_int_equal(call(client, &dry), 200);
        assert_int_equal(get(client, path, stage.admin), 200);
        assert_int_equal(get(client, path, "Bearer key_x.y"), 401);
        assert_int_equal(end(client, "settle", "{\"amount\": -1}"), 422);
    }
}

static void what_is_asked_again_takes_no_memory(void **state)
{
    const int rounds = (int)torture_count(ROUND_COUNT, ROUND_COUNT_LONG);
    struct client client = {.number = CLIENT_COUNT,
                            .http = http_client_open(stage.server.listen)};
    int64_t before, growth;

    (void)state;
    assert_non_null(client.http);
    assert_int_equal(decide(&client, 0), 201);
    repeat(&client, ROUND_COUNT_WARM);
    before = process_resident_bytes(stage.server.pid);
    repeat(&client, rounds);
    growth = process_resident_bytes(stage.server.pid) - before;
    http_client_close(client.http);
    print_message("%d rounds of five requests: memory + %" PRId64 " kB\n", rounds,
                  growth >> 10);
    if (process_memory_is_told())
        assert_true(growth < REPEATED_GROWTH_MAX);
    torture_report("requests repeated without growth", 5 * (int64_t)rounds);
}

/* --- mixed traffic ------------------------------------------------------------------------------ */

static void what_runs_for_long_does_not_grow(void **state)
{
    int64_t ms = torture_count(SOAK_MS, SOAK_MS_LONG);
    struct client clients[CLIENT_COUNT] = {0};
    struct course warm = {0}, soak = {0};

    (void)state;
    for (int i = 0; i < CLIENT_COUNT; i++) {
        clients[i].number = i;
        assert_int_equal(
            pthread_create(&clients[i].thread, NULL, client_run, &clients[i]), 0);
    }
    follow(&warm, ms / WARM_UP_SHARE, DECISION_COUNT_MIN);
    follow(&soak, ms - ms / WARM_UP_SHARE, warm.decision_count + DECISION_COUNT_MIN);
    atomic_store(&stage.is_over, true);
    for (int i = 0; i < CLIENT_COUNT; i++)
        pthread_join(clients[i].thread, NULL);
    assert_bounded(&warm, &soak);
    assert_int_equal(atomic_load(&stage.trouble_count), 0);
    torture_report("decisions in a soak", soak.decision_count);
}

static int stage_open(void **state)
{
    struct door door;

    (void)state;
    stage.folder = folder_temporary();
    stage.admin = admin_authorization(stage.folder);
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    door = door_outside(stage.server.listen, stage.admin);
    door_fill(&door);
    door_add_budget(&door, "bud_soak", NULL, INT64_C(1000000000000));
    door_close(&door);
    return 0;
}

static int stage_close(void **state)
{
    const char *const check[] = {"db", "check", "--data", stage.folder, NULL};
    char *output;

    (void)state;
    assert_int_equal(live_server_stop(&stage.server), 0);
    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
    free(stage.admin);
    free(stage.folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_again_takes_no_memory),
        cmocka_unit_test(what_runs_for_long_does_not_grow),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
