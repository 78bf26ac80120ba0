/* cells.c - cases grouped by the set of budgets they are charged to. */
#include "optimize/cells.h"

#include <stdlib.h>
#include <string.h>

/* What is needed while the cells are made. */
struct making {
    const struct price_problem *problem;
    struct cells *cells;
    int *cell_of;                 /* (case), -1: charged to no budget */
    int *slots;                   /* hash table: cell + 1 */
    int slot_count;               /* a power of two over twice the cases */
    struct increment *increments; /* of each case, from its option_starts on */
    int *increment_counts;        /* (case) */
    struct increment *sorted;     /* by cell */
    double *bases;                /* (cell) */
};

static int int_compare(const void *a, const void *b)
{
    const int *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* By falling threshold; equal ones by rising amount, for one order on every machine. */
static int increment_compare(const void *a, const void *b)
{
    const struct increment *x = a, *y = b;

    if (x->threshold != y->threshold)
        return x->threshold < y->threshold ? 1 : -1;
    return (x->amount > y->amount) - (x->amount < y->amount);
}

static uint64_t set_hash(const int *budgets, int count)
{
    uint64_t hash = 0x9E3779B97F4A7C15u;

    for (int i = 0; i < count; i++) {
        hash = (hash ^ (uint64_t)budgets[i]) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    return hash;
}

/* The cell of a set of budgets, made when it is new. */
static int cell_find(struct making *making, const int *budgets, int count)
{
    struct cells *cells = making->cells;
    size_t mask = (size_t)making->slot_count - 1;
    size_t slot = set_hash(budgets, count) & mask;

    for (; making->slots[slot]; slot = (slot + 1) & mask) {
        const struct cell *cell = &cells->items[making->slots[slot] - 1];

        if (cell->budget_count == count &&
            memcmp(cell->budgets, budgets, (size_t)count * sizeof *budgets) == 0)
            return making->slots[slot] - 1;
    }
    cells->items[cells->count] = (struct cell){.budgets = budgets, .budget_count = count};
    making->slots[slot] = ++cells->count;
    return cells->count - 1;
}

static void group_cases(struct making *making)
{
    const struct price_problem *problem = making->problem;
    int *sets = making->cells->sets;

    for (int i = 0; i < problem->case_count; i++) {
        int start = problem->budget_starts[i];
        int count = problem->budget_starts[i + 1] - start;

        memcpy(sets + start, problem->budgets + start, (size_t)count * sizeof *sets);
        if (count > 1)
            qsort(sets + start, (size_t)count, sizeof *sets, int_compare);
        making->cell_of[i] = count > 0 ? cell_find(making, sets + start, count) : -1;
    }
}

static enum status make_hulls(struct making *making, struct err *err)
{
    const struct price_problem *problem = making->problem;
    const struct price_option **points;
    int option_count_max = 0;

    for (int i = 0; i < problem->case_count; i++) {
        int count = problem->option_starts[i + 1] - problem->option_starts[i];

        option_count_max = count > option_count_max ? count : option_count_max;
    }
    points = malloc(((size_t)option_count_max + 1) * sizeof *points);
    if (!points)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the hulls of cases");
    for (int i = 0; i < problem->case_count; i++) {
        int start = problem->option_starts[i], cell = making->cell_of[i];
        double base;

        if (cell < 0)
            continue;
        making->increment_counts[i] =
            hull_of(problem->options + start, problem->option_starts[i + 1] - start,
                    points, making->increments + start, &base);
        making->cells->items[cell].count += making->increment_counts[i];
        making->bases[cell] += base;
    }
    free(points);
    return STATUS_OK;
}

/* Gather each cell's increments, sort them and add up what they are charged. */
static void sort_cells(struct making *making)
{
    const struct price_problem *problem = making->problem;
    struct cells *cells = making->cells;

    for (int i = 0; i < cells->count; i++) {
        struct cell *cell = &cells->items[i];

        cell->start = cell->to = cells->increment_count;
        cell->charged = cells->charges + cell->start + i;
        cells->increment_count += cell->count;
    }
    for (int i = 0; i < problem->case_count; i++) {
        int count = making->increment_counts[i];

        if (count == 0)
            continue;
        memcpy(making->sorted + cells->items[making->cell_of[i]].to,
               making->increments + problem->option_starts[i],
               (size_t)count * sizeof *making->sorted);
        cells->items[making->cell_of[i]].to += count;
    }
    for (int i = 0; i < cells->count; i++) {
        const struct cell *cell = &cells->items[i];
        struct increment *own = making->sorted + cell->start;
        double *charged = cells->charges + cell->start + i;

        if (cell->count > 1)
            qsort(own, (size_t)cell->count, sizeof *own, increment_compare);
        charged[0] = making->bases[i];
        for (int k = 0; k < cell->count; k++) {
            cells->thresholds[cell->start + k] = own[k].threshold;
            charged[k + 1] = charged[k] + own[k].amount;
        }
    }
}

static void list_cells(struct making *making)
{
    struct cells *cells = making->cells;
    int *starts = cells->cell_starts;
    int budget_count = making->problem->budget_count;

    for (int i = 0; i < cells->count; i++)
        for (int j = 0; j < cells->items[i].budget_count; j++)
            starts[cells->items[i].budgets[j] + 1]++;
    for (int b = 0; b < budget_count; b++)
        starts[b + 1] += starts[b];
    /* Fill from each row's start, which so becomes its end, then move the starts back. */
    for (int i = 0; i < cells->count; i++)
        for (int j = 0; j < cells->items[i].budget_count; j++)
            cells->budget_cells[starts[cells->items[i].budgets[j]]++] = i;
    memmove(starts + 1, starts, (size_t)budget_count * sizeof *starts);
    starts[0] = 0;
}

static void *room(size_t count, size_t item_bytes)
{
    return calloc(count + 1, item_bytes);
}

static enum status make_room(struct making *making, struct err *err)
{
    const struct price_problem *problem = making->problem;
    struct cells *cells = making->cells;
    size_t case_count = (size_t)problem->case_count;
    size_t option_count = (size_t)problem->option_starts[problem->case_count];
    size_t charge_count = (size_t)problem->budget_starts[problem->case_count];

    making->slot_count = 2;
    while ((size_t)making->slot_count < 2 * case_count)
        making->slot_count *= 2;
    making->cell_of = room(case_count, sizeof *making->cell_of);
    making->slots = room((size_t)making->slot_count, sizeof *making->slots);
    making->increments = room(option_count, sizeof *making->increments);
    making->increment_counts = room(case_count, sizeof *making->increment_counts);
    making->sorted = room(option_count, sizeof *making->sorted);
    making->bases = room(case_count, sizeof *making->bases);
    cells->items = room(case_count, sizeof *cells->items);
    cells->thresholds = room(option_count, sizeof *cells->thresholds);
    cells->charges = room(option_count + case_count, sizeof *cells->charges);
    cells->sets = room(charge_count, sizeof *cells->sets);
    cells->budget_cells = room(charge_count, sizeof *cells->budget_cells);
    cells->cell_starts = room((size_t)problem->budget_count + 1, sizeof(int));
    if (making->cell_of && making->slots && making->increments &&
        making->increment_counts && making->sorted && making->bases && cells->items &&
        cells->thresholds && cells->charges && cells->sets && cells->budget_cells &&
        cells->cell_starts)
        return STATUS_OK;
    return err_set(err, STATUS_EXHAUSTED, "no memory to price %zu cases", case_count);
}

enum status cells_make(const struct price_problem *problem, struct cells *cells,
                       struct err *err)
{
    struct making making = {.problem = problem, .cells = cells};
    enum status rc;

    *cells = (struct cells){0};
    rc = make_room(&making, err);
    if (!rc) {
        group_cases(&making);
        rc = make_hulls(&making, err);
    }
    if (!rc) {
        sort_cells(&making);
        list_cells(&making);
    }
    free(making.cell_of);
    free(making.slots);
    free(making.increments);
    free(making.increment_counts);
    free(making.sorted);
    free(making.bases);
    return rc;
}

void cells_free(struct cells *cells)
{
    free(cells->items);
    free(cells->thresholds);
    free(cells->charges);
    free(cells->sets);
    free(cells->budget_cells);
    free(cells->cell_starts);
}

int cell_count_over(const struct cells *cells, const struct cell *cell, double price,
                    int from, int to)
{
    const double *thresholds = cells->thresholds + cell->start;

    while (from < to) {
        int middle = from + (to - from) / 2;

        if (thresholds[middle] > price)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}
