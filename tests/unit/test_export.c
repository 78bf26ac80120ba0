/* test_export.c - the decision log, the ledger and the audit trail, whole: every row
 * once, as it is, or no answer that looks whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"

#include "base/clock.h"
#include "base/memory.h"
#include "decide/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct running *running;

static int stage_open(void **state)
{
    (void)state;
    running = running_open();
    service_fill(running->service, "", 9000000);
    return 0;
}

static int stage_close(void **state)
{
    (void)state;
    running_close(running);
    return 0;
}

/* --- shorthands ------------------------------------------------------------------------------- */

static struct api_reply post(const char *path, const char *key, const char *body)
{
    return api_call(running->service, "POST", path, key, NULL, body);
}

static void must(struct api_reply reply)
{
    if (reply.status >= 300)
        fail_msg("%s", reply.text);
    api_reply_free(&reply);
}

/* Decide a case with these members more; the id is static. */
static const char *decide(const char *key, const char *members)
{
    static char id[ID_BYTES];
    char *body = malloc(strlen(members) + 256);
    struct api_reply reply;

    assert_non_null(body);
    sprintf(body,
            "{\"case_id\": \"k\", \"customer_id\": \"c_%s\", \"currency\": \"USD\",\n"
            " \"order_amount\": 4000, \"issue\": \"late_delivery\"%s}",
            key, members);
    reply = post("/v1/decisions", key, body);
    if (reply.status != 201)
        fail_msg("%s", reply.text);
    text_copy(text_of(json_string_value(json_object_get(reply.json, "id"))), id,
              sizeof id);
    api_reply_free(&reply);
    free(body);
    return id;
}

static void report(const char *id, const char *metric, const char *value, int day)
{
    char body[320];

    snprintf(body, sizeof body,
             "{\"decision_id\": \"%s\", \"metric\": \"%s\", \"value\": %s, "
             "\"occurred_at\": \"2025-10-%02dT00:00:00Z\"}",
             id, metric, value, day);
    must(post("/v1/outcomes", NULL, body));
}

static struct api_reply export_of(const char *what)
{
    char path[64];

    snprintf(path, sizeof path, "/v1/exports/%s", what);
    return api_call(running->service, "GET", path, NULL, NULL, NULL);
}

/* Line number of an export, from 0, as JSON or as text; the caller owns it. */
static json_t *json_line(const char *what, int number)
{
    struct api_reply reply = export_of(what);
    char *line = reply.text;
    json_t *value;

    assert_int_equal(reply.status, 200);
    assert_non_null(line);
    for (int i = 0; i < number; i++)
        assert_non_null(line = strchr(line, '\n') + 1);
    *strchr(line, '\n') = '\0';
    value = json_loads(line, 0, NULL);
    if (!value)
        fail_msg("%s", line);
    api_reply_free(&reply);
    return value;
}

