/* values.h - what the libraries make of a feature's value before a split looks at it.
 * Private to infer/. */
#ifndef REDRESS_INFER_VALUES_H
#define REDRESS_INFER_VALUES_H

/* LightGBM's kZeroThreshold: 1e-35 as float. What is as near to zero is zero. */
static const double zero_threshold = 1e-35f;

/* XGBoost's categories are below 2^24, where float still counts by one. */
static const double category_end = 1 << 24;

#endif
