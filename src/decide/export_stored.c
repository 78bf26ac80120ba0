/* export_stored.c - see export_stored.h. */
#include "decide/export_stored.h"

#include "json/scan.h"

const char *const case_fields[CASE_FIELD_COUNT] = {
    "case_id",      "customer_id",      "order_id",        "currency",
    "order_amount", "requested_amount", "entitled_amount", "issue",
    "market",       "segment",          "channel",         "occurred_at",
};

static enum status refuse(const struct decision_row *row, struct err *err)
{
    return err_code(err, STATUS_CORRUPT, "data_corrupt", "decision %s cannot be read",
                    row->id);
}

struct wanted {
    const char *key;
    struct text *value;
};

/* Members of an object by their keys, the last one's key is NULL. False when it cannot be
 * read. */
static bool read_members(struct text json, const struct wanted *wanted)
{
    struct json_scan scan;
    struct json_level level;
    struct text key, value;

    json_scan_init(&scan, json.at, json.bytes, JSON_DEPTH_MAX, NULL);
    json_enter_object(&scan, &level);
    while (json_member(&scan, &level, &key)) {
        const struct wanted *found = wanted;

        while (found->key && !text_is(key, found->key))
            found++;
        if (json_raw(&scan, &value) && found->key && !text_is(value, "null"))
            *found->value = value;
    }
    return json_scan_end(&scan) == STATUS_OK;
}

/* Effect and cost of the option that was chosen, if it was scored. */
static bool read_chosen(const struct decision_row *row, struct pieces *pieces)
{
    char amount_text[INT_TEXT_BYTES];
    struct text amount, effect, cost, option;
    struct json_scan scan;
    struct json_level level;

    if (pieces->options.bytes == 0)
        return true;
    int_format(row->amount, amount_text);
    json_scan_init(&scan, pieces->options.at, pieces->options.bytes, JSON_DEPTH_MAX,
                   NULL);
    json_enter_array(&scan, &level);
    while (json_item(&scan, &level) && json_raw(&scan, &option)) {
        amount = effect = cost = (struct text){0};
        if (!read_members(option, (const struct wanted[]){{"amount", &amount},
                                                          {"effect", &effect},
                                                          {"cost", &cost},
                                                          {0}}))
            return false;
        if (text_is(amount, amount_text)) {
            pieces->effect = effect;
            pieces->cost = cost;
        }
    }
    return json_scan_end(&scan) == STATUS_OK;
}

static bool read_case(struct pieces *pieces)
{
    struct wanted wanted[CASE_FIELD_COUNT + 2] = {{"features", &pieces->features}};

    for (int i = 0; i < CASE_FIELD_COUNT; i++)
        wanted[i + 1] = (struct wanted){case_fields[i], &pieces->fields[i]};
    return read_members(pieces->body, wanted);
}

enum status pieces_read(const struct decision_row *row, struct pieces *pieces,
                        struct err *err)
{
    *pieces = (struct pieces){0};
    if (read_members(row->body,
                     (const struct wanted[]){{"options", &pieces->options},
                                             {"budgets", &pieces->budgets},
                                             {"versions", &pieces->versions},
                                             {"propensity", &pieces->propensity},
                                             {"explored", &pieces->explored},
                                             {0}}) &&
        read_members(pieces->versions,
                     (const struct wanted[]){{"policy", &pieces->policy},
                                             {"model", &pieces->model},
                                             {"prices", &pieces->prices},
                                             {0}}) &&
        read_members(row->context,
                     (const struct wanted[]){{"case", &pieces->body}, {0}}) &&
        read_case(pieces) && read_chosen(row, pieces))
        return STATUS_OK;
    return refuse(row, err);
}
