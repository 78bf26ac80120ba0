/* export_log.c - a decision of the log as a line of JSON. */
#include "decide/export_log.h"

#include "decide/decision.h"
#include "decide/export_stored.h"
#include "json/scan.h"

enum { FRAME_BYTES = 2048, OUTCOME_BYTES = 512 };

int64_t logged_cost(const struct decision_row *row)
{
    if (row->status == DECISION_HELD)
        return AMOUNT_ABSENT;
    return row->status == DECISION_SETTLED ? row->settled_amount : 0;
}

/* Whether a later outcome of the same metric stands behind this one: it counts in its
 * place. */
static bool is_superseded(const struct logged *logged, int index)
{
    for (int i = index + 1; i < logged->outcome_count; i++)
        if (strcmp(logged->outcomes[i].metric, logged->outcomes[index].metric) == 0)
            return true;
    return false;
}

/* JSON without white space between its tokens: a case may have come on several lines. */
static bool put_compact(struct json_writer *writer, struct text json, struct arena *arena)
{
    char *copy = arena_room(arena, json.bytes + 1);
    size_t bytes = 0;
    bool is_in_string = false;

    if (!copy)
        return false;
    for (size_t i = 0; i < json.bytes; i++) {
        char c = json.at[i];

        if (!is_in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            continue;
        copy[bytes++] = c;
        if (is_in_string && c == '\\')
            copy[bytes++] = json.at[++i];
        else if (c == '"')
            is_in_string = !is_in_string;
    }
    json_put_raw(writer, (struct text){copy, bytes});
    return true;
}

static void put_raw_or_null(struct json_writer *writer, const char *key, struct text raw)
{
    json_put_key_text(writer, text_of(key));
    if (raw.bytes > 0)
        json_put_raw(writer, raw);
    else
        json_put_null(writer);
}

/* Its members as they came. */
static bool put_case(struct json_writer *writer, struct text body, struct arena *arena)
{
    struct json_scan scan;
    struct json_level level;
    struct text key, value;
    bool is_put = true;

    json_scan_init(&scan, body.at, body.bytes, JSON_DEPTH_MAX, NULL);
    json_enter_object(&scan, &level);
    while (is_put && json_member(&scan, &level, &key)) {
        json_put_key_text(writer, key);
        is_put = json_raw(&scan, &value) && put_compact(writer, value, arena);
    }
    return is_put;
}

static void put_outcomes(struct json_writer *writer, const struct logged *logged)
{
    json_put_key(writer, "outcomes");
    json_put_object(writer);
    for (int i = 0; i < logged->outcome_count; i++)
        if (!is_superseded(logged, i)) {
            json_put_key_text(writer, text_of(logged->outcomes[i].metric));
            json_put_double(writer, logged->outcomes[i].value);
        }
    json_put_object_end(writer);
    json_put_key(writer, "outcome_events");
    json_put_array(writer);
    for (int i = 0; i < logged->outcome_count; i++) {
        json_put_object(writer);
        json_member_string(writer, "metric", logged->outcomes[i].metric);
        json_put_key(writer, "value");
        json_put_double(writer, logged->outcomes[i].value);
        json_member_time(writer, "occurred_at", logged->outcomes[i].occurred_at_us);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

static void put_decision(struct json_writer *writer, const struct logged *logged,
                         const struct pieces *pieces)
{
    const struct decision_row *row = logged->row;
    int64_t cost = logged_cost(row);

    json_member_string(writer, "object", "logged_decision");
    json_member_string(writer, "decision_id", row->id);
    json_member_string(writer, "parent_id", row->parent_id[0] ? row->parent_id : NULL);
    json_member_bool(writer, "overridden", logged->is_overridden);
    json_member_time(writer, "created_at", row->created_at_us);
    json_member_string(writer, "mode", decision_mode_name(row->mode));
    json_member_string(writer, "outcome", outcome_name(row->outcome));
    json_member_string(writer, "status", decision_status_name(row->status));
    json_member_int(writer, "action", row->amount);
    put_raw_or_null(writer, "propensity", pieces->propensity);
    put_raw_or_null(writer, "explored", pieces->explored);
    json_put_key(writer, "cost");
    if (cost == AMOUNT_ABSENT)
        json_put_null(writer);
    else
        json_put_int(writer, cost);
    put_raw_or_null(writer, "expected_effect", pieces->effect);
    put_raw_or_null(writer, "expected_cost", pieces->cost);
    put_raw_or_null(writer, "options", pieces->options);
    put_raw_or_null(writer, "budgets", pieces->budgets);
    put_raw_or_null(writer, "versions", pieces->versions);
}

size_t log_json_room(const struct logged *logged)
{
    return FRAME_BYTES + logged->row->body.bytes + logged->row->context.bytes +
           (size_t)logged->outcome_count * OUTCOME_BYTES;
}

enum status log_json_put(struct json_writer *writer, const struct logged *logged,
                         struct arena *arena, struct err *err)
{
    struct pieces pieces;
    enum status rc = pieces_read(logged->row, &pieces, err);

    if (rc)
        return rc;
    json_put_object(writer);
    put_decision(writer, logged, &pieces);
    put_outcomes(writer, logged);
    if (!put_case(writer, pieces.body, arena))
        return arena_exhausted(err);
    json_put_object_end(writer);
    return STATUS_OK;
}
