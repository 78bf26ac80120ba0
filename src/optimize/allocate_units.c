/* allocate_units.c - where all that a budget can be charged are whole multiples of one
 * amount, so is all that can be spent of it: what its limit has over is of no use to
 * anybody. */
#include <stdlib.h>

#include "optimize/allocate_work.h"

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* The greatest amount that divides all costs of each cell; 0: they are all 0. */
static void find_units(const struct allocation *problem, int64_t *units)
{
    int32_t left = problem->cell_count;

    for (int64_t i = 0; left > 0 && i < problem->request_count; i++) {
        int64_t *unit = &units[problem->cells[i]], before = *unit;

        for (int64_t k = problem->starts[i]; *unit != 1 && k < problem->starts[i + 1];
             k++)
            if (*unit == 0 || problem->costs[k] % *unit != 0)
                *unit = common_divisor(problem->costs[k], *unit);
        left -= *unit == 1 && before != 1;
    }
}

enum status rooms_round(struct work *work, struct err *err)
{
    const struct allocation *problem = work->problem;
    int64_t *units = calloc((size_t)problem->cell_count + 1, sizeof *units);
    int64_t *own = calloc((size_t)problem->budget_count + 1, sizeof *own);
    int count;

    if (units && own) {
        find_units(problem, units);
        for (int g = 0; g < problem->cell_count; g++) {
            const int32_t *budgets = budgets_of(problem, g, &count);

            for (int i = 0; i < count; i++)
                own[budgets[i]] = common_divisor(units[g], own[budgets[i]]);
        }
        for (int b = 0; b < problem->budget_count; b++)
            if (own[b] > 1)
                work->rooms[b] -= problem->limits[b] % own[b];
    }
    free(units);
    free(own);
    return units && own ? STATUS_OK
                        : err_set(err, STATUS_EXHAUSTED, "no memory for %d cells",
                                  problem->cell_count);
}
