/* worker.h - one thread for what takes long (opening models, making decisions again), so
 * that the threads that poll sockets do not have to. Chores run one after the other.
 * Private to decide/. */
#ifndef REDRESS_DECIDE_WORKER_H
#define REDRESS_DECIDE_WORKER_H

#include "base/err.h"
#include "decide/service.h"

struct worker; /* opaque */

enum status worker_open(int queue_capacity, struct worker **worker, struct err *err);

/* Finish what is queued, then end the thread. NULL is fine. */
void worker_close(struct worker *worker);

/* UNAVAILABLE when too many wait; then run is not called. */
enum status worker_submit(struct worker *worker, struct chore *chore, struct err *err);

#endif
