/* server.c - carries exchanges over libmicrohttpd.
 *
 * The library calls on_request once with the head, then with pieces of the body, then once more to
 * be answered. What must be refused by its head is refused in the first call, the only moment when
 * a body can still be declined. A request that has to wait for the commit thread is suspended; when
 * done has resumed it, the library calls on_request again, and the reply is there. */
#include "http/server.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"
#include "http/call.h"
#include "http/listen.h"
#include "http/probe.h"
#include "http/resume.h"
#include "http/security.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    REPLY_BYTES_PER_S_MIN = 16 << 10, /* a client that reads more slowly is cut off */
    DRAIN_POLL_US = 10000,
};

/* When the library cannot allocate what it waits with, it forgets that a connection was resumed
 * until the next event; after so long the connection is shut down, which is one. */
#define RESUMED_US (3 * SECOND_US)

struct server {
    struct service *service;
    struct deadlines *deadlines;
    struct peers *peers;
    struct tls *tls;
    struct listener main;
    struct probe probe;
    int64_t idle_us, deadline_us, life_us, queue_wait_us;
    struct memory_share
        memory; /* of bodies, and of what requests need beyond their buffer */
    _Atomic int64_t failed_login_count, shed_login_count;
    struct MHD_Response *no_memory; /* made ahead, for when nothing can be made */
    pthread_mutex_t lock;           /* of the free list */
    struct call *free_calls;
    atomic_int open_count;    /* requests whose reply is not yet sent */
    atomic_int running_count; /* requests handed to api_run that have no reply yet */
    atomic_bool is_draining, is_closing;
};

/* --- calls ---------------------------------------------------------------------------------- */

static void on_defer(struct exchange *exchange);
static void on_done(struct exchange *exchange);

/* At most one for each connection: the limit of connections is theirs too. */
static struct call *call_take(struct server *server)
{
    struct call *call;

    pthread_mutex_lock(&server->lock);
    call = server->free_calls;
    if (call)
        server->free_calls = call->next;
    pthread_mutex_unlock(&server->lock);
    if (!call)
        call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    exchange_init(&call->exchange, server->service);
    call->server = server;
    call->exchange.carrier = call;
    call->exchange.defer = on_defer;
    call->exchange.done = on_done;
    call->exchange.arena.share = &server->memory;
    call->exchange.queue_wait_us = server->queue_wait_us;
    atomic_fetch_add(&server->open_count, 1);
    return call;
}

/* Zeroed for the next, except for the buffer, which an arena zeroes as it goes. */
static void call_give(struct call *call)
{
    struct server *server = call->server;
    const size_t after = offsetof(struct call, server);

    exchange_reset(&call->exchange);
    if (call->body)
        memory_give(&server->memory, call->body_room);
    free(call->body);
    memset(&call->exchange, 0, offsetof(struct exchange, buffer));
    memset((char *)call + after, 0, sizeof *call - after);
    pthread_mutex_lock(&server->lock);
    call->next = server->free_calls;
    server->free_calls = call;
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_sub(&server->open_count, 1);
}

/* --- replies -------------------------------------------------------------------------------- */

static enum MHD_Result send_reply(struct call *call)
{
    struct server *server = call->server;

    if (atomic_load(&server->is_draining) || watch_is_old(call->watch))
        call->must_close = true;
    watch_set(call->watch,
              server->deadline_us + (int64_t)call->exchange.reply.body.bytes * SECOND_US /
                                        REPLY_BYTES_PER_S_MIN);
    if (call_reply(call) == MHD_YES)
        return MHD_YES;
    /* What was done is done: asked again with the same key, it is answered. To be told nothing would
     * be worse, since the library does not hang up before the connection's next event. */
    call->exchange.reply = (struct reply){.status = 503};
    return MHD_queue_response(call->connection, 503, server->no_memory);
}

/* Refused by its head: nothing that follows on this connection can be trusted. */
static void refuse_head(struct call *call, enum head_fault fault)
{
    struct exchange *exchange = &call->exchange;
    struct err err = {0};

    call->must_close = true;
    exchange->started_us = clock_monotonic_us(&system_clock);
    id_make("req_", clock_wall_us(&system_clock), exchange->request_id);
    if (err_code(&err, STATUS_MALFORMED, head_fault_code(fault), "%s",
                 head_fault_detail(fault)))
        exchange_refuse(exchange, &err);
}

