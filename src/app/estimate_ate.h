/* estimate_ate.h - what redress estimate ate was asked and what it found. Private to
 * app/estimate_ate*.c. */
#ifndef REDRESS_APP_ESTIMATE_ATE_H
#define REDRESS_APP_ESTIMATE_ATE_H

#include "app/analysis.h"
#include "app/decision_rows.h"
#include "app/design.h"
#include "app/explained.h"
#include "app/few.h"
#include "learn/effect.h"

struct estimation {
    const char *data, *treatment, *outcome, *covariates, *method, *estimand, *se,
        *cluster, *control, *arm, *placebo;
    long fold_count, seed;
    bool takes_all_rows, is_json;

    const char *categories;
    struct name_list covariate_list, category_list;
    /* treatment, outcome, covariates, then cluster and placebo, then what says which rows
     * of a decision log count */
    struct columns *columns;
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

/* Of --se where it is not given: the option's text is this very one then. */
extern const char estimate_ate_errors[];

/* On standard error, what speaks against the numbers. */
void estimate_ate_warn(const struct estimation *e);

/* On standard output, as JSON and for people. */
enum status estimate_ate_json(const struct estimation *e, struct err *err);
void estimate_ate_print(const struct estimation *e);

#endif
