#include "support/door.h"

#include "support/api_call.h"
#include "support/live_call.h"
#include "support/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct door door_inside(struct service *service)
{
    return (struct door){.service = service};
}

struct door door_outside(const char *address, const char *authorization)
{
    struct door door = {.client = http_client_open(address),
                        .authorization = authorization};

    if (!door.client)
        abort();
    return door;
}

void door_close(struct door *door)
{
    if (door->client)
        http_client_close(door->client);
    *door = (struct door){0};
}

/* --- asking ----------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void ask_inside(struct door *door, const struct asked *asked, struct said *said)
{
    struct api_reply reply = api_call(door->service, asked->method, asked->path,
                                      asked->key, asked->if_match, asked->body);

    said->status = reply.status;
    said->is_replayed = reply.is_replayed;
    said->text = reply.text; /* taken over */
    said->json = reply.json;
}

static void ask_outside(struct door *door, const struct asked *asked, struct said *said)
{
    struct live_reply reply = live_ask(
        door->client, &(struct live_request){.method = asked->method,
                                             .path = asked->path,
                                             .authorization = door->authorization,
                                             .key = asked->key,
                                             .if_match = asked->if_match,
                                             .body = asked->body});

    said->status = reply.response.status;
    said->is_replayed = reply_is_replayed(&reply);
    said->text = strdup(reply.response.body ? reply.response.body : "");
    said->json = json_incref(reply.json);
    live_reply_free(&reply);
}

struct said door_ask(struct door *door, const struct asked *asked)
{
    struct said said = {.called_ns = now_ns()};
    const char *code;

    if (door->service)
        ask_inside(door, asked, &said);
    else
        ask_outside(door, asked, &said);
    said.returned_ns = now_ns();
    code = json_string_value(json_object_get(said.json, "code"));
    if (code && said.status >= 400)
        snprintf(said.code, sizeof said.code, "%s", code);
    return said;
}

struct said door_must(struct door *door, int status, const struct asked *asked)
{
    struct said said = door_ask(door, asked);

    if (said.status == status)
        return said;
    fprintf(stderr, "%s %s: %d in place of %d: %s\n", asked->method, asked->path,
            said.status, status, said.text);
    abort();
}

struct said door_get(struct door *door, const char *path)
{
    return door_must(door, 200, &(struct asked){.method = "GET", .path = path});
}

void said_free(struct said *said)
{
    free(said->text);
    json_decref(said->json);
    *said = (struct said){0};
}

int64_t said_int(const struct said *said, const char *member)
{
    const json_t *value = json_object_get(said->json, member);

    return json_is_integer(value) ? json_integer_value(value) : INT64_MIN;
}

int64_t said_remaining(const struct said *said, const char *budget)
{
    const json_t *budgets = json_object_get(said->json, "budgets"), *item;
    size_t i;

    json_array_foreach(budgets, i, item)
    {
        const char *id = json_string_value(json_object_get(item, "id"));

        if (id && strcmp(id, budget) == 0)
            return json_integer_value(json_object_get(item, "remaining"));
    }
    return INT64_MIN;
}

/* --- a world ---------------------------------------------------------------------------------- */

char *admin_authorization(const char *folder)
{
    const char *const create[] = {"key",   "create", "--name", "admin", "--scope",
                                  "admin", "--data", folder,   NULL};
    char *key, *messages, *value;

    if (program_run_messages(create, NULL, &key, &messages) != 0 ||
        asprintf(&value, "Bearer %.*s", (int)strcspn(key, "\n"), key) < 0)
        abort();
    free(key);
    free(messages);
    return value;
}

static void must(struct door *door, int status, struct asked asked)
{
    struct said said = door_must(door, status, &asked);

    said_free(&said);
}

#define ARM(name, dose) "{\"name\": \"" name "\", \"dose\": " dose "}"
#define COMPONENT(arm)                                                                   \
    "{\"role\": \"tau\", \"arm\": \"" arm "\", \"file\": \"" arm ".json\"}"
#define WEIGHTS(arm, weight)                                                             \
    "\"" arm ".json\": {\"json\": {\"format\": \"redress-linear/1\", \"weights\": "      \
    "[" weight "], \"intercept\": 0}}"

void door_fill(struct door *door)
{
    must(
        door, 201,
        (struct asked){
            .method = "POST",
            .path = "/v1/models/serial/versions",
            .body =
                "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": "
                "\"serial\", \"kind\": \"effect\", \"learner\": \"effect\", "
                "\"features\": [{\"name\": \"need\", \"type\": \"float\", "
                "\"missing\": \"allow\"}], \"arms\": [" ARM("a", "500") ", " ARM(
                    "b",
                    "10"
                    "0"
                    "0") "], \"components\": [" COMPONENT("a") ", " COMPONENT("b") "], "
                                                                                   "\"exa"
                                                                                   "mples"
                                                                                   "\": "
                                                                                   "{\"ro"
                                                                                   "ws\":"
                                                                                   " [[2]"
                                                                                   "], "
                                                                                   "\"eff"
                                                                                   "ects"
                                                                                   "\": "
                                                                                   "[["
                                                                                   "1800,"
                                                                                   " 3400"
                                                                                   "]]}},"
                                                                                   " \"fi"
                                                                                   "les\""
                                                                                   ": "
                                                                                   "{" WEIGHTS("a", "900") ", " WEIGHTS(
                                                                                       "b",
                                                                                       "1"
                                                                                       "7"
                                                                                       "0"
                                                                                       "0") "}}"});
    must(door, 200,
         (struct asked){.method = "PUT",
                        .path = "/v1/models/serial/aliases/champion",
                        .body = "{\"version\": 1, \"reason\": \"first\"}"});
    must(door, 201,
         (struct asked){.method = "PUT",
                        .path = "/v1/policies/serial",
                        .body = "{\"currency\": \"USD\", \"model\": \"serial\", "
                                "\"priority\": 9, \"scope\": {\"market\": \"serial\"}, "
                                "\"menu\": {\"amounts\": [500, 1000]}}"});
}

void door_add_budget(struct door *door, const char *id, const char *issue, int64_t limit)
{
    char body[512];

    snprintf(body, sizeof body,
             "{\"id\": \"%s\", \"scope\": {\"market\": \"serial\"%s%s%s}, \"period\": "
             "\"total\", \"limit\": %" PRId64 ", \"currency\": \"USD\"}",
             id, issue ? ", \"issue\": \"" : "", issue ? issue : "", issue ? "\"" : "",
             limit);
    must(door, 201,
         (struct asked){.method = "POST", .path = "/v1/budgets", .body = body});
}

void case_text(char text[static CASE_TEXT_BYTES], const char *customer, const char *issue,
               bool is_in_need)
{
    snprintf(text, CASE_TEXT_BYTES,
             "{\"case_id\": \"k\", \"customer_id\": \"%s\", \"currency\": \"USD\", "
             "\"order_amount\": 4000, \"issue\": \"%s\", \"market\": \"serial\", "
             "\"features\": {\"need\": %d}}",
             customer, issue, is_in_need);
}
