/* test_openapi_answers.c - the service answers, and refuses, as docs/openapi.json
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/json_schema.h"
#include "support/service_fixture.h"

#include "base/clock.h"
#include "http/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUTE_COUNT_MAX = 128, PATH_BYTES_MAX = 512 };

static struct running *running;
static json_t *document;
static bool was_answered[ROUTE_COUNT_MAX]; /* with what was asked for, by route */
static json_t *seen;                       /* names of members in answers */

static int open_service(void **state)
{
    struct api_reply reply;

    (void)state;
    seen = json_object();
    running = running_open();
    /* Chance takes part, and always takes the best: what is answered stays the same. */
    service_fill(running->service,
                 ", \"customer_limits\": [{\"window\": \"30d\", \"count\": 3}],"
                 " \"exploration\": {\"epsilon\": 0, \"max_amount\": 500}",
                 100000);
    reply = api_call_as(running->service, NULL, "GET", "/openapi.json", NULL, NULL);
    document = json_incref(reply.json);
    api_reply_free(&reply);
    return document ? 0 : -1;
}

static int close_service(void **state)
{
    (void)state;
    json_decref(seen);
    json_decref(document);
    running_close(running);
    return 0;
}

/* --- what an operation says ------------------------------------------------------------------- */

static const json_t *member(const json_t *object, const char *name)
{
    return schema_resolve(document, json_object_get(object, name));
}

static const json_t *operation_of(const struct route *route)
{
    char method[16] = "";

    for (size_t i = 0; route->method[i]; i++)
        method[i] = (char)(route->method[i] | 0x20);
    return member(member(member(document, "paths"), route->path), method);
}

static const json_t *request_schema(const json_t *operation)
{
    const json_t *content = member(member(operation, "requestBody"), "content");

    return member(member(content, "application/json"), "schema");
}

static const json_t *response_of(const json_t *operation, int status)
{
    const json_t *responses = member(operation, "responses"), *found;
    char number[12];

    snprintf(number, sizeof number, "%d", status);
    found = member(responses, number);
    return found ? found : member(responses, "default");
}

struct asked {
    const char *method, *path, *key, *if_match, *body;
};

static void check_problem(const struct asked *asked, const json_t *response,
                          const struct api_reply *reply)
{
    const json_t *codes = member(response, "x-codes");
    const char *code = json_string_value(member(reply->json, "code"));

    for (size_t i = 0; i < json_array_size(codes); i++)
        if (strcmp(json_string_value(json_array_get(codes, i)), code) == 0)
            return;
    fail_msg("%s %s: %d %s is not described", asked->method, asked->path, reply->status,
             code);
}

static void check_headers(const struct asked *asked, const json_t *response,
                          const struct api_reply *reply)
{
    const json_t *headers = member(response, "headers");
    bool says_etag = json_object_get(headers, "ETag");

    if (says_etag != (reply->etag[0] != '\0') && !reply->is_replayed)
        fail_msg("%s %s: ETag %s", asked->method, asked->path,
                 says_etag ? "is missing" : "is not described");
    if (reply->is_replayed && !json_object_get(headers, "Idempotency-Replayed"))
        fail_msg("%s %s: Idempotency-Replayed is not described", asked->method,
                 asked->path);
}

static void see(const json_t *value)
{
    const char *name;
    json_t *inner;

    for (size_t i = 0; i < json_array_size(value); i++)
        see(json_array_get(value, i));
    json_object_foreach((json_t *)value, name, inner)
    {
        json_object_set_new(seen, name, json_true());
        see(inner);
    }
}

/* Every line of an export, each a JSON value of its own; of a table nothing more than its
 * columns is described. */
static void check_lines(const struct asked *asked, const json_t *response,
                        const struct api_reply *reply)
{
    const json_t *content = member(response, "content");
    char why[SCHEMA_WHY_BYTES] = "", *text = strdup(reply->text), *rest = NULL;
    bool is_table = strstr(asked->path, "format=csv");

    assert_non_null(member(content, "text/csv"));
    for (char *line = strtok_r(text, "\n", &rest); line && !is_table;
         line = strtok_r(NULL, "\n", &rest)) {
        json_t *value = json_loads(line, 0, NULL);

        if (!schema_describes(document,
                              member(member(content, "application/x-ndjson"), "schema"),
                              value, why))
            fail_msg("%s %s: %s in %.300s", asked->method, asked->path, why, line);
        see(value);
        json_decref(value);
    }
    free(text);
}

