/* dual_smooth.c - all prices at once: Levenberg and Marquardt's damped Newton step
 * (Marquardt, 1963) on staircases that are smoothed over a window of ranks. */
#include <math.h>
#include <stdlib.h>

#include "optimize/dual_point.h"

enum {
    STEP_COUNT_MAX = 60,
    CELL_EFFORT = 200, /* of a step */
};

#define WINDOW_FIRST     4.0 /* ranks in square roots of a cell's increments */
#define WINDOW_LAST      0.01
#define DAMPING_FIRST    1e-3
#define DAMPING_MIN      1e-9
#define DAMPING_MAX      1e6
#define PROGRESS_SMALL   1e-9  /* of D */
#define PROGRESS_NOTHING 1e-14 /* of D */

/* The budgets whose prices may move, and the system of equations for how far. */
struct system {
    int *frees;     /* (free) budget */
    int *positions; /* (budget) its place among the free, or -1 */
    int count;
    double *matrix; /* (free, free): the smoothed second derivative of D */
    double *factor; /* (free, free) */
    double *step;   /* (free) */
};

static bool system_open(struct system *system, int budget_count)
{
    size_t count = (size_t)budget_count;

    system->frees = calloc(count, sizeof *system->frees);
    system->positions = calloc(count, sizeof *system->positions);
    system->matrix = calloc(count * count, sizeof *system->matrix);
    system->factor = calloc(count * count, sizeof *system->factor);
    system->step = calloc(count, sizeof *system->step);
    return system->frees && system->positions && system->matrix && system->factor &&
           system->step;
}

static void system_free(struct system *system)
{
    free(system->frees);
    free(system->positions);
    free(system->matrix);
    free(system->factor);
    free(system->step);
}

/* How fast what a cell spends falls as its price rises, smoothed around the count
 * taken. */
static double steepness(const struct dual_cell *cell, int count, double window)
{
    int ranks = (int)fmax(2, window * sqrt(cell->increment_count));
    int from = count > ranks ? count - ranks : 0;
    int to =
        cell->increment_count - count > ranks ? count + ranks : cell->increment_count;
    double fall, least;

    if (to <= from)
        return 0;
    fall = cell->slopes[from] - cell->slopes[to - 1];
    least = 1e-9 * cell->slopes[from];
    return (cell->costs[to] - cell->costs[from]) / fmax(fall, least);
}

static void choose_free(const struct dual_search *search, struct system *system)
{
    const struct dual_point *here = &search->here;

    system->count = 0;
    for (int b = 0; b < search->problem->budget_count; b++) {
        system->positions[b] = -1;
        if (here->prices[b] > 0 || here->gradient[b] < 0) {
            system->positions[b] = system->count;
            system->frees[system->count++] = b;
        }
    }
}

static void fill(const struct dual_search *search, double window, struct system *system)
{
    const struct dual_problem *problem = search->problem;
    int n = system->count;

    for (int i = 0; i < n * n; i++)
        system->matrix[i] = 0;
    for (int g = 0; g < problem->cell_count; g++) {
        const struct dual_cell *cell = &problem->cells[g];
        double weight = steepness(cell, search->here.counts[g], window);

        for (int i = 0; i < cell->budget_count; i++) {
            int row = system->positions[cell->budgets[i]];

            for (int j = 0; row >= 0 && j <= i; j++) {
                int column = system->positions[cell->budgets[j]];

                if (column >= 0)
                    system->matrix[row * n + column] += weight;
            }
        }
    }
}

/* Cholesky's factor of the matrix with its diagonal damped; false when that is not
 * positive. */
static bool factorise(struct system *system, double damping)
{
    int n = system->count;
    double largest = 0;

    for (int i = 0; i < n; i++)
        largest = fmax(largest, system->matrix[i * n + i]);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = system->matrix[i * n + j];

            if (i == j)
                sum += damping * sum + 1e-12 * largest;
            for (int k = 0; k < j; k++)
                sum -= system->factor[i * n + k] * system->factor[j * n + k];
            if (i == j && !(sum > 0))
                return false;
            system->factor[i * n + j] =
                i == j ? sqrt(sum) : sum / system->factor[j * n + j];
        }
    }
    return true;
}

static void solve(const struct dual_search *search, struct system *system)
{
    int n = system->count;

    for (int i = 0; i < n; i++) {
        double sum = -search->here.gradient[system->frees[i]];

        for (int k = 0; k < i; k++)
            sum -= system->factor[i * n + k] * system->step[k];
        system->step[i] = sum / system->factor[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        double sum = system->step[i];

        for (int k = i + 1; k < n; k++)
            sum -= system->factor[k * n + i] * system->step[k];
        system->step[i] = sum / system->factor[i * n + i];
    }
}

/* Try the step, at most twice halved; true when D falls. */
static bool try_step(struct dual_search *search, const struct system *system)
{
    for (int half = 0; half < 3; half++) {
        double length = 1.0 / (1 << half);

        for (int b = 0; b < search->problem->budget_count; b++)
            search->trial.prices[b] = search->here.prices[b];
        for (int i = 0; i < system->count; i++) {
            double *price = &search->trial.prices[system->frees[i]];

            *price = fmax(0, *price + length * system->step[i]);
        }
        for (int g = 0; g < search->problem->cell_count; g++)
            search->trial.counts[g] = search->here.counts[g];
        dual_evaluate(search, &search->trial);
        if (search->trial.bound < search->here.bound)
            return true;
    }
    return false;
}

static int64_t factor_effort(const struct system *system)
{
    int64_t n = system->count;

    return n * n * n / 6 + 10 * n * n;
}

static void descend(struct dual_search *search, struct system *system)
{
    double window = WINDOW_FIRST, damping = DAMPING_FIRST;
    int64_t cell_effort = (int64_t)CELL_EFFORT * search->problem->cell_count;

    for (int i = 0; i < STEP_COUNT_MAX && window > WINDOW_LAST; i++) {
        double before = search->here.bound;
        bool is_lower;

        choose_free(search, system);
        if (system->count == 0 ||
            !dual_spend(search, cell_effort + factor_effort(system)))
            return;
        fill(search, window, system);
        is_lower = factorise(system, damping);
        if (is_lower) {
            solve(search, system);
            is_lower = try_step(search, system);
        }
        if (!is_lower) {
            window *= 0.5;
            damping = fmin(damping * 10, DAMPING_MAX);
            continue;
        }
        dual_accept(search);
        damping = fmax(damping / 5, DAMPING_MIN);
        if (before - search->here.bound < PROGRESS_SMALL * fabs(before))
            window *= 0.8;
        if (before - search->here.bound < PROGRESS_NOTHING * fabs(before))
            return;
    }
}

enum status dual_descend_smooth(struct dual_search *search, struct err *err)
{
    struct system system = {};
    enum status rc = STATUS_OK;

    if (system_open(&system, search->problem->budget_count))
        descend(search, &system);
    else
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for the prices of %d budgets",
                     search->problem->budget_count);
    system_free(&system);
    return rc;
}
