/* service_requests.c - see service_requests.h. */
#include "support/service_requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sha256.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 256, BODY_BYTES = 2048 };

#define CASE(members)                                                                    \
    "{\"case_id\": \"k{n}\", \"customer_id\": \"c{n}\", \"currency\": \"USD\","          \
    " \"order_id\": \"o{n}\", \"order_amount\": 4000, \"issue\": "                       \
    "\"late_delivery\"," members " \"features\": {\"need\": 2}}"

/* Another customer each, but for the last two. */
#define CASES                                                                            \
    "{\"cases\": [{\"case_id\": \"k{n}\", \"customer_id\": \"a{n}\", \"currency\": "     \
    "\"USD\", \"order_amount\": 4000, \"issue\": \"late_delivery\", \"market\": "        \
    "\"us\", \"features\": {\"need\": 2}}, {\"case_id\": \"l{n}\", \"customer_id\": "    \
    "\"b{n}\", \"currency\": \"USD\", \"order_amount\": 4000, \"issue\": "               \
    "\"late_delivery\", \"entitled_amount\": 300, \"features\": {\"need\": 1}}, "        \
    "{\"case_id\": \"m{n}\", \"customer_id\": \"b{n}\", \"currency\": \"USD\", "         \
    "\"order_amount\": 4000, \"issue\": \"late_delivery\"}]}"

#define DAILY(id)                                                                        \
    "{\"id\": \"" id "\", \"scope\": {\"market\": \"m{n}\"}, \"period\": \"day\","       \
    " \"limit\": 1000, \"currency\": \"USD\"}"

#define LINEAR(weight)                                                                   \
    "{\"json\": {\"format\": \"redress-linear/1\", \"weights\": [" weight                \
    "], \"intercept\": 0}}"

#define BUNDLE                                                                           \
    "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"x{n}\", \"kind\": "   \
    "\"effect\", \"learner\": \"effect\", \"features\": [{\"name\": \"need\", "          \
    "\"type\": \"float\", \"missing\": \"allow\"}], \"arms\": [{\"name\": \"a500\", "    \
    "\"dose\": 500}], \"components\": [{\"role\": \"tau\", \"arm\": \"a500\", "          \
    "\"file\": \"a500.json\"}], \"examples\": {\"rows\": [[1]], \"effects\": [[{n}]]}}"  \
    ", \"files\": {\"a500.json\": " LINEAR("{n}") "}}"

const struct service_request service_reads[] = {
    {"POST", "/v1/decisions?dry_run=true", CASE("\"market\": \"us\","), NULL, NULL, NULL},
    {"GET", "/v1/decisions", NULL, NULL, NULL, NULL},
    {"GET", "/v1/decisions?limit=1", NULL, NULL, NULL, NULL},
    {"GET", "/v1/decisions/{decision}", NULL, NULL, NULL, NULL},
    {"GET", "/v1/decisions/{decision}/explanation", NULL, NULL, NULL, NULL},
    {"POST", "/v1/decisions/{decision}/replay", "{}", NULL, NULL, NULL},
    {"GET", "/v1/customers/c1/decisions", NULL, NULL, NULL, NULL},
    {"GET", "/v1/budgets", NULL, NULL, NULL, NULL},
    {"GET", "/v1/budgets/bud_all", NULL, NULL, NULL, NULL},
    {"GET", "/v1/budgets/bud_all/entries", NULL, NULL, NULL, NULL},
    {"GET", "/v1/budgets/bud_all/pacing", NULL, NULL, NULL, NULL},
    {"GET", "/v1/budgets/bud_paced/pacing", NULL, NULL, NULL, NULL},
    {"GET", "/v1/ledger-entries", NULL, NULL, NULL, NULL},
    {"GET", "/v1/policies", NULL, NULL, NULL, NULL},
    {"GET", "/v1/policies/goodwill", NULL, NULL, NULL, NULL},
    {"GET", "/v1/policies/goodwill/revisions", NULL, NULL, NULL, NULL},
    {"GET", "/v1/models", NULL, NULL, NULL, NULL},
    {"GET", "/v1/models/m/versions/1", NULL, NULL, NULL, NULL},
    {"GET", "/v1/models/m/history", NULL, NULL, NULL, NULL},
    {"GET", "/v1/models/m/history?at=2026-01-01T00:00:00Z", NULL, NULL, NULL, NULL},
    {"GET", "/v1/audit-events", NULL, NULL, NULL, NULL},
    {"GET", "/v1/audit-events/verify", NULL, NULL, NULL, NULL},
    {"GET", "/v1/exports/decisions", NULL, NULL, NULL, NULL},
    {"GET", "/v1/exports/decisions?format=csv", NULL, NULL, NULL, NULL},
    {"GET", "/v1/exports/ledger", NULL, NULL, NULL, NULL},
    {"GET", "/v1/exports/audit?format=csv", NULL, NULL, NULL, NULL},
    {"GET", "/v1/api-keys", NULL, NULL, NULL, NULL},
};
const int service_read_count = sizeof service_reads / sizeof *service_reads;

