/* frontier_steps.h - what a frontier is made of. Private to learn/frontier*.c. */
#ifndef REDRESS_LEARN_FRONTIER_STEPS_H
#define REDRESS_LEARN_FRONTIER_STEPS_H

#include "learn/frontier.h"

enum { STEPS_PER_MARK = 1024 };

/* From one arm of a unit's hull to the next: 16 bytes, since there may be one for each
 * arm of each row. */
struct step {
    union {
        double slope; /* until they are sorted */
        double score; /* from then on */
    };
    uint32_t row;
    uint16_t from,
        to; /* places among the arms by rising cost, from 1; 0: nothing at all */
};

struct frontier {
    struct frontier_data data; /* borrowed */
    int *by_cost;              /* (place - 1): arms by rising cost */
    double *costs;             /* (place): what they cost; of nothing at all 0 */
    int64_t row_count, step_count;
    struct step *steps;      /* by falling slope */
    double *predicted;       /* (step / STEPS_PER_MARK): sums of effects before it */
    double spend_max;        /* sum of all costs */
    double *own;             /* (row): gain so far of each unit, for the errors */
    const int32_t *clusters; /* (row); NULL: each row is its own */
    int32_t cluster_count;
    double *sums; /* (cluster): room */
};

static inline double frontier_cost(const struct frontier *frontier,
                                   const struct step *step)
{
    return frontier->costs[step->to] - frontier->costs[step->from];
}

/* By falling slope, then by rising row, then by rising cost; in place. */
void frontier_sort(struct step *steps, int64_t count);

#endif
