/* test_uplift_intervals.c - intervals of rankings are as wide as what chance does to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/uplift.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEED = 31, LOGS = 200, ROWS = 600, RESAMPLES = 200, TRUE_ROWS = 400000 };

/* A log of an experiment: who scores high is brought to buy by the treatment. */
static struct {
    double scores[TRUE_ROWS], outcomes[TRUE_ROWS];
    bool is_treated[TRUE_ROWS];
    int64_t row_count;
} log_of;

static void draw_log(int64_t row_count, struct rng *rng)
{
    log_of.row_count = row_count;
    for (int64_t i = 0; i < row_count; i++) {
        double taste = rng_uniform(rng);

        log_of.scores[i] = taste + 0.5 * rng_normal(rng);
        log_of.is_treated[i] = rng_below(rng, 2);
        log_of.outcomes[i] =
            rng_uniform(rng) < 0.3 + (log_of.is_treated[i] ? 0.5 * taste : 0);
    }
}

static struct uplift *opened(void)
{
    struct uplift *uplift = NULL;
    struct err err;

    assert_int_equal(uplift_open(log_of.scores, log_of.outcomes, log_of.is_treated,
                                 log_of.row_count, &uplift, &err),
                     STATUS_OK);
    return uplift;
}

static struct uplift_intervals resampled(const struct uplift *uplift, int count,
                                         uint64_t seed)
{
    struct uplift_intervals intervals;
    struct err err;

    assert_int_equal(uplift_bootstrap(uplift, count, seed, (struct uplift_progress){0},
                                      &intervals, &err),
                     STATUS_OK);
    return intervals;
}

/* sqrt(s1^2 / n1 + s0^2 / n0) of outcomes 0 and 1. */
static double error_of_effect(void)
{
    double n[2] = {0}, sum[2] = {0};

    for (int64_t i = 0; i < log_of.row_count; i++) {
        n[log_of.is_treated[i]]++;
        sum[log_of.is_treated[i]] += log_of.outcomes[i];
    }
    for (int k = 0; k < 2; k++)
        sum[k] = sum[k] / n[k] * (1 - sum[k] / n[k]) / n[k];
    return sqrt(sum[0] + sum[1]);
}

static void the_interval_of_the_effect_is_as_wide_as_its_error_says(void **)
{
    struct uplift_intervals intervals;
    struct uplift *uplift;
    struct rng rng;
    double ratio;

    rng_seed(&rng, SEED);
    draw_log(4000, &rng);
    uplift = opened();
    intervals = resampled(uplift, 2000, 1);
    ratio = (intervals.high.effect - intervals.low.effect) /
            (2 * 1.959964 * error_of_effect());
    printf("%.3f of the width that the error says\n", ratio);
    assert_true(fabs(ratio - 1) < 0.08);
    uplift_close(uplift);
}

static struct uplift_metrics truth(struct rng *rng)
{
    struct uplift_metrics metrics;
    struct uplift *uplift;

    draw_log(TRUE_ROWS, rng);
    uplift = opened();
    uplift_measure(uplift, &metrics);
    uplift_close(uplift);
    return metrics;
}

static void rankings_are_within_their_intervals_as_often_as_these_say(void **)
{
    struct uplift_metrics known;
    int qini = 0, uplift_auc = 0, rate = 0;
    struct rng rng;

    rng_seed(&rng, SEED);
    known = truth(&rng);
    for (int i = 0; i < LOGS; i++) {
        struct uplift_intervals ends;
        struct uplift *uplift;

        draw_log(ROWS, &rng);
        uplift = opened();
        ends = resampled(uplift, RESAMPLES, (uint64_t)i);
        qini += ends.low.qini <= known.qini && known.qini <= ends.high.qini;
        uplift_auc += ends.low.uplift_auc <= known.uplift_auc &&
                      known.uplift_auc <= ends.high.uplift_auc;
        rate += ends.low.rate_qini <= known.rate_qini &&
                known.rate_qini <= ends.high.rate_qini;
        uplift_close(uplift);
    }
    printf("of %d logs %d hold qini, %d uplift_auc, %d rate_qini (SEED=%d)\n", LOGS, qini,
           uplift_auc, rate, SEED);
    assert_true(qini >= 0.9 * LOGS && qini < LOGS);
    assert_true(uplift_auc >= 0.9 * LOGS && uplift_auc < LOGS);
    assert_true(rate >= 0.9 * LOGS && rate < LOGS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_of_the_effect_is_as_wide_as_its_error_says),
        cmocka_unit_test(rankings_are_within_their_intervals_as_often_as_these_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
