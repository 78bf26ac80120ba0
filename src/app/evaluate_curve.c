/* evaluate_curve.c - redress evaluate curve. */
#include "app/evaluate.h"

#include "app/analysis.h"
#include "app/plot.h"
#include "app/report.h"
#include "learn/distribution.h"
#include "learn/frontier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINT_COUNT_MAX = 10000, POINT_COUNT_DEFAULT = 20 };

struct evaluation {
    const char *data, *effects, *scores, *costs, *spends, *plot;
    bool is_json;

    struct name_list effect_list, score_list;
    struct columns *columns; /* effects, then scores */
    double *cost_list;       /* (arm) */
    double *matrix;          /* (effect or score, row) */
    struct frontier *frontier;
    struct frontier_point points[POINT_COUNT_MAX], last;
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
    for (int i = 0; i < count; i++) {
        if (!(e->cost_list[i] > 0))
            return err_set(err, STATUS_INVALID, "--costs: %g is not above 0",
                           e->cost_list[i]);
        for (int j = 0; j < i; j++)
            if (e->cost_list[i] == e->cost_list[j])
                return err_set(err, STATUS_INVALID, "--costs: %g is there twice",
                               e->cost_list[i]);
    }
    return STATUS_OK;
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
    return rc ? rc : read_costs(e, err);
}

static enum status read_rows(struct evaluation *e, struct err *err)
{
    struct column_wish wishes[2 * ARM_COUNT_MAX];
    int arms = e->effect_list.count;
    size_t row_bytes;
    enum status rc;

    for (int i = 0; i < arms; i++) {
        wishes[i] =
            (struct column_wish){e->effect_list.names[i], COLUMN_IS_NUMBER, false};
        wishes[arms + i] =
            (struct column_wish){e->score_list.names[i], COLUMN_IS_NUMBER, false};
    }
    rc = analysis_columns(e->data, wishes, 2 * arms, &e->columns, err);
    if (rc)
        return rc;
    row_bytes = (size_t)e->columns->row_count * sizeof *e->matrix;
    e->matrix = malloc(2 * (size_t)arms * row_bytes);
    if (!e->matrix)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)e->columns->row_count);
    for (int i = 0; i < 2 * arms; i++)
        memcpy(e->matrix + (int64_t)i * e->columns->row_count,
               e->columns->items[i].numbers, row_bytes);
    return STATUS_OK;
}

static enum status measure(struct evaluation *e, struct err *err)
{
    const struct frontier_data data = {
        .row_count = e->columns->row_count,
        .arm_count = e->effect_list.count,
        .effects = e->matrix,
        .scores = e->matrix + (int64_t)e->effect_list.count * e->columns->row_count,
        .costs = e->cost_list,
    };
    static double spends[POINT_COUNT_MAX + 1];
    enum status rc = frontier_open(&data, &e->frontier, err);
    double most;

    if (rc)
        return rc;
    most = frontier_spend_max(e->frontier);
    e->point_count = POINT_COUNT_DEFAULT;
    for (int i = 0; i < e->point_count; i++)
        spends[i] = most * (i + 1) / e->point_count;
    if (e->spends)
        e->point_count = read_numbers(e->spends, spends, POINT_COUNT_MAX);
    for (int i = 0; i < e->point_count; i++) {
        if (!(spends[i] >= 0))
            return err_set(err, STATUS_INVALID, "--spend: %g is below 0", spends[i]);
        e->points[i] = frontier_at(e->frontier, spends[i]);
    }
    if (e->point_count < 0)
        return err_set(err, STATUS_INVALID, "--spend: numbers are wanted, at most %d",
                       POINT_COUNT_MAX);
    e->last = frontier_at(e->frontier, most);
    return STATUS_OK;
}

static enum status print_json(const struct evaluation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_count(report, "n", e->columns->row_count);
    report_array(report, "points");
    for (int i = 0; i < e->point_count; i++) {
        report_object(report, NULL);
        report_number(report, "spend", e->points[i].spend);
        report_number(report, "predicted_gain", e->points[i].predicted_gain);
        report_number(report, "gain", e->points[i].gain);
        report_number(report, "se", e->points[i].se);
        report_object_end(report);
    }
    report_array_end(report);
    report_number(report, "max_spend", frontier_spend_max(e->frontier));
    report_number(report, "gain_at_max_spend", e->last.gain);
    report_number(report, "se_at_max_spend", e->last.se);
    report_object_end(report);
    return report_finish(report, err);
}

static void print_text(const struct evaluation *e)
{
    printf("%lld rows; spend and gain per row\n\n%14s %14s %14s %10s\n",
           (long long)e->columns->row_count, "spend", "predicted", "gain", "se");
    for (int i = 0; i < e->point_count; i++)
        printf("%14.6g %14.6g %14.6g %10.3g\n", e->points[i].spend,
               e->points[i].predicted_gain, e->points[i].gain, e->points[i].se);
    printf("\nall that is worth it costs %.6g, and gains %.6g (se %.3g)\n",
           frontier_spend_max(e->frontier), e->last.gain, e->last.se);
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
    enum status rc = read_lists(e, err);

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
    static struct evaluation e;
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
    free(e.matrix);
    free(e.cost_list);
    columns_close(e.columns);
    name_list_free(&e.effect_list);
    name_list_free(&e.score_list);
    return rc ? command_failed(&err) : EXIT_DONE;
}
