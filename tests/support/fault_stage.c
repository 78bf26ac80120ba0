#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault_stage.h"
#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct fault_stage stage;

enum { END_MS = 60000, RECOVER_COUNT_MAX = 2400, RECOVER_PAUSE_US = 25000 };

#define CASE  "<case>"
#define CASES "<cases>"
#define SPARE_POLICY                                                                     \
    "{\"currency\": \"USD\", \"scope\": {\"market\": \"nowhere\"}, "                     \
    "\"menu\": {\"amounts\": [500, 1000]}, \"caps\": [{\"order_share\": 1}]}"

const struct operation operations[] = {
    {"decide", "POST", "/v1/decisions", CASE, 201, false},
    {"settle", "POST", "/v1/decisions/%s/settle", "{\"amount\": 100}", 200, false},
    {"release", "POST", "/v1/decisions/%s/release", "{\"reason_code\": \"x\"}", 200,
     false},
    {"override", "POST", "/v1/decisions/%s/override",
     "{\"amount\": 300, \"reason_code\": \"x\", \"note\": \"n\"}", 201, false},
    {"batch", "POST", "/v1/decision-batches", CASES, 201, false},
    {"limit", "PUT", "/v1/budgets/bud_us_ca_late",
     "{\"scope\": {\"market\": \"us-ca\", \"issue\": \"late_delivery\"}, "
     "\"limit\": 900000001}",
     200, false},
    {"adjust", "POST", "/v1/budgets/bud_us_ca_late/adjustments",
     "{\"amount\": 1, \"reason_code\": \"x\", \"note\": \"n\"}", 201, false},
    {"policy", "PUT", "/v1/policies/spare", SPARE_POLICY, 200, false},
    {"push", "POST", "/v1/models/m/versions",
     "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"m\","
     " \"kind\": \"effect\", \"metadata\": {\"number\": <number>},"
     " \"features\": [{\"name\": \"need\", \"type\": \"float\"}],"
     " \"arms\": [{\"name\": \"a500\", \"dose\": 500}],"
     " \"components\": [{\"role\": \"tau\", \"arm\": \"a500\","
     " \"file\": \"a500.json\"}],"
     " \"examples\": {\"rows\": [[2]], \"effects\": [[4]]}},"
     " \"files\": {\"a500.json\": {\"json\": {\"format\": \"redress-linear/1\","
     " \"weights\": [2], \"intercept\": 0}}}}",
     201, false},
    {"key", "POST", "/v1/api-keys", "{\"name\": \"n\", \"scopes\": [\"read\"]}", 201,
     true},
    {"budgets", "GET", "/v1/budgets", NULL, 200, false},
    {"budget", "GET", "/v1/budgets/bud_us_ca_late", NULL, 200, false},
    {"decisions", "GET", "/v1/decisions?limit=20&order=asc", NULL, 200, false},
    {"entries", "GET", "/v1/ledger-entries?limit=20", NULL, 200, false},
    {"events", "GET", "/v1/audit-events?limit=20", NULL, 200, false},
    {"policies", "GET", "/v1/policies/goodwill", NULL, 200, false},
    {"models", "GET", "/v1/models/credit_uplift/versions/1", NULL, 200, false},
    {"replay", "POST", "/v1/decisions/%s/replay", NULL, 200, false},
};
const int operation_count = sizeof operations / sizeof operations[0];

/* --- requests --------------------------------------------------------------------------------- */

static json_t *case_make(long number, int index)
{
    static const char *const names[] = {"case_id", "customer_id", "order_id"};
    json_t *asked = demo_case(stage.folder);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_object_set_new(asked, names[i], json_sprintf("x_%ld_%d", number, index));
    return asked;
}

/* The text with the number in place of its mark, if it has one. */
static char *numbered(const char *body, long number)
{
    static const char mark[] = "<number>";
    const char *at = strstr(body, mark);
    char *text = NULL;

    if (!at)
        return strdup(body);
    assert_true(asprintf(&text, "%.*s%ld%s", (int)(at - body), body, number,
                         at + sizeof mark - 1) > 0);
    return text;
}

