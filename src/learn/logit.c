/* logit.c - Newton's steps for logistic regression in an orthonormal basis. */
#include "learn/basis_rows.h"

#include "learn/lapack.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_COUNT_MAX = 100, HALVING_COUNT_MAX = 40 };

/* Of the log likelihood, twice what a step promises: near, rounding may hide what it
 * gains. */
static const double near = 1e-6, settled = 1e-22;
static const double flat = 1e-13; /* of a column's square that the others leave */
static const double still =
    1e-3; /* what a step moves a score by when there is an answer, at most */

struct logit {
    const struct basis *basis;
    const double *outcome;
    double *beta, *trial, *step; /* (rank) */
    double *scores;              /* (row) */
    double *hessian;             /* (rank, rank) */
};

static const double *column_of(const struct basis *basis, int column)
{
    return basis->block + (size_t)column * BASIS_BLOCK_ROWS;
}

/* sums (row of the block) = the rows' products with beta. */
static void multiply(const struct basis *basis, int count, const double *beta,
                     double sums[static BASIS_BLOCK_ROWS])
{
    memset(sums, 0, BASIS_BLOCK_ROWS * sizeof *sums);
    for (int c = 0; c < basis->rank; c++)
        for (int i = 0; i < count; i++)
            sums[i] += beta[c] * column_of(basis, c)[i];
}

/* log(1 + e^x) without overflow. */
static double soft_plus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Of beta; sets its scores. */
static double likelihood(struct logit *logit, const double *beta)
{
    const struct basis *basis = logit->basis;
    struct basis_rows rows = {0};
    double sum = 0, scores[BASIS_BLOCK_ROWS];

    while (basis_next(basis, &rows)) {
        multiply(basis, rows.count, beta, scores);
        for (int i = 0; i < rows.count; i++) {
            int64_t row = basis->places[i];

            logit->scores[row] = scores[i];
            sum += logit->outcome[row] * scores[i] - soft_plus(scores[i]);
        }
    }
    return sum;
}

/* What a block adds to the gradient, in step, and to the hessian. */
static void add_block(struct logit *logit, int count)
{
    const struct basis *basis = logit->basis;
    double rest[BASIS_BLOCK_ROWS], spread[BASIS_BLOCK_ROWS], own[BASIS_BLOCK_ROWS];

    for (int i = 0; i < count; i++) {
        int64_t row = basis->places[i];
        double p = 1 / (1 + exp(-logit->scores[row]));

        rest[i] = logit->outcome[row] - p;
        spread[i] = p * (1 - p);
    }
    for (int c = 0; c < basis->rank; c++) {
        const double *q = column_of(basis, c);

        for (int i = 0; i < count; i++)
            own[i] = spread[i] * q[i];
        logit->step[c] += cblas_ddot(count, q, 1, rest, 1);
        for (int d = 0; d <= c; d++)
            logit->hessian[c * basis->rank + d] +=
                cblas_ddot(count, own, 1, column_of(basis, d), 1);
    }
}

/* Whether a column of the hessian, now its factor, follows from those before it to
 * rounding: where it does, the rows that told them apart are certain by now. */
static bool is_flat(const struct logit *logit)
{
    for (int c = 0; c < logit->basis->rank; c++) {
        const double *factor = logit->hessian + c * logit->basis->rank;

        if (!(factor[c] * factor[c] > flat * cblas_ddot(c + 1, factor, 1, factor, 1)))
            return true;
    }
    return false;
}

/* step = hessian^-1 gradient at beta, whose scores are set; *promise: their product. */
static bool find_step(struct logit *logit, double *promise)
{
    struct basis_rows rows = {0};
    int rank = logit->basis->rank, one = 1, info = 0;

    memset(logit->hessian, 0, (size_t)rank * (size_t)rank * sizeof *logit->hessian);
    memset(logit->step, 0, (size_t)rank * sizeof *logit->step);
    while (basis_next(logit->basis, &rows))
        add_block(logit, rows.count);
    memcpy(logit->trial, logit->step, (size_t)rank * sizeof *logit->trial);
    /* Rows of the lower half are columns of the upper one. */
    dposv_("U", &rank, &one, logit->hessian, &rank, logit->step, &rank, &info, 1);
    *promise = 0;
    for (int i = 0; i < rank; i++)
        *promise += logit->trial[i] * logit->step[i];
    return info == 0 && !is_flat(logit);
}

/* One step, halved until it gains, or whole near the end. False: it was the last. */
static bool improve(struct logit *logit, double *value)
{
    int rank = logit->basis->rank;
    double share = 1, promise;

    if (!find_step(logit, &promise))
        return false;
    for (int i = 0; i < HALVING_COUNT_MAX; i++) {
        double next;

        for (int j = 0; j < rank; j++)
            logit->trial[j] = logit->beta[j] + share * logit->step[j];
        next = likelihood(logit, logit->trial);
        if (next >= *value || promise < near) {
            memcpy(logit->beta, logit->trial, (size_t)rank * sizeof *logit->beta);
            *value = next;
            return promise > settled;
        }
        share /= 2;
    }
    likelihood(logit, logit->beta);
    return false;
}

/* Where columns tell outcomes apart there is no finite answer: however far it has come,
 * each step moves the scores of the rows told apart by 1, or what is left of their
 * chances is too little for a step. A row far away from others that do overlap has a
 * large score, too, but that one stands still. */
static bool is_separated(struct logit *logit)
{
    struct basis_rows rows = {0};
    double promise, moved[BASIS_BLOCK_ROWS];

    if (!find_step(logit, &promise))
        return true;
    while (basis_next(logit->basis, &rows)) {
        multiply(logit->basis, rows.count, logit->step, moved);
        for (int i = 0; i < rows.count; i++)
            if (!(fabs(moved[i]) <= still))
                return true;
    }
    return false;
}

static void set_probabilities(struct logit *logit)
{
    const bool *is_used = logit->basis->design.is_used;

    for (int64_t row = 0; row < logit->basis->design.row_count; row++)
        if (!is_used || is_used[row])
            logit->scores[row] = 1 / (1 + exp(-logit->scores[row]));
}

enum status basis_logit(const struct basis *basis, const double *outcome,
                        double *coefficients, double *probabilities, struct err *err)
{
    size_t rank = (size_t)basis->rank;
    double *numbers = calloc(3 * rank + rank * rank + 1, sizeof *numbers);
    struct logit logit = {.basis = basis, .outcome = outcome, .scores = probabilities};
    enum status rc = STATUS_OK;
    double value;
    int step = 0;

    if (!numbers)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a regression");
    logit.beta = numbers;
    logit.trial = numbers + rank;
    logit.step = numbers + 2 * rank;
    logit.hessian = numbers + 3 * rank;
    value = likelihood(&logit, logit.beta);
    while (step < STEP_COUNT_MAX && improve(&logit, &value))
        step++;
    if (step == STEP_COUNT_MAX || is_separated(&logit))
        rc = err_set(
            err, STATUS_INVALID,
            "the columns tell the outcomes apart perfectly: a logistic regression "
            "has no answer");
    set_probabilities(&logit);
    memcpy(coefficients, logit.beta, rank * sizeof *coefficients);
    basis_coefficients(basis, coefficients);
    free(numbers);
    return rc;
}
