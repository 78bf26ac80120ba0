/* test_experiment.c - differences, what is missing, and how many rows find something, by
 * hand and by simulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/distribution.h"
#include "learn/draws.h"
#include "learn/experiment.h"
#include "learn/sequence.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 2000, SPEND_ROWS = 60000, TIMES = 1000, TIGHTEST = 10000 };

static void expect(double found, double known, double tolerance)
{
    if (!(fabs(found - known) <= tolerance * (1 + fabs(known))))
        fail_msg("%.17g is not %.17g", found, known);
}

static uint64_t seed_of_run(void)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 29;

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* ---- what an error rests on ---- */

/* A metric of money: nothing of most rows, and of the others as much as a log-normal has.
 * A tenth of the rows is treated and buys twice as often. */
static struct spend {
    double values[SPEND_ROWS];
    int32_t codes[SPEND_ROWS];
} spend;
static const double spend_effect = 0.01 * 75.1886283; /* exp(4 + 0.8^2 / 2) */

static void draw_spend(struct rng *rng, int row_count)
{
    for (int i = 0; i < row_count; i++) {
        spend.codes[i] = i % 10 == 0;
        spend.values[i] = rng_uniform(rng) < (spend.codes[i] ? 0.02 : 0.01)
                              ? exp(4 + 0.8 * rng_normal(rng))
                              : 0;
    }
}

static struct difference look_at_spend(int row_count, double tightest_at)
{
    struct difference difference;

    difference_between(&(struct contrast){.values = spend.values,
                                          .codes = spend.codes,
                                          .row_count = row_count,
                                          .arm = 1,
                                          .tightest_at = tightest_at},
                       &difference);
    return difference;
}

/* Four rows of 0 and one of 5, against six of 1 and 3: m is -1/5 and 4/5, and 1/6. */
static void draws_are_squares_over_fourth_powers(void **)
{
    static const double y[] = {0, 0, 0, 0, 5, 1, 1, 1, 3, 3, 3};
    static const int32_t codes[] = {1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
    double squares = 4 * pow(0.2, 2) + pow(0.8, 2) + 6 * pow(1 / 6.0, 2),
           fourths = 4 * pow(0.2, 4) + pow(0.8, 4) + 6 * pow(1 / 6.0, 4);
    struct difference difference;

    difference_between(&(struct contrast){.values = y,
                                          .codes = codes,
                                          .row_count = 11,
                                          .arm = 1,
                                          .tightest_at = TIGHTEST},
                       &difference);
    expect(difference.draws, squares * squares / fourths, 1e-12);
    assert_true(isnan(difference.sequence_low) && isnan(difference.sequence_high));
}

/* Where the interval does not hold what it says, it is known. */
static void an_interval_of_few_buyers_is_known_to_be_one(void **)
{
    static const struct {
        int row_count;
        double held_high, few_low, few_high;
    } cases[] = {{500, 0.70, 0.98, 1}, {2000, 0.87, 0.95, 1}, {8 * ROWS, 0.92, 0, 0.9}};
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int held = 0, few = 0;

        for (int k = 0; k < TIMES; k++) {
            struct difference found;

            draw_spend(&rng, cases[i].row_count);
            found = look_at_spend(cases[i].row_count, TIGHTEST);
            held += found.low <= spend_effect && spend_effect <= found.high;
            few += found.draws < DRAWS_MIN;
        }
        printf("%d rows: held %.3f, few draws in %.3f\n", cases[i].row_count,
               (double)held / TIMES, (double)few / TIMES);
        assert_true(held <= cases[i].held_high * TIMES);
        assert_true(few >= cases[i].few_low * TIMES && few <= cases[i].few_high * TIMES);
    }
}

/* Whether the truth leaves the bounds at one of many looks: those that are given, and
 * those that would be. */
