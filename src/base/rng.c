/* rng.c - xoshiro256** and what is drawn from it. */
#include "base/rng.h"

#include <assert.h>
#include <math.h>

/* splitmix64: spreads a seed, also a small one, over the whole state. */
static uint64_t split(uint64_t *seed)
{
    uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

void rng_seed(struct rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = split(&seed);
}

double rng_uniform(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* Lemire (2019), "Fast random integer generation in an interval": the high half of a
 * product, with the few products that would favour some results drawn again. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    assert(bound > 0);

    unsigned __int128 product = (unsigned __int128)rng_next(rng) * bound;

    if ((uint64_t)product < bound) {
        uint64_t unfair = -bound % bound;

        while ((uint64_t)product < unfair)
            product = (unsigned __int128)rng_next(rng) * bound;
    }
    return (uint64_t)(product >> 64);
}

double rng_normal(struct rng *rng)
{
    double x, y, square;

    do {
        x = 2 * rng_uniform(rng) - 1;
        y = 2 * rng_uniform(rng) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    return x * sqrt(-2 * log(square) / square);
}
