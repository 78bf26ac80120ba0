/* test_bad_input.c - everything that can be sent wrong, against the real server: one row
 * per kind.
 *
 * Each row says what is sent and what has to be said about it. After each the problem is
 * complete (RFC 9457), nothing was written, and the server still answers. */
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

/* --- the stage -------------------------------------------------------------------------------- */

enum role { SUPPORT, OPS, SCIENCE, AUDIT, ADMIN, NOBODY, ROLE_COUNT = NOBODY };

static struct {
    char *folder;
    struct live_server server;
    char *keys[ROLE_COUNT];
    struct http_client *client;
    char decision[64]; /* one that is held */
} stage;

static struct live_reply ask(enum role role, const char *method, const char *path,
                             const char *body)
{
    return live_ask(stage.client,
                    &(struct live_request){.method = method,
                                           .path = path,
                                           .authorization = stage.keys[role],
                                           .key = "stage",
                                           .body = body});
}

#define CASE_START                                                                       \
    "{\"case_id\": \"k\", \"customer_id\": \"c\", \"issue\": \"late_delivery\", "
#define CASE_WITH(more)                                                                  \
    CASE_START "\"currency\": \"USD\", \"order_amount\": 4000, " more "}"
#define GOOD_CASE CASE_WITH("\"segment\": \"new\"")

static int stage_open(void **state)
{
    static const char *const roles[] = {"support", "ops", "science", "audit", "admin"};
    json_t *asked;
    char *body;
    struct live_reply reply;

    (void)state;
    stage.folder = folder_temporary();
    assert_true(demo_make(stage.folder));
    for (int i = 0; i < ROLE_COUNT; i++)
        stage.keys[i] = demo_authorization(stage.folder, roles[i]);
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    stage.client = http_client_open(stage.server.listen);
    asked = demo_case(stage.folder);
    body = json_dumps(asked, JSON_COMPACT);
    reply = ask(SUPPORT, "POST", "/v1/decisions", body);
    assert_int_equal(reply.response.status, 201);
    snprintf(stage.decision, sizeof stage.decision, "%s", reply_text(&reply, "id"));
    live_reply_free(&reply);
    free(body);
    json_decref(asked);
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

/* All that the service has written, as it shows it. The caller frees it. */
static char *everything(void)
{
    static const char *const paths[] = {"/v1/decisions?limit=200",
                                        "/v1/ledger-entries?limit=200",
                                        "/v1/audit-events?limit=200",
                                        "/v1/budgets?limit=200",
                                        "/v1/policies",
                                        "/v1/policies/goodwill/revisions",
                                        "/v1/models",
                                        "/v1/models/credit_uplift/history",
                                        "/v1/api-keys"};
    char *all = strdup("");

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct live_reply reply = ask(ADMIN, "GET", paths[i], NULL);
        char *longer;

        if (reply.response.status != 200)
            fail_msg("%s: %d %s", paths[i], reply.response.status, reply.response.body);
        assert_true(asprintf(&longer, "%s%s\n", all, reply.response.body) > 0);
        free(all);
        all = longer;
        live_reply_free(&reply);
    }
    return all;
}

/* --- bodies that are made --------------------------------------------------------------------- */

static char *repeated(const char *before, const char *part, int count, const char *after)
{
    size_t part_bytes = strlen(part);
    char *text = malloc(strlen(before) + part_bytes * (size_t)count + strlen(after) + 1);
    char *end = stpcpy(text, before);

    for (int i = 0; i < count; i++)
        end = stpcpy(end, part);
    strcpy(end, after);
    return text;
}

static char *body_too_large(void)
{
    return repeated(CASE_WITH("\"segment\": \"new\""), " ", 64 << 10, "");
}

static char *body_too_deep(void)
{
    return repeated(CASE_START "\"metadata\": ", "{\"a\": ", 200, "1");
}

static char *body_of_many_features(void)
{
    char *body = strdup(CASE_START
                        "\"currency\": \"USD\", \"order_amount\": 1, \"features\": {"),
         *longer;

    for (int i = 0; i < 2000; i++) {
        assert_true(asprintf(&longer, "%s%s\"f%d\": 1", body, i ? ", " : "", i) > 0);
        free(body);
        body = longer;
    }
    assert_true(asprintf(&longer, "%s}}", body) > 0);
    free(body);
    return longer;
}

static char *body_of_long_name(void)
{
    return repeated("{\"customer_id\": \"", "x", 129,
                    "\", \"case_id\": \"k\", \"issue\": \"i\", \"currency\": \"USD\", "
                    "\"order_amount\": 1}");
}

static char *small_body_too_large(void)
{
    return repeated("{\"amount\": 1", " ", 16 << 10, "}");
}

/* A bundle, with the parts that the rows spoil. */
#define BUNDLE(format, kind, effect, weights, file)                                      \
    "{\"manifest\": {\"format\": \"" format "\", \"name\": \"m\", \"kind\": \"" kind     \
    "\", \"learner\": \"effect\", \"features\": [{\"name\": \"need\", "                  \
    "\"type\": \"float\", \"missing\": \"allow\"}], \"arms\": [{\"name\": \"a\", "       \
    "\"dose\": 500}], \"components\": [{\"role\": \"tau\", \"arm\": \"a\", "             \
    "\"file\": \"" file "\"}], \"examples\": {\"rows\": [[2]], \"effects\": [[" effect   \
    "]]}}, \"files\": {\"a.json\": {\"json\": {\"format\": \"redress-linear/1\", "       \
    "\"weights\": " weights ", \"intercept\": 0}}}}"

