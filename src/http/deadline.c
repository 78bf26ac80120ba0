/* deadline.c - a list of sockets and the thread that goes through it. */
#include "http/deadline.h"

#include "base/clock.h"
#include "base/thread.h"

#include <linux/sockios.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SWEEP_INTERVAL_MS = 250 };

struct watch {
    struct watch *next, *previous;
    int socket;
    bool is_shut;
    int64_t end_us;           /* of its life; INT64_MAX: none */
    _Atomic int64_t until_us; /* monotonic, as all here; INT64_MAX: without limit */
    _Atomic int64_t
        pace_us; /* when the first byte of a stream is late; INT64_MAX: there is none */
    _Atomic int64_t sent_bytes; /* of it */
};

struct deadlines {
    pthread_mutex_t lock;
    struct thread thread;
    struct rest rest;
    struct watch *first, *last; /* youngest first */
    int open_count;             /* of those that are not shut down */
};

/* Under the lock, so that no socket is closed, and its number given away, meanwhile. The
 * owner sees the end of the stream and closes. */
static void shut(struct deadlines *deadlines, struct watch *watch)
{
    shutdown(watch->socket, SHUT_RDWR);
    watch_pause(watch);
    deadlines->open_count -= !watch->is_shut;
    watch->is_shut = true;
}

/* What the system still holds for the client has not been read. */
static bool is_behind(const struct watch *watch, int64_t now_us)
{
    int64_t pace_us = atomic_load_explicit(&watch->pace_us, memory_order_relaxed);
    int64_t read_bytes = atomic_load_explicit(&watch->sent_bytes, memory_order_relaxed);
    int held_bytes = 0;

    if (now_us < pace_us)
        return false;
    if (ioctl(watch->socket, SIOCOUTQ, &held_bytes) == 0)
        read_bytes -= held_bytes;
    return now_us - pace_us >= read_bytes * SECOND_US / REPLY_BYTES_PER_S_MIN;
}

static void sweep(struct deadlines *deadlines, int64_t now_us)
{
    for (struct watch *watch = deadlines->first; watch; watch = watch->next)
        if (now_us >= atomic_load_explicit(&watch->until_us, memory_order_relaxed) ||
            is_behind(watch, now_us))
            shut(deadlines, watch);
}

static void *run(void *context)
{
    struct deadlines *deadlines = context;

    do {
        pthread_mutex_lock(&deadlines->lock);
        sweep(deadlines, clock_monotonic_us(&system_clock));
        pthread_mutex_unlock(&deadlines->lock);
    } while (rest_ms(&deadlines->rest, SWEEP_INTERVAL_MS));
    return NULL;
}

enum status deadlines_open(struct deadlines **deadlines, struct err *err)
{
    struct deadlines *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for deadlines");
    pthread_mutex_init(&opened->lock, NULL);
    rest_open(&opened->rest);
    rc = thread_start(&opened->thread, "deadlines", run, opened, err);
    if (rc) {
        deadlines_close(opened);
        return rc;
    }
    *deadlines = opened;
    return STATUS_OK;
}

void deadlines_close(struct deadlines *deadlines)
{
    if (!deadlines)
        return;
    rest_end(&deadlines->rest);
    thread_join(&deadlines->thread);
    while (deadlines->first)
        deadlines_forget(deadlines, deadlines->first);
    rest_close(&deadlines->rest);
    pthread_mutex_destroy(&deadlines->lock);
    free(deadlines);
}

struct watch *deadlines_watch(struct deadlines *deadlines, int socket, int64_t wait_us,
                              int64_t life_us)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    watch->socket = socket;
    watch->end_us = life_us > 0 ? clock_monotonic_us(&system_clock) + life_us : INT64_MAX;
    watch_rest(watch, wait_us);
    pthread_mutex_lock(&deadlines->lock);
    watch->next = deadlines->first;
    if (watch->next)
        watch->next->previous = watch;
    else
        deadlines->last = watch;
    deadlines->first = watch;
    deadlines->open_count++;
    pthread_mutex_unlock(&deadlines->lock);
    return watch;
}

void deadlines_forget(struct deadlines *deadlines, struct watch *watch)
{
    pthread_mutex_lock(&deadlines->lock);
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        deadlines->first = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    else
        deadlines->last = watch->previous;
    deadlines->open_count -= !watch->is_shut;
    pthread_mutex_unlock(&deadlines->lock);
    free(watch);
}

void deadlines_make_room(struct deadlines *deadlines, int count_max)
{
    struct watch *watch;

    pthread_mutex_lock(&deadlines->lock);
    watch = deadlines->last;
    for (; watch && deadlines->open_count > count_max; watch = watch->previous)
        if (!watch->is_shut)
            shut(deadlines, watch);
    pthread_mutex_unlock(&deadlines->lock);
}

static void set_until(struct watch *watch, int64_t until_us)
{
    atomic_store_explicit(&watch->until_us, until_us, memory_order_relaxed);
}

void watch_set(struct watch *watch, int64_t wait_us)
{
    set_until(watch, clock_monotonic_us(&system_clock) + wait_us);
}

void watch_rest(struct watch *watch, int64_t wait_us)
{
    int64_t until_us = clock_monotonic_us(&system_clock) + wait_us;

    atomic_store_explicit(&watch->pace_us, INT64_MAX, memory_order_relaxed);
    set_until(watch, until_us < watch->end_us ? until_us : watch->end_us);
}

void watch_stream(struct watch *watch, int64_t wait_us)
{
    atomic_store_explicit(&watch->sent_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&watch->pace_us, clock_monotonic_us(&system_clock) + wait_us,
                          memory_order_relaxed);
}

void watch_sent(struct watch *watch, size_t bytes)
{
    atomic_fetch_add_explicit(&watch->sent_bytes, (int64_t)bytes, memory_order_relaxed);
}

void watch_pause(struct watch *watch)
{
    atomic_store_explicit(&watch->pace_us, INT64_MAX, memory_order_relaxed);
    set_until(watch, INT64_MAX);
}

bool watch_is_old(const struct watch *watch)
{
    return clock_monotonic_us(&system_clock) >= watch->end_us;
}
