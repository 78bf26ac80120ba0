/* evaluate_uplift.c - redress evaluate uplift. */
#include "app/evaluate.h"

#include "app/analysis.h"
#include "app/design.h"
#include "app/plot.h"
#include "app/report.h"
#include "app/roles.h"
#include "app/uplift_balance.h"
#include "app/uplift_more.h"
#include "base/clock.h"
#include "learn/uplift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* With fewer, an interval is no ground for a verdict: there is nothing beyond 2.5 % of 39 resamples, and those of a
 * few rows all look alike. */
enum { RESAMPLE_COUNT_MAX = 10000, VERDICT_RESAMPLES_MIN = 40, VERDICT_ROWS_MIN = 30 };

struct evaluation {
    const char *data, *score, *treatment, *outcome, *control, *arm, *plot;
    const char *feature_names, *category_names;
    struct name_list features, categories;
    long resample_count, seed;
    bool is_json;

    struct columns *columns;
    struct arms arms;
    int treated; /* the arm */
    int64_t row_count, left_out;
    struct uplift *uplift;
    struct uplift_metrics metrics;
    struct uplift_intervals *intervals; /* NULL: not asked for */
    struct uplift_more more;
    struct uplift_balance balance;
    struct analysis_timing timing;
};

/* ---- reading ---- */

/* Columns that are read. */
enum { SCORE, TREATMENT, OUTCOME, OTHERS };

static int first_feature(const struct evaluation *e)
{
    return OTHERS + (e->more.baseline != NULL);
}

/* Scores and features were there before the treatment: where chance gave it, the arms are alike by them. */
static enum status compare_arms(struct evaluation *e, struct err *err)
{
    enum status rc = features_check(e->columns, first_feature(e), e->features.count,
                                    &e->categories, err);

    if (!rc)
        rc =
            uplift_balance_add(&e->balance, e->columns, SCORE, &e->arms, e->treated, err);
    for (int i = OTHERS; i < e->columns->count && !rc; i++) {
        rc = uplift_balance_add(&e->balance, e->columns, i, &e->arms, e->treated, err);
        if (i >= first_feature(e))
            columns_drop(e->columns, i);
    }
    return rc;
}

/* The rows of the two arms, without those of others: they move up in the columns. What is needed no more
 * is freed at once, so that the rows are in memory little more than once. */
static enum status open_rows(struct evaluation *e, struct err *err)
{
    size_t count = (size_t)e->columns->row_count;
    double *scores = e->columns->items[SCORE].numbers,
           *outcomes = e->columns->items[OUTCOME].numbers,
           *others = e->more.baseline ? e->columns->items[OTHERS].numbers : NULL;
    bool *is_treated = malloc(count * sizeof *is_treated);
    enum status rc;

    if (!is_treated)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %zu rows", count);
    for (size_t i = 0; i < count; i++) {
        int arm = e->arms.codes[i];

        if (arm != e->treated && arm != e->arms.control)
            continue;
        scores[e->row_count] = scores[i];
        outcomes[e->row_count] = outcomes[i];
        if (others)
            others[e->row_count] = others[i];
        is_treated[e->row_count++] = arm == e->treated;
    }
    columns_drop(e->columns, TREATMENT);
    arms_drop_rows(&e->arms);
    e->left_out = e->columns->row_count - e->row_count;
    rc = uplift_open(scores, outcomes, is_treated, e->row_count, &e->uplift, err);
    if (!rc)
        rc = uplift_more_measure(
            &e->more, &(struct scored_rows){e->row_count, scores, outcomes, is_treated},
            others, err);
    free(is_treated);
    columns_drop(e->columns, SCORE);
    columns_drop(e->columns, OUTCOME);
    return rc;
}

