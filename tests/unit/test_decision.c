/* test_decision.c - what is given, to whom, and why: the pure core of a decision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/decision_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- choosing --------------------------------------------------------------------------------- */

static void the_largest_net_value_is_given(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(900, 1700, 1, false)), NEEDY);
    const struct decision *decision;

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    decision = decide(bench);
    assert_int_equal(decision->amount, 1000); /* 1700 - 1000 beats 900 - 500 */
    assert_int_equal(decision->outcome, OUTCOME_CREDIT);
    assert_int_equal(decision->status, DECISION_HELD);
    assert_true(has_reason(decision, CODE_HIGH_UPLIFT));
    assert_true(has_reason(decision, CODE_LATE_DELIVERY));
    assert_true(decision->hold_expires_at_us > NOW_US);
    bench_free(bench);
}

static void a_price_makes_a_smaller_amount_the_better_one(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(900, 1700, 1, false)), NEEDY);
    const struct decision *decision;

    (void)state;
    with_budget(bench, "bud_a", 100000, 0.4);
    with_budget(bench, "bud_b", 100000, 0.25); /* prices add up to 0.65 */
    decision = decide(bench);
    assert_int_equal(decision->amount, 500); /* 900 - 825 = 75 beats 1700 - 1650 = 50 */
    assert_true(fabs(decision->menu.options[1].net_value - 75) < 1e-9);
    assert_true(has_reason(decision, CODE_BUDGET_PRICE));
    bench_free(bench);
}

static void what_is_only_worth_it_at_no_price_is_said_to_be(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(900, 1700, 1, false)), NEEDY);
    const struct decision *decision;

    (void)state;
    with_budget(bench, "bud_a", 100000, 3);
    decision = decide(bench);
    assert_int_equal(decision->amount, 0);
    assert_int_equal(decision->outcome, OUTCOME_NO_CREDIT);
    assert_int_equal(decision->status, DECISION_NONE);
    assert_true(has_reason(decision, CODE_BUDGET_PRICE));
    bench_free(bench);
}

static void no_uplift_is_no_credit(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(100, 90, 1, false)), NEEDY);

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    assert_int_equal(decide(bench)->amount, 0);
    assert_true(has_reason(&bench->decision, CODE_LOW_UPLIFT));
    bench_free(bench);
}

/* --- budgets ---------------------------------------------------------------------------------- */

static void what_does_not_fit_every_budget_is_masked(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(900, 1700, 1, false)), NEEDY);
    const struct decision *decision;

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    with_budget(bench, "bud_b", 999, 0);
    decision = decide(bench);
    assert_int_equal(decision->amount, 500);
    assert_false(decision->menu.options[2].is_allowed);
    assert_true(is_blocked_by(&decision->menu.options[2], CODE_BUDGET_EXHAUSTED));
    assert_non_null(strstr(decision->menu.options[2].blockers[0].detail, "bud_b"));
    bench_free(bench);
}

static void without_a_budget_there_is_no_goodwill(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(900, 1700, 1, false)), NEEDY);

    (void)state;
    assert_int_equal(decide(bench)->amount, 0);
    assert_true(has_reason(&bench->decision, CODE_NO_BUDGET));
    bench_free(bench);
}

static void what_is_owed_by_right_is_paid_from_an_empty_budget_too(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(900, 1700, 1, false)),
                 CASE(", \"features\": {\"need\": 1}, \"entitled_amount\": 700"));
    const struct decision *decision;

    (void)state;
    with_budget(bench, "bud_a", 300, 0);
    decision = decide(bench);
    assert_int_equal(decision->amount, 700);
    assert_int_equal(decision->goodwill, 0);
    assert_int_equal(decision->outcome, OUTCOME_CREDIT);
    assert_int_equal(decision_charge(decision, 0), 300); /* never more than there is */
    assert_true(has_reason(decision, CODE_ENTITLED));
    bench_free(bench);
}

/* --- without model, without policy ------------------------------------------------------------ */

static void without_a_policy_only_the_entitled_amount_is_given(void **state)
{
    struct bench *bench = bench_of(holder_of(NULL, scorer_of(900, 1700, 1, false)),
                                   CASE(", \"entitled_amount\": 200"));

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    assert_int_equal(decide(bench)->amount, 200);
    assert_int_equal(bench->decision.outcome, OUTCOME_FALLBACK);
    assert_true(has_reason(&bench->decision, CODE_NO_POLICY));
    bench_free(bench);
}

static void without_a_model_the_fallback_answers(void **state)
{
    static const struct {
        const char *members;
        int64_t amount;
    } rows[] = {{"", 0}, {", \"fallback\": {\"amount\": 700}", 500}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench =
            bench_of(holder_of(policy_of(rows[i].members), NULL), NEEDY);

        with_budget(bench, "bud_a", 100000, 0);
        assert_int_equal(decide(bench)->amount, rows[i].amount);
        assert_int_equal(bench->decision.outcome, OUTCOME_FALLBACK);
        assert_true(has_reason(&bench->decision, CODE_MODEL_UNAVAILABLE));
        bench_free(bench);
    }
}

