/* test_effect.c - effects by weights and regressions where the truth is known by hand,
 * and how often their intervals hold it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/distribution.h"
#include "learn/effect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000, LOGS = 500, PER_CLUSTER = 4 };

static struct {
    double treatments[ROWS], outcomes[ROWS], covariates[ROWS];
    int32_t clusters[ROWS];
    struct regressor columns[1];
    struct effect_data data;
} room;

static void expect(double found, double known, double tolerance)
{
    if (!(fabs(found - known) <= tolerance * (1 + fabs(known))))
        fail_msg("%.17g is not %.17g", found, known);
}

static uint64_t seed_of_run(void)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 23;

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void set_data(int64_t row_count, bool has_clusters)
{
    room.columns[0] = (struct regressor){.numbers = room.covariates};
    room.data = (struct effect_data){
        .row_count = row_count,
        .column_count = 1,
        .treatments = room.treatments,
        .outcomes = room.outcomes,
        .covariates = room.columns,
        .clusters = has_clusters ? room.clusters : NULL,
        .cluster_count = has_clusters ? (int32_t)(row_count / PER_CLUSTER) : 0,
    };
}

static struct effect estimate(struct effect_rule rule)
{
    struct effect effect;
    struct err err = {0};

    if (effect_estimate(&room.data, rule, &effect, NULL, &err))
        fail_msg("%s", err.text);
    return effect;
}

/* ---- how often intervals hold the truth ---- */

/* The effect is 1 + 3 x, for those who are more likely treated more than for others. With
 * clusters, rows of one share their covariate and their treatment. */
static void draw_rows(struct rng *rng, bool has_clusters)
{
    double x = 0, own = 0;
    bool is_treated = false;

    for (int i = 0; i < ROWS; i++) {
        if (!has_clusters || i % PER_CLUSTER == 0) {
            x = rng_normal(rng);
            own = rng_normal(rng);
            is_treated = rng_uniform(rng) < 1 / (1 + exp(-0.5 * x));
        }
        room.clusters[i] = i / PER_CLUSTER;
        room.covariates[i] = x;
        room.treatments[i] = is_treated;
        room.outcomes[i] = 2 * x + own + rng_normal(rng) + is_treated * (1 + 3 * x);
    }
    set_data(ROWS, has_clusters);
}

/* E[x | treated], by the middle rule. */
static double mean_of_treated(void)
{
    double sum = 0, weight = 0;

    for (double x = -8; x < 8; x += 1e-3) {
        double w = exp(-x * x / 2) / (1 + exp(-0.5 * x));

        sum += w * x;
        weight += w;
    }
    return sum / weight;
}

static void intervals_hold_effects_that_differ_between_rows(void **)
{
    static const struct {
        struct effect_rule rule;
        bool has_clusters;
        const char *name;
    } cases[] = {
        {{.method = EFFECT_IPW}, false, "ipw ate"},
        {{.method = EFFECT_IPW, .is_att = true}, false, "ipw att"},
        {{.method = EFFECT_AIPW}, false, "aipw ate"},
        {{.method = EFFECT_AIPW, .is_att = true}, false, "aipw att"},
        {{.method = EFFECT_IPW}, true, "ipw ate clustered"},
        {{.method = EFFECT_IPW, .is_att = true}, true, "ipw att clustered"},
        {{.method = EFFECT_LIN, .kind = COVARIANCE_HC2}, false, "lin ate"},
        {{.method = EFFECT_LIN, .is_att = true, .kind = COVARIANCE_HC2},
         false,
         "lin att"},
        {{.method = EFFECT_LIN}, true, "lin ate clustered"},
        {{.method = EFFECT_LIN, .is_att = true}, true, "lin att clustered"},
    };
    double of_treated = 1 + 3 * mean_of_treated();
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double truth = cases[i].rule.is_att ? of_treated : 1;
        int held = 0;

        for (int log = 0; log < LOGS; log++) {
            struct effect found;

            draw_rows(&rng, cases[i].has_clusters);
            found = estimate(cases[i].rule);
            held += fabs(found.value - truth) <= 1.959964 * found.se;
        }
        printf("%-18s %.3f\n", cases[i].name, (double)held / LOGS);
        assert_true(held >= 0.925 * LOGS && held <= 0.975 * LOGS);
    }
}