#define TREE_BUNDLE(text)                                                                \
    "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"m\", "                \
    "\"kind\": \"effect\", \"learner\": \"effect\", \"features\": [{\"name\": "          \
    "\"need\", \"type\": \"float\", \"missing\": \"allow\"}], \"arms\": [{\"name\": "    \
    "\"a\", \"dose\": 500}], \"components\": [{\"role\": \"tau\", \"arm\": \"a\", "      \
    "\"file\": \"a.json\"}], \"examples\": {\"rows\": [[2]], \"effects\": [[1]]}}, "     \
    "\"files\": {\"a.json\": {\"text\": \"" text "\"}}}"

#define BUDGET(more)                                                                     \
    "{\"id\": \"bud_new\", \"period\": \"day\", \"limit\": 5, \"currency\": "            \
    "\"USD\"" more "}"

#define POLICY(more) "{\"currency\": \"USD\"" more "}"

/* --- the table -------------------------------------------------------------------------------- */

struct row {
    const char *what;
    enum role role;     /* who asks; NOBODY: no key */
    const char *bearer; /* in place of the role's key */
    const char *method; /* NULL: POST */
    const char *path;   /* NULL: /v1/decisions; "{held}" is a held decision's id */
    const char *key;    /* NULL: a new one; "": none */
    const char *if_match, *content_type, *content_encoding, *body;
    char *(*make_body)(void);
    int status;
    const char *code;
    const char *pointer, *fault; /* of one of the faults; NULL: none is looked for */
};

#define INVALID(pointer_, fault_)                                                        \
    .status = 422, .code = "invalid_request", .pointer = pointer_, .fault = fault_
#define MALFORMED     .status = 400, .code = "malformed_request"
#define PUT(path_)    .method = "PUT", .path = path_
#define GET(path_)    .method = "GET", .path = path_
#define DELETE(path_) .method = "DELETE", .path = path_
#define NO_DECISION   "dec_00000000000000000000000000"

