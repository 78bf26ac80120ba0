/* exchange.h - one request and its reply, whatever carried them: the server (a socket) or
 * a tool that calls the same routes inside its own process.
 *
 * The carrier fills in the request, calls api_begin when the head is known, reads the
 * body if it returns true, then calls api_run. Several exchanges may be under way at
 * once, each on one thread at a time. */
#ifndef REDRESS_HTTP_EXCHANGE_H
#define REDRESS_HTTP_EXCHANGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service; /* decide/service.h */
struct route;   /* private to http/ */

enum {
    EXCHANGE_BUFFER_BYTES = 48 << 10,
    EXCHANGE_ARENA_BYTES_MAX = 8 << 20,
    QUERY_COUNT_MAX = 16,
    PARAM_COUNT_MAX = 3,
    PARAM_BYTES = 129,
    ALLOW_BYTES = 64,
    SCOPE_SET_ALL = -1,
};

/* Who asks. */
struct principal {
    char id[32];     /* key id, or "cli" */
    unsigned scopes; /* bits of enum access */
    int number;      /* of the key, see decide/keyring.h; 0: none */
};

struct query {
    const char *name, *value; /* decoded */
};

/* A body that is made while it is sent. Whoever carries it closes it, when all is sent or
 * nothing more can be. */
struct reply_stream {
    /* The bytes that come next, valid until the next call; none at the end. After a
     * failure what was sent must not look whole. NULL: there is no stream. */
    enum status (*next)(void *of, struct text *bytes, struct err *err);
    void (*close)(void *of);
    void *of;
};

struct reply {
    int status; /* HTTP */
    struct text body;
    struct reply_stream stream; /* in place of body */
    const char *content_type;   /* NULL: application/json */
    char etag[32];              /* with its quotes; empty: none */
    const char *location;       /* NULL: none */
    char allow[ALLOW_BYTES];    /* of 405; empty: none */
    int retry_after_s;          /* 0: none */
    bool is_replayed;
};

/* What it has of others is given back: its stream is closed. For one that is sent, or
 * never will be. */
static inline void reply_close(struct reply *reply)
{
    if (reply->stream.next)
        reply->stream.close(reply->stream.of);
    reply->stream = (struct reply_stream){0};
}

struct exchange {
    /* --- filled in by the carrier --- */
    const char *method, *path; /* path as sent, without the query */
    struct query queries[QUERY_COUNT_MAX];
    int query_count;
    const char *authorization, *idempotency_key, *if_match, *content_type,
        *content_encoding;             /* or NULL */
    char request_id[65], trace_id[33]; /* made by api_begin when not given */
    int64_t content_length;
    struct text body;      /* outlives the exchange's run */
    bool is_local;         /* the caller owns the data folder: may do anything */
    int64_t queue_wait_us; /* who waited longer for a thread is refused; 0: any time */
    struct service *service;
    /* The handler is about to hand the exchange to another thread: hold the
     * connection. */
    void (*defer)(struct exchange *exchange);
    /* After defer, from another thread: the reply is there. */
    void (*done)(struct exchange *exchange);
    void *carrier; /* the carrier's own */

    /* --- filled in by http/ --- */
    struct arena arena;
    const struct route *route;
    char params[PARAM_COUNT_MAX][PARAM_BYTES]; /* of the path, decoded */
    struct principal principal;
    int64_t started_us; /* monotonic */
    struct reply reply;
    bool is_deferred; /* done will be called */
    char buffer[EXCHANGE_BUFFER_BYTES];
};

/* Make a zeroed exchange ready for use and free what it holds, also a stream. The struct
 * is the carrier's. */
void exchange_init(struct exchange *exchange, struct service *service);
void exchange_reset(struct exchange *exchange);

/* Judge what is known before the body: route, method, key, scope, length, type. False:
 * the reply is a refusal, do not read the body. */
bool api_begin(struct exchange *exchange);

/* Answer. True: the reply is there. False: done will be called later, after defer was. */
bool api_run(struct exchange *exchange);

/* A problem document (RFC 9457) as the reply, for carriers that refuse by themselves. */
void exchange_refuse(struct exchange *exchange, const struct err *err);

/* One log line about a finished exchange: route, status, duration; no ids of
 * customers. */
void exchange_log(const struct exchange *exchange);

#endif