/* --- the head ------------------------------------------------------------------------------- */

/* Make room for the announced body. */
static enum status expect_body(struct call *call, struct err *err)
{
    const struct exchange *exchange = &call->exchange;
    struct server *server = call->server;

    if (exchange->content_length == 0)
        return STATUS_OK;
    if ((uint64_t)exchange->content_length > exchange_body_max(exchange))
        return err_set(err, STATUS_TOO_LARGE, "the body may have at most %zu bytes",
                       exchange_body_max(exchange));
    call->body_room = (size_t)exchange->content_length;
    if (memory_take(&server->memory, call->body_room)) {
        call->body = malloc(call->body_room);
        if (!call->body)
            memory_give(&server->memory, call->body_room);
    }
    if (!call->body)
        return err_code(err, STATUS_EXHAUSTED, "out_of_memory",
                        "no memory for the body: try again shortly");
    return STATUS_OK;
}

/* A wrong key: too many of them are told to wait, and have to connect anew. Right ones from the same
 * address are let in all the same. */
static void count_failed_login(struct call *call)
{
    struct server *server = call->server;
    struct err err = {0};
    int64_t wait_us;

    atomic_fetch_add(&server->failed_login_count, 1);
    if (peers_login_failed(server->peers, call->peer, clock_monotonic_us(&system_clock),
                           &wait_us))
        return;
    atomic_fetch_add(&server->shed_login_count, 1);
    if (err_code(&err, STATUS_UNAVAILABLE, "too_many_failed_logins",
                 "too many wrong API keys came from this address"))
        exchange_refuse(&call->exchange, &err);
    call->exchange.reply.retry_after_s = (int)((wait_us + SECOND_US - 1) / SECOND_US);
    call->must_close = true;
}

/* The first call. True: go on reading. False: the reply is a refusal, to be sent at once. The library
 * closes a connection that is answered in the first call; without a body that can wait. */
static bool begin(struct call *call, const char *target, const char *method,
                  const char *version)
{
    enum head_fault fault = call_read_head(call, target, method, version);
    struct err err;

    err_clear(&err);
    if (fault != HEAD_FAULT_NONE) {
        refuse_head(call, fault);
        return false;
    }
    if (api_begin(&call->exchange)) {
        if (!expect_body(call, &err))
            return true;
        exchange_refuse(&call->exchange, &err);
    }
    if (call->exchange.reply.status == 401)
        count_failed_login(call);
    call->must_close = call->must_close || call->exchange.content_length > 0;
    call->is_answered = true;
    return !call->must_close;
}

/* --- running -------------------------------------------------------------------------------- */

static void on_defer(struct exchange *exchange)
{
    struct call *call = exchange->carrier;

    call->is_deferred = true;
    resume_belongs_here(call);
    MHD_suspend_connection(call->connection);
}

static void on_resumed(struct server *server)
{
    atomic_fetch_sub(&server->running_count, 1);
}

/* On another thread. */
static void on_done(struct exchange *exchange)
{
    struct call *call = exchange->carrier;

    call->is_answered = true;
    watch_set(call->watch, RESUMED_US);
    resume(call, on_resumed);
}

/* The whole request is there. MHD_NO when the server closes. Counted before is_closing is looked at,
 * and the other way round in server_stop: nothing can be suspended once that has counted to zero. */
static enum MHD_Result run(struct call *call)
{
    struct server *server = call->server;
    struct exchange *exchange = &call->exchange;

    if (call->body_bytes != (size_t)exchange->content_length)
        return MHD_NO;
    exchange->body = (struct text){call->body, call->body_bytes};
    atomic_fetch_add(&server->running_count, 1);
    if (atomic_load(&server->is_closing)) {
        atomic_fetch_sub(&server->running_count, 1);
        return MHD_NO;
    }
    watch_pause(call->watch);
    if (!api_run(exchange)) {
        assert(call->is_deferred);
        return MHD_YES;
    }
    call->is_answered = true;
    if (call->is_deferred) {
        watch_set(call->watch, RESUMED_US);
        MHD_resume_connection(call->connection);
    }
    atomic_fetch_sub(&server->running_count, 1);
    return call->is_deferred ? MHD_YES : send_reply(call);
}