/* With a kind that is named: 1 + 3 times the mean of x, whatever rows were drawn. */
static void intervals_of_these_very_rows_hold_their_own_effect(void **)
{
    struct rng rng;
    int held_own = 0, held_truth = 0;

    rng_seed(&rng, seed_of_run());
    for (int log = 0; log < LOGS; log++) {
        struct effect found;
        double own = 1;

        draw_rows(&rng, false);
        for (int i = 0; i < ROWS; i++)
            own += 3 * room.covariates[i] / ROWS;
        found = estimate((struct effect_rule){
            .method = EFFECT_LIN, .kind = COVARIANCE_HC2, .are_means_known = true});
        held_own += fabs(found.value - own) <= 1.959964 * found.se;
        held_truth += fabs(found.value - 1) <= 1.959964 * found.se;
    }
    printf("these rows %.3f, all that rows were drawn from %.3f\n",
           (double)held_own / LOGS, (double)held_truth / LOGS);
    assert_true(held_own >= 0.925 * LOGS && held_own <= 0.975 * LOGS);
    assert_true(held_truth <= 0.9 * LOGS);
}

/* The first clusters treated, each with an outcome of its own in all of its rows. */
static void draw_clusters(struct rng *rng, int treated_count, int cluster_count)
{
    double own = 0;

    for (int i = 0; i < cluster_count * PER_CLUSTER; i++) {
        if (i % PER_CLUSTER == 0)
            own = rng_normal(rng);
        room.clusters[i] = i / PER_CLUSTER;
        room.covariates[i] = 0;
        room.treatments[i] = i / PER_CLUSTER < treated_count;
        room.outcomes[i] = own + rng_normal(rng);
    }
    set_data((int64_t)cluster_count * PER_CLUSTER, true);
}

/* Where few clusters are in one arm, however many are in the other. */
static void intervals_of_few_clusters_are_those_of_student(void **)
{
    static const struct {
        int treated, clusters;
        double normal_high, low, high;
    } cases[] = {
        {3, 6, 0.88, 0.91, 0.965},   {6, 12, 0.93, 0.93, 0.965},
        {15, 30, 0.95, 0.93, 0.965}, {2, 30, 0.78, 0.95, 1},
        {4, 40, 0.92, 0.93, 0.985},
    };
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int held = 0, normal_held = 0;

        for (int log = 0; log < 4 * LOGS; log++) {
            struct effect found;

            draw_clusters(&rng, cases[i].treated, cases[i].clusters);
            found = estimate((struct effect_rule){.method = EFFECT_DIFFERENCE});
            held += fabs(found.value) <= student_95(found.freedom) * found.se;
            normal_held += fabs(found.value) <= NORMAL_95 * found.se;
        }
        printf("%d of %d clusters %.4f, normal %.4f\n", cases[i].treated,
               cases[i].clusters, held / (4.0 * LOGS), normal_held / (4.0 * LOGS));
        assert_true(held >= cases[i].low * 4 * LOGS && held <= cases[i].high * 4 * LOGS);
        assert_true(normal_held <= cases[i].normal_high * 4 * LOGS);
    }
}

/* Rows of clusters in each arm, and what Welch's formula makes of them. */
static void degrees_of_freedom_are_of_the_smaller_arm(void **)
{
    struct rng rng;
    struct effect found;

    rng_seed(&rng, 1);
    draw_clusters(&rng, 10, 20);
    found = estimate((struct effect_rule){.method = EFFECT_DIFFERENCE});
    expect(found.clusters_treated, 10, 1e-12);
    expect(found.freedom, 18, 1e-12);
    draw_clusters(&rng, 2, 200);
    found = estimate((struct effect_rule){.method = EFFECT_LIN});
    expect(found.clusters_control, 198, 1e-12);
    expect(found.freedom, 1.0203, 1e-4);
    draw_clusters(&rng, 10, 20);
    for (int i = 0; i < 20 * PER_CLUSTER; i++)
        room.treatments[i] = i % 2;
    found = estimate((struct effect_rule){.method = EFFECT_IPW});
    expect(found.freedom, 19, 1e-12);
    /* One cluster with most of the rows of its arm is little more than one. */
    draw_clusters(&rng, 10, 20);
    for (int i = 0; i < 8 * PER_CLUSTER; i++)
        room.clusters[i] = 0;
    found = estimate((struct effect_rule){.method = EFFECT_AIPW});
    expect(found.clusters_treated, 100.0 / 66, 1e-12);
    assert_true(found.freedom < 1.01);
    room.data.clusters = NULL;
    found = estimate((struct effect_rule){.method = EFFECT_OLS});
    assert_true(isinf(found.freedom) && isnan(found.clusters_treated));
}

