/* policy_log_read.c - of a table, one walk over the log, a look into the files beside it
 * for every row. */
#include "app/policy_log.h"

#include "app/analysis.h"
#include "app/decision_ids.h"
#include "app/policy_file.h"
#include "app/progress.h"
#include "base/clock.h"
#include "table/columns.h"
#include "table/field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PROGRESS_ROWS = 4096 };

static const double sum_error = 1e-6;

struct walk {
    const struct policy_log_request *request;
    struct policy_log *log;
    struct csv *csv;
    struct policy_file *policy, *model;
    int action, propensity, reward, cluster; /* columns */
    int id, parent, overridden, mode;        /* of an exported decision log */
    int created_at;                          /* -1: it has none */
    struct awaited awaited;
    struct decision_ids *ids;   /* (row of it); NULL: none are looked at */
    int *feature_columns;       /* (feature) */
    struct reward_table *table; /* NULL: none is fitted */
    long policy_line;           /* of the group that was checked last */
    bool is_out_of_order;
};

/* Large ones are tried beside the log first. */
static bool is_large(const char *path)
{
    struct stat about;

    return strcmp(path, "-") != 0 && stat(path, &about) == 0 &&
           about.st_size >= POLICY_STREAM_BYTES;
}

/* -1: there is no such column. */
static int column_of(const struct csv *csv, const char *name)
{
    for (int i = 0; i < csv_column_count(csv); i++)
        if (strcmp(csv_column_name(csv, i), name) == 0)
            return i;
    return -1;
}

static void find_log_columns(struct walk *walk)
{
    walk->id = column_of(walk->csv, "decision_id");
    walk->parent = column_of(walk->csv, "parent_id");
    walk->overridden = column_of(walk->csv, "overridden");
    walk->mode = column_of(walk->csv, "mode");
    walk->created_at = column_of(walk->csv, "created_at");
    walk->log->is_decision_log =
        walk->id >= 0 && walk->parent >= 0 && walk->overridden >= 0 && walk->mode >= 0;
}

static enum status find_features(struct walk *walk, struct err *err)
{
    const struct name_list *features = &walk->request->features;
    enum status rc = STATUS_OK;

    if (!walk->request->features.count)
        return STATUS_OK;
    walk->feature_columns =
        malloc((size_t)features->count * sizeof *walk->feature_columns);
    if (!walk->feature_columns)
        return err_set(err, STATUS_EXHAUSTED, "out of memory");
    for (int i = 0; i < features->count && !rc; i++)
        rc = csv_column_find(walk->csv, features->names[i], &walk->feature_columns[i],
                             err);
    return rc ? rc : reward_table_open(walk->request->seed, &walk->table, err);
}

/* The one that is asked for, or the customers of a decision log. */
static enum status find_cluster(struct walk *walk, struct err *err)
{
    const char *asked = walk->request->cluster;
    enum status rc = STATUS_OK;

    walk->cluster = -1;
    if (asked)
        rc = csv_column_find(walk->csv, asked, &walk->cluster, err);
    else if (walk->log->is_decision_log && !walk->request->is_by_row)
        walk->cluster = column_of(walk->csv, POLICY_CUSTOMER);
    if (!rc && walk->cluster >= 0)
        rc = policy_log_cluster(walk->log, asked ? asked : POLICY_CUSTOMER, err);
    return rc;
}

static enum status open_columns(struct walk *walk, struct err *err)
{
    enum status rc = csv_open(walk->request->log, true, &walk->csv, err);

    if (!rc)
        rc = csv_column_find(walk->csv, "action", &walk->action, err);
    if (!rc)
        rc = csv_column_find(walk->csv, "propensity", &walk->propensity, err);
    if (!rc)
        rc = csv_column_find(walk->csv, walk->request->reward, &walk->reward, err);
    if (!rc)
        find_log_columns(walk);
    if (!rc)
        rc = find_cluster(walk, err);
    if (!rc && walk->log->is_decision_log)
        rc = decision_ids_open(&walk->ids, err);
    return rc ? rc : find_features(walk, err);
}

/* Once for each group. */
static enum status check_policy(struct walk *walk, const struct policy_group *group,
                                struct err *err)
{
    double sum = 0;

