/* test_panel.c - placebos of panels, and whether others can stand for a unit, on panels
 * with a known truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/distribution.h"
#include "learn/panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { UNITS_MAX = 20, PERIODS_MAX = 16 };

static uint64_t seed = 11;

struct world {
    struct panel panel;
    double outcomes[UNITS_MAX * PERIODS_MAX];
    double unit_weights[UNITS_MAX], time_weights[PERIODS_MAX];
};

static double *cell(struct world *world, int unit, int period)
{
    return &world->outcomes[unit * world->panel.period_count + period];
}

/* Units of a level each, with noise; nothing happens to any. */
static void make_world(struct rng *rng, int units, int pre, int post, double noise,
                       struct world *world)
{
    world->panel = (struct panel){units, pre + post, pre, world->outcomes};
    for (int unit = 0; unit < units; unit++) {
        double level = 100 + 3 * rng_normal(rng);

        for (int t = 0; t < pre + post; t++)
            *cell(world, unit, t) = level + noise * rng_normal(rng);
    }
}

static struct panel_effect effect_of(struct world *world, enum panel_method method)
{
    struct panel_effect effect;
    struct err err = {0};

    if (panel_estimate(&world->panel, method, 0, -1, &effect, world->unit_weights,
                       world->time_weights, &err))
        fail_msg("%s", err.text);
    return effect;
}

static struct panel_placebo placebo_of(const struct world *world,
                                       enum panel_method method)
{
    struct panel_placebo placebo;
    struct err err = {0};

    if (panel_placebo(&world->panel, method, 0, &placebo, &err))
        fail_msg("%s", err.text);
    return placebo;
}

static struct panel_fit fit_with(const struct panel *panel, enum panel_method method,
                                 const double *unit_weights, const double *time_weights)
{
    struct panel_fit fit;
    struct err err;

    if (panel_fit(panel, method, 0, unit_weights, time_weights, &fit, &err))
        fail_msg("%s", err.text);
    return fit;
}

static struct panel_fit fit_of(struct world *world, enum panel_method method)
{
    effect_of(world, method);
    return fit_with(&world->panel, method, world->unit_weights, world->time_weights);
}

/* ---- ranks ---- */

static void one_period_before_ranks_by_the_effect(void **)
{
    struct world world;
    struct panel_placebo placebo;
    struct rng rng;

    rng_seed(&rng, seed);
    make_world(&rng, 10, 1, 1, 1, &world);
    *cell(&world, 0, 1) += 1000;
    placebo = placebo_of(&world, PANEL_DID);
    assert_true(effect_of(&world, PANEL_DID).is_exact && placebo.is_by_effect);
    assert_int_equal(placebo.rank, 1);
    assert_true(fabs(placebo.p - 0.1) < 1e-12);
    make_world(&rng, 10, 5, 1, 1, &world);
    assert_false(placebo_of(&world, PANEL_DID).is_by_effect);
}

/* Adding a number to all outcomes changes how rounding falls, and nothing else. */
static void a_perfect_fit_is_ranked_alike_on_every_level(void **)
{
    for (int again = 0; again < 20; again++) {
        struct world world;
        struct panel_placebo first, second;
        struct rng rng;

        rng_seed(&rng, seed + (uint64_t)again);
        make_world(&rng, 20, 2, 2, 3, &world);
        for (int t = 0; t < 4; t++)
            *cell(&world, 0, t) = 100; /* among the others */
        assert_true(effect_of(&world, PANEL_SC).is_exact);
        first = placebo_of(&world, PANEL_SC);
        for (int i = 0; i < 20 * 4; i++)
            world.outcomes[i] += 777;
        second = placebo_of(&world, PANEL_SC);
        assert_true(first.is_by_effect && second.is_by_effect);
        assert_int_equal(first.rank, second.rank);
    }
}

/* ---- errors ---- */

static void errors_of_two_others_or_of_equal_effects_are_none(void **)
{
    struct world world;
    struct rng rng;

    rng_seed(&rng, seed);
    make_world(&rng, 3, 4, 2, 1, &world);
    assert_true(isnan(placebo_of(&world, PANEL_DID).se));
    make_world(&rng, 4, 4, 2, 1, &world);
    assert_true(placebo_of(&world, PANEL_DID).se > 0);
    make_world(&rng, 6, 4, 2, 0, &world); /* parallel to the last digit but rounding */
    assert_true(isnan(placebo_of(&world, PANEL_DID).se));
}

