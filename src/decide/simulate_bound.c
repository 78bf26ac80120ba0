/* simulate_bound.c - what a day could have earned in hindsight: the dual of choice over
 * its cases. */
#include "decide/simulate.h"

#include "optimize/dual.h"
#include "optimize/hull.h"

#include <stdlib.h>

/* A step up the hull of one case. */
struct step {
    int cell;
    double slope, cost, value;
};

struct steps {
    struct step *items;
    int64_t count;
    double *base_values; /* (cell): of the free actions */
};

static void add_steps(const struct simulation_day *day,
                      const struct simulation_case *given, struct steps *steps)
{
    const struct simulation_action *actions = day->actions + given->action_start;
    struct pacer_option hull[SIMULATION_ACTION_COUNT_MAX];
    int count;

    for (int i = 0; i < given->action_count; i++)
        hull[i] = (struct pacer_option){.value = actions[i].value,
                                        .cost = (double)actions[i].cost};
    count = hull_keep(hull, given->action_count);
    steps->base_values[given->cell] += hull[0].value;
    for (int i = 1; i < count; i++)
        steps->items[steps->count++] =
            (struct step){.cell = given->cell,
                          .slope = hull_slope(&hull[i - 1], &hull[i]),
                          .cost = hull[i].cost - hull[i - 1].cost,
                          .value = hull[i].value - hull[i - 1].value};
}

static int by_cell_and_slope(const void *a, const void *b)
{
    const struct step *x = a, *y = b;

    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    return (x->slope < y->slope) - (x->slope > y->slope);
}

/* The cells' staircases: slopes (step), sums (step + cell). */
static void make_cells(const struct simulation *simulation, const struct steps *steps,
                       double *slopes, double *costs, double *values,
                       struct dual_cell *cells)
{
    int64_t from = 0;

    for (int g = 0; g < simulation->cell_count; g++) {
        int start = simulation->cell_starts[g];
        struct dual_cell *cell = &cells[g];

        *cell = (struct dual_cell){.budgets = simulation->cell_budgets + start,
                                   .budget_count = simulation->cell_starts[g + 1] - start,
                                   .slopes = slopes + from,
                                   .costs = costs + from + g,
                                   .values = values + from + g};
        costs[from + g] = 0;
        values[from + g] = steps->base_values[g];
        for (; from < steps->count && steps->items[from].cell == g; from++) {
            slopes[from] = steps->items[from].slope;
            costs[from + g + 1] = costs[from + g] + steps->items[from].cost;
            values[from + g + 1] = values[from + g] + steps->items[from].value;
            cell->increment_count++;
        }
    }
}

static enum status solve(const struct simulation *simulation, const struct steps *steps,
                         double *sums, struct dual_cell *cells, double *prices,
                         double *bound, struct err *err)
{
    double *slopes = sums, *costs = slopes + steps->count + 1;
    double *values = costs + steps->count + simulation->cell_count + 1;
    double *limits = values + steps->count + simulation->cell_count + 1;
    struct dual_problem problem = {.cells = cells,
                                   .cell_count = simulation->cell_count,
                                   .limits = limits,
                                   .budget_count = simulation->budget_count};
    struct dual_result result = {};
    enum status rc;

    for (int b = 0; b < simulation->budget_count; b++) {
        limits[b] = (double)simulation->budgets[b].limit;
        prices[b] = 0;
    }
    make_cells(simulation, steps, slopes, costs, values, cells);
    rc = dual_solve(&problem, prices, &result, err);
    *bound = result.bound;
    return rc;
}

enum status simulation_bound(const struct simulation *simulation,
                             const struct simulation_day *day, double *bound,
                             double *prices, struct err *err)
{
    size_t cells = (size_t)simulation->cell_count + 1;
    size_t actions = (size_t)day->action_count + 1;
    struct steps steps = {.items = malloc(actions * sizeof *steps.items),
                          .base_values = calloc(cells, sizeof *steps.base_values)};
    struct dual_cell *dual_cells = calloc(cells, sizeof *dual_cells);
    double *sums = malloc((3 * actions + 3 * cells + (size_t)simulation->budget_count) *
                          sizeof *sums);
    enum status rc;

    if (!steps.items || !steps.base_values || !dual_cells || !sums)
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for the bound");
    else {
        for (int64_t i = 0; i < day->case_count; i++)
            add_steps(day, &day->cases[i], &steps);
        qsort(steps.items, (size_t)steps.count, sizeof *steps.items, by_cell_and_slope);
        rc = solve(simulation, &steps, sums, dual_cells, prices, bound, err);
    }
    free(steps.items);
    free(steps.base_values);
    free(dual_cells);
    free(sums);
    return rc;
}