static const struct row rows[] = {
    /* --- a body that is no case --- */
    {"nothing at all", .body = "", MALFORMED},
    {"not JSON", .body = "hello", MALFORMED},
    {"cut short", .body = "{\"case_id\": \"k\", \"customer_id\": ", MALFORMED},
    {"more after the end", .body = GOOD_CASE " {}", MALFORMED},
    {"a comma too many", .body = CASE_START "}", MALFORMED},
    {"not UTF-8", .body = "{\"case_id\": \"\xff\xfe\"}", MALFORMED},
    {"half a surrogate", .body = "{\"case_id\": \"\\ud800\"}", MALFORMED},
    {"a NUL in a name", .body = "{\"case_id\": \"a\\u0000b\"}",
     INVALID("/case_id", "invalid_text")},
    {"a control byte in a string", .body = "{\"case_id\": \"a\nb\"}", MALFORMED},
    {"too large", .make_body = body_too_large, .status = 413,
     .code = "payload_too_large"},
    {"too deep", .make_body = body_too_deep, MALFORMED},
    {"an array", .body = "[]", INVALID("", "wrong_type")},
    {"a number", .body = "1", INVALID("", "wrong_type")},
    {"the text null", .body = "null", INVALID("", "wrong_type")},
    {"a key twice", .body = CASE_WITH("\"issue\": \"x\""),
     INVALID("/issue", "duplicate_field")},
    {"a feature twice",
     .body = CASE_WITH("\"features\": {\"contacts\": 1, \"contacts\": 2}"),
     INVALID("/features/contacts", "duplicate_field")},
    {"nothing in it", .body = "{}", INVALID("/case_id", "missing_field")},
    {"an unknown member", .body = CASE_WITH("\"order_amont\": 1"),
     INVALID("/order_amont", "unknown_field")},
    {"an unknown feature", .body = CASE_WITH("\"features\": {\"tenure_day\": 1}"),
     INVALID("/features/tenure_day", "unknown_feature")},
    {"too many features", .make_body = body_of_many_features, INVALID(NULL, "too_many")},
    {"a name too long", .make_body = body_of_long_name,
     INVALID("/customer_id", "out_of_range")},
    {"an empty name", .body = "{\"case_id\": \"\"}", INVALID("/case_id", "out_of_range")},
    {"a number for a name", .body = "{\"case_id\": 7}",
     INVALID("/case_id", "wrong_type")},
    {"null for a name", .body = "{\"case_id\": null}", INVALID("/case_id", "wrong_type")},
    {"an object within features", .body = CASE_WITH("\"features\": {\"contacts\": {}}"),
     INVALID("/features/contacts", "wrong_type")},
    {"features as a list", .body = CASE_WITH("\"features\": [1]"),
     INVALID("/features", "wrong_type")},
    {"a text for a number", .body = CASE_WITH("\"features\": {\"contacts\": \"many\"}"),
     INVALID("/features/contacts", "wrong_type")},
    {"a number for a bool", .body = CASE_WITH("\"features\": {\"is_member\": 7}"),
     INVALID("/features/is_member", "wrong_type")},
    {"NaN as a feature", .body = CASE_WITH("\"features\": {\"contacts\": NaN}"),
     MALFORMED},
    {"a feature over what a double holds",
     .body = CASE_WITH("\"features\": {\"contacts\": 1e999}"),
     INVALID("/features/contacts", "out_of_range")},
    {"metadata of the wrong kind", .body = CASE_WITH("\"metadata\": {\"a\": 1}"),
     INVALID("/metadata/a", "wrong_type")},
    {"a time that is none", .body = CASE_WITH("\"occurred_at\": \"yesterday\""),
     INVALID("/occurred_at", "invalid_time")},

    /* --- money --- */
    {"a float", .body = CASE_START "\"currency\": \"USD\", \"order_amount\": 40.5}",
     INVALID("/order_amount", "wrong_type")},
    {"a float that is whole",
     .body = CASE_START "\"currency\": \"USD\", "
                        "\"order_amount\": 40.0}",
     INVALID("/order_amount", "wrong_type")},
    {"an exponent", .body = CASE_START "\"currency\": \"USD\", \"order_amount\": 4e3}",
     INVALID("/order_amount", "wrong_type")},
    {"a text", .body = CASE_START "\"currency\": \"USD\", \"order_amount\": \"4000\"}",
     INVALID("/order_amount", "wrong_type")},
    {"negative", .body = CASE_START "\"currency\": \"USD\", \"order_amount\": -1}",
     INVALID("/order_amount", "out_of_range")},
    {"over 2^53 - 1",
     .body = CASE_START "\"currency\": \"USD\", \"order_amount\": 9007199254740992}",
     INVALID("/order_amount", "out_of_range")},
    {"over 64 bits",
     .body = CASE_START "\"currency\": \"USD\", \"order_amount\": 99999999999999999999}",
     INVALID("/order_amount", "out_of_range")},
    {"over what a double holds",
     .body = CASE_START "\"currency\": \"USD\", \"order_amount\": 1e400}",
     INVALID("/order_amount", "out_of_range")},
    {"over what a double holds, under an unknown name",
     .body = CASE_WITH("\"metadata\": {\"a\": \"b\"}, \"x\": [0, {\"y\": -1e400}]"),
     INVALID("/x/1/y", "out_of_range")},
    {"NaN", .body = CASE_START "\"currency\": \"USD\", \"order_amount\": NaN}",
     MALFORMED},
    {"infinite", .body = CASE_START "\"currency\": \"USD\", \"order_amount\": -Infinity}",
     MALFORMED},
    {"more owed than paid", .body = CASE_WITH("\"entitled_amount\": 4001"),
     INVALID("/entitled_amount", "out_of_range")},
    {"no currency", .body = CASE_START "\"order_amount\": 1}",
     INVALID("/currency", "missing_field")},
    {"an unknown currency",
     .body = CASE_START "\"currency\": \"USX\", \"order_amount\": 1}",
     INVALID("/currency", "unknown_currency")},
    {"a currency in lower case",
     .body = CASE_START "\"currency\": \"usd\", \"order_amount\": 1}",
     INVALID("/currency", "unknown_currency")},
    {"a currency that the budget does not have",
     .body = CASE_START "\"currency\": \"EUR\", \"order_amount\": 1}",
     INVALID("/currency", "currency_mismatch")},

    /* --- keys --- */
    {"no key", .role = NOBODY, .body = GOOD_CASE, .status = 401, .code = "unauthorized"},
    {"a key that is none", .bearer = "Bearer x", .body = GOOD_CASE, .status = 401,
     .code = "unauthorized"},
    {"a key nobody has", .bearer = "Bearer key_00000000000000000000000000.0000",
     .body = GOOD_CASE, .status = 401, .code = "unauthorized"},
    {"another scheme", .bearer = "Basic YTpi", .body = GOOD_CASE, .status = 401,
     .code = "unauthorized"},
    {"a key without the scope", .role = AUDIT, .body = GOOD_CASE, .status = 403,
     .code = "insufficient_scope"},

    /* --- the request itself --- */
    {"an unknown path", GET("/v1/decision"), .status = 404, .code = "route_not_found"},
    {"a path with a dot-dot", GET("/v1/../v1/decisions"), .status = 404,
     .code = "route_not_found"},
    {"a slash at the end", GET("/v1/decisions/"), .status = 404,
     .code = "route_not_found"},
    {"a wrong method", DELETE("/v1/decisions"), .status = 405,
     .code = "method_not_allowed"},
    {"a method that is none", .method = "BREW", .path = "/v1/budgets", .status = 405,
     .code = "method_not_allowed"},
    {"a form", .content_type = "application/x-www-form-urlencoded", .body = "a=b",
     .status = 415, .code = "unsupported_media_type"},
    {"a type that begins like JSON", .content_type = "application/jsonp",
     .body = GOOD_CASE, .status = 415, .code = "unsupported_media_type"},
    {"lines of JSON where one case is taken", .content_type = "application/x-ndjson",
     .body = GOOD_CASE, .status = 415, .code = "unsupported_media_type"},
    {"JSON in another charset", .content_type = "application/json; charset=latin1",
     .body = GOOD_CASE, .status = 415, .code = "unsupported_media_type"},
    {"a coding that is not undone", .content_encoding = "gzip", .body = GOOD_CASE,
     .status = 415, .code = "unsupported_media_type"},
    {"two codings, one of them none", .content_encoding = "identity, br",
     .body = GOOD_CASE, .status = 415, .code = "unsupported_media_type"},
    {"no coding, said so, and none in the body", .content_encoding = "Identity",
     .body = "nothing", MALFORMED},
    {"a coding twice", .content_encoding = "identity\r\nContent-Encoding: gzip",
     .body = GOOD_CASE, MALFORMED},
    {"lines for a settlement", .path = "/v1/decisions/{held}/settle",
     .content_type = "application/x-ndjson", .body = "{\"amount\": 1}", .status = 415,
     .code = "unsupported_media_type"},
    {"a type of JSON with a parameter behind a space, and none in the body",
     .content_type = "application/json ; charset=utf-8", .body = "nothing", MALFORMED},
    {"no idempotency key", .key = "", .body = GOOD_CASE, .status = 400,
     .code = "idempotency_key_missing"},
    {"an idempotency key with a space", .key = "a b", .body = GOOD_CASE, .status = 400,
     .code = "idempotency_key_invalid"},
    {"an idempotency key of 256 bytes",
     .key = "0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123",
     .body = GOOD_CASE, .status = 400, .code = "idempotency_key_invalid"},
    {"a key that was used with another body", .key = "stage", .body = GOOD_CASE,
     .status = 422, .code = "idempotency_key_reused"},
    {"a parameter nobody knows", .path = "/v1/decisions?dry-run=true", .body = GOOD_CASE,
     INVALID("", "unknown_parameter")},
    {"a parameter twice", .path = "/v1/decisions?dry_run=true&dry_run=false",
     .body = GOOD_CASE, INVALID("", "duplicate_parameter")},
    {"a parameter of the wrong kind", .path = "/v1/decisions?dry_run=1",
     .body = GOOD_CASE, INVALID("", "invalid_parameter")},
    {"a limit of nothing", GET("/v1/decisions?limit=0"),
     INVALID("", "invalid_parameter")},
    {"a limit too large", GET("/v1/decisions?limit=201"),
     INVALID("", "invalid_parameter")},
    {"a limit that is none", GET("/v1/decisions?limit=ten"),
     INVALID("", "invalid_parameter")},
    {"an order that is none", GET("/v1/ledger-entries?order=up"),
     INVALID("", "invalid_parameter")},
    {"a time that is no time", GET("/v1/decisions?created_after=yesterday"),
     INVALID("", "invalid_parameter")},
    {"an outcome that is none", GET("/v1/decisions?outcome=yes"),
     INVALID("", "invalid_parameter")},
    {"a cursor that is none", GET("/v1/ledger-entries?after=x"), .status = 422,
     .code = "invalid_cursor"},
    {"a cursor of another list", GET("/v1/budgets?after=key_x"), .status = 422,
     .code = "invalid_cursor"},
    {"a customer without a name", GET("/v1/decisions?customer_id="),
     INVALID("", "invalid_parameter")},
    {"an outcome without a name", GET("/v1/decisions?outcome="),
     INVALID("", "invalid_parameter")},
    {"a filter without a value", GET("/v1/decisions?created_after"),
     INVALID("", "invalid_parameter")},
    {"an empty cursor", GET("/v1/ledger-entries?after="),
     INVALID("", "invalid_parameter")},
    {"a broken escape in the query", GET("/v1/decisions?order_id=%zz"), MALFORMED},

    /* --- things that are not there --- */
    {"a customer nobody saw", GET("/v1/customers/X/decisions"), .status = 404,
     .code = "customer_not_found"},
    {"an unknown decision", GET("/v1/decisions/" NO_DECISION), .status = 404,
     .code = "decision_not_found"},
    {"its explanation", GET("/v1/decisions/" NO_DECISION "/explanation"), .status = 404,
     .code = "decision_not_found"},
    {"its replay", .path = "/v1/decisions/" NO_DECISION "/replay", .status = 404,
     .code = "decision_not_found"},
    {"its settlement", .path = "/v1/decisions/" NO_DECISION "/settle", .body = "{}",
     .status = 404, .code = "decision_not_found"},
    {"an id that is none", GET("/v1/decisions/1%20OR%201=1"), .status = 404,
     .code = "decision_not_found"},
    {"an unknown budget", GET("/v1/budgets/bud_x"), .status = 404,
     .code = "budget_not_found"},
    {"entries of an unknown budget", GET("/v1/budgets/bud_x/entries"), .status = 404,
     .code = "budget_not_found"},
    {"an unknown budget, changed", .role = OPS, PUT("/v1/budgets/bud_x"), .if_match = "*",
     .body = "{\"limit\": 1}", .status = 404, .code = "budget_not_found"},
    {"an unknown policy", GET("/v1/policies/x"), .status = 404,
     .code = "policy_not_found"},
    {"a revision nobody wrote", GET("/v1/policies/goodwill?revision=99"), .status = 404,
     .code = "policy_not_found"},
    {"an unknown model", GET("/v1/models/x/versions/1"), .status = 404,
     .code = "model_version_not_found"},
    {"a version nobody pushed", GET("/v1/models/credit_uplift/versions/99"),
     .status = 404, .code = "model_version_not_found"},
    {"a version that is none", GET("/v1/models/credit_uplift/versions/one"),
     .status = 404, .code = "model_version_not_found"},
    {"an alias that is none", .role = SCIENCE,
     PUT("/v1/models/credit_uplift/aliases/best"),
     .body = "{\"version\": 1, \"reason\": \"x\"}", .status = 404,
     .code = "alias_not_found"},
    {"a champion nobody pushed", .role = SCIENCE,
     PUT("/v1/models/credit_uplift/aliases/champion"),
     .body = "{\"version\": 99, \"reason\": \"x\"}", .status = 404,
     .code = "model_version_not_found"},
    {"an unknown API key", .role = ADMIN,
     DELETE("/v1/api-keys/key_00000000000000000000000000"), .status = 404,
     .code = "api_key_not_found"},

    /* --- settle, release, override --- */
    {"settle nothing", .path = "/v1/decisions/{held}/settle", .body = "{\"amount\": 0}",
     INVALID("/amount", "out_of_range")},
    {"settle less than nothing", .path = "/v1/decisions/{held}/settle",
     .body = "{\"amount\": -5}", INVALID("/amount", "out_of_range")},
    {"settle half a cent", .path = "/v1/decisions/{held}/settle",
     .body = "{\"amount\": 0.5}", INVALID("/amount", "wrong_type")},
    {"settle more than is held", .path = "/v1/decisions/{held}/settle",
     .body = "{\"amount\": 999999}", INVALID("/amount", "amount_over_hold")},
    {"settle what does not fit an integer", .path = "/v1/decisions/{held}/settle",
     .body = "{\"amount\": 9223372036854775808}", INVALID("/amount", "out_of_range")},
    {"settle more than a number can be", .path = "/v1/decisions/{held}/settle",
     .body = "{\"amount\": 1e400}", INVALID("/amount", "out_of_range")},
    {"settle twice in one", .path = "/v1/decisions/{held}/settle",
     .body = "{\"amount\": 1, \"\\u0061mount\": 1}",
     INVALID("/amount", "duplicate_field")},
    {"override twice in one", .path = "/v1/decisions/{held}/override",
     .body = "{\"amount\": 1, \"reason_code\": \"x\", \"amount\": 2}",
     INVALID("/amount", "duplicate_field")},
    {"release for a NUL", .path = "/v1/decisions/{held}/release",
     .body = "{\"reason_code\": \"a\\u0000b\"}", INVALID("/reason_code", "invalid_text")},
    {"release with a NUL in a name", .path = "/v1/decisions/{held}/release",
     .body = "{\"reason_code\\u0000x\": \"a\"}", INVALID("", "invalid_text")},
    {"settle with more", .path = "/v1/decisions/{held}/settle",
     .body = "{\"amount\": 1, \"currency\": \"USD\"}",
     INVALID("/currency", "unknown_field")},
    {"a small body that is large", .path = "/v1/decisions/{held}/settle",
     .make_body = small_body_too_large, .status = 413, .code = "payload_too_large"},
    {"release without a reason", .path = "/v1/decisions/{held}/release", .body = "{}",
     INVALID("/reason_code", "missing_field")},
    {"override with less than nothing", .path = "/v1/decisions/{held}/override",
     .body = "{\"amount\": -1, \"reason_code\": \"x\"}",
     INVALID("/amount", "out_of_range")},
    {"override over the order", .path = "/v1/decisions/{held}/override",
     .body = "{\"amount\": 5201, \"reason_code\": \"x\"}",
     INVALID("/amount", "over_order_amount")},
    {"override without a reason", .path = "/v1/decisions/{held}/override",
     .body = "{\"amount\": 1}", INVALID("/reason_code", "missing_field")},

    /* --- budgets --- */
    {"a budget without anything", .role = OPS, .path = "/v1/budgets", .body = "{}",
     INVALID("/period", "missing_field")},
    {"a budget of minus one", .role = OPS, .path = "/v1/budgets",
     .body = "{\"period\": \"day\", \"limit\": -1, \"currency\": \"USD\"}",
     INVALID("/limit", "out_of_range")},
    {"a budget of a half", .role = OPS, .path = "/v1/budgets",
     .body = "{\"period\": \"day\", \"limit\": 0.5, \"currency\": \"USD\"}",
     INVALID("/limit", "wrong_type")},
    {"a budget over 2^53 - 1", .role = OPS, .path = "/v1/budgets",
     .body = "{\"period\": \"day\", \"limit\": 9007199254740992, \"currency\": \"USD\"}",
     INVALID("/limit", "out_of_range")},
    {"an unknown period", .role = OPS, .path = "/v1/budgets",
     .body = "{\"period\": \"hour\", \"limit\": 1, \"currency\": \"USD\"}",
     INVALID("/period", "unknown_value")},
    {"an unknown time zone", .role = OPS, .path = "/v1/budgets",
     .body = BUDGET(", \"time_zone\": \"Mars/Olympus\""),
     INVALID("/time_zone", "unknown_value")},
    {"a budget in an unknown currency", .role = OPS, .path = "/v1/budgets",
     .body = "{\"period\": \"day\", \"limit\": 1, \"currency\": \"XYZ\"}",
     INVALID("/currency", "unknown_value")},
    {"an id that is no budget's", .role = OPS, .path = "/v1/budgets",
     .body =
         "{\"id\": \"all\", \"period\": \"day\", \"limit\": 1, \"currency\": \"USD\"}",
     INVALID("/id", "invalid_id")},
    {"an id that is taken", .role = OPS, .path = "/v1/budgets",
     .body = "{\"id\": \"bud_all\", \"period\": \"day\", \"limit\": 1, "
             "\"currency\": \"USD\"}",
     .status = 409, .code = "budget_exists"},
    {"an unknown part of a scope", .role = OPS, .path = "/v1/budgets",
     .body = BUDGET(", \"scope\": {\"city\": \"x\"}"),
     INVALID("/scope/city", "unknown_field")},
    {"a scope in another currency", .role = OPS, .path = "/v1/budgets",
     .body = BUDGET(", \"scope\": {\"currency\": \"EUR\"}"),
     INVALID("/scope/currency", "currency_mismatch")},
    {"a budget twice", .role = OPS, .path = "/v1/budgets",
     .body = BUDGET(", \"limit\": 6"), INVALID("/limit", "duplicate_field")},
    {"a part of a scope twice", .role = OPS, .path = "/v1/budgets",
     .body = BUDGET(", \"scope\": {\"market\": \"a\", \"market\": \"b\"}"),
     INVALID("/scope/market", "duplicate_field")},
    {"an adjustment twice in one", .role = OPS, .path = "/v1/budgets/bud_all/adjustments",
     .body = "{\"amount\": 1, \"amount\": 1, \"reason_code\": \"x\"}",
     INVALID("/amount", "duplicate_field")},
    {"a change that saw nothing", .role = OPS, PUT("/v1/budgets/bud_all"),
     .body = "{\"limit\": 1}", .status = 428, .code = "precondition_required"},
    {"a change that saw another revision", .role = OPS, PUT("/v1/budgets/bud_all"),
     .if_match = "\"99\"", .body = "{\"limit\": 1}", .status = 412,
     .code = "precondition_failed"},
    {"an If-Match that is none", .role = OPS, PUT("/v1/budgets/bud_all"), .if_match = "1",
     .body = "{\"limit\": 1}", .status = 412, .code = "precondition_failed"},
    {"another currency for a budget", .role = OPS, PUT("/v1/budgets/bud_all"),
     .if_match = "*", .body = "{\"currency\": \"EUR\"}",
     INVALID("/currency", "immutable_field")},
    {"a budget that holds money, deleted", .role = OPS, DELETE("/v1/budgets/bud_all"),
     .if_match = "*", .status = 409, .code = "budget_has_holds"},
    {"an adjustment of nothing", .role = OPS, .path = "/v1/budgets/bud_all/adjustments",
     .body = "{\"amount\": 0, \"reason_code\": \"x\"}",
     INVALID("/amount", "out_of_range")},
    {"an adjustment below nothing", .role = OPS,
     .path = "/v1/budgets/bud_all/adjustments",
     .body = "{\"amount\": -9007199254740991, \"reason_code\": \"x\"}",
     INVALID("/amount", "out_of_range")},

    /* --- policies --- */
    {"a policy that is no JSON", .role = OPS, PUT("/v1/policies/p"), .body = "{",
     MALFORMED},
    {"a policy without a currency", .role = OPS, PUT("/v1/policies/p"), .body = "{}",
     INVALID("/currency", "missing_field")},
    {"an unknown member of a policy", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"menue\": {}"), INVALID("/menue", "unknown_field")},
    {"a menu twice", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"menu\": {\"amounts\": [1], \"amounts\": [2]}"),
     INVALID("/menu/amounts", "duplicate_field")},
    {"a menu beyond all numbers", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"menu\": {\"amounts\": [500, 9223372036854775808]}"),
     INVALID("/menu/amounts/1", "out_of_range")},
    {"a menu with a half", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"menu\": {\"amounts\": [500, 0.5]}"),
     INVALID("/menu/amounts/1", "wrong_type")},
    {"a menu below nothing", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"menu\": {\"amounts\": [-500]}"),
     INVALID("/menu/amounts/0", "out_of_range")},
    {"a share over the whole", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"menu\": {\"order_shares\": [0.5, 1.5]}"),
     INVALID("/menu/order_shares/1", "out_of_range")},
    {"a cap without a limit", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"caps\": [{\"issue\": \"x\"}]"),
     INVALID("/caps/0", "missing_field")},
    {"a window that is none", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"customer_limits\": [{\"window\": \"soon\", \"count\": 1}]"),
     INVALID("/customer_limits/0/window", "out_of_range")},
    {"an unknown field of a condition", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"eligibility\": [{\"require\": [{\"field\": \"mood\", \"op\": "
                    "\"eq\", \"value\": 1}]}]"),
     INVALID("/eligibility/0/require/0/field", "unknown_value")},
    {"an unknown comparison", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"eligibility\": [{\"require\": [{\"field\": \"issue\", \"op\": "
                    "\"like\", \"value\": \"x\"}]}]"),
     INVALID("/eligibility/0/require/0/op", "unknown_value")},
    {"an unknown reason", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"reasons\": {\"MOOD\": \"x\"}"),
     INVALID("/reasons/MOOD", "unknown_field")},
    {"a hold of a second", .role = OPS, PUT("/v1/policies/p"),
     .body = POLICY(", \"hold\": \"1s\""), INVALID("/hold", "out_of_range")},
    {"a policy over a newer one", .role = OPS, PUT("/v1/policies/goodwill"),
     .if_match = "\"99\"", .body = POLICY(""), .status = 412,
     .code = "precondition_failed"},
    {"a policy over one that was not read", .role = OPS, PUT("/v1/policies/goodwill"),
     .body = POLICY(""), .status = 428, .code = "precondition_required"},
    {"back to a revision nobody wrote", .role = OPS,
     .path = "/v1/policies/goodwill/rollback",
     .body = "{\"revision\": 99, \"reason\": \"x\"}", .status = 404,
     .code = "policy_not_found"},

    /* --- bundles --- */
    {"a bundle that is no JSON", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = "{\"manifest\": ", MALFORMED},
    {"an unknown format", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = BUNDLE("redress-bundle/9", "effect", "1800", "[900]", "a.json"),
     INVALID("/manifest/format", "bad_value")},
    {"an unknown kind", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = BUNDLE("redress-bundle/1", "guess", "1800", "[900]", "a.json"),
     INVALID("/manifest/kind", "bad_value")},
    {"examples that the model does not give", .role = SCIENCE,
     .path = "/v1/models/m/versions",
     .body = BUNDLE("redress-bundle/1", "effect", "1801", "[900]", "a.json"),
     INVALID("/manifest/examples/effects/0", "effect_differs")},
    {"a file that is not there", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = BUNDLE("redress-bundle/1", "effect", "1800", "[900]", "b.json"),
     INVALID("/manifest/components/0/file", "missing_file")},
    {"weights for other features", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = BUNDLE("redress-bundle/1", "effect", "1800", "[900, 1]", "a.json"),
     INVALID("/manifest/components/0/file", "wrong_features")},
    {"a model file cut short", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = TREE_BUNDLE("{\\\"learner\\\": {\\\"attributes\\\": {}, \\\"gradient_bo"),
     INVALID("/manifest/components/0/file", "bad_model")},
    {"a model file of no known format", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = TREE_BUNDLE("pickle"), INVALID("/manifest/components/0/file", "bad_model")},
    {"a bundle with a member twice", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = "{\"manifest\": {\"name\": \"m\", \"name\": \"m\"}, \"files\": {}}",
     INVALID("/manifest/name", "duplicate_field")},
    {"a bundle with a number too large", .role = SCIENCE, .path = "/v1/models/m/versions",
     .body = "{\"manifest\": {\"arms\": [1e400]}, \"files\": {}}",
     INVALID("/manifest/arms/0", "out_of_range")},
    {"a bundle with a number for a file", .role = SCIENCE,
     .path = "/v1/models/m/versions",
     .body = "{\"manifest\": {}, \"files\": {\"a.json\": 7}}",
     INVALID("/files/a.json", "wrong_type")},
    {"a bundle with a file that is not base64", .role = SCIENCE,
     .path = "/v1/models/m/versions",
     .body = "{\"manifest\": {}, \"files\": {\"a.json\": {\"base64\": \"?\"}}}",
     INVALID("/files/a.json/base64", "bad_value")},
    {"a promotion without a reason", .role = SCIENCE,
     PUT("/v1/models/credit_uplift/aliases/champion"), .body = "{\"version\": 1}",
     INVALID("/reason", "missing_field")},
    {"the champion, deleted", .role = SCIENCE,
     DELETE("/v1/models/credit_uplift/versions/1"), .status = 409,
     .code = "model_in_use"},

    /* --- API keys --- */
    {"a key for nothing", .role = ADMIN, .path = "/v1/api-keys",
     .body = "{\"name\": \"x\", \"scopes\": []}", INVALID("/scopes", "wrong_type")},
    {"a key for an unknown scope", .role = ADMIN, .path = "/v1/api-keys",
     .body = "{\"name\": \"x\", \"scopes\": [\"read\", \"root\"]}",
     INVALID("/scopes/1", "unknown_scope")},
    {"a key that is over before it begins", .role = ADMIN, .path = "/v1/api-keys",
     .body = "{\"name\": \"x\", \"scopes\": [\"read\"], "
             "\"expires_at\": \"2001-01-01T00:00:00Z\"}",
     INVALID("/expires_at", "out_of_range")},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* --- judging one row -------------------------------------------------------------------------- */