static enum status read_options(struct evaluation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--treatment", AS_TREATMENT, e->treatment, NULL},
        {"--outcome", AS_OUTCOME, e->outcome, NULL},
        {"--score", AS_ABOUT, e->score, NULL},
        {"--baseline", AS_ABOUT, e->more.baseline, NULL},
        {"--features", AS_BEFORE, NULL, &e->features},
    };
    enum status rc = name_list_read("--features", e->feature_names, &e->features, err);

    if (!rc)
        rc = categories_read(e->category_names, &e->features, NULL, &e->categories, err);
    return rc ? rc : roles_check(uses, sizeof uses / sizeof *uses, err);
}

static enum status read_columns(struct evaluation *e, struct err *err)
{
    int first = first_feature(e), count = first + e->features.count;
    struct column_wish *wishes = calloc((size_t)count, sizeof *wishes);
    enum status rc;

    if (!wishes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d columns", count);
    wishes[SCORE] = (struct column_wish){e->score, COLUMN_IS_NUMBER, false};
    wishes[TREATMENT] = (struct column_wish){e->treatment, COLUMN_IS_EITHER, false};
    wishes[OUTCOME] = (struct column_wish){e->outcome, COLUMN_IS_NUMBER, false};
    if (e->more.baseline)
        wishes[OTHERS] = (struct column_wish){e->more.baseline, COLUMN_IS_NUMBER, false};
    for (int i = first; i < count; i++)
        wishes[i] = feature_wish(e->features.names[i - first], &e->categories);
    rc = analysis_columns(e->data, wishes, count, &e->columns, err);
    free(wishes);
    return rc;
}

static enum status read_rows(struct evaluation *e, struct err *err)
{
    enum status rc;

    e->timing.begun_ns = clock_thread_ns();
    rc = read_columns(e, err);
    e->timing.read_ns = clock_thread_ns();
    if (!rc)
        rc = arms_read(e->columns, &e->columns->items[TREATMENT], e->control, &e->arms,
                       err);
    if (!rc)
        rc = arms_find_treated(&e->arms, e->columns, e->treatment, "--arm", e->arm,
                               &e->treated, err);
    if (!rc)
        rc = column_must_vary(e->columns, &e->columns->items[OUTCOME], err);
    if (!rc)
        rc = compare_arms(e, err);
    if (!rc) {
        rc = open_rows(e, err);
        if (rc == STATUS_INVALID)
            rc = err_wrap(err, "%s column '%s'", e->columns->file, e->score);
    }
    return rc;
}

static enum status measure(struct evaluation *e, struct err *err)
{
    struct analysis_progress progress = {.what = "resampling"};
    enum status rc;

    uplift_measure(e->uplift, &e->metrics);
    if (e->resample_count == 0)
        return STATUS_OK;
    e->intervals = malloc(sizeof *e->intervals);
    if (!e->intervals)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for intervals");
    progress_start(&progress.progress);
    rc = uplift_bootstrap(e->uplift, (int)e->resample_count, (uint64_t)e->seed,
                          (struct uplift_progress){analysis_tell, &progress},
                          e->intervals, err);
    progress_end(&progress.progress);
    return rc;
}

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
                      const int64_t *x, const double *values)
{
    report_array(report, key);
    for (int64_t i = 0; i < count; i++)
        report_pair(report, NULL, (double)x[i], values[i]);
    report_array_end(report);
}

