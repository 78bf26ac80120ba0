/* dual_point.h - where a search for prices stands: what each cell takes there, and which
 * way is down. Private to the dual. */
#ifndef REDRESS_OPTIMIZE_DUAL_POINT_H
#define REDRESS_OPTIMIZE_DUAL_POINT_H

#include "optimize/dual.h"

#include <stdbool.h>
#include <stdint.h>

struct dual_point {
    double *prices;   /* (budget) */
    double *mus;      /* (cell): the sum of its budgets' prices */
    int *counts;      /* (cell): increments taken */
    double *gradient; /* (budget): limit - spend */
    double bound;     /* D */
};

struct dual_search {
    const struct dual_problem *problem;
    double *limits; /* (budget): no less than its bases */
    struct dual_point here, trial;
    int *taken;              /* (cell): whole increments of a divisible choice */
    double *parts;           /* (cell): the cost of the part that it takes of the next */
    int *budget_cells;       /* indices of the cells of each budget, */
    int *budget_cell_starts; /* as compressed rows (budget + 1) */
    int *from, *to;          /* (cell): of a search along one price */
    double *rests;           /* (cell): what the other prices add up to */
    /* the largest spend that a limit allows: what rounding is measured by */
    double scale;
    bool is_exact; /* D is as small as can be, and taken is known */
    int evaluation_count;
    int64_t effort; /* left */
};

/* Whether there is effort left for this, which is then spent. */
static inline bool dual_spend(struct dual_search *search, int64_t effort)
{
    search->effort -= effort;
    return search->effort >= 0;
}

/* Memory for a search; EXHAUSTED when there is none. Free also after a failure. */
enum status dual_search_open(const struct dual_problem *problem, const double *prices,
                             struct dual_search *search, struct err *err);
void dual_search_free(struct dual_search *search);

/* What is taken at the point's prices, the gradient and D. Its counts are where to look
 * first. */
void dual_evaluate(struct dual_search *search, struct dual_point *point);

/* Make trial the place to be. */
void dual_accept(struct dual_search *search);

/* Set one price to the lowest at which its budget keeps its limit, the others as they
 * are: the exact least of D along it. here is evaluated no more. */
void dual_descend_one(struct dual_search *search, int budget);

/* Levenberg-Marquardt on curves smoothed over a window of ranks, from here, which is
 * evaluated before and after. Never raises D. EXHAUSTED when there is no memory. */
enum status dual_descend_smooth(struct dual_search *search, struct err *err);

/* From edge to edge of D until no edge leads down: the simplex method on the dual, with
 * steps that pass as many kinks as lower D. From here, evaluated before and after. Never
 * raises D. EXHAUSTED when there is no memory. */
enum status dual_descend_edges(struct dual_search *search, struct err *err);

#endif
