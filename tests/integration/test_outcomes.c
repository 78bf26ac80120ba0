/* test_outcomes.c - the real server: outcomes come in while cases are decided and
 * everything is exported again and again; nothing that was answered is lost, also when it
 * is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/live_call.h"
#include "support/server.h"
#include "support/store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REPORTER_COUNT = 3,
    DECISIONS_EACH = 120,
    ID_ROOM = 40,
    KILL_ROUNDS = 3,
    GROWTH_KB_MAX = 64 << 10,
    EXPORT_COUNT_MIN = 4,
};

static struct {
    char *folder, *support, *science, *audit;
    struct live_server server;
    char ids[REPORTER_COUNT * DECISIONS_EACH]
            [ID_ROOM]; /* whose outcome was acknowledged */
    atomic_int id_count, export_count;
    atomic_bool is_over;
} stage;

static int stage_open(void **state)
{
    (void)state;
    stage.folder = folder_temporary();
    assert_true(demo_make(stage.folder));
    stage.support = demo_authorization(stage.folder, "support");
    stage.science = demo_authorization(stage.folder, "science");
    stage.audit = demo_authorization(stage.folder, "audit");
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    return 0;
}

static int stage_close(void **state)
{
    const char *const check[] = {"db", "check", "--data", stage.folder, NULL};
    char *output;

    (void)state;
    assert_int_equal(live_server_stop(&stage.server), 0);
    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
    free(stage.support);
    free(stage.science);
    free(stage.audit);
    free(stage.folder);
    return 0;
}

/* --- decide and report ------------------------------------------------------------------------ */

static void decide(struct http_client *client, const char *key, char id[static ID_ROOM])
{
    json_t *asked = demo_case(stage.folder);
    char *body = json_dumps(asked, JSON_COMPACT);
    struct live_reply reply = live_ask(client, &(struct live_request){
                                                   .method = "POST",
                                                   .path = "/v1/decisions",
                                                   .authorization = stage.support,
                                                   .key = key,
                                                   .body = body,
                                               });

    assert_int_equal(reply.response.status, 201);
    snprintf(id, ID_ROOM, "%s", reply_text(&reply, "id"));
    live_reply_free(&reply);
    free(body);
    json_decref(asked);
}

/* False when the server did not answer. */
static bool report(struct http_client *client, const char *id, int value, int *status)
{
    char body[256];
    struct live_reply reply;
    bool is_answered;

    snprintf(body, sizeof body,
             "{\"decision_id\": \"%s\", \"metric\": \"value\", \"value\": %d,"
             " \"occurred_at\": \"2025-12-01T00:00:00Z\"}\n"
             "{\"decision_id\": \"%s\", \"metric\": \"claims\", \"value\": 0,"
             " \"occurred_at\": \"2025-12-01T00:00:00Z\"}\n",
             id, value, id);
    is_answered = live_call(client,
                            &(struct live_request){.method = "POST",
                                                   .path = "/v1/outcomes",
                                                   .authorization = stage.science,
                                                   .content_type = "application/x-ndjson",
                                                   .body = body},
                            &reply);
    *status = reply.response.status;
    live_reply_free(&reply);
    return is_answered;
}

/* --- exports ---------------------------------------------------------------------------------- */

static struct live_reply export_of(struct http_client *client, const char *path)
{
    return live_ask(client, &(struct live_request){.method = "GET",
                                                   .path = path,
                                                   .authorization = stage.audit});
}

/* Each line is a decision of its own that has both outcomes or none. Returns how many
 * have. */
static int check_log(const struct http_response *response, int *line_count)
{
    char *text = strdup(response->body), *rest = NULL, before[ID_ROOM] = "";
    int with_outcomes = 0;

    *line_count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        json_t *row = json_loads(line, 0, NULL);
        const json_t *outcomes = json_object_get(row, "outcomes");
        const char *id = json_string_value(json_object_get(row, "decision_id"));
        size_t count = json_object_size(outcomes);

        assert_non_null(id);
        assert_true(strcmp(id, before) > 0); /* ids rise with time */
        snprintf(before, sizeof before, "%s", id);
        if (count != 0 && count != 2)
            fail_msg("half an answer is stored: %s", line);
        with_outcomes += count == 2;
        ++*line_count;
        json_decref(row);
    }
    free(text);
    return with_outcomes;
}

static long resident_kb(pid_t pid)
{
    char path[64], line[256];
    long kb = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld kB", &kb) == 1)
            break;
    fclose(file);
    return kb;
}

/* --- threads ---------------------------------------------------------------------------------- */

static void *reporter(void *argument)
{
    int number = *(const int *)argument, status;
    struct http_client *client = http_client_open(stage.server.listen);

    for (int i = 0; i < DECISIONS_EACH; i++) {
        char key[32], id[ID_ROOM];

        snprintf(key, sizeof key, "r-%d-%d", number, i);
        decide(client, key, id);
        assert_true(report(client, id, i, &status));
        assert_int_equal(status, 201);
        memcpy(stage.ids[atomic_fetch_add(&stage.id_count, 1)], id, ID_ROOM);
    }
    http_client_close(client);
    return NULL;
}

