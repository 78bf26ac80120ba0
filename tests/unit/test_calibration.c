/* test_calibration.c - scores that are effects are found to be, and two scores are told
 * apart by the rows they share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/calibration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000, RESAMPLES = 200 };

static struct {
    double scores[ROWS], others[ROWS], outcomes[ROWS];
    bool is_treated[ROWS];
    struct scored_rows rows;
} stage;

static uint64_t seed_of_run(void)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 5;

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Scores are the effects; what others say is that with noise of its own. */
static void draw(struct rng *rng, double noise)
{
    for (int i = 0; i < ROWS; i++) {
        stage.scores[i] = rng_normal(rng);
        stage.others[i] = stage.scores[i] + noise * rng_normal(rng);
        stage.is_treated[i] = rng_below(rng, 3) > 0;
        stage.outcomes[i] = stage.scores[i] * (1 + stage.is_treated[i]) +
                            (1 + stage.is_treated[i]) * rng_normal(rng);
    }
    stage.rows = (struct scored_rows){
        ROWS, stage.scores, stage.outcomes, stage.is_treated, NULL, NULL, 0, false};
}

static void measure(int resample_count, struct calibration *found,
                    struct calibration_intervals *intervals)
{
    struct ranking *ranking;
    struct err err;

    assert_int_equal(ranking_open(&stage.rows, &ranking, &err), STATUS_OK);
    assert_int_equal(calibration_measure(ranking, resample_count, 1,
                                         (struct uplift_progress){0}, found, intervals,
                                         &err),
                     STATUS_OK);
    ranking_close(ranking);
}

static void compare(int resample_count, uint64_t seed, struct ranking_comparison *found)
{
    struct scored_rows rows = stage.rows;
    struct ranking *ranking, *other;
    struct err err;

    assert_int_equal(ranking_open(&rows, &ranking, &err), STATUS_OK);
    rows.scores = stage.others;
    assert_int_equal(ranking_open(&rows, &other, &err), STATUS_OK);
    assert_int_equal(ranking_compare(ranking, other, resample_count, seed,
                                     (struct uplift_progress){0}, found, &err),
                     STATUS_OK);
    ranking_close(ranking);
    ranking_close(other);
}

static void a_slope_by_hand(void **state)
{
    static const double scores[] = {0, 1, 2, 0, 1, 2}, outcomes[] = {0, 3, 6, 1, 1, 4};
    static const bool is_treated[] = {1, 1, 1, 0, 0, 0};
    struct calibration found;

    (void)state;
    stage.rows =
        (struct scored_rows){6, scores, outcomes, is_treated, NULL, NULL, 0, false};
    measure(0, &found, NULL);
    assert_true(fabs(found.slope - 1.5) < 1e-14); /* 3 - 1.5 */
    /* Rests of the others 0.5, -1, 0.5: (0.25 + 0.25) / 4 times 3 / 1. */
    assert_true(fabs(found.slope_se - sqrt(0.375)) < 1e-14);
    assert_true(found.predicted == 1);
    assert_true(found.bins[0].rows == 1 && isnan(found.bins[0].found));
    assert_true(found.bins[9].rows == 0);
}

/* One effect for all rows, as a model has it that adds it to each row's prediction and
 * takes that away again. */
static void scores_that_differ_by_rounding_have_no_slope(void **state)
{
    struct calibration_intervals intervals;
    struct calibration found;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 11);
    draw(&rng, 0);
    for (int i = 0; i < ROWS; i++)
        stage.scores[i] = 3.7 * (1 + 1e-15 * (i % 7));
    measure(RESAMPLES, &found, &intervals);
    assert_true(isnan(found.slope) && isnan(found.slope_se));
    assert_true(isnan(intervals.low.slope) && isnan(intervals.high.slope));
    assert_true(fabs(found.bins[0].predicted - 3.7) < 1e-12 && found.bins[0].se > 0);
    /* Effects near 0 are as good as any. */
    for (int i = 0; i < ROWS; i++)
        stage.scores[i] = 1e-12 * (i % 7);
    measure(0, &found, NULL);
    assert_false(isnan(found.slope));
}

