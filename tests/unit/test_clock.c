/* test_clock.c - base/clock.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/rng.h"

#include <stdio.h>
#include <time.h>

static int64_t parsed(const char *text)
{
    struct err err;
    int64_t us = -1;

    err_clear(&err);
    if (time_parse(text_of(text), &us, &err))
        fail_msg("%s: %s", text, err.text);
    return us;
}

static void times_are_formatted_like_by_the_c_library(void **state)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;

    (void)state;
    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int i = 0; i < 100000; i++) {
        int64_t us = (int64_t)rng_below(&rng, UINT64_C(253402300800) * 1000000);
        time_t seconds = us / SECOND_US;
        char ours[TIME_TEXT_BYTES], theirs[64];
        struct tm tm;

        if (i % 2)
            us -= us % SECOND_US;
        gmtime_r(&seconds, &tm);
        size_t bytes = strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S", &tm);
        if (us % SECOND_US)
            bytes += (size_t)sprintf(theirs + bytes, ".%06d", (int)(us % SECOND_US));
        strcpy(theirs + bytes, "Z");
        time_format(us, ours);
        assert_string_equal(ours, theirs);
        assert_true(parsed(ours) == us);
    }
}

static void times_out_of_range_are_shown_as_the_nearest(void **state)
{
    char text[TIME_TEXT_BYTES];

    (void)state;
    time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
    time_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
    time_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void valid_times_are_understood(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-20T18:02:11Z", 1795197731000000},
        {"2026-11-20t18:02:11z", 1795197731000000},
        {"2026-11-20T18:02:11.5Z", 1795197731500000},
        {"2026-11-20T18:02:11.123456999Z", 1795197731123456},
        {"2026-11-20T10:02:11-08:00", 1795197731000000},
        {"2026-11-20T23:32:11+05:30", 1795197731000000},
        {"2026-11-20T18:02:11-00:00", 1795197731000000},
        {"2024-02-29T00:00:00Z", 1709164800000000},
        {"2016-12-31T23:59:60Z", 1483228800000000},
        {"2016-12-31T15:59:60.25-08:00", 1483228800250000},
        {"9999-12-31T23:59:59Z", 253402300799000000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (parsed(rows[i].text) != rows[i].us)
            fail_msg("%s gives %lld", rows[i].text, (long long)parsed(rows[i].text));
}

static void other_times_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2026-11-20",
        "2026-11-20T18:02:11",
        "2026-11-20 18:02:11Z",
        "2026-11-20T18:02Z",
        "2026-11-20T18:02:11.Z",
        "2026-11-20T18:02:11,5Z",
        "2026-11-20T18:02:11Z ",
        " 2026-11-20T18:02:11Z",
        "2026-11-20T18:02:11+0100",
        "2026-11-20T18:02:11+24:00",
        "2026-11-20T18:02:11+01:60",
        "2026-1-20T18:02:11Z",
        "+026-11-20T18:02:11Z",
        "2026-00-20T18:02:11Z",
        "2026-13-20T18:02:11Z",
        "2026-11-00T18:02:11Z",
        "2026-11-31T18:02:11Z",
        "2025-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T18:60:00Z",
        "2026-11-20T18:02:61Z",
        "2026-11-20T23:59:60Z",
        "2016-12-31T22:59:60Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "1969-12-31T23:30:00-01:00",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err err;
        int64_t us = 42;

        err_clear(&err);
        if (time_parse(text_of(texts[i]), &us, &err) != STATUS_INVALID)
            fail_msg("'%s' is taken", texts[i]);
        assert_int_equal(us, 42);
        assert_true(err.text[0] != 0);
    }
}

/* Each cut and each changed byte of a good text: never a crash, and what is taken is
 * formatted and taken again. */
static void damaged_times_are_refused_or_mean_something(void **state)
{
    const char good[] = "2026-11-20T18:02:11.250000-08:00";

    (void)state;
    for (size_t at = 0; at < sizeof good - 1; at++)
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof good], again[TIME_TEXT_BYTES];
            int64_t us;

            memcpy(text, good, sizeof good);
            text[at] = (char)byte;
            if (time_parse((struct text){text, sizeof good - 1}, &us, NULL))
                continue;
            time_format(us, again);
            assert_true(parsed(again) == us);
            assert_int_equal(time_parse((struct text){text, at}, &us, NULL),
                             STATUS_INVALID);
        }
}

static void durations_are_numbers_with_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {{"0s", 0},
                {"90s", 90},
                {"15m", 900},
                {"24h", 86400},
                {"30d", 2592000},
                {"2w", 1209600},
                {"3653d", 315619200},
                {"3654d", -1},
                {"522w", -1},
                {"99999999999999999999s", -1},
                {"", -1},
                {"s", -1},
                {"5", -1},
                {"5 s", -1},
                {"-5s", -1},
                {"1.5h", -1},
                {"5S", -1},
                {"5ms", -1},
                {"1h30m", -1},
                {"5y", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err;
        int64_t seconds = -1;

        err_clear(&err);
        enum status rc = duration_parse(text_of(rows[i].text), &seconds, &err);
        if (seconds != rows[i].seconds || (rc == STATUS_OK) != (seconds >= 0))
            fail_msg("'%s' gives %lld", rows[i].text, (long long)seconds);
    }
}

static void the_systems_clocks_move_forward(void **state)
{
    int64_t wall = clock_wall_us(&system_clock);
    int64_t last = clock_monotonic_us(&system_clock);

    (void)state;
    assert_in_range(wall / SECOND_US, time(NULL) - 2, time(NULL) + 2);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_us(&system_clock);

        assert_true(now >= last);
        last = now;
    }
}

static void a_clock_that_is_set_is_not_followed(void **state)
{
    static const struct {
        int64_t wall_s, elapsed_s, believed_s;
        bool is_stepped;
    } rows[] = {
        {1000, 0, 1000, false},  {1010, 10, 1010, false},
        {1023, 20, 1023, false},                          /* a small correction */
        {1030, 30, 1030, false}, {1028, 31, 1030, false}, /* never back */
        {5000, 40, 1037, true}, /* set forward: believed 997 + 40 */
        {5010, 50, 1047, true},  {70, 60, 1057, true}, /* set back to 1970 */
        {1067, 70, 1067, false},
    };
    struct steady steady = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t believed = steady_time(&steady, rows[i].wall_s * SECOND_US,
                                       rows[i].elapsed_s * SECOND_US);

        assert_int_equal(believed, rows[i].believed_s * SECOND_US);
        assert_int_equal(steady.is_stepped, rows[i].is_stepped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_set_is_not_followed),
        cmocka_unit_test(times_are_formatted_like_by_the_c_library),
        cmocka_unit_test(times_out_of_range_are_shown_as_the_nearest),
        cmocka_unit_test(valid_times_are_understood),
        cmocka_unit_test(other_times_are_refused),
        cmocka_unit_test(damaged_times_are_refused_or_mean_something),
        cmocka_unit_test(durations_are_numbers_with_a_unit),
        cmocka_unit_test(the_systems_clocks_move_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
