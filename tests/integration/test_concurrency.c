/* test_concurrency.c - many at once against the real server: one key from many
 * connections, many ends of one hold, and everything that can change changing while cases
 * are decided.
 *
 * Also meant for ThreadSanitizer: a race in the server shows in its exit code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/live_call.h"
#include "support/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SAME_KEY_CONNECTIONS = 12,
    SAME_KEY_COUNT = 50,
    END_CONNECTIONS = 64,
    DECIDER_COUNT = 4,
    DECISIONS_PER_DECIDER = 150,
    DECISIONS_PER_DECIDER_MAX = 20000,
    CHANGE_PAUSE_US = 500,
};

/* --- the stage -------------------------------------------------------------------------------- */

static struct {
    char *folder, *support, *ops, *science;
    struct live_server server;
    struct http_client *client;
} stage;

static struct live_reply ask_on(struct http_client *client, const char *authorization,
                                const char *method, const char *path, const char *key,
                                const char *body)
{
    return live_ask(client, &(struct live_request){.method = method,
                                                   .path = path,
                                                   .authorization = authorization,
                                                   .key = key,
                                                   .if_match = "*",
                                                   .body = body});
}

static void must_be_done(struct live_reply reply)
{
    if (reply.response.status != 200 && reply.response.status != 201)
        fail_msg("%d %s", reply.response.status, reply.response.body);
    live_reply_free(&reply);
}

/* Effects of v1 are 900 per unit of need, those of v2 1700: a decision tells who scored
 * it. */
#define MODEL(weight, effect)                                                            \
    "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"swap\", "             \
    "\"kind\": \"effect\", \"learner\": \"effect\", \"features\": [{\"name\": "          \
    "\"need\", \"type\": \"float\", \"missing\": \"allow\"}], \"arms\": [{\"name\": "    \
    "\"a\", \"dose\": 500}], \"components\": [{\"role\": \"tau\", \"arm\": \"a\", "      \
    "\"file\": \"a.json\"}], \"examples\": {\"rows\": [[2]], \"effects\": [[" effect     \
    "]]}}, \"files\": {\"a.json\": {\"json\": {\"format\": \"redress-linear/1\", "       \
    "\"weights\": [" weight "], \"intercept\": 0}}}}"

/* Odd revisions have one amount, even ones two: a decision tells whose menu it was. */
static const char *const policies[] = {
    "{\"currency\": \"USD\", \"model\": \"swap\", \"priority\": 9,"
    " \"scope\": {\"market\": \"swap\"}, \"menu\": {\"amounts\": [500]}}",
    "{\"currency\": \"USD\", \"model\": \"swap\", \"priority\": 9,"
    " \"scope\": {\"market\": \"swap\"}, \"menu\": {\"amounts\": [500, 600]}}",
};

#define BUDGET_PATH "/v1/budgets/bud_swap"

static int stage_open(void **state)
{
    (void)state;
    stage.folder = folder_temporary();
    assert_true(demo_make(stage.folder));
    stage.support = demo_authorization(stage.folder, "support");
    stage.ops = demo_authorization(stage.folder, "ops");
    stage.science = demo_authorization(stage.folder, "science");
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    stage.client = http_client_open(stage.server.listen);
    must_be_done(ask_on(stage.client, stage.science, "POST", "/v1/models/swap/versions",
                        NULL, MODEL("900", "1800")));
    must_be_done(ask_on(stage.client, stage.science, "POST", "/v1/models/swap/versions",
                        NULL, MODEL("1700", "3400")));
    must_be_done(ask_on(stage.client, stage.science, "PUT",
                        "/v1/models/swap/aliases/champion", NULL,
                        "{\"version\": 1, \"reason\": \"first\"}"));
    must_be_done(
        live_ask(stage.client, &(struct live_request){.method = "PUT",
                                                      .path = "/v1/policies/swap",
                                                      .authorization = stage.ops,
                                                      .body = policies[0]}));
    must_be_done(ask_on(stage.client, stage.ops, "POST", "/v1/budgets", NULL,
                        "{\"id\": \"bud_swap\", \"scope\": {\"market\": \"swap\"}, "
                        "\"period\": \"total\", \"limit\": 1000000, "
                        "\"currency\": \"USD\"}"));
    return 0;
}

static int stage_close(void **state)
{
    const char *const check[] = {"db", "check", "--data", stage.folder, NULL};
    char *output;

    (void)state;
    http_client_close(stage.client);
    assert_int_equal(live_server_stop(&stage.server), 0);
    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
    free(stage.support);
    free(stage.ops);
    free(stage.science);
    free(stage.folder);
    return 0;
}

