/* estimate_panel.c - redress estimate panel. */
#include "app/estimate.h"

#include "app/analysis.h"
#include "app/design.h"
#include "app/labels.h"
#include "app/plot.h"
#include "app/report.h"
#include "app/roles.h"
#include "app/warnings.h"
#include "base/order.h"
#include "learn/distribution.h"
#include "learn/panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the weights' least squares. */
static const double gap_max = 1e-6;

/* Fewer other units are few: with 19 the least p of a placebo is 0.05. */
enum { FEW_OTHERS = 19 };

/* Of panel_fit: where the others do not stand for the treated unit. */
static const double misfit_noises_max = 3, outside_share_max = 0.5, slope_p_min = 0.01;

struct estimation {
    const char *data, *unit, *time, *outcome, *treated_name, *from, *method_name, *plot;
    bool is_json, wants_placebo;

    enum panel_method method;
    struct columns *columns;
    struct labels units, times;
    bool is_between; /* --from is no period: the next one is taken */
    struct panel panel;
    double *outcomes; /* (unit, period) */
    int treated;
    struct panel_effect effect;
    double *unit_weights, *time_weights;
    struct panel_fit fit;
    struct panel_placebo placebo;
    struct warnings warnings;
};

/* ---- reading ---- */

static enum status read_options(struct estimation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--unit", AS_TREATMENT, e->unit, NULL},
        {"--time", AS_TREATMENT, e->time, NULL},
        {"--outcome", AS_OUTCOME, e->outcome, NULL},
    };
    enum status rc = panel_method_read(e->method_name, &e->method, err);

    return rc ? rc : roles_check(uses, sizeof uses / sizeof *uses, err);
}

/* The first period that is not before `from`. */
static enum status find_start(struct estimation *e, struct err *err)
{
    enum status rc = labels_find_period(&e->times, "--from", e->from, &e->panel.pre_count,
                                        &e->is_between, err);

    if (rc || (e->panel.pre_count > 0 && e->panel.pre_count < e->times.count))
        return rc;
    return err_set(err, STATUS_INVALID,
                   "--from: %.40s is not between the first period, %s, and the last, %s",
                   e->from, e->times.names[0], e->times.names[e->times.count - 1]);
}

/* One outcome for each unit in each period. */
static enum status fill(struct estimation *e, struct err *err)
{
    size_t cells = (size_t)e->units.count * (size_t)e->times.count;
    char place[COLUMNS_PLACE_BYTES];

    e->outcomes = malloc(cells * sizeof *e->outcomes);
    if (!e->outcomes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %zu cells", cells);
    for (size_t i = 0; i < cells; i++)
        e->outcomes[i] = NAN;
    for (int64_t row = 0; row < e->columns->row_count; row++) {
        double *cell = &e->outcomes[(size_t)e->units.codes[row] * (size_t)e->times.count +
                                    (size_t)e->times.codes[row]];

        if (!isnan(*cell))
            return err_set(err, STATUS_INVALID, "%s: '%s' has a second row for %s",
                           columns_place(e->columns, row, place),
                           e->units.names[e->units.codes[row]],
                           e->times.names[e->times.codes[row]]);
        *cell = e->columns->items[2].numbers[row];
    }
    for (size_t i = 0; i < cells; i++)
        if (isnan(e->outcomes[i]))
            return err_set(err, STATUS_INVALID, "%s: '%s' has no row for %s",
                           e->columns->file, e->units.names[i / (size_t)e->times.count],
                           e->times.names[i % (size_t)e->times.count]);
    return STATUS_OK;
}

static enum status find_treated(struct estimation *e, struct err *err)
{
    int nearest;

    e->treated = labels_find(&e->units, e->treated_name);
    if (e->treated >= 0)
        return STATUS_OK;
    nearest = labels_nearest(&e->units, e->treated_name);
    if (nearest >= 0)
        return err_set(err, STATUS_INVALID,
                       "--treated: no row has '%.40s' in the column '%s'; the nearest is "
                       "'%s'",
                       e->treated_name, e->unit, e->units.names[nearest]);
    return err_set(
        err, STATUS_INVALID,
        "--treated: no row has '%.40s' in the column '%s'; there are '%s', '%s' "
        "and others",
        e->treated_name, e->unit, e->units.names[0], e->units.names[e->units.count - 1]);
}

static enum status read_panel(struct estimation *e, struct err *err)
{
    const struct column_wish wishes[] = {
        {e->unit, COLUMN_IS_NAME, false},
        {e->time, COLUMN_IS_EITHER, false},
        {e->outcome, COLUMN_IS_NUMBER, false},
    };
    enum status rc = analysis_columns(e->data, wishes, 3, &e->columns, err);

