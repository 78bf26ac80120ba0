/* test_serial_order.c - what several callers did at the same time to two small budgets
 * had some serial order: each was told exactly what a plain ledger, asked one after the
 * other, would have said.
 *
 * Many short rounds of decisions, retries of the same key, settlements, releases,
 * overrides, limits, adjustments and reads from a few threads, on the same few decisions
 * and the last bit of money; the histories are searched for an order
 * (support/serial_history.h). Inside the process, where calls are shorter and meet more
 * often, and over HTTP.
 *
 * REDRESS_SEED repeats a run's choices, though not its timing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/door.h"
#include "support/folder.h"
#include "support/serial_history.h"
#include "support/server.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREAD_COUNT = 6,
    CALLS_PER_THREAD = 8,
    FIRST_COUNT = 3, /* decisions made before the others begin */
    ROUND_COUNT = 30,
    ROUND_COUNT_LONG = 1000,
    ROOM = 2600, /* of a budget when a round begins: two credits and a half */
    SHARED_KEYS = 3,
};
static_assert(FIRST_COUNT + THREAD_COUNT * CALLS_PER_THREAD <= SERIAL_CALL_COUNT_MAX);

static const char *const budgets[SERIAL_BUDGET_COUNT] = {"bud_wide", "bud_narrow"};

/* One round, as its threads share it. */
struct round {
    int number;
    struct serial_history history;
    char *answers[SERIAL_CALL_COUNT_MAX]; /* of decisions */
    int keys[SERIAL_CALL_COUNT_MAX]; /* of decisions: which shared key; -1: its own */
    pthread_barrier_t start;
    pthread_mutex_t lock;
    struct {
        char id[40];
        int made_by; /* index of the call */
    } made[SERIAL_CALL_COUNT_MAX];
    int made_count;
};

struct caller {
    pthread_t thread;
    struct door door;
    struct rng rng;
    struct round *round;
    int first; /* index of its first call */
};

static struct {
    int64_t call_count, step_count, refused_count, granted_count, again_count;
} tally;

/* --- calls ------------------------------------------------------------------------------------ */

static void read_balance(const json_t *budget, struct balance *balance)
{
    balance->limit = json_integer_value(json_object_get(budget, "limit"));
    balance->held = json_integer_value(json_object_get(budget, "held"));
    balance->spent = json_integer_value(json_object_get(budget, "spent"));
    balance->revision = json_integer_value(json_object_get(budget, "revision"));
}

static void note_decision(struct round *round, int index, const struct said *said)
{
    struct call *call = &round->history.calls[index];
    const char *id = json_string_value(json_object_get(said->json, "id"));

    round->answers[index] = strdup(said->text);
    call->amount = said_int(said, "amount");
    for (int b = 0; b < SERIAL_BUDGET_COUNT; b++)
        call->remaining[b] = said_remaining(said, budgets[b]);
    if (said->status != 201 || said->is_replayed)
        return;
    pthread_mutex_lock(&round->lock);
    snprintf(round->made[round->made_count].id, sizeof round->made[0].id, "%s", id);
    round->made[round->made_count++].made_by = index;
    pthread_mutex_unlock(&round->lock);
}

/* What every answer has. */
static struct said ask_and_note(struct door *door, struct round *round, int index,
                                const struct asked *asked)
{
    struct call *call = &round->history.calls[index];
    struct said said = door_ask(door, asked);

    call->called_ns = said.called_ns;
    call->returned_ns = said.returned_ns;
    call->status = said.status;
    call->is_replayed = said.is_replayed;
    memcpy(call->code, said.code, sizeof call->code);
    return said;
}

/* shared_key < 0: a key of its own. Whoever shares the key asks the same. */
static void decide(struct door *door, struct round *round, int index, bool is_narrow,
                   bool is_in_need, int shared_key)
{
    struct call *call = &round->history.calls[index];
    char body[CASE_TEXT_BYTES], key[64];
    struct said said;

    *call = (struct call){
        .kind = CALL_DECIDE, .is_narrow = is_narrow, .is_in_need = is_in_need};
    round->keys[index] = shared_key;
    case_text(body, "c", is_narrow ? "narrow" : "other", is_in_need);
    snprintf(key, sizeof key, "d-%d-%s%d", round->number, shared_key < 0 ? "" : "shared-",
             shared_key < 0 ? index : shared_key);
    said = ask_and_note(
        door, round, index,
        &(struct asked){
            .method = "POST", .path = "/v1/decisions", .key = key, .body = body});
    note_decision(round, index, &said);
    said_free(&said);
}

