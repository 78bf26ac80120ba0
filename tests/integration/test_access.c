/* test_access.c - who may do what: every role and every scope against every route, broken
 * keys, and paths that only look like others. Denied by default.
 *
 * Requests are harmless even where they are let in: bodies are empty and ids unknown, so
 * that being let in shows as any answer but 401 and 403. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/live_call.h"
#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const roles[] = {"support", "ops", "science", "audit", "admin"};

static const char *const scopes[] = {"decide",      "settle",        "override",
                                     "read",        "budget:write",  "policy:write",
                                     "model:write", "model:promote", "outcome:write",
                                     "audit:read",  "privacy:erase", "admin"};

enum { ROLE_COUNT = 5, SCOPE_COUNT = 12 };

/* For each route: the scope it needs (NULL: none, it is public), and the demo's roles
 * that are let in: u support, o ops, s science, t audit, A admin. */
static const struct route_row {
    const char *method, *pattern, *path, *scope, *roles;
} routes[] = {
    {"POST", "/v1/decisions", "/v1/decisions", "decide", "uA"},
    {"GET", "/v1/decisions", "/v1/decisions", "read", "uostA"},
    {"POST", "/v1/decision-batches", "/v1/decision-batches", "decide", "uA"},
    {"GET", "/v1/decisions/{id}", "/v1/decisions/x", "read", "uostA"},
    {"GET", "/v1/decisions/{id}/explanation", "/v1/decisions/x/explanation", "read",
     "uostA"},
    {"POST", "/v1/decisions/{id}/settle", "/v1/decisions/x/settle", "settle", "uA"},
    {"POST", "/v1/decisions/{id}/release", "/v1/decisions/x/release", "settle", "uA"},
    {"POST", "/v1/decisions/{id}/override", "/v1/decisions/x/override", "override", "uA"},
    {"POST", "/v1/decisions/{id}/replay", "/v1/decisions/x/replay", "read", "uostA"},
    {"POST", "/v1/outcomes", "/v1/outcomes", "outcome:write", "sA"},
    {"GET", "/v1/customers/{id}/decisions", "/v1/customers/x/decisions", "read", "uostA"},
    {"GET", "/v1/budgets", "/v1/budgets", "read", "uostA"},
    {"POST", "/v1/budgets", "/v1/budgets", "budget:write", "oA"},
    {"GET", "/v1/budgets/{id}", "/v1/budgets/x", "read", "uostA"},
    {"PUT", "/v1/budgets/{id}", "/v1/budgets/x", "budget:write", "oA"},
    {"DELETE", "/v1/budgets/{id}", "/v1/budgets/x", "budget:write", "oA"},
    {"POST", "/v1/budgets/{id}/adjustments", "/v1/budgets/x/adjustments", "budget:write",
     "oA"},
    {"GET", "/v1/budgets/{id}/entries", "/v1/budgets/x/entries", "read", "uostA"},
    {"GET", "/v1/budgets/{id}/pacing", "/v1/budgets/x/pacing", "read", "uostA"},
    {"GET", "/v1/ledger-entries", "/v1/ledger-entries", "read", "uostA"},
    {"GET", "/v1/policies", "/v1/policies", "read", "uostA"},
    {"GET", "/v1/policies/{id}", "/v1/policies/x", "read", "uostA"},
    {"PUT", "/v1/policies/{id}", "/v1/policies/x", "policy:write", "oA"},
    {"GET", "/v1/policies/{id}/revisions", "/v1/policies/x/revisions", "read", "uostA"},
    {"POST", "/v1/policies/{id}/rollback", "/v1/policies/x/rollback", "policy:write",
     "oA"},
    {"GET", "/v1/models", "/v1/models", "read", "uostA"},
    {"POST", "/v1/models/{name}/versions", "/v1/models/x/versions", "model:write", "sA"},
    {"GET", "/v1/models/{name}/versions/{v}", "/v1/models/x/versions/1", "read", "uostA"},
    {"DELETE", "/v1/models/{name}/versions/{v}", "/v1/models/x/versions/1", "model:write",
     "sA"},
    {"PUT", "/v1/models/{name}/aliases/{alias}", "/v1/models/x/aliases/champion",
     "model:promote", "sA"},
    {"GET", "/v1/models/{name}/history", "/v1/models/x/history", "read", "uostA"},
    {"GET", "/v1/audit-events", "/v1/audit-events", "audit:read", "stA"},
    {"GET", "/v1/audit-events/verify", "/v1/audit-events/verify", "audit:read", "stA"},
    {"GET", "/v1/exports/decisions", "/v1/exports/decisions", "audit:read", "stA"},
    {"GET", "/v1/exports/ledger", "/v1/exports/ledger", "audit:read", "stA"},
    {"GET", "/v1/exports/audit", "/v1/exports/audit", "audit:read", "stA"},
    {"GET", "/v1/api-keys", "/v1/api-keys", "admin", "A"},
    {"POST", "/v1/api-keys", "/v1/api-keys", "admin", "A"},
    {"DELETE", "/v1/api-keys/{id}", "/v1/api-keys/x", "admin", "A"},
    {"POST", "/v1/api-keys/{id}/rotate", "/v1/api-keys/x/rotate", "admin", "A"},
    {"GET", "/healthz", "/healthz", NULL, "uostA"},
    {"GET", "/readyz", "/readyz", NULL, "uostA"},
    {"GET", "/version", "/version", NULL, "uostA"},
    {"GET", "/openapi.json", "/openapi.json", NULL, "uostA"},
};

enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };

/* --- the stage -------------------------------------------------------------------------------- */

static struct {
    char *folder;
    struct live_server server;
    struct http_client *client;
    char *keys[ROLE_COUNT];
} stage;

static int stage_open(void **state)
{
    (void)state;
    stage.folder = folder_temporary();
    assert_true(demo_make(stage.folder));
    for (int i = 0; i < ROLE_COUNT; i++)
        stage.keys[i] = demo_authorization(stage.folder, roles[i]);
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    stage.client = http_client_open(stage.server.listen);
    return 0;
}

static int stage_close(void **state)
{
    (void)state;
    http_client_close(stage.client);
    assert_int_equal(live_server_stop(&stage.server), 0);
    for (int i = 0; i < ROLE_COUNT; i++)
        free(stage.keys[i]);
    free(stage.folder);
    return 0;
}

static struct live_reply ask(const char *authorization, const char *method,
                             const char *path, const char *body)
{
    return live_ask(stage.client, &(struct live_request){.method = method,
                                                         .path = path,
                                                         .authorization = authorization,
                                                         .key = "access",
                                                         .if_match = "*",
                                                         .body = body});
}

/* The status of an empty request. */
static int status_of(const char *authorization, const char *method, const char *path)
{
    bool has_body = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
    struct live_reply reply = ask(authorization, method, path, has_body ? "{}" : NULL);
    int status = reply.response.status;

    if (status == 403)
        assert_string_equal(reply_text(&reply, "code"), "insufficient_scope");
    if (status == 401)
        assert_string_equal(reply_text(&reply, "code"), "unauthorized");
    live_reply_free(&reply);
    return status;
}

