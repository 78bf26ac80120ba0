/* test_unfunded.c - what is owed and finds no room, with amounts up to the largest there
 * is: a decision never says a number that its entries do not, and one that cannot be
 * recorded whole is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/money.h"
#include "base/rng.h"
#include "store/store.h"
#include "support/api_call.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    LIMIT = 100000,
    STEP_COUNT = 300,
    MADE_COUNT_MAX = 2 * STEP_COUNT,
    BATCH_COUNT = 2
};

struct decided {
    char id[ID_BYTES];
    int64_t amount;
};

struct stage {
    struct running *running; /* bud_all covers everything */
    struct rng rng;
    int key;
    struct decided made[MADE_COUNT_MAX];
    int made_count, refused_count;
};

static void stage_open(struct stage *stage)
{
    memset(stage, 0, sizeof *stage);
    stage->running = running_open();
    service_fill(stage->running->service, ", \"order_limit\": {\"order_share\": 1.0}",
                 LIMIT);
}

static struct api_reply call(struct stage *stage, const char *method, const char *path,
                             const char *body)
{
    char key[32];

    snprintf(key, sizeof key, "k%d", stage->key++);
    return api_call(stage->running->service, method, path, key, "*", body);
}

static void put_case(char *body, size_t room, int number, int64_t entitled)
{
    snprintf(body, room,
             "{\"case_id\": \"k%d\", \"customer_id\": \"c\", \"currency\": \"USD\","
             " \"issue\": \"x\", \"order_amount\": %" PRId64
             ", \"entitled_amount\": %" PRId64 ", \"features\": {\"need\": 1}}",
             number, MONEY_MINOR_MAX, entitled);
}

static struct api_reply decide(struct stage *stage, const char *path, int64_t entitled)
{
    char body[512];

    put_case(body, sizeof body, 0, entitled);
    return call(stage, "POST", path, body);
}

static bool was_refused(const struct api_reply *reply)
{
    return reply->status == 409 &&
           strcmp(string_at(reply->json, "code"), "unfunded_out_of_range") == 0;
}

static void assert_refused_whole(struct api_reply reply)
{
    if (!was_refused(&reply))
        fail_msg("%d: %s", reply.status, reply.text);
    api_reply_free(&reply);
}

static struct store_report checked(struct stage *stage)
{
    struct store *reader = service_reader_take(stage->running->service);
    struct store_report report;
    struct err err;

    err_clear(&err);
    if (store_check(reader, &report, &err))
        fail_msg("%s", err.text);
    service_reader_give(stage->running->service, reader);
    return report;
}

/* --- refused whole ---------------------------------------------------------------------------- */

static void what_cannot_be_noted_whole_is_refused(void **state)
{
    struct store_report before, after;
    struct stage stage;
    struct api_reply reply;

    (void)state;
    stage_open(&stage);
    reply = decide(&stage, "/v1/decisions", MONEY_MINOR_MAX);
    assert_int_equal(reply.status, 201);
    assert_int_equal(int_at(reply.json, "budgets/0/unfunded"), MONEY_MINOR_MAX - LIMIT);
    api_reply_free(&reply);
    before = checked(&stage);
    assert_refused_whole(decide(&stage, "/v1/decisions", LIMIT + 1));
    assert_refused_whole(decide(&stage, "/v1/decisions?dry_run=true", LIMIT + 1));
    after = checked(&stage);
    assert_string_equal(after.first_fault, "");
    assert_int_equal(after.decision_count, before.decision_count);
    assert_int_equal(after.entry_count, before.entry_count);
    assert_int_equal(after.answer_count, before.answer_count);
    reply = decide(&stage, "/v1/decisions", LIMIT); /* to the last unit */
    assert_int_equal(reply.status, 201);
    assert_int_equal(int_at(reply.json, "budgets/0/unfunded"), LIMIT);
    api_reply_free(&reply);
    assert_refused_whole(decide(&stage, "/v1/decisions", 1));
    running_close(stage.running);
}

static struct api_reply decide_both(struct stage *stage, int64_t first, int64_t second)
{
    char cases[BATCH_COUNT][512], body[2048];

    put_case(cases[0], sizeof cases[0], 0, first);
    put_case(cases[1], sizeof cases[1], 1, second);
    snprintf(body, sizeof body, "{\"cases\": [%s, %s]}", cases[0], cases[1]);
    return call(stage, "POST", "/v1/decision-batches", body);
}

