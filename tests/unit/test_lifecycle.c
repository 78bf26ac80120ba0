/* test_lifecycle.c - a case from its decision to its end, through the routes, on a real
 * store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"
#include "support/api_call.h"
#include "support/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct running *stage_of(const char *policy_members, int64_t limit)
{
    struct running *stage = running_open();

    service_fill(stage->service, policy_members, limit);
    return stage;
}

/* --- shorthands ------------------------------------------------------------------------------- */

#define NEEDY(customer)                                                                  \
    "{\"case_id\": \"k\", \"customer_id\": \"" customer "\", \"currency\": \"USD\","     \
    " \"order_amount\": 4000, \"issue\": \"late_delivery\", \"features\": {\"need\": "   \
    "1}}"

static struct api_reply post(struct running *stage, const char *path, const char *key,
                             const char *body)
{
    return api_call(stage->service, "POST", path, key, NULL, body);
}

static struct api_reply get(struct running *stage, const char *path)
{
    return api_call(stage->service, "GET", path, NULL, NULL, NULL);
}

static const char *text_in(const struct api_reply *reply, const char *member)
{
    const char *text = json_string_value(json_object_get(reply->json, member));

    if (!text)
        fail_msg("no text '%s' in %s", member, reply->text);
    return text;
}

static int64_t int_in(const struct api_reply *reply, const char *member)
{
    json_t *value = json_object_get(reply->json, member);

    if (!json_is_integer(value))
        fail_msg("no integer '%s' in %s", member, reply->text);
    return json_integer_value(value);
}

static void assert_answer(struct api_reply reply, int status)
{
    if (reply.status != status)
        fail_msg("%d instead of %d: %s", reply.status, status, reply.text);
    api_reply_free(&reply);
}

static void assert_problem(struct api_reply reply, int status, const char *code)
{
    if (reply.status != status || strcmp(text_in(&reply, "code"), code) != 0)
        fail_msg("wanted %d %s, got %d: %s", status, code, reply.status, reply.text);
    api_reply_free(&reply);
}

/* Decide; the id of the decision, freed by the caller. */
static char *decide(struct running *stage, const char *key, const char *body,
                    int64_t amount)
{
    struct api_reply reply = post(stage, "/v1/decisions", key, body);
    char *id;

    if (reply.status != 201)
        fail_msg("%s", reply.text);
    assert_int_equal(int_in(&reply, "amount"), amount);
    id = strdup(text_in(&reply, "id"));
    api_reply_free(&reply);
    return id;
}

static void assert_budget(struct running *stage, int64_t held, int64_t spent)
{
    struct api_reply reply = get(stage, "/v1/budgets/bud_all");

    assert_int_equal(int_in(&reply, "held"), held);
    assert_int_equal(int_in(&reply, "spent"), spent);
    assert_int_equal(int_in(&reply, "remaining"), int_in(&reply, "limit") - held - spent);
    api_reply_free(&reply);
}

static char *path_of(const char *id, const char *verb)
{
    static char path[128];

    snprintf(path, sizeof path, "/v1/decisions/%s%s%s", id, verb[0] ? "/" : "", verb);
    return path;
}

static void assert_status(struct running *stage, const char *id, const char *status)
{
    struct api_reply reply = get(stage, path_of(id, ""));

    assert_string_equal(text_in(&reply, "status"), status);
    api_reply_free(&reply);
}

/* --- holds ------------------------------------------------------------------------------------ */

static void a_credit_is_held_and_then_settled(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    assert_budget(stage, 1000, 0);
    assert_answer(post(stage, path_of(id, "settle"), "s", "{\"amount\": 1000}"), 200);
    assert_budget(stage, 0, 1000);
    assert_status(stage, id, "settled");
    free(id);
    running_close(stage);
}

static void what_is_not_settled_goes_back(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    assert_answer(post(stage, path_of(id, "settle"), "s",
                       "{\"amount\": 400, \"external_ref\": \"pay_1\"}"),
                  200);
    assert_budget(stage, 0, 400);
    free(id);
    running_close(stage);
}

