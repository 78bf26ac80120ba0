/* test_durability.c - the real server under load, killed at random moments: what was acknowledged
 * is there, byte for byte; what was in doubt becomes exactly one decision; nothing is overspent.
 *
 * KILLS=n changes the number of rounds, REDRESS_SEED repeats a run's choices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/folder.h"
#include "support/live_call.h"
#include "support/server.h"
#include "support/store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CLIENT_COUNT = 4,
    KILL_COUNT = 10,
    RECORD_COUNT_MAX = 100000,
    ROUND_MS_MIN = 30,
    ROUND_MS_MAX = 200,
    ROOM_PER_ROUND = 9000, /* about nine credits: most of a round is refused */
};

#define BUDGET_PATH "/v1/budgets/bud_us_ca_late"

/* A request that moves money, and what was said to it; answer NULL: nobody knows. */
struct record {
    char path[96], key[32], customer[32], *body, *answer;
    int status;
};

struct client {
    pthread_t thread;
    struct rng rng;
    int number;
    struct record *records;
    int count;
    char held[64]; /* a decision of this client that is held, or empty */
};

static struct {
    char *folder, *support, *ops;
    struct live_server server;
    json_t *asked;
    struct client clients[CLIENT_COUNT];
    atomic_bool is_over;
    atomic_int overspent_count,
        odd_count; /* seen by the threads, which cannot fail a test */
    int granted_count, refused_count, doubt_count, doubt_kept_count;
} stage;

/* --- clients ---------------------------------------------------------------------------------- */

