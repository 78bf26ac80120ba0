/* test_policy_menu.c - which amounts a policy offers and what blocks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "policy/policy.h"

#define NOW_US (INT64_C(1763661731) * SECOND_US)
#define DAY_US (INT64_C(86400) * SECOND_US)

static char memory[1 << 20];
static struct arena arena;
static struct err err;
static struct menu menu;

static struct policy *policy_of(const char *members)
{
    struct policy *policy = NULL;
    char text[4096];

    err_clear(&err);
    snprintf(text, sizeof text, "{\"currency\":\"USD\"%s%s}", members[0] ? "," : "",
             members);
    if (policy_read(text, strlen(text), &policy, &err))
        fail_msg("%s: %s", text, err.text);
    return policy;
}

static struct refund_case case_of(int64_t order_amount)
{
    return (struct refund_case){
        .case_id = text_of("k"),
        .customer_id = text_of("c"),
        .order_id = text_of("o"),
        .issue = text_of("late_delivery"),
        .segment = text_of("new"),
        .currency = "USD",
        .order_amount = order_amount,
        .requested_amount = AMOUNT_ABSENT,
        .occurred_at_us = TIME_ABSENT,
    };
}

static void menu_make(const struct policy *policy, const struct refund_case *asked)
{
    err_clear(&err);
    arena_init(&arena, memory, sizeof memory, 0);
    if (policy_menu(policy, asked, NOW_US, &arena, &menu, &err))
        fail_msg("%s", err.text);
}

/* "0 500 1000!" : goodwill amounts, with a mark behind what is blocked. */
static const char *menu_text(void)
{
    static char text[1024];
    size_t used = 0;

    for (int i = 0; i < menu.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld%s",
                                 i ? " " : "", (long long)menu.options[i].goodwill,
                                 menu.options[i].is_allowed ? "" : "!");
    return text;
}

#define MENU "\"menu\":{\"amounts\":[500,1000,2000]}"