static void a_text_that_may_be_left_away_may_be_null(void **state)
{
    static const char body[] =
        "{\"amount\": 500, \"reason_code\": \"x\", \"note\": null}";
    struct running *stage = stage_of("", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    assert_answer(post(stage, path_of(id, "override"), "o", body), 201);
    free(id);
    id = decide(stage, "b", NEEDY("c2"), 1000);
    assert_answer(post(stage, path_of(id, "settle"), "s", "{\"external_ref\": null}"),
                  200);
    assert_answer(post(stage, "/v1/budgets/bud_all/adjustments", "j", body), 201);
    free(id);
    running_close(stage);
}

static void assert_note(struct running *stage, const char *kind, const char *note)
{
    struct api_reply reply = get(stage, "/v1/ledger-entries?order=desc&limit=1");

    assert_string_equal(string_at(reply.json, "data/0/kind"), kind);
    assert_string_equal(string_at(reply.json, "data/0/note"), note);
    api_reply_free(&reply);
}

static void what_goes_back_says_why(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *settled = decide(stage, "a", NEEDY("c1"), 1000);
    char *released = decide(stage, "b", NEEDY("c2"), 1000);
    char *overridden = decide(stage, "c", NEEDY("c3"), 1000);

    (void)state;
    assert_answer(post(stage, path_of(settled, "settle"), "s", "{\"amount\": 400}"), 200);
    assert_note(stage, "release", "settled for less");
    assert_answer(
        post(stage, path_of(released, "release"), "r", "{\"reason_code\": \"refused\"}"),
        200);
    assert_note(stage, "release", "refused");
    assert_answer(post(stage, path_of(overridden, "override"), "o",
                       "{\"amount\": 0, \"reason_code\": \"x\"}"),
                  201);
    assert_note(stage, "release", "overridden");
    free(overridden);
    free(released);
    free(settled);
    running_close(stage);
}

static void a_hold_ends_once(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    assert_answer(
        post(stage, path_of(id, "release"), "r", "{\"reason_code\": \"refused\"}"), 200);
    assert_problem(post(stage, path_of(id, "settle"), "s", "{\"amount\": 1}"), 409,
                   "decision_not_held");
    assert_problem(
        post(stage, path_of(id, "release"), "r2", "{\"reason_code\": \"again\"}"), 409,
        "decision_not_held");
    assert_budget(stage, 0, 0);
    free(id);
    running_close(stage);
}

static void more_than_was_held_cannot_be_settled(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    assert_problem(post(stage, path_of(id, "settle"), "s", "{\"amount\": 1001}"), 422,
                   "invalid_request");
    assert_budget(stage, 1000, 0);
    free(id);
    running_close(stage);
}

static void nothing_is_held_for_no_credit(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *id =
        decide(stage, "a",
               "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","
               " \"order_amount\": 4000, \"issue\": \"x\", \"features\": {\"need\": 0}}",
               0);

    (void)state;
    assert_problem(post(stage, path_of(id, "settle"), "s", "{\"amount\": 1}"), 409,
                   "decision_not_held");
    assert_problem(post(stage, path_of("dec_00000000000000000000000000", "settle"), "s2",
                        "{\"amount\": 1}"),
                   404, "decision_not_found");
    free(id);
    running_close(stage);
}

static void a_hold_that_is_over_cannot_be_settled(void **state)
{
    struct running *stage = stage_of(", \"hold\": {\"seconds\": 3600}", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    stage->now_us += 3600 * SECOND_US;
    assert_problem(post(stage, path_of(id, "settle"), "s", "{\"amount\": 1}"), 409,
                   "hold_expired");
    free(id);
    running_close(stage);
}

/* --- asking again ----------------------------------------------------------------------------- */

static void asking_again_returns_the_first_answer(void **state)
{
    struct running *stage = stage_of("", 10000);
    struct api_reply first = post(stage, "/v1/decisions", "same", NEEDY("c1")), second;

    (void)state;
    running_restart(stage);
    second = post(stage, "/v1/decisions", "same", NEEDY("c1"));
    assert_int_equal(second.status, 201);
    assert_true(second.is_replayed);
    assert_false(first.is_replayed);
    assert_string_equal(first.text, second.text);
    assert_budget(stage, 1000, 0);
    assert_problem(post(stage, "/v1/decisions", "same", NEEDY("c2")), 422,
                   "idempotency_key_reused");
    assert_problem(post(stage, "/v1/decisions", NULL, NEEDY("c2")), 400,
                   "idempotency_key_missing");
    api_reply_free(&first);
    api_reply_free(&second);
    running_close(stage);
}

/* A model that does not know the feature any more must not stand before an answer of
 * before. */
static void asking_again_returns_the_first_answer_whatever_is_in_force_now(void **state)
{
    static const char narrow[] =
        "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"m\", \"kind\": "
        "\"effect\","
        " \"learner\": \"effect\", \"features\": [{\"name\": \"other\", \"type\": "
        "\"float\","
        " \"missing\": \"allow\"}], \"arms\": [{\"name\": \"a\", \"dose\": 500}],"
        " \"components\": [{\"role\": \"tau\", \"arm\": \"a\", \"file\": \"a.json\"}],"
        " \"examples\": {\"rows\": [[2]], \"effects\": [[4]]}}, \"files\": {\"a.json\": "
        "{\"json\":"
        " {\"format\": \"redress-linear/1\", \"weights\": [2], \"intercept\": 0}}}}";
    struct running *stage = stage_of("", 10000);
    struct api_reply first = post(stage, "/v1/decisions", "same", NEEDY("c1")), second;

    (void)state;
    assert_answer(post(stage, "/v1/models/m/versions", NULL, narrow), 201);
    assert_answer(api_call(stage->service, "PUT", "/v1/models/m/aliases/champion", NULL,
                           NULL, "{\"version\": 2, \"reason\": \"narrower\"}"),
                  200);
    second = post(stage, "/v1/decisions", "same", NEEDY("c1"));
    assert_string_equal(first.text, second.text);
    assert_true(second.is_replayed);
    assert_problem(post(stage, "/v1/decisions", "new", NEEDY("c1")), 422,
                   "invalid_request");
    assert_problem(post(stage, "/v1/decisions?dry_run=true", NULL, NEEDY("c1")), 422,
                   "invalid_request");
    assert_budget(stage, 1000, 0);
    api_reply_free(&first);
    api_reply_free(&second);
    running_close(stage);
}

static void settling_again_returns_the_first_answer(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);
    struct api_reply first = post(stage, path_of(id, "settle"), "s", "{\"amount\": 600}"),
                     second;

    (void)state;
    second = post(stage, path_of(id, "settle"), "s", "{\"amount\": 600}");
    assert_int_equal(second.status, 200);
    assert_string_equal(first.text, second.text);
    assert_budget(stage, 0, 600);
    api_reply_free(&first);
    api_reply_free(&second);
    free(id);
    running_close(stage);
}

/* --- budgets ---------------------------------------------------------------------------------- */

static void the_budget_is_never_overspent(void **state)
{
    struct running *stage = stage_of("", 2300);

    (void)state;
    free(decide(stage, "1", NEEDY("c1"), 1000));
    free(decide(stage, "2", NEEDY("c2"), 1000));
    free(decide(stage, "3", NEEDY("c3"), 0));
    assert_budget(stage, 2000, 0);
    running_close(stage);
}

static void a_dry_run_keeps_nothing(void **state)
{
    struct running *stage = stage_of("", 10000);
    struct api_reply reply = post(stage, "/v1/decisions?dry_run=true", NULL, NEEDY("c1"));

    (void)state;
    assert_int_equal(reply.status, 200);
    assert_string_equal(text_in(&reply, "mode"), "dry_run");
    assert_int_equal(int_in(&reply, "amount"), 1000);
    assert_budget(stage, 0, 0);
    assert_problem(get(stage, path_of(text_in(&reply, "id"), "")), 404,
                   "decision_not_found");
    api_reply_free(&reply);
    running_close(stage);
}

static void a_new_period_begins_with_all_of_the_limit(void **state)
{
    struct running *stage = stage_of("", 1500);
    char *id = decide(stage, "1", NEEDY("c1"), 1000);

    (void)state;
    assert_answer(post(stage, path_of(id, "settle"), "s", "{}"), 200);
    free(decide(stage, "2", NEEDY("c2"), 500));
    free(decide(stage, "3", NEEDY("c3"), 0));
    stage->now_us += 24 * 3600 * SECOND_US;
    free(decide(stage, "4", NEEDY("c4"), 1000)); /* 500 are still held */
    assert_budget(stage, 1500, 0);
    free(id);
    running_close(stage);
}

static void a_foreign_currency_is_refused(void **state)
{
    struct running *stage = stage_of("", 1500);

    (void)state;
    assert_problem(
        post(stage, "/v1/decisions", "a",
             "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"EUR\","
             " \"order_amount\": 4000, \"issue\": \"x\"}"),
        422, "invalid_request");
    running_close(stage);
}

static void the_largest_amounts_hurt_nobody(void **state)
{
    struct running *stage = stage_of(", \"order_limit\": {\"order_share\": 1.0}", 100000);
    char body[512], key[16];

    (void)state;
    /* Beyond 2^63 for the order; a budget would refuse them. */
    assert_answer(
        api_call(stage->service, "DELETE", "/v1/budgets/bud_all", NULL, "*", NULL), 200);
    for (int i = 0; i < 1030; i++) {
        snprintf(body, sizeof body,
                 "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","
                 " \"order_id\": \"o\", \"issue\": \"x\","
                 " \"order_amount\": 9007199254740991, \"entitled_amount\": "
                 "9007199254740991}");
        snprintf(key, sizeof key, "k%d", i);
        assert_answer(post(stage, "/v1/decisions", key, body), 201);
    }
    free(decide(stage, "after", NEEDY("c2"), 0)); /* of what budget? */
    running_close(stage);
}

/* --- limits of the customer ------------------------------------------------------------------- */

static void a_customer_gets_so_many_in_a_window(void **state)
{
    struct running *stage =
        stage_of(", \"customer_limits\": [{\"window\": \"1d\", \"count\": 2}]", 100000);

    (void)state;
    free(decide(stage, "1", NEEDY("c1"), 1000));
    free(decide(stage, "2", NEEDY("c1"), 1000));
    free(decide(stage, "3", NEEDY("c1"), 0));
    free(decide(stage, "4", NEEDY("c2"), 1000));
    stage->now_us += 25 * 3600 * SECOND_US;
    free(decide(stage, "5", NEEDY("c1"), 1000));
    running_close(stage);
}

/* --- a person decides ------------------------------------------------------------------------- */

static void a_person_decides_otherwise(void **state)
{
    struct running *stage = stage_of("", 10000);
    char *id = decide(stage, "a", NEEDY("c1"), 1000), *other;
    struct api_reply reply = post(
        stage, path_of(id, "override"), "o",
        "{\"amount\": 2500, \"reason_code\": \"angry\", \"note\": \"called twice\"}");

    (void)state;
    assert_int_equal(reply.status, 201);
    assert_string_equal(text_in(&reply, "overrides"), id);
    assert_int_equal(int_in(&reply, "amount"), 2500);
    other = strdup(text_in(&reply, "id"));
    api_reply_free(&reply);
    assert_status(stage, id, "released");
    assert_budget(stage, 2500, 0);
    assert_problem(post(stage, path_of(id, "override"), "o2",
                        "{\"amount\": 1, \"reason_code\": \"x\"}"),
                   409, "already_overridden");
    assert_answer(post(stage, path_of(other, "settle"), "s", "{\"amount\": 2500}"), 200);
    assert_budget(stage, 0, 2500);
    free(other);
    free(id);
    running_close(stage);
}

static void a_person_cannot_spend_what_is_not_there(void **state)
{
    struct running *stage = stage_of("", 1200);
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    assert_problem(post(stage, path_of(id, "override"), "o",
                        "{\"amount\": 1201, \"reason_code\": \"x\"}"),
                   409, "budget_exhausted");
    assert_problem(post(stage, path_of(id, "override"), "o3",
                        "{\"amount\": 4001, \"reason_code\": \"x\"}"),
                   422, "invalid_request");
    assert_status(stage, id, "held");
    assert_budget(stage, 1000, 0);
    assert_answer(post(stage, path_of(id, "override"), "o2",
                       "{\"amount\": 1200, \"reason_code\": \"x\"}"),
                  201);
    assert_budget(stage, 1200, 0);
    free(id);
    running_close(stage);
}

static void assert_replay_matches(struct running *stage, const char *id)
{
    struct api_reply reply = post(stage, path_of(id, "replay"), NULL, NULL);

    if (reply.status != 200 || !json_is_true(json_object_get(reply.json, "match")))
        fail_msg("%s", reply.text);
    api_reply_free(&reply);
}

/* A person gives another amount, all of it within budgets; the id of the new decision. */
static char *decided_by(struct running *stage, const char *id, const char *key,
                        int64_t amount)
{
    char body[96];
    struct api_reply reply;
    char *made;

    snprintf(body, sizeof body, "{\"amount\": %lld, \"reason_code\": \"x\"}",
             (long long)amount);
    reply = post(stage, path_of(id, "override"), key, body);
    if (reply.status != 201 || strstr(reply.text, "unfunded"))
        fail_msg("%d: %s", reply.status, reply.text);
    made = strdup(text_in(&reply, "id"));
    api_reply_free(&reply);
    return made;
}

static void set_limit(struct running *stage, int64_t limit)
{
    char body[64];

    snprintf(body, sizeof body, "{\"limit\": %lld}", (long long)limit);
    assert_answer(api_call(stage->service, "PUT", "/v1/budgets/bud_all", NULL, "*", body),
                  200);
}

static void assert_store_agrees(struct running *stage)
{
    struct store *reader = service_reader_take(stage->service);
    struct store_report report;
    struct err err;

    err_clear(&err);
    assert_int_equal(store_check(reader, &report, &err), STATUS_OK);
    assert_string_equal(report.first_fault, "");
    service_reader_give(stage->service, reader);
}

/* Who lowers a credit takes nothing more out of a budget whose limit was lowered. */
static void a_person_may_lower_a_credit_below_a_lowered_limit(void **state)
{
    struct running *stage = stage_of("", 5000);
    char *id =
             decide(stage, "a",
                    "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","
                    " \"order_amount\": 4000, \"entitled_amount\": 700, \"issue\":"
                    " \"late_delivery\", \"features\": {\"need\": 1}}",
                    1700),
         *lower;

    (void)state;
    set_limit(stage, 100);
    assert_problem(post(stage, path_of(id, "override"), "o1",
                        "{\"amount\": 1701, \"reason_code\": \"x\"}"),
                   409, "budget_exhausted");
    assert_budget(stage, 1700, 0);
    lower = decided_by(stage, id, "o2", 1000);
    assert_budget(stage, 1000, 0);
    assert_store_agrees(stage);
    assert_replay_matches(stage, lower);
    assert_answer(post(stage, path_of(lower, "settle"), "s", "{\"amount\": 1000}"), 200);
    assert_budget(stage, 0, 1000);
    assert_store_agrees(stage);
    free(lower);
    free(id);
    running_close(stage);
}

/* --- again ------------------------------------------------------------------------------------ */

static void decisions_replay_under_the_versions_they_were_made_under(void **state)
{
    struct running *stage =
        stage_of(", \"customer_limits\": [{\"window\": \"1d\", \"count\": 1}]", 100000);
    char *first = decide(stage, "1", NEEDY("c1"), 1000);
    char *blocked = decide(stage, "2", NEEDY("c1"), 0);
    struct api_reply reply;

    (void)state;
    /* Another policy from now on; what was decided was decided under the old one. */
    reply = api_call(stage->service, "PUT", "/v1/policies/goodwill", NULL, "*",
                     "{\"currency\": \"USD\", \"menu\": {\"amounts\": [100]}}");
    assert_int_equal(reply.status, 200);
    api_reply_free(&reply);
    running_restart(stage);
    assert_replay_matches(stage, first);
    assert_replay_matches(stage, blocked);
    reply = post(stage, path_of(first, "override"), "o",
                 "{\"amount\": 700, \"reason_code\": \"x\"}");
    assert_replay_matches(stage, text_in(&reply, "id"));
    api_reply_free(&reply);
    reply = get(stage, path_of(first, "explanation"));
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.text, "\"a1000\""));
    api_reply_free(&reply);
    free(first);
    free(blocked);
    running_close(stage);
}

