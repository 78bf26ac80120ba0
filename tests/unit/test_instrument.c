/* test_instrument.c - two-stage least squares against ratios of differences and other
 * closed forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/distribution.h"
#include "learn/instrument.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 240, INSTRUMENTS = 3, COVARIATES = 2 };

/* The first instrument is 0 or 1; what is not seen moves treatment and outcome. */
struct world {
    double treatments[ROWS], outcomes[ROWS];
    double instruments[INSTRUMENTS * ROWS], covariates[COVARIATES * ROWS];
    int instrument_count, covariate_count;
};

static uint64_t seed = 5;

static struct world make_world(double strength, double effect)
{
    struct world world = {.instrument_count = 1};
    struct rng rng;

    rng_seed(&rng, seed);
    for (int i = 0; i < ROWS; i++) {
        double z = rng_below(&rng, 3) == 0, hidden = rng_normal(&rng);

        world.instruments[i] = z;
        world.treatments[i] = strength * z + hidden + rng_normal(&rng);
        world.outcomes[i] = effect * world.treatments[i] - 2 * hidden + rng_normal(&rng);
    }
    return world;
}

static enum status estimate(const struct world *world, enum covariance_kind kind,
                            struct instrument_effect *effect,
                            bool dropped[INSTRUMENTS + COVARIATES], struct err *err)
{
    struct regressor instruments[INSTRUMENTS] = {}, covariates[COVARIATES] = {};
    const struct instrument_data data = {
        .row_count = ROWS,
        .instrument_count = world->instrument_count,
        .column_count = world->covariate_count,
        .treatments = world->treatments,
        .outcomes = world->outcomes,
        .instruments = instruments,
        .covariates = covariates,
    };

    for (int z = 0; z < INSTRUMENTS; z++)
        instruments[z].numbers = world->instruments + z * ROWS;
    for (int c = 0; c < COVARIATES; c++)
        covariates[c].numbers = world->covariates + c * ROWS;
    return instrument_estimate(&data, kind, effect, dropped, err);
}

static struct instrument_effect effect_of(const struct world *world)
{
    bool dropped[INSTRUMENTS + COVARIATES];
    struct instrument_effect effect;
    struct err err = {0};

    if (estimate(world, COVARIANCE_CLASSICAL, &effect, dropped, &err))
        fail_msg("%s", err.text);
    return effect;
}

static void expect_refusal(const struct world *world, const char *says)
{
    bool dropped[INSTRUMENTS + COVARIATES];
    struct instrument_effect effect;
    struct err err = {0};

    assert_int_equal(estimate(world, COVARIANCE_CLASSICAL, &effect, dropped, &err),
                     STATUS_INVALID);
    if (!strstr(err.text, says))
        fail_msg("'%s' is not '%s'", err.text, says);
}

static void expect(double found, double known)
{
    if (!(fabs(found - known) <= 1e-9 * (1 + fabs(known))))
        fail_msg("%.17g is not %.17g", found, known);
}

/* ---- plain arithmetic ---- */

/* Of the rows with and without the first instrument. */
struct sides {
    double count[2], mean[2];
    double square_sum; /* around both means */
};

static struct sides sides_of(const struct world *world, const double *values)
{
    struct sides sides = {};

    for (int i = 0; i < ROWS; i++) {
        int side = world->instruments[i] > 0;

        sides.count[side]++;
        sides.mean[side] += values[i];
    }
    for (int side = 0; side < 2; side++)
        sides.mean[side] /= sides.count[side];
    for (int i = 0; i < ROWS; i++)
        sides.square_sum += pow(values[i] - sides.mean[world->instruments[i] > 0], 2);
    return sides;
}

static double mean_of(const double *values)
{
    double sum = 0;

    for (int i = 0; i < ROWS; i++)
        sum += values[i];
    return sum / ROWS;
}

/* Of products around both means. */
static double product(const double *a, const double *b)
{
    double sum = 0, a_mean = mean_of(a), b_mean = mean_of(b);

    for (int i = 0; i < ROWS; i++)
        sum += (a[i] - a_mean) * (b[i] - b_mean);
    return sum;
}

