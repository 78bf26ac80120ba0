/* regression.c - least squares through an orthonormal basis. */
#include "learn/regression.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double dependent_share = 1e-9; /* of a column's length */

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a regression");
}

static const double *column_of(const double *columns, int64_t row_count, int column)
{
    return columns + (int64_t)column * row_count;
}

/* Sums over rows in pieces that a BLAS with 32-bit counts takes. */
static double dot(const double *a, const double *b, int64_t count)
{
    enum { PIECE = 1 << 20 };
    double sum = 0;

    for (int64_t i = 0; i < count; i += PIECE)
        sum +=
            cblas_ddot((int)(count - i < PIECE ? count - i : PIECE), a + i, 1, b + i, 1);
    return sum;
}

static void subtract(double *from, const double *what, double times, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        from[i] -= times * what[i];
}

/* ---- the basis ---- */

static void add_column(struct basis *basis, const double *column, int index)
{
    int64_t n = basis->row_count;
    double *q = basis->q + (int64_t)basis->rank * n;
    double length = sqrt(dot(column, column, n)), rest;

    memcpy(q, column, (size_t)n * sizeof *q);
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < basis->rank; i++) {
            double share = dot(column_of(basis->q, n, i), q, n);

            subtract(q, column_of(basis->q, n, i), share, n);
            basis->r[i * basis->column_count + basis->rank] += share;
        }
    rest = sqrt(dot(q, q, n));
    if (!(rest > dependent_share * length)) {
        for (int i = 0; i < basis->rank; i++)
            basis->r[i * basis->column_count + basis->rank] = 0;
        return;
    }
    for (int64_t i = 0; i < n; i++)
        q[i] /= rest;
    basis->r[basis->rank * basis->column_count + basis->rank] = rest;
    basis->kept[basis->rank++] = index;
}

enum status basis_open(const double *design, int64_t row_count, int column_count,
                       struct basis *basis, struct err *err)
{
    size_t k = (size_t)column_count;

    *basis = (struct basis){.row_count = row_count, .column_count = column_count};
    if (column_count > REGRESSION_COLUMN_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "%d columns for a regression, at most %d",
                       column_count, REGRESSION_COLUMN_COUNT_MAX);
    basis->kept = calloc(k + 1, sizeof *basis->kept);
    basis->r = calloc(k * k + 1, sizeof *basis->r);
    basis->q = malloc((k * (size_t)row_count + 1) * sizeof *basis->q);
    if (!basis->kept || !basis->r || !basis->q) {
        basis_close(basis);
        return refuse_memory(err);
    }
    for (int i = 0; i < column_count; i++)
        add_column(basis, column_of(design, row_count, i), i);
    return STATUS_OK;
}

void basis_close(struct basis *basis)
{
    free(basis->kept);
    free(basis->q);
    free(basis->r);
    *basis = (struct basis){0};
}

bool basis_keeps(const struct basis *basis, int column)
{
    for (int i = 0; i < basis->rank; i++)
        if (basis->kept[i] == column)
            return true;
    return false;
}

/* R x = y for the kept columns, in place. */
static void solve_back(const struct basis *basis, double *x)
{
    for (int i = basis->rank - 1; i >= 0; i--) {
        for (int j = i + 1; j < basis->rank; j++)
            x[i] -= basis->r[i * basis->column_count + j] * x[j];
        x[i] /= basis->r[i * basis->column_count + i];
    }
}

/* From places among the kept to columns of the design; x has room for all of them. */
static void spread(const struct basis *basis, double *x)
{
    for (int i = basis->rank - 1; i >= 0; i--) {
        double value = x[i];

        x[i] = 0;
        x[basis->kept[i]] = value;
    }
}

void basis_solve(const struct basis *basis, const double *outcome, double *coefficients,
                 double *residuals)
{
    int64_t n = basis->row_count;

    memset(coefficients, 0, (size_t)basis->column_count * sizeof *coefficients);
    memmove(residuals, outcome, (size_t)n * sizeof *residuals);
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < basis->rank; i++) {
            double share = dot(column_of(basis->q, n, i), residuals, n);

            subtract(residuals, column_of(basis->q, n, i), share, n);
            coefficients[i] += share;
        }
    solve_back(basis, coefficients);
    spread(basis, coefficients);
}