static void check_reply(const struct asked *asked, const struct route *route,
                        const struct api_reply *reply)
{
    const json_t *operation = operation_of(route);
    const json_t *response = response_of(operation, reply->status);
    bool is_problem = member(reply->json, "code");
    const json_t *content =
        member(member(response, "content"),
               is_problem ? "application/problem+json" : "application/json");
    char why[SCHEMA_WHY_BYTES] = "";

    if (!is_problem && member(member(response, "content"), "application/x-ndjson")) {
        check_lines(asked, response, reply);
        return;
    }
    if (!content)
        fail_msg("%s %s: an answer %d is not described", asked->method, asked->path,
                 reply->status);
    if (!schema_describes(document, member(content, "schema"), reply->json, why))
        fail_msg("%s %s: %d: %s in %.300s", asked->method, asked->path, reply->status,
                 why, reply->text);
    if (is_problem)
        check_problem(asked, response, reply);
    else
        check_headers(asked, response, reply);
}

/* A body that was taken is one that the document allows. */
static void check_request(const struct asked *asked, const struct route *route)
{
    const json_t *schema = request_schema(operation_of(route));
    char why[SCHEMA_WHY_BYTES] = "";
    json_t *body;

    if (!asked->body || !schema || strchr(asked->body, '\n'))
        return; /* of several lines each is such a body */
    body = json_loads(asked->body, 0, NULL);
    if (!schema_accepts(document, schema, body, why))
        fail_msg("%s %s took what is not described: %s in %.300s", asked->method,
                 asked->path, why, asked->body);
    json_decref(body);
}

static const struct route *route_of(const struct asked *asked)
{
    char params[PARAM_COUNT_MAX][PARAM_BYTES], allowed[ALLOW_BYTES], path[PATH_BYTES_MAX];
    const struct route *route;

    snprintf(path, sizeof path, "%.*s", (int)strcspn(asked->path, "?"), asked->path);
    route = route_find(asked->method, path, params, allowed);
    if (!route)
        fail_msg("there is no route for %s %s", asked->method, asked->path);
    return route;
}

static struct api_reply answer_to(struct asked asked)
{
    const struct route *route = route_of(&asked);
    struct api_reply reply = api_call(running->service, asked.method, asked.path,
                                      asked.key, asked.if_match, asked.body);

    check_reply(&asked, route, &reply);
    if (reply.json && strcmp(asked.path, "/openapi.json") != 0)
        see(reply.json);
    if (reply.status < 300) {
        check_request(&asked, route);
        for (int i = 0; route_at(i); i++)
            was_answered[i] = was_answered[i] || route_at(i) == route;
    }
    return reply;
}

/* Ask and forget; it has to come out with this status, and a problem with this code. */
static void expect(int status, const char *code, struct asked asked)
{
    struct api_reply reply = answer_to(asked);
    const char *found = json_string_value(member(reply.json, "code"));

    if (reply.status != status || (code && (!found || strcmp(code, found) != 0)))
        fail_msg("%s %s: %s", asked.method, asked.path, reply.text);
    api_reply_free(&reply);
}

/* The same, and the path of what was made. */
static char *made(const char *parent, const char *what, struct asked asked)
{
    static char path[PATH_BYTES_MAX];
    struct api_reply reply = answer_to(asked);

    assert_int_equal(reply.status, 201);
    snprintf(path, sizeof path, "%s/%s%s", parent,
             json_string_value(member(reply.json, "id")), what);
    api_reply_free(&reply);
    return path;
}

#define GET(path)                 ((struct asked){"GET", path, NULL, NULL, NULL})
#define POST(path, key, body)     ((struct asked){"POST", path, key, NULL, body})
#define PUT(path, if_match, body) ((struct asked){"PUT", path, NULL, if_match, body})
#define DELETE(path, if_match)    ((struct asked){"DELETE", path, NULL, if_match, NULL})

#define CASE(customer, need)                                                             \
    "{\"case_id\": \"k\", \"customer_id\": \"" customer                                  \
    "\", \"order_id\": \"o_" customer                                                    \
    "\", \"currency\": \"USD\", \"order_amount\": 4000, \"entitled_amount\": 100,"       \
    " \"issue\": \"late_delivery\", \"occurred_at\": \"2025-11-20T10:00:00Z\","          \
    " \"features\": {\"need\": " need "}, \"metadata\": {\"agent\": \"a_5\"}}"

