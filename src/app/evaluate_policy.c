/* evaluate_policy.c - redress evaluate policy: the command and what it prints. */
#include "app/evaluate.h"

#include "app/analysis.h"
#include "app/policy_candidate.h"
#include "app/policy_log.h"
#include "app/report.h"
#include "base/clock.h"
#include "learn/offpolicy.h"
#include "learn/reward_model.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLE_COUNT_MAX = 1000000, PARAMETER_COUNT_MAX = 16, NAME_BYTES = 64 };

struct evaluation {
    struct policy_log_request request;
    const char *bundle, *document; /* in place of request.policy; or */
    long limit;                    /* above 0 */
    struct candidate_summary summary;
    const char *base_name; /* NULL: not given */
    enum reward_base base;
    const char *parameters[OFFPOLICY_KIND_COUNT]; /* "1,5", by kind; NULL: none */
    long resample_count, seed;
    bool is_json;

    struct policy_log log;
    struct offpolicy_weights weights;
    struct offpolicy_estimate estimates[OFFPOLICY_ESTIMATOR_COUNT_MAX];
    char names[OFFPOLICY_ESTIMATOR_COUNT_MAX][NAME_BYTES];
    int estimate_count;
    char reasons[OFFPOLICY_REASON_COUNT_MAX + 1][OFFPOLICY_REASON_BYTES];
    int reason_count;
    struct analysis_timing timing;
};

/* What plain names stand for. */
static const double default_parameters[OFFPOLICY_KIND_COUNT] = {
    [OFFPOLICY_IPW_CLIP] = 0, /* only when it is asked for */
    [OFFPOLICY_SGIPW] = 0.05, [OFFPOLICY_SWITCH_DR] = 10,
    [OFFPOLICY_DROS] = 10,    [OFFPOLICY_SGDR] = 0.05,
};

/* ---- which estimates ---- */

static void add_estimate(struct evaluation *e, enum offpolicy_kind kind, double parameter,
                         const char *written)
{
    const char *name = offpolicy_kind_name(kind);
    int at = e->estimate_count;

    e->estimates[at] = (struct offpolicy_estimate){.kind = kind, .parameter = parameter};
    snprintf(e->names[at], NAME_BYTES, "%s%s%s", name, written ? "_" : "",
             written ? written : "");
    e->estimate_count++;
}

static bool is_share(enum offpolicy_kind kind)
{
    return kind == OFFPOLICY_SGIPW || kind == OFFPOLICY_SGDR;
}

/* "1,5": an estimate for each, named as it is written. */
static enum status add_list(struct evaluation *e, enum offpolicy_kind kind,
                            const char *option, const char *text, struct err *err)
{
    struct name_list list;
    enum status rc = name_list_read(option, text, &list, err);

    if (!rc && list.count > PARAMETER_COUNT_MAX)
        rc = err_set(err, STATUS_TOO_LARGE, "%s: more than %d numbers", option,
                     PARAMETER_COUNT_MAX);
    for (int i = 0; i < list.count && !rc; i++) {
        char *end;
        double parameter = strtod(list.names[i], &end);

        if (*end || !isfinite(parameter) || !(parameter > 0) ||
            (is_share(kind) && parameter > 1) || strlen(list.names[i]) > 24)
            rc = err_set(err, STATUS_INVALID, "%s: '%.40s' is not a number above 0%s",
                         option, list.names[i], is_share(kind) ? ", at most 1" : "");
        else
            add_estimate(e, kind, parameter, list.names[i]);
    }
    name_list_free(&list);
    return rc;
}

static enum status add_estimates(struct evaluation *e, struct err *err)
{
    static const char *const options[OFFPOLICY_KIND_COUNT] = {
        [OFFPOLICY_IPW_CLIP] = "--clip", [OFFPOLICY_SWITCH_DR] = "--switch",
        [OFFPOLICY_DROS] = "--dros",     [OFFPOLICY_SGIPW] = "--sg",
        [OFFPOLICY_SGDR] = "--sg",
    };
    enum status rc = STATUS_OK;

