/* fuzz_outcomes.c - any bytes as the body of POST /v1/outcomes: what is taken is in the
 * store as jansson reads it, line by line, and what is refused is told. Nothing of it
 * stays.
 *
 * "dec_" with 25 zeros and a digit from 0 to 3 stands for one of four decisions. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "decide/outcomes.h"
#include "store/outcomes.h"
#include "support/api_call.h"
#include "support/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DECISION_COUNT = 4, ID_LENGTH = 30, ARENA_BYTES_MAX = 16 << 20 };

/* assert() would be a statement about the program only; this one must never be off. */
#define MUST(condition)                                                                  \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                      \
            abort();                                                                     \
        }                                                                                \
    } while (0)

static const char placeholder[] = "dec_0000000000000000000000000";

static struct {
    char *folder;
    struct service *service;
    struct arena arena; /* of the action */
    char ids[DECISION_COUNT][ID_LENGTH + 1];
    char body[OUTCOMES_BYTES_MAX];
    struct text text; /* of the body, as far as it was given */
    struct action *action;
} stage;

static int64_t now(void *)
{
    return INT64_C(1763661731) * SECOND_US; /* 2025-11-20T18:02:11Z */
}

static const struct clock stopped = {now, now, NULL};

static void close_stage(void)
{
    service_close(stage.service);
    arena_reset(&stage.arena);
    free(stage.folder);
}

static void decide(int i)
{
    char key[16];
    struct api_reply reply;
    const char *id;

    snprintf(key, sizeof key, "k%d", i);
    reply = api_call(stage.service, "POST", "/v1/decisions", key, NULL,
                     "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","
                     " \"order_amount\": 4000, \"issue\": \"late_delivery\","
                     " \"features\": {\"need\": 1}}");
    id = json_string_value(json_object_get(reply.json, "id"));
    MUST(id && strlen(id) == ID_LENGTH);
    memcpy(stage.ids[i], id, ID_LENGTH + 1);
    api_reply_free(&reply);
}

static void open_stage(void)
{
    struct service_settings settings = {.clock = &stopped,
                                        .build = "redress 0.0.0 (fuzz)",
                                        .reader_count = 2,
                                        .queue_capacity = 10,
                                        .accepts_clock = true};
    struct err err;
    bool was_created;

    log_level_set(LOG_ERROR + 1); /* what is undone is not worth a line each */
    settings.folder = stage.folder = folder_temporary();
    MUST(stage.folder);
    MUST(!service_open(&settings, &stage.service, &was_created, &err));
    atexit(close_stage);
    arena_init(&stage.arena, NULL, 0, ARENA_BYTES_MAX);
    service_fill(stage.service, "", 1000000);
    for (int i = 0; i < DECISION_COUNT; i++)
        decide(i);
}

/* With decisions in the places that stand for them. */
static void set_body(const uint8_t *data, size_t size)
{
    char *at = stage.body, *end;

    size = size < sizeof stage.body ? size : sizeof stage.body;
    if (size)
        memcpy(stage.body, data, size);
    stage.text = (struct text){stage.body, size};
    end = stage.body + size;
    while ((at = memmem(at, (size_t)(end - at), placeholder, sizeof placeholder - 1))) {
        char *digit = at + sizeof placeholder - 1;

        if (digit < end && *digit >= '0' && *digit < '0' + DECISION_COUNT)
            memcpy(at, stage.ids[*digit - '0'], ID_LENGTH);
        at = digit;
    }
}

/* ---- what jansson reads ---- */

static json_t *value_of(struct text text)
{
    return json_loadb(text.at, text.bytes,
                      JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
}

/* The lines with something on them, or the one object that stands on several. */
static json_t *lines_of(struct text body)
{
    json_t *lines = json_array(), *whole = value_of(body);

    if (whole) {
        MUST(json_array_append_new(lines, whole) == 0);
        return lines;
    }
    while (body.bytes > 0) {
        const char *end = memchr(body.at, '\n', body.bytes);
        struct text line = {body.at, end ? (size_t)(end - body.at) : body.bytes};
        size_t used = line.bytes + (end != NULL);

        body = (struct text){body.at + used, body.bytes - used};
        while (line.bytes > 0 && strchr(" \t\r", line.at[line.bytes - 1]) &&
               line.at[line.bytes - 1])
            line.bytes--;
        if (line.bytes > 0)
            MUST(json_array_append_new(lines, value_of(line)) == 0);
    }
    return lines;
}

static const char *member(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));

    MUST(text);
    return text;
}

/* ---- what is stored ---- */

static void check_line(struct store *store, const json_t *line)
{
    struct outcome_row row = {0};
    struct err err;

    MUST(json_is_object(line) && json_object_size(line) == 4);
    MUST(text_copy(text_of(member(line, "metric")), row.metric, sizeof row.metric));
    MUST(!time_parse(text_of(member(line, "occurred_at")), &row.occurred_at_us, &err));
    MUST(!decision_number_find(store, member(line, "decision_id"), &row.decision_number,
                               &err));
    MUST(row.decision_number > 0);
    MUST(!outcome_row_find(store, &row, &err));
    MUST(row.number > 0);
    MUST(row.value == json_real_value(json_object_get(line, "value")));
}

/* Refuse after writing, so that all is undone. */
static enum status perform(struct job *job, struct commit *commit, struct err *err)
{
    struct action *action = stage.action;
    json_t *lines = lines_of(stage.text), *answer;
    enum status rc = action->perform(action, commit, err);
    const json_t *line;
    int64_t stored = 0;
    size_t i;

    (void)job;
    MUST(!rc || rc == STATUS_INVALID); /* too many for one decision */
    json_array_foreach(lines, i, line) if (!rc) check_line(commit->store, line);
    answer = rc ? NULL : json_loadb(action->answer.at, action->answer.bytes, 0, NULL);
    MUST(rc || answer);
    if (!rc && json_object_get(answer, "recorded"))
        stored = json_integer_value(json_object_get(answer, "recorded")) +
                 json_integer_value(json_object_get(answer, "duplicates"));
    MUST(rc || (size_t)(stored ? stored : 1) == json_array_size(lines));
    json_decref(lines);
    json_decref(answer);
    return rc ? rc : err_set(err, STATUS_UNAVAILABLE, "undone");
}

static void expect_nothing(void)
{
    struct store *reader = service_reader_take(stage.service);
    struct err err;

    for (int i = 0; i < DECISION_COUNT; i++) {
        int64_t number, count;

        MUST(!decision_number_find(reader, stage.ids[i], &number, &err));
        MUST(!outcome_row_count(reader, number, &count, &err) && count == 0);
    }
    service_reader_give(stage.service, reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job job = {.run = perform};
    struct action action;
    struct err err;
    enum status rc;

    if (!stage.service)
        open_stage();
    set_body(data, size);
    arena_reset(&stage.arena);
    err_clear(&err);
    action = (struct action){.service = stage.service,
                             .arena = &stage.arena,
                             .actor = "key_test",
                             .request_id = "req_test",
                             .route = "POST /v1/outcomes",
                             .body = stage.text};
    stage.action = &action;
    rc = outcome_prepare(&action, &err);
    if (rc) {
        MUST(err.status == rc && err.text[0] != '\0');
        MUST(rc != STATUS_EXHAUSTED && rc != STATUS_IO && rc != STATUS_CORRUPT);
    } else {
        MUST(committer_run(service_committer(stage.service), &job));
        expect_nothing();
    }
    return 0;
}
