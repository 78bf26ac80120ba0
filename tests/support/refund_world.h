/* refund_world.h - generated refund cases whose truth is known: what redress generate
 * cases writes, read.
 *
 * Every function stops the test with a message when it does not work. */
#ifndef REDRESS_TESTS_REFUND_WORLD_H
#define REDRESS_TESTS_REFUND_WORLD_H

#include <stdint.h>

enum { WORLD_DOSE_COUNT = 4 };

extern const int64_t world_doses[WORLD_DOSE_COUNT]; /* minor units */

struct refund_world {
    char **cases; /* JSON, one line each */
    double (*effects)[WORLD_DOSE_COUNT];
    int count;
};

void refund_world_open(int count, int seed, struct refund_world *world);
void refund_world_close(struct refund_world *world);

/* What a credit was truly worth, less its cost; 0 for none. */
double refund_world_value(const struct refund_world *world, int index, int64_t amount);

#endif
