/* evaluate_policy_report.c - what redress evaluate policy prints. */
#include "app/evaluate_policy.h"

#include "app/figure.h"
#include "app/options.h"
#include "app/report.h"
#include "learn/giveaway.h"
#include "learn/distribution.h"
#include "learn/draws.h"

#include <math.h>
#include <stdio.h>

/* ---- JSON ---- */

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
    report_number(report, "draws", estimate->draws);
    put_interval(report, "ci", estimate->low, estimate->high);
    put_interval(report, "sequential", estimate->sequence_low, estimate->sequence_high);
    if (has_bootstrap)
        put_interval(report, "bootstrap_ci", estimate->bootstrap_low,
                     estimate->bootstrap_high);
    if (offpolicy_kind_is_biased(estimate->kind))
        report_bool(report, "biased", true);
    report_object_end(report);
}

/* Of those without bias: dr with a model, else snipw. */
static const struct offpolicy_estimate *headline(const struct policy_evaluation *e)
{
    const struct offpolicy_estimate *best = NULL;

    for (int i = 0; i < e->estimate_count; i++)
        if (e->estimates[i].kind == OFFPOLICY_SNIPW ||
            e->estimates[i].kind == OFFPOLICY_DR)
            best = &e->estimates[i];
    return best;
}

/* What the policy earns more than what was done. */
struct comparison {
    double logged, difference, se, low, high;
};

static enum status compare(const struct policy_evaluation *e,
                           struct comparison *comparison, struct err *err)
{
    enum status rc = offpolicy_compare(&e->log.rows, headline(e), &comparison->logged,
                                       &comparison->difference, &comparison->se, err);

    comparison->low = comparison->difference - NORMAL_95 * comparison->se;
    comparison->high = comparison->difference + NORMAL_95 * comparison->se;
    return rc;
}

static enum status put_comparison(const struct policy_evaluation *e,
                                  struct report *report, struct err *err)
{
    struct comparison comparison;
    enum status rc = compare(e, &comparison, err);

    if (rc)
        return rc;
    report_number(report, "logged_value", comparison.logged);
    report_object(report, "difference");
    report_string(report, "of", offpolicy_kind_name(headline(e)->kind));
    report_number(report, "value", comparison.difference);
    report_number(report, "se", comparison.se);
    put_interval(report, "ci", comparison.low, comparison.high);
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
    if (model->giveaway[0]) {
        report_object(report, "explained_alone");
        report_string(report, "column", model->giveaway);
        report_number(report, "share", model->giveaway_share);
        report_object_end(report);
    }
    report_object_end(report);
}

/* Whether the error of the headline rests on so few draws that its interval is likely too
 * narrow. */
static bool is_few(const struct policy_evaluation *e)
{
    const struct offpolicy_estimate *best = headline(e);

    return best && best->draws < DRAWS_MIN;
}

static void put_few(const struct policy_evaluation *e, struct report *report)
{
    report_array(report, "few");
    if (is_few(e)) {
        report_object(report, NULL);
        report_string(report, "what", "draws");
        report_string(report, "column", e->request.reward);
        report_string(report, "of", offpolicy_kind_name(headline(e)->kind));
        report_count(report, "count", (int64_t)headline(e)->draws);
        report_count(report, "limit", DRAWS_MIN);
        report_object_end(report);
    }
    report_array_end(report);
}

static void put_summary(const struct policy_evaluation *e, struct report *report)
{
    const struct candidate_summary *summary = &e->summary;
    const struct passed_over *passed_over = &e->log.passed_over;

    if (e->log.is_decision_log) {
        report_object(report, "passed_over");
        report_count(report, "by_person", passed_over->by_person);
        report_count(report, "not_live", passed_over->not_live);
        report_count(report, "without_reward", passed_over->without_reward);
        report_count(report, "awaited", passed_over->awaited);
        report_object_end(report);
        report_count(report, "overridden", passed_over->overridden);
    }
    if (!e->request.policy)
        report_count(report, "unchecked", e->log.unchecked_count);
    if (e->document)
        report_count(report, "covered", e->summary.covered);
    if (!e->request.policy || e->features)
        put_model(&e->log.model, report);
    if (e->request.policy || isnan(summary->price))
        return;
    report_object(report, "budget");
    report_count(report, "limit", e->limit);
    report_number(report, "price", summary->price);
    report_count(report, "given", summary->given);
    report_object_end(report);
}

