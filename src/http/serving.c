/* serving.c - carries exchanges over libmicrohttpd.
 *
 * The library calls serving_request once with the head, then with pieces of the body,
 * then once more to be answered. What must be refused by its head is refused in the first
 * call, the only moment when a body can still be declined. A request that has to wait for
 * the commit thread is suspended; when done has resumed it, the library calls
 * serving_request again, and the reply is there. */
#include "http/serving.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/rate.h"
#include "decide/service.h"
#include "http/refusal.h"
#include "http/resume.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* Lines of the log about requests that were turned away: so many, and again in so many
 * seconds. */
enum { REFUSED_LINE_COUNT = 20, REFUSED_LINES_S = 20 };

/* When the library cannot allocate what it waits with, it forgets that a connection was
 * resumed until the next event; after so long the connection is shut down, which is
 * one. */
#define RESUMED_US (3 * SECOND_US)

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
    call->memory = call->exchange.arena.share = &server->memory;
    call->exchange.queue_wait_us = server->queue_wait_us;
    atomic_fetch_add(&server->open_count, 1);
    return call;
}

static void drop_body(struct call *call)
{
    if (call->body_room > 0) {
        memory_give(call->memory, call->body_room);
        free(call->body);
    }
    call->body = NULL;
    call->body_room = 0;
}

/* Zeroed for the next, except for its buffers. */
static void call_give(struct call *call)
{
    struct server *server = call->server;
    const size_t after = offsetof(struct call, server);

    exchange_reset(&call->exchange);
    drop_body(call);
    memset(&call->exchange, 0, offsetof(struct exchange, buffer));
    memset((char *)call + after, 0, offsetof(struct call, small_body) - after);
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

    if (atomic_load(&server->is_draining) || watch_is_old(call->visitor->watch))
        call->must_close = true;
    call->visitor->awaits_reply = false;
    call->send_us = server->deadline_us;
    watch_set(call->visitor->watch,
              server->deadline_us + (int64_t)call->exchange.reply.body.bytes * SECOND_US /
                                        REPLY_BYTES_PER_S_MIN);
    if (call->exchange.reply.stream.next)
        watch_stream(call->visitor->watch, server->deadline_us);
    if (call_reply(call) == MHD_YES)
        return MHD_YES;
    /* What was done is done: asked again with the same key, it is answered. To be told
     * nothing would be worse, since the library does not hang up before the connection's
     * next event. */
    reply_close(&call->exchange.reply);
    call->exchange.reply = (struct reply){.status = 503};
    return reply_queue(call->connection, 503, server->no_memory);
}

/* Refused by its head: nothing that follows on this connection can be trusted. */
static void refuse_head(struct call *call, enum head_fault fault)
{
    struct exchange *exchange = &call->exchange;
    struct err err = {0};

    call->must_close = true;
    exchange->started_us = clock_monotonic_us(service_clock(exchange->service));
    id_make("req_", clock_wall_us(service_clock(exchange->service)),
            exchange->request_id);
    if (err_code(&err, STATUS_MALFORMED, head_fault_code(fault), "%s",
                 head_fault_detail(fault)))
        exchange_refuse(exchange, &err);
}

/* --- the head ------------------------------------------------------------------------------- */

static enum lack lack_of(const struct call *call, size_t bytes)
{
    return memory_has(&call->server->memory, bytes) ? LACK_OF_KEY : LACK_OF_ALL;
}

static enum status refuse_body(enum lack lack, struct err *err)
{
    if (lack == LACK_OF_KEY)
        return err_code(err, STATUS_EXHAUSTED, "too_much_at_once",
                        "the requests of this API key hold as much memory as they may: "
                        "ask again when others of them are answered");
    return err_code(err, STATUS_EXHAUSTED, "out_of_memory",
                    "no memory for the body: ask again shortly, or with less at a time");
}

/* Who asks is known. */
static enum status enter_share(struct call *call, struct err *err)
{
    struct exchange *exchange = &call->exchange;
    struct memory_share *share =
        key_memory_share(&call->server->key_memory, exchange->principal.number);

    assert(exchange->arena.chunk_bytes == 0);
    if (!share)
        return refuse_body(LACK_OF_ALL, err);
    call->memory = exchange->arena.share = share;
    return STATUS_OK;
}

/* Room is made for what has come, not for what is announced, whose length api_begin has
 * judged. But what would find none now is better not sent. */
static enum status expect_body(struct call *call, struct err *err)
{
    const size_t bytes = (size_t)call->exchange.content_length;

    call->body = call->small_body;
    if (bytes <= sizeof call->small_body || memory_has(call->memory, bytes))
        return STATUS_OK;
    return refuse_body(lack_of(call, bytes), err);
}

/* A wrong key: too many of them are told to wait, and have to connect anew. Right ones
 * from the same address are let in all the same. */
static void count_failed_login(struct call *call)
{
    struct server *server = call->server;
    struct err err = {0};
    int64_t wait_us;

    atomic_fetch_add(&server->failed_login_count, 1);
    if (peers_login_failed(server->peers, call->visitor->peer,
                           clock_monotonic_us(&system_clock), &wait_us))
        return;
    atomic_fetch_add(&server->shed_login_count, 1);
    if (err_code(&err, STATUS_UNAVAILABLE, "too_many_failed_logins",
                 "too many wrong API keys came from this address"))
        exchange_refuse(&call->exchange, &err);
    call->exchange.reply.retry_after_s = (int)((wait_us + SECOND_US - 1) / SECOND_US);
    call->must_close = true;
}

/* The first call. True: go on reading. False: the reply is a refusal, to be sent at once.
 * The library closes a connection that is answered in the first call; without a body that
 * can wait. */
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
        if (!enter_share(call, &err) && !expect_body(call, &err))
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
    call->visitor->awaits_reply = true;
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
    watch_set(call->visitor->watch, RESUMED_US);
    resume(call, on_resumed);
}

