/* policy_read.c - a policy from its JSON document: one table per object of it. */
#include "policy/policy.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/pointer.h"
#include "json/tree.h"
#include "model/bundle.h"
#include "policy/chance_read.h"
#include "policy/condition_read.h"

enum {
    POLICY_ARENA_BYTES_MAX = 4 << 20,
    PRIORITY_MAX = 1000000,
    COUNT_MAX = 1000000,
    HOLD_SECONDS = 24 * 3600,
    HOLD_SECONDS_MIN = 60,
    HOLD_SECONDS_MAX = 90 * 24 * 3600,
};

#define ROUND_TO_MAX INT64_C(1000000000)

static void read_priority(struct document *document, const json_t *value,
                          const char *pointer, void *target)
{
    int64_t priority = 0;

    read_integer(document, value, pointer, -PRIORITY_MAX, PRIORITY_MAX,
                 "higher goes first", &priority);
    *(int *)target = (int)priority;
}

static void read_count(struct document *document, const json_t *value,
                       const char *pointer, void *target)
{
    read_integer(document, value, pointer, 0, COUNT_MAX, "a number of credits", target);
}

static void read_round_to(struct document *document, const json_t *value,
                          const char *pointer, void *target)
{
    read_integer(document, value, pointer, 1, ROUND_TO_MAX, "minor units", target);
}

static void read_currency(struct document *document, const json_t *value,
                          const char *pointer, void *target)
{
    struct text code = {json_string_value(value), json_string_length(value)};

    if (!json_is_string(value))
        document_refuse(document, pointer, "wrong_type", "must be a string");
    else if (!currency_exists(code))
        document_refuse(document, pointer, "unknown_currency",
                        "must be an ISO 4217 code in upper case, such as USD");
    else
        text_copy(code, target, CURRENCY_BYTES);
}

static void read_model(struct document *document, const json_t *value,
                       const char *pointer, void *target)
{
    const char *name = json_string_value(value);

    if (json_is_null(value))
        return;
    if (name && (name[0] == '\0' || strlen(name) > BUNDLE_NAME_BYTES_MAX ||
                 name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.")] != '\0'))
        document_refuse(
            document, pointer, "out_of_range",
            "must be null or a model's name: a-z 0-9 _ - . and %d bytes at most",
            BUNDLE_NAME_BYTES_MAX);
    else
        read_name(document, value, pointer, target);
}

static void read_rounding(struct document *document, const json_t *value,
                          const char *pointer, void *target)
{
    static const char *const names[] = {
        [ROUND_DOWN] = "down", [ROUND_NEAREST] = "nearest", [ROUND_UP] = "up"};

    for (int i = 0; json_is_string(value) && i < 3; i++) {
        if (strcmp(json_string_value(value), names[i]) == 0) {
            *(enum rounding *)target = (enum rounding)i;
            return;
        }
    }
    document_refuse(document, pointer, "unknown_value", "must be down, nearest or up");
}

static void read_window(struct document *document, const json_t *value,
                        const char *pointer, void *target)
{
    struct window *window = target;
    int64_t seconds;

    if (!json_is_string(value)) {
        document_refuse(document, pointer, "wrong_type",
                        "must be a duration such as \"24h\" or \"30d\"");
    } else if (duration_parse(text_of(json_string_value(value)), &seconds, NULL) ||
               seconds < 1) {
        document_refuse(document, pointer, "out_of_range",
                        "must be a duration such as \"24h\" or \"30d\", up to ten years");
    } else {
        window->seconds = seconds;
        read_name(document, value, pointer, &window->text);
    }
}

/* {"seconds": 86400}, {"duration": "24h"} or just "24h". */
struct hold {
    int64_t seconds;
    struct window window;
};

static void read_seconds(struct document *document, const json_t *value,
                         const char *pointer, void *target)
{
    read_integer(document, value, pointer, HOLD_SECONDS_MIN, HOLD_SECONDS_MAX, "seconds",
                 target);
}

static void read_hold(struct document *document, const json_t *value, const char *pointer,
                      void *target)
{
    static const struct member members[] = {
        {"seconds", read_seconds, offsetof(struct hold, seconds), false},
        {"duration", read_window, offsetof(struct hold, window), false},
        MEMBERS_END,
    };
    struct hold hold = {0};
    int fault_count = document->fault_count;

    if (json_is_string(value))
        read_window(document, value, pointer, &hold.window);
    else
        read_object(document, value, pointer, members, &hold);
    if (document->fault_count > fault_count)
        return;
    if (hold.window.seconds > 0 && hold.seconds > 0)
        document_refuse(document, pointer, "out_of_range",
                        "give 'seconds' or 'duration', not both");
    else if (hold.window.seconds == 0 && hold.seconds == 0)
        document_refuse(document, pointer, "missing_field",
                        "needs 'seconds' or 'duration'");
    else if (hold.window.seconds > 0 && (hold.window.seconds < HOLD_SECONDS_MIN ||
                                         hold.window.seconds > HOLD_SECONDS_MAX))
        document_refuse(document, pointer, "out_of_range", "must be 60 s to 90 d");
    else
        *(int64_t *)target = hold.seconds ? hold.seconds : hold.window.seconds;
}

/* The scope is read by the code that reads budgets' scopes. */
static void read_scope(struct document *document, const json_t *value,
                       const char *pointer, void *target)
{
    char *text;
    enum status rc =
        json_tree_write(value, JSON_COMPACT | JSON_ENCODE_ANY, &text, document->err);

    if (!rc)
        rc = scope_decode(text_of(text), pointer, document->arena, target, document->err);
    if (rc == STATUS_EXHAUSTED)
        document->is_full = true;
    else if (rc == STATUS_INVALID)
        document->fault_count++;
    else if (rc)
        document_refuse(document, pointer, "wrong_type",
                        "is nested too deep for a scope");
    free(text);
}

static void read_menu_amounts(struct document *document, const json_t *value,
                              const char *pointer, void *target)
{
    static const struct list_form form = {
        .item_bytes = sizeof(int64_t),
        .count_max = OPTION_COUNT_MAX - 1,
        .read = read_amount,
    };
    struct menu_rule *menu = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &menu->amount_count);
    menu->amounts = items;
}

static void read_menu_shares(struct document *document, const json_t *value,
                             const char *pointer, void *target)
{
    static const struct list_form form = {
        .item_bytes = sizeof(int),
        .count_max = OPTION_COUNT_MAX - 1,
        .read = read_share,
    };
    struct menu_rule *menu = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &menu->share_count);
    menu->shares_bps = items;
}

