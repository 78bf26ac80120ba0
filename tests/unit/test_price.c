/* test_price.c - shadow prices against brute force, and what they earn on a stream whose
 * truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "optimize/choose.h"
#include "optimize/price.h"

enum { BUDGETS_MAX = 20, OPTIONS = 6, CHARGES_MAX = 8 };

/* A problem with room for what tests put into it. */
struct sample {
    struct price_option *options;
    int *option_starts, *budgets, *budget_starts;
    int case_count, charge_count;
    double limits[BUDGETS_MAX], prices[BUDGETS_MAX], spend[BUDGETS_MAX];
    struct price_problem problem;
};

static struct sample *sample_make(int case_count_max, int budget_count)
{
    struct sample *sample = calloc(1, sizeof *sample);
    size_t count = (size_t)case_count_max;

    assert_non_null(sample);
    sample->options = calloc(count * OPTIONS, sizeof *sample->options);
    sample->option_starts = calloc(count + 1, sizeof(int));
    sample->budgets = calloc(count * CHARGES_MAX + 1, sizeof(int));
    sample->budget_starts = calloc(count + 1, sizeof(int));
    assert_non_null(sample->options);
    assert_non_null(sample->option_starts);
    assert_non_null(sample->budgets);
    assert_non_null(sample->budget_starts);
    sample->problem = (struct price_problem){
        sample->options, sample->option_starts, sample->budgets, sample->budget_starts, 0,
        sample->limits,  budget_count,
    };
    return sample;
}

static void sample_free(struct sample *sample)
{
    free(sample->options);
    free(sample->option_starts);
    free(sample->budgets);
    free(sample->budget_starts);
    free(sample);
}

/* Add a case of some options that is charged to the given budgets. */
static void sample_add(struct sample *sample, const struct price_option *options,
                       int option_count, const int *budgets, int budget_count)
{
    int at = sample->problem.case_count++;
    int start = sample->option_starts[at], charge = sample->budget_starts[at];

    for (int i = 0; i < option_count; i++)
        sample->options[start + i] = options[i];
    for (int i = 0; i < budget_count; i++)
        sample->budgets[charge + i] = budgets[i];
    sample->option_starts[at + 1] = start + option_count;
    sample->budget_starts[at + 1] = charge + budget_count;
}

static void solve(struct sample *sample)
{
    struct err err;

    err_clear(&err);
    assert_int_equal(price_solve(&sample->problem, sample->prices, &err), STATUS_OK);
    price_spend(&sample->problem, sample->prices, sample->spend);
}

static double limit_of(const struct sample *sample, int budget)
{
    return sample->limits[budget] > 0 ? sample->limits[budget] : 0;
}

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Refund-like: effects that level off, costs a share of the amount. Only when costs are the
 * amounts themselves is the dual a bound of what the limits allow. */
static void options_random(struct rng *rng, struct price_option *options, int count,
                           double share)
{
    double worth = 100 + 4000 * rng_uniform(rng) * exp(rng_normal(rng));

    for (int i = 0; i < count; i++) {
        int64_t amount = 250 * (int64_t)(i + 1 + rng_below(rng, 2));

        options[i] = (struct price_option){
            .effect = worth * (1 - exp(-(double)amount / 1200)) + 60 * rng_normal(rng),
            .cost = share * (double)amount,
            .amount = amount,
        };
    }
}

static void add_random_case(struct sample *sample, struct rng *rng, int option_count)
{
    struct price_option options[OPTIONS];
    int budgets[CHARGES_MAX], budget_count = 0;

    options_random(rng, options, option_count, 0.6 + 0.4 * rng_uniform(rng));
    for (int b = 0; b < sample->problem.budget_count && budget_count < CHARGES_MAX; b++)
        if (rng_below(rng, 2) == 0)
            budgets[budget_count++] = b;
    /* In any order. */
    if (budget_count > 1 && rng_below(rng, 2) == 0) {
        int first = budgets[0];

        budgets[0] = budgets[budget_count - 1];
        budgets[budget_count - 1] = first;
    }
    sample_add(sample, options, option_count, budgets, budget_count);
}

static double price_of(const struct sample *sample, int index, const double *prices)
{
    double price = 0;

    for (int j = sample->budget_starts[index]; j < sample->budget_starts[index + 1]; j++)
        price += prices[sample->budgets[j]];
    return price;
}

