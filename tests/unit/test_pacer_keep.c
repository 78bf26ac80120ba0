/* test_pacer_keep.c - what a pacer learned is kept, and found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/pacer_day.h"

#include <math.h>
#include <string.h>

static struct pacer *copy_of_pacer(struct pacer *from)
{
    struct pacer_curve curve;
    struct pacer *to;
    struct err err;
    int64_t cursor = 0, last_slot = 0;

    assert_int_equal(pacer_open(&to, &err), STATUS_OK);
    while (pacer_next_changed(from, &cursor, &curve)) {
        assert_true(curve.slot >= last_slot);
        last_slot = curve.slot;
        assert_int_equal(pacer_load(to, &curve, &err), STATUS_OK);
    }
    return to;
}

static void what_was_saved_and_loaded_gives_the_same_prices(void **state)
{
    struct pacer_day stage, again;

    (void)state;
    pacer_day_open(&stage, 4, 60000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY, 4000);
    again = stage;
    again.pacer = copy_of_pacer(stage.pacer);
    pacer_day_roll(&stage);
    pacer_day_roll(&again);
    pacer_day_solve(&stage, START + DAY);
    pacer_day_solve(&again, START + DAY);
    for (int b = 0; b < 4; b++)
        assert_true(fabs(stage.outlooks[b].price - again.outlooks[b].price) <=
                    1e-6 * (1 + stage.outlooks[b].price));
    pacer_day_close(&again);
    pacer_day_close(&stage);
}

static void only_what_changed_since_it_was_saved_is_told_again(void **state)
{
    struct pacer_curve curve;
    struct pacer_day stage;
    int64_t cursor = 0;
    int count = 0;

    (void)state;
    pacer_day_open(&stage, 4, 60000);
    pacer_day_solve(&stage, START);
    pacer_day_run(&stage, START, START + DAY / 4, 1000);
    while (pacer_next_changed(stage.pacer, &cursor, &curve))
        count++;
    assert_true(count > 4 * 20);
    pacer_saved(stage.pacer);
    cursor = 0;
    assert_false(pacer_next_changed(stage.pacer, &cursor, &curve));
    (void)pacer_day_decide(&stage, 3, START + DAY / 4);
    cursor = 0;
    assert_true(pacer_next_changed(stage.pacer, &cursor, &curve));
    assert_int_equal(curve.cell, 3);
    assert_false(pacer_next_changed(stage.pacer, &cursor, &curve));
    pacer_day_close(&stage);
}

static void curves_that_were_tampered_with_are_refused_or_harmless(void **state)
{
    unsigned char bytes[PACER_CURVE_BYTES_MAX];
    struct pacer_curve curve;
    struct pacer_day stage;
    int64_t cursor = 0;

    (void)state;
    pacer_day_open(&stage, 1, 60000);
    pacer_day_run(&stage, START, START + DAY / 96, 100);
    assert_true(pacer_next_changed(stage.pacer, &cursor, &curve));
    memcpy(bytes, curve.bytes, (size_t)curve.byte_count);
    curve.bytes = bytes;
    for (int count = 0; count < curve.byte_count; count++) {
        struct pacer_curve cut = curve;
        struct pacer_day other = stage;

        cut.byte_count = count;
        assert_int_equal(pacer_open(&other.pacer, &other.err), STATUS_OK);
        assert_int_equal(pacer_load(other.pacer, &cut, &other.err), STATUS_INVALID);
        bytes[count] ^= 0x80;
        if (pacer_load(other.pacer, &curve, &other.err) == STATUS_OK) {
            pacer_day_solve(&other, START + DAY / 96);
            assert_true(isfinite(other.outlooks[0].price));
        }
        bytes[count] ^= 0x80;
        pacer_day_close(&other);
    }
    curve.slot = -1;
    assert_int_equal(pacer_load(stage.pacer, &curve, &stage.err), STATUS_INVALID);
    pacer_day_close(&stage);
}

/* As after a leap of a year, that is taken back: nothing of the time between is left. */
static void a_clock_that_was_ahead_and_is_set_right_costs_nothing(void **state)
{
    struct pacer_day stage, leapt;
    struct pacer_curve curve;
    int64_t cursor = 0;

    (void)state;
    pacer_day_open(&stage, 4, 60000);
    pacer_day_open(&leapt, 4, 60000);
    pacer_day_run(&stage, START, START + DAY, 4000);
    pacer_day_run(&leapt, START, START + DAY, 4000);
    for (int i = 0; i < 100; i++)
        (void)pacer_day_decide(&leapt, 2, START + 400 * DAY + i * SECOND);
    pacer_day_solve(&leapt, START + 400 * DAY);
    memcpy(leapt.budgets, stage.budgets, sizeof leapt.budgets);
    memcpy(leapt.outlooks, stage.outlooks, sizeof leapt.outlooks);
    leapt.rng = stage.rng;
    pacer_day_roll(&stage);
    pacer_day_roll(&leapt);
    pacer_day_solve(&stage, START + DAY);
    pacer_day_solve(&leapt, START + DAY);
    for (int b = 0; b < 4; b++)
        assert_true(fabs(stage.outlooks[b].price - leapt.outlooks[b].price) <=
                    1e-6 * (1 + stage.outlooks[b].price));
    pacer_day_run(&stage, START + DAY, START + DAY + DAY / 8, 500);
    pacer_day_run(&leapt, START + DAY, START + DAY + DAY / 8, 500);
    assert_true(stage.outlooks[0].price > 0);
    assert_true(fabs(stage.outlooks[0].price - leapt.outlooks[0].price) <=
                0.02 * stage.outlooks[0].price);
    while (pacer_next_changed(leapt.pacer, &cursor, &curve))
        assert_true(curve.slot <= (START + DAY + DAY / 8) / (DAY / 96));
    pacer_day_close(&stage);
    pacer_day_close(&leapt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_and_loaded_gives_the_same_prices),
        cmocka_unit_test(only_what_changed_since_it_was_saved_is_told_again),
        cmocka_unit_test(curves_that_were_tampered_with_are_refused_or_harmless),
        cmocka_unit_test(a_clock_that_was_ahead_and_is_set_right_costs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
