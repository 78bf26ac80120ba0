#include "support/failing_memory.h"

#include <errno.h>
#include <stddef.h>

static _Thread_local struct {
    long left;
    bool is_armed, is_lasting, has_struck;
} plan;

void memory_arm(long nth, bool is_lasting)
{
    plan.left = nth;
    plan.is_lasting = is_lasting;
    plan.has_struck = false;
    plan.is_armed = true;
}

bool memory_disarm(void)
{
    plan.is_armed = false;
    return plan.has_struck;
}

static bool strikes(void)
{
    if (!plan.is_armed)
        return false;
    plan.left--;
    if (plan.left > 0 || (plan.left < 0 && !plan.is_lasting))
        return false;
    errno = ENOMEM;
    return plan.has_struck = true;
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