/* Every price of one budget at which some case could change its mind, others as they are. */
static bool some_lower_price_fits(struct sample *sample, int budget)
{
    double old = sample->prices[budget], spend[BUDGETS_MAX];
    bool fits = false;

    for (int i = 0; i < sample->problem.case_count && !fits; i++) {
        int start = sample->option_starts[i], end = sample->option_starts[i + 1];
        double rest = price_of(sample, i, sample->prices) - old;

        for (int a = start - 1; a < end && !fits; a++) {
            for (int b = start; b < end && !fits; b++) {
                struct price_option from =
                    a < start ? (struct price_option){0} : sample->options[a];
                struct price_option to = sample->options[b];
                double price = (to.effect - to.cost - from.effect + from.cost) /
                                   (to.cost - from.cost) -
                               rest;

                if (!(price >= 0 && price < old * (1 - 1e-7) - 1e-7))
                    continue;
                sample->prices[budget] = price + 1e-9;
                price_spend(&sample->problem, sample->prices, spend);
                fits = spend[budget] <= limit_of(sample, budget);
            }
        }
    }
    sample->prices[budget] = 0;
    price_spend(&sample->problem, sample->prices, spend);
    fits = fits || (old > 1e-7 && spend[budget] <= limit_of(sample, budget));
    sample->prices[budget] = old;
    return fits;
}

static void prices_keep_limits_and_none_could_be_lower(void **state)
{
    uint64_t seed = seed_of_run();

    (void)state;
    for (int round = 0; round < 300; round++) {
        int budget_count = 1 + round % 5, case_count = 1 + round % 37;
        struct sample *sample = sample_make(case_count, budget_count);
        struct rng rng;

        rng_seed(&rng, seed + (uint64_t)round);
        for (int i = 0; i < case_count; i++)
            add_random_case(sample, &rng, 1 + (int)rng_below(&rng, OPTIONS));
        price_spend(&sample->problem, sample->prices, sample->spend);
        for (int b = 0; b < budget_count; b++) {
            sample->limits[b] = floor(sample->spend[b] * rng_uniform(&rng) * 1.2);
            sample->prices[b] = round % 3 == 0 ? 0 : 5 * rng_uniform(&rng);
        }
        solve(sample);
        for (int b = 0; b < budget_count; b++) {
            if (sample->spend[b] > limit_of(sample, b))
                fail_msg("round %d: budget %d: %g over %g", round, b, sample->spend[b],
                         sample->limits[b]);
            if (some_lower_price_fits(sample, b))
                fail_msg("round %d: budget %d: %.17g could be lower", round, b,
                         sample->prices[b]);
        }
        sample_free(sample);
    }
}

/* The best value of all combinations of options that keep the limits, amounts = costs. */
static double best_of_all(const struct sample *sample, int index, double *left)
{
    double best = 0;
    int start, end;

    if (index == sample->problem.case_count)
        return 0;
    start = sample->option_starts[index];
    end = sample->option_starts[index + 1];
    for (int i = start - 1; i < end; i++) {
        struct price_option option =
            i < start ? (struct price_option){0} : sample->options[i];
        bool fits = true;
        double value;

        for (int j = sample->budget_starts[index]; j < sample->budget_starts[index + 1];
             j++)
            fits = fits && option.cost <= left[sample->budgets[j]];
        if (!fits)
            continue;
        for (int j = sample->budget_starts[index]; j < sample->budget_starts[index + 1];
             j++)
            left[sample->budgets[j]] -= option.cost;
        value = option.effect - option.cost + best_of_all(sample, index + 1, left);
        for (int j = sample->budget_starts[index]; j < sample->budget_starts[index + 1];
             j++)
            left[sample->budgets[j]] += option.cost;
        best = value > best ? value : best;
    }
    return best;
}