static enum status put_curves(const struct evaluation *e, struct report *report,
                              struct err *err)
{
    int64_t count = uplift_point_count(e->uplift);
    int64_t *x = malloc((size_t)count * sizeof *x);
    double *qini = malloc((size_t)count * sizeof *qini),
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
static void put_intervals(const struct evaluation *e, struct report *report)
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

static enum status print_json(const struct evaluation *e, struct err *err)
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

static void print_metric(const struct evaluation *e, const char *label, size_t offset)
{
    double value = uplift_metric_of(&e->metrics, offset);

    if (isnan(value))
        return;
    if (e->intervals)
        printf("%-32s %10.5f   [%.5f, %.5f]\n", label, value,
               uplift_metric_of(&e->intervals->low, offset),
               uplift_metric_of(&e->intervals->high, offset));
    else
        printf("%-32s %10.5f\n", label, value);
}

static bool has_rows_for_verdict(const struct evaluation *e)
{
    return e->arms.row_counts[e->treated] >= VERDICT_ROWS_MIN &&
           e->arms.row_counts[e->arms.control] >= VERDICT_ROWS_MIN;
}

/* What the intervals of the ranking say; only where there are some. */
static void print_verdict(const struct evaluation *e)
{
    double low = e->intervals->low.rate_qini, high = e->intervals->high.rate_qini;

    if (e->resample_count < VERDICT_RESAMPLES_MIN)
        printf("Too few resamples for a verdict: %ld, %d are needed.\n",
               e->resample_count, VERDICT_RESAMPLES_MIN);
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

static void print_text(const struct evaluation *e)
{
    print_line(stdout, "%lld rows, '%s' against '%s'", (long long)e->row_count,
               e->arms.names[e->treated], e->arms.names[e->arms.control]);
    if (e->left_out)
        print_line(stdout, "%lld rows of other arms left out", (long long)e->left_out);
    uplift_balance_print(&e->balance);
    print_metric(e, "effect (difference of means)",
                 offsetof(struct uplift_metrics, effect));
    for (int i = 0; i < UPLIFT_METRIC_COUNT; i++)
        print_metric(e, uplift_metrics[i].label, uplift_metrics[i].offset);
    puts("\nfirst rows   uplift overall   by group");
    for (int i = 0; i < UPLIFT_SHARE_COUNT; i++)
        printf("%8.0f %%   %14.5f %10.5f\n", 100 * strtod(uplift_share_names[i], NULL),
               e->metrics.overall[i], e->metrics.by_group[i]);
    uplift_more_print(&e->more, e->resample_count >= VERDICT_RESAMPLES_MIN &&
                                    has_rows_for_verdict(e));
    if (e->intervals)
        print_verdict(e);
    else
        puts("\nWithout --bootstrap there are no intervals: small differences may be "
             "noise.");
}

/* ---- picture ---- */

static void plot_band(const struct evaluation *e, FILE *script, const double *low,
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
    fprintf(script, "%lld %g\ne\n0 0\n%lld %g\ne\n", (long long)x[count - 1],
            y[count - 1], (long long)x[count - 1], y[count - 1]);
}

static enum status draw(const struct evaluation *e, struct err *err)
{
    int64_t count = uplift_point_count(e->uplift);
    int64_t *x = malloc((size_t)count * sizeof *x);
    double *qini = malloc((size_t)count * sizeof *qini),
           *uplifts = malloc((size_t)count * sizeof *uplifts);
    const char *lines = "'-' with lines lw 2 lc rgb '#1f5fa8' title 'score', "
                        "'-' with lines dashtype 2 lc rgb '#888888' title 'at random'\n";
    const char *band = "'-' with filledcurves fs transparent solid 0.2 noborder lc rgb "
                       "'#1f5fa8' title '95 % band', ";
    struct plot *plot = NULL;
    enum status rc = x && qini && uplifts
                         ? plot_open(e->plot, &plot, err)
                         : err_set(err, STATUS_EXHAUSTED, "out of memory for the curves");

    if (!rc) {
        FILE *script = plot_script(plot);

        uplift_curves(e->uplift, x, qini, uplifts);
        plot_begin(plot, "qini", "Qini curve", "rows, best scores first",
                   "additional outcomes");
        fprintf(script, "set key top left\nplot %s%s", e->intervals ? band : "", lines);
        if (e->intervals)
            plot_band(e, script, e->intervals->qini_low, e->intervals->qini_high);
        plot_points(script, count, x, qini);
        plot_begin(plot, "uplift", "Uplift curve", "rows, best scores first",
                   "difference of means x rows");
        fprintf(script, "set key top left\nplot %s%s", e->intervals ? band : "", lines);
        if (e->intervals)
            plot_band(e, script, e->intervals->uplift_low, e->intervals->uplift_high);
        plot_points(script, count, x, uplifts);
        rc = plot_finish(plot, err);
    }
    free(x);
    free(qini);
    free(uplifts);
    return rc;
}

static enum status run(struct evaluation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    if (!rc)
        rc = read_rows(e, err);
    if (!rc)
        rc = measure(e, err);
    e->timing.computed_ns = clock_thread_ns();
    if (!rc && e->plot)
        rc = draw(e, err);
    if (!rc)
        uplift_balance_warn(&e->balance);
    if (!rc && e->is_json)
        rc = print_json(e, err);
    else if (!rc)
        print_text(e);
    return rc;
}

int command_evaluate_uplift(int argc, char **argv)
{
    struct evaluation e = {.seed = 1};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "The rows; - is standard input.", 0, 0},
        {"score", OPTION_TEXT | OPTION_NEEDED, &e.score, "COL",
         "What ranks the rows, the largest first.", 0, 0},
        {"treatment", OPTION_TEXT | OPTION_NEEDED, &e.treatment, "COL",
         "0 and 1, or words (see --control and --arm).", 0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &e.outcome, "COL",
         "What should become more.", 0, 0},
        {"control", OPTION_TEXT, &e.control, "VALUE",
         "The treatment of those who got none (default: 0 or control).", 0, 0},
        {"arm", OPTION_TEXT, &e.arm, "VALUE",
         "The treatment to judge, when there are more than two.", 0, 0},
        {"baseline", OPTION_TEXT, &e.more.baseline, "COL",
         "Another score of the same rows: what the first has more; with --bootstrap each "
         "resample has the same rows for both.",
         0, 0},
        {"features", OPTION_TEXT, &e.feature_names, "A,B,..",
         "Columns known before: by them, as by the scores, the treated are to be like "
         "the others; else there is a warning. Without them only the scores are looked "
         "at.",
         0, 0},
        {"categories", OPTION_TEXT, &e.category_names, "A,B,..",
         "Features whose values are categories, also where they are numbers.", 0, 0},
        {"calibration", OPTION_FLAG, &e.more.wants_calibration, NULL,
         "The score is an effect in the outcome's unit: predicted beside found in ten "
         "bins, and the slope.",
         0, 0},
        {"bootstrap", OPTION_INT, &e.resample_count, "N",
         "Intervals of 95 % from so many resamples of the rows.", 0, RESAMPLE_COUNT_MAX},
        {"seed", OPTION_INT, &e.seed, "N", "Of the resamples (default 1).", 0, INT32_MAX},
        {"plot", OPTION_TEXT, &e.plot, "DIR",
         "Draw qini.png and uplift.png into this folder (needs gnuplot).", 0, 0},
        {"timing", OPTION_FLAG, &e.timing.is_wanted, NULL,
         "With --json, the processor time of reading and of computing.", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON, with the whole curves.", 0,
         0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "evaluate uplift --data F.csv --score COL --treatment COL --outcome COL "
            "[OPTIONS]",
        .summary =
            "How well a score ranks cases by what a treatment does to them, on the log "
            "of a randomised experiment, in which all rows had the same chance of it: "
            "Qini and uplift curves and their areas by the "
            "definitions of scikit-uplift and causalml, uplift among the first rows, "
            "RATE.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    e.more.resample_count = e.resample_count;
    e.more.seed = e.seed;
    rc = run(&e, &err);
    uplift_close(e.uplift);
    free(e.intervals);
    arms_free(&e.arms);
    columns_close(e.columns);
    name_list_free(&e.features);
    name_list_free(&e.categories);
    return command_end(&usage, rc, &err);
}
