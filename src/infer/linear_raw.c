/* linear_raw.c - sums of products in one order, so that they are the same on every
 * machine. */
#include "infer/evaluate.h"

#include <math.h>

/* As many partial sums: number k takes the products k, k + LANE_COUNT, ... in turn. They
 * wait for each other less than one sum would. Their number is part of every score:
 * decisions that were recorded do not replay to the bit under another. */
enum { LANE_COUNT = 8 };

/* Two lanes, wherever they stand: the compiler does not find them by itself at -O2. */
typedef double pair
    __attribute__((vector_size(2 * sizeof(double)), aligned(sizeof(double)), may_alias));
typedef int64_t pair_mask __attribute__((vector_size(2 * sizeof(int64_t))));

static inline pair products(const double *weights, const double *values)
{
    return *(const pair *)weights * *(const pair *)values;
}

/* values -> filled, with fill where a value is missing. */
static void fill_in(const double *values, const double *fill, int count, double *filled)
{
    int i = 0;

    for (; i + 2 <= count; i += 2) {
        pair value = *(const pair *)(values + i), other = *(const pair *)(fill + i);
        pair same = value; /* but for NaN */
        pair_mask is_there = value == same;

        *(pair *)(filled + i) =
            (pair)(((pair_mask)value & is_there) | ((pair_mask)other & ~is_there));
    }
    if (i < count)
        filled[i] = isnan(values[i]) ? fill[i] : values[i];
}

/* The codes of categories, which were taken for numbers. */
static void put_levels(const struct linear *linear, const double *values, double *filled)
{
    for (int i = 0; i < linear->feature_count; i++)
        if (linear->levels[i].count > 0)
            filled[i] = linear_input(linear, i, values[i]);
}

static double sum_of_products(const double *weights, const double *values, int count)
{
    pair first = {0}, second = {0}, third = {0}, fourth = {0};
    int i = 0;

    for (; i + LANE_COUNT <= count; i += LANE_COUNT) {
        first += products(weights + i, values + i);
        second += products(weights + i + 2, values + i + 2);
        third += products(weights + i + 4, values + i + 4);
        fourth += products(weights + i + 6, values + i + 6);
    }

    double lanes[LANE_COUNT] = {first[0], first[1], second[0], second[1],
                                third[0], third[1], fourth[0], fourth[1]};

    for (int k = 0; i + k < count; k++)
        lanes[k] += weights[i + k] * values[i + k];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

void linear_raw(const struct linear *linear, const double *rows, int row_count,
                double *raw, double *scratch)
{
    int n = linear->feature_count, m = linear->output_count;

    for (int i = 0; i < row_count; i++) {
        const double *row = rows + (size_t)i * (size_t)n;
        double *scores = raw + (size_t)i * (size_t)m;

        fill_in(row, linear->fill, n, scratch);
        if (linear->levels)
            put_levels(linear, row, scratch);
        for (int j = 0; j < m; j++)
            scores[j] =
                linear->intercepts[j] +
                sum_of_products(linear->weights + (size_t)j * (size_t)n, scratch, n);
    }
}
