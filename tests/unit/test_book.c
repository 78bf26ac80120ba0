/* test_book.c - the budgets in memory against the plainest model of them there is, and
 * against the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decide/book.h"

#include "base/clock.h"
#include "base/id.h"
#include "support/store_fixture.h"

#include <stdio.h>
#include <string.h>

#define DAY_US (INT64_C(86400) * SECOND_US)

enum { BUDGET_COUNT = 4, DECISION_COUNT_MAX = 4096, STEP_COUNT = 3000 };

/* --- the model -------------------------------------------------------------------------------- */

struct plain_budget {
    const char *id, *market, *issue;
    enum period period;
    int64_t limit, held, spent, unfunded, case_count, period_ends_at_us;
};

struct plain_decision {
    struct decision_row row;
    char id[ID_BYTES];
    int64_t charges[BUDGET_COUNT];
    int64_t missed[BUDGET_COUNT]; /* in this period: asked for, and found no room */
};

struct model {
    struct plain_budget budgets[BUDGET_COUNT]; /* by id, as the book has them */
    struct plain_decision *decisions;
    int decision_count;
    int64_t now_us;
};

/* Periods in UTC without the tz database: a day has 86400 s, weeks begin on Mondays. */
static int64_t end_of_period(enum period period, int64_t now_us)
{
    int64_t day = now_us / DAY_US; /* day 0 was a Thursday */

    if (period == PERIOD_DAY)
        return (day + 1) * DAY_US;
    if (period == PERIOD_WEEK)
        return ((day + 3) / 7 * 7 + 4) * DAY_US;
    return INT64_MAX;
}

static void model_roll(struct model *model)
{
    for (int i = 0; i < BUDGET_COUNT; i++) {
        struct plain_budget *budget = &model->budgets[i];

        if (model->now_us < budget->period_ends_at_us)
            continue;
        budget->spent = budget->unfunded = budget->case_count = 0;
        for (int d = 0; d < model->decision_count; d++)
            model->decisions[d].missed[i] = 0;
        budget->period_ends_at_us = end_of_period(budget->period, model->now_us);
    }
}

static bool model_matches(const struct plain_budget *budget, const char *market,
                          const char *issue)
{
    return (!*budget->market || strcmp(budget->market, market) == 0) &&
           (!*budget->issue || strcmp(budget->issue, issue) == 0);
}

static int64_t model_room(const struct plain_budget *budget)
{
    int64_t room = budget->limit - budget->held - budget->spent;

    return room > 0 ? room : 0;
}

/* --- the stage -------------------------------------------------------------------------------- */

struct stage {
    struct fixture fixture;
    struct book *book;
    struct model model;
    struct rng rng;
    int64_t granted_count, refused_count, ended_count, rolled_count, undone_count;
};

