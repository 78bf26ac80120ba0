/* balance.h - whether the rows of an arm, weighted by 1/p, are like all rows: with the right
 * propensities they are, by every feature (Austin and Stuart 2015).
 *
 * Pure; any number of threads. */
#ifndef REDRESS_LEARN_BALANCE_H
#define REDRESS_LEARN_BALANCE_H

#include "learn/learner.h"

struct balance {
    int feature; /* -1: none differs */
    double
        difference; /* of means, in standard deviations of the feature among all rows */
    double se;      /* of it, if the rows are alike */
};

/* The feature that differs most, among rows that could have been of the arm and have the feature. Of a category, each
 * of its first PREDICTOR_CATEGORY_COUNT_MAX texts is compared by the share of rows that have it. */
struct balance balance_of_arm(const struct learner_data *data, int arm);

#endif
