/* train_draw.c - pictures of what was learned, from rows held out. */
#include "app/train.h"

#include "app/plot.h"
#include "learn/distribution.h"

enum { DRAWN_ARM_COUNT_MAX = 6, DRAWN_FEATURE_COUNT_MAX = 20 };

static const char *const colours[DRAWN_ARM_COUNT_MAX] = {"#1f5fa8", "#c8541f", "#3f8f3f",
                                                         "#8a4fa0", "#7a6a1f", "#555555"};

/* Names of others are shown as they are: an underscore is no index. */
static void begin(struct plot *plot, const char *name, const char *title,
                  const char *x_label, const char *y_label)
{
    plot_begin(plot, name, title, x_label, y_label);
    fputs("set termoption noenhanced\n", plot_script(plot));
}

/* The first arms, when there are too many to tell apart. */
static int drawn_count(const struct train_table *table)
{
    int count = table->arm_count - 1;

    return count < DRAWN_ARM_COUNT_MAX ? count : DRAWN_ARM_COUNT_MAX;
}

/* "plot" and for each arm a band and a line, whose data follow in this order. */
static void plot_bands(struct plot *plot, const struct train_table *table)
{
    FILE *script = plot_script(plot);

    fputs("set key top left\nplot ", script);
    for (int arm = 1; arm <= drawn_count(table); arm++) {
        fprintf(script,
                "'-' with filledcurves fs transparent solid 0.15 noborder lc rgb '%s' "
                "notitle, '-' with lines lw 2 lc rgb '%s' title ",
                colours[arm - 1], colours[arm - 1]);
        plot_put_quoted(plot, text_of(table->arm_names[arm]));
        fputs(", ", script);
    }
    fputs("0 lc rgb '#888888' dashtype 2 notitle\n", script);
}

static void draw_gains(struct plot *plot, const struct train_table *table,
                       const struct train_result *result)
{
    FILE *script = plot_script(plot);
    double scale = result->scale;

    begin(plot, "plot_gain", "Gain by share treated, rows held out",
          "share of rows, largest effects first", "gain per row of all");
    plot_bands(plot, table);
    for (int arm = 1; arm <= drawn_count(table); arm++) {
        const struct judge_curve *curve = &result->judgements[arm].curve;

        for (int i = 0; i < JUDGE_POINT_COUNT; i++)
            fprintf(script, "%g %g %g\n", i / (JUDGE_POINT_COUNT - 1.0),
                    scale * (curve->gains[i] - NORMAL_95 * curve->errors[i]),
                    scale * (curve->gains[i] + NORMAL_95 * curve->errors[i]));
        fputs("e\n", script);
        for (int i = 0; i < JUDGE_POINT_COUNT; i++)
            fprintf(script, "%g %g\n", i / (JUDGE_POINT_COUNT - 1.0),
                    scale * curve->gains[i]);
        fputs("e\n", script);
    }
}

static bool have_qini(const struct train_table *table, const struct train_result *result)
{
    for (int arm = 1; arm <= drawn_count(table); arm++)
        if (!result->judgements[arm].has_qini)
            return false;
    return true;
}

static void draw_qini(struct plot *plot, const struct train_table *table,
                      const struct train_result *result)
{
    FILE *script = plot_script(plot);

    begin(plot, "plot_qini", "Qini curves, rows held out",
          "rows of arm and control, largest effects first", "additional outcomes");
    plot_bands(plot, table);
    for (int arm = 1; arm <= drawn_count(table); arm++) {
        const struct train_judgement *judgement = &result->judgements[arm];
        double step =
            (double)judgement->qini_rows / (double)(UPLIFT_BAND_POINT_COUNT - 1);

        for (int i = 0; i < UPLIFT_BAND_POINT_COUNT; i++)
            fprintf(script, "%g %g %g\n", i * step, judgement->intervals.qini_low[i],
                    judgement->intervals.qini_high[i]);
        fputs("e\n", script);
        for (int i = 0; i < UPLIFT_BAND_POINT_COUNT; i++)
            fprintf(script, "%g %g\n", i * step, judgement->qini[i]);
        fputs("e\n", script);
    }
}