/* Settle, release or override one of the decisions made so far. */
static void end_one(struct caller *caller, int index, enum call_kind kind)
{
    static const char *const verbs[] = {[CALL_SETTLE] = "settle",
                                        [CALL_RELEASE] = "release",
                                        [CALL_OVERRIDE] = "override"};
    struct round *round = caller->round;
    struct call *call = &round->history.calls[index];
    char path[96], key[64], body[96], id[40];
    struct said said;

    pthread_mutex_lock(&round->lock);
    int which = (int)rng_below(&caller->rng, (uint64_t)round->made_count);
    *call = (struct call){.kind = kind, .of = round->made[which].made_by};
    memcpy(id, round->made[which].id, sizeof id);
    pthread_mutex_unlock(&round->lock);
    call->amount = kind == CALL_RELEASE ? 0 : 1 + (int64_t)rng_below(&caller->rng, 1400);
    call->is_narrow = round->history.calls[call->of].is_narrow;
    snprintf(path, sizeof path, "/v1/decisions/%s/%s", id, verbs[kind]);
    snprintf(key, sizeof key, "e-%d-%d", round->number, index);
    snprintf(body, sizeof body,
             kind == CALL_SETTLE    ? "{\"amount\": %" PRId64 "}"
             : kind == CALL_RELEASE ? "{\"reason_code\": \"r%" PRId64 "\"}"
                                    : "{\"amount\": %" PRId64 ", \"reason_code\": \"o\"}",
             call->amount);
    said = ask_and_note(
        &caller->door, round, index,
        &(struct asked){.method = "POST", .path = path, .key = key, .body = body});
    if (kind == CALL_OVERRIDE && said.status == 201)
        note_decision(round, index, &said);
    said_free(&said);
}

static void set_limit(struct caller *caller, int index)
{
    struct round *round = caller->round;
    struct call *call = &round->history.calls[index];
    const struct balance *start;
    char path[64], body[64], if_match[32] = "*";
    struct said said;

    *call = (struct call){.kind = CALL_LIMIT,
                          .budget = (int)rng_below(&caller->rng, SERIAL_BUDGET_COUNT)};
    start = &round->history.start[call->budget];
    call->amount =
        start->held + start->spent + (int64_t)rng_below(&caller->rng, 2 * ROOM);
    if (rng_below(&caller->rng, 2)) {
        call->if_match = start->revision + (int64_t)rng_below(&caller->rng, 4);
        snprintf(if_match, sizeof if_match, "\"%" PRId64 "\"", call->if_match);
    }
    snprintf(path, sizeof path, "/v1/budgets/%s", budgets[call->budget]);
    snprintf(body, sizeof body, "{\"limit\": %" PRId64 "}", call->amount);
    said = ask_and_note(
        &caller->door, round, index,
        &(struct asked){
            .method = "PUT", .path = path, .if_match = if_match, .body = body});
    read_balance(said.json, &call->balances[0]);
    said_free(&said);
}

static void adjust(struct caller *caller, int index)
{
    struct round *round = caller->round;
    struct call *call = &round->history.calls[index];
    char path[64], body[96], key[64];
    struct said said;

    *call = (struct call){.kind = CALL_ADJUST,
                          .budget = (int)rng_below(&caller->rng, SERIAL_BUDGET_COUNT)};
    call->amount = (int64_t)rng_below(&caller->rng, 1600) - 700;
    call->amount += call->amount == 0;
    snprintf(path, sizeof path, "/v1/budgets/%s/adjustments", budgets[call->budget]);
    snprintf(body, sizeof body, "{\"amount\": %" PRId64 ", \"reason_code\": \"a\"}",
             call->amount);
    snprintf(key, sizeof key, "a-%d-%d", round->number, index);
    said = ask_and_note(
        &caller->door, round, index,
        &(struct asked){.method = "POST", .path = path, .key = key, .body = body});
    call->remaining[0] = said_int(&said, "remaining");
    read_balance(said.json, &call->balances[0]);
    said_free(&said);
}

