/* test_overlap.c - which budgets a case is charged to, and that there is never one with more of them than a
 * decision may have: that is refused where a budget is made or changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "decide/overlap.h"
#include "support/api_call.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"

#include <stdio.h>
#include <string.h>

enum { VALUE_COUNT = 3, BUDGET_COUNT = 900, MANY_COUNT = 900 };

/* --- through the routes ----------------------------------------------------------------------- */

static void put(struct running *stage, const char *id, const char *scope,
                const char *currency, int status)
{
    struct api_reply reply;
    char body[256];

    snprintf(body, sizeof body,
             "{\"id\": \"%s\", \"scope\": %s, \"period\": \"day\", \"limit\": 100000,"
             " \"currency\": \"%s\"}",
             id, scope, currency);
    reply = api_call(stage->service, "POST", "/v1/budgets", NULL, NULL, body);
    if (reply.status != status)
        fail_msg("%s %s: %d: %s", id, scope, reply.status, reply.text);
    if (status == 409)
        assert_string_equal(string_at(reply.json, "code"), "too_many_budgets");
    api_reply_free(&reply);
}

static void change(struct running *stage, const char *id, const char *scope, int status)
{
    struct api_reply reply;
    char path[64], body[128];

    snprintf(path, sizeof path, "/v1/budgets/%s", id);
    snprintf(body, sizeof body, "{\"scope\": %s, \"limit\": 100001}", scope);
    reply = api_call(stage->service, "PUT", path, NULL, "*", body);
    if (reply.status != status)
        fail_msg("%s %s: %d: %s", id, scope, reply.status, reply.text);
    if (status == 409)
        assert_string_equal(string_at(reply.json, "code"), "too_many_budgets");
    api_reply_free(&reply);
}

static void assert_decided(struct running *stage, const char *currency,
                           const char *more_members, int budget_count)
{
    struct api_reply reply;
    char body[256];

    snprintf(body, sizeof body,
             "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"%s\","
             " \"order_amount\": 4000, \"entitled_amount\": 5%s}",
             currency, more_members);
    reply =
        api_call(stage->service, "POST", "/v1/decisions?dry_run=true", NULL, NULL, body);
    if (reply.status != 200)
        fail_msg("%s: %d: %s", body, reply.status, reply.text);
    assert_int_equal(json_array_size(at(reply.json, "budgets")), budget_count);
    api_reply_free(&reply);
}

#define LATE  ", \"issue\": \"late\", \"market\": \"us\""
#define OTHER ", \"issue\": \"other\", \"market\": \"us\""

static void a_case_never_has_more_budgets_than_a_decision_may(void **state)
{
    struct running *stage = *state;
    char id[32];

    for (int i = 0; i < DECISION_BUDGET_COUNT_MAX; i++) {
        snprintf(id, sizeof id, "bud_%d", i);
        put(stage, id, "{\"issue\": \"late\"}", "USD", 201);
    }
    put(stage, "bud_more", "{\"issue\": \"late\"}", "USD", 409);
    put(stage, "bud_more", "{}", "USD", 409);
    put(stage, "bud_more", "{\"market\": \"us\"}", "USD", 409);
    put(stage, "bud_more", "{\"market\": \"us\", \"issue\": \"other\"}", "USD", 201);
    put(stage, "bud_euro", "{}", "EUR", 201);
    assert_decided(stage, "USD", LATE, DECISION_BUDGET_COUNT_MAX);
    assert_decided(stage, "USD", OTHER, 1);
    change(stage, "bud_more", "{\"market\": \"us\"}", 409);
    change(stage, "bud_more", "{\"issue\": \"none\"}", 200);
    change(stage, "bud_0", "{\"issue\": \"none\"}", 200);
    change(stage, "bud_more", "{\"market\": \"us\"}", 200);
    assert_decided(stage, "USD", LATE, DECISION_BUDGET_COUNT_MAX);
}

static void a_budget_covers_no_case_in_another_currency(void **state)
{
    struct running *stage = *state;

    put(stage, "bud_dollars", "{}", "USD", 201);
    put(stage, "bud_euros", "{}", "EUR", 201);
    put(stage, "bud_named", "{\"currency\": \"EUR\"}", "EUR", 201);
    assert_decided(stage, "USD", LATE, 1);
    assert_decided(stage, "EUR", LATE, 2);
    put(stage, "bud_francs", "{\"market\": \"ch\"}", "CHF", 201);
    assert_decided(stage, "CHF", LATE, 0);
}

/* --- beside all cases there are --------------------------------------------------------------- */

struct stage {
    struct fixture fixture;
    struct book *book;
    struct rng rng;
};