    for (int kind = 0; kind < OFFPOLICY_KIND_COUNT && !rc; kind++) {
        if (!options[kind] || default_parameters[kind] > 0)
            add_estimate(e, (enum offpolicy_kind)kind, default_parameters[kind], NULL);
        if (options[kind] && e->parameters[kind])
            rc = add_list(e, (enum offpolicy_kind)kind, options[kind],
                          e->parameters[kind], err);
    }
    return rc;
}

/* Whether there is a model is known when the log has been read. */
static void drop_estimates(struct evaluation *e)
{
    int kept = 0;

    for (int i = 0; i < e->estimate_count; i++) {
        if (offpolicy_kind_needs_model(e->estimates[i].kind) && !e->log.rows.logged_model)
            continue;
        e->estimates[kept] = e->estimates[i];
        if (kept < i)
            memcpy(e->names[kept], e->names[i], NAME_BYTES);
        kept++;
    }
    e->estimate_count = kept;
}

/* ---- estimating ---- */

static void judge(struct evaluation *e)
{
    if (e->log.bad_count > 0)
        snprintf(
            e->reasons[e->reason_count++], OFFPOLICY_REASON_BYTES,
            "%lld rows have no propensity above 0 and at most 1, the first on line %ld",
            (long long)e->log.bad_count, e->log.bad_line);
    else if (e->log.rows.row_count > 0)
        e->reason_count +=
            offpolicy_refuse(&e->log.rows, &e->weights, e->reasons + e->reason_count);
}

static enum status estimate(struct evaluation *e, struct err *err)
{
    struct analysis_progress progress = {.what = "resampling"};
    enum status rc = STATUS_OK;

    if (e->log.bad_count > 0) {
        e->estimate_count = 0;
        judge(e);
        return STATUS_OK;
    }
    drop_estimates(e);
    rc = offpolicy_weigh(&e->log.rows, &e->weights, err);
    if (rc)
        return rc;
    judge(e);
    rc = offpolicy_estimate(&e->log.rows, e->estimates, e->estimate_count, err);
    if (rc || e->resample_count == 0)
        return rc;
    progress_start(&progress.progress);
    rc = offpolicy_bootstrap(&e->log.rows, e->estimates, e->estimate_count,
                             (int)e->resample_count, (uint64_t)e->seed,
                             (struct offpolicy_progress){analysis_tell, &progress}, err);
    progress_end(&progress.progress);
    return rc;
}

/* ---- printing ---- */

static void put_interval(struct report *report, const char *key, double low, double high)
{
    if (isnan(low))
        report_null(report, key);
    else
        report_pair(report, key, low, high);
}

static void put_estimate(struct report *report, const char *name,
                         const struct offpolicy_estimate *estimate, bool has_bootstrap)
{
    report_key(report, text_of(name));
    report_object(report, NULL);
    report_number(report, "value", estimate->value);
    report_number(report, "se", estimate->se);
    put_interval(report, "ci", estimate->low, estimate->high);
    put_interval(report, "sequential", estimate->sequence_low, estimate->sequence_high);
    if (has_bootstrap)
        put_interval(report, "bootstrap_ci", estimate->bootstrap_low,
                     estimate->bootstrap_high);
    if (offpolicy_kind_is_biased(estimate->kind))
        report_bool(report, "biased", true);
    report_object_end(report);
}

/* The best of those without bias: with a model, self-normalised. */
static const struct offpolicy_estimate *headline(const struct evaluation *e)
{
    const struct offpolicy_estimate *best = NULL;

    for (int i = 0; i < e->estimate_count; i++)
        if (e->estimates[i].kind == OFFPOLICY_SNIPW ||
            e->estimates[i].kind == OFFPOLICY_DR)
            best = &e->estimates[i];
    return best;
}