static enum MHD_Result take_body(struct call *call, const char *piece,
                                 size_t *piece_bytes)
{
    size_t room = (size_t)call->exchange.content_length - call->body_bytes;

    if (*piece_bytes > room)
        return MHD_NO;
    memcpy(call->body + call->body_bytes, piece, *piece_bytes);
    call->body_bytes += *piece_bytes;
    *piece_bytes = 0;
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *target, const char *method,
                                  const char *version, const char *piece,
                                  size_t *piece_bytes, void **request)
{
    struct server *server = context;
    const struct visitor *visitor = connection_visitor(connection);
    struct call *call = *request;

    if (call) {
        resume_others(call, on_resumed);
        if (*piece_bytes > 0)
            return take_body(call, piece, piece_bytes);
        return call->is_answered ? send_reply(call) : run(call);
    }
    if (!visitor || atomic_load(&server->is_closing))
        return MHD_NO;
    call = call_take(server);
    if (!call)
        return MHD_queue_response(connection, 503, server->no_memory);
    call->connection = connection;
    call->watch = visitor->watch;
    call->peer = visitor->peer;
    call->is_secure = server->tls;
    *request = call;
    return begin(call, target, method, version) ? MHD_YES : send_reply(call);
}

/* The first line of a request is there. */
static void *on_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct server *server = context;
    const struct visitor *visitor = connection_visitor(connection);

    (void)target;
    if (visitor)
        watch_set(visitor->watch, server->deadline_us);
    return NULL;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct server *server = context;
    struct call *call = *request;

    (void)connection;
    (void)code;
    if (!call)
        return;
    resume_others(call, on_resumed);
    if (call->exchange.reply.status != 0)
        exchange_log(&call->exchange);
    watch_rest(call->watch, server->idle_us + server->deadline_us);
    *request = NULL;
    call_give(call);
}

/* --- lifetime ------------------------------------------------------------------------------- */

static enum status prepare_refusal(struct server *server, struct err *err)
{
    static char body[] = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                         "\"status\":503,\"detail\":\"no memory for another request\","
                         "\"code\":\"out_of_memory\"}";

    server->no_memory =
        MHD_create_response_from_buffer(sizeof body - 1, body, MHD_RESPMEM_PERSISTENT);
    if (!server->no_memory ||
        !MHD_add_response_header(server->no_memory, "Content-Type",
                                 "application/problem+json") ||
        !MHD_add_response_header(server->no_memory, "Retry-After", "1") ||
        !MHD_add_response_header(server->no_memory, "Connection", "close") ||
        !security_headers_add(server->no_memory, server->tls))
        return err_set(err, STATUS_EXHAUSTED, "no memory for the server");
    return STATUS_OK;
}

static enum status listen_all(struct server *server,
                              const struct server_settings *settings, struct err *err)
{
    const struct listener_settings main = {
        .listen = settings->listen,
        .thread_count = settings->thread_count,
        .connection_count_max = settings->connection_count_max,
        .idle_timeout_s = settings->idle_timeout_s,
        .first_wait_us = server->deadline_us + (server->tls ? 0 : server->idle_us),
        .life_us = server->life_us,
        .deadlines = server->deadlines,
        .peers = server->peers,
        .tls = server->tls,
        .on_request = on_request,
        .on_line = on_line,
        .on_completed = on_completed,
        .context = server,
    };
    enum status rc;

    rc = listener_open(&server->main, &main, err);
    if (!rc && settings->health_listen)
        rc = probe_open(&server->probe, settings->health_listen, server->service, err);
    return rc;
}

/* What stands before the listener. */
static enum status open_guards(struct server *server,
                               const struct server_settings *settings, struct err *err)
{
    const struct peer_limits limits = {
        .connection_count_max = settings->connections_per_address,
        .failed_logins =
            rate_of(settings->failed_logins_per_min, 60, settings->failed_logins_per_min),
        .spares_this_machine = settings->spares_this_machine,
    };
    enum status rc = deadlines_open(&server->deadlines, err);

    if (!rc)
        rc = peers_open(&limits, &server->peers, err);
    if (!rc && settings->tls_cert)
        rc = tls_open(settings->tls_cert, settings->tls_key, clock_wall_us(&system_clock),
                      &server->tls, err);
    return rc;
}

