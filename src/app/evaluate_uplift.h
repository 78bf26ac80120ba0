/* evaluate_uplift.h - what redress evaluate uplift was asked, what it found, and how it
 * is shown. Private to app/evaluate_uplift*.c. */
#ifndef REDRESS_APP_EVALUATE_UPLIFT_H
#define REDRESS_APP_EVALUATE_UPLIFT_H

#include "app/analysis.h"
#include "app/decision_rows.h"
#include "app/uplift_balance.h"
#include "app/uplift_more.h"
#include "app/uplift_weights.h"
#include "learn/uplift.h"

struct uplift_evaluation {
    const char *data, *score, *treatment, *outcome, *control, *arm, *plot;
    const char *propensity; /* NULL: all rows had the same chance */
    const char *cluster;    /* NULL: each row is its own */
    const char *feature_names, *category_names;
    struct name_list features, categories;
    long resample_count, seed;
    bool takes_all_rows, is_json;

    struct columns *columns;
    struct decision_rows decisions;
    int baseline_item, propensity_item; /* -1: not asked for */
    int feature_item;                   /* the first, of as many as there are names */
    int cluster_item;                   /* -1: not asked for */
    int decision_item;                  /* what says which rows of a decision log count */
    int32_t *clusters;                  /* (row) */
    int32_t cluster_count;
    uint64_t *keys; /* (row): the clusters, as they are drawn again */
    struct arms arms;
    int treated; /* the arm */
    int64_t row_count, left_out;
    struct uplift_weights weights;      /* with propensities */
    struct ranking *ranking, *baseline; /* NULL: not asked for */
    const struct uplift *uplift;        /* it belongs to the ranking */
    struct uplift_metrics metrics;
    struct uplift_intervals *intervals; /* NULL: not asked for */
    struct uplift_more more;
    struct uplift_balance balance;
    struct analysis_timing timing;
};

/* On standard output, as JSON and for people; as pictures into the folder of --plot. */
enum status uplift_evaluation_json(const struct uplift_evaluation *e, struct err *err);
void uplift_evaluation_print(const struct uplift_evaluation *e);
enum status uplift_evaluation_draw(const struct uplift_evaluation *e, struct err *err);

#endif
