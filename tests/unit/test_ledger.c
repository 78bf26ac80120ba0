/* test_ledger.c - budgets, entries, charges, and a plain integer model beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static void every_column_of_a_budget_comes_back(void **state)
{
    struct fixture f;
    struct budget written = budget_of("bud_us_late", 2500000), read;

    (void)state;
    fixture_open(&f);
    snprintf(written.market, sizeof written.market, "us-ca");
    snprintf(written.issue, sizeof written.issue, "late");
    snprintf(written.segment, sizeof written.segment, "new");
    snprintf(written.channel, sizeof written.channel, "chat");
    snprintf(written.scope_currency, sizeof written.scope_currency, "USD");
    snprintf(written.time_zone, sizeof written.time_zone, "America/Los_Angeles");
    written.period = PERIOD_WEEK;
    written.pacing = PACING_EVEN;
    written.held = 1, written.spent = 2, written.unfunded = 3;
    written.shadow_price = 0.46;
    written.period_starts_at_us = 4, written.period_ends_at_us = 5;
    written.created_at_us = 6, written.updated_at_us = 7, written.revision = 8;
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_insert(f.store, &written, &f.err));
    memset(&read, 0, sizeof read);
    assert_ok(&f, budget_find(f.store, "bud_us_late", &read, &f.err));
    assert_string_equal(read.market, "us-ca");
    assert_string_equal(read.issue, "late");
    assert_string_equal(read.segment, "new");
    assert_string_equal(read.channel, "chat");
    assert_string_equal(read.scope_currency, "USD");
    assert_string_equal(read.time_zone, "America/Los_Angeles");
    assert_true(read.period == PERIOD_WEEK && read.pacing == PACING_EVEN);
    assert_true(read.limit == 2500000 && read.held == 1 && read.spent == 2);
    assert_true(read.unfunded == 3 && read.shadow_price == 0.46);
    assert_true(read.period_starts_at_us == 4 && read.period_ends_at_us == 5);
    assert_true(read.created_at_us == 6 && read.updated_at_us == 7 && read.revision == 8);
    store_rollback(f.store);
    fixture_close(&f);
}

static void a_budget_lives_and_its_id_is_never_given_again(void **state)
{
    struct fixture f;
    struct budget budget = budget_of("bud_b", 100), other = budget_of("bud_a", 50), *list;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_status(&f, budget_update(f.store, &budget, &f.err), STATUS_NOT_FOUND);
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    assert_ok(&f, budget_open(f.store, &other, &f.err));
    assert_status(&f, budget_insert(f.store, &budget, &f.err), STATUS_CONFLICT);
    assert_ok(&f, budget_list(f.store, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].id, "bud_a");
    assert_ok(&f, budget_remove(f.store, "bud_b", FIXTURE_TIME_US, &f.err));
    assert_status(&f, budget_remove(f.store, "bud_b", FIXTURE_TIME_US, &f.err),
                  STATUS_NOT_FOUND);
    assert_status(&f, budget_find(f.store, "bud_b", &budget, &f.err), STATUS_NOT_FOUND);
    assert_status(&f, budget_update(f.store, &budget, &f.err), STATUS_NOT_FOUND);
    assert_status(&f, budget_insert(f.store, &budget, &f.err), STATUS_CONFLICT);
    assert_ok(&f, budget_list(f.store, &f.arena, &list, &count, &f.err));
    assert_int_equal(count, 1);
    assert_ok(&f, store_commit(f.store, &f.err));
    fixture_close(&f);
}

static void a_budget_that_cannot_be_is_refused(void **state)
{
    struct fixture f;
    struct budget good = budget_of("bud_a", 1);

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 0; i < 6; i++) {
        struct budget bad = good;

        switch (i) {
        case 0:
            bad.limit = -1;
            break;
        case 1:
            bad.held = -1;
            break;
        case 2:
            bad.spent = MONEY_MINOR_MAX + 1;
            break;
        case 3:
            snprintf(bad.id, sizeof bad.id, "bud|a");
            break;
        case 4:
            bad.period_ends_at_us = bad.period_starts_at_us;
            break;
        default:
            bad.currency[0] = 0;
        }
        assert_status(&f, budget_insert(f.store, &bad, &f.err), STATUS_INVALID);
    }
    assert_ok(&f, budget_insert(f.store, &good, &f.err));
    store_rollback(f.store);
    fixture_close(&f);
}

/* The hash as ledger.h says it, computed with nothing but snprintf. */
static void the_chain_is_what_the_header_says(void **state)
{
    struct fixture f;
    struct budget budget = budget_of("bud_all", 5000);
    struct decision_row row;
    struct entry *entries;
    unsigned char prev[32] = {0};
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &budget, &f.err));
    for (int i = 1; i <= 5; i++)
        assert_ok(&f, decide_once(f.store, &budget, i, i * 100, &row, &f.err));
    assert_ok(&f, budget_move(f.store, &budget, ENTRY_ADJUST, -4000, "", &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(
        &f, entry_list(f.store, NULL, 0, 100, false, &f.arena, &entries, &count, &f.err));
    assert_int_equal(count, 7);
    for (int i = 0; i < count; i++) {
        const struct entry *e = &entries[i];
        unsigned char bytes[512], hash[32];
        int n;

        memcpy(bytes, prev, 32);
        n = snprintf((char *)bytes + 32, sizeof bytes - 32,
                     "%lld|%s|%s|%s|%lld|%lld|%lld|%s", (long long)e->seq, e->decision_id,
                     e->budget_id, entry_kind_name(e->kind), (long long)e->amount,
                     (long long)e->balance_after, (long long)e->created_at_us, e->note);
        crypto_hash_sha256(hash, bytes, (unsigned long long)n + 32);
        assert_int_equal(e->seq, i + 1);
        assert_memory_equal(e->prev_hash, prev, 32);
        assert_memory_equal(e->hash, hash, 32);
        memcpy(prev, hash, 32);
    }
    assert_int_equal(entries[6].amount, -4000);
    assert_int_equal(entries[6].balance_after, 5000 - 1500 - 4000);
    fixture_close(&f);
}

static void entries_are_listed_both_ways_and_per_budget(void **state)
{
    struct fixture f;
    struct budget a = budget_of("bud_a", 5000), b = budget_of("bud_b", 5000);
    struct decision_row row;
    struct entry *entries;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &a, &f.err));
    assert_ok(&f, budget_open(f.store, &b, &f.err));
    for (int i = 1; i <= 10; i++)
        assert_ok(&f, decide_once(f.store, i % 2 ? &a : &b, i, 10, &row, &f.err));
    assert_ok(&f, store_commit(f.store, &f.err));
    assert_ok(&f,
              entry_list(f.store, NULL, 0, 5, true, &f.arena, &entries, &count, &f.err));
    assert_int_equal(count, 5);
    assert_int_equal(entries[0].seq, 12);
    assert_ok(&f,
              entry_list(f.store, NULL, 8, 5, true, &f.arena, &entries, &count, &f.err));
    assert_int_equal(entries[0].seq, 7);
    assert_ok(
        &f, entry_list(f.store, NULL, 8, 50, false, &f.arena, &entries, &count, &f.err));
    assert_int_equal(count, 4);
    assert_int_equal(entries[0].seq, 9);
    assert_ok(&f, entry_list(f.store, "bud_b", 0, 50, false, &f.arena, &entries, &count,
                             &f.err));
    assert_int_equal(count, 6);
    for (int i = 0; i < count; i++)
        assert_string_equal(entries[i].budget_id, "bud_b");
    assert_ok(&f, entry_list(f.store, "bud_b", 10, 1, true, &f.arena, &entries, &count,
                             &f.err));
    assert_int_equal(entries[0].seq, 8);
    fixture_close(&f);
}

