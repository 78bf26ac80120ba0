/* test_chance.c - what chance may give and what it may not; who is held out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/decision_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- exploration ----------------------------------------------------------------------------------- */

/* Of 0, 500 and 1000, whose net values are 0, 400 and 700: the propensities 0.1, 0.1 and
 * 0.8. */
#define EXPLORING ", \"exploration\": {\"epsilon\": 0.3%s}"

static struct bench *exploring(const char *more, const char *rest, const char *body,
                               double draw)
{
    char members[512];
    struct bench *bench;

    snprintf(members, sizeof members, EXPLORING "%s", more, rest);
    bench = bench_of(holder_of(policy_of(members), scorer_of(900, 1700, 1, false)), body);
    with_budget(bench, "bud_a", 100000, 0);
    with_draw(bench, draw);
    return bench;
}

static void assert_propensities(const struct decision *decision, double none, double half,
                                double whole)
{
    const double wanted[] = {none, half, whole};

    for (int i = 0; i < 3; i++)
        if (fabs(decision->menu.options[i].propensity - wanted[i]) > 1e-15)
            fail_msg("option %d: propensity %.17g, wanted %.17g", i,
                     decision->menu.options[i].propensity, wanted[i]);
    assert_true(decision->propensity ==
                decision->menu.options[decision->chosen].propensity);
}

static void what_the_draw_falls_on_is_given_and_said_to_be_explored(void **state)
{
    static const struct {
        double draw;
        int64_t amount;
        bool is_explored;
    } rows[] = {{0.05, 0, true}, {0.15, 500, true}, {0.5, 1000, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench = exploring("", "", NEEDY, rows[i].draw);
        const struct decision *decision = decide(bench);

        assert_propensities(decision, 0.1, 0.1, 0.8);
        assert_int_equal(decision->amount, rows[i].amount);
        assert_int_equal(decision->is_explored, rows[i].is_explored);
        assert_int_equal(has_reason(decision, CODE_EXPLORATION), rows[i].is_explored);
        assert_int_equal(has_reason(decision, CODE_HIGH_UPLIFT), !rows[i].is_explored);
        assert_int_equal(decision->outcome,
                         rows[i].amount > 0 ? OUTCOME_CREDIT : OUTCOME_NO_CREDIT);
        bench_free(bench);
    }
}

static void what_exploring_is_expected_to_cost_is_said(void **state)
{
    struct bench *bench = exploring("", "", NEEDY, 0.15);
    const struct decision *decision = decide(bench);

    (void)state;
    assert_int_equal(decision->reasons[0].code, CODE_EXPLORATION);
    assert_true(decision->reasons[0].is_for);
    assert_true(fabs(decision->reasons[0].contribution - (400 - 700)) < 1e-9);
    bench_free(bench);
}

/* By a cap of the policy, by what remains of a budget: nothing is left for them, and the
 * rest is shared among the others. */
static void what_is_masked_has_propensity_0(void **state)
{
    static const char *const caps[] = {", \"caps\": [{\"amount\": 700}]", ""};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bench *bench = exploring("", caps[i], NEEDY, 1 - 0x1p-53);
        const struct decision *decision;

        with_budget(bench, "bud_b", i == 0 ? 100000 : 999, 0);
        decision = decide(bench);
        assert_propensities(decision, 0.15, 0.85, 0);
        assert_int_equal(decision->amount, 500);
        assert_true(is_blocked_by(&decision->menu.options[2],
                                  i == 0 ? CODE_AMOUNT_OVER_CAP : CODE_BUDGET_EXHAUSTED));
        bench_free(bench);
    }
}

static void chance_gives_no_more_than_its_cap_but_the_best_stays(void **state)
{
    struct bench *bench = exploring(", \"max_amount\": 499", "", NEEDY, 0.2);

    (void)state;
    assert_propensities(decide(bench), 0.15, 0, 0.85);
    assert_int_equal(bench->decision.amount, 1000);
    bench_free(bench);
}

