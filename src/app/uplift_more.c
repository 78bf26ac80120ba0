/* uplift_more.c - see uplift_more.h. */
#include "app/uplift_more.h"

#include "app/analysis.h"
#include "app/figure.h"
#include "app/options.h"
#include "learn/distribution.h"

#include <math.h>
#include <stdio.h>

#define METRIC(member, label)                                                            \
    {                                                                                    \
#member, label, offsetof(struct uplift_metrics, member)                          \
    }

const struct uplift_metric uplift_metrics[UPLIFT_METRIC_COUNT] = {
    METRIC(qini, "qini (scikit-uplift)"),
    METRIC(uplift_auc, "uplift_auc (scikit-uplift)"),
    METRIC(auuc, "auuc (causalml)"),
    METRIC(qini_normalized, "qini_normalized (causalml)"),
    METRIC(autoc, "autoc (RATE, weight 1)"),
    METRIC(rate_qini, "rate_qini (RATE, weight q)"),
};

const char *const uplift_share_names[UPLIFT_SHARE_COUNT] = {
    "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"};

/* ---- measuring ---- */

enum status uplift_more_measure(struct uplift_more *more, const struct ranking *ranking,
                                const struct ranking *other, struct err *err)
{
    struct analysis_progress progress = {.what = "resampling"};
    const struct uplift_progress teller = {analysis_tell, &progress};
    enum status rc = STATUS_OK;

    progress_start(&progress.progress);
    if (more->wants_calibration)
        rc = calibration_measure(ranking, (int)more->resample_count, (uint64_t)more->seed,
                                 teller, &more->calibration, &more->intervals, err);
    if (!rc && other)
        rc = ranking_compare(ranking, other, (int)more->resample_count,
                             (uint64_t)more->seed, teller, &more->comparison, err);
    progress_end(&progress.progress);
    return rc;
}

/* ---- JSON ---- */

static void put_bins(const struct uplift_more *more, struct report *report)
{
    report_array(report, "bins");
    for (int i = 0; i < CALIBRATION_BIN_COUNT; i++) {
        const struct calibration_bin *bin = &more->calibration.bins[i];

        report_object(report, NULL);
        report_number(report, "n", bin->rows);
        report_number(report, "predicted", bin->predicted);
        report_number(report, "found", bin->found);
        report_number(report, "se", bin->se);
        if (more->resample_count)
            report_pair(report, "ci", more->intervals.low.bins[i].found,
                        more->intervals.high.bins[i].found);
        report_object_end(report);
    }
    report_array_end(report);
}

static void put_calibration(const struct uplift_more *more, struct report *report)
{
    const struct calibration *found = &more->calibration;
    const struct calibration_intervals *ends = &more->intervals;

    report_object(report, "calibration");
    report_object(report, "slope");
    report_number(report, "value", found->slope);
    report_number(report, "se", found->slope_se);
    report_pair(report, "ci", found->slope - NORMAL_95 * found->slope_se,
                found->slope + NORMAL_95 * found->slope_se);
    if (more->resample_count)
        report_pair(report, "bootstrap_ci", ends->low.slope, ends->high.slope);
    report_object_end(report);
    report_number(report, "predicted", found->predicted);
    report_number(report, "error", found->error);
    if (more->resample_count)
        report_pair(report, "error_ci", ends->low.error, ends->high.error);
    put_bins(more, report);
    report_object_end(report);
}

static void put_difference(const struct uplift_more *more, struct report *report,
                           const char *name, double other, double difference, double low,
                           double high)
{
    report_object(report, name);
    report_number(report, "baseline", other);
    report_number(report, "difference", difference);
    if (more->resample_count)
        report_pair(report, "ci", low, high);
    report_object_end(report);
}

/* One of the metrics, by where it is. */
static void put_at(const struct uplift_more *more, struct report *report,
                   const char *name, size_t offset)
{
    const struct ranking_comparison *c = &more->comparison;

    put_difference(more, report, name, uplift_metric_of(&c->other.metrics, offset),
                   uplift_metric_of(&c->difference.metrics, offset),
                   uplift_metric_of(&c->low.metrics, offset),
                   uplift_metric_of(&c->high.metrics, offset));
}

