#include "decide/commit.h"

#include "base/log.h"
#include "base/queue.h"
#include "base/thread.h"
#include "decide/book.h"
#include "decide/prices.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct committer {
    struct commit tools;
    const struct clock *clock;
    struct queue *queue;
    struct thread thread;
    atomic_bool has_failed;
    const char *_Atomic trouble; /* of the store */
    _Atomic int64_t job_count, batch_count, failure_count;
};

/* A job that says no on its merits. */
static bool is_refusal(enum status status)
{
    return status == STATUS_MALFORMED || status == STATUS_INVALID ||
           status == STATUS_FORBIDDEN || status == STATUS_NOT_FOUND ||
           status == STATUS_CONFLICT || status == STATUS_STALE ||
           status == STATUS_PRECONDITION || status == STATUS_TOO_LARGE;
}

/* Everybody in a batch that was undone hears why; also who was refused, since the reason
 * may have been written in the same batch. */
static void fail_all(struct job **jobs, int count, bool may_be_recorded,
                     bool lacks_memory, const struct err *why)
{
    enum status status = lacks_memory ? STATUS_EXHAUSTED : STATUS_UNAVAILABLE;
    const char *code = lacks_memory ? "out_of_memory" : "storage_unavailable";
    const char *said = may_be_recorded
                           ? "whether this was recorded is not known, ask again with "
                             "the same Idempotency-Key"
                           : "nothing was recorded";

    for (int i = 0; i < count; i++) {
        jobs[i]->err = *why;
        jobs[i]->status =
            err_code(&jobs[i]->err, status, code, "%s: %s", said, why->text);
    }
}

enum status err_waited_too_long(struct err *err)
{
    return err_code(err, STATUS_UNAVAILABLE, "overloaded",
                    "this waited too long and was not worked on: try again shortly");
}

/* Run one job. Its refusal concerns nobody else, unless it came after a write; nor does
 * it when there was no memory for it. But a statement without memory, even one that
 * reads, may have ended the whole transaction, and the book may have moved before the row
 * that failed. Everything else is trouble that undoes the batch. */
static enum status run_one(struct commit *tools, struct job *job, int64_t began_us,
                           struct err *why)
{
    int64_t change_count = store_change_count(tools->store);
    int64_t failure_count = store_failure_count(tools->store);
    bool concerns_nobody;

    err_clear(&job->err);
    if (job->late_at_us > 0 && began_us > job->late_at_us) {
        job->status = err_waited_too_long(&job->err);
        return STATUS_OK;
    }
    job->status = job->run(job, tools, &job->err);
    concerns_nobody =
        is_refusal(job->status) || (job->status == STATUS_EXHAUSTED &&
                                    store_failure_count(tools->store) == failure_count);
    if (job->status == STATUS_OK ||
        (concerns_nobody && store_change_count(tools->store) == change_count))
        return STATUS_OK;
    *why = job->err;
    return job->status;
}

enum { NOBODY = -1 };

/* Run all in one transaction. On failure *why, and the index of the job that is at fault,
 * or NOBODY. */
static enum status run_batch(struct committer *committer, struct job **jobs, int count,
                             int *at_fault, struct err *why)
{
    struct commit *tools = &committer->tools;
    enum status rc = store_begin(tools->store, why);
    int64_t began_us = clock_monotonic_us(committer->clock);
    bool has_rolled = false;

    *at_fault = NOBODY;
    if (rc)
        return rc;
    tools->now_us = clock_wall_us(committer->clock);
    rc = book_roll(tools->book, tools->store, tools->now_us, &has_rolled, why);
    if (!rc && has_rolled)
        prices_renew_now(tools);
    for (int i = 0; i < count && !rc; i++) {
        rc = run_one(tools, jobs[i], began_us, why);
        *at_fault = rc ? i : NOBODY;
    }
    if (!rc)
        rc = book_flush(tools->book, tools->store, why);
    if (rc) {
        store_rollback(tools->store);
        prices_end(tools, false);
        return rc;
    }
    rc = store_commit(tools->store, why);
    prices_end(tools, rc == STATUS_OK);
    /* Whether a commit that failed is on disk is not known: only a restart can tell. */
    if (rc)
        atomic_store(&committer->has_failed, true);
    return rc;
}

