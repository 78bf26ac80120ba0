/* instrument_reduced.c - quadratic forms of what instruments move, and where they reach a
 * critical value. */
#include "learn/instrument_reduced.h"

#include "learn/distribution.h"
#include "learn/lapack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Effects that are tried, from minus to plus infinity by angle: fewer where each takes
 * long. */
enum { GRID_MIN = 90, GRID_MAX = 1440, GRID_WORK = 50 * GRID_MAX, HALVING_COUNT = 60 };

static const double half_turn = 3.14159265358979323846;

double f_critical(double above, double below)
{
    double low = 0, high = 1;

    while (f_tail(high, above, below) > 0.05)
        high *= 2;
    for (int i = 0; i < 200; i++) {
        double middle = (low + high) / 2;

        if (f_tail(middle, above, below) > 0.05)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* ---- what instruments move ---- */

static enum status reduced_make(const struct basis *basis, int first,
                                struct reduced *reduced, struct err *err)
{
    size_t k = (size_t)basis->design.column_count, q = 0;

    for (int i = 0; i < basis->rank; i++)
        q += basis->kept[i] >= first;
    reduced->count = (int)q;
    if (q > INSTRUMENT_ROBUST_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE,
                       "%zu instruments with robust errors, at most %d", q,
                       INSTRUMENT_ROBUST_COUNT_MAX);
    reduced->numbers = calloc(q * (k + 4 * q + 4), sizeof *reduced->numbers);
    if (!reduced->numbers)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %zu instruments", q);
    reduced->directions = reduced->numbers;
    reduced->tt = reduced->directions + q * k;
    reduced->yy = reduced->tt + q * q;
    reduced->both = reduced->yy + q * q;
    reduced->matrix = reduced->both + q * q;
    reduced->treatment = reduced->matrix + q * q;
    reduced->outcome = reduced->treatment + q;
    reduced->right = reduced->outcome + q;
    reduced->other = reduced->right + q;
    /* The last rows of the triangle: coordinates are these times coefficients. */
    for (size_t d = 0; d < q; d++)
        for (size_t j = (size_t)basis->rank - q + d; j < (size_t)basis->rank; j++)
            reduced->directions[d * k + (size_t)basis->kept[j]] =
                basis->r[((size_t)basis->rank - q + d) * k + j];
    return STATUS_OK;
}

static enum status find_coordinates(const struct basis *basis,
                                    const struct reduced *reduced, const double *values,
                                    double *coordinates, double *left, struct err *err)
{
    int k = basis->design.column_count;
    double *coefficients = malloc((size_t)k * sizeof *coefficients);

    if (!coefficients)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d columns", k);
    basis_solve(basis, values, coefficients, left);
    for (int d = 0; d < reduced->count; d++) {
        coordinates[d] = 0;
        for (int c = 0; c < k; c++)
            coordinates[d] += reduced->directions[d * k + c] * coefficients[c];
    }
    free(coefficients);
    return STATUS_OK;
}

/* The covariances of sums are those of both, and twice that between them. */
static enum status find_covariances(const struct basis *basis, int64_t row_count,
                                    struct covariance_rule rule, const double *left_t,
                                    const double *left_y, double *scratch,
                                    struct reduced *reduced, struct err *err)
{
    double tt = 0, yy = 0, scale;
    int q = reduced->count;
    enum status rc;

    for (int64_t i = 0; i < row_count; i++) {
        tt += left_t[i] * left_t[i];
        yy += left_y[i] * left_y[i];
    }
    scale = yy > 0 ? sqrt(yy / tt) : 1;
    for (int64_t i = 0; i < row_count; i++)
        scratch[i] = scale * left_t[i] + left_y[i];
    rc = basis_covariance(basis, left_t, rule, reduced->directions, q, reduced->tt, err);
    if (!rc)
        rc = basis_covariance(basis, left_y, rule, reduced->directions, q, reduced->yy,
                              err);
    if (!rc)
        rc = basis_covariance(basis, scratch, rule, reduced->directions, q, reduced->both,
                              err);
    for (int i = 0; i < q * q && !rc; i++)
        reduced->both[i] =
            (reduced->both[i] - reduced->yy[i] - scale * scale * reduced->tt[i]) / scale;
    return rc;
}

enum status reduced_open(const struct basis *basis, int first,
                         const struct instrument_data *data, struct covariance_rule rule,
                         double *left_t, double *left_y, double *scratch,
                         struct reduced *reduced, struct err *err)
{
    enum status rc;

    *reduced = (struct reduced){0};
    rc = reduced_make(basis, first, reduced, err);
    reduced->freedom = rule.clusters ? (double)rule.cluster_count - 1
                                     : (double)(basis->row_count - basis->rank);
    /* What clusters add sums to 0, and the constant takes one: so many directions less
     * two. */
    if (!rc && rule.clusters && rule.cluster_count <= reduced->count + 1)
        rc = err_set(err, STATUS_INVALID, "%d clusters are too few for %d instruments",
                     rule.cluster_count, reduced->count);
    if (!rc)
        rc = find_coordinates(basis, reduced, data->treatments, reduced->treatment,
                              left_t, err);
    if (!rc)
        rc = find_coordinates(basis, reduced, data->outcomes, reduced->outcome, left_y,
                              err);
    if (!rc)
        rc = find_covariances(basis, data->row_count, rule, left_t, left_y, scratch,
                              reduced, err);
    return rc;
}

void reduced_close(struct reduced *reduced)
{
    free(reduced->numbers);
    *reduced = (struct reduced){0};
}

/* ---- the first stage ---- */

static double product(const double *a, const double *b, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* x' M^-1 y by the matrix and the right side of the room, which are lost; infinite when M
 * is singular. */
static double solved_product(struct reduced *reduced, const double *x)
{
    int one = 1, info = 0;

    dposv_("L", &reduced->count, &one, reduced->matrix, &reduced->count, reduced->right,
           &reduced->count, &info, 1);
    return info == 0 ? product(x, reduced->right, reduced->count) : INFINITY;
}

double reduced_f(struct reduced *reduced)
{
    size_t q = (size_t)reduced->count;

    memcpy(reduced->matrix, reduced->tt, q * q * sizeof *reduced->matrix);
    memcpy(reduced->right, reduced->treatment, q * sizeof *reduced->right);
    return solved_product(reduced, reduced->treatment) / reduced->count;
}

double reduced_effective_f(const struct reduced *reduced)
{
    double trace = 0;

    for (int i = 0; i < reduced->count; i++)
        trace += reduced->tt[i * reduced->count + i];
    return product(reduced->treatment, reduced->treatment, reduced->count) / trace;
}

/* ---- the set ---- */

/* Effects as angles: b = u / v, so that infinity is one of them. */
struct line {
    double centre, scale;
    int count; /* of angles that are tried */
    double step;
};

static double effect_at(const struct line *line, double angle)
{
    return line->centre + line->scale * tan(angle);
}

/* Wald's statistic over its degrees of freedom of v y - u t. */
static double statistic_at(struct reduced *reduced, const struct line *line, double angle)
{
    double v = cos(angle), u = line->centre * v + line->scale * sin(angle);
    int q = reduced->count;

    for (int i = 0; i < q * q; i++)
        reduced->matrix[i] =
            v * v * reduced->yy[i] - u * v * reduced->both[i] + u * u * reduced->tt[i];
    for (int i = 0; i < q; i++)
        reduced->right[i] = reduced->other[i] =
            v * reduced->outcome[i] - u * reduced->treatment[i];
    return solved_product(reduced, reduced->other) / q;
}

/* Two-stage least squares and about its error, by which a grid is laid. */
static struct line line_of(const struct reduced *reduced)
{
    const double *t = reduced->treatment;
    int q = reduced->count, count;
    double moved = product(t, t, q), b = product(t, reduced->outcome, q) / moved,
           variance = 0;

    for (int i = 0; i < q; i++)
        for (int j = 0; j < q; j++)
            variance += t[i] * t[j] *
                        (reduced->yy[i * q + j] - b * reduced->both[i * q + j] +
                         b * b * reduced->tt[i * q + j]);
    count = GRID_WORK / q;
    count = count > GRID_MAX ? GRID_MAX : count < GRID_MIN ? GRID_MIN : count;
    return (struct line){b, variance > 0 ? sqrt(variance) / moved : 1, count,
                         half_turn / count};
}

/* The angle at which the statistic is least: the best of the grid, then ever smaller
 * steps from it. */
static double best_angle(struct reduced *reduced, const struct line *line)
{
    double angle = 0, least = statistic_at(reduced, line, 0), step = line->step;

    for (int i = 1; i < line->count; i++) {
        double statistic = statistic_at(reduced, line, i * line->step);

        if (statistic < least) {
            least = statistic;
            angle = i * line->step;
        }
    }
    for (int i = 0; i < HALVING_COUNT; i++) {
        for (int side = -1; side <= 1; side += 2) {
            double statistic = statistic_at(reduced, line, angle + side * step);

            if (statistic < least) {
                least = statistic;
                angle += side * step;
            }
        }
        step *= 0.7;
    }
    return angle;
}

/* Between an angle inside and one outside of the set. */
static double border(struct reduced *reduced, const struct line *line, double inside,
                     double outside, double critical)
{
    for (int i = 0; i < HALVING_COUNT; i++) {
        double middle = (inside + outside) / 2;

        if (statistic_at(reduced, line, middle) <= critical)
            inside = middle;
        else
            outside = middle;
    }
    return inside;
}

/* From a place inside on, the longest way outside: (from, to). Angles go on beyond a half
 * turn. */
static int longest_outside(struct reduced *reduced, const struct line *line, double start,
                           double critical, int *from)
{
    int run = 0, longest = 0;

    for (int i = 1; i <= line->count; i++) {
        double angle = start + i * line->step;

        run = i < line->count && statistic_at(reduced, line, angle) > critical ? run + 1
                                                                               : 0;
        if (run > longest) {
            longest = run;
            *from = i - run;
        }
    }
    return longest;
}

void reduced_set(struct reduced *reduced, struct instrument_effect *effect)
{
    const struct line line = line_of(reduced);
    double critical = f_critical(reduced->count, reduced->freedom), low, high,
           start = best_angle(reduced, &line), step = line.step;
    int from = 0, outside;

    effect->set_low = effect->set_high = NAN;
    if (!(statistic_at(reduced, &line, start) <= critical)) {
        effect->set = INSTRUMENT_SET_EMPTY;
        return;
    }
    outside = longest_outside(reduced, &line, start, critical, &from);
    if (outside == 0) {
        effect->set = INSTRUMENT_SET_ALL;
        return;
    }
    low =
        border(reduced, &line, start + from * step, start + (from + 1) * step, critical);
    high = border(reduced, &line, start + (from + outside + 1) * step,
                  start + (from + outside) * step, critical);
    if (floor(low / half_turn - 0.5) != floor(high / half_turn - 0.5)) {
        effect->set = INSTRUMENT_SET_INTERVAL;
        effect->set_low = effect_at(&line, high);
        effect->set_high = effect_at(&line, low);
    } else {
        effect->set = INSTRUMENT_SET_OUTSIDE;
        effect->set_low = effect_at(&line, low);
        effect->set_high = effect_at(&line, high);
    }
}

/* ---- whether instruments agree ---- */

enum status reduced_hansen(struct reduced *reduced, const struct basis *basis,
                           struct covariance_rule rule, const double *residuals,
                           double *stat, struct err *err)
{
    size_t q = (size_t)reduced->count, bytes = q * sizeof(double);
    double *weights = reduced->both, moved, value; /* both is used up by then */
    enum status rc = basis_covariance(basis, residuals, rule, reduced->directions,
                                      reduced->count, weights, err);

    if (rc)
        return rc;
    memcpy(reduced->matrix, weights, q * bytes);
    memcpy(reduced->right, reduced->treatment, bytes);
    moved = solved_product(reduced, reduced->treatment);
    value = product(reduced->outcome, reduced->right, reduced->count) / moved;
    for (size_t i = 0; i < q; i++)
        reduced->right[i] = reduced->other[i] =
            reduced->outcome[i] - value * reduced->treatment[i];
    memcpy(reduced->matrix, weights, q * bytes);
    *stat = solved_product(reduced, reduced->other);
    return STATUS_OK;
}
