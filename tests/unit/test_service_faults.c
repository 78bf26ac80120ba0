/* test_service_faults.c - the whole service in trouble: while it opens, and at every route, each
 * malloc of the caller's and each read, write and malloc of SQLite's fails in its turn, once or from
 * then on. It says so and changes nothing, or does what it does without a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/api_call.h"
#include "support/failing_memory.h"
#include "support/service_fixture.h"
#include "support/store_fault_vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 256, BODY_BYTES = 512, NTH_MAX = 100000 };

/* What fails: OWN_MEMORY, or a fault_kind of the store. */
enum { OWN_MEMORY = FAULT_KIND_COUNT };

struct trouble {
    int kind;
    bool is_lasting;
};

static const struct trouble troubles[] = {
    {OWN_MEMORY, false},  {OWN_MEMORY, true}, {FAULT_MEMORY, false},
    {FAULT_MEMORY, true}, {FAULT_READ, true}, {FAULT_WRITE, true},
};

enum { TROUBLE_COUNT = sizeof troubles / sizeof *troubles };

static void arm(const struct trouble *trouble, long nth)
{
    if (trouble->kind == OWN_MEMORY)
        memory_arm(nth, trouble->is_lasting);
    else
        fault_arm((enum fault_kind)trouble->kind, nth, trouble->is_lasting);
}

static bool disarm(const struct trouble *trouble)
{
    return trouble->kind == OWN_MEMORY ? memory_disarm() : fault_disarm();
}

/* SQLite asks for memory a thousand times where we ask once: there, steps that grow. */
static long step_of(const struct trouble *trouble, long nth)
{
    return trouble->kind == FAULT_MEMORY ? 1 + nth / 8 : 1;
}

/* --- opening ---------------------------------------------------------------------------------- */

static long sweep_open(struct running *running, const struct trouble *trouble)
{
    const struct service_settings settings = {.folder = running->folder,
                                              .clock = &running->clock,
                                              .build = "redress 0.0.0 (test)",
                                              .reader_count = 2,
                                              .queue_capacity = 10};
    long refused_count = 0;

    for (long nth = 1; nth < NTH_MAX; nth += 1 + nth / 8) {
        struct service *service = NULL;
        bool was_created, has_struck;
        struct err err;
        enum status rc;

        err_clear(&err);
        arm(trouble, nth);
        rc = service_open(&settings, &service, &was_created, &err);
        has_struck = disarm(trouble);
        service_close(service);
        if (!rc && !has_struck)
            return refused_count;
        if (!rc)
            continue;
        if (!has_struck || !err.text[0])
            fail_msg("trouble %d, call %ld: status %d, '%s'", trouble->kind, nth, rc,
                     err.text);
        refused_count++;
    }
    fail_msg("trouble %d never ends", trouble->kind);
    return 0;
}

static void a_service_that_cannot_open_says_why_and_opens_afterwards(void **state)
{
    struct running *running = running_open();

    (void)state;
    service_fill(
        running->service,
        ", \"order_limit\": {\"order_share\": 1.0}, \"duplicates\": {\"window\": "
        "\"7d\"}, \"customer_limits\": [{\"window\": \"30d\", \"count\": 90}]",
        100000);
    service_close(running->service);
    running->service = NULL;
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        /* A start writes nothing that it needs, and what fails for once may be tried again. */
        long refused_count = sweep_open(running, &troubles[i]);

        if (troubles[i].kind == OWN_MEMORY || troubles[i].kind == FAULT_READ)
            assert_true(refused_count > 0);
    }
    running_restart(running);
    assert_non_null(running->service);
    running_close(running);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* "{decision}" is one that is held and "{n}" a number that no other sweep has. */
struct request {
    const char *method, *path, *body, *if_match;
};

#define CASE(features)                                                                   \
    "{\"case_id\": \"k{n}\", \"customer_id\": \"c{n}\", \"currency\": \"USD\","          \
    " \"order_id\": \"o{n}\", \"order_amount\": 4000, \"issue\": \"late_delivery\","     \
    " \"features\": {" features "}}"

