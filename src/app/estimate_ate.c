/* estimate_ate.c - redress estimate ate. */
#include "app/estimate.h"

#include "app/analysis.h"
#include "app/decision_rows.h"
#include "app/design.h"
#include "app/explained.h"
#include "app/few.h"
#include "app/report.h"
#include "app/roles.h"
#include "learn/distribution.h"
#include "learn/effect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLD_COUNT_MAX = 100, FIXED_COLUMN_COUNT = 2 };

struct estimation {
    const char *data, *treatment, *outcome, *covariates, *method, *estimand, *se,
        *cluster, *control, *arm, *placebo;
    long fold_count, seed;
    bool takes_all_rows, is_json;

    const char *categories;
    struct name_list covariate_list, category_list;
    struct columns
        *columns; /* treatment, outcome, covariates, then cluster and placebo, then what
                     says which rows of a decision log count */
    int placebo_item; /* where there is one */
    struct decision_rows decisions;
    struct arms arms;
    int treated;
    int64_t missing_count, other_count; /* rows that were left out */
    struct design design;
    double *treatments;
    int32_t *clusters;
    int32_t cluster_count;
    bool *dropped; /* (column of the design) */
    struct effect_rule rule;
    struct effect effect, placebo_effect;
    bool is_binary;
    double outcome_sd, e_value, e_limit;
    struct few_list few;
    struct explained explained;
};

static const char default_errors[] = "hc2";

/* ---- options ---- */

static enum status read_rule(struct estimation *e, struct err *err)
{
    enum status rc = effect_method_read(e->method, &e->rule.method, err);

    if (!rc)
        rc = covariance_kind_read(e->se, &e->rule.kind, err);
    if (rc)
        return rc;
    e->rule.is_att = strcmp(e->estimand, "att") == 0;
    e->rule.fold_count = (int)e->fold_count;
    e->rule.seed = (uint64_t)e->seed;
    if (!e->rule.is_att && strcmp(e->estimand, "ate") != 0)
        return err_set(err, STATUS_INVALID, "--estimand: '%.40s' is neither ate nor att",
                       e->estimand);
    if (e->rule.is_att && e->rule.method == EFFECT_OLS)
        return err_set(err, STATUS_INVALID,
                       "--estimand att is for the methods lin, ipw and aipw: ols has one "
                       "effect for all rows, which is neither that of all nor that of "
                       "the treated where effects differ, but their mean weighted by how "
                       "much the treatment varies among rows alike");
    if (e->rule.is_att && e->rule.method == EFFECT_DIFFERENCE)
        return err_set(err, STATUS_INVALID,
                       "--estimand att is for the methods lin, ipw and aipw: a "
                       "difference of means does not tell the treated from all");
    if (e->rule.fold_count > 0 && e->rule.method != EFFECT_AIPW)
        return err_set(err, STATUS_INVALID, "--folds is for the method aipw");
    return STATUS_OK;
}

static enum status check_roles(const struct estimation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--treatment", AS_TREATMENT, e->treatment, NULL},
        {"--outcome", AS_OUTCOME, e->outcome, NULL},
        {"--covariates", AS_BEFORE, NULL, &e->covariate_list},
        {"--cluster", AS_ABOUT, e->cluster, NULL},
        {"--placebo", AS_OUTCOME, e->placebo, NULL},
    };

    return roles_check(uses, sizeof uses / sizeof *uses, err);
}

static enum status read_options(struct estimation *e, struct err *err)
{
    enum status rc = read_rule(e, err);

    e->takes_all_rows |= decision_rows_is_mark(e->treatment);
    if (!rc)
        rc = name_list_read("--covariates", e->covariates, &e->covariate_list, err);
    if (!rc)
        rc = categories_read(e->categories, &e->covariate_list, NULL, &e->category_list,
                             err);
    return rc ? rc : check_roles(e, err);
}

/* ---- reading ---- */

static enum status read_columns(struct estimation *e, struct err *err)
{
    int count = e->covariate_list.count;
    struct column_wish *wishes =
        calloc((size_t)count + 4 + DECISION_ROWS_WISH_COUNT, sizeof *wishes);
    enum status rc;

