/* test_uplift_intervals.c - intervals of rankings and of gains are as wide as what chance
 * does to them, whether rows are drawn or customers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/calibration.h"
#include "learn/frontier.h"
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

/* ---- gains for a spend, of customers who came up to eight times ---- */

enum { CUSTOMERS = 150, VISITS_MAX = 8, TRUE_CUSTOMERS = 60000 };

static struct {
    double effects[TRUE_CUSTOMERS * VISITS_MAX], scores[TRUE_CUSTOMERS * VISITS_MAX];
    int32_t owners[TRUE_CUSTOMERS * VISITS_MAX];
} units;

/* What a customer is worth is in all of his rows. */
static struct frontier *drawn(int32_t customers, bool has_clusters, struct rng *rng)
{
    static const double costs[] = {1};
    struct frontier_data data = {.arm_count = 1,
                                 .costs = costs,
                                 .effects = units.effects,
                                 .scores = units.scores,
                                 .clusters = has_clusters ? units.owners : NULL,
                                 .cluster_count = has_clusters ? customers : 0};
    struct frontier *frontier = NULL;
    struct err err;

    for (int32_t owner = 0; owner < customers; owner++) {
        int count = 1 + (int)rng_below(rng, VISITS_MAX);
        double worth = rng_normal(rng), luck = rng_normal(rng);

        for (int i = 0; i < count; i++) {
            units.effects[data.row_count] = worth + 0.3 * rng_normal(rng);
            units.scores[data.row_count] = worth + luck + 0.3 * rng_normal(rng);
            units.owners[data.row_count++] = owner;
        }
    }
    assert_int_equal(frontier_open(&data, &frontier, &err), STATUS_OK);
    return frontier;
}

static bool holds(const struct frontier *frontier, double spend, double truth,
                  uint64_t seed)
{
    struct frontier_interval interval;
    struct err err;

    assert_int_equal(frontier_bootstrap(frontier, NULL, &spend, 1, RESAMPLES, seed,
                                        (struct frontier_progress){0}, &interval, &err),
                     STATUS_OK);
    return interval.low <= truth && truth <= interval.high;
}

/* Of so many logs each, those whose intervals held the truth: with rows for draws, and
 * with customers. */
static void expect_held(const char *what, const int by_resamples[2],
                        const int by_error[2])
{
    printf("of %d logs %d hold the %s by resamples of customers, %d by its error; of "
           "rows %d and %d (SEED=%d)\n",
           LOGS, by_resamples[1], what, by_error[1], by_resamples[0], by_error[0], SEED);
    assert_true(by_resamples[1] >= 0.9 * LOGS && by_resamples[1] < LOGS);
    assert_true(by_error[1] >= 0.9 * LOGS && by_error[1] < LOGS);
    assert_true(by_resamples[0] < 0.85 * LOGS && by_error[0] < 0.85 * LOGS);
}

/* At a spend that binds by resamples, at all that is worth it by the error, too. */
static void gains_are_held_where_customers_are_the_draws(void **)
{
    double binding, all;
    int held[2] = {0}, se_held[2] = {0};
    struct frontier *frontier;
    struct rng rng;

    rng_seed(&rng, SEED);
    frontier = drawn(TRUE_CUSTOMERS, false, &rng);
    binding = frontier_at(frontier, 0.2).gain;
    all = frontier_at(frontier, 10).gain;
    frontier_close(frontier);
    for (int i = 0; i < 2 * LOGS; i++) {
        bool has_clusters = i % 2;
        struct frontier_point point;

        frontier = drawn(CUSTOMERS, has_clusters, &rng);
        point = frontier_at(frontier, 10);
        held[has_clusters] += holds(frontier, 0.2, binding, (uint64_t)i);
        se_held[has_clusters] += fabs(point.gain - all) <= 1.96 * point.se;
        frontier_close(frontier);
    }
    expect_held("gain", held, se_held);
}

/* ---- calibration, of customers who were divided, each with a score and a mood of his own ---- */

static struct {
    double scores[CUSTOMERS * VISITS_MAX], outcomes[CUSTOMERS * VISITS_MAX];
    bool is_treated[CUSTOMERS * VISITS_MAX];
    int32_t owners[CUSTOMERS * VISITS_MAX];
} visits;

static struct scored_rows drawn_visits(struct rng *rng)
{
    struct scored_rows rows = {.scores = visits.scores,
                               .outcomes = visits.outcomes,
                               .is_treated = visits.is_treated,
                               .clusters = visits.owners,
                               .cluster_count = CUSTOMERS};

    for (int32_t owner = 0; owner < CUSTOMERS; owner++) {
        int count = 1 + (int)rng_below(rng, VISITS_MAX);
        double score = rng_normal(rng), mood = rng_normal(rng);
        bool is_treated = rng_below(rng, 2);

        for (int i = 0; i < count; i++) {
            visits.scores[rows.row_count] = score;
            visits.is_treated[rows.row_count] = is_treated;
            visits.outcomes[rows.row_count] =
                mood + 0.3 * rng_normal(rng) + (is_treated ? score : 0);
            visits.owners[rows.row_count++] = owner;
        }
    }
    return rows;
}

/* Scores are effects: the slope is 1. */
static void slopes_are_held_where_customers_are_the_draws(void **)
{
    int held[2] = {0}, se_held[2] = {0};
    struct rng rng;

    rng_seed(&rng, SEED);
    for (int i = 0; i < 2 * LOGS; i++) {
        struct scored_rows rows = drawn_visits(&rng);
        struct calibration found;
        struct calibration_intervals ends;
        struct ranking *ranking;
        struct err err;

        if (i % 2 == 0)
            rows.clusters = NULL;
        assert_int_equal(ranking_open(&rows, &ranking, &err), STATUS_OK);
        assert_int_equal(calibration_measure(ranking, RESAMPLES, (uint64_t)i,
                                             (struct uplift_progress){0}, &found, &ends,
                                             &err),
                         STATUS_OK);
        ranking_close(ranking);
        held[i % 2] += ends.low.slope <= 1 && 1 <= ends.high.slope;
        se_held[i % 2] += fabs(found.slope - 1) <= 1.96 * found.slope_se;
    }
    expect_held("slope", held, se_held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_of_the_effect_is_as_wide_as_its_error_says),
        cmocka_unit_test(rankings_are_within_their_intervals_as_often_as_these_say),
        cmocka_unit_test(gains_are_held_where_customers_are_the_draws),
        cmocka_unit_test(slopes_are_held_where_customers_are_the_draws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