static void menus_have_amounts_and_rounded_shares_in_order(void **state)
{
    static const struct {
        const char *menu;
        int64_t order;
        const char *options;
    } rows[] = {
        {"", 4250, "0"},
        {"\"menu\":{}", 4250, "0"},
        {"\"menu\":{\"amounts\":[2000,500,0,500]}", 4250, "0 500 2000"},
        {"\"menu\":{\"order_shares\":[1.0,0.25,0.5,0]}", 4250, "0 1062 2125 4250"},
        {"\"menu\":{\"order_shares\":[0.25],\"rounding\":\"nearest\"}", 4250, "0 1063"},
        {"\"menu\":{\"order_shares\":[0.25],\"rounding\":\"up\"}", 4249, "0 1063"},
        {"\"menu\":{\"order_shares\":[0.25,0.5,1],\"round_to\":50}", 4299,
         "0 1050 2100 4250"},
        {"\"menu\":{\"order_shares\":[0.25,0.5,1],\"round_to\":50,\"rounding\":"
         "\"nearest\"}",
         4299, "0 1050 2150 4250"},
        {"\"menu\":{\"order_shares\":[0.25,0.5,1],\"round_to\":50,\"rounding\":\"up\"}",
         4299, "0 1100 2150 4250"},
        /* Rounded once: 1449.99.. is not 1450 first. */
        {"\"menu\":{\"order_shares\":[0.3333],\"round_to\":50}", 4350, "0 1400"},
        {"\"menu\":{\"order_shares\":[0.0001,0.9999]}", 10000, "0 1 9999"},
        {"\"menu\":{\"order_shares\":[0.25],\"round_to\":5000,\"rounding\":\"up\"}", 4250,
         "0"},
        {"\"menu\":{\"order_shares\":[0.5,1]}", 9007199254740991,
         "0 4503599627370495 9007199254740991"},
        {"\"menu\":{\"order_shares\":[0.5],\"amounts\":[1000,2125]}", 4250,
         "0 1000 2125"},
        {"\"menu\":{\"order_shares\":[0.5,1],\"amounts\":[500]}", 0, "0 500!"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy *policy = policy_of(rows[i].menu);
        struct refund_case asked = case_of(rows[i].order);

        menu_make(policy, &asked);
        if (strcmp(menu_text(), rows[i].options) != 0)
            fail_msg("%s of %lld: %s", rows[i].menu, (long long)rows[i].order,
                     menu_text());
        policy_free(policy);
    }
}

static void what_is_owed_comes_under_every_option(void **state)
{
    struct policy *policy = policy_of("\"menu\":{\"amounts\":[500,1000,2000]}");
    struct refund_case asked = case_of(4250);

    (void)state;
    asked.entitled_amount = 3000;
    menu_make(policy, &asked);
    assert_string_equal(menu_text(), "0 500 1000 2000!");
    assert_int_equal(menu.options[0].amount, 3000);
    assert_int_equal(menu.options[3].amount, 5000);
    assert_int_equal(menu.options[3].blocker_count, 1);
    assert_int_equal(menu.options[3].blockers[0].code, CODE_AMOUNT_OVER_CAP);
    assert_string_equal(menu.options[3].blockers[0].detail,
                        "the order's amount: limit 4250, owed 3000, asked 5000 in all "
                        "(USD minor units)");
    asked.entitled_amount = 4250;
    menu_make(policy, &asked);
    assert_string_equal(menu_text(), "0 500! 1000! 2000!");
    policy_free(policy);
}

/* What a rule does to a case of 4250 with what else the row says. */
static const struct {
    const char *members, *segment;
    int64_t entitled, requested, age_us; /* AMOUNT_ABSENT, TIME_ABSENT */
    const char *options;
    enum policy_code code;
    const char *detail; /* of the last option's first blocker; NULL: it has none */
} rules[] = {
    {MENU ",\"caps\":[{\"amount\":1000,\"clause\":\"4.2\"}]", "new", 0, -1, -1,
     "0 500 1000 2000!", CODE_AMOUNT_OVER_CAP,
     "/caps/0, clause 4.2: limit 1000, asked 2000 (USD minor units)"},
    {MENU ",\"caps\":[{\"order_share\":0.3}]", "new", 0, -1, -1, "0 500 1000 2000!",
     CODE_AMOUNT_OVER_CAP, "/caps/0: limit 1275, asked 2000 (USD minor units)"},
    {MENU ",\"caps\":[{\"order_share\":0.1,\"amount\":900}]", "new", 0, -1, -1,
     "0 500! 1000! 2000!", CODE_AMOUNT_OVER_CAP,
     "/caps/0: limit 425, asked 2000 (USD minor units)"},
    {MENU ",\"caps\":[{\"order_share\":0}]", "new", 0, -1, -1, "0 500! 1000! 2000!",
     CODE_AMOUNT_OVER_CAP, "/caps/0: limit 0, asked 2000 (USD minor units)"},
    {MENU ",\"caps\":[{\"segment\":\"old\",\"amount\":0},{\"issue\":\"late_delivery\","
          "\"segment\":\"new\",\"amount\":700}]",
     "new", 0, -1, -1, "0 500 1000! 2000!", CODE_AMOUNT_OVER_CAP,
     "/caps/1: limit 700, asked 2000 (USD minor units)"},
    {MENU ",\"caps\":[{\"segment\":\"new\",\"amount\":0}]", NULL, 0, -1, -1,
     "0 500 1000 2000", 0, NULL},
    {MENU ",\"caps\":[{\"amount\":500}]", "new", 3000, -1, -1, "0 500 1000! 2000!",
     CODE_AMOUNT_OVER_CAP,
     "the order's amount: limit 4250, owed 3000, asked 5000 in all (USD minor units)"},
    {"\"menu\":{\"amounts\":[500,1000,2000],\"at_most_requested\":true}", "new", 200,
     1200, -1, "0 500 1000 2000!", CODE_AMOUNT_OVER_CAP,
     "/menu/at_most_requested: limit 1200, owed 200, asked 2200 in all (USD minor "
     "units)"},
    {"\"menu\":{\"amounts\":[500,1000,2000],\"at_most_requested\":true}", "new", 200, -1,
     -1, "0 500 1000 2000", 0, NULL},
    {MENU, "new", 200, 1200, -1, "0 500 1000 2000", 0, NULL},
    {MENU ",\"claim_window\":\"30d\"", "new", 0, -1, 30 * DAY_US, "0 500 1000 2000", 0,
     NULL},
    {MENU ",\"claim_window\":\"30d\"", "new", 0, -1, 30 * DAY_US + 1,
     "0 500! 1000! 2000!", CODE_OUT_OF_WINDOW,
     "/claim_window: limit 30d (2592000 s), occurred_at lies 2592000 s "
     "back"},
    {MENU ",\"claim_window\":{\"window\":\"30d\",\"clause\":\"2.1\"}", "new", 0, -1,
     -300 * SECOND_US, "0 500 1000 2000", 0, NULL},
    {MENU ",\"claim_window\":{\"window\":\"30d\",\"clause\":\"2.1\"}", "new", 0, -1,
     -301 * SECOND_US, "0 500! 1000! 2000!", CODE_OUT_OF_WINDOW,
     "/claim_window, clause 2.1: occurred_at lies 301 s ahead"},
    {MENU ",\"claim_window\":\"30d\"", "new", 0, -1, -1, "0 500 1000 2000", 0, NULL},
    {MENU ",\"claim_window\":{\"window\":\"30d\",\"required\":true}", "new", 0, -1, -1,
     "0 500! 1000! 2000!", CODE_OUT_OF_WINDOW, "/claim_window: occurred_at is missing"},
    {MENU ",\"claim_window\":{\"window\":\"1d\",\"segment\":\"old\"}", "new", 0, -1,
     30 * DAY_US, "0 500 1000 2000", 0, NULL},
    {MENU ",\"eligibility\":[{\"clause\":\"3.1\",\"text\":\"A week first.\",\"require\":["
          "{\"field\":\"issue\",\"op\":\"present\"},"
          "{\"field\":\"features.tenure_days\",\"op\":\"ge\",\"value\":411}]}]",
     "new", 0, -1, -1, "0 500! 1000! 2000!", CODE_NOT_ELIGIBLE,
     "/eligibility/0, clause 3.1: needs features.tenure_days ge 411, is 410; A week "
     "first."},
    {MENU ",\"eligibility\":[{\"segment\":\"old\",\"require\":["
          "{\"field\":\"features.tenure_days\",\"op\":\"ge\",\"value\":411}]}]",
     "new", 0, -1, -1, "0 500 1000 2000", 0, NULL},
    {MENU ",\"eligibility\":[{\"require\":[{\"field\":\"metadata.source\",\"op\":\"in\","
          "\"value\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}]}]",
     "new", 0, -1, -1, "0 500! 1000! 2000!", CODE_NOT_ELIGIBLE,
     "/eligibility/0: needs metadata.source in \"a\", \"b\", \"c\", \"d\", .., is "
     "\"tel\""},
};

static void each_rule_blocks_what_it_says_and_names_its_numbers(void **state)
{
    struct feature_value tenure = {text_of("tenure_days"), FEATURE_SENT_NUMBER, 410, {0}};

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct policy *policy = policy_of(rules[i].members);
        struct refund_case asked = case_of(4250);
        const struct option *last;

        asked.segment = text_of(rules[i].segment);
        asked.entitled_amount = rules[i].entitled;
        asked.requested_amount = rules[i].requested;
        asked.occurred_at_us =
            rules[i].age_us == -1 ? TIME_ABSENT : NOW_US - rules[i].age_us;
        asked.features = &tenure;
        asked.feature_count = 1;
        asked.metadata = text_of("{\"other\": \"x\", \"s\\u006furce\": \"t\\u0065l\"}");
        menu_make(policy, &asked);
        last = &menu.options[menu.count - 1];
        if (strcmp(menu_text(), rules[i].options) != 0)
            fail_msg("rule %zu: %s, not %s", i, menu_text(), rules[i].options);
        assert_int_equal(last->is_allowed, rules[i].detail == NULL);
        assert_true(last->is_allowed || last->blocker_count > 0);
        if (rules[i].detail) {
            assert_string_equal(last->blockers[0].detail, rules[i].detail);
            assert_int_equal(last->blockers[0].code, rules[i].code);
        }
        assert_false(menu.needs_review);
        policy_free(policy);
    }
}

