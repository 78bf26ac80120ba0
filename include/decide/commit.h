/* commit.h - the one commit thread: the only place where money moves and anything is
 * written.
 *
 * Jobs from any thread wait in a bounded queue; the thread takes all that wait, runs them
 * in one transaction, commits, and only then says that they are done. */
#ifndef REDRESS_DECIDE_COMMIT_H
#define REDRESS_DECIDE_COMMIT_H

#include "base/clock.h"
#include "base/err.h"
#include "decide/world.h"
#include "store/ledger.h"
#include "store/store.h"

#include <stdbool.h>

enum { COMMIT_BATCH_MAX = 256 };

struct book;   /* budgets in memory: decide/book.h */
struct prices; /* prices, and what they follow from: decide/prices.h */

/* What a job may use while it runs, on the commit thread. */
struct commit {
    struct store *store; /* inside a transaction */
    struct book *book;
    struct prices *prices;
    struct world_holder *worlds;
    int64_t now_us; /* wall time of this batch */
};

struct job {
    /* Do the work. A refusal must come before the first write. IO, CORRUPT, UNAVAILABLE,
     * EXHAUSTED when a statement failed, and a status after a write undo the whole batch;
     * its jobs are then run once more, those at fault in transactions of their own, so a
     * job must be able to start over. */
    enum status (*run)(struct job *job, struct commit *commit, struct err *err);
    /* After the commit became durable: publish what was changed. May be NULL. Not on
     * failure. */
    void (*publish)(struct job *job, struct commit *commit);
    /* The job is over, on the commit thread; status and err say how. The job may be freed
     * here. */
    void (*done)(struct job *job);
    enum status status;
    /* Monotonic: not begun after this; UNAVAILABLE then. 0: however long it waited. */
    int64_t late_at_us;
    /* Published, and over, after everybody else in its batch has heard: for work that
     * takes a while. */
    bool is_last;
    struct err err; /* large: stands last, so that all before it is quickly cleared */
};

/* UNAVAILABLE, as who waited too long hears it; nothing was done. */
enum status err_waited_too_long(struct err *err);

struct committer; /* opaque */

/* Takes over nothing; store, book, prices and worlds outlive it. */
enum status committer_open(const struct commit *tools, const struct clock *clock,
                           int queue_capacity, struct committer **committer,
                           struct err *err);

/* Finish what is queued, then end the thread. NULL is fine. */
void committer_close(struct committer *committer);

/* UNAVAILABLE when the queue is full, shut, or the store has failed; then done is not
 * called. */
enum status committer_submit(struct committer *committer, struct job *job,
                             struct err *err);

/* Submit and wait. For tools and background threads. */
enum status committer_run(struct committer *committer, struct job *job);

/* The store failed in a way that only a restart mends: nothing is acknowledged any more.
 * committer_fail is for whoever else writes to its files and finds out. */
void committer_fail(struct committer *committer);
bool committer_has_failed(const struct committer *committer);

/* NULL, or why nothing can be recorded: from a batch that failed by the store's fault
 * until one goes through (store_trouble). Any thread. */
const char *committer_trouble(const struct committer *committer);

struct commit_stats {
    int64_t job_count, batch_count, failure_count, waiting_count;
};
void committer_stats(const struct committer *committer, struct commit_stats *stats);

#endif
