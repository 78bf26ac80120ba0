/* evaluate_uplift_report.c - what redress evaluate uplift prints and draws. */
#include "app/evaluate_uplift.h"

#include "app/options.h"
#include "app/plot.h"
#include "app/report.h"
#include "learn/distribution.h"

#include <math.h>
#include <stdlib.h>

/* A number with a name of its own, and where it is in the metrics. */
struct metric {
    const char *name, *label;
    size_t offset;
};

#define METRIC(member, label)                                                            \
    {                                                                                    \
#member, label, offsetof(struct uplift_metrics, member)                          \
    }

static const struct metric metrics[] = {
    METRIC(qini, "qini (scikit-uplift)"),
    METRIC(uplift_auc, "uplift_auc (scikit-uplift)"),
    METRIC(auuc, "auuc (causalml; 0.5 at random)"),
    METRIC(qini_normalized, "qini_normalized (causalml)"),
    METRIC(autoc, "autoc (RATE, weight 1)"),
    METRIC(rate_qini, "rate_qini (RATE, weight q)"),
};

enum { METRIC_COUNT = sizeof metrics / sizeof *metrics };

static double value_of(const struct uplift_metrics *from, size_t offset)
{
    return *(const double *)((const char *)from + offset);
}

/* ---- JSON ---- */

static const char *const share_names[UPLIFT_SHARE_COUNT] = {
    "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"};

static void put_shares(struct report *report, const char *key,
                       const double values[UPLIFT_SHARE_COUNT])
{
    report_object(report, key);
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++)
        report_number(report, share_names[i], values[i]);
    report_object_end(report);
}

/* Both curves, point by point. */
struct curves {
    int64_t count, *x;
    double *qini, *uplift;
};

static void curves_free(struct curves *curves)
{
    free(curves->x);
    free(curves->qini);
    free(curves->uplift);
}

static enum status curves_make(const struct uplift *uplift, struct curves *curves,
                               struct err *err)
{
    size_t count = (size_t)uplift_point_count(uplift);

    *curves = (struct curves){
        .count = (int64_t)count,
        .x = malloc(count * sizeof *curves->x),
        .qini = malloc(count * sizeof *curves->qini),
        .uplift = malloc(count * sizeof *curves->uplift),
    };
    if (!curves->x || !curves->qini || !curves->uplift) {
        curves_free(curves);
        *curves = (struct curves){};
        return err_set(err, STATUS_EXHAUSTED, "out of memory for the curves");
    }
    uplift_curves(uplift, curves->x, curves->qini, curves->uplift);
    return STATUS_OK;
}

static void put_curve(struct report *report, const char *key, int64_t count,
                      const int64_t *x, const double *values)
{
    report_array(report, key);
    for (int64_t i = 0; i < count; i++)
        report_pair(report, NULL, (double)x[i], values[i]);
    report_array_end(report);
}

static enum status put_curves(const struct uplift_score *score, struct report *report,
                              struct err *err)
{
    struct curves curves;
    enum status rc = curves_make(score->uplift, &curves, err);

    if (rc)
        return rc;
    report_object(report, "curves");
    put_curve(report, "qini", curves.count, curves.x, curves.qini);
    put_curve(report, "uplift", curves.count, curves.x, curves.uplift);
    report_object_end(report);
    curves_free(&curves);
    return STATUS_OK;
}

static void put_share_pairs(struct report *report, const double low[UPLIFT_SHARE_COUNT],
                            const double high[UPLIFT_SHARE_COUNT])
{
    report_object(report, "uplift_at_k");
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++)
        report_pair(report, share_names[i], low[i], high[i]);
    report_object_end(report);
}

/* by_group: those that are cut within each arm. */
static void put_ends(struct report *report, const char *key,
                     const struct uplift_metrics *low, const struct uplift_metrics *high)
{
    report_object(report, key);
    for (int i = 0; i < METRIC_COUNT; i++)
        report_pair(report, metrics[i].name, value_of(low, metrics[i].offset),
                    value_of(high, metrics[i].offset));
    report_pair(report, "effect", low->effect, high->effect);
    report_pair(report, "weighted_average_uplift", low->weighted_overall,
                high->weighted_overall);
    put_share_pairs(report, low->overall, high->overall);
    report_object(report, "by_group");
    report_pair(report, "weighted_average_uplift", low->weighted_by_group,
                high->weighted_by_group);
    put_share_pairs(report, low->by_group, high->by_group);
    report_object_end(report);
    report_object_end(report);
}

static void put_calibration(const struct uplift_calibration *calibration,
                            struct report *report)
{
    double reach = NORMAL_95 * calibration->slope_se;

    report_object(report, "calibration");
    report_number(report, "slope", calibration->slope);
    report_number(report, "slope_se", calibration->slope_se);
    report_pair(report, "slope_ci", calibration->slope - reach,
                calibration->slope + reach);
    report_array(report, "bins");
    for (int i = 0; i < UPLIFT_BIN_COUNT; i++) {
        const struct uplift_bin *bin = &calibration->bins[i];

        report_object(report, NULL);
        report_count(report, "n", bin->row_count);
        report_number(report, "predicted", bin->predicted);
        report_number(report, "found", bin->found);
        report_number(report, "se", bin->se);
        report_object_end(report);
    }
    report_array_end(report);
    report_object_end(report);
}

