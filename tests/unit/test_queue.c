/* test_queue.c - base/queue.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/queue.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PUSHER_COUNT = 3, ITEMS_PER_PUSHER = 30000 };

/* Who is not woken waits so long. */
#define PATIENCE_US (120 * SECOND_US)

static struct queue *open_queue(int capacity)
{
    struct queue *queue;

    assert_int_equal(queue_open(capacity, &queue, NULL), STATUS_OK);
    return queue;
}

static void *item_of(intptr_t number)
{
    return (void *)number;
}

static void items_come_out_in_order(void **state)
{
    struct queue *queue = open_queue(5);
    void *items[8];

    (void)state;
    /* Several times around the ring. */
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++)
            assert_true(queue_push(queue, item_of(round * 10 + i)));
        assert_int_equal(queue_count(queue), 4);
        assert_int_equal(queue_take(queue, items, 3, 0), 3);
        assert_int_equal(queue_take(queue, items + 3, 5, 0), 1);
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(items[i], item_of(round * 10 + i));
    }
    queue_close(queue);
}

static void a_full_queue_refuses(void **state)
{
    struct queue *queue = open_queue(2);
    void *items[2];

    (void)state;
    assert_true(queue_push(queue, item_of(1)));
    assert_true(queue_push(queue, item_of(2)));
    assert_false(queue_push(queue, item_of(3)));
    assert_int_equal(queue_take(queue, items, 1, 0), 1);
    assert_true(queue_push(queue, item_of(3)));
    assert_int_equal(queue_take(queue, items, 2, 0), 2);
    assert_ptr_equal(items[1], item_of(3));
    queue_close(queue);
}

static void a_shut_queue_refuses_but_gives_what_it_has(void **state)
{
    struct queue *queue = open_queue(4);
    int64_t began_us = clock_monotonic_us(&system_clock);
    void *items[4];

    (void)state;
    assert_true(queue_push(queue, item_of(1)));
    assert_false(queue_is_shut(queue));
    queue_shut(queue);
    assert_true(queue_is_shut(queue));
    assert_false(queue_push(queue, item_of(2)));
    assert_int_equal(queue_take(queue, items, 4, PATIENCE_US), 1);
    assert_int_equal(queue_take(queue, items, 4, PATIENCE_US), 0);
    assert_true(clock_monotonic_us(&system_clock) - began_us < PATIENCE_US);
    queue_close(queue);
}

static void taking_waits_its_time_and_no_less(void **state)
{
    struct queue *queue = open_queue(1);
    int64_t began_us = clock_monotonic_us(&system_clock);
    void *items[1];

    (void)state;
    assert_int_equal(queue_take(queue, items, 1, 30000), 0);
    assert_true(clock_monotonic_us(&system_clock) - began_us >= 30000);
    assert_int_equal(queue_take(queue, items, 1, -5), 0);
    queue_close(queue);
}

static void wrong_capacities_are_refused(void **state)
{
    struct queue *queue = NULL;
    struct err err;

    (void)state;
    err_clear(&err);
    assert_int_equal(queue_open(0, &queue, &err), STATUS_INVALID);
    assert_int_equal(queue_open(-1, &queue, &err), STATUS_INVALID);
    assert_null(queue);
    queue_close(NULL);
}

static void *push_later(void *context)
{
    usleep(20000);
    queue_push(context, item_of(9));
    return NULL;
}

static void *shut_later(void *context)
{
    usleep(20000);
    queue_shut(context);
    return NULL;
}

static void a_waiting_taker_is_woken(void **state)
{
    struct queue *queue = open_queue(1);
    int64_t began_us = clock_monotonic_us(&system_clock);
    void *items[1];
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, push_later, queue), 0);
    assert_int_equal(queue_take(queue, items, 1, PATIENCE_US), 1);
    assert_ptr_equal(items[0], item_of(9));
    pthread_join(thread, NULL);
    assert_int_equal(pthread_create(&thread, NULL, shut_later, queue), 0);
    assert_int_equal(queue_take(queue, items, 1, INT64_MAX), 0);
    pthread_join(thread, NULL);
    assert_true(clock_monotonic_us(&system_clock) - began_us < PATIENCE_US);
    queue_close(queue);
}

struct pusher {
    struct queue *queue;
    intptr_t first;
    pthread_t thread;
};

static void *push_many(void *context)
{
    const struct pusher *pusher = context;

    for (intptr_t i = 0; i < ITEMS_PER_PUSHER; i++)
        while (!queue_push(pusher->queue, item_of(pusher->first + i)))
            sched_yield();
    return NULL;
}

static void nothing_is_lost_or_doubled_between_threads(void **state)
{
    struct queue *queue = open_queue(64);
    struct pusher pushers[PUSHER_COUNT];
    intptr_t next[PUSHER_COUNT] = {0};
    void *items[50];
    int taken = 0, count;

    (void)state;
    for (int i = 0; i < PUSHER_COUNT; i++) {
        pushers[i] = (struct pusher){.queue = queue, .first = i * ITEMS_PER_PUSHER};
        assert_int_equal(pthread_create(&pushers[i].thread, NULL, push_many, &pushers[i]),
                         0);
    }
    while (taken < PUSHER_COUNT * ITEMS_PER_PUSHER) {
        count = queue_take(queue, items, 50, PATIENCE_US);
        assert_true(count > 0);
        for (int i = 0; i < count; i++) {
            intptr_t number = (intptr_t)items[i], from = number / ITEMS_PER_PUSHER;

            assert_true(from >= 0 && from < PUSHER_COUNT);
            assert_int_equal(number % ITEMS_PER_PUSHER, next[from]++);
        }
        taken += count;
    }
    for (int i = 0; i < PUSHER_COUNT; i++)
        pthread_join(pushers[i].thread, NULL);
    assert_int_equal(queue_count(queue), 0);
    queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_shut_queue_refuses_but_gives_what_it_has),
        cmocka_unit_test(taking_waits_its_time_and_no_less),
        cmocka_unit_test(wrong_capacities_are_refused),
        cmocka_unit_test(a_waiting_taker_is_woken),
        cmocka_unit_test(nothing_is_lost_or_doubled_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
