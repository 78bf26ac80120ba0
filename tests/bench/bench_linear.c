/* bench_linear.c - nanoseconds of thread CPU time per row of a linear model: linear_raw
 * beside what OpenBLAS takes for the same row (ddot for one output, dgemv for several)
 * and for all rows at once (dgemm). They take turns; a number is the median over the
 * rounds. */
#include "infer/evaluate.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUND_COUNT = 15, PRODUCT_COUNT = 4000000, ROW_COUNT_MAX = 1024 };
enum contender { LOOP, BY_ROW, AT_ONCE, CONTENDER_COUNT };

static const struct {
    int feature_count, output_count;
} shapes[] = {{15, 1}, {28, 1}, {28, 4}, {100, 1}, {100, 4}, {1000, 4}, {1000, 32}};
static const int row_counts[] = {1, 8, 64, ROW_COUNT_MAX};

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double *numbers(size_t count)
{
    double *drawn = calloc(count, sizeof *drawn);

    if (!drawn)
        exit(1);
    for (size_t i = 0; i < count; i++)
        drawn[i] = drand48() - 0.5;
    return drawn;
}

static void blas_by_row(const struct linear *linear, const double *rows, int row_count,
                        double *raw)
{
    int n = linear->feature_count, m = linear->output_count;

    for (int i = 0; i < row_count; i++, rows += n, raw += m)
        if (m == 1)
            *raw = cblas_ddot(n, linear->weights, 1, rows, 1);
        else
            cblas_dgemv(CblasRowMajor, CblasNoTrans, m, n, 1, linear->weights, n, rows, 1,
                        0, raw, 1);
}

static void score(enum contender contender, const struct linear *linear,
                  const double *rows, int row_count, double *raw, double *scratch)
{
    int n = linear->feature_count, m = linear->output_count;

    switch (contender) {
    case LOOP:
        linear_raw(linear, rows, row_count, raw, scratch);
        break;
    case BY_ROW:
        blas_by_row(linear, rows, row_count, raw);
        break;
    case AT_ONCE:
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, row_count, m, n, 1, rows, n,
                    linear->weights, n, 0, raw, m);
        break;
    case CONTENDER_COUNT:
        break;
    }
}

static void measure(int feature_count, int output_count, int row_count)
{
    size_t n = (size_t)feature_count, m = (size_t)output_count;
    struct linear linear = {.feature_count = feature_count,
                            .output_count = output_count,
                            .weights = numbers(n * m),
                            .intercepts = numbers(m),
                            .fill = numbers(n)};
    double *rows = numbers(n * (size_t)row_count), *raw = numbers(m * (size_t)row_count);
    double *scratch = numbers(n), times[CONTENDER_COUNT][ROUND_COUNT];
    int call_count = 1 + PRODUCT_COUNT / (feature_count * output_count * row_count) / 8;

    for (int round = 0; round < ROUND_COUNT; round++)
        for (int contender = 0; contender < CONTENDER_COUNT; contender++) {
            double from = now_ns();

            for (int i = 0; i < call_count; i++)
                score((enum contender)contender, &linear, rows, row_count, raw, scratch);
            times[contender][round] = (now_ns() - from) / call_count / row_count;
        }
    printf("%8d %7d %6d", feature_count, output_count, row_count);
    for (int contender = 0; contender < CONTENDER_COUNT; contender++) {
        qsort(times[contender], ROUND_COUNT, sizeof(double), compare_doubles);
        printf(" %12.1f", times[contender][ROUND_COUNT / 2]);
    }
    printf("\n");
    free(linear.weights);
    free(linear.intercepts);
    free(linear.fill);
    free(rows);
    free(raw);
    free(scratch);
}

int main(void)
{
    printf("ns per row of a linear model (OpenBLAS: %s)\n", openblas_get_corename());
    printf("%8s %7s %6s %12s %12s %12s\n", "features", "outputs", "rows", "linear_raw",
           "ddot, dgemv", "dgemm");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t k = 0; k < sizeof row_counts / sizeof *row_counts; k++)
            measure(shapes[i].feature_count, shapes[i].output_count, row_counts[k]);
    return 0;
}
