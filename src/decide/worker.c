#include "decide/worker.h"

#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"

#include <stdlib.h>

struct worker {
    struct queue *queue;
    struct thread thread;
};

static void *worker_thread(void *argument)
{
    struct worker *worker = argument;
    void *item;

    for (;;) {
        if (queue_take(worker->queue, &item, 1, SECOND_US) == 1) {
            struct chore *chore = item;

            chore->run(chore);
        } else if (queue_is_shut(worker->queue)) {
            return NULL;
        }
    }
}

enum status worker_open(int queue_capacity, struct worker **worker, struct err *err)
{
    struct worker *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the worker");
    rc = queue_open(queue_capacity, &opened->queue, err);
    if (!rc)
        rc = thread_start(&opened->thread, "worker", worker_thread, opened, err);
    if (rc) {
        worker_close(opened);
        return rc;
    }
    *worker = opened;
    return STATUS_OK;
}

void worker_close(struct worker *worker)
{
    if (!worker)
        return;
    if (worker->thread.is_started)
        queue_shut(worker->queue);
    thread_join(&worker->thread);
    queue_close(worker->queue);
    free(worker);
}

enum status worker_submit(struct worker *worker, struct chore *chore, struct err *err)
{
    if (!queue_push(worker->queue, chore))
        return err_code(err, STATUS_UNAVAILABLE, "overloaded",
                        "too many requests are waiting: try again shortly");
    return STATUS_OK;
}
