/* uplift_first.c - what is told of the first so many rows, and of bins. */
#include "learn/uplift_walk.h"

#include <string.h>

enum { CUT_COUNT = UPLIFT_SHARE_COUNT };

/* Sums of weights may end so far below the count that they make up. */
static const double rounding = 1e-6;

/* Sums among the first so many rows. */
struct cuts {
    double at[CUT_COUNT + 1]; /* rising; the last is never reached */
    struct tally seen[CUT_COUNT];
    int next;
};

static double settled(double count)
{
    return fabs(count - round(count)) < rounding ? round(count) : count;
}

static void cuts_pass(struct cuts *cuts, double count, const struct tally *tally)
{
    while (cuts->at[cuts->next] <= count + rounding)
        cuts->seen[cuts->next++] = *tally;
}

/* The first tenth, two tenths ..: shares as they are written, rounded down as Python
 * does. */
static void cuts_shares(struct cuts *cuts, double count)
{
    static const double shares[CUT_COUNT] = {0.1, 0.2, 0.3, 0.4, 0.5,
                                             0.6, 0.7, 0.8, 0.9, 1.0};

    *cuts = (struct cuts){.at[CUT_COUNT] = INFINITY};
    for (int i = 0; i < CUT_COUNT; i++)
        cuts->at[i] = floor(settled(count) * shares[i]);
}

/* The ends of ten bins of as many rows each, those left over in the first ones. */
static void cuts_bins(struct cuts *cuts, double count)
{
    int64_t whole = (int64_t)settled(count), at = 0;

    *cuts = (struct cuts){.at[CUT_COUNT] = INFINITY};
    for (int i = 0; i < CUT_COUNT; i++) {
        at += whole / CUT_COUNT + (i < whole % CUT_COUNT);
        cuts->at[i] = (double)at;
    }
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

/* All rows, or an arm's. */
struct part {
    struct cuts shares, bins;
    double due; /* the count that the next of them is at */
};

static void part_cut(struct part *part, double count, struct tally tally)
{
    cuts_pass(&part->shares, count, &tally);
    cuts_pass(&part->bins, count, &tally);
    part->due = fmin(part->shares.at[part->shares.next], part->bins.at[part->bins.next]);
}

static inline void part_pass(struct part *part, double count, struct tally tally)
{
    if (part->due <= count + rounding)
        part_cut(part, count, tally);
}

/* Those of no rows are passed before the first. */
static void part_begin(struct part *part, double count)
{
    cuts_shares(&part->shares, count);
    cuts_bins(&part->bins, count);
    part->due = 0;
    part_pass(part, 0, (struct tally){});
}

struct first {
    struct part all, arms[2];
};

static inline void first_pass(struct first *first, struct tally tally)
{
    part_pass(&first->all, rows_of(&tally), tally);
    part_pass(&first->arms[0], tally.count[0], tally);
    part_pass(&first->arms[1], tally.count[1], tally);
}

void uplift_walk_first(const struct uplift *uplift, const uint32_t *draws,
                       const struct tally *all, struct uplift_metrics *metrics)
{
    struct first first = {};
    struct tally tally = {};
    struct tally seen[2][CUT_COUNT];

    part_begin(&first.all, rows_of(all));
    for (int arm = 0; arm < 2; arm++)
        part_begin(&first.arms[arm], all->count[arm]);
    for (int64_t from = 0, end; from < uplift->row_count; from = end) {
        for (end = from; !(uplift->flags[end++] & FLAG_LAST);)
            ;
        for (int64_t i = end - 1; i >= from; i--)
            for (uint32_t again = times(draws, i); again > 0; again--) {
                tally_add(&tally, uplift->flags[i] & FLAG_TREATED, uplift->outcomes[i],
                          weight_at(uplift, i));
                first_pass(&first, tally);
            }
    }
    for (int i = 0; i < CUT_COUNT; i++) {
        struct tally both = first.arms[0].shares.seen[i];

        both.count[1] = first.arms[1].shares.seen[i].count[1];
        both.sum[1] = first.arms[1].shares.seen[i].sum[1];
        metrics->overall[i] = difference(&first.all.shares.seen[i]);
        metrics->by_group[i] = difference(&both);
    }
    memcpy(seen[0], first.all.bins.seen, sizeof seen[0]);
    memcpy(seen[1], first.all.bins.seen, sizeof seen[1]);
    metrics->weighted_overall = weigh_bins(seen);
    memcpy(seen[0], first.arms[0].bins.seen, sizeof seen[0]);
    memcpy(seen[1], first.arms[1].bins.seen, sizeof seen[1]);
    metrics->weighted_by_group = weigh_bins(seen);
}
