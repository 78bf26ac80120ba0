/* test_bins.c - features are cut at their quantiles, whatever order their rows have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/bins.h"
#include "support/random_forest.h"

#include <math.h>
#include <string.h>

enum { ROW_COUNT = 5000, WIDTH = 4 };

static float values[ROW_COUNT * WIDTH], cuts[BIN_COUNT_MAX * WIDTH];

static float value_at(const void *context, int64_t row, int feature)
{
    const float *from = context;

    return from[row * WIDTH + feature];
}

static void find(int64_t row_count)
{
    const struct booster_rows rows = {.row_count = row_count,
                                      .feature_count = WIDTH,
                                      .at = value_at,
                                      .context = values};
    struct err err = {0};

    assert_int_equal(bins_find(&rows, cuts, &err), 0);
}

static int cut_count(int feature)
{
    int count = 0;

    while (count < BIN_COUNT_MAX && !isnan(cuts[count * WIDTH + feature]))
        count++;
    return count;
}

static int64_t count_below(int64_t row_count, int feature, float value)
{
    int64_t count = 0;

    for (int64_t row = 0; row < row_count; row++)
        count += values[row * WIDTH + feature] < value;
    return count;
}

/* Numbers of all sizes; few values; half of them 0; missing but for some. */
static void draw(struct rng *rng)
{
    for (int row = 0; row < ROW_COUNT; row++) {
        float *own = values + (size_t)row * WIDTH;

        own[0] = (float)(rng_normal(rng) * pow(10, 30 * rng_uniform(rng) - 15));
        own[1] = (float)rng_below(rng, 200) - 100;
        own[2] = rng_below(rng, 2) ? 0 : (float)rng_normal(rng);
        own[3] = rng_below(rng, 10) ? NAN : (float)rng_normal(rng);
    }
}

static void cuts_rise_from_the_least_to_the_largest(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    draw(&rng);
    find(ROW_COUNT);
    for (int feature = 0; feature < WIDTH; feature++) {
        int count = cut_count(feature);
        int64_t known = count_below(ROW_COUNT, feature, INFINITY);

        assert_int_equal(count_below(ROW_COUNT, feature, cuts[feature]), 0);
        for (int i = 1; i < count; i++)
            assert_true(cuts[i * WIDTH + feature] > cuts[(i - 1) * WIDTH + feature]);
        assert_true(count_below(ROW_COUNT, feature, cuts[(count - 1) * WIDTH + feature]) <
                    known);
        assert_int_equal(
            count_below(ROW_COUNT, feature,
                        nextafterf(cuts[(count - 1) * WIDTH + feature], INFINITY)),
            known);
        for (int i = count; i < BIN_COUNT_MAX; i++)
            assert_true(isnan(cuts[i * WIDTH + feature]));
    }
}

/* Between two cuts is a share of the rows, give or take one. */
static void bins_hold_as_many_rows_each_as_can_be(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    draw(&rng);
    find(ROW_COUNT);
    assert_int_equal(cut_count(0), BIN_COUNT_MAX);
    for (int i = 1; i < BIN_COUNT_MAX; i++) {
        int64_t held = count_below(ROW_COUNT, 0, cuts[i * WIDTH]) -
                       count_below(ROW_COUNT, 0, cuts[(i - 1) * WIDTH]);

        assert_in_range(held, (ROW_COUNT - 1) / (BIN_COUNT_MAX - 1) - 1,
                        (ROW_COUNT - 1) / (BIN_COUNT_MAX - 1) + 2);
    }
    /* 0 takes half of the places of the third feature, and one cut. */
    assert_in_range(cut_count(2), BIN_COUNT_MAX / 2 - 16, BIN_COUNT_MAX / 2 + 16);
}

static void a_feature_of_few_values_is_cut_at_each(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    draw(&rng);
    values[1] = 1234; /* once */
    find(ROW_COUNT);
    for (int i = 0; i < 200; i++)
        assert_true(cuts[i * WIDTH + 1] == (float)(i - 100));
    assert_true(cuts[200 * WIDTH + 1] == 1234);
    assert_int_equal(cut_count(1), 201);
}

static void the_order_of_rows_has_no_say(void **state)
{
    static float first[BIN_COUNT_MAX * WIDTH];
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    draw(&rng);
    find(ROW_COUNT);
    memcpy(first, cuts, sizeof first);
    for (int row = ROW_COUNT - 1; row > 0; row--) {
        float *own = values + (size_t)row * WIDTH,
              *other = values + rng_below(&rng, (uint64_t)row + 1) * WIDTH, kept[WIDTH];

        memcpy(kept, own, sizeof kept);
        memcpy(own, other, sizeof kept);
        memcpy(other, kept, sizeof kept);
    }
    find(ROW_COUNT);
    assert_memory_equal(first, cuts, sizeof first);
}

static void a_column_without_values_has_no_cuts(void **state)
{
    (void)state;
    for (int row = 0; row < ROW_COUNT; row++)
        values[row * WIDTH] = NAN;
    find(ROW_COUNT);
    assert_int_equal(cut_count(0), 0);
    values[2] = -0.0F;
    values[WIDTH + 2] = 0;
    find(2);
    assert_int_equal(cut_count(2), 1);
    assert_true(cuts[2] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_rise_from_the_least_to_the_largest),
        cmocka_unit_test(bins_hold_as_many_rows_each_as_can_be),
        cmocka_unit_test(a_feature_of_few_values_is_cut_at_each),
        cmocka_unit_test(the_order_of_rows_has_no_say),
        cmocka_unit_test(a_column_without_values_has_no_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
