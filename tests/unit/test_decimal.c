/* test_decimal.c - decimals are read, scaled and written without losing a digit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/decimal.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_number_is_its_digits_and_their_point(void **)
{
    static const struct {
        const char *text;
        int64_t digits;
        int decimals;
    } rows[] = {
        {"0", 0, 0},
        {"-0.000", 0, 0},
        {"0.29", 29, 2},
        {"12.50", 125, 1},
        {"+7", 7, 0},
        {".5", 5, 1},
        {"5.", 5, 0},
        {"-3.25e1", -325, 1},
        {"1e3", 1000, 0},
        {"1E+3", 1000, 0},
        {"2.5e-3", 25, 4},
        {"1200e-2", 12, 0},
        {"0.000000000000000001", 1, 18},
        {"999999999999999999", 999999999999999999, 0},
        {"00012", 12, 0},
        {"0.1000000000000000000000000", 1, 1},
        {"0e999999999999", 0, 0},
        {"10000000000000000000000e-20", 100, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decimal number;

        if (decimal_read(text_of(rows[i].text), &number) != DECIMAL_GOOD ||
            number.digits != rows[i].digits || number.decimals != rows[i].decimals ||
            !number.is_exact)
            fail_msg("'%s' is %lld with %d decimals", rows[i].text,
                     (long long)number.digits, number.decimals);
    }
}

static void what_is_no_number_or_too_large_is_told_apart(void **)
{
    static const char *const words[] = {"",    "-",   ".",   "e5", "1e",  "1e+", "1.2.3",
                                        "nan", "inf", "0x1", "1 ", "--1", "1,5", "1e5x"};
    static const char *const giants[] = {"1e18", "1000000000000000000", "-1e300",
                                         "1e99999999999999999999"};
    struct decimal number;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (decimal_read(text_of(words[i]), &number) != DECIMAL_NO_NUMBER)
            fail_msg("'%s' is a number", words[i]);
    for (size_t i = 0; i < sizeof giants / sizeof *giants; i++)
        if (decimal_read(text_of(giants[i]), &number) != DECIMAL_TOO_LARGE)
            fail_msg("'%s' is not too large", giants[i]);
}

static void digits_that_do_not_fit_still_decide_how_the_rest_rounds(void **)
{
    static const struct {
        const char *text;
        int decimals;
        const char *rounded;
    } rows[] = {
        {"0.1250000000000000000000001", 2, "0.13"},
        {"0.1249999999999999999999999", 2, "0.12"},
        {"0.12500000000000000000000", 2, "0.13"},
        {"-0.1250000000000000000000001", 2, "-0.13"},
        {"1e-300", 2, "0"},
        {"5.00000000000000000000000001e-1", 0, "1"},
        {"0.49999999999999999999999999", 0, "0"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[DECIMAL_TEXT_BYTES];
        struct decimal number;

        assert_int_equal(decimal_read(text_of(rows[i].text), &number), DECIMAL_GOOD);
        decimal_text(decimal_scale(number.digits, number.decimals, rows[i].decimals),
                     rows[i].decimals, text);
        if (strcmp(text, rows[i].rounded) != 0)
            fail_msg("%s becomes %s", rows[i].text, text);
    }
}

static void a_floor_never_rises(void **)
{
    assert_true(decimal_floor(29, 1, 0) == 2);
    assert_true(decimal_floor(-29, 1, 0) == -3);
    assert_true(decimal_floor(-30, 1, 0) == -3);
    assert_true(decimal_floor(3, 0, 2) == 300);
    assert_true(decimal_scale(25, 1, 0) == 3);
    assert_true(decimal_scale(-25, 1, 0) == -3);
    assert_true(decimal_scale(-24, 1, 0) == -2);
}

static void what_was_written_is_read_again(void **)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 11;
    struct rng rng;

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int i = 0; i < 100000; i++) {
        int64_t digits =
            (int64_t)rng_below(&rng, (uint64_t)decimal_power((int)rng_below(&rng, 19)));
        int decimals = (int)rng_below(&rng, DECIMAL_DIGITS_MAX + 1);
        char text[DECIMAL_TEXT_BYTES];
        struct decimal number;

        digits = rng_below(&rng, 2) ? -digits : digits;
        decimal_text(digits, decimals, text);
        if (decimal_read(text_of(text), &number) != DECIMAL_GOOD || !number.is_exact ||
            decimal_scale(number.digits, number.decimals, decimals) != digits)
            fail_msg("%lld with %d decimals is %s", (long long)digits, decimals, text);
    }
}

static void sums_of_more_than_64_bits_are_written(void **)
{
    char text[DECIMAL_TEXT_BYTES];
    __int128 most = (__int128)((unsigned __int128)-1 >> 1);

    assert_string_equal(decimal_text(most, 0, text),
                        "170141183460469231731687303715884105727");
    assert_string_equal(decimal_text(-most - 1, 18, text),
                        "-170141183460469231731.687303715884105728");
    assert_string_equal(decimal_text(7, 2, text), "0.07");
    assert_string_equal(decimal_text(2900, 2, text), "29");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_its_digits_and_their_point),
        cmocka_unit_test(what_is_no_number_or_too_large_is_told_apart),
        cmocka_unit_test(digits_that_do_not_fit_still_decide_how_the_rest_rounds),
        cmocka_unit_test(a_floor_never_rises),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(sums_of_more_than_64_bits_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