/* Within an object that is open. */
static enum status put_score(const struct uplift_score *score, struct report *report,
                             struct err *err)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        report_number(report, metrics[i].name,
                      value_of(&score->metrics, metrics[i].offset));
    report_number(report, "effect", score->metrics.effect);
    report_object(report, "uplift_at_k");
    put_shares(report, "overall", score->metrics.overall);
    put_shares(report, "by_group", score->metrics.by_group);
    report_object_end(report);
    report_object(report, "weighted_average_uplift");
    report_number(report, "overall", score->metrics.weighted_overall);
    report_number(report, "by_group", score->metrics.weighted_by_group);
    report_object_end(report);
    put_calibration(&score->calibration, report);
    if (score->intervals)
        put_ends(report, "ci", &score->intervals->low, &score->intervals->high);
    return put_curves(score, report, err);
}

static void put_difference(const struct uplift_evaluation *e, int index,
                           struct report *report)
{
    const struct uplift_score *score = &e->scores[index], *first = &e->scores[0];

    report_key(report, text_of(e->names.names[index]));
    report_object(report, NULL);
    report_string(report, "than", e->names.names[0]);
    for (int i = 0; i < METRIC_COUNT; i++)
        report_number(report, metrics[i].name,
                      value_of(&score->metrics, metrics[i].offset) -
                          value_of(&first->metrics, metrics[i].offset));
    if (score->intervals)
        put_ends(report, "ci", &score->difference_low, &score->difference_high);
    report_object_end(report);
}

static enum status put_several(const struct uplift_evaluation *e, struct report *report,
                               struct err *err)
{
    enum status rc = STATUS_OK;

    report_object(report, "scores");
    for (int i = 0; i < e->names.count && !rc; i++) {
        report_key(report, text_of(e->names.names[i]));
        report_object(report, NULL);
        rc = put_score(&e->scores[i], report, err);
        report_object_end(report);
    }
    report_object_end(report);
    report_object(report, "differences");
    for (int i = 1; i < e->names.count; i++)
        put_difference(e, i, report);
    report_object_end(report);
    return rc;
}

enum status uplift_evaluation_json(const struct uplift_evaluation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_count(report, "n", e->row_count);
    report_count(report, "left_out", e->left_out);
    report_string(report, "control", e->arms.names[e->arms.control]);
    report_string(report, "treated", e->arms.names[e->treated]);
    if (e->resample_count > 0) {
        report_count(report, "bootstrap", e->resample_count);
        report_count(report, "seed", e->seed);
    }
    analysis_put_timing(&e->timing, report);
    rc = e->names.count > 1 ? put_several(e, report, err)
                            : put_score(&e->scores[0], report, err);
    if (rc) {
        report_abandon(report);
        return rc;
    }
    report_object_end(report);
    return report_finish(report, err);
}

/* ---- for people ---- */

static void print_number(const char *label, double value, bool has_ends, double low,
                         double high)
{
    if (isnan(value))
        return;
    if (has_ends)
        printf("%-32s %10.5f   [%.5f, %.5f]\n", label, value, low, high);
    else
        printf("%-32s %10.5f\n", label, value);
}

static void print_metric(const struct uplift_score *score, const char *label,
                         size_t offset)
{
    const struct uplift_intervals *ends = score->intervals;

    print_number(label, value_of(&score->metrics, offset), ends != NULL,
                 ends ? value_of(&ends->low, offset) : NAN,
                 ends ? value_of(&ends->high, offset) : NAN);
}

/* What the intervals of the ranking say; only where there are some. */
static void print_verdict(const struct uplift_score *score)
{
    double low = score->intervals->low.rate_qini, high = score->intervals->high.rate_qini;

    if (low > 0)
        puts(
            "The score ranks better than chance (the interval of rate_qini is above 0).");
    else if (high < 0)
        puts("The score ranks worse than chance (the interval of rate_qini is below 0).");
    else
        puts("Not told from chance: the interval of rate_qini holds 0.");
}

static void print_calibration(const struct uplift_calibration *calibration)
{
    double reach = NORMAL_95 * calibration->slope_se;

    puts("\ntenth        rows   score (mean)      effect         se");
    for (int i = 0; i < UPLIFT_BIN_COUNT; i++)
        if (calibration->bins[i].row_count > 0)
            printf("%5d %11lld %14.5f %11.5f %10.4f\n", i + 1,
                   (long long)calibration->bins[i].row_count,
                   calibration->bins[i].predicted, calibration->bins[i].found,
                   calibration->bins[i].se);
    if (!isnan(calibration->slope))
        printf("slope of the effect on the score %.4f [%.4f, %.4f]: 1 where scores are "
               "effects\n",
               calibration->slope, calibration->slope - reach,
               calibration->slope + reach);
}

