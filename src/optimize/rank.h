/* rank.h - net values as they are compared. */
#ifndef REDRESS_OPTIMIZE_RANK_H
#define REDRESS_OPTIMIZE_RANK_H

/* The net value in steps of 1e-6, to the nearest; those too large to have such steps stay
 * as they are. Never falls as the net value rises. Adding and taking away 3 x 2^51 rounds
 * without a call. */
static inline double rank_of(double net_value)
{
    static const double exact_max = 2251799813685248.0; /* 2^51 */
    static const double shift = 6755399441055744.0;     /* 3 x 2^51 */
    double steps = net_value * 1e6;

    if (steps > -exact_max && steps < exact_max)
        return steps + shift - shift;
    return steps;
}

#endif