static void stage_open(struct stage *stage)
{
    static const struct plain_budget budgets[BUDGET_COUNT] = {
        {"bud_all", "", "", PERIOD_TOTAL, .limit = 200000},
        {"bud_late", "", "late", PERIOD_DAY, .limit = 9000},
        {"bud_us", "us", "", PERIOD_WEEK, .limit = 30000},
        {"bud_us_late", "us", "late", PERIOD_DAY, .limit = 5000},
    };
    struct fixture *f = &stage->fixture;

    *stage = (struct stage){.model.now_us = FIXTURE_TIME_US};
    stage->model.decisions =
        test_calloc(DECISION_COUNT_MAX, sizeof(struct plain_decision));
    memcpy(stage->model.budgets, budgets, sizeof budgets);
    fixture_open(f);
    assert_ok(f, book_open(f->store, &stage->book, &f->err));
    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < BUDGET_COUNT; i++) {
        struct plain_budget *plain = &stage->model.budgets[i];
        struct budget budget = budget_of(plain->id, plain->limit);

        plain->period_ends_at_us = end_of_period(plain->period, stage->model.now_us);
        strcpy(budget.market, plain->market);
        strcpy(budget.issue, plain->issue);
        budget.period = plain->period;
        budget.period_ends_at_us = plain->period_ends_at_us;
        assert_ok(f, book_insert(stage->book, f->store, &budget, &f->err));
    }
    assert_ok(f, book_flush(stage->book, f->store, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
}

static void stage_close(struct stage *stage)
{
    book_close(stage->book);
    test_free(stage->model.decisions);
    fixture_close(&stage->fixture);
}

/* --- comparing -------------------------------------------------------------------------------- */

static void assert_same(const struct budget *budget, const struct plain_budget *plain)
{
    assert_string_equal(budget->id, plain->id);
    assert_int_equal(budget->limit, plain->limit);
    assert_int_equal(budget->held, plain->held);
    assert_int_equal(budget->spent, plain->spent);
    assert_int_equal(budget->unfunded, plain->unfunded);
    assert_int_equal(budget->case_count, plain->case_count);
    assert_int_equal(budget->period_ends_at_us, plain->period_ends_at_us);
}

static void assert_book_is_the_model(struct stage *stage)
{
    assert_int_equal(book_count(stage->book), BUDGET_COUNT);
    for (int i = 0; i < BUDGET_COUNT; i++)
        assert_same(book_at(stage->book, i), &stage->model.budgets[i]);
}

/* The ledger, read from its first entry to its last, adds up to the balances. */
static void assert_sums(struct stage *stage)
{
    struct fixture *f = &stage->fixture;

    for (int b = 0; b < BUDGET_COUNT; b++) {
        const struct plain_budget *plain = &stage->model.budgets[b];
        int64_t sums[ENTRY_KIND_COUNT] = {0}, seq = 0, balance = 0, held;
        struct entry *entries;
        struct budget stored;
        int count;

        do {
            assert_ok(f, entry_list(f->store, plain->id, seq, LIST_COUNT_MAX, false,
                                    &f->arena, &entries, &count, &f->err));
            for (int i = 0; i < count; i++) {
                sums[entries[i].kind] += entries[i].amount;
                seq = entries[i].seq;
                balance = entries[i].balance_after;
            }
            arena_reset(&f->arena);
        } while (count == LIST_COUNT_MAX);
        held = sums[ENTRY_HOLD] + sums[ENTRY_OVERRIDE] - sums[ENTRY_SETTLE] -
               sums[ENTRY_RELEASE] - sums[ENTRY_EXPIRE];
        assert_int_equal(sums[ENTRY_ADJUST], plain->limit);
        assert_int_equal(held, plain->held);
        assert_int_equal(sums[ENTRY_SETTLE] - sums[ENTRY_ROLL], plain->spent);
        assert_int_equal(balance, plain->limit - plain->held - plain->spent);
        assert_ok(f, budget_find(f->store, plain->id, &stored, &f->err));
        assert_same(&stored, plain);
    }
}

static void assert_store_is_clean(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct store_report report;

    assert_ok(f, store_check(f->store, &report, &f->err));
    assert_string_equal(report.first_fault, "");
    assert_int_equal(report.decision_count, stage->model.decision_count);
}

/* --- steps: each does the same to the book and to the model ----------------------------------- */

static int pick(struct stage *stage, int bound)
{
    return (int)rng_below(&stage->rng, (uint64_t)bound);
}

/* A decision's rows, as the use cases write them. */
static void write_decision(struct stage *stage, struct plain_decision *plain,
                           int64_t amount)
{
    struct fixture *f = &stage->fixture;
    char key[32];
    struct answer answer;

    snprintf(key, sizeof key, "k%d", stage->model.decision_count);
    answer = answer_of(key);
    assert_ok(f, answer_insert(f->store, &answer, &f->err));
    plain->row = decision_of(plain->id);
    plain->row.amount = plain->row.goodwill = amount;
    plain->row.answer_number = answer.number;
    if (amount == 0) {
        plain->row.status = DECISION_NONE;
        plain->row.hold_expires_at_us = 0;
    }
    assert_ok(f, decision_insert(f->store, &plain->row, &f->err));
}

static void step_hold(struct stage *stage)
{
    static const char *const markets[] = {"us", "eu"}, *const issues[] = {"late", "lost"};
    struct fixture *f = &stage->fixture;
    struct model *model = &stage->model;
    struct plain_decision *plain = &model->decisions[model->decision_count];
    const char *market = markets[pick(stage, 2)], *issue = issues[pick(stage, 2)];
    const struct refund_case asked = {
        .market = text_of(market), .issue = text_of(issue), .currency = "USD"};
    bool is_owed = pick(stage, 4) == 0; /* entitled: paid whatever the budgets say */
    enum entry_kind kind = pick(stage, 5) == 0 ? ENTRY_OVERRIDE : ENTRY_HOLD;
    struct decision decision = {.amount = 1 + pick(stage, 1500)};

    if (model->decision_count == DECISION_COUNT_MAX)
        return;
    assert_ok(f, book_match(stage->book, &asked, &decision.seen, &f->err));
    id_make("dec_", model->now_us, decision.id);
    *plain = (struct plain_decision){0};
    memcpy(plain->id, decision.id, sizeof plain->id);
    for (int i = 0, view = 0; i < BUDGET_COUNT; i++) {
        struct plain_budget *budget = &model->budgets[i];

        if (!model_matches(budget, market, issue))
            continue;
        assert_true(view < decision.seen.budget_count);
        assert_string_equal(decision.seen.budgets[view].id, budget->id);
        assert_int_equal(decision.seen.budgets[view].remaining,
                         budget->limit - budget->held - budget->spent);
        if (!is_owed && model_room(budget) < decision.amount)
            decision.amount = 0; /* what does not fit everywhere is not granted */
        view++;
    }
    stage->granted_count += decision.amount > 0;
    stage->refused_count += decision.amount == 0;
    for (int i = 0; i < BUDGET_COUNT; i++) {
        struct plain_budget *budget = &model->budgets[i];
        int64_t room = model_room(budget);
        int64_t charge = decision.amount < room ? decision.amount : room;

        if (!model_matches(budget, market, issue))
            continue;
        plain->charges[i] = charge;
        plain->missed[i] = decision.amount - charge;
        budget->held += charge;
        budget->unfunded += decision.amount - charge;
        budget->case_count += kind == ENTRY_HOLD;
    }
    write_decision(stage, plain, decision.amount);
    assert_ok(f,
              book_hold(stage->book, f->store, &decision, kind, model->now_us, &f->err));
    model->decision_count++;
}

static struct plain_decision *pick_held(struct stage *stage)
{
    struct model *model = &stage->model;

    for (int tries = 0; model->decision_count > 0 && tries < 20; tries++) {
        struct plain_decision *plain =
            &model->decisions[pick(stage, model->decision_count)];

        if (plain->row.status == DECISION_HELD)
            return plain;
    }
    return NULL;
}

static void step_end(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct plain_decision *plain = pick_held(stage);
    struct closing closing = {.note = "", .now_us = stage->model.now_us};
    int how = pick(stage, 3); /* settled, released, expired */

    if (!plain)
        return;
    stage->ended_count++;
    closing.decision_id = plain->id;
    closing.settled = how == 0 ? 1 + pick(stage, (int)plain->row.amount) : 0;
    closing.rest = how == 2 ? ENTRY_EXPIRE : ENTRY_RELEASE;
    for (int i = 0; i < BUDGET_COUNT; i++) {
        int64_t charge = plain->charges[i];
        int64_t paid = closing.settled > charge ? closing.settled - charge : 0;

        if (plain->missed[i] > paid)
            stage->model.budgets[i].unfunded -= plain->missed[i] - paid;
        stage->model.budgets[i].held -= charge;
        stage->model.budgets[i].spent +=
            charge < closing.settled ? charge : closing.settled;
    }
    plain->row.status = how == 0   ? DECISION_SETTLED
                        : how == 1 ? DECISION_RELEASED
                                   : DECISION_EXPIRED;
    plain->row.settled_amount = closing.settled;
    assert_ok(f, decision_update(f->store, &plain->row, &f->err));
    assert_ok(f, book_close_hold(stage->book, f->store, &f->arena, &closing, &f->err));
}

static void step_adjust(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct plain_budget *plain = &stage->model.budgets[pick(stage, BUDGET_COUNT)];
    int64_t amount = pick(stage, 8001) - 4000;

    if (plain->limit + amount < 0)
        amount = -plain->limit; /* lower than what is held: allowed */
    plain->limit += amount;
    assert_ok(f, book_adjust(stage->book, f->store, book_find(stage->book, plain->id),
                             amount, "test", stage->model.now_us, &f->err));
}

static void step_time(struct stage *stage)
{
    stage->model.now_us += pick(stage, 3) * (DAY_US / 4) + pick(stage, 1000000);
}

static void step(struct stage *stage)
{
    int kind = pick(stage, 100);

    if (kind < 45)
        step_hold(stage);
    else if (kind < 85)
        step_end(stage);
    else if (kind < 93)
        step_adjust(stage);
    else
        step_time(stage);
}

/* One transaction of a few steps, as the commit thread would make it; now and then
 * undone. */
static void transaction(struct stage *stage)
{
    struct fixture *f = &stage->fixture;
    struct model before = stage->model;
    static struct plain_decision decisions[DECISION_COUNT_MAX];
    bool is_undone = pick(stage, 10) == 0;
    int count = 1 + pick(stage, 5);

    if (is_undone)
        memcpy(decisions, before.decisions,
               (size_t)before.decision_count * sizeof decisions[0]);
    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < count; i++) {
        int64_t ends_at_us = stage->model.budgets[1].period_ends_at_us;
        bool has_rolled;

        assert_ok(f, book_roll(stage->book, f->store, stage->model.now_us, &has_rolled,
                               &f->err));
        model_roll(&stage->model);
        /* Day by day: no other period ends without this one. */
        assert_int_equal(has_rolled,
                         stage->model.budgets[1].period_ends_at_us != ends_at_us);
        stage->rolled_count += has_rolled;
        step(stage);
    }
    assert_ok(f, book_flush(stage->book, f->store, &f->err));
    if (!is_undone) {
        assert_ok(f, store_commit(f->store, &f->err));
        return;
    }
    stage->undone_count++;
    store_rollback(f->store);
    assert_ok(f, book_load(stage->book, f->store, &f->err));
    stage->model = before;
    memcpy(before.decisions, decisions,
           (size_t)before.decision_count * sizeof decisions[0]);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void the_book_does_what_a_plain_sum_does(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    rng_seed(&stage.rng, seed_print("the_book_does_what_a_plain_sum_does"));
    for (int i = 0; i < STEP_COUNT / 3; i++) {
        transaction(&stage);
        assert_book_is_the_model(&stage);
        if (i % 100 == 0) {
            assert_sums(&stage);
            assert_store_is_clean(&stage);
        }
    }
    assert_sums(&stage);
    assert_store_is_clean(&stage);
    /* It would prove nothing if nothing had happened. */
    assert_true(stage.granted_count > 100 && stage.refused_count > 20);
    assert_true(stage.ended_count > 100 && stage.rolled_count > 5);
    assert_true(stage.undone_count > 10);
    stage_close(&stage);
}

static void a_book_that_is_opened_anew_is_the_same(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;

    (void)state;
    stage_open(&stage);
    rng_seed(&stage.rng, seed_print("a_book_that_is_opened_anew_is_the_same"));
    for (int i = 0; i < 100; i++)
        transaction(&stage);
    book_close(stage.book);
    stage.book = NULL;
    fixture_reopen(f);
    assert_ok(f, book_open(f->store, &stage.book, &f->err));
    assert_book_is_the_model(&stage);
    stage_close(&stage);
}

static void no_more_can_be_held_than_there_is(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;
    const struct refund_case asked = {
        .market = text_of("us"), .issue = text_of("late"), .currency = "USD"};
    struct decision decision = {.amount = 4000};

    (void)state;
    stage_open(&stage);
    id_make("dec_", FIXTURE_TIME_US, decision.id);
    assert_ok(f, book_match(stage.book, &asked, &decision.seen, &f->err));
    assert_int_equal(decision.seen.budget_count, 4);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, book_hold(stage.book, f->store, &decision, ENTRY_HOLD, FIXTURE_TIME_US,
                           &f->err));
    /* The same again, on a view that has become untrue: bud_us_late has 1000 left. */
    assert_status(
        f,
        book_hold(stage.book, f->store, &decision, ENTRY_HOLD, FIXTURE_TIME_US, &f->err),
        STATUS_CORRUPT);
    store_rollback(f->store);
    assert_ok(f, book_load(stage.book, f->store, &f->err));
    assert_book_is_the_model(&stage);
    stage_close(&stage);
}