static enum status check_settings(const struct server_settings *settings, struct err *err)
{
    if (settings->thread_count < 1 || settings->thread_count > 64)
        return err_set(err, STATUS_INVALID, "the server needs 1 to 64 threads, not %d",
                       settings->thread_count);
    if (settings->connection_count_max < settings->thread_count)
        return err_set(err, STATUS_INVALID,
                       "a server of %d threads needs as many connections or more, not %d",
                       settings->thread_count, settings->connection_count_max);
    if (!settings->tls_cert != !settings->tls_key)
        return err_set(err, STATUS_INVALID, "tls_cert and tls_key need each other");
    if (settings->idle_timeout_s < 1 || settings->deadline_s < 1)
        return err_set(err, STATUS_INVALID, "time-outs are one second or more");
    return STATUS_OK;
}

enum status server_start(const struct server_settings *settings, struct service *service,
                         struct server **server, struct err *err)
{
    struct server *started;
    enum status rc;

    rc = check_settings(settings, err);
    if (rc)
        return rc;
    started = calloc(1, sizeof *started);
    if (!started)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the server");
    pthread_mutex_init(&started->lock, NULL);
    started->service = service;
    started->idle_us = settings->idle_timeout_s * SECOND_US;
    started->deadline_us = settings->deadline_s * SECOND_US;
    started->life_us = settings->connection_deadline_s * SECOND_US;
    started->queue_wait_us = settings->queue_wait_ms * INT64_C(1000);
    started->memory.bytes_max = settings->request_memory_bytes;
    rc = open_guards(started, settings, err);
    if (!rc)
        rc = prepare_refusal(started, err);
    if (!rc)
        rc = listen_all(started, settings, err);
    if (rc) {
        server_stop(started, 0);
        return rc;
    }
    *server = started;
    return STATUS_OK;
}

const char *server_address(const struct server *server)
{
    return server->main.address;
}

const char *server_health_address(const struct server *server)
{
    return server->probe.listener.address;
}

const char *server_tls_pin(const struct server *server)
{
    return server->tls ? tls_pin(server->tls) : "";
}

enum status server_renew_tls(struct server *server, int64_t *expires_at_us,
                             struct err *err)
{
    enum status rc = STATUS_OK;

    *expires_at_us = 0;
    if (!server->tls)
        return STATUS_OK;
    rc = tls_renew(server->tls, clock_wall_us(&system_clock), err);
    *expires_at_us = tls_expires_at_us(server->tls);
    return rc;
}

void server_stats(const struct server *server, struct server_stats *stats)
{
    *stats = (struct server_stats){
        .failed_login_count = atomic_load(&server->failed_login_count),
        .shed_login_count = atomic_load(&server->shed_login_count),
        .refused_connection_count = atomic_load(&server->main.refused_count),
    };
}

/* New requests on old connections are still answered, and their connections closed. */
static void drain(struct server *server, int drain_ms)
{
    int64_t until_us = clock_monotonic_us(&system_clock) + (int64_t)drain_ms * 1000;

    atomic_store(&server->is_draining, true);
    atomic_store(&server->probe.is_draining, true);
    listener_quiesce(&server->main);
    while (atomic_load(&server->open_count) > 0 &&
           clock_monotonic_us(&system_clock) < until_us)
        usleep(DRAIN_POLL_US);
    atomic_store(&server->is_closing, true);
    /* The library must not be stopped with a request suspended; done always comes. */
    while (atomic_load(&server->running_count) > 0)
        usleep(DRAIN_POLL_US);
}

void server_stop(struct server *server, int drain_ms)
{
    if (!server)
        return;
    if (server->main.daemon)
        drain(server, drain_ms);
    listener_close(&server->main);
    probe_close(&server->probe);
    deadlines_close(server->deadlines);
    peers_close(server->peers);
    tls_close(server->tls);
    while (server->free_calls) {
        struct call *call = server->free_calls;
        server->free_calls = call->next;
        free(call);
    }
    if (server->no_memory)
        MHD_destroy_response(server->no_memory);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