/* The value of the greedy choice at the prices, and the bound that any prices give. */
static void value_and_bound(const struct sample *sample, double *value, double *bound)
{
    *value = *bound = 0;
    for (int b = 0; b < sample->problem.budget_count; b++)
        *bound += sample->prices[b] * sample->limits[b];
    for (int i = 0; i < sample->problem.case_count; i++) {
        double price = price_of(sample, i, sample->prices);
        double net_values[OPTIONS + 1] = {0};
        int64_t amounts[OPTIONS + 1] = {0};
        bool allowed[OPTIONS + 1] = {true};
        int start = sample->option_starts[i],
            count = sample->option_starts[i + 1] - start;
        int best;

        for (int k = 0; k < count; k++) {
            const struct price_option *option = &sample->options[start + k];

            net_values[k + 1] = net_value(option->effect, option->cost, price);
            amounts[k + 1] = option->amount;
            allowed[k + 1] = true;
        }
        best = choose_greedy(net_values, amounts, allowed, count + 1);
        if (best > 0)
            *value += sample->options[start + best - 1].effect -
                      sample->options[start + best - 1].cost;
        *bound += net_values[best];
    }
}

static void the_best_of_all_lies_between_greedy_and_the_dual_bound(void **state)
{
    uint64_t seed = seed_of_run();

    (void)state;
    for (int round = 0; round < 100; round++) {
        struct sample *sample = sample_make(7, 3);
        double best, value, bound, left[BUDGETS_MAX];
        struct rng rng;

        rng_seed(&rng, seed + (uint64_t)round);
        for (int i = 0; i < 7; i++)
            add_random_case(sample, &rng, 3);
        for (int i = 0; i < sample->option_starts[7]; i++)
            sample->options[i].cost = (double)sample->options[i].amount;
        price_spend(&sample->problem, sample->prices, sample->spend);
        for (int b = 0; b < 3; b++)
            left[b] = sample->limits[b] = floor(sample->spend[b] * rng_uniform(&rng));
        solve(sample);
        best = best_of_all(sample, 0, left);
        value_and_bound(sample, &value, &bound);
        if (value > best + 1e-6 || best > bound + 1e-3)
            fail_msg("round %d: greedy %.9g, best %.9g, bound %.9g", round, value, best,
                     bound);
        sample_free(sample);
    }
}

static void a_plain_budget_is_priced_at_the_step_that_does_not_fit(void **state)
{
    /* Worth per cost, above the cost itself: 4, 2, 1. */
    static const struct price_option first = {500, 100, 100}, second = {300, 100, 100},
                                     third = {200, 100, 100};
    static const int budgets[] = {0};
    static const struct {
        double limit, price;
        int64_t spend;
    } rows[] = {
        {300, 0, 300}, {1e15, 0, 300}, {299, 1, 200}, {200, 1, 200}, {199, 2, 100},
        {100, 2, 100}, {99, 4, 0},     {0, 4, 0},     {-5, 4, 0},    {INFINITY, 0, 300},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample *sample = sample_make(3, 1);

        sample_add(sample, &third, 1, budgets, 1);
        sample_add(sample, &first, 1, budgets, 1);
        sample_add(sample, &second, 1, budgets, 1);
        sample->limits[0] = rows[i].limit;
        solve(sample);
        if (fabs(sample->prices[0] - rows[i].price) > 1e-9 ||
            sample->spend[0] != (double)rows[i].spend)
            fail_msg("row %zu: price %.12g, spend %g", i, sample->prices[0],
                     sample->spend[0]);
        sample_free(sample);
    }
}

static void ties_in_mass_stay_within_the_limit(void **state)
{
    static const struct price_option same = {2000, 500, 500};
    static const int budgets[] = {0};
    struct sample *sample = sample_make(5000, 1);

    (void)state;
    for (int i = 0; i < 5000; i++)
        sample_add(sample, &same, 1, budgets, 1);
    sample->limits[0] = 5000 * 500 - 1;
    solve(sample);
    assert_true(fabs(sample->prices[0] - 3) < 1e-9);
    assert_true(sample->spend[0] == 0);
    sample->limits[0] = 5000 * 500;
    solve(sample);
    assert_true(sample->prices[0] == 0);
    assert_true(sample->spend[0] == 5000 * 500);
    sample_free(sample);
}

