/* world_builder.h - a small world for tests of decide/: a linear effect model and a
 * policy. */
#ifndef REDRESS_TESTS_WORLD_BUILDER_H
#define REDRESS_TESTS_WORLD_BUILDER_H

#include "decide/world.h"

/* Two arms of 500 and 1000 minor units; effect = slope x the feature "need" (missing:
 * refused when is_strict). Cost is the share of the amount. */
struct scorer *scorer_of(double slope_500, double slope_1000, double cost_share,
                         bool is_strict);

/* Menu 500 and 1000, model "m", and whatever members are added: ", \"caps\": [..]" or
 * "". */
struct policy *policy_of(const char *more_members);

/* A holder whose world has both; NULL leaves one out. It takes them over. */
struct world_holder *holder_of(struct policy *policy, struct scorer *scorer);

#endif
