/* prices.h - the prices in force: solved from what remains and what is still to come,
 * published as one snapshot, and what was expected when they were. Private to decide/.
 *
 * The keeper solves now and then, beside the requests. At once, on the commit thread,
 * prices are solved where waiting would cost money: when people change budgets, when a
 * period begins, and after the first cases of a budget that has only just begun, which a
 * fast stream would empty. As soon as a solve takes longer than SOLVE_US_MAX, these too
 * are left to the keeper, who is woken. */
#ifndef REDRESS_DECIDE_PRICES_H
#define REDRESS_DECIDE_PRICES_H

#include "decide/cells.h"
#include "decide/commit.h"
#include "decide/decision.h"
#include "optimize/pacer.h"

struct prices; /* opaque */
struct service;

/* Reads what was learned of demand before from store. covers: which budgets a kind of
 * case is charged to, with that context; cell_budgets in the service. */
enum status prices_open(struct store *store, int64_t now_us, cell_covers *covers,
                        void *context, struct prices **prices, struct err *err);
void prices_close(struct prices *prices); /* NULL is fine */

/* --- the commit thread ---------------------------------------------------------------------- */

/* A decision was written. What it says of demand is learned once it is on disk. True when
 * one of its budgets has only just begun and should have a price at once:
 * prices_renew_young is then due. */
bool prices_note(struct commit *commit, const struct refund_case *asked,
                 const struct decision *decision);

/* The transaction is over: what was noted in it is on disk, or was undone. */
void prices_end(struct commit *commit, bool is_durable);

/* Solve and publish within this transaction, after budgets were changed or began a
 * period, or for young ones. Trouble is logged: the prices stay as they are. */
void prices_renew_now(struct commit *commit);
void prices_renew_young(struct commit *commit);

/* --- other threads -------------------------------------------------------------------------- */

/* Solve beside the requests, and publish; waits for whoever else does. The book is looked
 * at, and the prices are put in force, by jobs: run runs one and waits for it. */
typedef enum status prices_run(void *context, struct job *job);
enum status prices_renew_by(struct prices *prices, prices_run *run, void *context,
                            struct err *err);

/* By the service's committer. */
enum status prices_renew(struct service *service, struct err *err);

/* Whether it is time for that: so many cases came as the last prices may stand for, or
 * prices_look has seen a burst. */
bool prices_is_due(struct prices *prices);

/* Look for bursts in what is on disk. To be called every TRAFFIC_LOOK_US. */
void prices_look(struct prices *prices);

/* Look, and wait until prices are due, or wait_us is over, or prices_wake. */
void prices_wait(struct prices *prices, int64_t wait_us);
void prices_wake(struct prices *prices);

/* Write what was learned, in small transactions. Not beside another call of it. */
enum status prices_save(struct service *service, struct err *err);

/* What was expected of a budget when prices were solved last. */
struct price_outlook {
    char budget_id[BUDGET_ID_BYTES];
    struct pacer_outlook outlook;
    int64_t solved_at_us;
    int64_t incident_since_us; /* 0: none */
};

/* False when no prices were solved yet, or it was made since. */
bool prices_find(struct prices *prices, const char *budget_id,
                 struct price_outlook *found);

#endif