static void make_case(struct client *client, struct record *record)
{
    json_t *asked = json_deep_copy(stage.asked);

    snprintf(record->path, sizeof record->path, "/v1/decisions");
    snprintf(record->customer, sizeof record->customer, "c_%d_%d", client->number,
             client->count);
    json_object_set_new(asked, "customer_id", json_string(record->customer));
    record->body = json_dumps(asked, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(asked);
}

/* Settle a part, or release. */
static void make_end(struct client *client, struct record *record)
{
    bool is_settle = rng_below(&client->rng, 2);

    snprintf(record->path, sizeof record->path, "/v1/decisions/%s/%s", client->held,
             is_settle ? "settle" : "release");
    record->body = strdup(is_settle ? "{\"amount\": 300}" : "{\"reason_code\": \"x\"}");
    client->held[0] = '\0';
}

static bool send_record(struct http_client *http, const struct record *record,
                        struct live_reply *reply)
{
    return live_call(http,
                     &(struct live_request){.method = "POST",
                                            .path = record->path,
                                            .authorization = stage.support,
                                            .key = record->key,
                                            .body = record->body},
                     reply);
}

static bool is_decision(const struct record *record)
{
    return record->customer[0];
}

static int status_wanted(const struct record *record)
{
    return is_decision(record) ? 201 : 200;
}

static void keep(struct record *record, const struct live_reply *reply)
{
    record->status = reply->response.status;
    record->answer = strdup(reply->response.body);
    if (record->status != status_wanted(record)) {
        fprintf(stderr, "%s: %d %s\n", record->path, record->status, record->answer);
        atomic_fetch_add(&stage.odd_count, 1);
    }
}

static void *client_run(void *argument)
{
    struct client *client = argument;
    struct http_client *http = http_client_open(stage.server.listen);

    while (!atomic_load(&stage.is_over) && client->count < RECORD_COUNT_MAX) {
        struct record *record = &client->records[client->count];
        struct live_reply reply;

        if (client->held[0] && rng_below(&client->rng, 3) == 0)
            make_end(client, record);
        else
            make_case(client, record);
        snprintf(record->key, sizeof record->key, "k-%d-%d", client->number,
                 client->count++);
        if (!send_record(http, record, &reply))
            break; /* killed: this one is in doubt */
        keep(record, &reply);
        if (is_decision(record) && reply_int(&reply, "amount") > 0)
            snprintf(client->held, sizeof client->held, "%s", reply_text(&reply, "id"));
        live_reply_free(&reply);
    }
    http_client_close(http);
    return NULL;
}

/* No read, at any moment, shows more held and spent than the limit. */
static void look_at_budget(struct http_client *http)
{
    struct live_reply reply;
    int64_t limit, held, spent;

    if (!live_call(http,
                   &(struct live_request){.method = "GET",
                                          .path = BUDGET_PATH,
                                          .authorization = stage.support},
                   &reply))
        return;
    limit = reply_int(&reply, "limit");
    held = reply_int(&reply, "held");
    spent = reply_int(&reply, "spent");
    if (reply.response.status != 200 || held < 0 || spent < 0 || held + spent > limit ||
        reply_int(&reply, "remaining") != limit - held - spent) {
        fprintf(stderr, "%s\n", reply.response.body);
        atomic_fetch_add(&stage.overspent_count, 1);
    }
    live_reply_free(&reply);
}

static void *watcher_run(void *argument)
{
    struct http_client *http = http_client_open(stage.server.listen);

    (void)argument;
    while (!atomic_load(&stage.is_over)) {
        look_at_budget(http);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    http_client_close(http);
    return NULL;
}

/* --- a round ---------------------------------------------------------------------------------- */

static void give_room(struct http_client *http)
{
    char body[64];
    struct live_reply reply = live_ask(
        http, &(struct live_request){
                  .method = "GET", .path = BUDGET_PATH, .authorization = stage.ops});

    snprintf(body, sizeof body, "{\"limit\": %lld}",
             (long long)(reply_int(&reply, "held") + reply_int(&reply, "spent") +
                         ROOM_PER_ROUND));
    live_reply_free(&reply);
    reply = live_ask(http, &(struct live_request){.method = "PUT",
                                                  .path = BUDGET_PATH,
                                                  .authorization = stage.ops,
                                                  .if_match = "*",
                                                  .body = body});
    assert_int_equal(reply.response.status, 200);
    live_reply_free(&reply);
}

static void run_until_killed(int after_ms)
{
    pthread_t watcher;

    atomic_store(&stage.is_over, false);
    for (int i = 0; i < CLIENT_COUNT; i++)
        assert_int_equal(
            pthread_create(&stage.clients[i].thread, NULL, client_run, &stage.clients[i]),
            0);
    assert_int_equal(pthread_create(&watcher, NULL, watcher_run, NULL), 0);
    nanosleep(&(struct timespec){.tv_nsec = after_ms * 1000000L}, NULL);
    live_server_kill(&stage.server);
    atomic_store(&stage.is_over, true);
    for (int i = 0; i < CLIENT_COUNT; i++)
        pthread_join(stage.clients[i].thread, NULL);
    pthread_join(watcher, NULL);
}

/* --- afterwards ------------------------------------------------------------------------------- */

static void ask_again(struct http_client *http, struct record *record)
{
    struct live_reply reply;

    if (!send_record(http, record, &reply))
        fail_msg("%s: %s", record->key, http_client_trouble(http));
    if (!record->answer) {
        stage.doubt_count++;
        stage.doubt_kept_count += reply_is_replayed(&reply);
        keep(record, &reply);
        live_reply_free(&reply);
        assert_true(send_record(http, record, &reply));
    }
    if (reply.response.status != record->status || !reply_is_replayed(&reply) ||
        strcmp(reply.response.body, record->answer) != 0)
        fail_msg("%s %s: acknowledged %d %s\nnow %d %s", record->key, record->path,
                 record->status, record->answer, reply.response.status,
                 reply.response.body);
    live_reply_free(&reply);
}

/* Exactly one decision came of the key. */
static void count_decisions(struct http_client *http, const struct record *record)
{
    char path[96];
    struct live_reply reply;
    json_t *data;

    snprintf(path, sizeof path, "/v1/customers/%s/decisions", record->customer);
    reply = live_ask(http, &(struct live_request){.method = "GET",
                                                  .path = path,
                                                  .authorization = stage.support});
    data = json_object_get(reply.json, "data");
    if (json_array_size(data) != 1)
        fail_msg("%s: %s", path, reply.response.body);
    if (json_integer_value(json_object_get(json_array_get(data, 0), "amount")) > 0)
        stage.granted_count++;
    else
        stage.refused_count++;
    live_reply_free(&reply);
}

/* Everything since record first[client] of each client. */
static void verify_from(const int first[CLIENT_COUNT])
{
    struct http_client *http = http_client_open(stage.server.listen);

    for (int c = 0; c < CLIENT_COUNT; c++)
        for (int i = first[c]; i < stage.clients[c].count; i++)
            ask_again(http, &stage.clients[c].records[i]);
    look_at_budget(http);
    http_client_close(http);
}

static void count_all(void)
{
    struct http_client *http = http_client_open(stage.server.listen);

    for (int c = 0; c < CLIENT_COUNT; c++)
        for (int i = 0; i < stage.clients[c].count; i++)
            if (is_decision(&stage.clients[c].records[i]))
                count_decisions(http, &stage.clients[c].records[i]);
    http_client_close(http);
}

static void check_folder(void)
{
    const char *const check[] = {"db", "check", "--data", stage.folder, NULL};
    const char *const verify[] = {"audit", "verify", "--data", stage.folder, NULL};
    const char *const replay[] = {"replay", "--all", "--data", stage.folder, NULL};
    char *output;

    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
    assert_int_equal(program_run(verify, NULL, &output), 0);
    free(output);
    assert_int_equal(program_run(replay, NULL, &output), 0);
    free(output);
}

static void stage_open(uint64_t seed)
{
    stage.folder = folder_temporary();
    assert_true(demo_make(stage.folder));
    stage.support = demo_authorization(stage.folder, "support");
    stage.ops = demo_authorization(stage.folder, "ops");
    stage.asked = demo_case(stage.folder);
    for (int i = 0; i < CLIENT_COUNT; i++) {
        stage.clients[i].number = i;
        stage.clients[i].records = calloc(RECORD_COUNT_MAX, sizeof(struct record));
        rng_seed(&stage.clients[i].rng, seed + (uint64_t)i + 1);
    }
}

static void stage_close(void)
{
    for (int c = 0; c < CLIENT_COUNT; c++) {
        for (int i = 0; i < stage.clients[c].count; i++) {
            free(stage.clients[c].records[i].body);
            free(stage.clients[c].records[i].answer);
        }
        free(stage.clients[c].records);
    }
    json_decref(stage.asked);
    free(stage.support);
    free(stage.ops);
    free(stage.folder);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    const char *kills = getenv("KILLS");
    int kill_count = kills ? atoi(kills) : KILL_COUNT, total = 0;
    uint64_t seed = seed_print("what_was_acknowledged_survives_kill_9");
    const int from_the_start[CLIENT_COUNT] = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed);
    stage_open(seed);
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    for (int round = 0; round < kill_count; round++) {
        struct http_client *http = http_client_open(stage.server.listen);
        int first[CLIENT_COUNT];

        for (int c = 0; c < CLIENT_COUNT; c++)
            first[c] = stage.clients[c].count;
        give_room(http);
        http_client_close(http);
        run_until_killed(ROUND_MS_MIN +
                         (int)rng_below(&rng, ROUND_MS_MAX - ROUND_MS_MIN));
        assert_true(live_server_start(stage.folder, NULL, &stage.server));
        verify_from(first);
        assert_int_equal(atomic_load(&stage.overspent_count), 0);
        assert_int_equal(atomic_load(&stage.odd_count), 0);
    }
    verify_from(from_the_start);
    count_all();
    assert_int_equal(live_server_stop(&stage.server), 0);
    check_folder();
    for (int c = 0; c < CLIENT_COUNT; c++)
        total += stage.clients[c].count;
    print_message(
        "%d kills, %d requests, %d granted, %d refused, %d in doubt, of which %d "
        "were recorded\n",
        kill_count, total, stage.granted_count, stage.refused_count, stage.doubt_count,
        stage.doubt_kept_count);
    /* Without all of these the run would have shown nothing. */
    assert_true(stage.granted_count > 0 && stage.refused_count > 0);
    assert_true(stage.doubt_count > 0);
    stage_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
