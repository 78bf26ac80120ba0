/* allocate_swap.c - better choices by one move, or by two that pay for each other, over
 * all actions, those no price would choose among them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_work.h"

enum {
    MOVE_COUNT_MAX = 256,
    MOVE_COUNT_ONE = 64, /* of one budget: pairs do the rest */
    SWEEP_COUNT_MAX = 40,
    SWEEP_COUNT_ONE = 2,
    PAIRS_COUNT_MAX = 8,
    CELL_EFFORT = 10, /* of a move up */
    DOWN_EFFORT = 5,
};

/* The moves of least loss: as a heap while they are collected, the worst on top; then by
 * falling value. */
struct moves {
    struct move *items;
    int count, room;
};

struct swap {
    struct work *work;
    struct moves ups;   /* worth more; room for both */
    struct moves downs; /* not worth more, but cheaper */
    bool *is_allowed;   /* (cell) */
    int64_t *requests;  /* whose moves are collected; none yet: all */
    int request_count;
};

/* --- the moves that lose least at the price -------------------------------------------------- */

/* Of equals any will do, but not those next to each other, which have much in common. */
static uint32_t scatter(const struct move *move)
{
    return ((uint32_t)move->request * 64 + (uint32_t)move->action) * 2654435761u;
}

static bool is_worse(const struct move *a, const struct move *b)
{
    if (a->loss != b->loss)
        return a->loss > b->loss;
    return scatter(a) > scatter(b);
}

