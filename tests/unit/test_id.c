/* test_id.c - base/id.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/id.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREAD_COUNT = 4, IDS_PER_THREAD = 20000 };

static const int64_t now_us = INT64_C(1795197731123456);

static void ids_have_their_form(void **state)
{
    char id[ID_BYTES];

    (void)state;
    id_make("dec_", now_us, id);
    assert_int_equal(strlen(id), 4 + ULID_DIGITS);
    assert_true(id_is(text_of(id), "dec_"));
    assert_false(id_is(text_of(id), "bud_"));
    assert_false(id_is(text_of(id), "dec"));
    id_make("", now_us, id);
    assert_true(id_is(text_of(id), ""));
    id_make("12345", now_us, id);
    assert_true(id_is(text_of(id), "12345"));
}

static void other_forms_are_no_ids(void **state)
{
    static const char *const bad[] = {"",
                                      "dec_",
                                      "dec_01JD3M0000000000000000000",
                                      "dec_01JD3M000000000000000000000",
                                      "dec_81JD3M00000000000000000000",
                                      "dec_01jd3m00000000000000000000",
                                      "dec_01JD3I00000000000000000000",
                                      "dec_01JD3L00000000000000000000",
                                      "dec_01JD3O00000000000000000000",
                                      "dec_01JD3U00000000000000000000",
                                      "dec_01JD3-00000000000000000000"};

    (void)state;
    assert_true(id_is(text_of("dec_01JD3M00000000000000000000"), "dec_"));
    assert_true(id_is(text_of("dec_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "dec_"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (id_is(text_of(bad[i]), "dec_"))
            fail_msg("%s", bad[i]);
    assert_false(id_is((struct text){"dec_01JD3M0000000000000000000\0", 30}, "dec_"));
}

/* The first ten digits are the milliseconds, in base 32. */
static void an_id_begins_with_its_time(void **state)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const int64_t later_us = now_us + INT64_C(86400000000);
    char id[ID_BYTES];
    int64_t ms = 0;

    (void)state;
    id_make("", later_us, id);
    for (int i = 0; i < 10; i++)
        ms = ms * 32 + (strchr(digits, id[i]) - digits);
    assert_true(ms == later_us / 1000);
}

static void ids_rise_even_when_the_clock_steps_back(void **state)
{
    char last[ID_BYTES], id[ID_BYTES];

    (void)state;
    id_make("a_", now_us, last);
    for (int i = 0; i < 10000; i++) {
        int64_t step = i % 3 == 0 ? -5000000 : i % 3 == 1 ? 0 : i;

        id_make("a_", now_us + step, id);
        assert_true(strcmp(id, last) > 0);
        memcpy(last, id, sizeof id);
    }
}

static void chance_differs_between_milliseconds(void **state)
{
    const int64_t later_us = now_us + INT64_C(2) * 86400000000;
    char a[ID_BYTES], b[ID_BYTES];

    (void)state;
    id_make("", later_us, a);
    id_make("", later_us + 1000, b);
    assert_memory_not_equal(a + 10, b + 10, 16);
}

static char made[THREAD_COUNT][IDS_PER_THREAD][ID_BYTES];

static void *make_many(void *context)
{
    char(*ids)[ID_BYTES] = context;

    for (int i = 0; i < IDS_PER_THREAD; i++)
        id_make("t_", now_us + i, ids[i]);
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void threads_never_get_the_same_id(void **state)
{
    pthread_t threads[THREAD_COUNT];
    const char *all = made[0][0];

    (void)state;
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, made[i]), 0);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREAD_COUNT; i++)
        for (int k = 1; k < IDS_PER_THREAD; k++)
            assert_true(strcmp(made[i][k - 1], made[i][k]) < 0);
    qsort(made, (size_t)THREAD_COUNT * IDS_PER_THREAD, ID_BYTES, compare_ids);
    for (int i = 1; i < THREAD_COUNT * IDS_PER_THREAD; i++)
        assert_string_not_equal(all + (i - 1) * ID_BYTES, all + i * ID_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_their_form),
        cmocka_unit_test(other_forms_are_no_ids),
        cmocka_unit_test(an_id_begins_with_its_time),
        cmocka_unit_test(ids_rise_even_when_the_clock_steps_back),
        cmocka_unit_test(chance_differs_between_milliseconds),
        cmocka_unit_test(threads_never_get_the_same_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
