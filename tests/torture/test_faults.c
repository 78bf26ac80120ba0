/* test_faults.c - the n-th call of the real server fails, once or from then on: memory,
 * writes, syncs, reads, opening, while each operation is under way. Whatever is said then
 * is true.
 *
 * The long form lets every call fail in its turn, the quick form one of each kind and
 * then some of them, by REDRESS_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rng.h"
#include "support/fault_stage.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    NTH_NEVER = 1000000000,
    OUTAGE_MS = 200,
    EXPORT_WAIT_MS = 60000,
    PATIENCE_S = 60,    /* with a busy machine */
    READY_S = 10,       /* until a server is ready again that needs a second */
    QUICK_COUNT = 60,   /* trials of the quick form, */
    QUICK_SECONDS = 3,  /* which begins none after so many */
    RESTART_EVERY = 64, /* trials, after which all that was said is asked for again */
    SAID_COUNT_MAX = 2 * RESTART_EVERY,
};

/* --- what was said ---------------------------------------------------------------------------- */

/* Answers since the last restart. */
static struct {
    struct request request;
    char *answer;
} said[SAID_COUNT_MAX];
static int said_count;
static long checked_count, struck_counts[CALL_KIND_COUNT];

static void keep(struct request *request, const struct live_reply *reply)
{
    if (said_count == SAID_COUNT_MAX || request->operation->is_once ||
        strcmp(request->operation->method, "GET") == 0) {
        request_free(request);
        return;
    }
    said[said_count].request = *request;
    said[said_count].answer = strdup(reply->response.body);
    said_count++;
}

static void see_that_it_is_kept(void)
{
    for (int i = 0; i < said_count; i++) {
        struct live_reply reply = request_insist(&said[i].request);

        assert_string_equal(reply.response.body, said[i].answer);
        live_reply_free(&reply);
        request_free(&said[i].request);
        free(said[i].answer);
        checked_count++;
    }
    said_count = 0;
}

static void restart(void)
{
    live_server_kill(&stage.server);
    stage_check();
    stage_start();
    see_that_it_is_kept();
}

/* --- one trial -------------------------------------------------------------------------------- */

struct trial {
    const struct operation *operation;
    enum call_kind kind;
    long nth;
    bool is_lasting;
};

static void name_it(const struct trial *trial)
{
    snprintf(stage.what, sizeof stage.what, "%s, %s %ld%s", trial->operation->name,
             call_kind_name(trial->kind), trial->nth,
             trial->is_lasting ? " and after" : "");
}

static bool health_answers(void)
{
    struct http_client *client = http_client_open(stage.server.health_listen);
    struct http_response response = {0};
    bool is_answered = http_call(client, "GET", "/healthz", NULL, NULL, 0, &response) &&
                       response.status == 200;

    http_response_free(&response);
    http_client_close(client);
    return is_answered;
}

/* After a sync that failed nothing is done any more by this process. */
static void see_that_nothing_is_done(void)
{
    struct request request = request_make(&operations[0]);
    struct live_reply reply;
    int code;

    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    if (request_send(&request, &reply) && answer_judge(&request, &reply))
        fail_msg("%s: answered %s", stage.what, reply.response.body);
    live_reply_free(&reply);
    request_free(&request);
    if (!live_server_ended(&stage.server, PATIENCE_S * 1000, &code) || code != 1)
        fail_msg("%s: the server does not end with 1", stage.what);
    stage_start();
}

/* The library's loop needs memory to wait for sockets: without any nothing is answered,
 * until there is some again. */
static void *give_memory_back(void *argument)
{
    const atomic_bool *is_answered = argument;

    int64_t end_us = clock_monotonic_us(&system_clock) + OUTAGE_MS * 1000;

    while (clock_monotonic_us(&system_clock) < end_us && !atomic_load(is_answered))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    fault_plan_disarm(stage.plan);
    return NULL;
}

/* Send it under the fault. Returns what was answered when it was done, else NULL. */
static char *suffer(const struct trial *trial, const struct request *request,
                    long *struck_count)
{
    struct live_reply reply;
    char *answer = NULL;
    atomic_bool is_answered = false;
    pthread_t thread;

    fault_plan_arm(stage.plan, trial->kind, trial->nth, trial->is_lasting,
                   trial->kind == CALL_OPEN ? "/" : stage.folder);
    if (trial->kind == CALL_MEMORY && trial->is_lasting)
        assert_int_equal(pthread_create(&thread, NULL, give_memory_back, &is_answered),
                         0);
    if (request_send(request, &reply) && answer_judge(request, &reply))
        answer = strdup(reply.response.body);
    live_reply_free(&reply);
    atomic_store(&is_answered, true);
    if (trial->kind == CALL_MEMORY && trial->is_lasting)
        pthread_join(thread, NULL);
    if (trial->kind != CALL_MEMORY && !health_answers() &&
        !live_server_ended(&stage.server, PATIENCE_S * 1000, &(int){0}))
        fail_msg("%s: no health", stage.what);
    *struck_count = fault_plan_disarm(stage.plan);
    return answer;
}

