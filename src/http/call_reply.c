/* call_reply.c - a reply with its headers, handed to libmicrohttpd. */
#include "http/call.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "http/refusal.h"
#include "http/security.h"

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

enum { REPLY_HEADER_COUNT_MAX = 16, STREAM_BLOCK_BYTES = 16 << 10 };

/* Not a secret: it only has to differ from other spans. */
static uint64_t random_span(void)
{
    static _Thread_local struct rng rng;
    static _Thread_local bool is_seeded;
    uint64_t seed = 0, span;

    if (!is_seeded) {
        if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
            seed = (uint64_t)clock_monotonic_us(&system_clock) ^ (uintptr_t)&rng;
        rng_seed(&rng, seed);
        is_seeded = true;
    }
    do
        span = rng_next(&rng);
    while (span == 0);
    return span;
}

struct reply_header {
    const char *name, *value;
};

/* The headers of the reply; those without a value are left out. Returns how many. */
static int list_headers(const struct call *call, char retry_after[static 16],
                        char traceparent[static 64], struct reply_header *headers)
{
    const struct exchange *exchange = &call->exchange;
    const struct reply *reply = &exchange->reply;
    const char *type = reply->content_type ? reply->content_type : "application/json";
    int count = 0;

    if (reply->retry_after_s > 0)
        snprintf(retry_after, 16, "%d", reply->retry_after_s);
    if (call->has_trace)
        snprintf(traceparent, 64, "00-%s-%016llx-01", exchange->trace_id,
                 (unsigned long long)random_span());
    const struct reply_header all[] = {
        {"Content-Type", reply->body.bytes > 0 || reply->stream.next ? type : NULL},
        {"X-Request-Id", exchange->request_id[0] ? exchange->request_id : NULL},
        {"ETag", reply->etag[0] ? reply->etag : NULL},
        {"Location", reply->location},
        {"Allow", reply->allow[0] ? reply->allow : NULL},
        {"Retry-After", reply->retry_after_s > 0 ? retry_after : NULL},
        {"Idempotency-Replayed", reply->is_replayed ? "true" : NULL},
        {"WWW-Authenticate", reply->status == 401 ? "Bearer" : NULL},
        {"traceparent", call->has_trace ? traceparent : NULL},
        {"Connection", call->must_close ? "close" : NULL},
    };
    static_assert(sizeof all / sizeof *all <= REPLY_HEADER_COUNT_MAX);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value)
            headers[count++] = all[i];
    return count;
}

/* Cuts the connection when it fails: without its last chunk nobody takes it for all. */
static ssize_t read_stream(void *context, uint64_t, char *buffer, size_t room)
{
    struct call *call = context;
    const struct reply_stream *stream = &call->exchange.reply.stream;
    struct err err;
    size_t bytes;

    err_clear(&err);
    if (call->piece.bytes == 0) {
        if (stream->next(stream->of, &call->piece, &err)) {
            log_event(LOG_ERROR, "reply_cut", LOG_TEXT("detail", err.text),
                      LOG_TEXT("request_id", call->exchange.request_id));
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        watch_set(call->visitor->watch, call->send_us + (int64_t)call->piece.bytes *
                                                            SECOND_US /
                                                            REPLY_BYTES_PER_S_MIN);
    }
    bytes = call->piece.bytes < room ? call->piece.bytes : room;
    if (bytes == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    memcpy(buffer, call->piece.at, bytes);
    call->piece.at += bytes;
    call->piece.bytes -= bytes;
    watch_sent(call->visitor->watch, bytes);
    return (ssize_t)bytes;
}

static struct MHD_Response *make_response(struct call *call)
{
    const struct reply *reply = &call->exchange.reply;
    struct MHD_Response *response;

    if (!reply->stream.next)
        return MHD_create_response_from_buffer(
            reply->body.bytes, (void *)(uintptr_t)reply->body.at, MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
                                                 read_stream, call, NULL);
    /* In chunks, the library would send the last of them even when none is wanted: so it
     * goes without, to the end of the connection. */
    if (response && call->is_head &&
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
                                 MHD_RO_END) != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

enum MHD_Result call_reply(struct call *call)
{
    const struct reply *reply = &call->exchange.reply;
    struct reply_header headers[REPLY_HEADER_COUNT_MAX];
    char retry_after[16], traceparent[64];
    int count = list_headers(call, retry_after, traceparent, headers);
    struct MHD_Response *response;
    enum MHD_Result rc;

    assert(reply->status >= 200);
    assert(reply->status <= 599);
    response = make_response(call);
    if (!response)
        return MHD_NO;
    rc = security_headers_add(response, call->is_secure);
    for (int i = 0; rc == MHD_YES && i < count; i++)
        rc = MHD_add_response_header(response, headers[i].name, headers[i].value);
    if (rc == MHD_YES)
        rc = reply_queue(call->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return rc;
}