static void scopes_say_which_budgets_a_case_needs(void **state)
{
    static const struct {
        const char *market, *issue;
        int count;
    } rows[] = {{"us", "late", 4}, {"us", "lost", 2}, {"eu", "late", 2},
                {"eu", "lost", 1}, {"", "", 1},       {"us-ca", "", 1},
                {"u", "lat", 1}};
    struct stage stage;
    struct fixture *f = &stage.fixture;

    (void)state;
    stage_open(&stage);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct refund_case asked = {.market = text_of(rows[i].market),
                                          .issue = text_of(rows[i].issue),
                                          .currency = "USD"};
        struct circumstances seen;

        assert_ok(f, book_match(stage.book, &asked, &seen, &f->err));
        assert_int_equal(seen.budget_count, rows[i].count);
    }
    stage_close(&stage);
}

static void a_case_in_a_currency_that_no_budget_has_is_refused(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;
    const struct refund_case asked = {.currency = "EUR"};
    struct circumstances seen;

    (void)state;
    stage_open(&stage);
    assert_status(f, book_match(stage.book, &asked, &seen, &f->err), STATUS_INVALID);
    assert_string_equal(f->err.faults[0].pointer, "/currency");
    assert_string_equal(f->err.faults[0].code, "currency_mismatch");
    strcpy(book_find(stage.book, "bud_us_late")->currency, "EUR");
    assert_ok(f, book_match(stage.book, &asked, &seen, &f->err));
    assert_int_equal(seen.budget_count, 0);
    stage_close(&stage);
}

