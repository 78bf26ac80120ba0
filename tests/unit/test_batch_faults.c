/* test_batch_faults.c - many requests in one transaction, and one malloc in it fails:
 * each in its turn, of ours and of SQLite's. Nobody is refused but who is at fault, and
 * the budgets in memory are those that are stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "decide/book.h"
#include "support/failing_memory.h"
#include "support/service_requests.h"
#include "support/store_fault_vfs.h"
#include "support/torture.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CROWD_COUNT_MAX = 16, NTH_MAX = 100000 };

/* What is asked for together, among service_changes. */
static const char *const paths[] = {
    "/v1/decisions",
    "/v1/decision-batches",
    "/v1/decisions/{decision}/settle",
    "/v1/decisions/{decision}/release",
    "/v1/decisions/{decision}/override",
    "/v1/budgets/bud_all",
    "/v1/budgets/bud_paced",
    "/v1/budgets/bud_all/adjustments",
};

struct member {
    const struct service_request *request;
    struct request_subject subject;
    struct running *running;
    char key[32];
    pthread_t thread;
    struct api_reply reply;
};

static struct {
    struct member members[CROWD_COUNT_MAX];
    int count;
    atomic_int answered_count;
    /* once nothing fails any more: what a member does for itself is none of this */
    sem_t may_go;
    long nth;
    bool is_sqlite;
} crowd;

/* --- together --------------------------------------------------------------------------------- */

static void wait_when_answered(bool begins)
{
    if (begins)
        return;
    atomic_fetch_add(&crowd.answered_count, 1);
    sem_wait(&crowd.may_go);
}

static void *ask_once(void *context)
{
    struct member *member = context;

    member->reply =
        request_call(member->running, member->request, &member->subject, member->key);
    return NULL;
}

/* Holds the commit thread up until all wait; what comes behind it is one batch, in which
 * something fails. */
struct gate {
    struct job job;
    sem_t is_reached, is_open, is_left;
};

static enum status gate_run(struct job *job, struct commit *commit, struct err *err)
{
    struct gate *gate = (struct gate *)job;

    (void)commit, (void)err;
    sem_post(&gate->is_reached);
    sem_wait(&gate->is_open);
    return STATUS_OK;
}

static void gate_done(struct job *job)
{
    if (crowd.is_sqlite)
        fault_arm(FAULT_MEMORY, crowd.nth, false);
    else
        memory_arm(crowd.nth, false);
    sem_post(&((struct gate *)job)->is_left);
}

static void wait_for_all(struct committer *committer)
{
    struct commit_stats stats;

    do {
        usleep(200);
        committer_stats(committer, &stats);
    } while (stats.waiting_count < crowd.count);
}

/* Whether it has struck. */
static bool ask_together(struct running *running)
{
    struct committer *committer = service_committer(running->service);
    struct gate gate = {.job = {.run = gate_run, .done = gate_done}};
    bool has_struck;

    sem_init(&gate.is_reached, 0, 0);
    sem_init(&gate.is_open, 0, 0);
    sem_init(&gate.is_left, 0, 0);
    sem_init(&crowd.may_go, 0, 0);
    atomic_store(&crowd.answered_count, 0);
    assert_int_equal(committer_submit(committer, &gate.job, &running->err), STATUS_OK);
    sem_wait(&gate.is_reached);
    api_call_around = wait_when_answered;
    for (int i = 0; i < crowd.count; i++)
        assert_int_equal(
            pthread_create(&crowd.members[i].thread, NULL, ask_once, &crowd.members[i]),
            0);
    wait_for_all(committer);
    sem_post(&gate.is_open);
    sem_wait(&gate.is_left);
    while (atomic_load(&crowd.answered_count) < crowd.count)
        usleep(200);
    has_struck = crowd.is_sqlite ? fault_disarm() : memory_disarm();
    for (int i = 0; i < crowd.count; i++)
        sem_post(&crowd.may_go);
    for (int i = 0; i < crowd.count; i++)
        pthread_join(crowd.members[i].thread, NULL);
    api_call_around = NULL;
    return has_struck;
}

/* --- before and after ------------------------------------------------------------------------- */