static void see_that_it_happens_once(const struct request *request, const char *answer,
                                     const char *before)
{
    char *between = money_read(), *after;
    struct live_reply reply = request_insist(request), again;

    after = money_read();
    again = request_insist(request);
    if (!request->operation->is_once) {
        assert_string_equal(again.response.body, reply.response.body);
        if (answer && strcmp(answer, reply.response.body) != 0)
            fail_msg("%s: first %s then %s", stage.what, answer, reply.response.body);
    }
    if (strcmp(between, after) != 0 && (answer || strcmp(between, before) != 0))
        fail_msg("%s:\n%sbecame\n%sand\n%s", stage.what, before, between, after);
    live_reply_free(&reply);
    live_reply_free(&again);
    free(between);
    free(after);
}

/* Returns whether the fault came to strike. */
static bool try(struct trial trial)
{
    struct request request = request_make(trial.operation);
    char *before = money_read(), *answer;
    long struck_count;
    struct live_reply reply;

    name_it(&trial);
    answer = suffer(&trial, &request, &struck_count);
    if (trial.kind == CALL_SYNC && struck_count > 0)
        see_that_nothing_is_done();
    else
        stage_recover();
    see_that_it_happens_once(&request, answer, before);
    free(answer);
    free(before);
    reply = request_insist(&request);
    keep(&request, &reply);
    live_reply_free(&reply);
    struck_counts[trial.kind] += struck_count > 0;
    return struck_count > 0;
}

/* How many calls of the kind the operation takes, what goes on beside it included. */
static long calls_of(const struct operation *operation, enum call_kind kind)
{
    struct trial trial = {operation, kind, NTH_NEVER, false};
    struct request request = request_make(operation);
    long struck_count;

    name_it(&trial);
    free(suffer(&trial, &request, &struck_count));
    request_free(&request);
    return atomic_load(&stage.plan->call_count);
}

/* --- exports ---------------------------------------------------------------------------------- */

static bool export_is_made(const char *path)
{
    struct http_client *client = http_client_open(stage.server.listen);
    struct live_reply reply;
    bool is_made =
        live_call(client,
                  &(struct live_request){
                      .method = "GET", .path = path, .authorization = stage.admin},
                  &reply) &&
        reply.response.status == 200;

    live_reply_free(&reply);
    http_client_close(client);
    return is_made;
}

/* Its place is free when its connection is gone. */
static void see_that_exports_are_made(const char *path)
{
    for (int i = 0; i < EXPORT_WAIT_MS; i++) {
        if (export_is_made(path))
            return;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fail_msg("%s: exports are not made any more", stage.what);
}

/* There are two places: two that are lost are enough. Memory that others ask for beside
 * it is counted too. */
static void an_export_that_fails_gives_its_place_back(void **state)
{
    static const char *const paths[] = {"/v1/exports/audit",
                                        "/v1/exports/decisions?format=csv"};
    long struck_count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        long count;

        fault_plan_arm(stage.plan, CALL_MEMORY, NTH_NEVER, false, "");
        see_that_exports_are_made(paths[i]);
        fault_plan_disarm(stage.plan);
        count = atomic_load(&stage.plan->call_count);
        for (long nth = 1; nth <= count; nth++) {
            snprintf(stage.what, sizeof stage.what, "%s, malloc %ld", paths[i], nth);
            fault_plan_arm(stage.plan, CALL_MEMORY, nth, false, "");
            (void)export_is_made(paths[i]);
            struck_count += fault_plan_disarm(stage.plan);
            see_that_exports_are_made(paths[i]);
        }
    }
    torture_report("fault points of exports", struck_count);
    assert_true(struck_count > 0);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void every_call_may_fail(void)
{
    int trial_count = 0;

    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++)
        for (int i = 0; i < operation_count; i++)
            for (int is_lasting = 0; is_lasting < 2; is_lasting++)
                for (long nth = 1, count = calls_of(&operations[i], kind); nth <= count;
                     nth++) {
                    /* One that does not come to strike is no end: what goes on beside
                     * counts. */
                    (void)try((struct trial){.operation = &operations[i],
                                             .kind = kind,
                                             .nth = nth,
                                             .is_lasting = is_lasting});
                    if (++trial_count % RESTART_EVERY == 0)
                        restart();
                }
}

