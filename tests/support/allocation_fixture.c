/* allocation_fixture.c - random allocation problems. */
#include "support/allocation_fixture.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { CELL_COUNT_MAX = 8000 };

const char *const menu_names[MENU_KIND_COUNT] = {
    "refund", "strong",     "weak",     "uncorrelated", "s-shaped",
    "tied",   "compulsory", "negative", "huge",
};

static int64_t below(struct rng *rng, int64_t bound)
{
    return (int64_t)rng_below(rng, (uint64_t)bound);
}

static double curve(struct rng *rng, enum menu_kind kind, double cost, double worth,
                    double scale)
{
    if (kind == MENU_S_SHAPED)
        return worth / (1 + exp(-(cost - scale) / (0.15 * scale)));
    return worth * (1 - exp(-cost / scale)) + 5 * rng_normal(rng);
}

/* One request's actions. */
static void fill_menu(struct rng *rng, enum menu_kind kind, int count, int64_t *costs,
                      int64_t *values)
{
    const int64_t top = ALLOCATION_NUMBER_MAX;
    double worth = 100 * exp(1.2 * rng_normal(rng)), scale = 200 + 800 * rng_uniform(rng);

    for (int j = 0; j < count; j++) {
        int64_t cost = j == 0 ? 0 : 1 + below(rng, 1000);

        switch (kind) {
        case MENU_REFUND:
        case MENU_S_SHAPED:
            cost = j * 250 - (j > 0 ? below(rng, 100) : 0);
            values[j] =
                j == 0 ? 0
                       : (int64_t)(100 * curve(rng, kind, (double)cost, worth, scale));
            break;
        case MENU_STRONG:
            values[j] = j == 0 ? 0 : cost + 100;
            break;
        case MENU_WEAK:
            values[j] = j == 0 ? 0 : cost + below(rng, 200) - 100;
            break;
        case MENU_UNCORRELATED:
            values[j] = j == 0 ? 0 : below(rng, 1000);
            break;
        case MENU_TIED:
            cost = 4 * below(rng, 4);
            values[j] = 3 * (cost / 4) * (1 + below(rng, 2));
            break;
        case MENU_COMPULSORY:
            cost = 5 + below(rng, 30);
            values[j] = below(rng, 60) - 10;
            break;
        case MENU_NEGATIVE:
            cost = below(rng, 3) ? below(rng, 20) : 0;
            values[j] = below(rng, 60) - 40;
            break;
        case MENU_HUGE:
        case MENU_KIND_COUNT:
            cost = j == 0 ? below(rng, 3) : top - below(rng, top / 2);
            values[j] = below(rng, 2) ? top - below(rng, 1000) : -below(rng, top);
            break;
        }
        costs[j] = cost;
    }
}

/* The cell'th of all sets of three; of fewer budgets all. */
static int triple_of(int budget_count, int cell, int32_t *set)
{
    for (int a = 0; a < budget_count; a++)
        for (int b = a + 1; b < budget_count; b++)
            for (int c = b + 1; c < budget_count; c++)
                if (cell-- == 0) {
                    set[0] = a, set[1] = b, set[2] = c;
                    return 3;
                }
    for (int b = 0; b < budget_count; b++)
        set[b] = b;
    return budget_count;
}

/* Distinct budget sets, one cell each. Budget 0 holds all; then markets and issues share,
 * or markets hold segments. */
static int set_of(enum budget_kind kind, int budget_count, int cell, struct rng *rng,
                  int32_t *set)
{
    int markets = (budget_count - 1) / 3 > 0 ? (budget_count - 1) / 3 : 1;
    int issues = budget_count - 1 - markets, count = 0;

    switch (kind) {
    case BUDGETS_NESTED:
    case BUDGETS_SHARED:
        set[count++] = 0;
        if (budget_count < 3)
            return count;
        set[count++] = 1 + (kind == BUDGETS_SHARED ? cell / issues : cell % markets);
        set[count++] = 1 + markets + cell % issues;
        return count;
    case BUDGETS_RANDOM:
        for (int b = 0; b < budget_count; b++)
            if (rng_below(rng, 5) < 2)
                set[count++] = b;
        return count;
    case BUDGETS_THREE:
        return triple_of(budget_count, cell, set);
    case BUDGETS_ONE:
    case BUDGETS_KIND_COUNT:
        set[count++] = 0;
        return count;
    }
    return count;
}