static void look_often(double tightest_at, bool *left, bool *left_early)
{
    double rho = sequence_rho(tightest_at, 0.05);

    *left = *left_early = false;
    for (double n = 40; n <= SPEND_ROWS; n *= 1.25) {
        int row_count = (int)n;
        struct difference found = look_at_spend(row_count, tightest_at);
        double off = fabs(found.value - spend_effect),
               radius = sequence_radius(found.se * sqrt(row_count), row_count, rho, 0.05);

        *left |= spend_effect < found.sequence_low || spend_effect > found.sequence_high;
        *left_early |= off > radius;
    }
}

static void bounds_at_every_look_wait_until_they_hold(void **)
{
    static const double tightest[] = {100, TIGHTEST};
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int i = 0; i < 2; i++) {
        int left = 0, left_early = 0, given = 0;

        for (int k = 0; k < TIMES / 4; k++) {
            bool is_left, is_left_early;

            draw_spend(&rng, SPEND_ROWS);
            look_often(tightest[i], &is_left, &is_left_early);
            given += !isnan(look_at_spend(SPEND_ROWS, tightest[i]).sequence_low);
            left += is_left;
            left_early += is_left_early;
        }
        printf("tightest at %g: left %.3f, without waiting %.3f\n", tightest[i],
               4.0 * left / TIMES, 4.0 * left_early / TIMES);
        assert_true(left <= 0.05 * TIMES / 4);
        assert_true(left_early >= 0.5 * TIMES / 4);
        assert_true(given > 0);
    }
}

/* ---- by hand ---- */

/* 1, 2, 3, 6 against 0, 2, and one missing in each. */
static void what_is_missing_is_left_out_of_its_own_metric_only(void **)
{
    static const double y[] = {1, 2, 3, 6, NAN, 0, 2, NAN};
    static const int32_t codes[] = {1, 1, 1, 1, 1, 0, 0, 0};
    struct sample arm = sample_of(y, codes, 8, 1), control = sample_of(y, codes, 8, 0);
    struct difference difference;

    assert_int_equal(arm.count, 4);
    assert_int_equal(control.count, 2);
    expect(arm.mean, 3, 1e-15);
    expect(arm.variance, 14.0 / 3, 1e-15);
    difference_between(&(struct contrast){.values = y,
                                          .codes = codes,
                                          .row_count = 8,
                                          .arm = 1,
                                          .tightest_at = TIGHTEST},
                       &difference);
    expect(difference.value, 2, 1e-15);
    expect(difference.se, sqrt(14.0 / 12 + 1), 1e-15);
    expect(difference.relative_lift, 2, 1e-15);
}

/* y = 2 x + arm: with the covariate nothing is left of the noise. */
static void a_covariate_takes_its_noise_away(void **)
{
    static const double x[] = {1, 4, 2, 5, 3, NAN, 3, 2};
    static const int32_t codes[] = {1, 1, 1, 1, 0, 0, 0, 0};
    double y[8], theta, variance;
    const struct contrast contrast = {
        .values = y, .codes = codes, .row_count = 8, .arm = 1, .tightest_at = TIGHTEST};
    struct difference difference;

    for (int i = 0; i < 8; i++)
        y[i] = 2 * x[i] + 0.25 * codes[i];
    y[5] = 7;   /* without a covariate */
    y[7] = NAN; /* without a value */
    difference_cuped(&contrast, x, &theta, &variance, &difference);
    expect(theta, 2, 1e-14);
    expect(difference.value, 0.25, 1e-14);
    expect(variance, 0, 1e-14);
}

/* 10 of 100 missing, and 30 of 100: 20 expected, off by 10; 100 (1/20 + 1/80), twice. */
static void what_is_missing_more_in_one_arm_is_told(void **)
{
    static const int64_t counts[] = {100, 100}, missing[] = {10, 30}, few[] = {0, 6},
                         none[] = {0, 0};
    double chi2, p;

    attrition(missing, counts, 2, &chi2, &p);
    expect(chi2, 12.5, 1e-14);
    expect(p, erfc(sqrt(12.5 / 2)), 1e-12);
    attrition(few, counts, 2, &chi2, &p);
    assert_true(isnan(p)); /* three expected in each */
    attrition(none, counts, 2, &chi2, &p);
    expect(chi2, 0, 0);
    assert_true(isnan(p));
}

