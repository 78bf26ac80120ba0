/* train_choose.c - which learner is kept, by what the policies of all gain on rows held
 * out. */
#include "app/train.h"

#include "learn/distribution.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which learner does best, and what it gains by row. */
struct contest {
    int best, second; /* -1: none */
    double *gains;    /* (row) of the best */
    double *room;     /* (row) of another */
    struct judge_mean lead;
};

static enum status contest_open(const struct train_table *table, struct contest *contest,
                                struct err *err)
{
    size_t bytes = (size_t)table->row_count * sizeof(double) + 1;

    *contest = (struct contest){
        .best = -1, .second = -1, .gains = malloc(bytes), .room = malloc(bytes)};
    if (contest->gains && contest->room)
        return STATUS_OK;
    return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
}

static void contest_close(struct contest *contest)
{
    free(contest->gains);
    free(contest->room);
}

/* In the contest's room, and the value of its policy. */
static enum status measure(const struct train_table *table, struct train_result *result,
                           struct contest *contest, int kind, struct err *err)
{
    return judge_policy(&result->judged, result->scores, result->effects[kind],
                        table->costs ? &result->expected : NULL, result->scale,
                        contest->room, &result->policies[kind], err);
}

/* How much more the best gains than another, on the same rows. What each row gains is
 * made again rather than kept for all learners. */
static enum status measure_lead(const struct train_table *table,
                                struct train_result *result, struct contest *contest,
                                int kind, struct err *err)
{
    enum status rc = measure(table, result, contest, kind, err);

    return rc ? rc
              : judge_gains(&result->judged, contest->gains, contest->room,
                            &contest->lead, err);
}

static enum status measure_policies(const struct train_table *table,
                                    struct train_result *result, struct contest *contest,
                                    struct err *err)
{
    const struct judge_mean *policies = result->policies;

    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++) {
        enum status rc;

        if (!result->wanted[kind])
            continue;
        rc = measure(table, result, contest, kind, err);
        if (rc)
            return rc;
        if (contest->best < 0 || policies[kind].value > policies[contest->best].value) {
            double *gains = contest->room;

            contest->room = contest->gains;
            contest->gains = gains;
            contest->second = contest->best;
            contest->best = kind;
        } else if (contest->second < 0 ||
                   policies[kind].value > policies[contest->second].value) {
            contest->second = kind;
        }
    }
    return STATUS_OK;
}

/* By how much they hold effects together: s learns one model of all arms, t each arm
 * alone. */
static const enum learner_kind simplest_first[LEARNER_KIND_COUNT] = {
    LEARNER_S, LEARNER_R, LEARNER_X, LEARNER_DR, LEARNER_T};

/* Luck picks among learners that do about as well, and the more luck has to say the worse
 * the pick: so the simplest of those that are not told from the best, by the error of the
 * difference on the same rows (after Breiman et al. 1984, section 3.4.3, who take one
 * standard error). */
static enum status choose_kind(const struct train_table *table,
                               struct train_result *result, struct contest *contest,
                               struct err *err)
{
    for (int i = 0; simplest_first[i] != (enum learner_kind)contest->best; i++) {
        enum learner_kind kind = simplest_first[i];
        enum status rc;

        if (!result->wanted[kind])
            continue;
        rc = measure_lead(table, result, contest, (int)kind, err);
        if (rc)
            return rc;
        if (contest->lead.value <= NORMAL_95 * contest->lead.se) {
            result->kind = kind;
            return STATUS_OK;
        }
    }
    result->kind = (enum learner_kind)contest->best;
    return contest->second < 0
               ? STATUS_OK
               : measure_lead(table, result, contest, contest->second, err);
}

static void free_others(struct train_result *result)
{
    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++)
        if (kind != (int)result->kind) {
            free(result->effects[kind]);
            result->effects[kind] = NULL;
        }
}

static void say_why(struct train_result *result, const struct train_options *options,
                    const struct contest *contest)
{
    const struct judge_mean *lead = &contest->lead,
                            *best = &result->policies[contest->best];
    const char *told = lead->value > NORMAL_95 * lead->se
                           ? "is more than chance"
                           : "may be chance: they are not told apart";
    const char *name = learner_kind_name((enum learner_kind)contest->best);

    if (strcmp(options->learner, "auto") != 0)
        snprintf(result->why, sizeof result->why, "asked for");
    else if (contest->second < 0)
        snprintf(result->why, sizeof result->why, "no other could be compared");
    else if ((int)result->kind != contest->best)
        snprintf(result->why, sizeof result->why,
                 "%s is the simplest that is not told from the best on rows held out: %s "
                 "has the largest policy value, %.6g per row (se %.3g), %.3g more (se "
                 "%.3g), which may be chance",
                 learner_kind_name(result->kind), name, best->value, best->se,
                 lead->value, lead->se);
    else
        snprintf(result->why, sizeof result->why,
                 "%s has the largest policy value on rows held out, %.6g per row (se "
                 "%.3g)%s; %s is second, %.3g behind (se %.3g), which %s",
                 name, best->value, best->se,
                 result->kind == LEARNER_S
                     ? ""
                     : ", which is more than that of any simpler one by more than chance",
                 learner_kind_name((enum learner_kind)contest->second), lead->value,
                 lead->se, told);
}

enum status train_choose(const struct train_options *options,
                         const struct train_table *table, struct train_result *result,
                         struct err *err)
{
    struct contest contest;
    enum status rc = contest_open(table, &contest, err);

    if (!rc)
        rc = measure_policies(table, result, &contest, err);
    if (!rc)
        rc = choose_kind(table, result, &contest, err);
    if (!rc) {
        say_why(result, options, &contest);
        free_others(result);
    }
    contest_close(&contest);
    return rc;
}
