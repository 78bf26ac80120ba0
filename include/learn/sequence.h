/* sequence.h - intervals that hold at every look at once, however often somebody looks.
 * Pure.
 *
 * The asymptotic confidence sequence of Waudby-Smith et al. (2021), from Robbins' normal
 * mixture: after n rows the mean is off by more than
 *
 *     sigma sqrt(2 (n rho^2 + 1) / (n^2 rho^2) log(sqrt(n rho^2 + 1) / alpha))
 *
 * at any n with a probability of at most alpha. rho must be fixed beforehand; it says at
 * which n the sequence is tightest. */
#ifndef REDRESS_LEARN_SEQUENCE_H
#define REDRESS_LEARN_SEQUENCE_H

enum { SEQUENCE_ROWS_TIGHTEST = 10000 }; /* unless somebody says otherwise */

/* The rho whose sequence is tightest at that many rows: n rho^2 = -2 log(alpha) + log(1 -
 * 2 log(alpha)), to a few thousandths of the radius. */
double sequence_rho(double row_count, double alpha);

/* sigma: standard deviation of a row. */
double sequence_radius(double sigma, double row_count, double rho, double alpha);

#endif
