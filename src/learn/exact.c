/* exact.c - squares beside those of what is explained. */
#include "learn/exact.h"

#include <math.h>

/* Of a sum of squares. */
static const double rounding = 1e-24;

static double sum_squares(const double *values, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += values[i] * values[i];
    return sum;
}

bool exact_fit(const double *outcomes, const double *treatments, int64_t row_count,
               double value, double squares)
{
    double size = fmax(sum_squares(outcomes, row_count),
                       value * value * sum_squares(treatments, row_count));

    return squares <= rounding * size;
}
