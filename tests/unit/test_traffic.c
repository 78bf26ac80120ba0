/* test_traffic.c - decide/traffic.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/rng.h"
#include "decide/traffic.h"
#include "optimize/choose.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW INT64_C(1700000000000000)

/* --- builders ----------------------------------------------------------------------------------- */

static struct decision new_decision(int64_t at_us)
{
    struct decision decision = {.seen = {.now_us = at_us, .budget_count = 1}};

    snprintf(decision.seen.budgets[0].id, BUDGET_ID_BYTES, "bud_a");
    decision.menu.count = 1;
    decision.menu.options[0] = (struct option){.is_allowed = true, .is_scored = true};
    return decision;
}

static struct option *add_option(struct decision *decision, int64_t goodwill,
                                 double effect, double cost)
{
    struct option *option = &decision->menu.options[decision->menu.count++];

    *option = (struct option){.amount = decision->entitled + goodwill,
                              .goodwill = goodwill,
                              .effect = effect,
                              .cost = cost,
                              .is_allowed = true,
                              .is_scored = true};
    return option;
}

static struct budget budget_of(const char *id, int64_t limit, int64_t expected_cases)
{
    struct budget budget = {.limit = limit,
                            .expected_cases = expected_cases,
                            .pacing = PACING_EVEN,
                            .period_ends_at_us = INT64_MAX};

    snprintf(budget.id, sizeof budget.id, "%s", id);
    return budget;
}

static struct traffic *open_traffic(void)
{
    struct traffic *traffic;

    assert_int_equal(traffic_open(&traffic, NULL), STATUS_OK);
    return traffic;
}

/* The only case in the ring. */
static struct traffic_case noted(const struct decision *decision)
{
    static struct traffic_case cases[TRAFFIC_CASE_COUNT];
    struct traffic *traffic = open_traffic();

    traffic_add(traffic, decision);
    assert_int_equal(traffic_copy(traffic, cases), 1);
    traffic_close(traffic);
    return cases[0];
}

/* --- adding and copying -------------------------------------------------------------------------- */

static void what_policy_allowed_is_noted_whatever_the_budgets_said(void **state)
{
    struct decision decision = new_decision(NOW);
    struct traffic_case seen;
    struct option *option;

    (void)state;
    decision.entitled = 300;
    add_option(&decision, 100, 500, 100);
    option = add_option(&decision, 200, 900, 200);
    option->is_allowed = false;
    option->blockers[option->blocker_count++].code = CODE_BUDGET_EXHAUSTED;
    option = add_option(&decision, 300, 2000, 300);
    option->is_allowed = false;
    option->blockers[option->blocker_count++].code = CODE_AMOUNT_OVER_CAP;
    option->blockers[option->blocker_count++].code = CODE_BUDGET_EXHAUSTED;
    option = add_option(&decision, 400, 3000, 400);
    option->is_scored = false;
    seen = noted(&decision);
    assert_int_equal(seen.at_us, NOW);
    assert_int_equal(seen.entitled, 300);
    assert_int_equal(seen.budget_count, 1);
    assert_true(seen.budgets[0] == text_hash(text_of("bud_a")));
    assert_int_equal(seen.option_count, 2);
    assert_int_equal(seen.options[0].amount, 100);
    assert_int_equal(seen.options[1].amount, 200);
    assert_true(seen.options[1].effect == 900 && seen.options[1].cost == 200);
}

static double best_net(const struct traffic_case *noted_case, double price)
{
    double best = 0;

    for (int i = 0; i < noted_case->option_count; i++)
        best = fmax(best, net_value(noted_case->options[i].effect,
                                    noted_case->options[i].cost, price));
    return best;
}

