/* uplift_rows.c - what is told row by row: mean heights of the curves, and the first of the rows. */
#include "learn/uplift_walk.h"

#include <string.h>

/* ---- row by row ---- */

/* A sum over the rows of a value that is not defined at first: there it rises evenly from 0 to the
 * first that is. */
struct curve_sum {
    double sum,
        before; /* what the rows before the first that is have for each unit of its value */
    bool has_begun;
};

/* The next row, which counts weight, at the k of rows. */
static inline void curve_sum_add(struct curve_sum *curve, bool is_defined, double value,
                                 double rows, double weight, bool is_gain)
{
    double height = is_gain ? rows : 1; /* value is a lift where it is a gain */

    if (!is_defined) {
        curve->before += weight * rows * height;
        return;
    }
    if (!curve->has_begun) {
        curve->sum += value / rows * curve->before;
        curve->has_begun = true;
    }
    curve->sum += weight * value * height;
}

void uplift_walk_rows(const struct uplift *uplift, const uint32_t *draws,
                      const struct tally *all, struct uplift_metrics *metrics)
{
    struct curve_sum gains = {}, qinis = {};
    double row_count = rows_of(all), last_gain = uplift_value(all),
           last_qini = qini_value(all);
    struct tally tally = {};

    for (int64_t i = 0; i < uplift->row_count; i++) {
        double weight = weight_at(uplift, i);

        for (uint32_t again = times(draws, i); again > 0; again--) {
            bool has_control, has_both;

            tally_add(&tally, uplift->flags[i] & FLAG_TREATED, uplift->outcomes[i],
                      weight);
            has_control = tally.count[0] > 0;
            has_both = has_control && tally.count[1] > 0;
            curve_sum_add(&gains, has_both, has_both ? difference(&tally) : 0,
                          rows_of(&tally), weight, true);
            curve_sum_add(&qinis, has_control, has_control ? qini_value(&tally) : 0,
                          rows_of(&tally), weight, false);
        }
    }
    metrics->auuc = gains.sum / fabs(last_gain) / (row_count + 1);
    metrics->qini_normalized =
        (qinis.sum - last_qini * (row_count + 1) / 2) / fabs(last_qini) / (row_count + 1);
    if (last_gain == 0)
        metrics->auuc = NAN;
    if (last_qini == 0)
        metrics->qini_normalized = NAN;
}

/* ---- the first of them ---- */

enum { CUT_COUNT = UPLIFT_SHARE_COUNT };

/* Sums of weights may end so far below the count that they make up. */
static const double rounding = 1e-6;

/* Sums among the first so many rows. */
struct cuts {
    int64_t at[CUT_COUNT]; /* rising */
    struct tally seen[CUT_COUNT];
    int next;
};

static double settled(double count)
{
    return fabs(count - round(count)) < rounding ? round(count) : count;
}

static void cuts_pass(struct cuts *cuts, double count, const struct tally *tally)
{
    while (cuts->next < CUT_COUNT && (double)cuts->at[cuts->next] <= count + rounding)
        cuts->seen[cuts->next++] = *tally;
}

/* The first tenth, two tenths ..: shares as they are written, rounded down as Python does. */
static void cuts_shares(struct cuts *cuts, double count)
{
    static const double shares[CUT_COUNT] = {0.1, 0.2, 0.3, 0.4, 0.5,
                                             0.6, 0.7, 0.8, 0.9, 1.0};

    *cuts = (struct cuts){};
    for (int i = 0; i < CUT_COUNT; i++)
        cuts->at[i] = (int64_t)(settled(count) * shares[i]);
}

/* The ends of ten bins of as many rows each, those left over in the first ones. */
static void cuts_bins(struct cuts *cuts, double count)
{
    int64_t whole = (int64_t)settled(count), at = 0;

    *cuts = (struct cuts){};
    for (int i = 0; i < CUT_COUNT; i++)
        cuts->at[i] = at += whole / CUT_COUNT + (i < whole % CUT_COUNT);
}

static double weigh_bins(const struct tally seen[2][CUT_COUNT])
{
    double sum = 0, weight = 0;

    for (int i = 0; i < CUT_COUNT; i++) {
        struct tally bin;

        for (int arm = 0; arm < 2; arm++) {
            bin.count[arm] =
                seen[arm][i].count[arm] - (i ? seen[arm][i - 1].count[arm] : 0);
            bin.sum[arm] = seen[arm][i].sum[arm] - (i ? seen[arm][i - 1].sum[arm] : 0);
        }
        sum += bin.count[1] * difference(&bin);
        weight += bin.count[1];
    }
    return sum / weight;
}

struct first {
    struct cuts shares, bins; /* of all rows */
    struct cuts arm_shares[2], arm_bins[2];
    struct tally tally;
};

static void first_add(struct first *first, bool is_treated, double outcome, double weight)
{
    double own;

    tally_add(&first->tally, is_treated, outcome, weight);
    own = first->tally.count[is_treated];
    cuts_pass(&first->shares, rows_of(&first->tally), &first->tally);
    cuts_pass(&first->bins, rows_of(&first->tally), &first->tally);
    cuts_pass(&first->arm_shares[is_treated], own, &first->tally);
    cuts_pass(&first->arm_bins[is_treated], own, &first->tally);
}

void uplift_walk_first(const struct uplift *uplift, const uint32_t *draws,
                       const struct tally *all, struct uplift_metrics *metrics)
{
    struct first first = {};
    struct tally seen[2][CUT_COUNT];

    cuts_shares(&first.shares, rows_of(all));
    cuts_bins(&first.bins, rows_of(all));
    for (int arm = 0; arm < 2; arm++) {
        cuts_shares(&first.arm_shares[arm], all->count[arm]);
        cuts_bins(&first.arm_bins[arm], all->count[arm]);
        /* Those of no rows are passed before the first. */
        cuts_pass(&first.arm_shares[arm], 0, &first.tally);
        cuts_pass(&first.arm_bins[arm], 0, &first.tally);
    }
    cuts_pass(&first.shares, 0, &first.tally);
    cuts_pass(&first.bins, 0, &first.tally);
    for (int64_t from = 0, end; from < uplift->row_count; from = end) {
        for (end = from; !(uplift->flags[end++] & FLAG_LAST);)
            ;
        for (int64_t i = end - 1; i >= from; i--)
            for (uint32_t again = times(draws, i); again > 0; again--)
                first_add(&first, uplift->flags[i] & FLAG_TREATED, uplift->outcomes[i],
                          weight_at(uplift, i));
    }
    for (int i = 0; i < CUT_COUNT; i++) {
        struct tally both = first.arm_shares[0].seen[i];

        both.count[1] = first.arm_shares[1].seen[i].count[1];
        both.sum[1] = first.arm_shares[1].seen[i].sum[1];
        metrics->overall[i] = difference(&first.shares.seen[i]);
        metrics->by_group[i] = difference(&both);
    }
    memcpy(seen[0], first.bins.seen, sizeof seen[0]);
    memcpy(seen[1], first.bins.seen, sizeof seen[1]);
    metrics->weighted_overall = weigh_bins(seen);
    memcpy(seen[0], first.arm_bins[0].seen, sizeof seen[0]);
    memcpy(seen[1], first.arm_bins[1].seen, sizeof seen[1]);
    metrics->weighted_by_group = weigh_bins(seen);
}
