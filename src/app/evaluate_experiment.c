/* evaluate_experiment.c - redress evaluate experiment. */
#include "app/evaluate.h"

#include "app/analysis.h"
#include "app/report.h"
#include "learn/experiment.h"
#include "learn/sequence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARDRAIL_COUNT_MAX = 16 };

/* A metric that must not get worse by more than a margin: fall by it, or rise when it is negative. */
struct guardrail {
    char *column; /* freed at the end */
    double margin;
};

struct evaluation {
    const char *data, *arm, *metric, *covariate, *control, *shares, *guardrail_text,
        *plan;
    long tightest_at;
    bool is_json;

    struct columns *columns; /* arm, metric, covariate, guardrails */
    struct arms arms;
    struct guardrail guardrails[GUARDRAIL_COUNT_MAX];
    int guardrail_count;
    double share_list[ARM_COUNT_MAX];
    double plan_size; /* 0: not asked for */
    int64_t dropped_count;
    struct sample samples[ARM_COUNT_MAX];
    double chi2, srm_p;
};

static bool is_srm(const struct evaluation *e)
{
    return e->srm_p < EXPERIMENT_SRM_P_MIN;
}

/* ---- reading ---- */

static bool read_number(const char *text, double *number)
{
    char *end;

    *number = strtod(text, &end);
    return *text && !*end && isfinite(*number);
}

/* "COL:MARGIN,.." */
static enum status read_guardrails(struct evaluation *e, struct err *err)
{
    struct name_list list;
    enum status rc = name_list_read("--guardrail", e->guardrail_text, &list, err);

    if (!rc && list.count > GUARDRAIL_COUNT_MAX)
        rc = err_set(err, STATUS_TOO_LARGE, "--guardrail: more than %d",
                     GUARDRAIL_COUNT_MAX);
    for (int i = 0; i < list.count && !rc; i++) {
        struct guardrail *guardrail = &e->guardrails[i];
        const char *colon = strrchr(list.names[i], ':');

        if (!colon || colon == list.names[i] ||
            !read_number(colon + 1, &guardrail->margin) || guardrail->margin == 0) {
            rc = err_set(err, STATUS_INVALID, "--guardrail: '%.60s' is not COL:MARGIN",
                         list.names[i]);
            break;
        }
        guardrail->column = strndup(list.names[i], (size_t)(colon - list.names[i]));
        if (!guardrail->column)
            rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a name");
        e->guardrail_count++;
    }
    name_list_free(&list);
    return rc;
}

/* In the order of the arms; equal ones unless said otherwise. */
static enum status read_shares(struct evaluation *e, struct err *err)
{
    double sum = 0;
    enum status rc = STATUS_OK;

    for (int i = 0; i < e->arms.count; i++)
        e->share_list[i] = 1.0 / e->arms.count;
    if (!e->shares)
        return STATUS_OK;
    rc = arms_numbers(&e->arms, "--shares", e->shares, -1, e->share_list, err);
    for (int i = 0; i < e->arms.count && !rc; i++) {
        if (!(e->share_list[i] > 0))
            return err_set(err, STATUS_INVALID, "--shares: are above 0");
        sum += e->share_list[i];
    }
    for (int i = 0; i < e->arms.count && !rc; i++)
        e->share_list[i] /= sum;
    return rc;
}

/* Rows without a metric, covariate or guardrail are left out; codes and columns move up. */
static void drop_missing(struct evaluation *e)
{
    int64_t kept = 0, count = e->columns->row_count;

    for (int64_t row = 0; row < count; row++) {
        bool is_whole = true;

        for (int c = 1; c < e->columns->count; c++)
            is_whole &= !isnan(e->columns->items[c].numbers[row]);
        if (!is_whole) {
            e->arms.row_counts[e->arms.codes[row]]--;
            continue;
        }
        for (int c = 1; c < e->columns->count; c++)
            e->columns->items[c].numbers[kept] = e->columns->items[c].numbers[row];
        e->arms.codes[kept++] = e->arms.codes[row];
    }
    e->dropped_count = count - kept;
    e->columns->row_count = kept;
}

