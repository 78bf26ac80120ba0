/* lists.c - the frame of lists, and the list of the audit trail. */
#include "decide/lists.h"

#include "decide/admin.h"
#include "store/audit.h"

#include <assert.h>
#include <stdio.h>

enum status show_writer(struct arena *arena, size_t bytes, struct json_writer *writer,
                        struct err *err)
{
    char *buffer = arena_alloc(arena, 1, bytes);

    if (!buffer)
        return arena_exhausted(err);
    json_writer_init(writer, buffer, bytes);
    return STATUS_OK;
}

void list_put_start(struct json_writer *writer)
{
    json_put_object(writer);
    json_member_string(writer, "object", "list");
    json_put_key(writer, "data");
    json_put_array(writer);
}

void list_put_end(struct json_writer *writer, const char *next)
{
    json_put_array_end(writer);
    json_member_bool(writer, "has_more", next);
    json_member_string(writer, "next_cursor", next);
    json_put_object_end(writer);
}

enum status list_after(struct text after, int64_t *seq, struct err *err)
{
    int64_t value = 0;

    for (size_t i = 0; i < after.bytes; i++) {
        if (after.at[i] < '0' || after.at[i] > '9' ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, after.at[i] - '0', &value))
            return err_cursor(err);
    }
    *seq = value;
    return STATUS_OK;
}

void json_member_time_or_null(struct json_writer *writer, const char *key, int64_t us)
{
    json_put_key(writer, key);
    if (us == 0 || us == INT64_MAX)
        json_put_null(writer);
    else
        json_put_time(writer, us);
}

void json_member_hex(struct json_writer *writer, const char *key,
                     const unsigned char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * 64];

    assert(count <= 64);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    json_member_text(writer, key, (struct text){text, 2 * count});
}

/* --- the audit trail -------------------------------------------------------------------------- */

size_t event_room(const struct audit_event *event)
{
    return 512 + event->detail.bytes + json_room(sizeof event->actor) +
           json_room(sizeof event->action) + json_room(sizeof event->subject);
}

void event_put(struct json_writer *writer, const struct audit_event *event)
{
    json_put_object(writer);
    json_member_string(writer, "object", "audit_event");
    json_member_int(writer, "seq", event->seq);
    json_member_time(writer, "created_at", event->created_at_us);
    json_member_string(writer, "actor", event->actor);
    json_member_string(writer, "action", event->action);
    json_member_string(writer, "subject", event->subject);
    json_put_key(writer, "detail");
    if (event->detail.bytes > 0)
        json_put_raw(writer, event->detail);
    else
        json_put_null(writer);
    json_member_hex(writer, "prev_hash", event->prev_hash, sizeof event->prev_hash);
    json_member_hex(writer, "hash", event->hash, sizeof event->hash);
    json_put_object_end(writer);
}

/* A full page, and whether anything comes after it. */
static enum status read_events(struct store *reader, int64_t after, int limit,
                               bool is_descending, struct arena *arena,
                               struct audit_event **events, int *count, bool *has_more,
                               struct err *err)
{
    struct audit_event *more;
    int more_count = 0;
    enum status rc;

    rc = audit_list(reader, after, limit, is_descending, arena, events, count, err);
    if (!rc && *count == limit)
        rc = audit_list(reader, (*events)[limit - 1].seq, 1, is_descending, arena, &more,
                        &more_count, err);
    *has_more = more_count > 0;
    return rc;
}

enum status audit_list_show(struct service *service, struct text after, int limit,
                            bool is_descending, struct arena *arena, struct text *json,
                            struct err *err)
{
    struct audit_event *events = NULL;
    struct json_writer writer;
    struct store *reader;
    size_t bytes = LIST_FRAME_BYTES;
    char next[24];
    bool has_more = false;
    int64_t seq = 0;
    int count = 0;
    enum status rc = list_after(after, &seq, err);

    if (rc)
        return rc;
    reader = service_reader_take(service);
    rc = read_events(reader, seq, limit, is_descending, arena, &events, &count, &has_more,
                     err);
    service_reader_give(service, reader);
    for (int i = 0; i < count && !rc; i++)
        bytes += event_room(&events[i]);
    if (!rc)
        rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = 0; i < count; i++)
        event_put(&writer, &events[i]);
    if (has_more)
        snprintf(next, sizeof next, "%lld", (long long)events[count - 1].seq);
    list_put_end(&writer, has_more ? next : NULL);
    return json_writer_text(&writer, json, err);
}
