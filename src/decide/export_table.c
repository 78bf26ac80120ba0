/* export_table.c - a decision of the log as a line of a table. */
#include "decide/export_log.h"

#include "decide/decision.h"
#include "decide/export.h"
#include "decide/export_stored.h"
#include "json/scan.h"

#include <stdio.h>

enum { FRAME_BYTES = 2048, OUTCOME_BYTES = 64 };

/* --- columns ---------------------------------------------------------------------------------- */

/* Columns of every table; those of the case come after them, then features, then
 * metrics. */
static const char *const own_columns[] = {
    "decision_id",   "parent_id", "overridden", "created_at", "mode", "outcome",
    "status",        "action",    "propensity", "explored",   "cost", "expected_effect",
    "expected_cost", "policy",    "model",      "prices",
};

enum { OWN_COLUMN_COUNT = sizeof own_columns / sizeof *own_columns };

static bool is_own(struct text name)
{
    for (int i = 0; i < OWN_COLUMN_COUNT; i++)
        if (text_is(name, own_columns[i]))
            return true;
    return false;
}

static bool is_case_field(struct text name)
{
    for (int i = 0; i < CASE_FIELD_COUNT; i++)
        if (text_is(name, case_fields[i]))
            return true;
    return false;
}

enum status log_columns_open(struct log_columns *columns, struct err *err)
{
    enum status rc = text_set_open(EXPORT_FEATURE_COUNT_MAX,
                                   EXPORT_FEATURE_COUNT_MAX * JSON_KEY_BYTES_MAX,
                                   &columns->features, err);

    if (!rc)
        rc =
            text_set_open(EXPORT_METRIC_COUNT_MAX, EXPORT_METRIC_COUNT_MAX * METRIC_BYTES,
                          &columns->metrics, err);
    return rc;
}

void log_columns_close(struct log_columns *columns)
{
    text_set_close(columns->features);
    text_set_close(columns->metrics);
}

static enum status add_name(struct text_set *set, struct text name, struct err *err)
{
    int32_t index;
    bool is_new;
    enum status rc = text_set_add(set, name, &index, &is_new, err);

    return rc == STATUS_TOO_LARGE
               ? err_code(err, STATUS_INVALID, "too_many_columns",
                          "a table has room for %d features and %d metrics: ask for "
                          "format=ndjson",
                          EXPORT_FEATURE_COUNT_MAX, EXPORT_METRIC_COUNT_MAX)
               : rc;
}

/* Features one after the other; the value of a text is unescaped into the arena. */
struct feature_walk {
    struct json_scan scan;
    struct json_level level;
    struct arena *arena;
};

static void features_start(struct feature_walk *walk, const struct pieces *pieces,
                           struct arena *arena)
{
    struct text json = pieces->features;

    walk->arena = arena;
    json_scan_init(&walk->scan, json.bytes ? json.at : "{}", json.bytes ? json.bytes : 2,
                   JSON_DEPTH_MAX, NULL);
    json_enter_object(&walk->scan, &walk->level);
}

static bool feature_next(struct feature_walk *walk, struct text *name, struct text *value)
{
    bool is_true;

    if (!json_member(&walk->scan, &walk->level, name))
        return false;
    switch (json_peek(&walk->scan)) {
    case JSON_KIND_STRING:
        return json_text(&walk->scan, walk->arena, value);
    case JSON_KIND_BOOL:
        if (!json_bool(&walk->scan, &is_true))
            return false;
        *value = text_of(is_true ? "true" : "false");
        return true;
    case JSON_KIND_NUMBER:
        return json_number(&walk->scan, value);
    default:
        *value = (struct text){0};
        return json_skip(&walk->scan);
    }
}

enum status log_columns_add(struct log_columns *columns, const struct logged *logged,
                            struct arena *arena, struct err *err)
{
    struct feature_walk walk;
    struct pieces pieces;
    struct text name, value;
    enum status rc = pieces_read(logged->row, &pieces, err);

    if (rc)
        return rc;
    features_start(&walk, &pieces, arena);
    while (!rc && feature_next(&walk, &name, &value))
        rc = add_name(columns->features, name, err);
    for (int i = 0; i < logged->outcome_count && !rc; i++)
        rc = add_name(columns->metrics, text_of(logged->outcomes[i].metric), err);
    return rc;
}

/* --- a line of a table ------------------------------------------------------------------------ */

/* A name that stands for something else already gets this one before it. */
static void put_name(struct csv_writer *writer, bool is_taken, const char *prefix,
                     struct text name)
{
    char longer[JSON_KEY_BYTES_MAX + 16];
    int bytes = snprintf(longer, sizeof longer, "%s.%.*s", prefix, TEXT_ARG(name));

    csv_put_text(writer, is_taken ? (struct text){longer, (size_t)bytes} : name);
}

size_t log_csv_header_room(const struct log_columns *columns)
{
    size_t count = (size_t)text_set_count(columns->features) +
                   (size_t)text_set_count(columns->metrics);

    return FRAME_BYTES + count * csv_room(JSON_KEY_BYTES_MAX + 16);
}

