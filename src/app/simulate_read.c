/* simulate_read.c - streams of cases, line by line. */
#include "app/simulate.h"

#include "json/scan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_BYTES_MAX = 1 << 20,
    DEPTH_MAX = 8,
    FIELD_BYTES = 64,
};

struct reader {
    const char *path;
    FILE *file;
    char *line;
    int64_t number; /* of the line, from 1 */
    size_t bytes;
    char field[FIELD_BYTES]; /* what is being read */
    struct simulation *simulation;
    struct simulation_day *day;
    struct simulation names; /* the budgets of this file, */
    int *indices;            /* and which of the simulation's they are; -1: none */
    bool is_history;
    double at; /* of the case before */
    struct err *err;
};

static enum status refuse(struct reader *reader, const char *why)
{
    return err_set(reader->err, STATUS_INVALID, "%s", why);
}

/* --- lines -------------------------------------------------------------------------- */

/* False at the end of the file; *rc says whether that is all. */
static bool next_line(struct reader *reader, enum status *rc)
{
    int byte;

    reader->bytes = 0;
    reader->number++;
    snprintf(reader->field, sizeof reader->field, "line");
    while ((byte = getc_unlocked(reader->file)) != EOF && byte != '\n') {
        if (reader->bytes == LINE_BYTES_MAX) {
            *rc = err_set(reader->err, STATUS_TOO_LARGE, "is longer than %d bytes",
                          LINE_BYTES_MAX);
            return false;
        }
        reader->line[reader->bytes++] = (char)byte;
    }
    if (ferror(reader->file))
        *rc = err_set(reader->err, STATUS_IO, "cannot be read: %s", strerror(errno));
    return !*rc && (byte != EOF || reader->bytes > 0);
}

static bool is_blank(const struct reader *reader)
{
    for (size_t i = 0; i < reader->bytes; i++)
        if (!strchr(" \t\r", reader->line[i]))
            return false;
    return true;
}

static void scan_line(struct reader *reader, struct json_scan *scan)
{
    json_scan_init(scan, reader->line, reader->bytes, DEPTH_MAX, reader->err);
}

static void name_field(struct reader *reader, const char *format, int index)
{
    snprintf(reader->field, sizeof reader->field, format, index);
}

/* Name a member as what is being read. Refuses it when it was there before. */
static bool take_once(struct reader *reader, struct json_scan *scan, const char *format,
                      int index, bool *is_there)
{
    name_field(reader, format, index);
    if (*is_there)
        return json_refuse(scan, STATUS_INVALID, "is there twice");
    *is_there = true;
    return true;
}

/* After a member that was read well, what is wrong is wrong with the line. */
static void name_rest(struct reader *reader, const struct json_scan *scan)
{
    if (!scan->status)
        name_field(reader, "line", 0);
}

/* An amount of money, a whole number from 0 to 2^53 - 1, however it is written. */
static bool read_amount(struct json_scan *scan, int64_t *amount)
{
    double value;

    if (!json_double(scan, &value))
        return false;
    if (value < 0)
        return json_refuse(scan, STATUS_INVALID, "is negative");
    if (value > (double)SIMULATION_COST_MAX)
        return json_refuse(scan, STATUS_INVALID, "is over 2^53 - 1");
    if (value != floor(value))
        return json_refuse(scan, STATUS_INVALID, "is not a whole number of minor units");
    *amount = (int64_t)value;
    return true;
}

/* --- the first line ----------------------------------------------------------------- */

static bool read_budget(struct reader *reader, struct json_scan *scan,
                        struct arena *arena, int index)
{
    struct json_level object;
    struct text key, id = {0};
    bool has_id = false, has_limit = false;
    int64_t limit = 0;

    json_enter_object(scan, &object);
    while (json_member(scan, &object, &key)) {
        if (text_is(key, "id")) {
            if (take_once(reader, scan, "budgets/%d/id", index, &has_id))
                json_text(scan, arena, &id);
        } else if (text_is(key, "limit")) {
            if (take_once(reader, scan, "budgets/%d/limit", index, &has_limit))
                read_amount(scan, &limit);
        } else {
            json_skip(scan);
        }
    }
    if (scan->status)
        return false;
    name_field(reader, "budgets/%d", index);
    if (!has_id || !has_limit)
        return json_refuse(scan, STATUS_INVALID, "needs an id and a limit");
    name_field(reader, "budgets/%d/id", index);
    scan->status = simulation_add_budget(&reader->names, id, limit, reader->err);
    return !scan->status;
}