/* The treatment's square of t in a two-sample comparison: an F with 1 and n - 2 degrees
 * of freedom. */
static double f_between(const struct sides *sides)
{
    double difference = sides->mean[1] - sides->mean[0];
    double variance = sides->square_sum / (ROWS - 2);

    return difference * difference /
           (variance * (1 / sides->count[0] + 1 / sides->count[1]));
}

/* ---- one instrument ---- */

static void one_instrument_of_two_values_gives_the_ratio_of_differences(void **)
{
    struct world world = make_world(1.5, 3);
    struct instrument_effect found = effect_of(&world);
    struct sides t = sides_of(&world, world.treatments),
                 y = sides_of(&world, world.outcomes);
    double ratio = (y.mean[1] - y.mean[0]) / (t.mean[1] - t.mean[0]);
    double share = t.count[1] / ROWS, moved = t.mean[1] - t.mean[0], left = 0;

    for (int i = 0; i < ROWS; i++)
        left += pow(world.outcomes[i] - mean_of(world.outcomes) -
                        ratio * (world.treatments[i] - mean_of(world.treatments)),
                    2);
    expect(found.value, ratio);
    expect(found.se,
           sqrt(left / (ROWS - 2) / (ROWS * share * (1 - share) * moved * moved)));
    expect(found.first_stage_f, f_between(&t));
    assert_int_equal(found.used_count, 1);
    assert_true(isnan(found.sargan) && isnan(found.sargan_p));
}

static void without_instruments_it_is_the_slope_and_the_test_tells_them_apart(void **)
{
    struct world world = make_world(1.5, 3);
    struct instrument_effect found = effect_of(&world);
    struct sides t = sides_of(&world, world.treatments);
    double tt = product(world.treatments, world.treatments), vv = t.square_sum;
    double slope = product(world.treatments, world.outcomes) / tt;
    double rho = (slope - found.value) * tt / vv; /* beside the treatment itself */
    double left = product(world.outcomes, world.outcomes) - slope * slope * tt -
                  rho * rho * vv * (1 - vv / tt);

    expect(found.least_squares, slope);
    expect(found.wu_hausman_t, rho / sqrt(left / (ROWS - 3) / (vv * (1 - vv / tt))));
    expect(found.wu_hausman_p, student_two_sided(found.wu_hausman_t, ROWS - 3));
    assert_true(found.wu_hausman_p < 0.01); /* what is not seen does move both */
}

/* Effects at the ends of the set leave differences in the outcome that are just not
 * rejected. */
static void the_set_ends_where_the_differences_that_are_left_are_just_rejected(void **)
{
    struct world world = make_world(1.5, 3);
    struct instrument_effect found = effect_of(&world);
    double ends[] = {found.set_low, found.set_high}, left[ROWS];

    assert_int_equal(found.set, INSTRUMENT_SET_INTERVAL);
    assert_true(found.set_low < found.value && found.value < found.set_high);
    for (int end = 0; end < 2; end++) {
        struct sides sides;

        for (int i = 0; i < ROWS; i++)
            left[i] = world.outcomes[i] - ends[end] * world.treatments[i];
        sides = sides_of(&world, left);
        expect(f_tail(f_between(&sides), 1, ROWS - 2), 0.05);
    }
}

/* The same, with a variance of its own on either side. */
static void with_robust_errors_the_set_ends_by_them(void **)
{
    struct world world = make_world(1.5, 3);
    bool dropped[INSTRUMENTS + COVARIATES];
    struct instrument_effect found;
    struct err err = {0};

    for (int i = 0; i < ROWS; i++)
        world.outcomes[i] *= 1 + 3 * world.instruments[i];
    assert_int_equal(estimate(&world, COVARIANCE_HC0, &found, dropped, &err), 0);
    assert_int_equal(found.set, INSTRUMENT_SET_INTERVAL);
    for (int end = 0; end < 2; end++) {
        double effect = end ? found.set_high : found.set_low, left[ROWS], variance = 0;
        struct sides sides;

        for (int i = 0; i < ROWS; i++)
            left[i] = world.outcomes[i] - effect * world.treatments[i];
        sides = sides_of(&world, left);
        for (int i = 0; i < ROWS; i++) {
            int side = world.instruments[i] > 0;

            variance += pow((left[i] - sides.mean[side]) / sides.count[side], 2);
        }
        expect(f_tail(pow(sides.mean[1] - sides.mean[0], 2) / variance, 1, ROWS - 2),
               0.05);
    }
}

