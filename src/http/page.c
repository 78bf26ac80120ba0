#include "http/page.h"

#include "json/scan.h"
#include "json/write.h"

#include <stdio.h>

enum { PAGE_FRAME_BYTES = 128 };

struct items {
    struct text *at;
    int count;
};

/* Run through the items of "data"; those beyond capacity are only counted. */
static enum status find_items(struct text whole, int capacity, struct items *items,
                              struct err *err)
{
    struct json_scan scan;
    struct json_level object, array;
    struct text key, item;

    items->count = 0;
    json_scan_init(&scan, whole.at, whole.bytes, JSON_DEPTH_MAX, err);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key)) {
        if (!text_is(key, "data")) {
            json_skip(&scan);
            continue;
        }
        json_enter_array(&scan, &array);
        while (json_item(&scan, &array) && json_raw(&scan, &item)) {
            if (items->count < capacity)
                items->at[items->count] = item;
            items->count++;
        }
    }
    return json_scan_end(&scan);
}

static enum status list_items(struct exchange *exchange, struct text whole,
                              struct items *items, struct err *err)
{
    enum status rc = find_items(whole, 0, items, err);

    if (rc)
        return rc;
    items->at = arena_array(&exchange->arena, struct text, (size_t)items->count + 1);
    if (!items->at)
        return arena_exhausted(err);
    return find_items(whole, items->count, items, err);
}

enum status page_cut(struct exchange *exchange, struct text whole, bool is_descending,
                     struct text *page, struct err *err)
{
    struct items items = {0};
    struct json_writer writer;
    int64_t limit, after, end;
    bool wants_descending;
    char *buffer, next[24];
    enum status rc =
        query_int(exchange, "limit", 1, LIST_COUNT_MAX, LIST_COUNT_DEFAULT, &limit, err);

    if (!rc)
        rc = query_int(exchange, "after", 0, INT32_MAX, 0, &after, err);
    if (!rc)
        rc = query_order(exchange, is_descending, &wants_descending, err);
    if (!rc)
        rc = list_items(exchange, whole, &items, err);
    if (rc)
        return rc;
    buffer = arena_alloc(&exchange->arena, 1, whole.bytes + PAGE_FRAME_BYTES);
    if (!buffer)
        return arena_exhausted(err);
    json_writer_init(&writer, buffer, whole.bytes + PAGE_FRAME_BYTES);
    end = after + limit < items.count ? after + limit : items.count;
    json_put_object(&writer);
    json_member_string(&writer, "object", "list");
    json_put_key(&writer, "data");
    json_put_array(&writer);
    for (int64_t i = after; i < end; i++)
        json_put_raw(
            &writer,
            items.at[wants_descending == is_descending ? i : items.count - 1 - i]);
    json_put_array_end(&writer);
    snprintf(next, sizeof next, "%lld", (long long)end);
    json_member_bool(&writer, "has_more", end < items.count);
    json_member_string(&writer, "next_cursor", end < items.count ? next : NULL);
    json_put_object_end(&writer);
    return json_writer_text(&writer, page, err);
}
