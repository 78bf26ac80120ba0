/* allocate_settle.c - where many choices are worth the same at the price, which of them
 * to make: each request in turn takes what is best at prices that rise where too much is
 * spent and fall where room is left (multipliers with a quadratic penalty: Hestenes,
 * 1969; Powell, 1969), with some heat that cools down (Kirkpatrick, Gelatt and Vecchi,
 * 1983); then limits are made to hold.
 *
 * Against the bound a choice loses its loss at the price, and room that is left over its
 * price. Among choices that tie there is no loss: what is left to do is to let no budget
 * have room while another has too little. */
#include <math.h>
#include <stdlib.h>

#include "optimize/allocate_work.h"

enum {
    SOFT_COUNT = 12,        /* passes with prices that give way, */
    HARD_COUNT = 8,         /* and then with limits that do not */
    STRIDE_COUNT = 1 << 14, /* requests of a pass but the first */
    REQUEST_EFFORT = 300,   /* of a pass */
};

#define HEAT    0.3  /* usual prices that a choice may be off by chance, at first */
#define REACH   0.1  /* of what the largest room is worth: who would lose more stays */
#define STIFFER 4    /* times, from pass to pass */
#define FUZZ    1e-9 /* of a value: less is not better */
#define CLOSE   1e-7 /* of the bound */

struct settle {
    struct work *work;
    int64_t *requests; /* whose choice may change */
    int64_t request_count;
    int32_t *best;  /* (requests): the best choices that keep all limits */
    double *rooms;  /* (budget) */
    double unit;    /* a usual price */
    double weight;  /* how fast prices give way; 0: limits hold */
    double penalty; /* of each unit over a limit */
    double heat;
    double reach; /* the loss that is never made up for */
    uint64_t chance;
    __int128 value, best_value;
};

static double next_chance(struct settle *settle)
{
    settle->chance = settle->chance * 6364136223846793005u + 1442695040888963407u;
    return (double)(settle->chance >> 11) * 0x1p-53;
}

/* --- one request ----------------------------------------------------------------------------- */

/* A cell as one of its requests sees it. */
struct view {
    const int32_t *budgets;
    int budget_count;
    double mu;
    double rooms;  /* their sum */
    bool is_plain; /* all have prices, and those give way */
};

/* A budget without a price may have room for nothing. */
static double off(const struct settle *settle, int budget, double room)
{
    return room < 0 || settle->work->prices[budget] > 0 ? room : 0;
}

/* What a room costs, or what is over a limit. */
static double burden(const struct settle *settle, int budget, double room)
{
    double rest = off(settle, budget, room);

    if (settle->weight > 0)
        return settle->weight / 2 * rest * rest;
    return room < 0 ? -settle->penalty * room : settle->work->prices[budget] * room;
}

/* Returns the most that any choice could be worth beside its loss. */
static double look(const struct settle *settle, int32_t cell, struct view *view)
{
    double most = 0;

    *view = (struct view){.mu = settle->work->mus[cell], .is_plain = settle->weight > 0};
    view->budgets = budgets_of(settle->work->problem, cell, &view->budget_count);
    for (int i = 0; i < view->budget_count; i++) {
        int32_t budget = view->budgets[i];

        most += burden(settle, budget, settle->rooms[budget]);
        view->rooms += settle->rooms[budget];
        view->is_plain = view->is_plain && settle->work->prices[budget] > 0;
    }
    return most;
}

/* What it is worth, beside value and price, to charge so much more. */
static double relief(const struct settle *settle, const struct view *view, double cost)
{
    double sum = 0;

    if (view->is_plain)
        return settle->weight * cost * (view->rooms - view->budget_count * cost / 2);
    for (int i = 0; i < view->budget_count; i++) {
        double room = settle->rooms[view->budgets[i]];

        sum += burden(settle, view->budgets[i], room) -
               burden(settle, view->budgets[i], room - cost);
    }
    return sum;
}

static void take(struct settle *settle, int64_t request, int32_t action)
{
    struct work *work = settle->work;
    int64_t start = work->problem->starts[request];
    int64_t before = start + work->choices[request], after = start + action;
    int count;
    const int32_t *budgets =
        budgets_of(work->problem, work->problem->cells[request], &count);

    settle->value += work->problem->values[after] - work->problem->values[before];
    choose(work, request, action);
    for (int i = 0; i < count; i++)
        settle->rooms[budgets[i]] = (double)work->rooms[budgets[i]];
}