static void an_instrument_that_moves_nothing_bounds_nothing(void **)
{
    struct world world = make_world(0, 3);
    struct instrument_effect found;

    for (int i = 0; i < ROWS; i++) { /* pairs of rows, one a hair ahead */
        world.instruments[i] = i % 2;
        world.treatments[i] = world.treatments[i - i % 2] + 0.001 * (i % 2);
    }
    found = effect_of(&world);
    assert_true(found.first_stage_f < INSTRUMENT_F_WEAK);
    assert_true(found.set == INSTRUMENT_SET_ALL || found.set == INSTRUMENT_SET_OUTSIDE);
}

static void scales_and_origins_change_units_only(void **)
{
    struct world world = make_world(1.5, 3), other = world;
    struct instrument_effect found = effect_of(&world), scaled;

    for (int i = 0; i < ROWS; i++) {
        other.treatments[i] = 5 - 10 * world.treatments[i];
        other.outcomes[i] = 1000 * world.outcomes[i] + 7;
        other.instruments[i] = 3 - world.instruments[i] / 4;
    }
    scaled = effect_of(&other);
    expect(scaled.value, -100 * found.value);
    expect(scaled.se, 100 * found.se);
    expect(scaled.first_stage_f, found.first_stage_f);
    expect(scaled.set_low, -100 * found.set_high);
    expect(scaled.wu_hausman_p, found.wu_hausman_p);
}

/* ---- several ---- */

/* Instruments that are centered and at right angles to one another. */
static void make_square(struct world *world)
{
    static const int signs[INSTRUMENTS][4] = {
        {1, 1, -1, -1}, {1, -1, 1, -1}, {1, -1, -1, 1}};

    for (int z = 0; z < INSTRUMENTS; z++)
        for (int i = 0; i < ROWS; i++)
            world->instruments[z * ROWS + i] = signs[z][i % 4];
    world->instrument_count = 2;
}

static void several_instruments_count_by_how_they_move_the_treatment(void **)
{
    struct world world = make_world(0, 3);
    struct instrument_effect found;
    double numerator = 0, denominator = 0, sargan = 0, left[ROWS];

    make_square(&world);
    for (int i = 0; i < ROWS; i++) {
        double push = world.instruments[i] + 0.7 * world.instruments[ROWS + i];

        world.treatments[i] += push;
        world.outcomes[i] += 3 * push;
    }
    for (int z = 0; z < 2; z++) {
        const double *own = world.instruments + z * ROWS;
        double pushed = product(own, world.treatments);

        numerator += pushed * product(own, world.outcomes);
        denominator += pushed * pushed;
    }
    found = effect_of(&world);
    expect(found.value, numerator / denominator);
    for (int i = 0; i < ROWS; i++)
        left[i] = world.outcomes[i] - found.value * world.treatments[i];
    for (int z = 0; z < 2; z++)
        sargan +=
            pow(product(world.instruments + z * ROWS, left), 2) / product(left, left);
    expect(found.sargan, sargan); /* n R^2, of instruments whose squares sum to n */
    expect(found.sargan_p, chi_square_tail(sargan, 1));
}

static void instruments_that_contradict_one_another_are_told(void **)
{
    struct world world = make_world(0, 3);
    struct instrument_effect found;

    make_square(&world);
    for (int i = 0; i < ROWS; i++) {
        double one = 2 * world.instruments[i], other = 2 * world.instruments[ROWS + i];

        world.treatments[i] += one + other;
        world.outcomes[i] += 3 * one - 3 * other; /* by the first 3, by the second -3 */
    }
    found = effect_of(&world);
    assert_true(found.sargan_p < 1e-6);
    assert_int_equal(found.set, INSTRUMENT_SET_EMPTY);
}

