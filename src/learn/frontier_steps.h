/* frontier_steps.h - what a frontier is made of. Private to learn/frontier*.c. */
#ifndef REDRESS_LEARN_FRONTIER_STEPS_H
#define REDRESS_LEARN_FRONTIER_STEPS_H

#include "learn/frontier.h"

/* From one arm of a unit's hull to the next. */
struct step {
    int64_t row;
    double cost, effect, score;
};

struct frontier {
    int64_t row_count, step_count;
    struct step *steps;      /* by falling slope */
    double *spends;          /* (step + 1): running sums of costs */
    double *own;             /* (row): gain so far of each unit, for the errors */
    const int32_t *clusters; /* (row); NULL: each row is its own */
    int32_t cluster_count;
    double *sums; /* (cluster): room */
};

#endif
