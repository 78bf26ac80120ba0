/* test_batch_trouble.c - batches when something else fails, is in the way, or is
 * missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/batch_calls.h"
#include "support/store_fault_vfs.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

struct fault_job {
    struct job job;
    sem_t *gate, *started, *over;
    bool is_at_fault;
    int run_count;
};

static enum status fault_run(struct job *job, struct commit *commit, struct err *err)
{
    struct fault_job *fault = (struct fault_job *)job;

    (void)commit;
    fault->run_count++;
    if (fault->started)
        sem_post(fault->started);
    if (fault->gate)
        sem_wait(fault->gate);
    return fault->is_at_fault ? err_set(err, STATUS_IO, "as the test wants it")
                              : STATUS_OK;
}

static void fault_done(struct job *job)
{
    sem_post(((struct fault_job *)job)->over);
}

struct poster {
    struct running *running;
    struct api_reply reply;
};

static void *post_batch(void *argument)
{
    static const struct wish wishes[] = {{"a", 2, 0}, {"b", 2, 0}, {"c", 2, 0}};
    struct poster *poster = argument;

    poster->reply = batch_decide(poster->running, "k1", wishes, 3);
    return NULL;
}

static void wait_for_jobs(struct committer *committer, int64_t count)
{
    struct commit_stats stats;

    do {
        usleep(1000);
        committer_stats(committer, &stats);
    } while (stats.waiting_count < count);
}

/* Post while the commit thread is held up, and a job that fails in the same transaction
 * behind it: both are undone, and run once more. */
static void post_and_undo(struct running *running, void *(*post_one)(void *),
                          struct poster *poster)
{
    struct committer *committer = service_committer(running->service);
    struct fault_job first = {.job = {.run = fault_run, .done = fault_done}};
    struct fault_job fault = first;
    sem_t gate, started, over;
    pthread_t thread;

    sem_init(&gate, 0, 0);
    sem_init(&started, 0, 0);
    sem_init(&over, 0, 0);
    first.gate = &gate;
    first.started = &started;
    first.over = fault.over = &over;
    fault.is_at_fault = true;
    assert_int_equal(committer_submit(committer, &first.job, &running->err), STATUS_OK);
    sem_wait(&started);
    assert_int_equal(pthread_create(&thread, NULL, post_one, poster), 0);
    wait_for_jobs(committer, 1);
    assert_int_equal(committer_submit(committer, &fault.job, &running->err), STATUS_OK);
    sem_post(&gate);
    pthread_join(thread, NULL);
    sem_wait(&over);
    sem_wait(&over);
    assert_int_equal(fault.run_count, 2);
    assert_int_equal(fault.job.status, STATUS_UNAVAILABLE);
    assert_int_equal(poster->reply.status, 201);
    sem_destroy(&gate);
    sem_destroy(&started);
    sem_destroy(&over);
}

static void a_batch_that_was_undone_with_others_is_decided_once(void **state)
{
    struct running *running = *state;
    struct poster poster = {.running = running};
    struct api_reply again;

    service_fill(running->service, "", 1500);
    post_and_undo(running, post_batch, &poster);
    for (int i = 0; i < 3; i++)
        assert_int_equal(batch_amount(&poster.reply, i), 500);
    assert_int_equal(batch_remaining(running), 0);
    again = api_call(running->service, "GET", "/v1/decisions", NULL, NULL, NULL);
    assert_int_equal(json_array_size(at(again.json, "data")), 3);
    api_reply_free(&again);
    api_reply_free(&poster.reply);
}

static void *post_case(void *argument)
{
    struct poster *poster = argument;

    poster->reply = api_call(poster->running->service, "POST", "/v1/decisions", "k1",
                             NULL, batch_case_of_a);
    return NULL;
}

/* What it was blocked for, and why, is said once. */
static void a_case_that_was_undone_with_others_is_decided_as_if_for_the_first_time(
    void **state)
{
    struct running *running = *state;
    struct poster poster = {.running = running};
    struct api_reply other;

    service_fill(running->service, "", 800);
    post_and_undo(running, post_case, &poster);
    other = api_call(running->service, "POST", "/v1/decisions?dry_run=true", NULL, NULL,
                     batch_case_of_a);
    assert_int_equal(int_at(poster.reply.json, "amount"), 500);
    assert_int_equal(int_at(other.json, "amount"), 0);
    for (int i = 0; i < 3; i++) {
        char blockers[64];

        snprintf(blockers, sizeof blockers, "options/%d/blockers", i);
        assert_int_equal(json_array_size(at(poster.reply.json, blockers)), i == 2);
    }
    assert_string_equal(string_at(poster.reply.json, "options/2/blockers/0/code"),
                        "BUDGET_EXHAUSTED");
    assert_int_equal(json_array_size(at(poster.reply.json, "reasons")), 2);
    api_reply_free(&other);
    api_reply_free(&poster.reply);
}

