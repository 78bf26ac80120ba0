/* explore.c - choosing by chance. */
#include "optimize/explore.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^-x for x >= 0, off by 1e-11 of itself at most, by additions and products alone: exp()
 * of a library may differ from one machine to the next. Taylor's polynomial of degree 9
 * in pairs (Estrin, 1960), which need not wait for each other. */
static double decay(double x)
{
    static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    static const double halvings_per_unit = 0x1.71547652b82fep+0; /* 1 / ln 2 */
    uint64_t halvings, bits;
    double r, r2, r4, low, middle, high, power;

    if (!(x < 700)) /* below 1e-304 nothing is left of a sum with 1 */
        return 0;
    halvings = (uint64_t)(int64_t)(x * halvings_per_unit + 0.5);
    r = ((double)(int64_t)halvings * ln2_high - x) + (double)(int64_t)halvings * ln2_low;
    r2 = r * r; /* |r| <= ln 2 / 2 */
    r4 = r2 * r2;
    low = (1 + r) + r2 * (1.0 / 2 + r * (1.0 / 6));
    middle = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040));
    high = 1.0 / 40320 + r * (1.0 / 362880);
    bits = (1023 - halvings) << 52;
    memcpy(&power, &bits, sizeof power);
    return (low + r4 * (middle + r4 * high)) * power;
}

/* The options that take part. */
struct open_options {
    int indices[EXPLORE_OPTION_COUNT_MAX];
    int count;
};

static void find_open(const double *net_values, const bool *is_open, int option_count,
                      int best, struct open_options *open)
{
    open->count = 0;
    for (int i = 0; i < option_count; i++)
        if (i == best || (is_open[i] && isfinite(net_values[i])))
            open->indices[open->count++] = i;
}

/* Add mass x exp((sign x value - the largest) / scale) / Z to each; evenly for scale
 * 0. */
static void add_softmax(double mass, double sign, const double *values, double scale,
                        const struct open_options *open, double *probabilities)
{
    double weights[EXPLORE_OPTION_COUNT_MAX], largest = -INFINITY, total = 0;

    if (scale == 0) {
        for (int i = 0; i < open->count; i++)
            probabilities[open->indices[i]] += mass / open->count;
        return;
    }
    for (int i = 0; i < open->count; i++) {
        double value = sign * values[open->indices[i]];

        largest = value > largest ? value : largest;
    }
    for (int i = 0; i < open->count; i++) {
        weights[i] = decay((largest - sign * values[open->indices[i]]) / scale);
        total += weights[i];
    }
    mass /= total; /* of which the largest is 1 */
    for (int i = 0; i < open->count; i++)
        probabilities[open->indices[i]] += mass * weights[i];
}

void explore_probabilities(const struct exploration *exploration,
                           const double *net_values, const double *costs,
                           const bool *is_open, int option_count, int best,
                           double *probabilities)
{
    struct open_options open;
    double floor, rest;

    assert(option_count <= EXPLORE_OPTION_COUNT_MAX);
    assert(best >= 0 && best < option_count);
    memset(probabilities, 0, (size_t)option_count * sizeof *probabilities);
    find_open(net_values, is_open, option_count, best, &open);
    if (open.count == 1 || !isfinite(net_values[best])) {
        probabilities[best] = 1;
        return;
    }
    floor = exploration->floor;
    if (floor * open.count > 1)
        floor = 1.0 / open.count;
    rest = 1 - open.count * floor;
    if (exploration->temperature > 0)
        add_softmax(rest * (1 - exploration->epsilon), 1, net_values,
                    exploration->temperature, &open, probabilities);
    else
        probabilities[best] = rest * (1 - exploration->epsilon);
    if (exploration->epsilon > 0)
        add_softmax(rest * exploration->epsilon, -1, costs, exploration->cost_scale,
                    &open, probabilities);
    for (int i = 0; i < open.count; i++)
        probabilities[open.indices[i]] += floor;
}

int explore_choose(const double *probabilities, int option_count, double draw)
{
    double below = 0;
    int chosen = -1;

    for (int i = 0; i < option_count; i++) {
        if (!(probabilities[i] > 0))
            continue;
        chosen = i; /* the last one has what rounding leaves below 1 */
        below += probabilities[i];
        if (draw < below)
            break;
    }
    assert(chosen >= 0);
    return chosen;
}