/* --- holdout ---------------------------------------------------------------------------------- */

/* Held out from goodwill, not from people: they may make good what went wrong. */
static void a_person_may_decide_otherwise_for_who_is_held_out(void **state)
{
    struct running *stage =
        stage_of(", \"holdout\": {\"share\": 1, \"salt\": \"s\"}", 10000);
    char *id = decide(stage, "h1", NEEDY("c_1"), 0);

    (void)state;
    assert_answer(post(stage, path_of(id, "override"), "h2",
                       "{\"amount\": 700, \"reason_code\": \"GOODWILL\"}"),
                  201);
    assert_budget(stage, 700, 0);
    free(id);
    running_close(stage);
}

/* What is owed by right and found no room holds nothing there, so the budget can go
 * before it ends. */
static void a_hold_ends_without_the_budget_that_had_no_room_for_it(void **state)
{
    static const char *const ends[][2] = {{"settle", "{\"amount\": 300}"},
                                          {"release", "{\"reason_code\": \"r\"}"}};
    struct running *stage = stage_of("", 0);
    char *ids[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        ids[i] = decide(stage, i ? "b" : "a",
                        "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": "
                        "\"USD\", \"order_amount\": 4000, \"issue\": \"x\", "
                        "\"entitled_amount\": 300}",
                        300);
    assert_answer(
        api_call(stage->service, "DELETE", "/v1/budgets/bud_all", NULL, "*", NULL), 200);
    for (int i = 0; i < 2; i++) {
        assert_answer(post(stage, path_of(ids[i], ends[i][0]), "e", ends[i][1]), 200);
        free(ids[i]);
    }
    running_close(stage);
}

/* An hour or a day back at a restart: the period that has begun goes on. More than a
 * period back: the budget goes back with the clock, with what was spent. */
static void a_period_does_not_begin_twice_when_the_clock_was_set_back(void **state)
{
    struct running *stage = stage_of("", 1000);
    int64_t then_us = stage->now_us;
    char *id = decide(stage, "a", NEEDY("c1"), 1000);

    (void)state;
    assert_answer(post(stage, path_of(id, "settle"), "s", "{\"amount\": 1000}"), 200);
    free(id);
    assert_answer(
        post(stage, "/v1/budgets", NULL,
             "{\"id\": \"bud_even\", \"scope\": {\"market\": \"m\"}, \"period\": "
             "\"day\", \"limit\": 1000, \"currency\": \"USD\", \"pacing\": "
             "\"even\"}"),
        201);
    for (int hours = 1; hours <= 24; hours += 23) {
        struct api_reply pacing;

        stage->now_us = then_us - hours * 3600 * SECOND_US;
        running_restart(stage);
        free(decide(stage, hours == 1 ? "b" : "c", NEEDY("c2"), 0));
        pacing = get(stage, "/v1/budgets/bud_even/pacing");
        assert_true(int_in(&pacing, "planned_amount") >= 0);
        api_reply_free(&pacing);
        stage->now_us = then_us;
        running_restart(stage);
        free(decide(stage, hours == 1 ? "d" : "e", NEEDY("c3"), 0));
        assert_budget(stage, 0, 1000);
    }
    stage->now_us = then_us - 72 * 3600 * SECOND_US;
    running_restart(stage);
    free(decide(stage, "f", NEEDY("c4"), 0));
    assert_budget(stage, 0, 1000);
    stage->now_us += 24 * 3600 * SECOND_US;
    free(decide(stage, "g", NEEDY("c5"), 1000));
    running_close(stage);
}

/* The path is cut into names before these are decoded, and they are decoded once. */
static void a_customer_is_found_by_whatever_id_he_has(void **state)
{
    static const struct {
        const char *body, *path;
    } rows[] = {
        {NEEDY("a/b"), "/v1/customers/a%2Fb/decisions"},
        {NEEDY("a%2Fb"), "/v1/customers/a%252Fb/decisions"},
        {NEEDY("/"), "/v1/customers/%2f/decisions"},
        {NEEDY("../decisions"), "/v1/customers/..%2Fdecisions/decisions"},
        {NEEDY("a/b?c#d% &e"), "/v1/customers/a%2Fb%3Fc%23d%25%20%26e/decisions"},
    };
    struct running *stage = stage_of("", 1000000);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *id = decide(stage, rows[i].path, rows[i].body, 1000);
        struct api_reply reply = get(stage, rows[i].path);
        const json_t *data = json_object_get(reply.json, "data");

        assert_int_equal(reply.status, 200);
        assert_int_equal(json_array_size(data), 1);
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(data, 0), "id")), id);
        api_reply_free(&reply);
        free(id);
    }
    running_close(stage);
}

