/* allocate_hull.c - the upper left hull of a request's actions. */
#include "optimize/allocate_hull.h"

#include <stdbool.h>

struct menu {
    const int64_t *costs, *values;
};

static bool goes_before(const struct menu *menu, int32_t a, int32_t b)
{
    if (menu->costs[a] != menu->costs[b])
        return menu->costs[a] < menu->costs[b];
    if (menu->values[a] != menu->values[b])
        return menu->values[a] > menu->values[b];
    return a < b;
}

static void sink(const struct menu *menu, int32_t *points, int count, int at)
{
    int32_t point = points[at];

    for (;;) {
        int child = 2 * at + 1;

        if (child + 1 < count && goes_before(menu, points[child], points[child + 1]))
            child++;
        if (child >= count || !goes_before(menu, point, points[child]))
            break;
        points[at] = points[child];
        at = child;
    }
    points[at] = point;
}

static void sort_long(const struct menu *menu, int32_t *points, int count)
{
    for (int i = count / 2 - 1; i >= 0; i--)
        sink(menu, points, count, i);
    for (int last = count - 1; last > 0; last--) {
        int32_t top = points[0];

        points[0] = points[last];
        points[last] = top;
        sink(menu, points, last, 0);
    }
}

/* By rising cost. Menus mostly come so. */
static void sort(const struct menu *menu, int32_t *points, int count)
{
    enum { SHORT = 32 };
    int move_count = 0;

    for (int i = 1; i < count; i++) {
        int32_t point = points[i];
        int at = i;

        for (; at > 0 && goes_before(menu, point, points[at - 1]); at--)
            points[at] = points[at - 1];
        points[at] = point;
        move_count += i - at;
        if (move_count > SHORT * SHORT) {
            sort_long(menu, points, count);
            return;
        }
    }
}

/* Whether b lies on or under the line from a to c. */
static bool is_under(const struct menu *menu, int32_t a, int32_t b, int32_t c)
{
    __int128 rise =
        (__int128)(menu->values[c] - menu->values[b]) * (menu->costs[b] - menu->costs[a]);
    __int128 fall =
        (__int128)(menu->values[b] - menu->values[a]) * (menu->costs[c] - menu->costs[b]);

    return rise >= fall;
}

int allocate_hull(const int64_t *costs, const int64_t *values, int action_count,
                  int32_t *points)
{
    const struct menu menu = {costs, values};
    int count = 1;

    for (int i = 0; i < action_count; i++)
        points[i] = i;
    sort(&menu, points, action_count);
    for (int i = 1; i < action_count; i++) {
        int32_t point = points[i];

        if (values[point] <= values[points[count - 1]])
            continue;
        while (count > 1 && is_under(&menu, points[count - 2], points[count - 1], point))
            count--;
        points[count++] = point;
    }
    return count;
}