static int count_lines(const char *text)
{
    int count = 0;

    for (; text && (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

/* --- decisions -------------------------------------------------------------------------------- */

static void a_line_has_case_choice_and_outcomes(void **state)
{
    const char *id = decide("a", ", \"segment\": \"new\", \"features\": {\"need\": 1.5},"
                                 " \"metadata\": {\"agent\": \"a \\\"5\\\"\"}");
    json_t *line;

    (void)state;
    report(id, "value_90d", "12.5", 3);
    report(id, "value_90d", "11", 2);
    report(id, "claims", "0", 1);
    line = json_line("decisions", 0);
    assert_string_equal(string_at(line, "decision_id"), id);
    assert_string_equal(string_at(line, "customer_id"), "c_a");
    assert_string_equal(string_at(line, "segment"), "new");
    assert_string_equal(string_at(line, "metadata/agent"), "a \"5\"");
    assert_true(json_number_value(at(line, "features/need")) == 1.5);
    assert_int_equal(int_at(line, "action"), 1000);
    assert_int_equal(int_at(line, "propensity"), 1);
    assert_int_equal(int_at(line, "options/2/amount"), 1000);
    assert_int_equal(int_at(line, "expected_effect"), 2550);
    assert_string_equal(string_at(line, "versions/model"), "m@1");
    assert_true(json_is_null(at(line, "cost"))); /* it is held */
    assert_true(json_number_value(at(line, "outcomes/value_90d")) == 12.5);
    assert_int_equal(int_at(line, "outcomes/claims"), 0);
    assert_int_equal(json_array_size(at(line, "outcome_events")), 3);
    assert_int_equal(int_at(line, "outcome_events/1/value"), 11);
    json_decref(line);
}

static void the_cost_is_what_was_paid_in_the_end(void **state)
{
    char path[128];
    json_t *line;

    (void)state;
    snprintf(path, sizeof path, "/v1/decisions/%s/settle",
             decide("a", ", \"features\": {\"need\": 1}"));
    must(post(path, "s", "{\"amount\": 700}"));
    snprintf(path, sizeof path, "/v1/decisions/%s/release",
             decide("b", ", \"features\": {\"need\": 1}"));
    must(post(path, "r", "{\"reason_code\": \"x\"}"));
    line = json_line("decisions", 0);
    assert_int_equal(int_at(line, "cost"), 700);
    assert_int_equal(int_at(line, "action"), 1000);
    json_decref(line);
    line = json_line("decisions", 1);
    assert_int_equal(int_at(line, "cost"), 0);
    json_decref(line);
}

static void a_person_s_decision_names_the_one_it_overrides(void **state)
{
    char path[128], id[ID_BYTES];
    json_t *line;

    (void)state;
    snprintf(id, sizeof id, "%s", decide("a", ", \"features\": {\"need\": 1}"));
    snprintf(path, sizeof path, "/v1/decisions/%s/override", id);
    must(post(path, "o", "{\"amount\": 700, \"reason_code\": \"x\"}"));
    line = json_line("decisions", 0);
    assert_true(json_is_true(at(line, "overridden")));
    json_decref(line);
    line = json_line("decisions", 1);
    assert_string_equal(string_at(line, "parent_id"), id);
    assert_int_equal(int_at(line, "action"), 700);
    assert_true(json_is_null(at(line, "expected_effect")));
    json_decref(line);
}

static void a_table_has_a_column_for_every_feature_and_metric(void **state)
{
    static const char header[] =
        "decision_id,parent_id,overridden,created_at,mode,outcome,status,action,"
        "propensity,explored,cost,expected_effect,expected_cost,policy,model,prices,"
        "case_id,customer_id,order_id,currency,order_amount,requested_amount,"
        "entitled_amount,case.issue,market,segment,channel,occurred_at,"
        "issue,feature.action,vip,need,claims,outcome.need,outcome.cost\r\n";
    struct api_reply reply;
    const char *id, *line;

    (void)state;
    must(api_call(running->service, "PUT", "/v1/policies/goodwill", NULL, "*",
                  "{\"currency\": \"USD\", \"fallback\": {\"amount\": 500}}"));
    id = decide("a", ", \"features\": {\"issue\": \"so, \\\"bad\\\"\", \"action\": null,"
                     " \"vip\": true}");
    report(id, "claims", "1", 1);
    report(id, "claims", "3", 2);
    report(id, "need", "-1e-7", 1);
    id = decide("b", ", \"features\": {\"vip\": false, \"need\": 1.50}");
    report(id, "cost", "9007199254740991", 1);
    reply = export_of("decisions?format=csv");
    assert_int_equal(reply.status, 200);
    assert_int_equal(count_lines(reply.text), 3);
    if (strncmp(reply.text, header, sizeof header - 1) != 0)
        fail_msg("%s", reply.text);
    line = reply.text + sizeof header - 1;
    if (!strstr(line, ",late_delivery,,,,,\"so, \"\"bad\"\"\",,true,,3,"))
        fail_msg("%s", line);
    if (!strstr(line, ",late_delivery,,,,,,,false,1.50,,,9007199254740991\r\n"))
        fail_msg("%s", line);
    api_reply_free(&reply);
}

static void an_export_without_rows_is_empty(void **state)
{
    struct api_reply reply = export_of("decisions");

    (void)state;
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.text, "");
    api_reply_free(&reply);
    reply = export_of("decisions?format=csv");
    assert_int_equal(count_lines(reply.text), 1);
    api_reply_free(&reply);
}

/* A clock that never says the same twice: a decision is read, then recorded. */
static int64_t a_tick_later(void *context)
{
    int64_t *now_us = context;

    return *now_us += 1000;
}

static void a_decision_has_one_time_wherever_it_stands(void **state)
{
    struct api_reply shown, ledger;
    json_t *line, *entry;
    const char *id, *time;
    char path[64];

    (void)state;
    running->clock.wall_us = a_tick_later;
    id = decide("k1", ", \"features\": {\"need\": 1}");
    snprintf(path, sizeof path, "/v1/decisions/%s", id);
    shown = api_call(running->service, "GET", path, NULL, NULL, NULL);
    line = json_line("decisions", 0);
    ledger = export_of("ledger");
    entry = json_line("ledger", count_lines(ledger.text) - 1);
    time = string_at(shown.json, "created_at");
    assert_string_equal(string_at(line, "created_at"), time);
    assert_string_equal(string_at(entry, "created_at"), time);
    assert_string_equal(string_at(entry, "decision_id"), id);
    json_decref(entry);
    json_decref(line);
    api_reply_free(&ledger);
    api_reply_free(&shown);
}

static void every_decision_comes_once_in_the_order_of_the_log(void **state)
{
    enum { COUNT = 3 * EXPORT_BLOCK_ROWS + 5 };
    char ids[COUNT][ID_BYTES];
    struct api_reply reply;
    char *at;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        snprintf(ids[i], ID_BYTES, "%s", decide(key, ", \"features\": {\"need\": 1}"));
    }
    reply = export_of("decisions");
    assert_int_equal(count_lines(reply.text), COUNT);
    at = reply.text;
    for (int i = 0; i < COUNT; i++) {
        at = strstr(at, ids[i]);
        assert_non_null(at);
    }
    api_reply_free(&reply);
}

/* --- what comes meanwhile --------------------------------------------------------------------- */

static struct export *opened(enum export_kind kind, enum export_format format)
{
    struct export *export = NULL;

    if (export_open(&(struct export_source){.service = running->service}, kind, format,
                    &export, &running->err))
        fail_msg("%s", running->err.text);
    return export;
}

/* Lines that are left; closes. */
static int drained(struct export *export)
{
    struct text block;
    int count = 0;

    do {
        assert_int_equal(export_next(export, &block, &running->err), STATUS_OK);
        for (size_t i = 0; i < block.bytes; i++)
            count += block.at[i] == '\n';
    } while (block.bytes > 0);
    export_close(export);
    return count;
}

static void what_comes_while_it_runs_is_not_in_it(void **state)
{
    struct export *decisions, *ledger;
    char first[ID_BYTES];

    (void)state;
    for (int i = 0; i < EXPORT_BLOCK_ROWS; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        snprintf(first, sizeof first, "%s", decide(key, ", \"features\": {\"need\": 1}"));
    }
    decisions = opened(EXPORT_DECISIONS, EXPORT_NDJSON);
    ledger = opened(EXPORT_LEDGER, EXPORT_NDJSON);
    decide("later", ", \"features\": {\"need\": 1}");
    report(first, "m", "1", 1);
    assert_int_equal(drained(decisions), EXPORT_BLOCK_ROWS);
    assert_int_equal(drained(ledger), EXPORT_BLOCK_ROWS + 1);
}

/* A metric that is new finds no column when the table has begun: it is left for the next
 * export. */
static void outcomes_that_come_while_it_runs_are_not_in_it(void **state)
{
    struct export *export;
    struct text block;
    char first[ID_BYTES];

    (void)state;
    snprintf(first, sizeof first, "%s", decide("a", ", \"features\": {\"need\": 1}"));
    for (int i = 0; i < EXPORT_BLOCK_ROWS; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        snprintf(first, sizeof first, "%s", decide(key, ", \"features\": {\"need\": 1}"));
    }
    export = opened(EXPORT_DECISIONS, EXPORT_NDJSON);
    report(first, "late", "1", 1);
    assert_int_equal(export_next(export, &block, &running->err), STATUS_OK);
    assert_int_equal(export_next(export, &block, &running->err), STATUS_OK);
    assert_non_null(memmem(block.at, block.bytes, first, strlen(first)));
    assert_null(memmem(block.at, block.bytes, "late\"", 5));
    export_close(export);
}

static void so_many_exports_run_at_a_time_and_no_more(void **state)
{
    struct export *open[EXPORT_COUNT_MAX];
    struct api_reply reply;

    (void)state;
    for (int i = 0; i < EXPORT_COUNT_MAX; i++)
        open[i] = opened(EXPORT_AUDIT, EXPORT_CSV);
    reply = export_of("audit");
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.text, "overloaded"));
    api_reply_free(&reply);
    export_close(open[0]);
    must(export_of("audit"));
    open[0] = opened(EXPORT_AUDIT, EXPORT_CSV);
    for (int i = 0; i < EXPORT_COUNT_MAX; i++)
        export_close(open[i]);
}

