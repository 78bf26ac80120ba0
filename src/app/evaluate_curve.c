/* evaluate_curve.c - redress evaluate curve. */
#include "app/evaluate.h"

#include "app/analysis.h"
#include "app/design.h"
#include "app/figure.h"
#include "app/plot.h"
#include "app/report.h"
#include "app/roles.h"
#include "app/warnings.h"
#include "learn/distribution.h"
#include "learn/frontier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINT_COUNT_MAX = 10000, POINT_COUNT_DEFAULT = 20, RESAMPLE_COUNT_MAX = 10000 };

struct evaluation {
    const char *data, *effects, *scores, *costs, *spends, *plot;
    const char *baseline, *cluster; /* NULL: not asked for */
    long resample_count, seed;
    bool is_json;

    struct name_list effect_list, score_list, baseline_list;
    /* effects, then scores, then effects of the baseline, then the cluster */
    struct columns *columns;
    int32_t *clusters;
    int32_t cluster_count;
    double *cost_list; /* (arm) */
    double *matrix;    /* (effect or score, row) */
    struct warnings warnings;
    struct frontier *frontier, *other;
    double spend_list[POINT_COUNT_MAX + 1];
    struct frontier_point points[POINT_COUNT_MAX], last;
    struct frontier_difference differences[POINT_COUNT_MAX];
    struct frontier_interval intervals[POINT_COUNT_MAX],
        difference_intervals[POINT_COUNT_MAX];
    int point_count;
};

/* "1,2.5": numbers; returns how many, -1 when one is none. */
static int read_numbers(const char *text, double *numbers, int count_max)
{
    int count = 0;

    for (const char *at = text;; at++) {
        char *end;

        if (count == count_max)
            return -1;
        numbers[count] = strtod(at, &end);
        if (end == at || (*end && *end != ',') || !isfinite(numbers[count]))
            return -1;
        count++;
        at = end;
        if (!*at)
            return count;
    }
}

static enum status read_costs(struct evaluation *e, struct err *err)
{
    int count = e->effect_list.count;

    e->cost_list = calloc((size_t)count + 1, sizeof *e->cost_list);
    if (!e->cost_list)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for costs");
    if (read_numbers(e->costs, e->cost_list, count + 1) != count)
        return err_set(err, STATUS_INVALID,
                       "--costs: %d numbers are wanted, one for each column of --effects",
                       count);
    for (int i = 0; i < count; i++)
        if (!(e->cost_list[i] > 0))
            return err_set(err, STATUS_INVALID, "--costs: %g is not above 0",
                           e->cost_list[i]);
    return STATUS_OK;
}

/* As they are asked for. */
static enum status read_spends(struct evaluation *e, struct err *err)
{
    if (!e->spends)
        return STATUS_OK;
    e->point_count = read_numbers(e->spends, e->spend_list, POINT_COUNT_MAX);
    if (e->point_count < 0)
        return err_set(err, STATUS_INVALID, "--spend: numbers are wanted, at most %d",
                       POINT_COUNT_MAX);
    for (int i = 0; i < e->point_count; i++)
        if (!(e->spend_list[i] >= 0))
            return err_set(err, STATUS_INVALID, "--spend: %g is below 0",
                           e->spend_list[i]);
    return STATUS_OK;
}

/* Effects may be the scores: those of a truth choose the best there is. */
static enum status check_roles(const struct evaluation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--scores", AS_OUTCOME, NULL, &e->score_list},
        {"--cluster", AS_ABOUT, e->cluster, NULL},
    };

    return roles_check(uses, sizeof uses / sizeof *uses, err);
}

static enum status read_lists(struct evaluation *e, struct err *err)
{
    enum status rc = name_list_read("--effects", e->effects, &e->effect_list, err);

