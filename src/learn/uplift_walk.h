/* uplift_walk.h - what the walks over ranked rows share. Private to learn/uplift*.c. */
#ifndef REDRESS_LEARN_UPLIFT_WALK_H
#define REDRESS_LEARN_UPLIFT_WALK_H

#include "learn/uplift.h"

#include <math.h>

enum { FLAG_TREATED = 1, FLAG_LAST = 2 /* of its group of equal scores */ };

/* Of both arms, those that are not treated first. */
struct tally {
    double count[2], sum[2];
};

struct uplift {
    int64_t row_count;
    uint8_t *flags;   /* (place) */
    double *outcomes; /* (place) */
    double *weights;  /* (place); NULL: 1 each */
    bool is_binary;   /* all outcomes are 0 or 1 */
    struct tally all; /* rows as they stand */
};

/* Rows as they stand, or as often as a resample has them. */
static inline uint32_t times(const uint32_t *draws, int64_t place)
{
    return draws ? draws[place] : 1;
}

static inline double weight_at(const struct uplift *uplift, int64_t place)
{
    return uplift->weights ? uplift->weights[place] : 1;
}

/* What a row counts in a resample. */
static inline double count_at(const struct uplift *uplift, const uint32_t *draws,
                              int64_t place)
{
    return times(draws, place) * weight_at(uplift, place);
}

static inline void tally_add(struct tally *tally, bool is_treated, double outcome,
                             double count)
{
    double treated = count * is_treated, other = count - treated;

    /* Both arms each time: sums that stay in registers are quicker than one that is
     * looked up. */
    tally->count[0] += other;
    tally->count[1] += treated;
    tally->sum[0] += other * outcome;
    tally->sum[1] += treated * outcome;
}

static inline double over(double sum, double count)
{
    return count > 0 ? sum / count : 0;
}

static inline double rows_of(const struct tally *tally)
{
    return tally->count[0] + tally->count[1];
}

static inline double qini_value(const struct tally *tally)
{
    return tally->sum[1] - over(tally->sum[0] * tally->count[1], tally->count[0]);
}

static inline double lift_of(const struct tally *tally)
{
    return over(tally->sum[1], tally->count[1]) - over(tally->sum[0], tally->count[0]);
}

static inline double uplift_value(const struct tally *tally)
{
    return lift_of(tally) * rows_of(tally);
}

static inline double difference(const struct tally *tally)
{
    return tally->count[0] > 0 && tally->count[1] > 0
               ? tally->sum[1] / tally->count[1] - tally->sum[0] / tally->count[0]
               : NAN;
}

/* Both curves on an even grid, for bands. */
struct bands {
    double qini[UPLIFT_BAND_POINT_COUNT], uplift[UPLIFT_BAND_POINT_COUNT];
};

/* draws (place): how often a resample has each row; NULL: once. bands may be NULL. */
void uplift_walk(const struct uplift *uplift, const uint32_t *draws,
                 struct uplift_metrics *metrics, struct bands *bands);

/* What is told of the first so many rows, and of bins. */
void uplift_walk_first(const struct uplift *uplift, const uint32_t *draws,
                       const struct tally *all, struct uplift_metrics *metrics);

/* uplift_open_weighted where the order of the rows is known, and where groups end: that
 * of order_falling_groups. */
enum status uplift_open_ordered(const double *scores, const double *outcomes,
                                const bool *is_treated, const double *weights,
                                const uint32_t *order, const bool *ends,
                                int64_t row_count, struct uplift **uplift,
                                struct err *err);

#endif
