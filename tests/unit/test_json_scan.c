/* test_json_scan.c - json/scan.h. tests/fuzz/fuzz_json.c compares it with jansson. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "json/scan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct rng rng;
static char memory[4096];
static struct arena arena;
static struct err err;

static struct json_scan scan_of_bytes(const char *text, size_t bytes)
{
    struct json_scan scan;

    arena_init(&arena, memory, sizeof memory, 0);
    err_clear(&err);
    json_scan_init(&scan, text, bytes, 16, &err);
    return scan;
}

static struct json_scan scan_of(const char *text)
{
    return scan_of_bytes(text, strlen(text));
}

static void an_object_is_read_member_by_member(void **state)
{
    struct json_scan scan = scan_of(" {\"a\" : 5,\n\"b\":[1.5 ,\t-2e3],\"c\":\"x\","
                                    "\"d\":true,\"e\":null,\"f\":{}, \"g\" : [ ] }\r\n");
    struct json_level object, array;
    struct text key, text;
    int64_t integer = 0;
    double sum = 0, item;
    bool boolean = false;
    int count = 0;

    (void)state;
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key)) {
        count++;
        if (text_is(key, "a")) {
            assert_int_equal(json_peek(&scan), JSON_KIND_NUMBER);
            assert_true(json_int(&scan, &integer));
        } else if (text_is(key, "b")) {
            assert_int_equal(json_peek(&scan), JSON_KIND_ARRAY);
            for (json_enter_array(&scan, &array); json_item(&scan, &array); sum += item)
                assert_true(json_double(&scan, &item));
        } else if (text_is(key, "c")) {
            assert_int_equal(json_peek(&scan), JSON_KIND_STRING);
            assert_true(json_text(&scan, &arena, &text));
        } else if (text_is(key, "d")) {
            assert_int_equal(json_peek(&scan), JSON_KIND_BOOL);
            assert_true(json_bool(&scan, &boolean));
        } else if (text_is(key, "e")) {
            assert_int_equal(json_peek(&scan), JSON_KIND_NULL);
            assert_true(json_take_null(&scan));
        } else {
            assert_true(json_skip(&scan));
        }
    }
    assert_int_equal(json_scan_end(&scan), STATUS_OK);
    assert_int_equal(json_peek(&scan), JSON_KIND_NONE);
    assert_int_equal(count, 7);
    assert_int_equal(integer, 5);
    assert_true(sum == -1998.5);
    assert_true(text_is(text, "x"));
    assert_true(boolean);
}

static void one_value_is_taken_and_nothing_else(void **state)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "1.5e+10",
                                       "1E5",
                                       "\"\"",
                                       "true",
                                       "false",
                                       "null",
                                       "[]",
                                       "{}",
                                       " [ ] ",
                                       "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
                                       "[1,[2,{\"a\":[]}],{}]",
                                       "{\"a\":1,\"a\":2}",
                                       "\"\\u0000\\uD83D\\uDE00\"",
                                       "\"\xc3\xa9\x7f\"",
                                       "1e-999",
                                       "123456789012345678901234567890"};
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "byte 0: expected a value, but the text ends"},
        {"  ", "byte 2: expected a value, but the text ends"},
        {"{} {}", "byte 3: expected nothing more"},
        {"1 2", "byte 2: expected nothing more"},
        {"[1 2]", "byte 3: expected ',' or ']'"},
        {"{\"a\":1 \"b\":2}", "byte 7: expected ',' or '}'"},
        {"[1,]", "byte 3: expected a value"},
        {"[,1]", "byte 1: expected a value"},
        {"{\"a\":1,}", "byte 7: expected a key in quotes"},
        {"{a:1}", "byte 1: expected a key in quotes"},
        {"{'a':1}", "byte 1: expected a key in quotes"},
        {"{\"a\" 1}", "byte 5: expected ':'"},
        {"{\"a\":}", "byte 5: expected a value"},
        {"[}", "byte 1: expected a value"},
        {"{]", "byte 1: expected a key in quotes"},
        {"]", "byte 0: expected a value"},
        {"[", "byte 1: expected a value, but the text ends"},
        {"[1", "byte 2: expected ',' or ']', but the text ends"},
        {"{\"a\"", "byte 4: expected ':', but the text ends"},
        {"+1", "byte 0: expected a value"},
        {".5", "byte 0: expected a value"},
        {"-", "byte 1: expected a digit, but the text ends"},
        {"1.", "byte 2: expected a digit, but the text ends"},
        {"1.e5", "byte 2: expected a digit"},
        {"1e", "byte 2: expected a digit, but the text ends"},
        {"[1e+]", "byte 4: expected a digit"},
        {"01", "byte 0: a number begins with 0"},
        {"-012", "byte 1: a number begins with 0"},
        {"0x10", "byte 1: not a decimal number"},
        {"[1_000]", "byte 2: not a decimal number"},
        {"[1.5.2]", "byte 4: not a decimal number"},
        {"NaN", "byte 0: expected a value"},
        {"Infinity", "byte 0: expected a value"},
        {"1e309", "byte 0: the number is too large"},
        {"nul", "byte 0: expected a value"},
        {"truex", "byte 4: expected nothing more"},
        {"True", "byte 0: expected a value"},
        {"\"a", "byte 2: a string does not end"},
        {"\"\n\"", "byte 1: control byte 0x0a in a string"},
        {"\"\\x\"", "byte 1: an escape that does not exist, or half a surrogate pair"},
        {"\"\\u12g4\"",
         "byte 1: an escape that does not exist, or half a surrogate pair"},
        {"\"\\ud800\"",
         "byte 1: an escape that does not exist, or half a surrogate pair"},
        {"\"\\ud800\\n\"",
         "byte 1: an escape that does not exist, or half a surrogate pair"},
        {"\"\\udc00\"",
         "byte 1: an escape that does not exist, or half a surrogate pair"},
        {"\"\\", "byte 1: an escape that does not exist, or half a surrogate pair"},
        {"\"\x80\"", "byte 1: byte 0x80 is not valid UTF-8"},
        {"\"ab\xc0\xaf\"", "byte 3: byte 0xc0 is not valid UTF-8"},
        {"\"\xed\xa0\x80\"", "byte 1: byte 0xed is not valid UTF-8"},
        {"\"\xf5\x80\x80\x80\"", "byte 1: byte 0xf5 is not valid UTF-8"},
        {"\xef\xbb\xbf{}", "byte 0: expected a value"},
        {"[1]//", "byte 3: expected nothing more"},
        {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "byte 16: nested deeper than 16"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct json_scan scan = scan_of(good[i]);
        json_skip(&scan);
        if (json_scan_end(&scan))
            fail_msg("%s: %s", good[i], err.text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_scan scan = scan_of(bad[i].text);
        struct text raw;

        assert_false(json_raw(&scan, &raw) && !json_scan_end(&scan));
        if (strcmp(err.text, bad[i].message) != 0)
            fail_msg("%s: '%s', not '%s'", bad[i].text, err.text, bad[i].message);
    }
}

static void every_cut_of_a_text_is_refused(void **state)
{
    static const char whole[] =
        "{\"k\\u00e9\": [1.5e-3, \"\\ud83d\\ude00\xe2\x82\xac\", true, "
        "null, {\"a\": {}, \"b\": []}, -12]}";

    (void)state;
    for (size_t bytes = 0; bytes < sizeof whole; bytes++) {
        /* In memory of that very size, for the address sanitizer. */
        char *cut = malloc(bytes + !bytes);
        struct text raw;

        memcpy(cut, whole, bytes);
        struct json_scan scan = scan_of_bytes(cut, bytes);
        json_raw(&scan, &raw);
        assert_int_equal(json_scan_end(&scan),
                         bytes == sizeof whole - 1 ? STATUS_OK : STATUS_MALFORMED);
        free(cut);
    }
}

