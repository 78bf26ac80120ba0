/* test_rate.c - base/rate.h and base/memory.h: what is shared out is never more than
 * there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/rate.h"

#include <pthread.h>
#include <stdatomic.h>

#define START_US INT64_C(5000000000)

static int taken_of(const struct rate *rate, _Atomic int64_t *bucket, int64_t now_us,
                    int count)
{
    int64_t wait_us;
    int taken = 0;

    for (int i = 0; i < count; i++)
        taken += rate_take(rate, bucket, now_us, &wait_us);
    return taken;
}

static void a_burst_is_taken_at_once_and_then_one_an_interval(void **state)
{
    const struct rate rate = rate_of(10, 1, 5);
    _Atomic int64_t bucket = 0;

    (void)state;
    assert_int_equal(taken_of(&rate, &bucket, START_US, 20), 5);
    assert_int_equal(taken_of(&rate, &bucket, START_US + 99999, 20), 0);
    assert_int_equal(taken_of(&rate, &bucket, START_US + 100000, 20), 1);
    assert_int_equal(taken_of(&rate, &bucket, START_US + 400000, 20), 3);
    assert_int_equal(taken_of(&rate, &bucket, START_US + 60000000, 20), 5);
}

static void who_waits_as_long_as_was_said_is_served(void **state)
{
    static const struct {
        long count, seconds, burst;
    } rows[] = {{1, 1, 1}, {3, 1, 2}, {1000000, 1, 1}, {30, 60, 30}, {7, 60, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct rate rate = rate_of(rows[i].count, rows[i].seconds, rows[i].burst);
        _Atomic int64_t bucket = 0;
        int64_t now_us = START_US, wait_us;

        for (int turn = 0; turn < 50; turn++) {
            while (rate_take(&rate, &bucket, now_us, &wait_us))
                ;
            assert_true(wait_us > 0);
            assert_true(wait_us <= rows[i].seconds * 1000000 / rows[i].count + 1);
            now_us += wait_us;
            assert_true(rate_take(&rate, &bucket, now_us, &wait_us));
        }
    }
}

static void without_a_limit_nobody_waits(void **state)
{
    const struct rate rate = rate_of(0, 1, 1);
    _Atomic int64_t bucket = 0;

    (void)state;
    assert_int_equal(taken_of(&rate, &bucket, START_US, 1000), 1000);
}

struct race {
    struct rate rate;
    _Atomic int64_t bucket;
    atomic_int taken_count;
};

static void *race_for(void *context)
{
    struct race *race = context;

    atomic_fetch_add(&race->taken_count,
                     taken_of(&race->rate, &race->bucket, START_US, 1000));
    return NULL;
}

static void many_threads_take_no_more_than_one(void **state)
{
    struct race race = {.rate = rate_of(1, 1, 777)};
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_for, &race), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&race.taken_count), 777);
}

/* --- memory --------------------------------------------------------------------------------------- */

static void a_share_of_memory_is_never_exceeded(void **state)
{
    struct memory_share share = {.bytes_max = 100};

    (void)state;
    assert_true(memory_take(&share, 60));
    assert_false(memory_take(&share, 41));
    assert_true(memory_take(&share, 40));
    assert_false(memory_take(&share, 1));
    assert_false(memory_take(&share, SIZE_MAX));
    memory_give(&share, 40);
    assert_true(memory_take(&share, 1));
    assert_int_equal(share.bytes, 61);
}

static void arenas_take_their_chunks_from_the_share_and_give_them_back(void **state)
{
    struct memory_share share = {.bytes_max = 64 << 10};
    struct arena first, second;
    char buffer[64];

    (void)state;
    arena_init(&first, buffer, sizeof buffer, 1 << 20);
    arena_init(&second, NULL, 0, 1 << 20);
    first.share = second.share = &share;
    assert_non_null(arena_alloc(&first, 1, 32));
    assert_int_equal(share.bytes, 0);
    assert_non_null(arena_alloc(&first, 1, 50000));
    assert_true(share.bytes >= 50000);
    assert_null(arena_alloc(&second, 1, 50000));
    arena_reset(&first);
    assert_int_equal(share.bytes, 0);
    assert_non_null(arena_alloc(&second, 1, 50000));
    arena_reset(&second);
    assert_int_equal(share.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_taken_at_once_and_then_one_an_interval),
        cmocka_unit_test(who_waits_as_long_as_was_said_is_served),
        cmocka_unit_test(without_a_limit_nobody_waits),
        cmocka_unit_test(many_threads_take_no_more_than_one),
        cmocka_unit_test(a_share_of_memory_is_never_exceeded),
        cmocka_unit_test(arenas_take_their_chunks_from_the_share_and_give_them_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