static void heap_sink(struct move *heap, int count, int at)
{
    struct move move = heap[at];

    for (;;) {
        int child = 2 * at + 1;

        if (child + 1 < count && is_worse(&heap[child + 1], &heap[child]))
            child++;
        if (child >= count || !is_worse(&heap[child], &move))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = move;
}

static void heap_rise(struct move *heap, int at)
{
    struct move move = heap[at];

    for (; at > 0 && is_worse(&move, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = move;
}

/* Whether a move of this loss is certainly not kept. */
static bool is_full(const struct moves *moves, double loss)
{
    return moves->count == moves->room && loss > moves->items[0].loss;
}

static void keep(struct moves *moves, const struct move *move)
{
    if (moves->count < moves->room) {
        moves->items[moves->count++] = *move;
        heap_rise(moves->items, moves->count - 1);
    } else if (is_worse(&moves->items[0], move)) {
        moves->items[0] = *move;
        heap_sink(moves->items, moves->count, 0);
    }
}

static void collect_of(struct swap *swap, int64_t request)
{
    const struct work *work = swap->work;
    const struct allocation *problem = work->problem;
    const int64_t *costs = problem->costs + problem->starts[request];
    const int64_t *values = problem->values + problem->starts[request];
    int count = (int)(problem->starts[request + 1] - problem->starts[request]);
    int32_t now = work->choices[request], cell = problem->cells[request];

    for (int j = 0; j < count; j++) {
        int64_t cost = costs[j] - costs[now], value = values[j] - values[now];
        double loss = work->mus[cell] * (double)cost - (double)value;
        struct moves *moves = value > 0 ? &swap->ups : &swap->downs;

        if ((value > 0 || cost < 0) && !is_full(moves, loss))
            keep(moves, &(struct move){cost, value, request, loss, j, cell});
    }
}

static int by_number(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The requests of the moves that were kept: those whose choice can change. */
static void list_requests(struct swap *swap)
{
    int count = 0;

    for (int i = 0; i < swap->ups.count; i++)
        swap->requests[swap->request_count++] = swap->ups.items[i].request;
    for (int i = 0; i < swap->downs.count; i++)
        swap->requests[swap->request_count++] = swap->downs.items[i].request;
    qsort(swap->requests, (size_t)swap->request_count, sizeof *swap->requests, by_number);
    for (int i = 0; i < swap->request_count; i++)
        if (count == 0 || swap->requests[i] != swap->requests[count - 1])
            swap->requests[count++] = swap->requests[i];
    swap->request_count = count;
}

static void collect(struct swap *swap)
{
    const struct core *core = &swap->work->core;
    bool is_first = swap->request_count == 0;

    swap->ups.count = swap->downs.count = 0;
    for (int64_t i = 0; is_first && i < core->request_count; i++)
        collect_of(swap, core_request(core, i));
    for (int i = 0; i < swap->request_count; i++)
        collect_of(swap, swap->requests[i]);
    if (is_first)
        list_requests(swap);
}

static int by_value(const void *a, const void *b)
{
    const struct move *x = a, *y = b;

    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->request != y->request)
        return x->request < y->request ? -1 : 1;
    return x->action - y->action;
}

static void order(struct moves *moves)
{
    qsort(moves->items, (size_t)moves->count, sizeof *moves->items, by_value);
}

/* --- moves that fit -------------------------------------------------------------------------- */

static bool holds(const struct allocation *problem, int cell, int32_t budget)
{
    int count;
    const int32_t *budgets = budgets_of(problem, cell, &count);

    for (int i = 0; i < count; i++)
        if (budgets[i] == budget)
            return true;
    return false;
}

/* How much the budgets lack for a move at most, and in which cells that could be made up
 * for. */
static __int128 find_lack(struct swap *swap, const struct move *up)
{
    const struct work *work = swap->work;
    __int128 lack = 0;
    int count;
    const int32_t *budgets = budgets_of(work->problem, up->cell, &count);

    for (int i = 0; i < count; i++)
        if (work->rooms[budgets[i]] < up->cost &&
            up->cost - work->rooms[budgets[i]] > lack)
            lack = up->cost - work->rooms[budgets[i]];
    for (int g = 0; lack > 0 && g < work->problem->cell_count; g++) {
        swap->is_allowed[g] = true;
        for (int i = 0; i < count && swap->is_allowed[g]; i++)
            swap->is_allowed[g] = work->rooms[budgets[i]] >= up->cost ||
                                  holds(work->problem, g, budgets[i]);
    }
    return lack;
}

static bool is_current(const struct work *work, const struct move *move)
{
    const int64_t *costs = work->problem->costs + work->problem->starts[move->request];
    const int64_t *values = work->problem->values + work->problem->starts[move->request];
    int32_t now = work->choices[move->request];

    return costs[move->action] - costs[now] == move->cost &&
           values[move->action] - values[now] == move->value;
}

/* The move down that makes up for a lack and loses least; NULL when none leaves a
 * gain. */
static const struct move *find_down(const struct swap *swap, const struct move *up,
                                    __int128 lack)
{
    for (int i = 0; i < swap->downs.count; i++) {
        const struct move *down = &swap->downs.items[i];

        if (up->value + down->value <= 0)
            return NULL;
        if (-down->cost >= lack && swap->is_allowed[down->cell] &&
            down->request != up->request && is_current(swap->work, down))
            return down;
    }
    return NULL;
}

/* Make every move up that fits, alone or with one down. True when any was made. */
static bool sweep(struct swap *swap)
{
    struct work *work = swap->work;
    bool is_better = false;

    for (int i = 0; i < swap->ups.count; i++) {
        const struct move *up = &swap->ups.items[i], *down = NULL;
        __int128 lack;

        if (!is_current(work, up))
            continue;
        if (!work_spend(work, (int64_t)CELL_EFFORT * work->problem->cell_count +
                                  (int64_t)DOWN_EFFORT * swap->downs.count))
            return false;
        lack = find_lack(swap, up);
        if (lack > 0)
            down = find_down(swap, up, lack);
        if (lack > 0 && !down)
            continue;
        if (down)
            choose(work, down->request, down->action);
        choose(work, up->request, up->action);
        is_better = true;
    }
    return is_better;
}

static int by_loss(const void *a, const void *b)
{
    const struct move *x = a, *y = b;

    if (x->loss != y->loss)
        return x->loss < y->loss ? -1 : 1;
    return by_value(a, b);
}

/* Pairs of pairs of the moves that lose least, both ways. */
static void combine(struct swap *swap)
{
    double gap = swap->work->bound - (double)choices_value(swap->work), gain = 1;

    for (int i = 0; gain > 0 && gap >= 1 && i < PAIRS_COUNT_MAX; i++) {
        collect(swap);
        memcpy(swap->ups.items + swap->ups.count, swap->downs.items,
               (size_t)swap->downs.count * sizeof *swap->downs.items);
        swap->ups.count += swap->downs.count;
        qsort(swap->ups.items, (size_t)swap->ups.count, sizeof *swap->ups.items, by_loss);
        gain = (double)pairs_improve(swap->work, swap->ups.items, swap->ups.count);
        gap -= gain;
    }
}

enum status swap_improve(struct work *work, struct err *err)
{
    bool is_one = work->problem->budget_count == 1, is_better = true;
    struct swap swap = {
        .work = work,
        .ups.room = is_one ? MOVE_COUNT_ONE : MOVE_COUNT_MAX,
        .downs.room = is_one ? MOVE_COUNT_ONE : MOVE_COUNT_MAX,
        .ups.items = calloc(2 * MOVE_COUNT_MAX, sizeof *swap.ups.items),
        .downs.items = calloc(MOVE_COUNT_MAX, sizeof *swap.downs.items),
        .is_allowed =
            calloc((size_t)work->problem->cell_count + 1, sizeof *swap.is_allowed),
        .requests = calloc(2 * MOVE_COUNT_MAX, sizeof *swap.requests),
    };
    int sweep_count = is_one ? SWEEP_COUNT_ONE : SWEEP_COUNT_MAX;
    enum status rc = STATUS_OK;

    if (!swap.ups.items || !swap.downs.items || !swap.is_allowed || !swap.requests)
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for swaps");
    for (int i = 0; !rc && is_better && i < sweep_count; i++) {
        collect(&swap);
        order(&swap.ups);
        order(&swap.downs);
        is_better = sweep(&swap);
    }
    if (!rc && is_one)
        combine(&swap);
    free(swap.ups.items);
    free(swap.downs.items);
    free(swap.is_allowed);
    free(swap.requests);
    return rc;
}
