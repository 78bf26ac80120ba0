/* dual_edges.c - the exact end of the search for prices: the simplex method on the dual.
 *
 * The prices stand where as many equations hold as there are budgets: a price is zero, a
 * cell's price is one of its slopes, or, as long as nothing better is known, a price is
 * where it is. Let go of one equation and the others leave one edge to move along. Along
 * an edge D is a convex polygon; a step passes kinks as long as D falls (the long-step
 * rule of the bounded dual simplex; Maros, Computational Techniques of the Simplex
 * Method, chapter 10). What holds is counted, not compared: each cell knows how many
 * increments it has taken. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "optimize/dual_point.h"

enum {
    PIVOT_COUNT_OF_BUDGET = 40,
    REFRESH_EVERY = 40, /* pivots, after which the inverse is made anew */
    CELL_EFFORT = 100,  /* of a pivot */
};

#define TILT      1e-12 /* slopes differ so much more, lest equal ones stop the search */
#define RATE_MIN  1e-9  /* a cell's price that moves less stands still */
#define TOLERANCE 1e-12 /* of what is spent */

enum row_kind {
    ROW_HELD, /* a price is where it is */
    ROW_ZERO, /* a price is zero */
    ROW_STEP, /* a cell's price is the slope of the next increment it would take */
};

struct row {
    enum row_kind kind;
    int index; /* of the budget, or the cell */
};

struct event {
    double at; /* along the edge */
    int cell;
};

struct edges {
    struct dual_search *search;
    const struct dual_problem *problem;
    int n;              /* budgets */
    struct row *rows;   /* (budget) */
    double *directions; /* (row, budget): the edge when the row is let go */
    double *edge;       /* (budget): where to, now */
    double *prices;     /* (budget) */
    double *gradient;   /* (budget): limit - what is taken */
    double *scratch;    /* (budget, 2 budgets) */
    bool *is_zero;      /* (budget): by a row */
    double *rates;      /* (cell): how its price moves along the edge */
    double *mus;        /* (cell) */
    int *counts;        /* (cell): increments taken for good */
    bool *is_step;      /* (cell): its next increment is a row's */
    struct event *heap; /* (cell): the next kink of each, least first */
    int heap_count;
};

static double tilted(const struct edges *edges, int g, int k)
{
    uint32_t hash = ((uint32_t)g + 1) * 2654435761u;

    return edges->problem->cells[g].slopes[k] *
           (1 + TILT * (double)(hash >> 12) * 0x1p-20);
}

static double width(const struct edges *edges, int g, int k)
{
    const double *costs = edges->problem->cells[g].costs;

    return costs[k + 1] - costs[k];
}

static double cell_sum(const struct dual_cell *cell, const double *of_budgets)
{
    double sum = 0;

    for (int i = 0; i < cell->budget_count; i++)
        sum += of_budgets[cell->budgets[i]];
    return sum;
}

/* --- memory ---------------------------------------------------------------------------------- */

static void edges_free(struct edges *edges)
{
    free(edges->rows);
    free(edges->directions);
    free(edges->edge);
    free(edges->prices);
    free(edges->gradient);
    free(edges->scratch);
    free(edges->is_zero);
    free(edges->rates);
    free(edges->mus);
    free(edges->counts);
    free(edges->is_step);
    free(edges->heap);
}

static bool edges_alloc(struct edges *edges)
{
    size_t n = (size_t)edges->n, cell_count = (size_t)edges->problem->cell_count + 1;

    edges->rows = calloc(n, sizeof *edges->rows);
    edges->directions = calloc(n * n, sizeof *edges->directions);
    edges->edge = calloc(n, sizeof *edges->edge);
    edges->prices = calloc(n, sizeof *edges->prices);
    edges->gradient = calloc(n, sizeof *edges->gradient);
    edges->scratch = calloc(2 * n * n, sizeof *edges->scratch);
    edges->is_zero = calloc(n, sizeof *edges->is_zero);
    edges->rates = calloc(cell_count, sizeof *edges->rates);
    edges->mus = calloc(cell_count, sizeof *edges->mus);
    edges->counts = calloc(cell_count, sizeof *edges->counts);
    edges->is_step = calloc(cell_count, sizeof *edges->is_step);
    edges->heap = calloc(cell_count, sizeof *edges->heap);
    return edges->rows && edges->directions && edges->edge && edges->prices &&
           edges->gradient && edges->scratch && edges->is_zero && edges->rates &&
           edges->mus && edges->counts && edges->is_step && edges->heap;
}

