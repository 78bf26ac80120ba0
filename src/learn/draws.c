/* draws.c - one quotient. */
#include "learn/draws.h"

#include <math.h>

double draws_effective(struct draws draws)
{
    if (draws.squares == 0)
        return 0;
    if (!(draws.fourths > 0) || !isfinite(draws.fourths))
        return NAN;
    return draws.squares / draws.fourths * draws.squares;
}
