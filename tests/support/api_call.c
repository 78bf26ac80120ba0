#include "support/api_call.h"

#include "http/exchange.h"
#include "support/copy.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool is_well, const char *what, const char *why)
{
    if (is_well)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

/* --- calls ------------------------------------------------------------------------------------ */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over;
};

static void on_defer(struct exchange *exchange)
{
    (void)exchange;
}

static void on_done(struct exchange *exchange)
{
    struct waiting *waiting = exchange->carrier;

    pthread_mutex_lock(&waiting->lock);
    waiting->is_over = true;
    pthread_cond_signal(&waiting->over);
    pthread_mutex_unlock(&waiting->lock);
}

void (*api_call_around)(bool begins);
void (*api_call_streams)(void);
size_t api_call_arena_bytes;

static void tell(bool begins)
{
    if (api_call_around)
        api_call_around(begins);
}

/* All that a stream has to say; false when it fails on the way. */
static bool drain(const struct reply_stream *stream, FILE *into)
{
    struct text piece;
    struct err err;

    err_clear(&err);
    while (!stream->next(stream->of, &piece, &err)) {
        if (piece.bytes == 0)
            return true;
        must(fwrite(piece.at, 1, piece.bytes, into) == piece.bytes, "read a stream",
             "no room");
    }
    return false;
}

static struct api_reply reply_of(const struct exchange *exchange, char *streamed)
{
    const struct reply *answer = &exchange->reply;
    struct api_reply reply = {.status = answer->status,
                              .text = answer->stream.next
                                          ? streamed
                                          : copy_of(answer->body.at, answer->body.bytes),
                              .is_replayed = answer->is_replayed};

    memcpy(reply.etag, exchange->reply.etag, sizeof reply.etag);
    reply.json = reply.text ? json_loads(reply.text, 0, NULL) : NULL;
    return reply;
}

/* "/path?name=value&..." as a server would have taken it apart. */
static char *split_query(struct exchange *exchange, const char *path)
{
    char *copy = strdup(path), *query = strchr(copy, '?');

    exchange->path = copy;
    if (query)
        *query++ = '\0';
    for (char *pair = query ? strtok(query, "&") : NULL; pair; pair = strtok(NULL, "&")) {
        char *value = strchr(pair, '=');

        *value++ = '\0';
        exchange->queries[exchange->query_count++] = (struct query){pair, value};
    }
    return copy;
}

/* A refusal empties the arena, and finds the whole buffer again. */
static void leave_room(struct exchange *exchange, size_t bytes)
{
    const size_t buffer_bytes = sizeof exchange->buffer;

    arena_init(&exchange->arena, exchange->buffer, buffer_bytes,
               bytes > buffer_bytes ? bytes - buffer_bytes : 0);
    if (bytes < buffer_bytes)
        (void)arena_room(&exchange->arena, buffer_bytes - bytes);
}

static struct api_reply call(struct service *service, struct exchange *exchange,
                             const char *path, const char *body)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .over = PTHREAD_COND_INITIALIZER};
    struct api_reply reply;
    size_t streamed_bytes;
    char *copy, *streamed;
    FILE *stream = open_memstream(&streamed, &streamed_bytes);
    bool is_whole = false;

    must(stream, "make room for a stream", "no memory");
    exchange_init(exchange, service);
    if (api_call_arena_bytes)
        leave_room(exchange, api_call_arena_bytes);
    copy = split_query(exchange, path);
    exchange->body = text_of(body ? body : "");
    exchange->content_length = (int64_t)exchange->body.bytes;
    exchange->defer = on_defer;
    exchange->done = on_done;
    exchange->carrier = &waiting;
    tell(true);
    if (api_begin(exchange) && !api_run(exchange)) {
        pthread_mutex_lock(&waiting.lock);
        while (!waiting.is_over)
            pthread_cond_wait(&waiting.over, &waiting.lock);
        pthread_mutex_unlock(&waiting.lock);
    }
    if (exchange->reply.stream.next && api_call_streams)
        api_call_streams();
    if (exchange->reply.stream.next)
        is_whole = drain(&exchange->reply.stream, stream);
    tell(false);
    fclose(stream);
    reply = reply_of(exchange, is_whole ? streamed : NULL);
    if (reply.text != streamed)
        free(streamed);
    exchange_reset(exchange);
    free(exchange);
    free(copy);
    return reply;
}

struct api_reply api_call(struct service *service, const char *method, const char *path,
                          const char *idempotency_key, const char *if_match,
                          const char *body)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    exchange->method = method;
    exchange->idempotency_key = idempotency_key;
    exchange->if_match = if_match;
    exchange->is_local = true;
    return call(service, exchange, path, body);
}

struct api_reply api_call_as(struct service *service, const char *authorization,
                             const char *method, const char *path,
                             const char *idempotency_key, const char *body)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    exchange->method = method;
    exchange->authorization = authorization;
    exchange->idempotency_key = idempotency_key;
    return call(service, exchange, path, body);
}

void api_reply_free(struct api_reply *reply)
{
    free(reply->text);
    json_decref(reply->json);
    *reply = (struct api_reply){0};
}

/* --- a small world ---------------------------------------------------------------------------- */

static void must_answer(struct api_reply reply, int status, const char *what)
{
    must(reply.status == status, what, reply.text);
    api_reply_free(&reply);
}

void service_fill(struct service *service, const char *more_policy_members, int64_t limit)
{
    static const char model[] =
        "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"m\", \"kind\": "
        "\"effect\","
        " \"learner\": \"effect\", \"features\": [{\"name\": \"need\", \"type\": "
        "\"float\","
        " \"missing\": \"allow\"}], \"arms\": [{\"name\": \"a500\", \"dose\": 500},"
        " {\"name\": \"a1000\", \"dose\": 1000}], \"components\": [{\"role\": \"tau\","
        " \"arm\": \"a500\", \"file\": \"a500.json\"}, {\"role\": \"tau\", \"arm\": "
        "\"a1000\","
        " \"file\": \"a1000.json\"}], \"examples\": {\"rows\": [[2]], \"effects\": "
        "[[1800, 3400]]}},"
        " \"files\": {\"a500.json\": {\"json\": {\"format\": \"redress-linear/1\","
        " \"weights\": [900], \"intercept\": 0}}, \"a1000.json\": {\"json\":"
        " {\"format\": \"redress-linear/1\", \"weights\": [1700], \"intercept\": 0}}}}";
    char body[4096];

    must_answer(api_call(service, "POST", "/v1/models/m/versions", NULL, NULL, model),
                201, "push the model");
    must_answer(api_call(service, "PUT", "/v1/models/m/aliases/champion", NULL, NULL,
                         "{\"version\": 1, \"reason\": \"first\"}"),
                200, "promote the model");
    snprintf(body, sizeof body,
             "{\"currency\": \"USD\", \"model\": \"m\", \"menu\": {\"amounts\": [500, "
             "1000]}%s}",
             more_policy_members);
    must_answer(api_call(service, "PUT", "/v1/policies/goodwill", NULL, NULL, body), 201,
                "put the policy");
    snprintf(body, sizeof body,
             "{\"id\": \"bud_all\", \"scope\": {}, \"period\": \"day\", \"limit\": %lld,"
             " \"currency\": \"USD\"}",
             (long long)limit);
    must_answer(api_call(service, "POST", "/v1/budgets", NULL, NULL, body), 201,
                "create the budget");
}
