#include "decide/now.h"

#include "json/scan.h"

/* The members that change; everything else stands as it was written. */
static bool put_changed(struct json_writer *writer, struct text key,
                        const struct decision_row *row)
{
    if (!text_is(key, "status"))
        return false;
    json_put_string(writer, decision_status_name(row->status));
    return true;
}

static void put_since(struct json_writer *writer, const struct decision_row *row)
{
    if (row->status == DECISION_SETTLED)
        json_member_int(writer, "settled_amount", row->settled_amount);
    if (row->external_ref.bytes > 0)
        json_member_text(writer, "external_ref", row->external_ref);
    json_member_time(writer, "updated_at", row->updated_at_us);
}

enum status decision_now_encode(const struct decision_row *row,
                                struct json_writer *writer, struct err *err)
{
    struct json_scan scan;
    struct json_level object;
    struct text key, value;
    enum status rc;

    json_scan_init(&scan, row->body.at, row->body.bytes, JSON_DEPTH_MAX, err);
    json_enter_object(&scan, &object);
    json_put_object(writer);
    while (json_member(&scan, &object, &key)) {
        json_put_key_text(writer, key);
        json_raw(&scan, &value);
        if (!put_changed(writer, key, row))
            json_put_raw(writer, value);
    }
    put_since(writer, row);
    json_put_object_end(writer);
    rc = json_scan_end(&scan);
    return rc ? err_code(err, STATUS_CORRUPT, "data_corrupt",
                         "decision %s cannot be read", row->id)
              : STATUS_OK;
}
