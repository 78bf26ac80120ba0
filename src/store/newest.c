/* newest.c - when what was written last was written, so that a start sees a clock that is
 * behind. */
#include "store/sql.h"

#include "store/audit.h"

#include <inttypes.h>
#include <stdio.h>

/* How far the tables had come when somebody said that the clock is right. */
struct accepted {
    int64_t audit_seq, entry_seq, decision_number;
};

static enum status newest_since(struct store *store, const struct accepted *since,
                                int64_t *at_us, struct err *err)
{
    struct query query = query_start(store, SQL_NEWEST);

    put_int(&query, since->entry_seq);
    put_int(&query, since->decision_number);
    put_int(&query, since->audit_seq);
    *at_us = 0;
    if (query_row(&query))
        *at_us = take_int(&query);
    return query_end(&query, "read when the newest rows were written", err);
}

/* Zeros when nobody ever did. */
static enum status find_accepted(struct store *store, struct accepted *accepted,
                                 struct err *err)
{
    struct query query = query_start(store, SQL_CLOCK_ACCEPTED);

    *accepted = (struct accepted){0};
    if (query_row(&query)) {
        accepted->audit_seq = take_int(&query) - 1;
        accepted->entry_seq = take_int(&query);
        accepted->decision_number = take_int(&query);
    }
    return query_end(&query, "read which clock was accepted", err);
}

enum status store_newest(struct store *store, int64_t until_us, int64_t *at_us,
                         struct err *err)
{
    struct accepted accepted = {0};
    enum status rc = newest_since(store, &accepted, at_us, err);

    /* The events are looked through only then. */
    if (!rc && *at_us > until_us)
        rc = find_accepted(store, &accepted, err);
    if (!rc && accepted.audit_seq > 0)
        rc = newest_since(store, &accepted, at_us, err);
    return rc;
}

static enum status append_accepted(struct store *store, int64_t now_us, struct err *err)
{
    struct audit_event event = {.created_at_us = now_us,
                                .actor = "cli",
                                .action = "clock.accepted",
                                .subject = "clock"};
    struct store_stats stats;
    enum status rc = store_stats(store, &stats, err);
    char detail[128];

    if (rc)
        return rc;
    snprintf(detail, sizeof detail,
             "{\"entries\": %" PRId64 ", \"decisions\": %" PRId64 "}", stats.entry_count,
             stats.decision_count);
    event.detail = text_of(detail);
    return audit_append(store, &event, err);
}

enum status store_accept_clock(struct store *store, int64_t now_us, struct err *err)
{
    enum status rc = store_begin(store, err);

    if (rc)
        return rc;
    rc = append_accepted(store, now_us, err);
    if (!rc)
        return store_commit(store, err);
    store_rollback(store);
    return rc;
}
