/* audit.c - the audit trail, appended to a hash chain of its own. */
#include "store/audit.h"

#include "store/sql.h"

#include <string.h>

enum status audit_append(struct store *store, struct audit_event *event, struct err *err)
{
    struct query query;
    struct chain *chain;
    enum status rc = chain_head(store, CHAIN_AUDIT, &chain, err);

    if (rc)
        return rc;
    event->seq = chain->seq + 1;
    memcpy(event->prev_hash, chain->hash, HASH_BYTES);
    audit_hash(event->prev_hash, event, event->hash);
    query = query_write(store, SQL_AUDIT_INSERT);
    put_int(&query, event->seq);
    put_int(&query, event->created_at_us);
    put_string(&query, event->actor);
    put_string(&query, event->action);
    put_string(&query, event->subject);
    put_text(&query, event->detail);
    put_bytes(&query, event->hash, HASH_BYTES);
    rc = query_run(&query, "append to the audit trail", err);
    if (!rc)
        chain_advance(chain, event->hash);
    return rc;
}

bool audit_is_intact(const struct audit_event *event)
{
    unsigned char hash[HASH_BYTES];

    audit_hash(event->prev_hash, event, hash);
    return memcmp(hash, event->hash, HASH_BYTES) == 0;
}

static void event_take(struct query *query, struct arena *arena,
                       struct audit_event *event)
{
    event->seq = take_int(query);
    event->created_at_us = take_int(query);
    take_string(query, event->actor, sizeof event->actor);
    take_string(query, event->action, sizeof event->action);
    take_string(query, event->subject, sizeof event->subject);
    event->detail = take_text(query, arena);
    take_bytes(query, event->prev_hash, HASH_BYTES);
    take_bytes(query, event->hash, HASH_BYTES);
}

enum status audit_first(struct store *store, const char *action, const char *subject,
                        struct arena *arena, struct audit_event *event, struct err *err)
{
    struct query query = query_start(store, SQL_AUDIT_FIRST);
    bool is_found;
    enum status rc;

    put_string(&query, subject);
    put_string(&query, action);
    is_found = query_row(&query);
    if (is_found)
        event_take(&query, arena, event);
    rc = query_end(&query, "look for an audit event", err);
    return !rc && !is_found
               ? err_set(err, STATUS_NOT_FOUND, "no %s of '%s'", action, subject)
               : rc;
}

enum status audit_list(struct store *store, int64_t after_seq, int limit,
                       bool is_descending, struct arena *arena,
                       struct audit_event **events, int *count, struct err *err)
{
    struct query query =
        query_start(store, is_descending ? SQL_AUDIT_PAGE_DOWN : SQL_AUDIT_PAGE_UP);
    int capacity = 0;

    *events = NULL;
    *count = 0;
    put_int(&query, is_descending && after_seq == 0 ? INT64_MAX : after_seq);
    put_int(&query, limit);
    while (query_row(&query)) {
        struct audit_event *event = QUERY_PUSH(&query, arena, events, *count, &capacity);

        if (!event)
            break;
        event_take(&query, arena, event);
        ++*count;
    }
    return query_end(&query, "read the audit trail", err);
}