static const struct request reads[] = {
    {"GET", "/v1/decisions", NULL, NULL},
    {"GET", "/v1/decisions/{decision}", NULL, NULL},
    {"GET", "/v1/decisions/{decision}/explanation", NULL, NULL},
    {"POST", "/v1/decisions/{decision}/replay", "{}", NULL},
    {"GET", "/v1/customers/c1/decisions", NULL, NULL},
    {"GET", "/v1/budgets", NULL, NULL},
    {"GET", "/v1/budgets/bud_all", NULL, NULL},
    {"GET", "/v1/budgets/bud_all/entries", NULL, NULL},
    {"GET", "/v1/budgets/bud_all/pacing", NULL, NULL},
    {"GET", "/v1/ledger-entries", NULL, NULL},
    {"GET", "/v1/policies", NULL, NULL},
    {"GET", "/v1/policies/goodwill", NULL, NULL},
    {"GET", "/v1/policies/goodwill/revisions", NULL, NULL},
    {"GET", "/v1/models", NULL, NULL},
    {"GET", "/v1/models/m/versions/1", NULL, NULL},
    {"GET", "/v1/models/m/history", NULL, NULL},
    {"GET", "/v1/audit-events", NULL, NULL},
    {"GET", "/v1/audit-events/verify", NULL, NULL},
    {"GET", "/v1/api-keys", NULL, NULL},
};

static const struct request changes[] = {
    {"POST", "/v1/decisions", CASE("\"need\": 2"), NULL},
    {"POST", "/v1/decision-batches", "{\"cases\": [" CASE("\"need\": 1") "]}", NULL},
    {"POST", "/v1/decisions/{decision}/settle", "{}", NULL},
    {"POST", "/v1/decisions/{decision}/release", "{\"reason_code\": \"GONE\"}", NULL},
    {"POST", "/v1/decisions/{decision}/override",
     "{\"amount\": 500, \"reason_code\": \"CALLED_BACK\"}", NULL},
    {"POST", "/v1/budgets",
     "{\"id\": \"bud_{n}\", \"scope\": {\"market\": \"m{n}\"}, \"period\": \"day\","
     " \"limit\": 1000, \"currency\": \"USD\"}",
     NULL},
    {"PUT", "/v1/budgets/bud_all", "{\"limit\": 90000}", "*"},
    {"POST", "/v1/budgets/bud_all/adjustments",
     "{\"amount\": 500, \"reason_code\": \"PEAK\"}", NULL},
    {"PUT", "/v1/policies/p{n}", "{\"currency\": \"USD\", \"menu\": {\"amounts\": [5]}}",
     NULL},
    {"PUT", "/v1/models/m/aliases/champion", "{\"version\": 1, \"reason\": \"again\"}",
     NULL},
    {"POST", "/v1/api-keys", "{\"name\": \"n{n}\", \"scopes\": [\"read\"]}", NULL},
};

struct subject {
    int n;
    char decision[64];
};

