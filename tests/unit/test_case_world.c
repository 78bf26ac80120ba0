/* test_case_world.c - the made world is the one that docs/generate.md describes: its
 * moments, its formulas, its chances, and that what it calls the truth is the mean of
 * what can happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/portable.h"
#include "learn/case_world.h"
#include "learn/distribution.h"
#include "learn/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CASE_COUNT = 100000, DRAW_COUNT = 200000, FUTURE_COUNT = 40000 };

/* All is well, and a mean is further off once in 500 million times: of some 30 means and
 * 100 chi-squares, less than once in ten million runs is there any. */
static const double z_max = 6, p_min = 1e-9;

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

struct moments {
    double sum, squares;
    int64_t count;
};

static void add(struct moments *moments, double x)
{
    if (isnan(x))
        return;
    moments->sum += x;
    moments->squares += x * x;
    moments->count++;
}

static double mean_of(const struct moments *moments)
{
    return moments->sum / (double)moments->count;
}

static double variance_of(const struct moments *moments)
{
    double mean = mean_of(moments);

    return moments->squares / (double)moments->count - mean * mean;
}

static void expect_mean(const char *what, const struct moments *moments, double mean)
{
    double error = sqrt(variance_of(moments) / (double)moments->count);
    double z = (mean_of(moments) - mean) / error;

    if (!(fabs(z) < z_max))
        fail_msg("%s: mean %.6g of %lld, not %.6g: z = %.1f", what, mean_of(moments),
                 (long long)moments->count, mean, z);
}

/* --- arithmetic ----------------------------------------------------------------------------- */

static void exp_and_log_are_right_to_the_last_digits(void **)
{
    for (int i = 0; i < 1000000; i++) {
        double x = -700 + 1400.0 * i / 1000000, power = exp(x);

        assert_true(fabs(portable_exp(x) / power - 1) <= 1e-15);
        assert_true(fabs(portable_log(power) - x) <= 1e-15 * fmax(1, fabs(x)));
    }
    assert_true(portable_exp(0) == 1 && portable_log(1) == 0);
    assert_true(portable_exp(1e6) == portable_exp(700));
    assert_true(portable_exp(-1e6) == portable_exp(-700));
}

/* The very bits, so that a compiler or machine that makes others is noticed. */
static void exp_and_log_have_the_same_bits_everywhere(void **)
{
    uint64_t hash = 0;

    for (int i = 1; i <= 100000; i++) {
        double exponential = portable_exp(0.001 * i - 50),
               logarithm = portable_log(i / 7.0);
        uint64_t bits[2];

        memcpy(&bits[0], &exponential, sizeof bits[0]);
        memcpy(&bits[1], &logarithm, sizeof bits[1]);
        hash = (hash ^ bits[0]) * UINT64_C(0x100000001b3);
        hash = (hash ^ bits[1]) * UINT64_C(0x100000001b3);
    }
    assert_true(hash == UINT64_C(0x5ba2fddaf8767b3c));
}

/* --- draws ---------------------------------------------------------------------------------- */

enum kind { EXPONENTIAL, NORMAL, GAMMA, BETA, POISSON };

static double draw_of(struct rng *rng, enum kind kind, double a, double b)
{
    switch (kind) {
    case EXPONENTIAL:
        return draw_exponential(rng, a);
    case NORMAL:
        return draw_normal(rng);
    case GAMMA:
        return draw_gamma(rng, a);
    case BETA:
        return draw_beta(rng, a, b);
    case POISSON:
        return draw_poisson(rng, a);
    }
    return NAN;
}

