/* train_choose.c - which learner is kept, by what the policies of all gain on rows held out. */
#include "app/train.h"

#include "learn/distribution.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each learner gains by row, and which does best. */
struct contest {
    double *gains[LEARNER_KIND_COUNT];
    int best, second; /* -1: none */
    struct judge_mean lead;
};

static enum status measure_policies(const struct train_table *table,
                                    struct train_result *result, struct contest *contest,
                                    struct err *err)
{
    const struct judge_costs costs = {result->expected_costs, table->costs};
    const struct judge_mean *policies = result->policies;

    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++) {
        enum status rc;

        if (!result->wanted[kind])
            continue;
        contest->gains[kind] = malloc((size_t)table->row_count * sizeof(double) + 1);
        if (!contest->gains[kind])
            return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
        rc = judge_policy(&result->judged, result->scores, result->effects[kind],
                          table->costs ? &costs : NULL, result->scale,
                          contest->gains[kind], &result->policies[kind], err);
        if (rc)
            return rc;
        if (contest->best < 0 || policies[kind].value > policies[contest->best].value) {
            contest->second = contest->best;
            contest->best = kind;
        } else if (contest->second < 0 ||
                   policies[kind].value > policies[contest->second].value) {
            contest->second = kind;
        }
    }
    return STATUS_OK;
}

/* By how much they hold effects together: s learns one model of all arms, t each arm alone. */
static const enum learner_kind simplest_first[LEARNER_KIND_COUNT] = {
    LEARNER_S, LEARNER_R, LEARNER_X, LEARNER_DR, LEARNER_T};

/* Luck picks among learners that do about as well, and the more luck has to say the worse the pick: so
 * the simplest of those that are not told from the best, by the error of the difference on the same rows
 * (after Breiman et al. 1984, section 3.4.3, who take one standard error). */
static enum status choose_kind(struct train_result *result, struct contest *contest,
                               struct err *err)
{
    for (int i = 0; simplest_first[i] != (enum learner_kind)contest->best; i++) {
        enum learner_kind kind = simplest_first[i];
        enum status rc;

        if (!result->wanted[kind])
            continue;
        rc = judge_gains(&result->judged, contest->gains[contest->best],
                         contest->gains[kind], &contest->lead, err);
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
               : judge_gains(&result->judged, contest->gains[contest->best],
                             contest->gains[contest->second], &contest->lead, err);
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
    struct contest contest = {.best = -1, .second = -1};
    enum status rc = measure_policies(table, result, &contest, err);

    if (!rc)
        rc = choose_kind(result, &contest, err);
    if (!rc)
        say_why(result, options, &contest);
    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++)
        free(contest.gains[kind]);
    return rc;
}