/* --- decisions -------------------------------------------------------------------------------- */

static void decisions_are_answered_as_described(void **state)
{
    static const char decisions[] = "/v1/decisions";
    char path[PATH_BYTES_MAX];

    (void)state;
    expect(200, NULL, POST("/v1/decisions?dry_run=true", NULL, CASE("c_1", "1")));
    snprintf(path, sizeof path, "%s",
             made(decisions, "", POST(decisions, "d1", CASE("c_1", "1"))));
    expect(201, NULL, POST(decisions, "d1", CASE("c_1", "1"))); /* replayed */
    expect(422, "idempotency_key_reused", POST(decisions, "d1", CASE("c_2", "1")));
    expect(200, NULL, GET(path));
    strcat(path, "/explanation");
    expect(200, NULL, GET(path));
    strcpy(strrchr(path, '/'), "/replay");
    expect(200, NULL, POST(path, NULL, NULL));
    strcpy(strrchr(path, '/'), "/settle");
    expect(422, "invalid_request", POST(path, "s0", "{\"amount\": 100000}"));
    expect(200, NULL, POST(path, "s1", "{\"amount\": 600, \"external_ref\": \"re_1\"}"));
    expect(409, "decision_not_held", POST(path, "s2", "{}"));
    strcpy(strrchr(path, '/'), "/override");
    expect(409, "decision_settled",
           POST(path, "v0", "{\"amount\": 700, \"reason_code\": \"OTHER\"}"));
    expect(200, NULL,
           GET("/v1/decisions?limit=1&order=desc&outcome=credit&customer_id=c_1&order_id="
               "o_c_1&created_after=2025-01-01T00:00:00Z&created_before=2027-01-01T00:00:"
               "00Z"));
    expect(200, NULL, GET("/v1/customers/c_1/decisions?order=asc"));
    expect(404, "customer_not_found", GET("/v1/customers/nobody/decisions"));
    expect(404, "decision_not_found", GET("/v1/decisions/dec_nothing"));
    expect(422, "invalid_cursor", GET("/v1/decisions?after=dec_nothing"));
}

static void batches_are_answered_as_described(void **state)
{
    static const char batches[] = "/v1/decision-batches";
    static const char both[] = "{\"cases\": [" CASE("c_7", "1") "]}";
    static const char twice[] =
        "{\"cases\": [" CASE("c_7", "1") ", " CASE("c_8", "1") "]}";

    (void)state;
    expect(200, NULL, POST("/v1/decision-batches?dry_run=true", NULL, both));
    expect(201, NULL, POST(batches, "t1", both));
    expect(201, NULL, POST(batches, "t1", both)); /* replayed */
    expect(422, "idempotency_key_reused",
           POST(batches, "t1", "{\"cases\": [" CASE("c_8", "1") "]}"));
    expect(422, "invalid_request", POST(batches, "t2", "{\"cases\": []}"));
    expect(422, "invalid_request", POST(batches, "t3", twice));
    expect(400, "idempotency_key_missing", POST(batches, NULL, both));
}

static void holds_and_overrides_are_answered_as_described(void **state)
{
    static const char decisions[] = "/v1/decisions";
    static const char mine[] =
        "{\"amount\": 700, \"reason_code\": \"GOODWILL\", \"note\": \"again late\"}";
    char path[PATH_BYTES_MAX];

    (void)state;
    snprintf(path, sizeof path, "%s",
             made(decisions, "/override", POST(decisions, "h1", CASE("c_3", "1"))));
    snprintf(path, sizeof path, "%s",
             made(decisions, "/release", POST(path, "h2", mine)));
    expect(200, NULL, POST(path, "h3", "{\"reason_code\": \"DECLINED\"}"));
    expect(409, "decision_not_held", POST(path, "h4", "{\"reason_code\": \"DECLINED\"}"));
    strcpy(strrchr(path, '/'), "/explanation"); /* no model had a say */
    expect(200, NULL, GET(path));
    strcpy(strrchr(path, '/'), "/override");
    expect(200, NULL, PUT("/v1/budgets/bud_all", "*", "{\"limit\": 900}"));
    expect(409, "budget_exhausted",
           POST(path, "h5", "{\"amount\": 1000, \"reason_code\": \"x\"}"));
    expect(200, NULL, PUT("/v1/budgets/bud_all", "*", "{\"limit\": 100000}"));
}