/* Whether a condition holds for the case below. */
static const struct {
    const char *field, *op, *value;
    bool holds;
} conditions[] = {
    {"order_amount", "eq", "4250", true},
    {"order_amount", "ne", "4250", false},
    {"order_amount", "lt", "4250", false},
    {"order_amount", "le", "4250", true},
    {"order_amount", "gt", "4250", false},
    {"order_amount", "ge", "4251", false},
    {"order_amount", "in", "[1,4250]", true},
    {"order_amount", "not_in", "[1,4250]", false},
    {"requested_amount", "missing", NULL, true},
    {"requested_amount", "present", NULL, false},
    {"requested_amount", "ge", "0", false},
    {"requested_amount", "ne", "0", false},
    {"requested_amount", "not_in", "[0]", false},
    {"entitled_amount", "eq", "0", true},
    {"issue", "eq", "\"late_delivery\"", true},
    {"issue", "in", "[\"quality\",\"late_delivery\"]", true},
    {"issue", "not_in", "[\"quality\"]", true},
    {"segment", "eq", "\"new\"", true},
    {"market", "missing", NULL, true},
    {"channel", "eq", "\"chat\"", false},
    {"currency", "eq", "\"USD\"", true},
    {"features.days", "ge", "7", true},
    {"features.days", "lt", "6.5", false},
    {"features.days", "eq", "7.0", true},
    {"features.days", "eq", "\"7\"", false},
    {"features.days", "ne", "\"7\"", true},
    {"features.tier", "eq", "\"gold\"", true},
    {"features.tier", "ge", "1", false},
    {"features.tier", "in", "[1,true,\"gold\"]", true},
    {"features.vip", "eq", "true", true},
    {"features.vip", "eq", "1", false},
    {"features.vip", "ne", "false", true},
    {"features.vip", "gt", "0", false},
    {"features.null", "missing", NULL, true},
    {"features.null", "present", NULL, false},
    {"features.absent", "missing", NULL, true},
    {"features.absent", "eq", "1", false},
    {"metadata.agent", "eq", "\"a_5\"", true},
    {"metadata.agent", "ne", "\"a_5\"", false},
    {"metadata.nobody", "missing", NULL, true},
    {"metadata.nobody", "ne", "\"a_5\"", false},
};

