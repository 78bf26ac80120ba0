/* test_json_array.c - many items at a time give what one at a time gives, also of broken
 * arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "json/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ARRAY_COUNT = 200000, ITEM_COUNT_MAX = 12, TEXT_BYTES = 512 };

static struct rng rng;

/* How an array was read: its end, and what was found. */
struct reading {
    enum status status;
    size_t end, count;
    int64_t values[TEXT_BYTES];
    char refusal[sizeof((struct err *)0)->text];
};

static void finish(struct json_scan *scan, struct reading *reading)
{
    reading->status = scan->status;
    reading->end = (size_t)(scan->at - scan->start);
    snprintf(reading->refusal, sizeof reading->refusal, "%s",
             scan->status ? scan->err->text : "");
}

static void read_ints(const char *text, bool is_fast, struct reading *reading)
{
    struct json_scan scan;
    struct json_level level;
    struct err err = {0};
    int32_t taken[3];

    *reading = (struct reading){0};
    json_scan_init(&scan, text, strlen(text), 4, &err);
    json_enter_array(&scan, &level);
    for (;;) {
        size_t count = is_fast ? json_plain_ints(&scan, &level, taken, 3) : 0;

        for (size_t i = 0; i < count; i++)
            reading->values[reading->count++] = taken[i];
        if (count == 3)
            continue;
        if (!json_item(&scan, &level) ||
            !json_int(&scan, &reading->values[reading->count]))
            break;
        reading->count++;
    }
    finish(&scan, reading);
}

static void skip_numbers(const char *text, bool is_fast, struct reading *reading)
{
    struct json_scan scan;
    struct json_level level;
    struct err err = {0};

    *reading = (struct reading){0};
    json_scan_init(&scan, text, strlen(text), 4, &err);
    json_enter_array(&scan, &level);
    for (;;) {
        if (is_fast)
            reading->count += json_skip_plain(&scan, &level, TEXT_BYTES);
        if (!json_item(&scan, &level) || !json_skip(&scan))
            break;
        reading->count++;
    }
    finish(&scan, reading);
}

static void assert_same(const char *text, const struct reading *slow,
                        const struct reading *fast)
{
    if (slow->status == fast->status && slow->end == fast->end &&
        slow->count == fast->count && strcmp(slow->refusal, fast->refusal) == 0 &&
        memcmp(slow->values, fast->values, slow->count * sizeof *slow->values) == 0)
        return;
    fail_msg("%s: %zu items to byte %zu (%s), at once %zu to %zu (%s)", text, slow->count,
             slow->end, slow->refusal, fast->count, fast->end, fast->refusal);
}

static size_t put_number(char *to)
{
    static const char *const shapes[] = {
        "%lld",          "-%lld",    "%lld.25", "%llde5", "%lldE-07",
        "%lld.0e+1",     "0%lld",    "-",       "%lld.",  "%llde",
        "1%lld23456789", "%llde307", "%lld ",   "0",      "-0"};
    size_t shape = rng_below(&rng, 3) ? rng_below(&rng, 2)
                                      : rng_below(&rng, sizeof shapes / sizeof *shapes);

    /* One that stands for all; the shapes without a number leave it out. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    return (size_t)sprintf(to, shapes[shape],
                           (long long)(rng_next(&rng) >> (30 + rng_below(&rng, 34))));
#pragma GCC diagnostic pop
}

static void put_array(char *text)
{
    static const char *const commas[] = {",", ", ", ",\n", ",,", ""};
    int count = (int)rng_below(&rng, ITEM_COUNT_MAX);

    *text++ = '[';
    for (int i = 0; i < count; i++) {
        if (i > 0)
            text = stpcpy(text, commas[rng_below(&rng, 4) ? 0 : rng_below(&rng, 5)]);
        text += put_number(text);
    }
    strcpy(text, rng_below(&rng, 20) ? "]" : "");
}

static void items_at_once_are_those_of_one_at_a_time(void **state)
{
    char text[TEXT_BYTES];
    struct reading slow, fast;
    long good_count = 0, bad_count = 0;

    (void)state;
    for (int i = 0; i < ARRAY_COUNT; i++) {
        put_array(text);
        read_ints(text, false, &slow);
        read_ints(text, true, &fast);
        assert_same(text, &slow, &fast);
        good_count += !slow.status;
        skip_numbers(text, false, &slow);
        skip_numbers(text, true, &fast);
        assert_same(text, &slow, &fast);
        bad_count += slow.status != STATUS_OK;
    }
    assert_true(good_count > ARRAY_COUNT / 10 && bad_count > ARRAY_COUNT / 10);
}

static void a_failed_scan_has_no_more_items(void **state)
{
    struct json_scan scan;
    struct json_level level;
    struct err err = {0};
    int32_t value;

    (void)state;
    json_scan_init(&scan, "[1,2,3]", 7, 4, &err);
    json_enter_array(&scan, &level);
    json_refuse(&scan, STATUS_INVALID, "enough");
    assert_int_equal(json_plain_ints(&scan, &level, &value, 1), 0);
    assert_int_equal(json_skip_plain(&scan, &level, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_at_once_are_those_of_one_at_a_time),
        cmocka_unit_test(a_failed_scan_has_no_more_items),
    };
    const char *wish = getenv("REDRESS_SEED");
    uint64_t seed = wish ? strtoull(wish, NULL, 10) : (uint64_t)time(NULL);

    printf("REDRESS_SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