static char *body_make(const char *body, long number)
{
    json_t *root;
    char *text;

    if (!body || (strcmp(body, CASE) != 0 && strcmp(body, CASES) != 0))
        return body ? numbered(body, number) : NULL;
    if (strcmp(body, CASE) == 0)
        root = case_make(number, 0);
    else
        root = json_pack("{s:[o,o,o]}", "cases", case_make(number, 0),
                         case_make(number, 1), case_make(number, 2));
    text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(root);
    return text;
}

static void hold_one(void)
{
    struct request request = request_make(&operations[0]);
    struct live_reply reply = request_insist(&request);

    assert_string_equal(reply_text(&reply, "status"), "held");
    snprintf(stage.decision, sizeof stage.decision, "%s", reply_text(&reply, "id"));
    live_reply_free(&reply);
    request_free(&request);
}

struct request request_make(const struct operation *operation)
{
    struct request request = {.operation = operation};
    const char *mark = strstr(operation->path, "%s");

    if (mark)
        hold_one();
    request.body = body_make(operation->body, stage.number);
    if (mark)
        snprintf(request.path, sizeof request.path, "%.*s%s%s",
                 (int)(mark - operation->path), operation->path, stage.decision,
                 mark + 2);
    else
        snprintf(request.path, sizeof request.path, "%s", operation->path);
    snprintf(request.key, sizeof request.key, "f-%ld", stage.number++);
    return request;
}