static enum status read_rows(struct evaluation *e, struct err *err)
{
    struct column_wish wishes[3 + GUARDRAIL_COUNT_MAX] = {
        {e->arm, COLUMN_IS_EITHER, false},
        {e->metric, COLUMN_IS_NUMBER, true},
    };
    int count = 2;
    enum status rc = read_guardrails(e, err);

    if (e->covariate)
        wishes[count++] = (struct column_wish){e->covariate, COLUMN_IS_NUMBER, true};
    for (int i = 0; i < e->guardrail_count; i++)
        wishes[count++] =
            (struct column_wish){e->guardrails[i].column, COLUMN_IS_NUMBER, true};
    if (!rc)
        rc = analysis_columns(e->data, wishes, count, &e->columns, err);
    if (!rc)
        rc = arms_read(e->columns, &e->columns->items[0], e->control, &e->arms, err);
    if (!rc)
        rc = read_shares(e, err);
    if (rc)
        return rc;
    drop_missing(e);
    for (int i = 0; i < e->arms.count; i++)
        if (e->arms.row_counts[i] < 2)
            return err_set(err, STATUS_INVALID,
                           "%s: arm '%s' has %lld rows with all columns, two are needed",
                           e->columns->file, e->arms.names[i],
                           (long long)e->arms.row_counts[i]);
    return STATUS_OK;
}

static const double *values_of(const struct evaluation *e, int column)
{
    return e->columns->items[column].numbers;
}

static enum status measure(struct evaluation *e, struct err *err)
{
    bool is_constant = true;

    if (e->plan && (!read_number(e->plan, &e->plan_size) || !(e->plan_size > 0)))
        return err_set(err, STATUS_INVALID, "--plan: '%.40s' is not a number above 0",
                       e->plan);
    for (int i = 0; i < e->arms.count; i++) {
        e->samples[i] =
            sample_of(values_of(e, 1), e->arms.codes, e->columns->row_count, i);
        is_constant &= e->samples[i].variance == 0;
    }
    if (is_constant)
        return err_set(err, STATUS_INVALID, "%s column '%s': does not vary in any arm",
                       e->columns->file, e->metric);
    sample_ratio(e->arms.row_counts, e->share_list, e->arms.count, &e->chi2, &e->srm_p);
    return STATUS_OK;
}

/* ---- what each arm did ---- */

struct guardrail_result {
    struct difference difference;
    const char *verdict; /* "held" | "broken" | "undecided" */
};

static struct guardrail_result measure_guardrail(const struct evaluation *e, int arm,
                                                 int index)
{
    const double *values = values_of(e, 2 + (e->covariate != NULL) + index);
    double margin = e->guardrails[index].margin, sign = margin > 0 ? 1 : -1;
    int64_t n = e->columns->row_count;
    struct guardrail_result result;
    double low, high;

    difference_of(sample_of(values, e->arms.codes, n, arm),
                  sample_of(values, e->arms.codes, n, e->arms.control),
                  (double)e->tightest_at, &result.difference);
    /* As if more were better. */
    low = sign > 0 ? result.difference.low : -result.difference.high;
    high = sign > 0 ? result.difference.high : -result.difference.low;
    result.verdict = low > -fabs(margin)    ? "held"
                     : high < -fabs(margin) ? "broken"
                                            : "undecided";
    return result;
}

static struct difference measure_arm(const struct evaluation *e, int arm)
{
    struct difference difference;

    difference_of(e->samples[arm], e->samples[e->arms.control], (double)e->tightest_at,
                  &difference);
    return difference;
}

static struct difference measure_cuped(const struct evaluation *e, int arm, double *theta)
{
    struct difference difference;

