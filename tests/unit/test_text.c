/* test_text.c - base/text.h and base/pointer.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
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

/* The plain way: every byte, and every pair of bytes, one after the other. */
static bool has_control(struct text text, bool allows_lines)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        bool is_line = byte == '\n' || byte == '\r' || byte == '\t';

        if (byte == 0x7f || (byte < 0x20 && !(allows_lines && is_line)) ||
            (byte == 0xc2 && i + 1 < text.bytes && (unsigned char)text.at[i + 1] < 0xa0))
            return true;
    }
    return false;
}

static void control_characters_are_found_wherever_they_stand(void **state)
{
    static const char *const parts[] = {"\x01",         "\x1f", "\n",       "\t",
                                        "\x7f",         " ",    "\xc2\x85", "\xc2\xa0",
                                        "\xe2\x82\xac", "\xff"};
    int found_count = 0;

    (void)state;
    for (size_t bytes = 0; bytes <= 20; bytes++)
        for (size_t place = 0; place <= bytes; place++)
            for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
                char text[32];
                struct text whole = {text, bytes + strlen(parts[i])};

                memset(text, 'x', sizeof text);
                memcpy(text + place, parts[i], strlen(parts[i]));
                for (int allows = 0; allows < 2; allows++) {
                    bool is_found = has_control(whole, allows);

                    assert_int_equal(text_has_control(whole, allows), is_found);
                    found_count += is_found;
                }
            }
    assert_true(found_count > 1000);
    assert_false(text_has_control((struct text){0}, false));
}

static void quick_hashes_tell_texts_apart_by_their_low_bits(void **state)
{
    enum { COUNT = 4096 };
    static bool is_taken[COUNT];
    char text[40] = "", other[sizeof text];
    int taken_count = 0;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        size_t place;

        snprintf(text, sizeof text, "tenant-%05d checkout", i);
        memcpy(other, text, sizeof text);
        assert_true(text_quick_hash(text_of(text)) == text_quick_hash(text_of(other)));
        place = text_quick_hash(text_of(text)) % COUNT;
        taken_count += !is_taken[place];
        is_taken[place] = true;
    }
    /* Of places taken by chance 63 % are expected. */
    assert_in_range(taken_count, COUNT * 60 / 100, COUNT * 66 / 100);
    assert_true(text_quick_hash(text_of("")) != text_quick_hash((struct text){"\0", 1}));
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
    pointer_member(pointer, item, (struct text){"a\0b", 3});
    assert_string_equal(pointer, item);
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
        cmocka_unit_test(control_characters_are_found_wherever_they_stand),
        cmocka_unit_test(quick_hashes_tell_texts_apart_by_their_low_bits),
        cmocka_unit_test(texts_are_clipped_between_characters),
        cmocka_unit_test(pointers_escape_what_means_something),
        cmocka_unit_test(long_pointers_are_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