/* What a decision looks like when it is not simply a credit. */
static void other_outcomes_are_answered_as_described(void **state)
{
    static const char missing[] =
        "{\"case_id\": \"k\", \"customer_id\": \"c_9\", \"currency\": \"USD\","
        " \"order_amount\": 4000, \"issue\": \"late_delivery\"}";
    static const char foreign[] =
        "{\"case_id\": \"k\", \"customer_id\": \"c_9\", \"currency\": \"USD\","
        " \"order_amount\": 4000, \"issue\": \"quality\", \"features\": {\"other\": 1}}";
    static const char reviewed[] =
        "{\"currency\": \"USD\", \"model\": \"m\", \"priority\": 9, \"scope\": "
        "{\"issue\":"
        " \"fraud\"}, \"menu\": {\"amounts\": [500]}, \"review\": {\"amount_over\": 1}}";

    (void)state;
    expect(200, NULL, POST("/v1/decisions?dry_run=true", NULL, CASE("c_4", "-1")));
    expect(200, NULL, POST("/v1/decisions?dry_run=true", NULL, missing));
    expect(422, "invalid_request", POST("/v1/decisions?dry_run=true", NULL, foreign));
    expect(201, NULL, PUT("/v1/policies/reviewed", NULL, reviewed));
    expect(200, NULL,
           POST("/v1/decisions?dry_run=true", NULL,
                "{\"case_id\": \"k\", \"customer_id\": \"c_9\", \"currency\": \"USD\","
                " \"order_amount\": 4000, \"entitled_amount\": 90, \"issue\": \"fraud\","
                " \"features\": {\"need\": 2}}"));
    expect(
        201, NULL,
        PUT("/v1/policies/modelless", NULL,
            "{\"currency\": \"USD\", \"priority\": 9, \"scope\": {\"issue\": \"cold\"},"
            " \"menu\": {\"amounts\": [500]}, \"fallback\": {\"amount\": 500}}"));
    expect(200, NULL,
           POST("/v1/decisions?dry_run=true", NULL,
                "{\"case_id\": \"k\", \"customer_id\": \"c_9\", \"currency\": \"USD\","
                " \"order_amount\": 4000, \"issue\": \"cold\"}"));
    expect(201, NULL,
           POST("/v1/decisions", "o1",
                "{\"case_id\": \"k\", \"customer_id\": \"c_8\", \"currency\": \"USD\","
                " \"order_amount\": 900000, \"entitled_amount\": 800000, \"issue\":"
                " \"quality\", \"features\": {\"need\": 2}}")); /* unfunded, blocked */
    expect(422, "invalid_request",
           POST("/v1/decisions?dry_run=true", NULL,
                "{\"case_id\": \"k\", \"customer_id\": \"c_9\", \"currency\": \"EUR\","
                " \"order_amount\": 4000, \"issue\": \"late_delivery\"}"));
}

static void outcomes_and_exports_are_answered_as_described(void **state)
{
    static const char outcomes[] = "/v1/outcomes";
    static const char whole[] =
        "{\"case_id\": \"k\", \"customer_id\": \"c_6\", \"order_id\": \"o\","
        " \"currency\": \"USD\", \"order_amount\": 4000, \"requested_amount\": 900,"
        " \"entitled_amount\": 100, \"issue\": \"late_delivery\", \"market\": \"us\","
        " \"segment\": \"new\", \"channel\": \"chat\", \"occurred_at\":"
        " \"2025-11-20T10:00:00Z\", \"features\": {\"need\": 1}}";
    char decision[PATH_BYTES_MAX], one[400], two[900];
    const char *id;

    (void)state;
    snprintf(decision, sizeof decision, "%s",
             made("/v1/decisions", "", POST("/v1/decisions", "u1", whole)));
    id = strrchr(decision, '/') + 1;
    snprintf(one, sizeof one,
             "{\"decision_id\": \"%s\", \"metric\": \"value_90d\", \"value\": 12.5,"
             " \"occurred_at\": \"2025-10-18T00:00:00Z\"}",
             id);
    snprintf(two, sizeof two,
             "%s\n{\"decision_id\": \"%s\", \"metric\": \"claims\", \"value\": 0,"
             " \"occurred_at\": \"2025-10-18T00:00:00Z\"}\n",
             one, id);
    expect(201, NULL, POST(outcomes, "u2", one));
    expect(201, NULL, POST(outcomes, "u2", one)); /* replayed */
    expect(200, NULL, POST(outcomes, NULL, one));
    expect(422, "idempotency_key_reused", POST(outcomes, "u2", two));
    expect(422, "invalid_request", POST(outcomes, NULL, "{}"));
    expect(400, "malformed_request", POST(outcomes, NULL, "{"));
    *strstr(one, "12.5") = '7';
    expect(409, "outcome_conflict", POST(outcomes, NULL, one));
    expect(201, NULL, (struct asked){"POST", outcomes, NULL, NULL, two});
    expect(200, NULL, GET("/v1/exports/decisions"));
    expect(200, NULL, GET("/v1/exports/decisions?format=csv"));
    expect(200, NULL, GET("/v1/exports/ledger?format=ndjson"));
    expect(200, NULL, GET("/v1/exports/ledger?format=csv"));
    expect(200, NULL, GET("/v1/exports/audit"));
    expect(200, NULL, GET("/v1/exports/audit?format=csv"));
    expect(422, "invalid_request", GET("/v1/exports/audit?format=xml"));
}

