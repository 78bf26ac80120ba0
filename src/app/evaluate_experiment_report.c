/* evaluate_experiment_report.c - what redress evaluate experiment prints. */
#include "app/evaluate_experiment.h"

#include "app/options.h"
#include "app/report.h"
#include "learn/draws.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what each arm did ---- */

struct guardrail_result {
    struct difference difference;
    const char *verdict; /* "held" | "broken" | "undecided" */
};

static struct guardrail_result measure_guardrail(const struct experiment_evaluation *e,
                                                 int arm, int index)
{
    double margin = e->guardrails[index].margin, sign = signbit(margin) ? -1 : 1;
    const struct contrast contrast =
        experiment_contrast(e, guardrail_column(e, index), arm);
    struct guardrail_result result;
    double low, high;

    difference_between(&contrast, &result.difference);
    /* As if more were better. */
    low = sign > 0 ? result.difference.low : -result.difference.high;
    high = sign > 0 ? result.difference.high : -result.difference.low;
    result.verdict = low >= -fabs(margin)   ? "held"
                     : high < -fabs(margin) ? "broken"
                                            : "undecided";
    return result;
}

bool experiment_broke_guardrail(const struct experiment_evaluation *e, int index)
{
    bool is_broken = false;

    for (int i = 0; i < e->arms.count; i++)
        is_broken |= i != e->arms.control &&
                     strcmp(measure_guardrail(e, i, index).verdict, "broken") == 0;
    return is_broken;
}

static struct difference measure_arm(const struct experiment_evaluation *e, int arm)
{
    const struct contrast contrast = experiment_contrast(e, 1, arm);
    struct difference difference;

    difference_between(&contrast, &difference);
    return difference;
}

static struct difference measure_cuped(const struct experiment_evaluation *e, int arm,
                                       double *theta, double *variance)
{
    const struct contrast contrast = experiment_contrast(e, 1, arm);
    struct difference difference;

    difference_cuped(&contrast, e->columns->items[2].numbers, theta, variance,
                     &difference);
    return difference;
}

static double rows_for(const struct experiment_plan *plan, double variance)
{
    return sample_size(variance, plan->size, plan->alpha, plan->power);
}

/* Clusters make rows worth less, as many times as their error is larger. */
static double planned(const struct experiment_evaluation *e, int arm)
{
    struct sample own = e->samples[arm], control = e->samples[e->arms.control];
    double variance = (own.variance + control.variance) / 2, se;

    if (!e->clusters)
        return rows_for(&e->plan, variance);
    se = measure_arm(e, arm).se;
    return rows_for(&e->plan, variance * se * se /
                                  (own.variance / (double)own.count +
                                   control.variance / (double)control.count));
}

static double planned_cuped(const struct experiment_evaluation *e, int arm)
{
    double theta, variance;

    (void)measure_cuped(e, arm, &theta, &variance);
    return rows_for(&e->plan, variance);
}

/* ---- JSON ---- */

static void put_sample(struct report *report, struct sample sample)
{
    report_count(report, "n", sample.count);
    report_number(report, "mean", sample.mean);
    report_number(report, "sd", sqrt(sample.variance));
}

static void put_guardrails(const struct experiment_evaluation *e, struct report *report,
                           int arm)
{
    report_object(report, "guardrails");
    for (int i = 0; i < e->guardrail_count; i++) {
        struct guardrail_result result = measure_guardrail(e, arm, i);

        report_key(report, text_of(e->guardrails[i].column));
        report_object(report, NULL);
        report_number(report, "diff", result.difference.value);
        report_number(report, "se", result.difference.se);
        report_pair(report, "ci", result.difference.low, result.difference.high);
        report_count(report, "n", e->arms.row_counts[arm] - e->lost[1 + i].counts[arm]);
        report_number(report, "margin", e->guardrails[i].margin);
        report_string(report, "verdict", result.verdict);
        report_object_end(report);
    }
    report_object_end(report);
}

