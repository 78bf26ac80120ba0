/* test_dual.c - the prices of shared budgets against grids, optimality conditions and the
 * greedy answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "optimize/dual.h"

enum { BUDGETS_MAX = 24, CELLS_MAX = 400, INCREMENTS_MAX = 20000 };

/* A problem with room for what tests put into it. */
struct sample {
    struct dual_cell cells[CELLS_MAX];
    int budgets[CELLS_MAX * 4];
    double slopes[INCREMENTS_MAX], costs[INCREMENTS_MAX + CELLS_MAX],
        values[INCREMENTS_MAX + CELLS_MAX];
    double limits[BUDGETS_MAX], prices[BUDGETS_MAX], spend[BUDGETS_MAX];
    struct dual_problem problem;
    struct dual_result result;
    int budget_used, increment_used, sum_used;
};

static struct sample *sample_make(int budget_count)
{
    struct sample *sample = calloc(1, sizeof *sample);

    assert_non_null(sample);
    sample->problem = (struct dual_problem){
        .cells = sample->cells, .limits = sample->limits, .budget_count = budget_count};
    return sample;
}

/* Add a cell of the given slopes, falling, and widths. */
static void add_cell(struct sample *sample, const int *budgets, int budget_count,
                     double base_cost, const double *slopes, const double *widths,
                     int count)
{
    struct dual_cell *cell = &sample->cells[sample->problem.cell_count++];
    double *own_slopes = sample->slopes + sample->increment_used;
    double *costs = sample->costs + sample->sum_used,
           *values = sample->values + sample->sum_used;
    int *own_budgets = sample->budgets + sample->budget_used;

    assert_true(sample->problem.cell_count <= CELLS_MAX);
    assert_true(sample->increment_used + count <= INCREMENTS_MAX);
    for (int i = 0; i < budget_count; i++)
        own_budgets[i] = budgets[i];
    costs[0] = base_cost;
    values[0] = 0;
    for (int k = 0; k < count; k++) {
        own_slopes[k] = slopes[k];
        costs[k + 1] = costs[k] + widths[k];
        values[k + 1] = values[k] + slopes[k] * widths[k];
    }
    *cell =
        (struct dual_cell){own_budgets, budget_count, count, own_slopes, costs, values};
    sample->budget_used += budget_count;
    sample->increment_used += count;
    sample->sum_used += count + 1;
}

static void solve(struct sample *sample)
{
    struct err err;

    err_clear(&err);
    assert_int_equal(dual_solve(&sample->problem, sample->prices, &sample->result, &err),
                     STATUS_OK);
}

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

static void add_random_cell(struct sample *sample, struct rng *rng, const int *budgets,
                            int budget_count, int count, int slope_count)
{
    double slopes[512], widths[512];

    assert_true(count <= 512);
    for (int k = 0; k < count; k++) {
        slopes[k] = slope_count ? (double)(1 + rng_below(rng, (uint64_t)slope_count))
                                : exp(rng_normal(rng));
        widths[k] = (double)(1 + rng_below(rng, 20));
    }
    qsort(slopes, (size_t)count, sizeof *slopes, falling);
    add_cell(sample, budgets, budget_count, (double)rng_below(rng, 3), slopes, widths,
             count);
}

/* Cells over random sets of budgets; limits from nothing to more than enough. */
static struct sample *sample_random(struct rng *rng, int budget_count, int cell_count,
                                    int count_max, int slope_count)
{
    struct sample *sample = sample_make(budget_count);
    double bases[BUDGETS_MAX] = {}, tops[BUDGETS_MAX] = {};

    for (int g = 0; g < cell_count; g++) {
        int budgets[4] = {}, chosen = 0;

        for (int b = 0; b < budget_count && chosen < 4; b++)
            if (rng_uniform(rng) < fmax(0.4, 3.0 / budget_count) * (b == 0 ? 2 : 1) &&
                rng_uniform(rng) < 0.8)
                budgets[chosen++] = b;
        add_random_cell(sample, rng, budgets, chosen,
                        (int)rng_below(rng, (uint64_t)count_max + 1), slope_count);
        for (int i = 0; i < chosen; i++) {
            const struct dual_cell *cell = &sample->cells[g];

            bases[budgets[i]] += cell->costs[0];
            tops[budgets[i]] += cell->costs[cell->increment_count];
        }
    }
    for (int b = 0; b < budget_count; b++) {
        double share = rng_uniform(rng) * 1.2 - 0.1;

        sample->limits[b] = bases[b] + floor(fmax(0, share) * (tops[b] - bases[b]));
    }
    return sample;
}

/* D at the prices, as the header has it: no search, no prefix. */
static double plain_bound(const struct sample *sample, const double *prices)
{
    double bound = 0;

    for (int b = 0; b < sample->problem.budget_count; b++)
        bound += prices[b] * sample->limits[b];
    for (int g = 0; g < sample->problem.cell_count; g++) {
        const struct dual_cell *cell = &sample->cells[g];
        double mu = 0, best = -INFINITY;

        for (int i = 0; i < cell->budget_count; i++)
            mu += prices[cell->budgets[i]];
        for (int k = 0; k <= cell->increment_count; k++)
            best = fmax(best, cell->values[k] - mu * cell->costs[k]);
        bound += best;
    }
    return bound;
}

