/* percentile.c - order statistics. */
#include "learn/percentile.h"

#include <math.h>
#include <stdlib.h>

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double percentile(const double *sorted, int count, double share)
{
    double place = share * (count - 1);
    int below = (int)place;

    return below + 1 < count
               ? sorted[below] + (place - below) * (sorted[below + 1] - sorted[below])
               : sorted[below];
}

void percentile_interval(double *values, int count, double *low, double *high)
{
    *low = *high = NAN;
    if (count == 0)
        return;
    qsort(values, (size_t)count, sizeof *values, double_compare);
    *low = percentile(values, count, 0.025);
    *high = percentile(values, count, 0.975);
}