    if (!wishes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d columns", count);
    wishes[0] = (struct column_wish){e->treatment, COLUMN_IS_EITHER, false};
    wishes[1] = (struct column_wish){e->outcome, COLUMN_IS_NUMBER, true};
    for (int i = 0; i < count; i++)
        wishes[FIXED_COLUMN_COUNT + i] =
            feature_wish(e->covariate_list.names[i], &e->category_list);
    count += FIXED_COLUMN_COUNT;
    if (e->cluster)
        wishes[count++] = (struct column_wish){e->cluster, COLUMN_IS_EITHER, false};
    if (e->placebo) {
        e->placebo_item = count;
        wishes[count++] = (struct column_wish){e->placebo, COLUMN_IS_NUMBER, true};
    }
    if (!e->takes_all_rows)
        decision_rows_wish(wishes + count);
    rc = analysis_columns(e->data, wishes,
                          count + (e->takes_all_rows ? 0 : DECISION_ROWS_WISH_COUNT),
                          &e->columns, err);
    free(wishes);
    if (!rc)
        rc = features_check(e->columns, FIXED_COLUMN_COUNT, e->covariate_list.count,
                            &e->category_list, err);
    return rc || e->takes_all_rows
               ? rc
               : decision_rows_pick(e->columns, count, &e->decisions, err);
}

/* Rows of other arms count as missing the treatment: then one sweep leaves all of them out. */
static enum status leave_out(struct estimation *e, struct err *err)
{
    struct table_column *treatment = &e->columns->items[0];
    enum status rc = column_to_treatments(e->columns, treatment, &e->arms, e->treated,
                                          &e->other_count, err);

    if (rc)
        return rc;
    e->treatments = treatment->numbers;
    e->missing_count = columns_drop_missing(e->columns) - e->other_count;
    if (e->columns->row_count == 0)
        return err_set(err, STATUS_INVALID, "%s: no row has all of the columns",
                       e->columns->file);
    return STATUS_OK;
}

/* One row has no spread, and a regression that goes through it no error. */
static enum status check_arms(const struct estimation *e, struct err *err)
{
    int64_t counts[2] = {0};

    for (int64_t i = 0; i < e->columns->row_count; i++)
        counts[e->treatments[i] != 0]++;
    for (int side = 0; side < 2; side++)
        if (counts[side] < 2)
            return err_set(err, STATUS_INVALID,
                           "%s: arm '%s' has %lld rows with all columns, two are needed",
                           e->columns->file,
                           e->arms.names[side ? e->treated : e->arms.control],
                           (long long)counts[side]);
    return STATUS_OK;
}

/* How clusters differ is seen where there are several: one alone has no error, however many its rows. */
static enum status check_clusters(const struct estimation *e, struct err *err)
{
    int32_t first[2] = {-1, -1};
    bool are_several[2] = {false, false};

    for (int64_t i = 0; i < e->columns->row_count; i++) {
        int side = e->treatments[i] != 0;

        if (first[side] < 0)
            first[side] = e->clusters[i];
        are_several[side] |= e->clusters[i] != first[side];
    }
    for (int side = 0; side < 2; side++)
        if (!are_several[side])
            return err_set(err, STATUS_INVALID,
                           "%s: all rows of arm '%s' are in one cluster, two are needed",
                           e->columns->file,
                           e->arms.names[side ? e->treated : e->arms.control]);
    return STATUS_OK;
}

static void describe_outcome(struct estimation *e)
{
    const double *y = e->columns->items[1].numbers;
    double n = (double)e->columns->row_count, mean = 0, squares = 0;

    e->is_binary = true;
    for (int64_t i = 0; i < e->columns->row_count; i++) {
        e->is_binary &= y[i] == 0 || y[i] == 1;
        mean += y[i] / n;
    }
    for (int64_t i = 0; i < e->columns->row_count; i++)
        squares += (y[i] - mean) * (y[i] - mean);
    e->outcome_sd = sqrt(squares / (n - 1));
}

/* What is compared, and what should not differ. */
static enum status check_outcomes(const struct estimation *e, struct err *err)
{
    const struct table_column *items = e->columns->items;
    enum status rc = column_must_vary(e->columns, &items[1], err);

    return rc || !e->placebo ? rc
                             : column_must_vary(e->columns, &items[e->placebo_item], err);
}

static enum status read_rows(struct estimation *e, struct err *err)
{
    enum status rc = read_columns(e, err);

