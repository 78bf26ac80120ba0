/* estimate_ate.c - redress estimate ate. */
#include "app/estimate.h"

#include "app/estimate_ate.h"
#include "app/roles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLD_COUNT_MAX = 100, FIXED_COLUMN_COUNT = 2 };

const char estimate_ate_errors[] = "hc2";

/* ---- options ---- */

static enum status read_rule(struct estimation *e, struct err *err)
{
    enum status rc = effect_method_read(e->method, &e->rule.method, err);

    if (!rc)
        rc = covariance_kind_read(e->se, &e->rule.kind, err);
    if (rc)
        return rc;
    e->rule.is_att = strcmp(e->estimand, "att") == 0;
    /* Who names a kind means the regression's own errors, as other programs print
     * them. */
    e->rule.are_means_known =
        e->rule.method == EFFECT_LIN && e->se != estimate_ate_errors && !e->cluster;
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
    wishes[0] = (struct column_wish){e->treatment, COLUMN_IS_NAME, false};
    wishes[1] = (struct column_wish){e->outcome, COLUMN_IS_NUMBER, true};
    for (int i = 0; i < count; i++)
        wishes[FIXED_COLUMN_COUNT + i] =
            feature_wish(e->covariate_list.names[i], &e->category_list);
    count += FIXED_COLUMN_COUNT;
    if (e->cluster)
        wishes[count++] = (struct column_wish){e->cluster, COLUMN_IS_NAME, false};
    if (e->placebo) {
        e->placebo_item = count;
        wishes[count++] = (struct column_wish){e->placebo, COLUMN_IS_NUMBER, true};
    }
    decision_rows_wish(wishes + count);
    rc = analysis_columns(e->data, wishes, count + DECISION_ROWS_WISH_COUNT, &e->columns,
                          err);
    free(wishes);
    if (!rc)
        rc = features_check(e->columns, FIXED_COLUMN_COUNT, e->covariate_list.count,
                            &e->category_list, err);
    return rc ? rc
              : decision_rows_pick(e->columns, count, e->takes_all_rows, &e->decisions,
                                   err);
}

/* Rows of other arms count as missing the treatment: then one sweep leaves all of them
 * out. */
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

/* How clusters differ is seen where there are several: one alone has no error, however
 * many its rows. */
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
                                   const struct effect_data *data,
                                   const struct effect *effect, const char *outcome,
                                   enum status rc, struct err *err)
{
    int column = effect->is_determined ? effect_separating(data) : -1;
    const char *name = column < 0 ? outcome : e->design.names[column];

    if (column >= 0)
        rc = err_set(err, rc,
                     "tells rows of one arm from all of the other, so that nothing is "
                     "like them: leave it out, or the rows that it is sure of");
    return analysis_wrap(e->columns, &name, column >= 0 || effect->is_exact, rc, err);
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
    enum status rc;

    e->rule.has_risks = e->is_binary;
    rc = effect_estimate(&data, e->rule, &e->effect, e->dropped, err);
    if (rc == STATUS_INVALID)
        return explain_refusal(e, &data, &e->effect, e->outcome, rc, err);
    if (rc)
        return rc;
    effect_e_value(&e->effect, e->is_binary, e->outcome_sd, &e->e_value, &e->e_limit);
    if (!e->placebo)
        return STATUS_OK;
    data.outcomes = e->columns->items[e->placebo_item].numbers;
    rc = effect_estimate(&data, e->rule, &e->placebo_effect, NULL, err);
    return rc == STATUS_INVALID
               ? explain_refusal(e, &data, &e->placebo_effect, e->placebo, rc, err)
               : rc;
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
                  effect->treated_others, e->is_binary);
    few_check_arm(&e->few, e->outcome, e->arms.names[e->arms.control],
                  effect->control_count, effect->control_others, e->is_binary);
    /* Of a plain difference of rows of 0 and 1 events have said it. */
    if (e->cluster || !e->is_binary || e->rule.method != EFFECT_DIFFERENCE)
        few_check_draws(&e->few, e->outcome, e->arms.names[e->treated], effect->draws,
                        e->cluster != NULL);
}

/* ---- the command ---- */

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
    estimate_ate_warn(e);
    if (e->is_json)
        return estimate_ate_json(e, err);
    estimate_ate_print(e);
    return STATUS_OK;
}

int command_estimate_ate(int argc, char **argv)
{
    struct estimation e = {
        .method = "difference", .estimand = "ate", .se = estimate_ate_errors, .seed = 1};
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
         "classical, hc0, hc1, hc2 (default) or hc3; of difference, ols and lin, whose "
         "effect is that of these very rows then.",
         0, 0},
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
