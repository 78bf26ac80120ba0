/* case_world.c - who asks, and what went wrong with their order. */
#include "learn/case_world.h"

#include "learn/case_world_parts.h"
#include "learn/draw.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const channels[] = {"chat", "phone", "app", NULL};
static const char *const issues[] = {"late_delivery", "missing_item", "damaged_item",
                                     "wrong_item",    "quality",      NULL};
enum { CHANNEL_PHONE = 1, ISSUE_LATE = 0, ISSUE_MISSING = 1, ISSUE_COUNT = 5 };

const struct world_feature world_features[WORLD_FEATURE_COUNT] = {
    {"tenure_days", WORLD_NUMBER, NULL},       {"orders_90d", WORLD_NUMBER, NULL},
    {"avg_order_minor", WORLD_NUMBER, NULL},   {"claims_90d", WORLD_NUMBER, NULL},
    {"credits_90d_minor", WORLD_NUMBER, NULL}, {"minutes_late", WORLD_NUMBER, NULL},
    {"items_missing", WORLD_NUMBER, NULL},     {"days_since_order", WORLD_NUMBER, NULL},
    {"last_rating", WORLD_NUMBER, NULL},       {"discount_share", WORLD_NUMBER, NULL},
    {"contacts", WORLD_NUMBER, NULL},          {"app_sessions_7d", WORLD_NUMBER, NULL},
    {"is_member", WORLD_BOOL, NULL},           {"channel", WORLD_CATEGORY, channels},
    {"issue", WORLD_CATEGORY, issues},
};

const struct world_market world_markets[] = {
    {"us-ca", "USD", 1, 0.5},   {"us-ny", "USD", 1, 0.3},
    {"us-tx", "USD", 1, 0.2},   {"gb-lnd", "GBP", 0.8, 0.3},
    {"de-be", "EUR", 0.9, 0.3}, {"fr-idf", "EUR", 0.9, 0.2},
    {"jp-13", "JPY", 1.5, 0.2}, {0},
};

/* One customer in 37 claims all the time, with four times as many cases: one case in
 * ten. */
static const double claimer_share = 1.0 / 37, claimer_weight = 4;
static const double claims_of_a_claimer = 4.5;

void world_stream(const struct case_world *world, enum world_concern concern,
                  uint64_t number, struct rng *rng)
{
    rng_seed(rng, world->seed * UINT64_C(0xd1342543de82ef95) +
                      ((uint64_t)concern + 1) * UINT64_C(0xaf251af3b0f025b5) +
                      number * UINT64_C(0x2545f4914f6cdd1d));
}

static double rounded(double x)
{
    return floor(x + 0.5);
}

void case_world_init(struct case_world *world, uint64_t seed, int64_t case_count)
{
    *world = (struct case_world){
        .seed = seed,
        .case_count = case_count,
        .customer_count = case_count * 3 / 5 > 0 ? case_count * 3 / 5 : 1,
        .days = 180,
        .as_of_day = 270,
        .rule = WORLD_CAREFUL,
        .market_count = WORLD_MARKET_PRESET_COUNT,
    };
    for (int i = 0; i < WORLD_MARKET_PRESET_COUNT; i++)
        world->markets[i] = &world_markets[i];
}

/* --- customers ------------------------------------------------------------------------------ */

static const struct world_market *draw_market(const struct case_world *world,
                                              struct rng *rng)
{
    double shares[WORLD_MARKET_COUNT_MAX], sum = 0;

    for (int i = 0; i < world->market_count; i++)
        sum += world->markets[i]->share;
    for (int i = 0; i < world->market_count; i++)
        shares[i] = world->markets[i]->share / sum;
    return world->markets[draw_index(rng, shares, world->market_count)];
}

/* The first number of a customer's stream says whether they claim all the time. */
void world_customer_draw(const struct case_world *world, int64_t number,
                         struct world_customer *customer)
{
    struct rng rng;

    world_stream(world, CONCERN_CUSTOMER, (uint64_t)number, &rng);
    customer->is_claimer = rng_uniform(&rng) < claimer_share;
    customer->market = draw_market(world, &rng);
    customer->tenure_days = floor(world_least(380 * draw_gamma(&rng, 1.1), 3000)) + 1;
    customer->order_rate =
        5 * draw_gamma(&rng, 1.6) * world_least(1, 0.35 + customer->tenure_days / 200);
    customer->avg_order = 1200 + portable_exp(7.7 + 0.55 * draw_normal(&rng));
    customer->discount_share = rounded(100 * draw_beta(&rng, 1.6, 4)) / 100;
    customer->member_draw = rng_uniform(&rng);
}

static bool is_claimer(const struct case_world *world, int64_t number)
{
    struct rng rng;

    world_stream(world, CONCERN_CUSTOMER, (uint64_t)number, &rng);
    return rng_uniform(&rng) < claimer_share;
}

/* Everybody with the same chance, and who does not claim all the time is passed over
 * mostly. */
static int64_t draw_customer(const struct case_world *world, struct rng *rng)
{
    for (;;) {
        int64_t number = (int64_t)rng_below(rng, (uint64_t)world->customer_count);

        if (rng_uniform(rng) * claimer_weight < 1 || is_claimer(world, number))
            return number;
    }
}

/* --- cases ---------------------------------------------------------------------------------- */

