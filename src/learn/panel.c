/* panel.c - weights of units, weights of periods, and the double difference. */
#include "learn/panel.h"

#include "learn/panel_gaps.h"
#include "learn/simplex.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const double time_ridge = 1e-6; /* of sigma: only makes the weights unique */

/* Of the squares of outcomes what rounding leaves of a fit that explains all. */
static const double perfect_share = 1e-12;

/* Of the same: below it the squares that weights differ by are lost in those that they
 * are made of. */
static const double loose_share = 1e-7;

/* Of the same: a ridge that chooses the most even of weights that explain all. */
static const double even_ridge = 1e-9;

static const char *const method_names[PANEL_METHOD_COUNT] = {"did", "sc", "sdid"};

enum status panel_method_read(const char *name, enum panel_method *method,
                              struct err *err)
{
    for (int i = 0; i < PANEL_METHOD_COUNT; i++)
        if (strcmp(name, method_names[i]) == 0) {
            *method = (enum panel_method)i;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "'%.40s' is no method: did, sc or sdid", name);
}

const char *panel_method_name(enum panel_method method)
{
    return method_names[method];
}

static const double *row_of(const struct panel *panel, int unit)
{
    return panel->outcomes + (size_t)unit * (size_t)panel->period_count;
}

static double mean_of(const double *values, int from, int to)
{
    double sum = 0;

    for (int t = from; t < to; t++)
        sum += values[t];
    return sum / (to - from);
}

/* Room for one estimate. */
struct work {
    const struct panel *panel;
    int treated, donor_count;
    int *donors;               /* (donor): units */
    double *rows;              /* differences to explain, (donor or period, other) */
    double *gram, *weights;    /* of the larger of both problems */
    bool is_perfect, is_loose; /* the last of them: nothing is left, or next to it */
};

static enum status work_open(const struct panel *panel, int treated, int left_out,
                             struct work *work, struct err *err)
{
    size_t most = (size_t)(panel->unit_count > panel->period_count ? panel->unit_count
                                                                   : panel->period_count);

    *work = (struct work){
        .panel = panel,
        .treated = treated,
        .donors = malloc((size_t)panel->unit_count * sizeof(int)),
        .rows = malloc((size_t)panel->unit_count * (size_t)panel->period_count *
                       sizeof(double)),
        .gram = malloc(most * most * sizeof(double)),
        .weights = malloc(most * sizeof(double)),
    };
    if (!work->donors || !work->rows || !work->gram || !work->weights)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a panel");
    for (int unit = 0; unit < panel->unit_count; unit++)
        if (unit != treated && unit != left_out)
            work->donors[work->donor_count++] = unit;
    return work->donor_count > 0
               ? STATUS_OK
               : err_set(err, STATUS_INVALID, "there are no other units");
}

static void work_close(struct work *work)
{
    free(work->donors);
    free(work->rows);
    free(work->gram);
    free(work->weights);
}

/* gram = rows rows' + ridge on the diagonal; rows (count, length). */
static void set_gram(struct work *work, int count, int length, double ridge)
{
    for (int i = 0; i < count; i++)
        for (int j = i; j < count; j++) {
            const double *a = work->rows + (size_t)i * (size_t)length;
            const double *b = work->rows + (size_t)j * (size_t)length;
            double sum = i == j ? ridge : 0;

            for (int t = 0; t < length; t++)
                sum += a[t] * b[t];
            work->gram[(size_t)i * (size_t)count + (size_t)j] =
                work->gram[(size_t)j * (size_t)count + (size_t)i] = sum;
        }
}

static void take_mean_off(double *row, int length)
{
    double mean = mean_of(row, 0, length);

    for (int t = 0; t < length; t++)
        row[t] -= mean;
}

static double largest_square(const struct work *work, int count)
{
    double largest = 0;

    for (int i = 0; i < count; i++)
        largest = fmax(largest, work->gram[(size_t)i * (size_t)count + (size_t)i]);
    return largest;
}

/* Weights sum to 1, so that what they have to explain can be taken off each row
 * beforehand. */
static enum status solve(struct work *work, int count, int length, double ridge,
                         bool has_intercept, double *gap, struct err *err)
{
    double value, own_gap, largest;
    enum status rc;

    for (int i = 0; has_intercept && i < count; i++)
        take_mean_off(work->rows + (size_t)i * (size_t)length, length);
    set_gram(work, count, length, ridge);
    rc = simplex_least_squares(work->gram, count, work->weights, &value, &own_gap, err);
    if (rc)
        return rc;
    largest = largest_square(work, count);
    work->is_perfect = value <= perfect_share * largest;
    work->is_loose = value <= loose_share * largest;
    if (largest > 0)
        *gap = fmax(*gap, own_gap / fmax(value, loose_share * largest));
    return STATUS_OK;
}

