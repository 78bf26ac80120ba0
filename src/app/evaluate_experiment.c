/* evaluate_experiment.c - redress evaluate experiment: the command; what it prints is in
 * evaluate_experiment_report.c. */
#include "app/evaluate.h"

#include "app/decision_rows.h"
#include "app/design.h"
#include "app/evaluate_experiment.h"
#include "app/roles.h"
#include "learn/sequence.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static enum status read_plan(struct experiment_plan *plan, struct err *err)
{
    const struct {
        const char *option, *text;
        double above, most, *number;
    } rows[] = {
        {"--plan", plan->size_text, 0, INFINITY, &plan->size},
        {"--alpha", plan->alpha_text, 0, 0.5, &plan->alpha},
        {"--power", plan->power_text, 0, 0.999999, &plan->power},
        {"--sd", plan->sd_text, 0, INFINITY, &plan->sd},
        {"--rate", plan->rate_text, 0, 1, &plan->rate},
        {"--correlation", plan->correlation_text, -1, 1, &plan->correlation},
    };
    enum status rc = STATUS_OK;

    for (size_t i = 0; i < sizeof rows / sizeof *rows && !rc; i++)
        if (rows[i].text)
            rc = option_number_read(rows[i].option, rows[i].text, rows[i].above,
                                    rows[i].most, rows[i].number, err);
    if (!rc && plan->power <= plan->alpha)
        rc = err_set(err, STATUS_INVALID,
                     "--power: %g is not above the %g of --alpha, which differences are "
                     "found with that are not there",
                     plan->power, plan->alpha);
    if (!rc && plan->rate_text && plan->rate + plan->size > 1)
        rc = err_set(err, STATUS_INVALID, "--rate and --plan: %g is no rate",
                     plan->rate + plan->size);
    return rc;
}

/* "COL:MARGIN,.." */
static enum status read_guardrails(struct experiment_evaluation *e, struct err *err)
{
    struct name_list list;
    enum status rc = name_list_read("--guardrail", e->guardrail_text, &list, err);

    if (!rc && list.count > GUARDRAIL_COUNT_MAX)
        rc = err_set(err, STATUS_TOO_LARGE, "--guardrail: more than %d",
                     GUARDRAIL_COUNT_MAX);
    for (int i = 0; i < list.count && !rc; i++) {
        struct guardrail *guardrail = &e->guardrails[i];
        const char *colon = strrchr(list.names[i], ':');

        if (!colon || colon == list.names[i] ||
            option_number_read("--guardrail", colon + 1, -INFINITY, INFINITY,
                               &guardrail->margin, err)) {
            rc = err_set(err, STATUS_INVALID, "--guardrail: '%.60s' is not COL:MARGIN",
                         list.names[i]);
            break;
        }
        guardrail->column = strndup(list.names[i], (size_t)(colon - list.names[i]));
        if (!guardrail->column)
            rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a name");
        e->guardrail_count++;
    }
    name_list_free(&list);
    return rc;
}

static enum status check_roles(const struct experiment_evaluation *e, struct err *err)
{
    struct role_use uses[4 + GUARDRAIL_COUNT_MAX] = {
        {"--arm", AS_TREATMENT, e->arm, NULL},
        {"--metric", AS_OUTCOME, e->metric, NULL},
        {"--covariate", AS_BEFORE, e->covariate, NULL},
        {"--cluster", AS_ABOUT, e->cluster, NULL},
    };
    int count = 4;

    for (int i = 0; i < e->guardrail_count; i++)
        uses[count++] =
            (struct role_use){"--guardrail", AS_BESIDE, e->guardrails[i].column, NULL};
    return roles_check(uses, count, err);
}

static enum status read_options(struct experiment_evaluation *e, struct err *err)
{
    enum status rc = read_plan(&e->plan, err);

    if (!rc)
        rc = read_guardrails(e, err);
    return rc ? rc : check_roles(e, err);
}

/* Weights may sum to anything, as 1,2 does; what looks like shares of one whole has to
 * be. */
static enum status check_shares(const struct experiment_evaluation *e, double *sum,
                                struct err *err)
{
    bool are_parts = true;

