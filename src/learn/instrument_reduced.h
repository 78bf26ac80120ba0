/* instrument_reduced.h - how instruments move treatment and outcome, with the covariances
 * of robust errors, and what can be told from that alone. Private to learn/.
 *
 * All of it is in the orthonormal directions of what the covariates leave of the
 * instruments. */
#ifndef REDRESS_LEARN_INSTRUMENT_REDUCED_H
#define REDRESS_LEARN_INSTRUMENT_REDUCED_H

#include "learn/instrument.h"

struct reduced {
    int count;                   /* instruments that are kept */
    double freedom;              /* below an F: n - k, of clusters one less than them */
    double *numbers;             /* of all below */
    double *directions;          /* (direction, column): of a basis */
    double *treatment, *outcome; /* (direction) */
    double *tt, *yy, *both; /* (direction, direction): covariances; both: of treatment and
                                       outcome, and of outcome and treatment, added */
    double *matrix, *right, *other; /* room for what is solved */
};

/* basis: of covariates and, behind them from the column first on, instruments. left_t,
 * left_y (row): set to what it leaves of treatment and outcome; scratch (row). The caller
 * closes *reduced, also after a failure. INVALID with too few clusters. EXHAUSTED. */
enum status reduced_open(const struct basis *basis, int first,
                         const struct instrument_data *data, struct covariance_rule rule,
                         double *left_t, double *left_y, double *scratch,
                         struct reduced *reduced, struct err *err);
void reduced_close(struct reduced *reduced); /* one that is zero is fine */

/* Wald's statistic of the first stage over its degrees of freedom. */
double reduced_f(struct reduced *reduced);

/* The effective F of Montiel Olea and Pflueger (2013): how far the treatment is moved, in
 * what errors make of it. */
double reduced_effective_f(const struct reduced *reduced);

/* Anderson and Rubin's set by Wald's statistic: effects b for which the instruments move
 * y - b t by no more than 5 % of chance. Where it has several parts, what lies between
 * them is in it, too. */
void reduced_set(struct reduced *reduced, struct instrument_effect *effect);

/* Hansen's (1982) J of the second step, residuals (row) being those of the first. basis
 * as above. */
enum status reduced_hansen(struct reduced *reduced, const struct basis *basis,
                           struct covariance_rule rule, const double *residuals,
                           double *stat, struct err *err);

/* The x that an F is exceeded by with a probability of 5 %. */
double f_critical(double above, double below);

#endif
