/* hull.c - the upper hull of value over cost (Sinha and Zoltners, 1979). */
#include "optimize/hull.h"

#include <math.h>
#include <stdbool.h>

static const struct price_option nothing = {0, 0, 0};

/* What an option brings beyond its own cost. */
static double value_of(const struct price_option *option)
{
    return option->effect - option->cost;
}

/* By rising cost; of equals the best value, then the smallest amount goes first. */
static bool goes_before(const struct price_option *a, const struct price_option *b)
{
    if (a->cost != b->cost)
        return a->cost < b->cost;
    if (value_of(a) != value_of(b))
        return value_of(a) > value_of(b);
    return a->amount < b->amount;
}

static int sort_points(const struct price_option *options, int option_count,
                       const struct price_option **points)
{
    int count = 0;

    for (int i = -1; i < option_count; i++) {
        const struct price_option *option = i < 0 ? &nothing : &options[i];
        int at = count;

        if (!isfinite(option->effect) || !isfinite(option->cost))
            continue;
        while (at > 0 && goes_before(option, points[at - 1])) {
            points[at] = points[at - 1];
            at--;
        }
        points[at] = option;
        count++;
    }
    return count;
}

static double slope(const struct price_option *from, const struct price_option *to)
{
    return (value_of(to) - value_of(from)) / (to->cost - from->cost);
}

int hull_of(const struct price_option *options, int option_count,
            const struct price_option **points, struct increment *increments,
            double *base)
{
    int point_count = sort_points(options, option_count, points);
    int count = 1; /* points kept, at the front of points */

    for (int i = 1; i < point_count; i++) {
        if (value_of(points[i]) <= value_of(points[count - 1]))
            continue;
        while (count > 1 && slope(points[count - 1], points[i]) >=
                                slope(points[count - 2], points[count - 1]))
            count--;
        points[count++] = points[i];
    }
    *base = (double)points[0]->amount;
    for (int i = 1; i < count; i++)
        increments[i - 1] = (struct increment){
            .threshold = slope(points[i - 1], points[i]),
            .amount = (double)(points[i]->amount - points[i - 1]->amount),
        };
    return count - 1;
}
