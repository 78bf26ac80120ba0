/* regression.c - least squares through an orthonormal basis, whose rows are made when
 * they are needed. */
#include "learn/basis_rows.h"

#include "learn/draws.h"
#include "learn/lapack.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PANEL = 32 /* columns that LAPACK works on together */ };

static const double dependent_share = 1e-9;   /* of a column's length */
static const double leverage_rest_min = 1e-9; /* what is left of 1 */

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a regression");
}

/* ---- rows, a block at a time ---- */

/* Which rows are the next block. */
static int find_rows(const struct basis *basis, int64_t *next)
{
    const struct regression_design *design = &basis->design;
    int count = 0;

    for (; *next < design->row_count && count < BASIS_BLOCK_ROWS; ++*next)
        if (!design->is_used || design->is_used[*next])
            basis->places[count++] = *next;
    return count;
}

static void put_column(const struct basis *basis, int column, int count, double *values)
{
    const struct regressor *regressor = &basis->design.columns[column];
    const double *roots = basis->design.roots;

    for (int i = 0; i < count; i++)
        values[i] = regressor_value(regressor, basis->places[i]);
    for (int i = 0; roots && i < count; i++)
        values[i] *= roots[basis->places[i]];
}

bool basis_next(const struct basis *basis, struct basis_rows *rows)
{
    rows->count = find_rows(basis, &rows->next);
    for (int i = 0; i < basis->rank; i++)
        put_column(basis, basis->kept[i], rows->count,
                   basis->block + (size_t)i * BASIS_BLOCK_ROWS);
    /* r, row by row, is to LAPACK a lower triangle. */
    if (rows->count > 0)
        cblas_dtrsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit,
                    rows->count, basis->rank, 1, basis->r, basis->design.column_count,
                    basis->block, BASIS_BLOCK_ROWS);
    return rows->count > 0;
}

/* ---- the basis ---- */

/* triangle (column, column), column by column: R of the rows of the design. */
static enum status find_triangle(struct basis *basis, double *triangle, struct err *err)
{
    int k = basis->design.column_count, panel = k < PANEL ? k : PANEL, count, none = 0,
        stride = BASIS_BLOCK_ROWS, info;
    double *room = malloc(2 * (size_t)panel * (size_t)k * sizeof *room);
    int64_t next = 0;

    if (!room)
        return refuse_memory(err);
    while ((count = find_rows(basis, &next)) > 0) {
        for (int i = 0; i < k; i++)
            put_column(basis, i, count, basis->block + (size_t)i * BASIS_BLOCK_ROWS);
        dtpqrt_(&count, &k, &none, &panel, triangle, &k, basis->block, &stride, room,
                &panel, room + (size_t)panel * (size_t)k, &info);
        assert(info == 0);
        basis->row_count += count;
    }
    free(room);
    return STATUS_OK;
}

/* q (rank, column): orthonormal columns of the triangle, to which one is added. */
static void add_column(struct basis *basis, const double *column, int index, double *q)
{
    int k = basis->design.column_count;
    double *own = q + (size_t)basis->rank * (size_t)k, length = cblas_dnrm2(k, column, 1),
           rest;

    memcpy(own, column, (size_t)k * sizeof *own);
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < basis->rank; i++) {
            double share = cblas_ddot(k, q + (size_t)i * (size_t)k, 1, own, 1);

            cblas_daxpy(k, -share, q + (size_t)i * (size_t)k, 1, own, 1);
            basis->r[i * k + basis->rank] += share;
        }
    rest = cblas_dnrm2(k, own, 1);
    if (!(rest > dependent_share * length)) {
        for (int i = 0; i < basis->rank; i++)
            basis->r[i * k + basis->rank] = 0;
        return;
    }
    cblas_dscal(k, 1 / rest, own, 1);
    basis->r[basis->rank * k + basis->rank] = rest;
    basis->kept[basis->rank++] = index;
}

enum status basis_open(const struct regression_design *design, struct basis *basis,
                       struct err *err)
{
    size_t k = (size_t)design->column_count;
    double *numbers = NULL; /* the triangle, and its orthonormal columns */
    enum status rc = STATUS_OK;

