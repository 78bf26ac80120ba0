/* ridge.c - penalised least squares by normal equations, and its logistic kin by Newton's
 * steps. */
#include "learn/ridge.h"

#include "base/rng.h"
#include "learn/lapack.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

enum { FOLD_COUNT = PREDICTOR_FOLD_COUNT, BLOCK_ROWS = 256, STEP_COUNT_MAX = 50 };

static const double penalties[] = {1e-6, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1, 3, 10};
static const double logistic_penalty = 1e-4;

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a linear model");
}

/* ---- least squares ---- */

/* Sums of products of (1, columns, target) of each fold, (width, width) each, and of all
 * behind them: the lower half by rows. */
struct moments {
    int width;
    double *sums; /* (fold + 1, width, width) */
    double fold_weights[FOLD_COUNT + 1];
};

static double *sums_of(const struct moments *moments, int fold)
{
    return moments->sums + (size_t)fold * (size_t)moments->width * (size_t)moments->width;
}

int predictor_fold(uint64_t key, uint64_t seed)
{
    struct rng rng;

    rng_seed(&rng, seed ^ key * UINT64_C(0x9e3779b97f4a7c15));
    return (int)rng_below(&rng, FOLD_COUNT);
}

static int fold_of(const struct feature_rows *features, int64_t row, uint64_t seed)
{
    if (features->folds)
        return features->folds[row] / features->fold_place % FOLD_COUNT;
    return predictor_fold(features->keys ? features->keys[row] : (uint64_t)row, seed);
}

static void flush(const struct moments *moments, int fold, const double *block, int count)
{
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, moments->width, count, 1, block,
                moments->width, 1, sums_of(moments, fold), moments->width);
}

static enum status sum_rows(const struct ridge *ridge,
                            const struct feature_rows *features, struct row_set set,
                            const double *targets, const double *weights, uint64_t seed,
                            struct moments *moments, struct err *err)
{
    size_t width = (size_t)ridge->column_count + 2;
    double *blocks = malloc(FOLD_COUNT * BLOCK_ROWS * width * sizeof *blocks);
    int counts[FOLD_COUNT] = {0};

    moments->width = (int)width;
    moments->sums = calloc((FOLD_COUNT + 1) * width * width, sizeof *moments->sums);
    if (!blocks || !moments->sums) {
        free(blocks);
        return refuse_memory(err);
    }
    for (int64_t i = 0; i < set.count; i++) {
        int64_t row = set.rows[i];
        int fold = fold_of(features, row, seed);
        double weight = ridge_weight(weights, row), root = sqrt(weight);
        double *block = blocks + (size_t)fold * BLOCK_ROWS * width;
        double *values = block + (size_t)counts[fold] * width;

        ridge_put_row(ridge, features, row, values);
        values[width - 1] = targets[row];
        for (size_t j = 0; j < width; j++)
            values[j] *= root;
        moments->fold_weights[fold] += weight;
        if (++counts[fold] == BLOCK_ROWS) {
            flush(moments, fold, block, BLOCK_ROWS);
            counts[fold] = 0;
        }
    }
    for (int fold = 0; fold < FOLD_COUNT; fold++) {
        flush(moments, fold, blocks + (size_t)fold * BLOCK_ROWS * width, counts[fold]);
        cblas_daxpy((int)(width * width), 1, sums_of(moments, fold), 1,
                    sums_of(moments, FOLD_COUNT), 1);
        moments->fold_weights[FOLD_COUNT] += moments->fold_weights[fold];
    }
    free(blocks);
    return STATUS_OK;
}

/* Weights (1 + column) from all rows but those of a fold (-1: all). matrix (width, width)
 * is room. False when the equations have no answer. */
static bool solve(const struct moments *moments, int without, double penalty,
                  double *matrix, double *weights)
{
    int width = moments->width, n = width - 1, one = 1, info = 0;
    const double *all = sums_of(moments, FOLD_COUNT);
    double weight = moments->fold_weights[FOLD_COUNT];

    for (int i = 0; i < width; i++)
        for (int j = 0; j <= i; j++)
            matrix[i * width + j] =
                all[i * width + j] -
                (without >= 0 ? sums_of(moments, without)[i * width + j] : 0);
    if (without >= 0)
        weight -= moments->fold_weights[without];
    memcpy(weights, matrix + (size_t)n * (size_t)width, (size_t)n * sizeof *weights);
    for (int i = 1; i < n; i++)
        matrix[i * width + i] += penalty * weight + 1e-12 * weight;
    /* Rows of the lower half are columns of the upper one. */
    dposv_("U", &n, &one, matrix, &width, weights, &n, &info, 1);
    return info == 0;
}

/* Sum of squared errors of weights on a fold. */
static double fold_error(const struct moments *moments, int fold, const double *weights)
{
    const double *sums = sums_of(moments, fold);
    int width = moments->width, n = width - 1;
    double error = sums[n * width + n];

    for (int i = 0; i < n; i++) {
        error -= 2 * weights[i] * sums[n * width + i] -
                 weights[i] * weights[i] * sums[i * width + i];
        for (int j = 0; j < i; j++)
            error += 2 * weights[i] * weights[j] * sums[i * width + j];
    }
    return error;
}

static double choose_penalty(const struct moments *moments, double *matrix,
                             double *weights)
{
    double chosen = penalties[sizeof penalties / sizeof *penalties - 1], least = INFINITY;

    for (size_t i = 0; i < sizeof penalties / sizeof *penalties; i++) {
        double error = 0;

        for (int fold = 0; fold < FOLD_COUNT; fold++)
            error += solve(moments, fold, penalties[i], matrix, weights)
                         ? fold_error(moments, fold, weights)
                         : INFINITY;
        if (error < least) {
            least = error;
            chosen = penalties[i];
        }
    }
    return chosen;
}

