/* clearing.c - see clearing.h. */
#include "optimize/clearing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NEWTON_BUDGET_COUNT_MAX = 128, /* with more, one price after the other */
    NEWTON_ROUND_COUNT_MAX = 40,
    SWEEP_COUNT_MAX = 24,
    BISECTION_COUNT = 60,
};

#define RESIDUAL_ENOUGH 1e-7 /* share of all demand that a limit may be missed by */

/* --- curves ----------------------------------------------------------------------------------- */

int clearing_curve_room(const struct demand *demand)
{
    return 2 * (demand->high - demand->low + 1);
}

struct clearing_curve clearing_curve_make(const struct demand *demand, double *room)
{
    int count = demand->high - demand->low;
    double *above = room, *area = room + count + 1;

    above[count] = area[count] = 0;
    for (int i = count - 1; i >= 0; i--) {
        int bin = demand->low + i;
        double width = demand_edges[bin + 1] - demand_edges[bin];

        above[i] = above[i + 1] + demand->charges[bin];
        area[i] = area[i + 1] + 0.5 * width * (above[i] + above[i + 1]);
    }
    return (struct clearing_curve){
        .low = demand->low, .high = demand->high, .above = above, .area = area};
}

struct reading {
    double demand, steepness, area; /* steepness: by how much demand falls per price */
};

static struct reading read_curve(const struct clearing_curve *curve, double price)
{
    int bin, i;
    double low, high, left;

    if (curve->low == curve->high || price >= demand_edges[curve->high])
        return (struct reading){0};
    low = demand_edges[curve->low];
    if (price < low)
        return (struct reading){.demand = curve->above[0],
                                .area = curve->area[0] + (low - price) * curve->above[0]};
    bin = price > 0 ? demand_bin(price) : 0;
    bin = bin < curve->low ? curve->low : bin >= curve->high ? curve->high - 1 : bin;
    i = bin - curve->low;
    low = demand_edges[bin];
    high = demand_edges[bin + 1];
    left = fmax(0, high - price);
    struct reading reading = {.steepness =
                                  (curve->above[i] - curve->above[i + 1]) / (high - low)};
    reading.demand = curve->above[i + 1] + left * reading.steepness;
    reading.area =
        curve->area[i + 1] + 0.5 * left * (curve->above[i + 1] + reading.demand);
    return reading;
}

double clearing_demand(const struct clearing_curve *curve, double price)
{
    return read_curve(curve, price).demand;
}

/* --- the dual --------------------------------------------------------------------------------- */

struct search {
    const struct clearing *clearing;
    double *prices, *trial, *gradient, *step; /* (budget) */
    double *hessian, *factor;                 /* (budget, budget) */
    int *free_budgets;
    int free_count;
    double scale; /* of all demand, to compare residuals with */
};

static double cell_price(const struct clearing_cell *cell, const double *prices)
{
    double price = cell->given;

    for (int i = 0; i < cell->budget_count; i++)
        price += prices[cell->budgets[i]];
    return price;
}

static double value_at(const struct search *search, const double *prices)
{
    const struct clearing *clearing = search->clearing;
    double value = 0;

    for (int b = 0; b < clearing->budget_count; b++)
        value += prices[b] * clearing->limits[b];
    for (int g = 0; g < clearing->cell_count; g++)
        value +=
            read_curve(&clearing->cells[g].curve, cell_price(&clearing->cells[g], prices))
                .area;
    return value;
}

static void differentiate(struct search *search, bool wants_hessian)
{
    const struct clearing *clearing = search->clearing;
    size_t count = (size_t)clearing->budget_count;

    memcpy(search->gradient, clearing->limits, count * sizeof(double));
    if (wants_hessian)
        memset(search->hessian, 0, count * count * sizeof(double));
    for (int g = 0; g < clearing->cell_count; g++) {
        const struct clearing_cell *cell = &clearing->cells[g];
        struct reading reading =
            read_curve(&cell->curve, cell_price(cell, search->prices));

        for (int i = 0; i < cell->budget_count; i++) {
            search->gradient[cell->budgets[i]] -= reading.demand;
            for (int j = 0; wants_hessian && j <= i; j++)
                search->hessian[(size_t)cell->budgets[i] * count +
                                (size_t)cell->budgets[j]] += reading.steepness;
        }
    }
}

/* --- one price at a time ---------------------------------------------------------------------- */

static double excess(const struct search *search, int budget, double price)
{
    const struct clearing *clearing = search->clearing;
    double sum = -clearing->limits[budget], was = search->prices[budget];

    search->prices[budget] = price;
    for (int g = 0; g < clearing->cell_count; g++) {
        const struct clearing_cell *cell = &clearing->cells[g];

        for (int i = 0; i < cell->budget_count; i++)
            if (cell->budgets[i] == budget)
                sum += read_curve(&cell->curve, cell_price(cell, search->prices)).demand;
    }
    search->prices[budget] = was;
    return sum;
}

/* The lowest price of one budget that fits, the others as they are: by halves of its
 * logarithm. */
static void settle_one(struct search *search, int budget)
{
    double low = demand_edges[1] / 4, high = demand_edges[DEMAND_BIN_COUNT];

    if (excess(search, budget, 0) <= 0) {
        search->prices[budget] = 0;
        return;
    }
    for (int i = 0; i < BISECTION_COUNT && high > low * (1 + 1e-9); i++) {
        double middle = sqrt(low * high);

        if (excess(search, budget, middle) > 0)
            low = middle;
        else
            high = middle;
    }
    search->prices[budget] = high;
}

