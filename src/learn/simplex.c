/* simplex.c - an active set, grown and shrunk one weight at a time, as Lawson and
 * Hanson's (1974) for least squares without negative weights. */
#include "learn/simplex.h"

#include "learn/lapack.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_PER_WEIGHT_MAX = 50 };

static const double settled = 1e-13; /* of the value */
static const double nudge =
    1e-13; /* of the largest square, where equations depend on one another */

struct search {
    const double *gram;
    int count;
    double *weights, *slopes; /* (count); slopes: G w */
    int *support;             /* (support_count): weights above 0 */
    int support_count;
    double *matrix, *solution; /* of the equations */
    int *pivots;
};

static double value_of(struct search *s)
{
    double value = 0;

    for (int i = 0; i < s->count; i++) {
        s->slopes[i] = 0;
        for (int k = 0; k < s->support_count; k++)
            s->slopes[i] +=
                s->gram[(size_t)i * (size_t)s->count + (size_t)s->support[k]] *
                s->weights[s->support[k]];
    }
    for (int k = 0; k < s->support_count; k++)
        value += s->weights[s->support[k]] * s->slopes[s->support[k]];
    return value;
}

/* G_SS z = mu, sum z = 1. */
static void solve_support(struct search *s, double ridge)
{
    int m = s->support_count, n = m + 1, one = 1, info;

    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++)
            s->matrix[i * n + j] = s->gram[(size_t)s->support[i] * (size_t)s->count +
                                           (size_t)s->support[j]] +
                                   (i == j ? ridge : 0);
        s->matrix[i * n + m] = s->matrix[m * n + i] = 1;
        s->solution[i] = 0;
    }
    s->matrix[m * n + m] = 0;
    s->solution[m] = 1;
    dgesv_(&n, &one, s->matrix, &n, s->pivots, s->solution, &n, &info);
    if (info != 0)
        s->solution[0] = NAN;
}

static bool is_solved(const struct search *s)
{
    for (int i = 0; i < s->support_count; i++)
        if (!isfinite(s->solution[i]))
            return false;
    return true;
}

static void drop(struct search *s, int place)
{
    s->weights[s->support[place]] = 0;
    s->support[place] = s->support[--s->support_count];
}

/* Go to the least value on the support; weights that would fall below 0 on the way leave
 * it. */
static void settle(struct search *s, double ridge)
{
    for (;;) {
        double share = 1;
        int first = -1;

        solve_support(s, 0);
        if (!is_solved(s))
            solve_support(s, ridge);
        for (int i = 0; i < s->support_count; i++) {
            double from = s->weights[s->support[i]], to = s->solution[i];

            if (to <= 0 && from / (from - to) < share) {
                share = from / (from - to);
                first = i;
            }
        }
        for (int i = 0; i < s->support_count; i++) {
            double *weight = &s->weights[s->support[i]];

            *weight += share * (s->solution[i] - *weight);
        }
        if (first < 0)
            return;
        drop(s, first);
    }
}

/* The weight that would make the value fall fastest. */
static int steepest(const struct search *s)
{
    int best = 0;

    for (int i = 1; i < s->count; i++)
        if (s->slopes[i] < s->slopes[best])
            best = i;
    return best;
}

static void search(struct search *s, double *value, double *gap)
{
    double largest = 0;
    int first = 0;

    for (int i = 0; i < s->count; i++) {
        double square = s->gram[(size_t)i * (size_t)s->count + (size_t)i];

        largest = fmax(largest, square);
        if (square < s->gram[(size_t)first * (size_t)s->count + (size_t)first])
            first = i;
    }
    s->weights[first] = 1;
    s->support[s->support_count++] = first;
    *value = value_of(s);
    for (int step = 0; step < STEPS_PER_WEIGHT_MAX * s->count; step++) {
        int next = steepest(s);
        double before = *value;

        *gap = 2 * (*value - s->slopes[next]);
        if (*gap <= settled * fmax(*value, DBL_EPSILON * largest) || s->weights[next] > 0)
            return;
        s->support[s->support_count++] = next;
        settle(s, nudge * largest);
        *value = value_of(s);
        if (*value >= before)
            return;
    }
}

enum status simplex_least_squares(const double *gram, int count, double *weights,
                                  double *value, double *gap, struct err *err)
{
    size_t n = (size_t)count + 1;
    struct search s = {
        .gram = gram,
        .count = count,
        .weights = weights,
        .slopes = malloc(n * sizeof(double)),
        .support = malloc(n * sizeof(int)),
        .matrix = malloc(n * n * sizeof(double)),
        .solution = malloc(n * sizeof(double)),
        .pivots = malloc(n * sizeof(int)),
    };
    enum status rc = STATUS_OK;

    if (!s.slopes || !s.support || !s.matrix || !s.solution || !s.pivots) {
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d weights", count);
    } else {
        memset(weights, 0, (size_t)count * sizeof *weights);
        search(&s, value, gap);
    }
    free(s.slopes);
    free(s.support);
    free(s.matrix);
    free(s.solution);
    free(s.pivots);
    return rc;
}
