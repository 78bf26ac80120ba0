#include "support/money_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SETTLED_MINOR = 300, /* of the 500 at least that are held */
    OVERRIDDEN_MINOR = 100,
    FIRST_ROOM = 60000, /* of the budget that only grows */
    LIMIT_ROOM = 12000, /* above what is bound; below it by a quarter of that */
};

const struct money_kind money_kinds[] = {
    [DECIDE] = {"POST", 201},   [SETTLE] = {"POST", 200}, [RELEASE] = {"POST", 200},
    [OVERRIDE] = {"POST", 201}, [ADJUST] = {"POST", 201}, [LIMIT] = {"PUT", 200},
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

int64_t money_place_now(const struct money_load *load)
{
    struct timespec now;

    if (load->settings.place)
        return load->settings.place(load->settings.context);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- what is asked ---------------------------------------------------------------------------- */

bool money_send(const struct money_load *load, struct http_client *http,
                const struct record *record, struct live_reply *reply)
{
    bool is_ops = record->kind == ADJUST || record->kind == LIMIT;

    return live_call(
        http,
        &(struct live_request){.method = money_kinds[record->kind].method,
                               .path = record->path,
                               .authorization = is_ops ? load->ops : load->support,
                               .key = record->kind == LIMIT ? NULL : record->key,
                               .if_match = record->kind == LIMIT ? "*" : NULL,
                               .body = record->body},
        reply);
}

static void make_case(struct client *client, struct record *record)
{
    json_t *asked = json_deep_copy(client->load->asked);

    record->kind = DECIDE;
    snprintf(record->path, sizeof record->path, "/v1/decisions");
    snprintf(record->customer, sizeof record->customer, "c_%d_%d", client->number,
             client->count);
    json_object_set_new(asked, "customer_id", json_string(record->customer));
    record->body = json_dumps(asked, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(asked);
}

/* Settle a part, release, or decide otherwise. */
static void make_end(struct client *client, struct record *record)
{
    static const char *const verbs[] = {
        [SETTLE] = "settle", [RELEASE] = "release", [OVERRIDE] = "override"};
    struct record *held = &client->records[client->held];
    json_t *decision = json_loads(held->answer, 0, NULL);
    int rc;

    record->kind = SETTLE + (enum kind)rng_below(&client->rng, 3);
    snprintf(record->path, sizeof record->path, "/v1/decisions/%s/%s",
             json_string_value(json_object_get(decision, "id")), verbs[record->kind]);
    json_decref(decision);
    if (record->kind == RELEASE)
        rc = asprintf(&record->body, "{\"reason_code\": \"x\"}");
    else if (record->kind == SETTLE)
        rc = asprintf(&record->body, "{\"amount\": %d}", SETTLED_MINOR);
    else
        rc = asprintf(&record->body, "{\"amount\": %d, \"reason_code\": \"x\"}",
                      OVERRIDDEN_MINOR);
    assert_true(rc > 0);
    held->end = client->count;
    client->held = -1;
}

static void make_adjustment(struct client *client, struct record *record)
{
    record->kind = ADJUST;
    snprintf(record->path, sizeof record->path, GROWING_PATH "/adjustments");
    if (asprintf(&record->body, "{\"amount\": %d, \"reason_code\": \"x\"}",
                 500 + (int)rng_below(&client->rng, 9000)) < 0)
        abort();
}

static int64_t bound_now(const struct money_load *load, struct http_client *http)
{
    struct live_reply reply;
    int64_t bound = -1;

    if (live_call(http,
                  &(struct live_request){
                      .method = "GET", .path = SWAYING_PATH, .authorization = load->ops},
                  &reply) &&
        reply.response.status == 200)
        bound = reply_int(&reply, "held") + reply_int(&reply, "spent");
    live_reply_free(&reply);
    return bound;
}

/* False when the budget could not be read. */
static bool make_limit(struct client *client, struct http_client *http,
                       struct record *record)
{
    int64_t bound = bound_now(client->load, http);

    if (bound < 0)
        return false;
    record->kind = LIMIT;
    snprintf(record->path, sizeof record->path, SWAYING_PATH);
    record->limit = bound + (int64_t)rng_below(&client->rng, LIMIT_ROOM) - LIMIT_ROOM / 4;
    if (record->limit < 0)
        record->limit = 0;
    return asprintf(&record->body, "{\"limit\": %lld}", (long long)record->limit) > 0;
}

static bool make_record(struct client *client, struct http_client *http,
                        struct record *record)
{
    uint64_t chance = rng_below(&client->rng, 30);

    *record = (struct record){0};
    snprintf(record->key, sizeof record->key, "k-%d-%d", client->number, client->count);
    if (client->number == 0 && chance < 2)
        return make_limit(client, http, record);
    if (client->number == 1 && chance < 2)
        make_adjustment(client, record);
    else if (client->held >= 0 && chance < 12)
        make_end(client, record);
    else
        make_case(client, record);
    return true;
}

/* --- clients ---------------------------------------------------------------------------------- */

static void tell(struct money_load *load, const struct record *record,
                 const struct live_reply *reply)
{
    fprintf(stderr, "%s %s: %d %s\n", record->key, record->path, reply->response.status,
            reply->response.body);
    atomic_fetch_add(&load->fault_count, 1);
}

void money_keep(struct money_load *load, struct record *record,
                const struct live_reply *reply)
{
    int status = reply->response.status;

    record->answer = strdup(reply->response.body);
    record->answered_at = money_place_now(load);
    record->is_refused = record->kind == OVERRIDE && (status == 409 || status == 422);
    if (status != money_kinds[record->kind].status && !record->is_refused)
        tell(load, record, reply);
}

/* Send it, and keep what is said. False when nothing was: it is in doubt. */
static bool ask(struct client *client, struct http_client *http, int number)
{
    struct record *record = &client->records[number];
    struct live_reply reply;

    if (!money_send(client->load, http, record, &reply))
        return false;
    money_keep(client->load, record, &reply);
    if (record->kind == DECIDE && reply_int(&reply, "amount") >= SETTLED_MINOR)
        client->held = number;
    live_reply_free(&reply);
    return true;
}

/* The same again, at any later time: the same bytes. */
static bool ask_again(struct client *client, struct http_client *http)
{
    struct record *record =
        &client->records[rng_below(&client->rng, (uint64_t)client->count)];
    struct live_reply reply;

    if (record->kind == LIMIT || record->is_refused || !record->answer)
        return true;
    if (!money_send(client->load, http, record, &reply))
        return false;
    if (!reply_is_replayed(&reply) || strcmp(reply.response.body, record->answer) != 0)
        tell(client->load, record, &reply);
    live_reply_free(&reply);
    return true;
}

static bool is_resting(const struct money_settings *settings)
{
    return settings->pause_ms > 0 &&
           now_ms() % (settings->burst_ms + settings->pause_ms) >= settings->burst_ms;
}

static bool step(struct client *client, struct http_client *http)
{
    struct record *record = &client->records[client->count];

    if (client->count > 0 && rng_below(&client->rng, 10) == 0)
        return ask_again(client, http);
    if (!make_record(client, http, record))
        return false;
    record->sent_at = money_place_now(client->load);
    client->count++;
    return ask(client, http, client->count - 1);
}

static void *client_run(void *argument)
{
    struct client *client = argument;
    struct money_load *load = client->load;
    struct http_client *http = http_client_open(load->listen);
    bool is_there = true;

    if (client->count > 0 && !client->records[client->count - 1].answer)
        is_there = ask(client, http, client->count - 1);
    while (is_there && !atomic_load(&load->is_over) &&
           client->count < load->settings.record_count_max) {
        if (is_resting(&load->settings))
            sleep_ms(2);
        else
            is_there = step(client, http);
    }
    http_client_close(http);
    return NULL;
}

/* --- the watcher ------------------------------------------------------------------------------ */

/* What is held and spent of the budget whose limit only grows is never more than the
 * limit; and each budget's figures agree with each other. */
void money_look(struct money_load *load, struct http_client *http, const char *path)
{
    struct live_reply reply;
    int64_t limit, held, spent;

    if (!live_call(http,
                   &(struct live_request){
                       .method = "GET", .path = path, .authorization = load->ops},
                   &reply))
        return;
    limit = reply_int(&reply, "limit");
    held = reply_int(&reply, "held");
    spent = reply_int(&reply, "spent");
    if (reply.response.status != 200 || held < 0 || spent < 0 ||
        (strcmp(path, GROWING_PATH) == 0 && held + spent > limit) ||
        reply_int(&reply, "remaining") != limit - held - spent) {
        fprintf(stderr, "%s: %s\n", path, reply.response.body);
        atomic_fetch_add(&load->fault_count, 1);
    }
    live_reply_free(&reply);
}

static void *watcher_run(void *argument)
{
    struct money_load *load = argument;
    struct http_client *http = http_client_open(load->listen);

    while (!atomic_load(&load->is_over)) {
        money_look(load, http, GROWING_PATH);
        money_look(load, http, SWAYING_PATH);
        sleep_ms(3);
    }
    http_client_close(http);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

struct money_load *money_load_open(const struct money_settings *settings)
{
    struct money_load *load = calloc(1, sizeof *load);

    assert_non_null(load);
    assert_in_range(settings->client_count, 1, CLIENT_COUNT_MAX);
    load->settings = *settings;
    load->support = demo_authorization(settings->folder, "support");
    load->ops = demo_authorization(settings->folder, "ops");
    load->asked = demo_case(settings->folder);
    assert_true(load->support && load->ops && load->asked);
    for (int c = 0; c < settings->client_count; c++) {
        struct client *client = &load->clients[c];

        *client = (struct client){.load = load, .number = c, .held = -1};
        client->records =
            calloc((size_t)settings->record_count_max, sizeof(struct record));
        assert_non_null(client->records);
        rng_seed(&client->rng, settings->seed + (uint64_t)c + 1);
    }
    return load;
}

void money_load_close(struct money_load *load)
{
    if (!load)
        return;
    for (int c = 0; c < load->settings.client_count; c++) {
        for (int i = 0; i < load->clients[c].count; i++) {
            free(load->clients[c].records[i].body);
            free(load->clients[c].records[i].answer);
        }
        free(load->clients[c].records);
    }
    json_decref(load->asked);
    free(load->support);
    free(load->ops);
    free(load);
}

static void set_limit(struct money_load *load, struct http_client *http, const char *path,
                      int64_t limit)
{
    char body[64];
    struct live_reply reply;

    snprintf(body, sizeof body, "{\"limit\": %lld}", (long long)limit);
    reply = live_ask(http, &(struct live_request){.method = "PUT",
                                                  .path = path,
                                                  .authorization = load->ops,
                                                  .if_match = "*",
                                                  .body = body});
    assert_int_equal(reply.response.status, 200);
    live_reply_free(&reply);
}

void money_load_prepare(struct money_load *load, const char *listen)
{
    struct http_client *http = http_client_open(listen);

    load->first_limit = LIMIT_ROOM;
    set_limit(load, http, SWAYING_PATH, LIMIT_ROOM);
    set_limit(load, http, GROWING_PATH, FIRST_ROOM);
    http_client_close(http);
}

void money_load_begin(struct money_load *load, const char *listen)
{
    snprintf(load->listen, sizeof load->listen, "%s", listen);
    atomic_store(&load->is_over, false);
    for (int c = 0; c < load->settings.client_count; c++)
        assert_int_equal(
            pthread_create(&load->clients[c].thread, NULL, client_run, &load->clients[c]),
            0);
    assert_int_equal(pthread_create(&load->watcher, NULL, watcher_run, load), 0);
}

void money_load_end(struct money_load *load)
{
    atomic_store(&load->is_over, true);
    for (int c = 0; c < load->settings.client_count; c++)
        pthread_join(load->clients[c].thread, NULL);
    pthread_join(load->watcher, NULL);
}

void money_load_assert_fine(const struct money_load *load)
{
    assert_int_equal(atomic_load(&load->fault_count), 0);
}

int64_t money_load_sent_count(const struct money_load *load)
{
    int64_t count = 0;

    for (int c = 0; c < load->settings.client_count; c++)
        count += load->clients[c].count;
    return count;
}

bool money_load_ask_in_doubt(struct money_load *load, const char *listen)
{
    struct http_client *http = http_client_open(listen);
    bool was_recorded = false;

    for (int c = 0; c < load->settings.client_count && !was_recorded; c++) {
        struct client *client = &load->clients[c];
        struct record *record = &client->records[client->count - 1];
        struct live_reply reply;

        if (client->count == 0 || record->answer || record->kind == LIMIT)
            continue;
        assert_true(money_send(load, http, record, &reply));
        money_keep(load, record, &reply);
        was_recorded = reply_is_replayed(&reply);
        live_reply_free(&reply);
    }
    http_client_close(http);
    return was_recorded;
}

bool money_load_is_over(const struct money_load *load)
{
    for (int c = 0; c < load->settings.client_count; c++)
        if (atomic_load(&load->clients[c].count) < load->settings.record_count_max)
            return false;
    return true;
}
