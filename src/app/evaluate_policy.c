/* evaluate_policy.c - redress evaluate policy: the command; what it prints is in
 * evaluate_policy_report.c. */
#include "app/evaluate.h"

#include "app/evaluate_policy.h"
#include "app/roles.h"
#include "base/clock.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLE_COUNT_MAX = 1000000, PARAMETER_COUNT_MAX = 16 };

/* Of decisions whose outcome should be known. */
#define MISSING_SHARE_MAX 0.1

/* What plain names stand for. */
static const double default_parameters[OFFPOLICY_KIND_COUNT] = {
    [OFFPOLICY_IPW_CLIP] = 0, /* only when it is asked for */
    [OFFPOLICY_SGIPW] = 0.05, [OFFPOLICY_SWITCH_DR] = 10,
    [OFFPOLICY_DROS] = 10,    [OFFPOLICY_SGDR] = 0.05,
};

/* ---- which estimates ---- */

static void add_estimate(struct policy_evaluation *e, enum offpolicy_kind kind,
                         double parameter, const char *written)
{
    const char *name = offpolicy_kind_name(kind);
    int at = e->estimate_count;

    e->estimates[at] = (struct offpolicy_estimate){.kind = kind, .parameter = parameter};
    snprintf(e->names[at], POLICY_ESTIMATE_NAME_BYTES, "%s%s%s", name, written ? "_" : "",
             written ? written : "");
    e->estimate_count++;
}

static bool is_share(enum offpolicy_kind kind)
{
    return kind == OFFPOLICY_SGIPW || kind == OFFPOLICY_SGDR;
}

/* "1,5": an estimate for each, named as it is written. */
static enum status add_list(struct policy_evaluation *e, enum offpolicy_kind kind,
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

static enum status add_estimates(struct policy_evaluation *e, struct err *err)
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
static void drop_estimates(struct policy_evaluation *e)
{
    int kept = 0;

    for (int i = 0; i < e->estimate_count; i++) {
        if (offpolicy_kind_needs_model(e->estimates[i].kind) && !e->log.rows.logged_model)
            continue;
        e->estimates[kept] = e->estimates[i];
        if (kept < i)
            memcpy(e->names[kept], e->names[i], POLICY_ESTIMATE_NAME_BYTES);
        kept++;
    }
    e->estimate_count = kept;
}

/* ---- estimating ---- */

/* Of decisions whose outcome should be there, since that of a later one is, so many lack
 * it. */
static double missing_share(const struct policy_log *log)
{
    double missing = (double)(log->passed_over.without_reward - log->passed_over.awaited);

    return missing / (missing + (double)log->row_count);
}

static void judge(struct policy_evaluation *e)
{
    double missing = missing_share(&e->log);

    if (e->document && e->summary.covered == 0)
        snprintf(e->reasons[e->reason_count++], OFFPOLICY_REASON_BYTES,
                 "the policy document applies to none of the cases: its scope and "
                 "currency hold none of them");
    if (missing > MISSING_SHARE_MAX)
        snprintf(e->reasons[e->reason_count++], OFFPOLICY_REASON_BYTES,
                 "%.0f %% of the decisions before the last with an outcome have none, at "
                 "most %.0f %% are trusted: who has one may differ from who has not",
                 100 * missing, 100 * MISSING_SHARE_MAX);
    if (e->log.bad_count > 0 && e->log.bad_why[0])
        snprintf(e->reasons[e->reason_count++], OFFPOLICY_REASON_BYTES,
                 "%lld rows have no propensity to be believed, the first on line %ld: %s",
                 (long long)e->log.bad_count, e->log.bad_line, e->log.bad_why);
    else if (e->log.bad_count > 0)
        snprintf(
            e->reasons[e->reason_count++], OFFPOLICY_REASON_BYTES,
            "%lld rows have no propensity above 0 and at most 1, the first on line %ld",
            (long long)e->log.bad_count, e->log.bad_line);
    else if (e->log.rows.row_count > 0)
        e->reason_count +=
            offpolicy_refuse(&e->log.rows, &e->weights, e->reasons + e->reason_count);
}

/* An estimate that sums are out of range for says nothing, whatever the weights are. */
static void judge_estimates(struct policy_evaluation *e)
{
    for (int i = 0; i < e->estimate_count && e->reason_count == 0; i++) {
        const struct offpolicy_estimate *found = &e->estimates[i];

        if (!offpolicy_kind_is_biased(found->kind) && found->kind != OFFPOLICY_REPLAY &&
            !(isfinite(found->value) && isfinite(found->se)))
            snprintf(e->reasons[e->reason_count++], OFFPOLICY_REASON_BYTES,
                     "%s is %g, with the error %g: no number",
                     offpolicy_kind_name(found->kind), found->value, found->se);
    }
}

/* How draws differ is seen where there are two. */
static enum status check_draws(const struct policy_evaluation *e, struct err *err)
{
    const struct policy_log *log = &e->log;

    if (log->row_count < 2)
        return err_set(err, STATUS_INVALID, "%s: one row says nothing of how rows differ",
                       e->request.log);
    if (!log->clustered_by || log->cluster_count > 1)
        return STATUS_OK;
    return err_set(
        err, STATUS_INVALID,
        "%s: all %lld rows have the same '%s', which makes them one draw, and "
        "two are needed: take --cluster none for each row as a draw of its own; "
        "its errors say nothing of others than this one",
        e->request.log, (long long)log->row_count, log->clustered_by);
}

static enum status estimate(struct policy_evaluation *e, struct err *err)
{
    struct analysis_progress progress = {.what = "resampling"};
    enum status rc = STATUS_OK;

    if (e->log.bad_count > 0) {
        e->estimate_count = 0;
        judge(e);
        return STATUS_OK;
    }
    rc = check_draws(e, err);
    if (rc)
        return rc;
    drop_estimates(e);
    rc = offpolicy_weigh(&e->log.rows, &e->weights, err);
    if (rc)
        return rc;
    judge(e);
    rc = offpolicy_estimate(&e->log.rows, e->estimates, e->estimate_count, err);
    if (!rc)
        judge_estimates(e);
    if (rc || e->resample_count == 0)
        return rc;
    progress_start(&progress.progress);
    rc = offpolicy_bootstrap(&e->log.rows, e->estimates, e->estimate_count,
                             (int)e->resample_count, (uint64_t)e->seed,
                             (struct offpolicy_progress){analysis_tell, &progress}, err);
    progress_end(&progress.progress);
    return rc;
}

/* ---- the command ---- */

static enum status read_log(struct policy_evaluation *e, struct err *err)
{
    const struct candidate_request request = {
        .log = e->request.log,
        .reward = e->request.reward,
        .is_by_row = e->request.is_by_row,
        .bundle = e->bundle,
        .document = e->document,
        .limit = e->limit,
        .base = e->base,
        .seed = (uint64_t)e->seed,
    };

    e->request.base = e->base;
    e->request.seed = (uint64_t)e->seed;
    return e->request.policy ? policy_log_read(&e->request, &e->log, err)
                             : candidate_log_read(&request, &e->log, &e->summary, err);
}

static enum status read_options(struct policy_evaluation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--log", AS_TREATMENT, "action", NULL},
        {"--log", AS_ABOUT, "propensity", NULL},
        {"--reward", AS_OUTCOME, e->request.reward, NULL},
        {"--cluster", AS_ABOUT, e->request.cluster, NULL},
        {"--features", AS_BEFORE, NULL, &e->request.features},
    };
    enum status rc =
        e->base_name ? reward_base_read(e->base_name, &e->base, err) : STATUS_OK;

    if (!rc)
        rc = add_estimates(e, err);
    if (!rc)
        rc = name_list_read("--features", e->features, &e->request.features, err);
    return rc ? rc : roles_check(uses, sizeof uses / sizeof *uses, err);
}

