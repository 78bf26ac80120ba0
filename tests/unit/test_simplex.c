/* test_simplex.c - weights on the simplex are optimal: no direction is better, on many
 * problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/panel.h"
#include "learn/simplex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT_MAX = 40 };

/* gram = rows rows', rows (count, length) uniform around `middle`. */
static void draw_gram(struct rng *rng, int count, int length, double middle, double *gram)
{
    double rows[COUNT_MAX * COUNT_MAX];

    for (int i = 0; i < count * length; i++)
        rows[i] = rng_uniform(rng) - 0.5 + middle;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            gram[i * count + j] = 0;
            for (int t = 0; t < length; t++)
                gram[i * count + j] += rows[i * length + t] * rows[j * length + t];
        }
}

/* Slopes of all weights are at least the value; of those above 0 they are the value. */
static void check_optimum(const double *gram, int count, const double *weights,
                          double value)
{
    double sum = 0, most = 0;

    for (int i = 0; i < count; i++)
        most = fmax(most, gram[i * count + i]);
    for (int i = 0; i < count; i++) {
        double slope = 0;

        assert_true(weights[i] >= 0);
        sum += weights[i];
        for (int j = 0; j < count; j++)
            slope += gram[i * count + j] * weights[j];
        assert_true(slope >= value - 1e-9 * most);
        if (weights[i] > 1e-7)
            assert_true(slope <= value + 1e-7 * most);
    }
    assert_true(fabs(sum - 1) < 1e-12);
}

static void random_problems_are_solved_exactly(void **)
{
    static double gram[COUNT_MAX * COUNT_MAX];
    double weights[COUNT_MAX], value, gap;
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 3;
    struct rng rng;
    struct err err;

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int again = 0; again < 3000; again++) {
        int count = 1 + (int)rng_below(&rng, COUNT_MAX);
        int length = 1 + (int)rng_below(&rng, COUNT_MAX); /* often singular */

        draw_gram(&rng, count, length, again % 3 * 0.3, gram);
        assert_int_equal(simplex_least_squares(gram, count, weights, &value, &gap, &err),
                         STATUS_OK);
        check_optimum(gram, count, weights, value);
    }
}

static void equal_columns_share_and_one_weight_is_all(void **)
{
    static const double same[9] = {2, 2, 2, 2, 2, 2, 2, 2, 2}, zero[4] = {0, 0, 0, 0};
    static const double one[1] = {7}, apart[4] = {1, 0, 0, 3};
    double weights[3], value, gap;
    struct err err;

    assert_int_equal(simplex_least_squares(one, 1, weights, &value, &gap, &err),
                     STATUS_OK);
    assert_true(weights[0] == 1 && value == 7);
    assert_int_equal(simplex_least_squares(same, 3, weights, &value, &gap, &err),
                     STATUS_OK);
    check_optimum(same, 3, weights, value);
    assert_int_equal(simplex_least_squares(zero, 2, weights, &value, &gap, &err),
                     STATUS_OK);
    check_optimum(zero, 2, weights, value);
    assert_int_equal(simplex_least_squares(apart, 2, weights, &value, &gap, &err),
                     STATUS_OK);
    assert_true(fabs(weights[0] - 0.75) < 1e-15 && fabs(value - 0.75) < 1e-15);
}

/* ---- panels by hand ---- */

/* The treated is the mean of both others before, and 3 above it afterwards. */
static const double by_hand[12] = {2, 3, 5, 9, /**/ 1, 1, 4, 5, /**/ 3, 5, 6, 7};

static void a_panel_by_hand(void **)
{
    const struct panel panel = {3, 4, 3, by_hand};
    double units[3], times[4];
    struct panel_effect effect;
    struct err err;

    for (enum panel_method method = 0; method < PANEL_METHOD_COUNT; method++) {
        assert_int_equal(
            panel_estimate(&panel, method, 0, -1, &effect, units, times, &err),
            STATUS_OK);
        assert_true(fabs(effect.value - 3) < 1e-9);
        assert_true(fabs(units[1] - 0.5) < 1e-9 && fabs(units[2] - 0.5) < 1e-9);
        assert_true(units[0] == 0 && effect.pre_rmspe < 1e-9);
    }
}

static void a_panel_too_small_for_a_method_is_refused(void **)
{
    const struct panel short_one = {3, 2, 1, by_hand}, alone = {1, 4, 3, by_hand};
    double units[3], times[4];
    struct panel_effect effect;
    struct err err;

    assert_int_equal(
        panel_estimate(&short_one, PANEL_SDID, 0, -1, &effect, units, times, &err),
        STATUS_INVALID);
    assert_int_equal(panel_estimate(&alone, PANEL_SC, 0, -1, &effect, units, times, &err),
                     STATUS_INVALID);
    assert_int_equal(
        panel_estimate(&short_one, PANEL_DID, 0, -1, &effect, units, times, &err),
        STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_problems_are_solved_exactly),
        cmocka_unit_test(equal_columns_share_and_one_weight_is_all),
        cmocka_unit_test(a_panel_by_hand),
        cmocka_unit_test(a_panel_too_small_for_a_method_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
