/* test_zone.c - base/zone.h. Expected moments were worked out from the tz database's
 * rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/zone.h"
#include "base/zone_table.h"
#include "support/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_US (3600 * SECOND_US)

/* The caller frees its bytes. */
static struct text file_of(const char *zone)
{
    char path[256], *content;
    struct text file;

    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
    assert_int_equal(file_read(path, 1 << 20, &content, &file.bytes, NULL), STATUS_OK);
    file.at = content;
    return file;
}

static struct zone_table table_of(const char *zone)
{
    struct text file = file_of(zone);
    struct zone_table table;

    assert_int_equal(zone_table_read(file, &table, NULL), STATUS_OK);
    free((char *)(uintptr_t)file.at);
    return table;
}

static int64_t us_of(const char *text)
{
    int64_t us;

    assert_int_equal(time_parse(text_of(text), &us, NULL), STATUS_OK);
    return us;
}

static void names_of_periods_go_both_ways(void **state)
{
    enum period period;

    (void)state;
    for (int i = PERIOD_DAY; i <= PERIOD_TOTAL; i++) {
        assert_true(period_from_name(period_name((enum period)i), &period));
        assert_int_equal(period, i);
    }
    assert_false(period_from_name("year", &period));
    assert_false(period_from_name("", &period));
}

static void only_names_of_the_database_exist(void **state)
{
    static const char *const good[] = {"UTC", "America/Los_Angeles", "Europe/Berlin",
                                       "America/Argentina/Buenos_Aires", "Etc/GMT+5"};
    static const char *const bad[] = {
        "",
        "Mars/Olympus",
        "america/los_angeles",
        "+05:30",
        "-08",
        "EST5EDT,M3.2.0,M11.1.0",
        "/usr/share/zoneinfo/UTC",
        "../zoneinfo/UTC",
        "Europe/../UTC",
        "Europe",
        "Europe/",
        "tzdata.zi",
        "zone.tab",
        "leapseconds",
        "right/UTC",
        "posix/UTC",
        "Europe//Berlin",
        "UTC\n",
        "Europe/Berlin Europe/Berlin Europe/Berlin Europe/Berlin Europe/Berlin"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (zone_check(good[i], NULL))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t starts, ends;

        if (zone_check(bad[i], NULL) != STATUS_INVALID)
            fail_msg("%s", bad[i]);
        assert_int_equal(zone_period(bad[i], PERIOD_TOTAL, 0, &starts, &ends, NULL),
                         STATUS_INVALID);
    }
}

static void periods_begin_and_end_at_local_midnights(void **state)
{
    static const struct {
        const char *zone;
        enum period period;
        const char *now, *starts, *ends;
    } rows[] = {
        {"UTC", PERIOD_DAY, "2026-11-20T18:02:11Z", "2026-11-20T00:00:00Z",
         "2026-11-21T00:00:00Z"},
        {"UTC", PERIOD_DAY, "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z",
         "2026-11-21T00:00:00Z"},
        {"UTC", PERIOD_DAY, "2026-11-20T23:59:59.999999Z", "2026-11-20T00:00:00Z",
         "2026-11-21T00:00:00Z"},
        {"UTC", PERIOD_WEEK, "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z",
         "2026-11-23T00:00:00Z"},
        {"UTC", PERIOD_WEEK, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z",
         "2026-11-30T00:00:00Z"},
        {"UTC", PERIOD_MONTH, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z",
         "2024-03-01T00:00:00Z"},
        {"UTC", PERIOD_MONTH, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z",
         "2027-01-01T00:00:00Z"},
        /* Days of 23 and 25 hours. */
        {"America/Los_Angeles", PERIOD_DAY, "2026-03-08T20:00:00Z",
         "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z"},
        {"America/Los_Angeles", PERIOD_DAY, "2026-11-01T09:30:00Z",
         "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z"},
        {"America/Los_Angeles", PERIOD_MONTH, "2026-11-20T18:00:00Z",
         "2026-11-01T07:00:00Z", "2026-12-01T08:00:00Z"},
        {"Europe/Berlin", PERIOD_WEEK, "2026-10-25T12:00:00Z", "2026-10-18T22:00:00Z",
         "2026-10-25T23:00:00Z"},
        /* Clocks jumped from 00:00 to 01:00: the day began at 01:00 local. */
        {"America/Sao_Paulo", PERIOD_DAY, "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z",
         "2018-11-05T02:00:00Z"},
        {"Africa/Cairo", PERIOD_DAY, "2024-04-26T12:00:00Z", "2024-04-25T22:00:00Z",
         "2024-04-26T21:00:00Z"},
        /* Clocks went from 24:00 back to 23:00: the evening was long. */
        {"America/Sao_Paulo", PERIOD_DAY, "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z",
         "2018-02-18T03:00:00Z"},
        /* From 00:01 back to 23:01: the day begins once, at the first midnight. */
        {"America/St_Johns", PERIOD_DAY, "2010-11-07T02:31:30Z", "2010-11-07T02:30:00Z",
         "2010-11-08T03:30:00Z"},
        {"America/St_Johns", PERIOD_DAY, "2010-11-07T02:30:30Z", "2010-11-07T02:30:00Z",
         "2010-11-08T03:30:00Z"},
        {"America/St_Johns", PERIOD_DAY, "2010-11-07T02:29:59Z", "2010-11-06T02:30:00Z",
         "2010-11-07T02:30:00Z"},
        /* A day that did not exist. */
        {"Pacific/Apia", PERIOD_DAY, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z",
         "2011-12-30T10:00:00Z"},
        {"Pacific/Apia", PERIOD_DAY, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z",
         "2011-12-31T10:00:00Z"},
        /* Beyond the table of the database, by its rule. */
        {"America/Los_Angeles", PERIOD_DAY, "2060-07-04T12:00:00Z",
         "2060-07-04T07:00:00Z", "2060-07-05T07:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char starts_text[TIME_TEXT_BYTES], ends_text[TIME_TEXT_BYTES];
        int64_t starts, ends;

        assert_int_equal(zone_period(rows[i].zone, rows[i].period, us_of(rows[i].now),
                                     &starts, &ends, NULL),
                         STATUS_OK);
        time_format(starts, starts_text);
        time_format(ends, ends_text);
        if (starts != us_of(rows[i].starts) || ends != us_of(rows[i].ends))
            fail_msg("%s %s at %s: %s to %s", rows[i].zone, period_name(rows[i].period),
                     rows[i].now, starts_text, ends_text);
    }
}

static void the_total_never_ends(void **state)
{
    int64_t starts, ends;

    (void)state;
    assert_int_equal(zone_period("Asia/Tokyo", PERIOD_TOTAL, 5, &starts, &ends, NULL),
                     STATUS_OK);
    assert_int_equal(starts, 0);
    assert_true(ends == INT64_MAX);
}

/* One after the other they cover time without gap and overlap, whatever the clocks do. */
static void periods_join_without_gap_or_overlap(void **state)
{
    static const char *const zones[] = {
        "UTC",          "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo",
        "Pacific/Apia", "Africa/Cairo",        "Asia/Kathmandu",   "Australia/Lord_Howe",
        "Asia/Beirut",  "Atlantic/Azores",     "Africa/Casablanca"};
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng;

    (void)state;
    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++)
        for (int i = 0; i < 6000; i++) {
            enum period period = (enum period)(i % PERIOD_TOTAL);
            int64_t now = us_of("1995-01-01T00:00:00Z") +
                          (int64_t)rng_below(&rng, UINT64_C(40) * 366 * 24 * HOUR_US);
            int64_t starts, ends, next_starts, next_ends, at[2];

            assert_int_equal(zone_period(zones[z], period, now, &starts, &ends, NULL), 0);
            assert_true(starts <= now && now < ends);
            at[0] = starts;
            at[1] = ends - 1;
            for (int k = 0; k < 2; k++) {
                assert_int_equal(
                    zone_period(zones[z], period, at[k], &next_starts, &next_ends, NULL),
                    0);
                assert_true(next_starts == starts && next_ends == ends);
            }
            assert_int_equal(
                zone_period(zones[z], period, ends, &next_starts, &next_ends, NULL), 0);
            assert_true(next_starts == ends);
        }
}

