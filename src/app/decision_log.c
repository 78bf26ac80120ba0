/* decision_log.c - see decision_log.h. */
#include "app/decision_log.h"

#include "app/care.h"
#include "app/decision_ids.h"
#include "base/clock.h"
#include "base/file.h"
#include "decide/export.h"
#include "json/scan.h"
#include "json/write.h"
#include "table/columns.h"
#include "table/input.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_BYTES = 200, METRIC_SHOWN_BYTES = 40 };

/* Of probabilities that are written with every bit. */
static const double share_error = 1e-9;

struct decision_log {
    const char *path, *reward;
    struct input input; /* of a file */
    struct store *store;
    struct export *export; /* of a folder, or NULL */
    struct text block;     /* of the export, not yet used */
    long line;
    struct decision_ids *ids; /* (line - 1); of a folder NULL: there each is one */
    struct arena arena;       /* of a row */
    struct passed_over passed_over;
    struct awaited awaited;
    char metrics[METRICS_BYTES]; /* as decision_log_metrics */
    size_t metrics_bytes;
};

enum status decision_log_open(const char *path, const char *reward,
                              struct decision_log **log, struct err *err)
{
    struct decision_log *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "out of memory");
    opened->path = path;
    opened->reward = reward;
    arena_init(&opened->arena, NULL, 0, 4 * DECISION_LINE_BYTES_MAX);
    if (folder_exists(path)) {
        rc = care_reader(&(struct target){.folder = path}, &opened->store, err);
        if (!rc)
            rc = export_open(&(struct export_source){.store = opened->store},
                             EXPORT_DECISIONS, EXPORT_NDJSON, &opened->export, err);
    } else {
        rc = input_open(path, &opened->input, err);
        if (!rc)
            rc = decision_ids_open(&opened->ids, err);
    }
    if (rc)
        decision_log_close(opened);
    else
        *log = opened;
    return rc;
}

void decision_log_close(struct decision_log *log)
{
    if (!log)
        return;
    export_close(log->export);
    store_close(log->store);
    input_close(&log->input);
    decision_ids_close(log->ids);
    awaited_free(&log->awaited);
    arena_reset(&log->arena);
    free(log);
}

struct passed_over decision_log_passed_over(struct decision_log *log)
{
    log->passed_over.awaited = awaited_count(&log->awaited);
    return log->passed_over;
}

const char *decision_log_metrics(const struct decision_log *log)
{
    return log->metrics;
}

double decision_log_progress(const struct decision_log *log)
{
    return log->export ? -1 : input_progress(&log->input);
}

/* --- lines ------------------------------------------------------------------------------------ */

/* Blocks are whole lines. */
static enum status line_of_folder(struct decision_log *log, struct text *line,
                                  struct err *err)
{
    enum status rc = STATUS_OK;
    const char *end;

    *line = (struct text){0};
    if (log->block.bytes == 0)
        rc = export_next(log->export, &log->block, err);
    if (rc || log->block.bytes == 0)
        return rc;
    end = memchr(log->block.at, '\n', log->block.bytes);
    *line = (struct text){log->block.at, (size_t)(end - log->block.at)};
    log->block.at = end + 1;
    log->block.bytes -= line->bytes + 1;
    return STATUS_OK;
}

static enum status line_of_file(struct decision_log *log, struct text *line,
                                struct err *err)
{
    struct input *input = &log->input;
    const char *end = NULL;
    enum status rc = STATUS_OK;

    *line = (struct text){0};
    for (;;) {
        size_t bytes = (size_t)(input->end - input->at);

        end = bytes ? memchr(input->at, '\n', bytes) : NULL;
        if (end || input->is_at_end || bytes > DECISION_LINE_BYTES_MAX)
            break;
        rc = input_fill(input, err);
        if (rc)
            return rc;
    }
    end = end ? end : input->end;
    *line = (struct text){input->at, (size_t)(end - input->at)};
    input->at = end < input->end ? end + 1 : end;
    if (line->bytes > DECISION_LINE_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "%s line %ld: more than %d bytes",
                       input->name, log->line + 1, DECISION_LINE_BYTES_MAX);
    return STATUS_OK;
}