static void a_feature_that_must_not_be_missing_leads_to_the_fallback(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(", \"fallback\": {\"amount\": 500}"),
                           scorer_of(900, 1700, 1, true)),
                 CASE(""));

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    assert_int_equal(decide(bench)->amount, 500);
    assert_int_equal(bench->decision.outcome, OUTCOME_FALLBACK);
    assert_true(has_reason(&bench->decision, CODE_FEATURES_MISSING));
    bench_free(bench);
}

static void the_fallback_does_not_grant_what_the_budget_does_not_have(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(", \"fallback\": {\"amount\": 1000}"), NULL), NEEDY);

    (void)state;
    with_budget(bench, "bud_a", 499, 0);
    assert_int_equal(decide(bench)->amount, 0);
    bench_free(bench);
}

static void an_unknown_feature_is_refused(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(""), scorer_of(900, 1700, 1, false)),
                 CASE(", \"features\": {\"neeed\": 1}"));
    struct err err;

    (void)state;
    err_clear(&err);
    assert_int_equal(decision_prepare(bench->world, &bench->asked, NOW_US, &bench->arena,
                                      &bench->decision, &err),
                     STATUS_INVALID);
    assert_string_equal(err.faults[0].pointer, "/features/neeed");
    bench_free(bench);
}

/* --- review ----------------------------------------------------------------------------------- */

static void above_the_threshold_a_person_decides_and_the_entitled_amount_is_paid(
    void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(", \"review\": {\"amount_over\": 900}"),
                           scorer_of(900, 1700, 1, false)),
                 CASE(", \"features\": {\"need\": 1}, \"entitled_amount\": 100"));
    const struct decision *decision;

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    decision = decide(bench);
    assert_int_equal(decision->outcome, OUTCOME_REVIEW);
    assert_int_equal(decision->recommended, 1100);
    assert_int_equal(decision->amount, 100);
    assert_int_equal(decision->status, DECISION_HELD);
    assert_int_equal(decision->reasons[0].code, CODE_REVIEW_THRESHOLD);
    bench_free(bench);
}

/* --- laws ------------------------------------------------------------------------------------- */

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static char *encoded(struct bench *bench, const struct decision *decision, size_t *bytes)
{
    size_t room = decision_encode_room(decision, &bench->asked);
    char *buffer = arena_alloc(&bench->arena, 1, room);
    struct json_writer writer;
    struct text text;

    json_writer_init(&writer, buffer, room);
    decision_encode(decision, &bench->asked, &writer);
    assert_int_equal(json_writer_text(&writer, &text, NULL), STATUS_OK);
    *bytes = text.bytes;
    return buffer;
}

/* Store what it was made from, read that, decide again, and compare every byte. */
static void assert_replays(struct bench *bench)
{
    struct decision *again = arena_new(&bench->arena, struct decision);
    struct decision_context *made_from =
        arena_new(&bench->arena, struct decision_context);
    size_t context_max = decision_context_room(&bench->decision, text_of(bench->body));
    size_t then_bytes, now_bytes;
    char *context = arena_alloc(&bench->arena, 1, context_max), *then, *now;
    struct json_writer writer;
    struct text text;
    struct err err;

    err_clear(&err);
    json_writer_init(&writer, context, context_max);
    decision_context_encode(&bench->decision, text_of(bench->body), &writer);
    assert_int_equal(json_writer_text(&writer, &text, &err), STATUS_OK);
    if (decision_context_decode(text, &bench->arena, made_from, &err))
        fail_msg("%s", err.text);
    again->seen = made_from->seen;
    if (decision_prepare(bench->world, &made_from->asked, made_from->seen.now_us,
                         &bench->arena, again, &err) ||
        decision_finish(&made_from->asked, &bench->arena, again, &err))
        fail_msg("%s", err.text);
    then = encoded(bench, &bench->decision, &then_bytes);
    now = encoded(bench, again, &now_bytes);
    assert_int_equal(then_bytes, now_bytes);
    assert_memory_equal(then, now, then_bytes);
}

static void assert_lawful(const struct decision *decision,
                          const struct refund_case *asked)
{
    const struct menu *menu = &decision->menu;
    double propensity = 0;

    for (int i = 0; i < menu->count; i++) {
        propensity += menu->options[i].propensity;
        if (!menu->options[i].is_allowed)
            assert_true(menu->options[i].propensity == 0 &&
                        menu->options[i].blocker_count > 0);
    }
    assert_true(fabs(propensity - 1) <= 1e-12);
    assert_int_equal(decision->amount, menu->options[decision->chosen].amount);
    assert_true(decision->propensity > 0 && decision->propensity <= 1);
    assert_true(menu->options[decision->chosen].propensity == decision->propensity);
    if (decision->is_explored)
        assert_true(decision->propensity < 1);
    if (decision->mode == MODE_HOLDOUT)
        assert_true(decision->goodwill == 0 && decision->propensity == 1);
    assert_true(menu->options[decision->chosen].is_allowed);
    assert_true(decision->amount <= asked->order_amount);
    assert_true(decision->amount >= asked->entitled_amount);
    for (int b = 0; b < decision->seen.budget_count; b++) {
        int64_t remaining = decision->seen.budgets[b].remaining;

        assert_true(decision_charge(decision, b) <= (remaining > 0 ? remaining : 0));
        if (decision->goodwill > 0)
            assert_true(decision->amount <= remaining);
    }
}

