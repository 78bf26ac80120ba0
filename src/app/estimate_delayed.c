/* estimate_delayed.c - redress estimate delayed. */
#include "app/estimate.h"

#include "app/analysis.h"
#include "app/report.h"
#include "app/roles.h"
#include "app/warnings.h"
#include "learn/delayed.h"
#include "learn/distribution.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The curve of the model and that of Kaplan and Meier are compared at so many times, and
 * apart by more than so many errors of the latter. Both are of the same rows, so that
 * chance alone takes them so far in one log of a hundred. */
enum { CURVE_POINTS = 8 };
static const double curve_errors_max = 1.5;

struct arm {
    struct delayed_rows rows;
    double *elapsed, *delays; /* (row) */
    bool *is_converted;
    struct delayed_fit fit;
    double incidence, incidence_se, windowed, windowed_se;
    int64_t windowed_count;
    /* the most by which model and Kaplan-Meier are apart, in errors of the latter */
    double curve_errors;
};

struct estimation {
    const char *data, *arm, *elapsed, *converted, *delay, *control, *treated_name,
        *window_text;
    bool is_json;

    struct columns *columns; /* arm, elapsed, converted, delay */
    struct arms arms;
    int treated;
    struct arm sides[2]; /* control, treated */
    double horizon, window;
    struct warnings warnings;
};

/* ---- reading ---- */

static enum status read_options(struct estimation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--arm", AS_TREATMENT, e->arm, NULL},
        {"--elapsed", AS_OUTCOME, e->elapsed, NULL},
        {"--converted", AS_OUTCOME, e->converted, NULL},
        {"--delay", AS_OUTCOME, e->delay, NULL},
    };
    enum status rc = roles_check(uses, sizeof uses / sizeof *uses, err);

    if (!rc && e->window_text)
        rc = option_number_read("--window", e->window_text, 0, INFINITY, &e->window, err);
    return rc;
}

static enum status check_row(const struct estimation *e, int64_t row, struct err *err)
{
    double elapsed = e->columns->items[1].numbers[row],
           converted = e->columns->items[2].numbers[row],
           delay = e->columns->items[3].numbers[row];
    char place[COLUMNS_PLACE_BYTES];

    columns_place(e->columns, row, place);
    if (elapsed < 0)
        return err_set(err, STATUS_INVALID, "%s column '%s': %g is below 0", place,
                       e->elapsed, elapsed);
    if (converted != 0 && converted != 1)
        return err_set(err, STATUS_INVALID, "%s column '%s': %g is neither 0 nor 1",
                       place, e->converted, converted);
    if (converted == 1 && isnan(delay))
        return err_set(err, STATUS_INVALID, "%s column '%s': is missing for a conversion",
                       place, e->delay);
    if (converted == 1 && (delay < 0 || delay > elapsed))
        return err_set(
            err, STATUS_INVALID,
            "%s: the conversion came after %g, the row has been watched for %g", place,
            delay, elapsed);
    if (converted == 0 && !isnan(delay))
        return err_set(err, STATUS_INVALID,
                       "%s column '%s': is %g where '%s' is 0: leave it empty, or say "
                       "that the row has converted",
                       place, e->delay, delay, e->converted);
    return STATUS_OK;
}

static enum status side_open(struct arm *side, int64_t row_count, struct err *err)
{
    size_t n = (size_t)row_count + 1;

    side->elapsed = malloc(n * sizeof *side->elapsed);
    side->delays = malloc(n * sizeof *side->delays);
    side->is_converted = malloc(n * sizeof *side->is_converted);
    if (!side->elapsed || !side->delays || !side->is_converted)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)row_count);
    side->rows =
        (struct delayed_rows){0, side->elapsed, side->delays, side->is_converted};
    return STATUS_OK;
}

static void put_row(const struct estimation *e, int64_t row, struct arm *side)
{
    int64_t at = side->rows.row_count++;

    side->elapsed[at] = e->columns->items[1].numbers[row];
    side->is_converted[at] = e->columns->items[2].numbers[row] == 1;
    side->delays[at] = side->is_converted[at] ? e->columns->items[3].numbers[row] : 0;
}

static enum status read_rows(struct estimation *e, struct err *err)
{
    const struct column_wish wishes[] = {
        {e->arm, COLUMN_IS_NAME, false},
        {e->elapsed, COLUMN_IS_NUMBER, false},
        {e->converted, COLUMN_IS_NUMBER, false},
        {e->delay, COLUMN_IS_NUMBER, true},
    };
    enum status rc = analysis_columns(e->data, wishes, 4, &e->columns, err);

