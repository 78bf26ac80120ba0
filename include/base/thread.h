/* thread.h - threads that have a name, and rests that end early when all is over. */
#ifndef REDRESS_BASE_THREAD_H
#define REDRESS_BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zeros: not started. */
struct thread {
    pthread_t id;
    bool is_started;
};

/* name, at most 15 bytes, is what 'top -H' and debuggers show. EXHAUSTED when the system
 * has no thread left. */
enum status thread_start(struct thread *thread, const char *name,
                         void *(*run)(void *argument), void *argument, struct err *err);

/* Wait until it has ended; nothing for one that was not started. */
void thread_join(struct thread *thread);

/* What threads that do something now and then share with who ends them. */
struct rest {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool is_over;
};

void rest_open(struct rest *rest);
void rest_close(struct rest *rest); /* once no thread is left that rests */

/* For so long, by a clock that does not jump. False when it is over, at once. Any
 * thread. */
bool rest_ms(struct rest *rest, int64_t ms);

/* All who rest go on, and nobody rests any more. Any thread. */
void rest_end(struct rest *rest);
bool rest_is_over(struct rest *rest);

#endif