/* Give a request the action that is best as rooms are. */
static void settle_one(struct settle *settle, int64_t request)
{
    const struct allocation *problem = settle->work->problem;
    const int64_t *costs = problem->costs + problem->starts[request];
    const int64_t *values = problem->values + problem->starts[request];
    int count = (int)(problem->starts[request + 1] - problem->starts[request]);
    int32_t now = settle->work->choices[request], best = now;
    double least = settle->heat > 0 ? settle->heat * next_chance(settle) : -FUZZ;
    struct view view;
    double most = least + look(settle, problem->cells[request], &view);

    for (int32_t j = 0; j < count; j++) {
        double cost = (double)(costs[j] - costs[now]);
        double loss = view.mu * cost - (double)(values[j] - values[now]);

        if (j == now || loss > most)
            continue;
        loss -= relief(settle, &view, cost);
        if (settle->heat > 0)
            loss += settle->heat * next_chance(settle);
        if (loss < least) {
            least = loss;
            best = j;
        }
    }
    if (best != now)
        take(settle, request, best);
}

/* --- all ------------------------------------------------------------------------------------- */

static void note_best(struct settle *settle)
{
    const struct work *work = settle->work;

    for (int b = 0; b < work->problem->budget_count; b++)
        if (work->rooms[b] < 0)
            return;
    if (settle->value <= settle->best_value)
        return;
    settle->best_value = settle->value;
    for (int64_t i = 0; i < settle->request_count; i++)
        settle->best[i] = work->choices[settle->requests[i]];
}

static bool pass(struct settle *settle, int index)
{
    struct work *work = settle->work;
    int64_t stride = index > 0 ? 1 + settle->request_count / STRIDE_COUNT : 1;

    if (!work_spend(work, REQUEST_EFFORT * settle->request_count / stride))
        return false;
    for (int64_t i = index % stride; i < settle->request_count; i += stride)
        settle_one(settle, settle->requests[i]);
    note_best(settle);
    return work->bound - (double)settle->best_value > fmax(1, CLOSE * fabs(work->bound));
}

/* Prices give way less and less, until a unit of cost is worth a usual price. */
static void run(struct settle *settle, double room_max)
{
    int halves = ilogb(fmax(1, room_max)) / (SOFT_COUNT - 1) + 1;
    bool is_on = true;

    for (int i = 0; is_on && i < SOFT_COUNT; i++) {
        int left = SOFT_COUNT - 1 - i;

        settle->weight = ldexp(settle->unit, -halves * left);
        settle->heat = HEAT * settle->unit * left / (SOFT_COUNT - 1);
        is_on = pass(settle, i);
    }
    settle->weight = 0;
    settle->heat = 0;
    settle->penalty = settle->unit;
    for (int i = 0; is_on && i < HARD_COUNT; i++) {
        is_on = pass(settle, SOFT_COUNT + i);
        settle->penalty *= STIFFER;
    }
    for (int64_t i = 0; i < settle->request_count; i++)
        choose(settle->work, settle->requests[i], settle->best[i]);
}

/* Whether another action of a request loses little. */
static bool is_near(const struct settle *settle, int64_t request)
{
    const struct work *work = settle->work;
    const struct allocation *problem = work->problem;
    int64_t start = problem->starts[request], now = start + work->choices[request];
    double mu = work->mus[problem->cells[request]];

    for (int64_t k = start; k < problem->starts[request + 1]; k++)
        if (k != now && mu * (double)(problem->costs[k] - problem->costs[now]) -
                                (double)(problem->values[k] - problem->values[now]) <=
                            settle->reach)
            return true;
    return false;
}

static void list_requests(struct settle *settle)
{
    const struct core *core = &settle->work->core;

    for (int64_t i = 0; i < core->request_count; i++) {
        int64_t request = core_request(core, i);

        settle->best[settle->request_count] = settle->work->choices[request];
        settle->requests[settle->request_count] = request;
        settle->request_count += is_near(settle, request);
    }
}

/* Rooms as doubles and a usual price; the largest room that should not be. */
static double measure(struct settle *settle)
{
    const struct work *work = settle->work;
    double most = 0, sum = 0;
    int count = 0;

    for (int b = 0; b < work->problem->budget_count; b++) {
        settle->rooms[b] = (double)work->rooms[b];
        most = fmax(most, off(settle, b, settle->rooms[b]));
        sum += work->prices[b];
        count += work->prices[b] > 0;
    }
    settle->unit = count > 0 ? sum / count : 0;
    return most;
}

enum status settle_improve(struct work *work, struct err *err)
{
    size_t room = (size_t)work->core.request_count + 1;
    struct settle settle = {
        .work = work,
        .requests = malloc(room * sizeof *settle.requests),
        .best = malloc(room * sizeof *settle.best),
        .rooms = calloc((size_t)work->problem->budget_count + 1, sizeof *settle.rooms),
        .chance = 1,
    };
    bool is_ready = settle.requests && settle.best && settle.rooms;

    if (is_ready) {
        double room_max = measure(&settle);

        settle.reach = REACH * room_max * settle.unit;
        settle.value = settle.best_value = choices_value(work);
        list_requests(&settle);
        if (settle.unit > 0)
            run(&settle, room_max);
    }
    free(settle.requests);
    free(settle.best);
    free(settle.rooms);
    return is_ready ? STATUS_OK
                    : err_set(err, STATUS_EXHAUSTED, "no memory for %lld requests",
                              (long long)work->core.request_count);
}
