/* explore.h - choosing by chance, with the exact probability of every option. Pure functions of
 * arrays.
 *
 * On the options that are left after policy and budgets, with net values s and costs c:
 *
 *     p_j = (1 - epsilon) exp((s_j - max s) / temperature) / Z + epsilon u_j
 *     u_j proportional to exp(-c_j / cost_scale)
 *
 * softmax on net value over a floor. Temperature 0 puts the softmax part on the best option. */
#ifndef REDRESS_OPTIMIZE_EXPLORE_H
#define REDRESS_OPTIMIZE_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

struct exploration {
    double epsilon;     /* share of the floor, 0 to 1 */
    double temperature; /* minor units of net value; 0: only the best */
    double cost_scale;  /* minor units; 0: the floor is the same for all */
};

/* Probabilities (option), 0 where not allowed; those of the others are > 0 when epsilon is, and sum
 * to one within 1e-12. best: the option of choose_greedy. The same bits on every machine for the
 * same input, within one build. */
void explore_probabilities(const struct exploration *exploration,
                           const double *net_values, const double *costs,
                           const bool *allowed, int option_count, int best,
                           double *probabilities);

/* The option that a draw from [0, 1) falls on. */
int explore_choose(const double *probabilities, int option_count, double draw);

#endif
