/* test_outcomes.c - what became of decisions: reported once or again, alone or a thousand
 * at a time, rightly or wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"

#include "base/clock.h"
#include "decide/outcomes.h"
#include "store/outcomes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 320, DECISION_COUNT = 4 };

static struct {
    struct running *running;
    char ids[DECISION_COUNT][ID_BYTES];
} stage;

static int stage_open(void **state)
{
    (void)state;
    stage.running = running_open();
    service_fill(stage.running->service, "", 1000000);
    for (int i = 0; i < DECISION_COUNT; i++) {
        char key[16];
        struct api_reply reply;

        snprintf(key, sizeof key, "k%d", i);
        reply = api_call(stage.running->service, "POST", "/v1/decisions", key, NULL,
                         "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\":"
                         " \"USD\", \"order_amount\": 4000, \"issue\": \"late_delivery\","
                         " \"features\": {\"need\": 1}}");
        assert_int_equal(reply.status, 201);
        assert_true(
            text_copy(text_of(json_string_value(json_object_get(reply.json, "id"))),
                      stage.ids[i], ID_BYTES));
        api_reply_free(&reply);
    }
    return 0;
}

static int stage_close(void **state)
{
    (void)state;
    running_close(stage.running);
    return 0;
}

/* --- shorthands ------------------------------------------------------------------------------- */

/* One outcome, with this day of December as its moment. */
static const char *line_of(int decision, const char *metric, const char *value, int day)
{
    static char line[4][LINE_BYTES];
    static int next;
    char *text = line[next++ % 4];

    snprintf(text, LINE_BYTES,
             "{\"decision_id\": \"%s\", \"metric\": \"%s\", \"value\": %s, "
             "\"occurred_at\": \"2025-10-%02dT00:00:00Z\"}",
             stage.ids[decision], metric, value, day);
    return text;
}

static struct api_reply report(const char *key, const char *body)
{
    return api_call(stage.running->service, "POST", "/v1/outcomes", key, NULL, body);
}

static void assert_answer(struct api_reply reply, int status, const char *part)
{
    if (reply.status != status || !strstr(reply.text, part))
        fail_msg("wanted %d with %s, got %d: %s", status, part, reply.status, reply.text);
    api_reply_free(&reply);
}

static int64_t stored_count(void)
{
    struct store *reader = service_reader_take(stage.running->service);
    struct store_stats stats;

    assert_int_equal(store_stats(reader, &stats, &stage.running->err), STATUS_OK);
    service_reader_give(stage.running->service, reader);
    return stats.outcome_count;
}

/* --- reporting -------------------------------------------------------------------------------- */

static void an_outcome_is_recorded_once(void **state)
{
    struct api_reply first = report(NULL, line_of(0, "value_30d", "-12.25", 1)), again;

    (void)state;
    assert_int_equal(first.status, 201);
    assert_non_null(strstr(first.text, "\"value\":-12.25"));
    assert_non_null(strstr(first.text, "\"occurred_at\":\"2025-10-01T00:00:00Z\""));
    stage.running->now_us += SECOND_US;
    again = report(NULL, line_of(0, "value_30d", "-12.25", 1));
    assert_int_equal(again.status, 200);
    assert_string_equal(again.text, first.text);
    assert_int_equal(stored_count(), 1);
    api_reply_free(&first);
    api_reply_free(&again);
}

static void what_was_reported_is_there_after_a_restart(void **state)
{
    (void)state;
    assert_answer(report(NULL, line_of(0, "kept", "1", 1)), 201, "kept");
    running_restart(stage.running);
    assert_answer(report(NULL, line_of(0, "kept", "1", 1)), 200, "kept");
}

static void a_key_gives_the_same_bytes_again(void **state)
{
    struct api_reply first = report("same", line_of(0, "m", "1", 1)), again;

    (void)state;
    stage.running->now_us += SECOND_US;
    again = report("same", line_of(0, "m", "1", 1));
    assert_int_equal(again.status, 201);
    assert_true(again.is_replayed);
    assert_string_equal(again.text, first.text);
    api_reply_free(&first);
    api_reply_free(&again);
    assert_answer(report("same", line_of(0, "m", "2", 2)), 422, "idempotency_key_reused");
}

static void another_value_for_the_same_moment_is_refused(void **state)
{
    (void)state;
    assert_answer(report(NULL, line_of(0, "m", "1", 1)), 201, "");
    assert_answer(report(NULL, line_of(0, "m", "2", 1)), 409, "outcome_conflict");
    assert_answer(report(NULL, line_of(0, "m", "2", 2)), 201, "");
    assert_answer(report(NULL, line_of(0, "n", "2", 1)), 201, "");
    assert_answer(report(NULL, line_of(1, "m", "2", 1)), 201, "");
    assert_int_equal(stored_count(), 4);
}

