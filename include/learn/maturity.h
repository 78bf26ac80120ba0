/* maturity.h - outcomes that are still to come, completed from what is known of their
 * rows so far.
 *
 * A row is mature when its outcome is there. Whether it is may depend on everything that
 * is known of the row (features, what was done, surrogates), but on nothing else of its
 * outcome: missing at random. Then
 *
 *   m(row) + [mature] (y - m(row)) / c(row)
 *
 * has the mean of y among any rows (Robins, Rotnitzky and Zhao 1994; with surrogates
 * Kallus and Mao 2020), where m, what to expect of the outcome, and c, the chance of
 * being mature, are models that have not seen the row. Its spread is that of what is not
 * known yet: errors from it hold, while those from m, taken as if it had been observed,
 * are too small. Rows that miss a surrogate, too, are a group of their own, with m by
 * plain features of all mature rows and a chance of their own: the others' models have
 * never seen a gap there.
 *
 * Pure but for the library of trees; any thread. */
#ifndef REDRESS_LEARN_MATURITY_H
#define REDRESS_LEARN_MATURITY_H

#include "learn/learner.h"

/* The least chance of being mature that is believed. */
#define MATURITY_CHANCE_MIN 0.05

struct maturity_data {
    int64_t row_count;
    struct feature_rows features; /* all that is known of a row so far, without a last */
    struct feature_rows plain;    /* the same without surrogates */
    const bool *is_bare;          /* (row): a surrogate is missing, too; NULL: none is */
    const double *outcomes;       /* (row), NaN where not mature */
    const double *weights;        /* (row), NULL for 1 */
    const uint64_t *keys;         /* (row); NULL: every row has its own */
    bool is_binary;
};

struct maturity {
    double *outcomes; /* (row): found, or else expected: to learn from */
    /* (fold, row): the same, by rows outside a fold of learner_hold_out */
    double *held_out;
    double *judged; /* (row): the sum above, to judge by */
    /* mature rows whose chance was raised to MATURITY_CHANCE_MIN */
    int64_t clipped_count;
};

/* base, seed: of the models of outcomes. INVALID when a fold has no mature row outside,
 * or none with its surrogates while others have them. The caller frees it with
 * maturity_free, also after a failure. */
enum status maturity_complete(const struct maturity_data *data, enum predictor_base base,
                              uint64_t seed, struct maturity *maturity, struct err *err);
void maturity_free(struct maturity *maturity);

#endif