    if (!rc)
        rc = arms_read(e->columns, &e->columns->items[0], e->control, &e->arms, err);
    if (!rc)
        rc = arms_find_treated(&e->arms, e->columns, e->arm, "--treated", e->treated_name,
                               &e->treated, err);
    if (!rc)
        rc = side_open(&e->sides[0], e->arms.row_counts[e->arms.control], err);
    if (!rc)
        rc = side_open(&e->sides[1], e->arms.row_counts[e->treated], err);
    for (int64_t row = 0; !rc && row < e->columns->row_count; row++) {
        int arm = e->arms.codes[row];

        rc = check_row(e, row, err);
        if (!rc && (arm == e->treated || arm == e->arms.control))
            put_row(e, row, &e->sides[arm == e->treated]);
    }
    /* What the arms have is all that is needed from here on. */
    for (int i = 0; !rc && i < e->columns->count; i++)
        columns_drop(e->columns, i);
    arms_drop_rows(&e->arms);
    return rc;
}

/* ---- estimating ---- */

static double longest(const struct delayed_rows *rows)
{
    double most = 0;

    for (int64_t i = 0; i < rows->row_count; i++)
        most = fmax(most, rows->elapsed[i]);
    return most;
}

static const char *side_name(const struct estimation *e, int i)
{
    return e->arms.names[i ? e->treated : e->arms.control];
}

static enum status find_windowed(struct estimation *e, int i, struct err *err)
{
    struct arm *side = &e->sides[i];

    side->windowed = delayed_windowed(&side->rows, e->window, &side->windowed_count,
                                      &side->windowed_se);
    if (side->windowed_count > 0)
        return STATUS_OK;
    return err_set(
        err, STATUS_INVALID,
        "--window: no row of arm '%s' has been watched for %g, the longest for "
        "%g",
        side_name(e, i), e->window, longest(&side->rows));
}

static enum status compare_curves(const struct estimation *e, struct arm *side,
                                  struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 1; i <= CURVE_POINTS && !rc; i++) {
        double time = e->horizon * i / CURVE_POINTS, share, se;

        rc = delayed_incidence(&side->rows, time, &share, &se, err);
        if (!rc && se > 0)
            side->curve_errors = fmax(
                side->curve_errors,
                fabs(side->fit.share * (1 - exp(-side->fit.rate * time)) - share) / se);
    }
    return rc;
}

/* Without a conversion, or without a delay. */
static enum status fit_side(struct estimation *e, int i, struct err *err)
{
    struct arm *side = &e->sides[i];
    enum status rc = delayed_fit(&side->rows, &side->fit, err);
    const char *column = side->fit.converted_count == 0 ? e->converted : e->delay;

    if (rc == STATUS_INVALID)
        rc = err_wrap(err, "arm '%s'", side_name(e, i));
    return analysis_wrap(e->columns, &column, 1, rc, err);
}

static enum status estimate(struct estimation *e, struct err *err)
{
    enum status rc = STATUS_OK;

    e->horizon = fmin(longest(&e->sides[0].rows), longest(&e->sides[1].rows));
    if (!e->window_text)
        e->window = e->horizon / 2;
    for (int i = 0; i < 2 && !rc; i++) {
        struct arm *side = &e->sides[i];

        rc = fit_side(e, i, err);
        if (!rc)
            rc = delayed_incidence(&side->rows, e->horizon, &side->incidence,
                                   &side->incidence_se, err);
        if (!rc)
            rc = compare_curves(e, side, err);
        if (!rc)
            rc = find_windowed(e, i, err);
    }
    return rc;
}

static double value_of(const struct estimation *e)
{
    return e->sides[1].fit.share - e->sides[0].fit.share;
}

static double error_of(const struct estimation *e)
{
    return hypot(e->sides[0].fit.share_se, e->sides[1].fit.share_se);
}

static double incidence_error_of(const struct estimation *e)
{
    return hypot(e->sides[0].incidence_se, e->sides[1].incidence_se);
}

static double windowed_error_of(const struct estimation *e)
{
    return hypot(e->sides[0].windowed_se, e->sides[1].windowed_se);
}

