/* demand.c - see demand.h. */
#include "optimize/demand.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

double demand_edges[DEMAND_BIN_COUNT + 1];
static pthread_once_t edges_once = PTHREAD_ONCE_INIT;

static void make_edges(void)
{
    for (int i = 1; i <= DEMAND_BIN_COUNT; i++)
        demand_edges[i] =
            exp2(DEMAND_EXPONENT_MIN + (double)(i - 1) / DEMAND_BINS_PER_OCTAVE);
}

void demand_begin(void)
{
    pthread_once(&edges_once, make_edges);
}

int demand_bin(double price)
{
    double bin = floor((log2(price) - DEMAND_EXPONENT_MIN) * DEMAND_BINS_PER_OCTAVE) + 1;

    return bin < 0 ? 0 : bin >= DEMAND_BIN_COUNT ? DEMAND_BIN_COUNT - 1 : (int)bin;
}

/* --- one case --------------------------------------------------------------------------------- */

static bool is_before(const struct pacer_option *a, const struct pacer_option *b)
{
    return a->cost < b->cost || (a->cost == b->cost && a->value > b->value);
}

/* By rising cost, of equals the most valuable first: menus come nearly so. */
static int sort_options(const struct pacer_option *options, int count,
                        struct pacer_option *sorted)
{
    int kept = 0;

    for (int i = 0; i < count && kept < DEMAND_OPTION_COUNT_MAX; i++) {
        int at = kept;

        if (!isfinite(options[i].value) || !isfinite(options[i].cost) ||
            options[i].cost < 0)
            continue;
        for (; at > 0 && is_before(&options[i], &sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = options[i];
        kept++;
    }
    return kept;
}

static double slope_of(const struct pacer_option *from, const struct pacer_option *to)
{
    return (to->value - from->value) / (to->cost - from->cost);
}

/* Keep what some price >= 0 makes the best, in place. */
static int keep_hull(struct pacer_option *sorted, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++) {
        if (kept > 0 && sorted[i].value <= sorted[kept - 1].value)
            continue;
        while (kept > 1 && slope_of(&sorted[kept - 1], &sorted[i]) >=
                               slope_of(&sorted[kept - 2], &sorted[kept - 1]))
            kept--;
        sorted[kept++] = sorted[i];
    }
    return kept;
}

void demand_steps_make(const struct pacer_option *options, int option_count,
                       struct demand_steps *steps)
{
    struct pacer_option hull[DEMAND_OPTION_COUNT_MAX];
    int count = keep_hull(hull, sort_options(options, option_count, hull));

    steps->count = 0;
    steps->base = count > 0 ? (double)hull[0].amount : 0;
    for (int i = 1; i < count; i++) {
        double charge = (double)(hull[i].amount - hull[i - 1].amount);

        if (charge <= 0)
            continue;
        steps->items[steps->count++] = (struct demand_step){
            .bin = demand_bin(slope_of(&hull[i - 1], &hull[i])), .charge = charge};
    }
}

/* --- curves ----------------------------------------------------------------------------------- */

void demand_clear(struct demand *demand)
{
    memset(demand, 0, sizeof *demand);
}

void demand_reach(struct demand *demand, int low, int high)
{
    if (demand->low == demand->high) {
        demand->low = low;
        demand->high = high;
    }
    if (low < demand->low)
        demand->low = low;
    if (high > demand->high)
        demand->high = high;
}

void demand_add_case(struct demand *demand, const struct demand_steps *steps,
                     double entitled)
{
    demand->case_count++;
    demand->base += steps->base + entitled;
    for (int i = 0; i < steps->count; i++) {
        demand_reach(demand, steps->items[i].bin, steps->items[i].bin + 1);
        demand->charges[steps->items[i].bin] += (float)steps->items[i].charge;
    }
}

void demand_add(struct demand *to, const struct demand *from, double scale)
{
    float factor = (float)scale;

    to->case_count += scale * from->case_count;
    to->base += scale * from->base;
    if (from->low == from->high)
        return;
    demand_reach(to, from->low, from->high);
    for (int i = from->low; i < from->high; i++)
        to->charges[i] += factor * from->charges[i];
}

void demand_scale(struct demand *demand, double scale)
{
    demand->case_count *= scale;
    demand->base *= scale;
    for (int i = demand->low; i < demand->high; i++)
        demand->charges[i] *= (float)scale;
}

double demand_at(const struct demand *demand, double price)
{
    int bin = price > 0 ? demand_bin(price) : 0;
    double sum = 0;

    for (int i = demand->high - 1; i >= demand->low && i > bin; i--)
        sum += demand->charges[i];
    if (bin >= demand->low && bin < demand->high)
        sum += demand->charges[bin] * fmax(0, demand_edges[bin + 1] - price) /
               (demand_edges[bin + 1] - demand_edges[bin]);
    return sum;
}