    *basis = (struct basis){.design = *design};
    if (design->column_count > REGRESSION_COLUMN_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "%d columns for a regression, at most %d",
                       design->column_count, REGRESSION_COLUMN_COUNT_MAX);
    basis->kept = calloc(k, sizeof *basis->kept);
    basis->r = calloc(k * k, sizeof *basis->r);
    basis->block = malloc(k * BASIS_BLOCK_ROWS * sizeof *basis->block);
    basis->places = malloc(BASIS_BLOCK_ROWS * sizeof *basis->places);
    numbers = calloc(2 * k * k, sizeof *numbers);
    if (!basis->kept || !basis->r || !basis->block || !basis->places || !numbers)
        rc = refuse_memory(err);
    if (!rc)
        rc = find_triangle(basis, numbers, err);
    for (size_t i = 0; i < k && !rc; i++)
        add_column(basis, numbers + i * k, (int)i, numbers + k * k);
    free(numbers);
    if (rc)
        basis_close(basis);
    return rc;
}

void basis_close(struct basis *basis)
{
    free(basis->kept);
    free(basis->r);
    free(basis->block);
    free(basis->places);
    *basis = (struct basis){0};
}

bool basis_keeps(const struct basis *basis, int column)
{
    for (int i = 0; i < basis->rank; i++)
        if (basis->kept[i] == column)
            return true;
    return false;
}

/* ---- least squares ---- */

void basis_coefficients(const struct basis *basis, double *x)
{
    int k = basis->design.column_count;

    for (int i = basis->rank - 1; i >= 0; i--) {
        for (int j = i + 1; j < basis->rank; j++)
            x[i] -= basis->r[i * k + j] * x[j];
        x[i] /= basis->r[i * k + i];
    }
    for (int i = basis->rank; i < k; i++)
        x[i] = 0;
    for (int i = basis->rank - 1; i >= 0; i--) {
        double value = x[i];

        x[i] = 0;
        x[basis->kept[i]] = value;
    }
}

/* What a block leaves of the outcome beyond shares (rank) of the basis. */
static void find_rest(const struct basis *basis, int count, const double *outcome,
                      const double *shares, double rest[static BASIS_BLOCK_ROWS])
{
    for (int i = 0; i < count; i++)
        rest[i] = outcome[basis->places[i]];
    for (int c = 0; c < basis->rank; c++) {
        const double *q = basis->block + (size_t)c * BASIS_BLOCK_ROWS;

        for (int i = 0; i < count; i++)
            rest[i] -= shares[c] * q[i];
    }
}

/* shares += what the basis has of all that is left beyond them; more (rank): room. */
static void add_shares(const struct basis *basis, const double *outcome, double *shares,
                       double *more)
{
    struct basis_rows rows = {0};
    double rest[BASIS_BLOCK_ROWS];

    memset(more, 0, (size_t)basis->rank * sizeof *more);
    while (basis_next(basis, &rows)) {
        find_rest(basis, rows.count, outcome, shares, rest);
        for (int c = 0; c < basis->rank; c++)
            more[c] += cblas_ddot(rows.count, basis->block + (size_t)c * BASIS_BLOCK_ROWS,
                                  1, rest, 1);
    }
    for (int c = 0; c < basis->rank; c++)
        shares[c] += more[c];
}

void basis_solve(const struct basis *basis, const double *outcome, double *coefficients,
                 double *residuals)
{
    struct basis_rows rows = {0};
    double rest[BASIS_BLOCK_ROWS], more[REGRESSION_COLUMN_COUNT_MAX];

    memset(coefficients, 0, (size_t)basis->design.column_count * sizeof *coefficients);
    /* The second time takes what rounding left, which is more the nearer columns are to
     * one another. */
    for (int again = 0; again < 2; again++)
        add_shares(basis, outcome, coefficients, more);
    while (residuals && basis_next(basis, &rows)) {
        find_rest(basis, rows.count, outcome, coefficients, rest);
        for (int i = 0; i < rows.count; i++)
            residuals[basis->places[i]] = rest[i];
    }
    basis_coefficients(basis, coefficients);
}

/* ---- what one direction is in the basis ---- */

/* along (rank): sum of direction x coefficients is that of along x coordinates: R' along
 * = direction. */
static void set_along(const struct basis *basis, const double *direction, double *along)
{
    int k = basis->design.column_count;

    for (int i = 0; i < basis->rank; i++) {
        along[i] = direction[basis->kept[i]];
        for (int j = 0; j < i; j++)
            along[i] -= basis->r[j * k + i] * along[j];
        along[i] /= basis->r[i * k + i];
    }
}

static void set_one(const struct basis *basis, int column,
                    double direction[static REGRESSION_COLUMN_COUNT_MAX])
{
    memset(direction, 0, (size_t)basis->design.column_count * sizeof *direction);
    direction[column] = 1;
}

