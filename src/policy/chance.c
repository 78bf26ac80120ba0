/* chance.c - which cases chance may decide, how much it may give, and what is kept from
 * customers who are held out. */
#include "policy/rules.h"

/* What tooling says of a case that chance must keep away from, whatever the policy. */
static struct fact high = {.kind = FACT_STRING, .string = {"high", 4}};
static struct condition is_high_risk = {
    .field = FIELD_METADATA,
    .op = OP_EQ,
    .field_text = "metadata.risk",
    .name = {"risk", 4},
    .values = &high,
    .value_count = 1,
};
static const struct condition_rule high_risk = {.conditions = &is_high_risk,
                                                .condition_count = 1};

/* Whether a rule of the policy, or its mark, keeps chance away from the case. */
static enum status is_spared(const struct policy *policy, const struct refund_case *asked,
                             struct arena *arena, bool *spared, struct err *err)
{
    const struct explore_rule *rule = &policy->exploration;
    struct condition_failure failed;
    enum status rc = conditions_hold(&high_risk, asked, arena, spared, &failed, err);

    for (int i = 0; i < rule->unless_count && !rc && !*spared; i++)
        if (rule_applies(&rule->unless[i].rule, asked))
            rc = conditions_hold(&rule->unless[i], asked, arena, spared, &failed, err);
    return rc;
}

enum status policy_explore(const struct policy *policy, const struct refund_case *asked,
                           struct arena *arena, struct menu *menu, struct err *err)
{
    int64_t reach = policy->exploration.amount_max;
    const struct review_rule *review = &policy->review;
    bool spared;
    enum status rc;

    menu->explored_max = AMOUNT_ABSENT;
    if (!policy->exploration.is_set || menu->needs_review)
        return STATUS_OK;
    rc = is_spared(policy, asked, arena, &spared, err);
    if (rc || spared)
        return rc;
    if (reach == AMOUNT_ABSENT)
        reach = MONEY_MINOR_MAX;
    /* Chance gives nothing that a person would have to look at. */
    if (review->amount_over != AMOUNT_ABSENT && review->amount_over < reach &&
        rule_applies(&review->rule, asked))
        reach = review->amount_over;
    menu->explored_max = reach;
    return STATUS_OK;
}

/* Said first, so that it stays when there are more blockers than are kept. */
static void block_first(struct option *option, struct blocker blocker)
{
    if (option->blocker_count == BLOCKER_COUNT_MAX)
        option->blocker_count--;
    memmove(option->blockers + 1, option->blockers,
            (size_t)option->blocker_count * sizeof option->blockers[0]);
    option->blockers[0] = blocker;
    option->blocker_count++;
    option->is_allowed = false;
}

enum status policy_hold_out(const struct policy *policy, struct arena *arena,
                            struct menu *menu, struct err *err)
{
    const char *detail = arena_format(arena, "/holdout: %.4g %% of customers",
                                      policy->holdout.share_bps / 100.0);

    if (!detail)
        return arena_exhausted(err);
    for (int i = 1; i < menu->count; i++)
        block_first(&menu->options[i], (struct blocker){CODE_HOLDOUT, detail});
    menu->needs_review = false; /* there is nothing for a person to decide */
    menu->explored_max = AMOUNT_ABSENT;
    return STATUS_OK;
}
