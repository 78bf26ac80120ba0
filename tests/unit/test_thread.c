/* test_thread.c - threads have the name that is asked for, and rests end when they are
 * told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"

struct sleeper {
    struct thread thread;
    struct rest rest;
    char name[16];
    bool was_over;
};

static void *sleep_long(void *argument)
{
    struct sleeper *sleeper = argument;

    while (rest_ms(&sleeper->rest, 3600 * 1000))
        ;
    sleeper->was_over = rest_is_over(&sleeper->rest);
    return NULL;
}

static void a_rest_ends_when_all_is_over(void **state)
{
    struct sleeper sleeper = {0};
    struct err err;

    (void)state;
    err_clear(&err);
    rest_open(&sleeper.rest);
    assert_int_equal(
        thread_start(&sleeper.thread, "fifteen_letters", sleep_long, &sleeper, &err),
        STATUS_OK);
    assert_false(rest_is_over(&sleeper.rest));
    rest_end(&sleeper.rest);
    thread_join(&sleeper.thread);
    assert_true(sleeper.was_over);
    assert_false(rest_ms(&sleeper.rest, 3600 * 1000));
    thread_join(&sleeper.thread); /* once more: nothing */
    rest_close(&sleeper.rest);
}

static void *say_name(void *argument)
{
    struct sleeper *sleeper = argument;

    rest_ms(&sleeper->rest, 3600 * 1000);
    pthread_getname_np(pthread_self(), sleeper->name, sizeof sleeper->name);
    return NULL;
}

static void a_thread_has_its_name(void **state)
{
    struct sleeper sleeper = {0};
    struct err err;

    (void)state;
    err_clear(&err);
    rest_open(&sleeper.rest);
    assert_int_equal(
        thread_start(&sleeper.thread, "checkpoint", say_name, &sleeper, &err), STATUS_OK);
    rest_end(&sleeper.rest);
    thread_join(&sleeper.thread);
    assert_string_equal(sleeper.name, "checkpoint");
    rest_close(&sleeper.rest);
}

static void a_rest_lasts_as_long_as_it_is_to(void **state)
{
    int64_t began_us = clock_monotonic_us(&system_clock);
    struct rest rest;

    (void)state;
    rest_open(&rest);
    assert_true(rest_ms(&rest, 30));
    assert_true(clock_monotonic_us(&system_clock) - began_us >= 30000);
    rest_close(&rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rest_ends_when_all_is_over),
        cmocka_unit_test(a_thread_has_its_name),
        cmocka_unit_test(a_rest_lasts_as_long_as_it_is_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
