/* uplift_weights.h - whether the weights 1/p of evaluate uplift can be believed, by the
 * rule of evaluate policy: each of the two arms is a policy that gives it to everybody.
 * Private to the command. */
#ifndef REDRESS_APP_UPLIFT_WEIGHTS_H
#define REDRESS_APP_UPLIFT_WEIGHTS_H

#include "app/report.h"
#include "learn/offpolicy.h"

enum { UPLIFT_SIDE_COUNT = 2 }; /* the control, then the treated */

/* All rows of the log, also those of other arms, borrowed. */
struct uplift_weights_log {
    int64_t row_count;
    const int32_t *arms;     /* (row) */
    const double *inverses;  /* (row): 1/p of what was done; looked at in the two arms */
    const double *outcomes;  /* (row) */
    const int32_t *clusters; /* (row) from 0; NULL: each row is its own */
    int32_t cluster_count;
    int sides[UPLIFT_SIDE_COUNT]; /* arms */
};

/* Zero: no weights. */
struct uplift_weights {
    struct offpolicy_weights sides[UPLIFT_SIDE_COUNT];
    struct {
        int side;
        char text[OFFPOLICY_REASON_BYTES];
    } reasons[UPLIFT_SIDE_COUNT * OFFPOLICY_REASON_COUNT_MAX];
    int reason_count; /* why they cannot be believed; 0: they can */
};

/* Takes eight bytes a row meanwhile. EXHAUSTED. */
enum status uplift_weights_check(const struct uplift_weights_log *log,
                                 struct uplift_weights *weights, struct err *err);

/* "effective_rows", "mean_weight", "verdict" and "why". names (side): of the arms. */
void uplift_weights_put(const struct uplift_weights *weights,
                        const char *const names[UPLIFT_SIDE_COUNT],
                        struct report *report);

/* The verdict for people, with its reasons; nothing when they can be believed. */
void uplift_weights_print(const struct uplift_weights *weights,
                          const char *const names[UPLIFT_SIDE_COUNT]);

#endif
