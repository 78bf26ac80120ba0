/* frontier.h - what could be gained for every spend: the multi-armed Qini curve of Sverdrup, Wu, Athey and
 * Wager (2023). Pure; one thread per object. */
#ifndef REDRESS_LEARN_FRONTIER_H
#define REDRESS_LEARN_FRONTIER_H

#include "base/err.h"

#include <stdint.h>

/* Units (row) with arms that cost something and are worth something, beside nothing at all. */
struct frontier_data {
    int64_t row_count;
    int arm_count;
    const double *effects; /* (arm, row): rank the arms; finite */
    const double *
        scores; /* (arm, row): unbiased for what the arms do, as of ipw or aipw; finite */
    const double *costs; /* (arm): above 0, all different */
};

struct frontier; /* opaque */

/* Per unit the upper convex hull of (cost, effect) from (0, 0), arms in order of cost; all steps of all
 * units by falling slope, equal ones by row. Takes 32 bytes for each step. EXHAUSTED; INVALID without
 * any step. The caller closes *frontier. */
enum status frontier_open(const struct frontier_data *data, struct frontier **frontier,
                          struct err *err);
void frontier_close(struct frontier *frontier); /* NULL is fine */

/* Per unit: all of them, averaged over the rows. */
double frontier_spend_max(const struct frontier *frontier);

struct frontier_point {
    double spend;          /* per unit */
    double predicted_gain; /* of the effects */
    double gain;           /* of the scores */
    double se;             /* of the gain: units are draws, the path is given */
};

/* Between two steps linearly; flat beyond the end. spend is at least 0. */
struct frontier_point frontier_at(const struct frontier *frontier, double spend);

#endif
