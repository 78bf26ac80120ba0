/* queue.h - a bounded queue of pointers from many threads to one.
 *
 * push and close from any thread, take from one. */
#ifndef REDRESS_BASE_QUEUE_H
#define REDRESS_BASE_QUEUE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct queue; /* opaque */

enum status queue_open(int capacity, struct queue **queue, struct err *err);
void queue_close(struct queue *queue);

/* False when it is full or was shut; never waits. */
bool queue_push(struct queue *queue, void *item);

/* Wait at most wait_us for something, then take up to count_max items in order. Returns
 * how many; 0 after the time, or at once when shut and empty. */
int queue_take(struct queue *queue, void **items, int count_max, int64_t wait_us);

/* Refuse pushes from now on and wake the taker. */
void queue_shut(struct queue *queue);
bool queue_is_shut(struct queue *queue);

/* How many items wait now. */
int queue_count(struct queue *queue);

#endif