static void draws_have_the_mean_and_variance_of_their_distribution(void **)
{
    static const struct {
        const char *name;
        enum kind kind;
        double a, b, mean, variance;
    } rows[] = {
        {"exponential", EXPONENTIAL, 30, 0, 30, 900},
        {"normal", NORMAL, 0, 0, 0, 1},
        {"gamma 1.1", GAMMA, 1.1, 0, 1.1, 1.1},
        {"gamma 1.6", GAMMA, 1.6, 0, 1.6, 1.6},
        {"beta", BETA, 1.6, 4, 2.0 / 7, 1.6 * 4 / (5.6 * 5.6 * 6.6)},
        {"poisson 0", POISSON, 0, 0, 0, 0},
        {"poisson 0.7", POISSON, 0.7, 0, 0.7, 0.7},
        {"poisson 60", POISSON, 60, 0, 60, 60},
    };
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct moments values = {0}, squares = {0};

        for (int n = 0; n < DRAW_COUNT; n++) {
            double x = draw_of(&rng, rows[i].kind, rows[i].a, rows[i].b);

            add(&values, x);
            add(&squares, (x - rows[i].mean) * (x - rows[i].mean));
        }
        if (rows[i].variance == 0) {
            assert_true(values.sum == 0);
            continue;
        }
        expect_mean(rows[i].name, &values, rows[i].mean);
        expect_mean(rows[i].name, &squares, rows[i].variance);
    }
}

/* --- cases ---------------------------------------------------------------------------------- */

static struct case_world world_of_run(int64_t case_count)
{
    struct case_world world;

    /* Seeds of the command line are numbers that people write. */
    case_world_init(&world, seed_of_run() % 1000000, case_count);
    return world;
}

/* Customers have several cases: what is theirs is asked of worlds where each has about
 * one. */
static struct case_world world_of_strangers(int64_t case_count)
{
    struct case_world world = world_of_run(case_count);

    world.customer_count = INT64_C(1000) * case_count;
    return world;
}

static double is_issue(const struct world_case *drawn, const char *name)
{
    int issue = (int)drawn->features[WORLD_ISSUE];

    return strcmp(world_features[WORLD_ISSUE].categories[issue], name) == 0;
}

static void cases_are_as_the_model_of_the_world_says(void **)
{
    enum {
        CLAIMER,
        TENURE,
        BASKET,
        DISCOUNT,
        LATE,
        MISSING,
        DAMAGED,
        WRONG,
        CONTACTS,
        ITEMS,
        CLAIMS_OF_CLAIMERS,
        CLAIMS_LESS_RATE,
        CREDITS_LESS_RATE,
        LOST_RATING,
        CALIFORNIA,
        COUNT
    };
    static const struct {
        const char *what;
        double mean;
    } expected[COUNT] = {
        [CLAIMER] = {"share of cases of those who claim all the time", 0.1},
        [TENURE] = {"share of cases of a tenure up to 500 days", 0.69533},
        [BASKET] = {"log of a mean order above 1200", 7.7},
        [DISCOUNT] = {"discount share", 1.6 / 5.6},
        [LATE] = {"late deliveries", 0.38},
        [MISSING] = {"missing items", 0.22},
        [DAMAGED] = {"damaged items", 0.14},
        [WRONG] = {"wrong items", 0.10},
        [CONTACTS] = {"contacts", 1.5},
        [ITEMS] = {"items missing, where some are", 1.7},
        [CLAIMS_OF_CLAIMERS] = {"claims of claimers", 4.5},
        [CLAIMS_LESS_RATE] = {"claims of others less their rate", 0},
        [CREDITS_LESS_RATE] = {"credits less their rate", 0},
        [LOST_RATING] = {"ratings that are missing", 0.25},
        [CALIFORNIA] = {"cases of California", 0.5},
    };
    struct case_world world = world_of_strangers(CASE_COUNT);
    struct moments found[COUNT] = {0};

    for (int i = 0; i < CASE_COUNT; i++) {
        struct world_case c;
        const double *f = c.features;

        case_world_draw(&world, i, &c);
        add(&found[CLAIMER], c.is_claimer);
        add(&found[TENURE], f[WORLD_TENURE_DAYS] <= 500);
        add(&found[BASKET], log(f[WORLD_AVG_ORDER_MINOR] - 1200));
        add(&found[DISCOUNT], f[WORLD_DISCOUNT_SHARE]);
        add(&found[LATE], is_issue(&c, "late_delivery"));
        add(&found[MISSING], is_issue(&c, "missing_item"));
        add(&found[DAMAGED], is_issue(&c, "damaged_item"));
        add(&found[WRONG], is_issue(&c, "wrong_item"));
        add(&found[CONTACTS], f[WORLD_CONTACTS]);
        add(&found[ITEMS], is_issue(&c, "missing_item") ? f[WORLD_ITEMS_MISSING] : NAN);
        add(&found[CLAIMS_OF_CLAIMERS], c.is_claimer ? f[WORLD_CLAIMS_90D] : NAN);
        add(&found[CLAIMS_LESS_RATE],
            c.is_claimer ? NAN : f[WORLD_CLAIMS_90D] - 0.15 - 0.04 * f[WORLD_ORDERS_90D]);
        add(&found[CREDITS_LESS_RATE],
            f[WORLD_CREDITS_90D_MINOR] - 550 * f[WORLD_CLAIMS_90D]);
        add(&found[LOST_RATING], isnan(c.seen[WORLD_LAST_RATING]));
        add(&found[CALIFORNIA], strcmp(c.market->name, "us-ca") == 0);
    }
    for (int i = 0; i < COUNT; i++)
        expect_mean(expected[i].what, &found[i], expected[i].mean);
}

