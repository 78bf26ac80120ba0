/* train.h - redress train: from a table to a bundle, in steps. Private to the command. */
#ifndef REDRESS_APP_TRAIN_H
#define REDRESS_APP_TRAIN_H

#include "app/analysis.h"
#include "app/decision_rows.h"
#include "learn/balance.h"
#include "learn/giveaway.h"
#include "learn/judge.h"
#include "learn/maturity.h"
#include "learn/offpolicy.h"
#include "learn/uplift.h"
#include "model/bundle.h"

enum { TRAIN_ARM_ROWS_MIN = 10 * LEARNER_FOLD_COUNT };

struct train_options {
    const char *data, *treatment, *control, *outcome, *outcome_weights, *features,
        *categories, *learner, *base, *propensity, *cost, *surrogates, *age, *window,
        *cluster, *weights, *output, *name, *doses, *scale, *rate;
    long seed, round_count, depth;
    bool is_randomised, is_rising, is_quick, is_calibrated, is_json, wants_plots;
    bool takes_all_rows; /* of a decision log, too */
};

/* A feature as the manifest has it. */
struct train_feature {
    char *name;
    enum feature_type type;
    char **categories; /* (category), by the alphabet */
    int category_count;
};

struct train_table {
    int64_t row_count, read_count, immature_count, dropped_count;
    struct decision_rows decisions;
    int64_t young_count; /* of those that were read: the window has not closed */
    int feature_count, surrogate_count;
    struct train_feature *features;
    const char **names; /* (feature + 1): the dose behind them */
    bool *is_nominal;
    float *values;        /* (row, feature) */
    float *surrogates;    /* (row, surrogate) */
    double *outcomes;     /* (row); NaN until it is completed */
    double *costs;        /* (row), NaN where missing; NULL: none */
    double *weights;      /* (row), 1 in the mean; or NULL */
    double *propensities; /* (row, arm), 0 where not known; or NULL, and */
    uint32_t *billionths; /* (row, arm): all are known, and are so many of them */
    uint64_t *keys;
    int32_t *arms; /* (row), 0 is the control */
    int arm_count;
    char (*arm_names)[ARM_NAME_BYTES];
    double doses[LEARNER_ARM_COUNT_MAX];
    int64_t arm_rows[LEARNER_ARM_COUNT_MAX];
    bool is_binary, has_propensities, has_clusters, has_made_doses;
    /* whose amount is not above 0, so that doses are made; 0: there is none */
    int low_arm;
    char dose_name[32];
};

/* INVALID says what is wrong and where. The caller frees it, also after a failure. */
enum status train_table_read(const struct train_options *options,
                             struct train_table *table, struct err *err);
void train_table_free(struct train_table *table);

/* Put rows in the order of a hash of their features, those of the same features by their
 * other columns: the same rows are the same table, and learn the same, in whatever order
 * a file has them. feature: the first column of features. */
enum status train_order_rows(struct columns *columns, int feature, int feature_count,
                             uint32_t *rows, int64_t count, struct err *err);

/* What the effects of an arm are worth on rows held out. */
struct train_judgement {
    struct judge_curve curve;
    struct judge_bin bins[JUDGE_BIN_COUNT];
    struct judge_line line;
    double spread[2]; /* effects at the 10th and the 90th hundredth */

    /* Of a randomised experiment, on the rows of arm and control as they are. */
    bool has_qini;
    double qini[UPLIFT_BAND_POINT_COUNT]; /* the curve at k = rows i / 100 */
    int64_t qini_rows;
    struct uplift_metrics metrics;
    struct uplift_intervals intervals;
};