static void put_arm(const struct experiment_evaluation *e, struct report *report, int arm)
{
    struct difference difference = measure_arm(e, arm);
    double theta, variance;

    report_key(report, text_of(e->arms.names[arm]));
    report_object(report, NULL);
    put_sample(report, e->samples[arm]);
    report_number(report, "diff", difference.value);
    report_number(report, "se", difference.se);
    report_pair(report, "ci", difference.low, difference.high);
    if (e->clusters)
        report_number(report, "degrees_of_freedom", difference.freedom);
    report_number(report, "z", difference.z);
    report_number(report, "p", difference.p);
    report_number(report, "relative_lift", difference.relative_lift);
    if (e->covariate) {
        difference = measure_cuped(e, arm, &theta, &variance);
        report_object(report, "cuped");
        report_number(report, "theta", theta);
        report_number(report, "diff", difference.value);
        report_number(report, "se", difference.se);
        report_pair(report, "ci", difference.low, difference.high);
        report_number(report, "p", difference.p);
        report_object_end(report);
        difference = measure_arm(e, arm);
    }
    report_number(report, "draws", difference.draws);
    report_object(report, "sequential");
    report_number(report, "lower", difference.sequence_low);
    report_number(report, "upper", difference.sequence_high);
    if (difference.draws < DRAWS_SEQUENCE_MIN)
        report_string(report, "why",
                      "the error rests on too few draws for bounds that are asymptotic");
    report_number(report, "draws_needed", DRAWS_SEQUENCE_MIN);
    report_object_end(report);
    if (e->guardrail_count)
        put_guardrails(e, report, arm);
    if (e->plan.size_text)
        report_number(report, "planned_rows_per_arm", planned(e, arm));
    if (e->plan.size_text && e->covariate)
        report_number(report, "planned_rows_per_arm_cuped", planned_cuped(e, arm));
    report_object_end(report);
}

/* Rows without the metric. */
static int64_t missing_count(const struct experiment_evaluation *e)
{
    int64_t sum = 0;

    for (int i = 0; i < e->arms.count; i++)
        sum += e->lost[0].counts[i];
    return sum;
}

static void put_counts(const struct experiment_evaluation *e, struct report *report,
                       const int64_t *counts)
{
    report_object(report, "counts");
    for (int i = 0; i < e->arms.count; i++) {
        report_key(report, text_of(e->arms.names[i]));
        report_count(report, NULL, counts[i]);
    }
    report_object_end(report);
}

static void put_attrition(const struct experiment_evaluation *e, struct report *report)
{
    report_object(report, "attrition");
    for (int i = 0; i <= e->guardrail_count; i++) {
        const struct lost *lost = &e->lost[i];

        report_key(report, text_of(i ? e->guardrails[i - 1].column : e->metric));
        report_object(report, NULL);
        put_counts(e, report, lost->counts);
        report_number(report, "chi2", lost->chi2);
        report_number(report, "p", lost->p);
        report_object_end(report);
    }
    report_object_end(report);
}

enum status experiment_evaluation_json(const struct experiment_evaluation *e,
                                       struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_count(report, "n", e->columns->row_count - missing_count(e));
    report_count(report, "dropped", missing_count(e));
    if (e->clusters)
        report_count(report, "clusters", e->clusters->count);
    report_object(report, "control");
    report_string(report, "name", e->arms.names[e->arms.control]);
    put_sample(report, e->samples[e->arms.control]);
    report_object_end(report);
    report_object(report, "arms");
    for (int i = 0; i < e->arms.count; i++)
        if (i != e->arms.control)
            put_arm(e, report, i);
    report_object_end(report);
    report_object(report, "srm");
    put_counts(e, report, e->arms.row_counts);
    report_number(report, "chi2", e->chi2);
    report_number(report, "p", e->srm_p);
    report_bool(report, "is_mismatch", experiment_has_mismatch(e));
    report_object_end(report);
    put_attrition(e, report);
    few_put(&e->few, report);
    explained_put(&e->explained, report);
    report_number(report, "sequential_tightest_at", (double)e->tightest_at);
    report_object_end(report);
    return report_finish(report, err);
}

/* ---- for people ---- */

static void print_difference(const char *label, const struct difference *difference)
{
    printf("  %-18s %12.6g  se %-10.4g [%.6g, %.6g]  p %.3g\n", label, difference->value,
           difference->se, difference->low, difference->high, difference->p);
}

static void print_plan(const struct experiment_plan *plan, double rows, double cuped)
{
    printf("  %-18s %.0f rows per arm find %g with a power of %g at alpha %g\n", "plan",
           rows, plan->size, plan->power, plan->alpha);
    if (!isnan(cuped))
        printf("  %-18s %.0f with the covariate\n", "", cuped);
}

