/* listen.h - a libmicrohttpd daemon on an address: what its two users have in common. */
#ifndef REDRESS_HTTP_LISTEN_H
#define REDRESS_HTTP_LISTEN_H

#include "base/err.h"
#include "http/deadline.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_BYTES = 64 };

/* "127.0.0.1:8080", "[::1]:0", "localhost:80": no other names, so that nothing depends on a name
 * server. */
enum status address_parse(const char *text, struct sockaddr_storage *address,
                          struct err *err);
void address_format(const struct sockaddr_storage *address, int port,
                    char text[static ADDRESS_BYTES]);

struct listener_settings {
    const char *listen;
    int thread_count; /* that poll */
    int connection_count_max;
    int idle_timeout_s;
    int64_t first_wait_us; /* for the first request line of a connection */
    struct deadlines *deadlines;
    /* As in microhttpd.h; all with context. The socket context of a connection is its struct watch,
     * never NULL when a request comes. */
    MHD_AccessHandlerCallback on_request;
    void *(*on_line)(void *context, const char *target,
                     struct MHD_Connection *connection);
    MHD_RequestCompletedCallback on_completed; /* may be NULL */
    void *context;
};

struct listener {
    struct listener_settings settings;
    struct MHD_Daemon *daemon;
    char address[ADDRESS_BYTES]; /* with the real port */
    int quiesced_socket;         /* -1: it still listens */
    char trouble[200];           /* the library's last words while it starts */
    _Atomic bool has_started;
    _Atomic int64_t logged_at_us;
};

/* The listener is the caller's and does not move until it is closed. Errors name the address. */
enum status listener_open(struct listener *listener,
                          const struct listener_settings *settings, struct err *err);

/* Take no new connections. */
void listener_quiesce(struct listener *listener);

/* Close every connection. No request may be suspended. Fine for one that is zeroed. */
void listener_close(struct listener *listener);

struct watch *connection_watch(struct MHD_Connection *connection);

#endif