static bool is_at_end(const struct decision_log *log)
{
    return log->input.at == log->input.end && log->input.is_at_end;
}

/* No bytes at the end; empty lines are passed over. */
static enum status next_line(struct decision_log *log, struct text *line, struct err *err)
{
    enum status rc;

    do {
        rc = log->export ? line_of_folder(log, line, err) : line_of_file(log, line, err);
        log->line++;
    } while (!rc && line->bytes == 0 && !log->export && !is_at_end(log));
    return rc;
}

/* --- rows ------------------------------------------------------------------------------------- */

struct reading {
    struct decision_log *log;
    struct json_scan scan;
    struct json_writer body; /* the case as it is put together again */
    struct logged_row *row;
    struct log_facts facts;
    bool has_action, is_of_log;
};

static bool is_null(struct json_scan *scan)
{
    return json_peek(scan) == JSON_KIND_NULL && json_take_null(scan);
}

static void read_option(struct json_scan *scan, struct logged_option *option)
{
    struct json_level level;
    struct text key;

    *option = (struct logged_option){.effect = NAN, .cost = NAN, .propensity = NAN};
    json_enter_object(scan, &level);
    while (json_member(scan, &level, &key))
        if (text_is(key, "amount"))
            json_int(scan, &option->amount);
        else if (text_is(key, "effect"))
            json_double(scan, &option->effect);
        else if (text_is(key, "cost"))
            json_double(scan, &option->cost);
        else if (text_is(key, "propensity"))
            (void)(is_null(scan) || json_double(scan, &option->propensity));
        else if (text_is(key, "allowed"))
            json_bool(scan, &option->is_allowed);
        else
            json_skip(scan);
}

static void read_options(struct json_scan *scan, struct logged_row *row)
{
    struct json_level level;

    json_enter_array(scan, &level);
    while (json_item(scan, &level)) {
        if (row->option_count == OPTION_COUNT_MAX) {
            json_refuse(scan, STATUS_INVALID, "a decision has at most %d options",
                        OPTION_COUNT_MAX);
            return;
        }
        read_option(scan, &row->options[row->option_count++]);
    }
}

/* What remains stands there after the decision: before, there was its amount more. */
static void read_budgets(struct json_scan *scan, struct logged_row *row)
{
    struct json_level list, level;
    struct text key;

    row->remaining = INT64_MAX;
    json_enter_array(scan, &list);
    while (json_item(scan, &list)) {
        int64_t remaining = 0;
        double price = 0;

        json_enter_object(scan, &level);
        while (json_member(scan, &level, &key))
            if (text_is(key, "shadow_price"))
                json_double(scan, &price);
            else if (text_is(key, "remaining"))
                json_int(scan, &remaining);
            else
                json_skip(scan);
        row->has_budget = true;
        row->price += price;
        if (remaining < row->remaining)
            row->remaining = remaining;
    }
}

/* Once each, while there is room. */
static void keep_metric(struct decision_log *log, struct text name)
{
    char quoted[METRIC_SHOWN_BYTES + 3];
    int bytes = snprintf(quoted, sizeof quoted, "'%.*s'",
                         TEXT_ARG(text_clip(name, METRIC_SHOWN_BYTES)));

    if (strstr(log->metrics, quoted) ||
        log->metrics_bytes + (size_t)bytes + 2 >= sizeof log->metrics)
        return;
    log->metrics_bytes += (size_t)snprintf(
        log->metrics + log->metrics_bytes, sizeof log->metrics - log->metrics_bytes,
        "%s%s", log->metrics_bytes ? ", " : "", quoted);
}

/* null is no value. */
static void read_reward(struct reading *reading)
{
    double *reward = &reading->row->reward;

    reading->facts.has_reward = json_double(&reading->scan, reward);
    if (reading->facts.has_reward && !(fabs(*reward) <= COLUMNS_NUMBER_MAX))
        json_refuse(&reading->scan, STATUS_INVALID,
                    "the outcome '%.80s' is %g, larger than %g in size",
                    reading->log->reward, *reward, COLUMNS_NUMBER_MAX);
}

