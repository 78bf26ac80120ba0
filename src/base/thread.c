#include "base/thread.h"

#include <assert.h>
#include <string.h>
#include <time.h>

enum { NAME_BYTES = 16 }; /* of Linux, with the NUL */

enum status thread_start(struct thread *thread, const char *name,
                         void *(*run)(void *argument), void *argument, struct err *err)
{
    assert(strlen(name) < NAME_BYTES);
    if (pthread_create(&thread->id, NULL, run, argument) != 0)
        return err_set(err, STATUS_EXHAUSTED, "cannot start the thread '%s'", name);
    thread->is_started = true;
    (void)pthread_setname_np(thread->id, name);
    return STATUS_OK;
}

void thread_join(struct thread *thread)
{
    if (thread->is_started)
        pthread_join(thread->id, NULL);
    thread->is_started = false;
}

void rest_open(struct rest *rest)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&rest->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&rest->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    atomic_init(&rest->is_over, false);
}

void rest_close(struct rest *rest)
{
    pthread_cond_destroy(&rest->wake);
    pthread_mutex_destroy(&rest->lock);
}

bool rest_ms(struct rest *rest, int64_t ms)
{
    struct timespec until;
    int code = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&rest->lock);
    while (!atomic_load(&rest->is_over) && code == 0)
        code = pthread_cond_timedwait(&rest->wake, &rest->lock, &until);
    pthread_mutex_unlock(&rest->lock);
    return !atomic_load(&rest->is_over);
}

void rest_end(struct rest *rest)
{
    pthread_mutex_lock(&rest->lock);
    atomic_store(&rest->is_over, true);
    pthread_cond_broadcast(&rest->wake);
    pthread_mutex_unlock(&rest->lock);
}

bool rest_is_over(struct rest *rest)
{
    return atomic_load(&rest->is_over);
}
