/* evaluate_uplift.h - what redress evaluate uplift was asked and what it found. Private to
 * app/evaluate_uplift*.c. */
#ifndef REDRESS_APP_EVALUATE_UPLIFT_H
#define REDRESS_APP_EVALUATE_UPLIFT_H

#include "app/analysis.h"
#include "learn/uplift.h"

enum { UPLIFT_SCORE_COUNT_MAX = 16 };

struct uplift_score {
    struct uplift *uplift;
    uint32_t *order; /* (place) */
    struct uplift_metrics metrics;
    struct uplift_calibration calibration;
    struct uplift_intervals *intervals; /* NULL: not asked for */
    struct uplift_metrics difference_low,
        difference_high; /* to the first, with intervals */
};

struct uplift_evaluation {
    const char *data, *score, *treatment, *outcome, *control, *arm, *plot;
    long resample_count, seed;
    bool is_json;

    struct name_list names; /* of the scores */
    struct columns *columns;
    struct arms arms;
    int treated; /* the arm */
    int64_t row_count, left_out;
    struct uplift_score scores[UPLIFT_SCORE_COUNT_MAX];
    struct analysis_timing timing;
};

/* On standard output, as JSON and for people. */
enum status uplift_evaluation_json(const struct uplift_evaluation *e, struct err *err);
void uplift_evaluation_print(const struct uplift_evaluation *e);

/* Pictures of the curves, into the folder that was asked for. */
enum status uplift_evaluation_draw(const struct uplift_evaluation *e, struct err *err);

#endif