static void minus_zero_is_zero(void **state)
{
    (void)state;
    assert_answer(report(NULL, line_of(0, "m", "-0.0", 1)), 201, "\"value\":0,");
    assert_answer(report(NULL, line_of(0, "m", "0", 1)), 200, "\"value\":0,");
}

/* --- lines ------------------------------------------------------------------------------------ */

static void lines_are_recorded_together(void **state)
{
    char body[4 * LINE_BYTES];

    (void)state;
    snprintf(body, sizeof body, "%s\n\n  \r\n%s\r\n%s", line_of(0, "m", "1", 1),
             line_of(1, "m", "1", 1), line_of(2, "m", "1", 1));
    assert_answer(report(NULL, body), 201, "\"recorded\":3,\"duplicates\":0");
    snprintf(body, sizeof body, "%s\n%s\n%s\n", line_of(0, "m", "1", 1),
             line_of(3, "m", "1", 1), line_of(3, "m", "1", 1));
    assert_answer(report(NULL, body), 201, "\"recorded\":1,\"duplicates\":2");
    assert_answer(report(NULL, body), 200, "\"recorded\":0,\"duplicates\":3");
    assert_int_equal(stored_count(), 4);
}

static void of_lines_with_a_fault_none_is_recorded(void **state)
{
    char body[4 * LINE_BYTES];

    (void)state;
    snprintf(body, sizeof body,
             "%s\n{\"decision_id\": \"dec_none\", \"metric\": \"m\","
             " \"value\": 1, \"occurred_at\": \"2025-10-01T00:00:00Z\"}",
             line_of(0, "m", "1", 1));
    assert_answer(report(NULL, body), 422, "\"pointer\":\"/1/decision_id\"");
    snprintf(body, sizeof body, "%s\n%s", line_of(0, "m", "1", 1),
             line_of(1, "m m", "\"1\"", 1));
    assert_answer(report(NULL, body), 422, "\"pointer\":\"/1/metric\"");
    assert_answer(report(NULL, body), 422, "\"pointer\":\"/1/value\"");
    snprintf(body, sizeof body, "%s\n%s\n{\"deci", line_of(0, "m", "1", 1),
             line_of(1, "m", "1", 1));
    assert_answer(report(NULL, body), 400, "line 3");
    snprintf(body, sizeof body, "%s\n%s", line_of(0, "m", "1", 1),
             line_of(0, "m", "2", 1));
    assert_answer(report(NULL, body), 409, "outcome_conflict");
    assert_answer(report(NULL, line_of(1, "m", "1", 1)), 201, "");
    snprintf(body, sizeof body, "%s\n%s", line_of(0, "m", "1", 1),
             line_of(1, "m", "2", 1));
    assert_answer(report(NULL, body), 409, "outcome_conflict");
    assert_int_equal(stored_count(), 1);
}

static void one_outcome_may_stand_on_several_lines(void **state)
{
    char body[LINE_BYTES], *comma;

    (void)state;
    snprintf(body, sizeof body, "%s", line_of(0, "m", "1", 1));
    for (comma = body; (comma = strchr(comma, ',')); comma++)
        comma[1] = '\n';
    assert_answer(report(NULL, body), 201, "\"object\":\"outcome\"");
}

/* --- limits ----------------------------------------------------------------------------------- */

static char *many_lines(int count)
{
    char *body = malloc((size_t)count * LINE_BYTES), *at = body;

    assert_non_null(body);
    for (int i = 0; i < count; i++)
        at += sprintf(at,
                      "{\"decision_id\":\"%s\",\"metric\":\"m%d\",\"value\":1,"
                      "\"occurred_at\":\"2025-10-01T00:00:00Z\"}\n",
                      stage.ids[i % DECISION_COUNT], i / DECISION_COUNT);
    return body;
}

static void a_body_has_so_many_outcomes_and_no_more(void **state)
{
    char *body = many_lines(OUTCOME_COUNT_MAX + 1);

    (void)state;
    assert_answer(report(NULL, body), 422, "too_many");
    assert_int_equal(stored_count(), 0);
    body[strlen(body) - 1] = '\0';
    *strrchr(body, '\n') = '\0';
    assert_answer(report(NULL, body), 201, "\"recorded\":1000");
    free(body);
}