static enum status put_comparison(const struct evaluation *e, struct report *report,
                                  struct err *err)
{
    double logged, difference, se;
    enum status rc =
        offpolicy_compare(&e->log.rows, headline(e), &logged, &difference, &se, err);

    if (rc)
        return rc;
    report_number(report, "logged_value", logged);
    report_object(report, "difference");
    report_string(report, "of", offpolicy_kind_name(headline(e)->kind));
    report_number(report, "value", difference);
    report_number(report, "se", se);
    put_interval(report, "ci", difference - 1.959963984540054 * se,
                 difference + 1.959963984540054 * se);
    report_object_end(report);
    return STATUS_OK;
}

static void put_model(const struct reward_fit *model, struct report *report)
{
    if (model->base == REWARD_BASE_NONE) {
        report_null(report, "outcome_model");
        return;
    }
    report_object(report, "outcome_model");
    report_string(report, "base", reward_base_name(model->base));
    report_count(report, "folds", REWARD_FOLD_COUNT);
    report_count(report, "features", model->column_count);
    report_number(report, "explained", model->explained);
    report_object_end(report);
}

static void put_summary(const struct evaluation *e, struct report *report)
{
    const struct candidate_summary *summary = &e->summary;

    if (e->request.policy)
        return;
    report_object(report, "passed_over");
    report_count(report, "by_person", summary->passed_over.by_person);
    report_count(report, "not_live", summary->passed_over.not_live);
    report_count(report, "without_reward", summary->passed_over.without_reward);
    report_object_end(report);
    put_model(&summary->model, report);
    if (isnan(summary->price))
        return;
    report_object(report, "budget");
    report_count(report, "limit", e->limit);
    report_number(report, "price", summary->price);
    report_count(report, "given", summary->given);
    report_object_end(report);
}

static enum status put_all(const struct evaluation *e, struct report *report,
                           struct err *err)
{
    enum status rc = STATUS_OK;

    report_object(report, NULL);
    report_count(report, "n", e->log.row_count);
    if (e->log.bad_count == 0) {
        report_number(report, "ess", e->weights.effective_rows);
        report_number(report, "ess_clusters", e->weights.effective_clusters);
        report_number(report, "max_weight", e->weights.max);
        report_number(report, "mean_weight", e->weights.mean);
        report_number(report, "mean_weight_se", e->weights.mean_se);
    } else {
        report_null(report, "ess");
        report_null(report, "ess_clusters");
        report_null(report, "max_weight");
        report_null(report, "mean_weight");
        report_null(report, "mean_weight_se");
    }
    report_object(report, "estimators");
    for (int i = 0; i < e->estimate_count; i++)
        put_estimate(report, e->names[i], &e->estimates[i], e->resample_count > 0);
    report_object_end(report);
    if (e->estimate_count > 0)
        rc = put_comparison(e, report, err);
    report_string(report, "verdict", e->reason_count ? "refused" : "usable");
    report_array(report, "why");
    for (int i = 0; i < e->reason_count; i++)
        report_string(report, NULL, e->reasons[i]);
    report_array_end(report);
    put_summary(e, report);
    analysis_put_timing(&e->timing, report);
    report_object_end(report);
    return rc;
}

static enum status print_json(const struct evaluation *e, struct err *err)
{
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    rc = put_all(e, report, err);
    if (rc) {
        report_abandon(report);
        return rc;
    }
    return report_finish(report, err);
}

static void print_estimate(const char *name, const struct offpolicy_estimate *estimate)
{
    if (isnan(estimate->value))
        return;
    if (isnan(estimate->low)) {
        printf("%-20s %14.8g %12.3g   biased where weights are large\n", name,
               estimate->value, estimate->se);
        return;
    }
    printf("%-20s %14.8g %12.3g   [%.6g, %.6g]", name, estimate->value, estimate->se,
           estimate->low, estimate->high);
    if (!isnan(estimate->bootstrap_low))
        printf("  [%.6g, %.6g]", estimate->bootstrap_low, estimate->bootstrap_high);
    putchar('\n');
}

