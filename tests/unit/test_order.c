/* test_order.c - many numbers come into the order that comparing them gives, and their
 * groups end where they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/order.h"
#include "base/rng.h"
#include "support/random_forest.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The last is in large pages. */
enum { COUNT_MAX = 20000, LARGE_COUNT = 200000 };

static double keys[LARGE_COUNT];
static uint32_t order[LARGE_COUNT], expected[LARGE_COUNT];
static bool ends[LARGE_COUNT];

/* Largest first, equal ones as they stand. */
static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (keys[x] != keys[y])
        return keys[x] > keys[y] ? -1 : 1;
    return (x > y) - (x < y);
}

static void check(int64_t count)
{
    struct err err = {0};

    for (int64_t i = 0; i < count; i++)
        expected[i] = (uint32_t)i;
    qsort(expected, (size_t)count, sizeof *expected, compare);
    assert_int_equal(order_falling_groups(keys, count, order, ends, &err), STATUS_OK);
    assert_memory_equal(order, expected, (size_t)count * sizeof *order);
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(ends[i], i + 1 == count || keys[order[i]] != keys[order[i + 1]]);
    memset(order, 0, sizeof order);
    assert_int_equal(order_falling(keys, count, order, &err), STATUS_OK);
    assert_memory_equal(order, expected, (size_t)count * sizeof *order);
}

/* ---- what keys look like ---- */

static double any_bits(struct rng *rng)
{
    double key;

    do {
        uint64_t bits = rng_next(rng);

        memcpy(&key, &bits, sizeof key);
    } while (isnan(key));
    return key;
}

static double few_values(struct rng *rng)
{
    return (double)rng_below(rng, 5) - 2;
}

/* Twins, as close as doubles are. */
static double nearly_pairs(struct rng *rng)
{
    double key = 1 + (double)rng_below(rng, COUNT_MAX / 2) / COUNT_MAX;

    return rng_below(rng, 2) ? nextafter(key, 2) : key;
}

/* All have the same first half. */
static double last_bits_only(struct rng *rng)
{
    return 1 + (double)rng_below(rng, 1000) * DBL_EPSILON;
}

static double zeros_of_both_signs(struct rng *rng)
{
    return rng_below(rng, 2) ? 0.0 : -0.0;
}

static double the_largest_and_the_smallest(struct rng *rng)
{
    static const double ends_of_all[] = {INFINITY,     -INFINITY,     DBL_MAX, -DBL_MAX,
                                         DBL_TRUE_MIN, -DBL_TRUE_MIN, 0,       -0.0};

    return ends_of_all[rng_below(rng, sizeof ends_of_all / sizeof *ends_of_all)];
}

static void any_keys_are_ordered_as_comparing_them_does(void **state)
{
    double (*const draws[])(struct rng *) = {
        rng_normal,
        any_bits,
        few_values,
        nearly_pairs,
        last_bits_only,
        zeros_of_both_signs,
        the_largest_and_the_smallest,
    };
    static const int64_t counts[] = {0, 1, 2, 3, 31, 700, COUNT_MAX};
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (size_t kind = 0; kind < sizeof draws / sizeof *draws; kind++)
        for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
            for (int64_t i = 0; i < counts[n]; i++)
                keys[i] = draws[kind](&rng);
            check(counts[n]);
        }
}

static void more_keys_than_a_small_page_holds_are_ordered(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int64_t i = 0; i < LARGE_COUNT; i++)
        keys[i] = rng_normal(&rng);
    check(LARGE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_keys_are_ordered_as_comparing_them_does),
        cmocka_unit_test(more_keys_than_a_small_page_holds_are_ordered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
