/* allocation_fixture.h - allocation problems that are made up: random ones of every kind,
 * and storage for those that a test writes out. */
#ifndef REDRESS_TESTS_SUPPORT_ALLOCATION_FIXTURE_H
#define REDRESS_TESTS_SUPPORT_ALLOCATION_FIXTURE_H

#include "base/rng.h"
#include "optimize/allocate.h"

/* How a request's values depend on its costs. */
enum menu_kind {
    MENU_REFUND,       /* concave, heavy tails, a free action */
    MENU_STRONG,       /* strongly correlated: value is cost and a constant */
    MENU_WEAK,         /* weakly correlated */
    MENU_UNCORRELATED, /* anything */
    MENU_S_SHAPED,     /* little is worth little */
    MENU_TIED,         /* few different numbers, duplicates, dominated ones */
    MENU_COMPULSORY,   /* nothing is free */
    MENU_NEGATIVE,     /* some lose value, some that cost nothing */
    MENU_HUGE,         /* near the largest number that is allowed */
    MENU_KIND_COUNT,
};

/* Which budgets a request is charged to. */
enum budget_kind {
    BUDGETS_ONE,
    BUDGETS_NESTED, /* all > market > market and segment */
    BUDGETS_SHARED, /* all, a market, an issue: they overlap */
    BUDGETS_RANDOM, /* any set, the empty one too */
    BUDGETS_THREE,  /* any three, each a cell: as many cells as can be */
    BUDGETS_KIND_COUNT,
};

struct allocation_fixture {
    struct allocation problem; /* over the arrays below */
    int64_t *starts, *costs, *values, *limits;
    int32_t *cells, *cell_starts, *cell_budgets;
    struct allocation_result result; /* with room */
};

extern const char *const menu_names[MENU_KIND_COUNT];

/* Between what the cheapest cost and what the dearest cost, limits are a share of the
 * way; share < 0: each budget a random one, some with nothing to spare. Budgets_nested,
 * _shared and _three have budget_count budgets if that is 3 or more. */
struct allocation_fixture *allocation_random(struct rng *rng, int64_t request_count,
                                             int action_count, enum menu_kind menu,
                                             enum budget_kind budgets, int budget_count,
                                             double share);
void allocation_free(struct allocation_fixture *fixture);

#endif
