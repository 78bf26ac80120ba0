/* case.c - a case from JSON, in one strict pass. */
#include "policy/case.h"

#include <assert.h>

#include "policy/input.h"

enum field_kind {
    FIELD_TEXT,
    FIELD_CURRENCY,
    FIELD_AMOUNT,
    FIELD_TIME,
    FIELD_FEATURES,
    FIELD_METADATA,
};

#define FIELD(name, kind, is_required)                                                   \
    {                                                                                    \
        {#name, sizeof #name - 1}, offsetof(struct refund_case, name), (kind),           \
            is_required                                                                  \
    }

static const struct case_field {
    struct text name;
    size_t offset;
    enum field_kind kind;
    bool is_required;
} fields[] = {
    FIELD(case_id, FIELD_TEXT, true),
    FIELD(customer_id, FIELD_TEXT, true),
    FIELD(currency, FIELD_CURRENCY, true),
    FIELD(order_id, FIELD_TEXT, false),
    FIELD(order_amount, FIELD_AMOUNT, true),
    FIELD(issue, FIELD_TEXT, true),
    FIELD(market, FIELD_TEXT, false),
    FIELD(segment, FIELD_TEXT, false),
    FIELD(channel, FIELD_TEXT, false),
    FIELD(requested_amount, FIELD_AMOUNT, false),
    FIELD(entitled_amount, FIELD_AMOUNT, false),
    {{"occurred_at", sizeof "occurred_at" - 1},
     offsetof(struct refund_case, occurred_at_us),
     FIELD_TIME,
     false},
    FIELD(features, FIELD_FEATURES, false),
    FIELD(metadata, FIELD_METADATA, false),
};

enum {
    FIELD_COUNT = sizeof fields / sizeof fields[0],
    FEATURE_ROOM_FIRST = 16,
    FEATURE_SLOT_COUNT = 2 * CASE_FEATURE_COUNT_MAX, /* a power of two */
};

static_assert((FEATURE_SLOT_COUNT & (FEATURE_SLOT_COUNT - 1)) == 0, "slots are masked");

/* Index of a field, or -1. Senders keep an order: the search starts where the last one
 * ended. */
static int field_find(struct text key, int first)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        int index = first + i < FIELD_COUNT ? first + i : first + i - FIELD_COUNT;

        if (text_equal(fields[index].name, key))
            return index;
    }
    return -1;
}

/* A name that was read just now. */
static bool name_accept(struct input *input, struct text name)
{
    if (name.bytes < 1 || name.bytes > CASE_TEXT_BYTES_MAX)
        input_refuse(input, name, "out_of_range",
                     "must have 1 to %d bytes, as it is a name", CASE_TEXT_BYTES_MAX);
    else if (!input->scan.is_plain && text_has_control(name, false))
        input_refuse(input, name, "invalid_text",
                     "must not hold control characters, as it is a name");
    else
        return true;
    return false;
}

/* The features read so far, found by name. */
struct feature_list {
    struct feature_value *items;
    int count, room;
    uint16_t slots[FEATURE_SLOT_COUNT]; /* index + 1; 0: free */
};

static bool feature_is_new(struct feature_list *list, struct text name)
{
    size_t slot = text_quick_hash(name) & (FEATURE_SLOT_COUNT - 1);

    while (list->slots[slot]) {
        if (text_equal(list->items[list->slots[slot] - 1].name, name))
            return false;
        slot = (slot + 1) & (FEATURE_SLOT_COUNT - 1);
    }
    list->slots[slot] = (uint16_t)(list->count + 1);
    return true;
}

static bool features_grow(struct feature_list *list, struct input *input)
{
    int room = list->room ? 2 * list->room : FEATURE_ROOM_FIRST;
    struct feature_value *items;

    if (list->count < list->room)
        return true;
    items = arena_array(input->arena, struct feature_value, (size_t)room);
    if (!items)
        return json_refuse(&input->scan, STATUS_EXHAUSTED, ARENA_EXHAUSTED);
    if (list->count > 0)
        memcpy(items, list->items, (size_t)list->count * sizeof *items);
    list->items = items;
    list->room = room;
    return true;
}

static void feature_read(struct input *input, struct text name,
                         struct feature_value *feature)
{
    struct json_scan *scan = &input->scan;
    bool is_true = false;

    switch (json_peek(scan)) {
    case JSON_KIND_NUMBER:
        feature->kind = FEATURE_SENT_NUMBER;
        json_double(scan, &feature->number);
        break;
    case JSON_KIND_STRING:
        feature->kind = FEATURE_SENT_STRING;
        input_text(input, name, 0, CASE_TEXT_BYTES_MAX, false, &feature->string);
        break;
    case JSON_KIND_BOOL:
        feature->kind = FEATURE_SENT_BOOL;
        if (json_bool(scan, &is_true))
            feature->number = is_true;
        break;
    case JSON_KIND_NULL:
        feature->kind = FEATURE_SENT_NULL;
        json_take_null(scan);
        break;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
    case JSON_KIND_NONE:
        json_skip(scan);
        input_refuse(input, name, "wrong_type", "must be a number, string, bool or null");
        break;
    }
}

static void feature_member(struct input *input, struct feature_list *list,
                           struct text name)
{
    struct feature_value *feature;

