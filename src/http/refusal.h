/* refusal.h - what libmicrohttpd refuses by itself, before the service sees it, in our
 * words: a problem document with our headers in place of its page of HTML. Private to
 * http/.
 *
 * It refuses a head, or a part of one, that it cannot read or keep, and hangs up. Our
 * words are made from nothing but its number: 400, 413, 414, 431 or 505. A HEAD gets no
 * body, unless its first line is what is refused: then nobody has read it. */
#ifndef REDRESS_HTTP_REFUSAL_H
#define REDRESS_HTTP_REFUSAL_H

#include "base/err.h"

#include <microhttpd.h>

/* Before any listener is opened; again is fine. UNAVAILABLE: not with this
 * libmicrohttpd. */
enum status refusal_open(struct err *err);

/* Refuse a head in the same way, where the connection's memory may have no room for a
 * reply. */
enum MHD_Result refusal_queue(struct MHD_Connection *connection, unsigned number);

/* MHD_queue_response, for replies of ours; whoever calls that by its own name is the
 * library. */
enum MHD_Result reply_queue(struct MHD_Connection *connection, unsigned number,
                            struct MHD_Response *response);

#endif