static void a_slash_in_a_name_opens_no_other_route(void **state)
{
    static const struct {
        const char *path, *code;
    } rows[] = {
        {"/v1/customers/a%2Fb%2Fdecisions", "route_not_found"},
        {"/v1/customers/a/b/decisions", "route_not_found"},
        {"/v1/customers/a%00b/decisions", "route_not_found"},
        {"/v1/customers//decisions", "route_not_found"},
        {"/v1/customers/a%2/decisions", "route_not_found"},
        {"/v1%2Fbudgets", "route_not_found"},
        {"/v1/models/m%2F1/versions/1", "route_not_found"},
        {"/v1/models/m/versions/1%2F1", "route_not_found"},
        {"/v1/decisions/..%2Fbudgets", "decision_not_found"},
        {"/v1/budgets/bud_all%2Fpacing", "budget_not_found"},
    };
    struct running *stage = stage_of("", 1000000);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_problem(get(stage, rows[i].path), 404, rows[i].code);
    running_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credit_is_held_and_then_settled),
        cmocka_unit_test(a_customer_is_found_by_whatever_id_he_has),
        cmocka_unit_test(a_slash_in_a_name_opens_no_other_route),
        cmocka_unit_test(what_is_not_settled_goes_back),
        cmocka_unit_test(a_text_that_may_be_left_away_may_be_null),
        cmocka_unit_test(what_goes_back_says_why),
        cmocka_unit_test(a_hold_ends_once),
        cmocka_unit_test(more_than_was_held_cannot_be_settled),
        cmocka_unit_test(nothing_is_held_for_no_credit),
        cmocka_unit_test(a_hold_that_is_over_cannot_be_settled),
        cmocka_unit_test(asking_again_returns_the_first_answer),
        cmocka_unit_test(asking_again_returns_the_first_answer_whatever_is_in_force_now),
        cmocka_unit_test(settling_again_returns_the_first_answer),
        cmocka_unit_test(the_budget_is_never_overspent),
        cmocka_unit_test(a_dry_run_keeps_nothing),
        cmocka_unit_test(a_new_period_begins_with_all_of_the_limit),
        cmocka_unit_test(a_foreign_currency_is_refused),
        cmocka_unit_test(the_largest_amounts_hurt_nobody),
        cmocka_unit_test(a_customer_gets_so_many_in_a_window),
        cmocka_unit_test(a_person_decides_otherwise),
        cmocka_unit_test(a_person_cannot_spend_what_is_not_there),
        cmocka_unit_test(a_person_may_lower_a_credit_below_a_lowered_limit),
        cmocka_unit_test(decisions_replay_under_the_versions_they_were_made_under),
        cmocka_unit_test(a_person_may_decide_otherwise_for_who_is_held_out),
        cmocka_unit_test(a_hold_ends_without_the_budget_that_had_no_room_for_it),
        cmocka_unit_test(a_period_does_not_begin_twice_when_the_clock_was_set_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
