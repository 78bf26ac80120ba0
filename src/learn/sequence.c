/* sequence.c - one formula and its parameter. */
#include "learn/sequence.h"

#include <math.h>

double sequence_rho(double row_count, double alpha)
{
    double size = -2 * log(alpha);

    return sqrt((size + log(size + 1)) / row_count);
}

double sequence_radius(double sigma, double row_count, double rho, double alpha)
{
    double scaled = row_count * rho * rho;

    return sigma *
           sqrt(2 * (scaled + 1) / (row_count * scaled) * log(sqrt(scaled + 1) / alpha));
}
