/* evaluate_uplift_report.c - what redress evaluate uplift prints and draws. */
#include "app/evaluate_uplift.h"

#include "app/figure.h"
#include "app/options.h"
#include "app/plot.h"
#include "app/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* With fewer, an interval is no ground for a verdict: there is nothing beyond 2.5 % of 39
 * resamples, and those of a few rows all look alike. */
enum { VERDICT_RESAMPLES_MIN = 40, VERDICT_ROWS_MIN = 30 };

/* ---- JSON ---- */

static void put_shares(struct report *report, const char *key,
                       const double values[UPLIFT_SHARE_COUNT])
{
    report_object(report, key);
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++)
        report_number(report, uplift_share_names[i], values[i]);
    report_object_end(report);
}

static void put_curve(struct report *report, const char *key, int64_t count,
                      const double *x, const double *values)
{
    report_array(report, key);
    for (int64_t i = 0; i < count; i++)
        report_pair(report, NULL, x[i], values[i]);
    report_array_end(report);
}

static enum status put_curves(const struct uplift_evaluation *e, struct report *report,
                              struct err *err)
{
    int64_t count = uplift_point_count(e->uplift);
    double *x = malloc((size_t)count * sizeof *x),
           *qini = malloc((size_t)count * sizeof *qini),
           *uplifts = malloc((size_t)count * sizeof *uplifts);
    enum status rc = STATUS_OK;

    if (x && qini && uplifts) {
        uplift_curves(e->uplift, x, qini, uplifts);
        report_object(report, "curves");
        put_curve(report, "qini", count, x, qini);
        put_curve(report, "uplift", count, x, uplifts);
        report_object_end(report);
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for the curves");
    }
    free(x);
    free(qini);
    free(uplifts);
    return rc;
}

static void put_share_pairs(struct report *report, const double low[UPLIFT_SHARE_COUNT],
                            const double high[UPLIFT_SHARE_COUNT])
{
    report_object(report, "uplift_at_k");
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++)
        report_pair(report, uplift_share_names[i], low[i], high[i]);
    report_object_end(report);
}