static enum status run(struct policy_evaluation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    e->timing.begun_ns = clock_thread_ns();
    if (!rc)
        rc = read_log(e, err);
    e->timing.read_ns = clock_thread_ns();
    if (!rc)
        rc = estimate(e, err);
    e->timing.computed_ns = clock_thread_ns();
    if (!rc)
        policy_evaluation_warn(e);
    if (!rc && e->is_json)
        rc = policy_evaluation_json(e, err);
    else if (!rc)
        rc = policy_evaluation_print(e, err);
    return rc;
}

/* What is wrong with the options that say which policy; NULL: nothing. */
static const char *wrong_candidate(const struct policy_evaluation *e)
{
    int candidate_count =
        (e->request.policy != NULL) + (e->bundle != NULL) + (e->limit >= 0);

    if (candidate_count > 1)
        return "--policy, --bundle and --budget exclude each other";
    if (candidate_count == 0)
        return "one of --policy, --bundle and --budget is needed";
    if (!e->bundle != !e->document)
        return "--bundle and --policy-document need each other";
    if (!e->request.policy && e->request.model)
        return "--outcome-model goes with --policy";
    if (e->features && (!e->request.policy || e->request.model))
        return "--features goes with --policy, in place of --outcome-model";
    if (e->request.policy && e->base_name && !e->features)
        return "--base goes with the decision log, or with --policy and --features";
    if (!e->request.policy && e->request.cluster &&
        strcmp(e->request.cluster, POLICY_CUSTOMER) != 0)
        return "of the decision log --cluster takes customer_id, or none";
    return NULL;
}

int command_evaluate_policy(int argc, char **argv)
{
    struct policy_evaluation e = {.seed = 1, .limit = -1, .request.reward = "reward"};
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
         0, LONG_MAX},
        {"outcome-model", OPTION_TEXT, &e.request.model, "F.csv",
         "With --policy, what a model expects: action, qhat, and its columns of "
         "context.",
         0, 0},
        {"features", OPTION_TEXT, &e.features, "A,B,..",
         "With --policy, in place of --outcome-model: columns of the log, known before, "
         "from which a model is fitted on it. One that alone explains the reward is "
         "warned of.",
         0, 0},
        {"base", OPTION_TEXT, &e.base_name, "B",
         "The outcome model that is fitted on the decision log, or with --features, "
         "five-fold: ridge, logistic for rewards of 0 and 1, xgboost, none, or auto "
         "(default): logistic or ridge.",
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
         "decision log customer_id, which is the default there; none: each row is.",
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
    e.request.is_by_row = e.request.cluster && strcmp(e.request.cluster, "none") == 0;
    if (e.request.is_by_row)
        e.request.cluster = NULL;
    if (wrong_candidate(&e))
        return usage_wrong(&usage, "%s", wrong_candidate(&e));
    e.parameters[OFFPOLICY_SGIPW] = e.parameters[OFFPOLICY_SGDR] = sg;
    rc = run(&e, &err);
    policy_log_free(&e.log);
    name_list_free(&e.request.features);
    if (rc)
        return command_end(&usage, rc, &err);
    return e.reason_count ? EXIT_REFUSED : EXIT_DONE;
}