/* Begin where the search is: every price is held, or zero. */
static void begin(struct edges *edges)
{
    int n = edges->n;

    for (int b = 0; b < n; b++) {
        edges->prices[b] = edges->search->here.prices[b];
        edges->is_zero[b] = !(edges->prices[b] > 0);
        edges->rows[b] = (struct row){edges->is_zero[b] ? ROW_ZERO : ROW_HELD, b};
        edges->directions[b * n + b] = 1;
    }
    for (int g = 0; g < edges->problem->cell_count; g++) {
        int count = edges->search->here.counts[g];

        edges->mus[g] = cell_sum(&edges->problem->cells[g], edges->prices);
        while (count > 0 && tilted(edges, g, count - 1) <= edges->mus[g])
            count--;
        while (count < edges->problem->cells[g].increment_count &&
               tilted(edges, g, count) > edges->mus[g])
            count++;
        edges->counts[g] = count;
    }
}

/* --- which way is down ----------------------------------------------------------------------- */

static void take_gradient(struct edges *edges)
{
    for (int b = 0; b < edges->n; b++)
        edges->gradient[b] = edges->search->limits[b];
    for (int g = 0; g < edges->problem->cell_count; g++) {
        const struct dual_cell *cell = &edges->problem->cells[g];

        edges->mus[g] = cell_sum(cell, edges->prices);
        for (int i = 0; i < cell->budget_count; i++)
            edges->gradient[cell->budgets[i]] -= cell->costs[edges->counts[g]];
    }
}

/* How fast D falls on the edge of a row, towards the better side, per length; 0 when it
 * does not. */
static double fall_of(const struct edges *edges, int row, int *side, double *slope)
{
    const double *direction = edges->directions + (size_t)row * (size_t)edges->n;
    double along = 0, length = 0, size = 0, down, up;

    for (int b = 0; b < edges->n; b++) {
        along += edges->gradient[b] * direction[b];
        length += direction[b] * direction[b];
        size += fabs(direction[b]);
    }
    up = along;    /* the slope of D one way, */
    down = -along; /* and the other */
    if (edges->rows[row].kind == ROW_STEP)
        down +=
            width(edges, edges->rows[row].index, edges->counts[edges->rows[row].index]);
    else if (edges->rows[row].kind == ROW_ZERO)
        down = 0;
    *side = up <= down ? 1 : -1;
    *slope = fmin(up, down);
    if (*slope >= -TOLERANCE * edges->search->scale * size)
        return 0;
    return -*slope / sqrt(length);
}

/* The row to let go, or -1. */
static int choose_row(const struct edges *edges, int *side, double *slope)
{
    double fall_max = 0;
    int chosen = -1;

    for (int row = 0; row < edges->n; row++) {
        double row_slope;
        int row_side;
        double fall = fall_of(edges, row, &row_side, &row_slope);

        if (fall > fall_max) {
            fall_max = fall;
            chosen = row;
            *side = row_side;
            *slope = row_slope;
        }
    }
    return chosen;
}

/* --- how far --------------------------------------------------------------------------------- */

