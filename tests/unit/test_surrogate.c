/* test_surrogate.c - the surrogate index against closed forms, and its error against
 * worlds drawn again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/distribution.h"
#include "learn/surrogate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY = 150, EXPERIMENT = 200, COLUMNS = 2 };

struct world {
    double history[COLUMNS * HISTORY], outcomes[HISTORY];
    double experiment[COLUMNS * EXPERIMENT], treatments[EXPERIMENT], matured[EXPERIMENT];
    int column_count, surrogate_count;
    int history_count;
    bool has_matured;
    bool dropped[COLUMNS]; /* found */
};

static uint64_t seed = 3;

/* One surrogate, which a treatment raises by 2 and a unit of which is worth 5 in the
 * end. */
static struct world make_world(struct rng *rng, double noise)
{
    struct world world = {
        .column_count = 1, .surrogate_count = 1, .history_count = HISTORY};

    for (int i = 0; i < HISTORY; i++) {
        world.history[i] = rng_normal(rng);
        world.outcomes[i] = 40 + 5 * world.history[i] + noise * rng_normal(rng);
    }
    for (int i = 0; i < EXPERIMENT; i++) {
        world.treatments[i] = rng_below(rng, 3) == 0;
        world.experiment[i] = 2 * world.treatments[i] + rng_normal(rng);
    }
    return world;
}

static struct world world_of_seed(double noise)
{
    struct rng rng;

    rng_seed(&rng, seed);
    return make_world(&rng, noise);
}

static enum status estimate(struct world *world, struct surrogate_effect *effect,
                            struct err *err)
{
    struct regressor history[COLUMNS] = {}, experiment[COLUMNS] = {};
    const struct surrogate_data data = {
        .column_count = world->column_count,
        .surrogate_count = world->surrogate_count,
        .history_count = world->history_count,
        .history = history,
        .outcomes = world->outcomes,
        .experiment_count = EXPERIMENT,
        .experiment = experiment,
        .treatments = world->treatments,
        .matured = world->has_matured ? world->matured : NULL,
    };

    for (int c = 0; c < COLUMNS; c++) {
        history[c].numbers = world->history + c * HISTORY;
        experiment[c].numbers = world->experiment + c * EXPERIMENT;
    }
    return surrogate_estimate(&data, effect, world->dropped, err);
}

static struct surrogate_effect effect_of(struct world *world)
{
    struct surrogate_effect effect;
    struct err err = {0};

    if (estimate(world, &effect, &err))
        fail_msg("%s", err.text);
    return effect;
}

static void expect(double found, double known)
{
    if (!(fabs(found - known) <= 1e-9 * (1 + fabs(known))))
        fail_msg("%.17g is not %.17g", found, known);
}

/* ---- plain arithmetic ---- */

/* The line through the history. */
struct line {
    double mean, xx, xy, yy, slope, robust; /* HC0 variance of the slope */
};

static struct line line_of(const struct world *world)
{
    struct line line = {};
    double outcome = 0;

    for (int i = 0; i < HISTORY; i++) {
        line.mean += world->history[i] / HISTORY;
        outcome += world->outcomes[i] / HISTORY;
    }
    for (int i = 0; i < HISTORY; i++) {
        double x = world->history[i] - line.mean, y = world->outcomes[i] - outcome;

        line.xx += x * x;
        line.xy += x * y;
        line.yy += y * y;
    }
    line.slope = line.xy / line.xx;
    for (int i = 0; i < HISTORY; i++) {
        double x = world->history[i] - line.mean;
        double left = world->outcomes[i] - outcome - line.slope * x;

        line.robust += x * x * left * left / (line.xx * line.xx);
    }
    return line;
}

/* Mean and variance of the mean of the surrogate in an arm. */
static void measure_arm(const struct world *world, int arm, double *mean,
                        double *variance)
{
    double count = 0, square_sum = 0;

    *mean = 0;
    for (int i = 0; i < EXPERIMENT; i++)
        if (world->treatments[i] == arm) {
            count++;
            *mean += world->experiment[i];
        }
    *mean /= count;
    for (int i = 0; i < EXPERIMENT; i++)
        if (world->treatments[i] == arm)
            square_sum += pow(world->experiment[i] - *mean, 2);
    *variance = square_sum / (count - 1) / count;
}

/* ---- the index ---- */

static void of_one_surrogate_it_is_slope_times_difference(void **)
{
    struct world world = world_of_seed(8);
    struct surrogate_effect found = effect_of(&world);
    struct line line = line_of(&world);
    double means[2], variances[2], moved;

    measure_arm(&world, 0, &means[0], &variances[0]);
    measure_arm(&world, 1, &means[1], &variances[1]);
    moved = means[1] - means[0];
    expect(found.value, line.slope * moved);
    expect(found.se_sampling, fabs(line.slope) * sqrt(variances[0] + variances[1]));
    expect(found.se,
           sqrt(found.se_sampling * found.se_sampling + moved * moved * line.robust));
    expect(found.r_squared, line.xy * line.xy / line.xx / line.yy);
    assert_int_equal(found.treated_count + found.control_count, EXPERIMENT);
    assert_int_equal(found.matured_count, 0);
    assert_true(isnan(found.direct));
}

static void a_history_without_noise_adds_no_error(void **)
{
    struct world world = world_of_seed(0);
    struct surrogate_effect found = effect_of(&world);

    expect(found.r_squared, 1);
    expect(found.se, found.se_sampling);
}

