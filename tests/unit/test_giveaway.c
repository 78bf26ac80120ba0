/* test_giveaway.c - which columns give an outcome away, and which only know much of
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/giveaway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 400, COLUMN_COUNT = 2 };

/* One column that knows nothing, and one under test. */
struct rows {
    float values[ROW_COUNT * COLUMN_COUNT];
    bool is_nominal[COLUMN_COUNT];
    double outcomes[ROW_COUNT];
    int32_t groups[ROW_COUNT];
};

static uint64_t seed = 11;

static void setup(struct rows *rows)
{
    struct rng rng;

    *rows = (struct rows){0};
    rng_seed(&rng, seed);
    for (int i = 0; i < ROW_COUNT; i++) {
        rows->values[COLUMN_COUNT * i] = (float)rng_uniform(&rng);
        rows->outcomes[i] = rng_uniform(&rng) * 100;
        rows->groups[i] = (int32_t)rng_below(&rng, 4);
    }
}

static float *value(struct rows *rows, int i)
{
    return &rows->values[COLUMN_COUNT * i + 1];
}

static struct giveaway find(const struct rows *rows, int64_t row_count)
{
    const struct feature_rows features = {.feature_count = COLUMN_COUNT,
                                          .values = rows->values,
                                          .is_nominal = rows->is_nominal};

    return giveaway_find(&features, 0, row_count, rows->groups, rows->outcomes);
}

static void the_outcome_again_in_another_unit_is_found(void **)
{
    struct rows rows;
    struct giveaway found;

    setup(&rows);
    for (int i = 0; i < ROW_COUNT; i++)
        *value(&rows, i) = (float)(7 - rows.outcomes[i] / 100);
    found = find(&rows, ROW_COUNT);
    assert_int_equal(found.column, 1);
    assert_true(found.share > 0.999999 && found.share <= 1);
}

/* Even numbers from 0 to 100 have a variance of 833. */
static void a_column_that_knows_less_is_left_alone(void **)
{
    struct rows rows;

    setup(&rows);
    for (int i = 0; i < ROW_COUNT; i++)
        *value(&rows, i) = (float)(rows.outcomes[i] + (i % 2 ? 4 : -4));
    assert_int_equal(find(&rows, ROW_COUNT).column, -1); /* 833 of 833 + 16 */
    for (int i = 0; i < ROW_COUNT; i++)
        *value(&rows, i) = (float)(rows.outcomes[i] + (i % 2 ? 2 : -2));
    assert_int_equal(find(&rows, ROW_COUNT).column, 1); /* of 833 + 4 */
}

/* What is left of a value when the cost of what was given is taken off. */
static void the_outcome_less_what_was_done_is_found_within_what_was_done(void **)
{
    struct rows rows;
    struct giveaway found;

    setup(&rows);
    for (int i = 0; i < ROW_COUNT; i++)
        *value(&rows, i) = (float)(rows.outcomes[i] + 1000.0 * rows.groups[i]);
    found = find(&rows, ROW_COUNT);
    assert_int_equal(found.column, 1);
    memset(rows.groups, 0, sizeof rows.groups);
    assert_int_equal(find(&rows, ROW_COUNT).column, -1);
}

static void what_is_there_only_after_some_outcomes_is_found(void **)
{
    struct rows rows;

    setup(&rows);
    for (int i = 0; i < ROW_COUNT; i++) {
        rows.outcomes[i] = rows.outcomes[i] > 70;
        *value(&rows, i) = rows.outcomes[i] > 0 ? (float)(i % 30) : NAN;
    }
    assert_int_equal(find(&rows, ROW_COUNT).column, 1);
    *value(&rows, 0) = *value(&rows, 1) = *value(&rows, 2) = *value(&rows, 3) = NAN;
    for (int i = 0; i < 8; i++)
        rows.outcomes[i] = 1;
    assert_int_equal(find(&rows, ROW_COUNT).column, -1);
}

static void a_word_for_the_outcome_is_found_and_a_thousand_names_are_not(void **)
{
    struct rows rows;

    setup(&rows);
    rows.is_nominal[1] = true;
    for (int i = 0; i < ROW_COUNT; i++) {
        rows.outcomes[i] = rows.outcomes[i] > 70;
        *value(&rows, i) = rows.outcomes[i] > 0 ? 2 + (float)(i % 2) : i % 3 ? 1 : NAN;
    }
    assert_int_equal(find(&rows, ROW_COUNT).column, 1);
    for (int i = 0; i < ROW_COUNT; i++)
        *value(&rows, i) = (float)i;
    assert_int_equal(find(&rows, ROW_COUNT).column, -1);
}

static void few_rows_and_equal_outcomes_say_nothing(void **)
{
    struct rows rows;

    setup(&rows);
    for (int i = 0; i < ROW_COUNT; i++)
        *value(&rows, i) = (float)rows.outcomes[i];
    assert_int_equal(find(&rows, GIVEAWAY_ROWS_MIN).column, 1);
    assert_int_equal(find(&rows, GIVEAWAY_ROWS_MIN - 1).column, -1);
    for (int i = 0; i < ROW_COUNT; i++)
        rows.outcomes[i] = 5;
    assert_int_equal(find(&rows, ROW_COUNT).column, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outcome_again_in_another_unit_is_found),
        cmocka_unit_test(a_column_that_knows_less_is_left_alone),
        cmocka_unit_test(the_outcome_less_what_was_done_is_found_within_what_was_done),
        cmocka_unit_test(what_is_there_only_after_some_outcomes_is_found),
        cmocka_unit_test(a_word_for_the_outcome_is_found_and_a_thousand_names_are_not),
        cmocka_unit_test(few_rows_and_equal_outcomes_say_nothing),
    };

    if (getenv("SEED"))
        seed = strtoull(getenv("SEED"), NULL, 10);
    printf("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
