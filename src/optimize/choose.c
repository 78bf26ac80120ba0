/* choose.c - the best option at given prices. */
#include "optimize/choose.h"

#include "optimize/rank.h"

int choose_greedy(const double *net_values, const int64_t *amounts, const bool *allowed,
                  int option_count)
{
    double best_rank = 0;
    int best = -1;

    for (int i = 0; i < option_count; i++) {
        double rank = rank_of(net_values[i]);

        /* A net value that is no number never wins. */
        if (!allowed[i] || rank != rank)
            continue;
        if (best < 0 || rank > best_rank ||
            (rank == best_rank && amounts[i] < amounts[best])) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}