static void origins_and_surrogates_that_say_it_again_change_nothing(void **)
{
    struct world world = world_of_seed(8);
    struct surrogate_effect alone = effect_of(&world), found;

    world.column_count = world.surrogate_count = 2;
    for (int i = 0; i < HISTORY; i++) {
        world.history[HISTORY + i] = 7 - 3 * world.history[i];
        world.outcomes[i] += 1000;
    }
    for (int i = 0; i < EXPERIMENT; i++)
        world.experiment[EXPERIMENT + i] = 7 - 3 * world.experiment[i];
    found = effect_of(&world);
    expect(found.value, alone.value);
    expect(found.se, alone.se);
}

/* The column before is a covariate; the experiment tells both apart, the history does
 * not. */
static void what_the_history_does_not_tell_apart_is_named(void **)
{
    struct world world = world_of_seed(8);
    struct surrogate_effect found;
    struct err err = {0};

    world.column_count = 2;
    for (int i = 0; i < HISTORY; i++)
        world.history[HISTORY + i] = 7;
    assert_int_equal(estimate(&world, &found, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "every surrogate is constant or follows"));
    assert_int_equal(found.used_count, 0);
    for (int i = 0; i < HISTORY; i++)
        world.history[HISTORY + i] = 7 - 3 * world.history[i];
    assert_int_equal(estimate(&world, &found, &err), STATUS_INVALID);
    assert_true(!world.dropped[0] && world.dropped[1]);
    for (int i = 0; i < HISTORY; i++)
        world.history[i] = 7;
    found = effect_of(&world);
    assert_true(world.dropped[0] && !world.dropped[1]);
    assert_int_equal(found.used_count, 1);
    for (int i = 0; i < HISTORY; i++)
        world.history[i] = i % 5;
    found = effect_of(&world);
    assert_true(!world.dropped[0] && !world.dropped[1]);
}

/* The history's error is part of it: a fresh history and experiment each time. */
static void intervals_hold_the_truth_as_often_as_they_say(void **)
{
    enum { TURNS = 2000 };
    int held = 0, held_without = 0;
    struct rng rng;

    rng_seed(&rng, seed);
    for (int turn = 0; turn < TURNS; turn++) {
        struct world world = make_world(&rng, 25);
        struct surrogate_effect found = effect_of(&world);

        held += fabs(found.value - 10) <= NORMAL_95 * found.se;
        held_without += fabs(found.value - 10) <= NORMAL_95 * found.se_sampling;
    }
    printf("held in %.1f %%, without the first stage's error in %.1f %%\n",
           100.0 * held / TURNS, 100.0 * held_without / TURNS);
    assert_in_range(held, 0.925 * TURNS, 0.97 * TURNS);
    assert_true(held_without < 0.5 * TURNS);
}

/* ---- what is known already ---- */

static void what_a_treatment_does_beside_the_surrogates_is_found(void **)
{
    struct world world = world_of_seed(8);
    struct surrogate_effect found;

    world.has_matured = true;
    for (int i = 0; i < EXPERIMENT; i++)
        world.matured[i] = i % 2 ? NAN
                                 : 3 + 5 * world.experiment[i] +
                                       0.5 * world.treatments[i] + (i % 4 ? 1e-3 : -1e-3);
    found = effect_of(&world);
    assert_int_equal(found.matured_count, EXPERIMENT / 2);
    assert_true(fabs(found.direct - 0.5) < 1e-3);
    assert_true(found.direct_p < 1e-12);
    for (int i = 0; i < EXPERIMENT; i++)
        world.matured[i] -= 0.5 * world.treatments[i];
    found = effect_of(&world);
    assert_true(fabs(found.direct) < 5 * found.direct_se);
}

static void too_few_known_outcomes_say_nothing_of_it(void **)
{
    struct world world = world_of_seed(8);

    world.has_matured = true;
    for (int i = 0; i < EXPERIMENT; i++)
        world.matured[i] = i < 3 ? i : NAN;
    assert_true(isnan(effect_of(&world).direct));
    for (int i = 0; i < EXPERIMENT; i++) /* of one arm only */
        world.matured[i] = world.treatments[i] > 0 ? i % 7 : NAN;
    assert_true(isnan(effect_of(&world).direct_p));
}

/* ---- the edges ---- */

static void what_has_no_error_is_refused(void **)
{
    struct surrogate_effect effect;
    struct world world = world_of_seed(8);
    struct err err = {0};

    for (int i = 0; i < EXPERIMENT; i++)
        world.treatments[i] = i == 0;
    assert_int_equal(estimate(&world, &effect, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "two rows of each arm"));
    world = world_of_seed(8);
    memset(world.treatments, 0, sizeof world.treatments);
    assert_int_equal(estimate(&world, &effect, &err), STATUS_INVALID);
    world = world_of_seed(8);
    world.history_count = 2;
    assert_int_equal(estimate(&world, &effect, &err), STATUS_INVALID);
    world.history_count = 3;
    assert_int_equal(estimate(&world, &effect, &err), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_one_surrogate_it_is_slope_times_difference),
        cmocka_unit_test(a_history_without_noise_adds_no_error),
        cmocka_unit_test(origins_and_surrogates_that_say_it_again_change_nothing),
        cmocka_unit_test(what_the_history_does_not_tell_apart_is_named),
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(what_a_treatment_does_beside_the_surrogates_is_found),
        cmocka_unit_test(too_few_known_outcomes_say_nothing_of_it),
        cmocka_unit_test(what_has_no_error_is_refused),
    };

    if (getenv("SEED"))
        seed = strtoull(getenv("SEED"), NULL, 10);
    printf("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
