/* distribution.h - the distributions that intervals and tests are read from. Pure
 * functions.
 *
 * Relative errors below 1e-12 where the result is above 1e-300. */
#ifndef REDRESS_LEARN_DISTRIBUTION_H
#define REDRESS_LEARN_DISTRIBUTION_H

/* What a 95 % interval of a normal estimate reaches on each side, in standard errors. */
#define NORMAL_95 1.959963984540054

/* P(Z <= z). */
double normal_cdf(double z);

/* P(|Z| >= |z|). */
double normal_two_sided(double z);

/* The z with P(Z <= z) = p, for 0 < p < 1; infinite at the ends. */
double normal_quantile(double p);

/* P(X >= x) of a chi-square with that many degrees of freedom (> 0); 1 for x <= 0. */
double chi_square_tail(double x, double freedom);

/* P(|T| >= |t|) of Student's t; the normal one at infinity. */
double student_two_sided(double t, double freedom);

/* What a 95 % interval reaches on each side, in standard errors that have so many degrees
 * of freedom (from 1 on): NORMAL_95 at infinity. */
double student_95(double freedom);

/* P(X >= x) of an F distribution with these degrees of freedom above and below; 1 for x
 * <= 0. */
double f_tail(double x, double above, double below);

#endif
