/* listen.h - a libmicrohttpd daemon on an address: what its two users have in common. */
#ifndef REDRESS_HTTP_LISTEN_H
#define REDRESS_HTTP_LISTEN_H

#include "base/err.h"
#include "http/address.h"
#include "http/deadline.h"
#include "http/peer.h"
#include "http/tls.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

/* The head of a request, what the library keeps of each header and parameter, and the
 * head of the reply. */
enum { CONNECTION_MEMORY_BYTES = 8192 };

struct listener_settings {
    const char *listen;
    int thread_count; /* that poll */
    int connection_count_max;
    /* with more connections than these the oldest is closed; 0: never */
    int eviction_count;
    int idle_timeout_s;
    /* Until the first byte of a request: of the first on a connection, from where it is
     * open, or its handshake has ended. */
    int64_t rest_us;
    /* For a request, from its first byte, and for a handshake; 0: rest_us is all there
     * is. */
    int64_t request_us;
    int64_t life_us; /* of a connection; 0: for ever */
    struct deadlines *deadlines;
    struct peers *peers; /* NULL: addresses are not told apart */
    struct tls *tls;     /* NULL: plain HTTP */
    bool judges_heads;   /* on_request does, and the library leaves it what it can */
    /* nothing is logged: its thread must not wait for who reads the log */
    bool is_silent;
    /* As in microhttpd.h; all with context. */
    MHD_AccessHandlerCallback on_request;
    MHD_RequestCompletedCallback on_completed; /* may be NULL */
    void *context;
};

struct listener {
    struct listener_settings settings;
    struct MHD_Daemon *daemon;
    char address[ADDRESS_BYTES]; /* with the real port */
    int quiesced_socket;         /* -1: it still listens */
    struct listen_socket socket;
    char trouble[200]; /* the library's last words while it starts */
    _Atomic bool has_started;
    _Atomic int64_t logged_at_us;
    _Atomic int64_t refused_count; /* connections, for their address had enough */
};

/* The listener is the caller's and does not move until it is closed. Errors name the
 * address. */
enum status listener_open(struct listener *listener,
                          const struct listener_settings *settings, struct err *err);

/* Take no new connections. */
void listener_quiesce(struct listener *listener);

/* Close every connection. No request may be suspended. Fine for one that is zeroed. */
void listener_close(struct listener *listener);

/* Of an open connection: NULL when it is to be closed. All of it is for the thread that
 * polls. */
struct visitor {
    struct watch *watch;
    struct peer *peer; /* NULL: of no address that counts */
    int socket;
    int64_t rest_us, request_us; /* as in the settings */
    bool is_secure;    /* what the system reads for it is not what the client says */
    bool has_record;   /* some of it was read, and no words came of it yet */
    bool shakes_hands; /* what comes is no request yet */
    bool rests;        /* no request is under way: the next byte begins one */
    bool awaits_reply; /* set while nothing may be read */
    bool is_head;   /* nothing but the head of an answer is wanted, as far as is known */
    bool has_space; /* in the target as it was sent; to the library a plus is one too */
    /* In the library's memory of the connection: where it begins, where what was read
     * ends, and the request with it. NULL: not known. */
    const char *memory, *read_end, *request_end;
};
struct visitor *connection_visitor(struct MHD_Connection *connection);

/* A request begins with a byte, or with a line that came in with the one before: its
 * deadline counts from the first of them. Ends of lines before it are none of its bytes.
 * Nothing where requests have no deadline. */
void visitor_begins(struct visitor *visitor);

/* The library has read so many bytes to there: one of them begins a request, when none is
 * under way. */
void visitor_reads(struct visitor *visitor, const char *at, size_t bytes);

/* The head of a request lies there; a piece of its body, which is done with: the library
 * moves what lies behind the piece to where it lay. */
void visitor_takes_head(struct visitor *visitor, const char *method, size_t bytes);
void visitor_takes_piece(struct visitor *visitor, const char *piece, size_t bytes);

/* A request, or a handshake, is over. The next has begun already when some of it came in
 * with this one. */
void visitor_rests(struct visitor *visitor);

#endif
