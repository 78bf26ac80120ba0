/* price.c - shadow prices: coordinate by coordinate, each the exact lowest that fits. */
#include "optimize/price.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "optimize/cells.h"
#include "optimize/rank.h"

enum {
    SWEEP_COUNT_MAX = 200,
    NARROW_COUNT_MAX = 60,
    STEP_COUNT_FEW = 48, /* so few are sorted rather than narrowed further */
};

/* A price is put this much, relatively, above the threshold it stands at, so that whoever sums
 * and multiplies it in another order still finds the step not worth it. */
#define PRICE_MARGIN 1e-12
#define PRICE_STILL  1e-9 /* prices that move less have settled */

struct solver {
    struct cells cells;
    const struct price_problem *problem;
    double *prices;          /* (budget) */
    struct increment *steps; /* (increment): between the bounds of a search */
    int *counts;             /* (cell): increments over the price last tried */
};

static double limit_of(const struct solver *solver, int budget)
{
    double limit = solver->problem->limits[budget];

    return limit > 0 ? limit : 0;
}

static struct cell *cell_of(struct solver *solver, int row)
{
    return &solver->cells.items[solver->cells.budget_cells[row]];
}

/* What a budget is charged at a price of its own; counts: per cell, how many increments. */
static double charged_at(struct solver *solver, int budget, double price)
{
    const int *starts = solver->cells.cell_starts;
    double charged = 0;

    for (int row = starts[budget]; row < starts[budget + 1]; row++) {
        const struct cell *cell = cell_of(solver, row);
        int count = cell_count_over(&solver->cells, cell, cell->rest + price, cell->from,
                                    cell->to);

        solver->counts[row - starts[budget]] = count;
        charged += cell->charged[count];
    }
    return charged;
}

/* Begin a search: no bounds yet, the other budgets' prices summed per cell. */
static void search_begin(struct solver *solver, int budget)
{
    const int *starts = solver->cells.cell_starts;

    for (int row = starts[budget]; row < starts[budget + 1]; row++) {
        struct cell *cell = cell_of(solver, row);

        cell->from = 0;
        cell->to = cell->count;
        cell->rest = 0;
        for (int i = 0; i < cell->budget_count; i++)
            if (cell->budgets[i] != budget)
                cell->rest += solver->prices[cell->budgets[i]];
    }
}

/* Make the price last tried a bound. Returns how many increments are left between them. */
static int search_narrow(struct solver *solver, int budget, bool is_enough)
{
    const int *starts = solver->cells.cell_starts;
    int left_count = 0;

    for (int row = starts[budget]; row < starts[budget + 1]; row++) {
        struct cell *cell = cell_of(solver, row);

        if (is_enough)
            cell->from = solver->counts[row - starts[budget]];
        else
            cell->to = solver->counts[row - starts[budget]];
        left_count += cell->to - cell->from;
    }
    return left_count;
}

/* A price amid the increments that are left: the mean of the cells' medians, by weight. */
static double search_middle(struct solver *solver, int budget)
{
    const int *starts = solver->cells.cell_starts;
    double sum = 0, weight = 0;

    for (int row = starts[budget]; row < starts[budget + 1]; row++) {
        const struct cell *cell = cell_of(solver, row);
        int left_count = cell->to - cell->from;
        int middle = cell->start + cell->from + left_count / 2;

        if (left_count > 0) {
            sum += left_count * (solver->cells.thresholds[middle] - cell->rest);
            weight += left_count;
        }
    }
    return sum / weight;
}

static int step_compare(const void *a, const void *b)
{
    const struct increment *x = a, *y = b;

    return (x->threshold < y->threshold) - (x->threshold > y->threshold);
}

/* Take the increments that are left by falling price until one does not fit: its price it is. */
static double search_end(struct solver *solver, int budget)
{
    const int *starts = solver->cells.cell_starts;
    double charged = 0, limit = limit_of(solver, budget);
    int count = 0, last;

    for (int row = starts[budget]; row < starts[budget + 1]; row++) {
        const struct cell *cell = cell_of(solver, row);

        charged += cell->charged[cell->from];
        for (int k = cell->from; k < cell->to; k++)
            solver->steps[count++] = (struct increment){
                .threshold = solver->cells.thresholds[cell->start + k] - cell->rest,
                .amount = cell->charged[k + 1] - cell->charged[k],
            };
    }
    qsort(solver->steps, (size_t)count, sizeof *solver->steps, step_compare);
    for (last = 0; last < count; last++) {
        charged += solver->steps[last].amount;
        if (charged > limit)
            return solver->steps[last].threshold;
    }
    return 0;
}