static void case_of(char body[512], const char *customer)
{
    snprintf(
        body, 512,
        "{\"case_id\": \"k\", \"customer_id\": \"%s\", \"currency\": \"USD\","
        " \"order_amount\": 4000, \"issue\": \"late_delivery\", \"market\": \"swap\","
        " \"features\": {\"need\": 1}}",
        customer);
}

static int64_t budget_member(struct http_client *client, const char *member)
{
    struct live_reply reply =
        ask_on(client, stage.support, "GET", BUDGET_PATH, NULL, NULL);
    int64_t value = reply_int(&reply, member);

    live_reply_free(&reply);
    return value;
}

/* --- at once: each thread has a connection, and all send in the same moment ------------------- */

struct shot {
    pthread_t thread;
    pthread_barrier_t *barrier;
    const char *path, *key, *body;
    char own_key[32];
    int count;                  /* times to shoot */
    struct live_reply *replies; /* (count) */
};

static void *shoot(void *argument)
{
    struct shot *shot = argument;
    struct http_client *client = http_client_open(stage.server.listen);
    struct live_reply warm =
        ask_on(client, stage.support, "GET", BUDGET_PATH, NULL, NULL);

    live_reply_free(&warm); /* connected before it counts */
    for (int i = 0; i < shot->count; i++) {
        char key[48], body[512], customer[32];

        snprintf(key, sizeof key, "%s-%d", shot->key, i);
        snprintf(customer, sizeof customer, "%s_%d", shot->key, i);
        case_of(body, customer);
        pthread_barrier_wait(shot->barrier);
        shot->replies[i] = ask_on(client, stage.support, "POST", shot->path, key,
                                  shot->body ? shot->body : body);
    }
    http_client_close(client);
    return NULL;
}

static void shoot_all(struct shot *shots, int count)
{
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        shots[i].barrier = &barrier;
        shots[i].replies = calloc((size_t)shots[i].count, sizeof shots[i].replies[0]);
        assert_int_equal(pthread_create(&shots[i].thread, NULL, shoot, &shots[i]), 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(shots[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
}

static void shots_free(struct shot *shots, int count)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < shots[i].count; j++)
            live_reply_free(&shots[i].replies[j]);
        free(shots[i].replies);
    }
}

static void assert_one_decision(const char *customer)
{
    char path[96];
    struct live_reply reply;

    snprintf(path, sizeof path, "/v1/customers/%s/decisions", customer);
    reply = ask_on(stage.client, stage.support, "GET", path, NULL, NULL);
    if (json_array_size(json_object_get(reply.json, "data")) != 1)
        fail_msg("%s: %s", path, reply.response.body);
    live_reply_free(&reply);
}

static void one_key_from_many_connections_is_one_decision(void **state)
{
    struct shot shots[SAME_KEY_CONNECTIONS];
    int64_t held = budget_member(stage.client, "held");
    int replayed_count = 0, in_flight_count = 0;

    (void)state;
    for (int i = 0; i < SAME_KEY_CONNECTIONS; i++)
        shots[i] = (struct shot){
            .path = "/v1/decisions", .key = "same", .count = SAME_KEY_COUNT};
    shoot_all(shots, SAME_KEY_CONNECTIONS);
    for (int k = 0; k < SAME_KEY_COUNT; k++) {
        const char *answer = NULL;
        char customer[32];
        int made_count = 0;

        for (int i = 0; i < SAME_KEY_CONNECTIONS; i++) {
            const struct live_reply *reply = &shots[i].replies[k];

            if (reply->response.status == 409) {
                assert_string_equal(reply_text(reply, "code"),
                                    "idempotency_key_in_flight");
                in_flight_count++;
                continue;
            }
            if (reply->response.status != 201)
                fail_msg("%d %s", reply->response.status, reply->response.body);
            made_count += !reply_is_replayed(reply);
            replayed_count += reply_is_replayed(reply);
            if (answer)
                assert_string_equal(reply->response.body, answer);
            answer = reply->response.body;
        }
        assert_int_equal(made_count, 1);
        snprintf(customer, sizeof customer, "same_%d", k);
        assert_one_decision(customer);
    }
    assert_int_equal(budget_member(stage.client, "held"), held + 500 * SAME_KEY_COUNT);
    print_message("%d answers given again, %d told that the key is in flight\n",
                  replayed_count, in_flight_count);
    assert_true(in_flight_count > 0);
    shots_free(shots, SAME_KEY_CONNECTIONS);
}

