/* draw.c - see draw.h. */
#include "learn/draw.h"

#include "base/portable.h"

#include <math.h>

enum {
    POISSON_MEAN_MAX = 24
}; /* of one search: its first probability stays a normal number */

/* In (0, 1]: what a logarithm can be taken of. */
static double uniform_above_zero(struct rng *rng)
{
    return 1 - rng_uniform(rng);
}

double draw_exponential(struct rng *rng, double mean)
{
    return -mean * portable_log(uniform_above_zero(rng));
}

double draw_normal(struct rng *rng)
{
    double x, y, square;

    do {
        x = 2 * rng_uniform(rng) - 1;
        y = 2 * rng_uniform(rng) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    return x * sqrt(-2 * portable_log(square) / square);
}

double draw_gamma(struct rng *rng, double shape)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        double x = draw_normal(rng), root = 1 + c * x, v = root * root * root;

        if (root > 0 && portable_log(uniform_above_zero(rng)) <
                            0.5 * x * x + d - d * v + d * portable_log(v))
            return d * v;
    }
}

double draw_beta(struct rng *rng, double a, double b)
{
    double first = draw_gamma(rng, a), second = draw_gamma(rng, b);

    return first / (first + second);
}

/* By inversion: the probabilities are added up until they reach a uniform number. */
static int poisson_of_small(struct rng *rng, double mean)
{
    double left = rng_uniform(rng), probability = portable_exp(-mean);
    int count = 0;

    while (left >= probability && probability > 0) {
        left -= probability;
        probability *= mean / ++count;
    }
    return count;
}

int draw_poisson(struct rng *rng, double mean)
{
    int whole_count = (int)(mean / POISSON_MEAN_MAX), count = 0;

    for (int i = 0; i < whole_count; i++)
        count += poisson_of_small(rng, POISSON_MEAN_MAX);
    return count + poisson_of_small(rng, mean - (double)whole_count * POISSON_MEAN_MAX);
}

int draw_index(struct rng *rng, const double *shares, int count)
{
    double left = rng_uniform(rng);
    int index = 0;

    while (index < count - 1 && left >= shares[index])
        left -= shares[index++];
    return index;
}
