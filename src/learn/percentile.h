/* percentile.h - the ends of a 95 % interval among what resamples gave. Private to
 * learn/. */
#ifndef REDRESS_LEARN_PERCENTILE_H
#define REDRESS_LEARN_PERCENTILE_H

/* Sorts values (count); between the two order statistics beside each end, linearly. NaN
 * without values. */
void percentile_interval(double *values, int count, double *low, double *high);

#endif
