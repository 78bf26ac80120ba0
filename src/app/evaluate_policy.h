/* evaluate_policy.h - what redress evaluate policy was asked, what it found, and how it
 * is printed. Private to app/evaluate_policy*.c. */
#ifndef REDRESS_APP_EVALUATE_POLICY_H
#define REDRESS_APP_EVALUATE_POLICY_H

#include "app/analysis.h"
#include "app/policy_candidate.h"
#include "app/policy_log.h"
#include "learn/offpolicy.h"
#include "learn/reward_model.h"

enum { POLICY_ESTIMATE_NAME_BYTES = 64 };

struct policy_evaluation {
    struct policy_log_request request;
    const char *bundle, *document; /* in place of request.policy; or */
    long limit;                    /* -1: none */
    const char *features;          /* "a,b"; NULL: none */
    struct candidate_summary summary;
    const char *base_name; /* NULL: not given */
    enum reward_base base;
    const char *parameters[OFFPOLICY_KIND_COUNT]; /* "1,5", by kind; NULL: none */
    long resample_count, seed;
    bool is_json;

    struct policy_log log;
    struct offpolicy_weights weights;
    struct offpolicy_estimate estimates[OFFPOLICY_ESTIMATOR_COUNT_MAX];
    char names[OFFPOLICY_ESTIMATOR_COUNT_MAX][POLICY_ESTIMATE_NAME_BYTES];
    int estimate_count;
    char reasons[OFFPOLICY_REASON_COUNT_MAX + 3][OFFPOLICY_REASON_BYTES];
    int reason_count;
    struct analysis_timing timing;
};

/* On standard output, as JSON and for people. */
enum status policy_evaluation_json(const struct policy_evaluation *e, struct err *err);
enum status policy_evaluation_print(const struct policy_evaluation *e, struct err *err);

/* On standard error: columns that were hardly known before. */
void policy_evaluation_warn(const struct policy_evaluation *e);

#endif
