/* bench_allocate.c - batch allocation: gap to the bound, time, and time beside one pass
 * over the problem's arrays in memory.
 *
 * usage: bench_allocate [--json] [--rounds 5] [--seed 20240501]    the table
 *        bench_allocate --write FILE N BUDGETS MENU    one instance of it, for another solver:
 *            numbers of 64 bits: requests, actions each, budgets, cells; limits; costs, values;
 *            the cell of each request; cell starts; cell budgets
 *
 * Problems are made up, the same ones for a seed. One thread; times are thread CPU time;
 * medians. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/allocation_fixture.h"

#define SHARE_USUAL 0.3 /* of what could be spent */
#define SHARE_SMALL 0.2

enum { ROUND_COUNT_MAX = 99 };

static uint64_t seed = 20240501;

struct row {
    int64_t request_count;
    int action_count;
    enum menu_kind menu;
    enum budget_kind budgets;
    int budget_count;
    double gap_goal;  /* 0: none */
    double pass_goal; /* times a pass over memory; 0: none */
};

static const struct row rows[] = {
    {500, 4, MENU_REFUND, BUDGETS_ONE, 1, 0, 0},
    {500, 4, MENU_STRONG, BUDGETS_ONE, 1, 0, 0},
    {240, 8, MENU_REFUND, BUDGETS_SHARED, 20, 0, 0},
    {240, 8, MENU_WEAK, BUDGETS_SHARED, 20, 0, 0},
    {10000, 8, MENU_REFUND, BUDGETS_ONE, 1, 1e-6, 0},
    {10000, 8, MENU_STRONG, BUDGETS_ONE, 1, 1e-6, 0},
    {10000, 8, MENU_WEAK, BUDGETS_ONE, 1, 1e-6, 0},
    {10000, 8, MENU_UNCORRELATED, BUDGETS_ONE, 1, 1e-6, 0},
    {10000, 8, MENU_S_SHAPED, BUDGETS_ONE, 1, 1e-6, 0},
    {10000, 8, MENU_REFUND, BUDGETS_NESTED, 20, 0, 0},
    {10000, 8, MENU_REFUND, BUDGETS_SHARED, 20, 1e-4, 0},
    {10000, 8, MENU_STRONG, BUDGETS_SHARED, 20, 1e-4, 0},
    {10000, 8, MENU_WEAK, BUDGETS_SHARED, 20, 1e-4, 0},
    {10000, 8, MENU_UNCORRELATED, BUDGETS_SHARED, 20, 1e-4, 0},
    {10000, 8, MENU_S_SHAPED, BUDGETS_SHARED, 20, 1e-4, 0},
    {8000, 6, MENU_STRONG, BUDGETS_SHARED, 12, 1e-4, 0}, /* many ties, little room */
    {10000, 8, MENU_STRONG, BUDGETS_THREE, 20, 1e-4, 0},
    {10000, 8, MENU_WEAK, BUDGETS_THREE, 20, 1e-4, 0},
    {10000, 8, MENU_TIED, BUDGETS_THREE, 20, 1e-4, 0},
    {100000, 8, MENU_REFUND, BUDGETS_ONE, 1, 1e-6, 0},
    {100000, 8, MENU_REFUND, BUDGETS_NESTED, 20, 0, 0},
    {100000, 8, MENU_REFUND, BUDGETS_SHARED, 20, 1e-5, 0},
    {100000, 8, MENU_STRONG, BUDGETS_SHARED, 20, 1e-5, 0},
    {100000, 8, MENU_WEAK, BUDGETS_SHARED, 20, 1e-5, 0},
    {100000, 8, MENU_S_SHAPED, BUDGETS_SHARED, 20, 1e-5, 0},
    {100000, 8, MENU_STRONG, BUDGETS_THREE, 20, 1e-5, 0},
    {100000, 8, MENU_TIED, BUDGETS_THREE, 20, 1e-5, 0},
    {1000000, 8, MENU_REFUND, BUDGETS_ONE, 1, 1e-6, 12},
    {1000000, 8, MENU_WEAK, BUDGETS_ONE, 1, 1e-6, 12},
    {1000000, 8, MENU_REFUND, BUDGETS_SHARED, 20, 1e-5, 30},
    {1000000, 8, MENU_WEAK, BUDGETS_SHARED, 20, 1e-5, 30},
};

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[count / 2];
}

static struct allocation_fixture *make(const struct row *row)
{
    struct rng rng;

    rng_seed(&rng, seed);
    return allocation_random(&rng, row->request_count, row->action_count, row->menu,
                             row->budgets, row->budget_count,
                             row->budget_count == 12 ? SHARE_SMALL : SHARE_USUAL);
}

/* One pass over the costs and values: what any answer has to read. */
static double pass_ms(const struct allocation *problem)
{
    double start = now_ms();
    int64_t count = problem->starts[problem->request_count];
    uint64_t sum = 0;
    static volatile uint64_t kept;

    for (int64_t k = 0; k < count; k++)
        sum += (uint64_t)problem->costs[k] + (uint64_t)problem->values[k];
    kept = sum;
    (void)kept;
    return now_ms() - start;
}

