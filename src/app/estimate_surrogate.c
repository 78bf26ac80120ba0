/* estimate_surrogate.c - redress estimate surrogate. */
#include "app/estimate.h"

#include "app/analysis.h"
#include "app/design.h"
#include "app/report.h"
#include "app/roles.h"
#include "app/warnings.h"
#include "learn/distribution.h"
#include "learn/surrogate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the history for each regressor, below which they are few, and at all. */
enum { FEW_ROWS_EACH = 10, FEW_ROWS = 30 };

/* Of the experiment's rows, and of the outcome's variance less what chance explains. */
static const double outside_share_max = 0.05, explained_share_min = 0.05;

struct estimation {
    const char *history, *experiment, *surrogates, *covariates, *treatment, *outcome,
        *control, *arm;
    bool is_json;

    struct name_list covariate_list, surrogate_list;
    struct columns *past; /* outcome, covariates, surrogates */
    /* treatment, covariates, surrogates, and the outcome when it is there */
    struct columns *now;
    int64_t past_missing, now_missing;
    struct arms arms;
    int treated;
    struct design past_design, now_design; /* covariates and surrogates */
    struct surrogate_effect effect;
    bool *dropped;        /* (column of a design) */
    double outside_share; /* of the experiment's rows, beyond what the history has seen */
    struct warnings warnings;
};

static int regressor_count(const struct estimation *e)
{
    return e->covariate_list.count + e->surrogate_list.count;
}

/* ---- reading ---- */

static enum status read_options(struct estimation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--treatment", AS_TREATMENT, e->treatment, NULL},
        {"--outcome", AS_OUTCOME, e->outcome, NULL},
        {"--surrogates", AS_OUTCOME, NULL, &e->surrogate_list},
        {"--covariates", AS_BEFORE, NULL, &e->covariate_list},
    };
    enum status rc =
        name_list_read("--covariates", e->covariates, &e->covariate_list, err);

    if (!rc)
        rc = name_list_read("--surrogates", e->surrogates, &e->surrogate_list, err);
    return rc ? rc : roles_check(uses, sizeof uses / sizeof *uses, err);
}

/* Regressors are numbers: categories would have to be the same in both files. */
static void put_regressors(const struct estimation *e, struct column_wish *wishes)
{
    int count = 0;

    for (int i = 0; i < e->covariate_list.count; i++)
        wishes[count++] =
            (struct column_wish){e->covariate_list.names[i], COLUMN_IS_NUMBER, true};
    for (int i = 0; i < e->surrogate_list.count; i++)
        wishes[count++] =
            (struct column_wish){e->surrogate_list.names[i], COLUMN_IS_NUMBER, true};
}

static enum status read_tables(struct estimation *e, struct err *err)
{
    int count = regressor_count(e) + 1;
    struct column_wish *wishes = calloc((size_t)count + 1, sizeof *wishes);
    enum status rc = STATUS_OK;

    if (!wishes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
    put_regressors(e, wishes + 1);
    wishes[0] = (struct column_wish){e->outcome, COLUMN_IS_NUMBER, true};
    rc = analysis_columns(e->history, wishes, count, &e->past, err);
    wishes[0] = (struct column_wish){e->treatment, COLUMN_IS_NAME, false};
    /* Outcomes that are known already are welcome, not needed. */
    wishes[count] = (struct column_wish){e->outcome, COLUMN_IS_OPTIONAL, true};
    if (!rc)
        rc = analysis_columns(e->experiment, wishes, count + 1, &e->now, err);
    free(wishes);
    return rc;
}

/* Rows of the history that have everything: what the index is learned from. */
static enum status leave_out_past(struct estimation *e, struct err *err)
{
    e->past_missing = columns_drop_missing(e->past);
    if (e->past->row_count == 0)
        return err_set(err, STATUS_INVALID,
                       "%s: no row has the outcome, all covariates and all surrogates",
                       e->past->file);
    return column_must_vary(e->past, &e->past->items[0], err);
}

/* Rows of the experiment that are in one of both arms and have all the regressors; the
 * outcome may be still to come. is_kept (row). */
static int64_t pick(const struct estimation *e, bool *is_kept)
{
    int64_t count = 0;

    for (int64_t row = 0; row < e->now->row_count; row++) {
        is_kept[row] = true;
        for (int c = 0; c <= regressor_count(e); c++)
            is_kept[row] &= !isnan(e->now->items[c].numbers[row]);
        count += is_kept[row];
    }
    return count;
}

static enum status leave_out_now(struct estimation *e, struct err *err)
{
    int64_t all = e->now->row_count, other_count = 0;
    bool *is_kept = malloc((size_t)all);
    enum status rc =
        is_kept ? STATUS_OK : err_set(err, STATUS_EXHAUSTED, "out of memory for rows");

