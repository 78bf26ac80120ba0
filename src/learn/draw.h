/* draw.h - numbers drawn from the usual distributions, the same on every machine for the
 * same state. Pure but for the state of rng. */
#ifndef REDRESS_LEARN_DRAW_H
#define REDRESS_LEARN_DRAW_H

#include "base/rng.h"

double draw_exponential(struct rng *rng, double mean);

/* Mean 0, variance 1 (Marsaglia's polar method). */
double draw_normal(struct rng *rng);

/* Mean shape, variance shape; shape >= 1 (Marsaglia and Tsang 2000, "A simple method for
 * generating gamma variables"). */
double draw_gamma(struct rng *rng, double shape);

/* a, b >= 1. */
double draw_beta(struct rng *rng, double a, double b);

/* mean >= 0; takes time as the mean. */
int draw_poisson(struct rng *rng, double mean);

/* An index with a chance as its share, the last for what is left. */
int draw_index(struct rng *rng, const double *shares, int count);

#endif