/* docs/generate.md once more, with the functions of the C library. */
static double formula_of_effect(const struct world_case *c, double dose, double *baseline,
                                double *returns)
{
    static const double of_issue[] = {0, 0.5, 1.6, 1.2, 0.6};
    const double *f = c->features;
    int issue = (int)f[WORLD_ISSUE];
    bool is_broken = issue == 2 || issue == 3;
    double unit = c->market->unit;
    double severity = 0.9 * log1p(fmax(0, f[WORLD_MINUTES_LATE]) / 15) +
                      0.55 * f[WORLD_ITEMS_MISSING] + of_issue[issue] +
                      0.35 * (f[WORLD_CONTACTS] - 1);
    double loyalty = 0.9 * log1p(f[WORLD_TENURE_DAYS] / 120) + 0.7 * f[WORLD_IS_MEMBER] +
                     0.35 * (f[WORLD_LAST_RATING] - 4) +
                     0.08 * fmin(12, f[WORLD_APP_SESSIONS_7D]) -
                     0.25 * log1p(f[WORLD_DAYS_SINCE_ORDER] / 7);
    double leaving = 1 / (1 + exp(-1.1 * (severity - loyalty) - 0.2));
    double value = 0.24 * f[WORLD_ORDERS_90D] * f[WORLD_AVG_ORDER_MINOR];
    double reach = 6500 * unit *
                   tanh(0.55 * value * 4 * leaving * (1 - leaving) *
                        (1 - 0.5 * f[WORLD_DISCOUNT_SHARE]) / (6500 * unit));
    double half = (is_broken ? 0.34 : 0.13) * f[WORLD_AVG_ORDER_MINOR] +
                  120 * unit * f[WORLD_CONTACTS];
    double power = is_broken ? 2.6 : 1.4;
    double settled = pow(dose, power) / (pow(dose, power) + pow(half, power));
    double demanding = 1 / (1 + exp(-1.6 * (f[WORLD_CLAIMS_90D] - 3.2)));

    *baseline = value * (1 - 0.75 * leaving) + unit * (300 - 260 * f[WORLD_CLAIMS_90D]);
    *returns = (1 - leaving) * (1 + leaving * (1 - demanding) * settled);
    return reach * (1 - demanding) * settled -
           (0.95 * demanding + 0.12 * f[WORLD_DISCOUNT_SHARE]) * dose;
}

static void the_truth_follows_the_documented_formulas(void **)
{
    struct case_world world = world_of_run(2000);

    for (int i = 0; i < WORLD_MARKET_COUNT_MAX && world_markets[i].name; i++)
        world.markets[world.market_count = i] = &world_markets[i];
    world.market_count++;
    for (int i = 0; i < 2000; i++) {
        struct world_case c;
        double best = 0;

        case_world_draw(&world, i, &c);
        for (int arm = 0; arm < WORLD_ARM_COUNT; arm++) {
            double baseline, returns, dose = (double)world_credits[arm];
            double effect = formula_of_effect(&c, dose, &baseline, &returns);

            assert_true(fabs(c.effects[arm] - effect) < 1e-4);
            assert_true(fabs(c.returns[arm] - returns) < 1e-4);
            assert_true(fabs(c.baseline - baseline) < 1e-4);
            best = fmax(best, c.effects[arm] - 0.9 * dose);
        }
        assert_true(world_net_value(&c, c.best_arm) == best);
    }
}