/* by_group: those that are cut within each arm. */
static void put_intervals(const struct uplift_evaluation *e, struct report *report)
{
    const struct uplift_metrics *low = &e->intervals->low, *high = &e->intervals->high;

    report_object(report, "ci");
    for (int i = 0; i < UPLIFT_METRIC_COUNT; i++)
        report_pair(report, uplift_metrics[i].name,
                    uplift_metric_of(low, uplift_metrics[i].offset),
                    uplift_metric_of(high, uplift_metrics[i].offset));
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

static void put_metrics(const struct uplift_evaluation *e, struct report *report)
{
    for (int i = 0; i < UPLIFT_METRIC_COUNT; i++)
        report_number(report, uplift_metrics[i].name,
                      uplift_metric_of(&e->metrics, uplift_metrics[i].offset));
    report_number(report, "effect", e->metrics.effect);
    report_object(report, "uplift_at_k");
    put_shares(report, "overall", e->metrics.overall);
    put_shares(report, "by_group", e->metrics.by_group);
    report_object_end(report);
    report_object(report, "weighted_average_uplift");
    report_number(report, "overall", e->metrics.weighted_overall);
    report_number(report, "by_group", e->metrics.weighted_by_group);
    report_object_end(report);
}

enum status uplift_evaluation_json(const struct uplift_evaluation *e, struct err *err)
{
    const char *const names[] = {e->arms.names[e->arms.control],
                                 e->arms.names[e->treated]};
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_count(report, "n", e->row_count);
    report_count(report, "left_out", e->left_out);
    decision_rows_put(&e->decisions, report);
    if (e->cluster)
        report_count(report, "clusters", e->cluster_count);
    report_string(report, "control", names[0]);
    report_string(report, "treated", names[1]);
    if (e->propensity)
        uplift_weights_put(&e->weights, names, report);
    put_metrics(e, report);
    if (e->intervals) {
        put_intervals(e, report);
        report_count(report, "bootstrap", e->resample_count);
        report_count(report, "seed", e->seed);
    }
    uplift_more_put(&e->more, report);
    uplift_balance_put(&e->balance, report);
    analysis_put_timing(&e->timing, report);
    rc = put_curves(e, report, err);
    if (rc) {
        report_abandon(report);
        return rc;
    }
    report_object_end(report);
    return report_finish(report, err);
}

/* ---- for people ---- */

static void print_metric(const struct uplift_evaluation *e, const char *label,
                         size_t offset)
{
    double value = uplift_metric_of(&e->metrics, offset);

    if (isnan(value))
        return;
    printf("%-32s %11s%s\n", label, figure(value, UPLIFT_DIGITS).text,
           e->intervals
               ? figure_interval(value, uplift_metric_of(&e->intervals->low, offset),
                                 uplift_metric_of(&e->intervals->high, offset),
                                 UPLIFT_DIGITS, 3)
                     .text
               : "");
}

/* The end of the curve, by whose size auuc is divided, lies below 0 for a treatment that
 * harms. */
static const char *label_of(const struct uplift_evaluation *e,
                            const struct uplift_metric *metric)
{
    if (metric->offset != offsetof(struct uplift_metrics, auuc))
        return metric->label;
    return e->metrics.effect < 0 ? "auuc (causalml; -0.5 at random)"
                                 : "auuc (causalml; 0.5 at random)";
}

static bool has_rows_for_verdict(const struct uplift_evaluation *e)
{
    return e->arms.row_counts[e->treated] >= VERDICT_ROWS_MIN &&
           e->arms.row_counts[e->arms.control] >= VERDICT_ROWS_MIN &&
           (!e->cluster || e->cluster_count >= VERDICT_ROWS_MIN);
}

/* What the intervals of the ranking say; only where there are some. */
static void print_verdict(const struct uplift_evaluation *e)
{
    double low = e->intervals->low.rate_qini, high = e->intervals->high.rate_qini;

    if (e->resample_count < VERDICT_RESAMPLES_MIN)
        printf("Too few resamples for a verdict: %ld, %d are needed.\n",
               e->resample_count, VERDICT_RESAMPLES_MIN);
    else if (e->cluster && e->cluster_count < VERDICT_ROWS_MIN)
        printf("Too few clusters for a verdict: %d, %d are needed.\n", e->cluster_count,
               VERDICT_ROWS_MIN);
    else if (!has_rows_for_verdict(e))
        printf("Too few rows for a verdict: %lld treated and %lld others, %d of each are "
               "needed.\n",
               (long long)e->arms.row_counts[e->treated],
               (long long)e->arms.row_counts[e->arms.control], VERDICT_ROWS_MIN);
    else if (low > 0)
        puts(
            "The score ranks better than chance (the interval of rate_qini is above 0).");
    else if (high < 0)
        puts("The score ranks worse than chance (the interval of rate_qini is below 0).");
    else
        puts("Noise: the interval of rate_qini holds 0, not told from chance.");
}

static void print_first_rows(const struct uplift_evaluation *e)
{
    printf("\nfirst rows   uplift overall    by group%s\n",
           e->intervals ? "   95 % overall" : "");
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++) {
        double overall = e->metrics.overall[i];

        printf("%8.0f %%   %14s %11s%s\n", 100 * strtod(uplift_share_names[i], NULL),
               figure(overall, UPLIFT_DIGITS).text,
               figure(e->metrics.by_group[i], UPLIFT_DIGITS).text,
               e->intervals
                   ? figure_interval(overall, e->intervals->low.overall[i],
                                     e->intervals->high.overall[i], UPLIFT_DIGITS, 3)
                         .text
                   : "");
    }
}