void request_free(struct request *request)
{
    free(request->body);
    request->body = NULL;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool send_as(const char *authorization, const struct request *request,
                    struct live_reply *reply)
{
    bool is_put = strcmp(request->operation->method, "PUT") == 0;
    bool is_get = strcmp(request->operation->method, "GET") == 0;
    const struct live_request sent = {.method = request->operation->method,
                                      .path = request->path,
                                      .authorization = authorization,
                                      .key = is_get ? NULL : request->key,
                                      .if_match = is_put ? "*" : NULL,
                                      .body = request->body};
    int64_t start_ms = now_ms();
    bool is_answered = live_call(stage.client, &sent, reply);

    if (!is_answered && now_ms() - start_ms >= HTTP_CLIENT_TIMEOUT_S * 900)
        fail_msg("%s: no answer to %s in %d s", stage.what, request->operation->name,
                 HTTP_CLIENT_TIMEOUT_S);
    return is_answered;
}

bool request_send(const struct request *request, struct live_reply *reply)
{
    return send_as(stage.admin, request, reply);
}

bool answer_judge(const struct request *request, const struct live_reply *reply)
{
    int status = reply->response.status;

    if (status == request->operation->status) {
        if (!reply->json)
            fail_msg("%s: %d, but no JSON: %s", stage.what, status, reply->response.body);
        return true;
    }
    if (status != 503 || !http_response_header(&reply->response, "Retry-After") ||
        (reply->json && !*reply_text(reply, "code")))
        fail_msg("%s: %d %s", stage.what, status, reply->response.body);
    return false;
}

struct live_reply request_insist(const struct request *request)
{
    struct live_reply reply;

    for (int i = 0; i < RECOVER_COUNT_MAX; i++) {
        if (request_send(request, &reply)) {
            if (reply.response.status == request->operation->status)
                return reply;
            if (reply.response.status != 503 && reply.response.status != 409)
                fail_msg("%s, %s again: %d %s", stage.what, request->operation->name,
                         reply.response.status, reply.response.body);
            live_reply_free(&reply);
        }
        stage_recover();
    }
    fail_msg("%s: %s cannot be done any more", stage.what, request->operation->name);
    return reply;
}

/* --- the server ------------------------------------------------------------------------------- */

void stage_start(void)
{
    fault_plan_preload(true);
    if (!live_server_start(stage.folder, NULL, &stage.server))
        fail_msg("the server does not start");
    fault_plan_preload(false);
    stage_meet();
}

void stage_meet(void)
{
    http_client_close(stage.client);
    stage.client = http_client_open(stage.server.listen);
}

static void put(const char *path, const char *if_match, const char *body)
{
    struct live_reply reply =
        live_ask(stage.client, &(struct live_request){.method = "PUT",
                                                      .path = path,
                                                      .authorization = stage.admin,
                                                      .if_match = if_match,
                                                      .body = body});

    if (reply.response.status / 100 != 2)
        fail_msg("%s: %d %s", path, reply.response.status, reply.response.body);
    live_reply_free(&reply);
}

/* Room in the budgets, and the policy that is changed. */
static void furnish(void)
{
    put("/v1/budgets/bud_us_ca_late", "*", "{\"limit\": 900000000}");
    put("/v1/budgets/bud_all", "*", "{\"limit\": 900000000}");
    put("/v1/policies/spare", NULL, SPARE_POLICY);
}

/* The test has to see what the server says, though its disk may be full. */
static void log_elsewhere(void)
{
    char *folder = folder_temporary(), to[256], from[256];

    snprintf(to, sizeof to, "%s/serve.log", folder);
    snprintf(from, sizeof from, "%s/serve.log", stage.folder);
    assert_int_equal(symlink(to, from), 0);
    free(folder);
}

void stage_open(const char *under)
{
    if (under)
        assert_true(asprintf(&stage.folder, "%s/data", under) > 0);
    else
        stage.folder = folder_temporary();
    assert_true(demo_make(stage.folder));
    if (under)
        log_elsewhere();
    stage.admin = demo_authorization(stage.folder, "admin");
    stage.plan = fault_plan_make(stage.folder);
    assert_non_null(stage.plan);
    stage_start();
    furnish();
}

void stage_close(void)
{
    if (stage.server.pid)
        assert_int_equal(live_server_stop(&stage.server), 0);
    stage_check();
    http_client_close(stage.client);
    free(stage.admin);
    free(stage.folder);
    stage = (struct fault_stage){0};
}

bool stage_is_ready(void)
{
    struct http_client *client = http_client_open(stage.server.health_listen);
    struct http_response response = {0};
    bool is_answered = http_call(client, "GET", "/readyz", NULL, NULL, 0, &response);
    bool is_ready = is_answered && response.status == 200;

    snprintf(stage.health, sizeof stage.health, "%s",
             is_answered ? response.body : "no answer");
    http_response_free(&response);
    http_client_close(client);
    return is_ready;
}

bool stage_recover(void)
{
    int code;

    if (!live_server_ended(&stage.server, 0, &code)) {
        if (stage_is_ready())
            return false;
        if (!live_server_ended(&stage.server, END_MS, &code)) {
            if (stage_is_ready())
                return false;
            fail_msg("%s: neither ready nor gone: %s", stage.what, stage.health);
        }
    }
    if (code != 1)
        fail_msg("%s: the server ended with %d", stage.what, code);
    stage.restart_count++;
    stage_start();
    return true;
}

/* --- what is there ---------------------------------------------------------------------------- */

char *money_read(void)
{
    static const struct operation list = {"money", "GET", "/v1/budgets?limit=200",
                                          NULL,    200,   false};
    struct request request = {.operation = &list, .path = "/v1/budgets?limit=200"};
    struct live_reply reply = request_insist(&request);
    char *text = strdup("");
    json_t *budget;
    size_t index;

    json_array_foreach(json_object_get(reply.json, "data"), index, budget)
    {
        const char *id;
        json_int_t limit, held, spent, unfunded;
        char *longer;

        assert_int_equal(json_unpack(budget, "{s:s, s:I, s:I, s:I, s:I}", "id", &id,
                                     "limit", &limit, "held", &held, "spent", &spent,
                                     "unfunded", &unfunded),
                         0);
        assert_true(held + spent <= limit);
        assert_true(asprintf(&longer, "%s%s %lld %lld %lld %lld\n", text, id, limit, held,
                             spent, unfunded) > 0);
        free(text);
        text = longer;
    }
    live_reply_free(&reply);
    return text;
}

void stage_check(void)
{
    const char *const arguments[] = {"db", "check", "--data", stage.folder, NULL};
    char *output;

    if (program_run(arguments, NULL, &output) != 0)
        fail_msg("%s: %s", stage.what, output);
    free(output);
}
