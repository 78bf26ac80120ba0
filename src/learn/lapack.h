/* lapack.h - what is used of LAPACK, which OpenBLAS brings: its Fortran names, without a
 * package of headers. Matrices are column by column; the last argument is the length of a
 * text.
 *
 * Private to learn/. */
#ifndef REDRESS_LEARN_LAPACK_H
#define REDRESS_LEARN_LAPACK_H

#include <stddef.h>

/* A X = B for a positive definite A (n, n), B (n, right_count); A becomes its Cholesky
 * factor. info above 0: A is not positive definite. */
void dposv_(const char *uplo, const int *n, const int *right_count, double *a,
            const int *a_stride, double *b, const int *b_stride, int *info,
            size_t uplo_bytes);

/* A X = B for any A (n, n), B (n, right_count), by LU with pivots (n). info above 0: A is
 * singular. */
void dgesv_(const int *n, const int *right_count, double *a, const int *a_stride,
            int *pivots, double *b, const int *b_stride, int *info);

/* The triangle A (n, n) and the rows below it, B (m, n), become the triangle of both: R
 * of a QR. l: 0 when B is a full rectangle. t (block, n), block at most n; work (block,
 * n). */
void dtpqrt_(const int *m, const int *n, const int *l, const int *block, double *a,
             const int *a_stride, double *b, const int *b_stride, double *t,
             const int *t_stride, double *work, int *info);

#endif
