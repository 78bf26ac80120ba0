/* train_report.c - what was trained on what, and what it is worth on rows held out. */
#include "app/train.h"

#include "app/options.h"
#include "app/report.h"
#include "learn/uplift.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NORMAL_95 1.959964

/* ---- JSON ---- */

static void put_mean(struct report *report, const char *key, struct judge_mean mean,
                     double scale)
{
    double value = scale * mean.value, reach = scale * NORMAL_95 * mean.se;

    report_object(report, key);
    report_number(report, "value", value);
    report_number(report, "se", scale * mean.se);
    report_pair(report, "ci", value - reach, value + reach);
    report_object_end(report);
}

static void put_rows(struct report *report, const struct train_table *table,
                     const struct train_result *result)
{
    report_object(report, "rows");
    report_count(report, "read", table->read_count);
    report_count(report, "trained_on", table->row_count);
    report_count(report, "dropped_without_outcome", table->dropped_count);
    report_count(report, "completed_by_surrogates", table->immature_count);
    report_count(report, "propensities_clipped", result->clipped_count);
    report_object_end(report);
}

static void put_calibration(struct report *report,
                            const struct judge_bin bins[JUDGE_BIN_COUNT], double slope,
                            double slope_se, double scale)
{
    report_object(report, "calibration");
    report_number(report, "slope", slope);
    report_number(report, "slope_se", slope_se);
    report_array(report, "deciles");
    for (int i = 0; i < JUDGE_BIN_COUNT; i++) {
        report_object(report, NULL);
        report_count(report, "rows", bins[i].row_count);
        report_number(report, "predicted", scale * bins[i].predicted);
        report_number(report, "found", scale * bins[i].found);
        report_number(report, "se", scale * bins[i].se);
        report_object_end(report);
    }
    report_array_end(report);
    report_object_end(report);
}

static enum status put_arm(struct report *report, const struct train_table *table,
                           const struct train_result *result, int arm, struct err *err)
{
    struct judge_bin bins[JUDGE_BIN_COUNT];
    double slope, slope_se;
    enum status rc = STATUS_OK;

    report_object(report, NULL);
    report_string(report, "arm", table->arm_names[arm]);
    report_number(report, "dose", table->doses[arm]);
    report_count(report, "rows", table->arm_rows[arm]);
    put_mean(report, "average_effect", result->averages[arm], result->scale);
    if (table->costs)
        report_number(report, "average_cost", result->arm_costs[arm - 1]);
    if (result->is_held_out) {
        rc = judge_calibrate(&result->data, result->scores, result->effects[result->kind],
                             arm, bins, &slope, &slope_se, err);
        if (!rc)
            put_calibration(report, bins, slope, slope_se, result->scale);
    }
    report_object_end(report);
    return rc;
}

static void put_policies(struct report *report, const struct train_result *result)
{
    report_object(report, "held_out_policy_values");
    for (int kind = 0; kind < LEARNER_KIND_COUNT && result->is_held_out; kind++)
        if (result->wanted[kind])
            put_mean(report, learner_kind_name((enum learner_kind)kind),
                     result->policies[kind], 1);
    report_object_end(report);
}

/* Gains of the models of effects, as shares. */
static enum status put_importance(struct report *report, const struct train_table *table,
                                  const struct train_result *result, struct err *err)
{
    size_t width = (size_t)table->feature_count + 1;
    double *gains = calloc(width, sizeof *gains), *own = calloc(width, sizeof *own);
    double sum = 0;
    enum status rc = gains && own
                         ? STATUS_OK
                         : err_set(err, STATUS_EXHAUSTED, "out of memory for a report");

    for (int i = 0; i < result->learner->part_count && !rc; i++) {
        rc = predictor_gains(result->learner->parts[i].predictor, own, err);
        for (size_t f = 0; f < width && !rc; f++) {
            gains[f] += own[f];
            sum += own[f];
        }
        if (own)
            memset(own, 0, width * sizeof *own);
    }
    report_object(report, "importance");
    for (size_t f = 0; f < width && !rc; f++) {
        if (f + 1 == width && gains[f] == 0)
            continue;
        report_key(report, text_of(table->names[f]));
        report_number(report, NULL, sum > 0 ? gains[f] / sum : 0);
    }
    report_object_end(report);
    free(gains);
    free(own);
    return rc;
}

static enum status put_report(struct report *report, const struct train_options *options,
                              const struct train_table *table,
                              const struct train_result *result, struct err *err)
{
    enum status rc = STATUS_OK;

    report_object(report, NULL);
    report_string(report, "learner", learner_kind_name(result->kind));
    report_string(report, "why", result->why);
    report_string(report, "base", options->base);
    report_count(report, "seed", options->seed);
    put_rows(report, table, result);
    report_string(report, "control", table->arm_names[0]);
    report_string(report, "outcome", options->outcome);
    report_bool(report, "outcome_is_binary", table->is_binary);
    report_number(report, "scale", result->scale);
    put_policies(report, result);
    report_array(report, "arms");
    for (int arm = 1; arm < table->arm_count && !rc; arm++)
        rc = put_arm(report, table, result, arm, err);
    report_array_end(report);
    if (!rc)
        rc = put_importance(report, table, result, err);
    report_object_end(report);
    return rc;
}

enum status train_report(const struct train_options *options,
                         const struct train_table *table,
                         const struct train_result *result, const char *path,
                         struct err *err)
{
    struct report *report;
    enum status rc = report_open_file(path, &report, err);

    if (rc)
        return rc;
    rc = put_report(report, options, table, result, err);
    if (!rc)
        return report_finish(report, err);
    report_abandon(report);
    return rc;
}

/* ---- for people ---- */

static void print_counts(const struct train_table *table,
                         const struct train_result *result)
{
    print_line(stdout, "%lld rows", (long long)table->row_count);
    if (table->dropped_count)
        print_line(stdout, "%lld rows without an outcome were left out",
                   (long long)table->dropped_count);
    if (table->immature_count)
        print_line(stdout, "%lld outcomes were completed from surrogates",
                   (long long)table->immature_count);
    if (result->clipped_count)
        print_line(stdout,
                   "%lld rows had a propensity below %g: there the arms hardly overlap",
                   (long long)result->clipped_count, LEARNER_PROPENSITY_MIN);
}

void train_print(const struct train_options *options, const struct train_table *table,
                 const struct train_result *result)
{
    print_counts(table, result);
    print_line(stdout, "learner %s on %s: %s", learner_kind_name(result->kind),
               options->base, result->why);
    puts("\narm              dose   average effect         se");
    for (int arm = 1; arm < table->arm_count; arm++)
        print_line(stdout, "%-12.40s %8g %16.6g %10.3g", table->arm_names[arm],
                   table->doses[arm], result->scale * result->averages[arm].value,
                   result->scale * result->averages[arm].se);
    if (result->is_held_out) {
        puts("\nlearner   policy value held out         se");
        for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++)
            if (result->wanted[kind])
                print_line(stdout, "%-8s %22.6g %10.3g",
                           learner_kind_name((enum learner_kind)kind),
                           result->policies[kind].value, result->policies[kind].se);
    }
    putchar('\n');
    print_line(stdout, "written to %s", options->output);
}