/* After trouble: the book is made what the store says. */
static void start_over(struct committer *committer)
{
    struct err err;

    err_clear(&err);
    if (!atomic_load(&committer->has_failed) &&
        book_load(committer->tools.book, committer->tools.store, &err))
        atomic_store(&committer->has_failed, true);
}

/* Run and commit some jobs; true when it is done with, one way or the other. False: it
 * was undone, and may be tried again in parts; *at_fault as run_batch tells it. */
static bool try_batch(struct committer *committer, struct job **jobs, int count,
                      int *at_fault)
{
    bool had_failed = atomic_load(&committer->has_failed), has_failed;
    struct err why;
    enum status rc;

    err_clear(&why);
    *at_fault = NOBODY;
    for (int i = 0; i < count; i++)
        jobs[i]->status = STATUS_OK;
    if (had_failed)
        rc = err_set(&why, STATUS_UNAVAILABLE, "the store failed: restart the service");
    else
        rc = run_batch(committer, jobs, count, at_fault, &why);
    atomic_store(&committer->trouble, store_trouble(committer->tools.store));
    if (!rc)
        return true;
    log_event(LOG_ERROR, "commit_failed", LOG_TEXT("detail", why.text),
              LOG_INT("jobs", count));
    start_over(committer);
    if (count > 1 && !atomic_load(&committer->has_failed))
        return false;
    has_failed = atomic_load(&committer->has_failed);
    /* What is full, if not memory, is in trouble. */
    fail_all(jobs, count, !had_failed && has_failed,
             rc == STATUS_EXHAUSTED && !has_failed &&
                 !store_trouble(committer->tools.store),
             &why);
    return true;
}

/* Those that are to be last behind the others; both keep their order. How many others
 * there are. */
static int put_last(struct job **jobs, int count)
{
    struct job *last[COMMIT_BATCH_MAX];
    int first_count = 0, last_count = 0;

    for (int i = 0; i < count; i++) {
        if (jobs[i]->is_last)
            last[last_count++] = jobs[i];
        else
            jobs[first_count++] = jobs[i];
    }
    memcpy(jobs + first_count, last, (size_t)last_count * sizeof(struct job *));
    return first_count;
}

static void tell(struct committer *committer, struct job **jobs, int count)
{
    for (int i = 0; i < count; i++)
        if (jobs[i]->status == STATUS_OK && jobs[i]->publish)
            jobs[i]->publish(jobs[i], &committer->tools);
    for (int i = 0; i < count; i++)
        jobs[i]->done(jobs[i]);
}

static void finish(struct committer *committer, struct job **jobs, int count)
{
    int first_count = put_last(jobs, count);

    tell(committer, jobs, first_count);
    tell(committer, jobs + first_count, count - first_count);
}

static void work_one_by_one(struct committer *committer, struct job **jobs, int count)
{
    int at_fault;

    for (int i = 0; i < count; i++) {
        try_batch(committer, &jobs[i], 1, &at_fault);
        finish(committer, &jobs[i], 1);
    }
}

/* All in one transaction. When that is undone by one of them, those before it in another,
 * it alone, and those behind it as if they had just come: so only the one that is at
 * fault fails, and however many are, the others wait for few commits. */
static void work(struct committer *committer, struct job **jobs, int count)
{
    int at_fault, again;

    atomic_fetch_add(&committer->job_count, count);
    atomic_fetch_add(&committer->batch_count, 1);
    while (count > 0 && !try_batch(committer, jobs, count, &at_fault)) {
        int apart = at_fault == NOBODY ? count : at_fault + 1;

        atomic_fetch_add(&committer->failure_count, 1);
        if (at_fault > 0 && try_batch(committer, jobs, at_fault, &again)) {
            finish(committer, jobs, at_fault);
            work_one_by_one(committer, jobs + at_fault, 1);
        } else {
            work_one_by_one(committer, jobs, apart);
        }
        jobs += apart;
        count -= apart;
    }
    finish(committer, jobs, count);
}