static void after_a_failure_every_call_fails(void **state)
{
    struct json_scan scan = scan_of("[1, \"x\", 5, {\"a\":1}]");
    struct json_level array, level;
    struct text text = {0};
    int64_t integer = 77;
    double real;
    bool boolean;

    (void)state;
    json_enter_array(&scan, &array);
    assert_true(json_item(&scan, &array) && json_int(&scan, &integer));
    assert_true(json_item(&scan, &array));
    assert_false(json_int(&scan, &integer));
    assert_string_equal(err.text, "byte 4: expected an integer, found a string");
    assert_int_equal(json_peek(&scan), JSON_KIND_NONE);
    json_enter_object(&scan, &level);
    json_enter_array(&scan, &level);
    assert_false(json_item(&scan, &level) || json_member(&scan, &level, &text) ||
                 json_int(&scan, &integer) || json_double(&scan, &real) ||
                 json_bool(&scan, &boolean) || json_take_null(&scan) ||
                 json_text(&scan, &arena, &text) || json_skip(&scan) ||
                 json_raw(&scan, &text));
    assert_false(json_refuse(&scan, STATUS_CONFLICT, "later"));
    assert_int_equal(json_scan_end(&scan), STATUS_INVALID);
    assert_string_equal(err.text, "byte 4: expected an integer, found a string");
    assert_int_equal(integer, 1);
}