static void a_case_is_the_same_whatever_was_drawn_before(void **)
{
    struct case_world world = world_of_run(1000);
    struct world_case first, again;

    case_world_draw(&world, 700, &first);
    for (int i = 999; i >= 700; i--)
        case_world_draw(&world, i, &again);
    /* Padding is zero: both were assigned as a whole. */
    assert_memory_equal(first.effects, again.effects, sizeof first.effects);
    assert_int_equal(first.customer, again.customer);
    assert_true(first.value_90d == again.value_90d && first.day == again.day);
}

/* --- what was given ------------------------------------------------------------------------- */

/* Rows with the same chances beside what was drawn for them. */
struct stratum {
    int chances[WORLD_ARM_COUNT];
    int64_t counts[WORLD_ARM_COUNT], row_count;
};

enum { STRATUM_COUNT_MAX = 16 };

static struct stratum *stratum_of(const struct world_case *drawn, struct stratum *strata)
{
    struct stratum *stratum = strata;

    while (stratum->row_count > 0 &&
           memcmp(stratum->chances, drawn->chances, sizeof drawn->chances) != 0)
        stratum++;
    assert_true(stratum < strata + STRATUM_COUNT_MAX);
    memcpy(stratum->chances, drawn->chances, sizeof drawn->chances);
    return stratum;
}

static double chi_square_of(const struct stratum *stratum, int *freedom)
{
    double sum = 0;
    int arm_count = 0;

    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++) {
        double expected = (double)stratum->row_count * stratum->chances[arm] / 1e6;

        if (expected == 0)
            assert_int_equal(stratum->counts[arm], 0);
        else
            sum += pow((double)stratum->counts[arm] - expected, 2) / expected,
                arm_count++;
    }
    *freedom = arm_count - 1;
    return sum;
}

static void expect_frequencies(const struct case_world *world)
{
    struct stratum strata[STRATUM_COUNT_MAX] = {0};

    for (int i = 0; i < CASE_COUNT; i++) {
        struct world_case drawn;
        struct stratum *stratum;
        int sum = 0;

        case_world_draw(world, i, &drawn);
        stratum = stratum_of(&drawn, strata);
        stratum->counts[drawn.arm]++;
        stratum->row_count++;
        for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
            sum += drawn.chances[arm];
        assert_int_equal(sum, WORLD_CHANCE_WHOLE);
    }
    for (int i = 0; i < STRATUM_COUNT_MAX && strata[i].row_count > 0; i++) {
        int freedom;
        double chi_square = chi_square_of(&strata[i], &freedom);

        if (freedom > 0 && chi_square_tail(chi_square, freedom) < p_min)
            fail_msg("rule %d: chi-square %.1f of %lld rows", world->rule, chi_square,
                     (long long)strata[i].row_count);
    }
}

static void recorded_chances_are_the_true_ones(void **)
{
    struct case_world world = world_of_strangers(CASE_COUNT);
    static const int percents[][2] = {{0, 0}, {7, 0}, {33, 13}};

    for (int rule = WORLD_CAREFUL; rule <= WORLD_UNIFORM; rule++)
        for (int i = 0; i < 3; i++) {
            world.rule = (enum world_rule)rule;
            world.explore_percent = percents[i][0];
            world.holdout_percent = percents[i][1];
            expect_frequencies(&world);
        }
}

static void frequent_claimers_are_given_less_by_the_careful_rule(void **)
{
    struct case_world world = world_of_run(1000);

    for (int i = 0; i < 1000; i++) {
        struct world_case drawn;
        bool is_frequent;

        case_world_draw(&world, i, &drawn);
        is_frequent = drawn.features[WORLD_CLAIMS_90D] >= 3;
        assert_int_equal(drawn.chances[0], is_frequent ? 400000 : 240000);
        assert_int_equal(drawn.chances[4], is_frequent ? 150000 : 190000);
    }
}

