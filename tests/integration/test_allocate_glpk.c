/* test_allocate_glpk.c - the bound and the value of budgeted choice beside GLPK's, which
 * solves the same problems as linear and as whole-number programs. Skips where glpsol is
 * not installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/allocation_fixture.h"

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

enum {
    ROUND_COUNT = 24,
    WHOLE_SECONDS_MAX = 2, /* for a whole-number program; most take a few hundredths */
    TRIES_PER_ROUND_MAX = 20,
    KIND_COUNT = MENU_HUGE * BUDGETS_KIND_COUNT, /* of menus with budgets */
};

/* ROUNDS: more of them than a test has time for. */
static int rounds_of_run(void)
{
    const char *text = getenv("ROUNDS");

    return text ? atoi(text) : ROUND_COUNT;
}

/* The next kind of problem; the first is left to chance, so that some runs see all of
 * them. */
static struct allocation_fixture *problem_next(struct rng *rng, int *kind,
                                               int request_count, int budget_count)
{
    int menu, budgets;

    *kind = *kind < 0 ? (int)rng_below(rng, KIND_COUNT) : *kind + 1;
    menu = *kind % MENU_HUGE;
    budgets = *kind % BUDGETS_KIND_COUNT;
    return allocation_random(rng, request_count, 1 + (int)rng_below(rng, 8),
                             (enum menu_kind)menu, (enum budget_kind)budgets,
                             budget_count, -1);
}

static bool has_budget(const struct allocation *problem, int64_t request, int budget)
{
    int32_t cell = problem->cells[request];

    for (int k = problem->cell_starts[cell]; k < problem->cell_starts[cell + 1]; k++)
        if (problem->cell_budgets[k] == budget)
            return true;
    return false;
}

/* The problem in CPLEX's LP format; a variable for every action. */
static void write_program(FILE *file, const struct allocation *problem, bool is_whole)
{
    fprintf(file, "Maximize\n value:");
    for (int64_t k = 0; k < problem->starts[problem->request_count]; k++)
        fprintf(file, " %+lld x%lld\n", (long long)problem->values[k], (long long)k);
    fprintf(file, "Subject To\n");
    for (int64_t i = 0; i < problem->request_count; i++) {
        for (int64_t k = problem->starts[i]; k < problem->starts[i + 1]; k++)
            fprintf(file, " + x%lld", (long long)k);
        fprintf(file, " = 1\n");
    }
    for (int b = 0; b < problem->budget_count; b++) {
        fprintf(file, " 0 none\n"); /* a row may be empty */
        for (int64_t i = 0; i < problem->request_count; i++)
            for (int64_t k = problem->starts[i]; k < problem->starts[i + 1]; k++)
                if (has_budget(problem, i, b))
                    fprintf(file, " + %lld x%lld\n", (long long)problem->costs[k],
                            (long long)k);
        fprintf(file, " <= %lld\n", (long long)problem->limits[b]);
    }
    if (is_whole) {
        fprintf(file, "Binary\n");
        for (int64_t k = 0; k < problem->starts[problem->request_count]; k++)
            fprintf(file, " x%lld\n", (long long)k);
    }
    fprintf(file, "End\n");
}

/* What GLPK finds; NAN when it says anything but that it is the optimum. */
static double glpk_value(const struct allocation *problem, bool is_whole)
{
    char folder[] = "/tmp/redress-glpk-XXXXXX", program[64], answer[64], command[256],
         line[256];
    double value = NAN;
    bool is_optimal = false;
    FILE *file;

    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof program, "%s/program.lp", folder);
    snprintf(answer, sizeof answer, "%s/answer.txt", folder);
    file = fopen(program, "w");
    assert_non_null(file);
    write_program(file, problem, is_whole);
    assert_int_equal(fclose(file), 0);
    snprintf(command, sizeof command, "glpsol --lp %s -o %s --tmlim %d >%s/log 2>&1",
             program, answer, is_whole ? WHOLE_SECONDS_MAX : INT_MAX / 1000, folder);
    if (system(command) != 0)
        print_message("glpsol failed\n");
    file = fopen(answer, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "Status:", 7) == 0)
            is_optimal = strstr(line, "OPTIMAL") && !strstr(line, "NON-OPTIMAL");
        if (strncmp(line, "Objective:", 10) == 0 && strchr(line, '='))
            value = strtod(strchr(line, '=') + 1, NULL);
    }
    if (file)
        fclose(file);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return is_optimal ? value : NAN;
}

