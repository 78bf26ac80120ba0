/* limits.c - what a customer's past forbids, and what a person has to look at. */
#include "policy/rules.h"

#include <assert.h>

static int window_find(const struct policy_needs *needs, int64_t seconds)
{
    for (int i = 0; i < needs->window_count; i++)
        if (needs->window_seconds[i] == seconds)
            return i;
    return -1;
}

static bool order_limit_applies(const struct policy *policy,
                                const struct refund_case *asked)
{
    return policy->order_limit.share_bps != SHARE_ABSENT && asked->order_id.bytes > 0 &&
           rule_applies(&policy->order_limit.rule, asked);
}

static bool duplicates_apply(const struct policy *policy, const struct refund_case *asked)
{
    return policy->duplicates.window.seconds > 0 && asked->order_id.bytes > 0 &&
           rule_applies(&policy->duplicates.rule, asked);
}

void policy_needs(const struct policy *policy, const struct refund_case *asked,
                  struct policy_needs *needs)
{
    *needs = (struct policy_needs){.needs_order = order_limit_applies(policy, asked)};
    if (duplicates_apply(policy, asked))
        needs->duplicate_seconds = policy->duplicates.window.seconds;
    for (int i = 0; i < policy->customer_limit_count; i++) {
        const struct customer_limit *limit = &policy->customer_limits[i];

        if (rule_applies(&limit->rule, asked) &&
            window_find(needs, limit->window.seconds) < 0)
            needs->window_seconds[needs->window_count++] = limit->window.seconds;
    }
}

/* Block the options that, with what was used, go over an amount. in_all: of the option's
 * whole amount, else of its goodwill. */
static enum status limit_amount(struct menu *menu, enum policy_code code, int64_t limit,
                                int64_t used, bool in_all, const char *name,
                                const char *currency, struct arena *arena,
                                struct err *err)
{
    for (int i = 1; i < menu->count; i++) {
        struct option *option = &menu->options[i];
        int64_t asks = in_all ? option->amount : option->goodwill;
        const char *detail;

        if (asks <= limit - used)
            continue;
        detail = arena_format(
            arena, "%s: limit %lld, used %lld, asked %lld (%s minor units)", name,
            (long long)limit, (long long)used, (long long)asks, currency);
        if (!detail)
            return arena_exhausted(err);
        option_block(option, code, detail);
    }
    return STATUS_OK;
}

static enum status limit_customer(const struct policy *policy, int index, int64_t count,
                                  int64_t amount, struct arena *arena, struct menu *menu,
                                  struct err *err)
{
    const struct customer_limit *limit = &policy->customer_limits[index];
    const char *name = rule_name(&limit->rule, "/customer_limits", index, arena);
    const char *detail;

    if (name)
        name = arena_format(arena, "%s, %s", name, limit->window.text);
    if (!name)
        return arena_exhausted(err);
    if (limit->count != AMOUNT_ABSENT && count >= limit->count) {
        detail = arena_format(arena, "%s: limit %lld, used %lld, asked 1 (credits)", name,
                              (long long)limit->count, (long long)count);
        if (!detail)
            return arena_exhausted(err);
        menu_block(menu, CODE_VELOCITY_LIMIT, detail);
    }
    if (limit->amount == AMOUNT_ABSENT)
        return STATUS_OK;
    return limit_amount(menu, CODE_CUSTOMER_CAP_REACHED, limit->amount, amount, false,
                        name, policy->currency, arena, err);
}

static enum status limit_order(const struct policy *policy,
                               const struct refund_case *asked, int64_t used,
                               struct arena *arena, struct menu *menu, struct err *err)
{
    const char *name;
    int64_t limit;

    if (!order_limit_applies(policy, asked))
        return STATUS_OK;
    name = rule_name(&policy->order_limit.rule, "/order_limit", -1, arena);
    if (!name)
        return arena_exhausted(err);
    limit =
        money_share(asked->order_amount, policy->order_limit.share_bps, 1, ROUND_DOWN);
    return limit_amount(menu, CODE_ORDER_CAP_REACHED, limit, used, true, name,
                        policy->currency, arena, err);
}

static enum status limit_duplicate(const struct policy *policy, struct arena *arena,
                                   struct menu *menu, struct err *err)
{
    const char *name = rule_name(&policy->duplicates.rule, "/duplicates", -1, arena);
    const char *detail = NULL;

    if (name)
        detail =
            arena_format(arena, "%s: the same order and issue was answered within %s",
                         name, policy->duplicates.window.text);
    if (!detail)
        return arena_exhausted(err);
    menu_block(menu, CODE_DUPLICATE_REQUEST, detail);
    return STATUS_OK;
}

enum status policy_limit(const struct policy *policy, const struct refund_case *asked,
                         const struct policy_needs *needs, const struct history *history,
                         struct arena *arena, struct menu *menu, struct err *err)
{
    enum status rc = STATUS_OK;

    if (history->has_duplicate && duplicates_apply(policy, asked))
        rc = limit_duplicate(policy, arena, menu, err);
    for (int i = 0; i < policy->customer_limit_count && !rc; i++) {
        const struct customer_limit *limit = &policy->customer_limits[i];
        int window;

        if (!rule_applies(&limit->rule, asked))
            continue;
        window = window_find(needs, limit->window.seconds);
        assert(window >= 0); /* needs came from this policy and this case */
        rc = limit_customer(policy, i, history->window_counts[window],
                            history->window_amounts[window], arena, menu, err);
    }
    if (!rc)
        rc = limit_order(policy, asked, history->order_amount, arena, menu, err);
    return rc;
}

enum status review_find(const struct policy *policy, const struct refund_case *asked,
                        struct arena *arena, bool *is_review, struct blocker *review,
                        struct err *err)
{
    *is_review = false;
    for (int i = 0; i < policy->review.when_count; i++) {
        const struct condition_rule *rule = &policy->review.when[i];
        struct condition_failure last;
        const char *name, *reason, *detail = NULL;
        enum status rc;

        if (!rule_applies(&rule->rule, asked))
            continue;
        rc = conditions_hold(rule, asked, arena, is_review, &last, err);
        if (rc)
            return rc;
        if (!*is_review)
            continue;
        name = rule_name(&rule->rule, "/review/when", i, arena);
        reason = rule->rule.text ? rule->rule.text
                                 : condition_format(&rule->conditions[0], arena);
        if (name && reason)
            detail = arena_format(arena, "%s: %s", name, reason);
        if (!detail)
            return arena_exhausted(err);
        *review = (struct blocker){CODE_REVIEW_THRESHOLD, detail};
        return STATUS_OK;
    }
    return STATUS_OK;
}

enum status policy_review(const struct policy *policy, const struct refund_case *asked,
                          const struct option *chosen, struct arena *arena,
                          bool *is_review, struct blocker *review, struct err *err)
{
    const struct review_rule *rule = &policy->review;
    const char *name, *detail = NULL;
    enum status rc = review_find(policy, asked, arena, is_review, review, err);

    if (rc || *is_review || rule->amount_over == AMOUNT_ABSENT ||
        chosen->goodwill <= rule->amount_over || !rule_applies(&rule->rule, asked))
        return rc;
    name = rule_name(&rule->rule, "/review/amount_over", -1, arena);
    if (name)
        detail = arena_format(arena, "%s: limit %lld, asked %lld (%s minor units)", name,
                              (long long)rule->amount_over, (long long)chosen->goodwill,
                              policy->currency);
    if (!detail)
        return arena_exhausted(err);
    *is_review = true;
    *review = (struct blocker){CODE_REVIEW_THRESHOLD, detail};
    return STATUS_OK;
}