static void read_budgets(struct reader *reader, struct json_scan *scan)
{
    char buffer[4 * SIMULATION_ID_BYTES];
    struct arena arena;
    struct json_level array;
    int index = 0;

    arena_init(&arena, buffer, sizeof buffer, LINE_BYTES_MAX);
    json_enter_array(scan, &array);
    while (json_item(scan, &array) && read_budget(reader, scan, &arena, index++))
        arena_reset(&arena);
    arena_reset(&arena);
}

static enum status read_head(struct reader *reader)
{
    struct json_level object;
    struct json_scan scan;
    struct text key;
    int64_t expected = 0;
    bool has_budgets = false, has_forecast = false;

    scan_line(reader, &scan);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key)) {
        if (text_is(key, "budgets")) {
            if (take_once(reader, &scan, "budgets", 0, &has_budgets))
                read_budgets(reader, &scan);
        } else if (text_is(key, "forecast_cases")) {
            if (take_once(reader, &scan, "forecast_cases", 0, &has_forecast))
                read_amount(&scan, &expected);
        } else {
            json_skip(&scan);
        }
        name_rest(reader, &scan);
    }
    if (json_scan_end(&scan))
        return scan.status;
    name_field(reader, "budgets", 0);
    if (!has_budgets || reader->names.budget_count == 0)
        return refuse(reader, "the first line has to list at least one budget");
    if (!reader->is_history)
        reader->simulation->expected_cases = expected;
    return STATUS_OK;
}

/* Today's budgets become the simulation's; those of the day before are found among
 * them. */
static enum status map_budgets(struct reader *reader)
{
    int count = reader->names.budget_count;
    enum status rc = STATUS_OK;

    reader->indices = calloc((size_t)count, sizeof *reader->indices);
    if (!reader->indices)
        return err_set(reader->err, STATUS_EXHAUSTED, "no memory for budgets");
    for (int i = 0; i < count && !rc; i++) {
        const struct simulation_budget *budget = &reader->names.budgets[i];
        struct text id = text_of(budget->id);

        if (!reader->is_history)
            rc =
                simulation_add_budget(reader->simulation, id, budget->limit, reader->err);
        reader->indices[i] = simulation_find_budget(reader->simulation, id);
    }
    return rc;
}

/* --- cases -------------------------------------------------------------------------- */

struct case_read {
    double at;
    int budgets[SIMULATION_CASE_BUDGET_COUNT_MAX], budget_count;
    struct simulation_action actions[SIMULATION_ACTION_COUNT_MAX];
    int action_count;
    int named_count; /* of budgets, those of today or not */
    bool has_at, has_budgets, has_actions;
};

static void read_ids(struct reader *reader, struct json_scan *scan,
                     struct case_read *read)
{
    char buffer[4 * SIMULATION_ID_BYTES];
    struct arena arena;
    struct json_level array;
    struct text id;
    int seen[SIMULATION_CASE_BUDGET_COUNT_MAX], count = 0;

    arena_init(&arena, buffer, sizeof buffer, LINE_BYTES_MAX);
    json_enter_array(scan, &array);
    while (json_item(scan, &array)) {
        int index;

        name_field(reader, "budgets/%d", count);
        if (!json_text(scan, &arena, &id))
            break;
        index = simulation_find_budget(&reader->names, id);
        if (index < 0)
            json_refuse(scan, STATUS_INVALID, "budget '%.*s' is unknown", TEXT_ARG(id));
        else if (count == SIMULATION_CASE_BUDGET_COUNT_MAX)
            json_refuse(scan, STATUS_INVALID, "more than %d budgets",
                        SIMULATION_CASE_BUDGET_COUNT_MAX);
        for (int i = 0; i < count && !scan->status; i++)
            if (seen[i] == index)
                json_refuse(scan, STATUS_INVALID, "budget '%.*s' is there twice",
                            TEXT_ARG(id));
        if (scan->status)
            break;
        seen[count++] = index;
        read->named_count++;
        if (reader->indices[index] >= 0)
            read->budgets[read->budget_count++] = reader->indices[index];
        arena_reset(&arena);
    }
    arena_reset(&arena);
}

static void read_action(struct reader *reader, struct json_scan *scan, int index,
                        struct simulation_action *action)
{
    struct json_level object;
    struct text key;
    bool has_value = false, has_cost = false;

    json_enter_object(scan, &object);
    while (json_member(scan, &object, &key)) {
        if (text_is(key, "cost")) {
            if (take_once(reader, scan, "actions/%d/cost", index, &has_cost))
                read_amount(scan, &action->cost);
        } else if (text_is(key, "value")) {
            if (take_once(reader, scan, "actions/%d/value", index, &has_value))
                json_double(scan, &action->value);
        } else {
            json_skip(scan);
        }
    }
    if (scan->status)
        return;
    name_field(reader, "actions/%d", index);
    if (!has_value || !has_cost)
        json_refuse(scan, STATUS_INVALID, "needs a cost and a value");
}

