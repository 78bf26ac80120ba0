/* test_many_budgets.c - a decision that is charged to as many budgets as there may be is
 * held and ends as any other, and one that cannot end stops no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"

#include "decide/cases.h"
#include "decide/decision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 10000, HELD = 1000 };

#define CASE(issue)                                                                      \
    "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","                \
    " \"order_amount\": 4000, \"issue\": \"" issue "\", \"features\": {\"need\": 1}}"

static void assert_done(struct api_reply reply, int status)
{
    if (reply.status != status)
        fail_msg("%d instead of %d: %s", reply.status, status, reply.text);
    api_reply_free(&reply);
}

/* A budget of everything, and count - 1 of late deliveries. */
static struct running *stage_of(int count)
{
    struct running *stage = running_open();

    service_fill(stage->service, ", \"hold\": {\"seconds\": 3600}", LIMIT);
    for (int i = 1; i < count; i++) {
        char body[200];

        snprintf(body, sizeof body,
                 "{\"id\": \"bud_%d\", \"scope\": {\"issue\": \"late_delivery\"},"
                 " \"period\": \"day\", \"limit\": %d, \"currency\": \"USD\"}",
                 i, LIMIT);
        assert_done(api_call(stage->service, "POST", "/v1/budgets", NULL, NULL, body),
                    201);
    }
    return stage;
}

/* The path of its end. */
static void decide(struct running *stage, const char *key, const char *body, int budgets,
                   char path[static 96], const char *verb)
{
    struct api_reply reply =
        api_call(stage->service, "POST", "/v1/decisions", key, NULL, body);

    if (reply.status != 201)
        fail_msg("%s", reply.text);
    assert_int_equal(json_integer_value(json_object_get(reply.json, "amount")), HELD);
    assert_int_equal(json_array_size(json_object_get(reply.json, "budgets")), budgets);
    snprintf(path, 96, "/v1/decisions/%s/%s",
             json_string_value(json_object_get(reply.json, "id")), verb);
    api_reply_free(&reply);
}

static void assert_budgets(struct running *stage, int count, int64_t held, int64_t spent)
{
    for (int i = 0; i < count; i++) {
        char path[64] = "/v1/budgets/bud_all";
        struct api_reply reply;

        if (i > 0)
            snprintf(path, sizeof path, "/v1/budgets/bud_%d", i);
        reply = api_call(stage->service, "GET", path, NULL, NULL, NULL);
        assert_int_equal(json_integer_value(json_object_get(reply.json, "held")), held);
        assert_int_equal(json_integer_value(json_object_get(reply.json, "spent")), spent);
        api_reply_free(&reply);
    }
}

static struct expiry expire(struct running *stage)
{
    struct arena arena;
    struct action action = {.service = stage->service,
                            .arena = &arena,
                            .actor = "system",
                            .request_id = "",
                            .route = "expire"};
    struct expiry expiry;
    struct err err;

    err_clear(&err);
    arena_init(&arena, NULL, 0, 1 << 20);
    if (expire_prepare(&action, (struct hold_place){0}, 100, &err) ||
        action_run(&action, &err))
        fail_msg("%s", err.text);
    expiry = *expire_result(&action);
    arena_reset(&arena);
    return expiry;
}

static void a_hold_in_many_budgets_ends_in_each(void **state)
{
    static const int counts[] = {1, 16, 17, 33, DECISION_BUDGET_COUNT_MAX};
    static const struct {
        const char *verb, *body;
        int status;
        int64_t held, spent;
    } ends[] = {
        {"settle", "{\"amount\": 400}", 200, 0, 400},
        {"release", "{\"reason_code\": \"r\"}", 200, 0, 0},
        {"override", "{\"amount\": 700, \"reason_code\": \"r\", \"note\": \"n\"}", 201,
         700, 0},
        {"", "", 0, 0, 0}, /* nobody ends it */
    };

    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
            struct running *stage = stage_of(counts[c]);
            char path[96];

            decide(stage, "k", CASE("late_delivery"), counts[c], path, ends[e].verb);
            assert_budgets(stage, counts[c], HELD, 0);
            if (ends[e].status) {
                assert_done(
                    api_call(stage->service, "POST", path, "e", NULL, ends[e].body),
                    ends[e].status);
            } else {
                stage->now_us += 3600 * SECOND_US;
                assert_int_equal(expire(stage).ended_count, 1);
            }
            assert_budgets(stage, counts[c], ends[e].held, ends[e].spent);
            running_close(stage);
        }
}

static void a_hold_that_cannot_end_stops_no_other(void **state)
{
    struct running *stage = stage_of(2);
    char first[96], second[96];
    struct expiry expiry;

    (void)state;
    decide(stage, "k1", CASE("late_delivery"), 2, first, "settle");
    decide(stage, "k2", CASE("other"), 1, second, "settle");
    /* An entry of a budget that was never there. */
    tamper(stage->path,
           "UPDATE entries SET budget_id = 'bud_none' WHERE budget_id = 'bud_1'"
           " AND decision_id IS NOT NULL");
    stage->now_us += 3600 * SECOND_US;
    expiry = expire(stage);
    assert_int_equal(expiry.ended_count, 1);
    assert_int_equal(expiry.damaged_count, 1);
    assert_non_null(strstr(first, expiry.damaged_id));
    running_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_in_many_budgets_ends_in_each),
        cmocka_unit_test(a_hold_that_cannot_end_stops_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