static int cell_count_of(enum budget_kind kind, int budget_count)
{
    int markets = (budget_count - 1) / 3 > 0 ? (budget_count - 1) / 3 : 1;
    int issues = budget_count - 1 - markets, m = budget_count;

    if (kind == BUDGETS_ONE || (kind != BUDGETS_RANDOM && budget_count < 3))
        return 1;
    if (kind == BUDGETS_THREE)
        return m * (m - 1) * (m - 2) / 6;
    if (kind ==
        BUDGETS_NESTED) /* each segment lies in one market: markets divide issues */
        return issues / markets * markets > 0 ? issues / markets * markets : 1;
    return kind == BUDGETS_SHARED ? markets * issues : 2 + budget_count;
}

static void fill_cells(struct rng *rng, struct allocation_fixture *fixture,
                       enum budget_kind kind)
{
    int budget_count = fixture->problem.budget_count;
    int cell_count = cell_count_of(kind, budget_count), used = 0;

    for (int g = 0; g < cell_count; g++) {
        used += set_of(kind, budget_count, g, rng, fixture->cell_budgets + used);
        fixture->cell_starts[g + 1] = used;
    }
    fixture->problem.cell_count = cell_count;
}

static void fill_limits(struct rng *rng, struct allocation_fixture *fixture, double share)
{
    const struct allocation *problem = &fixture->problem;
    double least[64] = {}, most[64] = {};

    for (int64_t i = 0; i < problem->request_count; i++) {
        int64_t low = INT64_MAX, high = 0;
        int32_t cell = problem->cells[i];

        for (int64_t k = problem->starts[i]; k < problem->starts[i + 1]; k++) {
            low = problem->costs[k] < low ? problem->costs[k] : low;
            high = problem->costs[k] > high ? problem->costs[k] : high;
        }
        for (int k = problem->cell_starts[cell]; k < problem->cell_starts[cell + 1];
             k++) {
            least[problem->cell_budgets[k]] += (double)low;
            most[problem->cell_budgets[k]] += (double)high;
        }
    }
    for (int b = 0; b < problem->budget_count; b++) {
        double own = share >= 0 ? share * (b == 0 ? 0.9 : 0.7 + 0.6 * rng_uniform(rng))
                                : fmax(0, 1.1 * rng_uniform(rng) - 0.1);

        fixture->limits[b] =
            (int64_t)fmin(0x1p62, ceil(least[b] + own * (most[b] - least[b])));
    }
}

struct allocation_fixture *allocation_random(struct rng *rng, int64_t request_count,
                                             int action_count, enum menu_kind menu,
                                             enum budget_kind budgets, int budget_count,
                                             double share)
{
    struct allocation_fixture *fixture = calloc(1, sizeof *fixture);
    size_t n = (size_t)request_count, actions = n * (size_t)action_count;

    fixture->starts = calloc(n + 1, sizeof(int64_t));
    fixture->costs = calloc(actions + 1, sizeof(int64_t));
    fixture->values = calloc(actions + 1, sizeof(int64_t));
    fixture->cells = calloc(n + 1, sizeof(int32_t));
    fixture->cell_starts = calloc(CELL_COUNT_MAX + 1, sizeof(int32_t));
    fixture->cell_budgets = calloc(3 * CELL_COUNT_MAX, sizeof(int32_t));
    fixture->limits = calloc(64, sizeof(int64_t));
    fixture->result.choices = calloc(n + 1, sizeof(int32_t));
    fixture->result.spend = calloc(64, sizeof(int64_t));
    fixture->result.prices = calloc(64, sizeof(double));
    fixture->problem = (struct allocation){
        request_count,
        fixture->starts,
        fixture->costs,
        fixture->values,
        fixture->cells,
        fixture->cell_starts,
        fixture->cell_budgets,
        0,
        fixture->limits,
        budgets == BUDGETS_ONE ? 1 : budget_count,
        0,
    };
    fill_cells(rng, fixture, budgets);
    for (size_t i = 0; i < n; i++) {
        size_t start = i * (size_t)action_count;

        fixture->starts[i + 1] = (int64_t)(start + (size_t)action_count);
        fixture->cells[i] = (int32_t)below(rng, fixture->problem.cell_count);
        fill_menu(rng, menu, action_count, fixture->costs + start,
                  fixture->values + start);
    }
    fill_limits(rng, fixture, share);
    return fixture;
}

void allocation_free(struct allocation_fixture *fixture)
{
    free(fixture->starts);
    free(fixture->costs);
    free(fixture->values);
    free(fixture->cells);
    free(fixture->cell_starts);
    free(fixture->cell_budgets);
    free(fixture->limits);
    free(fixture->result.choices);
    free(fixture->result.spend);
    free(fixture->result.prices);
    free(fixture);
}