static void heap_sink(struct event *heap, int count, int at)
{
    struct event event = heap[at];

    for (;;) {
        int child = 2 * at + 1;

        if (child + 1 < count && heap[child + 1].at < heap[child].at)
            child++;
        if (child >= count || heap[child].at >= event.at)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = event;
}

/* Where the cell's next kink along the edge is; false when there is none. */
static bool next_kink(const struct edges *edges, int g, double *at)
{
    double rate = edges->rates[g];
    int k = rate > 0 ? edges->counts[g] - 1 : edges->counts[g];

    if (k < 0 || k >= edges->problem->cells[g].increment_count)
        return false;
    *at = fmax(0, (tilted(edges, g, k) - edges->mus[g]) / rate);
    return true;
}

static void heap_begin(struct edges *edges)
{
    edges->heap_count = 0;
    for (int g = 0; g < edges->problem->cell_count; g++) {
        double rate = cell_sum(&edges->problem->cells[g], edges->edge), at;

        edges->rates[g] = fabs(rate) < RATE_MIN || edges->is_step[g] ? 0 : rate;
        if (edges->rates[g] != 0 && next_kink(edges, g, &at))
            edges->heap[edges->heap_count++] = (struct event){at, g};
    }
    for (int i = edges->heap_count / 2 - 1; i >= 0; i--)
        heap_sink(edges->heap, edges->heap_count, i);
}

/* The first price that falls to zero; -1 when none does. */
static int first_zero(const struct edges *edges, double *at)
{
    int first = -1;

    *at = INFINITY;
    for (int b = 0; b < edges->n; b++) {
        double here = -edges->prices[b] / edges->edge[b];

        if (!edges->is_zero[b] && edges->edge[b] < -RATE_MIN && here < *at) {
            *at = here;
            first = b;
        }
    }
    return first;
}

/* Go along the edge as long as D falls. False when it does so for ever. */
static bool walk(struct edges *edges, double slope, double *length, struct row *entering)
{
    double zero_at;
    int zero = first_zero(edges, &zero_at);

    heap_begin(edges);
    while (edges->heap_count > 0 && edges->heap[0].at < zero_at) {
        int g = edges->heap[0].cell;
        bool is_rising = edges->rates[g] > 0;

        *length = edges->heap[0].at;
        edges->counts[g] -= is_rising;
        slope += fabs(edges->rates[g]) * width(edges, g, edges->counts[g]);
        if (slope >= 0) {
            *entering = (struct row){ROW_STEP, g};
            return true;
        }
        edges->counts[g] += !is_rising;
        if (!next_kink(edges, g, &edges->heap[0].at))
            edges->heap[0] = edges->heap[--edges->heap_count];
        if (edges->heap_count > 0)
            heap_sink(edges->heap, edges->heap_count, 0);
    }
    *length = zero_at;
    *entering = (struct row){ROW_ZERO, zero};
    return zero >= 0;
}

/* --- pivots ---------------------------------------------------------------------------------- */

static double row_times(const struct edges *edges, const struct row *row,
                        const double *vector)
{
    if (row->kind == ROW_STEP)
        return cell_sum(&edges->problem->cells[row->index], vector);
    return vector[row->index];
}

/* Put the entering row in place of the leaving one; the other edges stay on it. */
static bool exchange(struct edges *edges, int leaving, struct row entering)
{
    int n = edges->n;
    double *own = edges->directions + (size_t)leaving * (size_t)n;
    double pivot = row_times(edges, &entering, own);

    if (fabs(pivot) < RATE_MIN)
        return false;
    for (int b = 0; b < n; b++)
        own[b] /= pivot;
    for (int row = 0; row < n; row++) {
        double *other = edges->directions + (size_t)row * (size_t)n;
        double times = row == leaving ? 0 : row_times(edges, &entering, other);

        for (int b = 0; times != 0 && b < n; b++)
            other[b] -= times * own[b];
    }
    if (entering.kind == ROW_STEP)
        edges->is_step[entering.index] = true;
    else
        edges->is_zero[entering.index] = true;
    edges->rows[leaving] = entering;
    return true;
}

static void let_go(struct edges *edges, int row, int side)
{
    const double *direction = edges->directions + (size_t)row * (size_t)edges->n;
    const struct row *leaving = &edges->rows[row];

    for (int b = 0; b < edges->n; b++)
        edges->edge[b] = side * direction[b];
    if (leaving->kind == ROW_STEP) {
        edges->is_step[leaving->index] = false;
        edges->counts[leaving->index] += side < 0;
    } else {
        edges->is_zero[leaving->index] = false;
    }
}

/* Swap two rows of the matrix that is being inverted. */
static void swap_lines(double *a, double *b, int count)
{
    for (int i = 0; i < count; i++) {
        double kept = a[i];

        a[i] = b[i];
        b[i] = kept;
    }
}

/* Gauss and Jordan: [matrix | unit] to [unit | inverse], in scratch; false when it is
 * singular. */
static bool invert(double *matrix, int n)
{
    for (int i = 0; i < n; i++) {
        double *line = matrix + (size_t)i * 2 * (size_t)n;
        int best = i;
        double pivot;

        for (int j = i + 1; j < n; j++)
            if (fabs(matrix[(size_t)j * 2 * (size_t)n + (size_t)i]) >
                fabs(matrix[(size_t)best * 2 * (size_t)n + (size_t)i]))
                best = j;
        swap_lines(line, matrix + (size_t)best * 2 * (size_t)n, 2 * n);
        pivot = line[i];
        if (fabs(pivot) < RATE_MIN)
            return false;
        for (int k = 0; k < 2 * n; k++)
            line[k] /= pivot;
        for (int j = 0; j < n; j++) {
            double *other = matrix + (size_t)j * 2 * (size_t)n;
            double times = j == i ? 0 : other[i];

            for (int k = 0; times != 0 && k < 2 * n; k++)
                other[k] -= times * line[k];
        }
    }
    return true;
}

static double row_value(const struct edges *edges, const struct row *row)
{
    switch (row->kind) {
    case ROW_HELD:
        return edges->prices[row->index];
    case ROW_ZERO:
        return 0;
    case ROW_STEP:
        return tilted(edges, row->index, edges->counts[row->index]);
    }
    return 0;
}

/* Make the edges and the prices anew from the rows: rounding does not add up. */
static bool refresh(struct edges *edges)
{
    int n = edges->n;
    double *prices = edges->edge;

    for (int row = 0; row < n; row++) {
        double *line = edges->scratch + (size_t)row * 2 * (size_t)n;

        for (int k = 0; k < 2 * n; k++)
            line[k] = k == n + row;
        if (edges->rows[row].kind != ROW_STEP) {
            line[edges->rows[row].index] = 1;
            continue;
        }
        for (int i = 0; i < edges->problem->cells[edges->rows[row].index].budget_count;
             i++)
            line[edges->problem->cells[edges->rows[row].index].budgets[i]] = 1;
    }
    if (!invert(edges->scratch, n))
        return false;
    for (int b = 0; b < n; b++) {
        prices[b] = 0;
        for (int row = 0; row < n; row++) {
            double entry = edges->scratch[(size_t)b * 2 * (size_t)n + (size_t)(n + row)];

            edges->directions[(size_t)row * (size_t)n + (size_t)b] = entry;
            prices[b] += entry * row_value(edges, &edges->rows[row]);
        }
    }
    for (int b = 0; b < n; b++)
        edges->prices[b] = fmax(0, prices[b]);
    return true;
}

/* With its share of making the inverse anew. */
static int64_t pivot_effort(const struct edges *edges)
{
    int64_t n = edges->n;

    return 4 * n * n + 2 * n * n * n / REFRESH_EVERY +
           (int64_t)CELL_EFFORT * edges->problem->cell_count;
}

/* True when D is as small as can be. */
static bool descend(struct edges *edges)
{
    int pivot_count_max = PIVOT_COUNT_OF_BUDGET * (edges->n + 5);

    for (int i = 0; i < pivot_count_max; i++) {
        struct row entering;
        double slope, length;
        int side, leaving;

        if (!dual_spend(edges->search, pivot_effort(edges)))
            return false;
        if (i % REFRESH_EVERY == REFRESH_EVERY - 1 && !refresh(edges))
            return false;
        take_gradient(edges);
        leaving = choose_row(edges, &side, &slope);
        if (leaving < 0)
            return refresh(edges);
        let_go(edges, leaving, side);
        if (!walk(edges, slope, &length, &entering))
            return false;
        for (int b = 0; b < edges->n; b++)
            edges->prices[b] = fmax(0, edges->prices[b] + length * edges->edge[b]);
        if (!exchange(edges, leaving, entering))
            return false;
    }
    (void)refresh(edges);
    return false;
}

/* The choice that the rows stand for: of the increment of a row's cell as much as leaves
 * no room. */
static void take_divisible(struct edges *edges)
{
    struct dual_search *search = edges->search;
    int n = edges->n;

    take_gradient(edges);
    for (int g = 0; g < edges->problem->cell_count; g++) {
        search->taken[g] = edges->counts[g];
        search->parts[g] = 0;
    }
    for (int row = 0; row < n; row++) {
        double *part = &search->parts[edges->rows[row].index];

        if (edges->rows[row].kind != ROW_STEP)
            continue;
        for (int b = 0; b < n; b++)
            *part += edges->gradient[b] *
                     edges->directions[(size_t)row * (size_t)n + (size_t)b];
    }
}

enum status dual_descend_edges(struct dual_search *search, struct err *err)
{
    struct edges edges = {.search = search, .problem = search->problem};
    enum status rc = STATUS_OK;

    edges.n = search->problem->budget_count;
    if (edges_alloc(&edges)) {
        begin(&edges);
        search->is_exact = descend(&edges);
        for (int b = 0; b < edges.n; b++)
            search->trial.prices[b] = edges.prices[b];
        for (int g = 0; g < search->problem->cell_count; g++)
            search->trial.counts[g] = edges.counts[g];
        take_divisible(&edges);
        dual_evaluate(search, &search->trial);
        if (search->trial.bound < search->here.bound)
            dual_accept(search);
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for the prices of %d budgets",
                     search->problem->budget_count);
    }
    edges_free(&edges);
    return rc;
}