static void draw_calibration(struct plot *plot, const struct train_table *table,
                             const struct train_result *result)
{
    FILE *script = plot_script(plot);

    begin(plot, "plot_calibration", "Calibration by tenth, rows held out",
          "predicted effect", "effect found, 95 %");
    fputs("set key top left\nplot ", script);
    for (int arm = 1; arm <= drawn_count(table); arm++) {
        fprintf(script, "'-' with yerrorbars pt 7 lc rgb '%s' title ", colours[arm - 1]);
        plot_put_quoted(plot, text_of(table->arm_names[arm]));
        fputs(", ", script);
    }
    fputs("x lc rgb '#888888' dashtype 2 title 'as predicted'\n", script);
    for (int arm = 1; arm <= drawn_count(table); arm++) {
        for (int i = 0; i < JUDGE_BIN_COUNT; i++) {
            const struct judge_bin *bin = &result->judgements[arm].bins[i];

            if (bin->row_count == 0)
                continue;
            fprintf(script, "%g %g %g\n", result->scale * bin->predicted,
                    result->scale * bin->found, result->scale * NORMAL_95 * bin->se);
        }
        fputs("e\n", script);
    }
}

static void draw_doses(struct plot *plot, const struct train_table *table,
                       const struct train_result *result)
{
    FILE *script = plot_script(plot);
    double scale = result->scale;

    begin(plot, "plot_dose", "Effect against dose", "dose",
          "effect: mean with 95 %, 10th to 90th hundredth of rows");
    double dose_max = 0;

    for (int arm = 1; arm < table->arm_count; arm++)
        dose_max = fmax(dose_max, table->doses[arm]);
    fprintf(script, "set xrange [0:%g]\n", 1.05 * dose_max);
    fputs("set key top left\n"
          "plot '-' with yerrorbars lw 6 pt 0 lc rgb '#b8cbe0' title 'rows', "
          "'-' with yerrorbars pt 7 lw 2 lc rgb '#1f5fa8' title 'average', "
          "0 lc rgb '#888888' dashtype 2 notitle\n",
          script);
    for (int arm = 1; arm < table->arm_count; arm++)
        fprintf(script, "%g %g %g %g\n", table->doses[arm],
                scale * result->averages[arm].value,
                scale * result->judgements[arm].spread[0],
                scale * result->judgements[arm].spread[1]);
    fputs("e\n", script);
    for (int arm = 1; arm < table->arm_count; arm++)
        fprintf(script, "%g %g %g\n", table->doses[arm],
                scale * result->averages[arm].value,
                scale * NORMAL_95 * result->averages[arm].se);
    fputs("e\n", script);
}

/* The most important feature of those below a share; -1 when there is none. */
static int next_feature(const struct train_table *table,
                        const struct train_result *result, double share, int after)
{
    int found = -1;

    for (int f = 0; f < table->feature_count; f++) {
        double own = result->importance[f];

        if (own > share || (own == share && f <= after))
            continue;
        if (found < 0 || own > result->importance[found])
            found = f;
    }
    return found;
}

static void draw_importance(struct plot *plot, const struct train_table *table,
                            const struct train_result *result)
{
    FILE *script = plot_script(plot);
    int feature = -1, place = 0;
    double share = 2;

    begin(plot, "plot_importance", "Importance of features", "share of the gain", "");
    fputs("set yrange [*:*] reverse\nset key off\nset lmargin 24\nset ytics (", script);
    while (place < DRAWN_FEATURE_COUNT_MAX &&
           (feature = next_feature(table, result, share, feature)) >= 0) {
        fputs(place ? ", " : "", script);
        plot_put_quoted(plot, text_clip(text_of(table->names[feature]), 40));
        fprintf(script, " %d", place++);
        share = result->importance[feature];
    }
    fputs(")\nset style fill solid\nplot '-' using "
          "($2/2):1:($2/2):(0.35) with boxxyerror lc rgb '#1f5fa8'\n",
          script);
    share = 2;
    feature = -1;
    for (int i = 0; i < place; i++) {
        feature = next_feature(table, result, share, feature);
        share = result->importance[feature];
        fprintf(script, "%d %g\n", i, share);
    }
    fputs("e\n", script);
}

enum status train_draw(const struct train_table *table, const struct train_result *result,
                       const char *folder, struct err *err)
{
    struct plot *plot = NULL;
    enum status rc = plot_open(folder, &plot, err);

    if (rc)
        return rc;
    draw_gains(plot, table, result);
    if (have_qini(table, result))
        draw_qini(plot, table, result);
    draw_calibration(plot, table, result);
    draw_doses(plot, table, result);
    draw_importance(plot, table, result);
    return plot_finish(plot, err);
}
