/* allocate_recover.c - from prices to whole choices that keep every limit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_hull.h"
#include "optimize/allocate_work.h"

enum { WINDOW_MIN = 32, WINDOW_FACTOR = 4 };

#define TIE 1e-9 /* relative */

/* A step near the price, by how much it is worth over it. */
struct candidate {
    double worth;
    int64_t step;
};

struct recovery {
    struct work *work;
    int64_t *firsts; /* (cell): the steps before are taken, */
    int64_t *lasts;  /* from here on left */
    struct candidate *candidates;
    bool *is_blocked; /* (request): a step was refused, so are all later ones */
    double unit;      /* a usual price */
};

/* Where a cell's steps over a price end. */
static int64_t end_over(const struct work *work, int g, double price)
{
    int64_t low = work->core.cell_steps[g], high = work->core.cell_steps[g + 1];

    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        if (work->core.steps[middle].slope > price)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* So many ranks around the price, and all that tie with it. */
static void set_window(struct recovery *recovery, double factor)
{
    const struct core *core = &recovery->work->core;

    for (int g = 0; g < recovery->work->problem->cell_count; g++) {
        int64_t start = core->cell_steps[g], end = core->cell_steps[g + 1];
        double width = factor * (WINDOW_MIN + 2 * sqrt((double)(end - start)));
        int64_t from = end_over(recovery->work, g, recovery->work->mus[g] * (1 + TIE));
        int64_t to = end_over(recovery->work, g, recovery->work->mus[g] * (1 - TIE));

        recovery->firsts[g] =
            width < (double)(from - start) ? from - (int64_t)width : start;
        recovery->lasts[g] = width < (double)(end - to) ? to + (int64_t)width : end;
    }
}

static void take(struct work *work, const struct step *step, int sign)
{
    charge(work, work->problem->cells[step->request], (__int128)sign * step->cost);
}

/* What a divisible choice takes is before the window: where many steps tie, it knows
 * better than their price which ones leave no budget with too little. */
static void set_taken(struct recovery *recovery)
{
    const struct work *work = recovery->work;

    set_window(recovery, 1);
    for (int g = 0; g < work->problem->cell_count; g++) {
        recovery->firsts[g] = work->core.cell_steps[g] + work->taken[g];
        if (recovery->lasts[g] < recovery->firsts[g])
            recovery->lasts[g] = recovery->firsts[g];
    }
}

/* Take what is before the window; if that is too much, give it back. */
static bool take_firsts(struct recovery *recovery)
{
    struct work *work = recovery->work;
    int budget_count = work->problem->budget_count;
    bool fits = true;

    for (int g = 0; g < work->problem->cell_count; g++) {
        __int128 sum = 0;

        for (int64_t k = work->core.cell_steps[g]; k < recovery->firsts[g]; k++)
            sum += work->core.steps[k].cost;
        charge(work, g, sum);
    }
    for (int b = 0; b < budget_count; b++)
        fits = fits && work->rooms[b] >= 0;
    for (int g = 0; g < work->problem->cell_count; g++) {
        __int128 sum = 0;

        for (int64_t k = work->core.cell_steps[g]; k < recovery->firsts[g]; k++) {
            const struct step *step = &work->core.steps[k];

            sum += step->cost;
            if (fits)
                work->choices[step->request] = step->action;
        }
        if (!fits)
            charge(work, g, -sum);
    }
    return fits;
}

static int candidate_compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->worth != y->worth)
        return x->worth > y->worth ? -1 : 1;
    return x->step < y->step ? -1 : x->step > y->step;
}

static enum status take_candidates(struct recovery *recovery, struct err *err)
{
    struct work *work = recovery->work;
    int64_t count = 0;