    if (!rc)
        rc = name_list_read("--scores", e->scores, &e->score_list, err);
    if (!rc && e->effect_list.count > ARM_COUNT_MAX)
        rc =
            err_set(err, STATUS_TOO_LARGE, "--effects: more than %d arms", ARM_COUNT_MAX);
    if (!rc && e->effect_list.count != e->score_list.count)
        rc = err_set(err, STATUS_INVALID,
                     "--effects has %d columns and --scores %d: one each per arm",
                     e->effect_list.count, e->score_list.count);
    if (!rc)
        rc = name_list_read("--baseline", e->baseline, &e->baseline_list, err);
    if (!rc && e->baseline && e->baseline_list.count != e->effect_list.count)
        rc = err_set(err, STATUS_INVALID,
                     "--effects has %d columns and --baseline %d: one each per arm",
                     e->effect_list.count, e->baseline_list.count);
    if (!rc)
        rc = read_costs(e, err);
    if (!rc)
        rc = read_spends(e, err);
    return rc ? rc : check_roles(e, err);
}

static bool is_score(const struct evaluation *e, int item, int score)
{
    const struct table_column *items = e->columns->items;

    return strcmp(items[item].name, items[score].name) == 0 ||
           roles_is_copy(e->columns, item, score);
}

/* Effects that are scores, also under another name, are right in every row: of the
 * columns from the first on. */
static void doubt_effects(struct evaluation *e, const char *name, const char *option,
                          int first)
{
    const struct table_column *items = e->columns->items;
    int arms = e->effect_list.count;

    for (int item = first; item < first + arms; item++)
        for (int score = arms; score < 2 * arms; score++)
            if (is_score(e, item, score)) {
                warnings_add(
                    &e->warnings, name,
                    "%s '%.80s' is --scores '%.80s' in every row: this is what those "
                    "who know the scores could gain, not what a prediction gains",
                    option, items[item].name, items[score].name);
                return;
            }
}

static enum status read_rows(struct evaluation *e, struct err *err)
{
    const struct name_list *lists[] = {&e->effect_list, &e->score_list,
                                       &e->baseline_list};
    struct column_wish wishes[3 * ARM_COUNT_MAX + 1];
    int count = 0;
    size_t row_bytes;
    enum status rc;

    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        for (int i = 0; i < lists[k]->count; i++)
            wishes[count++] =
                (struct column_wish){lists[k]->names[i], COLUMN_IS_NUMBER, false};
    wishes[count] = (struct column_wish){e->cluster, COLUMN_IS_NAME, false};
    rc =
        analysis_columns(e->data, wishes, count + (e->cluster != NULL), &e->columns, err);
    if (!rc)
        doubt_effects(e, "effects_are_scores", "--effects", 0);
    if (!rc && e->baseline)
        doubt_effects(e, "baseline_is_scores", "--baseline", 2 * e->effect_list.count);
    if (!rc && e->cluster)
        rc = clusters_of_column(e->columns, count, &e->clusters, &e->cluster_count, err);
    if (rc)
        return rc;
    row_bytes = (size_t)e->columns->row_count * sizeof *e->matrix;
    e->matrix = malloc((size_t)count * row_bytes);
    if (!e->matrix)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)e->columns->row_count);
    for (int i = 0; i < count; i++) {
        memcpy(e->matrix + (int64_t)i * e->columns->row_count,
               e->columns->items[i].numbers, row_bytes);
        columns_drop(e->columns, i);
    }
    return STATUS_OK;
}

static enum status open_frontiers(struct evaluation *e, struct err *err)
{
    int64_t arms = (int64_t)e->effect_list.count * e->columns->row_count;
    struct frontier_data data = {
        .row_count = e->columns->row_count,
        .arm_count = e->effect_list.count,
        .effects = e->matrix,
        .scores = e->matrix + arms,
        .costs = e->cost_list,
        .clusters = e->clusters,
        .cluster_count = e->cluster_count,
    };
    enum status rc = frontier_open(&data, &e->frontier, err);

    data.effects = e->matrix + 2 * arms;
    if (rc || !e->baseline)
        return rc;
    rc = frontier_open(&data, &e->other, err);
    return rc ? err_wrap(err, "--baseline") : STATUS_OK;
}

/* Evenly up to all that is worth it. */
static void spread_spends(struct evaluation *e)
{
    double most = frontier_spend_max(e->frontier);

    e->point_count = POINT_COUNT_DEFAULT;
    for (int i = 0; i < e->point_count; i++)
        e->spend_list[i] = most * (i + 1) / e->point_count;
}