    *sum = 0;
    for (int i = 0; i < e->arms.count; i++) {
        if (!(e->share_list[i] > 0))
            return err_set(err, STATUS_INVALID, "--shares: %g is not above 0",
                           e->share_list[i]);
        are_parts &= e->share_list[i] < 1;
        *sum += e->share_list[i];
    }
    if (are_parts && fabs(*sum - 1) > 1e-6)
        return err_set(err, STATUS_INVALID,
                       "--shares: sum to %g, not to 1; or give weights, as 1,2", *sum);
    return STATUS_OK;
}

/* In the order of the arms; equal ones unless said otherwise. */
static enum status read_shares(struct experiment_evaluation *e, struct err *err)
{
    double sum = 1;
    enum status rc;

    for (int i = 0; i < e->arms.count; i++)
        e->share_list[i] = 1.0 / e->arms.count;
    if (!e->shares)
        return STATUS_OK;
    rc = arms_numbers(&e->arms, "--shares", e->shares, -1, e->share_list, err);
    if (!rc)
        rc = option_checked(check_shares(e, &sum, err), err);
    for (int i = 0; i < e->arms.count && !rc; i++)
        e->share_list[i] /= sum;
    return rc;
}

static enum status read_clusters(struct experiment_evaluation *e, struct err *err)
{
    int32_t count;
    enum status rc = codes_of_column(e->columns, &e->columns->items[cluster_column(e)],
                                     &e->cluster_codes, &count, err);

    if (!rc)
        rc = row_clusters_init(e->cluster_codes, count, &e->room, err);
    e->clusters = rc ? NULL : &e->room;
    return rc;
}

/* How clusters differ is seen where there are several: one alone has no error, however
 * many its rows. */
static enum status check_clusters(const struct experiment_evaluation *e, int column,
                                  struct err *err)
{
    const struct table_column *values = &e->columns->items[column];
    int32_t first[ARM_COUNT_MAX];
    bool are_several[ARM_COUNT_MAX] = {false};

    for (int i = 0; i < e->arms.count; i++)
        first[i] = -1;
    for (int64_t row = 0; row < e->columns->row_count; row++) {
        int arm = e->arms.codes[row];

        if (isnan(values->numbers[row]))
            continue;
        if (first[arm] < 0)
            first[arm] = e->cluster_codes[row];
        are_several[arm] |= e->cluster_codes[row] != first[arm];
    }
    for (int i = 0; i < e->arms.count; i++)
        if (!are_several[i])
            return err_set(err, STATUS_INVALID,
                           "%s: all rows of arm '%s' with '%s' are in one cluster, two "
                           "are needed",
                           e->columns->file, e->arms.names[i], values->name);
    return STATUS_OK;
}

/* Whether values are missing alike, of clusters. */
static enum status judge_clusters(const struct experiment_evaluation *e, int column,
                                  struct lost *lost, struct err *err)
{
    double shares[ARM_COUNT_MAX];
    const struct arm_rows rows = {e->arms.codes, e->columns->row_count, shares,
                                  e->arms.count};
    enum status rc = check_clusters(e, column, err);

    for (int i = 0; i < e->arms.count; i++)
        shares[i] = (double)e->arms.row_counts[i] / (double)e->columns->row_count;
    return rc ? rc
              : attrition_clustered(&rows, e->columns->items[column].numbers, e->clusters,
                                    &lost->chi2, &lost->p, err);
}

/* Each column is judged by the rows that have it; which rows have it should not depend on
 * the arm. */
static enum status find_lost(const struct experiment_evaluation *e, int column,
                             struct lost *lost, struct err *err)
{
    const struct table_column *values = &e->columns->items[column];

    for (int64_t row = 0; row < e->columns->row_count; row++)
        lost->counts[e->arms.codes[row]] += isnan(values->numbers[row]);
    for (int i = 0; i < e->arms.count; i++) {
        int64_t there = e->arms.row_counts[i] - lost->counts[i];

        if (there < 2)
            return err_set(err, STATUS_INVALID,
                           "%s: arm '%s' has %lld rows with '%s', two are needed",
                           e->columns->file, e->arms.names[i], (long long)there,
                           values->name);
    }
    attrition(lost->counts, e->arms.row_counts, e->arms.count, &lost->chi2, &lost->p);
    return e->clusters ? judge_clusters(e, column, lost, err) : STATUS_OK;
}

static enum status read_rows(struct experiment_evaluation *e, struct err *err)
{
    struct column_wish wishes[4 + GUARDRAIL_COUNT_MAX + DECISION_ROWS_WISH_COUNT] = {
        {e->arm, COLUMN_IS_NAME, false},
        {e->metric, COLUMN_IS_NUMBER, true},
    };
    struct decision_rows decisions;
    int count = 2;
    enum status rc;

