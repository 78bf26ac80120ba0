/* allocate_items.c - what a search over states is made of: requests that may choose other
 * than their default, and budgets that may run short. See allocate_search.h. */
#include "optimize/allocate_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MAX ((int64_t)1 << 62)

static double loss_of(const struct work *work, int64_t request, int32_t normal, int32_t j)
{
    const struct allocation *problem = work->problem;
    int64_t start = problem->starts[request];
    int64_t cost = problem->costs[start + j] - problem->costs[start + normal];
    int64_t value = problem->values[start + j] - problem->values[start + normal];

    return work->mus[problem->cells[request]] * (double)cost - (double)value;
}

int32_t search_default(const struct work *work, int64_t request)
{
    const struct allocation *problem = work->problem;
    int64_t start = problem->starts[request];
    int count = (int)(problem->starts[request + 1] - start);
    int32_t normal = 0;

    for (int32_t j = 1; j < count; j++) {
        double loss = loss_of(work, request, normal, j);

        if (loss < 0 ||
            (loss == 0 && problem->costs[start + j] < problem->costs[start + normal]))
            normal = j;
    }
    return normal;
}

/* --- what can matter ------------------------------------------------------------------------- */

static bool add_choice(struct search *search, struct choice choice)
{
    if (search->choice_count == search->choice_room) {
        int room = search->choice_room * 2 + 64;
        struct choice *grown = realloc(search->choices, (size_t)room * sizeof *grown);

        if (!grown)
            return false;
        search->choices = grown;
        search->choice_room = room;
    }
    search->choices[search->choice_count++] = choice;
    return true;
}

/* Make an item of a request, unless nothing but its default can matter. */
static bool add_item(struct search *search, int64_t request, struct item *item)
{
    const struct allocation *problem = search->work->problem;
    int64_t start = problem->starts[request];
    int count = (int)(problem->starts[request + 1] - start);

    *item = (struct item){request, INFINITY, search->choice_count, 0,
                          search_default(search->work, request)};
    search->base += problem->values[start + item->normal];
    for (int32_t j = 0; j < count; j++) {
        double loss = fmax(0, loss_of(search->work, request, item->normal, j));

        if (j == item->normal || loss > search->margin)
            continue;
        item->second = fmin(item->second, loss);
        item->count++;
        if (!add_choice(search, (struct choice){problem->costs[start + j] -
                                                    problem->costs[start + item->normal],
                                                problem->values[start + j] -
                                                    problem->values[start + item->normal],
                                                loss, j}))
            return false;
    }
    return true;
}

static int item_compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->second != y->second)
        return x->second < y->second ? -1 : 1;
    return x->request < y->request ? -1 : x->request > y->request;
}

/* By cell, so that budgets are done with one after the other, and states become the
 * same. */
static int item_compare_cell(const void *a, const void *b, void *problem)
{
    const struct allocation *of = problem;
    const struct item *x = a, *y = b;
    int32_t x_cell = of->cells[x->request], y_cell = of->cells[y->request];

    return x_cell != y_cell ? (x_cell < y_cell ? -1 : 1) : item_compare(a, b);
}

bool search_find_items(struct search *search, int item_count_max)
{
    const struct core *core = &search->work->core;
    struct item *items = malloc(((size_t)core->request_count + 1) * sizeof *items);
    int count = 0;

    search->items = items;
    if (!items)
        return false;
    for (int64_t i = 0; i < core->request_count; i++) {
        if (!add_item(search, core_request(core, i), &items[count]))
            return false;
        count += items[count].count > 0;
    }
    qsort(items, (size_t)count, sizeof *items, item_compare);
    search->item_count = count < item_count_max ? count : item_count_max;
    if (search->is_by_cell)
        qsort_r(items, (size_t)search->item_count, sizeof *items, item_compare_cell,
                (void *)search->work->problem);
    search->is_cut = count > search->item_count;
    return true;
}

