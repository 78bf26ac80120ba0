/* rng.h - chance that can be replayed: xoshiro256** (Blackman and Vigna, 2018), seeded
 * through splitmix64. One thread at a time. Not for secrets. */
#ifndef REDRESS_BASE_RNG_H
#define REDRESS_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_seed(struct rng *rng, uint64_t seed);

static inline uint64_t rng_rotate(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

/* 64 bits. Here, since resampling takes hundreds of millions of them. */
static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t *state = rng->state;
    uint64_t result = rng_rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;

    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rng_rotate(state[3], 45);
    return result;
}

/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *rng);

/* Uniform in [0, bound), without bias. bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* Standard normal (Marsaglia's polar method). */
double rng_normal(struct rng *rng);

#endif
