/* hull.c - see hull.h. */
#include "optimize/hull.h"

#include <stdbool.h>

static bool is_before(const struct pacer_option *a, const struct pacer_option *b)
{
    return a->cost < b->cost || (a->cost == b->cost && a->value > b->value);
}

static void sort(struct pacer_option *options, int count)
{
    for (int i = 1; i < count; i++) {
        struct pacer_option option = options[i];
        int at = i;

        for (; at > 0 && is_before(&option, &options[at - 1]); at--)
            options[at] = options[at - 1];
        options[at] = option;
    }
}

double hull_slope(const struct pacer_option *from, const struct pacer_option *to)
{
    return (to->value - from->value) / (to->cost - from->cost);
}

int hull_keep(struct pacer_option *options, int count)
{
    int kept = 0;

    sort(options, count);
    for (int i = 0; i < count; i++) {
        if (kept > 0 && options[i].value <= options[kept - 1].value)
            continue;
        while (kept > 1 && hull_slope(&options[kept - 1], &options[i]) >=
                               hull_slope(&options[kept - 2], &options[kept - 1]))
            kept--;
        options[kept++] = options[i];
    }
    return kept;
}