static void effects_have_a_slope_of_one_and_doubled_ones_of_a_half(void **state)
{
    int held = 0, held_by_resamples = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int i = 0; i < 300; i++) {
        struct calibration_intervals intervals;
        struct calibration found;
        bool has_resamples = i < 60;

        draw(&rng, 0);
        measure(has_resamples ? RESAMPLES : 0, &found, &intervals);
        held += fabs(found.slope - 1) < 1.959964 * found.slope_se;
        held_by_resamples +=
            has_resamples && intervals.low.slope < 1 && intervals.high.slope > 1;
        if (i > 0)
            continue;
        assert_true(intervals.low.error < found.error + 0.1);
        for (int row = 0; row < ROWS; row++)
            stage.scores[row] *= 2;
        measure(RESAMPLES, &found, &intervals);
        assert_true(fabs(found.slope - 0.5) < 4 * found.slope_se);
        assert_true(found.slope + 3 * found.slope_se < 1 && intervals.high.slope < 1);
    }
    printf("slopes of 1: in %d of 300 intervals, in %d of 60 of resamples\n", held,
           held_by_resamples);
    assert_true(held >= 0.92 * 300 && held <= 0.98 * 300);
    assert_true(held_by_resamples >= 52);
}

static void a_score_has_nothing_more_than_itself(void **state)
{
    struct ranking_comparison found;
    const double *low = (const double *)&found.low, *high = (const double *)&found.high,
                 *difference = (const double *)&found.difference;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    draw(&rng, 0);
    compare(RESAMPLES, 1, &found);
    for (size_t i = 0; i < sizeof found.low / sizeof *low; i++)
        if (!isnan(difference[i])) {
            assert_true(difference[i] == 0);
            assert_true(low[i] == 0 && high[i] == 0);
        }
}

/* Rows that both have are no noise: the interval of the difference is narrower than those
 * of each. */
static void a_better_score_is_told_from_a_worse_one_on_the_same_rows(void **state)
{
    struct ranking_comparison found, again, other;
    struct uplift_intervals alone;
    struct uplift *uplift;
    struct rng rng;
    struct err err;

    (void)state;
    rng_seed(&rng, seed_of_run());
    draw(&rng, 5);
    compare(RESAMPLES, 1, &found);
    assert_true(found.low.metrics.rate_qini > 0);
    assert_true(found.high.calibration_error < 0 && found.low.calibration_slope > 0);
    draw(&rng, 0.3);
    compare(RESAMPLES, 1, &found);
    compare(RESAMPLES, 1, &again);
    compare(RESAMPLES, 2, &other);
    assert_memory_equal(&found.low, &again.low, sizeof found.low);
    assert_true(found.low.metrics.autoc != other.low.metrics.autoc);
    assert_int_equal(
        uplift_open(stage.scores, stage.outcomes, stage.is_treated, ROWS, &uplift, &err),
        STATUS_OK);
    assert_int_equal(
        uplift_bootstrap(uplift, RESAMPLES, 1, (struct uplift_progress){0}, &alone, &err),
        STATUS_OK);
    assert_true(found.high.metrics.rate_qini - found.low.metrics.rate_qini <
                0.6 * (alone.high.rate_qini - alone.low.rate_qini));
    uplift_close(uplift);
}

static void scores_that_are_all_equal_are_refused(void **state)
{
    struct ranking *none;
    struct err err;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    draw(&rng, 0);
    memset(stage.others, 0, sizeof stage.others);
    stage.rows.scores = stage.others;
    assert_int_equal(ranking_open(&stage.rows, &none, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "nothing to rank"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slope_by_hand),
        cmocka_unit_test(scores_that_differ_by_rounding_have_no_slope),
        cmocka_unit_test(effects_have_a_slope_of_one_and_doubled_ones_of_a_half),
        cmocka_unit_test(a_score_has_nothing_more_than_itself),
        cmocka_unit_test(a_better_score_is_told_from_a_worse_one_on_the_same_rows),
        cmocka_unit_test(scores_that_are_all_equal_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
