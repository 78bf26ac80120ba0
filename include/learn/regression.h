/* regression.h - least squares and logistic regression on columns, with robust errors.
 *
 * Arrays of columns are (column, row): each column in one piece. Pure; one thread per object. */
#ifndef REDRESS_LEARN_REGRESSION_H
#define REDRESS_LEARN_REGRESSION_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { REGRESSION_COLUMN_COUNT_MAX = 4096 };

/* Orthonormal columns that span those of a design. */
struct basis {
    int64_t row_count;
    int column_count; /* of the design */
    int rank;         /* of those that are kept */
    int *kept;        /* (rank): which columns; the others depend on earlier ones */
    double *q;        /* (rank, row) */
    double *
        r; /* (rank, rank), row by row: design column kept[j] = sum over i <= j of q_i r[i][j] */
};

/* Gram-Schmidt twice, in the order of the columns: one that depends on those before it, to 1e-9 of
 * its own length, is left out, as R's lm does. Takes as much memory as the design. The caller
 * closes *basis. EXHAUSTED; TOO_LARGE beyond REGRESSION_COLUMN_COUNT_MAX. */
enum status basis_open(const double *design, int64_t row_count, int column_count,
                       struct basis *basis, struct err *err);
void basis_close(struct basis *basis); /* one that is zero is fine */

bool basis_keeps(const struct basis *basis, int column);

/* Least squares of outcome (row) on the design. coefficients (column): 0 where a column is left out.
 * residuals (row): may be outcome itself. */
void basis_solve(const struct basis *basis, const double *outcome, double *coefficients,
                 double *residuals);

/* leverages (row): the diagonal of the projection, h. */
void basis_leverages(const struct basis *basis, double *leverages);

/* How errors are taken to be. MacKinnon and White (1985); CR1 of Liang and Zeger (1986) when there
 * are clusters. n rows, k kept columns. */
enum covariance_kind {
    COVARIANCE_CLASSICAL, /* the same for all rows: u'u / (n - k) */
    COVARIANCE_HC0,       /* u^2 each */
    COVARIANCE_HC1,       /* HC0 times n / (n - k) */
    COVARIANCE_HC2,       /* u^2 / (1 - h) */
    COVARIANCE_HC3,       /* u^2 / (1 - h)^2 */
    COVARIANCE_KIND_COUNT
};

/* clusters (row): from 0 to count - 1, NULL when each row is its own; with them, HC0 on sums over
 * clusters times G / (G - 1) (n - 1) / (n - k), whatever the kind. */
struct covariance_rule {
    enum covariance_kind kind;
    const int32_t *clusters;
    int32_t cluster_count;
};

/* "classical", "hc0" ..; INVALID names them all. */
enum status covariance_kind_read(const char *name, enum covariance_kind *kind,
                                 struct err *err);

/* covariance (column, column) of the coefficients, 0 where a column is left out. INVALID when there are
 * no more rows than columns, or fewer than two clusters. EXHAUSTED. */
enum status basis_covariance(const struct basis *basis, const double *residuals,
                             struct covariance_rule rule, double *covariance,
                             struct err *err);

/* Logistic regression of outcome (row; 0 to 1) without penalty, by Newton's steps in the basis, so
 * that the scales of columns do not matter. weights (row): NULL for 1. probabilities (row);
 * coefficients (column), may be NULL. INVALID when it does not settle: the columns separate the outcomes
 * perfectly. */
enum status basis_logit(const struct basis *basis, const double *outcome,
                        const double *weights, double *coefficients,
                        double *probabilities, struct err *err);

#endif
