#include "support/failing_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static struct {
    atomic_long left;
    atomic_bool is_armed, is_lasting, has_struck;
} plan;

void memory_arm(long nth, bool is_lasting)
{
    atomic_store(&plan.left, nth);
    atomic_store(&plan.is_lasting, is_lasting);
    atomic_store(&plan.has_struck, false);
    atomic_store(&plan.is_armed, true);
}

bool memory_disarm(void)
{
    atomic_store(&plan.is_armed, false);
    return atomic_load(&plan.has_struck);
}

static bool strikes(void)
{
    long left;

    if (!atomic_load(&plan.is_armed))
        return false;
    left = atomic_fetch_sub(&plan.left, 1) - 1;
    if (left > 0 || (left < 0 && !atomic_load(&plan.is_lasting)))
        return false;
    errno = ENOMEM;
    atomic_store(&plan.has_struck, true);
    return true;
}

/* The linker puts __wrap_x where x is called, and x where __real_x is. */
#define WRAP(name, parameters, ...)                                                      \
    void *__real_##name parameters;                                                      \
    void *__wrap_##name parameters;                                                      \
    void *__wrap_##name parameters                                                       \
    {                                                                                    \
        return strikes() ? NULL : __real_##name(__VA_ARGS__);                            \
    }

WRAP(malloc, (size_t bytes), bytes)
WRAP(calloc, (size_t count, size_t bytes), count, bytes)
WRAP(realloc, (void *at, size_t bytes), at, bytes)
WRAP(reallocarray, (void *at, size_t count, size_t bytes), at, count, bytes)
WRAP(aligned_alloc, (size_t alignment, size_t bytes), alignment, bytes)
WRAP(strdup, (const char *text), text)

/* A thread wants memory for its stack. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument)
{
    return strikes() ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}
