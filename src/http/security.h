/* security.h - headers that every reply has: nothing in it is to be kept, guessed at,
 * shown as a page or run. Private to http/. */
#ifndef REDRESS_HTTP_SECURITY_H
#define REDRESS_HTTP_SECURITY_H

#include <microhttpd.h>
#include <stdbool.h>

/* is_secure: it goes over TLS. MHD_NO when there is no memory. */
enum MHD_Result security_headers_add(struct MHD_Response *response, bool is_secure);

/* The same as they are sent, each with its CR and LF. */
const char *security_headers_text(bool is_secure);

#endif