static void a_plan_is_the_known_formula(void **)
{
    /* 2 (1.959964 + 0.841621)^2 / 0.01 = 1569.8; at 1 % and 90 %: 2 (2.575829 +
     * 1.281552)^2. */
    expect(sample_size(1, 0.1, 0.05, 0.8), 1570, 0);
    expect(sample_size(4, 2, 0.01, 0.9), 30, 0);
}

/* ---- by simulation ---- */

static double skewed(struct rng *rng)
{
    double z = rng_normal(rng);

    return exp(0.5 * z);
}

/* Each look of one experiment: how often a difference is found where there is one of the
 * size that was planned, and none. */
static void a_plan_finds_what_it_says_as_often_as_it_says(void **)
{
    double sd = sqrt((exp(0.25) - 1) * exp(0.25)), y[2 * ROWS];
    int32_t codes[2 * ROWS];
    int found = 0, found_nothing = 0, held = 0;
    double size = 0.1, rows = sample_size(sd * sd, size, 0.1, 0.85);
    struct rng rng;

    assert_true(rows < ROWS);
    rng_seed(&rng, seed_of_run());
    for (int time = 0; time < TIMES; time++) {
        struct difference difference;
        int64_t n = 2 * (int64_t)rows;
        double effect = time % 2 ? size : 0;

        for (int64_t i = 0; i < n; i++) {
            codes[i] = i % 2;
            y[i] = skewed(&rng) + effect * codes[i];
        }
        difference_between(&(struct contrast){.values = y,
                                              .codes = codes,
                                              .row_count = n,
                                              .arm = 1,
                                              .tightest_at = TIGHTEST},
                           &difference);
        found += time % 2 && difference.p < 0.1;
        found_nothing += time % 2 == 0 && difference.p < 0.1;
        held += difference.low <= effect && effect <= difference.high;
    }
    printf("%.0f rows: found %.3f, false %.3f, interval %.3f\n", rows,
           2.0 * found / TIMES, 2.0 * found_nothing / TIMES, (double)held / TIMES);
    assert_true(fabs(2.0 * found / TIMES - 0.85) < 0.05);
    assert_true(fabs(2.0 * found_nothing / TIMES - 0.1) < 0.04);
    assert_true(fabs((double)held / TIMES - 0.95) < 0.02);
}

/* Customers who come several times, each in one arm, with a mood of their own. */
enum { CUSTOMERS = 200, VISITS_MAX = 12 };

struct visits {
    double y[CUSTOMERS * VISITS_MAX];
    int32_t codes[CUSTOMERS * VISITS_MAX], owners[CUSTOMERS * VISITS_MAX];
    int64_t count;
};

static void draw_visits(struct visits *visits, struct rng *rng)
{
    visits->count = 0;
    for (int32_t owner = 0; owner < CUSTOMERS; owner++) {
        int count = 1 + (int)rng_below(rng, VISITS_MAX), arm = (int)rng_below(rng, 2);
        double mood = rng_normal(rng);

        for (int i = 0; i < count; i++) {
            visits->y[visits->count] =
                rng_below(rng, 10) ? mood + rng_normal(rng) + 0.3 * arm : NAN;
            visits->codes[visits->count] = arm;
            visits->owners[visits->count++] = owner;
        }
    }
}

/* Rows taken for draws would hold the truth too rarely, and find sizes that are wrong
 * where there is nothing. */
