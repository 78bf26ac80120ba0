/* case_world_truth.c - what a credit is truly worth: the formulas of docs/generate.md. */
#include "learn/case_world_parts.h"

#include <math.h>

const int64_t world_credits[WORLD_ARM_COUNT] = {0, 500, 1000, 1500, 2000};
const double world_cost_share = 0.9;

/* By issue, in their order: what it adds to the severity, and whether a small credit
 * settles it. */
static const double issue_severity[] = {0.0, 0.5, 1.6, 1.2, 0.6};
static const bool issue_wants_more[] = {false, false, true, true, false};

static double log_of_one_more(double x)
{
    return portable_log(1 + x);
}

/* A multiple of 0.0001: what is written down is what is so. */
static double exact(double x)
{
    return floor(x * 10000 + 0.5) / 10000;
}

double world_severity(const double features[static WORLD_FEATURE_COUNT])
{
    double minutes = features[WORLD_MINUTES_LATE];
    double late = isnan(minutes) ? 0 : world_most(minutes, 0);

    return 0.9 * log_of_one_more(late / 15) + 0.55 * features[WORLD_ITEMS_MISSING] +
           issue_severity[(int)features[WORLD_ISSUE]] +
           0.35 * (features[WORLD_CONTACTS] - 1);
}

/* What keeps a customer whatever happens: habit, membership, a good last order. */
static double loyalty_of(const double *f)
{
    return 0.9 * log_of_one_more(f[WORLD_TENURE_DAYS] / 120) + 0.7 * f[WORLD_IS_MEMBER] +
           0.35 * (f[WORLD_LAST_RATING] - 4) +
           0.08 * world_least(f[WORLD_APP_SESSIONS_7D], 12) -
           0.25 * log_of_one_more(f[WORLD_DAYS_SINCE_ORDER] / 7);
}

double world_leaving(const struct world_case *drawn)
{
    return world_sigmoid(
        1.1 * (world_severity(drawn->features) - loyalty_of(drawn->features)) + 0.2);
}

double world_value(const struct world_case *drawn)
{
    return 0.24 * drawn->features[WORLD_ORDERS_90D] *
           drawn->features[WORLD_AVG_ORDER_MINOR];
}

/* How much of a grievance a credit settles, 0 to 1: dose^p / (dose^p + half^p). */
static double settled(const struct world_case *drawn, double dose)
{
    const double *f = drawn->features;
    bool wants_more = issue_wants_more[(int)f[WORLD_ISSUE]];
    double half = (wants_more ? 0.34 : 0.13) * f[WORLD_AVG_ORDER_MINOR] +
                  120 * drawn->market->unit * f[WORLD_CONTACTS];
    double power = wants_more ? 2.6 : 1.4;

    return dose > 0 ? world_sigmoid(power * portable_log(dose / half)) : 0;
}

void world_know(struct world_case *drawn)
{
    const double *f = drawn->features;
    double unit = drawn->market->unit, leaving = world_leaving(drawn),
           value = world_value(drawn), cap = 6500 * unit, best = 0;
    /* Persuadable: neither certain to stay nor already gone. */
    double persuadable = 4 * leaving * (1 - leaving);
    double reach = 0.55 * value * persuadable * (1 - 0.5 * f[WORLD_DISCOUNT_SHARE]);
    double demanding = world_sigmoid(1.6 * (f[WORLD_CLAIMS_90D] - 3.2));
    double abuse = 0.95 * demanding + 0.12 * f[WORLD_DISCOUNT_SHARE];

    reach = cap * (2 * world_sigmoid(2 * reach / cap) - 1); /* the hyperbolic tangent */
    drawn->severity = exact(world_severity(f));
    drawn->baseline =
        exact(value * (1 - 0.75 * leaving) + unit * (300 - 260 * f[WORLD_CLAIMS_90D]));
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++) {
        double dose = (double)world_credits[arm], part = settled(drawn, dose);

        drawn->effects[arm] = exact(reach * (1 - demanding) * part - abuse * dose);
        drawn->returns[arm] =
            exact((1 - leaving) * (1 + leaving * (1 - demanding) * part));
        if (world_net_value(drawn, arm) > best) {
            best = world_net_value(drawn, arm);
            drawn->best_arm = arm;
        }
    }
}

double world_net_value(const struct world_case *drawn, int arm)
{
    return drawn->effects[arm] - world_cost_share * (double)world_credits[arm];
}
