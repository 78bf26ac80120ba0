/* estimate_ate_report.c - what redress estimate ate says and prints. */
#include "app/estimate_ate.h"

#include "app/options.h"
#include "app/report.h"
#include "learn/distribution.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *errors_name(const struct estimation *e)
{
    if (e->cluster)
        return "cr1";
    return e->rule.method == EFFECT_IPW || e->rule.method == EFFECT_AIPW ? "influence"
                                                                         : e->se;
}

static double p_of(const struct effect *effect)
{
    return student_two_sided(effect->value / effect->se, effect->freedom);
}

static bool has_overlap(const struct estimation *e)
{
    return !isnan(e->effect.p_min);
}

void estimate_ate_warn(const struct estimation *e)
{
    int64_t n = e->columns->row_count;

    for (int i = 0; i < e->design.column_count; i++)
        if (e->dropped[i] && e->rule.method != EFFECT_DIFFERENCE)
            print_line(stderr,
                       "redress: %s: is constant or follows from the columns before it, "
                       "left out",
                       e->design.names[i]);
    if (e->se != estimate_ate_errors && strcmp(errors_name(e), e->se) != 0)
        print_line(stderr, "redress: --se %s is not used: the errors are %s", e->se,
                   e->cluster ? "those of clusters (CR1)"
                              : "by the influence of each row");
    if (e->rule.method == EFFECT_DIFFERENCE && e->design.column_count > 0)
        fprintf(stderr, "redress: the method difference does not use --covariates\n");
    if (has_overlap(e) && e->effect.outside_count > n / 10)
        fprintf(
            stderr,
            "redress: poor overlap: %lld of %lld rows have a probability of treatment "
            "outside of 0.1 to 0.9\n",
            (long long)e->effect.outside_count, (long long)n);
    if (e->effect.certain_count > 0)
        fprintf(
            stderr,
            "redress: %lld of %lld rows have a probability of treatment that is 0 or 1 "
            "to 1e-15, the first of those used is row %lld: nothing like them was in "
            "the other arm\n",
            (long long)e->effect.certain_count, (long long)n,
            (long long)e->effect.certain_row + 1);
    if (e->placebo && p_of(&e->placebo_effect) < 0.05)
        print_line(
            stderr,
            "redress: the placebo '%s' has an effect (%.4g, se %.2g): the arms differ "
            "in more than the treatment",
            e->placebo, e->placebo_effect.value, e->placebo_effect.se);
    few_warn(&e->few);
    explained_warn(&e->explained, e->outcome);
}

static void put_overlap(const struct effect *effect, struct report *report)
{
    report_object(report, "overlap");
    report_number(report, "p_min", effect->p_min);
    report_number(report, "p_max", effect->p_max);
    report_number(report, "ess_treated", effect->effective_treated);
    report_number(report, "ess_control", effect->effective_control);
    report_count(report, "outside", effect->outside_count);
    report_count(report, "certain", effect->certain_count);
    report_object_end(report);
}

enum status estimate_ate_json(const struct estimation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    analysis_put_effect(report, e->effect.value, e->effect.se, e->effect.freedom);
    report_count(report, "n", e->columns->row_count);
    report_string(report, "method", e->method);
    report_string(report, "estimand", e->estimand);
    report_string(report, "se_kind", errors_name(e));
    if (e->rule.method == EFFECT_LIN)
        report_string(report, "covariate_means",
                      e->rule.are_means_known ? "known" : "drawn");
    report_string(report, "control", e->arms.names[e->arms.control]);
    report_string(report, "treated", e->arms.names[e->treated]);
    report_count(report, "n_treated", e->effect.treated_count);
    report_count(report, "n_control", e->effect.control_count);
    report_count(report, "dropped_rows", e->missing_count);
    decision_rows_put(&e->decisions, report);
    if (e->cluster)
        analysis_put_clusters(report, e->cluster_count, e->effect.freedom);
    report_array(report, "dropped_columns");
    for (int i = 0; i < e->design.column_count; i++)
        if (e->dropped[i])
            report_string(report, NULL, e->design.names[i]);
    report_array_end(report);
    report_number(report, "draws", e->effect.draws);
    few_put(&e->few, report);
    explained_put(&e->explained, report);
    if (has_overlap(e))
        put_overlap(&e->effect, report);
    report_object(report, "e_value");
    report_number(report, "estimate", e->e_value);
    report_number(report, "ci", e->e_limit);
    report_object_end(report);
    if (e->placebo) {
        report_object(report, "placebo");
        report_string(report, "outcome", e->placebo);
        analysis_put_effect(report, e->placebo_effect.value, e->placebo_effect.se,
                            e->placebo_effect.freedom);
        report_object_end(report);
    }
    report_object_end(report);
    return report_finish(report, err);
}

static void print_effect(const char *label, const struct effect *effect)
{
    double reach = student_95(effect->freedom) * effect->se;

    printf("%-12s %.6g   se %.4g   [%.6g, %.6g]   p %.3g\n", label, effect->value,
           effect->se, effect->value - reach, effect->value + reach, p_of(effect));
}

void estimate_ate_print(const struct estimation *e)
{
    print_line(stdout, "'%s' (%lld rows) against '%s' (%lld rows), %s by %s",
               e->arms.names[e->treated], (long long)e->effect.treated_count,
               e->arms.names[e->arms.control], (long long)e->effect.control_count,
               e->estimand, e->method);
    print_effect("effect", &e->effect);
    if (e->cluster)
        printf("%-12s %s of %d clusters, Student's t with %.4g degrees of freedom\n",
               "errors", errors_name(e), e->cluster_count, e->effect.freedom);
    else
        printf("%-12s %s%s\n", "errors", errors_name(e),
               e->rule.are_means_known ? ", of the effect among these very rows" : "");
    if (has_overlap(e))
        printf(
            "%-12s p from %.4g to %.4g; effective rows %.1f treated, %.1f control; %lld "
            "outside of 0.1 to 0.9\n",
            "overlap", e->effect.p_min, e->effect.p_max, e->effect.effective_treated,
            e->effect.effective_control, (long long)e->effect.outside_count);
    if (!isnan(e->e_value))
        printf("%-12s %.3f, of the interval %.3f\n", "E-value", e->e_value, e->e_limit);
    if (e->placebo)
        print_effect("placebo", &e->placebo_effect);
    if (e->missing_count + e->other_count)
        printf("%-12s %lld rows with something missing, %lld of other arms\n", "left out",
               (long long)e->missing_count, (long long)e->other_count);
    decision_rows_print(&e->decisions);
}