/* --- everything else -------------------------------------------------------------------------- */

static void budgets_are_answered_as_described(void **state)
{
    static const char budget[] =
        "{\"id\": \"bud_x\", \"scope\": {\"market\": \"mars\"}, \"period\": \"day\","
        " \"limit\": 1000, \"currency\": \"USD\", \"pacing\": \"even\"}";
    static const char more[] =
        "{\"amount\": 500, \"reason_code\": \"PEAK\", \"note\": \"Black Friday\"}";

    (void)state;
    expect(201, NULL, POST("/v1/budgets", "b1", budget));
    expect(201, NULL, POST("/v1/budgets", "b1", budget)); /* replayed */
    expect(409, "budget_exists", POST("/v1/budgets", NULL, budget));
    expect(200, NULL, GET("/v1/budgets?limit=1&order=asc"));
    expect(200, NULL, GET("/v1/budgets/bud_x"));
    expect(404, "budget_not_found", GET("/v1/budgets/bud_none"));
    expect(428, "precondition_required",
           PUT("/v1/budgets/bud_x", NULL, "{\"limit\": 1}"));
    expect(412, "precondition_failed",
           PUT("/v1/budgets/bud_x", "\"7\"", "{\"limit\": 1}"));
    expect(200, NULL, PUT("/v1/budgets/bud_x", "\"1\"", "{\"limit\": 2000}"));
    expect(201, NULL, POST("/v1/budgets/bud_x/adjustments", "b2", more));
    expect(200, NULL, GET("/v1/budgets/bud_x/entries?limit=1&order=desc"));
    expect(404, "budget_not_found", GET("/v1/budgets/bud_none/entries"));
    expect(200, NULL, GET("/v1/budgets/bud_x/pacing"));
    expect(404, "budget_not_found", GET("/v1/budgets/bud_none/pacing"));
    expect(200, NULL, GET("/v1/ledger-entries?limit=3"));
    expect(422, "invalid_cursor", GET("/v1/ledger-entries?after=x"));
    expect(200, NULL, DELETE("/v1/budgets/bud_x", "*"));
    expect(201, NULL, POST("/v1/decisions", "b3", CASE("c_5", "1")));
    expect(409, "budget_has_holds", DELETE("/v1/budgets/bud_all", "*"));
}

static void policies_are_answered_as_described(void **state)
{
    struct api_reply reply;

    (void)state;
    expect(201, NULL,
           PUT("/v1/policies/p", NULL, "{\"currency\": \"EUR\", \"model\": \"nobody\"}"));
    expect(412, "precondition_failed",
           PUT("/v1/policies/q", "*", "{\"currency\": \"EUR\"}"));
    expect(428, "precondition_required",
           PUT("/v1/policies/p", NULL, "{\"currency\": \"EUR\"}"));
    expect(422, "invalid_id", PUT("/v1/policies/P", NULL, "{\"currency\": \"EUR\"}"));
    expect(400, "malformed_request", PUT("/v1/policies/p", "*", "{"));
    expect(200, NULL, GET("/v1/policies/p?revision=1"));
    expect(404, "policy_not_found", GET("/v1/policies/p?revision=2"));
    reply = answer_to(GET("/v1/policies/p"));
    expect(200, NULL, PUT("/v1/policies/p", "\"1\"", reply.text)); /* as it was read */
    api_reply_free(&reply);
    expect(200, NULL, GET("/v1/policies"));
    expect(
        200, NULL,
        POST("/v1/policies/p/rollback", NULL, "{\"revision\": 1, \"reason\": \"no\"}"));
    expect(200, NULL, GET("/v1/policies/p/revisions"));
    expect(404, "policy_not_found", GET("/v1/policies/none/revisions"));
}