static enum status resample(struct evaluation *e, struct err *err)
{
    struct analysis_progress progress = {.what = "resampling"};
    const struct frontier_progress teller = {analysis_tell, &progress};
    enum status rc;

    progress_start(&progress.progress);
    rc = frontier_bootstrap(e->frontier, NULL, e->spend_list, e->point_count,
                            (int)e->resample_count, (uint64_t)e->seed, teller,
                            e->intervals, err);
    if (!rc && e->other)
        rc = frontier_bootstrap(e->frontier, e->other, e->spend_list, e->point_count,
                                (int)e->resample_count, (uint64_t)e->seed, teller,
                                e->difference_intervals, err);
    progress_end(&progress.progress);
    return rc;
}

static enum status measure(struct evaluation *e, struct err *err)
{
    enum status rc = open_frontiers(e, err);

    if (rc)
        return rc;
    if (!e->spends)
        spread_spends(e);
    for (int i = 0; i < e->point_count; i++) {
        e->points[i] = frontier_at(e->frontier, e->spend_list[i]);
        if (e->other)
            e->differences[i] = frontier_compare(e->frontier, e->other, e->spend_list[i]);
    }
    e->last = frontier_at(e->frontier, frontier_spend_max(e->frontier));
    return e->resample_count ? resample(e, err) : STATUS_OK;
}

/* What the point gains more than the baseline. */
static void put_difference(const struct evaluation *e, struct report *report, int i)
{
    report_object(report, "difference");
    report_number(report, "value", e->differences[i].value);
    report_number(report, "se", e->differences[i].se);
    if (e->resample_count)
        report_pair(report, "ci", e->difference_intervals[i].low,
                    e->difference_intervals[i].high);
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
    if (e->cluster)
        report_count(report, "clusters", e->cluster_count);
    report_array(report, "points");
    for (int i = 0; i < e->point_count; i++) {
        report_object(report, NULL);
        report_number(report, "spend", e->points[i].spend);
        report_number(report, "predicted_gain", e->points[i].predicted_gain);
        report_number(report, "gain", e->points[i].gain);
        report_number(report, "se", e->points[i].se);
        if (e->resample_count)
            report_pair(report, "ci", e->intervals[i].low, e->intervals[i].high);
        if (e->other)
            put_difference(e, report, i);
        report_object_end(report);
    }
    report_array_end(report);
    report_number(report, "max_spend", frontier_spend_max(e->frontier));
    report_number(report, "gain_at_max_spend", e->last.gain);
    report_number(report, "se_at_max_spend", e->last.se);
    warnings_put(&e->warnings, report);
    report_object_end(report);
    return report_finish(report, err);
}

static void print_point(const struct evaluation *e, int i)
{
    const struct frontier_point *point = &e->points[i];

    printf("%14.6g %14.6g %14.6g %10s", point->spend, point->predicted_gain, point->gain,
           figure(point->se, 3).text);
    if (e->resample_count)
        printf("%s",
               figure_interval(point->se, e->intervals[i].low, e->intervals[i].high, 5, 2)
                   .text);
    if (e->other)
        printf(" %14.6g %10s", e->differences[i].value,
               figure(e->differences[i].se, 3).text);
    if (e->other && e->resample_count)
        printf("%s", figure_interval(e->differences[i].se, e->difference_intervals[i].low,
                                     e->difference_intervals[i].high, 5, 2)
                         .text);
    putchar('\n');
}

static void print_text(const struct evaluation *e)
{
    printf("%lld rows", (long long)e->columns->row_count);
    if (e->cluster)
        printf(" in %d clusters", e->cluster_count);
    printf("; spend and gain per row%s\n\n%14s %14s %14s %10s%s\n",
           e->other ? ", and what it is more than the baseline's" : "", "spend",
           "predicted", "gain", "se", e->resample_count ? "  95 % of resamples" : "");
    for (int i = 0; i < e->point_count; i++)
        print_point(e, i);
    printf("\nall that is worth it costs %.6g, and gains %.6g (se %s)\n",
           frontier_spend_max(e->frontier), e->last.gain, figure(e->last.se, 3).text);
}