static void an_instrument_that_follows_from_others_changes_nothing(void **)
{
    struct world world = make_world(1.5, 3);
    struct instrument_effect alone = effect_of(&world), found;
    bool dropped[INSTRUMENTS + COVARIATES];
    struct err err = {0};

    for (int i = 0; i < ROWS; i++) {
        world.instruments[ROWS + i] = 4 - 2 * world.instruments[i];
        world.covariates[i] = 8;
    }
    world.instrument_count = 2;
    world.covariate_count = 1;
    assert_int_equal(estimate(&world, COVARIANCE_CLASSICAL, &found, dropped, &err), 0);
    assert_true(!dropped[0] && dropped[1] && dropped[2]);
    assert_int_equal(found.used_count, 1);
    expect(found.value, alone.value);
    expect(found.se, alone.se);
    expect(found.first_stage_f, alone.first_stage_f);
    assert_true(isnan(found.sargan) && isnan(found.sargan_p));
}

/* ---- clusters ---- */

enum { CLUSTER_ROWS = 4, CLUSTERS = ROWS / CLUSTER_ROWS };

/* Two instruments and what is not seen are those of clusters; the effect is 1. */
static struct instrument_effect clustered_effect(struct rng *rng, double strength,
                                                 bool are_told)
{
    static double t[ROWS], y[ROWS], z[2][ROWS];
    static int32_t clusters[ROWS];
    const struct regressor instruments[2] = {{.numbers = z[0]}, {.numbers = z[1]}};
    struct instrument_data data = {.row_count = ROWS,
                                   .instrument_count = 2,
                                   .treatments = t,
                                   .outcomes = y,
                                   .instruments = instruments};
    struct instrument_effect effect;
    bool dropped[2];
    struct err err = {0};

    for (int i = 0; i < ROWS; i++) {
        static double one, other, hidden;
        double own = 0.3 * rng_normal(rng);

        if (i % CLUSTER_ROWS == 0) {
            one = rng_normal(rng);
            other = rng_normal(rng);
            hidden = rng_normal(rng);
        }
        clusters[i] = i / CLUSTER_ROWS;
        z[0][i] = one;
        z[1][i] = other;
        t[i] = strength * (one + other) + hidden + own + rng_normal(rng);
        y[i] = t[i] + hidden + own;
    }
    if (are_told) {
        data.clusters = clusters;
        data.cluster_count = CLUSTERS;
    }
    if (instrument_estimate(&data, COVARIANCE_CLASSICAL, &effect, dropped, &err))
        fail_msg("%s", err.text);
    return effect;
}

static bool set_holds(const struct instrument_effect *effect, double value)
{
    bool is_between = effect->set_low <= value && value <= effect->set_high;

    switch (effect->set) {
    case INSTRUMENT_SET_INTERVAL:
        return is_between;
    case INSTRUMENT_SET_OUTSIDE:
        return !is_between;
    case INSTRUMENT_SET_ALL:
        return true;
    case INSTRUMENT_SET_EMPTY:
        break;
    }
    return false;
}

static void sets_and_tests_know_of_clusters(void **)
{
    enum { WORLDS = 400 };
    int held[2] = {0}, rejected[2] = {0};

    for (int are_told = 0; are_told < 2; are_told++) {
        struct rng rng;

        rng_seed(&rng, seed);
        for (int again = 0; again < WORLDS; again++) {
            struct instrument_effect effect = clustered_effect(&rng, 0.3, are_told);

            held[are_told] += set_holds(&effect, 1);
            rejected[are_told] += (are_told ? effect.hansen_p : effect.sargan_p) < 0.05;
            assert_true(isnan(are_told ? effect.sargan : effect.hansen));
        }
        printf(
            "%s clusters: %.1f %% of sets hold the truth, %.1f %% of right instruments "
            "are rejected\n",
            are_told ? "with" : "without", 100.0 * held[are_told] / WORLDS,
            100.0 * rejected[are_told] / WORLDS);
    }
    assert_true(held[0] < WORLDS * 80 / 100 && held[1] > WORLDS * 89 / 100);
    assert_true(rejected[0] > WORLDS * 20 / 100 && rejected[1] < WORLDS * 10 / 100);
}

/* ---- the edges ---- */