static void models_are_answered_as_described(void **state)
{
    const json_t *push =
        member(member(member(document, "paths"), "/v1/models/{name}/versions"), "post");
    const json_t *content = member(member(push, "requestBody"), "content");
    char *bundle =
        json_dumps(member(member(content, "application/json"), "example"), JSON_COMPACT);

    (void)state;
    expect(201, NULL, POST("/v1/models/x/versions", NULL, bundle));
    expect(200, NULL, POST("/v1/models/x/versions", NULL, bundle)); /* has it already */
    expect(422, "invalid_name", POST("/v1/models/.x/versions", NULL, bundle));
    free(bundle);
    expect(200, NULL, GET("/v1/models"));
    expect(200, NULL, GET("/v1/models/x/versions/1"));
    expect(404, "model_version_not_found", GET("/v1/models/x/versions/9"));
    expect(404, "model_version_not_found", GET("/v1/models/x/versions/latest"));
    expect(200, NULL,
           PUT("/v1/models/x/aliases/shadow", NULL,
               "{\"version\": 1, \"reason\": \"look at it\"}"));
    expect(422, "not_supported",
           PUT("/v1/models/x/aliases/shadow", NULL,
               "{\"version\": 1, \"reason\": \"r\", \"traffic_percent\": 5}"));
    expect(404, "alias_not_found",
           PUT("/v1/models/x/aliases/king", NULL, "{\"version\": 1, \"reason\": \"r\"}"));
    expect(409, "model_in_use", DELETE("/v1/models/x/versions/1", NULL));
    expect(200, NULL, GET("/v1/models/x/history?at=2027-01-01T00:00:00Z"));
    expect(404, "model_not_found", GET("/v1/models/none/history"));
    expect(200, NULL, GET("/v1/models/m/versions/1"));
}

/* A version that no alias points at can go. */
static void a_deleted_version_is_answered_as_described(void **state)
{
    static const char bundle[] =
        "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"y\", \"kind\":"
        " \"effect\", \"learner\": \"dr\", \"dose_unit\": \"minor\", \"features\":"
        " [{\"name\": \"f\", \"type\": \"category\", \"categories\": [\"a\", \"b\"]}],"
        " \"arms\": [{\"name\": \"a\", \"dose\": 500}], \"components\": [{\"role\":"
        " \"tau\", \"file\": \"a.json\"}], \"training\": {\"rows\": 10}, \"interval\":"
        " {\"level\": 0.9}, \"examples\": {\"rows\": [[\"b\"]], \"effects\": [[7]]}},"
        " \"files\": {\"a.json\": {\"text\": \"{\\\"format\\\": \\\"redress-linear/1\\\","
        " \\\"weights\\\": [5], \\\"intercept\\\": 2}\"}}}";

    (void)state;
    expect(201, NULL, POST("/v1/models/y/versions", NULL, bundle));
    expect(200, NULL, GET("/v1/models/y/versions/1"));
    expect(200, NULL, DELETE("/v1/models/y/versions/1", NULL));
    expect(404, "model_version_not_found", DELETE("/v1/models/y/versions/1", NULL));
}

static void keys_the_audit_trail_and_health_are_answered_as_described(void **state)
{
    static const char key[] = "{\"name\": \"desk\", \"scopes\": [\"decide\", \"read\"],"
                              " \"expires_at\": \"2027-01-01T00:00:00Z\"}";
    char path[PATH_BYTES_MAX];

    (void)state;
    snprintf(path, sizeof path, "%s",
             made("/v1/api-keys", "/rotate", POST("/v1/api-keys", NULL, key)));
    expect(201, NULL, POST(path, NULL, NULL));
    expect(201, NULL, POST(path, NULL, "{\"overlap_s\": 60}"));
    *strrchr(path, '/') = '\0';
    expect(200, NULL, DELETE(path, NULL));
    strcat(path, "/rotate");
    expect(409, "api_key_revoked", POST(path, NULL, NULL));
    expect(404, "api_key_not_found", DELETE("/v1/api-keys/key_none", NULL));
    expect(200, NULL, GET("/v1/api-keys"));
    expect(200, NULL, GET("/v1/audit-events?limit=100"));
    expect(422, "invalid_cursor", GET("/v1/audit-events?after=x"));
    expect(200, NULL, GET("/v1/audit-events/verify"));
    expect(200, NULL, GET("/healthz"));
    expect(200, NULL, GET("/readyz"));
    expect(200, NULL, GET("/openapi.json"));
    expect(200, NULL, GET("/version"));
}