static enum status draw(const struct evaluation *e, struct err *err)
{
    enum { DRAWN = 100 };
    double most = frontier_spend_max(e->frontier);
    struct plot *plot;
    enum status rc = plot_open(e->plot, &plot, err);

    if (rc)
        return rc;
    plot_begin(plot, "curve", "Gain for every spend", "spend per row", "gain per row");
    fputs(
        "set key top left\nplot '-' with filledcurves fs transparent solid 0.2 noborder "
        "lc rgb '#1f5fa8' title '95 %', '-' with lines lw 2 lc rgb '#1f5fa8' title "
        "'gain', "
        "'-' with lines dashtype 2 lc rgb '#888888' title 'predicted'\n",
        plot_script(plot));
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i <= DRAWN; i++) {
            struct frontier_point p = frontier_at(e->frontier, most * i / DRAWN);

            if (pass == 0)
                fprintf(plot_script(plot), "%g %g %g\n", p.spend,
                        p.gain - NORMAL_95 * p.se, p.gain + NORMAL_95 * p.se);
            else
                fprintf(plot_script(plot), "%g %g\n", p.spend,
                        pass == 1 ? p.gain : p.predicted_gain);
        }
        fputs("e\n", plot_script(plot));
    }
    return plot_finish(plot, err);
}

static enum status run(struct evaluation *e, struct err *err)
{
    enum status rc = option_checked(read_lists(e, err), err);

    if (!rc)
        rc = read_rows(e, err);
    if (!rc)
        rc = measure(e, err);
    if (!rc && e->plot)
        rc = draw(e, err);
    if (!rc && e->is_json)
        rc = print_json(e, err);
    else if (!rc)
        print_text(e);
    return rc;
}

int command_evaluate_curve(int argc, char **argv)
{
    static struct evaluation e = {.seed = 1};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "The rows; - is standard input.", 0, 0},
        {"effects", OPTION_TEXT | OPTION_NEEDED, &e.effects, "A,B,..",
         "Predicted effects, a column per arm: they rank.", 0, 0},
        {"scores", OPTION_TEXT | OPTION_NEEDED, &e.scores, "A,B,..",
         "Scores that judge, a column per arm: ipw or aipw.", 0, 0},
        {"costs", OPTION_TEXT | OPTION_NEEDED, &e.costs, "X,Y,..", "What each arm costs.",
         0, 0},
        {"spend", OPTION_TEXT, &e.spends, "S,T,..",
         "Spends per row to look at (default: 20 up to all that is worth it).", 0, 0},
        {"baseline", OPTION_TEXT, &e.baseline, "A,B,..",
         "Other predicted effects of the same arms: what the first gain more.", 0, 0},
        {"cluster", OPTION_TEXT, &e.cluster, "COL",
         "Rows with the same value are not independent.", 0, 0},
        {"bootstrap", OPTION_INT, &e.resample_count, "N",
         "Intervals of 95 % from so many resamples of the rows, the same for both.", 0,
         RESAMPLE_COUNT_MAX},
        {"seed", OPTION_INT, &e.seed, "N", "Of the resamples (default 1).", 0, INT32_MAX},
        {"plot", OPTION_TEXT, &e.plot, "DIR",
         "Draw curve.png into this folder (needs gnuplot).", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "evaluate curve --data F.csv --effects A,B,.. --scores A,B,.. --costs X,Y,.. "
            "[OPTIONS]",
        .summary =
            "What several arms with costs would gain for every spend, chosen by their "
            "predicted effects: the multi-armed Qini curve.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    rc = run(&e, &err);
    frontier_close(e.frontier);
    frontier_close(e.other);
    free(e.matrix);
    free(e.clusters);
    free(e.cost_list);
    columns_close(e.columns);
    name_list_free(&e.effect_list);
    name_list_free(&e.score_list);
    name_list_free(&e.baseline_list);
    return command_end(&usage, rc, &err);
}
