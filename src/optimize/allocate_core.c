/* allocate_core.c - the requests that the price still decides, and their steps. */
#include <math.h>
#include <stdlib.h>

#include "optimize/allocate_hull.h"
#include "optimize/allocate_work.h"

/* The steps of hulls, as they come. */
struct hulls {
    struct work *work;
    struct step *steps;
    int64_t count, room;
};

/* Room for one more request's steps. */
static bool grow(struct hulls *hulls)
{
    int64_t room = hulls->room * 2 + 2 * ALLOCATION_ACTION_COUNT_MAX;
    struct step *steps;

    if (hulls->room - hulls->count >= ALLOCATION_ACTION_COUNT_MAX)
        return true;
    steps = realloc(hulls->steps, (size_t)room * sizeof *steps);
    if (!steps)
        return false;
    hulls->steps = steps;
    hulls->room = room;
    return true;
}

/* Steps of the whole hull. */
static int32_t hull_all(struct hulls *hulls, int64_t request)
{
    const struct allocation *problem = hulls->work->problem;
    int64_t start = problem->starts[request];
    const int64_t *costs = problem->costs + start, *values = problem->values + start;
    int32_t points[ALLOCATION_ACTION_COUNT_MAX];
    int count =
        allocate_hull(costs, values, (int)(problem->starts[request + 1] - start), points);
    double slope = INFINITY;

    for (int i = 1; i < count; i++) {
        int64_t cost = costs[points[i]] - costs[points[i - 1]];
        double own = (double)(values[points[i]] - values[points[i - 1]]) / (double)cost;

        slope = own < slope ? own : slope; /* rounding must not turn the order */
        hulls->steps[hulls->count++] =
            (struct step){slope, cost, (int32_t)request, points[i]};
    }
    return points[0];
}

/* The steepest way up from an action, of equals the farthest; -1 when there is none over
 * low. */
static int32_t next_point(const int64_t *costs, const int64_t *values, int count,
                          int32_t point, double low, double *slope)
{
    int32_t next = -1;

    *slope = low;
    for (int32_t j = 0; j < count; j++) {
        double cost = (double)(costs[j] - costs[point]);
        double own = (double)(values[j] - values[point]) / cost;

        if (cost > 0 &&
            (own > *slope || (next >= 0 && own >= *slope && costs[j] > costs[next]))) {
            *slope = own;
            next = j;
        }
    }
    return next;
}

/* Steps within a bracket: few, so the hull is walked and nothing is sorted. */
static int32_t hull_between(struct hulls *hulls, int64_t request, double low, double high)
{
    const struct allocation *problem = hulls->work->problem;
    int64_t start = problem->starts[request];
    const int64_t *costs = problem->costs + start, *values = problem->values + start;
    int count = (int)(problem->starts[request + 1] - start);
    int32_t base = best_action(problem, request, high), point = base, next;
    double slope = high, own;

    while ((next = next_point(costs, values, count, point, low, &own)) >= 0) {
        slope = own < slope ? own : slope; /* rounding must not turn the order */
        hulls->steps[hulls->count++] =
            (struct step){slope, costs[next] - costs[point], (int32_t)request, next};
        point = next;
    }
    return base;
}

/* Give a request what is over its bracket, and note its steps within. */
static void take_hull(struct hulls *hulls, int64_t request)
{
    struct work *work = hulls->work;
    int32_t cell = work->problem->cells[request], base;
    double low = work->lows[cell], high = work->highs[cell];

    base =
        isinf(high) ? hull_all(hulls, request) : hull_between(hulls, request, low, high);
    work->choices[request] = base;
    charge(work, cell, work->problem->costs[work->problem->starts[request] + base]);
}

void core_forget(struct work *work)
{
    core_free(&work->core);
    work->outside_value = 0;
    for (int b = 0; b < work->problem->budget_count; b++)
        work->rooms[b] = work->problem->limits[b];
}

