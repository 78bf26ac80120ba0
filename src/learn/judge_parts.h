/* judge_parts.h - what the files of the judge share. Private to learn/. */
#ifndef REDRESS_LEARN_JUDGE_PARTS_H
#define REDRESS_LEARN_JUDGE_PARTS_H

#include "learn/judge.h"
#include "learn/tie.h"

#include <math.h>

/* Rows that share a key are one cluster. */
struct clusters {
    uint32_t *of; /* (row); NULL: every row is its own */
    double *sums; /* (cluster): room, 0 between uses */
    int64_t count;
};

/* EXHAUSTED. The caller closes it, also after a failure. */
enum status clusters_open(const struct learner_data *data, struct clusters *clusters,
                          struct err *err);
void clusters_close(struct clusters *clusters);

static inline int64_t clusters_find(const struct clusters *clusters, int64_t row)
{
    return clusters->of ? clusters->of[row] : row;
}

/* Add to what a cluster has so far. */
static inline void clusters_add(struct clusters *clusters, int64_t row, double value)
{
    clusters->sums[clusters_find(clusters, row)] += value;
}

/* The sum of squares of what the clusters have, which is forgotten. */
double clusters_square(struct clusters *clusters);

static inline double judge_weight(const struct learner_data *data, int64_t row)
{
    return data->weights ? data->weights[row] : 1;
}

/* What the scores say an arm changes for a row. */
static inline double judge_gain(const struct learner_data *data, const double *scores,
                                int64_t row, int arm)
{
    return scores[row * data->arm_count + arm] - scores[row * data->arm_count];
}

/* The end of the rows from `first` on whose keys are equal but for rounding. */
static inline int64_t judge_tie_end(const double *keys, const uint32_t *order,
                                    int64_t first, int64_t count)
{
    double key = keys[order[first]], slack = fabs(key) * TIE_SHARE;
    int64_t end = first + 1;

    while (end < count && fabs(keys[order[end]] - key) <= slack)
        end++;
    return end;
}

/* The weight of the rows at these places. */
static inline double judge_weight_of(const struct learner_data *data,
                                     const uint32_t *order, int64_t first, int64_t end)
{
    double sum = 0;

    for (int64_t i = first; i < end; i++)
        sum += judge_weight(data, order[i]);
    return sum;
}

#endif
