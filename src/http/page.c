#include "http/page.h"

#include "json/scan.h"
#include "json/write.h"

#include <string.h>

enum { PAGE_FRAME_BYTES = 128 };

struct item {
    struct text json, key;
};

struct items {
    struct item *at;
    int count;
};

/* --- keys ------------------------------------------------------------------------------------- */

static bool is_digits(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.bytes > 0 && (text.at[0] != '0' || text.bytes == 1);
}

static bool is_key(const struct page_order *order, struct text text)
{
    size_t bytes = strlen(order->key_start);

    if (order->is_numbered)
        return is_digits(text);
    return text.bytes >= bytes && memcmp(text.at, order->key_start, bytes) == 0;
}

/* Below 0 when a comes before b in rising order: of numbers the one with more digits is
 * larger. */
static int compare(const struct page_order *order, struct text a, struct text b)
{
    size_t bytes = a.bytes < b.bytes ? a.bytes : b.bytes;
    int by_length = (a.bytes > b.bytes) - (a.bytes < b.bytes);
    int by_bytes = bytes > 0 ? memcmp(a.at, b.at, bytes) : 0;

    if (order->is_numbered && by_length != 0)
        return by_length;
    return by_bytes != 0 ? by_bytes : by_length;
}

/* The member that an item is found by: a text, or a number as it is written. */
static enum status read_key(struct arena *arena, const char *name, struct item *item,
                            struct err *err)
{
    struct json_scan scan;
    struct json_level object;
    struct text member;

    json_scan_init(&scan, item->json.at, item->json.bytes, JSON_DEPTH_MAX, err);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &member)) {
        if (!text_is(member, name))
            json_skip(&scan);
        else if (json_peek(&scan) == JSON_KIND_STRING)
            json_text(&scan, arena, &item->key);
        else
            json_raw(&scan, &item->key);
    }
    return json_scan_end(&scan);
}

/* --- items ------------------------------------------------------------------------------------ */

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
                items->at[items->count] = (struct item){.json = item};
            items->count++;
        }
    }
    return json_scan_end(&scan);
}

static enum status list_items(struct exchange *exchange, struct text whole,
                              const char *key, struct items *items, struct err *err)
{
    enum status rc = find_items(whole, 0, items, err);

    if (rc)
        return rc;
    items->at = arena_array(&exchange->arena, struct item, (size_t)items->count + 1);
    if (!items->at)
        return arena_exhausted(err);
    rc = find_items(whole, items->count, items, err);
    for (int i = 0; i < items->count && !rc; i++)
        rc = read_key(&exchange->arena, key, &items->at[i], err);
    return rc;
}

/* --- the page --------------------------------------------------------------------------------- */

struct wanted {
    struct text after; /* empty: from the front */
    int64_t limit;
    bool is_descending;
};

static enum status read_wanted(const struct exchange *exchange,
                               const struct page_order *order, struct wanted *wanted,
                               struct err *err)
{
    enum status rc = query_int(exchange, "limit", 1, LIST_COUNT_MAX, LIST_COUNT_DEFAULT,
                               &wanted->limit, err);

    if (!rc)
        rc = query_order(exchange, order->is_descending, &wanted->is_descending, err);
    if (rc)
        return rc;
    wanted->after = text_of(query_text(exchange, "after"));
    if (wanted->after.bytes > 0 && !is_key(order, wanted->after))
        return err_cursor(err);
    return STATUS_OK;
}

/* The item at a place of the order that is wanted. */
static const struct item *item_at(const struct items *items,
                                  const struct page_order *order,
                                  const struct wanted *wanted, int place)
{
    bool is_turned = wanted->is_descending != order->is_descending;

    return &items->at[is_turned ? items->count - 1 - place : place];
}

/* How many items come before the page, whether or not the one before it is still
 * there. */
static int start_of(const struct items *items, const struct page_order *order,
                    const struct wanted *wanted)
{
    int place = 0;

    if (wanted->after.bytes == 0)
        return 0;
    while (place < items->count) {
        int side =
            compare(order, item_at(items, order, wanted, place)->key, wanted->after);

        if (wanted->is_descending ? side < 0 : side > 0)
            break;
        place++;
    }
    return place;
}

enum status page_cut(struct exchange *exchange, struct text whole,
                     const struct page_order *order, struct text *page, struct err *err)
{
    struct items items = {0};
    struct json_writer writer;
    struct wanted wanted;
    int start, end;
    char *buffer;
    enum status rc = read_wanted(exchange, order, &wanted, err);

    if (!rc)
        rc = list_items(exchange, whole, order->key, &items, err);
    if (rc)
        return rc;
    buffer = arena_alloc(&exchange->arena, 1, whole.bytes + PAGE_FRAME_BYTES);
    if (!buffer)
        return arena_exhausted(err);
    json_writer_init(&writer, buffer, whole.bytes + PAGE_FRAME_BYTES);
    start = start_of(&items, order, &wanted);
    end = start + wanted.limit < items.count ? start + (int)wanted.limit : items.count;
    json_put_object(&writer);
    json_member_string(&writer, "object", "list");
    json_put_key(&writer, "data");
    json_put_array(&writer);
    for (int i = start; i < end; i++)
        json_put_raw(&writer, item_at(&items, order, &wanted, i)->json);
    json_put_array_end(&writer);
    json_member_bool(&writer, "has_more", end < items.count);
    json_put_key(&writer, "next_cursor");
    if (end < items.count)
        json_put_text(&writer, item_at(&items, order, &wanted, end - 1)->key);
    else
        json_put_null(&writer);
    json_put_object_end(&writer);
    return json_writer_text(&writer, page, err);
}