static void odd_problems_have_an_answer(void **state)
{
    static const struct price_option free_of_cost = {100, 0, 100}, dear = {9e15, 1, 1},
                                     unknown = {NAN, 100, 100}, useless = {50, 100, 100};
    static const int both[] = {1, 0};
    struct sample *sample = sample_make(8, 3);

    (void)state;
    /* No cases, and a budget without cases: nothing to price. */
    sample->prices[0] = 7;
    sample->prices[1] = NAN;
    sample->prices[2] = INFINITY;
    solve(sample);
    for (int b = 0; b < 3; b++)
        assert_true(sample->prices[b] == 0);

    sample_add(sample, &useless, 1, both, 2);
    sample_add(sample, &unknown, 1, both, 2);
    sample_add(sample, &useless, 0, both, 2);
    sample_add(sample, &dear, 1, both, 0);
    solve(sample);
    for (int b = 0; b < 3; b++)
        assert_true(sample->prices[b] == 0 && sample->spend[b] == 0);

    /* Worth more than any price: the price ends at its bound. */
    sample_add(sample, &dear, 1, both, 1);
    solve(sample);
    assert_true(sample->prices[1] == PRICE_MAX);

    /* No price stops what costs nothing. */
    sample_add(sample, &free_of_cost, 1, both, 2);
    solve(sample);
    assert_true(sample->prices[0] == PRICE_MAX);
    assert_true(sample->spend[0] == 100);
    assert_true(sample->prices[2] == 0);
    sample_free(sample);
}

static void nested_and_equal_budgets_are_priced_once(void **state)
{
    static const int inner[] = {0, 1}, outer[] = {0};
    struct sample *sample = sample_make(400, 2);
    struct rng rng;

    (void)state;
    rng_seed(&rng, 11);
    for (int i = 0; i < 400; i++) {
        struct price_option options[OPTIONS];

        options_random(&rng, options, OPTIONS, 1);
        sample_add(sample, options, OPTIONS, i % 2 ? inner : outer, i % 2 ? 2 : 1);
    }
    price_spend(&sample->problem, sample->prices, sample->spend);
    /* A child with more than its parent never binds. */
    sample->limits[0] = sample->spend[0] / 3;
    sample->limits[1] = 2 * sample->spend[0];
    solve(sample);
    assert_true(sample->prices[0] > 0);
    assert_true(sample->prices[1] == 0);
    assert_true(sample->spend[0] <= sample->limits[0]);
    assert_true(sample->spend[0] > 0.97 * sample->limits[0]);
    /* A child with nothing takes nothing, and leaves the parent to the others. */
    sample->limits[1] = 0;
    solve(sample);
    assert_true(sample->spend[1] == 0);
    assert_true(sample->spend[0] > 0.9 * sample->limits[0]);
    sample_free(sample);
}

/* As refunds are budgeted: one for all, one per market, one per issue, some for both. */
static struct sample *overlapping_sample(int case_count, struct rng *rng)
{
    struct sample *sample = sample_make(case_count, BUDGETS_MAX);

    for (int i = 0; i < case_count; i++) {
        int market = (int)rng_below(rng, 6), issue = (int)rng_below(rng, 6);
        int budgets[4] = {0, 1 + market, 7 + issue, 13 + market};
        struct price_option options[OPTIONS];

        options_random(rng, options, OPTIONS, 1);
        sample_add(sample, options, OPTIONS, budgets, (market + issue) % 2 ? 3 : 4);
    }
    price_spend(&sample->problem, sample->prices, sample->spend);
    for (int b = 0; b < BUDGETS_MAX; b++)
        sample->limits[b] = floor(sample->spend[b] * (0.3 + 0.6 * rng_uniform(rng)));
    return sample;
}

static void twenty_overlapping_budgets_come_close_to_the_bound(void **state)
{
    struct sample *sample;
    struct timespec start, end;
    double value, bound, ms;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    sample = overlapping_sample(4096, &rng);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    solve(sample);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    ms = (double)(end.tv_sec - start.tv_sec) * 1e3 +
         (double)(end.tv_nsec - start.tv_nsec) / 1e6;
    for (int b = 0; b < BUDGETS_MAX; b++)
        assert_true(sample->spend[b] <= sample->limits[b]);
    value_and_bound(sample, &value, &bound);
    printf("20 overlapping budgets, 4096 cases: value %.5f of the dual bound, %.2f ms\n",
           value / bound, ms);
    assert_true(value >= 0.985 * bound);
    sample_free(sample);
}

/* A stream of cases against one scarce budget. */
struct stream_result {
    double value, spent;
};

enum { STREAM_CASES = 8192, STREAM_RECENT = 1024, STREAM_RESOLVE = 256 };