    if (!rc)
        rc = column_must_vary(e->columns, &e->columns->items[2], err);
    if (!rc)
        rc = labels_make(e->columns, &e->columns->items[0], PANEL_UNIT_COUNT_MAX,
                         &e->units, err);
    if (!rc)
        rc = labels_make(e->columns, &e->columns->items[1], PANEL_PERIOD_COUNT_MAX,
                         &e->times, err);
    if (!rc)
        rc = labels_order_periods(e->columns, &e->columns->items[1], &e->times, err);
    if (!rc)
        rc = find_treated(e, err);
    if (!rc)
        rc = find_start(e, err);
    if (!rc)
        rc = fill(e, err);
    e->panel.unit_count = e->units.count;
    e->panel.period_count = e->times.count;
    e->panel.outcomes = e->outcomes;
    return rc;
}

static enum status estimate(struct estimation *e, struct err *err)
{
    const char *column;
    enum status rc;

    e->unit_weights = malloc((size_t)e->units.count * sizeof *e->unit_weights);
    e->time_weights = malloc((size_t)e->times.count * sizeof *e->time_weights);
    if (!e->unit_weights || !e->time_weights)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for weights");
    rc = panel_estimate(&e->panel, e->method, e->treated, -1, &e->effect, e->unit_weights,
                        e->time_weights, err);
    column = e->units.count > 1 ? e->time : e->unit; /* too few of these are refused */
    rc = analysis_wrap(e->columns, &column, 1, rc, err);
    if (!rc && e->wants_placebo && e->units.count < 3)
        rc = err_set(err, STATUS_INVALID, "--placebo needs two other units at least");
    if (!rc && e->wants_placebo)
        rc = panel_placebo(&e->panel, e->method, e->treated, &e->placebo, err);
    if (!rc)
        rc = panel_fit(&e->panel, e->method, e->treated, e->unit_weights, e->time_weights,
                       &e->fit, err);
    return rc;
}

static bool has_error(const struct estimation *e)
{
    return e->wants_placebo && !isnan(e->placebo.se);
}

/* Half of the interval: the error is that of so many others as there are, less their
 * mean. */
static double reach_of(const struct estimation *e)
{
    return student_95(e->placebo.count - 1) * e->placebo.se;
}

/* ---- doubts ---- */

static void doubt_weights(struct estimation *e)
{
    if (e->effect.is_perfect)
        warnings_add(&e->warnings, "perfect_fit",
                     "the others match the treated unit in every period before: other "
                     "weights may do so, too, and give another effect");
    if (e->effect.is_loose)
        warnings_add(&e->warnings, "loose_periods",
                     "more periods than the %d others can tell apart: their weights are "
                     "barely determined, and others may give another effect",
                     e->units.count - 1);
    if (e->effect.gap > gap_max && !e->effect.is_perfect && !e->effect.is_loose)
        warnings_add(&e->warnings, "not_the_best_weights",
                     "the weights are not the best there are (gap %.2g)", e->effect.gap);
}

static void doubt_fit(struct estimation *e)
{
    const struct panel_fit *fit = &e->fit;
    bool is_sc = e->method == PANEL_SC;

    if (!e->effect.is_exact && (fit->misfit > misfit_noises_max * fit->noise ||
                                (is_sc && fit->misfit > fit->spread)))
        warnings_add(&e->warnings, "poor_fit",
                     "before the treatment the others miss the unit by %.3g (root mean "
                     "square), beside a noise of %.3g and a spread of %.3g among "
                     "themselves: the effect has that in it",
                     fit->misfit, fit->noise, fit->spread);
    if (is_sc && fit->outside_share > outside_share_max)
        warnings_add(&e->warnings, "outside_of_others",
                     "'%s' lies beyond all others in %.0f %% of the periods before: no "
                     "weights of theirs make it",
                     e->treated_name, 100 * fit->outside_share);
    if (fit->slope_p < slope_p_min)
        warnings_add(&e->warnings, "trend_before",
                     "'%s' and the others drew apart before the treatment, by %.3g a "
                     "period (p %.2g): that alone would make an effect of %.3g",
                     e->treated_name, fit->slope, fit->slope_p, fit->drift);
}

static void doubt_placebo(struct estimation *e)
{
    int count = e->placebo.count;

    if (!e->wants_placebo)
        return;
    if (e->placebo.is_by_effect)
        warnings_add(&e->warnings, "rank_by_effect",
                     "a fit before the treatment is exact, so that a ratio to it says "
                     "nothing: units are ranked by the size of their effects");
    if (!has_error(e))
        warnings_add(&e->warnings, "no_error",
                     count < 3 ? "%d other units have no error: the effect of the one is "
                                 "that of the other with its sign changed"
                               : "the effects of the %d other units do not differ, so "
                                 "that there is no error",
                     count);
    if (count < FEW_OTHERS)
        warnings_add(&e->warnings, "few_units",
                     "%d other units: p is 1/%d at the least, and the error is that of "
                     "so many",
                     count, count + 1);
}

/* ---- printing ---- */

static void put_weights(struct report *report, const char *key,
                        const struct labels *labels, const double *weights, int count)
{
    report_object(report, key);
    for (int i = 0; i < count; i++)
        if (weights[i] != 0) {
            report_key(report, text_of(labels->names[i]));
            report_number(report, NULL, weights[i]);
        }
    report_object_end(report);
}

static const char *rank_name(const struct estimation *e)
{
    return e->placebo.is_by_effect ? "effect" : "ratio";
}

static void put_fit(const struct panel_fit *fit, struct report *report)
{
    report_object(report, "fit_before");
    report_number(report, "rmspe", fit->misfit);
    report_number(report, "noise_of_others", fit->noise);
    report_number(report, "spread_of_others", fit->spread);
    report_number(report, "outside_share", fit->outside_share);
    report_number(report, "slope", fit->slope);
    report_number(report, "slope_p", fit->slope_p);
    report_number(report, "drift", fit->drift);
    report_object_end(report);
}

static enum status print_json(const struct estimation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_number(report, "estimate", e->effect.value);
    if (has_error(e)) {
        report_number(report, "se", e->placebo.se);
        report_pair(report, "ci", e->effect.value - reach_of(e),
                    e->effect.value + reach_of(e));
    } else {
        report_null(report, "se");
        report_null(report, "ci");
    }
    report_count(report, "n", e->columns->row_count);
    report_string(report, "method", panel_method_name(e->method));
    report_count(report, "units", e->units.count);
    report_count(report, "periods", e->times.count);
    report_count(report, "pre_periods", e->panel.pre_count);
    report_number(report, "pre_rmspe", e->effect.pre_rmspe);
    report_number(report, "post_rmspe", e->effect.post_rmspe);
    report_number(report, "optimality_gap", e->effect.gap);
    report_bool(report, "perfect_fit", e->effect.is_perfect);
    report_object(report, "weights");
    put_weights(report, "unit", &e->units, e->unit_weights, e->units.count);
    put_weights(report, "time", &e->times, e->time_weights, e->panel.pre_count);
    report_object_end(report);
    if (e->wants_placebo) {
        report_count(report, "placebo_rank", e->placebo.rank);
        report_count(report, "placebo_count", e->placebo.count);
        report_number(report, "placebo_p", e->placebo.p);
        report_string(report, "placebo_by", rank_name(e));
    }
    put_fit(&e->fit, report);
    warnings_put(&e->warnings, report);
    report_object_end(report);
    return report_finish(report, err);
}

/* The heaviest first, as many as matter. */
static void print_weights(const char *label, const struct labels *labels,
                          const double *weights, int count)
{
    uint32_t *order = malloc((size_t)count * sizeof *order);
    struct err err;

    if (order && order_falling(weights, count, order, &err) == STATUS_OK) {
        printf("%-12s", label);
        for (int i = 0; i < count && i < 8 && weights[order[i]] > 0.0005; i++)
            print_line(stdout, "%*s%s %.3f", i ? 12 : 0, "", labels->names[order[i]],
                       weights[order[i]]);
    }
    free(order);
}

static void print_text(const struct estimation *e)
{
    print_line(stdout, "'%s' from %s on, %d periods before, %d others, by %s",
               e->treated_name, e->times.names[e->panel.pre_count], e->panel.pre_count,
               e->units.count - 1, panel_method_name(e->method));
    printf("%-12s %.6g", "effect", e->effect.value);
    if (has_error(e))
        printf("   se %.4g   [%.6g, %.6g]", e->placebo.se, e->effect.value - reach_of(e),
               e->effect.value + reach_of(e));
    putchar('\n');
    if (e->wants_placebo)
        printf("%-12s rank %d of %d by the %s, p %.3g\n", "placebo", e->placebo.rank,
               e->placebo.count + 1, rank_name(e), e->placebo.p);
    printf("%-12s %.4g before, %.4g after", "RMSPE", e->effect.pre_rmspe,
           e->effect.post_rmspe);
    if (!isnan(e->fit.noise))
        printf("; noise of the others %.4g", e->fit.noise);
    putchar('\n');
    if (e->method != PANEL_DID)
        print_weights("units", &e->units, e->unit_weights, e->units.count);
    if (e->method == PANEL_SDID)
        print_weights("periods", &e->times, e->time_weights, e->panel.pre_count);
    if (!e->wants_placebo)
        puts("Without --placebo there is no error: one unit was treated.");
}

/* Periods by their names, as many as can be read. */
static void put_ticks(const struct estimation *e, struct plot *plot)
{
    enum { TICK_COUNT_MAX = 12 };
    int step = (e->times.count + TICK_COUNT_MAX - 1) / TICK_COUNT_MAX;
    FILE *script = plot_script(plot);

    fputs("set xtics (", script);
    for (int t = 0; t < e->times.count; t += step) {
        fputs(t ? ", " : "", script);
        plot_put_quoted(plot, text_of(e->times.names[t]));
        fprintf(script, " %d", t);
    }
    fprintf(script, ")\nset xrange [0:%d]\n", e->times.count - 1);
}

static enum status draw(const struct estimation *e, struct err *err)
{
    struct plot *plot;
    FILE *script;
    enum status rc = plot_open(e->plot, &plot, err);

