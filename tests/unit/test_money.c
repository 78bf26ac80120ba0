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

static void a_share_is_rounded_half_away_from_zero(void **state)
{
    (void)state;
    assert_int_equal(money_share(100, 5000), 50);
    assert_int_equal(money_share(1, 5000), 1);
    assert_int_equal(money_share(1, 4999), 0);
    assert_int_equal(money_share(-1, 5000), -1);
    assert_int_equal(money_share(-1, 4999), 0);
    assert_int_equal(money_share(25, 9999), 25);
    assert_true(money_share(MONEY_MINOR_MAX, BPS_WHOLE) == MONEY_MINOR_MAX);
    assert_true(money_share(-MONEY_MINOR_MAX, BPS_WHOLE) == -MONEY_MINOR_MAX);
    for (int i = 0; i < 200000; i++) {
        int64_t minor = rng_below(&rng, 2) ? random_minor() : -random_minor();
        int bps = (int)rng_below(&rng, BPS_WHOLE + 1);
        __int128 product = (__int128)minor * bps;
        __int128 error = (__int128)money_share(minor, bps) * BPS_WHOLE - product;

        /* Within half a unit; at exactly half, on the side away from zero. */
        assert_true(error >= -BPS_WHOLE / 2 && error <= BPS_WHOLE / 2);
        if (error == BPS_WHOLE / 2 || error == -BPS_WHOLE / 2)
            assert_true((error > 0) == (minor > 0));
    }
}

static void amounts_are_rounded_to_steps(void **state)
{
    static const struct {
        int64_t minor, step, down, nearest, up;
    } rows[] = {{0, 50, 0, 0, 0},
                {49, 50, 0, 50, 50},
                {24, 50, 0, 0, 50},
                {25, 50, 0, 50, 50},
                {100, 50, 100, 100, 100},
                {7, 1, 7, 7, 7},
                {1, INT64_MAX, 0, 0, INT64_MAX},
                {124, 99, 99, 99, 198},
                {INT64_MAX, 10, INT64_MAX - 7, INT64_MAX - 7, INT64_MAX - 7}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(money_round(rows[i].minor, rows[i].step, ROUND_DOWN) == rows[i].down);
        assert_true(money_round(rows[i].minor, rows[i].step, ROUND_NEAREST) ==
                    rows[i].nearest);
        assert_true(money_round(rows[i].minor, rows[i].step, ROUND_UP) == rows[i].up);
    }
    for (int i = 0; i < 100000; i++) {
        int64_t minor = random_minor(), step = 1 + (int64_t)rng_below(&rng, 100000);
        int64_t down = money_round(minor, step, ROUND_DOWN);
        int64_t nearest = money_round(minor, step, ROUND_NEAREST);
        int64_t up = money_round(minor, step, ROUND_UP);

        assert_true(down % step == 0 && down <= minor && minor - down < step);
        assert_true(up % step == 0 && up >= minor && up - minor < step);
        assert_true(nearest == (minor - down < up - minor ? down : up));
    }
}

static void sums_stay_within_the_exact_integers(void **state)
{
    int64_t sum = 5;
    struct err err;

    (void)state;
    err_clear(&err);
    assert_int_equal(money_add(MONEY_MINOR_MAX - 1, 1, &sum, &err), STATUS_OK);
    assert_true(sum == MONEY_MINOR_MAX);
    assert_int_equal(money_add(-MONEY_MINOR_MAX, 1, &sum, &err), STATUS_OK);
    assert_true(sum == -MONEY_MINOR_MAX + 1);
    assert_int_equal(money_add(MONEY_MINOR_MAX, 1, &sum, &err), STATUS_INVALID);
    assert_int_equal(money_add(-MONEY_MINOR_MAX, -1, &sum, &err), STATUS_INVALID);
    assert_int_equal(money_add(INT64_MAX, INT64_MAX, &sum, &err), STATUS_INVALID);
    assert_int_equal(money_add(INT64_MIN, -1, &sum, &err), STATUS_INVALID);
    assert_true(sum == -MONEY_MINOR_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(national_currencies_exist),
        cmocka_unit_test(the_table_has_every_entry_in_reach),
        cmocka_unit_test(a_share_is_rounded_half_away_from_zero),
        cmocka_unit_test(amounts_are_rounded_to_steps),
        cmocka_unit_test(sums_stay_within_the_exact_integers),
    };
    uint64_t seed = (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
