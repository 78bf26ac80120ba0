/* frontier.h - what could be gained for every spend: the multi-armed Qini curve of
 * Sverdrup, Wu, Athey and Wager (2023). Pure; one thread per object. */
#ifndef REDRESS_LEARN_FRONTIER_H
#define REDRESS_LEARN_FRONTIER_H

#include "base/err.h"

#include <stdint.h>

/* Units (row) with arms that cost something and are worth something, beside nothing at
 * all. */
struct frontier_data {
    int64_t row_count;
    int arm_count;
    const double *effects; /* (arm, row): rank the arms; finite */
    /* (arm, row): unbiased for what the arms do, as of ipw or aipw; finite */
    const double *scores;
    const double *costs;     /* (arm): above 0; of equal ones the better arm is bought */
    const int32_t *clusters; /* (row) from 0; NULL: each row is its own */
    int32_t cluster_count;
};

struct frontier; /* opaque */

/* Per unit the upper convex hull of (cost, effect) from (0, 0), arms in order of cost,
 * equal ones as they stand; all steps of all units by falling slope, equal ones by row.
 * Takes 16 bytes for each step and 8 for each row; data's arrays are borrowed until it is
 * closed. EXHAUSTED; INVALID without any step. The caller closes *frontier. */
enum status frontier_open(const struct frontier_data *data, struct frontier **frontier,
                          struct err *err);
void frontier_close(struct frontier *frontier); /* NULL is fine */

/* Per unit: all of them, averaged over the rows. */
double frontier_spend_max(const struct frontier *frontier);

struct frontier_point {
    double spend;          /* per unit */
    double predicted_gain; /* of the effects */
    double gain;           /* of the scores */
    /* of the gain: units, or clusters, are draws, the path is given; wide while the spend
     * binds */
    double se;
};

/* Between two steps linearly; flat beyond the end. spend is at least 0. */
struct frontier_point frontier_at(const struct frontier *frontier, double spend);

/* The gain at a spend less that of another choice for the same rows, and its error: what
 * both gain of a unit is no noise. */
struct frontier_difference {
    double value, se;
};
struct frontier_difference frontier_compare(const struct frontier *frontier,
                                            const struct frontier *other, double spend);

/* Ends of the 95 % (percentile) interval of the gain at each spend, from resamples of the
 * rows, or of clusters, each with its own path; with other not NULL of the difference,
 * both on the same rows. The same seed gives the same intervals. EXHAUSTED. */
struct frontier_interval {
    double low, high;
};
struct frontier_progress {
    void (*tell)(void *context, double done); /* NULL is fine */
    void *context;
};
enum status frontier_bootstrap(const struct frontier *frontier,
                               const struct frontier *other, const double *spends,
                               int spend_count, int resample_count, uint64_t seed,
                               struct frontier_progress progress,
                               struct frontier_interval *intervals, struct err *err);

#endif