static const struct service_request one_budget = {
    "POST", "/v1/budgets", DAILY("bud_d{n}"), NULL, NULL, NULL};
static const struct service_request one_key = {
    "POST", "/v1/api-keys", "{\"name\": \"n{n}\", \"scopes\": [\"read\"]}",
    NULL,   NULL,           NULL};
static const struct service_request one_model = {
    "POST", "/v1/models/x{n}/versions", BUNDLE, NULL, NULL, NULL};

const struct service_request service_changes[] = {
    {"POST", "/v1/decisions", CASE("\"market\": \"us\","), NULL, NULL, NULL},
    {"POST", "/v1/decision-batches", CASES, NULL, NULL, NULL},
    {"POST", "/v1/decisions/{decision}/settle", "{}", NULL, NULL, NULL},
    {"POST", "/v1/decisions/{decision}/settle", "{\"amount\": 1}", NULL, NULL, NULL},
    {"POST", "/v1/decisions/{decision}/release", "{\"reason_code\": \"GONE\"}", NULL,
     NULL, NULL},
    {"POST", "/v1/decisions/{decision}/override",
     "{\"amount\": 500, \"reason_code\": \"CALLED_BACK\"}", NULL, NULL, NULL},
    {"POST", "/v1/outcomes",
     "{\"decision_id\": \"{decision}\", \"metric\": \"orders\", \"value\": {n}, "
     "\"occurred_at\": \"2025-11-20T18:00:00Z\"}",
     NULL, NULL, NULL},
    {"POST", "/v1/budgets", DAILY("bud_{n}"), NULL, NULL, NULL},
    {"PUT", "/v1/budgets/bud_all", "{\"limit\": 90000{n}}", "*", NULL, NULL},
    {"PUT", "/v1/budgets/bud_paced", "{\"expected_cases\": {n}}", "*", NULL, NULL},
    {"POST", "/v1/budgets/bud_all/adjustments",
     "{\"amount\": 500, \"reason_code\": \"PEAK\"}", NULL, NULL, NULL},
    {"DELETE", "/v1/budgets/bud_d{n}", NULL, "*", &one_budget, NULL},
    {"PUT", "/v1/policies/p{n}", "{\"currency\": \"USD\", \"menu\": {\"amounts\": [5]}}",
     NULL, NULL, NULL},
    {"POST", "/v1/policies/goodwill/rollback",
     "{\"revision\": 1, \"reason\": \"back {n}\"}", NULL, NULL, NULL},
    {"POST", "/v1/models/x{n}/versions", BUNDLE, NULL, NULL, NULL},
    {"DELETE", "/v1/models/x{n}/versions/1", NULL, NULL, &one_model, NULL},
    {"PUT", "/v1/models/m/aliases/champion", "{\"version\": 1, \"reason\": \"again\"}",
     NULL, NULL, NULL},
    {"POST", "/v1/api-keys", "{\"name\": \"n{n}\", \"scopes\": [\"read\"]}", NULL, NULL,
     NULL},
    {"POST", "/v1/api-keys/{made}/rotate", "{}", NULL, &one_key, "id"},
    {"DELETE", "/v1/api-keys/{made}", NULL, NULL, &one_key, "id"},
};
const int service_change_count = sizeof service_changes / sizeof *service_changes;

/* --- calls ------------------------------------------------------------------------------------ */

/* The template with the names put in. */
static const char *filled(const char *from, const struct request_subject *subject,
                          char *to, size_t bytes)
{
    size_t used = 0;

    if (!from)
        return NULL;
    while (*from && used + 80 < bytes) {
        if (strncmp(from, "{decision}", 10) == 0) {
            used += (size_t)snprintf(to + used, bytes - used, "%s", subject->decision);
            from += 10;
        } else if (strncmp(from, "{made}", 6) == 0) {
            used += (size_t)snprintf(to + used, bytes - used, "%s", subject->made);
            from += 6;
        } else if (strncmp(from, "{n}", 3) == 0) {
            used += (size_t)snprintf(to + used, bytes - used, "%d", subject->n);
            from += 3;
        } else {
            to[used++] = *from++;
        }
    }
    assert_int_equal(*from, 0);
    to[used] = '\0';
    return to;
}