static void read_menu(struct document *document, const json_t *value, const char *pointer,
                      void *target)
{
    static const struct member members[] = {
        {"amounts", read_menu_amounts, 0, false},
        {"order_shares", read_menu_shares, 0, false},
        {"round_to", read_round_to, offsetof(struct menu_rule, round_to), false},
        {"rounding", read_rounding, offsetof(struct menu_rule, rounding), false},
        {"at_most_requested", read_bool, offsetof(struct menu_rule, at_most_requested),
         false},
        MEMBERS_END,
    };
    struct menu_rule *menu = target;

    read_object(document, value, pointer, members, menu);
    if (menu->amount_count + menu->share_count > OPTION_COUNT_MAX - 1)
        document_refuse(document, pointer, "too_many",
                        "has %d amounts and shares, at most %d fit beside nothing",
                        menu->amount_count + menu->share_count, OPTION_COUNT_MAX - 1);
}

static void read_cap(struct document *document, const json_t *value, const char *pointer,
                     void *target)
{
    static const struct member members[] = {
        RULE_MEMBERS(struct cap),
        {"amount", read_amount, offsetof(struct cap, amount), false},
        {"order_share", read_share, offsetof(struct cap, share_bps), false},
        MEMBERS_END,
    };

    read_object(document, value, pointer, members, target);
    if (json_is_object(value) && !json_object_get(value, "amount") &&
        !json_object_get(value, "order_share"))
        document_refuse(document, pointer, "missing_field",
                        "needs 'amount' or 'order_share'");
}

static void read_caps(struct document *document, const json_t *value, const char *pointer,
                      void *target)
{
    static const struct cap none = {.amount = AMOUNT_ABSENT, .share_bps = SHARE_ABSENT};
    static const struct list_form form = {
        .item_bytes = sizeof(struct cap),
        .count_max = POLICY_RULE_COUNT_MAX,
        .item_default = &none,
        .read = read_cap,
    };
    struct policy *policy = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &policy->cap_count);
    policy->caps = items;
}