static void read_actions(struct reader *reader, struct json_scan *scan,
                         struct case_read *read)
{
    struct json_level array;

    json_enter_array(scan, &array);
    while (json_item(scan, &array)) {
        name_field(reader, "actions/%d", read->action_count);
        if (read->action_count == SIMULATION_ACTION_COUNT_MAX) {
            json_refuse(scan, STATUS_INVALID, "more than %d actions",
                        SIMULATION_ACTION_COUNT_MAX);
            return;
        }
        read_action(reader, scan, read->action_count, &read->actions[read->action_count]);
        read->action_count++;
    }
}

static bool has_free_action(const struct case_read *read)
{
    for (int i = 0; i < read->action_count; i++)
        if (read->actions[i].cost == 0)
            return true;
    return false;
}

static enum status check_case(struct reader *reader, const struct case_read *read)
{
    name_field(reader, "at", 0);
    if (!read->has_at)
        return refuse(reader, "is missing");
    if (read->at < 0 || read->at >= 1)
        return refuse(reader, "has to be a share of the day, from 0 to below 1");
    if (read->at < reader->at)
        return refuse(reader, "is before that of the case before");
    name_field(reader, "budgets", 0);
    if (!read->has_budgets)
        return refuse(reader, "is missing");
    if (read->named_count == 0)
        return refuse(reader, "a case needs at least one budget to be charged to");
    name_field(reader, "actions", 0);
    if (!read->has_actions)
        return refuse(reader, "is missing");
    if (read->action_count == 0)
        return refuse(reader, "a case needs at least one action");
    if (!has_free_action(read))
        return refuse(reader, "a case needs an action that costs nothing");
    return STATUS_OK;
}

static enum status read_case(struct reader *reader)
{
    struct case_read read = {0};
    struct json_level object;
    struct json_scan scan;
    struct text key;
    enum status rc;

    scan_line(reader, &scan);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key)) {
        if (text_is(key, "at")) {
            if (take_once(reader, &scan, "at", 0, &read.has_at))
                json_double(&scan, &read.at);
        } else if (text_is(key, "budgets")) {
            if (take_once(reader, &scan, "budgets", 0, &read.has_budgets))
                read_ids(reader, &scan, &read);
        } else if (text_is(key, "actions")) {
            if (take_once(reader, &scan, "actions", 0, &read.has_actions))
                read_actions(reader, &scan, &read);
        } else {
            json_skip(&scan);
        }
        name_rest(reader, &scan);
    }
    rc = json_scan_end(&scan);
    if (!rc)
        rc = check_case(reader, &read);
    if (rc)
        return rc;
    reader->at = read.at;
    return simulation_add_case(reader->simulation, reader->day, read.at, read.budgets,
                               read.budget_count, read.actions, read.action_count,
                               reader->err);
}

/* --- files -------------------------------------------------------------------------- */

static enum status read_lines(struct reader *reader)
{
    enum status rc = STATUS_OK;

    if (!next_line(reader, &rc))
        return rc ? rc : refuse(reader, "the file is empty");
    rc = read_head(reader);
    if (!rc)
        rc = map_budgets(reader);
    while (!rc && next_line(reader, &rc))
        if (!is_blank(reader))
            rc = read_case(reader);
    return rc;
}

static enum status read_stream(const char *path, bool is_history,
                               struct simulation *simulation, struct err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct reader reader = {.path = is_stdin ? "standard input" : path,
                            .file = is_stdin ? stdin : fopen(path, "re"),
                            .simulation = simulation,
                            .day = is_history ? &simulation->history : &simulation->today,
                            .is_history = is_history,
                            .err = err};
    enum status rc;

    if (!reader.file)
        return err_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
                       path, strerror(errno));
    reader.line = malloc(LINE_BYTES_MAX);
    rc = reader.line ? read_lines(&reader)
                     : err_set(err, STATUS_EXHAUSTED, "no memory for a line");
    if (rc)
        rc = err_wrap(err, "%s: line %lld: %s", reader.path, (long long)reader.number,
                      reader.field);
    simulation_free(&reader.names);
    free(reader.indices);
    free(reader.line);
    if (!is_stdin)
        fclose(reader.file);
    return rc;
}

enum status simulate_read_today(const char *path, struct simulation *simulation,
                                struct err *err)
{
    return read_stream(path, false, simulation, err);
}

enum status simulate_read_history(const char *path, struct simulation *simulation,
                                  struct err *err)
{
    return read_stream(path, true, simulation, err);
}