static void *commit_thread(void *argument)
{
    struct committer *committer = argument;
    void *items[COMMIT_BATCH_MAX];

    for (;;) {
        int count = queue_take(committer->queue, items, COMMIT_BATCH_MAX, SECOND_US);

        if (count > 0)
            work(committer, (struct job **)items, count);
        else if (queue_is_shut(committer->queue))
            return NULL;
    }
}

enum status committer_open(const struct commit *tools, const struct clock *clock,
                           int queue_capacity, struct committer **committer,
                           struct err *err)
{
    struct committer *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the commit thread");
    opened->tools = *tools;
    opened->clock = clock;
    rc = queue_open(queue_capacity, &opened->queue, err);
    if (!rc)
        rc = thread_start(&opened->thread, "commit", commit_thread, opened, err);
    if (rc) {
        committer_close(opened);
        return rc;
    }
    *committer = opened;
    return STATUS_OK;
}

void committer_close(struct committer *committer)
{
    if (!committer)
        return;
    if (committer->thread.is_started)
        queue_shut(committer->queue);
    thread_join(&committer->thread);
    queue_close(committer->queue);
    free(committer);
}

enum status committer_submit(struct committer *committer, struct job *job,
                             struct err *err)
{
    if (atomic_load(&committer->has_failed))
        return err_code(err, STATUS_UNAVAILABLE, "storage_unavailable",
                        "the store failed: restart the service");
    if (!queue_push(committer->queue, job))
        return err_code(err, STATUS_UNAVAILABLE, "overloaded",
                        "too many requests are waiting: try again shortly");
    return STATUS_OK;
}

/* --- waiting: a job around a job, whose end wakes the one who waits ------------------------- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over;
};

struct waiting_job {
    struct job job;
    struct job *inner;
    struct waiter *waiter;
};

static enum status waiting_run(struct job *job, struct commit *commit, struct err *err)
{
    struct job *inner = ((struct waiting_job *)job)->inner;

    return inner->run(inner, commit, err);
}

static void waiting_publish(struct job *job, struct commit *commit)
{
    struct job *inner = ((struct waiting_job *)job)->inner;

    if (inner->publish)
        inner->publish(inner, commit);
}

static void waiting_done(struct job *job)
{
    struct waiter *waiter = ((struct waiting_job *)job)->waiter;

    pthread_mutex_lock(&waiter->lock);
    waiter->is_over = true;
    pthread_cond_signal(&waiter->over);
    pthread_mutex_unlock(&waiter->lock);
}

enum status committer_run(struct committer *committer, struct job *job)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER,
                            .over = PTHREAD_COND_INITIALIZER};
    struct waiting_job waiting = {.job = {.run = waiting_run,
                                          .publish = waiting_publish,
                                          .done = waiting_done,
                                          .is_last = job->is_last},
                                  .inner = job,
                                  .waiter = &waiter};

    err_clear(&job->err);
    job->status = committer_submit(committer, &waiting.job, &job->err);
    if (job->status)
        return job->status;
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_over)
        pthread_cond_wait(&waiter.over, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    job->status = waiting.job.status;
    job->err = waiting.job.err;
    return job->status;
}

void committer_fail(struct committer *committer)
{
    atomic_store(&committer->has_failed, true);
}

bool committer_has_failed(const struct committer *committer)
{
    return atomic_load(&committer->has_failed);
}

const char *committer_trouble(const struct committer *committer)
{
    return atomic_load(&committer->trouble);
}

void committer_stats(const struct committer *committer, struct commit_stats *stats)
{
    *stats = (struct commit_stats){
        .job_count = atomic_load(&committer->job_count),
        .batch_count = atomic_load(&committer->batch_count),
        .failure_count = atomic_load(&committer->failure_count),
        .waiting_count = queue_count(committer->queue),
    };
}