static int wrong_count;

static void __attribute__((format(printf, 2, 3)))
complain(const char *what, const char *format, ...)
{
    va_list arguments;
    char text[1024];

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_error("%s: %s\n", what, text);
    wrong_count++;
}

/* Every member that RFC 9457 and ours ask for, and what they say agrees with the status
 * line. */
static void judge_problem(const char *what, const struct live_reply *reply,
                          const char *path)
{
    static const char *const texts[] = {"type",     "title", "detail",
                                        "instance", "code",  "request_id"};
    const char *type = http_response_header(&reply->response, "Content-Type");

    if (!type || strcmp(type, "application/problem+json") != 0)
        complain(what, "content type %s", type ? type : "(none)");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!*reply_text(reply, texts[i]))
            complain(what, "no '%s' in %s", texts[i], reply->response.body);
    if (reply_int(reply, "status") != reply->response.status)
        complain(what, "status %d in %s", reply->response.status, reply->response.body);
    if (!json_is_array(json_object_get(reply->json, "errors")))
        complain(what, "no 'errors' in %s", reply->response.body);
    if (path && strncmp(reply_text(reply, "instance"), path, strcspn(path, "?")) != 0)
        complain(what, "instance %s", reply_text(reply, "instance"));
    if (reply->response.status == 405 && !http_response_header(&reply->response, "Allow"))
        complain(what, "405 without Allow");
    if (reply->response.status == 401 &&
        !http_response_header(&reply->response, "WWW-Authenticate"))
        complain(what, "401 without WWW-Authenticate");
}