static void of_many_settlements_of_one_hold_one_wins(void **state)
{
    struct shot shots[END_CONNECTIONS];
    char body[512], path[128];
    int64_t held = budget_member(stage.client, "held"),
            spent = budget_member(stage.client, "spent");
    int won_count = 0;
    struct live_reply reply;

    (void)state;
    case_of(body, "settled");
    reply = ask_on(stage.client, stage.support, "POST", "/v1/decisions", "hold", body);
    assert_int_equal(reply_int(&reply, "amount"), 500);
    snprintf(path, sizeof path, "/v1/decisions/%s/settle", reply_text(&reply, "id"));
    live_reply_free(&reply);
    for (int i = 0; i < END_CONNECTIONS; i++) {
        shots[i] = (struct shot){.path = path, .body = "{\"amount\": 400}", .count = 1};
        snprintf(shots[i].own_key, sizeof shots[i].own_key, "settle-%d", i);
        shots[i].key = shots[i].own_key;
    }
    shoot_all(shots, END_CONNECTIONS);
    for (int i = 0; i < END_CONNECTIONS; i++) {
        const struct live_reply *answer = &shots[i].replies[0];

        if (answer->response.status == 200)
            won_count++;
        else if (answer->response.status != 409 ||
                 strcmp(reply_text(answer, "code"), "decision_not_held") != 0)
            fail_msg("%d %s", answer->response.status, answer->response.body);
    }
    assert_int_equal(won_count, 1);
    assert_int_equal(budget_member(stage.client, "held"), held);
    assert_int_equal(budget_member(stage.client, "spent"), spent + 400);
    shots_free(shots, END_CONNECTIONS);
}

/* --- changes under load ----------------------------------------------------------------------- */

static atomic_bool is_over;
static atomic_int change_count;

static void *change_limits(void *argument)
{
    struct http_client *client = http_client_open(stage.server.listen);

    (void)argument;
    for (int i = 0; !atomic_load(&is_over); i++) {
        char body[64];

        snprintf(body, sizeof body, "{\"limit\": %d}", i % 2 ? 1000000 : 30000 + i);
        must_be_done(ask_on(client, stage.ops, "PUT", BUDGET_PATH, NULL, body));
        atomic_fetch_add(&change_count, 1);
        nanosleep(&(struct timespec){.tv_nsec = CHANGE_PAUSE_US * 1000L}, NULL);
    }
    http_client_close(client);
    return NULL;
}

static void *change_policies(void *argument)
{
    struct http_client *client = http_client_open(stage.server.listen);

    (void)argument;
    for (int i = 1; !atomic_load(&is_over); i++) {
        must_be_done(
            ask_on(client, stage.ops, "PUT", "/v1/policies/swap", NULL, policies[i % 2]));
        atomic_fetch_add(&change_count, 1);
        nanosleep(&(struct timespec){.tv_nsec = CHANGE_PAUSE_US * 1000L}, NULL);
    }
    http_client_close(client);
    return NULL;
}

static void *change_models(void *argument)
{
    struct http_client *client = http_client_open(stage.server.listen);

    (void)argument;
    for (int i = 1; !atomic_load(&is_over); i++) {
        char body[64];

        snprintf(body, sizeof body, "{\"version\": %d, \"reason\": \"swap\"}", 1 + i % 2);
        must_be_done(ask_on(client, stage.science, "PUT",
                            "/v1/models/swap/aliases/champion", NULL, body));
        atomic_fetch_add(&change_count, 1);
        nanosleep(&(struct timespec){.tv_nsec = CHANGE_PAUSE_US * 1000L}, NULL);
    }
    http_client_close(client);
    return NULL;
}

/* By any decider: a bit for each of two versions, two menus, granted and refused. */
static atomic_uint met;
enum { MET_ALL = 2 | 4 | 8 | 16 | 32 | 64 };

static bool has_more_to_meet(void)
{
    return atomic_load(&met) != MET_ALL;
}

struct decider {
    pthread_t thread;
    int number, granted_count, refused_count;
    bool has_model[3],
        has_menu[2]; /* versions, and parities of revisions, that were seen */
    char sha256[3][65];
    char trouble[512]; /* the first; empty: none */
};

static void __attribute__((format(printf, 2, 3)))
complain(struct decider *decider, const char *format, ...)
{
    va_list arguments;

    if (decider->trouble[0])
        return;
    va_start(arguments, format);
    vsnprintf(decider->trouble, sizeof decider->trouble, format, arguments);
    va_end(arguments);
}

/* The menu is that of the policy revision it names, the effects those of the model
 * version, the checksum always the same for a version, and no budget went below nothing
 * for it. */