static void a_decision_has_so_many_outcomes_and_no_more(void **state)
{
    char *body = many_lines(OUTCOMES_OF_DECISION_MAX * DECISION_COUNT), line[LINE_BYTES];
    char *second = body;

    (void)state;
    for (int i = 0; i < OUTCOME_COUNT_MAX; i++)
        second = strchr(second, '\n') + 1;
    second[-1] = '\0';
    assert_answer(report(NULL, body), 201, "");
    assert_answer(report(NULL, second), 201, "");
    assert_answer(report(NULL, line_of(0, "more", "1", 1)), 422, "too_many_outcomes");
    snprintf(line, sizeof line, "%s", body);
    *strchr(line, '\n') = '\0';
    assert_answer(report(NULL, line), 200, "");
    assert_int_equal(stored_count(), OUTCOMES_OF_DECISION_MAX * DECISION_COUNT);
    free(body);
}

static void a_metric_has_so_many_bytes_and_no_more(void **state)
{
    char name[METRIC_BYTES + 1];

    (void)state;
    memset(name, 'x', sizeof name);
    name[METRIC_BYTES - 1] = '\0';
    assert_answer(report(NULL, line_of(0, name, "1", 1)), 201, name);
    name[METRIC_BYTES - 1] = 'x';
    name[METRIC_BYTES] = '\0';
    assert_answer(report(NULL, line_of(0, name, "1", 1)), 422, "/metric");
}

static void a_body_has_so_many_bytes_and_no_more(void **state)
{
    char *body = malloc(OUTCOMES_BYTES_MAX + 2);

    (void)state;
    assert_non_null(body);
    memset(body, ' ', OUTCOMES_BYTES_MAX + 1);
    memcpy(body, line_of(0, "m", "1", 1), strlen(line_of(0, "m", "1", 1)));
    body[OUTCOMES_BYTES_MAX + 1] = '\0';
    assert_answer(report(NULL, body), 413, "payload_too_large");
    body[OUTCOMES_BYTES_MAX] = '\0';
    assert_answer(report(NULL, body), 201, "");
    free(body);
}

/* --- bad input -------------------------------------------------------------------------------- */

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } rows[] = {
        {"", 400, "malformed_request"},
        {"\n\n", 400, "malformed_request"},
        {"[]", 422, "must be a JSON object"},
        {"7", 422, "must be a JSON object"},
        {"{}", 422, "/occurred_at"},
        {"{} {}", 400, "malformed_request"},
        {"{\"decision_id\": 1}", 422, "\"wrong_type\""},
        {"{\"decision_id\": \"\"}", 422, "out_of_range"},
        {"{\"metric\": \"\"}", 422, "out_of_range"},
        {"{\"metric\": \"_m\"}", 422, "invalid_text"},
        {"{\"metric\": \"a,b\"}", 422, "invalid_text"},
        {"{\"metric\": \"\xc3\xa9t\xc3\xa9\"}", 422, "invalid_text"},
        {"{\"metric\": \"a\", \"metric\": \"a\"}", 422, "duplicate_field"},
        {"{\"value\": null}", 422, "/value"},
        {"{\"value\": true}", 422, "/value"},
        {"{\"value\": 1e999}", 422, "out_of_range"},
        {"{\"value\": NaN}", 400, "malformed_request"},
        {"{\"value\": [[[1]]]}", 400, "nested deeper"},
        {"{\"occurred_at\": 5}", 422, "wrong_type"},
        {"{\"occurred_at\": \"2025-10-01\"}", 422, "invalid_time"},
        {"{\"occurred_at\": \"1969-12-31T23:59:59Z\"}", 422, "of the years 1970 to 9999"},
        {"{\"decision_id\": \"d\", \"metric\": \"m\", \"value\": 1, \"occurred_at\":"
         " \"2025-11-21T18:02:12Z\"}",
         422, "from 1970-01-01T00:00:00Z to a day from now, 2025-11-21T18:02:11Z"},
        {"{\"decision_id\": \"d\", \"metric\": \"m\", \"value\": 1, \"occurred_at\":"
         " \"2025-11-21T18:02:11Z\"}",
         422, "decision_not_found"},
        {"{\"colour\": 1}", 422, "unknown_field"},
        {"{\"metric\": \"\xff\"}", 400, "malformed_request"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct api_reply reply = report(NULL, rows[i].body);

        if (reply.status != rows[i].status || !strstr(reply.text, rows[i].says))
            fail_msg("%s: wanted %d with %s, got %s", rows[i].body, rows[i].status,
                     rows[i].says, reply.text);
        api_reply_free(&reply);
    }
    assert_int_equal(stored_count(), 0);
}