static bool is_at_edge(const struct estimation *e)
{
    return e->sides[0].fit.is_at_edge || e->sides[1].fit.is_at_edge;
}

static bool has_all(const struct arm *side)
{
    return side->fit.converted_count == side->rows.row_count;
}

/* Where all have converted, nothing is still to come that more time could tell. */
static bool is_too_young(const struct estimation *e)
{
    return (e->sides[0].fit.is_at_edge && !has_all(&e->sides[0])) ||
           (e->sides[1].fit.is_at_edge && !has_all(&e->sides[1]));
}

/* What the model says of the horizon. */
static double fitted(const struct estimation *e, int i)
{
    const struct delayed_fit *fit = &e->sides[i].fit;

    return fit->share * (1 - exp(-fit->rate * e->horizon));
}

/* Whether delays are unlike exponential ones in an arm. */
static bool is_off(const struct arm *side)
{
    return side->curve_errors > curve_errors_max;
}

static bool are_delays_off(const struct estimation *e)
{
    return is_off(&e->sides[0]) || is_off(&e->sides[1]);
}

static void warn(struct estimation *e)
{
    for (int i = 0; i < 2; i++)
        if (is_off(&e->sides[i])) {
            warnings_add(&e->warnings, "delays_not_exponential",
                         "of arm '%s' the model has %.3g convert by %g, Kaplan and Meier "
                         "%.3g, and elsewhere they are up to %.1f errors apart: what it "
                         "says of the end is not to be trusted, the Kaplan-Meier "
                         "difference is what is known",
                         side_name(e, i), fitted(e, i), e->horizon, e->sides[i].incidence,
                         e->sides[i].curve_errors);
            break;
        }
    if (is_too_young(e))
        fprintf(stderr,
                "redress: the log is too young to tell how many convert in the end; "
                "the Kaplan-Meier difference is what is known\n");
    for (int i = 0; i < 2; i++)
        if (has_all(&e->sides[i]))
            print_line(
                stderr,
                "redress: every row of arm '%s' has converted: nothing is still to "
                "come, its share is at the edge of what shares can be, and its error is "
                "not known",
                side_name(e, i));
}

static bool leads_with_incidence(const struct estimation *e)
{
    return are_delays_off(e) || is_too_young(e);
}

/* ---- printing ---- */

static void put_arm(const struct estimation *e, struct report *report, int i)
{
    const struct arm *side = &e->sides[i];

    report_key(report, text_of(side_name(e, i)));
    report_object(report, NULL);
    report_count(report, "n", side->rows.row_count);
    report_count(report, "converted", side->fit.converted_count);
    report_number(report, "p", side->fit.share);
    report_number(report, "se", side->fit.share_se);
    report_bool(report, "at_edge", side->fit.is_at_edge);
    report_number(report, "lambda", side->fit.rate);
    report_number(report, "naive", side->fit.naive);
    report_number(report, "kaplan_meier", side->incidence);
    report_number(report, "fitted", fitted(e, i));
    report_number(report, "curve_errors", side->curve_errors);
    report_number(report, "windowed", side->windowed);
    report_object_end(report);
}

static void put_error(struct report *report, double value, double se)
{
    report_number(report, "se", se);
    if (isfinite(se))
        report_pair(report, "ci", value - NORMAL_95 * se, value + NORMAL_95 * se);
    else
        report_null(report, "ci");
}

static void put_difference(struct report *report, double difference, double se)
{
    report_number(report, "difference", difference);
    put_error(report, difference, se);
}

static enum status print_json(const struct estimation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_number(report, "estimate", value_of(e));
    put_error(report, value_of(e), error_of(e));
    report_count(report, "n", e->sides[0].rows.row_count + e->sides[1].rows.row_count);
    report_string(report, "method", "mixture_cure");
    report_number(report, "naive", e->sides[1].fit.naive - e->sides[0].fit.naive);
    report_object(report, "kaplan_meier");
    report_number(report, "horizon", e->horizon);
    put_difference(report, e->sides[1].incidence - e->sides[0].incidence,
                   incidence_error_of(e));
    report_object_end(report);
    report_object(report, "windowed");
    report_number(report, "window", e->window);
    put_difference(report, e->sides[1].windowed - e->sides[0].windowed,
                   windowed_error_of(e));
    report_count(report, "n", e->sides[0].windowed_count + e->sides[1].windowed_count);
    report_object_end(report);
    report_bool(report, "at_edge", is_at_edge(e));
    report_bool(report, "too_young", is_too_young(e));
    report_string(report, "lead",
                  leads_with_incidence(e) ? "kaplan_meier" : "mixture_cure");
    warnings_put(&e->warnings, report);
    report_object(report, "arms");
    put_arm(e, report, 0);
    put_arm(e, report, 1);
    report_object_end(report);
    report_object_end(report);
    return report_finish(report, err);
}