static void look(struct door *door, struct round *round, int index, int budget)
{
    struct call *call = &round->history.calls[index];
    char path[64];
    struct said said;

    *call = (struct call){.kind = CALL_READ, .budget = budget};
    snprintf(path, sizeof path, "/v1/budgets/%s", budgets[budget]);
    said =
        ask_and_note(door, round, index, &(struct asked){.method = "GET", .path = path});
    read_balance(said.json, &call->balances[0]);
    said_free(&said);
}

static void look_at_all(struct door *door, struct round *round, int index)
{
    struct call *call = &round->history.calls[index];
    const json_t *item;
    struct said said;
    size_t i;

    *call = (struct call){.kind = CALL_READ_ALL};
    said = ask_and_note(door, round, index,
                        &(struct asked){.method = "GET", .path = "/v1/budgets"});
    json_array_foreach(json_object_get(said.json, "data"), i, item)
    {
        for (int b = 0; b < SERIAL_BUDGET_COUNT; b++)
            if (strcmp(json_string_value(json_object_get(item, "id")), budgets[b]) == 0)
                read_balance(item, &call->balances[b]);
    }
    said_free(&said);
}

static void call_one(struct caller *caller, int index)
{
    struct rng *rng = &caller->rng;
    bool is_narrow = rng_below(rng, 2), is_in_need = rng_below(rng, 8) > 0;
    int shared = (int)rng_below(rng, SHARED_KEYS);

    switch (rng_below(rng, 12)) {
    case 0:
    case 1:
    case 2:
        decide(&caller->door, caller->round, index, is_narrow, is_in_need, -1);
        break;
    case 3: /* the same body whoever asks */
        decide(&caller->door, caller->round, index, shared % 2, true, shared);
        break;
    case 4:
    case 5:
        end_one(caller, index, CALL_SETTLE);
        break;
    case 6:
        end_one(caller, index, CALL_RELEASE);
        break;
    case 7:
        end_one(caller, index, CALL_OVERRIDE);
        break;
    case 8:
        set_limit(caller, index);
        break;
    case 9:
        adjust(caller, index);
        break;
    case 10:
        look(&caller->door, caller->round, index, is_narrow);
        break;
    default:
        look_at_all(&caller->door, caller->round, index);
    }
}

static void *caller_run(void *argument)
{
    struct caller *caller = argument;

    pthread_barrier_wait(&caller->round->start);
    for (int i = 0; i < CALLS_PER_THREAD; i++)
        call_one(caller, caller->first + i);
    return NULL;
}

/* --- rounds ----------------------------------------------------------------------------------- */

/* A little room in each budget, whatever was before. */
static void make_room(struct door *door, struct serial_history *history)
{
    for (int b = 0; b < SERIAL_BUDGET_COUNT; b++) {
        char path[64], body[64];
        struct said said;

        snprintf(path, sizeof path, "/v1/budgets/%s", budgets[b]);
        said = door_get(door, path);
        snprintf(body, sizeof body, "{\"limit\": %" PRId64 "}",
                 said_int(&said, "held") + said_int(&said, "spent") + ROOM + 1000 * !b);
        said_free(&said);
        said =
            door_must(door, 200,
                      &(struct asked){
                          .method = "PUT", .path = path, .if_match = "*", .body = body});
        read_balance(said.json, &history->start[b]);
        said_free(&said);
    }
}

/* Of those who shared a key one decided; the others were told the same, byte for byte. */
static void sort_out_shared_keys(struct round *round)
{
    int makers[SHARED_KEYS] = {-1, -1, -1};
    struct serial_history *history = &round->history;

    for (int i = 0; i < history->count; i++) {
        int key = round->keys[i];
        const struct call *call = &history->calls[i];

        if (call->kind != CALL_DECIDE || key < 0 || call->status != 201 ||
            call->is_replayed)
            continue;
        if (makers[key] >= 0)
            fail_msg("one key made two decisions:\n%s\n%s", round->answers[makers[key]],
                     round->answers[i]);
        makers[key] = i;
    }
    for (int i = 0; i < history->count; i++) {
        int key = round->keys[i];
        struct call *call = &history->calls[i];

        if (call->kind != CALL_DECIDE || key < 0 || makers[key] == i)
            continue;
        assert_true(makers[key] >= 0);
        call->kind = CALL_SAME_AGAIN;
        call->of = makers[key];
        tally.again_count++;
        if (call->status == 201)
            assert_string_equal(round->answers[i], round->answers[makers[key]]);
    }
}

