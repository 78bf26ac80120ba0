/* test_inflight.c - one request at a time has an idempotency key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decide/inflight.h"

#include "base/rng.h"
#include "support/store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_COUNT_MAX_AT_ONCE = 1 << 15, THREAD_COUNT = 4, ROUND_COUNT = 20000 };

static struct inflight *opened(void)
{
    struct inflight *inflight;
    struct err err;

    err_clear(&err);
    if (inflight_open(&inflight, &err))
        fail_msg("%s", err.text);
    return inflight;
}

static struct claim claim_of(const char *key)
{
    return (struct claim){.key = text_of(key)};
}

static void a_key_is_claimed_once_until_it_is_released(void **state)
{
    struct inflight *inflight = opened();
    struct claim a = claim_of("a"), b = claim_of("b");
    struct claim another_a = claim_of("a"), another_b = claim_of("b");

    (void)state;
    assert_true(inflight_claim(inflight, &a));
    assert_false(inflight_claim(inflight, &another_a));
    assert_true(inflight_claim(inflight, &b));
    inflight_release(inflight, &a);
    assert_true(inflight_claim(inflight, &another_a));
    assert_false(inflight_claim(inflight, &another_b));
    inflight_close(inflight);
    inflight_close(NULL);
}

/* Against a plain array of flags; so many keys are claimed that several share a bucket,
 * and those in its middle are released all the time. */
static void it_agrees_with_a_plain_set_under_random_use(void **state)
{
    enum { COUNT = KEY_COUNT_MAX_AT_ONCE };
    static char names[COUNT][24];
    static struct claim claims[COUNT];
    static bool is_taken[COUNT];
    struct inflight *inflight = opened();
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("it_agrees_with_a_plain_set_under_random_use"));
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "key %d", i);
        claims[i] = claim_of(names[i]);
    }
    for (int step = 0; step < 400000; step++) {
        int i = (int)rng_below(&rng, COUNT);

        struct claim another = claim_of(names[i]);

        if (is_taken[i] && rng_below(&rng, 8) == 0) {
            inflight_release(inflight, &claims[i]);
            is_taken[i] = false;
        } else {
            if (inflight_claim(inflight, is_taken[i] ? &another : &claims[i]) ==
                is_taken[i])
                fail_msg("step %d: key %d", step, i);
            is_taken[i] = true;
        }
    }
    inflight_close(inflight);
}

static void more_keys_than_there_is_room_for_are_turned_away(void **state)
{
    static char names[KEY_COUNT_MAX_AT_ONCE + 1][24];
    static struct claim claims[KEY_COUNT_MAX_AT_ONCE + 1];
    struct inflight *inflight = opened();

    (void)state;
    for (int i = 0; i <= KEY_COUNT_MAX_AT_ONCE; i++) {
        snprintf(names[i], sizeof names[i], "key %d", i);
        claims[i] = claim_of(names[i]);
        assert_int_equal(inflight_claim(inflight, &claims[i]), i < KEY_COUNT_MAX_AT_ONCE);
    }
    inflight_release(inflight, &claims[0]);
    assert_true(inflight_claim(inflight, &claims[KEY_COUNT_MAX_AT_ONCE]));
    inflight_close(inflight);
}

/* --- at once ---------------------------------------------------------------------------------- */

static atomic_int holder_count;

static void *claim_and_release(void *argument)
{
    struct inflight *inflight = argument;
    intptr_t claimed = 0;

    for (int i = 0; i < ROUND_COUNT; i++) {
        struct claim claim = claim_of("the one key");

        if (!inflight_claim(inflight, &claim))
            continue;
        claimed++;
        if (atomic_fetch_add(&holder_count, 1) != 0)
            return (void *)-1; /* two have it */
        atomic_fetch_sub(&holder_count, 1);
        inflight_release(inflight, &claim);
    }
    return (void *)claimed;
}

static void no_two_threads_have_the_same_key(void **state)
{
    struct inflight *inflight = opened();
    pthread_t threads[THREAD_COUNT];
    intptr_t total = 0;

    (void)state;
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, claim_and_release, inflight),
                         0);
    for (int i = 0; i < THREAD_COUNT; i++) {
        void *claimed;

        pthread_join(threads[i], &claimed);
        assert_int_not_equal((intptr_t)claimed, -1);
        total += (intptr_t)claimed;
    }
    assert_true(total >= THREAD_COUNT);
    inflight_close(inflight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_claimed_once_until_it_is_released),
        cmocka_unit_test(it_agrees_with_a_plain_set_under_random_use),
        cmocka_unit_test(more_keys_than_there_is_room_for_are_turned_away),
        cmocka_unit_test(no_two_threads_have_the_same_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
