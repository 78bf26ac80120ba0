/* estimate_iv.c - redress estimate iv. */
#include "app/estimate.h"

#include "app/analysis.h"
#include "app/design.h"
#include "app/report.h"
#include "app/roles.h"
#include "learn/distribution.h"
#include "learn/instrument.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_COLUMN_COUNT = 2 };

static const char default_errors[] = "classical";

struct estimation {
    const char *data, *treatment, *outcome, *instruments, *covariates, *categories, *se,
        *cluster;
    bool is_json;

    struct name_list instrument_list, covariate_list, category_list;
    enum covariance_kind kind;
    struct columns *columns; /* treatment, outcome, instruments, covariates, cluster */
    int64_t missing_count;
    struct design instrument_design, design;
    bool *dropped; /* (instrument, then covariate) */
    int32_t *clusters;
    int32_t cluster_count;
    struct instrument_effect effect;
};

static enum status check_roles(const struct estimation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--treatment", AS_TREATMENT, e->treatment, NULL},
        {"--outcome", AS_OUTCOME, e->outcome, NULL},
        {"--instruments", AS_BEFORE, NULL, &e->instrument_list},
        {"--covariates", AS_BEFORE, NULL, &e->covariate_list},
        {"--cluster", AS_ABOUT, e->cluster, NULL},
    };

    return roles_check(uses, sizeof uses / sizeof *uses, err);
}

static enum status read_options(struct estimation *e, struct err *err)
{
    enum status rc = covariance_kind_read(e->se, &e->kind, err);

    if (!rc && e->kind > COVARIANCE_HC1)
        rc = err_set(err, STATUS_INVALID, "--se: classical, hc0 or hc1 for instruments");
    if (!rc)
        rc = name_list_read("--instruments", e->instruments, &e->instrument_list, err);
    if (!rc)
        rc = name_list_read("--covariates", e->covariates, &e->covariate_list, err);
    if (!rc)
        rc = categories_read(e->categories, &e->instrument_list, &e->covariate_list,
                             &e->category_list, err);
    return rc ? rc : check_roles(e, err);
}

static int cluster_column(const struct estimation *e)
{
    return FIXED_COLUMN_COUNT + e->instrument_list.count + e->covariate_list.count;
}

static enum status read_columns(struct estimation *e, struct err *err)
{
    int count = FIXED_COLUMN_COUNT, features = cluster_column(e) - FIXED_COLUMN_COUNT;
    struct column_wish *wishes = calloc((size_t)cluster_column(e) + 1, sizeof *wishes);
    enum status rc;

    if (!wishes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
    wishes[0] = (struct column_wish){e->treatment, COLUMN_IS_NUMBER, true};
    wishes[1] = (struct column_wish){e->outcome, COLUMN_IS_NUMBER, true};
    for (int i = 0; i < e->instrument_list.count; i++)
        wishes[count++] = feature_wish(e->instrument_list.names[i], &e->category_list);
    for (int i = 0; i < e->covariate_list.count; i++)
        wishes[count++] = feature_wish(e->covariate_list.names[i], &e->category_list);
    if (e->cluster)
        wishes[count++] = (struct column_wish){e->cluster, COLUMN_IS_NAME, false};
    rc = analysis_columns(e->data, wishes, count, &e->columns, err);
    free(wishes);
    return rc ? rc
              : features_check(e->columns, FIXED_COLUMN_COUNT, features,
                               &e->category_list, err);
}

static enum status read_rows(struct estimation *e, struct err *err)
{
    enum status rc = read_columns(e, err);

    if (rc)
        return rc;
    e->missing_count = columns_drop_missing(e->columns);
    if (e->columns->row_count == 0)
        return err_set(err, STATUS_INVALID, "%s: no row has all of the columns",
                       e->columns->file);
    rc = column_must_vary(e->columns, &e->columns->items[0], err);
    if (!rc)
        rc = column_must_vary(e->columns, &e->columns->items[1], err);
    if (!rc)
        rc = design_make(e->columns, FIXED_COLUMN_COUNT, e->instrument_list.count,
                         &e->instrument_design, err);
    if (!rc)
        rc = design_make(e->columns, FIXED_COLUMN_COUNT + e->instrument_list.count,
                         e->covariate_list.count, &e->design, err);
    if (!rc && e->cluster)
        rc = clusters_of_column(e->columns, cluster_column(e), &e->clusters,
                                &e->cluster_count, err);
    if (rc)
        return rc;
    e->dropped =
        calloc((size_t)(e->instrument_design.column_count + e->design.column_count) + 1,
               sizeof *e->dropped);
    return e->dropped ? STATUS_OK
                      : err_set(err, STATUS_EXHAUSTED, "out of memory for columns");
}

static enum status estimate(struct estimation *e, struct err *err)
{
    const struct instrument_data data = {
        .row_count = e->columns->row_count,
        .instrument_count = e->instrument_design.column_count,
        .column_count = e->design.column_count,
        .treatments = e->columns->items[0].numbers,
        .outcomes = e->columns->items[1].numbers,
        .instruments = e->instrument_design.columns,
        .covariates = e->design.columns,
        .clusters = e->clusters,
        .cluster_count = e->cluster_count,
    };
    enum status rc = instrument_estimate(&data, e->kind, &e->effect, e->dropped, err);
    bool has_none = e->effect.used_count == 0;

