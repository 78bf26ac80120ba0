/* case_world.h - a world of refund cases whose truth is known, to try learning on.
 *
 * Cases are drawn, not stored: the case at an index depends on the settings and the index
 * alone, so that any number of them takes no memory, and a log, its truth and the same
 * cases to be decided can be written one after the other. All chance comes from the seed,
 * and all arithmetic is the same on every machine. docs/generate.md has the model as
 * formulas; what it says and what is here must agree.
 *
 * Money is in minor units of the market's currency. Pure; any thread. */
#ifndef REDRESS_LEARN_CASE_WORLD_H
#define REDRESS_LEARN_CASE_WORLD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WORLD_ARM_COUNT = 5, /* arm 0 is no credit */
    WORLD_FEATURE_COUNT = 15,
    WORLD_MARKET_COUNT_MAX = 16,
    WORLD_CHANCE_WHOLE = 1000000, /* what the chances of a row's arms sum to */
    WORLD_PERCENT_MAX = 99,
};

/* The credit of each arm, and the share of a credit that is expected to be used. */
extern const int64_t world_credits[WORLD_ARM_COUNT];
extern const double world_cost_share;

enum world_feature_kind { WORLD_NUMBER, WORLD_BOOL, WORLD_CATEGORY };

struct world_feature {
    const char *name;
    enum world_feature_kind kind;
    const char *const
        *categories; /* ended by NULL, of a category: its value is an index */
};

/* In the order in which a log and the sample models have them. */
enum world_feature_index {
    WORLD_TENURE_DAYS,
    WORLD_ORDERS_90D,
    WORLD_AVG_ORDER_MINOR,
    WORLD_CLAIMS_90D,
    WORLD_CREDITS_90D_MINOR,
    WORLD_MINUTES_LATE,
    WORLD_ITEMS_MISSING,
    WORLD_DAYS_SINCE_ORDER,
    WORLD_LAST_RATING,
    WORLD_DISCOUNT_SHARE,
    WORLD_CONTACTS,
    WORLD_APP_SESSIONS_7D,
    WORLD_IS_MEMBER,
    WORLD_CHANNEL,
    WORLD_ISSUE,
};

extern const struct world_feature world_features[WORLD_FEATURE_COUNT];

struct world_market {
    const char *name, *currency;
    double unit;  /* what a US cent is, in its minor units */
    double share; /* of the cases, beside those of the other markets chosen */
};

/* Ended by a name that is NULL; the first WORLD_MARKET_PRESET_COUNT are those of a world
 * that names none. */
enum { WORLD_MARKET_PRESET_COUNT = 3 };
extern const struct world_market world_markets[];

/* Which credit a case of the log was given. */
enum world_rule {
    WORLD_CAREFUL,  /* by chance, less often one to frequent claimers */
    WORLD_SEVERITY, /* the more went wrong, the more, but for a share drawn evenly */
    WORLD_UNIFORM,  /* each with the same chance */
};

struct case_world {
    uint64_t seed;
    int64_t case_count;     /* at least 1 */
    int64_t customer_count; /* at least 1: who the cases come from */
    int days;               /* that the cases are spread over, evenly */
    int as_of_day; /* when the log is read, counted from the first day; at least days */
    enum world_rule rule;
    /* of rows, whose credit is drawn evenly whatever the rule says */
    int explore_percent;
    int holdout_percent; /* of customers, who are given nothing */
    int market_count;
    const struct world_market *markets[WORLD_MARKET_COUNT_MAX]; /* at least one */
};

struct world_case {
    int64_t index, customer;
    const struct world_market *market;
    const char *segment;
    double day; /* since the beginning of the first */
    int64_t order_amount;
    double features[WORLD_FEATURE_COUNT]; /* as they are */
    double seen[WORLD_FEATURE_COUNT];     /* as they are sent: NaN where missing */

    /* The truth; amounts and probabilities are multiples of 0.0001. */
    bool is_claimer;
    double severity;                 /* of what went wrong, 0 and more */
    double baseline;                 /* expected value over 90 days without a credit */
    double effects[WORLD_ARM_COUNT]; /* what each credit adds to it; 0 for none */
    double returns[WORLD_ARM_COUNT]; /* probability of ever ordering again */
    int best_arm; /* the largest effect less cost; the smallest of equals */

    /* What was done, and why. */
    bool is_held_out;
    int chances[WORLD_ARM_COUNT]; /* millionths, over the draw of the holdout as well */
    int arm;
    int64_t cost; /* of the credit: all of it, or 0 when it was not used */

    /* What came of it, NaN where not known yet. */
    double satisfaction; /* 1 to 5; most are never asked */
    double value_14d,
        value_90d; /* contribution, whole minor units; without the credit's own cost */
    double watched_days; /* since the case; multiples of 0.01, as the next is */
    double return_days;  /* until the next order */
};

/* Three markets of the United States, careful, 180 days read when all is known, 3
 * customers for 5 cases. */
void case_world_init(struct case_world *world, uint64_t seed, int64_t case_count);

/* 0 <= index < case_count. */
void case_world_draw(const struct case_world *world, int64_t index,
                     struct world_case *drawn);

/* What could have come of a drawn case with that arm: sets arm, cost and all below. Each
 * number of draw is another future, the one of the log is 0. */
void case_world_live(const struct case_world *world, struct world_case *drawn, int arm,
                     uint64_t draw);

/* Effect less expected cost, of an arm. */
double world_net_value(const struct world_case *drawn, int arm);

#endif
