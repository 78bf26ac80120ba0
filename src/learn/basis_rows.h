/* basis_rows.h - the rows of a basis, a block at a time: they are made again whenever
 * they are looked at, so that nothing is kept beside the columns. Private to
 * learn/regression*.c and learn/logit.c. */
#ifndef REDRESS_LEARN_BASIS_ROWS_H
#define REDRESS_LEARN_BASIS_ROWS_H

#include "learn/regression.h"

enum { BASIS_BLOCK_ROWS = 512 };

/* Begin with zeros. */
struct basis_rows {
    int64_t next; /* of the rows of the design, where to go on */
    int count;    /* used rows of this block */
};

/* The next block of used rows, false after the last: basis->places (row of the block) say
 * which they are, basis->block (column, row of the block; BASIS_BLOCK_ROWS apart) holds
 * what is theirs. Of the columns that are kept, times R^-1: orthonormal over all rows, to
 * rounding times how near columns are to one another. */
bool basis_next(const struct basis *basis, struct basis_rows *rows);

/* From coordinates in the basis to coefficients of the design, in place: x (column)
 * begins with rank numbers. */
void basis_coefficients(const struct basis *basis, double *x);

#endif