/* ---- by hand ---- */

/* Counts of (x, t, y): half of x = 0 treated, 3 of 4 of x = 1. Risks .25 and .5 among x =
 * 0, .5 and .75 among x = 1. */
static void set_strata(void)
{
    static const struct {
        int x, t, y, count;
    } cells[] = {
        {0, 0, 0, 30}, {0, 0, 1, 10}, {0, 1, 0, 20}, {0, 1, 1, 20},
        {1, 0, 0, 10}, {1, 0, 1, 10}, {1, 1, 0, 15}, {1, 1, 1, 45},
    };
    int64_t n = 0;

    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        for (int j = 0; j < cells[i].count; j++, n++) {
            room.covariates[n] = cells[i].x;
            room.treatments[n] = cells[i].t;
            room.outcomes[n] = cells[i].y;
        }
    set_data(n, false);
}

static double e_value_of(double ratio)
{
    return ratio + sqrt(ratio * (ratio - 1));
}

/* Everybody: 80 of x = 0 and 80 of x = 1, risks .375 and .625. The treated: 40 and 60, .4
 * and .65. */
static void an_e_value_is_of_the_adjusted_risks(void **)
{
    static const struct {
        struct effect_rule rule;
        double untreated, treated;
    } rows[] = {
        {{.method = EFFECT_IPW}, 0.375, 0.625},
        {{.method = EFFECT_IPW, .is_att = true}, 0.4, 0.65},
        {{.method = EFFECT_AIPW}, 0.375, 0.625},
        {{.method = EFFECT_AIPW, .is_att = true}, 0.4, 0.65},
        {{.method = EFFECT_OLS, .kind = COVARIANCE_HC2}, 0.375, 0.625},
        {{.method = EFFECT_LIN, .kind = COVARIANCE_HC2}, 0.375, 0.625},
        {{.method = EFFECT_LIN, .is_att = true, .kind = COVARIANCE_HC2}, 0.4, 0.65},
        {{.method = EFFECT_DIFFERENCE, .kind = COVARIANCE_HC2}, 1.0 / 3, 0.65},
    };

    set_strata();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct effect_rule rule = rows[i].rule;
        struct effect found;
        double value, limit;

        rule.has_risks = true;
        found = estimate(rule);
        expect(found.value, rows[i].treated - rows[i].untreated, 1e-12);
        expect(found.untreated_mean, rows[i].untreated, 1e-12);
        effect_e_value(&found, true, 0.5, &value, &limit);
        expect(value, e_value_of(rows[i].treated / rows[i].untreated), 1e-12);
        assert_true(limit > 1 && limit < value);
    }
}

/* What a row of the strata moves the logarithm of the ratio of risks by, times the rows:
 * of models that fit each stratum, as those of ipw, aipw and lin do, the efficient
 * influence (Hahn 1998). */
static double move_of_ratio(int64_t row, bool is_att)
{
    double x = room.covariates[row], y = room.outcomes[row], p = x > 0 ? 0.75 : 0.5;
    double q0 = x > 0 ? 0.5 : 0.25, q1 = q0 + 0.25, share = 100.0 / 160;
    bool is_treated = room.treatments[row] != 0;

    if (is_att)
        return ((is_treated ? (y - 0.65) / 0.65 : 0) -
                (is_treated ? q0 - 0.4 : p / (1 - p) * (y - q0)) / 0.4) /
               share;
    return (q1 - 0.625 + (is_treated ? (y - q1) / p : 0)) / 0.625 -
           (q0 - 0.375 + (is_treated ? 0 : (y - q0) / (1 - p))) / 0.375;
}