static bool has_fault(const struct live_reply *reply, const struct row *row)
{
    json_t *fault;
    size_t i;

    json_array_foreach(json_object_get(reply->json, "errors"), i, fault)
    {
        const char *pointer = json_string_value(json_object_get(fault, "pointer"));
        const char *code = json_string_value(json_object_get(fault, "code"));
        const char *detail = json_string_value(json_object_get(fault, "detail"));

        if (pointer && code && detail && *detail && strcmp(code, row->fault) == 0 &&
            (!row->pointer || strcmp(pointer, row->pointer) == 0))
            return true;
    }
    return false;
}

static void path_of(const struct row *row, char path[256])
{
    const char *pattern = row->path ? row->path : "/v1/decisions";
    const char *hole = strstr(pattern, "{held}");

    if (hole)
        snprintf(path, 256, "%.*s%s%s", (int)(hole - pattern), pattern, stage.decision,
                 hole + 6);
    else
        snprintf(path, 256, "%s", pattern);
}

static void judge_row(const struct row *row, int number)
{
    char path[256], key[32], *made = row->make_body ? row->make_body() : NULL;
    const char *method = row->method ? row->method : "POST";
    bool has_body = row->body || made;
    struct live_reply reply;

    path_of(row, path);
    snprintf(key, sizeof key, "row-%d", number);
    reply = live_ask(stage.client,
                     &(struct live_request){.method = method,
                                            .path = path,
                                            .authorization = row->bearer ? row->bearer
                                                             : row->role == NOBODY
                                                                 ? NULL
                                                                 : stage.keys[row->role],
                                            .key = !row->key     ? key
                                                   : row->key[0] ? row->key
                                                                 : NULL,
                                            .if_match = row->if_match,
                                            .content_type = row->content_type,
                                            .content_encoding = row->content_encoding,
                                            .body = !has_body ? NULL
                                                    : made    ? made
                                                              : row->body});
    if (reply.response.status != row->status ||
        strcmp(reply_text(&reply, "code"), row->code) != 0)
        complain(row->what, "wanted %d %s, got %d: %s", row->status, row->code,
                 reply.response.status, reply.response.body);
    else if (row->fault && !has_fault(&reply, row))
        complain(row->what, "no fault %s at %s: %s", row->fault,
                 row->pointer ? row->pointer : "anything", reply.response.body);
    judge_problem(row->what, &reply, path);
    live_reply_free(&reply);
    free(made);
}

