/* call_head.c - what the head of a request says, as an exchange. */
#include "http/call.h"

#include <string.h>

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 size_t name_bytes, const char *value, size_t value_bytes)
{
    (void)kind;
    head_add(context, (struct text){name, name_bytes},
             (struct text){value, value ? value_bytes : 0});
    return MHD_YES;
}

struct query_list {
    struct exchange *exchange;
    bool is_refused;
};

static const char *decode(struct arena *arena, const char *at, size_t bytes)
{
    char *out = arena_alloc(arena, 1, bytes + 1);

    return out && head_decode((struct text){at, bytes}, out) ? out : NULL;
}

static enum MHD_Result on_query(void *context, enum MHD_ValueKind kind, const char *name,
                                size_t name_bytes, const char *value, size_t value_bytes)
{
    struct query_list *list = context;
    struct exchange *exchange = list->exchange;
    struct query *query = &exchange->queries[exchange->query_count];

    (void)kind;
    list->is_refused = true;
    if (exchange->query_count == QUERY_COUNT_MAX)
        return MHD_NO;
    query->name = decode(&exchange->arena, name, name_bytes);
    query->value = decode(&exchange->arena, value ? value : "", value ? value_bytes : 0);
    if (!query->name || !query->value)
        return MHD_NO;
    exchange->query_count++;
    list->is_refused = false;
    return MHD_YES;
}

enum head_fault call_read_head(struct call *call, const char *target, const char *method,
                               const char *version)
{
    struct exchange *exchange = &call->exchange;
    struct query_list queries = {.exchange = exchange};
    struct head head = {0};

    exchange->method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    exchange->path = target;
    head_begin(&head, method, target, version);
    MHD_get_connection_values_n(call->connection, MHD_HEADER_KIND, on_header, &head);
    if (!head_end(&head, version))
        return head.fault;
    MHD_get_connection_values_n(call->connection, MHD_GET_ARGUMENT_KIND, on_query,
                                &queries);
    if (queries.is_refused)
        return HEAD_FAULT_QUERY;
    exchange->authorization = head.values[HEADER_AUTHORIZATION];
    exchange->idempotency_key = head.values[HEADER_IDEMPOTENCY_KEY];
    exchange->if_match = head.values[HEADER_IF_MATCH];
    exchange->content_type = head.values[HEADER_CONTENT_TYPE];
    exchange->content_length = head.content_length;
    head_request_id(&head, exchange->request_id);
    head_trace_id(&head, exchange->trace_id);
    call->has_trace = exchange->trace_id[0] != 0;
    return HEAD_FAULT_NONE;
}