static void nothing_is_explored_where_the_case_or_the_policy_says_so(void **state)
{
    static const struct {
        const char *more, *body;
        bool is_explored;
    } rows[] = {
        {"", CASE(", \"features\": {\"need\": 1}, \"metadata\": {\"risk\": \"high\"}"),
         false},
        {"", CASE(", \"features\": {\"need\": 1}, \"metadata\": {\"risk\": \"low\"}"),
         true},
        {", \"unless\": [{\"all\": [{\"field\": \"segment\", \"op\": \"eq\", \"value\": "
         "\"vip\"}]}]",
         CASE(", \"features\": {\"need\": 1}, \"segment\": \"vip\""), false},
        {", \"unless\": [{\"all\": [{\"field\": \"segment\", \"op\": \"eq\", \"value\": "
         "\"vip\"}]}]",
         NEEDY, true},
        {", \"unless\": [{\"issue\": \"quality\", \"all\": [{\"field\": "
         "\"order_amount\", "
         "\"op\": \"gt\", \"value\": 0}]}]",
         NEEDY, true},
        /* The second rule counts as well. */
        {", \"unless\": [{\"all\": [{\"field\": \"order_amount\", \"op\": \"gt\", "
         "\"value\": "
         "9999}]}, {\"all\": [{\"field\": \"features.need\", \"op\": \"eq\", \"value\": "
         "1}]}]",
         NEEDY, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench = exploring(rows[i].more, "", rows[i].body, 0.05);
        const struct decision *decision = decide(bench);

        assert_int_equal(decision_wants_draw(decision), rows[i].is_explored);
        assert_int_equal(decision->is_explored, rows[i].is_explored);
        if (!rows[i].is_explored)
            assert_propensities(decision, 0, 0, 1);
        bench_free(bench);
    }
}

static void without_a_draw_the_best_is_certain(void **state)
{
    struct bench *bench = exploring("", "", NEEDY, 0.05);

    (void)state;
    bench->decision.seen.has_draw = false;
    assert_propensities(decide(bench), 0, 0, 1);
    bench_free(bench);
}

static void the_fallback_is_never_left_to_chance(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(", \"exploration\": {\"epsilon\": 1},"
                                     " \"fallback\": {\"amount\": 500}"),
                           NULL),
                 NEEDY);

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    with_draw(bench, 0.99);
    assert_propensities(decide(bench), 0, 1, 0);
    assert_false(decision_wants_draw(&bench->decision));
    bench_free(bench);
}

/* 1000 goes to a person; it is the best, and what happens with its probability is
 * nothing. */
