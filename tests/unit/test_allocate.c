/* test_allocate.c - budgeted choice against every choice there is, and against its own bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/allocation_fixture.h"

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void solve(struct allocation_fixture *fixture)
{
    struct err err;
    enum status rc;

    err_clear(&err);
    rc = allocation_solve(&fixture->problem, &fixture->result, &err);
    if (rc)
        fail_msg("%s", err.text);
}

/* What every answer has to keep: one action each, limits, sums, and a bound that is one. */
static void assert_holds(const struct allocation_fixture *fixture)
{
    const struct allocation *problem = &fixture->problem;
    const struct allocation_result *result = &fixture->result;
    __int128 value = 0, spend[64] = {};

    assert_false(result->is_infeasible);
    for (int64_t i = 0; i < problem->request_count; i++) {
        int64_t at = problem->starts[i] + result->choices[i];
        int32_t cell = problem->cells[i];

        assert_true(result->choices[i] >= 0 && at < problem->starts[i + 1]);
        value += problem->values[at];
        for (int k = problem->cell_starts[cell]; k < problem->cell_starts[cell + 1]; k++)
            spend[problem->cell_budgets[k]] += problem->costs[at];
    }
    assert_true(value == result->value);
    for (int b = 0; b < problem->budget_count; b++) {
        assert_true(spend[b] == result->spend[b]);
        assert_true(spend[b] <= problem->limits[b]);
        assert_true(result->prices[b] >= 0 && isfinite(result->prices[b]));
    }
    assert_true((__int128)result->bound >= value);
    assert_true(result->gap >= 0);
}

/* --- every choice there is ------------------------------------------------------------------- */

struct enumeration {
    const struct allocation *problem;
    __int128 rooms[64], value, best;
    bool is_feasible;
};

static void charge(struct enumeration *all, int32_t cell, __int128 cost)
{
    const struct allocation *problem = all->problem;

    for (int k = problem->cell_starts[cell]; k < problem->cell_starts[cell + 1]; k++)
        all->rooms[problem->cell_budgets[k]] -= cost;
}

static void enumerate(struct enumeration *all, int64_t request)
{
    const struct allocation *problem = all->problem;

    for (int b = 0; b < problem->budget_count; b++)
        if (all->rooms[b] < 0)
            return;
    if (request == problem->request_count) {
        if (!all->is_feasible || all->value > all->best)
            all->best = all->value;
        all->is_feasible = true;
        return;
    }
    for (int64_t k = problem->starts[request]; k < problem->starts[request + 1]; k++) {
        charge(all, problem->cells[request], problem->costs[k]);
        all->value += problem->values[k];
        enumerate(all, request + 1);
        all->value -= problem->values[k];
        charge(all, problem->cells[request], -(__int128)problem->costs[k]);
    }
}

static struct enumeration enumerate_all(const struct allocation *problem)
{
    struct enumeration all = {.problem = problem};

    for (int b = 0; b < problem->budget_count; b++)
        all.rooms[b] = problem->limits[b];
    enumerate(&all, 0);
    return all;
}

static void no_choice_of_small_problems_is_better(void **state)
{
    struct rng rng;
    int exact_count = 0, count = 0;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 6000; round++) {
        enum menu_kind menu = (enum menu_kind)(round % MENU_KIND_COUNT);
        enum budget_kind budgets =
            (enum budget_kind)(round / MENU_KIND_COUNT % BUDGETS_KIND_COUNT);
        int request_count = 1 + (int)rng_below(&rng, 8);
        int action_count = 1 + (int)rng_below(&rng, request_count > 6 ? 3 : 5);
        struct allocation_fixture *fixture =
            allocation_random(&rng, request_count, action_count, menu, budgets,
                              3 + (int)rng_below(&rng, 6), -1);
        struct enumeration all;

        if (round % 7 == 0) /* short of what is compulsory, or of anything */
            fixture->limits[rng_below(&rng, (uint64_t)fixture->problem.budget_count)] /=
                3;
        all = enumerate_all(&fixture->problem);
        solve(fixture);
        assert_int_equal(fixture->result.is_infeasible, !all.is_feasible);
        if (all.is_feasible) {
            assert_holds(fixture);
            if (fixture->result.value != all.best)
                fail_msg("round %d, %s: %lld, and %lld is possible", round,
                         menu_names[menu], (long long)fixture->result.value,
                         (long long)all.best);
            exact_count += fixture->result.is_exact;
            count++;
        }
        allocation_free(fixture);
    }
    assert_int_equal(exact_count, count);
}

