/* test_text_set.c - every text has one index, and what may be kept is limited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table/text_set.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_COUNT = 300000 };

static struct text text_number(int number, char buffer[static 64])
{
    /* Lengths around the eight bytes that are hashed at a time, and a NUL. */
    int bytes = snprintf(buffer, 64, "%d%.*s", number, number % 17, "abcdefghijklmnopq");

    return (struct text){buffer, (size_t)bytes + number % 2};
}

static void each_text_keeps_the_index_it_got_first(void **)
{
    struct text_set *set = NULL;
    struct err err;
    char buffer[64];
    int32_t index;
    bool is_new;

    err_clear(&err);
    assert_int_equal(text_set_open(TEXT_COUNT, 1 << 24, &set, &err), STATUS_OK);
    for (int i = 0; i < TEXT_COUNT; i++) {
        assert_int_equal(text_set_find(set, text_number(i, buffer)), -1);
        assert_int_equal(text_set_add(set, text_number(i, buffer), &index, &is_new, &err),
                         STATUS_OK);
        assert_true(is_new && index == i);
    }
    for (int i = 0; i < TEXT_COUNT; i++) {
        assert_int_equal(text_set_add(set, text_number(i, buffer), &index, &is_new, &err),
                         STATUS_OK);
        assert_true(!is_new && index == i);
        assert_true(text_equal(text_set_text(set, i), text_number(i, buffer)));
    }
    assert_int_equal(text_set_count(set), TEXT_COUNT);
    text_set_seal(set);
    assert_true(text_equal(text_set_text(set, 77), text_number(77, buffer)));
    text_set_close(set);
}

static void one_too_many_is_refused_and_the_rest_stays(void **)
{
    struct text_set *set = NULL;
    struct err err;
    int32_t index;
    bool is_new;

    err_clear(&err);
    assert_int_equal(text_set_open(2, 5, &set, &err), STATUS_OK);
    assert_int_equal(text_set_add(set, text_of(""), &index, &is_new, &err), STATUS_OK);
    assert_int_equal(text_set_add(set, text_of("123456"), &index, &is_new, &err),
                     STATUS_TOO_LARGE);
    assert_int_equal(text_set_add(set, text_of("12345"), &index, &is_new, &err),
                     STATUS_OK);
    assert_int_equal(text_set_add(set, text_of("x"), &index, &is_new, &err),
                     STATUS_TOO_LARGE);
    assert_int_equal(text_set_find(set, text_of("")), 0);
    assert_int_equal(text_set_find(set, text_of("12345")), 1);
    text_set_close(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_keeps_the_index_it_got_first),
        cmocka_unit_test(one_too_many_is_refused_and_the_rest_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