static void what_goes_to_a_person_counts_for_nothing_on_top(void **state)
{
    static const struct {
        double draw;
        enum outcome outcome;
        int64_t amount;
    } rows[] = {{0.05, OUTCOME_NO_CREDIT, 0},
                {0.15, OUTCOME_CREDIT, 500},
                {0.5, OUTCOME_REVIEW, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench =
            exploring("", ", \"review\": {\"amount_over\": 900}", NEEDY, rows[i].draw);
        const struct decision *decision = decide(bench);

        assert_propensities(decision, 0.9, 0.1, 0);
        assert_int_equal(decision->outcome, rows[i].outcome);
        assert_int_equal(decision->amount, rows[i].amount);
        assert_int_equal(decision->recommended,
                         rows[i].outcome == OUTCOME_REVIEW ? 1000 : AMOUNT_ABSENT);
        assert_int_equal(decision->is_explored, rows[i].outcome != OUTCOME_REVIEW);
        bench_free(bench);
    }
}

/* The best is 500; 1000 would go to a person, and chance does not come up with it. */
static void nobody_has_to_look_at_what_chance_came_up_with(void **state)
{
    struct bench *bench =
        bench_of(holder_of(policy_of(", \"exploration\": {\"epsilon\": 0.3},"
                                     " \"review\": {\"amount_over\": 900}"),
                           scorer_of(1700, 1800, 1, false)),
                 NEEDY);

    (void)state;
    with_budget(bench, "bud_a", 100000, 0);
    with_draw(bench, 0.99);
    assert_propensities(decide(bench), 0.15, 0.85, 0);
    bench_free(bench);
}

static void a_case_that_a_person_decides_is_not_explored(void **state)
{
    struct bench *bench =
        exploring("",
                  ", \"review\": {\"when\": [{\"all\": [{\"field\": \"order_amount\","
                  " \"op\": \"gt\", \"value\": 0}]}]}",
                  NEEDY, 0.15);
    const struct decision *decision = decide(bench);

    (void)state;
    assert_propensities(decision, 1, 0, 0);
    assert_int_equal(decision->outcome, OUTCOME_REVIEW);
    assert_int_equal(decision->recommended, 1000);
    bench_free(bench);
}

/* --- what was chosen elsewhere ---------------------------------------------------------------- */

static void what_was_planned_is_given_or_the_next_below_it(void **state)
{
    static const struct {
        int64_t planned, remaining, amount;
    } rows[] = {{500, 100000, 500}, {1000, 100000, 1000}, {0, 100000, 0},
                {1000, 999, 500},   {1000, 499, 0},       {700, 100000, 500}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench = exploring("", "", NEEDY, 0.05);
        const struct decision *decision;

        with_budget(bench, "bud_b", rows[i].remaining, 0);
        bench->decision.seen.is_planned = true;
        bench->decision.seen.planned_amount = rows[i].planned;
        decision = decide(bench);
        assert_int_equal(decision->amount, rows[i].amount);
        assert_true(decision->propensity == 1);
        assert_false(decision->is_explored);
        assert_false(decision_wants_draw(decision));
        bench_free(bench);
    }
}

/* --- holdout ---------------------------------------------------------------------------------- */

#define HOLDOUT ", \"holdout\": {\"share\": 1, \"salt\": \"s\"}"

static void who_is_held_out_gets_what_is_owed_and_nothing_on_top(void **state)
{
    struct bench *bench =
        exploring("", HOLDOUT ", \"review\": {\"amount_over\": 0}",
                  CASE(", \"features\": {\"need\": 1}, \"entitled_amount\": 300"), 0.15);
    const struct decision *decision = decide(bench);

    (void)state;
    assert_int_equal(decision->mode, MODE_HOLDOUT);
    assert_int_equal(decision->amount, 300);
    assert_int_equal(decision->goodwill, 0);
    assert_int_equal(decision->outcome, OUTCOME_CREDIT);
    assert_int_equal(decision->status, DECISION_HELD);
    assert_propensities(decision, 1, 0, 0);
    assert_true(has_reason(decision, CODE_ENTITLED));
    assert_true(has_reason(decision, CODE_HOLDOUT));
    for (int i = 1; i < decision->menu.count; i++) {
        assert_int_equal(decision->menu.options[i].blockers[0].code, CODE_HOLDOUT);
        assert_true(decision->menu.options[i].effect > 0); /* still what was expected */
    }
    bench_free(bench);
}

/* Whatever else forbids it: HOLDOUT is among the few blockers that are kept, and is the
 * reason. */
static void holdout_is_the_first_thing_said(void **state)
{
    struct bench *bench = exploring(
        "",
        HOLDOUT ", \"claim_window\": {\"window\": \"1d\", \"required\": true},"
                " \"caps\": [{\"amount\": 1}, {\"amount\": 2}, {\"amount\": 3}],"
                " \"eligibility\": [{\"require\": [{\"field\": \"order_amount\","
                " \"op\": \"lt\", \"value\": 0}]}]",
        NEEDY, 0.15);
    const struct decision *decision = decide(bench);

    (void)state;
    assert_int_equal(decision->reason_count, 1);
    assert_int_equal(decision->reasons[0].code, CODE_HOLDOUT);
    assert_int_equal(decision->menu.options[2].blockers[0].code, CODE_HOLDOUT);
    assert_int_equal(decision->menu.options[2].blocker_count, BLOCKER_COUNT_MAX);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_draw_falls_on_is_given_and_said_to_be_explored),
        cmocka_unit_test(what_exploring_is_expected_to_cost_is_said),
        cmocka_unit_test(what_is_masked_has_propensity_0),
        cmocka_unit_test(chance_gives_no_more_than_its_cap_but_the_best_stays),
        cmocka_unit_test(nothing_is_explored_where_the_case_or_the_policy_says_so),
        cmocka_unit_test(without_a_draw_the_best_is_certain),
        cmocka_unit_test(the_fallback_is_never_left_to_chance),
        cmocka_unit_test(what_goes_to_a_person_counts_for_nothing_on_top),
        cmocka_unit_test(nobody_has_to_look_at_what_chance_came_up_with),
        cmocka_unit_test(a_case_that_a_person_decides_is_not_explored),
        cmocka_unit_test(what_was_planned_is_given_or_the_next_below_it),
        cmocka_unit_test(who_is_held_out_gets_what_is_owed_and_nothing_on_top),
        cmocka_unit_test(holdout_is_the_first_thing_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