/* Choose as the cases come; with prices, re-solved from what remains on the recent cases. */
static struct stream_result stream_run(const struct sample *all, double limit,
                                       bool is_priced)
{
    static const int budgets[] = {0};
    struct stream_result result = {0};
    double price = 0;

    for (int i = 0; i < all->problem.case_count; i++) {
        const struct price_option *options = all->options + all->option_starts[i];
        int best = -1;

        if (is_priced && i >= STREAM_RESOLVE / 4 &&
            (i == STREAM_RESOLVE / 4 || i % STREAM_RESOLVE == 0)) {
            int first = i > STREAM_RECENT ? i - STREAM_RECENT : 0;
            struct sample *recent = sample_make(i - first, 1);

            for (int j = first; j < i; j++)
                sample_add(recent, all->options + all->option_starts[j], OPTIONS, budgets,
                           1);
            recent->limits[0] = price_sample_limit(
                limit - result.spent, 2, (all->problem.case_count - i) / 2.0, i - first);
            recent->prices[0] = price;
            solve(recent);
            price = recent->prices[0];
            sample_free(recent);
        }
        for (int k = 0; k < OPTIONS; k++) {
            double value = net_value(options[k].effect, options[k].cost, price);

            if (value > 0 && (double)options[k].amount <= limit - result.spent &&
                (best < 0 ||
                 value > net_value(options[best].effect, options[best].cost, price)))
                best = k;
        }
        if (best >= 0) {
            result.value += options[best].effect - options[best].cost;
            result.spent += (double)options[best].amount;
        }
    }
    return result;
}

static void prices_earn_on_a_stream_almost_what_hindsight_could(void **state)
{
    static const int budgets[] = {0};
    uint64_t seed = seed_of_run();

    (void)state;
    for (uint64_t round = 0; round < 3; round++) {
        struct sample *all = sample_make(STREAM_CASES, 1);
        struct stream_result priced, unpriced;
        double value, bound, limit;
        struct rng rng;

        rng_seed(&rng, seed + round);
        for (int i = 0; i < STREAM_CASES; i++) {
            struct price_option options[OPTIONS];

            options_random(&rng, options, OPTIONS, 1);
            sample_add(all, options, OPTIONS, budgets, 1);
        }
        price_spend(&all->problem, all->prices, all->spend);
        limit = all->limits[0] = floor(0.15 * all->spend[0]);
        solve(all);
        value_and_bound(all, &value, &bound);
        priced = stream_run(all, limit, true);
        unpriced = stream_run(all, limit, false);
        printf("stream: hindsight %.4f, priced %.4f, first come %.4f of the bound\n",
               value / bound, priced.value / bound, unpriced.value / bound);
        assert_true(priced.spent <= limit);
        assert_true(unpriced.spent <= limit);
        assert_true(priced.value >= 0.9 * bound);
        assert_true(priced.value >= 1.5 * unpriced.value);
        sample_free(all);
    }
}

static void sample_limit_is_the_share_of_what_remains(void **state)
{
    static const struct {
        double remaining, rate, seconds, cases, limit;
    } rows[] = {
        {1000, 2, 100, 50, 250}, {1000, 2, 100, 400, 2000}, {1000, 2, 0, 50, 1000},
        {1000, 2, -7, 50, 1000}, {0, 2, 100, 50, 0},        {-5, 2, 100, 50, 0},
        {-5, 2, 0, 50, 0},       {1000, 0, 100, 50, 50000}, {1000, 0.001, 10, 1, 1000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(price_sample_limit(rows[i].remaining, rows[i].rate, rows[i].seconds,
                                       rows[i].cases) == rows[i].limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_budget_is_priced_at_the_step_that_does_not_fit),
        cmocka_unit_test(prices_keep_limits_and_none_could_be_lower),
        cmocka_unit_test(the_best_of_all_lies_between_greedy_and_the_dual_bound),
        cmocka_unit_test(ties_in_mass_stay_within_the_limit),
        cmocka_unit_test(odd_problems_have_an_answer),
        cmocka_unit_test(nested_and_equal_budgets_are_priced_once),
        cmocka_unit_test(twenty_overlapping_budgets_come_close_to_the_bound),
        cmocka_unit_test(prices_earn_on_a_stream_almost_what_hindsight_could),
        cmocka_unit_test(sample_limit_is_the_share_of_what_remains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