static enum MHD_Result starve(struct call *call)
{
    struct err err = {0};

    if (refuse_body(call->lack, &err))
        exchange_refuse(&call->exchange, &err);
    call->is_answered = true;
    return send_reply(call);
}

/* The whole request is there. MHD_NO when the server closes. Counted before is_closing is
 * looked at, and the other way round in server_stop: nothing can be suspended once that
 * has counted to zero. */
static enum MHD_Result run(struct call *call)
{
    struct server *server = call->server;
    struct exchange *exchange = &call->exchange;

    if (call->body_bytes != (size_t)exchange->content_length)
        return MHD_NO;
    if (call->lack)
        return starve(call);
    exchange->body = (struct text){call->body, call->body_bytes};
    atomic_fetch_add(&server->running_count, 1);
    if (atomic_load(&server->is_closing)) {
        atomic_fetch_sub(&server->running_count, 1);
        return MHD_NO;
    }
    watch_pause(call->visitor->watch);
    if (!api_run(exchange)) {
        assert(call->is_deferred);
        return MHD_YES;
    }
    call->is_answered = true;
    if (call->is_deferred) {
        watch_set(call->visitor->watch, RESUMED_US);
        MHD_resume_connection(call->connection);
    }
    atomic_fetch_sub(&server->running_count, 1);
    return call->is_deferred ? MHD_YES : send_reply(call);
}

/* What there is too little of. */
static enum lack make_room(struct call *call, size_t needed)
{
    const size_t announced = (size_t)call->exchange.content_length;
    size_t room = 2 * call->body_room;
    char *longer;

    if (needed <= sizeof call->small_body || needed <= call->body_room)
        return LACK_NONE;
    room = room < BODY_ROOM_BYTES ? BODY_ROOM_BYTES : room;
    room = room < needed ? needed : room > announced ? announced : room;
    if (!memory_take(call->memory, room - call->body_room))
        return lack_of(call, room - call->body_room);
    longer = realloc(call->body_room > 0 ? call->body : NULL, room);
    if (!longer) {
        memory_give(call->memory, room - call->body_room);
        return LACK_OF_ALL;
    }
    if (call->body_room == 0)
        memcpy(longer, call->body, call->body_bytes);
    call->body = longer;
    call->body_room = room;
    return LACK_NONE;
}

/* What finds no room is read to its end all the same: only then can it be answered. */
static enum MHD_Result take_body(struct call *call, const char *piece,
                                 size_t *piece_bytes)
{
    size_t bytes = *piece_bytes;

    if (bytes > (size_t)call->exchange.content_length - call->body_bytes)
        return MHD_NO;
    if (!call->lack)
        call->lack = make_room(call, call->body_bytes + bytes);
    if (call->lack)
        drop_body(call);
    else
        memcpy(call->body + call->body_bytes, piece, bytes);
    call->body_bytes += bytes;
    visitor_takes_piece(call->visitor, piece, bytes);
    *piece_bytes = 0;
    return MHD_YES;
}

/* The head of a reply is written behind that of the request, in the same memory: what has
 * no room for it would be done, but never answered. */
static bool leaves_room(struct MHD_Connection *connection, size_t head_bytes)
{
    enum { KEPT_BYTES = 64, REPLY_HEAD_BYTES_MAX = 1024 };
    int count = MHD_get_connection_values(
        connection, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, NULL, NULL);

    return head_bytes + (size_t)count * KEPT_BYTES <=
           CONNECTION_MEMORY_BYTES - REPLY_HEAD_BYTES_MAX;
}

static size_t head_bytes_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info ? info->header_size : CONNECTION_MEMORY_BYTES;
}

enum MHD_Result serving_request(void *context, struct MHD_Connection *connection,
                                const char *target, const char *method,
                                const char *version, const char *piece,
                                size_t *piece_bytes, void **request)
{
    struct server *server = context;
    struct visitor *visitor = connection_visitor(connection);
    struct call *call = *request;
    size_t head_bytes;

    if (call) {
        resume_others(call, on_resumed);
        if (*piece_bytes > 0)
            return take_body(call, piece, piece_bytes);
        return call->is_answered ? send_reply(call) : run(call);
    }
    if (!visitor || atomic_load(&server->is_closing))
        return MHD_NO;
    head_bytes = head_bytes_of(connection);
    if (!leaves_room(connection, head_bytes))
        return refusal_queue(connection, 431);
    call = call_take(server);
    if (!call)
        return reply_queue(connection, 503, server->no_memory);
    call->connection = connection;
    call->visitor = visitor;
    visitor_takes_head(visitor, method, head_bytes);
    call->is_secure = server->tls;
    *request = call;
    return begin(call, target, method, version) ? MHD_YES : send_reply(call);
}

/* One line for each that was turned away would let strangers fill the log: so many at a
 * time, the rest is counted (server_stats). */
static void tell(struct server *server, const struct exchange *exchange)
{
    const struct rate lines =
        rate_of(REFUSED_LINE_COUNT, REFUSED_LINES_S, REFUSED_LINE_COUNT);
    int status = exchange->reply.status;
    int64_t wait_us;

    if (status == 403)
        atomic_fetch_add(&server->forbidden_count, 1);
    if ((status != 401 && status != 403) || log_wants(LOG_DEBUG) ||
        rate_take(&lines, &server->told_full_at_ns, clock_monotonic_us(&system_clock),
                  &wait_us))
        exchange_log(exchange);
}

void serving_completed(void *context, struct MHD_Connection *connection, void **request,
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
        tell(server, &call->exchange);
    visitor_rests(call->visitor);
    *request = NULL;
    call_give(call);
}