static void a_wrong_kind_is_invalid_and_no_value_malformed(void **state)
{
    struct json_level level;
    struct text text;
    bool boolean;
    double real;

    (void)state;
    struct json_scan scan = scan_of("[]");
    json_enter_object(&scan, &level);
    assert_int_equal(json_scan_end(&scan), STATUS_INVALID);
    assert_string_equal(err.text, "byte 0: expected an object, found an array");
    scan = scan_of("1");
    assert_false(json_text(&scan, &arena, &text));
    assert_int_equal(scan.status, STATUS_INVALID);
    scan = scan_of("null");
    assert_false(json_bool(&scan, &boolean));
    assert_int_equal(scan.status, STATUS_INVALID);
    scan = scan_of("\"1\"");
    assert_false(json_double(&scan, &real));
    assert_string_equal(err.text, "byte 0: expected a number, found a string");
    scan = scan_of("?");
    assert_false(json_double(&scan, &real));
    assert_int_equal(scan.status, STATUS_MALFORMED);
    scan = scan_of("");
    assert_false(json_take_null(&scan));
    assert_int_equal(scan.status, STATUS_MALFORMED);
}

static void refusals_from_outside_carry_the_offset(void **state)
{
    struct json_scan scan = scan_of("  7");
    int64_t integer;

    (void)state;
    assert_true(json_int(&scan, &integer));
    assert_false(json_refuse(&scan, STATUS_INVALID, "%s is odd", "7"));
    assert_int_equal(json_scan_end(&scan), STATUS_INVALID);
    assert_string_equal(err.text, "byte 3: 7 is odd");
}

static void an_open_container_is_no_end(void **state)
{
    struct json_scan scan = scan_of("[1");
    struct json_level array;
    int64_t integer;

    (void)state;
    json_enter_array(&scan, &array);
    assert_true(json_item(&scan, &array) && json_int(&scan, &integer));
    assert_int_equal(json_scan_end(&scan), STATUS_MALFORMED);
}

static void integers_are_exact_or_refused(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
        bool is_good;
    } rows[] = {
        {"0", 0, true},
        {"-0", 0, true},
        {"9007199254740993", 9007199254740993, true},
        {"9223372036854775807", INT64_MAX, true},
        {"-9223372036854775808", INT64_MIN, true},
        {"9223372036854775808", 0, false},
        {"-9223372036854775809", 0, false},
        {"18446744073709551616", 0, false},
        {"10000000000000000000", 0, false},
        {"100000000000000000000000", 0, false},
        {"1.0", 0, false},
        {"1e3", 0, false},
        {"0e0", 0, false},
        {"00", 0, false},
        {"-", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_scan scan = scan_of(rows[i].text);
        int64_t value = 0;

        if (json_int(&scan, &value) != rows[i].is_good || value != rows[i].value)
            fail_msg("%s: %lld %s", rows[i].text, (long long)value, err.text);
    }
}

static double read_double(const char *text)
{
    struct json_scan scan = scan_of(text);
    double value = NAN;

    if (!json_double(&scan, &value) || json_scan_end(&scan))
        fail_msg("%s: %s", text, err.text);
    return value;
}

static void expect_like_strtod(const char *text)
{
    double want = strtod(text, NULL), got;

    if (isinf(want)) {
        struct json_scan scan = scan_of(text);

        assert_false(json_double(&scan, &got));
        return;
    }
    got = read_double(text);
    if (got != want || signbit(got) != signbit(want))
        fail_msg("%s: %a, not %a", text, got, want);
}

