/* copy.h - a copy of bytes that are not ended by NUL; strndup may look beyond them. */
#ifndef REDRESS_TESTS_COPY_H
#define REDRESS_TESTS_COPY_H

#include <stdlib.h>
#include <string.h>

/* Ended by NUL; the caller frees it. NULL when there is no memory. */
static inline char *copy_of(const char *bytes, size_t count)
{
    char *copy = malloc(count + 1);

    if (!copy)
        return NULL;
    if (count > 0)
        memcpy(copy, bytes, count);
    copy[count] = '\0';
    return copy;
}

#endif