static bool skips(void)
{
    if (system("command -v glpsol >/dev/null 2>&1") == 0)
        return false;
    print_message("SKIPPED: glpsol is not installed\n");
    return true;
}

static void solve(struct allocation_fixture *fixture)
{
    struct err err;

    err_clear(&err);
    assert_int_equal(allocation_solve(&fixture->problem, &fixture->result, &err),
                     STATUS_OK);
    assert_false(fixture->result.is_infeasible);
}

/* GLPK prints ten digits. */
static void assert_close(int round, const char *what, double own, double glpk)
{
    if (!(fabs(own - glpk) <= 1e-8 * (1 + fabs(glpk))))
        fail_msg("round %d: %s %.12g, GLPK %.12g", round, what, own, glpk);
}

/* What the prices prove: everybody's best at them, and what they make of the limits. */
static double bound_of_prices(const struct allocation_fixture *fixture)
{
    const struct allocation *problem = &fixture->problem;
    const double *prices = fixture->result.prices;
    double bound = 0;

    for (int b = 0; b < problem->budget_count; b++)
        bound += prices[b] * (double)problem->limits[b];
    for (int64_t i = 0; i < problem->request_count; i++) {
        double mu = 0, best = -INFINITY;

        for (int b = 0; b < problem->budget_count; b++)
            mu += has_budget(problem, i, b) ? prices[b] : 0;
        for (int64_t k = problem->starts[i]; k < problem->starts[i + 1]; k++)
            best =
                fmax(best, (double)problem->values[k] - mu * (double)problem->costs[k]);
        bound += best;
    }
    return bound;
}

static void the_prices_prove_the_bound_of_the_linear_program(void **state)
{
    int kind = -1, round_count = rounds_of_run();
    struct rng rng;

    (void)state;
    if (skips())
        return;
    rng_seed(&rng, seed_of_run());
    for (int round = 0; round < round_count; round++) {
        struct allocation_fixture *fixture = problem_next(
            &rng, &kind, 2 + (int)rng_below(&rng, 120), 3 + (int)rng_below(&rng, 18));
        double glpk = glpk_value(&fixture->problem, false);

        solve(fixture);
        assert_close(round, "bound of the prices", bound_of_prices(fixture), glpk);
        assert_true(fixture->result.bound <= glpk + 1e-8 * (1 + fabs(glpk)));
        assert_true(fixture->result.bound >= (double)fixture->result.value);
        allocation_free(fixture);
    }
}

/* Whether GLPK came to an end in time, and there was an optimum to compare. */
static bool compare_whole(int round, struct allocation_fixture *fixture)
{
    double glpk = glpk_value(&fixture->problem, true);

    solve(fixture);
    if (isnan(glpk))
        return false;
    if (fixture->result.is_exact)
        assert_close(round, "value", (double)fixture->result.value, glpk);
    else
        assert_true((double)fixture->result.value >= glpk - 2e-3 * fabs(glpk));
    return fixture->result.is_exact;
}

/* Until there were enough of them, however many GLPK gives up on a slow machine. */
static void what_is_called_exact_is_the_whole_number_optimum(void **state)
{
    int kind = -1, compared_count = 0, round_count = rounds_of_run(), tried_count = 0;
    struct rng rng;

    (void)state;
    if (skips())
        return;
    rng_seed(&rng, seed_of_run());
    for (; compared_count < round_count; tried_count++) {
        struct allocation_fixture *fixture =
            problem_next(&rng, &kind, 25, 3 + (int)rng_below(&rng, 6));

        assert_true(tried_count < round_count * TRIES_PER_ROUND_MAX);
        compared_count += compare_whole(tried_count, fixture);
        allocation_free(fixture);
    }
    printf("%d of %d were called exact, and GLPK came to an end with them\n",
           compared_count, tried_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_prices_prove_the_bound_of_the_linear_program),
        cmocka_unit_test(what_is_called_exact_is_the_whole_number_optimum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