static void known_hard_numbers_are_rounded_correctly(void **state)
{
    static const char *const texts[] = {
        "0.0",
        "-0.0",
        "0e999999999999999999999",
        "1e-99999999999999999999",
        "1e22",
        "1e23",
        "9007199254740993.0",
        "9007199254740992.5",
        "9007199254740993.00000000000000000001",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9e-324",
        "2.4e-324",
        "2.5e-324",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "179769313486231580793728971405301e276",
        "1e309",
        "6929495644600919.5",
        "3.7455744005952583e15",
        "0.000000000000000000000001e24",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "8.41e21",
        "5e-20",
        "67e14",
        "1234567890123456789",
        "12345678901234567890",
        "9223372036854775807e-19",
        "9999999999999999999e19",
        "9999999999999999999e-19",
        "1e400000000000000000000000000000"};
    char text[2000];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_like_strtod(texts[i]);
    /* A half, told from more than a half by its last digit only. */
    for (int zeros = 700; zeros < 1500; zeros += 50) {
        int bytes = snprintf(text, sizeof text, "9007199254740993.%0*d", zeros, 0);
        expect_like_strtod(text);
        text[bytes - 1] = '1';
        assert_true(read_double(text) == 9007199254740994.0);
        expect_like_strtod(text);
    }
}

/* Each of the ways a number can be converted is taken thousands of times. */
static void random_numbers_are_rounded_correctly(void **state)
{
    (void)state;
    for (int i = 0; i < 300000; i++) {
        char text[80];
        uint64_t bits = rng_next(&rng);
        double value;

        memcpy(&value, &bits, sizeof value);
        if (i % 3 == 0 && isfinite(value)) {
            snprintf(text, sizeof text, "%.*e", (int)rng_below(&rng, 22), value);
            expect_like_strtod(text);
            snprintf(text, sizeof text, "%.17g", value);
            assert_true(read_double(text) == value);
        } else if (i % 3 == 1) {
            snprintf(text, sizeof text, "%llu.%llu",
                     (unsigned long long)(bits >> rng_below(&rng, 64)),
                     (unsigned long long)(rng_next(&rng) >> rng_below(&rng, 64)));
            expect_like_strtod(text);
        } else {
            snprintf(text, sizeof text, "%llue%d",
                     (unsigned long long)(bits >> rng_below(&rng, 64)),
                     (int)rng_below(&rng, 60) - 30);
            expect_like_strtod(text);
        }
    }
}

/* Where doubles end, and with more digits than 64 bits hold. */
static void small_and_long_numbers_are_rounded_correctly(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t digits = rng_next(&rng) >> rng_below(&rng, 64);
        char text[80];

        snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits,
                 -300 - (int)rng_below(&rng, 50));
        expect_like_strtod(text);
        snprintf(text, sizeof text, "%llu.%llu%llue%d", (unsigned long long)digits,
                 (unsigned long long)rng_next(&rng), (unsigned long long)rng_next(&rng),
                 (int)rng_below(&rng, 640) - 350);
        expect_like_strtod(text);
    }
}

/* Middles between two doubles, the hardest inputs, and their neighbours. */
static void middles_between_doubles_go_to_even(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t odd = (UINT64_C(1) << 53 | rng_next(&rng) >> 11) * 2 + 1;
        char text[64];

        for (int step = -1; step <= 1; step++) {
            snprintf(text, sizeof text, "%llu.0",
                     (unsigned long long)odd + (uint64_t)step);
            expect_like_strtod(text);
            snprintf(text, sizeof text, "%llu5e-1", (unsigned long long)(odd / 2));
            expect_like_strtod(text);
        }
    }
}

static void strings_are_borrowed_or_unescaped(void **state)
{
    static const char plain[] = "\"pl\xc3\xa4in text of some length\"";
    struct json_scan scan = scan_of(plain);
    struct text text;

    (void)state;
    assert_true(json_text(&scan, &arena, &text));
    assert_ptr_equal(text.at, plain + 1);
    assert_int_equal(text.bytes, sizeof plain - 3);
    assert_int_equal(arena.used_bytes, 0);

    scan = scan_of("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00z\"");
    assert_true(json_text(&scan, &arena, &text));
    assert_true(text_is(text, "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"));
    scan = scan_of("\"\\u0000\\uffff\"");
    assert_true(json_text(&scan, &arena, &text));
    assert_true(text_equal(text, (struct text){"\0\xef\xbf\xbf", 4}));
}

/* The eight bytes that are looked at together must not hide one at any place. */
static void a_bad_byte_is_found_at_every_place(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes < 40; bytes++)
        for (size_t at = 0; at < bytes; at++)
            for (int byte = 0; byte < 256; byte++) {
                char text[48];
                bool is_good = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

                memset(text, 'a' + (int)at % 26, sizeof text);
                text[0] = '"';
                text[1 + at] = (char)byte;
                text[1 + bytes] = '"';
                struct json_scan scan = scan_of_bytes(text, bytes + 2);
                json_skip(&scan);
                if ((json_scan_end(&scan) == STATUS_OK) != is_good &&
                    /* An escape that happens to be one. */
                    !(byte == '\\' && at + 1 < bytes && strchr("bfnrt", text[2 + at])))
                    fail_msg("byte 0x%02x at %zu of %zu", byte, at, bytes);
            }
}