/* A running service has its files open, cuts none and maps none: those strike at the
 * start. */
static bool is_called(int kind)
{
    return kind != CALL_OPEN && kind != CALL_TRUNCATE && kind != CALL_MAP;
}

static void one_may_fail(struct rng *rng, int operation, int kind)
{
    struct trial trial = {.operation = &operations[operation],
                          .kind = (enum call_kind)kind,
                          .is_lasting = rng_below(rng, 2)};
    long count = calls_of(trial.operation, trial.kind);

    if (count == 0)
        return;
    trial.nth = 1 + (long)rng_below(rng, (uint64_t)count);
    (void)try(trial);
}

/* One of each kind that is called, of whichever operation calls it; then any, while there
 * is time. */
static void some_calls_fail(void)
{
    struct rng rng;
    time_t end = time(NULL) + QUICK_SECONDS;

    rng_seed(&rng, seed_print("some_calls_fail"));
    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++)
        for (int i = 0; i < QUICK_COUNT && is_called(kind) && struck_counts[kind] == 0;
             i++)
            one_may_fail(&rng, i % operation_count, kind);
    for (int i = 0; i < QUICK_COUNT && time(NULL) < end; i++)
        one_may_fail(&rng, (int)rng_below(&rng, (uint64_t)operation_count),
                     CALL_MEMORY + (int)rng_below(&rng, CALL_KIND_COUNT - CALL_MEMORY));
}

static void see_that_faults_struck(void)
{
    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++)
        if (is_called(kind) && struck_counts[kind] == 0)
            fail_msg("no fault of a %s has struck", call_kind_name(kind));
    assert_true(checked_count > 0);
}

static void whatever_fails_what_is_said_is_true(void **state)
{
    char what[64];

    (void)state;
    if (torture_count(0, 1))
        every_call_may_fail();
    else
        some_calls_fail();
    restart();
    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++) {
        snprintf(what, sizeof what, "fault points, %s", call_kind_name(kind));
        if (struck_counts[kind] > 0)
            torture_report(what, struck_counts[kind]);
    }
    torture_report("servers that ended after a fault", stage.restart_count);
    torture_report("answers found again after restarts", checked_count);
    see_that_faults_struck();
}

/* The pages it was about are written again by the next one, but that says nothing about
 * others. */
static void a_checkpoint_that_cannot_sync_ends_the_service(void **state)
{
    struct request request = request_make(&operations[0]);
    struct live_reply reply;

    (void)state;
    snprintf(stage.what, sizeof stage.what, "fsync of a checkpoint");
    fault_plan_arm(stage.plan, CALL_SYNC, 1, false, "redress.db$");
    reply = request_insist(&request);
    keep(&request, &reply);
    live_reply_free(&reply);
    for (int i = 0; i < PATIENCE_S * 100 && atomic_load(&stage.plan->struck_count) == 0;
         i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(fault_plan_disarm(stage.plan), 1);
    see_that_nothing_is_done();
    see_that_it_is_kept();
}

/* Nobody sends requests to a server that is not ready: it finds out by itself that its
 * disk is well. A server that has just started has to read what it is asked for. */
static void a_server_whose_disk_works_again_is_ready_without_being_asked(void **state)
{
    struct request settle = request_make(&operations[1]);
    struct live_reply reply;
    time_t end;

    (void)state;
    restart();
    snprintf(stage.what, sizeof stage.what, "a disk that is not read");
    fault_plan_arm(stage.plan, CALL_READ, 1, true, stage.folder);
    assert_true(request_send(&settle, &reply));
    assert_int_equal(reply.response.status, 503);
    live_reply_free(&reply);
    assert_false(stage_is_ready());
    assert_true(fault_plan_disarm(stage.plan) > 0);
    for (end = time(NULL) + READY_S; time(NULL) < end && !stage_is_ready();)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(stage_is_ready());
    reply = request_insist(&settle);
    keep(&settle, &reply);
    live_reply_free(&reply);
    see_that_it_is_kept();
}

static int open_it(void **state)
{
    (void)state;
    stage_open(NULL);
    return 0;
}

static int close_it(void **state)
{
    (void)state;
    stage_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_that_cannot_sync_ends_the_service),
        cmocka_unit_test(a_server_whose_disk_works_again_is_ready_without_being_asked),
        cmocka_unit_test(an_export_that_fails_gives_its_place_back),
        cmocka_unit_test(whatever_fails_what_is_said_is_true),
    };

    return cmocka_run_group_tests(tests, open_it, close_it);
}
