/* uplift_more.h - what evaluate uplift says of a score beyond its own ranking: whether it
 * is right as an effect, and what it is beside another score. Private to the command. */
#ifndef REDRESS_APP_UPLIFT_MORE_H
#define REDRESS_APP_UPLIFT_MORE_H

#include "app/report.h"
#include "learn/calibration.h"

#include <stddef.h>

/* A number with a name of its own, and where it is in struct uplift_metrics. */
struct uplift_metric {
    const char *name, *label;
    size_t offset;
};
enum { UPLIFT_METRIC_COUNT = 6, UPLIFT_DIGITS = 5 /* that are printed */ };
extern const struct uplift_metric uplift_metrics[UPLIFT_METRIC_COUNT];
extern const char *const uplift_share_names[UPLIFT_SHARE_COUNT]; /* "0.1" */

static inline double uplift_metric_of(const struct uplift_metrics *from, size_t offset)
{
    return *(const double *)((const char *)from + offset);
}

struct uplift_more {
    const char *baseline; /* the other score's column; NULL: not asked for */
    bool wants_calibration;
    long resample_count, seed;
    struct calibration calibration;
    struct calibration_intervals intervals;
    struct ranking_comparison comparison;
};

/* What was asked for. other: by the other score, or NULL. With progress on a terminal. */
enum status uplift_more_measure(struct uplift_more *more, const struct ranking *ranking,
                                const struct ranking *other, struct err *err);

/* "calibration" and "baseline", where they were asked for. */
void uplift_more_put(const struct uplift_more *more, struct report *report);
void uplift_more_print(const struct uplift_more *more,
                       bool may_judge); /* which ranks better */

#endif