    if (group->line == walk->policy_line)
        return STATUS_OK;
    walk->policy_line = group->line;
    for (int i = 0; i < group->count; i++) {
        if (group->rows[i].value < 0 || group->rows[i].value > 1)
            return err_set(err, STATUS_INVALID,
                           "%s: in the context of line %ld action '%.*s' has the "
                           "probability %.9g",
                           walk->request->policy, group->line,
                           TEXT_ARG(text_clip(group->rows[i].action, 40)),
                           group->rows[i].value);
        sum += group->rows[i].value;
    }
    if (fabs(sum - 1) > sum_error)
        return err_set(
            err, STATUS_INVALID,
            "%s: in the context of line %ld the probabilities sum to %.9g, not "
            "to 1",
            walk->request->policy, group->line, sum);
    return STATUS_OK;
}

/* What the model has for what was done, and for what the policy would do. */
static enum status look_up_model(struct walk *walk, const struct policy_group *policy,
                                 struct text action, double probability, double *logged,
                                 double *expected, struct err *err)
{
    struct policy_group model;
    enum status rc =
        policy_file_find(walk->model, walk->csv, &model, &walk->is_out_of_order, err);

    *logged = *expected = 0;
    if (rc || walk->is_out_of_order)
        return rc;
    for (int i = 0; i < policy->count; i++) {
        const struct policy_row *row = &policy->rows[i];
        double q = row->value > 0 ? policy_group_value(&model, row->action) : 0;

        if (isnan(q))
            return err_set(
                err, STATUS_INVALID,
                "%s: in the context of line %ld there is no action '%.*s', which "
                "the policy takes",
                walk->request->model, model.line, TEXT_ARG(text_clip(row->action, 40)));
        *expected += row->value * q;
        if (probability > 0 && text_equal(row->action, action))
            *logged = q;
    }
    return STATUS_OK;
}

/* ---- a model of its own ---- */

static struct reward_option option_of(struct text name)
{
    struct text rest = name;
    struct reward_option option = {.name = name, .effect = NAN, .cost = NAN};

    if (!field_number(&rest, &option.amount))
        option.amount = NAN;
    return option;
}

/* A number where the field is one, else a text. */
static enum status take_feature(struct walk *walk, int i, struct err *err)
{
    struct text name = text_of(walk->request->features.names[i]);
    struct text field = field_trim(csv_text(walk->csv, walk->feature_columns[i])),
                rest = field;
    double number;

    if (field_is_missing(field))
        return reward_table_number(walk->table, name, NAN, err);
    return field_number(&rest, &number)
               ? reward_table_number(walk->table, name, number, err)
               : reward_table_text(walk->table, name, field, err);
}

/* What is known of the row, what was done, and what the policy would do. Rows of a
 * cluster are one owner's. */
static enum status tabulate(struct walk *walk, const struct policy_group *policy,
                            struct err *err)
{
    struct reward_option taken = option_of(csv_text(walk->csv, walk->action));
    char row[INT_TEXT_BYTES];
    bool has_options = false;
    enum status rc = reward_table_begin(walk->table,
                                        walk->cluster >= 0
                                            ? csv_text(walk->csv, walk->cluster)
                                            : text_of(int_text(csv_line(walk->csv), row)),
                                        err);

    for (int i = 0; i < walk->request->features.count && !rc; i++)
        rc = take_feature(walk, i, err);
    if (!rc)
        rc = reward_table_take(walk->table, &taken, err);
    if (!rc)
        rc = reward_table_share(walk->table, policy->index, &has_options, err);
    for (int i = 0; i < policy->count && !rc && !has_options; i++) {
        struct reward_option option = option_of(policy->rows[i].action);

        if (policy->rows[i].value > 0)
            rc = reward_table_add(walk->table, &option, policy->rows[i].value, err);
    }
    return rc;
}

/* ---- rows ---- */

/* 0 where it is not known. */
static enum status read_time(const struct walk *walk, int64_t *us, struct err *err)
{
    struct text time =
        walk->created_at < 0 ? (struct text){0} : csv_text(walk->csv, walk->created_at);

