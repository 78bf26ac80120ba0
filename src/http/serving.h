/* serving.h - what libmicrohttpd calls for each request, and what all requests of a
 * server share. Private to the server. */
#ifndef REDRESS_HTTP_SERVING_H
#define REDRESS_HTTP_SERVING_H

#include "base/memory.h"
#include "http/call.h"
#include "http/key_memory.h"
#include "http/probe.h"

#include <pthread.h>
#include <stdatomic.h>

struct server {
    struct service *service;
    struct deadlines *deadlines;
    struct peers *peers;
    struct tls *tls;
    struct listener main;
    struct probe probe;
    int64_t idle_us, deadline_us, life_us, queue_wait_us;
    /* of bodies, and of what requests need beyond their buffer */
    struct memory_share memory;
    struct key_memory key_memory;
    _Atomic int64_t failed_login_count, shed_login_count, forbidden_count;
    _Atomic int64_t told_full_at_ns; /* of the lines that tell of such requests */
    struct MHD_Response *no_memory;  /* made ahead, for when nothing can be made */
    pthread_mutex_t lock;            /* of the free list */
    struct call *free_calls;
    atomic_int open_count;    /* requests whose reply is not yet sent */
    atomic_int running_count; /* requests handed to api_run that have no reply yet */
    atomic_bool is_draining, is_closing;
};

/* Of libmicrohttpd, the context is the server: the head of a request is there, pieces of
 * its body, its end; it is over, answered or not. On the polling threads. */
enum MHD_Result serving_request(void *context, struct MHD_Connection *connection,
                                const char *target, const char *method,
                                const char *version, const char *piece,
                                size_t *piece_bytes, void **request);
void serving_completed(void *context, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode code);

#endif
