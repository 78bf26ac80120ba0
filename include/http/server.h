/* server.h - the service on a socket: the only user of libmicrohttpd.
 *
 * Poll mode with a pool of threads; a connection whose request waits for the commit thread is
 * suspended, so that no handler waits on the disk. Health has a listener and a thread of its own. */
#ifndef REDRESS_HTTP_SERVER_H
#define REDRESS_HTTP_SERVER_H

#include "base/err.h"
#include "http/exchange.h"

struct server; /* opaque */

struct server_settings {
    const char *listen;        /* "127.0.0.1:8080", "[::1]:0"; port 0: any free one */
    const char *health_listen; /* the same; NULL: none */
    int thread_count;          /* 1 .. 64 */
    int connection_count_max;
    int idle_timeout_s;
    /* For one request, from its first line to the end of its body; a connection that does not get
     * as far as a first line ends after idle_timeout_s + deadline_s, whatever it sends. */
    int deadline_s;
};

/* Start listening. *server is stopped with server_stop. Errors name the address. */
enum status server_start(const struct server_settings *settings, struct service *service,
                         struct server **server, struct err *err);

/* "127.0.0.1:43121": where it listens, with the real port. Borrowed. */
const char *server_address(const struct server *server);
const char *server_health_address(const struct server *server); /* "" when none */

/* Take no new connections, let those under way finish, at most drain_ms; then close all. */
void server_stop(struct server *server, int drain_ms); /* NULL is fine */

#endif