static void print_summary(const struct evaluation *e)
{
    const struct passed_over *passed = &e->summary.passed_over;

    if (e->request.policy)
        return;
    printf("passed over: %lld decisions by a person, %lld not live, %lld without '%s'\n",
           (long long)passed->by_person, (long long)passed->not_live,
           (long long)passed->without_reward, e->request.reward);
    if (e->summary.model.base != REWARD_BASE_NONE)
        printf("outcome model: %s on %d features, %d folds; explains %.1f %% of what it "
               "has not seen\n",
               reward_base_name(e->summary.model.base), e->summary.model.column_count,
               REWARD_FOLD_COUNT, 100 * e->summary.model.explained);
    else if (e->base != REWARD_BASE_NONE && e->log.bad_count == 0)
        puts("outcome model: none, there are too few rows or customers");
    if (!isnan(e->summary.price))
        printf("a budget of %ld: price %.4f, %lld given\n", e->limit, e->summary.price,
               (long long)e->summary.given);
}

static void print_text(const struct evaluation *e)
{
    print_summary(e);
    printf("%lld rows", (long long)e->log.row_count);
    if (e->estimate_count > 0)
        printf(", %.1f effective", e->weights.effective_rows);
    if (e->estimate_count > 0 && e->log.rows.clusters)
        printf("; %d clusters, %.1f effective", e->log.rows.cluster_count,
               e->weights.effective_clusters);
    if (e->estimate_count > 0)
        printf("; mean weight %.4f (se %.2g), largest %.4g\n\n"
               "%-20s %14s %12s   95 %%%s\n",
               e->weights.mean, e->weights.mean_se, e->weights.max, "estimator", "value",
               "se", e->resample_count ? ", from resamples" : "");
    for (int i = 0; i < e->estimate_count; i++)
        print_estimate(e->names[i], &e->estimates[i]);
    printf("\nverdict: %s\n", e->reason_count ? "refused" : "usable");
    for (int i = 0; i < e->reason_count; i++)
        print_line(stdout, "  %s", e->reasons[i]);
}

static enum status read_log(struct evaluation *e, struct err *err)
{
    const struct candidate_request request = {
        .log = e->request.log,
        .reward = e->request.reward,
        .has_clusters = e->request.cluster,
        .bundle = e->bundle,
        .document = e->document,
        .limit = e->limit,
        .base = e->base,
        .seed = (uint64_t)e->seed,
    };

    return e->request.policy ? policy_log_read(&e->request, &e->log, err)
                             : candidate_log_read(&request, &e->log, &e->summary, err);
}

static enum status run(struct evaluation *e, struct err *err)
{
    enum status rc =
        e->base_name ? reward_base_read(e->base_name, &e->base, err) : STATUS_OK;

    if (!rc)
        rc = add_estimates(e, err);
    e->timing.begun_ns = clock_thread_ns();
    if (!rc)
        rc = read_log(e, err);
    e->timing.read_ns = clock_thread_ns();
    if (!rc)
        rc = estimate(e, err);
    e->timing.computed_ns = clock_thread_ns();
    if (!rc && e->is_json)
        rc = print_json(e, err);
    else if (!rc)
        print_text(e);
    return rc;
}

/* What is wrong with the options that say which policy; NULL: nothing. */
static const char *wrong_candidate(const struct evaluation *e)
{
    if ((e->request.policy != NULL) + (e->bundle != NULL) + (e->limit > 0) != 1)
        return "one of --policy, --bundle and --budget is needed";
    if (!e->bundle != !e->document)
        return "--bundle and --policy-document need each other";
    if (!e->request.policy && e->request.model)
        return "--outcome-model goes with --policy";
    if (e->request.policy && e->base_name)
        return "--base goes with the decision log: with --policy say --outcome-model";
    if (!e->request.policy && e->request.cluster &&
        strcmp(e->request.cluster, "customer_id") != 0)
        return "of the decision log --cluster takes customer_id";
    return NULL;
}