static void open_charges_are_what_was_not_closed(void **state)
{
    struct fixture f;
    struct budget a = budget_of("bud_a", 5000), b = budget_of("bud_b", 5000);
    struct decision_row row;
    struct charge *charges;
    int count;

    (void)state;
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    assert_ok(&f, budget_open(f.store, &a, &f.err));
    assert_ok(&f, budget_open(f.store, &b, &f.err));
    assert_ok(&f, decide_once(f.store, &a, 1, 100, &row, &f.err));
    assert_ok(&f, budget_move(f.store, &b, ENTRY_HOLD, 70, row.id, &f.err));
    assert_ok(&f,
              entry_open_charges(f.store, row.id, &f.arena, &charges, &count, &f.err));
    assert_int_equal(count, 2);
    assert_string_equal(charges[0].budget_id, "bud_a");
    assert_int_equal(charges[0].amount, 100);
    assert_int_equal(charges[1].amount, 70);
    assert_ok(&f, budget_move(f.store, &a, ENTRY_SETTLE, 60, row.id, &f.err));
    assert_ok(&f, budget_move(f.store, &a, ENTRY_RELEASE, 40, row.id, &f.err));
    assert_ok(&f,
              entry_open_charges(f.store, row.id, &f.arena, &charges, &count, &f.err));
    assert_int_equal(count, 1);
    assert_string_equal(charges[0].budget_id, "bud_b");
    assert_ok(&f, budget_move(f.store, &b, ENTRY_EXPIRE, 70, row.id, &f.err));
    assert_ok(&f,
              entry_open_charges(f.store, row.id, &f.arena, &charges, &count, &f.err));
    assert_int_equal(count, 0);
    store_rollback(f.store);
    fixture_close(&f);
}

