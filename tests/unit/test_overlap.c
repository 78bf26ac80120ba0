/* test_overlap.c - which budgets a case is charged to, and that a scope of which every
 * case would have more of them than a decision may have is refused where a budget is made
 * or changed. */
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

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    VALUE_COUNT = 2, /* of each part of a scope, */
    CASE_COUNT = (VALUE_COUNT + 1) * (VALUE_COUNT + 1) * (VALUE_COUNT + 1) *
                 (VALUE_COUNT + 1), /* and one more of a case's */
    BUDGET_COUNT = 900,
    GLOBAL_COUNT = 70,
    MANY_COUNT = BUDGET_COUNT_MAX,
};

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

static void where_each_case_has_as_many_as_it_may_one_more_is_refused(void **state)
{
    struct running *stage = *state;
    char id[32];

    for (int i = 0; i < GLOBAL_COUNT; i++) {
        snprintf(id, sizeof id, "bud_%d", i);
        put(stage, id, "{}", "USD", i < DECISION_BUDGET_COUNT_MAX ? 201 : 409);
    }
    put(stage, "bud_more", "{\"issue\": \"late\"}", "USD", 409);
    put(stage, "bud_euro", "{}", "EUR", 201);
    assert_decided(stage, "USD", LATE, DECISION_BUDGET_COUNT_MAX);
    change(stage, "bud_0", "{\"issue\": \"other\"}", 200);
    put(stage, "bud_more", "{\"issue\": \"late\"}", "USD", 201);
    change(stage, "bud_more", "{\"issue\": \"other\"}", 409);
    change(stage, "bud_0", "{}", 200);
    assert_decided(stage, "USD", OTHER, DECISION_BUDGET_COUNT_MAX);
}

