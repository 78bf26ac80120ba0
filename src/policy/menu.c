/* menu.c - which amounts could be given, and which of them the policy forbids. */
#include "policy/rules.h"

#include "base/clock.h"

/* Clocks of shops differ a little; more than this ahead is no clock. */
#define EVENT_AHEAD_US (5 * 60 * SECOND_US)

void option_block(struct option *option, enum policy_code code, const char *detail)
{
    option->is_allowed = false;
    if (option->blocker_count < BLOCKER_COUNT_MAX)
        option->blockers[option->blocker_count++] = (struct blocker){code, detail};
}

void menu_block(struct menu *menu, enum policy_code code, const char *detail)
{
    for (int i = 1; i < menu->count; i++)
        option_block(&menu->options[i], code, detail);
}

const char *rule_name(const struct rule *rule, const char *path, int index,
                      struct arena *arena)
{
    const char *word = rule->clause ? ", clause " : "";
    const char *clause = rule->clause ? rule->clause : "";
    char digits[INT_TEXT_BYTES];

    if (index < 0)
        return arena_join(arena, path, word, clause);
    return arena_join(arena, path, "/", int_text(index, digits), word, clause);
}

/* Keep the goodwill amounts distinct and rising. */
static void menu_insert(struct menu *menu, int64_t goodwill)
{
    int at = menu->count;

    while (at > 0 && menu->options[at - 1].goodwill > goodwill)
        at--;
    if (at > 0 && menu->options[at - 1].goodwill == goodwill)
        return;
    for (int i = menu->count; i > at; i--)
        menu->options[i].goodwill = menu->options[i - 1].goodwill;
    menu->options[at].goodwill = goodwill;
    menu->count++;
}

static void menu_fill(const struct menu_rule *rule, const struct refund_case *asked,
                      struct menu *menu)
{
    menu->count = 0;
    menu->needs_review = false;
    menu->review = (struct blocker){0};
    menu_insert(menu, 0);
    for (int i = 0; i < rule->amount_count; i++)
        menu_insert(menu, rule->amounts[i]);
    for (int i = 0; i < rule->share_count; i++)
        menu_insert(menu, money_share(asked->order_amount, rule->shares_bps[i],
                                      rule->round_to, rule->rounding));
    for (int i = 0; i < menu->count; i++)
        menu->options[i] = (struct option){
            .goodwill = menu->options[i].goodwill,
            .amount = asked->entitled_amount + menu->options[i].goodwill,
            .is_allowed = true,
        };
}

/* What asks for more than a limit is blocked at nearly every case: put together without
 * printf. */
static const char *cap_detail(const char *name, int64_t limit, int64_t asked,
                              const char *currency, struct arena *arena)
{
    char limit_text[INT_TEXT_BYTES], asked_text[INT_TEXT_BYTES];

    return arena_join(arena, name, ": limit ", int_text(limit, limit_text), ", asked ",
                      int_text(asked, asked_text), " (", currency, " minor units)");
}

static const char *whole_cap_detail(const char *name, int64_t limit, int64_t entitled,
                                    int64_t asked, const char *currency,
                                    struct arena *arena)
{
    char limit_text[INT_TEXT_BYTES], asked_text[INT_TEXT_BYTES],
        owed_text[INT_TEXT_BYTES];

    return arena_join(arena, name, ": limit ", int_text(limit, limit_text), ", owed ",
                      int_text(entitled, owed_text), ", asked ",
                      int_text(asked, asked_text), " in all (", currency,
                      " minor units)");
}

/* Block every option whose goodwill is over a limit, with the numbers. */
static enum status cap_at(struct menu *menu, int64_t limit, const char *name,
                          const char *currency, struct arena *arena, struct err *err)
{
    for (int i = 1; i < menu->count; i++) {
        struct option *option = &menu->options[i];
        const char *detail;

        if (option->goodwill <= limit)
            continue;
        detail = cap_detail(name, limit, option->goodwill, currency, arena);
        if (!detail)
            return arena_exhausted(err);
        option_block(option, CODE_AMOUNT_OVER_CAP, detail);
    }
    return STATUS_OK;
}

static enum status cap_by_rules(const struct policy *policy,
                                const struct refund_case *asked, struct arena *arena,
                                struct menu *menu, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < policy->cap_count && !rc; i++) {
        const struct cap *cap = &policy->caps[i];
        int64_t limit = cap->amount == AMOUNT_ABSENT ? MONEY_MINOR_MAX : cap->amount;
        const char *name;

        if (!rule_applies(&cap->rule, asked))
            continue;
        if (cap->share_bps != SHARE_ABSENT) {
            int64_t share =
                money_share(asked->order_amount, cap->share_bps, 1, ROUND_DOWN);

            limit = share < limit ? share : limit;
        }
        if (menu->options[menu->count - 1].goodwill <= limit)
            continue;
        name = rule_name(&cap->rule, "/caps", i, arena);
        rc = name ? cap_at(menu, limit, name, policy->currency, arena, err)
                  : arena_exhausted(err);
    }
    return rc;
}

/* In all, no more than the order was worth, nor, if the policy says so, than was asked
 * for. */
