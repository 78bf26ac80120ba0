/* case_stream.c - see case_stream.h. */
#include "support/case_stream.h"

#include "support/http_client.h"
#include "support/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECTION_COUNT_MAX = 64, PATH_BYTES = 4096 };

static void must(bool is_well, const char *what, const char *why)
{
    if (is_well)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static char *text_of_json(const json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : strdup("");

    must(text != NULL, "json", "no memory");
    return text;
}

char *admin_make(const char *folder)
{
    const char *const arguments[] = {"key",   "create",  "--data", folder, "--name",
                                     "admin", "--scope", "admin",  NULL};
    char *output, *authorization;

    must(program_run(arguments, NULL, &output) == 0, folder, "no key was made");
    output[strcspn(output, "\n")] = '\0';
    must(asprintf(&authorization, "Bearer %s", output) > 0, folder, "no memory");
    free(output);
    return authorization;
}

json_t *server_call(const char *listen, const char *authorization, const char *method,
                    const char *path, json_t *body, int status)
{
    static atomic_int key_count;
    char key[32];
    const struct http_header headers[] = {{"Authorization", authorization},
                                          {"Idempotency-Key", key},
                                          {"Content-Type", "application/json"},
                                          {0}};
    struct http_client *client = http_client_open(listen);
    struct http_response response;
    char *text = text_of_json(body);
    json_t *reply;

    must(client != NULL, listen, "is not an address");
    snprintf(key, sizeof key, "call-%d", atomic_fetch_add(&key_count, 1));
    must(http_call(client, method, path, headers, text, strlen(text), &response), path,
         http_client_trouble(client));
    must(response.status == status, path, response.body);
    reply = json_loads(response.body, 0, NULL);
    must(reply != NULL, path, "the answer is not JSON");
    http_response_free(&response);
    http_client_close(client);
    free(text);
    json_decref(body);
    return reply;
}

/* --- models --------------------------------------------------------------------------------- */

static json_t *read_json(const char *folder, const char *name)
{
    char path[PATH_BYTES];
    json_error_t error;
    json_t *json;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    json = json_load_file(path, 0, &error);
    must(json != NULL, path, error.text);
    return json;
}

/* A file as it is, to the byte. */
static json_t *read_text(const char *folder, const char *name)
{
    char path[PATH_BYTES], *text = NULL;
    size_t room = 0;
    json_t *member;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "re");
    must(file && getdelim(&text, &room, '\0', file) > 0, path, "cannot be read");
    fclose(file);
    member = json_pack("{s:s}", "text", text);
    must(member != NULL, path, "is not UTF-8");
    free(text);
    return member;
}

void model_install(const char *listen, const char *authorization, const char *name,
                   const char *folder)
{
    json_t *manifest = read_json(folder, "manifest.json"), *files = json_object(), *reply;
    json_t *components = json_object_get(manifest, "components"), *component;
    char path[PATH_BYTES];
    json_int_t version;
    size_t i;

    json_array_foreach(components, i, component)
    {
        const char *file = json_string_value(json_object_get(component, "file"));

        must(file != NULL, folder, "has a component without a file");
        json_object_set_new(files, file, read_text(folder, file));
    }
    snprintf(path, sizeof path, "/v1/models/%s/versions", name);
    reply =
        server_call(listen, authorization, "POST", path,
                    json_pack("{s:o, s:o}", "manifest", manifest, "files", files), 201);
    version = json_integer_value(json_object_get(reply, "version"));
    json_decref(reply);
    snprintf(path, sizeof path, "/v1/models/%s/aliases/champion", name);
    json_decref(server_call(listen, authorization, "PUT", path,
                            json_pack("{s:I, s:s}", "version", version, "reason", "test"),
                            200));
}

/* --- the stream ----------------------------------------------------------------------------- */

struct work {
    const struct stream *stream;
    char *const *cases;
    int count;
    struct stream_answer *answers;
    atomic_int taken_count, answered_count;
};

static double number_in(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void read_answer(const struct http_response *response, bool is_dry_run,
                        struct stream_answer *answer)
{
    json_t *reply = json_loads(response->body, 0, NULL);
    json_t *budget, *option;
    size_t i;

    must(response->status == (is_dry_run ? 200 : 201) && reply, "decision",
         response->body);
    answer->amount = json_integer_value(json_object_get(reply, "amount"));
    answer->option_count = 0;
    json_array_foreach(json_object_get(reply, "options"), i, option)
    {
        must(i < STREAM_OPTION_COUNT_MAX, "decision", "too many options");
        answer->options[answer->option_count++] = (struct stream_option){
            .amount = json_integer_value(json_object_get(option, "amount")),
            .effect = number_in(option, "effect"),
            .cost = number_in(option, "cost")};
    }
    answer->price = 0;
    json_array_foreach(json_object_get(reply, "budgets"), i, budget)
    {
        answer->price += number_in(budget, "shadow_price");
    }
    json_decref(reply);
}

static void *decide_some(void *argument)
{
    struct work *work = argument;
    const struct stream *stream = work->stream;
    const char *path =
        stream->is_dry_run ? "/v1/decisions?dry_run=true" : "/v1/decisions";
    struct http_client *client = http_client_open(stream->listen);
    struct http_response response;
    char key[32];
    const struct http_header headers[] = {{"Authorization", stream->authorization},
                                          {"Idempotency-Key", key},
                                          {"Content-Type", "application/json"},
                                          {0}};
    int i;

    must(client != NULL, stream->listen, "is not an address");
    while ((i = atomic_fetch_add(&work->taken_count, 1)) < work->count) {
        snprintf(key, sizeof key, "case-%d", i);
        must(http_call(client, "POST", path, headers, work->cases[i],
                       strlen(work->cases[i]), &response),
             "decision", http_client_trouble(client));
        work->answers[i].sequence = atomic_fetch_add(&work->answered_count, 1);
        read_answer(&response, stream->is_dry_run, &work->answers[i]);
        http_response_free(&response);
    }
    http_client_close(client);
    return NULL;
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void stream_decide(struct stream *stream, char *const *cases, int count,
                   struct stream_answer *answers)
{
    struct work work = {
        .stream = stream, .cases = cases, .count = count, .answers = answers};
    pthread_t threads[CONNECTION_COUNT_MAX];
    double started_s = now_s();

    must(stream->connection_count <= CONNECTION_COUNT_MAX, "stream", "too many");
    for (int i = 0; i < stream->connection_count; i++)
        must(pthread_create(&threads[i], NULL, decide_some, &work) == 0, "stream",
             "no thread");
    for (int i = 0; i < stream->connection_count; i++)
        pthread_join(threads[i], NULL);
    stream->seconds = now_s() - started_s;
}