static void errors_of_ratios_of_risks_are_those_by_hand(void **)
{
    static const struct {
        struct effect_rule rule;
        double freedom_lost; /* of the variance of what rows move it by */
    } rows[] = {
        {{.method = EFFECT_IPW}, 1},
        {{.method = EFFECT_IPW, .is_att = true}, 1},
        {{.method = EFFECT_AIPW}, 1},
        {{.method = EFFECT_AIPW, .is_att = true}, 1},
        {{.method = EFFECT_LIN, .kind = COVARIANCE_HC0}, 0},
        {{.method = EFFECT_LIN, .is_att = true, .kind = COVARIANCE_HC0}, 0},
    };

    set_strata();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct effect_rule rule = rows[i].rule;
        double squares = 0;

        for (int64_t row = 0; row < 160; row++)
            squares += pow(move_of_ratio(row, rule.is_att), 2);
        rule.has_risks = true;
        expect(estimate(rule).log_ratio_se,
               sqrt(squares / 160 / (160 - rows[i].freedom_lost)), 1e-9);
    }
}

/* One effect of .25 and one difference of .25 between the strata fit both, too. How much
 * of an outcome is in the effect follows from t - p (Frisch and Waugh 1933); the mean
 * without treatment is the mean less the effect times the share of the treated, and moves
 * with the mean of x. */
static void errors_of_ratios_by_a_regression_are_those_by_hand(void **)
{
    double of_value = 1 / 0.625, of_untreated = 1 / 0.625 - 1 / 0.375;
    double spread = 80 * 0.25 + 80 * 0.75 * 0.25; /* sum of (t - p)^2 */
    double robust = 0, plain = 0, moved = 0, residuals = 0;
    struct effect_rule rule = {
        .method = EFFECT_OLS, .kind = COVARIANCE_HC0, .has_risks = true};

    set_strata();
    for (int64_t row = 0; row < 160; row++) {
        double x = room.covariates[row], t = room.treatments[row];
        double residual = room.outcomes[row] - 0.25 - 0.25 * x - 0.25 * t;
        double part = (t - (x > 0 ? 0.75 : 0.5)) / spread;
        double share = of_value * part + of_untreated * (1 / 160.0 - 0.625 * part);
        double line = of_untreated * 0.25 * (x - 0.5) / 160;

        robust += pow(share * residual + line, 2);
        plain += share * share;
        moved += line * line;
        residuals += residual * residual;
    }
    expect(estimate(rule).log_ratio_se, sqrt(robust), 1e-9);
    rule.kind = COVARIANCE_CLASSICAL;
    expect(estimate(rule).log_ratio_se, sqrt(residuals / (160 - 3) * plain + moved),
           1e-9);
}

/* So large that a ratio of risks as large is no number. */
static void an_e_value_beyond_all_numbers_is_none(void **)
{
    struct effect effect = {.value = 1000, .se = 1, .freedom = INFINITY};
    double value, limit;

    effect_e_value(&effect, false, 1, &value, &limit);
    assert_true(isnan(value) && isnan(limit));
    effect.value = -1000;
    effect_e_value(&effect, false, 1, &value, &limit);
    assert_true(isnan(value) && isnan(limit));
    effect.value = 2;
    effect_e_value(&effect, false, 1, &value, &limit);
    expect(value, e_value_of(exp(0.91 * 2)), 1e-12);
    expect(limit, e_value_of(exp(0.91 * (2 - NORMAL_95))), 1e-12);
}

/* The interval of the ratio may leave none out where that of the difference holds it, and
 * the other way round. */
static void an_e_value_is_1_where_either_interval_holds_none(void **)
{
    static const struct {
        double se, log_ratio_se;
        bool holds_none;
    } rows[] = {{0.01, 0.01, false}, {0.2, 0.01, true}, {0.01, 0.7, true}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct effect effect = {.value = 0.2,
                                .untreated_mean = 0.2,
                                .se = rows[i].se,
                                .log_ratio_se = rows[i].log_ratio_se,
                                .freedom = INFINITY};
        double value, limit;

        effect_e_value(&effect, true, 0.5, &value, &limit);
        expect(value, e_value_of(2), 1e-12);
        assert_true(rows[i].holds_none ? limit == 1 : limit > 1);
    }
}

