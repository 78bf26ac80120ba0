/* problem.c - an error as a problem document (RFC 9457). */
#include "http/exchange.h"

#include "json/write.h"

#include <stdio.h>
#include <string.h>

struct http_status {
    int number;
    const char *title;
};

/* Asking again does not mend what is stored: a read says so with 500. What would write
 * may find other rows next time, and has to be asked again with its key whatever
 * happened. */
static bool is_read(const struct exchange *exchange)
{
    return exchange->method && (strcmp(exchange->method, "GET") == 0 ||
                                strcmp(exchange->method, "HEAD") == 0);
}

/* The only place where a status becomes an HTTP number. */
static const struct http_status *http_status_of(const struct exchange *exchange,
                                                const struct err *err)
{
    /* Refusals of HTTP itself have a number of their own. */
    static const struct {
        const char *code;
        struct http_status http;
    } of_code[] = {
        {"method_not_allowed", {405, "Method Not Allowed"}},
        {"length_required", {411, "Length Required"}},
        {"target_too_long", {414, "URI Too Long"}},
        {"unsupported_media_type", {415, "Unsupported Media Type"}},
        {"head_too_large", {431, "Request Header Fields Too Large"}},
        {"too_much_at_once", {429, "Too Many Requests"}},
        {"rate_limited", {429, "Too Many Requests"}},
        {"too_many_failed_logins", {429, "Too Many Requests"}},
        {"expectation_failed", {417, "Expectation Failed"}},
        {"http_version_not_supported", {505, "HTTP Version Not Supported"}},
    };
    static const struct http_status damaged = {500, "Internal Server Error"};
    static const struct http_status of_status[] = {
        [STATUS_OK] = {200, "OK"},
        [STATUS_MALFORMED] = {400, "Bad Request"},
        [STATUS_INVALID] = {422, "Unprocessable Content"},
        [STATUS_UNAUTHORIZED] = {401, "Unauthorized"},
        [STATUS_FORBIDDEN] = {403, "Forbidden"},
        [STATUS_NOT_FOUND] = {404, "Not Found"},
        [STATUS_CONFLICT] = {409, "Conflict"},
        [STATUS_STALE] = {412, "Precondition Failed"},
        [STATUS_PRECONDITION] = {428, "Precondition Required"},
        [STATUS_TOO_LARGE] = {413, "Content Too Large"},
        [STATUS_EXHAUSTED] = {503, "Service Unavailable"},
        [STATUS_UNAVAILABLE] = {503, "Service Unavailable"},
        [STATUS_IO] = {503, "Service Unavailable"},
        [STATUS_CORRUPT] = {503, "Service Unavailable"},
        [STATUS_PENDING] = {503, "Service Unavailable"},
    };

    for (size_t i = 0; i < sizeof of_code / sizeof of_code[0]; i++)
        if (strcmp(err->code, of_code[i].code) == 0)
            return &of_code[i].http;
    if (err->status == STATUS_CORRUPT && is_read(exchange))
        return &damaged;
    return &of_status[err->status];
}

static void put_faults(struct json_writer *writer, const struct err *err)
{
    json_put_key(writer, "errors");
    json_put_array(writer);
    for (int i = 0; i < err->fault_count; i++) {
        json_put_object(writer);
        json_member_string(writer, "pointer", err->faults[i].pointer);
        json_member_string(writer, "code", err->faults[i].code);
        json_member_string(writer, "detail", err->faults[i].detail);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

void exchange_refuse(struct exchange *exchange, const struct err *err)
{
    /* Sixteen faults, fully escaped, fit; written in place, since the arena may be what
     * is full. */
    static const char fallback[] = "{\"type\":\"urn:redress:problem:out_of_memory\","
                                   "\"title\":\"Service Unavailable\","
                                   "\"status\":503,\"code\":\"out_of_memory\"}";
    enum { PROBLEM_BYTES_MAX = 24 << 10 };
    char type[96];
    const struct http_status *http = http_status_of(exchange, err);
    struct json_writer writer;

    exchange->reply = (struct reply){.status = http->number,
                                     .content_type = "application/problem+json"};
    if (http->number == 503 || http->number == 429)
        exchange->reply.retry_after_s = 1;
    arena_reset(&exchange->arena);
    json_writer_init(&writer, arena_alloc(&exchange->arena, 1, PROBLEM_BYTES_MAX),
                     PROBLEM_BYTES_MAX);
    snprintf(type, sizeof type, "urn:redress:problem:%s", err->code);
    json_put_object(&writer);
    json_member_string(&writer, "type", type);
    json_member_string(&writer, "title", http->title);
    json_member_int(&writer, "status", http->number);
    json_member_string(&writer, "detail", err->text);
    json_member_string(&writer, "instance", exchange->path ? exchange->path : "");
    json_member_string(&writer, "code", err->code);
    json_member_string(&writer, "request_id", exchange->request_id);
    put_faults(&writer, err);
    json_put_object_end(&writer);
    if (json_writer_text(&writer, &exchange->reply.body, NULL)) {
        exchange->reply.status = 503;
        exchange->reply.body = text_of(fallback);
    }
}