static void print_score(const struct uplift_score *score)
{
    print_metric(score, "effect (difference of means)",
                 offsetof(struct uplift_metrics, effect));
    for (int i = 0; i < METRIC_COUNT; i++)
        print_metric(score, metrics[i].label, metrics[i].offset);
    puts("\nfirst rows   uplift overall   by group");
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++)
        printf("%8.0f %%   %14.5f %10.5f\n", 100 * strtod(share_names[i], NULL),
               score->metrics.overall[i], score->metrics.by_group[i]);
    print_calibration(&score->calibration);
    if (score->intervals)
        print_verdict(score);
    else
        puts("\nWithout --bootstrap there are no intervals: small differences may be "
             "noise.");
}

static void print_difference(const struct uplift_evaluation *e, int index)
{
    const struct uplift_score *score = &e->scores[index];

    print_line(stdout, "\n'%s' less '%s', on the same resamples", e->names.names[index],
               e->names.names[0]);
    for (int i = 0; i < METRIC_COUNT; i++) {
        size_t at = metrics[i].offset;

        print_number(metrics[i].label,
                     value_of(&score->metrics, at) - value_of(&e->scores[0].metrics, at),
                     score->intervals != NULL, value_of(&score->difference_low, at),
                     value_of(&score->difference_high, at));
    }
}

void uplift_evaluation_print(const struct uplift_evaluation *e)
{
    print_line(stdout, "%lld rows, '%s' against '%s'", (long long)e->row_count,
               e->arms.names[e->treated], e->arms.names[e->arms.control]);
    if (e->left_out)
        print_line(stdout, "%lld rows of other arms left out", (long long)e->left_out);
    for (int i = 0; i < e->names.count; i++) {
        if (e->names.count > 1)
            print_line(stdout, "%s'%s'", i ? "\n" : "", e->names.names[i]);
        print_score(&e->scores[i]);
    }
    for (int i = 1; i < e->names.count; i++)
        print_difference(e, i);
}

/* ---- pictures ---- */

static void plot_band(const struct uplift_evaluation *e, FILE *script, const double *low,
                      const double *high)
{
    for (int i = 0; i < UPLIFT_BAND_POINT_COUNT; i++)
        fprintf(script, "%g %g %g\n",
                (double)e->row_count * i / (UPLIFT_BAND_POINT_COUNT - 1), low[i],
                high[i]);
    fputs("e\n", script);
}

static void plot_points(FILE *script, int64_t count, const int64_t *x, const double *y)
{
    int64_t step = count / 2000 + 1; /* more points than pixels */

    for (int64_t i = 0; i < count; i += step)
        fprintf(script, "%lld %g\n", (long long)x[i], y[i]);
    fprintf(script, "%lld %g\ne\n", (long long)x[count - 1], y[count - 1]);
}

/* The band of one score, the line of each, and what chance would do, which is the same for all. */
static void draw_curves(const struct uplift_evaluation *e, struct plot *plot,
                        const struct curves *curves, bool is_qini)
{
    const struct uplift_intervals *ends =
        e->names.count == 1 ? e->scores[0].intervals : NULL;
    FILE *script = plot_script(plot);
    int64_t last = curves[0].count - 1;

    fprintf(script, "set key top left\nplot %s",
            ends ? "'-' with filledcurves fs transparent solid 0.2 noborder lc rgb "
                   "'#1f5fa8' title '95 % band', "
                 : "");
    for (int i = 0; i < e->names.count; i++) {
        fprintf(script, "'-' with lines lw 2 lc %d title ", i + 1);
        plot_put_quoted(plot, text_of(e->names.names[i]));
        fputs(", ", script);
    }
    fputs("'-' with lines dashtype 2 lc rgb '#888888' title 'at random'\n", script);
    if (ends)
        plot_band(e, script, is_qini ? ends->qini_low : ends->uplift_low,
                  is_qini ? ends->qini_high : ends->uplift_high);
    for (int i = 0; i < e->names.count; i++)
        plot_points(script, curves[i].count, curves[i].x,
                    is_qini ? curves[i].qini : curves[i].uplift);
    fprintf(script, "0 0\n%lld %g\ne\n", (long long)curves[0].x[last],
            is_qini ? curves[0].qini[last] : curves[0].uplift[last]);
}

enum status uplift_evaluation_draw(const struct uplift_evaluation *e, struct err *err)
{
    struct curves curves[UPLIFT_SCORE_COUNT_MAX] = {};
    struct plot *plot = NULL;
    enum status rc = STATUS_OK;

    for (int i = 0; i < e->names.count && !rc; i++)
        rc = curves_make(e->scores[i].uplift, &curves[i], err);
    if (!rc)
        rc = plot_open(e->plot, &plot, err);
    if (!rc) {
        plot_begin(plot, "qini", "Qini curve", "rows, best scores first",
                   "additional outcomes");
        draw_curves(e, plot, curves, true);
        plot_begin(plot, "uplift", "Uplift curve", "rows, best scores first",
                   "difference of means x rows");
        draw_curves(e, plot, curves, false);
        rc = plot_finish(plot, err);
    }
    for (int i = 0; i < e->names.count; i++)
        curves_free(&curves[i]);
    return rc;
}
