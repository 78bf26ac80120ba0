/* linear_fast.c - linear models through BLAS, for tables where the last digits do not
 * matter. */
#include "infer/evaluate.h"

#include <cblas.h>
#include <string.h>

static void fill_in(const struct linear *linear, const double *rows, int row_count,
                    double *filled)
{
    int n = linear->feature_count;

    for (int i = 0; i < row_count; i++, rows += n, filled += n)
        for (int k = 0; k < n; k++)
            filled[k] = linear_input(linear, k, rows[k]);
}

void linear_raw_fast(const struct linear *linear, const double *rows, int row_count,
                     double *raw, double *filled)
{
    int n = linear->feature_count, m = linear->output_count;

    fill_in(linear, rows, row_count, filled);
    for (int i = 0; i < row_count; i++)
        memcpy(raw + (size_t)i * (size_t)m, linear->intercepts, (size_t)m * sizeof *raw);
    if (row_count == 1)
        cblas_dgemv(CblasRowMajor, CblasNoTrans, m, n, 1, linear->weights, n, filled, 1,
                    1, raw, 1);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, row_count, m, n, 1, filled,
                    n, linear->weights, n, 1, raw, m);
}