static void who_is_held_out_is_given_nothing_in_any_case(void **)
{
    struct case_world world = world_of_run(20000);
    struct moments held_out = {0};
    signed char states[100] = {0}; /* 0: no case yet, 1: held out, -1: not */

    world.customer_count = 100;
    world.holdout_percent = 30;
    for (int i = 0; i < 20000; i++) {
        struct world_case drawn;
        signed char *state, now;

        case_world_draw(&world, i, &drawn);
        state = &states[drawn.customer];
        now = drawn.is_held_out ? 1 : -1;
        assert_true(*state == 0 || *state == now);
        *state = now;
        assert_true(!drawn.is_held_out || (drawn.arm == 0 && drawn.cost == 0));
    }
    for (int customer = 0; customer < 100; customer++)
        add(&held_out, states[customer] == 1);
    expect_mean("customers held out", &held_out, 0.3);
}

/* --- what came of it ------------------------------------------------------------------------ */

static void the_truth_is_the_mean_of_what_can_happen(void **)
{
    struct case_world world = world_of_run(4);

    for (int i = 0; i < 4; i++) {
        struct world_case c;

        case_world_draw(&world, i, &c);
        for (int arm = 0; arm < WORLD_ARM_COUNT; arm++) {
            struct moments value = {0}, early = {0}, costs = {0}, returned = {0};
            double expected = c.baseline + c.effects[arm];

            for (int draw = 1; draw <= FUTURE_COUNT; draw++) {
                case_world_live(&world, &c, arm, (uint64_t)draw);
                add(&value, c.value_90d);
                add(&early, c.value_14d);
                add(&costs, (double)c.cost);
                add(&returned, !isnan(c.return_days));
            }
            expect_mean("value of 90 days", &value, expected);
            expect_mean("value of 14 days", &early, expected / 5);
            if (arm > 0)
                expect_mean("cost", &costs, 0.9 * (double)world_credits[arm]);
            assert_true(fabs(variance_of(&value) /
                                 (pow(500 + 0.22 * 0.24 * c.features[WORLD_ORDERS_90D] *
                                                c.features[WORLD_AVG_ORDER_MINOR],
                                      2) +
                                  490000 * (0.1 + 0.15 * c.features[WORLD_CLAIMS_90D])) -
                             1) < 0.08);
            /* Most who come back have done so by the time the log is read. */
            assert_true(mean_of(&returned) < c.returns[arm] + 0.02);
        }
    }
}

static void the_first_days_tell_all_that_a_credit_does(void **)
{
    struct case_world world = world_of_strangers(CASE_COUNT);
    struct moments later[WORLD_ARM_COUNT] = {0};

    world.rule = WORLD_UNIFORM;
    for (int i = 0; i < CASE_COUNT; i++) {
        struct world_case drawn;

        case_world_draw(&world, i, &drawn);
        add(&later[drawn.arm], drawn.value_90d - 5 * drawn.value_14d);
    }
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        expect_mean("what comes later, beyond the first days", &later[arm], 0);
}

static void customers_return_after_exponential_delays_of_their_arm(void **)
{
    static const double means[WORLD_ARM_COUNT] = {30, 24, 20, 18, 16};
    struct case_world world = world_of_strangers(CASE_COUNT);
    struct moments days[WORLD_ARM_COUNT] = {0}, chance[WORLD_ARM_COUNT] = {0};

    world.rule = WORLD_UNIFORM;
    world.as_of_day = 4000;
    for (int i = 0; i < CASE_COUNT; i++) {
        struct world_case drawn;

        case_world_draw(&world, i, &drawn);
        add(&days[drawn.arm], drawn.return_days + 0.005); /* cut at hundredths */
        add(&chance[drawn.arm], !isnan(drawn.return_days) - drawn.returns[drawn.arm]);
    }
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++) {
        expect_mean("days until the return", &days[arm], means[arm]);
        expect_mean("returns less their probability", &chance[arm], 0);
    }
}