static void the_bound_is_the_formula(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 200; round++) {
        struct sample *sample =
            sample_random(&rng, 1 + (int)rng_below(&rng, 6), 5, 8, round % 2 ? 4 : 0);
        double expected;

        for (int b = 0; b < sample->problem.budget_count; b++)
            sample->prices[b] = (double)rng_below(&rng, 5) / 2;
        expected = plain_bound(sample, sample->prices);
        assert_true(fabs(dual_bound(&sample->problem, sample->prices, sample->spend) -
                         expected) <= 1e-12 * (1 + fabs(expected)));
        free(sample);
    }
}

static void one_budget_takes_the_slope_that_no_longer_fits(void **state)
{
    struct sample *sample = sample_make(1);
    const int budgets[] = {0};

    (void)state;
    add_cell(sample, budgets, 1, 0, (double[]){5, 3, 3, 1}, (double[]){2, 2, 2, 2}, 4);
    for (int limit = 0; limit <= 9; limit++) {
        const double expected[] = {5, 5, 3, 3, 3, 3, 1, 1, 0, 0};

        sample->limits[0] = limit;
        sample->prices[0] = 77;
        solve(sample);
        assert_true(sample->prices[0] == expected[limit]);
    }
    free(sample);
}

static void cells_without_budgets_cost_nothing(void **state)
{
    struct sample *sample = sample_make(2);

    (void)state;
    add_cell(sample, NULL, 0, 7, (double[]){4, 2}, (double[]){10, 10}, 2);
    solve(sample);
    assert_true(sample->result.bound == 60);
    assert_true(sample->prices[0] == 0 && sample->prices[1] == 0);
    free(sample);
}

static void without_budgets_and_cells_the_bound_is_zero(void **state)
{
    struct sample *sample = sample_make(0);

    (void)state;
    solve(sample);
    assert_true(sample->result.bound == 0);
    free(sample);
}

static void bases_beyond_a_limit_leave_nothing_but_bases(void **state)
{
    struct sample *sample = sample_make(3);

    (void)state;
    add_cell(sample, (int[]){0, 1}, 2, 50, (double[]){9, 2}, (double[]){1, 1}, 2);
    add_cell(sample, (int[]){1, 2}, 2, 0, (double[]){8, 3}, (double[]){1, 1}, 2);
    sample->limits[0] = 10;
    sample->limits[1] = 51;
    sample->limits[2] = 100;
    solve(sample);
    (void)dual_bound(&sample->problem, sample->prices, sample->spend);
    assert_true(sample->spend[0] == 50);
    assert_true(sample->spend[1] <= 51);
    assert_true(isfinite(sample->prices[0]));
    free(sample);
}

/* The least of D over a grid of every price that a slope could ask for. */
static double grid_bound(const struct sample *sample, double step, double top)
{
    double prices[3] = {}, least = INFINITY;
    int count = sample->problem.budget_count;

    for (prices[0] = 0; prices[0] <= top; prices[0] += step)
        for (prices[1] = 0; prices[1] <= (count > 1 ? top : 0); prices[1] += step)
            for (prices[2] = 0; prices[2] <= (count > 2 ? top : 0); prices[2] += step)
                least = fmin(least, plain_bound(sample, prices));
    return least;
}

/* Slopes are whole, so the least of D is at prices in halves at most (three budgets: the
 * corners solve equations of zeros and ones, whose determinant is at most 2). */
static void no_point_of_a_grid_is_below_the_bound(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 1500; round++) {
        struct sample *sample = sample_random(&rng, 1 + (int)rng_below(&rng, 3),
                                              1 + (int)rng_below(&rng, 6), 4, 5);
        double least = grid_bound(sample, 0.5, 6);

        solve(sample);
        assert_true(fabs(sample->result.bound - plain_bound(sample, sample->prices)) <=
                    1e-9 * (1 + fabs(least)));
        if (fabs(sample->result.bound - least) > 1e-8 * (1 + fabs(least)))
            fail_msg("round %d: %.12g, grid %.12g", round, sample->result.bound, least);
        free(sample);
    }
}

/* From no neighbour does D look lower: along each price, each pair of prices, and at
 * random. */
static void assert_is_lowest(struct sample *sample, struct rng *rng)
{
    int n = sample->problem.budget_count;
    double bound = sample->result.bound;

    for (int i = 0; i < 4000; i++) {
        double other[BUDGETS_MAX], size = exp(-14 * rng_uniform(rng));
        int kind = (int)rng_below(rng, 3), a = (int)rng_below(rng, (uint64_t)n),
            c = (int)rng_below(rng, (uint64_t)n);

        for (int b = 0; b < n; b++) {
            double move = kind == 2 ? rng_normal(rng) : b == a ? 1 : b == c ? -1 : 0;

            other[b] = fmax(0, sample->prices[b] + (kind == 1 ? -size : size) * move);
        }
        if (plain_bound(sample, other) < bound - 1e-9 * (1 + fabs(bound)))
            fail_msg("D is %.15g, and nearby %.15g", bound, plain_bound(sample, other));
    }
}