static void count(const struct serial_history *history)
{
    tally.call_count += history->count;
    for (int i = 0; i < history->count; i++) {
        const struct call *call = &history->calls[i];

        tally.refused_count += call->status >= 400;
        tally.granted_count += call->kind == CALL_DECIDE && call->amount > 0;
    }
}

static void run_round(struct caller callers[static THREAD_COUNT], int number)
{
    struct round *round = calloc(1, sizeof *round);

    assert_non_null(round);
    round->number = number;
    round->history.count = FIRST_COUNT + THREAD_COUNT * CALLS_PER_THREAD;
    pthread_mutex_init(&round->lock, NULL);
    pthread_barrier_init(&round->start, NULL, THREAD_COUNT);
    make_room(&callers[0].door, &round->history);
    for (int i = 0; i < FIRST_COUNT; i++)
        decide(&callers[0].door, round, i, i % 2, true, -1);
    for (int t = 0; t < THREAD_COUNT; t++) {
        callers[t].round = round;
        callers[t].first = FIRST_COUNT + t * CALLS_PER_THREAD;
        assert_int_equal(
            pthread_create(&callers[t].thread, NULL, caller_run, &callers[t]), 0);
    }
    for (int t = 0; t < THREAD_COUNT; t++)
        pthread_join(callers[t].thread, NULL);
    sort_out_shared_keys(round);
    if (!serial_history_is_explained(&round->history, &tally.step_count)) {
        serial_history_show(&round->history);
        fail_msg("round %d: no serial order explains what was said", number);
    }
    count(&round->history);
    for (int i = 0; i < round->history.count; i++)
        free(round->answers[i]);
    pthread_barrier_destroy(&round->start);
    pthread_mutex_destroy(&round->lock);
    free(round);
}

static bool has_seen_all(int round_count)
{
    return tally.granted_count > round_count && tally.refused_count > round_count &&
           tally.again_count > 0;
}

/* doors: one per thread. */
static void run_rounds(struct caller callers[static THREAD_COUNT], const char *where)
{
    int round_count = (int)torture_count(ROUND_COUNT, ROUND_COUNT_LONG), round = 0;
    uint64_t seed = seed_print(where);

    tally = (typeof(tally)){0};
    door_fill(&callers[0].door);
    door_add_budget(&callers[0].door, budgets[0], NULL, 0);
    door_add_budget(&callers[0].door, budgets[1], "narrow", 0);
    for (int t = 0; t < THREAD_COUNT; t++)
        rng_seed(&callers[t].rng, seed + (uint64_t)t);
    /* What chance leaves out of some rounds, the next ones have. */
    for (;
         round < round_count || (!has_seen_all(round_count) && round < 20 * round_count);
         round++)
        run_round(callers, round);
    assert_true(has_seen_all(round_count));
    print_message("%s: %" PRId64 " calls, %" PRId64 " refused, %" PRId64
                  " steps of the search\n",
                  where, tally.call_count, tally.refused_count, tally.step_count);
    torture_report("histories put into a serial order", round);
    torture_report("calls in these histories", tally.call_count);
}

static void calls_inside_the_process_have_a_serial_order(void **state)
{
    struct running *running = running_open();
    struct caller callers[THREAD_COUNT] = {0};

    (void)state;
    for (int t = 0; t < THREAD_COUNT; t++)
        callers[t].door = door_inside(running->service);
    run_rounds(callers, "inside");
    running_close(running);
}

static void calls_over_http_have_a_serial_order(void **state)
{
    struct caller callers[THREAD_COUNT] = {0};
    struct live_server server;
    char *folder = folder_temporary(), *authorization, *output;
    const char *const check[] = {"db", "check", "--data", folder, NULL};

    (void)state;
    authorization = admin_authorization(folder);
    assert_true(live_server_start(folder, NULL, &server));
    for (int t = 0; t < THREAD_COUNT; t++)
        callers[t].door = door_outside(server.listen, authorization);
    run_rounds(callers, "over HTTP");
    for (int t = 0; t < THREAD_COUNT; t++)
        door_close(&callers[t].door);
    assert_int_equal(live_server_stop(&server), 0);
    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
    free(authorization);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_inside_the_process_have_a_serial_order),
        cmocka_unit_test(calls_over_http_have_a_serial_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
