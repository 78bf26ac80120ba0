/* policy_log.h - a log joined with what a policy would do, and with what a model
 * expects. */
#ifndef REDRESS_APP_POLICY_LOG_H
#define REDRESS_APP_POLICY_LOG_H

#include "app/analysis.h"
#include "app/decision_log.h"
#include "app/reward_table.h"
#include "learn/offpolicy.h"
#include "table/text_set.h"

struct policy_log_request {
    const char *log, *policy, *model; /* paths; model may be NULL */
    const char *reward,
        *cluster;   /* columns; cluster may be NULL: POLICY_CUSTOMER of a decision log */
    bool is_by_row; /* no clusters at all */

    /* in place of a model, columns from which one is fitted on the log; none */
    struct name_list features;
    enum reward_base base;
    uint64_t seed; /* of its folds */
};

enum { POLICY_METRICS_BYTES = 200 };

/* Decisions of a customer are one draw, unless it is said otherwise. */
#define POLICY_CUSTOMER "customer_id"

/* 16 bytes a row, 32 with a model and 4 with clusters, and what policy_file.h keeps. */
struct policy_log {
    struct offpolicy_log rows; /* borrows the arrays below */
    int64_t row_count;         /* of the log, good or bad */
    int64_t bad_count; /* rows whose propensity is missing, 0, above 1, or contradicted */
    long bad_line;     /* of the first */
    /* of a log of lines, rows whose options have no propensities */
    int64_t unchecked_count;
    long unchecked_line;                   /* of the first */
    char bad_why[PROPENSITY_REASON_BYTES]; /* it is contradicted; empty: it is none */
    bool is_decision_log;                  /* of the service, in any format */
    struct passed_over passed_over;
    char metrics
        /* other outcomes of a log of lines, as decision_log_metrics */
        [POLICY_METRICS_BYTES];
    struct reward_fit model; /* that was fitted; base is none when there is none */

    double *numerators; /* as of rows */
    /* so far of every row; 0: they differ, and numerators are weights */
    double propensity;
    double *rewards, *logged_model, *policy_model;
    int32_t *clusters;
    struct text_set *cluster_set; /* while rows are read; NULL: each row is its own */
    int32_t cluster_count;
    const char *clustered_by; /* the column; NULL: none */
    int64_t capacity;
};

/* With progress on a terminal. A table with the columns of an exported decision log is
 * one: the same rows of it count as of NDJSON, and none may be there twice (INVALID). A
 * probability outside of 0 to 1, or a context whose probabilities do not sum to 1, is
 * INVALID. The caller frees the log, also after a failure. */
enum status policy_log_read(const struct policy_log_request *request,
                            struct policy_log *log, struct err *err);
void policy_log_free(struct policy_log *log);

/* Whether a propensity is from OFFPOLICY_PROPENSITY_MIN to 1; else why not, empty where
 * it is none at all. */
bool policy_log_believes(double propensity, char why[static PROPENSITY_REASON_BYTES]);

/* Room for one row more, of the log at the path, in the columns that it has. TOO_LARGE,
 * EXHAUSTED. */
enum status policy_log_grow(struct policy_log *log, const char *path, bool has_model,
                            bool has_clusters, struct err *err);

/* A row, for which there is room: what the policy does with which probability, and what
 * came of it. Its place is the last; a model's numbers are the caller's. */
void policy_log_add(struct policy_log *log, double probability, double propensity,
                    double reward);

/* Rows of the log belong to clusters from now on, of the column. EXHAUSTED. */
enum status policy_log_cluster(struct policy_log *log, const char *column,
                               struct err *err);

/* The next row is of this cluster; where the text is empty, of one of its own, which
 * alone has that id. */
enum status policy_log_join(struct policy_log *log, struct text cluster, struct text id,
                            struct err *err);

/* No row comes any more: their texts are let go of. */
void policy_log_end_clusters(struct policy_log *log);

/* Fit the model of what the rows' rewards were gathered for, into logged_model and
 * policy_model; not with bad propensities, and not with a table that is NULL. */
enum status policy_log_fit(struct policy_log *log, struct reward_table *table,
                           const char *path, enum reward_base base, struct err *err);

/* All rows are there: what the estimators read of them. */
void policy_log_end(struct policy_log *log, bool has_model);

/* INVALID: of a decision log in which no row counts. */
enum status policy_log_refuse_empty(const char *path, const char *reward,
                                    const struct policy_log *log, struct err *err);

#endif