static void conditions_compare_what_the_case_has(void **state)
{
    struct feature_value features[] = {
        {text_of("days"), FEATURE_SENT_NUMBER, 7, {0}},
        {text_of("tier"), FEATURE_SENT_STRING, 0, text_of("gold")},
        {text_of("vip"), FEATURE_SENT_BOOL, 1, {0}},
        {text_of("null"), FEATURE_SENT_NULL, 0, {0}},
    };
    struct refund_case asked = case_of(4250);

    (void)state;
    asked.features = features;
    asked.feature_count = 4;
    asked.metadata = text_of("{\"agent\":\"a_5\"}");
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        struct policy *policy;
        char condition[256], members[1024];

        snprintf(condition, sizeof condition, "[{\"field\":\"%s\",\"op\":\"%s\"%s%s}]",
                 conditions[i].field, conditions[i].op,
                 conditions[i].value ? ",\"value\":" : "",
                 conditions[i].value ? conditions[i].value : "");
        snprintf(
            members, sizeof members,
            MENU
            ",\"eligibility\":[{\"require\":%s}],\"review\":{\"when\":[{\"all\":%s}]}",
            condition, condition);
        policy = policy_of(members);
        menu_make(policy, &asked);
        if (menu.options[1].is_allowed != conditions[i].holds ||
            menu.needs_review != conditions[i].holds)
            fail_msg("%s: eligible %d, review %d", condition, menu.options[1].is_allowed,
                     menu.needs_review);
        policy_free(policy);
    }
}

static void all_conditions_of_a_rule_and_all_rules_count(void **state)
{
    struct policy *policy = policy_of(
        MENU ",\"eligibility\":["
             "{\"require\":[{\"field\":\"market\",\"op\":\"present\"}]},"
             "{\"require\":[{\"field\":\"order_amount\",\"op\":\"ge\",\"value\":1},"
             "{\"field\":\"order_amount\",\"op\":\"le\",\"value\":2}]}],"
             "\"claim_window\":{\"window\":\"1d\",\"required\":true},"
             "\"caps\":[{\"amount\":0},{\"amount\":10}]");
    struct refund_case asked = case_of(100);

    (void)state;
    menu_make(policy, &asked);
    assert_string_equal(menu_text(), "0 500! 1000! 2000!");
    /* Six rules block each; four are kept, in the order of their weight. */
    for (int i = 1; i < menu.count; i++) {
        const struct option *option = &menu.options[i];

        assert_int_equal(option->blocker_count, BLOCKER_COUNT_MAX);
        assert_int_equal(option->blockers[0].code, CODE_NOT_ELIGIBLE);
        assert_int_equal(option->blockers[1].code, CODE_NOT_ELIGIBLE);
        assert_int_equal(option->blockers[2].code, CODE_OUT_OF_WINDOW);
        assert_int_equal(option->blockers[3].code, CODE_AMOUNT_OVER_CAP);
    }
    assert_int_equal(menu.options[0].blocker_count, 0);
    policy_free(policy);
}