static void nothing_is_known_before_its_time(void **)
{
    struct case_world world = world_of_run(20000);
    int counts[4] = {0};

    world.as_of_day = 180;
    for (int i = 0; i < 20000; i++) {
        struct world_case c;

        case_world_draw(&world, i, &c);
        assert_true(c.watched_days >= 0 && c.watched_days <= 180 - c.day);
        assert_true(isnan(c.value_14d) == (c.watched_days < 14));
        assert_true(isnan(c.value_90d) == (c.watched_days < 90));
        assert_true(isnan(c.return_days) || c.return_days <= c.watched_days);
        counts[0] += isnan(c.value_14d);
        counts[1] += isnan(c.value_90d);
    }
    assert_in_range(counts[0], 20000 * 14 / 180 - 10, 20000 * 14 / 180 + 10);
    assert_in_range(counts[1], 20000 / 2 - 10, 20000 / 2 + 10);
}

static void customers_come_back_and_have_their_luck_in_common(void **)
{
    enum { CUSTOMER_COUNT = 2000 };
    static double sums[CUSTOMER_COUNT], counts[CUSTOMER_COUNT];
    struct case_world world = world_of_run(20000);
    struct moments pairs = {0};

    memset(sums, 0, sizeof sums);
    memset(counts, 0, sizeof counts);
    world.customer_count = CUSTOMER_COUNT;
    for (int i = 0; i < 20000; i++) {
        struct world_case c;
        double spread, residual;

        case_world_draw(&world, i, &c);
        spread = 500 + 0.0528 * c.features[WORLD_ORDERS_90D] *
                           c.features[WORLD_AVG_ORDER_MINOR];
        residual = (5 * c.value_14d - c.baseline - c.effects[c.arm]) / spread;
        if (counts[c.customer] > 0)
            add(&pairs, residual * sums[c.customer] / counts[c.customer]);
        sums[c.customer] += residual;
        counts[c.customer]++;
    }
    assert_true(pairs.count > 17000);
    /* A fifth of the variance is the customer's; the pairs of one customer are not
     * independent, so that the error is not that of as many. */
    assert_true(fabs(mean_of(&pairs) - 0.2) < 0.05);
}

static void markets_have_their_share_their_currency_and_their_scale(void **)
{
    struct case_world world = world_of_strangers(CASE_COUNT);
    struct moments yen = {0}, basket = {0};

    world.markets[0] = &world_markets[0];
    world.markets[1] = &world_markets[6];
    world.market_count = 2;
    for (int i = 0; i < CASE_COUNT; i++) {
        struct world_case c;

        case_world_draw(&world, i, &c);
        assert_string_equal(c.market->currency,
                            strcmp(c.market->name, "jp-13") == 0 ? "JPY" : "USD");
        add(&yen, c.market->currency[0] == 'J');
        if (c.market->currency[0] == 'J')
            add(&basket, log(c.features[WORLD_AVG_ORDER_MINOR] / 1.5 - 1200));
    }
    expect_mean("cases of Japan", &yen, 0.2 / 0.7);
    expect_mean("log of a mean order in yen, as cents, above 1200", &basket, 7.7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_and_log_are_right_to_the_last_digits),
        cmocka_unit_test(exp_and_log_have_the_same_bits_everywhere),
        cmocka_unit_test(draws_have_the_mean_and_variance_of_their_distribution),
        cmocka_unit_test(cases_are_as_the_model_of_the_world_says),
        cmocka_unit_test(the_truth_follows_the_documented_formulas),
        cmocka_unit_test(a_case_is_the_same_whatever_was_drawn_before),
        cmocka_unit_test(recorded_chances_are_the_true_ones),
        cmocka_unit_test(frequent_claimers_are_given_less_by_the_careful_rule),
        cmocka_unit_test(who_is_held_out_is_given_nothing_in_any_case),
        cmocka_unit_test(the_truth_is_the_mean_of_what_can_happen),
        cmocka_unit_test(the_first_days_tell_all_that_a_credit_does),
        cmocka_unit_test(customers_return_after_exponential_delays_of_their_arm),
        cmocka_unit_test(nothing_is_known_before_its_time),
        cmocka_unit_test(customers_come_back_and_have_their_luck_in_common),
        cmocka_unit_test(markets_have_their_share_their_currency_and_their_scale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