/* Controls with 12 of 200, treated with 300 of 2000: the error of log(.15 / .06) is that
 * of Katz et al. (1978), the variances being of n - 1. */
static void the_limit_of_an_e_value_is_that_of_the_ratio_of_risks(void **)
{
    double se = sqrt(0.94 / 0.06 / 199 + 0.85 / 0.15 / 1999), value, limit;
    struct effect found;
    static double treatments[2200], outcomes[2200];

    for (int i = 0; i < 2200; i++) {
        treatments[i] = i >= 200;
        outcomes[i] = i < 12 || i >= 1900;
    }
    room.data = (struct effect_data){
        .row_count = 2200, .treatments = treatments, .outcomes = outcomes};
    found = estimate((struct effect_rule){
        .method = EFFECT_DIFFERENCE, .kind = COVARIANCE_HC2, .has_risks = true});
    expect(found.log_ratio_se, se, 1e-12);
    effect_e_value(&found, true, 0.4, &value, &limit);
    expect(value, e_value_of(2.5), 1e-12);
    expect(limit, e_value_of(exp(log(2.5) - NORMAL_95 * se)), 1e-12);
}

/* Of a rare outcome, the lower limit lies above the true ratio as often as it says, and
 * not where the ratio is taken of a risk without an error. */
static void limits_of_ratios_are_seldom_above_the_truth(void **)
{
    int above = 0, above_if_known = 0;
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int run = 0; run < 4 * LOGS; run++) {
        struct effect found;

        for (int i = 0; i < ROWS; i++) {
            room.treatments[i] = i % 5 > 0;
            room.covariates[i] = rng_normal(&rng);
            room.outcomes[i] = rng_uniform(&rng) < (i % 5 > 0 ? 0.2 : 0.1);
        }
        set_data(ROWS, false);
        found = estimate((struct effect_rule){
            .method = EFFECT_LIN, .kind = COVARIANCE_HC2, .has_risks = true});
        above +=
            log1p(found.value / found.untreated_mean) - NORMAL_95 * found.log_ratio_se >
            log(2);
        above_if_known += (found.value - NORMAL_95 * found.se) / found.untreated_mean > 1;
    }
    printf("above the truth %.4f, if the risk were known %.4f\n", above / (4.0 * LOGS),
           above_if_known / (4.0 * LOGS));
    assert_true(above <= 0.04 * 4 * LOGS);
    assert_true(above_if_known >= 0.06 * 4 * LOGS);
}

static void effective_rows_are_those_of_the_estimands_weights(void **)
{
    struct effect of_all, of_treated;

    set_strata();
    of_all = estimate((struct effect_rule){.method = EFFECT_IPW});
    of_treated = estimate((struct effect_rule){.method = EFFECT_IPW, .is_att = true});
    /* Weights 2 (40 rows) and 4/3 (60): 160^2 over 160 + 320/3. */
    expect(of_all.effective_treated, 25600 / (160 + 320.0 / 3), 1e-9);
    expect(of_treated.effective_treated, 100, 1e-9);
    /* Controls of the treated: 1 (40 rows) and 3 (20). */
    expect(of_treated.effective_control, 10000.0 / (40 + 180), 1e-9);
    expect(estimate((struct effect_rule){.method = EFFECT_AIPW, .is_att = true})
               .effective_treated,
           100, 1e-9);
}

/* Of the rows that are like no treated one, nothing is asked then. */
static void a_covariate_of_controls_only_leaves_the_effect_on_the_treated(void **)
{
    struct effect found;
    struct err err = {0};
    struct effect_rule rule = {.method = EFFECT_LIN, .kind = COVARIANCE_HC2};

    set_strata();
    for (int i = 0; i < 80; i++)
        room.treatments[i] = 0;
    assert_int_equal(effect_estimate(&room.data, rule, &found, NULL, &err),
                     STATUS_INVALID);
    assert_true(found.is_determined);
    rule.is_att = true;
    expect(estimate(rule).value, 0.25, 1e-12);
}

/* ---- what has no error ---- */

