/* client_local.c - requests inside this process: the service without a socket. */
#include "app/client_carrier.h"

#include "app/commands.h"
#include "decide/service.h"
#include "http/exchange.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_READER_COUNT = 2,
    LOCAL_QUEUE_CAPACITY = 16,
    LOCAL_PRICE_INTERVAL_MS = 1000
};

struct local {
    struct service *service;
    struct exchange *exchange; /* too large for a stack */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* guarded by lock */
};

enum status local_open(const char *folder, struct local **local, bool *was_created,
                       struct err *err)
{
    const struct service_settings settings = {
        .folder = folder,
        .clock = &steady_clock,
        .build = version_build(),
        .reader_count = LOCAL_READER_COUNT,
        .queue_capacity = LOCAL_QUEUE_CAPACITY,
        .has_keepers = false,
        .price_interval_ms = LOCAL_PRICE_INTERVAL_MS,
    };
    struct local *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory");
    pthread_mutex_init(&opened->lock, NULL);
    pthread_cond_init(&opened->changed, NULL);
    opened->exchange = calloc(1, sizeof *opened->exchange);
    if (opened->exchange)
        rc = service_open(&settings, &opened->service, was_created, err);
    else
        rc = err_set(err, STATUS_EXHAUSTED, "no memory");
    if (rc) {
        local_close(opened);
        return rc;
    }
    *local = opened;
    return STATUS_OK;
}

void local_close(struct local *local)
{
    if (!local)
        return;
    service_close(local->service);
    pthread_cond_destroy(&local->changed);
    pthread_mutex_destroy(&local->lock);
    free(local->exchange);
    free(local);
}

/* There is no connection to hold. */
static void defer(struct exchange *exchange)
{
    (void)exchange;
}

static void done(struct exchange *exchange)
{
    struct local *local = exchange->carrier;

    pthread_mutex_lock(&local->lock);
    local->is_done = true;
    pthread_cond_signal(&local->changed);
    pthread_mutex_unlock(&local->lock);
}

static void wait_for_reply(struct local *local)
{
    pthread_mutex_lock(&local->lock);
    while (!local->is_done)
        pthread_cond_wait(&local->changed, &local->lock);
    pthread_mutex_unlock(&local->lock);
}

static void fill(struct exchange *exchange, const struct client_request *request)
{
    exchange->method = request->method;
    exchange->path = request->path;
    for (int i = 0; i < CLIENT_QUERY_COUNT_MAX && request->queries[i].name; i++)
        if (request->queries[i].value)
            exchange->queries[exchange->query_count++] =
                (struct query){request->queries[i].name, request->queries[i].value};
    exchange->idempotency_key = request->idempotency_key;
    exchange->if_match = request->if_match;
    if (request->body.bytes > 0)
        exchange->content_type = "application/json";
    exchange->content_length = (int64_t)request->body.bytes;
    exchange->is_local = true;
    exchange->defer = defer;
    exchange->done = done;
}

static enum status take_reply(const struct reply *answer, struct client_reply *reply,
                              struct err *err)
{
    reply->body = malloc(answer->body.bytes + 1);
    if (!reply->body)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the reply");
    if (answer->body.bytes > 0)
        memcpy(reply->body, answer->body.at, answer->body.bytes);
    reply->body[answer->body.bytes] = '\0';
    reply->bytes = answer->body.bytes;
    reply->status = answer->status;
    (void)text_copy(text_of(answer->etag), reply->etag, sizeof reply->etag);
    return STATUS_OK;
}

enum status local_call(struct local *local, const struct client_request *request,
                       struct client_reply *reply, struct err *err)
{
    struct exchange *exchange = local->exchange;
    enum status rc;

    memset(exchange, 0, sizeof *exchange);
    exchange_init(exchange, local->service);
    exchange->carrier = local;
    local->is_done = false;
    fill(exchange, request);
    if (api_begin(exchange)) {
        exchange->body = request->body;
        if (!api_run(exchange))
            wait_for_reply(local);
    }
    rc = take_reply(&exchange->reply, reply, err);
    exchange_reset(exchange);
    return rc;
}
