/* test_text.c - base/text.h and base/pointer.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/pointer.h"
#include "base/text.h"

static void what_a_terminal_would_obey_is_made_plain(void **state)
{
    static const struct {
        const char *raw, *plain;
    } rows[] = {
        {"", ""},
        {"it costs 5 \u20ac", "it costs 5 \u20ac"},
        {"two\nlines\tand\r", "two lines and "},
        {"\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"},
        {"\x7f", "?"},
        {"C1: \xc2\x9b"
         "31m",
         "C1: ??31m"},
        {"latin1 \xe9t\xe9, cut \xe2\x82", "latin1 ?t?, cut ??"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];

        assert_true(text_copy(text_of(rows[i].raw), text, sizeof text));
        text_plain(text);
        assert_string_equal(text, rows[i].plain);
    }
}

static void texts_are_clipped_between_characters(void **state)
{
    static const size_t kept[] = {0, 1, 1, 1, 4, 5, 5};

    (void)state;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_int_equal(text_clip(text_of("a\u20acb"), i).bytes, kept[i]);
}

static void pointers_escape_what_means_something(void **state)
{
    char pointer[POINTER_BYTES], item[POINTER_BYTES];

    (void)state;
    pointer_member(pointer, "", text_of("a/b~c"));
    assert_string_equal(pointer, "/a~1b~0c");
    pointer_index(item, pointer, 12);
    assert_string_equal(item, "/a~1b~0c/12");
    pointer_member(pointer, item, text_of(""));
    assert_string_equal(pointer, "/a~1b~0c/12/");
}

static void long_pointers_are_cut_between_characters(void **state)
{
    char name[POINTER_BYTES + 4], pointer[POINTER_BYTES], item[POINTER_BYTES];

    (void)state;
    memset(name, 'x', sizeof name);
    memcpy(name + POINTER_BYTES - 4, "\u20ac", sizeof "\u20ac");
    pointer_member(pointer, "", text_of(name));
    assert_int_equal(strlen(pointer), POINTER_BYTES - 3);
    strcpy(name + POINTER_BYTES - 4, "/");
    pointer_member(pointer, "", text_of(name));
    assert_string_equal(pointer + POINTER_BYTES - 3, "~1");
    pointer_index(item, pointer, 7);
    assert_string_equal(item, pointer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_would_obey_is_made_plain),
        cmocka_unit_test(texts_are_clipped_between_characters),
        cmocka_unit_test(pointers_escape_what_means_something),
        cmocka_unit_test(long_pointers_are_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
