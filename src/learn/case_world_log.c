/* case_world_log.c - which credit a case was given, with which chances, and what came of
 * it. */
#include "learn/case_world_parts.h"

#include "learn/draw.h"

#include <math.h>

enum {
    FREQUENT_CLAIM_COUNT = 3,
    EVEN_CHANCE = WORLD_CHANCE_WHOLE / WORLD_ARM_COUNT,
    SHORT_DAYS = 14,
    LONG_DAYS = 90,
    LONG_OVER_SHORT = 5, /* the first 14 days bring a fifth of 90 days */
};

/* Days until the next order of those who come back, by arm. */
static const double return_days_means[WORLD_ARM_COUNT] = {30, 24, 20, 18, 16};

/* How much of the variance of a customer's value is theirs in all their cases, is seen
 * within 14 days, and comes later. */
static const double lasting_share = 0.2, early_share = 0.3, late_share = 0.5;

/* --- the log -------------------------------------------------------------------------------- */

static void chances_by_rule(const struct case_world *world,
                            const struct world_case *drawn, int chances[WORLD_ARM_COUNT])
{
    bool is_frequent = drawn->seen[WORLD_CLAIMS_90D] >= FREQUENT_CLAIM_COUNT;
    int grade = (int)world_least(WORLD_ARM_COUNT - 1, world_severity(drawn->seen) / 0.7);

    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        switch (world->rule) {
        case WORLD_CAREFUL:
            chances[arm] = arm == 0 ? (is_frequent ? 400000 : 240000)
                                    : (is_frequent ? 150000 : 190000);
            break;
        case WORLD_SEVERITY:
            chances[arm] = arm == grade ? WORLD_CHANCE_WHOLE : 0;
            break;
        case WORLD_UNIFORM:
            chances[arm] = EVEN_CHANCE;
            break;
        }
}

/* All chances are whole hundredths until here, so that the divisions leave no rest. */
static int mixed(int percent, int with, int without)
{
    return (int)(((int64_t)percent * with + (int64_t)(100 - percent) * without) / 100);
}

static int draw_arm(const int chances[WORLD_ARM_COUNT], struct rng *rng)
{
    int left = (int)rng_below(rng, WORLD_CHANCE_WHOLE), arm = 0;

    while (left >= chances[arm])
        left -= chances[arm++];
    return arm;
}

void world_log(const struct case_world *world, struct world_case *drawn)
{
    int chances[WORLD_ARM_COUNT];
    struct rng rng;

    world_stream(world, CONCERN_LOG, (uint64_t)drawn->index, &rng);
    chances_by_rule(world, drawn, chances);
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++) {
        int given_nothing = arm == 0 ? WORLD_CHANCE_WHOLE : 0;

        chances[arm] = mixed(world->explore_percent, EVEN_CHANCE, chances[arm]);
        drawn->chances[arm] = mixed(world->holdout_percent, given_nothing, chances[arm]);
    }
    drawn->arm = drawn->is_held_out ? 0 : draw_arm(chances, &rng);
}

/* --- the future ----------------------------------------------------------------------------- */

/* Moods rise with every credit, whoever gets it; most are never asked. */
static void draw_mood(struct world_case *drawn, struct rng *rng)
{
    double credit = (double)world_credits[drawn->arm] / drawn->market->unit;
    double mood =
        2.4 + credit / 900 - 1.2 * world_leaving(drawn) + 0.9 * draw_normal(rng);
    bool is_asked = rng_uniform(rng) >= 0.6;

    drawn->satisfaction =
        is_asked ? world_most(1, world_least(5, floor(mood + 0.5))) : NAN;
}

/* The first days tell all that a credit does; what comes later depends on them and on
 * chance. luck: what all cases of a customer have in common and no feature tells. */
static void draw_value(struct world_case *drawn, double luck, struct rng *rng)
{
    double unit = drawn->market->unit, claims = drawn->features[WORLD_CLAIMS_90D];
    double spread = 500 * unit + 0.22 * world_value(drawn);
    double claim_rate = 0.1 + 0.15 * claims;
    double early = draw_normal(rng), late = draw_normal(rng);
    double lumps = 700 * unit * (draw_poisson(rng, claim_rate) - claim_rate);
    double expected = drawn->baseline + drawn->effects[drawn->arm];

    expected += spread * (sqrt(lasting_share) * luck + sqrt(early_share) * early);
    drawn->value_14d = floor(expected / LONG_OVER_SHORT + 0.5);
    drawn->value_90d = floor(LONG_OVER_SHORT * drawn->value_14d +
                             spread * sqrt(late_share) * late - lumps + 0.5);
}

static void draw_return(struct world_case *drawn, struct rng *rng)
{
    bool comes_back = rng_uniform(rng) < drawn->returns[drawn->arm];
    double days = draw_exponential(rng, return_days_means[drawn->arm]);

    drawn->return_days = comes_back ? floor(100 * days) / 100 : NAN;
}

/* What is not known yet on the day on which the log is read. */
static void forget_the_future(struct world_case *drawn)
{
    if (drawn->watched_days < SHORT_DAYS)
        drawn->value_14d = NAN;
    if (drawn->watched_days < LONG_DAYS)
        drawn->value_90d = NAN;
    if (drawn->return_days > drawn->watched_days)
        drawn->return_days = NAN;
}

void case_world_live(const struct case_world *world, struct world_case *drawn, int arm,
                     uint64_t draw)
{
    uint64_t other = draw * UINT64_C(0x9fb21c651e98df25);
    struct rng rng, luck;

    world_stream(world, CONCERN_FUTURE, (uint64_t)drawn->index + other, &rng);
    world_stream(world, CONCERN_LUCK, (uint64_t)drawn->customer + other, &luck);
    drawn->arm = arm;
    drawn->cost = rng_uniform(&rng) < world_cost_share ? world_credits[arm] : 0;
    drawn->watched_days = floor(100 * (world->as_of_day - drawn->day)) / 100;
    draw_mood(drawn, &rng);
    draw_value(drawn, draw_normal(&luck), &rng);
    draw_return(drawn, &rng);
    forget_the_future(drawn);
}