/* Each alone would do. */
static void of_a_batch_that_cannot_be_noted_whole_nothing_is(void **state)
{
    struct store_report before, after;
    struct stage stage;

    (void)state;
    stage_open(&stage);
    before = checked(&stage);
    assert_refused_whole(decide_both(&stage, MONEY_MINOR_MAX, MONEY_MINOR_MAX));
    after = checked(&stage);
    assert_string_equal(after.first_fault, "");
    assert_int_equal(after.decision_count, before.decision_count);
    assert_int_equal(after.entry_count, before.entry_count);
    running_close(stage.running);
}

/* --- a person decides ------------------------------------------------------------------------- */

/* Decide so much, or override; the path of the new decision's overrides. */
static void made(struct stage *stage, const char *path, const char *body, char *into,
                 size_t room)
{
    struct api_reply reply = call(stage, "POST", path, body);

    if (reply.status != 201)
        fail_msg("%d: %s", reply.status, reply.text);
    snprintf(into, room, "/v1/decisions/%s/override", string_at(reply.json, "id"));
    api_reply_free(&reply);
}

/* What was noted for the old decision does not stand in the way of the new one. */
static void a_person_may_keep_what_was_noted_and_not_more(void **state)
{
    static const char as_before[] =
        "{\"amount\": 9007199254740981, \"reason_code\": \"as before\"}";
    char body[512], first[128], other[128], again[128], *verb;
    struct stage stage;
    struct api_reply reply;

    (void)state;
    stage_open(&stage);
    put_case(body, sizeof body, 0, MONEY_MINOR_MAX - 10);
    made(&stage, "/v1/decisions", body, first, sizeof first);
    put_case(body, sizeof body, 0, LIMIT + 10); /* the figure is at its end */
    made(&stage, "/v1/decisions", body, other, sizeof other);
    made(&stage, first, as_before, again, sizeof again);
    assert_string_equal(checked(&stage).first_fault, "");
    verb = strstr(again, "/override");
    strcpy(verb, "/release");
    reply = call(&stage, "POST", again, "{\"reason_code\": \"x\"}");
    assert_int_equal(reply.status, 200);
    api_reply_free(&reply);
    strcpy(verb, "/override");
    put_case(body, sizeof body, 0, MONEY_MINOR_MAX - 10); /* somebody else */
    made(&stage, "/v1/decisions", body, other, sizeof other);
    assert_refused_whole(call(&stage, "POST", again, as_before));
    assert_string_equal(checked(&stage).first_fault, "");
    running_close(stage.running);
}

/* Nor does it make room for it once its period is over: the figure is another. Refused
 * before anything is written, and done as soon as there is room. */
static void what_an_earlier_period_noted_makes_no_room(void **state)
{
    static const char as_before[] =
        "{\"amount\": 9007199254740981, \"reason_code\": \"as before\"}";
    char body[512], first[128], other[128], again[128];
    struct store_report before, after;
    struct stage stage;
    struct api_reply reply;

    (void)state;
    stage_open(&stage);
    put_case(body, sizeof body, 0, MONEY_MINOR_MAX - 10);
    made(&stage, "/v1/decisions", body, first, sizeof first);
    stage.running->now_us += 24 * 3600 * SECOND_US;
    made(&stage, "/v1/decisions", body, other, sizeof other); /* all of it without room */
    before = checked(&stage);
    assert_refused_whole(call(&stage, "POST", first, as_before));
    after = checked(&stage);
    assert_string_equal(after.first_fault, "");
    assert_int_equal(after.decision_count, before.decision_count);
    assert_int_equal(after.entry_count, before.entry_count);
    strcpy(strstr(other, "/override"), "/release");
    reply = call(&stage, "POST", other, "{\"reason_code\": \"x\"}");
    assert_int_equal(reply.status, 200);
    api_reply_free(&reply);
    made(&stage, first, as_before, again, sizeof again);
    assert_string_equal(checked(&stage).first_fault, "");
    running_close(stage.running);
}

/* --- whatever the amounts --------------------------------------------------------------------- */

/* As often near the ends as anywhere. */
static int64_t any_amount(struct rng *rng)
{
    int64_t most = (int64_t)1 << rng_below(rng, 54);
    int64_t amount = (int64_t)rng_below(rng, (uint64_t)most) + 1;

    return rng_below(rng, 4) == 0 ? MONEY_MINOR_MAX - amount % 1000 : amount;
}

