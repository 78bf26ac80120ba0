/* explore.h - choosing by chance, with the exact probability of every option. Pure
 * functions of arrays.
 *
 * On the n options that are open, with net values s and costs c:
 *
 *     q_j = (1 - epsilon) exp((s_j - max s) / temperature) / Z + epsilon u_j
 *     u_j proportional to exp(-c_j / cost_scale)
 *     p_j = floor + (1 - n floor) q_j
 *
 * a softmax on net value, mixed with what favours the cheap, over a floor (softmax and
 * epsilon-greedy exploration: Sutton and Barto, Reinforcement Learning, 2018, sections
 * 2.2 and 2.8). */
#ifndef REDRESS_OPTIMIZE_EXPLORE_H
#define REDRESS_OPTIMIZE_EXPLORE_H

#include <stdbool.h>

enum { EXPLORE_OPTION_COUNT_MAX = 64 };

struct exploration {
    double epsilon;     /* share of what does not ask for value, 0 to 1 */
    double temperature; /* minor units of net value; 0: only the best */
    double cost_scale;  /* minor units; 0: u is the same for all */
    double floor;       /* least probability of an open option; at most 1 / n is used */
};

/* Probabilities (option): 0 where not open, at least the floor where open; they sum to
 * one within 1e-12. best, the option of choose_greedy, is always open; one whose net
 * value is not finite otherwise never. All arrays (option). The same bits on every
 * machine for the same input: no function of a library that may differ takes part. That
 * costs 1e-10 of each at most against the formula; they are no less exact as the
 * probabilities of explore_choose. */
void explore_probabilities(const struct exploration *exploration,
                           const double *net_values, const double *costs,
                           const bool *is_open, int option_count, int best,
                           double *probabilities);

/* The option that a draw from [0, 1) falls on: one whose probability is above 0, of which
 * there must be one. Its share of the interval is its probability, within 1e-15 a
 * piece. */
int explore_choose(const double *probabilities, int option_count, double draw);

#endif