void basis_leverages(const struct basis *basis, double *leverages)
{
    memset(leverages, 0, (size_t)basis->row_count * sizeof *leverages);
    for (int i = 0; i < basis->rank; i++) {
        const double *q = column_of(basis->q, basis->row_count, i);

        for (int64_t row = 0; row < basis->row_count; row++)
            leverages[row] += q[row] * q[row];
    }
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

/* scale (row): what each row's residual counts. */
static void scale_residuals(const struct basis *basis, const double *residuals,
                            enum covariance_kind kind, double *scaled)
{
    if (kind == COVARIANCE_HC2 || kind == COVARIANCE_HC3)
        basis_leverages(basis, scaled);
    for (int64_t row = 0; row < basis->row_count; row++) {
        double rest =
            kind == COVARIANCE_HC2 || kind == COVARIANCE_HC3 ? 1 - scaled[row] : 1;

        /* A row that alone decides a coefficient has no residual. */
        if (rest < 1e-12)
            scaled[row] = 0;
        else
            scaled[row] = residuals[row] / (kind == COVARIANCE_HC2 ? sqrt(rest) : rest);
    }
}

/* meat (rank, rank) += sum over rows of s^2 q q'. */
static void add_rows(const struct basis *basis, const double *scaled, double *meat)
{
    for (int i = 0; i < basis->rank; i++)
        for (int j = i; j < basis->rank; j++) {
            const double *a = column_of(basis->q, basis->row_count, i);
            const double *b = column_of(basis->q, basis->row_count, j);
            double sum = 0;

            for (int64_t row = 0; row < basis->row_count; row++)
                sum += scaled[row] * scaled[row] * a[row] * b[row];
            meat[i * basis->rank + j] = meat[j * basis->rank + i] = sum;
        }
}

/* The same of sums over clusters. sums (rank, cluster). */
static enum status add_clusters(const struct basis *basis, const double *scaled,
                                struct covariance_rule rule, double *meat,
                                struct err *err)
{
    size_t g = (size_t)rule.cluster_count;
    double *sums = calloc((size_t)basis->rank * g + 1, sizeof *sums);

    if (!sums)
        return refuse_memory(err);
    for (int i = 0; i < basis->rank; i++) {
        const double *q = column_of(basis->q, basis->row_count, i);

        for (int64_t row = 0; row < basis->row_count; row++)
            sums[(size_t)i * g + (size_t)rule.clusters[row]] += scaled[row] * q[row];
    }
    for (int i = 0; i < basis->rank; i++)
        for (int j = i; j < basis->rank; j++)
            meat[i * basis->rank + j] = meat[j * basis->rank + i] =
                dot(sums + (size_t)i * g, sums + (size_t)j * g, (int64_t)g);
    free(sums);
    return STATUS_OK;
}

static void set_identity(double *meat, int rank, double value)
{
    memset(meat, 0, (size_t)rank * (size_t)rank * sizeof *meat);
    for (int i = 0; i < rank; i++)
        meat[i * rank + i] = value;
}

/* covariance = R^-1 meat R^-T, spread to the columns of the design. half (rank, column). */
static void put_between(const struct basis *basis, const double *meat, double *half,
                        double *covariance)
{
    int k = basis->column_count, rank = basis->rank;

    memset(half, 0, (size_t)rank * (size_t)k * sizeof *half);
    memset(covariance, 0, (size_t)k * (size_t)k * sizeof *covariance);
    for (int j = 0; j < rank; j++) { /* R^-1 times column j of the meat */
        for (int i = 0; i < rank; i++)
            half[j * k + i] = meat[i * rank + j];
        solve_back(basis, half + j * k);
    }
    for (int i = 0; i < rank; i++) { /* R^-1 times row i of that */
        double *row = covariance + basis->kept[i] * k;

        for (int j = 0; j < rank; j++)
            row[j] = half[j * k + i];
        solve_back(basis, row);
        spread(basis, row);
    }
}

static double degrees_factor(const struct basis *basis, struct covariance_rule rule)
{
    double n = (double)basis->row_count, k = basis->rank, g = rule.cluster_count;

    if (rule.clusters)
        return g / (g - 1) * (n - 1) / (n - k);
    return rule.kind == COVARIANCE_HC1 ? n / (n - k) : 1;
}

enum status basis_covariance(const struct basis *basis, const double *residuals,
                             struct covariance_rule rule, double *covariance,
                             struct err *err)
{
    size_t rank = (size_t)basis->rank, k = (size_t)basis->column_count;
    double *scaled, *meat, *half, factor = degrees_factor(basis, rule);
    enum status rc = STATUS_OK;

    if (basis->row_count <= basis->rank)
        return err_set(err, STATUS_INVALID, "%lld rows for %d coefficients",
                       (long long)basis->row_count, basis->rank);
    if (rule.clusters && rule.cluster_count < 2)
        return err_set(err, STATUS_INVALID, "there is one cluster only");
    scaled = malloc((size_t)basis->row_count * sizeof *scaled);
    meat = malloc((rank * rank + 1) * sizeof *meat);
    half = malloc((rank * k + 1) * sizeof *half);
    if (!scaled || !meat || !half) {
        rc = refuse_memory(err);
    } else if (rule.clusters) {
        scale_residuals(basis, residuals, COVARIANCE_HC0, scaled);
        rc = add_clusters(basis, scaled, rule, meat, err);
    } else if (rule.kind == COVARIANCE_CLASSICAL) {
        set_identity(meat, basis->rank,
                     dot(residuals, residuals, basis->row_count) /
                         (double)(basis->row_count - basis->rank));
    } else {
        scale_residuals(basis, residuals, rule.kind, scaled);
        add_rows(basis, scaled, meat);
    }
    if (!rc) {
        for (size_t i = 0; i < rank * rank; i++)
            meat[i] *= factor;
        put_between(basis, meat, half, covariance);
    }
    free(scaled);
    free(meat);
    free(half);
    return rc;
}