    difference_cuped(values_of(e, 1), values_of(e, 2), e->arms.codes,
                     e->columns->row_count, arm, e->arms.control, (double)e->tightest_at,
                     theta, &difference);
    return difference;
}

static double planned(const struct evaluation *e, int arm)
{
    double variance =
        (e->samples[arm].variance + e->samples[e->arms.control].variance) / 2;

    return sample_size(variance, e->plan_size, 0.05, 0.8);
}

/* ---- JSON ---- */

static void put_sample(struct report *report, struct sample sample)
{
    report_count(report, "n", sample.count);
    report_number(report, "mean", sample.mean);
    report_number(report, "sd", sqrt(sample.variance));
}

static void put_guardrails(const struct evaluation *e, struct report *report, int arm)
{
    report_object(report, "guardrails");
    for (int i = 0; i < e->guardrail_count; i++) {
        struct guardrail_result result = measure_guardrail(e, arm, i);

        report_key(report, text_of(e->guardrails[i].column));
        report_object(report, NULL);
        report_number(report, "diff", result.difference.value);
        report_number(report, "se", result.difference.se);
        report_pair(report, "ci", result.difference.low, result.difference.high);
        report_number(report, "margin", e->guardrails[i].margin);
        report_string(report, "verdict", result.verdict);
        report_object_end(report);
    }
    report_object_end(report);
}

static void put_arm(const struct evaluation *e, struct report *report, int arm)
{
    struct difference difference = measure_arm(e, arm);
    double theta;

    report_key(report, text_of(e->arms.names[arm]));
    report_object(report, NULL);
    put_sample(report, e->samples[arm]);
    report_number(report, "diff", difference.value);
    report_number(report, "se", difference.se);
    report_pair(report, "ci", difference.low, difference.high);
    report_number(report, "z", difference.z);
    report_number(report, "p", difference.p);
    report_number(report, "relative_lift", difference.relative_lift);
    if (e->covariate) {
        difference = measure_cuped(e, arm, &theta);
        report_object(report, "cuped");
        report_number(report, "theta", theta);
        report_number(report, "diff", difference.value);
        report_number(report, "se", difference.se);
        report_pair(report, "ci", difference.low, difference.high);
        report_number(report, "p", difference.p);
        report_object_end(report);
        difference = measure_arm(e, arm);
    }
    report_object(report, "sequential");
    report_number(report, "lower", difference.sequence_low);
    report_number(report, "upper", difference.sequence_high);
    report_object_end(report);
    if (e->guardrail_count)
        put_guardrails(e, report, arm);
    if (e->plan)
        report_number(report, "planned_rows_per_arm", planned(e, arm));
    report_object_end(report);
}