/* Of a row of the block: how the sum moves with its outcome. */
static double row_influence(const struct basis *basis, int at, const double *along)
{
    double sum = 0;

    for (int c = 0; c < basis->rank; c++)
        sum += along[c] * basis->block[(size_t)c * BASIS_BLOCK_ROWS + (size_t)at];
    return sum;
}

static double row_leverage(const struct basis *basis, int at)
{
    double sum = 0;

    for (int c = 0; c < basis->rank; c++) {
        double q = basis->block[(size_t)c * BASIS_BLOCK_ROWS + (size_t)at];

        sum += q * q;
    }
    return sum;
}

int64_t basis_lone_row(const struct basis *basis, int column)
{
    double direction[REGRESSION_COLUMN_COUNT_MAX], along[REGRESSION_COLUMN_COUNT_MAX];
    struct basis_rows rows = {0};

    set_one(basis, column, direction);
    set_along(basis, direction, along);
    while (basis_next(basis, &rows))
        for (int i = 0; i < rows.count; i++)
            if (1 - row_leverage(basis, i) <= leverage_rest_min &&
                fabs(row_influence(basis, i, along)) > leverage_rest_min)
                return basis->places[i];
    return -1;
}

/* ---- errors ---- */

enum status covariance_kind_read(const char *name, enum covariance_kind *kind,
                                 struct err *err)
{
    static const char *const names[COVARIANCE_KIND_COUNT] = {"classical", "hc0", "hc1",
                                                             "hc2", "hc3"};

    for (int i = 0; i < COVARIANCE_KIND_COUNT; i++)
        if (strcmp(name, names[i]) == 0) {
            *kind = (enum covariance_kind)i;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID,
                   "'%.40s' is no kind of errors: classical, hc0, hc1, hc2 or hc3", name);
}

/* What a row of the block counts for the errors: its residual, more where it draws the
 * fit to itself. */
static double row_error(const struct basis *basis, int at, double residual,
                        enum covariance_kind kind)
{
    double rest;

    if (kind != COVARIANCE_HC2 && kind != COVARIANCE_HC3)
        return residual;
    rest = 1 - row_leverage(basis, at);
    /* A row that alone decides a coefficient has no residual. */
    if (rest < 1e-12)
        return 0;
    return residual / (kind == COVARIANCE_HC2 ? sqrt(rest) : rest);
}

/* What a row moves the direction by, beside its residual. */
static double row_line(const struct basis *basis, const double *line, int64_t row)
{
    double sum = 0;

    for (int c = 0; line && c < basis->design.column_count; c++)
        if (line[c] != 0)
            sum += line[c] * regressor_value(&basis->design.columns[c], row);
    return sum;
}

/* Directions (direction, rank) of which covariances are made, and those. */
struct errors {
    const double *along, *line;
    int count;
    double *covariance; /* (direction, direction): the lower half */
    struct draws draws; /* of the first */
};

static void add_moves(struct errors *errors, const double *moves)
{
    for (int a = 0; a < errors->count; a++)
        for (int b = 0; b <= a; b++)
            errors->covariance[a * errors->count + b] += moves[a] * moves[b];
    draws_add(&errors->draws, moves[0]);
}

static void add_rows(const struct basis *basis, const double *residuals,
                     enum covariance_kind kind, struct errors *errors)
{
    struct basis_rows rows = {0};
    double moves[REGRESSION_COLUMN_COUNT_MAX];

    while (basis_next(basis, &rows))
        for (int i = 0; i < rows.count; i++) {
            double error = row_error(basis, i, residuals[basis->places[i]], kind);

            for (int d = 0; d < errors->count; d++)
                moves[d] =
                    error * row_influence(basis, i, errors->along + d * basis->rank) +
                    row_line(basis, errors->line, basis->places[i]);
            add_moves(errors, moves);
        }
}

/* The same of what clusters move. sums (cluster, direction). */
static enum status add_clusters(const struct basis *basis, const double *residuals,
                                struct covariance_rule rule, struct errors *errors,
                                struct err *err)
{
    size_t count = (size_t)errors->count;
    double *sums = calloc((size_t)rule.cluster_count * count, sizeof *sums);
    struct basis_rows rows = {0};

    if (!sums)
        return refuse_memory(err);
    while (basis_next(basis, &rows))
        for (int i = 0; i < rows.count; i++) {
            int64_t row = basis->places[i];
            double *own = sums + (size_t)rule.clusters[row] * count;

            for (int d = 0; d < errors->count; d++)
                own[d] += residuals[row] *
                              row_influence(basis, i, errors->along + d * basis->rank) +
                          row_line(basis, errors->line, row);
        }
    for (int32_t g = 0; g < rule.cluster_count; g++)
        add_moves(errors, sums + (size_t)g * count);
    free(sums);
    return STATUS_OK;
}