static double solve_ms(struct allocation_fixture *fixture)
{
    double start;
    struct err err;

    memset(fixture->result.prices, 0,
           (size_t)fixture->problem.budget_count * sizeof *fixture->result.prices);
    start = now_ms();
    err_clear(&err);
    if (allocation_solve(&fixture->problem, &fixture->result, &err) ||
        fixture->result.is_infeasible) {
        fprintf(stderr, "bench_allocate: %s\n", err.text);
        exit(1);
    }
    return now_ms() - start;
}

static const char *verdict(double goal, double reached)
{
    return goal <= 0 ? "" : reached <= goal ? "yes" : "NO";
}

static void print_row(const struct row *row, const struct allocation_result *result,
                      double ms, double ratio, bool is_json)
{
    static const char *const kinds[] = {"one", "nested", "shared", "random", "three"};

    if (is_json)
        printf(
            "{\"requests\": %lld, \"actions\": %d, \"menu\": \"%s\", \"kind\": \"%s\", "
            "\"budgets\": %d, \"gap\": %.3g, \"gap_goal\": %g, \"is_exact\": %s, "
            "\"solve_ms\": %.4g, \"passes\": %.3g, \"pass_goal\": %g, \"bound\": "
            "%.17g}\n",
            (long long)row->request_count, row->action_count, menu_names[row->menu],
            kinds[row->budgets], row->budget_count, result->gap, row->gap_goal,
            result->is_exact ? "true" : "false", ms, ratio, row->pass_goal,
            result->bound);
    else
        printf("%8lld x %d  %-12s %-6s %3d  %9.2g %5s %-4s %9.2f %8.1f %-4s\n",
               (long long)row->request_count, row->action_count, menu_names[row->menu],
               kinds[row->budgets], row->budget_count, result->gap,
               result->is_exact ? "exact" : "", verdict(row->gap_goal, result->gap), ms,
               ratio, verdict(row->pass_goal, ratio));
    fflush(stdout);
}

static void measure(const struct row *row, int round_count, bool is_json)
{
    struct allocation_fixture *fixture = make(row);
    double times[ROUND_COUNT_MAX], ratios[ROUND_COUNT_MAX];

    for (int i = 0; i < round_count; i++) {
        double pass = pass_ms(&fixture->problem);

        times[i] = solve_ms(fixture);
        pass = (pass + pass_ms(&fixture->problem)) / 2;
        ratios[i] = times[i] / pass;
    }
    print_row(row, &fixture->result, median(times, round_count),
              median(ratios, round_count), is_json);
    allocation_free(fixture);
}

static void write_numbers(FILE *file, const int64_t *numbers, int64_t count)
{
    (void)fwrite(numbers, sizeof *numbers, (size_t)count, file);
}

static void write_indices(FILE *file, const int32_t *indices, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        write_numbers(file, &(int64_t){indices[i]}, 1);
}

static int write_instance(const char *path, const struct row *row)
{
    struct allocation_fixture *fixture = make(row);
    const struct allocation *problem = &fixture->problem;
    const int64_t head[] = {problem->request_count, row->action_count,
                            problem->budget_count, problem->cell_count};
    int64_t count = problem->starts[problem->request_count];
    FILE *file = fopen(path, "wb");

    if (file) {
        write_numbers(file, head, 4);
        write_numbers(file, problem->limits, problem->budget_count);
        write_numbers(file, problem->costs, count);
        write_numbers(file, problem->values, count);
        write_indices(file, problem->cells, problem->request_count);
        write_indices(file, problem->cell_starts, problem->cell_count + 1);
        write_indices(file, problem->cell_budgets,
                      problem->cell_starts[problem->cell_count]);
    }
    allocation_free(fixture);
    if (file && !fclose(file))
        return 0;
    fprintf(stderr, "bench_allocate: cannot write %s\n", path);
    return 1;
}

/* The row of the table with these properties. */
static const struct row *find_row(int64_t request_count, int budget_count,
                                  const char *menu)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].request_count == request_count &&
            rows[i].budget_count == budget_count && rows[i].budgets <= BUDGETS_SHARED &&
            rows[i].budgets != BUDGETS_NESTED &&
            strcmp(menu_names[rows[i].menu], menu) == 0)
            return &rows[i];
    return NULL;
}

int main(int argc, char **argv)
{
    bool is_json = false;
    int round_count = 5;

    if (argc == 6 && strcmp(argv[1], "--write") == 0) {
        const struct row *row = find_row(atoll(argv[3]), atoi(argv[4]), argv[5]);

        return row ? write_instance(argv[2], row) : 2;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            is_json = true;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            round_count = atoi(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else
            return 2;
    }
    round_count = round_count < 1                 ? 1
                  : round_count > ROUND_COUNT_MAX ? ROUND_COUNT_MAX
                                                  : round_count;
    if (!is_json)
        printf("%8s      %-12s %-6s %3s  %9s %10s %9s %8s\n", "requests", "menu", "kind",
               "m", "gap", "met", "ms", "passes");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        measure(&rows[i], round_count, is_json);
    return 0;
}
