/* reward_case.c - see reward_case.h. */
#include "app/reward_case.h"

#include "json/scan.h"

#include <math.h>
#include <string.h>

struct reading {
    struct json_scan scan;
    struct reward_table *table;
    struct arena *arena;
    enum status rc; /* of the table */
    struct err *err;
};

static bool is_one_of(struct text key, const char *const *names)
{
    while (*names && !text_is(key, *names))
        names++;
    return *names != NULL;
}

/* Numbers, truth values and texts; what else there is says nothing. */
static void read_value(struct reading *reading, struct text name)
{
    struct json_scan *scan = &reading->scan;
    struct text text;
    double number;
    bool flag;

    switch (json_peek(scan)) {
    case JSON_KIND_NUMBER:
        if (json_double(scan, &number))
            reading->rc = reward_table_number(reading->table, name, number, reading->err);
        break;
    case JSON_KIND_BOOL:
        if (json_bool(scan, &flag))
            reading->rc = reward_table_number(reading->table, name, flag, reading->err);
        break;
    case JSON_KIND_STRING:
        if (json_text(scan, reading->arena, &text))
            reading->rc = reward_table_text(reading->table, name, text, reading->err);
        break;
    case JSON_KIND_NULL:
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
    case JSON_KIND_NONE:
        json_skip(scan);
        break;
    }
}

/* A feature may have the name of a field. */
static void read_features(struct reading *reading)
{
    static const char front[] = "features.";
    char name[sizeof front + JSON_KEY_BYTES_MAX];
    struct json_level level;
    struct text key;

    memcpy(name, front, sizeof front);
    json_enter_object(&reading->scan, &level);
    while (!reading->rc && json_member(&reading->scan, &level, &key)) {
        size_t bytes = key.bytes < JSON_KEY_BYTES_MAX ? key.bytes : JSON_KEY_BYTES_MAX;

        memcpy(name + sizeof front - 1, key.at, bytes);
        read_value(reading, (struct text){name, sizeof front - 1 + bytes});
    }
}

static enum status read_case(struct reading *reading, struct text body)
{
    static const char *const fields[] = {
        "order_amount", "requested_amount", "entitled_amount", "currency", "issue",
        "market",       "segment",          "channel",         NULL,
    };
    struct json_level level;
    struct err why = {0};
    struct text key;

    json_scan_init(&reading->scan, body.at, body.bytes, JSON_DEPTH_MAX, &why);
    json_enter_object(&reading->scan, &level);
    while (!reading->rc && json_member(&reading->scan, &level, &key))
        if (is_one_of(key, fields))
            read_value(reading, key);
        else if (text_is(key, "features") &&
                 json_peek(&reading->scan) == JSON_KIND_OBJECT)
            read_features(reading);
        else
            json_skip(&reading->scan);
    if (reading->rc)
        return reading->rc;
    if (json_scan_end(&reading->scan))
        return err_set(reading->err, STATUS_INVALID, "%s", why.text);
    return STATUS_OK;
}

struct reward_option reward_case_option(const struct logged_row *row, int64_t amount)
{
    for (int i = 0; i < row->option_count; i++)
        if (row->options[i].amount == amount)
            return (struct reward_option){.amount = (double)amount,
                                          .effect = row->options[i].effect,
                                          .cost = row->options[i].cost};
    return (struct reward_option){.amount = (double)amount, .effect = NAN, .cost = NAN};
}

enum status reward_case_begin(struct reward_table *table, const struct logged_row *row,
                              struct arena *arena, struct err *err)
{
    struct reading reading = {.table = table, .arena = arena, .err = err};
    struct reward_option taken = reward_case_option(row, row->action);
    enum status rc = reward_table_begin(
        table, row->customer_id.bytes ? row->customer_id : row->decision_id, err);

    if (!rc)
        rc = read_case(&reading, row->body);
    return rc ? rc : reward_table_take(table, &taken, err);
}