#define LIMITS                                                                           \
    MENU                                                                                 \
        ",\"customer_limits\":[{\"window\":\"30d\",\"count\":3,\"amount\":5000,"         \
        "\"clause\":\"6.1\"},{\"window\":\"1d\",\"segment\":\"watchlist\",\"count\":1}," \
        "{\"window\":\"30d\",\"issue\":\"late_delivery\",\"amount\":9000}],"             \
        "\"order_limit\":{\"order_share\":0.5,\"clause\":\"6.3\"},"                      \
        "\"duplicates\":{\"window\":\"7d\"}"

static void a_policy_asks_only_for_the_past_that_matters(void **state)
{
    struct policy *policy = policy_of(LIMITS), *plain = policy_of(MENU);
    struct refund_case asked = case_of(4250);
    struct policy_needs needs;

    (void)state;
    policy_needs(policy, &asked, &needs);
    assert_int_equal(needs.window_count, 1);
    assert_int_equal(needs.window_seconds[0], 30 * 86400);
    assert_int_equal(needs.duplicate_seconds, 7 * 86400);
    assert_true(needs.needs_order);
    asked.segment = text_of("watchlist");
    policy_needs(policy, &asked, &needs);
    assert_int_equal(needs.window_count, 2);
    assert_int_equal(needs.window_seconds[1], 86400);
    asked.order_id = (struct text){0};
    policy_needs(policy, &asked, &needs);
    assert_int_equal(needs.duplicate_seconds, 0);
    assert_false(needs.needs_order);
    policy_needs(plain, &asked, &needs);
    assert_int_equal(needs.window_count, 0);
    policy_free(policy);
    policy_free(plain);
}

static const struct {
    int64_t count, amount, order;
    bool has_duplicate;
    const char *options;
    int code; /* of the last option's first blocker, -1: none */
    const char *detail;
} pasts[] = {
    {0, 0, 0, false, "0 500 1000 2000", -1, NULL},
    {2, 3000, 0, false, "0 500 1000 2000", -1, NULL},
    {3, 0, 0, false, "0 500! 1000! 2000!", CODE_VELOCITY_LIMIT,
     "/customer_limits/0, clause 6.1, 30d: limit 3, used 3, asked 1 (credits)"},
    {1, 3001, 0, false, "0 500 1000 2000!", CODE_CUSTOMER_CAP_REACHED,
     "/customer_limits/0, clause 6.1, 30d: limit 5000, used 3001, asked 2000 (USD minor "
     "units)"},
    {1, 9007199254740991, 0, false, "0 500! 1000! 2000!", CODE_CUSTOMER_CAP_REACHED,
     "/customer_limits/0, clause 6.1, 30d: limit 5000, used 9007199254740991, asked 2000 "
     "(USD minor units)"},
    {0, 0, 125, false, "0 500 1000 2000", -1, NULL},
    {0, 0, 126, false, "0 500 1000 2000!", CODE_ORDER_CAP_REACHED,
     "/order_limit, clause 6.3: limit 2125, used 126, asked 2000 (USD minor units)"},
    {0, 0, 2125, false, "0 500! 1000! 2000!", CODE_ORDER_CAP_REACHED,
     "/order_limit, clause 6.3: limit 2125, used 2125, asked 2000 (USD minor units)"},
    {0, 0, 0, true, "0 500! 1000! 2000!", CODE_DUPLICATE_REQUEST,
     "/duplicates: the same order and issue was answered within 7d"},
};

static void the_past_blocks_what_goes_over_its_limits(void **state)
{
    struct policy *policy = policy_of(LIMITS);
    struct refund_case asked = case_of(4250);
    struct policy_needs needs;

    (void)state;
    policy_needs(policy, &asked, &needs);
    for (size_t i = 0; i < sizeof pasts / sizeof pasts[0]; i++) {
        struct history history = {
            .window_counts = {pasts[i].count},
            .window_amounts = {pasts[i].amount},
            .order_amount = pasts[i].order,
            .has_duplicate = pasts[i].has_duplicate,
        };
        const struct option *last;

        menu_make(policy, &asked);
        assert_int_equal(
            policy_limit(policy, &asked, &needs, &history, &arena, &menu, &err),
            STATUS_OK);
        last = &menu.options[menu.count - 1];
        if (strcmp(menu_text(), pasts[i].options) != 0)
            fail_msg("past %zu: %s", i, menu_text());
        if (pasts[i].detail) {
            assert_int_equal(last->blockers[0].code, pasts[i].code);
            assert_string_equal(last->blockers[0].detail, pasts[i].detail);
        }
    }
    policy_free(policy);
}