/* --- limits ----------------------------------------------------------------------------------- */

/* As large as a case can be, and more of them than a block has room for. */
static void the_largest_cases_come_through(void **state)
{
    enum { COUNT = 2 * EXPORT_BLOCK_ROWS };
    char *members = malloc(70000), *at = members, path[64];
    struct api_reply reply;

    (void)state;
    assert_non_null(members);
    must(api_call(running->service, "PUT", "/v1/policies/goodwill", NULL, "*",
                  "{\"currency\": \"USD\", \"fallback\": {\"amount\": 500}}"));
    at += sprintf(at, ", \"features\": {");
    for (int i = 0; i < 256; i++)
        at += sprintf(at, "%s\"f%d\": \"%0128d\"", i ? ", " : "", i, i);
    at += sprintf(at, "}, \"metadata\": {");
    for (int i = 0; i < 32; i++)
        at += sprintf(at, "%s\"m%d\": \"%0512d\"", i ? ", " : "", i, i);
    sprintf(at, "}");
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "k%d", i);
        decide(path, members);
    }
    reply = export_of("decisions");
    assert_int_equal(count_lines(reply.text), COUNT);
    api_reply_free(&reply);
    reply = export_of("decisions?format=csv");
    assert_int_equal(count_lines(reply.text), COUNT + 1);
    api_reply_free(&reply);
    free(members);
}

