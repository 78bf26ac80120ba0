/* test_uplift.c - rankings by hand, ties, curves of spend by hand, orders, and delays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/order.h"
#include "base/rng.h"
#include "learn/delayed.h"
#include "learn/frontier.h"
#include "learn/uplift.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(double found, double known, double tolerance)
{
    if (!(fabs(found - known) <= tolerance * (1 + fabs(known))))
        fail_msg("%.17g is not %.17g", found, known);
}

static struct uplift *open_rows(const double *scores, const double *outcomes,
                                const bool *is_treated, int64_t count)
{
    struct uplift *uplift = NULL;
    struct err err;

    assert_int_equal(uplift_open(scores, outcomes, is_treated, count, &uplift, &err),
                     STATUS_OK);
    return uplift;
}

/* ---- rankings ---- */

/* Ranked: treated 1, control 0, control 1, treated 0. */
static void four_rows_by_hand(void **)
{
    static const double scores[] = {0.1, 0.9, 0.5, 0.3}, outcomes[] = {0, 1, 0, 1};
    static const bool treated[] = {true, true, false, false};
    static const double qini[] = {0, 1, 1, 0.5, 0}, uplifts[] = {0, 1, 2, 1.5, 0};
    struct uplift *uplift = open_rows(scores, outcomes, treated, 4);
    struct uplift_metrics metrics;
    double found[2][5], x[5];

    assert_int_equal(uplift_point_count(uplift), 5);
    uplift_curves(uplift, x, found[0], found[1]);
    for (int i = 0; i < 5; i++) {
        assert_true(x[i] == i);
        expect(found[0][i], qini[i], 1e-15);
        expect(found[1][i], uplifts[i], 1e-15);
    }
    uplift_measure(uplift, &metrics);
    /* Area 2.5 over a diagonal of 0; perfect: 1 (t), 0s, -1 (c): 0, 1, ., 1, 0 with area
     * 3 or so. */
    expect(metrics.effect, 0, 1e-15);
    expect(metrics.qini, 2.5 / 3, 1e-15);
    assert_true(isnan(metrics.auuc)); /* nothing to compare with: the gain ends at 0 */
    expect(metrics.overall[4], 1, 1e-15);
    expect(metrics.overall[9], 0, 1e-15);
    expect(metrics.by_group[4], 1, 1e-15);
    uplift_close(uplift);
}

/* A row that counts twice or three times is as two or three rows; both arms double. */
static void weights_are_rows_that_are_there_again(void **)
{
    static const double scores[] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.4},
                        outcomes[] = {1, 0, 1, 1, 0, 1};
    static const bool treated[] = {true, false, true, false, true, false};
    static const double weights[] = {0.1, 0.3, 0.2,
                                     0.1, 0.3, 0.2}; /* 1, 3, 2, 1, 3, 2 times */
    double again_scores[12], again_outcomes[12], curves[2][2][7], x[2][7];
    struct uplift *weighted = NULL, *again;
    struct uplift_metrics one, other;
    bool again_treated[12];
    int count = 0;
    struct err err;

    for (int i = 0; i < 6; i++)
        for (int n = 0; n < (int)(10 * weights[i] + 0.5); n++) {
            again_scores[count] = scores[i];
            again_outcomes[count] = outcomes[i];
            again_treated[count++] = treated[i];
        }
    assert_int_equal(count, 12);
    assert_int_equal(
        uplift_open_weighted(scores, outcomes, treated, weights, 6, &weighted, &err),
        STATUS_OK);
    again = open_rows(again_scores, again_outcomes, again_treated, count);
    uplift_measure(weighted, &one);
    uplift_measure(again, &other);
    expect(one.qini, other.qini, 1e-14);
    expect(one.uplift_auc, other.uplift_auc, 1e-14);
    expect(one.effect, other.effect, 1e-14);
    uplift_curves(weighted, x[0], curves[0][0], curves[0][1]);
    uplift_curves(again, x[1], curves[1][0], curves[1][1]);
    for (int i = 0; i < 7; i++) {
        expect(2 * x[0][i], x[1][i], 1e-14);
        expect(2 * curves[0][0][i], curves[1][0][i], 1e-14);
        expect(2 * curves[0][1][i], curves[1][1][i], 1e-14);
    }
    uplift_close(weighted);
    uplift_close(again);
}