static enum status weigh_units(struct work *work, double ridge, bool has_intercept,
                               double *unit_weights, double *gap, struct err *err)
{
    const struct panel *panel = work->panel;
    const double *treated = row_of(panel, work->treated);
    enum status rc;

    for (int d = 0; d < work->donor_count; d++)
        for (int t = 0; t < panel->pre_count; t++)
            work->rows[(size_t)d * (size_t)panel->pre_count + (size_t)t] =
                row_of(panel, work->donors[d])[t] - treated[t];
    rc = solve(work, work->donor_count, panel->pre_count, ridge, has_intercept, gap, err);
    if (!rc && ridge == 0 && work->is_perfect) {
        rc = solve(work, work->donor_count, panel->pre_count,
                   even_ridge * largest_square(work, work->donor_count), has_intercept,
                   gap, err);
        work->is_perfect = true;
    }
    for (int d = 0; d < work->donor_count && !rc; d++)
        unit_weights[work->donors[d]] = work->weights[d];
    return rc;
}

static enum status weigh_periods(struct work *work, double ridge, double *time_weights,
                                 double *gap, struct err *err)
{
    const struct panel *panel = work->panel;
    enum status rc;

    for (int d = 0; d < work->donor_count; d++) {
        const double *row = row_of(panel, work->donors[d]);
        double after = mean_of(row, panel->pre_count, panel->period_count);

        for (int t = 0; t < panel->pre_count; t++)
            work->rows[(size_t)t * (size_t)work->donor_count + (size_t)d] =
                row[t] - after;
    }
    rc = solve(work, panel->pre_count, work->donor_count, ridge, true, gap, err);
    for (int t = 0; t < panel->pre_count && !rc; t++)
        time_weights[t] = work->weights[t];
    return rc;
}

/* Standard deviation of the donors' changes from one period to the next, before the
 * treatment; 0 of a single one. */
static double noise_of(const struct work *work)
{
    const struct panel *panel = work->panel;
    double n = (double)work->donor_count * (panel->pre_count - 1), mean = 0, squares = 0;

    for (int again = 0; again < 2; again++)
        for (int d = 0; d < work->donor_count; d++)
            for (int t = 1; t < panel->pre_count; t++) {
                const double *row = row_of(panel, work->donors[d]);
                double change = row[t] - row[t - 1];

                if (again)
                    squares += (change - mean) * (change - mean);
                else
                    mean += change / n;
            }
    return n > 1 ? sqrt(squares / (n - 1)) : 0;
}

static enum status set_weights(struct work *work, enum panel_method method,
                               double *unit_weights, double *time_weights, double *gap,
                               struct err *err)
{
    const struct panel *panel = work->panel;
    double sigma, zeta;
    enum status rc;

    memset(unit_weights, 0, (size_t)panel->unit_count * sizeof *unit_weights);
    for (int t = 0; t < panel->pre_count; t++)
        time_weights[t] = 1.0 / panel->pre_count;
    for (int d = 0; d < work->donor_count; d++)
        unit_weights[work->donors[d]] = 1.0 / work->donor_count;
    if (method == PANEL_DID)
        return STATUS_OK;
    memset(unit_weights, 0, (size_t)panel->unit_count * sizeof *unit_weights);
    if (method == PANEL_SC)
        return weigh_units(work, 0, false, unit_weights, gap, err);
    sigma = noise_of(work);
    zeta = pow(panel->period_count - panel->pre_count, 0.25) * sigma;
    rc = weigh_units(work, zeta * zeta * panel->pre_count, true, unit_weights, gap, err);
    if (!rc)
        rc = weigh_periods(work,
                           time_ridge * sigma * time_ridge * sigma * work->donor_count,
                           time_weights, gap, err);
    return rc;
}

double panel_gap(const struct panel *panel, int treated, const double *unit_weights,
                 int period)
{
    double gap = row_of(panel, treated)[period];

    for (int unit = 0; unit < panel->unit_count; unit++)
        if (unit_weights[unit] != 0)
            gap -= unit_weights[unit] * row_of(panel, unit)[period];
    return gap;
}

/* Of the gaps in each period, less their weighted mean before the treatment unless it is
 * a synthetic control. */
static void set_effect(const struct panel *panel, enum panel_method method, int treated,
                       const double *unit_weights, const double *time_weights,
                       struct panel_effect *effect)
{
    double before = 0, after = 0, squares[2] = {};
    int post_count = panel->period_count - panel->pre_count;