static enum status print_json(const struct evaluation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_count(report, "n", e->columns->row_count);
    report_count(report, "dropped", e->dropped_count);
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
    report_object(report, "counts");
    for (int i = 0; i < e->arms.count; i++) {
        report_key(report, text_of(e->arms.names[i]));
        report_count(report, NULL, e->arms.row_counts[i]);
    }
    report_object_end(report);
    report_number(report, "chi2", e->chi2);
    report_number(report, "p", e->srm_p);
    report_bool(report, "is_mismatch", is_srm(e));
    report_object_end(report);
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

static void print_arm(const struct evaluation *e, int arm)
{
    struct difference difference = measure_arm(e, arm);
    double theta;

    print_line(stdout, "'%s': %lld rows, mean %.6g", e->arms.names[arm],
               (long long)e->samples[arm].count, e->samples[arm].mean);
    print_difference("difference", &difference);
    if (!isnan(difference.relative_lift))
        printf("  %-18s %+12.4g %%\n", "relative lift", 100 * difference.relative_lift);
    printf("  %-18s [%.6g, %.6g]\n", "at every look", difference.sequence_low,
           difference.sequence_high);
    if (e->covariate) {
        difference = measure_cuped(e, arm, &theta);
        print_difference("with the covariate", &difference);
    }
    for (int i = 0; i < e->guardrail_count; i++) {
        struct guardrail_result result = measure_guardrail(e, arm, i);

        print_line(stdout, "  guardrail %s: %s, %.6g [%.6g, %.6g] against a margin of %g",
                   e->guardrails[i].column, result.verdict, result.difference.value,
                   result.difference.low, result.difference.high,
                   e->guardrails[i].margin);
    }
    if (e->plan)
        printf("  %-18s %.0f rows per arm find %g with a power of 80 %%\n", "plan",
               planned(e, arm), e->plan_size);
}

static void print_text(const struct evaluation *e)
{
    print_line(
        stdout, "control '%s': %lld rows, mean %.6g", e->arms.names[e->arms.control],
        (long long)e->samples[e->arms.control].count, e->samples[e->arms.control].mean);
    for (int i = 0; i < e->arms.count; i++)
        if (i != e->arms.control)
            print_arm(e, i);
    printf("sample ratio: chi-square %.4g, p %.3g\n", e->chi2, e->srm_p);
    if (e->dropped_count)
        printf("%lld rows without a value left out\n", (long long)e->dropped_count);
}

static enum status run(struct evaluation *e, struct err *err)
{
    enum status rc = read_rows(e, err);

    if (!rc)
        rc = measure(e, err);
    if (!rc && e->is_json)
        rc = print_json(e, err);
    else if (!rc)
        print_text(e);
    return rc;
}

static void warn_of_mismatch(const struct evaluation *e)
{
    fprintf(
        stderr,
        "redress: SAMPLE RATIO MISMATCH (p = %.2g): the arms do not have the sizes they "
        "should have.\n"
        "redress: something decides who is counted; do not believe the differences "
        "before it is found.\n",
        e->srm_p);
}

int command_evaluate_experiment(int argc, char **argv)
{
    struct evaluation e = {.tightest_at = SEQUENCE_ROWS_TIGHTEST, .srm_p = 1};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "One row each; - is standard input.", 0, 0},
        {"arm", OPTION_TEXT | OPTION_NEEDED, &e.arm, "COL", "Which arm a row is in.", 0,
         0},
        {"metric", OPTION_TEXT | OPTION_NEEDED, &e.metric, "COL", "What is compared.", 0,
         0},
        {"covariate", OPTION_TEXT, &e.covariate, "COL",
         "Known before: takes noise away (CUPED).", 0, 0},
        {"control", OPTION_TEXT, &e.control, "VALUE",
         "The arm to compare with (default: 0 or control).", 0, 0},
        {"shares", OPTION_TEXT, &e.shares, "A,B,..",
         "How rows should be shared among the arms, in rising order or as ARM=A "
         "(default: equally).",
         0, 0},
        {"guardrail", OPTION_TEXT, &e.guardrail_text, "COL:MARGIN,..",
         "Columns that must not fall by more than a margin; rise, when it is negative.",
         0, 0},
        {"plan", OPTION_TEXT, &e.plan, "SIZE",
         "How many rows per arm find a difference of this size.", 0, 0},
        {"tightest-at", OPTION_INT, &e.tightest_at, "N",
         "Rows at which the bounds for every look are tightest; say so before the first "
         "look (default 10000).",
         2, 1000000000},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "evaluate experiment --data F.csv --arm COL --metric COL [OPTIONS]",
        .summary =
            "The arms of a randomised experiment beside its control: differences, with "
            "a covariate, at every look, guardrails, sample ratio. Exit code 1 when "
            "the arms do not have the sizes they should have.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    rc = run(&e, &err);
    for (int i = 0; i < e.guardrail_count; i++)
        free(e.guardrails[i].column);
    arms_free(&e.arms);
    columns_close(e.columns);
    if (rc)
        return command_failed(&err);
    if (!is_srm(&e))
        return EXIT_DONE;
    warn_of_mismatch(&e);
    return EXIT_REFUSED;
}
