/* call.h - one request that is under way on a connection of the server: what came and
 * goes through libmicrohttpd. Private to the server. */
#ifndef REDRESS_HTTP_CALL_H
#define REDRESS_HTTP_CALL_H

#include "http/exchange.h"
#include "http/head.h"
#include "http/listen.h"

enum {
    SMALL_BODY_BYTES = 2048,    /* as nearly all are: kept in the call */
    BODY_ROOM_BYTES = 16 << 10, /* for larger ones at first, and then twice as much */
};

/* Of memory: its key has its share, or all is held. */
enum lack { LACK_NONE, LACK_OF_KEY, LACK_OF_ALL };

struct server;
struct polling_thread; /* private to resume.c */

struct call {
    struct exchange exchange;
    struct server *server;
    struct MHD_Connection *connection;
    struct visitor *visitor;
    /* What it may take from: of its key, once that is known. */
    struct memory_share *memory;
    struct call *next;             /* in the free list, or among those that are ready */
    struct polling_thread *thread; /* while suspended: the one it belongs to */
    bool resumes_others;           /* its thread was woken for it; see resume.h */
    char *body;                    /* small_body, or allocated */
    size_t body_room;              /* what is allocated, taken from its memory */
    size_t body_bytes;             /* received, which is not more than content_length */
    enum lack lack;    /* there was no room for the body: it is received, but not kept */
    struct text piece; /* of a stream, not sent yet */
    int64_t send_us;   /* for each piece, beside what its length takes */
    bool is_head;      /* nothing but the head of the reply is wanted */
    bool has_trace;    /* the client sent a trace id */
    bool must_close;   /* after the reply */
    bool is_secure;    /* it came over TLS */
    bool is_deferred;
    bool is_answered;
    char small_body[SMALL_BODY_BYTES]; /* last: not zeroed for the next request */
};

/* Fill in what the head says, or find out why it is refused. */
enum head_fault call_read_head(struct call *call, const char *target, const char *method,
                               const char *version);

/* Hand the reply to the library, which sends the body from where it is, or asks a stream
 * for it piece by piece: the exchange lives until the request is completed. A reply that
 * cannot be made whole is not made: the client asks again. */
enum MHD_Result call_reply(struct call *call);

#endif