    if (!rc)
        rc = arms_read(e->columns, &e->columns->items[0], e->control, &e->arms, err);
    if (!rc)
        rc = arms_find_treated(&e->arms, e->columns, e->treatment, "--arm", e->arm,
                               &e->treated, err);
    if (!rc)
        rc = leave_out(e, err);
    if (!rc)
        rc = check_arms(e, err);
    if (!rc)
        rc = check_outcomes(e, err);
    if (rc)
        return rc;
    describe_outcome(e);
    rc = design_make(e->columns, FIXED_COLUMN_COUNT, e->covariate_list.count, &e->design,
                     err);
    if (!rc && e->cluster)
        rc = clusters_of_column(e->columns, FIXED_COLUMN_COUNT + e->covariate_list.count,
                                &e->clusters, &e->cluster_count, err);
    if (!rc && e->cluster)
        rc = check_clusters(e, err);
    if (!rc) {
        e->dropped = calloc((size_t)e->design.column_count + 1, sizeof *e->dropped);
        if (!e->dropped)
            rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d columns",
                         e->design.column_count);
    }
    return rc;
}

/* ---- estimating ---- */

/* Which column says who was treated is more than that some do. */
static enum status explain_refusal(const struct estimation *e,
                                   const struct effect_data *data, enum status rc,
                                   struct err *err)
{
    int column = e->effect.is_determined ? effect_separating(data) : -1;

    if (column < 0)
        return err_wrap(err, "%s", e->columns->file);
    return err_set(err, rc,
                   "%s column '%s': tells rows of one arm from all of the other, so that "
                   "nothing is like them: leave it out, or the rows that it is sure of",
                   e->columns->file, e->design.names[column]);
}

static enum status estimate(struct estimation *e, struct err *err)
{
    struct effect_data data = {
        .row_count = e->columns->row_count,
        .column_count = e->design.column_count,
        .treatments = e->treatments,
        .outcomes = e->columns->items[1].numbers,
        .covariates = e->design.columns,
        .clusters = e->clusters,
        .cluster_count = e->cluster_count,
    };
    enum status rc = effect_estimate(&data, e->rule, &e->effect, e->dropped, err);

    if (rc == STATUS_INVALID)
        return explain_refusal(e, &data, rc, err);
    if (rc)
        return rc;
    effect_e_value(&e->effect, e->is_binary, e->outcome_sd, &e->e_value, &e->e_limit);
    if (!e->placebo)
        return STATUS_OK;
    data.outcomes = e->columns->items[e->placebo_item].numbers;
    return effect_estimate(&data, e->rule, &e->placebo_effect, NULL, err);
}

static enum status find_explained(struct estimation *e, struct err *err)
{
    int64_t n = e->columns->row_count;
    int32_t *arms;
    enum status rc;

    if (e->rule.method == EFFECT_DIFFERENCE)
        return STATUS_OK;
    arms = malloc((size_t)n * sizeof *arms);
    if (!arms)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)n);
    for (int64_t i = 0; i < n; i++)
        arms[i] = e->treatments[i] != 0;
    rc = explained_find(e->columns, 1, FIXED_COLUMN_COUNT, e->covariate_list.count, arms,
                        &e->explained, err);
    free(arms);
    return rc;
}

static void find_few(struct estimation *e)
{
    const struct effect *effect = &e->effect;

    if (e->cluster) {
        few_check_clusters(&e->few, e->cluster, e->arms.names[e->treated],
                           effect->clusters_treated);
        few_check_clusters(&e->few, e->cluster, e->arms.names[e->arms.control],
                           effect->clusters_control);
    }
    few_check_arm(&e->few, e->outcome, e->arms.names[e->treated], effect->treated_count,
                  effect->treated_mean, e->is_binary);
    few_check_arm(&e->few, e->outcome, e->arms.names[e->arms.control],
                  effect->control_count, effect->control_mean, e->is_binary);
}

static const char *errors_name(const struct estimation *e)
{
    if (e->cluster)
        return "cr1";
    return e->rule.method == EFFECT_IPW || e->rule.method == EFFECT_AIPW ? "influence"
                                                                         : e->se;
}

static double p_of(const struct effect *effect)
{
    return student_two_sided(effect->value / effect->se, effect->freedom);
}

static bool has_overlap(const struct estimation *e)
{
    return !isnan(e->effect.p_min);
}

