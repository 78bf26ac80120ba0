/* demand.h - what cases would take of a budget as its price falls: curves in bins of the
 * price. Pure.
 *
 * Bins are evenly spaced in the logarithm of the price, 8 to an octave, and the first
 * reaches down to 0. Within a bin demand falls evenly with the price; so curves of
 * whatever number of cases have one size, and prices between the bins are exact to second
 * order. Private to optimize/. */
#ifndef REDRESS_OPTIMIZE_DEMAND_H
#define REDRESS_OPTIMIZE_DEMAND_H

#include "optimize/pacer.h"

enum {
    DEMAND_BINS_PER_OCTAVE = 8,
    DEMAND_EXPONENT_MIN = -14, /* prices up to 2^-14 share the first bin */
    DEMAND_BIN_COUNT = 320,    /* the last ends just below 2^26 */
    DEMAND_OPTION_COUNT_MAX = 64,
};

/* What some cases take: base at any price, and of each bin what is taken only below
 * it. */
struct demand {
    double case_count;
    double base;
    int low, high; /* bins from low up to before high may have something */
    float charges[DEMAND_BIN_COUNT]; /* minor units */
};

/* Price at which each bin begins, and the last ends. Filled by demand_begin. */
extern double demand_edges[DEMAND_BIN_COUNT + 1];

/* Before anything else here; again does no harm. Any thread. */
void demand_begin(void);

/* The bin of a price > 0. */
int demand_bin(double price);

/* What the options of a case, and nothing, ask of a budget as its price falls. */
struct demand_step {
    int bin;
    double charge;
};
struct demand_steps {
    double base; /* taken at any price */
    int count;
    struct demand_step items[DEMAND_OPTION_COUNT_MAX];
};

/* The upper hull of value over cost; beyond DEMAND_OPTION_COUNT_MAX options the later are
 * left out. What is no finite number is left out too. */
void demand_steps_make(const struct pacer_option *options, int option_count,
                       struct demand_steps *steps);

void demand_clear(struct demand *demand);
void demand_add_case(struct demand *demand, const struct demand_steps *steps,
                     double entitled);

/* Bins from low up to before high may have something. */
void demand_reach(struct demand *demand, int low, int high);

/* to += scale x from */
void demand_add(struct demand *to, const struct demand *from, double scale);
void demand_scale(struct demand *demand, double scale);

/* What is taken at a price, the base not counted. */
double demand_at(const struct demand *demand, double price);

#endif
