/* test_explore.c - choosing by chance: probabilities that are those of the formula, kept
 * in their bounds, and met by the draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "optimize/choose.h"
#include "optimize/explore.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_COUNT = 32, RUN_COUNT = 20000 };

/* Options as chance could have made them. */
struct stage {
    struct exploration exploration;
    double net[OPTION_COUNT], costs[OPTION_COUNT];
    int64_t amounts[OPTION_COUNT];
    bool is_open[OPTION_COUNT];
    int count, best;
    double probabilities[OPTION_COUNT];
};

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void explore(struct stage *stage)
{
    explore_probabilities(&stage->exploration, stage->net, stage->costs, stage->is_open,
                          stage->count, stage->best, stage->probabilities);
}

/* 0 now and then, else anything up to most. */
static double some(struct rng *rng, double most)
{
    return rng_below(rng, 4) == 0 ? 0 : rng_uniform(rng) * most;
}

static void make(struct rng *rng, struct stage *stage)
{
    *stage = (struct stage){
        .exploration = {.epsilon = some(rng, 1),
                        .temperature = some(rng, 300),
                        .cost_scale = some(rng, 2000),
                        .floor = some(rng, 1.0 / OPTION_COUNT)},
        .count = 1 + (int)rng_below(rng, OPTION_COUNT),
    };
    for (int i = 0; i < stage->count; i++) {
        stage->amounts[i] = 100 * i;
        stage->costs[i] = 90.0 * i;
        stage->net[i] = i == 0 ? 0 : 300 * rng_normal(rng);
        stage->is_open[i] = i == 0 || rng_below(rng, 3) > 0;
    }
    stage->best = choose_greedy(stage->net, stage->amounts, stage->is_open, stage->count);
}

/* --- the formula ------------------------------------------------------------------------------ */

/* As the header has it, word for word, with the library's exp(). */
static double by_formula(const struct stage *stage, int option)
{
    const struct exploration *by = &stage->exploration;
    double largest = -INFINITY, softmax_sum = 0, cost_sum = 0, softmax, u;
    int n = 0;

    for (int i = 0; i < stage->count; i++)
        if (stage->is_open[i]) {
            largest = fmax(largest, stage->net[i]);
            n++;
        }
    for (int i = 0; i < stage->count; i++)
        if (stage->is_open[i]) {
            softmax_sum += exp((stage->net[i] - largest) / by->temperature);
            cost_sum += exp(-stage->costs[i] / by->cost_scale);
        }
    softmax = by->temperature > 0
                  ? exp((stage->net[option] - largest) / by->temperature) / softmax_sum
                  : option == stage->best;
    u = by->cost_scale > 0 ? exp(-stage->costs[option] / by->cost_scale) / cost_sum
                           : 1.0 / n;
    return by->floor +
           (1 - n * by->floor) * ((1 - by->epsilon) * softmax + by->epsilon * u);
}

static void probabilities_are_those_of_the_formula(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int run = 0; run < RUN_COUNT; run++) {
        struct stage stage;
        double sum = 0;

        make(&rng, &stage);
        explore(&stage);
        for (int i = 0; i < stage.count; i++) {
            double wanted = stage.is_open[i] ? by_formula(&stage, i) : 0;

            sum += stage.probabilities[i];
            if (fabs(stage.probabilities[i] - wanted) > 1e-10 * wanted + 1e-300)
                fail_msg("run %d, option %d: %.17g, wanted %.17g", run, i,
                         stage.probabilities[i], wanted);
        }
        assert_true(fabs(sum - 1) <= 1e-12);
    }
}

static void nothing_falls_below_the_floor_and_nothing_is_given_to_what_is_closed(
    void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int run = 0; run < RUN_COUNT; run++) {
        struct stage stage;

        make(&rng, &stage);
        explore(&stage);
        for (int i = 0; i < stage.count; i++)
            if (stage.is_open[i])
                assert_true(stage.probabilities[i] >=
                            stage.exploration.floor * (1 - DBL_EPSILON));
            else
                assert_true(stage.probabilities[i] == 0);
    }
}

static void without_exploration_the_best_is_certain(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int run = 0; run < 1000; run++) {
        struct stage stage;

        make(&rng, &stage);
        stage.exploration = (struct exploration){.cost_scale = 100};
        explore(&stage);
        assert_true(stage.probabilities[stage.best] == 1);
        assert_int_equal(
            explore_choose(stage.probabilities, stage.count, rng_uniform(&rng)),
            stage.best);
    }
}

/* Also where the best may not be explored, such as one above the policy's cap. */
static void the_best_is_always_open(void **state)
{
    const double net[] = {0, 10, 20}, costs[] = {0, 5, 9};
    const bool is_open[] = {true, true, false};
    double probabilities[3];

    (void)state;
    explore_probabilities(&(struct exploration){.epsilon = 0.3}, net, costs, is_open, 3,
                          2, probabilities);
    assert_true(fabs(probabilities[0] - 0.1) < 1e-15);
    assert_true(fabs(probabilities[2] - 0.8) < 1e-15);
}