static void judge(struct decider *decider, const struct live_reply *reply)
{
    const json_t *versions = json_object_get(reply->json, "versions"),
                 *options = json_object_get(reply->json, "options"),
                 *budget = json_array_get(json_object_get(reply->json, "budgets"), 1);
    const char *model = json_string_value(json_object_get(versions, "model")),
               *policy = json_string_value(json_object_get(versions, "policy")),
               *sha256 = json_string_value(json_object_get(versions, "model_sha256"));
    double effect =
        json_number_value(json_object_get(json_array_get(options, 1), "effect"));
    int64_t remaining = json_integer_value(json_object_get(budget, "remaining"));
    int version, revision;

    if (!model || !policy || !sha256 || sscanf(model, "swap@%d", &version) != 1 ||
        sscanf(policy, "swap@%d", &revision) != 1 || version < 1 || version > 2) {
        complain(decider, "%.400s", reply->response.body);
        return;
    }
    if (effect != (version == 1 ? 900 : 1700))
        complain(decider, "an effect of %g by %s", effect, model);
    if (json_array_size(options) != (revision % 2 ? 2 : 3))
        complain(decider, "%zu options by %s", json_array_size(options), policy);
    if (decider->sha256[version][0] && strcmp(decider->sha256[version], sha256) != 0)
        complain(decider, "two checksums of %s", model);
    if (reply_int(reply, "amount") > 0 && remaining < 0)
        complain(decider, "granted with %lld left", (long long)remaining);
    snprintf(decider->sha256[version], sizeof decider->sha256[version], "%s", sha256);
    decider->has_model[version] = true;
    decider->has_menu[revision % 2] = true;
    atomic_fetch_or(&met, 1U << version | 8U << revision % 2 |
                              (reply_int(reply, "amount") > 0 ? 32U : 64U));
}

static void *decide_many(void *argument)
{
    struct decider *decider = argument;
    struct http_client *client = http_client_open(stage.server.listen);

    /* On until all that changes was met, however slowly the machine changes it. */
    for (int i = 0;
         i < DECISIONS_PER_DECIDER ||
         (has_more_to_meet() && !decider->trouble[0] && i < DECISIONS_PER_DECIDER_MAX);
         i++) {
        char body[512], key[32];
        struct live_reply reply;

        snprintf(key, sizeof key, "load-%d-%d", decider->number, i);
        case_of(body, key);
        reply = ask_on(client, stage.support, "POST", "/v1/decisions", key, body);
        if (reply.response.status != 201)
            complain(decider, "%d %.400s", reply.response.status, reply.response.body);
        else
            judge(decider, &reply);
        if (reply_int(&reply, "amount") > 0)
            decider->granted_count++;
        else
            decider->refused_count++;
        live_reply_free(&reply);
    }
    http_client_close(client);
    return NULL;
}

static void each_decision_is_made_under_one_version_of_everything(void **state)
{
    void *(*const changers[])(void *) = {change_limits, change_policies, change_models};
    struct decider deciders[DECIDER_COUNT] = {0};
    struct decider seen = {0};
    pthread_t threads[3];

    (void)state;
    atomic_store(&is_over, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, changers[i], NULL), 0);
    for (int i = 0; i < DECIDER_COUNT; i++) {
        deciders[i].number = i;
        assert_int_equal(
            pthread_create(&deciders[i].thread, NULL, decide_many, &deciders[i]), 0);
    }
    for (int i = 0; i < DECIDER_COUNT; i++)
        pthread_join(deciders[i].thread, NULL);
    atomic_store(&is_over, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < DECIDER_COUNT; i++) {
        if (deciders[i].trouble[0])
            fail_msg("%s", deciders[i].trouble);
        seen.granted_count += deciders[i].granted_count;
        seen.refused_count += deciders[i].refused_count;
        for (int v = 0; v < 3; v++)
            seen.has_model[v] = seen.has_model[v] || deciders[i].has_model[v];
        for (int m = 0; m < 2; m++)
            seen.has_menu[m] = seen.has_menu[m] || deciders[i].has_menu[m];
    }
    print_message("%d granted, %d refused, %d changes\n", seen.granted_count,
                  seen.refused_count, atomic_load(&change_count));
    /* It shows something only if all of them met. */
    assert_true(seen.granted_count > 0 && seen.refused_count > 0);
    assert_true(seen.has_model[1] && seen.has_model[2]);
    assert_true(seen.has_menu[0] && seen.has_menu[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_from_many_connections_is_one_decision),
        cmocka_unit_test(of_many_settlements_of_one_hold_one_wins),
        cmocka_unit_test(each_decision_is_made_under_one_version_of_everything),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
