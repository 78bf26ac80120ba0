/* reads.c - what was decided, shown as it is now, or beside what comes out when it is
 * made again. */
#include "decide/cases.h"

#include "decide/again.h"
#include "decide/decision.h"
#include "decide/lists.h"
#include "decide/now.h"
#include "json/scan.h"

enum status decision_show(struct service *service, const char *id, struct arena *arena,
                          struct text *json, struct err *err)
{
    struct decision_row row;
    struct json_writer writer;
    enum status rc = decision_row_find(service, id, arena, &row, err);

    if (!rc)
        rc = show_writer(arena, row.body.bytes + NOW_EXTRA_BYTES, &writer, err);
    if (!rc)
        rc = decision_now_encode(&row, &writer, err);
    return rc ? rc : json_writer_text(&writer, json, err);
}

enum status decision_list_show(struct service *service,
                               const struct decision_filter *filter, struct arena *arena,
                               struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct decision_row *rows;
    struct json_writer writer;
    size_t bytes = 256;
    bool has_more;
    int count;
    enum status rc = decision_list(reader, filter, arena, &rows, &count, &has_more, err);

    service_reader_give(service, reader);
    for (int i = 0; i < count && !rc; i++)
        bytes += rows[i].body.bytes + NOW_EXTRA_BYTES;
    if (!rc)
        rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "list");
    json_put_key(&writer, "data");
    json_put_array(&writer);
    for (int i = 0; i < count && !rc; i++)
        rc = decision_now_encode(&rows[i], &writer, err);
    json_put_array_end(&writer);
    json_member_bool(&writer, "has_more", has_more);
    json_member_string(&writer, "next_cursor", has_more ? rows[count - 1].id : NULL);
    json_put_object_end(&writer);
    return rc ? rc : json_writer_text(&writer, json, err);
}

/* --- replay --------------------------------------------------------------------------------- */

/* Not compared: who asked, which a replay cannot bring back; and the time, which answers
 * of former programs have of their preparation where the row has that of the
 * recording. */
static bool is_compared(struct text key)
{
    return !text_is(key, "request_id") && !text_is(key, "created_at");
}

static enum status put_differences(struct text then, struct text now,
                                   struct json_writer *writer, bool *is_match,
                                   struct err *err)
{
    struct json_scan old, new;
    struct json_level old_object, new_object;
    struct text key, other_key = {0}, value, other_value = {0};
    enum status rc;

    *is_match = true;
    json_scan_init(&old, then.at, then.bytes, JSON_DEPTH_MAX, err);
    json_scan_init(&new, now.at, now.bytes, JSON_DEPTH_MAX, err);
    json_enter_object(&old, &old_object);
    json_enter_object(&new, &new_object);
    /* Both are written by the same code, hence in the same order, unless a member is
     * missing. */
    while (json_member(&old, &old_object, &key) && json_raw(&old, &value)) {
        bool is_same = json_member(&new, &new_object, &other_key) &&
                       json_raw(&new, &other_value) && text_equal(key, other_key) &&
                       text_equal(value, other_value);

        if (is_same || !is_compared(key))
            continue;
        *is_match = false;
        json_put_object(writer);
        json_put_key(writer, "member");
        json_put_text(writer, key);
        json_put_key(writer, "then");
        json_put_raw(writer, value);
        json_put_key(writer, "now");
        if (new.status == STATUS_OK && text_equal(key, other_key))
            json_put_raw(writer, other_value);
        else
            json_put_null(writer);
        json_put_object_end(writer);
    }
    rc = json_scan_end(&old);
    return rc ? err_wrap(err, "stored decision") : STATUS_OK;
}

static enum status compare(struct again *again, struct arena *arena, struct text *json,
                           bool *is_match, struct err *err)
{
    struct json_writer now_writer, writer;
    struct text now;
    size_t room = decision_encode_room(&again->decision, &again->made_from.asked);
    enum status rc = show_writer(arena, room, &now_writer, err);

    if (!rc)
        rc = show_writer(arena, again->row.body.bytes + room + 4096, &writer, err);
    if (rc)
        return rc;
    decision_encode(&again->decision, &again->made_from.asked, &now_writer);
    rc = json_writer_text(&now_writer, &now, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "replay");
    json_member_string(&writer, "decision_id", again->row.id);
    json_put_key(&writer, "diff");
    json_put_array(&writer);
    rc = put_differences(again->row.body, now, &writer, is_match, err);
    json_put_array_end(&writer);
    json_member_bool(&writer, "match", *is_match);
    json_put_object_end(&writer);
    return rc ? rc : json_writer_text(&writer, json, err);
}

enum status decision_replay(struct service *service, const char *id, struct arena *arena,
                            struct text *json, bool *is_match, struct err *err)
{
    struct again *again = arena_new(arena, struct again);
    enum status rc;

    if (!again)
        return arena_exhausted(err);
    *is_match = false;
    rc = again_make(service, id, arena, again, err);
    if (!rc)
        rc = compare(again, arena, json, is_match, err);
    again_free(again);
    return rc;
}