static void every_route_was_answered(void **state)
{
    (void)state;
    for (int i = 0; route_at(i); i++)
        if (!was_answered[i])
            fail_msg("%s %s was never asked with success", route_at(i)->method,
                     route_at(i)->path);
}

/* Of the schemas of answers, whatever lies below. */
static void check_seen(const char *schema, const json_t *value)
{
    const json_t *properties = json_object_get(value, "properties");
    const char *name;
    json_t *inner;

    json_object_foreach((json_t *)properties, name, inner)
    {
        if (!json_object_get(seen, name))
            fail_msg("%s: '%s' never came in an answer", schema, name);
        check_seen(schema, inner);
    }
    if (json_object_get(value, "items"))
        check_seen(schema, json_object_get(value, "items"));
}

static void every_member_that_is_described_came_in_an_answer(void **state)
{
    static const char *const names[] = {
        "Decision",    "Option",        "Reason",         "Blocker",
        "Explanation", "List",          "BudgetDocument", "BudgetDeleted",
        "Adjustment",  "LedgerEntry",   "PolicyRevision", "ModelVersion",
        "Model",       "ModelAlias",    "AliasMove",      "ModelVersionDeleted",
        "AuditEvent",  "ApiKey",        "Health",         "Version",
        "Problem",     "OutcomeRecord", "OutcomeBatch",   "LoggedDecision",
    };
    const json_t *schemas = member(member(document, "components"), "schemas");

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_non_null(json_object_get(schemas, names[i]));
        check_seen(names[i], json_object_get(schemas, names[i]));
    }
}

/* --- refusals --------------------------------------------------------------------------------- */

/* A path of the route that gets as far as its body. */
static void path_of(const struct route *route, char path[static PATH_BYTES_MAX])
{
    size_t used = 0;

    for (const char *at = route->path; *at; at++) {
        if (*at != '{') {
            path[used++] = *at;
            continue;
        }
        used += (size_t)sprintf(path + used, "%s",
                                strncmp(at, "{alias}", 7) == 0 ? "champion" : "1");
        at = strchr(at, '}');
    }
    path[used] = '\0';
}