/* The same when all rows have one error. */
static void add_products(const struct basis *basis, double variance,
                         struct errors *errors)
{
    for (int a = 0; a < errors->count; a++)
        for (int b = 0; b <= a; b++)
            errors->covariance[a * errors->count + b] =
                variance * cblas_ddot(basis->rank, errors->along + a * basis->rank, 1,
                                      errors->along + b * basis->rank, 1);
    for (int64_t i = 0; errors->line && i < basis->design.row_count; i++) {
        double move = row_line(basis, errors->line, i);

        errors->covariance[0] += move * move;
    }
}

static double sum_squares(const struct basis *basis, const double *residuals)
{
    const bool *is_used = basis->design.is_used;
    double sum = 0;

    for (int64_t i = 0; i < basis->design.row_count; i++)
        if (!is_used || is_used[i])
            sum += residuals[i] * residuals[i];
    return sum;
}

static double degrees_factor(const struct basis *basis, struct covariance_rule rule)
{
    double n = (double)basis->row_count, k = basis->rank, g = rule.cluster_count;

    if (rule.clusters)
        return g / (g - 1) * (n - 1) / (n - k);
    return rule.kind == COVARIANCE_HC1 ? n / (n - k) : 1;
}

static enum status add_errors(const struct basis *basis, const double *residuals,
                              struct covariance_rule rule, struct errors *errors,
                              struct err *err)
{
    if (rule.clusters)
        return add_clusters(basis, residuals, rule, errors, err);
    if (rule.kind == COVARIANCE_CLASSICAL)
        add_products(basis,
                     sum_squares(basis, residuals) /
                         (double)(basis->row_count - basis->rank),
                     errors);
    else
        add_rows(basis, residuals, rule.kind, errors);
    return STATUS_OK;
}

static enum status find_covariance(const struct basis *basis, const double *residuals,
                                   struct covariance_rule rule, const double *directions,
                                   int direction_count, double *covariance,
                                   double *draw_count, struct err *err)
{
    size_t count = (size_t)direction_count;
    double *along, factor = degrees_factor(basis, rule);
    struct errors errors = {
        .line = rule.line, .count = direction_count, .covariance = covariance};
    enum status rc;

    assert(!rule.line || direction_count == 1);
    assert(!rule.line || !basis->design.roots);

    if (basis->row_count <= basis->rank)
        return err_set(err, STATUS_INVALID, "%lld rows for %d coefficients",
                       (long long)basis->row_count, basis->rank);
    if (rule.clusters && rule.cluster_count < 2)
        return err_set(err, STATUS_INVALID, "there is one cluster only");
    along = malloc((count * (size_t)basis->rank + 1) * sizeof *along);
    if (!along)
        return refuse_memory(err);
    for (size_t d = 0; d < count; d++)
        set_along(basis, directions + d * (size_t)basis->design.column_count,
                  along + d * (size_t)basis->rank);
    errors.along = along;
    memset(covariance, 0, count * count * sizeof *covariance);
    rc = add_errors(basis, residuals, rule, &errors, err);
    for (size_t a = 0; a < count && !rc; a++)
        for (size_t b = 0; b <= a; b++)
            covariance[b * count + a] = covariance[a * count + b] *= factor;
    *draw_count = rule.kind == COVARIANCE_CLASSICAL && !rule.clusters
                      ? NAN
                      : draws_effective(errors.draws);
    free(along);
    return rc;
}

enum status basis_covariance(const struct basis *basis, const double *residuals,
                             struct covariance_rule rule, const double *directions,
                             int direction_count, double *covariance, struct err *err)
{
    double draws;

    return find_covariance(basis, residuals, rule, directions, direction_count,
                           covariance, &draws, err);
}

enum status basis_error(const struct basis *basis, const double *residuals,
                        struct covariance_rule rule, const double *direction,
                        double *variance, double *draw_count, struct err *err)
{
    return find_covariance(basis, residuals, rule, direction, 1, variance, draw_count,
                           err);
}

enum status basis_variance(const struct basis *basis, const double *residuals,
                           struct covariance_rule rule, int column, double *variance,
                           struct err *err)
{
    double direction[REGRESSION_COLUMN_COUNT_MAX];

    set_one(basis, column, direction);
    return basis_covariance(basis, residuals, rule, direction, 1, variance, err);
}
