/* train_report.c - what was trained on what, and what it is worth on rows held out. */
#include "app/train.h"

#include "app/options.h"
#include "app/report.h"
#include "learn/distribution.h"
#include "learn/uplift.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    decision_rows_put(&table->decisions, report);
    report_count(report, "dropped_without_outcome", table->dropped_count);
    report_count(report, "completed_by_surrogates", table->immature_count);
    report_count(report, "completed_without_surrogates", result->bare_count);
    report_count(report, "younger_than_window", table->young_count);
    report_count(report, "maturity_chances_clipped", result->maturity.clipped_count);
    report_count(report, "propensities_clipped", result->propensity_fit.clipped_count);
    report_object_end(report);
}

static void put_giveaway(struct report *report, const struct train_table *table,
                         const struct giveaway *found)
{
    if (found->column < 0)
        return;
    report_object(report, "explained_alone");
    report_string(report, "feature", table->names[found->column]);
    report_number(report, "share", found->share);
    report_object_end(report);
}

static void put_calibration(struct report *report,
                            const struct train_judgement *judgement,
                            const struct judge_correction *correction, double scale)
{
    report_object(report, "calibration");
    report_number(report, "slope", judgement->line.slope);
    report_number(report, "slope_se", judgement->line.slope_se);
    if (correction) {
        report_object(report, "applied");
        report_number(report, "intercept", scale * correction->intercept);
        report_number(report, "slope", correction->slope);
        report_object_end(report);
    }
    report_array(report, "deciles");
    for (int i = 0; i < JUDGE_BIN_COUNT; i++) {
        const struct judge_bin *bin = &judgement->bins[i];

        if (bin->row_count == 0)
            continue;
        report_object(report, NULL);
        report_count(report, "rows", bin->row_count);
        report_number(report, "predicted", scale * bin->predicted);
        report_number(report, "found", scale * bin->found);
        report_number(report, "se", scale * bin->se);
        report_object_end(report);
    }
    report_array_end(report);
    report_object_end(report);
}

static void put_curve(struct report *report, const struct judge_curve *curve,
                      double scale)
{
    report_array(report, "gain_by_share");
    for (int i = 0; i < JUDGE_POINT_COUNT; i += 10) {
        report_object(report, NULL);
        report_number(report, "share", (double)i / (JUDGE_POINT_COUNT - 1));
        report_number(report, "gain", scale * curve->gains[i]);
        report_number(report, "se", scale * curve->errors[i]);
        report_object_end(report);
    }
    report_array_end(report);
}

/* Outcomes other than 0 and 1 have no qini, but a rate_qini. */
static void put_qini(struct report *report, const struct train_judgement *judgement)
{
    const struct uplift_intervals *ends = &judgement->intervals;

    report_object(report, "experiment");
    report_number(report, "qini", judgement->metrics.qini);
    report_pair(report, "qini_ci", ends->low.qini, ends->high.qini);
    report_number(report, "rate_qini", judgement->metrics.rate_qini);
    report_pair(report, "rate_qini_ci", ends->low.rate_qini, ends->high.rate_qini);
    report_object_end(report);
}

/* Of the feature that is farthest off. */
static void put_balance(struct report *report, const struct train_table *table,
                        const struct balance *balance)
{
    if (balance->feature < 0)
        return;
    report_object(report, "balance");
    report_string(report, "feature", table->names[balance->feature]);
    report_number(report, "difference", balance->difference);
    report_number(report, "se", balance->se);
    report_object_end(report);
}

/* Of the rows of an arm, by the inverse of their propensities. */
static void put_row_weights(struct report *report, const char *key,
                            const struct offpolicy_weights *weights)
{
    report_object(report, key);
    report_number(report, "effective_rows", weights->effective_rows);
    report_number(report, "largest_share", weights->largest_share);
    report_object_end(report);
}

static void put_propensities(struct report *report, const struct train_result *result)
{
    const struct learner_propensity_fit *fit = &result->propensity_fit;

    if (!(fit->log_loss > 0))
        return;
    report_object(report, "estimated_propensities");
    report_string(report, "model", fit->has_trees ? "trees" : "linear");
    report_bool(report, "calibrated", fit->is_calibrated);
    report_number(report, "log_loss", fit->log_loss);
    report_object_end(report);
}

