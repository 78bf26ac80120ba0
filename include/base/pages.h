/* pages.h - memory that is reached in no order: in large pages where there are some, so
 * that most looks do without a walk through the page tables. */
#ifndef REDRESS_BASE_PAGES_H
#define REDRESS_BASE_PAGES_H

#include <stddef.h>

/* As malloc, freed by free; NULL when memory lacks. */
void *pages_alloc(size_t bytes);

#endif
