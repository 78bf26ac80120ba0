/* money_check.c - what must be true after a load was cut off: see money_load.h. */
#include "support/money_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
    struct money_load *load;
    struct http_client *http;
    int64_t since, place;
    bool is_final;
    int stride;
    struct money_counts *counts;
};

static bool was_sent(const struct check *check, const struct record *record)
{
    return record->sent_at < check->place;
}

static bool was_answered(const struct check *check, const struct record *record)
{
    return record->answer && record->answered_at <= check->place;
}

static struct live_reply ask_now(const struct check *check, const struct record *record)
{
    struct live_reply reply;

    if (!money_send(check->load, check->http, record, &reply))
        fail_msg("%s: %s", record->key, http_client_trouble(check->http));
    return reply;
}

/* In doubt: an answer, and from then on the same. */
static void settle_doubt(const struct check *check, struct record *record)
{
    struct live_reply first = ask_now(check, record), second;

    check->counts->doubt_count++;
    check->counts->doubt_kept_count += reply_is_replayed(&first);
    if (check->is_final)
        money_keep(check->load, record, &first);
    if (first.response.status == money_kinds[record->kind].status) {
        second = ask_now(check, record);
        if (!reply_is_replayed(&second) ||
            strcmp(first.response.body, second.response.body) != 0)
            fail_msg("%s %s: first %s\nthen %d %s", record->key, record->path,
                     first.response.body, second.response.status, second.response.body);
        live_reply_free(&second);
    } else if (record->kind != OVERRIDE) {
        fail_msg("%s %s in doubt: %d %s", record->key, record->path,
                 first.response.status, first.response.body);
    }
    live_reply_free(&first);
}

static void check_answer(const struct check *check, const struct record *record)
{
    struct live_reply reply = ask_now(check, record);

    if (reply.response.status != money_kinds[record->kind].status ||
        !reply_is_replayed(&reply) || strcmp(reply.response.body, record->answer) != 0)
        fail_msg("%s %s: acknowledged %s\nnow %d %s", record->key, record->path,
                 record->answer, reply.response.status, reply.response.body);
    check->counts->answer_count++;
    live_reply_free(&reply);
}

static void check_record(const struct check *check, struct record *record)
{
    if (record->kind == LIMIT || !was_sent(check, record))
        return;
    if (!was_answered(check, record))
        settle_doubt(check, record);
    else if (!record->is_refused)
        check_answer(check, record);
}

/* How a decision stands after what ended it, if anything did. */
static const char *state_wanted(const struct client *client, const struct check *check,
                                const struct record *record)
{
    const struct record *end = record->end ? &client->records[record->end] : NULL;

    if (!end || !was_sent(check, end) || end->is_refused)
        return "held";
    if (end->kind == SETTLE)
        return "settled";
    return end->kind == RELEASE ? "released" : NULL;
}

/* Read by its id it says what was answered. */
static void check_decision(const struct client *client, const struct check *check,
                           const struct record *record)
{
    json_t *answer = json_loads(record->answer, 0, NULL);
    const char *id = json_string_value(json_object_get(answer, "id"));
    int64_t amount = json_integer_value(json_object_get(answer, "amount"));
    const char *state = amount > 0 ? state_wanted(client, check, record) : NULL;
    char path[96];
    struct live_reply reply;

    snprintf(path, sizeof path, "/v1/decisions/%s", id);
    reply = live_ask(check->http,
                     &(struct live_request){.method = "GET",
                                            .path = path,
                                            .authorization = check->load->support});
    if (reply.response.status != 200 || strcmp(reply_text(&reply, "id"), id) != 0 ||
        reply_int(&reply, "amount") != amount ||
        strcmp(reply_text(&reply, "customer_id"), record->customer) != 0 ||
        (state && strcmp(reply_text(&reply, "status"), state) != 0))
        fail_msg("%s answered %s\nread (%s wanted) %d %s", record->key, record->answer,
                 state ? state : "any state", reply.response.status, reply.response.body);
    live_reply_free(&reply);
    json_decref(answer);
}

/* Exactly one decision came of the key, and one more when a person decided otherwise. */
static void check_customer(const struct client *client, const struct check *check,
                           const struct record *record)
{
    const struct record *end = record->end ? &client->records[record->end] : NULL;
    bool may_be_overridden = end && end->kind == OVERRIDE && was_sent(check, end);
    bool is_overridden =
        may_be_overridden && was_answered(check, end) && !end->is_refused;
    char path[96];
    struct live_reply reply;
    json_t *data;
    size_t count;

    snprintf(path, sizeof path, "/v1/customers/%s/decisions", record->customer);
    reply = live_ask(check->http,
                     &(struct live_request){.method = "GET",
                                            .path = path,
                                            .authorization = check->load->support});
    data = json_object_get(reply.json, "data");
    count = json_array_size(data);
    if (count < 1 + (size_t)is_overridden || count > 1 + (size_t)may_be_overridden)
        fail_msg("%s: %s", path, reply.response.body);
    if (json_integer_value(json_object_get(json_array_get(data, 0), "amount")) > 0)
        check->counts->granted_count++;
    else
        check->counts->refused_count++;
    live_reply_free(&reply);
}

/* The limit last set, or one after it that was asked for and not answered. */
static void check_limit(const struct check *check)
{
    const struct client *client = &check->load->clients[0];
    struct live_reply reply =
        live_ask(check->http, &(struct live_request){.method = "GET",
                                                     .path = SWAYING_PATH,
                                                     .authorization = check->load->ops});
    int64_t limit = reply_int(&reply, "limit"), sure = check->load->first_limit;
    bool is_possible = false;

    for (int i = 0; i < client->count; i++) {
        const struct record *record = &client->records[i];

        if (record->kind != LIMIT || !was_sent(check, record))
            continue;
        if (was_answered(check, record)) {
            sure = record->limit;
            is_possible = false;
        } else {
            is_possible = is_possible || limit == record->limit;
        }
    }
    if (limit != sure && !is_possible)
        fail_msg("the limit was set to %lld, now %s", (long long)sure,
                 reply.response.body);
    live_reply_free(&reply);
}

void money_load_check(struct money_load *load, const char *listen, int64_t since,
                      int64_t place, bool is_final, int stride,
                      struct money_counts *counts)
{
    const struct check check = {.load = load,
                                .http = http_client_open(listen),
                                .since = since,
                                .place = place,
                                .is_final = is_final,
                                .stride = stride,
                                .counts = counts};

    check_limit(&check);
    for (int c = 0; c < load->settings.client_count; c++)
        for (int i = 0; i < load->clients[c].count; i++)
            if (load->clients[c].records[i].sent_at >= since)
                check_record(&check, &load->clients[c].records[i]);
    for (int c = 0; c < load->settings.client_count; c++)
        for (int i = c % stride; i < load->clients[c].count; i += stride) {
            const struct record *record = &load->clients[c].records[i];

            if (record->kind != DECIDE || record->sent_at < since ||
                !was_answered(&check, record))
                continue;
            check_decision(&load->clients[c], &check, record);
            check_customer(&load->clients[c], &check, record);
        }
    money_look(load, check.http, GROWING_PATH);
    money_look(load, check.http, SWAYING_PATH);
    money_load_assert_fine(load);
    http_client_close(check.http);
}
