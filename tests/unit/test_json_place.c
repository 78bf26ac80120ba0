/* test_json_place.c - how far a JSON text was read, as a pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/place.h"
#include "json/scan.h"
#include "json/tree.h"

#include <stdio.h>
#include <string.h>

static void what_was_read_last_is_the_place(void **state)
{
    static const struct {
        const char *json, *last, *pointer; /* last: of what was read */
    } rows[] = {
        {"7", "7", ""},
        {"{\"a\": 7}", "7", "/a"},
        {"{\"a\": 7}", "{", ""},
        {"{\"a\": 7}", ":", "/a"},
        {"{\"a\": 7}", "}", ""},
        {"{\"a\": {}}", "}", "/a"},
        {"[5]", "[", "/0"},
        {"[5, 6]", ",", "/1"},
        {"{\"a\": 7}", "a", "/a"},
        {"{\"a\": 7, \"b\": 8}", "8", "/b"},
        {"{\"a\": 7, \"b\": 8}", ",", ""},
        {"[5, 6, 7]", "7", "/2"},
        {"[5, [6, 7]]", "7", "/1/1"},
        {"{\"a\": {\"b\": [1, {\"c\": 7}]}}", "7", "/a/b/1/c"},
        {"{\"a\": {\"b\": 1}, \"c\": 7}", "7", "/c"},
        {"{\"a\": [{}, [], \"x\"], \"c\": 7}", "7", "/c"},
        {"{\"a\": \"{[,\\\"\", \"c\": 7}", "7", "/c"},
        {"{\"a\": \"\\\\\", \"c\": 7}", "7", "/c"},
        {"{\"x~/y\": 7}", "7", "/x~0~1y"},
        {"{\"\\u0061\\n\": 7}", "7", "/a\n"},
        {"{\"\": 7}", "7", "/"},
        {"{\"a\": \"b\"}", "b", "/a"},
    };
    char pointer[POINTER_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t bytes = (size_t)(strstr(rows[i].json, rows[i].last) + 1 - rows[i].json);

        json_place((struct text){rows[i].json, bytes}, "", pointer);
        if (strcmp(pointer, rows[i].pointer) != 0)
            fail_msg("behind %s in %s it is at '%s', not at '%s'", rows[i].last,
                     rows[i].json, pointer, rows[i].pointer);
    }
}

static void a_place_stands_behind_its_parent(void **state)
{
    char pointer[POINTER_BYTES];

    (void)state;
    json_place(text_of("{\"a\": 7"), "/3", pointer);
    assert_string_equal(pointer, "/3/a");
}

static void what_is_too_deep_or_too_long_is_cut(void **state)
{
    char json[4000], pointer[POINTER_BYTES];
    size_t bytes = 3000;

    (void)state;
    memset(json, '[', bytes);
    json_place((struct text){json, bytes}, "", pointer);
    assert_int_equal(strlen(pointer), 2 * JSON_DEPTH_MAX);
    memset(json, 'k', sizeof json);
    memcpy(json, "{\"", 2);
    json_place((struct text){json, sizeof json}, "", pointer);
    assert_int_equal(strlen(pointer), POINTER_BYTES - 1);
    memset(json, ']', sizeof json);
    json_place((struct text){json, sizeof json}, "", pointer);
    assert_string_equal(pointer, "");
}

/* What the library refuses though it is JSON is told as the strict reader would. */
static void what_a_tree_cannot_keep_is_a_fault_at_its_place(void **state)
{
    static const struct {
        const char *json, *pointer, *code; /* code NULL: not JSON */
    } rows[] = {
        {"{\"a\": 1, \"a\": 2}", "/a", "duplicate_field"},
        {"{\"b\": {\"a\": 1, \"\\u0061\": 2}}", "/b/a", "duplicate_field"},
        {"[0, {\"b\": 9223372036854775808}]", "/1/b", "out_of_range"},
        {"{\"b\":-9223372036854775809 }", "/b", "out_of_range"},
        {"{\"b\": [1e400, 1]}", "/b/0", "out_of_range"},
        {"{\"\xc3\xa4\": \"\xc3\xa4\", \"b\":\n\"\\u0000\"}", "/b", "invalid_text"},
        {"{\"b\\u0000\": 1}", "/b", "unknown_field"},
        {"{\"a\": 1, \"b\": }", NULL, NULL},
        {"", NULL, NULL},
    };

    (void)state;
    json_tree_prepare();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text text = text_of(rows[i].json);
        json_error_t error;
        struct err err;
        json_t *root;

        err_clear(&err);
        assert_int_equal(json_tree_read(text.at, text.bytes, JSON_REJECT_DUPLICATES,
                                        &root, &error, &err),
                         STATUS_MALFORMED);
        assert_int_equal(json_tree_fault(text, &error, "", &err),
                         rows[i].code ? STATUS_INVALID : STATUS_MALFORMED);
        if (rows[i].code) {
            assert_int_equal(err.fault_count, 1);
            assert_string_equal(err.faults[0].pointer, rows[i].pointer);
            assert_string_equal(err.faults[0].code, rows[i].code);
        } else {
            assert_string_equal(err.code, "malformed_json");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_last_is_the_place),
        cmocka_unit_test(a_place_stands_behind_its_parent),
        cmocka_unit_test(what_is_too_deep_or_too_long_is_cut),
        cmocka_unit_test(what_a_tree_cannot_keep_is_a_fault_at_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