    if (!rc)
        rc = column_to_treatments(e->now, &e->now->items[0], &e->arms, e->treated,
                                  &other_count, err);
    if (!rc) {
        e->now_missing = all - other_count - pick(e, is_kept);
        columns_keep(e->now, is_kept);
    }
    free(is_kept);
    if (!rc && e->now->row_count == 0)
        return err_set(err, STATUS_INVALID,
                       "%s: no row of both arms has all covariates and surrogates",
                       e->now->file);
    return rc;
}

/* Arms are those of the experiment; all else is learned from the history. */
static enum status explain_refusal(const struct estimation *e, enum status rc,
                                   struct err *err)
{
    const struct surrogate_effect *effect = &e->effect;

    if (effect->used_count == 0)
        return analysis_wrap(e->past, e->surrogate_list.names, e->surrogate_list.count,
                             rc, err);
    if (effect->control_count < 2 || effect->treated_count < 2)
        return analysis_wrap(e->now, &e->treatment, 1, rc, err);
    return analysis_wrap(e->past, NULL, 0, rc, err);
}

static enum status estimate(struct estimation *e, struct err *err)
{
    int count = regressor_count(e);
    enum status rc = leave_out_now(e, err);

    if (!rc)
        rc = design_make(e->past, 1, count, &e->past_design, err);
    if (!rc)
        rc = design_make(e->now, 1, count, &e->now_design, err);
    e->dropped = calloc((size_t)count + 1, sizeof *e->dropped);
    if (!rc && !e->dropped)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d columns", count);
    if (rc)
        return rc;
    rc = surrogate_estimate(
        &(const struct surrogate_data){.column_count = count,
                                       .surrogate_count = e->surrogate_list.count,
                                       .history_count = e->past->row_count,
                                       .history = e->past_design.columns,
                                       .outcomes = e->past->items[0].numbers,
                                       .experiment_count = e->now->row_count,
                                       .experiment = e->now_design.columns,
                                       .treatments = e->now->items[0].numbers,
                                       .matured = e->now->items[count + 1].numbers},
        &e->effect, e->dropped, err);
    return explain_refusal(e, rc, err);
}

/* ---- doubts ---- */

/* names (column) of those that are left out; returns how many. */
static int dropped_names(const struct estimation *e, const char **names)
{
    int count = 0;

    for (int c = 0; c < regressor_count(e); c++)
        if (e->dropped[c])
            names[count++] = e->past_design.names[c];
    return count;
}

static enum status doubt_columns(struct estimation *e, struct err *err)
{
    const char **names = malloc((size_t)regressor_count(e) * sizeof *names);
    char text[NAMES_TEXT_BYTES];
    int count;

    if (!names)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
    count = dropped_names(e, names);
    if (count > 0)
        warnings_add(&e->warnings, "dropped_columns",
                     "in the history %s %s constant or %s from the columns before, left "
                     "out: where the experiment tells them apart, another order of "
                     "columns gives another effect",
                     names_quoted(names, count, text), count > 1 ? "are" : "is",
                     count > 1 ? "follow" : "follows");
    free(names);
    return STATUS_OK;
}

/* Marks the experiment's rows in which a regressor is beyond all that the history has of
 * it. */
static void mark_outside(const struct estimation *e, int item, bool *is_outside)
{
    const double *past = e->past->items[item].numbers, *now = e->now->items[item].numbers;
    double low = INFINITY, high = -INFINITY;

    for (int64_t row = 0; row < e->past->row_count; row++) {
        low = fmin(low, past[row]);
        high = fmax(high, past[row]);
    }
    for (int64_t row = 0; row < e->now->row_count; row++)
        is_outside[row] |= now[row] < low || now[row] > high;
}

static enum status find_outside(struct estimation *e, struct err *err)
{
    bool *is_outside = calloc((size_t)e->now->row_count, sizeof *is_outside);
    int64_t count = 0;