static void print_estimate(const struct estimation *e)
{
    double reach = NORMAL_95 * error_of(e);

    printf("%-26s %.6g   ", "in the end (mixture cure)", value_of(e));
    if (is_at_edge(e))
        puts("at the edge: no error is known");
    else
        printf("se %.4g   [%.6g, %.6g]\n", error_of(e), value_of(e) - reach,
               value_of(e) + reach);
}

/* An error that is not known is left out. */
static void print_difference(const char *label, double difference, double se,
                             const char *when, double time)
{
    printf("%-26s %.6g", label, difference);
    if (isfinite(se))
        printf("   se %.4g   [%.6g, %.6g]", se, difference - NORMAL_95 * se,
               difference + NORMAL_95 * se);
    if (when)
        printf("   %s %g", when, time);
    putchar('\n');
}

static void print_incidence(const struct estimation *e)
{
    print_difference("Kaplan-Meier", e->sides[1].incidence - e->sides[0].incidence,
                     incidence_error_of(e), "by", e->horizon);
}

/* What is to be believed comes first. */
static void print_text(const struct estimation *e)
{
    print_line(stdout, "'%s' against '%s'", e->arms.names[e->treated],
               e->arms.names[e->arms.control]);
    if (leads_with_incidence(e))
        print_incidence(e);
    print_estimate(e);
    printf("%-26s %.6g\n", "so far (naive)",
           e->sides[1].fit.naive - e->sides[0].fit.naive);
    if (!leads_with_incidence(e))
        print_incidence(e);
    print_difference("windowed", e->sides[1].windowed - e->sides[0].windowed,
                     windowed_error_of(e), "within", e->window);
    for (int i = 0; i < 2; i++)
        print_line(
            stdout,
            "'%s': %lld rows, %lld converted so far, %.4g in the end, mean delay %.4g",
            side_name(e, i), (long long)e->sides[i].rows.row_count,
            (long long)e->sides[i].fit.converted_count, e->sides[i].fit.share,
            1 / e->sides[i].fit.rate);
}

static enum status run(struct estimation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    if (!rc)
        rc = read_rows(e, err);
    if (!rc)
        rc = estimate(e, err);
    if (rc)
        return rc;
    warn(e);
    if (e->is_json)
        return print_json(e, err);
    print_text(e);
    return STATUS_OK;
}

int command_estimate_delayed(int argc, char **argv)
{
    struct estimation e = {0};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "The rows; - is standard input.", 0, 0},
        {"arm", OPTION_TEXT | OPTION_NEEDED, &e.arm, "COL", "0 and 1, or words.", 0, 0},
        {"elapsed", OPTION_TEXT | OPTION_NEEDED, &e.elapsed, "COL",
         "How long the row has been watched.", 0, 0},
        {"converted", OPTION_TEXT | OPTION_NEEDED, &e.converted, "COL",
         "1 when it has converted, else 0.", 0, 0},
        {"delay", OPTION_TEXT | OPTION_NEEDED, &e.delay, "COL",
         "After how long it converted.", 0, 0},
        {"control", OPTION_TEXT, &e.control, "VALUE",
         "The arm to compare with (default: 0 or control).", 0, 0},
        {"treated", OPTION_TEXT, &e.treated_name, "VALUE",
         "The arm to judge, when there are more than two.", 0, 0},
        {"window", OPTION_TEXT, &e.window_text, "T",
         "For the windowed difference (default: half of the common horizon).", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "estimate delayed --data F.csv --arm COL --elapsed COL --converted COL "
            "--delay COL [OPTIONS]",
        .summary =
            "The difference that two arms will make in the end, while conversions are "
            "still to come: each arm with a share that converts and a rate of its own.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    rc = run(&e, &err);
    for (int i = 0; i < 2; i++) {
        free(e.sides[i].elapsed);
        free(e.sides[i].delays);
        free(e.sides[i].is_converted);
    }
    arms_free(&e.arms);
    columns_close(e.columns);
    return command_end(&usage, rc, &err);
}