    return analysis_wrap(e->columns, e->instrument_list.names,
                         has_none ? e->instrument_list.count : 0, rc, err);
}

static bool is_weak(const struct estimation *e)
{
    return e->effect.effective_f < INSTRUMENT_F_WEAK;
}

static int column_count(const struct estimation *e)
{
    return e->instrument_design.column_count + e->design.column_count;
}

/* Instruments come before covariates. */
static const char *column_name(const struct estimation *e, int column)
{
    int instruments = e->instrument_design.column_count;

    return column < instruments ? e->instrument_design.names[column]
                                : e->design.names[column - instruments];
}

static const char *errors_name(const struct estimation *e)
{
    return e->cluster ? "cr1" : e->se;
}

static bool is_robust(const struct estimation *e)
{
    return e->cluster || e->kind != COVARIANCE_CLASSICAL;
}

/* Of the test that believes no more of rows than the errors do; NaN with one
 * instrument. */
static double agreement_p(const struct estimation *e)
{
    return is_robust(e) ? e->effect.hansen_p : e->effect.sargan_p;
}

static void warn(const struct estimation *e)
{
    if (e->cluster && e->se != default_errors)
        print_line(stderr,
                   "redress: --se %s is not used: the errors are those of clusters (CR1)",
                   e->se);
    for (int i = 0; i < column_count(e); i++)
        if (e->dropped[i])
            print_line(stderr,
                       "redress: %s: is constant or follows from the columns before it, "
                       "left out",
                       column_name(e, i));
    if (is_weak(e))
        fprintf(stderr,
                "redress: weak instruments: the first stage's F is %.3g, below %d; the "
                "estimate and its interval are not to be trusted, the Anderson-Rubin set "
                "is\n",
                e->effect.effective_f, INSTRUMENT_F_WEAK);
    if (agreement_p(e) < 0.05)
        fprintf(stderr, "redress: the instruments contradict one another (%s p = %.3g)\n",
                is_robust(e) ? "Hansen" : "Sargan", agreement_p(e));
}

/* Of the error: an instrument need not have arms, of which one could be the smaller. */
static double freedom_of(const struct estimation *e)
{
    return e->cluster ? e->cluster_count - 1 : INFINITY;
}

static const char *set_name(enum instrument_set set)
{
    static const char *const names[] = {
        [INSTRUMENT_SET_INTERVAL] = "interval",
        [INSTRUMENT_SET_OUTSIDE] = "outside",
        [INSTRUMENT_SET_ALL] = "all",
        [INSTRUMENT_SET_EMPTY] = "empty",
    };

    return names[set];
}

/* NaN: there is none. */
static void put_test(struct report *report, const char *key, double stat, double p)
{
    if (isnan(stat)) {
        report_null(report, key);
        return;
    }
    report_object(report, key);
    report_number(report, "stat", stat);
    report_number(report, "p", p);
    report_object_end(report);
}

/* What speaks for and against the instruments. */
static void put_tests(const struct instrument_effect *effect, struct report *report)
{
    put_test(report, "sargan", effect->sargan, effect->sargan_p);
    put_test(report, "hansen", effect->hansen, effect->hansen_p);
    report_object(report, "wu_hausman");
    report_number(report, "t", effect->wu_hausman_t);
    report_number(report, "p", effect->wu_hausman_p);
    report_object_end(report);
    report_object(report, "anderson_rubin");
    report_string(report, "set", set_name(effect->set));
    report_number(report, "low", effect->set_low);
    report_number(report, "high", effect->set_high);
    report_object_end(report);
}

static void put_dropped(const struct estimation *e, struct report *report)
{
    report_count(report, "dropped_rows", e->missing_count);
    report_array(report, "dropped_columns");
    for (int i = 0; i < column_count(e); i++)
        if (e->dropped[i])
            report_string(report, NULL, column_name(e, i));
    report_array_end(report);
}

static enum status print_json(const struct estimation *e, struct err *err)
{
    const struct instrument_effect *effect = &e->effect;
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    analysis_put_effect(report, effect->value, effect->se, freedom_of(e));
    report_count(report, "n", e->columns->row_count);
    report_string(report, "method", "2sls");
    report_string(report, "se_kind", errors_name(e));
    if (e->cluster)
        analysis_put_clusters(report, e->cluster_count, freedom_of(e));
    report_number(report, "first_stage_f", effect->first_stage_f);
    report_number(report, "effective_f", effect->effective_f);
    report_bool(report, "weak", is_weak(e));
    put_tests(effect, report);
    report_number(report, "ols", effect->least_squares);
    put_dropped(e, report);
    report_object_end(report);
    return report_finish(report, err);
}

static void print_set(const struct instrument_effect *effect)
{
    switch (effect->set) {
    case INSTRUMENT_SET_INTERVAL:
        printf("%-16s [%.6g, %.6g]\n", "Anderson-Rubin", effect->set_low,
               effect->set_high);
        break;
    case INSTRUMENT_SET_OUTSIDE:
        printf("%-16s all but (%.6g, %.6g)\n", "Anderson-Rubin", effect->set_low,
               effect->set_high);
        break;
    case INSTRUMENT_SET_ALL:
        printf("%-16s every number: the instruments say nothing\n", "Anderson-Rubin");
        break;
    case INSTRUMENT_SET_EMPTY:
        printf("%-16s none: the instruments contradict one another\n", "Anderson-Rubin");
        break;
    }
}

static void print_text(const struct estimation *e)
{
    const struct instrument_effect *effect = &e->effect;
    double reach = student_95(freedom_of(e)) * effect->se;

    printf("%-16s %.6g   se %.4g (%s)   [%.6g, %.6g]   p %.3g\n", "effect (2SLS)",
           effect->value, effect->se, errors_name(e), effect->value - reach,
           effect->value + reach,
           student_two_sided(effect->value / effect->se, freedom_of(e)));
    printf("%-16s %.6g\n", "without (OLS)", effect->least_squares);
    printf("%-16s %.4g with %d instrument%s\n",
           is_robust(e) ? "effective F" : "first stage F", effect->effective_f,
           effect->used_count, effect->used_count == 1 ? "" : "s");
    print_set(effect);
    if (!isnan(agreement_p(e)))
        printf("%-16s %.4g, p %.3g\n", is_robust(e) ? "Hansen" : "Sargan",
               is_robust(e) ? effect->hansen : effect->sargan, agreement_p(e));
    if (!isnan(effect->wu_hausman_t))
        printf("%-16s t %.4g, p %.3g\n", "Wu-Hausman", effect->wu_hausman_t,
               effect->wu_hausman_p);
    printf("%-16s %lld, %lld left out with something missing\n", "rows",
           (long long)e->columns->row_count, (long long)e->missing_count);
    if (e->cluster)
        printf("%-16s %d\n", "clusters", e->cluster_count);
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

int command_estimate_iv(int argc, char **argv)
{
    struct estimation e = {.se = default_errors};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "The rows; - is standard input.", 0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &e.outcome, "COL",
         "What may have changed.", 0, 0},
        {"treatment", OPTION_TEXT | OPTION_NEEDED, &e.treatment, "COL",
         "What may have changed it.", 0, 0},
        {"instruments", OPTION_TEXT | OPTION_NEEDED, &e.instruments, "A,B,..",
         "What moves the treatment, and the outcome only through it.", 0, 0},
        {"covariates", OPTION_TEXT, &e.covariates, "A,B,..",
         "Columns known before; texts are categories.", 0, 0},
        {"categories", OPTION_TEXT, &e.categories, "A,B,..",
         "Instruments and covariates whose values are categories, also where they are "
         "numbers.",
         0, 0},
        {"se", OPTION_TEXT, &e.se, "KIND", "classical (default), hc0 or hc1.", 0, 0},
        {"cluster", OPTION_TEXT, &e.cluster, "COL",
         "Rows with the same value are not independent.", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "estimate iv --data F.csv --outcome COL --treatment COL --instruments "
            "A,B,.. [OPTIONS]",
        .summary =
            "The effect of a treatment through instruments, by two-stage least squares, "
            "with tests of what it assumes.",
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
    free(e.clusters);
    design_free(&e.instrument_design);
    design_free(&e.design);
    columns_close(e.columns);
    name_list_free(&e.instrument_list);
    name_list_free(&e.covariate_list);
    name_list_free(&e.category_list);
    return command_end(&usage, rc, &err);
}