    if (e->covariate)
        wishes[count++] = (struct column_wish){e->covariate, COLUMN_IS_NUMBER, true};
    for (int i = 0; i < e->guardrail_count; i++)
        wishes[count++] =
            (struct column_wish){e->guardrails[i].column, COLUMN_IS_NUMBER, true};
    if (e->cluster)
        wishes[count++] = (struct column_wish){e->cluster, COLUMN_IS_NAME, false};
    decision_rows_wish(wishes + count);
    rc = analysis_columns(e->data, wishes, count + DECISION_ROWS_WISH_COUNT, &e->columns,
                          err);
    if (!rc) /* all rows count, but none of them twice */
        rc = decision_rows_pick(e->columns, count, true, &decisions, err);
    if (!rc)
        rc = arms_read(e->columns, &e->columns->items[0], e->control, &e->arms, err);
    if (!rc)
        rc = read_shares(e, err);
    if (!rc && e->cluster)
        rc = read_clusters(e, err);
    if (rc)
        return rc;
    rc = find_lost(e, 1, &e->lost[0], err);
    for (int i = 0; i < e->guardrail_count && !rc; i++)
        rc = find_lost(e, guardrail_column(e, i), &e->lost[1 + i], err);
    return rc;
}

/* Of a metric of 0 and 1, as --rate is. */
static enum status check_plan(const struct experiment_evaluation *e, struct err *err)
{
    double rate = e->samples[e->arms.control].mean;

    if (!e->plan.size_text || rate + e->plan.size <= 1 ||
        !few_is_binary(e->columns->items[1].numbers, e->columns->row_count))
        return STATUS_OK;
    return err_set(
        err, STATUS_INVALID,
        "%s column '%s': is 0 or 1, in the control 1 in a share of %.4g, which "
        "cannot rise by the %g of --plan",
        e->columns->file, e->metric, rate, e->plan.size);
}

static enum status measure(struct experiment_evaluation *e, struct err *err)
{
    bool is_constant = true;

    for (int i = 0; i < e->arms.count; i++) {
        e->samples[i] = sample_of(e->columns->items[1].numbers, e->arms.codes,
                                  e->columns->row_count, i);
        is_constant &= e->samples[i].variance == 0;
    }
    if (is_constant)
        return err_set(err, STATUS_INVALID, "%s column '%s': does not vary in any arm",
                       e->columns->file, e->metric);
    sample_ratio(e->arms.row_counts, e->share_list, e->arms.count, &e->chi2, &e->srm_p);
    return e->clusters ? sample_ratio_clustered(
                             &(struct arm_rows){e->arms.codes, e->columns->row_count,
                                                e->share_list, e->arms.count},
                             e->clusters, &e->chi2, &e->srm_p, err)
                       : STATUS_OK;
}

struct contrast experiment_contrast(const struct experiment_evaluation *e, int column,
                                    int arm)
{
    return (struct contrast){
        .values = e->columns->items[column].numbers,
        .codes = e->arms.codes,
        .row_count = e->columns->row_count,
        .arm = arm,
        .control = e->arms.control,
        .clusters = e->clusters,
        .tightest_at = (double)e->tightest_at,
    };
}

static void find_few_clusters(struct experiment_evaluation *e)
{
    for (int arm = 0; arm < e->arms.count; arm++) {
        const struct contrast contrast = experiment_contrast(e, 1, arm);

        few_check_clusters(&e->few, e->cluster, e->arms.names[arm],
                           contrast_clusters(&contrast, arm));
    }
}

static void find_few_draws(struct experiment_evaluation *e, int column, const char *name)
{
    for (int arm = 0; arm < e->arms.count; arm++) {
        const struct contrast contrast = experiment_contrast(e, column, arm);
        struct difference difference;

        if (arm == e->arms.control)
            continue;
        difference_between(&contrast, &difference);
        few_check_draws(&e->few, name, e->arms.names[arm], difference.draws,
                        e->clusters != NULL);
    }
}