static bool is_let_in(int status)
{
    return status != 401 && status != 403;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void each_role_may_do_its_work_and_no_more(void **state)
{
    static const char letters[] = "uostA";
    int wrong_count = 0;

    (void)state;
    for (int r = 0; r < ROUTE_COUNT; r++)
        for (int i = 0; i < ROLE_COUNT; i++) {
            const struct route_row *route = &routes[r];
            bool is_wanted = strchr(route->roles, letters[i]);
            int status = status_of(stage.keys[i], route->method, route->path);

            if (status >= 500 || is_let_in(status) != is_wanted) {
                print_error("%s %s as %s: %d\n", route->method, route->path, roles[i],
                            status);
                wrong_count++;
            }
        }
    assert_int_equal(wrong_count, 0);
}

static void nothing_but_health_is_for_everybody(void **state)
{
    (void)state;
    for (int r = 0; r < ROUTE_COUNT; r++) {
        int status = status_of(NULL, routes[r].method, routes[r].path);

        if (status != (routes[r].scope ? 401 : 200))
            fail_msg("%s %s without a key: %d", routes[r].method, routes[r].path, status);
    }
}

/* A key with this one scope; freed by the caller. */
static char *key_of_scope(const char *scope, char id[64])
{
    char body[128], *authorization;
    struct live_reply reply;

    snprintf(body, sizeof body, "{\"name\": \"one\", \"scopes\": [\"%s\"]}", scope);
    reply = ask(stage.keys[ROLE_COUNT - 1], "POST", "/v1/api-keys", body);
    assert_int_equal(reply.response.status, 201);
    assert_true(asprintf(&authorization, "Bearer %s", reply_text(&reply, "key")) > 0);
    snprintf(id, 64, "%s", reply_text(&reply, "id"));
    live_reply_free(&reply);
    return authorization;
}

static void a_scope_opens_its_routes_and_no_other(void **state)
{
    (void)state;
    for (int s = 0; s < SCOPE_COUNT; s++) {
        char id[64], *key = key_of_scope(scopes[s], id);

        for (int r = 0; r < ROUTE_COUNT; r++) {
            bool is_wanted = !routes[r].scope || strcmp(scopes[s], "admin") == 0 ||
                             strcmp(scopes[s], routes[r].scope) == 0;
            int status = status_of(key, routes[r].method, routes[r].path);

            if (is_let_in(status) != is_wanted)
                fail_msg("%s %s with %s: %d", routes[r].method, routes[r].path, scopes[s],
                         status);
        }
        free(key);
    }
}

/* The matrix has a line for every route that the program has. */
static void no_route_is_missing_here(void **state)
{
    FILE *file = fopen("src/http/routes.c", "r");
    char line[256], method[16], path[128];
    int count = 0;

    (void)state;
    if (!file) {
        print_message("SKIPPED: src/http/routes.c is not here to compare with\n");
        skip();
    }
    while (fgets(line, sizeof line, file)) {
        bool is_known = false;

        if (sscanf(line, " {\"%15[A-Z]\", \"%127[^\"]\"", method, path) != 2)
            continue;
        count++;
        for (int r = 0; r < ROUTE_COUNT; r++)
            is_known = is_known || (strcmp(routes[r].method, method) == 0 &&
                                    strcmp(routes[r].pattern, path) == 0);
        if (!is_known)
            fail_msg("%s %s has no line in this matrix", method, path);
    }
    fclose(file);
    assert_int_equal(count, ROUTE_COUNT);
}

static void broken_keys_open_nothing(void **state)
{
    const char *good = stage.keys[ROLE_COUNT - 1], *dot = strchr(good, '.');
    char broken[8][512];
    size_t bytes = strlen(good);

    (void)state;
    assert_int_equal(status_of(good, "GET", "/v1/api-keys"), 200);
    snprintf(broken[0], 512, "%.*s", (int)(dot - good), good);  /* no secret */
    snprintf(broken[1], 512, "%.*s.", (int)(dot - good), good); /* an empty one */
    snprintf(broken[2], 512, "%.*s", (int)bytes - 1, good);     /* cut by one */
    snprintf(broken[3], 512, "%s0", good);                      /* longer by one */
    snprintf(broken[4], 512, "%.*s%s", (int)(dot - good), good, /* somebody else's */
             strchr(stage.keys[0], '.'));
    snprintf(broken[5], 512, "%s", good + strlen("Bearer ")); /* no scheme */
    snprintf(broken[6], 512, "Basic %s", good + strlen("Bearer "));
    snprintf(broken[7], 512, "%s", good);
    broken[7][bytes - 1] = good[bytes - 1] == '0' ? '1' : '0'; /* one digit */
    for (int i = 0; i < 8; i++)
        for (int r = 0; r < ROUTE_COUNT; r++) {
            int status = status_of(broken[i], routes[r].method, routes[r].path);

            if (routes[r].scope && status != 401)
                fail_msg("%s %s with broken key %d: %d", routes[r].method, routes[r].path,
                         i, status);
        }
}

static void a_revoked_key_opens_nothing_any_more(void **state)
{
    char id[64], path[128], *key = key_of_scope("read", id);

    (void)state;
    assert_int_equal(status_of(key, "GET", "/v1/budgets"), 200);
    snprintf(path, sizeof path, "/v1/api-keys/%s", id);
    assert_int_equal(status_of(stage.keys[ROLE_COUNT - 1], "DELETE", path), 200);
    assert_int_equal(status_of(key, "GET", "/v1/budgets"), 401);
    free(key);
}

static struct live_reply make_brief_key(time_t expires)
{
    char body[160], at[32];
    struct tm utc;

    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&expires, &utc));
    snprintf(body, sizeof body,
             "{\"name\": \"brief\", \"scopes\": [\"admin\"], \"expires_at\": \"%s\"}",
             at);
    return ask(stage.keys[ROLE_COUNT - 1], "POST", "/v1/api-keys", body);
}

static void an_expired_key_opens_nothing_any_more(void **state)
{
    time_t soon = time(NULL) + 2;
    struct live_reply reply = make_brief_key(soon);
    char *authorization;

    (void)state;
    /* The machine may have stalled until then: refused, as what lies in the past is. */
    for (int ahead_s = 4; reply.response.status != 201 && ahead_s <= 64; ahead_s *= 2) {
        live_reply_free(&reply);
        soon = time(NULL) + ahead_s;
        reply = make_brief_key(soon);
    }
    assert_int_equal(reply.response.status, 201);
    assert_true(asprintf(&authorization, "Bearer %s", reply_text(&reply, "key")) > 0);
    while (time(NULL) <= soon)
        usleep(50000);
    for (int r = 0; r < ROUTE_COUNT; r++)
        if (routes[r].scope)
            assert_int_equal(status_of(authorization, routes[r].method, routes[r].path),
                             401);
    free(authorization);
    live_reply_free(&reply);
}