/* Sums of one decision's entries in the only budget. */
static void add_up(struct stage *stage, const char *id, int64_t *held, int64_t *unfunded)
{
    struct store *reader = service_reader_take(stage->running->service);
    struct entry *entries;
    int64_t after = 0;
    int count;

    *held = *unfunded = 0;
    do {
        struct err err;

        err_clear(&err);
        if (entry_list(reader, NULL, after, LIST_COUNT_MAX, false,
                       answer_arena(stage->running), &entries, &count, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < count; i++) {
            const struct entry *entry = &entries[i];

            after = entry->seq;
            if (strcmp(entry->decision_id, id) != 0)
                continue;
            if (entry->kind == ENTRY_HOLD || entry->kind == ENTRY_OVERRIDE)
                *held += entry->amount;
            if (entry->kind == ENTRY_UNFUNDED && entry->amount > 0)
                *unfunded += entry->amount;
        }
    } while (count == LIST_COUNT_MAX);
    service_reader_give(stage->running->service, reader);
}

static void note_made(struct stage *stage, const json_t *decision)
{
    struct decided *made = &stage->made[stage->made_count++];
    const json_t *said = json_object_get(at(decision, "budgets/0"), "unfunded");
    int64_t held, unfunded;

    assert_true(stage->made_count <= MADE_COUNT_MAX);
    snprintf(made->id, sizeof made->id, "%s", string_at(decision, "id"));
    made->amount = int_at(decision, "amount");
    add_up(stage, made->id, &held, &unfunded);
    if (json_integer_value(said) != unfunded || held + unfunded != made->amount)
        fail_msg("%s says %" PRId64 ", of which %lld without room; its entries say "
                 "%" PRId64 " and %" PRId64,
                 made->id, made->amount, (long long)json_integer_value(said), held,
                 unfunded);
}

static void take(struct stage *stage, struct api_reply reply)
{
    json_t *decisions = json_object_get(reply.json, "decisions");

    if (reply.status == 201 && decisions)
        for (size_t i = 0; i < json_array_size(decisions); i++)
            note_made(stage, json_array_get(decisions, i));
    else if (reply.status == 201)
        note_made(stage, reply.json);
    else if (was_refused(&reply))
        stage->refused_count++;
    else if (reply.status != 200 && reply.status != 409 && reply.status != 422)
        fail_msg("%d: %s", reply.status, reply.text);
    api_reply_free(&reply);
}

/* Something of a decision made before. */
static void go_on(struct stage *stage)
{
    static const char *const verbs[] = {"settle", "release", "override"};
    uint64_t verb = rng_below(&stage->rng, 3);
    const struct decided *made =
        &stage->made[rng_below(&stage->rng, (uint64_t)stage->made_count)];
    int64_t amount = verb == 0 && made->amount > 0
                         ? (int64_t)rng_below(&stage->rng, (uint64_t)made->amount) + 1
                         : any_amount(&stage->rng);
    char path[128], body[128];

    snprintf(path, sizeof path, "/v1/decisions/%s/%s", made->id, verbs[verb]);
    if (verb == 0)
        snprintf(body, sizeof body, "{\"amount\": %" PRId64 "}", amount);
    else if (verb == 1)
        snprintf(body, sizeof body, "{\"reason_code\": \"x\"}");
    else
        snprintf(body, sizeof body, "{\"amount\": %" PRId64 ", \"reason_code\": \"x\"}",
                 amount);
    take(stage, call(stage, "POST", path, body));
}

static void entries_say_what_decisions_say_whatever_the_amounts(void **state)
{
    struct stage stage;
    struct store_report report;

    (void)state;
    stage_open(&stage);
    rng_seed(&stage.rng, seed_print(__func__));
    for (int i = 0; i < STEP_COUNT; i++)
        if (rng_below(&stage.rng, 8) == 0)
            take(&stage,
                 decide_both(&stage, any_amount(&stage.rng), any_amount(&stage.rng)));
        else if (stage.made_count > 0 && rng_below(&stage.rng, 2) == 0)
            go_on(&stage);
        else
            take(&stage, decide(&stage, "/v1/decisions", any_amount(&stage.rng)));
    report = checked(&stage);
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.decision_count, stage.made_count);
    assert_true(stage.made_count > 20);
    assert_true(stage.refused_count > 20);
    running_close(stage.running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_noted_whole_is_refused),
        cmocka_unit_test(of_a_batch_that_cannot_be_noted_whole_nothing_is),
        cmocka_unit_test(a_person_may_keep_what_was_noted_and_not_more),
        cmocka_unit_test(what_an_earlier_period_noted_makes_no_room),
        cmocka_unit_test(entries_say_what_decisions_say_whatever_the_amounts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
