/* page.h - one page of a list that is small enough to be made whole. Private to http/. */
#ifndef REDRESS_HTTP_PAGE_H
#define REDRESS_HTTP_PAGE_H

#include "http/api.h"

/* The order a whole list stands in, and the member that an item of it is found by. */
struct page_order {
    const char *key;       /* one of its own for each item */
    const char *key_start; /* every key begins so */
    bool is_numbered; /* keys are whole numbers, else texts in the order of their bytes */
    bool is_descending;
};

/* Cut the page that limit, after and order ask for out of {"object": "list", "data":
 * [...]}. The cursor is the key of the last item before, which need not be there any
 * more; INVALID, code invalid_cursor, when it cannot be one. */
enum status page_cut(struct exchange *exchange, struct text whole,
                     const struct page_order *order, struct text *page, struct err *err);

#endif