    if (list->count == CASE_FEATURE_COUNT_MAX) {
        json_skip(&input->scan);
        input_refuse(input, name, "too_many", "is over the %d features a case may have",
                     CASE_FEATURE_COUNT_MAX);
        return;
    }
    if (!name_accept(input, name)) {
        json_skip(&input->scan);
        return;
    }
    if (!features_grow(list, input) || !input_keep_key(input, &name))
        return;
    if (!feature_is_new(list, name)) {
        json_skip(&input->scan);
        input_refuse(input, name, "duplicate_field", "is given twice");
        return;
    }
    feature = &list->items[list->count++];
    feature->name = name;
    feature_read(input, name, feature);
}

static void features_read(struct input *input, struct refund_case *asked)
{
    struct feature_list list = {0};
    struct json_level level;
    struct text name;

    input->parent = "/features";
    json_enter_object(&input->scan, &level);
    while (json_member(&input->scan, &level, &name))
        feature_member(input, &list, name);
    input->parent = "";
    asked->features = list.items;
    asked->feature_count = list.count;
}

/* Whether an earlier member of the object that starts at json has this name too. */
static bool metadata_repeats(struct input *input, struct text json, struct text name,
                             int earlier_count)
{
    struct json_scan scan;
    struct json_level level;
    struct text key;

    json_scan_init(&scan, json.at, json.bytes, CASE_DEPTH_MAX, NULL);
    json_enter_object(&scan, &level);
    for (int i = 0; i < earlier_count && json_member(&scan, &level, &key); i++) {
        if (text_equal(key, name)) {
            input_refuse(input, name, "duplicate_field", "is given twice");
            return true;
        }
        json_skip(&scan);
    }
    return false;
}

static void metadata_read(struct input *input, struct refund_case *asked)
{
    struct json_scan *scan = &input->scan;
    struct json_level level;
    struct text name, value;
    const char *start;
    int count = 0;

    input->parent = "/metadata";
    json_enter_object(scan, &level);
    start = scan->at - 1;
    while (json_member(scan, &level, &name)) {
        struct text before = {start, (size_t)(scan->at - start)};

        if (count == CASE_METADATA_COUNT_MAX) {
            input_refuse(input, name, "too_many", "is over the %d members it may have",
                         CASE_METADATA_COUNT_MAX);
            json_skip(scan);
            continue;
        }
        if (!name_accept(input, name) || metadata_repeats(input, before, name, count))
            json_skip(scan);
        else
            input_text(input, name, 0, CASE_METADATA_BYTES_MAX, true, &value);
        count++;
    }
    asked->metadata = (struct text){start, (size_t)(scan->at - start)};
    input->parent = "";
}

static void object_field(struct input *input, struct text key, enum field_kind kind,
                         struct refund_case *asked)
{
    if (json_peek(&input->scan) != JSON_KIND_OBJECT) {
        json_skip(&input->scan);
        input_refuse(input, key, "wrong_type", "must be an object");
    } else if (kind == FIELD_FEATURES) {
        features_read(input, asked);
    } else {
        metadata_read(input, asked);
    }
}

static void field_read(struct input *input, const struct case_field *field,
                       struct refund_case *asked)
{
    void *target = (char *)asked + field->offset;
    struct text key = field->name, code;

    switch (field->kind) {
    case FIELD_TEXT:
        input_text(input, key, 1, CASE_TEXT_BYTES_MAX, false, target);
        break;
    case FIELD_CURRENCY:
        if (input_currency(input, key, &code))
            text_copy(code, target, CURRENCY_BYTES);
        break;
    case FIELD_AMOUNT:
        input_amount(input, key, target);
        break;
    case FIELD_TIME:
        input_time(input, key, target);
        break;
    case FIELD_FEATURES:
    case FIELD_METADATA:
        object_field(input, key, field->kind, asked);
        break;
    }
}

static void case_read(struct input *input, struct refund_case *asked)
{
    struct json_level level;
    struct text key;
    uint32_t seen = 0;
    int next = 0;

    json_enter_object(&input->scan, &level);
    while (json_member(&input->scan, &level, &key)) {
        int index = field_find(key, next);

        if (index < 0) {
            json_skip(&input->scan);
            input_refuse(input, key, "unknown_field", "is not a field of a case");
        } else if (seen & 1u << index) {
            json_skip(&input->scan);
            input_refuse(input, key, "duplicate_field", "is given twice");
        } else {
            seen |= 1u << index;
            next = index + 1;
            field_read(input, &fields[index], asked);
        }
    }
    for (int i = 0; i < FIELD_COUNT; i++)
        if (fields[i].is_required && !(seen & 1u << i))
            input_refuse(input, fields[i].name, "missing_field", "is missing");
    if (asked->entitled_amount > asked->order_amount && asked->order_amount >= 0)
        input_refuse(input, text_of("entitled_amount"), "out_of_range",
                     "must not exceed 'order_amount'");
}

enum status case_decode(const char *body, size_t bytes, struct arena *arena,
                        struct refund_case *asked, struct err *err)
{
    struct input input;

    *asked = (struct refund_case){
        .order_amount = AMOUNT_ABSENT,
        .requested_amount = AMOUNT_ABSENT,
        .occurred_at_us = TIME_ABSENT,
    };
    if (bytes > CASE_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "a case may have %d bytes", CASE_BYTES_MAX);
    input_init(&input, (struct text){body, bytes}, "", CASE_DEPTH_MAX, arena, err);
    if (json_peek(&input.scan) == JSON_KIND_OBJECT) {
        case_read(&input, asked);
    } else if (json_skip(&input.scan)) {
        (void)err_fault(err, "", "wrong_type", "a case must be a JSON object");
        input.fault_count++;
    }
    return input_end(&input);
}