/* --- random operations beside integers ------------------------------------------------------ */

enum { MODEL_BUDGETS = 3, MODEL_DECISIONS = 400 };

struct model {
    struct budget budgets[MODEL_BUDGETS];
    struct {
        int budget;
        int64_t held;
        enum decision_status status;
    } decisions[MODEL_DECISIONS];
    int decision_count;
};

static void close_decision(struct fixture *f, struct model *m, int index,
                           enum decision_status status, int64_t settled)
{
    struct budget *budget = &m->budgets[m->decisions[index].budget];
    struct decision_row row;
    int64_t held = m->decisions[index].held;
    char id[ID_BYTES];
    enum entry_kind rest = status == DECISION_EXPIRED ? ENTRY_EXPIRE : ENTRY_RELEASE;

    snprintf(id, sizeof id, "dec_%026d", index + 1);
    row = decision_of(id);
    row.status = status;
    row.settled_amount = row.goodwill = settled;
    assert_ok(f, decision_update(f->store, &row, &f->err));
    if (settled)
        assert_ok(f, budget_move(f->store, budget, ENTRY_SETTLE, settled, id, &f->err));
    if (held > settled)
        assert_ok(f, budget_move(f->store, budget, rest, held - settled, id, &f->err));
    m->decisions[index].held = 0;
    m->decisions[index].status = status;
}

static void operate(struct fixture *f, struct model *m, struct rng *rng)
{
    struct budget *budget;
    int which = (int)rng_below(rng, MODEL_BUDGETS);
    int64_t room, amount = 1 + (int64_t)rng_below(rng, 60);
    struct decision_row row;
    int index = m->decision_count ? (int)rng_below(rng, (uint64_t)m->decision_count) : 0;

    budget = &m->budgets[which];
    room = budget->limit - budget->held - budget->spent;
    switch (rng_below(rng, 8)) {
    case 0: /* up or down, below what is used too */
        amount = (int64_t)rng_below(rng, 401) - 200;
        if (budget->limit + amount >= 0)
            assert_ok(f,
                      budget_move(f->store, budget, ENTRY_ADJUST, amount, "", &f->err));
        return;
    case 1:
        if (budget->spent)
            assert_ok(
                f, budget_move(f->store, budget, ENTRY_ROLL, budget->spent, "", &f->err));
        return;
    case 2:
    case 3:
        if (!m->decision_count || m->decisions[index].status != DECISION_HELD)
            return;
        amount = 1 + (int64_t)rng_below(rng, (uint64_t)m->decisions[index].held);
        close_decision(f, m, index, DECISION_SETTLED, amount);
        return;
    case 4:
        if (m->decision_count && m->decisions[index].status == DECISION_HELD)
            close_decision(f, m, index,
                           rng_below(rng, 2) ? DECISION_RELEASED : DECISION_EXPIRED, 0);
        return;
    default:
        if (amount > room || m->decision_count == MODEL_DECISIONS)
            return;
        index = m->decision_count++;
        assert_ok(f, decide_once(f->store, budget, index + 1, amount, &row, &f->err));
        m->decisions[index].budget = which;
        m->decisions[index].held = amount;
        m->decisions[index].status = DECISION_HELD;
    }
}