static enum status fit_squares(struct ridge *ridge, const struct feature_rows *features,
                               struct row_set set, const double *targets,
                               const double *weights, uint64_t seed, struct err *err)
{
    struct moments moments = {0};
    enum status rc =
        sum_rows(ridge, features, set, targets, weights, seed, &moments, err);
    double *matrix =
        malloc((size_t)moments.width * (size_t)moments.width * sizeof *matrix + 1);

    if (!rc && !matrix)
        rc = refuse_memory(err);
    if (!rc) {
        ridge->penalty = choose_penalty(&moments, matrix, ridge->weights);
        if (!solve(&moments, -1, ridge->penalty, matrix, ridge->weights))
            rc = err_set(err, STATUS_INVALID, "a linear model has no answer here");
    }
    free(matrix);
    free(moments.sums);
    return rc;
}

/* ---- logistic ---- */

struct newton {
    const struct ridge *ridge;
    const struct feature_rows *features;
    struct row_set set;
    const double *targets, *weights;
    double weight_sum;
    double *values, *step, *hessian; /* (n), (n), (n, n) with n = 1 + columns */
};

static double sigmoid(double raw)
{
    return 1 / (1 + exp(-raw));
}

static bool newton_step(struct newton *newton)
{
    int n = newton->ridge->column_count + 1, one = 1, info = 0;
    double penalty = logistic_penalty * newton->weight_sum;

    memset(newton->step, 0, (size_t)n * sizeof *newton->step);
    memset(newton->hessian, 0, (size_t)n * (size_t)n * sizeof *newton->hessian);
    for (int64_t i = 0; i < newton->set.count; i++) {
        int64_t row = newton->set.rows[i];
        double w = ridge_weight(newton->weights, row), p;

        ridge_put_row(newton->ridge, newton->features, row, newton->values);
        p = sigmoid(cblas_ddot(n, newton->values, 1, newton->ridge->weights, 1));
        for (int j = 0; j < n; j++) {
            double value = w * newton->values[j];

            newton->step[j] += value * (newton->targets[row] - p);
            for (int k = 0; k <= j; k++)
                newton->hessian[j * n + k] += value * p * (1 - p) * newton->values[k];
        }
    }
    for (int j = 0; j < n; j++) {
        newton->hessian[j * n + j] += (j ? penalty : 0) + 1e-9 * newton->weight_sum;
        newton->step[j] -= j ? penalty * newton->ridge->weights[j] : 0;
    }
    dposv_("U", &n, &one, newton->hessian, &n, newton->step, &n, &info, 1);
    return info == 0;
}

/* The penalty keeps weights finite, so that steps end; long ones are shortened. */
static enum status take_steps(struct newton *newton, double *weights, struct err *err)
{
    int n = newton->ridge->column_count + 1;

    for (int i = 0; i < STEP_COUNT_MAX; i++) {
        double longest = 0;

        if (!newton_step(newton))
            return err_set(err, STATUS_INVALID, "a logistic model has no answer here");
        for (int j = 0; j < n; j++)
            longest = fmax(longest, fabs(newton->step[j]));
        for (int j = 0; j < n; j++)
            weights[j] += newton->step[j] * (longest > 4 ? 4 / longest : 1);
        if (longest < 1e-9)
            break;
    }
    return STATUS_OK;
}

static enum status fit_logistic(struct ridge *ridge, const struct feature_rows *features,
                                struct row_set set, const double *targets,
                                const double *weights, struct err *err)
{
    size_t n = (size_t)ridge->column_count + 1;
    struct newton newton = {.ridge = ridge,
                            .features = features,
                            .set = set,
                            .targets = targets,
                            .weights = weights};
    double *room = calloc(2 * n + n * n, sizeof *room), mean = 0;
    enum status rc;

    if (!room)
        return refuse_memory(err);
    newton.values = room;
    newton.step = room + n;
    newton.hessian = room + 2 * n;
    for (int64_t i = 0; i < set.count; i++) {
        newton.weight_sum += ridge_weight(weights, set.rows[i]);
        mean += ridge_weight(weights, set.rows[i]) * targets[set.rows[i]];
    }
    mean = fmin(fmax(mean / newton.weight_sum, 1e-6), 1 - 1e-6);
    ridge->weights[0] = log(mean / (1 - mean));
    ridge->penalty = logistic_penalty;
    rc = take_steps(&newton, ridge->weights, err);
    free(room);
    return rc;
}

/* ---- all ---- */

enum status ridge_fit(const struct predictor_settings *settings,
                      const struct feature_rows *features, struct row_set set,
                      const double *targets, const double *weights, struct ridge *ridge,
                      struct err *err)
{
    enum status rc;

    *ridge = (struct ridge){.is_logistic = settings->is_logistic};
    rc = ridge_open_columns(ridge, features, set, weights, err);
    if (!rc)
        rc = settings->is_logistic
                 ? fit_logistic(ridge, features, set, targets, weights, err)
                 : fit_squares(ridge, features, set, targets, weights, settings->seed,
                               err);
    if (rc)
        ridge_free(ridge);
    return rc;
}

void ridge_free(struct ridge *ridge)
{
    for (int i = 0; ridge->levels && i < ridge->feature_count; i++)
        free(ridge->levels[i].is_known);
    free(ridge->levels);
    free(ridge->columns);
    free(ridge->weights);
    *ridge = (struct ridge){0};
}

double ridge_raw(const struct ridge *ridge, const struct feature_rows *features,
                 int64_t row)
{
    double raw = ridge->weights[0];

    for (int i = 0; i < ridge->column_count; i++)
        raw += ridge->weights[1 + i] * ridge_column_value(ridge, i, features, row);
    return raw;
}
