/* server.h - the service on a socket: the only user of libmicrohttpd.
 *
 * Poll mode with a pool of threads; a connection whose request waits for the commit
 * thread is suspended, so that no handler waits on the disk. Health has a listener and a
 * thread of its own. */
#ifndef REDRESS_HTTP_SERVER_H
#define REDRESS_HTTP_SERVER_H

#include "base/err.h"
#include "http/exchange.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server; /* opaque */

/* Descriptors have the lowest free numbers: a program with fewer than these open keeps
 * all its connections below that, where what they say is seen before the library sees
 * it. */
enum { SERVER_CONNECTION_COUNT_MAX = 100000, SERVER_DESCRIPTOR_COUNT = 1 << 17 };

struct server_settings {
    /* "127.0.0.1:8080", "[::1]:0", "unix:/run/redress.sock"; port 0: any free one */
    const char *listen;
    const char *health_listen;      /* the same; NULL: none; never with TLS */
    const char *tls_cert, *tls_key; /* files in PEM, of listen; both NULL: plain HTTP */
    int thread_count;               /* 1 .. 64 */
    int connection_count_max;       /* thread_count .. SERVER_CONNECTION_COUNT_MAX */
    int connections_per_address;    /* 0: no limit */
    int failed_logins_per_min;      /* of an address, and as many at once; 0: no limit */
    bool spares_this_machine;       /* the two do not concern loopback addresses */
    int idle_timeout_s;
    /* For one request, from its first byte to the end of its body; with TLS, from the
     * beginning of the handshake to the first line, and from there to the end of the
     * first body. */
    int deadline_s;
    int connection_deadline_s; /* then no further request begins on it; 0: none */
    int queue_wait_ms; /* a request that waited longer is not worked on; 0: any time */
    /* Of larger bodies, and of what requests need beyond their own buffers, all together;
     * then 503. 0: no limit. */
    size_t request_memory_bytes;
    /* Of them, the requests of one API key; then 429. 0: no limit. */
    size_t key_memory_bytes;
};

/* Whether an address can be listened on; INVALID quotes it. */
enum status server_address_check(const char *text, struct err *err);

/* Whether a server can have these settings at all, wherever it is started; INVALID names
 * what does not go together. Neither files nor addresses are looked at. */
enum status server_settings_check(const struct server_settings *settings,
                                  struct err *err);

/* Whether its addresses are free now, for one server, without taking them. UNAVAILABLE
 * names the setting, the address and what is in the way, as server_start does. */
enum status server_addresses_try(const struct server_settings *settings, struct err *err);

/* Whether these two files will do; INVALID names the file and what is wrong with it.
 * NULL: no TLS. Not while a server runs. */
enum status server_tls_check(const char *tls_cert, const char *tls_key, struct err *err);

/* Start listening. *server is stopped with server_stop. Errors name the setting and the
 * address, or the file. */
enum status server_start(const struct server_settings *settings, struct service *service,
                         struct server **server, struct err *err);

/* Take over the certificate as it is in the files now. After an error the old one stays.
 * Nothing without TLS. *expires_at_us: of the one in force, wall time; 0 without. One
 * thread at a time, which also asks for the pin. */
enum status server_renew_tls(struct server *server, int64_t *expires_at_us,
                             struct err *err);

/* "sha256//BASE64" of the public key; "" without TLS. Borrowed until it is renewed. */
const char *server_tls_pin(const struct server *server);

/* Since it started. */
struct server_stats {
    int64_t failed_login_count; /* requests with a wrong key, or without one */
    int64_t shed_login_count;   /* of them, those that heard 429 */
    int64_t forbidden_count;    /* requests with a right key, but without the scope */
    int64_t refused_connection_count; /* closed, as their address had enough */
};
void server_stats(const struct server *server, struct server_stats *stats);

/* "127.0.0.1:43121": where it listens, with the real port. Borrowed. */
const char *server_address(const struct server *server);
const char *server_health_address(const struct server *server); /* "" when none */

/* Take no new connections, let those under way finish, at most drain_ms; then close
 * all. */
void server_stop(struct server *server, int drain_ms); /* NULL is fine */

#endif
