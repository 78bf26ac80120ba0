/* logit.c - Newton's steps for logistic regression in an orthonormal basis. */
#include "learn/regression.h"

#include "learn/lapack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_COUNT_MAX = 100, HALVING_COUNT_MAX = 40 };

/* Of the log likelihood, twice what a step promises: near, rounding may hide what it gains. */
static const double near = 1e-6, settled = 1e-22;
static const double still =
    1e-3; /* what a step moves a score by when there is an answer, at most */

struct logit {
    const struct basis *basis;
    const double *outcome, *weights;
    double *beta, *trial, *step; /* (rank) */
    double *scores;              /* (row) */
    double *hessian;             /* (rank, rank) */
};

static double weight_of(const struct logit *logit, int64_t row)
{
    return logit->weights ? logit->weights[row] : 1;
}

static void set_scores(struct logit *logit, const double *beta)
{
    const struct basis *basis = logit->basis;
    int64_t n = basis->row_count;

    memset(logit->scores, 0, (size_t)n * sizeof *logit->scores);
    for (int i = 0; i < basis->rank; i++)
        for (int64_t row = 0; row < n; row++)
            logit->scores[row] += beta[i] * basis->q[(int64_t)i * n + row];
}

/* log(1 + e^x) without overflow. */
static double soft_plus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double likelihood(struct logit *logit, const double *beta)
{
    double sum = 0;

    set_scores(logit, beta);
    for (int64_t row = 0; row < logit->basis->row_count; row++)
        sum += weight_of(logit, row) *
               (logit->outcome[row] * logit->scores[row] - soft_plus(logit->scores[row]));
    return sum;
}

/* step = hessian^-1 gradient at beta, whose scores are set; *promise: their product. */
static bool find_step(struct logit *logit, double *promise)
{
    const struct basis *basis = logit->basis;
    int64_t n = basis->row_count;
    int rank = basis->rank, one = 1, info = 0;

    memset(logit->hessian, 0, (size_t)rank * (size_t)rank * sizeof *logit->hessian);
    memset(logit->step, 0, (size_t)rank * sizeof *logit->step);
    for (int64_t row = 0; row < n; row++) {
        double p = 1 / (1 + exp(-logit->scores[row])), w = weight_of(logit, row);

        for (int i = 0; i < rank; i++) {
            double q = w * basis->q[(int64_t)i * n + row];

            logit->step[i] += q * (logit->outcome[row] - p);
            for (int j = 0; j <= i; j++)
                logit->hessian[i * rank + j] +=
                    q * p * (1 - p) * basis->q[(int64_t)j * n + row];
        }
    }
    memcpy(logit->trial, logit->step, (size_t)rank * sizeof *logit->trial);
    /* Rows of the lower half are columns of the upper one. */
    dposv_("U", &rank, &one, logit->hessian, &rank, logit->step, &rank, &info, 1);
    *promise = 0;
    for (int i = 0; i < rank; i++)
        *promise += logit->trial[i] * logit->step[i];
    return info == 0;
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
    set_scores(logit, logit->beta);
    return false;
}

/* Where columns tell outcomes apart there is no finite answer: however far it has come, each step moves
 * the scores of the rows told apart by 1, or what is left of their chances is too little for a step.
 * A row far away from others that do overlap has a large score, too, but that one stands still. */
static bool is_separated(struct logit *logit)
{
    const struct basis *basis = logit->basis;
    double promise;

    if (!find_step(logit, &promise))
        return true;
    for (int64_t row = 0; row < basis->row_count; row++) {
        double moved = 0;

        for (int i = 0; i < basis->rank; i++)
            moved += logit->step[i] * basis->q[(int64_t)i * basis->row_count + row];
        if (!(fabs(moved) <= still))
            return true;
    }
    return false;
}

static void put_coefficients(const struct logit *logit, double *coefficients)
{
    const struct basis *basis = logit->basis;
    int k = basis->column_count, rank = basis->rank;

    memset(coefficients, 0, (size_t)k * sizeof *coefficients);
    for (int i = rank - 1; i >= 0; i--) {
        for (int j = i + 1; j < rank; j++)
            logit->beta[i] -= basis->r[i * k + j] * logit->beta[j];
        logit->beta[i] /= basis->r[i * k + i];
        coefficients[basis->kept[i]] = logit->beta[i];
    }
}

enum status basis_logit(const struct basis *basis, const double *outcome,
                        const double *weights, double *coefficients,
                        double *probabilities, struct err *err)
{
    size_t rank = (size_t)basis->rank;
    double *numbers = calloc(3 * rank + rank * rank + 1, sizeof *numbers);
    struct logit logit = {
        .basis = basis, .outcome = outcome, .weights = weights, .scores = probabilities};
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
    for (int64_t row = 0; row < basis->row_count; row++)
        probabilities[row] = 1 / (1 + exp(-logit.scores[row]));
    if (!rc && coefficients)
        put_coefficients(&logit, coefficients);
    free(numbers);
    return rc;
}