/* Where the C library reads the same files, the offsets are the same. */
static void offsets_are_those_of_the_c_library(void **state)
{
    static const char *const names[] = {
        "America/Los_Angeles", "America/St_Johns",   "America/Sao_Paulo", "Pacific/Apia",
        "Africa/Cairo",        "Asia/Kathmandu",     "Europe/Dublin",     "Asia/Gaza",
        "Asia/Jerusalem",      "Africa/Casablanca",  "Etc/GMT+5",         "EST5EDT",
        "America/Santiago",    "Antarctica/Troll",   "Africa/Monrovia",   "Asia/Tehran",
        "Australia/Lord_Howe", "Pacific/Kiritimati", "America/Asuncion"};
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("offsets_are_those_of_the_c_library"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct zone_table table = table_of(names[i]);

        setenv("TZ", names[i], 1);
        tzset();
        for (int k = 0; k < 5000; k++) {
            time_t at = (time_t)rng_below(&rng, UINT64_C(300) * 366 * 86400) -
                        (time_t)(100 * INT64_C(366) * 86400);
            struct tm local;

            localtime_r(&at, &local);
            if (zone_table_offset(&table, at) != local.tm_gmtoff)
                fail_msg("%s at %lld: %lld, not %ld", names[i], (long long)at,
                         (long long)zone_table_offset(&table, at), local.tm_gmtoff);
        }
        zone_table_free(&table);
    }
    unsetenv("TZ");
    tzset();
}

/* Bits turned, or the end missing: another table, or none, but never a crash. */
static void a_damaged_file_is_read_or_refused(void **state)
{
    struct text file = file_of("America/New_York");
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("a_damaged_file_is_read_or_refused"));
    for (int i = 0; i < 20000; i++) {
        size_t bytes = i % 4 ? file.bytes : (size_t)rng_below(&rng, file.bytes);
        char *copy = malloc(bytes + 1); /* so that a sanitizer sees its end */
        struct zone_table table;

        memcpy(copy, file.at, bytes);
        for (int k = 0; k < i % 3; k++)
            copy[rng_below(&rng, bytes + 1)] ^= (char)(1 << rng_below(&rng, 8));
        if (zone_table_read((struct text){copy, bytes}, &table, NULL) == STATUS_OK) {
            (void)zone_table_offset(&table, (int64_t)rng_next(&rng) >> 24);
            zone_table_free(&table);
        }
        free(copy);
    }
    free((char *)(uintptr_t)file.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_periods_go_both_ways),
        cmocka_unit_test(only_names_of_the_database_exist),
        cmocka_unit_test(periods_begin_and_end_at_local_midnights),
        cmocka_unit_test(the_total_never_ends),
        cmocka_unit_test(periods_join_without_gap_or_overlap),
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(a_damaged_file_is_read_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