static void an_effect_that_explains_all_leaves_nothing_to_test(void **)
{
    struct world world = make_world(0, 3);
    struct instrument_effect found;

    make_square(&world);
    for (int i = 0; i < ROWS; i++) {
        world.treatments[i] += world.instruments[i] + world.instruments[ROWS + i];
        world.outcomes[i] = 1e6 + 0.1 * world.treatments[i];
    }
    found = effect_of(&world);
    expect(found.value, 0.1);
    assert_true(found.se < 1e-9);
    assert_true(isnan(found.sargan) && isnan(found.sargan_p));
    assert_true(isnan(found.wu_hausman_t) && isnan(found.wu_hausman_p));
}

static void what_has_no_answer_is_refused(void **)
{
    struct world world = make_world(1.5, 3);

    for (int i = 0; i < ROWS; i++)
        world.instruments[i] = 4;
    expect_refusal(&world, "every instrument is constant or follows from the covariates");

    world = make_world(1.5, 3);
    memcpy(world.covariates, world.instruments, ROWS * sizeof(double));
    world.covariate_count = 1;
    expect_refusal(&world, "every instrument is constant or follows from the covariates");

    world = make_world(1.5, 3);
    for (int i = 0; i < ROWS; i++)
        world.treatments[i] = 2 + 3 * world.instruments[i];
    expect_refusal(&world,
                   "the treatment follows from instruments and covariates exactly");

    world = make_world(1.5, 3);
    for (int i = 0; i < ROWS; i++) { /* pairs of rows, one with the instrument */
        world.instruments[i] = i % 2;
        world.treatments[i] = world.treatments[i - i % 2];
    }
    expect_refusal(&world, "the instruments do not move the treatment");
}

static void robust_errors_take_so_many_instruments_and_no_more(void **)
{
    enum { MANY = INSTRUMENT_ROBUST_COUNT_MAX + 1 };
    static double numbers[MANY][ROWS];
    struct regressor instruments[MANY] = {};
    bool dropped[MANY];
    struct world world = make_world(1.5, 3);
    struct instrument_data data = {.row_count = ROWS,
                                   .instrument_count = MANY,
                                   .treatments = world.treatments,
                                   .outcomes = world.outcomes,
                                   .instruments = instruments};
    struct instrument_effect effect;
    struct err err;
    struct rng rng;

    rng_seed(&rng, seed);
    for (int z = 0; z < MANY; z++) {
        instruments[z].numbers = numbers[z];
        for (int i = 0; i < ROWS; i++)
            numbers[z][i] = rng_normal(&rng);
    }
    assert_int_equal(
        instrument_estimate(&data, COVARIANCE_CLASSICAL, &effect, dropped, &err),
        STATUS_OK);
    assert_int_equal(instrument_estimate(&data, COVARIANCE_HC1, &effect, dropped, &err),
                     STATUS_TOO_LARGE);
    data.instrument_count--;
    assert_int_equal(instrument_estimate(&data, COVARIANCE_HC1, &effect, dropped, &err),
                     STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_instrument_of_two_values_gives_the_ratio_of_differences),
        cmocka_unit_test(
            without_instruments_it_is_the_slope_and_the_test_tells_them_apart),
        cmocka_unit_test(
            the_set_ends_where_the_differences_that_are_left_are_just_rejected),
        cmocka_unit_test(with_robust_errors_the_set_ends_by_them),
        cmocka_unit_test(an_instrument_that_moves_nothing_bounds_nothing),
        cmocka_unit_test(sets_and_tests_know_of_clusters),
        cmocka_unit_test(scales_and_origins_change_units_only),
        cmocka_unit_test(several_instruments_count_by_how_they_move_the_treatment),
        cmocka_unit_test(instruments_that_contradict_one_another_are_told),
        cmocka_unit_test(an_instrument_that_follows_from_others_changes_nothing),
        cmocka_unit_test(an_effect_that_explains_all_leaves_nothing_to_test),
        cmocka_unit_test(what_has_no_answer_is_refused),
        cmocka_unit_test(robust_errors_take_so_many_instruments_and_no_more),
    };

    if (getenv("SEED"))
        seed = strtoull(getenv("SEED"), NULL, 10);
    printf("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
