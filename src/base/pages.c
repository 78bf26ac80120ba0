/* pages.c - see pages.h. */
#include "base/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { LARGE_PAGE_BYTES = 2 << 20 };

void *pages_alloc(size_t bytes)
{
    size_t whole = bytes / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    void *memory = NULL;

    if (whole == 0)
        return malloc(bytes);
    if (posix_memalign(&memory, LARGE_PAGE_BYTES, bytes))
        return NULL;
    /* Advice only. The last part stays in small pages: what is not used is not there. */
    (void)madvise(memory, whole, MADV_HUGEPAGE);
    return memory;
}