    if (rc)
        return rc;
    script = plot_script(plot);
    plot_begin(plot, "panel", "The treated unit and the weighted others", "period",
               "outcome");
    put_ticks(e, plot);
    fprintf(
        script,
        "set key below\nset arrow from %g, graph 0 to %g, graph 1 nohead dashtype 2\n"
        "plot '-' with lines lw 2 title 'treated', '-' with lines lw 2 title 'others'\n",
        e->panel.pre_count - 0.5, e->panel.pre_count - 0.5);
    for (int t = 0; t < e->times.count; t++)
        fprintf(script, "%d %g\n", t,
                e->outcomes[(size_t)e->treated * (size_t)e->times.count + (size_t)t]);
    fputs("e\n", script);
    for (int t = 0; t < e->times.count; t++) {
        double sum = 0;

        for (int unit = 0; unit < e->units.count; unit++)
            sum += e->unit_weights[unit] *
                   e->outcomes[(size_t)unit * (size_t)e->times.count + (size_t)t];
        fprintf(script, "%d %g\n", t, sum);
    }
    fputs("e\n", script);
    return plot_finish(plot, err);
}

static enum status run(struct estimation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    if (!rc)
        rc = read_panel(e, err);
    if (!rc)
        rc = estimate(e, err);
    if (!rc && e->is_between)
        print_line(stderr,
                   "redress: --from: there is no period %s, the first after it is %s",
                   e->from, e->times.names[e->panel.pre_count]);
    if (!rc) {
        doubt_weights(e);
        doubt_fit(e);
        doubt_placebo(e);
    }
    if (!rc && e->plot)
        rc = draw(e, err);
    if (!rc && e->is_json)
        rc = print_json(e, err);
    else if (!rc)
        print_text(e);
    return rc;
}

int command_estimate_panel(int argc, char **argv)
{
    struct estimation e = {0};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "A row per unit and period; - is standard input.", 0, 0},
        {"unit", OPTION_TEXT | OPTION_NEEDED, &e.unit, "COL", "The unit of a row.", 0, 0},
        {"time", OPTION_TEXT | OPTION_NEEDED, &e.time, "COL",
         "Its period: a number, or a text with the year first and months as numbers, as "
         "2026-11.",
         0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &e.outcome, "COL",
         "What may have changed.", 0, 0},
        {"treated", OPTION_TEXT | OPTION_NEEDED, &e.treated_name, "UNIT",
         "The unit that was treated; no other may be that was, too.", 0, 0},
        {"from", OPTION_TEXT | OPTION_NEEDED, &e.from, "T",
         "The first period with treatment.", 0, 0},
        {"method", OPTION_TEXT | OPTION_NEEDED, &e.method_name, "M", "did, sc or sdid.",
         0, 0},
        {"placebo", OPTION_FLAG, &e.wants_placebo, NULL,
         "Each other unit as if it had been treated: rank and error.", 0, 0},
        {"plot", OPTION_TEXT, &e.plot, "DIR",
         "Draw panel.png into this folder (needs gnuplot).", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "estimate panel --data F.csv --unit COL --time COL --outcome COL --treated "
            "UNIT --from T --method M [OPTIONS]",
        .summary =
            "What happened to one unit when it was treated, beside others that were "
            "not: difference in differences, synthetic control, or both.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    rc = run(&e, &err);
    free(e.unit_weights);
    free(e.time_weights);
    free(e.outcomes);
    labels_free(&e.units);
    labels_free(&e.times);
    columns_close(e.columns);
    return command_end(&usage, rc, &err);
}
