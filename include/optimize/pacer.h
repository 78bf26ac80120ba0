/* pacer.h - the price of budget while a period runs: from what remains, and from what is
 * still to come, as the same hours of past days and the drift of today tell. Pure: time
 * is handed in, nothing is read or written but memory.
 *
 * Demand is kept as curves: per cell (cases that look alike to budgets) and quarter of an
 * hour, what cases would take of cost and value as the price falls, in bins of the price.
 * So a solve costs the same whatever the number of cases behind it. */
#ifndef REDRESS_OPTIMIZE_PACER_H
#define REDRESS_OPTIMIZE_PACER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PACER_CELL_COUNT_MAX = 4096,
    PACER_BUDGET_COUNT_MAX = 1000,
    PACER_CELL_BUDGET_COUNT_MAX = 64,
    PACER_HISTORY_DAYS = 14,
    PACER_BACK_SLOTS = 4,
};

/* A clock that goes back by more than this was wrong before; by less, it is waited
 * for. */
#define PACER_BACK_US (PACER_BACK_SLOTS * INT64_C(900) * 1000000)

/* Takes at most 256 MB: of the past 128 MB, then the oldest quarters of an hour are
 * forgotten; the rest goes with the number of cells and of ends of periods. */
struct pacer; /* opaque; one thread at a time */

enum status pacer_open(struct pacer **pacer, struct err *err);
void pacer_close(struct pacer *pacer); /* NULL is fine */

/* What one case could be given: its options that policy allowed, nothing among them or
 * not. */
struct pacer_option {
    double value;   /* effect - cost: worth at price 0 */
    double cost;    /* expected, what the price multiplies; >= 0 */
    int64_t amount; /* what budgets are charged, on top of what is entitled */
};

struct pacer_case {
    uint64_t cell;    /* any hash of what decides the budgets it is charged to */
    int64_t at_us;    /* not before that of the case before, but see PACER_BACK_US */
    int64_t entitled; /* charged whatever the prices, before any option */
    const struct pacer_option *options;
    int option_count;
};

/* Note a decided case. At most a microsecond or so. Beyond PACER_CELL_COUNT_MAX cells,
 * new ones share one, told as cell 0. True: a burst has just begun, so that prices should
 * be solved at once. */
bool pacer_note(struct pacer *pacer, const struct pacer_case *noted);

enum pacer_plan {
    PACER_ASAP,    /* price 0 while there is money */
    PACER_EVEN,    /* the same money for every hour that is left */
    PACER_PROFILE, /* where it is worth most, over all that is still to come */
};

struct pacer_budget {
    enum pacer_plan plan;
    int64_t remaining; /* may be negative */
    int64_t open;      /* of what is held, what is expected to come back */
    int64_t period_starts_us, period_ends_us; /* ends INT64_MAX: never */
    int64_t expected_cases; /* of the whole period, as people said; 0: not said */
    int64_t case_count;     /* of this period so far */
};

/* What a solve knew and found of a budget. */
struct pacer_outlook {
    double price;
    double cases_left; /* forecast for the rest of the period; EVEN: of the stretch now */
    double case_share; /* of all cases to come, those charged to it */
    /* Of the period's money, what the plan has spent by now: by the clock (EVEN), by the
     * cases that were to come (PROFILE), all of it (ASAP). */
    double planned_share;
    double spend_left; /* of those cases, expected at these prices; NaN: none solved */
    bool is_incident;  /* a burst in one of its cells */
};

/* The budgets a cell is charged to: fills budgets (PACER_CELL_BUDGET_COUNT_MAX) with
 * rising indices into the array given to pacer_solve, returns how many. */
typedef int pacer_budgets_of(void *context, uint64_t cell, int *budgets);

/* Prices for now. outlooks (budget) come in with the prices in force and go out solved.
 * EXHAUSTED when there is no memory: then they stay as they are. Budgets that no demand
 * is known of keep their price; it is 0 at first. */
enum status pacer_solve(struct pacer *pacer, int64_t now_us,
                        const struct pacer_budget *budgets, int budget_count,
                        pacer_budgets_of *budgets_of, void *context,
                        struct pacer_outlook *outlooks, struct err *err);

/* How many cases, of all kinds, prices may stand for, so that they neither go stale nor
 * cost more than they are worth: fewer near the end of a period and for a budget that has
 * just begun. */
int64_t pacer_case_count(const struct pacer_budget *budgets,
                         const struct pacer_outlook *outlooks, int budget_count);

/* --- keeping what was learned, over restarts ---------------------------------------- */

/* One curve as bytes: the demand of a cell in one quarter of an hour. Bytes from
 * elsewhere are checked: INVALID. */
enum { PACER_CURVE_BYTES_MAX = 16 << 10 };
struct pacer_curve {
    uint64_t cell;
    int64_t slot; /* quarters of an hour since 1970, UTC */
    const void *bytes;
    int byte_count;
};

/* Each curve that changed since the last call of pacer_saved, oldest slots first, from
 * *cursor (0 to begin) on; false when there are no more. bytes are the pacer's until the
 * next call. */
bool pacer_next_changed(struct pacer *pacer, int64_t *cursor, struct pacer_curve *curve);
void pacer_saved(struct pacer *pacer);
enum status pacer_load(struct pacer *pacer, const struct pacer_curve *curve,
                       struct err *err);

#endif