static void sweep(struct search *search, int sweep_count)
{
    for (int i = 0; i < sweep_count; i++) {
        double moved = 0;

        for (int b = 0; b < search->clearing->budget_count; b++) {
            double was = search->prices[b];

            settle_one(search, b);
            moved = fmax(moved, fabs(search->prices[b] - was) /
                                    (search->prices[b] + was + demand_edges[1]));
        }
        if (moved < 1e-7)
            return;
    }
}

/* --- all prices at once ----------------------------------------------------------------------- */

/* Prices that may move: those over 0 and those that want to rise. Returns the largest
 * residual. */
static double find_free(struct search *search)
{
    double residual = 0;

    search->free_count = 0;
    for (int b = 0; b < search->clearing->budget_count; b++) {
        if (search->prices[b] <= 0 && search->gradient[b] >= 0)
            continue;
        search->free_budgets[search->free_count++] = b;
        residual = fmax(residual, fabs(search->gradient[b]));
    }
    return residual;
}

/* (H + rho diag H + tiny) step = -gradient on the free prices, by Cholesky. */
static void solve_step(struct search *search, double rho)
{
    int n = search->free_count;
    size_t count = (size_t)search->clearing->budget_count;
    double *factor = search->factor, *step = search->step, largest = 0;

    for (int i = 0; i < n; i++)
        largest =
            fmax(largest, search->hessian[(size_t)search->free_budgets[i] * (count + 1)]);
    for (int i = 0; i < n; i++) {
        int row = search->free_budgets[i];
        double sum = -search->gradient[row];

        for (int j = 0; j <= i; j++) {
            double entry =
                search->hessian[(size_t)row * count + (size_t)search->free_budgets[j]];

            if (i == j)
                entry += rho * entry + 1e-10 * largest + 1e-12 * search->scale;
            for (int k = 0; k < j; k++)
                entry -= factor[i * n + k] * factor[j * n + k];
            factor[i * n + j] = i == j ? sqrt(fmax(entry, 1e-14 * largest + 1e-30))
                                       : entry / factor[j * n + j];
        }
        for (int k = 0; k < i; k++)
            sum -= factor[i * n + k] * step[k];
        step[i] = sum / factor[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
            step[i] -= factor[k * n + i] * step[k];
        step[i] /= factor[i * n + i];
    }
}

/* Whether a step, or a half or quarter of it, lowers D; then it is taken. */
static bool take_step(struct search *search, double *value)
{
    size_t bytes = (size_t)search->clearing->budget_count * sizeof(double);

    for (int half = 0; half < 3; half++) {
        double share = 1.0 / (1 << half), trial_value;

        memcpy(search->trial, search->prices, bytes);
        for (int i = 0; i < search->free_count; i++) {
            int b = search->free_budgets[i];

            search->trial[b] = fmax(0, search->prices[b] + share * search->step[i]);
        }
        trial_value = value_at(search, search->trial);
        if (trial_value < *value) {
            memcpy(search->prices, search->trial, bytes);
            *value = trial_value;
            return true;
        }
    }
    return false;
}

/* True when it has converged. */
static bool newton(struct search *search)
{
    double rho = 1e-6, value = value_at(search, search->prices);

    for (int round = 0; round < NEWTON_ROUND_COUNT_MAX; round++) {
        differentiate(search, true);
        if (find_free(search) <= RESIDUAL_ENOUGH * search->scale)
            return true;
        for (;;) {
            solve_step(search, rho);
            if (take_step(search, &value))
                break;
            rho *= 10;
            if (rho > 1e4)
                return false;
        }
        rho = fmax(rho / 10, 1e-9);
    }
    return false;
}

static void find_scale(struct search *search)
{
    const struct clearing *clearing = search->clearing;

    for (int g = 0; g < clearing->cell_count; g++)
        if (clearing->cells[g].curve.low < clearing->cells[g].curve.high)
            search->scale += clearing->cells[g].curve.above[0];
}

enum status clearing_solve(const struct clearing *clearing, double *prices,
                           struct err *err)
{
    size_t count = (size_t)clearing->budget_count;
    bool is_small = count <= NEWTON_BUDGET_COUNT_MAX;
    size_t square = is_small ? count * count : 0;
    double *room = malloc((4 * count + 2 * square + 1) * sizeof *room);
    int *free_budgets = malloc((count + 1) * sizeof *free_budgets);
    struct search search = {.clearing = clearing, .free_budgets = free_budgets};

    if (!room || !free_budgets) {
        free(room);
        free(free_budgets);
        return err_set(err, STATUS_EXHAUSTED, "no memory to solve prices");
    }
    search.prices = room;
    search.trial = room + count;
    search.gradient = room + 2 * count;
    search.step = room + 3 * count;
    search.hessian = room + 4 * count;
    search.factor = room + 4 * count + square;
    memcpy(search.prices, prices, count * sizeof *prices);
    find_scale(&search);
    if (!is_small)
        sweep(&search, SWEEP_COUNT_MAX);
    else if (!newton(&search)) {
        sweep(&search, 3);
        newton(&search);
    }
    memcpy(prices, search.prices, count * sizeof *prices);
    free(room);
    free(free_budgets);
    return STATUS_OK;
}