struct api_reply request_call(struct running *running,
                              const struct service_request *request,
                              const struct request_subject *subject, const char *key)
{
    char path[PATH_BYTES], body[BODY_BYTES];

    return api_call(running->service, request->method,
                    filled(request->path, subject, path, sizeof path), key,
                    request->if_match, filled(request->body, subject, body, sizeof body));
}

/* It has to be done; the member of its answer, or its id when member is NULL, is
 * noted. */
static void make(struct running *running, const struct service_request *request,
                 const char *member, struct request_subject *subject, char *noted,
                 size_t noted_bytes)
{
    char key[32];
    struct api_reply reply;

    snprintf(key, sizeof key, "subject-%d", subject->n);
    reply = request_call(running, request, subject, key);
    if (reply.status >= 300)
        fail_msg("%s %s: %d %s", request->method, request->path, reply.status,
                 reply.text);
    if (member)
        snprintf(noted, noted_bytes, "%s", string_at(reply.json, member));
    api_reply_free(&reply);
}

void subject_renew(struct running *running, const struct service_request *request,
                   struct request_subject *subject)
{
    static const struct service_request decide = {
        "POST", "/v1/decisions", CASE(""), NULL, NULL, NULL};

    subject->n++;
    make(running, &decide, "id", subject, subject->decision, sizeof subject->decision);
    subject->n++;
    if (request && request->before)
        make(running, request->before, request->made, subject, subject->made,
             sizeof subject->made);
}

/* --- the service ------------------------------------------------------------------------------ */

struct running *requests_open(void)
{
    static const struct service_request paced = {
        "POST",
        "/v1/budgets",
        "{\"id\": \"bud_paced\", \"scope\": {\"market\": \"us\"}, \"period\": \"day\", "
        "\"limit\": 5000000, \"currency\": \"USD\", \"pacing\": \"even\", "
        "\"expected_cases\": 20000}",
        NULL,
        NULL,
        NULL};
    static const struct service_request outcome = {
        "POST",
        "/v1/outcomes",
        "{\"decision_id\": \"{decision}\", \"metric\": \"orders\", \"value\": 3, "
        "\"occurred_at\": \"2025-11-20T18:00:00Z\"}",
        NULL,
        NULL,
        NULL};
    struct running *running = running_open();
    struct request_subject subject = {.n = 1000000};

    service_fill(
        running->service,
        ", \"order_limit\": {\"order_share\": 1.0}, \"duplicates\": {\"window\": "
        "\"7d\"}, \"customer_limits\": [{\"window\": \"30d\", \"count\": 90}]",
        INT64_C(100000000));
    make(running, &paced, NULL, &subject, NULL, 0);
    for (int i = 0; i < 2; i++)
        subject_renew(running, NULL, &subject);
    make(running, &outcome, NULL, &subject, NULL, 0);
    return running;
}

/* Of the newest one; 0: there is none. */
static int64_t newest_seq(struct running *running, const char *path)
{
    struct api_reply reply = api_call(running->service, "GET", path, NULL, NULL, NULL);
    int64_t seq;

    if (reply.status != 200)
        fail_msg("%s: %d %s", path, reply.status, reply.text);
    seq = json_array_size(at(reply.json, "data")) ? int_at(reply.json, "data/0/seq") : 0;
    api_reply_free(&reply);
    return seq;
}

struct standing standing_now(struct running *running)
{
    struct standing now = {
        .entry_seq = newest_seq(running, "/v1/ledger-entries?order=desc&limit=1"),
        .event_seq = newest_seq(running, "/v1/audit-events?order=desc&limit=1"),
    };
    struct api_reply reply =
        api_call(running->service, "GET", "/v1/budgets?limit=200", NULL, NULL, NULL);

    static_assert(sizeof now == 2 * sizeof(int64_t) + sizeof now.budgets);
    assert_int_equal(reply.status, 200);
    sha256_of(text_of(reply.text), now.budgets);
    api_reply_free(&reply);
    return now;
}

void check_whole(struct running *running)
{
    const json_t *budget;
    size_t i;
    struct api_reply reply =
        api_call(running->service, "GET", "/v1/audit-events/verify", NULL, NULL, NULL);

    assert_int_equal(reply.status, 200);
    assert_true(json_is_true(at(reply.json, "ok")));
    api_reply_free(&reply);
    reply = api_call(running->service, "GET", "/v1/budgets", NULL, NULL, NULL);
    json_array_foreach(at(reply.json, "data"), i, budget) assert_true(
        int_at(budget, "held") + int_at(budget, "spent") <= int_at(budget, "limit"));
    api_reply_free(&reply);
}