static void any_decision_keeps_the_laws_and_replays_to_the_same_bytes(void **state)
{
    static const char *const chances[] = {
        "",
        ", \"exploration\": {\"epsilon\": 0.2, \"cost_scale\": 300}",
        ", \"exploration\": {\"temperature\": 100, \"floor\": 0.01}",
        ", \"exploration\": {\"epsilon\": 0.1, \"temperature\": 30, \"max_amount\": 500}",
    };
    static const char *const holdouts[] = {
        "",
        ", \"holdout\": {\"share\": 0, \"salt\": \"s\"}",
        ", \"holdout\": {\"share\": 1, \"salt\": \"s\"}",
        "",
    };
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_of_run());
    for (int i = 0; i < 500; i++) {
        char body[512], members[512];
        struct bench *bench;

        snprintf(body, sizeof body,
                 CASE(", \"features\": {\"need\": %.17g}, \"entitled_amount\": %lld"),
                 3 * rng_normal(&rng), (long long)rng_below(&rng, 800));
        snprintf(members, sizeof members, "%s%s%s",
                 rng_below(&rng, 2) ? ", \"review\": {\"amount_over\": 900}"
                                    : ", \"caps\": [{\"amount\": 700}]",
                 chances[rng_below(&rng, sizeof chances / sizeof chances[0])],
                 holdouts[rng_below(&rng, 4)]);
        bench = bench_of(holder_of(policy_of(members), scorer_of(900, 1700, 0.9, false)),
                         body);
        if (rng_below(&rng, 4))
            with_draw(bench, rng_uniform(&rng));
        if (rng_below(&rng, 8) == 0) {
            bench->decision.seen.is_planned = true;
            bench->decision.seen.planned_amount = (int64_t)rng_below(&rng, 2000);
        }
        for (uint64_t b = rng_below(&rng, 4); b > 0; b--) {
            char id[BUDGET_ID_BYTES];

            snprintf(id, sizeof id, "bud_%llu", (unsigned long long)b);
            with_budget(bench, id, (int64_t)rng_below(&rng, 3000) - 500,
                        rng_uniform(&rng) < 0.5 ? 0 : rng_uniform(&rng));
        }
        assert_lawful(decide(bench), &bench->asked);
        assert_replays(bench);
        bench_free(bench);
    }
}

/* With no memory, then a little more each time: a clean refusal until it works. */
static void an_arena_that_is_full_is_a_clean_refusal(void **state)
{
    struct bench *bench = bench_of(holder_of(policy_of(", \"caps\": [{\"amount\": 700}]"),
                                             scorer_of(900, 1700, 1, false)),
                                   NEEDY);
    static char buffer[1 << 16];
    struct err err;
    size_t bytes = 0;
    enum status rc;

    (void)state;
    do {
        struct arena arena;

        err_clear(&err);
        arena_init(&arena, buffer, bytes, 0);
        memset(&bench->decision, 0, sizeof bench->decision);
        with_budget(bench, "bud_a", 100, 0);
        rc = decision_prepare(bench->world, &bench->asked, NOW_US, &arena,
                              &bench->decision, &err);
        if (!rc)
            rc = decision_finish(&bench->asked, &arena, &bench->decision, &err);
        assert_true(rc == STATUS_OK || rc == STATUS_EXHAUSTED);
        bytes += 16;
    } while (rc && bytes < sizeof buffer);
    assert_int_equal(rc, STATUS_OK);
    assert_true(bytes > 32);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_net_value_is_given),
        cmocka_unit_test(a_price_makes_a_smaller_amount_the_better_one),
        cmocka_unit_test(what_is_only_worth_it_at_no_price_is_said_to_be),
        cmocka_unit_test(no_uplift_is_no_credit),
        cmocka_unit_test(what_does_not_fit_every_budget_is_masked),
        cmocka_unit_test(without_a_budget_there_is_no_goodwill),
        cmocka_unit_test(what_is_owed_by_right_is_paid_from_an_empty_budget_too),
        cmocka_unit_test(without_a_policy_only_the_entitled_amount_is_given),
        cmocka_unit_test(without_a_model_the_fallback_answers),
        cmocka_unit_test(a_feature_that_must_not_be_missing_leads_to_the_fallback),
        cmocka_unit_test(the_fallback_does_not_grant_what_the_budget_does_not_have),
        cmocka_unit_test(an_unknown_feature_is_refused),
        cmocka_unit_test(
            above_the_threshold_a_person_decides_and_the_entitled_amount_is_paid),
        cmocka_unit_test(any_decision_keeps_the_laws_and_replays_to_the_same_bytes),
        cmocka_unit_test(an_arena_that_is_full_is_a_clean_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