static void intervals_of_few_others_hold_the_truth(void **)
{
    enum { WORLDS = 1000 };
    static const int units[] = {4, 6, 12};

    for (int i = 0; i < 3; i++)
        for (enum panel_method method = 0; method < PANEL_METHOD_COUNT; method++) {
            int held = 0;
            struct rng rng;

            rng_seed(&rng, seed);
            for (int again = 0; again < WORLDS; again++) {
                struct world world;
                struct panel_placebo placebo;

                make_world(&rng, units[i], 6, 4, 1, &world);
                placebo = placebo_of(&world, method);
                held += fabs(effect_of(&world, method).value) <=
                        student_95(placebo.count - 1) * placebo.se;
            }
            printf("%d others, %s: %.1f %% hold the truth\n", units[i] - 1,
                   panel_method_name(method), 100.0 * held / WORLDS);
            assert_in_range(held, WORLDS * 91 / 100, WORLDS);
        }
}

/* ---- the fit before ---- */

static void a_unit_on_a_trend_of_its_own_has_no_stand_in(void **)
{
    struct world world;
    struct rng rng;

    rng_seed(&rng, seed);
    make_world(&rng, 8, 8, 4, 1, &world);
    for (int t = 0; t < 12; t++)
        *cell(&world, 0, t) += 60 + 3 * t;
    for (enum panel_method method = 0; method < PANEL_METHOD_COUNT; method++) {
        double before = 3.5, value = effect_of(&world, method).value;
        struct panel_fit fit = fit_of(&world, method);

        for (int t = 0; t < 8 && method == PANEL_SDID; t++)
            before += (t - 3.5) * world.time_weights[t];
        assert_true(fit.misfit > 3 * fit.noise && fit.slope_p < 0.01);
        assert_true(fabs(fit.slope - 3) < 1);
        assert_true(fabs(fit.drift - fit.slope * (9.5 - before)) < 1e-9);
        assert_true(method == PANEL_SC || fabs(fit.drift - value) < 6);
        assert_true(fit.outside_share == 1);
    }
}

/* One that is like the others is called unlike them as rarely as the p says. */
static void a_unit_like_the_others_is_seldom_doubted(void **)
{
    enum { WORLDS = 2000 };
    int trends = 0, misfits = 0;
    struct rng rng;

    rng_seed(&rng, seed);
    for (int again = 0; again < WORLDS; again++) {
        struct world world;
        struct panel_fit fit;

        make_world(&rng, 8, 6, 4, 1, &world);
        fit = fit_of(&world, PANEL_DID);
        trends += fit.slope_p < 0.05;
        misfits += fit.misfit > 3 * fit.noise;
    }
    assert_in_range(trends, WORLDS * 3 / 100, WORLDS * 7 / 100);
    assert_in_range(misfits, 0, WORLDS / 100);
}

/* Values by hand: others at 1, 3 and 2, 4; the treated at 5, 9. */
static void the_fit_of_a_panel_by_hand(void **)
{
    struct world world = {.panel = {3, 3, 2, NULL},
                          .outcomes = {5, 9, 0, /**/ 1, 3, 0, /**/ 2, 4, 0}};
    struct panel_fit fit;

    world.panel.outcomes = world.outcomes;
    fit = fit_of(&world, PANEL_SC);
    assert_true(fabs(fit.misfit - sqrt((9 + 25) / 2.0)) < 1e-9);
    assert_true(fabs(fit.spread - sqrt(0.5)) < 1e-12 && fit.noise < 1e-7);
    assert_true(fit.outside_share == 1 && fabs(fit.slope - 2) < 1e-9);
    assert_true(isnan(fit.slope_p));
    assert_true(fabs(fit_of(&world, PANEL_DID).misfit - 1) < 1e-9);
}

/* Levels as far apart as given, which the means of units explain: the noise beside them
 * stays what it is. */
static void noise_is_told_beside_levels_of_any_size(void **)
{
    static const double scales[] = {0, 10, 1e4, 1e8, 1e10};
    double noise = 0;

    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        struct world world;
        struct panel_fit fit;
        struct rng rng;

        rng_seed(&rng, seed);
        make_world(&rng, 12, 8, 2, 1, &world);
        for (int unit = 0; unit < 12; unit++)
            for (int t = 0; t < 10; t++)
                *cell(&world, unit, t) += scales[i] * (unit + 1);
        fit = fit_of(&world, PANEL_DID);
        noise = i == 0 ? fit.noise : noise;
        assert_true(noise > 0.7 && noise < 1.3);
        assert_true(fabs(fit.noise - noise) < 1e-4);
        assert_true(fit.misfit < 3 * fit.noise);
    }
}