    for (int g = 0; g < work->problem->cell_count; g++)
        count += recovery->lasts[g] - recovery->firsts[g];
    recovery->candidates = malloc(((size_t)count + 1) * sizeof *recovery->candidates);
    if (!recovery->candidates)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %lld steps",
                       (long long)count);
    count = 0;
    for (int g = 0; g < work->problem->cell_count; g++) {
        double mu = work->mus[g], unit = mu > 0 ? mu : recovery->unit;

        for (int64_t k = recovery->firsts[g]; k < recovery->lasts[g]; k++)
            recovery->candidates[count++] =
                (struct candidate){(work->core.steps[k].slope - mu) / unit, k};
    }
    qsort(recovery->candidates, (size_t)count, sizeof *recovery->candidates,
          candidate_compare);
    for (int64_t i = 0; i < count; i++) {
        const struct step *step = &work->core.steps[recovery->candidates[i].step];

        if (recovery->is_blocked[step->request])
            continue;
        if (has_room(work, work->problem->cells[step->request], step->cost)) {
            take(work, step, 1);
            work->choices[step->request] = step->action;
        } else {
            recovery->is_blocked[step->request] = true;
        }
    }
    return STATUS_OK;
}

enum status recover(struct work *work, struct err *err)
{
    size_t cell_room = (size_t)work->problem->cell_count + 1;
    struct recovery recovery = {
        .work = work,
        .firsts = calloc(cell_room, sizeof(int64_t)),
        .lasts = calloc(cell_room, sizeof(int64_t)),
        .is_blocked = calloc((size_t)work->problem->request_count + 1, sizeof(bool)),
    };
    double factor = 1;
    enum status rc = STATUS_OK;

    for (int g = 0; g < work->problem->cell_count; g++)
        recovery.unit = fmax(recovery.unit, work->mus[g]);
    recovery.unit = recovery.unit > 0 ? recovery.unit : 1;
    if (recovery.firsts && recovery.lasts && recovery.is_blocked) {
        if (work->is_tree)
            set_window(&recovery, factor);
        else
            set_taken(&recovery);
        while (!take_firsts(&recovery)) {
            set_window(&recovery, factor);
            factor *= WINDOW_FACTOR;
        }
        rc = take_candidates(&recovery, err);
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for %lld requests",
                     (long long)work->problem->request_count);
    }
    free(recovery.firsts);
    free(recovery.lasts);
    free(recovery.candidates);
    free(recovery.is_blocked);
    return rc;
}

/* The request and action that are worth most beside everybody else's cheapest, if any
 * fit. */
static int64_t find_single(const struct work *work, const int32_t *bases, int32_t *action)
{
    const struct allocation *problem = work->problem;
    int64_t found = -1, most = 0;

    for (int64_t i = 0; i < work->core.request_count; i++) {
        int64_t request = core_request(&work->core, i), start = problem->starts[request];

        for (int64_t k = start; k < problem->starts[request + 1]; k++) {
            int64_t value = problem->values[k] - problem->values[start + bases[i]];

            if (value > most &&
                has_room(work, problem->cells[request],
                         problem->costs[k] - problem->costs[start + bases[i]])) {
                most = value;
                found = request;
                *action = (int32_t)(k - start);
            }
        }
    }
    return found;
}

enum status recover_single(struct work *work, struct err *err)
{
    const struct allocation *problem = work->problem;
    size_t room = (size_t)work->core.request_count + 1;
    int32_t *kept = calloc(room, sizeof *kept), *bases = calloc(room, sizeof *bases);
    int32_t points[ALLOCATION_ACTION_COUNT_MAX], action = 0;
    __int128 before = choices_value(work);
    bool is_ready = kept && bases;
    int64_t single;

    for (int64_t i = 0; is_ready && i < work->core.request_count; i++) {
        int64_t request = core_request(&work->core, i), start = problem->starts[request];

        (void)allocate_hull(problem->costs + start, problem->values + start,
                            (int)(problem->starts[request + 1] - start), points);
        kept[i] = work->choices[request];
        bases[i] = points[0];
        choose(work, request, bases[i]);
    }
    single = is_ready ? find_single(work, bases, &action) : -1;
    if (single >= 0)
        choose(work, single, action);
    if (is_ready && choices_value(work) <= before)
        for (int64_t i = 0; i < work->core.request_count; i++)
            choose(work, core_request(&work->core, i), kept[i]);
    free(kept);
    free(bases);
    return is_ready ? STATUS_OK
                    : err_set(err, STATUS_EXHAUSTED, "no memory for one action");
}