static void what_the_order_received_counts_what_is_owed_too(void **state)
{
    struct policy *policy =
        policy_of("\"menu\":{\"amounts\":[500]},\"order_limit\":{\"order_share\":1}");
    struct refund_case asked = case_of(4250);
    struct history history = {.order_amount = 3000};
    struct policy_needs needs;

    (void)state;
    asked.entitled_amount = 750;
    policy_needs(policy, &asked, &needs);
    menu_make(policy, &asked);
    assert_int_equal(policy_limit(policy, &asked, &needs, &history, &arena, &menu, &err),
                     STATUS_OK);
    assert_string_equal(menu_text(), "0 500");
    history.order_amount = 3001;
    assert_int_equal(policy_limit(policy, &asked, &needs, &history, &arena, &menu, &err),
                     STATUS_OK);
    assert_string_equal(menu_text(), "0 500!");
    policy_free(policy);
}

static void large_amounts_and_named_cases_go_to_a_person(void **state)
{
    struct policy *policy = policy_of(
        MENU ",\"review\":{\"amount_over\":1000,\"clause\":\"5.1\",\"when\":["
             "{\"segment\":\"press\",\"text\":\"Ask the press desk.\",\"clause\":\"5.2\","
             "\"all\":[{\"field\":\"order_amount\",\"op\":\"ge\",\"value\":0}]},"
             "{\"all\":[{\"field\":\"order_amount\",\"op\":\"ge\",\"value\":50000}]}]}");
    struct refund_case asked = case_of(4250);
    struct blocker review;
    bool is_review;

    (void)state;
    menu_make(policy, &asked);
    assert_false(menu.needs_review);
    for (int i = 0; i < menu.count; i++) {
        assert_int_equal(policy_review(policy, &asked, &menu.options[i], &arena,
                                       &is_review, &review, &err),
                         STATUS_OK);
        assert_int_equal(is_review, menu.options[i].goodwill > 1000);
    }
    assert_int_equal(review.code, CODE_REVIEW_THRESHOLD);
    assert_string_equal(review.detail,
                        "/review/amount_over, clause 5.1: limit 1000, asked "
                        "2000 (USD minor units)");
    /* What is owed is not held up. */
    asked.entitled_amount = 3000;
    menu_make(policy, &asked);
    assert_int_equal(policy_review(policy, &asked, &menu.options[2], &arena, &is_review,
                                   &review, &err),
                     STATUS_OK);
    assert_false(is_review);

    asked.segment = text_of("press");
    menu_make(policy, &asked);
    assert_true(menu.needs_review);
    assert_string_equal(menu.review.detail,
                        "/review/when/0, clause 5.2: Ask the press desk.");
    assert_int_equal(policy_review(policy, &asked, &menu.options[0], &arena, &is_review,
                                   &review, &err),
                     STATUS_OK);
    assert_true(is_review);
    asked = case_of(50000);
    menu_make(policy, &asked);
    assert_true(menu.needs_review);
    assert_string_equal(menu.review.detail, "/review/when/1: order_amount ge 50000");
    policy_free(policy);
}