/* Chances that are the same for every row of an arm say nothing about who was treated. */
static void even_chances_change_nothing(void **)
{
    enum { COUNT = 300 };
    double scores[COUNT], outcomes[COUNT], weights[COUNT];
    struct uplift *plain, *weighted = NULL;
    struct uplift_metrics one, other;
    bool treated[COUNT];
    struct rng rng;
    struct err err;

    rng_seed(&rng, 9);
    for (int i = 0; i < COUNT; i++) {
        treated[i] = rng_uniform(&rng) < 0.3;
        scores[i] = (double)rng_below(&rng, 40);
        outcomes[i] = rng_uniform(&rng) < 0.4;
        weights[i] = treated[i] ? 1 / 0.3 : 1 / 0.7;
    }
    plain = open_rows(scores, outcomes, treated, COUNT);
    assert_int_equal(
        uplift_open_weighted(scores, outcomes, treated, weights, COUNT, &weighted, &err),
        STATUS_OK);
    uplift_measure(plain, &one);
    uplift_measure(weighted, &other);
    for (size_t i = 0; i < sizeof one / sizeof(double); i++)
        expect(((double *)&other)[i], ((double *)&one)[i], 1e-11);
    uplift_close(plain);
    uplift_close(weighted);
}

static void two_rows_are_enough_and_equal_scores_are_not(void **)
{
    static const double scores[] = {1, 0}, same[] = {1, 1}, outcomes[] = {1, 0};
    static const bool treated[] = {true, false}, all[] = {true, true};
    struct uplift *uplift = open_rows(scores, outcomes, treated, 2), *none = NULL;
    struct uplift_metrics metrics;
    struct err err;

    uplift_measure(uplift, &metrics);
    expect(metrics.effect, 1, 1e-15);
    uplift_close(uplift);
    assert_int_equal(uplift_open(same, outcomes, treated, 2, &none, &err),
                     STATUS_INVALID);
    assert_int_equal(uplift_open(scores, outcomes, all, 2, &none, &err), STATUS_INVALID);
    assert_string_equal(err.text, "no row is a control");
    assert_null(none);
}

/* Within a group of equal scores the order of the rows moves no point of a curve. */
static void equal_scores_are_one_point(void **)
{
    enum { ROWS = 60 };
    double scores[ROWS], outcomes[ROWS], other_outcomes[ROWS];
    bool treated[ROWS], other_treated[ROWS];
    struct uplift_metrics metrics, other;
    struct uplift *uplift, *turned;
    struct rng rng;

    rng_seed(&rng, 2);
    for (int i = 0; i < ROWS; i++) {
        scores[i] = i / 20;
        outcomes[i] = (double)rng_below(&rng, 2);
        treated[i] = rng_below(&rng, 2);
    }
    for (int i = 0; i < ROWS; i++) {
        int from = i / 20 * 20 + 19 - i % 20;

        other_outcomes[i] = outcomes[from];
        other_treated[i] = treated[from];
    }
    uplift = open_rows(scores, outcomes, treated, ROWS);
    turned = open_rows(scores, other_outcomes, other_treated, ROWS);
    assert_int_equal(uplift_point_count(uplift), 4);
    uplift_measure(uplift, &metrics);
    uplift_measure(turned, &other);
    expect(metrics.qini, other.qini, 1e-14);
    expect(metrics.uplift_auc, other.uplift_auc, 1e-14);
    expect(metrics.autoc, other.autoc, 1e-14);
    uplift_close(uplift);
    uplift_close(turned);
}

