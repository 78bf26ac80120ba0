/* test_allocate.c - budgeted choice against every choice there is, and against its own
 * bound. */
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

#include <jansson.h>

#include "support/allocation_fixture.h"
#include "support/torture.h"

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

/* What every answer has to keep: one action each, limits, sums, and a bound that is
 * one. */
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
    if (result->is_exact)
        assert_true(result->gap == 0 && (__int128)result->bound - value <= 1024);
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
    int exact_count = 0, count = 0, round_count = (int)torture_sample(6000, 1500, 6000);

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < round_count; round++) {
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

/* All actions of all requests cost and are worth the same. */
static void make_equal(struct allocation_fixture *fixture, int action_count)
{
    const struct allocation *problem = &fixture->problem;

    for (int64_t k = 0; k < problem->starts[problem->request_count]; k++) {
        fixture->costs[k] = 100 * (k % action_count);
        fixture->values[k] = 3 * fixture->costs[k];
    }
}

static double gap_of_ties(struct rng *rng, int request_count, enum menu_kind menu,
                          enum budget_kind budgets, bool is_equal)
{
    struct allocation_fixture *fixture =
        allocation_random(rng, request_count, 8, menu, budgets, 20, 0.3);
    double gap;

    if (is_equal)
        make_equal(fixture, 8);
    solve(fixture);
    assert_holds(fixture);
    gap = fixture->result.gap;
    print_message("%d requests, %s%s, budgets %d: gap %.2g\n", request_count,
                  menu_names[menu], is_equal ? " made equal" : "", (int)budgets, gap);
    allocation_free(fixture);
    return gap;
}

/* Of few different numbers, one action is a ten thousandth of all. */
static void what_ties_at_the_price_comes_close_to_its_bound_too(void **state)
{
    static const struct {
        int request_count;
        enum menu_kind menu;
        bool is_equal;
        double gap_max;
    } rows[] = {
        {10000, MENU_STRONG, false, 1e-4},  {10000, MENU_WEAK, false, 1.5e-4},
        {10000, MENU_TIED, false, 3e-4},    {10000, MENU_STRONG, true, 1e-4},
        {100000, MENU_STRONG, false, 1e-5}, {100000, MENU_STRONG, true, 1e-5},
    };
    const int all = sizeof rows / sizeof *rows;
    const int row_count = (int)torture_sample(all, all - 2, all); /* the last are large */
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int i = 0; i < row_count; i++)
        for (int shared = 0; shared < 2; shared++) {
            double gap =
                gap_of_ties(&rng, rows[i].request_count, rows[i].menu,
                            shared ? BUDGETS_SHARED : BUDGETS_THREE, rows[i].is_equal);

            if (gap > rows[i].gap_max)
                fail_msg("gap %g", gap);
        }
}

/* --- small ones, to the end -------------------------------------------------------------------- */

static void small_problems_of_several_budgets_are_solved_to_the_end(void **state)
{
    static const enum menu_kind menus[] = {MENU_REFUND, MENU_WEAK, MENU_TIED};
    struct rng rng;
    int exact_count = 0, round_count = 12;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < round_count; round++) {
        struct allocation_fixture *fixture = allocation_random(
            &rng, 31, 8, menus[round % 3], BUDGETS_SHARED, round % 2 ? 8 : 20, 0.3);

        solve(fixture);
        assert_holds(fixture);
        exact_count += fixture->result.is_exact;
        allocation_free(fixture);
    }
    print_message("%d of %d\n", exact_count, round_count);
    assert_true(exact_count >= round_count - 3);
}

/* --- what is written out --------------------------------------------------------------------- */

static void one_big_action_beats_many_small_ones(void **state)
{
    int64_t starts[] = {0, 2, 4}, costs[] = {0, 1, 0, 10}, values[] = {0, 2, 0, 10},
            limits[] = {10};
    int32_t cells[] = {0, 0}, cell_starts[] = {0, 1}, cell_budgets[] = {0}, choices[2];
    int64_t spend[1];
    double prices[1] = {};
    const struct allocation problem = {
        2, starts, costs, values, cells, cell_starts, cell_budgets, 1, limits, 1, 0};
    struct allocation_result result = {
        .choices = choices, .spend = spend, .prices = prices};
    struct err err;

    (void)state;
    assert_int_equal(allocation_solve(&problem, &result, &err), STATUS_OK);
    assert_true(result.value == 10 && result.is_exact);
    assert_int_equal(choices[0], 0);
    assert_int_equal(choices[1], 1);
}

static void what_is_compulsory_and_too_much_names_the_budget(void **state)
{
    int64_t starts[] = {0, 2, 3}, costs[] = {10, 20, 16}, values[] = {5, 8, 4},
            limits[] = {100, 25};
    int32_t cells[] = {0, 0}, cell_starts[] = {0, 2}, cell_budgets[] = {0, 1}, choices[2];
    int64_t spend[2];
    double prices[2] = {};
    const struct allocation problem = {
        2, starts, costs, values, cells, cell_starts, cell_budgets, 1, limits, 2, 0};
    struct allocation_result result = {
        .choices = choices, .spend = spend, .prices = prices};
    struct err err;

    (void)state;
    assert_int_equal(allocation_solve(&problem, &result, &err), STATUS_OK);
    assert_true(result.is_infeasible);
    assert_int_equal(result.infeasible_budget, 1);
    assert_true(result.infeasible_cost == 26);
}

