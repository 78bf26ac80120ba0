/* page.h - one page of a list that is small enough to be made whole. Private to http/. */
#ifndef REDRESS_HTTP_PAGE_H
#define REDRESS_HTTP_PAGE_H

#include "http/api.h"

/* Cut the page that limit, after and order ask for out of {"object": "list", "data": [...]}. The
 * cursor is how many items came before. is_descending: the order the whole list stands in. */
enum status page_cut(struct exchange *exchange, struct text whole, bool is_descending,
                     struct text *page, struct err *err);

#endif