static void no_room_for_a_string_is_a_status(void **state)
{
    (void)state;
    for (size_t room = 0; room < 64; room += 16) {
        struct json_scan scan = scan_of("\"0123456789012345678901234567890\\n\"");
        struct text text;

        arena_init(&arena, memory, room, 0);
        assert_int_equal(json_text(&scan, &arena, &text), room >= 48);
        assert_int_equal(json_scan_end(&scan), room >= 48 ? STATUS_OK : STATUS_EXHAUSTED);
    }
}

static void keys_are_unescaped_and_limited(void **state)
{
    struct json_scan scan = scan_of("{\"a\\u0062\\ud83d\\ude00\":1}");
    struct json_level object;
    char long_key[400];
    struct text key;

    (void)state;
    json_enter_object(&scan, &object);
    assert_true(json_member(&scan, &object, &key));
    assert_true(text_is(key, "ab\xf0\x9f\x98\x80"));
    for (int bytes = JSON_KEY_BYTES_MAX; bytes <= JSON_KEY_BYTES_MAX + 1; bytes++)
        for (int is_escaped = 0; is_escaped < 2; is_escaped++) {
            snprintf(long_key, sizeof long_key, "{\"%s%0*d\":1}",
                     is_escaped ? "\\n" : "xx", bytes - 2, 7);
            scan = scan_of(long_key);
            json_enter_object(&scan, &object);
            assert_int_equal(json_member(&scan, &object, &key),
                             bytes <= JSON_KEY_BYTES_MAX);
        }
}

static void raw_values_are_those_of_the_input(void **state)
{
    const char *text = "[ {\"a\": [1, 2 ]} ,  \"x\" ]";
    struct json_scan scan = scan_of(text);
    struct json_level array;
    struct text raw = {0};

    (void)state;
    json_enter_array(&scan, &array);
    assert_true(json_item(&scan, &array) && json_raw(&scan, &raw));
    assert_true(text_is(raw, "{\"a\": [1, 2 ]}"));
    assert_ptr_equal(raw.at, text + 2);
    assert_true(json_item(&scan, &array) && json_raw(&scan, &raw));
    assert_true(text_is(raw, "\"x\""));
    assert_false(json_item(&scan, &array));
    assert_int_equal(json_scan_end(&scan), STATUS_OK);
}

static void skipping_keeps_to_the_depth_of_the_whole(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 20];

    (void)state;
    for (int depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct json_scan scan;
        struct json_level array;

        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        err_clear(&err);
        json_scan_init(&scan, text, 2 * (size_t)depth, 1000, &err);
        json_enter_array(&scan, &array);
        while (json_item(&scan, &array))
            json_skip(&scan);
        assert_int_equal(json_scan_end(&scan) == STATUS_OK, depth <= JSON_DEPTH_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_read_member_by_member),
        cmocka_unit_test(one_value_is_taken_and_nothing_else),
        cmocka_unit_test(every_cut_of_a_text_is_refused),
        cmocka_unit_test(after_a_failure_every_call_fails),
        cmocka_unit_test(a_wrong_kind_is_invalid_and_no_value_malformed),
        cmocka_unit_test(refusals_from_outside_carry_the_offset),
        cmocka_unit_test(an_open_container_is_no_end),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(known_hard_numbers_are_rounded_correctly),
        cmocka_unit_test(random_numbers_are_rounded_correctly),
        cmocka_unit_test(small_and_long_numbers_are_rounded_correctly),
        cmocka_unit_test(middles_between_doubles_go_to_even),
        cmocka_unit_test(strings_are_borrowed_or_unescaped),
        cmocka_unit_test(a_bad_byte_is_found_at_every_place),
        cmocka_unit_test(no_room_for_a_string_is_a_status),
        cmocka_unit_test(keys_are_unescaped_and_limited),
        cmocka_unit_test(raw_values_are_those_of_the_input),
        cmocka_unit_test(skipping_keeps_to_the_depth_of_the_whole),
    };
    uint64_t seed = (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