    for (int pass = 0; pass < 2; pass++)
        for (int t = 0; t < panel->period_count; t++) {
            double gap = panel_gap(panel, treated, unit_weights, t);
            bool is_post = t >= panel->pre_count;

            if (pass == 0 && !is_post && method != PANEL_SC)
                before += time_weights[t] * gap;
            if (pass == 0 && is_post)
                after += gap / post_count;
            if (pass == 1)
                squares[is_post] += (gap - before) * (gap - before);
        }
    for (int t = 0; t < panel->pre_count; t++)
        effect->size = fmax(effect->size, fabs(row_of(panel, treated)[t]));
    effect->value = after - before;
    effect->pre_rmspe = sqrt(squares[0] / panel->pre_count);
    effect->post_rmspe = sqrt(squares[1] / post_count);
}

enum status panel_estimate(const struct panel *panel, enum panel_method method,
                           int treated, int left_out, struct panel_effect *effect,
                           double *unit_weights, double *time_weights, struct err *err)
{
    int pre_min = method == PANEL_SDID ? 2 : 1;
    struct work work;
    enum status rc;

    *effect = (struct panel_effect){0};
    rc = work_open(panel, treated, left_out, &work, err);
    if (!rc && (panel->pre_count < pre_min || panel->pre_count >= panel->period_count))
        rc = err_set(
            err, STATUS_INVALID,
            "%d periods before the treatment and %d from it on, at least %d and 1 "
            "are needed",
            panel->pre_count, panel->period_count - panel->pre_count, pre_min);
    if (!rc)
        rc = set_weights(&work, method, unit_weights, time_weights, &effect->gap, err);
    effect->is_perfect = !rc && method == PANEL_SC && work.is_perfect;
    effect->is_loose = !rc && method == PANEL_SDID && work.is_loose;
    if (!rc)
        set_effect(panel, method, treated, unit_weights, time_weights, effect);
    effect->is_exact =
        effect->is_perfect || effect->pre_rmspe <= panel_rounding * effect->size;
    work_close(&work);
    return rc;
}

/* Of a unit as if it had been treated. */
static enum status estimate_alone(const struct panel *panel, enum panel_method method,
                                  int unit, int left_out, struct panel_effect *effect,
                                  struct err *err)
{
    double *weights =
        malloc((size_t)(panel->unit_count + panel->period_count) * sizeof *weights);
    enum status rc = weights
                         ? panel_estimate(panel, method, unit, left_out, effect, weights,
                                          weights + panel->unit_count, err)
                         : err_set(err, STATUS_EXHAUSTED, "out of memory for a placebo");

    free(weights);
    return rc;
}

static double statistic_of(const struct panel_effect *effect, bool is_by_effect)
{
    return is_by_effect ? fabs(effect->value) : effect->post_rmspe / effect->pre_rmspe;
}

/* NaN where the effects of the others are too few, or differ by rounding only. */
static double error_of(const struct panel_effect *effects, int unit_count, int own)
{
    double count = unit_count - 1, mean = 0, squares = 0, largest = 0, se;

    for (int unit = 0; unit < unit_count; unit++)
        if (unit != own)
            mean += effects[unit].value / count;
    for (int unit = 0; unit < unit_count; unit++)
        if (unit != own) {
            squares += (effects[unit].value - mean) * (effects[unit].value - mean);
            largest = fmax(largest, effects[unit].size);
        }
    se = sqrt(squares / (count - 1));
    return count > 2 && se > panel_rounding * largest ? se : NAN;
}

/* Ties count against the treated unit. */
static void set_rank(const struct panel_effect *effects, int unit_count, int own,
                     struct panel_placebo *placebo)
{
    double own_statistic;

    for (int unit = 0; unit < unit_count; unit++)
        placebo->is_by_effect |= effects[unit].is_exact;
    own_statistic = statistic_of(&effects[own], placebo->is_by_effect);
    for (int unit = 0; unit < unit_count; unit++)
        placebo->rank +=
            statistic_of(&effects[unit], placebo->is_by_effect) >= own_statistic;
    placebo->p = (double)placebo->rank / unit_count;
}

enum status panel_placebo(const struct panel *panel, enum panel_method method, int own,
                          struct panel_placebo *placebo, struct err *err)
{
    struct panel_effect *effects = calloc((size_t)panel->unit_count, sizeof *effects);
    enum status rc = effects
                         ? STATUS_OK
                         : err_set(err, STATUS_EXHAUSTED, "out of memory for placebos");

    *placebo = (struct panel_placebo){.count = panel->unit_count - 1};
    for (int unit = 0; unit < panel->unit_count && !rc; unit++)
        rc = estimate_alone(panel, method, unit, unit == own ? -1 : own, &effects[unit],
                            err);
    if (!rc) {
        set_rank(effects, panel->unit_count, own, placebo);
        placebo->se = error_of(effects, panel->unit_count, own);
    }
    free(effects);
    return rc;
}