static void print_arm(const struct experiment_evaluation *e, int arm)
{
    struct difference difference = measure_arm(e, arm);
    double theta, variance;

    print_line(stdout, "'%s': %lld rows, mean %.6g, sd %.4g", e->arms.names[arm],
               (long long)e->samples[arm].count, e->samples[arm].mean,
               sqrt(e->samples[arm].variance));
    print_difference("difference", &difference);
    /* Of a mean below 0 it would have the wrong sign. */
    if (!isnan(difference.relative_lift) && e->samples[e->arms.control].mean > 0)
        printf("  %-18s %+12.4g %%\n", "relative lift", 100 * difference.relative_lift);
    if (difference.draws < DRAWS_SEQUENCE_MIN)
        printf("  %-18s none yet: the error rests on %.1f draws of one size, asymptotic "
               "bounds need %d\n",
               "at every look", difference.draws, DRAWS_SEQUENCE_MIN);
    else
        printf("  %-18s [%.6g, %.6g]  asymptotic\n", "at every look",
               difference.sequence_low, difference.sequence_high);
    if (e->covariate) {
        difference = measure_cuped(e, arm, &theta, &variance);
        print_difference("with the covariate", &difference);
        printf("  %-18s %12.6g\n", "theta", theta);
    }
    for (int i = 0; i < e->guardrail_count; i++) {
        struct guardrail_result result = measure_guardrail(e, arm, i);

        print_line(stdout, "  guardrail %s: %s, %.6g [%.6g, %.6g] against a margin of %g",
                   e->guardrails[i].column, result.verdict, result.difference.value,
                   result.difference.low, result.difference.high,
                   e->guardrails[i].margin);
    }
    if (e->plan.size_text)
        print_plan(&e->plan, planned(e, arm), e->covariate ? planned_cuped(e, arm) : NAN);
}

void experiment_evaluation_print(const struct experiment_evaluation *e)
{
    print_line(
        stdout, "control '%s': %lld rows, mean %.6g, sd %.4g",
        e->arms.names[e->arms.control], (long long)e->samples[e->arms.control].count,
        e->samples[e->arms.control].mean, sqrt(e->samples[e->arms.control].variance));
    for (int i = 0; i < e->arms.count; i++)
        if (i != e->arms.control)
            print_arm(e, i);
    if (e->clusters)
        printf("%d clusters: errors, bounds and chi-squares are theirs, intervals by "
               "Student's t\n",
               e->clusters->count);
    if (isnan(e->srm_p))
        puts("sample ratio: too few clusters to tell");
    else
        printf("sample ratio: chi-square %.4g, p %.3g\n", e->chi2, e->srm_p);
    for (int i = 0; i <= e->guardrail_count; i++)
        if (!isnan(e->lost[i].p))
            print_line(stdout, "missing alike, '%s': chi-square %.4g, p %.3g",
                       i ? e->guardrails[i - 1].column : e->metric, e->lost[i].chi2,
                       e->lost[i].p);
    if (missing_count(e))
        printf("%lld rows without the metric left out\n", (long long)missing_count(e));
}

/* ---- plans without data ---- */

/* Of a rate: the mean of both arms'. */
static double plan_variance(const struct experiment_plan *plan)
{
    double other = plan->rate + plan->size;

    return plan->sd_text ? plan->sd * plan->sd
                         : (plan->rate * (1 - plan->rate) + other * (1 - other)) / 2;
}

static double plan_cuped(const struct experiment_plan *plan)
{
    double r = plan->correlation;

    return plan->correlation_text ? rows_for(plan, plan_variance(plan) * (1 - r * r))
                                  : NAN;
}

enum status experiment_plan_json(const struct experiment_plan *plan, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_object(report, "plan");
    report_number(report, "size", plan->size);
    report_number(report, "alpha", plan->alpha);
    report_number(report, "power", plan->power);
    report_number(report, "sd", sqrt(plan_variance(plan)));
    report_number(report, "rows_per_arm", rows_for(plan, plan_variance(plan)));
    if (plan->correlation_text)
        report_number(report, "rows_per_arm_cuped", plan_cuped(plan));
    report_object_end(report);
    report_object_end(report);
    return report_finish(report, err);
}

void experiment_plan_print(const struct experiment_plan *plan)
{
    print_plan(plan, rows_for(plan, plan_variance(plan)), plan_cuped(plan));
}