/* Outcomes a + 3 t + b x + c t x, in units of any size. */
static void set_exact(double unit, double start, double slope, double product)
{
    struct rng rng;

    rng_seed(&rng, 5);
    draw_rows(&rng, false);
    for (int i = 0; i < ROWS; i++)
        room.outcomes[i] =
            unit * (start + 3 * room.treatments[i] +
                    (slope + product * room.treatments[i]) * room.covariates[i]);
}

static const struct effect_rule exact_rules[] = {
    {.method = EFFECT_DIFFERENCE, .kind = COVARIANCE_HC2},
    {.method = EFFECT_IPW},
    {.method = EFFECT_OLS, .kind = COVARIANCE_HC2},
    {.method = EFFECT_OLS, .kind = COVARIANCE_CLASSICAL},
    {.method = EFFECT_LIN, .kind = COVARIANCE_HC3},
    {.method = EFFECT_LIN, .kind = COVARIANCE_HC2, .is_att = true},
    {.method = EFFECT_AIPW},
    {.method = EFFECT_AIPW, .is_att = true},
    {.method = EFFECT_AIPW, .fold_count = 5},
};

static void an_error_of_rounding_is_none(void **)
{
    static const double units[] = {1e-9, 1, 1e9}, starts[] = {0, 1000, -7};

    for (size_t unit = 0; unit < 3; unit++)
        for (size_t i = 0; i < sizeof exact_rules / sizeof *exact_rules; i++) {
            /* A difference does not know of covariates, and weights do not make them
             * quite alike. */
            bool has_slope = exact_rules[i].method != EFFECT_DIFFERENCE &&
                             exact_rules[i].method != EFFECT_IPW;
            struct effect found;
            struct err err = {0};

            set_exact(units[unit], starts[unit], has_slope ? 2 : 0, 0);
            assert_int_equal(
                effect_estimate(&room.data, exact_rules[i], &found, NULL, &err),
                STATUS_INVALID);
            assert_true(found.is_exact);
            assert_non_null(strstr(err.text, "the outcome follows exactly from arm and"));
            for (int row = 0; row < ROWS; row++) /* seven digits are no rounding */
                room.outcomes[row] *= row % 3 ? 1 : 1 + 1e-7;
            assert_true(estimate(exact_rules[i]).se > 0);
        }
}

/* Where effects differ, which rows were drawn is an error, unless the effect is that of
 * these. */
static void an_exact_effect_that_differs_has_an_error(void **)
{
    struct effect_rule rule = {.method = EFFECT_LIN, .kind = COVARIANCE_HC2};
    struct effect found;
    struct err err = {0};

    set_exact(1, 0, 2, 1);
    assert_true(estimate(rule).se > 1e-3);
    assert_true(estimate((struct effect_rule){.method = EFFECT_AIPW}).se > 1e-3);
    rule.are_means_known = true;
    assert_int_equal(effect_estimate(&room.data, rule, &found, NULL, &err),
                     STATUS_INVALID);
    assert_true(found.is_exact);
}

/* ---- rows that are alone ---- */

static void one_row_far_away_keeps_nobody_from_an_answer(void **)
{
    for (int far = 0; far < 2; far++)
        for (int is_att = 0; is_att < 2; is_att++)
            for (int method = EFFECT_IPW; method <= EFFECT_AIPW; method++) {
                struct effect plain, found;
                struct effect_rule rule = {.method = (enum effect_method)method,
                                           .is_att = is_att};
                struct rng rng;

                rng_seed(&rng, 5);
                draw_rows(&rng, false);
                plain = estimate(rule);
                room.covariates[ROWS / 2] = far ? 4000 : -4000;
                room.treatments[ROWS / 2] = far;
                room.outcomes[ROWS / 2] = 1;
                found = estimate(rule);
                assert_int_equal(found.certain_count, 1);
                assert_int_equal(found.certain_row, ROWS / 2);
                assert_true(isfinite(found.value) && isfinite(found.se) && found.se > 0);
                if (method == EFFECT_IPW) /* a linear model follows the row */
                    expect(found.value, plain.value, 0.1);
            }
}

