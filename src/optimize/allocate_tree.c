/* allocate_tree.c - nested budgets: steps by falling slope fill the rooms of a tree,
 * which is best for divisible steps (the greedy algorithm on a laminar polymatroid;
 * Federgruen and Groenevelt, 1986). */
#include <math.h>
#include <stdlib.h>

#include "optimize/allocate_work.h"

/* Put a cell's budgets in order, those of most cells first; equal ones by index. */
static void order_chain(const int *cell_counts, const int32_t *budgets, int count,
                        int *chain)
{
    for (int i = 0; i < count; i++) {
        int at = i;

        for (; at > 0 && cell_counts[chain[at - 1]] < cell_counts[budgets[i]]; at--)
            chain[at] = chain[at - 1];
        chain[at] = budgets[i];
    }
}

enum status tree_find(struct work *work, struct err *err)
{
    enum { UNKNOWN = -2 };
    const struct allocation *problem = work->problem;
    int *cell_counts = calloc((size_t)problem->budget_count + 1, sizeof *cell_counts);
    int count;

    if (!cell_counts)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %d budgets",
                       problem->budget_count);
    for (int b = 0; b < problem->budget_count; b++)
        work->parents[b] = UNKNOWN;
    for (int i = 0; i < problem->cell_starts[problem->cell_count]; i++)
        cell_counts[problem->cell_budgets[i]]++;
    work->is_tree = true;
    for (int g = 0; g < problem->cell_count; g++) {
        const int32_t *budgets = budgets_of(problem, g, &count);
        int *chain = work->chain + problem->cell_starts[g];

        order_chain(cell_counts, budgets, count, chain);
        for (int i = 0; i < count; i++) {
            int parent = i > 0 ? chain[i - 1] : -1;

            if (work->parents[chain[i]] == UNKNOWN)
                work->parents[chain[i]] = parent;
            work->is_tree = work->is_tree && work->parents[chain[i]] == parent;
        }
    }
    free(cell_counts);
    return STATUS_OK;
}

/* The cells whose next step is still wanted, the steepest on top. */
struct front {
    const struct dual_cell *cells;
    int *heap, *taken;
    int count;
};

static double next_slope(const struct front *front, int g)
{
    return front->cells[g].slopes[front->taken[g]];
}

static void front_sink(struct front *front, int at)
{
    int cell = front->heap[at];
    double slope = next_slope(front, cell);

    for (;;) {
        int child = 2 * at + 1;

        if (child + 1 < front->count && next_slope(front, front->heap[child + 1]) >
                                            next_slope(front, front->heap[child]))
            child++;
        if (child >= front->count || next_slope(front, front->heap[child]) <= slope)
            break;
        front->heap[at] = front->heap[child];
        at = child;
    }
    front->heap[at] = cell;
}

/* Take the top cell's next step, as far as there is room. fills: the slope at which a
 * budget first had too little. */
static void take(struct front *front, double *rooms, double *fills)
{
    int g = front->heap[0], k = front->taken[g];
    const struct dual_cell *cell = &front->cells[g];
    double cost = cell->costs[k + 1] - cell->costs[k], part = cost;
    bool is_full = false;

    for (int i = 0; i < cell->budget_count; i++)
        part = fmin(part, rooms[cell->budgets[i]]);
    for (int i = 0; i < cell->budget_count; i++) {
        int b = cell->budgets[i];

        if (part < cost && rooms[b] <= part) {
            fills[b] = fmax(fills[b], cell->slopes[k]);
            is_full = true;
        }
        rooms[b] -= part;
    }
    front->taken[g]++;
    if (is_full || front->taken[g] == cell->increment_count)
        front->heap[0] = front->heap[--front->count];
    if (front->count > 0)
        front_sink(front, 0);
}

/* A budget's own price is what its slope is over those of the budgets around it. */
static void prices_of_fills(const struct work *work, const double *fills, double *prices)
{
    for (int b = 0; b < work->problem->budget_count; b++) {
        double around = 0;

        for (int above = work->parents[b]; above >= 0; above = work->parents[above])
            around = fmax(around, fills[above]);
        prices[b] = fmax(0, fills[b] - around);
    }
}

enum status tree_solve(const struct work *work, double *rooms, double *prices,
                       struct err *err)
{
    int cell_count = work->problem->cell_count;
    size_t room = (size_t)cell_count + 1;
    struct front front = {work->core.cells, calloc(room, sizeof(int)),
                          calloc(room, sizeof(int)), 0};
    double *fills = calloc((size_t)work->problem->budget_count + 1, sizeof *fills);
    enum status rc = STATUS_OK;

    if (front.heap && front.taken && fills) {
        for (int g = 0; g < cell_count; g++)
            if (work->core.cells[g].increment_count > 0)
                front.heap[front.count++] = g;
        for (int i = front.count / 2 - 1; i >= 0; i--)
            front_sink(&front, i);
        while (front.count > 0)
            take(&front, rooms, fills);
        prices_of_fills(work, fills, prices);
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for %d cells", cell_count);
    }
    free(front.heap);
    free(front.taken);
    free(fills);
    return rc;
}