static void a_budget_that_holds_money_stays(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;
    struct budget *budget;

    (void)state;
    stage_open(&stage);
    budget = book_find(stage.book, "bud_us");
    budget->held = 1;
    assert_ok(f, store_begin(f->store, &f->err));
    assert_status(f,
                  book_remove(stage.book, f->store, "bud_us", FIXTURE_TIME_US, &f->err),
                  STATUS_CONFLICT);
    assert_string_equal(f->err.code, "budget_has_holds");
    budget->held = 0;
    assert_ok(f, book_remove(stage.book, f->store, "bud_us", FIXTURE_TIME_US, &f->err));
    assert_null(book_find(stage.book, "bud_us"));
    assert_non_null(book_find(stage.book, "bud_us_late"));
    assert_status(f,
                  book_remove(stage.book, f->store, "bud_us", FIXTURE_TIME_US, &f->err),
                  STATUS_NOT_FOUND);
    assert_ok(f, store_commit(f->store, &f->err));
    stage_close(&stage);
}

static void as_many_budgets_as_there_can_be_are_found_again(void **state)
{
    struct fixture f;
    struct book *book;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 0; i < BUDGET_COUNT_MAX; i++) {
        char id[BUDGET_ID_BYTES];
        struct budget budget;

        snprintf(id, sizeof id, "bud_%d", i);
        budget = budget_of(id, 1);
        assert_ok(&f, budget_insert(f.store, &budget, &f.err));
    }
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(&f, book_open(f.store, &book, &f.err));
    assert_int_equal(book_count(book), BUDGET_COUNT_MAX);
    book_close(book);
    fixture_close(&f);
}

static void an_id_is_taken_once(void **state)
{
    struct stage stage;
    struct fixture *f = &stage.fixture;
    struct budget budget = budget_of("bud_late", 5);

    (void)state;
    stage_open(&stage);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_status(f, book_insert(stage.book, f->store, &budget, &f->err),
                  STATUS_CONFLICT);
    assert_string_equal(f->err.code, "budget_exists");
    store_rollback(f->store);
    assert_book_is_the_model(&stage);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_book_does_what_a_plain_sum_does),
        cmocka_unit_test(a_book_that_is_opened_anew_is_the_same),
        cmocka_unit_test(no_more_can_be_held_than_there_is),
        cmocka_unit_test(scopes_say_which_budgets_a_case_needs),
        cmocka_unit_test(a_case_in_a_currency_that_no_budget_has_is_refused),
        cmocka_unit_test(a_budget_that_holds_money_stays),
        cmocka_unit_test(as_many_budgets_as_there_can_be_are_found_again),
        cmocka_unit_test(an_id_is_taken_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