/* But for the id of the request, who guesses learns nothing of what was wrong. */
static void an_unknown_id_and_a_wrong_secret_hear_the_same(void **state)
{
    const char *good = stage.keys[ROLE_COUNT - 1], *dot = strchr(good, '.');
    char unknown[512], wrong[512];

    (void)state;
    snprintf(unknown, sizeof unknown, "Bearer key_00000000000000000000000000%s", dot);
    snprintf(wrong, sizeof wrong, "%.*s%s", (int)(dot - good), good,
             strchr(stage.keys[0], '.'));
    for (int r = 0; r < ROUTE_COUNT; r++) {
        const char *body = *routes[r].method == 'P' ? "{}" : NULL;
        struct live_reply one = ask(unknown, routes[r].method, routes[r].path, body);
        struct live_reply two = ask(wrong, routes[r].method, routes[r].path, body);

        if (routes[r].scope) {
            json_object_del(one.json, "request_id");
            json_object_del(two.json, "request_id");
            assert_int_equal(one.response.status, 401);
            assert_int_equal(two.response.status, 401);
            assert_true(json_equal(one.json, two.json));
            assert_int_equal(one.response.body_bytes, two.response.body_bytes);
        }
        live_reply_free(&one);
        live_reply_free(&two);
    }
}

static bool is_route(const char *method, const char *path)
{
    for (int r = 0; r < ROUTE_COUNT; r++)
        if (strcmp(routes[r].path, path) == 0 &&
            (strcmp(routes[r].method, method) == 0 ||
             (strcmp(method, "HEAD") == 0 && strcmp(routes[r].method, "GET") == 0)))
            return true;
    return false;
}

static void a_method_that_is_no_route_is_refused_for_everybody(void **state)
{
    static const char *const methods[] = {"GET",   "POST",    "PUT",   "DELETE",
                                          "PATCH", "OPTIONS", "TRACE", "PROPFIND"};

    (void)state;
    for (int r = 0; r < ROUTE_COUNT; r++)
        for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
            int status;

            if (is_route(methods[m], routes[r].path))
                continue;
            status = status_of(stage.keys[ROLE_COUNT - 1], methods[m], routes[r].path);
            if (status != 405)
                fail_msg("%s %s: %d", methods[m], routes[r].path, status);
        }
}

/* What support may not read stays closed however the path is written. */
static void a_path_written_otherwise_opens_nothing(void **state)
{
    static const struct {
        const char *method, *path;
    } tricks[] = {
        {"GET", "/v1/audit-events/"},
        {"GET", "//v1/audit-events"},
        {"GET", "/v1//audit-events"},
        {"GET", "/V1/AUDIT-EVENTS"},
        {"GET", "/v1/audit%2Devents"},
        {"GET", "/v1/%61udit-events"},
        {"GET", "/v1/decisions/../audit-events"},
        {"GET", "/v1/decisions/%2e%2e/audit-events"},
        {"GET", "/v1/decisions/..%2faudit-events"},
        {"GET", "/v1/audit-events;x"},
        {"GET", "/v1/audit-events%00"},
        {"GET", "/v1/audit-events?limit=1"},
        {"HEAD", "/v1/audit-events"},
        {"POST", "/v1/audit-events"},
        {"OPTIONS", "/v1/audit-events"},
        {"TRACE", "/v1/audit-events"},
        {"get", "/v1/audit-events"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        struct http_client *client = http_client_open(stage.server.listen);
        struct live_reply reply =
            live_ask(client, &(struct live_request){.method = tricks[i].method,
                                                    .path = tricks[i].path,
                                                    .authorization = stage.keys[0]});

        if (reply.response.status < 400 || reply.response.status >= 500)
            fail_msg("%s %s: %d %s", tricks[i].method, tricks[i].path,
                     reply.response.status, reply.response.body);
        live_reply_free(&reply);
        http_client_close(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_may_do_its_work_and_no_more),
        cmocka_unit_test(nothing_but_health_is_for_everybody),
        cmocka_unit_test(a_scope_opens_its_routes_and_no_other),
        cmocka_unit_test(no_route_is_missing_here),
        cmocka_unit_test(broken_keys_open_nothing),
        cmocka_unit_test(a_revoked_key_opens_nothing_any_more),
        cmocka_unit_test(an_expired_key_opens_nothing_any_more),
        cmocka_unit_test(an_unknown_id_and_a_wrong_secret_hear_the_same),
        cmocka_unit_test(a_method_that_is_no_route_is_refused_for_everybody),
        cmocka_unit_test(a_path_written_otherwise_opens_nothing),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