static void compare(struct fixture *f, const struct model *m)
{
    for (int i = 0; i < MODEL_BUDGETS; i++) {
        struct budget found;

        assert_ok(f, budget_find(f->store, m->budgets[i].id, &found, &f->err));
        assert_int_equal(found.limit, m->budgets[i].limit);
        assert_int_equal(found.held, m->budgets[i].held);
        assert_int_equal(found.spent, m->budgets[i].spent);
    }
    for (int i = 0; i < m->decision_count; i += 7) {
        char id[ID_BYTES];
        struct charge *charges;
        struct decision_row row;
        int count;

        snprintf(id, sizeof id, "dec_%026d", i + 1);
        arena_reset(&f->arena);
        assert_ok(f,
                  entry_open_charges(f->store, id, &f->arena, &charges, &count, &f->err));
        assert_int_equal(count, m->decisions[i].held > 0);
        if (count)
            assert_int_equal(charges[0].amount, m->decisions[i].held);
        assert_ok(f, decision_find(f->store, id, &f->arena, &row, &f->err));
        assert_int_equal(row.status, m->decisions[i].status);
    }
}

static void random_operations_agree_with_integers(void **state)
{
    struct fixture f;
    struct rng rng;
    struct model model = {0};
    struct store_report report;
    int granted = 0;

    (void)state;
    rng_seed(&rng, seed_print("random_operations_agree_with_integers"));
    fixture_open(&f);
    assert_ok(&f, store_begin(f.store, &f.err));
    for (int i = 0; i < MODEL_BUDGETS; i++) {
        char id[16];

        snprintf(id, sizeof id, "bud_%d", i);
        model.budgets[i] = budget_of(id, 300);
        assert_ok(&f, budget_open(f.store, &model.budgets[i], &f.err));
    }
    assert_ok(&f, store_commit(f.store, &f.err));
    for (int round = 0; round < 150; round++) {
        struct model before = model;

        assert_ok(&f, store_begin(f.store, &f.err));
        for (uint64_t i = rng_below(&rng, 12); i-- > 0;)
            operate(&f, &model, &rng);
        if (rng_below(&rng, 5) == 0) {
            store_rollback(f.store);
            model = before;
        } else {
            assert_ok(&f, store_commit(f.store, &f.err));
        }
        if (round % 10 == 0)
            compare(&f, &model);
        if (round % 50 == 0)
            fixture_reopen(&f);
    }
    compare(&f, &model);
    assert_ok(&f, store_check(f.store, &report, &f.err));
    assert_string_equal(report.first_fault, "");
    for (int i = 0; i < model.decision_count; i++)
        granted += model.decisions[i].status == DECISION_SETTLED;
    assert_true(model.decision_count > 50 && granted > 5);
    assert_int_equal(report.decision_count, model.decision_count);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_of_a_budget_comes_back),
        cmocka_unit_test(a_budget_lives_and_its_id_is_never_given_again),
        cmocka_unit_test(a_budget_that_cannot_be_is_refused),
        cmocka_unit_test(the_chain_is_what_the_header_says),
        cmocka_unit_test(entries_are_listed_both_ways_and_per_budget),
        cmocka_unit_test(open_charges_are_what_was_not_closed),
        cmocka_unit_test(random_operations_agree_with_integers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
