/* linear.h - a linear or logistic model of our own: a weight per feature and an
 * intercept.
 *
 *   {"format": "redress-linear/1",
 *    "features": ["tenure_days", ...],   optional
 *    "weights": [[...]],                 a list per output; a flat list for one output
 *    "intercepts": [0.5],                or "intercept": 0.5
 *    "fill": [...],                      what a missing feature counts as; default 0
 *    "levels": [[], [0.5, -1], ...],     a list per feature: what each code of a category counts as in its
 *                                        place, any other code as a missing one; empty: it is a number
 *    "link": "identity"}                 or "sigmoid", "exp"
 *
 * Immutable after loading. */
#ifndef REDRESS_MODEL_LINEAR_H
#define REDRESS_MODEL_LINEAR_H

#include "base/err.h"
#include "model/forest.h"

#include <math.h>

/* What the codes of a category count as. */
struct linear_levels {
    int count;            /* 0: the feature is a number */
    const double *values; /* (code) */
};

struct linear {
    int feature_count;
    int output_count;
    enum link link;
    char **feature_names;         /* (feature) or NULL */
    double *weights;              /* (output, feature), row-major */
    double *intercepts;           /* (output) */
    double *fill;                 /* (feature) */
    struct linear_levels *levels; /* (feature); NULL: all are numbers */
    double *level_values;         /* what levels point into */
};

/* What a value of a feature counts as, before it is weighted. */
static inline double linear_input(const struct linear *linear, int feature, double value)
{
    const struct linear_levels *levels = linear->levels ? &linear->levels[feature] : NULL;

    if (isnan(value))
        return linear->fill[feature];
    if (!levels || levels->count == 0)
        return value;
    if (!(value >= 0 && value < levels->count) || value != floor(value))
        return linear->fill[feature];
    return levels->values[(int)value];
}

/* The caller frees *linear with linear_free. */
enum status linear_read(const char *text, size_t bytes, struct linear **linear,
                        struct err *err);
void linear_free(struct linear *linear); /* NULL is fine */

#endif
