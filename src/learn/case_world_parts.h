/* case_world_parts.h - the steps in which a case of the world is made, in their order. */
#ifndef REDRESS_LEARN_CASE_WORLD_PARTS_H
#define REDRESS_LEARN_CASE_WORLD_PARTS_H

#include "base/portable.h"
#include "base/rng.h"
#include "learn/case_world.h"

/* What chance is drawn for: each has a stream of its own, so that a change to one leaves
 * the others as they were. */
enum world_concern {
    CONCERN_CUSTOMER,
    CONCERN_HOLDOUT,
    CONCERN_CASE,
    CONCERN_GAPS,
    CONCERN_LOG,
    CONCERN_FUTURE,
    CONCERN_LUCK,
};

void world_stream(const struct case_world *world, enum world_concern concern,
                  uint64_t number, struct rng *rng);

/* What a customer has of their own, beside what is in the features. */
struct world_customer {
    bool is_claimer;
    double order_rate; /* of 90 days, less the order that is sure */
    double member_draw;
    double tenure_days, avg_order, discount_share;
    const struct world_market *market;
};

void world_customer_draw(const struct case_world *world, int64_t number,
                         struct world_customer *customer);

/* How bad it was, by what is known in the features; a missing number counts as none. */
double world_severity(const double features[static WORLD_FEATURE_COUNT]);

/* From the features to severity, baseline, effects, returns and best_arm. */
void world_know(struct world_case *drawn);

/* From what is seen to the chances, then to the arm. */
void world_log(const struct case_world *world, struct world_case *drawn);

/* Probability of leaving for good when nothing is given. */
double world_leaving(const struct world_case *drawn);

/* Contribution over 90 days of a customer who stays, before anything else is known of
 * them. */
double world_value(const struct world_case *drawn);

static inline double world_sigmoid(double x)
{
    return 1 / (1 + portable_exp(-x));
}

static inline double world_least(double a, double b)
{
    return a < b ? a : b;
}

static inline double world_most(double a, double b)
{
    return a > b ? a : b;
}

#endif