/* What is left out is never the best: at any price the best of what was noted is the best of all. */
static void options_that_no_price_makes_the_best_are_left_out(void **state)
{
    uint64_t seed = (uint64_t)clock_wall_us(&system_clock);
    int option_count_max = 0;
    struct rng rng;

    (void)state;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 500; round++) {
        struct decision decision = new_decision(NOW);
        struct traffic_case seen;
        int count = 1 + (int)rng_below(&rng, OPTION_COUNT_MAX - 1);

        for (int i = 0; i < count; i++) {
            double cost = (double)(1 + rng_below(&rng, 1000));
            double top = 40 * sqrt(cost) * (1 + (double)rng_below(&rng, 3));

            add_option(&decision, (int64_t)cost, floor(top * rng_uniform(&rng)), cost);
        }
        seen = noted(&decision);
        if (seen.option_count > option_count_max)
            option_count_max = seen.option_count;
        assert_true(seen.option_count < TRAFFIC_OPTION_COUNT);
        for (int i = 1; i < seen.option_count; i++)
            assert_true(seen.options[i].cost > seen.options[i - 1].cost);
        for (double price = 0; price < 200; price = price * 1.3 + 0.01) {
            double best = 0;

            for (int i = 1; i < decision.menu.count; i++)
                best = fmax(best, net_value(decision.menu.options[i].effect,
                                            decision.menu.options[i].cost, price));
            assert_true(fabs(best - best_net(&seen, price)) <= 1e-3 * (1 + best));
        }
    }
    assert_true(option_count_max > 3);
}

static void of_too_many_good_options_the_ends_stay(void **state)
{
    struct decision decision = new_decision(NOW);
    struct traffic_case seen;

    (void)state;
    for (int i = 1; i < OPTION_COUNT_MAX; i++)
        add_option(&decision, i * 10, 1000 * sqrt(i), i * 10);
    seen = noted(&decision);
    assert_int_equal(seen.option_count, TRAFFIC_OPTION_COUNT);
    assert_int_equal(seen.options[0].amount, 10);
    assert_int_equal(seen.options[TRAFFIC_OPTION_COUNT - 1].amount,
                     (OPTION_COUNT_MAX - 1) * 10);
}

static void the_ring_keeps_the_newest_cases_oldest_first(void **state)
{
    struct traffic_case *cases = calloc(TRAFFIC_CASE_COUNT, sizeof *cases);
    struct traffic *traffic = open_traffic();
    const int added_count = TRAFFIC_CASE_COUNT * 2 + 777;

    (void)state;
    assert_int_equal(traffic_copy(traffic, cases), 0);
    for (int i = 0; i < added_count; i++) {
        struct decision decision = new_decision(i);
        traffic_add(traffic, &decision);
    }
    assert_int_equal(traffic_copy(traffic, cases), TRAFFIC_CASE_COUNT);
    for (int i = 0; i < TRAFFIC_CASE_COUNT; i++)
        assert_int_equal(cases[i].at_us, added_count - TRAFFIC_CASE_COUNT + i);
    traffic_close(traffic);
    free(cases);
}

/* --- threads ------------------------------------------------------------------------------------- */

static void *add_many(void *context)
{
    for (int i = 0; i < 50000; i++) {
        struct decision decision = new_decision(i);
        traffic_add(context, &decision);
    }
    return NULL;
}

static void copies_taken_while_cases_come_are_in_order(void **state)
{
    struct traffic_case *cases = calloc(TRAFFIC_CASE_COUNT, sizeof *cases);
    struct traffic *traffic = open_traffic();
    pthread_t thread;
    int count = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, add_many, traffic), 0);
    while (count == 0 || cases[count - 1].at_us < 49999) {
        count = traffic_copy(traffic, cases);
        assert_true(count <= TRAFFIC_CASE_COUNT);
        for (int i = 1; i < count; i++)
            assert_true(cases[i].at_us > cases[i - 1].at_us);
    }
    pthread_join(thread, NULL);
    traffic_close(traffic);
    free(cases);
}

static double seconds_waited(struct traffic *traffic, int count, int64_t wait_us)
{
    int64_t start_us = clock_monotonic_us(&system_clock);

    traffic_wait(traffic, count, wait_us);
    return (double)(clock_monotonic_us(&system_clock) - start_us) / SECOND_US;
}

static void *wake_soon(void *context)
{
    usleep(50000);
    traffic_wake(context);
    return NULL;
}

static void *add_soon(void *context)
{
    struct decision decision = new_decision(NOW);

    usleep(50000);
    for (int i = 0; i < 3; i++)
        traffic_add(context, &decision);
    return NULL;
}

