/* regression.h - least squares and logistic regression on columns, with robust errors.
 *
 * Columns stay where they are, and nothing as long as they are is made of them: designs
 * of any width are read in blocks of rows, several times. Pure; one thread per object. */
#ifndef REDRESS_LEARN_REGRESSION_H
#define REDRESS_LEARN_REGRESSION_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { REGRESSION_COLUMN_COUNT_MAX = 4096 };

/* A column of a design: (value - shift) x times. Zero is the constant 1. Borrows its
 * arrays. */
struct regressor {
    const double *numbers; /* (row): the value */
    /* (row), without numbers: the value is 1 where it is code, else 0 */
    const int32_t *codes;
    int32_t code;
    double shift;
    const double *times; /* (row); NULL: 1 */
};

static inline double regressor_value(const struct regressor *regressor, int64_t row)
{
    double value = 1;

    if (regressor->numbers)
        value = regressor->numbers[row];
    else if (regressor->codes)
        value = regressor->codes[row] == regressor->code;
    value -= regressor->shift;
    return regressor->times ? value * regressor->times[row] : value;
}

struct regression_design {
    int64_t row_count;
    int column_count; /* above 0 */
    const struct regressor *columns;
    /* (row): the others are as if they were not there; NULL: all are */
    const bool *is_used;
    const double *roots; /* (row): of a row's weight, times all its columns; NULL: 1 */
};

/* Orthonormal columns that span those of a design. */
struct basis {
    struct regression_design design; /* borrowed */
    int64_t row_count;               /* that are used */
    int rank;                        /* of the columns that are kept */
    int *kept; /* (rank): which columns; the others depend on earlier ones */
    double *
        /* (rank, column), row by row: column kept[j] = sum over i <= j of q_i r[i][j] */
        r;
    double *block;   /* private to learn/: rows of the basis, a block at a time */
    int64_t *places; /* and which they are */
};

/* Householder's QR, block by block (Demmel et al. 2012), then Gram and Schmidt twice on
 * its triangle in the order of the columns: one that depends on those before it, to 1e-9
 * of its own length, is left out, as R's lm does. The caller closes *basis. EXHAUSTED;
 * TOO_LARGE beyond REGRESSION_COLUMN_COUNT_MAX. */
enum status basis_open(const struct regression_design *design, struct basis *basis,
                       struct err *err);
void basis_close(struct basis *basis); /* one that is zero is fine */

bool basis_keeps(const struct basis *basis, int column);

/* Least squares of outcome (row) on the design. coefficients (column): 0 where a column
 * is left out. residuals (row): of the rows used; may be outcome itself, or NULL. */
void basis_solve(const struct basis *basis, const double *outcome, double *coefficients,
                 double *residuals);

/* The first row that alone decides the coefficient of a column (its leverage is 1 to
 * 1e-9, and the coefficient moves with its outcome), so that its error is not known; -1
 * when there is none. */
int64_t basis_lone_row(const struct basis *basis, int column);

/* How errors are taken to be. MacKinnon and White (1985); CR1 of Liang and Zeger (1986)
 * when there are clusters. n rows, k kept columns. */
enum covariance_kind {
    COVARIANCE_CLASSICAL, /* the same for all rows: u'u / (n - k) */
    COVARIANCE_HC0,       /* u^2 each */
    COVARIANCE_HC1,       /* HC0 times n / (n - k) */
    COVARIANCE_HC2,       /* u^2 / (1 - h) */
    COVARIANCE_HC3,       /* u^2 / (1 - h)^2 */
    COVARIANCE_KIND_COUNT
};

/* clusters (row): from 0 to count - 1, NULL when each row is its own; with them, HC0 on
 * sums over clusters times G / (G - 1) (n - 1) / (n - k), whatever the kind. */
struct covariance_rule {
    enum covariance_kind kind;
    const int32_t *clusters;
    int32_t cluster_count;
    /* (column): of one direction only, which each row moves by this times its columns,
     * beside its residual; NULL: by nothing else. For designs without roots */
    const double *line;
};

/* "classical", "hc0" ..; INVALID names them all. */
enum status covariance_kind_read(const char *name, enum covariance_kind *kind,
                                 struct err *err);

/* The covariances (direction, direction) of sums of direction x coefficients; directions
 * (direction, column), of which columns left out count nothing. INVALID when there are no
 * more rows than columns, or fewer than two clusters. EXHAUSTED. */
enum status basis_covariance(const struct basis *basis, const double *residuals,
                             struct covariance_rule rule, const double *directions,
                             int direction_count, double *covariance, struct err *err);

/* The variance of one direction (column), and how many draws it rests on (learn/draws.h):
 * rows, or clusters; NaN of classical errors. */
enum status basis_error(const struct basis *basis, const double *residuals,
                        struct covariance_rule rule, const double *direction,
                        double *variance, double *draw_count, struct err *err);

/* The same of one coefficient alone. */
enum status basis_variance(const struct basis *basis, const double *residuals,
                           struct covariance_rule rule, int column, double *variance,
                           struct err *err);

/* Logistic regression of outcome (row; 0 to 1) without penalty, by Newton's steps in the
 * basis, so that the scales of columns do not matter. coefficients (column);
 * probabilities (row): of the rows used. INVALID when it does not settle: the columns
 * separate the outcomes perfectly. */
enum status basis_logit(const struct basis *basis, const double *outcome,
                        double *coefficients, double *probabilities, struct err *err);

#endif
