/* explore.c - choosing by chance. */
#include "optimize/explore.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^-x for x >= 0 to a few units in the last place, by additions and products alone: exp() of a
 * library may differ from one machine to the next. */
static double decay(double x)
{
    static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    static const double inverse_factorials[] = {
        1.0,
        1.0,
        1.0 / 2,
        1.0 / 6,
        1.0 / 24,
        1.0 / 120,
        1.0 / 720,
        1.0 / 5040,
        1.0 / 40320,
        1.0 / 362880,
        1.0 / 3628800,
        1.0 / 39916800,
        1.0 / 479001600,
        1.0 / 6227020800,
    };
    int last = sizeof inverse_factorials / sizeof inverse_factorials[0] - 1;
    double rest, sum = inverse_factorials[last], power;
    uint64_t halvings, bits;

    if (!(x < 700)) /* below 1e-304 nothing is left of a sum with 1 */
        return 0;
    halvings = (uint64_t)(x / (ln2_high + ln2_low) + 0.5);
    rest = ((double)halvings * ln2_high - x) + (double)halvings * ln2_low;
    for (int i = last - 1; i >= 0;
         i--) /* |rest| <= ln 2 / 2: the next term is below 1e-17 */
        sum = sum * rest + inverse_factorials[i];
    bits = (1023 - halvings) << 52;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
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

/* Add mass x exp((sign x value - the largest) / scale) / Z to each; evenly for scale 0. */
static void add_softmax(double mass, double sign, const double *values, double scale,
                        const struct open_options *open, double *probabilities)
{
    double weights[EXPLORE_OPTION_COUNT_MAX], largest = -INFINITY, total = 0;

    for (int i = 0; i < open->count; i++)
        largest = fmax(largest, sign * values[open->indices[i]]);
    for (int i = 0; i < open->count; i++) {
        double below = largest - sign * values[open->indices[i]];

        weights[i] = scale > 0 ? decay(below / scale) : 1;
        total += weights[i];
    }
    for (int i = 0; i < open->count; i++)
        probabilities[open->indices[i]] += mass * (weights[i] / total);
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
    floor = fmin(exploration->floor, 1.0 / open.count);
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
