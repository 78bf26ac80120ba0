/* allocate_search.c - the requests whose choice can still matter, all together: dynamic
 * programming over rooms, with the dual bound to prune (reduced costs as in Dyer, Kayal
 * and Walker, 1984).
 *
 * Served at the price, each request has a default. Any other action loses, of the bound,
 * its loss; room that is left over loses its price. What loses more than the gap between
 * bound and best choice so far cannot be better. */
#include "optimize/allocate_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEM_COUNT_MAX = 500,        /* so that sums of costs and values fit 64 bits */
    STATE_EFFORT_MAX = 20000000, /* states x items x dimensions */
    STATE_COUNT_LEAST = 200,
    STATE_COUNT_AFFORDED = 8, /* with fewer a search finds next to nothing */
    CHOICE_EFFORT = 100,      /* of a state */
    DIMENSION_EFFORT = 8,
};

#define ROUNDING 1e-12 /* of all that is added up */

/* What losses are made of, whatever its sign: values and prices of rooms may cancel in
 * the bound. */
static double size_of(const struct work *work)
{
    const struct allocation *problem = work->problem;
    double size = fabs(work->bound);

    for (int64_t i = 0; i < work->core.request_count; i++) {
        int64_t request = core_request(&work->core, i);
        double largest = 0;

        for (int64_t k = problem->starts[request]; k < problem->starts[request + 1]; k++)
            largest = fmax(largest, fabs((double)problem->values[k]));
        size += largest;
    }
    for (int b = 0; b < problem->budget_count; b++)
        size += work->prices[b] * (double)problem->limits[b];
    return size;
}

static double margin_of(const struct search *search)
{
    /* Values are whole: better is better by one. */
    return search->work->bound - (double)(search->best + 1) + search->fuzz;
}

/* --- effort ----------------------------------------------------------------------------------- */

/* Of one choice for one state. */
static int64_t choice_effort(const struct search *search)
{
    return CHOICE_EFFORT + (int64_t)DIMENSION_EFFORT * search->dimension_count;
}

static int64_t range_effort(const struct search *search)
{
    return (int64_t)DIMENSION_EFFORT * search->item_count * search->dimension_count;
}

/* --- states ---------------------------------------------------------------------------------- */

static bool layer_alloc(struct layer *layer, int room, int dimension_count)
{
    layer->rooms =
        malloc(((size_t)room * (size_t)dimension_count + 1) * sizeof *layer->rooms);
    layer->states = calloc((size_t)room, sizeof *layer->states);
    layer->trails = malloc((size_t)room * sizeof *layer->trails);
    layer->count = 0;
    return layer->rooms && layer->states && layer->trails;
}

static void layer_free(struct layer *layer)
{
    free(layer->rooms);
    free(layer->states);
    free(layer->trails);
}

static uint32_t hash_of(const int64_t *rooms, int count)
{
    uint64_t hash = 0x9e3779b97f4a7c15;

    for (int d = 0; d < count; d++)
        hash = (hash ^ (uint64_t)rooms[d]) * 0xff51afd7ed558ccd, hash ^= hash >> 32;
    return (uint32_t)hash;
}

/* Put a state with the rooms at the end of next into next, unless one with the same rooms
 * is there and worth as much. */
static void insert(struct search *search, struct state state, struct trail trail)
{
    struct layer *next = &search->next;
    size_t dimension_count = (size_t)search->dimension_count;
    const int64_t *rooms = next->rooms + (size_t)next->count * dimension_count;
    uint32_t slot = hash_of(rooms, search->dimension_count) & search->table_mask;

    for (; search->table[slot]; slot = (slot + 1) & search->table_mask) {
        int other = search->table[slot] - 1;

        if (memcmp(next->rooms + (size_t)other * dimension_count, rooms,
                   dimension_count * sizeof *rooms) != 0)
            continue;
        if (next->states[other].value < state.value) {
            next->states[other] = state;
            next->trails[other] = trail;
        }
        return;
    }
    next->states[next->count] = state;
    next->trails[next->count] = trail;
    search->table[slot] = ++next->count;
}

/* A better choice is found: everything from here on is left at its default. */
static void note_best(struct search *search, int t, struct trail trail, int64_t value)
{
    search->best = search->base + value;
    search->margin = margin_of(search);
    search->is_found = true;
    for (int u = 0; u < search->item_count; u++)
        search->found[u] = -1;
    for (; t >= 0; t--) {
        search->found[t] = trail.choice;
        if (t > 0)
            trail = search->trails[t - 1][trail.parent];
    }
}

