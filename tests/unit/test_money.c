/* test_money.c - base/money.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/money.h"
#include "base/rng.h"

#include <stdio.h>
#include <time.h>

static struct rng rng;

static int64_t random_minor(void)
{
    int64_t size = (int64_t)(rng_next(&rng) >> (11 + rng_below(&rng, 50)));

    return size > MONEY_MINOR_MAX ? MONEY_MINOR_MAX : size;
}

static void national_currencies_exist(void **state)
{
    static const char *const good[] = {"AED", "BHD", "EUR", "JPY",
                                       "USD", "XAF", "XCG", "ZWG"};
    static const char *const bad[] = {"",    "US",  "USDT", "usd", "XXX", "XTS", "XAU",
                                      "DEM", "HRK", "ANG",  "BTC", "ZZZ", "AAA", "CHE"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!currency_exists(text_of(good[i])))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (currency_exists(text_of(bad[i])))
            fail_msg("%s", bad[i]);
    assert_false(currency_exists((struct text){0}));
}

/* A search in a table that is not sorted would miss some of these. */
static void the_table_has_every_entry_in_reach(void **state)
{
    int count = 0;

    (void)state;
    for (int i = 0; i < 26 * 26 * 26; i++) {
        char code[] = {(char)('A' + i / 676), (char)('A' + i / 26 % 26),
                       (char)('A' + i % 26), 0};

        count += currency_exists(text_of(code));
    }
    assert_int_equal(count, 155);
}

static void shares_are_rounded_to_steps_once(void **state)
{
    static const struct {
        int64_t minor;
        int bps;
        int64_t step, down, nearest, up;
    } rows[] = {
        {100, 5000, 1, 50, 50, 50},
        {1, 5000, 1, 0, 1, 1},
        {1, 4999, 1, 0, 0, 1},
        {25, 9999, 1, 24, 25, 25},
        {0, BPS_WHOLE, 50, 0, 0, 0},
        {2499, 1000, 50, 200, 250, 250},
        /* 24.99 to a step of 50: rounded to 25 first, it would go up. */
        {2499, 100, 50, 0, 0, 50},
        {2500, 100, 50, 0, 50, 50},
        /* Nothing is lifted above the whole. */
        {49, BPS_WHOLE, 50, 0, 0, 0},
        {124, 9000, 99, 99, 99, 99},
        {1, BPS_WHOLE, INT64_MAX, 0, 0, 0},
        {MONEY_MINOR_MAX, BPS_WHOLE, 1, MONEY_MINOR_MAX, MONEY_MINOR_MAX,
         MONEY_MINOR_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t minor = rows[i].minor, step = rows[i].step;
        int bps = rows[i].bps;

        assert_int_equal(money_share(minor, bps, step, ROUND_DOWN), rows[i].down);
        assert_int_equal(money_share(minor, bps, step, ROUND_NEAREST), rows[i].nearest);
        assert_int_equal(money_share(minor, bps, step, ROUND_UP), rows[i].up);
    }
}

/* How far a share rounded so is from the exact one, in 10000ths of a minor unit. */
static __int128 rounding_error(int64_t minor, int bps, int64_t step,
                               enum rounding rounding)
{
    int64_t share = money_share(minor, bps, step, rounding);

    assert_true(share >= 0 && share <= minor && share % step == 0);
    return (__int128)share * BPS_WHOLE - (__int128)minor * bps;
}

static void a_share_is_the_multiple_its_rounding_names(void **state)
{
    int full_count = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        int64_t minor = random_minor();
        int bps = (int)rng_below(&rng, BPS_WHOLE + 1);
        int64_t step = 1 + (int64_t)rng_below(&rng, rng_below(&rng, 2) ? 10 : 1000000);
        __int128 unit = (__int128)step * BPS_WHOLE;
        __int128 down = rounding_error(minor, bps, step, ROUND_DOWN);
        __int128 nearest = rounding_error(minor, bps, step, ROUND_NEAREST);
        __int128 up = rounding_error(minor, bps, step, ROUND_UP);
        bool has_above = money_share(minor, bps, step, ROUND_DOWN) + step <= minor;

        assert_true(down <= 0 && -down < unit);
        if (!has_above) {
            assert_true(nearest == down && up == down);
            continue;
        }
        assert_true(up >= 0 && up < unit);
        assert_true(nearest == (-down * 2 < unit ? down : down + unit));
        full_count++;
    }
    assert_true(full_count > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(national_currencies_exist),
        cmocka_unit_test(the_table_has_every_entry_in_reach),
        cmocka_unit_test(shares_are_rounded_to_steps_once),
        cmocka_unit_test(a_share_is_the_multiple_its_rounding_names),
    };
    uint64_t seed = (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