static void who_cannot_be_where_he_is_is_named(void **)
{
    struct effect effect;
    struct err err = {0};
    struct rng rng;

    rng_seed(&rng, 5);
    draw_rows(&rng, false);
    room.covariates[7] = 4000;
    room.treatments[7] = 0;
    assert_int_equal(
        effect_estimate(&room.data,
                        (struct effect_rule){.method = EFFECT_AIPW, .fold_count = 2},
                        &effect, NULL, &err),
        STATUS_INVALID);
    assert_non_null(strstr(err.text, "row 8 of 1000 is a control"));
}

/* With as many folds as rows each row is predicted by all others, whichever fold it was
 * drawn into: the means of the others in each arm, and their share of treated. */
static void models_do_not_see_the_rows_they_are_used_on(void **)
{
    static const double outcomes[] = {1, 2, 9, 4, 0, 3, 5, 5, 11, 6, 2, 8};
    enum { N = sizeof outcomes / sizeof *outcomes, TREATED = 5 };
    double sums[2] = {}, mean = 0;

    for (int i = 0; i < N; i++) {
        room.treatments[i] = i < TREATED;
        room.outcomes[i] = outcomes[i];
        room.covariates[i] = 0;
        sums[i < TREATED] += outcomes[i];
    }
    for (int i = 0; i < N; i++) {
        double t = i < TREATED, y = outcomes[i], p = (TREATED - t) / (N - 1),
               q1 = (sums[1] - t * y) / (TREATED - t),
               q0 = (sums[0] - (1 - t) * y) / (N - TREATED - (1 - t));

        mean += (q1 - q0 + t * (y - q1) / p - (1 - t) * (y - q0) / (1 - p)) / N;
    }
    set_data(N, false);
    for (uint64_t seed = 1; seed < 4; seed++) {
        struct effect found = estimate(
            (struct effect_rule){.method = EFFECT_AIPW, .fold_count = N, .seed = seed});

        expect(found.value, mean, 1e-12);
        expect(found.p_min, (TREATED - 1.0) / (N - 1), 1e-12);
    }
    /* One model of all rows leaves the difference of their means. */
    expect(estimate((struct effect_rule){.method = EFFECT_AIPW}).value,
           sums[1] / TREATED - sums[0] / (N - TREATED), 1e-12);
}

static void an_arm_within_one_fold_is_refused(void **)
{
    struct effect effect;
    struct err err = {0};
    struct rng rng;

    rng_seed(&rng, 5);
    draw_rows(&rng, false);
    for (int i = 0; i < ROWS; i++)
        room.treatments[i] = i == 3;
    assert_int_equal(
        effect_estimate(&room.data,
                        (struct effect_rule){.method = EFFECT_AIPW, .fold_count = 2},
                        &effect, NULL, &err),
        STATUS_INVALID);
    assert_non_null(strstr(err.text, "all treated rows are in one fold"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_effects_that_differ_between_rows),
        cmocka_unit_test(intervals_of_these_very_rows_hold_their_own_effect),
        cmocka_unit_test(intervals_of_few_clusters_are_those_of_student),
        cmocka_unit_test(degrees_of_freedom_are_of_the_smaller_arm),
        cmocka_unit_test(an_e_value_is_of_the_adjusted_risks),
        cmocka_unit_test(errors_of_ratios_of_risks_are_those_by_hand),
        cmocka_unit_test(errors_of_ratios_by_a_regression_are_those_by_hand),
        cmocka_unit_test(an_e_value_beyond_all_numbers_is_none),
        cmocka_unit_test(an_e_value_is_1_where_either_interval_holds_none),
        cmocka_unit_test(the_limit_of_an_e_value_is_that_of_the_ratio_of_risks),
        cmocka_unit_test(limits_of_ratios_are_seldom_above_the_truth),
        cmocka_unit_test(effective_rows_are_those_of_the_estimands_weights),
        cmocka_unit_test(a_covariate_of_controls_only_leaves_the_effect_on_the_treated),
        cmocka_unit_test(an_error_of_rounding_is_none),
        cmocka_unit_test(an_exact_effect_that_differs_has_an_error),
        cmocka_unit_test(one_row_far_away_keeps_nobody_from_an_answer),
        cmocka_unit_test(who_cannot_be_where_he_is_is_named),
        cmocka_unit_test(models_do_not_see_the_rows_they_are_used_on),
        cmocka_unit_test(an_arm_within_one_fold_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