static void waiting_ends_with_time_cases_or_a_call(void **state)
{
    static struct traffic_case cases[TRAFFIC_CASE_COUNT];
    struct traffic *traffic = open_traffic();
    struct decision decision = new_decision(NOW);
    pthread_t thread;

    (void)state;
    assert_true(seconds_waited(traffic, 3, 30000) >= 0.03);
    pthread_create(&thread, NULL, add_soon, traffic);
    assert_true(seconds_waited(traffic, 3, 20 * SECOND_US) < 10);
    pthread_join(thread, NULL);
    /* Already there. */
    assert_true(seconds_waited(traffic, 3, 20 * SECOND_US) < 10);
    assert_int_equal(traffic_copy(traffic, cases), 3);
    /* Copied ones count no more. */
    traffic_add(traffic, &decision);
    assert_true(seconds_waited(traffic, 2, 30000) >= 0.03);
    pthread_create(&thread, NULL, wake_soon, traffic);
    assert_true(seconds_waited(traffic, 100, 20 * SECOND_US) < 10);
    pthread_join(thread, NULL);
    /* A call before the wait is not lost. */
    traffic_wake(traffic);
    assert_true(seconds_waited(traffic, 100, 20 * SECOND_US) < 10);
    traffic_close(traffic);
}

/* --- prices -------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *id)
{
    return text_hash(text_of(id));
}

/* count cases that want one option of cost and amount 100 each; effects 200, 202, 204, ... Case i came
 * at NOW - (count - i) seconds. */
static void make_cases(struct traffic_case *cases, int count, const char *budget)
{
    for (int i = 0; i < count; i++)
        cases[i] = (struct traffic_case){.at_us = NOW - (count - i) * SECOND_US,
                                         .option_count = 1,
                                         .options[0] = {200 + 2.0f * (float)i, 100, 100},
                                         .budget_count = 1,
                                         .budgets[0] = hash_of(budget)};
}

static double price_of(const struct traffic_case *cases, int case_count,
                       const struct budget *budget, double price)
{
    assert_int_equal(traffic_prices(cases, case_count, budget, 1, NOW, &price, NULL),
                     STATUS_OK);
    return price;
}

/* How many of the made cases are worth their cost at a price. */
static int taken_at(int count, double price)
{
    int taken = 0;

    for (int i = 0; i < count; i++)
        taken += net_value(200 + 2.0 * i, 100, price) > 1e-6;
    return taken;
}

static void a_price_lets_the_sample_take_its_share(void **state)
{
    /* 100 cases that want 100 each. */
    static const struct {
        const char *name;
        int64_t limit, held, spent, expected_cases, case_count, ends_after_s;
        int taken;
    } rows[] = {
        {"half of what 200 more would want", 20000, 0, 0, 300, 100, -1, 100},
        {"a quarter", 5000, 0, 0, 300, 100, -1, 25},
        {"held and spent are gone", 20000, 5000, 10000, 300, 100, -1, 25},
        {"the end of the forecast: 8 to come", 300, 0, 0, 100, 100, -1, 37},
        {"beyond the forecast", 300, 0, 0, 100, 500, -1, 37},
        {"nothing left", 1000, 500, 500, 300, 0, -1, 0},
        {"overdrawn", 1000, 1000, 500, 300, 0, -1, 0},
        /* One case a second. */
        {"400 s to go, so 400 to come", 20000, 0, 0, 0, 0, 400, 50},
        {"100 s to go", 4000, 0, 0, 0, 0, 100, 40},
        {"plenty", 1000000, 0, 0, 0, 0, 400, 100},
        {"the forecast goes before the clock", 5000, 0, 0, 300, 100, 100000, 25},
    };
    static struct traffic_case cases[100];

    (void)state;
    make_cases(cases, 100, "bud_a");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct budget budget = budget_of("bud_a", rows[i].limit, rows[i].expected_cases);
        double price;

        budget.held = rows[i].held;
        budget.spent = rows[i].spent;
        budget.case_count = rows[i].case_count;
        if (rows[i].ends_after_s >= 0)
            budget.period_ends_at_us = NOW + rows[i].ends_after_s * SECOND_US;
        price = price_of(cases, 100, &budget, 0.3);
        if (taken_at(100, price) != rows[i].taken)
            fail_msg("%s: price %g takes %d", rows[i].name, price, taken_at(100, price));
        if (rows[i].taken == 100)
            assert_true(price == 0);
    }
}

