/* clusters.c - effective numbers and degrees of freedom. */
#include "learn/clusters.h"

#include <math.h>

double clusters_effective(const double *sizes, int32_t count)
{
    double sum = 0, squares = 0;

    for (int32_t g = 0; g < count; g++)
        if (!isnan(sizes[g])) {
            sum += sizes[g];
            squares += sizes[g] * sizes[g];
        }
    return squares > 0 ? sum * sum / squares : 0;
}

/* What one arm adds to the variance of the variance. */
static double doubt(double effective)
{
    return 1 / (effective * effective * (effective - 1));
}

double clusters_freedom(double one, double other, int32_t count)
{
    double variance = 1 / one + 1 / other;
    double freedom = variance * variance / (doubt(one) + doubt(other));

    /* Of one effective cluster a doubt has no end. */
    return fmax(1, fmin(freedom, (double)count - 1));
}