/* --- all sums of one budget, or two ---------------------------------------------------------- */

/* The best value within a limit, by every spend there is. */
static int64_t best_by_spend(const struct allocation *problem)
{
    int64_t limit = problem->limits[0], *best, *next, result = INT64_MIN;

    best = malloc(((size_t)limit + 1) * sizeof *best);
    next = malloc(((size_t)limit + 1) * sizeof *next);
    assert_non_null(best);
    assert_non_null(next);
    for (int64_t s = 0; s <= limit; s++)
        best[s] = s ? INT64_MIN : 0;
    for (int64_t i = 0; i < problem->request_count; i++) {
        for (int64_t s = 0; s <= limit; s++)
            next[s] = INT64_MIN;
        for (int64_t k = problem->starts[i]; k < problem->starts[i + 1]; k++)
            for (int64_t s = problem->costs[k]; s <= limit; s++) {
                int64_t before = best[s - problem->costs[k]];

                if (before != INT64_MIN && before + problem->values[k] > next[s])
                    next[s] = before + problem->values[k];
            }
        memcpy(best, next, ((size_t)limit + 1) * sizeof *best);
    }
    for (int64_t s = 0; s <= limit; s++)
        result = best[s] > result ? best[s] : result;
    free(best);
    free(next);
    return result;
}

static void one_budget_meets_the_sum_over_every_spend(void **state)
{
    static const int sizes[][2] = {{31, 8}, {62, 4}, {25, 10}, {250, 8}, {500, 4}};
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 90; round++) {
        const int *size = sizes[round % 5];
        enum menu_kind menu = (enum menu_kind)(round / 5 % MENU_HUGE);
        struct allocation_fixture *fixture = allocation_random(
            &rng, size[0], size[1], menu, BUDGETS_ONE, 1, 0.05 + 0.6 * rng_uniform(&rng));
        int64_t best;

        for (int64_t k = 0; k < (int64_t)size[0] * size[1]; k++)
            fixture->costs[k] /= 8; /* so that there are few spends to try */
        fixture->limits[0] /= 4;
        best = best_by_spend(&fixture->problem);
        solve(fixture);
        assert_holds(fixture);
        if (fixture->result.value != best)
            fail_msg("round %d, %s %d x %d: %lld of %lld", round, menu_names[menu],
                     size[0], size[1], (long long)fixture->result.value, (long long)best);
        assert_true(fixture->result.is_exact);
        allocation_free(fixture);
    }
}

/* --- larger ones, against the bound ---------------------------------------------------------- */

static void large_problems_come_close_to_their_bound(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 5 * 3; round++) {
        enum menu_kind menu = (enum menu_kind)(round % 5);
        enum budget_kind budgets = (enum budget_kind)(round / 5);
        struct allocation_fixture *fixture =
            allocation_random(&rng, 10000, 8, menu, budgets, 20, 0.3);
        double gap_max = budgets == BUDGETS_ONE ? 1e-6 : 1e-4;

        solve(fixture);
        assert_holds(fixture);
        print_message("%s, budgets %d: gap %.2g\n", menu_names[menu], (int)budgets,
                      fixture->result.gap);
        if (fixture->result.gap > gap_max)
            fail_msg("gap %g", fixture->result.gap);
        allocation_free(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_choice_of_small_problems_is_better),
        cmocka_unit_test(one_budget_meets_the_sum_over_every_spend),
        cmocka_unit_test(large_problems_come_close_to_their_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