/* The lowest price of a budget at which it keeps its limit, the other prices as they are. */
static double lowest_price(struct solver *solver, int budget)
{
    const int *starts = solver->cells.cell_starts;
    double limit = limit_of(solver, budget), price = solver->prices[budget];
    int left_count, before_count;

    if (starts[budget] == starts[budget + 1])
        return 0;
    search_begin(solver, budget);
    if (charged_at(solver, budget, INFINITY) > limit)
        return PRICE_MAX;
    if (charged_at(solver, budget, 0) <= limit)
        return 0;
    left_count = search_narrow(solver, budget, false);
    if (price <= 0 && left_count > 0)
        price = search_middle(solver, budget);
    for (int i = 0; i < NARROW_COUNT_MAX && left_count > STEP_COUNT_FEW; i++) {
        before_count = left_count;
        left_count =
            search_narrow(solver, budget, charged_at(solver, budget, price) <= limit);
        if (left_count > 0)
            price = search_middle(solver, budget);
        if (i > 0 && left_count == before_count)
            break;
    }
    price = search_end(solver, budget);
    price += PRICE_MARGIN * (1 + price);
    return price < PRICE_MAX ? price : PRICE_MAX;
}

/* One price after the other, each exact, until none moves: every step lowers the dual. */
static void sweep(struct solver *solver)
{
    bool is_still = false;

    for (int i = 0; i < SWEEP_COUNT_MAX && !is_still; i++) {
        is_still = true;
        for (int b = 0; b < solver->problem->budget_count; b++) {
            double price = lowest_price(solver, b), old = solver->prices[b];

            is_still = is_still && fabs(price - old) <= PRICE_STILL * (1 + old);
            solver->prices[b] = price;
        }
    }
}

static bool is_over(struct solver *solver, int budget)
{
    search_begin(solver, budget);
    return charged_at(solver, budget, solver->prices[budget]) > limit_of(solver, budget);
}

/* Raise what does not fit yet. No price falls, so that each raise ends an increment for good:
 * there are no more raises than increments. */
static void raise_prices(struct solver *solver)
{
    bool is_raised = true;

    while (is_raised) {
        is_raised = false;
        for (int b = 0; b < solver->problem->budget_count; b++) {
            double old = solver->prices[b], price;

            if (old >= PRICE_MAX || !is_over(solver, b))
                continue;
            price = fmax(lowest_price(solver, b), old + PRICE_MARGIN * (1 + old));
            solver->prices[b] = fmin(price, PRICE_MAX);
            is_raised = true;
        }
    }
}

enum status price_solve(const struct price_problem *problem, double *prices,
                        struct err *err)
{
    struct solver solver = {.problem = problem, .prices = prices};
    enum status rc = cells_make(problem, &solver.cells, err);

    if (!rc) {
        size_t increment_count = (size_t)solver.cells.increment_count;

        solver.steps = calloc(increment_count + 1, sizeof *solver.steps);
        solver.counts = calloc((size_t)solver.cells.count + 1, sizeof *solver.counts);
        if (!solver.steps || !solver.counts)
            rc = err_set(err, STATUS_EXHAUSTED, "no memory to price %d cases",
                         problem->case_count);
    }
    if (!rc) {
        for (int b = 0; b < problem->budget_count; b++)
            prices[b] = prices[b] > 0 && prices[b] <= PRICE_MAX ? prices[b] : 0;
        sweep(&solver);
        raise_prices(&solver);
    }
    free(solver.steps);
    free(solver.counts);
    cells_free(&solver.cells);
    return rc;
}

/* The amount of the greedy choice among a case's options and nothing. */
static int64_t amount_at(const struct price_option *options, int option_count,
                         double price)
{
    double best_rank = 0;
    int64_t best_amount = 0;

    for (int i = 0; i < option_count; i++) {
        double value = options[i].effect - options[i].cost * (1 + price);
        double rank = rank_of(value);

        if (rank > best_rank || (rank == best_rank && options[i].amount < best_amount)) {
            best_rank = rank;
            best_amount = options[i].amount;
        }
    }
    return best_amount;
}

void price_spend(const struct price_problem *problem, const double *prices, double *spend)
{
    for (int b = 0; b < problem->budget_count; b++)
        spend[b] = 0;
    for (int i = 0; i < problem->case_count; i++) {
        const int *budgets = problem->budgets + problem->budget_starts[i];
        int budget_count = problem->budget_starts[i + 1] - problem->budget_starts[i];
        int start = problem->option_starts[i];
        double price = 0;
        int64_t amount;

        for (int j = 0; j < budget_count; j++)
            price += prices[budgets[j]];
        amount = amount_at(problem->options + start,
                           problem->option_starts[i + 1] - start, price);
        for (int j = 0; j < budget_count; j++)
            spend[budgets[j]] += (double)amount;
    }
}

double price_sample_limit(double remaining, double cases_per_second, double seconds_left,
                          double sample_cases)
{
    double expected = cases_per_second * seconds_left;

    if (remaining <= 0)
        return 0;
    if (seconds_left <= 0)
        return remaining;
    return remaining * sample_cases / (expected > 1 ? expected : 1);
}