void log_csv_header_put(struct csv_writer *writer, const struct log_columns *columns)
{
    for (int i = 0; i < OWN_COLUMN_COUNT; i++)
        csv_put_text(writer, text_of(own_columns[i]));
    for (int i = 0; i < CASE_FIELD_COUNT; i++) {
        struct text name = text_of(case_fields[i]);

        put_name(writer, text_set_find(columns->features, name) >= 0, "case", name);
    }
    for (int i = 0; i < text_set_count(columns->features); i++) {
        struct text name = text_set_text(columns->features, i);

        put_name(writer, is_own(name), "feature", name);
    }
    for (int i = 0; i < text_set_count(columns->metrics); i++) {
        struct text name = text_set_text(columns->metrics, i);

        put_name(writer,
                 is_own(name) || is_case_field(name) ||
                     text_set_find(columns->features, name) >= 0,
                 "outcome", name);
    }
    csv_put_end(writer);
}

size_t log_csv_room(const struct logged *logged, const struct log_columns *columns)
{
    size_t count = (size_t)text_set_count(columns->features) +
                   (size_t)text_set_count(columns->metrics);

    return FRAME_BYTES + count + csv_room(logged->row->context.bytes) +
           (size_t)logged->outcome_count * OUTCOME_BYTES;
}

/* A value of JSON as a field: texts without their quotes. */
static void put_value(struct csv_writer *writer, struct text json, struct arena *arena)
{
    struct json_scan scan;
    struct text value = json;

    if (json.bytes > 0 && json.at[0] == '"') {
        json_scan_init(&scan, json.at, json.bytes, 1, NULL);
        if (!json_text(&scan, arena, &value))
            value = (struct text){0};
    }
    csv_put_text(writer, value);
}

/* In the order of own_columns. */
static void put_own(struct csv_writer *writer, const struct logged *logged,
                    const struct pieces *pieces, struct arena *arena)
{
    const struct decision_row *row = logged->row;
    int64_t cost = logged_cost(row);

    csv_put_text(writer, text_of(row->id));
    csv_put_text(writer, text_of(row->parent_id));
    csv_put_int(writer, logged->is_overridden);
    csv_put_time(writer, row->created_at_us);
    csv_put_text(writer, text_of(decision_mode_name(row->mode)));
    csv_put_text(writer, text_of(outcome_name(row->outcome)));
    csv_put_text(writer, text_of(decision_status_name(row->status)));
    csv_put_int(writer, row->amount);
    put_value(writer, pieces->propensity, arena);
    csv_put_int(writer, text_is(pieces->explored, "true"));
    if (cost == AMOUNT_ABSENT)
        csv_put_text(writer, (struct text){0});
    else
        csv_put_int(writer, cost);
    put_value(writer, pieces->effect, arena);
    put_value(writer, pieces->cost, arena);
    put_value(writer, pieces->policy, arena);
    put_value(writer, pieces->model, arena);
    put_value(writer, pieces->prices, arena);
}

static enum status put_features(struct csv_writer *writer, const struct pieces *pieces,
                                const struct log_columns *columns, struct arena *arena,
                                struct err *err)
{
    int count = text_set_count(columns->features);
    struct text *values = arena_array(arena, struct text, (size_t)count + 1);
    struct feature_walk walk;
    struct text name, value;

    if (!values)
        return arena_exhausted(err);
    features_start(&walk, pieces, arena);
    while (feature_next(&walk, &name, &value)) {
        int32_t index = text_set_find(columns->features, name);

        if (index >= 0)
            values[index] = value;
    }
    for (int i = 0; i < count; i++)
        csv_put_text(writer, values[i]);
    return STATUS_OK;
}

static void put_metrics(struct csv_writer *writer, const struct logged *logged,
                        const struct log_columns *columns)
{
    for (int k = 0; k < text_set_count(columns->metrics); k++) {
        struct text metric = text_set_text(columns->metrics, k), field = {0};
        struct json_writer number;
        char text[40];

        for (int i = 0; i < logged->outcome_count; i++)
            if (text_is(metric, logged->outcomes[i].metric)) {
                json_writer_init(&number, text, sizeof text);
                json_put_double(&number, logged->outcomes[i].value);
                field = (struct text){text, number.bytes};
            }
        csv_put_text(writer, field);
    }
}

enum status log_csv_put(struct csv_writer *writer, const struct logged *logged,
                        const struct log_columns *columns, struct arena *arena,
                        struct err *err)
{
    struct pieces pieces;
    enum status rc = pieces_read(logged->row, &pieces, err);

    if (rc)
        return rc;
    put_own(writer, logged, &pieces, arena);
    for (int i = 0; i < CASE_FIELD_COUNT; i++)
        put_value(writer, pieces.fields[i], arena);
    rc = put_features(writer, &pieces, columns, arena, err);
    put_metrics(writer, logged, columns);
    csv_put_end(writer);
    return rc;
}