    if (!is_outside)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for rows");
    for (int c = 1; c <= regressor_count(e); c++)
        mark_outside(e, c, is_outside);
    for (int64_t row = 0; row < e->now->row_count; row++)
        count += is_outside[row];
    e->outside_share = (double)count / (double)e->now->row_count;
    free(is_outside);
    return STATUS_OK;
}

/* Of the variance, less what as many regressors that say nothing would explain. */
static double explained_share(const struct estimation *e)
{
    double n = (double)e->past->row_count, rest = n - 1 - regressor_count(e);

    return rest > 0 ? 1 - (1 - e->effect.r_squared) * (n - 1) / rest : 0;
}

static void doubt(struct estimation *e)
{
    double n = (double)e->past->row_count, k = regressor_count(e);

    /* The next row of the same kind is a column's lowest or highest by a chance of 2 / (n
     * + 1). */
    if (e->outside_share > outside_share_max + 4 * k / (n + 1))
        warnings_add(
            &e->warnings, "outside_of_history",
            "%.0f %% of the experiment's rows are beyond all that the history has "
            "of a column: there the index is a guess",
            100 * e->outside_share);
    if (explained_share(e) < explained_share_min)
        warnings_add(&e->warnings, "weak_index",
                     "the index explains next to nothing of the outcome (R^2 %.3g, %.3g "
                     "beyond chance): what the treatment does to it says little",
                     e->effect.r_squared, explained_share(e));
    if (n < FEW_ROWS || n < FEW_ROWS_EACH * k)
        warnings_add(
            &e->warnings, "few_rows",
            "the index is learned from %.0f rows with %.0f columns: its interval "
            "is likely too narrow",
            n, k);
    if (e->effect.direct_p < 0.05)
        warnings_add(&e->warnings, "direct_effect",
                     "where the outcome is known, the treatment acts beside the "
                     "surrogates (p = %.3g): the index misses a part of it",
                     e->effect.direct_p);
}

/* ---- printing ---- */

static bool has_direct(const struct estimation *e)
{
    return !isnan(e->effect.direct);
}

static enum status print_json(const struct estimation *e, struct err *err)
{
    const struct surrogate_effect *effect = &e->effect;
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    analysis_put_effect(report, effect->value, effect->se, INFINITY);
    report_count(report, "n", effect->treated_count + effect->control_count);
    report_string(report, "method", "surrogate_index");
    report_number(report, "se_sampling", effect->se_sampling);
    report_object(report, "first_stage");
    report_count(report, "n", e->past->row_count);
    report_number(report, "r_squared", effect->r_squared);
    report_count(report, "dropped_rows", e->past_missing);
    report_object_end(report);
    report_count(report, "dropped_rows", e->now_missing);
    report_array(report, "dropped_columns");
    for (int c = 0; c < regressor_count(e); c++)
        if (e->dropped[c])
            report_string(report, NULL, e->past_design.names[c]);
    report_array_end(report);
    if (has_direct(e)) {
        report_object(report, "direct_effect");
        report_number(report, "estimate", effect->direct);
        report_number(report, "se", effect->direct_se);
        report_number(report, "p", effect->direct_p);
        report_count(report, "n", effect->matured_count);
        report_object_end(report);
    } else {
        report_null(report, "direct_effect");
    }
    report_number(report, "outside_share", e->outside_share);
    warnings_put(&e->warnings, report);
    report_array(report, "assumes");
    report_string(report, NULL,
                  "surrogacy: the treatment acts through the surrogates only");
    report_string(report, NULL,
                  "comparability: history and experiment follow the same regression");
    report_array_end(report);
    report_object_end(report);
    return report_finish(report, err);
}

static void print_text(const struct estimation *e)
{
    const struct surrogate_effect *effect = &e->effect;
    double reach = NORMAL_95 * effect->se;

    print_line(stdout,
               "'%s' (%lld rows) against '%s' (%lld rows), index from %lld past rows",
               e->arms.names[e->treated], (long long)effect->treated_count,
               e->arms.names[e->arms.control], (long long)effect->control_count,
               (long long)e->past->row_count);
    printf("%-14s %.6g   se %.4g (%.4g without the first stage)   [%.6g, %.6g]\n",
           "effect", effect->value, effect->se, effect->se_sampling,
           effect->value - reach, effect->value + reach);
    printf("%-14s R^2 %.4f\n", "first stage", effect->r_squared);
    if (has_direct(e))
        printf("%-14s %.6g   se %.4g   p %.3g, on %lld rows whose outcome is known\n",
               "direct effect", effect->direct, effect->direct_se, effect->direct_p,
               (long long)effect->matured_count);
    puts("Assumes that the treatment acts through the surrogates only, and that past and "
         "experiment are alike.");
    if (e->past_missing + e->now_missing)
        printf("left out: %lld past rows and %lld of the experiment with something "
               "missing\n",
               (long long)e->past_missing, (long long)e->now_missing);
}

static enum status run(struct estimation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    if (!rc)
        rc = read_tables(e, err);
    if (!rc)
        rc = leave_out_past(e, err);
    if (!rc)
        rc = arms_read(e->now, &e->now->items[0], e->control, &e->arms, err);
    if (!rc)
        rc = arms_find_treated(&e->arms, e->now, e->treatment, "--arm", e->arm,
                               &e->treated, err);
    if (!rc)
        rc = estimate(e, err);
    if (!rc)
        rc = find_outside(e, err);
    if (!rc)
        rc = doubt_columns(e, err);
    if (rc)
        return rc;
    doubt(e);
    if (e->is_json)
        return print_json(e, err);
    print_text(e);
    return STATUS_OK;
}

int command_estimate_surrogate(int argc, char **argv)
{
    struct estimation e = {0};
    const struct option_spec options[] = {
        {"history", OPTION_TEXT | OPTION_NEEDED, &e.history, "F.csv",
         "Past rows with surrogates and the outcome.", 0, 0},
        {"experiment", OPTION_TEXT | OPTION_NEEDED, &e.experiment, "F.csv",
         "Rows with treatment and surrogates; the outcome where it is known already.", 0,
         0},
        {"surrogates", OPTION_TEXT | OPTION_NEEDED, &e.surrogates, "A,B,..",
         "Short-term outcomes, numbers in both files.", 0, 0},
        {"covariates", OPTION_TEXT, &e.covariates, "A,B,..",
         "Columns known before, numbers in both files.", 0, 0},
        {"treatment", OPTION_TEXT | OPTION_NEEDED, &e.treatment, "COL",
         "0 and 1, or words.", 0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &e.outcome, "COL",
         "The outcome that takes long.", 0, 0},
        {"control", OPTION_TEXT, &e.control, "VALUE",
         "The treatment of those who got none (default: 0 or control).", 0, 0},
        {"arm", OPTION_TEXT, &e.arm, "VALUE",
         "The treatment to judge, when there are more than two.", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "estimate surrogate --history F.csv --experiment F.csv --surrogates A,B,.. "
            "--treatment COL --outcome COL [OPTIONS]",
        .summary =
            "A long-term effect from short-term outcomes: the index that these predicted "
            "in the past, compared between the arms of an experiment.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    rc = run(&e, &err);
    free(e.dropped);
    design_free(&e.past_design);
    design_free(&e.now_design);
    arms_free(&e.arms);
    columns_close(e.past);
    columns_close(e.now);
    name_list_free(&e.covariate_list);
    name_list_free(&e.surrogate_list);
    return command_end(&usage, rc, &err);
}
