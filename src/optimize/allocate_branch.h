/* allocate_branch.h - a node of branch and bound (allocate_branch.c): what it leaves each
 * request, and what that is worth at most (allocate_node.c). */
#ifndef REDRESS_OPTIMIZE_ALLOCATE_BRANCH_H
#define REDRESS_OPTIMIZE_ALLOCATE_BRANCH_H

#include "optimize/allocate_work.h"
#include "optimize/dual_point.h"

enum { BRANCH_BUDGET_COUNT_MAX = 64 };

/* The actions of a request that can be best, by rising cost and value, and what a node
 * leaves. */
struct menu {
    int64_t request;
    int32_t cell;
    int start, first, last;
    int hull_first, hull_last; /* the range of the hull at hand */
};

/* A range as it was. */
struct change {
    int menu, first, last;
};

struct branch {
    struct work *work;
    struct menu *menus;
    int menu_count, action_count;
    int64_t *costs, *values; /* (action) */
    int32_t *actions;        /* (action): of the request */
    int32_t *hulls;  /* (action): of each menu, its hull, from the menu's start on */
    __int128 *rooms; /* (budget): with everybody on the first action that is left */
    __int128 base;   /* what those, and all others, are worth */
    __int128 best;
    int *taken, *found; /* (menu): actions; those of the best */
    bool is_found, is_cut;
    double open; /* no node that was left out is worth more */

    struct dual_problem dual;
    struct dual_search search;
    struct dual_cell *cells; /* (menu) */
    double *limits, *slopes, *sums;
    struct change *changes;
    int change_count, change_room;
};

/* The budgets of menu t. */
const int32_t *node_budgets(const struct branch *branch, int t, int *count);

/* Charge a menu's budgets what one of its actions costs more than another. */
void node_charge(struct branch *branch, int t, int from, int to);

/* The least room of a menu's budgets. */
__int128 node_room(const struct branch *branch, int t);

/* Narrow a menu's range; undo all changes but the first so many. Without memory to
 * remember a change, the search is cut short (is_cut). */
void node_narrow(struct branch *branch, int t, int first, int last);
void node_undo(struct branch *branch, int change_count);

/* Leave out what is too dear; false when nothing fits. */
bool node_fit(struct branch *branch);

/* The concave hull of a menu's range, as the dual reads it. */
void node_hull(struct branch *branch, int t);

/* Prices for the node, found from those given; they are in branch->search.here. */
enum status node_solve(struct branch *branch, const double *prices, struct err *err);

/* At these prices: no choice that the node leaves is worth more. */
double node_bound(const struct branch *branch);

/* Whether nothing under this bound is better than the best so far. */
bool node_is_hopeless(const struct branch *branch, double bound);

/* Leave out the ends of ranges that would lose what the bound is over the best. */
void node_fix(struct branch *branch, double bound);

#endif
