/* policy_log.c - the rows of a log in arrays, from whatever file they come. */
#include "app/policy_log.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROW_COUNT_MAX = 1000000000, CLUSTER_COUNT_MAX = 100000000 };

static bool grow_column(double **column, int64_t capacity)
{
    double *grown = realloc(*column, (size_t)capacity * sizeof *grown);

    if (grown)
        *column = grown;
    return grown != NULL;
}

/* By a quarter: memory is what a long log has least of. */
enum status policy_log_grow(struct policy_log *log, const char *path, bool has_model,
                            bool has_clusters, struct err *err)
{
    int64_t capacity = log->capacity + log->capacity / 4 + 4096;
    int32_t *clusters = log->clusters;

    if (log->row_count < log->capacity)
        return STATUS_OK;
    if (log->row_count >= ROW_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "%s: more than %d rows", path,
                       ROW_COUNT_MAX);
    if (has_clusters)
        clusters = realloc(clusters, (size_t)capacity * sizeof *clusters);
    log->clusters = clusters ? clusters : log->clusters;
    if ((has_clusters && !clusters) || !grow_column(&log->numerators, capacity) ||
        !grow_column(&log->rewards, capacity) ||
        (has_model && (!grow_column(&log->logged_model, capacity) ||
                       !grow_column(&log->policy_model, capacity))))
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)capacity);
    log->capacity = capacity;
    return STATUS_OK;
}

/* The same quotients, whenever they are made. */
static void divide_numerators(struct policy_log *log)
{
    for (int64_t i = 0; i < log->row_count && log->propensity > 0; i++)
        log->numerators[i] /= log->propensity;
    log->propensity = 0;
}

void policy_log_add(struct policy_log *log, double probability, double propensity,
                    double reward)
{
    if (log->row_count == 0)
        log->propensity = propensity;
    if (propensity != log->propensity)
        divide_numerators(log);
    log->numerators[log->row_count] =
        log->propensity > 0 ? probability : probability / propensity;
    log->rewards[log->row_count++] = reward;
}

enum status policy_log_cluster(struct policy_log *log, const char *column,
                               struct err *err)
{
    log->clustered_by = column;
    return text_set_open(CLUSTER_COUNT_MAX, INT64_C(1) << 32, &log->cluster_set, err);
}

enum status policy_log_join(struct policy_log *log, struct text cluster, struct text id,
                            struct err *err)
{
    bool is_new;

    return text_set_add(log->cluster_set, cluster.bytes > 0 ? cluster : id,
                        &log->clusters[log->row_count], &is_new, err);
}

void policy_log_end_clusters(struct policy_log *log)
{
    log->cluster_count = log->cluster_set ? text_set_count(log->cluster_set) : 0;
    text_set_close(log->cluster_set);
    log->cluster_set = NULL;
}

enum status policy_log_fit(struct policy_log *log, struct reward_table *table,
                           const char *path, enum reward_base base, struct err *err)
{
    enum status rc;

    if (!table || log->bad_count > 0 || log->row_count == 0)
        return STATUS_OK;
    if (!grow_column(&log->logged_model, log->row_count) ||
        !grow_column(&log->policy_model, log->row_count))
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)log->row_count);
    rc = reward_table_fit(table, base, log->rewards, log->logged_model, log->policy_model,
                          &log->model, err);
    return rc ? err_wrap(err, "%s", path) : STATUS_OK;
}

bool policy_log_believes(double propensity, char why[static PROPENSITY_REASON_BYTES])
{
    why[0] = '\0';
    if (propensity > 0 && propensity < OFFPOLICY_PROPENSITY_MIN)
        snprintf(why, PROPENSITY_REASON_BYTES, "%.9g is below %g", propensity,
                 OFFPOLICY_PROPENSITY_MIN);
    return propensity >= OFFPOLICY_PROPENSITY_MIN && propensity <= 1;
}

void policy_log_end(struct policy_log *log, bool has_model)
{
    has_model = has_model || log->model.base != REWARD_BASE_NONE;
    log->rows = (struct offpolicy_log){
        .row_count = log->row_count,
        .numerators = log->numerators,
        .propensity = log->propensity,
        .rewards = log->rewards,
        .logged_model = has_model ? log->logged_model : NULL,
        .policy_model = has_model ? log->policy_model : NULL,
        .clusters = log->clusters,
        .cluster_count = log->cluster_count,
    };
}

enum status policy_log_refuse_empty(const char *path, const char *reward,
                                    const struct policy_log *log, struct err *err)
{
    const struct passed_over *passed = &log->passed_over;

    if (passed->without_reward + passed->by_person + passed->not_live == 0)
        return err_set(err, STATUS_INVALID, "%s: is empty, decisions are expected", path);
    return err_set(err, STATUS_INVALID,
                   "%s: no decision has an outcome '%s' (%lld without it, %lld by a "
                   "person, %lld not live)%s%s",
                   path, reward, (long long)passed->without_reward,
                   (long long)passed->by_person, (long long)passed->not_live,
                   log->metrics[0] ? "; there are " : "", log->metrics);
}

void policy_log_free(struct policy_log *log)
{
    free(log->numerators);
    free(log->rewards);
    free(log->logged_model);
    free(log->policy_model);
    free(log->clusters);
    text_set_close(log->cluster_set);
    *log = (struct policy_log){0};
}