static void read_customer_limit(struct document *document, const json_t *value,
                                const char *pointer, void *target)
{
    static const struct member members[] = {
        RULE_MEMBERS(struct customer_limit),
        {"window", read_window, offsetof(struct customer_limit, window), true},
        {"count", read_count, offsetof(struct customer_limit, count), false},
        {"amount", read_amount, offsetof(struct customer_limit, amount), false},
        MEMBERS_END,
    };

    read_object(document, value, pointer, members, target);
    if (json_is_object(value) && !json_object_get(value, "count") &&
        !json_object_get(value, "amount"))
        document_refuse(document, pointer, "missing_field", "needs 'count' or 'amount'");
}

static void check_windows(struct document *document, const struct policy *policy,
                          const char *pointer)
{
    int distinct_count = 0;

    for (int i = 0; i < policy->customer_limit_count; i++) {
        int64_t seconds = policy->customer_limits[i].window.seconds;
        int first = 0;

        while (policy->customer_limits[first].window.seconds != seconds)
            first++;
        distinct_count += first == i;
    }
    if (distinct_count > POLICY_WINDOW_COUNT_MAX)
        document_refuse(document, pointer, "too_many",
                        "has %d different windows, at most %d are looked up",
                        distinct_count, POLICY_WINDOW_COUNT_MAX);
}

static void read_customer_limits(struct document *document, const json_t *value,
                                 const char *pointer, void *target)
{
    static const struct customer_limit none = {.count = AMOUNT_ABSENT,
                                               .amount = AMOUNT_ABSENT};
    static const struct list_form form = {
        .item_bytes = sizeof(struct customer_limit),
        .count_max = POLICY_RULE_COUNT_MAX,
        .item_default = &none,
        .read = read_customer_limit,
    };
    struct policy *policy = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &policy->customer_limit_count);
    policy->customer_limits = items;
    check_windows(document, policy, pointer);
}

static void read_order_limit(struct document *document, const json_t *value,
                             const char *pointer, void *target)
{
    static const struct member members[] = {
        RULE_MEMBERS(struct order_limit),
        {"order_share", read_share, offsetof(struct order_limit, share_bps), true},
        MEMBERS_END,
    };

    read_object(document, value, pointer, members, target);
}

static void read_duplicates(struct document *document, const json_t *value,
                            const char *pointer, void *target)
{
    static const struct member members[] = {
        RULE_MEMBERS(struct timed_rule),
        {"window", read_window, offsetof(struct timed_rule, window), true},
        MEMBERS_END,
    };

    read_object(document, value, pointer, members, target);
}

/* {"window": "30d", ..} or just "30d". */
static void read_claim_window(struct document *document, const json_t *value,
                              const char *pointer, void *target)
{
    static const struct member members[] = {
        RULE_MEMBERS(struct timed_rule),
        {"window", read_window, offsetof(struct timed_rule, window), true},
        {"required", read_bool, offsetof(struct timed_rule, is_required), false},
        MEMBERS_END,
    };
    struct timed_rule *rule = target;

    if (json_is_string(value))
        read_window(document, value, pointer, &rule->window);
    else
        read_object(document, value, pointer, members, rule);
}

static void read_eligibility(struct document *document, const json_t *value,
                             const char *pointer, void *target)
{
    struct list_form form = condition_rules(read_eligibility_rule);
    struct policy *policy = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &policy->eligibility_count);
    policy->eligibility = items;
}

static void read_review_when(struct document *document, const json_t *value,
                             const char *pointer, void *target)
{
    struct list_form form = condition_rules(read_review_rule);
    struct review_rule *review = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &review->when_count);
    review->when = items;
}

static void read_review(struct document *document, const json_t *value,
                        const char *pointer, void *target)
{
    static const struct member members[] = {
        RULE_MEMBERS(struct review_rule),
        {"amount_over", read_amount, offsetof(struct review_rule, amount_over), false},
        {"when", read_review_when, 0, false},
        MEMBERS_END,
    };

    read_object(document, value, pointer, members, target);
}

static void read_fallback(struct document *document, const json_t *value,
                          const char *pointer, void *target)
{
    static const struct member members[] = {{"amount", read_amount, 0, true},
                                            MEMBERS_END};

    read_object(document, value, pointer, members, target);
}

