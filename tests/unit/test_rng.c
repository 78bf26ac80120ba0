/* test_rng.c - base/rng.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"

#include <math.h>
#include <stdio.h>

/* The first outputs for a known state are a matter of arithmetic: worked out by hand from
 * the published recurrence for the state {1, 2, 3, 4}. */
static void the_sequence_is_the_published_one(void **state)
{
    static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240};
    struct rng rng = {{1, 2, 3, 4}};

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(rng_next(&rng) == want[i]);
}

static void the_same_seed_gives_the_same_sequence(void **state)
{
    struct rng a, b, other;
    int equal_count = 0;

    (void)state;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&other, 43);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = rng_next(&a);

        assert_true(value == rng_next(&b));
        equal_count += value == rng_next(&other);
    }
    assert_int_equal(equal_count, 0);
    /* splitmix64 of seed 0 begins with this value. */
    rng_seed(&a, 0);
    assert_true(a.state[0] == UINT64_C(0xe220a8397b1dcdaf));
}

static void below_is_in_range_and_even(void **state)
{
    enum { BOUND = 7, DRAWS = 700000 };
    long counts[BOUND] = {0};
    double chi2 = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    for (int i = 0; i < DRAWS; i++)
        counts[rng_below(&rng, BOUND)]++;
    for (int i = 0; i < BOUND; i++)
        chi2 += pow((double)counts[i] - DRAWS / BOUND, 2) / (DRAWS / BOUND);
    assert_true(chi2 < 33.1); /* six degrees of freedom, one in 100,000 */
    for (int i = 0; i < 1000; i++) {
        assert_true(rng_below(&rng, 1) == 0);
        assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
    }
}

/* With bound 3/4 x 2^64 a remainder would pick the lower third twice as often. */
static void below_has_no_bias_for_huge_bounds(void **state)
{
    const uint64_t bound = UINT64_C(3) << 62;
    long low_count = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 4);
    for (int i = 0; i < 90000; i++)
        low_count += rng_below(&rng, bound) < bound / 3;
    assert_in_range(low_count, 29300, 30700);
}

static void uniform_and_normal_have_their_moments(void **state)
{
    enum { DRAWS = 1000000 };
    double sum = 0, square = 0, third = 0, fourth = 0, uniform_sum = 0, least = 1,
           most = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (int i = 0; i < DRAWS; i++) {
        double u = rng_uniform(&rng), x = rng_normal(&rng);

        least = fmin(least, u);
        most = fmax(most, u);
        uniform_sum += u;
        sum += x;
        square += x * x;
        third += x * x * x;
        fourth += x * x * x * x;
    }
    assert_true(least >= 0 && least < 1e-4 && most < 1 && most > 1 - 1e-4);
    assert_true(fabs(uniform_sum / DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    assert_true(fabs(sum / DRAWS) < 5 * sqrt(1.0 / DRAWS));
    assert_true(fabs(square / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs(third / DRAWS) < 5 * sqrt(15.0 / DRAWS));
    assert_true(fabs(fourth / DRAWS - 3) < 5 * sqrt(96.0 / DRAWS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_the_published_one),
        cmocka_unit_test(the_same_seed_gives_the_same_sequence),
        cmocka_unit_test(below_is_in_range_and_even),
        cmocka_unit_test(below_has_no_bias_for_huge_bounds),
        cmocka_unit_test(uniform_and_normal_have_their_moments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