/* The metric that is asked for. */
static void read_outcomes(struct reading *reading)
{
    struct json_scan *scan = &reading->scan;
    struct json_level level;
    struct text key;

    json_enter_object(scan, &level);
    while (json_member(scan, &level, &key))
        if (text_is(key, reading->log->reward))
            read_reward(reading);
        else if (json_skip(scan))
            keep_metric(reading->log, key);
}

static bool is_of_case(struct text key)
{
    static const char *const names[] = {
        "case_id",          "customer_id",     "order_id", "currency", "order_amount",
        "requested_amount", "entitled_amount", "issue",    "market",   "segment",
        "channel",          "occurred_at",     "features", "metadata",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_is(key, names[i]))
            return true;
    return false;
}

static void read_time(struct reading *reading)
{
    struct text time;

    if (json_text(&reading->scan, &reading->log->arena, &time) &&
        time_parse(time, &reading->row->created_at_us, NULL))
        json_refuse(&reading->scan, STATUS_INVALID, "'created_at' is not a time");
}

static void read_case_member(struct reading *reading, struct text key)
{
    struct text raw;

    json_put_key_text(&reading->body, key);
    if (text_is(key, "customer_id")) {
        if (json_text(&reading->scan, &reading->log->arena, &reading->row->customer_id))
            json_put_text(&reading->body, reading->row->customer_id);
    } else if (json_raw(&reading->scan, &raw)) {
        json_put_raw(&reading->body, raw);
    }
}

static void read_member(struct reading *reading, struct text key)
{
    struct json_scan *scan = &reading->scan;
    struct logged_row *row = reading->row;
    struct text word;

    if (text_is(key, "object"))
        reading->is_of_log = json_text(scan, &reading->log->arena, &word) &&
                             text_is(word, "logged_decision");
    else if (text_is(key, "decision_id"))
        json_text(scan, &reading->log->arena, &row->decision_id);
    else if (text_is(key, "parent_id"))
        reading->facts.is_by_person = !is_null(scan) && json_skip(scan);
    else if (text_is(key, "overridden"))
        json_bool(scan, &reading->facts.is_overridden);
    else if (text_is(key, "mode"))
        reading->facts.is_live =
            json_text(scan, &reading->log->arena, &word) && text_is(word, "live");
    else if (text_is(key, "action"))
        reading->has_action = json_int(scan, &row->action);
    else if (text_is(key, "propensity"))
        (void)(is_null(scan) || json_double(scan, &row->propensity));
    else if (text_is(key, "created_at"))
        read_time(reading);
    else if (text_is(key, "options"))
        (void)(is_null(scan) || (read_options(scan, row), true));
    else if (text_is(key, "budgets"))
        (void)(is_null(scan) || (read_budgets(scan, row), true));
    else if (text_is(key, "outcomes"))
        read_outcomes(reading);
    else if (is_of_case(key))
        read_case_member(reading, key);
    else
        json_skip(scan);
}

static enum status refuse_line(const struct decision_log *log, const struct err *why,
                               struct text line, struct err *err)
{
    if (log->line == 1 && line.bytes > 0 && line.at[0] != '{')
        return err_set(
            err, STATUS_INVALID,
            "%s line 1: is no JSON: the export as NDJSON is wanted, or the data "
            "folder; tables go with --policy",
            log->export ? log->path : log->input.name);
    return err_set(err, STATUS_INVALID, "%s line %ld: %s",
                   log->export ? log->path : log->input.name, log->line, why->text);
}

/* What the options have; none of them knows a propensity in a log that was made by
 * hand. */
struct shares {
    double sum, chosen; /* NaN: what was done is no option */
    bool are_known;
    const struct logged_option *wrong; /* cannot have what it has; NULL: none */
};

static struct shares shares_of(const struct logged_row *row)
{
    struct shares shares = {.chosen = NAN};

