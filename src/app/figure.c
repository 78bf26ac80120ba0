/* figure.c - see figure.h. */
#include "app/figure.h"

#include <math.h>
#include <stdio.h>

struct figure figure(double value, int digits)
{
    struct figure figure = {"-"};

    if (isfinite(value))
        snprintf(figure.text, sizeof figure.text, "%.*g", digits, value);
    return figure;
}

struct figure figure_interval(double value, double low, double high, int digits,
                              int blanks)
{
    struct figure interval = {""};

    if (isfinite(value) && (isfinite(low) || isfinite(high)))
        snprintf(interval.text, sizeof interval.text, "%*s[%.24s, %.24s]", blanks, "",
                 figure(low, digits).text, figure(high, digits).text);
    return interval;
}