static void stage_open(struct stage *stage, const char *test)
{
    struct fixture *f = &stage->fixture;

    rng_seed(&stage->rng, seed_print(test));
    fixture_open(f);
    assert_ok(f, book_open(f->store, &stage->book, &f->err));
    assert_ok(f, store_begin(f->store, &f->err));
}

static void stage_close(struct stage *stage)
{
    store_rollback(stage->fixture.store);
    book_close(stage->book);
    fixture_close(&stage->fixture);
}

static void any_part(struct rng *rng, int wild, char part[static 2])
{
    uint64_t value = rng_below(rng, (uint64_t)(VALUE_COUNT + wild));

    part[0] = value < VALUE_COUNT ? (char)('a' + value) : 0;
    part[1] = 0;
}

static struct budget any_budget(struct rng *rng, int number, int wild)
{
    struct budget budget;
    char id[32];

    snprintf(id, sizeof id, "bud_%d", number);
    budget = budget_of(id, 1);
    any_part(rng, wild, budget.market);
    any_part(rng, wild, budget.issue);
    any_part(rng, wild, budget.segment);
    any_part(rng, wild, budget.channel);
    strcpy(budget.currency, rng_below(rng, 4) == 0 ? "EUR" : "USD");
    return budget;
}

static int covering(struct book *book, const struct budget *more,
                    const struct refund_case *asked)
{
    int count = budget_covers(more, asked);

    for (int i = 0; i < book_count(book); i++)
        count += budget_covers(book_at(book, i), asked);
    return count;
}

/* The most budgets that any case would have. */
static int most_covering(struct book *book, const struct budget *more)
{
    int most = 0;

    for (int i = 0; i < VALUE_COUNT * VALUE_COUNT * VALUE_COUNT * VALUE_COUNT; i++) {
        const char parts[4] = {(char)('a' + i % VALUE_COUNT),
                               (char)('a' + i / VALUE_COUNT % VALUE_COUNT),
                               (char)('a' + i / VALUE_COUNT / VALUE_COUNT % VALUE_COUNT),
                               (char)('a' + i / VALUE_COUNT / VALUE_COUNT / VALUE_COUNT)};
        struct refund_case asked = {
            .market = {&parts[0], 1},
            .issue = {&parts[1], 1},
            .segment = {&parts[2], 1},
            .channel = {&parts[3], 1},
        };
        int count;

        strcpy(asked.currency, more->currency);
        count = covering(book, more, &asked);
        most = count > most ? count : most;
    }
    return most;
}

static void what_is_refused_would_be_too_much_for_some_case(void **state)
{
    int taken_count = 0, refused_count = 0;
    struct stage stage;

    (void)state;
    stage_open(&stage, __func__);
    for (int i = 0; i < BUDGET_COUNT; i++) {
        struct fixture *f = &stage.fixture;
        struct budget budget = any_budget(&stage.rng, i, i % 3 + 1);
        bool is_too_many = most_covering(stage.book, &budget) > DECISION_BUDGET_COUNT_MAX;

        assert_status(f, overlap_check(stage.book, &budget, &f->err),
                      is_too_many ? STATUS_CONFLICT : STATUS_OK);
        refused_count += is_too_many;
        if (is_too_many)
            continue;
        assert_ok(f, book_insert(stage.book, f->store, &budget, &f->err));
        taken_count++;
    }
    assert_true(taken_count > DECISION_BUDGET_COUNT_MAX);
    assert_true(refused_count > 0);
    stage_close(&stage);
}

/* Each names one part of four, and no two the same: four of them at most cover a case. */
static void many_budgets_that_hardly_meet_are_soon_looked_through(void **state)
{
    struct stage stage;
    struct budget wide = budget_of("bud_wide", 1);

    (void)state;
    stage_open(&stage, __func__);
    for (int i = 0; i < MANY_COUNT; i++) {
        struct fixture *f = &stage.fixture;
        struct budget budget = budget_of("", 1);
        char *parts[4] = {budget.market, budget.issue, budget.segment, budget.channel};

        snprintf(budget.id, sizeof budget.id, "bud_%d", i);
        snprintf(parts[i % 4], SCOPE_TEXT_BYTES, "v%d", i);
        assert_ok(f, overlap_check(stage.book, &budget, &f->err));
        assert_ok(f, book_insert(stage.book, f->store, &budget, &f->err));
    }
    assert_ok(&stage.fixture, overlap_check(stage.book, &wide, &stage.fixture.err));
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_case_never_has_more_budgets_than_a_decision_may,
                                        running_set_up, running_tear_down),
        cmocka_unit_test_setup_teardown(a_budget_covers_no_case_in_another_currency,
                                        running_set_up, running_tear_down),
        cmocka_unit_test(what_is_refused_would_be_too_much_for_some_case),
        cmocka_unit_test(many_budgets_that_hardly_meet_are_soon_looked_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
