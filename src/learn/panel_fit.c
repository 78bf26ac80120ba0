/* panel_fit.c - the treated unit before it was treated, beside the others. */
#include "learn/panel.h"

#include "learn/distribution.h"
#include "learn/panel_gaps.h"

#include <math.h>
#include <stdlib.h>

/* What the loops below share: a panel cut off at the treatment, without the treated unit
 * among the others. */
struct before {
    const struct panel *panel;
    int treated, donor_count;
};

static double outcome_of(const struct before *before, int unit, int period)
{
    return before->panel
        ->outcomes[(size_t)unit * (size_t)before->panel->period_count + (size_t)period];
}

static double own_mean(const struct before *before, int unit)
{
    double sum = 0;

    for (int t = 0; t < before->panel->pre_count; t++)
        sum += outcome_of(before, unit, t);
    return sum / before->panel->pre_count;
}

/* Of the donors in a period. */
static double period_mean(const struct before *before, int period)
{
    double sum = 0;

    for (int unit = 0; unit < before->panel->unit_count; unit++)
        if (unit != before->treated)
            sum += outcome_of(before, unit, period);
    return sum / before->donor_count;
}

/* Squares of what the means of unit and period leave of the donors. Each is taken by
 * itself: a difference of sums is lost in them where levels are far apart. */
static double rest_squares(const struct before *before, const double *means)
{
    int pre_count = before->panel->pre_count;
    double all = 0, squares = 0;

    for (int t = 0; t < pre_count; t++)
        all += means[t] / pre_count;
    for (int unit = 0; unit < before->panel->unit_count; unit++) {
        double own = own_mean(before, unit) - all;

        for (int t = 0; t < pre_count && unit != before->treated; t++)
            squares += pow(outcome_of(before, unit, t) - means[t] - own, 2);
    }
    return squares;
}

/* Each donor of a period about the period's mean, and about its own beside it. means
 * (pre_count): scratch. */
static void set_spreads(const struct before *before, double *means, struct panel_fit *fit)
{
    int pre_count = before->panel->pre_count;
    double levels = 0, others = before->donor_count - 1.0;

    for (int t = 0; t < pre_count; t++) {
        means[t] = period_mean(before, t);
        for (int unit = 0; unit < before->panel->unit_count; unit++)
            if (unit != before->treated)
                levels += pow(outcome_of(before, unit, t) - means[t], 2);
    }
    fit->spread = others > 0 ? sqrt(levels / (others * pre_count)) : NAN;
    fit->noise = others > 0 && pre_count > 1
                     ? sqrt(rest_squares(before, means) / (others * (pre_count - 1)))
                     : NAN;
}

static double misfit_of(const struct before *before, enum panel_method method,
                        const double *unit_weights)
{
    int pre_count = before->panel->pre_count;
    double mean = 0, squares = 0;

    for (int t = 0; t < pre_count && method != PANEL_SC; t++)
        mean += panel_gap(before->panel, before->treated, unit_weights, t) / pre_count;
    for (int t = 0; t < pre_count; t++) {
        double off = panel_gap(before->panel, before->treated, unit_weights, t) - mean;

        squares += off * off;
    }
    return sqrt(squares / pre_count);
}

static double outside_share(const struct before *before)
{
    int above = 0, below = 0;

    for (int t = 0; t < before->panel->pre_count; t++) {
        double own = outcome_of(before, before->treated, t), low = INFINITY,
               high = -INFINITY;

        for (int unit = 0; unit < before->panel->unit_count; unit++)
            if (unit != before->treated) {
                low = fmin(low, outcome_of(before, unit, t));
                high = fmax(high, outcome_of(before, unit, t));
            }
        above += own > high;
        below += own < low;
    }
    return fmax(above, below) / before->panel->pre_count;
}

/* Of a unit's outcomes on periods, by least squares. */
static double slope_of(const struct before *before, int unit)
{
    int pre_count = before->panel->pre_count;
    double middle = (pre_count - 1) / 2.0, products = 0, squares = 0;

    for (int t = 0; t < pre_count; t++) {
        products += (t - middle) * outcome_of(before, unit, t);
        squares += (t - middle) * (t - middle);
    }
    return squares > 0 ? products / squares : 0;
}

/* Periods from the weighted middle of those before to the middle of the others. */
static double distance_of(const struct panel *panel, const double *time_weights)
{
    double before = 0;

    for (int t = 0; t < panel->pre_count; t++)
        before += t * time_weights[t];
    return (panel->pre_count + panel->period_count - 1) / 2.0 - before;
}

/* The largest outcome before, of any unit, without its sign. */
static double size_of(const struct before *before)
{
    double largest = 0;

    for (int unit = 0; unit < before->panel->unit_count; unit++)
        for (int t = 0; t < before->panel->pre_count; t++)
            largest = fmax(largest, fabs(outcome_of(before, unit, t)));
    return largest;
}

/* The slope of the gap beside those of the others, of which it is one and a weighted
 * mean. Slopes that differ by rounding only are the same. */
static void set_slope(const struct before *before, const double *unit_weights,
                      struct panel_fit *fit)
{
    int donors = before->donor_count, unit_count = before->panel->unit_count;
    double mean = 0, squares = 0, weights = 1, error;

    fit->slope = slope_of(before, before->treated);
    for (int unit = 0; unit < unit_count; unit++) {
        if (unit == before->treated)
            continue;
        fit->slope -= unit_weights[unit] * slope_of(before, unit);
        weights += unit_weights[unit] * unit_weights[unit];
        mean += slope_of(before, unit) / donors;
    }
    for (int unit = 0; unit < unit_count; unit++)
        if (unit != before->treated)
            squares += pow(slope_of(before, unit) - mean, 2);
    error =
        fmax(sqrt(squares / (donors - 1.0) * weights), panel_rounding * size_of(before));
    fit->slope_p =
        donors < 3 || before->panel->pre_count < 2
            ? NAN
            : student_two_sided(fit->slope != 0 ? fit->slope / error : 0, donors - 1);
}

enum status panel_fit(const struct panel *panel, enum panel_method method, int treated,
                      const double *unit_weights, const double *time_weights,
                      struct panel_fit *fit, struct err *err)
{
    const struct before before = {panel, treated, panel->unit_count - 1};
    double *means = malloc((size_t)panel->pre_count * sizeof *means);

    if (!means)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d periods",
                       panel->pre_count);
    *fit = (struct panel_fit){
        .misfit = misfit_of(&before, method, unit_weights),
        .outside_share = outside_share(&before),
    };
    set_spreads(&before, means, fit);
    free(means);
    set_slope(&before, unit_weights, fit);
    fit->drift = fit->slope * distance_of(panel, time_weights);
    return STATUS_OK;
}
