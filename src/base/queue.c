/* queue.c - a ring of pointers under one mutex. */
#include "base/queue.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t has_news; /* an item where there was none, or shut */
    int capacity, first, count;
    bool is_shut, is_awaited;
    void *items[];
};

enum status queue_open(int capacity, struct queue **queue, struct err *err)
{
    pthread_condattr_t attributes;
    struct queue *opened;

    if (capacity <= 0)
        return err_set(err, STATUS_INVALID, "a queue has room for one item or more");
    opened = calloc(1, sizeof *opened + (size_t)capacity * sizeof *opened->items);
    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a queue of %d", capacity);
    opened->capacity = capacity;
    pthread_mutex_init(&opened->lock, NULL);
    /* Steps of the wall clock must not change how long the taker waits. */
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&opened->has_news, &attributes);
    pthread_condattr_destroy(&attributes);
    *queue = opened;
    return STATUS_OK;
}

void queue_close(struct queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->has_news);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

bool queue_push(struct queue *queue, void *item)
{
    bool is_accepted, must_wake;

    pthread_mutex_lock(&queue->lock);
    is_accepted = !queue->is_shut && queue->count < queue->capacity;
    if (is_accepted) {
        int place = queue->first + queue->count;

        if (place >= queue->capacity)
            place -= queue->capacity;
        queue->items[place] = item;
        queue->count++;
    }
    must_wake = is_accepted && queue->is_awaited;
    queue->is_awaited = queue->is_awaited && !must_wake;
    if (must_wake)
        pthread_cond_signal(&queue->has_news);
    pthread_mutex_unlock(&queue->lock);
    return is_accepted;
}

static struct timespec deadline_after(int64_t wait_us)
{
    int64_t now_us = clock_monotonic_us(&system_clock), at_us;
    const int64_t far_us = INT64_MAX / 2;

    if (wait_us < 0)
        wait_us = 0;
    if (__builtin_add_overflow(now_us, wait_us, &at_us) || at_us > far_us)
        at_us = far_us;
    return (struct timespec){.tv_sec = at_us / SECOND_US,
                             .tv_nsec = at_us % SECOND_US * 1000};
}

/* With the lock held. */
static void wait_for_news(struct queue *queue, int64_t wait_us)
{
    struct timespec deadline = deadline_after(wait_us);

    while (queue->count == 0 && !queue->is_shut) {
        queue->is_awaited = true;
        if (pthread_cond_timedwait(&queue->has_news, &queue->lock, &deadline) != 0)
            break;
    }
    queue->is_awaited = false;
}

int queue_take(struct queue *queue, void **items, int count_max, int64_t wait_us)
{
    int count;

    pthread_mutex_lock(&queue->lock);
    if (queue->count == 0 && !queue->is_shut && wait_us > 0)
        wait_for_news(queue, wait_us);
    count = queue->count < count_max ? queue->count : count_max;
    for (int i = 0; i < count; i++) {
        items[i] = queue->items[queue->first];
        queue->first = queue->first + 1 == queue->capacity ? 0 : queue->first + 1;
    }
    queue->count -= count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void queue_shut(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_shut = true;
    pthread_cond_broadcast(&queue->has_news);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_is_shut(struct queue *queue)
{
    bool is_shut;

    pthread_mutex_lock(&queue->lock);
    is_shut = queue->is_shut;
    pthread_mutex_unlock(&queue->lock);
    return is_shut;
}

int queue_count(struct queue *queue)
{
    int count;

    pthread_mutex_lock(&queue->lock);
    count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}