/* What the customer brings to every case of theirs. */
static void draw_history(const struct world_customer *customer, struct rng *rng,
                         double *features)
{
    double unit = customer->market->unit, tenure = customer->tenure_days;
    int orders = draw_poisson(rng, customer->order_rate) + 1;
    int claims = draw_poisson(rng, customer->is_claimer ? claims_of_a_claimer
                                                        : 0.15 + 0.04 * orders);

    features[WORLD_TENURE_DAYS] = tenure;
    features[WORLD_ORDERS_90D] = orders;
    features[WORLD_AVG_ORDER_MINOR] = rounded(customer->avg_order * unit);
    features[WORLD_CLAIMS_90D] = claims;
    features[WORLD_CREDITS_90D_MINOR] =
        rounded(100 * unit * draw_poisson(rng, 5.5 * claims));
    features[WORLD_DAYS_SINCE_ORDER] = floor(draw_exponential(rng, 90 / (orders + 1.0)));
    features[WORLD_LAST_RATING] =
        world_most(1, world_least(5, rounded(3.9 + 1.1 * draw_normal(rng))));
    features[WORLD_DISCOUNT_SHARE] = customer->discount_share;
    features[WORLD_APP_SESSIONS_7D] = draw_poisson(rng, 1 + 0.35 * orders);
    features[WORLD_IS_MEMBER] =
        customer->member_draw <
        world_sigmoid(-1.6 + tenure / 500 + 0.06 * (customer->order_rate + 1));
}

static void draw_trouble(struct rng *rng, double *features)
{
    static const double issue_shares[ISSUE_COUNT] = {0.38, 0.22, 0.14, 0.10, 0.16};
    static const double channel_shares[] = {0.45, 0.2, 0.35};
    int issue = draw_index(rng, issue_shares, ISSUE_COUNT);
    double late = draw_normal(rng);
    double minutes =
        issue == ISSUE_LATE ? 15 + portable_exp(3.2 + 0.7 * late) : 2 + 7 * late;

    features[WORLD_ISSUE] = issue;
    features[WORLD_MINUTES_LATE] = world_most(-20, world_least(240, rounded(minutes)));
    features[WORLD_ITEMS_MISSING] =
        issue == ISSUE_MISSING ? 1 + draw_poisson(rng, 0.7) : 0;
    features[WORLD_CONTACTS] = 1 + draw_poisson(rng, 0.5);
    features[WORLD_CHANNEL] = draw_index(rng, channel_shares, 3);
}

static const char *segment_of(double tenure_days)
{
    return tenure_days < 90 ? "new" : tenure_days < 730 ? "regular" : "loyal";
}

/* What the service gets to see: the features with holes. */
static void lose_features(const struct case_world *world, struct world_case *drawn)
{
    bool is_phone = drawn->features[WORLD_CHANNEL] == CHANNEL_PHONE;
    double *seen = drawn->seen;
    struct rng rng;

    world_stream(world, CONCERN_GAPS, (uint64_t)drawn->index, &rng);
    memcpy(seen, drawn->features, sizeof drawn->seen);
    if (rng_uniform(&rng) < 0.25)
        seen[WORLD_LAST_RATING] = NAN;
    if (rng_uniform(&rng) < 0.03)
        seen[WORLD_MINUTES_LATE] = NAN;
    if (rng_uniform(&rng) < 0.05)
        seen[WORLD_DISCOUNT_SHARE] = NAN;
    if (rng_uniform(&rng) < 0.5 && is_phone)
        seen[WORLD_APP_SESSIONS_7D] = NAN;
    if (seen[WORLD_ORDERS_90D] <= 1)
        seen[WORLD_DAYS_SINCE_ORDER] = NAN;
}

static bool is_held_out(const struct case_world *world, int64_t customer)
{
    struct rng rng;

    world_stream(world, CONCERN_HOLDOUT, (uint64_t)customer, &rng);
    return (int)rng_below(&rng, 100) < world->holdout_percent;
}

void case_world_draw(const struct case_world *world, int64_t index,
                     struct world_case *drawn)
{
    struct world_customer customer;
    struct rng rng;
    double size;

    assert(index >= 0 && index < world->case_count);
    world_stream(world, CONCERN_CASE, (uint64_t)index, &rng);
    *drawn = (struct world_case){.index = index};
    drawn->customer = draw_customer(world, &rng);
    world_customer_draw(world, drawn->customer, &customer);
    drawn->is_claimer = customer.is_claimer;
    drawn->market = customer.market;
    drawn->is_held_out = is_held_out(world, drawn->customer);
    drawn->segment = segment_of(customer.tenure_days);
    drawn->day =
        ((double)index + rng_uniform(&rng)) / (double)world->case_count * world->days;
    draw_history(&customer, &rng, drawn->features);
    draw_trouble(&rng, drawn->features);
    /* Large enough for every credit of the log to be one that a policy allows. */
    size = drawn->features[WORLD_AVG_ORDER_MINOR] * portable_exp(0.3 * draw_normal(&rng));
    drawn->order_amount =
        (int64_t)world_most((double)world_credits[WORLD_ARM_COUNT - 1], rounded(size));
    lose_features(world, drawn);
    world_know(drawn);
    world_log(world, drawn);
    case_world_live(world, drawn, drawn->arm, 0);
}