/* What was learned, and what it is worth on rows held out. */
struct train_result {
    struct learner_data data;
    struct learner_data judged; /* the same, with outcomes to judge by */
    struct maturity maturity;   /* zero where all outcomes are there */
    int64_t bare_count;         /* completed though a surrogate is missing, too */
    struct learner_settings settings;
    enum learner_kind kind;
    char why[400];
    struct learner *learner;
    struct predictor *costs[LEARNER_ARM_COUNT_MAX]; /* (arm), NULL without costs */
    double arm_costs[LEARNER_ARM_COUNT_MAX];        /* (arm - 1): means */
    struct judge_costs
        expected;         /* of costs, by models that have not seen the row; owned */
    double *propensities; /* (row, arm), where they were estimated; else NULL */
    double shares[LEARNER_ARM_COUNT_MAX]; /* (arm) of a randomised experiment */
    /* (row, arm), from when rows were held out: expected outcomes, then scores; until all
     * is fitted */
    double *scores;
    /* (row): of what was done, those that are not in scores; until all is fitted */
    double *own;
    struct learner_propensity_fit propensity_fit; /* log_loss 0: none was estimated */
    int64_t apart_counts
        [LEARNER_ARM_COUNT_MAX]; /* (arm): of it and control, without overlap */
    struct judge_mean arm_weights[LEARNER_ARM_COUNT_MAX]; /* (arm): 1 if p is right */
    struct balance balances[LEARNER_ARM_COUNT_MAX];       /* (arm) */
    /* (arm): of its own rows */
    struct offpolicy_weights row_weights[LEARNER_ARM_COUNT_MAX];
    struct giveaway giveaway; /* a feature that alone explains the outcome */
    double scale;
    bool is_held_out, is_logistic;
    bool wanted[LEARNER_KIND_COUNT];
    float *effects[LEARNER_KIND_COUNT]; /* held out, (row, arm - 1); once one is chosen
                                           only its own, until it is judged */
    struct judge_mean policies[LEARNER_KIND_COUNT];
    struct judge_mean averages[LEARNER_ARM_COUNT_MAX]; /* (arm) */
    struct train_judgement *judgements;                /* (arm), NULL: none held out */
    /* (arm), where asked for */
    struct judge_correction corrections[LEARNER_ARM_COUNT_MAX];
    struct judge_mean corrected_policy; /* with corrections that have not seen the row */
    double *importance; /* (feature, and the dose): shares of what they explain */
};

/* What the options say, before anything is read: settings, scale and which learners are
 * wanted. */
enum status train_settle(const struct train_options *options, struct train_result *result,
                         struct err *err);

/* Of a result that is settled. The caller frees it, also after a failure. */
enum status train_fit(const struct train_options *options,
                      const struct train_table *table, struct train_result *result,
                      struct err *err);
void train_result_free(struct train_result *result);

/* Complete outcomes that are missing, from surrogates. */
enum status train_complete(const struct train_table *table, struct train_result *result,
                           struct err *err);

/* The values of the policies of all learners whose effects were held out, and the one
 * that is kept; the effects of the others are freed. */
enum status train_choose(const struct train_options *options,
                         const struct train_table *table, struct train_result *result,
                         struct err *err);

/* The means and the models of costs, of the rows of a set; room (row). */
enum status train_fit_costs(const struct train_table *table, struct train_result *result,
                            struct row_set all, uint32_t *room, struct err *err);

/* And what to expect of each row by models that have not seen it, for judging. */
enum status train_expect_costs(const struct train_table *table,
                               struct train_result *result, struct row_set all,
                               uint32_t *room, struct err *err);

/* Judge the learner that was chosen, by what it said of rows held out: before it is
 * fitted to all rows, since both take memory. */
enum status train_judge(const struct train_options *options,
                        const struct train_table *table, struct train_result *result,
                        struct err *err);

/* What the features explain in the models that are kept. */
enum status train_find_importance(const struct train_table *table,
                                  struct train_result *result, struct err *err);

/* Whether the folder can be written, before anything is learned for it: INVALID of a
 * symbolic link to nothing, CONFLICT where it holds what no training wrote, IO. */
enum status train_check_output(const char *output, struct err *err);

/* Write the folder: all of it or nothing, but for pictures that nobody insisted on:
 * *no_pictures, which is zero, says why they are not there where they should be.
 * *has_replaced: an earlier training. */
enum status train_write(const struct train_options *options,
                        const struct train_table *table,
                        const struct train_result *result, bool *has_replaced,
                        struct err *no_pictures, struct err *err);

/* Into a file ("-": standard output), and as a text for people. */
enum status train_report(const struct train_options *options,
                         const struct train_table *table,
                         const struct train_result *result, const char *path,
                         struct err *err);
void train_print(const struct train_options *options, const struct train_table *table,
                 const struct train_result *result);

/* Pictures into a folder; UNAVAILABLE without gnuplot. */
enum status train_draw(const struct train_table *table, const struct train_result *result,
                       const char *folder, struct err *err);

#endif