static void put_clusters(const struct policy_evaluation *e, struct report *report)
{
    if (!e->log.clustered_by) {
        report_null(report, "clusters");
        return;
    }
    report_object(report, "clusters");
    report_string(report, "by", e->log.clustered_by);
    report_count(report, "count", e->log.cluster_count);
    report_object_end(report);
}

static enum status put_all(const struct policy_evaluation *e, struct report *report,
                           struct err *err)
{
    enum status rc = STATUS_OK;

    report_object(report, NULL);
    report_count(report, "n", e->log.row_count);
    put_clusters(e, report);
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
    put_few(e, report);
    put_summary(e, report);
    analysis_put_timing(&e->timing, report);
    report_object_end(report);
    return rc;
}

enum status policy_evaluation_json(const struct policy_evaluation *e, struct err *err)
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

/* ---- for people ---- */

/* Why an estimate is none. */
static const char *reason_for_none(const struct policy_evaluation *e,
                                   enum offpolicy_kind kind)
{
    if (e->weights.max == 0)
        return "no action of the policy is in the log";
    return kind == OFFPOLICY_REPLAY && !(e->log.rows.propensity > 0)
               ? "for logs with one propensity only"
               : "not known";
}

static void print_estimate(const struct policy_evaluation *e, int i)
{
    const struct offpolicy_estimate *estimate = &e->estimates[i];
    const char *name = e->names[i];

    if (isnan(estimate->value)) {
        printf("%-20s %14s %12s   %s\n", name, "-", "-",
               reason_for_none(e, estimate->kind));
        return;
    }
    if (isnan(estimate->low)) {
        printf("%-20s %14.8g %12s   biased where %s\n", name, estimate->value,
               figure(estimate->se, 3).text,
               estimate->kind == OFFPOLICY_DM ? "the model is wrong"
                                              : "weights are large");
        return;
    }
    printf("%-20s %14.8g %12s%s%s\n", name, estimate->value, figure(estimate->se, 3).text,
           figure_interval(estimate->value, estimate->low, estimate->high, 6, 3).text,
           figure_interval(estimate->value, estimate->bootstrap_low,
                           estimate->bootstrap_high, 6, 2)
               .text);
}

void policy_evaluation_warn(const struct policy_evaluation *e)
{
    const struct reward_fit *model = &e->log.model;

    if (is_few(e))
        print_line(
            stderr,
            "redress: the error of %s rests on few draws (on as much as %lld of one "
            "size, "
            "at least %d are needed), as where few rewards are not 0 or few rows have "
            "most of the weight: its interval is likely too narrow",
            offpolicy_kind_name(headline(e)->kind), (long long)headline(e)->draws,
            DRAWS_MIN);
    if (e->log.unchecked_count > 0)
        print_line(
            stderr,
            "redress: %lld decisions have no propensities of options, the first on "
            "line %ld: that of what was done is taken as it is, unchecked",
            (long long)e->log.unchecked_count, e->log.unchecked_line);
    if (model->base == REWARD_BASE_NONE)
        return;
    if (model->giveaway[0])
        print_line(stderr,
                   "redress: '%s' alone explains %.1f %% of the reward: if it was known "
                   "only afterwards, dm, dr and what is made of them are worth nothing",
                   model->giveaway, 100 * model->giveaway_share);
    else if (model->explained > GIVEAWAY_SHARE)
        print_line(
            stderr,
            "redress: the features explain %.1f %% of the reward: if one was known "
            "only afterwards, dm, dr and what is made of them are worth nothing",
            100 * model->explained);
}