void core_reset(struct work *work, double low, double high)
{
    core_forget(work);
    for (int g = 0; g < work->problem->cell_count; g++) {
        work->lows[g] = low;
        work->highs[g] = high;
    }
}

/* From all by slope to cell by cell. */
static enum status part_cells(struct core *core, const struct allocation *problem,
                              struct err *err)
{
    size_t cell_count = (size_t)problem->cell_count;
    struct step *parted = malloc(((size_t)core->step_count + 1) * sizeof *parted);

    core->cell_steps = calloc(cell_count + 2, sizeof *core->cell_steps);
    if (!parted || !core->cell_steps) {
        free(parted);
        return err_set(err, STATUS_EXHAUSTED, "no memory for %lld steps",
                       (long long)core->step_count);
    }
    for (int64_t i = 0; i < core->step_count; i++)
        core->cell_steps[problem->cells[core->steps[i].request] + 2]++;
    for (size_t g = 0; g < cell_count; g++)
        core->cell_steps[g + 2] += core->cell_steps[g + 1];
    for (int64_t i = 0; i < core->step_count; i++)
        parted[core->cell_steps[problem->cells[core->steps[i].request] + 1]++] =
            core->steps[i];
    free(core->steps);
    core->steps = parted;
    return STATUS_OK;
}

static void fill_cell(struct work *work, int g, double *slopes, double *costs,
                      double *values)
{
    struct core *core = &work->core;
    int64_t start = core->cell_steps[g], count = core->cell_steps[g + 1] - start;
    int budget_count;
    const int32_t *budgets = budgets_of(work->problem, g, &budget_count);

    costs[0] = 0;
    values[0] = 0;
    for (int64_t k = 0; k < count; k++) {
        const struct step *step = &core->steps[start + k];

        slopes[k] = step->slope;
        costs[k + 1] = costs[k] + (double)step->cost;
        values[k + 1] = values[k] + step->slope * (double)step->cost;
    }
    core->cells[g] =
        (struct dual_cell){budgets, budget_count, (int)count, slopes, costs, values};
}

/* The core as the dual wants it. */
static enum status fill_cells(struct work *work, struct err *err)
{
    struct core *core = &work->core;
    size_t cell_count = (size_t)work->problem->cell_count;
    size_t room = (size_t)core->step_count + cell_count + 1;

    core->cells = calloc(cell_count + 1, sizeof *core->cells);
    core->slopes = malloc(room * sizeof *core->slopes);
    core->costs = malloc(room * sizeof *core->costs);
    core->values = malloc(room * sizeof *core->values);
    if (!core->cells || !core->slopes || !core->costs || !core->values)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %lld steps",
                       (long long)core->step_count);
    for (size_t g = 0; g < cell_count; g++) {
        size_t start = (size_t)core->cell_steps[g];

        fill_cell(work, (int)g, core->slopes + start, core->costs + start + g,
                  core->values + start + g);
    }
    return STATUS_OK;
}

enum status core_make(struct work *work, int64_t *requests, int64_t request_count,
                      struct err *err)
{
    struct hulls hulls = {.work = work};
    struct core *core = &work->core;
    bool is_ready = grow(&hulls);
    enum status rc;

    for (int64_t i = 0; is_ready && i < request_count; i++) {
        take_hull(&hulls, requests ? requests[i] : i);
        is_ready = grow(&hulls);
    }
    *core = (struct core){
        .steps = hulls.steps,
        .step_count = hulls.count,
        .requests = requests,
        .request_count = request_count,
    };
    if (!is_ready)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %lld steps",
                       (long long)hulls.count);
    rc = steps_sort(core->steps, core->step_count, err);
    if (!rc)
        rc = part_cells(core, work->problem, err);
    if (!rc)
        rc = fill_cells(work, err);
    return rc;
}

void core_free(struct core *core)
{
    free(core->steps);
    free(core->cell_steps);
    free(core->requests);
    free(core->cells);
    free(core->slopes);
    free(core->costs);
    free(core->values);
    *core = (struct core){};
}