/* Extend a state by a choice of item t; drop it when it cannot be better. */
static void extend(struct search *search, int t, const int64_t *rooms,
                   const struct state *from, struct trail trail)
{
    const struct work *work = search->work;
    size_t dimension_count = (size_t)search->dimension_count;
    const struct item *item = &search->items[t];
    const struct choice *choice =
        trail.choice < 0 ? NULL : &search->choices[trail.choice];
    const int64_t *least = search->least + (size_t)(t + 1) * dimension_count;
    const int64_t *most = search->most + (size_t)(t + 1) * dimension_count;
    int64_t *own = search->next.rooms + (size_t)search->next.count * dimension_count;
    struct state state = *from;
    bool fits = true;
    int count;
    const int32_t *budgets =
        budgets_of(work->problem, work->problem->cells[item->request], &count);

    memcpy(own, rooms, dimension_count * sizeof *own);
    if (choice) {
        state.value += choice->value;
        state.loss += choice->loss;
        for (int i = 0; i < count; i++)
            if (search->places[budgets[i]] >= 0)
                own[search->places[budgets[i]]] -= choice->cost;
    }
    for (size_t d = 0; d < dimension_count; d++) {
        if (own[d] < least[d])
            return;
        fits = fits && own[d] >= 0;
        if (own[d] > most[d]) { /* room that nothing can use any more */
            state.loss +=
                work->prices[search->dimensions[d]] * (double)(own[d] - most[d]);
            own[d] = most[d];
        }
    }
    if (state.loss > search->margin)
        return;
    if (fits && search->base + state.value > search->best)
        note_best(search, t, trail, state.value);
    insert(search, state, trail);
}

/* --- fewer states ---------------------------------------------------------------------------- */

struct rank {
    double loss;
    int64_t room, value;
    int index;
};

static int rank_by_loss(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (x->loss != y->loss)
        return x->loss < y->loss ? -1 : 1;
    return x->index - y->index;
}

static int rank_by_room(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (x->room != y->room)
        return x->room > y->room ? -1 : 1;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->index - y->index;
}

static int rank_by_index(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    return x->index - y->index;
}

/* Of one budget: more room and more value is better. */
static int keep_undominated(struct rank *ranks, int count)
{
    int kept = 0;

    qsort(ranks, (size_t)count, sizeof *ranks, rank_by_room);
    for (int i = 0; i < count; i++)
        if (kept == 0 || ranks[i].value > ranks[kept - 1].value)
            ranks[kept++] = ranks[i];
    return kept;
}

static bool thin(struct search *search)
{
    struct layer *next = &search->next;
    size_t dimension_count = (size_t)search->dimension_count;
    struct rank *ranks = malloc(((size_t)next->count + 1) * sizeof *ranks);
    int count = next->count;

    if (!ranks)
        return false;
    for (int i = 0; i < count; i++)
        ranks[i] =
            (struct rank){next->states[i].loss,
                          dimension_count ? next->rooms[(size_t)i * dimension_count] : 0,
                          next->states[i].value, i};
    if (dimension_count <= 1)
        count = keep_undominated(ranks, count);
    if (count > search->state_count_max) {
        qsort(ranks, (size_t)count, sizeof *ranks, rank_by_loss);
        count = search->state_count_max;
        search->is_cut = true;
    }
    qsort(ranks, (size_t)count, sizeof *ranks, rank_by_index);
    for (int i = 0; i < count; i++) {
        int from = ranks[i].index;

        memmove(next->rooms + (size_t)i * dimension_count,
                next->rooms + (size_t)from * dimension_count,
                dimension_count * sizeof *next->rooms);
        next->states[i] = next->states[from];
        next->trails[i] = next->trails[from];
    }
    next->count = count;
    free(ranks);
    return true;
}

/* All states after item t. Consumes what was before. */
static bool advance(struct search *search, int t, struct layer *here)
{
    const struct item *item = &search->items[t];
    size_t dimension_count = (size_t)search->dimension_count;
    int room = here->count * (item->count + 1) + 1;
    uint32_t table_count = 64;
    bool is_ready;

    search->effort += room * choice_effort(search);
    while (table_count < 2 * (uint32_t)room)
        table_count *= 2;
    search->table = calloc(table_count, sizeof *search->table);
    search->table_mask = table_count - 1;
    is_ready = layer_alloc(&search->next, room, search->dimension_count) && search->table;
    for (int i = 0; is_ready && i < here->count; i++)
        for (int k = -1; k < item->count; k++)
            if (here->states[i].loss <= search->margin)
                extend(search, t, here->rooms + (size_t)i * dimension_count,
                       &here->states[i], (struct trail){i, k < 0 ? -1 : item->start + k});
    is_ready = is_ready && thin(search);
    free(search->table);
    search->table = NULL;
    search->trails[t] = search->next.trails;
    search->next.trails = NULL;
    layer_free(here);
    *here = search->next;
    search->next = (struct layer){};
    return is_ready;
}