/* Everybody may have paid 1,000 more: who gains by the treatment has not changed. */
static void what_all_outcomes_have_more_moves_no_rate(void **)
{
    enum { ROWS = 500 };
    double scores[ROWS], outcomes[ROWS], more[ROWS];
    bool treated[ROWS];
    struct uplift_intervals ends[2];
    struct uplift_metrics metrics[2];
    struct rng rng;
    struct err err;

    rng_seed(&rng, 4);
    for (int i = 0; i < ROWS; i++) {
        scores[i] = rng_uniform(&rng);
        treated[i] = rng_below(&rng, 3) == 0;
        outcomes[i] = rng_uniform(&rng) + scores[i] * treated[i];
        more[i] = outcomes[i] + 1000;
    }
    for (int k = 0; k < 2; k++) {
        struct uplift *uplift = open_rows(scores, k ? more : outcomes, treated, ROWS);

        uplift_measure(uplift, &metrics[k]);
        assert_int_equal(
            uplift_bootstrap(uplift, 100, 1, (struct uplift_progress){0}, &ends[k], &err),
            STATUS_OK);
        uplift_close(uplift);
    }
    expect(metrics[1].autoc, metrics[0].autoc, 1e-9);
    expect(metrics[1].rate_qini, metrics[0].rate_qini, 1e-9);
    expect(ends[1].low.autoc, ends[0].low.autoc, 1e-9);
    expect(ends[1].high.rate_qini, ends[0].high.rate_qini, 1e-9);
    assert_true(ends[0].low.rate_qini > 0);
}

static void intervals_are_the_same_for_the_same_seed(void **)
{
    enum { ROWS = 400 };
    double scores[ROWS], outcomes[ROWS];
    bool treated[ROWS];
    struct uplift_intervals first, again, other;
    struct uplift_metrics metrics;
    struct uplift *uplift;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 3);
    for (int i = 0; i < ROWS; i++) {
        scores[i] = rng_uniform(&rng);
        treated[i] = i % 2;
        outcomes[i] = rng_uniform(&rng) < 0.3 + 0.4 * scores[i] * treated[i];
    }
    uplift = open_rows(scores, outcomes, treated, ROWS);
    uplift_measure(uplift, &metrics);
    for (int i = 0; i < 3; i++)
        assert_int_equal(uplift_bootstrap(uplift, 200, i < 2 ? 1 : 2,
                                          (struct uplift_progress){0},
                                          i == 0   ? &first
                                          : i == 1 ? &again
                                                   : &other,
                                          &err),
                         STATUS_OK);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(first.low.qini != other.low.qini);
    assert_true(first.low.qini < metrics.qini && metrics.qini < first.high.qini);
    assert_true(first.low.effect < metrics.effect && metrics.effect < first.high.effect);
    uplift_close(uplift);
}

/* ---- orders ---- */

static void an_order_falls_and_keeps_equal_keys_as_they_stand(void **)
{
    enum { COUNT = 5000 };
    static double keys[COUNT];
    static uint32_t order[COUNT];
    static const double special[] = {0.0, -0.0, INFINITY, -INFINITY, 5e-324, -5e-324};
    struct rng rng;
    struct err err;

    rng_seed(&rng, 4);
    for (int again = 0; again < 20; again++) {
        int count = again < 4 ? again : COUNT;

        for (int i = 0; i < count; i++)
            keys[i] = i % 5 == 0  ? special[rng_below(&rng, 6)]
                      : again % 2 ? floor(rng_normal(&rng) * 3)
                                  : ldexp(rng_normal(&rng), (int)rng_below(&rng, 600));
        assert_int_equal(order_falling(keys, count, order, &err), STATUS_OK);
        for (int i = 1; i < count; i++)
            assert_true(
                keys[order[i - 1]] > keys[order[i]] ||
                (keys[order[i - 1]] == keys[order[i]] && order[i - 1] < order[i]));
    }
}

/* ---- spends ---- */

/* Costs 1 and 2. The first unit: 3, then 1 more; the second: 0, then 2 for 2, of which
 * the first arm is no corner; the third: nothing. Scores are ten times the effects. */
static void a_curve_of_spend_by_hand(void **)
{
    static const double effects[] = {3, 0.5, -1, 4, 2, -2};
    static const double scores[] = {30, 5, -10, 40, 20, -20}, costs[] = {1, 2};
    const struct frontier_data data = {3, 2, effects, scores, costs, NULL, 0};
    struct frontier *frontier = NULL;
    struct frontier_point point;
    struct err err;

    assert_int_equal(frontier_open(&data, &frontier, &err), STATUS_OK);
    expect(frontier_spend_max(frontier), 4.0 / 3, 1e-15);
    point = frontier_at(frontier, 0);
    assert_true(point.gain == 0 && point.predicted_gain == 0);
    expect(frontier_at(frontier, 0.5 / 3).gain, 15.0 / 3, 1e-15);
    expect(frontier_at(frontier, 1.0 / 3).gain, 30.0 / 3, 1e-15);
    expect(frontier_at(frontier, 2.0 / 3).gain, 40.0 / 3, 1e-14);
    point = frontier_at(frontier, 100);
    expect(point.predicted_gain, 2, 1e-15);
    expect(point.gain, 20, 1e-15);
    /* 40, 20, 0 around 20: sd 20. */
    expect(point.se, 20 / sqrt(3), 1e-14);
    frontier_close(frontier);
}

