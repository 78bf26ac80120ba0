/* call_head.c - what the head of a request says, as an exchange.
 *
 * libmicrohttpd hides some of what it read: it ends texts at a NUL, drops lines without a
 * name, takes a bare line feed for the end of a line, and adds a folded line to the name
 * of its header. But it leaves the head where it came in and writes zeros over the ends
 * of texts. So a head without such things is one whose texts lie one behind the other,
 * without gaps, from the method to the end. */
#include "http/call.h"

#include <string.h>

/* The version whose ways these are; to another the check of the layout does not apply. */
static const char known_version[] = "0.9.75";

struct head_walk {
    struct head head;
    const char *at; /* where the last text ended */
    bool has_gap;
};

/* A name, a colon, blanks, a value; before it the CR and LF of the line before. */
static void walk(struct head_walk *walk, const char *name, size_t name_bytes,
                 const char *value, size_t value_bytes)
{
    const char *at = name + name_bytes + 1;

    walk->has_gap = walk->has_gap || name != walk->at + 2 || value < at;
    for (; !walk->has_gap && at < value; at++)
        walk->has_gap = *at != ' ' && *at != '\t';
    walk->at = value + value_bytes;
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 size_t name_bytes, const char *value, size_t value_bytes)
{
    struct head_walk *headers = context;

    (void)kind;
    head_add(&headers->head, (struct text){name, name_bytes},
             (struct text){value, value ? value_bytes : 0});
    if (value)
        walk(headers, name, name_bytes, value, value_bytes);
    return MHD_YES;
}

static enum MHD_Result on_first(void *context, enum MHD_ValueKind kind, const char *name,
                                size_t name_bytes, const char *value, size_t value_bytes)
{
    const char **first = context;

    (void)kind, (void)name_bytes, (void)value, (void)value_bytes;
    *first = name;
    return MHD_NO;
}

/* The path is followed by the version, or by a question mark and the first parameter. */
static bool is_whole_target(struct MHD_Connection *connection, const char *target,
                            const char *version)
{
    const char *end = target + strlen(target), *first = NULL;

    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, on_first,
                                (void *)&first);
    return first ? first == end + 1 : version <= end + 2;
}

static bool is_whole(struct MHD_Connection *connection, const struct head_walk *headers,
                     const char *target, const char *method, const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if (strncmp(MHD_get_version(), known_version, sizeof known_version - 1) != 0)
        return true;
    return info && !headers->has_gap && target == method + strlen(method) + 1 &&
           headers->at + 4 == method + info->header_size &&
           is_whole_target(connection, target, version);
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
    struct head_walk headers = {.at = version + strlen(version)};
    struct head *const head = &headers.head;

    call->is_head = strcmp(method, "HEAD") == 0;
    exchange->method = call->is_head ? "GET" : method;
    exchange->path = target;
    head_begin(head, method, target, version);
    MHD_get_connection_values_n(call->connection, MHD_HEADER_KIND, on_header, &headers);
    if (!head_end(head, version))
        return head->fault;
    if (!is_whole(call->connection, &headers, target, method, version))
        return HEAD_FAULT_LINES;
    if (call->visitor->has_space)
        return HEAD_FAULT_TARGET;
    MHD_get_connection_values_n(call->connection, MHD_GET_ARGUMENT_KIND, on_query,
                                &queries);
    if (queries.is_refused)
        return HEAD_FAULT_QUERY;
    exchange->authorization = head->values[HEADER_AUTHORIZATION];
    exchange->idempotency_key = head->values[HEADER_IDEMPOTENCY_KEY];
    exchange->if_match = head->values[HEADER_IF_MATCH];
    exchange->content_type = head->values[HEADER_CONTENT_TYPE];
    exchange->content_encoding = head->values[HEADER_CONTENT_ENCODING];
    exchange->content_length = head->content_length;
    head_request_id(head, exchange->request_id);
    head_trace_id(head, exchange->trace_id);
    call->has_trace = exchange->trace_id[0] != 0;
    return HEAD_FAULT_NONE;
}