static void where_too_many_meet_the_case_alone_is_refused(void **state)
{
    struct running *stage = *state;
    struct api_reply reply;
    char id[32];

    for (int i = 0; i < DECISION_BUDGET_COUNT_MAX; i++) {
        snprintf(id, sizeof id, "bud_%d", i);
        put(stage, id, "{\"issue\": \"late\"}", "USD", 201);
    }
    put(stage, "bud_more", "{\"issue\": \"late\"}", "USD", 409);
    put(stage, "bud_more", "{\"market\": \"us\", \"issue\": \"late\"}", "USD", 409);
    put(stage, "bud_more", "{\"market\": \"us\"}", "USD", 201);
    assert_decided(stage, "USD", OTHER, 1);
    reply = api_call(stage->service, "POST", "/v1/decisions?dry_run=true", NULL, NULL,
                     "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","
                     " \"order_amount\": 4000" LATE "}");
    assert_int_equal(reply.status, 422);
    assert_non_null(strstr(reply.text, "too_many_budgets"));
    api_reply_free(&reply);
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

/* --- beside a plain count --------------------------------------------------------------------- */

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

/* A case with one of the values in each part, or with one that no budget names. */
static struct refund_case case_at(int number, const char *currency)
{
    static const char values[] = "abz";
    struct text parts[4];
    struct refund_case asked = {0};

    static_assert(sizeof values == VALUE_COUNT + 2);
    for (int i = 0; i < 4; i++, number /= VALUE_COUNT + 1)
        parts[i] = (struct text){&values[number % (VALUE_COUNT + 1)], 1};
    asked.market = parts[0];
    asked.issue = parts[1];
    asked.segment = parts[2];
    asked.channel = parts[3];
    strcpy(asked.currency, currency);
    return asked;
}

/* Whether the wide one covers each case that the narrow one does, of all cases that there
 * are. */
static bool covers_each(const struct budget *wide, const struct budget *narrow)
{
    bool is_covered = true;

    for (int i = 0; i < CASE_COUNT && is_covered; i++) {
        const struct refund_case asked = case_at(i, narrow->currency);

        is_covered = !budget_covers(narrow, &asked) || budget_covers(wide, &asked);
    }
    return is_covered;
}

/* How many cover all of it, beside itself. */
static int plain_count(struct book *book, const struct budget *budget)
{
    int count = 0;

    for (int i = 0; i < book_count(book); i++) {
        const struct budget *other = book_at(book, i);

        count += strcmp(other->id, budget->id) != 0 && covers_each(other, budget);
    }
    return count;
}

static bool is_too_many(struct book *book, const struct budget *budget)
{
    const struct budget *before = book_find(book, budget->id);

    return plain_count(book, budget) >= DECISION_BUDGET_COUNT_MAX &&
           (!before || !covers_each(before, budget));
}

/* A third of them in place of one that is there. */
static void it_refuses_as_a_plain_count_does(void **state)
{
    int counts[2][2] = {0}; /* of changes, and of new ones: taken and refused */
    struct stage stage;

    (void)state;
    stage_open(&stage, __func__);
    for (int i = 0; i < BUDGET_COUNT; i++) {
        struct fixture *f = &stage.fixture;
        int there = book_count(stage.book);
        bool is_new = i % 3 > 0 || there == 0;
        struct budget budget = any_budget(&stage.rng, i, i % 2 + 1);
        bool is_refused;

        if (!is_new)
            strcpy(budget.id, book_at(stage.book, (int)rng_below(&stage.rng, there))->id);
        is_refused = is_too_many(stage.book, &budget);
        assert_status(f, overlap_check(stage.book, &budget, &f->err),
                      is_refused ? STATUS_CONFLICT : STATUS_OK);
        counts[is_new][is_refused]++;
        if (is_new) /* also where it is refused: a folder may have too many */
            assert_ok(f, book_insert(stage.book, f->store, &budget, &f->err));
    }
    for (int i = 0; i < 4; i++)
        assert_true(counts[i / 2][i % 2] > 0);
    stage_close(&stage);
}

/* --- with many -------------------------------------------------------------------------------- */

static void insert(struct stage *stage, const struct budget *budget)
{
    struct fixture *f = &stage->fixture;

    assert_ok(f, book_insert(stage->book, f->store, budget, &f->err));
}

static void a_narrower_scope_is_taken_where_there_are_too_many_already(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;
    struct budget budget;

    (void)state;
    stage_open(&stage, __func__);
    for (int i = 0; i < GLOBAL_COUNT; i++) {
        budget = budget_of("", 1);
        snprintf(budget.id, sizeof budget.id, "bud_%d", i);
        insert(&stage, &budget);
    }
    assert_ok(f, overlap_check(stage.book, &budget, &f->err));
    strcpy(budget.market, "us");
    assert_ok(f, overlap_check(stage.book, &budget, &f->err));
    *book_find(stage.book, budget.id) = budget;
    strcpy(budget.channel, "chat");
    assert_ok(f, overlap_check(stage.book, &budget, &f->err));
    budget.market[0] = '\0';
    assert_status(f, overlap_check(stage.book, &budget, &f->err), STATUS_CONFLICT);
    strcpy(budget.market, "ca");
    assert_status(f, overlap_check(stage.book, &budget, &f->err), STATUS_CONFLICT);
    stage_close(&stage);
}

static long look_count; /* budgets that were looked at */
struct budget *__real_book_at(struct book *book, int index);
struct budget *__wrap_book_at(struct book *book, int index);

struct budget *__wrap_book_at(struct book *book, int index)
{
    look_count++;
    return __real_book_at(book, index);
}

/* Each names one or two parts of four: they meet in more ways than can be gone
 * through. */
static void of_a_thousand_budgets_each_is_looked_at_once(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;
    struct budget wide = budget_of("bud_wide", 1);

    (void)state;
    stage_open(&stage, __func__);
    for (int i = 0; i < MANY_COUNT; i++) {
        struct budget budget = budget_of("", 1);
        char *parts[4] = {budget.market, budget.issue, budget.segment, budget.channel};

        snprintf(budget.id, sizeof budget.id, "bud_%d", i);
        snprintf(parts[i % 4], SCOPE_TEXT_BYTES, "v%d", i % 97);
        if (i % 3 == 0)
            snprintf(parts[(i + 1) % 4], SCOPE_TEXT_BYTES, "v%d", i % 31);
        insert(&stage, &budget);
        look_count = 0;
        assert_ok(f, overlap_check(stage.book, &budget, &f->err));
        assert_true(look_count <= i + 1);
    }
    look_count = 0;
    assert_ok(f, overlap_check(stage.book, &wide, &f->err));
    assert_int_equal(look_count, MANY_COUNT);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            where_each_case_has_as_many_as_it_may_one_more_is_refused, running_set_up,
            running_tear_down),
        cmocka_unit_test_setup_teardown(where_too_many_meet_the_case_alone_is_refused,
                                        running_set_up, running_tear_down),
        cmocka_unit_test_setup_teardown(a_budget_covers_no_case_in_another_currency,
                                        running_set_up, running_tear_down),
        cmocka_unit_test(it_refuses_as_a_plain_count_does),
        cmocka_unit_test(a_narrower_scope_is_taken_where_there_are_too_many_already),
        cmocka_unit_test(of_a_thousand_budgets_each_is_looked_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
