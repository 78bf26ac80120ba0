/* portable.h - exp and log that give the same bits on every machine.
 *
 * Those of the C library differ in the last digit between its versions and between
 * processors. These are made of IEEE additions, multiplications and divisions in a fixed
 * order, and are right to 1e-15 of the result. Pure functions. */
#ifndef REDRESS_BASE_PORTABLE_H
#define REDRESS_BASE_PORTABLE_H

/* Below -700 and above 700 as at these. */
double portable_exp(double x);

/* x > 0, finite. */
double portable_log(double x);

#endif
