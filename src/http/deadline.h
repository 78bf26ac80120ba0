/* deadline.h - sockets that are shut down when their time is over, however busy they look: an idle
 * time-out alone is no help against a client that sends a byte now and then.
 *
 * A thread of its own looks around a few times a second. Any thread may move a deadline. */
#ifndef REDRESS_HTTP_DEADLINE_H
#define REDRESS_HTTP_DEADLINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct deadlines; /* opaque */
struct watch;     /* one socket that is watched; opaque */

enum status deadlines_open(struct deadlines **deadlines, struct err *err);
void deadlines_close(struct deadlines *deadlines); /* NULL is fine; frees all watches */

/* Watch a socket from now on; NULL when there is no memory. Forget it before it is closed. life_us:
 * how long it may rest and begin anew, in all; 0: for ever. */
struct watch *deadlines_watch(struct deadlines *deadlines, int socket, int64_t wait_us,
                              int64_t life_us);
void deadlines_forget(struct deadlines *deadlines, struct watch *watch);

/* Shut the oldest down at once when more than so many are watched. */
void deadlines_make_room(struct deadlines *deadlines, int count_max);

/* From now on: at most wait_us; the same, but not longer than its life; without limit. */
void watch_set(struct watch *watch, int64_t wait_us);
void watch_rest(struct watch *watch, int64_t wait_us);
void watch_pause(struct watch *watch);

/* Its life is over: what is under way may end, nothing more may begin. */
bool watch_is_old(const struct watch *watch);

#endif
