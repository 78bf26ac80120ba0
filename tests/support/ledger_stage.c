#include "support/ledger_stage.h"

#include "base/file.h"
#include "support/folder.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_US (INT64_C(1763661731) * SECOND_US) /* 2025-11-20T18:02:11Z, a Thursday */

enum {
    FILE_BYTES_MAX = 64 << 20,
    FIRST_LIMIT = 9000,
};

/* --- what went wrong -------------------------------------------------------------------------- */

void stage_note(struct drive *drive, const char *format, ...)
{
    size_t room = LOG_BYTES - drive->log_bytes;
    va_list arguments;
    int bytes;

    va_start(arguments, format);
    bytes = vsnprintf(drive->log + drive->log_bytes, room, format, arguments);
    va_end(arguments);
    if (bytes > 0 && (size_t)bytes < room)
        drive->log_bytes += (size_t)bytes;
}

void stage_differ(const struct drive *drive, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%.*s\nDIFFERENT: ", (int)drive->log_bytes, drive->log);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    folder_remove(drive->folder); /* it may lie in memory */
    abort();
}

/* --- the service ------------------------------------------------------------------------------ */

static int64_t now(void *context)
{
    return *(const int64_t *)context;
}

void stage_fault_begin(struct drive *drive)
{
    if (drive->fault.kind != FAULT_NONE)
        fault_arm(drive->fault.kind, drive->fault.nth, drive->fault.is_lasting);
}

/* Whether what was armed has struck. */
bool stage_fault_end(struct drive *drive)
{
    bool has_struck = drive->fault.kind != FAULT_NONE && fault_disarm();

    drive->fault.kind = FAULT_NONE;
    drive->tally->struck_count += has_struck;
    return has_struck;
}

/* Under a fault it need not open, but has to afterwards. */
static void start(struct drive *drive)
{
    const struct service_settings settings = {.folder = drive->folder,
                                              .clock = &drive->clock,
                                              .build = "redress 0.0.0 (test)",
                                              .reader_count = 1,
                                              .queue_capacity = 16,
                                              .accepts_clock = true};
    bool was_created, has_struck;
    struct err err;
    enum status rc;

    err_clear(&err);
    stage_fault_begin(drive);
    rc = service_open(&settings, &drive->service, &was_created, &err);
    has_struck = stage_fault_end(drive);
    if (rc && has_struck) {
        stage_note(drive, "not opened (fault): %s\n", err.text);
        err_clear(&err);
        rc = service_open(&settings, &drive->service, &was_created, &err);
    }
    if (rc)
        stage_differ(drive, "the service does not open: %s", err.text);
    drive->door = door_inside(drive->service);
}

static void make_folder(struct drive *drive)
{
    if (!folder_for_store(drive->folder))
        stage_differ(drive, "no folder %s", drive->folder);
}

static void copy_file(struct drive *drive, const char *from_folder, const char *name)
{
    char from[96], to[96];
    char *content;
    size_t bytes;
    struct err err;
    FILE *file;

    snprintf(from, sizeof from, "%s/%s", from_folder, name);
    snprintf(to, sizeof to, "%s/%s", drive->folder, name);
    err_clear(&err);
    if (file_read(from, FILE_BYTES_MAX, &content, &bytes, &err))
        stage_differ(drive, "%s", err.text);
    file = fopen(to, "we");
    if (!file || fwrite(content, 1, bytes, file) != bytes || fclose(file) != 0)
        stage_differ(drive, "%s cannot be written", to);
    free(content);
}

/* Its end writes what was learned of prices: a commit, unless the store has failed. */
void stage_reopen(struct drive *drive, int64_t back_us)
{
    if (!service_trouble(drive->service))
        plain_commit(&drive->model);
    service_close(drive->service);
    drive->model.now_us -= back_us;
    start(drive);
    drive->tally->reopen_count++;
}