static void gather(struct running *running, struct request_subject *subject)
{
    crowd.count = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int k = 0; k < service_change_count; k++) {
            struct member *member = &crowd.members[crowd.count];

            if (strcmp(service_changes[k].path, paths[i]) != 0)
                continue;
            subject_renew(running, &service_changes[k], subject);
            *member = (struct member){
                .request = &service_changes[k], .subject = *subject, .running = running};
            snprintf(member->key, sizeof member->key, "key-%d", subject->n);
            crowd.count++;
            assert_true(crowd.count < CROWD_COUNT_MAX);
        }
    assert_true(crowd.count >= (int)(sizeof paths / sizeof *paths));
}

/* Runs on the commit thread. */
static enum status compare_book(struct job *job, struct commit *commit, struct err *err)
{
    (void)job;
    for (int i = 0; i < book_count(commit->book); i++) {
        const struct budget *live = book_at(commit->book, i);
        struct budget stored;
        enum status rc = budget_find(commit->store, live->id, &stored, err);

        if (rc)
            return rc;
        if (live->limit != stored.limit || live->held != stored.held ||
            live->spent != stored.spent || live->unfunded != stored.unfunded ||
            live->revision != stored.revision || live->pacing != stored.pacing ||
            live->expected_cases != stored.expected_cases ||
            live->case_count != stored.case_count ||
            live->shadow_price != stored.shadow_price)
            return err_set(err, STATUS_CORRUPT, "budget %s is another in memory",
                           live->id);
    }
    return STATUS_OK;
}

/* A clean refusal has left nothing: asked again it is done as for the first time. What
 * was done stays done. */
static int judge(struct member *member, long nth)
{
    bool was_refused = member->reply.status >= 300;
    struct api_reply again;

    if (was_refused && member->reply.status != 503)
        fail_msg("call %ld, %s: %d %s", nth, member->request->path, member->reply.status,
                 member->reply.text);
    again = request_call(member->running, member->request, &member->subject, member->key);
    if (again.status >= 300 || (was_refused && again.is_replayed))
        fail_msg("call %ld, %s again: %d %s", nth, member->request->path, again.status,
                 again.text);
    if (again.is_replayed)
        assert_string_equal(again.text, member->reply.text);
    api_reply_free(&again);
    api_reply_free(&member->reply);
    return was_refused;
}

/* How many requests were refused, at most one for each call that fails. */
static int64_t fail_each(struct running *running, bool is_sqlite, const char *what)
{
    struct request_subject subject = {.n = is_sqlite ? 500000 : 0};
    int64_t refused_sum = 0, point_count = 0;
    bool has_struck = true;

    crowd.is_sqlite = is_sqlite;
    for (long nth = 1; has_struck;
         nth += is_sqlite ? 1 + nth / torture_count(4, 32) : 1) {
        int refused_count = 0;

        assert_true(nth < NTH_MAX);
        crowd.nth = nth;
        gather(running, &subject);
        has_struck = ask_together(running);
        if (committer_has_failed(service_committer(running->service)))
            fail_msg("call %ld ended the service", nth);
        commit_run(running, compare_book);
        for (int i = 0; i < crowd.count; i++)
            refused_count += judge(&crowd.members[i], nth);
        if (refused_count > has_struck)
            fail_msg("call %ld: %d requests were refused", nth, refused_count);
        refused_sum += refused_count;
        point_count += has_struck;
    }
    assert_true(point_count > 0);
    check_whole(running);
    torture_report(what, point_count);
    return refused_sum;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void who_finds_no_memory_is_refused_and_no_other(void **state)
{
    struct running *running = requests_open();

    (void)state;
    assert_true(fail_each(running, false, "mallocs that failed in a batch of requests") >
                0);
    running_close(running);
}

/* A statement that fails undoes the batch; run once more, with memory again, all are
 * done. */
static void what_failed_once_below_is_done_for_all(void **state)
{
    struct running *running = requests_open();

    (void)state;
    assert_int_equal(fail_each(running, true,
                               "mallocs of the store that failed in a batch of requests"),
                     0);
    running_close(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_finds_no_memory_is_refused_and_no_other),
        cmocka_unit_test(what_failed_once_below_is_done_for_all),
    };

    fault_install();
    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
