/* demand.c - see demand.h. */
#include "optimize/demand.h"

#include "optimize/hull.h"

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

/* --- one case ----------------------------------------------------------------------- */

/* What can be reckoned with. */
static int sound_options(const struct pacer_option *options, int count,
                         struct pacer_option *sound)
{
    int kept = 0;

    for (int i = 0; i < count && kept < DEMAND_OPTION_COUNT_MAX; i++)
        if (isfinite(options[i].value) && isfinite(options[i].cost) &&
            options[i].cost >= 0)
            sound[kept++] = options[i];
    return kept;
}

void demand_steps_make(const struct pacer_option *options, int option_count,
                       struct demand_steps *steps)
{
    struct pacer_option hull[DEMAND_OPTION_COUNT_MAX];
    int count = hull_keep(hull, sound_options(options, option_count, hull));

    steps->count = 0;
    steps->base = count > 0 ? (double)hull[0].amount : 0;
    for (int i = 1; i < count; i++) {
        double charge = (double)(hull[i].amount - hull[i - 1].amount);

        if (charge <= 0)
            continue;
        steps->items[steps->count++] = (struct demand_step){
            .bin = demand_bin(hull_slope(&hull[i - 1], &hull[i])), .charge = charge};
    }
}

/* --- curves ------------------------------------------------------------------------- */

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
