/* balance.h - whether the rows of an arm are like others by what was known before:
 * weighted by 1/p, like all rows, which they are with the right propensities (Austin and
 * Stuart 2015); as they are, like those of another arm, which they are when chance alone
 * gave the treatment.
 *
 * Pure; any number of threads. */
#ifndef REDRESS_LEARN_BALANCE_H
#define REDRESS_LEARN_BALANCE_H

#include "learn/experiment.h"
#include "learn/learner.h"

struct balance {
    int feature; /* -1: none differs */
    /* of means, in standard deviations of the feature among all rows */
    double difference;
    double se; /* of it, if the rows are alike */
};

/* The feature that differs most, among rows that could have been of the arm and have the
 * feature. Of a category, each of its first PREDICTOR_CATEGORY_COUNT_MAX texts is
 * compared by the share of rows that have it. */
struct balance balance_of_arm(const struct learner_data *data, int arm);

/* Of a column, the mean of one arm less that of another in standard deviations, which are
 * the root of the mean of both arms' variances (Austin 2009); infinite when the column
 * tells the arms apart. */
struct balance_gap {
    double difference;
    double se; /* of it, if the arms are alike */
};

/* Two arms of a column: arms (row); weights (row), above 0, of which an arm's error knows
 * the effective rows (Kish 1965); NULL: 1 each. */
struct balance_arms {
    int64_t row_count;
    const int32_t *arms;
    const double *weights;
    struct row_clusters *clusters; /* whose errors are CR1; NULL: each row is its own */
    int one, other;
};

/* Of numbers (row), NaN where missing. 0 when an arm has fewer than two. */
struct balance_gap balance_of_numbers(const double *numbers,
                                      const struct balance_arms *arms);

/* Of codes (row) from 0 to code_count - 1, -1 where missing: the one whose shares differ
 * most among the rows that have one. EXHAUSTED. */
enum status balance_of_codes(const int32_t *codes, int32_t code_count,
                             const struct balance_arms *arms, struct balance_gap *worst,
                             int32_t *worst_code, struct err *err);

/* Whether that is more than usual, which does little (0.1 standard deviations), and more
 * than chance. */
bool balance_is_off(double difference, double se);

#endif