/* A floor that does not fit becomes the same for all. */
static void a_floor_is_at_most_an_equal_share(void **state)
{
    const double net[] = {0, 10, 20, 30}, costs[] = {0, 1, 2, 3};
    const bool is_open[] = {true, true, true, true};
    double probabilities[4];

    (void)state;
    explore_probabilities(&(struct exploration){.floor = 0.5}, net, costs, is_open, 4, 3,
                          probabilities);
    for (int i = 0; i < 4; i++)
        assert_true(probabilities[i] == 0.25);
}

/* --- numbers at the ends ---------------------------------------------------------------------- */

static void no_number_makes_a_probability_that_is_none(void **state)
{
    static const double extremes[] = {
        0,     -0.0,   1,       -1,       1e-300,   -1e-300,   1e9, -1e9,
        1e300, -1e300, DBL_MAX, -DBL_MAX, INFINITY, -INFINITY, NAN, 0x1p-1074,
    };
    enum { EXTREME_COUNT = sizeof extremes / sizeof extremes[0] };
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int run = 0; run < RUN_COUNT; run++) {
        struct stage stage;
        double sum = 0;

        make(&rng, &stage);
        for (int i = 0; i < stage.count; i++) {
            stage.net[i] = extremes[rng_below(&rng, EXTREME_COUNT)];
            stage.costs[i] = extremes[rng_below(&rng, 12)];
        }
        if (rng_below(&rng, 2))
            stage.exploration.temperature = fabs(extremes[rng_below(&rng, 12)]);
        if (rng_below(&rng, 2))
            stage.exploration.cost_scale = fabs(extremes[rng_below(&rng, 12)]);
        stage.best = choose_greedy(stage.net, stage.amounts, stage.is_open, stage.count);
        if (stage.best < 0)
            continue;
        explore(&stage);
        for (int i = 0; i < stage.count; i++) {
            assert_true(stage.probabilities[i] >= 0 && stage.probabilities[i] <= 1);
            sum += stage.probabilities[i];
            if (!isfinite(stage.net[i]) && i != stage.best)
                assert_true(stage.probabilities[i] == 0);
        }
        assert_true(fabs(sum - 1) <= 1e-12);
    }
}

/* A machine on which this fails would not replay what others decided. */
static void the_bits_are_the_same_everywhere(void **state)
{
    static const double net[] = {0, 213.7, 340.1, 338.9, -95.25};
    static const double costs[] = {0, 450, 900, 945, 1350};
    static const bool is_open[] = {true, true, true, true, true};
    static const double wanted[] = {0x1.d7ce4634f9093p-6, 0x1.3d8081179c917p-6,
                                    0x1.efac77be914cdp-2, 0x1.dc0ecaff93712p-2,
                                    0x1.77e86688f4336p-9};
    double probabilities[5];

    (void)state;
    explore_probabilities(
        &(struct exploration){
            .epsilon = 0.05, .temperature = 30, .cost_scale = 500, .floor = 0.001},
        net, costs, is_open, 5, 2, probabilities);
    for (int i = 0; i < 5; i++)
        if (probabilities[i] != wanted[i])
            fail_msg("option %d: %a instead of %a", i, probabilities[i], wanted[i]);
}

/* --- drawing ---------------------------------------------------------------------------------- */

static void a_draw_falls_on_the_option_whose_share_it_lies_in(void **state)
{
    static const double shares[] = {0.25, 0, 0.5, 0.25, 0};
    static const struct {
        double draw;
        int option;
    } rows[] = {
        {0, 0}, {0.2499, 0}, {0.25, 2}, {0.5, 2}, {0.74, 2}, {0.75, 3}, {1 - 0x1p-53, 3},
    };
    /* What rounding leaves below 1 belongs to the last that can be. */
    static const double short_of_one[] = {0.1, 0.2, 0.7 - 1e-13, 0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(explore_choose(shares, 5, rows[i].draw), rows[i].option);
    assert_int_equal(explore_choose(short_of_one, 4, 1 - 0x1p-53), 2);
}

/* Going through the interval in even steps meets each option as often as its share
 * says. */
static void the_share_of_the_interval_is_the_probability(void **state)
{
    enum { STEP_COUNT = 4096 };
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int run = 0; run < 200; run++) {
        int met[OPTION_COUNT] = {0};
        struct stage stage;

        make(&rng, &stage);
        explore(&stage);
        for (int step = 0; step < STEP_COUNT; step++)
            met[explore_choose(stage.probabilities, stage.count,
                               (step + 0.5) / STEP_COUNT)]++;
        for (int i = 0; i < stage.count; i++)
            assert_true(fabs(met[i] - stage.probabilities[i] * STEP_COUNT) <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_those_of_the_formula),
        cmocka_unit_test(
            nothing_falls_below_the_floor_and_nothing_is_given_to_what_is_closed),
        cmocka_unit_test(without_exploration_the_best_is_certain),
        cmocka_unit_test(the_best_is_always_open),
        cmocka_unit_test(a_floor_is_at_most_an_equal_share),
        cmocka_unit_test(no_number_makes_a_probability_that_is_none),
        cmocka_unit_test(the_bits_are_the_same_everywhere),
        cmocka_unit_test(a_draw_falls_on_the_option_whose_share_it_lies_in),
        cmocka_unit_test(the_share_of_the_interval_is_the_probability),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