static enum status cap_in_all(const struct policy *policy,
                              const struct refund_case *asked, struct arena *arena,
                              struct menu *menu, struct err *err)
{
    bool is_capped = policy->menu.at_most_requested && asked->requested_amount >= 0;

    for (int i = 1; i < menu->count; i++) {
        struct option *option = &menu->options[i];
        const char *name = "the order's amount", *detail;
        int64_t limit = asked->order_amount;

        if (option->amount <= limit) {
            if (!is_capped || option->amount <= asked->requested_amount)
                continue;
            name = "/menu/at_most_requested";
            limit = asked->requested_amount;
        }
        detail = whole_cap_detail(name, limit, asked->entitled_amount, option->amount,
                                  policy->currency, arena);
        if (!detail)
            return arena_exhausted(err);
        option_block(option, CODE_AMOUNT_OVER_CAP, detail);
    }
    return STATUS_OK;
}

static enum status check_eligibility(const struct policy *policy,
                                     const struct refund_case *asked, struct arena *arena,
                                     struct menu *menu, struct err *err)
{
    for (int i = 0; i < policy->eligibility_count; i++) {
        const struct condition_rule *rule = &policy->eligibility[i];
        struct condition_failure failed;
        const char *name, *wanted, *is, *detail = NULL;
        enum status rc;
        bool hold;

        if (!rule_applies(&rule->rule, asked))
            continue;
        rc = conditions_hold(rule, asked, arena, &hold, &failed, err);
        if (rc)
            return rc;
        if (hold)
            continue;
        name = rule_name(&rule->rule, "/eligibility", i, arena);
        wanted = condition_format(failed.condition, arena);
        is = fact_format(&failed.fact, arena);
        if (name && wanted && is)
            detail = arena_format(arena, "%s: needs %s, is %s%s%s", name, wanted, is,
                                  rule->rule.text ? "; " : "",
                                  rule->rule.text ? rule->rule.text : "");
        if (!detail)
            return arena_exhausted(err);
        menu_block(menu, CODE_NOT_ELIGIBLE, detail);
    }
    return STATUS_OK;
}

/* Why the event lies outside of the window, or "" when it does not; NULL without room. */
static const char *window_miss(const struct timed_rule *rule,
                               const struct refund_case *asked, int64_t now_us,
                               struct arena *arena)
{
    int64_t age_us = now_us - asked->occurred_at_us;
    const char *name;

    if (asked->occurred_at_us == TIME_ABSENT
            ? !rule->is_required
            : age_us <= rule->window.seconds * SECOND_US && age_us >= -EVENT_AHEAD_US)
        return "";
    name = rule_name(&rule->rule, "/claim_window", -1, arena);
    if (!name)
        return NULL;
    if (asked->occurred_at_us == TIME_ABSENT)
        return arena_format(arena, "%s: occurred_at is missing", name);
    if (age_us < 0)
        return arena_format(arena, "%s: occurred_at lies %lld s ahead", name,
                            (long long)(-age_us / SECOND_US));
    return arena_format(arena, "%s: limit %s (%lld s), occurred_at lies %lld s back",
                        name, rule->window.text, (long long)rule->window.seconds,
                        (long long)(age_us / SECOND_US));
}

static enum status check_window(const struct policy *policy,
                                const struct refund_case *asked, int64_t now_us,
                                struct arena *arena, struct menu *menu, struct err *err)
{
    const struct timed_rule *rule = &policy->claim_window;
    const char *detail;

    if (rule->window.seconds == 0 || !rule_applies(&rule->rule, asked))
        return STATUS_OK;
    detail = window_miss(rule, asked, now_us, arena);
    if (!detail)
        return arena_exhausted(err);
    if (detail[0] != '\0')
        menu_block(menu, CODE_OUT_OF_WINDOW, detail);
    return STATUS_OK;
}

enum status policy_menu(const struct policy *policy, const struct refund_case *asked,
                        int64_t now_us, struct arena *arena, struct menu *menu,
                        struct err *err)
{
    enum status rc;

    if (strcmp(policy->currency, asked->currency) != 0)
        return err_set(err, STATUS_INVALID, "the policy is in %s, the case in %s",
                       policy->currency, asked->currency);
    menu_fill(&policy->menu, asked, menu);
    rc = check_eligibility(policy, asked, arena, menu, err);
    if (!rc)
        rc = check_window(policy, asked, now_us, arena, menu, err);
    if (!rc)
        rc = cap_in_all(policy, asked, arena, menu, err);
    if (!rc)
        rc = cap_by_rules(policy, asked, arena, menu, err);
    if (!rc)
        rc = review_find(policy, asked, arena, &menu->needs_review, &menu->review, err);
    if (!rc)
        rc = policy_explore(policy, asked, arena, menu, err);
    return rc;
}

int policy_fallback(const struct policy *policy, const struct menu *menu)
{
    int best = 0;

    for (int i = 1; i < menu->count; i++)
        if (menu->options[i].is_allowed &&
            menu->options[i].goodwill <= policy->fallback_amount)
            best = i;
    return best;
}
