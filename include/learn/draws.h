/* draws.h - how many draws an error rests on. Pure; any thread.
 *
 * An estimate is moved by m_i by each draw, which is a row or a cluster of rows, and its
 * variance is estimated by the sum of m_i^2. As many draws that all move it alike tell as
 * much of that variance as
 *
 *     (sum m^2)^2 / sum m^4
 *
 * which is, of n draws, n / 3 where they are normal, the count of the rarer of 0 and 1
 * where these are rare, about the count of others than 0 where most are 0, and few where
 * few are very large. Satterthwaite's (1946) degrees of freedom, twice the square of a
 * variance over the variance of its estimate, are 2 / (1 / draws - 1 / n): n where draws
 * are normal, and about twice the draws where these are few of n. */
#ifndef REDRESS_LEARN_DRAWS_H
#define REDRESS_LEARN_DRAWS_H

/* Fewer make intervals too narrow, of rows and of clusters (which have Student's
 * intervals), and bounds that should hold at every look leave the truth more often than
 * they say: docs/evaluate.md. */
enum { DRAWS_MIN = 15, DRAWS_CLUSTERS_MIN = 6, DRAWS_SEQUENCE_MIN = 30 };

struct draws {
    double squares, fourths; /* sums */
};

static inline void draws_add(struct draws *draws, double move)
{
    double square = move * move;

    draws->squares += square;
    draws->fourths += square * square;
}

/* 0 where nothing moves it; NaN where the fourth powers are out of range. */
double draws_effective(struct draws draws);

#endif