    for (int i = 0; i < row->option_count; i++) {
        const struct logged_option *option = &row->options[i];
        bool is_known = !isnan(option->propensity);
        double propensity = is_known ? option->propensity : 0;

        shares.are_known |= is_known;
        shares.sum += propensity;
        if (option->amount == row->action)
            shares.chosen = propensity;
        if (propensity < 0 || (propensity > 0 && !option->is_allowed))
            shares.wrong = option;
    }
    return shares;
}

bool logged_row_can_tell(const struct logged_row *row)
{
    return shares_of(row).are_known;
}

bool logged_row_agrees(const struct logged_row *row, char why[PROPENSITY_REASON_BYTES])
{
    struct shares shares = shares_of(row);

    why[0] = '\0';
    if (!shares.are_known)
        return true;
    if (shares.wrong)
        snprintf(why, PROPENSITY_REASON_BYTES,
                 "option %lld, which is %s, has the propensity %.9g",
                 (long long)shares.wrong->amount,
                 shares.wrong->is_allowed ? "allowed" : "not allowed",
                 shares.wrong->propensity);
    else if (!(fabs(shares.sum - 1) <= share_error))
        snprintf(why, PROPENSITY_REASON_BYTES,
                 "those of its options sum to %.12g, not to 1", shares.sum);
    else if (isnan(shares.chosen))
        snprintf(why, PROPENSITY_REASON_BYTES, "no option is the action, %lld",
                 (long long)row->action);
    else if (!(fabs(shares.chosen - row->propensity) <= share_error))
        snprintf(why, PROPENSITY_REASON_BYTES, "it is %.12g, that of its option %.12g",
                 row->propensity, shares.chosen);
    return why[0] == '\0';
}

/* One line; *counts says whether its decision does. */
static enum status read_row(struct decision_log *log, struct text line,
                            struct logged_row *row, bool *counts, struct err *err)
{
    struct reading reading = {.log = log, .row = row};
    size_t room = line.bytes + 64;
    struct json_level level;
    struct text key;
    struct err why = {0};
    enum status rc = STATUS_OK;
    char *buffer;

    arena_reset(&log->arena);
    buffer = arena_room(&log->arena, room);
    if (!buffer)
        return arena_exhausted(err);
    *row = (struct logged_row){
        .line = log->line, .propensity = NAN, .reward = NAN, .remaining = INT64_MAX};
    json_writer_init(&reading.body, buffer, room);
    json_put_object(&reading.body);
    json_scan_init(&reading.scan, line.at, line.bytes, JSON_DEPTH_MAX, &why);
    json_enter_object(&reading.scan, &level);
    while (json_member(&reading.scan, &level, &key))
        read_member(&reading, key);
    json_put_object_end(&reading.body);
    if (json_scan_end(&reading.scan))
        return refuse_line(log, &why, line, err);
    if (!reading.is_of_log || !reading.has_action) {
        (void)err_set(&why, STATUS_INVALID,
                      "is not a line of GET /v1/exports/decisions?format=ndjson");
        return refuse_line(log, &why, line, err);
    }
    if (log->ids)
        rc = decision_ids_add(log->ids, row->decision_id, log->line, err);
    if (rc)
        return rc;
    *counts = passed_over_add(&log->passed_over, reading.facts);
    if (row->has_budget && row->remaining < INT64_MAX - row->action)
        row->remaining += row->action;
    if (awaited_add(&log->awaited, reading.facts, row->created_at_us, err))
        return STATUS_EXHAUSTED;
    return json_writer_text(&reading.body, &row->body, err);
}

enum status decision_log_next(struct decision_log *log, struct logged_row *row,
                              bool *has_row, struct err *err)
{
    struct text line;
    bool counts = false;
    enum status rc;

    *has_row = false;
    do {
        rc = next_line(log, &line, err);
        if (rc || line.bytes == 0)
            return rc ? rc : decision_ids_check(log->ids, log->input.name, err);
        rc = read_row(log, line, row, &counts, err);
    } while (!rc && !counts);
    *has_row = !rc;
    return rc;
}