/* --- budgets that may run short -------------------------------------------------------------- */

/* What is left of each budget with all defaults. */
static __int128 *default_rooms(const struct search *search)
{
    const struct work *work = search->work;
    const struct allocation *problem = work->problem;
    __int128 *rooms = malloc(((size_t)problem->budget_count + 1) * sizeof *rooms);
    int count;

    if (!rooms)
        return NULL;
    memcpy(rooms, work->rooms, (size_t)problem->budget_count * sizeof *rooms);
    for (int64_t i = 0; i < work->core.request_count; i++) {
        int64_t request = core_request(&work->core, i);
        const int64_t *costs = problem->costs + problem->starts[request];
        int64_t more =
            costs[search_default(work, request)] - costs[work->choices[request]];
        const int32_t *budgets = budgets_of(problem, problem->cells[request], &count);

        for (int k = 0; k < count; k++)
            rooms[budgets[k]] -= more;
    }
    return rooms;
}

static void item_range(const struct search *search, const struct item *item,
                       int64_t *least, int64_t *most)
{
    *least = *most = 0;
    for (int i = 0; i < item->count; i++) {
        int64_t cost = search->choices[item->start + i].cost;

        *least = cost < *least ? cost : *least;
        *most = cost > *most ? cost : *most;
    }
}

bool search_find_dimensions(struct search *search)
{
    const struct allocation *problem = search->work->problem;
    __int128 *rooms = default_rooms(search);
    int64_t *mosts = calloc((size_t)problem->budget_count + 1, sizeof *mosts);
    bool is_ready = rooms && mosts;
    int count;

    search->places = calloc((size_t)problem->budget_count + 1, sizeof *search->places);
    search->dimensions = calloc((size_t)problem->budget_count + 1, sizeof(int));
    search->start_rooms = calloc((size_t)problem->budget_count + 1, sizeof(int64_t));
    is_ready = is_ready && search->places && search->dimensions && search->start_rooms;
    for (int t = 0; is_ready && t < search->item_count; t++) {
        const int32_t *budgets =
            budgets_of(problem, problem->cells[search->items[t].request], &count);
        int64_t least, most;

        item_range(search, &search->items[t], &least, &most);
        for (int i = 0; i < count; i++)
            mosts[budgets[i]] += most;
    }
    for (int b = 0; is_ready && b < problem->budget_count; b++) {
        search->places[b] = -1;
        if (rooms[b] >= mosts[b])
            continue;
        search->places[b] = search->dimension_count;
        search->start_rooms[search->dimension_count] =
            rooms[b] < -ROOM_MAX ? -ROOM_MAX : (int64_t)rooms[b];
        search->dimensions[search->dimension_count++] = b;
    }
    free(rooms);
    free(mosts);
    return is_ready;
}

bool search_find_ranges(struct search *search)
{
    const struct allocation *problem = search->work->problem;
    size_t dimension_count = (size_t)search->dimension_count;
    size_t room = ((size_t)search->item_count + 1) * dimension_count + 1;
    int count;

    search->least = calloc(room, sizeof *search->least);
    search->most = calloc(room, sizeof *search->most);
    if (!search->least || !search->most)
        return false;
    for (int t = search->item_count - 1; t >= 0; t--) {
        int64_t *least = search->least + (size_t)t * dimension_count, own_least;
        int64_t *most = search->most + (size_t)t * dimension_count, own_most;
        const int32_t *budgets =
            budgets_of(problem, problem->cells[search->items[t].request], &count);

        memcpy(least, least + dimension_count, dimension_count * sizeof *least);
        memcpy(most, most + dimension_count, dimension_count * sizeof *most);
        item_range(search, &search->items[t], &own_least, &own_most);
        for (int i = 0; i < count; i++) {
            int place = search->places[budgets[i]];

            if (place >= 0) {
                least[place] += own_least;
                most[place] += own_most;
            }
        }
    }
    return true;
}
