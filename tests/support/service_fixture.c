/* service_fixture.c - a running service for tests. */
#include "support/service_fixture.h"

#include "support/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 16 << 20 };

static int64_t now(void *context)
{
    return *(const int64_t *)context;
}

static void start(struct running *running)
{
    const struct service_settings settings = {.folder = running->folder,
                                              .clock = &running->clock,
                                              .build = "redress 0.0.0 (test)",
                                              .reader_count = 2,
                                              .queue_capacity = 1000,
                                              .accepts_clock = true};
    bool was_created;

    if (service_open(&settings, &running->service, &was_created, &running->err))
        fail_msg("open the service: %s", running->err.text);
}

struct running *running_open(void)
{
    struct running *running = calloc(1, sizeof *running);

    assert_non_null(running);
    running->now_us = SERVICE_TIME_US;
    running->clock = (struct clock){now, now, &running->now_us};
    assert_true(folder_for_store(running->folder));
    snprintf(running->path, sizeof running->path, "%s/redress.db", running->folder);
    arena_init(&running->arena, NULL, 0, ANSWER_BYTES_MAX);
    err_clear(&running->err);
    start(running);
    return running;
}

void running_close(struct running *running)
{
    service_close(running->service);
    json_decref(running->json);
    arena_reset(&running->arena);
    folder_remove(running->folder);
    free(running);
}

int running_set_up(void **state)
{
    *state = running_open();
    return 0;
}

int running_tear_down(void **state)
{
    running_close(*state);
    return 0;
}

void running_restart(struct running *running)
{
    service_close(running->service);
    running->service = NULL;
    start(running);
}

struct arena *answer_arena(struct running *running)
{
    json_decref(running->json);
    running->json = NULL;
    running->text = (struct text){0};
    running->revision = 0;
    arena_reset(&running->arena);
    arena_init(&running->arena, NULL, 0, ANSWER_BYTES_MAX);
    err_clear(&running->err);
    return &running->arena;
}

json_t *shown(struct running *running, enum status status)
{
    json_error_t error;

    running->status = status;
    if (status)
        fail_msg("refused: %s", running->err.text);
    running->json =
        json_loadb(running->text.at, running->text.bytes, JSON_REJECT_DUPLICATES, &error);
    if (!running->json)
        fail_msg("not JSON: %s: %.*s", error.text, TEXT_ARG(running->text));
    return running->json;
}

enum status ask(struct running *running, struct asking asking)
{
    struct action *action = &running->action;

    answer_arena(running);
    if (asking.arena_bytes > 0)
        arena_init(&running->arena, NULL, 0, asking.arena_bytes);
    *action = (struct action){.service = running->service,
                              .arena = &running->arena,
                              .actor = "key_test",
                              .request_id = "req_test",
                              .route = "TEST",
                              .subject = asking.subject,
                              .idempotency_key = asking.key,
                              .if_match = asking.if_match,
                              .body = text_of(asking.body)};
    running->status = asking.prepare(action, &running->err);
    if (running->status)
        action_drop(action);
    else
        running->status = action_run(action, &running->err);
    if (running->status)
        return running->status;
    running->text = action->answer;
    running->revision = action->revision;
    shown(running, STATUS_OK);
    return STATUS_OK;
}

json_t *ask_ok(struct running *running, struct asking asking)
{
    if (ask(running, asking))
        fail_msg("%s: %s", running->err.code, running->err.text);
    return running->json;
}

static int64_t newest_seq(struct running *running)
{
    struct arena *arena = answer_arena(running);
    const json_t *list =
        shown(running, audit_list_show(running->service, text_of(""), 1, true, arena,
                                       &running->text, &running->err));

    return json_array_size(at(list, "data")) ? int_at(list, "data/0/seq") : 0;
}

int ask_sweep(struct running *running, struct asking asking)
{
    int64_t before = newest_seq(running);
    int failure_count = 0;

    for (asking.arena_bytes = 32; ask(running, asking); failure_count++) {
        if (running->status != STATUS_EXHAUSTED && running->status != STATUS_UNAVAILABLE)
            fail_msg("with %zu bytes: status %d, %s", asking.arena_bytes, running->status,
                     running->err.text);
        assert_int_equal(newest_seq(running), before);
        assert_true(asking.arena_bytes < 1 << 20);
        asking.arena_bytes += asking.arena_bytes / 8 + 16;
    }
    return failure_count;
}

void commit_run(struct running *running,
                enum status (*work)(struct job *job, struct commit *commit,
                                    struct err *err))
{
    struct job job = {.run = work};

    if (committer_run(service_committer(running->service), &job))
        fail_msg("%s", job.err.text);
}

const json_t *at(const json_t *json, const char *path)
{
    char name[64];

    while (json && *path) {
        size_t bytes = strcspn(path, "/");

        snprintf(name, sizeof name, "%.*s", (int)bytes, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(name))
                                   : json_object_get(json, name);
        path += bytes + (path[bytes] == '/');
    }
    return json;
}

const char *string_at(const json_t *json, const char *path)
{
    const char *text = json_string_value(at(json, path));

    if (!text)
        fail_msg("there is no text at %s", path);
    return text;
}

int64_t int_at(const json_t *json, const char *path)
{
    if (!json_is_integer(at(json, path)))
        fail_msg("there is no integer at %s", path);
    return json_integer_value(at(json, path));
}

void assert_refused(const struct running *running, enum status status, const char *code)
{
    if (running->status != status || strcmp(running->err.code, code) != 0)
        fail_msg("status %d, code %s in place of %d, %s (%s)", running->status,
                 running->status ? running->err.code : "-", status, code,
                 running->status ? running->err.text : "done");
}

void assert_fault(const struct running *running, const char *pointer, const char *code)
{
    const struct err *err = &running->err;

    if (running->status != STATUS_INVALID)
        fail_msg("%.*s: status %d in place of a fault at %s (%s)",
                 TEXT_ARG(running->action.body), running->status, pointer,
                 running->status ? err->text : "done");
    for (int i = 0; i < err->fault_count; i++)
        if (strcmp(err->faults[i].pointer, pointer) == 0 &&
            strcmp(err->faults[i].code, code) == 0)
            return;
    fail_msg("%.*s: no fault %s at %s; %d faults, %s", TEXT_ARG(running->action.body),
             code, pointer, err->fault_count, err->text);
}