static void a_table_with_too_many_columns_is_refused(void **state)
{
    char members[8192], *at, key[16];
    struct api_reply reply;

    (void)state;
    must(api_call(running->service, "PUT", "/v1/policies/goodwill", NULL, "*",
                  "{\"currency\": \"USD\", \"fallback\": {\"amount\": 500}}"));
    for (int k = 0; k <= EXPORT_FEATURE_COUNT_MAX / 256; k++) {
        at = members + sprintf(members, ", \"features\": {");
        for (int i = 0; i < 256; i++)
            at += sprintf(at, "%s\"f%d_%d\": 1", i ? ", " : "", k, i);
        sprintf(at, "}");
        snprintf(key, sizeof key, "k%d", k);
        decide(key, members);
    }
    reply = export_of("decisions?format=csv");
    assert_int_equal(reply.status, 422);
    assert_non_null(strstr(reply.text, "too_many_columns"));
    api_reply_free(&reply);
    must(export_of("decisions"));
}

static void blocks_keep_within_the_share_of_memory(void **state)
{
    struct memory_share share = {.bytes_max = 64};
    struct export *export = NULL;
    struct text block;

    (void)state;
    decide("a", ", \"features\": {\"need\": 1}");
    assert_int_equal(
        export_open(&(struct export_source){.service = running->service, .share = &share},
                    EXPORT_DECISIONS, EXPORT_CSV, &export, &running->err),
        STATUS_OK);
    assert_int_equal(export_next(export, &block, &running->err), STATUS_EXHAUSTED);
    export_close(export);
    assert_int_equal(atomic_load(&share.bytes), 0);
    share.bytes_max = 1 << 20;
    assert_int_equal(
        export_open(&(struct export_source){.service = running->service, .share = &share},
                    EXPORT_DECISIONS, EXPORT_CSV, &export, &running->err),
        STATUS_OK);
    assert_int_equal(drained(export), 2);
    assert_int_equal(atomic_load(&share.bytes), 0);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void damage_is_found_and_not_served(void **state)
{
    static const struct {
        const char *what, *sql;
    } rows[] = {
        {"decisions", "UPDATE decisions SET amount = 1001 WHERE number = 2"},
        {"decisions", "UPDATE decisions SET context = '{}' WHERE number = 2"},
        {"decisions?format=csv",
         "UPDATE decisions SET customer_id = 'x' WHERE number = 2"},
        {"decisions", "UPDATE outcomes SET value = 2 WHERE number = 1"},
        {"decisions?format=csv", "UPDATE outcomes SET metric = 'n' WHERE number = 1"},
        {"ledger", "UPDATE entries SET amount = amount + 1 WHERE seq = 2"},
        {"ledger?format=csv", "DELETE FROM entries WHERE seq = 2"},
        {"audit", "UPDATE audit SET actor = 'nobody' WHERE seq = 2"},
        {"audit?format=csv", "DELETE FROM audit WHERE seq = 2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct api_reply reply;

        stage_open(NULL);
        decide("a", ", \"features\": {\"need\": 1}");
        report(decide("b", ", \"features\": {\"need\": 1}"), "m", "1", 1);
        must(export_of(rows[i].what));
        tamper(running->path, rows[i].sql);
        reply = export_of(rows[i].what);
        if (reply.status != 500)
            fail_msg("after %s: %d %s", rows[i].sql, reply.status, reply.text);
        api_reply_free(&reply);
        if (i + 1 < sizeof rows / sizeof *rows)
            stage_close(NULL);
    }
}

/* Damage in a later block: what was sent before does not look whole. */
static void damage_further_on_cuts_the_answer(void **state)
{
    struct api_reply reply;

    (void)state;
    for (int i = 0; i < 3 * EXPORT_BLOCK_ROWS; i++) {
        char key[16];

        snprintf(key, sizeof key, "k%d", i);
        decide(key, ", \"features\": {\"need\": 1}");
    }
    tamper(running->path, "UPDATE decisions SET case_id = 'x' WHERE number = 40");
    reply = export_of("decisions");
    assert_int_equal(reply.status, 200);
    assert_null(reply.text);
    api_reply_free(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_case_choice_and_outcomes),
        TEST(the_cost_is_what_was_paid_in_the_end),
        TEST(a_person_s_decision_names_the_one_it_overrides),
        TEST(a_table_has_a_column_for_every_feature_and_metric),
        TEST(an_export_without_rows_is_empty),
        TEST(a_decision_has_one_time_wherever_it_stands),
        TEST(every_decision_comes_once_in_the_order_of_the_log),
        TEST(what_comes_while_it_runs_is_not_in_it),
        TEST(outcomes_that_come_while_it_runs_are_not_in_it),
        TEST(so_many_exports_run_at_a_time_and_no_more),
        TEST(the_largest_cases_come_through),
        TEST(a_table_with_too_many_columns_is_refused),
        TEST(blocks_keep_within_the_share_of_memory),
        cmocka_unit_test_teardown(damage_is_found_and_not_served, stage_close),
        TEST(damage_further_on_cuts_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