/* Bytes are lost, doubled and changed: refused, or recorded, and never anything else. */
static void any_bytes_are_refused_or_recorded(void **state)
{
    char good[3 * LINE_BYTES], body[4 * LINE_BYTES];
    int taken_count = 0, refused_count = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("any_bytes_are_refused_or_recorded"));
    snprintf(good, sizeof good, "%s\n%s", line_of(0, "m", "1", 1),
             line_of(1, "m", "25", 2));
    for (int round = 0; round < 3000; round++) {
        size_t at = (size_t)rng_below(&rng, strlen(good));
        struct api_reply reply;

        snprintf(body, sizeof body, "%s", good);
        if (round % 3 == 0)
            memmove(body + at, body + at + 1, strlen(body + at));
        else if (round % 3 == 1)
            body[at] = (char)(1 + rng_below(&rng, 255));
        else
            memmove(body + at + 1, body + at, strlen(body + at) + 1);
        reply = report(NULL, body);
        if (reply.status >= 500)
            fail_msg("%s: %s", body, reply.text);
        taken_count += reply.status < 300;
        refused_count += reply.status >= 400;
        api_reply_free(&reply);
    }
    printf("  %d taken, %d refused\n", taken_count, refused_count);
    assert_true(taken_count > 0 && refused_count > 1000);
}

/* --- trouble ---------------------------------------------------------------------------------- */

static void without_memory_nothing_is_recorded(void **state)
{
    char body[2 * LINE_BYTES];

    (void)state;
    snprintf(body, sizeof body, "%s\n%s", line_of(0, "m", "1", 1),
             line_of(1, "m", "1", 1));
    assert_true(ask_sweep(stage.running,
                          (struct asking){.prepare = outcome_prepare, .body = body}) > 0);
    assert_int_equal(stored_count(), 2);
}

static struct store_report checked(void)
{
    struct store *reader = service_reader_take(stage.running->service);
    struct store_report report;

    assert_int_equal(store_check(reader, &report, &stage.running->err), STATUS_OK);
    service_reader_give(stage.running->service, reader);
    return report;
}

static void an_outcome_that_was_changed_is_found(void **state)
{
    (void)state;
    assert_answer(report(NULL, line_of(0, "m", "1", 1)), 201, "");
    assert_int_equal(checked().fault_count, 0);
    tamper(stage.running->path, "UPDATE outcomes SET value = 2");
    assert_string_equal(checked().first_fault,
                        "Row 1 of 'outcomes' was changed: its digest does not match.");
    assert_answer(report(NULL, line_of(0, "m", "1", 1)), 503, "storage_unavailable");
}

static void a_start_finds_a_changed_outcome(void **state)
{
    struct store *reader;
    struct store_report found;

    (void)state;
    assert_answer(report(NULL, line_of(0, "m", "1", 1)), 201, "");
    tamper(stage.running->path, "UPDATE outcomes SET occurred_at_us = 5");
    reader = service_reader_take(stage.running->service);
    assert_int_equal(store_check_recent(reader, &found, &stage.running->err), STATUS_OK);
    service_reader_give(stage.running->service, reader);
    assert_int_equal(found.fault_count, 1);
}

static void an_outcome_that_is_missing_is_found(void **state)
{
    (void)state;
    assert_answer(report(NULL, line_of(0, "m", "1", 1)), 201, "");
    assert_answer(report(NULL, line_of(0, "m", "1", 2)), 201, "");
    tamper(stage.running->path, "DELETE FROM outcomes WHERE number = 1");
    assert_string_equal(checked().first_fault, "Row 1 of 'outcomes' is missing.");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_outcome_is_recorded_once),
        TEST(what_was_reported_is_there_after_a_restart),
        TEST(a_key_gives_the_same_bytes_again),
        TEST(another_value_for_the_same_moment_is_refused),
        TEST(minus_zero_is_zero),
        TEST(lines_are_recorded_together),
        TEST(of_lines_with_a_fault_none_is_recorded),
        TEST(one_outcome_may_stand_on_several_lines),
        TEST(a_body_has_so_many_outcomes_and_no_more),
        TEST(a_decision_has_so_many_outcomes_and_no_more),
        TEST(a_metric_has_so_many_bytes_and_no_more),
        TEST(a_body_has_so_many_bytes_and_no_more),
        TEST(what_is_wrong_is_said),
        TEST(any_bytes_are_refused_or_recorded),
        TEST(without_memory_nothing_is_recorded),
        TEST(an_outcome_that_was_changed_is_found),
        TEST(an_outcome_that_is_missing_is_found),
        TEST(a_start_finds_a_changed_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