/* A page of the template with the names put in. */
static const char *filled(const char *from, const struct subject *subject, char *to,
                          size_t bytes)
{
    size_t used = 0;

    if (!from)
        return NULL;
    while (*from && used + 80 < bytes) {
        if (strncmp(from, "{decision}", 10) == 0) {
            used += (size_t)snprintf(to + used, bytes - used, "%s", subject->decision);
            from += 10;
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

static struct api_reply call(struct running *running, const struct request *request,
                             const struct subject *subject, const char *key)
{
    char path[PATH_BYTES], body[BODY_BYTES];

    return api_call(running->service, request->method,
                    filled(request->path, subject, path, sizeof path), key,
                    request->if_match, filled(request->body, subject, body, sizeof body));
}

/* What the request under way is up against. */
static struct {
    const struct trouble *trouble;
    long nth;
    bool has_struck;
} under_way;

static void around(bool begins)
{
    if (begins)
        arm(under_way.trouble, under_way.nth);
    else
        under_way.has_struck = disarm(under_way.trouble);
}

static struct api_reply call_in_trouble(struct running *running,
                                        const struct request *request,
                                        const struct subject *subject, const char *key,
                                        const struct trouble *trouble, long nth,
                                        bool *has_struck)
{
    struct api_reply reply;

    under_way.trouble = trouble;
    under_way.nth = nth;
    api_call_around = around;
    reply = call(running, request, subject, key);
    api_call_around = NULL;
    *has_struck = under_way.has_struck;
    return reply;
}

/* A new number, and a decision that is held. */
static void subject_renew(struct running *running, struct subject *subject)
{
    static const struct request decide = {"POST", "/v1/decisions", CASE("\"need\": 2"),
                                          NULL};
    struct api_reply reply;
    char key[32];

    snprintf(key, sizeof key, "subject-%d", ++subject->n);
    reply = call(running, &decide, subject, key);
    if (reply.status != 201)
        fail_msg("decide: %d %s", reply.status, reply.text);
    snprintf(subject->decision, sizeof subject->decision, "%s",
             string_at(reply.json, "id"));
    subject->n++;
    api_reply_free(&reply);
}

/* A clean refusal of what is not the caller's fault. */
static void check_refusal(const struct request *request, const struct trouble *trouble,
                          long nth, bool has_struck, const struct api_reply *reply)
{
    if (!has_struck || reply->status != 503)
        fail_msg("%s %s, trouble %d, call %ld%s: %d %s", request->method, request->path,
                 trouble->kind, nth, has_struck ? "" : " (not reached)", reply->status,
                 reply->text);
}

static void sweep_read(struct running *running, const struct request *request,
                       const struct trouble *trouble, const struct subject *subject)
{
    struct api_reply wanted = call(running, request, subject, NULL);
    bool has_struck = true;

    if (wanted.status != 200)
        fail_msg("%s: %d %s", request->path, wanted.status, wanted.text);
    for (long nth = 1; has_struck; nth += step_of(trouble, nth)) {
        struct api_reply reply;

        assert_true(nth < NTH_MAX);
        reply =
            call_in_trouble(running, request, subject, NULL, trouble, nth, &has_struck);
        if (reply.status == 200)
            assert_int_equal(strlen(reply.text), strlen(wanted.text));
        else
            check_refusal(request, trouble, nth, has_struck, &reply);
        api_reply_free(&reply);
    }
    api_reply_free(&wanted);
}

/* The same key all the while: what was not sure is done once. */
static int sweep_change(struct running *running, const struct request *request,
                        const struct trouble *trouble, struct subject *subject)
{
    int refused_count = 0;
    bool has_struck = true;

    subject_renew(running, subject);
    for (long nth = 1; has_struck; nth += step_of(trouble, nth)) {
        struct api_reply reply;
        char key[32];

        assert_true(nth < NTH_MAX);
        snprintf(key, sizeof key, "key-%d", subject->n);
        reply =
            call_in_trouble(running, request, subject, key, trouble, nth, &has_struck);
        if (reply.status >= 300) {
            check_refusal(request, trouble, nth, has_struck, &reply);
            refused_count++;
        }
        if (committer_has_failed(service_committer(running->service)))
            running_restart(running);
        if (reply.status < 300)
            subject_renew(running, subject);
        api_reply_free(&reply);
    }
    return refused_count;
}

/* What is stored is whole, and no budget is over its limit. */
static void check_whole(struct running *running)
{
    struct api_reply reply =
        api_call(running->service, "GET", "/v1/audit-events/verify", NULL, NULL, NULL);

    assert_int_equal(reply.status, 200);
    assert_true(json_is_true(at(reply.json, "ok")));
    api_reply_free(&reply);
    reply = api_call(running->service, "GET", "/v1/budgets/bud_all", NULL, NULL, NULL);
    assert_true(int_at(reply.json, "held") + int_at(reply.json, "spent") <=
                int_at(reply.json, "limit"));
    assert_true(int_at(reply.json, "held") > 0);
    api_reply_free(&reply);
}

static struct running *filled_service(void)
{
    struct running *running = running_open();

    service_fill(
        running->service,
        ", \"order_limit\": {\"order_share\": 1.0}, \"duplicates\": {\"window\": "
        "\"7d\"}, \"customer_limits\": [{\"window\": \"30d\", \"count\": 90}]",
        INT64_C(100000000));
    return running;
}

static void a_read_in_trouble_says_so_or_is_whole(void **state)
{
    struct running *running = filled_service();
    struct subject subject = {0};

    (void)state;
    subject_renew(running, &subject);
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        for (int k = 0; k < TROUBLE_COUNT; k++) {
            if (troubles[k].kind == FAULT_READ)
                running_restart(running); /* nothing is in SQLite's cache */
            sweep_read(running, &reads[i], &troubles[k], &subject);
        }
    check_whole(running);
    running_close(running);
}

static void a_change_in_trouble_is_refused_or_done_once(void **state)
{
    struct running *running = filled_service();
    struct subject subject = {0};

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        int refused_count = 0;

        for (int k = 0; k < TROUBLE_COUNT; k++)
            refused_count += sweep_change(running, &changes[i], &troubles[k], &subject);
        assert_true(refused_count > 0);
    }
    check_whole(running);
    running_close(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_that_cannot_open_says_why_and_opens_afterwards),
        cmocka_unit_test(a_read_in_trouble_says_so_or_is_whole),
        cmocka_unit_test(a_change_in_trouble_is_refused_or_done_once),
    };

    fault_install();
    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
