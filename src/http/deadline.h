/* deadline.h - sockets that are shut down when their time is over, however busy they
 * look: an idle time-out alone is no help against a client that sends a byte now and
 * then.
 *
 * A thread of its own looks around a few times a second. Any thread may move a
 * deadline. */
#ifndef REDRESS_HTTP_DEADLINE_H
#define REDRESS_HTTP_DEADLINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client that reads more slowly is cut off. */
enum { REPLY_BYTES_PER_S_MIN = 16 << 10 };

struct deadlines; /* opaque */
struct watch;     /* one socket that is watched; opaque */

enum status deadlines_open(struct deadlines **deadlines, struct err *err);
void deadlines_close(struct deadlines *deadlines); /* NULL is fine; frees all watches */

/* Watch a socket from now on; NULL when there is no memory. Forget it before it is
 * closed. life_us: how long it may rest and begin anew, in all; 0: for ever. */
struct watch *deadlines_watch(struct deadlines *deadlines, int socket, int64_t wait_us,
                              int64_t life_us);
void deadlines_forget(struct deadlines *deadlines, struct watch *watch);

/* Shut the oldest down at once when more than so many are watched. */
void deadlines_make_room(struct deadlines *deadlines, int count_max);

/* From now on: at most wait_us; the same, but not longer than its life; without limit. */
void watch_set(struct watch *watch, int64_t wait_us);
void watch_rest(struct watch *watch, int64_t wait_us);
void watch_pause(struct watch *watch);

/* Beside that, for a stream of many pieces, each with a deadline of its own, until the
 * socket rests or pauses: who reads has to keep up over all of it with
 * REPLY_BYTES_PER_S_MIN, wait_us late at most. Bytes that were sent count when the
 * client's system has them. */
void watch_stream(struct watch *watch, int64_t wait_us);
void watch_sent(struct watch *watch, size_t bytes);

/* Its life is over: what is under way may end, nothing more may begin. */
bool watch_is_old(const struct watch *watch);

#endif
