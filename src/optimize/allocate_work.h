/* allocate_work.h - an allocation while it is made. Private to the allocator.
 *
 * The core are the requests whose choice the price still decides, and their steps:
 * increments along the hull by falling slope, cell by cell. All other requests have their
 * choice. */
#ifndef REDRESS_OPTIMIZE_ALLOCATE_WORK_H
#define REDRESS_OPTIMIZE_ALLOCATE_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "optimize/allocate.h"
#include "optimize/dual.h"

/* One more along a request's hull. */
struct step {
    double slope; /* more value per more cost, > 0 */
    int64_t cost; /* more */
    int32_t request;
    int32_t action; /* of the request, once taken */
};

struct core {
    struct step *steps;  /* by cell, then falling slope, then request and level */
    int64_t *cell_steps; /* (cell + 1) into steps */
    int64_t step_count;
    int64_t *requests; /* in rising order; NULL: all of them */
    int64_t request_count;
    struct dual_cell *cells;
    double *slopes, *costs, *values; /* behind cells */
};

struct work {
    const struct allocation *problem;
    int32_t *choices;     /* (request) */
    __int128 *rooms;      /* (budget): limit - spend of the choices */
    double *prices;       /* (budget) */
    double *mus;          /* (cell): the sum of its budgets' prices */
    int *taken;           /* (cell): the core's steps that a divisible choice takes */
    double *lows, *highs; /* (cell): the core's steps have slopes between */
    int *parents;         /* (budget): when budgets are nested, the next larger, or -1 */
    int *chain;           /* (cell_budgets): each cell's budgets, the largest first */
    bool is_tree;
    double bound;           /* that of the prices */
    double bound_searched;  /* no choice that the search has not seen is worth more */
    __int128 outside_value; /* of the choices of those who are not of the core */
    int64_t effort;         /* left for better choices */
    struct core core;
};

/* Whether there is effort left for this, which is then spent. */
static inline bool work_spend(struct work *work, int64_t effort)
{
    work->effort -= effort;
    return work->effort >= 0;
}

static inline const int32_t *budgets_of(const struct allocation *problem, int32_t cell,
                                        int *count)
{
    *count = problem->cell_starts[cell + 1] - problem->cell_starts[cell];
    return problem->cell_budgets + problem->cell_starts[cell];
}

/* Charge an amount, which may be negative, to a cell's budgets. */
static inline void charge(struct work *work, int32_t cell, __int128 amount)
{
    int count;
    const int32_t *budgets = budgets_of(work->problem, cell, &count);

    for (int i = 0; i < count; i++)
        work->rooms[budgets[i]] -= amount;
}

static inline bool has_room(const struct work *work, int32_t cell, __int128 amount)
{
    int count;
    const int32_t *budgets = budgets_of(work->problem, cell, &count);

    for (int i = 0; i < count; i++)
        if (work->rooms[budgets[i]] < amount)
            return false;
    return true;
}

static inline int64_t core_request(const struct core *core, int64_t i)
{
    return core->requests ? core->requests[i] : i;
}

/* Give a request another of its actions. */
static inline void choose(struct work *work, int64_t request, int32_t action)
{
    const int64_t *costs = work->problem->costs + work->problem->starts[request];

    charge(work, work->problem->cells[request],
           costs[action] - costs[work->choices[request]]);
    work->choices[request] = action;
}

/* allocate_core.c: nobody has a choice, and all rooms are whole. */
void core_forget(struct work *work);
/* The same, and one bracket for all cells. */
void core_reset(struct work *work, double low, double high);
/* Hull the given requests (NULL: all), give each the choice of the price at the
 * top of its cell's bracket, and sort the steps within the bracket. The rooms must be
 * those of the other requests' choices, and end with all. Free with core_free also after
 * a failure. */
enum status core_make(struct work *work, int64_t *requests, int64_t request_count,
                      struct err *err);
void core_free(struct core *core);

/* allocate_sort.c: steps by falling slope, equal ones in the order they came. EXHAUSTED
 * when there is no memory. */
enum status steps_sort(struct step *steps, int64_t count, struct err *err);

/* allocate_tree.c: whether the budgets are nested; fills parents and chain. */
enum status tree_find(struct work *work, struct err *err);
/* Prices of nested budgets: steps by falling slope, each as far as there is room in all
 * budgets above it, which is best for divisible steps. rooms (budget) are used up. */
enum status tree_solve(const struct work *work, double *rooms, double *prices,
                       struct err *err);

/* allocate_prices.c: prices of the core for the rooms it leaves. */
enum status prices_solve(struct work *work, struct err *err);
void prices_sum(struct work *work); /* mus */
/* The action worth most at a price, the first of equals. */
int32_t best_action(const struct allocation *problem, int64_t request, double mu);
/* The bound that the prices give, from whole numbers. */
double prices_bound(const struct work *work);

/* allocate_recover.c: choices of the core by price as far as rooms go. */
enum status recover(struct work *work, struct err *err);
/* All on the cheapest but the one with most to win: where one big action beats many small
 * ones. */
enum status recover_single(struct work *work, struct err *err);

/* Another action for a request. */
struct move {
    int64_t cost, value; /* more than now; either sign */
    int64_t request;
    double loss; /* of value at the price */
    int32_t action, cell;
};

/* allocate_pairs.c: of one budget, make those of the first moves that are worth most
 * together; a few dozen are looked at. Returns what they gain; 0 when no four of them
 * gain anything. */
int64_t pairs_improve(struct work *work, const struct move *moves, int move_count);

/* allocate_swap.c: better choices one and two at a time, of one budget up to four, until
 * there is none among the likeliest or values, which are whole, leave no room for one. */
enum status swap_improve(struct work *work, struct err *err);

/* allocate_search.c: better choices of all that can matter together. Sets *is_exact when
 * none is better. */
struct search_effort {
    int state_count_max;   /* kept after each request */
    int request_count_max; /* those closest to the price */
    /* so that budgets are done with one after the other; else the closest first */
    bool is_by_cell;
};
enum status search_improve(struct work *work, const struct search_effort *effort,
                           bool *is_exact, struct err *err);

/* allocate_scan.c: requests that choose the same at both ends of their cell's bracket get
 * that choice, its cost added to cell_costs (cell) and its value to outside_value. The
 * others are put into rest (request), in order. Returns how many those are. */
int64_t scan_same(struct work *work, int64_t *rest, __int128 *cell_costs);

/* allocate_fix.c: a bracket of each cell's price from a sample; the requests that choose
 * the same at both ends have their choice, the others are the core. Not done when no
 * bracket held. */
enum status fix_and_solve(struct work *work, bool *is_done, struct err *err);

/* allocate_units.c: take from each room what no choice can ever use, since all costs are
 * multiples of some amount. Once. */
enum status rooms_round(struct work *work, struct err *err);

/* allocate_branch.c: the best choice of all, of several budgets, if the effort suffices:
 * then sets
 * *is_exact. If not, what was found, and a bound that leaves out what was looked at. */
enum status branch_improve(struct work *work, bool *is_exact, struct err *err);

/* allocate_settle.c: better choices where many lose little, all at once, so that no
 * budget keeps room while another has too little. */
enum status settle_improve(struct work *work, struct err *err);

/* The value of all choices. */
__int128 choices_value(const struct work *work);

#endif