/* All defaults may be best, and fit. */
static void note_start(struct search *search)
{
    bool fits = true;

    for (int d = 0; d < search->dimension_count; d++)
        fits = fits && search->start_rooms[d] >= 0;
    if (fits && search->base > search->best)
        note_best(search, -1, (struct trail){0, -1}, 0);
}

static bool run(struct search *search)
{
    struct layer here = {};
    size_t room = (size_t)search->item_count + 1;
    bool is_ready = layer_alloc(&here, 1, search->dimension_count);

    search->trails = calloc(room, sizeof *search->trails);
    search->found = calloc(room, sizeof *search->found);
    is_ready = is_ready && search->trails && search->found;
    if (is_ready) {
        note_start(search);
        memcpy(here.rooms, search->start_rooms,
               (size_t)search->dimension_count * sizeof *here.rooms);
        here.states[0] = (struct state){0, 0};
        here.count = 1;
    }
    for (int t = 0; is_ready && t < search->item_count && here.count > 0; t++)
        is_ready = advance(search, t, &here);
    layer_free(&here);
    return is_ready;
}

/* So many states that the search ends soon. */
static void limit_states(struct search *search)
{
    int64_t effort = (int64_t)search->item_count * (search->dimension_count + 2) + 1;
    int64_t most = STATE_EFFORT_MAX / effort;

    if (most < search->state_count_max)
        search->state_count_max =
            most > STATE_COUNT_LEAST ? (int)most : STATE_COUNT_LEAST;
}

/* So many that the effort allowed is enough for all items; false when that is next to
 * none. */
static bool afford_states(struct search *search)
{
    int64_t choice_count = search->item_count;
    int64_t most = search->work->effort - range_effort(search);

    for (int t = 0; t < search->item_count; t++)
        choice_count += search->items[t].count;
    most /= choice_count * choice_effort(search) + 1;
    if (most < search->state_count_max)
        search->state_count_max = (int)most;
    return most >= STATE_COUNT_AFFORDED;
}

static void apply(struct search *search)
{
    struct work *work = search->work;
    const struct core *core = &work->core;

    for (int64_t i = 0; i < core->request_count; i++) {
        int64_t request = core_request(core, i);

        choose(work, request, search_default(work, request));
    }
    for (int t = 0; t < search->item_count; t++)
        if (search->found[t] >= 0)
            choose(work, search->items[t].request,
                   search->choices[search->found[t]].action);
}

static void search_free(struct search *search)
{
    for (int t = 0; search->trails && t < search->item_count; t++)
        free(search->trails[t]);
    free(search->trails);
    free(search->found);
    free(search->items);
    free(search->choices);
    free(search->dimensions);
    free(search->places);
    free(search->least);
    free(search->most);
    free(search->start_rooms);
    layer_free(&search->next);
}

enum status search_improve(struct work *work, const struct search_effort *effort,
                           bool *is_exact, struct err *err)
{
    struct search search = {.work = work,
                            .state_count_max = effort->state_count_max,
                            .is_by_cell = effort->is_by_cell};
    int item_count_max = effort->request_count_max < ITEM_COUNT_MAX
                             ? effort->request_count_max
                             : ITEM_COUNT_MAX;
    bool is_ready;

    search.base = work->outside_value;
    search.best = choices_value(work);
    search.fuzz = ROUNDING * size_of(work) + 1e-9;
    search.margin = margin_of(&search);
    if (search.margin < 0) {
        *is_exact = true;
        return STATUS_OK;
    }
    is_ready =
        search_find_items(&search, item_count_max) && search_find_dimensions(&search);
    limit_states(&search);
    if (is_ready && afford_states(&search)) {
        is_ready = search_find_ranges(&search) && run(&search);
        (void)work_spend(work, range_effort(&search) + search.effort);
        /* Who is not of the core may lose less than the margin by another action. */
        *is_exact = is_ready && !search.is_cut && !work->core.requests;
    }
    if (search.is_found)
        apply(&search);
    search_free(&search);
    return is_ready ? STATUS_OK
                    : err_set(err, STATUS_EXHAUSTED, "no memory for a search");
}