/* As if the process had been killed: go on from what is in the files now. */
void stage_crash(struct drive *drive)
{
    char old_folder[sizeof drive->folder];
    struct service *old = drive->service;

    memcpy(old_folder, drive->folder, sizeof old_folder);
    make_folder(drive);
    copy_file(drive, old_folder, "redress.db");
    copy_file(drive, old_folder, "redress.db-wal");
    service_close(old);
    folder_remove(old_folder);
    start(drive);
    drive->tally->reopen_count++;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void budget_name(char name[static 24], int budget)
{
    snprintf(name, 24, "bud_o%d", budget);
}

void stage_compare_int(const struct drive *drive, const json_t *found, const char *what,
                       const char *member, int64_t wanted)
{
    const json_t *value = json_object_get(found, member);

    if (!json_is_integer(value) || json_integer_value(value) != wanted)
        stage_differ(drive, "%s: %s is %" JSON_INTEGER_FORMAT " and ought to be %" PRId64,
                     what, member, json_integer_value(value), wanted);
}

void stage_compare_budget(const struct drive *drive, const json_t *found, int index)
{
    const struct model_budget *budget = &drive->model.budgets[index];
    char name[24], starts[TIME_TEXT_BYTES];
    const char *said = json_string_value(json_object_get(found, "period_starts_at"));

    budget_name(name, index);
    stage_compare_int(drive, found, name, "limit", budget->limit);
    stage_compare_int(drive, found, name, "held", budget->held);
    stage_compare_int(drive, found, name, "spent", budget->spent);
    stage_compare_int(drive, found, name, "remaining", plain_remaining(budget));
    stage_compare_int(drive, found, name, "unfunded", budget->unfunded);
    stage_compare_int(drive, found, name, "case_count", budget->case_count);
    stage_compare_int(drive, found, name, "revision", budget->revision);
    time_format(budget->starts_us, starts);
    if (budget->period != PERIOD_TOTAL && (!said || strcmp(said, starts) != 0))
        stage_differ(drive, "%s: its period began at %s and ought to at %s", name,
                     said ? said : "-", starts);
}

static void compare_budgets(struct drive *drive)
{
    struct said said = door_get(&drive->door, "/v1/budgets");
    const json_t *list = json_object_get(said.json, "data");
    size_t at = 0;

    for (int b = 0; b < MODEL_BUDGET_COUNT; b++) {
        char name[24];
        const char *id;

        if (!drive->model.budgets[b].is_there)
            continue;
        budget_name(name, b);
        id = json_string_value(json_object_get(json_array_get(list, at), "id"));
        if (!id || strcmp(id, name) != 0)
            stage_differ(drive, "%s is missing", name);
        stage_compare_budget(drive, json_array_get(list, at++), b);
    }
    if (at != json_array_size(list))
        stage_differ(drive, "there are %zu budgets and ought to be %zu",
                     json_array_size(list), at);
    said_free(&said);
}

static void compare_entry(struct drive *drive, const json_t *found,
                          const struct model_entry *wanted)
{
    const char *kind = json_string_value(json_object_get(found, "kind")),
               *budget = json_string_value(json_object_get(found, "budget_id")),
               *decision = json_string_value(json_object_get(found, "decision_id")),
               *before = json_string_value(json_object_get(found, "prev_hash"));
    char what[48], name[24];

    snprintf(what, sizeof what, "entry %" PRId64, drive->seq + 1);
    budget_name(name, wanted->budget);
    stage_compare_int(drive, found, what, "seq", drive->seq + 1);
    stage_compare_int(drive, found, what, "amount", wanted->amount);
    stage_compare_int(drive, found, what, "balance_after", wanted->balance_after);
    if (strcmp(kind, entry_kind_name(wanted->kind)) != 0 || strcmp(budget, name) != 0)
        stage_differ(drive, "%s is %s of %s and ought to be %s of %s", what, kind, budget,
                     entry_kind_name(wanted->kind), name);
    if (strcmp(decision ? decision : "",
               wanted->decision < 0 ? "" : drive->ids[wanted->decision]) != 0)
        stage_differ(drive, "%s is of another decision, %s", what,
                     decision ? decision : "none");
    if (strcmp(before, drive->last_hash) != 0)
        stage_differ(drive, "%s does not follow the one before it", what);
    drive->seq++;
    snprintf(drive->last_hash, sizeof drive->last_hash, "%s",
             json_string_value(json_object_get(found, "hash")));
}

/* The entries after the last that was compared; the caller frees. */
static struct said new_entries(struct drive *drive)
{
    char path[96];

    snprintf(path, sizeof path, "/v1/ledger-entries?limit=200&order=asc&after=%" PRId64,
             drive->seq);
    return door_get(&drive->door, path);
}

int stage_new_entry_count(struct drive *drive)
{
    struct said said = new_entries(drive);
    int count = (int)json_array_size(json_object_get(said.json, "data"));

    said_free(&said);
    return count;
}

static void compare_entries(struct drive *drive)
{
    struct said said = new_entries(drive);
    const json_t *list = json_object_get(said.json, "data");

    if (json_array_size(list) != (size_t)drive->model.entry_count)
        stage_differ(drive, "%zu entries came and ought to be %d: %s",
                     json_array_size(list), drive->model.entry_count, said.text);
    for (int i = 0; i < drive->model.entry_count; i++) {
        drive->tally->roll_count += drive->model.entries[i].kind == ENTRY_ROLL;
        compare_entry(drive, json_array_get(list, (size_t)i), &drive->model.entries[i]);
    }
    drive->tally->entry_count += drive->model.entry_count;
    plain_forget_entries(&drive->model);
    said_free(&said);
}

void stage_compare_all(struct drive *drive)
{
    compare_budgets(drive);
    compare_entries(drive);
}

static void check_store(struct drive *drive)
{
    struct store *reader = service_reader_take(drive->service);
    struct store_report report;
    struct err err;

    err_clear(&err);
    if (store_check(reader, &report, &err))
        stage_differ(drive, "the store cannot be checked: %s", err.text);
    service_reader_give(drive->service, reader);
    if (report.fault_count > 0)
        stage_differ(drive, "%s", report.first_fault);
    if (report.decision_count != drive->model.decision_count)
        stage_differ(drive, "%" PRId64 " decisions are stored and ought to be %d",
                     report.decision_count, drive->model.decision_count);
    if (report.entry_count != drive->seq)
        stage_differ(drive, "%" PRId64 " entries are stored and ought to be %" PRId64,
                     report.entry_count, drive->seq);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Ask; in trouble, which only a fault excuses, nothing has changed unless that is not
 * known. Then ask again, after a restart where nothing else helps. */
struct said stage_ask(struct drive *drive, const struct asked *asked)
{
    struct said said;
    bool has_struck;

    stage_fault_begin(drive);
    said = door_ask(&drive->door, asked);
    has_struck = stage_fault_end(drive);
    stage_note(drive, "%s %s %s: %d %s%s\n", asked->method, asked->path,
               asked->body ? asked->body : "", said.status, said.code,
               has_struck ? " (fault)" : "");
    if (said.status < 500)
        return said;
    if (!has_struck)
        stage_differ(drive, "trouble without a fault: %s", said.text);
    said_free(&said);
    if (service_trouble(drive->service)) {
        drive->tally->doubt_count++;
        if (drive->key_count % 4)
            stage_crash(drive);
        else
            stage_reopen(drive, 0);
    } else {
        stage_compare_all(drive);
    }
    said = door_ask(&drive->door, asked);
    stage_note(drive, "  again: %d %s%s\n", said.status, said.code,
               said.is_replayed ? " as recorded" : "");
    drive->tally->doubt_kept_count += said.is_replayed;
    return said;
}

static void remember(struct drive *drive, const struct asked *asked,
                     const struct said *said)
{
    struct remembered *place =
        &drive->remembered[drive->remembered_count++ % REMEMBERED_COUNT];

    free(place->answer);
    *place = (struct remembered){
        .method = asked->method, .answer = strdup(said->text), .status = said->status};
    snprintf(place->path, sizeof place->path, "%s", asked->path);
    snprintf(place->key, sizeof place->key, "%s", asked->key);
    snprintf(place->body, sizeof place->body, "%s", asked->body ? asked->body : "");
}

/* Ask with a key of its own. */
struct said stage_ask_once(struct drive *drive, const char *method, const char *path,
                           const char *if_match, const char *body)
{
    char key[32];
    struct asked asked = {
        .method = method, .path = path, .key = key, .if_match = if_match, .body = body};
    struct said said;

    snprintf(key, sizeof key, "k%d", drive->key_count++);
    said = stage_ask(drive, &asked);
    if (said.status < 300)
        remember(drive, &asked, &said);
    return said;
}

/* True when it was done. */
bool stage_compare(struct drive *drive, const struct said *said, struct expected expected)
{
    if (said->status != expected.status || strcmp(said->code, expected.code) != 0)
        stage_differ(drive, "%d %s ought to be %d %s", said->status, said->code,
                     expected.status, expected.code);
    if (said->status < 300)
        drive->tally->done_count++;
    else
        drive->tally->refused_count++;
    return said->status < 300;
}

/* Amount, status, and what each covering budget has left now. */
void stage_compare_decision(struct drive *drive, const struct said *said)
{
    int index = drive->model.decision_count - 1, covering = 0;
    const struct model_decision *decision = &drive->model.decisions[index];
    const char *status = json_string_value(json_object_get(said->json, "status"));

    snprintf(drive->ids[index], sizeof drive->ids[0], "%s",
             json_string_value(json_object_get(said->json, "id")));
    stage_compare_int(drive, said->json, "decision", "amount", decision->amount);
    if (strcmp(status, decision_status_name(decision->status)) != 0)
        stage_differ(drive, "the decision is %s", status);
    for (int b = 0; b < MODEL_BUDGET_COUNT; b++) {
        const struct model_budget *budget = &drive->model.budgets[b];
        char name[24];

        if (!plain_covers(budget, decision->is_late))
            continue;
        covering++;
        budget_name(name, b);
        if (said_remaining(said, name) != plain_remaining(budget))
            stage_differ(drive, "the decision leaves %" PRId64 " in %s",
                         said_remaining(said, name), name);
    }
    if (json_array_size(json_object_get(said->json, "budgets")) != (size_t)covering)
        stage_differ(drive, "the decision has other budgets: %s", said->text);
    drive->tally->granted_count += decision->amount > 0;
}

/* --- from beginning to end ------------------------------------------------------------------- */

void stage_begin(struct drive *drive)
{
    make_folder(drive);
    drive->model.now_us = START_US;
    drive->clock = (struct clock){now, now, &drive->model.now_us};
    memset(drive->last_hash, '0', sizeof drive->last_hash - 1);
    start(drive);
    door_fill(&drive->door);
    door_add_budget(&drive->door, "bud_o0", NULL, FIRST_LIMIT);
    plain_make_budget(&drive->model, 0, SCOPE_ALL, PERIOD_TOTAL, FIRST_LIMIT);
    stage_compare_all(drive);
}

void stage_end(struct drive *drive)
{
    stage_fault_end(drive);
    check_store(drive);
    service_close(drive->service);
    folder_remove(drive->folder);
    for (int i = 0; i < REMEMBERED_COUNT; i++)
        free(drive->remembered[i].answer);
}
