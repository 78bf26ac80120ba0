/* peer.h - who is connected, by address: how many connections it has, and how often it
 * came with a wrong key. IPv6 by its first 64 bits, since who has one such address has
 * them all.
 *
 * At most as many addresses are kept as have connections, and LINGER_COUNT_MAX more. Any
 * thread. */
#ifndef REDRESS_HTTP_PEER_H
#define REDRESS_HTTP_PEER_H

#include "base/err.h"
#include "base/rate.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { LINGER_COUNT_MAX = 1024 };

struct peers; /* opaque */
struct peer;  /* one address; opaque */

struct peer_limits {
    int connection_count_max;  /* of one address; 0: no limit */
    struct rate failed_logins; /* of one address */
    bool spares_this_machine;  /* loopback addresses have no limits */
};

enum status peers_open(const struct peer_limits *limits, struct peers **peers,
                       struct err *err);
void peers_close(struct peers *peers); /* NULL is fine */

/* A connection begins. False: it must be closed, as its address has enough of them, or as
 * there is no memory. *peer: NULL when the address does not count (a local socket,
 * perhaps this machine). */
bool peers_enter(struct peers *peers, const struct sockaddr *address, int64_t now_us,
                 struct peer **peer);
void peers_leave(struct peers *peers, struct peer *peer, int64_t now_us); /* or NULL */

/* A wrong key came from there. False: too many, *wait_us until it is another's turn. */
bool peers_login_failed(struct peers *peers, struct peer *peer, int64_t now_us,
                        int64_t *wait_us);

#endif