/* As components/schemas/ProblemCode says. */
static void a_body_that_is_no_json_has_one_code_by_its_route(void **state)
{
    static const struct {
        const char *path, *code;
    } rows[] = {
        {"/v1/decisions", "malformed_request"},
        {"/v1/decision-batches", "malformed_request"},
        {"/v1/outcomes", "malformed_request"},
        {"/v1/models/x/versions", "malformed_request"},
        {"/v1/decisions/x/settle", "malformed_json"},
        {"/v1/decisions/x/release", "malformed_json"},
        {"/v1/decisions/x/override", "malformed_json"},
        {"/v1/budgets", "malformed_json"},
        {"/v1/budgets/x/adjustments", "malformed_json"},
        {"/v1/policies/x/rollback", "malformed_json"},
        {"/v1/api-keys", "malformed_json"},
        {"/v1/api-keys/x/rotate", "malformed_json"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(400, rows[i].code, POST(rows[i].path, "no-json", "{"));
    expect(400, "malformed_request", PUT("/v1/policies/x", "*", "{"));
    expect(400, "malformed_json", PUT("/v1/budgets/x", "*", "{"));
    expect(400, "malformed_json", PUT("/v1/models/x/aliases/champion", NULL, "{"));
}

static void nobody_and_a_key_without_the_scope_are_refused_as_described(void **state)
{
    struct api_reply key = answer_to(POST(
        "/v1/api-keys", NULL, "{\"name\": \"few\", \"scopes\": [\"privacy:erase\"]}"));
    char path[PATH_BYTES_MAX], bearer[160];

    (void)state;
    snprintf(bearer, sizeof bearer, "Bearer %s",
             json_string_value(member(key.json, "key")));
    api_reply_free(&key);
    for (int i = 0; route_at(i); i++) {
        const struct route *route = route_at(i);
        struct asked asked = {.method = route->method, .path = path};

        path_of(route, path);
        for (int has_key = 0; has_key < 2; has_key++) {
            struct api_reply reply =
                api_call_as(running->service, has_key ? bearer : NULL, asked.method, path,
                            NULL, NULL);
            int refused = has_key ? 403 : 401;

            assert_int_equal(reply.status,
                             member(operation_of(route), "x-scope") ? refused : 200);
            check_reply(&asked, route, &reply);
            api_reply_free(&reply);
        }
    }
}

static void unknown_parameters_and_large_bodies_are_refused_as_described(void **state)
{
    enum { BODY_BYTES_MAX = 1 << 20 };
    char *body = malloc(BODY_BYTES_MAX + 1);
    char path[PATH_BYTES_MAX];

    (void)state;
    for (int i = 0; route_at(i); i++) {
        const struct route *route = route_at(i);
        size_t bytes = route->body_max + 1;

        path_of(route, path);
        if (bytes <= BODY_BYTES_MAX) {
            memset(body, ' ', bytes);
            body[bytes] = '\0';
            expect(413, "payload_too_large",
                   (struct asked){route->method, path, "large", NULL, body});
        }
        strcat(path, "?no_such_parameter=1");
        expect(422, "invalid_request",
               (struct asked){route->method, path, "odd", "*", NULL});
    }
    free(body);
}

static void bodies_with_unknown_members_are_refused_as_described(void **state)
{
    static const char odd[] = "{\"no_such_member\": 1}";
    char path[PATH_BYTES_MAX], why[SCHEMA_WHY_BYTES];
    json_t *body = json_loads(odd, 0, NULL);

    (void)state;
    for (int i = 0; route_at(i); i++) {
        const json_t *schema = request_schema(operation_of(route_at(i)));

        if (!schema)
            continue;
        path_of(route_at(i), path);
        if (schema_accepts(document, schema, body, why))
            fail_msg("%s %s does not refuse unknown members", route_at(i)->method, path);
        expect(422, "invalid_request",
               (struct asked){route_at(i)->method, path, "odd", "*", odd});
    }
    json_decref(body);
}

static void headers_that_are_required_are_missed(void **state)
{
    char path[PATH_BYTES_MAX];

    (void)state;
    for (int i = 0; route_at(i); i++) {
        const struct route *route = route_at(i);
        const json_t *list = member(operation_of(route), "parameters");

        path_of(route, path);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *parameter = schema_resolve(document, json_array_get(list, k));

            if (json_is_true(member(parameter, "required")) &&
                strcmp(json_string_value(member(parameter, "name")), "Idempotency-Key") ==
                    0)
                expect(400, "idempotency_key_missing",
                       (struct asked){route->method, path, NULL, "*", "{}"});
        }
    }
    expect(400, "idempotency_key_missing", POST("/v1/decisions", NULL, "{}"));
    expect(400, "idempotency_key_invalid", POST("/v1/decisions", "a b", "{}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_are_answered_as_described),
        cmocka_unit_test(batches_are_answered_as_described),
        cmocka_unit_test(holds_and_overrides_are_answered_as_described),
        cmocka_unit_test(other_outcomes_are_answered_as_described),
        cmocka_unit_test(outcomes_and_exports_are_answered_as_described),
        cmocka_unit_test(budgets_are_answered_as_described),
        cmocka_unit_test(policies_are_answered_as_described),
        cmocka_unit_test(models_are_answered_as_described),
        cmocka_unit_test(a_deleted_version_is_answered_as_described),
        cmocka_unit_test(keys_the_audit_trail_and_health_are_answered_as_described),
        cmocka_unit_test(every_route_was_answered),
        cmocka_unit_test(every_member_that_is_described_came_in_an_answer),
        cmocka_unit_test(a_body_that_is_no_json_has_one_code_by_its_route),
        cmocka_unit_test(nobody_and_a_key_without_the_scope_are_refused_as_described),
        cmocka_unit_test(unknown_parameters_and_large_bodies_are_refused_as_described),
        cmocka_unit_test(bodies_with_unknown_members_are_refused_as_described),
        cmocka_unit_test(headers_that_are_required_are_missed),
    };

    return cmocka_run_group_tests(tests, open_service, close_service);
}