static void *exporter(void *argument)
{
    static const char *const paths[] = {"/v1/exports/decisions",
                                        "/v1/exports/decisions?format=csv",
                                        "/v1/exports/ledger", "/v1/exports/audit"};
    struct http_client *client = http_client_open(stage.server.listen);

    (void)argument;
    for (int i = 0; !atomic_load(&stage.is_over) ||
                    atomic_load(&stage.export_count) < EXPORT_COUNT_MIN;
         i++) {
        const char *path = paths[i % 4];
        int known = atomic_load(&stage.id_count), line_count;
        struct live_reply reply = export_of(client, path);

        if (reply.response.status == 200 && i % 4 == 0)
            assert_true(check_log(&reply.response, &line_count) >= known);
        if (reply.response.status == 200)
            atomic_fetch_add(&stage.export_count, 1);
        else
            assert_int_equal(reply.response.status, 503);
        live_reply_free(&reply);
    }
    http_client_close(client);
    return NULL;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void nothing_is_lost_or_halved_while_all_comes_at_once(void **state)
{
    pthread_t reporters[REPORTER_COUNT], exporters[2];
    int numbers[REPORTER_COUNT], line_count, with_outcomes;
    long before_kb = resident_kb(stage.server.pid), after_kb;
    struct http_client *client;
    struct live_reply reply;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&exporters[i], NULL, exporter, NULL), 0);
    for (int i = 0; i < REPORTER_COUNT; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&reporters[i], NULL, reporter, &numbers[i]), 0);
    }
    for (int i = 0; i < REPORTER_COUNT; i++)
        pthread_join(reporters[i], NULL);
    atomic_store(&stage.is_over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(exporters[i], NULL);
    after_kb = resident_kb(stage.server.pid);
    client = http_client_open(stage.server.listen);
    reply = export_of(client, "/v1/exports/decisions");
    with_outcomes = check_log(&reply.response, &line_count);
    assert_int_equal(line_count, REPORTER_COUNT * DECISIONS_EACH);
    assert_int_equal(with_outcomes, line_count);
    for (int i = 0; i < line_count; i++)
        assert_non_null(strstr(reply.response.body, stage.ids[i]));
    printf("  %d exports beside %d decisions, %ld MB more memory\n",
           atomic_load(&stage.export_count), line_count, (after_kb - before_kb) / 1024);
    /* What the address sanitizer keeps of freed memory is not ours. */
#ifndef __SANITIZE_ADDRESS__
    assert_true(after_kb - before_kb < GROWTH_KB_MAX);
#endif
    live_reply_free(&reply);
    http_client_close(client);
}

/* Kill it between two outcomes: each that was acknowledged is there, and none is there by
 * half. */
static void what_was_acknowledged_outlives_a_kill(void **state)
{
    (void)state;
    for (int round = 0; round < KILL_ROUNDS; round++) {
        struct http_client *client = http_client_open(stage.server.listen);
        char ids[40][ID_ROOM];
        int acknowledged = 0, line_count, status;
        struct live_reply reply;

        for (int i = 0; i < 40; i++) {
            char key[32];

            snprintf(key, sizeof key, "k-%d-%d", round, i);
            decide(client, key, ids[i]);
        }
        for (int i = 0; i < 40; i++) {
            if (i == 10 + 7 * round)
                live_server_kill(&stage.server);
            if (!report(client, ids[i], i, &status))
                break;
            assert_int_equal(status, 201);
            acknowledged++;
        }
        http_client_close(client);
        assert_int_equal(acknowledged, 10 + 7 * round);
        assert_true(live_server_start(stage.folder, NULL, &stage.server));
        client = http_client_open(stage.server.listen);
        reply = export_of(client, "/v1/exports/decisions");
        (void)check_log(&reply.response, &line_count);
        live_reply_free(&reply);
        for (int i = 0; i < 40; i++) {
            assert_true(report(client, ids[i], i, &status)); /* all again */
            assert_int_equal(status, i < acknowledged ? 200 : 201);
        }
        http_client_close(client);
    }
}

/* A row that is not what was written, far behind the first: the client is told, not
 * spared. */
static void damage_on_the_way_cuts_the_answer(void **state)
{
    const struct http_header headers[] = {{"Authorization", stage.audit}, {NULL, NULL}};
    struct http_client *client = http_client_open(stage.server.listen);
    struct http_response response;
    char path[256];

    (void)state;
    snprintf(path, sizeof path, "%s/redress.db", stage.folder);
    tamper(path, "UPDATE decisions SET issue = 'late_deliverY' WHERE number = 100");
    assert_false(
        http_call(client, "GET", "/v1/exports/decisions", headers, NULL, 0, &response));
    tamper(path, "UPDATE decisions SET issue = 'late_delivery' WHERE number = 100");
    assert_true(
        http_call(client, "GET", "/v1/exports/decisions", headers, NULL, 0, &response));
    assert_int_equal(response.status, 200);
    http_response_free(&response);
    http_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_or_halved_while_all_comes_at_once),
        cmocka_unit_test(what_was_acknowledged_outlives_a_kill),
        cmocka_unit_test(damage_on_the_way_cuts_the_answer),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