/* Arms of 2, 1, 1: the first unit wants the third arm and then the first, the second the
 * second arm of two that are as good, the third only the third, which is better than what
 * costs as much. */
static void of_arms_that_cost_the_same_the_better_one_is_bought(void **)
{
    static const double effects[] = {6, 1, 2, 3, 2, -1, 5, 2, 2};
    static const double scores[] = {60, 0, 0, 0, 20, 0, 50, 0, 25}, costs[] = {2, 1, 1};
    const struct frontier_data data = {3, 3, effects, scores, costs, NULL, 0};
    struct frontier *frontier = NULL;
    struct err err;

    assert_int_equal(frontier_open(&data, &frontier, &err), STATUS_OK);
    expect(frontier_spend_max(frontier), 4.0 / 3, 1e-15);
    expect(frontier_at(frontier, 1.0 / 3).gain, 50.0 / 3, 1e-14);
    expect(frontier_at(frontier, 1).gain, 95.0 / 3, 1e-14);
    expect(frontier_at(frontier, 2).gain, 105.0 / 3, 1e-14);
    expect(frontier_at(frontier, 2).predicted_gain, 10.0 / 3, 1e-14);
    frontier_close(frontier);
}

/* Steps that are worth as much for what they cost, and arms that are worth and cost the
 * same. */
static void of_equal_steps_the_first_row_and_of_equal_arms_the_first_column_is_bought(
    void **)
{
    static const double effects[] = {2, 2, 2, 2}, scores[] = {10, 30, 50, 70},
                        turned[] = {30, 10, 70, 50}, costs[] = {1, 1};
    struct frontier_data data = {2, 2, effects, scores, costs, NULL, 0};

    for (int i = 0; i < 2; i++) {
        struct frontier *frontier = NULL;
        struct err err;

        data.scores = i ? turned : scores;
        assert_int_equal(frontier_open(&data, &frontier, &err), STATUS_OK);
        expect(frontier_at(frontier, 0.5).gain, i ? 15 : 5, 1e-15);
        expect(frontier_at(frontier, 1).gain, 20, 1e-15);
        frontier_close(frontier);
    }
}

/* Two arms; one choice knows their effects, the other half of them. */
enum { FRONTIER_ROWS = 600, FRONTIER_RESAMPLES = 200 };

static struct {
    double *effects, *others, *scores; /* (arm, row) */
    struct frontier *frontier, *other;
} choice;

static void draw_choices(int64_t row_count, struct rng *rng)
{
    static const double costs[] = {1, 2};
    size_t bytes = 2 * (size_t)row_count * sizeof(double);
    struct frontier_data data = {.row_count = row_count, .arm_count = 2, .costs = costs};
    struct err err;

    data.scores = choice.scores = malloc(bytes);
    data.effects = choice.effects = malloc(bytes);
    choice.others = malloc(bytes);
    for (int64_t i = 0; i < 2 * row_count; i++) {
        choice.effects[i] = rng_normal(rng);
        choice.others[i] = rng_below(rng, 2) ? choice.effects[i] : rng_normal(rng);
        choice.scores[i] = choice.effects[i] + rng_normal(rng);
    }
    assert_int_equal(frontier_open(&data, &choice.frontier, &err), STATUS_OK);
    data.effects = choice.others;
    assert_int_equal(frontier_open(&data, &choice.other, &err), STATUS_OK);
}

static void forget_choices(void)
{
    frontier_close(choice.frontier);
    frontier_close(choice.other);
    free(choice.effects);
    free(choice.others);
    free(choice.scores);
}

static struct frontier_interval resampled(const struct frontier *other, double spend,
                                          uint64_t seed)
{
    struct frontier_interval interval;
    struct err err;

    assert_int_equal(frontier_bootstrap(choice.frontier, other, &spend, 1,
                                        FRONTIER_RESAMPLES, seed,
                                        (struct frontier_progress){0}, &interval, &err),
                     STATUS_OK);
    return interval;
}