static void put_arm(struct report *report, const struct train_options *options,
                    const struct train_table *table, const struct train_result *result,
                    int arm)
{
    const struct train_judgement *judgement =
        result->judgements ? &result->judgements[arm] : NULL;

    report_object(report, NULL);
    report_string(report, "arm", table->arm_names[arm]);
    report_number(report, "dose", table->doses[arm]);
    report_count(report, "rows", table->arm_rows[arm]);
    report_count(report, "rows_without_overlap", result->apart_counts[arm]);
    put_mean(report, "inverse_propensity", result->arm_weights[arm], 1);
    put_row_weights(report, "row_weights", &result->row_weights[arm]);
    put_balance(report, table, &result->balances[arm]);
    put_mean(report, "average_effect", result->averages[arm], result->scale);
    if (table->costs)
        report_number(report, "average_cost", result->arm_costs[arm - 1]);
    if (judgement) {
        put_calibration(report, judgement,
                        options->is_calibrated ? &result->corrections[arm] : NULL,
                        result->scale);
        put_curve(report, &judgement->curve, result->scale);
        if (judgement->has_qini)
            put_qini(report, judgement);
    }
    report_object_end(report);
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

static void put_importance(struct report *report, const struct train_table *table,
                           const struct train_result *result)
{
    bool takes_dose = result->learner->parts[0].role == LEARNER_OUTCOME;

    report_object(report, "importance");
    for (int f = 0; f < table->feature_count + takes_dose; f++) {
        report_key(report, text_of(table->names[f]));
        report_number(report, NULL, result->importance[f]);
    }
    report_object_end(report);
}

static void put_report(struct report *report, const struct train_options *options,
                       const struct train_table *table, const struct train_result *result)
{
    report_object(report, NULL);
    report_string(report, "learner", learner_kind_name(result->kind));
    report_string(report, "why", result->why);
    report_string(report, "base", options->base);
    report_count(report, "seed", options->seed);
    put_rows(report, table, result);
    put_giveaway(report, table, &result->giveaway);
    report_string(report, "control", table->arm_names[0]);
    put_row_weights(report, "control_row_weights", &result->row_weights[0]);
    report_string(report, "outcome", options->outcome);
    report_bool(report, "outcome_is_binary", table->is_binary);
    report_number(report, "scale", result->scale);
    put_propensities(report, result);
    put_policies(report, result);
    if (options->is_calibrated)
        put_mean(report, "calibrated_policy_value", result->corrected_policy, 1);
    report_array(report, "arms");
    for (int arm = 1; arm < table->arm_count; arm++)
        put_arm(report, options, table, result, arm);
    report_array_end(report);
    put_importance(report, table, result);
    report_object_end(report);
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
    put_report(report, options, table, result);
    return report_finish(report, err);
}

/* ---- for people ---- */

static void print_counts(const struct train_table *table,
                         const struct train_result *result)
{
    print_line(stdout, "%lld rows", (long long)table->row_count);
    decision_rows_print(&table->decisions);
    if (table->young_count)
        print_line(stdout, "%lld rows are younger than the window of the outcome",
                   (long long)table->young_count);
    if (table->dropped_count)
        print_line(stdout, "%lld rows without an outcome were left out",
                   (long long)table->dropped_count);
    if (table->immature_count)
        print_line(stdout,
                   "%lld outcomes were completed, %lld of them without surrogates",
                   (long long)table->immature_count, (long long)result->bare_count);
    if (result->propensity_fit.clipped_count)
        print_line(
            stdout, "%lld rows had a propensity below %g: there the arms hardly overlap",
            (long long)result->propensity_fit.clipped_count, LEARNER_PROPENSITY_MIN);
}

static void print_overlap(const struct train_table *table,
                          const struct train_result *result)
{
    for (int arm = 1; arm < table->arm_count; arm++)
        if (result->apart_counts[arm])
            print_line(stdout,
                       "%-.40s: %lld rows of it and '%.40s' could not have been the "
                       "other; x and r leave them out",
                       table->arm_names[arm], (long long)result->apart_counts[arm],
                       table->arm_names[0]);
}

/* Whether the effects rank rows better than chance, where the log can tell. */
static void print_ranking(const struct train_table *table,
                          const struct train_result *result)
{
    for (int arm = 1; arm < table->arm_count && result->judgements; arm++) {
        const struct train_judgement *judgement = &result->judgements[arm];
        double slope = judgement->line.slope,
               reach = NORMAL_95 * judgement->line.slope_se;

        if (isnan(slope)) {
            print_line(stdout, "%-.40s: one effect for all rows", table->arm_names[arm]);
            continue;
        }
        print_line(stdout, "%-.40s: found on predicted %.2f [%.2f, %.2f], %s",
                   table->arm_names[arm], slope, slope - reach, slope + reach,
                   slope - reach > 0   ? "it tells rows apart"
                   : slope + reach < 0 ? "it tells rows apart the wrong way"
                                       : "differences between rows may be noise");
    }
}

void train_print(const struct train_options *options, const struct train_table *table,
                 const struct train_result *result)
{
    print_counts(table, result);
    print_overlap(table, result);
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
    if (options->is_calibrated)
        print_line(stdout, "%-3s calibrated %16.6g %10.3g",
                   learner_kind_name(result->kind), result->corrected_policy.value,
                   result->corrected_policy.se);
    print_ranking(table, result);
    putchar('\n');
    print_line(stdout, "written to %s", options->output);
}
