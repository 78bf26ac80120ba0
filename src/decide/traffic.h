/* traffic.h - what cases wanted: noted by the commit thread, learned by the pacer, kept
 * in the store.
 *
 * Noting puts a case into a list; whoever solves hands the list to the pacer first. So
 * the commit thread neither aggregates nor waits for a solve that is under way, unless
 * the list is full. Where there are no threads, in a simulation, the same calls come one
 * after the other. Private to decide/. */
#ifndef REDRESS_DECIDE_TRAFFIC_H
#define REDRESS_DECIDE_TRAFFIC_H

#include "decide/cells.h"
#include "decide/commit.h"
#include "decide/decision.h"
#include "optimize/pacer.h"

struct traffic; /* opaque */

enum { TRAFFIC_LOOK_US = 1000000 }; /* so often bursts are looked for */

/* covers: which budgets a kind of case is charged to, with that context. */
enum status traffic_open(cell_covers *covers, void *context, struct traffic **traffic,
                         struct err *err);
void traffic_close(struct traffic *traffic); /* NULL is fine */

/* Read what was learned before this start, newest first, for at most 2 s; before anything
 * is noted. */
enum status traffic_load(struct traffic *traffic, struct store *store, int64_t now_us,
                         struct err *err);

/* Note a decided case: its options that policy allowed, whatever the budgets said. The
 * commit thread; it is learned from once the transaction is over and was not undone. */
void traffic_note(struct traffic *traffic, struct commit *commit,
                  const struct refund_case *asked, const struct decision *decision);

void traffic_end(struct traffic *traffic, bool is_durable);

/* Prices and forecasts (budget) for now, from all that was noted and is on disk. outlooks
 * come in with the prices in force. Any thread; one solves at a time, another waits. */
enum status traffic_solve(struct traffic *traffic, int64_t now_us,
                          const struct budget *budgets, int budget_count,
                          struct pacer_outlook *outlooks, struct err *err);

/* The same on the commit thread, from what was noted in this transaction too. Should it
 * be undone, these cases are learned from twice when they run again. Does not wait:
 * UNAVAILABLE while another solves, or learns. */
enum status traffic_solve_now(struct traffic *traffic, int64_t now_us,
                              const struct budget *budgets, int budget_count,
                              struct pacer_outlook *outlooks, struct err *err);

/* What the last solve took of a core. */
int64_t traffic_solve_us(struct traffic *traffic);

/* Learn from what was noted and is on disk, so that a burst is noticed; prices are then
 * due. */
void traffic_look(struct traffic *traffic);

/* So many cases were noted as the prices solved last may stand for, or a burst has begun,
 * or somebody called traffic_wake since this was asked last. */
bool traffic_is_due(struct traffic *traffic);

/* Wait until prices are due, looking for bursts every TRAFFIC_LOOK_US, or the time is
 * over. */
void traffic_wait(struct traffic *traffic, int64_t wait_us);
void traffic_wake(struct traffic *traffic);

/* Write some of what was learned since the last save, inside a transaction. *cursor: 0 to
 * begin, then on from where a transaction that is on disk ended, until *is_all; once that
 * is on disk too, say traffic_saved. Forgets what is too old or still to come. Nobody
 * else may save meanwhile. */
enum status traffic_save(struct traffic *traffic, struct store *store, int64_t now_us,
                         int64_t *cursor, bool *is_all, struct err *err);
void traffic_saved(struct traffic *traffic);

#endif