static void warn(const struct estimation *e)
{
    int64_t n = e->columns->row_count;

    for (int i = 0; i < e->design.column_count; i++)
        if (e->dropped[i] && e->rule.method != EFFECT_DIFFERENCE)
            print_line(stderr,
                       "redress: %s: is constant or follows from the columns before it, "
                       "left out",
                       e->design.names[i]);
    if (e->se != default_errors && strcmp(errors_name(e), e->se) != 0)
        print_line(stderr, "redress: --se %s is not used: the errors are %s", e->se,
                   e->cluster ? "those of clusters (CR1)"
                              : "by the influence of each row");
    if (e->rule.method == EFFECT_DIFFERENCE && e->design.column_count > 0)
        fprintf(stderr, "redress: the method difference does not use --covariates\n");
    if (has_overlap(e) && e->effect.outside_count > n / 10)
        fprintf(
            stderr,
            "redress: poor overlap: %lld of %lld rows have a probability of treatment "
            "outside of 0.1 to 0.9\n",
            (long long)e->effect.outside_count, (long long)n);
    if (e->effect.certain_count > 0)
        fprintf(
            stderr,
            "redress: %lld of %lld rows have a probability of treatment that is 0 or 1 "
            "to 1e-15, the first of those used is row %lld: nothing like them was in "
            "the other arm\n",
            (long long)e->effect.certain_count, (long long)n,
            (long long)e->effect.certain_row + 1);
    if (e->placebo && p_of(&e->placebo_effect) < 0.05)
        print_line(
            stderr,
            "redress: the placebo '%s' has an effect (%.4g, se %.2g): the arms differ "
            "in more than the treatment",
            e->placebo, e->placebo_effect.value, e->placebo_effect.se);
    few_warn(&e->few);
    explained_warn(&e->explained, e->outcome);
}

/* ---- printing ---- */

static void put_overlap(const struct effect *effect, struct report *report)
{
    report_object(report, "overlap");
    report_number(report, "p_min", effect->p_min);
    report_number(report, "p_max", effect->p_max);
    report_number(report, "ess_treated", effect->effective_treated);
    report_number(report, "ess_control", effect->effective_control);
    report_count(report, "outside", effect->outside_count);
    report_count(report, "certain", effect->certain_count);
    report_object_end(report);
}

static enum status print_json(const struct estimation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    analysis_put_effect(report, e->effect.value, e->effect.se, e->effect.freedom);
    report_count(report, "n", e->columns->row_count);
    report_string(report, "method", e->method);
    report_string(report, "estimand", e->estimand);
    report_string(report, "se_kind", errors_name(e));
    report_string(report, "control", e->arms.names[e->arms.control]);
    report_string(report, "treated", e->arms.names[e->treated]);
    report_count(report, "n_treated", e->effect.treated_count);
    report_count(report, "n_control", e->effect.control_count);
    report_count(report, "dropped_rows", e->missing_count);
    decision_rows_put(&e->decisions, report);
    if (e->cluster)
        analysis_put_clusters(report, e->cluster_count, e->effect.freedom);
    report_array(report, "dropped_columns");
    for (int i = 0; i < e->design.column_count; i++)
        if (e->dropped[i])
            report_string(report, NULL, e->design.names[i]);
    report_array_end(report);
    few_put(&e->few, report);
    explained_put(&e->explained, report);
    if (has_overlap(e))
        put_overlap(&e->effect, report);
    report_object(report, "e_value");
    report_number(report, "estimate", e->e_value);
    report_number(report, "ci", e->e_limit);
    report_object_end(report);
    if (e->placebo) {
        report_object(report, "placebo");
        report_string(report, "outcome", e->placebo);
        analysis_put_effect(report, e->placebo_effect.value, e->placebo_effect.se,
                            e->placebo_effect.freedom);
        report_object_end(report);
    }
    report_object_end(report);
    return report_finish(report, err);
}

static void print_effect(const char *label, const struct effect *effect)
{
    double reach = student_95(effect->freedom) * effect->se;

    printf("%-12s %.6g   se %.4g   [%.6g, %.6g]   p %.3g\n", label, effect->value,
           effect->se, effect->value - reach, effect->value + reach, p_of(effect));
}

