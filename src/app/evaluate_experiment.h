/* evaluate_experiment.h - what redress evaluate experiment was asked and what it found.
 * Private to app/evaluate_experiment*.c. */
#ifndef REDRESS_APP_EVALUATE_EXPERIMENT_H
#define REDRESS_APP_EVALUATE_EXPERIMENT_H

#include "app/analysis.h"
#include "app/explained.h"
#include "app/few.h"
#include "learn/experiment.h"

enum { GUARDRAIL_COUNT_MAX = 16 };

/* A metric that must not get worse by more than a margin: fall by it, or rise when it is
 * negative; 0 and -0: at all. */
struct guardrail {
    char *column; /* freed at the end */
    double margin;
};

/* How many rows find a difference. Texts are options as they were given, NULL without. */
struct experiment_plan {
    const char *size_text, *alpha_text, *power_text;
    const char *sd_text, *rate_text, *correlation_text; /* without data */
    double size;                                        /* 0: not asked for */
    double alpha, power, sd, rate, correlation;
};

/* What is missing of a column in each arm, and whether that is alike. */
struct lost {
    int64_t counts[ARM_COUNT_MAX]; /* (arm) */
    double chi2, p;
};

struct experiment_evaluation {
    const char *data, *arm, *metric, *covariate, *control, *shares, *guardrail_text,
        *cluster;
    struct experiment_plan plan;
    long tightest_at;
    bool is_json;

    struct columns *columns; /* arm, metric, covariate, guardrails, cluster */
    struct arms arms;
    struct guardrail guardrails[GUARDRAIL_COUNT_MAX];
    int guardrail_count;
    double share_list[ARM_COUNT_MAX];
    struct sample samples[ARM_COUNT_MAX];      /* of the metric */
    struct lost lost[1 + GUARDRAIL_COUNT_MAX]; /* of the metric, then the guardrails */
    double chi2, srm_p;
    struct few_list few;
    struct explained explained;          /* by the covariate */
    int32_t *cluster_codes;              /* (row); NULL: each row is its own */
    struct row_clusters *clusters, room; /* the room; NULL: each row is its own */
};

/* An arm beside the control, by a column. */
struct contrast experiment_contrast(const struct experiment_evaluation *e, int column,
                                    int arm);

/* Where guardrail `index` is among the columns. */
static inline int guardrail_column(const struct experiment_evaluation *e, int index)
{
    return 2 + (e->covariate != NULL) + index;
}

static inline int cluster_column(const struct experiment_evaluation *e)
{
    return guardrail_column(e, e->guardrail_count);
}

/* Whether the arms do not have the sizes they should have, and whether values are missing
 * in some more than in others: no difference is to be believed then. */
bool experiment_has_mismatch(const struct experiment_evaluation *e);
bool experiment_lost_some(const struct experiment_evaluation *e);

/* Whether some arm is worse by more than the margin. */
bool experiment_broke_guardrail(const struct experiment_evaluation *e, int index);

/* On standard output, as JSON and for people. */
enum status experiment_evaluation_json(const struct experiment_evaluation *e,
                                       struct err *err);
void experiment_evaluation_print(const struct experiment_evaluation *e);

/* The same of a plan without data. */
enum status experiment_plan_json(const struct experiment_plan *plan, struct err *err);
void experiment_plan_print(const struct experiment_plan *plan);

#endif
