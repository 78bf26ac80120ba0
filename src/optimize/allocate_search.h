/* allocate_search.h - what the search over states (allocate_search.c) shares with the
 * items it is made of (allocate_items.c). */
#ifndef REDRESS_OPTIMIZE_ALLOCATE_SEARCH_H
#define REDRESS_OPTIMIZE_ALLOCATE_SEARCH_H

#include "optimize/allocate_work.h"

/* Another action for an item, against its default. */
struct choice {
    int64_t cost, value;
    double loss;
    int32_t action;
};

/* A request that may choose other than its default. */
struct item {
    int64_t request;
    double second; /* the least loss but the default's */
    int start, count;
    int32_t normal; /* the default action */
};

/* The state before an item: its rooms lie in an array of their own. */
struct state {
    int64_t value; /* against all defaults */
    double loss;
};

struct trail {
    int32_t parent, choice;
};

struct layer {
    int64_t *rooms; /* (state, dimension) */
    struct state *states;
    struct trail *trails;
    int count;
};

struct search {
    struct work *work;
    struct item *items;
    int item_count;
    struct choice *choices;
    int choice_count, choice_room;

    int *dimensions; /* (dimension): the budget; those that may run short */
    int *places;     /* (budget): the dimension or -1 */
    int dimension_count;
    int64_t *least,
        *most; /* (item + 1, dimension): what the items from here on may cost */
    int64_t *start_rooms; /* (dimension): with all defaults */

    __int128 base; /* value of all defaults */
    __int128 best; /* the best value known */
    double margin; /* the loss at which nothing can be better */
    double fuzz;   /* of rounding */
    int state_count_max;
    bool is_by_cell; /* items go cell by cell */
    bool is_cut;     /* something that might be better was left out */

    struct layer next;
    int next_room;
    int64_t effort; /* spent on states */
    int32_t *table; /* hash table of next: index + 1 */
    uint32_t table_mask;
    struct trail **trails; /* (item) */
    int32_t *found;        /* (item): choices of the best, when found */
    bool is_found;
};
/* The action of a request that is best at the price; of equals the cheapest. */
int32_t search_default(const struct work *work, int64_t request);

/* Fill items and choices: the requests of the core whose choice can still matter at
 * search->margin, those closest to the price first, at most item_count_max of them, and
 * base. All of these allocate; search_free gives back what they took, also when they are
 * false for want of memory. */
bool search_find_items(struct search *search, int item_count_max);

/* Fill dimensions, places and start_rooms: the budgets that the items may exhaust. */
bool search_find_dimensions(struct search *search);

/* Fill least and most: what the items from each on may cost every dimension. */
bool search_find_ranges(struct search *search);

#endif