static void put_shares(const struct uplift_more *more, struct report *report,
                       const char *key, size_t offset)
{
    report_object(report, key);
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++)
        put_at(more, report, uplift_share_names[i], offset + (size_t)i * sizeof(double));
    report_object_end(report);
}

static void put_comparison(const struct uplift_more *more, struct report *report)
{
    const struct ranking_comparison *c = &more->comparison;

    report_object(report, "comparison");
    report_string(report, "with", more->baseline);
    for (int i = 0; i < UPLIFT_METRIC_COUNT; i++)
        put_at(more, report, uplift_metrics[i].name, uplift_metrics[i].offset);
    report_object(report, "uplift_at_k");
    put_shares(more, report, "overall", offsetof(struct uplift_metrics, overall));
    put_shares(more, report, "by_group", offsetof(struct uplift_metrics, by_group));
    report_object_end(report);
    report_object(report, "weighted_average_uplift");
    put_at(more, report, "overall", offsetof(struct uplift_metrics, weighted_overall));
    put_at(more, report, "by_group", offsetof(struct uplift_metrics, weighted_by_group));
    report_object_end(report);
    put_difference(more, report, "calibration_slope", c->other.calibration_slope,
                   c->difference.calibration_slope, c->low.calibration_slope,
                   c->high.calibration_slope);
    put_difference(more, report, "calibration_error", c->other.calibration_error,
                   c->difference.calibration_error, c->low.calibration_error,
                   c->high.calibration_error);
    report_object_end(report);
}

void uplift_more_put(const struct uplift_more *more, struct report *report)
{
    if (more->wants_calibration)
        put_calibration(more, report);
    if (more->baseline)
        put_comparison(more, report);
}

/* ---- for people ---- */

static void print_calibration(const struct uplift_more *more)
{
    const struct calibration *found = &more->calibration;

    if (isnan(found->slope))
        printf("\ncalibration: scores that do not differ have no slope");
    else
        printf("\ncalibration: slope %.5g (se %s,%s; 1 when scores are effects)",
               found->slope, figure(found->slope_se, 3).text,
               figure_interval(found->slope, found->slope - NORMAL_95 * found->slope_se,
                               found->slope + NORMAL_95 * found->slope_se, UPLIFT_DIGITS,
                               1)
                   .text);
    printf(", mean error %s\n%10s %14s %14s %12s\n",
           figure(found->error, UPLIFT_DIGITS).text, "rows", "predicted", "found", "se");
    for (int i = 0; i < CALIBRATION_BIN_COUNT; i++)
        printf("%10.0f %14s %14s %12s\n", found->bins[i].rows,
               figure(found->bins[i].predicted, 6).text,
               figure(found->bins[i].found, 6).text, figure(found->bins[i].se, 3).text);
}

static void print_comparison(const struct uplift_more *more, bool may_judge)
{
    const struct ranking_comparison *c = &more->comparison;

    print_line(stdout, "\nless what '%s' has:", more->baseline);
    for (int i = 0; i < UPLIFT_METRIC_COUNT; i++) {
        size_t offset = uplift_metrics[i].offset;
        double difference = uplift_metric_of(&c->difference.metrics, offset);

        if (isnan(difference))
            continue;
        printf("%-32s %11s%s\n", uplift_metrics[i].label,
               figure(difference, UPLIFT_DIGITS).text,
               more->resample_count
                   ? figure_interval(
                         difference, uplift_metric_of(&c->low.metrics, offset),
                         uplift_metric_of(&c->high.metrics, offset), UPLIFT_DIGITS, 3)
                         .text
                   : "");
    }
    if (!may_judge)
        return;
    if (c->low.metrics.rate_qini > 0)
        puts("The score ranks better (the interval of rate_qini is above 0).");
    else if (c->high.metrics.rate_qini < 0)
        puts("The score ranks worse (the interval of rate_qini is below 0).");
    else
        puts("Noise: the interval of rate_qini holds 0, not told apart.");
}

void uplift_more_print(const struct uplift_more *more, bool may_judge)
{
    if (more->wants_calibration)
        print_calibration(more);
    if (more->baseline)
        print_comparison(more, may_judge);
}
