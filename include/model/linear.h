/* linear.h - a linear or logistic model of our own: a weight per feature and an intercept.
 *
 *   {"format": "redress-linear/1",
 *    "features": ["tenure_days", ...],   optional
 *    "weights": [[...]],                 a list per output; a flat list for one output
 *    "intercepts": [0.5],                or "intercept": 0.5
 *    "fill": [...],                      what a missing feature counts as; default 0
 *    "link": "identity"}                 or "sigmoid", "exp"
 *
 * Immutable after loading. */
#ifndef REDRESS_MODEL_LINEAR_H
#define REDRESS_MODEL_LINEAR_H

#include "base/err.h"
#include "model/forest.h"

struct linear {
    int feature_count;
    int output_count;
    enum link link;
    char **feature_names; /* (feature) or NULL */
    double *weights;      /* (output, feature), row-major */
    double *intercepts;   /* (output) */
    double *fill;         /* (feature) */
};

/* The caller frees *linear with linear_free. */
enum status linear_read(const char *text, size_t bytes, struct linear **linear,
                        struct err *err);
void linear_free(struct linear *linear); /* NULL is fine */

#endif
