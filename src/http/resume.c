/* resume.c - see resume.h. */
#include "http/resume.h"

#include <pthread.h>

struct polling_thread {
    pthread_mutex_t lock;
    struct call *ready; /* not resumed yet: whoever was resumed will see to them */
    bool is_woken;
};

/* A thread with suspended connections does not end. */
static _Thread_local struct polling_thread this_thread = {.lock =
                                                              PTHREAD_MUTEX_INITIALIZER};

void resume_belongs_here(struct call *call)
{
    call->thread = &this_thread;
}

static void resume_now(struct call *call, void (*resumed)(struct server *server))
{
    struct server *server = call->server;

    MHD_resume_connection(call->connection); /* and the call may be gone */
    resumed(server);
}

void resume(struct call *call, void (*resumed)(struct server *server))
{
    struct polling_thread *thread = call->thread;
    bool must_wake;

    pthread_mutex_lock(&thread->lock);
    must_wake = !thread->is_woken;
    thread->is_woken = true;
    call->resumes_others = must_wake;
    if (!must_wake) {
        call->next = thread->ready;
        thread->ready = call;
    }
    pthread_mutex_unlock(&thread->lock);
    if (must_wake)
        resume_now(call, resumed);
}

void resume_others(struct call *call, void (*resumed)(struct server *server))
{
    struct polling_thread *thread = call->thread;
    struct call *ready;

    if (!call->resumes_others)
        return;
    call->resumes_others = false;
    pthread_mutex_lock(&thread->lock);
    ready = thread->ready;
    thread->ready = NULL;
    thread->is_woken = false;
    pthread_mutex_unlock(&thread->lock);
    while (ready) {
        struct call *next = ready->next;

        resume_now(ready, resumed);
        ready = next;
    }
}