/* Nothing was written, and a good case is still answered. */
static void judge_service(const char *what, const char *before)
{
    char *after = everything();
    struct live_reply reply =
        ask(SUPPORT, "POST", "/v1/decisions?dry_run=true", GOOD_CASE);

    if (strcmp(before, after) != 0)
        complain(what, "something was written");
    if (reply.response.status != 200)
        complain(what, "afterwards a good case gets %d", reply.response.status);
    live_reply_free(&reply);
    free(after);
}

static void what_is_wrong_is_refused_and_changes_nothing(void **state)
{
    char *before = everything();

    (void)state;
    wrong_count = 0;
    for (int i = 0; i < ROW_COUNT; i++) {
        judge_row(&rows[i], i);
        judge_service(rows[i].what, before);
    }
    free(before);
    if (wrong_count > 0)
        fail_msg("%d complaints about %d rows", wrong_count, ROW_COUNT);
}

/* --- bytes that no proper client sends -------------------------------------------------------- */

#define LINE   "POST /v1/decisions HTTP/1.1\r\nHost: x\r\n"
#define HIDDEN "GET /v1/audit-events HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct raw_row {
    const char *what, *bytes;
    int status; /* 0: hanging up without a word will do */
} raw_rows[] = {
    {"two lengths", LINE "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} " HIDDEN, 400},
    {"the same length twice",
     LINE "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" HIDDEN, 400},
    {"a list of lengths", LINE "Content-Length: 2, 2\r\n\r\n{}" HIDDEN, 400},
    {"a length with a sign", LINE "Content-Length: +2\r\n\r\n{}" HIDDEN, 400},
    {"a length below nothing", LINE "Content-Length: -2\r\n\r\n{}" HIDDEN, 400},
    {"a length in hexadecimal", LINE "Content-Length: 0x2\r\n\r\n{}" HIDDEN, 400},
    {"a length over 64 bits", LINE "Content-Length: 99999999999999999999\r\n\r\n" HIDDEN,
     0},
    {"a length and a coding",
     LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN, 0},
    {"a coding alone",
     LINE "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" HIDDEN, 411},
    {"an unknown coding", LINE "Transfer-Encoding: cow\r\n\r\n" HIDDEN, 0},
    {"a space before the colon", LINE "Content-Length : 2\r\n\r\n{}" HIDDEN, 400},
    {"a folded header", LINE "X-A: 1\r\n Content-Length: 2\r\n\r\n" HIDDEN, 0},
    {"no host", "POST /v1/decisions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400},
    {"two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"another version", "GET /healthz HTTP/9.1\r\nHost: x\r\n\r\n", 0},
    {"a path with a space", "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n", 0},
    {"not HTTP", "\x16\x03\x01\x02\x01\xfc\x03\r\n\r\n", 0},
};

static void judge_raw(const struct raw_row *row)
{
    struct http_client *client = http_client_open(stage.server.listen);
    struct live_reply reply = {0};
    bool is_answered;

    assert_true(http_send(client, row->bytes, strlen(row->bytes)));
    is_answered = http_receive(client, true, &reply.response);
    if (is_answered) {
        if (reply.response.status < 400 || reply.response.status == 500 ||
            (row->status && reply.response.status != row->status))
            complain(row->what, "%d in place of %d", reply.response.status, row->status);
        /* What hides behind must not be answered on its own. */
        if (!http_is_closed(client, 2000))
            complain(row->what, "the connection stays open");
    } else if (row->status) {
        complain(row->what, "no answer: %s", http_client_trouble(client));
    }
    http_response_free(&reply.response);
    http_client_close(client);
}

static void a_head_that_can_be_read_in_two_ways_ends_the_connection(void **state)
{
    char *before = everything();

    (void)state;
    wrong_count = 0;
    for (size_t i = 0; i < sizeof raw_rows / sizeof raw_rows[0]; i++) {
        judge_raw(&raw_rows[i]);
        judge_service(raw_rows[i].what, before);
    }
    free(before);
    if (wrong_count > 0)
        fail_msg("%d complaints", wrong_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_refused_and_changes_nothing),
        cmocka_unit_test(a_head_that_can_be_read_in_two_ways_ends_the_connection),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}