static void no_neighbour_is_below_the_bound(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 60; round++) {
        struct sample *sample =
            sample_random(&rng, 2 + (int)rng_below(&rng, 19),
                          10 + (int)rng_below(&rng, 60), 30, round % 3 == 0 ? 3 : 0);

        solve(sample);
        assert_is_lowest(sample, &rng);
        free(sample);
    }
}

/* A tree of budgets has a greedy answer to the relaxed problem, which the bound has to
 * meet. */
static double greedy_tree(const struct sample *sample)
{
    double rooms[BUDGETS_MAX], value = 0;
    int taken[CELLS_MAX] = {};

    for (int b = 0; b < sample->problem.budget_count; b++)
        rooms[b] = sample->limits[b];
    for (;;) {
        int best = -1;
        const struct dual_cell *cell;
        double take;

        for (int g = 0; g < sample->problem.cell_count; g++)
            if (taken[g] < sample->cells[g].increment_count &&
                (best < 0 || sample->cells[g].slopes[taken[g]] >
                                 sample->cells[best].slopes[taken[best]]))
                best = g;
        if (best < 0)
            return value;
        cell = &sample->cells[best];
        take = cell->costs[taken[best] + 1] - cell->costs[taken[best]];
        for (int i = 0; i < cell->budget_count; i++)
            take = fmin(take, rooms[cell->budgets[i]]);
        for (int i = 0; i < cell->budget_count; i++)
            rooms[cell->budgets[i]] -= take;
        value += take * cell->slopes[taken[best]++];
    }
}

/* Budget 0 holds 1 to 3, which hold 4 to 12; some limits are met twice over, so that
 * prices are not unique and the curvature is singular. */
static void trees_meet_their_greedy_answer(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 150; round++) {
        struct sample *sample = sample_make(13);
        double zero_base = 0, expected;

        for (int leaf = 0; leaf < 9; leaf++) {
            double slopes[400], widths[400];
            int count = 1 + (int)rng_below(&rng, round % 2 ? 6 : 400);

            for (int k = 0; k < count; k++) {
                slopes[k] =
                    round % 3 ? exp(rng_normal(&rng)) : (double)(1 + rng_below(&rng, 3));
                widths[k] = (double)(1 + rng_below(&rng, 9));
            }
            qsort(slopes, (size_t)count, sizeof *slopes, falling);
            add_cell(sample, (int[]){0, 1 + leaf / 3, 4 + leaf}, 3, zero_base, slopes,
                     widths, count);
            sample->limits[4 + leaf] = (double)rng_below(&rng, (uint64_t)count * 5);
        }
        for (int m = 0; m < 3; m++)
            sample->limits[1 + m] =
                floor((sample->limits[4 + 3 * m] + sample->limits[5 + 3 * m] +
                       sample->limits[6 + 3 * m]) *
                      (rng_below(&rng, 2) ? 1 : rng_uniform(&rng)));
        sample->limits[0] =
            floor((sample->limits[1] + sample->limits[2] + sample->limits[3]) *
                  (rng_below(&rng, 2) ? 1 : rng_uniform(&rng)));
        expected = greedy_tree(sample);
        solve(sample);
        if (fabs(sample->result.bound - expected) > 1e-9 * (1 + expected))
            fail_msg("round %d: %.15g, greedy %.15g", round, sample->result.bound,
                     expected);
        free(sample);
    }
}

static void a_warm_start_ends_at_the_same_bound(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 100; round++) {
        struct sample *sample = sample_random(&rng, 8, 30, 40, 0);
        double cold;

        solve(sample);
        cold = sample->result.bound;
        for (int b = 0; b < 8; b++)
            sample->prices[b] = round % 2 ? 3 * rng_uniform(&rng) : sample->prices[b];
        solve(sample);
        assert_true(fabs(sample->result.bound - cold) <= 1e-9 * (1 + fabs(cold)));
        free(sample);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_the_formula),
        cmocka_unit_test(one_budget_takes_the_slope_that_no_longer_fits),
        cmocka_unit_test(cells_without_budgets_cost_nothing),
        cmocka_unit_test(without_budgets_and_cells_the_bound_is_zero),
        cmocka_unit_test(bases_beyond_a_limit_leave_nothing_but_bases),
        cmocka_unit_test(no_point_of_a_grid_is_below_the_bound),
        cmocka_unit_test(no_neighbour_is_below_the_bound),
        cmocka_unit_test(trees_meet_their_greedy_answer),
        cmocka_unit_test(a_warm_start_ends_at_the_same_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