static bool holds(struct frontier_interval interval, double truth)
{
    return interval.low <= truth && truth <= interval.high;
}

/* Each resample has a path of its own, so that what it spends is no noise; the error of
 * the path as it is is wider. */
static void gains_are_within_their_intervals_as_often_as_these_say(void **)
{
    enum { LOGS = 200 };
    double truth, difference, width = 0, plain_width = 0;
    int held = 0, difference_held = 0;
    struct rng rng;

    rng_seed(&rng, 9);
    draw_choices(300000, &rng);
    truth = frontier_at(choice.frontier, 0.3).gain;
    difference = frontier_compare(choice.frontier, choice.other, 0.3).value;
    forget_choices();
    for (int i = 0; i < LOGS; i++) {
        struct frontier_interval interval;

        draw_choices(FRONTIER_ROWS, &rng);
        interval = resampled(NULL, 0.3, (uint64_t)i);
        held += holds(interval, truth);
        difference_held += holds(resampled(choice.other, 0.3, (uint64_t)i), difference);
        width += interval.high - interval.low;
        plain_width += 2 * 1.96 * frontier_at(choice.frontier, 0.3).se;
        forget_choices();
    }
    printf("of %d gains %d are held, of differences %d; %.2f of the width with the path "
           "as it is\n",
           LOGS, held, difference_held, width / plain_width);
    assert_true(held >= 0.90 * LOGS && held < LOGS);
    assert_true(difference_held >= 0.90 * LOGS && difference_held < LOGS);
    assert_true(width < 0.9 * plain_width);
}

static void two_choices_are_told_apart_on_the_same_rows(void **)
{
    struct frontier_interval more, again, same;
    struct frontier_difference difference;
    struct rng rng;

    rng_seed(&rng, 10);
    draw_choices(FRONTIER_ROWS, &rng);
    more = resampled(choice.other, 0.3, 1);
    again = resampled(choice.other, 0.3, 1);
    same = resampled(choice.frontier, 0.3, 1);
    difference = frontier_compare(choice.frontier, choice.other, 0.3);
    assert_memory_equal(&more, &again, sizeof more);
    assert_true(same.low == 0 && same.high == 0);
    assert_true(more.low > 0 && more.low < difference.value &&
                difference.value < more.high);
    assert_true(difference.se < frontier_at(choice.frontier, 0.3).se);
    assert_true(frontier_compare(choice.frontier, choice.frontier, 0.3).se == 0);
    more = resampled(NULL, 0, 1);
    assert_true(more.low == 0 && more.high == 0);
    forget_choices();
}

static void nothing_to_buy_is_refused(void **)
{
    static const double effects[] = {-1, 0}, scores[] = {1, 1}, costs[] = {1};
    const struct frontier_data data = {2, 1, effects, scores, costs, NULL, 0};
    struct frontier *frontier = NULL;
    struct err err;

    assert_int_equal(frontier_open(&data, &frontier, &err), STATUS_INVALID);
    assert_null(frontier);
}

/* ---- delays ---- */

enum { WATCHED = 20000 };

static double elapsed[WATCHED], delays[WATCHED];
static bool is_converted[WATCHED];

static struct delayed_rows draw_rows(struct rng *rng, double share, double rate,
                                     double most)
{
    for (int i = 0; i < WATCHED; i++) {
        bool will = rng_uniform(rng) < share;

        elapsed[i] = rng_uniform(rng) * most;
        delays[i] = -log1p(-rng_uniform(rng)) / rate;
        is_converted[i] = will && delays[i] <= elapsed[i];
    }
    return (struct delayed_rows){WATCHED, elapsed, delays, is_converted};
}

