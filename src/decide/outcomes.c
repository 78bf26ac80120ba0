/* outcomes.c - outcomes as they come in: read in one strict pass, compared with one
 * another and with what is stored, written all together. */
#include "decide/outcomes.h"

#include "base/clock.h"
#include "base/pointer.h"
#include "decide/perform.h"
#include "json/scan.h"
#include "policy/input.h"
#include "store/outcomes.h"

#include <stdlib.h>
#include <string.h>

enum {
    OUTCOME_DEPTH_MAX = 2,
    ANSWER_BYTES = 1024,
    FIELD_COUNT = 4,
};

/* Clocks differ, days end at different hours; what is further ahead could not be
 * corrected, since a correction has a later moment. */
#define AHEAD_US_MAX (INT64_C(86400) * SECOND_US)

struct reported {
    char decision_id[ID_BYTES];
    struct outcome_row row;
};

struct outcome_request {
    struct reported *items;
    int count, line_count; /* what a body says twice counts once */
    bool is_bulk;          /* faults then name the place of the line */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* A letter, then letters, digits, '_', '-' and '.': it becomes the name of a column. */
static bool is_metric(struct text name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.at[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter &&
            (i == 0 || !((c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.')))
            return false;
    }
    return true;
}

static void read_metric(struct input *input, struct text name, struct reported *reported)
{
    struct text metric;

    if (!input_text(input, name, 1, METRIC_BYTES - 1, false, &metric))
        return;
    if (!is_metric(metric))
        input_refuse(input, name, "invalid_text",
                     "must begin with a letter and go on with letters, digits, '_', '-' "
                     "and '.'");
    text_copy(metric, reported->row.metric, sizeof reported->row.metric);
}

static void read_value(struct input *input, struct text name, struct reported *reported)
{
    double value;

    if (json_peek(&input->scan) != JSON_KIND_NUMBER) {
        json_skip(&input->scan);
        input_refuse(input, name, "wrong_type", "must be a number");
    } else if (json_double(&input->scan, &value)) {
        reported->row.value = value == 0 ? 0 : value; /* the store knows one zero */
    }
}

static void read_field(struct input *input, int field, struct text name,
                       struct reported *reported)
{
    struct text id;

    switch (field) {
    case 0:
        if (input_text(input, name, 1, ID_BYTES - 1, false, &id))
            text_copy(id, reported->decision_id, sizeof reported->decision_id);
        break;
    case 1:
        read_metric(input, name, reported);
        break;
    case 2:
        read_value(input, name, reported);
        break;
    default:
        input_time(input, name, &reported->row.occurred_at_us);
    }
}

static const char *const fields[FIELD_COUNT] = {"decision_id", "metric", "value",
                                                "occurred_at"};

static void read_members(struct input *input, struct reported *reported)
{
    struct json_level level;
    struct text key;
    bool is_seen[FIELD_COUNT] = {false};

    json_enter_object(&input->scan, &level);
    while (json_member(&input->scan, &level, &key)) {
        int field = 0;

        while (field < FIELD_COUNT && !text_is(key, fields[field]))
            field++;
        if (field == FIELD_COUNT) {
            input_keep_key(input, &key);
            json_skip(&input->scan);
            input_refuse(input, key, "unknown_field", "is not a field of an outcome");
        } else if (is_seen[field]) {
            json_skip(&input->scan);
            input_refuse(input, text_of(fields[field]), "duplicate_field",
                         "is given twice");
        } else {
            is_seen[field] = true;
            read_field(input, field, text_of(fields[field]), reported);
        }
    }
    for (int i = 0; i < FIELD_COUNT; i++)
        if (!is_seen[i])
            input_refuse(input, text_of(fields[i]), "missing_field", "is missing");
}

/* One outcome; its faults stand at parent. */
static enum status read_outcome(struct text json, const char *parent, struct arena *arena,
                                struct reported *reported, struct err *err)
{
    struct input input;

    input_init(&input, json, parent, OUTCOME_DEPTH_MAX, arena, err);
    if (json_peek(&input.scan) == JSON_KIND_OBJECT) {
        read_members(&input, reported);
    } else if (json_skip(&input.scan)) {
        (void)err_fault(err, parent, "wrong_type", "an outcome must be a JSON object");
        input.fault_count++;
    }
    return input_end(&input);
}

/* The next line with something on it. A single outcome may stand on several lines: the
 * text is one JSON value then. */
static bool next_line(struct text *rest, struct text *line)
{
    while (rest->bytes > 0) {
        const char *end = memchr(rest->at, '\n', rest->bytes);
        size_t bytes = end ? (size_t)(end - rest->at) : rest->bytes;

        *line = (struct text){rest->at, bytes};
        bytes += end != NULL;
        *rest = (struct text){rest->at + bytes, rest->bytes - bytes};
        for (size_t i = 0; i < line->bytes; i++)
            if (line->at[i] != ' ' && line->at[i] != '\t' && line->at[i] != '\r')
                return true;
    }
    return false;
}

static int count_lines(struct text body)
{
    struct text line;
    int count = 0;

    while (count <= OUTCOME_COUNT_MAX && next_line(&body, &line))
        count++;
    return count;
}

/* Whether the body is one object on one or more lines: its first line is no object by
 * itself. */
static bool is_one(struct text body)
{
    struct json_scan scan;
    struct text line = {0};

    if (!next_line(&body, &line))
        return true;
    json_scan_init(&scan, line.at, line.bytes, OUTCOME_DEPTH_MAX, NULL);
    json_skip(&scan);
    return json_scan_end(&scan) != STATUS_OK || count_lines(body) == 0;
}

static enum status read_line(struct action *action, struct outcome_request *request,
                             struct text line, struct err *err)
{
    char pointer[POINTER_BYTES];
    enum status rc;

    pointer_index(pointer, "", request->count);
    rc = read_outcome(line, pointer, action->arena, &request->items[request->count], err);
    if (rc && rc != STATUS_INVALID)
        return err_wrap(err, "line %d", request->count + 1);
    request->count++;
    return rc;
}

/* Every line is read, so that all faults are told. */
static enum status read_lines(struct action *action, struct outcome_request *request,
                              struct err *err)
{
    struct text rest = action->body, line;
    enum status rc = STATUS_OK;

    while (next_line(&rest, &line)) {
        enum status of_line = read_line(action, request, line, err);

        if (of_line && of_line != STATUS_INVALID)
            return of_line;
        rc = of_line ? of_line : rc;
    }
    return rc;
}

static enum status read_body(struct action *action, struct outcome_request *request,
                             struct err *err)
{
    int count = 1;

    request->is_bulk = !is_one(action->body);
    if (request->is_bulk)
        count = count_lines(action->body);
    if (count > OUTCOME_COUNT_MAX)
        return err_fault(err, "", "too_many",
                         "a body has at most %d outcomes, a line each",
                         OUTCOME_COUNT_MAX);
    request->items = arena_array(action->arena, struct reported, (size_t)count);
    if (!request->items)
        return arena_exhausted(err);
    if (request->is_bulk)
        return read_lines(action, request, err);
    request->count = 1;
    return read_outcome(action->body, "", action->arena, &request->items[0], err);
}

/* --- comparing -------------------------------------------------------------------------------- */

static void place_of(const struct outcome_request *request, int index, const char *member,
                     char pointer[static POINTER_BYTES])
{
    char parent[POINTER_BYTES] = "";

    if (request->is_bulk)
        pointer_index(parent, "", index);
    pointer_member(pointer, parent, text_of(member));
}

/* The other end of the range is that of every time. */
static enum status check_moments(struct action *action,
                                 const struct outcome_request *request, struct err *err)
{
    int64_t last_us = clock_wall_us(service_clock(action->service)) + AHEAD_US_MAX;
    char pointer[POINTER_BYTES], last[TIME_TEXT_BYTES];
    enum status rc = STATUS_OK;

    time_format(last_us, last);
    for (int i = 0; i < request->count; i++) {
        if (request->items[i].row.occurred_at_us <= last_us)
            continue;
        place_of(request, i, "occurred_at", pointer);
        rc = err_fault(err, pointer, "out_of_range",
                       "must be from 1970-01-01T00:00:00Z to a day from now, %s", last);
    }
    return rc;
}

/* Nobody deletes decisions, so that this need not wait for the commit thread. */
static enum status find_decisions(struct action *action, struct outcome_request *request,
                                  struct err *err)
{
    struct store *reader = service_reader_take(action->service);
    enum status rc = STATUS_OK, found = STATUS_OK;

    for (int i = 0; i < request->count && !found; i++) {
        struct reported *reported = &request->items[i];
        char pointer[POINTER_BYTES];

        found = decision_number_find(reader, reported->decision_id,
                                     &reported->row.decision_number, err);
        if (found || reported->row.decision_number > 0)
            continue;
        place_of(request, i, "decision_id", pointer);
        rc = err_fault(err, pointer, "decision_not_found", "there is no decision '%s'",
                       reported->decision_id);
    }
    service_reader_give(action->service, reader);
    return found ? found : rc;
}

static int compare(const void *a, const void *b)
{
    const struct reported *x = a, *y = b;

    if (x->row.decision_number != y->row.decision_number)
        return x->row.decision_number < y->row.decision_number ? -1 : 1;
    if (x->row.occurred_at_us != y->row.occurred_at_us)
        return x->row.occurred_at_us < y->row.occurred_at_us ? -1 : 1;
    return strcmp(x->row.metric, y->row.metric);
}

static enum status refuse_other_value(const struct reported *reported, double recorded,
                                      struct err *err)
{
    return err_code(err, STATUS_CONFLICT, "outcome_conflict",
                    "'%s' of decision %s at that moment is %.17g already, not %.17g: "
                    "report what it is now with a later occurred_at",
                    reported->row.metric, reported->decision_id, recorded,
                    reported->row.value);
}

/* In the order of the log; what a body says twice stands there once. */
static enum status sort(struct outcome_request *request, struct err *err)
{
    int kept = 0;

    request->line_count = request->count;
    qsort(request->items, (size_t)request->count, sizeof *request->items, compare);
    for (int i = 0; i < request->count; i++) {
        const struct reported *before = kept > 0 ? &request->items[kept - 1] : NULL;

        if (!before || compare(before, &request->items[i]) != 0)
            request->items[kept++] = request->items[i];
        else if (before->row.value != request->items[i].row.value)
            return refuse_other_value(&request->items[i], before->row.value, err);
    }
    request->count = kept;
    return STATUS_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum status answer_one(struct action *action, struct commit *commit,
                              const struct reported *reported, bool is_new,
                              struct err *err)
{
    struct json_writer writer;
    enum status rc = action_writer(action, ANSWER_BYTES, &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "outcome");
    json_member_string(&writer, "decision_id", reported->decision_id);
    json_member_string(&writer, "metric", reported->row.metric);
    json_put_key(&writer, "value");
    json_put_double(&writer, reported->row.value);
    json_member_time(&writer, "occurred_at", reported->row.occurred_at_us);
    json_member_time(&writer, "created_at", reported->row.created_at_us);
    json_put_object_end(&writer);
    return action_answer(action, commit, is_new ? 201 : 200, &writer, false, err);
}

static enum status answer_bulk(struct action *action, struct commit *commit,
                               int line_count, int new_count, struct err *err)
{
    struct json_writer writer;
    enum status rc = action_writer(action, ANSWER_BYTES, &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "outcome_batch");
    json_member_int(&writer, "recorded", new_count);
    json_member_int(&writer, "duplicates", line_count - new_count);
    json_put_object_end(&writer);
    return action_answer(action, commit, new_count > 0 ? 201 : 200, &writer, false, err);
}

/* What is stored of the same decision, metric and moment. */
static enum status compare_one(struct commit *commit, struct reported *reported,
                               struct err *err)
{
    double value = reported->row.value, recorded;
    enum status rc = outcome_row_find(commit->store, &reported->row, err);

    recorded = reported->row.value;
    if (rc || recorded == value)
        return rc;
    reported->row.value = value; /* it may be compared once more */
    return refuse_other_value(reported, recorded, err);
}

/* The new ones of one decision, of which items are the first count. */
static enum status check_count(struct commit *commit, const struct reported *items,
                               int count, struct err *err)
{
    int64_t stored;
    int new_count = 0;
    enum status rc;

    for (int i = 0; i < count; i++)
        new_count += items[i].row.number == 0;
    rc = outcome_row_count(commit->store, items->row.decision_number, &stored, err);
    if (rc || new_count == 0 || stored + new_count <= OUTCOMES_OF_DECISION_MAX)
        return rc;
    return err_code(err, STATUS_INVALID, "too_many_outcomes",
                    "decision %s has %lld outcomes, and may have %d", items->decision_id,
                    (long long)stored, OUTCOMES_OF_DECISION_MAX);
}

/* Nothing is written before all was compared: a refusal leaves no trace. */
static enum status compare_stored(struct commit *commit, struct outcome_request *request,
                                  int *new_count, struct err *err)
{
    enum status rc = STATUS_OK;

    *new_count = 0;
    for (int i = 0, first = 0; i < request->count && !rc; i++) {
        const struct reported *items = request->items;

        rc = compare_one(commit, &request->items[i], err);
        *new_count += items[i].row.number == 0;
        if (!rc && (i + 1 == request->count ||
                    items[i + 1].row.decision_number != items[i].row.decision_number)) {
            rc = check_count(commit, items + first, i + 1 - first, err);
            first = i + 1;
        }
    }
    return rc;
}

static enum status outcome_perform(struct action *action, struct commit *commit,
                                   struct err *err)
{
    struct outcome_request *request = action->request;
    int new_count;
    enum status rc = compare_stored(commit, request, &new_count, err);

    for (int i = 0; i < request->count && !rc; i++) {
        struct outcome_row *row = &request->items[i].row;

        if (row->number > 0)
            continue;
        row->created_at_us = commit->now_us;
        rc = outcome_row_insert(commit->store, row, err);
    }
    if (rc)
        return rc;
    return request->is_bulk
               ? answer_bulk(action, commit, request->line_count, new_count, err)
               : answer_one(action, commit, &request->items[0], new_count > 0, err);
}

enum status outcome_prepare(struct action *action, struct err *err)
{
    struct outcome_request *request = arena_new(action->arena, struct outcome_request);
    enum status rc;

    if (!request)
        return arena_exhausted(err);
    rc = read_body(action, request, err);
    if (!rc)
        rc = check_moments(action, request, err);
    if (!rc)
        rc = find_decisions(action, request, err);
    if (!rc)
        rc = sort(request, err);
    action->request = request;
    action->perform = outcome_perform;
    return rc;
}
