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
        {"{\"a\": {\"b\\u0000\": {\"c\": 7}}}", "7", "/a"},
        {"{\"b\\q\": 7}", "7", "/b\\q"},
        {"{\"b\\ud800\": 7}", "7", "/b\\ud800"},
        {"{\"b\\", "\\", "/b\\"},
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
        {"{\"b\\u0000\": 1}", "", "invalid_text"},
        {"{\"id\": 1, \"a\": [{\"id\\u0000x\": 1}]}", "/a/0", "invalid_text"},
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

/* Each is read as {"a": [0, an integer]}. */
static void what_a_scan_refuses_keeps_its_reason(void **state)
{
    static const struct {
        const char *json, *code, *detail; /* code NULL: not JSON */
    } rows[] = {
        {"{\"a\": [0, 9223372036854775808]}", "out_of_range", "beyond 64 bits"},
        {"{\"a\": [0, 1.5]}", "wrong_type", "expected an integer"},
        {"{\"a\": [0, \"1\"]}", "wrong_type", "found a string"},
        {"{\"a\": [0, 7]}", "bad_value", "is odd"},
        {"{\"a\": [0, ]}", NULL, "expected an integer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json_level object, array;
        struct json_scan scan;
        struct text key;
        struct err err;
        int64_t value = 0;

        err_clear(&err);
        json_scan_init(&scan, rows[i].json, strlen(rows[i].json), 4, &err);
        json_enter_object(&scan, &object);
        json_member(&scan, &object, &key);
        json_enter_array(&scan, &array);
        while (json_item(&scan, &array))
            if (json_int(&scan, &value) && value % 2 != 0)
                json_refuse(&scan, STATUS_INVALID, "is odd");
        assert_int_equal(json_scan_end_at(&scan, "/root"),
                         rows[i].code ? STATUS_INVALID : STATUS_MALFORMED);
        assert_non_null(strstr(err.text, rows[i].detail));
        assert_int_equal(err.fault_count, rows[i].code ? 1 : 0);
        if (rows[i].code) {
            assert_string_equal(err.faults[0].pointer, "/root/a/1");
            assert_string_equal(err.faults[0].code, rows[i].code);
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
        cmocka_unit_test(what_a_scan_refuses_keeps_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