static void known_shares_and_rates_are_found(void **)
{
    static const double known[][3] = {
        {0.1, 1, 5}, {0.5, 0.5, 10}, {0.9, 3, 2}, {0.03, 0.2, 30}};
    struct delayed_rows rows;
    struct delayed_fit fit;
    double share, se;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 6);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        rows = draw_rows(&rng, known[i][0], known[i][1], known[i][2]);
        assert_int_equal(delayed_fit(&rows, &fit, &err), STATUS_OK);
        assert_false(fit.is_at_edge);
        assert_true(fabs(fit.share - known[i][0]) < 4 * fit.share_se);
        assert_true(fit.share_se < 0.02);
        expect(fit.rate, known[i][1], 0.1);
        assert_true(fit.naive < fit.share);
        assert_int_equal(delayed_incidence(&rows, known[i][2] / 2, &share, &se, &err),
                         STATUS_OK);
        expect(share, known[i][0] * (1 - exp(-known[i][1] * known[i][2] / 2)), 0.02);
    }
}

/* The treated convert more often and later: the naive difference has the wrong sign. */
static void a_naive_difference_may_have_the_wrong_sign(void **)
{
    struct delayed_fit control, treated;
    struct delayed_rows rows;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 7);
    rows = draw_rows(&rng, 0.30, 2, 5);
    assert_int_equal(delayed_fit(&rows, &control, &err), STATUS_OK);
    rows = draw_rows(&rng, 0.36, 0.4, 5);
    assert_int_equal(delayed_fit(&rows, &treated, &err), STATUS_OK);
    assert_true(treated.naive < control.naive);
    assert_true(fabs(treated.share - control.share - 0.06) < 0.02);
}

static void a_log_that_is_too_young_says_so(void **)
{
    struct delayed_rows rows;
    struct delayed_fit fit;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 8);
    rows = draw_rows(&rng, 1, 1e-3, 1); /* as good as a straight line */
    assert_int_equal(delayed_fit(&rows, &fit, &err), STATUS_OK);
    assert_true(fit.is_at_edge ? isnan(fit.share_se) : fit.share_se > 0.2);
    for (int64_t i = 0; i < rows.row_count; i++) {
        is_converted[i] = true;
        delays[i] = fmin(delays[i], elapsed[i]);
    }
    assert_int_equal(delayed_fit(&rows, &fit, &err), STATUS_OK);
    assert_true(fit.is_at_edge && isnan(fit.share_se) && fit.share > 0.999);
    memset(is_converted, 0, sizeof is_converted);
    assert_int_equal(delayed_fit(&rows, &fit, &err), STATUS_INVALID);
}

static void shares_by_a_time_by_hand(void **)
{
    static const double at[] = {1, 2, 2, 3, 4}, watched[] = {5, 5, 2, 5, 4};
    static const bool converted[] = {true, true, false, true, false};
    const struct delayed_rows rows = {5, watched, at, converted};
    double share, se;
    int64_t count;
    struct err err;

    assert_int_equal(delayed_incidence(&rows, 2, &share, &se, &err), STATUS_OK);
    expect(share, 1 - 4.0 / 5 * 3 / 4, 1e-15);
    /* Greenwood: 1 / (5 4) + 1 / (4 3). */
    expect(se, 0.6 * sqrt(1.0 / 20 + 1.0 / 12), 1e-15);
    assert_int_equal(delayed_incidence(&rows, 3, &share, &se, &err), STATUS_OK);
    expect(share, 1 - 4.0 / 5 * 3 / 4 * 1 / 2, 1e-15);
    expect(delayed_windowed(&rows, 3, &count, &se), 3.0 / 4, 1e-15);
    assert_int_equal(count, 4);
    expect(se, sqrt(3.0 / 64), 1e-15);
    /* The last who was watched converts as well. */
    assert_int_equal(
        delayed_incidence(&(struct delayed_rows){2, watched, at, (bool[]){true, true}}, 3,
                          &share, &se, &err),
        STATUS_OK);
    assert_true(share == 1 && isnan(se));
}