int command_evaluate_policy(int argc, char **argv)
{
    struct evaluation e = {.seed = 1, .request.reward = "reward"};
    const char *sg = NULL;
    const struct option_spec options[] = {
        {"log", OPTION_TEXT | OPTION_NEEDED, &e.request.log, "LOG",
         "What was done. With --policy a table: action, propensity, the reward, and "
         "columns of context. Else the decision log: an export as NDJSON, or the data "
         "folder. - is standard input.",
         0, 0},
        {"policy", OPTION_TEXT, &e.request.policy, "F.csv",
         "What the policy would do: action, prob, and the columns of context it looks "
         "at.",
         0, 0},
        {"bundle", OPTION_TEXT, &e.bundle, "DIR",
         "In place of --policy, with --policy-document: a model as it would decide.", 0,
         0},
        {"policy-document", OPTION_TEXT, &e.document, "FILE",
         "The policy that the model decides under, as for 'redress policy set'.", 0, 0},
        {"budget", OPTION_INT, &e.limit, "LIMIT",
         "In place of --policy: the models and policies of the log, with so much to "
         "give on top of what is owed, over the whole log, in minor units.",
         1, LONG_MAX},
        {"outcome-model", OPTION_TEXT, &e.request.model, "F.csv",
         "With --policy, what a model expects: action, qhat, and its columns of "
         "context.",
         0, 0},
        {"base", OPTION_TEXT, &e.base_name, "B",
         "Of the decision log, the outcome model that is fitted on it, five-fold: ridge, "
         "logistic for rewards of 0 and 1, xgboost, none, or auto (default): logistic or "
         "ridge.",
         0, 0},
        {"reward", OPTION_TEXT, &e.request.reward, "COL",
         "The reward: a column, or of the decision log an outcome's metric (default "
         "reward).",
         0, 0},
        {"clip", OPTION_TEXT, &e.parameters[OFFPOLICY_IPW_CLIP], "L,..",
         "ipw with weights of at most L.", 0, 0},
        {"switch", OPTION_TEXT, &e.parameters[OFFPOLICY_SWITCH_DR], "L,..",
         "dr that leaves weights above L to the model (default 10).", 0, 0},
        {"dros", OPTION_TEXT, &e.parameters[OFFPOLICY_DROS], "L,..",
         "dr with weights shrunk to L w / (w^2 + L) (default 10).", 0, 0},
        {"sg", OPTION_TEXT, &sg, "L,..",
         "ipw and dr with weights w / (1 - L + L w) (default 0.05).", 0, 0},
        {"cluster", OPTION_TEXT, &e.request.cluster, "COL",
         "Rows with the same value are one draw, as those of a customer are. Of the "
         "decision log: customer_id.",
         0, 0},
        {"bootstrap", OPTION_INT, &e.resample_count, "N",
         "Intervals from so many resamples, too.", 0, RESAMPLE_COUNT_MAX},
        {"seed", OPTION_INT, &e.seed, "N", "Of resamples and folds (default 1).", 0,
         INT32_MAX},
        {"timing", OPTION_FLAG, &e.timing.is_wanted, NULL,
         "With --json, the processor time of reading and of computing.", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "evaluate policy --log LOG (--policy F.csv | --bundle DIR "
                    "--policy-document FILE | --budget LIMIT) [OPTIONS]",
        .summary =
            "What another policy would have earned, from a log that knows the "
            "probabilities of what was done. Exit code 1 when the log cannot tell.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    if (wrong_candidate(&e))
        return usage_wrong(&usage, wrong_candidate(&e));
    e.parameters[OFFPOLICY_SGIPW] = e.parameters[OFFPOLICY_SGDR] = sg;
    rc = run(&e, &err);
    policy_log_free(&e.log);
    if (rc)
        return command_failed(&err);
    return e.reason_count ? EXIT_REFUSED : EXIT_DONE;
}