/* Of the metric, then the guardrails. */
static void find_few(struct experiment_evaluation *e)
{
    int64_t row_count = e->columns->row_count;

    static_assert(1 + GUARDRAIL_COUNT_MAX <= FEW_COLUMN_COUNT_MAX);
    if (e->clusters)
        find_few_clusters(e);
    for (int i = 0; i <= e->guardrail_count; i++) {
        const double *numbers =
            e->columns->items[i ? guardrail_column(e, i - 1) : 1].numbers;
        bool is_binary = few_is_binary(numbers, row_count);

        for (int arm = 0; arm < e->arms.count; arm++) {
            struct sample sample = sample_of(numbers, e->arms.codes, row_count, arm);

            few_check_arm(&e->few, i ? e->guardrails[i - 1].column : e->metric,
                          e->arms.names[arm], sample.count, sample.other_count,
                          is_binary);
        }
        if (e->clusters || !is_binary) /* else events have said it */
            find_few_draws(e, i ? guardrail_column(e, i - 1) : 1,
                           i ? e->guardrails[i - 1].column : e->metric);
    }
}

/* ---- the command ---- */

bool experiment_has_mismatch(const struct experiment_evaluation *e)
{
    return e->srm_p < EXPERIMENT_SRM_P_MIN;
}

bool experiment_lost_some(const struct experiment_evaluation *e)
{
    bool is_some = false;

    for (int i = 0; i <= e->guardrail_count; i++)
        is_some |= e->lost[i].p < EXPERIMENT_SRM_P_MIN;
    return is_some;
}

static enum status run(struct experiment_evaluation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    if (!rc && !e->data) {
        if (e->is_json)
            return experiment_plan_json(&e->plan, err);
        experiment_plan_print(&e->plan);
        return STATUS_OK;
    }
    if (!rc)
        rc = read_rows(e, err);
    if (!rc)
        rc = measure(e, err);
    if (!rc)
        rc = check_plan(e, err);
    if (!rc && e->covariate)
        rc = explained_find(e->columns, 1, 2, 1, e->arms.codes, &e->explained, err);
    if (!rc)
        find_few(e);
    if (!rc && e->is_json)
        rc = experiment_evaluation_json(e, err);
    else if (!rc)
        experiment_evaluation_print(e);
    return rc;
}

static bool is_constant(const struct columns *columns, const struct table_column *column)
{
    struct err err;

    return column_must_vary(columns, column, &err) != STATUS_OK;
}

static void warn(const struct experiment_evaluation *e)
{
    if (experiment_has_mismatch(e))
        fprintf(
            stderr,
            "redress: SAMPLE RATIO MISMATCH (p = %.2g): the arms do not have the sizes "
            "they should have.\n"
            "redress: something decides who is counted; do not believe the differences "
            "before it is found.\n",
            e->srm_p);
    for (int i = 0; i <= e->guardrail_count; i++)
        if (e->lost[i].p < EXPERIMENT_SRM_P_MIN)
            print_line(
                stderr,
                "redress: DIFFERENTIAL ATTRITION (p = %.2g): '%s' is missing in some "
                "arms more than in others; do not believe its differences before it "
                "is known why.",
                e->lost[i].p, i ? e->guardrails[i - 1].column : e->metric);
    for (int i = 0; i < e->guardrail_count; i++)
        if (experiment_broke_guardrail(e, i))
            print_line(stderr,
                       "redress: GUARDRAIL BROKEN: '%s' is worse by more than the margin "
                       "of %g",
                       e->guardrails[i].column, fabs(e->guardrails[i].margin));
    if (e->covariate && is_constant(e->columns, &e->columns->items[2]))
        print_line(stderr,
                   "redress: the covariate '%s' is the same in every row: it takes no "
                   "noise away, and is not used",
                   e->covariate);
    few_warn(&e->few);
    explained_warn(&e->explained, e->metric);
}

static bool is_failed(const struct experiment_evaluation *e)
{
    bool is_broken = false;

    for (int i = 0; i < e->guardrail_count; i++)
        is_broken |= experiment_broke_guardrail(e, i);
    return is_broken || experiment_has_mismatch(e) || experiment_lost_some(e);
}

/* What is wrong with the options; NULL: nothing. */
static const char *wrong_options(const struct experiment_evaluation *e)
{
    const struct experiment_plan *plan = &e->plan;
    bool has_guess = plan->sd_text || plan->rate_text || plan->correlation_text;

    if ((plan->alpha_text || plan->power_text || has_guess) && !plan->size_text)
        return "--alpha, --power, --sd, --rate and --correlation go with --plan";
    if (!e->data && (!plan->size_text || !plan->sd_text == !plan->rate_text))
        return "--data is needed, or --plan with one of --sd and --rate";
    if (e->data && has_guess)
        return "--sd, --rate and --correlation are for a plan without --data";
    if (e->data && (!e->arm || !e->metric))
        return "--arm and --metric are needed";
    return NULL;
}