static void what_is_owed_by_right_is_taken_off_first(void **state)
{
    static struct traffic_case cases[100];
    struct budget budget = budget_of("bud_a", 10000, 300);

    (void)state;
    budget.case_count = 100;
    make_cases(cases, 100, "bud_a");
    /* A share of 5,000; 3,000 of it goes to ten cases that are owed 300 each. */
    for (int i = 0; i < 10; i++)
        cases[i * 10].entitled = 300;
    assert_int_equal(taken_at(100, price_of(cases, 100, &budget, 0)), 20);
}

static void unpaced_budgets_and_those_without_end_cost_nothing(void **state)
{
    static struct traffic_case cases[100];
    struct budget budget = budget_of("bud_a", 100, 0);

    (void)state;
    make_cases(cases, 100, "bud_a");
    assert_true(price_of(cases, 100, &budget, 0.5) == 0);
    budget.expected_cases = 1000;
    assert_true(price_of(cases, 100, &budget, 0.5) > 1);
    budget.pacing = PACING_NONE;
    assert_true(price_of(cases, 100, &budget, 0.5) == 0);
}

static void a_thin_sample_leaves_the_price_as_it_is(void **state)
{
    static struct traffic_case cases[TRAFFIC_CASE_COUNT_MIN];
    struct budget budget = budget_of("bud_a", 100, 1000);

    (void)state;
    make_cases(cases, TRAFFIC_CASE_COUNT_MIN, "bud_a");
    assert_true(price_of(cases, TRAFFIC_CASE_COUNT_MIN - 1, &budget, 0.5) == 0.5);
    assert_true(price_of(cases, TRAFFIC_CASE_COUNT_MIN, &budget, 0.5) > 1);
    assert_true(price_of(cases, 0, &budget, 0.5) == 0.5);
    /* The cases of other budgets do not count. */
    make_cases(cases, TRAFFIC_CASE_COUNT_MIN, "bud_b");
    assert_true(price_of(cases, TRAFFIC_CASE_COUNT_MIN, &budget, 0.5) == 0.5);
}

static void budgets_are_priced_together(void **state)
{
    static struct traffic_case cases[100];
    struct budget budgets[3] = {budget_of("bud_wide", 5000, 100),
                                budget_of("bud_free", 1, 100),
                                budget_of("bud_thin", 5000, 100)};
    double prices[3] = {0, 7, 0.25};
    int taken = 0;

    (void)state;
    budgets[1].pacing = PACING_NONE;
    make_cases(cases, 100, "bud_wide");
    for (int i = 0; i < 100; i++) {
        cases[i].budgets[cases[i].budget_count++] = hash_of("bud_free");
        cases[i].budgets[cases[i].budget_count++] = hash_of("bud_gone");
        if (i % 5 == 0)
            cases[i].budgets[cases[i].budget_count++] = hash_of("bud_thin");
    }
    assert_int_equal(traffic_prices(cases, 100, budgets, 3, NOW, prices, NULL),
                     STATUS_OK);
    assert_true(prices[0] > 0);
    assert_true(prices[1] == 0);
    assert_true(prices[2] == 0.25);
    /* At both prices together half of the cases are taken. */
    for (int i = 0; i < 100; i++)
        taken +=
            net_value(200 + 2.0 * i, 100, prices[0] + (i % 5 == 0 ? 0.25 : 0)) > 1e-6;
    assert_int_equal(taken, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_policy_allowed_is_noted_whatever_the_budgets_said),
        cmocka_unit_test(options_that_no_price_makes_the_best_are_left_out),
        cmocka_unit_test(of_too_many_good_options_the_ends_stay),
        cmocka_unit_test(the_ring_keeps_the_newest_cases_oldest_first),
        cmocka_unit_test(copies_taken_while_cases_come_are_in_order),
        cmocka_unit_test(waiting_ends_with_time_cases_or_a_call),
        cmocka_unit_test(a_price_lets_the_sample_take_its_share),
        cmocka_unit_test(what_is_owed_by_right_is_taken_off_first),
        cmocka_unit_test(unpaced_budgets_and_those_without_end_cost_nothing),
        cmocka_unit_test(a_thin_sample_leaves_the_price_as_it_is),
        cmocka_unit_test(budgets_are_priced_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
