/* test_maturity.c - outcomes that were completed are not taken for outcomes that were
 * seen: intervals hold the truth as often as they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/distribution.h"
#include "learn/judge.h"
#include "learn/maturity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 500, ARM_COUNT = 2, WIDTH = 3, LOG_COUNT = 200 };

/* x, arm and surrogate are known of every row; the surrogate carries half of the effect
 * of 1. */
static struct {
    float known[ROW_COUNT * WIDTH], x[ROW_COUNT];
    double truth[ROW_COUNT], outcomes[ROW_COUNT], propensities[ROW_COUNT * ARM_COUNT];
    double mu[ROW_COUNT * ARM_COUNT];
    int32_t arms[ROW_COUNT];
    uint64_t keys[ROW_COUNT];
    uint32_t all[ROW_COUNT];
} log_;

static const double doses[ARM_COUNT] = {0, 1};

/* Whether a row is mature hangs on x, too. */
static void draw_log(struct rng *rng, double mature_share)
{
    for (int row = 0; row < ROW_COUNT; row++) {
        double x = rng_uniform(rng) - 0.5, surrogate;
        int arm = rng_uniform(rng) < 0.5;

        surrogate = 0.5 * arm + x + rng_normal(rng);
        log_.x[row] = (float)x;
        log_.known[row * WIDTH] = (float)x;
        log_.known[row * WIDTH + 1] = (float)arm;
        log_.known[row * WIDTH + 2] = (float)surrogate;
        log_.truth[row] = 0.5 * arm + surrogate + x + 2 * rng_normal(rng);
        log_.outcomes[row] =
            rng_uniform(rng) < mature_share * (1 + 0.6 * x) ? log_.truth[row] : NAN;
        log_.propensities[row * ARM_COUNT] = log_.propensities[row * ARM_COUNT + 1] = 0.5;
        log_.arms[row] = arm;
        log_.keys[row] = (uint64_t)row;
        log_.all[row] = (uint32_t)row;
    }
}

static struct maturity_data known_rows(void)
{
    return (struct maturity_data){
        .row_count = ROW_COUNT,
        .features = {.feature_count = WIDTH, .values = log_.known},
        .outcomes = log_.outcomes,
        .keys = log_.keys};
}

static struct judge_mean average(const double *learned, const double *judged)
{
    const struct learner_settings settings = {.base = PREDICTOR_LINEAR, .seed = 1};
    struct learner_data data = {.row_count = ROW_COUNT,
                                .features = {.feature_count = 1, .values = log_.x},
                                .arm_count = ARM_COUNT,
                                .arms = log_.arms,
                                .doses = doses,
                                .outcomes = learned,
                                .keys = log_.keys,
                                .propensities = log_.propensities};
    struct judge_mean mean;
    struct err err = {0};

    assert_int_equal(learner_cross_fit(&data, &settings,
                                       (struct row_set){ROW_COUNT, log_.all}, log_.mu,
                                       &err),
                     0);
    data.outcomes = judged;
    judge_score(&data, log_.mu);
    assert_int_equal(judge_average(&data, log_.mu, 1, &mean, &err), 0);
    return mean;
}

static bool holds(struct judge_mean mean, double truth)
{
    return fabs(mean.value - truth) <= NORMAL_95 * mean.se;
}

static void intervals_hold_the_truth_however_few_rows_are_mature(void **state)
{
    static const double mature_shares[] = {0.9, 0.5, 0.25};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 21);
    for (int i = 0; i < 3; i++) {
        int honest = 0, naive = 0;
        double sum = 0;

        for (int log = 0; log < LOG_COUNT; log++) {
            struct maturity_data data = known_rows();
            struct judge_mean mean;
            struct maturity maturity;
            struct err err = {0};

            draw_log(&rng, mature_shares[i]);
            assert_int_equal(
                maturity_complete(&data, PREDICTOR_LINEAR, 1, &maturity, &err), 0);
            mean = average(maturity.outcomes, maturity.judged);
            honest += holds(mean, 1);
            sum += mean.value;
            naive += holds(average(maturity.outcomes, maturity.outcomes), 1);
            maturity_free(&maturity);
        }
        printf(
            "%.0f %% mature: %.3f of intervals hold the truth, %.3f as if all had been "
            "seen; mean %.3f\n",
            100 * mature_shares[i], (double)honest / LOG_COUNT, (double)naive / LOG_COUNT,
            sum / LOG_COUNT);
        assert_in_range(honest, LOG_COUNT * 91 / 100, LOG_COUNT * 985 / 1000);
        assert_true(fabs(sum / LOG_COUNT - 1) < 0.08);
        if (mature_shares[i] < 0.5)
            assert_true(naive < LOG_COUNT * 80 / 100);
    }
}

