/* ranking_parts.h - what the files of calibration.h share. Private to them. */
#ifndef REDRESS_LEARN_RANKING_PARTS_H
#define REDRESS_LEARN_RANKING_PARTS_H

#include "learn/calibration.h"

/* Rows in the order of a score. */
struct ranking {
    struct uplift *uplift;
    uint32_t *order;         /* (place): the row */
    double *scores;          /* (place); NULL: ranked only */
    const int32_t *clusters; /* (row); NULL: each row is its own */
    int32_t cluster_count;
    double *sums; /* (cluster): room, NaN between uses */
};

/* Of the rows, or of a resample that has some several times: draws (place); NULL: once
 * each, and only then with the error of the slope. */
void ranking_calibrate(const struct ranking *ranking, const uint32_t *draws,
                       struct calibration *out);

#endif