static struct api_reply decide_after_trouble(struct running *running, const char *key,
                                             const struct wish *wishes, int count)
{
    struct api_reply reply = batch_decide(running, key, wishes, count);

    if (reply.status == 503) { /* whether a commit is on disk is known after a restart */
        api_reply_free(&reply);
        running_restart(running);
        reply = batch_decide(running, key, wishes, count);
    }
    return reply;
}

/* What is below SQLite fails at the n-th time, in the middle of a batch or at its end,
 * for one n after the other: all of the batch is there, or nothing. Who asks again with
 * the same key has it, once. */
static void whatever_fails_below_a_batch_is_there_whole_or_not(void **state)
{
    static const struct {
        enum fault_kind kind;
        long stride;
    } rows[] = {{FAULT_WRITE, 1}, {FAULT_SYNC, 1}, {FAULT_MEMORY, 29}};
    struct running *running = *state;
    const struct wish wishes[] = {{"a", 2, 0}, {"b", 2, 0}};

    service_fill(running->service, "", 100000000);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        int failed_count = 0;
        bool has_struck = true;

        for (long nth = 1; has_struck; nth += rows[k].stride) {
            int64_t before = batch_remaining(running);
            struct api_reply reply;
            char key[64];

            snprintf(key, sizeof key, "k%zu-%ld", k, nth);
            fault_arm(rows[k].kind, nth, rows[k].kind != FAULT_MEMORY);
            reply = batch_decide(running, key, wishes, 2);
            has_struck = fault_disarm();
            assert_true(reply.status == 201 || (has_struck && reply.status == 503));
            failed_count += reply.status == 503;
            api_reply_free(&reply);
            reply = decide_after_trouble(running, key, wishes, 2);
            assert_int_equal(reply.status, 201);
            assert_int_equal(batch_amount(&reply, 0), 1000);
            assert_int_equal(batch_amount(&reply, 1), 1000);
            assert_int_equal(batch_remaining(running), before - 2000);
            api_reply_free(&reply);
        }
        assert_true(failed_count >= 1);
    }
}

static void a_fifth_batch_under_way_is_told_to_come_back(void **state)
{
    struct running *running = *state;
    const struct wish wishes[] = {{"a", 2, 0}};
    struct api_reply reply;
    int count = 0;

    service_fill(running->service, "", 10000);
    while (service_batch_begin(running->service, 4))
        count++;
    assert_int_equal(count, 4);
    reply = batch_decide(running, "k1", wishes, 1);
    assert_int_equal(reply.status, 503);
    assert_string_equal(string_at(reply.json, "code"), "overloaded");
    assert_int_equal(batch_remaining(running), 10000);
    api_reply_free(&reply);
    for (; count > 0; count--)
        service_batch_end(running->service);
    reply = batch_decide(running, "k1", wishes, 1); /* the refusal was not kept */
    assert_int_equal(reply.status, 201);
    assert_int_equal(batch_amount(&reply, 0), 1000);
    api_reply_free(&reply);
}

static void without_a_model_the_first_cases_get_the_fallback(void **state)
{
    struct running *running = *state;
    const struct wish wishes[] = {{"a", 2, 0}, {"b", 3, 0}, {"c", 3, 0}};
    struct api_reply reply;

    reply = api_call(running->service, "PUT", "/v1/policies/goodwill", NULL, NULL,
                     "{\"currency\": \"USD\", \"menu\": {\"amounts\": [500, 1000]},"
                     " \"model\": \"none\", \"fallback\": {\"amount\": 500}}");
    assert_int_equal(reply.status, 201);
    api_reply_free(&reply);
    reply = api_call(running->service, "POST", "/v1/budgets", NULL, NULL,
                     "{\"id\": \"bud_all\", \"scope\": {}, \"period\": \"day\","
                     " \"limit\": 1200, \"currency\": \"USD\"}");
    assert_int_equal(reply.status, 201);
    api_reply_free(&reply);
    reply = batch_decide(running, "k1", wishes, 3);
    assert_int_equal(reply.status, 201);
    assert_int_equal(batch_amount(&reply, 0), 500);
    assert_int_equal(batch_amount(&reply, 1), 500);
    assert_int_equal(batch_amount(&reply, 2), 0); /* no room for a third */
    assert_string_equal(string_at(reply.json, "decisions/0/outcome"), "fallback");
    assert_int_equal(batch_remaining(running), 200);
    api_reply_free(&reply);
}

int main(void)
{
#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, running_set_up, running_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_that_was_undone_with_others_is_decided_once),
        TEST(a_case_that_was_undone_with_others_is_decided_as_if_for_the_first_time),
        TEST(whatever_fails_below_a_batch_is_there_whole_or_not),
        TEST(a_fifth_batch_under_way_is_told_to_come_back),
        TEST(without_a_model_the_first_cases_get_the_fallback),
    };

    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