void uplift_evaluation_print(const struct uplift_evaluation *e)
{
    const char *const names[] = {e->arms.names[e->arms.control],
                                 e->arms.names[e->treated]};
    bool may_judge = has_rows_for_verdict(e) && e->weights.reason_count == 0;

    print_line(stdout, "%lld rows, '%s' against '%s'", (long long)e->row_count, names[1],
               names[0]);
    if (e->cluster)
        printf("%d clusters are the draws\n", e->cluster_count);
    if (e->left_out)
        print_line(stdout, "%lld rows of other arms left out", (long long)e->left_out);
    decision_rows_print(&e->decisions);
    if (e->propensity)
        print_line(stdout,
                   "weighted by 1 / '%s': %.1f effective rows treated, %.1f others",
                   e->propensity, e->weights.sides[1].effective_rows,
                   e->weights.sides[0].effective_rows);
    uplift_balance_print(&e->balance);
    print_metric(e, "effect (difference of means)",
                 offsetof(struct uplift_metrics, effect));
    for (int i = 0; i < UPLIFT_METRIC_COUNT; i++)
        print_metric(e, label_of(e, &uplift_metrics[i]), uplift_metrics[i].offset);
    print_metric(e, "weighted_average_uplift",
                 offsetof(struct uplift_metrics, weighted_overall));
    print_first_rows(e);
    uplift_more_print(&e->more, e->resample_count >= VERDICT_RESAMPLES_MIN && may_judge);
    uplift_weights_print(&e->weights, names);
    if (e->weights.reason_count == 0 && e->intervals)
        print_verdict(e);
    else if (e->weights.reason_count == 0)
        puts("\nWithout --bootstrap there are no intervals: small differences may be "
             "noise.");
}

/* ---- picture ---- */

static void plot_band(const struct uplift_evaluation *e, FILE *script, const double *low,
                      const double *high)
{
    for (int i = 0; i < UPLIFT_BAND_POINT_COUNT; i++)
        fprintf(script, "%g %g %g\n",
                (double)e->row_count * i / (UPLIFT_BAND_POINT_COUNT - 1), low[i],
                high[i]);
    fputs("e\n", script);
}

static void plot_points(FILE *script, int64_t count, const double *x, const double *y)
{
    int64_t step = count / 2000 + 1; /* more points than pixels */

    for (int64_t i = 0; i < count; i += step)
        fprintf(script, "%.9g %g\n", x[i], y[i]);
    fprintf(script, "%.9g %g\ne\n0 0\n%.9g %g\ne\n", x[count - 1], y[count - 1],
            x[count - 1], y[count - 1]);
}

struct curve {
    const char *name, *title, *label; /* of the file, of the picture, of what rises */
    const double *heights;            /* (point) */
    const double *low, *high;         /* of the band; looked at with intervals */
};

static void draw_curve(const struct uplift_evaluation *e, struct plot *plot,
                       const struct curve *curve, int64_t count, const double *x)
{
    FILE *script = plot_script(plot);

    plot_begin(plot, curve->name, curve->title, "rows, best scores first", curve->label);
    fputs("set key top left\nplot ", script);
    if (e->intervals)
        fputs("'-' with filledcurves fs transparent solid 0.2 noborder lc rgb '#1f5fa8' "
              "title '95 % band', ",
              script);
    fputs("'-' with lines lw 2 lc rgb '#1f5fa8' title 'score', "
          "'-' with lines dashtype 2 lc rgb '#888888' title 'at random'\n",
          script);
    if (e->intervals)
        plot_band(e, script, curve->low, curve->high);
    plot_points(script, count, x, curve->heights);
}

enum status uplift_evaluation_draw(const struct uplift_evaluation *e, struct err *err)
{
    int64_t count = uplift_point_count(e->uplift);
    double *x = malloc((size_t)count * sizeof *x),
           *qini = malloc((size_t)count * sizeof *qini),
           *uplifts = malloc((size_t)count * sizeof *uplifts);
    const struct uplift_intervals *ends = e->intervals;
    const struct curve curves[] = {
        {"qini", "Qini curve", "additional outcomes", qini, ends ? ends->qini_low : NULL,
         ends ? ends->qini_high : NULL},
        {"uplift", "Uplift curve", "difference of means x rows", uplifts,
         ends ? ends->uplift_low : NULL, ends ? ends->uplift_high : NULL},
    };
    struct plot *plot = NULL;
    enum status rc = x && qini && uplifts
                         ? plot_open(e->plot, &plot, err)
                         : err_set(err, STATUS_EXHAUSTED, "out of memory for the curves");

    if (!rc) {
        uplift_curves(e->uplift, x, qini, uplifts);
        for (int i = 0; i < 2; i++)
            draw_curve(e, plot, &curves[i], count, x);
        rc = plot_finish(plot, err);
    }
    free(x);
    free(qini);
    free(uplifts);
    return rc;
}
