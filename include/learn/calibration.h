/* calibration.h - a score that is meant as an effect, beside the effects that were found,
 * on a randomised log; and one score beside another.
 *
 * Pure; any thread. */
#ifndef REDRESS_LEARN_CALIBRATION_H
#define REDRESS_LEARN_CALIBRATION_H

#include "learn/uplift.h"

enum { CALIBRATION_BIN_COUNT = 10 };

/* The rows of a randomised log; finite. */
struct scored_rows {
    int64_t row_count;
    const double *scores, *outcomes;
    const bool *is_treated;
    const double *weights;   /* (row) as of uplift_open_weighted; NULL: none */
    const int32_t *clusters; /* from 0, each with a row; NULL: each row is its own */
    int32_t cluster_count;
    bool is_ranked_only; /* neither calibrated nor compared: 8 bytes a row less */
};

struct ranking; /* opaque: the rows in the order of a score */

/* Borrows clusters until it is closed, the other arrays for the call only. Takes 21 bytes
 * a row, 29 with weights. INVALID as uplift_open; EXHAUSTED. The caller closes
 * *ranking. */
enum status ranking_open(const struct scored_rows *rows, struct ranking **ranking,
                         struct err *err);
void ranking_close(struct ranking *ranking); /* NULL is fine */

const struct uplift *ranking_uplift(const struct ranking *ranking); /* it belongs to it */

/* All doubles: resamples are told number by number. */
struct calibration {
    /* Ten bins of rows by falling score, as even as possible, the larger ones first: mean
     * score, difference of the means of both arms, and its error, of clusters CR1 as in
     * learn/experiment.h. */
    struct calibration_bin {
        double rows, predicted, found, se;
    } bins[CALIBRATION_BIN_COUNT];

    /* How much more effect a unit of score brings: the slope of the outcome on the score
     * among the treated less that among the others, which is the coefficient of their
     * product (the second of the best linear predictor of Chernozhukov et al. 2018); 1
     * when scores are effects, 0 when they say nothing. Its error is HC1, arm by arm; CR1
     * with clusters. NaN where the scores of an arm are all the same but for rounding. */
    double slope, slope_se;

    /* The mean over rows of |found - predicted| of their bins. Noise alone makes it above
     * 0. */
    double error;
    double predicted; /* mean score */
};

struct calibration_intervals {
    struct calibration low, high;
};

/* With resample_count > 0 also the 95 % (percentile) intervals by resampling rows, or
 * clusters; the same seed gives the same. intervals may be NULL without resamples.
 * EXHAUSTED. */
enum status calibration_measure(const struct ranking *ranking, int resample_count,
                                uint64_t seed, struct uplift_progress progress,
                                struct calibration *calibration,
                                struct calibration_intervals *intervals, struct err *err);

/* A score less another on the same rows: each resample has the same rows for both, so
 * that what both have in common is no noise. */
struct ranking_numbers {
    struct uplift_metrics metrics;
    double calibration_slope, calibration_error;
};
struct ranking_comparison {
    struct ranking_numbers other,
        difference; /* of the other score; of the first less the other */
    struct ranking_numbers low, high; /* of the difference; NaN without resamples */
};
enum status ranking_compare(const struct ranking *ranking, const struct ranking *other,
                            int resample_count, uint64_t seed,
                            struct uplift_progress progress,
                            struct ranking_comparison *comparison, struct err *err);

#endif