    *us = 0;
    if (time.bytes > 0 && time_parse(time, us, NULL))
        return err_set(
            err, STATUS_INVALID, "%s line %ld column 'created_at': '%.*s' is not a time",
            csv_name(walk->csv), csv_line(walk->csv), TEXT_ARG(text_clip(time, 40)));
    return STATUS_OK;
}

static enum status refuse_mark(const struct walk *walk, int column, const char *wanted,
                               struct err *err)
{
    return err_set(
        err, STATUS_INVALID, "%s line %ld column '%s': expected %s, found '%.*s'",
        csv_name(walk->csv), csv_line(walk->csv), csv_column_name(walk->csv, column),
        wanted, TEXT_ARG(text_clip(csv_text(walk->csv, column), 40)));
}

/* Of a decision log. */
static enum status count_row(struct walk *walk, bool has_reward, bool *counts,
                             struct err *err)
{
    struct log_facts facts = {
        .is_by_person = csv_text(walk->csv, walk->parent).bytes > 0,
        .has_reward = has_reward,
    };
    int64_t created_at_us;
    enum status rc = read_time(walk, &created_at_us, err);

    if (!rc &&
        !log_overridden_read(csv_text(walk->csv, walk->overridden), &facts.is_overridden))
        rc = refuse_mark(walk, walk->overridden, LOG_OVERRIDDEN_WANTED, err);
    if (!rc && !log_mode_read(csv_text(walk->csv, walk->mode), &facts.is_live))
        rc = refuse_mark(walk, walk->mode, LOG_MODE_WANTED, err);
    if (rc)
        return rc;
    *counts = passed_over_add(&walk->log->passed_over, facts);
    return awaited_add(&walk->awaited, facts, created_at_us, err);
}

static enum status refuse_reward(const struct walk *walk, double reward, struct err *err)
{
    char place[COLUMNS_PLACE_BYTES + POLICY_METRICS_BYTES];

    snprintf(place, sizeof place, "%s line %ld column '%s'", csv_name(walk->csv),
             csv_line(walk->csv), walk->request->reward);
    if (isfinite(reward))
        return err_set(err, STATUS_INVALID, "%s: %g is larger than %g in size", place,
                       reward, COLUMNS_NUMBER_MAX);
    return err_set(err, STATUS_INVALID, "%s: is %s", place,
                   isnan(reward) ? "missing" : "not finite");
}

/* The reward of a row that counts. */
static enum status read_reward(struct walk *walk, double *reward, bool *counts,
                               struct err *err)
{
    enum status rc = csv_number(walk->csv, walk->reward, reward, err);

    *counts = true;
    if (!rc && walk->ids)
        rc = decision_ids_add(walk->ids, csv_text(walk->csv, walk->id),
                              csv_line(walk->csv), err);
    if (!rc && walk->log->is_decision_log)
        rc = count_row(walk, !isnan(*reward), counts, err);
    if (!rc && *counts && !(fabs(*reward) <= COLUMNS_NUMBER_MAX))
        rc = refuse_reward(walk, *reward, err);
    return rc;
}

/* The probability of what was done, and what a model has for it. */
static enum status look_up(struct walk *walk, double *probability, double *q, double *dm,
                           struct err *err)
{
    struct text action;
    struct policy_group policy;
    enum status rc = csv_name_field(walk->csv, walk->action, &action, err);

    if (rc)
        return rc;
    rc = policy_file_find(walk->policy, walk->csv, &policy, &walk->is_out_of_order, err);
    if (rc || walk->is_out_of_order)
        return rc;
    *probability = policy_group_value(&policy, action);
    if (isnan(*probability))
        *probability = 0;
    rc = check_policy(walk, &policy, err);
    if (!rc && walk->model)
        rc = look_up_model(walk, &policy, action, *probability, q, dm, err);
    if (!rc && walk->table)
        rc = tabulate(walk, &policy, err);
    return rc;
}

/* The first of what cannot be believed is told. */
static void note_bad(struct walk *walk, const char *why)
{
    struct policy_log *log = walk->log;

    if (log->bad_count++ > 0)
        return;
    log->bad_line = csv_line(walk->csv);
    memcpy(log->bad_why, why, PROPENSITY_REASON_BYTES);
}

