/* giveaway.h - a column that alone explains an outcome is hardly one that was known
 * before it.
 *
 * Pure; any number of threads. */
#ifndef REDRESS_LEARN_GIVEAWAY_H
#define REDRESS_LEARN_GIVEAWAY_H

#include "learn/predictor.h"

enum {
    GIVEAWAY_GROUP_COUNT_MAX = PREDICTOR_CATEGORY_COUNT_MAX,
    GIVEAWAY_ROWS_MIN = 50, /* with fewer anything may explain all by chance */
};

#define GIVEAWAY_SHARE 0.99

struct giveaway {
    int column;   /* of the feature rows; -1: none */
    double share; /* of the outcome's variance that it explains */
};

/* Of the columns from first on the one that explains most, if that is more than
 * GIVEAWAY_SHARE. Shares are adjusted R^2 (Theil 1961): of numbers by a line on the rows
 * that have one, over all rows or within groups (what was done, by which outcomes may
 * differ as well), whichever is larger; of a category by the means of its texts, what is
 * missing being one of them; of either by whether it is missing. outcomes (row): finite;
 * groups (row): from 0 to GIVEAWAY_GROUP_COUNT_MAX - 1. */
struct giveaway giveaway_find(const struct feature_rows *features, int first,
                              int64_t row_count, const int32_t *groups,
                              const double *outcomes);

#endif