/* Slopes of 0, 0, 1 and 3 have a variance of 2; the treated is off the weighted mean of
 * them by as many errors as the root of 3, of three degrees of freedom, of which p is 1 -
 * 2 (1 / 2 + pi / 4) / pi. */
static void a_slope_is_off_by_its_own_error_and_that_of_the_weighted_others(void **)
{
    static const struct {
        double weights[5], mean, factor;
    } rows[] = {
        {{0, 0.25, 0.25, 0.25, 0.25}, 1, 1.25},
        {{0, 0, 0, 0, 1}, 3, 2},
        {{0, 0.5, 0, 0.5, 0}, 0.5, 1.5},
    };
    const double times[] = {0.5, 0.5};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double own = rows[i].mean + sqrt(3 * 2 * rows[i].factor);
        const double outcomes[] = {7,      7 + own, 0, /**/ 1, 1, 0, /**/ 2, 2, 0,
                                   /**/ 3, 4,       0, /**/ 4, 7, 0};
        const struct panel panel = {5, 3, 2, outcomes};
        struct panel_fit fit = fit_with(&panel, PANEL_SC, rows[i].weights, times);

        assert_true(fabs(fit.slope - (own - rows[i].mean)) < 1e-12);
        assert_true(fabs(fit.slope_p - (0.5 - M_1_PI)) < 1e-12);
    }
}

/* Others that rise alike to the last digit, from 0 and from 1 on. */
static void a_slope_beside_parallel_others_is_told_on_every_level(void **)
{
    for (int rise = 1; rise <= 3; rise++)
        for (int level = 0; level <= 1; level++) {
            struct world world = {.panel = {6, 6, 5, NULL}};
            double p;

            world.panel.outcomes = world.outcomes;
            for (int unit = 0; unit < 6; unit++)
                for (int t = 0; t < 6; t++)
                    *cell(&world, unit, t) = level + t * (unit == 0 ? rise : 1);
            p = fit_of(&world, PANEL_DID).slope_p;
            assert_true(rise == 1 ? p > 0.9 : p < 1e-9);
        }
}

/* Others from 1 to 2; above them once, below them twice. */
static void a_unit_is_outside_on_one_side_only(void **)
{
    const double outcomes[] = {3, 0, 0, 1.5, 0, /**/ 1, 1, 1, 1, 0, /**/ 2, 2, 2, 2, 0};
    const double units[] = {0, 0.5, 0.5}, times[] = {0.25, 0.25, 0.25, 0.25};
    const struct panel panel = {3, 5, 4, outcomes};

    assert_true(fit_with(&panel, PANEL_DID, units, times).outside_share == 0.5);
}

/* ---- weights ---- */

static void weights_of_small_panels_are_the_best_there_are(void **)
{
    int loose = 0;

    for (int again = 0; again < 150; again++) {
        struct world world;
        struct panel_effect effect;
        struct rng rng;

        rng_seed(&rng, seed + (uint64_t)again);
        make_world(&rng, 4, 6, 4, 1, &world);
        effect = effect_of(&world, PANEL_SDID);
        if (!(effect.gap < 1e-6))
            fail_msg("gap %g in panel %d", effect.gap, again);
        loose += effect.is_loose;
    }
    assert_true(loose > 40); /* three others tell three periods apart, of six */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_period_before_ranks_by_the_effect),
        cmocka_unit_test(a_perfect_fit_is_ranked_alike_on_every_level),
        cmocka_unit_test(errors_of_two_others_or_of_equal_effects_are_none),
        cmocka_unit_test(intervals_of_few_others_hold_the_truth),
        cmocka_unit_test(a_unit_on_a_trend_of_its_own_has_no_stand_in),
        cmocka_unit_test(a_unit_like_the_others_is_seldom_doubted),
        cmocka_unit_test(the_fit_of_a_panel_by_hand),
        cmocka_unit_test(noise_is_told_beside_levels_of_any_size),
        cmocka_unit_test(a_slope_is_off_by_its_own_error_and_that_of_the_weighted_others),
        cmocka_unit_test(a_slope_beside_parallel_others_is_told_on_every_level),
        cmocka_unit_test(a_unit_is_outside_on_one_side_only),
        cmocka_unit_test(weights_of_small_panels_are_the_best_there_are),
    };

    if (getenv("SEED"))
        seed = strtoull(getenv("SEED"), NULL, 10);
    printf("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