static void nothing_to_allocate_is_worth_nothing(void **state)
{
    int64_t starts[] = {0}, limits[] = {5}, spend[1];
    int32_t cell_starts[] = {0};
    double prices[1] = {};
    const struct allocation problem = {.starts = starts,
                                       .cell_starts = cell_starts,
                                       .limits = limits,
                                       .budget_count = 1};
    struct allocation_result result = {.spend = spend, .prices = prices};
    struct err err;

    (void)state;
    assert_int_equal(allocation_solve(&problem, &result, &err), STATUS_OK);
    assert_true(result.value == 0 && result.bound == 0 && result.gap == 0 &&
                result.is_exact);
}

/* --- the shared examples --------------------------------------------------------------------- */

static int budget_named(const json_t *budgets, const char *id)
{
    size_t i;
    const json_t *budget;

    json_array_foreach(
        budgets, i, budget) if (strcmp(json_string_value(json_object_get(budget, "id")),
                                       id) == 0) return (int)i;
    fail_msg("no budget %s", id);
    return -1;
}

/* Every request has a cell of its own. */
static void fill_example(const json_t *root, struct allocation_fixture *fixture)
{
    const json_t *budgets = json_object_get(root, "budgets"), *each, *action, *id;
    size_t i, k;
    int64_t used = 0;
    int32_t charged = 0;

    json_array_foreach(budgets, i, each) fixture->limits[i] =
        json_integer_value(json_object_get(each, "limit"));
    json_array_foreach(json_object_get(root, "requests"), i, each)
    {
        json_array_foreach(json_object_get(each, "actions"), k, action)
        {
            fixture->costs[used] = json_integer_value(json_object_get(action, "cost"));
            fixture->values[used++] =
                json_integer_value(json_object_get(action, "value"));
        }
        fixture->starts[i + 1] = used;
        fixture->cells[i] = (int32_t)i;
        for (int b = 0; b < (int)json_array_size(budgets); b++)
            json_array_foreach(json_object_get(each, "budgets"), k,
                               id) if (budget_named(budgets, json_string_value(id)) == b)
                fixture->cell_budgets[charged++] = b;
        fixture->cell_starts[i + 1] = charged;
    }
    fixture->problem.request_count =
        (int64_t)json_array_size(json_object_get(root, "requests"));
    fixture->problem.cell_count = (int32_t)fixture->problem.request_count;
    fixture->problem.budget_count = (int32_t)json_array_size(budgets);
}

static void check_example(const char *name)
{
    char path[200];
    struct rng rng;
    struct allocation_fixture *fixture;
    json_t *root, *expected;

    snprintf(path, sizeof path, "../shared/fixtures/allocate/%s.json", name);
    root = json_load_file(path, 0, NULL);
    snprintf(path, sizeof path, "../shared/fixtures/allocate/%s.expected.json", name);
    expected = json_load_file(path, 0, NULL);
    if (!root || !expected) {
        print_message("SKIPPED: no ../shared/fixtures/allocate/%s.json\n", name);
        json_decref(root);
        json_decref(expected);
        return;
    }
    rng_seed(&rng, 1);
    fixture = allocation_random(&rng, 100, 10, MENU_TIED, BUDGETS_ONE, 1, 1);
    fill_example(root, fixture);
    solve(fixture);
    assert_int_equal(fixture->result.is_infeasible,
                     json_is_true(json_object_get(expected, "infeasible")));
    if (!fixture->result.is_infeasible) {
        assert_holds(fixture);
        assert_int_equal(fixture->result.value,
                         json_integer_value(json_object_get(expected, "optimum")));
    }
    allocation_free(fixture);
    json_decref(root);
    json_decref(expected);
}

static void the_shared_examples_reach_their_optimum(void **state)
{
    static const char *const names[] = {
        "01_single_budget",    "02_ties",    "03_zero_cost", "04_infeasible",
        "05_compulsory_exact", "06_s_curve", "07_laminar",   "08_overlap",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_example(names[i]);
}

/* --- what it takes --------------------------------------------------------------------------- */

static void where_prices_start_does_not_matter(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < 6; round++) {
        struct allocation_fixture *fixture = allocation_random(
            &rng, 8000, 6, (enum menu_kind)(round % 5), BUDGETS_SHARED, 12, 0.2);
        double bound, gap;

        solve(fixture);
        bound = fixture->result.bound;
        gap = fixture->result.gap;
        if (round % 2)
            fixture->result.prices[0] = 100; /* a start that is far off */
        solve(fixture);
        assert_holds(fixture);
        assert_true(fabs(fixture->result.bound - bound) <= 1e-9 * fabs(bound));
        if (fixture->result.gap > 2 * gap + 1e-5)
            fail_msg("round %d: gap %g, and was %g", round, fixture->result.gap, gap);
        allocation_free(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_choice_of_small_problems_is_better),
        cmocka_unit_test(one_budget_meets_the_sum_over_every_spend),
        cmocka_unit_test(large_problems_come_close_to_their_bound),
        cmocka_unit_test(what_ties_at_the_price_comes_close_to_its_bound_too),
        cmocka_unit_test(small_problems_of_several_budgets_are_solved_to_the_end),
        cmocka_unit_test(one_big_action_beats_many_small_ones),
        cmocka_unit_test(what_is_compulsory_and_too_much_names_the_budget),
        cmocka_unit_test(nothing_to_allocate_is_worth_nothing),
        cmocka_unit_test(the_shared_examples_reach_their_optimum),
        cmocka_unit_test(where_prices_start_does_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