/* Each customer four times over is no more than one customer. */
static void customers_who_came_often_do_not_narrow_intervals(void **state)
{
    enum { CUSTOMERS = 400, COPIES = 4, ROWS = CUSTOMERS * COPIES };
    static double scores[ROWS], outcomes[ROWS];
    static bool treated[ROWS];
    static uint64_t keys[ROWS];
    struct uplift_intervals alone, often, blind;
    struct uplift *uplift;
    struct err err = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 12);
    for (int row = 0; row < ROWS; row++) {
        int customer = row % CUSTOMERS; /* the first rows are all customers once */

        keys[row] = (uint64_t)customer * 1000003;
        scores[row] = row < CUSTOMERS ? rng_uniform(&rng) : scores[customer];
        treated[row] = row < CUSTOMERS ? rng_uniform(&rng) < 0.5 : treated[customer];
        outcomes[row] = row < CUSTOMERS
                            ? rng_uniform(&rng) < 0.3 + 0.2 * treated[row] * scores[row]
                            : outcomes[customer];
    }
    assert_int_equal(uplift_open(scores, outcomes, treated, CUSTOMERS, &uplift, &err), 0);
    assert_int_equal(uplift_bootstrap_clusters(uplift, scores, keys, 300, 1,
                                               (struct uplift_progress){0}, &alone, &err),
                     0);
    uplift_close(uplift);
    assert_int_equal(uplift_open(scores, outcomes, treated, ROWS, &uplift, &err), 0);
    assert_int_equal(uplift_bootstrap_clusters(uplift, scores, keys, 300, 1,
                                               (struct uplift_progress){0}, &often, &err),
                     0);
    assert_int_equal(
        uplift_bootstrap(uplift, 300, 1, (struct uplift_progress){0}, &blind, &err), 0);
    uplift_close(uplift);
    /* The same draws of customers; only sums over rows differ. */
    assert_true(fabs((often.high.qini - often.low.qini) -
                     (alone.high.qini - alone.low.qini)) < 1e-9);
    assert_true(blind.high.qini - blind.low.qini <
                0.7 * (often.high.qini - often.low.qini));
}

/* Sums of weights differ in their last digits from walk to walk. */
static void bands_of_weighted_rows_do_not_fall_at_their_end(void **state)
{
    enum { ROWS = 2000 };
    static double scores[ROWS], outcomes[ROWS], weights[ROWS];
    static bool is_treated[ROWS];
    struct uplift_intervals ends;
    struct uplift *uplift;
    struct err err = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    for (int i = 0; i < ROWS; i++) {
        scores[i] = rng_uniform(&rng);
        is_treated[i] = rng_below(&rng, 2);
        weights[i] = 1 / (0.1 + 0.8 * rng_uniform(&rng));
        outcomes[i] = is_treated[i] + 0.1 * rng_normal(&rng);
    }
    assert_int_equal(
        uplift_open_weighted(scores, outcomes, is_treated, weights, ROWS, &uplift, &err),
        STATUS_OK);
    assert_int_equal(
        uplift_bootstrap(uplift, 300, 1, (struct uplift_progress){0}, &ends, &err),
        STATUS_OK);
    assert_true(ends.qini_low[100] > 0.9 * ends.qini_low[99]);
    assert_true(ends.uplift_low[100] > 0.9 * ends.uplift_low[99]);
    uplift_close(uplift);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_rows_by_hand),
        cmocka_unit_test(weights_are_rows_that_are_there_again),
        cmocka_unit_test(even_chances_change_nothing),
        cmocka_unit_test(two_rows_are_enough_and_equal_scores_are_not),
        cmocka_unit_test(equal_scores_are_one_point),
        cmocka_unit_test(what_all_outcomes_have_more_moves_no_rate),
        cmocka_unit_test(intervals_are_the_same_for_the_same_seed),
        cmocka_unit_test(an_order_falls_and_keeps_equal_keys_as_they_stand),
        cmocka_unit_test(a_curve_of_spend_by_hand),
        cmocka_unit_test(
            of_equal_steps_the_first_row_and_of_equal_arms_the_first_column_is_bought),
        cmocka_unit_test(of_arms_that_cost_the_same_the_better_one_is_bought),
        cmocka_unit_test(gains_are_within_their_intervals_as_often_as_these_say),
        cmocka_unit_test(two_choices_are_told_apart_on_the_same_rows),
        cmocka_unit_test(nothing_to_buy_is_refused),
        cmocka_unit_test(known_shares_and_rates_are_found),
        cmocka_unit_test(a_naive_difference_may_have_the_wrong_sign),
        cmocka_unit_test(a_log_that_is_too_young_says_so),
        cmocka_unit_test(shares_by_a_time_by_hand),
        cmocka_unit_test(customers_who_came_often_do_not_narrow_intervals),
        cmocka_unit_test(bands_of_weighted_rows_do_not_fall_at_their_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