static void read_reasons(struct document *document, const json_t *value,
                         const char *pointer, void *target)
{
    const char **reasons = target, *name;
    char child[POINTER_BYTES];
    json_t *text;

    if (!json_is_object(value)) {
        document_refuse(document, pointer, "wrong_type", "must be an object");
        return;
    }
    json_object_foreach((json_t *)value, name, text)
    {
        enum policy_code code;

        pointer_member(child, pointer, text_of(name));
        if (policy_code_find(text_of(name), &code))
            read_prose(document, text, child, &reasons[code]);
        else
            document_refuse(document, child, "unknown_field",
                            "is not a code of the catalogue, such as HIGH_UPLIFT");
    }
}

static const struct member policy_members[] = {
    {"id", read_ignored, 0, false},
    {"object", read_ignored, 0, false},
    {"revision", read_ignored, 0, false},
    {"created_at", read_ignored, 0, false},
    {"created_by", read_ignored, 0, false},
    {"warnings", read_ignored, 0, false},
    {"description", read_prose, offsetof(struct policy, description), false},
    {"currency", read_currency, offsetof(struct policy, currency), true},
    {"scope", read_scope, offsetof(struct policy, scope), false},
    {"priority", read_priority, offsetof(struct policy, priority), false},
    {"model", read_model, offsetof(struct policy, model), false},
    {"menu", read_menu, offsetof(struct policy, menu), false},
    {"caps", read_caps, 0, false},
    {"customer_limits", read_customer_limits, 0, false},
    {"order_limit", read_order_limit, offsetof(struct policy, order_limit), false},
    {"duplicates", read_duplicates, offsetof(struct policy, duplicates), false},
    {"claim_window", read_claim_window, offsetof(struct policy, claim_window), false},
    {"eligibility", read_eligibility, 0, false},
    {"review", read_review, offsetof(struct policy, review), false},
    {"exploration", read_exploration, offsetof(struct policy, exploration), false},
    {"holdout", read_holdout, offsetof(struct policy, holdout), false},
    {"fallback", read_fallback, offsetof(struct policy, fallback_amount), false},
    {"hold", read_hold, offsetof(struct policy, hold_seconds), false},
    {"reasons", read_reasons, offsetof(struct policy, reasons), false},
    MEMBERS_END,
};

static void check_scope(struct document *document, struct policy *policy)
{
    struct scope *scope = &policy->scope;

    if (scope->currency.bytes > 0 && policy->currency[0] != '\0' &&
        !text_is(scope->currency, policy->currency))
        document_refuse(document, "/scope/currency", "out_of_range",
                        "must be the policy's own currency, %s, or left away",
                        policy->currency);
    scope->currency = text_of(policy->currency);
}

static enum status parse(const char *text, size_t bytes, json_t **root, struct err *err)
{
    json_error_t error;
    enum status rc;

    if (bytes > POLICY_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "a policy may have %d bytes",
                       POLICY_BYTES_MAX);
    rc = json_tree_read(text, bytes, JSON_REJECT_DUPLICATES, root, &error, err);
    if (rc != STATUS_MALFORMED)
        return rc;
    rc = json_tree_fault((struct text){text, bytes}, &error, "", err);
    if (rc != STATUS_MALFORMED)
        return rc;
    return err_set(err, STATUS_MALFORMED,
                   "the policy is not JSON: %s at line %d, column %d", error.text,
                   error.line, error.column);
}

enum status policy_read(const char *text, size_t bytes, struct policy **policy,
                        struct err *err)
{
    struct policy *read = NULL;
    struct document document = {.err = err};
    json_t *root = NULL;
    enum status rc = parse(text, bytes, &root, err);

    if (rc)
        return rc;
    read = calloc(1, sizeof *read);
    if (!read) {
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for the policy");
        goto out;
    }
    arena_init(&read->arena, NULL, 0, POLICY_ARENA_BYTES_MAX);
    document.arena = &read->arena;
    read->hold_seconds = HOLD_SECONDS;
    read->menu.round_to = 1;
    read->order_limit.share_bps = SHARE_ABSENT;
    read->review.amount_over = AMOUNT_ABSENT;
    read->exploration.amount_max = AMOUNT_ABSENT;
    read_object(&document, root, "", policy_members, read);
    check_scope(&document, read);
    if (document.is_full)
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for the policy");
    else if (document.fault_count > 0)
        rc = STATUS_INVALID;
    else
        *policy = read;
out:
    if (rc)
        policy_free(read);
    json_decref(root);
    return rc;
}