static void what_was_seen_stays_and_nothing_is_learned_from_its_own_fold(void **state)
{
    struct maturity_data data = known_rows();
    struct maturity one, two;
    struct err err = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 4);
    draw_log(&rng, 0.5);
    assert_int_equal(maturity_complete(&data, PREDICTOR_LINEAR, 1, &one, &err), 0);
    /* Another outcome in fold 0 changes nothing that is learned while fold 0 is held
     * out. */
    for (int row = 0; row < ROW_COUNT; row++)
        if (learner_held_out_fold(log_.keys[row], 1) == 0)
            log_.outcomes[row] += 100;
    assert_int_equal(maturity_complete(&data, PREDICTOR_LINEAR, 1, &two, &err), 0);
    for (int row = 0; row < ROW_COUNT; row++) {
        bool is_inside = learner_held_out_fold(log_.keys[row], 1) == 0;

        if (!is_inside)
            assert_true(one.held_out[row] == two.held_out[row]);
        else if (isnan(log_.outcomes[row]))
            assert_true(one.judged[row] == two.judged[row]);
        else
            assert_true(two.outcomes[row] == log_.outcomes[row]);
    }
    maturity_free(&one);
    maturity_free(&two);
}

/* The youngest rows have no surrogate either, and none of them is mature: what is said of
 * them rests on x and arm, not on what the others' model makes of a gap. */
static void rows_without_surrogates_are_expected_by_what_they_have(void **state)
{
    float plain[ROW_COUNT * 2];
    bool is_bare[ROW_COUNT];
    struct maturity_data data = known_rows();
    struct maturity maturity;
    struct err err = {0};
    struct rng rng;
    double sum = 0, count = 0;

    (void)state;
    rng_seed(&rng, 8);
    draw_log(&rng, 0.9);
    for (int row = 0; row < ROW_COUNT; row++) {
        is_bare[row] = row % 4 == 0;
        memcpy(plain + 2 * row, log_.known + WIDTH * row, 2 * sizeof *plain);
        if (!is_bare[row])
            log_.known[row * WIDTH + 2] += 50;
        else
            log_.outcomes[row] = log_.known[row * WIDTH + 2] = NAN;
    }
    data.plain = (struct feature_rows){.feature_count = 2, .values = plain};
    data.is_bare = is_bare;
    assert_int_equal(maturity_complete(&data, PREDICTOR_LINEAR, 1, &maturity, &err), 0);
    for (int row = 0; row < ROW_COUNT; row += 4) {
        double expected = log_.arms[row] + 2 * (double)log_.x[row];

        assert_true(fabs(maturity.outcomes[row] - expected) < 1);
        assert_true(fabs(maturity.judged[row] - expected) < 1.2);
        sum += maturity.judged[row] - expected;
        count++;
    }
    assert_true(fabs(sum / count) < 0.3);
    maturity_free(&maturity);
}

static void no_mature_row_at_all_is_refused(void **state)
{
    struct maturity_data data = known_rows();
    struct maturity maturity;
    struct err err = {0};

    (void)state;
    for (int row = 0; row < ROW_COUNT; row++)
        log_.outcomes[row] = NAN;
    assert_int_equal(maturity_complete(&data, PREDICTOR_LINEAR, 1, &maturity, &err),
                     STATUS_INVALID);
    maturity_free(&maturity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_the_truth_however_few_rows_are_mature),
        cmocka_unit_test(what_was_seen_stays_and_nothing_is_learned_from_its_own_fold),
        cmocka_unit_test(rows_without_surrogates_are_expected_by_what_they_have),
        cmocka_unit_test(no_mature_row_at_all_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