static void fallback_is_the_dearest_allowed_option_within_its_amount(void **state)
{
    static const struct {
        const char *members;
        int64_t order, goodwill;
    } rows[] = {
        {MENU, 4250, 0},
        {MENU ",\"fallback\":{\"amount\":499}", 4250, 0},
        {MENU ",\"fallback\":{\"amount\":1999}", 4250, 1000},
        {MENU ",\"fallback\":{\"amount\":100000}", 4250, 2000},
        {MENU ",\"fallback\":{\"amount\":100000}", 1999, 1000},
        {MENU ",\"fallback\":{\"amount\":100000},\"caps\":[{\"amount\":1}]", 4250, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy *policy = policy_of(rows[i].members);
        struct refund_case asked = case_of(rows[i].order);

        menu_make(policy, &asked);
        assert_int_equal(menu.options[policy_fallback(policy, &menu)].goodwill,
                         rows[i].goodwill);
        policy_free(policy);
    }
}

static void the_demo_offers_a_credit_to_the_plainest_case(void **state)
{
    static const char *const issues[] = {"late_delivery", "quality", "something_else"};
    struct policy *policy = NULL;
    char *text;
    size_t bytes;

    (void)state;
    err_clear(&err);
    if (file_read("config/demo-policy.json", POLICY_BYTES_MAX, &text, &bytes, &err) ||
        policy_read(text, bytes, &policy, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++) {
        struct refund_case asked = case_of(4250);
        struct policy_needs needs;

        asked.issue = text_of(issues[i]);
        asked.segment = asked.order_id = (struct text){0};
        menu_make(policy, &asked);
        policy_needs(policy, &asked, &needs);
        assert_int_equal(needs.window_count, 0);
        assert_false(menu.needs_review);
        assert_int_equal(menu.options[1].goodwill, 500);
        assert_true(menu.options[1].is_allowed);
        assert_int_equal(menu.options[policy_fallback(policy, &menu)].goodwill, 500);
    }
    policy_free(policy);
    free(text);
}

static void a_case_in_another_currency_has_no_menu(void **state)
{
    struct policy *policy = policy_of(MENU);
    struct refund_case asked = case_of(4250);

    (void)state;
    strcpy(asked.currency, "EUR");
    assert_int_equal(policy_menu(policy, &asked, NOW_US, &arena, &menu, &err),
                     STATUS_INVALID);
    assert_false(scope_matches(policy_scope(policy), &asked));
    policy_free(policy);
}

static char *random_policy(struct rng *rng, char *text, size_t bytes)
{
    size_t used = 0;
    static const char *const roundings[] = {"down", "nearest", "up"};

#define PUT(...) used += (size_t)snprintf(text + used, bytes - used, __VA_ARGS__)
    PUT("\"menu\":{\"round_to\":%d,\"rounding\":\"%s\",\"at_most_requested\":%s,"
        "\"amounts\":[0",
        1 + (int)rng_below(rng, 200), roundings[rng_below(rng, 3)],
        rng_below(rng, 2) ? "true" : "false");
    for (uint64_t i = rng_below(rng, 15); i > 0; i--)
        PUT(",%d", (int)rng_below(rng, 5000));
    PUT("],\"order_shares\":[1");
    for (uint64_t i = rng_below(rng, 14); i > 0; i--)
        PUT(",%.4f", (double)rng_below(rng, 10001) / 10000);
    PUT("]},\"caps\":[{\"order_share\":%.4f}", (double)rng_below(rng, 10001) / 10000);
    for (uint64_t i = rng_below(rng, 4); i > 0; i--)
        PUT(",{\"segment\":\"s%d\",\"amount\":%d}", (int)rng_below(rng, 2),
            (int)rng_below(rng, 4000));
    PUT("],\"eligibility\":[{\"require\":[{\"field\":\"order_amount\",\"op\":\"ge\","
        "\"value\":%d}]}]",
        (int)rng_below(rng, 500));
    PUT(",\"customer_limits\":[{\"window\":\"1d\",\"amount\":%d,\"count\":%d}]",
        (int)rng_below(rng, 9000), (int)rng_below(rng, 4));
    if (rng_below(rng, 2))
        PUT(",\"order_limit\":{\"order_share\":%.4f}",
            (double)rng_below(rng, 10001) / 10000);
    PUT(",\"fallback\":{\"amount\":%d}", (int)rng_below(rng, 3000));
#undef PUT
    return text;
}

static void check_menu(const struct policy *policy, const struct refund_case *asked)
{
    int fallback = policy_fallback(policy, &menu);

    assert_in_range(menu.count, 1, OPTION_COUNT_MAX);
    assert_int_equal(menu.options[0].goodwill, 0);
    assert_true(menu.options[0].is_allowed);
    assert_true(menu.options[fallback].is_allowed);
    for (int i = 0; i < menu.count; i++) {
        const struct option *option = &menu.options[i];

        assert_int_equal(option->amount, asked->entitled_amount + option->goodwill);
        assert_true(i == 0 || option->amount > menu.options[i - 1].amount);
        assert_true(!option->is_allowed || option->amount <= asked->order_amount);
        assert_int_equal(option->is_allowed, option->blocker_count == 0);
        for (int j = 0; j < option->blocker_count; j++)
            assert_true(strlen(option->blockers[j].detail) > 10);
        /* Rules are about limits: with a dearer option, a cheaper one is allowed too. */
        assert_true(i < 2 || !option->is_allowed || menu.options[i - 1].is_allowed);
    }
}

static void any_policy_makes_sound_menus_of_any_case(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    int allowed_count = 0, blocked_count = 0;
    char text[4096];
    struct rng rng;

    (void)state;
    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 2000; round++) {
        struct policy *policy = policy_of(random_policy(&rng, text, sizeof text));
        struct refund_case asked = case_of((int64_t)rng_below(&rng, 6000));
        struct policy_needs needs;
        struct history history = {
            .window_counts = {(int64_t)rng_below(&rng, 4)},
            .window_amounts = {(int64_t)rng_below(&rng, 6000)},
            .order_amount = (int64_t)rng_below(&rng, 3000),
        };

        asked.segment = text_of(rng_below(&rng, 2) ? "s0" : "s1");
        asked.entitled_amount =
            (int64_t)rng_below(&rng, (uint64_t)asked.order_amount + 1) *
            (int64_t)rng_below(&rng, 2);
        if (rng_below(&rng, 2))
            asked.requested_amount = (int64_t)rng_below(&rng, 6000);
        menu_make(policy, &asked);
        check_menu(policy, &asked);
        policy_needs(policy, &asked, &needs);
        assert_int_equal(
            policy_limit(policy, &asked, &needs, &history, &arena, &menu, &err),
            STATUS_OK);
        check_menu(policy, &asked);
        for (int i = 1; i < menu.count; i++) {
            allowed_count += menu.options[i].is_allowed;
            blocked_count += !menu.options[i].is_allowed;
        }
        policy_free(policy);
    }
    /* The draw is worth something only if it reaches both. */
    assert_true(allowed_count > 500);
    assert_true(blocked_count > 500);
}

static void a_full_arena_is_said_and_nothing_else_happens(void **state)
{
    struct policy *policy =
        policy_of(LIMITS ",\"claim_window\":{\"window\":\"1d\",\"required\":true},"
                         "\"caps\":[{\"amount\":0,\"clause\":\"4\"}],"
                         "\"eligibility\":[{\"text\":\"no\",\"require\":["
                         "{\"field\":\"metadata.a\",\"op\":\"eq\",\"value\":\"x\"}]}],"
                         "\"review\":{\"amount_over\":1,\"when\":[{\"all\":["
                         "{\"field\":\"issue\",\"op\":\"present\"}]}]}");
    struct refund_case asked = case_of(100);
    struct history history = {
        .window_counts = {9}, .order_amount = 99, .has_duplicate = true};
    struct policy_needs needs;
    size_t bytes;

    (void)state;
    asked.metadata = text_of("{\"a\":\"\\u0041\"}");
    policy_needs(policy, &asked, &needs);
    for (bytes = 0; bytes < 16384; bytes++) {
        char *exact = malloc(bytes ? bytes : 1);
        enum status rc;

        arena_init(&arena, exact, bytes, 0);
        err_clear(&err);
        rc = policy_menu(policy, &asked, NOW_US, &arena, &menu, &err);
        if (!rc)
            rc = policy_limit(policy, &asked, &needs, &history, &arena, &menu, &err);
        if (!rc) {
            assert_true(menu.needs_review);
            check_menu(policy, &asked);
            free(exact);
            break;
        }
        assert_int_equal(rc, STATUS_EXHAUSTED);
        assert_int_equal(err.status, STATUS_EXHAUSTED);
        free(exact);
    }
    assert_in_range(bytes, 1, 16383);
    policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(menus_have_amounts_and_rounded_shares_in_order),
        cmocka_unit_test(what_is_owed_comes_under_every_option),
        cmocka_unit_test(each_rule_blocks_what_it_says_and_names_its_numbers),
        cmocka_unit_test(conditions_compare_what_the_case_has),
        cmocka_unit_test(all_conditions_of_a_rule_and_all_rules_count),
        cmocka_unit_test(a_policy_asks_only_for_the_past_that_matters),
        cmocka_unit_test(the_past_blocks_what_goes_over_its_limits),
        cmocka_unit_test(what_the_order_received_counts_what_is_owed_too),
        cmocka_unit_test(large_amounts_and_named_cases_go_to_a_person),
        cmocka_unit_test(fallback_is_the_dearest_allowed_option_within_its_amount),
        cmocka_unit_test(the_demo_offers_a_credit_to_the_plainest_case),
        cmocka_unit_test(a_case_in_another_currency_has_no_menu),
        cmocka_unit_test(any_policy_makes_sound_menus_of_any_case),
        cmocka_unit_test(a_full_arena_is_said_and_nothing_else_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
