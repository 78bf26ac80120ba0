/* delayed.h - conversions that have not all come yet. Pure; any thread.
 *
 * A row is in an arm, has been watched for `elapsed`, and has converted after `delay`, or
 * not yet. */
#ifndef REDRESS_LEARN_DELAYED_H
#define REDRESS_LEARN_DELAYED_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Rows (row) of one arm; delays are used where there was a conversion, at most
 * elapsed. */
struct delayed_rows {
    int64_t row_count;
    const double *elapsed, *delays;
    const bool *is_converted;
};

struct delayed_fit {
    double share;    /* p: who converts in the end */
    double share_se; /* NaN at the edge, where no error is symmetric */
    double rate;     /* lambda: of those, per unit of time */
    double naive;    /* have converted so far */
    int64_t converted_count;
    /* all convert in the end, or nobody more: the log is too young to tell */
    bool is_at_edge;
};

/* Mixture cure by maximum likelihood: P(converted by e) = p (1 - exp(-lambda e)); EM,
 * then Newton's steps; the error from the observed information. INVALID without a
 * conversion. */
enum status delayed_fit(const struct delayed_rows *rows, struct delayed_fit *fit,
                        struct err *err);

/* Kaplan and Meier's share of conversions by a time, with Greenwood's error; NaN where
 * the share is 0 or 1, which says nothing of how far it may be off. EXHAUSTED. */
enum status delayed_incidence(const struct delayed_rows *rows, double horizon,
                              double *share, double *se, struct err *err);

/* Share that converted within the window, of those watched for at least as long, how many
 * these are, and the binomial error; NaN where the share is 0 or 1. */
double delayed_windowed(const struct delayed_rows *rows, double window, int64_t *count,
                        double *se);

#endif
