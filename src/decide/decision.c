#include "decide/decision.h"

#include "base/clock.h"
#include "decide/chance.h"
#include "optimize/choose.h"
#include "optimize/explore.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* --- prepare -------------------------------------------------------------------------------- */

static void fall_back(struct decision *decision, enum policy_code code)
{
    decision->is_fallback = true;
    decision->fallback_code = code;
}

/* Features -> effects and costs of the arms -> those of each option. */
static enum status score(const struct served_model *model,
                         const struct refund_case *asked, struct arena *arena,
                         struct decision *decision, struct err *err)
{
    const struct bundle *bundle = scorer_bundle(model->scorer);
    double *row = arena_array(arena, double, (size_t)bundle->feature_count);
    enum status rc;
    int refused;

    if (!row)
        return arena_exhausted(err);
    rc = bundle_row(bundle, asked->features, asked->feature_count, row, &refused, err);
    if (rc)
        return rc;
    decision->model_name = model->name;
    decision->model_version = model->version;
    decision->model_sha256 = bundle->sha256;
    if (refused >= 0) {
        fall_back(decision, CODE_FEATURES_MISSING);
        return STATUS_OK;
    }
    /* A model that cannot answer this case is an outcome, not an error. */
    if (scorer_effects(model->scorer, row, 1, decision->effects, decision->costs, err)) {
        fall_back(decision, CODE_MODEL_UNAVAILABLE);
        return STATUS_OK;
    }
    decision->effect_count = bundle->arm_count;
    for (int i = 0; i < decision->menu.count; i++) {
        struct option *option = &decision->menu.options[i];

        option->effect = scorer_effect_at(model->scorer, decision->effects,
                                          option->goodwill, asked->order_amount);
        option->cost = scorer_cost_at(model->scorer, decision->costs, option->goodwill,
                                      asked->order_amount);
        option->is_scored = isfinite(option->effect) && isfinite(option->cost);
        if (!option->is_scored) {
            fall_back(decision, CODE_MODEL_UNAVAILABLE);
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* Without a policy only what is owed by right can be given. */
static enum status menu_of_nothing(const struct refund_case *asked, struct menu *menu)
{
    menu->count = 1;
    menu->explored_max = AMOUNT_ABSENT;
    menu->options[0] = (struct option){
        .amount = asked->entitled_amount, .is_allowed = true, .is_scored = true};
    return STATUS_OK;
}

/* For good: a function of policy and customer alone. */
static enum status hold_out(const struct refund_case *asked, struct arena *arena,
                            struct decision *decision, struct err *err)
{
    const struct holdout *holdout = policy_holdout(decision->policy);

    if (!holdout || chance_of_customer(holdout->salt, asked->customer_id) * BPS_WHOLE >=
                        holdout->share_bps)
        return STATUS_OK;
    decision->mode = MODE_HOLDOUT;
    return policy_hold_out(decision->policy, arena, &decision->menu, err);
}

enum status decision_prepare(const struct world *world, const struct refund_case *asked,
                             int64_t now_us, struct arena *arena,
                             struct decision *decision, struct err *err)
{
    const struct served_policy *policy = world_policy(world, asked);
    const struct served_model *model;
    enum status rc;

    decision->seen.now_us = now_us;
    decision->entitled = asked->entitled_amount;
    decision->recommended = AMOUNT_ABSENT;
    if (!policy) {
        fall_back(decision, CODE_NO_POLICY);
        return menu_of_nothing(asked, &decision->menu);
    }
    decision->policy = policy->policy;
    decision->policy_id = policy->id;
    decision->policy_revision = policy->revision;
    rc = policy_menu(policy->policy, asked, now_us, arena, &decision->menu, err);
    if (!rc)
        rc = hold_out(asked, arena, decision, err);
    if (rc)
        return rc;
    policy_needs(policy->policy, asked, &decision->seen.needs);
    model = policy_model(policy->policy)
                ? world_model(world, policy_model(policy->policy))
                : NULL;
    if (model)
        return score(model, asked, arena, decision, err);
    fall_back(decision, CODE_MODEL_UNAVAILABLE);
    return STATUS_OK;
}

/* --- finish --------------------------------------------------------------------------------- */

static double total_price(const struct circumstances *seen)
{
    double price = 0;

    for (int i = 0; i < seen->budget_count; i++)
        price += seen->budgets[i].shadow_price;
    return price;
}

static enum status block_by_budget(const struct budget_view *budget,
                                   struct option *option, const char *currency,
                                   struct arena *arena, struct err *err)
{
    char *detail;

    if (option->goodwill == 0 || option->amount <= budget->remaining)
        return STATUS_OK;
    detail =
        arena_format(arena, "%s: left %lld, asked %lld (%s minor units)", budget->id,
                     (long long)budget->remaining, (long long)option->amount, currency);
    if (!detail)
        return arena_exhausted(err);
    option_block(option, CODE_BUDGET_EXHAUSTED, detail);
    return STATUS_OK;
}

/* Goodwill without a budget would be money without a limit. */
static enum status mask_by_budgets(const struct refund_case *asked, struct arena *arena,
                                   struct decision *decision, struct err *err)
{
    for (int i = 0; i < decision->menu.count; i++) {
        struct option *option = &decision->menu.options[i];

        if (decision->seen.budget_count == 0 && option->goodwill > 0)
            option_block(option, CODE_NO_BUDGET,
                         "create a budget whose scope covers the case");
        for (int b = 0; b < decision->seen.budget_count; b++) {
            enum status rc = block_by_budget(&decision->seen.budgets[b], option,
                                             asked->currency, arena, err);
            if (rc)
                return rc;
        }
    }
    return STATUS_OK;
}

static void add_reason(struct decision *decision, enum policy_code code, bool is_for,
                       double contribution, const char *text)
{
    if (decision->reason_count == REASON_COUNT_MAX)
        return;
    if (!text)
        text = decision->policy ? policy_reason_text(decision->policy, code)
                                : policy_code_text(code);
    decision->reasons[decision->reason_count++] = (struct reason){
        .code = code, .is_for = is_for, .contribution = contribution, .text = text};
}

/* What was chosen elsewhere, as far as it is still allowed: options rise by amount. */
static int planned(const struct decision *decision)
{
    const struct menu *menu = &decision->menu;
    int best = 0;

    for (int i = 1; i < menu->count; i++)
        if (menu->options[i].is_allowed &&
            menu->options[i].amount <= decision->seen.planned_amount)
            best = i;
    return best;
}

/* Without chance. */
static int choose(const struct decision *decision)
{
    double net[OPTION_COUNT_MAX];
    int64_t amounts[OPTION_COUNT_MAX];
    bool allowed[OPTION_COUNT_MAX];
    const struct menu *menu = &decision->menu;

    for (int i = 0; i < menu->count; i++) {
        net[i] = menu->options[i].net_value;
        amounts[i] = menu->options[i].amount;
        allowed[i] = menu->options[i].is_allowed;
    }
    if (decision->seen.is_planned)
        return planned(decision);
    if (decision->is_fallback)
        return decision->policy ? policy_fallback(decision->policy, menu) : 0;
    return choose_greedy(net, amounts, allowed, menu->count);
}

bool decision_wants_draw(const struct decision *decision)
{
    return decision->menu.explored_max != AMOUNT_ABSENT && !decision->is_fallback &&
           !decision->seen.is_planned;
}

/* By chance among the best and what chance may give. Sets every propensity. */
static int draw(struct decision *decision)
{
    struct menu *menu = &decision->menu;
    double net[OPTION_COUNT_MAX], costs[OPTION_COUNT_MAX], shares[OPTION_COUNT_MAX];
    bool is_open[OPTION_COUNT_MAX];

    static_assert(OPTION_COUNT_MAX <= (int)EXPLORE_OPTION_COUNT_MAX);
    if (!decision->seen.has_draw || !decision_wants_draw(decision)) {
        menu->options[decision->best].propensity = 1;
        return decision->best;
    }
    for (int i = 0; i < menu->count; i++) {
        const struct option *option = &menu->options[i];

        net[i] = option->net_value;
        costs[i] = option->cost;
        is_open[i] = option->is_allowed && option->goodwill <= menu->explored_max;
    }
    explore_probabilities(policy_exploration(decision->policy), net, costs, is_open,
                          menu->count, decision->best, shares);
    for (int i = 0; i < menu->count; i++)
        menu->options[i].propensity = shares[i];
    return explore_choose(shares, menu->count, decision->seen.draw);
}

/* The best option there would be at price 0, to say what the price changed. */
static int best_without_price(const struct menu *menu)
{
    double net[OPTION_COUNT_MAX];
    int64_t amounts[OPTION_COUNT_MAX];
    bool allowed[OPTION_COUNT_MAX];

    for (int i = 0; i < menu->count; i++) {
        net[i] = net_value(menu->options[i].effect, menu->options[i].cost, 0);
        amounts[i] = menu->options[i].amount;
        allowed[i] = menu->options[i].is_allowed;
    }
    return choose_greedy(net, amounts, allowed, menu->count);
}

/* The first blocker of the smallest goodwill: why not even that could be given. */
static const struct blocker *main_blocker(const struct menu *menu)
{
    for (int i = 1; i < menu->count; i++)
        if (menu->options[i].blocker_count > 0)
            return &menu->options[i].blockers[0];
    return NULL;
}

static bool has_allowed_goodwill(const struct menu *menu)
{
    for (int i = 1; i < menu->count; i++)
        if (menu->options[i].is_allowed)
            return true;
    return false;
}

/* The net value that other cases of its batch kept from this one. */
static double forgone(const struct decision *decision)
{
    const struct menu *menu = &decision->menu;
    double chosen = menu->options[decision->chosen].net_value, most = chosen;

    if (!decision->seen.is_planned || decision->is_fallback)
        return 0;
    for (int i = 0; i < menu->count; i++)
        if (menu->options[i].is_allowed)
            most = fmax(most, menu->options[i].net_value);
    return most - chosen;
}

/* In the order that matters most to whoever asked; contributions are minor units of net
 * value. */
static void give_reasons(const struct refund_case *asked, struct decision *decision)
{
    const struct menu *menu = &decision->menu;
    const struct option *chosen = &menu->options[decision->chosen];
    double price = total_price(&decision->seen);
    enum policy_code issue;

    if (asked->entitled_amount > 0)
        add_reason(decision, CODE_ENTITLED, true, (double)asked->entitled_amount, NULL);
    if (decision->is_fallback)
        add_reason(decision, decision->fallback_code, chosen->goodwill > 0, 0, NULL);
    if (decision->mode == MODE_HOLDOUT) {
        add_reason(decision, CODE_HOLDOUT, false, 0, NULL);
        return;
    }
    if (decision->is_explored)
        add_reason(decision, CODE_EXPLORATION, chosen->goodwill > 0,
                   chosen->net_value - menu->options[decision->best].net_value, NULL);
    if (!decision->is_fallback && chosen->goodwill > 0) {
        if (!decision->is_explored)
            add_reason(decision, CODE_HIGH_UPLIFT, true, chosen->effect, NULL);
        if (policy_code_of_issue(asked->issue, &issue))
            add_reason(decision, issue, true, 0, NULL);
        if (price > 0 && forgone(decision) == 0)
            add_reason(decision, CODE_BUDGET_PRICE, false, -chosen->cost * price, NULL);
    }
    if (forgone(decision) > 0) {
        add_reason(decision, CODE_BUDGET_PRICE, false, -forgone(decision), NULL);
    } else if (!decision->is_fallback && !decision->is_explored &&
               chosen->goodwill == 0 && has_allowed_goodwill(menu)) {
        const struct option *best = &menu->options[best_without_price(menu)];

        if (best->goodwill > 0)
            add_reason(decision, CODE_BUDGET_PRICE, false, -best->cost * price, NULL);
        else
            add_reason(decision, CODE_LOW_UPLIFT, false, chosen->net_value, NULL);
    }
    if (chosen->goodwill == 0 && !has_allowed_goodwill(menu)) {
        const struct blocker *blocker = main_blocker(menu);

        if (blocker)
            add_reason(decision, blocker->code, false, 0, blocker->detail);
    }
}

static enum outcome outcome_of(const struct decision *decision)
{
    if (decision->is_fallback)
        return OUTCOME_FALLBACK;
    return decision->amount > 0 ? OUTCOME_CREDIT : OUTCOME_NO_CREDIT;
}

/* Whether the best option goes to a person first; the others that can be drawn never do.
 * What would happen with its probability is then nothing on top. */
static enum status find_review(const struct refund_case *asked, struct arena *arena,
                               struct decision *decision, bool *is_review,
                               struct blocker *why, struct err *err)
{
    struct option *best = &decision->menu.options[decision->best];
    enum status rc = STATUS_OK;

    *is_review = decision->menu.needs_review;
    *why = decision->menu.review;
    if (decision->mode == MODE_HOLDOUT || !decision->policy)
        return STATUS_OK;
    if (!*is_review)
        rc = policy_review(decision->policy, asked, best, arena, is_review, why, err);
    if (!rc && *is_review && decision->best > 0) {
        decision->menu.options[0].propensity =
            fmin(1, decision->menu.options[0].propensity + best->propensity);
        best->propensity = 0;
    }
    return rc;
}

/* A person decides over goodwill; what is owed by right is paid meanwhile. */
static void go_to_person(const struct blocker *why, struct decision *decision)
{
    decision->outcome = OUTCOME_REVIEW;
    decision->recommended = decision->amount;
    decision->chosen = 0; /* nothing on top, until a person has decided */
    decision->goodwill = 0;
    decision->amount = decision->entitled;
    /* Said first, whatever else there was to say. */
    if (decision->reason_count == REASON_COUNT_MAX)
        decision->reason_count--;
    memmove(decision->reasons + 1, decision->reasons,
            (size_t)decision->reason_count * sizeof decision->reasons[0]);
    decision->reason_count++;
    decision->reasons[0] = (struct reason){.code = why->code, .text = why->detail};
}

/* Choose, by chance where the policy asks for it, and say why. */
static enum status settle_on(const struct refund_case *asked, struct arena *arena,
                             struct decision *decision, struct err *err)
{
    struct menu *menu = &decision->menu;
    struct blocker why;
    bool is_review;
    enum status rc;

    decision->best = choose(decision);
    assert(decision->best >= 0); /* nothing on top is always allowed */
    decision->chosen = draw(decision);
    decision->is_explored = decision->chosen != decision->best;
    decision->goodwill = menu->options[decision->chosen].goodwill;
    decision->amount = menu->options[decision->chosen].amount;
    decision->outcome = outcome_of(decision);
    give_reasons(asked, decision);
    rc = find_review(asked, arena, decision, &is_review, &why, err);
    if (!rc && is_review && !decision->is_explored)
        go_to_person(&why, decision);
    decision->propensity = menu->options[decision->chosen].propensity;
    return rc;
}

enum status decision_finish(const struct refund_case *asked, struct arena *arena,
                            struct decision *decision, struct err *err)
{
    struct menu *menu = &decision->menu;
    double price = total_price(&decision->seen);
    enum status rc = STATUS_OK;

    if (decision->policy)
        rc = policy_limit(decision->policy, asked, &decision->seen.needs,
                          &decision->seen.history, arena, menu, err);
    if (!rc)
        rc = mask_by_budgets(asked, arena, decision, err);
    if (rc)
        return rc;
    for (int i = 0; i < menu->count; i++)
        menu->options[i].net_value =
            net_value(menu->options[i].effect, menu->options[i].cost, price);
    rc = settle_on(asked, arena, decision, err);
    if (rc)
        return rc;
    decision->status = decision->amount > 0 ? DECISION_HELD : DECISION_NONE;
    if (decision->status == DECISION_HELD)
        decision->hold_expires_at_us =
            decision->seen.now_us +
            SECOND_US * (decision->policy ? policy_hold_seconds(decision->policy)
                                          : DECISION_HOLD_SECONDS);
    return STATUS_OK;
}

void decision_by_person(int64_t amount, int64_t entitled, struct decision *decision)
{
    decision->amount = amount;
    decision->entitled = entitled;
    decision->goodwill = amount - entitled;
    decision->recommended = AMOUNT_ABSENT;
    decision->menu.count = 1;
    decision->menu.options[0] = (struct option){.amount = amount,
                                                .goodwill = amount - entitled,
                                                .propensity = 1,
                                                .is_allowed = true};
    decision->chosen = 0;
    decision->propensity = 1;
    decision->outcome = amount > 0 ? OUTCOME_CREDIT : OUTCOME_NO_CREDIT;
    decision->status = amount > 0 ? DECISION_HELD : DECISION_NONE;
    if (amount > 0)
        decision->hold_expires_at_us =
            decision->seen.now_us + SECOND_US * decision->hold_seconds;
    add_reason(decision, CODE_MANUAL_OVERRIDE, true, 0, NULL);
}

/* The check of a folder says the same from what is stored (read_budget,
 * store/check_decisions.c). */
int64_t decision_charge(const struct decision *decision, int budget)
{
    const struct budget_view *view = &decision->seen.budgets[budget];
    int64_t room = view->remaining > view->kept ? view->remaining : view->kept;

    if (room < 0)
        room = 0;
    return decision->amount < room ? decision->amount : room;
}
