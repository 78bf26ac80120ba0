/* dual.c - prices of shared budgets: one price after the other, then all at once, then
 * exactly. */
#include "optimize/dual.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/dual_point.h"

enum {
    SWEEP_COUNT = 3,
    SWEEP_COUNT_MAX = 60,          /* where nothing else follows */
    SMOOTH_BUDGET_COUNT_MAX = 512, /* its matrix is dense */
    EDGE_BUDGET_COUNT_MAX = 256,
    LINE_EFFORT = 1000, /* of a cell */
};

#define SWEEP_PROGRESS 1e-9 /* of D; less is standing still */

static double price_of(const struct dual_cell *cell, const double *prices)
{
    double mu = 0;

    for (int i = 0; i < cell->budget_count; i++)
        mu += prices[cell->budgets[i]];
    return mu;
}

/* How many slopes are over the price, from a guess on: doubling steps, then halving. */
static int count_over(const struct dual_cell *cell, double price, int guess)
{
    const double *slopes = cell->slopes;
    int low = guess, high = guess,
        step = 1; /* those before low are over, from high on not */

    while (high < cell->increment_count && slopes[high] > price) {
        low = high + 1;
        high = step < cell->increment_count - high ? high + step : cell->increment_count;
        step *= 2;
    }
    while (low > 0 && low == high && slopes[low - 1] <= price) {
        high = low - 1;
        low = step < high ? high - step : 0;
        step *= 2;
        if (low > 0 && slopes[low - 1] <= price)
            high = low;
    }
    while (low < high) {
        int middle = low + (high - low) / 2;

        if (slopes[middle] > price)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void dual_evaluate(struct dual_search *search, struct dual_point *point)
{
    const struct dual_problem *problem = search->problem;
    double bound = 0;

    for (int b = 0; b < problem->budget_count; b++) {
        point->gradient[b] = search->limits[b];
        bound += point->prices[b] * search->limits[b];
    }
    for (int g = 0; g < problem->cell_count; g++) {
        const struct dual_cell *cell = &problem->cells[g];
        double mu = price_of(cell, point->prices);
        int count = count_over(cell, mu, point->counts[g]);

        point->mus[g] = mu;
        point->counts[g] = count;
        bound += cell->values[count] - mu * cell->costs[count];
        for (int i = 0; i < cell->budget_count; i++)
            point->gradient[cell->budgets[i]] -= cell->costs[count];
    }
    point->bound = bound;
    search->evaluation_count++;
}

void dual_accept(struct dual_search *search)
{
    struct dual_point here = search->here;

    search->here = search->trial;
    search->trial = here;
}

/* --- one price after the other --------------------------------------------------------------- */

/* How many of a cell's slopes in [from, to) are over a price beside the rest of its
 * prices. */
static int count_between(const struct dual_search *search, int g, double price)
{
    const double *slopes = search->problem->cells[g].slopes;
    double rest = search->rests[g];
    int low = search->from[g], high = search->to[g];

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (slopes[middle] - rest > price)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double spend_at(const struct dual_search *search, int budget, double price)
{
    double spend = 0;

    for (int row = search->budget_cell_starts[budget];
         row < search->budget_cell_starts[budget + 1]; row++) {
        int g = search->budget_cells[row];

        spend += search->problem->cells[g].costs[count_between(search, g, price)];
    }
    return spend;
}

/* Begin a search along a budget's price; returns the price at which only bases are
 * left. */
static double line_begin(struct dual_search *search, int budget)
{
    double highest = 0;

    for (int row = search->budget_cell_starts[budget];
         row < search->budget_cell_starts[budget + 1]; row++) {
        int g = search->budget_cells[row];
        const struct dual_cell *cell = &search->problem->cells[g];
        double rest = 0;

        for (int i = 0; i < cell->budget_count; i++)
            if (cell->budgets[i] != budget)
                rest += search->here.prices[cell->budgets[i]];
        search->rests[g] = rest;
        search->from[g] = 0;
        search->to[g] = cell->increment_count;
        if (cell->increment_count > 0)
            highest = fmax(highest, cell->slopes[0] - rest);
    }
    return highest;
}

/* Leave only what is below the price, or only what is over it. */
static void line_narrow(struct dual_search *search, int budget, double price, bool below)
{
    for (int row = search->budget_cell_starts[budget];
         row < search->budget_cell_starts[budget + 1]; row++) {
        int g = search->budget_cells[row];

        if (below)
            search->from[g] = count_between(search, g, nextafter(price, -INFINITY));
        else
            search->to[g] = count_between(search, g, price);
    }
}

/* The middle of what is left of the cell with most left; false when nothing is. */
static bool line_middle(const struct dual_search *search, int budget, double *price)
{
    int widest = -1, width_max = 0;

    for (int row = search->budget_cell_starts[budget];
         row < search->budget_cell_starts[budget + 1]; row++) {
        int g = search->budget_cells[row], width = search->to[g] - search->from[g];

        if (width > width_max) {
            widest = g;
            width_max = width;
        }
    }
    if (widest < 0)
        return false;
    *price = search->problem->cells[widest].slopes[search->from[widest] + width_max / 2] -
             search->rests[widest];
    return true;
}

void dual_descend_one(struct dual_search *search, int budget)
{
    double limit = search->limits[budget], price;
    double best = line_begin(search, budget);

    if (spend_at(search, budget, 0) <= limit) {
        search->here.prices[budget] = 0;
        return;
    }
    line_narrow(search, budget, 0, false);
    while (line_middle(search, budget, &price)) {
        bool is_enough = spend_at(search, budget, price) <= limit;

        if (is_enough)
            best = price;
        line_narrow(search, budget, price, is_enough);
    }
    search->here.prices[budget] = best;
}

/* A few dozen halvings of the cells that are charged to the budget. */
static int64_t line_effort(const struct dual_search *search, int budget)
{
    return (int64_t)LINE_EFFORT * (1 + search->budget_cell_starts[budget + 1] -
                                   search->budget_cell_starts[budget]);
}

static void sweep(struct dual_search *search, int sweep_count)
{
    double before = INFINITY;

    dual_evaluate(search, &search->here);
    for (int i = 0; i < sweep_count; i++) {
        if (before - search->here.bound <= SWEEP_PROGRESS * fabs(search->here.bound))
            break;
        before = search->here.bound;
        for (int b = 0; b < search->problem->budget_count; b++)
            if (dual_spend(search, line_effort(search, b)))
                dual_descend_one(search, b);
        dual_evaluate(search, &search->here);
    }
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool point_alloc(struct dual_point *point, size_t budget_count, size_t cell_count)
{
    point->prices = calloc(budget_count + 1, sizeof *point->prices);
    point->gradient = calloc(budget_count + 1, sizeof *point->gradient);
    point->mus = calloc(cell_count + 1, sizeof *point->mus);
    point->counts = calloc(cell_count + 1, sizeof *point->counts);
    return point->prices && point->gradient && point->mus && point->counts;
}

static void point_free(struct dual_point *point)
{
    free(point->prices);
    free(point->gradient);
    free(point->mus);
    free(point->counts);
}

/* The cells of each budget, and what rounding is measured by. */
static bool index_cells(struct dual_search *search)
{
    const struct dual_problem *problem = search->problem;
    int *starts = calloc((size_t)problem->budget_count + 2, sizeof *starts);
    size_t total = 0;

    search->budget_cell_starts = starts;
    if (!starts)
        return false;
    for (int g = 0; g < problem->cell_count; g++) {
        for (int i = 0; i < problem->cells[g].budget_count; i++)
            starts[problem->cells[g].budgets[i] + 2]++;
        total += (size_t)problem->cells[g].budget_count;
    }
    for (int b = 0; b < problem->budget_count; b++)
        starts[b + 2] += starts[b + 1];
    search->budget_cells = calloc(total + 1, sizeof *search->budget_cells);
    if (!search->budget_cells)
        return false;
    for (int g = 0; g < problem->cell_count; g++)
        for (int i = 0; i < problem->cells[g].budget_count; i++)
            search->budget_cells[starts[problem->cells[g].budgets[i] + 1]++] = g;
    return true;
}

/* A limit that bases alone exceed would let D fall for ever. */
static void measure(struct dual_search *search)
{
    for (int b = 0; b < search->problem->budget_count; b++) {
        double least = 0, most = 0;

        for (int row = search->budget_cell_starts[b];
             row < search->budget_cell_starts[b + 1]; row++) {
            const struct dual_cell *cell =
                &search->problem->cells[search->budget_cells[row]];

            least += cell->costs[0];
            most += cell->costs[cell->increment_count];
        }
        search->limits[b] = fmax(least, search->problem->limits[b]);
        search->scale = fmax(search->scale, fmin(most, search->limits[b]));
    }
}

enum status dual_search_open(const struct dual_problem *problem, const double *prices,
                             struct dual_search *search, struct err *err)
{
    size_t budget_count = (size_t)problem->budget_count;
    size_t cell_count = (size_t)problem->cell_count;

    *search = (struct dual_search){
        .problem = problem,
        .effort = problem->effort_max > 0 ? problem->effort_max : INT64_MAX,
    };
    search->taken = calloc(cell_count + 1, sizeof *search->taken);
    search->parts = calloc(cell_count + 1, sizeof *search->parts);
    search->from = calloc(cell_count + 1, sizeof *search->from);
    search->to = calloc(cell_count + 1, sizeof *search->to);
    search->rests = calloc(cell_count + 1, sizeof *search->rests);
    search->limits = calloc(budget_count + 1, sizeof *search->limits);
    if (!point_alloc(&search->here, budget_count, cell_count) ||
        !point_alloc(&search->trial, budget_count, cell_count) || !search->taken ||
        !search->parts || !search->from || !search->to || !search->rests ||
        !search->limits || !index_cells(search))
        return err_set(err, STATUS_EXHAUSTED, "no memory for the prices of %d budgets",
                       problem->budget_count);
    measure(search);
    for (int b = 0; b < problem->budget_count; b++)
        search->here.prices[b] = prices[b] > 0 && prices[b] < INFINITY ? prices[b] : 0;
    return STATUS_OK;
}

void dual_search_free(struct dual_search *search)
{
    point_free(&search->here);
    point_free(&search->trial);
    free(search->budget_cells);
    free(search->budget_cell_starts);
    free(search->taken);
    free(search->parts);
    free(search->from);
    free(search->to);
    free(search->rests);
    free(search->limits);
}

/* --- all of it ------------------------------------------------------------------------------- */

/* Several budgets: each on its own to come near, then together, then exactly. */
static enum status solve_shared(struct dual_search *search, struct err *err)
{
    int budget_count = search->problem->budget_count;
    bool is_smooth = budget_count <= SMOOTH_BUDGET_COUNT_MAX;
    enum status rc = STATUS_OK;

    sweep(search, is_smooth ? SWEEP_COUNT : SWEEP_COUNT_MAX);
    if (is_smooth)
        rc = dual_descend_smooth(search, err);
    if (!rc && budget_count <= EDGE_BUDGET_COUNT_MAX)
        rc = dual_descend_edges(search, err);
    return rc;
}

static void take_counts(const struct dual_search *search, int *counts)
{
    for (int g = 0; counts && g < search->problem->cell_count; g++)
        counts[g] = search->is_exact ? search->taken[g] : search->here.counts[g];
}

enum status dual_solve(const struct dual_problem *problem, double *prices,
                       struct dual_result *result, struct err *err)
{
    struct dual_search search;
    enum status rc = dual_search_open(problem, prices, &search, err);

    if (!rc && problem->budget_count > 1)
        rc = solve_shared(&search, err);
    else if (!rc && problem->budget_count == 1)
        dual_descend_one(&search, 0);
    if (!rc) {
        dual_evaluate(&search, &search.here);
        for (int b = 0; b < problem->budget_count; b++)
            prices[b] = search.here.prices[b];
        take_counts(&search, result->counts);
        result->bound = dual_bound(problem, prices, NULL);
        result->evaluation_count = search.evaluation_count;
    }
    dual_search_free(&search);
    return rc;
}

double dual_bound(const struct dual_problem *problem, const double *prices, double *spend)
{
    double bound = 0;

    for (int b = 0; b < problem->budget_count; b++) {
        bound += prices[b] * problem->limits[b];
        if (spend)
            spend[b] = 0;
    }
    for (int g = 0; g < problem->cell_count; g++) {
        const struct dual_cell *cell = &problem->cells[g];
        double mu = price_of(cell, prices);
        int count = count_over(cell, mu, cell->increment_count / 2);

        bound += cell->values[count] - mu * cell->costs[count];
        for (int i = 0; spend && i < cell->budget_count; i++)
            spend[cell->budgets[i]] += cell->costs[count];
    }
    return bound;
}