static void print_summary(const struct policy_evaluation *e)
{
    const struct passed_over *passed = &e->log.passed_over;

    if (e->log.is_decision_log)
        printf(
            "passed over: %lld decisions by a person, %lld not live, %lld without '%s' "
            "(%lld of them since the last with one); %lld that a person changed later "
            "count\n",
            (long long)passed->by_person, (long long)passed->not_live,
            (long long)passed->without_reward, e->request.reward,
            (long long)passed->awaited, (long long)passed->overridden);
    if (e->log.clustered_by && !e->request.cluster)
        puts("decisions of a customer are one draw (" POLICY_CUSTOMER
             "); --cluster none takes each alone");
    if (e->document)
        printf("the policy document applies to %lld of the %lld cases\n",
               (long long)e->summary.covered, (long long)e->log.row_count);
    if (e->request.policy && !e->features)
        return;
    if (e->log.model.base != REWARD_BASE_NONE)
        printf("outcome model: %s on %d features, %d folds; explains %.1f %% of what it "
               "has not seen\n",
               reward_base_name(e->log.model.base), e->log.model.column_count,
               REWARD_FOLD_COUNT,
               isnan(e->log.model.explained) ? 0 : 100 * e->log.model.explained);
    else if (e->base != REWARD_BASE_NONE && e->log.bad_count == 0)
        puts("outcome model: none, there are too few rows or customers");
    if (!e->request.policy && !isnan(e->summary.price))
        printf("a budget of %ld: price %.4f, %lld given\n", e->limit, e->summary.price,
               (long long)e->summary.given);
}

static void print_sequence(const struct offpolicy_estimate *best)
{
    if (isnan(best->sequence_low))
        printf("%-20s %14.8g %12s   none yet at every look: the error rests on %s draws "
               "of one size, asymptotic bounds need %d\n",
               offpolicy_kind_name(best->kind), best->value, "",
               figure(rint(10 * best->draws) / 10, 15).text, DRAWS_SEQUENCE_MIN);
    else
        printf("%-20s %14.8g %12s   [%.6g, %.6g]  at every look, asymptotic\n",
               offpolicy_kind_name(best->kind), best->value, "", best->sequence_low,
               best->sequence_high);
}

/* The question that most come with: is it better than what was done? */
static enum status print_comparison(const struct policy_evaluation *e, struct err *err)
{
    const struct offpolicy_estimate *best = headline(e);
    struct comparison comparison;
    enum status rc = compare(e, &comparison, err);

    if (rc)
        return rc;
    printf("\n%-20s %14.8g\n", "what was done", comparison.logged);
    if (isnan(comparison.difference)) {
        printf("%-20s %14s %12s   %s\n", "difference", "-", "-",
               reason_for_none(e, best->kind));
        return STATUS_OK;
    }
    printf("%-20s %14.8g %12s%s  by %s: %s what was done\n", "difference",
           comparison.difference, figure(comparison.se, 3).text,
           figure_interval(comparison.difference, comparison.low, comparison.high, 6, 3)
               .text,
           offpolicy_kind_name(best->kind),
           e->reason_count       ? "not to be trusted as the difference to"
           : comparison.low > 0  ? "better than"
           : comparison.high < 0 ? "worse than"
                                 : "not told from");
    print_sequence(best);
    return STATUS_OK;
}

enum status policy_evaluation_print(const struct policy_evaluation *e, struct err *err)
{
    enum status rc = STATUS_OK;

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
        print_estimate(e, i);
    if (e->estimate_count > 0)
        rc = print_comparison(e, err);
    if (rc)
        return rc;
    printf("\nverdict: %s\n", e->reason_count ? "refused"
                              : is_few(e)     ? "usable, with an interval that is likely "
                                                "too narrow"
                                              : "usable");
    for (int i = 0; i < e->reason_count; i++)
        print_line(stdout, "  %s", e->reasons[i]);
    return STATUS_OK;
}