int command_evaluate_experiment(int argc, char **argv)
{
    struct experiment_evaluation e = {
        .tightest_at = SEQUENCE_ROWS_TIGHTEST,
        .srm_p = 1,
        .plan = {.alpha = 0.05, .power = 0.8},
    };
    const struct option_spec options[] = {
        {"data", OPTION_TEXT, &e.data, "F.csv", "One row each; - is standard input.", 0,
         0},
        {"arm", OPTION_TEXT | OPTION_WITH_FIRST, &e.arm, "COL", "Which arm a row is in.",
         0, 0},
        {"metric", OPTION_TEXT | OPTION_WITH_FIRST, &e.metric, "COL",
         "What is compared, where it is not missing.", 0, 0},
        {"covariate", OPTION_TEXT | OPTION_WITH_FIRST, &e.covariate, "COL",
         "Known before: takes noise away (CUPED).", 0, 0},
        {"cluster", OPTION_TEXT | OPTION_WITH_FIRST, &e.cluster, "COL",
         "Rows with the same value are not independent.", 0, 0},
        {"control", OPTION_TEXT | OPTION_WITH_FIRST, &e.control, "VALUE",
         "The arm to compare with (default: 0 or control).", 0, 0},
        {"shares", OPTION_TEXT | OPTION_WITH_FIRST, &e.shares, "A,B,..",
         "How rows should be shared among the arms, in rising order or as ARM=A: shares "
         "that sum to 1, or weights, one of them at least 1 (default: equally).",
         0, 0},
        {"guardrail", OPTION_TEXT | OPTION_WITH_FIRST, &e.guardrail_text, "COL:MARGIN,..",
         "Columns that must not fall by more than a margin (0: at all); rise, when it is "
         "negative (-0).",
         0, 0},
        {"plan", OPTION_TEXT, &e.plan.size_text, "SIZE",
         "How many rows per arm find a difference of this size; without --data for --sd "
         "or --rate.",
         0, 0},
        {"alpha", OPTION_TEXT, &e.plan.alpha_text, "A",
         "Of a plan: how often a difference may be found where there is none (default "
         "0.05).",
         0, 0},
        {"power", OPTION_TEXT, &e.plan.power_text, "P",
         "Of a plan: how often it should be found (default 0.8).", 0, 0},
        {"sd", OPTION_TEXT, &e.plan.sd_text, "S",
         "Of a plan without --data: the metric's standard deviation.", 0, 0},
        {"rate", OPTION_TEXT, &e.plan.rate_text, "R",
         "In place of --sd, of a metric of 0 and 1: its share of 1 in the control.", 0,
         0},
        {"correlation", OPTION_TEXT, &e.plan.correlation_text, "C",
         "Of a plan without --data: of the metric with a value from before (CUPED).", 0,
         0},
        {"tightest-at", OPTION_INT | OPTION_WITH_FIRST, &e.tightest_at, "N",
         "Rows at which the bounds for every look are tightest; say so before the first "
         "look (default 10000).",
         2, 1000000000},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "evaluate experiment (--data F.csv --arm COL --metric COL | --plan "
                    "SIZE) [OPTIONS]",
        .summary =
            "The arms of a randomised experiment beside its control: differences, with "
            "a covariate, at every look, guardrails, sample ratio. Exit code 1 when "
            "the arms do not have the sizes they should have, what is missing differs "
            "between them, or a guardrail is broken. Before one: how many rows it needs.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    if (wrong_options(&e))
        return usage_wrong(&usage, wrong_options(&e));
    rc = run(&e, &err);
    code = command_end(&usage, rc, &err);
    if (!rc && e.data) {
        warn(&e);
        code = is_failed(&e) ? EXIT_REFUSED : EXIT_DONE;
    }
    for (int i = 0; i < e.guardrail_count; i++)
        free(e.guardrails[i].column);
    row_clusters_free(&e.room);
    free(e.cluster_codes);
    arms_free(&e.arms);
    columns_close(e.columns);
    return code;
}