static enum status take_row(struct walk *walk, struct err *err)
{
    struct policy_log *log = walk->log;
    double propensity, reward = NAN, probability = 0, q = 0, dm = 0;
    char why[PROPENSITY_REASON_BYTES];
    bool counts = true;
    enum status rc = policy_log_grow(log, csv_name(walk->csv), walk->model != NULL,
                                     walk->cluster >= 0, err);

    if (!rc)
        rc = read_reward(walk, &reward, &counts, err);
    if (rc || !counts)
        return rc;
    rc = csv_number(walk->csv, walk->propensity, &propensity, err);
    if (!rc)
        rc = look_up(walk, &probability, &q, &dm, err);
    if (rc || walk->is_out_of_order)
        return rc;
    if (walk->cluster >= 0)
        rc = policy_log_join(
            log, csv_text(walk->csv, walk->cluster),
            log->is_decision_log ? csv_text(walk->csv, walk->id) : (struct text){0}, err);
    if (rc)
        return rc;
    if (!policy_log_believes(propensity, why)) {
        note_bad(walk, why);
        propensity = 1;
    }
    if (walk->model) {
        log->logged_model[log->row_count] = q;
        log->policy_model[log->row_count] = dm;
    }
    policy_log_add(log, probability, propensity, reward);
    return STATUS_OK;
}

static enum status walk_rows(struct walk *walk, struct err *err)
{
    struct progress progress;
    bool has_row = false;
    enum status rc = csv_next(walk->csv, &has_row, err);

    progress_start(&progress);
    if (!rc && !has_row)
        rc = err_set(err, STATUS_INVALID, "%s: has a header line and no rows",
                     csv_name(walk->csv));
    while (!rc && has_row && !walk->is_out_of_order) {
        rc = take_row(walk, err);
        if (!rc && !walk->is_out_of_order)
            rc = csv_next(walk->csv, &has_row, err);
        if (walk->log->row_count % PROGRESS_ROWS == 0)
            progress_show(&progress, "reading", csv_progress(walk->csv));
    }
    progress_end(&progress);
    return rc;
}

static enum status walk_once(struct walk *walk, bool is_streamed, struct err *err)
{
    const struct policy_log_request *request = walk->request;
    enum status rc = open_columns(walk, err);

    if (!rc)
        rc = policy_file_open(request->policy, "prob", walk->csv,
                              is_streamed && is_large(request->policy), &walk->policy,
                              err);
    if (!rc && request->model)
        rc = policy_file_open(request->model, "qhat", walk->csv,
                              is_streamed && is_large(request->model), &walk->model, err);
    if (!rc)
        rc = walk_rows(walk, err);
    if (!rc && !walk->is_out_of_order)
        rc = decision_ids_check(walk->ids, csv_name(walk->csv), err);
    if (!rc && !walk->is_out_of_order)
        policy_log_end_clusters(walk->log);
    if (!rc && !walk->is_out_of_order)
        rc = policy_log_fit(walk->log, walk->table, request->log, request->base, err);
    walk->log->passed_over.awaited = awaited_count(&walk->awaited);
    awaited_free(&walk->awaited);
    reward_table_close(walk->table);
    free(walk->feature_columns);
    decision_ids_close(walk->ids);
    policy_file_close(walk->policy);
    policy_file_close(walk->model);
    csv_close(walk->csv);
    return rc;
}

enum status policy_log_read(const struct policy_log_request *request,
                            struct policy_log *log, struct err *err)
{
    /* A log that is read once cannot be begun again. */
    struct walk walk = {.request = request, .log = log};
    enum status rc;

    *log = (struct policy_log){.model.base = REWARD_BASE_NONE};
    rc = walk_once(&walk, strcmp(request->log, "-") != 0, err);
    if (!rc && walk.is_out_of_order) {
        policy_log_free(log);
        log->model.base = REWARD_BASE_NONE;
        walk = (struct walk){.request = request, .log = log};
        rc = walk_once(&walk, false, err);
    }
    if (!rc && log->row_count == 0)
        rc = policy_log_refuse_empty(request->log, request->reward, log, err);
    policy_log_end(log, request->model != NULL);
    return rc;
}