static void clusters_are_the_draws(void **)
{
    static const double shares[] = {0.5, 0.5};
    static struct visits visits;
    int held = 0, plain_held = 0, alarms = 0, plain_alarms = 0, lost = 0;
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int time = 0; time < TIMES; time++) {
        struct row_clusters clusters;
        struct contrast contrast = {
            .values = visits.y, .codes = visits.codes, .arm = 1, .tightest_at = TIGHTEST};
        struct difference difference;
        struct arm_rows rows = {visits.codes, 0, shares, 2};
        int64_t counts[2] = {0};
        double chi2, p = 0, missing_p = 0;
        struct err err;

        draw_visits(&visits, &rng);
        rows.row_count = contrast.row_count = visits.count;
        assert_int_equal(row_clusters_init(visits.owners, CUSTOMERS, &clusters, &err), 0);
        difference_between(&contrast, &difference);
        plain_held += difference.low <= 0.3 && 0.3 <= difference.high;
        contrast.clusters = &clusters;
        difference_between(&contrast, &difference);
        assert_true(difference.freedom > CUSTOMERS / 3 &&
                    difference.freedom < CUSTOMERS - 1);
        held += difference.low <= 0.3 && 0.3 <= difference.high;
        for (int64_t i = 0; i < visits.count; i++)
            counts[visits.codes[i]]++;
        sample_ratio(counts, shares, 2, &chi2, &p);
        plain_alarms += p < 0.05;
        assert_int_equal(sample_ratio_clustered(&rows, &clusters, &chi2, &p, &err), 0);
        alarms += p < 0.05;
        assert_int_equal(
            attrition_clustered(&rows, visits.y, &clusters, &chi2, &missing_p, &err), 0);
        lost += missing_p < 0.05;
        row_clusters_free(&clusters);
    }
    printf("clusters: interval %.3f (rows: %.3f), sizes told wrong %.3f (rows: %.3f), "
           "missing %.3f\n",
           (double)held / TIMES, (double)plain_held / TIMES, (double)alarms / TIMES,
           (double)plain_alarms / TIMES, (double)lost / TIMES);
    assert_true(fabs((double)held / TIMES - 0.95) < 0.02);
    assert_true((double)plain_held / TIMES < 0.85);
    assert_true(fabs((double)alarms / TIMES - 0.05) < 0.02);
    assert_true(fabs((double)lost / TIMES - 0.05) < 0.02);
    assert_true((double)plain_alarms / TIMES > 0.2);
}

/* Each customer came once into each arm. */
static void clusters_that_are_shared_out_exactly_are_as_they_should_be(void **)
{
    static const double shares[] = {0.5, 0.5};
    static const int32_t codes[] = {0, 1, 0, 1, 1, 0}, owners[] = {0, 0, 1, 1, 2, 2};
    const struct arm_rows rows = {codes, 6, shares, 2};
    struct row_clusters clusters;
    double chi2, p;
    struct err err;

    assert_int_equal(row_clusters_init(owners, 3, &clusters, &err), 0);
    assert_int_equal(sample_ratio_clustered(&rows, &clusters, &chi2, &p, &err), 0);
    assert_true(chi2 == 0 && p == 1);
    row_clusters_free(&clusters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_squares_over_fourth_powers),
        cmocka_unit_test(an_interval_of_few_buyers_is_known_to_be_one),
        cmocka_unit_test(bounds_at_every_look_wait_until_they_hold),
        cmocka_unit_test(what_is_missing_is_left_out_of_its_own_metric_only),
        cmocka_unit_test(a_covariate_takes_its_noise_away),
        cmocka_unit_test(what_is_missing_more_in_one_arm_is_told),
        cmocka_unit_test(a_plan_is_the_known_formula),
        cmocka_unit_test(a_plan_finds_what_it_says_as_often_as_it_says),
        cmocka_unit_test(clusters_are_the_draws),
        cmocka_unit_test(clusters_that_are_shared_out_exactly_are_as_they_should_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
