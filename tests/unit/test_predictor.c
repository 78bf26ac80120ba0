/* test_predictor.c - what is learned does not depend on the units that things are in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/predictor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROW_COUNT = 2000, WIDTH = 2 };

static float features[ROW_COUNT * WIDTH];
static double targets[ROW_COUNT], weights[ROW_COUNT];
static uint32_t all[ROW_COUNT];
static const struct row_set set = {ROW_COUNT, all};

/* The first feature, in a unit, and noise are the target, in another; the second is the
 * same for all. */
static void draw_rows(double feature_unit, double target_unit)
{
    struct rng rng;

    rng_seed(&rng, 5);
    for (int row = 0; row < ROW_COUNT; row++) {
        double x = rng_normal(&rng);

        features[row * WIDTH] = (float)(x * feature_unit);
        features[row * WIDTH + 1] = 0.1F;
        targets[row] = (2 + x + rng_normal(&rng)) * target_unit;
        weights[row] = 1 + row % 3;
        all[row] = (uint32_t)row;
    }
}

/* Predictions (row) and gains (feature); false without libxgboost. */
static bool learn(enum predictor_base base, const double *row_weights,
                  double predictions[ROW_COUNT], double gains[WIDTH])
{
    const struct predictor_settings settings = {.base = base,
                                                .round_count = 40,
                                                .depth = 3,
                                                .rate = 0.1,
                                                .leaf_share = 0.02,
                                                .row_share = 0.7,
                                                .column_share = 1,
                                                .ridge = 1,
                                                .seed = 1};
    const struct feature_rows rows = {.feature_count = WIDTH, .values = features};
    struct predictor *predictor;
    struct err err = {0};

    if (predictor_fit(&settings, &rows, set, targets, row_weights, &predictor, &err)) {
        assert_non_null(strstr(err.text, "libxgboost0"));
        printf("SKIPPED: %s\n", err.text);
        return false;
    }
    assert_int_equal(predictor_predict(predictor, &rows, set, true, predictions, &err),
                     0);
    assert_int_equal(predictor_gains(predictor, gains, &err), 0);
    predictor_close(predictor);
    return true;
}

/* To a few bits: the library reads where scores begin as a text. */
static void trees_learn_targets_in_any_unit(void **state)
{
    static const int bits[] = {-2, -8, -17, -30, -48, 20, 60, 90};
    double first[ROW_COUNT], other[ROW_COUNT], gains[WIDTH], other_gains[WIDTH];

    (void)state;
    for (int has_weights = 0; has_weights < 2; has_weights++) {
        const double *given = has_weights ? weights : NULL;

        draw_rows(1, 1);
        if (!learn(PREDICTOR_TREES, given, first, gains))
            return;
        assert_true(gains[0] > 1000);
        for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
            draw_rows(1, ldexp(1, bits[i]));
            assert_true(learn(PREDICTOR_TREES, given, other, other_gains));
            for (int row = 0; row < ROW_COUNT; row++)
                if (!(fabs(ldexp(other[row], -bits[i]) - first[row]) < 1e-5))
                    fail_msg("in units of 2^%d: %.9g instead of %.9g", bits[i],
                             ldexp(other[row], -bits[i]), first[row]);
            assert_true(fabs(ldexp(other_gains[0], -2 * bits[i]) / gains[0] - 1) < 1e-4);
        }
    }
}

/* What is the same for all rows is left out, though its mean is off by rounding. */
static void linear_models_learn_from_features_in_any_unit(void **state)
{
    static const double units[] = {1, 1e-6, 1e-12, 1e-13, 1e-20, 1e-35, 1e15, 1e28};
    double first[ROW_COUNT], other[ROW_COUNT], gains[WIDTH];

    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        draw_rows(units[i], 1);
        assert_true(learn(PREDICTOR_LINEAR, weights, i ? other : first, gains));
        assert_true(gains[0] > 0.9);
        assert_true(gains[1] == 0);
        for (int row = 0; i && row < ROW_COUNT; row++)
            if (!(fabs(other[row] - first[row]) < 1e-6))
                fail_msg("in units of %g: %.9g instead of %.9g", units[i], other[row],
                         first[row]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_learn_targets_in_any_unit),
        cmocka_unit_test(linear_models_learn_from_features_in_any_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