static void print_text(const struct estimation *e)
{
    print_line(stdout, "'%s' (%lld rows) against '%s' (%lld rows), %s by %s",
               e->arms.names[e->treated], (long long)e->effect.treated_count,
               e->arms.names[e->arms.control], (long long)e->effect.control_count,
               e->estimand, e->method);
    print_effect("effect", &e->effect);
    if (e->cluster)
        printf("%-12s %s of %d clusters, Student's t with %.4g degrees of freedom\n",
               "errors", errors_name(e), e->cluster_count, e->effect.freedom);
    else
        printf("%-12s %s\n", "errors", errors_name(e));
    if (has_overlap(e))
        printf(
            "%-12s p from %.4g to %.4g; effective rows %.1f treated, %.1f control; %lld "
            "outside of 0.1 to 0.9\n",
            "overlap", e->effect.p_min, e->effect.p_max, e->effect.effective_treated,
            e->effect.effective_control, (long long)e->effect.outside_count);
    if (!isnan(e->e_value))
        printf("%-12s %.3f, of the interval %.3f\n", "E-value", e->e_value, e->e_limit);
    if (e->placebo)
        print_effect("placebo", &e->placebo_effect);
    if (e->missing_count + e->other_count)
        printf("%-12s %lld rows with something missing, %lld of other arms\n", "left out",
               (long long)e->missing_count, (long long)e->other_count);
    decision_rows_print(&e->decisions);
}

static enum status run(struct estimation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    if (!rc)
        rc = read_rows(e, err);
    if (!rc)
        rc = estimate(e, err);
    if (!rc)
        rc = find_explained(e, err);
    if (rc)
        return rc;
    find_few(e);
    warn(e);
    if (e->is_json)
        return print_json(e, err);
    print_text(e);
    return STATUS_OK;
}

int command_estimate_ate(int argc, char **argv)
{
    struct estimation e = {
        .method = "difference", .estimand = "ate", .se = default_errors, .seed = 1};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "The rows; - is standard input.", 0, 0},
        {"treatment", OPTION_TEXT | OPTION_NEEDED, &e.treatment, "COL",
         "0 and 1, or words (see --control and --arm).", 0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &e.outcome, "COL",
         "What may have changed.", 0, 0},
        {"covariates", OPTION_TEXT, &e.covariates, "A,B,..",
         "Columns known before; texts are categories.", 0, 0},
        {"categories", OPTION_TEXT, &e.categories, "A,B,..",
         "Covariates whose values are categories, also where they are numbers.", 0, 0},
        {"method", OPTION_TEXT, &e.method, "M",
         "difference (default), ols, lin, ipw or aipw.", 0, 0},
        {"estimand", OPTION_TEXT, &e.estimand, "E",
         "ate: of all (default), or att: of the treated (lin, ipw, aipw).", 0, 0},
        {"se", OPTION_TEXT, &e.se, "KIND",
         "classical, hc0, hc1, hc2 (default) or hc3; of difference, ols and lin.", 0, 0},
        {"cluster", OPTION_TEXT, &e.cluster, "COL",
         "Rows with the same value are not independent.", 0, 0},
        {"control", OPTION_TEXT, &e.control, "VALUE",
         "The treatment of those who got none (default: 0 or control).", 0, 0},
        {"arm", OPTION_TEXT, &e.arm, "VALUE",
         "The treatment to judge, when there are more than two.", 0, 0},
        {"folds", OPTION_INT, &e.fold_count, "K",
         "Of aipw: fit on other rows than those it is used on (default: all rows).", 2,
         FOLD_COUNT_MAX},
        {"seed", OPTION_INT, &e.seed, "N", "Of the folds (default 1).", 0, INT32_MAX},
        {"placebo", OPTION_TEXT, &e.placebo, "COL",
         "An outcome that the treatment cannot have changed: its effect should be 0.", 0,
         0},
        {"all-rows", OPTION_FLAG, &e.takes_all_rows, NULL, DECISION_ROWS_ALL_HELP, 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "estimate ate --data F.csv --treatment COL --outcome COL [OPTIONS]",
        .summary = "The average effect of a treatment, with robust errors, overlap and "
                   "sensitivity.",
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
    design_free(&e.design);
    arms_free(&e.arms);
    columns_close(e.columns);
    name_list_free(&e.covariate_list);
    name_list_free(&e.category_list);
    return command_end(&usage, rc, &err);
}
